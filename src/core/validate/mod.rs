//! Do shards partition a tensor? Overlaps, bounds, gaps.
//!
//! Source of the rules: `validate_non_overlapping_shards_metadata` and `check_tensor` of
//! `torch.distributed._shard.sharding_spec._internals`. An empty shard owns nothing: it overlaps
//! nothing and exceeds no bound.

mod all;
mod gap;
mod overlap;
mod separate;

pub use all::{Overlap, gaps, overlaps};

use super::error::{Error, Result};
use super::region::{Region, checked_numel};
use super::shards::{Shards, check_shard_ndim};

/// Refuses shards of which two own the same element; the error names both and the box they share.
///
/// Time for `n` shards with `d` dimensions: at worst `n * log(n)^(d-1)`, and only dimensions in
/// which shards differ count.
pub fn check_non_overlapping(shards: &Shards) -> Result<()> {
    match overlap::find(shards) {
        None => Ok(()),
        Some((first, second)) => {
            let region = shared_region(shards, first, second);
            Err(Error::Overlap { first, second, region })
        }
    }
}

/// Refuses shards that do not overlap when they reach past a tensor of `sizes` or leave a part of
/// it to nobody; the error names the shard, or a box that nobody owns.
pub fn check_tensor(shards: &Shards, sizes: &[i64]) -> Result<()> {
    check_shard_ndim(0, "offsets and sizes", shards.ndim(), sizes.len())?;
    check_bounds(shards, sizes)?;
    let owned: i128 =
        shards.iter().filter_map(|shard| checked_numel(shard.sizes)).map(i128::from).sum();
    if Some(owned) == checked_numel(sizes).map(i128::from) {
        return Ok(());
    }
    match gap::find(shards, sizes) {
        None => Ok(()),
        Some(region) => Err(Error::Gap { region }),
    }
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

/// The box that two overlapping shards share.
fn shared_region(shards: &Shards, first: usize, second: usize) -> Region {
    let (Some(a), Some(b)) = (shards.get(first), shards.get(second)) else {
        return Region::new(&[], &[]);
    };
    let ends = |shard: super::shards::Shard<'_>| -> Vec<i64> {
        shard.offsets.iter().zip(shard.sizes).map(|(o, s)| o.saturating_add(*s)).collect()
    };
    let offsets: Vec<i64> = a.offsets.iter().zip(b.offsets).map(|(a, b)| *a.max(b)).collect();
    let ends: Vec<i64> = ends(a).into_iter().zip(ends(b)).map(|(a, b)| a.min(b)).collect();
    let sizes: Vec<i64> = ends.iter().zip(&offsets).map(|(e, o)| e.saturating_sub(*o)).collect();
    Region::new(&offsets, &sizes)
}
