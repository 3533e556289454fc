//! Chunks to records: numbers and times the packets, shows them to the workers, hands the facts to the judge.
//!
//! With one worker everything happens in the calling thread. With more, the caller fills chunks, each worker walks all of
//! them and takes its own flows, and a thread of its own runs the judge; a bounded number of chunks is under way, so a slow
//! judge holds the reader back and memory stays bounded.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use terrier_engine::{
    Clock, END_OF_INPUT, Facts, Judge, Limits, Packet, Sink, Ticked, Wanted, Worker, WorkerConfig,
};

use crate::capture::Chunk;

/// Gives packets and ticks their place and time.
#[derive(Debug, Default)]
struct Stepper {
    clock: Clock,
    seq: u64,
    packets: u64,
    octets: u64,
    first_ns: Option<i64>,
    last_ns: Option<i64>,
}

/// A chunk with the places of its packets and ticks.
#[derive(Debug, Default)]
struct Block {
    chunk: Chunk,
    first_seq: u64,
    ticks: Vec<Tick>,
}

/// A tick in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tick {
    /// It comes before the packet of this index.
    before: usize,
    at_ns: i64,
}

impl Stepper {
    /// Numbers what is in the block.
    fn step(&mut self, block: &mut Block) {
        block.first_seq = self.seq + 1;
        block.ticks.clear();
        for (before, meta) in block.chunk.metas().iter().enumerate() {
            self.octets += u64::from(meta.wire_len);
            self.first_ns = Some(
                self.first_ns
                    .map_or(meta.at_ns, |first| first.min(meta.at_ns)),
            );
            self.last_ns = Some(self.last_ns.map_or(meta.at_ns, |last| last.max(meta.at_ns)));
            if let Some(at_ns) = self.clock.packet(meta.at_ns) {
                block.ticks.push(Tick { before, at_ns });
            }
        }
        self.packets += block.chunk.len() as u64;
        self.seq += (block.chunk.len() + block.ticks.len()) as u64;
    }

    /// A block without packets: a tick.
    fn tick(&mut self, block: &mut Block, at_ns: i64) {
        block.chunk.clear();
        block.ticks.clear();
        block.first_seq = self.seq + 1;
        block.ticks.push(Tick { before: 0, at_ns });
        self.seq += 1;
    }
}

/// Shows a block to a worker; what it has found goes to `hand_on`.
fn drive(
    worker: &mut Worker,
    block: &Block,
    facts: &mut Facts,
    mut hand_on: impl FnMut(&mut Facts),
) {
    let mut ticks = block.ticks.iter().peekable();
    let mut seq = block.first_seq;
    let mut batch: Vec<Packet<'_>> = Vec::with_capacity(BATCH);
    let flush = |worker: &mut Worker, batch: &mut Vec<Packet<'_>>, facts: &mut Facts| {
        if !batch.is_empty() {
            worker.packets(batch, facts);
            batch.clear();
        }
    };
    for (index, (meta, octets)) in block.chunk.iter().enumerate() {
        while let Some(tick) = ticks.next_if(|tick| tick.before == index) {
            flush(worker, &mut batch, facts);
            while worker.tick(tick.at_ns, seq, facts) == Ticked::MoreToTell {
                hand_on(facts);
            }
            seq += 1;
        }
        batch.push(meta.packet(seq, octets));
        seq += 1;
        if batch.len() == BATCH {
            flush(worker, &mut batch, facts);
        }
    }
    flush(worker, &mut batch, facts);
    for tick in ticks {
        while worker.tick(tick.at_ns, seq, facts) == Ticked::MoreToTell {
            hand_on(facts);
        }
        seq += 1;
    }
    hand_on(facts);
}

/// What the reader has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Packets read, undecodable ones included.
    pub packets: u64,
    /// Octets of them on the wire.
    pub octets: u64,
    /// Jumps of packet time by over an hour.
    pub clock_jumps: u64,
    /// Time of the earliest packet, in nanoseconds since 1970.
    pub first_ns: Option<i64>,
    /// Time of the latest packet.
    pub last_ns: Option<i64>,
}

/// How a pipeline is set up.
#[derive(Debug, Clone, Copy)]
pub struct PipelineConfig {
    /// How many workers.
    pub workers: u16,
    /// Secret of the run.
    pub seed: u64,
    /// Bounds of the engine.
    pub limits: Limits,
    /// What is made besides that which the detections need.
    pub wanted: Wanted,
}

/// The engine, running.
pub struct Pipeline<S: Sink + Send + 'static> {
    stepper: Stepper,
    engine: Engine<S>,
}

enum Engine<S: Sink + Send + 'static> {
    Inline {
        worker: Box<Worker>,
        judge: Box<Judge>,
        sink: S,
        facts: Facts,
        block: Block,
    },
    Threads {
        workers: Vec<SyncSender<Arc<Block>>>,
        threads: Vec<JoinHandle<()>>,
        judge: JoinHandle<(Box<Judge>, S)>,
        to_judge: SyncSender<ToJudge<S>>,
        spare: Receiver<Block>,
    },
}

/// What the judge's thread is sent.
enum ToJudge<S> {
    Facts(Facts),
    Visit(Visit<S>),
}

type Visit<S> = Box<dyn FnOnce(&Judge, &mut S) + Send>;

