//! Going through a full tensor once, from its first row to its last, for all shards at once.
//!
//! So each line of the full tensor is read or written once, in order, and so is each line of a shard:
//! what does not fill one is held back until the shard's next row comes. Only where the parts of two
//! threads meet lines are written by halves.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "rows and bytes of a plan fit an address space, and indices are those of its own arrays"
)]

mod path;
mod scout;

use std::mem::MaybeUninit;
use std::ops::Range;

use super::cpu::Level;
use super::level;
use super::lines::{LINE, Soon, joinable, stream};
use super::rows::{DIRECT, MAX_LANES};
use super::writer::{Output, append_lanes, append_rows};
use crate::geometry::{Loop, offsets_of_turn, turns};
use crate::host::copy_list::{CopyList, LONG, Side};
use crate::host::options::CopyOptions;
use path::{Path, Tile};
pub(super) use scout::Scout;

/// Bytes of some rows that are taken apart together, lane by lane, and how far ahead they are fetched: no
/// less, for the first lane already goes through all of them.
const TAKEN_APART: usize = 16 << 10;
/// Bytes of rows that are put together, of which each lane's bytes are fetched together, and how far
/// ahead.
const PUT_TOGETHER: usize = 4 << 10;
const LEAD: usize = 8 << 10;

/// Bytes of rows that follow each other, on average, that are worth going there.
const MIN_OF_A_TURN: usize = 2 << 10;

/// Bytes of a run, on average, that are worth being put together one by one: in registers, and in memory.
const SHORTEST: usize = LINE / 2;
const SHORTEST_IN_MEMORY: usize = 3 * LINE;

/// Whether a plan is carried out faster by the rows of the full tensor, of `row` bytes: where, of a
/// good part of it, pieces that are neighbours leave out much of each row, or where lines must be put
/// together for each run.
pub(in super::super) fn pays(plan: &CopyList, row: usize, options: &CopyOptions) -> bool {
    let in_registers = level(options).has_masks();
    let (mut first, mut bytes) = (0, 0);
    while first < plan.len() {
        let end = plan.end_of_neighbours(first);
        let runs = || (first..end).map(|at| plan.piece(at).0.run);
        let (piece, loops) = plan.piece(first);
        let (run, width) = (piece.run, runs().sum::<usize>());
        let same = joinable(run) && runs().all(|other| other == run);
        let short = (LINE..DIRECT).contains(&(width / (end - first)));
        let left_out = (row - width % row) % row;
        let uneven = in_registers && end - first > 1 && !same && short;
        if run < LONG && (8 * left_out > row || left_out == 0 && uneven) {
            bytes += width * turns(loops);
        }
        first = end;
    }
    4 * bytes >= plan.bytes().max(1)
}

/// Copies between a full tensor and its shards, cut into bands.
pub(in super::super) struct Sweep {
    plan: CopyList,
    /// The shard that each piece is of, and how many there are.
    shards: Vec<usize>,
    shard_count: usize,
    bands: Vec<Band>,
    /// Where the full tensor's rows begin.
    places: Range<usize>,
}

impl Sweep {
    /// The copies of `plan`, where piece `i` is of shard `shards[i]`, one of `shard_count`, and the bands'
    /// pieces end at `ends`. None where a row could not be found by its place, or where what is copied
    /// at a time is too short.
    pub(in super::super) fn new(
        plan: CopyList, ends: &[usize], shards: Vec<usize>, shard_count: usize,
        options: &CopyOptions,
    ) -> Option<Self> {
        let (mut bands, mut first) = (Vec::new(), 0);
        bands.try_reserve(plan.len()).ok()?;
        for &end in ends {
            while first < end {
                let band = Band::new(&plan, first..plan.end_of_neighbours(first).min(end))?;
                first = band.pieces.end;
                bands.push(band);
            }
        }
        let shortest = if level(options).has_masks() { SHORTEST } else { SHORTEST_IN_MEMORY };
        let runs: usize = bands.iter().map(|band| band.rows * band.pieces.len()).sum();
        let turns: usize = bands.iter().map(|band| band.rows / band.in_a_turn).sum();
        if plan.bytes() < (shortest * runs).max(MIN_OF_A_TURN * turns) {
            return None;
        }
        let begin = bands.iter().map(|band| band.place).min()?;
        let places = begin..bands.iter().map(|band| band.last_place).max()? + 1;
        Some(Self { plan, shards, shard_count, bands, places })
    }

    /// Bytes to copy.
    pub(super) fn bytes(&self) -> usize {
        self.plan.bytes()
    }

    /// The length of what is divided among threads: that of the tensor.
    pub(super) fn span(&self) -> usize {
        self.places.len()
    }

