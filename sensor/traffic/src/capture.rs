//! Flows to one capture, in the order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, Write};

use crate::script::Script;

/// Writes a classic pcap file with microseconds.
pub(crate) struct Capture<W> {
    out: W,
    buffer: Vec<u8>,
    /// Where a payload is put together.
    joined: Vec<u8>,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
}

impl<W: Write> Capture<W> {
    pub(crate) fn new(out: W) -> Self {
        let mut buffer = Vec::with_capacity(BUFFER + (1 << 17));
        buffer.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
        buffer.extend_from_slice(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        buffer.extend_from_slice(&262_144_u32.to_le_bytes());
        // Ethernet.
        buffer.extend_from_slice(&1_u32.to_le_bytes());
        Self {
            out,
            buffer,
            joined: Vec::new(),
            packets: 0,
            octets: 0,
        }
    }

    /// A frame that `write` puts behind what is there.
    pub(crate) fn frame(
        &mut self,
        at: u64,
        write: impl FnOnce(&mut Vec<u8>, &mut Vec<u8>),
    ) -> io::Result<()> {
        let micros = at / 1000;
        let start = self.buffer.len();
        let seconds = EPOCH + (micros / 1_000_000) as u32;
        let part = (micros % 1_000_000) as u32;
        self.buffer.extend_from_slice(&seconds.to_le_bytes());
        self.buffer.extend_from_slice(&part.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 8]);
        let frame = self.buffer.len();
        write(&mut self.buffer, &mut self.joined);
        let length = (self.buffer.len() - frame) as u32;
        for at in [start + 8, start + 12] {
            self.buffer[at..at + 4].copy_from_slice(&length.to_le_bytes());
        }
        self.packets += 1;
        self.octets += u64::from(length);
        if self.buffer.len() >= BUFFER {
            self.flush()?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.out.flush()
    }

    /// Writes the flows that begin at the times of `starts`, which are in order, up to `end`. A flow is only made when it
    /// begins.
    pub(crate) fn flows<S>(
        &mut self,
        starts: impl IntoIterator<Item = (u64, S)>,
        end: u64,
        stock: &[u8],
        mut make: impl FnMut(u64, S) -> Script,
    ) -> io::Result<()> {
        let mut running = Running::default();
        for (at, start) in starts {
            while running.next().is_some_and(|next| next <= at) {
                running.write_next(self, stock, end)?;
            }
            running.add(make(at, start), end);
        }
        while running.next().is_some() {
            running.write_next(self, stock, end)?;
        }
        self.flush()
    }
}

/// Flows that have something left to send.
#[derive(Default)]
struct Running {
    scripts: Vec<Option<Script>>,
    free: Vec<usize>,
    /// When a flow goes on, and a number that keeps the order of equal times.
    queue: BinaryHeap<Reverse<(u64, u64, usize)>>,
    count: u64,
}

impl Running {
    fn next(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse((at, ..))| *at)
    }

    fn add(&mut self, script: Script, end: u64) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.scripts.push(None);
            self.scripts.len() - 1
        });
        self.scripts[slot] = Some(script);
        self.queue_up(slot, end);
    }

    fn queue_up(&mut self, slot: usize, end: u64) {
        let at = self.scripts[slot].as_ref().and_then(Script::at);
        match at.filter(|at| *at <= end) {
            Some(at) => {
                self.count += 1;
                self.queue.push(Reverse((at, self.count, slot)));
            }
            None => {
                self.scripts[slot] = None;
                self.free.push(slot);
            }
        }
    }

    fn write_next(
        &mut self,
        capture: &mut Capture<impl Write>,
        stock: &[u8],
        end: u64,
    ) -> io::Result<()> {
        let Some(Reverse((at, _, slot))) = self.queue.pop() else {
            return Ok(());
        };
        if let Some(script) = &mut self.scripts[slot] {
            capture.frame(at, |out, joined| script.write_next(stock, out, joined))?;
        }
        self.queue_up(slot, end);
        Ok(())
    }
}

/// When all captures begin, in seconds since 1970.
const EPOCH: u32 = 1_750_000_000;
const BUFFER: usize = 1 << 20;
