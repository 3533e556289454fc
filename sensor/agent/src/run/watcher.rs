//! One worker of a run: its rings, its part of the engine, its thread.
//!
//! It has one ring of each interface. In turn it takes what is in them, works on it, and sends on what concerns other
//! workers; nothing that it does waits for anybody but for packets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use terrier_engine::{Dealt, END_OF_INPUT, Facts, Packet, Ticked, Worker};

use super::board::{Board, RingCounts, State};
use super::exchange::Exchange;
use super::judging::Line;
use super::now_ns;
use super::pressure::{Pressure, Turn};
use super::ring::{BEHIND, Ring, Taken};
use super::time::Timeline;
use crate::capture::{Chunk, Live};
use crate::exit;

/// What a worker is made of.
pub(super) struct Parts {
    pub(super) index: u16,
    pub(super) worker: Worker,
    /// When the run began.
    pub(super) began: Instant,
    /// `None` where it is alone.
    pub(super) exchange: Option<Exchange>,
    pub(super) line: Line,
    pub(super) board: Arc<Board>,
    /// One of each interface.
    pub(super) rings: Vec<Live>,
    pub(super) ring_octets: u32,
    /// Whether it may shed flows that are decided.
    pub(super) sheds: bool,
}

/// A worker.
pub(super) struct Watcher {
    index: u16,
    worker: Worker,
    time: Timeline,
    exchange: Option<Exchange>,
    line: Line,
    board: Arc<Board>,
    rings: Vec<Ring>,
    ring_octets: f64,
    sheds: bool,
    pressure: Pressure,
    /// When it last said that it cannot keep up.
    told: Option<Instant>,
    chunk: Chunk,
    facts: Facts,
    dealt: Dealt,
    /// When facts and counts were last handed on, and the kernel asked for its counts.
    handed_on: Instant,
    asked: Instant,
}

/// What a worker leaves behind.
pub(super) struct Ended {
    /// Jumps of packet time by over an hour.
    pub(super) clock_jumps: u64,
}

impl Watcher {
    pub(super) fn new(parts: Parts) -> Self {
        let ring = |(at, live)| Ring::new(at, live);
        Self {
            index: parts.index,
            worker: parts.worker,
            time: Timeline::new(parts.began),
            exchange: parts.exchange,
            line: parts.line,
            board: parts.board,
            rings: parts.rings.into_iter().enumerate().map(ring).collect(),
            ring_octets: f64::from(parts.ring_octets),
            sheds: parts.sheds,
            pressure: Pressure::new(parts.began),
            told: None,
            chunk: Chunk::new(),
            facts: Facts {
                worker: parts.index,
                ..Facts::default()
            },
            dealt: Dealt::default(),
            handed_on: parts.began,
            asked: parts.began,
        }
    }

    /// Watches until the run ends, and ends all flows.
    pub(super) fn run(mut self) -> Ended {
        while !self.board.is_ending() {
            if !self.turn(|_| true) {
                self.wait(match self.exchange {
                    // Others may have something for it meanwhile.
                    Some(_) => SHORT_PATIENCE,
                    None => PATIENCE,
                });
                self.pass_time();
            }
            self.look_at_given();
            self.hand_on();
        }
        self.drain();
        let number = self.time.last_number();
        // There is no hurry any more; but an output that takes nothing does not keep the run from ending.
        let until = Instant::now() + DRAIN;
        while self.worker.tick(END_OF_INPUT, number, &mut self.facts) == Ticked::MoreToTell {
            self.line.hand_in_part(&mut self.facts, until);
        }
        self.rings.iter_mut().for_each(|ring| {
            ring.take_losses();
        });
        self.count();
        self.line.hand_in_last(std::mem::take(&mut self.facts));
        Ended {
            clock_jumps: self.time.jumps(),
        }
    }

