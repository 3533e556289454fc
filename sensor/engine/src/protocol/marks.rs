//! Sessions of protocols that are recognised by their octets and have little to tell: one [`Fact::Marks`] a flow.
//!
//! The decoder is a small machine in `wire`; a [`Marked`] says how it is asked, and this module does the rest: probing,
//! the frames of the evidence, the fact, the end. What a protocol of this kind adds to the registry is [`over_tcp`] or
//! [`over_udp`] of its `Marked`.
//!
//! ```ignore
//! #[derive(Default)]
//! struct Tinc(tinc::Session);
//!
//! impl Marked for Tinc {
//!     const NAME: &'static str = "tinc";
//!     const SEES: &'static str = "names of the nodes, version";
//!
//!     fn opens(octets: &[u8]) -> Step<()> {
//!         tinc::identity(octets).map(|_| ())
//!     }
//!
//!     fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
//!         ...
//!     }
//! }
//!
//! pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Tinc>();
//! ```
//!
//! Where the first octets of one side leave no doubt, [`Told`] is shorter: a single pure function.

use std::marker::PhantomData;

use terrier_wire::Step;

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Fact, Frames, Marks, Side, Transport};

/// What a protocol tells of itself beside its name, in the order in which it is written.
pub(crate) type Details = Vec<(&'static str, String)>;

/// A protocol whose machine reads both sides until it is sure.
pub(crate) trait Marked: Default + Send + 'static {
    /// The name of its records and in counters.
    const NAME: &'static str;
    /// For the documentation: [`Protocol::sees`].
    const SEES: &'static str;

    /// What all that is taken looks like, where that can be said: [`Protocol::shapes`].
    const SHAPES: &'static [Shape] = &[];

    /// Whether a side can have begun with these octets (TCP), or a datagram can be one of its first (UDP).
    fn opens(octets: &[u8]) -> Step<()>;

    /// Takes the unread octets of a side, or a datagram.
    fn read(&mut self, from: Side, octets: &[u8]) -> Reading;

    /// Nothing more comes, or octets were lost: what it is sure of none the less.
    fn end(&mut self) -> Option<Mark> {
        None
    }
}

/// What a machine makes of what it was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reading {
    /// So many octets were read; it wants more of either side.
    More(usize),
    /// It is sure. The flow needs no more octets.
    Known(Mark),
    /// It is sure, and so many octets were read: what follows on both sides is another protocol from its first octet.
    Carries(usize, Mark),
    /// Enough was seen, and nothing found.
    Over,
    /// It is not this protocol after all, and the flow is given up.
    Refused(&'static str),
    /// It is not this protocol after all: over UDP the datagrams that follow are looked at anew. For machines that begin
    /// on a guess.
    Mistaken,
}

/// What a machine is sure of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The side in the client's role.
    pub(crate) client: Side,
    /// The protocol, where one machine knows several by their marks: else [`Marked::NAME`].
    pub(crate) protocol: Option<&'static str>,
    /// What else is known.
    pub(crate) details: Details,
}

impl Mark {
    /// A mark of the machine's own protocol.
    pub(crate) fn new(client: Side, details: Details) -> Self {
        Self {
            client,
            protocol: None,
            details,
        }
    }
}

/// A protocol that one side's first octets, or one datagram, tell beyond doubt.
pub(crate) trait Told: Send + 'static {
    /// The name of its records and in counters.
    const NAME: &'static str;
    /// For the documentation: [`Protocol::sees`].
    const SEES: &'static str;

    /// What all that is taken looks like, where that can be said: [`Protocol::shapes`].
    const SHAPES: &'static [Shape] = &[];

    /// Reads what a side began with, or a datagram: who says such a thing, and what it tells.
    fn told(octets: &[u8]) -> Step<(Speaker, Details)>;
}

/// In which role a side says what it said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// The client says this.
    Client,
    /// The server says this.
    Server,
    /// Both say this alike: the originator is taken as the client.
    Either,
}

/// The registry's row of a protocol over TCP.
pub(crate) const fn over_tcp<M: Marked>() -> Protocol {
    over::<M>(Transport::Tcp)
}

/// The registry's row of a protocol over UDP.
pub(crate) const fn over_udp<M: Marked>() -> Protocol {
    over::<M>(Transport::Udp)
}

/// The registry's row of a protocol over any transport.
pub(crate) const fn over<M: Marked>(transport: Transport) -> Protocol {
    Protocol {
        name: M::NAME,
        transport,
        sees: M::SEES,
        probe: probe::<M>,
        start: start::<M>,
        begins: Begins::AtTheStart,
        shapes: M::SHAPES,
        patience: Patience::Usual,
    }
}

fn probe<M: Marked>(opening: &Opening<'_>) -> Probe {
    match M::opens(opening.octets) {
        Step::Done(..) => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::NotThisProtocol(_) => Probe::No,
    }
}

