//! The PROXY protocol over TCP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `proxy_protocol`, and what it
//! carries.

use terrier_wire::proxy_protocol;
use terrier_wire::{Side, Step};

use super::Protocol;
use super::marks::{self, Mark, Marked, Reading};

pub(super) const PROTOCOL: Protocol = marks::over_tcp::<ProxyProtocol>();

#[derive(Default)]
pub(super) struct ProxyProtocol;

impl Marked for ProxyProtocol {
    const NAME: &'static str = "proxy_protocol";
    const SEES: &'static str =
        "the PROXY protocol of load balancers: the client's address; what it carries";

    fn opens(octets: &[u8]) -> Step<()> {
        proxy_protocol::header(octets).map(|_| ())
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let Step::Done(header, used) = proxy_protocol::header(octets) else {
            // The other side's octets wait for what is carried.
            return Reading::More(0);
        };
        let mut details = vec![("version", header.version.to_string())];
        if let Some((source, destination)) = header.ends {
            for (name, (address, port)) in [("source", source), ("destination", destination)] {
                details.push((name, std::net::SocketAddr::new(address, port).to_string()));
            }
        }
        Reading::Carries(used, Mark::new(from, details))
    }
}
