//! `cargo xtask instructions`: how many instructions the program takes for small captures, against the numbers in
//! `sensor/xtask/instructions.json`.
//!
//! Time varies by a tenth on a quiet machine and by more on a busy one; the count of instructions varies by a few in ten
//! thousand (the hash seed is random per process, and so is where memory lies), so that a change of the packet path shows
//! in each run of CI. It knows nothing of caches: what a change costs in time, `bench` says.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use terrier_traffic::Kind;

use crate::bench::{Capture, build};
use crate::steps::target;
use crate::{needs, tell};

/// What is done with the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    /// They are written anew.
    Write,
    /// They are compared with what is counted.
    Check,
}

/// The file of numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Numbers {
    /// The compiler they hold for.
    rustc: String,
    /// What of the processor's abilities the program and its libraries choose by, as they run.
    processor: String,
    /// By run.
    instructions: BTreeMap<String, u64>,
}

/// One counted run.
struct Run {
    name: &'static str,
    kind: Kind,
    arguments: &'static [&'static str],
}

const fn run(name: &'static str, kind: Kind, arguments: &'static [&'static str]) -> Run {
    Run {
        name,
        kind,
        arguments,
    }
}

const ALERTS: &[&str] = &["read", "--json"];
const ALL: &[&str] = &["read", "--json", "--emit", "alert,observation"];
/// Each takes some seconds under valgrind.
const RUNS: [Run; 6] = [
    run(
        "start",
        Kind::Grid {
            packets: 1,
            flows: 1,
        },
        ALERTS,
    ),
    run("mix", Kind::Mix { octets: 16_000_000 }, ALERTS),
    run(
        "mix, every observation",
        Kind::Mix { octets: 16_000_000 },
        ALL,
    ),
    run("small", Kind::Small { packets: 60_000 }, ALERTS),
    run("flows", Kind::Flows { flows: 16_000 }, ALERTS),
    run(
        "grid",
        Kind::Grid {
            packets: 80_000,
            flows: 20_000,
        },
        ALERTS,
    ),
];

/// Counts, and writes the numbers or compares with them.
pub(crate) fn instructions(what: Instructions) -> anyhow::Result<()> {
    needs::libpcap()?;
    needs::valgrind()?;
    build()?;
    let mut counted = Numbers {
        rustc: compiler()?,
        processor: processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
        ..Numbers::default()
    };
    for Run {
        name,
        kind,
        arguments,
    } in RUNS
    {
        let capture = Capture::of(name, kind, 1)?;
        let packets = capture.truth.as_ref().map_or(1, |truth| truth.packets);
        let count = count(arguments, &capture.path)?;
        tell(&format!(
            "{name:24} {count:>13} instructions, {:>6} a packet",
            count / packets.max(1)
        ));
        counted.instructions.insert(name.to_owned(), count);
    }
    if what == Instructions::Write {
        let text = serde_json::to_string_pretty(&counted)? + "\n";
        std::fs::write(FILE, text)?;
        tell(&format!("written to {FILE}"));
        return Ok(());
    }
    let text = std::fs::read_to_string(FILE).with_context(|| FILE.to_owned())?;
    let expected: Numbers = serde_json::from_str(&text).with_context(|| FILE.to_owned())?;
    if (&expected.rustc, &expected.processor) != (&counted.rustc, &counted.processor) {
        tell(&format!(
            "not compared: {FILE} holds for {} on {}, this is {} on {}",
            expected.rustc, expected.processor, counted.rustc, counted.processor
        ));
        return Ok(());
    }
    let faults = compare(&expected, &counted);
    if faults.is_empty() {
        return Ok(());
    }
    bail!(
        "{}\nif that is meant, or only the compiler's doing: cargo xtask instructions --write, and say why in the commit",
        faults.join("\n")
    )
}

/// Where the counts differ by more than the tolerance, either way.
fn compare(expected: &Numbers, counted: &Numbers) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, count) in &counted.instructions {
        let Some(before) = expected.instructions.get(name) else {
            faults.push(format!("{name}: {FILE} has no number of it"));
            continue;
        };
        let change = *count as f64 / *before as f64 - 1.0;
        if change.abs() > TOLERANCE {
            let direction = if change > 0.0 { "more" } else { "fewer" };
            faults.push(format!(
                "{name}: {count} instructions, {:.1} % {direction} than {before}",
                change.abs() * 100.0
            ));
        }
    }
    for name in expected.instructions.keys() {
        if !counted.instructions.contains_key(name) {
            faults.push(format!("{name}: it is not counted any more"));
        }
    }
    faults
}

