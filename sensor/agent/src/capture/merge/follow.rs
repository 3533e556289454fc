//! Captures that grow, and folders in which new ones appear: `--follow`.
//!
//! Whatever is there is merged as captures that are whole are. One that was read to its end becomes a [`Tail`]: it is looked
//! at again and again, and takes its place in the timeline when there is more. A record whose end is still to be written is
//! waited for.
//!
//! Files are told apart by device and inode, for their names change hands. A writer may move a file away and begin another
//! one (`logrotate`), write a ring of files of which each is cut short and written anew (`tcpdump -C -W`), or write new ones
//! and delete the oldest (`dumpcap -b`). A file that has lost its name is read as long as something is added to it; one that
//! begins otherwise than before is another capture. Nothing here needs a notice of the kernel's, so that it works on a share
//! of another machine's too.
//!
//! *Left out*: captures that are compressed. Those that lie in a folder at the start are read once; those that appear later
//! are, too, unless they are what became of a file that was followed (`tcpdump -z gzip`).

use std::collections::{HashMap, VecDeque};
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::{Active, CHUNK_OF_MANY, FIRST_LOOK, MAX_OPEN, Merge, Problem, State};
use crate::capture::fault::{Fault, OpenError, named};
use crate::capture::file::CaptureFile;
use crate::capture::octets::{Decompress, Identity, Look};
use crate::capture::{Chunk, Damage, Filled, Source, folder};

/// A capture that was read to its end and may grow.
pub(super) struct Tail {
    file: CaptureFile,
    /// When something was last added to it.
    grown: Instant,
    /// Whether it has lost its name.
    moved: bool,
}

/// What is watched for more.
pub(super) struct Watch {
    folders: Vec<PathBuf>,
    /// Files that were named and do not exist, or do not have the header of a capture yet.
    awaited: Vec<PathBuf>,
    /// The files that need no second look, as they were when they were looked at.
    known: HashMap<Identity, Stamp>,
    /// Captures that have ended, the first one first: their numbers may be given away when there are no others left.
    ended: VecDeque<usize>,
    /// Tails with a descriptor, the one that was read longest ago first.
    open: VecDeque<usize>,
    /// Captures with a new name.
    named: Vec<usize>,
    /// What the operator should know.
    notices: Vec<String>,
    next_look: Instant,
    next_scan: Instant,
    /// Whether all that lay there at the start has been found.
    started: bool,
}

/// How a file looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: (i64, i64),
    /// Whether it is, or was, a capture of ours: then its growth is seen elsewhere.
    capture: bool,
}

impl Stamp {
    fn of(metadata: &Metadata, capture: bool) -> Self {
        Self {
            length: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
            capture,
        }
    }
}

impl Merge {
    /// Looks at every path as [`Merge::open`] does, and goes on to look whether there is more: [`Filled::Idle`] says that
    /// at present there is not. The end comes only when nothing is left that could grow.
    pub fn follow(paths: &[PathBuf]) -> Self {
        let mut merge = Self::open(&[]);
        let now = Instant::now();
        let (folders, files): (Vec<_>, Vec<_>) =
            paths.iter().cloned().partition(|path| path.is_dir());
        merge.watch = Some(Watch {
            folders,
            awaited: Vec::new(),
            known: HashMap::new(),
            ended: VecDeque::new(),
            open: VecDeque::new(),
            named: Vec::new(),
            notices: Vec::new(),
            next_look: now,
            next_scan: now,
            started: false,
        });
        for path in files {
            merge.admit_named(path);
        }
        merge.scan();
        if let Some(watch) = &mut merge.watch {
            watch.started = true;
        }
        merge
    }

    /// Captures that have a new name since the last call, each with its number and path.
    pub fn take_named(&mut self) -> Vec<(usize, PathBuf)> {
        let Some(watch) = &mut self.watch else {
            return Vec::new();
        };
        let path = |index: usize| self.captures[index].outcome.path.clone();
        std::mem::take(&mut watch.named)
            .into_iter()
            .map(|index| (index, path(index)))
            .collect()
    }

