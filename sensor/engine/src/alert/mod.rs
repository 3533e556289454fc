//! Findings to alerts: one alert per detection, victim and subject, that counts.
//!
//! A line is due when an alert opens and when its severity or grade changes; at the end of the input once more where the
//! count has grown since. The last line of an id holds.

mod sensor;

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::detect::{
    Confidence, Finding, FlowRef, Frames, Grade, NameSource, Reason, Severity, Subject,
};
use crate::home::Direction;
use crate::record::{FlowObject, Id, SCHEMA_VERSION, Timestamp};
pub(crate) use sensor::Dropping;
pub use sensor::{Counts, SensorAlert, SensorCounts, Stage};

/// An alert, as it stands.
#[derive(Debug, Clone)]
pub struct Alert {
    /// Hash of detection, victim, subject and the time of the first finding.
    pub id: Id,
    /// How often it was written before.
    pub revision: u32,
    /// Time of the finding that this line is about, in nanoseconds since 1970.
    pub at_ns: i64,
    /// The finding that convinced most: the first of the highest severity.
    pub finding: Finding,
    /// Name of the victim and what told it.
    pub victim_name: Option<(String, NameSource)>,
    /// Time of the first finding.
    pub first_ns: i64,
    /// Time of the last finding.
    pub last_ns: i64,
    /// How many findings.
    pub count: u64,
    written_count: u64,
}

/// The open alerts.
#[derive(Debug)]
pub(crate) struct Alerts {
    open: HashMap<AlertKey, Alert, FixedState>,
    most: usize,
    /// Alerts forgotten because there were too many; a later finding opens a new one.
    pub(crate) forgotten: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct AlertKey {
    detection: Cow<'static, str>,
    victim: IpAddr,
    subject: Subject,
}

impl Alerts {
    /// At most `most` at a time.
    pub(crate) fn new(most: usize, seed: u64) -> Self {
        Self {
            open: HashMap::with_hasher(FixedState::with_seed(seed)),
            most: most.max(8),
            forgotten: 0,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    /// Takes a finding. Answers the alert when a line is due, and whether it has just opened.
    pub(crate) fn take(
        &mut self,
        finding: Finding,
        victim_name: impl FnOnce() -> Option<(String, NameSource)>,
    ) -> Option<(&Alert, bool)> {
        let key = AlertKey {
            detection: finding.detection.clone(),
            victim: finding.victim,
            subject: finding.subject.clone(),
        };
        if !self.open.contains_key(&key) {
            self.make_room();
            let alert = Alert::new(finding, victim_name());
            return Some((self.open.entry(key).or_insert(alert), true));
        }
        let alert = self.open.get_mut(&key)?;
        alert.count += 1;
        alert.last_ns = alert.last_ns.max(finding.at_ns);
        let worse =
            finding.severity > alert.finding.severity || finding.grade > alert.finding.grade;
        if !worse {
            return None;
        }
        alert.at_ns = finding.at_ns;
        let severity = finding.severity.max(alert.finding.severity);
        alert.finding = Finding {
            severity,
            ..finding
        };
        alert.revision += 1;
        alert.written_count = alert.count;
        Some((alert, false))
    }

    /// The alerts whose count has grown since they were written, in order of their first finding; each is then written.
    pub(crate) fn grown(&mut self) -> Vec<Alert> {
        let mut grown: Vec<(&AlertKey, &mut Alert)> = self
            .open
            .iter_mut()
            .filter(|(_, alert)| alert.count > alert.written_count)
            .collect();
        grown.sort_by(|(a_key, a), (b_key, b)| {
            a.first_ns.cmp(&b.first_ns).then_with(|| a_key.cmp(b_key))
        });
        grown
            .into_iter()
            .map(|(_, alert)| {
                alert.revision += 1;
                alert.written_count = alert.count;
                alert.at_ns = alert.last_ns;
                alert.clone()
            })
            .collect()
    }

    /// Forgets the least recently seen eighth when full, so that a storm costs little per alert.
    fn make_room(&mut self) {
        if self.open.len() < self.most {
            return;
        }
        let mut ages: Vec<(i64, AlertKey)> = self
            .open
            .iter()
            .map(|(key, alert)| (alert.last_ns, key.clone()))
            .collect();
        ages.sort_unstable();
        for (_, key) in ages.into_iter().take(self.most / 8) {
            self.open.remove(&key);
            self.forgotten += 1;
        }
    }
}

impl Alert {
    /// An alert that has just opened.
    #[must_use]
    pub fn new(finding: Finding, victim_name: Option<(String, NameSource)>) -> Self {
        let identity = format!(
            "{}\n{}\n{}\n{}",
            finding.detection, finding.victim, finding.subject, finding.at_ns
        );
        Self {
            id: id_of(&identity),
            revision: 0,
            at_ns: finding.at_ns,
            victim_name,
            first_ns: finding.at_ns,
            last_ns: finding.at_ns,
            count: 1,
            written_count: 1,
            finding,
        }
    }

    /// The class of its detection: what stands before the first dot.
    #[must_use]
    pub fn class(&self) -> &str {
        let detection: &str = &self.finding.detection;
        detection
            .split_once('.')
            .map_or(detection, |(class, _)| class)
    }
}

/// The first octets of a hash of what makes an alert another one.
fn id_of(identity: &str) -> Id {
    let digest: [u8; 32] = Sha256::digest(identity).into();
    let [a, b, c, d, e, f, g, h, ..] = digest;
    Id(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// An alert record. What is said of traffic alone is `null` where it is about the sensor.
#[derive(Serialize)]
pub struct AlertRecord<'a> {
    kind: &'static str,
    schema_version: u32,
    id: Id,
    revision: u32,
    ts: Timestamp,
    sensor: &'a str,
    detection: &'a str,
    title: &'a str,
    severity: Severity,
    confidence: Confidence,
    grade: Option<Grade>,
    tool: Option<&'a str>,
    attack: &'a [Cow<'static, str>],
    victim: VictimObject<'a>,
    peer: PeerObject<'a>,
    direction: Option<Direction>,
    flow: Option<FlowObject<'a>>,
    first_seen: Timestamp,
    last_seen: Timestamp,
    count: u64,
    state: &'static str,
    reasons: &'a [Reason],
    evidence: EvidenceObject<'a>,
    policy: PolicyObject,
    incident: Option<&'a str>,
    guidance: &'a [Cow<'static, str>],
}

#[derive(Serialize)]
struct VictimObject<'a> {
    ip: Option<IpAddr>,
    name: Option<&'a str>,
    name_source: Option<NameSource>,
}

#[derive(Serialize, Default)]
struct PeerObject<'a> {
    ip: Option<IpAddr>,
    port: Option<u16>,
    name: Option<&'a str>,
    name_source: Option<NameSource>,
}

