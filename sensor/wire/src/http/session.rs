//! The state machine of one flow.

use std::collections::VecDeque;

use super::body::Body;
use super::message::{self, Answer, Framing, MAX_HEAD, MAX_METHOD, Opening, Request};
use crate::{Side, Step, Violation, base64};

/// What a session hands out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A whole request head, from the client.
    Request(Request),
    /// A final answer: it belongs to the oldest request without one. Without such a request (a flow picked up in its
    /// middle) it stands alone. Interim answers (100, 103) are not handed out.
    Answer(Answer),
    /// A DNS message (RFC 8484): in the target of the request before it, or the body of the side's last message.
    Dns(Side, Vec<u8>),
    /// From now on no answer can be read: the requests that wait for one will not get it.
    AnswersLost,
}

/// Follows one TCP flow.
#[derive(Debug)]
pub struct Session {
    /// Who sent the first request, or did not send the first answer.
    client: Option<Side>,
    /// Requests without an answer, oldest first, [`MAX_PENDING`] at most.
    pending: VecDeque<Kind>,
    /// Of originator and responder.
    body: [Body; 2],
    /// The body of each that is a DNS message, as far as it has come.
    dns: [Option<Vec<u8>>; 2],
    answers: Answers,
    /// The head of each that is not whole yet.
    partial: [Partial; 2],
    finished: bool,
    carrier: bool,
}

/// A head that was looked at and is not whole yet. It is looked at again only when what has come since can change the
/// answer: else a head that trickles in would be read as often as it has octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Partial {
    /// How many octets of it there were; 0 for none.
    octets: usize,
    /// Whether its first line was among them.
    line: bool,
    /// Who was known to ask.
    client: Option<Side>,
}

/// What of a request decides how to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Its answer has no body.
    Head,
    /// A granted one ends HTTP.
    Connect,
    /// The client waits for a change of protocol.
    Upgrade,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Readable,
    Lost,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            client: None,
            pending: VecDeque::new(),
            body: [Body::Over; 2],
            dns: [None, None],
            answers: Answers::Readable,
            partial: [Partial::default(); 2],
            finished: false,
            carrier: false,
        }
    }
}

impl Session {
    /// Who asks, once the first head has told.
    #[must_use]
    pub fn client(&self) -> Option<Side> {
        self.client
    }

    /// Nothing that follows can be read as HTTP/1: the flow needs no more octets.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether it has finished because another protocol follows on both sides: a granted CONNECT, an upgrade, or a
    /// request for either whose answer nobody can see.
    #[must_use]
    pub fn is_carrier(&self) -> bool {
        self.carrier
    }

    /// Octets kept of bodies that are DNS messages.
    #[must_use]
    pub fn held(&self) -> usize {
        self.dns.iter().flatten().map(Vec::len).sum()
    }

