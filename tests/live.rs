//! `terrier run` on a real link: a veth pair in network namespaces of the test's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A namespace whose `span0` is the far end of `wire0`; gone with the value.
struct Link(String);

impl Link {
    /// `None`, said on standard error, where namespaces cannot be made.
    #[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
    fn new() -> Option<Self> {
        let name = format!("terrier-test-{}", std::process::id());
        let made = ip(&["netns", "add", &name]);
        let link = Self(name);
        let steps: [&[&str]; 4] = [
            &[
                "link", "add", "wire0", "type", "veth", "peer", "name", "span0",
            ],
            &["link", "set", "wire0", "up"],
            &["link", "set", "span0", "up"],
            &["link", "set", "lo", "up"],
        ];
        if made
            && steps
                .iter()
                .all(|step| ip(&[&["-n", &link.0][..], step].concat()))
        {
            return Some(link);
        }
        eprintln!("skipped: no network namespace with a veth pair (needs root and iproute2)");
        None
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.0]);
    }
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip")
        .args(arguments)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A process that is ended with the value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines of a pipe, as they come.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Sends the packets of a pcapng file's classic form: what `terrier read` sees, as one process in the namespace.
const SENDER: &str = r#"
import socket, struct, sys
octets = open(sys.argv[1], "rb").read()
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind(("wire0", 0))
at = 0
while at < len(octets):
    kind, length = struct.unpack_from("<II", octets, at)
    if kind == 6:
        captured = struct.unpack_from("<I", octets, at + 20)[0]
        wire.send(octets[at + 28:at + 28 + captured])
    at += length
"#;

/// One GET over a connection made inside the namespace: status line and body.
const GET: &str = r#"
import sys, urllib.request, urllib.error
try:
    answer = urllib.request.urlopen("http://127.0.0.1:9478" + sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status)
sys.stdout.write(answer.read().decode())
"#;

fn get(link: &Link, path: &str) -> String {
    let done = link
        .command("python3")
        .args(["-c", GET, path])
        .output()
        .expect("python3 runs");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn detections(lines: &[String]) -> Vec<String> {
    let mut found: Vec<String> = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|record| record["kind"] == "alert")
        .filter_map(|record| record["detection"].as_str().map(str::to_owned))
        .collect();
    found.sort();
    found.dedup();
    found
}

#[test]
fn run_alerts_serves_metrics_and_ends_cleanly() {
    let Some(link) = Link::new() else { return };
    let terrier = env!("CARGO_BIN_EXE_terrier-under-test");
    let mut child = Running(
        link.command(terrier)
            .args(["run", "-i", "span0", "--json", "--emit", "alert,stats"])
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("ip netns exec runs"),
    );
    let records = lines(child.0.stdout.take().expect("a pipe"));
    let ready = Instant::now();
    while !get(&link, "/readyz").starts_with("200") {
        assert!(
            ready.elapsed() < Duration::from_secs(20),
            "not ready: {}",
            get(&link, "/readyz")
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(get(&link, "/healthz").starts_with("200"));
    let capture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../pcaps/vnc/tigervnc-no-password-from-internet.pcapng"
    );
    let sent = link
        .command("python3")
        .args(["-c", SENDER, capture])
        .status()
        .expect("python3 runs");
    assert!(sent.success());
    let mut seen = Vec::new();
    let wanted = ["vnc.exposed", "vnc.no_auth", "vnc.session"];
    while detections(&seen) != wanted {
        seen.push(
            records
                .recv_timeout(Duration::from_secs(20))
                .expect("the alerts come as they happen"),
        );
    }
    std::thread::sleep(Duration::from_millis(1500));
    let metrics = get(&link, "/metrics");
    for line in [
        "terrier_detections_total{detection=\"vnc.no_auth\"} 1",
        "terrier_sessions_total{protocol=\"rfb\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in:\n{metrics}");
    }
    assert!(get(&link, "/nothing").starts_with("404"));
    // `ip netns exec` becomes the program, so the process is its own.
    let ended = Command::new("kill")
        .args(["-TERM", &child.0.id().to_string()])
        .status();
    assert!(ended.is_ok_and(|status| status.success()));
    let status = child.0.wait().expect("it ends");
    assert_eq!(status.code(), Some(0));
    seen.extend(records.iter());
    assert_eq!(detections(&seen), wanted);
    let last: Value = serde_json::from_str(seen.last().expect("records")).expect("JSON");
    assert_eq!(last["kind"], "stats");
    assert!(last["packets"].as_u64() >= Some(34), "{last}");
    let _ = std::io::stdout().flush();
}
