//! HTTP/2 in clear: one [`crate::observation::Http`] per stream, DNS messages in its bodies, and whatever protocol a
//! stream carries: behind CONNECT, in a WebSocket (RFC 8441), in a tunnel of wstunnel.

use terrier_wire::Step;
use terrier_wire::http2::{self, Message};

use super::dns::OverHttp;
use super::http::Waiting;
use super::websocket::Inside;
use super::{
    Begins, Emit, Opening, Outcome, Patience, Probe, Progress, Protocol, Session as _, Talk,
};
use crate::observation::{Frames, Side, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "http2",
    transport: Transport::Tcp,
    sees: "the same in HTTP/2 in clear, by prior knowledge or `h2c`; what CONNECT carries",
    probe,
    start: || Box::new(Session::default()),
    begins: Begins::AtTheStart,
    shapes: &[],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    match http2::preface(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        // A server's SETTINGS look like much else; the client tells.
        Step::NotThisProtocol(_) => match http2::server_preface(opening.octets) {
            Step::Done(..) | Step::NeedMore(_) => Probe::Maybe,
            Step::NotThisProtocol(_) => Probe::No,
        },
    }
}

#[derive(Default)]
struct Session {
    wire: http2::Session,
    streams: Streams,
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let streams = &mut self.streams;
        let result = self
            .wire
            .feed(from, octets, |message| streams.take(from, message, emit));
        match result {
            Ok(used) if !self.wire.is_finished() => Progress::More(used),
            Ok(_) => {
                self.end(emit);
                Progress::Finished
            }
            Err(violation) => {
                self.end(emit);
                Progress::Violated(violation.0)
            }
        }
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        let streams = &mut self.streams;
        self.wire
            .gap(from, length, |message| streams.take(from, message, emit));
        if self.wire.is_finished() {
            self.end(emit);
            return Progress::Finished;
        }
        Progress::More(0)
    }

    fn held(&self) -> usize {
        self.wire.held() + self.streams.held()
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.streams.end(emit);
    }
}

/// What is under way on the streams of one connection.
#[derive(Default)]
struct Streams {
    /// In the order in which they were opened, [`MAX_STREAMS`] at most.
    open: Vec<Stream>,
    dns: OverHttp,
    client: Option<Side>,
    /// No answer can be read.
    answers_lost: bool,
}

struct Stream {
    number: u32,
    /// The request, until its answer comes.
    waiting: Option<Waiting>,
    carried: Carried,
}

/// What a stream carries behind a CONNECT, in a WebSocket or a tunnel.
enum Carried {
    Nothing,
    Talk(Talk),
    WebSocket(Box<Inside>),
}

impl Streams {
    fn take(&mut self, from: Side, message: Message<'_>, emit: &mut Emit<'_>) {
        match message {
            Message::Request(number, request) => {
                self.client = Some(from);
                let mut frames = Frames::default();
                emit.note(&mut frames);
                let mut waiting = Waiting::new(request, from, frames);
                waiting.http.version = Some("2");
                self.open(number, waiting, emit);
            }
            Message::Answer(number, answer) => self.answer(number, &answer, emit),
            Message::Dns(_, side, octets) => {
                if let Some(client) = self.client {
                    self.dns.message(side, client, &octets, emit);
                }
            }
            Message::Octets(number, side, octets) => {
                if let Some(stream) = self.find(number) {
                    let outcome = stream.carried.octets(side, octets, emit);
                    stream.carried.judge(outcome);
                }
            }
            Message::Gap(number, side, length) => {
                if let Some(stream) = self.find(number) {
                    let outcome = stream.carried.gap(side, length, emit);
                    stream.carried.judge(outcome);
                }
            }
            // The client's last word ends nothing: its answer is still to come.
            Message::End(_, Some(side)) if self.client == Some(side) => {}
            Message::End(number, _) => {
                if let Some(at) = self.open.iter().position(|stream| stream.number == number) {
                    self.open.remove(at).end(emit);
                }
            }
            Message::AnswersLost => {
                self.answers_lost = true;
                for stream in self.open.drain(..) {
                    stream.end(emit);
                }
            }
        }
    }

