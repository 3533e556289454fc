//! What inside hosts call themselves: an address to the best name that was heard for it.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use foldhash::fast::FixedState;

use crate::home::HomeNetworks;
use crate::observation::{Carrier, Certificate, Dhcp, Fact, NameService, NameSource, Observation};

/// Address to name, bounded. A better source wins, among equals the latest; when it is full the oldest entry goes.
#[derive(Debug)]
pub(crate) struct Hosts {
    names: Bounded<IpAddr, (String, NameSource)>,
    /// DHCP clients by transaction, until a server grants them an address.
    clients: Bounded<u32, String>,
}

#[derive(Debug)]
struct Bounded<K, V> {
    entries: HashMap<K, V, FixedState>,
    order: VecDeque<K>,
    most: usize,
    /// Entries that went to make room.
    forgotten: u64,
}

impl Hosts {
    /// At most `most` names.
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            names: Bounded::new(most, seed),
            clients: Bounded::new(MAX_CLIENTS.min(most), seed),
        }
    }

    /// Learns what a fact tells of inside hosts.
    pub(crate) fn learn(&mut self, observation: &Observation, home: &HomeNetworks) {
        match &observation.fact {
            Fact::Dhcp(dhcp) => self.lease(dhcp),
            Fact::Netbios(netbios) => {
                for (source, names) in [
                    (NameSource::Netbios, &netbios.owned),
                    (NameSource::Llmnr, &netbios.answered),
                ] {
                    for (address, name) in names {
                        self.put(*address, name, source);
                    }
                }
            }
            Fact::Dns(dns) => {
                let source = match dns.service {
                    NameService::Mdns if dns.query.ends_with(".local") => NameSource::Mdns,
                    NameService::Llmnr => NameSource::Llmnr,
                    _ => return,
                };
                for (address, _) in &dns.addresses {
                    if home.contains(*address) {
                        self.put(*address, &dns.query, source);
                    }
                }
            }
            Fact::TlsServer(tls) if tls.inside == Some(Carrier::Rdp) => {
                let server = observation.flow.endpoint(tls.client.other()).ip;
                let name = tls.certificate.as_ref().and_then(own_name);
                if let Some(name) = name.filter(|_| home.contains(server)) {
                    self.put(server, name, NameSource::Certificate);
                }
            }
            Fact::RdpClient(rdp) => {
                let client = observation.flow.endpoint(rdp.client).ip;
                if let Some(name) = rdp.client_name.as_deref().filter(|_| home.contains(client)) {
                    self.put(client, name, NameSource::Rdp);
                }
            }
            _ => {}
        }
    }

    /// The name of a host and what told it.
    pub(crate) fn of(&self, address: IpAddr) -> Option<(&str, NameSource)> {
        let (name, source) = self.names.entries.get(&address)?;
        Some((name, *source))
    }

    /// How many names there are.
    pub(crate) fn len(&self) -> usize {
        self.names.entries.len()
    }

    /// Names that went to make room.
    pub(crate) fn forgotten(&self) -> u64 {
        self.names.forgotten
    }

    /// The client tells its name in its request, the server grants the address in an answer to all.
    fn lease(&mut self, dhcp: &Dhcp) {
        let name = dhcp.name().filter(|name| name.len() <= MAX_NAME);
        if let (Some(name), false) = (name, dhcp.is_ack) {
            self.clients.put(dhcp.transaction, name.to_owned());
            // Who renews has the address already.
            if let Some(address) = dhcp.client_address {
                self.put(IpAddr::V4(address), name, NameSource::Dhcp);
            }
        }
        let granted = dhcp.assigned_address.filter(|_| dhcp.is_ack);
        let known = self.clients.entries.get(&dhcp.transaction);
        // A server may answer with the name under which it keeps the client.
        if let Some(address) = granted
            && let Some(name) = known.cloned().or_else(|| name.map(str::to_owned))
        {
            self.put(IpAddr::V4(address), &name, NameSource::Dhcp);
        }
    }

    fn put(&mut self, address: IpAddr, name: &str, source: NameSource) {
        if name.is_empty()
            || name.len() > MAX_NAME
            || address.is_loopback()
            || address.is_unspecified()
        {
            return;
        }
        if let Some((known, by)) = self.names.entries.get_mut(&address) {
            if rank(source) >= rank(*by) && known != name {
                name.clone_into(known);
                *by = source;
            }
            return;
        }
        self.names.put(address, (name.to_owned(), source));
    }
}

impl<K: std::hash::Hash + Eq + Copy, V> Bounded<K, V> {
    fn new(most: usize, seed: u64) -> Self {
        Self {
            entries: HashMap::with_hasher(FixedState::with_seed(seed)),
            order: VecDeque::new(),
            most,
            forgotten: 0,
        }
    }

