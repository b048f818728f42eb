//! Specs over a mesh.
//!
//! A cut deals the indices of one dimension to the coordinates of one axis of a mesh. A layout is a
//! list of cuts, applied in order: a second cut of a dimension cuts the pieces of the first. Each
//! axis is used at most once. An axis that no cut uses replicates: its devices have the same
//! elements.
//!
//! The rule of a cut defines the positions of piece j, where n positions are cut into k pieces:
//!
//!   CHUNK     ceil(n / k) each, the last ones shorter or empty: torch.chunk, DTensor, JAX, MPI BLOCK
//!   BALANCED  n / k each, the first n % k one more: numpy.array_split
//!   SIZES     as many as listed
//!   WEIGHTS   in proportion to weights, largest remainders first
//!   CYCLIC    blocks in turn: MPI CYCLIC, ScaLAPACK
//!
//! A granule is a group of neighbouring positions that stay together, such as the rows of an
//! attention head. With repeat r, r neighbouring coordinates have the same piece. Segments are
//! parts of a dimension, each of which is cut separately, such as the three parts of a fused QKV
//! weight. A coordinate has its pieces of all segments, one after the other. A pad lengthens a
//! dimension before it is cut; the added places are holes without elements.
//!
//! 32 query heads and 8 key and value heads of 128 rows each over 16 devices, two of which have the
//! same key and value head:
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

/// The mesh spec behind a handle, if it is one.
fn mesh_spec(spec: &dyn ShardingSpec) -> Outcome<&MeshShardingSpec> {
    Ok(spec.downcast_ref().ok_or_else(|| wrong_type(spec, "a mesh spec"))?)
}

/// The mesh over which a tensor was cut.
fn mesh_of(metadata: &ShardedTensorMetadata) -> Outcome<&Mesh> {
    let what = || text!("metadata: the tensor was not cut over a mesh");
    Ok(metadata.mesh().ok_or_else(|| Error::NotFound { what: what() })?)
}

/// Creates a spec that cuts tensors over a mesh. Shard i belongs to device i. This call checks all
/// that does not depend on a tensor's sizes; `shardspec_spec_build_metadata` checks the rest.
///
/// Ownership: the library copies what it needs. The caller frees `*out`; `mesh` may be freed before
/// it.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an axis is unknown or used twice, or if numbers or lists are not
/// allowed for their axis; ILLEGAL_CUT if `repeat` does not divide the size of the axis;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
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

/// Creates a spec that cuts one dimension over `placement_count` placements: a mesh spec with one
/// axis and one cut. Shard i is at `placements[i]`. The axis is named `cut->axis`, or "devices" if
/// that is NULL.
///
/// Ownership: the library copies what it needs. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `placement_count` is 0, or if numbers or lists in the cut are not
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
/// coordinates. Returns OK, or the status and message with which a spec of that cut would fail. The
/// dimension and the axis of the cut are ignored.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: ILLEGAL_CUT if positions do not divide, sizes do not add up, or a piece does not start
/// at a granule; INVALID_ARGUMENT if numbers or lists are not allowed in a cut; NULL_ARGUMENT,
/// OUT_OF_MEMORY.
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

/// Writes, for each degree of parallelism from 1 to `max_degree`, the first of several cuts that forbids
/// it: `forbidding[k - 1]` becomes the position of the first cut that is illegal over k coordinates, or -1
/// where all `cut_count` cuts are legal. `cuts[i]` cuts `lengths[i]` positions: heads, key and value heads,
/// blocks of a quantised weight, experts. `forbidding` has room for `max_degree` numbers.
/// `shardspec_cut_check` returns the reason.
///
/// A list of sizes or weights is legal at one degree only. Set `repeat` to `SHARDSPEC_REPEAT_AS_NEEDED`
/// where heads may be fewer than coordinates. Neighbouring coordinates then have the same head:
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
/// cut), a length is negative, or `max_degree` is below 1; NULL_ARGUMENT, OUT_OF_MEMORY.
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

/// Writes a handle to the mesh of a mesh spec.
///
/// Ownership: the caller frees `*out`; the spec may be freed before it.
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

/// Writes to `buffer` a text for people that describes a spec, such as "dp=2, tp=4: dimension 0
/// over tp by chunk". The text of a custom spec is the name of its type. Later versions may write
/// another text.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
/// included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
/// written.
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

/// Writes a handle to the mesh over which the tensor was cut. Shard i belongs to device i.
///
/// Ownership: the caller frees `*out`; the metadata may be freed before it.
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

/// Writes the coordinates of a shard on the mesh over which the tensor was cut into `coordinates`,
/// one number for each axis. `coordinates` has room for `capacity` numbers. `*needed` becomes the
/// number of axes; `needed` may be NULL. With capacity 0, `coordinates` may be NULL and only the
/// number is written.
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

/// Writes the name of a dimension into `buffer`: one of the `dim_names` that the metadata was
/// created with.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
/// included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
/// written.
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

/// Writes the number of axes that are pending a reduction. A call that would move elements of such
/// a tensor fails with PARTIAL.
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

/// Writes to `buffer` the name of an axis that is pending a reduction, and to `*reduction` a
/// `SHARDSPEC_REDUCTION_...` constant. `reduction` may be NULL. They are numbered from 0, in the
/// order of the layout.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
/// included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
/// written.
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
