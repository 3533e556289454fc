//! Names learned from DNS: which name stood for an address, and who asked for it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;

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
#[derive(Debug)]
pub(crate) struct Names {
    /// By who asked ([`ANYBODY`] among them) and the address.
    entries: HashMap<(Place, Place), Arc<str>, FixedState>,
    order: VecDeque<(Place, Place)>,
    most: usize,
}

impl Names {
    /// At most `most` entries.
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            entries: HashMap::with_hasher(FixedState::with_seed(seed)),
            order: VecDeque::new(),
            most,
        }
    }

    /// Learns the addresses of an answer.
    pub(crate) fn learn(&mut self, asker: IpAddr, dns: &DnsTransaction) {
        if dns.service != NameService::Dns || dns.query.is_empty() {
            return;
        }
        let mut name = None;
        for &(address, _) in &dns.addresses {
            self.put((place(asker), place(address)), &dns.query, &mut name);
            self.put((ANYBODY, place(address)), &dns.query, &mut name);
        }
    }

    /// The name that `asker` knows an address by, else anybody's.
    pub(crate) fn of(&self, asker: IpAddr, address: IpAddr) -> Option<&str> {
        self.entries
            .get(&(place(asker), place(address)))
            .or_else(|| self.entries.get(&(ANYBODY, place(address))))
            .map(|name| &**name)
    }

    /// All entries of an answer share one `name`.
    fn put(&mut self, key: (Place, Place), query: &str, name: &mut Option<Arc<str>>) {
        if let Some(known) = self.entries.get_mut(&key) {
            if **known != *query {
                *known = Arc::clone(name.get_or_insert_with(|| query.into()));
            }
            return;
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
        self.order.push_back(key);
        let name = name.get_or_insert_with(|| query.into());
        self.entries.insert(key, Arc::clone(name));
    }
}

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
    fn forgets_the_oldest_when_full() {
        let mut names = Names::new(4, 1);
        let asker = "10.0.0.1".parse().unwrap();
        for last in 1..=9 {
            names.learn(asker, &answer("a.example", &format!("192.0.2.{last}")));
        }
        assert_eq!(names.entries.len(), 4);
        assert_eq!(names.of(asker, "192.0.2.1".parse().unwrap()), None);
        assert_eq!(
            names.of(asker, "192.0.2.9".parse().unwrap()),
            Some("a.example")
        );
    }
}
