//! The trait of all sharding specs, and its arguments.

use std::any::Any;
use std::fmt::{self, Display};
use std::hash::{Hash, Hasher};

use crate::error::Result;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placements::Placements;
use crate::model::properties::TensorProperties;
use crate::model::stable_hash::stable_hash;

/// The tensor to cut: its sizes and, if it has them, the names of its dimensions.
#[derive(Debug, Clone, Copy)]
pub struct TensorShape<'a> {
    /// Sizes, one for each dimension.
    pub sizes: &'a [i64],
    /// Names, one for each dimension; `None` when the dimensions have no names.
    pub dim_names: Option<&'a [&'a str]>,
}

impl<'a> TensorShape<'a> {
    /// A tensor of these sizes whose dimensions have no names.
    pub fn new(sizes: &'a [i64]) -> Self {
        Self { sizes, dim_names: None }
    }
}

/// How a tensor is cut. Immutable; equal specs cut every tensor alike.
pub trait ShardingSpec: Any + fmt::Debug + Send + Sync {
    /// The name of the spec's type: `chunk`, `enumerable`, or the name of a user's own type.
    fn type_name(&self) -> &str;

    /// Who owns what of a tensor of this shape. What is returned covers the tensor and overlaps
    /// nowhere.
    fn build_metadata(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata>;

    /// The placements of the shards, in order, if they are the same for every tensor. A spec that
    /// decides by the tensor's shape returns none: the metadata has them.
    fn placements(&self) -> Option<&Placements> {
        None
    }

    /// Whether `other` is a spec of the same type that cuts every tensor alike.
    fn equals(&self, other: &dyn ShardingSpec) -> bool;

    /// A hash: equal specs have equal hashes, in every process.
    fn hash_value(&self) -> u64;

    /// Writes how it cuts, for people; of a user's own type, the type's name.
    fn write_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.type_name())
    }
}

impl Display for dyn ShardingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_text(f)
    }
}

impl dyn ShardingSpec {
    /// The spec as what it really is, if it is a `T`.
    pub fn downcast_ref<T: ShardingSpec>(&self) -> Option<&T> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }
}

/// A spec of this library's own. It is compared and hashed by its values, its shards are known before
/// there is a tensor, and they are filled by copies of what they own.
pub trait BuiltIn: Any + Display + fmt::Debug + Eq + Hash + Send + Sync {
    /// The name of its type.
    const NAME: &str;

    /// See [`ShardingSpec::build_metadata`].
    fn build(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata>;

    /// The placements of the shards, in order.
    fn shard_placements(&self) -> &Placements;
}

impl<T: BuiltIn> ShardingSpec for T {
    fn type_name(&self) -> &str {
        T::NAME
    }

    fn build_metadata(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        self.build(shape, properties)
    }

    fn placements(&self) -> Option<&Placements> {
        Some(self.shard_placements())
    }

    fn equals(&self, other: &dyn ShardingSpec) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn hash_value(&self) -> u64 {
        stable_hash(|hasher| {
            hasher.write(T::NAME.as_bytes());
            self.hash(hasher);
        })
    }

    fn write_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}
