//! How much memory each table may take: one budget, divided.
//!
//! What an entry costs is counted at its worst, as senders choose it: a name has 255 octets here, though it has twenty on the
//! wire. So the sum stays below the limit whatever comes, and far below it in ordinary traffic.

/// The hard caps of the engine, for all workers together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Flows in the table.
    pub flows: usize,
    /// Octets that the watched flows may take: what is held for sessions, and the fixed room of each.
    pub buffered_octets: usize,
    /// Octets that packets which are being put together may take.
    pub fragment_octets: usize,
    /// Names of addresses.
    pub names: usize,
    /// Names of inside hosts.
    pub hosts: usize,
    /// Flows whose server name is kept until they end.
    pub flow_names: usize,
    /// Open alerts.
    pub alerts: usize,
    /// Blocks of packets under way to several workers, and letters of each that wait for the judge.
    pub under_way: usize,
    /// Octets that detections may keep of flows whose continuation may tell more.
    pub awaited_octets: usize,
}

impl Limits {
    /// What a run keeps to where nothing else is asked for.
    pub const USUAL_OCTETS: usize = 1 << 30;

    /// The least that so many workers can do with.
    #[must_use]
    pub fn least_octets(workers: u16) -> usize {
        reserve(workers) + LEAST_SHARED
    }

    /// Divides a budget of so many octets; with less than [`Limits::least_octets`] it is taken for that.
    #[must_use]
    pub fn within(octets: usize, workers: u16) -> Self {
        let shared = octets
            .max(Self::least_octets(workers))
            .saturating_sub(reserve(workers));
        let part = shared / 64;
        Self {
            flows: 17 * part / FLOW,
            buffered_octets: 17 * part,
            fragment_octets: part.min(MOST_FRAGMENT_OCTETS),
            names: (6 * part / NAME).min(MOST_NAMES),
            hosts: (2 * part / HOST).min(MOST_HOSTS),
            flow_names: (5 * part / FLOW_NAME).min(MOST_FLOW_NAMES),
            alerts: (5 * part / ALERT).min(MOST_ALERTS),
            awaited_octets: part,
            // What is left are 2 parts, for the gaps between pieces of memory.
            under_way: (1 + 8 * part / BLOCK).min(MOST_UNDER_WAY),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::within(Self::USUAL_OCTETS, 1)
    }
}

/// What is taken before the first packet comes or does not grow with traffic: the program, its signatures, what detections
/// count, the output; and for each worker the chunks and facts that are under way.
fn reserve(workers: u16) -> usize {
    PROGRAM + usize::from(workers.max(1)) * WORKER
}

const PROGRAM: usize = 32 << 20;
const WORKER: usize = 8 << 20;
const LEAST_SHARED: usize = 24 << 20;
/// An entry, its slot in the index while that grows, its place in the list of those that end together, its share of the
/// tags.
const FLOW: usize = 208;
/// A text is shared by two entries at least: who asked, and anybody.
const NAME: usize = 320;
const HOST: usize = 400;
const FLOW_NAME: usize = 384;
/// What a small packet each tells, as it waits for the facts of another worker. One is part of the reserve.
const BLOCK: usize = 8 << 20;
/// At the end of the input those that have grown are there twice.
const ALERT: usize = 4096;
/// Few networks fragment at all.
const MOST_FRAGMENT_OCTETS: usize = 8 << 20;
const MOST_NAMES: usize = 262_144;
/// A large campus.
const MOST_HOSTS: usize = 65_536;
const MOST_FLOW_NAMES: usize = 262_144;
const MOST_ALERTS: usize = 32_768;
/// Four megabytes of packets, which the cache that the cores share has room for.
const MOST_UNDER_WAY: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_are_less_than_the_whole() {
        for workers in [1, 2, 8, 64] {
            let least = Limits::least_octets(workers);
            for octets in [least, least + (1 << 20), 2 * least, 16 << 30] {
                let limits = Limits::within(octets, workers);
                let sum = reserve(workers)
                    + limits.flows * FLOW
                    + limits.buffered_octets
                    + limits.fragment_octets
                    + limits.names * NAME
                    + limits.hosts * HOST
                    + limits.flow_names * FLOW_NAME
                    + limits.alerts * ALERT
                    + limits.awaited_octets
                    + (limits.under_way - 1) * BLOCK;
                assert!(sum < octets, "{sum} of {octets} for {workers}");
                assert!(limits.flows >= 32_000 && limits.alerts >= 450, "{limits:?}");
            }
        }
    }

    #[test]
    fn every_number_of_workers_fits_the_usual_limit() {
        assert!(Limits::least_octets(64) <= Limits::USUAL_OCTETS);
        assert_eq!(Limits::least_octets(1), 64 << 20);
    }
}
