//! An echo and what is inside.

use crate::Reader;

/// Whose mark it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// A whole IP packet: several tools do so.
    Ip,
    /// ptunnel or ptunnel-ng.
    Ptunnel,
    /// hans.
    Hans,
}

impl Tool {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ip => "ip",
            Self::Ptunnel => "ptunnel",
            Self::Hans => "hans",
        }
    }
}

/// Whether an ICMP message is an echo request or reply. `six` says which ICMP it is.
#[must_use]
pub fn is_echo(message: &[u8], six: bool) -> bool {
    match message {
        [128 | 129, 0, ..] => six,
        [0 | 8, 0, ..] => !six,
        _ => false,
    }
}

/// Reads an ICMP message; `None` when it is no echo, or one of an honest ping. `six` says which ICMP it is.
#[must_use]
pub fn tunnelled(message: &[u8], six: bool) -> Option<Tool> {
    if !is_echo(message, six) {
        return None;
    }
    let mut reader = Reader::new(message);
    reader.take(8)?; // type, code, checksum, identity, sequence
    let data = reader.rest();
    if is_ipv4(data) || is_ipv6(data) {
        Some(Tool::Ip)
    } else if is_ptunnel(data) {
        Some(Tool::Ptunnel)
    } else if is_hans(data) {
        Some(Tool::Hans)
    } else {
        None
    }
}

/// A header of twenty octets with a right checksum, and the length of what there is.
fn is_ipv4(data: &[u8]) -> bool {
    let Some(header) = data.first_chunk::<20>() else {
        return false;
    };
    let mut reader = Reader::new(header);
    let mut sum = 0_u32;
    while let Some(word) = reader.u16_be() {
        sum += u32::from(word);
    }
    let sum = (sum & 0xffff) + (sum >> 16);
    let right = (sum & 0xffff) + (sum >> 16) == 0xffff;
    let &[version, _, a, b, _, _, _, _, ttl, protocol, ..] = header;
    version == 0x45
        && usize::from(u16::from_be_bytes([a, b])) == data.len()
        && ttl > 0
        && matches!(protocol, 1 | 6 | 17)
        && right
}

/// A header of forty octets whose length is that of what there is.
fn is_ipv6(data: &[u8]) -> bool {
    let Some(header) = data.first_chunk::<40>() else {
        return false;
    };
    let &[version, _, _, _, a, b, next, hops, source, ..] = header;
    version >> 4 == 6
        && usize::from(u16::from_be_bytes([a, b])) + header.len() == data.len()
        && matches!(next, 6 | 17 | 58)
        && hops > 0
        && source != 0
}

/// Magic, where to, state, acknowledged, length, sequence, identity.
fn is_ptunnel(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    let Some(magic) = reader.take_array::<4>() else {
        return false;
    };
    let mut head = || {
        reader.take(4)?; // address
        let (port, state) = (reader.u32_be()?, reader.u32_be()?);
        reader.take(4)?; // acknowledged
        let length = usize::try_from(reader.u32_be()?).ok()?;
        reader.take(4)?; // sequence, identity
        Some((port, state, length))
    };
    let Some((port, state, length)) = head() else {
        return false;
    };
    // The high bit of the state tells that the proxy speaks.
    PTUNNEL.contains(&magic)
        && port <= 0xffff
        && state & 0x3fff_ffff < 16
        && length <= reader.left()
}

/// A magic and a type.
fn is_hans(data: &[u8]) -> bool {
    matches!(data, [b'h', b'a', b'n', b'c' | b's', 1..=16, ..])
}

/// ptunnel 0.72, ptunnel-ng 1.42.
const PTUNNEL: [[u8; 4]; 2] = [[0xd5, 0x20, 0x08, 0x80], [0xde, 0xad, 0xc0, 0xde]];

#[cfg(test)]
mod tests {
    use super::*;

    /// An echo request with these octets.
    fn echo(data: &[u8]) -> Vec<u8> {
        [&[8, 0, 0x12, 0x34, 0x00, 0x07, 0x00, 0x01], data].concat()
    }

    #[test]
    fn a_whole_ip_packet_is_no_ping() {
        let inner = [
            0x45, 0x00, 0x00, 0x1c, // version, length: 28
            0x00, 0x00, 0x40, 0x00, // identity, do not fragment
            0x40, 0x01, 0x26, 0xdf, // time to live, ICMP, checksum
            0x0a, 0x00, 0x00, 0x01, // source
            0x0a, 0x00, 0x00, 0x02, // destination
            0x08, 0x00, 0xf7, 0xff, 0x00, 0x00, 0x00, 0x00,
        ];
        assert_eq!(tunnelled(&echo(&inner), false), Some(Tool::Ip));
        assert_eq!(tunnelled(&echo(&inner), true), None);
        for at in [0, 3, 9, 10, 15] {
            let mut other = inner;
            other[at] ^= 1;
            assert_eq!(tunnelled(&echo(&other), false), None, "octet {at}");
        }
        assert_eq!(tunnelled(&echo(&inner[..27]), false), None);
        // Another type that carries the packet that it is about.
        let mut unreachable = echo(&inner);
        unreachable[0] = 3;
        assert_eq!(tunnelled(&unreachable, false), None);
    }

    #[test]
    fn tools_have_their_magics() {
        let mut data = vec![0xde, 0xad, 0xc0, 0xde]; // magic
        data.extend([10, 0, 0, 9]); // where to
        data.extend([0, 0, 0, 22]); // port
        data.extend([0x40, 0, 0, 0]); // state: start, by the client
        data.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]); // acknowledged, length, sequence, identity
        assert_eq!(tunnelled(&echo(&data), false), Some(Tool::Ptunnel));
        data[10] = 1;
        data[9] = 1;
        assert_eq!(tunnelled(&echo(&data), false), None);
        assert_eq!(tunnelled(&echo(b"hanc\x01xxxx"), false), Some(Tool::Hans));
        assert_eq!(tunnelled(&echo(b"hanover"), false), None);
    }

    #[test]
    fn pings_are_pings() {
        for data in [
            &b"abcdefghijklmnopqrstuvwabcdefghi"[..],
            &[0; 56],
            b"",
            b"\x2e\x6e\x13\x51\x2d\x49\x06\x00\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f",
        ] {
            assert_eq!(tunnelled(&echo(data), false), None);
        }
    }
}
