//! How names end: the question that nearly every name answers with no, before anything else is asked of it.

/// Hashes a name from its end on, in lower case: each of its ends is hashed on the way. What is looked for is ours, so that
/// no hash is needed that withstands an attack.
#[derive(Clone, Copy)]
pub(super) struct FromTheEnd(u64);

impl FromTheEnd {
    pub(super) const NOTHING: Self = Self(0);

    #[inline]
    pub(super) fn octet(&mut self, octet: u8) {
        let octet = u64::from(octet.to_ascii_lowercase());
        self.0 = (self.0 ^ octet).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// With the upper bits folded down, which a table looks at.
    #[inline]
    pub(super) fn hash(self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }

    pub(super) fn of(text: &str) -> u64 {
        let mut hash = Self::NOTHING;
        text.bytes().rev().for_each(|octet| hash.octet(octet));
        hash.hash()
    }
}

/// Names that others may end in, as a set that may hold more than was put in: it says where a name is worth a closer look.
#[derive(Debug)]
pub(crate) struct Ends {
    /// The last label of each, and the last two.
    short: Bits,
    /// The names themselves.
    whole: Bits,
    /// Labels of the longest one.
    deepest: usize,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            short: Bits([0; Bits::WORDS]),
            whole: Bits([0; Bits::WORDS]),
            deepest: 0,
        }
    }
}

impl Ends {
    /// Those of these names.
    pub(crate) fn of(names: &[&str]) -> Self {
        let mut ends = Self::default();
        names.iter().for_each(|name| ends.add(name));
        ends
    }

    /// Adds a name in lower case.
    pub(super) fn add(&mut self, name: &str) {
        let borders = name.rmatch_indices('.').map(|(dot, _)| dot + 1);
        for start in borders.chain([0]).take(2) {
            let end = name.get(start..).unwrap_or_default();
            self.short.add(FromTheEnd::of(end));
        }
        self.whole.add(FromTheEnd::of(name));
        self.deepest = self.deepest.max(name.split('.').count());
    }

    /// The places in a name where one that was put in may begin, and the hash from there on; the last place first. Case does
    /// not matter.
    #[inline]
    pub(super) fn each(&self, name: &[u8], mut at: impl FnMut(usize, u64)) {
        let mut hash = FromTheEnd::NOTHING;
        let mut labels = 0;
        for (start, &octet) in name.iter().enumerate().rev() {
            hash.octet(octet);
            if start > 0 && name[start - 1] != b'.' {
                continue;
            }
            labels += 1;
            let here = hash.hash();
            // Nearly every name ends otherwise.
            if labels <= 2 && !self.short.have(here) {
                return;
            }
            if self.whole.have(here) {
                at(start, here);
            }
            if labels == self.deepest {
                return;
            }
        }
    }

    /// Whether a name may be one that was put in, or below one. Case does not matter.
    pub(crate) fn may_have(&self, name: &[u8]) -> bool {
        let mut may = false;
        self.each(name, |_, _| may = true);
        may
    }
}

/// A set of hashes.
#[derive(Debug)]
struct Bits([u64; Self::WORDS]);

impl Bits {
    /// A kilobyte: with some hundred names one other hash in thirty passes.
    const WORDS: usize = 128;

    fn add(&mut self, hash: u64) {
        let at = hash as usize % (Self::WORDS * 64);
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    #[inline]
    fn have(&self, hash: u64) -> bool {
        let at = hash as usize % (Self::WORDS * 64);
        self.0[at / 64] >> (at % 64) & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_below_one_that_was_put_in_passes(
            names in proptest::collection::vec("([a-c]{1,3}\\.){0,3}[a-c]{1,3}", 1..20),
            below in "([a-cA-C]{1,3}\\.){0,2}",
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let ends = Ends::of(&names);
            for name in names {
                let other = format!("{below}{}", name.to_ascii_uppercase());
                prop_assert!(ends.may_have(other.as_bytes()), "{}", other);
            }
        }
    }

    #[test]
    fn other_ends_do_not_pass() {
        let ends = Ends::of(&["tunnel.example.com", "example.org"]);
        for name in [
            "example.net",
            "www.example.com",
            "www.other.com",
            "com",
            "tunnel.example",
            "",
        ] {
            assert!(!ends.may_have(name.as_bytes()), "{name}");
        }
    }
}
