//! The program's allocator: mimalloc. Why it is another one than the system's, the manifest says.
//!
//! The crate of that name asks for an alignment with every allocation, which takes twice the instructions. All that mimalloc
//! hands out is aligned to a word, and hardly anything here needs more.

#![expect(unsafe_code, reason = "an allocator is written so")]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::{c_long, c_void};

use libmimalloc_sys as mimalloc;

pub(crate) struct Mimalloc;

/// What any piece of memory is aligned to.
const WORD: usize = size_of::<usize>();

// SAFETY: mimalloc's functions keep the contract of the trait: they answer null where there is no memory, pieces are of the
// size and alignment asked for, and a piece may be given back and grown whichever of them it came from.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is valid, so its alignment is a power of two.
        let piece = unsafe {
            if layout.align() <= WORD {
                mimalloc::mi_malloc(layout.size())
            } else {
                mimalloc::mi_malloc_aligned(layout.size(), layout.align())
            }
        };
        piece.cast()
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let piece = unsafe {
            if layout.align() <= WORD {
                mimalloc::mi_zalloc(layout.size())
            } else {
                mimalloc::mi_zalloc_aligned(layout.size(), layout.align())
            }
        };
        piece.cast()
    }

    #[inline]
    unsafe fn dealloc(&self, piece: *mut u8, _: Layout) {
        // SAFETY: the caller says that the piece is one of ours.
        unsafe { mimalloc::mi_free(piece.cast::<c_void>()) }
    }

    #[inline]
    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let piece = piece.cast::<c_void>();
        // SAFETY: as above, and the piece is one of ours.
        let piece = unsafe {
            if layout.align() <= WORD {
                mimalloc::mi_realloc(piece, size)
            } else {
                mimalloc::mi_realloc_aligned(piece, size, layout.align())
            }
        };
        piece.cast()
    }
}

/// Free memory stays with the program for some seconds. What sessions leave is wanted again soon, and the system would clear
/// each page anew: a tenth of the time of a capture of many small flows. To be called once, at the start.
pub(crate) fn keep_free_memory() {
    // SAFETY: the call writes one number in the allocator's table of options, which has one of this index.
    unsafe { mimalloc::mi_option_set(PURGE_DELAY, KEPT_MS) };
}

/// `mi_option_purge_delay` of mimalloc's header, version 3.
const PURGE_DELAY: mimalloc::mi_option_t = 15;
/// Instead of a second.
const KEPT_MS: c_long = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: it reads a number of the same table.
        let get = || unsafe { mimalloc::mi_option_get(PURGE_DELAY) };
        // The environment may ask for something else.
        if std::env::vars().any(|(name, _)| name.to_lowercase().starts_with("mimalloc")) {
            return;
        }
        assert_eq!(
            get(),
            1_000,
            "what the library does unless it is told otherwise"
        );
        keep_free_memory();
        assert_eq!(get(), KEPT_MS);
    }
}
