use super::*;
use crate::observation::{Endpoint, Fact, FlowRef, Observation, Oriented, VlanTags};
use Side::{Originator as O, Responder as R};

fn flow() -> FlowRef {
    let end = |last, port| Endpoint {
        ip: std::net::Ipv4Addr::new(10, 0, 0, last).into(),
        port,
    };
    FlowRef {
        id: 1,
        opened: 1,
        orig: end(1, 40000),
        resp: end(2, 6080),
        transport: Transport::Tcp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Syn,
    }
}

/// What two streams tell, one line a fact; the same in one piece a turn and octet by octet.
fn check(conversation: &[(Side, &[u8])], expected: &[&str]) {
    for size in [1, 5, usize::MAX] {
        assert_eq!(run(conversation, size), expected, "pieces of {size}");
    }
}

fn run(conversation: &[(Side, &[u8])], size: usize) -> Vec<String> {
    let (flow, mut out) = (flow(), Vec::new());
    let mut talk = Talk::new();
    let mut seq = 0;
    'all: for (from, octets) in conversation {
        for piece in octets.chunks(size) {
            seq += 1;
            let mut emit = Emit::new(&flow, 0, seq, Some((0, seq)), &mut out);
            if talk.octets(*from, piece, &mut emit) == Outcome::Decided {
                break 'all;
            }
        }
    }
    talk.end(&mut Emit::new(&flow, 0, seq + 1, None, &mut out));
    out.iter().map(line).collect()
}

fn line(observation: &Observation) -> String {
    match &observation.fact {
        Fact::Http(http) => format!("http {} {} {:?}", http.method, http.uri, http.status),
        Fact::WebSocket(ws) => format!(
            "websocket {:?} {:?} {:?} {:?}",
            ws.offered, ws.subprotocol, ws.extensions, ws.accepted
        ),
        Fact::Rfb(rfb) => format!("rfb {:?} in {}", rfb.client_version, rfb.carrier),
        Fact::Marks(marks) => format!("{} {:?}", marks.protocol, marks.details),
        Fact::Unknown(first) => format!(
            "unknown {:?} {:?}",
            first.side,
            String::from_utf8_lossy(&first.octets)
        ),
        other => format!("{other:?}"),
    }
}

const ASK: &[u8] = b"GET /websockify HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: binary, base64\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";

fn granted(fields: &str) -> Vec<u8> {
    format!("HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n{fields}\r\n").into_bytes()
}

/// Both greetings of RFB, the client's masked with zeros.
const SERVER: &[u8] = b"\x82\x0cRFB 003.008\n";
const CLIENT: &[u8] = b"\x82\x8c\0\0\0\0RFB 003.008\n";

#[test]
fn a_desktop_in_a_websocket_is_told_with_its_carrier() {
    check(
        &[
            (O, ASK),
            (R, &granted("Sec-WebSocket-Protocol: binary\r\n")),
            (R, SERVER),
            (O, CLIENT),
            (R, b"\x89\x00\x88\x00"),
            (O, b"\x88\x80\0\0\0\0"),
        ],
        &[
            "http GET /websockify Some(101)",
            r#"websocket ["binary", "base64"] Some("binary") None Some(true)"#,
            r#"rfb Some("003.008") in websocket"#,
        ],
    );
}

