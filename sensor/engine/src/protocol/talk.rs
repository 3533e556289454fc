//! Two ordered streams of octets, one a side: which protocol they speak, and its session.
//!
//! It stands behind the reassembly of a TCP flow, and inside a session that carries another stream in its own framing.

use terrier_wire::Side;

use super::{
    BEHIND_A_PREAMBLE, Begins, Emit, Fitting, MAX_CARRIERS, OVER_TCP, Opening, Outcome, Patience,
    Probe, Progress, Protocol, Session,
};
use crate::observation::{Fact, FirstOctets, Frames};

/// What two streams say, as far as it was understood.
pub(crate) struct Talk {
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
    /// No protocol is known; which still fit each side.
    Probing([Fitting; 2]),
    /// None of them opened the streams; one may still begin behind a preamble, within so many more segments.
    Waiting(u8),
    /// A session reads on.
    Running {
        protocol: &'static Protocol,
        session: Box<dyn Session>,
    },
}

impl Talk {
    /// Streams of which nothing was seen yet.
    pub(crate) fn new() -> Self {
        Self {
            held: Default::default(),
            state: State::Probing([OVER_TCP; 2]),
            first: FirstOctets::default(),
            frames: Frames::default(),
            carriers: 0,
        }
    }

    /// Octets kept for the session, and by it.
    pub(crate) fn held(&self) -> usize {
        let session = match &self.state {
            State::Running { session, .. } => session.held(),
            State::Probing(_) | State::Waiting(_) => 0,
        };
        session + self.held.iter().map(Held::len).sum::<usize>()
    }

    /// The streams ended: the session says what is pending.
    pub(crate) fn end(&mut self, emit: &mut Emit<'_>) {
        match &mut self.state {
            State::Running { session, .. } => session.end(emit),
            State::Probing(_) => self.say_unknown(emit),
            State::Waiting(_) => {}
        }
    }

    /// `length` octets of one side were lost (0: unknown).
    pub(crate) fn gap(&mut self, side: Side, length: u64, emit: &mut Emit<'_>) -> Outcome {
        emit.tally().gaps += 1;
        let progress = match &mut self.state {
            // What comes after the gap is no opening.
            State::Probing(fitting) => {
                fitting[side.index()] = Fitting::NONE;
                return self.judge_probes(emit);
            }
            State::Waiting(_) => return Outcome::Wanted,
            State::Running { session, .. } => session.gap(side, length, emit),
        };
        self.held[side.index()].clear();
        self.follow(progress, emit)
    }

    /// Takes octets of one side that come next.
    pub(crate) fn octets(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) -> Outcome {
        match &mut self.state {
            State::Running { .. } => self.run(from, new, emit),
            State::Probing(fitting) => {
                // Octets that may open something are not looked at for what comes behind a preamble. Once more have come,
                // what fitted so far may as well be a preamble that resembles it.
                let late = fitting[from.index()].is_empty() || self.held[from.index()].len() > 0;
                if late && let Some(place) = self.begin_late(from, new, emit) {
                    return self.run(from, &new[place..], emit);
                }
                emit.note(&mut self.frames);
                let first = &mut self.first.octets[from.index()];
                let room = FirstOctets::MAX.saturating_sub(first.len());
                first.extend_from_slice(&new[..new.len().min(room)]);
                self.held[from.index()].push(new);
                let outcome = self.probe(from, emit);
                // The first segment may hold a preamble and what comes behind it.
                if !late
                    && self.is_unknown(from)
                    && let Some(place) = self.begin_late(from, new, emit)
                {
                    return self.run(from, &new[place..], emit);
                }
                outcome
            }
            State::Waiting(segments) => {
                *segments -= 1;
                let over = *segments == 0;
                if let Some(place) = self.begin_late(from, new, emit) {
                    self.run(from, &new[place..], emit)
                } else if over {
                    Outcome::Decided
                } else {
                    Outcome::Wanted
                }
            }
        }
    }

