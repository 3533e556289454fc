//! Who talks to whom: a flow and its life.

use std::fmt;
use std::net::IpAddr;

use serde::{Serialize, Serializer};
use smallvec::SmallVec;

use super::Side;

/// A flow, the same in all its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowRef {
    /// Hash of the `seq` that opened it and its five-tuple.
    pub id: u64,
    /// `seq` of the packet that opened it; with [`FlowRef::AROUND`] for a flow that carries another one of that packet.
    pub opened: u64,
    /// Originator.
    pub orig: Endpoint,
    /// Responder.
    pub resp: Endpoint,
    /// Transport protocol.
    pub transport: Transport,
    /// VLAN ids of the first packet, outermost first.
    pub vlan: VlanTags,
    /// Virtual network of the first packet (VXLAN, Geneve, NVGRE), the innermost.
    pub vni: Option<u32>,
    /// How sure the orientation is.
    pub oriented: Oriented,
}

impl FlowRef {
    /// The bit of [`FlowRef::opened`] that keeps a tunnel's flow and the one inside it apart: one packet opens both.
    pub const AROUND: u64 = 1 << 63;

    /// The ports of originator and responder.
    #[inline]
    pub(crate) fn ports(&self) -> [u16; 2] {
        [self.orig.port, self.resp.port]
    }

    /// The endpoint of a side.
    #[must_use]
    pub fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::Originator => self.orig,
            Side::Responder => self.resp,
        }
    }
}

/// An address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Address of the inner IP packet.
    pub ip: IpAddr,
    /// Port in host order.
    pub port: u16,
}

/// What an IP packet carries. Only TCP, UDP and SCTP have ports; the place of ICMP's is taken by its type and the type that
/// answers it (else its code), as the Community ID specification has it, that of all others by 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// IP protocol 6.
    Tcp,
    /// IP protocol 17.
    Udp,
    /// IP protocol 1.
    Icmp,
    /// IP protocol 58.
    Icmp6,
    /// Any other IP protocol, by its number.
    Other(u8),
}

impl Transport {
    /// Its IP protocol number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
            Self::Icmp => 1,
            Self::Icmp6 => 58,
            Self::Other(number) => number,
        }
    }

    /// That of an IP protocol number.
    #[must_use]
    pub const fn of(number: u8) -> Self {
        match number {
            6 => Self::Tcp,
            17 => Self::Udp,
            1 => Self::Icmp,
            58 => Self::Icmp6,
            number => Self::Other(number),
        }
    }

    /// As records write it, but that all protocols without a name are `ip`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
            Self::Icmp6 => "icmp6",
            Self::Other(47) => "gre",
            Self::Other(50) => "esp",
            Self::Other(51) => "ah",
            Self::Other(132) => "sctp",
            Self::Other(_) => "ip",
        }
    }

    /// Whether it has ports, or what stands for them.
    #[must_use]
    pub const fn has_ports(self) -> bool {
        !matches!(self, Self::Other(number) if number != 132)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Other(number) if self.name() == "ip" => write!(f, "-{number}"),
            _ => Ok(()),
        }
    }
}

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            "ip" => serializer.collect_str(self),
            name => serializer.serialize_str(name),
        }
    }
}

/// How the orientation of a flow was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Oriented {
    /// By the TCP handshake.
    Syn,
    /// The first sender is taken as originator.
    Guessed,
}

/// The VLAN ids of a packet, outermost first; the first four are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VlanTags {
    ids: [u16; Self::MAX],
    count: u8,
}

impl VlanTags {
    /// QinQ has two; a tagged frame in a tunnel over a tagged network adds one or two.
    pub const MAX: usize = 4;

    /// Keeps the id unless the list is full.
    pub fn push(&mut self, id: u16) {
        if let Some(slot) = self.ids.get_mut(usize::from(self.count)) {
            *slot = id & 0x0fff;
            self.count += 1;
        }
    }

    /// The ids, outermost first.
    #[must_use]
    pub fn as_slice(&self) -> &[u16] {
        self.ids.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl Serialize for VlanTags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_slice().serialize(serializer)
    }
}

/// Frame numbers within one capture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frames {
    /// Which capture they belong to, in the order of the command line.
    pub capture: u16,
    /// Most facts are shown by a question and its answer: those need no memory of their own.
    numbers: SmallVec<[u64; 3]>,
}

impl Frames {
    /// A handshake needs fewer; a slow one must not grow its evidence without end.
    pub const MAX: usize = 24;

