//! Prefetching of memory that is read soon.

/// The cache line of all processors that are tuned for.
const LINE: usize = 64;

/// The cache into which lines are prefetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefetchInto {
    /// The first-level cache of the processor that asks.
    FirstLevel,
    /// Its second-level cache, which leaves the few line fill buffers of the first level to loads.
    SecondLevel,
}

/// Prefetches the line at `place`. No memory need be there.
#[inline(always)]
pub(crate) fn prefetch(place: *const u8, into: PrefetchInto) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: `_mm_prefetch` is SSE, which every x86-64 has, and never faults, whatever the `place`
    // is.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _MM_HINT_T1, _mm_prefetch};
        match into {
            PrefetchInto::FirstLevel => _mm_prefetch::<_MM_HINT_T0>(place.cast()),
            PrefetchInto::SecondLevel => _mm_prefetch::<_MM_HINT_T1>(place.cast()),
        }
    }
    #[cfg(all(target_arch = "aarch64", not(miri)))]
    // SAFETY: a prefetch never faults, whatever the `place` is, and changes nothing that a program
    // can see.
    unsafe {
        match into {
            PrefetchInto::FirstLevel => std::arch::asm!("prfm pldl1keep, [{place}]",
                place = in(reg) place, options(nostack, readonly, preserves_flags)),
            PrefetchInto::SecondLevel => std::arch::asm!("prfm pldl2keep, [{place}]",
                place = in(reg) place, options(nostack, readonly, preserves_flags)),
        }
    }
    #[cfg(any(miri, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let _ = (place, into);
}

/// Prefetches all lines of a slice into the first-level cache.
#[inline(always)]
pub(crate) fn prefetch_slice<T>(slice: &[T]) {
    let start = slice.as_ptr().cast::<u8>();
    let before = start.addr() % LINE;
    for at in (0..before.saturating_add(size_of_val(slice))).step_by(LINE) {
        prefetch(start.wrapping_sub(before).wrapping_add(at), PrefetchInto::FirstLevel);
    }
}
