//! The elements of destination shards, in parts that sources hold whole.
//!
//! Where sources are copies of each other, a part is what a destination shard has in common with
//! one of their boxes. Where they overlap in other ways, it is cut along their borders, so that a
//! part has all its holders. Of sources that overlap in very many ways that would be too many
//! parts, up to `(2n)^d` of them; then whole parts are taken off a destination shard, one at a
//! time: the part that a source with the same owner holds, or else that of the source that holds
//! most. Such a part has those holders that have all of it.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "parts lie in a destination shard, whose number of elements fits an i64"
)]

use std::ops::Range;

use super::holders::Holders;
use super::join::{no_source, numel_of};
use super::owners::Owners;
use super::space::CommonSpace;
use crate::error::{Error, Result};
use crate::geometry::bounds::{Bounds, Relation};
use crate::geometry::cells::{Cells, Cutter, Next, Only};
use crate::geometry::steps;
use crate::geometry::{BoxRow, n_log_n};
use crate::memory::{self, Memory, TryVec, text};
use crate::model::shards::Shards;

/// How often boxes of sources and parts may be compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct PartBudget {
    /// To cut along all borders: more than what `n * log(n)` allows for all shards.
    cut: u64,
    /// The same for taking parts off destination shards, before the plan is refused.
    take: u64,
    /// The factor of `n * log(n)`.
    each: u64,
}

impl PartBudget {
    pub(super) const USUAL: Self = Self { cut: 1 << 20, take: 1 << 25, each: 256 };
    /// Nothing is cut along all borders.
    #[cfg(test)]
    pub(super) const NO_CUTS: Self = Self { cut: 0, each: 0, ..Self::USUAL };

    /// Nothing is cut along all borders, and parts are taken off within so many steps.
    #[cfg(test)]
    pub(super) const fn taking(take: u64) -> Self {
        Self { take, ..Self::NO_CUTS }
    }

    fn for_shards(self, count: usize) -> Self {
        let more = n_log_n(count).saturating_mul(self.each);
        let (cut, take) = (self.cut.saturating_add(more), self.take.saturating_add(more));
        Self { cut, take, ..self }
    }
}

/// Steps of a part besides the comparisons.
const STEPS_OF_PART: u64 = 64;

/// A box of a destination shard, and the sources that hold it whole.
#[derive(Debug, Clone)]
pub(super) struct WantedPart {
    pub(super) destination: u32,
    /// Their number among [`WantedParts::holders`].
    pub(super) holders: u32,
    /// Where its row starts.
    row: usize,
    elements: i64,
}

impl WantedPart {
    pub(super) fn elements(&self) -> u128 {
        // Never negative.
        self.elements as u128
    }
}

/// All elements of the wanted destination shards, in parts.
pub(super) struct WantedParts {
    ndim: usize,
    parts: Vec<WantedPart>,
    /// For each part, `ndim` lows and `ndim` highs.
    rows: Vec<i64>,
    pub(super) holders: Holders,
}

impl WantedParts {
    pub(super) fn new(
        space: &CommonSpace<'_>, (destination, asked): (&Shards, Option<&[u32]>),
        owners: &Owners<'_>, effort: PartBudget,
    ) -> Result<Self> {
        let [source, wanted] = space.rows().map(|rows| rows.boxes);
        let holders = Holders::new(source, owners)?;
        let (parts, rows) = Default::default();
        let mut all = Self { ndim: source.ndim(), parts, rows, holders };
        let mut left = effort.for_shards(source.len().saturating_add(wanted.len()));
        let mut found = Vec::new();
        for (number, one) in (0u32..).zip(wanted.iter()) {
            if one.is_empty() {
                continue;
            }
            let shard = space.rows()[1].extent_of(number);
            if asked.is_some_and(|asked| asked.binary_search(&shard).is_err()) {
                continue;
            }
            let needed = numel_of(shard, one.sizes)?;
            all.holders.boxes().index()?.find_box(one.offsets, one.sizes, &mut found)?;
            let apart = all.holders.are_apart();
            let (lacks, missing) = if apart {
                (all.take_whole(number, one, &found)? < needed, None)
            } else {
                let missing = all.take_any((number, shard), one, &found, &mut left, owners)?;
                (missing.is_some(), missing)
            };
            if lacks {
                let boxes = all.holders.boxes();
                let wanted = (shard, destination);
                return Err(no_source(space, boxes, found, (wanted, one), apart, missing));
            }
        }
        Ok(all)
    }

