//! See [`super`].

/// WireGuard: no single datagram is a session, and what is known was said by datagrams that are messages.
///
/// Before each datagram two octets: the lowest bit of the first says who sends, the second how long it is.
///
/// # Panics
/// When a law is broken.
pub fn wireguard(data: &[u8]) {
    use crate::wireguard::{Session, message};

    let mut session = Session::default();
    let mut count = 0;
    for (side, datagram) in super::datagrams(data) {
        let is_message = message(datagram).is_some();
        let fed = session.feed(side, datagram);
        if !is_message {
            assert!(fed.is_err(), "what is no message is taken");
            return;
        }
        count += 1;
        match fed {
            Ok(Some(_)) => {
                assert!(count > 1, "one datagram is no session");
                return;
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod wireguard_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_a_handshake() {
        let mut data = vec![0xff, 148];
        data.extend([1, 0, 0, 0, 7, 0, 0, 0]);
        data.resize(2 + 148, 3);
        data.extend([0xfe, 92]);
        data.extend([2, 0, 0, 0, 8, 0, 0, 0, 7, 0, 0, 0]);
        data.resize(2 + 148 + 2 + 92, 3);
        super::wireguard(&data);
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..600)) {
            super::wireguard(&data);
        }
    }
}
