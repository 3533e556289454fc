//! Input that is made to fill the memory: whatever comes, sessions keep no more than they may, and what they keep is
//! counted.

use terrier_engine::Limits;

use super::engine::{Engine, Said};
use super::packets::Flow;
use crate::support::random::Random;

/// What the flows of one storm say: 0 is the client.
type Script = Vec<(usize, Vec<u8>)>;

#[test]
fn hellos_of_tls_that_never_end_are_bounded() {
    let mut hello = vec![1, 0, 0xff, 0, 3, 3];
    hello.resize(60_000, 0x41);
    let records = hello
        .chunks(1000)
        .map(|part| (0, [&[22, 3, 1, 0x03, 0xe8], part].concat()))
        .collect();
    assert_bounded(&storm(&records, Tcp(443)), 60_000);
}

#[test]
fn heads_of_http_that_never_end_are_bounded() {
    let mut script = vec![(0, b"GET / HTTP/1.1\r\n".to_vec())];
    script.extend(std::iter::repeat_n(
        (0, b"X-Field: value\r\n".repeat(60)),
        15,
    ));
    assert_bounded(&storm(&script, Tcp(80)), 14_000);
}

#[test]
fn requests_that_nobody_answers_are_bounded() {
    let target = "a".repeat(2000);
    let request = format!("GET /{target} HTTP/1.1\r\nUser-Agent: {target}\r\n\r\n");
    let script = vec![(0, request.into_bytes()); 60];
    assert_bounded(&storm(&script, Tcp(80)), 60 * 3000);
}

#[test]
fn header_blocks_of_http2_are_bounded() {
    let mut script = vec![(0, PREFACE.to_vec())];
    script.push((0, frame(1, 0, 1, &[0; 16_000])));
    script.extend(std::iter::repeat_n((0, frame(9, 0, 1, &[0; 1000])), 40));
    assert_bounded(&storm(&script, Tcp(80)), 50_000);
}

#[test]
fn tables_of_http2_are_bounded() {
    // A table of 64 KiB, filled with fields of a kilobyte.
    let mut script = vec![(0, PREFACE.to_vec())];
    for stream in 0..70 {
        let mut block = vec![0x3f, 0xe1, 0xff, 0x03, 0x40, 1, b'a', 0x7f, 0x81, 0x07];
        block.extend_from_slice(&[b'v'; 1024]);
        script.push((0, frame(1, 4, 2 * stream + 1, &block)));
    }
    assert_bounded(&storm(&script, Tcp(80)), 60_000);
}

#[test]
fn streams_of_http2_are_bounded() {
    // POST of a DNS message on each, which never comes whole.
    let mut script = vec![(0, PREFACE.to_vec())];
    for stream in 0..600 {
        let mut block = vec![0x83, 0x84, 0x01, 1, b'h', 0x0f, 0x10, 23];
        block.extend_from_slice(b"application/dns-message");
        let mut octets = frame(1, 4, 2 * stream + 1, &block);
        octets.extend(frame(0, 0, 2 * stream + 1, &[0; 3000]));
        script.push((0, octets));
    }
    assert_bounded(&storm(&script, Tcp(80)), 32 * 3000);
}

#[test]
fn windows_of_compressed_web_sockets_are_bounded() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    let granted =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
    // `Hello` of RFC 7692, section 7.2.3.1, in a message that never ends.
    let hello = [0x42, 0x07, 0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let script = vec![
        (0, upgrade.to_vec()),
        (1, granted.to_vec()),
        (1, hello.to_vec()),
        (1, vec![0x00, 0x00]),
        (1, vec![0x00, 0x00]),
    ];
    assert_bounded(&storm(&script, Tcp(80)), 40_000);
}

#[test]
fn messages_of_web_sockets_that_never_end_are_bounded() {
    let upgrade = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    let granted =
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let mut script = vec![(0, upgrade.to_vec()), (1, granted.to_vec())];
    // The greeting of RFB, octet by octet: the first fragment and then continuations, none of them the last.
    let greeting = b"RFB 003.008".iter().chain(std::iter::repeat(&b'0'));
    for (place, &octet) in greeting.take(200).enumerate() {
        script.push((1, vec![if place == 0 { 0x02 } else { 0x00 }, 1, octet]));
    }
    assert_begun(&storm_of(&script, Tcp(80)), "websocket");
}

