//! Storms against `--memory-limit`, through the whole program: its peak stays below the limit whatever comes, and who is
//! let in over VNC in the midst of the storm is told all the same.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use nix::sys::resource::{UsageWho, getrusage};
use serde_json::Value;

use super::packets::Flow;
use crate::support::capture::{Frame, pcap};
use crate::support::{run, skip, terrier};

#[test]
fn connections_that_nobody_answers() {
    let stats = weather(300_000, 20_000, |n, out| {
        out.push(client(n, 443).segment(0, 1, SYN, &[]));
    });
    assert!(stats["evictions"].as_u64() > Some(100_000), "{stats}");
}

#[test]
fn handshakes_that_go_no_further() {
    let stats = weather(100_000, 7_000, |n, out| {
        let flow = client(n, 443);
        out.push(flow.segment(0, 1, SYN, &[]));
        out.push(flow.segment(1, 1, SYN | ACK, &[]));
        out.push(flow.segment(0, 2, ACK, &[]));
    });
    assert!(stats["evictions"].as_u64() > Some(10_000), "{stats}");
}

#[test]
fn datagrams_of_nobody_to_nobody() {
    let stats = weather(300_000, 20_000, |n, out| {
        out.push(client(n, 9999).udp(0, &n.to_be_bytes()));
    });
    assert!(stats["evictions"].as_u64() > Some(100_000), "{stats}");
}

#[test]
fn fragments_of_packets_that_never_end() {
    let stats = weather(40_000, 2_500, |n, out| {
        let (flow, id) = (client(n, 53), n as u16);
        out.push(flow.ip(0, 17, id, 0x2000, &[0x41; 1400]));
        out.push(flow.ip(0, 17, id, 0x2000 | 1000, &[0x41; 1400]));
    });
    let given_up = &stats["decode_errors"]["fragments"];
    assert!(given_up.as_u64() > Some(30_000), "{stats}");
}

