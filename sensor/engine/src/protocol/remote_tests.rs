//! What the sessions of remote control and of reverse tunnels make of real openings, however cut, on any port.

use terrier_wire::Side;

use super::{ALL, Emit, Opening, Outcome, Probe, Progress, Talk};
use crate::observation::{Endpoint, Fact, FlowRef, Observation, Oriented, Transport, VlanTags};
use Side::{Originator as O, Responder as R};

fn flow(transport: Transport) -> FlowRef {
    let endpoint = |last, port| Endpoint {
        ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, last)),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: endpoint(1, 40000),
        resp: endpoint(2, 9999),
        transport,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Syn,
    }
}

/// Protocol, client and details of each fact that a session has made.
fn told(out: &[Observation]) -> Vec<String> {
    let told = out.iter().map(|observation| match &observation.fact {
        Fact::Marks(marks) => {
            let details = marks.details.iter().map(|(k, v)| format!(" {k}={v}"));
            let client = if marks.client == O { "orig" } else { "resp" };
            format!("{} {client}{}", marks.protocol, details.collect::<String>())
        }
        Fact::Tls(tls) => format!("tls {:?}", tls.server_name),
        Fact::Unknown(_) => "unknown".to_owned(),
        other => panic!("{other:?}"),
    });
    told.collect()
}

/// The same in pieces of every size.
fn over_tcp(conversation: &[(Side, &[u8])], expected: &[&str]) {
    for size in [1, 2, 5, 13, 1000] {
        let (flow, mut out, mut talk) = (flow(Transport::Tcp), Vec::new(), Talk::new());
        let mut emit = Emit::new(&flow, 0, 1, Some((0, 1)), &mut out);
        let mut pieces = conversation
            .iter()
            .flat_map(|(side, octets)| octets.chunks(size).map(move |piece| (*side, piece)));
        let wanted =
            pieces.all(|(side, piece)| talk.octets(side, piece, &mut emit) == Outcome::Wanted);
        if wanted {
            talk.end(&mut emit);
        }
        assert_eq!(told(&out), expected, "pieces of {size}");
    }
}

fn over_udp(datagrams: &[(Side, &[u8])], expected: &[&str]) {
    let flow = flow(Transport::Udp);
    let known = ALL.iter().find(|protocol| {
        let octets = datagrams[0].1;
        let opening = Opening {
            ports: flow.ports(),
            octets,
        };
        protocol.transport == Transport::Udp && (protocol.probe)(&opening) == Probe::Yes
    });
    let Some(protocol) = known else {
        assert!(expected.is_empty(), "no protocol");
        return;
    };
    let (mut out, mut session) = (Vec::new(), (protocol.start)());
    let mut emit = Emit::new(&flow, 0, 1, Some((0, 1)), &mut out);
    let mut pieces = datagrams.iter();
    if pieces
        .all(|(side, octets)| matches!(session.feed(*side, octets, &mut emit), Progress::More(_)))
    {
        session.end(&mut emit);
    }
    assert_eq!(told(&out), expected);
}

/// A ClientHello without extensions.
pub(super) fn client_hello() -> Vec<u8> {
    let mut octets = vec![0x16, 3, 1, 0, 45]; // record
    octets.extend([1, 0, 0, 41, 3, 3]); // ClientHello, version
    octets.extend([7; 32]); // random
    octets.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]); // session, suites, compression
    octets
}

#[test]
fn teamviewer_by_either_form_of_frame() {
    let mut open = b"\x17\x24\x0a\x20\x00".to_vec();
    open.resize(37, 0);
    over_tcp(&[(O, &open), (R, &open)], &["teamviewer orig frames=1724"]);
    let mut second = b"\x11\x30\x36\x00\x04\0\0\0\x01\0\0\0\0\0\0\0\x1b\0\0\0\x18\0\0\0".to_vec();
    second.extend([1, 2, 3, 4]);
    over_tcp(&[(R, &second)], &["teamviewer orig frames=1130"]);
}

#[test]
fn teamviewer_over_udp_takes_several_datagrams() {
    let mut datagram = vec![0; 11];
    datagram.extend(b"\x17\x24\x2b\x02\x00\x01\x02");
    let one = (O, datagram.as_slice());
    let other = (R, &b"something else"[..]);
    over_udp(&[one, other], &[]);
    over_udp(&[one, other, one], &["teamviewer orig"]);
}

