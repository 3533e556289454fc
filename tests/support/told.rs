//! What a capture tells, for tests that change a capture in a way that must not change it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::capture::{Frame, pcap};
use super::{READ, detections, of_kind, run_with_input};

/// What a capture tells, without what must change with its frames: their numbers and times, the flows' ids, which are made
/// of the number of the first frame, and what carried them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) facts: Vec<String>,
    pub(crate) alerts: BTreeSet<String>,
}

impl Told {
    pub(crate) fn by(frames: &[Frame]) -> Self {
        let ran = run_with_input(READ.iter().chain(&["-"]), &pcap(frames));
        let records = ran.expect(0, &[]).records();
        let mut facts: Vec<String> = of_kind(records.clone(), "observation")
            .iter()
            .map(fact)
            .collect();
        // Facts of two flows may change places: a fact's place is that of the frame that completed it.
        facts.sort();
        Self {
            facts,
            alerts: detections(&of_kind(records, "alert")),
        }
    }
}

fn fact(record: &Value) -> String {
    let mut record = record.clone();
    for field in ["frames", "ts"] {
        record.as_object_mut().map(|fields| fields.remove(field));
    }
    for field in ["id", "vlan", "vni"] {
        record["flow"]
            .as_object_mut()
            .map(|flow| flow.remove(field));
    }
    record.to_string()
}
