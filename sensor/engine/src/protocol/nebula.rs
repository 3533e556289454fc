//! Nebula over UDP, on any port: known by both messages of a handshake.

use terrier_wire::nebula::{self, Handshake};
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<Nebula>();

/// Who began.
#[derive(Default)]
pub(super) struct Nebula(Option<Side>);

impl Marked for Nebula {
    const NAME: &'static str = "nebula";
    const SEES: &'static str = "Nebula, by its handshake";

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
            (Some(Handshake::Second), Some(_)) => {
                Reading::Known(Mark::new(from.other(), Vec::new()))
            }
            _ => Reading::Mistaken,
        }
    }
}
