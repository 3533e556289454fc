//! The summary at the end of a capture.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;

use terrier_engine::Sink;
use terrier_engine::alert::Alert;
use terrier_engine::detect::{NameSource, Severity};
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};

use super::Out;
use super::kept::{Kept, Tally};
use super::look::{Look, Page, bold, coloured, count, dim, number, plain, severity_word, span};
use super::overview::{folder_of_all, only_day, overview, verdict};
use super::words::{MAX_REASONS, Told, Why, frames, strongest};
use crate::output::{Names, Output};
use crate::stats::Stats;

/// A summary at the end of a capture.
pub(in crate::output) struct Summary {
    out: Out,
    captures: Names,
    look: Look,
    /// Whether something stands above already.
    below: bool,
    tally: Tally,
    kept: Kept,
}

impl Summary {
    /// Writes to `out` at the end. `captures` are the names of the captures by index.
    pub(in crate::output) fn new(
        out: Box<dyn Write + Send>,
        captures: Names,
        terminal: bool,
    ) -> Self {
        Self::with_look(out, captures, Look::of(terminal))
    }

    pub(super) fn with_look(out: Box<dyn Write + Send>, captures: Names, look: Look) -> Self {
        Self {
            out: Out::new(out),
            captures,
            look,
            below: false,
            tally: Tally::default(),
            kept: Kept::new(MAX_KEPT),
        }
    }
}

impl Sink for Summary {
    fn observation(&mut self, _observation: &Observation, _protocol: &'static str) {}

    fn alert(&mut self, alert: &Alert, opened: bool) {
        self.tally.note(alert, opened);
        self.kept.take(alert, self.look);
    }

    fn flow(&mut self, _flow: &FlowRef, _end: &FlowEnd, _name: Option<(&str, NameSource)>) {}
}

impl Output for Summary {
    fn begin(&mut self, capture: &str) {
        self.captures.set(0, capture);
        (self.tally, self.kept) = (Tally::default(), Kept::new(MAX_KEPT));
    }