    fn held(&self) -> usize {
        let streams = self.open.iter().map(Stream::held);
        self.dns.held() + streams.sum::<usize>()
    }

    fn find(&mut self, number: u32) -> Option<&mut Stream> {
        self.open.iter_mut().find(|stream| stream.number == number)
    }

    fn open(&mut self, number: u32, waiting: Waiting, emit: &mut Emit<'_>) {
        if self.open.len() >= MAX_STREAMS {
            self.open.remove(0).end(emit);
        }
        // A client may send before the answer comes.
        let is_stream = waiting.is_wstunnel()
            || waiting.http.method == "CONNECT" && waiting.http.upgrade.is_none();
        let carrying = self
            .open
            .iter()
            .filter(|s| s.carried.is_something())
            .count();
        let carried = if is_stream && carrying < MAX_CARRIED && !emit.is_deep() {
            Carried::Talk(Talk::new())
        } else {
            Carried::Nothing
        };
        let stream = Stream {
            number,
            waiting: Some(waiting),
            carried,
        };
        if self.answers_lost {
            stream.end(emit);
        } else {
            self.open.push(stream);
        }
    }

    fn answer(&mut self, number: u32, answer: &http2::Answer, emit: &mut Emit<'_>) {
        let carrying = self
            .open
            .iter()
            .filter(|s| s.carried.is_something())
            .count();
        let Some(stream) = self.find(number) else {
            return;
        };
        let is_granted = (200..300).contains(&answer.status);
        if !is_granted {
            stream.carried = Carried::Nothing;
        }
        let Some(mut waiting) = stream.waiting.take() else {
            return;
        };
        emit.note(&mut waiting.frames);
        if let Some((client, agreement)) = waiting.answered(answer, is_granted, emit)
            && carrying < MAX_CARRIED
            && !emit.is_deep()
        {
            let inside = Inside::begin(client, agreement, emit);
            stream.carried = Carried::WebSocket(Box::new(inside));
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        for stream in self.open.drain(..) {
            stream.end(emit);
        }
        self.dns.end(emit);
    }
}

impl Stream {
    fn held(&self) -> usize {
        let carried = match &self.carried {
            Carried::Nothing => 0,
            Carried::Talk(talk) => talk.held(),
            Carried::WebSocket(inside) => inside.held(),
        };
        carried + self.waiting.as_ref().map_or(0, Waiting::held)
    }

    fn end(self, emit: &mut Emit<'_>) {
        if let Some(waiting) = self.waiting {
            waiting.unanswered(emit);
        }
        match self.carried {
            Carried::Nothing => {}
            Carried::Talk(mut talk) => emit.within(CARRIER, |emit| talk.end(emit)),
            Carried::WebSocket(mut inside) => inside.end(emit),
        }
    }
}

impl Carried {
    fn is_something(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    fn octets(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Outcome {
        match self {
            Self::Nothing => Outcome::Wanted,
            Self::Talk(talk) => emit.within(CARRIER, |emit| talk.octets(from, octets, emit)),
            Self::WebSocket(inside) => outcome_of(inside.stream(from, octets, emit)),
        }
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Outcome {
        match self {
            Self::Nothing => Outcome::Wanted,
            Self::Talk(talk) => emit.within(CARRIER, |emit| talk.gap(from, length, emit)),
            Self::WebSocket(inside) => outcome_of(inside.gap(from, length, emit)),
        }
    }

    fn judge(&mut self, outcome: Outcome) {
        if outcome == Outcome::Decided {
            *self = Self::Nothing;
        }
    }
}

fn outcome_of(progress: Progress) -> Outcome {
    match progress {
        Progress::More(_) => Outcome::Wanted,
        Progress::Finished | Progress::Carries(_) | Progress::Violated(_) => Outcome::Decided,
    }
}

/// What the sessions of a stream's octets are told.
const CARRIER: &str = "http2";

/// Servers allow 100 to 250 at a time.
const MAX_STREAMS: usize = 128;

/// Each keeps octets; a tunnel has a stream for each connection through it, and after its handshake that keeps nothing.
const MAX_CARRIED: usize = 16;

#[cfg(test)]
mod tests;
