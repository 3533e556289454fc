//! The flow table: an open index over a slab of small flat entries, with a hard cap.
//!
//! An entry holds what every packet needs; what a session needs (buffers, decoder) lies aside and only while it is wanted.

use std::num::NonZeroU8;

use terrier_wire::net::Address;

use super::index::tag;
use super::tags::{TagList, Tags};
use super::timer::{Link, Linked, NS_PER_S};
use super::{FlowKey, Hasher, Index, Wheel};
use crate::observation::{EndCause, FlowEnd, FlowRef, Oriented, Transport, VlanTags};
use crate::prefetch;

/// One flow, in two cache lines.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Flow {
    // The first line: what finds a flow, and what a packet of a decided one asks.
    pub(crate) key: FlowKey,
    pub(crate) phase: Phase,
    pub(crate) seen: TcpSeen,
    traits: Traits,
    /// The protocol of its last session, by its place in the registry.
    pub(crate) service: Option<NonZeroU8>,
    link: Link,
    /// Where its conversation lies while `phase` is [`Phase::Watched`]; what it left behind in the other phases.
    pub(crate) aside: u32,
    pub(crate) last_ns: i64,
    // The second line: what is counted, and what its end tells.
    /// What the index knows it by.
    tag: u32,
    tags: u32,
    /// Print of the last packet of each side, to know one that the span shows twice.
    pub(crate) prints: [u32; 2],
    /// Sequence number after the SYN of each side, where [`TcpSeen`] says that it was seen.
    pub(crate) start_seq: [u32; 2],
    /// Of originator and responder.
    pub(crate) packets: [u32; 2],
    /// Of originator and responder.
    pub(crate) bytes: [u64; 2],
    /// `seq` of the packet that opened it.
    pub(crate) opened: u64,
    pub(crate) first_ns: i64,
}

// Each octet more is a megabyte of a full table.
const _: () = assert!(size_of::<Flow>() == 128);

/// What a flow's packets are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No payload yet.
    New,
    /// Nothing is known of its payload so far, and nothing of it is kept; a protocol may still begin.
    Unknown,
    /// A conversation wants its payload.
    Watched,
    /// Its session waits for nothing, and begins again with the next datagram.
    Resting,
    /// Understood or given up: its packets are only counted.
    Decided,
}

/// What is known of a flow, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traits(u8);

impl Traits {
    const ORIGINATOR_IS_LOW: Self = Self(1);
    /// The TCP handshake told who opened it.
    const BY_SYN: Self = Self(2);
    /// It waits for answers within seconds, as name services do: it leaves early.
    pub(crate) const SHORT: Self = Self(4);
    /// It was said that it is the tunnel of an endpoint.
    pub(crate) const MARKED: Self = Self(8);
    /// It is the outside of a tunnel: such a flow may well have one direction only, as its senders spread packets over
    /// source ports, and mirrors do not answer.
    pub(crate) const CARRIES: Self = Self(16);
    /// Something was seen in it that is remembered until its end.
    pub(crate) const REMEMBERED: Self = Self(32);
    /// It is in the table: its entry is kept when it leaves.
    const LISTED: Self = Self(64);

    fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }

    fn add(&mut self, one: Self) {
        self.0 |= one.0;
    }
}

/// The control bits seen of a TCP flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TcpSeen(u8);

impl TcpSeen {
    /// The originator's SYN.
    pub(crate) const SYN: Self = Self(1);
    /// The responder's SYN.
    pub(crate) const SYN_ACK: Self = Self(2);
    /// A reset by either side.
    pub(crate) const RST: Self = Self(16);

    /// The FIN of a side.
    pub(crate) fn fin(side: usize) -> Self {
        Self(4 << side)
    }

    pub(crate) fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    pub(crate) fn set(&mut self, bits: Self) {
        self.0 |= bits.0;
    }

