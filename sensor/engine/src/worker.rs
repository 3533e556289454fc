//! Packets to facts: the per-packet work. Workers share nothing.
//!
//! Each worker is shown every packet of a file and takes those whose five-tuple hashes to it; fragments are put together
//! by every worker alike, as only the whole packet tells its five-tuple. So any number of workers finds the same facts.
//! How a packet finds its flow is in `arrive`.

mod arrive;
mod conversations;
mod deal;
mod print;

use terrier_wire::Side;
use terrier_wire::decap::Decapsulated;
use terrier_wire::transport::{Flags, Segment};

use crate::conversation::{Conversation, Payload};
use crate::counters::Counters;
use crate::flow::{FlowTable, Hasher, Phase, TcpSeen};
use crate::observation::{EndCause, Fact, Frames, Observation};
use crate::packet::Packet;
use crate::protocol::{self, Emit, Outcome, Patience};
use crate::reassembly::Fragments;
use conversations::Conversations;
use deal::Deals;
pub use deal::{Aside, Dealt};

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
}

/// The hard caps of the engine, for all workers together.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Flows in the table.
    pub flows: usize,
    /// Octets that may be held for sessions, as [`Counters::buffered_octets`] counts them. The fixed room of a watched flow
    /// comes on top: [`Limits::flows`] bounds it.
    pub buffered_octets: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A million flows take about 150 MB; the peak of a 10 Gbit/s campus link is about that.
        Self {
            flows: 1 << 20,
            buffered_octets: 128 << 20,
        }
    }
}

/// What a worker hands to the judge, reused from call to call.
#[derive(Debug, Default)]
pub struct Facts {
    /// Which worker.
    pub worker: u16,
    /// In the order of their keys.
    pub observations: Vec<Observation>,
    /// All packets and ticks up to this `seq` have been worked on.
    pub through: u64,
    /// The worker's counts, at ticks.
    pub counters: Option<Box<Counters>>,
    /// Whether the input has ended.
    pub ended: bool,
}

/// Packets whose flows are looked up at once: about as many reads of memory as a processor has under way at a time.
const GROUP: usize = 8;

/// Flows from which on this is done: so many entries fit into no second cache, and nearly each packet waits for memory.
/// Below, taking the packets apart twice costs more than it saves.
const AHEAD_FROM: usize = 1 << 16;

/// The time of the tick that ends the input: every flow ends with it.
pub const END_OF_INPUT: i64 = i64::MAX;

/// One worker.
pub struct Worker {
    config: WorkerConfig,
    hasher: Hasher,
    table: FlowTable,
    conversations: Conversations,
    fragments: Fragments,
    counters: Counters,
    now_ns: i64,
    /// [`AHEAD_FROM`].
    ahead_from: usize,
    /// Set where packets are dealt out before they come here.
    deals: Option<Deals>,
}

impl Worker {
    /// A worker that has seen nothing.
    #[must_use]
    pub fn new(config: WorkerConfig) -> Self {
        let count = usize::from(config.count.max(1));
        Self {
            hasher: Hasher::new(config.seed),
            table: FlowTable::new(config.limits.flows.div_ceil(count)),
            conversations: Conversations::new(config.limits.buffered_octets / count),
            fragments: Fragments::new(config.seed),
            counters: Counters::default(),
            now_ns: i64::MIN,
            ahead_from: AHEAD_FROM,
            deals: None,
            config,
        }
    }