    /// What the operator should know and has not been told.
    pub fn take_notices(&mut self) -> Vec<String> {
        self.watch
            .as_mut()
            .map(|watch| std::mem::take(&mut watch.notices))
            .unwrap_or_default()
    }

    /// Waits until a pipe has something, or for so long.
    pub fn wait(&self, patience: Duration) {
        let pipes = self
            .captures
            .iter()
            .filter_map(|capture| match &capture.state {
                State::Tail(tail) => tail.file.pipe(),
                _ => None,
            });
        let mut polled: Vec<PollFd<'_>> =
            pipes.map(|pipe| PollFd::new(pipe, PollFlags::IN)).collect();
        let patience = Timespec {
            tv_sec: 0,
            tv_nsec: patience.subsec_nanos().into(),
        };
        // An error is a signal's interruption: the caller looks whether it should stop.
        let _ = rustix::event::poll(&mut polled, Some(&patience));
    }

    /// Makes the next [`Source::fill`] look at everything that may have grown, for the last time.
    pub fn look_now(&mut self) {
        if let Some(watch) = &mut self.watch {
            let now = Instant::now();
            (watch.next_look, watch.next_scan) = (now, now);
        }
    }

    /// Ends what is followed: a record that is still not whole is cut.
    pub fn end(&mut self) {
        self.watch = None;
        for capture in &mut self.captures {
            if let State::Tail(tail) = &mut capture.state {
                capture.outcome.problem = tail.file.end().map(Problem::Damaged);
                capture.state = State::Done;
            }
        }
    }

