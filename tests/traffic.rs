//! Whether Terrier finds in made-up traffic exactly what was put into it, with any number of workers.
//!
//! The benchmark checks the same on gigabytes; these captures are small, and of several seeds.

use std::fs::File;

use terrier_traffic::{Kind, Seen, write};

use crate::support::{assert_none, run};

const KINDS: [Kind; 4] = [
    Kind::Mix { octets: 12_000_000 },
    Kind::Small { packets: 12_000 },
    Kind::Flows { flows: 4_000 },
    Kind::Grid {
        packets: 6_000,
        flows: 1_500,
    },
];

#[test]
fn everything_that_is_there_is_found_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder for captures");
    let mut wrong = Vec::new();
    for kind in KINDS {
        for seed in 1..=3 {
            let path = folder.path().join("made.pcap");
            let file = File::create(&path).expect("a new file");
            let truth = write(kind, seed, file).expect("the file takes it");
            let path = path.to_str().expect("a path in UTF-8");
            let emit = ["read", "--json", "--emit", "alert,observation,stats"];
            let answers = ["1", "2", "4"].map(|workers| {
                let ran = run([&emit[..], &["--workers", workers, path]].concat());
                assert_eq!(ran.code, Some(0), "{}", ran.stderr);
                ran.stdout
            });
            let mut seen = Seen::default();
            for line in answers[0].lines() {
                seen.record(line.as_bytes()).expect("a record");
            }
            let faults = seen.compare(&truth);
            wrong.extend(
                faults
                    .iter()
                    .map(|fault| format!("{kind}, seed {seed}: {fault}")),
            );
            if answers.iter().any(|answer| *answer != answers[0]) {
                wrong.push(format!("{kind}, seed {seed}: the workers differ"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn a_truth_that_is_not_that_of_the_capture_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder for a capture");
    let path = folder.path().join("made.pcap");
    let file = File::create(&path).expect("a new file");
    let kind = Kind::Mix { octets: 3_000_000 };
    write(kind, 1, file).expect("the file takes it");
    let other = write(kind, 2, std::io::sink()).expect("the sink takes it");
    let path = path.to_str().expect("a path in UTF-8");
    let ran = run(["read", "--json", "--emit", "observation,stats", path]);
    let mut seen = Seen::default();
    for line in ran.stdout.lines() {
        seen.record(line.as_bytes()).expect("a record");
    }
    let faults = seen.compare(&other).join("\n");
    for what in ["packets", "TLS server name", "QUIC server name"] {
        assert!(faults.contains(what), "{faults}");
    }
}
