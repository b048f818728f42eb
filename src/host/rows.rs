//! Pieces that lie side by side in the full tensor are copied together, row after row, so that its
//! lines are read or written once and not once for each shard.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

use super::lines::{LINE, Soon, Store, copy_runs, stream};
use super::tiles::{self, Work};
use super::transpose::transpose;
use crate::geometry::{Loop, offsets_of_turn};
use crate::host::copy_list::{CopyList, Side, StridedCopy};
use crate::host::room::written;

/// Runs from this length on go to their place directly: the lines at their ends do not matter.
pub(super) const DIRECT: usize = 1 << 10;
/// How many bytes before it is read memory is fetched, at least: two pages on, and what was fetched
/// may be gone again.
const LEAD: usize = 4 << 10;
/// Elements up to this many bytes are read by lines and not one by one where they are neighbours in
/// the source only.
pub(super) const MAX_ITEM: usize = LINE / 2;
/// Lanes that are copied together.
pub(super) const MAX_LANES: usize = 256;
/// Rows that are copied together through the caches.
const MAX_ROWS: usize = 64;

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
    /// Of a piece, from `start` on (bytes on either side), what lies in the turns of `row`.
    pub(super) fn new(piece: &StridedCopy, start: (isize, isize), row: Option<&Loop>) -> Self {
        Self {
            source: piece.source.wrapping_offset(start.0),
            destination: piece.destination.wrapping_offset(start.1),
            source_step: row.map_or(0, |row| row.source_step),
            destination_step: row.map_or(0, |row| row.destination_step),
            run: piece.run,
        }
    }

    #[inline(always)]
    pub(super) fn source_at(&self, row: usize) -> *const u8 {
        self.source.wrapping_offset(row as isize * self.source_step)
    }

    #[inline(always)]
    pub(super) fn destination_at(&self, row: usize) -> *mut u8 {
        self.destination.wrapping_offset(row as isize * self.destination_step)
    }
}

/// Room for the lanes that are copied together.
pub(super) type Lanes = [MaybeUninit<Lane>; MAX_LANES];

/// Runs side by side, row after row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    /// Some pieces, which are neighbours in the full tensor; rows are counted through all loops.
    Neighbours { plan: &'a CopyList, first: usize, count: usize },
    /// A piece that is contiguous along one loop in the source and along another in the destination:
    /// turn `turn` of the loops above `level`, some turns of that loop, side by side in the source,
    /// and as rows the turns of the loop below it.
    Transposed {
        piece: &'a StridedCopy,
        loops: &'a [Loop],
        level: usize,
        turn: usize,
        first: usize,
        count: usize,
    },
}

impl Rows<'_> {
    /// The side on which the lanes are neighbours.
    pub(super) fn side(&self) -> Side {
        match self {
            Self::Neighbours { plan, .. } => plan.side(),
            Self::Transposed { .. } => Side::Source,
        }
    }

    pub(super) fn lane_count(&self) -> usize {
        match *self {
            Self::Neighbours { count, .. } | Self::Transposed { count, .. } => count,
        }
    }

    /// Some of the lanes.
    pub(super) fn part(&self, lanes: Range<usize>) -> Self {
        let mut part = *self;
        match &mut part {
            Self::Neighbours { first, count, .. } | Self::Transposed { first, count, .. } => {
                *first += lanes.start;
                *count = lanes.len();
            }
        }
        part
    }

    /// Rows of one turn of the loops around them.
    pub(super) fn in_a_turn(&self) -> usize {
        let innermost = |loops: &[Loop]| loops.last().map_or(1, |level| level.count);
        match *self {
            Self::Neighbours { plan, first, .. } => innermost(plan.piece(first).1),
            Self::Transposed { loops, level, .. } => loops[level + 1].count,
        }
    }

    /// The lanes in turn `turn`, as many as there is room for.
    pub(super) fn lanes<'l>(&self, turn: usize, room: &'l mut Lanes) -> &'l [Lane] {
        let count = self.lane_count().min(MAX_LANES);
        for (at, lane) in room[..count].iter_mut().enumerate() {
            lane.write(self.lane(turn, at));
        }
        // SAFETY: these were just written.
        unsafe { written(&room[..count]) }
    }

    fn lane(&self, turn: usize, at: usize) -> Lane {
        let (piece, start, row) = match *self {
            Self::Neighbours { plan, first, .. } => {
                let (piece, loops) = plan.piece(first + at);
                let (innermost, outer) = loops.split_last().unzip();
                (piece, outer.map_or((0, 0), |outer| offsets_of_turn(outer, turn)), innermost)
            }
            Self::Transposed { piece, loops, level, turn, first, .. } => {
                let (source, destination) = offsets_of_turn(&loops[..level], turn);
                let at = (first + at) as isize;
                let Loop { source_step, destination_step, .. } = loops[level];
                let start = (source + at * source_step, destination + at * destination_step);
                (piece, start, loops.get(level + 1))
            }
        };
        Lane::new(piece, start, row)
    }
}

