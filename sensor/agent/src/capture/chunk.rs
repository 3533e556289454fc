//! The unit that moves between threads: many packets in one buffer.

use std::ops::Range;
use std::sync::Arc;

use terrier_engine::{LinkType, Packet};

use super::mapped::Window;

/// A block of packets in one buffer, or in a part of a file that is mapped. It is filled, handed on, and filled again, so that the packet path allocates nothing.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The buffer at its whole length: it is cleared to zero once, and not again for every block.
    octets: Vec<u8>,
    /// How much of `octets` has been written.
    filled: usize,
    /// Where its octets lie instead, if they were not copied out of their file.
    shown: Option<(Arc<Window>, Range<usize>)>,
    packets: Vec<Meta>,
}

/// What a capture says about one packet, and where in its chunk the octets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// When it was captured, in nanoseconds since 1970 (UTC).
    pub at_ns: i64,
    /// Its number within its capture, from 1.
    pub frame: u64,
    /// How its octets begin.
    pub link: LinkType,
    /// How long it was on the wire, in octets; never less than what was captured.
    pub wire_len: u32,
    /// The place of its first octet in the chunk.
    pub(super) start: u32,
    /// How many octets were captured, at most [`MAX_PACKET`].
    pub(super) len: u32,
    /// Which capture it came from: the capture's place in the list.
    pub capture: u16,
}

impl Chunk {
    /// An empty chunk with room for [`CHUNK_OCTETS`].
    pub fn new() -> Self {
        Self::with_room(CHUNK_OCTETS)
    }

    /// An empty chunk with room for so many octets. A reader makes it larger if one packet needs more.
    pub fn with_room(octets: usize) -> Self {
        Self {
            octets: vec![0; octets],
            filled: 0,
            shown: None,
            packets: Vec::new(),
        }
    }

    /// Forgets the packets and keeps the memory.
    pub fn clear(&mut self) {
        self.filled = 0;
        self.shown = None;
        self.packets.clear();
    }

    /// All its octets, in which [`Meta::octets`] finds those of a packet.
    pub fn all(&self) -> &[u8] {
        all(&self.octets, self.filled, self.shown.as_ref())
    }

    /// How many packets there are.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether there is no packet.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// The packets' descriptions, in their order.
    pub fn metas(&self) -> &[Meta] {
        &self.packets
    }

    /// The captured octets of a packet of this chunk.
    pub fn octets(&self, meta: &Meta) -> &[u8] {
        meta.octets(self.all())
    }

    /// The packets in their order, each with its octets.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Meta, &[u8])> + Clone {
        let all = self.all();
        self.packets.iter().map(|meta| (meta, meta.octets(all)))
    }

    /// Keeps the packets that `keep` says yes to, in their order; no octet moves.
    pub fn retain(&mut self, mut keep: impl FnMut(&Meta, &[u8]) -> bool) {
        let octets = all(&self.octets, self.filled, self.shown.as_ref());
        self.packets.retain(|meta| keep(meta, meta.octets(octets)));
    }

    /// Copies one packet in; answers `false`, and does nothing, where it does not fit.
    pub(super) fn push(&mut self, meta: Meta, octets: &[u8]) -> bool {
        let Some(room) = self.octets.get_mut(self.filled..self.filled + octets.len()) else {
            return false;
        };
        if self.shown.is_some() {
            return false;
        }
        room.copy_from_slice(octets);
        self.packets.push(Meta {
            start: self.filled as u32,
            len: octets.len() as u32,
            ..meta
        });
        self.filled += octets.len();
        true
    }

    /// Forgets the first `count` packets.
    pub(super) fn forget_first(&mut self, count: usize) {
        self.packets.drain(..count.min(self.packets.len()));
    }

    /// How many octets it can hold in all.
    pub(super) fn room(&self) -> usize {
        self.octets.len()
    }

    /// How many octets can still be written.
    pub(super) fn room_left(&self) -> usize {
        self.octets.len() - self.filled
    }

    /// Makes room for so many octets in all.
    pub(super) fn make_room(&mut self, octets: usize) {
        if self.octets.is_empty() {
            // Fresh memory is zero already.
            self.octets = vec![0; octets];
        } else if self.octets.len() < octets {
            self.octets.resize(octets, 0);
        }
    }

    /// Where a reader writes next.
    pub(super) fn unwritten(&mut self) -> &mut [u8] {
        &mut self.octets[self.filled..]
    }

    /// So many octets were written into [`Chunk::unwritten`].
    pub(super) fn written(&mut self, octets: usize) {
        self.filled = (self.filled + octets).min(self.octets.len());
    }

    /// Its octets are those of a part of a file. Only where nothing is in it.
    pub(super) fn show(&mut self, window: Arc<Window>, part: Range<usize>) {
        debug_assert!(self.packets.is_empty(), "packets point into the octets");
        self.filled = 0;
        self.shown = Some((window, part));
    }

    /// What was written or is shown, and the list in which to enter the packets found in it.
    pub(super) fn split(&mut self) -> (&[u8], &mut Vec<Meta>) {
        (
            all(&self.octets, self.filled, self.shown.as_ref()),
            &mut self.packets,
        )
    }

    /// Forgets what was written from `at` on, after appending it to `rest`.
    pub(super) fn cut_off(&mut self, at: usize, rest: &mut Vec<u8>) {
        rest.extend_from_slice(&self.octets[at..self.filled]);
        self.filled = at;
    }

    /// Forgets the first octets; those behind move to the front. Only where no packet points at them.
    pub(super) fn drop_front(&mut self, octets: usize) {
        debug_assert!(self.packets.is_empty(), "packets point into the octets");
        self.octets.copy_within(octets..self.filled, 0);
        self.filled -= octets;
    }
}

/// The octets of a chunk that consists of these.
fn all<'a>(
    octets: &'a [u8],
    filled: usize,
    shown: Option<&'a (Arc<Window>, Range<usize>)>,
) -> &'a [u8] {
    match shown {
        Some((window, part)) => window.get(part.clone()).unwrap_or_default(),
        None => &octets[..filled],
    }
}

impl Meta {
    /// The captured octets of the packet, among all those of its chunk.
    #[inline]
    pub fn octets<'a>(&self, all: &'a [u8]) -> &'a [u8] {
        let start = self.start as usize;
        all.get(start..start + self.len as usize)
            .unwrap_or_default()
    }

    /// The packet as the engine takes it: its octets, and the number that the run gave it.
    pub fn packet<'a>(&self, seq: u64, octets: &'a [u8]) -> Packet<'a> {
        Packet {
            at_ns: self.at_ns,
            seq,
            capture: self.capture,
            frame: self.frame,
            link: self.link,
            wire_len: self.wire_len,
            octets,
        }
    }
}

/// How much is read at once. A chunk that is read, handed on and decoded, and the one that is read meanwhile, stay together
/// in a processor's second cache: with 1 MiB each, reading takes a sixth longer, with 64 KiB the system calls show.
pub const CHUNK_OCTETS: usize = 256 << 10;

/// The longest packet that is believed: libpcap's MAXIMUM_SNAPLEN. A length above it is damage, whatever snaplen a
/// file's header claims, and one between the header's snaplen and this is taken as it is.
pub const MAX_PACKET: u32 = 262_144;
