//! What destination shards want, in parts that sources hold whole.
//!
//! Where sources are copies of each other, a part is what a destination shard has in common with one of
//! their boxes. Where they overlap in other ways, it is cut along their borders, so that a part has
//! all its holders. Of sources that overlap in very many ways that would be too many parts, up to
//! `(2n)^d` of them; then whole parts are taken off what is wanted, one at a time: what a source with the
//! same owner holds of it, or else the source that holds most. Such a part has those holders that have
//! all of it.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "parts lie in a destination shard, whose number of elements fits an i64"
)]

use std::ops::Range;

use super::holders::{Copies, Holders, Listed};
use super::owners::Owners;
use super::pieces::{no_source, numel_of};
use crate::core::bounds::{Bounds, Place};
use crate::core::cells::{Cutter, Next, Only};
use crate::core::error::{Error, Result};
use crate::core::shards::{Shard, Shards};
use crate::core::steps;
use crate::core::validate::n_log_n;
use crate::memory::{self, Memory, TryVec, text};

/// How often sources and parts may be compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// To cut along all borders, for the whole plan.
    cut: u64,
    /// The same for each destination shard: so often `n * log(n)` for the `n` sources that hold something
    /// of it.
    cut_each: u64,
    /// To take parts off what is wanted, before the plan is refused.
    take: u64,
}

impl Effort {
    pub(super) const USUAL: Self = Self { cut: 1 << 20, cut_each: 256, take: 1 << 28 };
    /// Nothing is cut along all borders.
    #[cfg(test)]
    pub(super) const NO_CUTS: Self = Self { cut: 0, cut_each: 0, ..Self::USUAL };
}

/// A box that a destination shard wants, and the sources that hold it whole.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) destination: u32,
    /// Their number among [`Parts::holders`].
    pub(super) holders: u32,
    /// Where its row starts.
    row: usize,
    elements: i64,
}

impl Part {
    pub(super) fn elements(&self) -> u128 {
        // Never negative.
        self.elements as u128
    }
}

/// All that is wanted, in parts.
pub(super) struct Parts {
    ndim: usize,
    parts: Vec<Part>,
    /// For each part, `ndim` lows and `ndim` highs.
    rows: Vec<i64>,
    pub(super) holders: Holders,
}

impl Parts {
    pub(super) fn new(
        source: &Shards, destination: &Shards, owners: &Owners<'_>, effort: Effort,
    ) -> Result<Self> {
        let holders = match Copies::new(source, owners)? {
            Some(copies) => Holders::Copies(copies),
            None => Holders::Listed(Listed::new(source.len())?),
        };
        let (parts, rows) = Default::default();
        let mut all = Self { ndim: source.ndim(), parts, rows, holders };
        let mut left = effort;
        let mut found = Vec::new();
        for (number, shard) in (0u32..).zip(destination.iter()) {
            if shard.is_empty() {
                continue;
            }
            let needed = numel_of(number, shard)?;
            if let Holders::Copies(copies) = &all.holders {
                let boxes = copies.boxes();
                boxes.index()?.find_box(shard.offsets, shard.sizes, &mut found)?;
                if all.take_copies(number, shard, &found)? < needed {
                    source.index()?.find_box(shard.offsets, shard.sizes, &mut found)?;
                    return Err(no_source(source, found, (number, shard), false, None));
                }
            } else {
                source.index()?.find_box(shard.offsets, shard.sizes, &mut found)?;
                if let Some(missing) =
                    all.take_any(source, (number, shard), &found, &mut left, owners)?
                {
                    return Err(no_source(source, found, (number, shard), false, Some(missing)));
                }
            }
        }
        Ok(all)
    }

    pub(super) fn ndim(&self) -> usize {
        self.ndim
    }