#[test]
fn rustdesk_by_its_registration() {
    let register = b"\x32\x0d\x0a\x09123456789\x10\x2a";
    let told = "rustdesk orig message=register_peer id=123456789";
    over_udp(&[(O, register)], &[told]);
    over_tcp(&[(O, &[&b"\x3c"[..], register].concat())], &[told]);
    let mut key = vec![0x91, 0x01]; // length: 100
    key.extend([0xca, 0x01, 0x61, 0x0a, 0x5f]); // key_exchange, key
    key.extend([0x77; 95]);
    over_tcp(&[(R, &key)], &["rustdesk orig message=key_exchange"]);
}

#[test]
fn radmin_by_both_greetings() {
    let hello = b"\x01\0\0\0\x01\0\0\0\x08\x08";
    over_tcp(&[(O, hello)], &["radmin orig message=hello"]);
    let mut welcome = b"\x01\0\0\0\x25\0\0\x02\x12\x08\x02\0\0\x0a".to_vec();
    welcome.resize(46, 0);
    over_tcp(&[(R, &welcome)], &["radmin orig message=welcome"]);
}

#[test]
fn nomachine_and_the_tls_behind_its_lines() {
    over_tcp(
        &[
            (O, b"NXSH-8.10.1\n"),
            (R, b"NXD-8.9.1\n"),
            (O, &client_hello()),
        ],
        &[
            "nomachine orig client_version=8.10.1 server_version=8.9.1",
            "tls None",
        ],
    );
    over_tcp(
        &[(O, b"NXSH-8.10.1\n"), (O, &client_hello())],
        &["nomachine orig client_version=8.10.1"],
    );
}

#[test]
fn xdmcp_once_it_was_answered() {
    let query = b"\0\x01\0\x02\0\x01\0";
    let willing = b"\0\x01\0\x05\0\x0a\0\0\0\x02h1\0\x02ok";
    over_udp(&[(O, query)], &[]);
    over_udp(
        &[(O, query), (R, willing)],
        &["xdmcp orig operation=Willing host=h1 status=ok"],
    );
}

#[test]
fn telnet_when_both_negotiate() {
    over_tcp(
        &[
            (R, b"\xff\xfd\x18\xff\xfd\x1f"),
            (O, b"\xff\xfb\x18\xff\xfb\x1f"),
        ],
        &["telnet orig"],
    );
    over_tcp(&[(R, b"\xff\xfb\x20\x64\x00\x0f\xf0")], &[]);
}

#[test]
fn remote_shells_when_they_are_answered() {
    over_tcp(
        &[(O, b"1022\0root\0root\0id\0"), (R, b"\0")],
        &["rsh orig answer=ok"],
    );
    over_tcp(
        &[(O, b"\0alice\0alice\0xterm/38400\0"), (R, b"\x01no\n")],
        &["rlogin orig answer=error"],
    );
}

#[test]
fn x11_with_what_the_server_said() {
    let set_up: &[u8] = b"l\0\x0b\0\0\0\0\0\0\0\0\0";
    over_tcp(
        &[(O, set_up), (R, b"\0\x16\x0b\0\0\0\x06\0")],
        &["x11 orig authorization=none answer=refused"],
    );
    over_tcp(
        &[(O, set_up)],
        &["x11 orig authorization=none answer=unseen"],
    );
}

#[test]
fn xpra_when_both_say_hello() {
    let hello: &[u8] = b"P\x01\x01\x00\x00\x00\x05\x88\x78\x01";
    over_tcp(&[(O, hello), (R, hello)], &["xpra orig"]);
}

#[test]
fn frp_in_each_of_its_forms() {
    let before_tls = [&b"\x17"[..], &client_hello()].concat();
    over_tcp(&[(O, &before_tls)], &["frp orig form=tls", "tls None"]);
    over_tcp(&[(O, b"FRP\0\x02\r\nrest")], &["frp orig form=v2"]);
    let json = br#"{"version":"0.44.0","os":"linux","arch":"amd64"}"#;
    let login = [&b"o\0\0\0\0\0\0\0\x30"[..], json].concat();
    assert_eq!(json.len(), 0x30);
    let told = "frp orig form=v1 version=0.44.0 os=linux arch=amd64";
    over_tcp(&[(O, &login)], &[told]);
    let length = [0, 0, 0, login.len() as u8];
    let in_yamux = [
        b"\0\x01\0\x01\0\0\0\x01\0\0\0\0",
        &[&b"\0\0\0\0\0\0\0\x01"[..], &length, &login].concat()[..],
    ]
    .concat();
    over_tcp(&[(O, &in_yamux)], &[told]);
}

#[test]
fn yamux_with_something_else_in_it() {
    over_tcp(
        &[
            (
                R,
                b"\0\x01\0\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x02\0\0\0\x02hi",
            ),
            (
                O,
                b"\0\x01\0\x02\0\0\0\x02\0\0\0\0\0\x02\0\x01\0\0\0\0\0\0\0\x05",
            ),
        ],
        &["yamux orig streams_opened_by=resp"],
    );
}

