//! Link headers: the octets of a frame in, the protocol of what follows and the VLAN tags out.
//!
//! Ethernet II with 802.1Q and QinQ tags (IEEE 802.1Q, 802.1ad), Linux "cooked" captures versions 1 and 2
//! (`packet(7)`, tcpdump.org LINKTYPE_LINUX_SLL, _SLL2), BSD loopback (NULL, LOOP) and raw IP. 802.3 frames with an LLC
//! header, MPLS and PPPoE are named as undecoded. It fails when the header is cut or the link type is unknown.

use crate::Reader;

/// What stands behind a link header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// EtherType of `payload`.
    pub ether_type: EtherType,
    /// VLAN tags, outermost first.
    pub vlan: Tags,
    /// What follows.
    pub payload: &'a [u8],
}

/// An EtherType of the IEEE registry. Unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// 802.1Q customer tag.
    pub const VLAN: Self = Self(0x8100);
    /// 802.1ad service tag.
    pub const SERVICE_VLAN: Self = Self(0x88a8);
    /// Service tag before 802.1ad was finished.
    pub const OLD_SERVICE_VLAN: Self = Self(0x9100);
}

/// The VLAN tags of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tags {
    ids: [u16; Self::KEPT],
    kept: u8,
    /// How many tags there were.
    pub count: u8,
    /// Whether one was a service tag, or more than one was stacked.
    pub stacked: bool,
    /// Whether one was a customer tag.
    pub customer: bool,
}

impl Tags {
    /// QinQ has two.
    const KEPT: usize = 2;
    /// More than any network stacks; a longer stack is an attack on the parser.
    const MAX: u8 = 8;

    /// The first two VLAN ids, outermost first.
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.kept)).unwrap_or_default()
    }

    fn push(&mut self, kind: EtherType, id: u16) {
        if let Some(slot) = self.ids.get_mut(usize::from(self.kept)) {
            *slot = id & 0x0fff;
            self.kept += 1;
        }
        self.count += 1;
        self.stacked |= self.count > 1 || kind != EtherType::VLAN;
        self.customer |= kind == EtherType::VLAN;
    }
}

/// Why a frame has no packet for us. Each has a counter by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Undecoded {
    /// A header is cut.
    LinkCut,
    /// The link type of the capture is none that is read here.
    LinkType,
    /// The frame carries something else than IP; ARP, spanning tree and the like.
    NotIp,
    /// More VLAN tags than any network stacks.
    VlanStack,
    /// An IP header is cut or contradicts itself.
    IpHeader,
    /// More IPv6 extension headers than [`crate::net::MAX_EXTENSIONS`].
    IpExtensions,
    /// A TCP or UDP header is cut or contradicts itself.
    TransportHeader,
    /// An IP protocol without ports, such as ICMP.
    OtherTransport,
}

impl Undecoded {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::LinkCut,
        Self::LinkType,
        Self::NotIp,
        Self::VlanStack,
        Self::IpHeader,
        Self::IpExtensions,
        Self::TransportHeader,
        Self::OtherTransport,
    ];

    /// The layer at which decoding ended.
    #[must_use]
    pub fn layer(self) -> &'static str {
        match self {
            Self::LinkCut | Self::LinkType | Self::NotIp | Self::VlanStack => "link",
            Self::IpHeader | Self::IpExtensions => "ip",
            Self::TransportHeader | Self::OtherTransport => "transport",
        }
    }

    /// As counters name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LinkCut => "link_cut",
            Self::LinkType => "link_type",
            Self::NotIp => "not_ip",
            Self::VlanStack => "vlan_stack",
            Self::IpHeader => "ip_header",
            Self::IpExtensions => "ip_extensions",
            Self::TransportHeader => "transport_header",
            Self::OtherTransport => "other_transport",
        }
    }

    /// Whether it is a fault of the octets (a cut or contradictory header), and not just another protocol.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(self, Self::NotIp | Self::OtherTransport)
    }
}

/// Reads the link header that a capture of this link type (a LINKTYPE_ value) begins each frame with.
///
/// # Errors
/// When the header is cut, the link type is unknown or the frame does not carry IP.
#[inline]
pub fn header(link_type: u32, frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    match link_type {
        LINKTYPE_ETHERNET => ethernet(frame),
        LINKTYPE_RAW_BSD | LINKTYPE_RAW_OPENBSD | LINKTYPE_RAW | LINKTYPE_IPV4 | LINKTYPE_IPV6 => {
            raw(frame)
        }
        LINKTYPE_NULL => null(frame, u32::from_ne_bytes),
        LINKTYPE_LOOP => null(frame, u32::from_be_bytes),
        LINKTYPE_LINUX_SLL => sll(frame),
        LINKTYPE_LINUX_SLL2 => sll2(frame),
        _ => Err(Undecoded::LinkType),
    }
}

#[inline]
fn ethernet(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let mut reader = Reader::new(frame);
    reader.take(12).ok_or(Undecoded::LinkCut)?;
    let ether_type = reader.u16_be().ok_or(Undecoded::LinkCut)?;
    behind_tags(EtherType(ether_type), reader)
}

