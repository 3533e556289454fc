//! The conversations of the watched flows, and what they hold together.

use terrier_wire::Side;

use super::Facts;
use crate::conversation::{Conversation, Left};
use crate::packet::Packet;
use crate::protocol::{Emit, Outcome};

/// The conversations of the watched flows, by place.
#[derive(Default)]
pub(super) struct Conversations {
    places: Vec<Option<Box<Conversation>>>,
    /// The flow of each place.
    owners: Vec<u32>,
    free: Vec<u32>,
    /// Where the next look for what is worth least begins.
    next: usize,
    /// Octets that all of them hold.
    pub(super) buffered: usize,
    /// Octets of memory that all of them take.
    taken: usize,
    most_taken: usize,
    fingerprints: bool,
}

impl Conversations {
    /// None yet; all together may take `most_taken` octets of memory. `fingerprints`: whether they are made.
    pub(super) fn new(most_taken: usize, fingerprints: bool) -> Self {
        Self {
            most_taken,
            fingerprints,
            ..Self::default()
        }
    }

    pub(super) fn insert(&mut self, conversation: Conversation, owner: u32) -> u32 {
        let conversation = Some(Box::new(conversation));
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = conversation;
                self.owners[place as usize] = owner;
                place
            }
            None => {
                self.places.push(conversation);
                self.owners.push(owner);
                (self.places.len() - 1) as u32
            }
        }
    }

    fn get(&mut self, place: u32) -> Option<&mut Conversation> {
        self.places.get_mut(place as usize)?.as_deref_mut()
    }

    /// What is left of a conversation, if nothing else of it needs to be kept.
    pub(super) fn aside(&self, place: u32) -> Option<Left> {
        self.places.get(place as usize)?.as_deref()?.aside()
    }

    pub(super) fn remove(&mut self, place: u32) -> Option<Box<Conversation>> {
        let conversation = self.places.get_mut(place as usize)?.take()?;
        self.buffered = self.buffered.saturating_sub(conversation.accounted);
        self.taken = self.taken.saturating_sub(conversation.taken);
        self.free.push(place);
        Some(conversation)
    }

    /// Runs a conversation with one packet, and keeps account of what it holds.
    pub(super) fn with(
        &mut self,
        place: u32,
        packet: &Packet<'_>,
        facts: &mut Facts,
        run: impl FnOnce(&mut Conversation, &mut Emit<'_>) -> Outcome,
    ) -> Outcome {
        let Some(conversation) = self
            .places
            .get_mut(place as usize)
            .and_then(Option::as_deref_mut)
        else {
            return Outcome::Decided;
        };
        let before = conversation.accounted;
        let flow = conversation.flow;
        let frame = Some((packet.capture, packet.frame));
        let mut emit = Emit::new(
            &flow,
            packet.at_ns,
            packet.seq,
            frame,
            &mut facts.observations,
        );
        emit.with_fingerprints(self.fingerprints);
        let outcome = run(conversation, &mut emit);
        let after = conversation.buffered();
        conversation.accounted = after;
        self.buffered = self.buffered.saturating_sub(before) + after;
        let taken = conversation.memory();
        self.taken = self.taken.saturating_sub(conversation.taken) + taken;
        conversation.taken = taken;
        outcome
    }

    /// Whether they take more than they may.
    pub(super) fn is_crowded(&self) -> bool {
        self.taken > self.most_taken
    }

    /// The flows of some conversations, with whether one side only has spoken in each; none is that of `but`. Other ones at
    /// the next call, all in turn: so a storm of many is met, and to find them costs the same with any number.
    pub(super) fn some(&mut self, but: u32) -> impl Iterator<Item = (u32, bool)> {
        let (len, first) = (self.places.len(), self.next);
        let mut looked = 0;
        let mut found = [None; SOME];
        let mut count = 0;
        while looked < len && count < SOME {
            let place = (first + looked) % len;
            looked += 1;
            if let Some(conversation) = &self.places[place]
                && self.owners[place] != but
            {
                found[count] = Some((self.owners[place], conversation.is_half_told()));
                count += 1;
            }
        }
        self.next = (first + looked) % len.max(1);
        found.into_iter().flatten()
    }

    pub(super) fn finish(&mut self, place: u32, side: Side, fin_seq: u32) -> bool {
        self.get(place)
            .is_none_or(|conversation| conversation.finish(side, fin_seq))
    }

    pub(super) fn acknowledged(&mut self, place: u32, by: Side, ack: u32) {
        if let Some(conversation) = self.get(place) {
            conversation.acknowledged(by, ack);
        }
    }
}

/// As many are looked at for one that is given up: in a storm one of them is part of it.
const SOME: usize = 16;
