//! Packets from files, folders, pipes and interfaces, in blocks.
//!
//! In goes what an operator names: capture files (pcap and pcapng, plain or compressed by gzip or zstd, recognised by
//! their first octets and never by their name), folders of them, `-` for standard input, or an interface. Out come
//! [`Chunk`]s: one buffer of octets each, with a list of the packets in it, so that a packet is never copied by itself
//! on its way from the disk to the engine.
//!
//! The formats are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng, read by our own code: libpcap stops at
//! pcapng files whose interfaces differ in link type or snaplen, and copies every packet once more. libpcap reads the
//! interfaces ([`Live`]) and compiles the filters.
//!
//! What can go wrong has two kinds, and both name the path. An [`OpenError`] means that nothing of an input can be
//! read; a [`Fault`] that a capture is damaged from some place on. What stood before the damage has been handed out, and
//! nothing behind it is trusted: neither format has a mark by which a reader could find its place again, and whoever is watched
//! could send octets that look like packets. Only a whole header behind the last record begins another capture.
//!
//! Left out: the frame check sequence that a few captures keep behind each frame (it is handed on as part of the frame),
//! name resolution, statistics and secrets of pcapng, and every other file format.

mod chunk;
mod compressed;
mod fault;
mod file;
mod filter;
mod folder;
mod live;
mod mapped;
mod merge;
mod octets;
mod pcap;
mod pcapng;
#[cfg(test)]
mod testing;
mod window;

pub use chunk::{CHUNK_OCTETS, Chunk, MAX_PACKET, Meta};
pub use compressed::Compression;
pub use fault::{Damage, Fault, OpenError};
pub use file::CaptureFile;
pub use filter::{Filter, FilterError};
pub use folder::captures_below;
pub use live::{Live, LiveError, LiveOptions, LiveStats, Shed, interfaces};
pub use merge::{LeftOut, Merge, Outcome, Problem, Progress};
pub use window::{EmptyWindow, Moment, MomentError, Window};

/// Where packets come from: one capture, several in one timeline, or an interface.
pub trait Source {
    /// Replaces what is in `chunk` by the packets that come next.
    ///
    /// A capture that turns out to be damaged hands out its last good packets first; the call after that answers with
    /// the fault, and later ones with [`Filled::End`]. So `chunk` is empty whenever the answer is not [`Filled::More`].
    fn fill(&mut self, chunk: &mut Chunk) -> Result<Filled, Fault>;
}

/// What [`Source::fill`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filled {
    /// There is at least one packet in the chunk.
    More,
    /// Nothing came within the source's patience; more may come. Only an interface answers so.
    Idle,
    /// Nothing will ever come again.
    End,
}
