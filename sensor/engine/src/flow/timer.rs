//! A timer wheel in packet time: one slot a second, intrusive lists through the entries of a slab.
//!
//! Nothing is touched when a packet comes. An entry is armed for the earliest second at which it could expire; when that
//! second comes its owner looks at what really happened since, and arms it again or lets it go.

/// The links of one entry: ten octets, for they lie in each of a million flows.
#[derive(Debug, Clone, Copy)]
#[repr(C, packed(2))]
pub(crate) struct Link {
    previous: u32,
    next: u32,
    slot: u16,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            previous: NONE,
            next: NONE,
            slot: NOWHERE,
        }
    }
}

/// Gives the wheel the links of an entry.
pub(crate) trait Linked {
    /// The links of the entry at `index`.
    fn link(&mut self, index: u32) -> &mut Link;
    /// The entry at `index` is next: has it fetched.
    fn fetch(&self, _index: u32) {}
}

/// The wheel.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// First entry of each slot. What it holds as its previous one has no meaning.
    heads: Box<[u32; SLOTS]>,
    /// The second up to which all slots were emptied; `None` before the first packet.
    now_s: Option<i64>,
}

impl Wheel {
    /// The farthest an entry can be armed.
    pub(crate) const HORIZON_S: i64 = SLOTS as i64;

    pub(crate) fn new() -> Self {
        Self {
            heads: Box::new([NONE; SLOTS]),
            now_s: None,
        }
    }

    /// The time of the first packet, whoever owns it: every worker's wheel must turn alike, or flows would be looked at in
    /// other seconds with other numbers of workers.
    pub(crate) fn begin(&mut self, now_ns: i64) {
        self.now_s
            .get_or_insert_with(|| now_ns.div_euclid(NS_PER_S));
    }

    /// Arms an entry for the second after `deadline_ns`, within the horizon.
    #[inline]
    pub(crate) fn arm(&mut self, entries: &mut impl Linked, index: u32, deadline_ns: i64) {
        let deadline_s = deadline_ns.div_euclid(NS_PER_S) + 1;
        let now_s = *self.now_s.get_or_insert(deadline_s - 1);
        let at_s = deadline_s.clamp(now_s + 1, now_s + Self::HORIZON_S - 1);
        let slot = Self::slot(at_s);
        let next = std::mem::replace(self.head(slot), index);
        *entries.link(index) = Link {
            previous: NONE,
            next,
            slot,
        };
        if next != NONE {
            entries.link(next).previous = index;
        }
    }

    /// Takes an entry out; one that is not armed is left alone.
    pub(crate) fn disarm(&mut self, entries: &mut impl Linked, index: u32) {
        let link = entries.link(index);
        let Link {
            previous,
            next,
            slot,
        } = *link;
        if slot == NOWHERE {
            return;
        }
        link.slot = NOWHERE;
        let head = self.head(slot);
        if *head == index {
            *head = next;
            return;
        }
        entries.link(previous).next = next;
        if next != NONE {
            entries.link(next).previous = previous;
        }
    }

    /// Takes out one entry that is due at the second `now_s`, if any. Called until it answers `None`, then time has passed.
    #[inline]
    pub(crate) fn due(&mut self, entries: &mut impl Linked, now_s: i64) -> Option<u32> {
        let mut at_s = self.now_s?;
        if now_s <= at_s {
            // Time was set back: what is armed stays where it is and comes at most one turn of the wheel late.
            self.now_s = Some(now_s);
            return None;
        }
        // After a long silence one turn empties every slot. From here on it is that time for whoever is armed again: by an
        // earlier one it could come into the slot that is being emptied, for ever.
        at_s = at_s.max(now_s - Self::HORIZON_S);
        self.now_s = Some(at_s);
        while at_s < now_s {
            let head = self.head(Self::slot(at_s + 1));
            let index = *head;
            if index != NONE {
                let link = entries.link(index);
                link.slot = NOWHERE;
                let next = link.next;
                *head = next;
                if next != NONE {
                    entries.fetch(next);
                }
                return Some(index);
            }
            at_s += 1;
            self.now_s = Some(at_s);
        }
        None
    }

    #[inline]
    fn head(&mut self, slot: u16) -> &mut u32 {
        &mut self.heads[usize::from(slot) % SLOTS]
    }

