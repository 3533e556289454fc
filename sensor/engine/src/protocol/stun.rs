//! STUN and TURN: one `stun` record for a flow's first answered Binding, and one for its relay.
//!
//! Over UDP a flow of STUN mostly becomes one of something else: DTLS, WireGuard, a vendor's own. A datagram that is neither
//! STUN nor TURN nor RTP ends the session and is looked at anew. What a relay sends on is looked at for DTLS.

use terrier_wire::stun::{Attribute, Class, Framing, Item, Message, Method};
use terrier_wire::{Side, Step, stun, tls};

use super::{
    Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Session as _, Shape, dtls,
};
use crate::observation::{Fact, Frames, Marks, Transport};

/// For the documentation.
const SEES: &str = "STUN and TURN: method, outcome, the address from outside and the relayed one, software; what TURN carries";

pub(super) const OVER_UDP: Protocol = Protocol {
    name: "stun",
    transport: Transport::Udp,
    sees: SEES,
    probe: probe_datagram,
    start: || Box::new(Session::new(None)),
    begins: Begins::AtTheStart,
    shapes: DATAGRAMS,
    patience: Patience::Usual,
};

pub(super) const OVER_TCP: Protocol = Protocol {
    name: "stun",
    transport: Transport::Tcp,
    sees: SEES,
    probe: |opening| probe_stream(opening, Framing::Plain),
    start: || Box::new(Session::new(Some(Framing::Plain))),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[
        (0, Octets::masked(0xc0, 0)),
        (5, Octets::of(0x12)),
        (7, Octets::of(0x42)),
    ])],
    patience: Patience::Usual,
};

/// The magic cookie; of RFC 3489, where there is none, a Binding request, its answer and its error.
const DATAGRAMS: &[Shape] = &[
    Shape::at(&[
        (0, Octets::masked(0xc0, 0)),
        (5, Octets::of(0x12)),
        (7, Octets::of(0x42)),
    ]),
    Shape::at(&[(0, Octets::among(&[0, 1])), (1, Octets::among(&[1, 0x11]))]),
];

/// As ICE sends it over TCP (RFC 4571).
pub(super) const SIZED: Protocol = Protocol {
    name: "stun",
    transport: Transport::Tcp,
    sees: SEES,
    probe: |opening| probe_stream(opening, Framing::Sized),
    start: || Box::new(Session::new(Some(Framing::Sized))),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[
        (2, Octets::masked(0xc0, 0)),
        (7, Octets::of(0x12)),
    ])],
    patience: Patience::Usual,
};

fn probe_datagram(opening: &Opening<'_>) -> Probe {
    let serves = |port| PORTS.contains(&port);
    let plain = opening.ports.into_iter().any(serves);
    match read(opening.octets, plain) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

/// The message that a datagram is.
fn read(datagram: &[u8], plain: bool) -> Option<Message<'_>> {
    match stun::message(datagram) {
        Step::Done(message, used) if used == datagram.len() => Some(message),
        _ => stun::classic(datagram, plain),
    }
}

fn probe_stream(opening: &Opening<'_>, framing: Framing) -> Probe {
    let octets = match framing {
        Framing::Plain => opening.octets,
        Framing::Sized => opening.octets.get(2..).unwrap_or_default(),
    };
    match (stun::message(octets), framing) {
        (Step::Done(..), Framing::Plain) => Probe::Yes,
        (Step::Done(_, used), Framing::Sized) => {
            let size = opening
                .octets
                .first_chunk()
                .map(|size| u16::from_be_bytes(*size));
            if size.map(usize::from) == Some(used) {
                Probe::Yes
            } else {
                Probe::No
            }
        }
        (Step::NeedMore(_), _) => Probe::Maybe,
        (Step::NotThisProtocol(_), _) => Probe::No,
    }
}

/// The session of one flow.
pub(super) struct Session {
    /// How a stream is cut; `None` over UDP.
    framing: Option<Framing>,
    frames: Frames,
    binding: Transaction,
    allocation: Transaction,
    /// DTLS that a relay sends on.
    inner: Inner,
    /// Datagrams or messages seen.
    seen: u16,
}

