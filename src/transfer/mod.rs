//! Moving host memory between a tensor and its shards.
//!
//! First everything is checked and laid out as a plan of strided copies, then it is carried out:
//! a refusal leaves every destination as it was.

mod alias;
mod array;
mod backend;
mod bands;
mod blocks;
mod digest;
pub mod error;
mod host_memory;
mod keeper;
mod lay_out;
mod local_shards;
mod sharder;
mod tensor;
#[cfg(test)]
mod tests;
#[allow(clippy::module_inception, reason = "the type that the folder is about")]
mod transfer;
mod view;
mod view_ref;

pub use crate::host::options::{CopyOptions, Instructions, Prefetch, PrefetchInto, Stores};
pub use crate::memory::Buffer;
pub use array::Element;
pub use backend::Backend;
pub use blocks::Blocks;
pub use digest::{digest, shard_digests};
pub use error::TransferError;
pub use host_memory::{HostCopies, HostMemory, HostTransfer};
pub use keeper::Keeper;
pub use lay_out::Parts;
pub use local_shards::{LocalShards, LocalShardsBuilder, ShardArguments, TensorShards};
pub use sharder::{Extraction, Sharder};
pub use tensor::{Fill, Keepers, ShardedTensor, check_indices, check_owner, indices_of};
pub use transfer::{Transfer, check_full};
pub use view::HostView;

pub(crate) use crate::host::copy_list::{CopyList, FullSide};
pub(crate) use alias::{Side, check_aliases, check_tensor_aliases};
pub(crate) use view_ref::{STRIDE_ROOM, StrideRoom, ViewRef};

use crate::memory::text;
use crate::model::metadata::ShardedTensorMetadata;
use crate::model::{Error, Result};

/// The part of `full` that shard `index` owns, without copying. Refused where that starts inside of a
/// byte.
pub fn view_shard(
    metadata: &ShardedTensorMetadata, index: usize, full: &HostView,
) -> Result<HostView> {
    check_full(metadata, full)?;
    let shard = metadata.shards().at("index", index)?;
    if !shard.is_box() || metadata.shards().extents().flattening().is_some() {
        let what = text!(
            "shard {index}: it is not a box of the tensor, so no view can describe it; extract it \
             instead"
        );
        return Err(Error::Unsupported { what });
    }
    let part = full.part(shard);
    if part.bit() != 0 {
        let what = text!(
            "shard {index}: its elements are packed, and it starts with bit {} of a byte, which a \
             view can't describe; extract it, or cut at a multiple of 8 bits",
            part.bit()
        );
        return Err(Error::Unsupported { what });
    }
    Ok(part)
}
