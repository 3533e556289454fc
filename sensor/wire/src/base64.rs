//! Base64 as it comes, octet by octet (RFC 4648, sections 4 and 5): the quarters of a group may lie in different segments.

use crate::Violation;

/// Decodes a whole text of either alphabet, padded or not; `None` when it is no base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut decoder, mut output) = (Decoder::default(), Vec::new());
    decoder.decode(text.as_bytes(), &mut output).ok()?;
    decoder.flush(&mut output);
    Some(output)
}

/// A group that is not whole yet.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Decoder {
    bits: u32,
    count: u8,
}

impl Decoder {
    /// Decodes on; what a padded group ends with is whole. Line ends are passed over.
    pub(crate) fn decode(&mut self, input: &[u8], output: &mut Vec<u8>) -> Result<(), Violation> {
        for &octet in input {
            let value = match octet {
                b'A'..=b'Z' => octet - b'A',
                b'a'..=b'z' => octet - b'a' + 26,
                b'0'..=b'9' => octet - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'=' => {
                    self.flush(output);
                    continue;
                }
                b'\r' | b'\n' => continue,
                _ => return Err(Violation("no base64")),
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.count += 1;
            if self.count == 4 {
                let [_, a, b, c] = self.bits.to_be_bytes();
                output.extend_from_slice(&[a, b, c]);
                *self = Self::default();
            }
        }
        Ok(())
    }

    /// Ends a group that is not whole: two digits are one octet, three are two.
    pub(crate) fn flush(&mut self, output: &mut Vec<u8>) {
        let [_, a, b, _] = (self.bits << (6 * u32::from(4 - self.count.min(4)))).to_be_bytes();
        match self.count {
            2 => output.push(a),
            3 => output.extend_from_slice(&[a, b]),
            _ => {}
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expected: &[u8]) {
        for size in 1..=input.len() {
            let (mut decoder, mut output) = (Decoder::default(), Vec::new());
            for piece in input.as_bytes().chunks(size) {
                decoder.decode(piece, &mut output).unwrap();
            }
            decoder.flush(&mut output);
            assert_eq!(output, expected, "{input} in pieces of {size}");
        }
    }

    #[test]
    fn decodes_however_cut_and_several_messages_in_a_row() {
        check("UkZCIDAwMy4wMDgK", b"RFB 003.008\n");
        check("Zg==Zm8=Zm9v", b"ffofoo");
        check("Zm9vYg", b"foob");
        check("Zm9v\r\nYmE=", b"fooba");
        check("A", b"");
    }

    #[test]
    fn reads_the_alphabet_of_addresses_too() {
        assert_eq!(decode("-_-_").as_deref(), Some(&b"\xfb\xff\xbf"[..]));
        assert_eq!(decode("+/+/"), decode("-_-_"));
        assert_eq!(decode("a b"), None);
    }

    #[test]
    fn refuses_other_text() {
        let mut output = Vec::new();
        assert!(
            Decoder::default()
                .decode(b"{\"a\":1}", &mut output)
                .is_err()
        );
    }
}
