//! Runs that are streamed one by one, for nothing has to be combined.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space"
)]

use std::ops::Range;

use super::lanes::{Lane, whole_lines};
use crate::host::cpu::LINE;
use crate::host::options::PrefetchInto;
use crate::host::prefetch::Strip;
use crate::host::simd::{Vector, by_level};
use crate::host::stream::{Ahead, StoreMode, stream, stream_lines};
use crate::host::tuning::{DIRECT_PREFETCH_DISTANCE, MAX_RUN_OF_LINES};

/// Copies rows of all lanes.
///
/// # Safety
///
/// As `rows::copy`.
pub(super) unsafe fn copy(lanes: &[Lane], rows: Range<usize>, store: StoreMode) {
    let bytes: usize = lanes.iter().map(|lane| lane.run).sum();
    let ahead = (DIRECT_PREFETCH_DISTANCE / bytes).max(1);
    let are_lines = whole_lines(lanes) && lanes.iter().all(|lane| lane.run <= MAX_RUN_OF_LINES);
    // SAFETY: the contract of `copy` is that of both, for the same `rows` of `lanes`.
    unsafe {
        if are_lines {
            copy_lines(store.level, lanes, rows, ahead, store.prefetch.into);
        } else {
            copy_runs(lanes, rows, ahead, store);
        }
    }
}

by_level! {
    /// Copies runs that are whole lines of the destination. With each, the run of a later row is
    /// prefetched, `ahead` rows behind it.
    ///
    /// # Safety
    ///
    /// As [`copy`].
    copy_lines = copy_lines_with(
        lanes: &[Lane], rows: Range<usize>, ahead: usize, into: PrefetchInto,
    )
}

#[inline(always)]
unsafe fn copy_lines_with<V: Vector>(
    lanes: &[Lane], rows: Range<usize>, ahead: usize, into: PrefetchInto,
) {
    for row in rows {
        for lane in lanes {
            let later = Strip { start: lane.source_at(row + ahead), bytes: lane.run };
            let (from, to) = (lane.source_at(row), lane.destination_at(row));
            // SAFETY: `from` and `to` are one run of a lane, which the contract of `copy_lines` covers,
            // and the run is whole lines.
            unsafe { stream_lines::<V>(from, to, lane.run / LINE, later, into) };
        }
    }
}

/// The same for runs of any length.
///
/// # Safety
///
/// As [`copy`].
unsafe fn copy_runs(lanes: &[Lane], rows: Range<usize>, rows_ahead: usize, store: StoreMode) {
    let StoreMode { level, prefetch, .. } = store;
    let into = prefetch.into;
    for row in rows {
        for (number, lane) in lanes.iter().enumerate() {
            let ahead = if lane.run > prefetch.ahead {
                let next = lanes.get(number + 1).map(|next| next.source_at(row));
                let next = next.unwrap_or_else(|| lanes[0].source_at(row + 1));
                Ahead { distance: prefetch.ahead, next, into }
            } else {
                // All of a later run.
                let next = lane.source_at(row + rows_ahead);
                Ahead { distance: lane.run.next_multiple_of(LINE), next, into }
            };
            let (from, to) = (lane.source_at(row), lane.destination_at(row));
            // SAFETY: `from` and `to` are one run of a lane, which the contract of `copy_runs` covers.
            unsafe { stream(level, from, to, lane.run, ahead) };
        }
    }
}
