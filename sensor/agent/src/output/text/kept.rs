//! The alerts of a capture, as far as a summary needs them: the worst in words, all of them in numbers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use terrier_engine::alert::Alert;
use terrier_engine::detect::{Finding, Severity};
use terrier_engine::record::Id;

use super::look::Look;
use super::words::{Told, is_lead};

/// How many alerts there were, by their last revision.
#[derive(Default)]
pub(super) struct Tally {
    /// Findings by severity, as [`Severity::ALL`] orders them.
    pub(super) findings: [u64; Severity::ALL.len()],
    pub(super) leads: u64,
    /// Victims of findings.
    pub(super) hosts: BTreeSet<IpAddr>,
    /// What was counted for an alert, to take it back when the alert changes.
    counted: HashMap<Id, Option<Severity>>,
}

impl Tally {
    /// Counts an alert that opened, or counts it anew.
    pub(super) fn note(&mut self, alert: &Alert, opened: bool) {
        let finding = &alert.finding;
        let severity = (!is_lead(finding)).then_some(finding.severity);
        match self.counted.get(&alert.id) {
            Some(&before) => *self.counter(before) -= 1,
            // Beyond what is remembered an alert stays counted as it opened.
            None if !opened && self.counted.len() >= MAX_COUNTED => return,
            None => {}
        }
        *self.counter(severity) += 1;
        if self.counted.len() < MAX_COUNTED || self.counted.contains_key(&alert.id) {
            self.counted.insert(alert.id, severity);
        }
        if severity.is_some() && self.hosts.len() < MAX_COUNTED {
            self.hosts.insert(finding.victim);
        }
    }

    /// All findings.
    pub(super) fn findings(&self) -> u64 {
        self.findings.iter().sum()
    }

    fn counter(&mut self, severity: Option<Severity>) -> &mut u64 {
        match severity {
            Some(severity) => &mut self.findings[severity as usize],
            None => &mut self.leads,
        }
    }
}

/// The worst alerts in words, each as it was last told.
pub(super) struct Kept {
    most: usize,
    by_id: HashMap<Id, Told>,
    /// The least first: it goes when there is no room.
    ranks: BTreeSet<(Rank, Id)>,
    /// What to do, by detection.
    pub(super) guidance: BTreeMap<String, Vec<String>>,
}

/// What is worth most to a reader: findings before leads, the worst, the earliest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    finding: bool,
    severity: Severity,
    first_ns: Reverse<i64>,
}

impl Rank {
    fn new(finding: &Finding, first_ns: i64) -> Self {
        Self {
            finding: !is_lead(finding),
            severity: finding.severity,
            first_ns: Reverse(first_ns),
        }
    }

    /// The rank of what was kept.
    pub(super) fn of(told: &Told) -> Self {
        Self {
            finding: !told.lead,
            severity: told.severity,
            first_ns: Reverse(told.first_ns),
        }
    }
}

impl Kept {
    /// Keeps at most `most`.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            by_id: HashMap::new(),
            ranks: BTreeSet::new(),
            guidance: BTreeMap::new(),
        }
    }

    /// Takes the latest revision of an alert.
    pub(super) fn take(&mut self, alert: &Alert, look: Look) {
        let rank = Rank::new(&alert.finding, alert.first_ns);
        if let Some(before) = self.by_id.get(&alert.id) {
            self.ranks.remove(&(Rank::of(before), alert.id));
        } else if self.by_id.len() >= self.most {
            match self.ranks.first().copied() {
                Some(least) if least.0 < rank => {
                    self.ranks.remove(&least);
                    self.by_id.remove(&least.1);
                }
                _ => return,
            }
        }
        self.ranks.insert((rank, alert.id));
        self.by_id.insert(alert.id, Told::new(alert, look));
        let detection: &str = &alert.finding.detection;
        if self.guidance.len() < MAX_GUIDANCE && !self.guidance.contains_key(detection) {
            let steps = alert.finding.guidance.iter();
            self.guidance.insert(
                detection.to_owned(),
                steps.map(|step| look.whole(step)).collect(),
            );
        }
    }

    /// What was kept, the worst first.
    pub(super) fn worst_first(&self) -> impl Iterator<Item = &Told> {
        let ranks = self.ranks.iter().rev();
        ranks.filter_map(|(_, id)| self.by_id.get(id))
    }
}

/// Alerts and hosts that are told apart for counting; each has about 40 octets.
const MAX_COUNTED: usize = 262_144;
/// Detections are few, but those of tools come from signature files.
const MAX_GUIDANCE: usize = 512;
