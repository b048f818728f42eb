//! Sharded tensors: metadata together with the shards that are in this process.
//!
//! The local shards are in memory that the library allocates, 64-byte aligned and row-major, or in
//! memory that is lent to it until it calls `release`. They are numbered from 0 in the order of the
//! metadata, whatever order they came in.
//!
//! Which shards are local is said by their owner or by their indices. An `owner` is written as in a
//! placement: "rank:1" or "trainer0" for its shards on all devices, "rank:1/cuda:0" for those on one;
//! NULL stands for all shards, for a process that has everything. An owner of nothing has no local
//! shards, which is fine.
//!
//! The handle does not change, the elements may: the memory of local shards is the one thing that
//! the library gives out a pointer to. It is there until the sharded tensor is freed, or longer for
//! whoever has exported it. That nobody writes what another thread uses is up to the caller.
//!
//! Source: torch's `ShardedTensor`. As there, only strided, contiguous tensors can be sharded.

use std::ffi::{c_char, c_void};

use crate::ffi::border::callback::{Context, owning};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::owner::{check_owner, owned};
use crate::ffi::border::pointer::{Out, out, out_slice, slice};
use crate::ffi::border::sized::sized_out;
use crate::ffi::border::slots::Slots;
use crate::ffi::border::views::{CPU, c_view, some_shards, view_argument};
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::properties::{properties_argument, shardspec_tensor_properties};
use crate::ffi::shards::shardspec_shards;
use crate::ffi::spec::shardspec_spec;
use crate::ffi::tensor::{options_argument, shardspec_copy_options};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::text;
use crate::model::{Error, ShardedTensorMetadata, TensorShape};
use crate::transfer::{self, Fill, Keeper, Keepers, ShardedTensor};

/// Metadata and local shards, behind a handle. Free it with `shardspec_sharded_tensor_free`.
pub struct shardspec_sharded_tensor {
    _opaque: [u8; 0],
}

impl Handle for shardspec_sharded_tensor {
    type Object = ShardedTensor;
    const NAME: &'static str = "shardspec_sharded_tensor";
    const KIND: u64 = 5;

    fn table() -> &'static Slots<Self::Object> {
        static TABLE: Slots<ShardedTensor> = Slots::new();
        &TABLE
    }

    /// The communicator, so that ops compare them without using the tensors; 0 where there is none.
    fn label_of(tensor: &ShardedTensor) -> u64 {
        tensor.communicator().unwrap_or(0)
    }
}

/// Memory of new shards holds anything: torch's `empty`.
pub const SHARDSPEC_FILL_UNINITIALIZED: i32 = 0;
/// Memory of new shards holds zeros: torch's `zeros`.
pub const SHARDSPEC_FILL_ZERO: i32 = 1;

fn fill_argument(fill: i32) -> Outcome<Fill> {
    match fill {
        SHARDSPEC_FILL_UNINITIALIZED => Ok(Fill::Uninitialized),
        SHARDSPEC_FILL_ZERO => Ok(Fill::Zero),
        _ => {
            let problem = text!("{fill} is no fill; pass a SHARDSPEC_FILL_... constant");
            Err(Error::invalid("fill", problem).into())
        }
    }
}

/// Hands a new sharded tensor to the caller.
pub(crate) fn give(
    place: Out<'_, *mut shardspec_sharded_tensor>, tensor: ShardedTensor,
) -> Outcome {
    place.set(handle::insert(tensor)?);
    Ok(())
}

/// A sharded tensor with memory for the shards of `owner`. The metadata must state the element type.
/// `fill` is a `SHARDSPEC_FILL_...` constant.
///
/// Ownership: the caller frees `*out`; it does not need the metadata. Errors: INVALID_ARGUMENT for
/// another `fill` or where no element type is stated, INVALID_PLACEMENT for an owner that can't be
/// one, UNSUPPORTED for layouts or memory formats that can't be
/// sharded, OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT. Threads: any.
/// Source: `torch.distributed._shard.sharded_tensor.empty` and `zeros`. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new(
    metadata: *const shardspec_metadata, owner: *const c_char, fill: i32,
    out: *mut *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let indices = owned(&metadata, owner)?;
        give(place, ShardedTensor::new(&metadata, &indices, fill_argument(fill)?)?)
    })
}

/// As `shardspec_sharded_tensor_new`, where shards `indices` of the metadata are local, in any order.
///
/// Ownership, errors, threads: as `shardspec_sharded_tensor_new`; INDEX_OUT_OF_RANGE, and
/// INVALID_ARGUMENT for an index that is given twice. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_for_indices(
    metadata: *const shardspec_metadata, indices: *const usize, index_count: usize, fill: i32,
    out: *mut *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let indices = slice("indices", indices, index_count)?;
        give(place, ShardedTensor::new(&metadata, indices, fill_argument(fill)?)?)
    })
}

