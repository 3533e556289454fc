//! The quick way: plain packets, read in one go.
//!
//! Nearly every packet of a network is TCP or UDP right behind the IP header of an Ethernet frame, with two VLAN tags at
//! most; it is whole, and no tunnel. Such packets are read here in as few steps as it takes. Of any other one nothing is
//! said, and [`super::frame_into`] takes it apart; so a doubt costs time and never an answer. What is read here is what the
//! whole way tells of the same octets, which `tests/plain.rs` and the fuzz body hold against it.

use super::datagram_may_carry;
use crate::link::{Encapsulations, EtherType, LINKTYPE_ETHERNET, Tags};
use crate::net::{Address, Protocol};
use crate::transport::{self, Flags};

/// What a plain packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// VLAN tags.
    pub vlan: Tags,
    /// Which encapsulations there were: VLAN tags or none.
    pub met: Encapsulations,
    /// Identification of IPv4; 0 in IPv6.
    pub identification: u16,
    /// Octets of the whole IP packet on the wire, headers included.
    pub total_len: u32,
    /// Where in the frame the octets behind the header of TCP or UDP begin.
    pub payload_at: u32,
    /// How many of them were captured.
    pub captured_len: u32,
    /// Of TCP: how many were sent; more than captured where the capture cut them. Of UDP 0, as the three that follow.
    pub payload_len: u32,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits.
    pub flags: Flags,
}

impl Plain {
    /// The octets captured behind the header of TCP or UDP, in the frame that this was read of.
    #[inline]
    #[must_use]
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let rest = frame.get(self.payload_at as usize..);
        rest.and_then(|rest| rest.get(..self.captured_len as usize))
            .unwrap_or_default()
    }

    /// What stands in the place of a packet before it is read.
    pub const NOTHING: Self = Self {
        vlan: Tags::NONE,
        met: Encapsulations::NONE,
        identification: 0,
        total_len: 0,
        payload_at: 0,
        captured_len: 0,
        payload_len: 0,
        seq: 0,
        ack: 0,
        flags: Flags(0),
    };
}

/// Who sends a plain packet to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Source address and port.
    pub source: (Address, u16),
    /// Destination address and port.
    pub destination: (Address, u16),
    /// TCP or UDP.
    pub protocol: Protocol,
}

/// Reads a frame that carries a plain packet; `None` where it carries another one, or where only a longer look can tell, and
/// then `plain` has no meaning.
///
/// What it says is written where the caller wants it as soon as it is read: all at once it is more than a processor has
/// registers for.
#[inline]
pub fn plain_into(link_type: u32, octets: &[u8], plain: &mut Plain) -> Option<Ends> {
    if link_type != LINKTYPE_ETHERNET {
        return None;
    }
    let (&[.., a, b], mut rest) = octets.split_first_chunk::<14>()?;
    let mut ether_type = EtherType(u16::from_be_bytes([a, b]));
    plain.vlan = Tags::NONE;
    plain.met = Encapsulations::NONE;
    for count in 1..=MOST_TAGS {
        if !ether_type.is_tag() {
            break;
        }
        let (&[id_a, id_b, a, b], behind) = rest.split_first_chunk()?;
        plain.vlan.push(u16::from_be_bytes([id_a, id_b]));
        plain.met.insert(ether_type.met_as_tag(count));
        ether_type = EtherType(u16::from_be_bytes([a, b]));
        rest = behind;
    }
    let ip = match ether_type {
        EtherType::IPV4 => v4(rest)?,
        EtherType::IPV6 => v6(rest)?,
        _ => return None,
    };
    plain.identification = ip.identification;
    plain.total_len = ip.total_len;
    let behind_ip = octets.len() - rest.len() + ip.header_len;
    let (source_port, destination_port) = match ip.protocol {
        Protocol::TCP => {
            let segment = transport::tcp(ip.payload, ip.payload_len)?;
            let header_len = ip.payload.len() - segment.payload.len();
            plain.payload_at = (behind_ip + header_len) as u32;
            plain.captured_len = segment.payload.len() as u32;
            plain.payload_len = segment.payload_len;
            plain.seq = segment.seq;
            plain.ack = segment.ack;
            plain.flags = segment.flags;
            (segment.source_port, segment.destination_port)
        }
        Protocol::UDP if !datagram_may_carry(ip.payload) => {
            let datagram = transport::udp(ip.payload)?;
            plain.payload_at = (behind_ip + transport::UDP_HEADER) as u32;
            plain.captured_len = datagram.payload.len() as u32;
            plain.payload_len = 0;
            plain.seq = 0;
            plain.ack = 0;
            plain.flags = Flags(0);
            (datagram.source_port, datagram.destination_port)
        }
        _ => return None,
    };
    Some(Ends {
        source: (Address::of_number(ip.source), source_port),
        destination: (Address::of_number(ip.destination), destination_port),
        protocol: ip.protocol,
    })
}

