//! Packets that were dealt out before anybody looked at them: what to do with those that belong to another worker.
//!
//! An interface with several rings deals packets out by [`Spread`], which knows the plain ones: both directions of their flow
//! come here, in their order. What lies in a tunnel or in fragments comes to anybody. It is not worked on where it came,
//! not even by its owner, as the other direction of its flow may come through somebody else, sooner or later; it is set
//! aside, and shown to whom it concerns, in the order of time and by [`Worker::packets`].
//!
//! Fragments concern every worker, as of a capture file: only the whole packet tells its flow.

use terrier_wire::decap::{Decapsulated, Transport as Header};

use super::arrive::endpoint_tunnel;
use super::batch::BATCH;
use super::taken::{Came, Kind, Read, Taken, Told, Whole, said_by};
use super::{Facts, Worker};
use crate::flow::{FlowKey, Phase, Spread};
use crate::packet::Packet;

/// What a call of [`Worker::dealt`] leaves to be done, reused from call to call.
#[derive(Debug, Default)]
pub struct Dealt {
    /// Packets to be shown to workers, in the order of the call's packets.
    pub aside: Vec<Aside>,
    /// Plain packets of flows that are decided: the spread of the flow and the octets on the wire. Told only where
    /// [`Worker::tell_decided`] asks for it.
    pub decided: Vec<(u32, u32)>,
}

/// A packet that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aside {
    /// Its place among the packets of the call.
    pub index: usize,
    /// Whom it concerns: the bit of each worker's index.
    pub to: u64,
}

/// How a worker looks at packets that were dealt out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deals {
    spread: Spread,
    tells_decided: bool,
}

impl Worker {
    /// From here on packets are dealt out by `spread`, which is the same for all workers, of whom there are 64 at most.
    #[must_use]
    pub fn dealt_by(mut self, spread: Spread) -> Self {
        self.deals = Some(Deals {
            spread,
            tells_decided: false,
        });
        self
    }

    /// Whether [`Dealt::decided`] is wanted.
    pub fn tell_decided(&mut self, wanted: bool) {
        if let Some(deals) = &mut self.deals {
            deals.tells_decided = wanted;
        }
    }

    /// Works on packets that were dealt to this worker, in the order of their `seq`, and sets aside what it must not work on
    /// yet. A single worker sets nothing aside.
    pub fn dealt(&mut self, packets: &[Packet<'_>], facts: &mut Facts, dealt: &mut Dealt) {
        facts.make_room();
        let mut taken = [Taken::NOTHING; BATCH];
        let mut wholes = Vec::new();
        for (first, batch) in (0..).step_by(BATCH).zip(packets.chunks(BATCH)) {
            for (packet, taken) in batch.iter().zip(&mut taken) {
                self.take_apart(packet, taken);
            }
            let seen_at = self.ahead(batch, &taken, &mut wholes);
            let mut wholes = wholes.iter();
            for (index, packet) in (first..).zip(batch) {
                let at = index - first;
                self.pass_to(packet);
                let looked_up = (&taken[at], seen_at[at]);
                if let Some(to) = self.deal(packet, looked_up, &mut wholes, facts, dealt) {
                    dealt.aside.push(Aside { index, to });
                }
            }
        }
        self.has_seen(packets, facts);
    }

    /// Works on a packet, or answers whom it concerns.
    #[inline]
    fn deal<'w>(
        &mut self,
        packet: &Packet<'_>,
        (taken, seen_at): (&Taken, u32),
        wholes: &mut impl Iterator<Item = &'w Whole<'w>>,
        facts: &mut Facts,
        dealt: &mut Dealt,
    ) -> Option<u64> {
        let Whole { here, read } = match taken.kind {
            Kind::Plain => {
                let told = taken.told(packet.octets);
                let at = self.arrive(packet, &told, &taken.place, seen_at, facts);
                self.tell(at, packet, dealt);
                return None;
            }
            Kind::Foreign => return Some(self.concerns_by(&taken.place.key)),
            Kind::Whole => wholes.next()?,
        };
        let alone = self.config.count == 1;
        match read {
            Read::Refused(refused) => {
                self.count_undecoded(refused.why, refused.met);
                None
            }
            Read::Fragment if alone => {
                self.fragment(packet, here, Came::whole(here), facts);
                None
            }
            Read::Fragment => Some(u64::MAX >> (64 - self.config.count.clamp(1, 64))),
            Read::Header(header, Some(place)) if here.layers.outer.is_none() => {
                let said = said_by(here, header, Came::whole(here));
                let told = Told::by_whole(here, &said, Came::whole(here));
                let at = self.arrive(packet, &told, place, seen_at, facts);
                self.tell(at, packet, dealt);
                None
            }
            Read::Header(header, place) if alone => {
                self.with_header(packet, here, header, *place, Came::whole(here), facts);
                None
            }
            Read::Header(header, _) => Some(self.concerns(here, header)),
        }
    }

    #[inline]
    fn tell(&mut self, at: u32, packet: &Packet<'_>, dealt: &mut Dealt) {
        if let Some(deals) = self.deals
            && deals.tells_decided
        {
            let flow = self.table.get(at);
            if flow.phase == Phase::Decided {
                let spread = deals.spread.of_flow(&flow.key);
                dealt.decided.push((spread, packet.wire_len));
            }
        }
    }

    /// The bits of the workers that own a flow of the packet.
    fn concerns(&self, here: &Decapsulated<'_>, header: &Header<'_>) -> u64 {
        let mut to = self.concerns_by(&self.inner_place(&here.ip, header).key);
        if let Some(outer) = &here.layers.outer
            && let Some((transport, _)) = endpoint_tunnel(outer.tunnel)
        {
            let around = self.anybodys_place(outer.source, outer.destination, transport);
            to |= self.concerns_by(&around.key);
        }
        to
    }

    /// The bit of the worker that owns a flow.
    fn concerns_by(&self, key: &FlowKey) -> u64 {
        (self.deals.as_ref()).map_or(0, |deals| 1 << (self.dealt_to(deals, key) & 63))
    }

    /// The worker whose flow this is.
    #[inline]
    pub(super) fn dealt_to(&self, deals: &Deals, key: &FlowKey) -> u16 {
        (deals.spread.of_flow(key) % u32::from(self.config.count.max(1))) as u16
    }
}
