//! What was met on the way down from a frame to its innermost IP packet.

use super::Undecoded;
use crate::net::Address;

/// How many encapsulations may lie inside one another: a packet of 1,500 octets has no room for more that carry anything
/// (VXLAN alone takes 50), and what a sender stacks higher is an attack on the parser.
pub const MAX_DEPTH: u8 = 16;

/// What was met on the way down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Layers {
    /// VLAN tags of all frames, outermost first.
    pub vlan: Tags,
    /// Virtual network of the last VXLAN, Geneve or NVGRE header: 24 bits.
    pub vni: Option<u32>,
    /// Which encapsulations there were.
    pub met: Encapsulations,
    /// How many there were, VLAN tags not counted.
    pub depth: u8,
    /// The outermost tunnel over IP; a tunnel of an endpoint ([`Tunnel::is_endpoint`]) goes before one of the network, and
    /// is named even where its inside cannot be read.
    pub outer: Option<Outer>,
}

impl Layers {
    /// Nothing was met.
    pub const NONE: Self = Self {
        vlan: Tags::NONE,
        vni: None,
        met: Encapsulations::NONE,
        depth: 0,
        outer: None,
    };

    /// Goes one encapsulation deeper.
    pub(crate) fn enter(&mut self, kind: Encapsulations) -> Result<(), Undecoded> {
        if self.depth == MAX_DEPTH {
            return Err(Undecoded::Depth);
        }
        self.depth += 1;
        self.met.insert(kind);
        Ok(())
    }
}

/// A tunnel over IP: who built it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outer {
    /// What kind of tunnel it is.
    pub tunnel: Tunnel,
    /// Sender of the outer packet, and its port where the tunnel runs over UDP, else 0.
    pub source: (Address, u16),
    /// Receiver of the outer packet, and its port.
    pub destination: (Address, u16),
    /// Octets of the outer IP packet on the wire.
    pub total_len: u32,
}

/// What the outermost tunnel is, as far as somebody may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tunnel {
    /// IPv6 of a host behind a translator (RFC 4380).
    Teredo,
    /// The data of PPTP: GRE version 1 (RFC 2637).
    Pptp,
    /// The data of L2TP version 2 (RFC 2661).
    L2tp,
    /// One that networks build among themselves: GRE, VXLAN, GTP and the like.
    Network,
}

impl Tunnel {
    /// Whether a single machine builds it, so that it tells of that machine.
    #[must_use]
    pub fn is_endpoint(self) -> bool {
        self != Self::Network
    }
}

/// The VLAN tags of a frame, and of the frames inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tags {
    ids: [u16; Self::KEPT],
    kept: u8,
}

impl Tags {
    /// QinQ has two; a tagged frame in a tunnel over a tagged network two or three.
    pub const KEPT: usize = 4;
    /// No tag.
    pub const NONE: Self = Self {
        ids: [0; Self::KEPT],
        kept: 0,
    };

    /// The first VLAN ids, outermost first.
    #[inline]
    #[must_use]
    pub fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.kept)).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn push(&mut self, id: u16) {
        if let Some(slot) = self.ids.get_mut(usize::from(self.kept)) {
            *slot = id & 0x0fff;
            self.kept += 1;
        }
    }
}

/// A set of encapsulations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Encapsulations(u32);

impl Encapsulations {
    /// None.
    pub const NONE: Self = Self(0);
    /// An 802.1Q customer tag.
    pub const VLAN: Self = Self(1);
    /// A service tag (802.1ad), or more than one tag in a frame.
    pub const QINQ: Self = Self(1 << 1);
    /// Provider backbone bridging, MAC-in-MAC (802.1ah).
    pub const PBB: Self = Self(1 << 2);
    /// MACsec (802.1AE).
    pub const MACSEC: Self = Self(1 << 3);
    /// An MPLS label stack (RFC 3032), over Ethernet, PPP, GRE, IP or UDP.
    pub const MPLS: Self = Self(1 << 4);
    /// PPP over Ethernet, session stage (RFC 2516).
    pub const PPPOE: Self = Self(1 << 5);
    /// PPP (RFC 1661), by whatever carries it.
    pub const PPP: Self = Self(1 << 6);
    /// Cisco HDLC.
    pub const HDLC: Self = Self(1 << 7);
    /// An 802.2 LLC header with IP behind it (RFC 1042).
    pub const LLC: Self = Self(1 << 8);
    /// An 802.11 data frame.
    pub const WLAN: Self = Self(1 << 9);
    /// GRE of any kind (RFC 2784, RFC 2637, RFC 8086).
    pub const GRE: Self = Self(1 << 10);
    /// GRE with a virtual subnet id (RFC 7637).
    pub const NVGRE: Self = Self(1 << 11);
    /// ERSPAN types I, II and III.
    pub const ERSPAN: Self = Self(1 << 12);
    /// VXLAN (RFC 7348) and its generic protocol extension.
    pub const VXLAN: Self = Self(1 << 13);
    /// Geneve (RFC 8926).
    pub const GENEVE: Self = Self(1 << 14);
    /// Teredo (RFC 4380).
    pub const TEREDO: Self = Self(1 << 15);
    /// GTP-U version 1 (3GPP TS 29.281).
    pub const GTP: Self = Self(1 << 16);
    /// IPv4 in IPv4 (RFC 2003).
    pub const FOUR_IN_FOUR: Self = Self(1 << 17);
    /// IPv4 in IPv6 (RFC 2473).
    pub const FOUR_IN_SIX: Self = Self(1 << 18);
    /// IPv6 in IPv4 (RFC 4213).
    pub const SIX_IN_FOUR: Self = Self(1 << 19);
    /// IPv6 in IPv6 (RFC 2473).
    pub const SIX_IN_SIX: Self = Self(1 << 20);
    /// IP Authentication Header (RFC 4302).
    pub const AH: Self = Self(1 << 21);
    /// CAPWAP data (RFC 5415).
    pub const CAPWAP: Self = Self(1 << 22);
    /// L2TP version 2 data (RFC 2661).
    pub const L2TP: Self = Self(1 << 23);
    /// Ethernet in IP (RFC 3378).
    pub const ETHERIP: Self = Self(1 << 24);
    /// VN-Tag of Cisco's port extenders.
    pub const VNTAG: Self = Self(1 << 25);
    /// E-Tag (802.1BR).
    pub const ETAG: Self = Self(1 << 26);
    /// Cisco's FabricPath.
    pub const FABRIC_PATH: Self = Self(1 << 27);
    /// A network service header (RFC 8300).
    pub const SERVICE_HEADER: Self = Self(1 << 28);
    /// AYIYA (draft-massar-v6ops-ayiya-02).
    pub const AYIYA: Self = Self(1 << 29);
    /// Frames that an access point or a router mirrors (TaZmen Sniffer Protocol).
    pub const TZSP: Self = Self(1 << 30);

