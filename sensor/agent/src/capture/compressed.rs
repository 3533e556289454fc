//! gzip and zstd, recognised by their first octets, read on a thread of their own.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// How a capture is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
}

impl Compression {
    /// What the first four octets of a file tell.
    pub(super) fn of(magic: &[u8]) -> Option<Self> {
        match magic {
            // The third octet is the only method there is, deflate.
            [0x1f, 0x8b, 0x08, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd] => Some(Self::Zstd),
            // A frame to be skipped, with which parallel compressors begin.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// A reader of what is compressed in `from`, of which so many octets are taken at once. zstd windows of more than 128 MiB are refused by the library.
    pub(super) fn reader(
        self,
        from: impl Read + Send + 'static,
        at_once: usize,
    ) -> io::Result<Box<dyn Read + Send>> {
        let from = BufReader::with_capacity(at_once, from);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(from)),
            Self::Zstd => Box::new(zstd::Decoder::with_buffer(from)?),
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        })
    }
}

/// Reads ahead of its caller on a thread, by [`BLOCKS`] blocks of [`BLOCK`] octets at most.
pub(super) struct Ahead {
    full: Receiver<io::Result<Block>>,
    /// Where empty buffers go back; the thread makes new ones if it gets none.
    empty: SyncSender<Vec<u8>>,
    block: Block,
    /// How much of `block` has been read.
    at: usize,
}

#[derive(Default)]
struct Block {
    octets: Vec<u8>,
    filled: usize,
}

impl Ahead {
    /// Starts the thread. It ends when there is nothing more to read, or when this is dropped.
    pub(super) fn new(mut from: Box<dyn Read + Send>) -> io::Result<Self> {
        let (full_in, full) = sync_channel(BLOCKS);
        let (empty, empty_out) = sync_channel::<Vec<u8>>(BLOCKS);
        std::thread::Builder::new()
            .name("decompress".into())
            .spawn(move || {
                loop {
                    let mut octets = empty_out.try_recv().unwrap_or_default();
                    octets.resize(BLOCK, 0);
                    let (filled, end) = fill(&mut from, &mut octets);
                    // A closed channel means that nobody wants more.
                    if filled > 0 && full_in.send(Ok(Block { octets, filled })).is_err() {
                        return;
                    }
                    match end {
                        None => {}
                        Some(Ok(())) => return,
                        Some(Err(error)) => {
                            let _ = full_in.send(Err(error));
                            return;
                        }
                    }
                }
            })?;
        Ok(Self {
            full,
            empty,
            block: Block::default(),
            at: 0,
        })
    }
}

impl Read for Ahead {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.filled {
            // A full channel only means that the thread has buffers enough.
            let _ = self.empty.try_send(std::mem::take(&mut self.block).octets);
            self.at = 0;
            match self.full.recv() {
                Ok(block) => self.block = block?,
                // The thread has ended after all that it had.
                Err(_) => return Ok(0),
            }
        }
        let there = &self.block.octets[self.at..self.block.filled];
        let step = there.len().min(into.len());
        into[..step].copy_from_slice(&there[..step]);
        self.at += step;
        Ok(step)
    }
}

/// Reads where it is called, with as little lost to damage as by [`Ahead`].
pub(super) struct Here {
    from: Box<dyn Read + Send>,
    /// How the reading ended, behind what it brought.
    end: Option<io::Result<()>>,
}

impl Here {
    pub(super) fn new(from: Box<dyn Read + Send>) -> Self {
        Self { from, end: None }
    }
}

impl Read for Here {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        if self.end.is_none() {
            (filled, self.end) = fill(&mut self.from, into);
        }
        // An error is told once; after it nothing more comes.
        match &mut self.end {
            Some(end) if filled == 0 => std::mem::replace(end, Ok(())).map(|()| 0),
            _ => Ok(filled),
        }
    }
}

/// Reads until `octets` is full or nothing more comes: how many, and how it ended.
fn fill(from: &mut impl Read, octets: &mut [u8]) -> (usize, Option<io::Result<()>>) {
    let mut filled = 0;
    while filled < octets.len() {
        let until = octets.len().min(filled + PIECE);
        match from.read(&mut octets[filled..until]) {
            Ok(0) => return (filled, Some(Ok(()))),
            Ok(step) => filled += step,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(Err(error))),
        }
    }
    (filled, None)
}

/// What moves between the threads: large enough that the channel costs nothing.
pub(super) const BLOCK: usize = 256 << 10;

/// What is read at once of a file when many are open.
pub(super) const SMALL_BLOCK: usize = 16 << 10;

/// Enough to keep the thread busy while a chunk is being analysed.
const BLOCKS: usize = 4;

/// What is decompressed at once. When it meets damage, a decompressor drops what that very call had produced, so a small
/// piece loses little. (A cut tail loses nothing.)
const PIECE: usize = 4 << 10;
