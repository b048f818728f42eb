//! Digests of stored tensors, in bounded memory.

use super::read::Progress;
use super::reads::ReadOptions;
use super::stored::{FileSet, StoredTensor};
use super::tensor_blocks::TensorBlocks;
use crate::memory::try_filled;
use crate::model::Result;
use crate::transfer::{self, CopyOptions};

/// The digest of a stored tensor: the CRC-64/NVME of its bytes in row-major order, whichever way it is
/// stored. `memory` is how many bytes of elements are in memory at a time; 0: 64 MiB. `progress` receives
/// how many of the tensor's bytes are counted.
///
/// Refused is a tensor of which elements are missing.
pub fn digest(
    set: &FileSet, tensor: &StoredTensor, memory: usize, options: &ReadOptions,
    progress: &mut Progress<'_>,
) -> Result<u64> {
    let offsets = try_filled(0i64, tensor.sizes().len())?;
    let mut blocks = TensorBlocks::new((set, tensor), (&offsets, tensor.sizes()), memory, options)?;
    let all = (0..blocks.len()).try_fold(0u64, |all, number| {
        Ok::<_, crate::model::Error>(all.saturating_add(blocks.bytes_of(number)? as u64))
    })?;
    let (mut sum, mut done) = (0u64, 0u64);
    for number in 0..blocks.len() {
        let block = blocks.read(number)?;
        // SAFETY: the `block` was just read, and `blocks` keeps its memory until it reads the next
        // one. Nothing else uses it.
        sum ^=
            unsafe { transfer::digest(blocks.layout(), &block.shards, &CopyOptions::default()) }?;
        done = done.saturating_add(block.bytes as u64);
        progress(done, all)?;
    }
    Ok(sum)
}