#[test]
fn proxies_behind_proxies_without_end_are_bounded() {
    let mut script = Script::new();
    for level in 0..60 {
        if level % 2 == 0 {
            script.push((
                0,
                b"CONNECT a:1080 HTTP/1.1\r\nHost: a:1080\r\n\r\n".to_vec(),
            ));
            script.push((1, b"HTTP/1.1 200 OK\r\n\r\n".to_vec()));
        } else {
            script.push((0, vec![5, 1, 0]));
            script.push((1, vec![5, 0]));
            script.push((0, vec![5, 1, 0, 1, 192, 0, 2, 1, 0, 80]));
            script.push((1, vec![5, 0, 0, 1, 192, 0, 2, 1, 0, 80]));
        }
    }
    let said = storm_of(&script, Tcp(8080));
    let begun = said.counters.sessions.values().sum::<u64>();
    assert!(
        begun >= u64::from(2 * FLOWS),
        "{begun} sessions: what proxies carry was not read"
    );
    assert!(
        begun <= u64::from(20 * FLOWS),
        "{begun} sessions inside one another"
    );
}

#[test]
fn attributes_of_stun_are_bounded() {
    // A binding request with 300 attributes that nobody knows, again and again with another transaction.
    let script = (0..60_u8)
        .map(|nth| {
            let mut message = vec![0, 1, 0x04, 0xb0, 0x21, 0x12, 0xa4, 0x42];
            message.extend([nth; 12]);
            message.extend([0x7f, 0xff, 0, 0].repeat(300));
            (0, message)
        })
        .collect();
    assert_begun(&storm_of(&script, Udp(3478)), "stun");
}

#[test]
fn fragments_of_ike_are_bounded() {
    // IKE_AUTH in encrypted fragments (RFC 7383), 2 of 60,000 and so on: the first never comes.
    let mut script = Script::new();
    let head = |kind: u8, next: u8, id: u8, length: usize| {
        let mut head = vec![0x11; 8];
        head.extend(if id == 0 { [0; 8] } else { [0x22; 8] });
        head.extend([next, 0x20, kind, 8, 0, 0, 0, id]);
        head.extend((length as u32).to_be_bytes());
        head
    };
    for nth in 2..60_u8 {
        let mut message = head(35, 53, 1, 28 + 8 + 1000);
        message.extend([0, 0, 0x03, 0xf0, 0, nth, 0xea, 0x60]);
        message.extend([nth; 1000]);
        script.push((0, message));
    }
    assert_begun(&storm_of(&script, Udp(500)), "ipsec");
}

#[test]
fn banners_of_ssh_that_never_end_are_bounded() {
    let mut script = vec![(0, b"SSH-2.0-a\r\n".to_vec())];
    script.extend(std::iter::repeat_n((1, vec![b'b'; 1000]), 40));
    storm_of(&script, Tcp(22));
}

#[test]
fn fragments_of_dtls_are_bounded() {
    let mut script = Script::new();
    for piece in 0..50_u32 {
        // A ClientHello of 60,000 octets in pieces of a thousand, but the first.
        let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, piece as u8];
        record.extend_from_slice(&(1012_u16).to_be_bytes());
        record.extend_from_slice(&[1, 0, 0xea, 0x60, 0, 0, 0]);
        record.extend_from_slice(&((piece + 1) * 1000 % 59_000).to_be_bytes()[1..]);
        record.extend_from_slice(&[0, 0x03, 0xe8]);
        record.extend_from_slice(&[0x41; 1000]);
        script.push((0, record));
    }
    // The first piece makes it known.
    let mut first = script[0].1.clone();
    first[19..22].fill(0);
    first[25..27].copy_from_slice(&[0xfe, 0xfd]);
    script.insert(0, (0, first));
    storm_of(&script, Udp(4443));
}

#[test]
fn pieces_of_openvpn_that_come_early_are_bounded() {
    let session = [7; 8];
    let mut reset = vec![0x38];
    reset.extend_from_slice(&session);
    reset.extend_from_slice(&[0, 0, 0, 0, 0]);
    let mut answer = vec![0x40];
    answer.extend_from_slice(&[9; 8]);
    answer.extend_from_slice(&[1, 0, 0, 0, 0]);
    answer.extend_from_slice(&session);
    answer.extend_from_slice(&[0, 0, 0, 0]);
    let mut script = vec![(0, reset), (1, answer)];
    for id in 2..60_u32 {
        let mut control = vec![0x20];
        control.extend_from_slice(&session);
        control.push(0);
        control.extend_from_slice(&id.to_be_bytes());
        control.extend_from_slice(&[0x41; 1100]);
        script.push((0, control));
    }
    assert_bounded(&storm(&script, Udp(1194)), 11 * 1100);
}

#[test]
fn random_initials_of_quic_keep_nothing() {
    let mut random = Random(1);
    let script: Script = (0..300)
        .map(|_| {
            let mut initial = vec![0xc3, 0, 0, 0, 1, 8];
            initial.extend_from_slice(&random.next().to_be_bytes());
            initial.extend_from_slice(&[0, 0, 0x44, 0xb0]);
            initial.extend((0..1200).map(|_| random.next() as u8));
            (0, initial)
        })
        .collect();
    let said = storm_of(&script, Udp(443));
    assert!(said.most_buffered < 1 << 20, "{}", said.most_buffered);
}

