//! TLS: the client's hello at once, the server's with its certificate.
//!
//! One `tls` and one `tls_server` a flow. Roles are taken from who sends which hello, never from who opened the flow, and
//! each side is followed for itself: a capture of one direction gives what that direction holds. The session ends as
//! soon as both hellos are known, and waits for a missing one no longer than [`MAX_WAIT`] octets of the other side.

use terrier_wire::tls::{
    self, EncryptedHello, HandshakeType, Ja4Transport, MAX_PROTOCOLS, MAX_SERVER_NAME, Message,
    Sslv2ClientHello, Version,
};
use terrier_wire::{Step, Violation};

use super::{Emit, Opening, Probe, Progress, Protocol};
use crate::observation::{
    Carrier, Certificate, Ech, Fact, Frames, Side, TlsClient, TlsServer, Transport,
};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "tls",
    transport: Transport::Tcp,
    probe,
    start: || Box::<Session>::default(),
};

fn probe(opening: &Opening<'_>) -> Probe {
    match tls::opening(opening.octets) {
        Step::Done(..) => return Probe::Yes,
        Step::NeedMore(_) => return Probe::Maybe,
        Step::NotThisProtocol(_) => {}
    }
    match tls::sslv2_client_hello(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

/// The session of one TLS connection, on its own or inside another protocol.
///
/// An outer session feeds it both sides from the first octet of TLS on. It takes all octets; once it answers anything but
/// [`Progress::More`] it has said all it will say, and the outer session goes on alone. Where it wants to count encrypted
/// records from then on, it walks the same octets with [`tls::Records`] from the start.
#[derive(Default)]
pub(crate) struct Session {
    wire: tls::Session,
    found: Found,
}

/// What was found, apart from the decoder that finds it.
#[derive(Default)]
struct Found {
    carrier: Option<Carrier>,
    sides: [Half; 2],
    client: Option<Side>,
    server: Server,
}

/// One side of the flow.
#[derive(Default)]
struct Half {
    /// Nothing more is wanted of it.
    over: bool,
    /// Whether it said anything in TLS.
    spoke: bool,
    /// The packets that carried its part.
    frames: Frames,
    /// Octets it sent: until it was over, then since.
    octets: usize,
}

#[derive(Default)]
enum Server {
    #[default]
    Unseen,
    /// Its hello was seen, its certificate is still to come.
    Pending {
        side: Side,
        version: Version,
        cipher: String,
    },
    Emitted,
}

impl Session {
    /// TLS that another protocol carries; `None` is TLS on its own.
    #[allow(dead_code, reason = "for the sessions that carry TLS")]
    pub(crate) fn inside(carrier: Option<Carrier>) -> Self {
        Self {
            wire: tls::Session::default(),
            found: Found {
                carrier,
                ..Found::default()
            },
        }
    }

    /// Whether a complete ClientHello was seen.
    #[allow(dead_code, reason = "for the sessions that carry TLS")]
    pub(crate) fn client_hello_seen(&self) -> bool {
        self.found.client.is_some()
    }

    /// Whether a complete ServerHello was seen; a HelloRetryRequest is none.
    #[allow(dead_code, reason = "for the sessions that carry TLS")]
    pub(crate) fn server_hello_seen(&self) -> bool {
        !matches!(self.found.server, Server::Unseen)
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if octets.is_empty() {
            return Progress::More(0);
        }
        let half = self.found.half(from);
        half.octets = half.octets.saturating_add(octets.len());
        if half.over {
            // The other side's part is missing: it may be lost, or lie in another capture.
            if half.octets > MAX_WAIT {
                self.found.resolve(None, emit);
                return Progress::Finished;
            }
            return Progress::More(octets.len());
        }
        emit.note(&mut half.frames);
        let result = self.wire.feed(from, octets, |message| {
            self.found.take(from, message, emit);
        });
        let mut fault = None;
        if let Err(Violation(why)) = result {
            // A side that never spoke TLS while the other one did, such as a web server's error page for a hello on its
            // clear port, breaks no rule of TLS.
            let other = self.found.half(from.other()).spoke;
            fault = (self.found.half(from).spoke || !other).then_some(why);
            self.found.part_over(from, emit);
        }
        if self.found.half(from).octets > MAX_PART {
            self.found.part_over(from, emit);
        }
        match fault {
            _ if !self.found.all_over() => Progress::More(octets.len()),
            Some(why) => Progress::Violated(why),
            None => Progress::Finished,
        }
    }

    fn gap(&mut self, from: Side, _length: u64, emit: &mut Emit<'_>) -> Progress {
        self.wire.gap(from);
        self.found.part_over(from, emit);
        if self.found.all_over() {
            Progress::Finished
        } else {
            Progress::More(0)
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        self.found.resolve(None, emit);
    }
}

impl Found {
    fn half(&mut self, side: Side) -> &mut Half {
        let [originator, responder] = &mut self.sides;
        match side {
            Side::Originator => originator,
            Side::Responder => responder,
        }
    }

    fn all_over(&self) -> bool {
        self.sides.iter().all(|half| half.over)
    }

    /// Nothing more is wanted of a side, or can be had.
    fn part_over(&mut self, side: Side, emit: &mut Emit<'_>) {
        if self.is_pending(side) {
            self.resolve(None, emit);
        }
        self.close(side);
    }

    fn close(&mut self, side: Side) {
        let half = self.half(side);
        if !half.over {
            half.over = true;
            half.octets = 0;
        }
    }

    fn is_pending(&self, from: Side) -> bool {
        matches!(self.server, Server::Pending { side, .. } if side == from)
    }

    fn take(&mut self, from: Side, message: Message<'_>, emit: &mut Emit<'_>) {
        let half = self.half(from);
        half.spoke = true;
        if half.over {
            return;
        }
        match message {
            Message::ClientHello(hello) => self.client(from, emit, || client_fact(&hello)),
            Message::Sslv2ClientHello(hello) => self.client(from, emit, || sslv2_fact(&hello)),
            Message::ServerHello(hello) => {
                if !matches!(self.server, Server::Unseen) {
                    return;
                }
                self.server = Server::Pending {
                    side: from,
                    version: hello.version,
                    cipher: hello.cipher.to_string(),
                };
                if !hello.version.shows_certificate() {
                    self.part_over(from, emit);
                }
            }
            // Another ClientHello follows, which tells nothing new.
            Message::HelloRetryRequest(_) => {}
            Message::Certificate(certificate) => {
                if self.is_pending(from) {
                    self.resolve(certificate.map(certificate_of), emit);
                    self.close(from);
                }
            }
            Message::Other(HandshakeType::HELLO_REQUEST | HandshakeType::SUPPLEMENTAL_DATA) => {}
            // Whatever else follows a ServerHello says that there is no certificate: a resumed session, or an anonymous
            // key exchange.
            Message::Other(_) => {
                if self.is_pending(from) {
                    self.part_over(from, emit);
                }
            }
            Message::Encrypted => self.part_over(from, emit),
        }
    }

    fn client(&mut self, from: Side, emit: &mut Emit<'_>, fact: impl FnOnce() -> TlsClient) {
        if self.client.is_none() {
            self.client = Some(from);
            let fact = TlsClient {
                client: from,
                inside: self.carrier,
                ..fact()
            };
            emit.fact(&self.half(from).frames, Fact::Tls(fact));
        }
        self.close(from);
    }

    /// Emits the server's part, if its hello was seen.
    fn resolve(&mut self, certificate: Option<Certificate>, emit: &mut Emit<'_>) {
        match std::mem::replace(&mut self.server, Server::Emitted) {
            Server::Pending {
                side,
                version,
                cipher,
            } => {
                let fact = TlsServer {
                    version: version.to_string(),
                    cipher,
                    certificate,
                };
                emit.fact(&self.half(side).frames, Fact::TlsServer(fact));
            }
            before => self.server = before,
        }
    }
}

fn client_fact(hello: &tls::ClientHello<'_>) -> TlsClient {
    TlsClient {
        server_name: hello
            .server_name()
            .map(|name| tls::escaped(name, MAX_SERVER_NAME)),
        alpn: hello
            .alpn()
            .take(MAX_PROTOCOLS)
            .map(|protocol| tls::escaped(protocol, protocol.len()))
            .collect(),
        version: hello.highest_version().to_string(),
        ja3: hello.ja3(),
        ja4: hello.ja4(Ja4Transport::Tcp),
        ech: match hello.encrypted_hello() {
            EncryptedHello::None => Ech::None,
            EncryptedHello::Grease => Ech::Grease,
            EncryptedHello::Offered => Ech::Offered,
        },
        client: Side::Originator,
        inside: None,
    }
}

/// JA3 and JA4 are not defined for this form, and stay empty.
fn sslv2_fact(hello: &Sslv2ClientHello) -> TlsClient {
    TlsClient {
        server_name: None,
        alpn: Vec::new(),
        version: hello.version.to_string(),
        ja3: String::new(),
        ja4: String::new(),
        ech: Ech::None,
        client: Side::Originator,
        inside: None,
    }
}

fn certificate_of(certificate: tls::Certificate) -> Certificate {
    Certificate {
        not_after: certificate.not_after_text(),
        sha256: certificate.fingerprint(),
        subject: certificate.subject,
        issuer: certificate.issuer,
        san: certificate.names,
    }
}

/// How many octets of a side whose part is known are let pass while the other side's is missing. In a capture of both
/// sides the server answers before the client has sent more than early data, which servers bound to 16 KiB.
const MAX_WAIT: usize = 64 << 10;

/// How many octets a side may need for its part: alerts, a retry, a hello and a chain of 64 KiB fit many times.
const MAX_PART: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use terrier_wire::testing::in_pieces;
    use terrier_wire::tls::ContentType;
    use terrier_wire::tls::samples::{self, flight, message, records};

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
            resp: endpoint(2, 443),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
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
                session: Session::default(),
                flow: flow(),
                frame: 0,
                out: Vec::new(),
            }
        }

        fn packet(
            &mut self,
            act: impl FnOnce(&mut Session, &mut Emit<'_>) -> Progress,
        ) -> Progress {
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
                        server.certificate.as_ref().map_or("-", |c| &c.not_after)
                    ),
                    other => format!("{other:?}"),
                };
                format!("{text} {:?}", seen.frames.numbers)
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
            flow: &flow(),
            from: CLIENT,
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
        assert!(driven.session.client_hello_seen() && !driven.session.server_hello_seen());
        assert_eq!(driven.feed(SERVER, &server_1_3()), Progress::Finished);
        assert!(driven.session.server_hello_seen());
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
        assert_eq!(tls.alpn, ["h2", "http/1.1"]);
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
        let wanted = format!("server 1.2 {SUITE} - [1]");
        for (others, cut) in [(&[4][..], 9), (&[12], 9), (&[14], 9)] {
            let mut driven = Driven::new();
            let octets = server_1_2(others);
            // The type of the next message is enough.
            driven.feed(SERVER, &octets[..octets.len() - cut]);
            assert_eq!(driven.told(), [wanted.as_str()], "{others:?}");
        }
        for following in [CHANGE_CIPHER_SPEC, APPLICATION_DATA] {
            let mut driven = Driven::new();
            driven.feed(SERVER, &[&server_1_2(&[]), following].concat());
            assert_eq!(driven.told(), [wanted.as_str()]);
        }
        let mut driven = Driven::new();
        driven.feed(SERVER, &server_1_2(&[]));
        assert_eq!(driven.told(), [""; 0]);
        driven.end();
        assert_eq!(driven.told(), [wanted.as_str()]);
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
        driven.feed(CLIENT, &client_hello());
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
}
