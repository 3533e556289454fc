//! Packets to facts: the per-packet work. Workers share nothing.
//!
//! Each worker takes the packets whose five-tuple hashes to it, whoever else it is shown ([`Dealer`] says whom a packet
//! concerns); fragments are put together by every worker alike, as only the whole packet tells its five-tuple. So any number of workers finds the same facts.
//! How a packet finds its flow is in `arrive`.

mod arrive;
mod batch;
mod conversations;
mod deal;
mod dealer;
mod leave;
mod print;
mod taken;

use terrier_wire::Side;
use terrier_wire::transport::Flags;

use crate::conversation::{Conversation, Left, Payload};
use crate::counters::Counters;
use crate::flow::{Flow, FlowTable, Hasher, Phase, TcpSeen, Traits};
use crate::limits::Limits;
use crate::observation::{EndCause, Observation, Openings};
use crate::packet::Packet;
use crate::protocol::{self, DatagramSearch, Emit, Found, Outcome, Patience, StreamSearch, Tally};
use crate::reassembly::Fragments;
use conversations::Conversations;
use deal::Deals;
pub use deal::{Aside, Dealt};
pub use dealer::Dealer;
use leave::asks_for_end;
pub use taken::Taken;
use taken::Told;

/// How a worker is set up.
#[derive(Debug, Clone, Copy)]
pub struct WorkerConfig {
    /// Which worker it is, from 0.
    pub index: u16,
    /// How many there are.
    pub count: u16,
    /// Secret of the run, the same for all its workers: senders choose what is hashed.
    pub seed: u64,
    /// Bounds of all workers together.
    pub limits: Limits,
    /// What is made besides that which the detections need.
    pub wanted: Wanted,
}

/// What is made only where somebody needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The end of each flow; else only of those in which something was seen that is remembered until then.
    pub flow_ends: bool,
    /// JA3 and JA4 of hellos: a quarter of what a TLS handshake costs.
    pub fingerprints: bool,
    /// Which first octets of flows that no decoder knows are told: those that a signature may know, for the detections.
    pub openings: Openings,
}

impl Wanted {
    /// All of it.
    pub const ALL: Self = Self {
        flow_ends: true,
        fingerprints: true,
        openings: Openings::ALL,
    };
    /// What the detections need, whatever the signatures.
    pub const NONE: Self = Self {
        flow_ends: false,
        fingerprints: false,
        openings: Openings::ALL,
    };

    fn wants_end(self, flow: &Flow) -> bool {
        self.flow_ends || flow.has(Traits::REMEMBERED)
    }
}

/// How far a tick came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "what is not told yet is told by the next call"]
pub enum Ticked {
    /// All that ends with it was told.
    Done,
    /// There is more: the tick is called again.
    MoreToTell,
}

/// What a worker hands to the judge, reused from call to call.
#[derive(Debug, Default)]
pub struct Facts {
    /// Which worker.
    pub worker: u16,
    /// In the order of their keys.
    pub observations: Vec<Observation>,
    /// What the judge has looked at of an earlier time. The worker drops it: memory costs less where it came from.
    pub spent: Vec<Observation>,
    /// All packets and ticks up to this `seq` have been worked on.
    pub through: u64,
    /// The worker's counts, at ticks.
    pub counters: Option<Box<Counters>>,
    /// Whether the input has ended.
    pub ended: bool,
}

impl Facts {
    /// Drops what was looked at, and uses its room.
    #[inline]
    fn make_room(&mut self) {
        if self.spent.capacity() > 0 {
            let mut spent = std::mem::take(&mut self.spent);
            spent.clear();
            if self.observations.capacity() == 0 {
                self.observations = spent;
            }
        }
    }
}

/// Flows whose end is told at once: about a megabyte of facts.
const AT_ONCE: usize = 4096;

/// The time of the tick that ends the input: every flow ends with it.
pub const END_OF_INPUT: i64 = i64::MAX;

