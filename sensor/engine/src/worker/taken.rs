//! What a packet is taken apart into, and what of it its flow is told.

use terrier_wire::decap::{Decapsulated, Plain, Refused, Transport as Header};
use terrier_wire::link::{Encapsulations, Tags, Undecoded};
use terrier_wire::transport::Flags;

use crate::flow::FlowKey;

/// A packet taken apart.
pub(super) struct Taken<'a> {
    pub(super) read: Read<'a>,
    /// All of it, where it is no plain packet: of those nobody asks for more than what is read.
    pub(super) here: Decapsulated<'a>,
}

/// What a packet turned out to be.
pub(super) enum Read<'a> {
    /// A plain packet.
    Plain {
        told: Told<'a>,
        place: Place,
        /// Whether its flow is this worker's.
        own: bool,
    },
    /// A transport header, with the place of its flow; none where the flow is another worker's.
    Whole(Header<'a>, Option<Place>),
    /// A fragment: only the whole packet tells more.
    Fragment,
    /// It belongs to no flow.
    Refused(Refused),
}

impl Taken<'_> {
    /// What stands in the place of a packet before it is taken apart.
    pub(super) const NOTHING: Self = Self {
        read: Read::Fragment,
        here: Decapsulated::NOTHING,
    };
}

/// The place of a packet in the flow table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: FlowKey,
    pub(super) hash: u64,
    pub(super) from_low: bool,
    /// Where its flow lay when it was looked for ahead of its turn.
    pub(super) seen_at: u32,
}

/// How an IP packet came: in one packet of the capture, or in several.
#[derive(Clone, Copy)]
pub(super) struct Came {
    pub(super) packets: u32,
    /// Octets of the IP packet, or of the fragments of it.
    pub(super) on_wire: u64,
    /// Encapsulations of the present packet that were counted with a fragment.
    pub(super) counted: Encapsulations,
}

impl Came {
    /// In one packet.
    pub(super) fn whole(here: &Decapsulated<'_>) -> Self {
        Self {
            packets: 1,
            on_wire: u64::from(here.ip.total_len),
            counted: Encapsulations::NONE,
        }
    }
}

/// What a packet tells its flow, whichever way it was taken apart.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    /// Behind the header of TCP or UDP; of other protocols all of it.
    pub(super) payload: &'a [u8],
    /// Octets of TCP sent; more than `payload` where the capture cut it. Of other protocols 0, as the four that follow.
    pub(super) payload_len: u32,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: Flags,
    pub(super) identification: u16,
    /// Packets of the capture that it came in.
    pub(super) packets: u32,
    /// Octets of the IP packet, or of the fragments of it.
    pub(super) on_wire: u64,
    /// Encapsulations to be counted with it.
    pub(super) met: Encapsulations,
    pub(super) vlan: Tags,
    pub(super) vni: Option<u32>,
    /// Why the tunnel in it was not followed.
    pub(super) stopped: Option<Undecoded>,
}

impl<'a> Told<'a> {
    /// By a plain packet.
    #[inline]
    pub(super) fn by_plain(plain: &Plain<'a>) -> Self {
        Self {
            packets: 1,
            on_wire: u64::from(plain.total_len),
            identification: plain.identification,
            met: plain.met,
            vlan: plain.vlan,
            ..Self::by_header(&plain.transport)
        }
    }

    /// By a packet that was taken apart as a whole.
    pub(super) fn by_whole(here: &Decapsulated<'a>, header: &Header<'a>, came: Came) -> Self {
        Self {
            packets: came.packets,
            on_wire: came.on_wire,
            identification: here.ip.identification,
            met: here.layers.met.without(came.counted),
            vlan: here.layers.vlan,
            vni: here.layers.vni,
            stopped: here.stopped,
            ..Self::by_header(header)
        }
    }

    #[inline]
    fn by_header(header: &Header<'a>) -> Self {
        let mut told = Self {
            payload: &[],
            payload_len: 0,
            seq: 0,
            ack: 0,
            flags: Flags(0),
            identification: 0,
            packets: 0,
            on_wire: 0,
            met: Encapsulations::NONE,
            vlan: Tags::NONE,
            vni: None,
            stopped: None,
        };
        match header {
            Header::Tcp(segment) => {
                told.payload = segment.payload;
                told.payload_len = segment.payload_len;
                told.seq = segment.seq;
                told.ack = segment.ack;
                told.flags = segment.flags;
            }
            Header::Udp(datagram) => told.payload = datagram.payload,
            Header::Other(other) => told.payload = other.payload,
        }
        told
    }
}