/// What is known of one method.
#[derive(Default)]
struct Transaction {
    /// Who asked; `None` before a request or an answer was seen.
    client: Option<Side>,
    software: [Option<String>; 2],
    error: Option<u16>,
    told: bool,
}

enum Inner {
    Unseen,
    Running(Box<dtls::Session>),
    Over,
}

impl Session {
    fn new(framing: Option<Framing>) -> Self {
        Self {
            framing,
            frames: Frames::default(),
            binding: Transaction::default(),
            allocation: Transaction::default(),
            inner: Inner::Unseen,
            seen: 0,
        }
    }

    fn message(&mut self, from: Side, message: &Message<'_>, emit: &mut Emit<'_>) {
        match message.method {
            Method::BINDING => {
                emit.note(&mut self.frames);
                let told = self.binding.take(from, message);
                self.tell(Method::BINDING, told, emit);
            }
            Method::ALLOCATE => {
                emit.note(&mut self.frames);
                let told = self.allocation.take(from, message);
                self.tell(Method::ALLOCATE, told, emit);
            }
            Method::SEND | Method::DATA => {
                let data = message.attributes().find_map(|attribute| match attribute {
                    Attribute::Data(data) => Some(data),
                    _ => None,
                });
                self.relayed(from, data.unwrap_or_default(), emit);
            }
            _ => {}
        }
    }

    /// Emits what an answer told.
    fn tell(
        &mut self,
        method: Method,
        told: Option<Vec<(&'static str, String)>>,
        emit: &mut Emit<'_>,
    ) {
        let transaction = match method {
            Method::BINDING => &mut self.binding,
            _ => &mut self.allocation,
        };
        let (Some(answer), Some(client)) = (told, transaction.client) else {
            return;
        };
        transaction.told = true;
        let mut details = vec![("method", method.to_string())];
        details.extend(answer);
        let [originator, responder] = &mut transaction.software;
        let (of_client, of_server) = match client {
            Side::Originator => (originator, responder),
            Side::Responder => (responder, originator),
        };
        details.extend(of_client.take().map(|name| ("client_software", name)));
        details.extend(of_server.take().map(|name| ("server_software", name)));
        let marks = Marks {
            protocol: "stun",
            client,
            details,
        };
        emit.fact(&self.frames, Fact::Marks(marks));
    }

    /// Looks at what a relay sends on, or what shares a stream with STUN.
    fn relayed(&mut self, from: Side, payload: &[u8], emit: &mut Emit<'_>) {
        if matches!(self.inner, Inner::Unseen) && dtls::begins(payload) {
            emit.tally()
                .sessions
                .push(super::place_of(dtls::PROTOCOL.name));
            self.inner = Inner::Running(Box::new(dtls::Session::inside(None)));
        }
        let Inner::Running(session) = &mut self.inner else {
            return;
        };
        match emit.within("stun", |emit| session.feed(from, payload, emit)) {
            Progress::More(_) => return,
            Progress::Violated(why) => emit.tally().violations.push((dtls::PROTOCOL.name, why)),
            Progress::Finished | Progress::Carries(_) => {}
        }
        self.inner = Inner::Over;
    }

    /// Whether it has seen enough: what follows goes on without it.
    fn is_tired(&mut self) -> bool {
        self.seen += 1;
        self.seen > MAX_SEEN
    }

    fn datagram(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if let Some(message) = read(octets, true) {
            self.message(from, &message, emit);
        } else if let Some((_, payload)) = stun::channel_data(octets) {
            self.relayed(from, payload, emit);
        } else if !octets.first().is_some_and(|first| RTP.contains(first)) {
            self.end(emit);
            return Progress::Carries(0);
        }
        if self.is_tired() {
            self.end(emit);
            return Progress::Finished;
        }
        Progress::More(octets.len())
    }

    fn stream(
        &mut self,
        from: Side,
        octets: &[u8],
        framing: Framing,
        emit: &mut Emit<'_>,
    ) -> Progress {
        let mut used = 0;
        loop {
            let rest = octets.get(used..).unwrap_or_default();
            let (item, took) = match stun::item(rest, framing) {
                Step::Done(item, took) => (item, took),
                Step::NeedMore(_) => return Progress::More(used),
                Step::NotThisProtocol(_) => {
                    self.end(emit);
                    return Progress::Finished;
                }
            };
            used += took;
            match item {
                Item::Message(message) => {
                    self.message(from, &message, emit);
                    // From here on the connection to the relay is one to the peer (RFC 6062, section 4.4).
                    let bound = (Method::CONNECTION_BIND, Class::Success);
                    if (message.method, message.class) == bound {
                        self.end(emit);
                        return Progress::Carries(used);
                    }
                }
                Item::Payload(payload) => self.relayed(from, payload, emit),
            }
            if self.is_tired() {
                self.end(emit);
                return Progress::Finished;
            }
        }
    }
}

impl Transaction {
    /// Takes a message of its method; the fields of a record, once it tells how the server answered.
    fn take(&mut self, from: Side, message: &Message<'_>) -> Option<Vec<(&'static str, String)>> {
        if self.told {
            return None;
        }
        match message.class {
            Class::Request => self.client = self.client.or(Some(from)),
            Class::Indication => return None,
            // ICE asks in both directions: the answer says whose question it was.
            Class::Success | Class::Error => self.client = Some(from.other()),
        }
        let mut told = vec![("class", message.class.name().to_owned())];
        for attribute in message.attributes().take(MAX_ATTRIBUTES) {
            match attribute {
                Attribute::Software(name) => {
                    let slot = self.software.get_mut(from.index());
                    if let Some(slot @ None) = slot {
                        // RFC 3489 had no padding, so servers fill the text itself.
                        let end = name.iter().rposition(|&octet| octet != 0);
                        let text = name.get(..end.map_or(0, |at| at + 1)).unwrap_or(name);
                        *slot = Some(tls::escaped(text, stun::MAX_SOFTWARE));
                    }
                }
                Attribute::Mapped(address) => put(&mut told, "mapped", address.to_string()),
                Attribute::Relayed(address) => put(&mut told, "relayed", address.to_string()),
                Attribute::ErrorCode(code) => self.error = Some(code),
                _ => {}
            }
        }
        (message.class == Class::Success).then_some(told)
    }

