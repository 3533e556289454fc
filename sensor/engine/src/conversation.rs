//! What a flow needs while a session wants its octets: two streams in order, what was not consumed yet, and the session.
//!
//! It exists from the first payload until the session is finished, violated, or no protocol fits; then the flow is decided
//! and its packets are only counted.

use terrier_wire::Side;

use crate::counters::Counters;
use crate::observation::{Fact, FirstOctets, FlowRef, Frames, Transport};
use crate::protocol::{self, Begins, Emit, Opening, Patience, Probe, Progress, Protocol, Session};
use crate::reassembly::{Accepted, Piece, Stream};

/// The cold state of one flow.
pub(crate) struct Conversation {
    /// The flow.
    pub(crate) flow: FlowRef,
    streams: [Stream; 2],
    held: [Held; 2],
    state: State,
    first: FirstOctets,
    frames: Frames,
    /// Protocols that carried another one.
    carriers: u8,
}

/// Octets of one side that came in order and were not consumed.
#[derive(Default)]
struct Held {
    octets: Vec<u8>,
    consumed: usize,
}

enum State {
    /// No protocol is known; which of [`protocol::ALL`] still fit each side, one bit each.
    Probing([u32; 2]),
    /// None of them opened the flow; one may still begin behind a preamble, within so many more segments.
    Waiting(u8),
    /// A session reads on.
    Running {
        protocol: &'static Protocol,
        session: Box<dyn Session>,
    },
}

/// What a flow's payload is good for after a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// More is wanted.
    Wanted,
    /// Nothing more is wanted.
    Decided,
}

/// The payload of a TCP segment.
pub(crate) struct Payload<'a> {
    pub(crate) from: Side,
    pub(crate) seq: u32,
    pub(crate) octets: &'a [u8],
    /// Octets that the capture cut off behind.
    pub(crate) cut: u32,
    /// What the segment acknowledges.
    pub(crate) ack: Option<u32>,
}

impl Conversation {
    /// For a TCP flow; `start` are the sequence numbers after each side's SYN, where they were seen.
    pub(crate) fn over_tcp(flow: FlowRef, start: [Option<u32>; 2]) -> Self {
        let all = candidates(Transport::Tcp);
        let mut conversation = Self::new(flow, State::Probing([all; 2]));
        for (stream, seq) in conversation.streams.iter_mut().zip(start) {
            if let Some(seq) = seq {
                stream.begin(seq);
            }
        }
        conversation
    }

    /// For a UDP flow, when a datagram is of a protocol that is known; its session still has to be fed.
    pub(crate) fn over_udp(
        flow: FlowRef,
        datagram: &[u8],
        counters: &mut Counters,
    ) -> Option<Self> {
        let opening = Opening {
            flow: &flow,
            octets: datagram,
        };
        let known = protocol::ALL.iter().find(|protocol| {
            protocol.transport == Transport::Udp && (protocol.probe)(&opening) == Probe::Yes
        })?;
        *counters.sessions.entry(known.name).or_default() += 1;
        Some(Self::new(
            flow,
            State::Running {
                protocol: known,
                session: (known.start)(),
            },
        ))
    }

    fn new(flow: FlowRef, state: State) -> Self {
        Self {
            flow,
            streams: Default::default(),
            held: Default::default(),
            state,
            first: FirstOctets {
                octets: Default::default(),
            },
            frames: Frames::default(),
            carriers: 0,
        }
    }

    /// Octets kept for the session, in order or not.
    pub(crate) fn buffered(&self) -> usize {
        self.held.iter().map(Held::len).sum::<usize>()
            + self
                .streams
                .iter()
                .map(Stream::pending_octets)
                .sum::<usize>()
    }

