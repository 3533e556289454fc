//! DNSCrypt over UDP and TCP, on any port, by a resolver's answer.

use terrier_wire::{Step, dnscrypt};

use super::marks::{self, Details, Single, Speaker, Told};
use super::{Octets, Protocol, Shape};

/// For the documentation.
const SEES: &str = "DNSCrypt, by a resolver's answer";

pub(super) const OVER_UDP: Protocol = marks::over_udp::<Single<Datagram>>();

pub(super) const OVER_TCP: Protocol = marks::over_tcp::<Single<Stream>>();

pub(super) struct Datagram;

impl Told for Datagram {
    const NAME: &'static str = "dnscrypt";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[(0, Octets::of(b'r')), (1, Octets::of(b'6'))])];

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        if dnscrypt::answer(octets) {
            Step::Done((Speaker::Server, Vec::new()), octets.len())
        } else {
            Step::NotThisProtocol("no answer of DNSCrypt")
        }
    }
}

pub(super) struct Stream;

impl Told for Stream {
    const NAME: &'static str = "dnscrypt";
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[
        (2, Octets::of(b'r')),
        (5, Octets::of(b'n')),
        (7, Octets::of(b'W')),
    ])];

    fn told(octets: &[u8]) -> Step<(Speaker, Details)> {
        dnscrypt::answer_over_tcp(octets).map(|()| (Speaker::Server, Vec::new()))
    }
}
