//! Link headers: the octets of a frame in, the protocol of what follows out, and what was met on the way.
//!
//! | link type or EtherType | by |
//! |---|---|
//! | Ethernet II, 802.1Q and 802.1ad tags, 802.1ah (PBB) | IEEE 802.3, 802.1Q |
//! | 802.3 with LLC, where IP is behind it | RFC 1042; [`llc`](self) |
//! | VN-Tag, E-Tag, FabricPath, service headers, tags of redundant networks | [`fabric`](self) |
//! | MPLS labels, with IP or an Ethernet pseudowire below | RFC 3032, RFC 4448 |
//! | PPP, PPPoE, Cisco HDLC | RFC 1661, RFC 1662, RFC 2516 |
//! | 802.11 data frames, radiotap, PPI | IEEE 802.11, radiotap.org |
//! | Linux "cooked" captures versions 1 and 2, NFLOG | tcpdump.org LINKTYPE_LINUX_SLL, _SLL2, _NFLOG |
//! | BSD loopback (NULL, LOOP, ENC), pflog, PKTAP, raw IP | tcpdump.org LINKTYPE_NULL, _LOOP, _ENC, _PFLOG, _PKTAP, _RAW |
//! | FDDI, Token Ring, ATM, Frame Relay | RFC 1042, RFC 2684, RFC 2427 |
//!
//! MACsec and protected 802.11 frames are only counted. It fails, with a reason that is counted, when a header is cut or
//! contradicts itself, the link type is unknown, or what the frame carries is not IP.

mod cooked;
mod fabric;
mod layers;
mod llc;
pub(crate) mod mpls;
pub(crate) mod ppp;
mod ring;
mod undecoded;
pub(crate) mod wlan;

pub use layers::{Encapsulations, Layers, MAX_DEPTH, Outer, Tags, Tunnel};
pub use undecoded::Undecoded;

use crate::Reader;

/// What stands behind the link headers: an IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link<'a> {
    /// EtherType of `payload`.
    pub ether_type: EtherType,
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
    /// Transparent Ethernet bridging: a whole frame (in GRE, Geneve).
    pub const BRIDGED: Self = Self(0x6558);
    /// MPLS, unicast.
    pub const MPLS: Self = Self(0x8847);
    /// MPLS with an upstream-assigned label (RFC 5332).
    pub const MPLS_UPSTREAM: Self = Self(0x8848);
    /// PPPoE, discovery stage.
    pub const PPPOE_DISCOVERY: Self = Self(0x8863);
    /// PPPoE, session stage.
    pub const PPPOE_SESSION: Self = Self(0x8864);
    /// PPP (in GRE).
    pub const PPP: Self = Self(0x880b);
    /// 802.1ah service instance tag.
    pub const BACKBONE: Self = Self(0x88e7);
    /// Network service header (RFC 8300).
    pub const SERVICE_HEADER: Self = Self(0x894f);
    /// MACsec (802.1AE).
    pub const MACSEC: Self = Self(0x88e5);
    /// The greatest length; what is above is a type (IEEE 802.3, 3.2.6).
    const GREATEST_LENGTH: u16 = 1500;

    /// Whether a VLAN tag follows.
    #[inline]
    pub(crate) fn is_tag(self) -> bool {
        matches!(
            self,
            Self::VLAN | Self::SERVICE_VLAN | Self::OLD_SERVICE_VLAN
        )
    }

    /// What a tag of this type is met as: the so manieth one of its frame, from 1.
    #[inline]
    pub(crate) fn met_as_tag(self, count: u8) -> Encapsulations {
        let mut met = Encapsulations::NONE;
        if self == Self::VLAN {
            met.insert(Encapsulations::VLAN);
        }
        if self != Self::VLAN || count > 1 {
            met.insert(Encapsulations::QINQ);
        }
        met
    }

    /// Whether it is a length, as 802.3 without Ethernet II has it.
    fn is_length(self) -> bool {
        self.0 <= Self::GREATEST_LENGTH
    }
}

