//! The state machine of one connection.

use super::hpack::Decoder;
use super::message::{FrameHead, FrameKind, frame_head, preface, server_preface};
use super::{Answer, Request};
use crate::http::{Fields, MAX_DNS, MAX_METHOD, MAX_TARGET, MAX_VALUE, dns_in_target, text};
use crate::{Reader, Side, Step, Violation};

/// What a session hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A request opens a stream.
    Request(u32, Request),
    /// The final answer on a stream.
    Answer(u32, Answer),
    /// A DNS message (RFC 8484) on a stream: in the target of its request, or a whole body of the side.
    Dns(u32, Side, Vec<u8>),
    /// The next octets of a side's body.
    Octets(u32, Side, &'a [u8]),
    /// So many octets of a side's body were lost.
    Gap(u32, Side, u64),
    /// The side sends nothing more on the stream; `None`: neither does.
    End(u32, Option<Side>),
    /// From now on no answer can be read.
    AnswersLost,
}

/// Follows one connection. Bodies are handed on as they come; only header blocks and DNS messages are kept until they are
/// whole.
#[derive(Debug, Default)]
pub struct Session {
    client: Option<Side>,
    sides: [Stream; 2],
    finished: bool,
}

/// What one side sends.
#[derive(Debug)]
struct Stream {
    place: Place,
    decoder: Decoder,
    /// The header block under way, and the frame that began it.
    block: Vec<u8>,
    began: Option<FrameHead>,
    /// Bodies that are DNS messages, by stream, as far as they have come: [`MAX_BODIES`] at most.
    dns: Vec<(u32, Vec<u8>)>,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            place: Place::Preface,
            decoder: Decoder::new(),
            block: Vec::new(),
            began: None,
            dns: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// How a side begins is due.
    Preface,
    /// A frame's head is due.
    Frame,
    /// Octets of a DATA frame and then padding are still to come.
    Data {
        head: FrameHead,
        left: u64,
        padding: u64,
    },
    /// So many octets of a frame that tells nothing are still to come.
    Skip(u64),
    /// Nothing can be read any more.
    Lost,
}

impl Session {
    /// Who asks, once it has sent its preface.
    #[must_use]
    pub fn client(&self) -> Option<Side> {
        self.client
    }

    /// No request can be read any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Octets kept of header blocks and DNS messages that are not whole, and of what later blocks may refer to.
    #[must_use]
    pub fn held(&self) -> usize {
        let of_side = |side: &Stream| {
            let bodies = side.dns.iter().map(|(_, body)| body.len());
            side.block.len() + side.decoder.held() + bodies.sum::<usize>()
        };
        self.sides.iter().map(of_side).sum()
    }