/// Shards a full tensor for `owner` as `spec` does it, with metadata that the spec builds for
/// `full`'s sizes: what a worker calls that has the tensor and wants its part. `properties` may be
/// NULL; where they state no element type, it is `full`'s. `options` may be NULL.
///
/// Ownership: the caller frees `*out`; it needs neither the spec nor `full`. Errors: those of
/// `shardspec_spec_build_metadata`, of `shardspec_spec_fill_shard`, and of
/// `shardspec_sharded_tensor_new`. Threads: any; nobody may write `full` meanwhile. Source: torch's
/// `ShardingSpec.shard`, for a tensor that every worker has. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_spec(
    spec: *const shardspec_spec, properties: *const shardspec_tensor_properties,
    owner: *const c_char, full: *const shardspec_tensor_view,
    options: *const shardspec_copy_options, out: *mut *mut shardspec_sharded_tensor,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let (full, options) = (view_argument("full", full)?, options_argument(options)?);
        let shape = TensorShape::new(full.shape());
        let metadata = spec.build_metadata(shape, properties_argument(properties)?)?;
        let indices = owned(&metadata, owner)?;
        give(place, ShardedTensor::from_spec(&**spec, &metadata, &indices, &full, &options)?)
    })
}

/// Shards a full tensor for `owner`: its shards are copied out of `full` as
/// `shardspec_metadata_extract_shard` does. Where the metadata states no element type, that of the
/// sharded tensor is `full`'s. `options` may be NULL.
///
/// Ownership: the caller frees `*out`; it needs neither the metadata nor `full`. Errors: those of
/// `shardspec_metadata_extract_shard` about `full` and `options`, and those of
/// `shardspec_sharded_tensor_new`. Threads: any; nobody may write `full` meanwhile. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_full(
    metadata: *const shardspec_metadata, owner: *const c_char, full: *const shardspec_tensor_view,
    options: *const shardspec_copy_options, out: *mut *mut shardspec_sharded_tensor,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let (full, options) = (view_argument("full", full)?, options_argument(options)?);
        let indices = owned(&metadata, owner)?;
        give(place, ShardedTensor::from_full(&metadata, &indices, &full, &options)?)
    })
}

/// As `shardspec_sharded_tensor_new_from_full`, where shards `indices` of the metadata are local, in
/// any order.
///
/// Ownership, errors, threads: as `shardspec_sharded_tensor_new_from_full`; INDEX_OUT_OF_RANGE, and
/// INVALID_ARGUMENT for an index that is given twice. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_full_for_indices(
    metadata: *const shardspec_metadata, indices: *const usize, index_count: usize,
    full: *const shardspec_tensor_view, options: *const shardspec_copy_options,
    out: *mut *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let (full, options) = (view_argument("full", full)?, options_argument(options)?);
        let indices = slice("indices", indices, index_count)?;
        give(place, ShardedTensor::from_full(&metadata, indices, &full, &options)?)
    })
}

/// A sharded tensor from shards that are here already: `shards[i]` is shard `indices[i]` of the
/// metadata. Each has the sizes of that shard, in memory of any strides, and all have the metadata's
/// element type, or where it states none the same. With an `owner`, they must be exactly its shards;
/// NULL: any shards.
///
/// Ownership: the library uses the shards' memory until it calls `release(ctx)`, exactly once: when
/// the sharded tensor was freed and nobody has the memory exported any more, or before a call that
/// fails returns. `release` may be NULL. The views themselves are copied; the caller frees `*out`.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE and ALIASED, with the
/// shard in the error's `first_shard` and its position in `shards` in `index`, INVALID_ARGUMENT for
/// an index that is given twice or shards that are not all of the owner's or not the owner's,
/// INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY. Threads: any. Source: torch's `_init_from_local_shards_and_global_metadata`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_local(
    metadata: *const shardspec_metadata, owner: *const c_char, indices: *const usize,
    shards: *const shardspec_tensor_view, shard_count: usize, ctx: *mut c_void,
    release: shardspec_destroy_fn, out: *mut *mut shardspec_sharded_tensor,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning(ctx, release, |memory| {
            let place = self::out("out", out)?;
            let metadata = handle::get("metadata", metadata)?;
            let indices = slice("indices", indices, shard_count)?;
            let shards = slice("shards", shards, shard_count)?;
            give(place, from_local(&metadata, owner, indices, shards, memory)?)
        }),
    )
}

