use std::net::{IpAddr, Ipv4Addr};

use terrier_wire::dns::{RcodeName, TypeName};

use super::*;
use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};
use crate::protocol::Session as _;

/// A flow between two ports.
fn flow(transport: Transport, ports: [u16; 2]) -> FlowRef {
    let endpoint = |last, port| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(1, ports[0]),
        resp: endpoint(2, ports[1]),
        transport,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Guessed,
    }
}

/// Drives a session as the worker does; frames count from 1, a millisecond apart unless told.
struct Driven {
    flow: FlowRef,
    session: Session,
    frame: u64,
    now_ns: i64,
    out: Vec<Observation>,
}

impl Driven {
    fn new(transport: Transport, ports: [u16; 2]) -> Self {
        Self {
            flow: flow(transport, ports),
            session: Session::new(transport),
            frame: 0,
            now_ns: 0,
            out: Vec::new(),
        }
    }

    fn feed(&mut self, from: Side, octets: &[u8]) -> Progress {
        self.frame += 1;
        self.now_ns += 1_000_000;
        let frame = Some((0, self.frame));
        let mut emit = Emit::new(&self.flow, self.now_ns, self.frame, frame, &mut self.out);
        self.session.feed(from, octets, &mut emit)
    }

    fn end(&mut self) {
        self.frame += 1;
        let mut emit = Emit::new(&self.flow, self.now_ns, self.frame, None, &mut self.out);
        self.session.end(&mut emit);
    }

    /// Each fact as `query type rcode [answers] frames`.
    fn lines(&self) -> Vec<String> {
        self.out
            .iter()
            .map(|observation| {
                let dns = transaction(observation);
                let rcode = dns
                    .rcode
                    .map_or_else(|| "-".into(), |r| RcodeName(r.0).to_string());
                format!(
                    "{} {} {rcode} {:?} {:?}",
                    dns.query,
                    TypeName(dns.qtype.0),
                    dns.answers,
                    observation.frames.numbers()
                )
            })
            .collect()
    }
}

fn transaction(observation: &Observation) -> &DnsTransaction {
    match &observation.fact {
        Fact::Dns(dns) => dns,
        other => panic!("{other:?}"),
    }
}

/// The wire form of a name without compression.
fn name(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend_from_slice(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// A message of questions (name, type) and answers (owner, type, data), time to live 60.
fn message(
    id: u16,
    flags: u16,
    questions: &[(&str, u16)],
    answers: &[(&str, u16, Vec<u8>)],
) -> Vec<u8> {
    let mut octets = Vec::new();
    let counts = [questions.len(), answers.len(), 0, 0];
    octets.extend_from_slice(&id.to_be_bytes());
    octets.extend_from_slice(&flags.to_be_bytes());
    for count in counts {
        octets.extend_from_slice(&u16::try_from(count).unwrap().to_be_bytes());
    }
    for (query, qtype) in questions {
        octets.extend_from_slice(&name(query));
        octets.extend_from_slice(&qtype.to_be_bytes());
        octets.extend_from_slice(&[0, 1]);
    }
    for (owner, rtype, data) in answers {
        octets.extend_from_slice(&name(owner));
        octets.extend_from_slice(&rtype.to_be_bytes());
        octets.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        octets.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(data);
    }
    octets
}

fn query(id: u16, name: &str) -> Vec<u8> {
    message(id, 0x0100, &[(name, 1)], &[])
}

fn answer(id: u16, name: &str, address: u8) -> Vec<u8> {
    let data = vec![198, 51, 100, address];
    message(id, 0x8180, &[(name, 1)], &[(name, 1, data)])
}

fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = Vec::new();
    for message in messages {
        octets.extend_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
        octets.extend_from_slice(message);
    }
    octets
}

use Side::{Originator, Responder};

#[test]
fn a_question_and_its_answer_are_one_fact() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(7, "www.Example.com"));
    assert!(driven.out.is_empty());
    driven.feed(Responder, &answer(7, "www.example.com", 1));
    driven.end();
    assert_eq!(
        driven.lines(),
        [r#"www.example.com A NOERROR ["198.51.100.1"] [1, 2]"#]
    );
    let dns = transaction(&driven.out[0]);
    assert_eq!(dns.client, Originator);
    assert_eq!(dns.service, NameService::Dns);
    let address: IpAddr = "198.51.100.1".parse().unwrap();
    assert_eq!(dns.addresses, [(address, 60)]);
}

