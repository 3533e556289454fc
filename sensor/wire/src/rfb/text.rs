//! Texts of a server, made fit for a record.

use std::fmt::Write;

/// A desktop's name as a record writes it.
///
/// Control characters are left out of its ends. macOS puts binary octets before the name; when the octets are no text
/// and a NUL is among them, only what follows the last one is the name. The rest is as [`printable`] writes it.
#[must_use]
pub fn desktop_name(octets: &[u8]) -> String {
    let trimmed = trim(octets);
    let name = match trimmed.iter().rposition(|&octet| octet == 0) {
        Some(last) => trimmed
            .split_at_checked(last)
            .filter(|(before, _)| is_binary(before))
            .map_or(trimmed, |(_, name)| trim(name)),
        None => trimmed,
    };
    printable(name)
}

/// Any text as a record writes it: characters that print are kept; control characters, marks that change the direction of
/// writing and octets that are no UTF-8 are written `\x0a`, `\u{202e}`, `\xa0`, so that a name can neither forge lines
/// nor turn them round.
#[must_use]
pub fn printable(octets: &[u8]) -> String {
    let mut out = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        for c in chunk.valid().chars() {
            // Writing to a String cannot fail.
            let _ = match c {
                '\0'..='\x1f' | '\x7f' => write!(out, "\\x{:02x}", u32::from(c)),
                c if is_unsafe(c) => write!(out, "\\u{{{:x}}}", u32::from(c)),
                c => out.write_char(c),
            };
        }
        for octet in chunk.invalid() {
            let _ = write!(out, "\\x{octet:02x}");
        }
    }
    out
}

/// Without control characters at its ends.
fn trim(octets: &[u8]) -> &[u8] {
    let is_edge = |&octet: &u8| octet < b' ' || octet == 0x7f;
    let start = octets.iter().position(|octet| !is_edge(octet));
    let end = octets.iter().rposition(|octet| !is_edge(octet));
    match (start, end) {
        (Some(start), Some(end)) => octets.get(start..=end).unwrap_or_default(),
        _ => &[],
    }
}

/// Whether octets are no text: not UTF-8, or with control characters.
fn is_binary(octets: &[u8]) -> bool {
    std::str::from_utf8(octets).map_or(true, |text| text.chars().any(char::is_control))
}

/// Control characters beyond ASCII, and characters that change how the rest of a line is shown.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{061c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_what_macos_puts_before_the_name() {
        let octets = [
            0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xbf, 0xfe, 0xe7, 0x03, 0xe0, // binary
            0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // binary
            b'M', b'a', b'c', b'M', b'i', b'n', b'i', b' ', b'S', b'S', b'D',
        ];
        assert_eq!(desktop_name(&octets), "MacMini SSD");
    }

    #[test]
    fn keeps_what_is_odd_but_cannot_harm() {
        assert_eq!(desktop_name(b"\xa0"), "\\xa0");
        assert_eq!(desktop_name(b"web01\0\0"), "web01");
        assert_eq!(desktop_name("Büro\n".as_bytes()), "Büro");
        assert_eq!(desktop_name(b"a\nb"), "a\\x0ab");
        assert_eq!(desktop_name(b"a\0b"), "a\\x00b");
        assert_eq!(desktop_name("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(desktop_name(b"\0\0"), "");
        assert_eq!(desktop_name(b""), "");
    }
}
