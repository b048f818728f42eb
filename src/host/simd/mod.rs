//! Vectors: what the kernels are written in, whatever instructions the processor has.
//!
//! A kernel is generic over [`Vector`] and always inlined; [`by_level`] makes a function of it in
//! which it is compiled with the instructions of each level.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod line_buffer;
mod memory_line;
#[cfg(any(test, not(any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod plain;
mod short;
mod vector;
#[cfg(target_arch = "x86_64")]
mod x86;

/// The instructions of every processor of the architecture.
#[cfg(target_arch = "aarch64")]
pub(super) use aarch64::Neon as Portable;
pub(super) use line_buffer::{LineBuffer, LineBytes};
#[cfg(test)]
pub(super) use plain::Plain;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) use plain::Plain as Portable;
pub(super) use short::{copy_ends, copy_fixed, copy_short};
pub(super) use vector::Vector;
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512, Sse2 as Portable};

/// Makes a function `$name(level, ...)` of the kernel `$kernel<V>(...)`, compiled for each level;
/// with `<S: StripSource>` both are generic over what the prefetcher reads ahead. Kernels that
/// combine lines, marked `[masks]`, gain from the masks of AVX-512, but not from AVX2: they are
/// compiled twice.
///
/// # Safety
///
/// That of `$kernel`, which gets the same arguments, and `level` is one that the processor has.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_macro_rules, reason = "one level only"))]
macro_rules! by_level {
    (
        $(#[$meta:meta])* $name:ident $(<$source:ident: $bound:path>)? =
        $kernel:ident($($argument:ident: $type:ty),* $(,)?)
        $(-> $result:ty)? $([$masks:ident])?
    ) => {
        $(#[$meta])*
        #[inline(never)]
        pub(super) unsafe fn $name$(<$source: $bound>)?(
            level: $crate::host::cpu::Level, $($argument: $type),*
        ) $(-> $result)? {
            use $crate::host::simd;

            // Elsewhere there is one level only.
            #[cfg(not(target_arch = "x86_64"))]
            let _ = level;
            // SAFETY: `$name` passes its arguments on to `$kernel`, whose contract is the same; see
            // `by_level`. A `level` is only chosen where the processor has it.
            unsafe {
                #[cfg(target_arch = "x86_64")]
                simd::by_level!(
                    @level, level, Avx512, "avx512f,avx512bw",
                    $kernel$(<$source: $bound>)?($($argument: $type),*) $(-> $result)?
                );
                #[cfg(target_arch = "x86_64")]
                simd::by_level!(
                    @level $($masks)?, level, Avx2, "avx2",
                    $kernel$(<$source: $bound>)?($($argument: $type),*) $(-> $result)?
                );
                $kernel::<simd::Portable $(, $source)?>($($argument),*)
            }
        }
    };
    (
        @level, $chosen:ident, $level:ident, $features:literal,
        $kernel:ident $(<$source:ident: $bound:path>)?($($argument:ident: $type:ty),*) $(-> $result:ty)?
    ) => {
        if $chosen == $crate::host::cpu::Level::$level {
            #[target_feature(enable = $features)]
            unsafe fn compiled$(<$source: $bound>)?($($argument: $type),*) $(-> $result)? {
                // SAFETY: `compiled` is only called above, on a processor that has `$features`, and
                // passes its arguments on to `$kernel`, whose contract is the same; see `by_level`.
                unsafe { $kernel::<simd::$level $(, $source)?>($($argument),*) }
            }
            return compiled$(::<$source>)?($($argument),*);
        }
    };
    (@level masks, $($rest:tt)*) => {};
}
pub(super) use by_level;
