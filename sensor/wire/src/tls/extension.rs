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

/// The extensions that follow a hello, up to the first fault, and whether there was none.
pub(super) fn extensions(rest: &[u8]) -> (Vec<Extension<'_>>, bool) {
    let mut found = Vec::new();
    let mut reader = Reader::new(rest);
    let Some(length) = reader.u16_be() else {
        // Before TLS 1.2 a hello may end here.
        return (found, rest.is_empty());
    };
    let length = usize::from(length);
    let fits = length == reader.left();
    let octets = reader.rest();
    let mut list = Reader::new(octets.get(..length).unwrap_or(octets));
    while !list.is_empty() {
        let extension = || {
            let mut at = list;
            let kind = ExtensionType(at.u16_be()?);
            let length = usize::from(at.u16_be()?);
            let body = at.take(length)?;
            Some((Extension { kind, body }, at))
        };
        let Some((extension, behind)) = extension() else {
            return (found, false);
        };
        found.push(extension);
        list = behind;
    }
    (found, fits)
}

pub(super) fn find<'a>(extensions: &[Extension<'a>], kind: ExtensionType) -> Option<&'a [u8]> {
    extensions
        .iter()
        .find(|extension| extension.kind == kind)
        .map(|extension| extension.body)
}

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
    let mut text = String::with_capacity(octets.len().min(max));
    for &octet in octets.iter().take(max) {
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
    text
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
    fn grease_is_sixteen_values() {
        let count = (0..=u16::MAX).filter(|&value| is_grease(value)).count();
        assert_eq!(count, 16);
        assert!(is_grease(0x0a0a) && is_grease(0xfafa) && !is_grease(0x1a2a));
    }
}
