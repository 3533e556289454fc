//! IKE and ESP in UDP, on any port: one `ipsec` fact once both sides have agreed to speak.

use terrier_wire::Side;
use terrier_wire::ike::{self, Known};

use super::{Begins, Emit, Opening, Patience, Probe, Progress, Protocol};
use crate::observation::{Fact, FlowRef, Frames, Marks, Transport};

pub(super) const PROTOCOL: Protocol = Protocol {
    name: NAME,
    transport: Transport::Udp,
    sees: SEES,
    probe,
    start: || Box::<Session>::default(),
    begins: Begins::AtTheStart,
    patience: Patience::Usual,
};

const NAME: &str = "ipsec";
/// For the documentation, of ESP without UDP too.
pub(super) const SEES: &str = "IKE 1 and 2: version, exchange, the vendors that name themselves; ESP, in UDP or directly over IP";
/// Where ESP may stand in IKE's place (RFC 3948).
const NAT_TRAVERSAL: u16 = 4500;

fn is_esp_port(flow: &FlowRef) -> bool {
    [flow.orig.port, flow.resp.port].contains(&NAT_TRAVERSAL)
}

fn probe(opening: &Opening<'_>) -> Probe {
    let unmarked = opening
        .octets
        .strip_prefix(ike::MARKER)
        .unwrap_or(opening.octets);
    let esp = is_esp_port(opening.flow) && ike::esp_in_udp(opening.octets).is_some();
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
        match self.wire.feed(from, octets, is_esp_port(emit.flow())) {
            Ok(None) => Progress::More(octets.len()),
            Ok(Some(known)) => {
                emit.fact(&self.frames, Fact::Marks(marks(known)));
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

fn marks(known: Known) -> Marks {
    let (client, details) = match known {
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
    };
    Marks {
        protocol: NAME,
        client,
        details,
    }
}