/// One worker.
pub struct Worker {
    config: WorkerConfig,
    table: FlowTable,
    conversations: Conversations,
    fragments: Fragments,
    counters: Counters,
    /// Sessions begun, by the place of their protocol: what is counted often is counted by place.
    sessions: [u64; protocol::PLACES],
    now_ns: i64,
    /// What is left to tell of a tick.
    leaving: Option<Vec<(u64, u32)>>,
    /// Set where packets are dealt out before they come here.
    deals: Option<Deals>,
}

impl Worker {
    /// A worker that has seen nothing.
    #[must_use]
    pub fn new(config: WorkerConfig) -> Self {
        let count = usize::from(config.count.max(1));
        Self {
            table: FlowTable::new(
                config.limits.flows.div_ceil(count),
                Hasher::new(config.seed),
            ),
            conversations: Conversations::new(config.limits.buffered_octets / count, config.wanted),
            fragments: Fragments::new(config.limits.fragment_octets / count, config.seed),
            counters: Counters::default(),
            sessions: [0; protocol::PLACES],
            now_ns: i64::MIN,
            leaving: None,
            deals: None,
            config,
        }
    }

    /// The time of the first packet of the run, whomever it concerns: the timers of all workers turn alike. Where every
    /// packet is shown to every worker, that is the first one shown.
    pub fn begin(&mut self, at_ns: i64) {
        self.table.begin(at_ns);
    }

    /// A second of packet time has passed, or with [`END_OF_INPUT`] the input has ended. Flows that were silent for too
    /// long end. There may be any number of them: until it answers [`Ticked::Done`] it is called again with the same
    /// arguments, once what it has told was handed on.
    pub fn tick(&mut self, at_ns: i64, seq: u64, facts: &mut Facts) -> Ticked {
        let cause = if at_ns == END_OF_INPUT {
            EndCause::EndOfInput
        } else {
            EndCause::Idle
        };
        let mut leaving = match self.leaving.take() {
            Some(leaving) => leaving,
            None => self.leaving(at_ns),
        };
        facts.worker = self.config.index;
        for _ in 0..AT_ONCE / FlowTable::TOGETHER {
            let together = leaving.len().saturating_sub(FlowTable::TOGETHER)..;
            let flows = leaving[together.clone()].iter().map(|&(_, at)| at);
            self.table.fetch_to_remove(flows);
            for (_, at) in leaving.drain(together).rev() {
                self.end_flow(at, cause, seq, None, facts);
            }
        }
        if !leaving.is_empty() {
            facts.through = seq.saturating_sub(1);
            self.leaving = Some(leaving);
            return Ticked::MoreToTell;
        }
        facts.through = seq;
        facts.ended = at_ns == END_OF_INPUT;
        facts.counters = Some(Box::new(self.counters()));
        Ticked::Done
    }

