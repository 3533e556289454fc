//! Google's QUIC before RFC 9000: the packets of Q024 to Q046, which are in clear, and the hello CHLO.
//!
//! By Google's "QUIC Wire Layout Specification" and "QUIC Crypto", and what Chromium of the years 2015 to 2020 sends.

use super::message::{ConnectionId, FIXED, LONG};
use super::version::Version;
use crate::{Reader, Step};

/// A client's first packet in clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClearPacket<'a> {
    /// Q024 to Q046.
    pub version: Version,
    /// The connection, the same in both directions.
    pub connection: ConnectionId,
    /// Frames.
    pub payload: &'a [u8],
}

/// Reads a packet that names its version, as a client's do until the server has answered.
#[must_use]
pub fn clear_packet(datagram: &[u8]) -> Option<ClearPacket<'_>> {
    let mut reader = Reader::new(datagram);
    let first = reader.u8()?;
    let packet = if first & LONG != 0 {
        long(first, &mut reader)?
    } else {
        public(first, &mut reader)?
    };
    let (version, connection) = packet;
    reader.take(HASH)?;
    if version.google()? <= LAST_WITH_PRIVATE_FLAGS {
        reader.u8()?;
    }
    Some(ClearPacket {
        version,
        connection,
        payload: reader.rest(),
    })
}

/// The public header of Q024 to Q043: flags, connection id, version, packet number.
fn public(flags: u8, reader: &mut Reader<'_>) -> Option<(Version, ConnectionId)> {
    is_public(flags).then_some(())?;
    let connection = ConnectionId::new(reader.take(8)?)?;
    let version = clear_version(reader)?;
    let number = [1, 2, 4, 6].get(usize::from(flags >> 4 & 3)).copied()?;
    reader.take(number)?;
    (version.google()? <= 43).then_some((version, connection))
}

/// Whether flags are those of a client's first packets: with a version and an id of 8 octets; no reset, no multipath.
pub(super) fn is_public(flags: u8) -> bool {
    flags & 0xcb == 0x09
}

/// The long header of Q044 to Q046: both lengths of ids in one octet, as in draft 17.
fn long(first: u8, reader: &mut Reader<'_>) -> Option<(Version, ConnectionId)> {
    let version = clear_version(reader)?;
    let number = match version.google()? {
        44 | 45 => 4,
        46 if first & FIXED != 0 => usize::from(first & 3) + 1,
        _ => return None,
    };
    // 8 octets for the server's id, none for the client's.
    (reader.u8()? == 0x50).then_some(())?;
    let connection = ConnectionId::new(reader.take(8)?)?;
    reader.take(number)?;
    Some((version, connection))
}

fn clear_version(reader: &mut Reader<'_>) -> Option<Version> {
    reader
        .u32_be()
        .map(Version)
        .filter(|version| version.is_clear())
}

/// The client's hello of Google's handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chlo<'a> {
    /// SNI, as sent.
    pub server_name: Option<&'a [u8]>,
    /// UAID, the program and its system.
    pub user_agent: Option<&'a [u8]>,
}

/// Decodes a CHLO: a list of tags, each with the end of its value, then the values.
#[must_use]
pub fn chlo(input: &[u8]) -> Step<Chlo<'_>> {
    if !input.iter().zip(b"CHLO").all(|(octet, want)| octet == want) {
        return Step::NotThisProtocol("no CHLO");
    }
    let missing = |whole: usize| Step::NeedMore(whole.saturating_sub(input.len()).max(1));
    let mut reader = Reader::new(input);
    let (Some(_), Some(count), Some(_)) = (reader.take(4), reader.u16_le(), reader.u16_le()) else {
        return missing(HEADER);
    };
    let count = usize::from(count);
    if count > MAX_TAGS {
        return Step::NotThisProtocol("too many tags");
    }
    let Some(tags) = reader.take(count * TAG) else {
        return missing(HEADER + count * TAG);
    };
    let mut tags = Reader::new(tags);
    let mut hello = Chlo::default();
    let mut begin = 0;
    while let (Some(tag), Some(end)) = (tags.take_array::<4>(), tags.u32_le()) {
        let end = usize::try_from(end).unwrap_or(usize::MAX);
        if end < begin || end > MAX_VALUES {
            return Step::NotThisProtocol("values out of order");
        }
        let Some(value) = reader.rest().get(begin..end) else {
            return missing(HEADER + count * TAG + end);
        };
        match &tag {
            b"SNI\0" => hello.server_name = Some(value).filter(|name| !name.is_empty()),
            b"UAID" => hello.user_agent = Some(value).filter(|name| !name.is_empty()),
            _ => {}
        }
        begin = end;
    }
    Step::Done(hello, HEADER + count * TAG + begin)
}

/// Octets of the hash before the frames (FNV-1a of 128 bits, cut to 12 octets).
const HASH: usize = 12;
/// Up to this version another octet of flags follows.
const LAST_WITH_PRIVATE_FLAGS: u8 = 33;
/// Octets of `CHLO`, the number of tags and two unused ones.
const HEADER: usize = 8;
/// Octets of a tag and the end of its value.
const TAG: usize = 8;
/// How many tags a message may have: Chromium's own bound.
const MAX_TAGS: usize = 128;
/// Octets of all values: Chromium sends some 1,000, most of them padding.
const MAX_VALUES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quic::samples;
    use crate::testing::assert_same_however_cut;

    #[test]
    fn reads_a_hello_however_cut() {
        let octets = samples::chlo("a.example", "Chrome/70.0");
        let names =
            |hello: Chlo<'_>| [hello.server_name, hello.user_agent].map(|n| n.map(<[u8]>::to_vec));
        assert_same_however_cut(|input| chlo(input).map(names), &octets);
        let hello = Chlo {
            server_name: Some(b"a.example"),
            user_agent: Some(b"Chrome/70.0"),
        };
        assert_eq!(chlo(&octets), Step::Done(hello, octets.len()));
    }

    #[test]
    fn refuses_values_that_overlap_and_too_many_tags() {
        let mut octets = samples::chlo("a.example", "x");
        octets[12 + 8] = 0; // the end of the second value
        assert!(matches!(chlo(&octets), Step::NotThisProtocol(_)));
        let many = b"CHLO\xff\xff\0\0";
        assert!(matches!(chlo(many), Step::NotThisProtocol(_)));
        let long = b"CHLO\x01\0\0\0SNI\0\xff\xff\xff\x7f";
        assert!(matches!(chlo(long), Step::NotThisProtocol(_)));
    }

    #[test]
    fn reads_the_headers_of_the_versions_in_clear() {
        let id = [1, 2, 3, 4, 5, 6, 7, 8];
        for (version, first) in [
            (b"Q025", 0x0d),
            (b"Q039", 0x19),
            (b"Q043", 0x09),
            (b"Q044", 0xff),
            (b"Q046", 0xc3),
        ] {
            let datagram = samples::clear_packet(*version, first, b"frames");
            let packet = clear_packet(&datagram).unwrap();
            assert_eq!(packet.version.0.to_be_bytes(), *version);
            assert_eq!(packet.connection.as_slice(), id);
            assert_eq!(packet.payload, b"frames");
            for cut in 0..datagram.len() - 6 {
                assert_eq!(clear_packet(&datagram[..cut]), None);
            }
        }
        let datagram = samples::clear_packet(*b"Q050", 0xc3, b"frames");
        assert_eq!(clear_packet(&datagram), None);
        let datagram = samples::clear_packet(*b"Q043", 0x0b, b"frames"); // a reset
        assert_eq!(clear_packet(&datagram), None);
    }
}
