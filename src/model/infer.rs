//! From shards to the spec that cuts them.

use std::ops::Deref;

use super::chunk::{chunk_offset, chunked_dim_size, split_size};
use super::infer_grid;
use super::shards::Shards;
use super::spec::{
    ChunkShardingSpec, EnumerableShardingSpec, MeshShardingSpec, ShardingDim, ShardingSpec,
};
use crate::error::{Error, Result};
use crate::memory::{self, IntoShared, Memory};

/// The spec that was found.
#[derive(Debug)]
pub enum InferredSpec {
    /// The shards are chunks of one dimension.
    Chunk(ChunkShardingSpec),
    /// They are a grid: every dimension is cut on its own, and all pieces of one meet all of the others.
    Mesh(MeshShardingSpec),
    /// They are anything else.
    Enumerable(EnumerableShardingSpec),
}

impl Deref for InferredSpec {
    type Target = dyn ShardingSpec;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Chunk(spec) => spec,
            Self::Mesh(spec) => spec,
            Self::Enumerable(spec) => spec,
        }
    }
}

/// The spec that cuts a tensor into exactly these shards, the most regular one of three:
///
/// - a chunk spec, where they are the chunks of one dimension, in whatever order they come;
/// - a mesh spec, where they are a grid of boxes: each dimension is cut by chunk, balanced or sizes, and each
///   cell of the grid has equally many shards, which are replicas. Devices are in the order of the shards
///   where that is row-major in some order of axes. Else the order is that of the grid;
/// - an enumerable spec of them.
///
/// A single shard is enumerable: the cut dimension is unknown.
///
/// Takes `n * log(n)` for `n` shards, and for an enumerable spec what that takes.
///
/// ```
/// use shardspec::model::{Placement, Placements, ShardingSpec, Shards, infer_sharding_spec};
///
/// let placements = Placements::new([Placement::on_rank(0)?, Placement::on_rank(1)?].into_iter())?;
/// let shards = Shards::new(1, vec![0, 3], vec![3, 2], placements)?;
/// assert_eq!(infer_sharding_spec(shards)?.type_name(), "chunk");
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub fn infer_sharding_spec(shards: impl IntoShared<Shards>) -> Result<InferredSpec> {
    let shards = shards.into_shared()?;
    check(&shards)?;
    if let Some(spec) = chunk_spec(&shards)? {
        return Ok(InferredSpec::Chunk(spec));
    }
    if let Some(spec) = infer_grid::mesh_spec(&shards)? {
        return Ok(InferredSpec::Mesh(spec));
    }
    Ok(InferredSpec::Enumerable(EnumerableShardingSpec::new(shards)?))
}

/// The spec that torch's `_infer_sharding_spec_from_shards_metadata` answers: a chunk spec, where cutting
/// with it gives exactly these shards, in whatever order they come, and else an enumerable spec of them.
///
/// A single shard is enumerable: the cut dimension is unknown.
pub fn infer_compat_spec(shards: impl IntoShared<Shards>) -> Result<InferredSpec> {
    let shards = shards.into_shared()?;
    check(&shards)?;
    if let Some(spec) = chunk_spec(&shards)? {
        return Ok(InferredSpec::Chunk(spec));
    }
    Ok(InferredSpec::Enumerable(EnumerableShardingSpec::new(shards)?))
}

fn check(shards: &Shards) -> Result<()> {
    if shards.is_empty() {
        return Err(Error::invalid("shards", "the list is empty; pass at least one shard"));
    }
    shards.check_placed()
}

/// The chunk spec of these shards, if they are chunks.
fn chunk_spec(shards: &Shards) -> Result<Option<ChunkShardingSpec>> {
    let Some(order) = chunk_order(shards)? else {
        return Ok(None);
    };
    let dim = ShardingDim::Index(i64::try_from(order.dim).unwrap_or(i64::MAX));
    let placements = order.shards.iter().filter_map(|&index| shards.placements().get(index));
    ChunkShardingSpec::new(dim, placements.cloned()).map(Some)
}

/// How chunks of one dimension are ordered along it.
struct ChunkOrder {
    dim: usize,
    /// Shard indices, by offset.
    shards: Vec<usize>,
}

/// The one dimension that was cut and the order of the shards along it, if chunks are what they
/// are.
fn chunk_order(shards: &Shards) -> Memory<Option<ChunkOrder>> {
    if !shards.extents().are_boxes() {
        return Ok(None);
    }
    let Some(dim) = only_cut_dim(shards) else {
        return Ok(None);
    };
    let mut order = memory::try_collect(0..shards.len())?;
    let are_chunks = sort_chunks(shards, dim, &mut order).is_some();
    Ok(are_chunks.then_some(ChunkOrder { dim, shards: order }))
}

/// Sorts shards along a dimension; `None` if they are not the chunks of it.
fn sort_chunks(shards: &Shards, dim: usize, order: &mut [usize]) -> Option<()> {
    let at = |index: usize| {
        let shard = shards.get(index)?;
        Some((*shard.offsets.get(dim)?, *shard.sizes.get(dim)?))
    };
    order.sort_unstable_by_key(|&index| (at(index), index));

    let mut total = 0i64;
    for index in 0..shards.len() {
        total = total.checked_add(at(index)?.1)?;
    }
    let split = split_size(total, i64::try_from(shards.len()).ok()?).ok()?;
    for (chunk, &index) in order.iter().enumerate() {
        let chunk = i64::try_from(chunk).ok()?;
        let expected =
            (chunk_offset(split, chunk).ok()?, chunked_dim_size(total, split, chunk).ok()?);
        if at(index)? != expected {
            return None;
        }
    }
    Some(())
}

/// The dimension in which shards start elsewhere than at 0, if it is exactly one and all shards
/// have the same sizes in every other.
fn only_cut_dim(shards: &Shards) -> Option<usize> {
    let mut cut = None;
    for shard in shards.iter() {
        for (dim, _) in shard.offsets.iter().enumerate().filter(|(_, offset)| **offset != 0) {
            if *cut.get_or_insert(dim) != dim {
                return None;
            }
        }
    }
    let cut = cut?;
    let first = shards.get(0)?;
    let same = shards.iter().all(|shard| {
        let mut pairs = shard.sizes.iter().zip(first.sizes).enumerate();
        pairs.all(|(dim, (size, expected))| dim == cut || size == expected)
    });
    same.then_some(cut)
}
