//! Do shards partition a tensor? Overlaps, bounds, gaps.
//!
//! Source of the rules: `validate_non_overlapping_shards_metadata` and `check_tensor` of
//! `torch.distributed._shard.sharding_spec._internals`. An empty shard owns nothing: it overlaps
//! nothing and exceeds no bound.

mod all;

pub use all::{Gaps, Overlap, gaps, overlaps};

use super::error::{Error, More, Result};
use super::placement::Placement;
use super::shards::{Shards, check_shard_ndim};
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::unheld;
use crate::geometry::checked_numel;
use crate::geometry::{gap, n_log_n, overlap};

/// Overlaps and gaps, beside the one that is named, that are counted for a refusal.
const COUNTED: usize = 100;

/// Refuses shards of which two own the same element; the error names both, their placements and the
/// box they share, and how many others there are.
///
/// Time for `n` shards with `d` dimensions: about `n * log(n)`, wherever planes take the shards apart;
/// at worst `n * log(n)^(d-1)`, and never more than comparing each with each. Only dimensions in which
/// shards differ count.
pub fn check_non_overlapping(shards: &Shards) -> Result<()> {
    let Some((first, second)) = overlap::find(shards.boxes())? else {
        return Ok(());
    };
    let region = shards.boxes().shared_region(first, second)?;
    let placement = |shard| shards.placements().get(shard).cloned().unwrap_or(Placement::NONE);
    let placements = [placement(first), placement(second)];
    let counted = all::count_overlaps(shards, COUNTED.saturating_add(2))?.saturating_sub(1);
    let more = More { count: counted.min(COUNTED), all: counted <= COUNTED };
    Err(Error::Overlap { first, second, placements, region, more })
}

/// Whether two shards own the same element.
pub(crate) fn has_overlap(shards: &Shards) -> Result<bool> {
    Ok(overlap::find(shards.boxes())?.is_some())
}

/// Refuses shards that do not overlap when they reach past a tensor of `sizes` or leave a part of
/// it to nobody; the error names the shard, or a box that nobody owns, a shard next to it and how many
/// others there are. A list of no shards may be one of any number of dimensions.
pub fn check_tensor(shards: &Shards, sizes: &[i64]) -> Result<()> {
    if !shards.is_empty() {
        check_shard_ndim(0, "offsets and sizes", shards.ndim(), sizes.len())?;
    }
    check_bounds(shards, sizes)?;
    let owned: i128 =
        shards.iter().filter_map(|shard| checked_numel(shard.sizes)).map(i128::from).sum();
    if Some(owned) == checked_numel(sizes).map(i128::from) {
        return Ok(());
    }
    let Some(hole) = gap::find(shards.boxes(), shards.boxes().not_empty()?, sizes)? else {
        return Ok(());
    };
    let neighbour = gap::neighbour(shards.boxes(), &hole);
    let placement = |shard| shards.placements().get(shard).cloned().unwrap_or(Placement::NONE);
    let neighbour = neighbour.map(|shard| (shard, placement(shard)));
    let more = count_other_gaps(shards, sizes, &hole);
    Err(Error::Gap { region: hole.region()?, neighbour, more })
}

/// How many boxes nobody owns that share nothing with one.
fn count_other_gaps(shards: &Shards, sizes: &[i64], hole: &Bounds) -> More {
    let whole = Bounds::of_sizes(sizes);
    let steps = n_log_n(shards.len()).saturating_mul(16).saturating_add(1 << 20);
    let room = COUNTED.saturating_mul(8);
    let found = shards.boxes();
    let found = found.not_empty().and_then(|all| unheld(found, all, whole, true, room, steps));
    let Ok((cells, complete)) = found else {
        // What can't be counted is no reason for another refusal.
        return More { count: 0, all: false };
    };
    let apart = |cell: &usize| cells.bounds(*cell).common(hole).is_empty();
    let counted = (0..cells.len()).filter(apart).take(COUNTED.saturating_add(1)).count();
    More { count: counted.min(COUNTED), all: complete && counted <= COUNTED }
}

fn check_bounds(shards: &Shards, sizes: &[i64]) -> Result<()> {
    for (index, shard) in shards.iter().enumerate() {
        if shard.is_empty() {
            continue;
        }
        for (dim, ((&offset, &size), &limit)) in
            shard.offsets.iter().zip(shard.sizes).zip(sizes).enumerate()
        {
            if offset.saturating_add(size) > limit {
                return Err(Error::OutOfBounds { shard: index, dim, offset, size, limit });
            }
        }
    }
    Ok(())
}
