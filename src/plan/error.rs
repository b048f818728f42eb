//! The errors of plans.

use crate::error::status::*;
use crate::error::{Describe, Numbers};
use crate::geometry::Region;
use crate::model::error::Named;
use crate::model::placement::Placement;

/// Why there is no plan between two layouts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// Elements that a destination shard needs and no source shard holds.
    #[error(
        "no source shard holds {region}, which destination shard {} needs; pass sources that hold \
         all elements of the destinations",
        Named(*.destination, .placement)
    )]
    NoSource {
        /// The destination shard's index.
        destination: usize,
        /// Its placement.
        placement: Placement,
        /// A box of the tensor that it needs and no source has.
        region: Region,
    },
}

impl Describe for PlanError {
    fn describe(&self) -> (i32, Numbers) {
        match *self {
            Self::NoSource { destination, .. } => (SHARDSPEC_GAP, Numbers::of_shard(destination)),
        }
    }
}
