//! Where records go: one file each form. The engine does not notice.

mod json;
mod text;

use std::io;

use serde::Serialize;
use terrier_engine::Sink;

pub use json::JsonLines;
pub use text::Summary;

use crate::cli::Kind;
use crate::stats::Stats;

/// A form of output.
pub trait Output: Sink + Send {
    /// Writes the counts at the end.
    fn stats(&mut self, stats: &Stats);

    /// Hands everything that was written to the operating system.
    fn flush(&mut self) -> io::Result<()>;

    /// Ends the output; the first error that was met is told now, if not before.
    fn finish(&mut self) -> io::Result<()>;
}

/// Which kinds of record are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Emitted {
    /// Findings.
    pub alerts: bool,
    /// Facts.
    pub observations: bool,
    /// Ended flows.
    pub flows: bool,
    /// Counts.
    pub stats: bool,
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
