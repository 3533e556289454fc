//! Whether `terrier run` says of packets on an interface what `terrier read` says of them in a capture.
//!
//! Each test makes a network namespace with pairs of virtual interfaces, and removes it: no packet reaches this machine's
//! own network. That takes root and `ip`; elsewhere the tests say that they are skipped.

mod overload;
mod rate;
mod spread;
mod storms;
mod trouble;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CapabilitySet, LinkNameSpaceType};
use serde_json::Value;

use super::follow::Follower;
use super::support::{self, Ran, capture, of_kind, skip};

/// A network namespace of its own, gone when the test ends.
struct Namespace(String);

impl Namespace {
    /// One with pairs of interfaces, up: `a0` is watched and `b0` sends to it, and so on. `None`, and said why, where that
    /// cannot be had.
    fn new(pairs: u32) -> Option<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            skip("live tests need root, for network namespaces");
            return None;
        }
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("terrier-{}-{number}", std::process::id());
        if let Err(why) = ip(&["netns", "add", &name]) {
            skip(&format!("live tests need network namespaces: {why}"));
            return None;
        }
        let namespace = Self(name);
        namespace.ip("link set lo up");
        // Nobody but the tests sends anything.
        let quiet = |file: &str| std::fs::write(format!("/proc/sys/net/ipv6/conf/{file}"), "1");
        namespace.inside(|| {
            quiet("default/disable_ipv6")
                .and_then(|()| quiet("all/disable_ipv6"))
                .ok()
        });
        for pair in 0..pairs {
            namespace.ip(&format!("link add a{pair} type veth peer name b{pair}"));
            // Captures have packets that a card put together or had yet to cut.
            namespace.ip(&format!("link set a{pair} mtu 65535 up"));
            namespace.ip(&format!("link set b{pair} mtu 65535 up"));
        }
        Some(namespace)
    }

    #[track_caller]
    fn ip(&self, arguments: &str) {
        let inside = ["-n", &self.0];
        let arguments: Vec<&str> = inside.into_iter().chain(arguments.split(' ')).collect();
        ip(&arguments).expect("`ip` does what it is told");
    }

    /// Runs something in a thread that has moved into the namespace.
    #[track_caller]
    fn inside<T: Send>(&self, task: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.0);
        thread::scope(|scope| {
            let moved = scope.spawn(|| {
                let namespace = File::open(path).expect("the namespace has a name");
                let kind = Some(LinkNameSpaceType::Network);
                rustix::thread::move_into_link_name_space(namespace.as_fd(), kind)
                    .expect("root may enter");
                task()
            });
            moved
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs the program to its end.
    fn run(&self, arguments: &[&str]) -> Ran {
        self.inside(|| support::run(arguments))
    }

    /// Starts a sensor, and waits until it watches.
    fn watch(&self, arguments: &[&str]) -> Sensor<'_> {
        let (mut sensor, out) = self.watch_unread(arguments);
        sensor.out = lines(out);
        sensor
    }

    /// The same, but nobody reads its records yet.
    fn watch_unread(&self, arguments: &[&str]) -> (Sensor<'_>, ChildStdout) {
        let mut child = self.inside(|| {
            support::terrier()
                .args(["run", "--json", "--listen", "127.0.0.1:0"])
                .args(arguments)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts")
        });
        let out = child.stdout.take().expect("it was piped");
        let said = lines(child.stderr.take().expect("it was piped"));
        let first = said.recv_timeout(PATIENCE);
        let mut sensor = Sensor {
            namespace: self,
            child,
            out: channel().1,
            said,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let first = first.expect("it says what it watches");
        sensor.address = first
            .split_once("http://")
            .and_then(|(_, url)| url.strip_suffix("/metrics")?.parse().ok())
            .unwrap_or_else(|| panic!("no address in: {first}"));
        (sensor, out)
    }

    /// Sends the packets of a capture out of an interface, as fast as they go.
    fn replay(&self, capture: &Path, interface: &str) -> u64 {
        let frames = capture::frames(capture);
        self.inside(|| {
            let mut sender = pcap::Capture::from_device(interface)
                .and_then(pcap::Capture::open)
                .expect("root may send");
            for frame in &frames {
                assert_eq!(frame.link, ETHERNET, "it can be sent as it is");
                sender.sendpacket(&*frame.octets).expect("it is sent");
            }
        });
        frames.len() as u64
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Whatever is still inside keeps the namespace, so the sensors have ended before.
        let _ = ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(|error| format!("cannot run `ip` (Debian: apt-get install iproute2): {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
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

/// A running sensor. It is killed when the test fails.
struct Sensor<'a> {
    namespace: &'a Namespace,
    child: Child,
    out: Receiver<String>,
    said: Receiver<String>,
    address: SocketAddr,
}

impl Sensor<'_> {
    /// The status code and body of an answer.
    fn get(&self, path: &str) -> (u16, String) {
        let address = self.address;
        let answer = self.namespace.inside(|| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            let request = format!("GET {path} HTTP/1.1\r\nHost: sensor\r\n\r\n");
            stream.write_all(request.as_bytes()).expect("it reads");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).expect("it answers");
            answer
        });
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (code.expect("a status line"), body.to_owned())
    }

    /// The value of one series.
    fn metric(&self, series: &str) -> f64 {
        let (code, text) = self.get("/metrics");
        assert_eq!(code, 200);
        text.lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
            .unwrap_or_else(|| panic!("no {series} in:\n{text}"))
    }

    /// Waits until a series has at least this value; counts are published each second.
    #[track_caller]
    fn await_metric(&self, series: &str, least: f64) {
        let began = Instant::now();
        while self.metric(series) < least {
            assert!(
                began.elapsed() < PATIENCE,
                "{series} is {} and not {least}",
                self.metric(series)
            );
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits for a line on standard error with this in it.
    #[track_caller]
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

    /// Waits until it says that it is ready, or not.
    #[track_caller]
    fn await_ready(&self, code: u16) {
        let began = Instant::now();
        while self.get("/readyz").0 != code {
            assert!(began.elapsed() < PATIENCE, "/readyz does not answer {code}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the next record of this kind.
    #[track_caller]
    fn await_record(&self, kind: &str) -> Value {
        loop {
            let line = self.out.recv_timeout(PATIENCE).expect("a record");
            let record: Value = serde_json::from_str(&line).expect("a record is JSON");
            if record["kind"] == kind {
                return record;
            }
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a process has an id")
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits for the end; what was not read of its records and messages before.
    fn end(mut self) -> Ran {
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

impl Drop for Sensor<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is said of a host, without what differs between two runs: times, and so ids; how often it was written.
type Told = BTreeMap<String, u64>;

fn told(records: Vec<Value>) -> Told {
    of_kind(records, "alert")
        .iter()
        .map(|alert| {
            let text = ["detection", "title", "severity", "grade", "tool"]
                .iter()
                .map(|field| format!("{} ", alert[field]))
                .collect::<String>();
            let key = format!("{text}{} {}", alert["victim"]["ip"], alert["peer"]);
            (key, alert["count"].as_u64().expect("a count"))
        })
        .collect()
}

#[track_caller]
fn says_the_same_live(path: &str, workers: &str) {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let path = support::root().join(path);
    let expected = support::read(&[&path]).records();
    let alerts = of_kind(expected.clone(), "alert").len();
    assert!(alerts > 0, "a capture with a finding");

    let sensor = namespace.watch(&["-i", "a0", "--workers", workers, "--emit", "alert,stats"]);
    assert_eq!(sensor.get("/healthz").0, 200);
    assert_eq!(sensor.get("/readyz").0, 200);
    let sent = namespace.replay(&path, "b0") as f64;
    // Without a further packet: time goes on, and the output is flushed.
    let first = sensor.await_record("alert");
    sensor.await_metric(r#"terrier_capture_packets_total{interface="a0"}"#, sent);
    sensor.await_metric(r#"terrier_flows_started_total{transport="tcp"}"#, 1.0);
    let detection = first["detection"].as_str().expect("it has one");
    let series = format!("terrier_detections_total{{detection=\"{detection}\"}}");
    sensor.await_metric(&series, 1.0);
    let last = r#"terrier_capture_last_packet_timestamp_seconds{interface="a0"}"#;
    assert!(sensor.metric(last) > 1.7e9);

    sensor.signal(Signal::TERM);
    let ran = sensor.end();
    ran.expect(0, &[]);
    let stats = ran.stats();
    assert!(stats["packets"].as_f64() >= Some(sent), "{stats}");
    assert_eq!(
        stats["drops"],
        serde_json::json!({"nic": 0, "kernel": 0, "queue": 0})
    );
    assert_eq!(stats["captures"][0]["path"], "a0");
    let mut records = vec![first];
    records.extend(ran.records());
    assert_eq!(told(records), told(expected));
}

#[test]
fn a_session_is_told_as_from_its_capture() {
    says_the_same_live("pcaps/vnc/tigervnc-no-password-from-internet.pcapng", "1");
}

#[test]
fn a_tunnel_is_told_as_from_its_capture_by_several_workers() {
    says_the_same_live("pcaps/ngrok/python-session.pcapng", "3");
}

#[test]
fn what_came_just_before_the_end_is_still_told() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let path = support::root().join("pcaps/vnc/tigervnc-no-password-from-internet.pcapng");
    let sensor = namespace.watch(&["-i", "a0", "--emit", "alert,stats"]);
    namespace.replay(&path, "b0");
    sensor.signal(Signal::INT);
    let ran = sensor.end();
    ran.expect(0, &[]);
    assert_eq!(told(ran.records()), told(support::read(&[path]).records()));
}

#[test]
fn goes_on_with_the_interfaces_that_are_left() {
    let Some(namespace) = Namespace::new(3) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let metrics = folder.path().join("terrier.prom").display().to_string();
    let sensor = namespace.watch(&[
        "-i",
        "a0",
        "-i",
        "a1",
        "-i",
        "a2",
        "--emit",
        "alert,stats",
        "--metrics-file",
        &metrics,
    ]);
    let path = support::root().join("pcaps/vnc/tigervnc-no-password.pcapng");
    let packets = |interface: u32| {
        sensor.metric(&format!(
            "terrier_capture_packets_total{{interface=\"a{interface}\"}}"
        ))
    };
    // Each a1's trouble is told once, and it is watched again when it is back.
    namespace.ip("link set a1 down");
    sensor.await_said("a1: the interface went down");
    assert_eq!(sensor.get("/readyz").0, 200);
    namespace.ip("link set a1 up");
    let before = packets(1);
    namespace.replay(&path, "b1");
    sensor.await_said("a1: packets come again");
    sensor.await_metric(
        r#"terrier_capture_packets_total{interface="a1"}"#,
        before + 10.0,
    );
    // A hang-up of the terminal is no reason to end.
    sensor.signal(Signal::HUP);
    namespace.ip("link del a0");
    sensor.await_said("a0: the interface");
    let before = packets(2);
    namespace.replay(&path, "b2");
    sensor.await_metric(
        r#"terrier_capture_packets_total{interface="a2"}"#,
        before + 10.0,
    );
    assert_eq!(sensor.get("/readyz").0, 200);
    namespace.ip("link del a1");
    namespace.ip("link del a2");
    let ran = sensor.end();
    ran.expect(3, &["no interface is left"]);
    let faults = ran.stats()["captures"]
        .as_array()
        .map(|all| all.iter().filter(|one| one["fault"].is_string()).count());
    assert_eq!(faults, Some(3));
    let text = std::fs::read_to_string(&metrics).expect("the metrics were written");
    assert!(text.contains(r#"terrier_sessions_total{protocol="rfb"} "#));
}

#[test]
fn all_interfaces_are_watched_as_any() {
    let Some(namespace) = Namespace::new(2) else {
        return;
    };
    let path = support::root().join("pcaps/vnc/tigervnc-no-password-from-internet.pcapng");
    for workers in ["1", "2"] {
        let filter = "tcp port 5900";
        let options = ["--workers", workers, "--emit", "alert,stats"];
        let sensor = namespace.watch(&[&["-i", "any", "--filter", filter], &options[..]].concat());
        namespace.replay(&path, "b1");
        let first = sensor.await_record("alert");
        sensor.signal(Signal::TERM);
        let ran = sensor.end();
        ran.expect(0, &[]);
        let mut records = vec![first];
        records.extend(ran.records());
        assert_eq!(
            support::detections(&records),
            support::detections(&support::read(&[&path]).records())
        );
    }
}

#[test]
fn what_tcpdump_writes_is_followed() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ring = folder.path().join("ring");
    let tcpdump = namespace.inside(|| {
        Command::new("tcpdump")
            .args(["-i", "a0", "-U", "-Z", "root", "-C", "1", "-W", "3", "-w"])
            .arg(&ring)
            .stderr(Stdio::piped())
            .spawn()
    });
    let Ok(mut tcpdump) = tcpdump else {
        return skip("there is no tcpdump here");
    };
    let said = lines(tcpdump.stderr.take().expect("it was piped"));
    let ready = said
        .recv_timeout(PATIENCE)
        .expect("it says that it listens");
    let follower = Follower::start(&[folder.path().to_str().expect("a path in UTF-8")]);
    let path = support::root().join("pcaps/vnc/tigervnc-no-password-from-internet.pcapng");
    namespace.replay(&path, "b0");
    let first = follower.await_record("alert");
    tcpdump.kill().expect("it is our child");
    tcpdump.wait().expect("it is our child");
    let ran = follower.end(Signal::TERM);
    let mut records = vec![first];
    records.extend(ran.expect(0, &[]).records());
    assert_eq!(
        support::detections(&records),
        support::detections(&support::read(&[path]).records()),
        "{ready}"
    );
}

#[test]
fn what_cannot_be_watched_is_said_before_anything_starts() {
    let Some(namespace) = Namespace::new(1) else {
        return;
    };
    let run = |arguments: &[&str]| {
        let all = [&["run", "--listen", "127.0.0.1:0"], arguments].concat();
        namespace.run(&all)
    };
    run(&["-i", "nosuch0"]).expect(2, &["nosuch0: no such interface", "a0", "lo"]);
    run(&["-i", "a0", "-i", "a0"]).expect(2, &["a0 is given twice"]);
    run(&["-i", "a0", "--filter", "port nonsense"]).expect(2, &["port nonsense"]);
    namespace.ip("link set a0 down");
    run(&["-i", "a0"]).expect(3, &["a0: the interface is down", "ip link set a0 up"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it has one").to_string();
    support::run(["run", "-i", "lo", "--listen", &address])
        .expect(2, &["cannot listen on", &address, "--listen"]);
}

#[test]
fn without_permission_the_remedy_is_said() {
    if !rustix::process::geteuid().is_root() {
        // Then this is the case itself.
        let ran = support::run(["run", "-i", "lo", "--listen", "127.0.0.1:0"]);
        ran.expect(4, &["no permission to capture", "setcap cap_net_raw=ep"]);
        return;
    }
    let ran = thread::spawn(|| {
        // Not even a program that root starts can have what is outside this thread's bounds.
        rustix::thread::remove_capability_from_bounding_set(CapabilitySet::NET_RAW)
            .expect("root may do with less");
        support::run(["run", "-i", "lo", "--listen", "127.0.0.1:0"])
    });
    let ran = ran.join().expect("the thread ends");
    ran.expect(4, &["no permission to capture", "setcap cap_net_raw=ep"]);
}

const ETHERNET: u32 = 1;
/// For a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);
