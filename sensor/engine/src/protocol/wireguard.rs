//! WireGuard over UDP, on any port: one [`Fact::Marks`](crate::observation::Fact::Marks) once both sides fit together.
//!
//! Cloudflare WARP and TunnelBear write its messages otherwise and are records of their own.

use terrier_wire::wireguard::{self, Dialect};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<WireGuard>();

#[derive(Default)]
pub(super) struct WireGuard(wireguard::Session);

impl Marked for WireGuard {
    const NAME: &'static str = "wireguard";
    const SEES: &'static str = "WireGuard, Cloudflare WARP and TunnelBear, by handshake or data";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(
        0,
        Octets::among(&[1, 2, 3, 4, 0xc1, 0xc2, 0xc4]),
    )])];

    fn opens(octets: &[u8]) -> Step<()> {
        match wireguard::message(octets) {
            Some(_) => Step::Done((), octets.len()),
            None => Step::NotThisProtocol("no WireGuard message"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match self.0.feed(from, octets) {
            Ok(None) => Reading::More(octets.len()),
            Ok(Some(known)) => {
                let seen = if known.initiator.is_some() {
                    "handshake"
                } else {
                    "transport"
                };
                let client = known.initiator.unwrap_or(Side::Originator);
                Reading::Known(Mark {
                    protocol: Some(match known.dialect {
                        Dialect::Plain => Self::NAME,
                        Dialect::WarpTypes | Dialect::WarpReserved => "cloudflare_warp",
                        Dialect::TunnelBear => "tunnelbear",
                    }),
                    ..Mark::new(client, vec![("seen", seen.to_owned())])
                })
            }
            Err(_) => Reading::Mistaken,
        }
    }
}
