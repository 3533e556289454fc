//! The search for the protocol of a flow, as long as nothing of the flow is kept.
//!
//! Most flows that nobody knows stay unknown. What the search must remember of them fits into four octets of their entry in
//! the flow table; only where a protocol may begin is a conversation needed.

use std::num::NonZeroU8;
use std::sync::atomic::{AtomicU64, Ordering};

use terrier_wire::Side;

use super::{
    ALL, BEHIND_A_PREAMBLE, Begins, Emit, Fitting, OVER_TCP, Opening, Probe, Protocol, WITHIN,
    shape,
};
use crate::observation::{Fact, FirstOctets, Frames, Transport};

/// What a look at octets found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A protocol begins here, or may.
    Something,
    /// The protocol at this place of the registry begins with the first octet.
    Begins(NonZeroU8),
    /// Nothing that anybody knows; more is looked at.
    Nothing,
    /// Nothing, and the flow is not looked at any more.
    GivenUp,
}

/// How far the search in two ordered streams has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamSearch {
    /// A bit for each side whose first octets are those of no protocol.
    exhausted: u8,
    /// Once nothing can have opened the streams: so many segments more are looked at, as a protocol may begin behind a
    /// preamble.
    left: Option<u8>,
    /// Octets that one side has sent while the other said nothing, [`MAX_UNANSWERED`] and one at most.
    unanswered: u16,
}

impl StreamSearch {
    /// Nothing was seen yet.
    pub(crate) const NEW: Self = Self {
        exhausted: 0,
        left: None,
        unanswered: 0,
    };

    /// In four octets.
    pub(crate) fn to_bits(self) -> u32 {
        let left = self.left.map_or(NONE_LEFT, |left| left.min(NONE_LEFT - 1));
        u32::from(self.exhausted) | u32::from(left) << 8 | u32::from(self.unanswered) << 16
    }

    /// From its four octets.
    pub(crate) fn from_bits(bits: u32) -> Self {
        let [exhausted, left, low, high] = bits.to_le_bytes();
        Self {
            exhausted,
            left: (left != NONE_LEFT).then_some(left),
            unanswered: u16::from_le_bytes([low, high]),
        }
    }

    /// Whether no protocol can have opened what a side sent: what comes next of it is looked at for what begins behind a
    /// preamble.
    pub(crate) fn is_late(self, side: Side) -> bool {
        self.left.is_some() || self.exhausted & bit(side) != 0
    }

    /// Looks at octets of one side that are the next, or, where the search [is late](Self::is_late), at any segment; `tell`
    /// is called where they are the first ones of the side, and of nobody.
    pub(crate) fn look(
        &mut self,
        from: Side,
        octets: &[u8],
        ports: [u16; 2],
        tell: impl FnOnce(),
    ) -> Found {
        let opening = Opening { ports, octets };
        if self.is_late(from) {
            if behind_a_preamble(&opening).is_some() {
                return Found::Something;
            }
        } else {
            // The first one that does not refuse; a later one may be surer, where it is not sure.
            let asked = may_begin(&opening).each().find_map(|(at, protocol)| {
                match (protocol.probe)(&opening) {
                    Probe::Yes => Some(Found::Begins(super::place(at))),
                    Probe::Maybe => Some(Found::Something),
                    Probe::No => None,
                }
            });
            if let Some(found) = asked {
                return found;
            }
            // The first segment may hold a preamble and what comes behind it. Of a short one the octets behind are
            // awaited: signatures know up to so many.
            if inside(octets).is_some() || octets.len() < FirstOctets::MAX {
                return Found::Something;
            }
            tell();
        }
        self.pass(from, octets.len())
    }

    /// Octets of a side were looked at, and nobody knew them.
    pub(super) fn pass(&mut self, from: Side, octets: usize) -> Found {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            return if *left == 0 {
                Found::GivenUp
            } else {
                Found::Nothing
            };
        }
        self.exhausted |= bit(from);
        let octets = u16::try_from(octets).unwrap_or(u16::MAX);
        self.unanswered = self
            .unanswered
            .saturating_add(octets)
            .min(MAX_UNANSWERED + 1);
        // A side that has said nothing may still open with something known, unless the other goes on without it.
        let both = bit(Side::Originator) | bit(Side::Responder);
        if self.exhausted == both || self.unanswered > MAX_UNANSWERED {
            self.left = Some(MAX_PREAMBLE);
        }
        Found::Nothing
    }

    /// The protocols that may still open what a side sends.
    pub(super) fn fitting(self, side: Side) -> Fitting {
        if self.exhausted & bit(side) != 0 {
            Fitting::NONE
        } else {
            OVER_TCP
        }
    }
}

/// The protocol that begins with a segment whose octets leave no doubt, whatever came before, or inside of it: with its
/// number, and where it begins.
pub(super) fn behind_a_preamble(
    opening: &Opening<'_>,
) -> Option<(usize, &'static Protocol, usize)> {
    let begin = may_begin(opening);
    let asked = BEHIND_A_PREAMBLE.and(begin.or(WITHIN));
    asked.each().find_map(|(number, protocol)| {
        if begin.has(number) && (protocol.probe)(opening) == Probe::Yes {
            return Some((number, protocol, 0));
        }
        match protocol.begins {
            Begins::Within(find) => find(opening.octets).map(|place| (number, protocol, place)),
            Begins::AtAnySegment | Begins::AtTheStart => None,
        }
    })
}

