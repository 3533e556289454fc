//! Windows onto a capture file: its pages in the page cache are read where they lie, and nothing is copied.
//!
//! A read is a copy, and of a packet of which only the headers matter it is most of the work. Two things must be so for a
//! window to be the better way. The octets are gone through in their order first ([`Window::warm`]): packet by packet, each
//! header would be waited for by itself. And a file that somebody cuts while it is mapped must not end the program: the
//! kernel sends a SIGBUS for what is missing. The handler here puts a page of zeros in its place and takes it down;
//! [`Window::is_torn`] tells, and the reader goes on by reads, which say what is wrong with the file.
//!
//! Where the page cache holds a file in small pages, making the map costs more than the copy: [`Window::was_cheap`].
//!
//! A file that is overwritten in place meanwhile gives octets of both versions, as it does with reads.

#![expect(
    unsafe_code,
    reason = "mapping a file and a signal's handler are calls of the system that no library makes safe"
)]

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

use memmap2::{Mmap, MmapOptions};

/// A part of a file in memory, for as long as somebody holds it.
#[derive(Debug)]
pub(super) struct Window {
    map: Mmap,
    /// Where in the file it begins.
    start: u64,
    /// Page faults that it has cost.
    faults: AtomicI64,
    slot: &'static Slot,
}

/// What the handler must know of a window.
#[derive(Debug)]
struct Slot {
    taken: AtomicBool,
    /// The first address, 0 while there is none.
    from: AtomicUsize,
    octets: AtomicUsize,
    torn: AtomicBool,
}

impl Window {
    /// The window of at most [`WINDOW`] octets in which `offset` lies, of a file of `length` octets. It begins where a huge
    /// page may, up to [`ALIGNED`] before `offset`.
    ///
    /// # Errors
    /// When the system refuses, or too many windows are open.
    pub(super) fn open(file: &File, offset: u64, length: u64) -> io::Result<Self> {
        guard()?;
        let start = offset - offset % ALIGNED;
        let octets = length.saturating_sub(start).min(WINDOW) as usize;
        let free = |slot: &&Slot| !slot.taken.swap(true, Ordering::AcqRel);
        let slot = SLOTS
            .iter()
            .find(free)
            .ok_or_else(|| io::Error::other("too many windows"))?;
        // SAFETY: the map is only read, and by code that bounds every access by the length it was made with. What is missing
        // of it after a cut of the file reads as zeros, by the handler below.
        let map = match unsafe { MmapOptions::new().offset(start).len(octets).map(file) } {
            Ok(map) => map,
            Err(error) => {
                slot.taken.store(false, Ordering::Release);
                return Err(error);
            }
        };
        slot.torn.store(false, Ordering::Relaxed);
        slot.octets.store(map.len(), Ordering::Relaxed);
        slot.from.store(map.as_ptr().addr(), Ordering::Release);
        Ok(Self {
            map,
            start,
            faults: AtomicI64::new(0),
            slot,
        })
    }

    /// Where in the window an offset of the file is, if at least so many octets follow it.
    pub(super) fn place(&self, offset: u64, octets: usize) -> Option<usize> {
        let place = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        (place + octets <= self.map.len()).then_some(place)
    }

    /// Brings a part of it into the processor's caches, in order, which the memory delivers many times faster than the same
    /// lines one by one.
    pub(super) fn warm(&self, part: Range<usize>) {
        let before = faults();
        let octets = self.map.get(part).unwrap_or_default();
        // Of single octets the compiler makes a pattern of accesses that the processor does not recognise: twice as slow.
        let lines = octets
            .chunks_exact(LINE)
            .filter_map(|line| line.first_chunk());
        std::hint::black_box(lines.fold(0, |all, &one| all ^ u128::from_ne_bytes(one)));
        self.faults.fetch_add(faults() - before, Ordering::Relaxed);
    }

    /// Whether it was cheaper than reads, to be asked when it has been gone through. Where the page cache holds the file in
    /// small pages, the system makes its map a few of them at a time, and that costs more than a copy.
    pub(super) fn was_cheap(&self) -> bool {
        let most = (self.map.len() as u64 / OF_SMALL_PAGES) as i64;
        self.faults.load(Ordering::Relaxed) <= most
    }

    /// Whether the file was found to be shorter than it was; some of the octets are zeros instead.
    pub(super) fn is_torn(&self) -> bool {
        self.slot.torn.load(Ordering::Acquire)
    }
}

impl Deref for Window {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // The map itself goes after this; nobody reads it any more.
        self.slot.from.store(0, Ordering::Release);
        self.slot.taken.store(false, Ordering::Release);
    }
}

/// How many page faults the thread has had that read nothing from a disk; 0 where nobody counts.
fn faults() -> i64 {
    // SAFETY: the call fills the structure, of which all bits may be 0.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        match libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) {
            0 => usage.ru_minflt,
            _ => 0,
        }
    }
}

