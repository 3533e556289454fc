//! The state machine of one upgraded connection.

use super::agreement::{Agreement, Coding, Deflate};
use super::inflate::Inflater;
use super::message::{FrameHead, Opcode, frame_head};
use crate::base64::Decoder;
use crate::{Side, Step, Violation};

/// What a session hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// The next octets of the stream that one side's messages are.
    Octets(&'a [u8]),
    /// A text or binary message is whole.
    EndOfMessage,
    /// The side sent its close frame: no message follows.
    Close,
}

/// Follows both sides behind the upgrade. It keeps no frames: payload is handed on as it comes, however long its frame.
#[derive(Debug)]
pub struct Session {
    coding: Coding,
    sides: [Stream; 2],
}

/// One side.
#[derive(Debug)]
struct Stream {
    place: Place,
    message: Message,
    inflater: Option<Inflater>,
    base64: Decoder,
    scratch: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A frame's head is due.
    Head,
    /// So many octets of a frame's payload are still to come; `masked` were unmasked.
    Payload {
        head: FrameHead,
        left: u64,
        masked: u64,
    },
    /// The side has closed.
    Closed,
}

/// The message that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    None,
    Plain,
    Compressed,
}

impl Session {
    /// Behind an upgrade that `client` asked for.
    #[must_use]
    pub fn new(client: Side, agreement: Agreement) -> Self {
        let stream = |side: Side| Stream {
            place: Place::Head,
            message: Message::None,
            inflater: agreement.deflate.map(|deflate: Deflate| {
                Inflater::new(if side == client {
                    deflate.client_forgets
                } else {
                    deflate.server_forgets
                })
            }),
            base64: Decoder::default(),
            scratch: Vec::new(),
        };
        Self {
            coding: agreement.coding,
            sides: Side::BOTH.map(stream),
        }
    }

    /// Whether both sides have closed.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.sides.iter().all(|side| side.place == Place::Closed)
    }

    /// Octets kept between messages: the windows of those that are compressed.
    #[must_use]
    pub fn held(&self) -> usize {
        let of_side = |side: &Stream| {
            let inflater = side.inflater.as_ref().map_or(0, Inflater::held);
            inflater + side.scratch.capacity()
        };
        self.sides.iter().map(of_side).sum()
    }

    /// Reads on; answers how many octets that took: all but the head of a frame that is not whole.
    ///
    /// # Errors
    /// When a frame is none, or its message does not inflate. What was handed out before holds.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Event<'_>),
    ) -> Result<usize, Violation> {
        let [originator, responder] = &mut self.sides;
        let stream = match from {
            Side::Originator => originator,
            Side::Responder => responder,
        };
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            let step = match stream.place {
                Place::Closed => rest.len(),
                Place::Head => stream.head(rest)?,
                Place::Payload { .. } => stream.payload(rest, self.coding, &mut emit)?,
            };
            used += step;
            // An empty frame is over with its head, though nothing more was read.
            let is_over = matches!(stream.place, Place::Payload { left: 0, .. });
            if is_over {
                stream.end_of_frame(self.coding, &mut emit)?;
            } else if step == 0 {
                return Ok(used);
            }
        }
    }

    /// `length` octets of one side were lost (0: unknown). Answers how many octets of its stream are lost with them;
    /// `None` when the place among the frames is lost, or what follows cannot be decoded: the session is over.
    pub fn gap(&mut self, from: Side, length: u64) -> Option<u64> {
        let stream = self.sides.get_mut(from.index())?;
        match &mut stream.place {
            Place::Closed => Some(0),
            Place::Payload { head, left, masked } if length > 0 && length <= *left => {
                *left -= length;
                *masked += length;
                let readable = stream.message == Message::Plain && self.coding == Coding::Plain;
                if head.opcode.is_control() {
                    Some(0)
                } else {
                    readable.then_some(length)
                }
            }
            Place::Payload { .. } | Place::Head => None,
        }
    }
}

