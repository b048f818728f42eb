//! A tree of boxes that tells which of them meet a box: an R-tree, bulk loaded.

mod build;
mod tree;

pub(crate) use build::build;
pub use tree::Index;
#[cfg(test)]
pub(crate) use tree::MAX_DEPTH;
