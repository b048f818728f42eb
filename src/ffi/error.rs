//! Status and errors.
//!
//! Every function that can fail returns a `shardspec_status` and takes a `shardspec_error *` as its
//! last argument. The error is the caller's own, mostly on its stack, and may be NULL. There is no
//! hidden "last error", so calls may move between threads.

use std::ffi::c_char;

pub use crate::error::status::*;

/// 0 (`SHARDSPEC_OK`) or the reason why a call was refused: one of the constants in the section
/// "Status and errors". Never negative. A number keeps its meaning for ever; later versions may add
/// numbers.
pub type shardspec_status = i32;

/// Bytes of `shardspec_error.message` in a whole error, the NUL included.
pub const SHARDSPEC_MESSAGE_CAPACITY: usize = 968;

/// Bytes of a short error: all numbers and no message. No error is smaller.
pub const SHARDSPEC_ERROR_SHORT_SIZE: usize = 56;

/// Details of a call's result, in the caller's memory. Initialise it with `SHARDSPEC_ERROR_INIT` or
/// `shardspec_error_init`. Every call with a non-NULL `err` writes it. On success, the status is
/// `SHARDSPEC_OK` and the message is empty. The layout of its fields never changes.
///
/// A whole error has 1024 bytes. A caller may pass a shorter one, of any size from
/// `SHARDSPEC_ERROR_SHORT_SIZE` (56) on: the message then has the bytes from offset 56 up to
/// `struct_size`, and with 56 there is no message. Short errors are for bindings that convert each
/// struct that they pass. A message that does not fit ends in "...".
#[repr(C)]
pub struct shardspec_error {
    /// Set by the caller to the bytes of its error: `sizeof(shardspec_error)` for a whole one. The
    /// library never writes beyond. With a value below 56, 0 included, the call does nothing and
    /// returns `SHARDSPEC_INVALID_ARGUMENT`.
    pub struct_size: u64,
    /// The status that the call returned.
    pub status: shardspec_status,
    /// The dimension that the error is about, or -1. With `SHARDSPEC_INVALID_DIM`, the one that was
    /// refused.
    pub dim: i32,
    /// Index of the shard that the error is about, or -1. Of two shards, the lower index.
    pub first_shard: i64,
    /// Index of the second shard that the error is about, or -1.
    pub second_shard: i64,
    /// The value that was refused, or 0 where no single number was.
    pub got: i64,
    /// The bound that the value was compared with, or 0.
    pub limit: i64,
    /// Position in the array argument that the message names: 3 for `placements[3]`. -1 where the
    /// error is not about an element of an array.
    pub index: i64,
    /// Argument, value and remedy. UTF-8, NUL-terminated.
    pub message: [c_char; SHARDSPEC_MESSAGE_CAPACITY],
}

const _: () = assert!(size_of::<shardspec_error>() == 1024);
const _: () = assert!(SHARDSPEC_ERROR_SHORT_SIZE == std::mem::offset_of!(shardspec_error, message));
