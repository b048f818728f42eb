//! Descriptors of ScaLAPACK. In the header they are part of the section on notations.

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer, out, slice};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::mesh::shardspec_mesh;
use crate::ffi::mesh_spec::mesh_spec;
use crate::ffi::spec::{give, shardspec_spec};
use crate::memory::text;
use crate::model::Error;
use crate::notation::{format_descriptor, numroc, parse_descriptor};

/// Number of entries of a descriptor of ScaLAPACK: DTYPE, CTXT, M, N, MB, NB, RSRC, CSRC and LLD.
pub const SHARDSPEC_SCALAPACK_ENTRY_COUNT: usize = 9;

/// Creates the spec of a matrix that a descriptor of ScaLAPACK describes. `descriptor` holds the
/// nine entries of the descriptor, and `entry_count` is 9. `mesh` is the grid of processes. The
/// coordinate on the first axis is the row of the grid, and the coordinate on the second axis is
/// the column. The descriptor belongs to the process on device `device` of `mesh`. The function
/// checks the LLD of this process. The function ignores the context CTXT.
///
/// The spec is a mesh spec with a cyclic cut of each dimension. M and N are the sizes of the
/// tensor. Pass M and N to `shardspec_spec_build_metadata`. The local matrix is column-major with
/// leading dimension LLD, so its view has the strides 1 and LLD.
///
/// Ownership: the library copies all arguments. The caller frees `*out`. The caller may free `mesh`
/// before `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if an entry is wrong (the message has its name, its value and its
/// number from 1 to 9, and the error's `index` is its position from 0 to 8), if `entry_count` is
/// not 9, or if the mesh does not have 2 axes; INDEX_OUT_OF_RANGE if the mesh does not have the
/// device; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: `DESCINIT` of ScaLAPACK.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_scalapack(
    descriptor: *const i64, entry_count: usize, mesh: *const shardspec_mesh, device: usize,
    out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let entries = slice("descriptor", descriptor, entry_count)?;
        let Ok(entries) = <&[i64; SHARDSPEC_SCALAPACK_ENTRY_COUNT]>::try_from(entries) else {
            let problem = text!("{entry_count}; a descriptor of a dense matrix has 9 entries");
            return Err(Error::invalid("entry_count", problem).into());
        };
        let mesh = handle::get("mesh", mesh)?;
        give(place, parse_descriptor(entries, mesh.clone(), device)?)
    })
}

/// Writes a descriptor of ScaLAPACK into `descriptor`. The descriptor describes a matrix with
/// `rows` rows and `columns` columns. The mesh of the spec must have 2 axes. The descriptor belongs
/// to the process on device `device` of this mesh. A cyclic cut of dimension 0 over the first axis
/// gives MB and RSRC. A cyclic cut of dimension 1 over the second axis gives NB and CSRC. A cut by
/// the rule CHUNK gives blocks of the size of a chunk. CTXT becomes `context`. LLD becomes the
/// number of rows of the process, or 1 if the process has no rows. If the starts of neighbouring
/// columns are more than LLD elements apart in memory, the program must increase LLD.
///
/// `descriptor` has `capacity` elements. `*needed` becomes 9. `needed` may be NULL. With capacity
/// 0, only `*needed` is written, and `descriptor` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if no descriptor describes the layout (the message names the part of the
/// layout); WRONG_SPEC_TYPE if the spec is not a mesh spec; INVALID_ARGUMENT if the mesh does not
/// have 2 axes or a size is negative; INVALID_DIM if a third dimension is cut; INDEX_OUT_OF_RANGE
/// if the mesh does not have the device; BUFFER_TOO_SMALL if `capacity` is too small (the error's
/// `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: `DESCINIT` of ScaLAPACK.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_get_scalapack(
    spec: *const shardspec_spec, rows: i64, columns: i64, context: i64, device: usize,
    descriptor: *mut i64, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        let entries = format_descriptor(mesh_spec(&**spec)?, [rows, columns], context, device)?;
        answer("descriptor", descriptor, capacity, needed, &entries)
    })
}

/// Writes to `*out` the number of rows or columns of the process at coordinate `iproc`. There are
/// `n` rows or columns, in blocks of `nb`, and `nprocs` coordinates. Coordinate `isrcproc` receives
/// the first block, the next coordinate receives the second block, and so on.
///
/// Ownership: the caller keeps `out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `n` or a coordinate is below 0, or if `nb` or `nprocs` is below 1;
/// INDEX_OUT_OF_RANGE if a coordinate is not below `nprocs`; NULL_ARGUMENT.
/// Threads: any.
/// Source: `NUMROC` of ScaLAPACK.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_numroc(
    n: i64, nb: i64, iproc: i64, isrcproc: i64, nprocs: i64, out: *mut i64,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(numroc(n, nb, iproc, isrcproc, nprocs)?);
        Ok(())
    })
}
