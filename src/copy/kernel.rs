//! Carrying out a plan.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the plan's offsets stay inside of the views that it was made from"
)]

use super::plan::{Loop, Piece, Plan};

/// Copies everything.
///
/// # Safety
///
/// Every source byte of the plan may be read and every destination byte written, no destination
/// overlaps another or a source, and nobody else uses any of them meanwhile.
pub(super) unsafe fn run(plan: &Plan) {
    for (piece, loops) in plan.pieces() {
        // SAFETY: the caller's promise is passed on, piece by piece.
        unsafe { copy_piece(piece, loops, plan.itemsize()) };
    }
}

/// # Safety
///
/// As [`run`], for one piece.
unsafe fn copy_piece(piece: &Piece, loops: &[Loop], itemsize: usize) {
    let (outer, inner) = match loops.split_last() {
        None => (loops, Loop { count: 1, source_step: 0, destination_step: 0 }),
        Some((inner, outer)) => (outer, *inner),
    };
    for_each_turn(outer, |source, destination| {
        // wrapping_offset: the offsets are those of elements, but the compiler need not know.
        let source = piece.source.wrapping_offset(source);
        let destination = piece.destination.wrapping_offset(destination);
        // SAFETY: these are the places of one innermost loop of the piece.
        unsafe {
            match piece.run {
                1 => copy_elements::<1>(source, destination, inner),
                2 => copy_elements::<2>(source, destination, inner),
                4 => copy_elements::<4>(source, destination, inner),
                8 => copy_elements::<8>(source, destination, inner),
                16 => copy_elements::<16>(source, destination, inner),
                run => copy_runs(source, destination, inner, run),
            }
        }
    });
    debug_assert!(piece.run.is_multiple_of(itemsize));
}

/// Calls `turn` with source and destination offset for each turn of a nest of loops, in order.
fn for_each_turn(loops: &[Loop], mut turn: impl FnMut(isize, isize)) {
    let mut counters = [0usize; crate::core::MAX_NDIM];
    let (mut source, mut destination) = (0isize, 0isize);
    loop {
        turn(source, destination);
        let mut level = loops.len();
        loop {
            if level == 0 {
                return;
            }
            level -= 1;
            let Loop { count, source_step, destination_step } = loops[level];
            counters[level] += 1;
            source += source_step;
            destination += destination_step;
            if counters[level] < count {
                break;
            }
            counters[level] = 0;
            source -= source_step * count as isize;
            destination -= destination_step * count as isize;
        }
    }
}

/// # Safety
///
/// `inner.count` runs of `N` bytes, at `inner`'s steps, may be read and written.
unsafe fn copy_elements<const N: usize>(source: *const u8, destination: *mut u8, inner: Loop) {
    for turn in 0..inner.count as isize {
        let from = source.wrapping_offset(turn * inner.source_step).cast::<[u8; N]>();
        let to = destination.wrapping_offset(turn * inner.destination_step).cast::<[u8; N]>();
        // SAFETY: one run of the caller's; arrays of bytes have no alignment.
        unsafe { to.write(from.read()) };
    }
}

/// # Safety
///
/// `inner.count` runs of `run` bytes, at `inner`'s steps, may be read and written.
unsafe fn copy_runs(source: *const u8, destination: *mut u8, inner: Loop, run: usize) {
    for turn in 0..inner.count as isize {
        let from = source.wrapping_offset(turn * inner.source_step);
        let to = destination.wrapping_offset(turn * inner.destination_step);
        // SAFETY: one run of the caller's; sources and destinations do not overlap.
        unsafe { std::ptr::copy_nonoverlapping(from, to, run) };
    }
}
