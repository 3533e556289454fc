//! What hosts call themselves.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Serialize, Serializer};

/// A DHCP message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dhcp {
    /// `discover`, `request`, `ack`, ...; `bootp` where there is no message type, or the number as text.
    pub message: String,
    /// What the client calls itself, printable ASCII; other octets are written `\xNN`.
    pub host_name: Option<String>,
    /// Its name in the DNS, written so too.
    pub domain_name: Option<String>,
    /// What the client's program is, written so too.
    pub vendor_class: Option<String>,
    /// The client's hardware address.
    pub mac: String,
    /// The address that the client has.
    pub client_address: Option<Ipv4Addr>,
    /// The address that the client asks for.
    pub requested_address: Option<Ipv4Addr>,
    /// The address that the server gives.
    pub assigned_address: Option<Ipv4Addr>,
    /// The same in all messages of one exchange.
    #[serde(skip)]
    pub transaction: u32,
    /// Whether the server grants the address.
    #[serde(skip)]
    pub is_ack: bool,
}

impl Dhcp {
    /// The name to call the client by: that in the DNS where it has a domain, else the host name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        let full = self.domain_name.as_deref();
        full.filter(|name| name.contains('.'))
            .or(self.host_name.as_deref())
            .or(full)
    }
}

/// A message of NetBIOS over UDP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Netbios {
    /// `query`, `status`, `registration`, `release`, `wait`, `refresh`; `datagram` of the datagram service.
    pub operation: &'static str,
    /// Whether it is an answer.
    pub response: bool,
    /// The name it is about, or of the sender of a datagram; other than printable ASCII written `\xNN`.
    pub name: String,
    /// The sixteenth octet: what it is the name of.
    pub suffix: Suffix,
    /// Who has the name, as far as the message says.
    pub addresses: Vec<Ipv4Addr>,
    /// Names of hosts with their addresses that the owners say themselves.
    #[serde(skip)]
    pub owned: Vec<(IpAddr, String)>,
    /// The same from somebody who answers a question: it may be anybody.
    #[serde(skip)]
    pub answered: Vec<(IpAddr, String)>,
}

/// The sixteenth octet of a NetBIOS name, written `0x20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suffix(pub u8);

impl Serialize for Suffix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:#04x}", self.0))
    }
}