/// The protocol that begins inside of a segment, with its number and the place.
fn inside(octets: &[u8]) -> Option<(usize, &'static Protocol, usize)> {
    WITHIN.each().find_map(|(number, protocol)| {
        let Begins::Within(find) = protocol.begins else {
            return None;
        };
        find(octets).map(|place| (number, protocol, place))
    })
}

/// Those over TCP that may begin with the first of these octets. A probe never refuses the start of what it takes, as its
/// answer must not depend on how TCP cuts a stream; so each is asked once for each octet, when that is first met. Once
/// there are more octets the shapes of the rows say more.
pub(super) fn may_begin(opening: &Opening<'_>) -> Fitting {
    /// On ports that no probe asks for, and on any: 0 until they were asked.
    static BY_FIRST: [[AtomicU64; 256]; 2] = [const { [const { AtomicU64::new(0) }; 256] }; 2];
    /// A bit of no protocol.
    const ASKED: u64 = 1 << 63;
    const { assert!(ALL.len() < 64) };
    let Some(&first) = opening.octets.first() else {
        return OVER_TCP;
    };
    let asked_for = shape::are_asked_for(opening.ports);
    let known = &BY_FIRST[usize::from(asked_for)][usize::from(first)];
    let beginning = match known.load(Ordering::Relaxed) {
        0 => {
            let ports = if asked_for { PORTS_OF_PROBES.len() } else { 1 };
            let fitting = beginning_with(first, &PORTS_OF_PROBES[..ports]);
            known.store(fitting.0 | ASKED, Ordering::Relaxed);
            fitting
        }
        bits => Fitting(bits & !ASKED),
    };
    let fitting = beginning.and(shape::of_stream(opening));
    debug_assert!(
        OVER_TCP
            .each()
            .all(|(at, protocol)| fitting.has(at) || (protocol.probe)(opening) == Probe::No),
        "a probe would not refuse {:?}",
        opening.octets
    );
    fitting
}

/// Those over TCP whose probe does not refuse this octet on one of these ports.
#[cold]
fn beginning_with(first: u8, ports: &[u16]) -> Fitting {
    let mut fitting = OVER_TCP;
    for (at, protocol) in OVER_TCP.each() {
        let refused = |port: &u16| {
            let opening = Opening {
                ports: [PORTS_OF_PROBES[0], *port],
                octets: &[first],
            };
            (protocol.probe)(&opening) == Probe::No
        };
        if ports.iter().all(refused) {
            fitting.remove(at);
        }
    }
    fitting
}

/// One port that no probe over TCP asks for, and those that one does.
const PORTS_OF_PROBES: [u16; 5] = [9, 53, 5353, 5355, 3389];

/// How far the search in datagrams has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DatagramSearch {
    /// Datagrams that nobody knew.
    unknown: u8,
    /// A bit for each side whose first octets were told.
    told: u8,
}

impl DatagramSearch {
    /// Nothing was seen yet.
    pub(crate) const NEW: Self = Self {
        unknown: 0,
        told: 0,
    };

    /// In four octets.
    pub(crate) fn to_bits(self) -> u32 {
        u32::from(self.unknown) | u32::from(self.told) << 8
    }

    /// From its four octets.
    pub(crate) fn from_bits(bits: u32) -> Self {
        let [unknown, told, ..] = bits.to_le_bytes();
        Self { unknown, told }
    }

    /// Looks at a datagram over a transport. One of a known protocol is told with the protocol's place in the registry;
    /// `tell` is called where it is the first one of its side, and of nobody.
    pub(crate) fn look(
        &mut self,
        from: Side,
        octets: &[u8],
        (transport, ports): (Transport, [u16; 2]),
        tell: impl FnOnce(),
    ) -> Result<NonZeroU8, Found> {
        let opening = Opening { ports, octets };
        match known(Fitting::of(transport), &opening) {
            Some((at, _)) => Ok(super::place(at)),
            None => Err(self.pass(from, transport, tell)),
        }
    }

    /// A datagram was looked at, and nobody knew it; `tell` is called where it is the first one of its side.
    pub(super) fn pass(&mut self, from: Side, transport: Transport, tell: impl FnOnce()) -> Found {
        // Signatures know the octets of TCP and UDP; what begins an ICMP message is no mark of a tool.
        if self.told & bit(from) == 0 && transport == Transport::Udp {
            self.told |= bit(from);
            tell();
        }
        self.unknown = self.unknown.saturating_add(1);
        if self.unknown < MAX_UNKNOWN {
            Found::Nothing
        } else {
            Found::GivenUp
        }
    }
}