    /// What is known of a question that was refused, or not answered.
    fn pending(&self) -> Option<Vec<(&'static str, String)>> {
        if self.told || self.client.is_none() {
            return None;
        }
        Some(match self.error {
            // A relay refuses the first request always, for its nonce: the second one was not answered then.
            Some(code) => vec![
                ("class", Class::Error.name().to_owned()),
                ("error", code.to_string()),
            ],
            None => vec![("class", Class::Request.name().to_owned())],
        })
    }
}

/// A field once: answers give the address in clear and mixed.
fn put(told: &mut Vec<(&'static str, String)>, field: &'static str, value: String) {
    match told.iter_mut().find(|(name, _)| *name == field) {
        Some((_, known)) => *known = value,
        None => told.push((field, value)),
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        match self.framing {
            None => self.datagram(from, octets, emit),
            Some(framing) => self.stream(from, octets, framing, emit),
        }
    }

    fn gap(&mut self, _from: Side, _length: u64, emit: &mut Emit<'_>) -> Progress {
        // Where the next message begins is not known.
        self.end(emit);
        Progress::Finished
    }

    fn held(&self) -> usize {
        match &self.inner {
            Inner::Running(session) => session.held(),
            Inner::Unseen | Inner::Over => 0,
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        let pending = self.binding.pending();
        self.tell(Method::BINDING, pending, emit);
        let pending = self.allocation.pending();
        self.tell(Method::ALLOCATE, pending, emit);
        if let Inner::Running(session) = &mut self.inner {
            session.end(emit);
        }
    }
}

/// Ports of STUN: a question of RFC 3489 without attributes is believed there only.
const PORTS: [u16; 6] = [3478, 3479, 5349, 19302, 19305, 19309];
/// RTP and RTCP, encrypted or not (RFC 7983).
const RTP: std::ops::RangeInclusive<u8> = 128..=191;
/// Messages and datagrams of a flow that are looked at: the checks of ICE and a relay's set-up come before the octets they
/// are for.
const MAX_SEEN: u16 = 256;
/// Attributes of a message that are looked at.
const MAX_ATTRIBUTES: usize = 32;

#[cfg(test)]
mod tests;
