//! Octets from a file, a pipe or standard input, with what the first ones tell.

use std::fs::File;
use std::io::{self, Chain, Cursor, IsTerminal, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::compressed::{Ahead, Compression, Here};
use super::fault::OpenError;

/// The octets of one capture, decompressed.
pub(super) enum Octets {
    /// A file that is read as it is, and may be closed in between.
    Plain(PlainFile),
    /// A pipe, or a decompressor.
    Stream(Box<dyn Read + Send>),
}

/// What there is to know about an input that has been opened.
pub(super) struct Opened {
    pub(super) octets: Octets,
    /// The first four octets, decompressed, already read; fewer where there are no more.
    pub(super) head: Vec<u8>,
    pub(super) compression: Option<Compression>,
    /// Whether the input can be opened a second time, and then gives the same octets.
    pub(super) regular: bool,
}

/// Where decompression is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decompress {
    /// On a thread of its own, ahead of the reader.
    Ahead,
    /// Where it is read: for a look at the beginning, or when there are threads enough.
    Here,
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
        read: Arc::clone(read),
    };
    let head = head(&mut plain, 4).map_err(failed)?;
    if head.is_empty() {
        return Err(OpenError::Empty(path.into()));
    }
    let Some(by) = Compression::of(&head) else {
        let octets = if regular {
            Octets::Plain(plain)
        } else {
            Octets::Stream(Box::new(plain))
        };
        return Ok(Opened {
            octets,
            head,
            compression: None,
            regular,
        });
    };
    let damaged = |error: io::Error| OpenError::Compressed {
        path: path.into(),
        by,
        text: error.to_string(),
    };
    let whole: Chain<Cursor<Vec<u8>>, PlainFile> = Cursor::new(head).chain(plain);
    let mut inside = by.reader(whole).map_err(damaged)?;
    let head = self::head(&mut inside, 4).map_err(damaged)?;
    let inside: Box<dyn Read + Send> = match decompress {
        Decompress::Ahead => Box::new(Ahead::new(inside).map_err(failed)?),
        Decompress::Here => Box::new(Here::new(inside)),
    };
    Ok(Opened {
        octets: Octets::Stream(inside),
        head,
        compression: Some(by),
        regular,
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
        }
    }
}

impl Read for Octets {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.read(into),
            Self::Stream(stream) => stream.read(into),
        }
    }
}

/// A file that knows how far it was read, so that it can be closed and opened again.
pub(super) struct PlainFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    file: Option<File>,
    offset: u64,
    /// How much has been read of all inputs, for the progress bar.
    read: Arc<AtomicU64>,
}

impl PlainFile {
    fn reopen(&self) -> io::Result<File> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if (metadata.dev(), metadata.ino()) != self.identity {
            return Err(io::Error::other("another file has taken its place"));
        }
        file.seek(SeekFrom::Start(self.offset))?;
        Ok(file)
    }
}

impl Read for PlainFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.reopen()?,
        };
        let read = file.read(into);
        self.file = Some(file);
        if let Ok(step) = read {
            self.offset += step as u64;
            self.read.fetch_add(step as u64, Ordering::Relaxed);
        }
        read
    }
}
