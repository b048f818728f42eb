//! All overlaps and all gaps of shards, where a refusal names only one.

#![allow(clippy::arithmetic_side_effects, reason = "ends of shards fit an i64, as ends of gaps do")]

use std::ops::ControlFlow;

use super::common::{check_dims, shared};
use crate::error::{Error, Result};
use crate::geometry::Index;
use crate::geometry::cells::unheld;
use crate::geometry::n_log_n;
use crate::geometry::region::Region;
use crate::geometry::unfold::BoxRows;
use crate::memory::{OutOfMemory, TryVec, text};
use crate::model::shards::Shards;
use crate::model::sizes::check_sizes;

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
/// Time: about `n * log(n)` for `n` shards, and the overlaps of the shards that are compared.
pub fn overlaps(shards: &Shards, limit: usize) -> Result<Vec<Overlap>> {
    let (space, mut overlaps) = (shards.space()?, Vec::new());
    visit_overlaps(space.rows(), limit, |pair| {
        let OverlappingPair { extents: [first, second], boxes: [a, b] } = pair;
        let region = space.region(&shared(space.rows().boxes, a as usize, b as usize))?;
        let (first, second) = (first as usize, second as usize);
        Ok(overlaps.try_push(Overlap { first, second, region })?)
    })?;
    Ok(overlaps)
}

/// How many pairs of shards own the same element, or `limit` if that is less.
pub(super) fn count_overlaps(shards: &Shards, limit: usize) -> Result<usize> {
    let mut count = 0usize;
    visit_overlaps(shards.space()?.rows(), limit, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// Two shards that overlap, and two of their boxes that do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct OverlappingPair {
    extents: [u32; 2],
    boxes: [u32; 2],
}

fn visit_overlaps(
    rows: BoxRows<'_>, limit: usize, mut visit: impl FnMut(OverlappingPair) -> Result<()>,
) -> Result<()> {
    let mut left = limit;
    if left == 0 {
        return Ok(());
    }
    let index = rows.boxes.index()?;
    let mut pairs: Vec<OverlappingPair> = Vec::new();
    let mut next = 0;
    // A list has no more boxes than a u32 counts.
    while next < rows.boxes.len() as u32 {
        let first = rows.extent_of(next);
        pairs.clear();
        // All boxes of one shard, one after the other.
        while next < rows.boxes.len() as u32 && rows.extent_of(next) == first {
            push_overlaps(rows, &index, next, &mut pairs)?;
            next += 1;
        }
        pairs.sort_unstable();
        pairs.dedup_by_key(|pair| pair.extents);
        for &pair in &pairs {
            visit(pair)?;
            left -= 1;
            if left == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Adds the pairs of a box with those of later shards.
fn push_overlaps(
    rows: BoxRows<'_>, index: &Index, number: u32, pairs: &mut Vec<OverlappingPair>,
) -> Result<()> {
    let (Some(asked), first) = (rows.boxes.get(number as usize), rows.extent_of(number)) else {
        return Ok(());
    };
    let mut missing: Option<OutOfMemory> = None;
    index.visit_box(asked.offsets, asked.sizes, |other| {
        let second = rows.extent_of(other as u32);
        let pair = OverlappingPair { extents: [first, second], boxes: [number, other as u32] };
        if second > first
            && let Err(memory) = pairs.try_push(pair)
        {
            missing = Some(memory);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    });
    missing.map_or(Ok(()), |memory| Err(memory.into()))
}

/// The gaps of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    /// Boxes that share nothing, by where they lie.
    pub boxes: Vec<Region>,
    /// Whether there are others.
    pub more: bool,
}

/// Parts that no shard owns are computed beyond those requested, so that parts that were cut apart
/// can be merged and sorted.
const SPARE_PARTS: usize = 1 << 14;
/// Shards and parts that may be compared before it is said that there are too many.
const SPARE_STEPS: u64 = 1 << 27;

/// The gaps of a tensor of `sizes`, at most `limit` boxes. The shards may overlap, and what they
/// own past the tensor does not matter. A list of no shards may be one of any number of dimensions.
///
/// There may be several ways to divide what is left into boxes; two that together are a box are
/// mostly one here. If there are few more than `limit`, the returned ones are the first by their
/// offsets.
///
/// Time: of shards that overlap nowhere, about `n * log(n)` and what the boxes need. Shards that
/// overlap may leave more boxes than there is memory for, so this takes as long as those that are
/// asked for need. Where even finding one would take too long, [`Error::Unsupported`].
pub fn gaps(shards: &Shards, sizes: &[i64], limit: usize) -> Result<Gaps> {
    check_sizes(sizes)?;
    check_dims(shards, sizes)?;
    let disjoint = !shards.has_overlap()?;
    let (space, room) = (shards.space()?, limit.saturating_add(SPARE_PARTS));
    let boxes = space.rows().boxes;
    let (mut steps, mut found, mut more) = (steps_of(boxes.len()), Vec::new(), false);
    for whole in space.whole(sizes)? {
        let all = boxes.not_empty()?;
        let (cells, complete) = unheld(boxes, all, whole, disjoint, room, &mut steps)?;
        more |= !complete;
        for cell in 0..cells.len() {
            if !space.push_regions(&cells.bounds(cell), limit, &mut found)? {
                more = true;
                break;
            }
        }
        if more && found.len() < limit && cells.len() < room {
            return Err(too_many_ways(shards));
        }
    }
    Ok(Gaps { boxes: found, more })
}

/// How often boxes of so many shards and parts may be compared.
pub(super) fn steps_of(count: usize) -> u64 {
    n_log_n(count).saturating_mul(64).saturating_add(SPARE_STEPS)
}

/// The refusal of shards that overlap in too many ways.
pub(super) fn too_many_ways(shards: &Shards) -> Error {
    let what = text!(
        "the gaps of {} shards can't be found, because the shards overlap in too many ways; ask \
         for fewer gaps, or pass shards that overlap less",
        shards.len()
    );
    Error::Unsupported { what }
}
