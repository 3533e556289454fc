//! The datagrams (MS-RDPEUDP 2.2.2; MS-RDPEUDP2 2.2.1).

use std::borrow::Cow;
use std::fmt;

use crate::Reader;

/// A SYN or the answer to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Syn {
    /// Whether it answers a SYN: sent by the server.
    pub answers: bool,
    /// The number that it acknowledges: the initial one of the SYN in an answer.
    pub acknowledged: u32,
    /// The sender's initial number.
    pub initial: u32,
    /// Whether lost packets stay lost; the connection then carries DTLS.
    pub lossy: bool,
    /// Whether it has the id by which both ends write it in their logs.
    pub correlated: bool,
    /// Version offered, or chosen; `None` where the sender knows the first one only.
    pub version: Option<Version>,
    /// Largest packet up and down, in octets: 1132 to 1232.
    pub mtu: [u16; 2],
}

/// A version of the protocol (MS-RDPEUDP 2.2.2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u16);

impl Version {
    /// RDP 8.
    pub const V1: Self = Self(0x0001);
    /// Other time-outs.
    pub const V2: Self = Self(0x0002);
    /// MS-RDPEUDP2: packets of another form.
    pub const V3: Self = Self(0x0101);
}

/// `1`, `2`, `3`, else `0x....`. Clients write combinations: 0x0003 is met, and answered with 2.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::V1 => f.write_str("1"),
            Self::V2 => f.write_str("2"),
            Self::V3 => f.write_str("3"),
            Self(number) => write!(f, "0x{number:04x}"),
        }
    }
}

/// What a packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data<'a> {
    /// Its number among those of its sender; 16 bits in version 3.
    pub number: u32,
    /// A piece of TLS, or a datagram of DTLS.
    pub octets: Cow<'a, [u8]>,
}

/// The SYN, or the answer, that a datagram is.
#[must_use]
pub fn syn(datagram: &[u8]) -> Option<Syn> {
    let mut reader = Reader::new(datagram);
    let acknowledged = reader.u32_be()?;
    let _window = reader.u16_be()?;
    let flags = reader.u16_be()?;
    let answers = flags & ACK != 0;
    if flags & SYN == 0
        || flags & !(SYN | ACK | SYN_LOSSY | CORRELATION_ID | SYN_EX) != 0
        || !answers && acknowledged != NOTHING
        || datagram.len() > MAX_DATAGRAM
    {
        return None;
    }
    let initial = reader.u32_be()?;
    let mtu = [reader.u16_be()?, reader.u16_be()?];
    if !mtu.iter().all(|mtu| MTU.contains(mtu)) {
        return None;
    }
    let correlated = flags & CORRELATION_ID != 0;
    if correlated {
        // The id, and as many reserved octets.
        reader.take(32)?;
    }
    let mut version = None;
    if flags & SYN_EX != 0 {
        let valid = reader.u16_be()? & VERSION_VALID != 0;
        let number = Version(reader.u16_be()?);
        version = valid.then_some(number);
        if number == Version::V3 && !answers {
            // The hash of the cookie that the main connection gave.
            reader.take(32)?;
        }
    }
    // The rest probes the path's MTU: zeros.
    let padded = answers || reader.rest().iter().all(|&octet| octet == 0);
    padded.then_some(Syn {
        answers,
        acknowledged,
        initial,
        lossy: flags & SYN_LOSSY != 0,
        correlated,
        version,
        mtu,
    })
}

/// What a packet of version 1 or 2 carries; `None` for acknowledgements and coded packets.
#[must_use]
pub fn packet(datagram: &[u8]) -> Option<Data<'_>> {
    let mut reader = Reader::new(datagram);
    let _acknowledged = reader.u32_be()?;
    let _window = reader.u16_be()?;
    let flags = reader.u16_be()?;
    if flags & (SYN | FEC) != 0 || flags & DATA == 0 {
        return None;
    }
    if flags & ACK != 0 {
        let size = usize::from(reader.u16_be()?);
        // The vector ends where a multiple of four octets does.
        reader.take((2 + size).next_multiple_of(4) - 2)?;
    }
    if flags & ACK_OF_ACKS != 0 {
        reader.u32_be()?;
    }
    let _coded = reader.u32_be()?;
    let number = reader.u32_be()?;
    Some(Data {
        number,
        octets: reader.rest().into(),
    })
}

