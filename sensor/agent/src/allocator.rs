//! The program's allocator: mimalloc. Why it is another one than the system's, the manifest says.
//!
//! The crate of that name asks for an alignment with every allocation, which takes twice the instructions. All that mimalloc
//! hands out is aligned to a word, and hardly anything here needs more.

#![expect(unsafe_code, reason = "an allocator is written so")]

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

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
