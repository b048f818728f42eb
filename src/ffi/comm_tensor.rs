//! One tensor of a batch, as C passes it.

use std::ffi::c_char;

use crate::ffi::border::sized::Grows;
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::plan::shardspec_plan;
use crate::ffi::view::shardspec_tensor_view;

/// One tensor of a batch, as an argument of one rank. All ranks pass equal fields, except the
/// shards.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_tensor {
    /// `sizeof(shardspec_comm_tensor)`.
    pub struct_size: u64,
    /// A name for the tensor, such as the name of a parameter, in UTF-8. NULL means no name.
    pub tag: *const c_char,
    /// The layout of the source shards, or NULL if `plan` is set.
    pub source: *const shardspec_metadata,
    /// The layout of the destination shards, or NULL if `plan` is set.
    pub destination: *const shardspec_metadata,
    /// A plan that replaces `source` and `destination`. The plan must cover all destination shards,
    /// and all of its shards must have placements.
    pub plan: *const shardspec_plan,
    /// All of this rank's shards of the source layout, in the order of their indices.
    pub source_shards: *const shardspec_tensor_view,
    /// Number of elements of `source_shards`.
    pub source_shard_count: usize,
    /// All of this rank's shards of the destination layout, in the order of their indices.
    pub destination_shards: *const shardspec_tensor_view,
    /// Number of elements of `destination_shards`.
    pub destination_shard_count: usize,
    /// The element type. If all its fields are 0, the element type comes from the layouts or from
    /// the shards. In a batch of several tensors, a rank without a shard of this tensor must set
    /// `dtype`, except if the layouts state the element type.
    pub dtype: shardspec_dtype,
    /// This field must be 0.
    pub reserved: u32,
}

// SAFETY: `shardspec_comm_tensor` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_comm_tensor {
    const NAME: &'static str = "shardspec_comm_tensor";
    const FIRST_SIZE: usize = 80;
}