/// What a packet of version 3 carries; `None` for acknowledgements and dummies.
#[must_use]
pub fn packet_of_version_3(datagram: &[u8]) -> Option<Data<'_>> {
    // The prefix stands at the eighth place, and the octet of that place at the first (MS-RDPEUDP2 2.2.1).
    let prefix = *datagram.get(PREFIX_PLACE)?;
    let moved = *datagram.first()?;
    if prefix & RESERVED != 0 || (prefix >> 1) & 0x0f != PACKET_OF_DATA {
        return None;
    }
    let octet = |place: usize| match place {
        PREFIX_PLACE => Some(moved),
        place => datagram.get(place).copied(),
    };
    let u16_at = |place: usize| Some(u16::from_le_bytes([octet(place)?, octet(place + 1)?]));
    let flags = u16_at(1)?;
    if flags & DATA_3 == 0 {
        return None;
    }
    let mut place = 3;
    if flags & ACK_3 != 0 {
        place += 7 + usize::from(octet(place + 6)? & 0x0f);
    }
    if flags & OVERHEAD_3 != 0 {
        place += 1;
    }
    if flags & DELAY_ACK_3 != 0 {
        place += 3;
    }
    if flags & ACK_OF_ACKS_3 != 0 {
        place += 2;
    }
    place += 2; // the number of the packet
    if flags & ACK_VECTOR_3 != 0 {
        let size = octet(place + 2)?;
        place += 3 + usize::from(size & 0x7f) + if size & 0x80 != 0 { 4 } else { 0 };
    }
    let number = u32::from(u16_at(place)?);
    let start = place + 2;
    let octets = datagram.get(start..)?;
    let octets = match PREFIX_PLACE.checked_sub(start) {
        // The shortest header leaves the octet that was moved to the payload.
        Some(inside) if inside < octets.len() => {
            let mut octets = octets.to_vec();
            if let Some(octet) = octets.get_mut(inside) {
                *octet = moved;
            }
            octets.into()
        }
        _ => octets.into(),
    };
    Some(Data { number, octets })
}

/// Flags (MS-RDPEUDP 2.2.2.1).
const SYN: u16 = 0x0001;
const ACK: u16 = 0x0004;
const DATA: u16 = 0x0008;
const FEC: u16 = 0x0010;
const ACK_OF_ACKS: u16 = 0x0100;
const SYN_LOSSY: u16 = 0x0200;
const CORRELATION_ID: u16 = 0x0800;
const SYN_EX: u16 = 0x1000;
/// Flag of the version (2.2.2.9).
const VERSION_VALID: u16 = 0x0001;
/// What a SYN acknowledges (3.1.5.1.1).
const NOTHING: u32 = u32::MAX;
/// The range of both MTUs (3.1.5.1.1).
const MTU: std::ops::RangeInclusive<u16> = 1132..=1232;
/// A SYN is filled up to the MTU; no datagram is longer.
const MAX_DATAGRAM: usize = 1232;