    /// Takes the payload of a segment.
    pub(crate) fn segment(
        &mut self,
        payload: &Payload<'_>,
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        let at_ns = emit.at_ns();
        if let Some(ack) = payload.ack {
            self.streams[payload.from.other().index()].acknowledged(ack);
        }
        let stream = &mut self.streams[payload.from.index()];
        let mut outcome = match stream.segment(payload.seq, payload.octets, at_ns) {
            Accepted::Next(octets) => {
                let outcome = self.deliver(payload.from, octets, emit, counters);
                if payload.cut > 0 && outcome == Outcome::Wanted {
                    self.streams[payload.from.index()].skip(payload.cut);
                    self.lose(payload.from, u64::from(payload.cut), emit, counters)
                } else {
                    outcome
                }
            }
            Accepted::Early { conflict } => {
                counters.conflicts += u64::from(conflict);
                Outcome::Wanted
            }
            Accepted::Old | Accepted::OutOfWindow => Outcome::Wanted,
        };
        for side in [payload.from, payload.from.other()] {
            while outcome == Outcome::Wanted {
                let Some(piece) = self.streams[side.index()].pop(at_ns, false) else {
                    break;
                };
                outcome = self.piece(side, piece, emit, counters);
            }
        }
        outcome
    }

    /// Notes an acknowledgement that came without payload.
    pub(crate) fn acknowledged(&mut self, by: Side, ack: u32) {
        self.streams[by.other().index()].acknowledged(ack);
    }

    /// Notes the end of a side. Answers whether all of both sides was handed out.
    pub(crate) fn finish(&mut self, side: Side, fin_seq: u32) -> bool {
        self.streams[side.index()].finish(fin_seq);
        self.streams.iter().all(Stream::is_finished)
    }

    /// Takes a datagram.
    pub(crate) fn datagram(
        &mut self,
        from: Side,
        octets: &[u8],
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        let State::Running { session, .. } = &mut self.state else {
            return Outcome::Decided;
        };
        let progress = session.feed(from, octets, emit);
        self.follow(progress, emit, counters)
    }

    /// The flow ended: what waits for lost octets is handed out, then the session says what is pending.
    pub(crate) fn end(&mut self, emit: &mut Emit<'_>, counters: &mut Counters) {
        let at_ns = emit.at_ns();
        for side in Side::BOTH {
            while let Some(piece) = self.streams[side.index()].pop(at_ns, true) {
                if self.piece(side, piece, emit, counters) == Outcome::Decided {
                    return;
                }
            }
        }
        match &mut self.state {
            State::Running { session, .. } => session.end(emit),
            State::Probing(_) => self.say_unknown(emit),
            State::Waiting(_) => {}
        }
    }

    fn piece(
        &mut self,
        side: Side,
        piece: Piece,
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        match piece {
            Piece::Octets(octets) => self.deliver(side, &octets, emit, counters),
            Piece::Gap(length) => self.lose(side, length, emit, counters),
        }
    }

    fn lose(
        &mut self,
        side: Side,
        length: u64,
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        counters.gaps += 1;
        let progress = match &mut self.state {
            // What comes after the gap is no opening.
            State::Probing(fitting) => {
                fitting[side.index()] = 0;
                return self.judge_probes(emit);
            }
            State::Waiting(_) => return Outcome::Wanted,
            State::Running { session, .. } => session.gap(side, length, emit),
        };
        self.held[side.index()].clear();
        self.follow(progress, emit, counters)
    }

    /// Hands octets that are next to whoever wants them.
    fn deliver(
        &mut self,
        from: Side,
        new: &[u8],
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        match &mut self.state {
            State::Running { .. } => self.run(from, new, emit, counters),
            State::Probing(fitting) => {
                if fitting[from.index()] == 0 && self.begin_late(from, new, emit, counters) {
                    return self.run(from, new, emit, counters);
                }
                emit.note(&mut self.frames);
                let first = &mut self.first.octets[from.index()];
                let room = FirstOctets::MAX.saturating_sub(first.len());
                first.extend_from_slice(&new[..new.len().min(room)]);
                self.held[from.index()].push(new);
                self.probe(from, emit, counters)
            }
            State::Waiting(segments) => {
                *segments -= 1;
                let over = *segments == 0;
                if self.begin_late(from, new, emit, counters) {
                    self.run(from, new, emit, counters)
                } else if over {
                    Outcome::Decided
                } else {
                    Outcome::Wanted
                }
            }
        }
    }

