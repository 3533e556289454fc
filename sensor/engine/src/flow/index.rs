//! The index of the flow table: open addressing with linear probing over slots of eight octets.
//!
//! A slot holds 32 bits of the hash beside the place of the entry. So a probe reads entries only where those bits agree,
//! growing reads no entry at all, and whoever looks up many flows can have the slots fetched before he reads them, which
//! the tables of libraries do not offer. The hash must be keyed: it comes from what senders choose.

use crate::prefetch;

/// Hash to place.
#[derive(Debug)]
pub(crate) struct Index {
    slots: Vec<Slot>,
    len: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    tag: u32,
    at: u32,
}

impl Slot {
    const FREE: Self = Self {
        tag: 0,
        at: u32::MAX,
    };

    fn is_free(self) -> bool {
        self.at == u32::MAX
    }
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![Slot::FREE; SMALLEST],
            len: 0,
        }
    }

    /// How many entries it holds.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Has the slots of a hash fetched.
    #[inline]
    pub(crate) fn fetch(&self, hash: u64) {
        let home = self.home(tag(hash));
        prefetch::fetch(&self.slots[home]);
    }

    /// The first place under this hash that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let mask = self.slots.len() - 1;
        let mut at = tag as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot.is_free() {
                return None;
            }
            if slot.tag == tag && is_it(slot.at) {
                return Some(slot.at);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a place, which must not be there and is less than `u32::MAX`.
    pub(crate) fn insert(&mut self, hash: u64, at: u32) {
        // Above three quarters the runs of taken slots grow long.
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.len += 1;
        let tag = tag(hash);
        self.put(Slot { tag, at });
    }

    /// Takes a place out, if it is there.
    pub(crate) fn remove(&mut self, hash: u64, at: u32) {
        let mask = self.slots.len() - 1;
        let mut hole = self.home(tag(hash));
        while self.slots[hole].at != at {
            if self.slots[hole].is_free() {
                return;
            }
            hole = (hole + 1) & mask;
        }
        self.len -= 1;
        // What follows moves up as long as it comes nearer to its home: no probe meets a hole before what it looks for.
        let mut next = hole;
        loop {
            next = (next + 1) & mask;
            let slot = self.slots[next];
            if slot.is_free() {
                break;
            }
            let from_home = next.wrapping_sub(self.home(slot.tag)) & mask;
            let to_hole = next.wrapping_sub(hole) & mask;
            if from_home >= to_hole {
                self.slots[hole] = slot;
                hole = next;
            }
        }
        self.slots[hole] = Slot::FREE;
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        tag as usize & (self.slots.len() - 1)
    }

    fn put(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = self.home(slot.tag);
        while !self.slots[at].is_free() {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let twice = vec![Slot::FREE; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, twice) {
            if !slot.is_free() {
                self.put(slot);
            }
        }
    }
}

/// The lower half: the upper one says which worker owns the flow.
#[inline]
fn tag(hash: u64) -> u32 {
    hash as u32
}

/// Slots of an empty index: a power of two, as all its sizes.
const SMALLEST: usize = 1024;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a map, with hashes that clash in their home, at the end of the slots too.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0u64..40, 0u32..400, any::<bool>()), 1..3000)) {
            let mut index = Index::new();
            let mut map: HashMap<u32, u64> = HashMap::new();
            for (near, at, add) in steps {
                // Twenty homes before the last slot and twenty behind the first.
                let hash = (SMALLEST as u64 - 20).wrapping_add(near) | u64::from(at % 3) << 20;
                if let Some(hash) = map.get(&at).copied() {
                    if !add {
                        index.remove(hash, at);
                        map.remove(&at);
                    }
                } else if add {
                    index.insert(hash, at);
                    map.insert(at, hash);
                } else {
                    index.remove(hash, at);
                }
                prop_assert_eq!(index.len(), map.len());
            }
            for at in 0..400 {
                let hash = map.get(&at).copied();
                let found = hash.and_then(|hash| index.find(hash, |other| other == at));
                prop_assert_eq!(found, hash.map(|_| at));
            }
        }
    }

    #[test]
    fn grows_and_finds_all() {
        let mut index = Index::new();
        let hash = |at: u32| u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7;
        for at in 0..100_000 {
            index.insert(hash(at), at);
        }
        for at in 0..100_000 {
            assert_eq!(index.find(hash(at), |other| other == at), Some(at));
        }
        assert_eq!(index.find(hash(100_000), |other| other == 100_000), None);
    }
}