    fn put(&mut self, key: K, value: V) {
        if self.entries.insert(key, value).is_some() {
            return;
        }
        if self.order.len() >= self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
            self.forgotten += 1;
        }
        self.order.push_back(key);
    }
}

/// The name in a certificate that the server has made for itself, as the remote desktop of Windows does.
fn own_name(certificate: &Certificate) -> Option<&str> {
    let name = certificate.subject.strip_prefix("CN=")?;
    let is_host = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    (certificate.subject == certificate.issuer && name.bytes().all(is_host)).then_some(name)
}

/// How far a source is believed. A server grants the address to the name; the others are the host's own word, the last
/// anybody's.
fn rank(source: NameSource) -> u8 {
    match source {
        NameSource::Dhcp => 4,
        NameSource::Mdns => 3,
        NameSource::Netbios => 2,
        NameSource::Certificate | NameSource::Rdp => 1,
        NameSource::Llmnr | NameSource::Dns | NameSource::Sni | NameSource::Http => 0,
    }
}

/// What is longer names no host.
const MAX_NAME: usize = 255;
/// Exchanges under way; each takes seconds.
const MAX_CLIENTS: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn message(transaction: u32, host_name: Option<&str>, is_ack: bool) -> Dhcp {
        Dhcp {
            message: String::new(),
            host_name: host_name.map(str::to_owned),
            domain_name: None,
            vendor_class: None,
            mac: String::new(),
            client_address: None,
            requested_address: None,
            assigned_address: is_ack.then_some([10, 0, 0, 7].into()),
            transaction,
            is_ack,
        }
    }

    fn address() -> IpAddr {
        "10.0.0.7".parse().unwrap()
    }

    #[test]
    fn a_lease_joins_the_clients_name_and_the_servers_address() {
        let mut hosts = Hosts::new(10, 1);
        hosts.lease(&message(5, Some("ws01"), false));
        assert_eq!(hosts.of(address()), None, "not granted yet");
        hosts.lease(&message(6, None, true));
        assert_eq!(hosts.of(address()), None, "another client's");
        hosts.lease(&message(5, None, true));
        assert_eq!(hosts.of(address()), Some(("ws01", NameSource::Dhcp)));
    }

    #[test]
    fn who_renews_has_the_address() {
        let mut hosts = Hosts::new(10, 1);
        let mut renewal = message(5, Some("ws01"), false);
        renewal.client_address = Some([10, 0, 0, 7].into());
        renewal.domain_name = Some("ws01.corp.example".to_owned());
        hosts.lease(&renewal);
        let known = Some(("ws01.corp.example", NameSource::Dhcp));
        assert_eq!(hosts.of(address()), known);
    }

    #[test]
    fn a_better_source_wins_and_among_equals_the_latest() {
        let mut hosts = Hosts::new(10, 1);
        hosts.put(address(), "wpad", NameSource::Llmnr);
        hosts.put(address(), "WS01", NameSource::Netbios);
        hosts.put(address(), "isatap", NameSource::Llmnr);
        assert_eq!(hosts.of(address()), Some(("WS01", NameSource::Netbios)));
        hosts.put(address(), "WS02", NameSource::Netbios);
        assert_eq!(hosts.of(address()), Some(("WS02", NameSource::Netbios)));
    }

    #[test]
    fn a_certificate_names_a_host_that_has_made_it_itself() {
        let certificate = |subject: &str, issuer: &str| Certificate {
            subject: subject.to_owned(),
            issuer: issuer.to_owned(),
            san: Vec::new(),
            not_before: String::new(),
            not_after: String::new(),
            sha256: String::new(),
        };
        let name = |subject, issuer| own_name(&certificate(subject, issuer)).map(str::to_owned);
        let known = name("CN=WEB01.corp.example", "CN=WEB01.corp.example");
        assert_eq!(known.as_deref(), Some("WEB01.corp.example"));
        assert_eq!(name("CN=web", "CN=Some CA"), None, "anybody's words");
        assert_eq!(name("CN=a b", "CN=a b"), None, "no host has this name");
        assert_eq!(name("O=x,CN=a", "O=x,CN=a"), None);
    }

    #[test]
    fn forgets_the_oldest_when_full() {
        let mut hosts = Hosts::new(2, 1);
        for last in 1..=3 {
            let address = IpAddr::V4([10, 0, 0, last].into());
            hosts.put(address, "x", NameSource::Mdns);
        }
        assert_eq!((hosts.len(), hosts.forgotten()), (2, 1));
        assert_eq!(hosts.of(IpAddr::V4([10, 0, 0, 1].into())), None);
    }
}
