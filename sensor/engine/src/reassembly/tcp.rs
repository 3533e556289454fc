//! The octets of one side of a TCP connection, in order.
//!
//! Segments in any order, with any overlap, in; contiguous octets and gaps out. The octets that came first win where a
//! retransmission differs (which is counted, as it is a way to show a sensor another text than the receiver reads). Only
//! what is out of order is kept, within bounds; a hole that is not filled in time is given up as a gap.

use std::collections::BTreeMap;

/// One side of a connection.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Sequence number expected next, once one is known.
    next_seq: Option<u32>,
    /// Octets handed out or given up so far: the position of `next_seq`.
    position: u64,
    /// Out of order, by position; never overlapping.
    pending: BTreeMap<u64, Vec<u8>>,
    pending_octets: usize,
    /// Where the sender's FIN stands.
    fin: Option<u64>,
    hole: Option<Hole>,
}

/// A hole in front of `pending`.
#[derive(Debug, Clone, Copy)]
struct Hole {
    since_ns: i64,
    segments: u16,
    /// The receiver has acknowledged octets beyond its start: the capture lost them, the network did not.
    acknowledged: bool,
}

/// What became of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Accepted<'a> {
    /// These octets are next.
    Next(&'a [u8]),
    /// It is early and was kept; `conflict` tells that it overlaps with other octets than were kept before.
    Early {
        /// Overlapping octets differ.
        conflict: bool,
    },
    /// All of it was seen before, or it is empty.
    Old,
    /// It is too far from anything expected.
    OutOfWindow,
}

/// What comes next after a segment was accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Octets that were kept.
    Octets(Vec<u8>),
    /// So many octets are lost.
    Gap(u64),
}

impl Stream {
    /// Sets the sequence number after the SYN, unless octets were already seen.
    pub(crate) fn begin(&mut self, seq: u32) {
        self.next_seq.get_or_insert(seq);
    }

