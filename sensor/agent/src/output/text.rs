//! For people. (Under construction.)

use std::io::{self, Write};
use std::sync::Arc;

use terrier_engine::Sink;
use terrier_engine::alert::Alert;
use terrier_engine::detect::NameSource;
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};

use super::Output;
use crate::stats::Stats;

/// A summary at the end of a capture.
pub(super) struct Summary {
    out: Box<dyn Write + Send>,
}

impl Summary {
    pub(super) fn new(
        out: Box<dyn Write + Send>,
        _captures: Vec<Arc<str>>,
        _terminal: bool,
    ) -> Self {
        Self { out }
    }
}

impl Sink for Summary {
    fn observation(&mut self, _observation: &Observation, _protocol: &'static str) {}
    fn alert(&mut self, _alert: &Alert, _opened: bool) {}
    fn flow(&mut self, _flow: &FlowRef, _end: &FlowEnd, _name: Option<(&str, NameSource)>) {}
}

impl Output for Summary {
    fn stats(&mut self, _stats: &Stats) {}
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// A line for each alert as it happens.
pub(super) type Lines = Summary;
