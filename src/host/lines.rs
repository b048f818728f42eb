//! Moving bytes: through the caches or around them, and short runs without a call.
//!
//! Stores that go around the caches (non-temporal ones) save the read of each line that is about to
//! be overwritten, a third of a copy's memory traffic. But only whole lines gain, and only lines that
//! are written at once: half a line costs more than a whole one.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

use super::cpu::Level;
use super::tiles::Ahead;
use super::vector::{Vector, by_level, prefetch};

/// Bytes of a cache line.
pub(super) const LINE: usize = 64;

/// How destination bytes are stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Store {
    /// With which instructions.
    pub(super) level: Level,
    /// Around the caches.
    pub(super) around: bool,
}

/// Memory that is read some time after what is being copied, and fetched meanwhile, line for line:
/// what lies here and there is no pattern that a processor recognises.
#[derive(Debug, Clone, Copy)]
pub(super) struct Soon {
    pub(super) place: *const u8,
    pub(super) bytes: usize,
}

impl Soon {
    pub(super) const NOTHING: Self = Self { place: std::ptr::null(), bytes: 0 };

    /// Fetches the line that has `at` bytes before it.
    #[inline(always)]
    fn fetch(self, at: usize) {
        if at < self.bytes {
            prefetch(self.place.wrapping_add(at));
        }
    }
}

impl Store {
    /// Copies a long run.
    ///
    /// # Safety
    ///
    /// As [`stream`].
    pub(super) unsafe fn copy(self, from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            if self.around {
                stream(self.level, from, to, len, Soon::NOTHING);
            } else {
                std::ptr::copy_nonoverlapping(from, to, len);
            }
        }
    }
}

by_level! {
    /// Copies bytes around the caches, but for the lines at their ends that are not whole.
    ///
    /// # Safety
    ///
    /// The bytes may be read and written and do not overlap. Whoever lets another thread see what was
    /// written calls [`fence`] before.
    stream = stream_with(from: *const u8, to: *mut u8, len: usize, soon: Soon)
}

#[inline(always)]
unsafe fn stream_with<V: Vector>(from: *const u8, to: *mut u8, len: usize, soon: Soon) {
    let head = to.align_offset(LINE).min(len);
    let lines = (len - head) / LINE;
    let end = head + lines * LINE;
    // SAFETY: the range's three parts.
    unsafe {
        copy_short(from, to, head);
        stream_lines::<V>(from.add(head), to.add(head), lines, soon);
        copy_short(from.add(end), to.add(end), len - end);
    }
}

/// Copies whole lines around the caches.
///
/// # Safety
///
/// As [`stream`], and `to` is a multiple of a line.
#[inline(always)]
pub(super) unsafe fn stream_lines<V: Vector>(
    from: *const u8, to: *mut u8, lines: usize, soon: Soon,
) {
    for line in 0..lines {
        soon.fetch(line * LINE);
        for part in (0..LINE).step_by(V::BYTES) {
            let at = line * LINE + part;
            // SAFETY: a part of a line of the caller's.
            unsafe { V::load(from.add(at)).stream(to.add(at)) };
        }
    }
}

/// Whether runs of `run` bytes may be joined without putting them together in memory.
pub(super) fn joinable(run: usize) -> bool {
    run == 16 || run == 32 || run.is_multiple_of(LINE)
}

by_level! {
    /// Copies runs around the caches: to each destination one of each source, one behind the other;
    /// those of the first destination are `offset` bytes behind the sources, and the next one's follow
    /// them. Lines of `ahead` are fetched meanwhile.
    ///
    /// # Safety
    ///
    /// The runs may be read, their bytes written, and they do not overlap. They are [`joinable`], those
    /// of a destination are whole lines together, and destinations are multiples of a line.
    join_runs = join_runs_with(
        run: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8],
        ahead: &mut Ahead,
    )
}

#[inline(always)]
unsafe fn join_runs_with<V: Vector>(
    run: usize, sources: &[*const u8], offset: usize, destinations: &[*mut u8], ahead: &mut Ahead,
) {
    for (number, &to) in destinations.iter().enumerate() {
        ahead.fetch(sources.len() * run / LINE);
        let at = offset + number * run;
        // SAFETY: runs of the caller's.
        unsafe {
            match run {
                16 => join_short::<V, 16>(sources, at, to),
                32 => join_short::<V, 32>(sources, at, to),
                _ => {
                    for (number, source) in sources.iter().enumerate() {
                        let to = to.add(number * run);
                        stream_lines::<V>(source.add(at), to, run / LINE, Soon::NOTHING);
                    }
                }
            }
        }
    }
}

