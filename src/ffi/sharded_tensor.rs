//! Sharded tensors: metadata together with the shards that are in this process.
//!
//! The local shards of a sharded tensor are its shards in this process. The library allocates their
//! memory, or the caller passes their memory and a function `release`. Memory from the library is
//! row-major and aligned to 64 bytes. The library uses memory of the caller until the library calls
//! `release`. Local shards are numbered from 0, in the order of the shards in the metadata.
//!
//! `owner` or a list of indices selects the local shards. An owner is a rank or a worker. If
//! `owner` has no device, such as "rank:1" or "trainer0", all shards of the owner are selected.
//! With a device, such as "rank:1/cuda:0", the owner's shards on that device are selected. NULL
//! selects all shards. If the owner has no shards, the list of local shards is empty.
//!
//! A sharded tensor is immutable, but the elements of its shards may change. The memory of local
//! shards is the only memory of the library that callers access by a pointer. The memory of local
//! shards stays valid until the sharded tensor and all managed tensors (DLPack) exported from it
//! are freed. While a thread writes elements, no other thread may use these elements.
//!
//! Source: torch's `ShardedTensor`. Like in torch, the tensor's properties must state a strided
//! layout and a contiguous memory format. Views of the caller's memory may have any strides.

use std::ffi::{c_char, c_void};

use crate::ffi::border::callback::{Context, owning};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::owner::{check_owner, owned};
use crate::ffi::border::pointer::{Out, out, slice};
use crate::ffi::border::sized::sized_out;
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::border::views::{some_shards, view_argument};
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

/// A sharded tensor, behind a handle: metadata and local shards. Free the handle with
/// `shardspec_sharded_tensor_free`.
pub struct shardspec_sharded_tensor {
    _opaque: [u8; 0],
}

impl Handle for shardspec_sharded_tensor {
    type Object = ShardedTensor;
    const NAME: &'static str = "shardspec_sharded_tensor";
    const KIND: u64 = 5;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<ShardedTensor> = SlotMap::new();
        &TABLE
    }

    /// The communicator, so that ops compare them without using the tensors; 0 where there is none.
    fn label_of(tensor: &ShardedTensor) -> u64 {
        tensor.communicator().unwrap_or(0)
    }
}

/// The memory of new shards is uninitialised (torch: `empty`).
pub const SHARDSPEC_FILL_UNINITIALIZED: i32 = 0;
/// The memory of new shards is zero (torch: `zeros`).
pub const SHARDSPEC_FILL_ZERO: i32 = 1;

