//! Lists of strided copies in their simplest form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "both views' reach fits an address space, so products of their sizes and strides do"
)]

use std::ops::Range;

use super::cpu::LINE;
use super::tuning::{MIN_LONG_RUN, READ_BEHIND_RUN};
use crate::geometry::{Loop, LoopNest};
use crate::memory::{Memory, TryVec, try_with_capacity};

/// One copy: `run` bytes from `source` to `destination` for each turn of a nest of loops. Or `run`
/// bits, where that can't be said in bytes; then steps are in bits too.
#[derive(Debug, Clone)]
pub(crate) struct StridedCopy {
    pub(crate) source: *const u8,
    pub(crate) destination: *mut u8,
    /// The run that is contiguous on both sides.
    pub(crate) run: usize,
    /// The bits of their bytes with which source and destination start, if bits are copied.
    pub(crate) bits: Option<[usize; 2]>,
    /// Outermost first: destination steps fall, so that writing goes forward.
    loops: Range<usize>,
}

impl StridedCopy {
    /// Where it starts in the full tensor.
    fn full_place(&self, side: FullSide) -> usize {
        match side {
            FullSide::Source => self.source.addr(),
            FullSide::Destination => self.destination.addr(),
        }
    }
}

/// The bytes of an element, or its bits where elements are no whole bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Units {
    /// Units of an element.
    pub(crate) width: usize,
    /// Units of a byte: 1 or 8.
    pub(crate) per_byte: usize,
}

/// The address of an element: its first byte, and the bit of that byte with which it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BitPointer {
    pub(crate) byte: *mut u8,
    /// Below 8.
    pub(crate) bit: usize,
}

/// Which side of a plan's copies the full tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FullSide {
    /// Scatter: the full tensor is read.
    Source,
    /// Gather: the full tensor is written.
    Destination,
}

/// Copies between a full tensor and shards, in any order.
#[derive(Debug)]
pub(crate) struct CopyList {
    side: FullSide,
    copies: Vec<StridedCopy>,
    loops: Vec<Loop>,
    bytes: usize,
}

// SAFETY: a `CopyList` has addresses and follows none. Functions that do, such as `host::run`, have
// a contract of their own.
unsafe impl Send for CopyList {}
// SAFETY: a shared `CopyList` gives numbers and addresses, which never change.
unsafe impl Sync for CopyList {}

impl CopyList {
    pub(crate) fn new(side: FullSide) -> Self {
        Self { side, copies: Vec::new(), loops: Vec::new(), bytes: 0 }
    }

    /// With room for so many copies.
    pub(crate) fn with_capacity(side: FullSide, copies: usize) -> Memory<Self> {
        Ok(Self { copies: try_with_capacity(copies)?, ..Self::new(side) })
    }

    /// With room for so many copies and loops: as many are added without further memory.
    pub(crate) fn with_room(side: FullSide, copies: usize, loops: usize) -> Memory<Self> {
        let (copies, loops) = (try_with_capacity(copies)?, try_with_capacity(loops)?);
        Ok(Self { side, copies, loops, bytes: 0 })
    }

    /// Removes all copies. Their room stays.
    pub(crate) fn clear(&mut self) {
        self.copies.clear();
        self.loops.clear();
        self.bytes = 0;
    }

    /// Which side the full tensor is.
    pub(crate) fn side(&self) -> FullSide {
        self.side
    }

    /// Bytes to copy.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the lines that a processor reads or writes for a copy. They are more than the bytes to
    /// copy where one piece is copied alone and its runs have gaps between them.
    pub(super) fn touched_bytes(&self) -> usize {
        match self.copies.as_slice() {
            [piece] if piece.bits.is_none() => {
                let loops = &self.loops[piece.loops.clone()];
                let [source, destination] =
                    [|one: &Loop| one.source_step, |one: &Loop| one.destination_step]
                        .map(|step| loops.iter().map(|one| step(one).unsigned_abs()).min());
                let apart = source.max(destination).unwrap_or(piece.run);
                let lines = piece.run.next_multiple_of(LINE) + READ_BEHIND_RUN;
                self.bytes / piece.run.max(1) * apart.min(lines).max(piece.run)
            }
            _ => self.bytes,
        }
    }

    /// Number of pieces.
    pub(crate) fn len(&self) -> usize {
        self.copies.len()
    }

    /// A piece and its loops.
    pub(crate) fn piece(&self, index: usize) -> (&StridedCopy, &[Loop]) {
        let piece = &self.copies[index];
        (piece, &self.loops[piece.loops.clone()])
    }

    /// Where a piece starts in the full tensor.
    pub(crate) fn full_place(&self, index: usize) -> usize {
        self.copies[index].full_place(self.side)
    }

