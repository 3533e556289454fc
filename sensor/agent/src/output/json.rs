//! NDJSON: one compact object a line, from one reused buffer.

use std::io::{self, Write};

use serde::Serialize;
use terrier_engine::Sink;
use terrier_engine::alert::{Alert, AlertRecord, SensorAlert};
use terrier_engine::detect::NameSource;
use terrier_engine::observation::{FlowEnd, FlowRef, Observation};
use terrier_engine::record::{FlowRecord, ObservationRecord};

use super::{Emitted, Names, Output};
use crate::stats::Stats;

/// Writes records as lines of JSON.
pub(super) struct JsonLines<W: Write> {
    out: W,
    buffer: Vec<u8>,
    emitted: Emitted,
    sensor: String,
    captures: Names,
    /// What every record is said of, as JSON, where each capture is looked at alone.
    sole: Option<Vec<u8>>,
    failed: Option<io::Error>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, which need not buffer. `captures` are the names of the captures by index.
    pub(super) fn new(out: W, emitted: Emitted, sensor: String, captures: Names) -> Self {
        Self {
            out,
            buffer: Vec::with_capacity(2 * BLOCK),
            emitted,
            sensor,
            captures,
            sole: None,
            failed: None,
        }
    }

    fn line(&mut self, record: &impl Serialize) {
        self.append(|buffer| serde_json::to_writer(buffer, record));
    }

    fn append(&mut self, record: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) {
        // Writing to a vector does not fail; a record that cannot be told as JSON would be a bug.
        let start = self.buffer.len();
        if record(&mut self.buffer).is_err() {
            self.buffer.truncate(start);
            return;
        }
        if let Some(capture) = &self.sole {
            // A record is an object that is not empty: another field goes before its end.
            self.buffer.pop();
            self.buffer.extend_from_slice(b",\"capture\":");
            self.buffer.extend_from_slice(capture);
            self.buffer.push(b'}');
        }
        self.buffer.push(b'\n');
        if self.buffer.len() >= BLOCK {
            self.write();
        }
    }

    fn write(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.out.write_all(&self.buffer)
        {
            self.failed = Some(error);
        }
        self.buffer.clear();
    }
}

impl<W: Write> Sink for JsonLines<W> {
    fn observation(&mut self, observation: &Observation, protocol: &'static str) {
        if self.emitted.observations {
            let record = ObservationRecord {
                observation,
                protocol,
            };
            self.append(|buffer| record.append(buffer));
        }
    }

    fn alert(&mut self, alert: &Alert, _opened: bool) {
        if self.emitted.alerts {
            // The names live in `self`, which the line borrows as a whole.
            let sensor = std::mem::take(&mut self.sensor);
            let captures = self.captures.clone();
            self.line(&AlertRecord::new(alert, &sensor, &captures.all()));
            self.sensor = sensor;
        }
    }

    fn sensor_alert(&mut self, alert: &SensorAlert, _opened: bool) {
        if self.emitted.alerts {
            let sensor = std::mem::take(&mut self.sensor);
            self.line(&AlertRecord::of_sensor(alert, &sensor));
            self.sensor = sensor;
        }
    }

    fn flow(&mut self, flow: &FlowRef, end: &FlowEnd, name: Option<(&str, NameSource)>) {
        if self.emitted.flows {
            self.line(&FlowRecord { flow, end, name });
        }
    }
}

impl<W: Write + Send> Output for JsonLines<W> {
    fn begin(&mut self, capture: &str) {
        self.captures.set(0, capture);
        self.sole = serde_json::to_vec(capture).ok();
    }

    fn stats(&mut self, stats: &Stats) {
        if self.emitted.stats {
            self.line(stats);
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write();
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }
}

/// How much is written at once.
const BLOCK: usize = 64 << 10;
