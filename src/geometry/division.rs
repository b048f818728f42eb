//! Division of index space by blocks: what a shard has of the blocks of a dimension.
//!
//! Block `i` of a dimension is the indices `i * b` up to `(i + 1) * b`; the last one may be short. A
//! shard that has whole blocks, each in one piece, has a dim map of blocks too, in which each is one
//! index.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "blocks are at least 1 long; starts and ends of stretches fit an i64, and so do they when \
              divided; products are made where they are checked"
)]

use std::fmt;

use super::dim_map::{DimMap, DimPart};
use super::{GeometryError, GeometryResult, Stretch};
use crate::memory::{OutOfMemory, TryVec, try_collect, try_with_capacity};

/// A dimension, and the blocks that it is divided into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DimBlocks {
    /// How many indices the dimension has.
    pub(crate) size: i64,
    /// How many indices a block has: at least 1.
    pub(crate) block: i64,
}

/// Why a shard has no whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BlockProblem {
    /// It has a part of a block.
    Inside {
        /// Where it starts or ends, inside of the block.
        index: i64,
        /// Where the block starts.
        start: i64,
        /// Where the block ends.
        end: i64,
    },
    /// It has a block, but not as neighbours, in their order, at a multiple of the block in its buffer.
    Apart {
        /// Where the block starts.
        start: i64,
        /// Where the block ends.
        end: i64,
        /// How long blocks are.
        block: i64,
    },
    /// Its buffer ends inside of a block.
    Padding {
        /// How long the buffer is.
        length: i64,
        /// How long blocks are.
        block: i64,
    },
}

/// A shard that has no whole blocks, or no memory.
#[derive(Debug)]
pub(crate) enum DivideError {
    Block(BlockProblem),
    Other(GeometryError),
}

impl From<GeometryError> for DivideError {
    fn from(error: GeometryError) -> Self {
        Self::Other(error)
    }
}

impl From<OutOfMemory> for DivideError {
    fn from(error: OutOfMemory) -> Self {
        Self::Other(error.into())
    }
}

impl From<BlockProblem> for DivideError {
    fn from(problem: BlockProblem) -> Self {
        Self::Block(problem)
    }
}

impl fmt::Display for BlockProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Inside { index, start, end } => write!(
                f,
                "is cut at {index}, inside of the block {start}..{end}; cut at {start} or {end}"
            ),
            Self::Apart { start, end, block } => write!(
                f,
                "has the block {start}..{end} in pieces, or not at a multiple of {block} of the buffer; keep \
                 blocks whole and aligned"
            ),
            Self::Padding { length, block } => write!(
                f,
                "has {length} places in the buffer, which end inside of a block of {block}; pad to a \
                 multiple of {block}"
            ),
        }
    }
}

impl DimBlocks {
    /// How many blocks there are.
    pub(crate) fn count(self) -> i64 {
        self.ceil(self.size)
    }

    /// How many blocks it takes to hold so many indices.
    fn ceil(self, indices: i64) -> i64 {
        indices / self.block + i64::from(indices % self.block > 0)
    }

    fn divides(self, number: i64) -> bool {
        number % self.block == 0
    }

    /// Whether a block may end here.
    fn may_end(self, index: i64) -> bool {
        self.divides(index) || index == self.size
    }

    /// Where the block of an index starts and ends.
    fn around(self, index: i64) -> (i64, i64) {
        let start = index - index % self.block;
        (start, start.saturating_add(self.block).min(self.size))
    }

    fn cut_at(self, index: i64) -> BlockProblem {
        let (start, end) = self.around(index);
        BlockProblem::Inside { index, start, end }
    }

    /// The blocks of an interval, which is inside of the dimension or empty: start and length.
    pub(crate) fn of_interval(self, start: i64, length: i64) -> Result<(i64, i64), BlockProblem> {
        if length == 0 {
            return Ok((self.ceil(start), 0));
        }
        let end = start + length;
        if !self.divides(start) {
            return Err(self.cut_at(start));
        }
        if !self.may_end(end) {
            return Err(self.cut_at(end));
        }
        Ok((start / self.block, self.ceil(length)))
    }

    /// The blocks of a dim map, in the order of its buffer.
    pub(crate) fn of_map(self, map: &DimMap) -> Result<DimMap, DivideError> {
        if map.stretches().iter().all(|stretch| self.is_aligned(stretch)) {
            let stretches = map.stretches().iter().filter_map(|stretch| self.of_aligned(stretch));
            return Ok(DimMap::trusted(self.length_of(map)?, try_collect(stretches)?)?);
        }
        if let Some(index) = self.first_cut(map) {
            return Err(self.cut_at(index).into());
        }
        self.of_unaligned(map)
    }

    /// How many blocks the buffer of a dim map has room for.
    fn length_of(self, map: &DimMap) -> Result<i64, BlockProblem> {
        let (length, block) = (map.length(), self.block);
        // The short block at the end of the dimension may be that of the buffer as well.
        let ends_short = || map.global(length - 1) == Some(self.size - 1);
        if self.divides(length) || ends_short() {
            return Ok(self.ceil(length));
        }
        Err(BlockProblem::Padding { length, block })
    }