/// Copies rows `units` of all lanes.
///
/// # Safety
///
/// Every run in these rows may be read and written, and nothing overlaps.
pub(super) unsafe fn copy(rows: &Rows, units: Range<usize>, store: Store, work: &mut Work) {
    if units.is_empty() {
        return;
    }
    let mut room = [MaybeUninit::uninit(); MAX_LANES];
    let mut first = 0;
    while first < rows.lane_count() {
        let rest = rows.part(first..rows.lane_count());
        let lanes = rest.lanes(units.start / rest.in_a_turn(), &mut room);
        let part = rest.part(0..lanes.len());
        let (kernel, rows) = (Kernel::of(lanes, part.side(), store, work), units.clone());
        // SAFETY: some of the caller's lanes.
        unsafe {
            first += match kernel {
                Kernel::Tiles => tiles::copy(&rest, rows, store.level, work),
                Kernel::Direct => {
                    each_turn(&part, rows, &mut room, |lanes, rows| direct(lanes, rows, store))
                }
                Kernel::Cached => each_turn(&part, rows, &mut room, |lanes, rows| {
                    through_caches(lanes, rows, part.side(), store);
                }),
            };
        }
    }
}

/// How rows are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// Through the caches.
    Cached,
    /// Around the caches, each run for itself.
    Direct,
    /// Around the caches, many runs put together.
    Tiles,
}

impl Kernel {
    fn of(lanes: &[Lane], side: Side, store: Store, work: &mut Work) -> Self {
        match () {
            () if !store.around => Self::Cached,
            () if are_for_tiles(lanes, side) && work.is_ready() => Self::Tiles,
            () => Self::Direct,
        }
    }
}

/// Whether lanes are copied by tiles, if they are copied around the caches.
pub(super) fn are_for_tiles(lanes: &[Lane], side: Side) -> bool {
    let longest = lanes.iter().map(|lane| lane.run).max().unwrap_or(0);
    // A single run of each row needs nothing put together.
    let single = lanes.len() == 1 && side == Side::Destination && longest >= LINE;
    longest < DIRECT && !single && packed(lanes, side)
}

/// Whether each shard's rows follow each other without a gap.
fn packed(lanes: &[Lane], side: Side) -> bool {
    lanes.iter().all(|lane| match side {
        Side::Source => lane.destination_step == lane.run as isize,
        Side::Destination => lane.source_step == lane.run as isize,
    })
}

/// Calls `copy` for the rows of each turn; the number of lanes. Their room is the caller's: this is
/// made anew for each way to copy, and stack that each had of its own would add up.
fn each_turn(
    rows: &Rows, units: Range<usize>, room: &mut Lanes, mut copy: impl FnMut(&[Lane], Range<usize>),
) -> usize {
    let in_a_turn = rows.in_a_turn();
    let mut unit = units.start;
    while unit < units.end {
        let first = unit % in_a_turn;
        let last = (first + units.end - unit).min(in_a_turn);
        copy(rows.lanes(unit / in_a_turn, room), first..last);
        unit += last - first;
    }
    rows.lane_count()
}

