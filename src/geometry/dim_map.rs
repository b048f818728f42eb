//! Dim maps: what a shard has of one dimension.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "indices are inside of a dim map, whose length and ends fit an i64; numbers of stretches \
              are those of the lists that are indexed by them"
)]

use std::ops::Range;

use super::blocks::BlockTrain;
use super::stretch::MapSide;
use super::{GeometryError, GeometryResult, Stretch};
use crate::memory::{Memory, TryVec, try_collect, try_to_vec, try_with_capacity};

/// Steps that it may take to find out that stretches share nothing: stretches that lie across each other
/// are compared two by two, and those at steps that do not divide each other block by block.
const MAX_STEPS: i64 = 1 << 22;

/// The indices of one dimension that a shard has, in the order of the shard's buffer, as stretches.
/// Places of the buffer that no stretch covers are holes: they hold no element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DimMap {
    length: i64,
    elements: i64,
    /// By where they start in the buffer.
    stretches: Vec<Stretch>,
    local: Order,
    global: Order,
}

/// The intersection of two dim maps: `count` runs of `length` neighbouring indices, which neighbour
/// each other in both buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DimPart {
    /// How many neighbouring indices a run has.
    pub length: i64,
    /// How many runs there are.
    pub count: i64,
    /// Where the first run starts in either buffer.
    pub starts: [i64; 2],
    /// From the start of a run to that of the next in either buffer.
    pub steps: [i64; 2],
}

/// Stretches in the order of their starts on one side, and how far they reach: what starts before a
/// place and reaches past it is found by halving.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Order {
    /// Numbers of stretches.
    order: Vec<u32>,
    /// For each of the order, the furthest end of it and those before it.
    reach: Vec<i64>,
}

impl Order {
    fn try_clone(&self) -> Memory<Self> {
        Ok(Self { order: try_to_vec(&self.order)?, reach: try_to_vec(&self.reach)? })
    }
}

impl DimMap {
    /// The same map in memory of its own.
    pub(super) fn try_clone(&self) -> Memory<Self> {
        let (local, global) = (self.local.try_clone()?, self.global.try_clone()?);
        Ok(Self { stretches: try_to_vec(&self.stretches)?, local, global, ..*self })
    }

    /// All indices of `start .. start + length`.
    pub fn interval(start: i64, length: i64) -> GeometryResult<Self> {
        Self::padded(start, length, length)
    }

    /// Indices `start .. start + size` in a buffer of `length` places; what is behind them are holes.
    pub fn padded(start: i64, size: i64, length: i64) -> GeometryResult<Self> {
        if size == 0 && length >= 0 {
            return Self::trusted(length, Vec::new());
        }
        let stretch = Stretch::interval(start, 0, size).ok_or(GeometryError::NotAStretch)?;
        if size > length {
            return Err(GeometryError::PastTheEnd);
        }
        Self::trusted(length, try_collect([stretch])?)
    }

    /// A buffer of `length` places that holds these stretches. Refused are stretches past the end,
    /// and two that have an index or a place in common.
    ///
    /// Takes `n * log(n)` for `n` stretches, and a comparison for each two that lie across each other
    /// on one side. Stretches that take more than `MAX_STEPS` are refused.
    pub fn new(length: i64, stretches: Vec<Stretch>) -> GeometryResult<Self> {
        if stretches.iter().any(|stretch| stretch.blocks(MapSide::Local).end() > length) {
            return Err(GeometryError::PastTheEnd);
        }
        let map = Self::trusted(length, stretches)?;
        for side in [MapSide::Local, MapSide::Global] {
            map.check_disjoint(side)?;
        }
        Ok(map)
    }

