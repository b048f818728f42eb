//! What several destination shards of one owner hold, received once.
//!
//! Where destination shards of an owner overlap, only the first of them that holds an element takes it
//! from a source. The others take it from that shard, in the memory of their owner: by a second plan,
//! from destination shards to destination shards. What it reads is never what it writes.

use super::first_held::FirstHeld;
use super::owners::Owners;
use super::pieces::Pieces;
use super::space::CommonSpace;
use super::{NodeOf, PartBudget, ReshardPlan, check_same_tensor, numbers_of, product, replicas};
use crate::error::Result;
use crate::memory::Shared;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shards;

/// A plan where each owner receives an element once, and the plan of the copies within owners that follow
/// it, if there are any.
#[derive(Debug)]
pub(crate) struct OncePlans {
    pub(crate) received: ReshardPlan,
    pub(crate) copied: Option<ReshardPlan>,
}

impl ReshardPlan {
    /// The plan from one layout to another where each owner receives an element once.
    pub(crate) fn received_once(
        source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
        node_of: Option<NodeOf<'_>>,
    ) -> Result<OncePlans> {
        let all = || {
            let received = Self::new_near(source, destination, None, node_of)?;
            Ok(OncePlans { received, copied: None })
        };
        if !destination.has_replicas() {
            return all();
        }
        source.check_movable()?;
        destination.check_movable()?;
        check_same_tensor(source, destination)?;
        let effort = source.has_replicas().then_some((PartBudget::USUAL, node_of));
        let (from, to) = (source.shared_shards(), destination.shared_shards());
        match plans(from, to, effort)? {
            None => all(),
            Some(plans) => Ok(plans),
        }
    }

    /// Of the plan where each owner receives an element once, the pieces that go to some destination shards,
    /// and those that come from some source shards, in the order of that plan. `None` where these pieces
    /// depend on others: where sources are replicas, or destination shards of one owner overlap.
    pub(crate) fn received_once_of(
        source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
        (sources, destinations): (&[usize], &[usize]),
    ) -> Result<Option<[Self; 2]>> {
        if source.has_replicas() {
            return Ok(None);
        }
        source.check_movable()?;
        destination.check_movable()?;
        check_same_tensor(source, destination)?;
        let (from, to) = (source.shared_shards(), destination.shared_shards());
        let space = CommonSpace::new(from, to)?;
        if destination.has_replicas() {
            let owners = Owners::new(from, to)?.of_rows(space.rows());
            if FirstHeld::find(space.rows()[1], &owners)?.is_some() {
                return Ok(None);
            }
        }
        let wanted = numbers_of(to, destinations)?;
        let received = match product::join(from, to, Some(&wanted))? {
            Some(pieces) => pieces,
            None => {
                let mut pieces = Pieces::new(&space)?;
                pieces.join(&space, to, Some(&wanted), None)?;
                pieces
            }
        };
        let mut sent = Pieces::new(&space)?;
        sent.join_from(&space, &numbers_of(from, sources)?)?;
        let plan = |wanted, pieces| Self {
            source: from.clone(),
            destination: to.clone(),
            dtype: source.properties().dtype.or(destination.properties().dtype),
            wanted: Some(wanted),
            nodes: None,
            pieces,
            routes: Default::default(),
        };
        // No destination shard gets all of its pieces by those that are sent.
        Ok(Some([plan(wanted, received), plan(Vec::new(), sent)]))
    }

