//! Geometry, validation and plans: what a sharding means. No pointers, no C types.
//!
//! Data flows one way: a [`ShardingSpec`] says how to cut, [`ShardingSpec::build_metadata`] turns
//! it into a [`ShardedTensorMetadata`] that says who owns what. Nothing after that asks which spec
//! it came from.

#![forbid(unsafe_code)]

pub mod chunk;
pub mod cut;
pub mod device;
pub mod dtype;
pub mod error;
pub mod infer;
mod infer_grid;
pub mod linked;
pub mod locate;
pub mod mesh;
pub mod metadata;
mod parse_placement;
pub mod placement;
pub mod placements;
pub mod properties;
pub mod reduction;
pub mod replica;
pub mod shards;
pub(crate) mod sizes;
pub mod spec;
pub(crate) mod stable_hash;
pub mod validate;

pub use crate::error::{Error, Result};
pub use cut::{
    Cut, CutProblem, LengthCut, Rule, RuleKind, Segment, Segments, check_degrees, first_forbidding,
};
pub use device::{Device, DeviceType};
pub use dtype::DataType;
pub use error::ModelError;
pub use infer::{InferredSpec, infer_compat_spec, infer_sharding_spec};
pub use locate::Located;
pub use mesh::{Mesh, MeshAxis};
pub use metadata::ShardedTensorMetadata;
pub use placement::{CustomPlacement, Placement};
pub use placements::Placements;
pub use properties::{Layout, MemoryFormat, TensorProperties};
pub use reduction::{PartialAxis, Reduction};
pub use replica::Replica;
pub use shards::{Shard, ShardMetadata, Shards};
pub use spec::{
    ChunkShardingSpec, EnumerableShardingSpec, MeshCut, MeshLayout, MeshShardingSpec, Pad, PadTo,
    ShardingDim, ShardingSpec, TensorShape,
};
