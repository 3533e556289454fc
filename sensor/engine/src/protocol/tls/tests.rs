use terrier_wire::testing::in_pieces;
use terrier_wire::tls::samples::{self, flight, message, records};
use terrier_wire::tls::{ContentType, HandshakeType};

use super::super::Session as _;
use super::*;
use crate::observation::{Ech, Endpoint, Fact, FlowRef, Observation, Oriented, Resume, VlanTags};

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
        resp: endpoint(2, 443),
        transport: Transport::Tcp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Syn,
    }
}

/// A session with what it told; each call is one packet, numbered from 1.
struct Driven {
    session: Session,
    flow: FlowRef,
    frame: u64,
    out: Vec<Observation>,
}

impl Driven {
    fn new() -> Self {
        Self {
            session: Session::inside(None),
            flow: flow(),
            frame: 0,
            out: Vec::new(),
        }
    }

    fn packet(&mut self, act: impl FnOnce(&mut Session, &mut Emit<'_>) -> Progress) -> Progress {
        self.frame += 1;
        let frame = Some((0, self.frame));
        let mut emit = Emit::new(&self.flow, 0, self.frame, frame, &mut self.out);
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

    /// Each fact in a few words, with its frames.
    fn told(&self) -> Vec<String> {
        let one = |seen: &Observation| {
            let text = match &seen.fact {
                Fact::Tls(tls) => format!(
                    "client {} {}",
                    tls.version,
                    tls.server_name.as_deref().unwrap_or("-")
                ),
                Fact::TlsServer(server) => format!(
                    "server {} {} {}",
                    server.version,
                    server.cipher,
                    match &server.certificate {
                        Some(certificate) => &certificate.not_after,
                        None if server.resumed => "resumed",
                        None => "-",
                    }
                ),
                Fact::TlsClientCertificate(client) => {
                    format!("client shows {}", client.certificate.subject)
                }
                other => format!("{other:?}"),
            };
            format!("{text} {:?}", seen.frames.numbers())
        };
        self.out.iter().map(one).collect()
    }
}

fn client_hello() -> Vec<u8> {
    flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"))
}

/// What a server of TLS 1.2 sends, in one record: its hello, then messages of these types.
fn server_1_2(others: &[u8]) -> Vec<u8> {
    let body = samples::server_hello(0x0303, [7; 32], 0xc02f, None);
    let mut octets = message(HandshakeType::SERVER_HELLO, &body);
    for &kind in others {
        let body = match HandshakeType(kind) {
            HandshakeType::CERTIFICATE => samples::certificate(&[samples::CERTIFICATE]),
            _ => vec![3; 9],
        };
        octets.extend(message(HandshakeType(kind), &body));
    }
    records(ContentType::HANDSHAKE, &octets, 1 << 14)
}

fn server_1_3() -> Vec<u8> {
    flight(HandshakeType::SERVER_HELLO, &samples::server_hello_1_3())
}

const CHANGE_CIPHER_SPEC: &[u8] = &[20, 3, 3, 0, 1, 1];
const APPLICATION_DATA: &[u8] = &[23, 3, 3, 0, 4, 9, 9, 9, 9];
const CLIENT_TOLD: &str = "client 1.3 a.example";
const SUITE: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";

fn opening(octets: &[u8]) -> Probe {
    probe(&Opening {
        ports: flow().ports(),
        octets,
    })
}

#[test]
fn probe_takes_hellos_of_both_sides_and_nothing_else() {
    let sslv2 = [
        &[0x80, 0x1c, 1, 3, 1, 0, 3, 0, 0, 0, 16][..], // header
        &[0, 0, 0x2f],                                 // cipher
        &[4; 16],                                      // challenge
    ]
    .concat();
    for hello in [client_hello(), server_1_3(), server_1_2(&[]), sslv2] {
        assert_eq!(opening(&hello), Probe::Yes);
        for cut in 0..11 {
            assert_eq!(opening(&hello[..cut]), Probe::Maybe, "{cut}");
        }
    }
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"RFB 003.008\n",
        b"SSH-2.0-x\r\n",
        &[3, 0, 0, 19, 14, 0xe0],
        APPLICATION_DATA,
        &[0x16, 3, 1, 0, 4, 14, 0, 0, 0],
        &[0x80, 0x2e, 4, 0],
    ] {
        assert_eq!(opening(other), Probe::No, "{other:?}");
    }
}

#[test]
fn tells_client_and_server_of_tls_1_3_and_finishes() {
    let mut driven = Driven::new();
    let hello = client_hello();
    let (first, second) = hello.split_at(100);
    assert_eq!(driven.feed(CLIENT, first), Progress::More(100));
    assert_eq!(driven.feed(CLIENT, second), Progress::More(second.len()));
    assert_eq!(driven.feed(SERVER, &server_1_3()), Progress::Finished);
    assert_eq!(
        driven.told(),
        [
            format!("{CLIENT_TOLD} [1, 2]"),
            "server 1.3 TLS_AES_128_GCM_SHA256 - [3]".to_owned()
        ]
    );
}

#[test]
fn fills_the_record_of_the_client() {
    let mut driven = Driven::new();
    driven.session = Session::inside(Some(Carrier::Rdp));
    driven.feed(SERVER, &client_hello());
    let Fact::Tls(tls) = &driven.out[0].fact else {
        panic!("no client");
    };
    assert_eq!(tls.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert!(tls.alpn.iter().eq(["h2", "http/1.1"]));
    assert_eq!((tls.ech, tls.client), (Ech::None, SERVER));
    assert_eq!(tls.inside, Some(Carrier::Rdp));
}

#[test]
fn tells_the_same_however_the_octets_are_cut() {
    let client = client_hello();
    let server = server_1_2(&[11, 12, 14]);
    let rest = [CHANGE_CIPHER_SPEC, APPLICATION_DATA].concat();
    let conversation: [(Side, &[u8]); 4] = [
        (CLIENT, &client),
        (SERVER, &server),
        (CLIENT, &rest),
        (SERVER, &rest),
    ];
    let mut all = Vec::new();
    for size in [1, 2, 3, 7, 500, 1 << 16] {
        let mut driven = Driven::new();
        in_pieces(&conversation, size, |side, octets| {
            match driven.feed(side, octets) {
                Progress::More(used) => Some(used),
                _ => None,
            }
        });
        all.push(
            driven
                .out
                .into_iter()
                .map(|seen| seen.fact)
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(all[0].len(), 2);
    assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
    let Fact::TlsServer(server) = &all[0][1] else {
        panic!("no server");
    };
    let certificate = server.certificate.as_ref().unwrap();
    assert_eq!(certificate.subject, "CN=WIN-TEST,O=Example\\, Inc.,C=CH");
    assert_eq!(certificate.san.len(), 3);
    assert_eq!(certificate.not_after, "2036-11-21T04:02:04Z");
    assert_eq!(certificate.sha256.len(), 64);
}

#[test]
fn tells_a_server_without_certificate_at_what_follows_its_hello() {
    for (others, certificate) in [(&[4][..], "resumed"), (&[12], "-"), (&[14], "-")] {
        let mut driven = Driven::new();
        let octets = server_1_2(others);
        // The type of the next message is enough.
        driven.feed(SERVER, &octets[..octets.len() - 9]);
        let wanted = format!("server 1.2 {SUITE} {certificate} [1]");
        assert_eq!(driven.told(), [wanted], "{others:?}");
    }
    for following in [CHANGE_CIPHER_SPEC, APPLICATION_DATA] {
        let mut driven = Driven::new();
        driven.feed(SERVER, &[&server_1_2(&[]), following].concat());
        assert_eq!(driven.told(), [format!("server 1.2 {SUITE} resumed [1]")]);
    }
    let mut driven = Driven::new();
    driven.feed(SERVER, &server_1_2(&[]));
    assert_eq!(driven.told(), [""; 0]);
    driven.end();
    assert_eq!(driven.told(), [format!("server 1.2 {SUITE} - [1]")]);
}

#[test]
fn waits_for_the_certificate_behind_supplemental_data() {
    let mut driven = Driven::new();
    driven.feed(SERVER, &server_1_2(&[23, 11]));
    assert_eq!(
        driven.told(),
        [format!("server 1.2 {SUITE} 2036-11-21T04:02:04Z [1]")]
    );
}

#[test]
fn a_retry_gives_one_client_and_one_server() {
    let mut driven = Driven::new();
    // A HelloRetryRequest of draft 19, a message type of its own.
    let retry = flight(HandshakeType::HELLO_RETRY_REQUEST, &[0x7f, 0x13, 0, 0]);
    driven.feed(CLIENT, &client_hello());
    driven.feed(SERVER, &[&retry, CHANGE_CIPHER_SPEC].concat());
    driven.feed(CLIENT, &[CHANGE_CIPHER_SPEC, &client_hello()].concat());
    assert_eq!(driven.feed(SERVER, &server_1_3()), Progress::Finished);
    assert_eq!(
        driven.told(),
        [
            format!("{CLIENT_TOLD} [1]"),
            "server 1.3 TLS_AES_128_GCM_SHA256 - [2, 4]".to_owned()
        ]
    );
}

#[test]
fn a_gap_ends_the_part_of_its_side_only() {
    let mut driven = Driven::new();
    driven.feed(SERVER, &server_1_2(&[]));
    let gap = driven.packet(|session, emit| session.gap(SERVER, 100, emit));
    assert_eq!(gap, Progress::More(0));
    assert_eq!(driven.feed(CLIENT, &client_hello()), Progress::Finished);
    assert_eq!(
        driven.told(),
        [
            format!("server 1.2 {SUITE} - [1]"),
            format!("{CLIENT_TOLD} [3]")
        ]
    );
}

#[test]
fn finishes_when_the_server_speaks_something_else() {
    let mut driven = Driven::new();
    driven.feed(CLIENT, &client_hello());
    let answer = driven.feed(SERVER, b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(answer, Progress::Finished);
    assert_eq!(driven.told(), [format!("{CLIENT_TOLD} [1]")]);
}

#[test]
fn counts_a_violation_of_a_side_that_spoke_tls() {
    let mut driven = Driven::new();
    driven.feed(CLIENT, &client_hello());
    let broken = [&server_1_2(&[])[..], b"broken"].concat();
    let answer = driven.feed(SERVER, &broken);
    assert_eq!(answer, Progress::Violated("no TLS content type"));
    assert_eq!(driven.told().len(), 2);
}

#[test]
fn waits_for_the_other_side_no_longer_than_its_bound() {
    let mut driven = Driven::new();
    driven.feed(CLIENT, &[&client_hello(), CHANGE_CIPHER_SPEC].concat());
    let piece = [0; 1400];
    let mut packets = 0;
    while driven.feed(CLIENT, &piece) == Progress::More(1400) {
        packets += 1;
        assert!(packets < 100, "never finishes");
    }
    assert_eq!(packets, MAX_WAIT / 1400);
}

#[test]
fn tolerates_alerts_before_the_hellos() {
    let alert = [21, 3, 1, 0, 2, 1, 112];
    let mut driven = Driven::new();
    driven.feed(SERVER, &alert);
    driven.feed(CLIENT, &[&alert[..], &client_hello()].concat());
    driven.feed(SERVER, &[&alert[..], &server_1_3()].concat());
    assert_eq!(driven.told().len(), 2);
}

#[test]
fn a_side_that_sends_both_hellos_gives_the_first() {
    let mut driven = Driven::new();
    driven.feed(CLIENT, &[client_hello(), server_1_3()].concat());
    assert_eq!(driven.told(), [format!("{CLIENT_TOLD} [1]")]);
}

#[test]
fn tells_the_certificate_that_a_client_shows_when_it_is_asked() {
    let client = [
        message(
            HandshakeType::CERTIFICATE,
            &samples::certificate(&[samples::CERTIFICATE]),
        ),
        message(HandshakeType::CLIENT_KEY_EXCHANGE, &[7; 33]),
    ]
    .concat();
    let client = records(ContentType::HANDSHAKE, &client, 1 << 14);
    let mut driven = Driven::new();
    driven.feed(CLIENT, &client_hello());
    let server = driven.feed(SERVER, &server_1_2(&[11, 12, 13, 14]));
    assert!(matches!(server, Progress::More(_)));
    assert_eq!(driven.feed(CLIENT, &client), Progress::Finished);
    assert_eq!(
        driven.told(),
        [
            format!("{CLIENT_TOLD} [1]"),
            format!("server 1.2 {SUITE} 2036-11-21T04:02:04Z [2]"),
            "client shows CN=WIN-TEST,O=Example\\, Inc.,C=CH [1, 3]".to_owned(),
        ]
    );
    // A client that was not asked is not waited for.
    let mut driven = Driven::new();
    driven.feed(CLIENT, &client_hello());
    let server = driven.feed(SERVER, &server_1_2(&[11, 12, 14]));
    assert_eq!(server, Progress::Finished);
    // Of a capture of the client's side alone.
    let mut driven = Driven::new();
    driven.feed(CLIENT, &[client_hello(), client].concat());
    assert_eq!(driven.told().len(), 2);
}

#[test]
fn tells_a_second_hello_only_when_it_differs() {
    let other = samples::client_hello(0x0303, &[0x1301], Some(&[samples::sni("a.example")]));
    let other = flight(HandshakeType::CLIENT_HELLO, &other);
    let mut driven = Driven::new();
    for hello in [&client_hello(), &client_hello(), &other, &other] {
        driven.feed(CLIENT, hello);
    }
    driven.feed(SERVER, &server_1_3());
    assert_eq!(
        driven.told(),
        [
            format!("{CLIENT_TOLD} [1]"),
            "client 1.2 a.example [1, 2, 3]".to_owned(),
            "server 1.3 TLS_AES_128_GCM_SHA256 - [5]".to_owned(),
        ]
    );
}

#[test]
fn tells_how_a_session_is_resumed() {
    let offers = |extensions: &[samples::SampleExtension]| {
        let body = samples::client_hello(0x0303, &[47], Some(extensions));
        let mut driven = Driven::new();
        driven.feed(CLIENT, &flight(HandshakeType::CLIENT_HELLO, &body));
        match &driven.out[0].fact {
            Fact::Tls(tls) => tls.resume,
            _ => panic!("no client"),
        }
    };
    assert_eq!(offers(&[(35, vec![])]), None);
    assert_eq!(offers(&[(35, vec![1])]), Some(Resume::Ticket));
    assert_eq!(offers(&[(35, vec![1]), (41, vec![0])]), Some(Resume::Psk));
    // TLS 1.3 takes a key of the client.
    let psk = [(43, vec![3, 4]), (41, vec![0, 0])];
    let hello = samples::server_hello(0x0303, [7; 32], 0x1301, Some(&psk));
    let mut driven = Driven::new();
    driven.feed(SERVER, &flight(HandshakeType::SERVER_HELLO, &hello));
    assert_eq!(
        driven.told(),
        ["server 1.3 TLS_AES_128_GCM_SHA256 resumed [1]"]
    );
}
