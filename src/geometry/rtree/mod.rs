//! An R-tree of boxes, bulk loaded: finds those that meet a box.

mod build;
mod choose;
mod owners;
mod partition;
mod plane_build;
mod planes;
mod set;
mod summary;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use build::build;
pub(crate) use owners::MAX_SEARCHES;
pub use tree::Index;
#[cfg(test)]
pub(crate) use tree::MAX_DEPTH;
