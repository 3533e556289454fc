//! RDP-UDP: one `rdp_udp` at the answer to a SYN, or when the flow ends without one, and what TLS or DTLS tells inside.

use terrier_wire::rdpudp::{self, Ordered, Syn, Version};
use terrier_wire::tls::opening;
use terrier_wire::{Side, Step};

use super::{
    Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Session as _, Shape, dtls,
    tls,
};
use crate::observation::{Carrier, Fact, Frames, RdpUdp, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "rdp_udp",
    transport: Transport::Udp,
    sees: "RDP over UDP: versions offered and chosen, whether it was answered; the TLS or DTLS inside",
    probe,
    start: || Box::<Session>::default(),
    begins: Begins::AtTheStart,
    shapes: SHAPES,
    patience: Patience::Usual,
};

/// The lower octet of the flags: SYN, and ACK in the answer.
const SHAPES: &[Shape] = &[Shape::at(&[(7, Octets::among(&[1, 5]))])];

fn probe(opening: &Opening<'_>) -> Probe {
    match rdpudp::syn(opening.octets) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

/// The session of one flow.
#[derive(Default)]
pub(super) struct Session {
    client: Option<(Side, Syn)>,
    answered: bool,
    frames: Frames,
    inner: Inner,
    /// Datagrams seen.
    seen: u16,
}

/// What the connection carries.
#[derive(Default)]
enum Inner {
    #[default]
    Unseen,
    /// A reliable connection.
    Stream {
        version: Option<Version>,
        sides: [Ordered; 2],
        session: Box<tls::Session>,
    },
    /// A lossy one.
    Datagrams(Box<dtls::Session>),
}

impl Session {
    fn syn(&mut self, from: Side, syn: Syn, emit: &mut Emit<'_>) {
        emit.note(&mut self.frames);
        if !syn.answers {
            if !self.answered {
                self.client = Some((from, syn));
            }
            return;
        }
        if !self.answered {
            self.answered = true;
            self.begin(from, &syn);
            self.tell(Some((from.other(), syn)), emit);
        }
    }

    fn begin(&mut self, server: Side, answer: &Syn) {
        let lossy = answer.lossy || self.client.as_ref().is_some_and(|(_, syn)| syn.lossy);
        if lossy {
            self.inner = Inner::Datagrams(Box::new(dtls::Session::inside(Some(Carrier::Rdp))));
            return;
        }
        let mut sides = [answer.acknowledged, answer.initial].map(|initial| {
            if answer.version == Some(Version::V3) {
                Ordered::of_version_3()
            } else {
                Ordered::behind(initial)
            }
        });
        if server == Side::Originator {
            sides.reverse();
        }
        self.inner = Inner::Stream {
            version: answer.version,
            sides,
            session: Box::new(tls::Session::inside(Some(Carrier::Rdp))),
        };
    }

    /// Emits the record; `answer` is the client's side and what the server said.
    fn tell(&mut self, answer: Option<(Side, Syn)>, emit: &mut Emit<'_>) {
        let Some(client) = self
            .client
            .as_ref()
            .or(answer.as_ref())
            .map(|&(side, _)| side)
        else {
            return;
        };
        let asked = self.client.as_ref().map(|(_, syn)| syn);
        let answer = answer.as_ref().map(|(_, syn)| syn);
        let version = |syn: Option<&Syn>| Some(syn?.version?.to_string());
        let fact = RdpUdp {
            offered: version(asked),
            chosen: version(answer),
            lossy: asked.or(answer).is_some_and(|syn| syn.lossy),
            correlated: asked.is_some_and(|syn| syn.correlated),
            answered: answer.is_some(),
            client,
        };
        emit.fact(&self.frames, Fact::RdpUdp(Box::new(fact)));
    }

    fn data(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let mut progress = Progress::More(0);
        match &mut self.inner {
            Inner::Unseen => {}
            Inner::Datagrams(session) => {
                if let Some(data) = rdpudp::packet(octets) {
                    progress = session.feed(from, &data.octets, emit);
                }
            }
            Inner::Stream {
                version,
                sides,
                session,
            } => {
                let data = if *version == Some(Version::V3) {
                    rdpudp::packet_of_version_3(octets)
                } else {
                    rdpudp::packet(octets)
                };
                let [originator, responder] = sides;
                let ordered = match from {
                    Side::Originator => originator,
                    Side::Responder => responder,
                };
                if let Some(data) = data {
                    let begins = |octets: &[u8]| matches!(opening(octets), Step::Done(..));
                    ordered.add(&data, begins, |octets| {
                        if matches!(progress, Progress::More(_)) {
                            progress = session.feed(from, octets, emit);
                        }
                    });
                }
            }
        }
        progress
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        self.seen += 1;
        if self.seen > MAX_SEEN {
            self.end(emit);
            return Progress::Finished;
        }
        if let Some(syn) = rdpudp::syn(octets) {
            self.syn(from, syn, emit);
            return Progress::More(octets.len());
        }
        match emit.within("rdp_udp", |emit| self.data(from, octets, emit)) {
            Progress::More(_) => Progress::More(octets.len()),
            // What is encrypted tells nothing more.
            other => other,
        }
    }

    fn gap(&mut self, _from: Side, _length: u64, _emit: &mut Emit<'_>) -> Progress {
        Progress::More(0)
    }

    fn held(&self) -> usize {
        match &self.inner {
            Inner::Unseen => 0,
            Inner::Datagrams(session) => session.held(),
            Inner::Stream { sides, session, .. } => {
                session.held() + sides.iter().map(Ordered::held).sum::<usize>()
            }
        }
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        if !self.answered {
            self.answered = true;
            self.tell(None, emit);
        }
        match &mut self.inner {
            Inner::Unseen => {}
            Inner::Stream { session, .. } => session.end(emit),
            Inner::Datagrams(session) => session.end(emit),
        }
    }
}

/// Datagrams of a flow that are looked at: a handshake of TLS needs some ten, acknowledgements as many.
const MAX_SEEN: u16 = 64;

#[cfg(test)]
mod tests;