impl Stream {
    fn head(&mut self, input: &[u8]) -> Result<usize, Violation> {
        let (head, used) = match frame_head(input) {
            Step::Done(head, used) => (head, used),
            Step::NeedMore(_) => return Ok(0),
            Step::NotThisProtocol(why) => return Err(Violation(why)),
        };
        if !head.opcode.is_control() {
            let begins = head.opcode != Opcode::CONTINUATION;
            if begins != (self.message == Message::None) {
                return Err(Violation("a WebSocket message within another"));
            }
            if head.is_compressed && (self.inflater.is_none() || !begins) {
                return Err(Violation("a compressed message that nobody agreed on"));
            }
            if begins {
                self.message = if head.is_compressed {
                    Message::Compressed
                } else {
                    Message::Plain
                };
            }
        }
        self.place = Place::Payload {
            head,
            left: head.length,
            masked: 0,
        };
        Ok(used)
    }

    fn payload(
        &mut self,
        input: &[u8],
        coding: Coding,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<usize, Violation> {
        let Place::Payload { head, left, masked } = &mut self.place else {
            return Ok(0);
        };
        let part = usize::try_from(*left).unwrap_or(usize::MAX);
        let part = part.min(input.len()).min(MAX_PIECE);
        let octets = input.get(..part).unwrap_or_default();
        let offset = *masked;
        // `part` is `left` at most.
        *left -= part as u64;
        *masked += part as u64;
        if head.opcode.is_control() {
            return Ok(part);
        }
        self.scratch.clear();
        match head.mask {
            Some(mask) => self.scratch.extend(
                octets
                    .iter()
                    .zip(mask.iter().cycle().skip((offset % 4) as usize))
                    .map(|(octet, key)| octet ^ key),
            ),
            None => self.scratch.extend_from_slice(octets),
        }
        let (scratch, base64) = (&self.scratch, &mut self.base64);
        if self.message == Message::Compressed
            && let Some(inflater) = &mut self.inflater
        {
            let mut result = Ok(());
            inflater.piece(scratch, |octets| {
                if result.is_ok() {
                    result = hand_out(octets, coding, base64, emit);
                }
            })?;
            result?;
        } else {
            hand_out(scratch, coding, base64, emit)?;
        }
        Ok(part)
    }

    fn end_of_frame(
        &mut self,
        coding: Coding,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Violation> {
        let Place::Payload { head, .. } = self.place else {
            return Ok(());
        };
        self.place = Place::Head;
        if head.opcode == Opcode::CLOSE {
            self.place = Place::Closed;
            // Nothing is decoded any more.
            self.inflater = None;
            self.scratch = Vec::new();
            emit(Event::Close);
        } else if head.is_final && !head.opcode.is_control() {
            if self.message == Message::Compressed
                && let Some(inflater) = &mut self.inflater
            {
                let (base64, mut result) = (&mut self.base64, Ok(()));
                inflater.end_of_message(|octets| {
                    if result.is_ok() {
                        result = hand_out(octets, coding, base64, emit);
                    }
                })?;
                result?;
            }
            self.message = Message::None;
            self.scratch.clear();
            self.base64.flush(&mut self.scratch);
            if !self.scratch.is_empty() {
                emit(Event::Octets(&self.scratch));
            }
            emit(Event::EndOfMessage);
        }
        Ok(())
    }
}

fn hand_out(
    octets: &[u8],
    coding: Coding,
    base64: &mut Decoder,
    emit: &mut impl FnMut(Event<'_>),
) -> Result<(), Violation> {
    match coding {
        Coding::Plain if octets.is_empty() => {}
        Coding::Plain => emit(Event::Octets(octets)),
        Coding::Base64 => {
            let mut decoded = Vec::new();
            base64.decode(octets, &mut decoded)?;
            if !decoded.is_empty() {
                emit(Event::Octets(&decoded));
            }
        }
    }
    Ok(())
}

/// What is unmasked at a time: more than a segment, less than a giant one.
const MAX_PIECE: usize = 16 * 1024;

#[cfg(test)]
mod tests;
