//! Two ordered streams of octets, one a side: which protocol they speak, and its session.
//!
//! It stands behind the reassembly of a TCP flow, and inside a session that carries another stream in its own framing.

use std::num::NonZeroU8;

use terrier_wire::Side;

use super::search::{self, Found, StreamSearch};
use super::{
    Emit, Fitting, MAX_CARRIERS, Opening, Outcome, Patience, Probe, Progress, Protocol, Session,
};
use crate::observation::{Fact, FirstOctets, Frames};

/// What two streams say, as far as it was understood.
pub(crate) struct Talk {
    held: [Held; 2],
    state: State,
    /// The packets that opened the streams.
    frames: Frames,
    /// Protocols that carried another one.
    carriers: u8,
    /// Of which protocol the octets that come first are, where somebody has asked.
    known: Option<NonZeroU8>,
}

/// Octets of one side that came in order and were not consumed.
#[derive(Default)]
struct Held {
    octets: Vec<u8>,
    consumed: usize,
}

enum State {
    /// No protocol is known.
    Searching {
        search: StreamSearch,
        /// Which still fit what each side has sent.
        fitting: [Fitting; 2],
    },
    /// A session reads on.
    Running {
        protocol: &'static Protocol,
        session: Box<dyn Session>,
    },
}

/// What the probes say of what one side has sent.
enum Probed {
    /// It is of a protocol, whose session has begun.
    Known,
    /// It may be of one.
    Open,
    /// It is of none.
    Unknown,
}

impl State {
    fn searching(search: StreamSearch) -> Self {
        Self::Searching {
            search,
            fitting: Side::BOTH.map(|side| search.fitting(side)),
        }
    }
}

impl Talk {
    /// Streams of which nothing was seen yet.
    pub(crate) fn new() -> Self {
        Self::after(StreamSearch::NEW, None)
    }

    /// Streams of which nothing is kept, and the search has come so far; `known` is the place of the protocol that it has
    /// found to begin with the octets that come next.
    pub(crate) fn after(search: StreamSearch, known: Option<NonZeroU8>) -> Self {
        Self {
            held: Default::default(),
            state: State::searching(search),
            frames: Frames::default(),
            carriers: 0,
            known,
        }
    }

    /// How far the search has come, if there is nothing else to keep.
    pub(crate) fn only_search(&self) -> Option<StreamSearch> {
        match &self.state {
            State::Searching { search, .. }
                if self.carriers == 0 && self.held.iter().all(|held| held.len() == 0) =>
            {
                Some(*search)
            }
            _ => None,
        }
    }

    /// Octets kept for the session, and by it.
    pub(crate) fn held(&self) -> usize {
        let session = match &self.state {
            State::Running { session, .. } => session.held(),
            State::Searching { .. } => 0,
        };
        session + self.held.iter().map(Held::len).sum::<usize>()
    }

    /// About so many octets of memory are taken by it, beyond its own room.
    pub(crate) fn memory(&self) -> usize {
        let session = match &self.state {
            State::Running { session, .. } => session.held() + size_of_val(&**session),
            State::Searching { .. } => 0,
        };
        let held = |held: &Held| held.octets.capacity();
        session + self.held.iter().map(held).sum::<usize>()
    }

    /// The streams ended: the session says what is pending.
    pub(crate) fn end(&mut self, emit: &mut Emit<'_>) {
        match &mut self.state {
            State::Running { session, .. } => session.end(emit),
            State::Searching { .. } => {
                for side in Side::BOTH {
                    self.say_unknown(side, emit);
                }
            }
        }
    }

    /// `length` octets of one side were lost (0: unknown).
    pub(crate) fn gap(&mut self, side: Side, length: u64, emit: &mut Emit<'_>) -> Outcome {
        emit.tally().gaps += 1;
        let progress = match &mut self.state {
            // What comes after the gap is no opening.
            State::Searching { search, .. } if search.is_late(side) => return Outcome::Wanted,
            State::Searching { .. } => {
                self.exhaust(side, emit);
                return Outcome::Wanted;
            }
            State::Running { session, .. } => session.gap(side, length, emit),
        };
        self.held[side.index()].clear();
        self.follow(progress, emit)
    }

    /// Takes octets of one side that come next.
    pub(crate) fn octets(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) -> Outcome {
        let State::Searching { search, .. } = &mut self.state else {
            return self.run(from, new, emit);
        };
        if let Some(place) = self.known.take()
            && let Some(protocol) = super::at(place)
        {
            self.begin(place, protocol, emit);
            return self.run(from, new, emit);
        }
        if search.is_late(from) {
            if let Some(place) = self.begin_late(from, new, emit) {
                return self.run(from, &new[place..], emit);
            }
            if self.held[from.index()].len() > 0 {
                self.keep(from, new, emit);
            }
            return self.pass(from, new.len(), emit);
        }
        // Octets that may open something are not looked at for what comes behind a preamble. Once more have come, what
        // fitted so far may as well be a preamble that resembles it.
        let first = self.held[from.index()].len() == 0;
        if !first && let Some(place) = self.begin_late(from, new, emit) {
            return self.run(from, &new[place..], emit);
        }
        // In the usual case the first octets tell, and the session reads them where they are.
        let mut fresh = new;
        if !first {
            self.keep(from, std::mem::take(&mut fresh), emit);
        }
        let probed = self.probe(from, fresh, emit);
        if first && !matches!(probed, Probed::Known) {
            self.keep(from, new, emit);
        }
        match probed {
            Probed::Known => self.run(from, fresh, emit),
            Probed::Open => Outcome::Wanted,
            Probed::Unknown => {
                let outcome = self.exhaust(from, emit);
                // The first segment may hold a preamble and what comes behind it.
                if first && let Some(place) = self.begin_late(from, new, emit) {
                    return self.run(from, &new[place..], emit);
                }
                outcome
            }
        }
    }

