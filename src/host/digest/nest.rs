//! The register of what a nest of loops reads, at its places in a message.
//!
//! A loop of runs is summed as Horner's rule does it: what was summed so far is moved by the loop's step,
//! and the next run added. So it takes one product for each run and no memory for any.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "places inside of a caller's memory, and loops that there are"
)]

use std::mem::MaybeUninit;

use super::engine::Engine;
use super::polynomial::Shift;
use crate::geometry::{Loop, MAX_NDIM};

/// Loops of a nest, at most: two for each dimension.
pub(super) const MAX_LOOPS: usize = 2 * MAX_NDIM;

/// Runs of so many bytes and more are summed one by one: to copy them first would gain nothing.
const MIN_SINGLE_RUN: usize = 64;
/// Shorter ones are copied next to each other where they lie no further apart than this in the message,
/// or, of [`WORD`] bytes and less, than this other number: then a sum of zeros between them takes
/// longer than a product for each run.
const MAX_IMAGE_STEP: usize = 256;
const MAX_IMAGE_STEP_OF_WORDS: usize = 32;
/// Bytes of a message that are put together at a time. They stay in the first-level cache.
const IMAGE: usize = 4 << 10;
const WORD: usize = 8;
/// Bytes between words, from which on each has a line of memory of its own.
const LINE: usize = 64;

/// Runs to be summed: a nest of `outer` and `inner` loops.
#[derive(Debug, Clone, Copy)]
pub(super) struct RunNest<'a> {
    pub(super) first: *const u8,
    pub(super) run: usize,
    pub(super) outer: Loop,
    pub(super) inner: &'a [Loop],
}

/// The register of all runs, where the message ends with the run that is furthest behind.
///
/// # Safety
///
/// All runs may be read, and each loop steps forward in the message.
#[inline(always)]
pub(super) unsafe fn register_of<E: Engine>(engine: E, nest: &RunNest<'_>) -> u64 {
    let mut loops = [Loop::ONCE; MAX_LOOPS + 1];
    loops[0] = nest.outer;
    loops[1..=nest.inner.len()].copy_from_slice(nest.inner);
    let loops = &mut loops[..=nest.inner.len()];
    read_forward(loops, nest.run);
    let Some((innermost, outer)) = loops.split_last() else {
        return 0;
    };
    let by = engine.shift_of(innermost.destination_step.unsigned_abs());
    let mut shifts = [by; MAX_LOOPS];
    for (shift, level) in shifts.iter_mut().zip(outer.iter()) {
        *shift = engine.shift_of(level.destination_step.unsigned_abs());
    }
    let (mut sums, mut turns) = ([0; MAX_LOOPS], [0; MAX_LOOPS]);
    let mut at = nest.first;
    loop {
        // SAFETY: `at` is where the runs of one turn of all outer loops begin, and the contract of
        // `register_of` covers all runs.
        let mut sum = unsafe { register_of_loop(engine, at, innermost, nest.run, by) };
        let mut level = outer.len();
        loop {
            if level == 0 {
                return sum;
            }
            level -= 1;
            sum ^= engine.shift(sums[level], shifts[level]);
            turns[level] += 1;
            at = at.wrapping_offset(outer[level].source_step);
            if turns[level] < outer[level].count {
                sums[level] = sum;
                break;
            }
            at = at.wrapping_offset(-(outer[level].source_step * outer[level].count as isize));
            (sums[level], turns[level]) = (0, 0);
        }
    }
}

/// Makes the loop innermost that goes through neighbouring words of memory, where those of the message
/// have a line each: of the order of loops a sum is independent.
fn read_forward(loops: &mut [Loop], run: usize) {
    let far = |level: &Loop| level.source_step.unsigned_abs() >= LINE;
    if run > WORD || !loops.last().is_some_and(far) {
        return;
    }
    let steps = loops.iter().enumerate().filter(|(_, level)| level.count > 1);
    let nearest = steps.min_by_key(|(_, level)| level.source_step.unsigned_abs());
    if let Some((nearest, _)) = nearest.filter(|(_, level)| !far(level)) {
        loops[nearest..].rotate_left(1);
    }
}

