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
    /// What was written last is no whole line.
    cut: bool,
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
            cut: false,
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

    fn flush_all(&mut self) -> io::Result<()> {
        self.write();
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.out.flush(),
        }
    }

    fn write(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.write_all()
        {
            self.failed = Some(error);
        }
        self.buffer.clear();
    }

    /// A disk that gets full cuts a line: the next one, once there is room, must not be part of it.
    fn write_all(&mut self) -> io::Result<()> {
        if self.cut && !self.buffer.is_empty() {
            self.out.write_all(b"\n")?;
            self.cut = false;
        }
        let mut left = &*self.buffer;
        while !left.is_empty() {
            match self.out.write(left) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let (written, rest) = left.split_at(count.min(left.len()));
                    self.cut = !written.ends_with(b"\n");
                    left = rest;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
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
        self.flush_all()
    }
}

/// How much is written at once.
const BLOCK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// A disk with room for so many octets more.
    struct Disk<'a> {
        written: &'a mut Vec<u8>,
        room: usize,
    }

    impl Write for Disk<'_> {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            let count = octets.len().min(self.room);
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.room -= count;
            self.written.extend_from_slice(&octets[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_a_full_disk_cut_is_a_line_by_itself() {
        for room in 0..20 {
            let mut written = Vec::new();
            let disk = Disk {
                written: &mut written,
                room,
            };
            let mut lines =
                JsonLines::new(disk, Emitted::default(), String::new(), Names::default());
            lines.line(&"a");
            lines.line(&"b");
            let full = lines.flush_all();
            assert_eq!(full.is_err(), room < 8, "{room}");
            // Still full.
            lines.line(&"lost");
            assert_eq!(lines.flush_all().is_err(), room < 8 + 7, "{room}");
            lines.out.room = 100;
            lines.line(&"c");
            lines.flush_all().unwrap();
            let text = String::from_utf8(written).unwrap();
            assert!(text.ends_with("\n\"c\"\n") || text == "\"c\"\n", "{text:?}");
            assert!(!text.contains("\n\n"), "{text:?}");
        }
    }
}
