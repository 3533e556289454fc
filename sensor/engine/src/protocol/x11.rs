//! X11 over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `x11`, with what the server answered.

use terrier_wire::x11::{self, Answer};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<X11>();

#[derive(Default)]
pub(super) struct X11(x11::Session);

impl Marked for X11 {
    const NAME: &'static str = "x11";
    const SEES: &'static str =
        "X11: whether a client was let in, by which authorization, the server's vendor";

    fn opens(octets: &[u8]) -> Step<()> {
        x11::set_up(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match self.0.feed(from, octets) {
            Err(violation) => Reading::Refused(violation.0),
            Ok(used) if self.0.answer().is_none() => Reading::More(used),
            Ok(used) => self.end().map_or(Reading::More(used), Reading::Known),
        }
    }

    /// Who got so far had a connection: an X server was there.
    fn end(&mut self) -> Option<Mark> {
        let (client, set_up) = self.0.client()?;
        let authorization = match set_up.authorization.as_str() {
            "" => "none",
            name => name,
        };
        let (answer, vendor) = match self.0.answer() {
            Some(Answer::Accepted { vendor }) => ("accepted", Some(vendor.clone())),
            Some(Answer::Refused) => ("refused", None),
            Some(Answer::More) => ("more", None),
            None => ("unseen", None),
        };
        let mut details = vec![
            ("authorization", authorization.to_owned()),
            ("answer", answer.to_owned()),
        ];
        details.extend(vendor.map(|vendor| ("vendor", vendor)));
        Some(Mark::new(client, details))
    }
}
