use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};

const CLIENT: Side = Side::Originator;
const SERVER: Side = Side::Responder;

fn flow(port: u16) -> FlowRef {
    let endpoint = |last, port| Endpoint {
        ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(1, 50_000),
        resp: endpoint(2, port),
        transport: Transport::Tcp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Syn,
    }
}

/// A flow whose packets are fed as the worker does: unread octets are kept and offered again.
struct Driver {
    flow: FlowRef,
    session: Box<dyn super::super::Session>,
    kept: [Vec<u8>; 2],
    frame: u64,
    facts: Vec<Observation>,
    over: Option<Progress>,
}

impl Driver {
    fn new() -> Self {
        Self {
            flow: flow(3389),
            session: (PROTOCOL.start)(),
            kept: [Vec::new(), Vec::new()],
            frame: 0,
            facts: Vec::new(),
            over: None,
        }
    }

    fn packet(&mut self, from: Side, octets: &[u8]) {
        self.frame += 1;
        self.kept[from.index()].extend_from_slice(octets);
        for side in [from, from.other(), from] {
            if self.over.is_some() {
                return;
            }
            let frame = Some((0, self.frame));
            let mut emit = Emit::new(&self.flow, 0, self.frame, frame, &mut self.facts);
            let buffer = &mut self.kept[side.index()];
            match self.session.feed(side, buffer, &mut emit) {
                Progress::More(used) => drop(buffer.drain(..used)),
                over => self.over = Some(over),
            }
        }
    }

    fn gap(&mut self, from: Side, length: u64) {
        let mut emit = Emit::new(&self.flow, 0, self.frame, None, &mut self.facts);
        self.kept[from.index()].clear();
        let progress = self.session.gap(from, length, &mut emit);
        assert_eq!(progress, Progress::More(0));
    }

    fn end(&mut self) {
        if self.over.is_none() {
            let mut emit = Emit::new(&self.flow, 0, self.frame, None, &mut self.facts);
            self.session.end(&mut emit);
        }
    }

    /// The facts of this session, not those of the TLS inside.
    fn own(&self) -> Vec<&Fact> {
        let facts = self.facts.iter().map(|o| &o.fact);
        facts
            .filter(|f| !matches!(f, Fact::Tls(_) | Fact::TlsServer(_)))
            .collect()
    }

    fn negotiation(&self) -> &Rdp {
        let mut found = self.facts.iter().filter_map(|o| match &o.fact {
            Fact::Rdp(rdp) => Some(rdp),
            _ => None,
        });
        let rdp = found.next().expect("no negotiation");
        assert_eq!(found.next(), None, "told twice");
        rdp
    }

    fn went_on(&self) -> usize {
        let facts = self.own();
        facts.iter().filter(|f| ***f == Fact::RdpWentOn).count()
    }
}

const COOKIE_AND_CREDSSP: &[u8] = &[
    0x03, 0x00, 0x00, 0x2f, // TPKT: length 47
    0x2a, 0xe0, 0x00, 0x00, 0x00, 0x00, 0x00, // Connection Request
    b'C', b'o', b'o', b'k', b'i', b'e', b':', b' ', b'm', b's', b't', b's', b'h', b'a', b's', b'h',
    b'=', b'J', b'O', b'H', b'N', b'-', b'P', b'C', b' ', b' ', b'\r', b'\n', 0x01, 0x00, 0x08,
    0x00, 0x03, 0x00, 0x00, 0x00, // RDP_NEG_REQ: TLS, CredSSP
];
const BARE_REQUEST: &[u8] = &[
    0x03, 0x00, 0x00, 0x0b, // TPKT: length 11
    0x06, 0xe0, 0x00, 0x00, 0x00, 0x00, 0x00, // Connection Request
];
const BARE_CONFIRM: &[u8] = &[
    0x03, 0x00, 0x00, 0x0b, // TPKT: length 11
    0x06, 0xd0, 0x00, 0x00, 0x12, 0x34, 0x00, // Connection Confirm
];
const FAILURE: &[u8] = &[
    0x03, 0x00, 0x00, 0x13, // TPKT: length 19
    0x0e, 0xd0, 0x00, 0x00, 0x12, 0x34, 0x00, // Connection Confirm
    0x03, 0x00, 0x08, 0x00, 0x05, 0x00, 0x00, 0x00, // RDP_NEG_FAILURE: CredSSP required
];
const SERVER_HELLO: &[u8] = &[
    0x16, 0x03, 0x03, 0x00, 0x2a, // TLS handshake record
    0x02, 0x00, 0x00, 0x26, 0x03, 0x03, // ServerHello, TLS 1.2
];
const CLIENT_HELLO: &[u8] = &[
    0x16, 0x03, 0x01, 0x00, 0x2a, // TLS handshake record
    0x01, 0x00, 0x00, 0x26, 0x03, 0x03, // ClientHello, TLS 1.2
];

