//! Names learned from DNS: which name stood for an address, and who asked for it.

use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::net::IpAddr;

use foldhash::fast::FixedState;

use crate::observation::{DnsTransaction, NameService};
use crate::prefetch;

/// An address as a number, that of IPv4 as RFC 4291 section 2.5.5.2 maps it: quicker to hash and to compare.
type Place = u128;

/// The unspecified address, which asks nothing.
const ANYBODY: Place = 0;

fn place(address: IpAddr) -> Place {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Address to name, bounded. The latest answer wins; when it is full the oldest entry goes.
///
/// Who asked ([`ANYBODY`] among them) and the address are known by a keyed hash of 64 bits. With as many entries as there
/// may be, one run in a hundred million takes an address for another one; and an entry has an eighth of the octets, of
/// which a busy network touches others with each answer.
pub(crate) struct Names {
    entries: Slots,
    order: VecDeque<u64>,
    most: usize,
    texts: Texts,
    hasher: FixedState,
    /// Entries that went to make room.
    pub(crate) forgotten: u64,
}

/// Each name once, with how many entries have it.
#[derive(Default)]
struct Texts {
    places: Vec<Text>,
    /// By the hash of the text.
    by_text: Slots,
    free: Vec<u32>,
}

#[derive(Default)]
struct Text {
    text: Box<str>,
    key: u64,
    holders: u32,
}

impl Names {
    /// Addresses of an answer whose memory is fetched together.
    const AT_ONCE: usize = 8;

    /// At most `most` entries.
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            entries: Slots::default(),
            order: VecDeque::new(),
            most: most.max(1),
            texts: Texts::default(),
            hasher: FixedState::with_seed(seed),
            forgotten: 0,
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.taken
    }

    /// Learns the addresses of an answer.
    pub(crate) fn learn(&mut self, asker: IpAddr, dns: &DnsTransaction) {
        let is_name = !dns.query.is_empty() && dns.query.len() <= MAX_NAME;
        if dns.service != NameService::Dns || !is_name || dns.addresses.is_empty() {
            return;
        }
        let asker = place(asker);
        let text_key = self.hasher.hash_one(dns.query.as_str());
        self.texts.by_text.fetch(text_key);
        let mut text = None;
        for some in dns.addresses.chunks(Self::AT_ONCE) {
            let mut keys = [[0; 2]; Self::AT_ONCE];
            for (keys, &(address, _)) in keys.iter_mut().zip(some) {
                *keys = [self.key(asker, address), self.key(ANYBODY, address)];
                keys.iter().for_each(|&key| self.entries.fetch(key));
            }
            if self.order.len() + 2 * some.len() > self.most {
                let leaving = self.order.iter().take(2 * some.len());
                leaving.for_each(|&key| self.entries.fetch(key));
            }
            // It is held while its entries come, lest one that goes takes it along.
            if text.is_none() {
                text = self.texts.enter(text_key, &dns.query);
            }
            let Some(text) = text else {
                return;
            };
            for &key in keys.iter().take(some.len()).flatten() {
                self.put(key, text);
            }
        }
        if let Some(text) = text {
            self.texts.leave(text);
        }
    }

    /// The name that `asker` knows an address by, else anybody's.
    pub(crate) fn of(&self, asker: IpAddr, address: IpAddr) -> Option<&str> {
        let text = self
            .entries
            .get(self.key(place(asker), address))
            .or_else(|| self.entries.get(self.key(ANYBODY, address)))?;
        Some(self.texts.at(text))
    }

    fn key(&self, asker: Place, address: IpAddr) -> u64 {
        self.hasher.hash_one((asker, place(address)))
    }

    fn put(&mut self, key: u64, text: u32) {
        if let Some(known) = self.entries.get_mut(key) {
            let before = std::mem::replace(known, text);
            if before != text {
                self.texts.hold(text);
                self.texts.leave(before);
            }
            return;
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
            && let Some(text) = self.entries.remove(oldest)
        {
            self.texts.leave(text);
            self.forgotten += 1;
        }
        self.order.push_back(key);
        self.texts.hold(text);
        self.entries.insert(key, text);
    }
}

impl Texts {
    /// The place of a text, held once by the caller; none where another text has the same hash, which never happens.
    fn enter(&mut self, key: u64, text: &str) -> Option<u32> {
        if let Some(place) = self.by_text.get(key) {
            let known = &mut self.places[place as usize];
            return (*known.text == *text).then(|| {
                known.holders += 1;
                place
            });
        }
        let text = Text {
            text: text.into(),
            key,
            holders: 1,
        };
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = text;
                place
            }
            None => {
                self.places.push(text);
                (self.places.len() - 1) as u32
            }
        };
        self.by_text.insert(key, place);
        Some(place)
    }

    fn hold(&mut self, place: u32) {
        self.places[place as usize].holders += 1;
    }

    fn leave(&mut self, place: u32) {
        let text = &mut self.places[place as usize];
        text.holders -= 1;
        if text.holders == 0 {
            let gone = std::mem::take(text);
            self.by_text.remove(gone.key);
            self.free.push(place);
        }
    }

    fn at(&self, place: u32) -> &str {
        &self.places[place as usize].text
    }
}