    /// Reads the whole messages at the start of `input`; answers how many octets they took.
    ///
    /// # Errors
    /// When a head is due and something else comes. What was handed out before holds.
    pub fn feed(
        &mut self,
        from: Side,
        input: &[u8],
        mut emit: impl FnMut(Message),
    ) -> Result<usize, Violation> {
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() || self.finished {
                return Ok(used);
            }
            let known = self.client;
            let step = self.step(from, rest, &mut emit)?;
            if step == 0 {
                return Ok(used);
            }
            used += step;
            // Now that the roles are known, what the other side has said is read first: it may be no HTTP, and then what
            // follows here is not read, however it was cut.
            let other = self.partial.get(from.other().index());
            if known != self.client && other.is_some_and(|other| other.octets > 0) {
                return Ok(used);
            }
        }
    }

    /// Octets were lost (`length` 0: unknown). A body of known length swallows them; a client's head that is lost ends
    /// the session, a server's only the reading of answers.
    pub fn gap(&mut self, from: Side, length: u64, mut emit: impl FnMut(Message)) {
        let place_kept = length > 0
            && self
                .body
                .get_mut(from.index())
                .is_some_and(|body| body.lose(length));
        if let (Some(dns), Some(partial)) = (
            self.dns.get_mut(from.index()),
            self.partial.get_mut(from.index()),
        ) {
            *dns = None;
            *partial = Partial::default();
        }
        if place_kept || self.finished {
            return;
        }
        if self.client == Some(from.other()) {
            self.lose_answers(&mut emit);
        } else {
            self.finished = true;
        }
    }

    /// One body or one head.
    fn step(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<usize, Violation> {
        let is_server = self.client == Some(from.other());
        if is_server && self.answers == Answers::Lost {
            return Ok(input.len());
        }
        if let (Some(body), Some(dns)) = (
            self.body.get_mut(from.index()),
            self.dns.get_mut(from.index()),
        ) && *body != Body::Over
        {
            let used = body.skip(input, |octets| collect(dns, octets))?;
            if *body == Body::Over
                && let Some(octets) = dns.take()
            {
                emit(Message::Dns(from, octets));
            }
            return Ok(used);
        }
        // Empty lines before a head: old clients end a body with one that is not counted (RFC 9112, section 2.2).
        let empty = input
            .iter()
            .take_while(|&&octet| octet == b'\r' || octet == b'\n')
            .count();
        if empty > 0 && self.client.is_some() {
            return Ok(empty);
        }
        let client = self.client;
        if let Some(partial) = self.partial.get_mut(from.index()) {
            if partial.client == client && partial.still(input) {
                partial.octets = input.len();
                return Ok(0);
            }
            *partial = Partial::default();
        }
        let used = match client {
            Some(client) if client == from => self.request(from, input, emit),
            Some(_) => self.answer(from, input, emit),
            None => self.first_head(from, input, emit),
        }?;
        if used == 0
            && !self.is_early(from)
            && let Some(partial) = self.partial.get_mut(from.index())
        {
            *partial = Partial {
                octets: input.len(),
                line: memchr::memchr(b'\n', input).is_some(),
                client,
            };
        }
        Ok(used)
    }

    /// Whether what a side sends need not be a head: it comes before the answer to a CONNECT or an upgrade.
    fn is_early(&self, from: Side) -> bool {
        self.client == Some(from)
            && matches!(self.pending.back(), Some(Kind::Connect | Kind::Upgrade))
    }

    /// The first whole head tells the roles. Octets of a side that speaks no HTTP wait until the other side has told.
    fn first_head(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<usize, Violation> {
        match message::opening(input) {
            Step::Done(Opening::Request, _) => self.request(from, input, emit),
            Step::Done(Opening::Answer, _) => self.answer(from, input, emit),
            Step::NotThisProtocol(why) if input.len() >= MAX_HEAD => Err(Violation(why)),
            Step::NeedMore(_) | Step::NotThisProtocol(_) => Ok(0),
        }
    }

    fn request(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<usize, Violation> {
        // What follows a CONNECT or an upgrade is HTTP only if the answer says no.
        let patience = match self.pending.back() {
            Some(Kind::Connect) => Some(MAX_EARLY),
            Some(Kind::Upgrade) => Some(MAX_EARLY_UPGRADE),
            _ => None,
        };
        if let Some(patience) = patience {
            self.finished = input.len() > patience;
            self.carrier = self.finished;
            return Ok(0);
        }
        let Some((request, used)) = whole(message::request(input))? else {
            return Ok(0);
        };
        self.client = Some(from);
        let kind = match request.method.as_str() {
            "HEAD" => Kind::Head,
            "CONNECT" => Kind::Connect,
            _ if request.upgrade.is_some() => Kind::Upgrade,
            _ => Kind::Other,
        };
        let framing = match request.framing {
            // A request that says nothing has no body (RFC 9112, section 6.3).
            Framing::Silent => Framing::Length(0),
            framing => framing,
        };
        let (is_dns, asked) = (request.is_dns, dns_in_target(&request.target));
        emit(Message::Request(request));
        if let Some(octets) = asked {
            emit(Message::Dns(from, octets));
        }
        if self.answers == Answers::Lost {
            self.carrier = matches!(kind, Kind::Connect | Kind::Upgrade);
            self.finished = self.carrier;
        } else {
            self.pending.push_back(kind);
            if self.pending.len() > MAX_PENDING {
                self.lose_answers(emit);
            }
        }
        self.begin_body(from, framing, is_dns);
        Ok(used)
    }

    fn answer(
        &mut self,
        from: Side,
        input: &[u8],
        emit: &mut impl FnMut(Message),
    ) -> Result<usize, Violation> {
        let Some((answer, used)) = whole(message::answer(input))? else {
            return Ok(0);
        };
        self.client = Some(from.other());
        if answer.is_interim() {
            return Ok(used);
        }
        let kind = self.pending.pop_front().unwrap_or(Kind::Other);
        let (status, framing, is_dns) = (answer.status, answer.framing, answer.is_dns);
        emit(Message::Answer(answer));
        let granted = kind == Kind::Connect && (200..300).contains(&status);
        if granted || status == 101 {
            self.carrier = true;
            self.finished = true;
            return Ok(used);
        }
        let framing = if kind == Kind::Head || matches!(status, 204 | 304) {
            Framing::Length(0)
        } else {
            framing
        };
        self.begin_body(from, framing, is_dns);
        Ok(used)
    }

    fn begin_body(&mut self, from: Side, framing: Framing, is_dns: bool) {
        let body = match framing {
            Framing::Length(length) if length <= MAX_BODY => Body::of_length(length),
            Framing::Chunked => Body::ChunkSize,
            // No end but the connection's, or one that is not worth the way.
            Framing::Silent | Framing::Length(_) | Framing::Unclear => {
                self.finished = true;
                return;
            }
        };
        if let Some(dns) = self.dns.get_mut(from.index()) {
            *dns = (is_dns && body != Body::Over).then(Vec::new);
        }
        if let Some(place) = self.body.get_mut(from.index()) {
            *place = body;
        }
    }

    fn lose_answers(&mut self, emit: &mut impl FnMut(Message)) {
        if self.answers == Answers::Readable {
            self.answers = Answers::Lost;
            self.finished |= matches!(self.pending.back(), Some(Kind::Connect | Kind::Upgrade));
            self.pending.clear();
            emit(Message::AnswersLost);
        }
    }
}

impl Partial {
    /// Whether the answer is the same for these octets: the head's and more.
    fn still(self, input: &[u8]) -> bool {
        // The first line's beginning may be refused with any octet.
        if self.octets <= MAX_METHOD + 1 || input.len() >= MAX_HEAD {
            return false;
        }
        if self.line {
            // The two octets before may be a part of the empty line.
            let new = input.get(self.octets - 2..).unwrap_or_default();
            let ends = |line: &[u8]| line.starts_with(b"\n\n") || line.starts_with(b"\n\r\n");
            !(0..new.len()).any(|at| new.get(at..).is_some_and(ends))
        } else {
            let new = input.get(self.octets..).unwrap_or_default();
            !new.iter().any(u8::is_ascii_control)
        }
    }
}

/// A whole head, or nothing yet.
fn whole<M>(step: Step<M>) -> Result<Option<(M, usize)>, Violation> {
    match step {
        Step::Done(message, used) => Ok(Some((message, used))),
        Step::NeedMore(_) => Ok(None),
        Step::NotThisProtocol(why) => Err(Violation(why)),
    }
}

/// The next octets of a body that is a DNS message; one that is too long is none.
fn collect(dns: &mut Option<Vec<u8>>, octets: &[u8]) {
    if let Some(message) = dns {
        if message.len() + octets.len() > MAX_DNS {
            *dns = None;
        } else {
            message.extend_from_slice(octets);
        }
    }
}

/// The DNS message that a GET has in its target: `?dns=` and base64 (RFC 8484, section 4.1.1).
pub(crate) fn dns_in_target(target: &str) -> Option<Vec<u8>> {
    let (_, query) = target.split_once('?')?;
    let value = query
        .split('&')
        .find_map(|part| part.strip_prefix("dns="))?;
    let octets = base64::decode(value.trim_end_matches("%3D").trim_end_matches("%3d"))?;
    (!octets.is_empty()).then_some(octets)
}

/// The longest message of DNS.
pub(crate) const MAX_DNS: usize = 65_535;

/// Clients that pipeline at all send a handful. More without an answer means that the answers are not in the capture.
pub const MAX_PENDING: usize = 64;

/// A longer body is a download: what could follow it on the same connection is not worth its reassembly.
pub const MAX_BODY: u64 = 16 * 1024 * 1024;

/// A client that goes on this long behind CONNECT without an answer was granted one that is not in the capture.
pub const MAX_EARLY: usize = 8 * 1024;

/// The same behind an upgrade: its client may send nothing before the answer (RFC 6455, section 4.1), so what it sends only
/// overtook the answer on the way to the capture, or the answer is not there. Desktops are told by a few hundred octets.
pub const MAX_EARLY_UPGRADE: usize = 1024;

#[cfg(test)]
mod tests;
