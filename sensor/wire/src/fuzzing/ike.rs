//! See [`super`].

/// IKE: a message is whole or nothing, its lists are bounded, and one question is no session.
///
/// # Panics
/// When a law is broken.
pub fn ike(data: &[u8]) {
    use crate::Side;
    use crate::ike::{MAX_VENDORS, Session, message};

    if let Some(found) = message(data) {
        assert!(found.initiator != 0, "no initiator");
        assert!(found.vendors.len() <= MAX_VENDORS, "too many vendors");
        if let Some((_, cut)) = data.split_last() {
            assert_eq!(message(cut), None, "a message that is cut");
        }
        let mut session = Session::default();
        let known = session.feed(Side::Originator, data, false);
        assert_eq!(known.map(|known| known.is_some()), Ok(found.responder != 0));
    }
    let mut stream = crate::ike::Stream::default();
    for (side, piece) in super::datagrams(data) {
        match stream.feed(side, piece) {
            Ok((used, _)) => assert!(used <= piece.len(), "more than there was"),
            Err(_) => break,
        }
    }
    let mut session = Session::default();
    for (side, datagram) in super::datagrams(data) {
        if !matches!(session.feed(side, datagram, true), Ok(None)) {
            break;
        }
    }
}

#[cfg(test)]
mod ike_tests {
    use proptest::prelude::*;

    /// SA_INIT with a nonce.
    fn question(responder: u8) -> Vec<u8> {
        let mut data = vec![7; 8];
        data.extend([responder; 8]);
        data.extend([40, 0x20, 34, 0x08, 0, 0, 0, 0, 0, 0, 0, 36]);
        data.extend([0, 0, 0, 8, 9, 9, 9, 9]);
        data
    }

    #[test]
    fn laws_hold_for_a_question_and_an_answer() {
        super::ike(&question(0));
        super::ike(&question(1));
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::ike(&data);
            super::ike(&[question(0), data].concat());
        }
    }
}
