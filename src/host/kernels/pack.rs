//! Packing: runs from many places of the source, one behind the other in the destination. So is a shard
//! that is extracted alone.
//!
//! Runs that are whole lines of the destination are streamed. Other runs are first put together where the
//! first-level cache holds them. The runs that come later are prefetched through all turns of the loops:
//! where a turn has few rows, most of its bytes would otherwise be waited for.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "rows and bytes of a plan fit an address space, and the scratch memory has room for a batch"
)]

use std::mem::MaybeUninit;
use std::ops::Range;
use std::slice;

use super::lanes::{Lane, LaneRows, whole_lines};
use super::runs::copy_long_run;
use crate::host::cpu::LINE;
use crate::host::line_writer::LineWriter;
use crate::host::prefetch::{Strip, prefetch};
use crate::host::simd::{LineBytes, Vector, by_level};
use crate::host::stream::{StoreMode, stream_lines};
use crate::host::tuning::{MAX_PACKED_RUN, MAX_RUN_OF_LINES, PACK_AHEAD, PACK_BATCH};

/// What the unsafe code below rests on, whatever the numbers are tuned to: a batch has a run.
const _: () = assert!(MAX_PACKED_RUN <= PACK_BATCH);

/// Whether packing is the fastest way to copy all turns of some rows with non-temporal stores.
pub(super) fn pays(rows: &LaneRows, first: &Lane) -> bool {
    let most = if whole_lines(slice::from_ref(first)) { MAX_RUN_OF_LINES } else { MAX_PACKED_RUN };
    (LINE..=most).contains(&first.run) && rows.are_packed()
}

by_level! {
    /// Copies rows `units`, with non-temporal stores.
    ///
    /// # Safety
    ///
    /// As `rows::copy`. Packing [`pays`].
    copy = copy_with(rows: &LaneRows<'_>, units: Range<usize>, store: StoreMode)
}

#[inline(always)]
unsafe fn copy_with<V: Vector>(rows: &LaneRows<'_>, units: Range<usize>, store: StoreMode) {
    let (here, to) = RunWalk::new(rows, units.start);
    let ahead = (PACK_AHEAD / here.lane.run).max(1);
    let (later, _) = RunWalk::new(rows, units.start + ahead);
    // SAFETY: the contract of `copy` covers all runs of `units`, which `here` walks, and as many bytes
    // at `to`, one run behind the other.
    unsafe {
        if whole_lines(slice::from_ref(&here.lane)) {
            pack_lines::<V>(here, later, to, units.len(), store);
        } else {
            pack_parts::<V>(here, later, to, units.len(), store);
        }
    }
}

/// # Safety
///
/// The next `count` runs of `here` may be read, and as many bytes written at `to`, a multiple of a line. Runs
/// are whole lines.
#[inline(always)]
unsafe fn pack_lines<V: Vector>(
    mut here: RunWalk, mut later: RunWalk, mut to: *mut u8, count: usize, store: StoreMode,
) {
    let run = here.lane.run;
    for _ in 0..count {
        let strip = Strip { start: later.step(), bytes: run };
        // SAFETY: the contract of `pack_lines` covers a run of `here`, and its lines at `to`.
        unsafe { stream_lines::<V>(here.step(), to, run / LINE, strip, store.prefetch.into) };
        to = to.wrapping_add(run);
    }
}

/// # Safety
///
/// The next `count` runs of `here` may be read, and as many bytes written at `to`. Runs have a line to
/// [`MAX_PACKED_RUN`] bytes.
#[inline(always)]
unsafe fn pack_parts<V: Vector>(
    mut here: RunWalk, mut later: RunWalk, to: *mut u8, count: usize, store: StoreMode,
) {
    let mut scratch = [const { MaybeUninit::<LineBytes>::uninit() }; PACK_BATCH / LINE + 2];
    let scratch = scratch.as_mut_ptr().cast::<u8>();
    let run = here.lane.run;
    let (mut writer, mut rest) = (LineWriter::new(to), LineBytes::EMPTY);
    let mut left = count;
    while left > 0 {
        let batch = left.min(PACK_BATCH / run);
        // SAFETY: `scratch` has whole lines: one for what the `writer` keeps, the `batch`, and one more.
        // The contract of `pack_parts` covers the runs of `here`, and their destination.
        unsafe {
            let mut next = writer.open(scratch, &rest);
            for _ in 0..batch {
                let (from, later) = (here.step(), later.step());
                let before = later.addr() % LINE;
                for line in 0..(before + run).div_ceil(LINE) {
                    prefetch(
                        later.wrapping_sub(before).wrapping_add(line * LINE),
                        store.prefetch.into,
                    );
                }
                copy_long_run::<V>(from, next, run);
                next = next.add(run);
            }
            writer.close(store.level, scratch, batch * run, &mut rest);
        }
        left -= batch;
    }
    // SAFETY: the contract of `pack_parts` covers the destination of the `rest`.
    unsafe { writer.finish(&rest) };
}

/// Where the runs are in the source, one after the other, through all turns.
struct RunWalk<'a> {
    rows: &'a LaneRows<'a>,
    turn: usize,
    /// What is left of the turn: its next run is the lane's first.
    lane: Lane,
    left: usize,
}

impl<'a> RunWalk<'a> {
    /// A walk that starts at `row`, and where that run goes.
    fn new(rows: &'a LaneRows<'a>, row: usize) -> (Self, *mut u8) {
        let in_a_turn = rows.in_a_turn();
        let (turn, first) = (row / in_a_turn, row % in_a_turn);
        let mut lane = rows.lane(turn, 0);
        lane.source = lane.source_at(first);
        (Self { rows, turn, lane, left: in_a_turn - first }, lane.destination_at(first))
    }

    /// The next run's place. Behind the last one it returns places too, which must not be read.
    #[inline(always)]
    fn step(&mut self) -> *const u8 {
        if self.left == 0 {
            self.begin_turn();
        }
        self.left -= 1;
        let from = self.lane.source;
        self.lane.source = from.wrapping_offset(self.lane.source_step);
        from
    }

    #[cold]
    #[inline(never)]
    fn begin_turn(&mut self) {
        self.turn += 1;
        self.left = self.rows.in_a_turn();
        self.lane = self.rows.lane(self.turn, 0);
    }
}
