//! Packet time: the running maximum, whole seconds as ticks, and distrust of jumps.

use std::ops::Range;

/// The clock of a run. It turns packet times into ticks.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    now_ns: Option<i64>,
    /// The second that `now_ns` is in, from its first nanosecond on; empty at first.
    second: Range<i64>,
    doubted: Option<Doubt>,
    /// Jumps of over an hour that were met, believed or not.
    pub jumps: u64,
}

/// A time that is far from the others.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    at_ns: i64,
    agreeing: u32,
}

impl Clock {
    /// Takes the time of the next packet. Answers the time of the tick that comes before it, when a whole second of the
    /// clock has passed.
    #[inline]
    pub fn packet(&mut self, at_ns: i64) -> Option<i64> {
        // Nearly every packet is within the second of the one before it.
        if self.second.contains(&at_ns) {
            let now_ns = self.now_ns.get_or_insert(at_ns);
            *now_ns = at_ns.max(*now_ns);
            self.doubted = None;
            return None;
        }
        self.packet_of_another_second(at_ns)
    }

    fn packet_of_another_second(&mut self, at_ns: i64) -> Option<i64> {
        let Some(now_ns) = self.now_ns else {
            self.now_ns = Some(at_ns);
            return None;
        };
        if near(at_ns, now_ns) {
            self.doubted = None;
            return self.advance(now_ns, at_ns.max(now_ns));
        }
        match &mut self.doubted {
            Some(doubt) if near(at_ns, doubt.at_ns) => {
                doubt.agreeing += 1;
                doubt.at_ns = doubt.at_ns.max(at_ns);
                if doubt.agreeing >= AGREEING {
                    let believed = doubt.at_ns;
                    self.doubted = None;
                    return self.advance(now_ns, believed);
                }
            }
            _ => {
                self.jumps += 1;
                self.doubted = Some(Doubt { at_ns, agreeing: 1 });
            }
        }
        None
    }

    /// Time passes while no packet comes. Answers the time of the tick that is due; `at_ns` is believed as it is, for the
    /// agent measures it from the last packet on. A time before the clock's changes nothing.
    pub fn passes(&mut self, at_ns: i64) -> Option<i64> {
        let now_ns = self.now_ns.unwrap_or(at_ns);
        self.advance(now_ns, at_ns.max(now_ns))
    }

    /// The clock, in nanoseconds since 1970; `None` before the first packet.
    #[must_use]
    pub fn now_ns(&self) -> Option<i64> {
        self.now_ns
    }

    fn advance(&mut self, from_ns: i64, to_ns: i64) -> Option<i64> {
        self.now_ns = Some(to_ns);
        let second = to_ns.div_euclid(NS_PER_S);
        let begins = second.saturating_mul(NS_PER_S);
        self.second = begins..begins.saturating_add(NS_PER_S);
        // The first second that can be told has no beginning that can.
        (second != from_ns.div_euclid(NS_PER_S)).then_some(second.saturating_mul(NS_PER_S))
    }
}

fn near(a_ns: i64, b_ns: i64) -> bool {
    a_ns.abs_diff(b_ns) <= JUMP_NS
}

const NS_PER_S: i64 = 1_000_000_000;
/// What a clock that is being set, or a damaged header, jumps by.
const JUMP_NS: u64 = 3_600_000_000_000;
/// How many packets in a row must agree with a jump before it is believed.
const AGREEING: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = NS_PER_S;

    #[test]
    fn ticks_once_a_second_of_the_running_maximum() {
        let mut clock = Clock::default();
        let ticks: Vec<Option<i64>> = [
            10 * S,
            10 * S + 5,
            11 * S + 1,
            10 * S + 9,
            11 * S + 2,
            15 * S,
        ]
        .into_iter()
        .map(|at| clock.packet(at))
        .collect();
        assert_eq!(ticks, [None, None, Some(11 * S), None, None, Some(15 * S)]);
    }

    #[test]
    fn believes_a_jump_only_when_the_next_packets_agree() {
        let mut clock = Clock::default();
        clock.packet(10 * S);
        assert_eq!(clock.packet(90_000 * S), None);
        assert_eq!(
            clock.packet(11 * S),
            Some(11 * S),
            "a stray time changes nothing"
        );
        for _ in 1..AGREEING {
            assert_eq!(clock.packet(90_000 * S), None);
        }
        assert_eq!(clock.packet(90_001 * S), Some(90_001 * S));
        assert_eq!(clock.jumps, 2);
    }

    #[test]
    fn goes_on_in_silence_and_never_back() {
        let mut clock = Clock::default();
        assert_eq!(clock.passes(10 * S), None, "there was no clock before");
        assert_eq!(clock.passes(11 * S + 5), Some(11 * S));
        assert_eq!(clock.passes(9 * S), None);
        assert_eq!(clock.packet(12 * S), Some(12 * S));
        assert_eq!(clock.passes(9_000 * S), Some(9_000 * S));
        assert_eq!(clock.packet(9_001 * S), Some(9_001 * S));
        assert_eq!(clock.jumps, 0, "a long silence is no jump");
    }

    #[test]
    fn the_ends_of_time_overflow_nothing() {
        for end in [i64::MIN, i64::MAX] {
            let mut clock = Clock::default();
            clock.packet(0);
            for _ in 0..AGREEING {
                clock.packet(end);
            }
            assert_eq!(clock.now_ns(), Some(end));
        }
    }

    #[test]
    fn can_be_set_back() {
        let mut clock = Clock::default();
        clock.packet(90_000 * S);
        for _ in 1..AGREEING {
            clock.packet(10 * S);
        }
        assert_eq!(clock.packet(10 * S), Some(10 * S));
        assert_eq!(clock.now_ns(), Some(10 * S));
    }
}
