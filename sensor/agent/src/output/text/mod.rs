//! For people: a summary of a capture at its end ([`Summary`]), or a line or two for each alert as it happens ([`Lines`]).
//!
//! Three rules hold everywhere. What came from the wire is shown only through [`look::Look::safe`]: whoever sends a desktop name
//! must not write on the reader's terminal. Silence is never mistaken for safety: where nothing was found, it says what was
//! looked at and what stayed dark. And the length is bounded, whatever the capture holds; `--json` has everything.

mod kept;
mod lines;
mod look;
mod overview;
mod summary;
#[cfg(test)]
mod tests;
mod words;

pub(super) use lines::Lines;
pub(super) use summary::Summary;

use std::io::{self, Write};

/// Text on its way out, and the first error that was met.
struct Out {
    to: Box<dyn Write + Send>,
    waiting: String,
    failed: Option<io::Error>,
}

impl Out {
    fn new(to: Box<dyn Write + Send>) -> Self {
        Self {
            to,
            waiting: String::new(),
            failed: None,
        }
    }

    fn add(&mut self, text: &str) {
        self.waiting.push_str(text);
        if self.waiting.len() >= BLOCK {
            self.write();
        }
    }

    fn write(&mut self) {
        if self.failed.is_none()
            && let Err(error) = self.to.write_all(self.waiting.as_bytes())
        {
            self.failed = Some(error);
        }
        self.waiting.clear();
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write();
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.to.flush(),
        }
    }
}

/// A storm of alerts is written in blocks of this size.
const BLOCK: usize = 64 << 10;
