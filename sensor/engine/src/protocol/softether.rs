//! SoftEther's NAT traversal over UDP, on any port.

use terrier_wire::Step;
use terrier_wire::softether::{self, Message};

use super::Protocol;
use super::marks::{self, Details, Single, Speaker, Told};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<Single<SoftEther>>();

pub(super) struct SoftEther;

impl Told for SoftEther {
    const NAME: &'static str = "softether";
    const SEES: &'static str = "SoftEther: what is asked of the project's servers over UDP";

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        let told = match softether::message(octets) {
            Some(Message::Address) => (Speaker::Server, "address", None),
            Some(Message::Pack { client: true, name }) => (Speaker::Client, "pack", name),
            Some(Message::Pack { name, .. }) => (Speaker::Server, "pack", name),
            None => return Step::NotThisProtocol("no NAT traversal of SoftEther"),
        };
        let (speaker, message, name) = told;
        let mut details = vec![("message", message.to_owned())];
        details.extend(name.map(|name| ("name", name)));
        Step::Done((speaker, details), octets.len())
    }
}
