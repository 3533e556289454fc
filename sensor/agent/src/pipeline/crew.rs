//! Several workers on captures: threads that do whatever is to be done.
//!
//! There are as many threads as workers, the caller's included, and none of them is only a reader or only the judge's: that
//! would be one more to wait for. Each thread has a worker whose packets it sees to first. When it has seen all that are
//! there, it reads the next block and finds whom its packets concern ([`Dealer`]), once for all workers. When enough blocks
//! are under way it sees to a worker whose thread is held up. What a worker has found is looked at by whoever finds the judge
//! free just then. A worker who is so far ahead that too much of it waits for the others stops in the midst of his block, and
//! his thread does something else.
//!
//! A worker sees the blocks in their order, and only one thread at a time has him. So it does not show who did what.

mod state;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};

use terrier_engine::{Dealer, Facts, Judge, Sink, Worker};

use super::{Block, Feed, Look, Step, Stepper, Visit, drive};
use crate::capture::Filled;
use state::{Lists, Place, Reading, Shared, State, Task};

/// The threads' common ground.
pub(super) struct Crew<S> {
    state: Mutex<State>,
    /// For those who found nothing to do.
    bell: Condvar,
    /// How often `state` has changed so that there may be something to do.
    changes: AtomicU64,
    seats: Vec<Mutex<Seat>>,
    intake: Mutex<Intake>,
    post: Mutex<Post<S>>,
    /// How much there is in it.
    posted: AtomicUsize,
    bench: Mutex<Option<Bench<S>>>,
    /// Facts of each worker that were handed in and not looked at.
    waiting: Vec<AtomicUsize>,
    /// The worker whose next facts the judge needs most.
    waits_for: AtomicUsize,
    dealer: Dealer,
    /// Blocks that may be under way.
    most: usize,
    /// Facts of a worker that may wait for those of others.
    most_waiting: usize,
}

/// A worker, how far he is in his block, and what he has found since it was handed in.
struct Seat {
    worker: Worker,
    step: Step,
    facts: Facts,
}

/// Where blocks come from.
#[derive(Default)]
pub(super) struct Intake {
    pub(super) stepper: Stepper,
    feed: Option<Arc<Mutex<dyn Feed>>>,
}

/// What waits for the judge.
struct Post<S> {
    letters: Vec<Facts>,
    /// Letters that were looked at, for each worker.
    emptied: Vec<Vec<Facts>>,
    visits: Vec<Visit<S>>,
}

/// The judge, and where the records go.
struct Bench<S> {
    judge: Box<Judge>,
    sink: S,
    /// What is done whenever facts were looked at.
    look: Option<Look<S>>,
}

impl<S: Sink> Crew<S> {
    /// About so many blocks are under way at most.
    pub(super) fn new(
        workers: Vec<Worker>,
        dealer: Dealer,
        under_way: usize,
        judge: Judge,
        sink: S,
    ) -> Self {
        let count = workers.len();
        let seat = |(index, worker)| {
            Mutex::new(Seat {
                worker,
                step: Step::default(),
                facts: Facts {
                    worker: index,
                    ..Facts::default()
                },
            })
        };
        Self {
            state: Mutex::new(State {
                places: vec![Place::default(); count],
                ..State::default()
            }),
            bell: Condvar::new(),
            changes: AtomicU64::new(0),
            seats: (0..).zip(workers).map(seat).collect(),
            intake: Mutex::default(),
            post: Mutex::new(Post {
                letters: Vec::new(),
                emptied: (0..count).map(|_| Vec::new()).collect(),
                visits: Vec::new(),
            }),
            posted: AtomicUsize::new(0),
            bench: Mutex::new(Some(Bench {
                judge: Box::new(judge),
                sink,
                look: None,
            })),
            waiting: (0..count).map(|_| AtomicUsize::new(0)).collect(),
            waits_for: AtomicUsize::new(0),
            dealer,
            // With fewer, whoever is ahead has nothing to do until the others come.
            most: under_way.max(2),
            most_waiting: under_way.max(1) * WAITING,
        }
    }

