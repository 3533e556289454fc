//! Facts to records: the one place that knows what spans flows.
//!
//! Facts of all workers come in here and are looked at in the order of their keys, behind the watermark that every worker
//! has passed. So what comes out does not depend on how many workers there are.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::alert::{Alert, Alerts, Dropping, SensorAlert, SensorCounts};
use crate::counters::Counters;
use crate::detect::{self, Around, Detection, Finding, NameSource};
use crate::home::HomeNetworks;
use crate::hosts::Hosts;
use crate::limits::Limits;
use crate::names::Names;
use crate::observation::{Ech, Fact, FactKind, FlowEnd, FlowRef, Key, NameService, Observation};
use crate::signature::Signatures;
use crate::worker::Facts;

/// How the judge is set up.
pub struct JudgeConfig {
    /// What is inside.
    pub home: HomeNetworks,
    /// The signatures in force.
    pub signatures: Arc<Signatures>,
    /// How many workers hand in facts.
    pub workers: u16,
    /// Secret of the run.
    pub seed: u64,
    /// Bounds of its tables.
    pub limits: Limits,
}

/// Where records go.
pub trait Sink {
    /// A fact that is written as an observation, with its `protocol`.
    fn observation(&mut self, observation: &Observation, protocol: &'static str);
    /// An alert that opened or changed. `opened`: for the first time.
    fn alert(&mut self, alert: &Alert, opened: bool);
    /// An alert about the sensor itself, which live capture alone has.
    fn sensor_alert(&mut self, _alert: &SensorAlert, _opened: bool) {}
    /// Whether the ends of flows are written: else the names of their responders are not kept.
    fn writes_flows(&self) -> bool {
        true
    }
    /// A flow that ended, with the name of its responder and what told it.
    fn flow(&mut self, flow: &FlowRef, end: &FlowEnd, name: Option<(&str, NameSource)>);
}

/// What the judge counts.
#[derive(Debug, Clone, Default)]
pub struct Verdicts {
    /// Findings by detection; every loaded id is there, 0 at first.
    pub findings: BTreeMap<Cow<'static, str>, u64>,
    /// Alerts opened, by class and severity.
    pub alerts: BTreeMap<(String, &'static str), u64>,
    /// How full its tables are, in the order of [`Verdicts::TABLES`].
    pub tables: [Table; 4],
    /// Flows whose beginning was not kept for the detections that wait for more, as they kept too much.
    pub passed_over: u64,
    /// Client hellos over TCP.
    pub hellos: Hellos,
}

impl Verdicts {
    /// Names of the judge's tables: names by address, what inside hosts call themselves, server names of flows, alerts.
    pub const TABLES: [&str; 4] = ["names", "hosts", "flow_names", "alerts"];
}

/// How full a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Table {
    /// Entries in use.
    pub entries: u64,
    /// Entries that were given up to make room, or for which there was none.
    pub forgotten: u64,
}

/// How much client hellos tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hellos {
    /// All.
    pub all: u64,
    /// Those without a server name.
    pub without_name: u64,
    /// Those that offer an encrypted hello: the name in clear may be that of a front.
    pub with_ech: u64,
}

/// The judge.
pub struct Judge {
    home: HomeNetworks,
    detections: Vec<Box<dyn Detection>>,
    /// Of these, by kind of fact, the ones that look at such facts.
    looking: [Vec<usize>; FactKind::COUNT],
    alerts: Alerts,
    names: Names,
    hosts: Hosts,
    /// Server names seen in a flow that has not ended, by flow id.
    flow_names: HashMap<u64, (String, NameSource), FixedState>,
    most_flow_names: usize,
    /// Names of flows for which there was no room.
    flow_names_forgotten: u64,
    inboxes: Vec<Inbox>,
    verdicts: Verdicts,
    found: Vec<Finding>,
    dropping: Dropping,
}

/// Facts of one worker that wait for the others.
#[derive(Default)]
struct Inbox {
    letters: VecDeque<Vec<Observation>>,
    /// How many facts of the first letter have been looked at.
    looked_at: usize,
    /// Letters that were looked at, for the worker who sent them.
    spent: Vec<Vec<Observation>>,
    through: u64,
    ended: bool,
    counters: Counters,
}

impl Inbox {
    /// Keeps a letter for its worker, unless he gets back more than he sends.
    fn keep_spent(&mut self, letter: Vec<Observation>) {
        if self.spent.len() < MOST_SPENT && letter.len() <= LONG_LETTER {
            self.spent.push(letter);
        }
    }

    /// The key of the next fact to be looked at.
    fn first(&self) -> Option<Key> {
        let letter = self.letters.front()?;
        letter.get(self.looked_at).map(|first| first.key)
    }
}

