//! Cisco AnyConnect's tunnel over UDP, on any port, by its hello.

use terrier_wire::Step;
use terrier_wire::anyconnect::{self, Hello};

use super::marks::{self, Details, Single, Speaker, Told};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<Single<AnyConnect>>();

pub(super) struct AnyConnect;

impl Told for AnyConnect {
    const NAME: &'static str = "anyconnect";
    const SEES: &'static str = "AnyConnect's DTLS from before RFC 4347";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(22))])];

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        let speaker = match anyconnect::hello(octets) {
            Some(Hello::Client) => Speaker::Client,
            Some(Hello::Server) => Speaker::Server,
            None => return Step::NotThisProtocol("no hello of AnyConnect"),
        };
        Step::Done((speaker, Vec::new()), octets.len())
    }
}
