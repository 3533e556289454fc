//! DHCP: every message is a fact; which name belongs to which address is the judge's matter, as the exchange spans flows.

use terrier_wire::Step;
use terrier_wire::dhcp::{self, MessageType, Op};

use super::{Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Dhcp, Fact, Frames, Side, Transport};

/// Between the ports of DHCP alone: elsewhere nobody asks for an address.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "dhcp",
    transport: Transport::Udp,
    sees: "host name, domain, vendor class, MAC, addresses",
    probe,
    start: || Box::new(Session { last: None }),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[(0, Octets::among(&[1, 2]))]).on(&[SERVER, CLIENT])],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    let is_dhcp = opening
        .ports
        .iter()
        .any(|port| matches!(*port, SERVER | CLIENT));
    match is_dhcp && matches!(dhcp::message(opening.octets), Step::Done(..)) {
        true => Probe::Yes,
        false => Probe::No,
    }
}

/// One pair of addresses.
struct Session {
    /// The last message told: a client repeats itself while nobody answers.
    last: Option<Dhcp>,
}

impl super::Session for Session {
    fn feed(&mut self, _from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if let Step::Done(message, _) = dhcp::message(octets) {
            let body = body(&message);
            if self.last.as_ref() != Some(&body) {
                let mut frames = Frames::default();
                emit.note(&mut frames);
                emit.fact(&frames, Fact::Dhcp(Box::new(body.clone())));
                self.last = Some(body);
            }
        }
        Progress::More(octets.len())
    }

    fn gap(&mut self, _from: Side, _length: u64, _emit: &mut Emit<'_>) -> Progress {
        Progress::More(0)
    }

    fn end(&mut self, _emit: &mut Emit<'_>) {}
}

fn body(message: &dhcp::Message<'_>) -> Dhcp {
    let text = |octets: &[u8]| octets.escape_ascii().to_string();
    // Some clients end their names with a NUL.
    let name = |octets: &[u8]| text(octets.strip_suffix(&[0]).unwrap_or(octets));
    Dhcp {
        message: match message.kind {
            None => "bootp".to_owned(),
            Some(kind) => kind
                .name()
                .map_or_else(|| kind.0.to_string(), str::to_owned),
        },
        host_name: message.host_name.map(name),
        domain_name: message.domain_name.as_deref().map(name),
        vendor_class: message.vendor_class.map(text),
        mac: message.hardware.to_string(),
        client_address: message.client,
        requested_address: message.requested,
        assigned_address: message.yours,
        transaction: message.transaction,
        is_ack: message.op == Op::Reply && message.kind == Some(MessageType::ACK),
    }
}

const SERVER: u16 = 67;
const CLIENT: u16 = 68;