    /// These dim maps one after the other, in one buffer. They must have no index in common.
    pub fn joined<'a>(maps: impl IntoIterator<Item = &'a Self>) -> GeometryResult<Self> {
        let (mut length, mut stretches) = (0i64, Vec::new());
        for map in maps {
            for stretch in &map.stretches {
                stretches.try_push(stretch.shifted(length).ok_or(GeometryError::Overflow)?)?;
            }
            length = length.checked_add(map.length).ok_or(GeometryError::Overflow)?;
        }
        Self::trusted(length, stretches)
    }

    /// Stretches that are known to be inside of the buffer and to have nothing in common.
    pub(crate) fn trusted(length: i64, mut stretches: Vec<Stretch>) -> GeometryResult<Self> {
        if length < 0 || u32::try_from(stretches.len()).is_err() {
            return Err(GeometryError::Overflow);
        }
        stretches.sort_unstable_by_key(Stretch::local_start);
        // A merged run may continue with the one after it; further passes find nothing.
        for _ in 0..2 {
            stretches.dedup_by(|next, kept| match kept.join(next) {
                Some(joined) => {
                    *kept = joined;
                    true
                }
                None => false,
            });
        }
        // Those that a caller gave may overlap, which is found out later.
        let mut counts = stretches.iter().map(Stretch::elements);
        let elements = counts.try_fold(0i64, i64::checked_add).ok_or(GeometryError::Overflow)?;
        let local = Order::new(&stretches, MapSide::Local)?;
        let global = Order::new(&stretches, MapSide::Global)?;
        Ok(Self { length, elements, stretches, local, global })
    }

    /// How many places the buffer has, holes included.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// How many indices the shard has.
    pub fn elements(&self) -> i64 {
        self.elements
    }

    /// How many places of the buffer hold no element.
    pub fn holes(&self) -> i64 {
        self.length - self.elements
    }

    /// Where holes may be in the buffer: behind all elements, where they are nowhere else, and else
    /// anywhere.
    pub fn holes_in(&self) -> Range<i64> {
        let end = self.local.reach.last().copied().unwrap_or(0);
        if end == self.elements { end..self.length } else { 0..self.length }
    }

    /// The indices as stretches, by where they start in the buffer.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// The indices as one interval without holes, if they are that; an empty one starts at 0.
    pub fn as_interval(&self) -> Option<Range<i64>> {
        match *self.stretches {
            [] if self.length == 0 => Some(0..0),
            [one] if one.count() == 1 && one.length() == self.length => {
                Some(one.global_start()..one.global_start() + one.length())
            }
            _ => None,
        }
    }

    /// Past the last of its indices; 0 where it has none.
    pub fn end(&self) -> i64 {
        self.global.reach.last().copied().unwrap_or(0)
    }

    /// The index at a place of the buffer; `None` for a hole and past the end.
    pub fn global(&self, local: i64) -> Option<i64> {
        self.across(MapSide::Local, local)
    }

    /// The place of an index in the buffer; `None` where the shard does not have it.
    pub fn local(&self, global: i64) -> Option<i64> {
        self.across(MapSide::Global, global)
    }

    fn across(&self, side: MapSide, index: i64) -> Option<i64> {
        let mut near = self.near(side, index, index.checked_add(1)?);
        near.find_map(|stretch| stretch.across(side, index))
    }

    /// The dim map of some places of this one: `positions` says which places, in which
    /// order. Holes stay holes.
    pub fn select(&self, positions: &Self) -> GeometryResult<Self> {
        let mut stretches = Vec::new();
        for chosen in &positions.stretches {
            let blocks = chosen.blocks(MapSide::Global);
            for own in self.near(MapSide::Local, blocks.start, blocks.end()) {
                blocks.meet(&own.blocks(MapSide::Local), &mut |common| {
                    let (local, local_step) = chosen.across_common(MapSide::Global, 0, &common);
                    let (global, global_step) = own.across_common(MapSide::Local, 1, &common);
                    let (length, count) = (common.blocks.length, common.blocks.count);
                    let steps = [global_step, local_step];
                    // Inside of two stretches, so it is one.
                    match Stretch::new([global, local], length, count, steps) {
                        Some(stretch) => stretches.try_push(stretch),
                        None => Ok(()),
                    }
                })?;
            }
        }
        Self::trusted(positions.length, stretches)
    }

    /// The indices that both have, as runs; first this one's places, then the other's.
    pub fn common(&self, other: &Self) -> GeometryResult<Vec<DimPart>> {
        let mut parts = Vec::new();
        for own in &self.stretches {
            let blocks = own.blocks(MapSide::Global);
            for theirs in other.near(MapSide::Global, blocks.start, blocks.end()) {
                blocks.meet(&theirs.blocks(MapSide::Global), &mut |common| {
                    let (start, step) = own.across_common(MapSide::Global, 0, &common);
                    let (other_start, other_step) =
                        theirs.across_common(MapSide::Global, 1, &common);
                    let (length, count) = (common.blocks.length, common.blocks.count);
                    let (starts, steps) = ([start, other_start], [step, other_step]);
                    parts.try_push(DimPart { length, count, starts, steps })
                })?;
            }
        }
        Ok(parts)
    }

    /// Adds the indices that both have, as stretches. Their places in a buffer are the indices.
    pub(crate) fn push_common_indices(&self, other: &Self, found: &mut Vec<Stretch>) -> Memory<()> {
        for own in &self.stretches {
            let blocks = own.blocks(MapSide::Global);
            for theirs in other.near(MapSide::Global, blocks.start, blocks.end()) {
                blocks.meet(&theirs.blocks(MapSide::Global), &mut |common| {
                    let BlockTrain { start, length, count, step } = common.blocks;
                    let stretch = Stretch::new([start; 2], length, count, [step; 2]);
                    stretch.map_or(Ok(()), |stretch| found.try_push(stretch))
                })?;
            }
        }
        Ok(())
    }

    /// The stretches that may have something of `low..high`, counted on `side`.
    fn near(&self, side: MapSide, low: i64, high: i64) -> impl Iterator<Item = &Stretch> {
        let Order { order, reach } = match side {
            MapSide::Local => &self.local,
            MapSide::Global => &self.global,
        };
        let first = reach.partition_point(|&reach| reach <= low);
        let found = order[first..].iter().map(|&number| &self.stretches[number as usize]);
        found
            .map(move |stretch| (stretch, stretch.blocks(side)))
            .take_while(move |(_, blocks)| blocks.start < high)
            .filter(move |(_, blocks)| blocks.end() > low)
            .map(|(stretch, _)| stretch)
    }

    /// Refuses stretches that meet on one side.
    fn check_disjoint(&self, side: MapSide) -> GeometryResult<()> {
        let (mut meet, mut left) = (false, MAX_STEPS);
        for stretch in &self.stretches {
            let blocks = stretch.blocks(side);
            for other in self.near(side, blocks.start, blocks.end()) {
                if !std::ptr::eq(stretch, other) {
                    left = left.saturating_sub(blocks.steps_to_meet(&other.blocks(side)));
                    if left < 0 {
                        return Err(GeometryError::TooManyBlocks);
                    }
                    blocks.meet(&other.blocks(side), &mut |_| {
                        meet = true;
                        Ok(())
                    })?;
                }
            }
            if meet {
                return Err(GeometryError::Twice);
            }
        }
        Ok(())
    }
}

impl Order {
    fn new(stretches: &[Stretch], side: MapSide) -> GeometryResult<Self> {
        let mut order = try_collect(0..stretches.len() as u32)?;
        order.sort_unstable_by_key(|&number| stretches[number as usize].blocks(side).start);
        let mut reach = try_with_capacity(order.len())?;
        let mut furthest = 0;
        for &number in &order {
            furthest = stretches[number as usize].blocks(side).end().max(furthest);
            reach.push(furthest);
        }
        Ok(Self { order, reach })
    }
}