    /// All parts; none are left.
    pub(super) fn take(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.parts)
    }

    pub(super) fn bounds(&self, part: &Part) -> Bounds {
        Bounds::from_row(&self.rows[part.row..part.row + 2 * self.ndim])
    }

    /// A part, with a place for its box.
    pub(super) fn place(
        &mut self, destination: u32, holders: u32, bounds: &Bounds,
    ) -> Memory<Part> {
        let row = self.rows.len();
        self.rows.try_reserve(2 * self.ndim)?;
        self.rows.extend_from_slice(bounds.low());
        self.rows.extend_from_slice(bounds.high());
        Ok(Part { destination, holders, row, elements: bounds.volume() })
    }

    fn push(&mut self, destination: u32, holders: u32, bounds: &Bounds) -> Memory<()> {
        let part = self.place(destination, holders, bounds)?;
        self.parts.try_push(part)
    }

    /// The parts of a destination shard where sources are copies of each other or apart; tells how many
    /// elements they have. `found` are the boxes that it meets.
    fn take_copies(&mut self, number: u32, shard: Shard<'_>, found: &[u32]) -> Memory<i64> {
        let wanted = Bounds::new(shard.offsets, shard.sizes);
        let mut held = 0;
        for &group in found {
            let Holders::Copies(copies) = &self.holders else {
                break;
            };
            let bounds = Bounds::of(copies.boxes(), group as usize).common(&wanted);
            held += bounds.volume();
            self.push(number, group, &bounds)?;
        }
        Ok(held)
    }

    /// The parts of a destination shard where sources overlap in any way, or a box that it wants and none
    /// of them holds.
    fn take_any(
        &mut self, source: &Shards, wanted: (u32, Shard<'_>), found: &[u32], left: &mut Effort,
        owners: &Owners<'_>,
    ) -> Result<Option<Bounds>> {
        let (parts, rows) = (self.parts.len(), self.rows.len());
        let bounds = Bounds::new(wanted.1.offsets, wanted.1.sizes);
        match self.take_cells(source, (wanted.0, bounds), found, left, owners)? {
            Taken::All => return Ok(None),
            Taken::Missing(missing) => return Ok(Some(missing)),
            Taken::TooMany => {}
        }
        // The lists of holders are few, and stay.
        self.parts.truncate(parts);
        self.rows.truncate(rows);
        match self.take_off(source, (wanted.0, bounds), found, left, owners)? {
            Taken::All => Ok(None),
            Taken::Missing(missing) => Ok(Some(missing)),
            Taken::TooMany => {
                let what = text!(
                    "destination shard {}: {} source shards hold something of it and overlap in too \
                     many ways for a plan; pass fewer of them, or such that overlap less",
                    wanted.0,
                    found.len()
                );
                Err(Error::Unsupported { what })
            }
        }
    }

    /// Cuts along all borders.
    fn take_cells(
        &mut self, source: &Shards, (number, wanted): (u32, Bounds), found: &[u32],
        left: &mut Effort, owners: &Owners<'_>,
    ) -> Memory<Taken> {
        let own = n_log_n(found.len()).saturating_mul(left.cut_each);
        let mut listed = 0;
        let steps = left.cut.saturating_add(own);
        let candidates = memory::try_to_vec(found)?;
        let mut cutter = Cutter::new(source, candidates, wanted, Only::All, steps)?;
        let taken = loop {
            match cutter.next()? {
                Next::Done => break Taken::All,
                Next::TooMany => break Taken::TooMany,
                Next::Cell(bounds, []) => break Taken::Missing(bounds),
                Next::Cell(bounds, holders) => {
                    // Lists of holders are work as well.
                    listed += holders.len() as u64;
                    if listed > steps {
                        break Taken::TooMany;
                    }
                    let Holders::Listed(lists) = &mut self.holders else {
                        break Taken::All;
                    };
                    let holders = lists.push(holders, owners)?;
                    self.push(number, holders, &bounds)?;
                }
            }
        };
        let used = steps.saturating_sub(cutter.steps_left()).max(listed);
        left.cut = left.cut.saturating_sub(used.saturating_sub(own));
        Ok(taken)
    }

    /// Takes off what one source holds, again and again.
    fn take_off(
        &mut self, source: &Shards, (number, wanted): (u32, Bounds), found: &[u32],
        left: &mut Effort, owners: &Owners<'_>,
    ) -> Memory<Taken> {
        let owner = owners.of_destination(number);
        let mut candidates = memory::try_to_vec(found)?;
        let mut open: Vec<(Bounds, Range<usize>)> = Vec::new();
        open.try_push((wanted, 0..found.len()))?;
        let mut holders = Vec::new();
        while let Some((part, range)) = open.pop() {
            steps::count(range.len() + 1);
            // Each is compared with the part, and then with what is taken off.
            let Some(take) = left.take.checked_sub(2 * range.len() as u64 + 1) else {
                return Ok(Taken::TooMany);
            };
            left.take = take;
            candidates.truncate(range.end);
            let start = candidates.len();
            let mut best: Option<((bool, i64), u32)> = None;
            for at in range {
                let candidate = candidates[at];
                let elements = match part.place_of(source, candidate as usize) {
                    Place::Apart => continue,
                    Place::Around => part.volume(),
                    Place::Across(elements) => elements,
                };
                candidates.try_push(candidate)?;
                let rank = (owners.of_source(candidate) == owner, elements);
                if best.is_none_or(|(least, _)| rank > least) {
                    best = Some((rank, candidate));
                }
            }
            let Some((_, best)) = best else {
                return Ok(Taken::Missing(part));
            };
            let taken = Bounds::of(source, best as usize).common(&part);
            holders.clear();
            let around =
                |&candidate: &u32| taken.place_of(source, candidate as usize) == Place::Around;
            holders.try_extend(candidates[start..].iter().copied().filter(|at| around(at)))?;
            let Holders::Listed(lists) = &mut self.holders else {
                return Ok(Taken::All);
            };
            let list = lists.push(&holders, owners)?;
            self.push(number, list, &taken)?;
            let rest = start..candidates.len();
            let mut part = part;
            // What is left before and behind it, in one dimension after the other.
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
        Ok(Taken::All)
    }
}

/// How a destination shard was served.
enum Taken {
    All,
    /// No source holds this.
    Missing(Bounds),
    /// It would take too many steps.
    TooMany,
}
