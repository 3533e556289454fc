//! See [`super`].

/// RDP: the answers do not depend on how the octets are cut, and a session takes no more than it was given. The first
/// octet chooses who sends how much: its bits name the sender of each 32 octets.
pub fn rdp(input: &[u8]) {
    use crate::rdp;
    use crate::{Side, Step};

    let Some((senders, octets)) = input.split_first() else {
        return;
    };
    for port in [false, true] {
        if let Step::NeedMore(missing) = rdp::recognise(octets, port) {
            assert!(missing > 0, "asks for nothing");
        }
    }
    if let Step::Done(_, used) = rdp::tpdu(octets) {
        assert!(used <= octets.len(), "took {used} of {}", octets.len());
    }
    let _ = (rdp::connect_initial(octets), rdp::connect_response(octets));

    let run = |size: usize| {
        let mut session = rdp::Session::new();
        let mut kept = [Vec::new(), Vec::new()];
        let mut messages = [Vec::new(), Vec::new()];
        for (turn, sent) in octets.chunks(32).enumerate() {
            let from = Side::BOTH
                .into_iter()
                .nth(usize::from(senders >> (turn % 8) & 1))
                .unwrap_or(Side::Originator);
            for piece in sent.chunks(size) {
                let Some(buffer) = kept.get_mut(from.index()) else {
                    return messages;
                };
                buffer.extend_from_slice(piece);
                let fed = session.feed(from, buffer, |message| {
                    messages
                        .get_mut(from.index())
                        .map(|list| list.push(message))
                        .unwrap_or_default();
                });
                match fed {
                    Ok(used) => {
                        assert!(used <= buffer.len(), "took {used} of {}", buffer.len());
                        buffer.drain(..used);
                    }
                    Err(_) => return messages,
                }
            }
        }
        messages
    };
    assert_eq!(run(1), run(32), "the cut changes the messages");

    let watched = |size: usize| {
        let mut watch = rdp::LoginWatch::default();
        let mut sides = octets.chunks(32).zip([true, false].into_iter().cycle());
        sides.find_map(|(sent, is_client)| {
            sent.chunks(size)
                .find_map(|piece| watch.feed(is_client, piece))
        })
    };
    assert_eq!(watched(1), watched(32), "the cut changes the log-in");
}
