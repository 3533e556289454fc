//! The program against a bare libpcap loop on the same capture: whole processes, CPU time of user and system together,
//! in turn, so that the ratio holds on a machine whose speed drifts.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use crate::steps::{cargo, target};
use crate::{needs, tell};

/// Pairs of runs, besides a first one that only warms the page cache.
pub(crate) const PAIRS: usize = 5;

/// Measures and prints a table.
pub(crate) fn bench(capture: &str, pairs: usize) -> anyhow::Result<()> {
    needs::libpcap()?;
    cargo(
        &[
            "build",
            "--release",
            "--package",
            "terrier",
            "--bins",
            "--examples",
            "--quiet",
        ],
        &[],
    )?;
    let bare = target().join("release/examples/bare_loop");
    let terrier = target().join("release/terrier");
    let counted = Command::new(&bare).arg(capture).output()?;
    let text = String::from_utf8_lossy(&counted.stdout).into_owned();
    let packets: u64 = text
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .with_context(|| {
            format!("{capture}: libpcap cannot read it; the bench needs a plain capture")
        })?;
    let manners: [(&str, &[&str]); 2] = [
        ("alerts", &["read", "--json"]),
        (
            "every observation",
            &["read", "--json", "--emit", "alert,observation"],
        ),
    ];
    tell(&format!(
        "{capture}: {packets} packets; medians of {pairs} pairs"
    ));
    tell(&format!(
        "{:20} {:>9} {:>9} {:>10} {:>7}",
        "terrier writes", "CPU s", "bare s", "ns/packet", "ratio"
    ));
    let mut peak_kib = 0;
    for (name, arguments) in manners {
        let (mut own, mut other, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..=pairs.max(1) {
            let (ours, peak) = cost_of(Command::new(&terrier).args(arguments).arg(capture))?;
            let (theirs, _) = cost_of(Command::new(&bare).arg(capture))?;
            peak_kib = peak_kib.max(peak);
            if pair > 0 {
                own.push(ours);
                other.push(theirs);
                ratios.push(ours / theirs);
            }
        }
        let cpu = median(own);
        let per_packet = cpu * 1e9 / packets.max(1) as f64;
        tell(&format!(
            "{name:20} {cpu:>9.3} {:>9.3} {per_packet:>10.0} {:>7.2}",
            median(other),
            median(ratios)
        ));
    }
    tell(&format!(
        "peak memory of the program: {} MiB",
        peak_kib / 1024
    ));
    Ok(())
}

/// Seconds of CPU that a command took, user and system, and its peak memory in KiB.
fn cost_of(command: &mut Command) -> anyhow::Result<(f64, u64)> {
    let before = children()?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    // The kernel keeps the high-water mark; it is gone with the process, so it is looked at until then.
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let done = loop {
        peak = high_water(&status).unwrap_or(peak);
        if let Some(done) = child.try_wait()? {
            break done;
        }
        std::thread::sleep(LOOK_EVERY);
    };
    if !done.success() {
        bail!("{command:?}: {done}");
    }
    Ok((children()? - before, peak))
}

fn high_water(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Often enough for a peak near the end, seldom enough to cost nothing.
const LOOK_EVERY: Duration = Duration::from_millis(5);

fn children() -> anyhow::Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let microseconds =
        usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Ok(microseconds as f64 / 1e6)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