    fn finished(self) -> bool {
        self.has(Self::fin(0)) && self.has(Self::fin(1))
    }

    pub(crate) fn closed(self) -> bool {
        self.finished() || self.has(Self::RST)
    }
}

impl Flow {
    /// Which side sent a packet: 0 for the originator, 1 for the responder.
    #[inline]
    pub(crate) fn side(&self, from_low: bool) -> usize {
        usize::from(from_low != self.has(Traits::ORIGINATOR_IS_LOW))
    }

    /// Whether this is known of it.
    #[inline]
    pub(crate) fn has(&self, one: Traits) -> bool {
        self.traits.has(one)
    }

    /// From now on this is known of it.
    #[inline]
    pub(crate) fn mark(&mut self, one: Traits) {
        self.traits.add(one);
    }

    /// This is not so any more.
    pub(crate) fn unmark(&mut self, one: Traits) {
        self.traits.0 &= !one.0;
    }

    /// The sequence numbers after each side's SYN, where they were seen.
    pub(crate) fn starts(&self) -> [Option<u32>; 2] {
        let start = |side: usize, bit| self.seen.has(bit).then_some(self.start_seq[side]);
        [start(0, TcpSeen::SYN), start(1, TcpSeen::SYN_ACK)]
    }

    /// Its transport protocol.
    pub(crate) fn transport(&self) -> Transport {
        self.key.transport()
    }

    /// Its end, for `cause` unless TCP said how.
    pub(crate) fn end(&self, cause: EndCause) -> FlowEnd {
        let end = if self.seen.has(TcpSeen::RST) {
            EndCause::Rst
        } else if self.seen.finished() {
            EndCause::Fin
        } else {
            cause
        };
        FlowEnd {
            first_ns: self.first_ns,
            last_ns: self.last_ns,
            packets: self.packets.map(u64::from),
            bytes: self.bytes,
            service: None,
            end,
        }
    }

    /// Whether only one side was seen of a flow that ought to have two.
    pub(crate) fn one_sided(&self) -> bool {
        !self.has(Traits::CARRIES) && self.packets.contains(&0)
    }

    fn worth(&self, now_ns: i64) -> Worth {
        let one_sided = self.packets.contains(&0);
        match self.phase {
            _ if self.seen.closed() => Worth::Over,
            Phase::New | Phase::Unknown if one_sided || self.is_half_open() => Worth::HalfOpen,
            _ if now_ns.saturating_sub(self.last_ns) > IDLE_S * NS_PER_S => Worth::Idle,
            Phase::Decided => Worth::Decided,
            Phase::Watched if !one_sided => Worth::Session,
            Phase::New | Phase::Unknown | Phase::Resting | Phase::Watched => Worth::Open,
        }
    }

    /// Whether TCP has not got through its handshake, or nothing was said after it.
    fn is_half_open(&self) -> bool {
        self.key.transport() == Transport::Tcp
            && self.phase == Phase::New
            && self.packets.iter().sum::<u32>() < 3
    }

    /// How long it may be silent, in nanoseconds.
    fn patience_ns(&self) -> i64 {
        let seconds = match self.key.transport() {
            _ if self.phase == Phase::Resting => ANSWERED_S,
            _ if self.has(Traits::SHORT) => SHORT_S,
            Transport::Udp | Transport::Icmp | Transport::Icmp6 | Transport::Other(_) => UDP_S,
            Transport::Tcp if self.seen.closed() => CLOSED_S,
            Transport::Tcp if self.is_half_open() => HALF_OPEN_S,
            Transport::Tcp => ESTABLISHED_S,
        };
        seconds * NS_PER_S
    }
}

/// How a flow is opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opener {
    pub(crate) seq: u64,
    pub(crate) at_ns: i64,
    pub(crate) originator_is_low: bool,
    pub(crate) oriented: Oriented,
    pub(crate) vlan: VlanTags,
    pub(crate) vni: Option<u32>,
}

