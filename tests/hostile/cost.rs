//! What an octet costs when its stream comes in the smallest segments and is never told to its end. Nothing is asserted of
//! times; with `TERRIER_HOSTILE_COST` the dearest openings are listed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use terrier_engine::{Facts, Limits, LinkType, Packet, Wanted, Worker, WorkerConfig};

use super::packets::Flow;
use crate::support::segments::{self, Ends};
use crate::support::skip;

#[test]
fn small_segments_of_endless_openings() {
    if std::env::var_os("TERRIER_HOSTILE_COST").is_none() {
        return;
    }
    let mut costs = Vec::new();
    for (name, turns) in openings() {
        for (fill_name, fill) in FILLS {
            for both in [false, true] {
                let cost = |length| {
                    let begun = Instant::now();
                    feed(&turns, fill, length, both);
                    begun.elapsed().as_nanos() as usize / length
                };
                let short = cost(SHORT);
                if short > 3000 {
                    costs.push((
                        cost(4 * SHORT),
                        short,
                        format!("{name} + {fill_name}, {both}"),
                    ));
                }
            }
        }
    }
    costs.sort_unstable_by(|a, b| b.cmp(a));
    for (long, short, name) in costs.iter().take(60) {
        skip(&format!(
            "nothing: {short} ns an octet, {long} when longer: {name}"
        ));
    }
}

fn feed(turns: &[(usize, Vec<u8>)], fill: &[u8], length: usize, both: bool) {
    let mut worker = Worker::new(WorkerConfig {
        index: 0,
        count: 1,
        seed: 1,
        limits: Limits::default(),
        wanted: Wanted::ALL,
    });
    let mut facts = Facts::default();
    let mut flow = Flow::new(1, 9999);
    let mut seq = 0;
    let mut show = |frame: crate::support::capture::Frame| {
        seq += 1;
        worker.packets(
            &[Packet {
                at_ns: frame.at_ns,
                seq,
                capture: 0,
                frame: seq,
                link: LinkType(frame.link),
                wire_len: frame.wire_len,
                octets: &frame.octets,
            }],
            &mut facts,
        );
        facts.observations.clear();
    };
    for (side, octets) in turns {
        for octet in octets {
            show(flow.tcp(*side, &[*octet]));
        }
    }
    let last = turns.last().map_or(0, |(side, _)| *side);
    for (at, octet) in fill.iter().cycle().take(length).enumerate() {
        let side = if both { at & 1 } else { last };
        show(flow.tcp(side, &[*octet]));
    }
}

/// What the sides say in turn.
type Turns = Vec<(usize, Vec<u8>)>;

/// How conversations begin: up to each change of turns, whole and cut.
fn openings() -> Vec<(String, Turns)> {
    let mut known = BTreeSet::new();
    let mut all = Vec::new();
    for (name, frames) in super::captures() {
        let mut open: BTreeMap<Ends, (Ends, Turns)> = BTreeMap::new();
        for frame in &frames {
            let Some((ends, octets)) = segments::segment(frame).filter(|(_, it)| !it.is_empty())
            else {
                continue;
            };
            let (first, turns) = open
                .entry(ends.sorted())
                .or_insert_with(|| (ends.clone(), Vec::new()));
            let side = usize::from(ends != *first);
            match turns.last_mut() {
                Some((last, said)) if *last == side => said.extend_from_slice(octets),
                _ => turns.push((side, octets.to_vec())),
            }
        }
        for (_, turns) in open.into_values().take(6) {
            for count in 1..=turns.len().min(5) {
                let mut turns = turns[..count].to_vec();
                turns.iter_mut().for_each(|(_, said)| said.truncate(2000));
                for cut in [2000, 60, 12, 5] {
                    if let Some((_, last)) = turns.last_mut() {
                        last.truncate(cut);
                    }
                    let key: Vec<u8> = turns
                        .iter()
                        .flat_map(|(_, said)| said.iter().take(6))
                        .copied()
                        .collect();
                    if known.insert((key, cut)) {
                        all.push((format!("{name} {count} turns cut {cut}"), turns.clone()));
                    }
                }
            }
        }
    }
    all
}

const FILLS: &[(&str, &[u8])] = &[
    ("zeros", &[0]),
    ("letters", b"a"),
    ("blanks", b" "),
    ("lines", b"a\r\n"),
    ("fields", b"a: b\r\n"),
    ("ones", &[0xff]),
    ("records", &[0x16, 3, 1, 0, 1, 1]),
    ("base64 lines", b"YWJj\n"),
];
const SHORT: usize = 4 << 10;
