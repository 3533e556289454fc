//! The answer is the same, octet by octet, with any number of workers and however often it is asked for.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::support::capture::{Frame, frames, write_pcap};
use crate::support::{Ran, assert_none, manifest, of_kind, run};

#[test]
fn every_capture_tells_the_same_with_any_number_of_workers() {
    let wrong: Vec<String> = manifest::captures()
        .iter()
        .filter_map(|row| difference(&[PathBuf::from(row.path())]))
        .collect();
    assert_none(&wrong);
}

#[test]
fn a_folder_of_captures_tells_the_same_with_any_number_of_workers() {
    assert_none(&Vec::from_iter(difference(&[PathBuf::from("pcaps")])));
}

proptest! {
    // Each case runs the program four to six times.
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn captures_together_tell_the_same_in_any_order_of_arguments(
        which in prop::sample::subsequence((0..manifest::captures().len()).collect::<Vec<_>>(), 2..5).prop_shuffle(),
    ) {
        let captures = manifest::captures();
        let paths: Vec<PathBuf> = which.iter().map(|&index| captures[index].path().into()).collect();
        let sorted: Vec<PathBuf> = {
            let mut which = which.clone();
            which.sort_unstable();
            which.iter().map(|&index| captures[index].path().into()).collect()
        };
        prop_assert_eq!(difference(&paths), None);
        // They are merged by time, so the order of arguments matters for nothing but packets of one moment.
        prop_assert_eq!(facts(&read(&paths, 1)), facts(&read(&sorted, 1)));
    }

    #[test]
    fn packets_in_wild_order_tell_the_same_with_any_number_of_workers(
        which in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..60),
        jumps in prop::collection::vec((any::<prop::sample::Index>(), -10_000_i64..10_000), 0..4),
    ) {
        let captures = manifest::captures();
        let mut mixed: Vec<Frame> = which
            .iter()
            .flat_map(|which| frames(&which.get(&captures).on_disk()))
            .filter(|frame| frame.link == 1)
            .collect();
        prop_assume!(!mixed.is_empty());
        for (a, b) in moves {
            let (a, b) = (a.index(mixed.len()), b.index(mixed.len()));
            mixed.swap(a, b);
        }
        for (from, seconds) in jumps {
            let from = from.index(mixed.len());
            for frame in &mut mixed[from..] {
                frame.at_ns += seconds * 1_000_000_000;
            }
        }
        let folder = tempfile::tempdir().expect("a folder for a capture");
        let path = folder.path().join("mixed.pcap");
        write_pcap(&path, &mixed);
        prop_assert_eq!(difference(&[path]), None);
    }
}

/// What differs between one worker, the same again, two and four.
fn difference(paths: &[PathBuf]) -> Option<String> {
    let first = read(paths, 1);
    if first.code != Some(0) {
        return Some(format!("{paths:?}: {}", first.stderr));
    }
    [1, 2, 4].into_iter().find_map(|workers| {
        let other = read(paths, workers);
        let (one, many): (Vec<_>, Vec<_>) = (
            first.stdout.lines().collect(),
            other.stdout.lines().collect(),
        );
        let line = (0..one.len().max(many.len())).find(|&line| one.get(line) != many.get(line))?;
        Some(format!(
            "{paths:?}: {workers} workers answer otherwise, first in line {}:\n  - {}\n  + {}",
            line + 1,
            one.get(line).unwrap_or(&"(nothing)"),
            many.get(line).unwrap_or(&"(nothing)"),
        ))
    })
}

fn read(paths: &[PathBuf], workers: u16) -> Ran {
    let workers = workers.to_string();
    let emit = "alert,observation,flow,stats";
    let options = ["read", "--json", "--emit", emit, "--workers", &workers];
    run(options
        .iter()
        .map(Path::new)
        .chain(paths.iter().map(AsRef::as_ref)))
}

/// The facts without flow ids, which are made of the place of the first packet among all.
fn facts(ran: &Ran) -> Vec<String> {
    let mut facts: Vec<String> = of_kind(ran.records(), "observation")
        .into_iter()
        .map(|mut fact| {
            fact["flow"].as_object_mut().map(|flow| flow.remove("id"));
            fact.to_string()
        })
        .collect();
    facts.sort();
    facts
}
