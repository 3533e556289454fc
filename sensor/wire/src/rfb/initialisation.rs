//! What ends a handshake: SecurityResult, ClientInit, ServerInit, or the reason why not.

use super::handshake::{Emit, Handshake, MS_LOGON_ANSWER, MS_LOGON_QUESTION, Turn};
use super::message::{self, Flow, MAX_TEXT, Message, Role, SecurityResult};
use super::names::SecurityType;
use super::script::Next;
use crate::{Reader, Step, Violation};

impl Handshake {
    pub(super) fn reason(
        &mut self,
        input: &[u8],
        message: fn(Option<Vec<u8>>) -> Message,
        emit: Emit<'_>,
    ) -> Result<Turn, Violation> {
        match message::reason(input) {
            Step::Done(reason, used) => {
                emit(message(Some(reason)));
                self.finish();
                Ok(Turn::Used(used))
            }
            _ => Ok(Turn::Waits),
        }
    }

    pub(super) fn result(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        let Some(word) = Reader::new(input).u32_be() else {
            return Ok(Turn::Waits);
        };
        let result = SecurityResult(word);
        match result {
            SecurityResult::OK => {
                self.script.pop();
                emit(Message::Accepted);
            }
            SecurityResult::CONTINUE => self.script.extend([Next::Types]),
            SecurityResult(legacy) if legacy == SecurityType::MS_LOGON_LEGACY.0 => {
                self.script.extend([
                    Next::Skip(Role::Client, MS_LOGON_ANSWER),
                    Next::Skip(Role::Server, MS_LOGON_QUESTION),
                ]);
            }
            result if result.is_known() => {
                let has_reason =
                    self.flow() == Flow::V3_8 || result == SecurityResult::FAILED_WITH_REASON;
                if has_reason {
                    self.then(&[Next::Refusal]);
                } else {
                    emit(Message::Refused(None));
                    self.script.push(Next::Done);
                }
            }
            // A server that sends none after None, though its version foresees one: this is ServerInit.
            _ if self.unauthenticated => {
                self.script.pop();
                return Ok(Turn::Used(0));
            }
            _ => return Err(Violation("unknown security result")),
        }
        Ok(Turn::Used(4))
    }

    pub(super) fn client_init(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        // macOS has more flags in this octet (0xc1).
        let shared = input.first().is_some_and(|&flag| flag != 0);
        emit(Message::ClientInit { shared });
        self.script.pop();
        Ok(Turn::Used(1))
    }

    pub(super) fn server_init(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        if input.first_chunk() == Some(&[0, 0, 0, 0]) {
            // A result that the version does not foresee, seen after ClientInit.
            emit(Message::Accepted);
            return Ok(Turn::Used(4));
        }
        if let Some(&[_, _, _, _, bits, depth]) = input.first_chunk()
            && self.is_sure()
            && !message::has_pixels(bits, depth)
        {
            // SASL may have agreed on encryption: the result was in clear, this is not.
            self.passed(emit);
            self.script.push(Next::Done);
            return Ok(Turn::Used(input.len()));
        }
        let Step::Done(init, used) = message::server_init(input) else {
            return Ok(Turn::Waits);
        };
        if !self.is_sure() && !init.is_plausible() {
            return Err(Violation("no ServerInit"));
        }
        let rest = u64::from(init.name_length).saturating_sub(MAX_TEXT as u64);
        emit(Message::ServerInit(init));
        if self.is_tight {
            self.then(&[Next::Skip(Role::Server, rest), Next::Capabilities]);
        } else {
            self.passed(emit);
            self.script.push(Next::Done);
        }
        Ok(Turn::Used(used))
    }

    pub(super) fn capabilities(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        let Step::Done(capabilities, used) = message::capabilities(input) else {
            return Ok(Turn::Waits);
        };
        emit(Message::Capabilities(capabilities));
        self.passed(emit);
        self.script.push(Next::Done);
        Ok(Turn::Used(used))
    }

    /// The server was lost: SetPixelFormat, SetEncodings or FramebufferUpdateRequest show that it let the client in.
    pub(super) fn requests(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        match is_request(input) {
            None => Ok(Turn::Waits),
            Some(false) => Err(Violation("no message of a viewer")),
            Some(true) => {
                self.passed(emit);
                self.script.push(Next::Done);
                Ok(Turn::Used(input.len()))
            }
        }
    }

    /// In 3.3 there are but two types, and the client answers them differently.
    pub(super) fn answer(&mut self, input: &[u8], emit: Emit<'_>) -> Result<Turn, Violation> {
        let Some(is_none) = has_initialised(input) else {
            return Ok(Turn::Waits);
        };
        self.script.pop();
        self.chosen(
            if is_none {
                SecurityType::NONE
            } else {
                SecurityType::VNC_AUTH
            },
            emit,
        );
        Ok(Turn::Used(0))
    }
}

/// Whether a client that was not asked anything goes on with ClientInit and a viewer's first message; `None` when there
/// are too few octets to tell.
pub(super) fn has_initialised(input: &[u8]) -> Option<bool> {
    match input.split_first()? {
        (0 | 1, rest) => is_request(rest),
        _ => Some(false),
    }
}

/// Whether octets begin with a message that viewers open a session with; `None` when there are too few to tell.
pub(super) fn is_request(input: &[u8]) -> Option<bool> {
    Some(match *input.first()? {
        // SetPixelFormat: padding, then bits per pixel and depth.
        0 => {
            let [_, _, _, _, bits, depth, ..] = *input.first_chunk::<20>()?;
            message::has_pixels(bits, depth)
        }
        // SetEncodings: padding, count.
        2 => {
            let [_, _, high, low] = *input.first_chunk()?;
            (1..=256).contains(&u16::from_be_bytes([high, low]))
        }
        // FramebufferUpdateRequest: incremental is 0 or 1, and the area is not empty.
        3 => {
            let [_, incremental, _, _, _, _, rest @ ..] = *input.first_chunk::<10>()?;
            incremental <= 1 && rest != [0; 4]
        }
        _ => false,
    })
}
