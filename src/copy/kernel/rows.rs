//! Pieces that lie side by side in the full tensor are copied together, so that its lines are read or
//! written once and not once for each shard.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space"
)]

use std::ops::Range;

use super::ahead::Ahead;
use super::lines::{LINE, Store, Writer};
use super::task::offsets_of_turn;
use super::{runs, tiles};
use crate::copy::plan::{Loop, Piece, Plan, Side};

/// Runs from this length on go to their place directly: the lines at their ends do not matter.
const DIRECT: usize = 1 << 10;
/// Elements up to this many bytes are read by lines and not one by one where they are neighbours in
/// the source only.
pub(super) const LARGEST_ITEM: usize = LINE / 2;
/// How many such neighbours are read together.
const TRANSPOSED_LANES: usize = 64;
/// What any kernel puts together before it is written.
pub(super) const SCRATCH_BYTES: usize = 24 << 10;
/// What any kernel puts aside before it looks at it again.
pub(super) const STAGED_BYTES: usize = 16 << 10;

/// One shard's runs in the rows of one innermost loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lane {
    pub(super) source: *const u8,
    pub(super) destination: *mut u8,
    pub(super) source_step: isize,
    pub(super) destination_step: isize,
    pub(super) run: usize,
}

impl Lane {
    #[inline(always)]
    pub(super) fn source_at(&self, row: usize) -> *const u8 {
        self.source.wrapping_offset(row as isize * self.source_step)
    }

    #[inline(always)]
    pub(super) fn destination_at(&self, row: usize) -> *mut u8 {
        self.destination.wrapping_offset(row as isize * self.destination_step)
    }
}

/// Memory that stays in the first-level cache, aligned to lines.
#[repr(C, align(64))]
struct Scratch<const BYTES: usize>([std::mem::MaybeUninit<u8>; BYTES]);

impl<const BYTES: usize> Scratch<BYTES> {
    fn new() -> Self {
        Self([const { std::mem::MaybeUninit::uninit() }; BYTES])
    }

    fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }
}

/// What a thread's kernels work with, kept from one to the next.
pub(super) struct Work {
    scratch: Scratch<SCRATCH_BYTES>,
    staged: Scratch<STAGED_BYTES>,
    pub(super) ahead: Ahead,
    /// One for each lane whose destination goes on where the last rows ended.
    pub(super) writers: Vec<Writer>,
    lanes: Vec<Lane>,
    /// How far behind a lane's source it starts in the rows that come after these; 0: nowhere.
    next_turn: isize,
}

impl Work {
    pub(super) fn new() -> Self {
        Self {
            scratch: Scratch::new(),
            staged: Scratch::new(),
            ahead: Ahead::new(),
            writers: Vec::new(),
            lanes: Vec::new(),
            next_turn: 0,
        }
    }

    /// Where `lane` reads in some rows to come, `last` being the end of the present ones.
    #[inline(always)]
    pub(super) fn rows_to_come(
        &self, lane: &Lane, rows: Range<usize>, last: usize,
    ) -> impl Iterator<Item = *const u8> + use<> {
        let (lane, next_turn) = (*lane, self.next_turn);
        let end = if next_turn == 0 { rows.end.min(last) } else { rows.end };
        (rows.start..end).map(move |row| {
            if row < last {
                lane.source_at(row)
            } else {
                lane.source_at(row - last).wrapping_offset(next_turn)
            }
        })
    }

    pub(super) fn scratch(&mut self) -> *mut u8 {
        self.scratch.start()
    }

    pub(super) fn staged(&mut self) -> *mut u8 {
        self.staged.start()
    }

    /// A writer for each lane, from `row` on; those that are there already go on where they can.
    ///
    /// # Safety
    ///
    /// What the writers hold may be written.
    pub(super) unsafe fn write_lanes(&mut self, lanes: &[Lane], row: usize) {
        let goes_on = self.writers.len() == lanes.len()
            && self.writers.iter().zip(lanes).all(|(w, lane)| w.next() == lane.destination_at(row));
        if !goes_on {
            // SAFETY: the caller's promise.
            unsafe { self.finish() };
            self.writers.extend(lanes.iter().map(|lane| Writer::new(lane.destination_at(row))));
        }
    }

    /// Writes what the writers hold.
    ///
    /// # Safety
    ///
    /// It may be written.
    pub(super) unsafe fn finish(&mut self) {
        for writer in self.writers.drain(..) {
            // SAFETY: the caller's promise.
            unsafe { writer.finish() };
        }
    }
}

