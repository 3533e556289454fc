//! The flow table: an open index over a slab of small flat entries, with a hard cap.
//!
//! An entry holds what every packet needs; what a session needs (buffers, decoder) lies aside and only while it is wanted.

use std::num::NonZeroU8;

use hashbrown::HashTable;

use super::timer::{Link, Linked, NS_PER_S};
use super::{FlowKey, Wheel};
use crate::observation::{EndCause, FlowEnd, FlowRef, Oriented, Transport, VlanTags};

/// One flow.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    hash: u64,
    /// `seq` of the packet that opened it.
    pub(crate) opened: u64,
    pub(crate) first_ns: i64,
    pub(crate) last_ns: i64,
    /// Of originator and responder.
    pub(crate) bytes: [u64; 2],
    /// Of originator and responder.
    pub(crate) packets: [u32; 2],
    /// Sequence number after the SYN of each side, where [`TcpSeen`] says that it was seen.
    pub(crate) start_seq: [u32; 2],
    /// Print of the last packet of each side, to know one that the span shows twice.
    pub(crate) prints: [u32; 2],
    link: Link,
    /// Where its conversation lies while `phase` is [`Phase::Watched`].
    pub(crate) conversation: u32,
    pub(crate) vlan: VlanTags,
    vni: Option<u32>,
    pub(crate) phase: Phase,
    pub(crate) seen: TcpSeen,
    /// The protocol of its last session, by its place in the registry.
    pub(crate) service: Option<NonZeroU8>,
    originator_is_low: bool,
    oriented: Oriented,
    /// Whether it waits for answers within seconds, as name services do: it leaves early.
    pub(crate) short: bool,
    /// Whether it was said that it is the tunnel of an endpoint.
    pub(crate) marked: bool,
    /// Whether it is the outside of a tunnel: such a flow may well have one direction only, as its senders spread packets
    /// over source ports, and mirrors do not answer.
    pub(crate) carries: bool,
    /// Whether it is in the table: its entry is kept when it leaves.
    listed: bool,
}

