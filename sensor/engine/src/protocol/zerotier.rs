//! ZeroTier over UDP, on any port, by its greeting.

use terrier_wire::{Step, zerotier};

use super::marks::{self, Details, Single, Speaker, Told};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<Single<ZeroTier>>();

pub(super) struct ZeroTier;

impl Told for ZeroTier {
    const NAME: &'static str = "zerotier";
    const SEES: &'static str = "ZeroTier: version and address of who greets";
    /// The verb.
    const SHAPES: &'static [Shape] = &[Shape::at(&[(27, Octets::of(1))])];

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        let Some(hello) = zerotier::hello(octets) else {
            return Step::NotThisProtocol("no greeting of ZeroTier");
        };
        let (major, minor, revision) = hello.version;
        let details = vec![
            ("version", format!("{major}.{minor}.{revision}")),
            ("address", format!("{:010x}", hello.address)),
        ];
        Step::Done((Speaker::Either, details), octets.len())
    }
}
