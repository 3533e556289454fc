//! Storms live against `--memory-limit`: the sensor's peak stays below the limit and its ring, and a session in the midst of the
//! storm, and one behind it, are found all the same.

use std::collections::VecDeque;
use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::Signal;
use serde_json::Value;

use super::{ETHERNET, Namespace};
use crate::hostile::packets::Flow;
use crate::support::capture::{Frame, frames};
use crate::support::sender::Sender;
use crate::support::{self, of_kind, root, skip};

#[test]
fn connections_that_nobody_answers() {
    let stats = weather(250_000, |n, out| {
        out.push(Flow::new(n, 443).segment(0, 1, SYN, &[]));
    });
    assert_many(&stats, "/evictions", 50_000);
}

#[test]
fn datagrams_of_nobody_to_nobody() {
    let stats = weather(250_000, |n, out| {
        out.push(Flow::new(n, 9999).udp(0, &n.to_be_bytes()));
    });
    assert_many(&stats, "/evictions", 50_000);
}

#[test]
fn answers_with_ever_new_names() {
    let stats = weather(80_000, |n, out| {
        let flow = Flow::new(n, 53);
        // Four labels of 59 octets, the first of them always another.
        let mut question = Vec::new();
        for part in 0..4 {
            question.push(59);
            question.extend(format!("{:0>59}", if part == 0 { n } else { part }).into_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        let head = |flags: u16, answers: u16| {
            let fields = [n as u16, flags, 1, answers, 0, 0];
            [&fields.map(u16::to_be_bytes).concat(), &question[..]].concat()
        };
        let mut answer = head(0x8180, 1);
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(n.to_be_bytes());
        out.push(flow.udp(0, &head(0x0100, 0)));
        out.push(flow.udp(1, &answer));
    });
    assert_many(&stats, "/given_up/names", 10_000);
}

#[test]
fn fragments_of_packets_that_never_end() {
    let stats = weather(60_000, |n, out| {
        let (flow, id) = (Flow::new(n, 53), n as u16);
        out.push(flow.ip(0, 17, id, 0x2000, &[0x41; 1400]));
        out.push(flow.ip(0, 17, id, 0x2000 | 1000, &[0x41; 1400]));
    });
    assert_many(&stats, "/decode_errors/fragments", 50_000);
}

#[track_caller]
fn assert_many(stats: &Option<Value>, pointer: &str, least: u64) {
    let Some(stats) = stats else { return };
    let count = stats.pointer(pointer).and_then(Value::as_u64);
    assert!(count > Some(least), "{pointer} of {stats}");
}

/// Shows a storm of so many flows to a sensor, with one and with two workers. From its half on a session of VNC without a
/// password goes on in it, and a tunnel of ngrok behind it. Answers the statistics of the first run, unless this machine is too
/// busy to have looked at it all.
fn weather(flows: u32, each: impl Fn(u32, &mut Vec<Frame>) + Sync) -> Option<Value> {
    let namespace = Namespace::new(1)?;
    let mut first = None;
    for workers in [1, 2] {
        let stats = one_storm(&namespace, workers, flows, &each);
        first.get_or_insert(stats);
    }
    first.flatten()
}

fn one_storm(
    namespace: &Namespace,
    workers: i64,
    flows: u32,
    each: &(impl Fn(u32, &mut Vec<Frame>) + Sync),
) -> Option<Value> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let records = folder.path().join("records").display().to_string();
    let sensor = namespace.watch(&[
        "-i",
        "a0",
        "--emit",
        "alert,observation,flow,stats",
        "--output",
        &records,
        "--workers",
        &workers.to_string(),
        "--memory-limit",
        LIMIT,
        "--ring-size",
        RING,
    ]);
    let mut storm = Storm::new(flows, each);
    namespace.inside(|| Sender::on("b0").send(RATE, |buffer| storm.write_next(buffer)));
    assert!(storm.session.is_empty(), "the storm was long enough");
    namespace.replay(&root().join(BEHIND), "b0");
    sensor.signal(Signal::TERM);
    sensor.end().expect(0, &[]);
    assert_peak(workers);
    // One in many thousands is of interest.
    let found = fs::read_to_string(&records).expect("records were written");
    let found: Vec<Value> = found
        .lines()
        .filter(|line| {
            [r#""kind":"alert""#, r#""kind":"stats""#]
                .iter()
                .any(|kind| line.contains(kind))
        })
        .map(|line| serde_json::from_str(line).expect("a record"))
        .collect();
    let stats = of_kind(found.clone(), "stats").remove(0);
    // What the kernel could not hand on was not there to be found. Facts may be lost: those of the storm.
    if stats["drops"]["kernel"] != 0 {
        skip(&format!("this machine is too busy for a storm: {stats}"));
        return None;
    }
    let detections = support::detections(&found);
    for wanted in ["vnc.no_auth", "tunnel.ngrok"] {
        assert!(
            detections.contains(wanted),
            "{wanted} with {workers} workers among {detections:?}; {stats}"
        );
    }
    Some(stats)
}

/// No sensor of this test has taken more than it may.
#[track_caller]
fn assert_peak(workers: i64) {
    if std::env::var_os("NEXTEST").is_none() {
        // The kernel keeps the highest peak of all children of a process.
        return skip("only where each test has a process of its own, as below cargo-nextest");
    }
    let peak_kb = getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("it is always told")
        .max_rss();
    let most_kb = LIMIT_KB + UNDER_TEST_KB + workers * RING_KB + (workers - 1) * WAITING_KB;
    assert!(
        peak_kb <= most_kb,
        "{workers} workers took {peak_kb} kB of {most_kb}"
    );
}

/// A storm, and a session in it.
struct Storm<'a, F> {
    flows: u32,
    each: &'a F,
    n: u32,
    waiting: VecDeque<Frame>,
    session: VecDeque<Frame>,
}

impl<'a, F: Fn(u32, &mut Vec<Frame>)> Storm<'a, F> {
    fn new(flows: u32, each: &'a F) -> Self {
        let mut session = frames(&root().join(WITHIN));
        session.retain(|frame| frame.link == ETHERNET);
        Self {
            flows,
            each,
            n: 0,
            waiting: VecDeque::new(),
            session: session.into(),
        }
    }

    fn write_next(&mut self, buffer: &mut Vec<u8>) -> bool {
        if self.waiting.is_empty() && self.n < self.flows {
            let mut frames = Vec::new();
            (self.each)(self.n, &mut frames);
            for frame in &mut frames {
                // The storm's packets have no link header.
                frame.octets.splice(0..0, LINK_HEADER);
            }
            self.waiting.extend(frames);
            if self.n >= self.flows / 2 && self.n.is_multiple_of(PACE) {
                self.waiting.extend(self.session.pop_front());
            }
            self.n += 1;
        }
        let next = self.waiting.pop_front();
        next.map(|frame| buffer.extend(&frame.octets)).is_some()
    }
}

const WITHIN: &str = "pcaps/vnc/tigervnc-no-password-from-internet.pcapng";
const BEHIND: &str = "pcaps/ngrok/python-session.pcapng";
const LINK_HEADER: [u8; 14] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
/// What a machine bears that others use too.
const RATE: u32 = 50_000;
/// After so many flows comes the next packet of the session: some milliseconds.
const PACE: u32 = 100;
const LIMIT: &str = "128M";
const LIMIT_KB: i64 = 128 << 10;
/// The rings are the kernel's, which counts what is mapped of them.
const RING: &str = "32M";
const RING_KB: i64 = 32 << 10;
/// As for captures that are read: the program's text, which has not been made small for the tests.
const UNDER_TEST_KB: i64 = 16 << 10;
/// What each worker more may cost on top of its part: see [`crate::hostile`]'s storms.
const WAITING_KB: i64 = 16 << 10;
const SYN: u8 = 0x02;