/// Sets the handler, once.
fn guard() -> io::Result<()> {
    static SET: OnceLock<Option<i32>> = OnceLock::new();
    let failed = SET.get_or_init(|| {
        // SAFETY: the handler has the signature that SA_SIGINFO asks for, and only does what a handler may: it reads and
        // writes atomics, and calls mmap and sigaction.
        let answer = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = missing as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut())
        };
        (answer != 0).then(|| io::Error::last_os_error().raw_os_error().unwrap_or(0))
    });
    match *failed {
        None => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code)),
    }
}

/// A page of a window is missing: zeros take its place, so that whoever reads goes on. Any other SIGBUS ends the program, as
/// it would have without this.
extern "C" fn missing(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel gives a valid `siginfo_t`, whose address is that of the access for SIGBUS.
    let address = unsafe { (*info).si_addr() }.addr();
    for slot in &SLOTS {
        let from = slot.from.load(Ordering::Acquire);
        let octets = slot.octets.load(Ordering::Relaxed);
        if from == 0 || !(from..from + octets).contains(&address) {
            continue;
        }
        let page = address & !(PAGE - 1);
        // SAFETY: the page belongs to a map that `Window` made and that lives while `from` is set.
        let put = unsafe {
            libc::mmap(
                std::ptr::without_provenance_mut(page),
                PAGE,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                -1,
                0,
            )
        };
        if put == libc::MAP_FAILED {
            break;
        }
        slot.torn.store(true, Ordering::Release);
        return;
    }
    // SAFETY: the default action takes effect when the access is tried again.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}

static SLOTS: [Slot; 64] = [const {
    Slot {
        taken: AtomicBool::new(false),
        from: AtomicUsize::new(0),
        octets: AtomicUsize::new(0),
        torn: AtomicBool::new(false),
    }
}; 64];

/// How much of a file is mapped at once: so little that the memory in use does not grow with the file, so much that the
/// system calls do not show.
const WINDOW: u64 = 8 << 20;
/// Windows begin at multiples of this in the file: where its pages are huge ones, they are mapped as such.
const ALIGNED: u64 = 2 << 20;
/// A fault for so many octets or fewer: Linux maps 64 KiB at a time around a small page.
const OF_SMALL_PAGES: u64 = 128 << 10;
/// The least page there is; a larger one consists of such.
const PAGE: usize = 4 << 10;
/// Octets of a cache line.
const LINE: usize = 64;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_of(octets: usize) -> File {
        let mut file = tempfile::tempfile().expect("a file");
        let all: Vec<u8> = (0..octets).map(|at| (at / 1000) as u8).collect();
        file.write_all(&all).expect("written");
        file
    }

    #[test]
    fn shows_what_is_in_the_file() {
        let length = 5 << 20;
        let file = file_of(length);
        let offset = (3 << 20) + 17;
        let window = Window::open(&file, offset as u64, length as u64).expect("a window");
        let place = window.place(offset as u64, 1000).expect("it lies inside");
        assert_eq!(place, (1 << 20) + 17);
        for at in [0, 1, 999] {
            assert_eq!(window[place + at], ((offset + at) / 1000) as u8);
        }
        assert_eq!(window.len(), 3 << 20);
        assert_eq!(window.place(0, 1), None);
        assert!(window.place(length as u64 - 10, 10).is_some());
        assert_eq!(window.place(length as u64 - 10, 11), None);
        assert!(!window.is_torn());
    }

    #[test]
    fn a_file_that_is_cut_meanwhile_ends_in_zeros() {
        let length = 1 << 20;
        let file = file_of(length);
        let whole = Window::open(&file, 0, length as u64).expect("a window");
        let other = Window::open(&file_of(length), 0, length as u64).expect("another");
        file.set_len(100_000).expect("cut");
        whole.warm(0..whole.len());
        other.warm(0..other.len());
        assert!(whole.is_torn() && !other.is_torn());
        assert_eq!(whole[99_999], 99);
        assert!(whole[200_000..].iter().all(|&octet| octet == 0));
        assert_eq!(other[200_000], 200);
        drop(whole);
        let again = Window::open(&file, 0, 100_000).expect("a window");
        assert!(!again.is_torn(), "a slot forgets");
    }

    #[test]
    fn there_are_no_more_windows_than_the_handler_knows() {
        let file = file_of(4096);
        let windows: Vec<_> = (0..SLOTS.len())
            .map_while(|_| Window::open(&file, 0, 4096).ok())
            .collect();
        // Other tests of this process may hold some.
        assert!(windows.len() > SLOTS.len() / 2);
        let refused = (windows.len() == SLOTS.len()).then(|| Window::open(&file, 0, 4096));
        assert!(refused.is_none_or(|refused| refused.is_err()));
        drop(windows);
        assert!(Window::open(&file, 0, 4096).is_ok());
    }
}