    /// Asks every protocol that still fits a side for what that side has sent so far.
    fn probe(&mut self, from: Side, emit: &mut Emit<'_>) -> Outcome {
        let State::Probing(fitting) = &mut self.state else {
            return Outcome::Wanted;
        };
        let opening = Opening {
            flow: emit.flow(),
            octets: self.held[from.index()].rest(),
        };
        let left = &mut fitting[from.index()];
        for (at, protocol) in left.each() {
            match (protocol.probe)(&opening) {
                Probe::Maybe => {}
                Probe::No => left.remove(at),
                Probe::Yes => {
                    self.begin(at, protocol, emit);
                    return self.run(from, &[], emit);
                }
            }
        }
        self.judge_probes(emit)
    }

    /// Whether no protocol can have opened what a side sent.
    fn is_unknown(&self, side: Side) -> bool {
        match &self.state {
            State::Probing(fitting) => fitting[side.index()].is_empty(),
            State::Waiting(_) => true,
            State::Running { .. } => false,
        }
    }

    /// Begins a session with a segment whose first octets leave no doubt, whatever came before, or with octets inside of
    /// it: answers where. What came before is another protocol's.
    fn begin_late(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) -> Option<usize> {
        let opening = Opening {
            flow: emit.flow(),
            octets: new,
        };
        let (number, protocol, place) =
            BEHIND_A_PREAMBLE.each().find_map(|(number, protocol)| {
                if (protocol.probe)(&opening) == Probe::Yes {
                    return Some((number, protocol, 0));
                }
                match protocol.begins {
                    Begins::Within(find) => find(new).map(|place| (number, protocol, place)),
                    Begins::AtAnySegment | Begins::AtTheStart => None,
                }
            })?;
        if matches!(self.state, State::Probing(_)) {
            self.say_unknown(emit);
        }
        self.held[from.index()].clear();
        self.held[from.other().index()].clear();
        self.begin(number, protocol, emit);
        Some(place)
    }

    fn begin(&mut self, number: usize, protocol: &'static Protocol, emit: &mut Emit<'_>) {
        let session = (protocol.start)();
        if session.is_sure() {
            emit.begun(super::place(number));
        }
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
            if silent && !fitting[side.index()].is_empty() {
                other_len > MAX_UNANSWERED
            } else {
                fitting[side.index()].is_empty()
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
    fn open_again(&mut self, emit: &mut Emit<'_>) -> Outcome {
        self.carriers += 1;
        if self.carriers > MAX_CARRIERS {
            return Outcome::Decided;
        }
        self.state = State::Probing([OVER_TCP; 2]);
        self.frames = Frames::default();
        for side in Side::BOTH {
            let left = self.held[side.index()].rest();
            self.first.octets[side.index()] = left[..left.len().min(FirstOctets::MAX)].to_vec();
        }
        for side in Side::BOTH {
            if self.held[side.index()].len() > 0 && matches!(self.state, State::Probing(_)) {
                let outcome = self.probe(side, emit);
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
    fn follow(&mut self, progress: Progress, emit: &mut Emit<'_>) -> Outcome {
        let State::Running { protocol, .. } = &self.state else {
            return Outcome::Decided;
        };
        match progress {
            Progress::More(_) => Outcome::Wanted,
            Progress::Carries(_) => self.open_again(emit),
            Progress::Finished => Outcome::Decided,
            Progress::Violated(why) => {
                emit.tally().violations.push((protocol.name, why));
                Outcome::Decided
            }
        }
    }

    /// Feeds the session: first the side that has something new, then the other one, as long as either consumes.
    fn run(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) -> Outcome {
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
        self.follow(progress, emit)
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

/// The longest message a session may wait for: a TLS handshake message, an RDP packet.
const MAX_HELD: usize = 64 << 10;
/// What a probe may ask for; a TLS hello cut into the smallest records is told long before.
const MAX_PROBED: usize = 8 << 10;
/// Segments that are looked at for a protocol behind a preamble: STARTTLS of the most talkative mail servers comes within.
const MAX_PREAMBLE: u8 = 16;
/// What one side may send without an answer before its flow is taken as one-sided.
const MAX_UNANSWERED: usize = 4 << 10;