    fn stats(&mut self, stats: &Stats) {
        let mut page = Page::new(self.look.measured());
        if std::mem::replace(&mut self.below, true) {
            // The summary of another capture; a blank line is between the parts of one, too.
            self.out.add("\n\n");
        }
        overview(&mut page, stats);
        page.gap();
        verdict(&mut page, &self.tally, stats);
        let told = Telling {
            captures: short_names(&self.captures.all(), self.look),
            today: only_day(stats),
            explained: BTreeSet::new(),
            advised: Vec::new(),
            left: MAX_GROUPS,
        }
        .hosts(&mut page, &self.kept);
        self.rest(&mut page, told);
        self.out.add(&page.text);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Summary {
    /// What was left out, and what to do about what was not.
    fn rest(&self, page: &mut Page, told: Shown) {
        let all = self.tally.findings() + self.tally.leads;
        if let Some(more) = all.checked_sub(told.alerts).filter(|&more| more > 0) {
            page.gap();
            let text = format!(
                "{} more of {} not shown: --json writes every one",
                number(more),
                count(all, "alert"),
            );
            page.paragraph(plain(""), 0, &[bold(text)]);
        }
        guidance(page, &told.advised, &self.kept.guidance);
    }
}

/// What was told.
struct Shown {
    alerts: u64,
    advised: Vec<String>,
}

/// The telling of the alerts, host by host.
struct Telling {
    /// Names of the captures by index; empty where there is only one.
    captures: Vec<String>,
    /// The day that times need not repeat.
    today: Option<String>,
    /// Explanations of tools that were given.
    explained: BTreeSet<String>,
    /// Detections that were told, the worst first.
    advised: Vec<String>,
    /// Groups that may still be told.
    left: usize,
}

/// Alerts about the same flow: told together, as they say the same of it.
type Group<'a> = Vec<&'a Told>;

impl Telling {
    fn hosts(mut self, page: &mut Page, kept: &Kept) -> Shown {
        let mut alerts = 0;
        let hosts = by_host(kept);
        let each = (MAX_GROUPS / hosts.len().max(1)).clamp(MIN_OF_HOST, MAX_OF_HOST);
        for (victim, told) in hosts.into_iter().take(MAX_HOSTS) {
            if self.left == 0 {
                break;
            }
            page.gap();
            let mut heading = vec![bold(victim.to_string())];
            if let Some(name) = told.iter().find_map(|told| told.victim_name.as_ref()) {
                heading.push(plain(format!("  {name}")));
            }
            page.paragraph(plain(""), 0, &heading);
            alerts += self.host(page, &told, each);
        }
        Shown {
            alerts,
            advised: self.advised,
        }
    }

    /// Tells the alerts of a host in at most `each` groups; answers how many alerts.
    fn host(&mut self, page: &mut Page, told: &[&Told], each: usize) -> u64 {
        let mut alike: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
        let mut more: Vec<(&str, u64)> = Vec::new();
        let mut groups = 0;
        let mut alerts = 0;
        for group in by_flow(told) {
            let kind: Vec<&str> = group.iter().map(|told| &*told.detection).collect();
            let before = alike.entry(kind).or_default();
            *before += 1;
            if *before > MAX_ALIKE || groups == each || self.left == 0 {
                for told in &group {
                    match more.iter_mut().find(|(known, _)| *known == told.detection) {
                        Some((_, count)) => *count += 1,
                        None => more.push((&told.detection, 1)),
                    }
                }
                continue;
            }
            groups += 1;
            self.left -= 1;
            alerts += group.len() as u64;
            self.group(page, &group);
        }
        if !more.is_empty() {
            let all: u64 = more.iter().map(|&(_, count)| count).sum();
            let kinds = more
                .iter()
                .map(|&(detection, count)| format!("{}\u{a0}{detection}", number(count)));
            let text = format!(
                "and {} more: {}",
                number(all),
                kinds.collect::<Vec<_>>().join(", ")
            );
            page.paragraph(plain(""), INDENT, &[dim(text)]);
        }
        alerts
    }

    fn group(&mut self, page: &mut Page, group: &Group<'_>) {
        let (mut brief, mut full) = (Vec::new(), Vec::new());
        for &told in group {
            if told.lead || told.severity == Severity::Info {
                brief.push(told);
            } else {
                full.push(told);
            }
        }
        if full.is_empty() {
            for told in brief {
                self.brief(page, told);
            }
            return;
        }
        // Beside findings of the same flow its leads need no place of their own.
        for told in full.iter().chain(&brief) {
            self.headline(page, told);
        }
        self.details(page, group);
    }

    fn headline(&mut self, page: &mut Page, told: &Told) {
        self.advise(told);
        let body = [
            bold(told.headline()),
            plain("  "),
            dim(told.detection.clone()),
        ];
        page.paragraph(margin(told), INDENT, &body);
    }

    fn details(&mut self, page: &mut Page, group: &Group<'_>) {
        let (Some(first), Some(first_ns), Some(last_ns)) = (
            group.first(),
            group.iter().map(|told| told.first_ns).min(),
            group.iter().map(|told| told.last_ns).max(),
        ) else {
            return;
        };
        let entry = |page: &mut Page, label: &str, text: String| {
            page.paragraph(dim(format!("{label:>LABEL$}")), INDENT, &[plain(text)]);
        };
        entry(page, "who", first.route.clone());
        entry(page, "when", span(first_ns, last_ns, self.today.as_deref()));
        let mut reasons: Vec<Why> = Vec::new();
        for why in group.iter().flat_map(|told| &told.reasons) {
            if !reasons.contains(why) {
                reasons.push(why.clone());
            }
        }
        strongest(&mut reasons, MAX_REASONS + usize::from(group.len() > 1));
        let texts: Vec<&str> = reasons.iter().map(|why| &*why.text).collect();
        if !texts.is_empty() {
            entry(page, "why", texts.join("; "));
        }
        for background in reasons.into_iter().filter_map(|why| why.background) {
            if self.explained.insert(background.clone()) {
                entry(page, "", background);
            }
        }
        let mut numbers: Vec<u64> = group.iter().flat_map(|told| told.frames.clone()).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if let Some(text) = self.evidence(first, &numbers) {
            entry(page, "proof", text);
        }
    }

    /// A lead, or what is only worth knowing: one paragraph.
    fn brief(&mut self, page: &mut Page, told: &Told) {
        if told.lead {
            self.advise(told);
        }
        let mut rest = format!(
            ": {}, {}",
            told.route,
            span(told.first_ns, told.last_ns, self.today.as_deref())
        );
        if let Some(text) = self.evidence(told, &told.frames) {
            let _ = write!(rest, ", {text}");
        }
        let body = [
            plain(told.headline()),
            dim(rest),
            plain("  "),
            dim(told.detection.clone()),
        ];
        page.paragraph(margin(told), INDENT, &body);
    }

    fn evidence(&self, told: &Told, numbers: &[u64]) -> Option<String> {
        if numbers.is_empty() {
            return None;
        }
        let mut text = frames(numbers);
        if let Some(name) = self.captures.get(usize::from(told.capture)) {
            let _ = write!(text, " of {name}");
        }
        Some(text)
    }

    fn advise(&mut self, told: &Told) {
        if !self.advised.contains(&told.detection) {
            self.advised.push(told.detection.clone());
        }
    }
}

fn margin(told: &Told) -> super::look::Span {
    coloured(told.severity, format!("  {}", severity_word(told.severity)))
}

/// The alerts of each host, the worst first, and the hosts by their worst.
fn by_host(kept: &Kept) -> Vec<(IpAddr, Vec<&Told>)> {
    let mut places: BTreeMap<IpAddr, usize> = BTreeMap::new();
    let mut hosts: Vec<(IpAddr, Vec<&Told>)> = Vec::new();
    for told in kept.worst_first() {
        let place = *places.entry(told.victim).or_insert_with(|| {
            hosts.push((told.victim, Vec::new()));
            hosts.len() - 1
        });
        if let Some((_, of_host)) = hosts.get_mut(place) {
            of_host.push(told);
        }
    }
    hosts
}

/// The alerts of a host by flow (and capture, to which frame numbers belong), in the order of the worst of each.
fn by_flow<'a>(told: &[&'a Told]) -> Vec<Group<'a>> {
    let mut places: BTreeMap<(u64, u16), usize> = BTreeMap::new();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for &told in told {
        let place = *places.entry((told.flow, told.capture)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.push(told);
        }
    }
    groups
}