/// What a flow's packets are good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No payload yet.
    New,
    /// A conversation wants its payload.
    Watched,
    /// Understood or given up: its packets are only counted.
    Decided,
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
        usize::from(from_low != self.originator_is_low)
    }

    /// Its identity, the same in all its records.
    pub(crate) fn identity(&self) -> FlowRef {
        let (orig, resp) = self.key.ends(self.originator_is_low);
        FlowRef {
            id: self.key.id(self.opened),
            opened: self.opened,
            orig,
            resp,
            transport: self.key.transport(),
            vlan: self.vlan,
            vni: self.vni,
            oriented: self.oriented,
        }
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
        !self.carries && self.packets.contains(&0)
    }

    /// How long it may be silent, in nanoseconds.
    fn patience_ns(&self) -> i64 {
        let seconds = match self.key.transport() {
            _ if self.short => SHORT_S,
            Transport::Udp | Transport::Icmp | Transport::Icmp6 | Transport::Other(_) => UDP_S,
            Transport::Tcp if self.seen.closed() => CLOSED_S,
            Transport::Tcp if self.phase == Phase::New && self.packets.iter().sum::<u32>() < 3 => {
                HALF_OPEN_S
            }
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
    index: HashTable<u32>,
    slab: Slab,
    wheel: Wheel,
    free: Vec<u32>,
    most: usize,
    /// Counts the flows that came and went.
    state: u64,
}

#[derive(Debug)]
struct Slab(Vec<Flow>);

impl Linked for Slab {
    fn link(&mut self, index: u32) -> &mut Link {
        &mut self.0[index as usize].link
    }
}

impl FlowTable {
    /// At most `most` flows at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            index: HashTable::new(),
            slab: Slab(Vec::new()),
            wheel: Wheel::new(),
            free: Vec::new(),
            state: 0,
            most: most.clamp(1, u32::MAX as usize - 1),
        }
    }

    /// The time of the first packet of the run.
    pub(crate) fn begin(&mut self, at_ns: i64) {
        self.wheel.begin(at_ns);
    }

    /// How many flows there are.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether the next new flow needs another one to leave.
    pub(crate) fn is_full(&self) -> bool {
        self.index.len() >= self.most
    }

    #[inline]
    pub(crate) fn find(&self, hash: u64, key: &FlowKey) -> Option<u32> {
        self.index
            .find(hash, |&at| self.slab.0[at as usize].key == *key)
            .copied()
    }

    /// Whether [`Self::find`] would still answer this.
    #[inline]
    pub(crate) fn holds(&self, at: u32, key: &FlowKey) -> bool {
        let flow = &self.slab.0[at as usize];
        flow.listed && flow.key == *key
    }

    /// Another number whenever a flow has come or gone: until then [`Self::find`] answers the same.
    #[inline]
    pub(crate) fn state(&self) -> u64 {
        self.state
    }

    /// Where the conversation of a flow lies, if it is watched.
    #[inline]
    pub(crate) fn conversation(&self, at: u32) -> u32 {
        self.slab.0[at as usize].conversation
    }

    #[inline]
    pub(crate) fn get(&mut self, at: u32) -> &mut Flow {
        &mut self.slab.0[at as usize]
    }

    /// Opens a flow; the caller has made room.
    pub(crate) fn open(&mut self, hash: u64, key: FlowKey, opener: Opener) -> u32 {
        let flow = Flow {
            key,
            hash,
            opened: opener.seq,
            first_ns: opener.at_ns,
            last_ns: opener.at_ns,
            bytes: [0; 2],
            packets: [0; 2],
            start_seq: [0; 2],
            prints: [0; 2],
            link: Link::default(),
            conversation: u32::MAX,
            vlan: opener.vlan,
            vni: opener.vni,
            phase: Phase::New,
            seen: TcpSeen::default(),
            service: None,
            originator_is_low: opener.originator_is_low,
            oriented: opener.oriented,
            short: false,
            marked: false,
            carries: false,
            listed: true,
        };
        let at = if let Some(at) = self.free.pop() {
            self.slab.0[at as usize] = flow;
            at
        } else {
            self.slab.0.push(flow);
            (self.slab.0.len() - 1) as u32
        };
        self.state += 1;
        let slab = &self.slab;
        self.index
            .insert_unique(hash, at, |&other| slab.0[other as usize].hash);
        // A capture may say any time, the last one that can be told too.
        let first_look_ns = opener.at_ns.saturating_add(FIRST_LOOK_S * NS_PER_S);
        self.wheel.arm(&mut self.slab, at, first_look_ns);
        at
    }

    /// Takes a flow out; its entry is free afterwards, so what is wanted of it is read before.
    pub(crate) fn remove(&mut self, at: u32) {
        self.state += 1;
        self.wheel.disarm(&mut self.slab, at);
        let hash = self.slab.0[at as usize].hash;
        if let Ok(entry) = self.index.find_entry(hash, |&other| other == at) {
            entry.remove();
            self.slab.0[at as usize].listed = false;
            self.free.push(at);
        }
    }

    /// A flow that has been silent for too long at `now_ns`. Called until it answers `None`.
    pub(crate) fn expired(&mut self, now_ns: i64) -> Option<u32> {
        while let Some(at) = self.wheel.due(&mut self.slab, now_ns) {
            let flow = &self.slab.0[at as usize];
            let deadline_ns = flow.last_ns.saturating_add(flow.patience_ns());
            if deadline_ns < now_ns {
                return Some(at);
            }
            self.wheel.arm(
                &mut self.slab,
                at,
                deadline_ns.min(now_ns.saturating_add(LOOK_AGAIN_S * NS_PER_S)),
            );
        }
        None
    }

    /// The flow that is worth least: the one whose silence ends it first, by what the timers know.
    pub(crate) fn least_worth(&mut self, now_ns: i64) -> Option<u32> {
        for _ in 0..SECOND_CHANCES {
            let at = self.wheel.nearest(&mut self.slab)?;
            let flow = &self.slab.0[at as usize];
            // One that was heard since it was armed gets a second chance.
            let deadline_ns = flow.last_ns.saturating_add(flow.patience_ns());
            if deadline_ns <= now_ns.saturating_add(EVICT_WITHIN_S * NS_PER_S) {
                return Some(at);
            }
            self.wheel.arm(&mut self.slab, at, deadline_ns);
        }
        self.wheel.nearest(&mut self.slab)
    }

    /// All flows, in the order in which they were opened.
    pub(crate) fn all(&self) -> Vec<u32> {
        let mut all: Vec<u32> = self.index.iter().copied().collect();
        all.sort_unstable_by_key(|&at| self.slab.0[at as usize].opened);
        all
    }
}

