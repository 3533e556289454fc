//! Laws that every decoder keeps, for the tests of this crate and its users.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed law is a panic"
)]

use std::fmt::Debug;

use crate::{Side, Step};

/// All cuts of an input lead to the same answer: a prefix either asks for more or answers as the whole does.
///
/// # Panics
/// When a cut changes the answer.
pub fn assert_same_however_cut<M: PartialEq + Debug>(
    decode: impl Fn(&[u8]) -> Step<M>,
    input: &[u8],
) {
    let whole = decode(input);
    for cut in 0..input.len() {
        match decode(&input[..cut]) {
            Step::NeedMore(missing) => assert!(missing > 0, "cut at {cut}: asks for nothing"),
            early => assert_eq!(early, whole, "cut at {cut}: changes its mind"),
        }
    }
}

/// Feeds a conversation to a session in pieces of `size` octets, keeping unread octets as the engine does, and returns
/// what `feed` emitted. `feed` answers how many octets it consumed, or `None` when it is finished or violated.
pub fn in_pieces(
    conversation: &[(Side, &[u8])],
    size: usize,
    mut feed: impl FnMut(Side, &[u8]) -> Option<usize>,
) {
    let mut kept = [Vec::new(), Vec::new()];
    for (side, octets) in conversation {
        for piece in octets.chunks(size.max(1)) {
            let buffer: &mut Vec<u8> = &mut kept[side.index()];
            buffer.extend_from_slice(piece);
            // Both sides are offered again until neither has octets that are consumed, as the engine does: a session may
            // have waited for the other side, or may tell a fault only when it is asked again.
            let (mut offered, mut idle) = (*side, 0);
            while idle < 2 {
                let buffer = &mut kept[offered.index()];
                let Some(used) = feed(offered, buffer) else {
                    return;
                };
                assert!(
                    used <= buffer.len(),
                    "consumed {used} of {} octets",
                    buffer.len()
                );
                buffer.drain(..used);
                idle = if used == 0 { idle + 1 } else { 0 };
                offered = offered.other();
            }
        }
    }
}
