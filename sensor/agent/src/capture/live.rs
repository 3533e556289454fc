//! An interface, through libpcap and its TPACKET_V3 ring.
//!
//! The handle never blocks. libpcap's own read timeout only starts with a packet, so on a silent link it never ends;
//! therefore the descriptor is polled here, and [`Source::fill`] answers [`Filled::Idle`] when nothing came.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Device, Precision};
use rustix::event::{PollFd, PollFlags, Timespec};
use terrier_engine::LinkType;

use super::fault::{Damage, Fault};
use super::filter::{FilterError, error_text};
use super::{Chunk, Filled, MAX_PACKET, Meta, Source};

/// An interface that is being watched.
pub struct Live {
    interface: String,
    handle: Capture<Active>,
    link: LinkType,
    snaplen: u32,
    patience: Timespec,
    capture: u16,
    frames: u64,
    /// Whether the interface was up when last looked at.
    up: bool,
    looked: Instant,
    counters: Counters,
    /// Trouble that came behind the packets of the last chunk.
    found: Option<Fault>,
}

/// How to watch an interface.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// The interface's place in the list of captures.
    pub capture: u16,
    /// How much of each packet is captured, in octets, at most [`MAX_PACKET`].
    pub snaplen: u32,
    /// The size of the kernel's ring, in octets. libpcap's own 2 MiB lose packets whenever the process does not run for
    /// some milliseconds; 64 MiB hold a quarter of a second at 2 Gbit/s.
    pub buffer: u32,
    /// A filter expression, which the kernel applies.
    pub filter: Option<String>,
    /// How long [`Source::fill`] waits for a packet.
    pub patience: Duration,
}

/// How many packets were seen since the interface was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveStats {
    /// Handed to the ring, the lost ones included.
    pub received: u64,
    /// Lost because the ring was full.
    pub dropped_by_kernel: u64,
    /// Lost by the interface or its driver.
    pub dropped_by_interface: u64,
}

/// Why an interface cannot be watched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiveError {
    /// There is no such interface.
    #[error("{interface}: no such interface; there {}", Known(.known))]
    NoSuchInterface {
        /// The name that was asked for.
        interface: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// The process may not capture.
    #[error(
        "{interface}: no permission to capture; grant it with: sudo setcap cap_net_raw=ep {program}"
    )]
    NoPermission {
        /// The interface.
        interface: String,
        /// The program that needs the capability.
        program: String,
    },
    /// The interface is there and down.
    #[error("{0}: the interface is down; bring it up with: sudo ip link set {0} up")]
    Down(String),
    /// The filter expression is wrong.
    #[error("{interface}: {error}")]
    Filter {
        /// The interface.
        interface: String,
        /// What is wrong.
        error: FilterError,
    },
    /// libpcap cannot open it for another reason.
    #[error("{interface}: cannot capture: {text}")]
    Other {
        /// The interface.
        interface: String,
        /// What libpcap says.
        text: String,
    },
}

/// The interfaces that can be captured from, by name.
pub fn interfaces() -> Vec<String> {
    Device::list()
        .unwrap_or_default()
        .into_iter()
        .map(|device| device.name)
        .collect()
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self {
            capture: 0,
            snaplen: MAX_PACKET,
            buffer: 64 << 20,
            filter: None,
            patience: Duration::from_millis(100),
        }
    }
}

