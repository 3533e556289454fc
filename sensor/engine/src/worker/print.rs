//! Prints of packets, by which one that a span shows twice is known: with another VLAN tag, another time to live, or in an
//! encapsulation too, as they are taken of the innermost packet.

use terrier_wire::decap::Plain;
use terrier_wire::transport::Flags;

use crate::flow::fold;

/// A print of what a switch does not change when it copies a frame: a retransmission has another identification. Packets of
/// one flow have their ports in common; where those of several are told apart `ports` says which they have.
#[inline]
pub(super) fn print_of(plain: &Plain, payload: &[u8], ports: u32) -> u32 {
    // Without an identification an empty segment may well be sent twice, unless it opens a connection.
    if payload.is_empty() && plain.identification == 0 && !plain.flags.has(Flags::SYN) {
        return NO_PRINT;
    }
    let ends = payload.first_chunk::<8>().zip(payload.last_chunk());
    let (head, tail) = ends.map_or((0, 0), |(head, tail)| {
        (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
    });
    let signs =
        (u64::from(plain.seq) << 32) | u64::from(plain.ack ^ (u32::from(plain.flags.0) << 24));
    let lengths = (u64::from(plain.identification) << 32) | payload.len() as u64;
    let [a, b, c, d] = FACTORS;
    let hash = fold(signs ^ a, lengths ^ b) ^ fold(head ^ c ^ u64::from(ports), tail ^ d);
    let hash = hash ^ (hash >> 32);
    (hash as u32).max(NO_PRINT + 1)
}

/// Fractions of square roots, of 2, 3, 5 and 7: each word by its own one, as sequence number and identification grow together
/// and would cancel out.
const FACTORS: [u64; 4] = [
    0x6a09_e667_f3bc_c909,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
];
/// No packet has this print.
pub(super) const NO_PRINT: u32 = 0;
/// A span shows a frame twice at once; TCP repeats a segment after 200 ms at the earliest.
pub(super) const DUPLICATE_NS: i64 = 100_000_000;
