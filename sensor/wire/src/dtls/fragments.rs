//! Fragments to messages, and messages into their order.

use std::collections::VecDeque;

use super::Fragment;
use crate::tls::{HandshakeType, MAX_MESSAGE};

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) kind: HandshakeType,
    pub(super) message: u16,
    /// Empty for a message that nobody reads.
    pub(super) body: Vec<u8>,
}

/// The messages of one side that are not handed out yet.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    /// Number of the message that is handed out next; `None` before the first hello.
    next: Option<u16>,
    parts: Vec<Part>,
    /// Whole messages that came early, by number.
    early: VecDeque<Whole>,
    /// Octets in `parts` and `early`.
    kept: usize,
}

/// An unfinished message.
#[derive(Debug)]
struct Part {
    kind: HandshakeType,
    message: u16,
    length: usize,
    /// Pieces by offset; they may overlap.
    pieces: Vec<(usize, Vec<u8>)>,
}

impl Assembler {
    /// Octets of unfinished messages, and of those that wait for an earlier one.
    pub(super) fn kept(&self) -> usize {
        self.kept
    }

    /// Takes a fragment of a message that is read; `None` as long as its message is not whole.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>) -> Option<Whole> {
        if self.is_known(fragment.kind, fragment.message) || fragment.length > MAX_MESSAGE {
            return None;
        }
        if fragment.octets.len() == fragment.length {
            self.forget(fragment.kind, fragment.message);
            return Some(Whole {
                kind: fragment.kind,
                message: fragment.message,
                body: fragment.octets.to_vec(),
            });
        }
        let place = self.part(fragment)?;
        let part = self.parts.get_mut(place)?;
        let before = part.octets();
        part.insert(fragment);
        self.kept += part.octets() - before;
        let body = part.body()?;
        let part = self.parts.swap_remove(place);
        self.kept -= part.octets();
        Some(Whole {
            kind: part.kind,
            message: part.message,
            body,
        })
    }

    /// Hands out a whole message and those that waited for it, in order. A hello is never waited for: whatever its
    /// number, it begins a flight.
    pub(super) fn order(&mut self, whole: Whole, mut out: impl FnMut(Whole)) {
        let begins = is_hello(whole.kind);
        if !begins && self.next != Some(whole.message) {
            self.keep(whole);
        } else {
            self.next = Some(whole.message.wrapping_add(1));
            out(whole);
        }
        self.hand_out(&mut out);
        // What is missing is lost: the rest goes on without it.
        if self.next.is_some() && self.early.len() >= MAX_EARLY {
            self.flush(&mut out);
        }
    }

    /// Hands out all that waits.
    pub(super) fn flush(&mut self, out: &mut impl FnMut(Whole)) {
        while let Some(first) = self.early.front() {
            self.next = Some(first.message);
            self.hand_out(out);
        }
    }

    /// Whether a message was handed out or waits: a retransmission. Hellos are handed out again, as a client may begin
    /// anew over the same ports.
    pub(super) fn is_known(&self, kind: HandshakeType, message: u16) -> bool {
        !is_hello(kind)
            && (self.next.is_some_and(|next| message < next)
                || self.early.iter().any(|whole| whole.message == message))
    }

    fn hand_out(&mut self, out: &mut impl FnMut(Whole)) {
        while let Some(first) = self.early.front() {
            let Some(next) = self.next.filter(|&next| next >= first.message) else {
                return;
            };
            let Some(whole) = self.early.pop_front() else {
                return;
            };
            self.kept -= whole.body.len();
            if whole.message == next {
                self.next = Some(next.wrapping_add(1));
                out(whole);
            }
        }
    }

    fn keep(&mut self, whole: Whole) {
        if self.early.len() >= MAX_EARLY || self.kept + whole.body.len() > MAX_KEPT {
            return;
        }
        self.kept += whole.body.len();
        let place = self
            .early
            .partition_point(|early| early.message < whole.message);
        self.early.insert(place, whole);
    }

    fn forget(&mut self, kind: HandshakeType, message: u16) {
        let same = |part: &Part| part.kind == kind && part.message == message;
        if let Some(place) = self.parts.iter().position(same) {
            self.kept -= self.parts.swap_remove(place).octets();
        }
    }

    /// The unfinished message of a fragment; `None` when there is no room for it.
    fn part(&mut self, fragment: &Fragment<'_>) -> Option<usize> {
        if self.kept + fragment.octets.len() > MAX_KEPT {
            return None;
        }
        let same = |part: &Part| {
            part.kind == fragment.kind
                && part.message == fragment.message
                && part.length == fragment.length
        };
        if let Some(place) = self.parts.iter().position(same) {
            return Some(place);
        }
        if self.parts.len() >= MAX_PARTS {
            return None;
        }
        self.parts.push(Part {
            kind: fragment.kind,
            message: fragment.message,
            length: fragment.length,
            pieces: Vec::new(),
        });
        Some(self.parts.len() - 1)
    }
}