fn selected(protocol: u8) -> Vec<u8> {
    let mut confirm = FAILURE.to_vec();
    // RDP_NEG_RSP and its choice.
    confirm[11] = 0x02;
    confirm[15] = protocol;
    confirm
}

/// An MCS Connect Initial with CS_CORE alone.
fn connect_initial(name: &str, build: u32, keyboard: u32) -> Vec<u8> {
    let mut core = vec![0x01, 0xc0, 0xd8, 0x00, 0x04, 0x00, 0x08, 0x00];
    core.extend([0x00, 0x05, 0x00, 0x04, 0x01, 0xca, 0x03, 0xaa]);
    core.extend(keyboard.to_le_bytes());
    core.extend(build.to_le_bytes());
    let mut units: Vec<u16> = name.encode_utf16().collect();
    units.resize(16, 0);
    core.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    core.resize(0xd8, 0);
    let mut conference = vec![0x00, 0x05, 0x00, 0x14, 0x7c, 0x00, 0x01, 0x80, 0xe6];
    conference.extend([0x00, 0x08, 0x00, 0x10, 0x00, 0x01, 0xc0, 0x00]);
    conference.extend(b"Duca\x80\xd8");
    conference.extend(core);
    let mut body = b"\x04\x01\x01\x04\x01\x01\x01\x01\xff\x30\x00\x30\x00\x30\x00\x04\x82".to_vec();
    body.extend(u16::try_from(conference.len()).unwrap().to_be_bytes());
    body.extend(conference);
    let mut message = vec![0x03, 0x00];
    message.extend(u16::try_from(body.len() + 12).unwrap().to_be_bytes());
    message.extend([0x02, 0xf0, 0x80, 0x7f, 0x65, 0x82]);
    message.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    message.extend(body);
    message
}

/// The start of a Connect Response: the session needs no more of it.
const CONNECT_RESPONSE: &[u8] = &[0x03, 0x00, 0x01, 0x51, 0x02, 0xf0, 0x80, 0x7f, 0x66];

#[test]
fn tells_the_negotiation_at_the_confirm() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, COOKIE_AND_CREDSSP);
    assert_eq!(driver.facts.len(), 0);
    driver.packet(SERVER, &selected(2));
    let expected = Rdp {
        cookie: Some("JOHN-PC  ".to_owned()),
        routing_token: None,
        requested: vec!["TLS", "CredSSP"],
        selected: Some("CredSSP".to_owned()),
        failure: None,
        client: CLIENT,
        confirmed: true,
    };
    assert_eq!(driver.own(), [&Fact::Rdp(Box::new(expected))]);
    assert_eq!(driver.facts[0].frames.numbers(), [1, 2]);
    driver.packet(CLIENT, CLIENT_HELLO);
    assert_eq!(driver.went_on(), 0);
    driver.packet(SERVER, SERVER_HELLO);
    driver.packet(CLIENT, b"more");
    driver.end();
    assert_eq!(driver.went_on(), 1);
    assert_eq!(driver.own().len(), 2);
}

#[test]
fn ends_at_a_failure() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, BARE_REQUEST);
    driver.packet(SERVER, FAILURE);
    assert_eq!(driver.over, Some(Progress::Finished));
    let rdp = driver.negotiation();
    assert_eq!(rdp.requested, ["RDP"]);
    assert_eq!(rdp.selected, None);
    let failure = RdpFailure {
        code: 5,
        name: "HYBRID_REQUIRED_BY_SERVER",
    };
    assert_eq!(rdp.failure, Some(failure));
    assert!(rdp.confirmed);
}