/// Takes off VLAN tags.
#[inline]
fn behind_tags(mut ether_type: EtherType, mut reader: Reader<'_>) -> Result<Link<'_>, Undecoded> {
    let mut vlan = Tags::default();
    while matches!(
        ether_type,
        EtherType::VLAN | EtherType::SERVICE_VLAN | EtherType::OLD_SERVICE_VLAN
    ) {
        if vlan.count == Tags::MAX {
            return Err(Undecoded::VlanStack);
        }
        let id = reader.u16_be().ok_or(Undecoded::LinkCut)?;
        vlan.push(ether_type, id);
        ether_type = EtherType(reader.u16_be().ok_or(Undecoded::LinkCut)?);
    }
    if !matches!(ether_type, EtherType::IPV4 | EtherType::IPV6) {
        return Err(Undecoded::NotIp);
    }
    Ok(Link {
        ether_type,
        vlan,
        payload: reader.rest(),
    })
}

fn raw(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let ether_type = match frame.first().map(|octet| octet >> 4) {
        Some(4) => EtherType::IPV4,
        Some(6) => EtherType::IPV6,
        Some(_) => return Err(Undecoded::NotIp),
        None => return Err(Undecoded::LinkCut),
    };
    Ok(Link {
        ether_type,
        vlan: Tags::default(),
        payload: frame,
    })
}

/// The family is in the byte order of the capturing machine, which the capture does not tell: both are tried.
fn null(frame: &[u8], order: fn([u8; 4]) -> u32) -> Result<Link<'_>, Undecoded> {
    let mut reader = Reader::new(frame);
    let family = order(reader.take_array().ok_or(Undecoded::LinkCut)?);
    let ether_type = match if family > 0xffff {
        family.swap_bytes()
    } else {
        family
    } {
        2 => EtherType::IPV4,
        // NetBSD and Linux 10 is another family there; 24, 28 and 30 are AF_INET6 of the BSDs and macOS.
        10 | 24 | 28 | 30 => EtherType::IPV6,
        _ => return Err(Undecoded::NotIp),
    };
    Ok(Link {
        ether_type,
        vlan: Tags::default(),
        payload: reader.rest(),
    })
}

/// 16 octets: packet type, ARPHRD type, address length, address (8), protocol.
fn sll(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let mut reader = Reader::new(frame);
    reader.take(14).ok_or(Undecoded::LinkCut)?;
    let protocol = reader.u16_be().ok_or(Undecoded::LinkCut)?;
    behind_tags(EtherType(protocol), reader)
}

/// 20 octets: protocol, reserved (2), interface (4), ARPHRD type (2), packet type, address length, address (8).
fn sll2(frame: &[u8]) -> Result<Link<'_>, Undecoded> {
    let mut reader = Reader::new(frame);
    let protocol = reader.u16_be().ok_or(Undecoded::LinkCut)?;
    reader.take(18).ok_or(Undecoded::LinkCut)?;
    behind_tags(EtherType(protocol), reader)
}

const LINKTYPE_NULL: u32 = 0;
const LINKTYPE_ETHERNET: u32 = 1;
const LINKTYPE_RAW_BSD: u32 = 12;
const LINKTYPE_RAW_OPENBSD: u32 = 14;
const LINKTYPE_RAW: u32 = 101;
const LINKTYPE_LOOP: u32 = 108;
const LINKTYPE_LINUX_SLL: u32 = 113;
const LINKTYPE_IPV4: u32 = 228;
const LINKTYPE_IPV6: u32 = 229;
const LINKTYPE_LINUX_SLL2: u32 = 276;

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

    fn frame(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn takes_off_two_vlan_tags_and_keeps_their_ids() {
        let octets = frame(&[
            &MACS,
            &[0x88, 0xa8, 0x20, 0x64],
            &[0x81, 0x00, 0x00, 0x0a],
            &[0x08, 0x00],
            &[0x45],
        ]);
        let link = header(LINKTYPE_ETHERNET, &octets).unwrap();
        assert_eq!(link.vlan.ids(), [100, 10]);
        assert!(link.vlan.stacked && link.vlan.customer);
        assert_eq!(
            (link.ether_type, link.payload),
            (EtherType::IPV4, &[0x45][..])
        );
    }

    #[test]
    fn bounds_the_stack_of_tags() {
        let octets = frame(&[&MACS, &[0x81, 0x00, 0x00, 0x01].repeat(9), &[0x08, 0x00]]);
        assert_eq!(
            header(LINKTYPE_ETHERNET, &octets),
            Err(Undecoded::VlanStack)
        );
    }

    #[test]
    fn reads_cooked_captures_of_both_versions() {
        let v1 = frame(&[
            &[0, 0, 0, 1, 0, 6],
            &[2, 0, 0, 0, 0, 1, 0, 0],
            &[0x08, 0x00],
            &[0x45],
        ]);
        assert_eq!(header(LINKTYPE_LINUX_SLL, &v1).unwrap().payload, [0x45]);
        let v2 = frame(&[
            &[0x86, 0xdd, 0, 0],
            &[0, 0, 0, 2],
            &[0, 1, 0, 6],
            &[2, 0, 0, 0, 0, 1, 0, 0],
            &[0x60],
        ]);
        assert_eq!(header(LINKTYPE_LINUX_SLL2, &v2).unwrap().payload, [0x60]);
    }

    #[test]
    fn reads_a_loopback_family_in_either_byte_order() {
        for octets in [[2, 0, 0, 0, 0x45], [0, 0, 0, 2, 0x45]] {
            assert_eq!(
                header(LINKTYPE_NULL, &octets).unwrap().ether_type,
                EtherType::IPV4
            );
        }
        assert_eq!(
            header(LINKTYPE_NULL, &[30, 0, 0, 0, 0x60])
                .unwrap()
                .ether_type,
            EtherType::IPV6
        );
    }

    #[test]
    fn names_what_is_no_ip() {
        let arp = frame(&[&MACS, &[0x08, 0x06], &[0, 1]]);
        assert_eq!(header(LINKTYPE_ETHERNET, &arp), Err(Undecoded::NotIp));
        assert_eq!(header(LINKTYPE_ETHERNET, &MACS), Err(Undecoded::LinkCut));
        assert_eq!(header(9999, &arp), Err(Undecoded::LinkType));
    }
}
