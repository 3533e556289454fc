//! The questions of one flow that wait for their answer.

use std::collections::VecDeque;

use terrier_wire::dns::{Name, TypeName};

use crate::observation::{Frames, Side};
use crate::protocol::Emit;

/// Questions in the order in which they were last asked.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
}

/// What makes two questions the same, and an answer theirs.
pub(super) struct Asked<'a> {
    pub(super) id: u16,
    pub(super) client: Side,
    pub(super) name: Name<'a>,
    pub(super) qtype: TypeName,
}

/// A question that waits.
#[derive(Debug)]
pub(super) struct Entry {
    id: u16,
    pub(super) client: Side,
    /// As sent, in wire form.
    name: Box<[u8]>,
    pub(super) qtype: TypeName,
    asked_ns: i64,
    /// Each packet that asked.
    pub(super) frames: Frames,
}

impl Entry {
    pub(super) fn name(&self) -> Option<Name<'_>> {
        Name::from_wire(&self.name)
    }

    fn is(&self, asked: &Asked<'_>) -> bool {
        // Servers may answer in another case than they were asked in.
        self.id == asked.id
            && self.client == asked.client
            && self.qtype == asked.qtype
            && self.name.len() == asked.name.wire_len()
            && self.name() == Some(asked.name)
    }
}

impl Pending {
    /// A flow between two busy resolvers may hold many; a flood must not grow without end.
    pub(super) const MAX: usize = 256;
    /// Octets of an entry: itself, a name of usual length, some frames.
    const COST: usize = 160;
    /// Stub resolvers give up after 5 to 30 seconds.
    pub(super) const PATIENCE_NS: i64 = 30_000_000_000;

    /// About so many octets are kept of its questions.
    pub(super) fn held(&self) -> usize {
        self.entries.len() * Self::COST
    }

    /// Whether no question waits.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a question; one that waits already is only seen once more. When the list is full the oldest goes out.
    pub(super) fn ask(&mut self, asked: &Asked<'_>, emit: &Emit<'_>) -> Option<Entry> {
        let mut entry = self.take(asked).unwrap_or_else(|| Entry {
            id: asked.id,
            client: asked.client,
            name: asked.name.to_wire().into(),
            qtype: asked.qtype,
            asked_ns: 0,
            frames: Frames::default(),
        });
        entry.asked_ns = emit.at_ns();
        emit.note(&mut entry.frames);
        let oldest = (self.entries.len() >= Self::MAX)
            .then(|| self.entries.pop_front())
            .flatten();
        if self.entries.capacity() == 0 {
            // Most flows ask one question, or two of which each is answered before the next.
            self.entries.reserve_exact(1);
        }
        self.entries.push_back(entry);
        oldest
    }

    /// Takes out the question that this answer belongs to.
    pub(super) fn take(&mut self, asked: &Asked<'_>) -> Option<Entry> {
        let place = self.entries.iter().position(|entry| entry.is(asked))?;
        self.entries.remove(place)
    }

    /// Takes out the first question that was asked by this side under this identity.
    pub(super) fn take_any(&mut self, id: u16, client: Side) -> Option<Entry> {
        let wanted = |entry: &Entry| entry.id == id && entry.client == client;
        let place = self.entries.iter().position(wanted)?;
        self.entries.remove(place)
    }

    /// Takes out one whose answer is not waited for any more.
    pub(super) fn take_old(&mut self, now_ns: i64) -> Option<Entry> {
        let oldest = self.entries.front()?;
        let waited = now_ns.saturating_sub(oldest.asked_ns);
        (waited > Self::PATIENCE_NS)
            .then(|| self.entries.pop_front())
            .flatten()
    }

    /// Takes out all, the oldest first.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Entry> {
        std::mem::take(&mut self.entries).into_iter()
    }
}