/// Flags of version 3 (MS-RDPEUDP2 2.2.1.1).
const ACK_3: u16 = 0x0001;
const DATA_3: u16 = 0x0004;
const ACK_VECTOR_3: u16 = 0x0008;
const ACK_OF_ACKS_3: u16 = 0x0010;
const OVERHEAD_3: u16 = 0x0040;
const DELAY_ACK_3: u16 = 0x0100;
const PREFIX_PLACE: usize = 7;
const RESERVED: u8 = 0x01;
const PACKET_OF_DATA: u8 = 0;

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A SYN of version 3, or another one without hash.
    pub(crate) fn sample_syn(version: u16) -> Vec<u8> {
        let mut octets = vec![
            0xff, 0xff, 0xff, 0xff, // acknowledges nothing
            0x00, 0x40, // window
            0x18, 0x01, // SYN, CORRELATION_ID, SYNEX
            0x01, 0x02, 0x03, 0x04, // initial number
            0x04, 0xd0, 0x04, 0xd0, // MTUs: 1232
        ];
        octets.extend([0xc0; 16]); // correlation id
        octets.extend([0; 16]); // reserved
        octets.extend([0, 1]); // the version is valid
        octets.extend(version.to_be_bytes());
        if version == 0x0101 {
            octets.extend([0x5a; 32]); // hash of the cookie
        }
        octets.resize(1232, 0);
        octets
    }

    #[test]
    fn reads_the_syn_of_each_version() {
        for (number, name) in [(1, "1"), (2, "2"), (3, "0x0003"), (0x0101, "3")] {
            let syn = syn(&sample_syn(number)).unwrap();
            assert!(!syn.answers && syn.correlated && !syn.lossy);
            assert_eq!(syn.initial, 0x0102_0304);
            assert_eq!(syn.version.unwrap().to_string(), name);
        }
    }

    #[test]
    fn reads_an_answer_that_is_not_padded() {
        let octets = [
            0x01, 0x02, 0x03, 0x04, // acknowledges the SYN
            0x00, 0x40, // window
            0x02, 0x05, // SYN, ACK, SYNLOSSY
            0x0a, 0x0b, 0x0c, 0x0d, // initial number
            0x04, 0xd0, 0x04, 0x6c, // MTUs: 1232 and 1132
        ];
        let syn = syn(&octets).unwrap();
        assert!(syn.answers && syn.lossy && !syn.correlated);
        assert_eq!(syn.version, None);
        assert_eq!(syn.mtu, [1232, 1132]);
    }

    #[test]
    fn takes_nothing_else_for_a_syn() {
        for (place, value, what) in [
            (0, 0, "acknowledges something"),
            (6, 0x38, "an unknown flag"),
            (7, 0x00, "no SYN"),
            (7, 0x09, "a SYN with data"),
            (12, 0x05, "a large MTU"),
            (15, 0x10, "a small MTU"),
            (1000, 1, "no zeros"),
        ] {
            let mut octets = sample_syn(2);
            octets[place] = value;
            assert_eq!(syn(&octets), None, "{what}");
        }
        assert_eq!(syn(&sample_syn(2)[..40]), None);
        let mut long = sample_syn(2);
        long.push(0);
        assert_eq!(syn(&long), None);
    }

    #[test]
    fn finds_what_a_packet_carries() {
        let octets = [
            0x0a, 0x0b, 0x0c, 0x0d, // acknowledges
            0x00, 0x40, // window
            0x00, 0x0c, // ACK, DATA
            0x00, 0x01, 0x02, 0x00, // acknowledgement vector of one octet, padding
            0x01, 0x02, 0x03, 0x05, // number among coded packets
            0x01, 0x02, 0x03, 0x05, // number among packets with data
            22, 3, 1,
        ];
        let data = Data {
            number: 0x0102_0305,
            octets: (&[22, 3, 1][..]).into(),
        };
        assert_eq!(packet(&octets), Some(data));
        let mut acknowledgement = octets;
        acknowledgement[7] = 0x04;
        assert_eq!(packet(&acknowledgement), None);
    }

    #[test]
    fn finds_what_a_packet_of_version_3_carries() {
        let mut octets = [
            0x00, // prefix: data
            0x05, 0xa0, // flags ACK and DATA; window
            0x01, 0x00, 7, 7, 7, 0, 0x02, 9, 9, // acknowledgement with two delayed ones
            0x11, 0x00, // number of the packet
            0x33, 0x44, // number among those with data
            22, 3, 3,
        ];
        octets.swap(0, 7);
        let data = Data {
            number: 0x4433,
            octets: (&[22, 3, 3][..]).into(),
        };
        assert_eq!(packet_of_version_3(&octets), Some(data.clone()));
        octets[7] = 0x10; // a dummy
        assert_eq!(packet_of_version_3(&octets), None);
        // Without an acknowledgement the payload begins where the prefix is.
        let mut octets = [0x00, 0x04, 0xa0, 0x11, 0x00, 0x33, 0x44, 22, 3, 3];
        octets.swap(0, 7);
        assert_eq!(packet_of_version_3(&octets), Some(data));
    }

    proptest! {
        #[test]
        fn never_panics_on_random_datagrams(datagram in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = syn(&datagram);
            for data in [packet(&datagram), packet_of_version_3(&datagram)].into_iter().flatten() {
                prop_assert!(data.octets.len() < datagram.len());
            }
        }
    }
}