    /// Works on packets, in the order of their `seq`.
    pub fn packets(&mut self, packets: &[Packet<'_>], facts: &mut Facts) {
        let mut here = Decapsulated::NOTHING;
        if self.table.len() < self.ahead_from {
            for packet in packets {
                self.packet(packet, &mut here, None, facts);
            }
        } else {
            let mut ahead = [None; GROUP];
            for group in packets.chunks(GROUP) {
                self.look_ahead(group, &mut here, &mut ahead);
                for (packet, ahead) in group.iter().zip(ahead) {
                    self.packet(packet, &mut here, ahead, facts);
                }
            }
        }
        if let Some(last) = packets.last() {
            facts.through = last.seq;
        }
        facts.worker = self.config.index;
    }

    /// A second of packet time has passed, or with [`END_OF_INPUT`] the input has ended. Flows that were silent for too
    /// long end.
    pub fn tick(&mut self, at_ns: i64, seq: u64, facts: &mut Facts) {
        let before = facts.observations.len();
        if at_ns == END_OF_INPUT {
            for at in self.table.all() {
                self.end_flow(at, EndCause::EndOfInput, seq, None, facts);
            }
            facts.ended = true;
        } else {
            self.now_ns = at_ns;
            while let Some(at) = self.table.expired(at_ns) {
                self.end_flow(at, EndCause::Idle, seq, None, facts);
            }
        }
        // Flows leave a wheel in no particular order; facts have one.
        facts.observations[before..].sort_by_key(|observation| observation.key);
        facts.through = seq;
        facts.worker = self.config.index;
        facts.counters = Some(Box::new(self.counters()));
    }

    /// The counts up to now.
    fn counters(&self) -> Counters {
        let mut counters = self.counters.clone();
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
        segment: &Segment<'_>,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) {
        let flow = self.table.get(at);
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
        if !segment.payload.is_empty() && !flags.has(Flags::RST) {
            if flow.phase == Phase::New {
                let seen = flow.seen;
                let start = |side: usize, bit| seen.has(bit).then_some(flow.start_seq[side]);
                let starts = [start(0, TcpSeen::SYN), start(1, TcpSeen::SYN_ACK)];
                let conversation = Conversation::over_tcp(flow.identity(), starts);
                flow.conversation = self.conversations.insert(conversation);
                flow.phase = Phase::Watched;
            }
            let payload = Payload {
                from,
                seq: data_seq,
                octets: segment.payload,
                cut: segment
                    .payload_len
                    .saturating_sub(segment.payload.len() as u32),
                ack: flags.has(Flags::ACK).then_some(segment.ack),
            };
            let place = self.table.get(at).conversation;
            self.converse(at, place, packet, facts, |conversation, emit| {
                conversation.segment(&payload, emit)
            });
        } else if flow.phase == Phase::Watched && flags.has(Flags::ACK) {
            self.conversations
                .acknowledged(flow.conversation, from, segment.ack);
        }
        if flags.has(Flags::FIN) || flags.has(Flags::RST) {
            let fin_seq = flags
                .has(Flags::FIN)
                .then(|| data_seq.wrapping_add(segment.payload_len));
            self.close(at, from, fin_seq, packet, facts);
        }
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
        let place = flow.conversation;
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
        if flow.phase == Phase::New {
            let conversation = Conversation::over_datagrams(flow.identity());
            flow.conversation = self.conversations.insert(conversation);
            flow.phase = Phase::Watched;
        }
        let place = self.table.get(at).conversation;
        self.converse(at, place, packet, facts, |conversation, emit| {
            conversation.datagram(from, octets, emit)
        });
    }

    /// Runs the conversation of a flow with one packet, and lets it go when the flow is decided.
    fn converse(
        &mut self,
        at: u32,
        place: u32,
        packet: &Packet<'_>,
        facts: &mut Facts,
        run: impl FnOnce(&mut Conversation, &mut Emit<'_>) -> Outcome,
    ) {
        let mut begun = None;
        let outcome = self
            .conversations
            .with(place, packet, facts, |conversation, emit| {
                let outcome = run(conversation, emit);
                if let Some(last) = emit.tally().sessions.last() {
                    begun = Some((last, conversation.patience()));
                }
                self.counters.add_tally(emit.tally());
                outcome
            });
        let flow = self.table.get(at);
        if let Some((service, patience)) = begun {
            flow.service = Some(service);
            flow.short = patience == Patience::Seconds;
        }
        if outcome == Outcome::Decided {
            flow.phase = Phase::Decided;
            self.conversations.remove(flow.conversation);
            flow.conversation = u32::MAX;
        }
    }

    fn end_flow(
        &mut self,
        at: u32,
        cause: EndCause,
        seq: u64,
        packet: Option<&Packet<'_>>,
        facts: &mut Facts,
    ) {
        let flow = self.table.get(at);
        let (identity, mut end, last_ns) = (flow.identity(), flow.end(cause), flow.last_ns);
        let mut service = flow.service;
        let transport = Counters::place(identity.transport);
        self.counters.flows_ended[transport] += 1;
        self.counters.one_sided_flows[transport] += u64::from(flow.one_sided());
        let place = (flow.phase == Phase::Watched).then_some(flow.conversation);
        self.table.remove(at);
        if let Some(mut conversation) = place.and_then(|place| self.conversations.remove(place)) {
            let mut emit = Emit::new(&identity, last_ns, seq, None, &mut facts.observations);
            conversation.end(&mut emit);
            let tally = emit.tally();
            if let Some(last) = tally.sessions.last() {
                service = Some(last);
            }
            self.counters.add_tally(tally);
        }
        end.service = service.map(protocol::name);
        let capture = packet.map_or(0, |packet| packet.capture);
        let mut emit = Emit::new(&identity, last_ns, seq, None, &mut facts.observations);
        emit.fact(
            &Frames {
                capture,
                numbers: Vec::new(),
            },
            Fact::FlowEnded(end),
        );
    }
}

const SIDES: [Side; 2] = [Side::Originator, Side::Responder];

#[cfg(test)]
mod tests;
