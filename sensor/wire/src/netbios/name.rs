//! Names: 16 octets, each written as two letters (RFC 1001, section 14.1; RFC 1002, section 4.1).

use crate::Reader;

/// A NetBIOS name: 15 characters, padded with blanks, and an octet that says what it is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Name {
    octets: [u8; 15],
    /// What it is the name of: 0x00 a workstation or a domain, 0x20 a file server, 0x1b and above domains and browsers.
    pub suffix: u8,
}

impl Name {
    /// From its 16 octets.
    #[must_use]
    pub fn new(octets: [u8; 16]) -> Self {
        let [name @ .., suffix] = octets;
        Self {
            octets: name,
            suffix,
        }
    }

    /// The characters before the padding.
    #[must_use]
    pub fn as_octets(&self) -> &[u8] {
        self.octets.trim_ascii_end()
    }

    /// The name where it is of printable ASCII without blanks, as names of hosts are.
    #[must_use]
    pub fn as_host(&self) -> Option<&str> {
        let octets = self.as_octets();
        let fits = |octet: &u8| octet.is_ascii_graphic() && !matches!(octet, b'*' | b'\\' | b'/');
        let is_host = matches!(self.suffix, Self::WORKSTATION | Self::FILE_SERVER)
            && !octets.is_empty()
            && octets.iter().all(fits);
        is_host.then(|| std::str::from_utf8(octets).ok()).flatten()
    }

    /// A workstation; of a group name, a domain.
    pub const WORKSTATION: u8 = 0x00;
    /// A file server.
    pub const FILE_SERVER: u8 = 0x20;
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.as_octets().escape_ascii())
    }
}

/// Reads an encoded name at the reader's place: a length of 32, 32 letters from `A` to `P`, then labels of a scope, which
/// are passed over, up to the empty one.
pub fn name(reader: &mut Reader<'_>) -> Option<Name> {
    if reader.u8()? != ENCODED {
        return None;
    }
    let letters: [u8; ENCODED as usize] = reader.take_array()?;
    let mut octets = [0; 16];
    let (pairs, _) = letters.as_chunks::<2>();
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        *octet = nibble(*high)? << 4 | nibble(*low)?;
    }
    // A name with all its scope has 255 octets at most, so this ends.
    let mut left = MAX_SCOPE;
    loop {
        match reader.u8()? {
            0 => return Some(Name::new(octets)),
            length @ 1..=63 => {
                left = left.checked_sub(usize::from(length) + 1)?;
                reader.take(usize::from(length))?;
            }
            _ => return None,
        }
    }
}

fn nibble(letter: u8) -> Option<u8> {
    letter.checked_sub(b'A').filter(|value| *value < 16)
}

/// Letters of an encoded name.
const ENCODED: u8 = 32;
/// Octets of a scope: a name in DNS has 255 octets.
const MAX_SCOPE: usize = 255 - 34;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The encoded form of a name.
    pub(crate) fn encoded(text: &str, suffix: u8) -> Vec<u8> {
        let mut octets = [b' '; 16];
        octets[..text.len()].copy_from_slice(text.as_bytes());
        octets[15] = suffix;
        let mut out = vec![ENCODED];
        out.extend(
            octets
                .iter()
                .flat_map(|octet| [b'A' + (octet >> 4), b'A' + (octet & 15)]),
        );
        out.push(0);
        out
    }

    #[test]
    fn reads_the_example_of_the_document() {
        // RFC 1001, section 14.1: `FRED`.
        let octets = b"\x20EGFCEFEECACACACACACACACACACACACA\x00";
        let read = name(&mut Reader::new(octets)).unwrap();
        assert_eq!(read.as_octets(), b"FRED");
        assert_eq!(read.suffix, b' ');
        assert_eq!(read.to_string(), "FRED");
    }

    #[test]
    fn passes_over_a_scope_and_refuses_one_without_end() {
        let mut octets = encoded("WS01", 0);
        octets.pop();
        octets.extend(b"\x03net\x00");
        let mut reader = Reader::new(&octets);
        assert_eq!(name(&mut reader).unwrap().as_host(), Some("WS01"));
        assert!(reader.is_empty());
        octets.pop();
        assert_eq!(name(&mut Reader::new(&octets)), None);
        octets.extend([b"\x3f".as_slice(), &[b'x'; 63]].concat().repeat(5));
        assert_eq!(name(&mut Reader::new(&octets)), None);
    }

    #[test]
    fn only_workstations_and_file_servers_are_hosts() {
        let host = |text, suffix| {
            name(&mut Reader::new(&encoded(text, suffix)))
                .unwrap()
                .as_host()
                .map(str::to_owned)
        };
        assert_eq!(host("WS01", 0x20).as_deref(), Some("WS01"));
        assert_eq!(host("DOMAIN", 0x1b), None);
        assert_eq!(host("*", 0), None);
        assert_eq!(host("", 0), None);
    }
}
