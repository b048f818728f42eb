//! Transfers: what is to be moved between buffers, checked and laid out, and not moved yet.

use super::alias::{Side, check_aliases};
use super::backend::Backend;
use super::error::TransferError;

use super::lay_out::Parts;
use super::local_shards::{LocalShards, ShardArguments};
use super::view::HostView;
use crate::host::options::CopyOptions;
use crate::memory::{Shared, try_collect};
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::shards::Shards;
use crate::model::{Error, Result};
use crate::plan::ReshardPlan;

/// Copies between buffers: shapes and element types are equal on both sides, no destination shares
/// memory with another or with a source, and everything is laid out.
///
/// It owns what it needs; the buffers must be there when it runs. It may run several times, and on
/// any thread.
///
/// ```
/// use shardspec::transfer::{CopyOptions, HostTransfer, HostView};
///
/// let source = ndarray::arr2(&[[1_i32, 2], [3, 4]]);
/// let mut destination = ndarray::Array2::<i32>::zeros((2, 2));
/// let copy = HostTransfer::copy(
///     &HostView::try_from(source.t().raw_view())?,
///     &HostView::try_from(destination.raw_view_mut().raw_view())?,
///     &CopyOptions::default(),
/// )?;
/// // SAFETY: both arrays are alive, and nothing else uses them.
/// unsafe { copy.run() };
/// assert_eq!(destination, source.t());
/// # Ok::<(), shardspec::model::Error>(())
/// ```
pub struct Transfer<B: Backend> {
    laid_out: B::LaidOut,
    options: CopyOptions,
}

impl<B: Backend> Transfer<B> {
    /// All elements of a view, to another of the same shape and element type.
    pub fn copy(source: &HostView, destination: &HostView, options: &CopyOptions) -> Result<Self> {
        destination.check_shape("destination", None, source.shape())?;
        destination.check_dtype("destination", None, source.dtype())?;
        let one = std::slice::from_ref;
        check_aliases(
            Side::Tensor("destination", one(destination)),
            Side::Tensor("source", one(source)),
        )?;
        Self::lay_out(Parts::Whole { source, destination }, options)
    }

    /// Shard `index` of the full tensor, to `shard`.
    pub fn extract(
        metadata: &ShardedTensorMetadata, index: usize, full: &HostView, shard: &HostView,
        options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        let owned = metadata.shards().at("index", index)?;
        shard.check_shape("shard", Some(index), owned.sizes)?;
        shard.check_dtype("shard", Some(index), full.dtype())?;
        check_aliases(Side::Row(index, std::slice::from_ref(shard)), Side::full(full))?;
        if !metadata.is_plain() {
            let shards = LocalShards::new(metadata, [(index, shard)])?;
            return Self::from_whole(metadata, full, &shards, options);
        }
        let part = full.part(owned);
        Self::lay_out(Parts::Whole { source: &part, destination: shard }, options)
    }

    /// Shards out of the full tensor.
    pub fn scatter(
        metadata: &ShardedTensorMetadata, full: &HostView, shards: &LocalShards,
        options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        shards.check_layout(metadata.shared_shards())?;
        shards.check_dtype(full.dtype())?;
        check_aliases(Side::Shards(shards), Side::full(full))?;
        if !metadata.is_plain() {
            return Self::from_whole(metadata, full, shards, options);
        }
        Self::lay_out(Parts::Scatter(full, shards), options)
    }

    /// All shards into the full tensor. Each that owns something must be here.
    pub fn gather(
        metadata: &ShardedTensorMetadata, shards: &LocalShards, full: &HostView,
        options: &CopyOptions,
    ) -> Result<Self> {
        check_full(metadata, full)?;
        shards.check_layout(metadata.shared_shards())?;
        shards.check_dtype(full.dtype())?;
        check_all_here(metadata, shards)?;
        check_aliases(Side::full(full), Side::Shards(shards))?;
        if !metadata.is_plain() {
            let plan = ReshardPlan::to_whole(metadata)?;
            let destinations = &whole_tensor(plan.destination(), full)?;
            let parts = Parts::Pieces { plan: &plan, sources: shards, destinations };
            return Self::lay_out(parts, options);
        }
        Self::lay_out(Parts::Gather(shards, full), options)
    }

    /// Shards that are no boxes, or replicas, out of the full tensor.
    fn from_whole(
        metadata: &ShardedTensorMetadata, full: &HostView, destinations: &LocalShards,
        options: &CopyOptions,
    ) -> Result<Self> {
        let plan = ReshardPlan::from_whole(metadata, Some(&try_collect(destinations.indices())?))?;
        let sources = &whole_tensor(plan.source(), full)?;
        Self::lay_out(Parts::Pieces { plan: &plan, sources, destinations }, options)
    }

    /// Source shards into destination shards. All sources that the destinations need must be
    /// passed.
    pub fn reshard(
        plan: &ReshardPlan, sources: &LocalShards, destinations: &LocalShards,
        options: &CopyOptions,
    ) -> Result<Self> {
        sources.check_layout(plan.source())?;
        destinations.check_layout(plan.destination())?;
        if let Some(dtype) = plan.dtype().or(sources.dtype()) {
            sources.check_dtype(dtype)?;
            destinations.check_dtype(dtype)?;
        }
        check_aliases(Side::Shards(destinations), Side::Shards(sources))?;
        Self::lay_out(Parts::Pieces { plan, sources, destinations }, options)
    }

    fn lay_out(parts: Parts<'_>, options: &CopyOptions) -> Result<Self> {
        Ok(Self { laid_out: B::lay_out(parts, options)?, options: *options })
    }

    /// How to copy.
    pub fn options(&self) -> &CopyOptions {
        &self.options
    }

    /// Moves everything.
    ///
    /// # Safety
    ///
    /// Every element of the sources may be read and every element of the destinations written, and
    /// nothing else uses any of them meanwhile.
    pub unsafe fn run(&self) {
        // SAFETY: the contract of `Transfer::run` covers all reads and writes of `laid_out`. No
        // destination overlaps another or a source, which `Backend::run` requires too:
        // `check_aliases` refused those before `laid_out` was made.
        unsafe { B::run(&self.laid_out, &self.options) }
    }
}

/// A full tensor as the one shard of a layout.
fn whole_tensor(layout: &Shared<Shards>, full: &HostView) -> Result<LocalShards> {
    let mut one = LocalShards::builder(layout, ShardArguments::SHARDS, Some(full.dtype()), 1)?;
    one.push(0, full)?;
    one.finish()
}

/// Refuses a full tensor that is not the one the metadata is about, and elements that are partial.
pub fn check_full(metadata: &ShardedTensorMetadata, full: &HostView) -> Result<()> {
    metadata.check_movable()?;
    full.check_shape("full", None, metadata.sizes())?;
    match metadata.properties().dtype {
        Some(expected) => full.check_dtype("full", None, expected),
        None => Ok(()),
    }
}

/// Refuses shards among which one is missing that owns something.
fn check_all_here(metadata: &ShardedTensorMetadata, shards: &LocalShards) -> Result<()> {
    if shards.len() == metadata.shards().len() {
        return Ok(());
    }
    let mut all = metadata.shards().iter().enumerate();
    match all.find(|(index, shard)| !shard.is_empty() && shards.number_of(*index).is_none()) {
        None => Ok(()),
        Some((shard, missing)) => {
            let placement = missing.placement.clone();
            Err(Error::Transfer(TransferError::NotLocal { shard, placement }))
        }
    }
}