    /// What a thread does that is not the caller's, until nothing more comes.
    pub(super) fn serve(&self, own: usize) {
        self.work(own, |state| state.ended && state.blocks.is_empty());
    }

    /// Works on all that `feed` gives. What it gave last may still be under way.
    pub(super) fn run(&self, feed: Arc<Mutex<dyn Feed>>, look: Option<Look<S>>) {
        if let Some(bench) = &mut *lock(&self.bench) {
            bench.look = look;
        }
        lock(&self.intake).feed = Some(feed);
        self.change(|state| state.intake = Reading::Open);
        self.work(0, |state| state.intake == Reading::Nothing);
        lock(&self.intake).feed = None;
    }

    /// Adds a block to what is under way, once there is room.
    pub(super) fn push(&self, fill: impl FnOnce(&mut Stepper, &mut Block)) {
        self.work(0, |state| state.blocks.len() < self.most);
        let mut block = lock(&self.state).spare.pop().unwrap_or_default();
        fill(&mut lock(&self.intake).stepper, &mut block);
        let shared = Arc::new(Shared::new(block));
        let deals = self.deals();
        self.change(|state| {
            if deals {
                state.undealt.push_back(Arc::clone(&shared));
            }
            state.blocks.push_back(shared);
        });
    }

    /// Nothing more comes: works on what is under way until all of it is done.
    pub(super) fn end(&self) {
        self.change(|state| state.ended = true);
        self.work(0, |state| state.blocks.is_empty());
    }

    /// Takes the judge away, behind the end.
    pub(super) fn dissolve(&self) -> Option<(Box<Judge>, S)> {
        self.judge();
        let bench = lock(&self.bench).take()?;
        Some((bench.judge, bench.sink))
    }

