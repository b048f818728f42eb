//! Cutting one dimension into equal chunks: torch's `ChunkShardingSpec`.

use std::fmt;

use super::sharding_dim::ShardingDim;
use super::sharding_spec::{BuiltIn, TensorShape};
use crate::error::{Error, Result, try_with_capacity};
use crate::memory::{Shared, text};
use crate::model::ModelError;
use crate::model::chunk::{at_least, chunk_offset, chunked_dim_size, split_size};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placement::Placement;
use crate::model::placements::Placements;
use crate::model::properties::TensorProperties;
use crate::model::shards::Shards;
use crate::model::sizes::check_sizes;

/// Cuts dimension `dim` as `torch.chunk` does, a chunk for each placement, in order.
///
/// Chunk `i` of `k` starts at `ceil(n / k) * i`, also where that is past the end; such chunks are
/// empty and own nothing.
///
/// ```
/// use shardspec::model::{ChunkShardingSpec, Placement, ShardingSpec, TensorProperties, TensorShape};
///
/// let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?, Placement::on_rank(2)?];
/// let spec = ChunkShardingSpec::new((-1).into(), ranks.into_iter())?;
/// let metadata = spec.build_metadata(TensorShape::new(&[2, 7]), TensorProperties::default())?;
/// assert_eq!(metadata.shards().sizes(), [2, 3, 2, 3, 2, 1]);
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChunkShardingSpec {
    dim: ShardingDim,
    placements: Shared<Placements>,
}

impl ChunkShardingSpec {
    /// A spec that cuts `dim` into a chunk for each of `placements`. At least one is needed.
    pub fn new(dim: ShardingDim, placements: impl Iterator<Item = Placement>) -> Result<Self> {
        let placements = Shared::try_new(Placements::new(placements)?)?;
        if placements.is_empty() {
            return Err(Error::invalid("placements", "there are none; pass at least one"));
        }
        if let Some(shard) = placements.iter().position(Placement::is_none) {
            return Err(Error::Model(ModelError::NoPlacement { shard }));
        }
        Ok(Self { dim, placements })
    }

    /// The dimension as it was given.
    pub fn dim(&self) -> &ShardingDim {
        &self.dim
    }

    /// The placements of the chunks, in order.
    pub fn placements(&self) -> &Placements {
        &self.placements
    }

    /// Offsets and sizes of all chunks, flat.
    fn cut(&self, sizes: &[i64], dim: usize) -> Result<(Vec<i64>, Vec<i64>)> {
        let count = self.placements.len();
        let len = count.saturating_mul(sizes.len());
        let mut all_offsets = try_with_capacity("offsets", len)?;
        let mut all_sizes = try_with_capacity("sizes", len)?;
        let dim_size = sizes.get(dim).copied().unwrap_or(0);
        let split = split_size(dim_size, i64::try_from(count).unwrap_or(i64::MAX))?;
        for index in 0..self.placements.len() as i64 {
            let start = all_offsets.len().saturating_add(dim);
            all_offsets.resize(all_offsets.len().saturating_add(sizes.len()), 0);
            all_sizes.extend_from_slice(sizes);
            if let Some(offset) = all_offsets.get_mut(start) {
                *offset = chunk_offset(split, index)?;
            }
            if let Some(size) = all_sizes.get_mut(start) {
                *size = chunked_dim_size(dim_size, split, index)?;
            }
        }
        Ok((all_offsets, all_sizes))
    }
}

impl BuiltIn for ChunkShardingSpec {
    const NAME: &str = "chunk";

    fn build(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        check_sizes(shape.sizes)?;
        let dim = self.dim.resolve(shape)?;
        let (offsets, sizes) = self.cut(shape.sizes, dim)?;
        let shards = Shards::new(shape.sizes.len(), offsets, sizes, self.placements.clone())?;
        // Chunks are a partition by construction: no need to look.
        ShardedTensorMetadata::trusted(Shared::try_new(shards)?, shape.sizes, properties)
    }

    fn shard_placements(&self) -> &Placements {
        &self.placements
    }
}

/// As a text: `dimension 0 by chunk over 4 placements`.
impl fmt::Display for ChunkShardingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.placements.len();
        let plural = if count == 1 { "" } else { "s" };
        write!(f, "dimension {} by chunk over {count} placement{plural}", self.dim)
    }
}

/// Start and length of the chunk that `rank` owns when a dimension of `dim_size` elements is cut
/// for `world_size` workers in the order of the placements of `spec`.
///
/// The start is where the elements before it end, so for an empty chunk it is `dim_size`, unlike
/// the offset in the metadata. A rank that no placement names is refused (torch answers the last
/// chunk's length at position 0).
pub fn chunk_sharding_params(
    spec: &ChunkShardingSpec, dim_size: i64, world_size: i64, rank: i64,
) -> Result<(i64, i64)> {
    at_least("dim_size", dim_size, 0)?;
    at_least("world_size", world_size, 1)?;
    let split = split_size(dim_size, world_size)?;
    let position = spec.placements().iter().position(|placement| placement.rank() == Some(rank));
    let index = position.and_then(|position| i64::try_from(position).ok()).ok_or_else(|| {
        Error::NotFound { what: text!("rank: no placement of the spec is on rank {rank}") }
    })?;
    let start = split.saturating_mul(index).min(dim_size);
    Ok((start, chunked_dim_size(dim_size, split, index)?))
}
