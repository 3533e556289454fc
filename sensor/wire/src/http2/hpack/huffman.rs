//! The Huffman code of header strings (RFC 7541, section 5.2 and appendix B).

use super::Violation;

/// Decodes a string behind `output`.
pub(super) fn decode(input: &[u8], output: &mut Vec<u8>) -> Result<(), Violation> {
    let mut code = Code::default();
    for octet in input {
        for bit in (0..8).rev() {
            if let Some(symbol) = code.push(octet >> bit & 1)? {
                output.push(symbol);
            }
        }
    }
    // The rest of the last octet is filled with ones, the start of the code that ends all.
    if code.length < 8 && code.bits + 1 == 1 << code.length {
        Ok(())
    } else {
        Err(Violation("a Huffman string ends within a code"))
    }
}

/// A code under way. The code is canonical: codes of one length follow each other in the order of their symbols, and
/// the first of a length comes behind the last of the shorter ones.
#[derive(Default)]
struct Code {
    bits: u32,
    length: usize,
    /// First code of this length.
    first: u32,
}

impl Code {
    fn push(&mut self, bit: u8) -> Result<Option<u8>, Violation> {
        self.bits = self.bits << 1 | u32::from(bit);
        self.first <<= 1;
        self.length += 1;
        let Some(at) = self.length.checked_sub(SHORTEST) else {
            return Ok(None);
        };
        let Some(symbols) = BY_LENGTH.get(at) else {
            return Err(Violation("no Huffman code, or the one that ends all"));
        };
        let place = usize::try_from(self.bits - self.first).unwrap_or(usize::MAX);
        if let Some(&symbol) = symbols.get(place) {
            *self = Self::default();
            return Ok(Some(symbol));
        }
        // At most 256 symbols in all.
        self.first += u32::try_from(symbols.len()).unwrap_or(0);
        Ok(None)
    }
}

const SHORTEST: usize = 5;

/// The symbols with a code of 5 bits, of 6, and so on to 30; the one behind the last ends all and is never sent.
const BY_LENGTH: [&[u8]; 26] = [
    b"012aceiost",
    b" %-./3456789=A_bdfghlmnpru",
    b":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz",
    b"&*,;XZ",
    b"",
    b"!\"()?",
    b"'+|",
    b"#>",
    b"\x00$@[]~",
    b"^}",
    b"<`{",
    b"",
    b"",
    b"",
    b"\\\xc3\xd0",
    b"\x80\x82\x83\xa2\xb8\xc2\xe0\xe2",
    b"\x99\xa1\xa7\xac\xb0\xb1\xb3\xd1\xd8\xd9\xe3\xe5\xe6",
    b"\x81\x84\x85\x86\x88\x92\x9a\x9c\xa0\xa3\xa4\xa9\xaa\xad\xb2\xb5\xb9\xba\xbb\xbd\xbe\xc4\xc6\xe4\xe8\xe9",
    b"\x01\x87\x89\x8a\x8b\x8c\x8d\x8f\x93\x95\x96\x97\x98\x9b\x9d\x9e\xa5\xa6\xa8\xae\xaf\xb4\xb6\xb7\xbc\xbf\xc5\xe7\xef",
    b"\x09\x8e\x90\x91\x94\x9f\xab\xce\xd7\xe1\xec\xed",
    b"\xc7\xcf\xea\xeb",
    b"\xc0\xc1\xc8\xc9\xca\xcd\xd2\xd5\xda\xdb\xee\xf0\xf2\xf3\xff",
    b"\xcb\xcc\xd3\xd4\xd6\xdd\xde\xdf\xf1\xf4\xf5\xf6\xf7\xf8\xfa\xfb\xfc\xfd\xfe",
    b"\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x12\x13\x14\x15\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f\xdc\xf9",
    b"",
    b"\x0a\x0d\x16",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &[u8], expected: Result<&[u8], &str>) {
        let mut output = Vec::new();
        let found = decode(input, &mut output).map(|()| &output[..]);
        assert_eq!(found, expected.map_err(|_| found.unwrap_err()), "{input:?}");
    }

    #[test]
    fn decodes_the_examples_of_the_standard() {
        // RFC 7541, appendix C.4 and C.6.
        check(
            b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff",
            Ok(b"www.example.com"),
        );
        check(b"\xa8\xeb\x10\x64\x9c\xbf", Ok(b"no-cache"));
        check(b"\x64\x02", Ok(b"302"));
        check(
            b"\xd0\x7a\xbe\x94\x10\x54\xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff",
            Ok(b"Mon, 21 Oct 2013 20:13:21 GMT"),
        );
        check(b"", Ok(b""));
    }

    #[test]
    fn decodes_the_longest_codes() {
        // 10 and 22 have the first and the third code of 30 bits.
        check(b"\xff\xff\xff\xf3", Ok(b"\n"));
        check(b"\xff\xff\xff\xfb", Ok(b"\x16"));
        check(b"\xff\xc7", Ok(b"\0"));
    }

    #[test]
    fn refuses_what_is_no_string() {
        check(b"\xff\xff\xff\xff", Err("the end"));
        check(b"\xff", Err("padding too long"));
        check(b"\x00", Err("padding is no ones"));
    }
}