impl Live {
    /// Opens an interface for watching, in promiscuous mode. `any` means all of them, without promiscuous mode, which
    /// that one does not have.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let failed = |error: pcap::Error| LiveError::of(interface, &error);
        let signed = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let snaplen = options.snaplen.clamp(1, MAX_PACKET);
        let inactive = Capture::from_device(interface)
            .map_err(failed)?
            .promisc(interface != ANY)
            .snaplen(signed(snaplen))
            .buffer_size(signed(options.buffer))
            .precision(Precision::Nano)
            .timeout(RETIRE_MS);
        let mut handle = inactive
            .open()
            .map_err(failed)?
            .setnonblock()
            .map_err(failed)?;
        if let Some(expression) = &options.filter {
            handle
                .filter(expression, true)
                .map_err(|error| LiveError::Filter {
                    interface: interface.into(),
                    error: FilterError {
                        expression: expression.clone(),
                        text: error_text(&error),
                    },
                })?;
        }
        let link = LinkType(handle.get_datalink().0.cast_unsigned());
        Ok(Self {
            interface: interface.into(),
            handle,
            link,
            snaplen,
            // Months at most, for the sake of the conversion.
            patience: options.patience.try_into().unwrap_or(Timespec {
                tv_sec: 1 << 23,
                tv_nsec: 0,
            }),
            capture: options.capture,
            frames: 0,
            up: true,
            looked: Instant::now(),
            counters: Counters::default(),
            found: None,
        })
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// How its packets begin.
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// How many packets were received and lost so far. To be asked at least once in 2^32 packets: the kernel's counters
    /// have 32 bits. On a loopback interface each packet counts twice.
    pub fn stats(&mut self) -> Result<LiveStats, Fault> {
        match self.handle.stats() {
            Ok(stat) => Ok(self
                .counters
                .add(stat.received, stat.dropped, stat.if_dropped)),
            Err(error) => Err(self.fault(Damage::Live(error_text(&error)))),
        }
    }

    /// Takes what is there without waiting, until the chunk may not hold one packet more.
    fn take(&mut self, chunk: &mut Chunk) -> Result<(), Fault> {
        chunk.make_room(self.snaplen as usize * LONGEST_AT_ONCE);
        let (link, capture) = (self.link, self.capture);
        let frames = &mut self.frames;
        loop {
            // libpcap cannot be told to stop within a call without a lock on its own state, so it is asked for no more
            // packets than fit if each is as long as can be.
            let fitting = chunk.room_left() / self.snaplen as usize;
            let wanted = fitting.min(MAX_PACKETS - chunk.len());
            if wanted == 0 {
                return Ok(());
            }
            let taken = self.handle.dispatch(Some(wanted), |packet| {
                *frames += 1;
                let header = packet.header;
                let meta = Meta {
                    // The handle was opened for nanoseconds, which stand in the microseconds' field.
                    at_ns: header.ts.tv_sec * 1_000_000_000 + header.ts.tv_usec,
                    frame: *frames,
                    link,
                    wire_len: header.len.max(header.caplen),
                    start: 0,
                    len: 0,
                    capture,
                };
                let fits = chunk.push(meta, packet.data);
                debug_assert!(fits, "a packet is longer than the snaplen");
            });
            match taken {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) => {
                    let what = self
                        .state_damage()
                        .unwrap_or_else(|| Damage::Live(error_text(&error)));
                    return Err(self.fault(what));
                }
            }
        }
    }

    /// Waits until there is something to take; whether the descriptor tells of trouble.
    fn wait(&self) -> bool {
        let descriptor = self.handle.as_fd();
        let mut polled = [PollFd::new(&descriptor, PollFlags::IN)];
        // An error is a signal's interruption: the caller sees nothing and looks whether it should stop.
        let _ = rustix::event::poll(&mut polled, Some(&self.patience));
        let [polled] = polled;
        polled.revents().intersects(PollFlags::ERR | PollFlags::HUP)
    }

    /// Whether the interface has gone down or away since it was last asked.
    fn state_damage(&mut self) -> Option<Damage> {
        self.looked = Instant::now();
        if self.interface == ANY {
            return None;
        }
        let device = Device::list()
            .ok()?
            .into_iter()
            .find(|device| device.name == self.interface);
        let was_up = std::mem::replace(
            &mut self.up,
            device.as_ref().is_some_and(|device| device.flags.is_up()),
        );
        match device {
            None => Some(Damage::InterfaceGone),
            Some(_) if was_up && !self.up => Some(Damage::InterfaceDown),
            Some(_) => None,
        }
    }

    fn fault(&self, what: Damage) -> Fault {
        Fault {
            path: PathBuf::from(&self.interface),
            offset: 0,
            frame: self.frames + 1,
            what,
        }
    }
}