impl Judge {
    /// A judge that has seen nothing.
    #[must_use]
    pub fn new(config: JudgeConfig) -> Self {
        let limits = config.limits;
        let detections = detect::all(config.signatures, limits.awaited_octets);
        let findings = detections
            .iter()
            .flat_map(|detection| detection.finds())
            .map(|listed| (listed.id, 0))
            .chain([(Dropping::ID.into(), 0)])
            .collect();
        let looking = std::array::from_fn(|kind| {
            (0..)
                .zip(&detections)
                .filter(|(_, detection)| detection.looks_at().have(kind))
                .map(|(at, _)| at)
                .collect()
        });
        Self {
            home: config.home,
            detections,
            looking,
            alerts: Alerts::new(limits.alerts, config.seed),
            names: Names::new(limits.names, config.seed),
            hosts: Hosts::new(limits.hosts, config.seed),
            most_flow_names: limits.flow_names,
            flow_names_forgotten: 0,
            flow_names: HashMap::with_hasher(FixedState::with_seed(config.seed)),
            inboxes: (0..config.workers.max(1))
                .map(|_| Inbox::default())
                .collect(),
            verdicts: Verdicts {
                findings,
                ..Verdicts::default()
            },
            found: Vec::new(),
            dropping: Dropping::default(),
        }
    }

    /// Takes what the sensor has missed, as the agent knows it, and says what is to be said of that.
    pub fn look_at_sensor(&mut self, counts: &SensorCounts, sink: &mut impl Sink) {
        let Self {
            dropping, verdicts, ..
        } = self;
        dropping.look(counts, |alert, opened| {
            if opened {
                let kind = (Dropping::CLASS.to_owned(), alert.severity.name());
                *verdicts.alerts.entry(kind).or_default() += 1;
            }
            sink.sensor_alert(alert, opened);
        });
        (verdicts.findings).insert(Dropping::ID.into(), dropping.findings);
    }

    /// Takes what a worker found, leaving `facts` empty for the next time, and says what can be said now.
    pub fn take(&mut self, facts: &mut Facts, sink: &mut impl Sink) {
        let alone = self.inboxes.len() == 1;
        let Some(inbox) = self.inboxes.get_mut(usize::from(facts.worker)) else {
            return;
        };
        inbox.through = inbox.through.max(facts.through);
        inbox.ended |= facts.ended;
        if let Some(counters) = facts.counters.take() {
            inbox.counters = *counters;
        }
        if alone {
            // A single worker hands in its facts in their order.
            for observation in &facts.observations {
                self.look(observation, sink);
            }
            facts.observations.clear();
        } else {
            if !facts.observations.is_empty() {
                let letter = std::mem::take(&mut facts.observations);
                inbox.letters.push_back(letter);
            }
            facts.spent = inbox.spent.pop().unwrap_or_default();
            self.merge(sink);
        }
        if self.inboxes.iter().all(|inbox| inbox.ended) {
            for alert in self.alerts.grown() {
                sink.alert(&alert, false);
            }
        }
    }

