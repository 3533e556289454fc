use super::*;
use crate::observation::{DnsTransport, Endpoint, Fact, FlowRef, Observation, Oriented, VlanTags};
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
        resp: end(2, 80),
        transport: Transport::Tcp,
        vlan: VlanTags::default(),
        vni: None,
        oriented: Oriented::Syn,
    }
}

const CLIENT: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const SERVER: &[u8] = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00";

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [&[0, high, low, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A block of fields that are not added to the table.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (name, value) in fields {
        octets.extend([0, u8::try_from(name.len()).unwrap()]);
        octets.extend(name.as_bytes());
        octets.push(u8::try_from(value.len()).unwrap());
        octets.extend(value.as_bytes());
    }
    octets
}

fn headers(flags: u8, stream: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, flags | 4, stream, &block(fields))
}

fn check(conversation: &[(Side, &[u8])], expected: &[&str]) {
    for size in [1, 5, usize::MAX] {
        assert_eq!(run(conversation, size), expected, "pieces of {size}");
    }
}

fn run(conversation: &[(Side, &[u8])], size: usize) -> Vec<String> {
    let (flow, mut out) = (flow(), Vec::new());
    let mut talk = Talk::new();
    let mut seq = 0;
    for (from, octets) in conversation {
        for piece in octets.chunks(size) {
            seq += 1;
            let mut emit = Emit::new(&flow, 0, seq, Some((0, seq)), &mut out);
            talk.octets(*from, piece, &mut emit);
        }
    }
    talk.end(&mut Emit::new(&flow, 0, seq + 1, None, &mut out));
    out.iter().map(line).collect()
}

fn line(observation: &Observation) -> String {
    match &observation.fact {
        Fact::Http(http) => format!(
            "{} {:?} {} {:?} {:?}",
            http.method, http.host, http.uri, http.status, http.version
        ),
        Fact::Dns(dns) => {
            assert_eq!(dns.transport, DnsTransport::Http);
            format!(
                "dns {} {:?} {:?}",
                dns.query,
                dns.rcode.map(|r| r.0),
                dns.answers
            )
        }
        Fact::WebSocket(ws) => format!("websocket {:?} {:?}", ws.subprotocol, ws.accepted),
        Fact::Rfb(rfb) => format!("rfb {:?} in {}", rfb.client_version, rfb.carrier),
        Fact::Marks(marks) => format!("{} {:?}", marks.protocol, marks.details),
        other => format!("{other:?}"),
    }
}

/// Identity 0, `a.example A`; the answer is 192.0.2.1.
const QUERY: &[u8] = b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01";
const ANSWER: &[u8] = b"\0\0\x81\x80\0\x01\0\x01\0\0\0\0\x01a\x07example\0\0\x01\0\x01\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";

#[test]
fn streams_are_requests_with_their_answers() {
    let client = [
        CLIENT,
        &headers(
            1,
            1,
            &[
                (":method", "GET"),
                (":path", "/a"),
                (":authority", "www.example"),
            ],
        ),
        &headers(
            1,
            3,
            &[(":method", "GET"), (":path", "/b"), ("host", "h.example")],
        ),
        &headers(1, 5, &[(":method", "GET"), (":path", "/c")]),
    ]
    .concat();
    let server = [
        SERVER,
        &headers(1, 3, &[(":status", "404")]),
        &headers(4, 1, &[(":status", "200")]),
    ]
    .concat();
    check(
        &[(O, &client), (R, &server)],
        &[
            r#"GET Some("h.example") /b Some(404) Some("2")"#,
            r#"GET Some("www.example") /a Some(200) Some("2")"#,
            r#"GET None /c None Some("2")"#,
        ],
    );
}

#[test]
fn dns_messages_are_paired() {
    let media = ("content-type", "application/dns-message");
    let client = [
        CLIENT,
        &headers(0, 1, &[(":method", "POST"), (":path", "/dns-query"), media]),
        &frame(0, 1, 1, QUERY),
    ]
    .concat();
    let server = [
        SERVER,
        &headers(0, 1, &[(":status", "200"), media]),
        &frame(0, 1, 1, ANSWER),
    ]
    .concat();
    check(
        &[(O, &client), (R, &server)],
        &[
            r#"POST None /dns-query Some(200) Some("2")"#,
            r#"dns a.example Some(0) ["192.0.2.1"]"#,
        ],
    );
}

