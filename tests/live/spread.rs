//! Several workers live: the kernel deals packets out, and what it cannot see through finds its worker all the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ETHERNET, Namespace};
use crate::support::capture::{Frame, frames, write_pcap};
use crate::support::sender::Sender;
use crate::support::{self, of_kind, root};
use crate::wrapped::{WRAPS, fragmented, with};

/// A session in the clear, in each encapsulation and in fragments, all at once. Their addresses differ, so that they are
/// different flows; and where a tunnel runs over UDP its two directions have different ports outside, as tunnels between
/// switches have, so that they come to different workers.
fn everything_at_once() -> Vec<Frame> {
    let mut captures = Vec::new();
    for (sample, file) in (0..).zip(SAMPLES) {
        let bare: Vec<Frame> = frames(&root().join("pcaps").join(file))
            .into_iter()
            .filter(|frame| frame.link == ETHERNET && frame.octets[12..14] == [0x08, 0x00])
            .collect();
        captures.push(moved(&bare, sample, 200));
        let fragments = moved(&bare, sample, 201);
        let fragments = fragments.iter().flat_map(|frame| fragmented(frame, false));
        captures.push(fragments.collect());
        for (place, (_, wrap)) in (0..).zip(WRAPS) {
            let inner = moved(&bare, sample, place);
            let wrapped = inner.iter().map(|frame| {
                let mut outer = with(frame, wrap);
                let from_low = frame.octets[26..30] < frame.octets[30..34];
                if outer.octets[12..14] == [0x08, 0x00] && outer.octets[23] == 17 {
                    outer.octets[35] = place + u8::from(from_low) * 64;
                }
                outer
            });
            captures.push(wrapped.collect());
        }
    }
    // A frame of each in turn.
    let longest = captures.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest)
        .flat_map(|at| {
            captures
                .iter()
                .filter_map(move |capture| capture.get(at).cloned())
        })
        .collect()
}

/// The same with other addresses; nobody looks at checksums.
fn moved(bare: &[Frame], sample: u8, to: u8) -> Vec<Frame> {
    let mut moved = bare.to_vec();
    for frame in &mut moved {
        for address in [26, 30] {
            // The last octet but one, and of the last one what tells the samples apart.
            frame.octets[address + 2] ^= to;
            frame.octets[address + 3] ^= sample << 6;
        }
    }
    moved
}

/// What is told, without what depends on the moment and the place: times, and so ids, and numbers of frames.
fn facts(records: Vec<Value>) -> BTreeSet<String> {
    of_kind(records, "observation")
        .into_iter()
        .map(|mut record| {
            for field in ["ts", "frames", "sensor"] {
                record.as_object_mut().map(|fields| fields.remove(field));
            }
            record["flow"].as_object_mut().map(|flow| flow.remove("id"));
            record.to_string()
        })
        .collect()
}

fn replayed(namespace: &Namespace, frames: &[Frame]) -> u64 {
    let mut left = frames.iter();
    let sent = namespace.inside(|| {
        Sender::on("b0").send(20_000, |buffer| {
            let next = left.next();
            next.map(|frame| buffer.extend(&frame.octets)).is_some()
        })
    });
    sent.0
}

fn from_file(path: &Path) -> (BTreeSet<String>, Value) {
    let ran = support::run([
        "read".as_ref(),
        "--json".as_ref(),
        "--emit".as_ref(),
        "observation,stats".as_ref(),
        path.as_os_str(),
    ]);
    (facts(ran.records()), ran.stats())
}

#[test]
fn workers_find_live_what_one_finds_in_the_file() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let mut sent = everything_at_once();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now_ns = now.expect("after 1970").as_nanos() as i64;
    for (at, frame) in (0..).zip(&mut sent) {
        frame.at_ns = now_ns + at * 50_000;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sent.pcap");
    write_pcap(&path, &sent);
    let (expected, of_file) = from_file(&path);
    assert!(expected.len() > 50, "it tells something");

    for workers in ["1", "2", "4"] {
        let sensor = namespace.watch(&[
            "-i",
            "a0",
            "--workers",
            workers,
            "--emit",
            "observation,stats",
            "--ring-size",
            "16M",
        ]);
        let count = replayed(&namespace, &sent);
        let seen = r#"terrier_capture_packets_total{interface="a0"}"#;
        sensor.await_metric(seen, count as f64);
        sensor.signal(Signal::TERM);
        let ran = sensor.end();
        ran.expect(0, &[]);
        let stats = ran.stats();
        assert_eq!(stats["packets"], json!(count), "{workers} workers");
        assert_eq!(
            stats["drops"],
            json!({"nic": 0, "kernel": 0, "queue": 0}),
            "{workers} workers"
        );
        // Each packet is counted by one worker, however many saw it.
        for counted in [
            "encapsulations",
            "decode_errors",
            "ignored",
            "flows",
            "sessions",
        ] {
            assert_eq!(
                stats[counted], of_file[counted],
                "{counted}, {workers} workers"
            );
        }
        let found = facts(ran.records());
        let missing: Vec<&String> = expected.difference(&found).collect();
        let more: Vec<&String> = found.difference(&expected).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{workers} workers; missing: {missing:#?}; more: {more:#?}"
        );
    }
}

const SAMPLES: [&str; 2] = [
    "vnc/tigervnc-no-password-from-internet.pcapng",
    "rdp/nla.pcapng",
];
