//! Runs of one length at regular steps, with cached stores.

#![allow(clippy::arithmetic_side_effects, reason = "bytes of a range that the caller promises")]

use crate::host::cpu::Level;
use crate::host::simd::{Vector, by_level, copy_ends, copy_fixed};

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
    for at in 0..count as isize {
        let from = from.wrapping_offset(at * from_step);
        let to = to.wrapping_offset(at * to_step);
        // SAFETY: `from` and `to` are one run, which the contract of `copy_long_runs` covers.
        unsafe { copy_long_run::<V>(from, to, run) };
    }
}

/// Copies a run of a line or more.
///
/// # Safety
///
/// The run may be read and written, and does not overlap itself.
#[inline(always)]
pub(super) unsafe fn copy_long_run<V: Vector>(from: *const u8, to: *mut u8, run: usize) {
    let last = run - V::BYTES;
    // SAFETY: `at` is at most `last`, so that the vector is inside of the run, which the contract of
    // `copy_long_run` covers.
    unsafe {
        for at in (0..last).step_by(V::BYTES) {
            V::load(from.add(at)).store(to.add(at));
        }
        V::load(from.add(last)).store(to.add(last));
    }
}

/// Copies `count` runs of `run` bytes with cached stores; each side steps from one to the next.
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
                // SAFETY: `from` and `to` are one run of `run` bytes, which the contract of
                // `copy_runs` covers.
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
        // SAFETY: the contract of `copy_runs` is that of `copy_long_runs`, whose runs are at least
        // as long as any vector, and `run` is at least 64 here.
        _ => unsafe { copy_long_runs(level, from, from_step, to, to_step, count, run) },
    }
}
