//! Names off the wire as text.

/// UTF-8 as it is; each octet that is none as `\xNN`. At most `limit` octets are read.
pub(super) fn escaped(octets: &[u8], limit: usize) -> String {
    let octets = octets.get(..limit).unwrap_or(octets);
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        for octet in chunk.invalid() {
            text.push_str("\\x");
            for digit in [octet >> 4, octet & 0x0f] {
                text.extend(char::from_digit(u32::from(digit), 16));
            }
        }
    }
    text
}

/// UTF-16, least significant octet first, up to the first NUL; a lone surrogate becomes U+FFFD.
pub(super) fn utf16(octets: &[u8]) -> String {
    let units = octets
        .chunks_exact(2)
        .filter_map(<[u8]>::first_chunk)
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|&unit| unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_utf8_and_escapes_the_rest() {
        assert_eq!(escaped("MÜLLER\\é".as_bytes(), 64), "MÜLLER\\é");
        assert_eq!(escaped(b"M\xdcLLER  ", 64), "M\\xdcLLER  ");
        assert_eq!(escaped(b"abcdef", 3), "abc");
        // A character that the limit cuts.
        assert_eq!(escaped("aü".as_bytes(), 2), "a\\xc3");
    }

    #[test]
    fn ends_utf16_at_the_first_nul() {
        assert_eq!(utf16(b"S\0E\0T\0U\0P\0\0\0X\0"), "SETUP");
        assert_eq!(utf16(b"\x00\xd8A\0B"), "\u{fffd}A");
    }
}
