//! Alerts about the sensor itself: what it missed, so that nobody takes its silence for safety.
//!
//! *In*: once a second what each interface has brought and missed since the run began, which only the agent knows. *Out*:
//! `sensor.dropping`, one alert for each interface and one for facts, in the form of all alerts but without a flow, a victim
//! and a peer. It opens, gets worse and grows as others do; and it is closed once nothing was missed for a while, as it
//! is a state of the sensor's and not a deed that stays done.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::id_of;
use crate::detect::{Listed, Reason, Severity};
use crate::record::{Id, Timestamp};

/// How packets and facts are missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Packets that the interface or its driver lost.
    Nic,
    /// Packets that found the kernel's ring full.
    Kernel,
    /// Packets that found the queue to another worker full.
    Queue,
    /// Packets of decided flows that were only counted, by choice.
    Shed,
    /// Facts that were not judged.
    Facts,
}

impl Stage {
    /// All, in the order of [`Counts::missed`].
    pub const ALL: [Self; 5] = [
        Self::Nic,
        Self::Kernel,
        Self::Queue,
        Self::Shed,
        Self::Facts,
    ];

    fn what(self) -> &'static str {
        match self {
            Self::Nic => "capture.dropped.nic",
            Self::Kernel => "capture.dropped.kernel",
            Self::Queue => "capture.dropped.queue",
            Self::Shed => "capture.shed",
            Self::Facts => "facts.lost",
        }
    }

    fn because(self) -> &'static str {
        match self {
            Self::Nic => "lost by the interface or its driver, before the kernel had them",
            Self::Kernel => "lost as the kernel's ring was full: the sensor came too late",
            Self::Queue => {
                "lost between workers: in tunnels and fragments there was more for one of them than his queue holds"
            }
            Self::Shed => {
                "of flows already decided only counted, as a worker could not keep up: new flows are looked at, flow records have too few octets"
            }
            Self::Facts => {
                "not judged, as the output did not keep up: there may have been findings"
            }
        }
    }

    fn guidance(self) -> &'static str {
        match self {
            Self::Nic => {
                "Look at `ethtool -S` of the interface; give its card a larger ring (`ethtool -G`), or mirror less to it."
            }
            Self::Kernel => {
                "Give the sensor a larger ring (--ring-size) against bursts, more workers (--workers) against steady load, or less to look at (--filter)."
            }
            Self::Queue => {
                "Give the sensor more room for its queues (--memory-limit), or mirror the traffic where it has left its tunnel."
            }
            Self::Shed => {
                "Give the sensor more workers (--workers), or leave out what need not be looked at (--filter)."
            }
            Self::Facts => {
                "Write fewer kinds of records (--emit), or to where they are taken faster: who reads them is too slow, or the disk is."
            }
        }
    }
}

/// What one interface has brought and missed since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Packets that were read, the shed ones included.
    pub read: u64,
    /// What was missed, by [`Stage::ALL`].
    pub missed: [u64; Stage::ALL.len()],
}

impl Counts {
    fn since(&self, before: &Self) -> Self {
        let mut since = Self {
            read: self.read.saturating_sub(before.read),
            ..Self::default()
        };
        for (since, (now, before)) in
            (since.missed.iter_mut()).zip(self.missed.iter().zip(&before.missed))
        {
            *since = now.saturating_sub(*before);
        }
        since
    }

    fn of(&self, stage: Stage) -> u64 {
        self.missed.get(stage as usize).copied().unwrap_or(0)
    }

    fn all_missed(&self) -> u64 {
        self.missed.iter().sum()
    }

    /// Packets that nobody looked at, and all that came.
    fn lost_of_all(&self) -> (u64, u64) {
        let lost = [Stage::Nic, Stage::Kernel, Stage::Queue];
        let lost = lost.iter().map(|&stage| self.of(stage)).sum();
        (lost, self.read.saturating_add(lost))
    }
}

/// What the agent knows at one moment.
#[derive(Debug, Clone, Default)]
pub struct SensorCounts {
    /// The time of the day, in nanoseconds since 1970.
    pub at_ns: i64,
    /// How long the run lasts, by a clock that nobody sets.
    pub up: Duration,
    /// By interface, always in the same order; without one what is missed behind all of them.
    pub parts: Vec<(Option<Arc<str>>, Counts)>,
    /// Nothing comes any more.
    pub ended: bool,
}

/// An alert about the sensor, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensorAlert {
    /// Hash of detection, interface and the time of the first loss.
    pub id: Id,
    /// How often it was written before.
    pub revision: u32,
    /// Time of this line, in nanoseconds since 1970.
    pub at_ns: i64,
    /// Where; `None` behind all interfaces.
    pub interface: Option<Arc<str>>,
    /// What it is called in a sentence.
    pub title: String,
    /// How bad, at worst.
    pub severity: Severity,
    /// Before this nothing was missed.
    pub first_ns: i64,
    /// When something was last missed.
    pub last_ns: i64,
    /// How many looks, of one a second, found that something more was missed.
    pub count: u64,
    /// Whether it goes on.
    pub open: bool,
    /// What was missed, in numbers.
    pub reasons: Vec<Reason>,
    /// What to do.
    pub guidance: Vec<Cow<'static, str>>,
}

