//! The octets of a handshake put together from CRYPTO frames in any order.

/// What has come of one side's handshake. Where frames overlap, the octets that came first stay: RFC 9000, section 19.6,
/// asks for the same octets again.
#[derive(Debug, Clone, Default)]
pub struct CryptoStream {
    octets: Vec<u8>,
    /// What has come, as ranges that neither touch nor overlap, ascending.
    ranges: Vec<(usize, usize)>,
}

impl CryptoStream {
    /// Takes a piece. Pieces beyond [`MAX_HANDSHAKE`], or that would leave more than [`MAX_RANGES`] ranges, are dropped;
    /// `false` says so.
    pub fn add(&mut self, offset: u64, piece: &[u8]) -> bool {
        let bounds = usize::try_from(offset)
            .ok()
            .and_then(|begin| Some((begin, begin.checked_add(piece.len())?)))
            .filter(|&(_, end)| end <= MAX_HANDSHAKE);
        let Some((begin, end)) = bounds else {
            return false;
        };
        // Those that touch the new one are joined with it.
        let from = self.ranges.partition_point(|&(_, right)| right < begin);
        let to = self.ranges.partition_point(|&(left, _)| left <= end);
        let joined = self.ranges.get(from..to).unwrap_or_default();
        if piece.is_empty() || (joined.is_empty() && self.ranges.len() >= MAX_RANGES) {
            return piece.is_empty();
        }
        if self.octets.len() < end {
            self.octets.resize(end, 0);
        }
        let mut at = begin;
        for &(left, right) in joined.iter().chain([&(end, end)]) {
            let new = at..left.min(end).max(at);
            let source = piece.get(new.start - begin..new.end - begin);
            if let (Some(target), Some(source)) = (self.octets.get_mut(new), source) {
                target.copy_from_slice(source);
            }
            at = at.max(right.min(end));
        }
        let left = joined.first().map_or(begin, |&(left, _)| left.min(begin));
        let right = joined.last().map_or(end, |&(_, right)| right.max(end));
        self.ranges.splice(from..to, [(left, right)]);
        true
    }

    /// What has come without a gap from the start on.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        match self.ranges.first() {
            Some(&(0, end)) => self.octets.get(..end).unwrap_or_default(),
            _ => &[],
        }
    }

    /// Octets kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.octets.len()
    }
}

/// The longest handshake that is put together. A post-quantum hello has some 2 KiB; servers keep 4 KiB at least
/// (RFC 9000, section 7.5) and usually not many times more.
pub const MAX_HANDSHAKE: usize = 16 << 10;

/// How many separate ranges may wait for what lies between. Chromium cuts its hello into some ten frames a packet and
/// shuffles them.
pub const MAX_RANGES: usize = 64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keeps_the_octets_that_came_first() {
        let mut stream = CryptoStream::default();
        assert!(stream.add(2, b"CD"));
        assert!(stream.add(6, b"G"));
        assert_eq!(stream.start(), b"");
        assert!(stream.add(0, b"abcdefgh"));
        assert_eq!(stream.start(), b"abCDefGh");
        assert_eq!(stream.ranges, [(0, 8)]);
    }

    #[test]
    fn drops_what_is_too_far_or_too_scattered() {
        let mut stream = CryptoStream::default();
        assert!(!stream.add(MAX_HANDSHAKE as u64, b"x"));
        assert!(!stream.add(u64::MAX, b"x"));
        for at in 0..MAX_RANGES as u64 {
            assert!(stream.add(2 * at, b"x"));
        }
        assert!(!stream.add(2 * MAX_RANGES as u64, b"x"));
        assert!(stream.add(1, b"y"));
        assert_eq!(stream.start(), b"xyx");
        assert_eq!(stream.ranges.len(), MAX_RANGES - 1);
    }

    proptest! {
        /// A naive model: one optional octet a place.
        #[test]
        fn is_the_same_as_octet_by_octet(
            pieces in prop::collection::vec((0_usize..60, prop::collection::vec(any::<u8>(), 0..20)), 0..30),
        ) {
            let mut stream = CryptoStream::default();
            let mut model = [None; 80];
            for (offset, piece) in &pieces {
                prop_assert!(stream.add(*offset as u64, piece));
                for (place, octet) in model[*offset..].iter_mut().zip(piece) {
                    place.get_or_insert(*octet);
                }
                let start: Vec<u8> = model.iter().map_while(|octet| *octet).collect();
                prop_assert_eq!(stream.start(), &start[..]);
            }
        }
    }
}
