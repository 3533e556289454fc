//! PPTP's control connection over TCP, on any port: known once the server has answered, or a side alone goes on.

use terrier_wire::pptp::{self, Kind, Start};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Pptp>();

/// What each side said first.
#[derive(Default)]
pub(super) struct Pptp([Option<Start>; 2]);

impl Marked for Pptp {
    const NAME: &'static str = "pptp";
    const SEES: &'static str = "PPTP: host and vendor that the two sides name";

    fn opens(octets: &[u8]) -> Step<()> {
        pptp::start(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let own = &mut self.0[from.index()];
        if own.is_some() {
            // A side that goes on was answered, whether the capture has that or not.
            return self.known(from);
        }
        match pptp::start(octets) {
            Step::Done(start, used) => {
                let answered = matches!(start.kind, Kind::Reply(_));
                *own = Some(start);
                if answered {
                    self.known(from)
                } else {
                    Reading::More(used)
                }
            }
            Step::NeedMore(_) => Reading::More(0),
            Step::NotThisProtocol(why) => Reading::Refused(why),
        }
    }
}

impl Pptp {
    fn known(&self, from: Side) -> Reading {
        let Some(start) = &self.0[from.index()] else {
            return Reading::More(0);
        };
        let client = start.client(from);
        let mut details = Vec::new();
        for (side, host, vendor) in [
            (client, "client_host", "client_vendor"),
            (client.other(), "server_host", "server_vendor"),
        ] {
            let Some(start) = &self.0[side.index()] else {
                continue;
            };
            for (field, value) in [(host, &start.host), (vendor, &start.vendor)] {
                if !value.is_empty() {
                    details.push((field, value.clone()));
                }
            }
        }
        Reading::Known(Mark::new(client, details))
    }
}
