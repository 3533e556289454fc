use terrier_wire::dtls::samples;
use terrier_wire::tls::{HandshakeType, samples as tls};

use super::super::Session as _;
use super::*;
use crate::observation::{
    Endpoint, Fact, FlowRef, Frames, Observation, Oriented, Transport, VlanTags,
};

const CLIENT: Side = Side::Originator;
const SERVER: Side = Side::Responder;

/// A session with what it told; each call is one datagram, numbered from 1.
struct Driven {
    session: Session,
    frame: u64,
    out: Vec<Observation>,
}

impl Driven {
    fn new() -> Self {
        Self {
            session: Session::inside(None),
            frame: 0,
            out: Vec::new(),
        }
    }

    fn feed(&mut self, from: Side, octets: &[u8]) -> Progress {
        self.frame += 1;
        let flow = flow();
        let frame = Some((0, self.frame));
        let mut emit = Emit::new(&flow, 0, self.frame, frame, &mut self.out);
        self.session.feed(from, octets, &mut emit)
    }

    fn told(&self) -> Vec<String> {
        let one = |seen: &Observation| {
            let text = match &seen.fact {
                Fact::Dtls(tls) => format!(
                    "client {} {} {}",
                    tls.version,
                    tls.server_name.as_deref().unwrap_or("-"),
                    tls.ja4.get(..4).unwrap_or_default()
                ),
                Fact::TlsServer(server) => {
                    let certificate = server.certificate.as_ref();
                    format!(
                        "server {} {}",
                        server.version,
                        certificate.map_or("-", |certificate| &certificate.subject)
                    )
                }
                other => format!("{other:?}"),
            };
            format!("{text} {:?}", seen.frames.numbers())
        };
        self.out.iter().map(one).collect()
    }
}

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

fn hello(cookie: &[u8], message: u16) -> Vec<u8> {
    let body = samples::client_hello("vpn.example", cookie);
    samples::datagram(HandshakeType::CLIENT_HELLO, &body, message)
}

fn flight() -> Vec<u8> {
    let chain = tls::certificate(&[tls::CERTIFICATE]);
    [
        samples::datagram(HandshakeType::SERVER_HELLO, &samples::server_hello(), 1),
        samples::datagram(HandshakeType::CERTIFICATE, &chain, 2),
        samples::datagram(HandshakeType::SERVER_HELLO_DONE, &[], 3),
    ]
    .concat()
}

const STUN: &[u8] = &[
    0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
];

#[test]
fn probe_takes_hellos_of_both_sides_and_nothing_else() {
    let probe = |octets: &[u8]| {
        let flow = flow();
        probe(&Opening {
            ports: flow.ports(),
            octets,
        })
    };
    assert_eq!(probe(&hello(&[], 0)), Probe::Yes);
    assert_eq!(probe(&flight()), Probe::Yes);
    for other in [
        STUN,
        &[0x80, 0x60, 1, 2],
        &[22, 3, 1, 0, 4, 1, 0, 0, 0],
        &[],
    ] {
        assert_eq!(probe(other), Probe::No);
    }
}

#[test]
fn tells_a_hello_once_that_comes_again_with_a_cookie() {
    let mut driven = Driven::new();
    let verify = samples::datagram(HandshakeType(3), &[0xfe, 0xff, 2, 8, 9], 0);
    for octets in [&hello(&[], 0), &hello(&[], 0)] {
        driven.feed(CLIENT, octets);
    }
    driven.feed(SERVER, &verify);
    driven.feed(CLIENT, STUN);
    driven.feed(CLIENT, &hello(&[8, 9], 1));
    assert_eq!(driven.feed(SERVER, &flight()), Progress::Finished);
    assert_eq!(
        driven.told(),
        [
            "client 1.2 vpn.example dd2d [1]",
            "server 1.2 CN=WIN-TEST,O=Example\\, Inc.,C=CH [3, 6]",
        ]
    );
}

#[test]
fn tells_who_is_client_whoever_opened_the_flow() {
    let mut driven = Driven::new();
    driven.feed(SERVER, &hello(&[], 0));
    let Fact::Dtls(fact) = &driven.out[0].fact else {
        panic!("no client");
    };
    assert_eq!(fact.client, SERVER);
    driven.feed(CLIENT, &flight());
    let Fact::TlsServer(fact) = &driven.out[1].fact else {
        panic!("no server");
    };
    assert_eq!(fact.client, SERVER);
}

#[test]
fn lets_a_bounded_number_of_other_datagrams_pass() {
    let mut driven = Driven::new();
    driven.feed(CLIENT, &hello(&[], 0));
    let mut passed = 1;
    while driven.feed(SERVER, STUN) == Progress::More(STUN.len()) {
        passed += 1;
        assert!(passed < 1000, "never finishes");
    }
    assert_eq!(passed, MAX_FOREIGN);
}

#[test]
fn counts_a_hello_that_is_not_readable() {
    let mut driven = Driven::new();
    driven.feed(
        SERVER,
        &[&flight()[..], &samples::record(20, 9, &[1])].concat(),
    );
    let broken = samples::datagram(HandshakeType::CLIENT_HELLO, &[0xfe; 40], 0);
    assert_eq!(
        driven.feed(CLIENT, &broken),
        Progress::Violated("ClientHello not readable")
    );
    assert!(driven.out[0].frames != Frames::default());
}
