//! Vectors: what the kernels are written in, whatever instructions the processor has.
//!
//! A kernel is generic over [`Vector`] and always inlined; [`by_level`] makes a function of it in
//! which it is compiled with the instructions of each level.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod memory;
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod plain;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

use super::writer::Held;

/// What every processor of the architecture has.
#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::Neon as Portable;
#[cfg(test)]
pub(super) use plain::Plain;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use plain::Plain as Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::Sse2 as Portable;

/// A line that is filled from front to back, and then written around the caches.
pub(super) trait Line {
    /// # Safety
    ///
    /// The processor has the vector's instructions; so for all of these.
    unsafe fn of(held: &Held) -> Self;

    /// What is in it; what was not put there is anything.
    ///
    /// # Safety
    ///
    /// As [`Self::of`].
    unsafe fn hold(&self) -> Held;

    /// Puts the first `len` bytes of a run of `run` bytes to place `at` and on.
    ///
    /// # Safety
    ///
    /// The run may be read. It has as many bytes, and the line as much room.
    unsafe fn put_first(&mut self, at: usize, from: *const u8, len: usize, run: usize);

    /// Begins a new line with the last `len` bytes, less than a line, of a run of `run` bytes; these
    /// are at `from`.
    ///
    /// # Safety
    ///
    /// As [`Self::put_first`].
    unsafe fn put_last(&mut self, from: *const u8, len: usize, run: usize);

    /// Stores it around the caches.
    ///
    /// # Safety
    ///
    /// A line may be written, and `to` is a multiple of one.
    unsafe fn stream(&self, to: *mut u8);
}

/// Some bytes in a register: one or more parts of 16 bytes.
pub(super) trait Vector: Copy {
    /// What lines are put together in.
    type Line: Line;

    /// Bytes of one.
    const BYTES: usize;

    /// # Safety
    ///
    /// [`Self::BYTES`] may be read.
    unsafe fn load(from: *const u8) -> Self;

    /// A part of 16 bytes from each of the places `from[0]`, `from[every]`, `from[2 * every]` and so
    /// on, `at` bytes behind it.
    ///
    /// # Safety
    ///
    /// There is such a place for each part, and 16 bytes may be read there.
    unsafe fn load_parts(from: *const *const u8, every: usize, at: usize) -> Self;

    /// The 32 bytes `at` bytes behind each of two places; of a vector of 64 bytes.
    ///
    /// # Safety
    ///
    /// They may be read.
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self;

    /// # Safety
    ///
    /// [`Self::BYTES`] may be written.
    unsafe fn store(self, to: *mut u8);

    /// Stores around the caches.
    ///
    /// # Safety
    ///
    /// [`Self::BYTES`] may be written, and `to` is a multiple of them.
    unsafe fn stream(self, to: *mut u8);

    /// The elements of two vectors in turn, each part of 16 bytes for itself: those of the parts'
    /// first halves, and those of their second halves. Elements have 1, 2, 4 or 8 bytes.
    ///
    /// # Safety
    ///
    /// The processor has the vector's instructions; so for all of these.
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self);
}

/// Fetches the line at `place` ahead of its use. No memory need be there.
#[inline(always)]
pub(super) fn prefetch(place: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of x86-64, and a prefetch never faults.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a prefetch never faults and changes nothing that a program can see.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{place}]", place = in(reg) place,
            options(nostack, readonly, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}

/// Makes a function `$name(level, ...)` of the kernel `$kernel<V>(...)`, compiled for each level. Of
/// kernels that put lines together, as `[masks]` says, the masks of AVX-512 make the difference, and
/// what comes before them none: they are compiled twice.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_macro_rules, reason = "one level only"))]
macro_rules! by_level {
    (
        $(#[$meta:meta])* $name:ident = $kernel:ident($($argument:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? $([$masks:ident])?
    ) => {
        $(#[$meta])*
        #[inline(never)]
        pub(super) unsafe fn $name(
            level: $crate::host::cpu::Level, $($argument: $type),*
        ) $(-> $result)? {
            use $crate::host::vector;

            // Elsewhere there is one level only.
            #[cfg(not(target_arch = "x86_64"))]
            let _ = level;
            // SAFETY: the caller's promise is passed on; a level is only chosen where the processor
            // has it.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                vector::by_level!(
                    @level, level, Avx512, "avx512f,avx512bw", $kernel($($argument: $type),*) $(-> $result)?
                );
                #[cfg(target_arch = "x86_64")]
                vector::by_level!(
                    @level $($masks)?, level, Avx2, "avx2", $kernel($($argument: $type),*) $(-> $result)?
                );
                $kernel::<vector::Portable>($($argument),*)
            }
        }
    };
    (
        @level, $chosen:ident, $level:ident, $features:literal, $kernel:ident($($argument:ident: $type:ty),*)
        $(-> $result:ty)?
    ) => {
        if $chosen == $crate::host::cpu::Level::$level {
            #[target_feature(enable = $features)]
            unsafe fn compiled($($argument: $type),*) $(-> $result)? {
                // SAFETY: the caller's promise is passed on.
                unsafe { $kernel::<vector::x86::$level>($($argument),*) }
            }
            return compiled($($argument),*);
        }
    };
    (@level masks, $($rest:tt)*) => {};
}
pub(super) use by_level;
