//! See [`super`].

/// OpenVPN: no piece size changes what a stream of packets says, nothing is known of a single packet, and each is told once.
///
/// The first octet is the size of the pieces, its highest bit who sends.
///
/// # Panics
/// When a law is broken.
pub fn openvpn(data: &[u8]) {
    use crate::openvpn::{self, Message, Scrambled, Session};
    use crate::{Side, Step};

    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let from = if first & 0x80 == 0 {
        Side::Originator
    } else {
        Side::Responder
    };
    let run = |size: usize| {
        let mut session = Session::default();
        let mut said = Vec::new();
        let (mut known, mut packets) = (0, 0);
        let mut kept: Vec<u8> = Vec::new();
        for piece in data.chunks(size.max(1)) {
            kept.extend_from_slice(piece);
            while let Step::Done(packet, used) = openvpn::framed(&kept) {
                packets += 1;
                let fed = session.feed(from, packet, |message| match message {
                    Message::Known(_) => known += 1,
                    Message::Tls(octets) => said.extend_from_slice(octets),
                });
                if fed.is_err() {
                    return (said, known);
                }
                kept.drain(..used);
            }
        }
        assert!(known <= 1, "told {known} times");
        assert!(known == 0 || packets > 1, "one packet is no session");
        assert!(said.len() <= data.len(), "more than there is");
        (said, known)
    };
    assert_eq!(run(usize::from(first & 0x7f)), run(usize::MAX), "pieces");

    let mut scrambled = Scrambled::default();
    let mut packets = 0;
    for (side, packet) in super::datagrams(data) {
        packets += 1;
        match scrambled.feed(side, packet) {
            Ok(Some(_)) => {
                assert!(packets >= Scrambled::PACKETS, "after {packets} packets");
                break;
            }
            Ok(None) => {}
            Err(_) => break,
        }
    }
}

#[cfg(test)]
mod openvpn_tests {
    use proptest::prelude::*;

    /// A client's reset, and the first piece of its TLS session.
    fn packets() -> Vec<u8> {
        let mut data = vec![5];
        data.extend([0, 14, 0x38, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0]);
        data.extend([0, 17, 0x20, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 1]);
        data.extend(*b"\x16\x03\x01");
        data
    }

    #[test]
    fn laws_hold_for_real_packets() {
        super::openvpn(&packets());
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..400)) {
            super::openvpn(&data);
            super::openvpn(&[packets(), data].concat());
        }
    }
}