    /// No frame, of a capture.
    #[must_use]
    pub fn none(capture: u16) -> Self {
        Self {
            capture,
            numbers: SmallVec::new(),
        }
    }

    /// A single frame.
    #[must_use]
    pub fn one(capture: u16, frame: u64) -> Self {
        let mut frames = Self::none(capture);
        frames.numbers.push(frame);
        frames
    }

    /// Ascending, each once, [`Frames::MAX`] at most: the first ones and the last.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// Adds a frame. When the list is full the last entry is replaced. A frame of another capture starts the list anew.
    pub fn add(&mut self, capture: u16, frame: u64) {
        if self.numbers.is_empty() || self.capture != capture {
            *self = Self::one(capture, frame);
            return;
        }
        // Packets come in their order.
        if self.numbers.len() < Self::MAX && self.numbers.last().is_some_and(|&last| last < frame) {
            self.numbers.push(frame);
            return;
        }
        match self.numbers.last() {
            Some(&last) if frame > last && self.numbers.len() < Self::MAX => {
                self.numbers.push(frame);
            }
            None => self.numbers.push(frame),
            Some(_) => self.insert(frame),
        }
    }

    /// Adds one that is not behind all others, or for which there is no room.
    fn insert(&mut self, frame: u64) {
        match self.numbers.binary_search(&frame) {
            Ok(_) => {}
            Err(_) if self.numbers.len() >= Self::MAX => {
                if let Some(last) = self.numbers.last_mut() {
                    *last = (*last).max(frame);
                }
            }
            Err(place) => self.numbers.insert(place, frame),
        }
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.numbers.clear();
    }
}

/// The first octets of a side of a flow, which no decoder knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstOctets {
    /// Who sent them.
    pub side: Side,
    /// [`FirstOctets::MAX`] at most.
    pub octets: Vec<u8>,
}

impl FirstOctets {
    /// Enough for the marks in the knowledge pages.
    pub const MAX: usize = 64;

    /// Those at the start of what a side sent.
    #[must_use]
    pub fn of(side: Side, octets: &[u8]) -> Self {
        let octets = octets
            .get(..octets.len().min(Self::MAX))
            .unwrap_or_default();
        Self {
            side,
            octets: octets.to_vec(),
        }
    }
}

/// Which openings of flows that no decoder knows are told, by their first octet: a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Openings([u64; 4]);

impl Openings {
    /// Every opening.
    pub const ALL: Self = Self([u64::MAX; 4]);

    /// Those that begin with an octet of which `begins` answers so.
    #[must_use]
    pub fn of(begins: impl Fn(u8) -> bool) -> Self {
        let mut words = [0; 4];
        for first in (0..=u8::MAX).filter(|&first| begins(first)) {
            words[usize::from(first >> 6)] |= 1 << (first & 63);
        }
        Self(words)
    }

    /// Whether an opening with these octets is told; an empty one never is.
    #[inline]
    pub(crate) fn have(&self, octets: &[u8]) -> bool {
        octets
            .first()
            .is_some_and(|first| self.0[usize::from(first >> 6)] >> (first & 63) & 1 == 1)
    }
}

/// The end of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlowEnd {
    /// Time of the first packet, in nanoseconds since 1970.
    pub first_ns: i64,
    /// Time of the last packet.
    pub last_ns: i64,
    /// Packets of originator and responder.
    pub packets: [u64; 2],
    /// IP octets of originator and responder, on the wire.
    pub bytes: [u64; 2],
    /// Name of the protocol that was recognised in it, the innermost where one carries another.
    pub service: Option<&'static str>,
    /// What ended it.
    pub end: EndCause,
}

/// What ended a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Both sides finished.
    Fin,
    /// A reset.
    Rst,
    /// Nothing more came.
    Idle,
    /// The table was full.
    Evicted,
    /// The input ended.
    EndOfInput,
}

/// What told a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NameSource {
    /// A DNS look-up.
    Dns,
    /// TLS server name indication.
    Sni,
    /// HTTP Host.
    Http,
    /// The server's certificate.
    Certificate,
    /// DHCP: the host's own word, granted by the server.
    Dhcp,
    /// Multicast DNS.
    Mdns,
    /// NetBIOS, from the host itself.
    Netbios,
    /// An answer to everybody, by LLMNR or NetBIOS.
    Llmnr,
    /// What an RDP client says of itself.
    Rdp,
}