/// The register of the runs of one loop, where the message ends with the last of them.
///
/// # Safety
///
/// As [`register_of`], for these runs.
#[inline(always)]
unsafe fn register_of_loop<E: Engine>(
    engine: E, first: *const u8, level: &Loop, run: usize, by: Shift,
) -> u64 {
    let step = level.destination_step.unsigned_abs();
    let max_step = if run > WORD { MAX_IMAGE_STEP } else { MAX_IMAGE_STEP_OF_WORDS };
    // SAFETY: the contract of `register_of_loop` covers all runs of the loop, from `first` on.
    unsafe {
        if level.count > 1 && run < MIN_SINGLE_RUN && step <= max_step {
            return register_of_image(engine, first, level, run);
        }
        if level.count > 1 && run <= WORD {
            let places = (level.count, level.source_step);
            return match run {
                1 => engine.words(first, places, 1, by),
                2 => engine.words(first, places, 2, by),
                4 => engine.words(first, places, 4, by),
                8 => engine.words(first, places, 8, by),
                _ => engine.words(first, places, run, by),
            };
        }
        let mut sum = engine.update(0, first, run);
        let mut at = first;
        for _ in 1..level.count {
            at = at.wrapping_offset(level.source_step);
            // The product of one run is made while the bytes of the next are summed.
            sum = engine.shift(sum, by) ^ engine.update(0, at, run);
        }
        sum
    }
}

/// The same, by parts of the message with zeros between the runs.
///
/// # Safety
///
/// As [`register_of_loop`].
#[inline(always)]
unsafe fn register_of_image<E: Engine>(
    engine: E, first: *const u8, level: &Loop, run: usize,
) -> u64 {
    let step = level.destination_step.unsigned_abs();
    let most = level.count.min(IMAGE / step);
    let mut image = MaybeUninit::<[u8; IMAGE]>::uninit();
    let image: *mut u8 = image.as_mut_ptr().cast();
    let (mut register, mut at, mut left) = (0, first, level.count);
    // SAFETY: `most` steps are at most the `image`, and all of those are written, with zeros or
    // runs, before they are read. The contract of `register_of_image` covers the runs.
    unsafe {
        if run < step {
            image.write_bytes(0, most * step);
        }
        // Zeros come first, so that the message ends with the last run.
        let place = image.add(step - run);
        while left > 0 {
            let count = left.min(most);
            let source = (at, level.source_step);
            match run {
                1 => spread::<1>(source, place, step, count),
                2 => spread::<2>(source, place, step, count),
                4 => spread::<4>(source, place, step, count),
                8 => spread::<8>(source, place, step, count),
                16 => spread::<16>(source, place, step, count),
                _ => spread_any(source, place, step, count, run),
            }
            register = engine.update(register, image, count * step);
            at = at.wrapping_offset(count as isize * level.source_step);
            left -= count;
        }
    }
    register
}

/// Copies runs of `RUN` bytes to places that are `step` apart.
///
/// # Safety
///
/// `count` runs may be read and written, and they do not overlap.
#[inline(always)]
unsafe fn spread<const RUN: usize>(
    (from, from_step): (*const u8, isize), to: *mut u8, step: usize, count: usize,
) {
    let mut from = from;
    for at in 0..count {
        // SAFETY: the contract of `spread` is that `count` runs may be read at `from`, and written
        // at `to`.
        unsafe { to.add(at * step).cast::<[u8; RUN]>().write(from.cast::<[u8; RUN]>().read()) };
        from = from.wrapping_offset(from_step);
    }
}

/// Copies runs of `run` bytes to places that are `step` apart.
///
/// # Safety
///
/// As [`spread`].
#[inline(always)]
unsafe fn spread_any(
    (from, from_step): (*const u8, isize), to: *mut u8, step: usize, count: usize, run: usize,
) {
    let mut from = from;
    for at in 0..count {
        // SAFETY: the contract of `spread_any` is that `count` runs may be read at `from`, and
        // written at `to`.
        unsafe { to.add(at * step).copy_from_nonoverlapping(from, run) };
        from = from.wrapping_offset(from_step);
    }
}
