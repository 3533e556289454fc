//! Frames of Initial packets (RFC 9000, section 12.4), and Google's.

use super::message::varint;
use crate::Reader;

/// A piece of the handshake's octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crypto<'a> {
    /// Where in the handshake it belongs.
    pub offset: u64,
    /// Its octets.
    pub octets: &'a [u8],
}

/// Whether all of a packet is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// It is.
    Whole,
    /// The capture cut its end off.
    Cut,
}

/// The CRYPTO frames of an Initial packet, in the order of the packet; of a packet that was cut also what there is of
/// the last one. Frames that may stand between are passed over (PADDING, PING, ACK); at anything else the packet is
/// left.
pub fn crypto_frames(payload: &[u8], extent: Extent) -> impl Iterator<Item = Crypto<'_>> {
    let mut reader = Reader::new(payload);
    std::iter::from_fn(move || {
        loop {
            match varint(&mut reader)? {
                PADDING => skip_padding(&mut reader),
                PING => {}
                kind @ (ACK | ACK_ECN) => ack(&mut reader, kind == ACK_ECN)?,
                CRYPTO => return crypto(&mut reader, extent),
                _ => return None,
            }
        }
    })
}

/// Whether a payload that nothing vouches for is the start of a client's hello: a frame with the head of one, of which
/// forty bits are always the same.
pub(super) fn begins_hello(payload: &[u8]) -> bool {
    crypto_frames(payload, Extent::Cut)
        .any(|frame| frame.offset == 0 && matches!(frame.octets, [1, 0, _, _, 3, 3, ..]))
}

/// Most of a client's first packet is padding: a frame for each octet.
fn skip_padding(reader: &mut Reader<'_>) {
    let rest = reader.rest();
    let padding = rest.iter().position(|&octet| octet != 0);
    reader.take(padding.unwrap_or(rest.len()));
}

/// Passes over an ACK frame (RFC 9000, section 19.3).
fn ack(reader: &mut Reader<'_>, with_counts: bool) -> Option<()> {
    let _largest = varint(reader)?;
    let _delay = varint(reader)?;
    let ranges = varint(reader)?;
    let _first = varint(reader)?;
    // Each range takes octets, so that the packet's end bounds the loop.
    for _ in 0..ranges {
        let _gap = varint(reader)?;
        let _length = varint(reader)?;
    }
    if with_counts {
        for _ in 0..3 {
            varint(reader)?;
        }
    }
    Some(())
}

fn crypto<'a>(reader: &mut Reader<'a>, extent: Extent) -> Option<Crypto<'a>> {
    let offset = varint(reader)?;
    let length = usize::try_from(varint(reader)?).ok()?;
    let length = match extent {
        Extent::Whole => length,
        Extent::Cut => length.min(reader.left()),
    };
    let octets = reader.take(length)?;
    Some(Crypto { offset, octets })
}

/// The handshake's octets in a packet with Google's frames: CRYPTO from version 50 on, before that stream 1. A walk
/// through those of Q024 to T051 that a client sends with its hello.
pub fn google_frames(payload: &[u8], version: u8) -> impl Iterator<Item = Crypto<'_>> {
    let mut reader = Reader::new(payload);
    std::iter::from_fn(move || {
        loop {
            let kind = reader.u8()?;
            match kind {
                0x80.. => {
                    let (id, crypto) = stream(&mut reader, kind, version)?;
                    if id == HANDSHAKE_STREAM {
                        return Some(crypto);
                    }
                }
                0x40..=0x7f => google_ack(&mut reader, kind)?,
                GOOGLE_PADDING => skip_padding(&mut reader),
                GOOGLE_PING => {}
                GOOGLE_CRYPTO => return crypto(&mut reader, Extent::Whole),
                _ => return None,
            }
        }
    })
}

/// A STREAM frame, `1fdoooss`: whether it has a length, and the sizes of its offset and id.
fn stream<'a>(reader: &mut Reader<'a>, kind: u8, version: u8) -> Option<(u64, Crypto<'a>)> {
    // Numbers are in network order from Q039 on.
    let number = |reader: &mut Reader<'a>, size: usize| {
        let octets = reader.take(size)?;
        let join = |value, &octet: &u8| value << 8 | u64::from(octet);
        Some(if version < 39 {
            octets.iter().rev().fold(0, join)
        } else {
            octets.iter().fold(0, join)
        })
    };
    let id = number(reader, usize::from(kind & 3) + 1)?;
    let offset = match usize::from(kind >> 2 & 7) {
        0 => 0,
        size => number(reader, size + 1)?,
    };
    let length = if kind & 0x20 == 0 {
        reader.left()
    } else {
        usize::try_from(number(reader, 2)?).ok()?
    };
    let octets = reader.take(length)?;
    Some((id, Crypto { offset, octets }))
}

