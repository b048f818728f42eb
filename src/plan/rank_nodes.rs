//! Which ranks are near each other.

use crate::memory::{self, Memory};

/// The node of each rank, from rank 0 on. Negative: not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RankNodes(Vec<i64>);

impl RankNodes {
    pub(super) fn new(nodes: &[i64]) -> Memory<Self> {
        Ok(Self(memory::try_collect(nodes.iter().copied())?))
    }

    /// The node of a rank, if it is known.
    pub(super) fn of(&self, rank: i64) -> Option<i64> {
        let node = self.0.get(usize::try_from(rank).ok()?)?;
        (*node >= 0).then_some(*node)
    }
}
