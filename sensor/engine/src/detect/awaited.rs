//! What flows have said whose continuation may tell more: bounded by what it takes.

use std::collections::HashMap;

/// Facts by flow id, as long as their flow lasts. Where they take too much a new one is not kept, and counted.
pub(super) struct Awaited<T> {
    by_flow: HashMap<u64, (T, usize)>,
    octets: usize,
    most_octets: usize,
    /// Facts that were not kept.
    pub(super) passed_over: u64,
}

impl<T> Awaited<T> {
    /// None; all together may take `most_octets`.
    pub(super) fn new(most_octets: usize) -> Self {
        Self {
            by_flow: HashMap::new(),
            octets: 0,
            most_octets,
            passed_over: 0,
        }
    }

    /// Keeps a fact that takes so many octets beyond its own room.
    pub(super) fn insert(&mut self, flow: u64, fact: T, beyond: usize) {
        let octets = Self::PLACE + beyond;
        if self.octets + octets > self.most_octets {
            self.passed_over += 1;
            return;
        }
        self.octets += octets;
        if let Some((_, before)) = self.by_flow.insert(flow, (fact, octets)) {
            self.octets -= before;
        }
    }

    pub(super) fn get(&self, flow: u64) -> Option<&T> {
        self.by_flow.get(&flow).map(|(fact, _)| fact)
    }

    pub(super) fn remove(&mut self, flow: u64) -> Option<T> {
        let (fact, octets) = self.by_flow.remove(&flow)?;
        self.octets -= octets;
        Some(fact)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_flow.is_empty()
    }

    /// An entry of the map, of which a third may be in use while it grows.
    const PLACE: usize = 3 * size_of::<(u64, (T, usize))>();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_it_may_and_gives_the_room_back() {
        let mut awaited = Awaited::new(10 * (Awaited::<u8>::PLACE + 100));
        for flow in 0..25 {
            awaited.insert(flow, 1_u8, 100);
        }
        assert_eq!((awaited.by_flow.len(), awaited.passed_over), (10, 15));
        assert_eq!(awaited.remove(3), Some(1));
        awaited.insert(30, 2, 100);
        assert_eq!((awaited.get(30), awaited.get(31)), (Some(&2), None));
        for flow in 0..31 {
            let _ = awaited.remove(flow);
        }
        assert!(awaited.is_empty());
        assert_eq!(awaited.octets, 0);
    }
}
