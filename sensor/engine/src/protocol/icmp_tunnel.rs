//! Tunnels inside ICMP's echo, by the marks of their tools: known by two messages that have the same.

use terrier_wire::icmp_tunnel::{self, Tool};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Protocol, Transport};

pub(super) const OVER_ICMP: Protocol = marks::over::<Echo<false>>(Transport::Icmp);
pub(super) const OVER_ICMP6: Protocol = marks::over::<Echo<true>>(Transport::Icmp6);

/// What was seen first, and from whom.
#[derive(Default)]
pub(super) struct Echo<const SIX: bool>(Option<(Side, Tool)>);

impl<const SIX: bool> Marked for Echo<SIX> {
    const NAME: &'static str = "icmp_tunnel";

    fn opens(octets: &[u8]) -> Step<()> {
        match icmp_tunnel::tunnelled(octets, SIX) {
            Some(_) => Step::Done((), octets.len()),
            None => Step::NotThisProtocol("no tunnel inside an echo"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match (icmp_tunnel::tunnelled(octets, SIX), self.0) {
            (Some(tool), Some((client, first))) if tool == first => {
                Reading::Known(Mark::new(client, vec![("inside", tool.name().to_owned())]))
            }
            (Some(tool), _) => {
                self.0 = Some((from, tool));
                Reading::More(octets.len())
            }
            // An honest answer to a ping with the same addresses.
            (None, _) => Reading::More(octets.len()),
        }
    }
}
