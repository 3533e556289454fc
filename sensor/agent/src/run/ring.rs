//! One ring of a worker: an interface as far as the kernel gives it to this worker.

use std::time::Duration;

use super::board::{Board, RingCounts, State};
use super::pressure::Gauge;
use super::time::Timeline;
use crate::capture::{Chunk, Filled, Live, Shed, Source as _};

/// A ring.
pub(super) struct Ring {
    pub(super) live: Live,
    pub(super) counts: RingCounts,
    /// The interface's place among those that are watched.
    at: usize,
    state: State,
    gauge: Gauge,
    /// No packet comes out of it any more that was captured before.
    through_ns: i64,
    /// How many packets it had lost when that was last asked.
    lost: u64,
}

/// What came out of a ring.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Taken {
    Nothing,
    /// Packets, and the share of the ring that is full. They may all have been shed.
    Packets {
        full: f64,
    },
}

impl Ring {
    pub(super) fn new(at: usize, live: Live) -> Self {
        Self {
            live,
            counts: RingCounts::default(),
            at,
            state: State::Up,
            gauge: Gauge::default(),
            through_ns: i64::MIN,
            lost: 0,
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Up to which time there is nothing more to come.
    pub(super) fn through_ns(&self) -> i64 {
        // What was removed brings nothing, and keeps nobody waiting.
        if self.state == State::Gone {
            i64::MAX
        } else {
            self.through_ns
        }
    }

    /// Takes what is there. An interface in trouble is told.
    pub(super) fn take(
        &mut self,
        chunk: &mut Chunk,
        time: &mut Timeline,
        board: &Board,
        ring_octets: f64,
    ) -> Taken {
        if self.state == State::Gone {
            chunk.clear();
            return Taken::Nothing;
        }
        let shed_before = self.live.shed_so_far();
        // What is not here by now comes later than this, less what the kernel holds back.
        let asked_ns = time.look();
        let filled = self.live.fill(chunk);
        let now_ns = time.look();
        let shed = Shed {
            packets: self.live.shed_so_far().packets - shed_before.packets,
            octets: self.live.shed_so_far().octets - shed_before.octets,
        };
        if shed.packets > 0 {
            self.counts.shed = self.live.shed_so_far();
            self.counts.packets += shed.packets;
            self.counts.octets += shed.octets;
        }
        let behind_ns = asked_ns.saturating_sub(BEHIND_NS);
        match filled {
            Ok(Filled::More) => {
                let full = self.came(chunk, shed.packets, now_ns, board, ring_octets);
                if self.live.is_emptied() {
                    self.through_ns = self.through_ns.max(behind_ns);
                }
                Taken::Packets { full }
            }
            Ok(Filled::Idle | Filled::End) => {
                self.through_ns = self.through_ns.max(behind_ns);
                Taken::Nothing
            }
            Err(fault) => {
                self.state = board.trouble(self.at, fault, now_ns);
                Taken::Nothing
            }
        }
    }

    fn came(
        &mut self,
        chunk: &Chunk,
        shed: u64,
        now_ns: i64,
        board: &Board,
        ring_octets: f64,
    ) -> f64 {
        let metas = chunk.metas();
        let (Some(first), Some(last)) = (metas.first(), metas.last()) else {
            return 0.0;
        };
        if self.state == State::Down {
            self.state = board.came(self.at, last.at_ns);
        }
        let octets = metas.iter().map(|meta| u64::from(meta.wire_len)).sum();
        let count = metas.len() as u64;
        self.counts.add(count, octets, first.at_ns, last.at_ns);
        self.through_ns = self.through_ns.max(last.at_ns);
        let captured: u64 = chunk.iter().map(|(_, octets)| octets.len() as u64).sum();
        let in_ring = captured + (count + shed) * RECORD_OCTETS;
        let span = (first.at_ns, last.at_ns);
        let full = self.gauge.after(in_ring, span, now_ns, ring_octets);
        if self.live.is_emptied() { 0.0 } else { full }
    }

    /// Takes over the kernel's counters; whether packets were lost since the last time. Those of an interface that has gone
    /// stay as they were.
    pub(super) fn take_losses(&mut self) -> bool {
        if let (true, Ok(stats)) = (self.state != State::Gone, self.live.stats()) {
            self.counts.nic = stats.dropped_by_interface;
            self.counts.kernel = stats.dropped_by_kernel;
        }
        std::mem::replace(&mut self.lost, self.counts.kernel) < self.counts.kernel
    }
}

/// The kernel hands on a block of its ring after 40 ms at the latest; as much again for the way here.
pub(super) const BEHIND: Duration = Duration::from_millis(80);
const BEHIND_NS: i64 = 80_000_000;
/// What a packet takes of a ring besides its octets: header, address, alignment.
const RECORD_OCTETS: u64 = 96;
