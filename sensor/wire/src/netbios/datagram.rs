//! The datagram service (RFC 1002, section 4.4).

use std::net::Ipv4Addr;

use super::{Name, name};
use crate::{Reader, Step};

/// The head of a datagram: who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram {
    /// The sender's name.
    pub source: Name,
    /// The sender's address, as it says itself.
    pub address: Ipv4Addr,
    /// To which name.
    pub destination: Name,
}

/// Reads a datagram: direct unique, direct group or broadcast.
#[must_use]
pub fn datagram(input: &[u8]) -> Step<Datagram> {
    read(input).map_or(Step::NotThisProtocol("no NetBIOS datagram"), |datagram| {
        Step::Done(datagram, input.len())
    })
}

fn read(input: &[u8]) -> Option<Datagram> {
    let mut reader = Reader::new(input);
    if !matches!(reader.u8()?, 0x10..=0x12) {
        return None;
    }
    reader.take(3)?; // flags, identity
    let address = Ipv4Addr::from(reader.take_array::<4>()?);
    if reader.u16_be()? != PORT {
        return None;
    }
    reader.take(4)?; // length, offset
    Some(Datagram {
        source: name(&mut reader)?,
        address,
        destination: name(&mut reader)?,
    })
}

/// Both ends of the service use it.
const PORT: u16 = 138;

#[cfg(test)]
mod tests {
    use super::super::name::tests::encoded;
    use super::*;

    #[test]
    fn reads_the_sender_of_an_announcement() {
        let mut octets = vec![
            0x11, 0x0a, 0x7b, 0x21, // direct group, B node, identity
            10, 0, 0, 7, 0, 138, // address and port of the sender
            0, 200, 0, 0, // length, offset
        ];
        octets.extend(encoded("WS01", 0x20));
        octets.extend(encoded("CORP", 0x1d));
        octets.extend(b"\xffSMB");
        let Step::Done(read, used) = datagram(&octets) else {
            panic!("not read");
        };
        assert_eq!(used, octets.len());
        assert_eq!(read.source.as_host(), Some("WS01"));
        assert_eq!(read.address, Ipv4Addr::new(10, 0, 0, 7));
        assert_eq!(read.destination.to_string(), "CORP");
        for cut in 0..octets.len() - 4 {
            assert!(matches!(datagram(&octets[..cut]), Step::NotThisProtocol(_)));
        }
    }
}