#[test]
fn what_is_no_question_of_dns_is_passed_over() {
    let client = [
        CLIENT,
        &headers(
            1,
            1,
            &[
                (":method", "GET"),
                (":path", "/?dns=aGVsbG8gd29ybGQsIGhlbGxv"),
            ],
        ),
    ]
    .concat();
    check(
        &[(O, &client)],
        &[r#"GET None /?dns=aGVsbG8gd29ybGQsIGhlbGxv None Some("2")"#],
    );
}

#[test]
fn a_connect_carries_a_stream() {
    let client = [
        CLIENT,
        &headers(
            0,
            1,
            &[(":method", "CONNECT"), (":authority", "10.0.0.9:5900")],
        ),
    ]
    .concat();
    let server = [
        SERVER,
        &headers(0, 1, &[(":status", "200")]),
        &frame(0, 0, 1, b"RFB 003.008\n"),
    ]
    .concat();
    check(
        &[
            (O, &client),
            (R, &server),
            (O, &frame(0, 1, 1, b"RFB 003.008\n")),
            (R, &frame(0, 1, 1, b"")),
        ],
        &[
            r#"CONNECT Some("10.0.0.9:5900") 10.0.0.9:5900 Some(200) Some("2")"#,
            r#"rfb Some("003.008") in http2"#,
        ],
    );
}

#[test]
fn a_websocket_in_a_stream_is_read_however_its_frames_are_cut() {
    let client = [
        CLIENT,
        &headers(
            0,
            1,
            &[
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":path", "/vnc"),
                ("sec-websocket-protocol", "binary"),
            ],
        ),
    ]
    .concat();
    let server = [
        SERVER,
        &headers(
            0,
            1,
            &[(":status", "200"), ("sec-websocket-protocol", "binary")],
        ),
        &frame(0, 0, 1, b"\x82"),
        &frame(0, 0, 1, b"\x0cRFB 003"),
        &frame(0, 0, 1, b".008\n"),
    ]
    .concat();
    check(
        &[
            (O, &client),
            (R, &server),
            (O, &frame(0, 0, 1, b"\x82\x8c\0\0")),
            (O, &frame(0, 0, 1, b"\0\0RFB 003.008\n")),
        ],
        &[
            r#"CONNECT None /vnc Some(200) Some("2")"#,
            r#"websocket Some("binary") Some(true)"#,
            r#"rfb Some("003.008") in websocket"#,
        ],
    );
}

#[test]
fn a_tunnel_of_wstunnel_is_told_by_its_cookie() {
    // {"id":"1","p":"Tcp","r":"10.0.0.5","rp":3389}
    let token = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEiLCJwIjoiVGNwIiwiciI6IjEwLjAuMC41IiwicnAiOjMzODl9.c2ln";
    let client = [
        CLIENT,
        &headers(0, 1, &[(":method", "POST"), (":path", "/v1/events")]),
        &headers(
            0,
            3,
            &[
                (":method", "POST"),
                (":path", "/v1/events"),
                ("cookie", token),
            ],
        ),
    ]
    .concat();
    let found = run(&[(O, &client), (R, SERVER)], 7);
    assert_eq!(
        found.last().unwrap(),
        r#"wstunnel [("mode", "Tcp"), ("target", "10.0.0.5:3389")]"#
    );
    assert_eq!(found.len(), 3);
}

#[test]
fn a_client_that_opens_streams_without_end_is_bounded() {
    let mut client = CLIENT.to_vec();
    for stream in 0..200 {
        client.extend(headers(1, stream, &[(":method", "GET"), (":path", "/")]));
    }
    // Stream 0 is none.
    assert_eq!(run(&[(O, &client)], usize::MAX).len(), 0);
    let client = [
        CLIENT,
        &client[CLIENT.len() + headers(1, 0, &[(":method", "GET"), (":path", "/")]).len()..],
    ]
    .concat();
    assert_eq!(run(&[(O, &client)], usize::MAX).len(), 199);
}
