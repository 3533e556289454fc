//! Several captures as one timeline.
//!
//! A k-way merge by the time of each capture's head packet; ties go by the place in the list, and one capture keeps its own
//! order whatever its times say. Of each capture only the first packet's time is read at the start; the file is closed
//! again and opened when the timeline reaches it, so that a folder of thousands of files that follow one another needs one
//! descriptor. Where many overlap, plain files beyond [`MAX_OPEN`] are closed between two reads.
//!
//! As long as the next chunk of a capture lies before the head of all others, it is handed through as it is. Only where
//! captures interleave are packets copied. How captures that grow are followed, the module below this one says.

mod follow;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::{Fault, OpenError};
use super::file::CaptureFile;
use super::folder;
use super::octets::{Decompress, Identity};
use super::{CHUNK_OCTETS, Chunk, Filled, Meta, Source};
use follow::{Tail, Watch};

/// Several captures, read as one.
pub struct Merge {
    captures: Vec<Capture>,
    /// The time of the next packet of every capture that has one, least first, and its place in the list.
    heads: BinaryHeap<Reverse<Key>>,
    /// The capture whose chunk was handed out to its end. It is read on only at the next call, so that no packet waits
    /// for a pipe to bring more.
    spent: Option<usize>,
    active: usize,
    skipped: Vec<OpenError>,
    read: Arc<AtomicU64>,
    total: Option<u64>,
    /// What is watched for more, when captures are followed.
    watch: Option<Watch>,
    /// The files that were looked at, and their places in the list.
    identities: HashMap<Identity, usize>,
}

type Key = (i64, usize);

/// What became of one capture: for `stats.captures`.
#[derive(Debug)]
pub struct Outcome {
    /// The path as it was given, or as it was found in a folder; `-` for standard input.
    pub path: PathBuf,
    /// How many packets were read.
    pub packets: u64,
    /// Why there are not more.
    pub problem: Option<Problem>,
    /// Why it was left unread, though nothing is wrong with it.
    pub left_out: Option<LeftOut>,
}

/// Why a capture was left unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftOut {
    /// It begins too late: see [`Merge::leave_out_from`].
    BeginsLate,
    /// It is the same file as this one before it in the list, by another name or by the same.
    SameFile(PathBuf),
}

impl Outcome {
    fn new(path: PathBuf, problem: Option<Problem>) -> Self {
        Self {
            path,
            packets: 0,
            problem,
            left_out: None,
        }
    }
}

/// Why a capture was not read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nothing could be read.
    #[error(transparent)]
    Unreadable(OpenError),
    /// It is damaged from some place on.
    #[error(transparent)]
    Damaged(Fault),
}

/// How far the reading came.
#[derive(Debug, Clone)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

struct Capture {
    outcome: Outcome,
    state: State,
}

enum State {
    /// Seen to have a packet, and closed again.
    Waiting {
        /// The least time of the packets that were seen.
        earliest_ns: i64,
        /// What was looked at, if it must be the same that is read: names of files that are followed change hands.
        identity: Option<Identity>,
    },
    Active(Box<Active>),
    /// Read to its end, and followed: more may come.
    Tail(Box<Tail>),
    Done,
}

struct Active {
    file: CaptureFile,
    chunk: Chunk,
    /// How many packets of `chunk` have been handed out.
    next: usize,
    /// The latest time in `chunk`, once it was needed.
    latest_ns: Option<i64>,
}

impl Merge {
    /// Looks at every path: files, folders (walked; what is no capture in them is passed over), `-` for standard input.
    ///
    /// It always succeeds; what could not be read is in [`Merge::outcomes`] from the start.
    pub fn open(paths: &[PathBuf]) -> Self {
        let mut merge = Self {
            captures: Vec::new(),
            heads: BinaryHeap::new(),
            spent: None,
            active: 0,
            skipped: Vec::new(),
            read: Arc::default(),
            total: Some(0),
            watch: None,
            identities: HashMap::new(),
        };
        if let [path] = paths
            && !path.is_dir()
        {
            merge.admit_alone(path);
            return merge;
        }
        for path in paths {
            if path.is_dir() {
                merge.admit_folder(path);
            } else {
                merge.admit(path.clone(), true);
            }
        }
        merge
    }