#[test]
fn a_repeated_question_is_the_same_and_so_is_its_second_answer() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(7, "a.example"));
    driven.feed(Originator, &query(7, "a.example"));
    driven.feed(Responder, &answer(7, "a.example", 1));
    driven.feed(Responder, &answer(7, "a.example", 1));
    // A second answer that says something else is told: somebody may race the server.
    driven.feed(Responder, &answer(7, "a.example", 66));
    driven.end();
    assert_eq!(
        driven.lines(),
        [
            r#"a.example A NOERROR ["198.51.100.1"] [1, 2, 3]"#,
            r#"a.example A NOERROR ["198.51.100.66"] [5]"#,
        ]
    );
}

#[test]
fn a_name_of_any_length_waits_for_its_answer() {
    for labels in [1, 10, 11, 14, 15, 16, 60] {
        let asked = vec!["aB1"; labels].join(".");
        let answered = asked.to_ascii_lowercase();
        let mut driven = Driven::new(Transport::Udp, [40000, 53]);
        driven.feed(Originator, &query(7, &asked));
        driven.feed(Responder, &answer(7, &answered, 1));
        driven.feed(Originator, &query(8, &asked));
        driven.feed(Originator, &query(9, "other"));
        driven.feed(Responder, &answer(9, "other", 2));
        driven.end();
        assert_eq!(
            driven.lines(),
            [
                format!(r#"{answered} A NOERROR ["198.51.100.1"] [1, 2]"#),
                r#"other A NOERROR ["198.51.100.2"] [4, 5]"#.to_owned(),
                format!("{asked} A - [] [3]"),
            ]
        );
    }
}

#[test]
fn a_session_that_begins_again_knows_nothing_of_the_flow_before() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(7, "a.example"));
    driven.feed(Responder, &answer(7, "a.example", 1));
    assert_ne!(driven.session.rest(), Some(0));
    assert!(driven.session.renew());
    assert_eq!(driven.session.rest(), Some(0));
    // In the flow before it would have been the second answer.
    driven.feed(Responder, &answer(7, "a.example", 1));
    assert_eq!(driven.out.len(), 2);
    assert!(!Session::new(Transport::Tcp).renew());
}

#[test]
fn an_answer_without_a_question_is_a_fact_of_its_own() {
    // The capture starts with the answer, so the server is taken for the originator.
    let mut driven = Driven::new(Transport::Udp, [53, 40000]);
    driven.feed(Originator, &answer(7, "a.example", 1));
    assert_eq!(
        driven.lines(),
        [r#"a.example A NOERROR ["198.51.100.1"] [1]"#]
    );
    assert_eq!(transaction(&driven.out[0]).client, Responder);
}

#[test]
fn what_is_not_answered_is_told_at_the_end() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(1, "a.example"));
    driven.feed(Originator, &query(2, "b.example"));
    driven.feed(Responder, &answer(2, "b.example", 1));
    driven.end();
    driven.end();
    assert_eq!(
        driven.lines(),
        [
            r#"b.example A NOERROR ["198.51.100.1"] [2, 3]"#,
            "a.example A - [] [1]",
        ]
    );
}

#[test]
fn what_is_not_answered_in_30_seconds_is_told_with_the_next_message() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(1, "a.example"));
    driven.now_ns += Pending::PATIENCE_NS - 1_000_000;
    driven.feed(Originator, &query(2, "b.example"));
    assert!(driven.out.is_empty());
    driven.feed(Originator, &query(3, "c.example"));
    assert_eq!(driven.lines(), ["a.example A - [] [1]"]);
}

#[test]
fn the_list_of_questions_is_bounded() {
    let mut driven = Driven::new(Transport::Udp, [53, 53]);
    for id in 0..300 {
        driven.feed(Originator, &query(id, "a.example"));
    }
    assert_eq!(driven.out.len(), 300 - Pending::MAX);
    driven.end();
    assert_eq!(driven.out.len(), 300);
}

#[test]
fn follows_aliases_in_any_order() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    let octets = message(
        9,
        0x8180,
        &[("www.a.example", 1)],
        &[
            ("edge.c.example", 1, vec![198, 51, 100, 3]),
            ("lb.b.example", 5, name("edge.c.example")),
            ("www.a.example", 5, name("lb.b.example")),
            ("stranger.example", 1, vec![198, 51, 100, 9]),
        ],
    );
    driven.feed(Responder, &octets);
    let dns = transaction(&driven.out[0]);
    let address: IpAddr = "198.51.100.3".parse().unwrap();
    assert_eq!(dns.addresses, [(address, 60)]);
    assert_eq!(
        dns.aliases,
        ["edge.c.example", "lb.b.example", "stranger.example"]
    );
    let answers: Vec<String> = dns.answers.iter().map(ToString::to_string).collect();
    assert_eq!(
        answers,
        [
            "198.51.100.3",
            "edge.c.example",
            "lb.b.example",
            "198.51.100.9"
        ]
    );
}

