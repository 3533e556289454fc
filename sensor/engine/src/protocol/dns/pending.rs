//! The questions of one flow that wait for their answer.

use std::collections::VecDeque;

use terrier_wire::dns::{Name, TypeName};

use crate::observation::{Frames, Side};
use crate::protocol::Emit;

/// Questions in the order in which they were last asked.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// The only one there is, where there is one: most flows ask one question, or two of which each is answered before the
    /// next.
    only: Option<Entry>,
    /// All of them, where there are several or were.
    several: VecDeque<Entry>,
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
    pub(super) qtype: TypeName,
    /// As sent, in wire form.
    name: Kept,
    asked_ns: i64,
    /// Each packet that asked.
    pub(super) frames: Frames,
}

/// A name that is kept. Most need no memory of their own.
#[derive(Debug)]
enum Kept {
    Short { length: u8, octets: [u8; Self::MAX] },
    Long(Box<[u8]>),
}

impl Kept {
    /// Longer than most names of hosts.
    const MAX: usize = 46;

    fn new(name: &[u8]) -> Self {
        let mut octets = [0; Self::MAX];
        match (octets.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(room), Ok(length)) => {
                room.copy_from_slice(name);
                Self::Short { length, octets }
            }
            _ => Self::Long(name.into()),
        }
    }

    fn octets(&self) -> &[u8] {
        match self {
            Self::Short { length, octets } => {
                octets.get(..usize::from(*length)).unwrap_or_default()
            }
            Self::Long(octets) => octets,
        }
    }
}

impl Entry {
    pub(super) fn name(&self) -> Option<Name<'_>> {
        Name::from_wire(self.name.octets())
    }

    #[inline]
    fn is(&self, asked: &Asked<'_>) -> bool {
        // Servers may answer in another case than they were asked in. No length is a letter.
        self.id == asked.id
            && self.client == asked.client
            && self.qtype == asked.qtype
            && same(self.name.octets(), &asked.name.wire())
    }
}

#[inline]
fn same(one: &[u8], other: &[u8]) -> bool {
    one == other || one.eq_ignore_ascii_case(other)
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
        (usize::from(self.only.is_some()) + self.several.len()) * Self::COST
    }

    /// Whether no question waits.
    pub(super) fn is_empty(&self) -> bool {
        self.only.is_none() && self.several.is_empty()
    }

    /// Whether no question waits and there is no room for several.
    pub(super) fn is_as_new(&self) -> bool {
        self.only.is_none() && self.several.capacity() == 0
    }

    /// Adds a question; one that waits already is only seen once more. When the list is full the oldest goes out.
    pub(super) fn ask(&mut self, asked: &Asked<'_>, emit: &Emit<'_>) -> Option<Entry> {
        if self.is_empty() {
            self.only = Some(Entry::new(asked, emit));
            return None;
        }
        self.ask_more(asked, emit)
    }

    fn ask_more(&mut self, asked: &Asked<'_>, emit: &Emit<'_>) -> Option<Entry> {
        let entry = match self.take(asked) {
            Some(mut entry) => {
                entry.asked_ns = emit.at_ns();
                emit.note(&mut entry.frames);
                entry
            }
            None => Entry::new(asked, emit),
        };
        let oldest = (self.several.len() >= Self::MAX)
            .then(|| self.several.pop_front())
            .flatten();
        if self.is_empty() {
            self.only = Some(entry);
        } else {
            self.several.extend(self.only.take());
            self.several.push_back(entry);
        }
        oldest
    }

    /// Takes out the question that this answer belongs to.
    fn take(&mut self, asked: &Asked<'_>) -> Option<Entry> {
        self.take_first(|entry| entry.is(asked))
    }

    /// Takes out the question that this answer belongs to, of which only the frames are told.
    #[inline]
    pub(super) fn answer(&mut self, asked: &Asked<'_>) -> Option<Frames> {
        if self.only.as_ref().is_some_and(|only| only.is(asked)) {
            return self.only.take().map(|only| only.frames);
        }
        self.take(asked).map(|entry| entry.frames)
    }

    /// Takes out the first question that was asked by this side under this identity.
    pub(super) fn take_any(&mut self, id: u16, client: Side) -> Option<Entry> {
        self.take_first(|entry| entry.id == id && entry.client == client)
    }

    fn take_first(&mut self, wanted: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if let Some(only) = self.only.take_if(|only| wanted(only)) {
            return Some(only);
        }
        let place = self.several.iter().position(wanted)?;
        self.several.remove(place)
    }

    /// Takes out one whose answer is not waited for any more.
    #[inline]
    pub(super) fn take_old(&mut self, now_ns: i64) -> Option<Entry> {
        let oldest = self.only.as_ref().or_else(|| self.several.front())?;
        if now_ns.saturating_sub(oldest.asked_ns) <= Self::PATIENCE_NS {
            return None;
        }
        self.only.take().or_else(|| self.several.pop_front())
    }

    /// Takes out all, the oldest first.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Entry> {
        let several = std::mem::take(&mut self.several);
        self.only.take().into_iter().chain(several)
    }
}

impl Entry {
    fn new(asked: &Asked<'_>, emit: &Emit<'_>) -> Self {
        let mut frames = Frames::default();
        emit.note(&mut frames);
        Self {
            id: asked.id,
            client: asked.client,
            qtype: asked.qtype,
            name: Kept::new(&asked.name.wire()),
            asked_ns: emit.at_ns(),
            frames,
        }
    }
}
