//! Dispatch: which kernel copies which pieces of a plan, and how threads divide them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a plan fit an address space, and indices are those of its own arrays"
)]

mod task;

use std::ops::Range;

use task::{CopyTask, TaskKind, grain, in_order_of_places};

use super::copy_list::{CopyList, StridedCopy};
use super::kernels::lanes::LaneRows;
use super::kernels::tiles::TileMemory;
use super::kernels::{bits, rows};
use super::stream::StoreMode;
use super::tuning::{MAX_TRANSPOSED_ITEM, MIN_LONG_RUN, TRIAL_BYTES};
use super::ways::{TaskClass, WayChoice};
use crate::geometry::{Loop, offsets_of_turn, turns};

/// All of a plan's pieces as tasks.
pub(super) struct Tasks<'a> {
    plan: &'a CopyList,
    tasks: Vec<CopyTask>,
    bytes: usize,
}

impl<'a> Tasks<'a> {
    /// Returns none where there is no memory for all of them.
    pub(super) fn new(plan: &'a CopyList) -> Option<Self> {
        let mut all = Self { plan, tasks: Vec::new(), bytes: 0 };
        let mut first = 0;
        while first < plan.len() {
            let task = all.task(first);
            first = task.pieces.end;
            all.tasks.try_reserve(1).ok()?;
            all.tasks.push(task);
        }
        // Lines and pages that several pieces have a part of are read, or written, at about one
        // time.
        all.tasks = in_order_of_places(all.tasks)?;
        for task in &mut all.tasks {
            task.start = all.bytes;
            all.bytes += task.bytes();
        }
        Some(all)
    }

    /// Copies everything, task by task, without a list of them.
    ///
    /// # Safety
    ///
    /// As `host::run`.
    pub(super) unsafe fn run_in_order(
        plan: &'a CopyList, store: StoreMode, memory: &mut TileMemory,
    ) {
        let none = Self { plan, tasks: Vec::new(), bytes: 0 };
        let mut first = 0;
        while first < plan.len() {
            let task = none.task(first);
            // SAFETY: the contract of `run_in_order` covers everything, and each `task` is taken
            // once, with all its units.
            unsafe { none.run_units(&task, task.units.clone(), store, memory) };
            first = task.pieces.end;
        }
    }

    /// Bytes to copy.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Piece `first` and those that run side by side with it.
    fn task(&self, first: usize) -> CopyTask {
        let pieces = first..self.plan.end_of_neighbours(first);
        let (piece, loops) = self.plan.piece(first);
        let turns = turns(loops);
        let (kind, units, unit_bytes) = if piece.bits.is_some() {
            (TaskKind::Bits, (turns * piece.run).div_ceil(8), 1)
        } else if pieces.len() > 1 {
            let row = pieces.clone().map(|at| self.plan.piece(at).0.run).sum();
            (TaskKind::Rows, turns, row)
        } else if let Some(level) = self.transposed_level(piece, loops) {
            let inner: usize = loops[level + 1..].iter().map(|level| level.count).product();
            (TaskKind::Transposed { level }, turns / inner, inner * piece.run)
        } else if piece.run >= MIN_LONG_RUN || loops.is_empty() {
            (TaskKind::Long, turns * piece.run, 1)
        } else {
            (TaskKind::Rows, turns, piece.run)
        };
        let place = self.plan.full_place(first);
        let grain = grain(kind, units, unit_bytes, piece.run);
        CopyTask {
            kind,
            pieces,
            units: 0..units,
            unit_bytes,
            grain,
            start: 0,
            place,
            trial_bytes: TRIAL_BYTES,
        }
    }

    /// The second loop from within, if the source is contiguous there and the destination in the
    /// innermost one.
    fn transposed_level(&self, piece: &StridedCopy, loops: &[Loop]) -> Option<usize> {
        let item = piece.run;
        let level = loops.len().checked_sub(2)?;
        let (outer, inner) = (loops[level], loops[level + 1]);
        let transposed = item <= MAX_TRANSPOSED_ITEM
            && inner.destination_step == item as isize
            && outer.source_step == item as isize;
        transposed.then_some(level)
    }

