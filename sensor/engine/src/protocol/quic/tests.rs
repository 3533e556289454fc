use terrier_wire::quic::samples::{chlo, clear_packet, crypto, hello, initial};

use super::super::Session as _;
use super::*;
use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};

const ID: &[u8] = &[0xd1, 2, 3, 4, 5, 6, 7, 8];
const OTHER: &[u8] = &[0xe1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

fn flow() -> FlowRef {
    let endpoint = |last, port| Endpoint {
        ip: std::net::Ipv4Addr::new(192, 0, 2, last).into(),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(1, 50_000),
        resp: endpoint(2, 443),
        transport: Transport::Udp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Guessed,
    }
}

/// A session with what it told; each datagram is one packet, numbered from 1.
#[derive(Default)]
struct Driven {
    session: Session,
    frame: u64,
    out: Vec<Observation>,
}

impl Driven {
    fn feed(&mut self, from: Side, datagram: &[u8]) -> Progress {
        self.frame += 1;
        let flow = flow();
        let frame = Some((0, self.frame));
        let mut emit = Emit::new(&flow, 0, self.frame, frame, &mut self.out);
        self.session.feed(from, datagram, &mut emit)
    }

    fn end(&mut self) {
        let flow = flow();
        let mut emit = Emit::new(&flow, 0, self.frame, None, &mut self.out);
        self.session.end(&mut emit);
    }

    /// Each fact in a few words, with its frames.
    fn told(&self) -> Vec<String> {
        let one = |seen: &Observation| {
            let Fact::Quic(quic) = &seen.fact else {
                return format!("{:?}", seen.fact);
            };
            let name = quic.server_name.as_deref().unwrap_or("-");
            let ja4 = quic.ja4.as_deref().map_or("-", |ja4| &ja4[..4]);
            let frames = seen.frames.numbers();
            format!("{:?} {} {name} {ja4} {frames:?}", quic.client, quic.version)
        };
        self.out.iter().map(one).collect()
    }
}

fn packet(id: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
    initial(Version::V1, id, [id, &[]], number, frames)
}

#[test]
fn tells_a_hello_with_the_packets_that_carried_it() {
    let message = hello("a.example");
    let mut driven = Driven::default();
    let first = packet(ID, 0, &crypto(0, &message[..150]));
    let second = packet(ID, 1, &crypto(150, &message[150..]));
    assert_eq!(
        driven.feed(Side::Originator, &first),
        Progress::More(first.len())
    );
    driven.feed(Side::Responder, &[0x40; 50]);
    driven.feed(Side::Originator, &second);
    driven.feed(Side::Originator, &second);
    driven.end();
    assert_eq!(
        driven.told(),
        ["Originator 0x00000001 a.example q13d [1, 3]"]
    );
}

#[test]
fn tells_each_connection_and_who_opened_it() {
    let mut driven = Driven::default();
    driven.feed(
        Side::Responder,
        &packet(ID, 0, &crypto(0, &hello("a.example"))),
    );
    driven.feed(
        Side::Responder,
        &packet(OTHER, 0, &crypto(0, &hello("b.example"))),
    );
    assert_eq!(
        driven.told(),
        [
            "Responder 0x00000001 a.example q13d [1]",
            "Responder 0x00000001 b.example q13d [2]"
        ]
    );
}

#[test]
fn a_hello_in_part_has_no_fingerprint() {
    let mut driven = Driven::default();
    driven.feed(
        Side::Originator,
        &packet(ID, 0, &crypto(0, &hello("part.example")[..200])),
    );
    assert_eq!(driven.told(), [""; 0]);
    driven.end();
    assert_eq!(driven.told(), ["Originator 0x00000001 part.example - [1]"]);
    assert!(matches!(&driven.out[0].fact, Fact::Quic(quic) if quic.partial));
}

#[test]
fn leaves_a_flow_that_only_carries_data() {
    let mut driven = Driven::default();
    driven.feed(
        Side::Originator,
        &packet(ID, 0, &crypto(0, &hello("a.example"))),
    );
    for _ in 0..MAX_SHORT {
        assert_eq!(
            driven.feed(Side::Responder, &[0x40; 50]),
            Progress::More(50)
        );
    }
    assert_eq!(
        driven.feed(Side::Responder, &[0x40; 50]),
        Progress::Finished
    );
    assert_eq!(driven.out.len(), 1);
}

#[test]
fn reads_googles_hello_and_is_done() {
    let message = chlo("g.example", "Chrome/70 é");
    let frames = [&[0x80, 1][..], &message].concat();
    let mut driven = Driven::default();
    let datagram = clear_packet(*b"Q043", 0x09, &frames);
    assert_eq!(driven.feed(Side::Originator, &datagram), Progress::Finished);
    assert_eq!(driven.told(), ["Originator 0x51303433 g.example - [1]"]);
    let Fact::Quic(quic) = &driven.out[0].fact else {
        panic!("not QUIC");
    };
    assert_eq!(quic.user_agent.as_deref(), Some("Chrome/70 \\195\\169"));
}

#[test]
fn probe_takes_quic_and_nothing_else() {
    let asked = |octets: &[u8]| {
        probe(&Opening {
            ports: flow().ports(),
            octets,
        })
    };
    assert_eq!(
        asked(&packet(ID, 0, &crypto(0, &hello("a.example")))),
        Probe::Yes
    );
    // A query, a packet without a long header, RTP.
    assert_eq!(
        asked(&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
        Probe::No
    );
    assert_eq!(asked(&[0x40; 50]), Probe::No);
    assert_eq!(asked(&[0x80, 0, 0, 0, 1, 0, 0, 0, 9, 9]), Probe::No);
}