#[test]
fn answers_with_ever_new_names() {
    let stats = weather(120_000, 8_000, |n, out| {
        let (flow, id) = (client(n, 53), n as u16);
        // Questions of four labels of 59 octets, the first of them always another.
        let mut question = Vec::new();
        for part in 0..4 {
            question.push(59);
            question.extend(format!("{:0>59}", if part == 0 { n } else { part }).into_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        let head = |flags: u16, answers: u16| {
            let fields = [id, flags, 1, answers, 0, 0];
            [&fields.map(u16::to_be_bytes).concat(), &question[..]].concat()
        };
        let mut answer = head(0x8180, 2);
        for last in 0..2 {
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            answer.extend((n * 2 + last).to_be_bytes());
        }
        out.push(flow.udp(0, &head(0x0100, 0)));
        out.push(flow.udp(1, &answer));
    });
    assert!(
        stats["given_up"]["names"].as_u64() > Some(10_000),
        "{stats}"
    );
}

#[test]
fn hellos_of_which_half_is_told() {
    let mut hello = vec![22, 3, 1, 0x10, 0, 1, 0, 0x0f, 0xfc, 3, 3];
    hello.resize(1300, 0x41);
    assert_given_up_sessions(60_000, |n, out| {
        let mut flow = client(n, 443);
        out.push(flow.segment(0, 0, SYN, &[]));
        out.push(flow.segment(1, 0, SYN | ACK, &[]));
        out.push(flow.tcp(0, &hello));
    });
}

#[test]
fn requests_of_which_half_is_told() {
    let mut request = b"GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nX: ".to_vec();
    request.resize(1300, b'x');
    assert_given_up_sessions(60_000, |n, out| {
        out.push(client(n, 80).tcp(0, &request));
    });
}

#[test]
fn streams_that_miss_their_first_octet() {
    assert_given_up_sessions(40_000, |n, out| {
        let flow = client(n, 8080);
        out.push(flow.segment(0, 0, SYN, &[]));
        for at in 1..4 {
            out.push(flow.segment(0, at * 1300, ACK, &[0x41; 1200]));
        }
    });
}

#[test]
fn pages_of_ever_new_servers() {
    let stats = weather(60_000, QUICK, |n, out| {
        let mut flow = client(n, 80);
        let request = format!("GET / HTTP/1.1\r\nHost: {n:0>240}\r\n\r\n");
        out.push(flow.tcp(0, request.as_bytes()));
        out.push(flow.tcp(1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    });
    let given_up = &stats["given_up"]["flow_names"];
    assert!(given_up.as_u64() > Some(10_000), "{stats}");
}

#[test]
fn what_is_reported_of_everybody() {
    let target = "a".repeat(200);
    let stats = weather(40_000, QUICK, |n, out| {
        let mut flow = client(n, 3128);
        let request = format!(
            "CONNECT {n}.{target}.example:443 HTTP/1.1\r\nUser-Agent: {target}{target}\r\n\r\n"
        );
        out.push(flow.tcp(0, request.as_bytes()));
        out.push(flow.tcp(1, b"HTTP/1.1 200 OK\r\n\r\n"));
        let mut flow = client(n, 3389);
        out.push(flow.tcp(0, RDP_REQUEST));
        out.push(flow.tcp(1, RDP_CONFIRM));
    });
    for table in ["alerts", "awaited"] {
        assert!(stats["given_up"][table].as_u64() > Some(1_000), "{stats}");
    }
}

#[test]
fn less_than_the_workers_need_is_refused() {
    for (workers, limit, least) in [("1", "63M", "64M"), ("2", "71M", "72M"), ("2", "0", "72M")] {
        run([
            "read",
            "--workers",
            workers,
            "--memory-limit",
            limit,
            "x.pcap",
        ])
        .expect(2, &["--memory-limit is too small", least]);
    }
    run(["read", "--memory-limit", "many", "x.pcap"]).expect(2, &["not a size"]);
}

fn assert_given_up_sessions(flows: u32, each: impl Fn(u32, &mut Vec<Frame>)) {
    let stats = weather(flows, QUICK, each);
    let given_up = &stats["given_up"]["sessions"];
    assert!(given_up.as_u64() > Some(10_000), "{stats}");
}

/// Shows a storm of so many flows to the program, with the least memory that it can do with and with twice as much, and with
/// one and two workers. In it there is a session of VNC, a packet of which comes after each `pace` flows. Answers the statistics
/// of the tightest run.
fn weather(flows: u32, pace: u32, each: impl Fn(u32, &mut Vec<Frame>)) -> Value {
    if std::env::var_os("NEXTEST").is_none() {
        // The kernel keeps the highest peak of all children of a process.
        skip("only where each test has a process of its own, as below cargo-nextest");
        return Value::Null;
    }
    let folder = tempfile::tempdir().expect("a folder for a capture");
    let (path, records) = (
        folder.path().join("storm.pcap"),
        folder.path().join("records"),
    );
    write(&path, flows, pace, each);
    let mut tightest = None;
    // From the least on: the peak of one that came before says nothing of one that may take more.
    for (limit_mb, workers) in [(64, 1), (72, 2), (128, 1), (128, 2)] {
        let limit = format!("{limit_mb}M");
        let options = ["read", "--json", "--emit", "observation,alert,flow,stats"];
        let count = workers.to_string();
        let more = ["--workers", &count, "--memory-limit", &limit];
        // The kernel counts with a child what its parent had in use, so this process keeps no records.
        let to = File::create(&records).expect("records can be written");
        let mut program = terrier();
        program.args(options).args(more).arg(&path).stdout(to);
        let ended = program.status().expect("the program starts");
        let what = format!("with {workers} workers and {limit}");
        assert!(ended.success(), "{what}: {ended}");
        let peak_kb = getrusage(UsageWho::RUSAGE_CHILDREN)
            .expect("it is always told")
            .max_rss();
        assert!(
            peak_kb <= (limit_mb << 10) + UNDER_TEST_KB,
            "{what} it took {peak_kb} kB"
        );
        let (sessions, stats) = told(&records);
        assert_let_in(&sessions, &what);
        tightest.get_or_insert(stats);
    }
    tightest.expect("there were some")
}

/// Who came over VNC was let in, and that was told once.
#[track_caller]
fn assert_let_in(sessions: &[Value], what: &str) {
    let told: Vec<_> = sessions
        .iter()
        .map(|one| (&one["rfb"]["auth"]["result"], &one["rfb"]["desktop_name"]))
        .collect();
    assert_eq!(told, [(&"accepted".into(), &"web01".into())], "{what}");
}

/// The sessions of VNC in the records, and the statistics.
fn told(records: &Path) -> (Vec<Value>, Value) {
    let (mut sessions, mut stats) = (Vec::new(), None);
    let file = BufReader::new(File::open(records).expect("it was just written"));
    for line in file.lines() {
        let line = line.expect("records are UTF-8");
        // One in many thousands is of interest.
        if line.contains(r#""protocol":"rfb""#) {
            sessions.push(serde_json::from_str(&line).expect("a record"));
        } else if line.contains(r#""kind":"stats""#) {
            stats = Some(serde_json::from_str(&line).expect("a record"));
        }
    }
    (sessions, stats.expect("it was asked for"))
}

/// Writes the storm, with the session of VNC in it.
fn write(path: &Path, flows: u32, pace: u32, each: impl Fn(u32, &mut Vec<Frame>)) {
    let mut file = BufWriter::new(File::create(path).expect("a capture can be written"));
    let session = session();
    let mut told = 0;
    let mut at_ns = client(0, 0).at_ns;
    let mut out = Vec::new();
    for n in 0..flows {
        each(n, &mut out);
        // The first fifth fills the tables, then it begins.
        while told < session.len() && n >= flows / 5 + told as u32 * pace {
            out.push(session[told].clone());
            told += 1;
        }
        for frame in &mut out {
            at_ns += 10_000;
            frame.at_ns = at_ns;
        }
        let octets = pcap(&out);
        file.write_all(if n == 0 {
            &octets
        } else {
            &octets[PCAP_HEADER..]
        })
        .expect("a capture can be written");
        out.clear();
    }
    assert_eq!(told, session.len());
    file.flush().expect("a capture can be written");
}

/// A session of VNC whose user is let in, packet by packet (RFC 6143, section 7).
fn session() -> Vec<Frame> {
    let mut flow = client(0x00ff_ff00, 5900);
    let mut frames = vec![
        flow.segment(0, 0, SYN, &[]),
        flow.segment(1, 0, SYN | ACK, &[]),
        flow.segment(0, 1, ACK, &[]),
    ];
    let mut started = vec![1, 64, 0, 240];
    started.extend([32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]);
    started.extend(5_u32.to_be_bytes());
    started.extend(b"web01");
    let script: [(usize, &[u8]); 9] = [
        (1, b"RFB 003.008\n"),
        (0, b"RFB 003.008\n"),
        (1, &[1, 2]),
        (0, &[2]),
        (1, &[7; 16]),
        (0, &[9; 16]),
        (1, &[0; 4]),
        (0, &[1]),
        (1, &started),
    ];
    frames.extend(script.map(|(side, octets)| flow.tcp(side, octets)));
    frames
}

fn client(n: u32, port: u16) -> Flow {
    Flow::new(n, port)
}

/// What the program takes besides: its text, which has not been made small for the tests, and the part of the capture that is
/// mapped, which is the page cache's.
const UNDER_TEST_KB: i64 = 16 << 10;
/// Where the storm is of sessions, the one that is real is as quick as a real one: a few milliseconds from packet to packet.
const QUICK: u32 = 100;
const PCAP_HEADER: usize = 24;
const SYN: u8 = 0x02;
const ACK: u8 = 0x10;
/// Connection Request and Confirm with TLS asked for and granted (MS-RDPBCGR, sections 2.2.1.1 and 2.2.1.2).
const RDP_REQUEST: &[u8] =
    b"\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x01\x00\x00\x00";
const RDP_CONFIRM: &[u8] =
    b"\x03\x00\x00\x13\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x01\x00\x00\x00";
