//! Octets from a file, a pipe or standard input, with what the first ones tell.

use std::fs::File;
use std::io::{self, Chain, Cursor, IsTerminal, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::compressed::{self, Ahead, Compression, Here};
use super::fault::OpenError;
use super::mapped::Window;

/// The octets of one capture, decompressed.
pub(super) enum Octets {
    /// A file that is read as it is, and may be closed in between.
    Plain(PlainFile),
    /// A pipe that is followed: it never blocks its reader.
    Pipe(PlainFile),
    /// A pipe, or a decompressor.
    Stream(Box<dyn Read + Send>),
}

/// How a followed capture has changed since it was read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing came.
    Same,
    /// There is more to read.
    Grown,
    /// It was cut short, so what comes is another capture of the same name.
    Rewritten,
    /// Its name leads to another file, or to none. Whoever writes it may still have it open.
    Moved {
        /// There is more to read.
        grown: bool,
        /// It has no other name, so nobody can open it any more.
        deleted: bool,
    },
}

/// What there is to know about an input that has been opened.
pub(super) struct Opened {
    pub(super) octets: Octets,
    /// The first four octets, decompressed, already read; fewer where there are no more.
    pub(super) head: Vec<u8>,
    pub(super) compression: Option<Compression>,
    /// What the file is, if the input can be opened a second time, and then gives the same octets.
    pub(super) identity: Option<Identity>,
}

/// Where decompression is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decompress {
    /// On a thread of its own, ahead of the reader.
    Ahead,
    /// Where it is read: for a look at the beginning, or when there are threads enough.
    Here,
    /// Not at all: what is followed is read as it is.
    Never,
}

/// Opens a file, or standard input for `-`, and looks through its compression.
pub(super) fn open(
    path: &Path,
    decompress: Decompress,
    read: &Arc<AtomicU64>,
) -> Result<Opened, OpenError> {
    let failed = |error| OpenError::from_io(path, error);
    let file = if path == Path::new("-") {
        let input = io::stdin();
        if input.is_terminal() {
            return Err(OpenError::Terminal);
        }
        File::from(input.as_fd().try_clone_to_owned().map_err(failed)?)
    } else {
        File::open(path).map_err(failed)?
    };
    let metadata = file.metadata().map_err(failed)?;
    let regular = metadata.is_file() && path != Path::new("-");
    let identity = (metadata.dev(), metadata.ino());
    let mut plain = PlainFile {
        path: path.into(),
        identity,
        file: Some(file),
        offset: 0,
        start: None,
        changed: None,
        shown: Shown::Never,
        read: Arc::clone(read),
    };
    let head = head(&mut plain, 4).map_err(failed)?;
    if head.is_empty() {
        return Err(OpenError::Empty(path.into()));
    }
    let Some(by) = Compression::of(&head) else {
        let octets = if regular {
            match decompress {
                Decompress::Never => plain.start = Some(Vec::new()),
                Decompress::Ahead => plain.shown = Shown::Not,
                // Of a look, or of one of many files, a few octets are wanted.
                Decompress::Here => {}
            }
            Octets::Plain(plain)
        } else if decompress == Decompress::Never {
            Octets::Pipe(plain)
        } else {
            Octets::Stream(Box::new(plain))
        };
        return Ok(Opened {
            octets,
            head,
            compression: None,
            identity: regular.then_some(identity),
        });
    };
    if decompress == Decompress::Never {
        return Err(OpenError::NotFollowed {
            path: path.into(),
            by,
        });
    }
    let damaged = |error: io::Error| OpenError::Compressed {
        path: path.into(),
        by,
        text: error.to_string(),
    };
    let whole: Chain<Cursor<Vec<u8>>, PlainFile> = Cursor::new(head).chain(plain);
    let at_once = match decompress {
        Decompress::Ahead => compressed::BLOCK,
        Decompress::Here | Decompress::Never => compressed::SMALL_BLOCK,
    };
    let mut inside = by.reader(whole, at_once).map_err(damaged)?;
    let head = self::head(&mut inside, 4).map_err(damaged)?;
    let inside: Box<dyn Read + Send> = match decompress {
        Decompress::Ahead => Box::new(Ahead::new(inside).map_err(failed)?),
        Decompress::Here | Decompress::Never => Box::new(Here::new(inside)),
    };
    Ok(Opened {
        octets: Octets::Stream(inside),
        head,
        compression: Some(by),
        identity: regular.then_some(identity),
    })
}

