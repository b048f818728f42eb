//! Specs over a mesh.
//!
//! A cut divides the indices of one dimension among the coordinates of one axis of a mesh. The
//! indices of one coordinate form a piece. The indices of a dimension are also called positions. A
//! layout has a list of cuts, which the library applies in order. A second cut of a dimension cuts
//! the pieces of the first cut. Each axis has at most one cut. The tensor is replicated over an
//! axis that no cut uses: the devices along that axis have the same elements.
//!
//! The rule of a cut defines which positions each piece has. The list shows how each rule cuts n
//! positions into k pieces:
//!
//!   CHUNK     ceil(n / k) each, the last ones shorter or empty: torch.chunk, DTensor, JAX, MPI BLOCK
//!   BALANCED  n / k each, and one more for each of the first n % k pieces: numpy.array_split
//!   SIZES     as many as listed
//!   WEIGHTS   in proportion to weights, largest remainders first
//!   CYCLIC    blocks in turn: MPI CYCLIC, ScaLAPACK
//!
//! A granule is a group of neighbouring positions. A cut gives all positions of a granule to one
//! piece. For example, the rows of one attention head can be a granule. With repeat r, r
//! neighbouring coordinates have the same piece. Segments are parts of a dimension, such as the
//! three parts of a fused QKV weight. The library cuts each segment separately. Each coordinate has
//! one piece of each segment, in the order of the segments. A pad lengthens a dimension before the
//! library cuts the dimension. The added positions are holes: places of a buffer that hold no
//! element.
//!
//! This example cuts 32 query heads, 8 key heads and 8 value heads over 16 devices. A head has 128
//! rows. Each key head is on two devices, and each value head is on two devices:
//!
//!   const char *axes[] = {"tp"};
//!   const int64_t devices[] = {16}, shape[] = {6144, 4096};
//!   shardspec_segment qkv[] = {SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT};
//!   qkv[0].size = 4096;
//!   qkv[1].size = qkv[2].size = 1024;
//!   qkv[1].repeat = qkv[2].repeat = 2;
//!   shardspec_cut cut = SHARDSPEC_CUT_INIT;
//!   cut.axis = "tp";
//!   cut.granule = 128;
//!   cut.segments = qkv;
//!   cut.segment_count = 3;
//!   shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
//!   layout.cuts = &cut;
//!   layout.cut_count = 1;
//!   shardspec_mesh_new(axes, devices, 1, NULL, 0, &mesh, &err);
//!   shardspec_spec_new_mesh(mesh, &layout, &spec, &err);
//!   shardspec_spec_build_metadata(spec, shape, 2, NULL, &metadata, &err);
//!
//! Source: DTensor's placements, `jax.sharding.NamedSharding`, MPI's darray.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::layout::{
    cut_argument, cuts_argument, dim_argument, layout_argument, number_of,
};
use crate::ffi::border::pointer::{answer, answer_text, optional_out, out, out_slice, slice};
use crate::ffi::border::shards::placements_from_texts;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::mesh::{give_mesh, shardspec_mesh};
use crate::ffi::mesh_layout::{shardspec_cut, shardspec_mesh_layout};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::spec::{give, shardspec_spec, wrong_type};
use crate::memory::{text, try_collect, try_with_capacity};
use crate::model::{
    Error, LengthCut, Mesh, MeshCut, MeshLayout, MeshShardingSpec, Placements,
    ShardedTensorMetadata, ShardingSpec, check_degrees,
};

/// The mesh spec behind a handle, if the spec is a mesh spec.
pub(crate) fn mesh_spec(spec: &dyn ShardingSpec) -> Outcome<&MeshShardingSpec> {
    Ok(spec.downcast_ref().ok_or_else(|| wrong_type(spec, "a mesh spec"))?)
}

/// The mesh of a tensor's layout.
fn mesh_of(metadata: &ShardedTensorMetadata) -> Outcome<&Mesh> {
    let what = || text!("metadata: the tensor was not cut over a mesh");
    Ok(metadata.mesh().ok_or_else(|| Error::NotFound { what: what() })?)
}

/// Creates a spec that cuts tensors over a mesh. Shard i belongs to device i. This function makes
/// all checks that do not need the sizes of a tensor. `shardspec_spec_build_metadata` makes the
/// checks that need the sizes.
///
/// Ownership: the library copies all arguments. The caller frees `*out`. The caller may free `mesh`
/// before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an axis is unknown or used twice, or if a number or a list of a cut
/// is not allowed for the size of its axis; ILLEGAL_CUT if `repeat` does not divide the size of the
/// axis; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_mesh(
    mesh: *const shardspec_mesh, layout: *const shardspec_mesh_layout,
    out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let mesh = handle::get("mesh", mesh)?;
        give(place, MeshShardingSpec::new(mesh.clone(), layout_argument(layout)?)?)
    })
}