#[test]
fn rathole_by_both_sides() {
    let chance = |start: u8| {
        (0..32_u8)
            .map(|n| n.wrapping_mul(97).wrapping_add(start))
            .collect()
    };
    let (one, two, three): (Vec<u8>, Vec<u8>, Vec<u8>) = (chance(1), chance(2), chance(3));
    let hello = |kind: u8, digest: &[u8]| [&[kind, 0, 0, 0, 1][..], digest].concat();
    over_tcp(
        &[
            (O, &hello(0, &one)),
            (R, &hello(0, &two)),
            (O, &three),
            (R, &[0; 4]),
        ],
        &["rathole orig channel=control"],
    );
    over_tcp(
        &[
            (O, &hello(1, &one)),
            (R, &[0; 4]),
            (R, &client_hello()),
            (O, b"\x15\x03\x03\0\x02\x02\x28"),
        ],
        &["rathole orig channel=data", "tls None"],
    );
}

#[test]
fn hamachi_by_its_request_and_by_datagrams_of_both_sides() {
    let mut request = vec![
        0, 0, 1, 0xd4, 0, 0, 0, 1, 0, 0, 0, 2, 0x7b, 0x7a, 0x0d, 0xad,
    ];
    request.resize(472, 0x5a);
    over_tcp(&[(O, &request)], &["hamachi orig seen=request"]);

    let data = |first: u8, number: u8| {
        let mut octets = vec![first; 132];
        octets[4..8].copy_from_slice(&[0, 0, 0, number]);
        octets
    };
    let greeting = [0; 76];
    let of_both = [(O, data(1, 1)), (R, data(2, 1)), (O, data(1, 2))];
    let datagrams = |rest: &'static [(Side, u8, u8)]| {
        let greetings = [(O, greeting.to_vec()), (R, greeting.to_vec())];
        let rest = rest
            .iter()
            .map(|&(side, first, number)| (side, data(first, number)));
        greetings.into_iter().chain(rest).collect::<Vec<_>>()
    };
    let check = |datagrams: Vec<(Side, Vec<u8>)>, expected: &[&str]| {
        let borrowed: Vec<_> = (datagrams.iter())
            .map(|(side, octets)| (*side, &octets[..]))
            .collect();
        over_udp(&borrowed, expected);
    };
    check(
        datagrams(&[(O, 1, 1), (R, 2, 1), (O, 1, 2)]),
        &["hamachi orig seen=datagrams"],
    );
    check(datagrams(&[(O, 1, 1), (R, 1, 1), (O, 1, 2)]), &[]);
    check(datagrams(&[(O, 1, 1), (R, 2, 1), (O, 3, 2)]), &[]);
    check(datagrams(&[(O, 1, 1), (O, 1, 2), (O, 1, 3)]), &[]);
    check(of_both.to_vec(), &[]);
}

#[test]
fn ike_over_tcp_by_both_sides() {
    let message = |responder: u8, flags: u8| {
        let mut octets = vec![0, 50, 0, 0, 0, 0]; // length, marker
        octets.extend([7; 8]);
        octets.extend([responder; 8]);
        octets.extend([33, 0x20, 34, flags, 0, 0, 0, 0, 0, 0, 0, 44]);
        octets.extend([40, 0, 0, 8, 1, 2, 3, 4]);
        octets.extend([0, 0, 0, 8, 9, 9, 9, 9]);
        octets
    };
    over_tcp(
        &[
            (O, &[&b"IKETCP"[..], &message(0, 0x08)].concat()),
            (R, &message(5, 0x20)),
        ],
        &["ipsec orig message=ike version=2 exchange=sa_init"],
    );
}

#[test]
fn what_a_balancer_hands_on_is_read_behind_its_header() {
    let first = [
        &b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"[..],
        &client_hello(),
    ]
    .concat();
    over_tcp(
        &[(O, &first), (R, b"\x15\x03\x03\0\x02\x02\x28")],
        &[
            "proxy_protocol orig version=1 source=192.0.2.1:56324 destination=198.51.100.7:443",
            "tls None",
        ],
    );
}

#[test]
fn nebula_by_a_question_that_nobody_answers() {
    let mut question = vec![0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    question.resize(331, 0x41);
    over_udp(
        &[(O, &question), (O, &question)],
        &["nebula orig answered=false"],
    );
    let mut answer = question.clone();
    (answer[7], answer[15]) = (9, 2);
    over_udp(
        &[(O, &question), (R, &answer)],
        &["nebula orig answered=true"],
    );
    over_udp(&[(O, &question), (R, b"no such thing")], &[]);
}
