//! The look-up: compiled from the entries of all tools.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::ends::{Ends, FromTheEnd};
use super::error::{Problem, SignatureError};
use super::pattern::{self, MAX_NAME, Octets, Open, Path};
use super::tool::{Entry, Kind, SeenIn, Tool};

/// An entry of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tool: usize,
    pub(super) entry: usize,
}

#[derive(Debug, Default)]
pub(super) struct Matcher {
    /// By the part of a value that is spelled out up to the end: of `connect.*.example.com` that is `example.com`.
    names: HashTable<Named>,
    /// How the keys end.
    ends: Ends,
    alpn: HashMap<Box<str>, Place, FixedState>,
    alpn_open: Vec<(Open, Place)>,
    protocols: HashMap<Box<str>, Place, FixedState>,
    upgrades: Vec<(Box<str>, Place)>,
    websockets: Vec<(Open, Place)>,
    banners: Vec<(Open, Place)>,
    octets: Vec<(Octets, Place)>,
    /// Of these the ones that may begin with each octet.
    octets_by_first: Vec<Vec<u16>>,
    paths: Vec<(Path, Place)>,
    user_agents: Vec<(Open, Place)>,
    subjects: Vec<(Box<str>, Place)>,
    issuers: Vec<(Box<str>, Place)>,
}

/// The names that end alike.
#[derive(Debug)]
struct Named {
    hash: u64,
    key: Box<str>,
    names: Vec<Name>,
}

#[derive(Debug)]
struct Name {
    place: Place,
    covers: Covers,
    seen_in: Vec<SeenIn>,
    /// How many characters the value spells out: the entry with most of them wins.
    spelled: usize,
}

#[derive(Debug, PartialEq, Eq)]
enum Covers {
    /// The key and all below it.
    Below,
    /// Names with these labels, where `*` is open.
    Labels(Box<str>),
    /// The key alone.
    Whole,
}

impl Matcher {
    /// Compiles the entries, each checked when its file was read.
    pub(super) fn new(tools: &[Tool]) -> Self {
        let mut matcher = Self::default();
        for (number, tool) in tools.iter().enumerate() {
            for (entry, of) in tool.entries.iter().enumerate() {
                let place = Place {
                    tool: number,
                    entry,
                };
                matcher.add(of, place);
            }
        }
        matcher.octets_by_first = (0..=u8::MAX)
            .map(|first| {
                let begins = |(_, (octets, _)): &(u16, &(Octets, Place))| octets.may_begin(first);
                (0..)
                    .zip(&matcher.octets)
                    .filter(begins)
                    .map(|(at, _)| at)
                    .collect()
            })
            .collect();
        matcher
    }

    fn add(&mut self, entry: &Entry, place: Place) {
        match entry.kind {
            Kind::Name | Kind::Suffix => self.add_name(entry, place),
            Kind::Alpn if entry.value.ends_with('*') => {
                let parsed = Open::parse(&entry.value).ok();
                self.alpn_open.extend(parsed.map(|alpn| (alpn, place)));
            }
            Kind::Alpn => {
                self.alpn.insert(entry.value.as_str().into(), place);
            }
            Kind::Protocol => {
                self.protocols.insert(entry.value.as_str().into(), place);
            }
            Kind::HttpUpgrade => self.upgrades.push((entry.value.as_str().into(), place)),
            Kind::WebsocketProtocol => {
                let parsed = Open::parse(&entry.value).ok();
                self.websockets.extend(parsed.map(|name| (name, place)));
            }
            Kind::SshBanner => {
                let parsed = Open::parse(&entry.value).ok();
                self.banners.extend(parsed.map(|banner| (banner, place)));
            }
            Kind::Octets => {
                let parsed = Octets::parse(&entry.value).ok();
                self.octets.extend(parsed.map(|octets| (octets, place)));
            }
            Kind::HttpPath => {
                let parsed = Path::parse(&entry.value).ok();
                self.paths.extend(parsed.map(|path| (path, place)));
            }
            Kind::UserAgent => {
                let parsed = Open::parse(&entry.value).ok();
                self.user_agents.extend(parsed.map(|agent| (agent, place)));
            }
            Kind::CertSubject => self.subjects.push((entry.value.as_str().into(), place)),
            Kind::CertIssuer => self.issuers.push((entry.value.as_str().into(), place)),
            // Asked of a tool that something else has hit: `Tool::uses_port`.
            Kind::Port => {}
        }
    }

