//! One message of IKE; the head of an ESP packet.

use crate::Reader;

/// The header of a message, and the vendors that its clear payloads name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Chosen by the initiator of the first exchange, never 0.
    pub initiator: u64,
    /// Chosen by the responder; 0 in the very first message.
    pub responder: u64,
    /// Major version: 1 or 2.
    pub version: u8,
    /// What is being done.
    pub exchange: Exchange,
    /// Whether the sender is the initiator; version 1 does not say.
    pub by_initiator: Option<bool>,
    /// Vendors' products by their identities, each once, at most [`MAX_VENDORS`].
    pub vendors: Vec<&'static str>,
}

/// A type of exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exchange(pub u8);

impl Exchange {
    /// Version 1: the identities are protected.
    pub const MAIN: Self = Self(2);
    /// Version 1: they are not.
    pub const AGGRESSIVE: Self = Self(4);
    /// Version 2's first.
    pub const SA_INIT: Self = Self(34);

    /// Its name; `None` where it is not known.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "base",
            2 => "main",
            3 => "authentication",
            4 => "aggressive",
            5 => "informational",
            6 => "transaction",
            32 => "quick",
            33 => "new_group",
            34 => "sa_init",
            35 => "auth",
            36 => "create_child_sa",
            37 => "informational",
            38 => "session_resume",
            43 => "intermediate",
            44 => "followup_ke",
            _ => return None,
        })
    }
}

/// Reads a message; `None` when it is no message of IKE. `datagram` has no marker.
#[must_use]
pub fn message(datagram: &[u8]) -> Option<Message> {
    // The version is what most other datagrams have not.
    if !matches!(datagram.get(17), Some(0x10 | 0x20)) {
        return None;
    }
    let mut reader = Reader::new(datagram);
    let initiator = u64_be(&mut reader)?;
    let responder = u64_be(&mut reader)?;
    let next = reader.u8()?;
    let version = reader.u8()?;
    let exchange = Exchange(reader.u8()?);
    let flags = reader.u8()?;
    let id = reader.u32_be()?;
    let length = reader.u32_be()?;
    if initiator == 0 || usize::try_from(length).ok()? != datagram.len() {
        return None;
    }
    // The minor version is 0 in both, and has been for decades.
    let (major, known) = match version {
        0x10 => (1, matches!(exchange.0, 1..=6 | 32 | 33)),
        0x20 => (2, matches!(exchange.0, 34..=38 | 43 | 44)),
        _ => return None,
    };
    let flags_known = if major == 1 { 0b0000_0111 } else { 0b0011_1000 };
    let first = exchange == Exchange::SA_INIT || (major == 1 && exchange.0 < 5);
    if !known || flags & !flags_known != 0 || (first && id != 0) {
        return None;
    }
    let by_initiator = (major == 2).then_some(flags & INITIATOR != 0);
    // Without the responder's identity only the question can be asked.
    if responder == 0 && !first && major == 2 {
        return None;
    }
    let encrypted = major == 1 && flags & ENCRYPTED != 0;
    let vendors = if encrypted {
        Vec::new()
    } else {
        payloads(&mut reader, next, major)?
    };
    Some(Message {
        initiator,
        responder,
        version: major,
        exchange,
        by_initiator,
        vendors,
    })
}

/// Walks the payloads to the end of the message and keeps the vendors'.
fn payloads(reader: &mut Reader<'_>, first: u8, major: u8) -> Option<Vec<&'static str>> {
    let mut vendors = Vec::new();
    let mut kind = first;
    for _ in 0..MAX_PAYLOADS {
        if kind == NONE {
            // Some products fill up to four octets.
            return (reader.left() < 4).then_some(vendors);
        }
        let plausible = if major == 1 {
            matches!(kind, 1..=21 | 128..)
        } else {
            matches!(kind, 33..=54 | 128..)
        };
        if !plausible {
            return None;
        }
        let next = reader.u8()?;
        let critical = reader.u8()?;
        let length = usize::from(reader.u16_be()?).checked_sub(4)?;
        if critical & 0x7f != 0 {
            return None;
        }
        let body = reader.take(length)?;
        if kind == VENDOR_1 && major == 1 || kind == VENDOR_2 && major == 2 {
            let known = super::vendor(body);
            if let Some(name) = known.filter(|name| !vendors.contains(name))
                && vendors.len() < MAX_VENDORS
            {
                vendors.push(name);
            }
        }
        if major == 2 && matches!(kind, ENCRYPTED_2 | FRAGMENT_2) {
            // The last one; its 'next' belongs to what is inside.
            return reader.is_empty().then_some(vendors);
        }
        kind = next;
    }
    None
}

/// The head of an ESP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Esp {
    /// Which security association it belongs to; never 0.
    pub spi: u32,
    /// Counts the packets of the association, from 1.
    pub sequence: u32,
}

/// Reads the head of a datagram that carries ESP; `None` when it cannot be one.
#[must_use]
pub fn esp_in_udp(datagram: &[u8]) -> Option<Esp> {
    // 1 to 255 are reserved (RFC 4303, section 2.1); in a port's place that is worth asking.
    esp(datagram).filter(|head| head.spi > 255 && datagram.len() >= ESP_MIN)
}