    /// The counts of all workers, as of their last ticks.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        for inbox in &self.inboxes {
            sum.add(&inbox.counters);
        }
        sum
    }

    /// What was found so far.
    #[must_use]
    pub fn verdicts(&self) -> Verdicts {
        Verdicts {
            tables: [
                (self.names.len(), self.names.forgotten),
                (self.hosts.len(), self.hosts.forgotten()),
                (self.flow_names.len(), self.flow_names_forgotten),
                (self.alerts.len(), self.alerts.forgotten),
            ]
            .map(|(entries, forgotten)| Table {
                entries: entries as u64,
                forgotten,
            }),
            passed_over: self.detections.iter().map(|one| one.passed_over()).sum(),
            ..self.verdicts.clone()
        }
    }

    /// Facts of a worker that wait for what the others find before them.
    #[must_use]
    pub fn waiting(&self, worker: u16) -> usize {
        self.inboxes.get(usize::from(worker)).map_or(0, |inbox| {
            let all: usize = inbox.letters.iter().map(Vec::len).sum();
            all - inbox.looked_at
        })
    }

    /// The worker that is furthest behind: what the others have found waits for him.
    #[must_use]
    pub fn waits_for(&self) -> u16 {
        let behind = (0..)
            .zip(&self.inboxes)
            .filter(|(_, inbox)| inbox.letters.is_empty())
            .min_by_key(|(_, inbox)| inbox.through);
        behind.map_or(0, |(at, _)| at)
    }

    /// Looks at everything that no worker can come before any more: one that hands in a fact has handed in all before it.
    fn merge(&mut self, sink: &mut impl Sink) {
        loop {
            let keyed = |(at, inbox): (usize, &Inbox)| Some((inbox.first()?, at));
            let Some((_, next)) = self.inboxes.iter().enumerate().filter_map(keyed).min() else {
                return;
            };
            // What others have sent comes in between; what they may still send comes behind all that they have passed.
            let (mut before, mut through) = (None, u64::MAX);
            for (at, other) in self.inboxes.iter().enumerate() {
                match other.first() {
                    _ if at == next => {}
                    None => through = through.min(other.through),
                    first if before.is_none() => before = first,
                    first => before = before.min(first),
                }
            }
            let Some(inbox) = self.inboxes.get_mut(next) else {
                return;
            };
            let letter = inbox.letters.pop_front().unwrap_or_default();
            let begun = std::mem::take(&mut inbox.looked_at);
            let mut looked_at = begun;
            while let Some(observation) = letter.get(looked_at)
                && before.is_none_or(|before| observation.key < before)
                && observation.key.seq <= through
            {
                self.look(observation, sink);
                looked_at += 1;
            }
            let Some(inbox) = self.inboxes.get_mut(next) else {
                return;
            };
            if looked_at == letter.len() {
                inbox.keep_spent(letter);
            } else {
                inbox.letters.push_front(letter);
                inbox.looked_at = looked_at;
                if looked_at == begun {
                    return;
                }
            }
        }
    }

    fn look(&mut self, observation: &Observation, sink: &mut impl Sink) {
        let with_flows = sink.writes_flows();
        self.learn(observation, with_flows);
        if let Some(protocol) = observation.fact.protocol() {
            sink.observation(observation, protocol);
        }
        let around = Around { home: &self.home };
        let looking = self.looking.get(observation.fact.kind() as usize);
        for &at in looking.into_iter().flatten() {
            if let Some(detection) = self.detections.get_mut(at) {
                detection.observe(observation, &around, &mut self.found);
            }
        }
        if !self.found.is_empty() {
            let mut found = std::mem::take(&mut self.found);
            for finding in found.drain(..) {
                self.raise(finding, sink);
            }
            self.found = found;
        }
        if let Fact::FlowEnded(end) = &observation.fact
            && with_flows
        {
            let flow = &observation.flow;
            let own = self.flow_names.remove(&flow.id);
            let name = own
                .as_ref()
                .map(|(name, source)| (name.as_str(), *source))
                .or_else(|| self.name_of(flow.orig.ip, flow.resp.ip));
            sink.flow(flow, end, name);
        }
    }

    /// Learns the names that a fact tells; `of_flows`: those of responders too, until their flow ends.
    fn learn(&mut self, observation: &Observation, of_flows: bool) {
        let flow = &observation.flow;
        let (name, source) = match &observation.fact {
            Fact::Dns(dns) if dns.service == NameService::Dns => {
                return self.names.learn(flow.endpoint(dns.client).ip, dns);
            }
            Fact::Tls(tls) => {
                let hellos = &mut self.verdicts.hellos;
                hellos.all += 1;
                hellos.without_name += u64::from(tls.server_name.is_none());
                hellos.with_ech += u64::from(tls.ech == Ech::Offered);
                (tls.server_name.as_ref(), NameSource::Sni)
            }
            Fact::Quic(quic) => (quic.server_name.as_ref(), NameSource::Sni),
            // Peers of WebRTC name nobody: they do not count as hellos without a name.
            Fact::Dtls(tls) => (tls.server_name.as_ref(), NameSource::Sni),
            Fact::Http(http) => (http.host.as_ref(), NameSource::Http),
            Fact::FlowEnded(_) | Fact::Unknown(_) => return,
            _ => return self.hosts.learn(observation, &self.home),
        };
        let Some(name) = name.filter(|name| of_flows && name.len() <= MAX_NAME) else {
            return;
        };
        let has_room = self.flow_names.len() < self.most_flow_names;
        if let Entry::Vacant(place) = self.flow_names.entry(flow.id) {
            if has_room {
                place.insert((name.clone(), source));
            } else {
                self.flow_names_forgotten += 1;
            }
        }
    }

    /// What a host calls itself, else the name that `asker` looked it up by.
    fn name_of(&self, asker: IpAddr, address: IpAddr) -> Option<(&str, NameSource)> {
        self.hosts.of(address).or_else(|| {
            let name = self.names.of(asker, address)?;
            Some((name, NameSource::Dns))
        })
    }

    fn raise(&mut self, mut finding: Finding, sink: &mut impl Sink) {
        *self
            .verdicts
            .findings
            .entry(finding.detection.clone())
            .or_default() += 1;
        let owned = |(name, source): (&str, NameSource)| (name.to_owned(), source);
        if let (None, Some(ip)) = (&finding.peer.name, finding.peer.ip) {
            finding.peer.name = self.name_of(finding.victim, ip).map(owned);
        }
        let victim = finding.victim;
        let name = self.name_of(victim, victim).map(owned);
        if let Some((alert, opened)) = self.alerts.take(finding, || name) {
            if opened {
                let kind = (alert.class().to_owned(), alert.finding.severity.name());
                *self.verdicts.alerts.entry(kind).or_default() += 1;
            }
            sink.alert(alert, opened);
        }
    }
}

/// Letters of a worker that wait to be given back to him.
const MOST_SPENT: usize = 2;
/// Facts of a letter that is not worth giving back: it would hold their memory meanwhile.
const LONG_LETTER: usize = 512;
/// A host's name and a port; what is longer is kept by nobody.
const MAX_NAME: usize = 255 + ":65535".len();
