use terrier_wire::tls::{HandshakeType, samples};

use super::super::Session as _;
use super::*;
use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};

const CLIENT: Side = Side::Originator;
const SERVER: Side = Side::Responder;

fn flow() -> FlowRef {
    let endpoint = |last, port| Endpoint {
        ip: std::net::Ipv4Addr::new(192, 0, 2, last).into(),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(1, 50_000),
        resp: endpoint(2, 3389),
        transport: Transport::Udp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Guessed,
    }
}

/// A SYN, or an answer to that of number 100.
fn syn(answers: bool, lossy: bool, version: u16) -> Vec<u8> {
    let mut octets = if answers {
        100_u32.to_be_bytes().to_vec()
    } else {
        vec![0xff; 4]
    };
    octets.extend([0, 0x40]); // window
    let flags = 0x1001 | if answers { 4 } else { 0 } | if lossy { 0x200 } else { 0 };
    octets.extend(u16::to_be_bytes(flags));
    octets.extend(if answers { 200_u32 } else { 100 }.to_be_bytes());
    octets.extend([4, 0xd0, 4, 0xd0]); // MTUs
    octets.extend([0, 1]); // the version is valid
    octets.extend(version.to_be_bytes());
    octets.resize(1232, 0);
    octets
}

/// A packet of version 1 or 2 with data.
fn packet(number: u32, octets: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 0, 0, 200, 0, 0x40, 0, 0x0c]; // ACK, DATA
    packet.extend([0, 1, 0, 0]); // acknowledgement vector
    packet.extend(number.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend(octets);
    packet
}

/// One of version 3.
fn packet_of_version_3(number: u16, octets: &[u8]) -> Vec<u8> {
    let mut packet = vec![0, 0x05, 0]; // prefix; ACK, DATA
    packet.extend([1, 0, 7, 7, 7, 0, 0]); // acknowledgement
    packet.extend([9, 9]); // number of the packet
    packet.extend(number.to_le_bytes());
    packet.extend(octets);
    packet.swap(0, 7);
    packet
}

fn hello() -> Vec<u8> {
    samples::flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"))
}

#[derive(Default)]
struct Driven {
    session: Session,
    frame: u64,
    out: Vec<Observation>,
}

impl Driven {
    fn packet(&mut self, act: impl FnOnce(&mut Session, &mut Emit<'_>) -> Progress) -> Progress {
        self.frame += 1;
        let flow = flow();
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

    fn told(&self) -> Vec<String> {
        let one = |seen: &Observation| match &seen.fact {
            Fact::RdpUdp(udp) => format!(
                "{:?} {:?}/{:?} lossy {} answered {}",
                udp.client, udp.offered, udp.chosen, udp.lossy, udp.answered
            ),
            Fact::Tls(tls) | Fact::Dtls(tls) => {
                let mark = tls.ja4.get(..1).unwrap_or_default();
                format!("{mark} {:?} {:?}", tls.server_name, tls.inside)
            }
            other => format!("{other:?}"),
        };
        self.out.iter().map(one).collect()
    }
}

#[test]
fn tells_a_syn_at_its_answer_and_the_tls_inside() {
    let mut driven = Driven::default();
    assert_eq!(
        driven.feed(CLIENT, &syn(false, false, 2)),
        Progress::More(1232)
    );
    driven.feed(CLIENT, &syn(false, false, 2));
    driven.feed(SERVER, &syn(true, false, 2));
    let hello = hello();
    let (first, second) = hello.split_at(99);
    // The second half comes first.
    driven.feed(CLIENT, &packet(102, second));
    driven.feed(CLIENT, &packet(101, first));
    driven.feed(CLIENT, &packet(101, first));
    driven.end();
    assert_eq!(
        driven.told(),
        [
            "Originator Some(\"2\")/Some(\"2\") lossy false answered true",
            "t Some(\"a.example\") Some(Rdp)",
        ]
    );
}

#[test]
fn reads_the_packets_of_version_3() {
    let mut driven = Driven::default();
    driven.feed(CLIENT, &syn(false, false, 2));
    driven.feed(SERVER, &syn(true, false, 0x0101));
    driven.feed(CLIENT, &packet_of_version_3(7, &hello()));
    assert_eq!(driven.told()[1], "t Some(\"a.example\") Some(Rdp)");
}

#[test]
fn reads_dtls_on_a_lossy_connection() {
    let mut driven = Driven::default();
    driven.feed(CLIENT, &syn(false, true, 1));
    driven.feed(SERVER, &syn(true, true, 1));
    let body = terrier_wire::dtls::samples::client_hello("a.example", &[]);
    let hello = terrier_wire::dtls::samples::datagram(HandshakeType::CLIENT_HELLO, &body, 0);
    driven.feed(CLIENT, &packet(101, &hello));
    assert_eq!(
        driven.told(),
        [
            "Originator Some(\"1\")/Some(\"1\") lossy true answered true",
            "d Some(\"a.example\") Some(Rdp)",
        ]
    );
}

#[test]
fn tells_a_syn_without_answer_at_the_end_once() {
    let mut driven = Driven::default();
    driven.feed(CLIENT, &syn(false, false, 2));
    driven.end();
    driven.end();
    assert_eq!(
        driven.told(),
        ["Originator Some(\"2\")/None lossy false answered false"]
    );
}

#[test]
fn tells_an_answer_whose_syn_was_not_seen() {
    let mut driven = Driven::default();
    driven.feed(CLIENT, &syn(true, false, 2));
    assert_eq!(
        driven.told(),
        ["Responder None/Some(\"2\") lossy false answered true"]
    );
}

#[test]
fn looks_at_a_bounded_number_of_datagrams() {
    let mut driven = Driven::default();
    driven.feed(CLIENT, &syn(false, false, 2));
    let mut seen = 1;
    while driven.feed(CLIENT, &[1, 2, 3]) != Progress::Finished {
        seen += 1;
        assert!(seen < 1000, "never finishes");
    }
    assert_eq!(seen, MAX_SEEN);
    assert_eq!(driven.told().len(), 1);
}
