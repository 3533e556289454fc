//! XDMCP over UDP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `xdmcp`, once a display manager has
//! answered or a terminal has gone on as after an answer. A query alone makes no fact: any scanner sends it.

use terrier_wire::xdmcp::{self, Operation};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<Xdmcp>();

#[derive(Default)]
pub(super) struct Xdmcp {
    strange: u8,
}

impl Marked for Xdmcp {
    const NAME: &'static str = "xdmcp";
    const SEES: &'static str = "XDMCP: operation, host and status";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(0)), (1, Octets::of(1))])];

    fn opens(octets: &[u8]) -> Step<()> {
        if xdmcp::message(octets).is_some() {
            Step::Done((), octets.len())
        } else {
            Step::NotThisProtocol("no message of XDMCP")
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let Some(message) = xdmcp::message(octets) else {
            self.strange += 1;
            return if self.strange > MAX_STRANGE {
                Reading::Mistaken
            } else {
                Reading::More(octets.len())
            };
        };
        let goes_on = matches!(
            message.operation,
            Operation::WILLING
                | Operation::UNWILLING
                | Operation::REQUEST
                | Operation::ACCEPT
                | Operation::DECLINE
                | Operation::MANAGE
        );
        if !goes_on || message.is_bare {
            return Reading::More(octets.len());
        }
        let client = if message.operation.is_from_display() {
            from
        } else {
            from.other()
        };
        let mut details = vec![("operation", message.operation.name().to_owned())];
        if let Some((host, status)) = message.host {
            details.extend([("host", host), ("status", status)]);
        }
        Reading::Known(Mark::new(client, details))
    }
}

const MAX_STRANGE: u8 = 2;
