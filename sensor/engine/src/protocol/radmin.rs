//! Radmin over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `radmin`.

use terrier_wire::Step;
use terrier_wire::radmin::{self, Message};

use super::Protocol;
use super::marks::{self, Details, Single, Speaker, Told};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Single<Radmin>>();

pub(super) struct Radmin;

impl Told for Radmin {
    const NAME: &'static str = "radmin";
    const SEES: &'static str = "Radmin, by its handshake";

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        radmin::opening(octets).map(|message| {
            let (speaker, said) = match message {
                Message::Hello => (Speaker::Client, "hello"),
                Message::Welcome => (Speaker::Server, "welcome"),
                Message::Other(_) => (Speaker::Either, "other"),
            };
            (speaker, vec![("message", said.to_owned())])
        })
    }
}
