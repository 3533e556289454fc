//! The signals that end a run.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT, SIGTERM and SIGHUP, taken from the moment this is made.
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals. To be called within a runtime.
    ///
    /// # Errors
    /// When the operating system does not let it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The first SIGINT or SIGTERM asks the run to end. A second one ends the process at once: whoever sends it waits
    /// for an output that takes nothing. SIGHUP does nothing, so that a sensor survives the terminal it was started from.
    pub async fn watch(mut self, stop: &AtomicBool) {
        loop {
            let code = tokio::select! {
                _ = self.interrupt.recv() => 130,
                _ = self.terminate.recv() => 143,
                _ = self.hang_up.recv() => continue,
            };
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(code);
            }
        }
    }
}

/// A flag that is set by the first SIGINT or SIGTERM, from a thread of its own that lives as long as the process.
///
/// # Errors
/// When the operating system has no thread, descriptor or signal left.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let signals = {
        let _in_runtime = runtime.enter();
        Signals::new()?
    };
    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(signals.watch(&asked)))?;
    Ok(stop)
}
