//! Refusals of shards that do not partition a tensor.

use super::all;
use super::common::{check_dims, shared};
use crate::error::{Error, Result};
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::unheld;
use crate::geometry::checked_numel;
use crate::geometry::{BoxRow, gap, n_log_n, overlap};
use crate::model::ModelError;
use crate::model::error::More;
use crate::model::shards::Shards;

/// Overlaps and gaps, beside the one that is named, that are counted for a refusal.
const COUNTED: usize = 100;

/// Refuses shards of which two own the same element; the error names both, their placements and the
/// box they share, and how many others there are.
///
/// Time for `n` shards with `d` dimensions: about `n * log(n)`, wherever planes take the shards apart;
/// at worst `n * log(n)^(d-1)`, and never more than comparing each with each. Only dimensions in which
/// shards differ count.
pub fn check_non_overlapping(shards: &Shards) -> Result<()> {
    let space = shards.space()?;
    let rows = space.rows();
    let Some((first, second)) = overlap::find(rows.boxes)? else {
        return Ok(());
    };
    let region = space.region(&shared(rows.boxes, first, second))?;
    // Boxes are in the order of their shards, so these are too.
    let [first, second] = [first, second].map(|number| rows.extent_of(number as u32) as usize);
    let placements = [shards.placement_of(first), shards.placement_of(second)];
    let counted = all::count_overlaps(shards, COUNTED.saturating_add(2))?.saturating_sub(1);
    let more = More { count: counted.min(COUNTED), all: counted <= COUNTED };
    Err(Error::Model(ModelError::Overlap { first, second, placements, region, more }))
}

/// Refuses shards that do not overlap when they reach past a tensor of `sizes` or leave a gap in
/// it. The error names the shard, or a box without an owner, a shard next to it and the number of
/// other gaps. A list of no shards may be one of any number of dimensions.
pub fn check_tensor(shards: &Shards, sizes: &[i64]) -> Result<()> {
    let extents = shards.extents();
    check_dims(shards, sizes)?;
    // Bounds and elements of boxes in one pass, for the usual case.
    let inside = extents.are_boxes().then(|| extents.boxes().elements_inside(sizes)).flatten();
    let owned = match inside {
        Some(owned) => owned,
        None => {
            check_bounds(shards, sizes)?;
            extents.iter().filter_map(|extent| extent.elements()).map(i128::from).sum()
        }
    };
    if Some(owned) == checked_numel(sizes).map(i128::from) {
        return Ok(());
    }
    let space = shards.space()?;
    let boxes = space.rows().boxes;
    for whole in space.whole(sizes)? {
        if let Some(hole) = gap::find(boxes, boxes.not_empty()?, &whole)? {
            return Err(gap_at(shards, sizes, &hole, true));
        }
    }
    Ok(())
}

/// The same of shards that may overlap. Where they overlap in too many ways, [`Error::Unsupported`].
pub fn check_coverage(shards: &Shards, sizes: &[i64]) -> Result<()> {
    if !shards.has_overlap()? {
        return check_tensor(shards, sizes);
    }
    check_bounds(shards, sizes)?;
    let space = shards.space()?;
    let boxes = space.rows().boxes;
    let mut steps = all::steps_of(boxes.len());
    for whole in space.whole(sizes)? {
        let (hole, complete) = unheld(boxes, boxes.not_empty()?, whole, false, 1, &mut steps)?;
        if hole.len() > 0 {
            return Err(gap_at(shards, sizes, &hole.bounds(0), false));
        }
        if !complete {
            return Err(all::too_many_ways(shards));
        }
    }
    Ok(())
}

/// The refusal of shards that leave a box of their space without an owner.
fn gap_at(shards: &Shards, sizes: &[i64], hole: &Bounds, disjoint: bool) -> Error {
    let describe = || {
        let space = shards.space()?;
        let neighbour = gap::neighbour(space.rows().boxes, hole);
        let neighbour = neighbour.map(|number| space.rows().extent_of(number as u32) as usize);
        let neighbour = neighbour.map(|shard| (shard, shards.placement_of(shard)));
        let more = count_other_gaps(shards, sizes, hole, disjoint);
        Ok(Error::Model(ModelError::Gap { region: space.region(hole)?, neighbour, more }))
    };
    describe().unwrap_or_else(|error| error)
}

/// The number of boxes without an owner that share nothing with one box.
fn count_other_gaps(shards: &Shards, sizes: &[i64], hole: &Bounds, disjoint: bool) -> More {
    let mut steps = n_log_n(shards.len()).saturating_mul(16).saturating_add(1 << 20);
    let room = COUNTED.saturating_mul(8);
    let mut count = || {
        let space = shards.space()?;
        let boxes = space.rows().boxes;
        let mut more = More::NONE;
        for whole in space.whole(sizes)? {
            let all = boxes.not_empty()?;
            let (cells, complete) = unheld(boxes, all, whole, disjoint, room, &mut steps)?;
            let apart = |cell: &usize| cells.bounds(*cell).common(hole).is_empty();
            let limit = COUNTED.saturating_add(1);
            more.count =
                more.count.saturating_add((0..cells.len()).filter(apart).take(limit).count());
            more.all &= complete;
        }
        Ok::<_, Error>(More {
            count: more.count.min(COUNTED),
            all: more.all && more.count <= COUNTED,
        })
    };
    // A count that fails is no reason for another refusal.
    count().unwrap_or(More { count: 0, all: false })
}

/// Refuses shards that reach past a tensor, and shards of another number of dimensions.
fn check_bounds(shards: &Shards, sizes: &[i64]) -> Result<()> {
    let flat_sizes = check_dims(shards, sizes)?;
    let sizes = flat_sizes.as_deref().unwrap_or(sizes);
    // Boxes in one pass, for the usual case; the culprit is looked for only when there is one.
    let inside = |one: BoxRow<'_>| {
        let mut dims = one.offsets.iter().zip(one.sizes).zip(sizes);
        dims.all(|((&at, &size), &limit)| at.saturating_add(size) <= limit) || one.is_empty()
    };
    if shards.extents().are_boxes() && shards.extents().boxes().iter().all(inside) {
        return Ok(());
    }
    for (index, shard) in shards.iter().enumerate() {
        if shard.is_empty() {
            continue;
        }
        for (dim, (own, &limit)) in shard.dims().zip(sizes).enumerate() {
            if own.end() > limit {
                let offset = shard.offsets.get(dim).copied().unwrap_or(0);
                let size = own.end().saturating_sub(offset);
                return Err(Error::Model(ModelError::OutOfBounds {
                    shard: index,
                    dim,
                    offset,
                    size,
                    limit,
                }));
            }
        }
    }
    Ok(())
}
