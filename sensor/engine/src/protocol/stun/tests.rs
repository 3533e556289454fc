use terrier_wire::dtls::samples;
use terrier_wire::testing::in_pieces;
use terrier_wire::tls::HandshakeType;

use super::super::Session as _;
use super::*;
use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};

const CLIENT: Side = Side::Originator;
const SERVER: Side = Side::Responder;

fn flow(port: u16) -> FlowRef {
    let endpoint = |last, port| Endpoint {
        ip: std::net::Ipv4Addr::new(192, 0, 2, last).into(),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(1, 50_000),
        resp: endpoint(2, port),
        transport: Transport::Udp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Guessed,
    }
}

/// A message with the magic cookie.
fn message(kind: u16, attributes: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut octets = kind.to_be_bytes().to_vec();
    octets.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    octets.extend([0x21, 0x12, 0xa4, 0x42]);
    octets.extend([7; 12]);
    octets.extend(body);
    octets
}

/// 192.0.2.7:12345, mixed with the cookie.
const MIXED: &[u8] = &[0, 1, 0x11, 0x2b, 0xe1, 0x12, 0xa6, 0x45];

fn asked() -> Vec<u8> {
    message(1, &[])
}

fn answered() -> Vec<u8> {
    message(0x0101, &[(0x20, MIXED), (0x8022, b"srv 1\0\0\0")])
}

fn hello() -> Vec<u8> {
    let body = samples::client_hello("a.example", &[]);
    samples::datagram(HandshakeType::CLIENT_HELLO, &body, 0)
}

struct Driven {
    session: Session,
    frame: u64,
    out: Vec<Observation>,
}

impl Driven {
    fn new(framing: Option<Framing>) -> Self {
        Self {
            session: Session::new(framing),
            frame: 0,
            out: Vec::new(),
        }
    }

