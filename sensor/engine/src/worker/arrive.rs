//! How a packet finds its flow: taken apart, put together from fragments, given to the worker that owns the flow.
//!
//! What belongs to no flow is counted by one worker, everything else by the flow's; so each packet is counted once, with
//! any number of workers.

use terrier_wire::decap::{self, Decapsulated, Refused, Transport as Header};
use terrier_wire::link::{Encapsulations, Outer, Tunnel, Undecoded};
use terrier_wire::net::{Address, Ip, Protocol};
use terrier_wire::transport::Flags;

use super::dealer::ends_of;
use super::print::{DUPLICATE_NS, NO_PRINT, print_of};
use super::taken::{Came, Place, Read, Told, Whole, said_by};
use super::{Facts, Worker};
use crate::counters::Counters;
use crate::flow::{FlowKey, FlowTable, Opener, Phase, TcpSeen, Traits};
use crate::observation::{
    EndCause, Fact, FlowRef, Frames, Marks, Oriented, Side, Transport, VlanTags,
};
use crate::packet::Packet;
use crate::protocol::{self, Emit};

impl Worker {
    /// Takes apart what is no plain packet.
    #[inline(never)]
    pub(super) fn take_all_apart<'a>(&self, packet: &Packet<'a>) -> Whole<'a> {
        let mut whole = Whole {
            here: Decapsulated::NOTHING,
            read: Read::Fragment,
        };
        let here = &mut whole.here;
        whole.read = match decap::frame_into(packet.link.0, packet.octets, here) {
            Err(refused) => Read::Refused(refused),
            Ok(()) if here.ip.fragment.is_some() => Read::Fragment,
            Ok(()) => match decap::transport(&here.ip) {
                Err(why) => Read::Refused(Refused {
                    why,
                    met: here.layers.met,
                }),
                Ok(header) => {
                    let place = self.own_place(&here.ip, &header);
                    if let Some(place) = &place {
                        self.table.fetch_index(place.hash);
                    }
                    Read::Header(header, place)
                }
            },
        };
        whole
    }

    #[inline(never)]
    pub(super) fn whole(&mut self, packet: &Packet<'_>, whole: &Whole<'_>, facts: &mut Facts) {
        let here = &whole.here;
        match &whole.read {
            Read::Header(header, place) => {
                self.with_header(packet, here, header, *place, Came::whole(here), facts);
            }
            Read::Fragment => self.fragment(packet, here, Came::whole(here), facts),
            Read::Refused(refused) => self.undecoded(refused.why, refused.met),
        }
    }

    /// The clock goes on to the time of a packet.
    #[inline]
    pub(super) fn pass_to(&mut self, packet: &Packet<'_>) {
        if self.now_ns == i64::MIN {
            self.table.begin(packet.at_ns);
        }
        self.now_ns = self.now_ns.max(packet.at_ns);
    }

    /// Takes the innermost packet that could be put together.
    fn innermost(
        &mut self,
        packet: &Packet<'_>,
        here: &Decapsulated<'_>,
        came: Came,
        facts: &mut Facts,
    ) {
        if here.ip.fragment.is_some() {
            return self.fragment(packet, here, came, facts);
        }
        match decap::transport(&here.ip) {
            Ok(header) => {
                let place = self.own_place(&here.ip, &header);
                self.with_header(packet, here, &header, place, came, facts);
            }
            Err(why) => self.undecoded(why, here.layers.met.without(came.counted)),
        }
    }

    pub(super) fn with_header(
        &mut self,
        packet: &Packet<'_>,
        here: &Decapsulated<'_>,
        header: &Header<'_>,
        place: Option<Place>,
        came: Came,
        facts: &mut Facts,
    ) {
        let before = facts.observations.len();
        let said = said_by(here, header, came);
        let told = Told::by_whole(here, &said, came);
        if let Some(place) = place {
            self.arrive(packet, &told, &place, FlowTable::NOWHERE, facts);
        }
        if let Some(outer) = &here.layers.outer
            && outer.tunnel.is_endpoint()
        {
            self.around(packet, here, outer, (header, &told), facts);
            // Two flows were at work; facts have one order.
            facts.observations[before..].sort_by_key(|observation| observation.key);
        }
    }

    /// Keeps a fragment, and goes on with the packet when it was the last one missing. What is inside it may be in fragments
    /// again; each time the packet is at least one encapsulation deeper, so this ends.
    pub(super) fn fragment(
        &mut self,
        packet: &Packet<'_>,
        here: &Decapsulated<'_>,
        came: Came,
        facts: &mut Facts,
    ) {
        let Some(fragment) = here.ip.fragment else {
            return;
        };
        if self.counts() {
            self.counters.add_met(here.layers.met.without(came.counted));
        }
        let parts = (came.packets, came.on_wire);
        let Some(whole) = self.fragments.add(&here.ip, fragment, packet.at_ns, parts) else {
            return;
        };
        let came = Came {
            packets: whole.packets,
            on_wire: whole.on_wire,
            counted: here.layers.met,
        };
        let ip = Ip {
            protocol: whole.protocol,
            fragment: None,
            payload: &whole.payload,
            payload_len: u32::try_from(whole.payload.len()).unwrap_or(u32::MAX),
            total_len: u32::try_from(whole.on_wire).unwrap_or(u32::MAX),
            ..here.ip
        };
        match decap::reassembled(here.layers, ip) {
            Ok(inside) => self.innermost(packet, &inside, came, facts),
            Err(why) => self.undecoded(why, Encapsulations::NONE),
        }
    }

    /// Counts a packet that belongs to no flow.
    fn undecoded(&mut self, why: Undecoded, met: Encapsulations) {
        if self.counts() {
            self.count_undecoded(why, met);
        }
    }

    pub(super) fn count_undecoded(&mut self, why: Undecoded, met: Encapsulations) {
        self.count_stopped(why);
        self.counters.add_met(met);
    }

    /// Whether this is the worker that counts what all of them see.
    fn counts(&self) -> bool {
        self.config.index == 0
    }

    #[inline]
    pub(super) fn owns(&self, key: &FlowKey, hash: u64) -> bool {
        if let Some(deals) = &self.deals {
            return self.config.count == 1 || self.dealt_to(deals, key) == self.config.index;
        }
        owner_of(hash, self.config.count) == u64::from(self.config.index)
    }

    #[inline]
    fn place_of(
        &self,
        source: (Address, u16),
        destination: (Address, u16),
        transport: Transport,
    ) -> Option<Place> {
        self.if_own(self.anybodys_place(source, destination, transport))
    }

    #[inline]
    fn if_own(&self, place: Place) -> Option<Place> {
        self.owns(&place.key, place.hash).then_some(place)
    }

    #[inline]
    pub(super) fn anybodys_place(
        &self,
        source: (Address, u16),
        destination: (Address, u16),
        transport: Transport,
    ) -> Place {
        let (key, from_low) = FlowKey::of(source, destination, transport);
        Place {
            key,
            hash: self.table.hash_of(source, destination, transport),
            from_low,
        }
    }

    /// The place of a packet's flow, if it is a flow of this worker.
    #[inline]
    fn own_place(&self, ip: &Ip<'_>, header: &Header<'_>) -> Option<Place> {
        self.if_own(self.inner_place(ip, header))
    }

    /// The place of a packet's flow, whosever it is.
    #[inline]
    pub(super) fn inner_place(&self, ip: &Ip<'_>, header: &Header<'_>) -> Place {
        let (source, destination, transport) = ends_of(ip.source, ip.destination, header);
        self.anybodys_place(source, destination, transport)
    }

    /// Gives a packet to its flow. Answers where that is.
    pub(super) fn arrive(
        &mut self,
        packet: &Packet<'_>,
        told: &Told<'_>,
        place: &Place,
        seen_at: u32,
        facts: &mut Facts,
    ) -> u32 {
        let plain = told.plain;
        self.counters.add_met(plain.met);
        if let Some(why) = told.stopped {
            self.count_stopped(why);
        }
        let at = self.flow_of(place, seen_at, told, packet, facts);
        let flow = self.table.get(at);
        let side = flow.side(place.from_low);
        let print = told.print;
        let since_ns = packet.at_ns.saturating_sub(flow.last_ns);
        if print != NO_PRINT && flow.prints[side] == print && since_ns <= DUPLICATE_NS {
            self.counters.duplicates += 1;
            return at;
        }
        flow.prints[side] = print;
        flow.packets[side] = flow.packets[side].saturating_add(told.packets);
        flow.bytes[side] += u64::from(plain.total_len);
        flow.last_ns = flow.last_ns.max(packet.at_ns);
        if told.stopped.is_some() {
            flow.mark(Traits::CARRIES);
        }
        if flow.phase == Phase::Decided && !plain.flags.has_any_of(CONTROL) {
            return at;
        }
        let transport = place.key.transport();
        match transport {
            Transport::Tcp => self.segment(at, side, told, packet, facts),
            // Most of the other protocols have no session, and their first octets say nothing.
            Transport::Icmp | Transport::Icmp6 | Transport::Other(_)
                if flow.phase == Phase::New && !protocol::is_known_over(transport) =>
            {
                flow.phase = Phase::Decided;
            }
            _ => self.datagram(at, side, told.payload(), packet, facts),
        }
        at
    }

    #[cold]
    fn count_stopped(&mut self, why: Undecoded) {
        *self.counters.undecoded.entry(why).or_default() += 1;
    }

    /// The flow of a packet; a new one where there is none, or where a SYN opens the same five-tuple again.
    #[inline]
    fn flow_of(
        &mut self,
        place: &Place,
        seen_at: u32,
        told: &Told<'_>,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) -> u32 {
        if let Some(at) = (self.table).find_at(seen_at, place.hash, &place.key) {
            if !told.plain.flags.has(Flags::SYN) || !self.is_reopened(at, place.from_low, told) {
                return at;
            }
            self.end_flow(at, EndCause::Idle, packet.seq, Some(packet), facts);
        }
        self.begin_flow(place, told, packet, facts)
    }

    /// Opens the flow of a packet.
    #[inline(never)]
    fn begin_flow(
        &mut self,
        place: &Place,
        told: &Told<'_>,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) -> u32 {
        let (originator_is_low, oriented) = if told.plain.flags.has(Flags::SYN) {
            let by_responder = told.plain.flags.has(Flags::ACK);
            (place.from_low != by_responder, Oriented::Syn)
        } else {
            (place.from_low, Oriented::Guessed)
        };
        let mut opener = Opener {
            seq: packet.seq,
            at_ns: packet.at_ns,
            originator_is_low,
            oriented,
            vlan: VlanTags::default(),
            vni: told.vni,
        };
        let tags = told.plain.vlan.ids();
        tags.iter().for_each(|&id| opener.vlan.push(id));
        self.open(place, opener, packet, facts)
    }

    /// Opens a flow; where the table is full the one that is worth least leaves.
    #[inline]
    fn open(
        &mut self,
        place: &Place,
        opener: Opener,
        packet: &Packet<'_>,
        facts: &mut Facts,
    ) -> u32 {
        if self.table.is_full()
            && let Some(at) = self.table.least_worth(self.now_ns)
        {
            self.counters.evictions += 1;
            self.end_flow(at, EndCause::Evicted, packet.seq, Some(packet), facts);
        }
        self.counters.flows_started[Counters::place(place.key.transport())] += 1;
        self.table.open(place.hash, place.key, opener)
    }

    /// Whether a SYN begins another connection over the five-tuple of a known flow.
    fn is_reopened(&mut self, at: u32, from_low: bool, told: &Told<'_>) -> bool {
        if told.plain.flags.has(Flags::ACK) {
            return false;
        }
        let flow = self.table.get(at);
        let side = flow.side(from_low);
        let same_syn = side == 0
            && flow.seen.has(TcpSeen::SYN)
            && flow.start_seq[0] == told.plain.seq.wrapping_add(1);
        // A SYN that comes late, or from the responder too (simultaneous open), opens nothing.
        let begun = flow.seen.has(TcpSeen::SYN) || flow.seen.closed();
        begun && !same_syn && (side == 0 || flow.seen.closed())
    }

    /// The flow of a tunnel that a single machine has built, around the packet's own: the detections want to know of that
    /// machine, which the inner addresses do not name. It is a flow like others, and counted as one; packets of the
    /// capture, encapsulations and duplicates are counted with the inner flow only.
    fn around(
        &mut self,
        packet: &Packet<'_>,
        here: &Decapsulated<'_>,
        outer: &Outer,
        (header, told): (&Header<'_>, &Told<'_>),
        facts: &mut Facts,
    ) {
        let Some((transport, name)) = endpoint_tunnel(outer.tunnel) else {
            return;
        };
        let Some(place) = self.place_of(outer.source, outer.destination, transport) else {
            return;
        };
        // Where the inside cannot be read the flow is the packet's own, which counts it.
        let is_own = here.stopped.is_some() && here.ip.source == outer.source.0;
        let known = self.table.find(place.hash, &place.key);
        let at = known.unwrap_or_else(|| {
            let mut opener = Opener {
                seq: packet.seq | FlowRef::AROUND,
                at_ns: packet.at_ns,
                originator_is_low: place.from_low,
                oriented: Oriented::Guessed,
                vlan: VlanTags::default(),
                vni: None,
            };
            if let Some(&id) = here.layers.vlan.ids().first() {
                opener.vlan.push(id);
            }
            self.open(&place, opener, packet, facts)
        });
        let ((_, from), (_, to), _) = ends_of(here.ip.source, here.ip.destination, header);
        let ports = u32::from(from) << 16 | u32::from(to);
        let print = print_of(told.plain, told.payload(), ports);
        let flow = self.table.get(at);
        flow.mark(Traits::CARRIES);
        let side = flow.side(place.from_low);
        let since_ns = packet.at_ns.saturating_sub(flow.last_ns);
        let twice = print != NO_PRINT && flow.prints[side] == print && since_ns <= DUPLICATE_NS;
        if !is_own && !twice {
            flow.prints[side] = print;
            flow.packets[side] = flow.packets[side].saturating_add(1);
            flow.bytes[side] += u64::from(outer.total_len);
            flow.last_ns = flow.last_ns.max(packet.at_ns);
        }
        if flow.has(Traits::MARKED) {
            return;
        }
        flow.mark(Traits::MARKED);
        if !is_own && flow.phase == Phase::New {
            flow.phase = Phase::Decided;
        }
        let identity = self.table.identity(at);
        let mut details = Vec::new();
        if !is_own {
            details.push(("inner_orig", here.ip.source.ip().to_string()));
            details.push(("inner_resp", here.ip.destination.ip().to_string()));
        }
        // The server of Teredo and L2TP has the port of the protocol.
        let client = match (identity.orig.port, identity.resp.port) {
            (3544 | 1701, port) if port != identity.orig.port => Side::Responder,
            _ => Side::Originator,
        };
        let frame = (packet.capture, packet.frame);
        let observations = &mut facts.observations;
        let mut emit = Emit::new(
            &identity,
            packet.at_ns,
            packet.seq,
            Some(frame),
            observations,
        );
        emit.fact(
            &Frames::one(packet.capture, packet.frame),
            Fact::Marks(Marks {
                protocol: name,
                client,
                details,
            }),
        );
    }
}

/// The worker that owns the flow of this hash, of so many.
#[inline]
pub(super) fn owner_of(hash: u64, count: u16) -> u64 {
    ((hash >> 32) * u64::from(count)) >> 32
}

/// What the tunnel of a single machine runs over, and its name.
pub(super) fn endpoint_tunnel(tunnel: Tunnel) -> Option<(Transport, &'static str)> {
    match tunnel {
        Tunnel::Teredo => Some((Transport::Udp, "teredo")),
        Tunnel::L2tp => Some((Transport::Udp, "l2tp")),
        Tunnel::Pptp => Some((Transport::of(Protocol::GRE.0), "pptp")),
        Tunnel::Network => None,
    }
}

/// What a segment of a decided flow may still tell of it.
const CONTROL: Flags = Flags(Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0);
