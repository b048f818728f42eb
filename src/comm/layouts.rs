//! The layouts that a tensor moves between.

use crate::memory::Shared;
use crate::model::{DataType, ShardedTensorMetadata, Shards};
use crate::plan::ReshardPlan;

/// The layouts that a tensor moves between.
#[derive(Debug, Clone)]
pub enum TensorLayouts {
    /// Those of a tensor whose shards are described by metadata.
    Pair {
        /// How the tensor is cut.
        source: ShardedTensorMetadata,
        /// How it is to be cut.
        destination: ShardedTensorMetadata,
    },
    /// Those of a plan for all its destination shards.
    Plan(Shared<ReshardPlan>),
    /// Some shards of one layout, and others of it that have the same elements.
    Replicas {
        /// The layout that both are of.
        layout: ShardedTensorMetadata,
        /// The plan from the ones to the others.
        plan: Shared<ReshardPlan>,
    },
}

impl TensorLayouts {
    /// The shards that are read.
    pub fn source(&self) -> &Shared<Shards> {
        match self {
            Self::Pair { source, .. } => source.shared_shards(),
            Self::Plan(plan) | Self::Replicas { plan, .. } => plan.source(),
        }
    }

    /// The shards that are written.
    pub fn destination(&self) -> &Shared<Shards> {
        match self {
            Self::Pair { destination, .. } => destination.shared_shards(),
            Self::Plan(plan) | Self::Replicas { plan, .. } => plan.destination(),
        }
    }

    /// The element type, where the layouts state it.
    pub fn dtype(&self) -> Option<DataType> {
        match self {
            Self::Pair { source, destination } => {
                source.properties().dtype.or(destination.properties().dtype)
            }
            Self::Plan(plan) => plan.dtype(),
            Self::Replicas { layout, .. } => layout.properties().dtype,
        }
    }

    /// The sizes of the tensor, where they are known.
    pub(super) fn sizes(&self) -> Option<&[i64]> {
        match self {
            Self::Pair { source, .. } => Some(source.sizes()),
            Self::Replicas { layout, .. } => Some(layout.sizes()),
            Self::Plan(_) => None,
        }
    }

    /// Hashes that are equal on all ranks that move a tensor alike.
    pub(super) fn hashes(&self) -> [u64; 2] {
        match self {
            Self::Pair { source, destination } => [source.hash_value(), destination.hash_value()],
            // Equal lists always make equal plans, unless these know of nodes.
            Self::Plan(plan) => [plan.source().fingerprint(), plan.destination().fingerprint()],
            // Who reads depends on all tensors, and is equal where these are.
            Self::Replicas { layout, .. } => [layout.hash_value(); 2],
        }
    }

    /// Whether these are known to be the same: then what moves is the same, too.
    pub(super) fn are_known_as(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Pair { source, destination },
                Self::Pair { source: its_source, destination: its_destination },
            ) => source == its_source && destination == its_destination,
            (Self::Plan(plan), Self::Plan(its)) => Shared::ptr_eq(plan, its),
            _ => false,
        }
    }
}
