use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use terrier_engine::alert::Alert;
use terrier_engine::detect::NameSource;
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};
use terrier_engine::{
    END_OF_INPUT, Facts, HomeNetworks, Judge, JudgeConfig, LinkType, Packet, Sink, Ticked, Wanted,
    Worker, WorkerConfig,
};

use super::*;

struct Nowhere;

impl Sink for Nowhere {
    fn observation(&mut self, _: &Observation, _: &'static str) {}
    fn alert(&mut self, _: &Alert, _: bool) {}
    fn flow(&mut self, _: &FlowRef, _: &FlowEnd, _: Option<(&str, NameSource)>) {}
}

fn engine(signatures: Signatures) -> (Judge, Telemetry) {
    let signatures = Arc::new(signatures);
    let judge = Judge::new(JudgeConfig {
        home: HomeNetworks::default(),
        signatures: Arc::clone(&signatures),
        workers: 1,
        seed: 1,
        limits: Limits::default(),
    });
    let telemetry = Telemetry::new(&judge.verdicts(), &signatures, &Limits::default(), "json");
    (judge, telemetry)
}

fn interface(name: &str) -> InterfaceCounts {
    InterfaceCounts {
        name: name.to_owned(),
        ..InterfaceCounts::default()
    }
}

/// The lines of our own metrics without their values.
fn series(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.starts_with("terrier_"))
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, _)| series)
        .collect()
}

/// A raw IPv4 packet with this in it.
fn ipv4(protocol: u8, source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0]; // version and header length, type of service
    packet.extend((20 + payload.len() as u16).to_be_bytes()); // total length
    packet.extend([0, 0, 0, 0]); // identification, no fragment
    packet.extend([64, protocol, 0, 0]); // time to live, protocol, checksum
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(payload);
    packet
}

fn tcp(source: u16, destination: u16, seq: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::new();
    segment.extend(source.to_be_bytes());
    segment.extend(destination.to_be_bytes());
    segment.extend(seq.to_be_bytes());
    segment.extend(0_u32.to_be_bytes()); // acknowledgement
    segment.extend([0x50, flags, 0xff, 0xff]); // header length, flags, window
    segment.extend([0, 0, 0, 0]); // checksum, urgent pointer
    segment.extend(payload);
    segment
}

/// A question for the address of `name`.
fn dns_question(source: u16, name: &str) -> Vec<u8> {
    let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]; // id, recursion desired, one question
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, 1, 0, 1]); // root, A, IN
    let mut datagram = Vec::new();
    datagram.extend(source.to_be_bytes());
    datagram.extend(53_u16.to_be_bytes());
    datagram.extend((8 + message.len() as u16).to_be_bytes());
    datagram.extend([0, 0]); // checksum
    datagram.extend(message);
    datagram
}

#[test]
fn ten_thousand_peers_do_not_change_the_series() {
    let (mut judge, telemetry) = engine(Signatures::built_in());
    telemetry.capture(vec![interface("eth0"), interface("eth1")]);
    let before = telemetry.text();

    let limits = Limits::default();
    let mut worker = Worker::new(WorkerConfig {
        index: 0,
        count: 1,
        seed: 1,
        limits,
        wanted: Wanted::ALL,
    });
    let mut facts = Facts::default();
    let mut seq = 0;
    let mut show = |judge: &mut Judge, octets: Vec<u8>| {
        seq += 1;
        let packet = Packet {
            at_ns: seq as i64,
            seq,
            capture: 0,
            frame: seq,
            link: LinkType::RAW,
            wire_len: octets.len() as u32,
            octets: &octets,
        };
        worker.packets(&[packet], &mut facts);
        judge.take(&mut facts, &mut Nowhere);
    };
    for peer in 0..10_000_u32 {
        let inside = Ipv4Addr::from(0x0a00_0000 + peer);
        let outside = Ipv4Addr::from(0x0800_0000 + peer * 7);
        let port = 1_024 + (peer % 50_000) as u16;
        // A VNC server on the internet, each with another version of its own making.
        let greeting = format!("RFB 003.{:03}\n", peer % 1_000);
        for packet in [
            ipv4(6, inside, outside, &tcp(port, 5_900, 0, 0x02, b"")),
            ipv4(6, outside, inside, &tcp(5_900, port, 0, 0x12, b"")),
            ipv4(
                6,
                outside,
                inside,
                &tcp(5_900, port, 1, 0x18, greeting.as_bytes()),
            ),
            ipv4(
                17,
                inside,
                outside,
                &dns_question(port, &format!("x{peer}.tunnel.ngrok.com")),
            ),
        ] {
            show(&mut judge, packet);
        }
    }
    while worker.tick(END_OF_INPUT, seq + 1, &mut facts) == Ticked::MoreToTell {
        judge.take(&mut facts, &mut Nowhere);
    }
    judge.take(&mut facts, &mut Nowhere);
    let (counters, verdicts) = (judge.counters(), judge.verdicts());
    assert_eq!(
        counters.flows_started,
        [10_000, 10_000, 0, 0],
        "the peers were seen"
    );
    assert!(
        verdicts
            .findings
            .get("tunnel.ngrok")
            .is_some_and(|&count| count >= 10_000)
    );
    telemetry.engine(counters, verdicts, 7);
    assert_eq!(series(&telemetry.text()), series(&before));
}

