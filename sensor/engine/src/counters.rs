//! What a worker counts. Plain numbers of one thread; the judge adds those of all workers.

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use terrier_wire::link::{Encapsulations, Undecoded};

use crate::observation::Transport;
use crate::protocol::{self, Tally};

/// Counts since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Flows opened, by transport in the order of [`Counters::TRANSPORTS`].
    pub flows_started: [u64; 4],
    /// Flows ended, by transport.
    pub flows_ended: [u64; 4],
    /// Flows that left because the table was full.
    pub evictions: u64,
    /// Watched flows of which no more was wanted because all together took too much memory.
    pub sessions_given_up: u64,
    /// Ended flows of which only one side was seen, by transport.
    pub one_sided_flows: [u64; 4],
    /// Packets in which each encapsulation was met, in the order of [`Encapsulations::NAMES`].
    pub encapsulations: [u64; Encapsulations::COUNT],
    /// Packets that belong to no flow, and those of which a tunnel could not be followed, by reason.
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
    /// Octets held for sessions: what waits for lost octets or for the rest of a message, and what sessions keep of their
    /// own. The fixed room of a watched flow is not among them; the number of flows bounds that.
    pub buffered_octets: u64,
}

impl Counters {
    /// How transports are told apart in counters: both versions of ICMP together, all that has a number only together.
    pub const TRANSPORTS: [&str; 4] = ["tcp", "udp", "icmp", "other"];

    /// The place of a transport in [`Counters::TRANSPORTS`].
    pub(crate) fn place(transport: Transport) -> usize {
        match transport {
            Transport::Tcp => 0,
            Transport::Udp => 1,
            Transport::Icmp | Transport::Icmp6 => 2,
            Transport::Other(_) => 3,
        }
    }

    /// The name and count of each encapsulation.
    pub fn encapsulations(&self) -> impl Iterator<Item = (&'static str, u64)> {
        std::iter::zip(Encapsulations::NAMES, self.encapsulations)
    }

    /// Counts a packet with these encapsulations.
    #[inline]
    pub(crate) fn add_met(&mut self, met: Encapsulations) {
        if !met.is_empty() {
            for place in met.places() {
                self.encapsulations[place] += 1;
            }
        }
    }

    /// Adds what was counted while octets were read.
    pub(crate) fn add_tally(&mut self, tally: &Tally) {
        self.gaps += tally.gaps;
        self.conflicts += tally.conflicts;
        for &violation in &tally.violations {
            *self.violations.entry(violation).or_default() += 1;
        }
    }

    /// Adds sessions that were begun, of the protocol at a place.
    pub(crate) fn add_sessions(&mut self, place: NonZeroU8, begun: u64) {
        if begun > 0 {
            *self.sessions.entry(protocol::name(place)).or_default() += begun;
        }
    }

    /// Adds those of another worker.
    pub fn add(&mut self, other: &Self) {
        for at in 0..Self::TRANSPORTS.len() {
            self.flows_started[at] += other.flows_started[at];
            self.flows_ended[at] += other.flows_ended[at];
            self.one_sided_flows[at] += other.one_sided_flows[at];
        }
        self.evictions += other.evictions;
        self.sessions_given_up += other.sessions_given_up;
        for (sum, more) in self.encapsulations.iter_mut().zip(other.encapsulations) {
            *sum += more;
        }
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
    pub fn flows_active(&self) -> [u64; 4] {
        std::array::from_fn(|at| self.flows_started[at].saturating_sub(self.flows_ended[at]))
    }
}

fn add_map<K: Ord + Copy>(sum: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (&key, &count) in more {
        *sum.entry(key).or_default() += count;
    }
}