    /// [`Self::received_once`] for the lists of a plan. `None`: this plan is one.
    pub(crate) fn again_received_once(&self) -> Result<Option<OncePlans>> {
        if !self.destination.has_overlap()? {
            return Ok(None);
        }
        let node_of = self.nodes.as_ref().map(|nodes| |rank| nodes.of(rank));
        let node_of = node_of.as_ref().map(|node_of| node_of as NodeOf<'_>);
        let overlaps = self.source.has_overlap()?;
        plans(&self.source, &self.destination, overlaps.then_some((PartBudget::USUAL, node_of)))
    }
}

/// Both plans. `None` where no destinations of one owner overlap.
fn plans(
    source: &Shared<Shards>, destination: &Shared<Shards>,
    effort: Option<(PartBudget, Option<NodeOf<'_>>)>,
) -> Result<Option<OncePlans>> {
    let space = CommonSpace::new(source, destination)?;
    let owners = Owners::new(source, destination)?.of_rows(space.rows());
    let to = space.rows()[1];
    let Some(first) = FirstHeld::find(to, &owners)? else {
        return Ok(None);
    };
    let (mut received, wanted) = (Pieces::new(&space)?, first.wanted(to)?);
    match effort {
        None => received.join(&space, destination, Some(&wanted), Some(&first))?,
        Some(effort) => {
            let wanted = (Some(&wanted[..]), Some(&first));
            replicas::join(&mut received, &space, source, destination, wanted, effort)?;
        }
    }
    let mut copied = Pieces::within_destination(&space)?;
    for (numbers, part) in first.copies() {
        copied.push([to, to], numbers, &part)?;
    }
    copied.sort()?;
    let plan = |source: &Shared<Shards>, pieces| ReshardPlan {
        source: source.clone(),
        destination: destination.clone(),
        dtype: None,
        wanted: None,
        nodes: None,
        pieces,
        routes: Default::default(),
    };
    Ok(Some(OncePlans {
        received: plan(source, received),
        copied: Some(plan(destination, copied)),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::arithmetic_side_effects,
        reason = "tests fail by panicking"
    )]
    use super::*;
    use crate::common::Random;
    use crate::common::meshes::random_spec;
    use crate::model::{
        Error, Mesh, MeshLayout, MeshShardingSpec, ModelError, PartialAxis, Placement, Placements,
        Reduction, ShardingSpec, TensorProperties, TensorShape,
    };
    use crate::plan::Piece;

    const RANKS: i64 = 6;

    fn layout(random: &mut Random, sizes: &[i64]) -> ShardedTensorMetadata {
        let spec = random_spec(random, sizes, RANKS);
        spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
    }

    fn shards_on(metadata: &ShardedTensorMetadata, rank: i64) -> Vec<usize> {
        let shards = metadata.shards();
        let is_own =
            |index: &usize| shards.placement_of(*index) == Placement::on_rank(rank).unwrap();
        (0..shards.len()).filter(is_own).collect()
    }

    fn pieces(plan: &ReshardPlan, keep: impl Fn(&Piece<'_>) -> bool) -> Vec<String> {
        plan.pieces().filter(keep).map(|piece| format!("{piece:?}")).collect()
    }

    #[test]
    fn what_is_planned_for_one_owner_is_that_part_of_the_whole_plan_in_its_order() {
        let mut random = Random::new(21);
        let (mut planned, mut several) = (0, 0);
        for _ in 0..1000 {
            let sizes = [random.range(1, 13), random.range(1, 9)];
            let (source, destination) = (layout(&mut random, &sizes), layout(&mut random, &sizes));
            let whole = ReshardPlan::received_once(&source, &destination, None).unwrap().received;
            for rank in 0..RANKS {
                let own = (shards_on(&source, rank), shards_on(&destination, rank));
                let part =
                    ReshardPlan::received_once_of(&source, &destination, (&own.0, &own.1)).unwrap();
                let Some([received, sent]) = part else { continue };
                let all = pieces(&whole, |piece| own.1.contains(&piece.destination));
                assert_eq!(pieces(&received, |_| true), all);
                let all = pieces(&whole, |piece| own.0.contains(&piece.source));
                assert_eq!(pieces(&sent, |_| true), all);
                planned += 1;
                several += usize::from(all.len() > 2);
            }
        }
        assert!(planned > 1000 && several > 200, "{planned} {several}");
    }

    /// Replicas of one rank on both axes of a mesh, of which one may be partial.
    fn replicas(sizes: &[i64], partial: bool) -> ShardedTensorMetadata {
        let axis = PartialAxis { axis: "y".into(), reduction: Reduction::Sum };
        let partial = if partial { vec![axis] } else { Vec::new() };
        let layout = MeshLayout { partial, ..MeshLayout::default() };
        let on_rank_0 = [0; 4].map(|rank| Placement::on_rank(rank).unwrap());
        let placements = Placements::new(on_rank_0.into_iter()).unwrap();
        let mesh = Mesh::with_placements(&[("x", 2), ("y", 2)], placements).unwrap();
        let spec = MeshShardingSpec::new(mesh, layout).unwrap();
        spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
    }

    #[test]
    fn replicas_of_another_tensor_and_partial_ones_are_refused() {
        let whole = replicas(&[4, 3], false);
        assert!(ReshardPlan::received_once(&whole, &whole, None).is_ok());
        for sizes in [&[4, 2][..], &[4, 3, 1]] {
            let other = replicas(sizes, false);
            assert!(ReshardPlan::received_once(&whole, &other, None).is_err());
            assert!(ReshardPlan::received_once(&other, &whole, None).is_err());
        }
        let partial = replicas(&[4, 3], true);
        for [source, destination] in [[&whole, &partial], [&partial, &whole]] {
            let refused = ReshardPlan::received_once(source, destination, None).unwrap_err();
            assert!(matches!(refused, Error::Model(ModelError::Partial { .. })), "{refused}");
        }
    }
}
