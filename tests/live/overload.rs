//! A sensor that is given too little time: of handshakes it loses fewer than it would at random.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::rate::Copies;
use super::{Namespace, lines};
use crate::support::of_kind;
use crate::support::sender::Sender;

/// A few flows that are decided and heavy, and between their packets handshakes of others.
struct Busy {
    handshakes: Copies,
    heavy: Vec<Vec<u8>>,
    count: u32,
}

impl Busy {
    fn write_next(&mut self, buffer: &mut Vec<u8>) -> bool {
        self.count += 1;
        if self.count.is_multiple_of(HEAVY_FOR_EACH) {
            return self.handshakes.write_next(buffer);
        }
        let flow = self.count as usize % self.heavy.len();
        buffer.extend(&self.heavy[flow]);
        // Another segment of the stream, not the same once more.
        buffer[18..20].copy_from_slice(&(self.count as u16).to_be_bytes());
        buffer[38..42].copy_from_slice(&(self.count << 11).to_be_bytes());
        true
    }
}

/// Sets a flag, also where a test fails.
struct AtTheEnd<'a>(&'a AtomicBool);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs a sensor for a fifth of the time, and answers its counts.
fn slowed_down(arguments: &[&str]) -> Option<Value> {
    let namespace = Namespace::new(1)?;
    let common = ["-i", "a0", "--emit", "stats", "--ring-size", "4M"];
    let sensor = namespace.watch(&[&common, arguments].concat());
    let mut first = Copies::of(CAPTURE, HEAVY_FLOWS);
    // They stay open.
    first.retain(|frame| frame.octets[47] & 0x07 != 0x01 && frame.octets[47] & 0x04 == 0);
    let heavy = (0..HEAVY_FLOWS).map(|copy| first.segment(copy, 1_400));
    let mut busy = Busy {
        heavy: heavy.collect(),
        handshakes: Copies::of(CAPTURE, HANDSHAKES).beginning_with(HEAVY_FLOWS),
        count: 0,
    };
    namespace.inside(|| Sender::on("b0").send(RATE, |buffer| first.write_next(buffer)));
    sensor.await_metric(
        r#"terrier_sessions_total{protocol="rfb"}"#,
        f64::from(HEAVY_FLOWS),
    );

    let over = AtomicBool::new(false);
    let pid = sensor.pid();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                kill_process(pid, Signal::STOP).expect("it runs");
                thread::sleep(STOPPED);
                kill_process(pid, Signal::CONT).expect("it runs");
                thread::sleep(RUNNING);
            }
        });
        let _at_the_end = AtTheEnd(&over);
        namespace.inside(|| Sender::on("b0").send(RATE, |buffer| busy.write_next(buffer)));
    });
    thread::sleep(RUNNING * 20);
    sensor.signal(Signal::TERM);
    let ran = sensor.end();
    ran.expect(0, &[]);
    let stats = ran.stats();
    // What was lost or shed is said.
    for (count, words) in [
        (&stats["drops"]["kernel"], "because the ring was full"),
        (&stats["shed"], "cannot keep up"),
        (&stats["shed"], "were only counted"),
    ] {
        assert_eq!(
            count.as_u64() > Some(0),
            ran.stderr.contains(words),
            "{words}"
        );
    }
    Some(stats)
}

#[test]
fn handshakes_go_first_when_there_is_too_little_time() {
    let Some(at_random) = slowed_down(&["--no-shed"]) else {
        return;
    };
    let found = |stats: &Value| {
        stats["sessions"]["rfb"].as_u64().expect("a count") - u64::from(HEAVY_FLOWS)
    };
    assert_eq!(at_random["shed"], 0);
    assert!(
        at_random["drops"]["kernel"].as_u64() > Some(0),
        "it had time: {at_random}"
    );
    let stats = slowed_down(&[]).expect("there was a namespace a moment ago");
    assert!(stats["shed"].as_u64() > Some(0), "{stats}");
    let (before, after) = (found(&at_random), found(&stats));
    // Half of what was lost is found, at least.
    let all = u64::from(HANDSHAKES);
    assert!(
        all - after <= (all - before) / 2,
        "{after} handshakes and {before} without shedding; {stats}; {at_random}"
    );
}

