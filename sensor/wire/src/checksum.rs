//! The checksum of TCP and UDP: whether a packet was captured before the network card wrote it.
//!
//! *In*: the addresses, protocol and payload of an IP packet that is whole. *Out*: whether the checksum is right. *By*: RFC
//! 1071 (the sum), RFC 9293 section 3.1 and RFC 768 (the pseudo header), RFC 8200 section 8.1 (that of IPv6).
//!
//! Nothing is refused for a wrong checksum: offload makes them wrong on every capture taken at a sender.

use std::net::IpAddr;

use crate::Reader;
use crate::net::Protocol;

/// What the checksum of a segment or datagram says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// It fits.
    Right,
    /// It does not.
    Wrong,
    /// There is none: UDP over IPv4 may leave it out, other protocols are not looked at.
    Absent,
}

/// Checks a whole TCP segment or UDP datagram.
#[must_use]
pub fn checksum(
    source: IpAddr,
    destination: IpAddr,
    protocol: Protocol,
    payload: &[u8],
) -> Checksum {
    let at = match protocol {
        Protocol::TCP => 16,
        Protocol::UDP => 6,
        _ => return Checksum::Absent,
    };
    let mut head = Reader::new(payload);
    let Some(written) = head.take(at).and_then(|_| head.u16_be()) else {
        return Checksum::Absent;
    };
    if protocol == Protocol::UDP && written == 0 {
        return Checksum::Absent;
    }
    let mut sum = u64::from(protocol.0) + payload.len() as u64;
    for address in [source, destination] {
        match address {
            IpAddr::V4(v4) => add(&mut sum, &v4.octets()),
            IpAddr::V6(v6) => add(&mut sum, &v6.octets()),
        }
    }
    add(&mut sum, payload);
    if is_right(sum) {
        Checksum::Right
    } else {
        Checksum::Wrong
    }
}

/// Whether the header of an IPv4 packet has the right checksum (RFC 791, 3.1).
pub(crate) fn of_header(header: &[u8]) -> bool {
    let mut sum = 0;
    add(&mut sum, header);
    is_right(sum)
}

fn is_right(mut sum: u64) -> bool {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum == 0xffff
}

fn add(sum: &mut u64, octets: &[u8]) {
    let (pairs, rest) = octets.as_chunks::<2>();
    for pair in pairs {
        *sum += u64::from(u16::from_be_bytes(*pair));
    }
    if let [last] = rest {
        *sum += u64::from(*last) << 8;
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::decap;

    fn checked(frame: &[u8]) -> Checksum {
        let ip = decap::frame(1, frame).unwrap().ip;
        checksum(ip.source.ip(), ip.destination.ip(), ip.protocol, ip.payload)
    }

    proptest! {
        #[test]
        fn agrees_with_what_etherparse_writes(
            six: bool, tcp: bool, payload in prop::collection::vec(any::<u8>(), 0..64), at in 0usize..64, flip in 1u8..,
        ) {
            let builder = PacketBuilder::ethernet2([2; 6], [2; 6]);
            let builder = if six {
                builder.ipv6([0xfd; 16], [0xfe; 16], 64)
            } else {
                builder.ipv4([10, 0, 0, 1], [192, 0, 2, 1], 64)
            };
            let mut frame = Vec::new();
            if tcp {
                builder.tcp(1, 2, 3, 4).write(&mut frame, &payload).unwrap();
            } else {
                builder.udp(1, 2).write(&mut frame, &payload).unwrap();
            }
            prop_assert_eq!(checked(&frame), Checksum::Right);
            if let Some(place) = payload.len().checked_sub(1).map(|last| frame.len() - payload.len() + at % (last + 1)) {
                frame[place] ^= flip;
                prop_assert_eq!(checked(&frame), Checksum::Wrong);
            }
        }

        #[test]
        fn no_octets_make_it_panic(protocol: u8, payload in prop::collection::vec(any::<u8>(), 0..40)) {
            let here = IpAddr::from([10, 0, 0, 1]);
            let _ = checksum(here, here, Protocol(protocol), &payload);
        }
    }
}
