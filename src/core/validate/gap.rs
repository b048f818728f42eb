//! Finding a part of a tensor that no shard owns.
//!
//! Shards that overlap nowhere leave a gap in a box exactly when they own fewer of its elements
//! than it has. So the tensor is halved again and again, always going on with a half that is owned
//! too little, until no shard's border runs through it: then nobody owns any of it. The cut is at
//! the median border of the dimension with the most borders, so for `n` shards with `d` dimensions
//! there are at most `d * log2(2n)` cuts, each a pass over the shards that still touch the box.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shards are inside the tensor, whose element count fits an i64: both were checked"
)]

use crate::core::region::Region;
use crate::core::shards::Shards;

/// A box that no shard owns and that can't be made longer in any dimension; `None` if there is
/// none.
///
/// The shards must lie inside a tensor of `sizes` and overlap nowhere.
pub fn find(shards: &Shards, sizes: &[i64]) -> Option<Region> {
    let mut owners: Vec<usize> = (0..shards.len())
        .filter(|&index| shards.get(index).is_some_and(|shard| !shard.is_empty()))
        .collect();
    let mut hole = Bounds { low: vec![0; sizes.len()], high: sizes.to_vec() };
    if owned(shards, &owners, &hole) >= hole.volume() {
        return None;
    }
    while let Some((dim, at)) = median_border(shards, &owners, &hole) {
        let mut lower = hole.clone();
        lower.high[dim] = at;
        if owned(shards, &owners, &lower) < lower.volume() {
            hole = lower;
        } else {
            hole.low[dim] = at;
        }
        owners.retain(|&owner| Bounds::of(shards, owner).common(&hole).volume() > 0);
    }
    Some(grow(shards, sizes, hole))
}

/// A box by its first and its past-the-end corner.
#[derive(Clone)]
struct Bounds {
    low: Vec<i64>,
    high: Vec<i64>,
}

impl Bounds {
    fn of(shards: &Shards, index: usize) -> Self {
        let at = index * shards.ndim()..(index + 1) * shards.ndim();
        let low = shards.offsets()[at.clone()].to_vec();
        let high =
            low.iter().zip(&shards.sizes()[at]).map(|(offset, size)| offset + size).collect();
        Self { low, high }
    }

    fn common(mut self, other: &Self) -> Self {
        for dim in 0..self.low.len() {
            self.low[dim] = self.low[dim].max(other.low[dim]);
            self.high[dim] = self.high[dim].min(other.high[dim]);
        }
        self
    }

    /// Number of elements; 0 where the corners are crossed.
    fn volume(&self) -> i64 {
        let lengths = || self.high.iter().zip(&self.low).map(|(high, low)| high - low);
        // Nothing first: an empty shard's other sizes may be anything.
        if lengths().any(|length| length <= 0) { 0 } else { lengths().product() }
    }

    fn meets_but_for(&self, other: &Self, skipped: usize) -> bool {
        (0..self.low.len()).all(|dim| {
            dim == skipped || (self.low[dim] < other.high[dim] && other.low[dim] < self.high[dim])
        })
    }
}

/// How many elements of `part` the shards own.
fn owned(shards: &Shards, owners: &[usize], part: &Bounds) -> i64 {
    owners.iter().map(|&owner| Bounds::of(shards, owner).common(part).volume()).sum()
}

/// The median of the shards' borders that run through `part` in the dimension where most do.
fn median_border(shards: &Shards, owners: &[usize], part: &Bounds) -> Option<(usize, i64)> {
    let borders_of = |dim: usize| -> Vec<i64> {
        let ends = owners.iter().flat_map(|&owner| {
            let at = owner * shards.ndim() + dim;
            let low = shards.offsets()[at];
            [low, low + shards.sizes()[at]]
        });
        ends.filter(|&end| part.low[dim] < end && end < part.high[dim]).collect()
    };
    let all = (0..shards.ndim()).map(|dim| (dim, borders_of(dim)));
    let (dim, mut borders) = all.max_by_key(|(_, borders)| borders.len())?;
    if borders.is_empty() {
        return None;
    }
    let middle = borders.len() / 2;
    let (_, median, _) = borders.select_nth_unstable(middle);
    Some((dim, *median))
}

/// Makes an unowned box as long as it can be, one dimension after the other: a gap is easier to
/// understand whole.
fn grow(shards: &Shards, sizes: &[i64], mut hole: Bounds) -> Region {
    for (dim, &size) in sizes.iter().enumerate() {
        let (mut low, mut high) = (0, size);
        for index in 0..shards.len() {
            let owner = Bounds::of(shards, index);
            if owner.volume() == 0 || !owner.meets_but_for(&hole, dim) {
                continue;
            }
            if owner.high[dim] <= hole.low[dim] {
                low = low.max(owner.high[dim]);
            } else {
                high = high.min(owner.low[dim]);
            }
        }
        hole.low[dim] = low;
        hole.high[dim] = high;
    }
    let sizes: Vec<i64> = hole.high.iter().zip(&hole.low).map(|(high, low)| high - low).collect();
    Region::new(&hole.low, &sizes)
}