/// To wait for several interfaces at once: with a patience of zero [`Source::fill`] does not wait by itself.
impl AsFd for Live {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Source for Live {
    /// Waits for packets, but no longer than the patience of the options, or until a signal comes.
    ///
    /// An interface that goes down is a fault once; when it is up again, packets come again. One that was removed is a
    /// fault each time.
    fn fill(&mut self, chunk: &mut Chunk) -> Result<Filled, Fault> {
        chunk.clear();
        if let Some(fault) = self.found.take() {
            return Err(fault);
        }
        // What is already there needs no system call.
        let mut taken = self.take(chunk);
        if taken.is_ok() && chunk.is_empty() {
            let troubled = self.wait();
            taken = self.take(chunk);
            if taken.is_ok() && chunk.is_empty() && (troubled || self.looked.elapsed() > LOOK_EACH)
            {
                taken = self
                    .state_damage()
                    .map_or(Ok(()), |what| Err(self.fault(what)));
            }
        }
        match taken {
            Err(fault) if chunk.is_empty() => return Err(fault),
            Err(fault) => self.found = Some(fault),
            Ok(()) => {}
        }
        Ok(if chunk.is_empty() {
            Filled::Idle
        } else {
            Filled::More
        })
    }
}

impl LiveError {
    fn of(interface: &str, error: &pcap::Error) -> Self {
        let text = error_text(error);
        let interface = interface.to_owned();
        // The crate hands on libpcap's words and not its error codes.
        let says = |part: &str| text.contains(part);
        if says("CAP_NET_RAW") || says("ermission") || says("not permitted") {
            let program = std::env::current_exe()
                .unwrap_or_else(|_| "terrier".into())
                .display()
                .to_string();
            return Self::NoPermission { interface, program };
        }
        let devices = Device::list().unwrap_or_default();
        match devices.iter().find(|device| device.name == interface) {
            None if says("o such device") || says("not found") || interface != ANY => {
                let known = devices.into_iter().map(|device| device.name).collect();
                Self::NoSuchInterface { interface, known }
            }
            Some(device) if !device.flags.is_up() => Self::Down(interface),
            _ => Self::Other { interface, text },
        }
    }
}

/// The kernel's counters have 32 bits and wrap; these do not.
#[derive(Debug, Default)]
struct Counters {
    last: [u32; 3],
    sum: LiveStats,
}

impl Counters {
    fn add(&mut self, received: u32, dropped: u32, dropped_by_interface: u32) -> LiveStats {
        let now = [received, dropped, dropped_by_interface];
        let sums = [
            &mut self.sum.received,
            &mut self.sum.dropped_by_kernel,
            &mut self.sum.dropped_by_interface,
        ];
        for ((now, last), sum) in now.iter().zip(&self.last).zip(sums) {
            *sum += u64::from(now.wrapping_sub(*last));
        }
        self.last = now;
        self.sum
    }
}

struct Known<'a>(&'a [String]);

impl std::fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            [] => f.write_str("are none that this process may see"),
            names => write!(f, "are: {}", names.join(", ")),
        }
    }
}

/// libpcap's name for all interfaces at once.
const ANY: &str = "any";

/// After so many milliseconds the kernel hands on a block of its ring that is not full.
const RETIRE_MS: i32 = 100;

/// So often a silent interface is looked at: whether it is still up.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// A chunk has room for so many of the longest packets, and goes when there is room for less than one.
const LONGEST_AT_ONCE: usize = 4;

/// No more packets than this in one chunk, so that the clock of a busy link moves on in small steps.
const MAX_PACKETS: usize = 8_192;

#[cfg(test)]
mod tests;
