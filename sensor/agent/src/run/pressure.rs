//! What a worker does that cannot keep up: it sheds the heaviest of the flows that it has decided.
//!
//! Nothing more is learned from the packets of a decided flow, so they are what may be missed; but even to find out that a
//! packet is one of them costs more than half of what a packet costs at all. So the kernel is told of the heaviest of these
//! flows ([`crate::capture::Live::shed`]) and hands on a few octets of each of their packets, which are counted. What a ring
//! has room for, and a worker time for, is then left to the flows that begin.
//!
//! *In*: how late the packets are that come out of the rings, and which packets were of decided flows. *Out*: a list of flows
//! by their spread. A flow leaves the list after some seconds and comes back when it is still heavy: so its records show
//! that it lives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;

/// How full a ring is, as far as that can be told from outside: packets come out late, by what lies before them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Gauge {
    /// What came lately, in octets of the ring, and how long that took; older parts weigh less.
    octets: f64,
    span_ns: f64,
}

impl Gauge {
    /// The share of the ring that is full, after packets were taken that lay in so many octets of it and were captured from
    /// `first_ns` to `last_ns`.
    pub(super) fn after(
        &mut self,
        octets: u64,
        (first_ns, last_ns): (i64, i64),
        now_ns: i64,
        ring_octets: f64,
    ) -> f64 {
        let span_ns = last_ns.saturating_sub(first_ns).max(0);
        self.octets = self.octets * OLDER + octets as f64;
        self.span_ns = self.span_ns * OLDER + span_ns as f64;
        let late_ns = now_ns.saturating_sub(last_ns);
        // Later than that no packet is: somebody has set the clock.
        if late_ns <= 0 || late_ns > LATEST_NS || self.span_ns < 1_000.0 {
            return 0.0;
        }
        self.octets / self.span_ns * late_ns as f64 / ring_octets
    }
}

/// What is to be said of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It cannot keep up any more.
    Began,
    /// It keeps up again.
    Ended,
}

/// Whether a worker keeps up, and what it sheds if not.
pub(super) struct Pressure {
    /// Since when a ring was last too full.
    full_at: Option<Instant>,
    window: Instant,
    /// What packets of decided flows cost in this window, by the spread of the flow.
    costs: HashMap<u32, u64, FixedState>,
    batches: u32,
    /// The flows that are shed, and until when.
    shed: Vec<(u32, Instant)>,
    changed: bool,
}

impl Pressure {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            full_at: None,
            window: now,
            costs: HashMap::default(),
            batches: 0,
            shed: Vec::new(),
            changed: false,
        }
    }

    /// A ring is so full, or has lost packets.
    pub(super) fn gauge(&mut self, full: f64, lost: bool, now: Instant) -> Option<Turn> {
        let begins = self.full_at.is_none() && (lost || full >= FULL);
        if begins {
            self.window = now;
            self.costs.clear();
        }
        if begins || self.full_at.is_some() && (lost || full >= STILL_FULL) {
            self.full_at = Some(now);
        }
        if begins {
            return Some(Turn::Began);
        }
        let since = now.saturating_duration_since(self.full_at?);
        if since < HOLD {
            return None;
        }
        self.full_at = None;
        self.changed |= !self.shed.is_empty();
        self.shed.clear();
        Some(Turn::Ended)
    }

    /// Whether the packets of the next batch that are of decided flows are to be told: of some batches, as a sample will do.
    pub(super) fn samples(&mut self) -> bool {
        self.batches = self.batches.wrapping_add(1);
        self.full_at.is_some() && self.batches.is_multiple_of(SAMPLED)
    }

    /// Takes what a batch told.
    pub(super) fn sample(&mut self, decided: &[(u32, u32)]) {
        for &(flow, octets) in decided {
            if self.costs.len() < MOST_SAMPLED || self.costs.contains_key(&flow) {
                *self.costs.entry(flow).or_default() += PACKET + u64::from(octets);
            }
        }
    }

    /// The flows to shed from now on, where they have changed; at most `most`.
    pub(super) fn list(&mut self, most: usize, now: Instant) -> Option<Vec<u32>> {
        if self.full_at.is_some() && now.saturating_duration_since(self.window) >= WINDOW {
            self.window = now;
            let before = self.shed.len();
            self.shed.retain(|&(_, until)| until > now);
            self.changed |= self.shed.len() != before;
            let total: u64 = self.costs.values().sum();
            let mut heavy: Vec<(u64, u32)> = self
                .costs
                .drain()
                .map(|(flow, cost)| (cost, flow))
                // What is lighter is not worth a place in the list.
                .filter(|&(cost, _)| cost * LIGHTEST >= total)
                .collect();
            heavy.sort_unstable_by(|one, other| other.cmp(one));
            for (_, flow) in heavy {
                if self.shed.len() >= most {
                    break;
                }
                if self.shed.iter().all(|&(known, _)| known != flow) {
                    // Not all at once.
                    let extra = Duration::from_millis(u64::from(flow % 4_096));
                    self.shed.push((flow, now + SHED_FOR + extra));
                    self.changed = true;
                }
            }
        }
        std::mem::take(&mut self.changed).then(|| self.shed.iter().map(|&(flow, _)| flow).collect())
    }
}

