//! Tests that need an interface run in a network namespace of their own, in a second process: see [`in_namespace`].

use std::net::UdpSocket;
use std::process::Command;
use std::time::SystemTime;

use super::*;

/// Runs `test` in a new network namespace whose loopback interface is up, by starting this same test there. Where no
/// namespace can be made, the test is skipped and says so.
fn in_namespace(name: &str, test: impl FnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    if let Some(unshare) = namespace() {
        let program = std::env::current_exe().unwrap();
        let name = format!("capture::live::tests::{name}");
        let script = r#"ip link set lo up && exec "$0" --exact "$@" --nocapture"#;
        let status = Command::new("unshare")
            .args(unshare)
            .args(["--", "sh", "-c", script])
            .args([program.as_os_str(), name.as_ref()])
            .env(INSIDE, "yes")
            .status();
        assert!(status.unwrap().success(), "{name} failed in its namespace");
    } else {
        skipped(
            name,
            "no network namespace can be made here (it takes root, `unshare` and `ip`)",
        );
    }
}

/// The options with which `unshare` works here: as root, or as somebody who may become root in a namespace.
fn namespace() -> Option<&'static [&'static str]> {
    let ways: [&[&str]; 2] = [&["--net"], &["--map-root-user", "--net"]];
    ways.into_iter().find(|way| {
        let tried = Command::new("unshare")
            .args(*way)
            .args(["ip", "link", "set", "lo", "up"])
            .output();
        tried.is_ok_and(|output| output.status.success())
    })
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn skipped(name: &str, why: &str) {
    eprintln!("skipped {name}: {why}");
}

fn ip(arguments: &[&str]) {
    assert!(
        Command::new("ip")
            .args(arguments)
            .status()
            .unwrap()
            .success(),
        "ip {arguments:?}"
    );
}

fn send(port: u16, count: u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..count {
        socket
            .send_to(
                &[&b"terrier"[..], &number.to_be_bytes()].concat(),
                ("127.0.0.1", port),
            )
            .unwrap();
    }
}

/// The last octets of the packets that carry the text of [`send`], until there are so many or nothing comes any more.
fn collect(live: &mut Live, count: usize) -> Vec<u16> {
    let mut chunk = Chunk::new();
    let mut numbers = Vec::new();
    let mut idle = 0;
    while numbers.len() < count && idle < 50 {
        match live.fill(&mut chunk).unwrap() {
            Filled::More => {
                let texts = chunk
                    .iter()
                    .filter_map(|(_, octets)| octets.split_last_chunk::<9>());
                let numbered = texts.filter(|(_, text)| text.starts_with(b"terrier"));
                // The kernel answers with ICMP, which quotes the datagram; only the datagram itself counts.
                let own = numbered.filter(|(before, _)| before.len() == 14 + 20 + 8);
                numbers.extend(own.map(|(_, text)| u16::from_be_bytes([text[7], text[8]])));
            }
            Filled::Idle => idle += 1,
            Filled::End => panic!("an interface never ends"),
        }
    }
    numbers
}

fn fault_of(live: &mut Live) -> Fault {
    let mut chunk = Chunk::new();
    (0..100)
        .find_map(|_| live.fill(&mut chunk).err())
        .expect("a fault within the time of 100 waits")
}

#[test]
fn sees_the_packets_of_an_interface_and_returns_when_it_is_silent() {
    in_namespace(
        "sees_the_packets_of_an_interface_and_returns_when_it_is_silent",
        || {
            let mut live = Live::open(
                "lo",
                &LiveOptions {
                    capture: 3,
                    ..LiveOptions::default()
                },
            )
            .unwrap();
            assert_eq!((live.interface(), live.link()), ("lo", LinkType::ETHERNET));
            let mut chunk = Chunk::default();
            assert_eq!(live.fill(&mut chunk), Ok(Filled::Idle));
            send(9, 1);
            let first = loop {
                if live.fill(&mut chunk) == Ok(Filled::More) {
                    break *chunk.metas().first().unwrap();
                }
            };
            assert_eq!(
                (first.frame, first.capture, first.wire_len, first.len),
                (1, 3, 51, 51)
            );
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap()
                .as_nanos() as i64;
            assert!(
                (now - first.at_ns).abs() < 3_600_000_000_000,
                "{} at {now}",
                first.at_ns
            );
            send(9, 500);
            assert_eq!(collect(&mut live, 500), (0..500).collect::<Vec<_>>());
            let stats = live.stats().unwrap();
            assert!(stats.received >= 501, "{stats:?}");
            assert_eq!(stats.dropped_by_kernel, 0);
        },
    );
}

#[test]
fn a_filter_holds_packets_back() {
    in_namespace("a_filter_holds_packets_back", || {
        let options = LiveOptions {
            filter: Some("udp dst port 9".into()),
            ..LiveOptions::default()
        };
        let mut live = Live::open("lo", &options).unwrap();
        send(10, 5);
        send(9, 3);
        assert_eq!(collect(&mut live, 3), [0, 1, 2]);
        assert_eq!(live.frames, 3);
        let wrong = LiveOptions {
            filter: Some("udp dst prot 9".into()),
            ..LiveOptions::default()
        };
        let error = Live::open("lo", &wrong).err().unwrap();
        assert!(matches!(error, LiveError::Filter { .. }));
        assert!(
            error
                .to_string()
                .starts_with("lo: filter expression `udp dst prot 9`: "),
            "{error}"
        );
    });
}

#[test]
fn an_interface_that_goes_down_is_a_fault_and_comes_back() {
    in_namespace(
        "an_interface_that_goes_down_is_a_fault_and_comes_back",
        || {
            let mut live = Live::open("lo", &LiveOptions::default()).unwrap();
            send(9, 1);
            assert_eq!(collect(&mut live, 1), [0]);
            ip(&["link", "set", "lo", "down"]);
            let fault = fault_of(&mut live);
            assert_eq!(fault.what, Damage::InterfaceDown);
            assert!(
                fault
                    .to_string()
                    .starts_with("lo: the interface went down after "),
                "{fault}"
            );
            assert_eq!(
                live.fill(&mut Chunk::new()),
                Ok(Filled::Idle),
                "it is told once"
            );
            assert_eq!(
                Live::open("lo", &LiveOptions::default()).err(),
                Some(LiveError::Down("lo".into()))
            );
            ip(&["link", "set", "lo", "up"]);
            send(9, 2);
            assert_eq!(collect(&mut live, 2), [0, 1]);
        },
    );
}

#[test]
fn an_interface_that_is_removed_is_a_fault() {
    in_namespace("an_interface_that_is_removed_is_a_fault", || {
        ip(&[
            "link", "add", "probe0", "type", "veth", "peer", "name", "probe1",
        ]);
        ip(&["link", "set", "probe0", "up"]);
        let mut live = Live::open("probe0", &LiveOptions::default()).unwrap();
        ip(&["link", "delete", "probe0"]);
        let fault = fault_of(&mut live);
        assert_eq!(fault.what, Damage::InterfaceGone);
        assert!(
            fault
                .to_string()
                .starts_with("probe0: the interface was removed after "),
            "{fault}"
        );
        assert_eq!(
            fault_of(&mut live).what,
            Damage::InterfaceGone,
            "it is told each time"
        );
    });
}

#[test]
fn all_interfaces_can_be_watched_at_once() {
    in_namespace("all_interfaces_can_be_watched_at_once", || {
        let mut live = Live::open("any", &LiveOptions::default()).unwrap();
        send(9, 1);
        let mut chunk = Chunk::new();
        let came = (0..50).any(|_| live.fill(&mut chunk) == Ok(Filled::More));
        assert!(came);
    });
}

#[test]
fn an_interface_that_is_not_there_is_named_with_those_that_are() {
    in_namespace(
        "an_interface_that_is_not_there_is_named_with_those_that_are",
        || {
            let error = Live::open("nosuch0", &LiveOptions::default())
                .err()
                .unwrap();
            assert!(
                matches!(&error, LiveError::NoSuchInterface { known, .. } if known.iter().any(|name| name == "lo"))
            );
            assert!(
                error
                    .to_string()
                    .starts_with("nosuch0: no such interface; there are: "),
                "{error}"
            );
        },
    );
}

#[test]
fn without_the_capability_the_message_tells_how_to_grant_it() {
    let name = "without_the_capability_the_message_tells_how_to_grant_it";
    if std::env::var_os(INSIDE).is_some() {
        let error = Live::open("lo", &LiveOptions::default()).err().unwrap();
        assert!(matches!(error, LiveError::NoPermission { .. }), "{error}");
        let text = error.to_string();
        let start = "lo: no permission to capture; grant it with: sudo setcap cap_net_raw=ep /";
        assert!(text.starts_with(start), "{text}");
        return;
    }
    without_capabilities(name, "-net_raw,-net_admin");
}

#[test]
fn no_other_capability_is_needed() {
    let name = "no_other_capability_is_needed";
    if std::env::var_os(INSIDE).is_some() {
        let live = Live::open("lo", &LiveOptions::default());
        assert!(live.is_ok(), "{}", live.err().unwrap());
        return;
    }
    without_capabilities(name, "-all,+net_raw");
}

/// Starts this same test once more, with fewer capabilities.
fn without_capabilities(name: &str, bounding_set: &str) {
    let bounding_set = format!("--bounding-set={bounding_set}");
    let probe = Command::new("setpriv")
        .args([&bounding_set, "true"])
        .output();
    if !probe.is_ok_and(|output| output.status.success()) {
        return skipped(
            name,
            "capabilities cannot be dropped here (it takes root and `setpriv`)",
        );
    }
    let status = Command::new("setpriv")
        .arg(bounding_set)
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("capture::live::tests::{name}"),
            "--nocapture",
        ])
        .env(INSIDE, "yes")
        .status();
    assert!(
        status.unwrap().success(),
        "{name} failed with fewer capabilities"
    );
}

