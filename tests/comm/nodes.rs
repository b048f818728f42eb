//! Ranks that are told of different nodes would read different copies: they are refused, all of them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use shardspec::comm::{BatchTensor, TensorShards, transfer};
use shardspec::comm::{
    Communicator, Gather, Incoming, LocalCommunicator, Options, Outgoing, Reshard, Root,
    TensorLayouts, TensorMoves, gather, local, reshard,
};
use shardspec::memory::{Shared, Text};
use shardspec::model::{
    DataType, Error, Mesh, MeshLayout, MeshShardingSpec, Result, ShardedTensorMetadata,
    ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::HostView;

use crate::common::Boxes;
use crate::common::copies;
use crate::common::plans::{metadata, on_ranks};
use crate::common::ranks::on_each;

const U8: DataType = DataType { code: 1, bits: 8, lanes: 1 };
const SIZE: usize = 6;

/// Says where ranks are.
struct Told {
    comm: LocalCommunicator,
    nodes: Vec<i64>,
}

impl Communicator for Told {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.size()
    }

    fn node(&self, rank: usize) -> Option<i64> {
        self.nodes.get(rank).copied()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        // SAFETY: the caller's promise is passed on.
        unsafe { self.comm.exchange(sends, receives) }
    }
}

/// Ranks 0 and 1 have all of a tensor each.
fn copies_of_it() -> ShardedTensorMetadata {
    let mesh = Mesh::new(&[("dp", 2)]).unwrap();
    let spec = MeshShardingSpec::new(mesh, MeshLayout::default()).unwrap();
    spec.build_metadata(TensorShape::new(&[SIZE as i64]), TensorProperties::default()).unwrap()
}

/// Rank 2 has all of it.
fn elsewhere() -> ShardedTensorMetadata {
    metadata(on_ranks(&Boxes::of(1, &[(&[0], &[SIZE as i64])]), &[2]), &[SIZE as i64])
}

fn resharded(comm: &Told, shard: HostView) -> Result<()> {
    let (source, destination) = (copies_of_it(), elsewhere());
    let own = |metadata, is_mine: bool| {
        copies::own(comm, metadata, if is_mine { std::slice::from_ref(&shard) } else { &[] })
            .unwrap()
    };
    let source_shards = own(&source, comm.rank() < 2);
    let destination_shards = own(&destination, comm.rank() == 2);
    let arguments = Reshard {
        source: &source,
        source_shards,
        destination: &destination,
        destination_shards,
        options: Options::default(),
    };
    unsafe { reshard(comm, arguments) }
}

fn gathered(comm: &Told, view: HostView) -> Result<()> {
    let source = copies_of_it();
    let (own, full) = if comm.rank() < 2 { (vec![view], None) } else { (Vec::new(), Some(view)) };
    let shards = copies::with_full(comm, &source, &own, Root::One("destination_rank", 2), full)?;
    let options = Options::default();
    let arguments = Gather { metadata: &source, destination: Some(2), shards, full, options };
    unsafe { gather(comm, arguments) }
}

/// By a plan that each rank made for the nodes that it was told.
fn moved_by_plan(comm: &Told, shard: HostView) -> Result<()> {
    let plan = ReshardPlan::new(&copies_of_it(), &elsewhere())?.on_nodes(&comm.nodes)?;
    moved_by(comm, shard, plan)
}

/// The same where a function told it.
fn moved_by_plan_near(comm: &Told, shard: HostView) -> Result<()> {
    let node_of = |rank| comm.nodes.get(rank as usize).copied();
    let plan = ReshardPlan::new_near(&copies_of_it(), &elsewhere(), None, Some(&node_of))?;
    moved_by(comm, shard, plan)
}

fn moved_by(comm: &Told, shard: HostView, plan: ReshardPlan) -> Result<()> {
    let (source, destination) = (copies_of_it(), elsewhere());
    let own = |metadata, is_mine: bool| {
        copies::own(comm, metadata, if is_mine { std::slice::from_ref(&shard) } else { &[] })
            .unwrap()
    };
    let moves = TensorMoves::new(comm, TensorLayouts::Plan(Shared::try_new(plan)?))?;
    let tensor = BatchTensor {
        tag: Shared::try_new(Text::from("weight"))?,
        moves: Shared::try_new(moves)?,
        dtype: Some(U8),
        shards: TensorShards {
            source: own(&source, comm.rank() < 2),
            destination: own(&destination, comm.rank() == 2),
        },
    };
    unsafe { transfer::<Error>(comm, &[tensor], Options::default()) }
}

/// What each rank gets where rank 0 is told the first nodes and all others are told the second.
fn results(
    told: [[i64; 3]; 2], call: impl Fn(&Told, HostView) -> Result<()> + Sync,
) -> Vec<(Result<()>, Vec<u8>)> {
    let comms = local(3).unwrap().into_iter();
    let told = |comm: LocalCommunicator| {
        let nodes = told[usize::from(comm.rank() > 0)].to_vec();
        Told { comm, nodes }
    };
    on_each(comms.map(told).collect(), |comm| {
        let mut bytes = vec![comm.rank() as u8 + 10; SIZE];
        let view = HostView::new("view", bytes.as_mut_ptr(), U8, &[SIZE as i64], None).unwrap();
        (call(&comm, view), bytes)
    })
}

fn check(call: impl Fn(&Told, HostView) -> Result<()> + Sync) {
    for (nodes, read) in [([4, 5, 4], 10), ([5, 4, 4], 11)] {
        let all = results([nodes; 2], &call);
        assert!(all.iter().all(|(result, _)| *result == Ok(())), "{all:?}");
        assert_eq!(all[2].1, [read; SIZE]);
    }
    // Numbers of nodes are names.
    let renamed = results([[4, 5, 4], [7, 3, 7]], &call);
    assert!(renamed.iter().all(|(result, _)| *result == Ok(())), "{renamed:?}");
    let different = results([[4, 5, 4], [5, 4, 4]], &call);
    for (rank, (result, bytes)) in different.iter().enumerate() {
        let said = result.as_ref().unwrap_err().to_string();
        assert!(said.contains("with other shards or properties"), "{said}");
        assert_eq!(*bytes, [rank as u8 + 10; SIZE]);
    }
}

#[test]
fn ranks_that_reshard_copies_agree_about_nodes() {
    check(resharded);
}

#[test]
fn ranks_that_gather_copies_agree_about_nodes() {
    check(gathered);
}

#[test]
fn ranks_that_move_copies_by_plans_agree_about_nodes() {
    check(moved_by_plan);
    check(moved_by_plan_near);
}