/// From so full a ring on a worker sheds: there is a moment left to find out what.
const FULL: f64 = 0.3;
/// A ring that is fuller than this has not been emptied.
const STILL_FULL: f64 = 0.05;
/// For so long a worker must have kept up before it sheds no more: what it sheds may be why.
const HOLD: Duration = Duration::from_secs(10);
/// So often the list is made.
const WINDOW: Duration = Duration::from_millis(50);
/// For so long a flow is shed at least.
const SHED_FOR: Duration = Duration::from_secs(2);
/// Of so many batches one is looked at.
const SAMPLED: u32 = 4;
/// Flows that are told apart in one window.
const MOST_SAMPLED: usize = 1 << 14;
/// What a packet costs, in octets, whatever its length.
const PACKET: u64 = 512;
/// A flow is shed that has at least this part of what all decided ones cost.
const LIGHTEST: u64 = 4_096;
const LATEST_NS: i64 = 120_000_000_000;
const OLDER: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::*;

    const RING: f64 = (1 << 20) as f64;

    #[test]
    fn a_ring_is_as_full_as_its_packets_are_late() {
        let mut gauge = Gauge::default();
        let now_ns = 1_000_000_000;
        // A megabyte in each second.
        let full = gauge.after(1 << 10, (0, 976_562), now_ns, RING);
        assert!((0.99..1.01).contains(&full), "{full}");
        let full = gauge.after(1 << 10, (976_562, 1_953_125), 11_953_125, RING);
        assert!((0.009..0.011).contains(&full), "{full}");
        // Clocks that were set.
        assert_eq!(gauge.after(1 << 10, (2_000_000, 3_000_000), 0, RING), 0.0);
        let year_later = 31_536_000_000_000_000;
        assert_eq!(
            gauge.after(1 << 10, (3_000_000, 4_000_000), year_later, RING),
            0.0
        );
    }

    #[test]
    fn sheds_the_heaviest_and_lets_them_go_again() {
        let began = Instant::now();
        let mut pressure = Pressure::new(began);
        let at = |ms| began + Duration::from_millis(ms);
        assert_eq!(pressure.gauge(0.1, false, at(0)), None);
        assert!((0..10).all(|_| !pressure.samples()));
        assert_eq!(pressure.gauge(0.5, false, at(1)), Some(Turn::Began));
        assert!((0..10).any(|_| pressure.samples()));
        for _ in 0..1_000 {
            pressure.sample(&[(7, 1_500), (8, 700), (7, 1_500)]);
        }
        pressure.sample(&[(9, 60)]);
        assert_eq!(pressure.list(2, at(2)), None, "too early to tell");
        assert_eq!(pressure.list(1, at(60)), Some(vec![7]));
        assert_eq!(pressure.list(1, at(120)), None, "nothing has changed");
        // Time to see whether it is still there.
        assert_eq!(pressure.list(1, at(10_000)), Some(vec![]));
        assert_eq!(pressure.gauge(0.0, false, at(10_001)), Some(Turn::Ended));
        assert_eq!(pressure.list(1, at(10_002)), None);
    }

    #[test]
    fn a_loss_is_pressure_too_and_its_end_ends_shedding() {
        let began = Instant::now();
        let mut pressure = Pressure::new(began);
        assert_eq!(pressure.gauge(0.0, true, began), Some(Turn::Began));
        pressure.sample(&[(7, 1_500)]);
        let later = began + Duration::from_millis(60);
        assert_eq!(pressure.list(9, later), Some(vec![7]));
        assert_eq!(pressure.gauge(0.06, false, later), None);
        let end = later + HOLD;
        assert_eq!(pressure.gauge(0.0, false, end), Some(Turn::Ended));
        assert_eq!(pressure.list(9, end), Some(vec![]));
    }
}
