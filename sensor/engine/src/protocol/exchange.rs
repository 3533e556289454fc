//! The datagrams of a flow: which protocol they speak, and its session.

use terrier_wire::Side;

use super::{
    Emit, Fitting, MAX_CARRIERS, Opening, Outcome, Patience, Probe, Progress, Protocol, Session,
    place,
};
use crate::observation::{Fact, FirstOctets, Frames, Transport};

/// What datagrams say, as far as it was understood.
pub(crate) struct Exchange {
    running: Option<(&'static Protocol, Box<dyn Session>)>,
    fitting: Fitting,
    /// Datagrams that nobody knew.
    unknown: u8,
    first: FirstOctets,
    frames: Frames,
    /// Protocols that left the flow to another one.
    carriers: u8,
}

impl Exchange {
    /// A flow of which nothing was seen yet.
    pub(crate) fn over(transport: Transport) -> Self {
        Self {
            running: None,
            fitting: Fitting::over(transport),
            unknown: 0,
            first: FirstOctets::default(),
            frames: Frames::default(),
            carriers: 0,
        }
    }

    /// Takes a datagram.
    pub(crate) fn datagram(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Outcome {
        if self.running.is_none() {
            let opening = Opening {
                flow: emit.flow(),
                octets,
            };
            let known = self
                .fitting
                .each()
                .find(|(_, protocol)| (protocol.probe)(&opening) == Probe::Yes);
            let Some((at, protocol)) = known else {
                return self.keep_unknown(from, octets, emit);
            };
            let session = (protocol.start)();
            if session.is_sure() {
                emit.begun(place(at));
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
        match &mut self.running {
            Some((_, session)) => session.end(emit),
            None => self.say_unknown(emit),
        }
    }

    /// Octets that the session keeps.
    pub(crate) fn held(&self) -> usize {
        self.running
            .as_ref()
            .map_or(0, |(_, session)| session.held())
    }

    /// How long its flow may be silent.
    pub(crate) fn patience(&self) -> Patience {
        self.running
            .as_ref()
            .map_or(Patience::Usual, |(protocol, _)| protocol.patience)
    }

    fn keep_unknown(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Outcome {
        let first = &mut self.first.octets[from.index()];
        // Signatures know the octets of TCP and UDP; what begins an ICMP message is no mark of a tool.
        if first.is_empty() && emit.flow().transport == Transport::Udp {
            first.extend_from_slice(&octets[..octets.len().min(FirstOctets::MAX)]);
            emit.note(&mut self.frames);
        }
        self.unknown += 1;
        if self.unknown < MAX_UNKNOWN {
            return Outcome::Wanted;
        }
        self.say_unknown(emit);
        Outcome::Decided
    }

    fn say_unknown(&mut self, emit: &mut Emit<'_>) {
        if self.carriers == 0 && self.first.octets.iter().any(|octets| !octets.is_empty()) {
            emit.fact(&self.frames, Fact::Unknown(std::mem::take(&mut self.first)));
        }
    }
}

/// Datagrams that are looked at before a flow is given up: protocols open with their first one, and a pick-up in mid-flow
/// shows the like within a few.
const MAX_UNKNOWN: u8 = 4;
