//! TeamViewer over TCP and UDP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `teamviewer`.

use terrier_wire::teamviewer::{self, Generation};
use terrier_wire::{Side, Step};

use super::marks::{self, Details, Mark, Marked, Reading, Single, Speaker, Told};
use super::{Octets, Protocol, Shape};

/// For the documentation.
const SEES: &str = "TeamViewer, by its frames";

pub(super) const OVER_TCP: Protocol = marks::over_tcp::<Single<Stream>>();
pub(super) const OVER_UDP: Protocol = marks::over_udp::<Datagrams>();

pub(super) struct Stream;

impl Told for Stream {
    const NAME: &'static str = "teamviewer";
    const SEES: &'static str = SEES;

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        teamviewer::opening(octets).map(|generation| {
            let frames = match generation {
                Generation::First => "1724",
                Generation::Second => "1130",
            };
            (Speaker::Either, vec![("frames", frames.to_owned())])
        })
    }
}

/// One datagram has few marks: it takes several.
#[derive(Default)]
pub(super) struct Datagrams {
    marked: u8,
    seen: u8,
}

impl Marked for Datagrams {
    const NAME: &'static str = "teamviewer";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(0))])];

    fn opens(octets: &[u8]) -> Step<()> {
        if teamviewer::is_datagram(octets) {
            Step::Done((), octets.len())
        } else {
            Step::NotThisProtocol("no datagram of TeamViewer")
        }
    }

    fn read(&mut self, _: Side, octets: &[u8]) -> Reading {
        self.seen = self.seen.saturating_add(1);
        self.marked += u8::from(teamviewer::is_datagram(octets));
        if self.marked >= ENOUGH {
            Reading::Known(Mark::new(Side::Originator, Details::new()))
        } else if self.seen >= MOST {
            Reading::Mistaken
        } else {
            Reading::More(octets.len())
        }
    }
}

/// By chance one datagram of some millions has the marks; so many in one flow have not.
const ENOUGH: u8 = 2;
const MOST: u8 = 10;
