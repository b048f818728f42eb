//! All overlaps and all gaps of shards, where a refusal names only one.

#![allow(clippy::arithmetic_side_effects, reason = "ends of shards fit an i64, as ends of gaps do")]

use std::ops::ControlFlow;

use super::{check_non_overlapping, shared_region};
use crate::core::bounds::Bounds;
use crate::core::cells;
use crate::core::error::{Error, Result};
use crate::core::metadata::check_sizes;
use crate::core::region::Region;
use crate::core::shards::{Shards, check_shard_ndim};

/// Two shards that own the same elements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// The lower of the two shard indices.
    pub first: usize,
    /// The higher of the two shard indices.
    pub second: usize,
    /// The box that both own.
    pub region: Region,
}

/// The pairs of shards that own the same element, by their first index, then by their second; no
/// more than `limit` of them.
///
/// Time: about `n * log(n)` for `n` shards, and what the shards that are looked at have overlaps.
pub fn overlaps(shards: &Shards, limit: usize) -> Result<Vec<Overlap>> {
    let index = shards.index()?;
    let mut overlaps = Vec::new();
    let mut seconds = Vec::new();
    for (first, shard) in shards.iter().enumerate() {
        if overlaps.len() >= limit {
            break;
        }
        seconds.clear();
        index.visit_box(shard.offsets, shard.sizes, |second| {
            seconds.extend((second > first).then_some(second));
            ControlFlow::Continue(())
        });
        seconds.sort_unstable();
        let room = limit.saturating_sub(overlaps.len());
        overlaps.extend(seconds.iter().take(room).map(|&second| {
            let region = shared_region(shards, first, second);
            Overlap { first, second, region }
        }));
    }
    Ok(overlaps)
}

/// What no shard owns of a tensor of `sizes`, as boxes that share nothing, by where they lie. The
/// shards may overlap, and what they own past the tensor does not matter.
///
/// There may be several ways to divide what is left into boxes; two that together are a box are
/// one here.
pub fn gaps(shards: &Shards, sizes: &[i64]) -> Result<Vec<Region>> {
    check_sizes(sizes)?;
    check_shard_ndim(0, "offsets and sizes", shards.ndim(), sizes.len())?;
    if sizes.contains(&0) {
        return Ok(Vec::new());
    }
    let disjoint = match check_non_overlapping(shards) {
        Ok(()) => true,
        Err(Error::Overlap { .. }) => false,
        Err(error) => return Err(error),
    };
    let owning = (0u32..).zip(shards.iter()).filter(|(_, shard)| !shard.is_empty());
    let owning: Vec<u32> = owning.map(|(index, _)| index).collect();
    let whole = Bounds::new(&vec![0; sizes.len()], sizes);
    let unheld = cells::unheld(shards, &owning, whole, disjoint);
    Ok(unheld.iter().map(|cell| cell.bounds.region()).collect())
}
