//! Shards given one by one: torch's `EnumerableShardingSpec`.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::sharding_spec::{ShardingSpec, TensorShape};
use crate::error::{Error, Result};
use crate::memory::{IntoShared, Shared};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placements::Placements;
use crate::model::properties::TensorProperties;
use crate::model::shards::Shards;
use crate::model::sizes::check_sizes;
use crate::model::stable_hash::stable_hash;
use crate::model::validate;

/// Any boxes that do not overlap, each with its placement. The tensor they cut is the one that they
/// cover exactly.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnumerableShardingSpec {
    shards: Shared<Shards>,
}

impl EnumerableShardingSpec {
    /// The name of this type of spec.
    pub const TYPE_NAME: &str = "enumerable";

    /// A spec of these shards. At least one is needed, each needs a placement, and no two may own the
    /// same element.
    pub fn new(shards: impl IntoShared<Shards>) -> Result<Self> {
        let shards = shards.into_shared()?;
        if shards.is_empty() {
            return Err(Error::invalid("shards", "the list is empty; pass at least one shard"));
        }
        shards.check_placed()?;
        validate::check_non_overlapping(&shards)?;
        Ok(Self { shards })
    }

    /// The shards.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }
}

impl ShardingSpec for EnumerableShardingSpec {
    fn type_name(&self) -> &str {
        Self::TYPE_NAME
    }

    fn build_metadata(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        check_sizes(shape.sizes)?;
        validate::check_tensor(&self.shards, shape.sizes)?;
        ShardedTensorMetadata::trusted(self.shards.clone(), shape.sizes, properties)
    }

    fn placements(&self) -> Option<&Placements> {
        Some(self.shards.placements())
    }

    fn equals(&self, other: &dyn ShardingSpec) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn hash_value(&self) -> u64 {
        stable_hash(|hasher| {
            hasher.write(Self::TYPE_NAME.as_bytes());
            self.hash(hasher);
        })
    }

    fn write_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.shards.len();
        write!(f, "a list of {count} shard{}", if count == 1 { "" } else { "s" })
    }
}
