//! Moving bytes: through the caches or around them, and short runs without a call.
//!
//! Stores that go around the caches (non-temporal ones) save the read of each line that is about to
//! be overwritten, a third of a copy's memory traffic; but only whole lines gain, so the ends of a
//! range, where a line is shared with something else, are stored as usual.

use super::cpu::Level;

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// How destination bytes are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store {
    /// Around the caches.
    pub(super) stream: bool,
    pub(super) level: Level,
}

impl Store {
    /// Copies `len` bytes.
    ///
    /// # Safety
    ///
    /// The bytes may be read and written and do not overlap. Whoever lets another thread see the
    /// destination calls [`fence`] before.
    pub(super) unsafe fn copy(self, source: *const u8, destination: *mut u8, len: usize) {
        if !self.stream || len < 2 * LINE {
            // SAFETY: the caller's promise.
            unsafe { std::ptr::copy_nonoverlapping(source, destination, len) };
            return;
        }
        let head = destination.align_offset(LINE);
        let lines = len.saturating_sub(head) / LINE;
        let body = lines.saturating_mul(LINE);
        let tail = len.saturating_sub(head).saturating_sub(body);
        // SAFETY: head, body and tail are the range's parts, and `head` is below a line.
        unsafe {
            copy_short(source, destination, head);
            stream_lines(self.level, source.add(head), destination.add(head), lines);
            let end = head.saturating_add(body);
            copy_short(source.add(end), destination.add(end), tail);
        }
    }
}

/// Makes stores that went around the caches visible to other threads in order.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has it.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

/// Copies a few bytes without a call: by parts that overlap in the middle.
///
/// # Safety
///
/// The bytes may be read and written and do not overlap.
#[inline(always)]
pub(super) unsafe fn copy_short(source: *const u8, destination: *mut u8, len: usize) {
    // SAFETY: every part lies inside of the `len` bytes.
    unsafe {
        match len {
            0 => {}
            1 => destination.write(source.read()),
            2..4 => copy_ends::<2>(source, destination, len),
            4..8 => copy_ends::<4>(source, destination, len),
            8..16 => copy_ends::<8>(source, destination, len),
            16..=32 => copy_ends::<16>(source, destination, len),
            33..=64 => copy_ends::<32>(source, destination, len),
            _ => std::ptr::copy_nonoverlapping(source, destination, len),
        }
    }
}

/// Copies the first and the last `N` bytes, which together are all.
///
/// # Safety
///
/// As [`copy_short`], with `N <= len <= 2 * N`.
#[inline(always)]
unsafe fn copy_ends<const N: usize>(source: *const u8, destination: *mut u8, len: usize) {
    let last = len.wrapping_sub(N);
    // SAFETY: both parts lie inside of the `len` bytes. Both are read before one is written, which
    // the compiler may then do with two loads and two stores.
    unsafe {
        let (head, tail) =
            (source.cast::<[u8; N]>().read(), source.add(last).cast::<[u8; N]>().read());
        destination.cast::<[u8; N]>().write(head);
        destination.add(last).cast::<[u8; N]>().write(tail);
    }
}

/// Copies whole lines around the caches.
///
/// # Safety
///
/// The lines may be read and written, do not overlap, and the destination is aligned to a line.
#[cfg(target_arch = "x86_64")]
unsafe fn stream_lines(level: Level, source: *const u8, destination: *mut u8, lines: usize) {
    // SAFETY: the caller's promise; a level is only made where the processor has it.
    unsafe {
        match level {
            Level::Avx512 => x86::stream_avx512(source, destination, lines),
            Level::Avx2 => x86::stream_avx2(source, destination, lines),
            Level::Portable => x86::stream_sse2(source, destination, lines),
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
unsafe fn stream_lines(_: Level, source: *const u8, destination: *mut u8, lines: usize) {
    // SAFETY: the caller's promise.
    unsafe { std::ptr::copy_nonoverlapping(source, destination, lines.saturating_mul(LINE)) };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::LINE;

    macro_rules! stream {
        ($name:ident, $vector:ty, $load:ident, $store:ident $(, $feature:literal)?) => {
            /// # Safety
            ///
            /// As `stream_lines`, on a processor that has the feature.
            $(#[target_feature(enable = $feature)])?
            pub(super) unsafe fn $name(source: *const u8, destination: *mut u8, lines: usize) {
                const PARTS: usize = LINE / size_of::<$vector>();
                for line in 0..lines {
                    let from = source.wrapping_add(line.wrapping_mul(LINE)).cast::<$vector>();
                    let to = destination.wrapping_add(line.wrapping_mul(LINE)).cast::<$vector>();
                    for part in 0..PARTS {
                        // SAFETY: a part of a line of the caller's.
                        unsafe { $store(to.add(part), $load(from.add(part))) };
                    }
                }
            }
        };
    }

    stream!(stream_sse2, __m128i, _mm_loadu_si128, _mm_stream_si128);
    stream!(stream_avx2, __m256i, _mm256_loadu_si256, _mm256_stream_si256, "avx");
    stream!(stream_avx512, __m512i, _mm512_loadu_si512, _mm512_stream_si512, "avx512f");
}
