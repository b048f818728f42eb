//! Transfers between shards that are here, in one call each.

#![allow(clippy::undocumented_unsafe_blocks, reason = "the caller's promises are passed on")]

use shardspec::comm::{Communicator, Root, decline, full_tensor, own_shards};
use shardspec::memory::Shared;
use shardspec::model::{Result, ShardedTensorMetadata, Shards};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::PrefetchInto::{FirstLevel, SecondLevel};
use shardspec::transfer::{
    CopyOptions, HostTransfer, HostView, LocalShards, Prefetch, ShardArguments,
};

/// Ways of prefetching. Without one, a large copy tries all ways.
pub const PREFETCHES: [Option<Prefetch>; 6] = [
    None,
    Some(Prefetch { ahead: 0, into: FirstLevel }),
    Some(Prefetch { ahead: 64, into: SecondLevel }),
    Some(Prefetch { ahead: 512, into: FirstLevel }),
    Some(Prefetch { ahead: 1 << 10, into: FirstLevel }),
    Some(Prefetch { ahead: 4 << 10, into: SecondLevel }),
];

/// All shards of a tensor, of which `view(i)` is shard `i`.
pub fn all_shards(
    metadata: &ShardedTensorMetadata, view: impl Fn(usize) -> HostView,
) -> Result<LocalShards> {
    let views: Vec<HostView> = (0..metadata.shards().len()).map(view).collect();
    LocalShards::new(metadata, views.iter().enumerate())
}

pub unsafe fn scatter(
    metadata: &ShardedTensorMetadata, full: &HostView, view: impl Fn(usize) -> HostView,
    options: &CopyOptions,
) -> Result<()> {
    let transfer = HostTransfer::scatter(metadata, full, &all_shards(metadata, view)?, options)?;
    unsafe { transfer.run() };
    Ok(())
}

pub unsafe fn gather(
    metadata: &ShardedTensorMetadata, view: impl Fn(usize) -> HostView, full: &HostView,
    options: &CopyOptions,
) -> Result<()> {
    let transfer = HostTransfer::gather(metadata, &all_shards(metadata, view)?, full, options)?;
    unsafe { transfer.run() };
    Ok(())
}

pub unsafe fn extract(
    metadata: &ShardedTensorMetadata, index: usize, full: &HostView, shard: &HostView,
    options: &CopyOptions,
) -> Result<()> {
    unsafe { HostTransfer::extract(metadata, index, full, shard, options)?.run() };
    Ok(())
}

/// Shards as `shardspec_plan_execute` reads them.
fn listed(
    layout: &Shared<Shards>, arguments: ShardArguments, plan: &ReshardPlan,
    shards: &[(usize, HostView)],
) -> Result<LocalShards> {
    let mut local = LocalShards::builder(layout, arguments, plan.dtype(), shards.len())?;
    shards.iter().try_for_each(|(index, view)| local.push(*index, view))?;
    local.finish()
}

pub unsafe fn reshard(
    plan: &ReshardPlan, sources: &[(usize, HostView)], destinations: &[(usize, HostView)],
    options: &CopyOptions,
) -> Result<()> {
    let arguments = ShardArguments { shard: "source", views: "sources", indices: "source_indices" };
    let from = listed(plan.source(), arguments, plan, sources)?;
    let arguments = ShardArguments {
        shard: "destination",
        views: "destinations",
        indices: "destination_indices",
    };
    let to = listed(plan.destination(), arguments, plan, destinations)?;
    unsafe { HostTransfer::reshard(plan, &from, &to, options)?.run() };
    Ok(())
}

/// The shards of a rank.
pub fn own(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, views: &[HostView],
) -> Result<Shared<LocalShards>> {
    let own = own_shards(comm, metadata.shared_shards(), ("shard_count", views.len()))?;
    Ok(Shared::try_new(LocalShards::new(metadata, own.into_iter().zip(views))?)?)
}

/// The shards of a rank and the tensor, where it has one; where they are not right, the others are told.
pub fn with_full(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, views: &[HostView], root: Root,
    full: Option<HostView>,
) -> Result<Shared<LocalShards>> {
    let full = full_tensor(comm, metadata, root, full);
    let own = full.and_then(|_| own(comm, metadata, views));
    own.map_err(|error| decline(comm, error))
}