    /// How many kinds there are.
    pub const COUNT: usize = 31;

    /// Their names in records, in the order of their bits.
    pub const NAMES: [&str; Self::COUNT] = [
        "vlan",
        "qinq",
        "pbb",
        "macsec",
        "mpls",
        "pppoe",
        "ppp",
        "hdlc",
        "llc",
        "wlan",
        "gre",
        "nvgre",
        "erspan",
        "vxlan",
        "geneve",
        "teredo",
        "gtp",
        "4in4",
        "4in6",
        "6in4",
        "6in6",
        "ah",
        "capwap",
        "l2tp",
        "etherip",
        "vntag",
        "etag",
        "fabricpath",
        "nsh",
        "ayiya",
        "tzsp",
    ];

    /// What they are, for the documentation, in the same order.
    pub const MEANINGS: [&str; Self::COUNT] = [
        "802.1Q customer tag",
        "802.1ad service tag, or several tags",
        "802.1ah, MAC in MAC",
        "802.1AE, counted only",
        "label stack, over Ethernet, PPP, GRE, IP or UDP",
        "session stage",
        "whatever carries it",
        "Cisco's",
        "802.2 LLC and SNAP",
        "802.11 data frames",
        "IP, Ethernet, PPTP's PPP or WCCP inside; in UDP too",
        "GRE with a virtual subnet",
        "mirrored frames, types I to III",
        "its generic protocol extension too",
        "with any options",
        "IPv6 of a host behind a translator",
        "user data, version 1",
        "IPv4 in IPv4",
        "IPv4 in IPv6",
        "IPv6 in IPv4, 6to4 and ISATAP too",
        "IPv6 in IPv6",
        "IP Authentication Header",
        "data of wireless access points",
        "data of L2TP version 2",
        "Ethernet in IP",
        "of Cisco's port extenders",
        "802.1BR",
        "Cisco's",
        "network service header",
        "IPv6 of a host behind a translator, by its tunnel broker",
        "mirrored frames of access points and routers",
    ];

    /// Adds those of `other`.
    #[inline]
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether all of `other` are in the set.
    #[inline]
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether there are none.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The places of those in the set, in [`Encapsulations::NAMES`], the last one first.
    pub fn places(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let place = left.checked_ilog2()?;
            left ^= 1 << place;
            Some(place as usize)
        })
    }

    /// The names of those in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        (Self::NAMES.iter().enumerate())
            .filter(move |(place, _)| self.0 & (1 << place) != 0)
            .map(|(_, &name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_name() {
        let all = Encapsulations((1 << Encapsulations::COUNT) - 1);
        assert_eq!(all.names().count(), Encapsulations::COUNT);
        assert!(all.contains(Encapsulations::ETHERIP));
        for (kind, name) in [
            (Encapsulations::VLAN, "vlan"),
            (Encapsulations::WLAN, "wlan"),
            (Encapsulations::GTP, "gtp"),
            (Encapsulations::SIX_IN_FOUR, "6in4"),
            (Encapsulations::ETHERIP, "etherip"),
            (Encapsulations::SERVICE_HEADER, "nsh"),
            (Encapsulations::TZSP, "tzsp"),
        ] {
            assert_eq!(kind.names().collect::<Vec<_>>(), [name]);
        }
    }

    #[test]
    fn bounds_the_depth() {
        let mut layers = Layers::default();
        for _ in 0..MAX_DEPTH {
            assert_eq!(layers.enter(Encapsulations::GRE), Ok(()));
        }
        assert_eq!(layers.enter(Encapsulations::GRE), Err(Undecoded::Depth));
    }
}