    pub(super) fn ndim(&self) -> usize {
        self.ndim
    }

    /// All parts; none are left.
    pub(super) fn take(&mut self) -> Vec<WantedPart> {
        std::mem::take(&mut self.parts)
    }

    pub(super) fn bounds(&self, part: &WantedPart) -> Bounds {
        Bounds::from_row(&self.rows[part.row..part.row + 2 * self.ndim])
    }

    /// A part, with a place for its box.
    pub(super) fn place(
        &mut self, destination: u32, holders: u32, bounds: &Bounds,
    ) -> Memory<WantedPart> {
        let row = self.rows.len();
        self.rows.try_reserve(2 * self.ndim)?;
        self.rows.extend_from_slice(bounds.low());
        self.rows.extend_from_slice(bounds.high());
        Ok(WantedPart { destination, holders, row, elements: bounds.volume() })
    }

    fn push(&mut self, destination: u32, holders: u32, bounds: &Bounds) -> Memory<()> {
        let part = self.place(destination, holders, bounds)?;
        self.parts.try_push(part)
    }

    /// The parts of a destination shard where sources are copies of each other or apart. Returns
    /// the number of their elements. `found` are the boxes that it meets.
    fn take_whole(&mut self, number: u32, shard: BoxRow<'_>, found: &[u32]) -> Memory<i64> {
        let wanted = Bounds::new(shard.offsets, shard.sizes);
        let mut held = 0;
        for &of in found {
            let bounds = Bounds::of(self.holders.boxes(), of as usize).common(&wanted);
            held += bounds.volume();
            self.push(number, of, &bounds)?;
        }
        Ok(held)
    }

    /// The parts of a destination shard where sources overlap in any way, or a box of it that no
    /// source holds.
    fn take_any(
        &mut self, (number, shard): (u32, u32), wanted: BoxRow<'_>, found: &[u32],
        left: &mut PartBudget, owners: &Owners<'_>,
    ) -> Result<Option<Bounds>> {
        let bounds = Bounds::new(wanted.offsets, wanted.sizes);
        match self.take_cells((number, bounds), found, left)? {
            Served::All => return Ok(None),
            Served::Missing(missing) => return Ok(Some(missing)),
            Served::TooMany => {}
        }
        match self.take_off((number, bounds), found, left, owners)? {
            Served::All => Ok(None),
            Served::Missing(missing) => Ok(Some(missing)),
            Served::TooMany => {
                let what = text!(
                    "destination shard {}: {} different boxes of source shards hold something of it \
                     and overlap in too many ways for a plan; pass fewer, or such that overlap less",
                    shard,
                    found.len()
                );
                Err(Error::Unsupported { what })
            }
        }
    }

