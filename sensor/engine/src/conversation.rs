//! What a flow needs while a session wants its octets: two streams in order and what they say, or its datagrams.
//!
//! It exists from the payload in which a protocol begins, or may, until the session is finished or violated, or rests, or
//! nothing was found: as long as a flow is only searched, or its session waits for nothing, what must be remembered of it
//! has room in its entry of the table ([`Left`]).

use std::num::NonZeroU8;

use terrier_wire::Side;

use crate::observation::FlowRef;
use crate::protocol::{DatagramSearch, Emit, Exchange, Outcome, Patience, StreamSearch, Talk};
use crate::reassembly::{Accepted, Piece, Stream};

/// The cold state of one flow.
pub(crate) struct Conversation {
    /// The flow.
    pub(crate) flow: FlowRef,
    /// What [`Self::buffered`] was when it was last asked for the account of all.
    pub(crate) accounted: usize,
    /// And [`Self::memory`].
    pub(crate) taken: usize,
    /// Which sides have spoken, a bit each.
    spoke: u8,
    says: Says,
}

/// What is left of a conversation that keeps nothing, in four octets.
pub(crate) enum Left {
    /// How far the search has come.
    Search(u32),
    /// What a session that rests has left behind.
    Rest(u32),
}

enum Says {
    /// In a box of their own: most flows are of datagrams, and need not carry the room.
    Streams(Box<Streams>),
    Datagrams(Exchange),
}

struct Streams {
    streams: [Stream; 2],
    talk: Talk,
}

/// The payload of a TCP segment.
pub(crate) struct Payload<'a> {
    pub(crate) from: Side,
    pub(crate) seq: u32,
    pub(crate) octets: &'a [u8],
    /// Octets that the capture cut off behind.
    pub(crate) cut: u32,
    /// What the segment acknowledges.
    pub(crate) ack: Option<u32>,
}

impl Conversation {
    /// For a TCP flow whose search has come so far, and has found the next segment to begin the protocol at this place,
    /// where it is sure; `start` are the sequence numbers of each side's next octet, where they are known.
    pub(crate) fn over_tcp(
        flow: FlowRef,
        search: StreamSearch,
        known: Option<NonZeroU8>,
        start: [Option<u32>; 2],
    ) -> Self {
        let mut streams: [Stream; 2] = Default::default();
        for (stream, seq) in streams.iter_mut().zip(start) {
            if let Some(seq) = seq {
                stream.begin(seq);
            }
        }
        let talk = Talk::after(search, known);
        Self {
            flow,
            accounted: 0,
            taken: 0,
            spoke: 0,
            says: Says::Streams(Box::new(Streams { streams, talk })),
        }
    }

    /// For a flow of datagrams whose search has come so far, and has found the next one to be of the protocol at this
    /// place.
    pub(crate) fn over_datagrams(flow: FlowRef, search: DatagramSearch, known: NonZeroU8) -> Self {
        Self {
            flow,
            accounted: 0,
            taken: 0,
            spoke: 0,
            says: Says::Datagrams(Exchange::after(search, Some(known))),
        }
    }

    /// For a flow of datagrams whose session, that of the protocol at this place, rested and left this behind.
    pub(crate) fn resumed(flow: FlowRef, place: NonZeroU8, kept: u32) -> Self {
        Self {
            flow,
            accounted: 0,
            taken: 0,
            spoke: 0,
            says: Says::Datagrams(Exchange::resumed(place, kept)),
        }
    }

    /// Begins again for another flow of datagrams, as [`Self::over_datagrams`] does; a session that rested gives its memory.
    pub(crate) fn begin_again(&mut self, flow: FlowRef, search: DatagramSearch, known: NonZeroU8) {
        match &mut self.says {
            Says::Datagrams(exchange) => {
                exchange.begin_again(search, known);
                self.flow = flow;
                (self.accounted, self.taken, self.spoke) = (0, 0, 0);
            }
            Says::Streams(_) => *self = Self::over_datagrams(flow, search, known),
        }
    }

    /// What is left of it where nothing else needs to be kept.
    pub(crate) fn aside(&self) -> Option<Left> {
        match &self.says {
            Says::Streams(says) => {
                let search = says.talk.only_search()?;
                let in_order = says.streams.iter().all(|one| one.pending_octets() == 0);
                in_order.then_some(Left::Search(search.to_bits()))
            }
            Says::Datagrams(exchange) => exchange.rest().map(Left::Rest),
        }
    }

