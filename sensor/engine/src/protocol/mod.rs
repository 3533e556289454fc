//! Protocol sessions: ordered octets of a flow in, observations out. The registry is [`ALL`].

mod dns;
mod http;
mod rdp;
mod rfb;
mod tls;

use terrier_wire::Side;

use crate::observation::{Fact, FlowRef, Frames, Key, Observation, Transport};

/// One protocol as the worker knows it.
pub(crate) struct Protocol {
    /// Its name in counters.
    pub(crate) name: &'static str,
    /// Which transport it runs over.
    pub(crate) transport: Transport,
    /// Looks at the start of what one side sent.
    pub(crate) probe: fn(&Opening<'_>) -> Probe,
    /// Starts a session; it is then fed from the first octet of both sides.
    pub(crate) start: fn() -> Box<dyn Session>,
    /// Where in a flow it may begin.
    pub(crate) begins: Begins,
    /// How long its flows may be silent.
    pub(crate) patience: Patience,
}

/// Where in a flow a protocol may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begins {
    /// With the first octet of a side.
    AtTheStart,
    /// Also at the start of a later segment, behind another protocol's preamble: STARTTLS, a proxy's answer, a tunnel's
    /// greeting. Only for protocols whose first octets leave no doubt.
    AtAnySegment,
}

/// How long a flow may be silent before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What its transport and state ask for.
    Usual,
    /// Questions are answered within seconds or never.
    Seconds,
}

/// Every protocol, in the order in which they are asked. Over TCP the first `Yes` wins.
pub(crate) const ALL: &[Protocol] = &[
    tls::PROTOCOL,
    http::PROTOCOL,
    rfb::PROTOCOL,
    rdp::PROTOCOL,
    dns::OVER_TCP,
    dns::OVER_UDP,
];

/// The names under which sessions are counted, each once and sorted.
#[must_use]
pub fn protocols() -> Vec<&'static str> {
    let mut names: Vec<_> = ALL.iter().map(|protocol| protocol.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The start of what one side of a flow sent (TCP), or one datagram (UDP).
pub(crate) struct Opening<'a> {
    /// The flow, for its ports: they may decide between two readings, never alone.
    pub(crate) flow: &'a FlowRef,
    /// Contiguous octets from the first one on.
    pub(crate) octets: &'a [u8],
}

/// What a probe says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It is this protocol.
    Yes,
    /// All fits so far; too few octets to tell.
    Maybe,
    /// It is not.
    No,
}

/// The state machine of one flow.
pub(crate) trait Session: Send {
    /// Reads the whole messages at the start of `octets`: contiguous octets that were not consumed before (TCP), or one
    /// datagram (UDP, always taken whole). Called again with the rest and more when more has come from either side.
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress;

    /// `length` octets of one side were lost (0: unknown). The session may go on or finish.
    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress;

    /// The flow ended, or its input did: whatever is pending is emitted now.
    fn end(&mut self, emit: &mut Emit<'_>);
}

/// How a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many octets were consumed; it wants what follows.
    More(usize),
    /// It has all it wants: the flow gets no more octets, and [`Session::end`] is not called.
    Finished,
    /// So many octets were consumed, and the session is done: what follows on both sides is another protocol from its
    /// first octet, carried by this one. [`Session::end`] is not called.
    Carries(usize),
    /// Octets that the protocol does not allow; the session has emitted what it understood. Counted by the reason.
    Violated(&'static str),
}

/// Where a session puts what it found, and what it may know of the present packet.
pub(crate) struct Emit<'a> {
    flow: &'a FlowRef,
    at_ns: i64,
    seq: u64,
    capture: u16,
    frame: Option<u64>,
    count: u32,
    out: &'a mut Vec<Observation>,
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

    /// Notes the present packet in a session's evidence. A tick has no frame and adds none.
    pub(crate) fn note(&self, frames: &mut Frames) {
        if let Some(frame) = self.frame {
            frames.add(self.capture, frame);
        }
    }

    /// Hands out a fact that these frames showed.
    pub(crate) fn fact(&mut self, frames: &Frames, fact: Fact) {
        self.out.push(Observation {
            key: Key {
                seq: self.seq,
                opened: self.flow.opened,
                n: self.count,
            },
            at_ns: self.at_ns,
            flow: *self.flow,
            frames: frames.clone(),
            fact,
        });
        self.count += 1;
    }
}