    fn add_name(&mut self, entry: &Entry, place: Place) {
        let value = entry.value.to_ascii_lowercase();
        let (key, tail, covers) = match value.rsplit_once('*') {
            // Behind the last star its label may go on: the key begins with the next one.
            Some((_, end)) => {
                let key = end.split_once('.').map_or("", |(_, key)| key);
                (key, end, Covers::Labels(value.as_str().into()))
            }
            None if entry.kind == Kind::Suffix => (value.as_str(), value.as_str(), Covers::Below),
            None => (value.as_str(), value.as_str(), Covers::Whole),
        };
        self.ends.add(key, tail);
        let name = Name {
            place,
            covers,
            seen_in: entry.seen_in.clone(),
            spelled: value.len() - value.matches('*').count(),
        };
        let hash = FromTheEnd::of(key);
        let same = |named: &Named| *named.key == *key;
        match self.names.find_mut(hash, same) {
            Some(named) => named.names.push(name),
            None => {
                let named = Named {
                    hash,
                    key: key.into(),
                    names: vec![name],
                };
                self.names.insert_unique(hash, named, |named| named.hash);
            }
        }
    }

    /// One probe for each end of the name that may be a key.
    pub(super) fn by_name(&self, name: &str, seen_in: SeenIn) -> Option<Place> {
        let name = name.strip_suffix('.').unwrap_or(name);
        // Of a longer one (DNS octets written as `\DDD`) the end counts.
        let whole = name.len() <= MAX_NAME;
        let mut best: Option<&Name> = None;
        let octets = name.as_bytes();
        self.ends.each(octets, |start, hash| {
            let tail = octets.get(start..).unwrap_or_default();
            let same = |named: &Named| named.key.as_bytes().eq_ignore_ascii_case(tail);
            let entries = self
                .names
                .find(hash, same)
                .map_or(&[][..], |named| named.names.as_slice());
            for entry in entries {
                let covered = match &entry.covers {
                    Covers::Below => true,
                    Covers::Labels(labels) => whole && pattern::name_fits(labels, name),
                    Covers::Whole => whole && start == 0,
                };
                let rank = |name: &Name| (name.spelled, name.covers != Covers::Below);
                if covered
                    && entry.seen_in.contains(&seen_in)
                    && best.is_none_or(|best| rank(entry) > rank(best))
                {
                    best = Some(entry);
                }
            }
        });
        best.map(|name| name.place)
    }

    /// Whether the first octets of a side may be known where they begin with this one.
    pub(super) fn may_begin(&self, first: u8) -> bool {
        self.octets_by_first
            .get(usize::from(first))
            .is_some_and(|candidates| !candidates.is_empty())
    }

    pub(super) fn by_octets(&self, octets: &[u8]) -> Option<Place> {
        let first = usize::from(*octets.first()?);
        let candidates = self.octets_by_first.get(first)?;
        candidates.iter().find_map(|&at| {
            let (pattern, place) = self.octets.get(usize::from(at))?;
            pattern.fits(octets).then_some(*place)
        })
    }

    pub(super) fn by_path(&self, method: &str, path: &str) -> Option<Place> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        find(&self.paths, |pattern| pattern.fits(method, path))
    }

    pub(super) fn by_user_agent(&self, agent: &str) -> Option<Place> {
        find(&self.user_agents, |pattern| pattern.fits(agent))
    }

    pub(super) fn by_certificate(&self, subject: &str, issuer: &str) -> Option<Place> {
        find(&self.subjects, |value| {
            pattern::has_attribute(subject, value)
        })
        .or_else(|| find(&self.issuers, |value| pattern::has_attribute(issuer, value)))
    }

    pub(super) fn by_alpn<'a>(&self, mut alpn: impl Iterator<Item = &'a str>) -> Option<Place> {
        alpn.find_map(|protocol| {
            let whole = self.alpn.get(protocol).copied();
            whole.or_else(|| find(&self.alpn_open, |pattern| pattern.fits(protocol)))
        })
    }

    pub(super) fn by_protocol(&self, name: &str) -> Option<Place> {
        self.protocols.get(name).copied()
    }

    /// A request may offer several protocols, each with a version: `h2c, example/1`.
    pub(super) fn by_upgrade(&self, upgrade: &str) -> Option<Place> {
        upgrade.split(',').find_map(|protocol| {
            find(&self.upgrades, |value| {
                protocol.trim().eq_ignore_ascii_case(value)
            })
        })
    }

    pub(super) fn by_websocket_protocol(&self, name: &str) -> Option<Place> {
        find(&self.websockets, |pattern| pattern.fits(name))
    }

    pub(super) fn by_ssh_banner(&self, banner: &str) -> Option<Place> {
        find(&self.banners, |pattern| pattern.fits(banner))
    }
}

fn find<P>(patterns: &[(P, Place)], fits: impl Fn(&P) -> bool) -> Option<Place> {
    patterns
        .iter()
        .find(|(pattern, _)| fits(pattern))
        .map(|(_, place)| *place)
}

