//! Whether octets that should be enciphered look so.

/// Counts the values of octets that stand where each message of a tool has chance: a check value, what is enciphered.
/// Counters, little numbers and text have the same few values time and again.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Variety {
    seen: [u64; 4],
    octets: u32,
}

impl Variety {
    /// Takes octets of one more message.
    pub(crate) fn add(&mut self, octets: &[u8]) {
        for &octet in octets {
            if let Some(word) = self.seen.get_mut(usize::from(octet >> 6)) {
                *word |= 1 << (octet & 63);
            }
            self.octets = self.octets.saturating_add(1);
        }
    }

    /// Whether they are as different as chance makes them. Of 48 octets it makes 44 different ones, of 64 it makes 57, and
    /// seven in ten are missed once in a million times; beyond 80 octets the answer means nothing.
    pub(crate) fn is_chance(&self) -> bool {
        let different: u32 = self.seen.iter().map(|word| word.count_ones()).sum();
        different * 10 >= self.octets * 7
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_numbers_and_text_are_no_chance() {
        let of = |messages: &[&[u8]]| {
            let mut variety = Variety::default();
            for octets in messages {
                variety.add(octets);
            }
            variety.is_chance()
        };
        assert!(!of(&[&[0; 16], &[0; 16], &[0; 16], &[0; 16]]));
        assert!(!of(&[
            b"position=17;name",
            b"position=18;name",
            b"position=19;name",
            b"position=20;name"
        ]));
        let first: Vec<u8> = (0..64_u8).map(|nth| nth.wrapping_mul(151)).collect();
        assert!(of(&[&first]));
    }
}