#[test]
fn what_may_be_found_stands_at_zero_from_the_start() {
    let (_, telemetry) = engine(Signatures::built_in());
    telemetry.capture(vec![interface("eth0")]);
    let text = telemetry.text();
    for line in [
        r#"terrier_detections_total{detection="tunnel.ngrok"} 0"#,
        r#"terrier_detections_total{detection="vnc.no_auth"} 0"#,
        r#"terrier_detections_total{detection="other"} 0"#,
        r#"terrier_alerts_total{class="tunnel",severity="high"} 0"#,
        r#"terrier_sessions_total{protocol="rfb"} 0"#,
        r#"terrier_sessions_total{protocol="rdp"} 0"#,
        r#"terrier_capture_packets_total{interface="eth0"} 0"#,
        r#"terrier_capture_dropped_packets_total{interface="eth0",stage="kernel"} 0"#,
        r#"terrier_decode_errors_total{layer="ip",reason="ip_header"} 0"#,
        r#"terrier_flows_active{transport="udp"} 0"#,
        &format!(
            r#"terrier_table_capacity_entries{{table="flows"}} {}"#,
            Limits::default().flows
        ),
        r#"terrier_table_capacity_entries{table="names"} 262144"#,
        r#"terrier_table_entries{table="alerts"} 0"#,
        r#"terrier_table_forgotten_entries_total{table="hosts"} 0"#,
        r#"terrier_table_forgotten_entries_total{table="awaited"} 0"#,
        "terrier_sessions_given_up_total 0",
        r#"terrier_output_errors_total{output="json"} 0"#,
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in\n{text}");
    }
    if cfg!(target_os = "linux") {
        assert!(text.contains("\nprocess_resident_memory_bytes "));
    }
}

#[test]
fn detections_beyond_the_thousandth_count_as_other() {
    let signatures = Arc::new(Signatures::built_in());
    let findings = (0..1_500)
        .map(|n| (format!("tunnel.t{n:04}").into(), 0))
        .collect();
    let mut verdicts = Verdicts {
        findings,
        ..Verdicts::default()
    };
    let telemetry = Telemetry::new(&verdicts, &signatures, &Limits::default(), "json");
    verdicts.findings.values_mut().for_each(|count| *count += 2);
    telemetry.engine(Counters::default(), verdicts, 0);
    let text = telemetry.text();
    let lines = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(lines("terrier_detections_total{"), 1_001);
    assert!(text.contains("terrier_detections_total{detection=\"tunnel.t0999\"} 2\n"));
    assert!(text.contains("terrier_detections_total{detection=\"other\"} 1000\n"));
}

#[test]
fn writes_a_file_that_is_whole_and_leaves_nothing_beside_it() {
    let (_, telemetry) = engine(Signatures::built_in());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("terrier.prom");
    fs::write(&path, "old").unwrap();
    telemetry.write_file(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("terrier_build_info{"));
    assert!(text.ends_with('\n'));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(
        telemetry
            .write_file(&folder.path().join("no/such"))
            .is_err()
    );
}

#[test]
#[expect(clippy::print_stderr, reason = "says why it did not run")]
fn promtool_has_nothing_to_say() {
    let (judge, telemetry) = engine(Signatures::built_in());
    telemetry.capture(vec![interface("eth0")]);
    let mut counters = Counters::default();
    counters
        .violations
        .insert(("rfb", "no RFB version line"), 3);
    telemetry.engine(counters, judge.verdicts(), 1);
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        eprintln!("skipped: promtool is not installed (Debian: apt-get install prometheus)");
        return;
    };
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(telemetry.text().as_bytes()).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success() && said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}
