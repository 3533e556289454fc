//! n2n over UDP, on any port: known when a supernode's answer repeats the community that a node registered in.

use terrier_wire::n2n::{self, PacketType};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{Octets, Protocol, Shape};

pub(super) const PROTOCOL: Protocol = marks::over_udp::<N2n>();

/// Who registered, and where.
#[derive(Default)]
pub(super) struct N2n(Option<(Side, n2n::Header)>);

impl Marked for N2n {
    const NAME: &'static str = "n2n";
    const SEES: &'static str = "n2n: community and version";
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::among(&[1, 2, 3]))])];

    fn opens(octets: &[u8]) -> Step<()> {
        match n2n::header(octets) {
            Some(header) if header.kind == PacketType::REGISTER_SUPER => {
                Step::Done((), octets.len())
            }
            _ => Step::NotThisProtocol("no registration of n2n"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let Some(header) = n2n::header(octets) else {
            return Reading::Mistaken;
        };
        if header.kind == PacketType::REGISTER_SUPER {
            self.0 = Some((from, header));
            return Reading::More(octets.len());
        }
        match &self.0 {
            Some((client, asked))
                if *client != from
                    && asked.community == header.community
                    && asked.version == header.version =>
            {
                let details = vec![
                    ("community", header.community),
                    ("version", header.version.to_string()),
                ];
                Reading::Known(Mark::new(*client, details))
            }
            _ => Reading::Mistaken,
        }
    }
}