/// The protocol among these that a datagram is of, with its number.
#[inline]
pub(super) fn known(fitting: Fitting, opening: &Opening<'_>) -> Option<(usize, &'static Protocol)> {
    let takes =
        |(_, protocol): &(usize, &'static Protocol)| (protocol.probe)(opening) == Probe::Yes;
    let found = shape::of_datagram(fitting, opening).find(takes);
    debug_assert_eq!(
        found.map(|(at, _)| at),
        fitting.each().find(takes).map(|(at, _)| at),
        "of all that are asked: {:?}",
        opening.octets
    );
    found
}

/// Hands out the first octets of a side, where somebody may know them.
pub(crate) fn say_unknown(from: Side, octets: &[u8], emit: &mut Emit<'_>) {
    if !emit.asks_for_opening(octets) {
        return;
    }
    let mut frames = Frames::default();
    emit.note(&mut frames);
    let first = FirstOctets::of(from, octets);
    emit.fact(&frames, Fact::Unknown(first));
}

fn bit(side: Side) -> u8 {
    1 << side.index()
}

/// The search is not that far.
const NONE_LEFT: u8 = u8::MAX;
/// Segments that are looked at for a protocol behind a preamble: STARTTLS of the most talkative mail servers comes within.
const MAX_PREAMBLE: u8 = 16;
/// What one side may send without an answer before its flow is taken as one-sided.
const MAX_UNANSWERED: u16 = 4 << 10;
/// Datagrams that are looked at before a flow is given up: protocols open with their first one, and a pick-up in mid-flow
/// shows the like within a few.
const MAX_UNKNOWN: u8 = 4;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    /// What protocols begin with.
    const STARTS: [&[u8]; 10] = [
        b"",
        b"GET / HTTP/1.1\r\n",
        b"SSH-2.0-",
        b"RFB 003.008\n",
        b"\x16\x03\x01",
        b"\x03\x00\x00\x13\x0e\xe0",
        b"\x05\x01\x00",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"0 node 17.7\n",
        b"\xff\xfd\x18",
    ];

    use super::*;

    proptest! {
        /// The openings of real software are asked by the golden captures.
        #[test]
        fn nothing_that_a_probe_takes_is_left_out(
            port in prop::sample::select(vec![9, 22, 25, 53, 80, 443, 3389, 3478, 5353, 5355, 5900, 8080]),
            octets in prop::collection::vec(any::<u8>(), 1..80),
            start in prop::sample::select(STARTS.to_vec()),
        ) {
            for octets in [octets.clone(), [start, &octets].concat()] {
                let opening = Opening { ports: [9, port], octets: &octets };
                for (at, protocol) in OVER_TCP.each() {
                    if (protocol.probe)(&opening) != Probe::No {
                        let kept = may_begin(&opening).each().any(|(other, _)| other == at);
                        prop_assert!(kept, "{} {octets:?}", protocol.name);
                    }
                }
            }
        }

        /// Lengths and fixed octets of what is told by little; the others' openings are asked by the golden captures.
        #[test]
        fn no_datagram_that_a_probe_takes_is_left_out(
            port in prop::sample::select(vec![9, 53, 67, 123, 137, 138, 500, 1900, 3478, 4500, 5353]),
            octets in prop::collection::vec(any::<u8>(), 0..200),
            first in any::<u8>(),
            zeros in prop::sample::select(vec![0, 1, 3, 4, 8, 75]),
        ) {
            let filled = [&[first][..], &vec![0; zeros], &octets].concat();
            for octets in [&octets[..], &filled, &filled[..=zeros]] {
                let opening = Opening { ports: [9, port], octets };
                let fitting = Fitting::of(Transport::Udp);
                let all = fitting
                    .each()
                    .find(|(_, protocol)| (protocol.probe)(&opening) == Probe::Yes);
                let found = known(fitting, &opening);
                prop_assert_eq!(found.map(|(at, _)| at), all.map(|(at, _)| at), "{:?}", octets);
            }
        }

        #[test]
        fn four_octets_hold_a_search(steps in prop::collection::vec((any::<bool>(), 0usize..3000), 0..30)) {
            let mut search = StreamSearch::NEW;
            for (originator, octets) in steps {
                let from = if originator { Side::Originator } else { Side::Responder };
                search.pass(from, octets);
                prop_assert_eq!(StreamSearch::from_bits(search.to_bits()), search);
            }
        }
    }

    #[test]
    fn gives_up_after_the_segments_a_preamble_may_have() {
        let mut search = StreamSearch::NEW;
        assert_eq!(search.pass(Side::Originator, 10), Found::Nothing);
        assert!(search.is_late(Side::Originator) && !search.is_late(Side::Responder));
        assert_eq!(search.pass(Side::Responder, 10), Found::Nothing);
        for _ in 1..MAX_PREAMBLE {
            assert_eq!(search.pass(Side::Originator, 10), Found::Nothing);
        }
        assert_eq!(search.pass(Side::Responder, 10), Found::GivenUp);
    }

    #[test]
    fn one_that_goes_on_without_an_answer_is_late_for_both_sides() {
        let mut search = StreamSearch::NEW;
        for _ in 0..3 {
            search.pass(Side::Originator, 1400);
            assert!(search.is_late(Side::Originator));
        }
        assert!(search.is_late(Side::Responder));
    }
}