/// Reads `length` octets, or fewer at the end.
pub(super) fn head(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    from.take(length).read_to_end(&mut head)?;
    Ok(head)
}

impl Octets {
    /// Gives the descriptor back until the next read, where that is possible.
    pub(super) fn park(&mut self) {
        if let Self::Plain(file) = self {
            file.file = None;
            if let Shown::Through(_) = file.shown {
                file.shown = Shown::Not;
            }
        }
    }

    /// The next octets, so many of them, where the page cache has them; none where that cannot be or does not pay. [`Octets::pass`] says how many of them are done with.
    pub(super) fn show(&mut self, octets: usize) -> Option<(Arc<Window>, Range<usize>)> {
        match self {
            Self::Plain(file) => file.show(octets),
            Self::Pipe(_) | Self::Stream(_) => None,
        }
    }

    /// So many octets that were shown have been used.
    pub(super) fn pass(&mut self, octets: usize) {
        if let Self::Plain(file) = self {
            file.offset += octets as u64;
            file.read.fetch_add(octets as u64, Ordering::Relaxed);
        }
    }

    /// So many octets that were read have not been used, and are to come again; answers whether they will.
    pub(super) fn take_back(&mut self, octets: usize) -> bool {
        match self {
            Self::Plain(file) if !matches!(file.shown, Shown::Never) => {
                file.offset -= octets as u64;
                file.read.fetch_sub(octets as u64, Ordering::Relaxed);
                true
            }
            _ => false,
        }
    }

    /// What became of a capture that is followed.
    pub(super) fn look(&mut self) -> Look {
        match self {
            Self::Plain(file) => file.look(),
            Self::Pipe(pipe) if pipe.is_readable() => Look::Grown,
            Self::Pipe(_) | Self::Stream(_) => Look::Same,
        }
    }

    /// The descriptor of a pipe that is followed, to wait for it.
    pub(super) fn pipe(&self) -> Option<&File> {
        match self {
            Self::Pipe(pipe) => pipe.file.as_ref(),
            Self::Plain(_) | Self::Stream(_) => None,
        }
    }
}

impl Read for Octets {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Pipe(pipe) if !pipe.is_readable() => Err(io::ErrorKind::WouldBlock.into()),
            Self::Pipe(pipe) => pipe.read(into),
            Self::Stream(stream) => stream.read(into),
        }
    }
}

/// Device and inode: what a file is, whatever it is called.
pub(super) type Identity = (u64, u64);

/// The error of reading on in a file that is followed and was written anew.
#[derive(Debug, thiserror::Error)]
#[error("the file was written anew")]
pub(super) struct Rewritten;

/// The error of reading on in a file that became shorter.
#[derive(Debug, thiserror::Error)]
#[error("the file was cut to less than what had been read of it")]
struct Cut;

/// A file that knows how far it was read, so that it can be closed and opened again.
pub(super) struct PlainFile {
    path: PathBuf,
    identity: Identity,
    file: Option<File>,
    offset: u64,
    /// Of a file that is followed, how it began: whoever writes a ring of files writes each of them anew.
    start: Option<Vec<u8>>,
    /// When it was last changed, as far as it was looked at.
    changed: Option<(i64, i64)>,
    shown: Shown,
    /// How much has been read of all inputs, for the progress bar.
    read: Arc<AtomicU64>,
}

/// How a file is shown.
enum Shown {
    /// Never: it is read on from where its descriptor stands.
    Never,
    /// Not any more.
    NoMore,
    /// Not at present.
    Not,
    /// Through this.
    Through(Arc<Window>),
}