    /// Puts pieces into the order of their places in the full tensor: then neighbours follow each
    /// other, whichever shards they are of. Replicas have one place. The first of each place come
    /// first, then the second of each, and so on, so that each of these parts has its neighbours.
    pub(crate) fn sort(&mut self) {
        let side = self.side;
        let place = |piece: &StridedCopy| piece.full_place(side);
        if self.copies.is_sorted_by(|one, next| place(one) < place(next)) {
            return;
        }
        self.copies.sort_unstable_by_key(|piece| (place(piece), piece.loops.start));
        if self.copies.is_sorted_by(|one, next| place(one) < place(next)) {
            return;
        }
        // Without memory for the numbers, the order is a slower one.
        let Ok(mut numbered) = try_with_capacity::<(usize, StridedCopy)>(self.copies.len()) else {
            return;
        };
        for piece in self.copies.drain(..) {
            let number = match numbered.last() {
                Some((number, before)) if place(before) == place(&piece) => number + 1,
                _ => 0,
            };
            numbered.push((number, piece));
        }
        numbered.sort_unstable_by_key(|(number, piece)| (*number, place(piece)));
        self.copies.extend(numbered.into_iter().map(|(_, piece)| piece));
    }

    /// A loop's step in the full tensor.
    pub(crate) fn full_step(&self, level: &Loop) -> isize {
        match self.side {
            FullSide::Source => level.source_step,
            FullSide::Destination => level.destination_step,
        }
    }

    /// Where the pieces end that run side by side with piece `first`.
    pub(crate) fn end_of_neighbours(&self, first: usize) -> usize {
        let (piece, loops) = self.piece(first);
        let mut end = first + 1;
        if loops.is_empty() || piece.run >= MIN_LONG_RUN || piece.bits.is_some() {
            return end;
        }
        let mut place = self.full_place(first).wrapping_add(piece.run);
        while end < self.len() {
            let (next, next_loops) = self.piece(end);
            let alike = next_loops.len() == loops.len()
                && loops
                    .iter()
                    .zip(next_loops)
                    .all(|(a, b)| a.count == b.count && self.full_step(a) == self.full_step(b));
            if !alike
                || next.run >= MIN_LONG_RUN
                || next.bits.is_some()
                || self.full_place(end) != place
            {
                break;
            }
            place = place.wrapping_add(next.run);
            end += 1;
        }
        end
    }

    /// A loop's step in the shard.
    pub(crate) fn shard_step(&self, level: &Loop) -> isize {
        match self.side {
            FullSide::Source => level.destination_step,
            FullSide::Destination => level.source_step,
        }
    }

    /// Adds a copy like number `copy` of this list, between other memory: what that one has at the second
    /// place of a pair, this one has at the first. It has `bytes` bytes, as that one.
    pub(crate) fn push_again(
        &mut self, copy: usize, [source, destination]: [[*mut u8; 2]; 2], bytes: usize,
    ) -> Memory<()> {
        let like = self.copies[copy].clone();
        let moved = |place: *const u8, [to, from]: [*mut u8; 2]| {
            to.wrapping_offset(place.addr().wrapping_sub(from.addr()).cast_signed())
        };
        self.bytes = self.bytes.saturating_add(bytes);
        self.copies.try_push(StridedCopy {
            source: moved(like.source, source),
            destination: moved(like.destination, destination),
            ..like
        })
    }

    /// Adds a copy of a box: `dims` has how often, and how many units further on either side, the
    /// last dimension of the box first. A byte has `units.per_byte` units, an element
    /// `units.width`.
    pub(crate) fn push_box(
        &mut self, units: Units, [source, destination]: [BitPointer; 2],
        dims: impl Iterator<Item = (usize, [isize; 2])>,
    ) -> Memory<()> {
        let first = self.loops.len();
        let bits = [source.bit as isize, destination.bit as isize];
        let mut nest = LoopNest::new(&mut self.loops, bits, units.width);
        let mut elements = 1usize;
        for (count, [source_step, destination_step]) in dims {
            elements = elements.saturating_mul(count);
            nest.repeat(count, source_step, destination_step)?;
        }
        nest.simplify();
        let whole = units.per_byte == 1 || nest.coarsen(units.per_byte);
        let (run, starts) = (nest.run(), nest.starts());
        let [from, to] = if whole {
            starts.map(|start| (start, 0))
        } else {
            let byte = units.per_byte as isize;
            starts.map(|at| (at.div_euclid(byte), at.rem_euclid(byte) as usize))
        };
        let moved = elements.saturating_mul(units.width).div_ceil(units.per_byte);
        self.bytes = self.bytes.saturating_add(moved);
        self.copies.try_push(StridedCopy {
            source: source.byte.cast_const().wrapping_offset(from.0),
            destination: destination.byte.wrapping_offset(to.0),
            run,
            bits: (!whole).then_some([from.1, to.1]),
            loops: first..self.loops.len(),
        })
    }
}
