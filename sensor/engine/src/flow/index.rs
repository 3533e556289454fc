//! The index of the flow table: open addressing with linear probing over slots of eight octets.
//!
//! A slot holds 32 bits of the hash, its [`tag`], beside the place of the entry. So a probe reads entries only where those bits agree,
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

    /// Has the slots of a tag fetched.
    #[inline]
    pub(crate) fn fetch(&self, tag: u32) {
        prefetch::fetch(&self.slots[self.home(tag)]);
    }

    /// The first place under this tag that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, tag: u32, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
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
    pub(crate) fn insert(&mut self, tag: u32, at: u32) {
        // Above three quarters the runs of taken slots grow long.
        if (self.len + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.len += 1;
        self.put(Slot { tag, at });
    }

    /// Takes a place out, if it is there.
    pub(crate) fn remove(&mut self, tag: u32, at: u32) {
        let mask = self.slots.len() - 1;
        let mut hole = self.home(tag);
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

/// What the index knows of a hash: the lower half, as the upper one says which worker owns the flow.
#[inline]
pub(crate) fn tag(hash: u64) -> u32 {
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
        /// Against a map, with tags that clash in their home, at the end of the slots too.
        #[test]
        fn agrees_with_a_map(steps in prop::collection::vec((0u32..40, 0u32..400, any::<bool>()), 1..3000)) {
            let mut index = Index::new();
            let mut map: HashMap<u32, u32> = HashMap::new();
            for (near, at, add) in steps {
                // Twenty homes before the last slot and twenty behind the first.
                let tag = (SMALLEST as u32 - 20).wrapping_add(near) | (at % 3) << 20;
                if let Some(tag) = map.get(&at).copied() {
                    if !add {
                        index.remove(tag, at);
                        map.remove(&at);
                    }
                } else if add {
                    index.insert(tag, at);
                    map.insert(at, tag);
                } else {
                    index.remove(tag, at);
                }
                prop_assert_eq!(index.len(), map.len());
            }
            for at in 0..400 {
                let tag = map.get(&at).copied();
                let found = tag.and_then(|tag| index.find(tag, |other| other == at));
                prop_assert_eq!(found, tag.map(|_| at));
            }
        }
    }

    #[test]
    fn grows_and_finds_all() {
        let mut index = Index::new();
        let of = |at: u32| tag(u64::from(at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 7);
        for at in 0..100_000 {
            index.insert(of(at), at);
        }
        for at in 0..100_000 {
            assert_eq!(index.find(of(at), |other| other == at), Some(at));
        }
        assert_eq!(index.find(of(100_000), |other| other == 100_000), None);
    }
}
