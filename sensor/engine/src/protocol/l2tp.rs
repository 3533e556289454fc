//! L2TP's control messages over UDP, on any port: known once the server has answered, or a side alone goes on.

use terrier_wire::l2tp::{self, Control, MessageType};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<L2tp>();

/// What each side said first.
#[derive(Default)]
pub(super) struct L2tp([Option<Control>; 2]);

impl Marked for L2tp {
    const NAME: &'static str = "l2tp";
    const SEES: &'static str =
        "L2TP version 2, and 3 over UDP: host and vendor that the two sides name";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(0xc8))])];

    fn opens(octets: &[u8]) -> Step<()> {
        match l2tp::control(octets) {
            Some(_) => Step::Done((), octets.len()),
            None => Step::NotThisProtocol("no control message of L2TP"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        // A mere acknowledgement has no attributes; data may come between.
        let Some(control) = l2tp::control(octets) else {
            return Reading::More(octets.len());
        };
        let answers = control.tunnel != 0;
        let by_client = match control.kind {
            MessageType::SCCRQ | MessageType::SCCCN => Some(true),
            MessageType::SCCRP => Some(false),
            _ => None,
        };
        let own = &mut self.0[from.index()];
        if own.is_none() {
            *own = Some(control);
        }
        // Who addresses a tunnel was given its number by the other side.
        if !answers {
            return Reading::More(octets.len());
        }
        let client = match by_client {
            Some(true) => from,
            Some(false) => from.other(),
            None => Side::Originator,
        };
        Reading::Known(Mark::new(client, self.details(client)))
    }
}

impl L2tp {
    fn details(&self, client: Side) -> marks::Details {
        let mut details = Vec::new();
        for (side, host, vendor) in [
            (client, "client_host", "client_vendor"),
            (client.other(), "server_host", "server_vendor"),
        ] {
            let Some(control) = &self.0[side.index()] else {
                continue;
            };
            for (field, value) in [(host, &control.host), (vendor, &control.vendor)] {
                if let Some(value) = value.as_ref().filter(|value| !value.is_empty()) {
                    details.push((field, value.clone()));
                }
            }
        }
        details
    }
}