#[test]
fn frames_behind_the_answer_in_one_segment_are_read() {
    let answer = [&granted(""), SERVER].concat();
    let found = run(&[(O, ASK), (R, &answer), (O, CLIENT)], usize::MAX);
    assert_eq!(found.last().unwrap(), r#"rfb Some("003.008") in websocket"#);
}

#[test]
fn compressed_messages_are_inflated_where_it_was_agreed_on() {
    // `RFB 003.008\n`, twice: packed, and pointing back at the first.
    let pack = |packer: &mut flate2::Compress| {
        let mut packed = Vec::with_capacity(100);
        let sync = flate2::FlushCompress::Sync;
        packer
            .compress_vec(b"RFB 003.008\n", &mut packed, sync)
            .unwrap();
        packed.truncate(packed.len() - 4);
        packed
    };
    let mut packer = flate2::Compress::new(flate2::Compression::best(), false);
    let packed = pack(&mut packer);
    let length = u8::try_from(packed.len()).unwrap();
    let server = [&[0xc2, length], &packed[..]].concat();
    let client = [&[0xc2, 0x80 | length, 0, 0, 0, 0], &packed[..]].concat();
    check(
        &[
            (O, ASK),
            (
                R,
                &granted("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            ),
            (R, &server),
            (O, &client),
        ],
        &[
            "http GET /websockify Some(101)",
            r#"websocket ["binary", "base64"] None Some("permessage-deflate") Some(true)"#,
            r#"rfb Some("003.008") in websocket"#,
        ],
    );
    // Refused: such a frame is none.
    check(
        &[(O, ASK), (R, &granted("")), (R, &server), (O, CLIENT)],
        &[
            "http GET /websockify Some(101)",
            r#"websocket ["binary", "base64"] None None Some(true)"#,
        ],
    );
}

#[test]
fn a_refused_upgrade_is_told_and_http_goes_on() {
    check(
        &[
            (O, ASK),
            (R, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
            (O, b"GET / HTTP/1.1\r\n\r\n"),
            (R, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ],
        &[
            "http GET /websockify Some(400)",
            r#"websocket ["binary", "base64"] None None Some(false)"#,
            "http GET / Some(200)",
        ],
    );
}

#[test]
fn another_protocol_than_was_asked_for_is_no_websocket() {
    check(
        &[
            (O, ASK),
            (R, b"HTTP/1.1 101 Switching\r\nUpgrade: tcp\r\n\r\n"),
            (R, b"RFB 003.008\n"),
            (O, b"RFB 003.008\n"),
        ],
        &[
            "http GET /websockify Some(101)",
            r#"websocket ["binary", "base64"] None None Some(false)"#,
            r#"rfb Some("003.008") in tcp"#,
        ],
    );
}

#[test]
fn a_client_whose_server_was_not_captured_is_read_alone() {
    let long = [CLIENT, &b"\x82\xfe\x20\x00\0\0\0\0"[..], &[7; 0x2000]].concat();
    let found = run(&[(O, ASK), (O, &long)], usize::MAX);
    assert_eq!(
        found,
        [
            "http GET /websockify None",
            r#"websocket ["binary", "base64"] None None None"#,
            "rfb None in websocket",
        ]
    );
}

#[test]
fn a_server_whose_client_was_not_captured_is_read_alone() {
    let base64 = granted("Sec-WebSocket-Protocol: base64\r\n");
    check(
        &[(R, &base64), (R, b"\x81\x10UkZCIDAwMy4wMDgK")],
        &["rfb None in websocket"],
    );
}

#[test]
fn websockets_within_websockets_have_a_bottom() {
    let mut conversation: Vec<(Side, Vec<u8>)> = Vec::new();
    for level in 0..200 {
        let wrap = |octets: &[u8], mask: &[u8]| {
            let mut octets = octets.to_vec();
            for _ in 0..level {
                let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
                let flag = if mask.is_empty() { 126 } else { 254 };
                octets = [&[0x82, flag][..], &length, mask, &octets].concat();
            }
            octets
        };
        conversation.push((O, wrap(ASK, &[0; 4])));
        conversation.push((R, wrap(&granted(""), &[])));
    }
    let turns: Vec<(Side, &[u8])> = conversation.iter().map(|(s, o)| (*s, &o[..])).collect();
    let found = run(&turns, usize::MAX);
    let levels = found.iter().filter(|line| line.starts_with("http")).count();
    assert_eq!(levels, 5, "{found:?}");
}

#[test]
fn finds_a_desktop_in_a_capture_that_begins_behind_the_upgrade() {
    check(
        &[(R, SERVER), (O, CLIENT)],
        &[r#"rfb Some("003.008") in websocket"#],
    );
    let (server, client) = (
        b"\x81\x10UkZCIDAwMy4wMDgK",
        b"\x81\x90\0\0\0\0UkZCIDAwMy4wMDgK",
    );
    check(
        &[(R, server), (O, client)],
        &[r#"rfb Some("003.008") in websocket"#],
    );
}

#[test]
fn text_is_no_late_websocket() {
    for first in [
        &b"\x82\x0cRFX 003.008\n"[..],
        b"\x81\x0cRFB 003.008\n",
        b"\x82\x8c\0\0\0\0RFB 003.008\n",
        b"\x82\x03RFB",
        b"\x89\x00",
    ] {
        let found = run(&[(R, first)], usize::MAX);
        assert!(
            found.iter().all(|line| line.starts_with("unknown")),
            "{found:?}"
        );
    }
}

#[test]
fn a_tunnel_of_wstunnel_tells_its_target_and_keeps_no_token() {
    // {"id":"1","p":"Tcp","r":"10.0.0.5","rp":3389}
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEiLCJwIjoiVGNwIiwiciI6IjEwLjAuMC41IiwicnAiOjMzODl9.c2ln";
    let ask = format!(
        "GET /v1/events HTTP/1.1\r\nupgrade: websocket\r\nsec-websocket-protocol: v1, authorization.bearer.{token}\r\n\r\n"
    );
    check(
        &[
            (O, ask.as_bytes()),
            (R, &granted("Sec-WebSocket-Protocol: v1\r\n")),
        ],
        &[
            "http GET /v1/events Some(101)",
            r#"websocket ["v1", "authorization.bearer.*"] Some("v1") None Some(true)"#,
            r#"wstunnel [("mode", "Tcp"), ("target", "10.0.0.5:3389")]"#,
        ],
    );
}

#[test]
fn gateways_to_remote_desktops_are_told() {
    let found = |request: &str| {
        let request = format!("{request} HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
        let found = run(&[(O, request.as_bytes())], usize::MAX);
        found
            .into_iter()
            .find(|line| line.starts_with("rd_gateway"))
    };
    assert!(found("RDG_OUT_DATA /remoteDesktopGateway/").is_some_and(|line| line.contains("http")));
    assert!(found("GET /remotedesktopgateway/").is_some_and(|line| line.contains("websocket")));
    assert!(found("RPC_IN_DATA /rpc/rpcproxy.dll?localhost:3388").is_some());
    assert_eq!(
        found("RPC_IN_DATA /rpc/rpcproxy.dll?mail.example:6001"),
        None
    );
    assert_eq!(found("GET /rpc/rpcproxy.dll?localhost:3388"), None);
}