    /// Reads on; answers how many octets that took.
    ///
    /// # Errors
    /// When a side begins otherwise, or a header block is none. What was handed out before holds.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Message<'_>),
    ) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() || self.finished {
                return Ok(used);
            }
            let step = self.step(from, rest, &mut emit)?;
            if step == 0 {
                return Ok(used);
            }
            used += step;
        }
    }

    /// Octets were lost (`length` 0: unknown). Within a frame whose length is known the place is kept.
    pub fn gap(&mut self, from: Side, length: u64, mut emit: impl FnMut(Message<'_>)) {
        let is_server = self.client == Some(from.other());
        let Some(stream) = self.sides.get_mut(from.index()) else {
            return;
        };
        match &mut stream.place {
            Place::Data {
                head,
                left,
                padding,
            } if length > 0 && length <= *left + *padding => {
                let lost = length.min(*left);
                *left -= lost;
                *padding -= length - lost;
                let number = head.stream;
                stream.dns.retain(|(stream, _)| *stream != number);
                emit(Message::Gap(number, from, lost));
                stream.end_of_data(from, &mut emit);
            }
            Place::Skip(left) if length > 0 && length <= *left => {
                let left = *left - length;
                stream.skip(left);
            }
            Place::Lost => {}
            _ if is_server => {
                *stream = Stream {
                    place: Place::Lost,
                    ..Stream::default()
                };
                emit(Message::AnswersLost);
            }
            _ => self.finished = true,
        }
    }

    fn step(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<usize, Violation> {
        let client = self.client;
        let Some(stream) = self.sides.get_mut(from.index()) else {
            return Ok(0);
        };
        match stream.place {
            Place::Lost => Ok(input.len()),
            Place::Preface => self.begin(from, input),
            Place::Frame => {
                let Step::Done(head, used) = frame_head(input) else {
                    return Ok(0);
                };
                let payload = input.get(used..).unwrap_or_default();
                let client = client.unwrap_or(from);
                Ok(match stream.frame(head, payload, (from, client), emit)? {
                    Some(more) => used + more,
                    None => 0,
                })
            }
            Place::Data { .. } => Ok(stream.data(from, input, emit)),
            Place::Skip(left) => {
                let part = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                // `part` is `left` at most.
                stream.skip(left - part as u64);
                Ok(part)
            }
        }
    }

    /// The client begins with its preface; the server's first frame waits until the client is known.
    fn begin(&mut self, from: Side, input: &[u8]) -> Result<usize, Violation> {
        let begun = match self.client {
            Some(client) if client != from => server_preface(input).map(|()| 0),
            _ => preface(input).map(|()| 24),
        };
        match begun {
            Step::Done(used, _) => {
                if used > 0 {
                    self.client = Some(from);
                }
                if let Some(stream) = self.sides.get_mut(from.index()) {
                    stream.place = Place::Frame;
                }
                // The server's first frame is read like any other.
                if used > 0 {
                    Ok(used)
                } else {
                    self.step(from, input, &mut |_| ())
                }
            }
            Step::NeedMore(_) => Ok(0),
            // Before the preface was seen, this may be the server.
            Step::NotThisProtocol(_) if self.client.is_none() && input.len() < MAX_EARLY => Ok(0),
            Step::NotThisProtocol(why) => Err(Violation(why)),
        }
    }
}

impl Stream {
    /// A frame's head, and as much behind it as must be read with it; `None` when that is not whole.
    fn frame(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        (from, client): (Side, Side),
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<Option<usize>, Violation> {
        let length = u64::from(head.length);
        if self.began.is_some() && head.kind != FrameKind::CONTINUATION {
            return Err(Violation("a header block is not gone on with"));
        }
        match head.kind {
            FrameKind::HEADERS | FrameKind::PUSH_PROMISE | FrameKind::CONTINUATION => {
                if head.length > MAX_FRAME {
                    return Err(Violation("a frame of a header block is too long"));
                }
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let Some(payload) = payload.get(..length) else {
                    return Ok(None);
                };
                self.headers(head, payload, (from, client), emit)?;
                Ok(Some(length))
            }
            FrameKind::DATA => {
                let mut padding = 0;
                let mut used = 0;
                if head.has(FrameHead::PADDED) {
                    let Some(&octet) = payload.first() else {
                        return Ok(None);
                    };
                    (padding, used) = (u64::from(octet), 1);
                }
                let left = length
                    .checked_sub(padding + used as u64)
                    .ok_or(Violation("a frame is shorter than its padding"))?;
                self.place = Place::Data {
                    head,
                    left,
                    padding,
                };
                self.end_of_data(from, emit);
                Ok(Some(used))
            }
            kind => {
                if kind == FrameKind::RST_STREAM {
                    self.dns.retain(|(stream, _)| *stream != head.stream);
                    emit(Message::End(head.stream, None));
                }
                self.skip(length);
                Ok(Some(0))
            }
        }
    }

    fn skip(&mut self, left: u64) {
        self.place = if left == 0 {
            Place::Frame
        } else {
            Place::Skip(left)
        };
    }

    fn data(&mut self, from: Side, input: &[u8], emit: &mut impl FnMut(Message<'_>)) -> usize {
        let Place::Data { head, left, .. } = &mut self.place else {
            return 0;
        };
        let part = usize::try_from(*left).unwrap_or(usize::MAX);
        let octets = input.get(..part).unwrap_or(input);
        // At most `left`.
        *left -= octets.len() as u64;
        if let Some((_, body)) = self
            .dns
            .iter_mut()
            .find(|(stream, _)| *stream == head.stream)
        {
            if body.len() + octets.len() <= MAX_DNS {
                body.extend_from_slice(octets);
            } else {
                let number = head.stream;
                self.dns.retain(|(stream, _)| *stream != number);
            }
        }
        emit(Message::Octets(head.stream, from, octets));
        self.end_of_data(from, emit);
        octets.len()
    }

    fn end_of_data(&mut self, from: Side, emit: &mut impl FnMut(Message<'_>)) {
        if let Place::Data {
            head,
            left: 0,
            padding,
        } = self.place
        {
            self.skip(padding);
            if head.has(FrameHead::END_STREAM) {
                self.end_of_stream(head.stream, from, emit);
            }
        }
    }

    fn end_of_stream(&mut self, number: u32, from: Side, emit: &mut impl FnMut(Message<'_>)) {
        if let Some(at) = self.dns.iter().position(|(stream, _)| *stream == number) {
            let (_, body) = self.dns.swap_remove(at);
            emit(Message::Dns(number, from, body));
        }
        emit(Message::End(number, Some(from)));
    }

    /// A whole frame of a header block.
    fn headers(
        &mut self,
        head: FrameHead,
        payload: &[u8],
        (from, client): (Side, Side),
        emit: &mut impl FnMut(Message<'_>),
    ) -> Result<(), Violation> {
        let is_first = head.kind != FrameKind::CONTINUATION;
        if is_first == self.began.is_some() {
            return Err(Violation("a header block that nothing began"));
        }
        let began = *self.began.get_or_insert(head);
        if head.stream == 0 || head.stream != began.stream {
            return Err(Violation("a header block of no stream"));
        }
        let fragment = if is_first {
            fragment(head, payload).ok_or(Violation("a frame is shorter than its padding"))?
        } else {
            payload
        };
        if self.block.len() + fragment.len() > MAX_BLOCK {
            return Err(Violation("a header block is too long"));
        }
        self.block.extend_from_slice(fragment);
        if !head.has(FrameHead::END_HEADERS) {
            return Ok(());
        }
        self.began = None;
        let mut block = Block::default();
        self.decoder
            .block(&self.block, |name, value| block.take(name, value))?;
        self.block = Vec::new();
        if began.kind == FrameKind::HEADERS {
            self.block_is_whole(began, block, (from, client), emit);
        }
        Ok(())
    }

    fn block_is_whole(
        &mut self,
        began: FrameHead,
        block: Block,
        (from, client): (Side, Side),
        emit: &mut impl FnMut(Message<'_>),
    ) {
        let number = began.stream;
        let mut is_dns = false;
        if from == client {
            if let Some(request) = block.into_request() {
                is_dns = request.is_dns;
                let asked = dns_in_target(&request.target);
                emit(Message::Request(number, request));
                if let Some(octets) = asked {
                    emit(Message::Dns(number, from, octets));
                }
            }
        } else if let Some(answer) = block.into_answer()
            && !answer.is_interim()
        {
            is_dns = answer.is_dns;
            emit(Message::Answer(number, answer));
        }
        if began.has(FrameHead::END_STREAM) {
            self.end_of_stream(number, from, emit);
        } else if is_dns && self.dns.len() < MAX_BODIES {
            self.dns.push((number, Vec::new()));
        }
    }
}

/// The part of a header block that a HEADERS or PUSH_PROMISE frame holds.
fn fragment(head: FrameHead, payload: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(payload);
    let padding = if head.has(FrameHead::PADDED) {
        usize::from(reader.u8()?)
    } else {
        0
    };
    if head.kind == FrameKind::PUSH_PROMISE {
        reader.take(4)?;
    } else if head.has(FrameHead::PRIORITY) {
        reader.take(5)?;
    }
    let length = reader.left().checked_sub(padding)?;
    reader.take(length)
}

/// The fields of one block.
#[derive(Default)]
struct Block {
    method: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    fields: Fields,
}

impl Block {
    fn take(&mut self, name: &[u8], value: &[u8]) {
        let fields = &mut self.fields;
        match name {
            b":method" => self.method = Some(text(value, MAX_METHOD)),
            b":path" => self.path = Some(text(value, MAX_TARGET)),
            b":status" => self.status = text(value, 3).parse().ok(),
            b":authority" => fields.host = Some(text(value, MAX_VALUE)),
            b":protocol" => fields.upgrade = Some(text(value, MAX_VALUE)),
            b"sec-websocket-protocol" => fields.take_subprotocols(value),
            // It may come in pieces; a token of wstunnel is whole.
            b"cookie" => fields.take_cookie(value),
            b"host" | b"user-agent" | b"content-type" | b"sec-websocket-extensions" => {
                fields.take(name, text(value, MAX_VALUE));
            }
            _ => {}
        }
    }

    /// CONNECT has no path (RFC 9113, section 8.5): what it asks for is the authority.
    fn into_request(self) -> Option<Request> {
        let method = self.method?;
        let path = self.path.or_else(|| self.fields.host.clone())?;
        Some(self.fields.into_request(method, path))
    }

    fn into_answer(self) -> Option<Answer> {
        let status = self.status.filter(|status| *status >= 100)?;
        Some(self.fields.into_answer(status))
    }
}

/// Everybody's default; a larger one must be asked for, and header blocks hardly ever fill one.
pub const MAX_FRAME: u32 = 32 * 1024;

/// Servers allow 8 to 64 KiB of fields, uncompressed.
pub const MAX_BLOCK: usize = 64 * 1024;

/// DNS messages of one side that come at the same time. Browsers ask for a handful of names at once.
const MAX_BODIES: usize = 32;

/// A server may begin before the client's preface is in, but not with this much.
const MAX_EARLY: usize = 16 * 1024;

#[cfg(test)]
mod tests;
