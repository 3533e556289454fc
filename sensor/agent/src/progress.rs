//! The progress bar of a long input, on a terminal only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::capture::Progress;

/// A bar that follows the reading from a thread of its own, so that the packet path knows nothing of it.
pub struct Bar(Option<(Arc<AtomicBool>, JoinHandle<()>)>);

impl Bar {
    /// Starts a bar where somebody can see it.
    #[must_use]
    pub fn start(progress: Progress, visible: bool) -> Self {
        if !visible {
            return Self(None);
        }
        let done = Arc::new(AtomicBool::new(false));
        let thread = {
            let done = Arc::clone(&done);
            std::thread::spawn(move || follow(&progress, &done))
        };
        Self(Some((done, thread)))
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Some((done, thread)) = self.0 {
            done.store(true, Ordering::Relaxed);
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

fn follow(progress: &Progress, done: &AtomicBool) {
    // What is read within a moment needs no bar.
    std::thread::park_timeout(FIRST_LOOK);
    if done.load(Ordering::Relaxed) {
        return;
    }
    let bar = match progress.octets_in_all() {
        Some(total) => ProgressBar::new(total).with_style(style(
            "reading {bar:30} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left",
        )),
        None => ProgressBar::new_spinner().with_style(style("reading {spinner} {binary_bytes}, {binary_bytes_per_sec}")),
    };
    while !done.load(Ordering::Relaxed) {
        bar.set_position(progress.octets_read());
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
    bar.finish_and_clear();
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

const FIRST_LOOK: Duration = Duration::from_millis(500);
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
