//! What is under way, and what is to be done next.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use terrier_engine::Taken;

use crate::pipeline::Block;

/// What is under way.
#[derive(Default)]
pub(super) struct State {
    pub(super) blocks: VecDeque<Arc<Shared>>,
    /// Which block of the run the first of them is.
    pub(super) first: usize,
    /// Those of them that nobody has begun to deal.
    pub(super) undealt: VecDeque<Arc<Shared>>,
    pub(super) places: Vec<Place>,
    /// Blocks to be filled again.
    pub(super) spare: Vec<Block>,
    pub(super) spare_lists: Vec<Lists>,
    pub(super) intake: Reading,
    /// Threads that wait for the bell.
    pub(super) waiting: usize,
    /// Nothing more comes.
    pub(super) ended: bool,
    /// Somebody has panicked: what he had in hand is never done.
    pub(super) broken: bool,
}

/// How far a worker is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// The block that he sees next, or is seeing.
    pub(super) next: usize,
    /// A thread has him.
    pub(super) taken: bool,
    /// Too much of what he has found waits for what others find before it: he waits too.
    pub(super) held_up: bool,
}

/// Whether somebody may read on.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Reading {
    /// There is nothing to read.
    #[default]
    Nothing,
    /// Who has time does.
    Open,
    /// Somebody does.
    Taken,
}

/// A block, and whom its packets concern.
pub(super) struct Shared {
    pub(super) block: Block,
    pub(super) dealt: OnceLock<Lists>,
}

/// The packets of each worker.
pub(super) type Lists = Vec<Vec<Taken>>;

/// Something to do.
pub(super) enum Task {
    /// A worker sees a block.
    See(usize, Arc<Shared>),
    /// Whom the packets of a block concern.
    Deal(Arc<Shared>, Lists),
    /// The next block.
    Read(Block, Lists),
}

impl State {
    /// What a thread does whose own worker is `own`.
    pub(super) fn task(&mut self, own: usize, most: usize, deals: bool) -> Option<Task> {
        if let Some(task) = self.see(own, deals) {
            return Some(task);
        }
        if deals && let Some(shared) = self.undealt.pop_front() {
            return Some(Task::Deal(shared, self.lists()));
        }
        if self.intake == Reading::Open && self.blocks.len() < most {
            self.intake = Reading::Taken;
            let block = self.spare.pop().unwrap_or_default();
            return Some(Task::Read(block, self.lists()));
        }
        self.others(own, deals)
    }

    /// A worker sees his next block, if it is there and nobody has him.
    pub(super) fn see(&mut self, at: usize, deals: bool) -> Option<Task> {
        let may = |place: &&mut Place| !place.taken && !place.held_up;
        let place = self.places.get_mut(at).filter(may)?;
        let shared = self.blocks.get(place.next - self.first)?;
        if deals && shared.dealt.get().is_none() {
            return None;
        }
        place.taken = true;
        Some(Task::See(at, Arc::clone(shared)))
    }

    /// What is to be done for the others, first for him who is furthest behind.
    fn others(&mut self, own: usize, deals: bool) -> Option<Task> {
        let mut others: Vec<usize> = (0..self.places.len()).filter(|&at| at != own).collect();
        others.sort_by_key(|&at| self.places.get(at).map(|place| place.next));
        others.into_iter().find_map(|at| self.see(at, deals))
    }

    fn lists(&mut self) -> Lists {
        self.spare_lists.pop().unwrap_or_default()
    }

    /// A worker has seen a block.
    pub(super) fn seen(&mut self, at: usize, shared: Arc<Shared>) {
        drop(shared);
        if let Some(place) = self.places.get_mut(at) {
            place.next += 1;
        }
        let seen_by_all = self.places.iter().map(|place| place.next).min();
        while Some(self.first) < seen_by_all {
            self.first += 1;
            let Some(shared) = self.blocks.pop_front().and_then(Arc::into_inner) else {
                continue;
            };
            self.spare.push(shared.block);
            self.spare_lists.extend(shared.dealt.into_inner());
        }
    }
}

impl Shared {
    pub(super) fn new(block: Block) -> Self {
        Self {
            block,
            dealt: OnceLock::new(),
        }
    }
}