/// Creates a spec that cuts one dimension over `placement_count` placements. The result is a mesh
/// spec with one axis and one cut. Shard i has the placement `placements[i]`. The name of the axis
/// is `cut->axis`, or "devices" if `cut->axis` is NULL.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `placement_count` is 0, or if a number or a list of the cut is not
/// allowed for this number of placements; ILLEGAL_CUT if `repeat` does not divide
/// `placement_count`; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_cut(
    cut: *const shardspec_cut, placements: *const *const c_char, placement_count: usize,
    out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let (fields, axis, cut) = cut_argument(cut)?;
        let axis = axis.unwrap_or("devices");
        let placements = placements_from_texts(placements, placement_count)?;
        if placements.is_empty() {
            return Err(Error::invalid("placements", "there are none; pass at least one").into());
        }
        let count = i64::try_from(placements.len()).unwrap_or(i64::MAX);
        cut.check(count)?;
        let placements = Placements::new(placements.into_iter())?;
        let mesh = Mesh::with_placements(&[(axis, count)], placements)?;
        let dim = dim_argument(fields.dim, fields.dim_name)?;
        let mut cuts = try_with_capacity(1)?;
        cuts.push(MeshCut::new(dim, axis, cut)?);
        let layout = MeshLayout { cuts, ..MeshLayout::default() };
        give(place, MeshShardingSpec::new(mesh, layout)?)
    })
}

/// Checks whether `cut` is legal for a dimension of `length` positions and an axis of `count`
/// coordinates. The function returns SHARDSPEC_OK for a legal cut. For an illegal cut, the function
/// returns the status and the message that `shardspec_spec_build_metadata` returns for this cut.
/// The function ignores the dimension and the axis of the cut.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: ILLEGAL_CUT if `repeat` does not fit `count`, the sizes do not add up to `length`, a
/// piece starts inside of a granule, a cyclic rule cuts more than 65,536 equal segments, or if
/// `even` is 1 and the positions do not divide into equal pieces of whole granules;
/// INVALID_ARGUMENT if a number or a list is not allowed in a cut; NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_cut_check(
    cut: *const shardspec_cut, length: i64, count: i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (_, _, cut) = cut_argument(cut)?;
        Ok(cut.check_length(length, count)?)
    })
}

/// Checks for each degree of parallelism from 1 to `max_degree` whether all cuts in `cuts` are
/// legal. `cuts[i]` cuts `lengths[i]` positions, such as heads, blocks of a quantised weight or
/// experts. For degree k, the function checks each cut over k coordinates. `forbidding[k - 1]`
/// becomes the index in `cuts` of the first cut that is illegal for degree k. If all `cut_count`
/// cuts are legal for degree k, `forbidding[k - 1]` becomes -1. `forbidding` has room for
/// `max_degree` numbers. `shardspec_cut_check` returns the reason for an illegal cut.
///
/// A cut with a list of sizes or weights can be legal for only one degree: the number of listed
/// values times `repeat`. A cut with `repeat` = `SHARDSPEC_REPEAT_AS_NEEDED` may have fewer
/// positions than coordinates. For example, with 8 heads on 16 coordinates, two neighbouring
/// coordinates have the same head. An example of a call:
///
///   shardspec_cut cuts[] = {SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT};
///   const int64_t lengths[] = {32, 8, 4096};     // heads, key and value heads, hidden size
///   cuts[0].even = cuts[1].even = cuts[2].even = 1;
///   cuts[1].repeat = SHARDSPEC_REPEAT_AS_NEEDED;
///   cuts[2].granule = 128;                       // a block of the quantised weight
///   shardspec_cuts_check_degrees(cuts, lengths, 3, 32, forbidding, &err);  // legal: 1, 2, 4, 8, 16, 32
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a cut has numbers that no degree allows (the error's `index` is the
/// position of the cut), a length is negative, or `max_degree` is below 1; NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_cuts_check_degrees(
    cuts: *const shardspec_cut, lengths: *const i64, cut_count: usize, max_degree: i64,
    forbidding: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let room = usize::try_from(max_degree).unwrap_or(0);
        let place = out_slice("forbidding", forbidding, room)?;
        let lengths = slice("lengths", lengths, cut_count)?;
        let cuts = cuts_argument(cuts, cut_count)?;
        let lengths = cuts.iter().zip(lengths).map(|(cut, &length)| LengthCut { length, cut });
        let found = check_degrees(&try_collect(lengths)?, max_degree)?;
        place.fill_with(found.into_iter().map(|cut| cut.map_or(-1, |number| number as i64)));
        Ok(())
    })
}

