//! Chunks to records: numbers and times the packets, shows them to the workers, hands the facts to the judge.
//!
//! With one worker everything happens in the calling thread. With more, the caller fills chunks, the workers find whom each
//! packet concerns and work on their own ones, and a thread of its own runs the judge; a bounded number of chunks is under
//! way, so a slow judge holds the reader back and memory stays bounded.

mod queue;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use terrier_engine::{
    Clock, Dealer, END_OF_INPUT, Facts, Judge, Limits, Packet, Sink, Ticked, Wanted, Worker,
    WorkerConfig,
};

use crate::capture::Chunk;
use queue::Queue;

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
        let (mut first_ns, mut last_ns) = (i64::MAX, i64::MIN);
        for (before, meta) in block.chunk.metas().iter().enumerate() {
            self.octets += u64::from(meta.wire_len);
            (first_ns, last_ns) = (first_ns.min(meta.at_ns), last_ns.max(meta.at_ns));
            if let Some(at_ns) = self.clock.packet(meta.at_ns) {
                block.ticks.push(Tick { before, at_ns });
            }
        }
        if !block.chunk.is_empty() {
            self.first_ns = Some(self.first_ns.map_or(first_ns, |first| first.min(first_ns)));
            self.last_ns = Some(self.last_ns.map_or(last_ns, |last| last.max(last_ns)));
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

/// Shows a block to a worker, or those packets of it that are dealt to him; what he has found goes to `hand_on`.
fn drive(
    worker: &mut Worker,
    block: &Block,
    dealt: Option<&[u32]>,
    facts: &mut Facts,
    mut hand_on: impl FnMut(&mut Facts),
) {
    let metas = block.chunk.metas();
    if let Some(first) = metas.first() {
        worker.begin(first.at_ns);
    }
    let mut all = 0..metas.len();
    let mut own = dealt.unwrap_or_default().iter();
    let mut next = || match dealt {
        None => all.next(),
        Some(_) => own.next().map(|&index| index as usize),
    };
    // What a block is about to be shown, with the packet and the ticks before it counted in.
    let mut ticks = block.ticks.iter();
    let mut tick = ticks.next();
    let mut passed = 0;
    let mut batch: Vec<Packet<'_>> = Vec::with_capacity(BATCH);
    loop {
        let index = next();
        while let Some(due) = tick.filter(|tick| index.is_none_or(|index| tick.before <= index)) {
            worker.packets(&batch, facts);
            batch.clear();
            let seq = block.first_seq + due.before as u64 + passed;
            while worker.tick(due.at_ns, seq, facts) == Ticked::MoreToTell {
                hand_on(facts);
            }
            passed += 1;
            tick = ticks.next();
        }
        let Some((index, meta)) = index.and_then(|index| Some((index, metas.get(index)?))) else {
            break;
        };
        let seq = block.first_seq + index as u64 + passed;
        batch.push(meta.packet(seq, block.chunk.octets(meta)));
        if batch.len() == BATCH {
            worker.packets(&batch, facts);
            batch.clear();
            if facts.observations.len() >= FACTS_AT_MOST {
                hand_on(facts);
            }
        }
    }
    worker.packets(&batch, facts);
    // It has passed what is others' too.
    let last = block.first_seq + metas.len() as u64 + passed;
    facts.through = facts.through.max(last.saturating_sub(1));
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
        queue: Arc<Queue>,
        threads: Vec<JoinHandle<()>>,
        judge: JoinHandle<(Box<Judge>, S)>,
        to_judge: SyncSender<ToJudge<S>>,
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
            let dealer = Dealer::new(config.workers, config.seed);
            threads(
                (0..config.workers).map(worker).collect(),
                dealer,
                config.limits.under_way,
                judge,
                sink,
            )
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
                queue,
                threads,
                judge,
                to_judge,
            } => {
                queue.end();
                drop(to_judge);
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
                drive(worker, block, None, facts, |facts| {
                    judge.take(facts, sink);
                });
            }
            Engine::Threads { queue, .. } => {
                let mut block = queue.empty();
                fill(&mut self.stepper, &mut block);
                queue.push(block);
            }
        }
    }
}

fn threads<S: Sink + Send + 'static>(
    workers: Vec<Worker>,
    dealer: Dealer,
    under_way: usize,
    judge: Judge,
    sink: S,
) -> Engine<S> {
    let queue = Arc::new(Queue::new(workers.len(), dealer, under_way));
    let (to_judge, facts) = sync_channel::<ToJudge<S>>(workers.len() * under_way);
    let mut handles = Vec::new();
    let mut emptied = Vec::new();
    for (own, mut worker) in workers.into_iter().enumerate() {
        let (give_facts_back, spare_facts) = sync_channel::<Facts>(under_way);
        emptied.push(give_facts_back);
        let (queue, to_judge) = (Arc::clone(&queue), to_judge.clone());
        handles.push(std::thread::spawn(move || {
            let mut facts = Facts::default();
            let mut waiting = 0;
            queue.show(own, |block, dealt| {
                drive(&mut worker, block, dealt, &mut facts, |facts| {
                    // A letter to the judge costs more than some facts: they go together.
                    waiting += 1;
                    let told = facts.observations.len() >= FACTS_AT_ONCE;
                    if told || waiting == BLOCKS_AT_ONCE || facts.counters.is_some() {
                        waiting = 0;
                        let empty = spare_facts.try_recv().unwrap_or_default();
                        // The judge is gone only when it has panicked: `finish` says so.
                        let _ = to_judge.send(ToJudge::Facts(std::mem::replace(facts, empty)));
                    }
                });
            });
        }));
    }
    let judge = std::thread::spawn(move || run_judge(judge, sink, facts, emptied));
    Engine::Threads {
        queue,
        threads: handles,
        judge,
        to_judge,
    }
}

fn run_judge<S: Sink>(
    mut judge: Judge,
    mut sink: S,
    inbox: Receiver<ToJudge<S>>,
    emptied: Vec<SyncSender<Facts>>,
) -> (Box<Judge>, S) {
    for message in inbox {
        match message {
            ToJudge::Facts(mut facts) => {
                judge.take(&mut facts, &mut sink);
                // Each worker gets its own memory back.
                if let Some(worker) = emptied.get(usize::from(facts.worker)) {
                    let _ = worker.try_send(facts);
                }
            }
            ToJudge::Visit(visit) => visit(&judge, &mut sink),
        }
    }
    (Box::new(judge), sink)
}

/// Packets shown to a worker at once: enough to hide the misses of the flow table behind each other later.
const BATCH: usize = 64;
/// Facts that are worth a letter to the judge.
const FACTS_AT_ONCE: usize = 512;
/// Facts that are handed on before their block is done: there may be one for each of its packets.
const FACTS_AT_MOST: usize = 1024;
/// Blocks after which a worker says how far it is, whatever it has found.
const BLOCKS_AT_ONCE: u32 = 16;