    #[inline]
    fn slot(at_s: i64) -> u16 {
        at_s.rem_euclid(Self::HORIZON_S) as u16
    }
}

/// Seconds of a turn: a power of two over an hour.
const SLOTS: usize = 4096;
const NONE: u32 = u32::MAX;
/// The slot of an entry that is not armed: its other links have no meaning.
const NOWHERE: u16 = u16::MAX;
pub(crate) const NS_PER_S: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Links(Vec<Link>);

    impl Linked for Links {
        fn link(&mut self, index: u32) -> &mut Link {
            &mut self.0[index as usize]
        }
    }

    fn drain(wheel: &mut Wheel, links: &mut Links, now_s: i64) -> Vec<u32> {
        let mut due: Vec<u32> = std::iter::from_fn(|| wheel.due(links, now_s)).collect();
        due.sort_unstable();
        due
    }

    #[test]
    fn hands_out_each_entry_in_the_second_after_its_deadline() {
        let mut links = Links(vec![Link::default(); 3]);
        let mut wheel = Wheel::new();
        wheel.arm(&mut links, 0, 100 * NS_PER_S);
        wheel.arm(&mut links, 1, 101 * NS_PER_S);
        wheel.arm(&mut links, 2, 101 * NS_PER_S + 5);
        assert_eq!(drain(&mut wheel, &mut links, 100), [0_u32; 0]);
        assert_eq!(drain(&mut wheel, &mut links, 101), [0]);
        assert_eq!(drain(&mut wheel, &mut links, 102), [1, 2]);
    }

    #[test]
    fn a_long_silence_empties_every_slot() {
        let mut links = Links(vec![Link::default(); 2]);
        let mut wheel = Wheel::new();
        wheel.arm(&mut links, 0, 10 * NS_PER_S);
        wheel.arm(&mut links, 1, 4000 * NS_PER_S);
        assert_eq!(drain(&mut wheel, &mut links, 1_000_000), [0, 1]);
    }

    #[test]
    fn what_is_armed_again_after_a_long_silence_does_not_come_for_ever() {
        const HORIZON_S: i64 = Wheel::HORIZON_S;
        // Whatever the silence, as it is the remainder that matters.
        for silent_s in HORIZON_S..3 * HORIZON_S {
            let mut links = Links(vec![Link::default(); 1]);
            let mut wheel = Wheel::new();
            wheel.begin(0);
            wheel.arm(&mut links, 0, (HORIZON_S - 2) * NS_PER_S);
            let deadline_ns = (silent_s + 100) * NS_PER_S;
            let mut looks = 0;
            while let Some(index) = wheel.due(&mut links, silent_s) {
                looks += 1;
                assert!(looks < 4, "{silent_s}");
                wheel.arm(&mut links, index, deadline_ns);
            }
            assert_eq!(drain(&mut wheel, &mut links, silent_s + 101), [0]);
        }
    }

    proptest! {
        /// Against a naive list of deadlines.
        #[test]
        fn agrees_with_a_sorted_list(
            deadlines in prop::collection::vec(1i64..3000, 1..60),
            disarmed in prop::collection::vec(any::<bool>(), 60),
            steps in prop::collection::vec(1i64..700, 1..12),
        ) {
            let mut links = Links(vec![Link::default(); deadlines.len()]);
            let mut wheel = Wheel::new();
            wheel.now_s = Some(0);
            let mut naive = Vec::new();
            for (index, &deadline) in (0u32..).zip(&deadlines) {
                wheel.arm(&mut links, index, deadline * NS_PER_S);
                naive.push((deadline + 1, index));
            }
            for (index, _) in (0u32..).zip(&deadlines).filter(|(i, _)| disarmed[*i as usize]) {
                wheel.disarm(&mut links, index);
                naive.retain(|&(_, other)| other != index);
            }
            let mut now = 0;
            for step in steps {
                now += step;
                let mut want: Vec<u32> =
                    naive.iter().filter(|(at, _)| *at <= now).map(|&(_, index)| index).collect();
                want.sort_unstable();
                naive.retain(|(at, _)| *at > now);
                prop_assert_eq!(drain(&mut wheel, &mut links, now), want);
            }
        }
    }
}
