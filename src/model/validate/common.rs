//! Shared by refusals and complete lists.

use crate::error::Result;
use crate::geometry::BoxList;
use crate::geometry::bounds::Bounds;
use crate::model::ModelError;
use crate::model::shards::{Shards, check_shard_ndim};

/// The box that two overlapping boxes share.
pub(super) fn shared(boxes: &BoxList, first: usize, second: usize) -> Bounds {
    Bounds::of(boxes, first).common(&Bounds::of(boxes, second))
}

/// Refuses shards of a tensor of other dimensions. Returns its sizes where shards have some flattened.
pub(super) fn check_dims(shards: &Shards, sizes: &[i64]) -> Result<Option<Vec<i64>>> {
    if shards.is_empty() {
        return Ok(None);
    }
    let Some(flat) = shards.extents().flattening() else {
        check_shard_ndim(0, "offsets and sizes", shards.ndim(), sizes.len())?;
        return Ok(None);
    };
    check_shard_ndim(0, "offsets and sizes", flat.sizes().len(), sizes.len())?;
    let mut pairs = flat.sizes().iter().zip(sizes).enumerate();
    if let Some((dim, (&got, &expected))) = pairs.find(|(_, (got, expected))| got != expected) {
        let what = "shards: the tensor that they are flattened of".into();
        let shard = None;
        return Err(ModelError::ShapeMismatch { what, shard, dim, got, expected }.into());
    }
    Ok(Some(flat.flat_sizes()?))
}
