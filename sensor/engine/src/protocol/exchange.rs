//! The datagrams of a flow: which protocol they speak, and its session.

use std::num::NonZeroU8;

use terrier_wire::Side;

use super::search::{self, DatagramSearch, Found};
use super::{
    Emit, Fitting, MAX_CARRIERS, Opening, Outcome, Patience, Progress, Protocol, Session, place,
};

/// What datagrams say, as far as it was understood.
pub(crate) struct Exchange {
    running: Option<(&'static Protocol, Box<dyn Session>)>,
    search: DatagramSearch,
    /// Of which protocol the next datagram is, where somebody has looked.
    known: Option<NonZeroU8>,
    /// Protocols that left the flow to another one.
    carriers: u8,
}

impl Exchange {
    /// A flow of which nothing is kept, and the search has come so far; `known` is the place of the protocol that it has
    /// found the next datagram to be of.
    pub(crate) fn after(search: DatagramSearch, known: Option<NonZeroU8>) -> Self {
        Self {
            running: None,
            search,
            known,
            carriers: 0,
        }
    }

    /// The same for another flow than before: where that is of the protocol whose session rested here, the session begins
    /// again.
    pub(crate) fn begin_again(&mut self, search: DatagramSearch, known: NonZeroU8) {
        let renewed = self.running.as_mut().is_some_and(|(before, session)| {
            super::at(known).is_some_and(|protocol| std::ptr::eq(*before, protocol))
                && session.renew()
        });
        if !renewed {
            self.running = None;
        }
        (self.search, self.known, self.carriers) = (search, Some(known), 0);
    }

    /// A flow whose session rested: it begins again with what it left behind.
    pub(crate) fn resumed(place: NonZeroU8, kept: u32) -> Self {
        let running = super::at(place).map(|protocol| {
            let mut session = (protocol.start)();
            session.resume(kept);
            (protocol, session)
        });
        Self {
            running,
            ..Self::after(DatagramSearch::NEW, None)
        }
    }

    /// What its session leaves behind where it waits for nothing, if there is nothing else to keep.
    pub(crate) fn rest(&self) -> Option<u32> {
        let (_, session) = self.running.as_ref().filter(|_| self.carriers == 0)?;
        session.rest()
    }

    /// Takes a datagram.
    pub(crate) fn datagram(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Outcome {
        let looked = self.known.take();
        if let (Some((_, session)), Some(place)) = (&self.running, looked) {
            // It begins again.
            if session.is_sure() {
                emit.begun(place);
            }
        } else if self.running.is_none() {
            let opening = Opening {
                ports: emit.flow().ports(),
                octets,
            };
            let fitting = Fitting::of(emit.flow().transport);
            let known = looked.and_then(|place| Some((place, super::at(place)?)));
            let known = known.or_else(|| {
                let (at, protocol) = search::known(fitting, &opening)?;
                Some((place(at), protocol))
            });
            let Some((place, protocol)) = known else {
                let transport = emit.flow().transport;
                let tell = || search::say_unknown(from, octets, emit);
                return match self.search.pass(from, transport, tell) {
                    Found::GivenUp => Outcome::Decided,
                    Found::Something | Found::Begins(_) | Found::Nothing => Outcome::Wanted,
                };
            };
            let session = (protocol.start)();
            if session.is_sure() {
                emit.begun(place);
            }
            self.running = Some((protocol, session));
        }
        let Some((protocol, session)) = &mut self.running else {
            return Outcome::Decided;
        };
        match session.feed(from, octets, emit) {
            Progress::More(_) => Outcome::Wanted,
            Progress::Finished => Outcome::Decided,
            Progress::Carries(used) => {
                self.running = None;
                self.carriers += 1;
                if self.carriers > MAX_CARRIERS {
                    Outcome::Decided
                } else if used == 0 {
                    // It was not of that protocol: it is the first one of another. No deeper than `MAX_CARRIERS`.
                    self.datagram(from, octets, emit)
                } else {
                    Outcome::Wanted
                }
            }
            Progress::Violated(why) => {
                emit.tally().violations.push((protocol.name, why));
                Outcome::Decided
            }
        }
    }

    /// The flow ended: the session says what is pending.
    pub(crate) fn end(&mut self, emit: &mut Emit<'_>) {
        if let Some((_, session)) = &mut self.running {
            session.end(emit);
        }
    }

    /// Octets that the session keeps.
    pub(crate) fn held(&self) -> usize {
        self.running
            .as_ref()
            .map_or(0, |(_, session)| session.held())
    }

    /// About so many octets of memory are taken by it, beyond its own room.
    pub(crate) fn memory(&self) -> usize {
        self.running
            .as_ref()
            .map_or(0, |(_, session)| session.held() + size_of_val(&**session))
    }

    /// How long its flow may be silent.
    pub(crate) fn patience(&self) -> Patience {
        self.running
            .as_ref()
            .map_or(Patience::Usual, |(protocol, _)| protocol.patience)
    }
}
