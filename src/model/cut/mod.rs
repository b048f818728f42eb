//! Cuts: how the indices of one dimension are dealt to the coordinates of one axis of a mesh.
//!
//! A cut deals indices in the order in which they stand. A second cut of the same dimension cuts what
//! the first one left. All answers are in closed form: they take as long as they have stretches,
//! whatever the size of the dimension.

mod deal;
mod dim_shard;
mod error;
mod legal;
mod positions;
mod rule;
mod segments;

pub(crate) use deal::Deal;
pub(crate) use dim_shard::DimShard;
pub use error::CutProblem;
pub use legal::{LengthCut, check_degrees, first_forbidding};
pub use rule::{Rule, RuleKind};
pub use segments::{Cut, Segment, Segments};
