//! RustDesk's rendezvous and relay over TCP and UDP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks)
//! `rustdesk`.

use terrier_wire::rustdesk::{self, Message, Sender};
use terrier_wire::{Side, Step};

use super::marks::{self, Details, Mark, Marked, Reading, Single, Speaker, Told};
use super::{Octets, Protocol, Shape};

/// For the documentation.
const SEES: &str = "RustDesk: what is asked of or told by its rendezvous and relay servers";

pub(super) const OVER_TCP: Protocol = marks::over_tcp::<Single<Stream>>();
pub(super) const OVER_UDP: Protocol = marks::over_udp::<Datagrams>();

/// What the tag of a message's kind begins with: the kinds 6, 8, 10, 13, 15; of later ones it has two octets.
const TAGS: Octets = Octets::among(&[0x32, 0x42, 0x52, 0x6a, 0x7a]).or(Octets::masked(0x87, 0x82));

pub(super) struct Stream;

impl Told for Stream {
    const NAME: &'static str = "rustdesk";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[
        Shape::at(&[(0, Octets::masked(3, 0)), (1, TAGS)]),
        Shape::at(&[(0, Octets::masked(3, 1)), (2, TAGS)]),
    ];

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        rustdesk::opening(octets).map(tell)
    }
}

/// A registration that may be another service's message, until it is answered.
#[derive(Default)]
pub(super) struct Datagrams(Option<(Side, Message)>);

impl Marked for Datagrams {
    const NAME: &'static str = "rustdesk";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, TAGS)])];

    fn opens(octets: &[u8]) -> Step<()> {
        match rustdesk::datagram(octets) {
            Some(_) => Step::Done((), octets.len()),
            None => Step::NotThisProtocol("no datagram of RustDesk"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let known = match (rustdesk::datagram(octets), self.0.take()) {
            (Some(message), _) if message.stands_alone() => (from, message),
            (Some(message), _) => {
                self.0 = Some((from, message));
                return Reading::More(octets.len());
            }
            (None, Some((asker, message))) if asker != from && rustdesk::is_answer(octets) => {
                (asker, message)
            }
            (None, _) => return Reading::Mistaken,
        };
        let (sender, message) = known;
        let (speaker, details) = tell(message);
        let client = match speaker {
            Speaker::Server => sender.other(),
            Speaker::Client | Speaker::Either => sender,
        };
        Reading::Known(Mark::new(client, details))
    }
}

fn tell(message: Message) -> (Speaker, Details) {
    let speaker = match message.sender {
        Sender::Client => Speaker::Client,
        Sender::Server => Speaker::Server,
    };
    let id = message.id.map(|id| ("id", id));
    let details = std::iter::once(("message", message.kind.to_owned()));
    (speaker, details.chain(id).collect())
}