fn start<M: Marked>() -> Box<dyn super::Session> {
    Box::new(Session {
        machine: M::default(),
        frames: Frames::default(),
    })
}

/// One flow.
struct Session<M> {
    machine: M,
    frames: Frames,
}

impl<M: Marked> super::Session for Session<M> {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        emit.note(&mut self.frames);
        match self.machine.read(from, octets) {
            Reading::More(used) => Progress::More(used),
            Reading::Known(mark) => {
                self.say(mark, emit);
                Progress::Finished
            }
            Reading::Carries(used, mark) => {
                self.say(mark, emit);
                Progress::Carries(used)
            }
            Reading::Over => Progress::Finished,
            Reading::Refused(why) => Progress::Violated(why),
            Reading::Mistaken if emit.flow().transport == Transport::Tcp => Progress::Finished,
            Reading::Mistaken => Progress::Carries(octets.len()),
        }
    }

    fn gap(&mut self, _: Side, _: u64, emit: &mut Emit<'_>) -> Progress {
        // Whoever is not sure by now has lost his place.
        self.end(emit);
        Progress::Finished
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        if let Some(mark) = self.machine.end() {
            self.say(mark, emit);
        }
    }

    fn is_sure(&self) -> bool {
        false
    }
}

impl<M: Marked> Session<M> {
    fn say(&self, mark: Mark, emit: &mut Emit<'_>) {
        emit.begun(super::place_of(M::NAME));
        let marks = Marks {
            protocol: mark.protocol.unwrap_or(M::NAME),
            client: mark.client,
            details: mark.details,
        };
        emit.fact(&self.frames, Fact::Marks(marks));
    }
}

/// Makes a [`Marked`] of a [`Told`].
pub(crate) struct Single<T>(PhantomData<T>);

impl<T> Default for Single<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: Told> Marked for Single<T> {
    const NAME: &'static str = T::NAME;
    const SEES: &'static str = T::SEES;
    const SHAPES: &'static [Shape] = T::SHAPES;

    fn opens(octets: &[u8]) -> Step<()> {
        T::told(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match T::told(octets) {
            Step::Done((speaker, details), _) => {
                let client = match speaker {
                    Speaker::Client => from,
                    Speaker::Server => from.other(),
                    Speaker::Either => Side::Originator,
                };
                Reading::Known(Mark::new(client, details))
            }
            // The other side's octets, while those that were probed still wait to be fed.
            Step::NeedMore(_) | Step::NotThisProtocol(_) => Reading::More(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::{Endpoint, FlowRef, Observation, Oriented, VlanTags};
    use Side::{Originator as O, Responder as R};

    fn flow() -> FlowRef {
        let endpoint = |port| Endpoint {
            ip: std::net::IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1)),
            port,
        };
        FlowRef {
            id: 1,
            opened: 1,
            orig: endpoint(40000),
            resp: endpoint(9),
            transport: Transport::Tcp,
            vlan: VlanTags::default(),
            vni: None,
            oriented: Oriented::Syn,
        }
    }

    /// Told by a server's `magic!`.
    struct Magic;

    impl Told for Magic {
        const NAME: &'static str = "magic";
        const SEES: &'static str = "a word";

        fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
            const MAGIC: &[u8] = b"magic!";
            if octets.len() < MAGIC.len() && MAGIC.starts_with(octets) {
                return Step::NeedMore(MAGIC.len() - octets.len());
            }
            if octets.starts_with(MAGIC) {
                Step::Done(
                    (Speaker::Server, vec![("word", "magic".into())]),
                    MAGIC.len(),
                )
            } else {
                Step::NotThisProtocol("no magic")
            }
        }
    }

    #[test]
    fn a_told_protocol_makes_one_fact_with_its_roles() {
        const PROTOCOL: Protocol = over_tcp::<Single<Magic>>();
        let flow = flow();
        let asked = |octets| {
            (PROTOCOL.probe)(&Opening {
                ports: flow.ports(),
                octets,
            })
        };
        assert_eq!(asked(b"mag"), Probe::Maybe);
        assert_eq!(asked(b"magic! and more"), Probe::Yes);
        assert_eq!(asked(b"music"), Probe::No);

        let mut session = (PROTOCOL.start)();
        let mut out: Vec<Observation> = Vec::new();
        let mut emit = Emit::new(&flow, 0, 1, Some((0, 7)), &mut out);
        assert_eq!(session.feed(O, b"hello", &mut emit), Progress::More(0));
        assert_eq!(session.feed(R, b"magic!", &mut emit), Progress::Finished);
        let [found] = &out[..] else { panic!("{out:?}") };
        assert_eq!(found.frames.numbers(), [7]);
        assert_eq!(
            found.fact,
            Fact::Marks(Marks {
                protocol: "magic",
                client: O,
                details: vec![("word", "magic".into())],
            })
        );
    }
}