    /// Whether a stretch is made of whole blocks that start at multiples everywhere.
    fn is_aligned(self, stretch: &Stretch) -> bool {
        let (start, length) = (stretch.global_start(), stretch.length());
        let is_single = stretch.count() == 1;
        let steps = [stretch.global_step(), stretch.local_step()];
        self.divides(start)
            && self.divides(stretch.local_start())
            && (is_single || steps.into_iter().all(|step| self.divides(step)))
            && (self.divides(length) || is_single && start + length == self.size)
    }

    fn of_aligned(self, stretch: &Stretch) -> Option<Stretch> {
        let starts = [stretch.global_start(), stretch.local_start()].map(|one| one / self.block);
        let steps = [stretch.global_step(), stretch.local_step()].map(|one| one / self.block);
        Stretch::new(starts, self.ceil(stretch.length()), stretch.count(), steps)
    }

    /// An index inside of a block at which what a dim map has starts or ends, if one is near the start of
    /// a stretch.
    fn first_cut(self, map: &DimMap) -> Option<i64> {
        // If any block of a stretch is cut otherwise than the first, the second one is.
        let near = |stretch: &Stretch| {
            let (start, length) = (stretch.global_start(), stretch.length());
            let step = stretch.global_step();
            (0..stretch.count().min(2)).map(move |number| {
                let start = start + number * step;
                (start, start + length)
            })
        };
        let cuts = map.stretches().iter().flat_map(near).filter_map(|(start, end)| {
            if !self.divides(start) && map.local(start - 1).is_none() {
                return Some(start);
            }
            (!self.may_end(end) && map.local(end).is_none()).then_some(end)
        });
        cuts.min()
    }

    /// The blocks of a dim map whose stretches are none, though together they may be: a block may be made
    /// of blocks of several stretches.
    fn of_unaligned(self, map: &DimMap) -> Result<DimMap, DivideError> {
        let apart = |index: i64| {
            let ((start, end), block) = (self.around(index), self.block);
            DivideError::Block(BlockProblem::Apart { start, end, block })
        };
        let odd = map.stretches().iter().find(|stretch| !self.is_aligned(stretch));
        let odd = odd.map_or(0, Stretch::global_start);
        // The first index of each block, where it is.
        let firsts = Stretch::new([0, 0], 1, self.count(), [self.block, 1]);
        let firsts = DimMap::trusted(self.count(), try_collect(firsts)?)?;
        let mut stretches = Vec::new();
        for DimPart { count, starts: [local, number], steps: [local_step, step], .. } in
            map.common(&firsts)?
        {
            if !self.divides(local) {
                return Err(apart(number * self.block));
            }
            // The first one is in its place, and so the second one is not.
            if count > 1 && !self.divides(local_step) {
                return Err(apart((number + step) * self.block));
            }
            let (starts, steps) = ([number, local / self.block], [step, local_step / self.block]);
            let stretch = Stretch::new(starts, 1, count, steps);
            stretches.try_push(stretch.ok_or_else(|| apart(odd))?)?;
        }
        let blocks = DimMap::trusted(self.length_of(map)?, stretches)?;
        let whole = self.indices_of(&blocks, map.length())?;
        let same = whole.elements() == map.elements() && is_part_of(&whole, map)?;
        if same { Ok(blocks) } else { Err(apart(odd)) }
    }

    /// The indices of blocks, in a buffer of `length` places.
    fn indices_of(self, blocks: &DimMap, length: i64) -> GeometryResult<DimMap> {
        let block = self.block;
        let mut stretches = try_with_capacity(blocks.stretches().len().saturating_add(1))?;
        for one in blocks.stretches() {
            let last = one.global_start() + (one.count() - 1) * one.global_step();
            // The last block of the dimension may be short.
            let is_last = last + one.length() == self.count();
            let count = if is_last { one.count() - 1 } else { one.count() };
            let length = one.length().saturating_mul(block);
            let starts = [one.global_start(), one.local_start()].map(|at| at.saturating_mul(block));
            let steps = [one.global_step(), one.local_step()].map(|by| by.saturating_mul(block));
            stretches.try_extend(Stretch::new(starts, length, count, steps))?;
            if is_last {
                let [start, local] = [0, 1].map(|side: usize| {
                    let (start, step) = if side == 0 {
                        (one.global_start(), one.global_step())
                    } else {
                        (one.local_start(), one.local_step())
                    };
                    (start + (one.count() - 1) * step).saturating_mul(block)
                });
                stretches.try_extend(Stretch::interval(start, local, self.size - start))?;
            }
        }
        DimMap::trusted(length, stretches)
    }
}

