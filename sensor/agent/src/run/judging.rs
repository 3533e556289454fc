//! The judge in a thread of its own, so that neither it nor the output ever makes a worker wait: what it cannot take is
//! counted as lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use terrier_engine::{Facts, Judge};

use crate::output::Records;

/// What the judge's thread is sent.
enum ToJudge {
    Facts(Facts),
    Visit(Visit),
}

type Visit = Box<dyn FnOnce(&Judge, &mut Records) + Send>;

/// The way to the judge. Each worker has its own copy.
#[derive(Clone)]
pub(super) struct Line {
    sender: SyncSender<ToJudge>,
    /// Observations that the judge has not taken yet.
    waiting: Arc<AtomicUsize>,
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
    ) -> std::io::Result<Self> {
        let (sender, inbox) = sync_channel(usize::from(workers.max(1)) * MESSAGES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let line = Line {
            sender,
            waiting: Arc::clone(&waiting),
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
    pub(super) fn visit(&self, visit: impl FnOnce(&Judge, &mut Records) + Send + 'static) {
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
        if self.waiting.load(Ordering::Relaxed) < MOST_WAITING {
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
        if count > MOST_KEPT {
            self.lost.fetch_add(count as u64, Ordering::Relaxed);
            facts.observations.clear();
        }
    }

    /// Hands in the last facts, and waits until they are taken.
    pub(super) fn hand_in_last(&self, facts: Facts) {
        self.waiting
            .fetch_add(facts.observations.len(), Ordering::Relaxed);
        // A judge that is gone has panicked: `finish` says so.
        let _ = self.sender.send(ToJudge::Facts(facts));
    }
}

/// Messages under way for each worker.
const MESSAGES: usize = 64;
/// Observations under way of all workers: some hundred octets each.
const MOST_WAITING: usize = 1 << 16;
/// Observations that a worker keeps while the judge takes none.
const MOST_KEPT: usize = 1 << 14;
