//! The judge in a thread of its own, so that neither it nor the output ever makes a worker wait: what it cannot take is
//! counted as lost. What there is most of is lost first: a storm costs its own facts, and not those of a session in it.

use std::mem::{Discriminant, discriminant};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use terrier_engine::observation::{Fact, Observation};
use terrier_engine::{Facts, Judge};

use crate::output::Records;

/// What the judge's thread is sent.
enum ToJudge {
    Facts(Facts),
    Visit(Visit),
}

type Visit = Box<dyn FnOnce(&mut Judge, &mut Records) + Send>;

/// The way to the judge. Each worker has its own copy.
#[derive(Clone)]
pub(super) struct Line {
    sender: SyncSender<ToJudge>,
    /// Observations that the judge has not taken yet.
    waiting: Arc<AtomicUsize>,
    /// Observations that may wait, of all workers.
    most_waiting: usize,
    lost: Arc<AtomicU64>,
}

/// The judge's thread.
pub(super) struct Judging {
    line: Line,
    thread: JoinHandle<(Judge, Records)>,
}

impl Judging {
    pub(super) fn start(
        mut judge: Judge,
        mut records: Records,
        workers: u16,
        under_way: usize,
    ) -> std::io::Result<Self> {
        let (sender, inbox) = sync_channel(usize::from(workers.max(1)) * MESSAGES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let line = Line {
            sender,
            waiting: Arc::clone(&waiting),
            most_waiting: under_way * WAITING,
            lost: Arc::default(),
        };
        let thread = std::thread::Builder::new()
            .name("judge".to_owned())
            .spawn(move || {
                take(&mut judge, &mut records, &inbox, &waiting);
                (judge, records)
            })?;
        Ok(Self { line, thread })
    }

    pub(super) fn line(&self) -> Line {
        self.line.clone()
    }

    /// Has `visit` called where the judge and the records are, soon. A judge who is behind takes no visit, so that the caller
    /// never waits.
    pub(super) fn visit(&self, visit: impl FnOnce(&mut Judge, &mut Records) + Send + 'static) {
        let _ = self.line.sender.try_send(ToJudge::Visit(Box::new(visit)));
    }

    /// Facts that were lost because the judge or the output was behind.
    pub(super) fn lost(&self) -> u64 {
        self.line.lost.load(Ordering::Relaxed)
    }

    /// Waits for everything that was sent. The workers must have ended.
    pub(super) fn finish(self) -> (Judge, Records) {
        let Self { line, thread } = self;
        drop(line);
        thread.join().expect("the judge does not panic")
    }
}

fn take(
    judge: &mut Judge,
    records: &mut Records,
    inbox: &Receiver<ToJudge>,
    waiting: &AtomicUsize,
) {
    for message in inbox {
        match message {
            ToJudge::Facts(mut facts) => {
                let count = facts.observations.len();
                judge.take(&mut facts, records);
                waiting.fetch_sub(count, Ordering::Relaxed);
            }
            ToJudge::Visit(visit) => visit(judge, records),
        }
    }
}

impl Line {
    /// Hands in what there is, leaving `facts` empty. Where the judge is behind, it stays in `facts` up to a bound; what is
    /// more is lost, and counted.
    pub(super) fn hand_in(&self, facts: &mut Facts) {
        let count = facts.observations.len();
        if self.waiting.load(Ordering::Relaxed) < self.most_waiting {
            self.waiting.fetch_add(count, Ordering::Relaxed);
            let worker = facts.worker;
            match self.sender.try_send(ToJudge::Facts(std::mem::take(facts))) {
                Ok(()) => {
                    facts.worker = worker;
                    return;
                }
                Err(TrySendError::Full(back) | TrySendError::Disconnected(back)) => {
                    self.waiting.fetch_sub(count, Ordering::Relaxed);
                    if let ToJudge::Facts(back) = back {
                        *facts = back;
                    }
                }
            }
        }
        let lost = shed(&mut facts.observations, self.most_waiting / KEPT_OF_WAITING);
        self.lost.fetch_add(lost as u64, Ordering::Relaxed);
    }

    /// Hands in a part of what a tick tells, which may be the ends of all flows. The next part comes at once, so a judge
    /// who is behind is given a moment; not longer than `until`, all parts together, as packets wait meanwhile.
    pub(super) fn hand_in_part(&self, facts: &mut Facts, until: Instant) {
        while self.waiting.load(Ordering::Relaxed) >= self.most_waiting && Instant::now() < until {
            std::thread::sleep(MOMENT);
        }
        self.hand_in(facts);
    }

    /// Hands in the last facts, and waits until they are taken.
    pub(super) fn hand_in_last(&self, facts: Facts) {
        self.waiting
            .fetch_add(facts.observations.len(), Ordering::Relaxed);
        // A judge that is gone has panicked: `finish` says so.
        let _ = self.sender.send(ToJudge::Facts(facts));
    }
}

/// Leaves at most so many, without those kinds of which there were most. Answers how many went.
fn shed(observations: &mut Vec<Observation>, most: usize) -> usize {
    let before = observations.len();
    while observations.len() > most {
        let mut kinds: Vec<(Discriminant<Fact>, usize)> = Vec::new();
        for observation in &*observations {
            let kind = discriminant(&observation.fact);
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        let Some(&(commonest, _)) = kinds.iter().max_by_key(|(_, count)| *count) else {
            break;
        };
        observations.retain(|one| discriminant(&one.fact) != commonest);
    }
    before - observations.len()
}

/// How long a judge is given to take something.
const MOMENT: Duration = Duration::from_millis(1);
/// Messages under way for each worker.
const MESSAGES: usize = 64;
/// Observations that may wait in the place of each block that may be under way: some hundred octets each.
const WAITING: usize = 4096;
/// The part of those that a worker keeps while the judge takes none.
const KEPT_OF_WAITING: usize = 4;

#[cfg(test)]
mod tests;
