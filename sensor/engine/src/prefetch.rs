//! Asks for memory before it is needed. The only unsafe code of the engine: the processor's instruction takes an address.

/// Has the cache line at the start of `value`, and the next one if it is longer, fetched into the caches. It changes nothing
/// and cannot fail; where the processor has no such instruction nothing happens.
#[inline]
pub(crate) fn fetch<T: ?Sized>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = std::ptr::from_ref(value).cast::<i8>();
        #[expect(
            unsafe_code,
            reason = "a prefetch reads nothing: any address is allowed, and this one is of a live value"
        )]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(address);
            if size_of_val(value) > LINE {
                _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(LINE));
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// Octets of a cache line.
const LINE: usize = 64;
