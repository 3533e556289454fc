use proptest::prelude::*;

use super::*;
use crate::testing::assert_same_however_cut;

fn register_peer() -> Vec<u8> {
    let mut octets = vec![
        0x32, 13, // register_peer
        0x0a, 9, // id
    ];
    octets.extend(b"123456789");
    octets.extend([0x10, 0x2a]); // serial
    octets
}

fn register_pk() -> Vec<u8> {
    let mut inner = vec![0x0a, 9]; // id
    inner.extend(b"123456789");
    inner.extend([0x12, 16]); // uuid
    inner.extend([0xa5; 16]);
    inner.extend([0x1a, 32]); // pk
    inner.extend([0x5a; 32]);
    let mut octets = vec![0x7a, inner.len() as u8]; // register_pk
    octets.extend(inner);
    octets
}

fn framed(message: &[u8]) -> Vec<u8> {
    let mut octets = if message.len() < 64 {
        vec![(message.len() << 2) as u8]
    } else {
        let head = message.len() << 2 | 1;
        vec![head as u8, (head >> 8) as u8]
    };
    octets.extend(message);
    octets
}

#[test]
fn reads_a_registration_in_a_datagram() {
    let message = Message {
        kind: "register_peer",
        id: Some("123456789".to_owned()),
        sender: Sender::Client,
    };
    assert_eq!(datagram(&register_peer()), Some(message));
    let mut cut = register_peer();
    cut.pop();
    assert_eq!(datagram(&cut), None);
    let mut more = register_peer();
    more.push(0);
    assert_eq!(datagram(&more), None);
}

#[test]
fn reads_framed_messages_however_cut() {
    for (message, kind) in [
        (register_peer(), "register_peer"),
        (register_pk(), "register_pk"),
    ] {
        let octets = framed(&message);
        match opening(&octets) {
            Step::Done(found, used) => {
                assert_eq!((found.kind, used), (kind, octets.len()));
            }
            other => panic!("{other:?}"),
        }
        assert_same_however_cut(opening, &octets);
    }
}

#[test]
fn the_key_of_a_server_is_its_first_message() {
    let mut message = vec![0xca, 0x01, 98]; // key_exchange
    message.extend([0x0a, 96]); // key, signed
    message.extend([0x77; 96]);
    let octets = framed(&message);
    assert!(
        matches!(opening(&octets), Step::Done(Message { sender: Sender::Server, .. }, used) if used == octets.len())
    );
}

#[test]
fn discovery_in_the_lan_says_ping_or_pong() {
    let mut message = vec![0xb2, 0x01, 6, 0x0a, 4]; // peer_discovery, cmd
    message.extend(b"ping");
    message.extend([0x1a, 0]); // id, empty
    message[2] = 8;
    assert_eq!(datagram(&message).map(|m| m.kind), Some("peer_discovery"));
    let at = message.len() - 3;
    message[at] = b'k';
    assert_eq!(datagram(&message), None);
}

#[test]
fn fields_of_another_kind_order_or_type_are_refused() {
    let id = b"\x0a\x09123456789";
    for inner in [
        &b"\x10\x2a\x0a\x09123456789"[..],        // serial before id
        b"\x0a\x0912345678\x01",                  // no text
        b"\x0a\x0312\x33",                        // too short an id
        b"\x12\x09123456789",                     // another type
        b"\x0a\x09123456789\x18\x01",             // a field that the kind has not
        b"\x0a\x09123456789\x15\x01\x02\x03\x04", // four fixed octets
    ] {
        let mut octets = vec![0x32, inner.len() as u8];
        octets.extend(inner);
        assert_eq!(datagram(&octets), None, "{inner:?}");
    }
    let mut octets = vec![0x32, id.len() as u8];
    octets.extend(id);
    assert!(datagram(&octets).is_some());
}

#[test]
fn other_protocols_are_refused_at_once() {
    for input in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\x00\x00\x00\x2f",
        b"\x03\x00\x00\x13",
        b"RFB 003.008\n",
    ] {
        assert!(
            matches!(opening(input), Step::NotThisProtocol(_)),
            "{input:?}"
        );
    }
}

proptest! {
    #[test]
    fn random_octets_are_refused_or_waited_for_within_bounds(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        match opening(&data) {
            Step::NeedMore(missing) => prop_assert!(missing > 0 && data.len() + missing <= MAX_LENGTH + 2),
            Step::Done(_, used) => prop_assert!(used <= data.len()),
            Step::NotThisProtocol(_) => {}
        }
        let _ = datagram(&data);
    }
}