impl PlainFile {
    fn show(&mut self, octets: usize) -> Option<(Arc<Window>, Range<usize>)> {
        let part = |window: &Window, offset| {
            let start = window.place(offset, octets)?;
            Some(start..start + octets)
        };
        match &self.shown {
            Shown::Never | Shown::NoMore => return None,
            Shown::Through(window) if window.is_torn() => {
                // Reading tells what has become of it.
                self.shown = Shown::NoMore;
                return None;
            }
            Shown::Through(window) => {
                if let Some(part) = part(window, self.offset) {
                    return Some((Arc::clone(window), part));
                }
                if !window.was_cheap() {
                    self.shown = Shown::NoMore;
                    return None;
                }
            }
            Shown::Not => {}
        }
        if self.file.is_none() {
            self.file = Some(self.reopen().ok()?);
        }
        let file = self.file.as_ref()?;
        let length = file.metadata().ok()?.len();
        // The end is read: it may be growing, or cut.
        if length.saturating_sub(self.offset) < octets as u64 {
            self.shown = Shown::Not;
            return None;
        }
        let Ok(window) = Window::open(file, self.offset, length) else {
            self.shown = Shown::NoMore;
            return None;
        };
        let window = Arc::new(window);
        let part = part(&window, self.offset)?;
        self.shown = Shown::Through(Arc::clone(&window));
        Some((window, part))
    }

    fn reopen(&self) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(io::Error::other("another file has taken its place"));
        }
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file)
    }

    /// Whether a pipe has octets, or its end.
    fn is_readable(&self) -> bool {
        let at_once = Timespec::default();
        self.file.as_ref().is_some_and(|file| {
            let mut polled = [PollFd::new(file, PollFlags::IN)];
            rustix::event::poll(&mut polled, Some(&at_once)).is_ok_and(|ready| ready > 0)
        })
    }

    fn look(&mut self) -> Look {
        let named = std::fs::metadata(&self.path).ok();
        let named = named.filter(|metadata| (metadata.dev(), metadata.ino()) == self.identity);
        let moved = named.is_none();
        let own = match &self.file {
            Some(file) => file.metadata().ok(),
            None => named,
        };
        let changed = own
            .as_ref()
            .map(|metadata| (metadata.mtime(), metadata.mtime_nsec()));
        let (length, deleted) = own.map_or((self.offset, true), |metadata| {
            (metadata.len(), metadata.nlink() == 0)
        });
        let grown = length > self.offset;
        let touched = std::mem::replace(&mut self.changed, changed) != changed;
        if moved {
            Look::Moved { grown, deleted }
        } else if length < self.offset || touched && !grown && !self.is_as_before() {
            Look::Rewritten
        } else if grown {
            Look::Grown
        } else {
            Look::Same
        }
    }

    /// Whether a file that is as long as before is the same. One that cannot be read is told when it is to be read on.
    fn is_as_before(&mut self) -> bool {
        let file = match &self.file {
            Some(file) => file.try_clone(),
            None => self.reopen(),
        };
        file.and_then(|file| self.begins_as_before(&file))
            .unwrap_or(true)
    }

    /// Whether a file that is followed still begins as it did.
    fn begins_as_before(&mut self, file: &File) -> io::Result<bool> {
        let Some(start) = &mut self.start else {
            return Ok(true);
        };
        let mut now = [0; START];
        let there = file.read_at(&mut now, 0)?;
        let known = start.len().min(there);
        let same = start.len() <= there && start[..known] == now[..known];
        if same {
            start.extend_from_slice(&now[known..there]);
        }
        Ok(same)
    }
}

impl Read for PlainFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        let mut read = match self.shown {
            Shown::Never => file.read(into),
            _ => file.read_at(into, self.offset).and_then(|read| match read {
                0 if file.metadata()?.len() < self.offset => Err(io::Error::other(Cut)),
                _ => Ok(read),
            }),
        };
        if let Ok(1..) = read
            && !self.begins_as_before(&file)?
        {
            read = Err(io::Error::other(Rewritten));
        }
        self.file = Some(file);
        if let Ok(step) = read {
            self.offset += step as u64;
            self.read.fetch_add(step as u64, Ordering::Relaxed);
        }
        read
    }
}

/// So many octets tell what a file is that is no capture.
pub(super) const TELLING: usize = 16;

/// The header of a pcap file and that of its first record, with its time; of a pcapng file at least the section's header.
const START: usize = 40;
