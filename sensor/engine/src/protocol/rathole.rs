//! rathole in clear over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `rathole`. What a visitor
//! says through a data channel is read too.

use terrier_wire::rathole::{self, Channel};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Rathole>();

#[derive(Default)]
pub(super) struct Rathole(rathole::Session);

impl Marked for Rathole {
    const NAME: &'static str = "rathole";
    const SEES: &'static str = "rathole in clear: control or data channel";

    fn opens(octets: &[u8]) -> Step<()> {
        rathole::hello(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let used = match self.0.feed(from, octets) {
            Ok(used) => used,
            Err(violation) => return Reading::Refused(violation.0),
        };
        let Some((client, channel)) = self.0.told() else {
            return Reading::More(used);
        };
        let channel = match channel {
            Channel::Control => "control",
            Channel::Data => "data",
        };
        let mark = Mark::new(client, vec![("channel", channel.to_owned())]);
        if self.0.carries() {
            Reading::Carries(used, mark)
        } else {
            Reading::Known(mark)
        }
    }
}
