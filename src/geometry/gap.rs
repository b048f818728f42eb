//! Finding a part of a tensor that no shard owns.
//!
//! Shards that overlap nowhere leave a gap in a box exactly when they own fewer of its elements
//! than it has. So the tensor is halved again and again, always going on with a half that is owned
//! too little, until no shard's border runs through it: then no shard owns any of it. The cut is at
//! the median border of the dimension with the most borders, so for `n` shards with `d` dimensions
//! there are at most `d * log2(2n)` cuts, each a pass over the shards that still touch the box.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "shards are inside the tensor, whose element count fits an i64: both were checked"
)]

use crate::geometry::bounds::{Bounds, Relation};
use crate::geometry::box_list::BoxList;
use crate::geometry::cells::median_border;
use crate::geometry::steps;
use crate::memory::Memory;

/// A box of `whole` that no shard owns and that can't be made longer in any dimension; `None` if there is
/// none.
///
/// The shards must lie inside a tensor of `sizes` and overlap nowhere; `owners` are those that own
/// something.
pub fn find(shards: &BoxList, mut owners: Vec<u32>, whole: &Bounds) -> Memory<Option<Bounds>> {
    let mut hole = *whole;
    if owned(shards, &owners, &hole) >= hole.volume() {
        return Ok(None);
    }
    let mut borders = Vec::new();
    while let Some((dim, at)) = median_border(shards, &owners, &hole, &mut borders)? {
        let mut lower = hole;
        lower.high_mut()[dim] = at;
        if owned(shards, &owners, &lower) < lower.volume() {
            hole = lower;
        } else {
            hole.low_mut()[dim] = at;
        }
        owners.retain(|&owner| hole.relation_to(shards, owner as usize) != Relation::Apart);
    }
    Ok(Some(grow(shards, whole, hole)))
}

/// The first shard with an element next to one of a box that it shares nothing with.
pub fn neighbour(shards: &BoxList, part: &Bounds) -> Option<usize> {
    let touches = |owner: &Bounds, dim: usize| {
        owner.high()[dim] == part.low()[dim] || part.high()[dim] == owner.low()[dim]
    };
    (0..shards.len()).find(|&index| {
        let owner = Bounds::of(shards, index);
        let beside = |dim| touches(&owner, dim) && meets_but_for(&owner, part, dim);
        !owner.is_empty() && (0..shards.ndim()).any(beside)
    })
}

fn meets_but_for(a: &Bounds, b: &Bounds, skipped: usize) -> bool {
    (0..a.low().len())
        .all(|dim| dim == skipped || (a.low()[dim] < b.high()[dim] && b.low()[dim] < a.high()[dim]))
}

/// How many elements of `part` the shards own.
fn owned(shards: &BoxList, owners: &[u32], part: &Bounds) -> i64 {
    steps::count(owners.len());
    let elements = |&owner: &u32| match part.relation_to(shards, owner as usize) {
        Relation::Apart => 0,
        Relation::Around => part.volume(),
        Relation::Across(elements) => elements,
    };
    owners.iter().map(elements).sum()
}

/// Makes an unowned box as long as it can be, one dimension after the other: a gap is easier to
/// understand whole.
fn grow(shards: &BoxList, whole: &Bounds, mut hole: Bounds) -> Bounds {
    for dim in 0..whole.low().len() {
        steps::count(shards.len());
        let (mut low, mut high) = (whole.low()[dim], whole.high()[dim]);
        for index in 0..shards.len() {
            let owner = Bounds::of(shards, index);
            if owner.is_empty() || !meets_but_for(&owner, &hole, dim) {
                continue;
            }
            if owner.high()[dim] <= hole.low()[dim] {
                low = low.max(owner.high()[dim]);
            } else {
                high = high.min(owner.low()[dim]);
            }
        }
        hole.low_mut()[dim] = low;
        hole.high_mut()[dim] = high;
    }
    hole
}
