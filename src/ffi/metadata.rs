//! Metadata: which shard owns which part of one tensor.
//!
//! `shardspec_spec_build_metadata` creates metadata from a spec and the sizes of a tensor. The
//! shards of a metadata object cover its tensor. Shards may overlap only if the metadata has
//! replicas. Shards are numbered from 0, in the order that the spec defines.
//!
//! Source: torch's `ShardedTensorMetadata`.

use std::ffi::c_char;

use crate::ffi::border::guard::{Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{answer, out, slice, text};
use crate::ffi::border::sized::sized_out;
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};

use crate::ffi::properties::{properties_argument, shardspec_tensor_properties};
use crate::ffi::shards::shardspec_shards;
use crate::ffi::spec::shardspec_spec;
use crate::memory::try_collect_results;
use crate::model::{ShardedTensorMetadata, TensorShape};

/// The shards of one tensor, behind a handle. The object is immutable. Free the handle with
/// `shardspec_metadata_free`.
pub struct shardspec_metadata {
    _opaque: [u8; 0],
}

impl Handle for shardspec_metadata {
    type Object = ShardedTensorMetadata;
    const NAME: &'static str = "shardspec_metadata";
    const KIND: u64 = 3;

    fn table() -> &'static SlotMap<Self::Object> {
        static TABLE: SlotMap<ShardedTensorMetadata> = SlotMap::new();
        &TABLE
    }
}

/// Creates the metadata of a tensor that `spec` cuts. `sizes` holds the `ndim` sizes of the tensor.
/// The shards cover the tensor. Shards overlap only if a mesh spec replicates them. With
/// `properties` NULL, the metadata states no element type and accepts data of any type.
///
/// Ownership: the caller frees `*out`. The caller may free the spec before `*out`.
/// Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
/// `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_DIM if the tensor does not have the dimension that the spec cuts, or if the spec
/// gives this dimension by name (use `shardspec_spec_build_metadata_with_dim_names`); ILLEGAL_CUT
/// if a mesh spec can't cut a size; NDIM_MISMATCH, OUT_OF_BOUNDS or GAP if an enumerable or custom
/// spec does not fit the tensor (for GAP, the message names a box that no shard owns); OVERLAP if
/// shards of a custom spec overlap; INVALID_ARGUMENT if a size is negative or above the padded
/// length of a mesh spec, or if `ndim` is above 32; OVERFLOW if the number of elements does not fit
/// in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If `build_metadata` of a custom spec
/// fails, the function returns the status of `build_metadata`.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_build_metadata(
    spec: *const shardspec_spec, sizes: *const i64, ndim: usize,
    properties: *const shardspec_tensor_properties, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let shape = TensorShape::new(slice("sizes", sizes, ndim)?);
        let metadata = spec.build_metadata(shape, properties_argument(properties)?)?;
        place.set(handle::insert(metadata)?);
        Ok(())
    })
}

/// Creates the metadata of a tensor that `spec` cuts, with names for the dimensions of the tensor.
/// `sizes` holds `ndim` numbers, one for each dimension. `dim_names` holds `ndim` texts, one for
/// each dimension. A spec that was created with the name of a dimension cuts the dimension with
/// that name. `shardspec_metadata_dim_name` returns the names in `dim_names`. With `properties`
/// NULL, the metadata states no element type and accepts data of any type.
///
/// Ownership: the library copies `dim_names`. The caller frees `*out`. The caller may free the spec
/// before `*out`.
/// Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
/// `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_DIM if the tensor does not have the dimension that the spec cuts; ILLEGAL_CUT if
/// a mesh spec can't cut a size; NDIM_MISMATCH, OUT_OF_BOUNDS or GAP if an enumerable or custom
/// spec does not fit the tensor (for GAP, the message names a box that no shard owns); OVERLAP if
/// shards of a custom spec overlap; INVALID_ARGUMENT if a size is negative or above the padded
/// length of a mesh spec, or if `ndim` is above 32; OVERFLOW if the number of elements does not fit
/// in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If `build_metadata` of a custom spec
/// fails, the function returns the status of `build_metadata`.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_build_metadata_with_dim_names(
    spec: *const shardspec_spec, sizes: *const i64, dim_names: *const *const c_char, ndim: usize,
    properties: *const shardspec_tensor_properties, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        let sizes = slice("sizes", sizes, ndim)?;
        let names = slice("dim_names", dim_names, ndim)?.iter().enumerate();
        let names = names
            .map(|(dim, &name)| text("dim_names", name).map_err(Refusal::at("dim_names", dim)));
        let names = try_collect_results(names)?;
        let shape = TensorShape { sizes, dim_names: Some(&names) };
        let metadata = spec.build_metadata(shape, properties_argument(properties)?)?;
        place.set(handle::insert(metadata.with_dim_names(&names)?)?);
        Ok(())
    })
}

