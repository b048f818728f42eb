//! Sharding specs: how to cut a tensor. torch's abstract class `ShardingSpec` is the trait here; its
//! two subclasses, layouts over a mesh and the user's own specs are implementations of it.

mod chunk;
mod enumerable;
mod mesh;
mod sharding_dim;
mod sharding_spec;

pub use chunk::{ChunkShardingSpec, chunk_sharding_params};
pub use enumerable::EnumerableShardingSpec;
pub use mesh::{MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo};
pub use sharding_dim::ShardingDim;
pub use sharding_spec::{BuiltIn, ShardingSpec, TensorShape};

use crate::error::{Error, Result};
use crate::memory::text;

/// The list of all specs that are built in: nothing else names them all.
macro_rules! built_in_specs {
    ($($spec:ty),* $(,)?) => {
        /// The names of the types that are built in. A user's own type has another.
        pub const BUILT_IN_TYPE_NAMES: &[&str] = &[$(<$spec as BuiltIn>::NAME),*];
    };
}

built_in_specs![ChunkShardingSpec, EnumerableShardingSpec, MeshShardingSpec];

/// The position of a built-in type in that list, from 1 on, by which specs are distinguished
/// without a pin; 0 for custom types.
pub(crate) fn built_in_number(type_name: &str) -> u64 {
    let mut numbered = BUILT_IN_TYPE_NAMES.iter().zip(1..);
    numbered.find(|(built_in, _)| **built_in == type_name).map_or(0, |(_, number)| number)
}

/// Refuses a name that a user's own type of spec may not have.
pub fn check_own_type_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("type_name", "it is empty; name the type"));
    }
    if BUILT_IN_TYPE_NAMES.contains(&name) {
        let problem = text!("{name:?} is the name of a built-in type; choose another");
        return Err(Error::invalid("type_name", problem));
    }
    Ok(())
}
