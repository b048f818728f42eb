//! Layouts over a mesh: cuts of dimensions over axes, padding, flattening, partial elements.

mod layout;
mod rows;

use std::fmt;

pub use layout::{MeshCut, MeshLayout, Pad, PadTo};

use super::sharding_spec::{BuiltIn, TensorShape};
use crate::error::Result;
use crate::memory::Shared;
use crate::model::mesh::Mesh;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::placements::Placements;
use crate::model::properties::TensorProperties;
use crate::model::sizes::check_sizes;

/// Cuts a tensor over a mesh: a shard for each device, row-major.
///
/// An axis that no cut uses replicates. The layouts are right by construction: together, the shards
/// cover the tensor, and what several of them have are replicas.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MeshShardingSpec {
    mesh: Mesh,
    layout: Shared<MeshLayout>,
}

impl MeshShardingSpec {
    /// A spec of this layout over a mesh. All that does not depend on a tensor is checked.
    pub fn new(mesh: Mesh, layout: MeshLayout) -> Result<Self> {
        layout.check(&mesh)?;
        Ok(Self { mesh, layout: Shared::try_new(layout)? })
    }

    /// The mesh.
    pub fn mesh(&self) -> &Mesh {
        &self.mesh
    }

    /// What is cut, padded, flattened and partial.
    pub fn layout(&self) -> &MeshLayout {
        &self.layout
    }
}

impl BuiltIn for MeshShardingSpec {
    const NAME: &str = "mesh";

    fn build(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        check_sizes(shape.sizes)?;
        let (shards, repeats) = rows::shards(&self.mesh, &self.layout, shape)?;
        // Every index of a dimension is dealt, and only the same ones again: no need to look.
        let metadata =
            ShardedTensorMetadata::trusted(Shared::try_new(shards)?, shape.sizes, properties)?;
        let replicas = repeats || self.layout.replicates(&self.mesh);
        metadata.arranged(&self.mesh, &self.layout.partial, replicas)
    }

    fn shard_placements(&self) -> &Placements {
        self.mesh.placements()
    }
}

/// As a text: `dp=2, tp=4: dimension 0 over tp by chunk`.
impl fmt::Display for MeshShardingSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mesh, self.layout)
    }
}
