//! Cutting one shard out of a tensor: what any metadata does, and what a spec may do in its place.

use super::host_memory::HostTransfer;
use super::view::HostView;
use crate::host::options::CopyOptions;
use crate::model::Result;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::spec::{BuiltIn, ShardingSpec};

/// One shard to be copied out of the full tensor: all is checked, and nothing moved yet.
pub struct Extraction<'a> {
    metadata: &'a ShardedTensorMetadata,
    index: usize,
    full: &'a HostView,
    shard: &'a HostView,
    transfer: HostTransfer,
}

impl<'a> Extraction<'a> {
    /// Shard `index` of `full` is to be written to `shard`.
    pub fn new(
        metadata: &'a ShardedTensorMetadata, index: usize, full: &'a HostView, shard: &'a HostView,
        options: &CopyOptions,
    ) -> Result<Self> {
        let transfer = HostTransfer::extract(metadata, index, full, shard, options)?;
        Ok(Self { metadata, index, full, shard, transfer })
    }

    /// Who owns what.
    pub fn metadata(&self) -> &ShardedTensorMetadata {
        self.metadata
    }

    /// Which shard.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The whole tensor.
    pub fn full(&self) -> &HostView {
        self.full
    }

    /// Where the shard goes.
    pub fn shard(&self) -> &HostView {
        self.shard
    }

    /// How to copy.
    pub fn options(&self) -> &CopyOptions {
        self.transfer.options()
    }

    /// Copies the elements of the shard's box.
    ///
    /// # Safety
    ///
    /// Every element of the full tensor may be read and every element of the shard written, and
    /// nothing else uses either meanwhile.
    pub unsafe fn run(&self) {
        // SAFETY: the contract of `Extraction::run` is that of `Transfer::run`, where the full
        // tensor is the only source and the shard the only destination.
        unsafe { self.transfer.run() }
    }
}

/// A spec that fills its shards itself: torch's `ShardingSpec.shard`, for one of the shards.
///
/// Most specs only say who owns what, and the shards are copies of their boxes: so it is when the
/// one method is left as it is. Whatever cuts a tensor *by a spec* asks here; what cuts it by
/// metadata does not know of specs.
pub trait Sharder: ShardingSpec {
    /// Fills the shard.
    ///
    /// # Safety
    ///
    /// As [`Extraction::run`].
    unsafe fn shard(&self, extraction: &Extraction<'_>) -> Result<()> {
        // SAFETY: the contract of `Sharder::shard` is that of `Extraction::run`, for this
        // `extraction`.
        unsafe { extraction.run() };
        Ok(())
    }
}

impl<T: BuiltIn> Sharder for T {}
