//! Checkpoints: tensors in files.
//!
//! A checkpoint is a file or a directory. The library reads `.npy` files and safetensors files. The
//! library also reads torch's distributed checkpoints, which consist of safetensors files or of
//! `.metadata` and `.distcp` files. A directory of safetensors files may have a
//! `model.safetensors.index.json`. The library recognises the format by the names and the first
//! bytes of files.
//!
//! A tensor is stored in chunks. A chunk is a shard with a file as its placement. The placement of
//! a chunk is a custom placement of the type "file". The text of the placement is the name of the
//! file in the checkpoint. The library can read a tensor into any layout. The caller passes
//! metadata, the indices of some shards of the metadata, and memory for these shards.
//! `shardspec_checkpoint_check` lists all reasons why tensors can't be read.
//! `shardspec_checkpoint_check` itself reads no element.
//!
//! When the library opens a checkpoint, it reads only headers of files, an index file or
//! `.metadata`. The library refuses a file that is shorter than its header states. The library
//! reads files by `pread` and never maps files into memory. All files that an index file names must
//! be in or below the directory of the index file. The library follows symbolic links, but reads
//! only regular files.
//!
//! The library moves elements unchanged, and does not convert element types.

use std::ffi::c_char;

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{
    answer_text, check_room, fill, optional_out, optional_out_slice, out, text,
};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::shards::shardspec_shards;
use crate::files::{self, FileSet, StoredTensor};
use crate::model::{Error, Result};

/// An open checkpoint, behind a handle. The object keeps no file open. The object is immutable.
/// Free the handle with `shardspec_checkpoint_free`.
pub struct shardspec_checkpoint {
    _opaque: [u8; 0],
}

impl Handle for shardspec_checkpoint {
    type Object = FileSet;
    const NAME: &'static str = "shardspec_checkpoint";
    const KIND: u64 = 11;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<FileSet> = SlotMap::new();
        &TABLE
    }
}

/// Tensor `index` of a checkpoint.
fn tensor_at(checkpoint: &FileSet, index: usize) -> Result<&StoredTensor> {
    checkpoint.tensors().get(index).ok_or(Error::IndexOutOfRange {
        argument: "tensor",
        index: index as u64,
        count: checkpoint.tensors().len() as u64,
    })
}

/// Opens the checkpoint at `path`: a file or a directory. The function reads the names, types,
/// sizes and places of all tensors. The function reads no elements.
///
/// A checkpoint with missing files can be opened. `shardspec_checkpoint_check` reports the tensors
/// of missing files, and a read of these tensors fails.
///
/// Ownership: the caller frees `*out`. After the call, no file stays open.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: on the disk.
/// Errors: FILE_FAILED if the system refuses to open, list or read a file; INVALID_FILE if a file
/// does not follow its format, is shorter than its header states, or has a header above the limit
/// of its format (100,000,000 bytes for safetensors and for an index, 65,536 for `.npy`, 2^30 for
/// `.metadata`); UNSUPPORTED if an element type has no equivalent in this library; INVALID_ARGUMENT
/// if the file or the directory has no known format; OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_open(
    path: *const c_char, out: *mut *mut shardspec_checkpoint, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::insert(files::open(text("path", path)?)?)?);
        Ok(())
    })
}

/// Frees a checkpoint. NULL is allowed. Objects made from the checkpoint stay valid.
///
/// Ownership: the caller gives up `checkpoint`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_free(
    checkpoint: *mut shardspec_checkpoint, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("checkpoint", checkpoint))
}

/// Writes to `*out` the number of tensors. Tensors are numbered from 0, in the order of their
/// names. `*out` counts only tensors with at least one existing file.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_tensor_count(
    checkpoint: *const shardspec_checkpoint, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("checkpoint", checkpoint)?.tensors().len());
        Ok(())
    })
}

/// Writes the name of tensor `tensor` into `buffer`.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the name, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_tensor_name(
    checkpoint: *const shardspec_checkpoint, tensor: usize, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let checkpoint = handle::get("checkpoint", checkpoint)?;
        answer_text(buffer, capacity, needed, tensor_at(&checkpoint, tensor)?.name())
    })
}

/// Writes to `*out` the index of the tensor with the name `name`, counted from 0.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if no file has the tensor (if an index file lists the tensor, the message
/// names the file that should have the tensor); INVALID_ARGUMENT if the name is not UTF-8;
/// INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_find_tensor(
    checkpoint: *const shardspec_checkpoint, name: *const c_char, out: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let (checkpoint, name) = (handle::get("checkpoint", checkpoint)?, text("name", name)?);
        checkpoint.tensor(name)?;
        place.set(checkpoint.find(name).unwrap_or(0));
        Ok(())
    })
}

/// Writes the element type and the sizes of tensor `tensor`. `sizes` has `capacity` elements, one
/// for each dimension. `*ndim` becomes the number of dimensions. The pointers `dtype`, `sizes` and
/// `ndim` may be NULL.
///
/// torch's distributed checkpoint does not store the sizes of a tensor in its safetensors files.
/// For a tensor without stored sizes, the size in each dimension is the end of the last chunk in
/// this dimension. If the files of the last chunks are missing, these sizes are too small. The
/// layout that a program passes to a read may therefore have larger sizes. A read of elements that
/// are in no chunk fails with GAP.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_get_tensor(
    checkpoint: *const shardspec_checkpoint, tensor: usize, dtype: *mut shardspec_dtype,
    sizes: *mut i64, capacity: usize, ndim: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let dtype_place = optional_out("dtype", dtype)?;
        let ndim_place = optional_out("ndim", ndim)?;
        let sizes_place = optional_out_slice("sizes", sizes, capacity)?;
        let checkpoint = handle::get("checkpoint", checkpoint)?;
        let tensor = tensor_at(&checkpoint, tensor)?;
        check_room(&sizes_place, "sizes", tensor.sizes().len())?;
        fill(sizes_place, tensor.sizes());
        if let Some(place) = dtype_place {
            place.set(tensor.dtype().into());
        }
        if let Some(place) = ndim_place {
            place.set(tensor.sizes().len());
        }
        Ok(())
    })
}

/// Creates the list of the stored chunks of tensor `tensor`. Each chunk is a shard with a file as
/// its placement. Chunks may overlap. If files are missing, there may be gaps between the chunks.
///
/// Ownership: the caller frees `*out`. The caller may free the checkpoint before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_tensor_chunks(
    checkpoint: *const shardspec_checkpoint, tensor: usize, out: *mut *mut shardspec_shards,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let checkpoint = handle::get("checkpoint", checkpoint)?;
        let chunks = tensor_at(&checkpoint, tensor)?.chunks().clone();
        place.set(handle::insert(chunks)?);
        Ok(())
    })
}

/// Creates metadata that describes how tensor `tensor` is stored. The shards are the chunks of the
/// tensor, and the placements are files. If several files hold the same chunk, the metadata has one
/// shard for each file, and these shards are replicas. The metadata states the element type.
///
/// Ownership: the caller frees `*out`. The caller may free the checkpoint before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: GAP if files are missing and the chunks therefore do not cover the tensor;
/// INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_tensor_metadata(
    checkpoint: *const shardspec_checkpoint, tensor: usize, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let checkpoint = handle::get("checkpoint", checkpoint)?;
        place.set(handle::insert(tensor_at(&checkpoint, tensor)?.metadata()?)?);
        Ok(())
    })
}