/// The flows of one worker.
#[derive(Debug)]
pub(crate) struct FlowTable {
    hasher: Hasher,
    index: Index,
    slab: Slab,
    wheel: Wheel,
    tags: TagList,
    most: usize,
    /// Where the next look for what is worth least begins.
    next: u32,
}

/// What a flow is worth to a table that is full: the least goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    /// It was closed: what still comes are retransmissions.
    Over,
    /// One side only has spoken, or nothing was said yet: a scan, a flood, a question that nobody answers.
    HalfOpen,
    /// It has been silent for long.
    Idle,
    /// Its packets are only counted.
    Decided,
    /// Something may still be found in it.
    Open,
    /// A session goes on between both sides.
    Session,
}

/// The entries, side by side. Their room is reserved for as many as there may be: so nothing is moved when there are more, and
/// the system gives memory only where one was entered.
#[derive(Debug, Default)]
struct Slab {
    entries: Vec<Flow>,
    /// Entries that are free again. They are taken last in, first out: the last one is still in a cache.
    free: Vec<u32>,
}

impl Slab {
    fn new(most: usize) -> Self {
        let mut entries = Vec::new();
        // Where the system does not lend that much ahead, they are moved as they become more.
        let _ = entries.try_reserve_exact(most);
        Self {
            entries,
            free: Vec::new(),
        }
    }

    #[inline]
    fn get(&self, at: u32) -> &Flow {
        &self.entries[at as usize]
    }

    /// The same for a place that may be none.
    #[inline]
    fn look(&self, at: u32) -> Option<&Flow> {
        self.entries.get(at as usize)
    }

    #[inline]
    fn get_mut(&mut self, at: u32) -> &mut Flow {
        &mut self.entries[at as usize]
    }

    #[inline]
    fn add(&mut self, flow: Flow) -> u32 {
        if let Some(at) = self.free.pop() {
            *self.get_mut(at) = flow;
            return at;
        }
        self.entries.push(flow);
        (self.entries.len() - 1) as u32
    }
}

impl Linked for Slab {
    #[inline]
    fn link(&mut self, index: u32) -> &mut Link {
        &mut self.get_mut(index).link
    }

    #[inline]
    fn fetch(&self, index: u32) {
        prefetch::fetch(self.get(index));
    }
}

impl FlowTable {
    /// No entry has this place.
    pub(crate) const NOWHERE: u32 = u32::MAX;
    /// Flows that are removed together: about as many as a processor can wait for at a time.
    pub(crate) const TOGETHER: usize = 32;

    /// At most `most` flows at a time, found by the hashes of `hasher`.
    pub(crate) fn new(most: usize, hasher: Hasher) -> Self {
        let most = most.clamp(1, u32::MAX as usize - 1);
        Self {
            hasher,
            index: Index::new(),
            slab: Slab::new(most),
            wheel: Wheel::new(),
            tags: TagList::new(most / FLOWS_A_TAG, hasher.seed()),
            most,
            next: 0,
        }
    }

    /// The time of the first packet of the run.
    pub(crate) fn begin(&mut self, at_ns: i64) {
        self.wheel.begin(at_ns);
    }

    /// How many flows there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the next new flow needs another one to leave.
    pub(crate) fn is_full(&self) -> bool {
        self.index.len() >= self.most
    }

    /// What hashes keys.
    #[inline]
    pub(crate) fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// The hash of the key of these ends, by which all else here finds its flow.
    #[inline]
    pub(crate) fn hash_of(
        &self,
        one: (Address, u16),
        other: (Address, u16),
        transport: Transport,
    ) -> u64 {
        self.hasher.hash_of(one, other, transport)
    }

    /// The first step towards a flow: has the place in the index fetched.
    #[inline]
    pub(crate) fn fetch_index(&self, hash: u64) {
        self.index.fetch(tag(hash));
    }

