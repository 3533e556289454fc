//! The conversations of the watched flows, and what they hold together.

use std::num::NonZeroU8;

use terrier_wire::Side;

use super::{Facts, Wanted};
use crate::conversation::{Conversation, Left};
use crate::observation::FlowRef;
use crate::packet::Packet;
use crate::protocol::{DatagramSearch, Emit, Outcome};

/// The conversations of the watched flows, by place.
pub(super) struct Conversations {
    places: Vec<Option<Box<Conversation>>>,
    /// The flow of each place.
    owners: Vec<u32>,
    free: Vec<u32>,
    /// Where the next look for what is worth least begins.
    next: usize,
    /// Some that rested: the next ones begin in their memory. Most questions are answered before the next one comes.
    #[expect(
        clippy::vec_box,
        reason = "they come and go as they are in their places"
    )]
    rested: Vec<Box<Conversation>>,
    /// Octets that all of them hold.
    pub(super) buffered: usize,
    /// Octets of memory that all of them take.
    taken: usize,
    most_taken: usize,
    wanted: Wanted,
}

impl Conversations {
    /// Kept of those that rested: the latest are in the processor's caches, and more are not wanted at a time.
    const MOST_RESTED: usize = 32;

    /// None yet; all together may take `most_taken` octets of memory. `wanted` says what they make.
    pub(super) fn new(most_taken: usize, wanted: Wanted) -> Self {
        Self {
            places: Vec::new(),
            owners: Vec::new(),
            next: 0,
            free: Vec::new(),
            rested: Vec::new(),
            buffered: 0,
            taken: 0,
            most_taken,
            wanted,
        }
    }

    /// A conversation over datagrams, as [`Conversation::over_datagrams`] makes it.
    pub(super) fn over_datagrams(
        &mut self,
        flow: FlowRef,
        search: DatagramSearch,
        known: NonZeroU8,
    ) -> Box<Conversation> {
        match self.rested.pop() {
            Some(mut rested) => {
                rested.begin_again(flow, search, known);
                rested
            }
            None => Box::new(Conversation::over_datagrams(flow, search, known)),
        }
    }

    pub(super) fn insert(&mut self, conversation: Box<Conversation>, owner: u32) -> u32 {
        let conversation = Some(conversation);
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

    /// A conversation rests: what is left of it was asked for.
    pub(super) fn rest(&mut self, place: u32) {
        if let Some(conversation) = self.remove(place)
            && self.rested.len() < Self::MOST_RESTED
        {
            self.rested.push(conversation);
        }
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
        emit.with_fingerprints(self.wanted.fingerprints);
        emit.with_openings(&self.wanted.openings);
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