/// The sensor's looks at itself.
#[derive(Debug, Default)]
pub(crate) struct Dropping {
    parts: Vec<Part>,
    /// Looks that found something, of alerts.
    pub(crate) findings: u64,
}

/// One interface.
#[derive(Debug, Default)]
struct Part {
    /// The looks of the last minute and the one before them.
    looks: VecDeque<Look>,
    spell: Option<Spell>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Look {
    at_ns: i64,
    up: Duration,
    counts: Counts,
}

/// A time in which again and again something is missed.
#[derive(Debug)]
struct Spell {
    /// The last look before it.
    before: Look,
    last: Look,
    looks: u64,
    /// Once it is worth an alert, as it was last written.
    alert: Option<SensorAlert>,
    /// What had been missed when it was last written.
    written: u64,
}

impl Dropping {
    /// Its id, and the class of all of this page.
    pub(crate) const ID: &'static str = "sensor.dropping";
    /// What is before the dot.
    pub(crate) const CLASS: &'static str = "sensor";

    /// As a row of the documentation.
    pub(crate) fn listed() -> Listed {
        Listed {
            id: Cow::Borrowed(Self::ID),
            title: "The sensor loses packets or facts, or sheds flows: what it does not find then proves nothing".to_owned(),
        }
    }

    /// Takes the counts of now. `say` gets each alert for which a line is due, and whether it has just opened.
    pub(crate) fn look(&mut self, now: &SensorCounts, mut say: impl FnMut(&SensorAlert, bool)) {
        self.parts.resize_with(now.parts.len(), Part::default);
        for (part, (interface, counts)) in self.parts.iter_mut().zip(&now.parts) {
            let look = Look {
                at_ns: now.at_ns,
                up: now.up,
                counts: *counts,
            };
            self.findings += part.look(look, interface.as_ref(), now.ended, &mut say);
        }
    }
}

impl Part {
    /// Answers how many looks more belong to an alert.
    fn look(
        &mut self,
        now: Look,
        interface: Option<&Arc<str>>,
        ended: bool,
        say: &mut impl FnMut(&SensorAlert, bool),
    ) -> u64 {
        let before = self.looks.back().copied().unwrap_or_else(|| Look {
            at_ns: now.at_ns,
            ..Look::default()
        });
        if self.looks.is_empty() {
            self.looks.push_back(before);
        }
        // The minute begins with the last look that is older than it.
        while (self.looks.get(1)).is_some_and(|second| second.up + MINUTE <= now.up) {
            self.looks.pop_front();
        }
        let minute = self.looks.front().copied().unwrap_or(before);
        self.looks.push_back(now);

        let missed = now.counts.since(&before.counts).all_missed() > 0;
        if missed {
            let spell = self.spell.get_or_insert(Spell {
                before,
                last: now,
                looks: 0,
                alert: None,
                written: 0,
            });
            spell.looks += 1;
            spell.last = now;
        }
        let Some(spell) = &mut self.spell else {
            return 0;
        };
        let of_minute = now.counts.since(&minute.counts);
        let judged_by = now.up.saturating_sub(minute.up);
        let may_cry = ended || judged_by >= SURE;
        let over = now.up.saturating_sub(spell.last.up) >= QUIET;
        let had_alert = spell.alert.is_some();
        spell.say(now, interface, &of_minute, may_cry, (over, ended), say);
        let found = match (had_alert, spell.alert.is_some()) {
            (false, true) => spell.looks,
            (true, true) => u64::from(missed),
            _ => 0,
        };
        if over {
            self.spell = None;
        }
        found
    }
}

impl Spell {
    fn say(
        &mut self,
        now: Look,
        interface: Option<&Arc<str>>,
        of_minute: &Counts,
        may_cry: bool,
        (over, ended): (bool, bool),
        say: &mut impl FnMut(&SensorAlert, bool),
    ) {
        let so_far = now.counts.since(&self.before.counts);
        let all = so_far.all_missed();
        let found = weigh(&so_far, of_minute, may_cry);
        let Some(alert) = &mut self.alert else {
            // What is over was not worth an alert while it lasted.
            if let (Some((severity, why)), false) = (found, over) {
                let alert = self.alert.insert(SensorAlert {
                    id: id_of(&format!(
                        "{}\n{}\n{}",
                        Dropping::ID,
                        interface.map_or("", |name| name),
                        self.before.at_ns
                    )),
                    revision: 0,
                    at_ns: now.at_ns,
                    interface: interface.cloned(),
                    title: String::new(),
                    severity,
                    first_ns: self.before.at_ns,
                    last_ns: self.last.at_ns,
                    count: self.looks,
                    open: true,
                    reasons: Vec::new(),
                    guidance: Vec::new(),
                });
                alert.put(&so_far, Some(why));
                self.written = all;
                say(alert, true);
            }
            return;
        };
        let worse = found.filter(|(severity, _)| *severity > alert.severity);
        let grown = all >= self.written.saturating_mul(GROWN);
        if !(worse.is_some() || grown || over || ended && self.looks > alert.count) {
            return;
        }
        alert.revision += 1;
        alert.at_ns = now.at_ns;
        alert.last_ns = self.last.at_ns;
        alert.count = self.looks;
        alert.open = !over;
        let why = match worse {
            Some((severity, why)) => {
                alert.severity = severity;
                Some(why)
            }
            // Why it was as bad as it was at worst.
            None => alert.reasons.pop(),
        };
        alert.put(&so_far, why);
        self.written = all;
        say(alert, false);
    }
}

impl SensorAlert {
    /// The detection's id.
    pub const DETECTION: &'static str = Dropping::ID;