    /// The second step: has the entry fetched, if there is one. Answers where that is.
    #[inline]
    pub(crate) fn fetch_flow(&self, hash: u64) -> u32 {
        let Some(at) = self.index.find(tag(hash), |_| true) else {
            return Self::NOWHERE;
        };
        prefetch::fetch(self.slab.get(at));
        at
    }

    /// The flow of a key, looked for first where the second step saw it: meanwhile another one may lie there.
    #[inline]
    pub(crate) fn find_at(&self, seen_at: u32, hash: u64, key: &FlowKey) -> Option<u32> {
        let seen = self.slab.look(seen_at);
        if seen.is_some_and(|flow| flow.key == *key && flow.has(Traits::LISTED)) {
            return Some(seen_at);
        }
        self.find(hash, key)
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        (self.index).find(tag(hash), |at| self.slab.get(at).key == *key)
    }

    #[inline]
    pub(crate) fn get(&mut self, at: u32) -> &mut Flow {
        self.slab.get_mut(at)
    }

    /// A flow's identity, the same in all its records.
    pub(crate) fn identity(&self, at: u32) -> FlowRef {
        let flow = self.slab.get(at);
        let (orig, resp) = flow.key.ends(flow.has(Traits::ORIGINATOR_IS_LOW));
        let tags = self.tags.at(flow.tags);
        FlowRef {
            id: flow.key.id(flow.opened),
            opened: flow.opened,
            orig,
            resp,
            transport: flow.key.transport(),
            vlan: tags.vlan,
            vni: tags.vni,
            oriented: if flow.has(Traits::BY_SYN) {
                Oriented::Syn
            } else {
                Oriented::Guessed
            },
        }
    }

    /// Opens a flow; the caller has made room.
    pub(crate) fn open(&mut self, hash: u64, key: FlowKey, opener: Opener) -> u32 {
        let tags = Tags {
            vlan: opener.vlan,
            vni: opener.vni,
        };
        let mut traits = Traits::LISTED;
        if opener.originator_is_low {
            traits.add(Traits::ORIGINATOR_IS_LOW);
        }
        if opener.oriented == Oriented::Syn {
            traits.add(Traits::BY_SYN);
        }
        let at = self.slab.add(Flow {
            key,
            phase: Phase::New,
            seen: TcpSeen::default(),
            traits,
            service: None,
            link: Link::default(),
            aside: u32::MAX,
            last_ns: opener.at_ns,
            tags: self.tags.enter(tags),
            prints: [0; 2],
            start_seq: [0; 2],
            packets: [0; 2],
            bytes: [0; 2],
            opened: opener.seq,
            first_ns: opener.at_ns,
            tag: tag(hash),
        });
        self.index.insert(tag(hash), at);
        // A capture may say any time, the last one that can be told too.
        let first_look_ns = opener.at_ns.saturating_add(FIRST_LOOK_S * NS_PER_S);
        self.wheel.arm(&mut self.slab, at, first_look_ns);
        at
    }

    /// Takes a flow out; its entry is free afterwards, so what is wanted of it is read before.
    pub(crate) fn remove(&mut self, at: u32) {
        self.wheel.disarm(&mut self.slab, at);
        let flow = self.slab.get_mut(at);
        flow.unmark(Traits::LISTED);
        self.tags.leave(flow.tags);
        self.index.remove(flow.tag, at);
        self.slab.free.push(at);
    }

    /// The same after [`FlowTable::forget_all_but`]: nobody looks for it, and its entry is not used again.
    pub(crate) fn remove_last(&mut self, at: u32) {
        self.slab.get_mut(at).unmark(Traits::LISTED);
    }

