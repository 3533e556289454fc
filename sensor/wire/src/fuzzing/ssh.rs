//! See [`super`].

/// SSH: no piece size changes what a session makes of a conversation, and an early answer of the opening holds.
///
/// The first octet is the size of the pieces; each part behind a `0xff` is of the other side.
///
/// # Panics
/// When a law is broken.
pub fn ssh(data: &[u8]) {
    use crate::{Step, ssh};

    let run = |size: usize| {
        let mut session = ssh::Session::default();
        super::conversation(data, size, |from, input| {
            let used = session.feed(from, input);
            used.ok().filter(|_| !session.is_finished())
        });
        session.handshake().clone()
    };
    let size = data.first().map_or(1, |&size| usize::from(size).max(1));
    let handshake = run(usize::MAX);
    assert_eq!(run(size), handshake, "pieces of {size}");
    for identification in handshake.identification.iter().flatten() {
        // Each octet is written as four characters at most.
        assert!(identification.text.len() <= 4 * ssh::MAX_IDENTIFICATION);
        assert!(!identification.text.contains(char::is_control));
    }
    let whole = ssh::opening(data);
    match ssh::opening(data.get(..size.min(data.len())).unwrap_or_default()) {
        Step::NeedMore(missing) => assert!(missing > 0, "asks for nothing"),
        early => assert_eq!(early, whole, "changes its mind"),
    }
}

#[cfg(test)]
mod ssh_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_a_real_conversation() {
        super::ssh(b"\x03hello\r\nSSH-2.0-dropbear_2022.83\r\n\xffSSH-2.0-OpenSSH_9.2p1\r\n\x00\x00\x00\x0c\x0a\x15aaaaaaaaaa\xff\x00\x00\x00\x0c\x0a\x02aaaaaaaaaa");
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::ssh(&data);
        }

        #[test]
        fn laws_hold_behind_identifications(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::ssh(&[b"\x05SSH-2.0-a\n\xffSSH-1.99-b\n\xff", &data[..]].concat());
        }
    }
}
