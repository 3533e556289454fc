//! frp over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `frp`. Where one octet stands before TLS,
//! the TLS behind it is read too.

use terrier_wire::frp::{self, Opening};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Details, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Frp>();

#[derive(Default)]
pub(super) struct Frp;

impl Marked for Frp {
    const NAME: &'static str = "frp";
    const SEES: &'static str =
        "frp in clear: version, system and architecture of the agent; also inside yamux";

    fn opens(octets: &[u8]) -> Step<()> {
        frp::opening(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match frp::opening(octets) {
            Step::Done(Opening::BeforeTls, used) => {
                Reading::Carries(used, Mark::new(from, details(&Opening::BeforeTls)))
            }
            Step::Done(opening, _) => Reading::Known(Mark::new(from, details(&opening))),
            // The server's octets, while the agent's still wait to be fed.
            Step::NeedMore(_) | Step::NotThisProtocol(_) => Reading::More(0),
        }
    }
}

/// What an opening tells, for records.
pub(super) fn details(opening: &Opening) -> Details {
    let form = match opening {
        Opening::BeforeTls => "tls",
        Opening::Second => "v2",
        Opening::Login(_) | Opening::Other => "v1",
    };
    let mut details = vec![("form", form.to_owned())];
    if let Opening::Login(login) = opening {
        let told = [
            ("version", &login.version),
            ("os", &login.system),
            ("arch", &login.architecture),
        ];
        let told = told
            .into_iter()
            .filter_map(|(field, text)| Some((field, text.clone()?)));
        details.extend(told);
    }
    details
}