/// Creates a handle for the mesh of a mesh spec.
///
/// Ownership: the caller frees `*out`. The caller may free the spec before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: WRONG_SPEC_TYPE if the spec is not a mesh spec; INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_mesh(
    spec: *const shardspec_spec, out: *mut *mut shardspec_mesh, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let spec = handle::get("spec", spec)?;
        give_mesh(place, mesh_spec(&**spec)?.mesh().clone())
    })
}

/// Writes to `buffer` a readable description of a spec, such as "dp=2, tp=4: dimension 0 over tp by
/// chunk". The text of a custom spec is the name of its type. Later versions of the library may
/// write other texts.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_text(
    spec: *const shardspec_spec, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        let spec: &dyn ShardingSpec = &**spec;
        answer_text(buffer, capacity, needed, spec)
    })
}

/// Creates a handle for the mesh of the tensor's layout. Shard i belongs to device i of the mesh.
///
/// Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the tensor was not cut over a mesh; INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_mesh(
    metadata: *const shardspec_metadata, out: *mut *mut shardspec_mesh, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = handle::get("metadata", metadata)?;
        give_mesh(place, mesh_of(&metadata)?.clone())
    })
}

/// Writes into `coordinates` the coordinates of shard `shard` on the mesh of the tensor's layout.
/// There is one number for each axis of the mesh. `coordinates` has room for `capacity` numbers.
/// `*needed` becomes the number of axes. `needed` may be NULL. With capacity 0, only `*needed` is
/// written, and `coordinates` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the tensor was not cut over a mesh; BUFFER_TOO_SMALL if `capacity` is too
/// small (the error's `limit` is the capacity needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_get_coordinates(
    metadata: *const shardspec_metadata, shard: usize, coordinates: *mut usize, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let mesh = mesh_of(&metadata)?;
        metadata.shards().at("shard", shard)?;
        answer("coordinates", coordinates, capacity, needed, &mesh.coordinates(shard)?)
    })
}

/// Writes the name of dimension `dim` into `buffer`. The name comes from the `dim_names` that the
/// metadata was created with.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the dimensions have no names; BUFFER_TOO_SMALL if `capacity` is too small
/// (the error's `limit` is the capacity needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_dim_name(
    metadata: *const shardspec_metadata, dim: usize, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        let (index, count) = (dim as u64, metadata.ndim() as u64);
        if index >= count {
            return Err(Error::IndexOutOfRange { argument: "dim", index, count }.into());
        }
        let what = || text!("metadata: the dimensions of the tensor have no names");
        let name = metadata.dim_names().and_then(|names| names.get(dim));
        answer_text(buffer, capacity, needed, name.ok_or_else(|| Error::NotFound { what: what() })?)
    })
}

/// Writes to `*out` the number of axes that are pending a reduction. If the number is not 0, calls
/// that move elements of the tensor fail with PARTIAL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_partial_count(
    metadata: *const shardspec_metadata, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("metadata", metadata)?.partial().len());
        Ok(())
    })
}

/// Writes to `buffer` the name of an axis that is pending a reduction. `*reduction` becomes a
/// `SHARDSPEC_REDUCTION_...` constant. `reduction` may be NULL. `index` is the number of the axis
/// among the partial axes, counted from 0 in the order of the layout.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
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
pub unsafe extern "C-unwind" fn shardspec_metadata_partial(
    metadata: *const shardspec_metadata, index: usize, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, reduction: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = optional_out("reduction", reduction)?;
        let metadata = handle::get("metadata", metadata)?;
        let partial = metadata.partial();
        let (at, count) = (index as u64, partial.len() as u64);
        let out_of_range = || Error::IndexOutOfRange { argument: "index", index: at, count };
        let partial = partial.get(index).ok_or_else(out_of_range)?;
        answer_text(buffer, capacity, needed, &partial.axis)?;
        if let Some(place) = place {
            place.set(number_of(partial.reduction));
        }
        Ok(())
    })
}
