//! Plans for ranks of which it is known which are near each other.

use super::parts::PartBudget;
use super::rank_nodes::RankNodes;
use super::{NodeOf, ReshardPlan, pieces_between};
use crate::error::Result;
use crate::memory::{self, Shared};

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
        let effort = source.has_overlap()?.then_some(effort);
        let pieces = pieces_between(&source, &destination, wanted, effort)?;
        let wanted = wanted.map(|it| memory::try_collect(it.iter().copied())).transpose()?;
        let (nodes, routes) = (Some(nodes), Default::default());
        Ok(Self { source, destination, dtype, wanted, nodes, pieces, routes })
    }
}
