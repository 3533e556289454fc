//! Names learned from DNS: which name stood for an address, and who asked for it.

use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::observation::{DnsTransaction, NameService};

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
    entries: HashTable<(u64, u32)>,
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
    places: Vec<(Arc<str>, u32)>,
    by_text: HashMap<Arc<str>, u32, FixedState>,
    free: Vec<u32>,
}

impl Names {
    /// At most `most` entries.
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            entries: HashTable::new(),
            order: VecDeque::new(),
            most: most.max(1),
            texts: Texts {
                by_text: HashMap::with_hasher(FixedState::with_seed(seed)),
                ..Texts::default()
            },
            hasher: FixedState::with_seed(seed),
            forgotten: 0,
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Learns the addresses of an answer.
    pub(crate) fn learn(&mut self, asker: IpAddr, dns: &DnsTransaction) {
        let is_name = !dns.query.is_empty() && dns.query.len() <= MAX_NAME;
        if dns.service != NameService::Dns || !is_name || dns.addresses.is_empty() {
            return;
        }
        // It is held while its entries come, lest one that goes takes it along.
        let text = self.texts.enter(&dns.query);
        for &(address, _) in &dns.addresses {
            self.put(self.key(place(asker), address), text);
            self.put(self.key(ANYBODY, address), text);
        }
        self.texts.leave(text);
    }

    /// The name that `asker` knows an address by, else anybody's.
    pub(crate) fn of(&self, asker: IpAddr, address: IpAddr) -> Option<&str> {
        let at = |key: u64| self.entries.find(key, |&(known, _)| known == key);
        let &(_, text) =
            at(self.key(place(asker), address)).or_else(|| at(self.key(ANYBODY, address)))?;
        Some(self.texts.at(text))
    }

    fn key(&self, asker: Place, address: IpAddr) -> u64 {
        self.hasher.hash_one((asker, place(address)))
    }

    fn put(&mut self, key: u64, text: u32) {
        if let Some((_, known)) = self.entries.find_mut(key, |&(known, _)| known == key) {
            let before = std::mem::replace(known, text);
            if before != text {
                self.texts.hold(text);
                self.texts.leave(before);
            }
            return;
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
            && let Ok(entry) = self
                .entries
                .find_entry(oldest, |&(known, _)| known == oldest)
        {
            let ((_, text), _) = entry.remove();
            self.texts.leave(text);
            self.forgotten += 1;
        }
        self.order.push_back(key);
        self.texts.hold(text);
        self.entries
            .insert_unique(key, (key, text), |&(known, _)| known);
    }
}

impl Texts {
    /// The place of a text, held once by the caller.
    fn enter(&mut self, text: &str) -> u32 {
        if let Some(&place) = self.by_text.get(text) {
            self.hold(place);
            return place;
        }
        let shared: Arc<str> = text.into();
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = (Arc::clone(&shared), 1);
                place
            }
            None => {
                self.places.push((Arc::clone(&shared), 1));
                (self.places.len() - 1) as u32
            }
        };
        self.by_text.insert(shared, place);
        place
    }

    fn hold(&mut self, place: u32) {
        self.places[place as usize].1 += 1;
    }

    fn leave(&mut self, place: u32) {
        let (text, holders) = &mut self.places[place as usize];
        *holders -= 1;
        if *holders == 0 {
            self.by_text.remove(text);
            *text = Arc::from("");
            self.free.push(place);
        }
    }

    fn at(&self, place: u32) -> &str {
        &self.places[place as usize].0
    }
}

/// RFC 1035, section 2.3.4. Where octets are no text they are told as four characters each: what is longer names no host.
const MAX_NAME: usize = 255;

#[cfg(test)]
mod tests {
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
        assert_eq!(names.texts.by_text.len(), 1);
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
        assert_eq!(names.texts.by_text.len(), 1);
        assert_eq!(names.of(asker, "192.0.2.1".parse().unwrap()), None);
        assert_eq!(
            names.of(asker, "192.0.2.9".parse().unwrap()),
            Some("a.example")
        );
    }
}
