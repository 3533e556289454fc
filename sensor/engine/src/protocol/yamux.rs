//! yamux in clear over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `frp` where the first stream
//! begins with a message of frp, else `yamux` once both sides speak it.

use terrier_wire::yamux::{self, Event};
use terrier_wire::{Side, Step, frp};

use super::Protocol;
use super::frp::details;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<Yamux>();

#[derive(Default)]
pub(super) struct Yamux {
    wire: yamux::Session,
    /// Nothing that is known stands in the first stream.
    unknown: bool,
    /// Who opened the first stream, once both sides have spoken.
    opener: Option<Side>,
}

impl Marked for Yamux {
    const NAME: &'static str = "yamux";
    const SEES: &'static str = "streams of yamux, and who opens them (agents written in Go)";

    fn opens(octets: &[u8]) -> Step<()> {
        yamux::opening(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let (mut known, unknown, opener) = (None, &mut self.unknown, &mut self.opener);
        let used = self.wire.feed(from, octets, |event| match event {
            Event::First(side, first) if !*unknown => match frp::opening(first) {
                Step::Done(opening, _) => known = Some((side, opening)),
                Step::NeedMore(_) => {}
                Step::NotThisProtocol(_) => *unknown = true,
            },
            Event::First(..) => {}
            Event::Told(side) => *opener = Some(side),
        });
        if self.unknown {
            self.wire.looked_at();
        }
        match (used, known) {
            (_, Some((side, opening))) => Reading::Known(Mark {
                protocol: Some("frp"),
                ..Mark::new(side, details(&opening))
            }),
            (Err(violation), None) => Reading::Refused(violation.0),
            (Ok(used), None) => match self.end() {
                Some(mark) if self.unknown => Reading::Known(mark),
                _ => Reading::More(used),
            },
        }
    }

    /// The agent of a tunnel dials out, whichever side opens the streams.
    fn end(&mut self) -> Option<Mark> {
        let opener = match self.opener? {
            Side::Originator => "orig",
            Side::Responder => "resp",
        };
        let details = vec![("streams_opened_by", opener.to_owned())];
        Some(Mark::new(Side::Originator, details))
    }
}
