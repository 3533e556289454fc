//! Prints of packets, by which one that a span shows twice is known: with another VLAN tag, another time to live, or in an
//! encapsulation too, as they are taken of the innermost packet.

use terrier_wire::decap::Transport as Header;
use terrier_wire::net::Ip;

/// A print of what a switch does not change when it copies a frame: a retransmission has another identification.
#[inline]
pub(super) fn print_of(ip: &Ip<'_>, header: &Header<'_>) -> u32 {
    let (a, b, payload) = match header {
        Header::Tcp(segment) => (
            segment.seq,
            segment.ack ^ (u32::from(segment.flags.0) << 24),
            segment.payload,
        ),
        Header::Udp(datagram) => (
            u32::from(datagram.source_port),
            u32::from(datagram.destination_port),
            datagram.payload,
        ),
        Header::Other(other) => (
            u32::from(other.source_port),
            u32::from(ip.protocol.0),
            other.payload,
        ),
    };
    // Without an identification an empty segment may well be sent twice.
    if payload.is_empty() && ip.identification == 0 {
        return NO_PRINT;
    }
    let head = payload
        .first_chunk::<8>()
        .map_or(0, |octets| u64::from_le_bytes(*octets));
    let tail = payload
        .last_chunk::<8>()
        .map_or(0, |octets| u64::from_le_bytes(*octets));
    let lengths = (u64::from(ip.identification) << 32) | payload.len() as u64;
    let mut hash = 0_u64;
    // Each word is mixed in by itself: sequence number and identification grow together and would cancel out.
    for word in [(u64::from(a) << 32) | u64::from(b), lengths, head, tail] {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    let hash = hash ^ (hash >> 32);
    (hash as u32).max(NO_PRINT + 1)
}

/// No packet has this print.
pub(super) const NO_PRINT: u32 = 0;
/// A span shows a frame twice at once; TCP repeats a segment after 200 ms at the earliest.
pub(super) const DUPLICATE_NS: i64 = 100_000_000;