#[test]
fn what_is_lost_is_among_the_alerts() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let options = ["--emit", "alert,stats", "--ring-size", "4M", "--no-shed"];
    let sensor = namespace.watch(&[&["-i", "a0"], &options[..]].concat());
    let mut many = Copies::of("pcaps/benign/chromium.pcapng", 400);
    // It stands still until its ring has long been full.
    sensor.signal(Signal::STOP);
    namespace.inside(|| Sender::on("b0").send(RATE, |buffer| many.write_next(buffer)));
    sensor.signal(Signal::CONT);
    let opened = loop {
        let alert = sensor.await_record("alert");
        if alert["detection"] == "sensor.dropping" {
            break alert;
        }
    };
    sensor.await_metric(
        r#"terrier_detections_total{detection="sensor.dropping"}"#,
        1.0,
    );
    sensor.signal(Signal::TERM);
    let ran = sensor.end();
    ran.expect(0, &["because the ring was full"]);
    let mut all = vec![opened.clone()];
    all.extend(of_kind(ran.records(), "alert"));
    all.retain(|alert| alert["detection"] == "sensor.dropping");
    let validator = crate::schema::validator();
    for (revision, alert) in (0_u64..).zip(&all) {
        assert!(validator.is_valid(alert), "{alert}");
        assert_eq!(alert["id"], opened["id"]);
        assert_eq!(alert["revision"], revision);
        assert_eq!(alert["evidence"]["capture"], "a0");
    }
    let last = all.last().expect("there is one");
    let drops = &ran.stats()["drops"];
    let reason = &last["reasons"][0];
    assert_eq!(reason["what"], "capture.dropped.kernel");
    let observed = reason["observed"].as_str().expect("a text");
    assert!(
        observed.starts_with(&format!("{} of ", drops["kernel"])),
        "{last}; {drops}"
    );
    let advice = last["guidance"][0].as_str().expect("a text");
    for option in ["--ring-size", "--workers", "--filter"] {
        assert!(advice.contains(option), "{advice}");
    }
}

#[test]
fn an_output_that_takes_nothing_keeps_no_packet_waiting() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    for workers in ["1", "2"] {
        let arguments = [
            "-i",
            "a0",
            "--emit",
            "observation,flow,stats",
            "--workers",
            workers,
        ];
        let (mut sensor, out) = namespace.watch_unread(&arguments);
        // More facts than the pipe, the judge's queue and the workers hold.
        let mut many = Copies::of("pcaps/benign/dns-types.pcapng", 5_000);
        let (sent, _) =
            namespace.inside(|| Sender::on("b0").send(RATE, |buffer| many.write_next(buffer)));
        let seen = r#"terrier_capture_packets_total{interface="a0"}"#;
        sensor.await_metric(seen, sent as f64);
        let lost = |stage| {
            sensor.metric(&format!(
                "terrier_capture_dropped_packets_total{{interface=\"a0\",stage=\"{stage}\"}}"
            ))
        };
        assert_eq!((lost("kernel"), lost("queue")), (0.0, 0.0));
        sensor.await_metric("terrier_facts_lost_total", 1.0);
        // Somebody reads after all.
        sensor.out = lines(out);
        sensor.signal(Signal::TERM);
        let ran = sensor.end();
        ran.expect(0, &["facts were lost because the output did not keep up"]);
        assert!(ran.stats()["facts_lost"].as_u64() > Some(0));
    }
}

const CAPTURE: &str = "pcaps/vnc/tigervnc-no-password-from-internet.pcapng";
const HEAVY_FLOWS: u32 = 8;
/// Of so many packets one belongs to a handshake.
const HEAVY_FOR_EACH: u32 = 16;
const HANDSHAKES: u32 = 400;
const RATE: u32 = 100_000;
const STOPPED: Duration = Duration::from_millis(40);
const RUNNING: Duration = Duration::from_millis(10);
