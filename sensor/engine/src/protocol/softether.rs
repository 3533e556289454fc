//! SoftEther's NAT traversal over UDP, on any port: a pack, or an address behind the octet that asks for it.

use terrier_wire::softether::{self, Message};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<SoftEther>();

/// Who asked for its address.
#[derive(Default)]
pub(super) struct SoftEther(Option<Side>);

impl Marked for SoftEther {
    const NAME: &'static str = "softether";
    const SEES: &'static str = "SoftEther: what is asked of the project's servers over UDP";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, FIRSTS)])];

    fn opens(octets: &[u8]) -> Step<()> {
        if octets == ASKED || softether::message(octets).is_some() {
            Step::Done((), octets.len())
        } else {
            Step::NotThisProtocol("no NAT traversal of SoftEther")
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        if octets == ASKED {
            self.0 = Some(from);
            return Reading::More(octets.len());
        }
        let (client, message, name) = match softether::message(octets) {
            // Others announce addresses in the same words, but nobody asks them so.
            Some(Message::Address) if self.0 != Some(from.other()) => {
                return Reading::More(octets.len());
            }
            Some(Message::Address) => (from.other(), "address", None),
            Some(Message::Pack { client: true, name }) => (from, "pack", name),
            Some(Message::Pack { name, .. }) => (from.other(), "pack", name),
            None => return Reading::Mistaken,
        };
        let mut details = vec![("message", message.to_owned())];
        details.extend(name.map(|name| ("name", name)));
        Reading::Known(Mark::new(client, details))
    }
}

const ASKED: &[u8] = b"A";
/// That, the `I` of an address, and the highest octet of a count.
const FIRSTS: Octets = Octets::of(b'A').or(Octets::of(b'I')).or(Octets::of(0));