/// A name service's question is answered within seconds or never.
const SHORT_S: i64 = 30;
/// RFC 4787 asks translators to keep UDP for two minutes. Protocols without connections have no better bound: tunnels ask
/// each other for life within a minute.
const UDP_S: i64 = 120;
/// What comes after both FINs or a reset are retransmissions.
const CLOSED_S: i64 = 5;
/// Linux gives up a SYN after 63 to 127 seconds, but repeats it all the while.
const HALF_OPEN_S: i64 = 30;
/// A remote session may be silent for long, keepalives come within an hour at most by default on many systems.
const ESTABLISHED_S: i64 = 3600;
/// The first look at a new flow: no patience is shorter but that of closed ones.
const FIRST_LOOK_S: i64 = 10;
/// How often a flow is looked at, so that one that has closed meanwhile leaves soon.
const LOOK_AGAIN_S: i64 = 60;
/// How many flows are looked at for one eviction.
const SECOND_CHANCES: usize = 16;
/// A flow that would leave within this time is worth least.
const EVICT_WITHIN_S: i64 = 60;

#[cfg(test)]
mod tests {
    use terrier_wire::net::Address;

    use super::*;
    use crate::flow::Hasher;

    fn opener(seq: u64, at_s: i64) -> Opener {
        Opener {
            seq,
            at_ns: at_s * NS_PER_S,
            originator_is_low: true,
            oriented: Oriented::Syn,
            vlan: VlanTags::default(),
            vni: None,
        }
    }

    fn key(port: u16) -> FlowKey {
        let end = |last| Address::v4([10, 0, 0, last]);
        FlowKey::of((end(1), port), (end(2), 80), Transport::Tcp).0
    }

    fn table_of(flows: u16, most: usize) -> (FlowTable, Hasher) {
        let hasher = Hasher::new(1);
        let mut table = FlowTable::new(most);
        for port in 0..flows {
            table.open(
                hasher.hash(&key(port)),
                key(port),
                opener(u64::from(port) + 1, 100),
            );
        }
        (table, hasher)
    }

    #[test]
    fn finds_what_it_opened_and_forgets_what_it_removed() {
        let (mut table, hasher) = table_of(500, 1000);
        let at = table.find(hasher.hash(&key(77)), &key(77)).unwrap();
        assert_eq!(table.get(at).opened, 78);
        table.remove(at);
        assert_eq!(table.find(hasher.hash(&key(77)), &key(77)), None);
        assert_eq!(table.len(), 499);
        let again = table.open(hasher.hash(&key(77)), key(77), opener(900, 100));
        assert_eq!(again, at, "the entry is used again");
    }

    #[test]
    fn a_half_open_flow_leaves_long_before_an_established_one() {
        let (mut table, hasher) = table_of(2, 10);
        let at = table.find(hasher.hash(&key(1)), &key(1)).unwrap();
        table.get(at).phase = Phase::Decided;
        let gone: Vec<u32> = std::iter::from_fn(|| {
            let gone = table.expired(140 * NS_PER_S)?;
            table.remove(gone);
            Some(gone)
        })
        .collect();
        assert_eq!(gone.len(), 1);
        assert_ne!(gone[0], at);
        assert_eq!(table.expired(3000 * NS_PER_S), None);
        assert_eq!(table.expired(3800 * NS_PER_S), Some(at));
    }

    #[test]
    fn the_ends_of_time_overflow_nothing() {
        for at_ns in [i64::MAX, i64::MIN] {
            let (mut table, hasher) = (FlowTable::new(1), Hasher::new(1));
            let opener = Opener {
                at_ns,
                ..opener(1, 0)
            };
            table.open(hasher.hash(&key(1)), key(1), opener);
            table.expired(at_ns);
            assert!(table.least_worth(at_ns).is_some());
        }
    }

    #[test]
    fn evicts_half_open_flows_first() {
        let (mut table, hasher) = table_of(4, 4);
        assert!(table.is_full());
        for port in [0, 1, 3] {
            let at = table.find(hasher.hash(&key(port)), &key(port)).unwrap();
            table.get(at).phase = Phase::Watched;
        }
        let at = table.least_worth(101 * NS_PER_S).unwrap();
        assert_eq!(table.get(at).opened, 3);
    }
}