#[test]
fn counters_of_32_bits_may_wrap() {
    let mut counters = Counters::default();
    counters.add(u32::MAX / 2, 5, 0);
    counters.add(u32::MAX - 1, 5, 0);
    let sums = counters.add(9, 7, 1);
    assert_eq!(
        sums,
        LiveStats {
            received: (1 << 32) + 9,
            dropped_by_kernel: 7,
            dropped_by_interface: 1
        }
    );
}

#[test]
fn a_counter_that_begins_anew_has_lost_nothing() {
    let mut counters = Counters::default();
    counters.add(0, 0, 5_000);
    assert_eq!(counters.add(0, 0, 0).dropped_by_interface, 5_000);
    assert_eq!(counters.add(0, 0, 3).dropped_by_interface, 5_003);
}

/// Set in the process that [`in_namespace`] starts.
const INSIDE: &str = "TERRIER_TEST_INSIDE";

/// Sends numbered texts from a port to another one of the loopback interface; answers the spread of their flow.
fn send_from(spread: &Spread, socket: &UdpSocket, port: u16, count: u16) -> u32 {
    for number in 0..count {
        let text = [&b"terrier"[..], &number.to_be_bytes()].concat();
        socket.send_to(&text, ("127.0.0.1", port)).unwrap();
    }
    let to = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    spread.of(socket.local_addr().unwrap(), to, 17)
}