/// The link types that are read (LINKTYPE_ values), by what they are called.
pub const LINK_TYPES: &[(&str, &[u32])] = &[
    ("Ethernet", &[LINKTYPE_ETHERNET]),
    (
        "Linux cooked v1 and v2",
        &[LINKTYPE_LINUX_SLL, LINKTYPE_LINUX_SLL2],
    ),
    (
        "raw IP",
        &[
            LINKTYPE_RAW,
            LINKTYPE_IPV4,
            LINKTYPE_IPV6,
            LINKTYPE_RAW_BSD,
            LINKTYPE_RAW_OPENBSD,
        ],
    ),
    ("BSD loopback", &[LINKTYPE_NULL, LINKTYPE_LOOP]),
    (
        "802.11, plain or behind radiotap, Prism, AVS or PPI",
        &[
            LINKTYPE_IEEE802_11,
            LINKTYPE_RADIOTAP,
            LINKTYPE_PRISM,
            LINKTYPE_AVS,
            LINKTYPE_PPI,
        ],
    ),
    (
        "PPP and PPPoE",
        &[
            LINKTYPE_PPP,
            LINKTYPE_PPP_HDLC,
            LINKTYPE_PPP_PPPD,
            LINKTYPE_PPP_WITH_DIR,
            LINKTYPE_PPP_ETHER,
        ],
    ),
    ("Cisco HDLC", &[LINKTYPE_C_HDLC, LINKTYPE_C_HDLC_WITH_DIR]),
    ("NFLOG", &[LINKTYPE_NFLOG]),
    ("PKTAP", &[LINKTYPE_PKTAP]),
    ("OpenBSD's enc and pflog", &[LINKTYPE_ENC, LINKTYPE_PFLOG]),
    (
        "FDDI, Token Ring, ATM and Frame Relay",
        &[
            LINKTYPE_TOKEN_RING,
            LINKTYPE_FDDI,
            LINKTYPE_ATM_RFC1483,
            LINKTYPE_FRAME_RELAY,
        ],
    ),
    ("MPLS", &[LINKTYPE_MPLS]),
];

/// More tags than any network stacks in one frame; a longer stack is an attack on the parser.
const MAX_TAGS: u8 = 8;

/// Reads the link header that a capture of this link type (a LINKTYPE_ value) begins each frame with.
///
/// # Errors
/// When the header is cut, the link type is unknown or the frame does not carry IP. `layers` then has what was met.
#[inline]
pub fn header<'a>(
    link_type: u32,
    frame: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    if link_type == LINKTYPE_ETHERNET {
        ethernet(frame, layers)
    } else {
        unusual_link(link_type, frame, layers)
    }
}

