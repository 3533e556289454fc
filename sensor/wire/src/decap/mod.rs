//! Frames to the innermost IP packet: the one entry of the packet path.
//!
//! Octets of a frame and the link type of its capture in; the IP packet that is deepest inside, and what was met on the
//! way to it ([`Layers`]), out. [`link`] takes off what lies below IP; the tunnels over IP are here, one file
//! a family:
//!
//! | family | told by | document |
//! |---|---|---|
//! | [`gre`] | IP protocol 47; UDP port 4754 | RFC 2784, RFC 2890, RFC 1701, RFC 7637 (NVGRE), RFC 2637 (PPTP), RFC 8086 |
//! | [`erspan`] | protocol type in GRE | draft-foschiano-erspan-03 |
//! | [`vxlan`] | UDP ports 4789, 8472, 4790 | RFC 7348, draft-ietf-nvo3-vxlan-gpe-12 |
//! | [`geneve`] | UDP port 6081 | RFC 8926 |
//! | [`gtp`] | UDP port 2152 | 3GPP TS 29.281 |
//! | [`teredo`] | UDP port 3544, or a Teredo address inside | RFC 4380 |
//! | [`ayiya`] | UDP port 5072 | draft-massar-v6ops-ayiya-02 |
//! | [`tzsp`] | UDP port 37008 | none but Wireshark's |
//! | [`capwap`] | UDP port 5247 | RFC 5415, RFC 5416 |
//! | [`l2tp`] | UDP port 1701 | RFC 2661 |
//! | [`odd_port`] | an IP packet that fills the datagram behind a header of VXLAN, Geneve, GTP | as above |
//! | [`in_ip`] | IP protocols 4, 41, 97, 137; UDP port 6635 | RFC 2003, 2473, 4213, 3378, 4023, 7510 |
//!
//! A UDP port alone proves nothing. The header's fixed bits, the version of the inner packet and its length have to fit;
//! else the packet stays an ordinary packet of its outer flow, so a wrong guess loses nothing. The same holds for a tunnel
//! whose inside is encrypted, cut or no IP: it is counted ([`Decapsulated::stopped`]) and the outer packet is handed out.
//!
//! The descent ends at a fragment; [`reassembled`] goes on when it has been put together. It is bounded by
//! [`MAX_DEPTH`](crate::link::MAX_DEPTH), and each header by its own maximum. It fails when no IP packet is reached at all.
//! The whole way is written by hand; etherparse takes IPv6 extension headers apart and is the oracle of the differential
//! test. [`plain_into`] is the quick way for most packets, and the whole one is its oracle.

mod ayiya;
mod capwap;
mod erspan;
mod geneve;
mod gre;
mod gtp;
mod in_ip;
mod l2tp;
mod odd_port;
mod plain;
mod teredo;
#[cfg(test)]
mod tests;
mod tzsp;
mod vxlan;

pub use plain::{Ends, Plain, plain_into};

use crate::Reader;
use crate::link::{self, Encapsulations, EtherType, Layers, Link, Outer, Tunnel, Undecoded};
use crate::net::{self, Ip, Protocol};
use crate::transport::{self, Datagram, Segment};

/// A frame taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decapsulated<'a> {
    /// What was met on the way.
    pub layers: Layers,
    /// The innermost IP packet that can be read.
    pub ip: Ip<'a>,
    /// Why the tunnel in `ip` was not followed; `None` where there is none.
    pub stopped: Option<Undecoded>,
}

impl Decapsulated<'_> {
    /// What stands in the place of a frame before it is taken apart.
    pub const NOTHING: Self = Self {
        layers: Layers::NONE,
        ip: Ip::NOTHING,
        stopped: None,
    };
}

/// A frame without an IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub why: Undecoded,
    /// What was met before.
    pub met: Encapsulations,
}

/// The transport header of a whole IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport<'a> {
    /// TCP.
    Tcp(Segment<'a>),
    /// UDP.
    Udp(Datagram<'a>),
    /// Any other protocol.
    Other(Other<'a>),
}

/// A packet of a protocol that is neither TCP nor UDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other<'a> {
    /// The protocol.
    pub protocol: Protocol,
    /// Source port (SCTP); for ICMP its type; else 0.
    pub source_port: u16,
    /// Destination port (SCTP); for ICMP the type that answers this one, else its code; else 0.
    pub destination_port: u16,
    /// The payload of the IP packet, its header included.
    pub payload: &'a [u8],
}

/// Takes a frame apart down to its innermost IP packet.
///
/// # Errors
/// When a header is cut, contradicts itself or is of no IP packet.
pub fn frame(link_type: u32, octets: &[u8]) -> Result<Decapsulated<'_>, Refused> {
    let mut here = Decapsulated::NOTHING;
    frame_into(link_type, octets, &mut here)?;
    Ok(here)
}

