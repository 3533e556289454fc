//! See [`super`].

/// DTLS: datagrams of any size and order are read without harm, a message that is told once whole is told the same in
/// fragments, and fingerprints have their form.
pub fn dtls(data: &[u8]) {
    use crate::Side;
    use crate::dtls::{Session, opening, without_cookie};
    use crate::tls::{Ja4Transport, Message};

    let _ = opening(data);
    if let Some(body) = without_cookie(data) {
        assert!(body.len() < data.len());
    }
    // Datagrams: each behind an octet with its length.
    let mut session = Session::default();
    let mut rest = data;
    while let Some((&length, behind)) = rest.split_first() {
        let (datagram, behind) = behind.split_at(usize::from(length).min(behind.len()));
        let _ = session.feed(Side::Originator, datagram, |message| {
            if let Message::ClientHello(hello) = message {
                assert_eq!(hello.ja4(Ja4Transport::Dtls).len(), 36);
            }
        });
        rest = behind;
    }
    // A hello: the first octet says how long its fragments are, and they come in reverse.
    let Some((&size, body)) = data.split_first() else {
        return;
    };
    let size = usize::from(size).max(body.len().div_ceil(90)).max(1);
    let told = |size: usize| {
        let mut session = Session::default();
        let mut told = Vec::new();
        let mut fault = None;
        let starts = (0..body.len()).step_by(size).rev();
        for from in starts {
            let datagram = hello(body, from, size);
            let messages = |message: Message<'_>| told.push(format!("{message:?}"));
            fault = session
                .feed(Side::Responder, &datagram, messages)
                .err()
                .or(fault);
        }
        (told, fault)
    };
    if (1..1 << 14).contains(&body.len()) {
        assert_eq!(told(size), told(body.len()));
    }
}

/// A datagram with a fragment of a ClientHello of less than 16 KiB.
fn hello(body: &[u8], from: usize, size: usize) -> Vec<u8> {
    let part = body.get(from..).unwrap_or_default();
    let part = part.get(..size).unwrap_or(part);
    let number = |number: usize| u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes();
    let ([record_0, record_1], [length_0, length_1], [from_0, from_1], [part_0, part_1]) = (
        number(part.len() + 12),
        number(body.len()),
        number(from),
        number(part.len()),
    );
    let record = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, record_0, record_1]; // of epoch 0
    let message = [1, 0, length_0, length_1, 0, 0]; // ClientHello, message 0
    let fragment = [0, from_0, from_1, 0, part_0, part_1];
    [&record[..], &message, &fragment, part].concat()
}

#[cfg(test)]
mod dtls_tests {
    use proptest::prelude::*;

    use crate::dtls::samples;
    use crate::tls::HandshakeType;

    #[test]
    fn dtls_holds_for_a_real_hello() {
        let hello = samples::client_hello("a.example", &[3; 20]);
        for size in [1, 7, 60, 255] {
            super::dtls(&[&[size], &hello[..]].concat());
        }
        let datagram = samples::datagram(HandshakeType::CLIENT_HELLO, &hello, 0);
        let length = u8::try_from(datagram.len()).unwrap();
        super::dtls(&[&[length], &datagram[..], &[length], &datagram[..]].concat());
    }

    proptest! {
        #[test]
        fn dtls_holds_for_random_octets(data in prop::collection::vec(any::<u8>(), 0..300)) {
            super::dtls(&data);
        }

        #[test]
        fn dtls_holds_for_a_hello_with_changed_octets(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            size in any::<u8>(),
        ) {
            let mut octets = samples::client_hello("a.example", &[]);
            octets.insert(0, size);
            for (place, value) in changes {
                let place = place.index(octets.len());
                octets[place] = value;
            }
            super::dtls(&octets);
        }
    }
}
