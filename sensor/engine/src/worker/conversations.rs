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
    free: Vec<u32>,
    /// Some that rested: the next ones begin in their memory. Most questions are answered before the next one comes.
    #[expect(
        clippy::vec_box,
        reason = "they come and go as they are in their places"
    )]
    rested: Vec<Box<Conversation>>,
    /// Octets that all of them hold.
    pub(super) buffered: usize,
    most_buffered: usize,
    wanted: Wanted,
}

impl Conversations {
    /// Kept of those that rested: the latest are in the processor's caches, and more are not wanted at a time.
    const MOST_RESTED: usize = 32;

    /// None yet; all together may hold `most_buffered` octets. `wanted` says what they make.
    pub(super) fn new(most_buffered: usize, wanted: Wanted) -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
            rested: Vec::new(),
            buffered: 0,
            most_buffered,
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

    pub(super) fn insert(&mut self, conversation: Box<Conversation>) -> u32 {
        let conversation = Some(conversation);
        match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = conversation;
                place
            }
            None => {
                self.places.push(conversation);
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
        let most = self.most_buffered;
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
        // Under a storm of half-told handshakes the newest are worth least.
        if self.buffered > most && after > before {
            Outcome::Decided
        } else {
            outcome
        }
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
