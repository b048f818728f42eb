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

use crate::core::bounds::Bounds;
use crate::core::cells::median_border;
use crate::core::region::Region;
use crate::core::shards::Shards;

/// A box that no shard owns and that can't be made longer in any dimension; `None` if there is
/// none.
///
/// The shards must lie inside a tensor of `sizes` and overlap nowhere.
pub fn find(shards: &Shards, sizes: &[i64]) -> Option<Region> {
    let owners = (0u32..).zip(shards.iter()).filter(|(_, shard)| !shard.is_empty());
    let mut owners: Vec<u32> = owners.map(|(index, _)| index).collect();
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
        owners.retain(|&owner| Bounds::of(shards, owner as usize).common(&hole).volume() > 0);
    }
    Some(grow(shards, sizes, hole))
}

fn meets_but_for(a: &Bounds, b: &Bounds, skipped: usize) -> bool {
    (0..a.low.len())
        .all(|dim| dim == skipped || (a.low[dim] < b.high[dim] && b.low[dim] < a.high[dim]))
}

/// How many elements of `part` the shards own.
fn owned(shards: &Shards, owners: &[u32], part: &Bounds) -> i64 {
    owners.iter().map(|&owner| Bounds::of(shards, owner as usize).common(part).volume()).sum()
}

/// Makes an unowned box as long as it can be, one dimension after the other: a gap is easier to
/// understand whole.
fn grow(shards: &Shards, sizes: &[i64], mut hole: Bounds) -> Region {
    for (dim, &size) in sizes.iter().enumerate() {
        let (mut low, mut high) = (0, size);
        for index in 0..shards.len() {
            let owner = Bounds::of(shards, index);
            if owner.volume() == 0 || !meets_but_for(&owner, &hole, dim) {
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
    hole.region()
}
