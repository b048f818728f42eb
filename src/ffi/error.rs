//! Status and errors.
//!
//! Every function that can fail returns a `shardspec_status` and takes a `shardspec_error *` as its
//! last argument. The memory of the error belongs to the caller and is usually on the caller's
//! stack. The argument may be NULL. There is no hidden "last error" of a thread.

use std::ffi::c_char;

pub use crate::error::status::*;

/// The result of a call: 0 (`SHARDSPEC_OK`) or the reason of a failure. The constants are in the
/// section "Status and errors". A status is never negative. The meaning of a number never changes.
/// Later versions may add numbers.
pub type shardspec_status = i32;

/// Number of bytes of `shardspec_error.message` in a whole error, with the NUL.
pub const SHARDSPEC_MESSAGE_CAPACITY: usize = 968;

/// Number of bytes of a short error, which has all numbers and no message. The library refuses
/// smaller errors.
pub const SHARDSPEC_ERROR_SHORT_SIZE: usize = 56;

/// A struct in the caller's memory that receives details of a call's result. Initialise the error
/// with `SHARDSPEC_ERROR_INIT` or `shardspec_error_init`. Every call writes the error if `err` is
/// not NULL. On success, the error has the status `SHARDSPEC_OK` and an empty message. The layout
/// of the fields never changes.
///
/// A whole error has 1024 bytes. A caller may pass a shorter error of at least
/// `SHARDSPEC_ERROR_SHORT_SIZE` (56) bytes. In a shorter error, the message occupies the bytes from
/// offset 56 up to `struct_size`. An error of 56 bytes has no message. Some bindings convert every
/// struct in each call. For these bindings, the conversion of a short error takes less time than
/// the conversion of a whole error. A message that does not fit is cut and ends in "...".
#[repr(C)]
pub struct shardspec_error {
    /// The caller sets this field to the number of bytes of its error: `sizeof(shardspec_error)`
    /// for a whole error. The library never writes beyond this number of bytes. With a value below
    /// 56, the call does nothing and returns `SHARDSPEC_INVALID_ARGUMENT`.
    pub struct_size: u64,
    /// The status that the call returned.
    pub status: shardspec_status,
    /// The dimension that the error is about, or -1. With `SHARDSPEC_INVALID_DIM`, the number is
    /// the refused dimension.
    pub dim: i32,
    /// Index of the shard that the error is about, or -1. If the error is about two shards, the
    /// number is the lower index.
    pub first_shard: i64,
    /// Index of the second shard that the error is about, or -1.
    pub second_shard: i64,
    /// The refused value, or 0 if the refused value is not a single number.
    pub got: i64,
    /// The bound for the refused value, or 0.
    pub limit: i64,
    /// For an error in an array argument, the number is the position in the array, such as 3 for
    /// `placements[3]`. For an error in a layout as text or as bytes, the number is the position of
    /// the wrong byte, counted from 0. For all other errors, the number is -1.
    pub index: i64,
    /// A text that names the argument, the value and the remedy. The text is UTF-8 and ends in NUL.
    pub message: [c_char; SHARDSPEC_MESSAGE_CAPACITY],
}

const _: () = assert!(size_of::<shardspec_error>() == 1024);
const _: () = assert!(SHARDSPEC_ERROR_SHORT_SIZE == std::mem::offset_of!(shardspec_error, message));