    /// Copies the part of the bytes that lies in `range`. Ranges that touch divide the work without
    /// overlap.
    ///
    /// # Safety
    ///
    /// As `host::run`, for that part.
    pub(super) unsafe fn run(
        &self, range: Range<usize>, choice: &WayChoice, memory: &mut TileMemory,
    ) {
        for (task, units) in self.part(range) {
            let class = self.class(task);
            choice.run(class, units, [task.units_of_a_trial(), task.unit_bytes], |some, way| {
                // SAFETY: `units` are those of `task` in this part, which the contract of `Tasks::run`
                // covers. `WayChoice::run` divides them, so that `some` are copied once.
                unsafe { self.run_units(task, some, way, memory) };
            });
        }
    }

    /// What decides which way is the fastest for a task.
    fn class(&self, task: &CopyTask) -> TaskClass {
        let kind = match task.kind {
            TaskKind::Long => 0,
            TaskKind::Rows | TaskKind::Bits => 1,
            TaskKind::Transposed { .. } => 2,
        };
        let run = self.plan.piece(task.pieces.start).0.run;
        TaskClass { kind, run, side: self.plan.side() }
    }

    /// The tasks that have a part of the bytes in `range`, and which of their units these are.
    fn part(&self, range: Range<usize>) -> impl Iterator<Item = (&CopyTask, Range<usize>)> {
        let first = self.tasks.partition_point(|task| task.start <= range.start).saturating_sub(1);
        let tasks = self.tasks[first..].iter().take_while(move |task| task.start < range.end);
        tasks
            .map(move |task| (task, task.unit_at(range.start)..task.unit_at(range.end)))
            .filter(|(_, units)| !units.is_empty())
    }

    /// # Safety
    ///
    /// As [`Self::run`], for these units.
    unsafe fn run_units(
        &self, task: &CopyTask, units: Range<usize>, store: StoreMode, memory: &mut TileMemory,
    ) {
        let (piece, loops) = self.plan.piece(task.pieces.start);
        // SAFETY: the contract of `run_units` covers these `units` of the pieces of `task`, which
        // are what each kernel copies.
        unsafe {
            match task.kind {
                TaskKind::Long => copy_long(piece, loops, units, store),
                TaskKind::Bits => bits::copy(piece, loops, units),
                TaskKind::Rows => {
                    let Range { start: first, end } = task.pieces;
                    let rows = LaneRows::Neighbours { plan: self.plan, first, count: end - first };
                    rows::copy(&rows, units, store, memory);
                }
                TaskKind::Transposed { level } => {
                    copy_transposed(piece, loops, level, units, store, memory)
                }
            }
        }
    }
}

/// Copies turns `units` of the loops down to `level`, each with all turns of the loop below it.
///
/// # Safety
///
/// As [`Tasks::run`].
unsafe fn copy_transposed(
    piece: &StridedCopy, loops: &[Loop], level: usize, units: Range<usize>, store: StoreMode,
    memory: &mut TileMemory,
) {
    let in_a_turn = loops[level].count;
    let mut unit = units.start;
    while unit < units.end {
        let (turn, first) = (unit / in_a_turn, unit % in_a_turn);
        let count = (units.end - unit).min(in_a_turn - first);
        let rows = LaneRows::Transposed { piece, loops, level, turn, first, count };
        // SAFETY: `rows` are a part of `units`, which the contract of `copy_transposed` covers. The
        // turns of such a loop are laid out as neighbours are.
        unsafe { rows::copy(&rows, 0..rows.in_a_turn(), store, memory) };
        unit += count;
    }
}

