//! All overlaps and all gaps of shards, where a refusal names only one.

#![allow(clippy::arithmetic_side_effects, reason = "ends of shards fit an i64, as ends of gaps do")]

use std::ops::ControlFlow;

use super::has_overlap;
use crate::geometry::bounds::Bounds;
use crate::geometry::cells::unheld;
use crate::geometry::n_log_n;
use crate::geometry::region::Region;
use crate::memory::{self, OutOfMemory, TryVec, text};
use crate::model::error::{Error, Result};
use crate::model::metadata::check_sizes;
use crate::model::shards::{Shards, check_shard_ndim};

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
    let mut overlaps = Vec::new();
    visit_overlaps(shards, limit, |first, second| {
        let region = shards.boxes().shared_region(first, second)?;
        Ok(overlaps.try_push(Overlap { first, second, region })?)
    })?;
    Ok(overlaps)
}

/// How many pairs of shards own the same element, or `limit` if that is less.
pub(super) fn count_overlaps(shards: &Shards, limit: usize) -> Result<usize> {
    let mut count = 0usize;
    visit_overlaps(shards, limit, |_, _| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

fn visit_overlaps(
    shards: &Shards, limit: usize, mut visit: impl FnMut(usize, usize) -> Result<()>,
) -> Result<()> {
    let mut left = limit;
    if left == 0 {
        return Ok(());
    }
    let index = shards.index()?;
    let mut seconds: Vec<usize> = Vec::new();
    for (first, shard) in shards.iter().enumerate() {
        seconds.clear();
        let mut missing: Option<OutOfMemory> = None;
        index.visit_box(shard.offsets, shard.sizes, |second| {
            if second > first
                && let Err(memory) = seconds.try_push(second)
            {
                missing = Some(memory);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        if let Some(memory) = missing {
            return Err(memory.into());
        }
        seconds.sort_unstable();
        for &second in &seconds {
            visit(first, second)?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What no shard owns of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    /// Boxes that share nothing, by where they lie.
    pub boxes: Vec<Region>,
    /// Whether there are others.
    pub more: bool,
}

/// Parts that no shard owns, looked for beyond those that are asked for, so that what was cut can be
/// put together and told by where it lies.
const SPARE_PARTS: usize = 1 << 14;
/// Shards and parts that may be compared before it is said that there are too many.
const SPARE_STEPS: u64 = 1 << 27;

/// What no shard owns of a tensor of `sizes`; no more than `limit` boxes of it. The shards may
/// overlap, and what they own past the tensor does not matter. A list of no shards may be one of any
/// number of dimensions.
///
/// There may be several ways to divide what is left into boxes; two that together are a box are mostly
/// one here. If there are few more than `limit`, those that are told are the first by where they lie.
///
/// Time: of shards that overlap nowhere, about `n * log(n)` and what the boxes need. Shards that
/// overlap may leave more boxes than there is memory for, so this takes as long as those that are
/// asked for need. Where even finding one would take too long, [`Error::Unsupported`].
pub fn gaps(shards: &Shards, sizes: &[i64], limit: usize) -> Result<Gaps> {
    check_sizes(sizes)?;
    if !shards.is_empty() {
        check_shard_ndim(0, "offsets and sizes", shards.ndim(), sizes.len())?;
    }
    let disjoint = !has_overlap(shards)?;
    let (whole, owning) = (Bounds::of_sizes(sizes), shards.boxes().not_empty()?);
    let room = limit.saturating_add(SPARE_PARTS);
    let steps = n_log_n(owning.len()).saturating_mul(64).saturating_add(SPARE_STEPS);
    let (cells, complete) = unheld(shards.boxes(), owning, whole, disjoint, room, steps)?;
    let boxes = (0..cells.len().min(limit)).map(|cell| cells.bounds(cell).region());
    let boxes = memory::try_collect_results(boxes)?;
    let more = !complete || cells.len() > boxes.len();
    if more && boxes.len() < limit && cells.len() < room {
        let what = text!(
            "what {} shards leave to nobody is in too many parts to be found, as they overlap in too \
             many ways; ask for fewer parts, or of shards that overlap less",
            shards.len()
        );
        return Err(Error::Unsupported { what });
    }
    Ok(Gaps { boxes, more })
}
