//! The errors of copies.

use crate::error::status::*;
use crate::error::{Describe, Numbers};
use crate::memory::Text;
use crate::model::placement::Placement;

/// The error of a buffer of a copy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// A tensor that has elements and no memory.
    #[error("{argument}: its data is NULL, but it has elements; pass memory for them")]
    NullData {
        /// The argument's name, as in the header.
        argument: &'static str,
    },
    /// A tensor that is not in memory this process can read.
    #[error(
        "{what}: device type {device_type} is not host memory; pass DLPack device type 1 (CPU), \
         3 (CUDA host) or 11 (ROCm host)"
    )]
    UnsupportedDevice {
        /// The view that is wrong.
        what: Text,
        /// Its DLPack device type.
        device_type: i32,
    },
    /// Memory that would have to be written, and must not be.
    #[error("{what}: its memory is read-only; pass memory that may be written, or a copy")]
    ReadOnly {
        /// The owners of that memory.
        what: Text,
    },
    /// A destination that shares memory with something it must not share it with.
    #[error("{what}; pass buffers that do not overlap")]
    Aliased {
        /// Which buffers overlap.
        what: Text,
        /// The first shard index concerned, if any.
        first: Option<usize>,
        /// The second shard index concerned, if any.
        second: Option<usize>,
    },
    /// A sharded tensor of another layout than a plan was made for.
    #[error(
        "{argument}: its layout is {got:#018x}, and the plan was made for layout {expected:#018x}; make a \
         plan for this tensor"
    )]
    OtherLayout {
        /// The argument's name, as in the header.
        argument: &'static str,
        /// The fingerprint of the tensor's layout.
        got: u64,
        /// That of the plan's.
        expected: u64,
    },
    /// A shard that is needed is in another process.
    #[error("shard {shard}, at {placement}, is not local; the call needs all shards to be")]
    NotLocal {
        /// The shard's index.
        shard: usize,
        /// Where it is.
        placement: Placement,
    },
}

impl Describe for TransferError {
    fn describe(&self) -> (i32, Numbers) {
        let none = Numbers::NONE;
        match *self {
            Self::NullData { .. } => (SHARDSPEC_NULL_ARGUMENT, none),
            Self::UnsupportedDevice { device_type, .. } => {
                (SHARDSPEC_UNSUPPORTED_DEVICE, Numbers::measured(device_type.into(), 0))
            }
            Self::ReadOnly { .. } => (SHARDSPEC_READ_ONLY, none),
            Self::Aliased { first, second, .. } => {
                (SHARDSPEC_ALIASED, Numbers { first, second, ..none })
            }
            Self::OtherLayout { .. } => (SHARDSPEC_INVALID_ARGUMENT, none),
            Self::NotLocal { shard, .. } => (SHARDSPEC_NOT_LOCAL, Numbers::of_shard(shard)),
        }
    }
}