#[derive(Serialize)]
struct EvidenceObject<'a> {
    capture: Option<&'a str>,
    frames: &'a [u64],
}

#[derive(Serialize)]
struct PolicyObject {
    verdict: &'static str,
}

impl<'a> AlertRecord<'a> {
    /// The record of an alert. `captures` are the names of the captures by index.
    #[must_use]
    pub fn new(alert: &'a Alert, sensor: &'a str, captures: &'a [Arc<str>]) -> Self {
        let finding = &alert.finding;
        let name =
            |known: &'a Option<(String, NameSource)>| known.as_ref().map(|(name, _)| name.as_str());
        let source =
            |known: &Option<(String, NameSource)>| known.as_ref().map(|(_, source)| *source);
        Self {
            kind: "alert",
            schema_version: SCHEMA_VERSION,
            id: alert.id,
            revision: alert.revision,
            ts: Timestamp(alert.at_ns),
            sensor,
            detection: &finding.detection,
            title: &finding.title,
            severity: finding.severity,
            confidence: finding.confidence,
            grade: Some(finding.grade),
            tool: finding.tool.as_deref(),
            attack: &finding.attack,
            victim: VictimObject {
                ip: Some(finding.victim),
                name: name(&alert.victim_name),
                name_source: source(&alert.victim_name),
            },
            peer: PeerObject {
                ip: finding.peer.ip,
                port: finding.peer.port,
                name: name(&finding.peer.name),
                name_source: source(&finding.peer.name),
            },
            direction: Some(finding.direction),
            flow: Some(FlowObject(&finding.flow)),
            first_seen: Timestamp(alert.first_ns),
            last_seen: Timestamp(alert.last_ns),
            count: alert.count,
            state: OPEN,
            reasons: &finding.reasons,
            evidence: EvidenceObject {
                capture: captures
                    .get(usize::from(finding.frames.capture))
                    .map(AsRef::as_ref),
                frames: finding.frames.numbers(),
            },
            policy: UNSANCTIONED,
            incident: None,
            guidance: &finding.guidance,
        }
    }

    /// The record of an alert about the sensor: it is its own victim, by name only.
    #[must_use]
    pub fn of_sensor(alert: &'a SensorAlert, sensor: &'a str) -> Self {
        Self {
            kind: "alert",
            schema_version: SCHEMA_VERSION,
            id: alert.id,
            revision: alert.revision,
            ts: Timestamp(alert.at_ns),
            sensor,
            detection: Dropping::ID,
            title: &alert.title,
            severity: alert.severity,
            confidence: Confidence::High,
            grade: None,
            tool: None,
            attack: &[],
            victim: VictimObject {
                ip: None,
                name: Some(sensor),
                name_source: None,
            },
            peer: PeerObject::default(),
            direction: None,
            flow: None,
            first_seen: Timestamp(alert.first_ns),
            last_seen: Timestamp(alert.last_ns),
            count: alert.count,
            state: if alert.open { OPEN } else { "closed" },
            reasons: &alert.reasons,
            evidence: EvidenceObject {
                capture: alert.interface.as_deref(),
                frames: &[],
            },
            policy: UNSANCTIONED,
            incident: None,
            guidance: &alert.guidance,
        }
    }
}

const OPEN: &str = "open";

/// Without a policy nothing is allowed by anybody.
const UNSANCTIONED: PolicyObject = PolicyObject {
    verdict: "unsanctioned",
};

/// What an alert refers to, for the summary: its flow and frames.
impl Alert {
    /// The flow of the finding that convinced most.
    #[must_use]
    pub fn flow(&self) -> &FlowRef {
        &self.finding.flow
    }

    /// The packets that show it.
    #[must_use]
    pub fn frames(&self) -> &Frames {
        &self.finding.frames
    }
}
