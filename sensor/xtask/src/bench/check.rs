//! Whether the program says what is in the capture: its observations against the truth, and the same for any number of
//! workers.

use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use terrier_traffic::Seen;

use super::captures::Capture;
use crate::tell;

/// What is wrong with the program's output on a capture; nothing, one hopes.
pub(crate) fn check(terrier: &Path, capture: &Capture) -> anyhow::Result<Vec<String>> {
    let mut seen = Seen::default();
    let first = output(terrier, capture, 1, |line| {
        let text = || String::from_utf8_lossy(line).into_owned();
        seen.record(line).with_context(text)
    })?;
    let mut faults = Vec::new();
    match &capture.truth {
        Some(truth) => faults.extend(seen.compare(truth)),
        None => tell(&format!(
            "{}: nothing beside it says what is in it; only the workers are compared",
            capture.name
        )),
    }
    for workers in [2, 4] {
        let other = output(terrier, capture, workers, |_| Ok(()))?;
        if other != first {
            faults.push(format!(
                "{workers} workers write {} octets that differ from the {} of one worker",
                other.octets, first.octets
            ));
        }
    }
    for fault in &mut faults {
        *fault = format!("{}: {fault}", capture.name);
    }
    if faults.is_empty() {
        tell(&format!(
            "{}: {}; the same {} octets from 1, 2 and 4 workers",
            capture.name,
            seen.in_words(),
            first.octets
        ));
    }
    Ok(faults)
}

/// How an output is recognised.
#[derive(Debug, PartialEq, Eq)]
struct Print {
    octets: u64,
    hash: u64,
}

/// Everything the program writes about a capture, line by line.
fn output(
    terrier: &Path,
    capture: &Capture,
    workers: usize,
    mut line: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Print> {
    let mut child = Command::new(terrier)
        .args([
            "read",
            "--json",
            "--emit",
            "alert,incident,observation,stats",
        ])
        .args(["--workers", &workers.to_string()])
        .arg(&capture.path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("{}", terrier.display()))?;
    let mut out = BufReader::with_capacity(1 << 18, child.stdout.take().context("its output")?);
    let mut buffer = Vec::new();
    let mut hasher = DefaultHasher::new();
    let mut octets = 0;
    while out.read_until(b'\n', &mut buffer)? > 0 {
        octets += buffer.len() as u64;
        hasher.write(&buffer);
        line(&buffer)?;
        buffer.clear();
    }
    let done = child.wait()?;
    if !done.success() {
        bail!("terrier read {}: {done}", capture.path.display());
    }
    Ok(Print {
        octets,
        hash: hasher.finish(),
    })
}
