//! Meshes: placements in a grid with named axes.
//!
//! A mesh is a grid of devices. Each axis of the grid has a name and a size. Each device has one
//! placement. Devices are numbered in row-major order: the last axis varies fastest. In a mesh with
//! the axes "dp" of size 2 and "tp" of size 4, device 5 has coordinate 1 on both axes.
//! `shardspec_spec_new_mesh` creates a spec that cuts tensors over a mesh.
//!
//! Source: torch's `DeviceMesh` and `jax.sharding.Mesh`.

use std::ffi::c_char;
use std::hash::Hash;

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{Out, answer, answer_by, answer_text, out, slice, text};
use crate::ffi::border::shards::{placements_from_handles, placements_from_texts};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::placement::shardspec_placement;
use crate::memory::try_with_capacity;
use crate::model::stable_hash::stable_hash;
use crate::model::{Error, Mesh, Placements};

/// A mesh, behind a handle. The object is immutable. Free the handle with `shardspec_mesh_free`.
pub struct shardspec_mesh {
    _opaque: [u8; 0],
}

impl Handle for shardspec_mesh {
    type Object = Mesh;
    const NAME: &'static str = "shardspec_mesh";
    const KIND: u64 = 10;

    fn table() -> &'static SlotMap<Mesh> {
        static TABLE: SlotMap<Mesh> = SlotMap::new();
        &TABLE
    }
}

/// The names and sizes of `ndim` axes.
unsafe fn axes_argument<'a>(
    names: *const *const c_char, sizes: *const i64, ndim: usize,
) -> Outcome<Vec<(&'a str, i64)>> {
    let names = slice("axis_names", names, ndim)?;
    let sizes = slice("axis_sizes", sizes, ndim)?;
    let mut axes = try_with_capacity(ndim)?;
    for (at, (&name, &size)) in names.iter().zip(sizes).enumerate() {
        let name = text("axis_names", name).map_err(Refusal::at("axis_names", at))?;
        axes.push((name, size));
    }
    Ok(axes)
}

/// Hands a mesh to the caller.
pub(crate) fn give_mesh(place: Out<'_, *mut shardspec_mesh>, mesh: Mesh) -> Outcome {
    place.set(handle::insert(mesh)?);
    Ok(())
}

/// Creates a mesh of `ndim` axes. `axis_names` holds `ndim` different texts. `axis_sizes` holds
/// `ndim` sizes of at least 1. `placements` holds one text for each device, in row-major order of
/// the devices. Ranks may be in any order in `placements`, and several devices may have the same
/// placement. With `placement_count` 0, the placements are "rank:0", "rank:1" and so on, and
/// `placements` may be NULL. With `ndim` 0, the mesh has one device.
///
/// Memory: the mesh keeps at most 28 bytes for each device, plus the names of workers.
/// Time: proportional to the number of devices.
/// Ownership: the library copies the texts. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a name is empty or occurs twice, a size is below 1, there are more
/// than 32 axes, or `placement_count` is neither 0 nor the number of devices; OVERFLOW if there are
/// more than 4294967295 devices; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_new(
    axis_names: *const *const c_char, axis_sizes: *const i64, ndim: usize,
    placements: *const *const c_char, placement_count: usize, out: *mut *mut shardspec_mesh,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let axes = axes_argument(axis_names, axis_sizes, ndim)?;
        if placement_count == 0 {
            return give_mesh(place, Mesh::new(&axes)?);
        }
        let placements = placements_from_texts(placements, placement_count)?;
        let placements = Placements::new(placements.into_iter())?;
        give_mesh(place, Mesh::with_placements(&axes, placements)?)
    })
}

/// Creates a mesh of `ndim` axes from handles of placements. `axis_names` holds `ndim` different
/// texts. `axis_sizes` holds `ndim` sizes of at least 1. `placements` holds one handle for each
/// device, in row-major order of the devices. Custom placements are allowed.
///
/// Ownership: the library copies the texts. The caller keeps the handles and frees `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a name is empty or occurs twice, a size is below 1, there are more
/// than 32 axes, or `placement_count` is not the number of devices; OVERFLOW if there are more than
/// 4294967295 devices; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_new_with_placement_handles(
    axis_names: *const *const c_char, axis_sizes: *const i64, ndim: usize,
    placements: *const *const shardspec_placement, placement_count: usize,
    out: *mut *mut shardspec_mesh, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let axes = axes_argument(axis_names, axis_sizes, ndim)?;
        let placements = placements_from_handles(placements, placement_count)?;
        let placements = Placements::new(placements.into_iter())?;
        give_mesh(place, Mesh::with_placements(&axes, placements)?)
    })
}

