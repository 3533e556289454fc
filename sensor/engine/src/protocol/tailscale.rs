//! Tailscale: disco over UDP on any port, and DERP's first frame where a relay speaks in clear.

use terrier_wire::{Step, tailscale};

use super::marks::{self, Details, Single, Speaker, Told};
use super::{Begins, Octets, Protocol, Shape};

/// For the documentation.
const SEES: &str = "Tailscale: disco, and DERP in clear";

pub(super) const DISCO: Protocol = marks::over_udp::<Single<Disco>>();

/// It follows the answer to an upgrade of HTTP, and what a client says first is encrypted.
pub(super) const DERP: Protocol = Protocol {
    begins: Begins::AtAnySegment,
    ..marks::over_tcp::<Single<Derp>>()
};

pub(super) struct Disco;

impl Told for Disco {
    const NAME: &'static str = "tailscale";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(b'T')), (1, Octets::of(b'S'))])];

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        if tailscale::disco(octets) {
            let details = vec![("message", "disco".to_owned())];
            Step::Done((Speaker::Either, details), octets.len())
        } else {
            Step::NotThisProtocol("no disco message")
        }
    }
}

pub(super) struct Derp;

impl Told for Derp {
    const NAME: &'static str = "tailscale";
    const SEES: &'static str = SEES;

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        tailscale::derp(octets).map(|()| {
            let details = vec![("message", "derp".to_owned())];
            (Speaker::Server, details)
        })
    }
}
