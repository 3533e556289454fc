//! What the threads of a run tell each other besides packets: the state of the interfaces, and counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::capture::{Damage, Fault, Shed};
use crate::exit;
use crate::pipeline::Progress;
use crate::telemetry::InterfaceCounts;

/// What all threads of a run see.
pub(super) struct Board {
    wires: Vec<Wire>,
    /// By worker; in each, by interface.
    rings: Vec<Mutex<Vec<RingCounts>>>,
    ending: AtomicBool,
}

/// One interface.
struct Wire {
    name: String,
    state: Mutex<Told>,
}

/// What was told of an interface.
struct Told {
    state: State,
    /// When that began, in nanoseconds since 1970, and by a clock that nobody sets.
    since_ns: i64,
    since: Instant,
    /// What it was last in trouble for.
    fault: Option<String>,
}

/// Whether packets can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Up,
    /// It may come up again.
    Down,
    /// It was removed. One of the same name would be another one.
    Gone,
}

/// What one ring has brought.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RingCounts {
    /// Packets that were read, the shed ones included.
    pub(super) packets: u64,
    pub(super) octets: u64,
    pub(super) first_ns: Option<i64>,
    pub(super) last_ns: Option<i64>,
    /// Lost by the interface, of which each ring knows the same.
    pub(super) nic: u64,
    /// Lost because the ring was full.
    pub(super) kernel: u64,
    /// Lost on their way to another worker.
    pub(super) queue: u64,
    pub(super) shed: Shed,
}

impl RingCounts {
    /// Counts packets at these times that had so many octets.
    pub(super) fn add(&mut self, packets: u64, octets: u64, first_ns: i64, last_ns: i64) {
        self.packets += packets;
        self.octets += octets;
        self.first_ns = Some(self.first_ns.map_or(first_ns, |first| first.min(first_ns)));
        self.last_ns = self.last_ns.max(Some(last_ns));
    }
}

impl Board {
    pub(super) fn new(interfaces: &[String], workers: u16) -> Self {
        let wire = |name: &String| Wire {
            name: name.clone(),
            state: Mutex::new(Told {
                state: State::Up,
                since_ns: i64::MIN,
                since: Instant::now(),
                fault: None,
            }),
        };
        let rings = || Mutex::new(vec![RingCounts::default(); interfaces.len()]);
        Self {
            wires: interfaces.iter().map(wire).collect(),
            rings: (0..workers.max(1)).map(|_| rings()).collect(),
            ending: AtomicBool::new(false),
        }
    }

    /// Asks all workers to come to their end.
    pub(super) fn end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub(super) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    pub(super) fn name(&self, wire: usize) -> &str {
        self.wires.get(wire).map_or("", |wire| &wire.name)
    }

    pub(super) fn states(&self) -> Vec<State> {
        let state = |wire: &Wire| lock(&wire.state).state;
        self.wires.iter().map(state).collect()
    }

    /// Takes over the counts of a worker's rings.
    pub(super) fn count(&self, worker: u16, counts: &[RingCounts]) {
        if let Some(place) = self.rings.get(usize::from(worker)) {
            lock(place).copy_from_slice(counts);
        }
    }

    /// Packets came, the last of them captured at `last_ns`; answers the interface's state now. What a ring still held of the
    /// time before it went down does not mean that it is up: that comes soon after, or never.
    pub(super) fn came(&self, wire: usize, last_ns: i64) -> State {
        let Some(wire) = self.wires.get(wire) else {
            return State::Gone;
        };
        let mut told = lock(&wire.state);
        let is_new = last_ns > told.since_ns || told.since.elapsed() > LATE;
        if told.state == State::Down && is_new {
            told.state = State::Up;
            exit::tell(format_args!("{}: packets come again", wire.name));
        }
        told.state
    }

    /// One ring is in trouble, and so are the others of its interface: that is told once. Answers the new state.
    pub(super) fn trouble(&self, at: usize, fault: Fault, now_ns: i64) -> State {
        let state = match fault.what {
            Damage::InterfaceDown => State::Down,
            _ => State::Gone,
        };
        if let Some(wire) = self.wires.get(at) {
            let mut told = lock(&wire.state);
            // Each ring tells of it, the last one perhaps when it is over already.
            let late = told.fault.is_some() && told.since.elapsed() < LATE;
            let news = match told.state {
                State::Up => state == State::Gone || !late,
                State::Down => state == State::Gone,
                State::Gone => false,
            };
            if news {
                let frame = self.interface(at).packets + 1;
                let fault = Fault { frame, ..fault };
                exit::tell(format_args!("{fault}"));
                *told = Told {
                    state,
                    since_ns: now_ns,
                    since: Instant::now(),
                    fault: Some(fault.to_string()),
                };
            }
        }
        state
    }

    /// What an interface was last in trouble for.
    pub(super) fn fault(&self, wire: usize) -> Option<String> {
        lock(&self.wires.get(wire)?.state).fault.clone()
    }

    /// The counts of all rings of each interface.
    pub(super) fn interfaces(&self) -> Vec<InterfaceCounts> {
        (0..self.wires.len()).map(|at| self.interface(at)).collect()
    }

    fn interface(&self, at: usize) -> InterfaceCounts {
        let mut sum = InterfaceCounts {
            name: self.name(at).to_owned(),
            ..InterfaceCounts::default()
        };
        for ring in self.each(at) {
            let [nic, kernel, queue] = &mut sum.dropped;
            *nic = ring.nic.max(*nic);
            *kernel += ring.kernel;
            *queue += ring.queue;
            sum.packets += ring.packets;
            sum.octets += ring.octets;
            sum.last_packet_ns = sum.last_packet_ns.max(ring.last_ns);
            sum.shed.packets += ring.shed.packets;
            sum.shed.octets += ring.shed.octets;
        }
        sum
    }

    /// What was read in all.
    pub(super) fn progress(&self) -> Progress {
        let mut sum = Progress::default();
        for ring in (0..self.wires.len()).flat_map(|at| self.each(at)) {
            sum.packets += ring.packets;
            sum.octets += ring.octets;
            sum.last_ns = sum.last_ns.max(ring.last_ns);
            sum.first_ns = match (sum.first_ns, ring.first_ns) {
                (Some(one), Some(other)) => Some(one.min(other)),
                (one, other) => one.or(other),
            };
        }
        sum
    }

    fn each(&self, wire: usize) -> Vec<RingCounts> {
        let ring = |place: &Mutex<Vec<RingCounts>>| lock(place).get(wire).copied();
        self.rings.iter().filter_map(ring).collect()
    }
}

/// So long after an interface went down its other rings may come to know of it.
const LATE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;

/// What is kept behind these locks is whole after each statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
