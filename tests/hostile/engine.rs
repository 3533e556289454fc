//! The engine alone, in this process: packets in, lines of records out.

use terrier_engine::alert::{Alert, AlertRecord};
use terrier_engine::detect::NameSource;
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};
use terrier_engine::record::{FlowRecord, ObservationRecord};
use terrier_engine::signature::Signatures;
use terrier_engine::{
    Clock, Counters, END_OF_INPUT, Facts, HomeNetworks, Judge, JudgeConfig, Limits, LinkType,
    Packet, Sink, Ticked, Wanted, Worker, WorkerConfig,
};

use std::sync::{Arc, OnceLock};

use crate::support::capture::Frame;

/// What the engine said, and what it counted.
pub(super) struct Said {
    pub(super) lines: Vec<String>,
    /// As of the end.
    pub(super) counters: Counters,
    /// The most octets that sessions waited for at any time, as it was counted.
    pub(super) most_buffered: u64,
}

/// Shows frames to so many workers, one after the other in this thread.
pub(super) fn run<'a>(
    frames: impl IntoIterator<Item = &'a Frame>,
    workers: u16,
    limits: Limits,
) -> Said {
    let mut engine = Engine::new(workers, limits);
    for frame in frames {
        engine.frame(frame);
    }
    engine.end()
}

/// Workers and their judge.
pub(super) struct Engine {
    workers: Vec<Worker>,
    judge: Judge,
    clock: Clock,
    facts: Facts,
    lines: Lines,
    seq: u64,
    frame: u64,
    most_buffered: u64,
}

impl Engine {
    pub(super) fn new(count: u16, limits: Limits) -> Self {
        let worker = |index| {
            Worker::new(WorkerConfig {
                index,
                count,
                seed: SEED,
                limits,
                wanted: Wanted::ALL,
            })
        };
        Self {
            workers: (0..count).map(worker).collect(),
            judge: Judge::new(JudgeConfig {
                home: HomeNetworks::default(),
                signatures: signatures(),
                workers: count,
                seed: SEED,
                limits,
            }),
            clock: Clock::default(),
            facts: Facts::default(),
            lines: Lines::default(),
            seq: 0,
            frame: 0,
            most_buffered: 0,
        }
    }

    /// Shows a frame to all of them.
    pub(super) fn frame(&mut self, frame: &Frame) {
        if let Some(at_ns) = self.clock.packet(frame.at_ns) {
            self.tick(at_ns);
        }
        self.seq += 1;
        self.frame += 1;
        let packet = Packet {
            at_ns: frame.at_ns,
            seq: self.seq,
            capture: 0,
            frame: self.frame,
            link: LinkType(frame.link),
            wire_len: frame.wire_len,
            octets: &frame.octets,
        };
        for worker in &mut self.workers {
            worker.packets(&[packet], &mut self.facts);
            self.judge.take(&mut self.facts, &mut self.lines);
        }
    }

    /// What is counted up to the last tick.
    pub(super) fn tick(&mut self, at_ns: i64) {
        self.seq += 1;
        for worker in &mut self.workers {
            let mut ticked = Ticked::MoreToTell;
            while ticked == Ticked::MoreToTell {
                ticked = worker.tick(at_ns, self.seq, &mut self.facts);
                self.judge.take(&mut self.facts, &mut self.lines);
            }
        }
        let buffered = self.judge.counters().buffered_octets;
        self.most_buffered = self.most_buffered.max(buffered);
    }

    /// Ends the input.
    pub(super) fn end(mut self) -> Said {
        if let Some(now_ns) = self.clock.now_ns() {
            self.tick(now_ns);
        }
        self.tick(END_OF_INPUT);
        Said {
            lines: self.lines.lines,
            counters: self.judge.counters(),
            most_buffered: self.most_buffered,
        }
    }

    /// Drops the lines said so far, for inputs of which only the counts are asked.
    pub(super) fn forget(&mut self) {
        self.lines.lines.clear();
    }
}

#[derive(Default)]
struct Lines {
    lines: Vec<String>,
}

impl Sink for Lines {
    fn observation(&mut self, observation: &Observation, protocol: &'static str) {
        let record = ObservationRecord {
            observation,
            protocol,
        };
        let mut line = Vec::new();
        record.append(&mut line).expect("a record is JSON");
        self.lines
            .push(String::from_utf8(line).expect("JSON is UTF-8"));
    }

    fn alert(&mut self, alert: &Alert, _opened: bool) {
        self.line(&AlertRecord::new(alert, "sensor", &["capture".into()]));
    }

    fn flow(&mut self, flow: &FlowRef, end: &FlowEnd, name: Option<(&str, NameSource)>) {
        self.line(&FlowRecord { flow, end, name });
    }
}

impl Lines {
    fn line(&mut self, record: &impl serde::Serialize) {
        let line = serde_json::to_string(record).expect("a record is JSON");
        self.lines.push(line);
    }
}

fn signatures() -> Arc<Signatures> {
    static BUILT_IN: OnceLock<Arc<Signatures>> = OnceLock::new();
    Arc::clone(BUILT_IN.get_or_init(|| Arc::new(Signatures::built_in())))
}

const SEED: u64 = 7;
