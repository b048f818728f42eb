//! One shard as a struct. In the header it is part of the section on lists of shards.

use std::ffi::c_char;

/// One shard, equivalent to torch's `ShardMetadata`. The shard owns the box of `sizes` elements
/// that starts at `offsets`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_shard_metadata {
    /// Number of dimensions, 0 to 32.
    pub ndim: usize,
    /// `ndim` numbers >= 0: the index of the shard's first element in each dimension.
    pub offsets: *const i64,
    /// `ndim` numbers >= 0: the length of the shard in each dimension.
    pub sizes: *const i64,
    /// The text of the shard's placement, in the form that `shardspec_placement_parse` reads. In
    /// lists of shards, NULL is allowed and means a shard without an owner.
    pub placement: *const c_char,
}