    /// Whether something may still come.
    pub(super) fn may_grow(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| {
            !watch.folders.is_empty()
                || !watch.awaited.is_empty()
                || self
                    .captures
                    .iter()
                    .any(|capture| matches!(capture.state, State::Tail(_)))
        })
    }

    /// The capture was read to its present end.
    pub(super) fn wait_for(&mut self, index: usize) {
        let state = std::mem::replace(&mut self.captures[index].state, State::Done);
        if let State::Active(active) = state {
            self.active -= 1;
            self.keep_tail(index, active.file);
        }
    }

    fn keep_tail(&mut self, index: usize, file: CaptureFile) {
        let tail = Box::new(Tail {
            file,
            grown: Instant::now(),
            moved: false,
        });
        self.captures[index].state = State::Tail(tail);
        let Some(watch) = &mut self.watch else { return };
        watch.open.push_back(index);
        if watch.open.len() > MAX_OPEN
            && let Some(quiet) = watch.open.pop_front()
            && let State::Tail(tail) = &mut self.captures[quiet].state
            && !watch.open.contains(&quiet)
        {
            tail.file.park();
        }
    }

    /// A capture has lost its name to another one before it was read.
    pub(super) fn moved_away(&mut self, index: usize) {
        let path = self.captures[index].outcome.path.clone();
        let fault = Fault {
            path: path.clone(),
            offset: 0,
            frame: 1,
            what: Damage::Read("another file has taken its place".to_owned()),
        };
        self.captures[index].state = State::Done;
        self.captures[index].outcome.problem = Some(Problem::Damaged(fault));
        self.ended(index);
        self.await_named(&path);
    }

    /// A capture that was followed has ended by itself: it is damaged, or was written anew.
    pub(super) fn ended(&mut self, index: usize) {
        let Some(watch) = &mut self.watch else { return };
        watch.ended.push_back(index);
        let outcome = &self.captures[index].outcome;
        let Some(Problem::Damaged(fault)) = &outcome.problem else {
            return;
        };
        watch.notices.push(fault.to_string());
        let path = outcome.path.clone();
        if fault.what == Damage::Rewritten {
            return self.admit_named(path);
        }
        // It is not read on when it grows; but when it is shorter one day, it is another capture.
        if let Ok(metadata) = fs::metadata(&path)
            && let Some(known) = watch.known.get_mut(&(metadata.dev(), metadata.ino()))
        {
            *known = Stamp::of(&metadata, true);
        }
    }

    /// Looks at everything that may have grown, when it is time to.
    pub(super) fn look_around(&mut self) {
        let Some(watch) = &mut self.watch else { return };
        let now = Instant::now();
        if now < watch.next_look {
            return;
        }
        watch.next_look = now + BETWEEN_LOOKS;
        let scan = now >= watch.next_scan;
        if scan {
            watch.next_scan = now + BETWEEN_SCANS;
        }
        for path in std::mem::take(&mut watch.awaited) {
            let before = self.captures.len();
            self.admit_named(path);
            if let Some(new) = self.captures.get(before) {
                let path = named(&new.outcome.path).into_owned();
                self.notice(format!("{path}: reading the file that has this name now"));
            }
        }
        for index in 0..self.captures.len() {
            if let State::Tail(tail) = &mut self.captures[index].state
                && (scan || now.duration_since(tail.grown) < QUIET)
            {
                let (look, quiet) = (tail.file.look(), now.duration_since(tail.grown) >= QUIET);
                self.act_on(index, look, quiet);
            }
        }
        if scan {
            self.scan();
        }
    }

    fn act_on(&mut self, index: usize, look: Look, quiet: bool) {
        match look {
            Look::Same => {}
            Look::Grown | Look::Moved { grown: true, .. } => self.grow(index),
            Look::Rewritten => {
                let path = self.captures[index].outcome.path.clone();
                if !self.is_in_folder(&path) {
                    self.notice(format!(
                        "{}: cut short and written anew; reading it from its start",
                        named(&path)
                    ));
                }
                self.close(index);
                self.admit_named(path);
            }
            Look::Moved {
                grown: false,
                deleted,
            } => {
                let path = self.captures[index].outcome.path.clone();
                // Who is waited for by name comes back under it, at once or later.
                if let State::Tail(tail) = &mut self.captures[index].state
                    && !std::mem::replace(&mut tail.moved, true)
                {
                    self.await_named(&path);
                }
                if deleted || quiet {
                    self.close(index);
                }
            }
        }
    }

    /// Reads on in a capture that has grown.
    fn grow(&mut self, index: usize) {
        let state = std::mem::replace(&mut self.captures[index].state, State::Done);
        if let State::Tail(tail) = state {
            if let Some(watch) = &mut self.watch {
                watch.open.retain(|&open| open != index);
            }
            let active = Active::new(tail.file, Chunk::with_room(CHUNK_OF_MANY));
            self.captures[index].state = State::Active(Box::new(active));
            self.active += 1;
            self.read_on(index, true);
        }
    }

    /// Nothing more will come to a capture.
    fn close(&mut self, index: usize) {
        let state = std::mem::replace(&mut self.captures[index].state, State::Done);
        let State::Tail(mut tail) = state else { return };
        let fault = tail.file.end();
        let Some(watch) = &mut self.watch else { return };
        watch.open.retain(|&open| open != index);
        watch.ended.push_back(index);
        if let Some(identity) = tail.file.identity()
            && matches!(
                tail.file.look(),
                Look::Moved { deleted: true, .. } | Look::Rewritten
            )
        {
            // Its inode is free for another file, or has other octets now.
            watch.known.remove(&identity);
        }
        if let Some(fault) = fault {
            watch.notices.push(fault.to_string());
            self.captures[index].outcome.problem = Some(Problem::Damaged(fault));
        }
    }

    /// Waits for a file by its name, if it was named and its name is free, or another file has it.
    fn await_named(&mut self, path: &Path) {
        let in_folder = self.is_in_folder(path);
        let Some(watch) = &mut self.watch else { return };
        if !in_folder && !watch.awaited.iter().any(|awaited| awaited == path) {
            watch.awaited.push(path.to_owned());
        }
    }

    /// Whether a file was found in a folder: there, that files come and go is no news.
    fn is_in_folder(&self, path: &Path) -> bool {
        let mut folders = self.watch.iter().flat_map(|watch| &watch.folders);
        folders.any(|folder| path.starts_with(folder))
    }

    /// Looks for files that are new in the folders.
    fn scan(&mut self) {
        let Some(watch) = &self.watch else { return };
        for folder in watch.folders.clone() {
            for found in folder::captures_below(&folder) {
                match found {
                    Ok(path) => self.admit_found(&path),
                    // A file may be deleted between two looks.
                    Err(OpenError::Missing(_)) => {}
                    Err(error) => self.refuse(error),
                }
            }
        }
    }

    fn admit_found(&mut self, path: &Path) {
        let Ok(metadata) = fs::metadata(path) else {
            return;
        };
        let identity = (metadata.dev(), metadata.ino());
        let stamp = Stamp::of(&metadata, false);
        let Some(watch) = &mut self.watch else { return };
        match watch.known.get(&identity) {
            Some(known) if known.capture && stamp.length >= known.length => return,
            Some(known) if *known == stamp => return,
            _ => {}
        }
        let started = watch.started;
        match self.open_followed(path) {
            Ok((file, index)) => self.begin(path, file, index),
            // Its first octets are still to be written.
            Err(OpenError::Empty(_) | OpenError::CutHeader { .. } | OpenError::Missing(_)) => {}
            Err(OpenError::NotACapture { begins, .. }) if begins.len() < 4 => {}
            Err(OpenError::NotFollowed { .. }) if started && self.is_of_a_capture(path) => {
                self.know(identity, stamp);
            }
            Err(OpenError::NotFollowed { .. }) => {
                // What appears while others are followed may still be written: it is read when it has stayed as it is.
                let settled = !started
                    || metadata
                        .modified()
                        .ok()
                        .and_then(|modified| modified.elapsed().ok())
                        .is_some_and(|since| since >= SETTLED);
                if settled {
                    self.know(
                        identity,
                        Stamp {
                            capture: true,
                            ..stamp
                        },
                    );
                    self.admit_whole(path);
                }
            }
            Err(error) if error.is_no_capture() => self.know(identity, stamp),
            Err(error) => {
                self.know(identity, stamp);
                self.refuse(error);
            }
        }
    }

    fn know(&mut self, identity: Identity, stamp: Stamp) {
        if let Some(watch) = &mut self.watch {
            watch.known.insert(identity, stamp);
        }
    }

    /// Whether a compressed file has the name of a capture that was followed, and a suffix.
    fn is_of_a_capture(&self, path: &Path) -> bool {
        let plain = path.with_extension("");
        self.captures
            .iter()
            .any(|capture| capture.outcome.path == plain)
    }

    /// A file that the operator has named, or that is read under the name of one before it.
    fn admit_named(&mut self, path: PathBuf) {
        match self.open_followed(&path) {
            // It was named twice, or found in a folder meanwhile.
            Ok((file, _)) if self.is_followed(file.identity()) => {}
            Ok((file, index)) => self.begin(&path, file, index),
            Err(OpenError::Empty(_) | OpenError::CutHeader { .. }) => self.await_named(&path),
            Err(OpenError::NotACapture { begins, .. }) if begins.len() < 4 => {
                self.await_named(&path)
            }
            Err(OpenError::Missing(_))
                if self.watch.as_ref().is_some_and(|watch| watch.started) =>
            {
                self.await_named(&path);
            }
            Err(error) => self.refuse(error),
        }
    }

    fn is_followed(&self, wanted: Option<Identity>) -> bool {
        wanted.is_some()
            && self.captures.iter().any(|capture| match &capture.state {
                State::Waiting { identity, .. } => *identity == wanted,
                State::Active(active) => active.file.identity() == wanted,
                State::Tail(tail) => tail.file.identity() == wanted,
                State::Done => false,
            })
    }

    fn open_followed(&mut self, path: &Path) -> Result<(CaptureFile, usize), OpenError> {
        let index = self
            .free_number()
            .ok_or_else(|| OpenError::TooMany(path.into()))?;
        let file = CaptureFile::open_counted(path, index as u16, Decompress::Never, &self.read)?;
        Ok((file, index))
    }

    /// A number for one more capture: where there is none left, that of the one that ended first.
    fn free_number(&self) -> Option<usize> {
        let next = self.captures.len();
        if next < usize::from(u16::MAX) {
            return Some(next);
        }
        self.watch.as_ref()?.ended.front().copied()
    }

    /// Enters a capture that is followed.
    fn begin(&mut self, path: &Path, mut file: CaptureFile, index: usize) {
        if let (Some(identity), Ok(metadata)) = (file.identity(), fs::metadata(path)) {
            // How long it was says nothing yet: it grows. A shorter one is another.
            let stamp = Stamp {
                length: 0,
                ..Stamp::of(&metadata, true)
            };
            self.know(identity, stamp);
        }
        let mut chunk = Chunk::with_room(FIRST_LOOK);
        let filled = file.fill(&mut chunk);
        let earliest_ns = chunk.metas().iter().map(|meta| meta.at_ns).min();
        let head = chunk.metas().first().map(|meta| meta.at_ns);
        let regular = file.is_regular();
        self.place(path, index, State::Done);
        match (filled, head) {
            (Ok(Filled::More), Some(at_ns)) => {
                self.heads.push(std::cmp::Reverse((at_ns, index)));
                let identity = file.identity();
                self.captures[index].state = match earliest_ns {
                    // Of very many only some are kept open, so that they cannot be lost when they are moved.
                    Some(earliest_ns) if regular && self.active >= KEPT => State::Waiting {
                        earliest_ns,
                        identity,
                    },
                    _ => {
                        self.active += 1;
                        State::Active(Box::new(Active::new(file, chunk)))
                    }
                };
            }
            (Ok(Filled::Idle), _) => self.keep_tail(index, file),
            (Ok(_), _) => self.ended(index),
            (Err(fault), _) => {
                self.captures[index].outcome.problem = Some(Problem::Damaged(fault));
                self.ended(index);
            }
        }
    }

    /// Enters a compressed capture, which is whole.
    fn admit_whole(&mut self, path: &Path) {
        let Some(index) = self.free_number() else {
            return;
        };
        let opened = CaptureFile::open_counted(path, index as u16, Decompress::Ahead, &self.read);
        match opened {
            Ok(file) => self.begin(path, file, index),
            Err(error) => self.refuse(error),
        }
    }

    fn refuse(&mut self, error: OpenError) {
        self.notice(error.to_string());
        let Some(index) = self.free_number() else {
            return;
        };
        let path = error.path().to_owned();
        self.place(&path, index, State::Done);
        self.captures[index].outcome.problem = Some(Problem::Unreadable(error));
        if let Some(watch) = &mut self.watch {
            watch.ended.push_back(index);
        }
    }

    /// Gives a number to a capture.
    fn place(&mut self, path: &Path, index: usize, state: State) {
        if index == self.captures.len() {
            self.enter(path.to_owned(), Ok(state));
        } else {
            let Some(watch) = &mut self.watch else { return };
            watch.ended.pop_front();
            self.captures[index].outcome = super::Outcome::new(path.to_owned(), None);
            self.captures[index].state = state;
        }
        if let Some(watch) = &mut self.watch {
            watch.named.push(index);
        }
    }

    pub(super) fn notice(&mut self, text: String) {
        if let Some(watch) = &mut self.watch {
            watch.notices.push(text);
        }
    }
}

/// So many captures of those that are there at the start are kept open until the timeline reaches them.
const KEPT: usize = 64;
/// How often a capture is looked at that has grown within [`QUIET`].
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How often all others are, and the folders.
const BETWEEN_SCANS: Duration = Duration::from_secs(1);
/// A file without its name is given up when nothing came for so long: its writer has taken notice by then.
const QUIET: Duration = Duration::from_secs(if cfg!(test) { 0 } else { 10 });
/// A compressed file that was not changed for so long is whole.
const SETTLED: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
