//! Where records go: one file each form. The engine does not notice.

mod json;
mod names;
mod text;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use terrier_engine::Sink;
use terrier_engine::alert::{Alert, SensorAlert};
use terrier_engine::detect::{NameSource, Severity};
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};

use crate::cli::{Format, Kind, Shared};
use crate::exit::{self, Failure};
use crate::setup;
use crate::stats::Stats;
use json::JsonLines;
pub use names::Names;

/// A form of output.
pub trait Output: Sink + Send {
    /// What follows is said of this capture alone, by an engine that knows nothing of the others (`--separate`).
    fn begin(&mut self, capture: &str);

    /// Writes the counts at the end.
    fn stats(&mut self, stats: &Stats);

    /// Hands everything that was written to the operating system. Live output is flushed each second.
    ///
    /// # Errors
    /// The first one that was met since the last call.
    fn flush(&mut self) -> io::Result<()>;
}

/// The records of a run, on their way to one form.
pub struct Records {
    form: Box<dyn Output>,
    format: Format,
    emitted: Emitted,
    written: u64,
    worst: Option<Severity>,
}

/// How the records come: a capture is summed up at its end, an interface or a growing capture told line by line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// `read` of whole captures.
    AtTheEnd,
    /// `run`, and `read --follow`.
    AsItHappens,
}

/// Opens the output that was asked for. `captures` are the names of the captures by index.
///
/// # Errors
/// When the file cannot be created.
pub fn open(shared: &Shared, captures: Names, manner: Manner) -> Result<Records, Failure> {
    let terminal = shared.output.is_none() && io::stdout().is_terminal();
    let format = match (shared.json, shared.format) {
        (true, _) => Format::Json,
        (false, Some(format)) => format,
        (false, None) if terminal => Format::Text,
        (false, None) => Format::Json,
    };
    let out: Box<dyn Write + Send> =
        match &shared.output {
            Some(path) => Box::new(create(path, manner).map_err(|error| {
                exit::usage(format!("cannot create {}: {error}", path.display()))
            })?),
            None => Box::new(io::stdout()),
        };
    let form: Box<dyn Output> = match (format, manner) {
        (Format::Json, _) => Box::new(JsonLines::new(
            out,
            Emitted::from(&*shared.emit),
            setup::sensor(),
            captures,
        )),
        (Format::Text, Manner::AtTheEnd) => Box::new(text::Summary::new(out, captures, terminal)),
        (Format::Text, Manner::AsItHappens) => Box::new(text::Lines::new(out, captures, terminal)),
    };
    let emitted = match format {
        Format::Json => Emitted::from(&*shared.emit),
        // People are told of alerts alone.
        Format::Text => Emitted {
            alerts: true,
            ..Emitted::default()
        },
    };
    Ok(Records {
        form,
        format,
        emitted,
        written: 0,
        worst: None,
    })
}

/// A capture can be read again; what was seen live before a restart can not, and is kept.
fn create(path: &Path, manner: Manner) -> io::Result<File> {
    match manner {
        Manner::AtTheEnd => File::create(path),
        Manner::AsItHappens => File::options().create(true).append(true).open(path),
    }
}

impl Records {
    /// The worst severity of all alerts so far.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.worst
    }

    /// How many records were written so far.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The name of the form, for metrics.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self.format {
            Format::Text => "text",
            Format::Json => "json",
        }
    }

    /// Whether observations and the ends of flows are written.
    #[must_use]
    pub fn writes(&self) -> (bool, bool) {
        (self.emitted.observations, self.emitted.flows)
    }

    /// See [`Output::begin`].
    pub fn begin(&mut self, capture: &str) {
        self.form.begin(capture);
    }

    /// Writes the counts at the end.
    pub fn stats(&mut self, stats: &Stats) {
        self.written += u64::from(self.emitted.stats);
        self.form.stats(stats);
    }

    /// See [`Output::flush`].
    ///
    /// # Errors
    /// When something could not be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.form.flush()
    }
}

impl Sink for Records {
    fn observation(&mut self, observation: &Observation, protocol: &'static str) {
        self.written += u64::from(self.emitted.observations);
        self.form.observation(observation, protocol);
    }

    fn alert(&mut self, alert: &Alert, opened: bool) {
        self.worst = self.worst.max(Some(alert.finding.severity));
        self.written += u64::from(self.emitted.alerts);
        self.form.alert(alert, opened);
    }

    fn sensor_alert(&mut self, alert: &SensorAlert, opened: bool) {
        self.worst = self.worst.max(Some(alert.severity));
        self.written += u64::from(self.emitted.alerts);
        self.form.sensor_alert(alert, opened);
    }

    fn writes_flows(&self) -> bool {
        self.emitted.flows
    }

    fn flow(&mut self, flow: &FlowRef, end: &FlowEnd, name: Option<(&str, NameSource)>) {
        self.written += u64::from(self.emitted.flows);
        self.form.flow(flow, end, name);
    }
}

/// Which kinds of record are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Emitted {
    alerts: bool,
    observations: bool,
    flows: bool,
    stats: bool,
}

impl From<&[Kind]> for Emitted {
    fn from(kinds: &[Kind]) -> Self {
        let has = |kind| kinds.contains(&kind);
        Self {
            alerts: has(Kind::Alert),
            observations: has(Kind::Observation),
            flows: has(Kind::Flow),
            stats: has(Kind::Stats),
        }
    }
}
