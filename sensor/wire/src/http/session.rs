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
            let step = self.step(from, rest, &mut emit)?;
            if step == 0 {
                return Ok(used);
            }
            used += step;
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
                line: input.contains(&b'\n'),
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::in_pieces;
    use Side::{Originator as O, Responder as R};

    /// The messages, shortened, and how it ended; the same whatever the size of the pieces.
    fn check(conversation: &[(Side, &[u8])], expected: &[&str]) {
        for size in [1, 2, 3, 7, 64, usize::MAX] {
            assert_eq!(run(conversation, size), expected, "pieces of {size}");
        }
    }

    fn run(conversation: &[(Side, &[u8])], size: usize) -> Vec<String> {
        let mut session = Session::default();
        let mut found = Vec::new();
        let mut end = None;
        in_pieces(conversation, size, |from, input| {
            let used = session.feed(from, input, |message| found.push(short(&message)));
            if session.is_finished() {
                end = Some("finished".to_owned());
                return None;
            }
            match used {
                Ok(used) => Some(used),
                Err(Violation(why)) => {
                    end = Some(format!("violation: {why}"));
                    None
                }
            }
        });
        found.extend(end);
        found
    }

    fn short(message: &Message) -> String {
        match message {
            Message::Request(request) => format!("{} {}", request.method, request.target),
            Message::Answer(answer) => answer.status.to_string(),
            Message::Dns(_, octets) => format!("dns {}", octets.escape_ascii()),
            Message::AnswersLost => "lost".to_owned(),
        }
    }

    #[test]
    fn pairs_requests_and_answers_over_a_kept_connection() {
        check(
            &[
                (O, b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET "),
                (R, b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1"),
                (O, b"\r\nHEAD /b HTTP/1.1\r\n\r\n"),
                (R, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
                (O, b"GET /c HTTP/1.1\r\n\r\nGET /d HTTP/1.1\r\n\r\n"),
                (R, b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                (O, b"GET /e HTTP/1.1\r\n\r\n"),
                (R, b"HTTP/1.1 204 No Content\r\n\r\n"),
            ],
            &[
                "POST /a", "200", "HEAD /b", "200", "GET /c", "GET /d", "304", "200", "GET /e",
                "204",
            ],
        );
    }

    #[test]
    fn hands_out_the_bodies_that_are_dns_messages() {
        check(
            &[
                (O, b"POST /dns-query HTTP/1.1\r\nContent-Type: application/dns-message\r\nContent-Length: 5\r\n\r\nquery"),
                (R, b"HTTP/1.1 200 OK\r\ncontent-type: Application/DNS-message; x=y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nans\r\n3\r\nwer\r\n0\r\n\r\n"),
                (O, b"GET /dns-query?ct&dns=cXVlcnk HTTP/1.1\r\n\r\n"),
                (R, b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno"),
                (O, b"GET /?dns=no+base64! HTTP/1.1\r\n\r\n"),
            ],
            &[
                "POST /dns-query",
                "dns query",
                "200",
                "dns answer",
                "GET /dns-query?ct&dns=cXVlcnk",
                "dns query",
                "200",
                "GET /?dns=no+base64!",
            ],
        );
    }

    #[test]
    fn the_responder_may_be_the_client() {
        // A visitor's request that a tunnel hands to its agent.
        check(
            &[
                (R, b"GET / HTTP/1.1\r\nHost: witty-fox-1.loca.lt\r\n\r\n"),
                (O, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
            ],
            &["GET /", "200"],
        );
    }

    #[test]
    fn finishes_where_the_connection_is_handed_over() {
        check(
            &[
                (
                    O,
                    b"CONNECT PageKite:1 HTTP/1.0\r\nX-PageKite-Version: 1.5\r\n\r\n",
                ),
                (
                    R,
                    b"HTTP/1.1 200 OK\r\nX-PageKite-UUID: 1\r\n\r\n5\r\nNOOP\n",
                ),
            ],
            &["CONNECT PageKite:1", "200", "finished"],
        );
        check(
            &[
                (
                    O,
                    b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x82\x05",
                ),
                (R, b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x82\x0c"),
            ],
            &["GET /chat", "101", "finished"],
        );
    }

    #[test]
    fn goes_on_after_a_connect_that_was_refused() {
        check(
            &[
                (O, b"CONNECT a:443 HTTP/1.1\r\n\r\n"),
                (
                    R,
                    b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno",
                ),
                (
                    O,
                    b"CONNECT a:443 HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n\x16\x03\x01",
                ),
                (R, b"HTTP/1.1 200 Connection established\r\n\r\n"),
            ],
            &["CONNECT a:443", "407", "CONNECT a:443", "200", "finished"],
        );
    }

    #[test]
    fn a_connect_whose_answer_was_not_captured_does_not_wait_for_ever() {
        let early = vec![0x17; MAX_EARLY + 1];
        check(
            &[(O, b"CONNECT a:443 HTTP/1.1\r\n\r\n"), (O, &early)],
            &["CONNECT a:443", "finished"],
        );
    }

    #[test]
    fn finishes_at_a_body_that_only_the_connection_ends() {
        check(
            &[
                (O, b"GET / HTTP/1.0\r\n\r\n"),
                (R, b"HTTP/1.0 200 OK\r\n\r\n<html>"),
            ],
            &["GET /", "200", "finished"],
        );
        check(
            &[
                (O, b"GET / HTTP/1.1\r\n\r\n"),
                (R, b"HTTP/1.1 200 OK\r\nContent-Length: 16777217\r\n\r\n"),
            ],
            &["GET /", "200", "finished"],
        );
    }

    #[test]
    fn an_answer_alone_stands_alone() {
        check(
            &[
                (R, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
                (O, b"GET /later HTTP/1.1\r\n\r\n"),
            ],
            &["200", "GET /later"],
        );
    }

    #[test]
    fn keeps_the_request_to_a_server_that_speaks_something_else() {
        check(
            &[
                (R, b"220 mail.example ESMTP\r\n"),
                (O, b"GET / HTTP/1.1\r\n\r\n"),
            ],
            &["GET /", "violation: no HTTP/1 status line"],
        );
    }

    #[test]
    fn goes_on_with_requests_alone_when_no_answer_is_in_the_capture() {
        let requests = b"GET / HTTP/1.1\r\n\r\n".repeat(MAX_PENDING + 3);
        let found = run(&[(O, &requests)], 1000);
        assert_eq!(found.len(), MAX_PENDING + 4);
        assert_eq!(found.iter().filter(|found| *found == "lost").count(), 1);
    }

    #[test]
    fn a_gap_inside_a_body_loses_nothing() {
        let mut session = Session::default();
        let mut found = Vec::new();
        let mut feed = |session: &mut Session, from, input: &[u8]| {
            session.feed(from, input, |message| found.push(short(&message)))
        };
        let get = b"GET / HTTP/1.1\r\n\r\n";
        assert!(feed(&mut session, O, get).is_ok());
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab";
        assert_eq!(feed(&mut session, R, head), Ok(head.len()));
        session.gap(R, 8, |_| panic!("nothing is lost"));
        assert!(feed(&mut session, O, get).is_ok());
        assert!(feed(&mut session, R, head).is_ok());
        session.gap(R, 9, |message| assert_eq!(message, Message::AnswersLost));
        assert!(!session.is_finished());
        assert_eq!(feed(&mut session, R, b"anything"), Ok(8));
        session.gap(O, 0, |_| {});
        assert!(session.is_finished());
        assert_eq!(found, ["GET /", "200", "GET /", "200"]);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            client in proptest::collection::vec(any::<u8>(), 0..60),
            server in proptest::collection::vec(any::<u8>(), 0..60),
            size in 1_usize..40,
        ) {
            let client = [b"GET /x HTTP/1.1\r\nContent-Length: 3\r\n\r\n", &client[..]].concat();
            let server = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &server[..]].concat();
            let conversation = [(O, &client[..]), (R, &server[..])];
            prop_assert_eq!(run(&conversation, size), run(&conversation, usize::MAX));
        }
    }
}
