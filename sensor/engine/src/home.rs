//! What is inside: the home networks, and the direction of a flow against them.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

/// The networks that are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HomeNetworks(Vec<IpNet>);

impl HomeNetworks {
    /// These networks, and nothing else.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(IpNet::aggregate(&networks))
    }

    /// Whether an address is inside. Multicast and broadcast have no outside: they count as inside.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let group = match address {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified(),
            IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified(),
        };
        group || self.0.iter().any(|network| network.contains(&address))
    }

    /// The direction of a flow that `from` opened to `to`.
    #[must_use]
    pub fn direction(&self, from: IpAddr, to: IpAddr) -> Direction {
        match (self.contains(from), self.contains(to)) {
            (true, true) => Direction::Internal,
            (true, false) => Direction::Outbound,
            (false, true) => Direction::Inbound,
            (false, false) => Direction::External,
        }
    }
}

impl Default for HomeNetworks {
    /// RFC 1918, RFC 6598, link-local (RFC 3927, RFC 4291), unique local (RFC 4193) and loopback.
    fn default() -> Self {
        let network = |text: &str| text.parse().expect("a network written below");
        Self::new(
            [
                "10.0.0.0/8",
                "172.16.0.0/12",
                "192.168.0.0/16",
                "100.64.0.0/10",
                "169.254.0.0/16",
                "127.0.0.0/8",
                "fc00::/7",
                "fe80::/10",
                "::1/128",
            ]
            .map(network)
            .to_vec(),
        )
    }
}

/// Where a flow goes, as seen from the home networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the internet to the inside.
    Inbound,
    /// From the inside to the internet.
    Outbound,
    /// Both ends are inside.
    Internal,
    /// Neither end is inside.
    External,
}

impl Direction {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
            Self::Internal => "internal",
            Self::External => "external",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn private_addresses_are_inside_and_documentation_is_the_internet() {
        let home = HomeNetworks::default();
        for inside in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "fd00::1",
            "fe80::1",
            "127.0.0.1",
            "224.0.0.251",
            "ff02::fb",
        ] {
            assert!(home.contains(ip(inside)), "{inside}");
        }
        for outside in [
            "172.32.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "192.0.2.1",
            "2001:db8::1",
            "8.8.8.8",
        ] {
            assert!(!home.contains(ip(outside)), "{outside}");
        }
    }

    #[test]
    fn a_given_list_replaces_the_default() {
        let home = HomeNetworks::new(vec!["203.0.113.0/24".parse().unwrap()]);
        assert_eq!(
            home.direction(ip("10.0.0.1"), ip("203.0.113.7")),
            Direction::Inbound
        );
        assert_eq!(
            home.direction(ip("203.0.113.7"), ip("10.0.0.1")),
            Direction::Outbound
        );
        assert_eq!(
            home.direction(ip("8.8.8.8"), ip("10.0.0.1")),
            Direction::External
        );
    }
}
