//! Options of collectives, as C passes them.

use crate::comm::Options;
use crate::ffi::border::sized::Grows;
use crate::ffi::tensor::shardspec_copy_options;

/// A value of `destination_rank`: all ranks receive the tensor.
pub const SHARDSPEC_ALL_RANKS: i64 = -1;

/// The default limit of the memory for packing and unpacking on one rank: 64 MiB.
pub const SHARDSPEC_DEFAULT_MEMORY_LIMIT: u64 = 67108864;
const _: () = assert!(SHARDSPEC_DEFAULT_MEMORY_LIMIT == Options::DEFAULT_MEMORY_LIMIT);

/// Options of a collective. If a function gets NULL instead of options, the library chooses all
/// options. The library also chooses each option that is 0. No option changes the result. Ranks may
/// pass different options.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_comm_options {
    /// `sizeof(shardspec_comm_options)`.
    pub struct_size: u64,
    /// Maximum number of bytes that this rank uses for packing and unpacking. 0 means
    /// `SHARDSPEC_DEFAULT_MEMORY_LIMIT`. The lowest limit of all ranks applies to every rank. If
    /// this limit is below the size of four elements, the size of four elements applies.
    pub memory_limit: u64,
    /// Options of the copies on this rank, or NULL. `max_threads` includes the calling thread. The
    /// default of `max_threads` is 2 here, because ranks share processors. With 1, there is no
    /// second thread.
    pub copy: *const shardspec_copy_options,
}

// SAFETY: `shardspec_comm_options` is `repr(C)` and begins with its `struct_size`. All other fields
// are a number, and a pointer that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_comm_options {
    const NAME: &'static str = "shardspec_comm_options";
    const FIRST_SIZE: usize = 24;
}