/// What to do about each detection that was told; those that ask for the same are named together.
fn guidance(page: &mut Page, advised: &[String], known: &BTreeMap<String, Vec<String>>) {
    let mut advice: Vec<(Vec<&str>, &[String])> = Vec::new();
    for detection in advised {
        let Some(steps) = known.get(detection).filter(|steps| !steps.is_empty()) else {
            continue;
        };
        match advice.iter_mut().find(|(_, known)| known == steps) {
            Some((detections, _)) => detections.push(detection),
            None => advice.push((vec![detection], steps)),
        }
    }
    if advice.is_empty() {
        return;
    }
    page.gap();
    page.paragraph(plain(""), 0, &[bold("What to do")]);
    for (detections, steps) in advice.iter().take(MAX_ADVICE) {
        page.paragraph(plain(""), 2, &[dim(detections.join(", "))]);
        for step in steps.iter().take(MAX_STEPS) {
            page.paragraph(plain("  -"), 4, &[plain(step.clone())]);
        }
    }
    if advice.len() > MAX_ADVICE {
        let text = "--json has the guidance of the others";
        page.paragraph(plain(""), 2, &[dim(text)]);
    }
}

/// The names of several captures, without the folder that they share. None for a single one: it is named at the top.
fn short_names(captures: &[Arc<str>], look: Look) -> Vec<String> {
    if captures.len() < 2 {
        return Vec::new();
    }
    let paths: Vec<&str> = captures.iter().map(AsRef::as_ref).collect();
    let shared = folder_of_all(&paths).len();
    let short = paths.iter().map(|path| path.get(shared..).unwrap_or(path));
    short.map(|path| look.whole(path)).collect()
}

/// Alerts kept in words, the worst; each has about 1 kB.
const MAX_KEPT: usize = 4096;
/// Hosts that are told.
const MAX_HOSTS: usize = 20;
/// Groups of alerts that are told, of all hosts.
const MAX_GROUPS: usize = 40;
/// Groups of one host, when there are many and when it is the only one.
const MIN_OF_HOST: usize = 8;
const MAX_OF_HOST: usize = 20;
/// Groups of the same detections at one host: a guesser from many addresses must not hide what else there is.
const MAX_ALIKE: usize = 3;
/// Blocks of advice.
const MAX_ADVICE: usize = 8;
/// Steps of one.
const MAX_STEPS: usize = 3;
/// Where the text of an alert begins.
const INDENT: usize = 12;
/// Where the labels before it end.
const LABEL: usize = 10;
