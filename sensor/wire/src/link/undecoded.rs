//! Why there is no packet for us, or none further inside.

/// Why a frame has no packet for us, or why a tunnel was not followed. Each has a counter by its name.
///
/// Where a tunnel was not followed the packet around it is looked at as it is, so nothing is lost but what is inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Undecoded {
    /// A link header is cut.
    LinkCut,
    /// The link type of the capture is none that is read here.
    LinkType,
    /// The frame carries something else than IP; ARP, spanning tree and the like.
    NotIp,
    /// More VLAN tags than any network stacks.
    VlanStack,
    /// More MPLS labels than any network stacks.
    MplsStack,
    /// A header of the link layer contradicts itself.
    LinkHeader,
    /// A frame that its link encrypts: MACsec, protected 802.11, PPP with encryption.
    LinkEncrypted,
    /// An IP header is cut or contradicts itself.
    IpHeader,
    /// More IPv6 extension headers than [`crate::net::MAX_EXTENSIONS`].
    IpExtensions,
    /// A TCP or UDP header is cut or contradicts itself.
    TransportHeader,
    /// More encapsulations inside one another than [`super::MAX_DEPTH`].
    Depth,
    /// The header of a tunnel, or of what it carries, is cut.
    TunnelCut,
    /// The header of a tunnel, or of what it carries, contradicts itself.
    TunnelHeader,
    /// A tunnel carries something else than IP.
    TunnelNotIp,
    /// What a tunnel carries is encrypted.
    TunnelEncrypted,
    /// What a tunnel carries is a fragment by the tunnel's own means.
    TunnelFragment,
}

impl Undecoded {
    /// Every reason.
    pub const ALL: [Self; 16] = [
        Self::LinkCut,
        Self::LinkType,
        Self::NotIp,
        Self::VlanStack,
        Self::MplsStack,
        Self::LinkHeader,
        Self::LinkEncrypted,
        Self::IpHeader,
        Self::IpExtensions,
        Self::TransportHeader,
        Self::Depth,
        Self::TunnelCut,
        Self::TunnelHeader,
        Self::TunnelNotIp,
        Self::TunnelEncrypted,
        Self::TunnelFragment,
    ];

    /// The layer at which decoding ended.
    #[must_use]
    pub fn layer(self) -> &'static str {
        match self {
            Self::LinkCut
            | Self::LinkType
            | Self::NotIp
            | Self::VlanStack
            | Self::MplsStack
            | Self::LinkHeader
            | Self::LinkEncrypted => "link",
            Self::IpHeader | Self::IpExtensions => "ip",
            Self::TransportHeader => "transport",
            Self::Depth
            | Self::TunnelCut
            | Self::TunnelHeader
            | Self::TunnelNotIp
            | Self::TunnelEncrypted
            | Self::TunnelFragment => "tunnel",
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
            Self::MplsStack => "mpls_stack",
            Self::LinkHeader => "link_header",
            Self::LinkEncrypted => "link_encrypted",
            Self::IpHeader => "ip_header",
            Self::IpExtensions => "ip_extensions",
            Self::TransportHeader => "transport_header",
            Self::Depth => "tunnel_depth",
            Self::TunnelCut => "tunnel_cut",
            Self::TunnelHeader => "tunnel_header",
            Self::TunnelNotIp => "tunnel_not_ip",
            Self::TunnelEncrypted => "tunnel_encrypted",
            Self::TunnelFragment => "tunnel_fragment",
        }
    }

    /// Whether it is a fault of the octets (a cut or contradictory header), and not just another protocol.
    #[must_use]
    pub fn is_error(self) -> bool {
        !matches!(
            self,
            Self::NotIp
                | Self::LinkEncrypted
                | Self::TunnelNotIp
                | Self::TunnelEncrypted
                | Self::TunnelFragment
        )
    }

    /// The same reason, met inside a tunnel.
    #[must_use]
    pub(crate) fn inside(self) -> Self {
        match self {
            Self::LinkCut => Self::TunnelCut,
            Self::LinkType | Self::NotIp => Self::TunnelNotIp,
            Self::LinkEncrypted => Self::TunnelEncrypted,
            Self::VlanStack
            | Self::MplsStack
            | Self::LinkHeader
            | Self::IpHeader
            | Self::IpExtensions
            | Self::TransportHeader => Self::TunnelHeader,
            Self::Depth
            | Self::TunnelCut
            | Self::TunnelHeader
            | Self::TunnelNotIp
            | Self::TunnelEncrypted
            | Self::TunnelFragment => self,
        }
    }
}