#[test]
fn questions_without_an_answer_are_bounded() {
    let script = (0..250_u16)
        .map(|id| {
            let mut query = id.to_be_bytes().to_vec();
            query.extend_from_slice(&[1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3]);
            query.extend_from_slice(format!("{:03}", id).as_bytes());
            query.extend_from_slice(b"\x07example\x00\x00\x01\x00\x01");
            (0, query)
        })
        .collect();
    assert_bounded(&storm(&script, Udp(53)), 200 * 100);
}

#[test]
fn segments_in_front_of_a_hole_are_bounded() {
    let mut engine = Engine::new(1, limits());
    let mut flows: Vec<Flow> = (0..FLOWS).map(|n| Flow::new(n, 443)).collect();
    for flow in &mut flows {
        engine.frame(&flow.segment(0, 0, 0x02, &[]));
        engine.frame(&flow.tcp(0, &[22, 3, 1]));
    }
    for early in 0..800 {
        for flow in &mut flows {
            flow.at_ns += 1_000_000;
            engine.frame(&flow.segment(0, 100 + 3 * early, 0x18, b"x"));
        }
    }
    engine.forget();
    let said = engine.end();
    assert_bounded(&said, 800 * 30);
}

#[test]
fn fragments_that_never_make_a_packet_are_bounded() {
    let mut engine = Engine::new(1, limits());
    let mut flow = Flow::new(1, 53);
    for id in 0..60_000_u16 {
        flow.at_ns += 1000;
        // More fragments follow, at the far end.
        engine.frame(&flow.ip(0, 17, id, 0x2000 | (id % 8000), &[0x41; 800]));
    }
    let said = engine.end();
    let given_up = said.counters.fragments_given_up;
    assert!(given_up > 50_000, "{given_up} were given up");
}

#[test]
fn half_open_flows_make_room_for_others() {
    let mut engine = Engine::new(
        1,
        Limits {
            flows: 500,
            ..limits()
        },
    );
    for n in 0..50_000 {
        let mut flow = Flow::new(n, 443);
        flow.at_ns += i64::from(n) * 1000;
        engine.frame(&flow.segment(0, 0, 0x02, &[]));
        engine.frame(&flow.segment(0, 1, 0x18, b"\x16\x03\x01\x02\x00\x01"));
        engine.forget();
    }
    let said = engine.end();
    assert_eq!(said.counters.evictions, 49_500);
    assert_eq!(said.counters.buffered_octets, 0);
}

/// How the flows of a storm speak, and their server's port.
#[derive(Clone, Copy)]
enum Over {
    Tcp(u16),
    Udp(u16),
}
use Over::{Tcp, Udp};

/// Shows a script in many flows at a time, each of its messages to all of them in turn.
fn storm(script: &Script, over: Over) -> Said {
    let (Tcp(port) | Udp(port)) = over;
    let mut engine = Engine::new(1, limits());
    let mut flows: Vec<Flow> = (0..FLOWS).map(|n| Flow::new(n, port)).collect();
    for (side, octets) in script {
        for flow in &mut flows {
            // Ticks are where it is counted.
            flow.at_ns += 300_000_000;
            engine.frame(&match over {
                Tcp(_) => flow.tcp(*side, octets),
                Udp(_) => flow.udp(*side, octets),
            });
        }
        engine.forget();
    }
    engine.end()
}

/// A storm that keeps what it may at most.
fn storm_of(script: &Script, over: Over) -> Said {
    let said = storm(script, over);
    assert_bounded(&said, 0);
    said
}

/// All flows together would keep `each` times their number; they keep what they may, and one packet's more.
#[track_caller]
fn assert_bounded(said: &Said, each: usize) {
    let kept = said.most_buffered as usize;
    assert!(kept <= MOST + (100 << 10), "{kept} octets of {MOST}");
    let wanted = (each * FLOWS as usize).min(MOST);
    assert!(
        kept >= wanted / 10 * 9,
        "{kept} octets are counted of {wanted}"
    );
    let left = said.counters.buffered_octets;
    assert_eq!(left, 0, "octets are counted that are gone");
}

/// The storm was taken for what it is meant to be.
#[track_caller]
fn assert_begun(said: &Said, protocol: &str) {
    let sessions = &said.counters.sessions;
    assert_eq!(
        sessions.get(protocol),
        Some(&u64::from(FLOWS)),
        "{sessions:?}"
    );
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend_from_slice(&[kind, flags]);
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn limits() -> Limits {
    Limits {
        flows: 1 << 20,
        buffered_octets: MOST,
        ..Limits::default()
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
const FLOWS: u32 = 60;
const MOST: usize = 1 << 20;
