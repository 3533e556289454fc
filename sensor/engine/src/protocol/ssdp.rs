//! SSDP, HTTP in datagrams: one [`Fact::Http`] a flow, for its first search or announcement.
//!
//! Devices repeat themselves: one record says all that a defender wants to know. An answer to a search comes in a flow of
//! its own and has no record, as everywhere in HTTP.

use terrier_wire::http::{Datagram, datagram};

use super::{Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Fact, Frames, Http, Side, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: "ssdp",
    transport: Transport::Udp,
    sees: "the first search or announcement",
    probe,
    start: || Box::new(Session),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[(0, Octets::among(b"MNH"))])],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    match datagram(opening.octets) {
        Some(_) => Probe::Yes,
        None => Probe::No,
    }
}

struct Session;

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if let Some(Datagram::Request(request)) = datagram(octets) {
            let mut frames = Frames::default();
            emit.note(&mut frames);
            let body = Http {
                version: None,
                method: request.method,
                host: request.host,
                uri: request.target,
                status: None,
                user_agent: request.user_agent,
                upgrade: request.upgrade,
                client: from,
            };
            emit.fact(&frames, Fact::Http(Box::new(body)));
        }
        Progress::Finished
    }

    fn gap(&mut self, _from: Side, _length: u64, _emit: &mut Emit<'_>) -> Progress {
        Progress::Finished
    }

    fn end(&mut self, _emit: &mut Emit<'_>) {}
}
