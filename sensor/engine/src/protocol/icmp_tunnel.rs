//! Tunnels inside ICMP's echo, by the marks of their tools: known by two messages that have the same.
//!
//! All echo between two hosts is one flow, so an honest ping may come first: the first [`MAX_MESSAGES`] are looked at.

use terrier_wire::icmp_tunnel::{self, Tool};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Protocol, Transport};

pub(super) const OVER_ICMP: Protocol = marks::over::<Echo<false>>(Transport::Icmp);
pub(super) const OVER_ICMP6: Protocol = marks::over::<Echo<true>>(Transport::Icmp6);

/// What was seen first, and from whom.
#[derive(Default)]
pub(super) struct Echo<const SIX: bool> {
    first: Option<(Side, Tool)>,
    messages: u8,
}

impl<const SIX: bool> Marked for Echo<SIX> {
    const NAME: &'static str = "icmp_echo";
    const SEES: &'static str = "echo that carries a tunnel: IP packets, ptunnel, hans";

    fn opens(octets: &[u8]) -> Step<()> {
        if icmp_tunnel::is_echo(octets, SIX) {
            Step::Done((), octets.len())
        } else {
            Step::NotThisProtocol("no echo")
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        self.messages += 1;
        match (icmp_tunnel::tunnelled(octets, SIX), self.first) {
            (Some(tool), Some((client, first))) if tool == first => {
                return Reading::Known(Mark {
                    protocol: Some("icmp_tunnel"),
                    ..Mark::new(client, vec![("inside", tool.name().to_owned())])
                });
            }
            (Some(tool), _) => self.first = Some((from, tool)),
            (None, _) => {}
        }
        if self.messages < MAX_MESSAGES {
            Reading::More(octets.len())
        } else {
            Reading::Over
        }
    }
}

/// A monitor pings for ever; a tunnel is busy from its start.
const MAX_MESSAGES: u8 = 64;
