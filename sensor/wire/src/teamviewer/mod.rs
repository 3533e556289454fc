//! TeamViewer in clear: the frames of its own protocol, over TCP and UDP.
//!
//! *In*: what one side of a TCP flow sent first, or one datagram. *Out*: [`Generation`], which form of frame it is. *By*:
//! observation of public captures; no document of the vendor describes it. Two forms are met:
//!
//! | octets | field, first form |
//! |---|---|
//! | 2 | `17 24` |
//! | 1 | command; a connection opens with `0a` |
//! | 2 | length of what follows, least significant octet first; 32 behind `0a` |
//!
//! | octets | field, second form |
//! |---|---|
//! | 2 | `11 30` |
//! | 2 | command, `00` |
//! | 4 | length of what follows the head, least significant octet first |
//! | 4, 4, 4 | number of the frame, number that is acknowledged, flags |
//! | 4 | length of the head: 24 |
//!
//! Over UDP a frame of the first form stands behind 11 octets, of which the first is 0 at the start. *Left out*: what the
//! frames hold (it is encrypted), and TeamViewer inside TLS. *Fails* never: a refusal is no TeamViewer.

use crate::{Reader, Step};

/// Which form of frame a side sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// `17 24`: how every connection begins.
    First,
    /// `11 30`: what both sides go on with; the first thing in a capture that begins in mid-flow.
    Second,
}

/// Decodes the first frame of a side of a TCP flow.
///
/// The opening command leaves no doubt by itself; another frame of the first form must be followed by a second one, for
/// two octets and a length say too little.
#[must_use]
pub fn opening(input: &[u8]) -> Step<Generation> {
    match input {
        [] => Step::NeedMore(2),
        [0x17] | [0x11] => Step::NeedMore(1),
        [0x17, 0x24, ..] => first(input),
        [0x11, 0x30, ..] => second(input),
        _ => Step::NotThisProtocol(NO_FRAME),
    }
}

fn first(input: &[u8]) -> Step<Generation> {
    let mut reader = Reader::new(input);
    let head = (reader.take_array::<2>(), reader.u8(), reader.u16_le());
    let (Some(_), Some(command), Some(length)) = head else {
        return Step::NeedMore(FIRST_HEAD.saturating_sub(input.len()));
    };
    let whole = FIRST_HEAD + usize::from(length);
    if command == OPEN {
        return if length == OPEN_LENGTH {
            Step::Done(Generation::First, whole.min(input.len()))
        } else {
            Step::NotThisProtocol("an opening frame of another length")
        };
    }
    if whole > MAX_FIRST {
        return Step::NotThisProtocol("a first frame that is too long");
    }
    match input.get(whole..) {
        Some([0x17, 0x24, ..] | [0x11, 0x30, ..]) => Step::Done(Generation::First, whole),
        Some([] | [0x17] | [0x11]) | None => Step::NeedMore(whole + 2 - input.len()),
        Some(_) => Step::NotThisProtocol("no second frame"),
    }
}

fn second(input: &[u8]) -> Step<Generation> {
    let fits = |(place, octet): (usize, &u8)| match place {
        // Behind the command; the upper octet of the length; the length of the head.
        3 | 7 | 21 | 22 | 23 => *octet == 0,
        20 => usize::from(*octet) == SECOND_HEAD,
        _ => true,
    };
    if !input.iter().take(SECOND_HEAD).enumerate().all(fits) {
        Step::NotThisProtocol("no head of the second form")
    } else if input.len() < SECOND_HEAD {
        Step::NeedMore(SECOND_HEAD - input.len())
    } else {
        Step::Done(Generation::Second, SECOND_HEAD)
    }
}

/// Whether a datagram has the marks of TeamViewer. They are few: one datagram proves nothing.
#[must_use]
pub fn is_datagram(input: &[u8]) -> bool {
    let mut reader = Reader::new(input);
    if reader.u8() != Some(0) || reader.take(10).is_none() {
        return false;
    }
    if reader.take_array() != Some([0x17, 0x24]) || reader.u8().is_none() {
        return false;
    }
    reader
        .u16_le()
        .is_some_and(|length| usize::from(length) <= reader.left())
}

/// Opens a connection.
const OPEN: u8 = 0x0a;
/// What follows it, in all versions that were captured.
const OPEN_LENGTH: u16 = 32;
const FIRST_HEAD: usize = 5;
const SECOND_HEAD: usize = 24;
/// A probe need not wait for more: the frames of a handshake have some hundred octets.
const MAX_FIRST: usize = 4096;
const NO_FRAME: &str = "no frame of TeamViewer";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::assert_same_however_cut;

    fn open() -> Vec<u8> {
        let mut octets = vec![0x17, 0x24]; // magic
        octets.push(0x0a); // command
        octets.extend([0x20, 0x00]); // length
        octets.extend([0x00, 0x51, 0x52, 0x00]);
        octets.extend([0x88, 0x13, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00]);
        octets.extend([0; 20]);
        octets
    }

    #[test]
    fn the_opening_frame_is_enough() {
        assert_eq!(opening(&open()), Step::Done(Generation::First, 37));
        assert_eq!(opening(&open()[..5]), Step::Done(Generation::First, 5));
        let mut other = open();
        other[3] = 0x21;
        assert!(matches!(opening(&other), Step::NotThisProtocol(_)));
    }

    #[test]
    fn another_first_frame_needs_a_second_one() {
        let frame = [
            0x17, 0x24, // magic
            0x28, // command
            0x03, 0x00, // length
            1, 2, 3,
        ];
        assert_eq!(opening(&frame), Step::NeedMore(2));
        let two = [&frame[..], &[0x17, 0x24, 0x3c]].concat();
        assert_eq!(opening(&two), Step::Done(Generation::First, 8));
        assert_same_however_cut(opening, &two);
        let other = [&frame[..], &[0x17, 0x03, 0x03]].concat();
        assert_same_however_cut(opening, &other);
        assert!(matches!(opening(&other), Step::NotThisProtocol(_)));
    }

    #[test]
    fn the_second_form_is_told_by_its_head() {
        let frame = [
            0x11, 0x30, // magic
            0x36, 0x00, // command
            0x18, 0x00, 0x00, 0x00, // length
            0x01, 0x00, 0x00, 0x00, // number
            0x00, 0x00, 0x00, 0x00, // acknowledged
            0x1b, 0x00, 0x00, 0x00, // flags
            0x18, 0x00, 0x00, 0x00, // length of the head
            0x8c,
        ];
        assert_eq!(opening(&frame), Step::Done(Generation::Second, 24));
        assert_same_however_cut(opening, &frame);
        let mut other = frame;
        other[20] = 0x19;
        assert_same_however_cut(opening, &other);
        assert!(matches!(opening(&other), Step::NotThisProtocol(_)));
    }

    #[test]
    fn tls_and_text_are_refused_at_once() {
        for input in [&b"\x17\x03\x03\x00\x20"[..], b"GET / HTTP/1.1", b"\x16\x03"] {
            assert!(matches!(opening(input), Step::NotThisProtocol(_)));
        }
    }

    #[test]
    fn a_datagram_carries_a_frame_behind_eleven_octets() {
        let mut datagram = vec![0x00];
        datagram.extend([7; 10]);
        datagram.extend([0x17, 0x24, 0x2b, 0x04, 0x00, 1, 2, 3, 4]);
        assert!(is_datagram(&datagram));
        datagram.pop();
        assert!(!is_datagram(&datagram), "longer than the datagram");
        assert!(!is_datagram(&datagram[..12]));
        datagram[0] = 1;
        assert!(!is_datagram(&datagram));
    }
}
