//! xpra in clear over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `xpra`.

use terrier_wire::xpra;
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Xpra>();

#[derive(Default)]
pub(super) struct Xpra(xpra::Session);

impl Marked for Xpra {
    const NAME: &'static str = "xpra";
    const SEES: &'static str = "xpra in clear, by the hello of both sides";

    fn opens(octets: &[u8]) -> Step<()> {
        xpra::hello(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match self.0.feed(from, octets) {
            Err(violation) => Reading::Refused(violation.0),
            Ok(used) => match self.0.told() {
                Some(client) => Reading::Known(Mark::new(client, Vec::new())),
                None => Reading::More(used),
            },
        }
    }
}
