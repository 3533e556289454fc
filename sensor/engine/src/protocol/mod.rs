//! Protocol sessions: ordered octets of a flow in, observations out. The registry is [`ALL`].

mod anyconnect;
mod dhcp;
mod dns;
mod dnscrypt;
mod dtls;
mod emit;
mod exchange;
mod frp;
mod hamachi;
mod http;
mod http2;
mod icmp_tunnel;
mod ike;
mod ipsec;
mod l2tp;
mod marks;
mod n2n;
mod nebula;
mod netbios;
mod nomachine;
mod openvpn;
mod pptp;
mod proxy_protocol;
mod quic;
mod radmin;
mod rathole;
mod rdp;
mod rdp_udp;
#[cfg(test)]
mod remote_tests;
mod rfb;
mod rsh;
mod rustdesk;
mod search;
mod shape;
mod socks;
mod softether;
mod ssdp;
mod ssh;
mod stun;
mod tailscale;
mod talk;
mod teamviewer;
mod telnet;
mod tinc;
mod tls;
mod websocket;
mod wireguard;
mod x11;
mod xdmcp;
mod xpra;
mod yamux;
mod zerotier;

use std::num::NonZeroU8;

use terrier_wire::Side;

use crate::observation::Transport;
pub(crate) use emit::{Emit, Tally};
pub(crate) use exchange::Exchange;
pub(crate) use search::{DatagramSearch, Found, StreamSearch, say_unknown};
pub(crate) use shape::Shape;
use shape::{LENGTH, Octets};
pub(crate) use talk::Talk;

/// One protocol as the worker knows it.
pub(crate) struct Protocol {
    /// Its name in counters.
    pub(crate) name: &'static str,
    /// Which transport it runs over.
    pub(crate) transport: Transport,
    /// What it tells, in a line of the documentation; rows of the same name say the same.
    pub(crate) sees: &'static str,
    /// Looks at the start of what one side sent.
    pub(crate) probe: fn(&Opening<'_>) -> Probe,
    /// Starts a session; it is then fed from the first octet of both sides.
    pub(crate) start: fn() -> Box<dyn Session>,
    /// Where in a flow it may begin.
    pub(crate) begins: Begins,
    /// What all that its probe does not refuse looks like: one of these, or anything where there are none.
    pub(crate) shapes: &'static [Shape],
    /// How long its flows may be silent.
    pub(crate) patience: Patience,
}

/// Where in a flow a protocol may begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Begins {
    /// With the first octet of a side, or with a datagram.
    AtTheStart,
    /// Also at the start of a later segment, behind another protocol's preamble: STARTTLS, a proxy's answer, a tunnel's
    /// greeting. Only for protocols whose first octets leave no doubt.
    AtAnySegment,
    /// Also inside a later segment, at the place that the function finds: behind a preamble in the same segment, or in
    /// another protocol's packets.
    Within(fn(&[u8]) -> Option<usize>),
}

/// How long a flow may be silent before it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// What its transport and state ask for.
    Usual,
    /// Questions are answered within seconds or never.
    Seconds,
}

