//! The VLAN ids and virtual networks of flows, each combination once: most flows have none, and those of a network share a
//! few, so that an entry of the flow table needs four octets for them and not twenty.

use std::collections::HashMap;

use foldhash::fast::FixedState;

use crate::observation::VlanTags;

/// What a flow's first packet was tagged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Tags {
    pub(crate) vlan: VlanTags,
    pub(crate) vni: Option<u32>,
}

impl Tags {
    #[inline]
    fn are_none(&self) -> bool {
        self.vlan.as_slice().is_empty() && self.vni.is_none()
    }
}

/// All combinations in use, with how many flows use each.
#[derive(Debug, Default)]
pub(crate) struct TagList {
    places: Vec<(Tags, u32)>,
    by_tags: HashMap<Tags, u32, FixedState>,
    free: Vec<u32>,
    most: usize,
}

impl TagList {
    /// Flows without any tag have this place.
    pub(crate) const NONE: u32 = 0;

    /// At most `most` combinations at a time, and some in any case: flows with other ones are told without. The seed keeps
    /// senders from choosing tags that clash.
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            most: most.max(LEAST),
            by_tags: HashMap::with_hasher(FixedState::with_seed(seed)),
            ..Self::default()
        }
    }

    /// The place of a flow's tags; [`TagList::leave`] gives it back.
    #[inline]
    pub(crate) fn enter(&mut self, tags: Tags) -> u32 {
        if tags.are_none() {
            return Self::NONE;
        }
        self.enter_some(tags)
    }

    fn enter_some(&mut self, tags: Tags) -> u32 {
        if self.by_tags.len() >= self.most && !self.by_tags.contains_key(&tags) {
            return Self::NONE;
        }
        let place = *self.by_tags.entry(tags).or_insert_with(|| {
            self.free.pop().unwrap_or_else(|| {
                self.places.push((tags, 0));
                self.places.len() as u32
            })
        });
        let (kept, users) = &mut self.places[place as usize - 1];
        *kept = tags;
        *users += 1;
        place
    }

    /// A flow that used a place has ended.
    #[inline]
    pub(crate) fn leave(&mut self, place: u32) {
        if place != Self::NONE {
            self.leave_some(place);
        }
    }

    fn leave_some(&mut self, place: u32) {
        let (tags, users) = &mut self.places[place as usize - 1];
        *users -= 1;
        if *users == 0 {
            self.by_tags.remove(tags);
            self.free.push(place);
        }
    }

    /// The tags at a place.
    pub(crate) fn at(&self, place: u32) -> Tags {
        match place {
            Self::NONE => Tags::default(),
            place => self.places[place as usize - 1].0,
        }
    }
}

/// As many as the VLANs of a large switch.
const LEAST: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(id: u16) -> Tags {
        let mut tags = Tags::default();
        tags.vlan.push(id);
        tags
    }

    #[test]
    fn keeps_a_combination_as_long_as_a_flow_uses_it() {
        let mut list = TagList::new(LEAST, 1);
        assert_eq!(list.enter(Tags::default()), TagList::NONE);
        let (one, two) = (list.enter(tags(7)), list.enter(tags(8)));
        assert_eq!(list.enter(tags(7)), one);
        list.leave(one);
        assert_eq!(list.at(one), tags(7));
        list.leave(one);
        assert_eq!(list.enter(tags(9)), one, "its place is used again");
        assert_eq!((list.at(one), list.at(two)), (tags(9), tags(8)));
        assert_eq!(list.at(TagList::NONE), Tags::default());
    }

    #[test]
    fn tags_that_a_sender_makes_up_are_bounded() {
        let mut list = TagList::new(0, 1);
        for id in 1..=4000 {
            list.enter(tags(id));
        }
        assert_eq!(list.places.len(), LEAST);
        let place = list.enter(tags(7));
        assert_eq!(list.at(place), tags(7));
        assert_eq!(list.enter(tags(4001)), TagList::NONE);
    }
}
