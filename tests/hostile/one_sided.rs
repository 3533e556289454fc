//! Captures of which one direction is lost, or that begin in the middle: what is told then may be less, never more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use terrier_engine::Limits;

use super::engine::{Said, run};
use crate::support::assert_none;
use crate::support::capture::Frame;
use crate::support::segments;

#[test]
fn a_part_of_a_capture_tells_nothing_that_the_whole_one_does_not() {
    let mut wrong = Vec::new();
    let mut raised = 0;
    for (file, whole) in super::captures() {
        let known = told(&run(&whole, 1, Limits::default()));
        raised += known.len();
        let mut halves = vec![
            ("one side only", side(&whole, true)),
            ("the other side only", side(&whole, false)),
            ("the later half", whole[whole.len() / 2..].to_vec()),
        ];
        let begun = [
            (1, "all but the first packet"),
            (2, "2 packets later"),
            (3, "3 packets later"),
            (4, "4 packets later"),
            (5, "5 packets later"),
            (7, "7 packets later"),
            (10, "10 packets later"),
            (15, "15 packets later"),
        ];
        halves.extend(begun.map(|(count, what)| (what, later(&whole, count))));
        for (what, half) in halves {
            let told = told(&run(&half, 1, Limits::default()));
            for more in told.difference(&known) {
                if !ALLOWED.contains(&(file.as_str(), what, more.as_str())) {
                    wrong.push(format!("(\"{}\", \"{what}\", \"{more}\"),", file));
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

/// What was raised, and which protocols were told of, each once.
fn told(said: &Said) -> BTreeSet<String> {
    let lines = said.lines.iter();
    let records = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    records
        .filter_map(|record| {
            let what = record["detection"]
                .as_str()
                .or_else(|| record["protocol"].as_str());
            what.map(str::to_owned)
        })
        .collect()
}

/// Each flow without its first packets.
fn later(frames: &[Frame], count: usize) -> Vec<Frame> {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    let kept = frames.iter().filter(|frame| {
        let Some(ends) = segments::ends(frame) else {
            return true;
        };
        let seen = seen.entry(ends.sorted()).or_default();
        *seen += 1;
        *seen > count
    });
    kept.cloned().collect()
}

/// The frames of one direction of each flow; what is neither TCP nor UDP stays.
fn side(frames: &[Frame], low: bool) -> Vec<Frame> {
    let kept = frames
        .iter()
        .filter(|frame| segments::is_from_low(frame).is_none_or(|from_low| from_low == low));
    kept.cloned().collect()
}

/// Capture, what is left of it, and what is raised though the whole one does not raise it: each is true of what is left.
const ALLOWED: &[(&str, &str, &str)] = &[
    // Without the agent's handshake in front of it, what it carries is HTTP from its first octet.
    ("tunnels/bore-secret.pcapng", "4 packets later", "http"),
    ("tunnels/bore-secret.pcapng", "5 packets later", "http"),
    ("tunnels/bore-secret.pcapng", "7 packets later", "http"),
    ("tunnels/yamux-reverse.pcapng", "7 packets later", "http"),
    // Third-party captures: a server that answers anew behind a gap, and the data of Tailscale, which are WireGuard's.
    (
        "tls/ndpi__tls_multiple_synack_different_seq.pcapng",
        "the later half",
        "tls_server",
    ),
    (
        "tls/ndpi__tls_multiple_synack_different_seq.pcapng",
        "3 packets later",
        "tls_server",
    ),
    (
        "tls/ndpi__tls_multiple_synack_different_seq.pcapng",
        "4 packets later",
        "tls_server",
    ),
    (
        "tls/ndpi__tls_multiple_synack_different_seq.pcapng",
        "5 packets later",
        "tls_server",
    ),
    (
        "vpn/ndpi__tailscale.pcap",
        "3 packets later",
        "vpn.wireguard",
    ),
    ("vpn/ndpi__tailscale.pcap", "3 packets later", "wireguard"),
];
