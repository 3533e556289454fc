//! Extensions of both hellos (RFC 8446, section 4.2), their lists, and GREASE (RFC 8701).

use crate::Reader;

/// The type of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExtensionType(pub u16);

impl ExtensionType {
    /// SNI (RFC 6066, section 3).
    pub const SERVER_NAME: Self = Self(0);
    /// Named groups, once called curves (RFC 8446, section 4.2.7).
    pub const SUPPORTED_GROUPS: Self = Self(10);
    /// RFC 8422, section 5.1.2.
    pub const POINT_FORMATS: Self = Self(11);
    /// RFC 8446, section 4.2.3.
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    /// RFC 7301.
    pub const ALPN: Self = Self(16);
    /// RFC 5077.
    pub const SESSION_TICKET: Self = Self(35);
    /// RFC 8446, section 4.2.11.
    pub const PRE_SHARED_KEY: Self = Self(41);
    /// RFC 8446, section 4.2.1.
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    /// Encrypted ClientHello (RFC 9849).
    pub const ENCRYPTED_CLIENT_HELLO: Self = Self(0xfe0d);
    /// ESNI, the drafts before Encrypted ClientHello.
    pub const ENCRYPTED_SERVER_NAME: Self = Self(0xffce);
}

/// An extension, its body not yet read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension<'a> {
    /// Type.
    pub kind: ExtensionType,
    /// What follows the four octets of type and length.
    pub body: &'a [u8],
}

/// The extensions of a hello in order, GREASE included, up to the first fault: read where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extensions<'a> {
    octets: &'a [u8],
    /// Their types in order, without GREASE, as one number.
    pub(super) kinds: u64,
    /// Whether there are two of one type among those that are asked for: against the rules.
    repeated: bool,
    /// The bodies of those that every hello is asked for; the first one of a type.
    asked: [Option<&'a [u8]>; ASKED],
}

impl<'a> Extensions<'a> {
    /// Those that follow a hello, and whether there was no fault.
    pub(super) fn read(rest: &'a [u8]) -> (Self, bool) {
        let mut found = Self {
            octets: &[],
            kinds: 0,
            repeated: false,
            asked: [None; ASKED],
        };
        let mut reader = Reader::new(rest);
        let Some(length) = reader.u16_be().map(usize::from) else {
            // Before TLS 1.2 a hello may end here.
            return (found, rest.is_empty());
        };
        let fits = length == reader.left();
        let octets = reader.rest();
        let octets = octets.get(..length).unwrap_or(octets);
        let mut list = Reader::new(octets);
        while let Some(Extension { kind, body }) = next(&mut list) {
            if let Some(slot) = place_of(kind).and_then(|place| found.asked.get_mut(place)) {
                found.repeated |= slot.is_some();
                slot.get_or_insert(body);
            }
            if !is_grease(kind.0) {
                found.kinds = mix(found.kinds, u64::from(kind.0));
            }
        }
        let read = octets.len() - list.left();
        found.octets = octets.get(..read).unwrap_or(octets);
        (found, fits && list.is_empty())
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut list = Reader::new(self.octets);
        std::iter::from_fn(move || next(&mut list))
    }

    /// The bodies of all of a type.
    pub(super) fn all(&self, kind: ExtensionType) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let walked = (self.repeated || place_of(kind).is_none()).then(|| self.iter());
        let found = match walked {
            None => self.find(kind),
            Some(_) => None,
        };
        let same = move |one: &Extension<'a>| one.kind == kind;
        let walked = walked.into_iter().flatten().filter(same);
        found.into_iter().chain(walked.map(|one| one.body))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// The body of the first one of a type.
    #[must_use]
    pub fn find(&self, kind: ExtensionType) -> Option<&'a [u8]> {
        match place_of(kind) {
            Some(place) => self.asked.get(place).copied().flatten(),
            None => self.iter().find(|one| one.kind == kind).map(|e| e.body),
        }
    }
}

fn next<'a>(list: &mut Reader<'a>) -> Option<Extension<'a>> {
    let mut at = *list;
    let kind = ExtensionType(at.u16_be()?);
    let length = usize::from(at.u16_be()?);
    let body = at.take(length)?;
    *list = at;
    Some(Extension { kind, body })
}

/// The place of an extension among those that every hello is asked for.
fn place_of(kind: ExtensionType) -> Option<usize> {
    Some(match kind {
        ExtensionType::SERVER_NAME => 0,
        ExtensionType::ALPN => 1,
        ExtensionType::SESSION_TICKET => 2,
        ExtensionType::PRE_SHARED_KEY => 3,
        ExtensionType::SUPPORTED_VERSIONS => 4,
        ExtensionType::ENCRYPTED_CLIENT_HELLO => 5,
        ExtensionType::ENCRYPTED_SERVER_NAME => 6,
        ExtensionType::SUPPORTED_GROUPS => 7,
        ExtensionType::POINT_FORMATS => 8,
        _ => return None,
    })
}

/// How many [`place_of`] has places for.
const ASKED: usize = 9;

/// The octets behind a length of one octet; what there is of them when the length is too great.
pub(super) fn list_u8(body: &[u8]) -> &[u8] {
    let Some((&length, list)) = body.split_first() else {
        return &[];
    };
    list.get(..usize::from(length)).unwrap_or(list)
}

