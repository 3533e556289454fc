//! See [`super`].

/// WebSocket: no piece size changes what a session makes of a side, and an early answer about a frame's head holds.
///
/// The first octet says what was agreed on, the second is the size of the pieces.
///
/// # Panics
/// When a law is broken.
pub fn websocket(data: &[u8]) {
    use crate::websocket::{Agreement, Event, Session, frame_head};
    use crate::{Side, Step};

    let (&[agreed, size], octets) = data
        .split_first_chunk()
        .map_or((&[0, 1], data), |(head, rest)| (head, rest));
    let subprotocol = if agreed & 1 == 0 { "binary" } else { "base64" };
    let extensions = match agreed & 6 {
        0 => None,
        2 => Some("permessage-deflate"),
        _ => Some("permessage-deflate; server_no_context_takeover"),
    };
    let agreement = Agreement::of_answer(Some(subprotocol), extensions);
    let run = |size: usize| {
        let mut session = Session::new(Side::Originator, agreement);
        let mut found = Vec::new();
        let mut kept = Vec::new();
        for piece in octets.chunks(size) {
            kept.extend_from_slice(piece);
            let used = session.feed(Side::Responder, &kept, |event| match event {
                Event::Octets(octets) => found.extend_from_slice(octets),
                Event::EndOfMessage => found.push(b'|'),
                Event::Close => found.push(b'.'),
            });
            match used {
                Ok(used) => {
                    assert!(used <= kept.len(), "consumed more than there is");
                    kept.drain(..used);
                    assert!(kept.len() < 14, "keeps more than a frame's head");
                }
                // How much of a broken message comes out before the fault depends on the pieces.
                Err(_) => return None,
            }
        }
        Some(found)
    };
    let size = usize::from(size).max(1);
    assert_eq!(run(size), run(usize::MAX), "pieces of {size}");
    let whole = frame_head(octets);
    if let Some(prefix) = octets.get(..size.min(octets.len())) {
        match frame_head(prefix) {
            Step::NeedMore(missing) => assert!(missing > 0, "asks for nothing"),
            early => assert_eq!(early, whole, "changes its mind"),
        }
    }
}

#[cfg(test)]
mod websocket_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_real_messages() {
        super::websocket(b"\x00\x03\x82\x0cRFB 003.008\n\x89\x00\x01\x01a\x80\x01b\x88\x00");
        super::websocket(
            b"\x02\x02\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00",
        );
        super::websocket(b"\x01\x05\x81\x10UkZCIDAwMy4wMDgK");
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(
            agreed in 0_u8..8,
            size in 1_u8..40,
            frames in proptest::collection::vec(
                (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let mut data = vec![agreed, size];
            for (first, payload) in frames {
                data.push(first & 0xcf);
                data.push(u8::try_from(payload.len()).unwrap());
                data.extend(payload);
            }
            super::websocket(&data);
        }
    }
}
