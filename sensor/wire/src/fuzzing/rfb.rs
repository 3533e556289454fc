//! See [`super`].

/// A conversation in RFB: each piece is a head octet (side, a gap, how long) and its octets. Nothing is consumed that was
/// not given, a finished session says nothing more, and what it says stays bounded.
///
/// # Panics
/// When a law is broken.
pub fn rfb(data: &[u8]) {
    use crate::{Side, rfb};

    let mut session = rfb::Session::new();
    let mut pending = [Vec::new(), Vec::new()];
    let mut rest = data;
    let mut told = 0usize;
    while let Some((&head, after)) = rest.split_first() {
        let side = if head & 1 == 0 {
            Side::Responder
        } else {
            Side::Originator
        };
        let (piece, after) = after
            .split_at_checked(usize::from(head >> 2))
            .unwrap_or((after, &[]));
        rest = after;
        if head & 2 != 0 && piece.len() < 4 {
            pending.iter_mut().for_each(Vec::clear);
            session.gap(side, piece.len() as u64);
            continue;
        }
        for offered in [side, side.other()] {
            let Some(octets) = pending.get_mut(offered.index()) else {
                continue;
            };
            if offered == side {
                octets.extend_from_slice(piece);
            }
            let was_finished = session.is_finished();
            let before = told;
            let Ok(used) = session.feed(offered, octets, |_| told += 1) else {
                return;
            };
            assert!(used <= octets.len(), "consumed more than was given");
            assert!(!was_finished || told == before, "spoke after its end");
            octets.drain(..used);
        }
    }
    session.end(|_| told += 1);
    assert!(told <= 64 + data.len(), "said more than it heard");
    let _ = rfb::server_init(data);
    if let crate::Step::Done(_, used) = rfb::opening(data) {
        assert!(used <= data.len());
    }
}
