//! See [`super`].

/// SOCKS: no piece size changes what a session makes of a conversation, and an early answer of the opening holds.
///
/// The first octet is the size of the pieces; each part behind a `0xff` is of the other side.
///
/// # Panics
/// When a law is broken.
pub fn socks(data: &[u8]) {
    use crate::{Step, socks};

    let run = |size: usize| {
        let mut session = socks::Session::default();
        super::conversation(data, size, |from, input| {
            let used = session.feed(from, input);
            used.ok().filter(|_| !session.is_finished())
        });
        (session.exchange().clone(), session.is_carrier())
    };
    let size = data.first().map_or(1, |&size| usize::from(size).max(1));
    let (exchange, carrier) = run(usize::MAX);
    assert_eq!(run(size), (exchange.clone(), carrier), "pieces of {size}");
    if let Some(request) = &exchange.request {
        assert!(request.command.name().is_some() && request.destination.host.len() <= 255);
    }
    let data = data.get(1..).unwrap_or_default();
    let whole = socks::opening(data);
    match socks::opening(data.get(..size.min(data.len())).unwrap_or_default()) {
        Step::NeedMore(missing) => assert!(missing > 0, "asks for nothing"),
        early => assert_eq!(early, whole, "changes its mind"),
    }
}

#[cfg(test)]
mod socks_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_real_conversations() {
        super::socks(b"\x03\x05\x01\x00\xff\x05\x00\xff\x05\x01\x00\x03\x01a\x00\x50\xff\x05\x00\x00\x01\0\0\0\0\0\0");
        super::socks(b"\x02\x04\x01\x00\x50\x0a\x00\x00\x01bob\0\xff\x00\x5a\0\0\0\0\0\0");
    }

    #[test]
    fn what_follows_a_password_waits_for_its_outcome() {
        // The client says more behind its password, before the server has told whether it is right.
        super::socks(
            b"\x09\x05\x03\x00\x01\x02\xff\x05\x02\xff\x01\x05alice\x00guesWgd1\xff\x01\x01",
        );
        super::socks(
            b"\x09\x05\x03\x00\x01\x02\xff\x05\x02\xff\x01\x05alice\x08secret12\x90\x01\x00\xff\x05\x01\x00",
        );
    }

    #[test]
    fn data_behind_a_request_waits_for_what_the_server_said() {
        // Damaged: the name is shorter than it was, so what is left of it is data that come before the reply.
        super::socks(
            b"\x09\x05\x02\x00\x01\xff\x05\x00\xff\x05\x01\x00\x03\x0bwww.example.org\x00P\xff\x05\x00\x00\x01\0\0\0\0\0\0",
        );
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(
            data in proptest::collection::vec(prop_oneof![0_u8..6, any::<u8>()], 0..200),
        ) {
            super::socks(&data);
        }

        #[test]
        fn laws_hold_behind_a_greeting(
            data in proptest::collection::vec(prop_oneof![0_u8..6, Just(0xff), any::<u8>()], 0..100),
        ) {
            super::socks(&[b"\x04\x05\x02\x00\x02\xff\x05\x02\xff", &data[..]].concat());
        }
    }
}
