//! Who owns what of one tensor: torch's `ShardedTensorMetadata`.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::error::{Error, Result};
use super::properties::TensorProperties;
use super::region::checked_numel;
use super::shards::{Shards, check_ndim};
use super::validate;

/// All shards of a tensor, its sizes and its properties.
///
/// The shards cover the tensor and do not overlap: whoever holds a value of this type need not ask.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ShardedTensorMetadata {
    shards: Arc<Shards>,
    sizes: Box<[i64]>,
    properties: TensorProperties,
}

impl ShardedTensorMetadata {
    /// Metadata of a tensor of these sizes from shards that may be anything: checked for bounds,
    /// overlaps and gaps.
    pub fn new(
        shards: impl Into<Arc<Shards>>, sizes: &[i64], properties: TensorProperties,
    ) -> Result<Self> {
        let shards = shards.into();
        check_sizes(sizes)?;
        validate::check_non_overlapping(&shards)?;
        validate::check_tensor(&shards, sizes)?;
        Ok(Self::trusted(shards, sizes, properties))
    }

    /// Metadata from shards that are known to partition the tensor.
    pub(crate) fn trusted(
        shards: Arc<Shards>, sizes: &[i64], properties: TensorProperties,
    ) -> Self {
        Self { shards, sizes: sizes.into(), properties }
    }

    /// The shards, in order.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// The tensor's sizes.
    pub fn sizes(&self) -> &[i64] {
        &self.sizes
    }

    /// Number of dimensions.
    pub fn ndim(&self) -> usize {
        self.sizes.len()
    }

    /// Number of elements of the tensor.
    pub fn numel(&self) -> i64 {
        // It was checked when the metadata was made.
        checked_numel(&self.sizes).unwrap_or(i64::MAX)
    }

    /// What the tensor is besides its sizes.
    pub fn properties(&self) -> &TensorProperties {
        &self.properties
    }

    /// Indices of the shards whose placement is on `rank`, ascending.
    pub fn shards_of_rank(&self, rank: i64) -> impl Iterator<Item = usize> {
        let placements = self.shards.placements();
        let wanted: Vec<bool> =
            placements.distinct().iter().map(|placement| placement.rank() == Some(rank)).collect();
        let indices = placements.indices().iter().enumerate();
        indices.filter_map(move |(shard, &number)| {
            wanted.get(number as usize).copied().unwrap_or(false).then_some(shard)
        })
    }

    /// A hash: equal metadata have equal hashes, in every process.
    pub fn hash_value(&self) -> u64 {
        stable_hash(|hasher| self.hash(hasher))
    }
}

/// A hash that does not depend on the process: the keys are fixed.
pub(crate) fn stable_hash(feed: impl FnOnce(&mut DefaultHasher)) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(&mut hasher);
    hasher.finish()
}

/// Refuses sizes that no tensor can have: too many, negative, or more elements than 64 bits count.
pub(crate) fn check_sizes(sizes: &[i64]) -> Result<()> {
    check_ndim("sizes", sizes.len())?;
    if let Some((dim, size)) = sizes.iter().enumerate().find(|(_, size)| **size < 0) {
        let problem = format!("size {size} in dimension {dim} is negative; it must be >= 0");
        return Err(Error::invalid("sizes", problem));
    }
    match checked_numel(sizes) {
        Some(_) => Ok(()),
        None => Err(Error::overflow(format!("sizes: the number of elements of {sizes:?}"))),
    }
}