/// # Safety
///
/// As [`join_runs`].
#[inline(always)]
unsafe fn join_short<V: Vector, const RUN: usize>(sources: &[*const u8], at: usize, to: *mut u8) {
    for (number, line) in sources.chunks_exact(LINE / RUN).enumerate() {
        let to = to.wrapping_add(number * LINE);
        for part in (0..LINE).step_by(V::BYTES) {
            let (run, inside) = (part / RUN, part % RUN);
            // SAFETY: a part of a line of the caller's.
            unsafe {
                let from = line.as_ptr().add(run);
                let vector = if RUN >= V::BYTES {
                    V::load((*from).add(at + inside))
                } else if RUN == 16 {
                    V::load_parts(from, 1, at)
                } else {
                    V::load_halves(from, at)
                };
                vector.stream(to.add(part));
            }
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

/// Copies `N` bytes.
///
/// # Safety
///
/// The bytes may be read and written and do not overlap.
#[inline(always)]
pub(super) unsafe fn copy_fixed<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; bytes need no alignment.
    unsafe { to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read()) }
}

/// Copies the first and the last `N` bytes, which together are all.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes, and `N <= len <= 2 * N`.
#[inline(always)]
unsafe fn copy_ends<const N: usize>(from: *const u8, to: *mut u8, len: usize) {
    let last = len - N;
    // SAFETY: both parts lie inside of the `len` bytes.
    unsafe {
        let tail = from.add(last).cast::<[u8; N]>().read();
        copy_fixed::<N>(from, to);
        to.add(last).cast::<[u8; N]>().write(tail);
    }
}

by_level! {
    /// Copies runs of a line or more, by vectors of which the last two may overlap.
    ///
    /// # Safety
    ///
    /// As [`copy_runs`].
    copy_long_runs = copy_long_runs_with(
        from: *const u8, from_step: isize, to: *mut u8, to_step: isize, count: usize, run: usize,
    )
}

#[inline(always)]
unsafe fn copy_long_runs_with<V: Vector>(
    from: *const u8, from_step: isize, to: *mut u8, to_step: isize, count: usize, run: usize,
) {
    let last = run - V::BYTES;
    for at in 0..count as isize {
        let from = from.wrapping_offset(at * from_step);
        let to = to.wrapping_offset(at * to_step);
        // SAFETY: vectors inside of one run.
        unsafe {
            for at in (0..last).step_by(V::BYTES) {
                V::load(from.add(at)).store(to.add(at));
            }
            V::load(from.add(last)).store(to.add(last));
        }
    }
}

/// Copies at most a line without a loop.
///
/// # Safety
///
/// As [`copy_fixed`], for `len` bytes.
#[inline(always)]
pub(super) unsafe fn copy_short(from: *const u8, to: *mut u8, len: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        match len {
            0 => {}
            1 => copy_fixed::<1>(from, to),
            2..4 => copy_ends::<2>(from, to, len),
            4..8 => copy_ends::<4>(from, to, len),
            8..16 => copy_ends::<8>(from, to, len),
            16..32 => copy_ends::<16>(from, to, len),
            _ => copy_ends::<32>(from, to, len),
        }
    }
}

/// Copies `count` runs of `run` bytes through the caches; each side steps from one to the next.
///
/// # Safety
///
/// The runs may be read and written and do not overlap.
pub(super) unsafe fn copy_runs(
    level: Level, from: *const u8, from_step: isize, to: *mut u8, to_step: isize, count: usize,
    run: usize,
) {
    // Each run by the same few instructions.
    macro_rules! each {
        ($copy:path $(, $run:ident)?) => {
            for at in 0..count as isize {
                let from = from.wrapping_offset(at * from_step);
                let to = to.wrapping_offset(at * to_step);
                // SAFETY: one run of the caller's.
                unsafe { $copy(from, to $(, $run)?) }
            }
        };
    }
    match run {
        0 => {}
        1 => each!(copy_fixed::<1>),
        2 => each!(copy_fixed::<2>),
        4 => each!(copy_fixed::<4>),
        8 => each!(copy_fixed::<8>),
        16 => each!(copy_fixed::<16>),
        32 => each!(copy_fixed::<32>),
        3 => each!(copy_ends::<2>, run),
        5..8 => each!(copy_ends::<4>, run),
        9..16 => each!(copy_ends::<8>, run),
        17..32 => each!(copy_ends::<16>, run),
        33..64 => each!(copy_ends::<32>, run),
        // SAFETY: the caller's promise.
        _ => unsafe { copy_long_runs(level, from, from_step, to, to_step, count, run) },
    }
}
