//! How names end: the question that nearly every name answers with no, before anything else is asked of it.

/// Hashes a name from its end on, whatever its case: each of its ends is hashed on the way. What is looked for is ours, so
/// that no hash is needed that withstands an attack.
#[derive(Clone, Copy)]
pub(super) struct FromTheEnd(u64);

impl FromTheEnd {
    pub(super) const NOTHING: Self = Self(0);

    #[inline]
    pub(super) fn octet(&mut self, octet: u8) {
        // Letters of both cases become one; that others do too costs a comparison at worst.
        self.0 = (self.0 ^ u64::from(octet | 0x20)).wrapping_mul(FACTOR);
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
    /// The last eight octets of each tail that has so many.
    last_eight: Bits,
    /// The last four of the others.
    last_four: Bits,
    /// Whether one is shorter still.
    shorter: bool,
    /// The names themselves.
    whole: Bits,
    /// Labels of the longest one.
    deepest: usize,
}

impl Default for Ends {
    fn default() -> Self {
        Self {
            last_eight: Bits::NONE,
            last_four: Bits::NONE,
            shorter: false,
            whole: Bits::NONE,
            deepest: 0,
        }
    }
}

impl Ends {
    /// Those of these names.
    pub(crate) fn of(names: &[&str]) -> Self {
        let mut ends = Self::default();
        names.iter().for_each(|name| ends.add(name, name));
        ends
    }

    /// Adds a name whose others all end in `tail`, which may be longer.
    pub(super) fn add(&mut self, name: &str, tail: &str) {
        let octets = tail.as_bytes();
        match (octets.last_chunk(), octets.last_chunk()) {
            (Some(&eight), _) => self.last_eight.add(of_eight(eight)),
            (None, Some(&four)) => self.last_four.add(of_four(four)),
            (None, None) => self.shorter = true,
        }
        self.whole.add(FromTheEnd::of(name));
        self.deepest = self.deepest.max(name.split('.').count());
    }

    /// The places in a name where one that was put in may begin, and the hash from there on; the last place first. Case does
    /// not matter.
    #[inline]
    pub(super) fn each(&self, name: &[u8], at: impl FnMut(usize, u64)) {
        // Nearly every name ends otherwise.
        let eight = |&octets: &[u8; 8]| self.last_eight.have(of_eight(octets));
        let four = |&octets: &[u8; 4]| self.last_four.have(of_four(octets));
        if name.last_chunk().is_some_and(eight)
            || name.last_chunk().is_some_and(four)
            || self.shorter
        {
            self.each_border(name, at);
        }
    }

    fn each_border(&self, name: &[u8], mut at: impl FnMut(usize, u64)) {
        let mut hash = FromTheEnd::NOTHING;
        let mut labels = 0;
        for (start, &octet) in name.iter().enumerate().rev() {
            hash.octet(octet);
            if start > 0 && name[start - 1] != b'.' {
                continue;
            }
            let here = hash.hash();
            if self.whole.have(here) {
                at(start, here);
            }
            labels += 1;
            if labels == self.deepest {
                return;
            }
        }
    }

    /// Whether a name may be one that was put in, or below one. Case does not matter.
    #[inline]
    pub(crate) fn may_have(&self, name: &[u8]) -> bool {
        let mut may = false;
        self.each(name, |_, _| may = true);
        may
    }
}

#[inline]
fn of_eight(octets: [u8; 8]) -> u64 {
    FromTheEnd((u64::from_le_bytes(octets) | 0x2020_2020_2020_2020).wrapping_mul(FACTOR)).hash()
}

#[inline]
fn of_four(octets: [u8; 4]) -> u64 {
    let octets = u64::from(u32::from_le_bytes(octets) | 0x2020_2020);
    FromTheEnd(octets.wrapping_mul(FACTOR)).hash()
}

/// A set of hashes.
#[derive(Debug)]
struct Bits([u64; Self::WORDS]);

impl Bits {
    const NONE: Self = Self([0; Self::WORDS]);
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

/// The golden ratio as a fraction of 2^64.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

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