fn fill_argument(fill: i32) -> Outcome<Fill> {
    match fill {
        SHARDSPEC_FILL_UNINITIALIZED => Ok(Fill::Uninitialized),
        SHARDSPEC_FILL_ZERO => Ok(Fill::Zero),
        _ => {
            let problem = text!("{fill} is not a fill; pass a SHARDSPEC_FILL_... constant");
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

/// Creates a sharded tensor with new memory for the shards of `owner`. With `owner` NULL, the
/// sharded tensor has all shards. The metadata must state the element type. `fill` is a
/// `SHARDSPEC_FILL_...` constant.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_PLACEMENT if `owner` is not the text of an owner; INVALID_ARGUMENT if `fill` is
/// unknown or the metadata states no element type; UNSUPPORTED if the layout is not strided or the
/// memory format is not contiguous; OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Source: `torch.distributed._shard.sharded_tensor.empty` and `zeros`.
/// Since: ABI 0.
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

/// Creates a sharded tensor with new memory for some shards of the metadata. `indices` holds the
/// `index_count` different indices of these shards, in any order. The metadata must state the
/// element type. `fill` is a `SHARDSPEC_FILL_...` constant.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an index occurs twice, `fill` is unknown or the metadata states no
/// element type; UNSUPPORTED if the layout is not strided or the memory format is not contiguous;
/// INDEX_OUT_OF_RANGE, OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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

/// Creates a sharded tensor with the shards that `spec` cuts out of `full` for `owner`. With
/// `owner` NULL, the sharded tensor has all shards. The spec builds the metadata for the sizes of
/// `full`. `properties` may be NULL. If the properties state no element type, the metadata has the
/// element type of `full`. `options` may be NULL.
///
/// Ownership: the caller frees `*out`. The caller may free `spec` and `full` before `*out`.
/// Calls back: `build_metadata` and `fill_shard` of a custom spec; `equal` and `hash` of custom
/// placements; `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_DIM, NDIM_MISMATCH, OUT_OF_BOUNDS, GAP or OVERLAP if the spec does not fit the
/// sizes of `full`; INVALID_PLACEMENT if `owner` is not the text of an owner; DTYPE_MISMATCH if
/// `properties` state another element type than `full`; UNSUPPORTED if the layout is not strided or
/// the memory format is not contiguous; PARTIAL if the elements are pending a reduction;
/// UNSUPPORTED_DEVICE, INVALID_ARGUMENT, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If
/// a function of a custom spec fails, the call returns the status of that function.
/// Threads: any. No other thread may write `full` during the call.
/// Source: torch's `ShardingSpec.shard`, for a tensor that every worker has.
/// Since: ABI 0.
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

/// Creates a sharded tensor, and copies the shards of `owner` from `full`. With `owner` NULL, the
/// sharded tensor has all shards. `full` has the sizes of the metadata. If the metadata states no
/// element type, the sharded tensor has the element type of `full`. `options` may be NULL.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata and `full` before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_PLACEMENT if `owner` is not the text of an owner; SHAPE_MISMATCH, NDIM_MISMATCH,
/// DTYPE_MISMATCH or UNSUPPORTED_DEVICE if `full` does not fit; UNSUPPORTED if the layout is not
/// strided or the memory format is not contiguous; PARTIAL if the elements are pending a reduction;
/// INVALID_ARGUMENT, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. No other thread may write `full` during the call.
/// Since: ABI 0.
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

/// Creates a sharded tensor, and copies some shards from `full`. `indices` holds the `index_count`
/// different indices of these shards, in any order. `full` has the sizes of the metadata. If the
/// metadata states no element type, the sharded tensor has the element type of `full`. `options`
/// may be NULL.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata and `full` before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an index occurs twice or `options` are invalid; SHAPE_MISMATCH,
/// NDIM_MISMATCH, DTYPE_MISMATCH or UNSUPPORTED_DEVICE if `full` does not fit; UNSUPPORTED if the
/// layout is not strided or the memory format is not contiguous; PARTIAL if the elements are
/// pending a reduction; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. No other thread may write `full` during the call.
/// Since: ABI 0.
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

/// Creates a sharded tensor from shards in the caller's memory. `shards[i]` is shard `indices[i]`
/// of the metadata.
///
/// Each view has the sizes of its shard, with any strides. All views have the metadata's element
/// type. If the metadata states no element type, all views have one common type. With an `owner`,
/// the shards must be exactly the shards of that owner. With `owner` NULL, any shards are allowed.
///
/// Ownership: the library copies the views. The library uses the memory of the views until the
/// library calls `release(ctx)`. The library calls `release` exactly once. If the call fails, the
/// library calls `release` before the call returns. If the call succeeds, the library calls
/// `release` after the sharded tensor and all managed tensors exported from it were freed.
/// `release` may be NULL. The caller frees `*out`.
/// Calls back: `release`, if the call fails; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a view
/// does not fit its shard (the error's `first_shard` is the shard's index in the metadata, and
/// `index` is the position in `shards`); INVALID_ARGUMENT if a shard occurs twice or the shards are
/// not exactly the shards of `owner`; INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: torch's `_init_from_local_shards_and_global_metadata`.
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

/// Creates a sharded tensor from shards in the caller's memory. The list `descriptions` describes
/// the shards: `shards[i]` is the memory of shard i of that list.
///
/// Each description must have the offsets, sizes and placement of one shard of the metadata. All
/// views have the metadata's element type. If the metadata states no element type, all views have
/// one type. With an `owner`, the shards must be exactly the shards of that owner. With `owner`
/// NULL, any shards are allowed.
///
/// Ownership: the library copies the views. The library uses the memory of the views until the
/// library calls `release(ctx)`. The library calls `release` exactly once. If the call fails, the
/// library calls `release` before the call returns. If the call succeeds, the library calls
/// `release` after the sharded tensor and all managed tensors exported from it were freed.
/// `release` may be NULL. The caller keeps `descriptions` and frees `*out`.
/// Calls back: `equal` and `hash` of custom placements; `release`, if the call fails; `destroy`, if
/// another thread frees a handle during the call.
/// Blocks: no.
/// Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a view
/// does not fit its shard (the error's `first_shard` is the shard's index in the metadata, and
/// `index` is the position in `shards`); INVALID_ARGUMENT if a shard occurs twice, the shards are
/// not exactly the shards of `owner`, a description has another placement than its shard, or
/// `shard_count` is not the number of `descriptions`; NOT_FOUND if no shard of the metadata has the
/// offsets and sizes of a description; NULL_ARGUMENT if a pointer is NULL or a description has no
/// placement; INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW, INVALID_HANDLE, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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

/// Frees a sharded tensor. NULL is allowed. When the sharded tensor and all managed tensors
/// exported from it have been freed, the library frees the memory of the shards or calls `release`.
///
/// Ownership: the caller gives up `tensor`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_sharded_tensor_free(
    tensor: *mut shardspec_sharded_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("tensor", tensor))
}

/// Creates a handle for the metadata that the sharded tensor was created with. If that metadata
/// states no element type and there are local shards, the new handle's metadata has the element
/// type of the local shards.
///
/// Ownership: the caller frees `*out`. The caller may free the sharded tensor before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
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

/// Writes the tensor's properties to `*out`. The caller sets `out->struct_size` before the call:
/// `shardspec_tensor_properties p = { sizeof p };`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `struct_size` is wrong; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
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