    /// Takes a segment. After `Next`, the octets count as handed out.
    pub(crate) fn segment<'a>(&mut self, seq: u32, octets: &'a [u8], at_ns: i64) -> Accepted<'a> {
        let next = *self.next_seq.get_or_insert(seq);
        if octets.is_empty() {
            return Accepted::Old;
        }
        // Sequence numbers wrap; the signed distance decides (RFC 9293, section 3.4).
        let distance = seq.wrapping_sub(next) as i32;
        if distance <= 0 {
            let seen = distance.unsigned_abs() as usize;
            return match octets.get(seen..) {
                Some(new) if !new.is_empty() => {
                    let new = self.up_to_pending(new);
                    self.advance(new.len() as u64);
                    Accepted::Next(new)
                }
                _ => Accepted::Old,
            };
        }
        if distance.unsigned_abs() > MAX_AHEAD {
            return Accepted::OutOfWindow;
        }
        let conflict = self.keep(self.position + u64::from(distance.unsigned_abs()), octets);
        let hole = self.hole.get_or_insert(Hole {
            since_ns: at_ns,
            segments: 0,
            acknowledged: false,
        });
        hole.segments = hole.segments.saturating_add(1);
        Accepted::Early { conflict }
    }

    /// Notes where the stream ends.
    pub(crate) fn finish(&mut self, fin_seq: u32) {
        let next = *self.next_seq.get_or_insert(fin_seq);
        let distance = fin_seq.wrapping_sub(next) as i32;
        let position = self.position;
        self.fin
            .get_or_insert_with(|| position.saturating_add_signed(i64::from(distance)));
    }

    /// Whether all octets up to the FIN were handed out or given up.
    pub(crate) fn is_finished(&self) -> bool {
        self.fin.is_some_and(|fin| fin <= self.position)
    }

    /// Notes an acknowledgement by the other side.
    pub(crate) fn acknowledged(&mut self, ack: u32) {
        if let (Some(hole), Some(next)) = (&mut self.hole, self.next_seq) {
            hole.acknowledged |= ack.wrapping_sub(next) as i32 > 0;
        }
    }

    /// What can be handed out now: octets that were kept, or a gap when waiting is over (`all`: it is over).
    pub(crate) fn pop(&mut self, at_ns: i64, all: bool) -> Option<Piece> {
        let (&first, _) = self.pending.first_key_value()?;
        if first > self.position {
            return (all || self.is_overdue(at_ns)).then(|| {
                let lost = first - self.position;
                self.advance(lost);
                Piece::Gap(lost)
            });
        }
        let octets = self.pending.pop_first()?.1;
        self.pending_octets -= octets.len();
        self.advance(octets.len() as u64);
        self.hole = self
            .hole
            .filter(|_| !self.pending.is_empty())
            .map(|hole| Hole {
                segments: 0,
                since_ns: at_ns,
                ..hole
            });
        Some(Piece::Octets(octets))
    }

    /// Gives up octets that the capture cut off behind the last ones.
    pub(crate) fn skip(&mut self, octets: u32) {
        self.advance(u64::from(octets));
    }

    /// Octets kept out of order, with what it costs to keep each piece: a sender may send them one by one.
    pub(crate) fn pending_octets(&self) -> usize {
        self.pending_octets + self.pending.len() * PIECE_COST
    }

    fn advance(&mut self, octets: u64) {
        self.position += octets;
        self.next_seq = self.next_seq.map(|next| next.wrapping_add(octets as u32));
        // After a skip, what was kept may lie behind.
        while let Some(entry) = self
            .pending
            .first_entry()
            .filter(|entry| *entry.key() < self.position)
        {
            let (start, kept) = entry.remove_entry();
            self.pending_octets -= kept.len();
            let seen = usize::try_from(self.position - start).unwrap_or(usize::MAX);
            if let Some(rest) = kept.get(seen..).filter(|rest| !rest.is_empty()) {
                self.pending_octets += rest.len();
                self.pending.insert(self.position, rest.to_vec());
            }
        }
        if self.pending.is_empty() {
            self.hole = None;
        }
    }

    /// Cuts new octets where kept ones begin, as those came first; what reaches beyond them is kept in its turn.
    fn up_to_pending<'a>(&mut self, new: &'a [u8]) -> &'a [u8] {
        let Some((&first, _)) = self.pending.first_key_value() else {
            return new;
        };
        let room = usize::try_from(first.saturating_sub(self.position)).unwrap_or(usize::MAX);
        match new.split_at_checked(room) {
            Some((next, beyond)) if !beyond.is_empty() => {
                self.keep(first, beyond);
                next
            }
            _ => new,
        }
    }

    /// Keeps the parts of early octets that are not there yet. Answers whether the others differ.
    fn keep(&mut self, start: u64, octets: &[u8]) -> bool {
        let end = start + octets.len() as u64;
        let part = |from: u64, to: u64| &octets[(from - start) as usize..(to - start) as usize];
        let mut conflict = false;
        let mut missing = Vec::new();
        let mut at = start;
        // Kept octets never overlap: of those that begin before, only the last one may reach here.
        let before = self.pending.range(..=start).next_back();
        let first = before.map_or(start, |(&first, _)| first);
        for (&kept_start, kept) in self.pending.range(first..end) {
            let kept_end = kept_start + kept.len() as u64;
            if kept_end <= at {
                continue;
            }
            if kept_start > at {
                missing.push((at, kept_start));
            }
            let (from, to) = (kept_start.max(start), kept_end.min(end));
            conflict |=
                part(from, to) != &kept[(from - kept_start) as usize..(to - kept_start) as usize];
            at = kept_end;
        }
        if at < end {
            missing.push((at, end));
        }
        for (from, to) in missing {
            let octets = part(from, to).to_vec();
            self.pending_octets += octets.len();
            self.pending.insert(from, octets);
        }
        conflict
    }

    fn is_overdue(&self, at_ns: i64) -> bool {
        if self.pending.len() > MAX_PENDING_SEGMENTS || self.pending_octets > MAX_PENDING_OCTETS {
            return true;
        }
        let Some(hole) = self.hole else { return false };
        let waited_ns = at_ns.saturating_sub(hole.since_ns);
        hole.segments >= PATIENT_SEGMENTS
            || waited_ns >= PATIENT_NS
            || hole.acknowledged
                && (hole.segments >= ACKNOWLEDGED_SEGMENTS || waited_ns >= ACKNOWLEDGED_NS)
    }
}

