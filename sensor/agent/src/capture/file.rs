//! One capture file, pcap or pcapng.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::compressed::Compression;
use super::fault::{Damage, Fault, OpenError};
use super::octets::{self, Decompress, Identity, Look, Octets, Rewritten};
use super::pcap::{self, Layout, Place};
use super::pcapng::{self, MAX_BLOCK, Sections};
use super::{CHUNK_OCTETS, Chunk, Filled, Source};

/// A capture file being read, or a capture on standard input.
pub struct CaptureFile {
    path: PathBuf,
    octets: Octets,
    compression: Option<Compression>,
    /// What the file is; a pipe has no such thing.
    identity: Option<Identity>,
    format: Format,
    place: Place,
    /// What was read and not used: the beginning of a record whose rest comes with the next read.
    carry: Vec<u8>,
    /// How many octets are asked for at once: those of [`PACKETS_AT_ONCE`] packets as they were last.
    at_once: usize,
    /// Damage that was found behind the packets of the last chunk.
    found: Option<Fault>,
    ended: bool,
    /// Whether more may come behind the end.
    followed: bool,
}

enum Format {
    Pcap(Layout),
    Pcapng(Sections),
}

impl CaptureFile {
    /// Opens a file, or standard input for `-`; `capture` is its place in the list of captures.
    pub fn open(path: &Path, capture: u16) -> Result<Self, OpenError> {
        Self::open_counted(path, capture, Decompress::Ahead, &Arc::default())
    }

