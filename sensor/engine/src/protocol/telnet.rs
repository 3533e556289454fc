//! Telnet over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `telnet`.

use terrier_wire::telnet;
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Details, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Telnet>();

#[derive(Default)]
pub(super) struct Telnet(telnet::Session);

impl Marked for Telnet {
    const NAME: &'static str = "telnet";
    const SEES: &'static str = "telnet, by its negotiation";

    fn opens(octets: &[u8]) -> Step<()> {
        telnet::opening(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match self.0.feed(from, octets) {
            Err(violation) => Reading::Refused(violation.0),
            Ok(_) if self.0.told() => Reading::Known(self.mark()),
            Ok(_) if self.0.is_hopeless() => match self.end() {
                Some(mark) => Reading::Known(mark),
                None => Reading::Refused("one side of telnet"),
            },
            Ok(used) => Reading::More(used),
        }
    }

    fn end(&mut self) -> Option<Mark> {
        self.0.told_by_one().then(|| self.mark())
    }
}

impl Telnet {
    fn mark(&self) -> Mark {
        let client = self.0.server().map_or(Side::Originator, Side::other);
        Mark::new(client, Details::new())
    }
}