/// Who claims a value, by which entry.
type Claim<'a> = (&'a Tool, &'a Entry);

/// Refuses two entries for the same thing, of which one could never hit.
pub(super) fn refuse_double(tools: &[Tool]) -> Result<(), SignatureError> {
    let mut detections: HashMap<String, &Tool, FixedState> = HashMap::default();
    let mut claims: HashMap<(Option<Kind>, String), Vec<Claim<'_>>, FixedState> =
        HashMap::default();
    for tool in tools {
        match detections.entry(tool.detection()) {
            Slot::Vacant(free) => {
                free.insert(tool);
            }
            Slot::Occupied(taken) => {
                let other = taken.get().source.path.clone();
                let detection = tool.detection();
                return Err(tool.source.error(0, Problem::Twice { detection, other }));
            }
        }
        for entry in tool.entries.iter().filter(|entry| entry.kind != Kind::Port) {
            // A name and a suffix may claim the same name, but only of one tool.
            let (kind, value) = match entry.kind {
                Kind::Name | Kind::Suffix => (None, entry.value.to_ascii_lowercase()),
                kind => (Some(kind), entry.value.clone()),
            };
            let others = claims.entry((kind, value)).or_default();
            let clash = others.iter().find(|(other, of)| {
                let same_file = std::ptr::eq(*other, tool);
                entry.seen_in.iter().any(|place| of.seen_in.contains(place))
                    && !(same_file && of.kind != entry.kind)
            });
            if let Some((other, _)) = clash {
                let problem = Problem::Claimed {
                    value: entry.value.clone(),
                    other: other.source.path.clone(),
                };
                return Err(tool.source.error(entry.offset, problem));
            }
            others.push((tool, entry));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the map must find, told without a map.
    fn naive<'a>(entries: &'a [(Kind, String)], name: &str) -> Option<&'a (Kind, String)> {
        let covers = |(kind, value): &&(Kind, String)| match kind {
            Kind::Suffix => name == value || name.ends_with(&format!(".{value}")),
            _ => pattern::name_fits(value, name),
        };
        let rank =
            |(kind, value): &(Kind, String)| (value.replace('*', "").len(), *kind == Kind::Name);
        // Of equals the first, as in the files.
        entries
            .iter()
            .filter(covers)
            .rev()
            .max_by_key(|entry| rank(entry))
    }

    fn compiled(entries: &[(Kind, String)]) -> Matcher {
        let mut matcher = Matcher::default();
        for (number, (kind, value)) in entries.iter().enumerate() {
            let entry = Entry {
                kind: *kind,
                value: value.clone(),
                seen_in: SeenIn::ALL.to_vec(),
                role: super::super::Role::Control,
                direction: super::super::Direction::Any,
                confidence: super::super::Confidence::High,
                offset: 0,
            };
            matcher.add(
                &entry,
                Place {
                    tool: 0,
                    entry: number,
                },
            );
        }
        matcher
    }

    proptest! {
        #[test]
        fn finds_what_a_walk_over_all_entries_finds(
            entries in proptest::collection::vec(
                (prop_oneof![Just(Kind::Name), Just(Kind::Suffix)], "([ab*]{1,2}\\.){1,3}[ab]"), 0..8),
            name in "([ab]{1,2}\\.){0,4}[ab]",
        ) {
            let mut entries = entries;
            entries.retain(|(kind, value)| pattern::check(*kind, value).is_ok());
            let found = compiled(&entries).by_name(&name, SeenIn::Dns);
            let found = found.and_then(|place| entries.get(place.entry));
            let expected = naive(&entries, &name);
            let rank = |(kind, value): &(Kind, String)| (value.replace('*', "").len(), *kind);
            prop_assert_eq!(found.map(rank), expected.map(rank), "{:?} {:?}", found, expected);
        }

        #[test]
        fn any_text_can_be_asked_for(name in any::<String>()) {
            compiled(&[(Kind::Suffix, "a.b".to_owned())]).by_name(&name, SeenIn::Sni);
        }
    }

    #[test]
    fn a_name_longer_than_names_are_keeps_its_suffix() {
        let matcher = compiled(&[
            (Kind::Suffix, "example.com".to_owned()),
            (Kind::Name, "a.example.org".to_owned()),
        ]);
        let long = r"\001\002\003.".repeat(40);
        let by_name = |name: &str| matcher.by_name(name, SeenIn::Dns).map(|place| place.entry);
        assert_eq!(by_name(&format!("{long}Example.COM.")), Some(0));
        assert_eq!(by_name(&format!("{long}a.example.org")), None);
        assert_eq!(by_name(&"x".repeat(1000)), None);
        assert_eq!(
            by_name(&format!("{}.example.com", "ä".repeat(300))),
            Some(0)
        );
    }
}