    /// Keeps octets that somebody may want.
    fn keep(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) {
        emit.note(&mut self.frames);
        self.held[from.index()].push(new);
    }

    /// Asks every protocol that still fits a side for what that side has sent so far: `new`, where nothing is held.
    fn probe(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) -> Probed {
        let State::Searching { fitting, .. } = &mut self.state else {
            return Probed::Known;
        };
        let held = self.held[from.index()].rest();
        let octets = if held.is_empty() { new } else { held };
        let opening = Opening {
            ports: emit.flow().ports(),
            octets,
        };
        let left = &mut fitting[from.index()];
        left.keep(search::may_begin(&opening));
        for (at, protocol) in left.each() {
            match (protocol.probe)(&opening) {
                Probe::Maybe => {}
                Probe::No => left.remove(at),
                Probe::Yes => {
                    self.begin(super::place(at), protocol, emit);
                    return Probed::Known;
                }
            }
        }
        if left.is_empty() || octets.len() > MAX_PROBED {
            Probed::Unknown
        } else {
            Probed::Open
        }
    }

    /// Nothing can have opened what a side sent.
    fn exhaust(&mut self, side: Side, emit: &mut Emit<'_>) -> Outcome {
        if let State::Searching { fitting, .. } = &mut self.state {
            fitting[side.index()] = Fitting::NONE;
        }
        self.pass(side, self.held[side.index()].len(), emit)
    }

    /// Octets of a side that nobody knew are passed over. Its first ones are told when there are enough of them, or when
    /// nothing can have opened the other side either; then nothing of them is kept.
    fn pass(&mut self, side: Side, octets: usize, emit: &mut Emit<'_>) -> Outcome {
        let State::Searching { search, .. } = &mut self.state else {
            return Outcome::Wanted;
        };
        // Where the other side has begun something they are not without an answer.
        let other = side.other();
        let answered = !search.is_late(other) && self.held[other.index()].len() > 0;
        let found = search.pass(side, if answered { 0 } else { octets });
        let search = *search;
        let both = Side::BOTH.into_iter().all(|side| search.is_late(side));
        for side in Side::BOTH {
            let late = search.is_late(side);
            if both || late && self.held[side.index()].len() >= FirstOctets::MAX {
                self.say_unknown(side, emit);
                self.held[side.index()].clear();
            }
        }
        match found {
            Found::GivenUp => Outcome::Decided,
            Found::Something | Found::Begins(_) | Found::Nothing => Outcome::Wanted,
        }
    }

    /// Begins a session with a segment whose first octets leave no doubt, whatever came before, or with octets inside of
    /// it: answers where. What came before is another protocol's.
    fn begin_late(&mut self, from: Side, new: &[u8], emit: &mut Emit<'_>) -> Option<usize> {
        let opening = Opening {
            ports: emit.flow().ports(),
            octets: new,
        };
        let (number, protocol, place) = search::behind_a_preamble(&opening)?;
        for side in [from, from.other()] {
            self.say_unknown(side, emit);
            self.held[side.index()].clear();
        }
        self.begin(super::place(number), protocol, emit);
        Some(place)
    }

    fn begin(&mut self, place: NonZeroU8, protocol: &'static Protocol, emit: &mut Emit<'_>) {
        let session = (protocol.start)();
        if session.is_sure() {
            emit.begun(place);
        }
        self.state = State::Running { protocol, session };
    }

    /// Looks at what is left of both sides as if the flow began here.
    fn open_again(&mut self, emit: &mut Emit<'_>) -> Outcome {
        self.carriers += 1;
        if self.carriers > MAX_CARRIERS {
            return Outcome::Decided;
        }
        self.state = State::searching(StreamSearch::NEW);
        self.frames = Frames::default();
        for side in Side::BOTH {
            if self.held[side.index()].len() == 0 {
                continue;
            }
            let outcome = match self.probe(side, &[], emit) {
                Probed::Known => return self.run(side, &[], emit),
                Probed::Unknown => self.exhaust(side, emit),
                Probed::Open => Outcome::Wanted,
            };
            if outcome == Outcome::Decided {
                return outcome;
            }
        }
        Outcome::Wanted
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

    /// Hands out the first octets of a side, as long as they are kept and somebody may know them.
    fn say_unknown(&self, side: Side, emit: &mut Emit<'_>) {
        let octets = self.held[side.index()].rest();
        // Of what a protocol carried, that it was unknown tells something too.
        let carried = self.carriers > 0 && !octets.is_empty();
        if carried || emit.asks_for_opening(octets) {
            let first = FirstOctets::of(side, octets);
            emit.fact(&self.frames, Fact::Unknown(first));
        }
    }

    /// How long its flow may be silent.
    pub(crate) fn patience(&self) -> Patience {
        match &self.state {
            State::Running { protocol, .. } => protocol.patience,
            State::Searching { .. } => Patience::Usual,
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
        // A long message is rare: its room is given back.
        if self.octets.capacity() > MAX_PROBED {
            self.octets = Vec::new();
        }
        self.consumed = 0;
    }
}

/// The longest message a session may wait for: a TLS handshake message, an RDP packet.
const MAX_HELD: usize = 64 << 10;
/// What a probe may ask for; a TLS hello cut into the smallest records is told long before.
const MAX_PROBED: usize = 8 << 10;