#[test]
fn tells_what_a_client_says_in_clear() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, BARE_REQUEST);
    driver.packet(SERVER, BARE_CONFIRM);
    assert_eq!(driver.negotiation().selected.as_deref(), Some("RDP"));
    let initial = connect_initial("FRONT-DESK", 2600, 0x409);
    driver.packet(CLIENT, &initial[..100]);
    driver.packet(CLIENT, &initial[100..]);
    driver.packet(SERVER, CONNECT_RESPONSE);
    assert_eq!(driver.over, Some(Progress::Finished));
    let client = RdpClient {
        client: CLIENT,
        client_name: Some("FRONT-DESK".to_owned()),
        client_build: Some("2600 (Windows XP)".to_owned()),
        keyboard: Some("0x00000409 (en-US)".to_owned()),
    };
    assert_eq!(
        driver.own()[1..],
        [&Fact::RdpClient(Box::new(client)), &Fact::RdpWentOn]
    );
    assert_eq!(driver.facts[1].frames.numbers(), [1, 2, 3, 4]);
}

#[test]
fn tells_at_the_end_what_was_never_confirmed() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, COOKIE_AND_CREDSSP);
    driver.end();
    let rdp = driver.negotiation();
    assert_eq!(rdp.cookie.as_deref(), Some("JOHN-PC  "));
    assert_eq!((&rdp.selected, rdp.confirmed), (&None, false));
}

#[test]
fn tells_at_the_gap_that_swallowed_the_confirm_and_goes_on() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, COOKIE_AND_CREDSSP);
    driver.gap(SERVER, 19);
    assert!(!driver.negotiation().confirmed);
    driver.packet(CLIENT, CLIENT_HELLO);
    driver.packet(SERVER, SERVER_HELLO);
    assert_eq!(driver.went_on(), 1);
    driver.end();
    driver.negotiation();
}

#[test]
fn waits_for_a_request_that_comes_after_its_confirm() {
    let mut driver = Driver::new();
    driver.packet(SERVER, &selected(1));
    assert_eq!(driver.facts.len(), 0);
    driver.packet(CLIENT, COOKIE_AND_CREDSSP);
    assert_eq!(driver.negotiation().cookie.as_deref(), Some("JOHN-PC  "));
}

#[test]
fn tells_a_confirm_seen_alone() {
    let mut driver = Driver::new();
    driver.packet(SERVER, &selected(0x80));
    driver.packet(SERVER, SERVER_HELLO);
    let rdp = driver.negotiation();
    assert_eq!(rdp.requested.len(), 0);
    assert_eq!(rdp.selected.as_deref(), Some("128"));
    assert_eq!((rdp.client, rdp.confirmed), (CLIENT, true));

    let mut failed = Driver::new();
    failed.packet(SERVER, FAILURE);
    failed.end();
    assert_eq!(failed.negotiation().failure.as_ref().unwrap().code, 5);
}

#[test]
fn takes_the_client_from_the_request_not_from_the_flow() {
    let mut driver = Driver::new();
    driver.packet(SERVER, COOKIE_AND_CREDSSP);
    driver.packet(CLIENT, &selected(2));
    assert_eq!(driver.negotiation().client, SERVER);
}

#[test]
fn takes_up_a_session_in_mid_flow() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, &connect_initial("FRONT-DESK", 9600, 0x419));
    driver.packet(SERVER, CONNECT_RESPONSE);
    assert_eq!(driver.own().len(), 2);
    assert_eq!(driver.went_on(), 1);
    assert_eq!(driver.over, Some(Progress::Finished));
}

#[test]
fn keeps_what_was_understood_before_a_violation() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, COOKIE_AND_CREDSSP);
    driver.packet(SERVER, b"SSH-2.0-OpenSSH_9.2p1\r\n");
    assert!(matches!(driver.over, Some(Progress::Violated(_))));
    assert!(!driver.negotiation().confirmed);
}

#[test]
fn leaves_a_capture_of_one_side_after_a_while() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, BARE_REQUEST);
    driver.packet(CLIENT, &connect_initial("FRONT-DESK", 2600, 0x409));
    for _ in 0..100 {
        driver.packet(CLIENT, &[0x5a; 1400]);
    }
    assert_eq!(driver.over, Some(Progress::Finished));
    assert!(!driver.negotiation().confirmed);
    assert_eq!(driver.went_on(), 0);
}

/// A TLS record of this content type with a payload of this length.
fn record(content: u8, length: u16) -> Vec<u8> {
    let mut record = vec![content, 0x03, 0x03];
    record.extend(length.to_be_bytes());
    record.resize(5 + usize::from(length), 0x5a);
    record
}