    fn packet(&mut self, act: impl FnOnce(&mut Session, &mut Emit<'_>) -> Progress) -> Progress {
        self.frame += 1;
        let flow = flow(3478);
        let frame = Some((0, self.frame));
        let mut emit = Emit::new(&flow, 0, self.frame, frame, &mut self.out);
        act(&mut self.session, &mut emit)
    }

    fn feed(&mut self, from: Side, octets: &[u8]) -> Progress {
        self.packet(|session, emit| session.feed(from, octets, emit))
    }

    fn end(&mut self) {
        self.packet(|session, emit| {
            session.end(emit);
            Progress::Finished
        });
    }

    /// Each fact in a few words.
    fn told(&self) -> Vec<String> {
        let one = |seen: &Observation| match &seen.fact {
            Fact::Marks(marks) => {
                let details: Vec<_> = marks
                    .details
                    .iter()
                    .map(|(field, value)| format!("{field}={value}"))
                    .collect();
                format!("{:?} {}", marks.client, details.join(" "))
            }
            Fact::Dtls(tls) => format!("dtls {}", tls.server_name.as_deref().unwrap_or("-")),
            other => format!("{other:?}"),
        };
        self.out.iter().map(one).collect()
    }
}

const BINDING: &str =
    "Originator method=Binding class=success mapped=192.0.2.7:12345 server_software=srv 1";

#[test]
fn probe_takes_messages_and_nothing_else() {
    let probe = |octets: &[u8], port| {
        let flow = flow(port);
        probe_datagram(&Opening {
            ports: flow.ports(),
            octets,
        })
    };
    assert_eq!(probe(&asked(), 9), Probe::Yes);
    let behind = [&asked()[..], b"more"].concat();
    assert_eq!(probe(&behind, 9), Probe::No);
    // Without a cookie the port decides.
    let mut plain = asked();
    plain[4] = 1;
    assert_eq!(probe(&plain, 9), Probe::No);
    assert_eq!(probe(&plain, 3478), Probe::Yes);
    assert_eq!(probe(&hello(), 3478), Probe::No);
}

#[test]
fn probe_of_a_stream_waits_for_a_whole_message() {
    let probe = |octets: &[u8], framing| {
        let flow = flow(443);
        let opening = Opening {
            ports: flow.ports(),
            octets,
        };
        probe_stream(&opening, framing)
    };
    let message = answered();
    let sized = [&[0, u8::try_from(message.len()).unwrap()], &message[..]].concat();
    for (octets, framing) in [(&message, Framing::Plain), (&sized, Framing::Sized)] {
        for cut in 0..octets.len() {
            assert_eq!(probe(&octets[..cut], framing), Probe::Maybe);
        }
        assert_eq!(probe(octets, framing), Probe::Yes);
    }
    assert_eq!(probe(b"GET / HTTP/1.1", Framing::Plain), Probe::No);
    assert_eq!(
        probe(&[0, 9, 1, 2, 3, 4, 5, 6, 7], Framing::Sized),
        Probe::No
    );
}

#[test]
fn tells_the_first_answer_once() {
    let mut driven = Driven::new(None);
    for _ in 0..3 {
        driven.feed(CLIENT, &asked());
        driven.feed(SERVER, &answered());
        // ICE asks in the other direction too.
        driven.feed(SERVER, &asked());
        driven.feed(CLIENT, &answered());
    }
    driven.end();
    assert_eq!(driven.told(), [BINDING]);
}

#[test]
fn tells_a_relay_behind_its_first_refusal() {
    let mut driven = Driven::new(None);
    let relayed: &[u8] = &[0, 1, 0xe1, 0x12, 0xe7, 0x21, 0xc0, 0x4b]; // 198.51.100.9:49152
    driven.feed(CLIENT, &message(3, &[]));
    driven.feed(SERVER, &message(0x0113, &[(9, &[0, 0, 4, 1])]));
    driven.feed(CLIENT, &message(3, &[(6, b"alice")]));
    driven.feed(SERVER, &message(0x0103, &[(0x16, relayed), (0x20, MIXED)]));
    assert_eq!(
        driven.told(),
        [
            "Originator method=Allocate class=success relayed=198.51.100.9:49152 mapped=192.0.2.7:12345"
        ]
    );
}

#[test]
fn tells_what_was_refused_or_not_answered_at_the_end() {
    let mut driven = Driven::new(None);
    driven.feed(CLIENT, &asked());
    driven.feed(CLIENT, &message(3, &[]));
    driven.feed(SERVER, &message(0x0113, &[(9, &[0, 0, 4, 1])]));
    driven.end();
    driven.end();
    assert_eq!(
        driven.told(),
        [
            "Originator method=Binding class=request",
            "Originator method=Allocate class=error error=401",
        ]
    );
}

#[test]
fn leaves_the_flow_to_what_is_neither_stun_nor_rtp() {
    let mut driven = Driven::new(None);
    driven.feed(CLIENT, &asked());
    assert_eq!(driven.feed(CLIENT, &[0x80, 0x60, 1]), Progress::More(3));
    assert_eq!(driven.feed(CLIENT, &hello()), Progress::Carries(0));
    assert_eq!(driven.told(), ["Originator method=Binding class=request"]);
}

#[test]
fn finds_dtls_in_what_a_relay_sends_on() {
    let hello = hello();
    let length = u8::try_from(hello.len()).unwrap();
    let channel = [&[0x40, 1, 0, length], &hello[..]].concat();
    let indication = message(0x0016, &[(0x13, &hello)]);
    for octets in [channel, indication] {
        let mut driven = Driven::new(None);
        driven.feed(CLIENT, &octets);
        assert_eq!(driven.told(), ["dtls a.example"]);
    }
}

#[test]
fn tells_the_same_over_a_stream_however_it_is_cut() {
    let asked = [&asked()[..], &[0x40, 1, 0, 3, 9, 9, 9, 0]].concat();
    let answered = answered();
    for size in [1, 2, 3, 7, 1000] {
        let mut driven = Driven::new(Some(Framing::Plain));
        in_pieces(
            &[(CLIENT, &asked), (SERVER, &answered)],
            size,
            |side, octets| match driven.feed(side, octets) {
                Progress::More(used) => Some(used),
                _ => None,
            },
        );
        assert_eq!(driven.told(), [BINDING], "{size}");
    }
}

#[test]
fn a_connection_to_a_relay_becomes_one_to_a_peer() {
    let mut driven = Driven::new(Some(Framing::Plain));
    driven.feed(CLIENT, &message(0x000b, &[]));
    let bound = message(0x010b, &[]);
    let stream = [&bound[..], b"SSH-2.0-x\r\n"].concat();
    assert_eq!(driven.feed(SERVER, &stream), Progress::Carries(bound.len()));
}

#[test]
fn looks_at_a_bounded_number_of_datagrams() {
    let mut driven = Driven::new(None);
    let mut seen = 0;
    while driven.feed(CLIENT, &asked()) != Progress::Finished {
        seen += 1;
        assert!(seen < 1000, "never finishes");
    }
    assert_eq!(seen, MAX_SEEN);
    assert_eq!(driven.told().len(), 1);
}