/// Reads the head of an ESP packet, which the IP header has named as such; `None` when it cannot be one.
#[must_use]
pub fn esp(octets: &[u8]) -> Option<Esp> {
    let mut reader = Reader::new(octets);
    let (spi, sequence) = (reader.u32_be()?, reader.u32_be()?);
    (spi > 0 && sequence > 0).then_some(Esp { spi, sequence })
}

/// Whether a datagram only keeps a NAT's memory alive (RFC 3948, section 2.3).
#[must_use]
pub fn is_keepalive(datagram: &[u8]) -> bool {
    datagram == [0xff]
}

fn u64_be(reader: &mut Reader<'_>) -> Option<u64> {
    reader.take_array().map(u64::from_be_bytes)
}

/// Stands before IKE where ESP may come in its place.
pub const MARKER: &[u8] = &[0; 4];

const NONE: u8 = 0;
const VENDOR_1: u8 = 13;
const VENDOR_2: u8 = 43;
const ENCRYPTED_2: u8 = 46;
const FRAGMENT_2: u8 = 53;
const ENCRYPTED: u8 = 0b001;
const INITIATOR: u8 = 0b0000_1000;
/// Head, an initialisation vector or none, padding, the check value: the NULL cipher has the least.
const ESP_MIN: usize = 8 + 4 + 12;
/// The richest messages have about thirty, most of them vendors'.
pub const MAX_PAYLOADS: usize = 64;
/// Names that are kept.
pub const MAX_VENDORS: usize = 8;

#[cfg(test)]
pub(crate) mod samples {
    pub(crate) const STRONGSWAN: [u8; 16] = [
        0x88, 0x2f, 0xe5, 0x6d, 0x6f, 0xd2, 0x0d, 0xbc, 0x22, 0x51, 0x61, 0x3b, 0x2e, 0xbe, 0x5b,
        0xeb,
    ];

    /// Version 1, main mode: an SA of four octets and a vendor's identity.
    pub(crate) fn main_mode(responder: u64) -> Vec<u8> {
        [
            &0x1122_3344_5566_7788_u64.to_be_bytes()[..], // initiator
            &responder.to_be_bytes(),                     // responder
            &[1, 0x10, 2, 0],                             // SA, version, main, flags
            &[0, 0, 0, 0],                                // message
            &[0, 0, 0, 28 + 8 + 20],                      // length
            &[13, 0, 0, 8, 1, 2, 3, 4],                   // SA
            &[0, 0, 0, 20],                               // vendor
            &STRONGSWAN,
        ]
        .concat()
    }

    /// Version 2: SA_INIT.
    pub(crate) fn sa_init(responder: u64, flags: u8) -> Vec<u8> {
        [
            &0x1122_3344_5566_7788_u64.to_be_bytes()[..],
            &responder.to_be_bytes(),
            &[33, 0x20, 34, flags], // SA, version, SA_INIT
            &[0, 0, 0, 0],          // message
            &[0, 0, 0, 28 + 8 + 8], // length
            &[40, 0, 0, 8, 1, 2, 3, 4],
            &[0, 0, 0, 8, 9, 9, 9, 9], // nonce
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn main_mode_names_its_vendor() {
        let found = message(&samples::main_mode(0)).unwrap();
        assert_eq!(found.version, 1);
        assert_eq!(found.exchange.name(), Some("main"));
        assert_eq!(found.vendors, ["strongSwan"]);
        assert_eq!(found.responder, 0);
    }

    #[test]
    fn version_2_says_who_speaks() {
        let ask = message(&samples::sa_init(0, 0x08)).unwrap();
        assert_eq!(ask.by_initiator, Some(true));
        let answer = message(&samples::sa_init(5, 0x20)).unwrap();
        assert_eq!(answer.by_initiator, Some(false));
    }

    #[test]
    fn a_message_is_whole_or_nothing() {
        for octets in [samples::main_mode(0), samples::sa_init(0, 8)] {
            for cut in 0..octets.len() {
                assert_eq!(message(&octets[..cut]), None, "{cut}");
            }
        }
    }

    #[test]
    fn a_chain_of_payloads_that_does_not_end_is_refused() {
        let mut long = samples::main_mode(0);
        long[31] = 9; // the SA's length
        assert_eq!(message(&long), None);
        let mut empty = samples::main_mode(0);
        empty[30..32].copy_from_slice(&[0, 3]); // shorter than its head
        assert_eq!(message(&empty), None);
        let mut reserved = samples::main_mode(0);
        reserved[29] = 1;
        assert_eq!(message(&reserved), None);
    }

    #[test]
    fn esp_has_an_index_and_a_sequence() {
        let mut packet = vec![0xc1, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x07];
        packet.resize(60, 0);
        assert_eq!(
            esp(&packet),
            Some(Esp {
                spi: 0xc100_0005,
                sequence: 7
            })
        );
        assert_eq!(esp(&[0; 60]), None);
        assert_eq!(esp_in_udp(&packet), esp(&packet));
        assert_eq!(esp_in_udp(&packet[..20]), None);
        assert!(is_keepalive(&[0xff]));
    }
}