/// Creates a mesh of the devices that have the coordinate `coordinate` on the axis `axis`. The new
/// mesh has all axes of `mesh` except `axis`, in the same order.
///
/// Ownership: the caller frees `*out`. The caller may free `mesh` before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if no axis has that name; INDEX_OUT_OF_RANGE if the coordinate is past
/// the end of the axis; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_new_submesh(
    mesh: *const shardspec_mesh, axis: *const c_char, coordinate: usize,
    out: *mut *mut shardspec_mesh, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let mesh = handle::get("mesh", mesh)?;
        give_mesh(place, mesh.fix(text("axis", axis)?, coordinate)?)
    })
}

/// Frees a mesh. NULL is allowed. Specs and metadata made with the mesh stay valid.
///
/// Ownership: the caller gives up `mesh`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_free(
    mesh: *mut shardspec_mesh, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("mesh", mesh))
}

/// Writes to `*out` the number of axes.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_ndim(
    mesh: *const shardspec_mesh, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("mesh", mesh)?.ndim());
        Ok(())
    })
}

/// Writes to `*out` the number of devices, which is the product of the axes' sizes. A mesh without
/// axes has 1 device.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_device_count(
    mesh: *const shardspec_mesh, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("mesh", mesh)?.device_count());
        Ok(())
    })
}

/// Writes the name of the axis with the index `axis` into `buffer`.
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
pub unsafe extern "C-unwind" fn shardspec_mesh_axis_name(
    mesh: *const shardspec_mesh, axis: usize, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let mesh = handle::get("mesh", mesh)?;
        let (index, count) = (axis as u64, mesh.ndim() as u64);
        let found = mesh.axes().get(axis);
        let out_of_range = || Error::IndexOutOfRange { argument: "axis", index, count };
        answer_text(buffer, capacity, needed, found.ok_or_else(out_of_range)?.name())
    })
}

/// Writes the sizes of the axes into `sizes`. `sizes` has room for `capacity` numbers. `*needed`
/// becomes the number of axes. `needed` may be NULL. With capacity 0, only `*needed` is written,
/// and `sizes` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_get_axis_sizes(
    mesh: *const shardspec_mesh, sizes: *mut i64, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let mesh = handle::get("mesh", mesh)?;
        let values = mesh.axes().iter().map(|axis| axis.size() as i64);
        answer_by("sizes", sizes, capacity, needed, mesh.ndim(), |place| place.fill_with(values))
    })
}

/// Creates a handle for the placement of the device `device`.
///
/// Ownership: the caller frees `*out`.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_placement(
    mesh: *const shardspec_mesh, device: usize, out: *mut *mut shardspec_placement,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let mesh = handle::get("mesh", mesh)?;
        let (index, count) = (device as u64, mesh.device_count() as u64);
        let out_of_range = || Error::IndexOutOfRange { argument: "device", index, count };
        let placement = mesh.placements().get(device).ok_or_else(out_of_range)?;
        place.set(handle::insert(placement.clone())?);
        Ok(())
    })
}

/// Writes the coordinates of the device `device` into `coordinates`. There is one number for each
/// axis. `coordinates` has room for `capacity` numbers. `*needed` becomes the number of axes.
/// `needed` may be NULL. With capacity 0, only `*needed` is written, and `coordinates` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_get_coordinates(
    mesh: *const shardspec_mesh, device: usize, coordinates: *mut usize, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let own = handle::get("mesh", mesh)?.coordinates(device)?;
        answer("coordinates", coordinates, capacity, needed, &own)
    })
}

/// Writes to `buffer` a text with the names and sizes of the axes, such as "dp=2, tp=4". For a mesh
/// without axes, the text is "one device".
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
pub unsafe extern "C-unwind" fn shardspec_mesh_text(
    mesh: *const shardspec_mesh, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || answer_text(buffer, capacity, needed, &*handle::get("mesh", mesh)?))
}

/// Writes 1 to `*out` if two meshes are equal, else 0. Equal meshes have the same axes (names and
/// sizes) and the same placements, in the same order.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_equal(
    a: *const shardspec_mesh, b: *const shardspec_mesh, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set((*handle::get("a", a)? == *handle::get("b", b)?).into());
        Ok(())
    })
}

/// Writes a hash of the mesh to `*out`. Equal meshes have equal hashes in all processes that use
/// the same version of the library.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `hash` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_mesh_hash(
    mesh: *const shardspec_mesh, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let mesh = handle::get("mesh", mesh)?;
        place.set(stable_hash(|hasher| mesh.hash(hasher)));
        Ok(())
    })
}