    /// What became of each capture, in the order of their numbers; complete when the end is reached. Behind the captures
    /// may stand folders in which there was none, and captures beyond the 65,535 that can be numbered.
    pub fn outcomes(&self) -> impl ExactSizeIterator<Item = &Outcome> {
        self.captures.iter().map(|capture| &capture.outcome)
    }

    /// The files in folders that are no captures, each as the error that it would be if it had been named.
    pub fn skipped(&self) -> &[OpenError] {
        &self.skipped
    }

    /// A handle that tells how far the reading came, for another thread.
    pub fn progress(&self) -> Progress {
        Progress {
            read: Arc::clone(&self.read),
            total: self.total,
        }
    }

    /// Whether a sole input is sound, and only no capture.
    pub fn is_no_capture(&self) -> bool {
        match self.captures.as_slice() {
            [Capture { outcome, .. }] => {
                matches!(&outcome.problem, Some(Problem::Unreadable(error)) if error.is_no_capture())
            }
            _ => false,
        }
    }

    /// The time of the first packet, as far as it is known before one is handed out: of a sole capture it is not.
    pub fn first_ns(&self) -> Option<i64> {
        self.heads.peek().map(|&Reverse((at_ns, _))| at_ns)
    }

    /// Leaves out the captures that begin after `end_ns`, unread: in a folder of a year's captures a day is found at once.
    /// To be asked before the first packet is handed out.
    pub fn leave_out_from(&mut self, end_ns: i64) {
        let end_ns = end_ns.saturating_add(DISORDER_NS);
        let late = |capture: &Capture| matches!(capture.state, State::Waiting { earliest_ns, .. } if earliest_ns >= end_ns);
        for capture in self.captures.iter_mut().filter(|capture| late(capture)) {
            capture.state = State::Done;
            capture.outcome.left_out = Some(LeftOut::BeginsLate);
        }
    }

    /// A sole capture needs no look ahead.
    fn admit_alone(&mut self, path: &Path) {
        self.add_to_total(path);
        let state = match CaptureFile::open_counted(path, 0, Decompress::Ahead, &self.read) {
            Ok(file) => {
                self.spent = Some(0);
                self.active = 1;
                Ok(State::Active(Box::new(Active::new(file, Chunk::new()))))
            }
            Err(error) => Err(error),
        };
        self.enter(path.into(), state);
    }

    fn admit_folder(&mut self, folder: &Path) {
        let (captures, skipped) = (self.captures.len(), self.skipped.len());
        for found in folder::captures_below(folder) {
            match found {
                Ok(path) => self.admit(path, false),
                Err(error) => self.enter(error.path().into(), Err(error)),
            }
        }
        if self.captures.len() == captures {
            let skipped = self.skipped.len() - skipped;
            self.enter(
                folder.into(),
                Err(OpenError::NoCaptures {
                    path: folder.into(),
                    skipped,
                }),
            );
        }
    }

    /// Looks at the first packet of a capture; `named` by the operator, not found in a folder.
    fn admit(&mut self, path: PathBuf, named: bool) {
        let place = self.captures.len();
        let Some(index) = u16::try_from(place).ok().filter(|&index| index < u16::MAX) else {
            return self.enter(path.clone(), Err(OpenError::TooMany(path)));
        };
        // What is read here is read once more later, and not counted.
        let uncounted = Arc::default();
        let mut file = match CaptureFile::open_counted(&path, index, Decompress::Here, &uncounted) {
            Err(error) if error.is_no_capture() && !named => return self.skipped.push(error),
            Err(error) => return self.enter(path, Err(error)),
            Ok(file) => file,
        };
        if let Some(identity) = file.identity()
            && let first = *self.identities.entry(identity).or_insert(place)
            && first != place
        {
            let first = self.captures[first].outcome.path.clone();
            self.enter(path, Ok(State::Done));
            self.captures[place].outcome.left_out = Some(LeftOut::SameFile(first));
            return;
        }
        self.add_to_total(&path);
        let mut chunk = Chunk::with_room(FIRST_LOOK);
        match file.fill(&mut chunk) {
            Ok(_) => {
                let Some(first) = chunk.metas().first() else {
                    return self.enter(path, Ok(State::Done));
                };
                self.heads.push(Reverse((first.at_ns, place)));
                if file.is_regular() {
                    let times = chunk.metas().iter().map(|meta| meta.at_ns);
                    let earliest_ns = times.min().unwrap_or(i64::MIN);
                    return self.enter(
                        path,
                        Ok(State::Waiting {
                            earliest_ns,
                            identity: None,
                        }),
                    );
                }
                // A pipe gives its octets only once.
                self.active += 1;
                self.enter(path, Ok(State::Active(Box::new(Active::new(file, chunk)))));
            }
            Err(fault) => {
                self.enter(path, Ok(State::Done));
                self.captures[place].outcome.problem = Some(Problem::Damaged(fault));
            }
        }
    }