/// A sharded tensor from shards that are here already and come with their own metadata: `shards[i]`
/// is the memory of shard i of the list `descriptions`, whose offsets, sizes and placement must be
/// those of a shard of the metadata. With an `owner`, they must be exactly its shards; NULL: any
/// shards.
///
/// Ownership: the library uses the shards' memory until it calls `release(ctx)`, exactly once: when
/// the sharded tensor was freed and nobody has the memory exported any more, or before a call that
/// fails returns. `release` may be NULL. The views themselves are copied; the list stays the
/// caller's, who frees `*out`. Errors: as `shardspec_sharded_tensor_new_from_local`, with the
/// position in `shards` in the error's `index`; NOT_FOUND for a box that is none of the metadata's,
/// INVALID_ARGUMENT for one that is placed elsewhere there, or another `shard_count` than the list
/// has shards, NULL_ARGUMENT for a shard without a placement. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_new_from_local_shards(
    metadata: *const shardspec_metadata, owner: *const c_char,
    descriptions: *const shardspec_shards, shards: *const shardspec_tensor_view,
    shard_count: usize, ctx: *mut c_void, release: shardspec_destroy_fn,
    out: *mut *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning(ctx, release, |memory| {
            let place = self::out("out", out)?;
            let metadata = handle::get("metadata", metadata)?;
            let descriptions = handle::get("descriptions", descriptions)?;
            descriptions.check_placed()?;
            let shards = slice("shards", shards, shard_count)?;
            if shard_count != descriptions.len() {
                let problem = text!(
                    "{shard_count} views for {} descriptions; pass one for each",
                    descriptions.len()
                );
                return Err(Error::invalid("shard_count", problem).into());
            }
            let indices = transfer::indices_of(&metadata, &descriptions)?;
            give(place, from_local(&metadata, owner, &indices, shards, memory)?)
        }),
    )
}

/// A sharded tensor of lent memory.
unsafe fn from_local(
    metadata: &ShardedTensorMetadata, owner: *const c_char, indices: &[usize],
    shards: &[shardspec_tensor_view], memory: Context,
) -> Outcome<ShardedTensor> {
    check_owner(metadata, owner, indices)?;
    transfer::check_indices(metadata.shared_shards(), indices)?;
    let shards = some_shards(metadata, indices, shards)?;
    Ok(ShardedTensor::from_local(metadata, shards, Keepers::One(Keeper::of_lease(memory)?))?)
}

/// Frees a sharded tensor. NULL is fine. Its memory is freed, or given back with `release`, at once,
/// or when the last of those who have it exported is done with it.
///
/// Errors: INVALID_HANDLE, also when it was freed before. Threads: any, also while another thread
/// uses the handle: a call under way finishes. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_free(
    tensor: *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("tensor", tensor))
}

/// The metadata, as it was given but that it states the element type, where shards are there to tell
/// it.
///
/// Ownership: the caller frees `*out`; it does not need the sharded tensor. Errors: INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_metadata(
    tensor: *const shardspec_sharded_tensor, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let tensor = handle::get("tensor", tensor)?;
        place.set(handle::insert(tensor.metadata().clone())?);
        Ok(())
    })
}

/// Writes the tensor's properties. The caller sets `out->struct_size` before, as for
/// `shardspec_metadata_properties`.
///
/// Errors: INVALID_ARGUMENT for a wrong struct_size, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_properties(
    tensor: *const shardspec_sharded_tensor, out: *mut shardspec_tensor_properties,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = sized_out("out", out)?;
        let tensor = handle::get("tensor", tensor)?;
        place.set(shardspec_tensor_properties::from_core(tensor.metadata().properties()));
        Ok(())
    })
}

/// Number of local shards, empty ones included.
///
/// Errors: INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Which shard of the metadata local shard `local` is.
///
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT. Threads: any. Since: ABI 0.
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

/// Describes local shard `local`: `*out` becomes a view of its memory, whose shape and strides are
/// written to `shape` and `strides`, each with room for `capacity` numbers, at least one for each
/// dimension. An empty shard has NULL data.
///
/// Ownership: `out->shape` and `out->strides` are the caller's own two arrays. `out->data` is the
/// sharded tensor's memory, to be read and written until it is freed.
/// Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT. Threads: any.
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

/// Copies all shards into `full`, every element of which is written. Every shard that owns something
/// must be local. `options` may be NULL.
///
/// Ownership: nothing moves. Errors: NOT_LOCAL (the error's `first_shard` is the first that is not),
/// and those of `shardspec_metadata_gather`. Threads: any; nobody else may use `full` or write the
/// shards meanwhile. Since: ABI 0.
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
