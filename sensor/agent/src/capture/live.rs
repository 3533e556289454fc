//! An interface, through libpcap and its TPACKET_V3 ring.
//!
//! The handle never blocks. libpcap's own read timeout only starts with a packet, so on a silent link it never ends;
//! therefore the descriptor is polled here, and [`Source::fill`] answers [`Filled::Idle`] when nothing came.

mod program;
mod share;
mod shed;
mod socket;

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use pcap::{Active, Capture, Device, Precision};
use rustix::event::{PollFd, PollFlags, Timespec};
use terrier_engine::{LinkType, Spread};

use super::fault::{Damage, Fault};
use super::filter::{FilterError, error_text};
use super::{Chunk, Filled, MAX_PACKET, Meta, Source};
pub use shed::Shed;
use shed::{Shedding, compiled};

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
    /// Packets that were taken and did not fit into the last chunk.
    left: Vec<(Meta, Vec<u8>)>,
    /// Its place among the rings of the interface, and how many there are.
    ring: (u64, u64),
    /// Packets from before the rings shared the interface came to each of them: they are left out up to this time.
    since: Option<(i64, Instant)>,
    shedding: Option<Shedding>,
    shed: Shed,
    /// Whether the ring held nothing more when it was last taken from.
    emptied: bool,
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
    /// By what several rings share the packets, and how flows are told that are shed.
    pub spread: Option<Spread>,
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
            spread: None,
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
        let shedding = options.spread.and_then(|spread| {
            let rest = match &options.filter {
                Some(expression) => compiled(&handle, expression)?,
                None => program::everything(snaplen),
            };
            Shedding::of(spread, link, rest, options.filter.is_some())
        });
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
            left: Vec::new(),
            ring: (0, 1),
            since: None,
            shedding,
            shed: Shed::default(),
            emptied: true,
        })
    }

    /// Whether the last [`Source::fill`] left nothing in the ring.
    pub fn is_emptied(&self) -> bool {
        self.emptied
    }

    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// How its packets begin.
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// How many packets were received and lost so far. To be asked at least once in 2^31 packets: the kernel's counters
    /// have 32 bits. On a loopback interface each packet counts twice.
    pub fn stats(&mut self) -> Result<LiveStats, Fault> {
        match self.handle.stats() {
            Ok(stat) => Ok(self
                .counters
                .add(stat.received, stat.dropped, stat.if_dropped)),
            Err(error) => Err(self.fault(Damage::Live(error_text(&error)))),
        }
    }

    /// Takes what is there without waiting, until the chunk is full. Answers whether the ring may hold more.
    fn take(&mut self, chunk: &mut Chunk) -> Result<bool, Fault> {
        chunk.make_room(self.snaplen as usize);
        let left = std::mem::take(&mut self.left);
        for (meta, octets) in left {
            if !chunk.push(meta, &octets) {
                self.left.push((meta, octets));
            }
        }
        let (link, capture) = (self.link, self.capture);
        let (place, rings) = self.ring;
        let counted =
            self.shedding.as_ref().map_or(
                0,
                |shedding| {
                    if shedding.began { shedding.counted } else { 0 }
                },
            );
        let mut taken = 0;
        // Packets that are shed leave no room taken, and must not keep this from returning.
        while taken < MAX_PACKETS && chunk.room_left() > TYPICAL_LONGEST && self.left.is_empty() {
            let Self {
                frames,
                left,
                since,
                shed,
                ..
            } = self;
            let answer = self.handle.dispatch(Some(AT_ONCE), |packet| {
                let header = packet.header;
                // The handle was opened for nanoseconds, which stand in the microseconds' field.
                let at_ns = header.ts.tv_sec * 1_000_000_000 + header.ts.tv_usec;
                if let Some((since_ns, since_when)) = *since {
                    // The clock may have been set back meanwhile.
                    if at_ns < since_ns && since_when.elapsed() < LEFT_OUT {
                        return;
                    }
                    *since = None;
                }
                *frames += 1;
                if header.caplen <= counted && header.len > header.caplen {
                    shed.packets += 1;
                    shed.octets += u64::from(header.len);
                    return;
                }
                let meta = Meta {
                    at_ns,
                    frame: (*frames - 1) * rings + place + 1,
                    link,
                    wire_len: header.len.max(header.caplen),
                    start: 0,
                    len: 0,
                    capture,
                };
                if !chunk.push(meta, packet.data) {
                    left.push((meta, packet.data.to_vec()));
                }
            });
            match answer {
                Ok(0) => return Ok(false),
                Ok(count) => taken += count,
                Err(error) => {
                    let text = error_text(&error);
                    let what = self.state_damage().unwrap_or_else(|| {
                        // It went down and is up again already.
                        if text.contains("went down") {
                            Damage::InterfaceDown
                        } else {
                            Damage::Live(text)
                        }
                    });
                    return Err(self.fault(what));
                }
            }
        }
        Ok(true)
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
        if taken == Ok(false) && chunk.is_empty() {
            let troubled = self.wait();
            taken = self.take(chunk);
            // One ring of an interface looks for all.
            let due = self.ring.0 == 0 && self.looked.elapsed() > LOOK_EACH;
            if taken == Ok(false) && chunk.is_empty() && (troubled || due) {
                taken = self
                    .state_damage()
                    .map_or(Ok(false), |what| Err(self.fault(what)));
            }
        }
        match taken {
            Err(fault) if chunk.is_empty() => Err(fault),
            Err(fault) => {
                self.found = Some(fault);
                Ok(Filled::More)
            }
            // With packets that were only counted the chunk stays empty though more may be there.
            Ok(false) if chunk.is_empty() => Ok(Filled::Idle),
            Ok(more) => {
                self.emptied = !more;
                Ok(Filled::More)
            }
        }
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
            let more = now.wrapping_sub(*last);
            // A driver that begins anew counts from 0 again: that is no loss of four billion packets.
            if more <= u32::MAX / 2 {
                *sum += u64::from(more);
            }
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

/// After so many milliseconds, twice as many at worst, the kernel hands on a block of its ring that is not full.
const RETIRE_MS: i32 = 20;

/// So often a silent interface is looked at: whether it is still up.
const LOOK_EACH: Duration = Duration::from_secs(1);

/// What libpcap is asked for at once.
const AT_ONCE: usize = 64;

/// Rarely a packet is longer: it takes a card or a kernel that joins segments to more than IP allows. Then it waits for the
/// next chunk.
const TYPICAL_LONGEST: usize = 64 << 10;

/// No more packets than this in one chunk, so that the clock of a busy link moves on in small steps.
const MAX_PACKETS: usize = 8_192;

/// For so long packets are left out that came before the rings shared the interface.
const LEFT_OUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
