use proptest::prelude::*;

use super::*;
use crate::testing::in_pieces;
use Side::{Originator as O, Responder as R};

/// Preface and empty SETTINGS.
const CLIENT: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
const SERVER: &[u8] = b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    let mut octets = length.to_be_bytes()[1..].to_vec();
    octets.extend_from_slice(&[kind, flags]);
    octets.extend_from_slice(&stream.to_be_bytes());
    octets.extend_from_slice(payload);
    octets
}

/// A field that is not added to the table.
fn field(name: &str, value: &str) -> Vec<u8> {
    let mut octets = vec![0, u8::try_from(name.len()).unwrap()];
    octets.extend_from_slice(name.as_bytes());
    octets.push(u8::try_from(value.len()).unwrap());
    octets.extend_from_slice(value.as_bytes());
    octets
}

fn check(conversation: &[(Side, &[u8])], expected: &[&str]) {
    for size in [1, 2, 3, 7, 64, usize::MAX] {
        assert_eq!(run(conversation, size), expected, "pieces of {size}");
    }
}

/// The messages, shortened, bodies joined, and how it ended.
fn run(conversation: &[(Side, &[u8])], size: usize) -> Vec<String> {
    let mut session = Session::default();
    let mut found: Vec<String> = Vec::new();
    let mut end = None;
    in_pieces(conversation, size, |from, input| {
        let used = session.feed(from, input, |message| {
            let line = short(&message);
            match (found.last_mut(), &message) {
                (Some(last), Message::Octets(stream, side, octets))
                    if last.starts_with(&format!("{stream} {side:?} body")) =>
                {
                    last.push_str(&octets.escape_ascii().to_string());
                }
                _ => found.push(line),
            }
        });
        match used {
            Ok(used) if !session.is_finished() => Some(used),
            Ok(_) => {
                end = Some("finished".to_owned());
                None
            }
            Err(Violation(why)) => {
                end = Some(format!("violation: {why}"));
                None
            }
        }
    });
    found.extend(end);
    found
}

fn short(message: &Message<'_>) -> String {
    match message {
        Message::Request(stream, request) => format!(
            "{stream} {} {} {} {}",
            request.method,
            request.host.as_deref().unwrap_or("-"),
            request.target,
            request.user_agent.as_deref().unwrap_or("-"),
        ),
        Message::Answer(stream, answer) => format!("{stream} {}", answer.status),
        Message::Dns(stream, side, octets) => {
            format!("{stream} {side:?} dns {}", octets.escape_ascii())
        }
        Message::Octets(stream, side, octets) => {
            format!("{stream} {side:?} body {}", octets.escape_ascii())
        }
        Message::Gap(stream, side, length) => format!("{stream} {side:?} gap {length}"),
        Message::End(stream, side) => format!("{stream} end {side:?}"),
        Message::AnswersLost => "lost".to_owned(),
    }
}

#[test]
fn reads_two_streams_that_are_mixed() {
    // :method GET, :scheme http, :path /, :authority www.example.com (RFC 7541, C.3.1).
    let get = b"\x82\x86\x84\x41\x0fwww.example.com";
    let post = [&b"\x83\x86\x44\x02/a\xbf"[..], &field("user-agent", "curl")].concat();
    let client = [
        CLIENT,
        &frame(1, 0x05, 1, get),
        // Padded, with a priority.
        &frame(
            1,
            0x2c,
            3,
            &[&b"\x03\x00\x00\x00\x00\x10"[..], &post, b"\0\0\0"].concat(),
        ),
        &frame(0, 0x08, 3, b"\x02abc\0\0"),
        &frame(8, 0, 0, b"\0\0\xff\xff"),
        &frame(0, 0x01, 3, b"de"),
    ]
    .concat();
    let server = [
        SERVER,
        &frame(4, 1, 0, b""),
        // 103, then 200 in two frames.
        &frame(1, 0x04, 3, &field(":status", "103")),
        &frame(1, 0x00, 1, b""),
        &frame(9, 0x04, 1, b"\x88"),
        &frame(1, 0x05, 3, b"\x8d"),
        &frame(0, 0x00, 1, b"hello"),
        // Trailers.
        &frame(1, 0x05, 1, &field("grpc-status", "0")),
    ]
    .concat();
    check(
        &[(O, &client), (R, &server)],
        &[
            "1 GET www.example.com / -",
            "1 end Some(Originator)",
            "3 POST www.example.com /a curl",
            "3 Originator body abcde",
            "3 end Some(Originator)",
            "1 200",
            "3 404",
            "3 end Some(Responder)",
            "1 Responder body hello",
            "1 end Some(Responder)",
        ],
    );
}

#[test]
fn the_server_may_speak_first_and_be_the_originator() {
    let client = [CLIENT, &frame(1, 0x05, 1, b"\x82\x86\x84\x41\x01a")].concat();
    check(
        &[(O, SERVER), (R, &client)],
        &["1 GET a / -", "1 end Some(Responder)"],
    );
}

