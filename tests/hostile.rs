//! Hostile input and traffic as it really is: real captures changed in every way that a wire or an attacker can, shown to
//! the whole engine in this process.
//!
//! `TERRIER_HOSTILE_CASES` sets how many cases are tried (they begin with number `TERRIER_HOSTILE_FROM`), and with
//! `TERRIER_CORPUS` the captures there are used too. A case that fails is named by its number.

mod bombs;
mod cost;
mod engine;
mod mutate;
mod one_sided;
pub(crate) mod packets;
mod storms;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use terrier_engine::Limits;

use crate::support::capture::{Frame, frames};
use crate::support::random::Random;
use crate::support::{self, assert_none, manifest};
use engine::run;
use mutate::mutate;

#[test]
fn changed_captures_do_no_harm_and_tell_the_same_with_any_number_of_workers() {
    let captures = captures();
    let number = |name: &str, otherwise| {
        std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (from, cases) = (
        number("TERRIER_HOSTILE_FROM", 0),
        number("TERRIER_HOSTILE_CASES", CASES),
    );
    let mut wrong = Vec::new();
    let mut slowest = (Duration::ZERO, String::new());
    for case in from..from + cases {
        let mut random = Random(case);
        let (name, frames) = &captures[random.below(captures.len())];
        let (_, other) = &captures[random.below(captures.len())];
        let start = random.below(2) * random.below(frames.len());
        let mut changed = frames[start..].to_vec();
        let changes = mutate(&mut changed, other, &mut random);
        let what = format!("case {case}: {name} from {start}, {changes:?}");
        let begun = Instant::now();
        let told = catch_unwind(AssertUnwindSafe(|| difference(&changed)));
        let took = begun.elapsed() / (4 * changed.len().max(40)) as u32;
        if took > slowest.0 {
            slowest = (took, what.clone());
        }
        match told {
            Ok(None) => {}
            Ok(Some(difference)) => wrong.push(format!("{what}: {difference}")),
            Err(_) => wrong.push(format!("{what}: a panic")),
        }
    }
    if cases > CASES {
        support::skip(&format!(
            "nothing, but the slowest took {:?} a packet: {}",
            slowest.0, slowest.1
        ));
    }
    assert_none(&wrong);
}

/// What more workers tell otherwise than one.
fn difference(frames: &[Frame]) -> Option<String> {
    let alone = run(frames, 1, Limits::default());
    for workers in [2, 4, 8] {
        let many = run(frames, workers, Limits::default());
        let length = alone.lines.len().max(many.lines.len());
        if let Some(at) = (0..length).find(|&at| alone.lines.get(at) != many.lines.get(at)) {
            return Some(format!(
                "{workers} workers say otherwise in line {at}:\n  - {:?}\n  + {:?}",
                alone.lines.get(at),
                many.lines.get(at)
            ));
        }
        if alone.counters != many.counters {
            return Some(format!(
                "{workers} workers count otherwise:\n  - {:?}\n  + {:?}",
                alone.counters, many.counters
            ));
        }
    }
    None
}

/// The captures of the repository, and those of the corpus where there is one.
fn captures() -> Vec<(String, Vec<Frame>)> {
    let mut captures: Vec<(String, Vec<Frame>)> = manifest::captures()
        .iter()
        .map(|row| (row.file.clone(), frames(&row.on_disk())))
        .collect();
    if let Some(corpus) = support::corpus() {
        let table = std::fs::read_to_string(corpus.join("truth.tsv")).expect("a table");
        for line in table.lines().skip(1) {
            let Some(file) = line.split('\t').next() else {
                continue;
            };
            let path = corpus.join(file);
            if path.is_file() {
                let read = catch_unwind(|| frames(&path));
                captures.extend(read.ok().map(|frames| (file.to_owned(), frames)));
            }
        }
    }
    for (_, frames) in &mut captures {
        frames.truncate(3000);
    }
    captures.retain(|(_, frames)| !frames.is_empty());
    captures
}

/// In every run of the tests.
const CASES: u64 = 150;
