//! Whole texts, as a reader gets them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use terrier_engine::alert::{Alert, SensorAlert};
use terrier_engine::detect::{
    Confidence, Endpoint, Finding, FlowRef, Frames, Grade, NameSource, Peer, Reason, Severity,
    Subject,
};
use terrier_engine::observation::{Oriented, Transport, VlanTags};
use terrier_engine::record::{Id, Timestamp};
use terrier_engine::{Counters, Direction, Sink as _, Verdicts};

use super::look::Look;
use super::{Lines, Summary};
use crate::output::{Names, Output};
use crate::pipeline::Progress;
use crate::stats::{CaptureStats, Stats};

const LOOK: Look = Look {
    colour: false,
    unicode: true,
    width: 100,
    terminal: false,
};
/// 2026-11-24T10:00:00Z.
const TEN: i64 = 1_795_514_400 * SECOND;
const SECOND: i64 = 1_000_000_000;

/// What was written, for those who wrote it.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

fn summary(captures: &[&str], look: Look, alerts: &[Alert], stats: &Stats) -> String {
    let paper = Paper::default();
    let captures = captures.iter().map(|&name| name.into()).collect();
    let mut summary = Summary::with_look(Box::new(paper.clone()), captures, look);
    for alert in alerts {
        summary.alert(alert, alert.revision == 0);
    }
    summary.stats(stats);
    summary.flush().unwrap();
    paper.text()
}

