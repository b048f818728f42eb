//! Plans for ranks of which it is known which are near each other.

use super::parts::PartBudget;
use super::{NodeOf, ReshardPlan, pieces_between};
use crate::error::Result;
use crate::memory::{self, Memory, Shared};
use crate::model::validate;

/// The node of each rank, from rank 0 on. Negative: not known.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RankNodes(Vec<i64>);

impl RankNodes {
    fn new(nodes: &[i64]) -> Memory<Self> {
        Ok(Self(memory::try_collect(nodes.iter().copied())?))
    }

    /// The node of a rank, if it is known.
    pub(super) fn of(&self, rank: i64) -> Option<i64> {
        let node = self.0.get(usize::try_from(rank).ok()?)?;
        (*node >= 0).then_some(*node)
    }
}

impl ReshardPlan {
    /// The plan for the same shards where rank `r` is on node `nodes[r]`. Of sources that hold the same
    /// elements, one of the same owner is read; else one on the node of the destination; else any. The
    /// node of a rank is not known where its number is negative, and from the end of the list on.
    pub fn on_nodes(&self, nodes: &[i64]) -> Result<Self> {
        let nodes = Shared::try_new(RankNodes::new(nodes)?)?;
        let (source, destination) = (self.source.clone(), self.destination.clone());
        let (dtype, wanted) = (self.dtype, self.wanted.as_deref());
        let node_of = |rank| nodes.of(rank);
        let effort = (PartBudget::USUAL, Some(&node_of as NodeOf<'_>));
        // Else there is nothing to choose.
        let effort = validate::has_overlap(&source)?.then_some(effort);
        let pieces = pieces_between(&source, &destination, wanted, effort)?;
        let wanted = wanted.map(|it| memory::try_collect(it.iter().copied())).transpose()?;
        let (nodes, routes) = (Some(nodes), Default::default());
        Ok(Self { source, destination, dtype, wanted, nodes, pieces, routes })
    }

    /// Whether it was made for ranks of which it is known which are near each other. Such plans for the
    /// same shards may read other sources.
    pub(crate) fn knows_nodes(&self) -> bool {
        self.nodes.is_some()
    }
}
