//! What name services tell.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::Side;

/// A question to a name service and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DnsTransaction {
    /// The name asked for, as sent; octets that are no printable ASCII, and `\`, are written `\DDD` (RFC 4343, 2.1). No
    /// trailing dot; the root is the empty text.
    pub query: String,
    /// Mnemonic of the registry, else `TYPE<n>` (RFC 3597).
    pub qtype: DnsType,
    /// Mnemonic such as `NOERROR`; `None` when no answer was seen.
    pub rcode: Option<DnsRcode>,
    /// Addresses and names of the answer section, in order, as text; at most [`DnsTransaction::MAX_ANSWERS`].
    pub answers: Vec<DnsAnswer>,
    /// What carried the messages.
    pub transport: DnsTransport,
    /// Which side of the flow asked.
    #[serde(skip)]
    pub client: Side,
    /// DNS, mDNS or LLMNR.
    #[serde(skip)]
    pub service: NameService,
    /// The addresses of the answer with the name that owns each, the question's name (CNAMEs followed), and its time to
    /// live in seconds.
    #[serde(skip)]
    pub addresses: Vec<(IpAddr, u32)>,
    /// Every other owner and target of a CNAME in the answer, as text.
    #[serde(skip)]
    pub aliases: Vec<String>,
}

/// What a record of an answer says. It becomes text where it is written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum DnsAnswer {
    /// An address.
    Address(IpAddr),
    /// A name or a text, escaped as [`DnsTransaction::query`] is.
    Text(String),
}

impl std::fmt::Debug for DnsAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl std::fmt::Display for DnsAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Serialize for DnsAnswer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Address(address) => address.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl DnsTransaction {
    /// An answer of 4096 octets can hold about 250 addresses; nobody reads more than this.
    pub const MAX_ANSWERS: usize = 64;
}

/// What carries DNS messages, as far as it can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DnsTransport {
    /// A datagram each.
    Udp,
    /// Behind their length (RFC 7766).
    Tcp,
    /// HTTP in clear (RFC 8484): DNS over HTTPS without its TLS, behind a proxy that ended it.
    Http,
}

/// Which name service a message belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameService {
    /// RFC 1035.
    Dns,
    /// RFC 6762.
    Mdns,
    /// RFC 4795.
    Llmnr,
}

impl NameService {
    /// As records write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
        }
    }
}

/// A type of the DNS registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DnsType(pub u16);

impl Serialize for DnsType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = terrier_wire::dns::TypeName(self.0);
        match name.mnemonic() {
            Some(mnemonic) => serializer.serialize_str(mnemonic),
            None => serializer.collect_str(&name),
        }
    }
}

/// A response code of the DNS registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DnsRcode(pub u16);

impl Serialize for DnsRcode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = terrier_wire::dns::RcodeName(self.0);
        match name.mnemonic() {
            Some(mnemonic) => serializer.serialize_str(mnemonic),
            None => serializer.collect_str(&name),
        }
    }
}
