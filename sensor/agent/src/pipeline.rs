//! Chunks to records: numbers and times the packets, shows them to the workers, hands the facts to the judge.
//!
//! With one worker everything happens in the calling thread. With more, as many threads share whatever is to be done
//! ([`crew`]); a bounded number of chunks is under way, so a slow output holds the reading back and memory stays bounded.

mod crew;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use terrier_engine::{
    Clock, Dealer, END_OF_INPUT, Facts, Judge, Limits, Packet, Sink, Taken, Ticked, Wanted, Worker,
    WorkerConfig,
};

use crate::capture::{Chunk, Filled};
use crew::Crew;

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
        let (mut first_ns, mut last_ns, mut octets) = (i64::MAX, i64::MIN, 0);
        for (before, meta) in block.chunk.metas().iter().enumerate() {
            octets += u64::from(meta.wire_len);
            (first_ns, last_ns) = (first_ns.min(meta.at_ns), last_ns.max(meta.at_ns));
            if let Some(at_ns) = self.clock.packet(meta.at_ns) {
                block.ticks.push(Tick { before, at_ns });
            }
        }
        if !block.chunk.is_empty() {
            self.first_ns = Some(self.first_ns.map_or(first_ns, |first| first.min(first_ns)));
            self.last_ns = Some(self.last_ns.map_or(last_ns, |last| last.max(last_ns)));
        }
        self.octets += octets;
        self.packets += block.chunk.len() as u64;
        self.seq += (block.chunk.len() + block.ticks.len()) as u64;
    }

    fn progress(&self) -> Progress {
        Progress {
            packets: self.packets,
            octets: self.octets,
            clock_jumps: self.clock.jumps,
            first_ns: self.first_ns,
            last_ns: self.last_ns,
        }
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

/// How far a worker is in a block.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Packets that it was shown, of those that are dealt to it.
    packets: usize,
    /// Ticks that are done.
    ticks: usize,
}

/// Shows a block to a worker, or those packets of it that are dealt to him, from `step` on; what he has found goes to `hand_on`.
/// Answers whether he has seen all: where `hand_on` says that this is enough for now, he goes on with the next call.
fn drive(
    worker: &mut Worker,
    block: &Block,
    dealt: Option<&[Taken]>,
    step: &mut Step,
    facts: &mut Facts,
    mut hand_on: impl FnMut(&mut Facts) -> bool,
) -> bool {
    let (metas, all) = (block.chunk.metas(), block.chunk.all());
    if let Some(first) = metas.first() {
        worker.begin(first.at_ns);
    }
    // What is about to be shown.
    let mut batch: Vec<Packet<'_>> = Vec::with_capacity(BATCH);
    let show = |worker: &mut Worker, batch: &mut Vec<_>, shown: usize, facts: &mut Facts| {
        let begun = shown - batch.len();
        match dealt {
            None => worker.packets(batch, facts),
            Some(own) => worker.taken_apart(batch, &own[begun..shown], facts),
        }
        batch.clear();
    };
    loop {
        let due = block.ticks.get(step.ticks);
        let before = due.map_or(metas.len(), |tick| tick.before);
        let first_seq = block.first_seq + step.ticks as u64;
        loop {
            let place = match dealt {
                None => step.packets,
                Some(own) => match own.get(step.packets) {
                    Some(taken) => taken.in_block(),
                    None => break,
                },
            };
            let Some(meta) = metas.get(place).filter(|_| place < before) else {
                break;
            };
            batch.push(meta.packet(first_seq + place as u64, meta.octets(all)));
            step.packets += 1;
            if batch.len() == BATCH {
                show(worker, &mut batch, step.packets, facts);
                if facts.observations.len() >= FACTS_AT_MOST && !hand_on(facts) {
                    return false;
                }
            }
        }
        show(worker, &mut batch, step.packets, facts);
        let Some(due) = due else {
            break;
        };
        while worker.tick(due.at_ns, first_seq + due.before as u64, facts) == Ticked::MoreToTell {
            if !hand_on(facts) {
                return false;
            }
        }
        step.ticks += 1;
    }
    // It has passed what is others' too.
    let last = block.first_seq + (metas.len() + step.ticks) as u64;
    facts.through = facts.through.max(last.saturating_sub(1));
    hand_on(facts);
    true
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

/// What is read to its end by whichever thread has time.
pub trait Feed: Send {
    /// Fills a chunk. Damage is for the feed to keep; it goes on behind it, or ends.
    fn fill(&mut self, chunk: &mut Chunk) -> Filled;
}

/// What is done where the judge and the sink are, whenever something came to them.
pub type Look<S> = Box<dyn Fn(&Judge, &mut S) + Send>;

/// The same, once.
type Visit<S> = Box<dyn FnOnce(&Judge, &mut S) + Send>;

/// The engine, running.
pub struct Pipeline<S: Sink + Send + 'static> {
    engine: Engine<S>,
}

enum Engine<S: Sink + Send + 'static> {
    Inline(Box<Inline<S>>),
    Threads {
        crew: Arc<Crew<S>>,
        threads: Vec<JoinHandle<()>>,
    },
}

