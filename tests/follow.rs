//! Whether a capture that grows is told as one that is whole, at once and not at its end.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::capture::{Frame, frames, pcap};
use crate::support::{Ran, detections, of_kind, read, root, terrier};

/// A run that follows. It is killed when the test fails.
pub(crate) struct Follower {
    child: Child,
    out: Receiver<String>,
    said: Receiver<String>,
}

impl Follower {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = terrier();
        command
            .args(["read", "--follow", "--json", "--emit", "alert,flow,stats"])
            .args(arguments);
        Self::of(command)
    }

    fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let follower = Self {
            out: lines(child.stdout.take().expect("it was piped")),
            said: lines(child.stderr.take().expect("it was piped")),
            child,
        };
        follower.await_said("following ");
        follower
    }

    fn await_said(&self, words: &str) {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.said.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        panic!("it has not said `{words}`");
    }

    /// Waits for the next record of this kind.
    pub(crate) fn await_record(&self, kind: &str) -> Value {
        loop {
            let line = self.out.recv_timeout(PATIENCE).expect("a record");
            let record: Value = serde_json::from_str(&line).expect("a record is JSON");
            if record["kind"] == kind {
                return record;
            }
        }
    }

    /// Ends it with a signal; what was not read of its records and messages before.
    pub(crate) fn end(mut self, signal: Signal) -> Ran {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process has an id");
        kill_process(pid, signal).expect("it runs");
        let began = Instant::now();
        let code = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status.code();
            }
            assert!(began.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(20));
        };
        let text = |lines: &Receiver<String>| lines.iter().map(|line| line + "\n").collect();
        Ran {
            code,
            stdout: text(&self.out),
            stderr: text(&self.said),
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a pipe, as they come.
fn lines(pipe: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

const CAPTURE: &str = "pcaps/vnc/tigervnc-no-password-from-internet.pcapng";

fn expected() -> BTreeSet<String> {
    detections(&read(&[CAPTURE]).records())
}

fn append(path: &Path) -> File {
    OpenOptions::new()
        .append(true)
        .open(path)
        .expect("it is ours")
}

#[test]
fn alerts_come_while_the_capture_grows() {
    for (octets, workers) in [
        (fs::read(root().join(CAPTURE)).expect("ours"), "1"),
        (pcap(&frames(&root().join(CAPTURE))), "3"),
    ] {
        let folder = TempDir::new().expect("a folder for the test");
        let path = folder.path().join("growing");
        fs::write(&path, b"").expect("it is ours");
        let follower = Follower::start(&[
            "--workers",
            workers,
            path.to_str().expect("a path in UTF-8"),
        ]);
        let mut writer = append(&path);
        // Every piece ends within a record, but the last.
        for piece in octets.chunks(997) {
            writer.write_all(piece).expect("it is written");
            thread::sleep(Duration::from_millis(5));
        }
        let first = follower.await_record("alert");
        let ran = follower.end(Signal::TERM);
        let mut records = vec![first];
        records.extend(ran.expect(0, &[]).records());
        assert_eq!(detections(&records), expected());
        let stats = of_kind(records, "stats").remove(0);
        assert_eq!(stats["packets"], 34);
        assert_eq!(stats["captures"][0]["fault"], Value::Null);
    }
}

#[test]
fn time_goes_on_where_nothing_is_added() {
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("silent.pcap");
    // Three packets of a connection that was closed: its flow ends some seconds after the last one.
    let whole = frames(&root().join(CAPTURE));
    fs::write(&path, pcap(&whole)).expect("it is ours");
    let follower = Follower::start(&[path.to_str().expect("a path in UTF-8")]);
    let flow = follower.await_record("flow");
    assert_ne!(flow["end"], "end_of_input");
    follower.end(Signal::INT).expect(0, &[]);
}

#[test]
fn a_rotated_capture_is_told_to_its_end_and_the_next_one_from_its_start() {
    let whole = frames(&root().join(CAPTURE));
    let (before, after) = whole.split_at(5);
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("live.pcap");
    fs::write(&path, pcap(before)).expect("it is ours");
    let follower = Follower::start(&[path.to_str().expect("a path in UTF-8")]);
    fs::rename(&path, folder.path().join("live.pcap.1")).expect("it is ours");
    fs::write(&path, pcap(after)).expect("it is ours");
    follower.await_said("live.pcap: reading the file that has this name now");
    let first = follower.await_record("alert");
    let ran = follower.end(Signal::TERM);
    let mut records = vec![first];
    records.extend(ran.expect(0, &[]).records());
    assert_eq!(detections(&records), expected());
    let stats = of_kind(records, "stats").remove(0);
    let packets: Vec<u64> = stats["captures"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|capture| capture["packets"].as_u64())
        .collect();
    assert_eq!(packets, [5, 29]);
}

#[test]
fn a_folder_is_followed_and_each_alert_names_its_capture() {
    let whole = frames(&root().join(CAPTURE));
    let folder = TempDir::new().expect("a folder for the test");
    let write = |name: &str, frames: &[Frame]| {
        // As dumpcap and tcpdump write them: the name first, then the octets.
        let path = folder.path().join(name);
        fs::write(&path, b"").expect("it is ours");
        append(&path).write_all(&pcap(frames)).expect("it is ours");
    };
    let follower = Follower::start(&[folder.path().to_str().expect("a path in UTF-8")]);
    for (number, part) in whole.chunks(9).enumerate() {
        write(&format!("ring_{number:05}.pcap"), part);
    }
    let first = follower.await_record("alert");
    let named = first["evidence"]["capture"].as_str().expect("a name");
    assert!(named.contains("/ring_0000"), "{named}");
    let ran = follower.end(Signal::TERM);
    let mut records = vec![first];
    records.extend(ran.expect(0, &[]).records());
    assert_eq!(detections(&records), expected());
}

#[test]
fn standard_input_is_followed_until_its_writer_ends() {
    tells_before_its_end(&["--follow", "-"]);
}

#[test]
fn what_came_through_a_pipe_is_told_before_its_end() {
    tells_before_its_end(&["-"]);
}

/// Whether a record of a capture on standard input comes while its writer has more to write.
#[track_caller]
fn tells_before_its_end(arguments: &[&str]) {
    let octets = fs::read(root().join(CAPTURE)).expect("ours");
    let mut command = terrier();
    command
        .args(["read", "--json", "--emit", "alert,stats"])
        .args(arguments)
        .stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("it was piped");
    let out = lines(child.stdout.take().expect("it was piped"));
    input.write_all(&octets).expect("it is read");
    input.flush().expect("it is read");
    // Before the pipe is closed.
    let first = out.recv_timeout(PATIENCE).expect("a record");
    assert!(first.contains(r#""kind":"alert""#), "{first}");
    drop(input);
    let rest: Vec<String> = out.iter().collect();
    assert!(
        rest.last()
            .is_some_and(|last| last.contains(r#""kind":"stats""#))
    );
    assert!(child.wait().expect("it is our child").success());
}

#[test]
fn what_cannot_be_followed_is_said() {
    let folder = TempDir::new().expect("a folder for the test");
    let path = folder.path().join("a.gz");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&pcap(&frames(&root().join(CAPTURE))))
        .expect("memory takes everything");
    fs::write(&path, gzip.finish().expect("memory takes everything")).expect("it is ours");
    let path = path.to_str().expect("a path in UTF-8");
    crate::support::run(["read", "--follow", path])
        .expect(3, &["a.gz: compressed by gzip", "read it without --follow"]);
    crate::support::run(["read", "--follow", "no/such.pcap"]).expect(3, &["no such file"]);
}

/// For a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