    /// Puts into words what was missed so far.
    fn put(&mut self, so_far: &Counts, why: Option<Reason>) {
        let place = match &self.interface {
            Some(interface) => format!(" on {interface}"),
            None => String::new(),
        };
        let (lost, came) = so_far.lost_of_all();
        let (what, done) = match (lost, so_far.of(Stage::Facts)) {
            (0, 0) => ("Packets of decided flows", "only counted"),
            (0, _) => ("Facts", "lost"),
            _ => ("Packets", "lost"),
        };
        self.title = if self.open {
            format!("{what} are {done}{place}")
        } else {
            format!("{what} were {done}{place}, none for {QUIET_WORDS}")
        };
        let missed = Stage::ALL.into_iter().filter(|&stage| so_far.of(stage) > 0);
        let since = Timestamp(self.first_ns);
        self.reasons = missed
            .clone()
            .map(|stage| {
                let count = so_far.of(stage);
                let observed = match stage {
                    Stage::Facts => format!("{count} facts since {since}"),
                    _ => format!("{count} of {came} packets since {since}"),
                };
                Reason::new(stage.what(), observed, stage.because())
            })
            .collect();
        self.reasons.extend(why);
        self.guidance = missed
            .map(|stage| Cow::Borrowed(stage.guidance()))
            .collect();
    }
}

/// How bad it is, and why; `None` where it is not worth an alert. A share of packets is a share of handshakes and more: of
/// a handshake of ten packets, which is what most of them are, one is missed with 0.1 % in 1 of 100, with 1 % in 1 of 10,
/// with 10 % in 2 of 3. So the first is worth knowing, the second worth a look today, and with the third the sensor is
/// all but blind. It is never critical, as nobody is known to do it. What is shed is the part of the traffic of which nothing
/// more would be learned; and of facts each one may be a finding.
fn weigh(so_far: &Counts, of_minute: &Counts, may_cry: bool) -> Option<(Severity, Reason)> {
    if so_far.of(Stage::Facts) > 0 {
        return Some(because(
            Severity::High,
            "high, as each fact may be a finding",
        ));
    }
    let (lost, came) = of_minute.lost_of_all();
    let share = lost as f64 / came.max(1) as f64;
    let (so_far_lost, _) = so_far.lost_of_all();
    if so_far_lost >= HANDFUL && share >= LOW {
        let (level, from) = match share {
            _ if !may_cry || share < MEDIUM => (Severity::Low, LOW),
            _ if share < HIGH => (Severity::Medium, MEDIUM),
            _ => (Severity::High, HIGH),
        };
        let why = format!(
            "{}, as {} of the packets of a minute were lost: {} or more",
            level.name(),
            percent(share),
            percent(from)
        );
        return Some(because(level, why));
    }
    let sheds = so_far.of(Stage::Shed) >= HANDFUL;
    sheds.then(|| because(Severity::Low, "low, as these flows were understood already"))
}

fn because(level: Severity, why: impl Into<Cow<'static, str>>) -> (Severity, Reason) {
    (level, Reason::new("severity", level.name(), why))
}

fn percent(share: f64) -> String {
    let digits = usize::from(share < 0.1) + usize::from(share < 0.01);
    format!("{:.digits$} %", share * 100.0)
}

/// From these shares of a minute's packets on it is so bad.
const LOW: f64 = 0.001;
const MEDIUM: f64 = 0.01;
const HIGH: f64 = 0.1;
/// Fewer packets than this are no alert, whatever their share: so many may be lost while a run starts, or a card is reset.
const HANDFUL: u64 = 100;
/// What the share is taken of.
const MINUTE: Duration = Duration::from_secs(60);
/// A run that is younger does not know what a minute's share will be, and says `low` at most.
const SURE: Duration = Duration::from_secs(10);
/// After so long without a loss it is over; the next one is another alert.
const QUIET: Duration = Duration::from_secs(600);
const QUIET_WORDS: &str = "10 minutes";
/// A line is written again when so many times as much was missed: else the figures of the first one would be all that a
/// reader of records has.
const GROWN: u64 = 10;

#[cfg(test)]
mod tests;