fn unusual_link<'a>(
    link_type: u32,
    frame: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    match link_type {
        LINKTYPE_ETHERNET => ethernet(frame, layers),
        LINKTYPE_RAW_BSD | LINKTYPE_RAW_OPENBSD | LINKTYPE_RAW | LINKTYPE_IPV4 | LINKTYPE_IPV6 => {
            raw(frame)
        }
        LINKTYPE_NULL => cooked::null(frame, u32::from_ne_bytes),
        LINKTYPE_LOOP => cooked::null(frame, u32::from_be_bytes),
        LINKTYPE_ENC => cooked::enc(frame),
        LINKTYPE_PFLOG => cooked::pflog(frame),
        LINKTYPE_LINUX_SLL => cooked::sll(frame, layers),
        LINKTYPE_LINUX_SLL2 => cooked::sll2(frame, layers),
        LINKTYPE_NFLOG => cooked::nflog(frame),
        LINKTYPE_PKTAP => {
            let (link_type, frame) = cooked::pktap(frame)?;
            nested_link(link_type, frame, layers)
        }
        LINKTYPE_PPP | LINKTYPE_PPP_HDLC => ppp::on_a_line(frame, layers),
        LINKTYPE_PPP_PPPD | LINKTYPE_PPP_WITH_DIR => {
            let (_, frame) = frame.split_first().ok_or(Undecoded::LinkCut)?;
            ppp::on_a_line(frame.strip_prefix(&[3]).unwrap_or(frame), layers)
        }
        LINKTYPE_PPP_ETHER => ppp::over_ethernet(frame, layers),
        LINKTYPE_C_HDLC | LINKTYPE_C_HDLC_WITH_DIR => {
            let skip = usize::from(link_type == LINKTYPE_C_HDLC_WITH_DIR);
            ppp::cisco(frame.get(skip..).ok_or(Undecoded::LinkCut)?, layers)
        }
        LINKTYPE_IEEE802_11 => wlan::frame(frame, layers),
        LINKTYPE_RADIOTAP => wlan::frame(wlan::behind_radiotap(frame)?, layers),
        LINKTYPE_PRISM | LINKTYPE_AVS => wlan::frame(wlan::behind_prism(frame)?, layers),
        LINKTYPE_PPI => {
            let (link_type, frame) = wlan::behind_ppi(frame)?;
            nested_link(link_type, frame, layers)
        }
        LINKTYPE_TOKEN_RING => ring::token_ring(frame, layers),
        LINKTYPE_FDDI => ring::fddi(frame, layers),
        LINKTYPE_ATM_RFC1483 => ring::atm(frame, layers),
        LINKTYPE_FRAME_RELAY => ring::frame_relay(frame, layers),
        LINKTYPE_MPLS => mpls::labels(frame, layers),
        _ => Err(Undecoded::LinkType),
    }
}

/// The frame inside a capture header that names a link type of its own, which is none of such headers again.
fn nested_link<'a>(
    link_type: u32,
    frame: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    match link_type {
        LINKTYPE_PKTAP | LINKTYPE_PPI => Err(Undecoded::LinkType),
        _ => unusual_link(link_type, frame, layers),
    }
}

/// Ethernet II or 802.3, with what stands between it and IP.
#[inline]
pub(crate) fn ethernet<'a>(frame: &'a [u8], layers: &mut Layers) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(frame);
    reader.take(12).ok_or(Undecoded::LinkCut)?;
    let ether_type = reader.u16_be().ok_or(Undecoded::LinkCut)?;
    behind(EtherType(ether_type), reader.rest(), layers)
}

/// What stands behind an EtherType, down to IP.
#[inline]
pub(crate) fn behind<'a>(
    ether_type: EtherType,
    payload: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    if matches!(ether_type, EtherType::IPV4 | EtherType::IPV6) {
        return Ok(Link {
            ether_type,
            payload,
        });
    }
    if ether_type.is_tag() {
        return behind_tags(ether_type, payload, layers);
    }
    unusual(ether_type, payload, layers)
}

/// Takes off VLAN tags.
fn behind_tags<'a>(
    mut ether_type: EtherType,
    payload: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    let mut reader = Reader::new(payload);
    let mut count = 0;
    while ether_type.is_tag() {
        if count == MAX_TAGS {
            return Err(Undecoded::VlanStack);
        }
        count += 1;
        let id = reader.u16_be().ok_or(Undecoded::LinkCut)?;
        layers.vlan.push(id);
        layers.met.insert(ether_type.met_as_tag(count));
        ether_type = EtherType(reader.u16_be().ok_or(Undecoded::LinkCut)?);
    }
    if matches!(ether_type, EtherType::IPV4 | EtherType::IPV6) {
        return Ok(Link {
            ether_type,
            payload: reader.rest(),
        });
    }
    unusual(ether_type, reader.rest(), layers)
}