    /// Some flows that have been silent for too long at `now_ns`, and are in no timer any more: the caller removes them. Called
    /// until there is none. What it takes to remove them is fetched meanwhile.
    pub(crate) fn expired(&mut self, now_ns: i64, expired: &mut Vec<u32>) {
        expired.clear();
        let now_s = now_ns.div_euclid(NS_PER_S);
        while expired.len() < Self::TOGETHER
            && let Some(at) = self.wheel.due(&mut self.slab, now_s)
        {
            let flow = self.slab.get(at);
            let deadline_ns = flow.last_ns.saturating_add(flow.patience_ns());
            if deadline_ns < now_ns {
                self.index.fetch(flow.tag);
                expired.push(at);
                continue;
            }
            let look_again_ns = now_ns.saturating_add(LOOK_AGAIN_S * NS_PER_S);
            (self.wheel).arm(&mut self.slab, at, deadline_ns.min(look_again_ns));
        }
    }

    /// Flows are about to be removed: has all fetched that this takes, of each while the others are waited for.
    pub(crate) fn fetch_to_remove(&self, flows: impl Iterator<Item = u32> + Clone) {
        flows
            .clone()
            .for_each(|at| prefetch::fetch(self.slab.get(at)));
        flows.for_each(|at| self.index.fetch(self.slab.get(at).tag));
    }

    /// A flow that is worth least, for a table that is full: of some that lie side by side the one of the lowest worth, among
    /// equals the one that has been silent for the longest time. Other ones are looked at by each call, all in turn; so what
    /// was opened last is met last, and to find one costs the same with any number of flows.
    pub(crate) fn least_worth(&mut self, now_ns: i64) -> Option<u32> {
        let len = self.slab.entries.len() as u32;
        let mut least: Option<(Worth, i64, u32)> = None;
        for _ in 0..LOOKED_AT.min(len) {
            let at = if self.next < len { self.next } else { 0 };
            self.next = at + 1;
            let flow = self.slab.get(at);
            let worth = (flow.worth(now_ns), flow.last_ns, at);
            if flow.has(Traits::LISTED) && least.is_none_or(|least| worth < least) {
                least = Some(worth);
            }
        }
        least.map(|(_, _, at)| at)
    }

    /// All flows with their places, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Flow)> {
        (0..)
            .zip(&self.slab.entries)
            .filter(|(_, flow)| flow.has(Traits::LISTED))
    }

    /// Nothing comes any more: flows are not looked for, and only of these something is still asked.
    pub(crate) fn forget_all_but(&mut self, flows: &[(u64, u32)]) {
        self.index = Index::new();
        if flows.is_empty() {
            self.slab = Slab::default();
        }
    }
}

/// A name service's question is answered within seconds or never.
const SHORT_S: i64 = 30;
/// What comes after its answer is the answer again, or another question under the same ports.
const ANSWERED_S: i64 = 5;
/// RFC 4787 asks translators to keep UDP for two minutes. Protocols without connections have no better bound: tunnels ask
/// each other for life within a minute.
const UDP_S: i64 = 120;
/// What comes after both FINs or a reset are retransmissions.
const CLOSED_S: i64 = 5;
/// Linux gives up a SYN after 63 to 127 seconds, but repeats it all the while.
const HALF_OPEN_S: i64 = 30;
/// A remote session may be silent for long, keepalives come within an hour at most by default on many systems.
const ESTABLISHED_S: i64 = 3600;
/// The first look at a new flow, soon: in a busy network most have been answered or reset by then, and a table that holds
/// few of them lies in a cache.
const FIRST_LOOK_S: i64 = 6;
/// How often a flow is looked at, so that one that has closed meanwhile leaves soon.
const LOOK_AGAIN_S: i64 = 60;
/// How many flows are looked at for one that leaves: where one in four is part of a flood, all but one in a hundred times one
/// of these is.
const LOOKED_AT: u32 = 16;
/// A flow that has been silent for so long is idle.
const IDLE_S: i64 = 60;
/// Combinations of VLAN ids and virtual network are shared by so many flows at least, all in all: a sender may choose them.
const FLOWS_A_TAG: usize = 8;

#[cfg(test)]
mod tests;