impl Part {
    fn octets(&self) -> usize {
        self.pieces.iter().map(|(_, octets)| octets.len()).sum()
    }

    fn insert(&mut self, fragment: &Fragment<'_>) {
        let end = |offset: usize, octets: &[u8]| offset + octets.len();
        let known = self.pieces.iter().any(|(offset, octets)| {
            *offset <= fragment.offset
                && end(*offset, octets) >= end(fragment.offset, fragment.octets)
        });
        if known || self.pieces.len() >= MAX_PIECES {
            return;
        }
        let place = self
            .pieces
            .partition_point(|(offset, _)| *offset < fragment.offset);
        self.pieces
            .insert(place, (fragment.offset, fragment.octets.to_vec()));
    }

    /// The body, once its pieces leave no hole. Where they overlap the first one by place holds.
    fn body(&self) -> Option<Vec<u8>> {
        if self.octets() < self.length {
            return None;
        }
        let mut body = Vec::with_capacity(self.length);
        for (offset, octets) in &self.pieces {
            let skip = body.len().checked_sub(*offset)?;
            body.extend_from_slice(octets.get(skip..).unwrap_or_default());
        }
        (body.len() == self.length).then_some(body)
    }
}

fn is_hello(kind: HandshakeType) -> bool {
    matches!(
        kind,
        HandshakeType::CLIENT_HELLO
            | HandshakeType::SERVER_HELLO
            | HandshakeType::HELLO_VERIFY_REQUEST
    )
}

/// Unfinished messages of a side: a flight holds a hello and a chain of certificates, the rest is short.
const MAX_PARTS: usize = 4;
/// Pieces of a message: 64 KiB in the datagrams of an IPv6 link of 1280 octets, and some that come again.
const MAX_PIECES: usize = 96;
/// Messages that wait for an earlier one: no flight has more.
const MAX_EARLY: usize = 8;
/// Octets that are kept of a side.
const MAX_KEPT: usize = MAX_MESSAGE + (1 << 14);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece(body: &[u8], message: u16, from: usize, to: usize) -> Fragment<'_> {
        Fragment {
            kind: HandshakeType::CERTIFICATE,
            length: body.len(),
            message,
            offset: from,
            octets: &body[from..to],
        }
    }

    #[test]
    fn puts_messages_into_order_and_takes_each_once() {
        let mut assembler = Assembler::default();
        let mut told = Vec::new();
        let whole = |kind, message| Whole {
            kind: HandshakeType(kind),
            message,
            body: vec![],
        };
        for (kind, message) in [(14, 4), (11, 2), (2, 1), (12, 3)] {
            assembler.order(whole(kind, message), |whole| told.push(whole.message));
        }
        assert_eq!(told, [1, 2, 3, 4]);
        assert!(assembler.is_known(HandshakeType(11), 2));
        assert!(!assembler.is_known(HandshakeType(2), 1));
    }

    #[test]
    fn goes_on_without_a_lost_message() {
        let mut assembler = Assembler::default();
        let mut told = Vec::new();
        for message in [0, 2, 3, 4, 5, 6, 7, 8, 9] {
            let kind = if message == 0 { 2 } else { 20 };
            let whole = Whole {
                kind: HandshakeType(kind),
                message,
                body: vec![],
            };
            assembler.order(whole, |whole| told.push(whole.message));
        }
        assert_eq!(told, [0, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn keeps_no_more_than_its_bound() {
        let mut assembler = Assembler::default();
        let body = vec![5; MAX_MESSAGE];
        for message in 0..200 {
            for from in (0..MAX_MESSAGE - 1000).step_by(1000) {
                assert_eq!(
                    assembler.add(&piece(&body, message, from, from + 999)),
                    None
                );
                assert!(assembler.kept <= MAX_KEPT);
                assert!(assembler.parts.len() <= MAX_PARTS);
            }
        }
    }

    proptest! {
        #[test]
        fn puts_pieces_together_in_any_order(
            body in prop::collection::vec(any::<u8>(), 2..300),
            size in 1_usize..40,
            overlap in 0_usize..10,
            order in any::<prop::sample::Index>(),
        ) {
            let size = size.max(body.len().div_ceil(80));
            let mut pieces: Vec<_> = (0..body.len())
                .step_by(size)
                .map(|from| piece(&body, 1, from, (from + size + overlap).min(body.len())))
                .collect();
            let by = order.index(pieces.len());
            pieces.rotate_left(by);
            pieces.reverse();
            let mut assembler = Assembler::default();
            let whole: Vec<_> = pieces.iter().filter_map(|piece| assembler.add(piece)).collect();
            // A retransmission that comes behind the whole may begin the message again.
            prop_assert_eq!(&whole[0].body, &body);
            prop_assert!(assembler.kept <= MAX_KEPT);
        }
    }
}