    /// Takes what is there from each of these rings once; whether there was anything.
    fn turn(&mut self, of: impl Fn(&RingCounts) -> bool) -> bool {
        let mut any = false;
        let mut fullest = 0.0_f64;
        for at in 0..self.rings.len() {
            let Some(ring) = self.rings.get_mut(at).filter(|ring| of(&ring.counts)) else {
                continue;
            };
            let Self { chunk, time, .. } = self;
            if let Taken::Packets { full } = ring.take(chunk, time, &self.board, self.ring_octets) {
                any = true;
                fullest = fullest.max(full);
                self.work();
            }
        }
        if any {
            self.time.taken();
        }
        self.send_on();
        self.relieve(fullest);
        any
    }

    /// Works on the packets of the chunk.
    fn work(&mut self) {
        let Self {
            worker,
            time,
            exchange,
            pressure,
            chunk,
            facts,
            dealt,
            line,
            ..
        } = self;
        let mut work = |batch: &mut Vec<Packet<'_>>, worker: &mut Worker, facts: &mut Facts| {
            let samples = pressure.samples();
            worker.tell_decided(samples);
            worker.dealt(batch, facts, dealt);
            for aside in dealt.aside.drain(..) {
                if let (Some(exchange), Some(packet)) = (&mut *exchange, batch.get(aside.index)) {
                    exchange.put(packet, aside.to);
                }
            }
            pressure.sample(&dealt.decided);
            dealt.decided.clear();
            batch.clear();
        };
        let mut batch = Vec::with_capacity(BATCH);
        for (meta, octets) in chunk.iter() {
            if let Some(tick) = time.packet(meta.at_ns) {
                work(&mut batch, worker, facts);
                let number = time.number(meta.at_ns);
                let until = Instant::now() + PART_PATIENCE;
                while worker.tick(tick, number, facts) == Ticked::MoreToTell {
                    line.hand_in_part(facts, until);
                }
            }
            batch.push(meta.packet(time.number(meta.at_ns), octets));
            if batch.len() == BATCH {
                work(&mut batch, worker, facts);
            }
        }
        if !batch.is_empty() {
            work(&mut batch, worker, facts);
        }
    }

    /// Sends on what concerns other workers, and says up to which time that is all.
    fn send_on(&mut self) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let rings = &mut self.rings;
        exchange.send(|capture| {
            if let Some(ring) = rings.get_mut(usize::from(capture)) {
                ring.counts.queue += 1;
            }
        });
        let through_ns = rings.iter().map(Ring::through_ns).min();
        // Once all is over it says so itself.
        exchange.sent_through(through_ns.unwrap_or(i64::MAX).min(i64::MAX - 1));
    }

    /// Works on what others have sent.
    fn look_at_given(&mut self) {
        let Self {
            worker,
            time,
            exchange,
            facts,
            ..
        } = self;
        let Some(exchange) = exchange else { return };
        time.look();
        exchange.look(BATCH, |packets| {
            for packet in &mut *packets {
                packet.seq = time.number(packet.at_ns);
            }
            worker.packets(packets, facts);
        });
    }

    /// Time goes on though nothing came.
    fn pass_time(&mut self) {
        if let Some((tick, number)) = self.time.passes(BEHIND) {
            let until = Instant::now() + PART_PATIENCE;
            while self.worker.tick(tick, number, &mut self.facts) == Ticked::MoreToTell {
                self.line.hand_in_part(&mut self.facts, until);
            }
        }
        self.facts.through = self.time.through(BEHIND);
    }

    /// Sheds where it cannot keep up.
    fn relieve(&mut self, fullest: f64) {
        let now = Instant::now();
        let mut lost = false;
        if now.duration_since(self.asked) >= ASK_EACH {
            self.asked = now;
            for ring in &mut self.rings {
                lost |= ring.take_losses();
            }
        }
        if !self.sheds {
            return;
        }
        match self.pressure.gauge(fullest, lost, now) {
            Some(Turn::Began) if self.may_tell(now) => exit::tell(format_args!(
                "{}: worker {} cannot keep up: of flows it has decided it only counts the packets now",
                self.names(),
                self.index + 1
            )),
            Some(Turn::Ended) if self.told.is_some() => {
                let shed: u64 = self.rings.iter().map(|ring| ring.counts.shed.packets).sum();
                exit::tell(format_args!(
                    "{}: worker {} keeps up again; of {shed} packets it has only kept a count so far",
                    self.names(),
                    self.index + 1
                ));
            }
            _ => {}
        }
        let Some(list) = self.pressure.list(Live::MOST_SHED, now) else {
            return;
        };
        for ring in &mut self.rings {
            if ring.state() == State::Gone || !ring.live.can_shed() {
                continue;
            }
            if let Err(error) = ring.live.shed(&list) {
                self.sheds = false;
                exit::tell(format_args!(
                    "{}: the kernel does not help to shed packets: {error}",
                    ring.live.interface()
                ));
            }
        }
    }

    /// Not more often than once a minute.
    fn may_tell(&mut self, now: Instant) -> bool {
        let may = self
            .told
            .is_none_or(|told| now.duration_since(told) >= TELL_EACH);
        if may {
            self.told = Some(now);
        }
        may
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self
            .rings
            .iter()
            .map(|ring| ring.live.interface())
            .collect();
        names.join(", ")
    }

    /// Waits until a packet comes to an interface that is up, or a signal; one that is down is looked at each time.
    fn wait(&self, patience: Timespec) {
        let mut polled: Vec<PollFd<'_>> = self
            .rings
            .iter()
            .filter(|ring| ring.state() == State::Up)
            .map(|ring| PollFd::new(&ring.live, PollFlags::IN))
            .collect();
        // An error is a signal's interruption: the caller looks whether it should stop.
        let _ = rustix::event::poll(&mut polled, Some(&patience));
    }

    /// Hands facts to the judge and counts to the board.
    fn hand_on(&mut self) {
        let due = self.handed_on.elapsed() >= HAND_ON_EACH;
        if due || !self.facts.observations.is_empty() || self.facts.counters.is_some() {
            self.line.hand_in(&mut self.facts);
        }
        if due {
            self.handed_on = Instant::now();
            self.count();
        }
    }

    fn count(&self) {
        let counts: Vec<RingCounts> = self.rings.iter().map(|ring| ring.counts).collect();
        self.board.count(self.index, &counts);
    }

    /// Reads what came before the end and is still in the rings, and works on what others read of it.
    fn drain(&mut self) {
        let began = Instant::now();
        let stopped_ns = now_ns();
        let before = |counts: &RingCounts| counts.last_ns.is_none_or(|last| last < stopped_ns);
        let left = |rings: &[Ring]| {
            rings
                .iter()
                .any(|ring| ring.state() != State::Gone && before(&ring.counts))
        };
        while began.elapsed() < DRAIN && left(&self.rings) {
            if !self.turn(before) {
                if began.elapsed() > BEHIND {
                    break;
                }
                self.wait(SHORT_PATIENCE);
            }
            self.look_at_given();
            self.hand_on();
        }
        if let Some(exchange) = &self.exchange {
            exchange.sent_through(i64::MAX);
        }
        loop {
            let over = self.exchange.as_ref().is_none_or(Exchange::is_over);
            self.look_at_given();
            if over || began.elapsed() >= DRAIN + BEHIND {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A worker that ends early, by a panic, keeps nobody waiting.
impl Drop for Watcher {
    fn drop(&mut self) {
        if let Some(exchange) = &self.exchange {
            exchange.sent_through(i64::MAX);
        }
    }
}

/// So long a tick may wait for the judge: a twentieth of the time, and a fifth of what the usual ring holds.
const PART_PATIENCE: Duration = Duration::from_millis(50);
/// Packets shown to the engine at once.
const BATCH: usize = 64;
/// How long a silent wire is waited for, and so how long a signal is.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
const SHORT_PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 20_000_000,
};
/// So often facts and counts are handed on though there is nothing new, so that the judge knows how far this worker is.
const HAND_ON_EACH: Duration = Duration::from_millis(100);
/// So often the kernel is asked for its counts.
const ASK_EACH: Duration = Duration::from_millis(250);
/// So often it is said that a worker cannot keep up.
const TELL_EACH: Duration = Duration::from_secs(60);
/// The most time for what is in the rings at the end: a full one of 64 MiB takes a fraction of it.
const DRAIN: Duration = Duration::from_secs(2);
