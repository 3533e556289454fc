//! See [`super`].

/// The openings of remote control and of tunnels: an early answer holds when more comes, nothing takes more than there is,
/// and no piece size changes what a session makes of a conversation.
///
/// The first octet is the size of the pieces; each part behind a `0xfe` is of the other side.
///
/// # Panics
/// When a law is broken.
pub fn remote(data: &[u8]) {
    use crate::*;

    let (size, data) = data
        .split_first()
        .map_or((1, data), |(&size, data)| (usize::from(size).max(1), data));
    prefix_holds(teamviewer::opening, data, size);
    prefix_holds(rustdesk::opening, data, size);
    prefix_holds(radmin::opening, data, size);
    prefix_holds(nomachine::banner, data, size);
    prefix_holds(telnet::command, data, size);
    prefix_holds(x11::set_up, data, size);
    prefix_holds(
        |input| x11::answer(input, x11::Order::MostFirst),
        data,
        size,
    );
    prefix_holds(frp::opening, data, size);
    prefix_holds(yamux::head, data, size);
    prefix_holds(yamux::opening, data, size);
    prefix_holds(rathole::hello, data, size);
    prefix_holds(xpra::hello, data, size);
    let _ = teamviewer::is_datagram(data);
    let _ = rustdesk::datagram(data);
    let _ = xdmcp::message(data);
    if let Step::Done(_, used) = rsh::request(data) {
        assert_eq!(used, data.len(), "a request is all that a client says");
    }

    pieces_do_not_matter(data, size, |session: &mut telnet::Session, from, input| {
        let used = session.feed(from, input).ok()?;
        (!session.told()).then_some(used)
    });
    pieces_do_not_matter(data, size, |session: &mut x11::Session, from, input| {
        let used = session.feed(from, input).ok()?;
        session.answer().is_none().then_some(used)
    });
    pieces_do_not_matter(data, size, |session: &mut rathole::Session, from, input| {
        let used = session.feed(from, input).ok()?;
        session.told().is_none().then_some(used)
    });
    pieces_do_not_matter(
        data,
        size,
        |session: &mut nomachine::Session, from, input| {
            let used = session.feed(from, input, |_, _| {}).ok()?;
            (!session.is_over()).then_some(used)
        },
    );
    pieces_do_not_matter(data, size, |session: &mut yamux::Session, from, input| {
        let used = session.feed(from, input, |_| {}).ok()?;
        (!session.is_told()).then_some(used)
    });
}

fn prefix_holds<M: PartialEq + std::fmt::Debug>(
    decode: impl Fn(&[u8]) -> crate::Step<M>,
    data: &[u8],
    size: usize,
) {
    use crate::Step;

    let whole = decode(data);
    if let Step::Done(_, used) = &whole {
        assert!(*used <= data.len(), "takes more than there is");
    }
    let Some(prefix) = data.get(..size.min(data.len())) else {
        return;
    };
    match decode(prefix) {
        Step::NeedMore(missing) => assert!(missing > 0, "asks for nothing"),
        Step::Done(early, _) => match whole {
            Step::Done(late, _) => assert_eq!(early, late, "changes its mind"),
            other => panic!("was {early:?}, is {other:?}"),
        },
        early @ Step::NotThisProtocol(_) => {
            assert!(
                matches!(whole, Step::NotThisProtocol(_)),
                "was {early:?}, is {whole:?}"
            );
        }
    }
}

/// What a session knows at the end: its debug form, compared between pieces of two sizes.
fn pieces_do_not_matter<S: Default + std::fmt::Debug>(
    data: &[u8],
    size: usize,
    feed: impl Fn(&mut S, crate::Side, &[u8]) -> Option<usize>,
) {
    let run = |size: usize| {
        let mut session = S::default();
        let mut kept = [Vec::new(), Vec::new()];
        let mut sides = crate::Side::BOTH.into_iter().cycle();
        for part in data.split(|&octet| octet == 0xfe) {
            let Some(from) = sides.next() else { break };
            for piece in part.chunks(size) {
                if let Some(buffer) = kept.get_mut(from.index()) {
                    buffer.extend_from_slice(piece);
                }
                for offered in [from, from.other(), from] {
                    let Some(buffer) = kept.get_mut(offered.index()) else {
                        continue;
                    };
                    let used = feed(&mut session, offered, buffer)?;
                    assert!(used <= buffer.len(), "consumed more than there is");
                    buffer.drain(..used);
                }
            }
        }
        Some(format!("{session:?}"))
    };
    // A session that has ended knows what it knows; one that goes on must know the same however it was fed.
    if let (Some(pieces), Some(whole)) = (run(size), run(usize::MAX)) {
        assert_eq!(pieces, whole, "pieces of {size}");
    }
}

#[cfg(test)]
mod remote_tests {
    use proptest::prelude::*;

    #[test]
    fn laws_hold_for_real_octets() {
        for octets in [
            &b"\x03\xff\xfd\x18\xff\xfb\x01\xfe\xff\xfb\x18"[..],
            b"\x05l\0\x0b\0\0\0\0\0\0\0\0\0\xfe\x01\0\x0b\0\0\0",
            b"\x02\x17\x24\x0a\x20\x00\x00",
            b"\x04\x01\0\0\0\x01\0\0\0\x08\x08",
            b"\x06NXSH-8.1.0\n\xfeNXD-8.1.0\n\x16",
            b"\x09\0\x01\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02hi\xfe\0\x01\0\x02\0\0\0\x01\0\0\0\0",
            b"\x0b1022\0root\0root\0id\0\xfe\0",
        ] {
            super::remote(octets);
        }
    }

    proptest! {
        #[test]
        fn laws_hold_for_random_octets(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            super::remote(&data);
        }

        #[test]
        fn laws_hold_behind_real_openings(
            start in proptest::sample::select(vec![
                &b"\xff\xfd\x18"[..], b"l\0\x0b\0\0\0", b"\x17\x24", b"\x11\x30", b"\x01\0\0\0", b"\0\0\0\0\x01",
                b"NXSH-", b"\0\x01\0\x01\0\0\0\x01", b"o\0\0\0\0\0\0\0", b"\x34\x32",
            ]),
            size in 1_u8..40,
            data in proptest::collection::vec(any::<u8>(), 0..120),
        ) {
            super::remote(&[&[size], start, &data[..]].concat());
        }
    }
}
