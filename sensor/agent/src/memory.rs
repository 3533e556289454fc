//! The program's allocator.

/// See its line in the manifest.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Free memory stays with the program for a while. What sessions leave is wanted again within a second, and the system would
/// clear each page anew: a tenth of the time of a capture of many small flows. To be called once, at the start.
#[expect(unsafe_code, reason = "an option of the allocator, which is C")]
pub(crate) fn keep() {
    // SAFETY: the call writes one number in the allocator's table of options, which has one of this index.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, KEPT_MS) };
}

/// `mi_option_purge_delay` of mimalloc's header, version 3.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// For a page; for the areas that pages lie in, it is ten times as much.
const KEPT_MS: core::ffi::c_long = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_one_that_is_meant() {
        // SAFETY: it reads a number of the same table.
        #[expect(unsafe_code, reason = "an option of the allocator, which is C")]
        let get = || unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // What the header says: ten milliseconds, unless the environment asks for something else.
        if std::env::vars().any(|(name, _)| name.to_lowercase().starts_with("mimalloc")) {
            return;
        }
        assert_ne!(get(), KEPT_MS);
        keep();
        assert_eq!(get(), KEPT_MS);
    }
}