/// Creates the metadata of a linked tensor. Blocks divide the tensor of `metadata`, and a linked
/// tensor has one element for each block. Linked tensors store, for example, the scales or the zero
/// points of a quantised weight. Linked tensors may also store integers that each contain several
/// packed elements of the weight.
///
/// `block_sizes` holds `ndim` numbers >= 1. Dimension d of the new tensor has ceil(size /
/// `block_sizes[d]`) elements. The last block of a dimension may have fewer elements than the other
/// blocks. Shard i of the result has one element for each block that shard i of `metadata` has, in
/// the same order. The result takes the placements, the mesh, the replicas, the partial axes and
/// the names of dimensions from `metadata`. Padding of `metadata` becomes padding of the result.
/// The result states no element type. If dimensions are flattened, the elements of each block must
/// be contiguous in the flattened dimension.
///
/// Ownership: the caller frees `*out`. The caller may free `metadata` before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: ILLEGAL_CUT if a shard has only a part of a block, has a block in pieces or unaligned in
/// its buffer, or has padding that ends inside of a block; NDIM_MISMATCH if the tensor does not
/// have `ndim` dimensions; UNSUPPORTED if blocks are not contiguous in flattened dimensions;
/// INVALID_ARGUMENT if a block size is below 1; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If a
/// shard has only a part of a block, the message names the nearest legal cuts. With ILLEGAL_CUT,
/// the error's `first_shard` is the shard's index, `dim` is the dimension of the shard's buffer,
/// and `limit` is the length of the block. For a part of a block, `got` is the index of the cut.
/// For a block in pieces or unaligned, `got` is the start of the block. For padding, `got` is the
/// length of the padded buffer.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_blocks(
    metadata: *const shardspec_metadata, block_sizes: *const i64, ndim: usize,
    out: *mut *mut shardspec_metadata, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let blocks = metadata.blocks(slice("block_sizes", block_sizes, ndim)?)?;
        place.set(handle::insert(blocks)?);
        Ok(())
    })
}

/// Creates a list of the shards of a metadata object. The function does not copy the shards.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_shards_new_from_metadata(
    metadata: *const shardspec_metadata, out: *mut *mut shardspec_shards, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        place.set(handle::insert(metadata.shared_shards().clone())?);
        Ok(())
    })
}

/// Frees metadata. NULL is allowed. Objects made from the metadata stay valid.
///
/// Ownership: the caller gives up `metadata`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_free(
    metadata: *mut shardspec_metadata, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("metadata", metadata))
}

/// Writes to `*out` the number of shards, empty shards included.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_shard_count(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.shards().len());
        Ok(())
    })
}

/// Writes the number of dimensions of the tensor to `*out`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_ndim(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.ndim());
        Ok(())
    })
}

/// Writes to `*out` the number of dimensions of the shards' buffers. If no dimensions are
/// flattened, the number is equal to the number of dimensions of the tensor.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_buffer_ndim(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.shards().ndim());
        Ok(())
    })
}

/// Writes 1 to `*out` if the metadata was created with replicas, else 0. Shards may overlap only in
/// metadata with replicas.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_has_replicas(
    metadata: *const shardspec_metadata, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.has_replicas().into());
        Ok(())
    })
}

/// Writes the tensor's sizes into `sizes`, one number for each dimension.
///
/// `sizes` has room for `capacity` numbers. `*needed` becomes the number of dimensions. `needed`
/// may be NULL. With capacity 0, only `*needed` is written, and `sizes` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_sizes(
    metadata: *const shardspec_metadata, sizes: *mut i64, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        answer("sizes", sizes, capacity, needed, metadata.sizes())
    })
}

/// Writes the number of elements of the tensor to `*out`.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_numel(
    metadata: *const shardspec_metadata, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.numel());
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
pub unsafe extern "C-unwind" fn shardspec_metadata_properties(
    metadata: *const shardspec_metadata, out: *mut shardspec_tensor_properties,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = sized_out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        place.set(shardspec_tensor_properties::from_core(metadata.properties()));
        Ok(())
    })
}

/// Writes 1 to `*out` if two metadata objects are equal, else 0. Equal objects have the same sizes,
/// properties and partial axes, and the same shards in the same order. Either both objects have
/// replicas, or neither does. The function compares no specs, meshes or names of dimensions.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_equal(
    a: *const shardspec_metadata, b: *const shardspec_metadata, out: *mut i32,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set((*handle::get("a", a)? == *handle::get("b", b)?).into());
        Ok(())
    })
}

/// Writes to `*out` the fingerprint of the layout: a hash of 64 bits. The fingerprint depends on
/// the indices of each shard's elements, on the order of these elements in the shard's buffer, and
/// on the placements. The fingerprint does not depend on the sizes and properties of the tensor, on
/// replicas or on partial axes. The result of `shardspec_metadata_hash` also depends on the sizes,
/// the properties, the replicas and the partial axes. Equal layouts have equal fingerprints in all
/// processes that use the same version of the library.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_fingerprint(
    metadata: *const shardspec_metadata, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.shards().fingerprint());
        Ok(())
    })
}

/// Writes a hash of the metadata to `*out`. Equal metadata objects have equal hashes in all
/// processes that use the same version of the library.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `hash` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_hash(
    metadata: *const shardspec_metadata, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.hash_value());
        Ok(())
    })
}
