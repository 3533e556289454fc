//! IKE and ESP in UDP, on any port, and IKE over TCP: one `ipsec` fact once both sides have agreed to speak.

use terrier_wire::ike::{self, Known};
use terrier_wire::{Side, Step};

use super::marks::{self, Details, Mark, Marked, Reading};
use super::{Begins, Emit, Octets, Opening, Patience, Probe, Progress, Protocol, Shape};
use crate::observation::{Fact, Frames, Marks, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: NAME,
    transport: Transport::Udp,
    sees: SEES,
    probe,
    start: || Box::<Session>::default(),
    begins: Begins::AtTheStart,
    shapes: SHAPES,
    patience: Patience::Usual,
};

pub(super) const OVER_TCP: Protocol = marks::over_tcp::<Stream>();

const NAME: &str = "ipsec";
/// For the documentation, of ESP without UDP too.
pub(super) const SEES: &str = "IKE 1 and 2, over TCP too: version, exchange, the vendors that name themselves; ESP, in UDP or directly over IP";
/// Where ESP may stand in IKE's place (RFC 3948), and where GlobalProtect has it without IKE.
const ESP_PORTS: [u16; 2] = [4500, 4501];

/// The version of IKE, or the marker before it, or the ports of ESP.
const SHAPES: &[Shape] = &[
    Shape::at(&[(17, Octets::among(&[0x10, 0x20]))]),
    Shape::at(&[(0, Octets::of(0)), (1, Octets::of(0))]),
    Shape::at(&[]).on(&ESP_PORTS),
];

fn is_esp_port(ports: [u16; 2]) -> bool {
    ports.iter().any(|port| ESP_PORTS.contains(port))
}

fn probe(opening: &Opening<'_>) -> Probe {
    let unmarked = opening
        .octets
        .strip_prefix(ike::MARKER)
        .unwrap_or(opening.octets);
    let esp = is_esp_port(opening.ports) && ike::esp_in_udp(opening.octets).is_some();
    if esp || ike::message(unmarked).is_some() {
        Probe::Yes
    } else {
        Probe::No
    }
}

/// One flow.
#[derive(Default)]
struct Session {
    wire: ike::Session,
    frames: Frames,
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        emit.note(&mut self.frames);
        match self
            .wire
            .feed(from, octets, is_esp_port(emit.flow().ports()))
        {
            Ok(None) => Progress::More(octets.len()),
            Ok(Some(known)) => {
                let (client, details) = told(known);
                let marks = Marks {
                    protocol: NAME,
                    client,
                    details,
                };
                emit.fact(&self.frames, Fact::Marks(marks));
                Progress::Finished
            }
            // Port 4500 is no proof of IPsec, so the flow is looked at anew.
            Err(_) => Progress::Carries(octets.len()),
        }
    }

    fn gap(&mut self, _: Side, _: u64, _: &mut Emit<'_>) -> Progress {
        Progress::Finished
    }

    fn end(&mut self, _: &mut Emit<'_>) {}
}

/// IKE over TCP.
#[derive(Default)]
pub(super) struct Stream(ike::Stream);

impl Marked for Stream {
    const NAME: &'static str = NAME;
    const SEES: &'static str = SEES;

    fn opens(octets: &[u8]) -> Step<()> {
        ike::opening(octets)
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match self.0.feed(from, octets) {
            Ok((used, None)) => Reading::More(used),
            Ok((_, Some(known))) => {
                let (client, details) = told(known);
                Reading::Known(Mark::new(client, details))
            }
            Err(why) => Reading::Refused(why.0),
        }
    }
}

/// Who asked, and what is to be said.
fn told(known: Known) -> (Side, Details) {
    match known {
        Known::Ike {
            initiator,
            version,
            exchange,
            vendors,
        } => {
            let mut details = vec![
                ("message", "ike".to_owned()),
                ("version", version.to_string()),
            ];
            details.extend(exchange.map(|name| ("exchange", name.to_owned())));
            let fields = [
                (initiator, "initiator_vendor"),
                (initiator.other(), "responder_vendor"),
            ];
            for (side, field) in fields {
                let names = &vendors[side.index()];
                if !names.is_empty() {
                    details.push((field, names.join(", ")));
                }
            }
            (initiator, details)
        }
        Known::Esp => (Side::Originator, vec![("message", "esp".to_owned())]),
    }
}
