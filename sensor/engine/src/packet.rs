//! What comes in: packets, as a capture hands them over.

/// One record of a capture. The agent numbers and stamps it; nothing is copied.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// When it was captured, in nanoseconds since 1970 (UTC).
    pub at_ns: i64,
    /// Its place among all packets and ticks of the run, from 1.
    pub seq: u64,
    /// Which capture it came from, in the order of the command line.
    pub capture: u16,
    /// Its number within that capture, from 1, as Wireshark counts.
    pub frame: u64,
    /// How its octets begin.
    pub link: LinkType,
    /// How long it was on the wire, in octets; `octets` may be shorter (snaplen).
    pub wire_len: u32,
    /// What was captured.
    pub octets: &'a [u8],
}

/// The link type of a capture: a value of the registry at tcpdump.org (LINKTYPE_ and DLT_ alike). Unknown values are
/// kept, so that a count can name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: a 4-octet address family in the byte order of the machine that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet II and 802.3.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, as some BSDs number it in their own files.
    pub const RAW_BSD: Self = Self(12);
    /// Raw IP, as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// Raw IPv4 or IPv6.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: a 4-octet address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux "cooked" capture, version 2 (`tcpdump -i any` since libpcap 1.10).
    pub const LINUX_SLL2: Self = Self(276);
}