    fn enter(&mut self, path: PathBuf, state: Result<State, OpenError>) {
        let (state, problem) = match state {
            Ok(state) => (state, None),
            Err(error) => (State::Done, Some(Problem::Unreadable(error))),
        };
        self.captures.push(Capture {
            outcome: Outcome::new(path, problem),
            state,
        });
    }

    fn add_to_total(&mut self, path: &Path) {
        let length = path
            .metadata()
            .ok()
            .filter(|metadata| metadata.is_file())
            .map(|metadata| metadata.len());
        self.total = self.total.zip(length).map(|(total, length)| total + length);
    }

    /// Opens a capture that the timeline has reached, and reads its first chunk.
    fn activate(&mut self, index: usize) -> Option<&mut Active> {
        if let State::Waiting { identity, .. } = self.captures[index].state {
            let (decompress, room) = if self.watch.is_some() {
                (Decompress::Never, CHUNK_OF_MANY)
            } else if self.active >= MANY {
                (Decompress::Here, CHUNK_OF_MANY)
            } else {
                (Decompress::Ahead, CHUNK_OCTETS)
            };
            let path = &self.captures[index].outcome.path;
            // The place in the list was checked to fit when it was admitted.
            let mut opened = CaptureFile::open_counted(path, index as u16, decompress, &self.read);
            if let Err(OpenError::NotFollowed { .. }) = opened {
                let whole = Decompress::Ahead;
                opened = CaptureFile::open_counted(path, index as u16, whole, &self.read);
            }
            if let Ok(file) = &opened
                && identity.is_some_and(|identity| file.identity() != Some(identity))
            {
                self.moved_away(index);
                return None;
            }
            match opened {
                Ok(file) => {
                    let active = Active::new(file, Chunk::with_room(room));
                    self.captures[index].state = State::Active(Box::new(active));
                    self.active += 1;
                    self.read_on(index, false);
                }
                Err(error) => {
                    self.notice(error.to_string());
                    self.captures[index].outcome.problem = Some(Problem::Unreadable(error));
                    self.captures[index].state = State::Done;
                    self.ended(index);
                }
            }
        }
        match &mut self.captures[index].state {
            State::Active(active) => Some(active),
            _ => None,
        }
    }

    /// Reads the next chunk of an active capture, and enters its head into the timeline if `enter`.
    fn read_on(&mut self, index: usize, enter: bool) {
        let Capture { outcome, state } = &mut self.captures[index];
        let State::Active(active) = state else { return };
        if self.active == 1 {
            active.chunk.make_room(CHUNK_OCTETS);
        } else if self.watch.is_some() {
            // It was begun with a look.
            active.chunk.make_room(CHUNK_OF_MANY);
        }
        let filled = active.file.fill(&mut active.chunk);
        (active.next, active.latest_ns) = (0, None);
        outcome.packets = active.file.packets();
        if self.active > MAX_OPEN {
            active.file.park();
        }
        if let Some(first) = active.chunk.metas().first() {
            if enter {
                self.heads.push(Reverse((first.at_ns, index)));
            }
            return;
        }
        if matches!(filled, Ok(Filled::Idle)) {
            return self.wait_for(index);
        }
        outcome.problem = filled.err().map(Problem::Damaged);
        *state = State::Done;
        self.active -= 1;
        self.ended(index);
    }
}