/// Instructions of the whole process, as valgrind counts them.
fn count(arguments: &[&str], capture: &Path) -> anyhow::Result<u64> {
    let done = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no"])
        .arg("--cachegrind-out-file=/dev/null")
        .arg(target().join("release/terrier"))
        .args(arguments)
        .arg(capture)
        .output()
        .context("valgrind")?;
    let text = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        bail!("valgrind: {}\n{text}", done.status);
    }
    refs(&text).with_context(|| format!("valgrind counted nothing:\n{text}"))
}

/// The number in `==1== I   refs:      95,988,195` (or `I refs:`, as later releases write it).
fn refs(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| {
        let mut words = line.split_whitespace().skip(1);
        (words.next(), words.next()) == (Some("I"), Some("refs:"))
    })?;
    let number = line.rsplit_once(':')?.1.trim();
    number.replace(',', "").parse().ok()
}

fn compiler() -> anyhow::Result<String> {
    let done = Command::new("rustc").arg("--version").output()?;
    let text = String::from_utf8_lossy(&done.stdout);
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    Ok(words.join(" "))
}

/// The abilities that libraries ask for before they choose their code: hashes, ciphers, searches.
fn processor(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("flags"));
    let flags: Vec<&str> = line.unwrap_or_default().split_whitespace().collect();
    let there: Vec<&str> = ["avx2", "bmi2", "aes", "pclmulqdq", "sha_ni"]
        .into_iter()
        .filter(|flag| flags.contains(flag))
        .collect();
    format!("{} {}", std::env::consts::ARCH, there.join(" "))
}

const FILE: &str = "sensor/xtask/instructions.json";
/// As part of the number.
const TOLERANCE: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(counts: &[(&str, u64)]) -> Numbers {
        Numbers {
            instructions: counts
                .iter()
                .map(|&(name, count)| (name.to_owned(), count))
                .collect(),
            ..Numbers::default()
        }
    }

    #[test]
    fn more_and_fewer_are_both_told() {
        let expected = numbers(&[("a", 1000), ("b", 1000), ("c", 1000), ("gone", 1)]);
        let counted = numbers(&[("a", 1049), ("b", 1051), ("c", 949), ("new", 1)]);
        let faults = compare(&expected, &counted);
        assert_eq!(
            faults,
            [
                "b: 1051 instructions, 5.1 % more than 1000",
                "c: 949 instructions, 5.1 % fewer than 1000",
                "new: sensor/xtask/instructions.json has no number of it",
                "gone: it is not counted any more",
            ]
        );
        assert!(compare(&expected, &expected).is_empty());
    }

    #[test]
    fn the_count_is_read_from_old_and_new_valgrind() {
        let old = "==7== \n==7== I   refs:      95,988,195\n";
        let new = "==7== I refs:        1,234\n";
        assert_eq!(refs(old), Some(95_988_195));
        assert_eq!(refs(new), Some(1234));
        assert_eq!(refs("==7== D refs: 5"), None);
    }

    #[test]
    fn the_numbers_of_every_run_are_there() {
        let numbers: Numbers =
            serde_json::from_str(include_str!("../instructions.json")).expect("our file");
        let names: Vec<&str> = numbers.instructions.keys().map(String::as_str).collect();
        let mut runs = RUNS.map(|run| run.name);
        runs.sort_unstable();
        assert_eq!(names, runs);
    }
}
