//! What a run of a program costs: CPU time, wall time, peak memory, of the whole process.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde::{Deserialize, Serialize};

/// The cost of one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    pub(crate) wall_s: f64,
    pub(crate) peak_kib: i64,
}

impl Cost {
    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

/// Runs a program to its end, its output thrown away, and says what it cost.
///
/// The kernel tells the peak of memory only as the highest of all children so far, and counts into it what the parent had
/// when it forked. So each run has a small parent of its own: this program again, as [`measured`].
pub(crate) fn cost_of(words: &[String]) -> anyhow::Result<Cost> {
    // Not by its path, where a build may have put another one meanwhile.
    let done = Command::new("/proc/self/exe")
        .arg("measured")
        .args(words)
        .output()?;
    if !done.status.success() {
        bail!(
            "{}: {}",
            words.join(" "),
            String::from_utf8_lossy(&done.stderr).trim()
        );
    }
    serde_json::from_slice(&done.stdout).context("the cost of a run")
}

/// The hidden chore that runs one program and prints its cost as JSON.
#[expect(clippy::print_stdout, reason = "the answer of the chore")]
pub(crate) fn measured(words: &[&str]) -> anyhow::Result<()> {
    let (program, arguments) = words.split_first().context("no program to measure")?;
    let start = Instant::now();
    let done = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| (*program).to_owned())?
        .wait_with_output()?;
    let wall_s = start.elapsed().as_secs_f64();
    if !done.status.success() {
        bail!("{}\n{}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cost = Cost {
        user_s: usage.user_time().num_microseconds() as f64 / 1e6,
        system_s: usage.system_time().num_microseconds() as f64 / 1e6,
        wall_s,
        peak_kib: usage.max_rss(),
    };
    println!("{}", serde_json::to_string(&cost)?);
    Ok(())
}

/// The middle one of several; of an even number the mean of the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle.wrapping_sub(1)), values.get(middle)) {
        (Some(below), Some(above)) if values.len().is_multiple_of(2) => {
            f64::midpoint(*below, *above)
        }
        (_, Some(it)) => *it,
        _ => f64::NAN,
    }
}

/// What several runs of a program cost, each next to a run of another one.
#[derive(Debug, Clone)]
pub(crate) struct Paired {
    pub(crate) costs: Vec<Cost>,
    pub(crate) others: Vec<Cost>,
}

impl Paired {
    /// Runs the two in turn, so often.
    pub(crate) fn run(words: &[String], other: &[String], pairs: usize) -> anyhow::Result<Self> {
        Self::while_patient(words, other, pairs, |_| pairs)
    }

    /// The same, but fewer times where a run takes long.
    pub(crate) fn run_patiently(
        words: &[String],
        other: &[String],
        pairs: usize,
    ) -> anyhow::Result<Self> {
        Self::while_patient(words, other, pairs, |cost| match cost.wall_s {
            OUT_OF_PATIENCE_S.. => 1,
            LONG_S.. => 3,
            _ => pairs,
        })
    }

    fn while_patient(
        words: &[String],
        other: &[String],
        pairs: usize,
        most: impl Fn(&Cost) -> usize,
    ) -> anyhow::Result<Self> {
        let mut paired = Self {
            costs: Vec::new(),
            others: Vec::new(),
        };
        let mut wanted = pairs;
        while paired.costs.len() < wanted {
            paired.others.push(cost_of(other)?);
            let cost = cost_of(words)?;
            wanted = wanted.min(most(&cost));
            paired.costs.push(cost);
        }
        Ok(paired)
    }

    pub(crate) fn of(&self, what: impl Fn(&Cost) -> f64) -> f64 {
        median(self.costs.iter().map(what))
    }

    pub(crate) fn other(&self, what: impl Fn(&Cost) -> f64) -> f64 {
        median(self.others.iter().map(what))
    }

    /// The median of the pairs' ratios.
    pub(crate) fn ratio(&self, what: impl Fn(&Cost) -> f64) -> f64 {
        let pairs = self.costs.iter().zip(&self.others);
        median(pairs.map(|(own, other)| what(own) / what(other)))
    }

    pub(crate) fn peak_kib(&self) -> i64 {
        let peaks = self.costs.iter().map(|cost| cost.peak_kib);
        peaks.max().unwrap_or_default()
    }
}

/// From here on three runs are enough.
const LONG_S: f64 = 5.0;
/// From here on one.
const OUT_OF_PATIENCE_S: f64 = 20.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn a_ratio_is_taken_pair_by_pair() {
        let cost = |user_s| Cost {
            user_s,
            system_s: 0.0,
            wall_s: 0.0,
            peak_kib: 0,
        };
        let paired = Paired {
            costs: vec![cost(2.0), cost(9.0), cost(40.0)],
            others: vec![cost(1.0), cost(3.0), cost(10.0)],
        };
        assert_eq!(paired.ratio(Cost::cpu_s), 3.0);
        assert_eq!(paired.of(Cost::cpu_s), 9.0);
        assert_eq!(paired.other(Cost::cpu_s), 3.0);
    }
}