    /// Copies the rows that begin in `range` of the span.
    ///
    /// # Safety
    ///
    /// As `kernel::run`, for those rows.
    pub(super) unsafe fn run(&self, range: Range<usize>, level: Level, walk: &mut Walk) {
        let places = self.places.start + range.start..self.places.start + range.end;
        // SAFETY: rows of the caller's, each once.
        unsafe {
            if walk.begin(self, &places).is_none() {
                return self.run_without_room(&places, level);
            }
            let Walk { path, ahead, outputs } = walk;
            let lead = match self.plan.side() {
                Side::Source => TAKEN_APART,
                Side::Destination => LEAD,
            };
            let mut lanes = [[MaybeUninit::uninit(); MAX_LANES]; 2];
            let [here, there] = &mut lanes;
            let (mut scout, mut tile) = (Scout::new(self, ahead, there, lead), Tile::new(here));
            while path.next(self, &mut tile, MAX_LANES) {
                let (lanes, rows) = (tile.lanes(), tile.rows());
                scout.begin(tile.bytes());
                match self.plan.side() {
                    Side::Source => {
                        let shards = &self.shards[tile.pieces()];
                        append_lanes(level, outputs, shards, lanes, rows, &mut scout);
                    }
                    Side::Destination => {
                        append_rows(level, &mut outputs[0], lanes, rows, &mut scout);
                    }
                }
            }
            for output in outputs {
                output.finish();
            }
        }
    }

    /// As [`Self::run`], band by band, without memory to remember anything.
    ///
    /// # Safety
    ///
    /// As [`Self::run`].
    unsafe fn run_without_room(&self, places: &Range<usize>, level: Level) {
        for band in &self.bands {
            let first = band.first_row_from(&self.plan, places.start);
            for row in first..band.first_row_from(&self.plan, places.end) {
                for piece in band.pieces.clone() {
                    let (piece, loops) = self.plan.piece(piece);
                    let (source, destination) = offsets_of_turn(loops, row);
                    let from = piece.source.wrapping_offset(source);
                    let to = piece.destination.wrapping_offset(destination);
                    // SAFETY: a run of the caller's.
                    unsafe { stream(level, from, to, piece.run, Soon::NOTHING) };
                }
            }
        }
    }
}

/// What a thread needs to go through a part of the rows.
#[derive(Default)]
pub(super) struct Walk {
    path: Path,
    /// The same, some way ahead.
    ahead: Path,
    /// A shard each, or the full tensor.
    outputs: Vec<Output>,
}

impl Walk {
    /// Goes to where the part begins. None where there is no memory for it.
    fn begin(&mut self, sweep: &Sweep, places: &Range<usize>) -> Option<()> {
        let (outputs, tile, tile_ahead) = match sweep.plan.side() {
            Side::Source => (sweep.shard_count, TAKEN_APART, usize::MAX),
            Side::Destination => (1, PUT_TOGETHER, PUT_TOGETHER),
        };
        self.outputs.clear();
        self.outputs.try_reserve(outputs).ok()?;
        self.outputs.resize_with(outputs, Output::new);
        self.path.begin(sweep, places, tile)?;
        self.ahead.begin(sweep, places, tile_ahead)
    }
}

/// Pieces that are neighbours in the full tensor and go through the same rows.
#[derive(Debug, Clone)]
struct Band {
    pieces: Range<usize>,
    /// Where the first row begins, and the last one.
    place: usize,
    last_place: usize,
    /// Rows of all turns, and those that follow each other closely.
    rows: usize,
    in_a_turn: usize,
    row_bytes: usize,
}

impl Band {
    /// None where the rows' places don't rise from one to the next, where a shard's rows don't follow
    /// each other, or where rows have too many runs.
    fn new(plan: &CopyList, pieces: Range<usize>) -> Option<Self> {
        let (_, loops) = plan.piece(pieces.start);
        let row_bytes = pieces.clone().map(|at| plan.piece(at).0.run).sum();
        let mut least = row_bytes;
        for level in loops.iter().rev() {
            let step = usize::try_from(plan.full_step(level)).ok()?;
            if step < least {
                return None;
            }
            least = step.checked_mul(level.count)?;
        }
        let follow_closely = |level: &&Loop| plan.full_step(level) < 2 * row_bytes as isize;
        let mut band = Self {
            place: plan.full_place(pieces.start),
            last_place: 0,
            rows: turns(loops),
            in_a_turn: loops.last().filter(follow_closely).map_or(1, |level| level.count),
            row_bytes,
            pieces,
        };
        band.last_place = band.place_of(plan, band.rows - 1);
        let packed = |at: usize| {
            let (piece, loops) = plan.piece(at);
            loops.last().is_none_or(|level| plan.shard_step(level) == piece.run as isize)
        };
        let packed = band.in_a_turn == 1 || band.pieces.clone().all(packed);
        (packed && band.pieces.len() <= MAX_LANES).then_some(band)
    }

    /// Where a row begins.
    fn place_of(&self, plan: &CopyList, row: usize) -> usize {
        let (source, destination) = offsets_of_turn(plan.piece(self.pieces.start).1, row);
        self.place.wrapping_add_signed(match plan.side() {
            Side::Source => source,
            Side::Destination => destination,
        })
    }

