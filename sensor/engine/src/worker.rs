//! Packets to facts: the per-packet work. Workers share nothing.
//!
//! Each worker is shown every packet of a file and takes those whose five-tuple hashes to it; fragments are put together
//! by every worker alike, as only the whole packet tells its five-tuple. So any number of workers finds the same facts.

mod conversations;

use terrier_wire::Side;
use terrier_wire::decap::{self, Decapsulated, Transport as Header};
use terrier_wire::link::{Tags, Undecoded};
use terrier_wire::net::{Ip, Protocol};
use terrier_wire::transport::{Flags, Segment};

use crate::conversation::{Conversation, Payload};
use crate::counters::Counters;
use crate::flow::{FlowKey, FlowTable, Hasher, Opener, Phase, TcpSeen};
use crate::observation::{EndCause, Fact, Frames, Observation, Oriented, Transport, VlanTags};
use crate::packet::Packet;
use crate::protocol::{self, Emit, Outcome, Patience};
use crate::reassembly::Fragments;
use conversations::Conversations;

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
    /// Octets that sessions may wait for.
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
}

/// A packet taken apart, as far as the flow table is concerned.
struct Arrival<'a> {
    key: FlowKey,
    hash: u64,
    from_low: bool,
    header: Header<'a>,
    vlan: Tags,
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
            config,
        }
    }

    /// Works on packets, in the order of their `seq`.
    pub fn packets(&mut self, packets: &[Packet<'_>], facts: &mut Facts) {
        for packet in packets {
            self.packet(packet, facts);
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
        }
        counters
    }

    fn packet(&mut self, packet: &Packet<'_>, facts: &mut Facts) {
        if self.now_ns == i64::MIN {
            self.table.begin(packet.at_ns);
        }
        self.now_ns = self.now_ns.max(packet.at_ns);
        let Decapsulated { vlan, ip } = match decap::frame(packet.link.0, packet.octets) {
            Ok(decapsulated) => decapsulated,
            Err(why) => return self.undecoded(why),
        };
        if ip.fragment.is_some() {
            return self.fragment(packet, vlan, &ip, facts);
        }
        match decap::transport(ip.protocol, ip.payload, ip.payload_len) {
            Ok(header) => self.arrive(
                packet,
                vlan,
                &ip,
                header,
                (1, u64::from(ip.total_len)),
                facts,
            ),
            Err(why) => self.undecoded(why),
        }
    }

    fn fragment(&mut self, packet: &Packet<'_>, vlan: Tags, ip: &Ip<'_>, facts: &mut Facts) {
        let Some(fragment) = ip.fragment else { return };
        let pair = self
            .hasher
            .hash_pair(ip.source, ip.destination, ip.protocol.0);
        if self.owns(pair) {
            self.counters.add_vlan(&vlan);
        }
        if !matches!(ip.protocol, Protocol::TCP | Protocol::UDP) {
            return self.undecoded(Undecoded::OtherTransport);
        }
        let Some(whole) = self.fragments.add(ip, fragment, packet.at_ns) else {
            return;
        };
        let length = u32::try_from(whole.payload.len()).unwrap_or(u32::MAX);
        match decap::transport(whole.protocol, &whole.payload, length) {
            Ok(header) => {
                // The tags of its fragments were counted one by one.
                self.arrive(
                    packet,
                    Tags::default(),
                    ip,
                    header,
                    (whole.fragments, whole.on_wire),
                    facts,
                );
            }
            Err(why) => self.undecoded(why),
        }
    }

    /// Counts a packet that has no five-tuple, in one worker only.
    fn undecoded(&mut self, why: Undecoded) {
        if self.config.index == 0 {
            *self.counters.undecoded.entry(why).or_default() += 1;
        }
    }

    fn owns(&self, hash: u64) -> bool {
        ((hash >> 32) * u64::from(self.config.count)) >> 32 == u64::from(self.config.index)
    }

    #[inline]
    fn arrive(
        &mut self,
        packet: &Packet<'_>,
        vlan: Tags,
        ip: &Ip<'_>,
        header: Header<'_>,
        (packets, on_wire): (u32, u64),
        facts: &mut Facts,
    ) {
        let (source_port, destination_port, transport) = match &header {
            Header::Tcp(segment) => (
                segment.source_port,
                segment.destination_port,
                Transport::Tcp,
            ),
            Header::Udp(datagram) => (
                datagram.source_port,
                datagram.destination_port,
                Transport::Udp,
            ),
        };
        let (key, from_low) = FlowKey::of(
            (ip.source, source_port),
            (ip.destination, destination_port),
            transport,
        );
        let hash = self.hasher.hash(&key);
        if !self.owns(hash) {
            return;
        }
        self.counters.add_vlan(&vlan);
        let arrival = Arrival {
            key,
            hash,
            from_low,
            header,
            vlan,
        };
        let at = self.flow_of(&arrival, packet, facts);
        let flow = self.table.get(at);
        let side = flow.side(from_low);
        let print = print_of(ip, &arrival.header);
        let since_ns = packet.at_ns.saturating_sub(flow.last_ns);
        if print != NO_PRINT && flow.prints[side] == print && since_ns <= DUPLICATE_NS {
            self.counters.duplicates += 1;
            return;
        }
        flow.prints[side] = print;
        flow.packets[side] = flow.packets[side].saturating_add(packets);
        flow.bytes[side] += on_wire;
        flow.last_ns = flow.last_ns.max(packet.at_ns);
        match &arrival.header {
            Header::Tcp(segment) => self.segment(at, side, segment, packet, facts),
            Header::Udp(datagram) if flow.phase != Phase::Decided => {
                self.datagram(at, side, datagram.payload, packet, facts);
            }
            Header::Udp(_) => {}
        }
    }

    /// The flow of a packet; a new one where there is none, or where a SYN opens the same five-tuple again.
    #[inline]
    fn flow_of(&mut self, arrival: &Arrival<'_>, packet: &Packet<'_>, facts: &mut Facts) -> u32 {
        if let Some(at) = self.table.find(arrival.hash, &arrival.key) {
            if !self.is_reopened(at, arrival) {
                return at;
            }
            self.end_flow(at, EndCause::Idle, packet.seq, Some(packet), facts);
        }
        if self.table.is_full()
            && let Some(at) = self.table.least_worth(self.now_ns)
        {
            self.counters.evictions += 1;
            self.end_flow(at, EndCause::Evicted, packet.seq, Some(packet), facts);
        }
        let (originator_is_low, oriented) = match &arrival.header {
            Header::Tcp(segment) if segment.flags.has(Flags::SYN) => {
                let by_responder = segment.flags.has(Flags::ACK);
                (arrival.from_low != by_responder, Oriented::Syn)
            }
            _ => (arrival.from_low, Oriented::Guessed),
        };
        let mut vlan = VlanTags::default();
        arrival.vlan.ids().iter().for_each(|&id| vlan.push(id));
        self.counters.flows_started[arrival.key.transport() as usize] += 1;
        let opener = Opener {
            seq: packet.seq,
            at_ns: packet.at_ns,
            originator_is_low,
            oriented,
            vlan,
        };
        self.table.open(arrival.hash, arrival.key, opener)
    }

    /// Whether a packet begins another connection over the five-tuple of a known flow.
    #[inline]
    fn is_reopened(&mut self, at: u32, arrival: &Arrival<'_>) -> bool {
        let Header::Tcp(segment) = &arrival.header else {
            return false;
        };
        if !segment.flags.has(Flags::SYN) || segment.flags.has(Flags::ACK) {
            return false;
        }
        let flow = self.table.get(at);
        let side = flow.side(arrival.from_low);
        let same_syn = side == 0
            && flow.seen.has(TcpSeen::SYN)
            && flow.start_seq[0] == segment.seq.wrapping_add(1);
        // A SYN that comes late, or from the responder too (simultaneous open), opens nothing.
        let begun = flow.seen.has(TcpSeen::SYN) || flow.seen.closed();
        begun && !same_syn && (side == 0 || flow.seen.closed())
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
                    begun = Some((protocol::place(last), conversation.patience()));
                }
                self.counters.add_tally(emit.tally());
                outcome
            });
        let flow = self.table.get(at);
        if let Some((service, patience)) = begun {
            flow.service = service;
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
        let transport = identity.transport as usize;
        self.counters.flows_ended[transport] += 1;
        self.counters.one_sided_flows[transport] += u64::from(!flow.two_sided());
        let place = (flow.phase == Phase::Watched).then_some(flow.conversation);
        self.table.remove(at);
        if let Some(mut conversation) = place.and_then(|place| self.conversations.remove(place)) {
            let mut emit = Emit::new(&identity, last_ns, seq, None, &mut facts.observations);
            conversation.end(&mut emit);
            let tally = emit.tally();
            if let Some(last) = tally.sessions.last() {
                service = protocol::place(last);
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

/// A print of what a switch does not change when it copies a frame: a retransmission has another identification.
#[inline]
fn print_of(ip: &Ip<'_>, header: &Header<'_>) -> u32 {
    let (a, b, payload) = match header {
        Header::Tcp(segment) => (
            segment.seq,
            segment.ack ^ (u32::from(segment.flags.0) << 24),
            segment.payload,
        ),
        Header::Udp(datagram) => (
            u32::from(datagram.source_port),
            u32::from(datagram.destination_port),
            datagram.payload,
        ),
    };
    // Without an identification an empty segment may well be sent twice.
    if payload.is_empty() && ip.identification == 0 {
        return NO_PRINT;
    }
    let head = payload
        .first_chunk::<8>()
        .map_or(0, |octets| u64::from_le_bytes(*octets));
    let tail = payload
        .last_chunk::<8>()
        .map_or(0, |octets| u64::from_le_bytes(*octets));
    let lengths = (u64::from(ip.identification) << 32) | payload.len() as u64;
    let mut hash = 0_u64;
    // Each word is mixed in by itself: sequence number and identification grow together and would cancel out.
    for word in [(u64::from(a) << 32) | u64::from(b), lengths, head, tail] {
        hash = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
    }
    let hash = hash ^ (hash >> 32);
    (hash as u32).max(NO_PRINT + 1)
}

/// No packet has this print.
const NO_PRINT: u32 = 0;
/// A span shows a frame twice at once; TCP repeats a segment after 200 ms at the earliest.
const DUPLICATE_NS: i64 = 100_000_000;

const SIDES: [Side; 2] = [Side::Originator, Side::Responder];

#[cfg(test)]
mod tests;
