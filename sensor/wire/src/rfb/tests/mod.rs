use proptest::prelude::*;

use super::*;
use crate::testing::{assert_same_however_cut, in_pieces};
use crate::{Side, Step, Violation};

mod clear;
mod encrypted;
mod hostile;
mod one_sided;
mod tight;
mod ultravnc;

/// Octets of the responder, which is the server unless a test says otherwise.
fn s(octets: &[u8]) -> (Side, &[u8]) {
    (Side::Responder, octets)
}

/// Octets of the originator.
fn c(octets: &[u8]) -> (Side, &[u8]) {
    (Side::Originator, octets)
}

/// What a conversation says, its end included; the same however it is cut.
fn hear(conversation: &[(Side, &[u8])]) -> Vec<Message> {
    let (whole, _) = hear_in_pieces(conversation, usize::MAX);
    for size in [1, 2, 3, 7, 16, 100] {
        assert_eq!(
            hear_in_pieces(conversation, size).0,
            whole,
            "in pieces of {size}"
        );
    }
    whole
}

fn hear_in_pieces(
    conversation: &[(Side, &[u8])],
    size: usize,
) -> (Vec<Message>, Option<Violation>) {
    let mut session = Session::new();
    let mut messages = Vec::new();
    let mut violation = None;
    in_pieces(conversation, size, |side, octets| {
        let fed = session.feed(side, octets, |message| messages.push(message));
        violation = fed.err().or(violation);
        fed.ok()
    });
    session.end(|message| messages.push(message));
    // When octets are tried depends on how they come, what they say does not.
    messages.retain(|message| *message != Message::OnTrial);
    (messages, violation)
}

fn version(major: u16, minor: u16) -> ProtocolVersion {
    ProtocolVersion { major, minor }
}

/// ServerInit of a desktop of 320x240 named `web01`.
const SERVER_INIT: &[u8] = &[
    0x01, 0x40, 0x00, 0xf0, // width, height
    0x10, 0x10, 0x00, 0x01, 0x00, 0x1f, 0x00, 0x3f, 0x00, 0x1f, 0x0b, 0x05, 0x00, 0x00, 0x00,
    0x00, // pixel format
    0x00, 0x00, 0x00, 0x05, // name length
    b'w', b'e', b'b', b'0', b'1', // name
];
const SET_PIXEL_FORMAT: &[u8] = &[
    0x00, 0x00, 0x00, 0x00, // type, padding
    0x20, 0x18, 0x00, 0x01, 0x00, 0xff, 0x00, 0xff, 0x00, 0xff, 0x10, 0x08, 0x00, 0x00, 0x00,
    0x00, // pixel format
];
const UPDATE_REQUEST: &[u8] = &[0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x40, 0x00, 0xf0];
const BANNER: &[u8] = b"RFB 003.008\n";
const CHALLENGE: &[u8] = &[
    0xb6, 0x39, 0x0a, 0x5c, 0xba, 0x47, 0x86, 0xa1, 0x24, 0x4c, 0x67, 0x66, 0x09, 0x65, 0x9c, 0x02,
];
const RESPONSE: &[u8] = &[
    0xbf, 0x26, 0x5d, 0x9a, 0x06, 0x3a, 0xbf, 0x88, 0xee, 0x46, 0xa3, 0xdb, 0xf3, 0x39, 0x39, 0x7d,
];
const OK: &[u8] = &[0, 0, 0, 0];
const FAILED: &[u8] = &[0, 0, 0, 1];

fn web01() -> Message {
    Message::ServerInit(ServerInit {
        width: 320,
        height: 240,
        bits_per_pixel: 16,
        depth: 16,
        name_length: 5,
        name: b"web01".to_vec(),
    })
}

fn greeting(server: ProtocolVersion, client: ProtocolVersion) -> Vec<Message> {
    vec![
        Message::ServerVersion {
            version: server,
            server: Side::Responder,
        },
        Message::ClientVersion(client),
    ]
}

/// A greeting in 3.8 and what follows.
fn after_3_8(messages: &[Message]) -> Vec<Message> {
    let mut all = greeting(version(3, 8), version(3, 8));
    all.extend_from_slice(messages);
    all
}

/// What a session of any type ends with.
fn session_follows() -> [Message; 3] {
    [
        Message::ClientInit { shared: true },
        web01(),
        Message::Session,
    ]
}
