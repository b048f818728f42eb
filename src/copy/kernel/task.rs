//! The pieces of a plan, sorted out for the kernels.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "bytes of a plan fit an address space, and indices are those of its own arrays"
)]

use std::ops::Range;

use super::bits;
use super::lines::Store;
use super::rows::{self, Rows};
use super::tiles::Work;
use crate::copy::plan::{Loop, Piece, Plan};

/// Runs from this length on are copied one by one: many at once would gain nothing.
const LONG: usize = 32 << 10;

/// How a task is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One piece of long runs; may be divided anywhere.
    Long,
    /// Pieces whose runs are neighbours in the full tensor, row after row; divided between rows.
    Rows,
    /// One piece whose contiguous dimension is `level`'s on the source side and the innermost on the
    /// destination side; divided between turns of `level`.
    Transposed { level: usize },
    /// One piece of bits; divided by 8 of them.
    Bits,
}

/// Pieces that one kernel copies together.
#[derive(Debug, Clone)]
struct Task {
    kind: Kind,
    pieces: Range<usize>,
    /// Where its bytes start among those of all tasks.
    start: usize,
    /// What it may be divided into, and the bytes of one.
    units: usize,
    unit_bytes: usize,
}

/// All of a plan's pieces as tasks.
pub(super) struct Tasks<'a> {
    plan: &'a Plan,
    tasks: Vec<Task>,
    bytes: usize,
}

impl<'a> Tasks<'a> {
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut all = Self { plan, tasks: Vec::new(), bytes: 0 };
        let mut first = 0;
        while first < plan.len() {
            let end = all.end_of_neighbours(first);
            all.push(first..end);
            first = end;
        }
        all
    }

    /// Bytes to copy.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where the pieces end that run side by side with piece `first`.
    fn end_of_neighbours(&self, first: usize) -> usize {
        let (piece, loops) = self.plan.piece(first);
        let mut end = first + 1;
        if loops.is_empty() || piece.run >= LONG || piece.bits.is_some() {
            return end;
        }
        let mut place = self.plan.full_place(first).wrapping_add(piece.run);
        while end < self.plan.len() {
            let (next, next_loops) = self.plan.piece(end);
            let alike = next_loops.len() == loops.len()
                && loops.iter().zip(next_loops).all(|(a, b)| {
                    a.count == b.count && self.plan.full_step(a) == self.plan.full_step(b)
                });
            if !alike
                || next.run >= LONG
                || next.bits.is_some()
                || self.plan.full_place(end) != place
            {
                break;
            }
            place = place.wrapping_add(next.run);
            end += 1;
        }
        end
    }

    fn push(&mut self, pieces: Range<usize>) {
        let (piece, loops) = self.plan.piece(pieces.start);
        let turns: usize = loops.iter().map(|level| level.count).product();
        let (kind, units, unit_bytes) = if piece.bits.is_some() {
            (Kind::Bits, (turns * piece.run).div_ceil(8), 1)
        } else if pieces.len() > 1 {
            let row = pieces.clone().map(|at| self.plan.piece(at).0.run).sum();
            (Kind::Rows, turns, row)
        } else if let Some(level) = self.transposed_level(piece, loops) {
            let inner: usize = loops[level + 1..].iter().map(|level| level.count).product();
            (Kind::Transposed { level }, turns / inner, inner * piece.run)
        } else if piece.run >= LONG || loops.is_empty() {
            (Kind::Long, turns * piece.run, 1)
        } else {
            (Kind::Rows, turns, piece.run)
        };
        self.tasks.push(Task { kind, pieces, start: self.bytes, units, unit_bytes });
        self.bytes += units * unit_bytes;
    }

    /// The second loop from within, if the source is contiguous there and the destination in the
    /// innermost one.
    fn transposed_level(&self, piece: &Piece, loops: &[Loop]) -> Option<usize> {
        let item = piece.run;
        let level = loops.len().checked_sub(2)?;
        let (outer, inner) = (loops[level], loops[level + 1]);
        let transposed = item <= rows::LARGEST_ITEM
            && inner.destination_step == item as isize
            && outer.source_step == item as isize;
        transposed.then_some(level)
    }

    /// Copies the part of the bytes that lies in `range`. Ranges that touch divide the work without
    /// overlap: a unit belongs to the range that its first byte is in.
    ///
    /// # Safety
    ///
    /// As `kernel::run`, for that part.
    pub(super) unsafe fn run(&self, range: Range<usize>, store: Store, work: &mut Work) {
        let first = self.tasks.partition_point(|task| task.start <= range.start).saturating_sub(1);
        for task in self.tasks.iter().skip(first).take_while(|task| task.start < range.end) {
            let unit_at = |byte: usize| {
                let inside = byte.saturating_sub(task.start);
                inside.div_ceil(task.unit_bytes.max(1)).min(task.units)
            };
            let units = unit_at(range.start)..unit_at(range.end);
            if units.is_empty() {
                continue;
            }
            // SAFETY: units of the caller's part.
            unsafe { self.run_units(task, units, store, work) };
        }
    }

    /// # Safety
    ///
    /// As [`Self::run`], for these units.
    unsafe fn run_units(&self, task: &Task, units: Range<usize>, store: Store, work: &mut Work) {
        let (piece, loops) = self.plan.piece(task.pieces.start);
        // SAFETY: the caller's promise is passed on.
        unsafe {
            match task.kind {
                Kind::Long => copy_long(piece, loops, units, store),
                Kind::Bits => bits::copy(piece, loops, units),
                Kind::Rows => {
                    let Range { start: first, end } = task.pieces;
                    let rows = Rows::Neighbours { plan: self.plan, first, count: end - first };
                    rows::copy(&rows, units, store, work);
                }
                Kind::Transposed { level } => {
                    copy_transposed(piece, loops, level, units, store, work)
                }
            }
        }
    }
}