    /// The first row that begins at `place` or behind it.
    fn first_row_from(&self, plan: &CopyList, place: usize) -> usize {
        if place <= self.place {
            return 0;
        }
        let (mut low, mut high) = (0, self.rows);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.place_of(plan, middle) < place {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cpu::Machine;
    use super::*;
    use crate::model::DataType;
    use crate::transfer::HostView;

    /// Columns of so many bytes each, of `planes` planes of `rows` rows; every second plane is cut at
    /// other places than the first one.
    struct Case {
        full: Vec<u8>,
        shards: Vec<Vec<u8>>,
        plan: CopyList,
        outputs: Vec<usize>,
    }

    fn case(planes: usize, rows: usize, widths: &[usize], side: Side) -> Case {
        let row: usize = widths.iter().sum();
        let mut full: Vec<u8> =
            (0..planes * rows * row).map(|at| (at * 7 + at / 251) as u8).collect();
        let mut shards: Vec<Vec<u8>> = Vec::new();
        let (mut plan, mut outputs) = (CopyList::new(side), Vec::new());
        let view = |first: *mut u8, sizes: [usize; 3], row: usize, plane: usize| {
            let sizes = sizes.map(|size| size as i64);
            let strides = [plane as i64, row as i64, 1];
            let byte = DataType { code: 1, bits: 8, lanes: 1 };
            HostView::new("view", first, byte, &sizes, Some(&strides)).unwrap()
        };
        for odd in 0..2.min(planes) {
            let count = (planes - odd).div_ceil(2);
            let mut widths = widths.to_vec();
            if odd == 1 {
                widths.reverse();
            }
            let mut column = 0;
            for width in widths {
                let mut shard = vec![0u8; count * rows * width];
                let whole = full.as_mut_ptr().wrapping_add(odd * rows * row + column);
                let part = view(whole, [count, rows, width], row, 2 * rows * row);
                let own = view(shard.as_mut_ptr(), [count, rows, width], width, rows * width);
                match side {
                    Side::Source => plan.push(&part, &own).unwrap(),
                    Side::Destination => {
                        // SAFETY: bytes of the tensor go to the shard, to be brought back.
                        unsafe { copy_plainly(&part, &own) };
                        plan.push(&own, &part).unwrap();
                    }
                }
                outputs.push(shards.len());
                shards.push(shard);
                column += width;
            }
        }
        Case { full, shards, plan, outputs }
    }

    /// # Safety
    ///
    /// The views are of memory that nobody else uses.
    unsafe fn copy_plainly(from: &HostView, to: &HostView) {
        let at = |view: &HostView, index: [i64; 3]| {
            let steps: i64 = index.iter().zip(view.strides()).map(|(at, step)| at * step).sum();
            view.first().wrapping_offset(steps as isize)
        };
        let [planes, rows, width] = from.shape().try_into().unwrap();
        for plane in 0..planes {
            for row in 0..rows {
                for column in 0..width {
                    let index = [plane, row, column];
                    // SAFETY: an element of each.
                    unsafe { at(to, index).write(at(from, index).read()) };
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn parts_copy_all_rows_with_and_without_room(
            planes in 1usize..6, rows in 1usize..40,
            widths in prop::collection::vec(prop_oneof![64usize..300, 1usize..6000], 1..5),
            parts in 1usize..9, to_shards in any::<bool>(), with_room in any::<bool>(),
        ) {
            let side = if to_shards { Side::Source } else { Side::Destination };
            let Case { full, shards, plan, outputs } = case(planes, rows, &widths, side);
            let (tensor, count) = (full.clone(), shards.len());
            let expected: Vec<Vec<u8>> = shards.iter().map(Vec::clone).collect();
            let (ends, options) = ([widths.len(), count], CopyOptions::default());
            let Some(sweep) = Sweep::new(plan, &ends, outputs, count, &options) else {
                return Ok(());
            };
            if !to_shards {
                // SAFETY: nobody else uses it; only what the shards hold can bring it back.
                unsafe { full.as_ptr().cast_mut().write_bytes(0, full.len()) };
            }
            for level in Machine::get().levels() {
                let mut walk = Walk::default();
                let part = sweep.span().div_ceil(parts);
                for start in (0..sweep.span()).step_by(part) {
                    let end = sweep.span().min(start + part);
                    let places = sweep.places.start + start..sweep.places.start + end;
                    // SAFETY: the memory is the test's.
                    unsafe {
                        if with_room {
                            sweep.run(start..end, level, &mut walk);
                        } else {
                            sweep.run_without_room(&places, level);
                        }
                    }
                }
            }
            if to_shards {
                let back = case(planes, rows, &widths, Side::Destination);
                prop_assert!(shards == back.shards, "shards differ");
                prop_assert!(full == tensor);
            } else {
                prop_assert!(full == tensor, "the tensor differs");
                prop_assert!(shards == expected);
            }
        }
    }
}