    pub(super) fn open_counted(
        path: &Path,
        capture: u16,
        decompress: Decompress,
        read: &Arc<AtomicU64>,
    ) -> Result<Self, OpenError> {
        let opened = octets::open(path, decompress, read)?;
        let (mut octets, compression) = (opened.octets, opened.compression);
        let mut carry = opened.head;
        let mut place = Place {
            capture,
            frames: 0,
            offset: 0,
        };
        let format = match carry.first_chunk() {
            Some(&pcapng::MAGIC) => Format::Pcapng(Sections::default()),
            Some(&magic) if pcap::is_pcap(magic) => {
                let rest = octets::head(&mut octets, (pcap::HEADER - carry.len()) as u64)
                    .map_err(|error| unreadable(path, compression, error))?;
                carry.extend_from_slice(&rest);
                let Some(&header) = carry.first_chunk() else {
                    return Err(OpenError::CutHeader {
                        path: path.into(),
                        there: carry.len(),
                    });
                };
                place.offset = pcap::HEADER as u64;
                carry.clear();
                let version = |(major, minor)| OpenError::Version {
                    path: path.into(),
                    major,
                    minor,
                };
                Format::Pcap(pcap::layout(header).map_err(version)?)
            }
            _ => {
                let more = octets::TELLING.saturating_sub(carry.len()) as u64;
                // An error here changes nothing: it is no capture.
                if carry.len() == 4
                    && let Ok(more) = octets::head(&mut octets, more)
                {
                    carry.extend_from_slice(&more);
                }
                return Err(OpenError::NotACapture {
                    path: path.into(),
                    within: compression,
                    begins: carry,
                });
            }
        };
        let (path, identity) = (path.into(), opened.identity);
        Ok(Self {
            path,
            octets,
            compression,
            identity,
            format,
            place,
            carry,
            at_once: CHUNK_OCTETS,
            found: None,
            ended: false,
            followed: decompress == Decompress::Never,
        })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many packets have been read.
    pub fn packets(&self) -> u64 {
        self.place.frames
    }

    /// How the capture is compressed.
    pub fn compression(&self) -> Option<Compression> {
        self.compression
    }

    /// Whether it can be opened a second time, and then gives the same.
    pub(super) fn is_regular(&self) -> bool {
        self.identity.is_some()
    }

    /// Gives the descriptor back until the next `fill`, where that is possible.
    pub(super) fn park(&mut self) {
        self.octets.park();
    }

    /// Enters the whole records of what `chunk` holds; how many octets they took, and the damage behind them.
    fn walk(&mut self, chunk: &mut Chunk) -> (usize, Option<Fault>) {
        let (octets, packets) = chunk.split();
        let walked = match &mut self.format {
            Format::Pcap(layout) => layout.walk(octets, &mut self.place, packets),
            Format::Pcapng(sections) => sections.walk(octets, &mut self.place, packets),
        };
        let fault = walked.damage.map(|(offset, what)| self.fault(offset, what));
        self.place.offset += walked.used as u64;
        if !packets.is_empty() {
            let octets = walked.used / packets.len() * PACKETS_AT_ONCE;
            self.at_once = octets.clamp(LEAST_AT_ONCE, CHUNK_OCTETS);
        }
        (walked.used, fault)
    }

    /// What is wrong with a capture that ends with `rest`, if anything.
    fn cut(&self, rest: &[u8]) -> Option<Fault> {
        let what = match &self.format {
            Format::Pcap(_) if rest.is_empty() => return None,
            Format::Pcap(layout) => layout.missing(rest),
            Format::Pcapng(sections) => sections.missing(rest)?,
        };
        Some(self.fault(self.place.offset, what))
    }

    fn unread(&self, error: &io::Error, unused: usize) -> Fault {
        let text = error.to_string();
        match self.compression {
            Some(by) => self.fault(
                self.place.offset + unused as u64,
                Damage::Compressed { by, text },
            ),
            None => {
                let rewritten = error.get_ref().is_some_and(|inner| inner.is::<Rewritten>());
                let what = if rewritten {
                    Damage::Rewritten
                } else {
                    Damage::Read(text)
                };
                self.fault(self.place.offset + unused as u64, what)
            }
        }
    }

    fn fault(&self, offset: u64, what: Damage) -> Fault {
        Fault {
            path: self.path.clone(),
            offset,
            frame: self.place.frames + 1,
            what,
        }
    }

    /// Shows packets where the page cache has them; nothing where that cannot be.
    fn show(&mut self, chunk: &mut Chunk) -> Option<Result<Filled, Fault>> {
        while let Some((window, part)) = self.octets.show(self.at_once) {
            window.warm(part.clone());
            chunk.show(Arc::clone(&window), part);
            if window.is_torn() {
                break;
            }
            let (used, fault) = self.walk(chunk);
            self.octets.pass(used);
            if !chunk.is_empty() {
                self.found = fault;
                return Some(Ok(Filled::More));
            }
            if fault.is_some() {
                chunk.clear();
                return Some(self.end_with(fault));
            }
            // A record that is longer than what is shown is read.
            if used == 0 {
                break;
            }
            chunk.clear();
        }
        chunk.clear();
        None
    }

    /// Keeps the beginning of a record whose rest is still to be written.
    fn wait_for_more(&mut self, chunk: &mut Chunk) -> Filled {
        chunk.cut_off(0, &mut self.carry);
        chunk.clear();
        Filled::Idle
    }

    /// Says that no more will come to a capture that was followed; what is missing of its last record.
    pub(super) fn end(&mut self) -> Option<Fault> {
        let rest = std::mem::take(&mut self.carry);
        self.ended = true;
        self.cut(&rest)
    }

    /// What became of a capture that is followed.
    pub(super) fn look(&mut self) -> Look {
        self.octets.look()
    }

    /// What the file is, whatever it is called; a pipe has no such thing.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// The descriptor of a pipe that is followed.
    pub(super) fn pipe(&self) -> Option<&std::fs::File> {
        self.octets.pipe()
    }

    fn end_with(&mut self, fault: Option<Fault>) -> Result<Filled, Fault> {
        self.ended = true;
        fault.map_or(Ok(Filled::End), Err)
    }
}

impl Source for CaptureFile {
    fn fill(&mut self, chunk: &mut Chunk) -> Result<Filled, Fault> {
        chunk.clear();
        if let Some(fault) = self.found.take() {
            return self.end_with(Some(fault));
        }
        if self.ended {
            return Ok(Filled::End);
        }
        if self.octets.take_back(self.carry.len()) {
            self.carry.clear();
            if let Some(filled) = self.show(chunk) {
                return filled;
            }
        }
        chunk.make_room(self.carry.len());
        chunk.unwritten()[..self.carry.len()].copy_from_slice(&self.carry);
        chunk.written(self.carry.len());
        self.carry.clear();
        loop {
            // A record that fills the whole chunk is not all there. None that passes its checks is longer than
            // [`MAX_BLOCK`], so a chunk of that size always has room.
            if chunk.room_left() == 0 {
                chunk.make_room((chunk.room() * 2).clamp(SMALLEST_READ, MAX_BLOCK as usize));
            }
            // One read, and what it brought is handed on: from a pipe, that is what there is now.
            let room = chunk.room_left().min(self.at_once);
            match self.octets.read(&mut chunk.unwritten()[..room]) {
                Ok(0) if self.followed && self.is_regular() => return Ok(self.wait_for_more(chunk)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(self.wait_for_more(chunk));
                }
                Ok(0) => {
                    let fault = self.cut(chunk.split().0);
                    chunk.clear();
                    return self.end_with(fault);
                }
                Ok(step) => chunk.written(step),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let fault = self.unread(&error, chunk.split().0.len());
                    chunk.clear();
                    return self.end_with(Some(fault));
                }
            }
            let (used, fault) = self.walk(chunk);
            if chunk.is_empty() {
                if fault.is_some() {
                    chunk.clear();
                    return self.end_with(fault);
                }
                chunk.drop_front(used);
                continue;
            }
            self.found = fault;
            chunk.cut_off(used, &mut self.carry);
            return Ok(Filled::More);
        }
    }
}

fn unreadable(path: &Path, compression: Option<Compression>, error: io::Error) -> OpenError {
    match compression {
        Some(by) => OpenError::Compressed {
            path: path.into(),
            by,
            text: error.to_string(),
        },
        None => OpenError::from_io(path, error),
    }
}

/// Small packets are many in a chunk, and what is made of each is more than the packet itself: so many fit, with what is
/// made of them, into a processor's second cache.
const PACKETS_AT_ONCE: usize = 1024;
/// So little that of the smallest packets there are no more than that.
const LEAST_AT_ONCE: usize = 64 << 10;
/// The least that is read at once, when a caller's chunk has no room at all.
const SMALLEST_READ: usize = 4 << 10;

#[cfg(test)]
mod tests;