    /// Asks every protocol that still fits a side for what that side has sent so far.
    fn probe(&mut self, from: Side, emit: &mut Emit<'_>, counters: &mut Counters) -> Outcome {
        let State::Probing(fitting) = &mut self.state else {
            return Outcome::Wanted;
        };
        let opening = Opening {
            flow: &self.flow,
            octets: self.held[from.index()].rest(),
        };
        let bits = &mut fitting[from.index()];
        let asked = *bits;
        for (at, protocol) in protocol::ALL.iter().enumerate() {
            if asked & (1 << at) == 0 {
                continue;
            }
            match (protocol.probe)(&opening) {
                Probe::Maybe => {}
                Probe::No => *bits &= !(1 << at),
                Probe::Yes => {
                    self.begin(protocol, counters);
                    return self.run(from, &[], emit, counters);
                }
            }
        }
        self.judge_probes(emit)
    }

    /// Begins a session with a segment whose first octets leave no doubt, whatever came before. What came before is
    /// another protocol's.
    fn begin_late(
        &mut self,
        from: Side,
        new: &[u8],
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> bool {
        let opening = Opening {
            flow: &self.flow,
            octets: new,
        };
        let known = protocol::ALL.iter().find(|protocol| {
            protocol.begins == Begins::AtAnySegment && (protocol.probe)(&opening) == Probe::Yes
        });
        let Some(protocol) = known else { return false };
        if matches!(self.state, State::Probing(_)) {
            self.say_unknown(emit);
        }
        self.held[from.index()].clear();
        self.held[from.other().index()].clear();
        self.begin(protocol, counters);
        true
    }

    fn begin(&mut self, protocol: &'static Protocol, counters: &mut Counters) {
        *counters.sessions.entry(protocol.name).or_default() += 1;
        let session = (protocol.start)();
        self.state = State::Running { protocol, session };
    }

    /// Once no protocol can have opened the flow, it is only looked at for one that begins behind a preamble.
    fn judge_probes(&mut self, emit: &mut Emit<'_>) -> Outcome {
        let State::Probing(fitting) = &self.state else {
            return Outcome::Wanted;
        };
        let hopeless = Side::BOTH.into_iter().all(|side| {
            let silent = self.held[side.index()].len() == 0;
            let other_len = self.held[side.other().index()].len();
            // A side that has said nothing may still open with something known, unless the other goes on without it.
            if silent && fitting[side.index()] != 0 {
                other_len > MAX_UNANSWERED
            } else {
                fitting[side.index()] == 0
            }
        });
        let too_long = self.held.iter().any(|held| held.len() > MAX_PROBED);
        if hopeless || too_long {
            self.say_unknown(emit);
            self.wait();
        }
        Outcome::Wanted
    }

    /// Looks at what is left of both sides as if the flow began here.
    fn open_again(&mut self, emit: &mut Emit<'_>, counters: &mut Counters) -> Outcome {
        self.carriers += 1;
        if self.carriers > MAX_CARRIERS {
            return Outcome::Decided;
        }
        self.state = State::Probing([candidates(Transport::Tcp); 2]);
        self.frames = Frames::default();
        for side in Side::BOTH {
            let left = self.held[side.index()].rest();
            self.first.octets[side.index()] = left[..left.len().min(FirstOctets::MAX)].to_vec();
        }
        for side in Side::BOTH {
            if self.held[side.index()].len() > 0 && matches!(self.state, State::Probing(_)) {
                let outcome = self.probe(side, emit, counters);
                if outcome == Outcome::Decided {
                    return outcome;
                }
            }
        }
        Outcome::Wanted
    }

    fn wait(&mut self) {
        self.held = Default::default();
        self.state = State::Waiting(MAX_PREAMBLE);
    }

    fn say_unknown(&mut self, emit: &mut Emit<'_>) {
        if self.first.octets.iter().any(|octets| !octets.is_empty()) {
            emit.fact(&self.frames, Fact::Unknown(self.first.clone()));
        }
    }

    /// How a conversation goes on after its session has read.
    fn follow(
        &mut self,
        progress: Progress,
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        let State::Running { protocol, .. } = &self.state else {
            return Outcome::Decided;
        };
        match progress {
            Progress::More(_) => Outcome::Wanted,
            Progress::Carries(_) => self.open_again(emit, counters),
            Progress::Finished => Outcome::Decided,
            Progress::Violated(why) => {
                *counters.violations.entry((protocol.name, why)).or_default() += 1;
                Outcome::Decided
            }
        }
    }

    /// Feeds the session: first the side that has something new, then the other one, as long as either consumes.
    fn run(
        &mut self,
        from: Side,
        new: &[u8],
        emit: &mut Emit<'_>,
        counters: &mut Counters,
    ) -> Outcome {
        let State::Running { session, .. } = &mut self.state else {
            return Outcome::Wanted;
        };
        let mut progress = Progress::More(0);
        let mut new = new;
        let mut side = from;
        let mut idle = 0;
        while idle < 2 {
            let held = &mut self.held[side.index()];
            let fresh = if side == from {
                std::mem::take(&mut new)
            } else {
                &[]
            };
            // In the usual case nothing is held, and the octets of the packet are read where they are.
            let direct = held.len() == 0 && !fresh.is_empty();
            if !direct {
                held.push(fresh);
            }
            let octets = if direct { fresh } else { held.rest() };
            let offered = octets.len();
            if offered == 0 {
                idle += 1;
                side = side.other();
                continue;
            }
            progress = session.feed(side, octets, emit);
            let (Progress::More(used) | Progress::Carries(used)) = progress else {
                break;
            };
            let used = used.min(offered);
            idle = if used == 0 { idle + 1 } else { 0 };
            if direct {
                held.push(&fresh[used..]);
            } else {
                held.consume(used);
            }
            if let Progress::Carries(_) = progress {
                break;
            }
            if held.len() > MAX_HELD {
                session.end(emit);
                progress = Progress::Violated("too much pending");
                break;
            }
            side = side.other();
        }
        self.follow(progress, emit, counters)
    }

    /// How long its flow may be silent.
    pub(crate) fn patience(&self) -> Patience {
        match &self.state {
            State::Running { protocol, .. } => protocol.patience,
            State::Probing(_) | State::Waiting(_) => Patience::Usual,
        }
    }
}

impl Held {
    fn rest(&self) -> &[u8] {
        &self.octets[self.consumed..]
    }

