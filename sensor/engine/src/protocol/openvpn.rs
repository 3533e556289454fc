//! OpenVPN over UDP and TCP, on any port: one `openvpn` fact once both sides fit together, and the TLS session of the
//! control channel where it is in clear, as if it stood alone.
//!
//! The session inside is TLS and nothing else, so it is fed to that decoder and no other: what it carries in turn is
//! encrypted, and no chain of carriers can be built.

use terrier_wire::openvpn::{self, Known, Message, Scrambled, Wrap};
use terrier_wire::{Side, Step};

use super::marks::{self, Mark, Marked, Reading};
use super::{
    Begins, Emit, LENGTH, Octets, Opening, Patience, Probe, Progress, Protocol, Session as _,
    Shape, tls,
};
use crate::observation::{Fact, Frames, Marks, Transport};

/// For the documentation.
const SEES: &str = "how packets are wrapped (none, tls-auth, tls-crypt, tls-crypt-v2, scrambled); the TLS session inside where it is in clear";

pub(super) const OVER_UDP: Protocol = Protocol {
    name: NAME,
    transport: Transport::Udp,
    sees: SEES,
    probe: probe_datagram,
    start: || Box::new(Session::over(Transport::Udp)),
    begins: Begins::AtTheStart,
    shapes: DATAGRAMS,
    patience: Patience::Usual,
};

pub(super) const OVER_TCP: Protocol = Protocol {
    name: NAME,
    transport: Transport::Tcp,
    sees: SEES,
    probe: probe_stream,
    start: || Box::new(Session::over(Transport::Tcp)),
    begins: Begins::AtTheStart,
    shapes: &[Shape::at(&[(2, RESETS)])],
    patience: Patience::Usual,
};

pub(super) const SCRAMBLED_UDP: Protocol = marks::over_udp::<ScrambledDatagrams>();
pub(super) const SCRAMBLED_TCP: Protocol = marks::over_tcp::<ScrambledStream>();

const NAME: &str = "openvpn";

/// The opcodes of resets, with key 0.
const RESETS: Octets = Octets::among(&[7 << 3, 8 << 3, 10 << 3]);

/// A reset, or data with the number of one of few peers.
const DATAGRAMS: &[Shape] = &[
    Shape::at(&[(0, RESETS)]),
    Shape::at(&[(0, Octets::masked(0xf8, 9 << 3)), (1, Octets::of(0))]),
];

fn probe_datagram(opening: &Opening<'_>) -> Probe {
    let packet = opening.octets;
    if openvpn::reset(packet).is_some() || openvpn::data(packet).is_some() {
        Probe::Yes
    } else {
        Probe::No
    }
}

fn probe_stream(opening: &Opening<'_>) -> Probe {
    // Length, then the opcode of a reset: most streams are refused by the third octet.
    let &[high, low, first, ..] = opening.octets else {
        return Probe::Maybe;
    };
    let reset = matches!(openvpn::Opcode::of(first), (openvpn::Opcode(7..=8 | 10), 0));
    if !reset || u16::from_be_bytes([high, low]) > MAX_RESET {
        return Probe::No;
    }
    match openvpn::framed(opening.octets) {
        Step::Done(packet, _) if openvpn::reset(packet).is_some() => Probe::Yes,
        Step::NeedMore(_) => Probe::Maybe,
        Step::Done(..) | Step::NotThisProtocol(_) => Probe::No,
    }
}

/// One flow.
struct Session {
    transport: Transport,
    wire: openvpn::Session,
    /// The TLS session inside, while it has something to say.
    inner: Option<tls::Session>,
    frames: Frames,
    /// Packets of the control channel since it is known.
    packets: u32,
}

impl Session {
    fn over(transport: Transport) -> Self {
        Self {
            transport,
            wire: openvpn::Session::default(),
            inner: Some(tls::Session::inside(None)),
            frames: Frames::default(),
            packets: 0,
        }
    }

