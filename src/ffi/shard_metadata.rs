//! One shard as a struct. In the header it is part of the section on lists of shards.

use std::ffi::c_char;

/// One shard: torch's `ShardMetadata`. It owns the box of `sizes` elements at `offsets`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_shard_metadata {
    /// Number of dimensions, 0 to 32.
    pub ndim: usize,
    /// `ndim` numbers >= 0: where the shard starts.
    pub offsets: *const i64,
    /// `ndim` numbers >= 0: how long it is.
    pub sizes: *const i64,
    /// Where it lives, as `shardspec_placement_parse` reads it. In lists of shards it may be NULL:
    /// then the shard belongs to nobody in particular.
    pub placement: *const c_char,
}
