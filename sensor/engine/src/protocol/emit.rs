//! Where sessions put what they find.

use std::num::NonZeroU8;

use super::MAX_CARRIERS;
use crate::observation::{Fact, FlowRef, Frames, Key, Observation, Openings};

/// Where a session puts what it found, and what it may know of the present packet.
pub(crate) struct Emit<'a> {
    flow: &'a FlowRef,
    at_ns: i64,
    seq: u64,
    capture: u16,
    frame: Option<u64>,
    count: u32,
    carrier: &'static str,
    /// How many protocols carry each other here.
    depth: u8,
    tally: Tally,
    fingerprints: bool,
    openings: &'a Openings,
    out: &'a mut Vec<Observation>,
}

/// Places in the registry of the protocols whose sessions were begun, in their order. One packet begins one session as a rule, which needs no memory.
#[derive(Default)]
pub(crate) struct Begun {
    first: Option<NonZeroU8>,
    others: Vec<NonZeroU8>,
}

impl Begun {
    pub(crate) fn push(&mut self, place: NonZeroU8) {
        match self.first {
            None => self.first = Some(place),
            Some(_) => self.others.push(place),
        }
    }

    pub(crate) fn last(&self) -> Option<NonZeroU8> {
        self.others.last().copied().or(self.first)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = NonZeroU8> {
        self.first.into_iter().chain(self.others.iter().copied())
    }
}

/// What is counted while octets are read.
#[derive(Default)]
pub(crate) struct Tally {
    /// Sessions begun.
    pub(crate) sessions: Begun,
    /// Sessions that met octets which their protocol does not allow, and the reason.
    pub(crate) violations: Vec<(&'static str, &'static str)>,
    /// Gaps that somebody who waited was told of.
    pub(crate) gaps: u64,
    /// Overlapping segments with different octets.
    pub(crate) conflicts: u64,
}

impl<'a> Emit<'a> {
    /// For one packet or tick of a flow. `frame` is its capture and number; a tick has none.
    pub(crate) fn new(
        flow: &'a FlowRef,
        at_ns: i64,
        seq: u64,
        frame: Option<(u16, u64)>,
        out: &'a mut Vec<Observation>,
    ) -> Self {
        let count = out
            .iter()
            .rev()
            .take_while(|o| o.key.seq == seq && o.key.opened == flow.opened)
            .count();
        Self {
            flow,
            at_ns,
            seq,
            capture: frame.map_or(0, |(capture, _)| capture),
            frame: frame.map(|(_, frame)| frame),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            carrier: TCP,
            depth: 0,
            tally: Tally::default(),
            fingerprints: true,
            openings: &Openings::ALL,
            out,
        }
    }

    /// The flow.
    pub(crate) fn flow(&self) -> &FlowRef {
        self.flow
    }

    /// Time of the packet or tick, in nanoseconds since 1970.
    pub(crate) fn at_ns(&self) -> i64 {
        self.at_ns
    }

    /// What carries the octets that are read: `tcp`, or the name of the protocol in whose framing they lie.
    pub(crate) fn carrier(&self) -> &'static str {
        self.carrier
    }

    /// Hands octets to a session that is carried by another one.
    pub(crate) fn within<R>(
        &mut self,
        carrier: &'static str,
        feed: impl FnOnce(&mut Self) -> R,
    ) -> R {
        let outer = std::mem::replace(&mut self.carrier, carrier);
        self.depth += 1;
        let result = feed(self);
        self.depth -= 1;
        self.carrier = outer;
        result
    }

    /// Whether protocols carry each other so deep here that what comes next is not looked into: each level takes a part of
    /// the stack.
    pub(crate) fn is_deep(&self) -> bool {
        self.depth >= MAX_CARRIERS
    }

    /// Whether fingerprints of hellos are made.
    pub(crate) fn with_fingerprints(&mut self, made: bool) {
        self.fingerprints = made;
    }

    /// Whether somebody writes fingerprints of hellos.
    pub(crate) fn fingerprints(&self) -> bool {
        self.fingerprints
    }

    /// Which openings that no protocol knows are told.
    pub(crate) fn with_openings(&mut self, openings: &'a Openings) {
        self.openings = openings;
    }

    /// Whether somebody may know these octets, which no protocol knows. Those that another protocol carries are told in
    /// any case.
    #[inline]
    pub(crate) fn asks_for_opening(&self, octets: &[u8]) -> bool {
        self.openings.have(octets) || self.depth > 0 && !octets.is_empty()
    }

    /// What was counted so far.
    pub(crate) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Counts a session of the protocol at this place of the registry.
    pub(crate) fn begun(&mut self, place: NonZeroU8) {
        self.tally.sessions.push(place);
    }

    /// Notes the present packet in a session's evidence. A tick has no frame and adds none.
    pub(crate) fn note(&self, frames: &mut Frames) {
        if let Some(frame) = self.frame {
            frames.add(self.capture, frame);
        }
    }

    /// Hands out a fact that these frames showed.
    pub(crate) fn fact(&mut self, frames: &Frames, fact: Fact) {
        self.fact_of(frames.clone(), fact);
    }

    /// The same of frames that nobody needs any more.
    pub(crate) fn fact_of(&mut self, frames: Frames, fact: Fact) {
        self.out.push(Observation {
            key: Key {
                seq: self.seq,
                opened: self.flow.opened,
                n: self.count,
            },
            at_ns: self.at_ns,
            flow: *self.flow,
            frames,
            fact,
        });
        self.count += 1;
    }
}

/// Sessions that nothing else carries.
const TCP: &str = "tcp";