    fn packet(&mut self, from: Side, packet: &[u8], emit: &mut Emit<'_>) -> Progress {
        let (inner, frames) = (&mut self.inner, &mut self.frames);
        if !self.wire.is_known() {
            emit.note(frames);
        }
        let read = self.wire.feed(from, packet, |message| match message {
            Message::Known(known) => emit.fact(frames, Fact::Marks(marks_of(known))),
            Message::Tls(octets) => {
                let said = inner.as_mut().map(|tls| tls.feed(from, octets, emit));
                if !matches!(said, Some(Progress::More(_)) | None) {
                    *inner = None;
                }
            }
        });
        if self.wire.is_known() {
            self.packets += 1;
        }
        let known = self.wire.is_known();
        match read {
            // Nobody has said that it is OpenVPN: a guess of one packet.
            Err(_) if !known && self.transport == Transport::Udp => Progress::Carries(packet.len()),
            Err(violation) => {
                self.end(emit);
                Progress::Violated(violation.0)
            }
            Ok(()) if !known => Progress::More(packet.len()),
            Ok(())
                if self.wire.is_clear() && self.inner.is_some() && self.packets < MAX_PACKETS =>
            {
                Progress::More(packet.len())
            }
            Ok(()) => {
                self.end(emit);
                Progress::Finished
            }
        }
    }
}

impl super::Session for Session {
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress {
        if self.transport == Transport::Udp {
            return self.packet(from, octets, emit);
        }
        let mut used = 0;
        while let Step::Done(packet, length) =
            openvpn::framed(octets.get(used..).unwrap_or_default())
        {
            match self.packet(from, packet, emit) {
                Progress::More(_) => used += length,
                other => return other,
            }
        }
        Progress::More(used)
    }

    fn gap(&mut self, _: Side, _: u64, emit: &mut Emit<'_>) -> Progress {
        self.end(emit);
        Progress::Finished
    }

    fn held(&self) -> usize {
        self.wire.held() + self.inner.as_ref().map_or(0, tls::Session::held)
    }

    fn end(&mut self, emit: &mut Emit<'_>) {
        if let Some(inner) = &mut self.inner {
            inner.end(emit);
        }
    }
}

fn marks_of(known: Known) -> Marks {
    Marks {
        protocol: NAME,
        client: known.client.unwrap_or(Side::Originator),
        details: vec![match known.wrap {
            Some(wrap) => ("wrapping", Wrap::name(wrap).to_owned()),
            None => ("seen", "data".to_owned()),
        }],
    }
}

/// The longest hard reset that is read: a wrapped key may have 1024 octets.
const MAX_RESET: u16 = 1200;
/// Packets after which the TLS session inside has said what it will say: a chain of certificates in small pieces, with all
/// acknowledgements, and data where the hello was lost.
const MAX_PACKETS: u32 = 200;

/// Scrambled packets, a datagram each. Any datagram of a reset's length may be one, so this is asked last.
#[derive(Default)]
pub(super) struct ScrambledDatagrams(Scrambled);

impl Marked for ScrambledDatagrams {
    const NAME: &'static str = NAME;
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[(LENGTH, Octets::among(&Scrambled::LENGTHS))])];

    fn opens(octets: &[u8]) -> Step<()> {
        if Scrambled::opens(octets) {
            Step::Done((), octets.len())
        } else {
            Step::NotThisProtocol("no scrambled reset")
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        match self.0.feed(from, octets) {
            Ok(Some(client)) => Reading::Known(scrambled(client)),
            Ok(None) => Reading::More(octets.len()),
            Err(_) => Reading::Mistaken,
        }
    }
}

/// Scrambled packets with a length before each.
#[derive(Default)]
pub(super) struct ScrambledStream(Scrambled);

impl Marked for ScrambledStream {
    const NAME: &'static str = NAME;
    const SEES: &'static str = SEES;
    const SHAPES: &'static [Shape] = &[Shape::at(&[
        (0, Octets::of(0)),
        (1, Octets::between(0, MAX_SCRAMBLED as u8)),
    ])];

    fn opens(octets: &[u8]) -> Step<()> {
        match openvpn::framed(octets) {
            // Nothing follows a reset before its answer.
            Step::Done(packet, used) if used == octets.len() && Scrambled::opens(packet) => {
                Step::Done((), used)
            }
            Step::NeedMore(missing) if octets.len() + missing <= 2 + MAX_SCRAMBLED => {
                Step::NeedMore(missing)
            }
            _ => Step::NotThisProtocol("no scrambled reset"),
        }
    }

    fn read(&mut self, from: Side, octets: &[u8]) -> Reading {
        let mut used = 0;
        while let Step::Done(packet, length) =
            openvpn::framed(octets.get(used..).unwrap_or_default())
        {
            match self.0.feed(from, packet) {
                Ok(Some(client)) => return Reading::Known(scrambled(client)),
                Ok(None) => used += length,
                Err(_) => return Reading::Mistaken,
            }
        }
        Reading::More(used)
    }
}

fn scrambled(client: Side) -> Mark {
    Mark::new(client, vec![("wrapping", "scrambled".to_owned())])
}

/// The longest reset under the patch.
const MAX_SCRAMBLED: usize = 86;