/// What both versions of IP have; addresses as numbers, as those of both versions meet here.
struct Ip<'a> {
    source: u128,
    destination: u128,
    protocol: Protocol,
    identification: u16,
    header_len: usize,
    payload: &'a [u8],
    payload_len: u32,
    total_len: u32,
}

/// IPv4 (RFC 791), no fragment.
#[inline]
fn v4(octets: &[u8]) -> Option<Ip<'_>> {
    let &[
        first,
        _,
        len_a,
        len_b,
        id_a,
        id_b,
        off_a,
        off_b,
        _,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = octets.first_chunk::<20>()?;
    // Version and length of the header in one look; then offset and "more fragments", but not "don't fragment".
    if !(0x45..=0x4f).contains(&first) || u16::from_be_bytes([off_a, off_b]) & 0x3fff != 0 {
        return None;
    }
    let header_len = u16::from(first & 0x0f) * 4;
    let total_len = u16::from_be_bytes([len_a, len_b]);
    // Shorter than captured: Ethernet pads. Longer: the snaplen cut it. There is nothing where it is shorter than its header,
    // as with the 0 that segmentation offload may leave, nor where the header itself is cut.
    let end = usize::from(total_len).min(octets.len());
    let payload = octets.get(usize::from(header_len)..end)?;
    Some(Ip {
        source: mapped([s0, s1, s2, s3]),
        destination: mapped([d0, d1, d2, d3]),
        protocol: Protocol(protocol),
        identification: u16::from_be_bytes([id_a, id_b]),
        header_len: usize::from(header_len),
        payload,
        payload_len: u32::from(total_len - header_len),
        total_len: u32::from(total_len),
    })
}

/// The number of [`Address::v4`].
#[inline]
fn mapped(octets: [u8; 4]) -> u128 {
    0xffff_0000_0000 | u128::from(u32::from_be_bytes(octets))
}

/// IPv6 (RFC 8200); one with extension headers is no plain packet.
#[inline]
fn v6(octets: &[u8]) -> Option<Ip<'_>> {
    let (header, rest) = octets.split_first_chunk::<40>()?;
    let (&[first, _, _, _, len_a, len_b, protocol, _], addresses) = header.split_first_chunk()?;
    let (&source, addresses) = addresses.split_first_chunk()?;
    let &destination = addresses.first_chunk()?;
    let length = u16::from_be_bytes([len_a, len_b]);
    // No length stands for a jumbogram or for segmentation offload.
    if first >> 4 != 6 || length == 0 {
        return None;
    }
    Some(Ip {
        source: u128::from_be_bytes(source),
        destination: u128::from_be_bytes(destination),
        protocol: Protocol(protocol),
        identification: 0,
        header_len: 40,
        payload: rest.get(..usize::from(length)).unwrap_or(rest),
        payload_len: u32::from(length),
        total_len: u32::from(length) + 40,
    })
}

/// A frame of a provider's network has a service tag and a customer's.
const MOST_TAGS: u8 = 2;