    fn len(&self) -> usize {
        self.octets.len() - self.consumed
    }

    fn push(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        if self.consumed > 0 {
            self.octets.drain(..self.consumed);
            self.consumed = 0;
        }
        self.octets.extend_from_slice(octets);
    }

    fn consume(&mut self, octets: usize) {
        self.consumed += octets;
        if self.consumed == self.octets.len() {
            self.clear();
        }
    }

    fn clear(&mut self) {
        self.octets.clear();
        self.consumed = 0;
    }
}

fn candidates(transport: Transport) -> u32 {
    protocol::ALL
        .iter()
        .enumerate()
        .filter(|(_, protocol)| protocol.transport == transport)
        .fold(0, |bits, (at, _)| bits | 1 << at)
}

/// The longest message a session may wait for: a TLS handshake message, an RDP packet.
const MAX_HELD: usize = 64 << 10;
/// What a probe may ask for; a TLS hello cut into the smallest records is told long before.
const MAX_PROBED: usize = 8 << 10;
/// A proxy behind a proxy behind a proxy; more is an attack on the stack.
const MAX_CARRIERS: u8 = 4;
/// Segments that are looked at for a protocol behind a preamble: STARTTLS of the most talkative mail servers comes within.
const MAX_PREAMBLE: u8 = 16;
/// What one side may send without an answer before its flow is taken as one-sided.
const MAX_UNANSWERED: usize = 4 << 10;