/// The same, written where the caller wants it: what a frame is taken apart into is too large to be handed from function
/// to function for each packet.
///
/// # Errors
/// Those of [`frame`]; then `here` has no meaning.
#[inline]
pub fn frame_into<'a>(
    link_type: u32,
    octets: &'a [u8],
    here: &mut Decapsulated<'a>,
) -> Result<(), Refused> {
    here.layers = Layers::default();
    here.stopped = None;
    let read = link::header(link_type, octets, &mut here.layers)
        .and_then(|link| net::packet_into(link.ether_type, link.payload, &mut here.ip));
    if let Err(why) = read {
        let met = here.layers.met;
        return Err(Refused { why, met });
    }
    if may_carry(&here.ip) {
        descend(here);
    }
    Ok(())
}

/// Goes on behind a fragment: `ip` is the packet that was put together, `layers` what was met in the frame of its last
/// fragment.
///
/// # Errors
/// When the extension headers of IPv6 that only the whole packet shows are cut or contradict themselves.
pub fn reassembled(layers: Layers, mut ip: Ip<'_>) -> Result<Decapsulated<'_>, Undecoded> {
    net::behind_headers(&mut ip)?;
    let mut here = Decapsulated {
        layers,
        ip,
        stopped: None,
    };
    if may_carry(&ip) {
        descend(&mut here);
    }
    Ok(here)
}

/// Reads the transport header of an IP packet that is no fragment.
///
/// # Errors
/// When the header is cut or contradicts itself.
#[inline]
pub fn transport<'a>(ip: &Ip<'a>) -> Result<Transport<'a>, Undecoded> {
    match ip.protocol {
        Protocol::TCP => transport::tcp(ip.payload, ip.payload_len)
            .map(Transport::Tcp)
            .ok_or(Undecoded::TransportHeader),
        Protocol::UDP => transport::udp(ip.payload)
            .map(Transport::Udp)
            .ok_or(Undecoded::TransportHeader),
        _ => Ok(Transport::Other(other(ip))),
    }
}

/// A protocol without ports has none; SCTP has them in UDP's place, ICMP's are made of type and code.
fn other<'a>(ip: &Ip<'a>) -> Other<'a> {
    let mut reader = Reader::new(ip.payload);
    let ports = match ip.protocol {
        Protocol::SCTP => reader
            .take_array()
            .map(|[a, b, c, d]| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
        Protocol::ICMP => reader
            .take_array()
            .map(|[kind, code]| transport::icmp_ports(kind, code)),
        Protocol::ICMP6 => reader
            .take_array()
            .map(|[kind, code]| transport::icmp6_ports(kind, code)),
        _ => None,
    };
    let (source_port, destination_port) = ports.unwrap_or_default();
    Other {
        protocol: ip.protocol,
        source_port,
        destination_port,
        payload: ip.payload,
    }
}

/// Whether a packet may be a tunnel, or has a header that must be counted: the one question for every packet.
#[inline]
fn may_carry(ip: &Ip<'_>) -> bool {
    match ip.protocol {
        Protocol::TCP => ip.authenticated,
        Protocol::UDP => ip.authenticated || datagram_may_carry(ip.payload),
        _ => true,
    }
}

/// Whether a datagram, its header included, may be one of a tunnel: by its ports, or by how its payload begins.
#[inline(always)]
fn datagram_may_carry(octets: &[u8]) -> bool {
    let Some(&[s0, s1, d0, d1, _, _, _, _, a, b, c, d]) = octets.first_chunk() else {
        return false;
    };
    is_tunnel_port(u16::from_be_bytes([d0, d1]))
        || is_tunnel_port(u16::from_be_bytes([s0, s1]))
        || odd_port::may_begin([a, b, c, d])
}

