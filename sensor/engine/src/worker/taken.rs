//! What a packet is taken apart into, and what of it its flow is told.

use terrier_wire::decap::{self, Decapsulated, Plain, Refused, Transport as Header};
use terrier_wire::link::{Encapsulations, Undecoded};

use super::print::{NO_PRINT, print_of};
use crate::flow::{FlowKey, Hasher};
use crate::observation::Transport;
use crate::packet::LinkType;

/// A packet taken apart: what its flow is told of it, without a look at the packet itself as long as the flow wants none of
/// what it carries. So it can be done before it is known whose packet it is, and by somebody else.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    /// Its place in its block, where it was dealt out.
    pub(super) in_block: u32,
    pub(super) kind: Kind,
    /// Of a plain packet: the place of its flow.
    pub(super) place: Place,
    /// Of a plain packet: what it says.
    pub(super) plain: Plain,
    /// Of a plain packet: by which it is known should it come twice.
    pub(super) print: u32,
}

/// How a packet was taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is a plain one, of a flow of this worker.
    Plain,
    /// It is a plain one, of a flow of another worker.
    Foreign,
    /// It is no plain one: it is to be taken apart as a whole.
    Whole,
}

impl Taken {
    /// What stands in the place of a packet before it is taken apart.
    pub(super) const NOTHING: Self = Self {
        in_block: 0,
        kind: Kind::Whole,
        place: Place::NOTHING,
        plain: Plain::NOTHING,
        print: NO_PRINT,
    };

    /// The place of the packet in its block.
    #[inline]
    #[must_use]
    pub fn in_block(&self) -> usize {
        self.in_block as usize
    }

    /// Takes a packet apart, if it is a plain one, but for its print.
    #[inline]
    pub(super) fn take(&mut self, link: LinkType, octets: &[u8], hasher: &Hasher) {
        let Some(ends) = decap::plain_into(link.0, octets, &mut self.plain) else {
            self.kind = Kind::Whole;
            return;
        };
        self.kind = Kind::Plain;
        let transport = Transport::of(ends.protocol.0);
        let (key, from_low) = FlowKey::of(ends.source, ends.destination, transport);
        self.place.key = key;
        self.place.from_low = from_low;
        self.place.hash = hasher.hash_of(ends.source, ends.destination, transport);
    }

    /// Takes the print of a plain packet.
    #[inline]
    pub(super) fn take_print(&mut self, octets: &[u8]) {
        self.print = print_of(&self.plain, self.plain.payload(octets), 0);
    }

    /// What a plain packet of these octets tells its flow.
    #[inline]
    pub(super) fn told<'a>(&'a self, octets: &'a [u8]) -> Told<'a> {
        Told {
            plain: &self.plain,
            of: octets,
            print: self.print,
            packets: 1,
            vni: None,
            stopped: None,
        }
    }
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

/// The place of a packet in the flow table.
#[derive(Debug, Clone, Copy)]
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
    /// What a plain packet would say, with the encapsulations that are to be counted and the octets of all fragments.
    pub(super) plain: &'a Plain,
    /// The octets that it says the place of its payload in.
    pub(super) of: &'a [u8],
    /// By which it is known should it come twice.
    pub(super) print: u32,
    /// Packets of the capture that it came in.
    pub(super) packets: u32,
    pub(super) vni: Option<u32>,
    /// Why the tunnel in it was not followed.
    pub(super) stopped: Option<Undecoded>,
}

impl<'a> Told<'a> {
    /// By a packet that was taken apart as a whole and [says this](said_by).
    pub(super) fn by_whole(
        here: &Decapsulated<'a>,
        (plain, of): &'a (Plain, &'a [u8]),
        came: Came,
    ) -> Self {
        Self {
            plain,
            of,
            print: print_of(plain, of, 0),
            packets: came.packets,
            vni: here.layers.vni,
            stopped: here.stopped,
        }
    }

    /// What lies behind the header of TCP or UDP; of protocols without a header that is read here all that lies in IP.
    #[inline]
    pub(super) fn payload(&self) -> &'a [u8] {
        self.plain.payload(self.of)
    }
}

/// What a packet that was taken apart as a whole says, as a plain one would that is nothing but payload; and that payload.
pub(super) fn said_by<'a>(
    here: &Decapsulated<'a>,
    header: &Header<'a>,
    came: Came,
) -> (Plain, &'a [u8]) {
    let mut plain = Plain {
        vlan: here.layers.vlan,
        met: here.layers.met.without(came.counted),
        identification: here.ip.identification,
        total_len: u32::try_from(came.on_wire).unwrap_or(u32::MAX),
        ..Plain::NOTHING
    };
    let payload = match header {
        Header::Tcp(segment) => {
            plain.payload_len = segment.payload_len;
            plain.seq = segment.seq;
            plain.ack = segment.ack;
            plain.flags = segment.flags;
            segment.payload
        }
        Header::Udp(datagram) => datagram.payload,
        Header::Other(other) => other.payload,
    };
    plain.captured_len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    (plain, payload)
}
