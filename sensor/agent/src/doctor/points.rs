//! What was counted, weighed: each point with what it means for this sensor and what to do.

mod capture;
mod traffic;

use std::fmt::Display;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Seen;
use capture::{
    begins_in_mid_flow, checksums, drops, duplicates, giants, inputs, lost_in_the_span, one_sided,
    truncation,
};
use traffic::{
    clock, encrypted_names, filter, home_networks, names, table, undecoded, unknown_protocols,
};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Point {
    /// What it is about: `[a-z_]`, stable.
    pub(super) id: &'static str,
    /// How much it matters.
    pub(super) level: Level,
    /// What was observed, in a sentence without its full stop.
    pub(super) observed: String,
    /// The numbers behind it.
    pub(super) values: Map<String, Value>,
    /// What that means for what can be seen.
    pub(super) meaning: &'static str,
    /// What to do; empty where nothing is to be done.
    pub(super) fix: String,
}

/// How much a point matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Note,
    /// Something is not seen.
    Warning,
    /// Much is not seen.
    Fault,
}

impl Level {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

/// Every point, the worst first.
pub(super) fn weigh(seen: &Seen) -> Vec<Point> {
    let mut points = vec![inputs(seen)];
    if seen.survey.packets > 0 {
        points.extend(
            [
                Some(drops(seen)),
                Some(one_sided(seen)),
                Some(begins_in_mid_flow(seen)),
                Some(home_networks(seen)),
                Some(duplicates(seen)),
                Some(truncation(seen)),
                Some(giants(seen)),
                Some(checksums(seen)),
                Some(lost_in_the_span(seen)),
                Some(undecoded(seen)),
                Some(clock(seen)),
                Some(names(seen)),
                Some(encrypted_names(seen)),
                Some(unknown_protocols(seen)),
                filter(seen),
                table(seen),
            ]
            .into_iter()
            .flatten(),
        );
    }
    points.sort_by_key(|point| std::cmp::Reverse(point.level));
    points
}

fn fine(id: &'static str, observed: &str, values: Map<String, Value>) -> Point {
    Point {
        id,
        level: Level::Ok,
        observed: observed.to_owned(),
        values,
        meaning: "",
        fix: String::new(),
    }
}

fn values<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn percent(share: f64) -> impl Display {
    let digits = if share < 0.0995 { 1 } else { 0 };
    format!("{:.digits$} %", share * 100.0)
}

fn vlan_text(vlan: &[u16]) -> String {
    match vlan {
        [] => "untagged".to_owned(),
        [one] => format!("VLAN {one}"),
        several => format!(
            "VLAN {}",
            several
                .iter()
                .map(u16::to_string)
                .collect::<Vec<_>>()
                .join(".")
        ),
    }
}

/// Below this a share says little.
const ENOUGH_FLOWS: u64 = 10;