/// Each run to its place, around the caches.
///
/// # Safety
///
/// As [`copy`]; so for all kernels.
unsafe fn direct(lanes: &[Lane], rows: Range<usize>, store: Store) {
    let bytes: usize = lanes.iter().map(|lane| lane.run).sum();
    // Runs that go on from each other are foreseen by the processor.
    let goes_on = |pair: &[Lane]| pair[0].source.wrapping_add(pair[0].run) == pair[1].source;
    let foreseen = if lanes.len() > 1 {
        lanes.windows(2).all(goes_on)
    } else {
        lanes[0].source_step == lanes[0].run as isize
    };
    let lead = (LEAD / bytes).max(1);
    for row in rows {
        for lane in lanes {
            let soon = if foreseen {
                Soon::NOTHING
            } else {
                Soon { place: lane.source_at(row + lead), bytes: lane.run }
            };
            let (from, to) = (lane.source_at(row), lane.destination_at(row));
            // SAFETY: one run of the caller's.
            unsafe { stream(store.level, from, to, lane.run, soon) };
        }
    }
}

/// Through the caches.
///
/// # Safety
///
/// As [`copy`].
unsafe fn through_caches(lanes: &[Lane], rows: Range<usize>, side: Side, store: Store) {
    let item = lanes[0].run;
    let same = lanes.iter().all(|lane| lane.run == item);
    let height = if same && packed(lanes, side) && transposable(item, lanes.len(), rows.len()) {
        Some(TILE / item)
    } else {
        None
    };
    for row in rows.clone().step_by(height.unwrap_or(MAX_ROWS)) {
        let count = height.unwrap_or(MAX_ROWS).min(rows.end - row);
        for some in lanes.chunks(TILE_LANES) {
            // SAFETY: some runs of the caller's.
            unsafe {
                if height.is_some() {
                    transpose_tile(some, row..row + count, side, store);
                    continue;
                }
                for lane in some {
                    let Lane { source_step, destination_step, run, .. } = *lane;
                    let (from, to) = (lane.source_at(row), lane.destination_at(row));
                    copy_runs(store.level, from, source_step, to, destination_step, count, run);
                }
            }
        }
    }
}

/// Bytes of a lane, and lanes, of a tile that is transposed through the caches.
const TILE: usize = 64;
const TILE_LANES: usize = 64;

/// Whether transposing is faster than copying runs of `run` bytes one by one.
pub(super) fn transposable(run: usize, lanes: usize, rows: usize) -> bool {
    let block = 16 / run.clamp(1, 16);
    matches!(run, 1 | 2 | 4 | 8) && lanes >= block && rows >= block
}

/// # Safety
///
/// As [`copy`], for packed lanes of the same elements, at most a tile's of them.
unsafe fn transpose_tile(lanes: &[Lane], rows: Range<usize>, side: Side, store: Store) {
    let mut sources = [std::ptr::null(); TILE];
    let mut destinations = [std::ptr::null_mut(); TILE];
    let (item, first, count) = (lanes[0].run, rows.start, rows.len());
    let (many, few) = match side {
        Side::Source => {
            for (at, source) in sources[..count].iter_mut().enumerate() {
                *source = lanes[0].source_at(first + at);
            }
            for (destination, lane) in destinations.iter_mut().zip(lanes) {
                *destination = lane.destination_at(first);
            }
            (count, lanes.len())
        }
        Side::Destination => {
            for (source, lane) in sources.iter_mut().zip(lanes) {
                *source = lane.source_at(first);
            }
            for (at, destination) in destinations[..count].iter_mut().enumerate() {
                *destination = lanes[0].destination_at(first + at);
            }
            (lanes.len(), count)
        }
    };
    // SAFETY: a tile of the caller's.
    unsafe { transpose(store.level, item, &sources[..many], 0, &destinations[..few], None) };
}