/// Passes over an ACK frame, `01nullmm`: whether it has blocks, and the sizes of its largest number and its blocks.
fn google_ack(reader: &mut Reader<'_>, kind: u8) -> Option<()> {
    let size = |bits: u8| [1, 2, 4, 6].get(usize::from(bits & 3)).copied();
    let (largest, block) = (size(kind >> 2)?, size(kind)?);
    reader.take(largest + 2)?; // and the delay
    let blocks = if kind & 0x20 == 0 { 0 } else { reader.u8()? };
    reader.take(block)?;
    reader.take(usize::from(blocks) * (1 + block))?;
    match usize::from(reader.u8()?) {
        0 => {}
        times => {
            reader.take(1 + 4 + (times - 1) * (1 + 2))?;
        }
    }
    Some(())
}

const PADDING: u64 = 0;
const PING: u64 = 1;
const ACK: u64 = 2;
const ACK_ECN: u64 = 3;
const CRYPTO: u64 = 6;

const GOOGLE_PADDING: u8 = 0;
const GOOGLE_PING: u8 = 7;
const GOOGLE_CRYPTO: u8 = 8;
/// Where the handshake goes in the versions without CRYPTO frames.
const HANDSHAKE_STREAM: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(payload: &[u8]) -> Vec<(u64, &[u8])> {
        crypto_frames(payload, Extent::Whole)
            .map(|frame| (frame.offset, frame.octets))
            .collect()
    }

    #[test]
    fn finds_crypto_between_the_other_frames() {
        let payload = [
            &[0, 0, 1][..],                  // PADDING, PADDING, PING
            &[6, 0x40, 0x50, 2, b'c', b'd'], // CRYPTO at 80
            &[2, 9, 0, 1, 3, 0, 0],          // ACK with a range
            &[6, 0, 2, b'a', b'b'],          // CRYPTO at 0
            &[3, 9, 0, 0, 3, 1, 2, 3],       // ACK with counts
            &[0x40, 0x06, 1, 1, b'x'],       // CRYPTO, its type in two octets
            &[0; 9],
        ]
        .concat();
        assert_eq!(read(&payload), [(80, &b"cd"[..]), (0, b"ab"), (1, b"x")]);
    }

    #[test]
    fn stops_at_a_frame_that_is_not_allowed_or_cut() {
        assert_eq!(
            read(&[6, 0, 1, b'a', 0x1e, 6, 1, 1, b'b']),
            [(0, &b"a"[..])]
        );
        assert_eq!(read(&[6, 0, 9, b'a']), []);
        assert_eq!(
            read(&[2, 9, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]),
            []
        );
    }

    #[test]
    fn reads_what_there_is_of_a_frame_that_was_cut() {
        let payload = [1, 6, 0, 0x41, 0, 1, 0, 0, 0xfc, 3, 3, 0x52];
        let frames: Vec<_> = crypto_frames(&payload, Extent::Cut).collect();
        let octets = &payload[5..];
        assert_eq!(frames, [Crypto { offset: 0, octets }]);
        assert!(begins_hello(&payload));
        assert!(!begins_hello(&payload[..10]) && !begins_hello(&[6, 0, 5, 1, 0, 0, 9, 3, 1]));
        assert_eq!(crypto_frames(&payload, Extent::Whole).count(), 0);
    }

    #[test]
    fn finds_the_handshake_in_googles_frames() {
        let ack = [
            &[0x60, 5][..],               // ACK with blocks, largest
            &[0, 0, 1],                   // delay, blocks
            &[5, 1, 2],                   // first block; gap and block
            &[2, 1, 0, 0, 0, 0, 1, 0, 0], // two times
        ]
        .concat();
        let payload = [&ack[..], &[7, 0xa0, 1, 0, 4], b"CHLO", &[0; 20]].concat();
        let found: Vec<_> = google_frames(&payload, 43).collect();
        assert_eq!(
            found[0],
            Crypto {
                offset: 0,
                octets: b"CHLO"
            }
        );
        assert_eq!(found.len(), 1);
        // Q035: the length in the other order, an offset of two octets.
        let payload = [&[0xa4, 1, 0, 1, 2, 0][..], b"xy"].concat();
        let found: Vec<_> = google_frames(&payload, 35).collect();
        assert_eq!(
            found,
            [Crypto {
                offset: 0x0100,
                octets: b"xy"
            }]
        );
        // Q050
        let payload = [&[8, 0, 2][..], b"xy", &[0; 9]].concat();
        let found: Vec<_> = google_frames(&payload, 50).collect();
        assert_eq!(
            found,
            [Crypto {
                offset: 0,
                octets: b"xy"
            }]
        );
    }
}
