//! Sends frames out of an interface, many with one system call: as fast as they go, or at a rate.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use pcap::{Active, Capture};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

/// An interface to send to.
pub(crate) struct Sender {
    handle: Capture<Active>,
}

impl Sender {
    /// Takes an interface of the network namespace that the calling thread is in.
    pub(crate) fn on(interface: &str) -> Self {
        let mut handle = Capture::from_device(interface)
            .map(|device| device.snaplen(64).buffer_size(1 << 20))
            .and_then(Capture::open)
            .expect("root may send");
        // It is also a way to receive, and what nobody reads must not cost time.
        handle
            .filter("less 1", true)
            .expect("an expression of libpcap");
        Self { handle }
    }

    /// Sends the frames that `next` writes, until it has none, at so many a second. Answers how many went and how long it
    /// took.
    pub(crate) fn send(
        &self,
        per_second: u32,
        mut next: impl FnMut(&mut Vec<u8>) -> bool,
    ) -> (u64, Duration) {
        let began = Instant::now();
        let mut buffers = vec![Vec::new(); AT_ONCE];
        let mut sent = 0_u64;
        let mut over = false;
        loop {
            let mut filled = 0;
            for buffer in &mut buffers {
                buffer.clear();
                over = !next(buffer);
                if over {
                    break;
                }
                filled += 1;
            }
            self.send_all(&buffers[..filled]);
            sent += filled as u64;
            if over {
                return (sent, began.elapsed());
            }
            let due = Duration::from_secs_f64(sent as f64 / f64::from(per_second));
            // Short waits are spent: a sleep may take longer than a ring lasts.
            while let Some(left) = due.checked_sub(began.elapsed()) {
                if left > Duration::from_millis(2) {
                    std::thread::sleep(left / 2);
                } else {
                    std::thread::yield_now();
                }
            }
        }
    }

    fn send_all(&self, frames: &[Vec<u8>]) {
        let slices: Vec<[IoSlice<'_>; 1]> =
            frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
        let mut none: Vec<SendAncillaryBuffer<'_, '_, '_>> = frames
            .iter()
            .map(|_| SendAncillaryBuffer::default())
            .collect();
        let mut messages: Vec<MMsgHdr<'_>> = slices
            .iter()
            .zip(&mut none)
            .map(|(slice, none)| MMsgHdr::new(slice, none))
            .collect();
        let mut gone = 0;
        while gone < messages.len() {
            match sendmmsg(&self.handle, &mut messages[gone..], SendFlags::empty()) {
                Ok(count) => gone += count,
                // The interface's own queue is full for a moment.
                Err(rustix::io::Errno::NOBUFS | rustix::io::Errno::AGAIN) => {
                    std::thread::yield_now();
                }
                Err(error) => panic!("cannot send: {error}"),
            }
        }
    }
}

const AT_ONCE: usize = 64;
