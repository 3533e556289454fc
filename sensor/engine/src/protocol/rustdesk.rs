//! RustDesk's rendezvous and relay over TCP and UDP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks)
//! `rustdesk`.

use terrier_wire::Step;
use terrier_wire::rustdesk::{self, Message, Sender};

use super::Protocol;
use super::marks::{self, Details, Single, Speaker, Told};

/// For the documentation.
const SEES: &str = "RustDesk: what is asked of or told by its rendezvous and relay servers";

pub(super) const OVER_TCP: Protocol = marks::over_tcp::<Single<Stream>>();
pub(super) const OVER_UDP: Protocol = marks::over_udp::<Single<Datagram>>();

pub(super) struct Stream;

impl Told for Stream {
    const NAME: &'static str = "rustdesk";
    const SEES: &'static str = SEES;

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        rustdesk::opening(octets).map(tell)
    }
}

pub(super) struct Datagram;

impl Told for Datagram {
    const NAME: &'static str = "rustdesk";
    const SEES: &'static str = SEES;

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        rustdesk::datagram(octets).map_or(
            Step::NotThisProtocol("no datagram of RustDesk"),
            |message| Step::Done(tell(message), octets.len()),
        )
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