/// The octets behind a length of two octets; what there is of them when the length is too great.
fn list_u16(body: &[u8]) -> &[u8] {
    let mut reader = Reader::new(body);
    let Some(length) = reader.u16_be() else {
        return &[];
    };
    let list = reader.rest();
    list.get(..usize::from(length)).unwrap_or(list)
}

pub(super) fn u16_list(body: &[u8]) -> impl Iterator<Item = u16> {
    let mut list = Reader::new(list_u16(body));
    std::iter::from_fn(move || list.u16_be())
}

pub(super) fn alpn_list(body: Option<&[u8]>) -> impl Iterator<Item = &[u8]> {
    let mut list = Reader::new(list_u16(body.unwrap_or_default()));
    std::iter::from_fn(move || {
        let length = usize::from(list.u8()?);
        list.take(length)
    })
    .filter(|name| !name.is_empty())
}

/// The first host name in the body of SNI.
pub(super) fn host_name(body: &[u8]) -> Option<&[u8]> {
    let mut list = Reader::new(list_u16(body));
    loop {
        let kind = list.u8()?;
        let length = usize::from(list.u16_be()?);
        let name = list.take(length)?;
        if kind == HOST_NAME && !name.is_empty() {
            return Some(name);
        }
    }
}

/// Mixes a number into those before.
pub(super) fn mix(before: u64, number: u64) -> u64 {
    (before ^ number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}

/// Whether a value is one of the sixteen that RFC 8701 keeps for GREASE.
#[must_use]
pub fn is_grease(value: u16) -> bool {
    let [high, low] = value.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// Octets of a name as text: printable ASCII as it is, all else and `\` as `\DDD`, the decimal value (as RFC 4343,
/// section 2.1, writes DNS names). At most `max` octets are written.
#[must_use]
pub fn escaped(octets: &[u8], max: usize) -> String {
    let octets = octets.get(..max).unwrap_or(octets);
    let mut text = String::with_capacity(octets.len());
    escape_into(&mut text, octets);
    text
}

/// Adds octets to a text as [`escaped`] writes them.
pub fn escape_into(text: &mut String, octets: &[u8]) {
    // Nearly every name is as it should be.
    if let Some(plain) = plain(octets) {
        return text.push_str(plain);
    }
    for &octet in octets {
        match octet {
            b'\\' => text.push_str("\\092"),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => {
                text.push('\\');
                for divisor in [100, 10, 1] {
                    text.push(char::from(b'0' + octet / divisor % 10));
                }
            }
        }
    }
}

/// Octets that are text as they are: nothing of them is to be escaped.
fn plain(octets: &[u8]) -> Option<&str> {
    const fn each(octet: u8) -> u64 {
        u64::from_ne_bytes([octet; 8])
    }
    // The sums set the highest bit of the octets asked for; where it was set before, what they carry does not count.
    let odd = |eight: u64| {
        let printable = eight.wrapping_add(each(0x80 - 0x20));
        let deleted = eight.wrapping_add(each(0x80 - 0x7f));
        let no_backslash = (eight ^ each(b'\\')).wrapping_add(each(0x7f));
        (eight | deleted | !printable | !no_backslash) & each(0x80)
    };
    // Eight at a time, the last ones with letters behind them.
    let (eights, rest) = octets.as_chunks();
    let mut last = [b'a'; 8];
    last.iter_mut()
        .zip(rest)
        .for_each(|(slot, octet)| *slot = *octet);
    let all = eights
        .iter()
        .fold(odd(u64::from_le_bytes(last)), |all, eight| {
            all | odd(u64::from_le_bytes(*eight))
        });
    if all != 0 {
        return None;
    }
    std::str::from_utf8(octets).ok()
}

/// How much of a server name is worth keeping: a DNS name has 255 octets at most.
pub const MAX_SERVER_NAME: usize = 255;

/// How many ALPN protocols are worth keeping: browsers offer 2 or 3, scanners some tens.
pub const MAX_PROTOCOLS: usize = 64;

/// Name type of SNI (RFC 6066, section 3).
const HOST_NAME: u8 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_is_not_printable() {
        assert_eq!(
            escaped(b"a\\\0\xfc.example", 99),
            "a\\092\\000\\252.example"
        );
        assert_eq!(escaped(b"abcdef", 3), "abc");
    }

    #[test]
    fn no_octet_that_is_to_be_escaped_is_plain_anywhere() {
        for octet in 0..=u8::MAX {
            let is_plain = matches!(octet, b' '..=b'~') && octet != b'\\';
            for place in 0..20 {
                let mut octets = [b'~'; 20];
                octets[place] = octet;
                assert_eq!(plain(&octets).is_some(), is_plain, "{octet} at {place}");
                assert_eq!(escaped(&octets, 20).len(), if is_plain { 20 } else { 23 });
            }
        }
    }

    #[test]
    fn grease_is_sixteen_values() {
        let count = (0..=u16::MAX).filter(|&value| is_grease(value)).count();
        assert_eq!(count, 16);
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x1a2a));
    }
}
