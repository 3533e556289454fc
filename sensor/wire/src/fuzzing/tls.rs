//! See [`super`].

/// TLS: a session tells the same however its octets are cut, and takes all of them; fingerprints have their form.
pub fn tls(data: &[u8]) {
    use crate::tls::{
        Certificate, Ja4Transport, Session, client_hello, embedded, opening, record_header,
    };
    use crate::{Side, Step};

    if let Step::Done(_, used) = record_header(data) {
        assert!(used <= data.len());
    }
    let _ = opening(data);
    if let Some(hello) = embedded(data).and_then(|place| data.get(place..)) {
        // What is found inside is taken for an opening too.
        assert!(matches!(opening(hello), Step::Done(..)));
    }
    let _ = Certificate::from_der(data);
    if let Some(hello) = client_hello(data) {
        assert_eq!(hello.ja3().len(), 32);
        assert_eq!(hello.ja4(Ja4Transport::Tcp).len(), 36);
    }
    // The first octet says how the rest is cut.
    let Some((&size, stream)) = data.split_first() else {
        return;
    };
    let told = |size: usize| {
        let mut session = Session::default();
        let mut told = Vec::new();
        let mut fault = None;
        for piece in stream.chunks(size.max(1)) {
            let messages = |message: crate::tls::Message<'_>| told.push(format!("{message:?}"));
            match session.feed(Side::Originator, piece, messages) {
                Ok(used) => assert_eq!(used, piece.len()),
                Err(violation) => {
                    fault = Some(violation);
                    break;
                }
            }
        }
        (told, fault)
    };
    assert_eq!(told(usize::from(size)), told(stream.len()));
}

#[cfg(test)]
mod tls_tests {
    use proptest::prelude::*;

    use crate::tls::{ContentType, HandshakeType, samples};

    #[test]
    fn tls_holds_for_real_handshakes() {
        let client = samples::message(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
        let certificate = samples::certificate(&[samples::CERTIFICATE]);
        let server = [
            samples::message(HandshakeType::SERVER_HELLO, &samples::server_hello_1_3()),
            samples::message(HandshakeType::CERTIFICATE, &certificate),
        ]
        .concat();
        for octets in [client, server] {
            super::tls(octets.get(4..).unwrap());
            for record in [1, 3, 50, 4000] {
                for size in [1, 2, 9, 255] {
                    let stream = samples::records(ContentType::HANDSHAKE, &octets, record);
                    super::tls(&[&[size], &stream[..]].concat());
                }
            }
        }
        super::tls(samples::CERTIFICATE);
    }

    proptest! {
        #[test]
        fn tls_holds_for_random_octets(data in prop::collection::vec(any::<u8>(), 0..200)) {
            super::tls(&data);
        }

        #[test]
        fn tls_holds_for_a_handshake_with_changed_octets(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            size in any::<u8>(),
        ) {
            let mut stream = samples::flight(HandshakeType::CLIENT_HELLO, &samples::chrome("a.example"));
            for (place, value) in changes {
                let place = place.index(stream.len());
                stream[place] = value;
            }
            super::tls(&[&[size], &stream[..]].concat());
        }
    }
}
