//! Packets in batches: each one's memory is fetched while the others are looked at.

use super::taken::{Kind, Read, Taken, Whole};
use super::{Facts, Worker};
use crate::flow::FlowTable;
use crate::packet::Packet;
use crate::prefetch;

impl Worker {
    /// Works on packets, in the order of their `seq`.
    pub fn packets(&mut self, packets: &[Packet<'_>], facts: &mut Facts) {
        let mut taken = [Taken::NOTHING; BATCH];
        let mut wholes = Vec::new();
        facts.make_room();
        for packets in packets.chunks(BATCH) {
            for packet in packets {
                prefetch::fetch(packet.octets);
            }
            for (packet, taken) in packets.iter().zip(&mut taken) {
                self.take_apart(packet, taken);
            }
            self.batch(packets, &taken, &mut wholes, facts);
        }
        self.has_seen(packets, facts);
    }

    /// The same with packets that the [`Dealer`](super::Dealer) has taken apart for this worker.
    pub fn taken_apart(&mut self, packets: &[Packet<'_>], taken: &[Taken], facts: &mut Facts) {
        let mut wholes = Vec::new();
        facts.make_room();
        for (packets, taken) in packets.chunks(BATCH).zip(taken.chunks(BATCH)) {
            for (packet, taken) in packets.iter().zip(taken) {
                // Of what opens a conversation the octets are wanted, and of bulk they are not.
                if (1..=SHORT).contains(&taken.plain.captured_len) {
                    prefetch::fetch(taken.plain.payload(packet.octets));
                }
            }
            self.batch(packets, taken, &mut wholes, facts);
        }
        self.has_seen(packets, facts);
    }

    pub(super) fn has_seen(&self, packets: &[Packet<'_>], facts: &mut Facts) {
        if let Some(last) = packets.last() {
            facts.through = last.seq;
        }
        facts.worker = self.config.index;
    }

    #[inline]
    fn batch<'a>(
        &mut self,
        packets: &[Packet<'a>],
        taken: &[Taken],
        wholes: &mut Vec<Whole<'a>>,
        facts: &mut Facts,
    ) {
        let seen_at = self.ahead(packets, taken, wholes);
        let mut wholes = wholes.iter();
        for ((packet, taken), seen_at) in packets.iter().zip(taken).zip(seen_at) {
            self.pass_to(packet);
            match taken.kind {
                Kind::Plain => {
                    let told = taken.told(packet.octets);
                    self.arrive(packet, &told, &taken.place, seen_at, facts);
                }
                Kind::Foreign => {}
                Kind::Whole => {
                    if let Some(whole) = wholes.next() {
                        self.whole(packet, whole, facts);
                    }
                }
            }
        }
    }

    /// Has the flows of a batch fetched; those packets of it that are not plain are taken apart. Answers where the flows lie.
    #[inline]
    pub(super) fn ahead<'a>(
        &self,
        packets: &[Packet<'a>],
        taken: &[Taken],
        wholes: &mut Vec<Whole<'a>>,
    ) -> [u32; BATCH] {
        wholes.clear();
        for (packet, taken) in packets.iter().zip(taken) {
            self.look_up(packet, taken, wholes);
        }
        let mut seen_at = [FlowTable::NOWHERE; BATCH];
        let mut wholes = wholes.iter();
        for ((seen_at, taken), _) in seen_at.iter_mut().zip(taken).zip(packets) {
            *seen_at = self.look_ahead(taken, &mut wholes);
        }
        seen_at
    }

    /// The first step: takes a packet apart.
    #[inline]
    pub(super) fn take_apart(&self, packet: &Packet<'_>, taken: &mut Taken) {
        taken.take(packet.link, packet.octets, self.table.hasher());
        if taken.kind == Kind::Plain {
            if self.owns(&taken.place.key, taken.place.hash) {
                taken.take_print(packet.octets);
            } else {
                taken.kind = Kind::Foreign;
            }
        }
    }

    /// The second step: has what the table knows of its flow fetched. What is no plain packet is taken apart and added to
    /// `wholes`.
    #[inline]
    pub(super) fn look_up<'a>(
        &self,
        packet: &Packet<'a>,
        taken: &Taken,
        wholes: &mut Vec<Whole<'a>>,
    ) {
        match taken.kind {
            Kind::Plain => self.table.fetch_index(taken.place.hash),
            Kind::Foreign => {}
            Kind::Whole => wholes.push(self.take_all_apart(packet)),
        }
    }

    /// The third step: has the flow itself fetched. Answers where it lies; `wholes` are those that come next.
    #[inline]
    pub(super) fn look_ahead<'w>(
        &self,
        taken: &Taken,
        wholes: &mut impl Iterator<Item = &'w Whole<'w>>,
    ) -> u32 {
        let hash = match taken.kind {
            Kind::Plain => taken.place.hash,
            Kind::Foreign => return FlowTable::NOWHERE,
            Kind::Whole => match wholes.next().map(|whole| &whole.read) {
                Some(Read::Header(_, Some(place))) => place.hash,
                _ => return FlowTable::NOWHERE,
            },
        };
        self.table.fetch_flow(hash)
    }
}

/// Packets that are taken apart, then looked up, then worked on together: each one's memory is fetched while the others are
/// looked at. About as many as a processor can wait for at a time.
pub(super) const BATCH: usize = 32;

/// Payloads of so many octets at most are fetched before it is known whether their flow wants them.
const SHORT: u32 = 600;