#[test]
fn rings_share_an_interface_and_a_flow_comes_to_one() {
    in_namespace("rings_share_an_interface_and_a_flow_comes_to_one", || {
        let spread = Spread::new(11);
        let options = LiveOptions {
            spread: Some(spread),
            buffer: 1 << 20,
            patience: Duration::from_millis(5),
            ..LiveOptions::default()
        };
        let mut rings = Live::open_rings("lo", &options, 3).unwrap();
        let mut expected = [0, 0, 0];
        for _ in 0..20 {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let ring = send_from(&spread, &socket, 9, 5) % 3;
            expected[ring as usize] += 5;
        }
        assert!(expected.iter().filter(|&&count| count > 0).count() > 1);
        let came: Vec<usize> = rings
            .iter_mut()
            .map(|ring| collect(ring, 100).len())
            .collect();
        assert_eq!(came, expected);
    });
}

#[test]
fn of_a_flow_that_is_shed_only_a_count_comes() {
    in_namespace("of_a_flow_that_is_shed_only_a_count_comes", || {
        for (interface, filter) in [("lo", None), ("lo", Some("udp")), ("any", None)] {
            let spread = Spread::new(12);
            let options = LiveOptions {
                spread: Some(spread),
                filter: filter.map(str::to_owned),
                ..LiveOptions::default()
            };
            let mut live = Live::open(interface, &options).unwrap();
            let numbers = |live: &mut Live| {
                let mut chunk = Chunk::new();
                let mut texts = 0;
                let mut idle = 0;
                while idle < 3 {
                    match live.fill(&mut chunk).unwrap() {
                        Filled::More => {
                            texts += chunk
                                .iter()
                                .filter(|(_, octets)| octets.ends_with(b"terrier\0\x01"))
                                .count()
                        }
                        _ => idle += 1,
                    }
                }
                texts
            };
            // Nobody is told that nobody listens.
            let _listener = UdpSocket::bind("127.0.0.1:4000").unwrap();
            let heavy = UdpSocket::bind("127.0.0.1:0").unwrap();
            let other = UdpSocket::bind("127.0.0.1:0").unwrap();
            let flow = send_from(&spread, &heavy, 4_000, 2);
            assert!(numbers(&mut live) > 0, "{interface}");

            assert_eq!(live.shed(&[flow, 17]).unwrap(), 2);
            send_from(&spread, &heavy, 4_000, 2);
            assert_eq!(numbers(&mut live), 0, "{interface}");
            let shed = live.shed_so_far();
            // Two packets, or four where each comes once as it leaves.
            assert!([2, 4].contains(&shed.packets), "{interface}: {shed:?}");
            assert!(shed.octets >= shed.packets * (20 + 8 + 9), "{shed:?}");
            send_from(&spread, &other, 4_000, 2);
            assert!(numbers(&mut live) > 0, "another flow, {interface}");
            // What the filter does not take is not taken now either.
            if filter.is_some() {
                let _ = std::net::TcpStream::connect("127.0.0.1:4001");
                let mut chunk = Chunk::new();
                assert_eq!(live.fill(&mut chunk), Ok(Filled::Idle));
            }

            live.shed(&[]).unwrap();
            send_from(&spread, &heavy, 4_000, 2);
            assert!(numbers(&mut live) > 0, "{interface}");
            assert_eq!(live.shed_so_far(), shed, "{interface}");
        }
    });
}