    /// Where blocks come from.
    pub(super) fn intake(&self) -> MutexGuard<'_, Intake> {
        lock(&self.intake)
    }

    /// Calls `visit` where the judge is, now or soon; answers whether it will be called.
    pub(super) fn visit(&self, visit: Visit<S>) -> bool {
        let mut post = lock(&self.post);
        if post.visits.len() >= MOST_VISITS {
            return false;
        }
        post.visits.push(visit);
        self.posted.fetch_add(1, Ordering::SeqCst);
        drop(post);
        self.judge();
        true
    }

    /// Does what is to be done, until there is enough.
    fn work(&self, own: usize, enough: impl Fn(&State) -> bool) {
        let breaks = Breaks(self);
        let deals = self.deals();
        while let Some(task) = self.next(&enough, |state| state.task(own, self.most, deals)) {
            self.perform(own, task);
        }
        std::mem::forget(breaks);
    }

    /// What to do next, waited for; nothing once there is enough.
    fn next(
        &self,
        enough: impl Fn(&State) -> bool,
        choose: impl Fn(&mut State) -> Option<Task>,
    ) -> Option<Task> {
        let mut state = lock(&self.state);
        loop {
            if state.broken || enough(&state) {
                return None;
            }
            if let Some(task) = choose(&mut state) {
                return Some(task);
            }
            let before = self.changes.load(Ordering::Relaxed);
            drop(state);
            if self.posted.load(Ordering::Relaxed) > 0 && self.judge() {
                state = lock(&self.state);
                continue;
            }
            // Most often it is a matter of microseconds, and to sleep takes more.
            let changed = || self.changes.load(Ordering::Relaxed) != before;
            for _ in 0..SPINS {
                if changed() {
                    break;
                }
                std::hint::spin_loop();
            }
            state = lock(&self.state);
            if !changed() {
                state.waiting += 1;
                let woken = self.bell.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                state.waiting -= 1;
            }
        }
    }

    fn perform(&self, own: usize, task: Task) {
        match task {
            Task::See(seat, shared) => {
                self.see(seat, shared);
                // The judge's tables stay in one processor's cache, and their memory with one thread, as long as that is not
                // behind.
                if own == 0 || self.posted.load(Ordering::Relaxed) >= MANY_LETTERS {
                    self.judge();
                }
            }
            Task::Deal(shared, lists) => self.deal(&shared, lists),
            Task::Read(block, lists) => self.read(block, lists),
        }
    }

    /// Shows a block to a worker, as far as he may go.
    fn see(&self, at: usize, shared: Arc<Shared>) {
        let Some(seat) = self.seats.get(at) else {
            return;
        };
        let mut seat = lock(seat);
        let Seat {
            worker,
            step,
            facts,
        } = &mut *seat;
        let own = self.deals().then(|| {
            let lists = shared.dealt.get();
            let own = lists.and_then(|lists| lists.get(at));
            own.map_or(&[][..], Vec::as_slice)
        });
        let is_done = drive(worker, &shared.block, own, step, facts, |facts| {
            self.hand_in(at, facts);
            self.may_find(at, self.most_waiting)
        });
        if is_done {
            *step = Step::default();
        }
        drop(seat);
        self.change(|state| {
            if let Some(place) = state.places.get_mut(at) {
                place.taken = false;
                // Where the judge has come further meanwhile, nobody would say that it goes on.
                place.held_up = !is_done && !self.may_find(at, self.most_waiting / 2);
            }
            if is_done {
                state.seen(at, shared);
            }
        });
    }

    /// Finds whom the packets of a block concern.
    fn deal(&self, shared: &Shared, mut lists: Lists) {
        let chunk = &shared.block.chunk;
        lists.resize_with(self.seats.len(), Vec::new);
        lists.iter_mut().for_each(Vec::clear);
        let block = chunk.iter().map(|(meta, octets)| (meta.link, octets));
        self.dealer.deal(block, &mut lists);
        // Who takes the task is the only one to set it.
        let _ = shared.dealt.set(lists);
        self.change(|_| ());
    }

    /// Reads the next block, and deals it.
    fn read(&self, mut block: Block, lists: Lists) {
        let mut intake = lock(&self.intake);
        let Intake { stepper, feed } = &mut *intake;
        let filled = match feed {
            Some(feed) => lock(feed).fill(&mut block.chunk),
            None => Filled::End,
        };
        if filled == Filled::More {
            stepper.step(&mut block);
        }
        drop(intake);
        let shared = Arc::new(Shared::new(block));
        self.change(|state| {
            state.intake = match filled {
                Filled::End => Reading::Nothing,
                Filled::More | Filled::Idle => Reading::Open,
            };
            if filled == Filled::More {
                state.blocks.push_back(Arc::clone(&shared));
            }
        });
        if filled == Filled::More && self.deals() {
            self.deal(&shared, lists);
        }
    }

    /// Puts what a worker has found where the judge takes it from.
    fn hand_in(&self, at: usize, facts: &mut Facts) {
        if let Some(waiting) = self.waiting.get(at) {
            waiting.fetch_add(facts.observations.len(), Ordering::Relaxed);
        }
        let worker = facts.worker;
        let mut post = lock(&self.post);
        let emptied = post.emptied.get_mut(at).and_then(Vec::pop);
        post.letters
            .push(std::mem::replace(facts, emptied.unwrap_or_default()));
        self.posted.fetch_add(1, Ordering::SeqCst);
        drop(post);
        facts.worker = worker;
    }

    /// Whether a worker may find more: not so much of it waits for that of others, or the others' waits for his.
    fn may_find(&self, at: usize, most: usize) -> bool {
        let waiting = self.waiting.get(at);
        waiting.is_none_or(|waiting| waiting.load(Ordering::Relaxed) <= most)
            || self.waits_for.load(Ordering::Relaxed) == at
    }

    /// Has the judge look at what waits for him, unless somebody does already. Answers whether there was anything to do.
    fn judge(&self) -> bool {
        let mut judged = false;
        // Who has found him taken has posted before: so it is looked again once he is free.
        while self.posted.load(Ordering::SeqCst) > 0 {
            let mut bench = match self.bench.try_lock() {
                Ok(bench) => bench,
                Err(TryLockError::Poisoned(bench)) => bench.into_inner(),
                Err(TryLockError::WouldBlock) => return judged,
            };
            let Some(bench) = &mut *bench else {
                return judged;
            };
            judged = true;
            let mut post = lock(&self.post);
            let letters = std::mem::take(&mut post.letters);
            let visits = std::mem::take(&mut post.visits);
            self.posted.store(0, Ordering::SeqCst);
            drop(post);
            self.read_letters(bench, letters);
            if let Some(look) = &bench.look {
                look(&bench.judge, &mut bench.sink);
            }
            for visit in visits {
                visit(&bench.judge, &mut bench.sink);
            }
        }
        judged
    }

    fn read_letters(&self, bench: &mut Bench<S>, mut letters: Vec<Facts>) {
        let judge = &mut bench.judge;
        let mut looked_at: Vec<usize> = (0..)
            .zip(&self.waiting)
            .map(|(at, _)| judge.waiting(at))
            .collect();
        for facts in &mut letters {
            if let Some(looked_at) = looked_at.get_mut(usize::from(facts.worker)) {
                *looked_at += facts.observations.len();
            }
            judge.take(facts, &mut bench.sink);
        }
        for ((at, waiting), before) in (0..).zip(&self.waiting).zip(looked_at) {
            waiting.fetch_sub(before - judge.waiting(at), Ordering::Relaxed);
        }
        let waits_for = usize::from(judge.waits_for());
        self.waits_for.store(waits_for, Ordering::Relaxed);
        let mut post = lock(&self.post);
        for facts in letters {
            // What is in them is dropped when they are taken again.
            if let Some(emptied) = post.emptied.get_mut(usize::from(facts.worker))
                && emptied.len() < MOST_EMPTIED
            {
                emptied.push(facts);
            }
        }
        drop(post);
        let mut state = lock(&self.state);
        let mut goes_on = false;
        for (at, place) in state.places.iter_mut().enumerate() {
            if place.held_up && self.may_find(at, self.most_waiting / 2) {
                place.held_up = false;
                goes_on = true;
            }
        }
        if goes_on {
            self.wake(&state);
        }
    }

    /// Whether packets are dealt, or all are shown to all.
    fn deals(&self) -> bool {
        self.seats.len() <= usize::from(Dealer::MOST)
    }

    /// Changes the state, and wakes those who wait.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = lock(&self.state);
        change(&mut state);
        self.wake(&state);
    }

    fn wake(&self, state: &State) {
        self.changes.fetch_add(1, Ordering::Relaxed);
        if state.waiting > 0 {
            self.bell.notify_all();
        }
    }
}

/// Wakes all when a worker panics: they would wait for what he had in hand.
struct Breaks<'a, S>(&'a Crew<S>);

impl<S> Drop for Breaks<'_, S> {
    fn drop(&mut self) {
        lock(&self.0.state).broken = true;
        self.0.bell.notify_all();
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Of what a thread has left half done behind a panic nothing is used: see `Breaks`.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long something to do is waited for without sleeping: some tens of microseconds.
const SPINS: u32 = 2000;
/// Facts of a worker that may wait for those of others, in the place of each block that may be under way: with the longest
/// names a megabyte.
const WAITING: usize = 512;
/// So many letters wait when whoever has judged so far is behind.
const MANY_LETTERS: usize = 8;
/// Letters of a worker that wait to be used again.
const MOST_EMPTIED: usize = 2;
/// Visits that may wait for the judge.
const MOST_VISITS: usize = 4;