/// Numbers by a keyed hash of 64 bits. At most half of the slots are taken, and a number stands in the slot of its key or in
/// the next free one behind: a look touches one cache line as a rule, where a table with a line of marks before its entries
/// takes two.
#[derive(Default)]
struct Slots {
    /// None, or a power of two.
    slots: Vec<Slot>,
    taken: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    key: u64,
    number: u32,
}

impl Slot {
    const FREE: u32 = u32::MAX;
    const EMPTY: Self = Self {
        key: 0,
        number: Self::FREE,
    };
}

impl Slots {
    /// Slots at first.
    const LEAST: usize = 64;

    fn home(&self, key: u64) -> usize {
        key as usize & self.slots.len().wrapping_sub(1)
    }

    /// Has the slot of a key fetched.
    fn fetch(&self, key: u64) {
        if let Some(slot) = self.slots.get(self.home(key)) {
            prefetch::fetch(slot);
        }
    }

    fn find(&self, key: u64) -> Option<usize> {
        let mut at = self.home(key);
        loop {
            let slot = self.slots.get(at)?;
            if slot.number == Slot::FREE {
                return None;
            }
            if slot.key == key {
                return Some(at);
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn get(&self, key: u64) -> Option<u32> {
        self.find(key).map(|at| self.slots[at].number)
    }

    fn get_mut(&mut self, key: u64) -> Option<&mut u32> {
        let at = self.find(key)?;
        Some(&mut self.slots[at].number)
    }

    /// Adds a number whose key is not there.
    fn insert(&mut self, key: u64, number: u32) {
        if 2 * (self.taken + 1) > self.slots.len() {
            let larger = vec![Slot::EMPTY; (2 * self.slots.len()).max(Self::LEAST)];
            let before = std::mem::replace(&mut self.slots, larger);
            for slot in before {
                if slot.number != Slot::FREE {
                    self.settle(slot);
                }
            }
        }
        self.settle(Slot { key, number });
        self.taken += 1;
    }

    fn settle(&mut self, slot: Slot) {
        let mut at = self.home(slot.key);
        while self.slots[at].number != Slot::FREE {
            at = (at + 1) & (self.slots.len() - 1);
        }
        self.slots[at] = slot;
    }

    /// Takes a number out. Those behind it that stand where they do only because of it move up.
    fn remove(&mut self, key: u64) -> Option<u32> {
        let mut hole = self.find(key)?;
        let number = self.slots[hole].number;
        let last = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & last;
            let slot = self.slots[at];
            if slot.number == Slot::FREE {
                break;
            }
            let from_home = at.wrapping_sub(self.home(slot.key)) & last;
            if from_home >= at.wrapping_sub(hole) & last {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = Slot::EMPTY;
        self.taken -= 1;
        Some(number)
    }
}

/// RFC 1035, section 2.3.4. Where octets are no text they are told as four characters each: what is longer names no host.
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::observation::{DnsTransport, DnsType, Side};

    fn answer(query: &str, address: &str) -> DnsTransaction {
        DnsTransaction {
            query: query.to_owned(),
            qtype: DnsType(1),
            rcode: None,
            answers: Vec::new(),
            transport: DnsTransport::Udp,
            client: Side::Originator,
            service: NameService::Dns,
            addresses: vec![(address.parse().unwrap(), 60)],
            aliases: Vec::new(),
        }
    }

    #[test]
    fn the_askers_own_name_wins_over_anybodys() {
        let mut names = Names::new(10, 1);
        let (one, other, address) = (
            "10.0.0.1".parse().unwrap(),
            "10.0.0.2".parse().unwrap(),
            "192.0.2.1".parse().unwrap(),
        );
        names.learn(one, &answer("a.example", "192.0.2.1"));
        names.learn(other, &answer("b.example", "192.0.2.1"));
        assert_eq!(names.of(one, address), Some("a.example"));
        assert_eq!(
            names.of("10.0.0.3".parse().unwrap(), address),
            Some("b.example")
        );
    }

    #[test]
    fn keeps_no_name_that_no_address_has() {
        let mut names = Names::new(2, 1);
        let asker = "10.0.0.1".parse().unwrap();
        for query in ["a.example", "b.example", "c.example"] {
            names.learn(asker, &answer(query, "192.0.2.1"));
            names.learn(asker, &answer(query, "192.0.2.2"));
        }
        let known = |address: &str| names.of(asker, address.parse().unwrap());
        assert_eq!(known("192.0.2.1"), None, "it went for the second one");
        assert_eq!(known("192.0.2.2"), Some("c.example"));
        assert_eq!(names.texts.by_text.taken, 1);
        assert_eq!(names.texts.places.len() - names.texts.free.len(), 1);
    }

    #[test]
    fn forgets_the_oldest_when_full() {
        let mut names = Names::new(4, 1);
        let asker = "10.0.0.1".parse().unwrap();
        for last in 1..=9 {
            names.learn(asker, &answer("a.example", &format!("192.0.2.{last}")));
        }
        assert_eq!((names.len(), names.forgotten), (4, 14));
        assert_eq!(names.texts.by_text.taken, 1);
        assert_eq!(names.of(asker, "192.0.2.1".parse().unwrap()), None);
        assert_eq!(
            names.of(asker, "192.0.2.9".parse().unwrap()),
            Some("a.example")
        );
    }

    proptest! {
        /// Few keys, of which many have their home in the last slots: chains wrap around and are cut anywhere.
        #[test]
        fn slots_hold_what_was_put_in(steps in prop::collection::vec((0_u64..40, any::<bool>()), 0..400)) {
            let mut slots = Slots::default();
            let mut model = HashMap::new();
            for (step, (number, comes)) in steps.into_iter().enumerate() {
                let key = number << 32 | (60 + number / 5);
                let value = step as u32;
                if !comes {
                    prop_assert_eq!(slots.remove(key), model.remove(&key));
                } else if let Some(known) = slots.get_mut(key) {
                    *known = value;
                    prop_assert!(model.insert(key, value).is_some());
                } else {
                    slots.insert(key, value);
                    prop_assert!(model.insert(key, value).is_none());
                }
                prop_assert_eq!(slots.taken, model.len());
                for number in 0..40 {
                    let key = number << 32 | (60 + number / 5);
                    prop_assert_eq!(slots.get(key), model.get(&key).copied());
                }
            }
        }

        #[test]
        fn knows_the_latest_name_of_the_latest_addresses(
            most in 1_usize..12,
            answers in prop::collection::vec((0_u8..3, 0_u8..5, prop::collection::vec(0_u8..9, 0..12)), 0..40),
        ) {
            let asker = |number: u8| IpAddr::from([10, 0, 0, number]);
            let address = |number: u8| IpAddr::from([192, 0, 2, number]);
            let mut names = Names::new(most, 1);
            // Who asked (none: anybody), the address, the name; the oldest first.
            let mut model: Vec<(Option<u8>, u8, String)> = Vec::new();
            for (by, name, addresses) in answers {
                let mut dns = answer(&format!("{name}.example"), "192.0.2.1");
                dns.addresses = addresses.iter().map(|&last| (address(last), 60)).collect();
                names.learn(asker(by), &dns);
                for last in addresses {
                    for by in [Some(by), None] {
                        let known = model.iter_mut().find(|(b, a, _)| (*b, *a) == (by, last));
                        if let Some((.., known)) = known {
                            known.clone_from(&dns.query);
                            continue;
                        }
                        if model.len() == most {
                            model.remove(0);
                        }
                        model.push((by, last, dns.query.clone()));
                    }
                }
                let of = |by: Option<u8>, last: u8| {
                    let known = model.iter().find(|(b, a, _)| (*b, *a) == (by, last))?;
                    Some(known.2.as_str())
                };
                for by in 0..4 {
                    for last in 0..9 {
                        let expected = of(Some(by), last).or_else(|| of(None, last));
                        prop_assert_eq!(names.of(asker(by), address(last)), expected);
                    }
                }
                let held: std::collections::HashSet<&str> = model.iter().map(|known| known.2.as_str()).collect();
                prop_assert_eq!(names.texts.by_text.taken, held.len());
                prop_assert_eq!(names.texts.places.len() - names.texts.free.len(), held.len());
            }
        }
    }
}
