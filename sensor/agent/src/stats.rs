//! The `stats` record: what was read, what was left out and why.

use std::collections::BTreeMap;

use serde::Serialize;
use terrier_engine::record::{SCHEMA_VERSION, Timestamp};
use terrier_engine::{Counters, Verdicts};

use crate::pipeline::Progress;

/// The `stats` record.
#[derive(Debug, Clone, Serialize)]
pub struct Stats {
    kind: &'static str,
    schema_version: u32,
    /// Records read from the input, duplicates and undecodable ones included; without those in `left_out`.
    pub packets: u64,
    /// Octets of them on the wire.
    pub bytes: u64,
    /// Flows opened.
    pub flows: u64,
    /// Flows that left because the table was full.
    pub evictions: u64,
    /// What else went as memory was short, where something did: `sessions` of which no more was read, entries of
    /// [`Verdicts::TABLES`], and beginnings of flows that detections would have kept (`awaited`).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub given_up: BTreeMap<&'static str, u64>,
    /// The same frame twice within 100 ms.
    pub duplicates: u64,
    /// Packets in which each layer was met.
    pub encapsulations: BTreeMap<&'static str, u64>,
    /// Packets lost before they were looked at, by stage.
    pub drops: BTreeMap<&'static str, u64>,
    /// Packets of decided flows that were only counted, as a worker could not keep up; they are among `packets`. Live only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shed: Option<u64>,
    /// Facts that were lost because the judge or the output did not keep up. Live only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts_lost: Option<u64>,
    /// What could not be decoded, by layer or protocol and reason.
    pub decode_errors: BTreeMap<String, u64>,
    /// Packets without an IP packet, and tunnels that carry none that can be read, by reason: no error.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Packets that were read and not looked at, as it was asked, by reason: `before_since`, `after_until`, `filter`, and
    /// `unfit_filter` where the filter has no meaning for their link type.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Sessions that a decoder recognised, by protocol.
    pub sessions: BTreeMap<&'static str, u64>,
    /// Ended flows of TCP and UDP of which only one side was seen; other protocols have no answers to miss.
    pub one_sided_flows: u64,
    /// Lost octets in streams that a decoder waited for.
    pub gaps: u64,
    /// Jumps of packet time by over an hour.
    pub clock_jumps: u64,
    /// Time of the first and the last packet, by the packets.
    pub first_seen: Option<Timestamp>,
    /// See `first_seen`.
    pub last_seen: Option<Timestamp>,
    /// Each input.
    pub captures: Vec<CaptureStats>,
}

/// One input.
#[derive(Debug, Clone, Serialize)]
pub struct CaptureStats {
    /// Path as it was given, or the interface.
    pub path: String,
    /// Packets read.
    pub packets: u64,
    /// What was wrong with it.
    pub fault: Option<String>,
    /// Why it was not read at all, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

impl Stats {
    /// Puts the counts together.
    #[must_use]
    pub fn new(
        progress: Progress,
        counters: &Counters,
        verdicts: &Verdicts,
        captures: Vec<CaptureStats>,
    ) -> Self {
        let mut encapsulations = BTreeMap::new();
        for (name, count) in counters.encapsulations() {
            if count > 0 {
                encapsulations.insert(name, count);
            }
        }
        let mut decode_errors = BTreeMap::new();
        let mut ignored = BTreeMap::new();
        for (&why, &count) in &counters.undecoded {
            if why.is_error() {
                decode_errors.insert(why.name().to_owned(), count);
            } else {
                ignored.insert(why.name(), count);
            }
        }
        for (&(protocol, why), &count) in &counters.violations {
            decode_errors.insert(format!("{protocol}: {why}"), count);
        }
        for (name, count) in [
            ("fragments", counters.fragments_given_up),
            ("conflicting_overlaps", counters.conflicts),
        ] {
            if count > 0 {
                decode_errors.insert(name.to_owned(), count);
            }
        }
        Self {
            kind: "stats",
            schema_version: SCHEMA_VERSION,
            packets: progress.packets,
            bytes: progress.octets,
            flows: counters.flows_started.iter().sum(),
            evictions: counters.evictions,
            given_up: given_up(counters, verdicts),
            duplicates: counters.duplicates,
            encapsulations,
            drops: BTreeMap::new(),
            shed: None,
            facts_lost: None,
            decode_errors,
            ignored,
            left_out: BTreeMap::new(),
            sessions: counters.sessions.clone(),
            one_sided_flows: counters.one_sided_flows.iter().take(2).sum(),
            gaps: counters.gaps,
            clock_jumps: progress.clock_jumps,
            first_seen: progress.first_ns.map(Timestamp),
            last_seen: progress.last_ns.map(Timestamp),
            captures,
        }
    }
}

fn given_up(counters: &Counters, verdicts: &Verdicts) -> BTreeMap<&'static str, u64> {
    let forgotten = verdicts.tables.iter().map(|table| table.forgotten);
    Verdicts::TABLES
        .into_iter()
        .zip(forgotten)
        .chain([
            ("sessions", counters.sessions_given_up),
            ("awaited", verdicts.passed_over),
        ])
        .filter(|&(_, count)| count > 0)
        .collect()
}