    /// Cuts along all borders.
    fn take_cells(
        &mut self, (number, wanted): (u32, Bounds), found: &[u32], left: &mut PartBudget,
    ) -> Memory<Served> {
        let candidates = memory::try_to_vec(found)?;
        // Collected before they become parts: the cells, the ends of their lists of holders, and
        // these lists.
        let mut cells = Cells::new(self.ndim);
        let (mut ends, mut boxes): (Vec<usize>, Vec<u32>) = Default::default();
        let steps = left.cut;
        let mut cutter = Cutter::new(self.holders.boxes(), candidates, wanted, Only::All, steps)?;
        let taken = loop {
            match cutter.next()? {
                Next::Done => break Served::All,
                Next::TooMany => break Served::TooMany,
                Next::Cell(bounds, []) => break Served::Missing(bounds),
                Next::Cell(bounds, holders) => {
                    boxes.try_extend_from_slice(holders)?;
                    ends.try_push(boxes.len())?;
                    cells.push(0, &bounds)?;
                    // Lists are work as well.
                    if boxes.len() as u64 > steps {
                        break Served::TooMany;
                    }
                }
            }
        };
        left.cut = cutter.steps_left().min(steps.saturating_sub(boxes.len() as u64));
        if matches!(taken, Served::All) {
            let mut start = 0;
            for (cell, end) in ends.into_iter().enumerate() {
                let list = self.holders.push(&boxes[start..end])?;
                self.push(number, list, &cells.bounds(cell))?;
                start = end;
            }
        }
        Ok(taken)
    }

    /// Takes off what one source holds, again and again.
    fn take_off(
        &mut self, (number, wanted): (u32, Bounds), found: &[u32], left: &mut PartBudget,
        owners: &Owners<'_>,
    ) -> Memory<Served> {
        let owner = owners.of_destination(number);
        let mut candidates = memory::try_to_vec(found)?;
        let mut open: Vec<(Bounds, Range<usize>)> = Vec::new();
        open.try_push((wanted, 0..found.len()))?;
        let mut holders = Vec::new();
        let mut is_first = true;
        while let Some((part, range)) = open.pop() {
            steps::count(range.len() + 1);
            // Each is compared with the part, and then with what is taken off. Once is as much as it
            // took to find them.
            if !std::mem::take(&mut is_first) {
                let take = left.take.checked_sub(2 * range.len() as u64 + STEPS_OF_PART);
                let Some(take) = take else {
                    return Ok(Served::TooMany);
                };
                left.take = take;
            }
            candidates.truncate(range.end);
            let start = candidates.len();
            let mut best: Option<((bool, i64), u32)> = None;
            for at in range {
                let candidate = candidates[at];
                let elements = match part.relation_to(self.holders.boxes(), candidate as usize) {
                    Relation::Apart => continue,
                    Relation::Around => part.volume(),
                    Relation::Across(elements) => elements,
                };
                candidates.try_push(candidate)?;
                let rank = (self.holders.has(owner, candidate), elements);
                if best.is_none_or(|(least, _)| rank > least) {
                    best = Some((rank, candidate));
                }
            }
            let Some((_, best)) = best else {
                return Ok(Served::Missing(part));
            };
            let taken = Bounds::of(self.holders.boxes(), best as usize).common(&part);
            holders.clear();
            let boxes = self.holders.boxes();
            let around =
                |candidate: &u32| taken.relation_to(boxes, *candidate as usize) == Relation::Around;
            holders.try_extend(candidates[start..].iter().copied().filter(around))?;
            let list = self.holders.push(&holders)?;
            self.push(number, list, &taken)?;
            let rest = start..candidates.len();
            let mut part = part;
            // The rests before and behind it, in one dimension after the other.
            for dim in 0..self.ndim {
                let (low, high) = (taken.low()[dim], taken.high()[dim]);
                let mut before = part;
                before.high_mut()[dim] = low;
                let mut behind = part;
                behind.low_mut()[dim] = high;
                for beside in [before, behind] {
                    if !beside.is_empty() {
                        open.try_push((beside, rest.clone()))?;
                    }
                }
                part.low_mut()[dim] = low;
                part.high_mut()[dim] = high;
            }
        }
        Ok(Served::All)
    }
}

/// How a destination shard was served.
#[allow(clippy::large_enum_variant, reason = "there is one at a time, and it needs no memory")]
enum Served {
    All,
    /// No source holds this.
    Missing(Bounds),
    /// It would take too many steps.
    TooMany,
}
