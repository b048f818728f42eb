//! The plans of a tensor that one rank needs.

use super::Communicator;
use super::layouts::TensorLayouts;
use super::owners::{RankShards, node_placed};
use crate::memory::{Memory, Shared, text};
use crate::model::{Error, Result};
use crate::plan::{NodeOf, OncePlans, ReshardPlan};

/// The plans that say what moves.
#[derive(Debug)]
pub(super) struct MovePlans {
    pub(super) incoming: Shared<ReshardPlan>,
    /// The pieces that this rank has for others. `None`: the other plan is that of all ranks.
    outgoing: Option<Shared<ReshardPlan>>,
    /// The pieces that destination shards take from others of their rank in the end, as these hold the
    /// same elements and have received them.
    pub(super) copied: Option<ReshardPlan>,
    /// A hash of the replicas that are read, where that depends on nodes.
    pub(super) choice: u64,
}

impl MovePlans {
    /// The plans of the rank whose shards these are.
    pub(super) fn new(
        comm: &dyn Communicator, layouts: &TensorLayouts, sources: &RankShards,
        destinations: &RankShards,
    ) -> Result<Self> {
        // The pieces for this rank, and those that it has for others. Of replicas, who is read depends
        // on all that moves.
        match layouts {
            TensorLayouts::Pair { source, destination } => {
                let own = (sources.own(), destinations.own());
                if let Some(plans) = ReshardPlan::received_once_of(source, destination, own)? {
                    let [incoming, outgoing] = plans;
                    let (incoming, outgoing) =
                        (Shared::try_new(incoming)?, Some(Shared::try_new(outgoing)?));
                    return Ok(Self { incoming, outgoing, copied: None, choice: 0 });
                }
                let node_of = node_placed(comm);
                let node_of = node_of.as_ref().map(|node_of| node_of as NodeOf<'_>);
                let plans = ReshardPlan::received_once(source, destination, node_of)?;
                // Ranks that know other nodes would read other replicas.
                let choice = node_of.map_or(0, |_| plans.received.choice_hash());
                Ok(Self { choice, ..Self::once(plans)? })
            }
            TensorLayouts::Plan(plan) | TensorLayouts::Replicas { plan, .. } => {
                let mut all = 0..plan.destination().len();
                if let Some(missing) = all.find(|&shard| !plan.serves(shard)) {
                    let problem = text!(
                        "it is a plan for some destination shards, without shard {missing}; pass a \
                         plan for all of them"
                    );
                    return Err(Error::invalid("plan", problem));
                }
                let plans = match plan.again_received_once()? {
                    Some(plans) => Self::once(plans)?,
                    None => {
                        let incoming = plan.clone();
                        Self { incoming, outgoing: None, copied: None, choice: 0 }
                    }
                };
                // Ranks that made their plans for other nodes would read other replicas.
                let chooses = plan.source().has_overlap()?;
                let choice = if chooses { plans.incoming.choice_hash() } else { 0 };
                Ok(Self { choice, ..plans })
            }
        }
    }

    /// The plan with the pieces that this rank has for others.
    pub(super) fn outgoing(&self) -> &ReshardPlan {
        self.outgoing.as_ref().unwrap_or(&self.incoming)
    }

    fn once(plans: OncePlans) -> Memory<Self> {
        let (incoming, copied) = (Shared::try_new(plans.received)?, plans.copied);
        Ok(Self { incoming, outgoing: None, copied, choice: 0 })
    }
}