/// Copies the bytes `bytes` of a piece, counted run after run.
///
/// # Safety
///
/// As [`Tasks::run`].
unsafe fn copy_long(piece: &StridedCopy, loops: &[Loop], bytes: Range<usize>, store: StoreMode) {
    let mut at = bytes.start;
    while at < bytes.end {
        let (turn, inside) = (at / piece.run, at % piece.run);
        let len = (piece.run - inside).min(bytes.end - at);
        let (source, destination) = offsets_of_turn(loops, turn);
        let source = piece.source.wrapping_offset(source).wrapping_add(inside);
        let destination = piece.destination.wrapping_offset(destination).wrapping_add(inside);
        let next = piece.source.wrapping_offset(offsets_of_turn(loops, turn + 1).0);
        // SAFETY: `source` and `destination` are `len` bytes inside of one run, which the contract
        // of `copy_long` covers.
        unsafe { store.copy(source, destination, len, next) };
        at += len;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::copy_list::FullSide;
    use crate::model::DataType;
    use crate::transfer::HostView;

    /// Boxes of a 3-D tensor, each of `replicas` shards: cut along two dimensions, so that pieces
    /// have two loops and more.
    fn plan(sizes: [i64; 3], cuts: [i64; 2], replicas: i64, column_major: bool) -> CopyList {
        let strides = if column_major {
            [1, sizes[0], sizes[0] * sizes[1]]
        } else {
            [sizes[1] * sizes[2], sizes[2], 1]
        };
        let view = |place: i64, sizes: &[i64; 3], strides: Option<&[i64]>| {
            let first = std::ptr::without_provenance_mut(place as usize);
            HostView::new("view", first, DataType::FLOAT32, sizes, strides).unwrap()
        };
        let mut plan = CopyList::new(FullSide::Source);
        let mut shards = 1 << 40;
        let boxes = (0..cuts[0]).flat_map(|a| (0..cuts[1]).map(move |b| (a, b)));
        for (first, second) in boxes.flat_map(|cell| (0..replicas).map(move |_| cell)) {
            let start = |at: i64, dim: usize| at * sizes[dim + 1] / cuts[dim];
            let offsets = [0, start(first, 0), start(second, 1)];
            let part =
                [sizes[0], start(first + 1, 0) - offsets[1], start(second + 1, 1) - offsets[2]];
            let offset: i64 = offsets.iter().zip(&strides).map(|(at, step)| at * step).sum();
            let source = view((1 << 30) + 4 * offset, &part, Some(&strides));
            plan.push(&source, &view(shards, &part, None)).unwrap();
            shards += 4 * part.iter().product::<i64>() + 64;
        }
        plan.sort();
        plan
    }

    /// Bytes of the largest of 16 parts of a 2-D tensor, beside those that it would have of alike
    /// ones.
    fn largest_part(rows: i64, columns: i64, cuts: i64, column_major: bool) -> (usize, usize) {
        let plan = plan([1, rows, columns], [1, cuts], 1, column_major);
        let tasks = Tasks::new(&plan).unwrap();
        let part_bytes = tasks.bytes().div_ceil(16);
        let bytes = (0..tasks.bytes()).step_by(part_bytes).map(|start| {
            let part = tasks.part(start..tasks.bytes().min(start + part_bytes));
            part.map(|(task, units)| units.len() * task.unit_bytes).sum()
        });
        (bytes.max().unwrap(), part_bytes)
    }

    #[test]
    fn parts_of_a_few_long_rows_are_alike() {
        for (rows, columns, cuts, column_major) in [
            (32, 1 << 20, 256, false),
            (100, 1 << 18, 1000, false),
            (1 << 16, 64, 8, false),
            (300, 1 << 16, 1, true),
            (1 << 12, 1 << 12, 1, true),
        ] {
            let (largest, alike) = largest_part(rows, columns, cuts, column_major);
            assert!(largest <= 2 * alike, "{rows} by {columns}: {largest} bytes, not {alike}");
        }
    }

    #[test]
    fn of_a_single_shard_the_lines_between_its_runs_count_too() {
        let (rows, step) = (1000, 4096);
        for (columns, step, touched) in [
            (128, step, rows * (512 + 256)),
            (1, step, rows * (64 + 256)),
            (16, 128, rows * 128),
            (128, 512, rows * 512),
        ] {
            let mut plan = CopyList::new(FullSide::Source);
            let first = |place: usize| std::ptr::without_provenance_mut(place);
            let (sizes, strides) = ([rows as i64, columns], [step / 4, 1]);
            let float = DataType::FLOAT32;
            let full =
                HostView::new("full", first(1 << 30), float, &sizes, Some(&strides)).unwrap();
            let shard = HostView::new("shard", first(1 << 40), float, &sizes, None).unwrap();
            plan.push(&full, &shard).unwrap();
            assert_eq!(plan.touched_bytes(), touched, "{columns} columns");
        }
        // Of neighbours, nothing is read twice or in vain.
        let all = plan([1, 1000, 1024], [1, 8], 1, false);
        assert_eq!(all.touched_bytes(), all.bytes());
    }

    /// Columns of 32 bytes, which are listed replica after replica or column after column.
    #[test]
    fn neighbours_are_copied_together_in_each_replica_and_replicas_in_turn() {
        let plan = plan([1, 1 << 18, 64], [1, 8], 3, false);
        let tasks = Tasks::new(&plan).unwrap().tasks;
        assert!(tasks.iter().all(|task| task.pieces.len() == 8), "a column is copied alone");
        for (at, replicas) in tasks.chunks(3).enumerate() {
            let [first, others @ ..] = replicas else { panic!("a chunk of no replica") };
            assert_eq!(first.units.start, at * first.units.len());
            assert!(first.units_of_a_trial() <= first.units.len());
            assert!(others.iter().all(|task| task.units_of_a_trial() > task.units.len()));
            assert!(replicas.iter().all(|task| task.units == first.units));
            let pieces: Vec<_> = replicas.iter().map(|task| task.pieces.start).collect();
            assert_eq!(pieces, [0, 8, 16]);
        }
        assert_eq!(tasks.len(), 3 * 128, "chunks of 512 KiB");
    }

    #[test]
    fn small_replicas_are_too_short_for_trials() {
        let tasks = plan([3, 50, 40], [2, 2], 2, false);
        let tasks = Tasks::new(&tasks).unwrap().tasks;
        assert!(tasks.iter().all(|task| task.units_of_a_trial() > task.units.len()));
    }

    proptest! {
        #[test]
        fn parts_of_a_plan_are_all_of_it_and_nothing_twice(
            sizes in prop::array::uniform3(1i64..200), cuts in prop::array::uniform2(1i64..6),
            replicas in 1i64..4, column_major in any::<bool>(), parts in 1usize..40,
        ) {
            let plan = plan(sizes, cuts, replicas, column_major);
            let tasks = Tasks::new(&plan).unwrap();
            let elements: i64 = sizes.iter().product();
            prop_assert_eq!(tasks.bytes(), 4 * (elements * replicas) as usize);
            let part_bytes = tasks.bytes().div_ceil(parts);
            let mut done: Vec<_> = tasks.tasks.iter().map(|task| task.units.start).collect();
            for start in (0..tasks.bytes()).step_by(part_bytes) {
                for (task, units) in tasks.part(start..tasks.bytes().min(start + part_bytes)) {
                    let at = tasks.tasks.iter().position(|other| std::ptr::eq(other, task)).unwrap();
                    prop_assert_eq!(units.start, done[at], "a unit is left out or done twice");
                    done[at] = units.end;
                }
            }
            let ends: Vec<_> = tasks.tasks.iter().map(|task| task.units.end).collect();
            prop_assert_eq!(done, ends);
        }
    }
}