/// Everything that is neither IP nor a VLAN tag. What goes deeper from here is bounded by [`MAX_DEPTH`].
fn unusual<'a>(
    ether_type: EtherType,
    payload: &'a [u8],
    layers: &mut Layers,
) -> Result<Link<'a>, Undecoded> {
    match ether_type {
        EtherType::MPLS | EtherType::MPLS_UPSTREAM => mpls::labels(payload, layers),
        EtherType::PPPOE_SESSION => ppp::over_ethernet(payload, layers),
        EtherType::PPP => ppp::frame(payload, layers),
        EtherType::BRIDGED => {
            // Each frame inside a frame counts, so that none can be nested without end.
            layers.enter(Encapsulations::NONE)?;
            ethernet(payload, layers)
        }
        EtherType::BACKBONE => {
            layers.enter(Encapsulations::PBB)?;
            // Priority, flags and a service instance of 24 bits (802.1ah, 9.7).
            ethernet(payload.get(4..).ok_or(Undecoded::LinkCut)?, layers)
        }
        EtherType::MACSEC => {
            layers.met.insert(Encapsulations::MACSEC);
            Err(Undecoded::LinkEncrypted)
        }
        _ if ether_type.is_length() => llc::header(payload, layers),
        _ => fabric::header(ether_type, payload, layers).unwrap_or(Err(Undecoded::NotIp)),
    }
}

/// A raw packet: its first four bits tell the version.
pub(crate) fn raw(packet: &[u8]) -> Result<Link<'_>, Undecoded> {
    let ether_type = match packet.first().map(|octet| octet >> 4) {
        Some(4) => EtherType::IPV4,
        Some(6) => EtherType::IPV6,
        Some(_) => return Err(Undecoded::NotIp),
        None => return Err(Undecoded::LinkCut),
    };
    Ok(Link {
        ether_type,
        payload: packet,
    })
}

const LINKTYPE_NULL: u32 = 0;
pub(crate) const LINKTYPE_ETHERNET: u32 = 1;
const LINKTYPE_TOKEN_RING: u32 = 6;
const LINKTYPE_PPP: u32 = 9;
const LINKTYPE_FDDI: u32 = 10;
const LINKTYPE_RAW_BSD: u32 = 12;
const LINKTYPE_RAW_OPENBSD: u32 = 14;
const LINKTYPE_PPP_HDLC: u32 = 50;
const LINKTYPE_PPP_ETHER: u32 = 51;
const LINKTYPE_ATM_RFC1483: u32 = 100;
const LINKTYPE_RAW: u32 = 101;
const LINKTYPE_C_HDLC: u32 = 104;
const LINKTYPE_IEEE802_11: u32 = 105;
const LINKTYPE_FRAME_RELAY: u32 = 107;
const LINKTYPE_LOOP: u32 = 108;
const LINKTYPE_ENC: u32 = 109;
const LINKTYPE_LINUX_SLL: u32 = 113;
const LINKTYPE_PFLOG: u32 = 117;
const LINKTYPE_PRISM: u32 = 119;
const LINKTYPE_RADIOTAP: u32 = 127;
const LINKTYPE_AVS: u32 = 163;
const LINKTYPE_PPP_PPPD: u32 = 166;
const LINKTYPE_PPI: u32 = 192;
const LINKTYPE_PPP_WITH_DIR: u32 = 204;
const LINKTYPE_C_HDLC_WITH_DIR: u32 = 205;
const LINKTYPE_MPLS: u32 = 219;
const LINKTYPE_IPV4: u32 = 228;
const LINKTYPE_IPV6: u32 = 229;
const LINKTYPE_NFLOG: u32 = 239;
const LINKTYPE_PKTAP: u32 = 258;
const LINKTYPE_LINUX_SLL2: u32 = 276;

#[cfg(test)]
mod tests {
    use super::*;

