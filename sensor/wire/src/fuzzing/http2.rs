//! See [`super`].

/// HTTP/2: no piece size changes what a session makes of a client, and what it hands out is bounded.
///
/// The first octet is the size of the pieces; the preface is put before the rest.
///
/// # Panics
/// When a law is broken.
pub fn http2(data: &[u8]) {
    use crate::Side;
    use crate::http::{MAX_METHOD, MAX_TARGET};
    use crate::http2::{Message, Session};

    let (size, data) = data
        .split_first()
        .map_or((1, data), |(&size, data)| (usize::from(size).max(1), data));
    let octets = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", data].concat();
    let run = |size: usize| {
        let mut session = Session::default();
        let mut found: Vec<String> = Vec::new();
        let mut body = Vec::new();
        let mut kept = Vec::new();
        for piece in octets.chunks(size) {
            kept.extend_from_slice(piece);
            let used = session.feed(Side::Originator, &kept, |message| match message {
                Message::Octets(stream, _, octets) => {
                    body.extend(octets.iter().map(|&octet| (stream, octet)));
                }
                Message::Request(stream, request) => {
                    assert!(request.method.len() <= MAX_METHOD, "a long method");
                    assert!(request.target.len() <= MAX_TARGET, "a long target");
                    found.push(format!("{stream} {request:?}"));
                }
                message => found.push(format!("{message:?}")),
            });
            match used {
                Ok(used) => {
                    assert!(used <= kept.len(), "consumed more than there is");
                    kept.drain(..used);
                }
                Err(violation) => {
                    found.push(violation.to_string());
                    break;
                }
            }
        }
        (found, body)
    };
    assert_eq!(run(size), run(usize::MAX), "pieces of {size}");
}

#[cfg(test)]
mod http2_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_a_real_request() {
        super::http2(
            b"\x05\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x14\x01\x05\x00\x00\x00\x01\x82\x86\x84\x41\x0fwww.example.com",
        );
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(
            size in any::<u8>(),
            frames in proptest::collection::vec(
                (0_u8..11, any::<u8>(), 0_u8..3, proptest::collection::vec(any::<u8>(), 0..60)), 0..8),
        ) {
            let mut data = vec![size];
            for (kind, flags, stream, payload) in frames {
                data.extend([0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream]);
                data.extend(payload);
            }
            super::http2(&data);
        }
    }
}
