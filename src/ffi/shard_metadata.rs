//! One shard as a struct. In the header it is part of the section on lists of shards.

use std::ffi::c_char;

/// One shard: torch's `ShardMetadata`. It owns the box of `sizes` elements at `offsets`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_shard_metadata {
    /// Number of dimensions, 0 to 32.
    pub ndim: usize,
    /// `ndim` numbers >= 0: the index of the shard's first element in each dimension.
    pub offsets: *const i64,
    /// `ndim` numbers >= 0: the length of the shard in each dimension.
    pub sizes: *const i64,
    /// The shard's placement, in the form that `shardspec_placement_parse` reads. It may be NULL in
    /// lists of shards. The shard then has no owner.
    pub placement: *const c_char,
}