/// The results of log-ins by CredSSP after this Confirm, when the server answers so.
fn logins(protocol: u8, answer: &[u8]) -> Vec<AuthResult> {
    let mut driver = Driver::new();
    driver.packet(CLIENT, COOKIE_AND_CREDSSP);
    driver.packet(SERVER, &selected(protocol));
    let hello = |start: &[u8]| [start, &[0x5a; 36]].concat();
    driver.packet(CLIENT, &hello(CLIENT_HELLO));
    driver.packet(SERVER, &hello(SERVER_HELLO));
    driver.packet(CLIENT, &record(0x17, 110));
    driver.packet(SERVER, &record(0x17, 224));
    driver.packet(CLIENT, &record(0x17, 484));
    driver.packet(SERVER, answer);
    driver.packet(CLIENT, &record(0x17, 131));
    driver.end();
    assert_eq!(driver.went_on(), 1);
    let results = driver.own().into_iter().filter_map(|fact| match fact {
        Fact::RdpLogin(result) => Some(*result),
        _ => None,
    });
    results.collect()
}

#[test]
fn tells_how_a_log_in_by_credssp_ended() {
    assert_eq!(logins(2, &record(0x17, 112)), [AuthResult::Accepted]);
    assert_eq!(logins(8, &record(0x17, 19)), [AuthResult::Refused]);
    assert_eq!(logins(2, &record(0x15, 26)), [AuthResult::Refused]);
    // The same sizes without CredSSP mean nothing.
    assert_eq!(logins(1, &record(0x17, 112)), []);
}

#[test]
fn does_not_take_an_mcs_disconnect_for_a_session() {
    let mut driver = Driver::new();
    driver.packet(CLIENT, BARE_REQUEST);
    driver.packet(SERVER, BARE_CONFIRM);
    driver.packet(CLIENT, &connect_initial("pc21", 18363, 0x409));
    let disconnect = [0x03, 0x00, 0x00, 0x09, 0x02, 0xf0, 0x80, 0x21, 0x80];
    driver.packet(SERVER, &disconnect);
    driver.end();
    assert_eq!(driver.went_on(), 0);
    assert_eq!(driver.own().len(), 2);
}

#[test]
fn probes_by_octets_and_lets_the_port_decide_between_two_readings() {
    let probed = |port, octets| {
        let flow = flow(port);
        probe(&Opening {
            ports: flow.ports(),
            octets,
        })
    };
    assert_eq!(probed(443, COOKIE_AND_CREDSSP), Probe::Yes);
    assert_eq!(probed(443, &COOKIE_AND_CREDSSP[..40]), Probe::Maybe);
    assert_eq!(probed(3389, BARE_REQUEST), Probe::Yes);
    assert_eq!(probed(102, BARE_REQUEST), Probe::No);
    assert_eq!(probed(3389, b"GET / HTTP/1.1"), Probe::No);
}

#[test]
fn gives_the_same_facts_however_the_octets_are_cut() {
    let initial = connect_initial("FRONT-DESK", 2600, 0x409);
    let facts = |size: usize| {
        let mut driver = Driver::new();
        for (from, octets) in [
            (CLIENT, COOKIE_AND_CREDSSP),
            (SERVER, BARE_CONFIRM),
            (CLIENT, &initial),
            (SERVER, CONNECT_RESPONSE),
        ] {
            for piece in octets.chunks(size) {
                driver.packet(from, piece);
            }
        }
        driver.end();
        driver.facts.into_iter().map(|o| o.fact).collect::<Vec<_>>()
    };
    for size in [1, 2, 3, 7, 50] {
        assert_eq!(facts(size), facts(10_000), "in pieces of {size}");
    }
}

proptest::proptest! {
    /// The driver would panic if a session took more than it was given.
    #[test]
    fn survives_any_octets_after_a_real_start(
        lost: bool,
        packets in proptest::collection::vec(
            (proptest::prelude::any::<bool>(), proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)),
            0..20,
        ),
    ) {
        let mut driver = Driver::new();
        driver.packet(CLIENT, COOKIE_AND_CREDSSP);
        if lost {
            driver.gap(SERVER, 0);
        } else {
            driver.packet(SERVER, &selected(2));
            driver.packet(CLIENT, CLIENT_HELLO);
        }
        for (from_server, octets) in &packets {
            driver.packet(if *from_server { SERVER } else { CLIENT }, octets);
        }
        driver.end();
        driver.negotiation();
    }
}
