//! Numbers that only look random.

/// The same numbers of the same seed, on each machine (SplitMix64). Nothing here takes a root or a power: those differ in
/// their last digit between mathematics libraries.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Begins at a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    /// From 0 to just under 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, times: u64) -> bool {
        self.next() % 1000 < times
    }

    /// One of them.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }

    /// A length with a long tail (Pareto's of shape 1, cut): at least `least`, at most `most`; half of them are below twice
    /// the least.
    pub fn long_tail(&mut self, least: usize, most: usize) -> usize {
        let drawn = least as f64 / (1.0 - self.part());
        (drawn as usize).min(most)
    }

    /// So many octets behind what is there.
    pub fn extend(&mut self, octets: &mut Vec<u8>, length: usize) {
        octets.reserve(length);
        let end = octets.len() + length;
        while octets.len() + 8 <= end {
            octets.extend_from_slice(&self.next().to_le_bytes());
        }
        let rest = end - octets.len();
        octets.extend_from_slice(&self.next().to_le_bytes()[..rest]);
    }

    /// So many octets.
    pub fn octets(&mut self, length: usize) -> Vec<u8> {
        let mut octets = Vec::new();
        self.extend(&mut octets, length);
        octets
    }

    /// An array of octets.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let octets = self.octets(N);
        std::array::from_fn(|at| octets[at])
    }
}
