//! What a worker counts. Plain numbers of one thread; the judge adds those of all workers.

use std::collections::BTreeMap;

use terrier_wire::link::{Tags, Undecoded};

use crate::observation::Transport;
use crate::protocol::Tally;

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Flows opened, by transport: TCP, UDP.
    pub flows_started: [u64; 2],
    /// Flows ended, by transport.
    pub flows_ended: [u64; 2],
    /// Flows that left because the table was full.
    pub evictions: u64,
    /// Ended flows of which only one side was seen, by transport.
    pub one_sided_flows: [u64; 2],
    /// Packets with an 802.1Q tag.
    pub vlan_packets: u64,
    /// Packets with a service tag or stacked tags.
    pub qinq_packets: u64,
    /// Packets that were not decoded down to TCP or UDP, by reason.
    pub undecoded: BTreeMap<Undecoded, u64>,
    /// Packets that are the same frame as the one before it in their flow and direction, within 100 ms.
    pub duplicates: u64,
    /// Gaps in streams that a session waited for.
    pub gaps: u64,
    /// Overlapping segments or fragments with different octets.
    pub conflicts: u64,
    /// Fragmented packets that could not be put together.
    pub fragments_given_up: u64,
    /// Sessions by protocol.
    pub sessions: BTreeMap<&'static str, u64>,
    /// Sessions that met octets which their protocol does not allow, by protocol and reason.
    pub violations: BTreeMap<(&'static str, &'static str), u64>,
    /// Octets that sessions wait for.
    pub buffered_octets: u64,
}

impl Counters {
    pub(crate) fn add_vlan(&mut self, vlan: &Tags) {
        self.vlan_packets += u64::from(vlan.customer);
        self.qinq_packets += u64::from(vlan.stacked);
    }

    /// Adds what was counted while octets were read.
    pub(crate) fn add_tally(&mut self, tally: &Tally) {
        self.gaps += tally.gaps;
        self.conflicts += tally.conflicts;
        for protocol in &tally.sessions {
            *self.sessions.entry(protocol.name).or_default() += 1;
        }
        for &violation in &tally.violations {
            *self.violations.entry(violation).or_default() += 1;
        }
    }

    /// Adds those of another worker.
    pub fn add(&mut self, other: &Self) {
        for transport in [Transport::Tcp, Transport::Udp] {
            let at = transport as usize;
            self.flows_started[at] += other.flows_started[at];
            self.flows_ended[at] += other.flows_ended[at];
            self.one_sided_flows[at] += other.one_sided_flows[at];
        }
        self.evictions += other.evictions;
        self.vlan_packets += other.vlan_packets;
        self.qinq_packets += other.qinq_packets;
        self.duplicates += other.duplicates;
        self.gaps += other.gaps;
        self.conflicts += other.conflicts;
        self.fragments_given_up += other.fragments_given_up;
        self.buffered_octets += other.buffered_octets;
        add_map(&mut self.undecoded, &other.undecoded);
        add_map(&mut self.sessions, &other.sessions);
        add_map(&mut self.violations, &other.violations);
    }

    /// Flows in the table, by transport.
    #[must_use]
    pub fn flows_active(&self) -> [u64; 2] {
        [0, 1].map(|at| self.flows_started[at].saturating_sub(self.flows_ended[at]))
    }
}

fn add_map<K: Ord + Copy>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (&key, &count) in more {
        *sum.entry(key).or_default() += count;
    }
}
