//! Placements: the owner and the device of a shard.
//!
//! The text of a placement has the form that torch uses: "rank:1/cuda:0", "trainer0/cpu", "cuda:1".
//! A text without a device means the device "cpu". Most functions take placements as texts.
//! Functions with names that end in `_with_placement_handles` take handles of placements. The
//! handle of a custom placement is also allowed. The functions of this section create placements
//! and return parts of placements.
//!
//! Source: `torch.distributed._remote_device` and `DevicePlacementSpec`.

use std::ffi::c_char;
use std::hash::Hash;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{answer_text, out, text};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::text;
use crate::model::stable_hash::stable_hash;
use crate::model::{Device, Error, Placement};

/// "cpu". Device types have the numbers of torch's `c10::DeviceType`.
pub const SHARDSPEC_DEVICE_CPU: i32 = 0;
/// "cuda".
pub const SHARDSPEC_DEVICE_CUDA: i32 = 1;
/// "mkldnn".
pub const SHARDSPEC_DEVICE_MKLDNN: i32 = 2;
/// "opengl".
pub const SHARDSPEC_DEVICE_OPENGL: i32 = 3;
/// "opencl".
pub const SHARDSPEC_DEVICE_OPENCL: i32 = 4;
/// "ideep".
pub const SHARDSPEC_DEVICE_IDEEP: i32 = 5;
/// "hip".
pub const SHARDSPEC_DEVICE_HIP: i32 = 6;
/// "fpga".
pub const SHARDSPEC_DEVICE_FPGA: i32 = 7;
/// "maia".
pub const SHARDSPEC_DEVICE_MAIA: i32 = 8;
/// "xla".
pub const SHARDSPEC_DEVICE_XLA: i32 = 9;
/// "vulkan".
pub const SHARDSPEC_DEVICE_VULKAN: i32 = 10;
/// "xpu".
pub const SHARDSPEC_DEVICE_XPU: i32 = 12;
/// "mps".
pub const SHARDSPEC_DEVICE_MPS: i32 = 13;
/// "meta".
pub const SHARDSPEC_DEVICE_META: i32 = 14;
/// "hpu".
pub const SHARDSPEC_DEVICE_HPU: i32 = 15;
/// "ve".
pub const SHARDSPEC_DEVICE_VE: i32 = 16;
/// "lazy".
pub const SHARDSPEC_DEVICE_LAZY: i32 = 17;
/// "ipu".
pub const SHARDSPEC_DEVICE_IPU: i32 = 18;
/// "mtia".
pub const SHARDSPEC_DEVICE_MTIA: i32 = 19;
/// "privateuseone".
pub const SHARDSPEC_DEVICE_PRIVATEUSEONE: i32 = 20;

/// A placement, behind a handle. The object is immutable. Free the handle with
/// `shardspec_placement_free`.
pub struct shardspec_placement {
    _opaque: [u8; 0],
}

impl Handle for shardspec_placement {
    type Object = Placement;
    const NAME: &'static str = "shardspec_placement";
    const KIND: u64 = 1;

    fn table() -> &'static SlotMap<Placement> {
        static TABLE: SlotMap<Placement> = SlotMap::new();
        &TABLE
    }
}

/// The device, where the placement has one that is known.
fn device_of(placement: &Placement) -> Outcome<Device> {
    let what = || {
        text!(
            "placement: '{placement}' is of type '{}'; its device is not known",
            placement.type_name()
        )
    };
    Ok(placement.device().ok_or_else(|| Error::NotFound { what: what() })?)
}

/// Creates a placement from a text. The text has one of these forms: "rank:<n>/<device>",
/// "rank:<n>", "<worker>/<device>", "<worker>" or "<device>".
///
/// A device is "<type>" or "<type>:<index>" with an index from 0 to 127. The number n must fit in a
/// signed 64-bit integer. A text without '/' may be a device or "rank:<n>". Every other text
/// without '/' is the name of a worker. A worker's name must not contain ':' or control characters.
///
/// Ownership: the caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a text is not UTF-8; INVALID_PLACEMENT, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_parse(
    text: *const c_char, out: *mut *mut shardspec_placement, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::insert(Placement::parse(self::text("text", text)?)?)?);
        Ok(())
    })
}

/// Frees a placement. NULL is allowed. Specs and metadata that were made with the placement stay
/// valid.
///
/// Ownership: the caller gives up `placement`.
/// Calls back: `destroy`, if nothing else uses the object.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
/// Threads: any. Calls that run on other threads with this handle complete normally.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_free(
    placement: *mut shardspec_placement, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || handle::free("placement", placement))
}

/// Writes the canonical text of a placement into `buffer`. The canonical text always has a device:
/// "rank:1" becomes "rank:1/cpu". A custom placement has the text that was passed to
/// `shardspec_placement_new_custom`.
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
pub unsafe extern "C-unwind" fn shardspec_placement_text(
    placement: *const shardspec_placement, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let placement = handle::get("placement", placement)?;
        answer_text(buffer, capacity, needed, &*placement)
    })
}

/// Writes the name of the placement's type into `buffer`. The name is "device", or the type name of
/// a custom placement.
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
pub unsafe extern "C-unwind" fn shardspec_placement_type_name(
    placement: *const shardspec_placement, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let placement = handle::get("placement", placement)?;
        answer_text(buffer, capacity, needed, placement.type_name())
    })
}

/// Writes to `*out` the rank of the placement, or -1 if the placement has no rank.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_rank(
    placement: *const shardspec_placement, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(handle::get("placement", placement)?.rank().unwrap_or(-1));
        Ok(())
    })
}

/// Writes into `buffer` the name of the placement's worker.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the placement has no worker; BUFFER_TOO_SMALL if `capacity` is too small
/// (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_worker_name(
    placement: *const shardspec_placement, buffer: *mut c_char, capacity: usize,
    needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let placement = handle::get("placement", placement)?;
        let what = || text!("placement: '{}' names no worker", *placement);
        let name = placement.worker_name().ok_or_else(|| Error::NotFound { what: what() })?;
        answer_text(buffer, capacity, needed, name)
    })
}

/// Writes to `*out` the type of the placement's device. The type is a `SHARDSPEC_DEVICE_...`
/// constant.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the placement is custom; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_device_type(
    placement: *const shardspec_placement, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(device_of(&*handle::get("placement", placement)?)?.device_type() as i32);
        Ok(())
    })
}

/// Writes to `*out` the index of the placement's device, or -1 if the device has no index.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if the placement is custom; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_device_index(
    placement: *const shardspec_placement, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let device = device_of(&*handle::get("placement", placement)?)?;
        place.set(device.index().map_or(-1, i32::from));
        Ok(())
    })
}

/// Writes 1 to `*out` if two placements are equal, else 0. Built-in placements are equal if their
/// canonical texts are equal. To compare two custom placements with the same type and rank, the
/// library calls the type's `equal` function. Placements of different types or ranks are never
/// equal.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_equal(
    a: *const shardspec_placement, b: *const shardspec_placement, out: *mut i32,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set((*handle::get("a", a)? == *handle::get("b", b)?).into());
        Ok(())
    })
}

/// Writes a hash of the placement to `*out`. Equal placements have equal hashes in all processes
/// that use the same version of the library.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `hash` of a custom placement; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_placement_hash(
    placement: *const shardspec_placement, out: *mut u64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let placement = handle::get("placement", placement)?;
        place.set(stable_hash(|hasher| placement.hash(hasher)));
        Ok(())
    })
}
