//! IKE and ESP over TCP (RFC 9329).
//!
//! Who opened the connection says `IKETCP` once. Each message of either side stands behind its length, two octets that count
//! themselves, and IKE's behind the marker.

use super::message::{MARKER, message};
use super::{Known, Session};
use crate::{Reader, Side, Step, Violation};

/// Whether a side began with the prefix and a first message of IKE behind it.
#[must_use]
pub fn opening(input: &[u8]) -> Step<()> {
    if !PREFIX.starts_with(input.get(..PREFIX.len()).unwrap_or(input)) {
        return Step::NotThisProtocol("no prefix of IKE over TCP");
    }
    let Some(rest) = input.strip_prefix(PREFIX) else {
        return Step::NeedMore(PREFIX.len() - input.len());
    };
    match frame(rest) {
        Step::Done(frame, length) => match frame.strip_prefix(MARKER).and_then(message) {
            Some(_) => Step::Done((), PREFIX.len() + length),
            None => Step::NotThisProtocol("no IKE behind the prefix"),
        },
        Step::NeedMore(missing) => Step::NeedMore(missing),
        Step::NotThisProtocol(why) => Step::NotThisProtocol(why),
    }
}

/// Follows both streams until they leave no doubt.
#[derive(Debug, Default)]
pub struct Stream {
    session: Session,
    opener: Option<Side>,
}

impl Stream {
    /// Takes the unread octets of a side: how many were read, and what is known then.
    ///
    /// # Errors
    /// When a message is neither IKE nor ESP.
    pub fn feed(&mut self, from: Side, input: &[u8]) -> Result<(usize, Option<Known>), Violation> {
        let mut rest = input;
        if self.opener.is_none() {
            // The other side waits for its turn: only the opener's octets say what this is.
            let Some(behind) = input.strip_prefix(PREFIX) else {
                return Ok((0, None));
            };
            (self.opener, rest) = (Some(from), behind);
        }
        loop {
            let used = input.len() - rest.len();
            match frame(rest) {
                Step::Done(frame, length) => {
                    // ESP may come with any index: it follows IKE here, which has proved itself.
                    if frame.starts_with(MARKER) {
                        let known = self.session.feed(from, frame, false)?;
                        if known.is_some() {
                            return Ok((used + length, known));
                        }
                    }
                    rest = rest.get(length..).unwrap_or_default();
                }
                Step::NeedMore(_) => return Ok((used, None)),
                Step::NotThisProtocol(why) => return Err(Violation(why)),
            }
        }
    }
}

/// A message behind its length.
fn frame(input: &[u8]) -> Step<&[u8]> {
    let mut reader = Reader::new(input);
    let Some(length) = reader.u16_be() else {
        return Step::NeedMore(2 - input.len());
    };
    match usize::from(length).checked_sub(2) {
        None | Some(0) => Step::NotThisProtocol("a length that does not count itself"),
        Some(length) => match reader.take(length) {
            Some(frame) => Step::Done(frame, 2 + length),
            None => Step::NeedMore(length - reader.left()),
        },
    }
}

const PREFIX: &[u8] = b"IKETCP";

#[cfg(test)]
mod tests {
    use super::super::message::samples;
    use super::*;
    use crate::testing::assert_same_however_cut;
    use Side::{Originator as O, Responder as R};

    fn framed(message: &[u8]) -> Vec<u8> {
        let length = (message.len() as u16 + 6).to_be_bytes();
        [&length[..], MARKER, message].concat()
    }

    #[test]
    fn reads_the_opening_however_cut() {
        let octets = [PREFIX, &framed(&samples::sa_init(0, 8))].concat();
        assert_eq!(opening(&octets), Step::Done((), octets.len()));
        assert_same_however_cut(opening, &octets);
        for other in [
            &b"IKETCQ"[..],
            b"IKETCP\0\x01",
            b"IKETCP\0\x08\0\0\0\0\x01\x02",
        ] {
            assert!(matches!(opening(other), Step::NotThisProtocol(_)));
            assert_same_however_cut(opening, other);
        }
    }

    #[test]
    fn both_sides_agree_in_either_order() {
        let question = [PREFIX, &framed(&samples::sa_init(0, 8))].concat();
        let answer = framed(&samples::sa_init(5, 0x20));
        let is_known = |known: Option<Known>| {
            matches!(
                known,
                Some(Known::Ike {
                    initiator: O,
                    version: 2,
                    ..
                })
            )
        };
        let mut stream = Stream::default();
        assert_eq!(stream.feed(R, &answer), Ok((0, None)));
        assert_eq!(stream.feed(O, &question), Ok((question.len(), None)));
        let (used, known) = stream.feed(R, &answer).unwrap();
        assert!(used == answer.len() && is_known(known));
        let mut stream = Stream::default();
        assert_eq!(stream.feed(O, &question[..20]), Ok((6, None)));
        assert_eq!(
            stream.feed(O, &question[6..]),
            Ok((question.len() - 6, None))
        );
        assert!(stream.feed(R, &[0, 1]).is_err());
    }
}
