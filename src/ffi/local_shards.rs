//! The local shards of a sharded tensor. In the header they are part of its section.

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, out_slice};
use crate::ffi::border::views::{CPU, c_view, view_argument};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::ffi::view::shardspec_tensor_view;

/// Writes to `*out` the number of local shards, empty shards included.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_local_count(
    tensor: *const shardspec_sharded_tensor, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("tensor", tensor)?.local_count());
        Ok(())
    })
}

/// Writes to `*out` the index that local shard `local` has in the metadata.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_local_index(
    tensor: *const shardspec_sharded_tensor, local: usize, out: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("tensor", tensor)?.index(local)?);
        Ok(())
    })
}

/// Writes to `*out` a view of local shard `local`. The function writes the view's shape and strides
/// into `shape` and `strides`. The two arrays have room for `capacity` numbers each. `capacity`
/// must be at least the number of dimensions of the view. For an empty shard, `out->data` becomes
/// NULL.
///
/// Ownership: `out->shape` and `out->strides` point to the caller's two arrays. The memory at
/// `out->data` belongs to the sharded tensor. The caller may read and write this memory until the
/// caller frees the sharded tensor.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_local_view(
    tensor: *const shardspec_sharded_tensor, local: usize, shape: *mut i64, strides: *mut i64,
    capacity: usize, out: *mut shardspec_tensor_view, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let tensor = handle::get("tensor", tensor)?;
        let shape_place = out_slice("shape", shape, capacity)?;
        let strides_place = out_slice("strides", strides, capacity)?;
        let view = tensor.view(local)?;
        shape_place.check_capacity("shape", view.shape().len())?;
        strides_place.check_capacity("strides", view.shape().len())?;
        shape_place.fill(view.shape());
        strides_place.fill_with(view.element_strides());
        place.set(c_view(&view, CPU, shape, strides));
        Ok(())
    })
}

/// Copies all shards into `full`, which has the sizes of the tensor. The function writes every
/// element of `full`. Every shard that is not empty must be local. `options` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: NOT_LOCAL if a shard with elements is not local (the error's `first_shard` is the first
/// such shard); UNSUPPORTED if so many source elements have equal addresses that the check for
/// ALIASED would take longer than the copy; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED,
/// INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// After an error, nothing was written.
/// Threads: any. During the call, no other thread may write the shards or use `full`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_gather(
    tensor: *const shardspec_sharded_tensor, full: *const shardspec_tensor_view,
    options: *const shardspec_copy_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let tensor = handle::get("tensor", tensor)?;
        let full = view_argument("full", full)?;
        Ok(tensor.gather(&full, &options_argument(options)?)?)
    })
}
