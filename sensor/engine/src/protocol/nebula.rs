//! Nebula over UDP, on any port: known by the handshake, whose first message has 16 octets that never change: who sends it
//! runs Nebula, also where nobody answers.

use terrier_wire::nebula::{self, Handshake};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<Nebula>();

/// Who began.
#[derive(Default)]
pub(super) struct Nebula(Option<Side>);

impl Marked for Nebula {
    const NAME: &'static str = "nebula";
    const SEES: &'static str = "Nebula, by its handshake: whether it was answered";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(0x10))])];

    fn opens(octets: &[u8]) -> Step<()> {
        match nebula::handshake(octets) {
            Some(Handshake::First) => Step::Done((), octets.len()),
            Some(Handshake::Second) | None => Step::NotThisProtocol("no handshake of Nebula"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match (nebula::handshake(octets), self.0) {
            // Both may begin at once, through their NATs.
            (Some(Handshake::First), _) => {
                self.0.get_or_insert(from);
                Reading::More(octets.len())
            }
            (Some(Handshake::Second), Some(_)) => Reading::Known(mark(from.other(), true)),
            _ => Reading::Mistaken,
        }
    }

    fn end(&mut self) -> Option<Mark> {
        self.0.map(|client| mark(client, false))
    }
}

fn mark(client: Side, answered: bool) -> Mark {
    Mark::new(client, vec![("answered", answered.to_string())])
}