#[test]
fn a_bare_refusal_answers_what_was_asked_under_its_identity() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(1, "a.example"));
    driven.feed(Originator, &query(2, "b.example"));
    driven.feed(Responder, &message(1, 0x8005, &[], &[]));
    driven.end();
    assert_eq!(
        driven.lines(),
        ["a.example A REFUSED [] [1, 3]", "b.example A - [] [2]"]
    );
}

#[test]
fn an_answer_to_something_else_takes_no_question_away() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(Originator, &query(1, "a.example"));
    driven.feed(Responder, &answer(1, "b.example", 1));
    driven.end();
    assert_eq!(
        driven.lines(),
        [
            r#"b.example A NOERROR ["198.51.100.1"] [2]"#,
            "a.example A - [] [1]",
        ]
    );
}

#[test]
fn both_sides_may_ask() {
    let mut driven = Driven::new(Transport::Udp, [53, 53]);
    driven.feed(Originator, &query(1, "a.example"));
    driven.feed(Responder, &query(1, "a.example"));
    driven.feed(Originator, &answer(1, "a.example", 1));
    driven.feed(Responder, &answer(1, "a.example", 2));
    let clients: Vec<Side> = driven.out.iter().map(|o| transaction(o).client).collect();
    assert_eq!(clients, [Responder, Originator]);
    assert_eq!(
        driven.lines(),
        [
            r#"a.example A NOERROR ["198.51.100.1"] [2, 3]"#,
            r#"a.example A NOERROR ["198.51.100.2"] [1, 4]"#,
        ]
    );
}

#[test]
fn several_questions_of_a_message_have_their_own_answers() {
    let mut driven = Driven::new(Transport::Udp, [40000, 53]);
    driven.feed(
        Responder,
        &message(
            3,
            0x8180,
            &[("a.example", 1), ("b.example", 1)],
            &[
                ("a.example", 1, vec![198, 51, 100, 1]),
                ("b.example", 1, vec![198, 51, 100, 2]),
            ],
        ),
    );
    assert_eq!(
        driven.lines(),
        [
            r#"a.example A NOERROR ["198.51.100.1"] [1]"#,
            r#"b.example A NOERROR ["198.51.100.2"] [1]"#,
        ]
    );
}

#[test]
fn over_tcp_answers_may_come_out_of_order_and_in_pieces() {
    let asked = framed(&[query(1, "a.example"), query(2, "b.example")]);
    let answered = framed(&[answer(2, "b.example", 2), answer(1, "a.example", 1)]);
    for size in [1, 2, 3, 7, 1000] {
        let mut driven = Driven::new(Transport::Tcp, [40000, 5300]);
        terrier_wire::testing::in_pieces(
            &[(Originator, &asked), (Responder, &answered)],
            size,
            |side, octets| match driven.feed(side, octets) {
                Progress::More(used) => Some(used),
                _ => None,
            },
        );
        let mut lines = driven.lines();
        for line in &mut lines {
            // The frames depend on the pieces.
            line.truncate(line.rfind(" [").unwrap());
        }
        assert_eq!(
            lines,
            [
                r#"b.example A NOERROR ["198.51.100.2"]"#,
                r#"a.example A NOERROR ["198.51.100.1"]"#,
            ],
            "pieces of {size}"
        );
    }
}