/// Every protocol, in the order in which they are asked. Over TCP the first `Yes` wins.
pub(crate) const ALL: &[Protocol] = &[
    tls::PROTOCOL,
    http::PROTOCOL,
    http2::PROTOCOL,
    websocket::PROTOCOL,
    rfb::PROTOCOL,
    rdp::PROTOCOL,
    ssh::PROTOCOL,
    socks::PROTOCOL,
    dns::OVER_TCP,
    nomachine::PROTOCOL,
    teamviewer::OVER_TCP,
    radmin::PROTOCOL,
    rustdesk::OVER_TCP,
    telnet::PROTOCOL,
    x11::PROTOCOL,
    xpra::PROTOCOL,
    rsh::PROTOCOL,
    frp::PROTOCOL,
    yamux::PROTOCOL,
    rathole::PROTOCOL,
    hamachi::OVER_TCP,
    proxy_protocol::PROTOCOL,
    stun::OVER_TCP,
    stun::SIZED,
    // Its version is four octets that DNS has never: even on the port of DNS there is no doubt.
    quic::PROTOCOL,
    dns::OVER_UDP,
    teamviewer::OVER_UDP,
    rustdesk::OVER_UDP,
    xdmcp::PROTOCOL,
    dnscrypt::OVER_TCP,
    dnscrypt::OVER_UDP,
    wireguard::PROTOCOL,
    tailscale::DISCO,
    tailscale::DERP,
    openvpn::OVER_TCP,
    openvpn::OVER_UDP,
    // Its DTLS has a version of its own.
    anyconnect::PROTOCOL,
    stun::OVER_UDP,
    dtls::PROTOCOL,
    rdp_udp::PROTOCOL,
    // ESP in UDP has no mark: after STUN, which may have its port.
    ike::PROTOCOL,
    ike::OVER_TCP,
    ipsec::ESP,
    icmp_tunnel::OVER_ICMP,
    icmp_tunnel::OVER_ICMP6,
    pptp::PROTOCOL,
    l2tp::PROTOCOL,
    tinc::PROTOCOL,
    zerotier::PROTOCOL,
    nebula::PROTOCOL,
    n2n::PROTOCOL,
    softether::PROTOCOL,
    hamachi::OVER_UDP,
    ssdp::PROTOCOL,
    dhcp::PROTOCOL,
    netbios::PROTOCOL,
    // Guesses: after everything that knows.
    openvpn::SCRAMBLED_TCP,
    openvpn::SCRAMBLED_UDP,
];

/// How many places the registry has, and one for what is not in it.
pub(crate) const PLACES: usize = ALL.len() + 1;

/// The place of a protocol in the registry, from 1.
pub(crate) fn place(at: usize) -> NonZeroU8 {
    u8::try_from(at)
        .ok()
        .and_then(|at| NonZeroU8::MIN.checked_add(at))
        .unwrap_or(NonZeroU8::MAX)
}

/// The place of a protocol that another session begins itself.
fn place_of(name: &str) -> NonZeroU8 {
    place(
        ALL.iter()
            .position(|one| one.name == name)
            .unwrap_or(ALL.len()),
    )
}

/// The protocol at a place.
fn at(place: NonZeroU8) -> Option<&'static Protocol> {
    ALL.get(usize::from(place.get()) - 1)
}

/// The name of the protocol at a place.
pub(crate) fn name(place: NonZeroU8) -> &'static str {
    at(place).map_or("", |protocol| protocol.name)
}

/// Whether any protocol is known over a transport.
pub(crate) fn is_known_over(transport: Transport) -> bool {
    ALL.iter().any(|protocol| protocol.transport == transport)
}

/// The names under which sessions are counted, each once and sorted.
#[must_use]
pub fn protocols() -> Vec<&'static str> {
    let mut names: Vec<_> = ALL.iter().map(|protocol| protocol.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The start of what one side of a flow sent (TCP), or one datagram (UDP).
pub(crate) struct Opening<'a> {
    /// The ports of the flow, in any order: they may decide between two readings, never alone.
    pub(crate) ports: [u16; 2],
    /// Contiguous octets from the first one on.
    pub(crate) octets: &'a [u8],
}

/// What a probe says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// It is this protocol.
    Yes,
    /// All fits so far; too few octets to tell.
    Maybe,
    /// It is not.
    No,
}

