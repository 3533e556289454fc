//! The files of `signatures/` as the build script has read them.

use super::error::Source;
use super::tool::{Class, Confidence, Direction, Entry, Kind, Role, SeenIn, Severity, Tests, Tool};

/// One file.
pub(super) struct BuiltIn {
    /// Below `signatures/`.
    pub(super) path: &'static str,
    pub(super) text: &'static str,
    id: &'static str,
    title: &'static str,
    class: Class,
    severity: Option<Severity>,
    attack: &'static [&'static str],
    added: &'static str,
    checked: &'static str,
    why: &'static str,
    looks_like: &'static str,
    guidance: &'static [&'static str],
    references: &'static [&'static str],
    entries: &'static [BuiltInEntry],
}

struct BuiltInEntry {
    kind: Kind,
    value: &'static str,
    seen_in: &'static [SeenIn],
    role: Role,
    direction: Direction,
    confidence: Confidence,
}

/// Every file, by path.
pub(super) const FILES: &[BuiltIn] = include!(concat!(env!("OUT_DIR"), "/signatures.rs"));

impl BuiltIn {
    /// What the file says but its examples, which this crate's tests have run.
    pub(super) fn tool(&self) -> Tool {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Tool {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            class: self.class,
            severity: self.severity,
            attack: texts(self.attack),
            added: self.added.to_owned(),
            checked: self.checked.to_owned(),
            why: self.why.to_owned(),
            looks_like: self.looks_like.to_owned(),
            guidance: texts(self.guidance),
            references: texts(self.references),
            entries: self.entries.iter().map(BuiltInEntry::entry).collect(),
            test: Tests::default(),
            source: Source::new(self.path, self.text),
        }
    }
}

impl BuiltInEntry {
    fn entry(&self) -> Entry {
        Entry {
            kind: self.kind,
            value: self.value.to_owned(),
            seen_in: self.seen_in.to_vec(),
            role: self.role,
            direction: self.direction,
            confidence: self.confidence,
            // Nothing is wrong in a file that the tests have read.
            offset: 0,
        }
    }
}
