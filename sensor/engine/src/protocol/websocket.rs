//! WebSocket: the stream that the messages of both sides are, and whatever protocol it speaks.
//!
//! It begins behind an upgrade that [`super::http`] or a stream of [`super::http2`] has seen. In a capture that begins
//! later, only the greetings of RFB and SSH in an unmasked frame are found.

use terrier_wire::Step;
use terrier_wire::websocket::{self, Agreement, Coding, Event, Opcode};

use super::{
    Begins, Emit, Octets, Opening, Outcome, Patience, Probe, Progress, Protocol, Session, Shape,
    Talk,
};
use crate::observation::{Side, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "websocket",
    transport: Transport::Tcp,
    sees: "both heads, subprotocol, extensions; the protocol inside its messages, also masked, in base64 or compressed",
    probe,
    start: || Box::new(Late { inside: None }),
    begins: Begins::AtTheStart,
    shapes: SHAPES,
    patience: Patience::Usual,
};

/// A frame without a mask; a short one begins with a greeting, those with a longer length are left to the probe.
const SHAPES: &[Shape] = &[
    Shape::at(&[(1, Octets::between(6, 125)), (2, Octets::among(b"RSU"))]),
    Shape::at(&[(1, Octets::among(&[126, 127]))]),
];

/// The first frame of a server whose upgrade lies before the capture: a whole greeting in it leaves no doubt.
fn probe(opening: &Opening<'_>) -> Probe {
    let octets = opening.octets;
    match websocket::frame_head(octets) {
        Step::Done(head, used) => {
            if head.mask.is_some()
                || !head.is_final
                || head.is_compressed
                || !(RFB.len() as u64..=255).contains(&head.length)
            {
                return Probe::No;
            }
            let rest = &octets[used..];
            match head.opcode {
                Opcode::BINARY => begins(rest, &[RFB, SSH]),
                Opcode::TEXT if head.length == 16 => begins(rest, &[BASE64]),
                _ => Probe::No,
            }
        }
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

fn begins(octets: &[u8], greetings: &[&[u8]]) -> Probe {
    if greetings.iter().any(|known| octets.starts_with(known)) {
        Probe::Yes
    } else if greetings.iter().any(|known| known.starts_with(octets)) {
        Probe::Maybe
    } else {
        Probe::No
    }
}

const RFB: &[u8] = b"RFB 00";
const SSH: &[u8] = b"SSH-2.0-";
/// `RFB ` in base64, with the next digit's first bits.
const BASE64: &[u8] = b"UkZCI";

/// The stream inside one WebSocket.
pub(super) struct Inside {
    frames: websocket::Session,
    talk: Talk,
    /// Octets of each side that are no whole head, where the carrier keeps none.
    heads: [Vec<u8>; 2],
}

impl Inside {
    /// Behind an upgrade that `client` asked for.
    pub(super) fn begin(client: Side, agreement: Agreement, emit: &mut Emit<'_>) -> Self {
        emit.begun(super::place_of(PROTOCOL.name));
        Self::new(client, agreement)
    }

    fn new(client: Side, agreement: Agreement) -> Self {
        Self {
            frames: websocket::Session::new(client, agreement),
            talk: Talk::new(),
            heads: Default::default(),
        }
    }

    /// As [`Session::feed`], for a carrier that keeps nothing: the head of a frame that is not whole is kept here.
    pub(super) fn stream(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let mut head = std::mem::take(&mut self.heads[from.index()]);
        let whole = if head.is_empty() {
            octets
        } else {
            head.extend_from_slice(octets);
            &head
        };
        let progress = self.feed(from, whole, emit);
        if let Progress::More(used) = progress {
            // Less than the longest head of a frame.
            self.heads[from.index()] = whole[used.min(whole.len())..].to_vec();
        }
        progress
    }
}

impl Session for Inside {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let talk = &mut self.talk;
        let mut outcome = Outcome::Wanted;
        let result = self.frames.feed(from, octets, |event| {
            if let (Event::Octets(octets), Outcome::Wanted) = (event, outcome) {
                outcome = emit.within(CARRIER, |emit| talk.octets(from, octets, emit));
            }
        });
        match result {
            _ if outcome == Outcome::Decided => Progress::Finished,
            Ok(used) if !self.frames.is_finished() => Progress::More(used),
            Ok(_) => {
                self.end(emit);
                Progress::Finished
            }
            Err(violation) => {
                self.end(emit);
                Progress::Violated(violation.0)
            }
        }
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        match self.frames.gap(from, length) {
            Some(0) => Progress::More(0),
            Some(lost) => {
                let talk = &mut self.talk;
                match emit.within(CARRIER, |emit| talk.gap(from, lost, emit)) {
                    Outcome::Wanted => Progress::More(0),
                    Outcome::Decided => Progress::Finished,
                }
            }
            None => {
                self.end(emit);
                Progress::Finished
            }
        }
    }

    fn held(&self) -> usize {
        let heads = self.heads.iter().map(Vec::len).sum::<usize>();
        self.frames.held() + self.talk.held() + heads
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        emit.within(CARRIER, |emit| self.talk.end(emit));
    }
}

/// A WebSocket whose upgrade was not seen: the first frame tells who is the server, and what it agreed on.
struct Late {
    inside: Option<Inside>,
}

impl Session for Late {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let inside = match &mut self.inside {
            Some(inside) => inside,
            None => match websocket::frame_head(octets) {
                // The client's frames wait until the server's is there.
                Step::Done(head, _) if head.mask.is_none() => {
                    let agreement = Agreement {
                        coding: match head.opcode {
                            Opcode::TEXT => Coding::Base64,
                            _ => Coding::Plain,
                        },
                        deflate: None,
                    };
                    self.inside.insert(Inside::new(from.other(), agreement))
                }
                _ => return Progress::More(0),
            },
        };
        inside.feed(from, octets, emit)
    }

    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress {
        match &mut self.inside {
            Some(inside) => inside.gap(from, length, emit),
            None => Progress::Finished,
        }
    }

    fn held(&self) -> usize {
        self.inside.as_ref().map_or(0, |inside| inside.held())
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        if let Some(inside) = &mut self.inside {
            inside.end(emit);
        }
    }
}

/// As `rfb.carrier` says it.
const CARRIER: &str = "websocket";

#[cfg(test)]
mod tests;
