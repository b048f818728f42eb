//! Tensors as flat arrays.
//!
//! Each function with `_flat` in its name does the same work as the function without `_flat`. The
//! functions with `_flat` take flat arrays of numbers instead of `shardspec_tensor_view`, which is
//! a struct with pointers. Some languages pass such structs slowly, or can't pass them (Go with
//! cgo). The outputs hold no pointers to the caller's arrays. Tensors are in host memory. Arguments
//! with the same name have the same meaning in all these functions:
//!
//! - `dtype` is the element type of all buffers. With `dtype` NULL, the buffers have the element
//!   type of the metadata.
//! - `full` is the address of the tensor's element at index 0 of each dimension. `full_strides` has
//!   one number for each dimension of the tensor. The tensor has the metadata's sizes.
//! - Shard i begins `byte_offsets[i]` bytes after the address `shards`. If all shards are in one
//!   buffer, pass its address in `shards` and offsets in `byte_offsets`. If not, pass NULL in
//!   `shards` and addresses in `byte_offsets`. An empty shard may begin anywhere.
//! - `shapes` and `strides` have one row for each shard, with one number for each dimension of the
//!   shards' buffers (`shardspec_metadata_buffer_ndim`). The library compares `shapes` with the
//!   shapes of the metadata's shards. With `shapes` NULL, the caller makes sure that the buffers
//!   are large enough.
//! - Strides count elements. NULL instead of an array of strides means row-major.

use std::ffi::c_void;

use crate::ffi::border::flat::{all_flat, dtype_argument, read_full, rows};
use crate::ffi::border::guard::{Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{fill_with, optional_out, optional_out_slice, out, out_slice};
use crate::ffi::dtype::shardspec_dtype;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::transfer::{self, HostTransfer, HostView};

/// Copies every shard out of a tensor. The function is `shardspec_metadata_scatter` for flat
/// arrays. Row i of the arrays describes the destination of shard i. `shard_count` is the number of
/// all shards, empty shards included. The function fills holes of the shards' buffers with zeros.
/// `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH or ALIASED if a buffer does not fit (the error's `first_shard` and
/// `index` are both the index of the shard); INVALID_ARGUMENT if `shard_count` is wrong or no
/// element type is known; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
/// source elements have equal addresses that the check for ALIASED would take longer than the copy;
/// DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
/// was written.
/// Threads: any. During the call, no other thread may write `full` or use the shards.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_scatter_flat(
    metadata: *const shardspec_metadata, dtype: *const shardspec_dtype, full: *const c_void,
    full_strides: *const i64, shards: *mut c_void, byte_offsets: *const u64, shapes: *const i64,
    strides: *const i64, shard_count: usize, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let options = options_argument(options)?;
        let dtype = dtype_argument(dtype, metadata.properties().dtype)?;
        let mut whole = HostView::EMPTY;
        read_full(&mut whole, &metadata, dtype, full.cast_mut().cast(), full_strides)?;
        let shards =
            all_flat(&metadata, dtype, (shards, byte_offsets, shapes, strides), shard_count)?;
        HostTransfer::scatter(&metadata, &whole, &shards, &options)?.run();
        Ok(())
    })
}

/// Copies every shard into a tensor. The function is `shardspec_metadata_gather` for flat arrays.
/// Row i of the arrays describes source shard i. `shard_count` is the number of all shards, empty
/// shards included. The function writes every element of `full`. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH or ALIASED if a buffer does not fit (the error's `first_shard` and
/// `index` are both the index of the shard); INVALID_ARGUMENT if `shard_count` is wrong or no
/// element type is known; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
/// source elements have equal addresses that the check for ALIASED would take longer than the copy;
/// DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
/// was written.
/// Threads: any. During the call, no other thread may write the shards or use `full`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_gather_flat(
    metadata: *const shardspec_metadata, dtype: *const shardspec_dtype, shards: *const c_void,
    byte_offsets: *const u64, shapes: *const i64, strides: *const i64, shard_count: usize,
    full: *mut c_void, full_strides: *const i64, options: *const shardspec_copy_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let options = options_argument(options)?;
        let dtype = dtype_argument(dtype, metadata.properties().dtype)?;
        let mut whole = HostView::EMPTY;
        read_full(&mut whole, &metadata, dtype, full.cast(), full_strides)?;
        let base = shards.cast_mut();
        let shards =
            all_flat(&metadata, dtype, (base, byte_offsets, shapes, strides), shard_count)?;
        HostTransfer::gather(&metadata, &shards, &whole, &options)?.run();
        Ok(())
    })
}