fn lines(inputs: &[&str], look: Look, alerts: &[Alert]) -> String {
    let paper = Paper::default();
    let inputs = inputs.iter().map(|&name| name.into()).collect();
    let mut lines = Lines::with_look(Box::new(paper.clone()), inputs, look);
    for alert in alerts {
        lines.alert(alert, alert.revision == 0);
    }
    lines.flush().unwrap();
    paper.text()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn end(host: &str, port: u16) -> Endpoint {
    Endpoint { ip: ip(host), port }
}

fn reason(what: &'static str, observed: &str, because: &'static str) -> Reason {
    Reason {
        what,
        observed: observed.to_owned(),
        because: Cow::Borrowed(because),
    }
}

fn frames(numbers: &[u64]) -> Frames {
    let mut frames = Frames::none(0);
    numbers.iter().for_each(|&frame| frames.add(0, frame));
    frames
}

/// A session without a password that the internet opened to a desktop.
fn no_auth() -> Finding {
    Finding {
        detection: "vnc.no_auth".into(),
        title: "VNC session without a password".to_owned(),
        at_ns: TEN + 3 * SECOND,
        flow: FlowRef {
            id: 1,
            opened: 1,
            orig: end("203.0.113.9", 40_000),
            resp: end("10.0.0.5", 5900),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        },
        frames: frames(&[12, 15, 16, 17]),
        victim: ip("10.0.0.5"),
        peer: Peer {
            ip: Some(ip("203.0.113.9")),
            port: None,
            name: None,
        },
        subject: Subject::Peer(ip("203.0.113.9")),
        direction: Direction::Inbound,
        severity: Severity::Critical,
        confidence: Confidence::High,
        grade: Grade::Decoded,
        tool: None,
        attack: Vec::new(),
        reasons: vec![
            reason("rfb.server_version", "003.008", "the server greeted"),
            reason("rfb.client_version", "003.008", "the client answered"),
            reason("rfb.security_type", "None", "no password was asked for"),
            reason(
                "rfb.desktop_name",
                "web01 \"C\"",
                "the desktop that was shown",
            ),
            reason("direction", "inbound", "against the home networks"),
            reason(
                "severity",
                "critical",
                "medium by itself, +2 as it is inbound",
            ),
        ],
        guidance: vec!["End the session and set a password.".into()],
    }
}

fn exposed() -> Finding {
    Finding {
        detection: "vnc.exposed".into(),
        title: "VNC server reached from the internet".to_owned(),
        severity: Severity::High,
        subject: Subject::Service(5900),
        guidance: vec!["Close the port at the edge.".into()],
        ..no_auth()
    }
}

/// A look-up of a tunnel's name.
fn lookup() -> Finding {
    Finding {
        detection: "tunnel.ngrok".into(),
        title: "Look-up of a name that ngrok uses".to_owned(),
        at_ns: TEN + 60 * SECOND,
        flow: FlowRef {
            id: 2,
            orig: end("10.0.0.8", 50_000),
            resp: end("10.0.0.53", 53),
            transport: Transport::Udp,
            ..no_auth().flow
        },
        frames: Frames::one(0, 99),
        victim: ip("10.0.0.8"),
        peer: Peer {
            ip: None,
            port: None,
            name: Some(("connect.ngrok-agent.com".to_owned(), NameSource::Dns)),
        },
        subject: Subject::Tool("ngrok".to_owned()),
        direction: Direction::Outbound,
        severity: Severity::Low,
        grade: Grade::Name,
        reasons: vec![reason(
            "dns.query",
            "connect.ngrok-agent.com",
            "An ngrok agent holds one long connection to ngrok's edge, and its operator reaches through it what the host can reach.",
        )],
        guidance: vec!["Ask the owner of the host.".into()],
        ..no_auth()
    }
}

fn opened(finding: Finding) -> Alert {
    Alert::new(finding, None)
}

fn stats(sessions: &[(&'static str, u64)], captures: &[(&str, Option<&str>)]) -> Stats {
    let counters = Counters {
        flows_started: [200, 40, 0, 0],
        sessions: sessions.iter().copied().collect(),
        ..Counters::default()
    };
    let progress = Progress {
        packets: 1_204_331,
        octets: 812_400_000,
        clock_jumps: 0,
        first_ns: Some(TEN),
        last_ns: Some(TEN + 5412 * SECOND),
    };
    let captures = captures
        .iter()
        .map(|&(path, fault)| CaptureStats {
            path: path.to_owned(),
            packets: 1,
            fault: fault.map(str::to_owned),
            left_out: None,
        })
        .collect();
    Stats::new(progress, &counters, &Verdicts::default(), captures)
}

#[test]
fn tells_findings_by_host_with_their_reasons_and_proof() {
    let mut exposed = opened(exposed());
    exposed.count = 12;
    let mut named = Alert::new(
        no_auth(),
        Some(("web01.corp.example".to_owned(), NameSource::Dns)),
    );
    named.last_ns = TEN + 257 * SECOND;
    let text = summary(
        &["attack.pcap"],
        LOOK,
        &[opened(lookup()), exposed, named],
        &stats(&[("dns", 50_002), ("rfb", 3)], &[("attack.pcap", None)]),
    );
    let want = "\
Read   attack.pcap: 1,204,331 packets, 812 MB
Time   2026-11-24 10:00:00 to 11:30:12 UTC (1 h 30 min)
Seen   240 flows; sessions: 50,002 DNS, 3 VNC

2 findings on 1 host: 1 critical, 1 high; 1 lead

10.0.0.5  web01.corp.example
  CRITICAL  VNC session without a password  vnc.no_auth
  HIGH      VNC server reached from the internet, 12 times from all sources  vnc.exposed
       who  203.0.113.9 → 10.0.0.5:5900, from the internet
      when  10:00:03 to 10:04:17
       why  the server greeted 003.008; None chosen: no password was asked for; the desktop is
            called \"web01 \\\"C\\\"\"
     proof  frames 12, 15-17

10.0.0.8
  low       Look-up of a name that ngrok uses: 10.0.0.8 → connect.ngrok-agent.com, to the internet,
            10:01:00, frame 99  tunnel.ngrok

What to do
  vnc.no_auth
  - End the session and set a password.
  vnc.exposed
  - Close the port at the edge.
  tunnel.ngrok
  - Ask the owner of the host.
";
    assert_eq!(text, want);
}

#[test]
fn what_one_flow_shows_is_told_once() {
    let alerts = [opened(exposed()), opened(no_auth())];
    let text = summary(&["a"], LOOK, &alerts, &stats(&[("rfb", 1)], &[("a", None)]));
    let want = "\
10.0.0.5
  CRITICAL  VNC session without a password  vnc.no_auth
  HIGH      VNC server reached from the internet  vnc.exposed
       who  203.0.113.9 → 10.0.0.5:5900, from the internet
      when  10:00:03
";
    assert!(text.contains(want), "{text}");
    assert_eq!(text.matches("proof").count(), 1, "{text}");
}

#[test]
fn nothing_found_is_told_with_what_was_looked_at() {
    let seen = [("tls", 8514), ("dns", 50_002)];
    let text = summary(&["a"], LOOK, &[], &stats(&seen, &[("a", None)]));
    assert!(
        text.ends_with("\n\n0 findings in 50,002 DNS, 8,514 TLS, 0 RDP and 0 VNC sessions\n"),
        "{text}"
    );
    let text = summary(&["a"], LOOK, &[], &stats(&[], &[("a", None)]));
    assert!(
        text.ends_with("0 findings, but nothing to find them in: no session of a known protocol\n"),
        "{text}"
    );
    let mut nothing = stats(&[], &[("a", None)]);
    nothing.packets = 0;
    let text = summary(&["a"], LOOK, &[], &nothing);
    assert!(
        text.ends_with("0 findings: there were no packets to look at\n"),
        "{text}"
    );
}

#[test]
fn what_stayed_dark_is_told_where_there_is_something_to_say() {
    let mut stats = stats(
        &[("dns", 1)],
        &[
            ("d/a.pcap", None),
            ("d/b.pcap", Some("d/b.pcap: cut in packet 7")),
        ],
    );
    stats.decode_errors = BTreeMap::from([
        ("ip_header".to_owned(), 200),
        ("link_cut".to_owned(), 1012),
        ("tls: no handshake".to_owned(), 1),
    ]);
    stats.ignored = BTreeMap::from([("not_ip", 300_000)]);
    stats.one_sided_flows = 98;
    stats.gaps = 3;
    stats.drops = BTreeMap::from([("kernel", 5)]);
    let text = summary(&["d/a.pcap", "d/b.pcap"], LOOK, &[], &stats);
    let want = "
Dark   5 packets lost (kernel); 1,212 packets not decoded (link cut, ip header); 1 session not
       decoded (tls: no handshake); 300,000 packets of other protocols (not ip); 3 gaps in streams;
       40% of flows one-sided
Fault  d/b.pcap: cut in packet 7
";
    assert!(text.contains(want), "{text}");
}

#[test]
fn captures_are_named_as_far_as_it_takes_to_tell_them_apart() {
    let paths = ["in/x/a.pcap", "in/x/b.pcap", "in/y/a.pcap", "in/y/c.pcap"];
    let captures = paths.map(|path| (path, None));
    let mut finding = no_auth();
    finding.frames.capture = 2;
    let text = summary(
        &paths,
        LOOK,
        &[opened(finding)],
        &stats(&[("rfb", 1)], &captures),
    );
    assert!(text.starts_with("Read   4 captures in in/: "), "{text}");
    assert!(text.contains("frames 12, 15-17 of y/a.pcap\n"), "{text}");
}

#[test]
fn the_last_revision_of_an_alert_holds() {
    let first = opened(lookup());
    let mut second = first.clone();
    second.revision = 1;
    second.count = 3;
    second.finding.grade = Grade::Decoded;
    second.finding.severity = Severity::High;
    second.finding.title = "ngrok runs inside".to_owned();
    let told = summary(
        &["a"],
        LOOK,
        &[first, second],
        &stats(&[("dns", 1)], &[("a", None)]),
    );
    assert!(told.contains("\n1 finding on 1 host: high\n"), "{told}");
    assert!(
        told.contains("HIGH      ngrok runs inside, 3 times"),
        "{told}"
    );
    assert!(!told.contains("Look-up of a name"), "{told}");
}

#[test]
fn ten_thousand_alerts_make_a_text_that_can_be_read() {
    let mut alerts = Vec::new();
    for n in 0..10_000_u32 {
        let mut finding = no_auth();
        finding.victim = IpAddr::from((0x0a00_0000 + n % 3000).to_be_bytes());
        finding.flow.id = u64::from(n);
        finding.at_ns += i64::from(n) * SECOND;
        finding.severity = Severity::Low;
        if n == 9_999 {
            finding.severity = Severity::High;
            finding.title = "The one that matters".to_owned();
        }
        alerts.push(opened(finding));
    }
    let text = summary(&["a"], LOOK, &alerts, &stats(&[("rfb", 9)], &[("a", None)]));
    assert!(text.lines().count() < 300, "{} lines", text.lines().count());
    assert!(
        text.contains("\n10,000 findings on 3,000 hosts: 1 high, 9,999 low\n"),
        "{text}"
    );
    let place = |what| text.find(what).unwrap_or(usize::MAX);
    assert!(place("The one that matters") < place("low  "), "{text}");
    assert!(
        text.contains(" more of 10,000 alerts not shown: --json writes every one\n"),
        "{text}"
    );
}

#[test]
fn a_guesser_from_many_addresses_does_not_hide_what_else_there_is() {
    let guess = |n: u8| {
        let mut finding = no_auth();
        finding.detection = "vnc.auth_failed".into();
        finding.flow.id = u64::from(n);
        finding.peer.ip = Some(IpAddr::from([203, 0, 113, n]));
        finding.subject = Subject::Peer(IpAddr::from([203, 0, 113, n]));
        opened(finding)
    };
    let mut alerts: Vec<Alert> = (10..60).map(guess).collect();
    let mut other = exposed();
    other.flow.id = 1000;
    alerts.push(opened(other));
    let text = summary(&["a"], LOOK, &alerts, &stats(&[("rfb", 9)], &[("a", None)]));
    assert!(
        text.contains("VNC server reached from the internet"),
        "{text}"
    );
    assert!(text.contains("and 47 more: 47 vnc.auth_failed\n"), "{text}");
}

#[test]
fn strings_from_the_wire_are_escaped_wherever_they_are_shown() {
    let hostile = "x\u{1b}[2J\u{1b}]0;t\u{7}\r\nCRITICAL forged \u{202e}cod.exe\u{9b}1m";
    let mut finding = no_auth();
    finding.title = hostile.to_owned();
    finding.peer.name = Some((hostile.to_owned(), NameSource::Sni));
    finding.reasons = ["rfb.desktop_name", "rfb.auth.reason", "rdp.cookie", "else"]
        .map(|what| Reason {
            what,
            observed: hostile.to_owned(),
            because: Cow::Owned(hostile.to_owned()),
        })
        .to_vec();
    finding.guidance = vec![hostile.to_owned().into()];
    let alert = Alert::new(finding, Some((hostile.to_owned(), NameSource::Dns)));
    let alerts = [alert];
    let captures = [hostile, "b"];
    let stats = stats(&[("rfb", 1)], &[(hostile, Some(hostile)), ("b", None)]);
    let texts = [
        summary(&captures, LOOK, &alerts, &stats),
        lines(&captures, LOOK, &alerts),
    ];
    for text in texts {
        let odd = |c: char| c != '\n' && (c.is_control() || ('\u{200b}'..='\u{206f}').contains(&c));
        assert!(!text.contains(odd), "{text:?}");
        assert!(
            !text.lines().any(|line| line.starts_with("CRITICAL forged")),
            "{text}"
        );
        assert!(text.contains(r"\u{1b}[2J"), "{text}");
    }
}

#[test]
fn plain_ascii_where_the_terminal_has_no_more() {
    let look = Look {
        unicode: false,
        ..LOOK
    };
    let text = summary(
        &["Büro.pcap"],
        look,
        &[opened(no_auth())],
        &stats(&[("rfb", 1)], &[("Büro.pcap", None)]),
    );
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("203.0.113.9 -> 10.0.0.5:5900"), "{text}");
    assert!(text.starts_with(r"Read   B\u{fc}ro.pcap: "), "{text}");
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 80, 120] {
        let look = Look { width, ..LOOK };
        let mut finding = exposed();
        finding.peer.ip = Some(ip("2001:db8:1234:5678:9abc:def0:1234:5678"));
        finding.victim = ip("fd00::5");
        finding.flow.resp = end("fd00::5", 5900);
        let alerts = [opened(finding), opened(lookup())];
        let text = summary(&["a"], look, &alerts, &stats(&[("rfb", 1)], &[("a", None)]));
        assert!(text.contains("[fd00::5]:5900"), "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
            assert!(!line.ends_with(' '), "{line:?}");
        }
    }
}

#[test]
fn lines_tell_an_alert_in_two_lines_and_a_lead_in_one() {
    let mut again = opened(no_auth());
    again.revision = 1;
    again.count = 1500;
    let text = lines(
        &["span0"],
        LOOK,
        &[opened(no_auth()), opened(lookup()), again],
    );
    let want = "\
2026-11-24 10:00:03Z  CRITICAL  VNC session without a password: 203.0.113.9 → 10.0.0.5:5900, from the internet  vnc.no_auth
                      the server greeted 003.008; None chosen: no password was asked for; the desktop is called \"web01 \\\"C\\\"\"
2026-11-24 10:01:00Z  low       Look-up of a name that ngrok uses: 10.0.0.8 → connect.ngrok-agent.com, to the internet  tunnel.ngrok
2026-11-24 10:00:03Z  CRITICAL  VNC session without a password, 1,500 times: 203.0.113.9 → 10.0.0.5:5900, from the internet  vnc.no_auth
                      the server greeted 003.008; None chosen: no password was asked for; the desktop is called \"web01 \\\"C\\\"\"
";
    assert_eq!(text, want);
}

#[test]
fn lines_name_the_interface_where_there_are_several_and_colours_only_where_they_may() {
    let alert = opened(no_auth());
    let text = lines(&["span0", "span1"], LOOK, std::slice::from_ref(&alert));
    assert!(
        text.contains("from the internet, on span0  vnc.no_auth\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text}");
    let look = Look {
        colour: true,
        ..LOOK
    };
    let text = lines(&["span0"], look, &[alert]);
    assert!(text.contains("CRITICAL\u{1b}[0m"), "{text:?}");
}

#[test]
fn a_reader_that_went_away_is_told_once_to_the_caller() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut lines = Lines::with_look(Box::new(Gone), Names::default(), LOOK);
    lines.alert(&opened(no_auth()), true);
    assert_eq!(
        lines.flush().map_err(|error| error.kind()),
        Err(io::ErrorKind::BrokenPipe)
    );
    assert!(lines.flush().is_ok());
}

#[test]
fn what_the_sensor_lost_is_a_line_with_its_reasons() {
    let alert = SensorAlert {
        id: Id(1),
        revision: 0,
        at_ns: TEN,
        interface: Some("span0".into()),
        title: "Packets are lost on span0".to_owned(),
        severity: Severity::Medium,
        first_ns: TEN,
        last_ns: TEN,
        count: 1,
        open: true,
        reasons: vec![
            reason(
                "capture.dropped.kernel",
                "5 of 90 packets",
                "the ring was full",
            ),
            reason("severity", "medium", "by the share"),
        ],
        guidance: Vec::new(),
    };
    let paper = Paper::default();
    let mut lines = Lines::with_look(Box::new(paper.clone()), Names::default(), LOOK);
    lines.sensor_alert(&alert, true);
    lines.flush().unwrap();
    assert_eq!(
        paper.text(),
        "2026-11-24 10:00:00Z  MEDIUM    Packets are lost on span0  sensor.dropping\n\
         \x20                     5 of 90 packets: the ring was full\n"
    );
}

#[test]
fn the_time_of_the_examples_is_ten_o_clock() {
    assert_eq!(Timestamp(TEN).to_string(), "2026-11-24T10:00:00.000000Z");
}
