//! Long headers (RFC 8999; RFC 9000, section 17.2) as pure functions of octets, and the walk over a datagram.

use super::version::{Suite, Version};
use crate::Reader;

/// A connection id, 20 octets at most (RFC 9000, section 17.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ConnectionId {
    octets: [u8; Self::MAX],
    length: u8,
}

impl ConnectionId {
    /// The longest in any version that is known.
    pub const MAX: usize = 20;

    /// `None` when it is longer than [`ConnectionId::MAX`].
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        let mut id = Self::default();
        id.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        id.length = u8::try_from(octets.len()).ok()?;
        Some(id)
    }

    /// Its octets.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        self.octets
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }

    /// Whether a client may have chosen it as the first address of a server: 8 octets at least (RFC 9000, section 7.2).
    #[must_use]
    pub fn is_initial(&self) -> bool {
        usize::from(self.length) >= 8
    }
}

impl std::fmt::Debug for ConnectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_slice()
            .iter()
            .try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A packet with a long header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LongPacket<'a> {
    /// Version.
    pub version: Version,
    /// To whom.
    pub destination: ConnectionId,
    /// From whom.
    pub source: ConnectionId,
    /// What kind of packet.
    pub kind: Kind<'a>,
}

/// The kinds of packets that have a long header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// The handshake begins; keys follow from the destination id.
    Initial(Protected<'a>),
    /// Application data with the keys of a connection before; not readable.
    ZeroRtt,
    /// The rest of the handshake; not readable.
    Handshake,
    /// The server asks for the hello again, with a token and to another id.
    Retry,
    /// The server's list of versions.
    Negotiation(Versions<'a>),
}

/// A packet whose header and payload are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protected<'a> {
    /// From the first octet of the header to the last one of the payload, as far as it was captured.
    pub octets: &'a [u8],
    /// How many octets the capture cut off behind.
    pub missing: usize,
    /// Where the packet number begins.
    pub number_at: usize,
}

/// A list of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions<'a>(&'a [u8]);

impl Versions<'_> {
    /// The versions in order, as long as the datagram.
    pub fn iter(&self) -> impl Iterator<Item = Version> {
        let mut list = Reader::new(self.0);
        std::iter::from_fn(move || list.u32_be().map(Version))
    }
}

/// The packets with long headers at the start of a datagram, [`MAX_PACKETS`] at most. What follows them, a packet with
/// a short header or padding, is left.
pub fn packets(datagram: &[u8]) -> impl Iterator<Item = LongPacket<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (packet, used) = long_packet(rest)?;
        rest = rest.get(used..).unwrap_or_default();
        Some(packet)
    })
    .take(MAX_PACKETS)
}

/// The packet at the start of octets, and how many octets it takes. `None` when they are no long header, or the packet
/// is longer than they are: a datagram holds whole packets. Only an Initial packet may be longer, where it fills a
/// datagram as a client's must: then the capture has cut it.
#[must_use]
pub fn long_packet(input: &[u8]) -> Option<(LongPacket<'_>, usize)> {
    let mut reader = Reader::new(input);
    let first = reader.u8().filter(|first| first & LONG != 0)?;
    let version = Version(reader.u32_be()?);
    // In versions that are not known an id may be longer (RFC 8999, section 5.1); nobody does that.
    let length = usize::from(reader.u8()?);
    let destination = ConnectionId::new(reader.take(length)?)?;
    let length = usize::from(reader.u8()?);
    let source = ConnectionId::new(reader.take(length)?)?;
    let (kind, used) = if version == Version::NEGOTIATION {
        let list = reader.rest();
        if list.is_empty() || !list.len().is_multiple_of(4) {
            return None;
        }
        (Kind::Negotiation(Versions(list)), input.len())
    } else {
        kind(version, first, reader, input)?
    };
    let packet = LongPacket {
        version,
        destination,
        source,
        kind,
    };
    Some((packet, used))
}

/// Reads what stands behind the ids.
fn kind<'a>(
    version: Version,
    first: u8,
    mut reader: Reader<'a>,
    input: &'a [u8],
) -> Option<(Kind<'a>, usize)> {
    let suite = version.suite().unwrap_or(Suite::V1);
    // The types of version 2 are those of version 1, each one higher (RFC 9369, section 3.2).
    let kind = (first >> 4 & 3).wrapping_sub(suite.initial_type) & 3;
    if kind == RETRY {
        return Some((Kind::Retry, input.len()));
    }
    if kind == INITIAL {
        let token = usize::try_from(varint(&mut reader)?).ok()?;
        reader.take(token)?;
    }
    let length = usize::try_from(varint(&mut reader)?).ok()?;
    let number_at = input.len() - reader.left();
    let missing = length.saturating_sub(reader.left());
    if missing > 0 && (kind != INITIAL || !DATAGRAM.contains(&number_at.saturating_add(length))) {
        return None;
    }
    let used = (number_at + length).min(input.len());
    let kind = match kind {
        INITIAL => Kind::Initial(Protected {
            octets: input.get(..used)?,
            missing,
            number_at,
        }),
        ZERO_RTT => Kind::ZeroRtt,
        _ => Kind::Handshake,
    };
    Some((kind, used))
}