/// Copies shard `index` out of a tensor. The function `shardspec_metadata_extract_shard` takes
/// views instead of addresses. `shard` is the address of the shard's buffer. `shape` and `strides`
/// have one number for each dimension of the buffer. `shape` and `strides` may be NULL. The
/// function fills holes of the buffer with zeros. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if no element type is known; PARTIAL if the elements are pending a
/// reduction; UNSUPPORTED if so many source elements have equal addresses that the check for
/// ALIASED would take longer than the copy; INDEX_OUT_OF_RANGE, SHAPE_MISMATCH, ALIASED,
/// DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
/// was written.
/// Threads: any. During the call, no other thread may write `full` or use `shard`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_extract_shard_flat(
    metadata: *const shardspec_metadata, index: usize, dtype: *const shardspec_dtype,
    full: *const c_void, full_strides: *const i64, shard: *mut c_void, shape: *const i64,
    strides: *const i64, options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let options = options_argument(options)?;
        let dtype = dtype_argument(dtype, metadata.properties().dtype)?;
        let (mut whole, mut part) = (HostView::EMPTY, HostView::EMPTY);
        read_full(&mut whole, &metadata, dtype, full.cast_mut().cast(), full_strides)?;
        let ndim = metadata.shards().ndim();
        let own = metadata.shards().at("index", index)?;
        let shape = rows("shape", shape, 1, ndim)?.unwrap_or(own.sizes);
        part.set("shard", shard.cast(), dtype, shape, rows("strides", strides, 1, ndim)?)?;
        HostTransfer::extract(&metadata, index, &whole, &part, &options)?.run();
        Ok(())
    })
}

/// Writes the position of shard `index` inside of a tensor. The position consists of the distance
/// from the start of the tensor, and of the shape and the strides of the shard. This function
/// computes only numbers, so the tensor need not exist. The function
/// `shardspec_metadata_view_shard` writes a `shardspec_tensor_view` instead of numbers.
///
/// `*byte_offset` becomes the distance in bytes from the tensor's element at index 0 to the shard's
/// element at index 0. For an empty shard, `*byte_offset` becomes 0. `shape` and `strides` receive
/// the shape and the strides of the shard. `shape` and `strides` have `capacity` elements each.
/// `capacity` must be at least the number of dimensions.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if the shard is not a box, or if elements are packed and the shard starts
/// inside of a byte; INVALID_ARGUMENT if no element type is known; PARTIAL if the elements are
/// pending a reduction; INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, DTYPE_MISMATCH, OVERFLOW,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_view_shard_flat(
    metadata: *const shardspec_metadata, index: usize, dtype: *const shardspec_dtype,
    full_strides: *const i64, byte_offset: *mut i64, shape: *mut i64, strides: *mut i64,
    capacity: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let offset_place = out("byte_offset", byte_offset)?;
        let shape_place = out_slice("shape", shape, capacity)?;
        let strides_place = out_slice("strides", strides, capacity)?;
        let metadata = handle::get("metadata", metadata)?;
        let dtype = dtype_argument(dtype, metadata.properties().dtype)?;
        let mut whole = HostView::EMPTY;
        read_full(&mut whole, &metadata, dtype, nowhere(), full_strides)?;
        shape_place.check_capacity("shape", metadata.ndim())?;
        strides_place.check_capacity("strides", metadata.ndim())?;
        let part = transfer::view_shard(&metadata, index, &whole)?;
        let distance = part.first().addr().wrapping_sub(nowhere().addr()) as i64;
        offset_place.set(if part.is_empty() { 0 } else { distance });
        shape_place.fill(part.shape());
        strides_place.fill_with(part.element_strides());
        Ok(())
    })
}

/// Writes the addresses, shapes and strides of all local shards of a sharded tensor, in the order
/// of their indices.
///
/// `addresses` has `capacity` elements, one for each local shard. `addresses[i]` becomes the
/// address of the element at index 0 of local shard i, or 0 for an empty shard. `shapes` and
/// `strides` have `capacity` rows each, with one number for each dimension of the shards' buffers.
/// Each of the three arrays may be NULL. `*needed` becomes the number of local shards. `needed` may
/// be NULL. With `capacity` 0, the function writes only `*needed`.
///
/// Ownership: the memory at the addresses belongs to the sharded tensor. The caller may read and
/// write this memory until the caller frees the sharded tensor.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_local_views_flat(
    tensor: *const shardspec_sharded_tensor, addresses: *mut u64, shapes: *mut i64,
    strides: *mut i64, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let tensor = handle::get("tensor", tensor)?;
        let (local, ndim) = (tensor.shards(), tensor.metadata().shards().ndim());
        let numbers = capacity.saturating_mul(ndim);
        let address_place = optional_out_slice("addresses", addresses, capacity)?;
        let shape_place = optional_out_slice("shapes", shapes, numbers)?;
        let strides_place = optional_out_slice("strides", strides, numbers)?;
        let needed_place = optional_out("needed", needed)?;
        let count = local.len();
        if capacity > 0 {
            if capacity < count {
                let (argument, got, needed) = ("capacity", capacity, count);
                return Err(Refusal::BufferTooSmall { argument, got, needed });
            }
            let views = || (0..count).map(|number| local.view(number));
            let address = |view: HostView| {
                if view.is_empty() { 0 } else { view.first().expose_provenance() as u64 }
            };
            fill_with(address_place, views().map(address));
            let rows = |place, of: fn(&HostView, usize) -> Option<i64>| {
                let row = |view: HostView| (0..ndim).filter_map(move |dim| of(&view, dim));
                fill_with(place, views().flat_map(row));
            };
            rows(shape_place, |view, dim| view.shape().get(dim).copied());
            rows(strides_place, |view, dim| view.element_strides().nth(dim));
        }
        if let Some(place) = needed_place {
            place.set(count);
        }
        Ok(())
    })
}

/// An address that no memory is at, in the middle of all of them.
fn nowhere() -> *mut u8 {
    std::ptr::without_provenance_mut(1 << 62)
}