    /// The counts up to now.
    fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
        for (place, &begun) in self.sessions.iter().enumerate() {
            counters.add_sessions(protocol::place(place), begun);
        }
        counters.buffered_octets = self.conversations.buffered as u64;
        // Every worker puts fragments together; one of them counts.
        if self.config.index == 0 {
            counters.fragments_given_up = self.fragments.given_up;
            counters.conflicts += self.fragments.conflicts;
            counters.duplicates += self.fragments.duplicates;
        }
        counters
    }

    fn segment(
        &mut self,
        at: u32,
        side: usize,
        told: &Told<'_>,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) {
        let flow = self.table.get(at);
        let segment = told.plain;
        let flags = segment.flags;
        let mut data_seq = segment.seq;
        if flags.has(Flags::SYN) {
            data_seq = segment.seq.wrapping_add(1);
            let bit = if side == 0 {
                TcpSeen::SYN
            } else {
                TcpSeen::SYN_ACK
            };
            if !flow.seen.has(bit) {
                flow.seen.set(bit);
                flow.start_seq[side] = data_seq;
            }
        }
        if flags.has(Flags::FIN) {
            flow.seen.set(TcpSeen::fin(side));
        }
        if flags.has(Flags::RST) {
            flow.seen.set(TcpSeen::RST);
        }
        if flow.phase == Phase::Decided {
            return;
        }
        let from = SIDES[side];
        let octets = told.payload();
        if !octets.is_empty() && !flags.has(Flags::RST) {
            let payload = Payload {
                from,
                seq: data_seq,
                octets,
                cut: segment.payload_len.saturating_sub(octets.len() as u32),
                ack: flags.has(Flags::ACK).then_some(segment.ack),
            };
            if flow.phase == Phase::Watched || self.search(at, &payload, packet, facts) {
                let place = self.table.get(at).aside;
                self.converse(at, place, packet, facts, |conversation, emit| {
                    conversation.segment(&payload, emit)
                });
            }
        } else if flow.phase == Phase::Watched && flags.has(Flags::ACK) {
            self.conversations
                .acknowledged(flow.aside, from, segment.ack);
        }
        if flags.has(Flags::FIN) || flags.has(Flags::RST) {
            let fin_seq = flags
                .has(Flags::FIN)
                .then(|| data_seq.wrapping_add(segment.payload_len));
            self.close(at, from, fin_seq, packet, facts);
        }
    }

    /// Looks at a segment of a flow of which nothing is kept. Answers whether a conversation wants it: a protocol begins, or
    /// may, or the segment is not the one that comes first.
    fn search(
        &mut self,
        at: u32,
        payload: &Payload<'_>,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) -> bool {
        let flow = self.table.get(at);
        let mut search = match flow.phase {
            Phase::New => StreamSearch::NEW,
            _ => StreamSearch::from_bits(flow.aside),
        };
        let starts = flow.starts();
        let [from, other] = [payload.from, payload.from.other()];
        let late = search.is_late(from);
        let comes_first = starts[from.index()].is_none_or(|start| start == payload.seq);
        let before = search;
        let ports = flow.key.ports();
        let found = if late || comes_first && payload.cut == 0 {
            let octets = payload.octets;
            search.look(from, octets, ports, || {
                self.say_unknown(at, from, octets, packet, facts);
            })
        } else {
            Found::Something
        };
        let flow = self.table.get(at);
        match found {
            Found::Nothing => {
                flow.phase = Phase::Unknown;
                flow.aside = search.to_bits();
                return false;
            }
            Found::GivenUp => {
                flow.phase = Phase::Decided;
                return false;
            }
            Found::Something | Found::Begins(_) => {}
        }
        let known = match found {
            Found::Begins(place) => Some(place),
            _ => None,
        };
        // What a side has sent before is passed over: its stream begins here, that of the other with what comes next.
        let mut next = starts;
        if late {
            next[from.index()] = Some(payload.seq);
        }
        if before.is_late(other) {
            next[other.index()] = payload.ack;
        }
        let identity = self.table.identity(at);
        let conversation = Conversation::over_tcp(identity, before, known, next);
        self.watch(at, Box::new(conversation));
        true
    }

    /// Hands out octets of a flow that nobody knows, where a signature may.
    #[inline]
    fn say_unknown(
        &self,
        at: u32,
        from: Side,
        octets: &[u8],
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) {
        if self.config.wanted.openings.have(octets) {
            self.say_unknown_opening(at, from, octets, packet, facts);
        }
    }

    #[inline(never)]
    fn say_unknown_opening(
        &self,
        at: u32,
        from: Side,
        octets: &[u8],
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) {
        let openings = &self.config.wanted.openings;
        let identity = self.table.identity(at);
        let frame = Some((packet.capture, packet.frame));
        let out = &mut facts.observations;
        let mut emit = Emit::new(&identity, packet.at_ns, packet.seq, frame, out);
        emit.with_openings(openings);
        protocol::say_unknown(from, octets, &mut emit);
    }

    fn watch(&mut self, at: u32, conversation: Box<Conversation>) {
        let place = self.conversations.insert(conversation, at);
        let flow = self.table.get(at);
        flow.aside = place;
        flow.phase = Phase::Watched;
    }

    /// A side has finished (`fin_seq`) or reset: the conversation ends when nothing more can come.
    fn close(
        &mut self,
        at: u32,
        from: Side,
        fin_seq: Option<u32>,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) {
        let flow = self.table.get(at);
        if flow.phase != Phase::Watched {
            if flow.seen.closed() {
                flow.phase = Phase::Decided;
            }
            return;
        }
        let place = flow.aside;
        let over = fin_seq.is_none_or(|seq| self.conversations.finish(place, from, seq));
        if over {
            self.converse(at, place, packet, facts, |conversation, emit| {
                conversation.end(emit);
                Outcome::Decided
            });
        }
    }

    fn datagram(
        &mut self,
        at: u32,
        side: usize,
        octets: &[u8],
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) {
        let flow = self.table.get(at);
        let from = SIDES[side];
        let (phase, aside, service) = (flow.phase, flow.aside, flow.service);
        match (phase, service) {
            (Phase::Watched, _) => {}
            (Phase::Resting, Some(service)) => {
                let conversation = Conversation::resumed(self.table.identity(at), service, aside);
                self.watch(at, Box::new(conversation));
            }
            _ => {
                let mut search = match phase {
                    Phase::New => DatagramSearch::NEW,
                    _ => DatagramSearch::from_bits(aside),
                };
                let before = search;
                let ends = (flow.key.transport(), flow.key.ports());
                let found = search.look(from, octets, ends, || {
                    self.say_unknown(at, from, octets, packet, facts);
                });
                let flow = self.table.get(at);
                match found {
                    Ok(known) => {
                        let identity = self.table.identity(at);
                        let conversation =
                            self.conversations.over_datagrams(identity, before, known);
                        self.watch(at, conversation);
                    }
                    Err(Found::GivenUp) => {
                        flow.phase = Phase::Decided;
                        return;
                    }
                    Err(_) => {
                        flow.phase = Phase::Unknown;
                        flow.aside = search.to_bits();
                        return;
                    }
                }
            }
        }
        let place = self.table.get(at).aside;
        self.converse(at, place, packet, facts, |conversation, emit| {
            conversation.datagram(from, octets, emit)
        });
    }

    /// Runs the conversation of a flow with one packet, and lets it go when the flow is decided or nothing of it needs to
    /// be kept.
    fn converse(
        &mut self,
        at: u32,
        place: u32,
        packet: &Packet<'_>,
        facts: &mut Facts,
        run: impl FnOnce(&mut Conversation, &mut Emit<'_>) -> Outcome,
    ) {
        let mut begun = None;
        let before = facts.observations.len();
        let outcome = self
            .conversations
            .with(place, packet, facts, |conversation, emit| {
                let outcome = run(conversation, emit);
                if let Some(last) = emit.tally().sessions.last() {
                    begun = Some((last, conversation.patience()));
                }
                self.counters.add_tally(emit.tally());
                count_sessions(&mut self.sessions, emit.tally());
                outcome
            });
        let flow = self.table.get(at);
        if let Some((service, patience)) = begun {
            flow.service = Some(service);
            if patience == Patience::Seconds {
                flow.mark(Traits::SHORT);
            } else {
                flow.unmark(Traits::SHORT);
            }
        }
        if asks_for_end(&facts.observations[before..]) {
            flow.mark(Traits::REMEMBERED);
        }
        let (phase, aside) = match outcome {
            Outcome::Decided => (Phase::Decided, u32::MAX),
            Outcome::Wanted => match self.conversations.aside(place) {
                Some(Left::Search(bits)) => (Phase::Unknown, bits),
                Some(Left::Rest(bits)) => (Phase::Resting, bits),
                None => return self.make_room(at, packet, facts),
            },
        };
        (flow.phase, flow.aside) = (phase, aside);
        if phase == Phase::Resting {
            self.conversations.rest(place);
        } else {
            self.conversations.remove(place);
        }
    }
}

fn count_sessions(sessions: &mut [u64; protocol::PLACES], tally: &Tally) {
    for place in tally.sessions.iter() {
        if let Some(begun) = sessions.get_mut(usize::from(place.get()) - 1) {
            *begun += 1;
        }
    }
}

const SIDES: [Side; 2] = [Side::Originator, Side::Responder];

#[cfg(test)]
mod tests;
