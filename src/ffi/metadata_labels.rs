//! Parts of metadata: the flattened dimensions, the mesh and the names of dimensions.

use std::ffi::c_char;

use crate::ffi::border::guard::{Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::layout::partials_argument;
use crate::ffi::border::pointer::{optional_out, out, slice, text};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::mesh::shardspec_mesh;
use crate::ffi::mesh_layout::shardspec_partial;
use crate::ffi::metadata::shardspec_metadata;
use crate::memory::try_collect_results;

/// Writes which dimensions of the tensor are flattened into one dimension of the shards. The
/// flattened dimensions are the `*dim_count` dimensions from dimension `*first_dim` on. If no
/// dimensions are flattened, both numbers become 0. `first_dim` and `dim_count` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NULL_ARGUMENT if `metadata` is NULL; INVALID_HANDLE.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_get_flattening(
    metadata: *const shardspec_metadata, first_dim: *mut usize, dim_count: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let places = [optional_out("first_dim", first_dim)?, optional_out("dim_count", dim_count)?];
        let flattening = metadata.shards().extents().flattening();
        let dims = flattening.and_then(|flattening| flattening.flattened_dims()).unwrap_or(0..0);
        for (place, value) in places.into_iter().zip([dims.start, dims.len()]) {
            if let Some(place) = place {
                place.set(value);
            }
        }
        Ok(())
    })
}

/// Creates a copy of `metadata` that also has a mesh. Shard i belongs to device i of the mesh. The
/// copy has the same shards as `metadata`. `partials` holds the axes of the mesh that are pending a
/// reduction. With `partial_count` 0, `partials` may be NULL.
///
/// This function is for programs that rebuild metadata from data of another process.
///
/// Ownership: the library copies all arguments. The caller frees `*out`. The caller may free
/// `metadata` and `mesh` before `*out`.
/// Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if the numbers of devices and shards differ, if the placements of a
/// device and its shard differ, if a name in `partials` is not the name of an axis or occurs twice,
/// or if two devices with different shards differ only in their coordinate on a partial axis;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_new_on_mesh(
    metadata: *const shardspec_metadata, mesh: *const shardspec_mesh,
    partials: *const shardspec_partial, partial_count: usize, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let mesh = handle::get("mesh", mesh)?;
        let partials = partials_argument(partials, partial_count)?;
        place.set(handle::insert(metadata.on_mesh(&mesh, &partials)?)?);
        Ok(())
    })
}

/// Creates a copy of `metadata` that has names for the dimensions. `dim_names` holds one text for
/// each of the `ndim` dimensions of the tensor.
///
/// Ownership: the library copies all arguments. The caller frees `*out`. The caller may free
/// `metadata` before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_ARGUMENT if a text
/// is not UTF-8; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_new_with_dim_names(
    metadata: *const shardspec_metadata, dim_names: *const *const c_char, ndim: usize,
    out: *mut *mut shardspec_metadata, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        let names = slice("dim_names", dim_names, ndim)?.iter().enumerate();
        let names = names
            .map(|(dim, &name)| text("dim_names", name).map_err(Refusal::at("dim_names", dim)));
        let names = try_collect_results(names)?;
        place.set(handle::insert(metadata.named(&names)?)?);
        Ok(())
    })
}