#[test]
fn hands_out_dns_messages() {
    let media = field("content-type", "application/dns-message");
    let client = [
        CLIENT,
        &frame(
            1,
            0x04,
            1,
            &[&b"\x83\x86\x41\x01a\x44\x0a/dns-query"[..], &media].concat(),
        ),
        &frame(0, 0x00, 1, b"que"),
        &frame(0, 0x01, 1, b"ry"),
        &frame(1, 0x05, 3, b"\x82\x86\x41\x01a\x44\x12/q?x=1&dns=cXVlcnk"),
    ]
    .concat();
    let server = [
        SERVER,
        &frame(1, 0x04, 1, &[&b"\x88"[..], &media].concat()),
        &frame(0, 0x08, 1, b"\x01answer\0"),
        &frame(0, 0x01, 1, b""),
        &frame(1, 0x04, 3, &[&b"\x88"[..], &media].concat()),
        &frame(3, 0, 3, b"\0\0\0\x08"),
    ]
    .concat();
    check(
        &[(O, &client), (R, &server)],
        &[
            "1 POST a /dns-query -",
            "1 Originator body query",
            "1 Originator dns query",
            "1 end Some(Originator)",
            "3 GET a /q?x=1&dns=cXVlcnk -",
            "3 Originator dns query",
            "3 end Some(Originator)",
            "1 200",
            "1 Responder body answer",
            "1 Responder dns answer",
            "1 end Some(Responder)",
            "3 200",
            "3 end None",
        ],
    );
}

#[test]
fn a_connect_asks_for_its_authority() {
    let client = [
        CLIENT,
        &frame(
            1,
            0x04,
            1,
            &[field(":method", "CONNECT"), field(":authority", "a:22")].concat(),
        ),
    ]
    .concat();
    check(&[(O, &client)], &["1 CONNECT a:22 a:22 -"]);
}

#[test]
fn violations_are_told() {
    for (frames, why) in [
        (frame(9, 4, 1, b"\x82"), "a header block that nothing began"),
        (
            [frame(1, 0, 1, b"\x82"), frame(0, 0, 1, b"")].concat(),
            "a header block is not gone on with",
        ),
        (frame(1, 4, 0, b"\x82"), "a header block of no stream"),
        (
            [frame(1, 0, 1, b"\x82"), frame(9, 0, 3, b"")].concat(),
            "a header block of no stream",
        ),
        (
            frame(0, 8, 1, b"\x02\0"),
            "a frame is shorter than its padding",
        ),
        (
            frame(1, 12, 1, b"\x02\0"),
            "a frame is shorter than its padding",
        ),
        (
            b"\x00\x80\x01\x01\x04\x00\x00\x00\x01".to_vec(),
            "a frame of a header block is too long",
        ),
        (
            [
                frame(1, 0, 1, &[0x82; 32_000]),
                frame(9, 0, 1, &[0x82; 32_000]),
                frame(9, 0, 1, &[0x82; 32_000]),
            ]
            .concat(),
            "a header block is too long",
        ),
    ] {
        let found = run(&[(O, &[CLIENT, &frames].concat())], 1000);
        assert_eq!(found, [format!("violation: {why}")]);
    }
    check(
        &[(O, CLIENT), (R, b"HTTP/1.1 400 Bad Request\r\n\r\n")],
        &["violation: no SETTINGS of HTTP/2"],
    );
}

#[test]
fn a_gap_within_a_body_keeps_the_place() {
    let mut session = Session::default();
    let mut found = Vec::new();
    let request = frame(1, 0x05, 1, b"\x82\x86\x84\x41\x01a");
    assert!(
        session
            .feed(O, &[CLIENT, &request].concat(), |_| ())
            .is_ok()
    );
    let answer = [
        SERVER,
        &frame(1, 4, 1, b"\x88"),
        &frame(0, 1, 1, b"0123456789")[..12],
    ]
    .concat();
    assert_eq!(session.feed(R, &answer, |_| ()), Ok(answer.len()));
    session.gap(R, 7, |message| found.push(short(&message)));
    let rest = frame(1, 5, 3, b"\x88");
    let used = session.feed(R, &rest, |message| found.push(short(&message)));
    assert_eq!(used, Ok(rest.len()));
    session.gap(R, 1, |message| found.push(short(&message)));
    assert_eq!(session.feed(R, b"anything", |_| ()), Ok(8));
    assert!(!session.is_finished());
    assert_eq!(
        session.feed(O, &frame(1, 5, 3, b"\x82\x84\xbe"), |m| found
            .push(short(&m))),
        Ok(12)
    );
    session.gap(O, 1, |_| ());
    assert!(session.is_finished());
    assert_eq!(
        found,
        [
            "1 Responder gap 7",
            "1 end Some(Responder)",
            "3 200",
            "3 end Some(Responder)",
            "lost",
            "3 GET a / -",
            "3 end Some(Originator)",
        ]
    );
}

proptest! {
    #[test]
    fn pieces_do_not_matter(
        frames in proptest::collection::vec(
            (0_u8..11, any::<u8>(), 0_u32..4, proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
        size in 1_usize..40,
    ) {
        let octets: Vec<u8> = frames
            .iter()
            .flat_map(|(kind, flags, stream, payload)| frame(*kind, *flags, *stream, payload))
            .collect();
        let client = [CLIENT, &octets].concat();
        prop_assert_eq!(run(&[(O, &client)], size), run(&[(O, &client)], usize::MAX));
    }
}
