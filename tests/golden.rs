//! The captures of `pcaps/`: what the program finds in each is exactly what the manifest says happened, and what it writes
//! is octet by octet what a person has read before (`tests/golden/`).
//!
//! After a change that is meant to show: `cargo xtask golden`, then read the diff like code.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::support::manifest::{self, Row};
use crate::support::{assert_none, detections, of_kind, read, root};

/// A test of each kind for each folder, so that they run side by side and a failure names its folder.
macro_rules! folders {
    ($($folder:ident),*) => {
        mod findings_are_those_of_the_manifest {
            $(#[test] fn $folder() { super::check_findings(stringify!($folder)); })*
        }
        mod records_are_the_golden_ones {
            $(#[test] fn $folder() { super::check_golden(stringify!($folder)); })*
        }
        const FOLDERS: &[&str] = &[$(stringify!($folder)),*];
    };
}

folders!(
    benign, dtls, encap, hosts, http2, ngrok, proxy, quic, rdp, remote, ssh, stun, tls, tunnels,
    vnc, vpn, websocket
);

#[test]
fn no_folder_of_captures_is_left_out() {
    let there: BTreeSet<String> = manifest::captures()
        .iter()
        .map(|row| row.folder().to_owned())
        .collect();
    let tested: BTreeSet<String> = FOLDERS.iter().map(|&folder| folder.to_owned()).collect();
    assert_eq!(there, tested, "add the folder to the list above");
}

#[test]
fn captures_are_the_ones_of_the_manifest() {
    let wrong: Vec<String> = manifest::captures()
        .iter()
        .filter_map(|row| {
            let octets = fs::read(row.on_disk()).ok()?;
            let sum = hex(&Sha256::digest(octets));
            (sum != row.sha256).then(|| format!("{}: sha256 is {sum}", row.file))
        })
        .collect();
    assert_none(&wrong);
}

#[test]
fn benign_captures_are_silent() {
    // Beside the manifest: nobody may write a finding into it for a capture that must have none.
    let benign = manifest::captures()
        .into_iter()
        .filter(|row| row.folder() == "benign");
    let mut wrong = Vec::new();
    for row in benign {
        let found = detections(&of_kind(read(&[row.path()]).records(), "alert"));
        if !found.is_empty() || !row.findings.is_empty() {
            wrong.push(format!("{}: {found:?}", row.file));
        }
    }
    assert_none(&wrong);
}

#[test]
fn no_golden_file_is_left_of_a_capture_that_is_gone() {
    let wanted: BTreeSet<PathBuf> = manifest::captures().iter().map(golden_path).collect();
    let mut wrong = Vec::new();
    for folder in entries(root().join("tests/golden")) {
        for path in entries(folder) {
            if wanted.contains(&path) {
                continue;
            }
            if updating() {
                fs::remove_file(&path).expect("a golden file can be removed");
            } else {
                wrong.push(format!("{}: remove it, or {UPDATE}", shown(&path)));
            }
        }
    }
    assert_none(&wrong);
}

fn check_findings(folder: &str) {
    let mut wrong = Vec::new();
    for row in of(folder) {
        let ran = read(&[row.path()]);
        if ran.code != Some(0) || !ran.stderr.is_empty() {
            wrong.push(format!("{}: exit {:?}, {}", row.file, ran.code, ran.stderr));
            continue;
        }
        let packets = &ran.stats()["packets"];
        if *packets != row.packets {
            wrong.push(format!(
                "{}: {packets} packets of {}",
                row.file, row.packets
            ));
        }
        let found = detections(&of_kind(ran.records(), "alert"));
        let missed: Vec<_> = row.findings.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&row.findings).collect();
        if !missed.is_empty() || !surplus.is_empty() {
            wrong.push(format!(
                "{}: missed {missed:?}, not in the manifest's `findings` {surplus:?} (of a later version: {:?})",
                row.file, row.later
            ));
        }
    }
    assert_none(&wrong);
}

fn check_golden(folder: &str) {
    let mut wrong = Vec::new();
    for row in of(folder) {
        let path = golden_path(&row);
        let now = golden_text(&read(&[row.path()]).records());
        if updating() {
            let parent = path.parent().expect("it lies in a folder");
            fs::create_dir_all(parent).expect("the folder can be made");
            fs::write(&path, now).expect("a golden file can be written");
            continue;
        }
        match fs::read_to_string(&path) {
            Err(error) => wrong.push(format!("{}: {error}; {UPDATE}", shown(&path))),
            Ok(before) => wrong
                .extend(difference(&before, &now).map(|text| format!("{}, {text}", shown(&path)))),
        }
    }
    assert_none(&wrong);
}

/// Observations and alerts as they were written, without the name of the machine. The path in an alert is relative, as
/// the program runs in the repository.
fn golden_text(records: &[Value]) -> String {
    let mut text = String::new();
    for record in records {
        let mut record = record.clone();
        if record["kind"] == "stats" {
            continue;
        }
        if let Some(fields) = record.as_object_mut() {
            fields.remove("sensor");
        }
        text.push_str(&record.to_string());
        text.push('\n');
    }
    text
}

/// The first line that differs, and how many do.
fn difference(before: &str, now: &str) -> Option<String> {
    if before == now {
        return None;
    }
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), now.lines().collect());
    let line = (0..).find(|&line| old.get(line) != new.get(line))?;
    Some(format!(
        "line {}:\n  - {}\n  + {}\n  ({} lines were {}; if that is meant, {UPDATE})",
        line + 1,
        old.get(line).unwrap_or(&"(nothing)"),
        new.get(line).unwrap_or(&"(nothing)"),
        new.len(),
        old.len(),
    ))
}

fn of(folder: &str) -> impl Iterator<Item = Row> {
    manifest::captures()
        .into_iter()
        .filter(move |row| row.folder() == folder)
}

fn golden_path(row: &Row) -> PathBuf {
    root()
        .join("tests/golden")
        .join(row.folder())
        .join(format!("{}.jsonl", row.name()))
}

fn entries(folder: PathBuf) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

fn shown(path: &std::path::Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

const UPDATE: &str =
    "`cargo xtask golden` writes what the program says now, to be read before it is committed";