struct Inline<S> {
    stepper: Stepper,
    worker: Worker,
    judge: Box<Judge>,
    sink: S,
    facts: Facts,
    block: Block,
}

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
            Engine::Inline(Box::new(Inline {
                stepper: Stepper::default(),
                worker: worker(0),
                judge: Box::new(judge),
                sink,
                facts: Facts::default(),
                block: Block::default(),
            }))
        } else {
            let dealer = Dealer::new(config.workers, config.seed);
            let workers = (0..config.workers).map(worker).collect();
            let under_way = config.limits.under_way;
            let crew = Arc::new(Crew::new(workers, dealer, under_way, judge, sink));
            let serve = |own| {
                let crew = Arc::clone(&crew);
                std::thread::spawn(move || crew.serve(own))
            };
            let threads = (1..usize::from(config.workers)).map(serve).collect();
            Engine::Threads { crew, threads }
        };
        Self { engine }
    }

    /// Works on all that a feed gives. Whenever something has come to the judge, `look` is called.
    pub fn run<F: Feed + 'static>(&mut self, feed: &Arc<Mutex<F>>, look: Option<Look<S>>) {
        match &mut self.engine {
            Engine::Inline(inline) => {
                let mut feed = feed.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    match feed.fill(&mut inline.block.chunk) {
                        Filled::More => inline.push(Stepper::step),
                        Filled::Idle => {}
                        Filled::End => return,
                    }
                    if let Some(look) = &look {
                        look(&inline.judge, &mut inline.sink);
                    }
                }
            }
            Engine::Threads { crew, .. } => {
                crew.run(Arc::clone(feed) as Arc<Mutex<dyn Feed>>, look)
            }
        }
    }

    /// Works on a chunk; what is left in it has no meaning.
    pub fn chunk(&mut self, chunk: &mut Chunk) {
        match &mut self.engine {
            Engine::Inline(inline) => {
                std::mem::swap(&mut inline.block.chunk, chunk);
                inline.push(Stepper::step);
                // The caller gets its buffer back.
                std::mem::swap(&mut inline.block.chunk, chunk);
            }
            Engine::Threads { crew, .. } => crew.push(|stepper, block| {
                std::mem::swap(&mut block.chunk, chunk);
                stepper.step(block);
            }),
        }
    }

    /// Time has passed up to `at_ns` while nothing came (live), so that flows end and answers are given up on a silent wire
    /// too. A time before that of a packet changes nothing.
    pub fn passes(&mut self, at_ns: i64) {
        let passed = self.with_stepper(|stepper| stepper.clock.passes(at_ns));
        if let Some(at_ns) = passed {
            self.tick(at_ns);
        }
    }

    fn tick(&mut self, at_ns: i64) {
        match &mut self.engine {
            Engine::Inline(inline) => inline.push(|stepper, block| stepper.tick(block, at_ns)),
            Engine::Threads { crew, .. } => crew.push(|stepper, block| stepper.tick(block, at_ns)),
        }
    }

    /// The clock of the packets, in nanoseconds since 1970.
    pub fn now_ns(&mut self) -> Option<i64> {
        self.with_stepper(|stepper| stepper.clock.now_ns())
    }

    /// What has been read so far.
    pub fn progress(&mut self) -> Progress {
        self.with_stepper(|stepper| stepper.progress())
    }

    fn with_stepper<T>(&mut self, ask: impl FnOnce(&mut Stepper) -> T) -> T {
        match &mut self.engine {
            Engine::Inline(inline) => ask(&mut inline.stepper),
            Engine::Threads { crew, .. } => ask(&mut crew.intake().stepper),
        }
    }

    /// Calls `visit` where the judge and the sink are: now, or soon where somebody else has them. Answers whether it was called
    /// or will be: where too many wait it is not, so that the caller never waits.
    pub fn visit(&mut self, visit: impl FnOnce(&Judge, &mut S) + Send + 'static) -> bool {
        match &mut self.engine {
            Engine::Inline(inline) => {
                visit(&inline.judge, &mut inline.sink);
                true
            }
            Engine::Threads { crew, .. } => crew.visit(Box::new(visit)),
        }
    }

    /// Ends the input: every flow ends, and whatever is pending is said.
    ///
    /// # Panics
    /// When a worker has panicked.
    pub fn finish(mut self) -> (Box<Judge>, S, Progress) {
        self.tick(END_OF_INPUT);
        let progress = self.progress();
        match self.engine {
            Engine::Inline(inline) => (inline.judge, inline.sink, progress),
            Engine::Threads { crew, threads } => {
                crew.end();
                for thread in threads {
                    thread.join().expect("a worker does not panic");
                }
                let (judge, sink) = crew.dissolve().expect("it was not taken before");
                (judge, sink, progress)
            }
        }
    }
}

impl<S: Sink> Inline<S> {
    /// Fills the block, and works on it.
    fn push(&mut self, fill: impl FnOnce(&mut Stepper, &mut Block)) {
        fill(&mut self.stepper, &mut self.block);
        let Self { judge, sink, .. } = self;
        let (worker, facts, mut step) = (&mut self.worker, &mut self.facts, Step::default());
        drive(worker, &self.block, None, &mut step, facts, |facts| {
            judge.take(facts, sink);
            true
        });
    }
}

/// Packets shown to a worker at once: enough to hide the misses of the flow table behind each other later.
const BATCH: usize = 64;
/// Facts that are handed on before their block is done: there may be one for each of its packets.
const FACTS_AT_MOST: usize = 256;
#[cfg(test)]
mod tests;