/// Source and destination offset of turn `turn` of a nest of loops.
pub(super) fn offsets_of_turn(loops: &[Loop], mut turn: usize) -> (isize, isize) {
    let (mut source, mut destination) = (0, 0);
    for level in loops.iter().rev() {
        let at = (turn % level.count) as isize;
        turn /= level.count;
        source += at * level.source_step;
        destination += at * level.destination_step;
    }
    (source, destination)
}

/// Copies turns `units` of the loops down to `level`, each with all turns of the loop below it.
///
/// # Safety
///
/// As [`Tasks::run`].
unsafe fn copy_transposed(
    piece: &Piece, loops: &[Loop], level: usize, units: Range<usize>, store: Store, work: &mut Work,
) {
    let in_a_turn = loops[level].count;
    let mut unit = units.start;
    while unit < units.end {
        let (turn, first) = (unit / in_a_turn, unit % in_a_turn);
        let count = (units.end - unit).min(in_a_turn - first);
        let rows = Rows::Transposed { piece, loops, level, turn, first, count };
        // SAFETY: a part of the caller's; such loops are those of neighbours.
        unsafe { rows::copy(&rows, 0..rows.in_a_turn(), store, work) };
        unit += count;
    }
}

/// Copies the bytes `bytes` of a piece, counted run after run.
///
/// # Safety
///
/// As [`Tasks::run`].
unsafe fn copy_long(piece: &Piece, loops: &[Loop], bytes: Range<usize>, store: Store) {
    let mut at = bytes.start;
    while at < bytes.end {
        let (turn, inside) = (at / piece.run, at % piece.run);
        let len = (piece.run - inside).min(bytes.end - at);
        let (source, destination) = offsets_of_turn(loops, turn);
        let source = piece.source.wrapping_offset(source).wrapping_add(inside);
        let destination = piece.destination.wrapping_offset(destination).wrapping_add(inside);
        // SAFETY: a part of one run.
        unsafe { store.copy(source, destination, len) };
        at += len;
    }
}
