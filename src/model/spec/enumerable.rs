//! Shards given one by one: torch's `EnumerableShardingSpec`.

use std::fmt;

use super::sharding_spec::{BuiltIn, TensorShape};
use crate::error::{Error, Result};
use crate::memory::{IntoShared, Shared};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placements::Placements;
use crate::model::properties::TensorProperties;
use crate::model::shards::Shards;
use crate::model::sizes::check_sizes;
use crate::model::validate;

/// Any boxes that do not overlap, each with its placement. The tensor they cut is the one that they
/// cover exactly.
///
/// ```
/// use shardspec::model::{EnumerableShardingSpec, Placement, Placements, Shards, ShardingSpec};
/// use shardspec::model::{TensorProperties, TensorShape};
///
/// let ranks = [Placement::on_rank(0)?, Placement::on_rank(1)?];
/// let placements = Placements::new(ranks.into_iter())?;
/// let (offsets, sizes) = (vec![0, 0, 1, 0], vec![1, 4, 2, 4]);
/// let spec = EnumerableShardingSpec::new(Shards::new(2, offsets, sizes, placements)?)?;
/// let build = |sizes| spec.build_metadata(TensorShape::new(sizes), TensorProperties::default());
/// assert!(build(&[3, 4]).is_ok());
/// assert!(build(&[4, 4]).is_err()); // no shard owns the last row
/// # Ok::<(), shardspec::model::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnumerableShardingSpec {
    shards: Shared<Shards>,
}

impl EnumerableShardingSpec {
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

impl BuiltIn for EnumerableShardingSpec {
    const NAME: &str = "enumerable";

    fn build(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        check_sizes(shape.sizes)?;
        validate::check_tensor(&self.shards, shape.sizes)?;
        ShardedTensorMetadata::trusted(self.shards.clone(), shape.sizes, properties)
    }

    fn shard_placements(&self) -> &Placements {
        self.shards.placements()
    }
}

/// As a text: `a list of 4 shards`.
impl fmt::Display for EnumerableShardingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.shards.len();
        write!(f, "a list of {count} shard{}", if count == 1 { "" } else { "s" })
    }
}
