//! Captures of which one direction is lost, or that begin in the middle: what is told then may be less, never more.

use std::collections::BTreeSet;

use serde_json::Value;
use terrier_engine::Limits;

use super::engine::{Said, run};
use crate::support::assert_none;
use crate::support::capture::{Frame, frames};
use crate::support::manifest;
use crate::support::segments;

#[test]
fn half_a_capture_raises_nothing_that_the_whole_one_does_not() {
    let mut wrong = Vec::new();
    let mut raised = 0;
    for row in manifest::captures() {
        let whole = frames(&row.on_disk());
        let known = detections(&run(&whole, 1, Limits::default()));
        raised += known.len();
        let halves = [
            ("one side only", side(&whole, true)),
            ("the other side only", side(&whole, false)),
            ("the later half", whole[whole.len() / 2..].to_vec()),
        ];
        for (what, half) in halves {
            let told = detections(&run(&half, 1, Limits::default()));
            for more in told.difference(&known) {
                if !ALLOWED.contains(&(row.file.as_str(), what, more.as_str())) {
                    wrong.push(format!("(\"{}\", \"{what}\", \"{more}\"),", row.file));
                }
            }
        }
    }
    assert!(
        raised > 100,
        "only {raised} detections: the captures were not read"
    );
    assert_none(&wrong);
}

/// What was raised, each once.
fn detections(said: &Said) -> BTreeSet<String> {
    let lines = said.lines.iter();
    let records = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records
        .filter_map(|record| record["detection"].as_str().map(str::to_owned))
        .collect()
}

/// The frames of one direction of each flow; what is neither TCP nor UDP stays.
fn side(frames: &[Frame], low: bool) -> Vec<Frame> {
    let kept = frames
        .iter()
        .filter(|frame| segments::is_from_low(frame).is_none_or(|from_low| from_low == low));
    kept.cloned().collect()
}

/// Capture, what is left of it, and what is raised though the whole one does not raise it: each is true of what is left.
const ALLOWED: &[(&str, &str, &str)] = &[];