impl<S: Sink + Send + 'static> Pipeline<S> {
    /// Starts the workers. The judge must have been made for as many.
    pub fn start(config: PipelineConfig, judge: Judge, sink: S) -> Self {
        let worker = |index| {
            Worker::new(WorkerConfig {
                index,
                count: config.workers,
                seed: config.seed,
                limits: config.limits,
                wanted: config.wanted,
            })
        };
        let engine = if config.workers <= 1 {
            Engine::Inline {
                worker: Box::new(worker(0)),
                judge: Box::new(judge),
                sink,
                facts: Facts::default(),
                block: Block::default(),
            }
        } else {
            threads((0..config.workers).map(worker).collect(), judge, sink)
        };
        Self {
            stepper: Stepper::default(),
            engine,
        }
    }

    /// Works on a chunk; what is left in it has no meaning.
    pub fn chunk(&mut self, chunk: &mut Chunk) {
        self.push(|stepper, block| {
            std::mem::swap(&mut block.chunk, chunk);
            stepper.step(block);
        });
        // With one worker the caller gets its buffer back.
        if let Engine::Inline { block, .. } = &mut self.engine {
            std::mem::swap(&mut block.chunk, chunk);
        }
    }

    /// Time has passed up to `at_ns` while nothing came (live), so that flows end and answers are given up on a silent wire
    /// too. A time before that of a packet changes nothing.
    pub fn passes(&mut self, at_ns: i64) {
        if let Some(at_ns) = self.stepper.clock.passes(at_ns) {
            self.push(|stepper, block| stepper.tick(block, at_ns));
        }
    }

    /// The clock of the packets, in nanoseconds since 1970.
    pub fn now_ns(&self) -> Option<i64> {
        self.stepper.clock.now_ns()
    }

    /// What has been read so far.
    pub fn progress(&self) -> Progress {
        Progress {
            packets: self.stepper.packets,
            octets: self.stepper.octets,
            clock_jumps: self.stepper.clock.jumps,
            first_ns: self.stepper.first_ns,
            last_ns: self.stepper.last_ns,
        }
    }

    /// Calls `visit` where the judge and the sink are: here with one worker, else in the judge's thread, soon. Answers
    /// whether it was called or will be: a judge who is behind takes no visit, so that the caller never waits.
    pub fn visit(&mut self, visit: impl FnOnce(&Judge, &mut S) + Send + 'static) -> bool {
        match &mut self.engine {
            Engine::Inline { judge, sink, .. } => {
                visit(judge, sink);
                true
            }
            Engine::Threads { to_judge, .. } => {
                to_judge.try_send(ToJudge::Visit(Box::new(visit))).is_ok()
            }
        }
    }

    /// Ends the input: every flow ends, and whatever is pending is said.
    ///
    /// # Panics
    /// When a worker has panicked.
    pub fn finish(mut self) -> (Box<Judge>, S, Progress) {
        self.push(|stepper, block| stepper.tick(block, END_OF_INPUT));
        let progress = self.progress();
        match self.engine {
            Engine::Inline { judge, sink, .. } => (judge, sink, progress),
            Engine::Threads {
                workers,
                threads,
                judge,
                to_judge,
                ..
            } => {
                drop((workers, to_judge));
                for thread in threads {
                    thread.join().expect("a worker does not panic");
                }
                let (judge, sink) = judge.join().expect("the judge does not panic");
                (judge, sink, progress)
            }
        }
    }

    fn push(&mut self, fill: impl FnOnce(&mut Stepper, &mut Block)) {
        match &mut self.engine {
            Engine::Inline {
                worker,
                judge,
                sink,
                facts,
                block,
            } => {
                fill(&mut self.stepper, block);
                drive(worker, block, facts, |facts| judge.take(facts, sink));
            }
            Engine::Threads { workers, spare, .. } => {
                let mut block = spare.try_recv().unwrap_or_default();
                fill(&mut self.stepper, &mut block);
                let block = Arc::new(block);
                for worker in workers {
                    // A worker that is gone has panicked: `finish` says so.
                    let _ = worker.send(Arc::clone(&block));
                }
            }
        }
    }
}

fn threads<S: Sink + Send + 'static>(workers: Vec<Worker>, judge: Judge, sink: S) -> Engine<S> {
    let (to_judge, facts) = sync_channel::<ToJudge<S>>(workers.len() * UNDER_WAY);
    let (give_back, spare) = sync_channel::<Block>(UNDER_WAY);
    let mut senders = Vec::new();
    let mut handles = Vec::new();
    for mut worker in workers {
        let (sender, blocks) = sync_channel::<Arc<Block>>(UNDER_WAY);
        let (to_judge, give_back) = (to_judge.clone(), give_back.clone());
        senders.push(sender);
        handles.push(std::thread::spawn(move || {
            for block in blocks {
                // The judge is gone only when it has panicked: `finish` says so.
                drive(&mut worker, &block, &mut Facts::default(), |facts| {
                    let _ = to_judge.send(ToJudge::Facts(std::mem::take(facts)));
                });
                // The last worker to have seen a block gives its buffer back.
                if let Some(block) = Arc::into_inner(block)
                    && let Err(TrySendError::Disconnected(_)) = give_back.try_send(block)
                {
                    return;
                }
            }
        }));
    }
    let judge = std::thread::spawn(move || run_judge(judge, sink, facts));
    Engine::Threads {
        workers: senders,
        threads: handles,
        judge,
        to_judge,
        spare,
    }
}

fn run_judge<S: Sink>(
    mut judge: Judge,
    mut sink: S,
    inbox: Receiver<ToJudge<S>>,
) -> (Box<Judge>, S) {
    for message in inbox {
        match message {
            ToJudge::Facts(mut facts) => judge.take(&mut facts, &mut sink),
            ToJudge::Visit(visit) => visit(&judge, &mut sink),
        }
    }
    (Box::new(judge), sink)
}

/// Packets shown to a worker at once: enough to hide the misses of the flow table behind each other later.
const BATCH: usize = 64;
/// Chunks under way for each worker.
const UNDER_WAY: usize = 4;