    /// Octets kept for the session, in order or not, and what it keeps of its own; without its fixed room, which each
    /// watched flow has once.
    pub(crate) fn buffered(&self) -> usize {
        match &self.says {
            Says::Streams(says) => {
                let Streams { streams, talk } = &**says;
                talk.held() + streams.iter().map(Stream::pending_octets).sum::<usize>()
            }
            Says::Datagrams(exchange) => exchange.held(),
        }
    }

    /// About so many octets of memory are taken by it, its fixed room and the room of lists among them.
    pub(crate) fn memory(&self) -> usize {
        let said = match &self.says {
            Says::Streams(says) => {
                let Streams { streams, talk } = &**says;
                let streams = streams.iter().map(Stream::pending_octets).sum::<usize>();
                size_of::<Streams>() + talk.memory() + streams
            }
            Says::Datagrams(exchange) => exchange.memory(),
        };
        size_of::<Self>() + PLACE + said
    }

    /// Whether one side only has spoken.
    pub(crate) fn is_half_told(&self) -> bool {
        self.spoke != 0b11
    }

    /// Takes the payload of a segment.
    pub(crate) fn segment(&mut self, payload: &Payload<'_>, emit: &mut Emit<'_>) -> Outcome {
        self.spoke |= 1 << payload.from.index();
        let Says::Streams(says) = &mut self.says else {
            return Outcome::Decided;
        };
        let Streams { streams, talk } = &mut **says;
        let at_ns = emit.at_ns();
        if let Some(ack) = payload.ack {
            streams[payload.from.other().index()].acknowledged(ack);
        }
        let stream = &mut streams[payload.from.index()];
        let mut outcome = match stream.segment(payload.seq, payload.octets, at_ns) {
            Accepted::Next(octets) => {
                let outcome = talk.octets(payload.from, octets, emit);
                if payload.cut > 0 && outcome == Outcome::Wanted {
                    stream.skip(payload.cut);
                    talk.gap(payload.from, u64::from(payload.cut), emit)
                } else {
                    outcome
                }
            }
            Accepted::Early { conflict } => {
                emit.tally().conflicts += u64::from(conflict);
                Outcome::Wanted
            }
            Accepted::Old | Accepted::OutOfWindow => Outcome::Wanted,
        };
        for side in [payload.from, payload.from.other()] {
            while outcome == Outcome::Wanted {
                let Some(piece) = streams[side.index()].pop(at_ns, false) else {
                    break;
                };
                outcome = hand_over(talk, side, piece, emit);
            }
        }
        outcome
    }

    /// Notes an acknowledgement that came without payload.
    pub(crate) fn acknowledged(&mut self, by: Side, ack: u32) {
        if let Says::Streams(says) = &mut self.says {
            says.streams[by.other().index()].acknowledged(ack);
        }
    }

    /// Notes the end of a side. Answers whether all of both sides was handed out.
    pub(crate) fn finish(&mut self, side: Side, fin_seq: u32) -> bool {
        let Says::Streams(says) = &mut self.says else {
            return true;
        };
        let streams = &mut says.streams;
        streams[side.index()].finish(fin_seq);
        streams.iter().all(Stream::is_finished)
    }

    /// Takes a datagram.
    pub(crate) fn datagram(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Outcome {
        self.spoke |= 1 << from.index();
        match &mut self.says {
            Says::Datagrams(exchange) => exchange.datagram(from, octets, emit),
            Says::Streams(_) => Outcome::Decided,
        }
    }

    /// The flow ended: what waits for lost octets is handed out, then the session says what is pending.
    pub(crate) fn end(&mut self, emit: &mut Emit<'_>) {
        match &mut self.says {
            Says::Datagrams(exchange) => exchange.end(emit),
            Says::Streams(says) => {
                let Streams { streams, talk } = &mut **says;
                let at_ns = emit.at_ns();
                for side in Side::BOTH {
                    while let Some(piece) = streams[side.index()].pop(at_ns, true) {
                        if hand_over(talk, side, piece, emit) == Outcome::Decided {
                            return;
                        }
                    }
                }
                talk.end(emit);
            }
        }
    }

    /// How long its flow may be silent.
    pub(crate) fn patience(&self) -> Patience {
        match &self.says {
            Says::Streams(says) => says.talk.patience(),
            Says::Datagrams(exchange) => exchange.patience(),
        }
    }
}

/// Its place in the list of all, which may be half empty, and what the allocator adds to its boxes.
const PLACE: usize = 64;

fn hand_over(talk: &mut Talk, side: Side, piece: Piece, emit: &mut Emit<'_>) -> Outcome {
    match piece {
        Piece::Octets(octets) => talk.octets(side, &octets, emit),
        Piece::Gap(length) => talk.gap(side, length, emit),
    }
}
