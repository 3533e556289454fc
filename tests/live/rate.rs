//! Whether a sensor keeps up with a quarter of a million packets a second, and what it does while nothing comes.

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{ETHERNET, Namespace, Sensor};
use crate::support::capture::{Frame, frames};
use crate::support::sender::Sender;
use crate::support::{self, root};

/// Copies of a capture with an address of its own for each.
pub(super) struct Copies {
    frames: Vec<Frame>,
    /// The next frame of the copy, and the copy.
    at: usize,
    copy: u32,
    copies: u32,
}

impl Copies {
    /// A capture of IPv4, so many times.
    pub(super) fn of(path: &str, copies: u32) -> Self {
        let mut frames = frames(&root().join(path));
        frames.retain(|frame| frame.link == ETHERNET && frame.octets[12..14] == [0x08, 0x00]);
        Self {
            frames,
            at: 0,
            copy: 0,
            copies,
        }
    }

    /// The same, beginning with another copy.
    pub(super) fn beginning_with(mut self, copy: u32) -> Self {
        self.copy += copy;
        self.copies += copy;
        self
    }

    /// Keeps these frames only.
    pub(super) fn retain(&mut self, keep: impl FnMut(&Frame) -> bool) {
        self.frames.retain(keep);
    }

    /// The last segment of a copy, grown to so many octets of payload.
    pub(super) fn segment(&self, copy: u32, payload: u16) -> Vec<u8> {
        let tcp = |frame: &&Frame| frame.octets[23] == 6;
        let last = self.frames.iter().rfind(tcp).expect("a segment");
        let header = 14 + 20 + usize::from(last.octets[46] >> 4) * 4;
        let mut octets = self.moved(&last.octets, copy);
        octets.resize(header + usize::from(payload), 0);
        let len = (octets.len() - 14) as u16;
        octets[16..18].copy_from_slice(&len.to_be_bytes());
        octets
    }

    fn moved(&self, octets: &[u8], copy: u32) -> Vec<u8> {
        let mut moved = octets.to_vec();
        move_to(&mut moved, copy);
        moved
    }

    pub(super) fn write_next(&mut self, buffer: &mut Vec<u8>) -> bool {
        if self.at == self.frames.len() {
            self.at = 0;
            self.copy += 1;
        }
        if self.copy == self.copies {
            return false;
        }
        buffer.extend(&self.frames[self.at].octets);
        move_to(buffer, self.copy);
        self.at += 1;
        true
    }
}

/// Gives a packet the addresses of a copy; the first two octets stay, which say whether they are inside.
fn move_to(octets: &mut [u8], copy: u32) {
    let [_, _, high, low] = copy.to_be_bytes();
    for address in [26, 30] {
        octets[address + 2] ^= high;
        octets[address + 3] ^= low;
    }
}

fn await_end(sensor: Sensor<'_>, sent: u64) -> Value {
    sensor.await_metric(
        r#"terrier_capture_packets_total{interface="a0"}"#,
        sent as f64,
    );
    sensor.signal(Signal::TERM);
    let ran = sensor.end();
    ran.expect(0, &[]);
    // Where nothing was lost there is no alert about it.
    let stats = ran.stats();
    let lost = stats["drops"] != json!({"nic": 0, "kernel": 0, "queue": 0});
    let detections = support::detections(&ran.records());
    assert!(lost || !detections.contains("sensor.dropping"), "{stats}");
    stats
}

#[track_caller]
fn loses_nothing(workers: &str) {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    // Handshakes, names and short transfers: more work for each packet than on a usual link.
    let path = "pcaps/benign/chromium.pcapng";
    let once = Copies::of(path, 1).frames.len() as u32;
    let copies = PACKETS / once;
    let mut alone = Copies::of(path, 1);
    let sensor = namespace.watch(&["-i", "a0", "--workers", workers, "--emit", "alert,stats"]);
    let (one, _) =
        namespace.inside(|| Sender::on("b0").send(RATE, |buffer| alone.write_next(buffer)));
    let expected = await_end(sensor, one);
    assert!(expected["sessions"]["tls"].as_u64() > Some(0), "{expected}");

    let sensor = namespace.watch(&["-i", "a0", "--workers", workers, "--emit", "alert,stats"]);
    let mut all = Copies::of(path, copies);
    let (sent, took) =
        namespace.inside(|| Sender::on("b0").send(RATE, |buffer| all.write_next(buffer)));
    let stats = await_end(sensor, sent);
    let rate = sent as f64 / took.as_secs_f64();
    assert_eq!(
        stats["drops"],
        json!({"nic": 0, "kernel": 0, "queue": 0}),
        "at {rate:.0} packets a second"
    );
    assert_eq!(stats["packets"], json!(sent));
    assert_eq!(stats["shed"], json!(0));
    assert_eq!(stats["facts_lost"], json!(0));
    for (protocol, count) in expected["sessions"].as_object().expect("an object") {
        let wanted = count.as_u64().map(|count| count * u64::from(copies));
        assert_eq!(stats["sessions"][protocol].as_u64(), wanted, "{protocol}");
    }
    // On a machine that is busy with other things this tells less, and that is no fault of the sensor's.
    if rate < f64::from(RATE) * 0.8 {
        support::skip(&format!("only {rate:.0} packets a second could be sent"));
    }
}

#[test]
fn a_quarter_of_a_million_packets_a_second_are_all_looked_at() {
    loses_nothing("1");
}

#[test]
fn two_workers_lose_none_of_them_either() {
    loses_nothing("2");
}

#[test]
fn on_a_silent_link_flows_end_and_so_does_the_program() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let sensors = ["1", "3"].map(|workers| {
        namespace.watch(&["-i", "a0", "--workers", workers, "--emit", "flow,stats"])
    });
    // A connection that is refused.
    let mut refused = Copies::of("pcaps/benign/chromium.pcapng", 1);
    refused.retain(|frame| frame.octets[23] == 6 && frame.octets[47] & 0x12 == 0x02);
    refused.frames.truncate(1);
    let mut reset = refused.frames[0].clone();
    reset.octets[47] = 0x04;
    refused.frames.push(reset);
    namespace.inside(|| Sender::on("b0").send(RATE, |buffer| refused.write_next(buffer)));
    for sensor in sensors {
        sensor.await_metric(r#"terrier_flows_started_total{transport="tcp"}"#, 1.0);
        // Nothing comes any more, and yet the flow is over after some seconds.
        sensor.await_metric(r#"terrier_flows_ended_total{transport="tcp"}"#, 1.0);
        let flow = sensor.await_record("flow");
        assert_eq!(flow["end"], "rst", "{flow}");
        sensor.signal(Signal::INT);
        sensor.end().expect(0, &[]);
    }
}

const RATE: u32 = 250_000;
/// Two seconds of them.
const PACKETS: u32 = 500_000;
