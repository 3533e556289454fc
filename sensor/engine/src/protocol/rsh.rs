//! rsh, rexec and rlogin over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `rsh` or `rlogin`.

use terrier_wire::rsh::{self, Request};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Rsh>();

const TEXT: Octets = Octets::of(0).or(Octets::between(0x21, 0x7e));

#[derive(Default)]
pub(super) struct Rsh(rsh::Session);

impl Marked for Rsh {
    const NAME: &'static str = "rsh";
    const SEES: &'static str = "rsh, rexec and rlogin: whether the server agreed";
    /// Digits or a name, or the zero behind them.
    const SHAPES: &'static [Shape] = &[Shape::at(&[(1, TEXT), (2, TEXT)])];

    fn opens(octets: &[u8]) -> Step<()> {
        rsh::request(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let used = match self.0.feed(from, octets) {
            Ok(used) => used,
            Err(violation) => return Reading::Refused(violation.0),
        };
        let Some((client, request, granted)) = self.0.told() else {
            return Reading::More(used);
        };
        // A log-in behind it may still fail.
        let answer = if granted { "ok" } else { "error" };
        Reading::Known(Mark {
            protocol: Some(match request {
                Request::Command => "rsh",
                Request::Login => "rlogin",
            }),
            ..Mark::new(client, vec![("answer", answer.to_owned())])
        })
    }
}