/// Whether a dim map has all indices of another one, at the same places.
fn is_part_of(part: &DimMap, whole: &DimMap) -> GeometryResult<bool> {
    let parts = part.common(whole)?;
    let same = parts.iter().filter(|one| {
        one.starts[0] == one.starts[1] && (one.count == 1 || one.steps[0] == one.steps[1])
    });
    Ok(same.map(|one| one.length * one.count).sum::<i64>() == part.elements())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::Random;

    /// Which block is at each place of the blocks' buffer, by looking at each element.
    fn by_elements(blocks: DimBlocks, map: &DimMap) -> Option<Vec<Option<i64>>> {
        let DimBlocks { size, block } = blocks;
        let is_short = map.length() > 0 && map.global(map.length() - 1) == Some(size - 1);
        if map.length() % block != 0 && !is_short {
            return None;
        }
        let mut places = vec![None; blocks.ceil(map.length()) as usize];
        for (local, index) in (0..map.length()).filter_map(|at| Some((at, map.global(at)?))) {
            let (start, end) = blocks.around(index);
            let first = local - (index - start);
            let is_whole =
                (start..end).all(|other| map.local(other) == Some(first + other - start));
            if first < 0 || first % block != 0 || !is_whole {
                return None;
            }
            places[(first / block) as usize] = Some(start / block);
        }
        Some(places)
    }

    /// Some blocks of a dimension, each of which is made of elements of several stretches.
    fn interleaved(blocks: DimBlocks, random: &mut Random) -> Option<DimMap> {
        let DimBlocks { size, block } = blocks;
        let (step, local_step) = (random.range(1, 4), random.range(1, 4));
        let (first, place) = (random.range(0, blocks.count().min(3)), random.range(0, 3));
        let count = random.range(1, (blocks.count() - first - 1) / step + 2);
        let starts = |number: i64| [first + number * step, place + number * local_step];
        let [last, last_place] = starts(count - 1);
        let mut length = last_place * block + block.min(size - last * block);
        let mut stretches = Vec::new();
        for inside in 0..block {
            // The last block may be short.
            let has_last = last * block + inside < size;
            let [global, local] = starts(0).map(|start| start * block + inside);
            let steps = [step, local_step].map(|step| step * block);
            stretches.extend(Stretch::new([global, local], 1, count - i64::from(!has_last), steps));
        }
        match random.below(6) {
            // Something is wrong with one of them, or with the length.
            0 => drop(stretches.pop()),
            1 => {
                let which = random.below(stretches.len());
                let other = stretches[which];
                let starts = [other.global_start(), other.local_start() + random.range(0, 2)];
                let steps = [other.global_step(), other.local_step()];
                stretches[which] = Stretch::new(starts, 1, other.count(), steps)?;
                length += 1;
            }
            2 => length += random.range(1, block),
            _ => {}
        }
        DimMap::new(length, stretches).ok()
    }

    /// Blocks at steps that are multiples of the dimension's block, or mostly so.
    fn one_stretch(blocks: DimBlocks, random: &mut Random) -> Option<DimMap> {
        let mut multiple = |least: i64| {
            let odd = i64::from(random.below(8) == 0);
            blocks.block * random.range(least, least + 3) + odd
        };
        let (starts, length) = ([multiple(0), multiple(0)], multiple(1));
        let steps = [length + multiple(0), length + multiple(0)];
        let stretch = Stretch::new(starts, length, random.range(1, 4), steps)?;
        let map = DimMap::new(starts[1] + 4 * steps[1], vec![stretch]).ok()?;
        // The dimension, and the buffer, may end in the last block.
        let end = map.end().min(blocks.size);
        let inside = DimMap::interval(0, end).ok()?.common(&map).ok()?;
        let stretches = inside.iter().filter_map(|part| {
            Stretch::new([part.starts[0], part.starts[1]], part.length, part.count, part.steps)
        });
        DimMap::new(map.length() - random.range(0, 3), stretches.collect()).ok()
    }

    #[test]
    fn blocks_of_one_stretch_are_those_that_all_elements_make() {
        let mut random = Random::new(5);
        let mut divided = [0; 2];
        for _ in 0..4000 {
            let blocks = DimBlocks { size: random.range(1, 60), block: random.range(2, 6) };
            let Some(map) = one_stretch(blocks, &mut random) else { continue };
            let places = blocks.of_map(&map).ok().map(|found| {
                (0..found.length()).map(|place| found.global(place)).collect::<Vec<_>>()
            });
            assert_eq!(places, by_elements(blocks, &map), "{blocks:?} of {map:?}");
            divided[usize::from(places.is_some())] += 1;
        }
        assert!(divided.iter().all(|&cases| cases > 200), "{divided:?}");
    }

    #[test]
    fn blocks_of_interleaved_stretches_are_those_that_all_elements_make() {
        let mut random = Random::new(3);
        let mut divided = [0; 2];
        for _ in 0..4000 {
            let blocks = DimBlocks { size: random.range(8, 60), block: random.range(2, 6) };
            let Some(map) = interleaved(blocks, &mut random) else { continue };
            let places = blocks.of_map(&map).ok().map(|found| {
                (0..found.length()).map(|place| found.global(place)).collect::<Vec<_>>()
            });
            assert_eq!(places, by_elements(blocks, &map), "{blocks:?} of {map:?}");
            divided[usize::from(places.is_some())] += 1;
        }
        assert!(divided.iter().all(|&cases| cases > 500), "{divided:?}");
    }
}