/// Beyond this a sequence number is a stray: no window is larger in practice.
const MAX_AHEAD: u32 = 64 << 20;
/// A handshake is shorter; a session that waits for more than this waits for a packet that the capture lost.
const MAX_PENDING_SEGMENTS: usize = 2048;
const MAX_PENDING_OCTETS: usize = 256 << 10;
/// A node of the map and the header of a vector.
const PIECE_COST: usize = 64;
/// Segments after a hole before it is given up.
const PATIENT_SEGMENTS: u16 = 1024;
/// TCP's first retransmissions come within a second or two.
const PATIENT_NS: i64 = 10_000_000_000;
/// The same where the receiver has acknowledged the lost octets. Not at once: a span port mixes the directions.
const ACKNOWLEDGED_SEGMENTS: u16 = 8;
const ACKNOWLEDGED_NS: i64 = 500_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Feeds segments and collects what comes out, `None` for a gap.
    fn run(stream: &mut Stream, segments: &[(u32, &[u8])], all: bool) -> Vec<Option<Vec<u8>>> {
        let mut out = Vec::new();
        let pop_all = |stream: &mut Stream, all: bool, out: &mut Vec<Option<Vec<u8>>>| {
            while let Some(piece) = stream.pop(0, all) {
                out.push(match piece {
                    Piece::Octets(octets) => Some(octets),
                    Piece::Gap(_) => None,
                });
            }
        };
        for (seq, octets) in segments {
            if let Accepted::Next(new) = stream.segment(*seq, octets, 0) {
                out.push(Some(new.to_vec()));
            }
            pop_all(stream, false, &mut out);
        }
        pop_all(stream, all, &mut out);
        out
    }

    fn joined(pieces: Vec<Option<Vec<u8>>>) -> Vec<u8> {
        pieces.into_iter().flatten().flatten().collect()
    }

    #[test]
    fn puts_segments_in_order_across_the_wrap() {
        let mut stream = Stream::default();
        stream.begin(u32::MAX - 1);
        let out = run(
            &mut stream,
            &[(1, b"def"), (4, b"ghi"), (u32::MAX - 1, b"abc")],
            false,
        );
        assert_eq!(joined(out), b"abcdefghi");
    }

    #[test]
    fn the_first_octets_win_and_a_difference_is_told() {
        let mut stream = Stream::default();
        stream.begin(100);
        assert_eq!(
            stream.segment(104, b"EFGH", 0),
            Accepted::Early { conflict: false }
        );
        assert_eq!(
            stream.segment(102, b"cdxfgh", 0),
            Accepted::Early { conflict: true }
        );
        assert_eq!(
            joined(run(&mut stream, &[(100, b"abcdef")], false)),
            b"abcdEFGH"
        );
    }

    #[test]
    fn old_octets_and_keepalives_are_nothing_new() {
        let mut stream = Stream::default();
        stream.begin(100);
        assert_eq!(stream.segment(100, b"abc", 0), Accepted::Next(b"abc"));
        assert_eq!(stream.segment(102, b"\0", 0), Accepted::Old);
        assert_eq!(stream.segment(100, b"abcd", 0), Accepted::Next(b"d"));
    }

    #[test]
    fn gives_up_an_acknowledged_hole_after_some_segments() {
        let mut stream = Stream::default();
        stream.begin(0);
        for early in 0..u32::from(ACKNOWLEDGED_SEGMENTS) {
            assert_eq!(stream.pop(0, false), None);
            stream.segment(10 + early, b"x", 0);
            stream.acknowledged(10);
        }
        assert_eq!(stream.pop(0, false), Some(Piece::Gap(10)));
        assert_eq!(stream.pop(0, false), Some(Piece::Octets(b"x".to_vec())));
    }

    #[test]
    fn finishes_when_all_before_the_fin_was_handed_out() {
        let mut stream = Stream::default();
        stream.begin(100);
        stream.finish(103);
        assert!(!stream.is_finished());
        stream.segment(100, b"abc", 0);
        assert!(stream.is_finished());
    }

    proptest! {
        /// Any order, any cut, any repetition of the same octets gives the octets.
        #[test]
        fn any_order_gives_the_same_octets(
            text in prop::collection::vec(any::<u8>(), 1..300),
            start: u32,
            cuts in prop::collection::vec((0usize..300, 1usize..60), 0..40),
            shuffle in prop::collection::vec(any::<u32>(), 60),
        ) {
            let mut parts: Vec<(usize, usize)> =
                (0..text.len()).step_by(25).map(|from| (from, (from + 25).min(text.len()))).collect();
            parts.extend(cuts.iter().map(|&(from, len)| {
                let from = from % text.len();
                (from, (from + len).min(text.len()))
            }));
            let mut order: Vec<usize> = (0..parts.len()).collect();
            order.sort_by_key(|&i| shuffle[i % shuffle.len()].wrapping_mul(i as u32 + 1));
            let mut stream = Stream::default();
            stream.begin(start);
            let segments: Vec<(u32, &[u8])> = order
                .iter()
                .map(|&i| (start.wrapping_add(parts[i].0 as u32), &text[parts[i].0..parts[i].1]))
                .collect();
            let out = run(&mut stream, &segments, false);
            prop_assert!(out.iter().all(Option::is_some));
            prop_assert_eq!(joined(out), text);
            prop_assert_eq!(stream.pending_octets(), 0);
        }
    }
}
