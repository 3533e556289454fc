//! NetBIOS over UDP: names of Windows hosts, one fact for each thing that is said.

use std::net::IpAddr;

use terrier_wire::Step;
use terrier_wire::netbios::{self, Datagram, NameMessage, Operation};

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Fact, Frames, Netbios, Side, Suffix, Transport};

/// On the ports of the two services alone.
pub(super) const PROTOCOL: Protocol = Protocol {
    name: "netbios",
    transport: Transport::Udp,
    sees: "names asked for, registered and answered, with their addresses (NetBIOS name and datagram services)",
    probe,
    start: || Box::new(Session { said: Vec::new() }),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[]).on(&[NAME_SERVICE, DATAGRAM_SERVICE])],
    patience: Patience::Usual,
};

fn probe(opening: &Opening<'_>) -> Probe {
    let ports = opening.ports;
    match ports
        .iter()
        .any(|port| read(*port, opening.octets).is_some())
    {
        true => Probe::Yes,
        false => Probe::No,
    }
}

enum Read {
    Name(NameMessage),
    Datagram(Datagram),
}

fn read(port: u16, octets: &[u8]) -> Option<Read> {
    match port {
        NAME_SERVICE => match netbios::name_message(octets) {
            Step::Done(message, _) => Some(Read::Name(message)),
            _ => None,
        },
        DATAGRAM_SERVICE => match netbios::datagram(octets) {
            Step::Done(datagram, _) => Some(Read::Datagram(datagram)),
            _ => None,
        },
        _ => None,
    }
}

/// One pair of addresses.
struct Session {
    /// What was told: the same is said again and again.
    said: Vec<Netbios>,
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        let sender = emit.flow().endpoint(from).ip;
        let ports = [emit.flow().orig.port, emit.flow().resp.port];
        let body = ports
            .into_iter()
            .find_map(|port| read(port, octets))
            .map(|read| match read {
                Read::Name(message) => of_message(&message, sender),
                Read::Datagram(datagram) => of_datagram(&datagram, sender),
            });
        if let Some(body) = body.filter(|body| !self.said.contains(body)) {
            let mut frames = Frames::default();
            emit.note(&mut frames);
            emit.fact(&frames, Fact::Netbios(Box::new(body.clone())));
            if self.said.len() == MAX_SAID {
                self.said.remove(0);
            }
            self.said.push(body);
        }
        Progress::More(octets.len())
    }

    fn gap(&mut self, _from: Side, _length: u64, _emit: &mut Emit<'_>) -> Progress {
        Progress::More(0)
    }

    fn end(&mut self, _emit: &mut Emit<'_>) {}
}

fn of_message(message: &NameMessage, sender: IpAddr) -> Netbios {
    let owners = message.owners.iter().filter(|_| message.code == 0);
    let named: Vec<(IpAddr, String)> = owners
        .clone()
        .filter(|owner| !owner.is_group)
        .filter_map(|owner| {
            let name = owner.name.as_host()?.to_owned();
            Some((owner.address.map_or(sender, IpAddr::V4), name))
        })
        .collect();
    // Who registers a name for another's address, or answers a question, may be anybody.
    let own = match message.operation {
        Operation::Registration | Operation::Refresh => !message.is_response,
        Operation::Status => message.is_response,
        Operation::Query | Operation::Release | Operation::Wait => false,
    };
    let (owned, answered) = named
        .into_iter()
        .partition(|(address, _)| own && *address == sender);
    Netbios {
        operation: message.operation.name(),
        response: message.is_response,
        name: message.name.to_string(),
        suffix: Suffix(message.name.suffix),
        addresses: owners.filter_map(|owner| owner.address).collect(),
        owned,
        answered: match message.operation {
            Operation::Query => answered,
            _ => Vec::new(),
        },
    }
}

fn of_datagram(datagram: &Datagram, sender: IpAddr) -> Netbios {
    let host = datagram.source.as_host();
    let own = IpAddr::V4(datagram.address) == sender;
    Netbios {
        operation: "datagram",
        response: false,
        name: datagram.source.to_string(),
        suffix: Suffix(datagram.source.suffix),
        addresses: vec![datagram.address],
        owned: host
            .filter(|_| own)
            .map(|name| (sender, name.to_owned()))
            .into_iter()
            .collect(),
        answered: Vec::new(),
    }
}

const NAME_SERVICE: u16 = 137;
const DATAGRAM_SERVICE: u16 = 138;
/// A host registers some eight names with each suffix.
const MAX_SAID: usize = 16;