/// The state machine of one flow.
pub(crate) trait Session: Send {
    /// Reads the whole messages at the start of `octets`: contiguous octets that were not consumed before (TCP), or one
    /// datagram (UDP, always taken whole). Called again with the rest and more when more has come from either side.
    fn feed(&mut self, from: Side, octets: &[u8], emit: &mut Emit<'_>) -> Progress;

    /// `length` octets of one side were lost (0: unknown). The session may go on or finish.
    fn gap(&mut self, from: Side, length: u64, emit: &mut Emit<'_>) -> Progress;

    /// The flow ended, or its input did: whatever is pending is emitted now.
    fn end(&mut self, emit: &mut Emit<'_>);

    /// Whether it is counted from its beginning. One that begins on a guess counts itself ([`Emit::begun`]) once it is sure.
    fn is_sure(&self) -> bool {
        true
    }

    /// Octets that it keeps of what it was fed, for the bound of all flows together. A session over datagrams says so,
    /// for nobody else keeps what it waits for; small fixed state need not be told.
    fn held(&self) -> usize {
        0
    }

    /// What it leaves behind where it waits for nothing: it is forgotten, and [resumed](Self::resume) with this when the
    /// flow goes on. Only over datagrams.
    fn rest(&self) -> Option<u32> {
        None
    }

    /// A session of the same flow rested and left this behind.
    fn resume(&mut self, _kept: u32) {}

    /// Begins again, for another flow, in the memory that it has. False where it cannot: another session is made.
    fn renew(&mut self) -> bool {
        false
    }
}

/// How a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// So many octets were consumed; it wants what follows.
    More(usize),
    /// It has all it wants: the flow gets no more octets, and [`Session::end`] is not called.
    Finished,
    /// So many octets were consumed, and the session is done: what follows on both sides is another protocol from its
    /// first octet, carried by this one. [`Session::end`] is not called. Over UDP the following datagrams are looked at
    /// anew, as of a flow that begins there; with 0 the present one too, as it was not of the session's protocol.
    Carries(usize),
    /// Octets that the protocol does not allow; the session has emitted what it understood. Counted by the reason.
    Violated(&'static str),
}

/// What the octets of a flow are good for after some were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// More is wanted.
    Wanted,
    /// Nothing more is wanted.
    Decided,
}

/// A set of protocols: a bit for each of [`ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fitting(u64);

impl Fitting {
    const NONE: Self = Self(0);

    /// Those over a transport, worked out before.
    fn of(transport: Transport) -> Self {
        const UDP: Fitting = Fitting::over(Transport::Udp);
        const ICMP: Fitting = Fitting::over(Transport::Icmp);
        const ICMP6: Fitting = Fitting::over(Transport::Icmp6);
        match transport {
            Transport::Tcp => OVER_TCP,
            Transport::Udp => UDP,
            Transport::Icmp => ICMP,
            Transport::Icmp6 => ICMP6,
            other => Self::over(other),
        }
    }

    /// Those over a transport.
    const fn over(transport: Transport) -> Self {
        assert!(ALL.len() <= 64, "a bit for each");
        let mut bits = 0;
        let mut at = 0;
        while at < ALL.len() {
            if ALL[at].transport.number() == transport.number() {
                bits |= 1 << at;
            }
            at += 1;
        }
        Self(bits)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Leaves those that are also among others.
    fn keep(&mut self, others: Self) {
        self.0 &= others.0;
    }

    fn has(self, at: usize) -> bool {
        self.0 >> at & 1 == 1
    }

    fn remove(&mut self, at: usize) {
        self.0 &= !(1 << at);
    }

    /// Those of both.
    const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The protocols with their places, in the order in which they are asked.
    fn each(self) -> impl Iterator<Item = (usize, &'static Protocol)> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let at = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            ALL.get(at).map(|protocol| (at, protocol))
        })
    }
}

/// Those over TCP, and over whatever carries ordered octets.
const OVER_TCP: Fitting = Fitting::over(Transport::Tcp);
/// Those that may begin behind another protocol's preamble.
const BEHIND_A_PREAMBLE: Fitting = {
    let mut bits = 0;
    let mut at = 0;
    while at < ALL.len() {
        if matches!(ALL[at].begins, Begins::AtAnySegment | Begins::Within(_)) {
            bits |= 1 << at;
        }
        at += 1;
    }
    Fitting(bits & OVER_TCP.0)
};
/// Those of them that are looked for inside of a segment as well.
const WITHIN: Fitting = {
    let mut bits = 0;
    let mut at = 0;
    while at < ALL.len() {
        if matches!(ALL[at].begins, Begins::Within(_)) {
            bits |= 1 << at;
        }
        at += 1;
    }
    Fitting(bits & OVER_TCP.0)
};
/// A proxy behind a proxy behind a proxy; more is an attack on the stack.
const MAX_CARRIERS: u8 = 4;
