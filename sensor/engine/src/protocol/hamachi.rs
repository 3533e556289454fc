//! LogMeIn Hamachi over TCP and UDP, on any port: [`Fact::Marks`](crate::observation::Fact::Marks) `hamachi`.

use terrier_wire::hamachi::{self, Datagram};
use terrier_wire::{Side, Step};

use super::marks::{self, Details, Mark, Marked, Reading, Single, Speaker, Told};
use super::{Octets, Protocol, Shape};

/// For the documentation.
const SEES: &str = "Hamachi, by what it asks its server and by datagrams between peers";

pub(super) const OVER_TCP: Protocol = marks::over_tcp::<Single<Request>>();
pub(super) const OVER_UDP: Protocol = marks::over_udp::<Datagrams>();

pub(super) struct Request;

impl Told for Request {
    const NAME: &'static str = "hamachi";
    const SEES: &'static str = SEES;

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        hamachi::request(octets).map(|()| (Speaker::Client, vec![("seen", "request".to_owned())]))
    }
}

/// Datagrams behind a greeting: known when those of each side keep what they have in common, and the sides differ.
#[derive(Default)]
pub(super) struct Datagrams {
    constants: [Option<(u32, u16)>; 2],
    seen: u8,
}

impl Marked for Datagrams {
    const NAME: &'static str = "hamachi";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(0))])];

    fn opens(octets: &[u8]) -> Step<()> {
        match hamachi::datagram(octets) {
            Some(Datagram::Greeting) => Step::Done((), octets.len()),
            _ => Step::NotThisProtocol("no greeting of Hamachi"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let constant = match hamachi::datagram(octets) {
            Some(Datagram::Greeting) => return Reading::More(octets.len()),
            Some(Datagram::Data { constant }) => constant,
            None => return Reading::Mistaken,
        };
        let [originator, responder] = &mut self.constants;
        let (own, other) = match from {
            Side::Originator => (originator, responder),
            Side::Responder => (responder, originator),
        };
        let differs = other.is_none_or(|(a, b)| a != constant.0 && b != constant.1);
        if own.is_some_and(|own| own != constant) || !differs {
            return Reading::Mistaken;
        }
        *own = Some(constant);
        self.seen = self.seen.saturating_add(1);
        if self.seen >= ENOUGH && other.is_some() {
            let details = vec![("seen", "datagrams".to_owned())];
            return Reading::Known(Mark::new(Side::Originator, details));
        }
        Reading::More(octets.len())
    }
}

/// Three of two sides: six octets of one side came again, and the number's upper half was zero thrice.
const ENOUGH: u8 = 3;
