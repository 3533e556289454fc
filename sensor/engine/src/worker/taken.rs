//! What a packet is taken apart into, and what of it its flow is told.

use terrier_wire::decap::{Decapsulated, Plain, Refused, Transport as Header};
use terrier_wire::link::{Encapsulations, Undecoded};

use crate::flow::{FlowKey, FlowTable};

/// A packet taken apart.
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    pub(super) kind: Kind,
    /// Of a plain packet: what it tells its flow.
    pub(super) told: Told<'a>,
    /// Of a plain packet: the place of its flow.
    pub(super) place: Place,
    /// Where its flow lay when it was looked for ahead of its turn.
    pub(super) seen_at: u32,
}

/// How a packet was taken apart.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// It is a plain one, of a flow of this worker.
    Plain,
    /// It is a plain one, of a flow of another worker.
    Foreign,
    /// As a whole: its place among those of its batch.
    Whole(u32),
}

/// A packet that was taken apart as a whole. There are few as a rule, and they are large, so they lie by themselves.
pub(super) struct Whole<'a> {
    pub(super) here: Decapsulated<'a>,
    pub(super) read: Read<'a>,
}

/// What such a packet turned out to be.
pub(super) enum Read<'a> {
    /// A transport header, with the place of its flow; none where the flow is another worker's.
    Header(Header<'a>, Option<Place>),
    /// A fragment: only the whole packet tells more.
    Fragment,
    /// It belongs to no flow.
    Refused(Refused),
}

impl Taken<'_> {
    /// What stands in the place of a packet before it is taken apart.
    pub(super) const NOTHING: Self = Self {
        kind: Kind::Foreign,
        told: Told {
            plain: Plain::NOTHING,
            packets: 1,
            vni: None,
            stopped: None,
        },
        place: Place::NOTHING,
        seen_at: FlowTable::NOWHERE,
    };
}

/// The place of a packet in the flow table.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) key: FlowKey,
    pub(super) hash: u64,
    pub(super) from_low: bool,
}

impl Place {
    const NOTHING: Self = Self {
        key: FlowKey::NOTHING,
        hash: 0,
        from_low: false,
    };
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
    /// What a plain packet would say, with the encapsulations that are to be counted and the octets of all fragments. Of
    /// protocols without a header that is read here the payload is all that lies in IP.
    pub(super) plain: Plain<'a>,
    /// Packets of the capture that it came in.
    pub(super) packets: u32,
    pub(super) vni: Option<u32>,
    /// Why the tunnel in it was not followed.
    pub(super) stopped: Option<Undecoded>,
}

impl<'a> Told<'a> {
    /// By a packet that was taken apart as a whole.
    pub(super) fn by_whole(here: &Decapsulated<'a>, header: &Header<'a>, came: Came) -> Self {
        let mut plain = Plain {
            vlan: here.layers.vlan,
            met: here.layers.met.without(came.counted),
            identification: here.ip.identification,
            total_len: u32::try_from(came.on_wire).unwrap_or(u32::MAX),
            ..Plain::NOTHING
        };
        match header {
            Header::Tcp(segment) => {
                plain.payload = segment.payload;
                plain.payload_len = segment.payload_len;
                plain.seq = segment.seq;
                plain.ack = segment.ack;
                plain.flags = segment.flags;
            }
            Header::Udp(datagram) => plain.payload = datagram.payload,
            Header::Other(other) => plain.payload = other.payload,
        }
        Self {
            plain,
            packets: came.packets,
            vni: here.layers.vni,
            stopped: here.stopped,
        }
    }
}
