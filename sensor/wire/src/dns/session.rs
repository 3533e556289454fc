//! DNS over TCP: each message behind its length (RFC 1035, section 4.2.2).

use super::message::{Header, Message, message};
use crate::{Reader, Side, Step, Violation};

/// The framing of one TCP connection: several messages in a segment, or one over many. It keeps no octets, so what is left
/// over never exceeds a message.
#[derive(Debug, Clone, Default)]
pub struct Session {
    sides: [Framing; 2],
}

#[derive(Debug, Clone, Copy, Default)]
struct Framing {
    /// The length of the message whose octets come next; `None` before its length.
    awaited: Option<usize>,
    /// How many of its octets were shown and not consumed.
    shown: usize,
    /// Octets to pass over: what a gap has left of a message.
    skip: usize,
    /// A gap has swallowed the start of a message, so no frame can be found again.
    lost: bool,
}

impl Session {
    /// Reads the whole messages at the start of `input`, and a length behind them; returns how many octets they took.
    ///
    /// # Errors
    /// A frame that is too short for a header.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Message<'_>),
    ) -> Result<usize, Violation> {
        let [originator, responder] = &mut self.sides;
        let framing = match from {
            Side::Originator => originator,
            Side::Responder => responder,
        };
        if framing.lost {
            return Ok(input.len());
        }
        let skipped = framing.skip.min(input.len());
        framing.skip -= skipped;
        let mut reader = Reader::new(input);
        reader.take(skipped);
        loop {
            let length = match framing.awaited {
                Some(length) => length,
                None => match reader.u16_be() {
                    Some(length) => usize::from(length),
                    None => break,
                },
            };
            if length < Header::LENGTH {
                return Err(Violation(TOO_SHORT));
            }
            framing.awaited = Some(length);
            let Some(octets) = reader.take(length) else {
                break;
            };
            framing.awaited = None;
            if let Step::Done(message, _) = message(octets) {
                emit(message);
            }
        }
        framing.shown = reader.left();
        Ok(input.len() - reader.left())
    }

    /// `length` octets of one side were lost (0: unknown), and with them those that were shown and not consumed. A gap
    /// within a message costs that message; any other ends the reading of this side. False when neither side can be read
    /// any more.
    pub fn gap(&mut self, from: Side, length: u64) -> bool {
        let [originator, responder] = &mut self.sides;
        let framing = match from {
            Side::Originator => originator,
            Side::Responder => responder,
        };
        let left = match framing.awaited {
            Some(awaited) => awaited.saturating_sub(framing.shown),
            None => framing.skip,
        };
        match usize::try_from(length) {
            Ok(gap) if gap > 0 && gap <= left => {
                *framing = Framing {
                    skip: left - gap,
                    ..Framing::default()
                };
            }
            _ => framing.lost = true,
        }
        self.sides.iter().any(|side| !side.lost)
    }
}

const TOO_SHORT: &str = "DNS frame shorter than a header";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_pieces;

    /// A message of this identity, a header and so many further octets, behind its length.
    fn framed(id: u16, further: usize) -> Vec<u8> {
        let length = u16::try_from(Header::LENGTH + further).unwrap();
        let mut octets = length.to_be_bytes().to_vec();
        octets.extend_from_slice(&id.to_be_bytes());
        octets.resize(2 + Header::LENGTH + further, 0);
        octets
    }

    #[test]
    fn finds_all_messages_in_pieces_of_any_size() {
        let asked = [framed(1, 20), framed(2, 0), framed(3, 300)].concat();
        let answered = [framed(2, 50), framed(3, 0)].concat();
        let conversation = [
            (Side::Originator, asked.as_slice()),
            (Side::Responder, answered.as_slice()),
        ];
        for size in [1, 2, 3, 7, 13, 14, 100, 10_000] {
            let mut session = Session::default();
            let mut found = Vec::new();
            in_pieces(&conversation, size, |side, octets| {
                session
                    .feed(side, octets, |message| {
                        found.push((side, message.header.id, message.octets().len()));
                    })
                    .ok()
            });
            assert_eq!(
                found,
                [
                    (Side::Originator, 1, 32),
                    (Side::Originator, 2, 12),
                    (Side::Originator, 3, 312),
                    (Side::Responder, 2, 62),
                    (Side::Responder, 3, 12),
                ],
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn a_frame_too_short_for_a_header_is_a_violation() {
        let mut session = Session::default();
        let input = [framed(1, 0), b"\x00\x0b".to_vec()].concat();
        let mut found = 0;
        let result = session.feed(Side::Originator, &input, |_| found += 1);
        assert_eq!((result, found), (Err(Violation(TOO_SHORT)), 1));
    }

    #[test]
    fn the_longest_message_leaves_less_than_64_kib_unconsumed() {
        let mut session = Session::default();
        let input = framed(1, usize::from(u16::MAX) - Header::LENGTH);
        let shown = &input[..input.len() - 1];
        assert_eq!(session.feed(Side::Responder, shown, |_| ()), Ok(2));
        let mut length = 0;
        let used = session.feed(Side::Responder, &input[2..], |m| length = m.octets().len());
        assert_eq!((used, length), (Ok(65535), 65535));
    }

    #[test]
    fn goes_on_after_a_gap_within_a_message() {
        let mut session = Session::default();
        let input = [framed(1, 100), framed(2, 0)].concat();
        // 2 octets of length and 20 of the message, then 30 lost, then the rest.
        assert_eq!(session.feed(Side::Responder, &input[..22], |_| ()), Ok(2));
        assert!(session.gap(Side::Responder, 30));
        let mut found = Vec::new();
        let used = session.feed(Side::Responder, &input[52..], |m| found.push(m.header.id));
        assert_eq!((used, found), (Ok(input.len() - 52), vec![2]));
    }

    #[test]
    fn gives_a_side_up_when_a_gap_hides_where_messages_start() {
        let mut session = Session::default();
        assert!(session.gap(Side::Originator, 0));
        assert_eq!(
            session.feed(Side::Originator, b"\x00\x00anything", |_| ()),
            Ok(10)
        );
        let mut found = 0;
        assert_eq!(
            session.feed(Side::Responder, &framed(9, 0), |_| found += 1),
            Ok(14)
        );
        assert_eq!(found, 1);
        assert!(!session.gap(Side::Responder, 5000));
    }
}
