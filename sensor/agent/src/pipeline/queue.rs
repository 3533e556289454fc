//! Blocks on their way to several workers.
//!
//! Each worker is shown each block, in their order. Whom its packets concern is found once, by whichever worker comes to it
//! first; one who finds another at it finds that of a later block meanwhile. So reading alone is done in one thread, and the
//! rest is shared by all. Few blocks are under way, and somebody who waits is woken when there is work for a while: waking
//! a thread costs more than a block.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use terrier_engine::Dealer;

use super::Block;

/// The blocks under way.
pub(super) struct Queue {
    state: Mutex<State>,
    /// For the reader: there is room.
    room: Condvar,
    /// For the workers: there is a block.
    work: Condvar,
    dealer: Dealer,
    workers: usize,
    /// Blocks that may be under way.
    most: usize,
}

#[derive(Default)]
struct State {
    blocks: VecDeque<Arc<Shared>>,
    /// Which block of the run the first of them is.
    first: usize,
    /// Blocks to be filled again.
    spare: Vec<Block>,
    reader_waits: bool,
    workers_wait: bool,
    /// Nothing more comes.
    ended: bool,
    /// Somebody has panicked, so that blocks stay for ever.
    broken: bool,
}

/// A block, and whom its packets concern.
pub(super) struct Shared {
    pub(super) block: Block,
    /// The packets of each worker, by index.
    dealt: OnceLock<Vec<Vec<u32>>>,
    /// Somebody deals, or has dealt.
    taken: AtomicBool,
    /// How many workers have still to see it.
    left: AtomicUsize,
}

impl Queue {
    /// At most `most` blocks are under way.
    pub(super) fn new(workers: usize, dealer: Dealer, most: usize) -> Self {
        Self {
            state: Mutex::default(),
            room: Condvar::new(),
            work: Condvar::new(),
            dealer,
            workers,
            most,
        }
    }

    /// A block to be filled.
    pub(super) fn empty(&self) -> Block {
        self.lock().spare.pop().unwrap_or_default()
    }

    /// Adds a block behind the others, once there is room.
    pub(super) fn push(&self, block: Block) {
        let shared = Arc::new(Shared {
            block,
            dealt: OnceLock::new(),
            taken: AtomicBool::new(false),
            left: AtomicUsize::new(self.workers),
        });
        let mut state = self.lock();
        if state.blocks.len() >= self.most {
            state.reader_waits = true;
            while state.reader_waits && !state.broken {
                state = wait(&self.room, state);
            }
        }
        state.blocks.push_back(shared);
        if std::mem::take(&mut state.workers_wait) {
            self.work.notify_all();
        }
    }

    /// No block follows.
    pub(super) fn end(&self) {
        self.lock().ended = true;
        self.work.notify_all();
    }

    /// The block of this number, counted from the first of the run; none behind the last one.
    fn block(&self, number: usize) -> Option<Arc<Shared>> {
        let mut state = self.lock();
        loop {
            if state.broken {
                return None;
            }
            if let Some(block) = state.blocks.get(number - state.first) {
                return Some(Arc::clone(block));
            }
            if state.ended {
                return None;
            }
            state.workers_wait = true;
            state = wait(&self.work, state);
        }
    }

    /// The first block from this number on at which nobody deals.
    fn undealt(&self, number: usize) -> Option<Arc<Shared>> {
        let state = self.lock();
        let behind = state.blocks.iter().skip(number - state.first);
        behind.clone().find(|block| block.take()).map(Arc::clone)
    }

    /// Shows each block to a worker: `see` gets it with the packets that concern him, or all of them where there are too many
    /// workers to deal.
    pub(super) fn show(&self, worker: usize, mut see: impl FnMut(&Block, Option<&[u32]>)) {
        let breaks = Breaks(self);
        let deals = self.workers <= usize::from(Dealer::MOST);
        let mut number = 0;
        while let Some(shared) = self.block(number) {
            number += 1;
            let own = deals.then(|| {
                if !shared.take()
                    && shared.dealt.get().is_none()
                    && let Some(later) = self.undealt(number)
                {
                    later.dealt(&self.dealer, self.workers);
                }
                shared.dealt(&self.dealer, self.workers)
            });
            see(
                &shared.block,
                own.map(|own| own.get(worker).map_or(&[][..], Vec::as_slice)),
            );
            self.seen(shared);
        }
        std::mem::forget(breaks);
    }

    /// A worker is done with a block.
    fn seen(&self, shared: Arc<Shared>) {
        if shared.left.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        // All have seen all before it too, so it is the first one.
        let mut state = self.lock();
        state.blocks.pop_front();
        state.first += 1;
        if let Some(shared) = Arc::into_inner(shared) {
            state.spare.push(shared.block);
        }
        if state.reader_waits && state.blocks.len() <= self.most / 2 {
            state.reader_waits = false;
            self.room.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing is left half done in it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wait<'a>(until: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    until.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// Wakes all when a worker panics: they would wait for him.
struct Breaks<'a>(&'a Queue);

impl Drop for Breaks<'_> {
    fn drop(&mut self) {
        self.0.lock().broken = true;
        self.0.room.notify_all();
        self.0.work.notify_all();
    }
}

impl Shared {
    /// Whether the caller is the first one to ask: then he deals.
    fn take(&self) -> bool {
        !self.taken.swap(true, Ordering::Relaxed)
    }

    /// The packets of each worker, found now if they are not; another who is at it is waited for.
    fn dealt(&self, dealer: &Dealer, workers: usize) -> &[Vec<u32>] {
        self.dealt.get_or_init(|| {
            let chunk = &self.block.chunk;
            let mut dealt: Vec<Vec<u32>> = (0..workers)
                .map(|_| Vec::with_capacity(chunk.len() * 2 / workers))
                .collect();
            let mut ahead = chunk.iter().skip(AHEAD);
            for (index, (meta, octets)) in (0..).zip(chunk.iter()) {
                if let Some((_, octets)) = ahead.next() {
                    dealer.look_ahead(octets);
                }
                let mut left = dealer.concerns(&meta.packet(0, octets));
                while left != 0 {
                    let worker = left.trailing_zeros() as usize;
                    left &= left - 1;
                    if let Some(dealt) = dealt.get_mut(worker) {
                        dealt.push(index);
                    }
                }
            }
            dealt
        })
    }
}

/// So many packets before its turn a packet's headers are fetched.
const AHEAD: usize = 8;