/// What carries something: an IP packet, or a UDP datagram on a port that is used for a tunnel.
struct Carrier<'a> {
    /// What the tunnel's header begins with.
    payload: &'a [u8],
    /// How long that was on the wire.
    on_wire: u32,
    /// Source and destination port; 0 where the tunnel does not run over UDP.
    ports: (u16, u16),
    /// Whether the outer packet is IPv4.
    over_v4: bool,
}

/// One family of tunnels.
struct Family {
    open: for<'a> fn(&Carrier<'a>, &mut Layers) -> Opened<'a>,
    trust: Trust,
}

/// What proves that a packet is of a family.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// The IP protocol number.
    Protocol,
    /// A header whose fixed bits are many.
    Header,
    /// Only an IP packet inside that fits.
    Inside,
}

/// What a family makes of a header.
enum Opened<'a> {
    /// It is no such tunnel.
    Not,
    /// It is one, and this is why nothing inside can be read.
    Dark(Undecoded),
    /// What is inside, and what built the tunnel.
    Inside(Tunnel, Inside<'a>),
}

impl<'a> Opened<'a> {
    /// One of the tunnels that networks build.
    fn network(inside: Inside<'a>) -> Self {
        Self::Inside(Tunnel::Network, inside)
    }
}

/// What is inside a tunnel.
enum Inside<'a> {
    /// An IP packet.
    Ip(&'a [u8]),
    /// What an EtherType tells; [`EtherType::BRIDGED`] is a frame.
    Typed(EtherType, &'a [u8]),
    /// An Ethernet frame.
    Frame(&'a [u8]),
    /// A PPP frame.
    Ppp(&'a [u8]),
    /// An 802.11 frame, its frame control in either order.
    Wlan(&'a [u8]),
    /// An MPLS label stack.
    Labels(&'a [u8]),
}

impl<'a> Inside<'a> {
    fn packet(&self, layers: &mut Layers) -> Result<Ip<'a>, Undecoded> {
        let Link {
            ether_type,
            payload,
        } = match *self {
            Inside::Ip(octets) => link::raw(octets),
            Inside::Typed(ether_type, octets) => link::behind(ether_type, octets, layers),
            Inside::Frame(octets) => link::ethernet(octets, layers),
            Inside::Ppp(octets) => link::ppp::frame(octets, layers),
            Inside::Wlan(octets) => link::wlan::in_either_order(octets, layers),
            Inside::Labels(octets) => link::mpls::labels(octets, layers),
        }?;
        net::packet(ether_type, payload)
    }
}

impl<'a> Carrier<'a> {
    /// The carrier in a packet and the family that may be in it.
    fn of(ip: &Ip<'a>) -> Option<(Self, Family)> {
        if ip.fragment.is_some() {
            return None;
        }
        let mut carrier = Carrier {
            payload: ip.payload,
            on_wire: ip.payload_len,
            ports: (0, 0),
            over_v4: ip.source.is_v4(),
        };
        let family = match ip.protocol {
            Protocol::UDP => {
                let datagram = transport::udp(ip.payload)?;
                carrier.payload = datagram.payload;
                carrier.on_wire = ip.payload_len.saturating_sub(8);
                carrier.ports = (datagram.source_port, datagram.destination_port);
                over_udp(&carrier)?
            }
            protocol => over_ip(protocol)?,
        };
        Some((carrier, family))
    }
}

fn over_ip(protocol: Protocol) -> Option<Family> {
    let open = match protocol {
        Protocol::IPV4 => in_ip::v4,
        Protocol::IPV6 => in_ip::v6,
        Protocol::GRE => gre::open,
        Protocol::ETHERIP => in_ip::ethernet,
        Protocol::MPLS => in_ip::labels,
        _ => return None,
    };
    Some(Family {
        open,
        trust: Trust::Protocol,
    })
}

/// Tunnels that are addressed by their port; the source port only spreads their packets over links.
fn over_udp(carrier: &Carrier<'_>) -> Option<Family> {
    let family = |open, trust| Some(Family { open, trust });
    let (source, destination) = carrier.ports;
    match destination {
        VXLAN | VXLAN_OF_LINUX => return family(vxlan::open, Trust::Header),
        VXLAN_GPE => return family(vxlan::generic, Trust::Header),
        GENEVE => return family(geneve::open, Trust::Header),
        GRE_IN_UDP => return family(gre::over_udp, Trust::Inside),
        MPLS_IN_UDP => return family(in_ip::labels, Trust::Inside),
        TZSP => return family(tzsp::open, Trust::Inside),
        _ => {}
    }
    // Both directions of these have the port at one end.
    for port in [destination, source] {
        match port {
            GTP => return family(gtp::open, Trust::Header),
            CAPWAP_DATA => return family(capwap::open, Trust::Inside),
            L2TP => return family(l2tp::open, Trust::Inside),
            TEREDO => return family(teredo::open, Trust::Inside),
            AYIYA => return family(ayiya::open, Trust::Inside),
            _ => {}
        }
    }
    family(odd_port::open, Trust::Inside)
}

#[inline]
fn is_tunnel_port(port: u16) -> bool {
    // Nearly none is: one look at a set of remainders settles five of six.
    TUNNEL_REMAINDERS >> remainder(port) & 1 != 0 && TUNNEL_PORTS.contains(&port)
}

/// Six bits that differ among the ports of tunnels and those in much use.
#[inline]
const fn remainder(port: u16) -> u16 {
    (port ^ (port >> 6)) & 63
}

/// Goes down as far as it can.
#[inline(never)]
fn descend(here: &mut Decapsulated<'_>) {
    loop {
        if here.ip.authenticated {
            here.layers.met.insert(Encapsulations::AH);
        }
        let Some((carrier, family)) = Carrier::of(&here.ip) else {
            return;
        };
        let mut layers = here.layers;
        let (tunnel, inside) = match (family.open)(&carrier, &mut layers) {
            Opened::Not => return,
            Opened::Dark(why) => {
                here.layers = layers;
                here.stopped = Some(why);
                return;
            }
            Opened::Inside(tunnel, inside) => (tunnel, inside),
        };
        let outer = match here.layers.outer {
            Some(outer) if outer.tunnel.is_endpoint() || !tunnel.is_endpoint() => outer,
            _ => Outer {
                tunnel,
                source: (here.ip.source, carrier.ports.0),
                destination: (here.ip.destination, carrier.ports.1),
                total_len: here.ip.total_len,
            },
        };
        // A packet is not longer than what carries it. Where the IP protocol says that there is one, offload may have
        // set lengths aside.
        let fits = |ip: &Ip<'_>| family.trust == Trust::Protocol || ip.total_len <= carrier.on_wire;
        match inside.packet(&mut layers) {
            Ok(ip) if fits(&ip) => {
                layers.outer = Some(outer);
                here.layers = layers;
                here.ip = ip;
            }
            result => {
                let why = result.map_or_else(Undecoded::inside, |_| Undecoded::TunnelHeader);
                let proven = match family.trust {
                    Trust::Protocol => true,
                    Trust::Header => why != Undecoded::TunnelHeader,
                    Trust::Inside => false,
                };
                if proven || why == Undecoded::Depth {
                    here.layers = layers;
                    here.layers.outer = here
                        .layers
                        .outer
                        .or_else(|| outer.tunnel.is_endpoint().then_some(outer));
                    here.stopped = Some(why);
                }
                return;
            }
        }
    }
}

const TUNNEL_PORTS: [u16; 12] = [
    L2TP,
    GTP,
    TEREDO,
    GRE_IN_UDP,
    VXLAN,
    VXLAN_GPE,
    AYIYA,
    CAPWAP_DATA,
    GENEVE,
    MPLS_IN_UDP,
    TZSP,
    VXLAN_OF_LINUX,
];
/// The bit of each one's [`remainder`].
const TUNNEL_REMAINDERS: u64 = {
    let (mut bits, mut ports) = (0, TUNNEL_PORTS.as_slice());
    while let [port, rest @ ..] = ports {
        bits |= 1 << remainder(*port);
        ports = rest;
    }
    bits
};
const L2TP: u16 = 1701;
const GTP: u16 = 2152;
const TEREDO: u16 = 3544;
const GRE_IN_UDP: u16 = 4754;
const VXLAN: u16 = 4789;
const VXLAN_GPE: u16 = 4790;
const AYIYA: u16 = 5072;
const CAPWAP_DATA: u16 = 5247;
const GENEVE: u16 = 6081;
const MPLS_IN_UDP: u16 = 6635;
const TZSP: u16 = 37_008;
/// What Linux used before there was a registered port, and Cisco's OTV has with the same header.
const VXLAN_OF_LINUX: u16 = 8472;
