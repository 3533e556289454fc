//! A line or two for each alert, as it happens.

use std::io::{self, Write};

use terrier_engine::Sink;
use terrier_engine::alert::{Alert, SensorAlert};
use terrier_engine::detect::{NameSource, Severity};
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};

use super::Out;
use super::kept::Tally;
use super::look::{Look, Page, bold, coloured, day, dim, plain, severity_word, time};
use super::overview::{overview, verdict};
use super::words::Told;
use crate::output::{Names, Output};
use crate::stats::Stats;

/// A line or two for each alert as it happens; the counts at the end.
pub(in crate::output) struct Lines {
    out: Out,
    /// Names of the inputs by index.
    inputs: Names,
    look: Look,
    tally: Tally,
}

impl Lines {
    /// Writes to `out`, which is flushed by the caller.
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
            inputs: captures,
            look,
            tally: Tally::default(),
        }
    }

    /// In a file a line is a line, however long; on a terminal it is wrapped at the width of the moment.
    fn page(&self) -> Page {
        let mut look = self.look.measured();
        if !look.terminal {
            look.width = usize::MAX;
        }
        Page::new(look)
    }
}

impl Sink for Lines {
    fn observation(&mut self, _observation: &Observation, _protocol: &'static str) {}

    fn alert(&mut self, alert: &Alert, opened: bool) {
        self.tally.note(alert, opened);
        let mut page = self.page();
        let told = Told::new(alert, page.look);
        let worth_two = !told.lead && told.severity > Severity::Info;
        let at = format!("{} {}Z", day(alert.at_ns), time(alert.at_ns));
        let mut route = format!(": {}", told.route);
        if let Some(name) = &told.victim_name {
            route.push_str(&format!(", victim {name}"));
        }
        if let Some(input) = self.inputs.one_of_several(told.capture) {
            route.push_str(&format!(", on {}", page.look.safe(&input)));
        }
        let headline = told.headline();
        let body = [
            coloured(
                told.severity,
                format!("{:<8}  ", severity_word(told.severity)),
            ),
            if worth_two {
                bold(headline)
            } else {
                plain(headline)
            },
            plain(route),
            plain("  "),
            dim(told.detection.clone()),
        ];
        page.paragraph(dim(at), REASONS, &body);
        if worth_two && !told.reasons.is_empty() {
            let reasons: Vec<&str> = told.reasons.iter().map(|why| &*why.text).collect();
            page.paragraph(plain(""), REASONS, &[dim(reasons.join("; "))]);
        }
        self.out.add(&page.text);
    }

    fn sensor_alert(&mut self, alert: &SensorAlert, _opened: bool) {
        let mut page = self.page();
        let at = format!("{} {}Z", day(alert.at_ns), time(alert.at_ns));
        let body = [
            coloured(
                alert.severity,
                format!("{:<8}  ", severity_word(alert.severity)),
            ),
            bold(page.look.whole(&alert.title)),
            plain("  "),
            dim(SensorAlert::DETECTION.to_owned()),
        ];
        page.paragraph(dim(at), REASONS, &body);
        let reasons = alert.reasons.iter().filter(|why| why.what != "severity");
        let reasons: Vec<String> = reasons
            .map(|why| format!("{}: {}", why.observed, why.because))
            .collect();
        page.paragraph(plain(""), REASONS, &[dim(reasons.join("; "))]);
        self.out.add(&page.text);
    }

    fn flow(&mut self, _flow: &FlowRef, _end: &FlowEnd, _name: Option<(&str, NameSource)>) {}
}

impl Output for Lines {
    fn begin(&mut self, capture: &str) {
        self.inputs.set(0, capture);
        self.tally = Tally::default();
    }

    fn stats(&mut self, stats: &Stats) {
        let mut page = self.page();
        overview(&mut page, stats);
        verdict(&mut page, &self.tally, stats);
        self.out.add(&page.text);
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Where the second line begins: below the severity.
const REASONS: usize = 22;
