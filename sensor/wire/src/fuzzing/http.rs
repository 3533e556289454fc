//! See [`super`].

/// HTTP/1: no piece size changes what a session makes of a conversation, and an early answer of the first line holds.
///
/// The first octet is the size of the pieces; each part behind a `0xff` is of the other side.
///
/// # Panics
/// When a law is broken.
pub fn http(data: &[u8]) {
    use crate::{Side, Step, http};

    let (size, data) = data
        .split_first()
        .map_or((1, data), |(&size, data)| (usize::from(size).max(1), data));
    let parts = data.split(|&octet| octet == 0xff);
    let run = |size: usize| {
        let mut session = http::Session::default();
        let mut found = Vec::new();
        let mut kept = [Vec::new(), Vec::new()];
        let mut sides = Side::BOTH.into_iter().cycle();
        for part in parts.clone() {
            let Some(from) = sides.next() else { break };
            for piece in part.chunks(size) {
                if let Some(buffer) = kept.get_mut(from.index()) {
                    buffer.extend_from_slice(piece);
                }
                for offered in [from, from.other(), from] {
                    let Some(buffer) = kept.get_mut(offered.index()) else {
                        continue;
                    };
                    match session.feed(offered, buffer, |message| found.push(message)) {
                        Ok(used) => {
                            assert!(used <= buffer.len(), "consumed more than there is");
                            buffer.drain(..used);
                        }
                        Err(_) => return found,
                    }
                    if session.is_finished() {
                        return found;
                    }
                }
            }
        }
        found
    };
    assert_eq!(run(size), run(usize::MAX), "pieces of {size}");
    let whole = http::opening(data);
    if let Some(prefix) = data.get(..size.min(data.len())) {
        match http::opening(prefix) {
            Step::NeedMore(missing) => assert!(missing > 0, "asks for nothing"),
            early => assert_eq!(early, whole, "changes its mind"),
        }
    }
}

#[cfg(test)]
mod http_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_a_real_conversation() {
        super::http(
            b"\x03GET / HTTP/1.1\r\nHost: a\r\n\r\n\xffHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi\xffHEAD / HTTP/1.1\r\n\r\n",
        );
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            super::http(&data);
        }
    }
}
