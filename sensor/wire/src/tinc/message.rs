//! ID and METAKEY.

use crate::Step;

/// The line that both sides open with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The node's name; that of who joins by an invitation is empty.
    pub name: String,
    /// `17` or `17.` and a minor version.
    pub version: String,
}

/// The line that follows in version 1.0: its key is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetaKey;

/// Reads `0 NAME 17`.
#[must_use]
pub fn identity(octets: &[u8]) -> Step<Identity> {
    const NOT: Step<Identity> = Step::NotThisProtocol("no identity of a tinc node");
    let (line, end) = match line(octets, MAX_LINE) {
        Some((line, used)) => (line, Some(used)),
        None if octets.len() >= MAX_LINE => return NOT,
        None => (octets, None),
    };
    let mut words = line.split(|&octet| octet == b' ');
    let (request, name, version) = (words.next(), words.next(), words.next());
    let fits = request
        .is_none_or(|word| b"0".starts_with(word) && (name.is_none() || word == b"0"))
        && name.is_none_or(|word| {
            word.iter()
                .all(|&octet| octet.is_ascii_alphanumeric() || octet == b'_')
                && (version.is_none() || !word.is_empty())
        })
        && version.is_none_or(is_version_start)
        && words.next().is_none();
    if !fits {
        return NOT;
    }
    let Some(used) = end else {
        return Step::NeedMore(1);
    };
    match (name, version) {
        (Some(name), Some(version)) if is_version(version) => Step::Done(
            Identity {
                name: String::from_utf8_lossy(name).into_owned(),
                version: String::from_utf8_lossy(version).into_owned(),
            },
            used,
        ),
        _ => NOT,
    }
}

/// Reads `1 CIPHER DIGEST MACLENGTH COMPRESSION KEY`, the key in hexadecimal digits. Only its start is looked at.
#[must_use]
pub fn meta_key(octets: &[u8]) -> Step<MetaKey> {
    let mut numbers = 0;
    let mut key = 0;
    for (at, &octet) in octets.iter().enumerate() {
        match (at, octet) {
            (0, b'1') | (1, b' ') => {}
            (2.., b'0'..=b'9') if numbers < NUMBERS => {}
            (3.., b' ') if numbers < NUMBERS => numbers += 1,
            (_, b'0'..=b'9' | b'A'..=b'F' | b'a'..=b'f') if numbers == NUMBERS => key += 1,
            _ => return Step::NotThisProtocol("no key of a tinc meta connection"),
        }
        if key == KEY_START {
            return Step::Done(MetaKey, at + 1);
        }
        if at >= MAX_LINE {
            return Step::NotThisProtocol("no key of a tinc meta connection");
        }
    }
    Step::NeedMore(1)
}

/// A line without its end, and how many octets it took.
fn line(octets: &[u8], most: usize) -> Option<(&[u8], usize)> {
    let end = octets.iter().take(most).position(|&octet| octet == b'\n')?;
    Some((octets.get(..end)?, end + 1))
}

fn is_version_start(word: &[u8]) -> bool {
    let (major, minor) = word.split_at(word.len().min(2));
    b"17".starts_with(major)
        && match minor.split_first() {
            None => true,
            Some((b'.', digits)) => digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit),
            Some(_) => false,
        }
}

fn is_version(word: &[u8]) -> bool {
    word.len() >= 2 && word.last().is_some_and(u8::is_ascii_digit)
}

/// The longest identity that is read.
pub const MAX_LINE: usize = 128;
/// Cipher, digest, length of the authentication code, compression.
const NUMBERS: usize = 4;
/// Digits of the key that are looked at.
const KEY_START: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn an_identity_has_a_name_and_a_version() {
        for (line, version) in [("0 hub_1 17\n", "17"), ("0 laptop 17.7\nmore", "17.7")] {
            let Step::Done(found, used) = identity(line.as_bytes()) else {
                panic!("{line}")
            };
            assert_eq!(found.version, version);
            assert_eq!(used, line.find('\n').unwrap() + 1);
            assert_same_however_cut(identity, line.as_bytes());
        }
        for other in [
            "0 hub 18\n",
            "0 hub 17.\n",
            "0 hub 17 1\n",
            "0  17\n",
            "1 hub 17\n",
            "0 h-b 17\n",
            "0 hub\n",
            "0\n",
            "\n",
            "GET / HTTP/1.1\r\n",
        ] {
            assert!(
                matches!(identity(other.as_bytes()), Step::NotThisProtocol(_)),
                "{other:?}"
            );
            assert_same_however_cut(identity, other.as_bytes());
        }
        let long = [b"0 ".to_vec(), vec![b'a'; 200]].concat();
        assert!(matches!(identity(&long), Step::NotThisProtocol(_)));
    }

    #[test]
    fn a_key_is_told_by_its_start() {
        let line = format!("1 94 64 0 0 {}\n", "0123456789ABCDEF".repeat(64));
        assert!(matches!(meta_key(line.as_bytes()), Step::Done(MetaKey, 44)));
        assert_same_however_cut(meta_key, line.as_bytes());
        for other in ["1 94 64 0 ABC", "2 94", "1  94", "1 94 64 0 0 xyz"] {
            assert!(
                matches!(meta_key(other.as_bytes()), Step::NotThisProtocol(_)),
                "{other:?}"
            );
        }
    }
}