    const MACS: [u8; 12] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];

    fn read(link_type: u32, parts: &[&[u8]]) -> (Result<(EtherType, Vec<u8>), Undecoded>, Layers) {
        let mut layers = Layers::default();
        let octets = parts.concat();
        let link = header(link_type, &octets, &mut layers);
        (
            link.map(|link| (link.ether_type, link.payload.to_vec())),
            layers,
        )
    }

    #[test]
    fn takes_off_two_vlan_tags_and_keeps_their_ids() {
        let (link, layers) = read(
            LINKTYPE_ETHERNET,
            &[
                &MACS,
                &[0x88, 0xa8, 0x20, 0x64],
                &[0x81, 0x00, 0x00, 0x0a],
                &[0x08, 0x00],
                &[0x45],
            ],
        );
        assert_eq!(link, Ok((EtherType::IPV4, vec![0x45])));
        assert_eq!(layers.vlan.ids(), [100, 10]);
        assert_eq!(layers.met.names().collect::<Vec<_>>(), ["vlan", "qinq"]);
    }

    #[test]
    fn bounds_the_stack_of_tags() {
        let tags = [0x81, 0x00, 0x00, 0x01].repeat(9);
        let (link, _) = read(LINKTYPE_ETHERNET, &[&MACS, &tags, &[0x08, 0x00]]);
        assert_eq!(link, Err(Undecoded::VlanStack));
    }

    #[test]
    fn reads_the_frame_inside_a_provider_backbone() {
        let (link, layers) = read(
            LINKTYPE_ETHERNET,
            &[
                &MACS,
                &[0x88, 0xa8, 0x00, 0x05],             // backbone VLAN
                &[0x88, 0xe7, 0x00, 0x00, 0x10, 0x01], // service instance 0x1001
                &MACS,
                &[0x81, 0x00, 0x00, 0x07], // the customer's VLAN
                &[0x86, 0xdd],
                &[0x60],
            ],
        );
        assert_eq!(link, Ok((EtherType::IPV6, vec![0x60])));
        assert_eq!(layers.vlan.ids(), [5, 7]);
        assert_eq!(
            layers.met.names().collect::<Vec<_>>(),
            ["vlan", "qinq", "pbb"]
        );
    }

    #[test]
    fn frames_inside_frames_have_a_bound() {
        let backbone = [&[0x88, 0xe7, 0, 0, 0, 1][..], &MACS].concat();
        let (link, layers) = read(LINKTYPE_ETHERNET, &[&MACS, &backbone.repeat(40)]);
        assert_eq!(link, Err(Undecoded::Depth));
        assert_eq!(layers.depth, MAX_DEPTH);
    }

    #[test]
    fn counts_macsec_which_it_cannot_read() {
        let (link, layers) = read(LINKTYPE_ETHERNET, &[&MACS, &[0x88, 0xe5], &[0x2c; 40]]);
        assert_eq!(link, Err(Undecoded::LinkEncrypted));
        assert_eq!(layers.met, Encapsulations::MACSEC);
    }

    #[test]
    fn the_list_of_link_types_is_what_is_read() {
        // The registry of tcpdump.org ends below 300.
        for link_type in 0..400 {
            let listed = LINK_TYPES
                .iter()
                .any(|(_, types)| types.contains(&link_type));
            let read = header(link_type, &[], &mut Layers::default());
            assert_eq!(read != Err(Undecoded::LinkType), listed, "{link_type}");
        }
    }

    #[test]
    fn names_what_is_no_ip_and_what_was_met_before_it() {
        let (arp, layers) = read(
            LINKTYPE_ETHERNET,
            &[&MACS, &[0x81, 0x00, 0, 9], &[0x08, 0x06], &[0, 1]],
        );
        assert_eq!(
            (arp, layers.met),
            (Err(Undecoded::NotIp), Encapsulations::VLAN)
        );
        assert_eq!(read(LINKTYPE_ETHERNET, &[&MACS]).0, Err(Undecoded::LinkCut));
        assert_eq!(read(9999, &[&MACS]).0, Err(Undecoded::LinkType));
    }
}
