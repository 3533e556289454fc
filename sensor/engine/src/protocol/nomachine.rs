//! NoMachine over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `nomachine`; then TLS.

use terrier_wire::nomachine::{self, Role};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Details, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<NoMachine>();

#[derive(Default)]
pub(super) struct NoMachine {
    wire: nomachine::Session,
    client: Option<Side>,
    versions: Details,
}

impl Marked for NoMachine {
    const NAME: &'static str = "nomachine";
    const SEES: &'static str = "the greetings of both sides; the TLS behind them";

    fn opens(octets: &[u8]) -> Step<()> {
        nomachine::banner(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let (client, versions) = (&mut self.client, &mut self.versions);
        let used = self.wire.feed(from, octets, |side, banner| {
            let field = match banner.role {
                Role::Client => {
                    *client = Some(side);
                    "client_version"
                }
                Role::Server => {
                    client.get_or_insert(side.other());
                    "server_version"
                }
            };
            versions.push((field, banner.version));
        });
        match used {
            Err(violation) => Reading::Refused(violation.0),
            Ok(used) if self.wire.is_over() => {
                let mark = self.end();
                mark.map_or(Reading::More(used), |mark| Reading::Carries(used, mark))
            }
            Ok(used) => Reading::More(used),
        }
    }

    /// The line of one side leaves no doubt, should the other's not be in the capture.
    fn end(&mut self) -> Option<Mark> {
        let client = self.client?;
        Some(Mark::new(client, std::mem::take(&mut self.versions)))
    }
}