#[test]
fn a_zone_transfer_is_one_fact() {
    let mut driven = Driven::new(Transport::Tcp, [40000, 53]);
    let part = |owner: &str, address: u8| {
        message(
            5,
            0x8400,
            &[("zone.example", 252)],
            &[(owner, 1, vec![198, 51, 100, address])],
        )
    };
    driven.feed(
        Originator,
        &framed(&[message(5, 0, &[("zone.example", 252)], &[])]),
    );
    driven.feed(
        Responder,
        &framed(&[part("a.zone.example", 1), part("b.zone.example", 2)]),
    );
    driven.end();
    assert_eq!(
        driven.lines(),
        [r#"zone.example AXFR NOERROR ["198.51.100.1"] [1, 2]"#]
    );
}

#[test]
fn a_frame_too_short_ends_the_session_and_loses_nothing() {
    let mut driven = Driven::new(Transport::Tcp, [40000, 53]);
    let mut octets = framed(&[query(1, "a.example")]);
    octets.extend_from_slice(&[0, 3]);
    let progress = driven.feed(Originator, &octets);
    assert!(matches!(progress, Progress::Violated(_)));
    assert_eq!(driven.lines(), ["a.example A - [] [1]"]);
}

#[test]
fn multicast_questions_and_answers_are_told_at_once() {
    let mut driven = Driven::new(Transport::Udp, [5353, 5353]);
    driven.feed(
        Originator,
        &message(0, 0, &[("_ipp._tcp.local", 12), ("a.local", 28)], &[]),
    );
    driven.feed(
        Originator,
        &message(
            0,
            0x8400,
            &[],
            &[
                ("b.local", 1, vec![192, 0, 2, 4]),
                ("_ipp._tcp.local", 12, name("x._ipp._tcp.local")),
                ("B.local", 1, vec![192, 0, 2, 5]),
            ],
        ),
    );
    driven.end();
    assert_eq!(
        driven.lines(),
        [
            "_ipp._tcp.local PTR - [] [1]",
            "a.local AAAA - [] [1]",
            r#"b.local A NOERROR ["192.0.2.4", "192.0.2.5"] [2]"#,
            r#"_ipp._tcp.local PTR NOERROR ["x._ipp._tcp.local"] [2]"#,
        ]
    );
    let dns = transaction(&driven.out[2]);
    assert_eq!((dns.service, dns.client), (NameService::Mdns, Responder));
    assert_eq!(dns.addresses.len(), 2);
}

#[test]
fn a_local_answer_without_records_tells_its_question() {
    let mut driven = Driven::new(Transport::Udp, [40000, 5355]);
    driven.feed(Originator, &message(9, 0, &[("wpad", 1)], &[]));
    driven.feed(Responder, &message(9, 0x8000, &[("wpad", 1)], &[]));
    assert_eq!(driven.lines(), ["wpad A - [] [1]", "wpad A NOERROR [] [2]"]);
    let services = driven.out.iter().map(|o| transaction(o).service);
    assert!(services.eq([NameService::Llmnr; 2]));
}

#[test]
fn ports_decide_how_much_is_asked_of_the_octets() {
    let probe = |octets: &[u8], ports| {
        let flow = flow(Transport::Udp, ports);
        probe_datagram(&Opening {
            ports: flow.ports(),
            octets,
        })
    };
    let single = query(1, "wpad");
    assert_eq!(probe(&single, [40000, 53]), Probe::Yes);
    assert_eq!(probe(&single, [40000, 4000]), Probe::No);
    assert_eq!(probe(&query(1, "a.example"), [40000, 4000]), Probe::Yes);
    // Junk first on the port of DNS: asked again at the next datagram.
    assert_eq!(probe(b"\x30\x40junk", [40000, 53]), Probe::Maybe);
    assert_eq!(probe(b"\x30\x40junk", [40000, 161]), Probe::No);
}

#[test]
fn a_stream_is_known_by_its_first_frame() {
    let octets = framed(&[query(1, "a.example")]);
    let flow = flow(Transport::Tcp, [40000, 5300]);
    let probe = |octets| {
        probe_stream(&Opening {
            ports: flow.ports(),
            octets,
        })
    };
    assert_eq!(probe(&octets[..20]), Probe::Maybe);
    assert_eq!(probe(&octets), Probe::Yes);
    assert_eq!(probe(b"SSH-2.0-OpenSSH_9.6\r\n"), Probe::No);
}

proptest::proptest! {
    #[test]
    fn hostile_octets_are_taken_and_bounded(
        pieces in proptest::collection::vec((0_usize..2, 0_u8..4, proptest::collection::vec(proptest::num::u8::ANY, 0..80)), 0..20),
    ) {
        for (transport, ports) in [(Transport::Udp, [40000, 53]), (Transport::Tcp, [40000, 53]), (Transport::Udp, [5353, 5353])] {
            let mut driven = Driven::new(transport, ports);
            for (side, kind, random) in &pieces {
                // Random octets alone hardly get beyond the header.
                let octets = match kind {
                    0 => random.clone(),
                    1 => [&query(7, "a.example")[..], random].concat(),
                    2 => [&answer(7, "a.example", 1)[..12], random].concat(),
                    _ => framed(&[[&answer(7, "a.example", 1)[..30], random].concat()]),
                };
                match driven.feed(Side::BOTH[*side], &octets) {
                    Progress::More(used) => proptest::prop_assert!(used <= octets.len()),
                    _ => break,
                }
            }
            driven.end();
            for observation in &driven.out {
                let dns = transaction(observation);
                proptest::prop_assert!(dns.answers.len() <= DnsTransaction::MAX_ANSWERS);
                proptest::prop_assert!(dns.query.is_ascii());
            }
        }
    }
}
