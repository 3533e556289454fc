//! IP headers: the octets of a packet in; addresses, protocol, fragment and payload out.
//!
//! IPv4 (RFC 791) and IPv6 (RFC 8200) with its extension headers. A total length of 0 (segmentation offload) or beyond
//! what was captured (snaplen) is no reason to refuse: what is there is handed out, and how much was promised. Checksums
//! are not looked at: offload makes them wrong on many captures. An Authentication Header (RFC 4302) hides nothing and is
//! skipped. It fails when a header is cut or contradicts itself.

mod address;
mod ipv4;
mod ipv6;

pub use address::Address;
pub use ipv6::MAX_EXTENSIONS;

use crate::link::{EtherType, Undecoded};

/// An IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ip<'a> {
    /// Source.
    pub source: Address,
    /// Destination.
    pub destination: Address,
    /// Protocol of the payload, behind the extension headers of IPv6.
    pub protocol: Protocol,
    /// Identification of IPv4; 0 in IPv6, which has none outside of fragments.
    pub identification: u16,
    /// Where it belongs in a larger packet; `None` when it is whole.
    pub fragment: Option<Fragment>,
    /// What follows, cut to the length the header promises.
    pub payload: &'a [u8],
    /// How long the payload was on the wire; more than `payload` where the capture cut it.
    pub payload_len: u32,
    /// Octets of the whole IP packet on the wire, headers included.
    pub total_len: u32,
    /// Whether an Authentication Header (RFC 4302) was skipped.
    pub authenticated: bool,
}

impl Ip<'_> {
    /// No packet: what stands in the place of one before it is read.
    pub(crate) const NOTHING: Self = Self {
        source: Address([0; 16]),
        destination: Address([0; 16]),
        protocol: Protocol(0),
        identification: 0,
        fragment: None,
        payload: &[],
        payload_len: 0,
        total_len: 0,
        authenticated: false,
    };
}

/// An IP protocol number of the IANA registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// ICMP.
    pub const ICMP: Self = Self(1);
    /// ICMP for IPv6.
    pub const ICMP6: Self = Self(58);
    /// IPv4 inside (RFC 2003).
    pub const IPV4: Self = Self(4);
    /// IPv6 inside (RFC 4213).
    pub const IPV6: Self = Self(41);
    /// GRE.
    pub const GRE: Self = Self(47);
    /// Authentication Header.
    pub const AH: Self = Self(51);
    /// Ethernet frames inside (RFC 3378).
    pub const ETHERIP: Self = Self(97);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// MPLS labels inside (RFC 4023).
    pub const MPLS: Self = Self(137);
}

/// A piece of a fragmented packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Octets before this piece; a multiple of 8.
    pub offset: u32,
    /// Whether more follow.
    pub more: bool,
}

/// Reads the IP header and, in IPv6, the extension headers.
///
/// # Errors
/// When a header is cut or contradicts itself.
pub fn packet(ether_type: EtherType, octets: &[u8]) -> Result<Ip<'_>, Undecoded> {
    let mut ip = Ip::NOTHING;
    packet_into(ether_type, octets, &mut ip)?;
    Ok(ip)
}

/// The same, written where the caller wants it: an [`Ip`] is too large to be handed from function to function for each
/// packet.
///
/// # Errors
/// Those of [`packet`]; then `ip` has no meaning.
#[inline]
pub fn packet_into<'a>(
    ether_type: EtherType,
    octets: &'a [u8],
    ip: &mut Ip<'a>,
) -> Result<(), Undecoded> {
    match ether_type {
        EtherType::IPV4 => ipv4::packet(octets, ip),
        EtherType::IPV6 => ipv6::packet(octets, ip),
        _ => Err(Undecoded::NotIp),
    }
}

/// Moves the payload of a packet that was put together behind the extension headers that its fragments did not show, and
/// behind an Authentication Header. Nothing changes where there are none.
///
/// # Errors
/// When an extension header is cut or contradicts itself, or there are too many.
pub fn behind_headers(ip: &mut Ip<'_>) -> Result<(), Undecoded> {
    if ip.source.is_v4() {
        ipv4::behind_authentication(ip);
        Ok(())
    } else {
        ipv6::behind_extensions(ip)
    }
}