impl Source for Merge {
    fn fill(&mut self, chunk: &mut Chunk) -> Result<Filled, Fault> {
        chunk.clear();
        if let Some(index) = self.spent.take() {
            self.read_on(index, true);
        }
        self.look_around();
        while let Some(Reverse((_, index))) = self.heads.pop() {
            let limit = self.heads.peek().map(|&Reverse(key)| key);
            let Some(active) = self.activate(index) else {
                continue;
            };
            if chunk.is_empty() {
                chunk.make_room(active.chunk.room().min(CHUNK_OCTETS));
            }
            let run = active.hand_out(index, limit, chunk);
            let head = active.head();
            match run {
                Run::Interrupted => self.heads.extend(head.map(|at_ns| Reverse((at_ns, index)))),
                Run::Full => {
                    self.heads.extend(head.map(|at_ns| Reverse((at_ns, index))));
                    break;
                }
                Run::Spent => {
                    self.spent = Some(index);
                    break;
                }
            }
        }
        // A damaged capture ends that capture and not the timeline: its fault is in its outcome.
        Ok(match chunk.is_empty() {
            false => Filled::More,
            true if self.may_grow() => Filled::Idle,
            true => Filled::End,
        })
    }
}

/// How it went to hand out the packets of one capture.
enum Run {
    /// Another capture's packet comes next.
    Interrupted,
    /// The caller's chunk should go now.
    Full,
    /// All packets that were read are handed out.
    Spent,
}

impl Active {
    fn new(file: CaptureFile, chunk: Chunk) -> Self {
        Self {
            file,
            chunk,
            next: 0,
            latest_ns: None,
        }
    }

    /// The time of the next packet.
    fn head(&self) -> Option<i64> {
        self.chunk.metas().get(self.next).map(|meta| meta.at_ns)
    }

    /// Hands out the packets that come before `limit`, the head of all other captures.
    fn hand_out(&mut self, index: usize, limit: Option<Key>, into: &mut Chunk) -> Run {
        if limit.is_none_or(|limit| (self.latest_ns(), index) < limit) {
            if into.is_empty() {
                self.chunk.forget_first(self.next);
                std::mem::swap(&mut self.chunk, into);
                self.chunk.clear();
                self.next = 0;
                return Run::Spent;
            }
            if self.chunk.len() - self.next > WORTH_A_CHUNK {
                return Run::Full;
            }
        }
        let rest = self.chunk.metas().get(self.next..).unwrap_or_default();
        for &meta in rest {
            if limit.is_some_and(|limit| (meta.at_ns, index) > limit) {
                return Run::Interrupted;
            }
            let octets = self.chunk.octets(&meta);
            if into.is_empty() {
                into.make_room(octets.len());
            }
            if !into.push(meta, octets) {
                return Run::Full;
            }
            self.next += 1;
        }
        Run::Spent
    }

    fn latest_ns(&mut self) -> i64 {
        let latest = |metas: &[Meta]| {
            metas
                .iter()
                .map(|meta| meta.at_ns)
                .max()
                .unwrap_or(i64::MIN)
        };
        *self
            .latest_ns
            .get_or_insert_with(|| latest(self.chunk.metas()))
    }
}

impl Progress {
    /// How many octets of the files have been read, as they lie on the disk.
    pub fn octets_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// How many there are; not known when there is a pipe among them.
    pub fn octets_in_all(&self) -> Option<u64> {
        self.total
    }
}

/// How much earlier than the packets at its start a later packet of a capture may be: the queues of a network card are read
/// one after another.
const DISORDER_NS: i64 = 60_000_000_000;

/// So much is read to find a capture's first packet.
const FIRST_LOOK: usize = 16 << 10;

/// From so many captures at once on, each gets a smaller chunk and no thread of its own for decompression.
const MANY: usize = 8;
const CHUNK_OF_MANY: usize = 64 << 10;

/// Beyond so many captures at once, plain files are closed between two reads: the usual limit is 1,024 descriptors.
const MAX_OPEN: usize = 256;

/// So many packets in a row go through uncopied, even if a chunk that is not full must go before them.
const WORTH_A_CHUNK: usize = 64;

#[cfg(test)]
mod tests;
