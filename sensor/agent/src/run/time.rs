//! Time and order on a live link, for one worker.
//!
//! *In*: the times of packets, by the clock of the day, which may be set at any moment. *Out*: ticks, and numbers for packets
//! and ticks. The numbers order the facts of all workers before the judge, who waits for the last of them; so they follow a
//! clock that nobody sets, and never run ahead of it: none can be far from the others'.

use std::time::{Duration, Instant};

use terrier_engine::Clock;

use super::now_ns;

/// The time of one worker. All workers of a run begin with the same instant.
pub(super) struct Timeline {
    clock: Clock,
    began: Instant,
    /// The last number that was given.
    last: u64,
    /// A time of the packets' clock, and when it was that time.
    known: (i64, Instant),
    /// The present moment, by the two clocks.
    now_ns: i64,
    since_ns: u64,
}

impl Timeline {
    pub(super) fn new(began: Instant) -> Self {
        let mut time = Self {
            clock: Clock::default(),
            began,
            last: 0,
            known: (now_ns(), Instant::now()),
            now_ns: 0,
            since_ns: 0,
        };
        time.look();
        time
    }

    /// Looks at the clocks, and answers the time of the day. To be called before the packets that were just taken.
    pub(super) fn look(&mut self) -> i64 {
        self.now_ns = now_ns();
        self.since_ns = FIRST + nanoseconds(self.began.elapsed());
        self.now_ns
    }

    /// The number of a packet or tick of this time: greater than the one before.
    pub(super) fn number(&mut self, at_ns: i64) -> u64 {
        let ago = u64::try_from(self.now_ns.saturating_sub(at_ns)).unwrap_or(0);
        self.last = self.since_ns.saturating_sub(ago).max(self.last + 1);
        self.last
    }

    /// The number of the tick that ends the input.
    pub(super) fn last_number(&mut self) -> u64 {
        self.look();
        self.number(self.now_ns)
    }

    /// The next packet was captured at this time; answers the time of the tick before it.
    pub(super) fn packet(&mut self, at_ns: i64) -> Option<i64> {
        self.clock.packet(at_ns)
    }

    /// All packets that were taken have been looked at.
    pub(super) fn taken(&mut self) {
        self.follow_back();
        if let Some(now_ns) = self.clock.now_ns() {
            self.known = (now_ns, Instant::now());
        }
    }

    /// Packets are captured by the clock of the day, so none can be ahead of it: somebody has set it back. By their times alone
    /// less than an hour would not be believed, and no flow would end until that has passed.
    fn follow_back(&mut self) {
        let ahead = |now_ns: &i64| now_ns.saturating_sub(self.now_ns) > AHEAD_NS;
        if self.clock.now_ns().is_some_and(|now_ns| ahead(&now_ns)) {
            let jumps = self.clock.jumps + 1;
            self.clock = Clock::default();
            self.clock.jumps = jumps;
            self.known = (self.now_ns, Instant::now());
        }
    }

    /// Nothing came. Time goes on from the last packet, and stays `behind` what the rings may still hold; answers the tick
    /// that is due, with its number.
    pub(super) fn passes(&mut self, behind: Duration) -> Option<(i64, u64)> {
        self.look();
        let (at_ns, since) = self.known;
        let passed = nanoseconds(since.elapsed().saturating_sub(behind));
        let at_ns = at_ns.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        let tick = self.clock.passes(at_ns);
        let silent = self.since_ns.saturating_sub(nanoseconds(behind));
        let at_ns = tick?;
        self.last = silent.max(self.last + 1);
        Some((at_ns, self.last))
    }

    /// Everything up to this number has been worked on, as nothing came.
    pub(super) fn through(&mut self, behind: Duration) -> u64 {
        self.last = self
            .last
            .max(self.since_ns.saturating_sub(nanoseconds(behind)));
        self.last
    }

    pub(super) fn jumps(&self) -> u64 {
        self.clock.jumps
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A card that stamps packets by a clock of its own may be so far ahead.
const AHEAD_NS: i64 = 2_000_000_000;
/// The number of the first moment: before it there may be packets in the rings.
const FIRST: u64 = 3_600_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_with_time_and_never_run_ahead() {
        let mut time = Timeline::new(Instant::now());
        let now_ns = time.look();
        let old = time.number(now_ns - 5_000);
        let new = time.number(now_ns - 1_000);
        assert_eq!(new - old, 4_000);
        // Of another worker, or by a clock that was set back.
        assert_eq!(time.number(now_ns - 9_000), new + 1);
        // By a clock that was set forward.
        assert_eq!(time.number(now_ns + 3_600_000_000_000), new + 1_000);
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed_at_once() {
        const S: i64 = 1_000_000_000;
        let mut time = Timeline::new(Instant::now());
        let now_ns = time.look();
        let before = now_ns + 1_800 * S;
        // As it was before half an hour was taken from it.
        time.now_ns = before;
        assert_eq!(time.packet(before), None);
        time.taken();
        assert_eq!(time.jumps(), 0);
        // The last packets from before come with the first ones from after.
        time.look();
        assert_eq!(time.packet(before + 10), None);
        assert_eq!(time.packet(now_ns), None);
        time.taken();
        assert_eq!(time.jumps(), 1);
        assert_eq!(time.packet(now_ns + 10), None);
        let tick = time.packet(now_ns + S);
        assert_eq!(tick, Some((now_ns + S).div_euclid(S) * S));
        time.now_ns = now_ns + S;
        time.taken();
        assert_eq!(time.jumps(), 1);
    }

    #[test]
    fn a_silent_link_stays_behind_what_the_rings_may_hold() {
        let mut time = Timeline::new(Instant::now());
        let now_ns = time.look();
        let now = time.number(now_ns);
        assert_eq!(time.through(Duration::from_secs(1)), now);
        time.since_ns += 3_000_000_000;
        assert_eq!(time.through(Duration::from_secs(1)), now + 2_000_000_000);
    }
}