/// An integer of 1, 2, 4 or 8 octets (RFC 9000, section 16).
pub(super) fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8()?;
    let more = (1_usize << (first >> 6)) - 1;
    let rest = reader.take(more)?;
    Some(rest.iter().fold(u64::from(first & 0x3f), |value, &octet| {
        value << 8 | u64::from(octet)
    }))
}

/// Header form: a long header (RFC 8999, section 5.1).
pub(super) const LONG: u8 = 0x80;
/// Set in every packet, unless the peer has said that it need not be (RFC 9287).
pub(super) const FIXED: u8 = 0x40;

/// Types of version 1.
const INITIAL: u8 = 0;
const ZERO_RTT: u8 = 1;
const RETRY: u8 = 3;

/// Octets of a datagram with an Initial packet (RFC 9000, section 14.1; UDP over IPv4).
const DATAGRAM: std::ops::RangeInclusive<usize> = 1200..=65_507;

/// How many packets of one datagram are looked at: one for each of Initial, 0-RTT and Handshake is usual, two Initials
/// have been seen.
pub const MAX_PACKETS: usize = 8;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_the_examples_of_variable_length_integers() {
        // RFC 9000, section A.1
        for (octets, value) in [
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..],
                151_288_809_941_952_652,
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            assert_eq!(varint(&mut Reader::new(octets)), Some(value));
            let cut = &octets[..octets.len() - 1];
            assert_eq!(varint(&mut Reader::new(cut)), None);
        }
    }

    /// An Initial packet of version 1 or 2 with four octets behind its length.
    fn initial(first: u8, version: u32) -> Vec<u8> {
        let mut octets = vec![first];
        octets.extend(version.to_be_bytes());
        octets.extend([3, 0xd1, 0xd2, 0xd3]); // destination id
        octets.extend([0]); // source id
        octets.extend([0x40, 2, 0x70, 0x71]); // token
        octets.extend([4, 1, 2, 3, 4]); // length, payload
        octets
    }

    #[test]
    fn walks_over_coalesced_packets_of_a_datagram() {
        let handshake = [
            &[0xe0, 0, 0, 0, 1][..], // first octet, version
            &[0, 1, 0x51],           // ids
            &[2, 8, 9],              // length, payload
        ]
        .concat();
        let short = [0x40, 1, 2, 3];
        let datagram = [&initial(0xc0, 1)[..], &handshake, &short].concat();
        let packets: Vec<_> = packets(&datagram).collect();
        assert_eq!(packets.len(), 2);
        assert!(matches!(
            packets[0].kind,
            Kind::Initial(Protected { octets, missing: 0, number_at: 15 }) if octets.len() == 19
        ));
        assert_eq!(packets[0].destination.as_slice(), [0xd1, 0xd2, 0xd3]);
        assert_eq!(packets[0].source.as_slice(), [0; 0]);
        assert_eq!(packets[1].kind, Kind::Handshake);
        assert_eq!(packets[1].source.as_slice(), [0x51]);
    }

    #[test]
    fn reads_the_types_of_version_2() {
        let octets = initial(0xd0, Version::V2.0);
        let (packet, used) = long_packet(&octets).unwrap();
        assert!(matches!(packet.kind, Kind::Initial(_)));
        assert_eq!(used, octets.len());
        let octets = initial(0xc0, Version::V2.0);
        assert_eq!(long_packet(&octets).unwrap().0.kind, Kind::Retry);
    }

    #[test]
    fn reads_a_list_of_versions() {
        let octets = [
            &[0x8f, 0, 0, 0, 0][..],               // version negotiation
            &[0, 1, 0x51],                         // ids
            &[0, 0, 0, 1, 0x6b, 0x33, 0x43, 0xcf], // list
        ]
        .concat();
        let Kind::Negotiation(list) = long_packet(&octets).unwrap().0.kind else {
            panic!("no list");
        };
        assert_eq!(list.iter().collect::<Vec<_>>(), [Version::V1, Version::V2]);
        assert_eq!(long_packet(&octets[..octets.len() - 1]), None);
        assert_eq!(long_packet(&octets[..8]), None);
    }

    #[test]
    fn refuses_what_is_longer_than_its_datagram() {
        let octets = initial(0xc0, 1);
        for cut in 0..octets.len() {
            assert_eq!(long_packet(&octets[..cut]), None, "cut at {cut}");
        }
        let mut long_id = octets.clone();
        long_id[5] = 21;
        assert_eq!(long_packet(&long_id), None);
    }

    #[test]
    fn reads_an_initial_packet_that_the_capture_cut() {
        let mut octets = initial(0xc0, 1);
        octets.truncate(14);
        octets.extend([0x44, 0xb0]); // length 1200
        octets.extend([9; 100]);
        let (packet, used) = long_packet(&octets).unwrap();
        assert_eq!(used, octets.len());
        let Kind::Initial(protected) = packet.kind else {
            panic!("no Initial packet");
        };
        assert_eq!((protected.octets, protected.missing), (&octets[..], 1100));
        octets[14..16].copy_from_slice(&[0x42, 0]); // not as long as a client's must be
        assert_eq!(long_packet(&octets), None);
    }

    proptest! {
        #[test]
        fn takes_no_more_than_there_is(octets in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Some((_, used)) = long_packet(&octets) {
                prop_assert!(used <= octets.len() && used > 6);
            }
            prop_assert!(packets(&octets).count() <= MAX_PACKETS);
        }
    }
}