/// Copies rows `units` of pieces that run side by side; rows are counted through all loops.
///
/// # Safety
///
/// Every run in these rows may be read and written, and nothing overlaps.
pub(super) unsafe fn copy(
    plan: &Plan, pieces: Range<usize>, units: Range<usize>, store: Store, work: &mut Work,
) {
    let depth = plan.piece(pieces.start).1.len();
    let inner_count = plan.piece(pieces.start).1[depth - 1].count;
    let mut lanes = std::mem::take(&mut work.lanes);
    let mut row = units.start;
    while row < units.end {
        let (turn, first) = (row / inner_count, row % inner_count);
        let last = (first + units.end - row).min(inner_count);
        lanes.clear();
        lanes.extend(pieces.clone().map(|at| {
            let (piece, loops) = plan.piece(at);
            let (source, destination) = offsets_of_turn(&loops[..depth - 1], turn);
            let Loop { source_step, destination_step, .. } = loops[depth - 1];
            Lane {
                source: piece.source.wrapping_offset(source),
                destination: piece.destination.wrapping_offset(destination),
                source_step,
                destination_step,
                run: piece.run,
            }
        }));
        row += last - first;
        work.next_turn = if row < units.end {
            let (_, loops) = plan.piece(pieces.start);
            let (here, there) = (
                offsets_of_turn(&loops[..depth - 1], turn),
                offsets_of_turn(&loops[..depth - 1], turn + 1),
            );
            there.0 - here.0
        } else {
            0
        };
        // SAFETY: rows of the caller's.
        unsafe { copy_lanes(&lanes, first..last, plan.side(), store, work) };
    }
    work.lanes = lanes;
    work.next_turn = 0;
    // SAFETY: held are bytes of these rows.
    unsafe { work.finish() };
}

/// A piece that is contiguous along one loop in the source and along another in the destination:
/// turns `units` of the loops down to `level`, each with all turns of the loop below it.
///
/// # Safety
///
/// All of that may be read and written, and nothing overlaps.
pub(super) unsafe fn copy_transposed(
    piece: &Piece, loops: &[Loop], level: usize, units: Range<usize>, store: Store, work: &mut Work,
) {
    let (outer, inner) = (loops[level], loops[level + 1]);
    let mut lanes = std::mem::take(&mut work.lanes);
    let mut unit = units.start;
    while unit < units.end {
        let (turn, first) = (unit / outer.count, unit % outer.count);
        let last = (first + units.end - unit).min(outer.count).min(first + TRANSPOSED_LANES);
        let (source, destination) = offsets_of_turn(&loops[..level], turn);
        lanes.clear();
        lanes.extend((first..last).map(|at| {
            Lane {
                source: piece.source.wrapping_offset(source + at as isize * outer.source_step),
                destination: piece
                    .destination
                    .wrapping_offset(destination + at as isize * outer.destination_step),
                source_step: inner.source_step,
                destination_step: inner.destination_step,
                run: piece.run,
            }
        }));
        // SAFETY: a part of the caller's; such loops are those of neighbours.
        unsafe {
            copy_lanes(&lanes, 0..inner.count, Side::Source, store, work);
            work.finish();
        }
        unit += last - first;
    }
    work.lanes = lanes;
}

/// # Safety
///
/// As [`copy`], for the rows of one innermost loop.
unsafe fn copy_lanes(
    lanes: &[Lane], rows: Range<usize>, side: Side, store: Store, work: &mut Work,
) {
    let Store { level, around } = store;
    let run = lanes[0].run;
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(run);
    let same = lanes.iter().all(|lane| lane.run == run);
    let packed = match side {
        Side::Source => lanes.iter().all(|lane| lane.destination_step == lane.run as isize),
        Side::Destination => lanes.iter().all(|lane| lane.source_step == lane.run as isize),
    };
    let whole_lines = |lane: &Lane| {
        let step = lane.destination_step as usize;
        (lane.destination.addr() | lane.run | step).is_multiple_of(LINE)
    };
    // SAFETY: the caller's promise is passed on; each kernel's condition is checked here.
    unsafe {
        match side {
            _ if packed && same && tiles::worthwhile(run, lanes.len(), rows.len()) => match side {
                Side::Source => tiles::scatter(level, lanes, rows, around, work),
                Side::Destination => tiles::gather(level, lanes, rows, around, work),
            },
            _ if longest >= DIRECT || (around && lanes.iter().all(whole_lines)) => {
                runs::direct(level, lanes, rows, around, work);
            }
            Side::Source if packed => runs::scatter(level, lanes, rows, around, work),
            Side::Destination if lanes.len() > 1 => runs::gather(level, lanes, rows, around, work),
            _ => runs::direct(level, lanes, rows, around, work),
        }
    }
}
