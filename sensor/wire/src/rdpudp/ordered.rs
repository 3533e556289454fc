//! Numbered packets to ordered octets.

use super::Data;

/// The packets of one sender, each handed out once and in order.
#[derive(Debug, Default)]
pub struct Ordered {
    /// The number that is handed out next; `None` until it is known.
    next: Option<u32>,
    /// How many bits a number lacks to 32.
    narrow: u32,
    early: Vec<(u32, Vec<u8>)>,
}

impl Ordered {
    /// Octets kept of packets that came before their turn.
    #[must_use]
    pub fn held(&self) -> usize {
        self.early.iter().map(|(_, octets)| octets.len()).sum()
    }

    /// Numbers of 32 bits, the first one known: that behind the sender's initial one.
    #[must_use]
    pub fn behind(initial: u32) -> Self {
        Self {
            next: Some(initial.wrapping_add(1)),
            ..Self::default()
        }
    }

    /// Numbers of 16 bits, the first one not known: it is that of the first packet for which `begins` holds.
    #[must_use]
    pub fn of_version_3() -> Self {
        Self {
            narrow: 16,
            ..Self::default()
        }
    }

    /// Hands out a packet and those that waited for it. `begins` says whether its octets may be the first ones.
    pub fn add(
        &mut self,
        data: &Data<'_>,
        begins: impl FnOnce(&[u8]) -> bool,
        mut out: impl FnMut(&[u8]),
    ) {
        if self.next.is_none() && begins(&data.octets) {
            self.next = Some(data.number);
        }
        let Some(next) = self.next else {
            self.keep(data);
            return;
        };
        match self.distance(data.number, next) {
            0 => {
                out(&data.octets);
                self.advance();
            }
            1.. => self.keep(data),
            _ => {}
        }
        while let Some(next) = self.next
            && let Some(place) = self
                .early
                .iter()
                .position(|&(number, _)| self.distance(number, next) <= 0)
        {
            let (number, octets) = self.early.swap_remove(place);
            if number == next {
                out(&octets);
                self.advance();
            }
        }
    }

    fn advance(&mut self) {
        let mask = u32::MAX >> self.narrow;
        self.next = self.next.map(|next| next.wrapping_add(1) & mask);
    }

    /// How far a number lies behind another one, around the end of the range.
    fn distance(&self, number: u32, from: u32) -> i32 {
        (number.wrapping_sub(from) << self.narrow).cast_signed() >> self.narrow
    }

    fn keep(&mut self, data: &Data<'_>) {
        let known = self.early.iter().any(|&(number, _)| number == data.number);
        if !known && self.early.len() < MAX_EARLY {
            self.early.push((data.number, data.octets.to_vec()));
        }
    }
}

/// Packets that wait for an earlier one: a handshake's flight has fewer.
pub const MAX_EARLY: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(ordered: &mut Ordered, numbers: &[u32]) -> Vec<u8> {
        let mut told = Vec::new();
        for &number in numbers {
            let [.., last] = number.to_be_bytes();
            let data = Data {
                number,
                octets: vec![last].into(),
            };
            ordered.add(&data, |octets| octets == [0], |octets| told.extend(octets));
        }
        told
    }

    #[test]
    fn hands_out_packets_in_order_and_once() {
        let mut ordered = Ordered::behind(u32::MAX);
        assert_eq!(told(&mut ordered, &[1, 3, 0, 0, 1, 2, 3]), [0, 1, 2, 3]);
        // Around the end of 16 bits, the first number not known.
        let mut ordered = Ordered::of_version_3();
        let numbers = [0xff02, 0xff01, 0xff00, 0xff01];
        assert_eq!(told(&mut ordered, &numbers), [0, 1, 2]);
        let all: Vec<u32> = (0xff03..=0xffff).chain(0..3).collect();
        assert_eq!(told(&mut ordered, &all).len(), 0xfd + 3);
    }

    proptest! {
        #[test]
        fn keeps_a_bounded_number_of_packets(numbers in prop::collection::vec(any::<u32>(), 0..80)) {
            let mut ordered = Ordered::behind(7);
            told(&mut ordered, &numbers);
            prop_assert!(ordered.early.len() <= MAX_EARLY);
        }

        #[test]
        fn any_order_of_a_flight_is_the_same(order in Just((0..12_u32).collect::<Vec<_>>()).prop_shuffle()) {
            let mut ordered = Ordered::behind(u32::MAX);
            prop_assert_eq!(told(&mut ordered, &order), (0..12).collect::<Vec<u8>>());
        }
    }
}
