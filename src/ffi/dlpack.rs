//! DLPack: tensors shared with other libraries, without a copy.
//!
//! A managed tensor is a view together with a function that releases its memory. The library that
//! receives a managed tensor may use the memory of this tensor. After the last use, the receiving
//! library calls `tensor->deleter(tensor)` exactly once, on any thread.
//!
//! There are two forms of managed tensors. `shardspec_managed_tensor` has the memory layout of
//! DLPack's `DLManagedTensorVersioned`. `shardspec_legacy_managed_tensor` has the memory layout of
//! `DLManagedTensor`. The legacy form is for libraries that support only versions of DLPack before
//! 1.0. A program may cast pointers between these structs and the structs of DLPack, in both
//! directions.
//!
//! `shardspec_sharded_tensor_new_from_managed` takes managed tensors of other libraries. Some
//! functions take a view, `release` and `ctx`. To pass a managed tensor to these functions, pass
//! its view, its `deleter` as `release`, and the managed tensor itself as `ctx`.
//!
//! Source: `dlpack.h` 1.0.

use std::ffi::c_void;

use crate::ffi::border::callback::{Context, owning};
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::pointer::{input, out};
use crate::ffi::border::views::{c_view, host_view};
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::view::{shardspec_device, shardspec_tensor_view};
use crate::memory::{text, try_collect, try_to_vec, try_uninit};
use crate::model::Error;
use crate::transfer::{HostView, Keeper};
use crate::unwind::passing;

/// The major version of DLPack in the library's managed tensors.
pub const SHARDSPEC_DLPACK_MAJOR_VERSION: u32 = 1;
/// The minor version of DLPack in the library's managed tensors.
pub const SHARDSPEC_DLPACK_MINOR_VERSION: u32 = 0;
/// A flag: the receiving library must not write the memory.
pub const SHARDSPEC_DLPACK_FLAG_READ_ONLY: u64 = 1;
/// A flag: the memory is a copy, and only the receiving library uses it.
pub const SHARDSPEC_DLPACK_FLAG_IS_COPIED: u64 = 2;

/// A managed tensor for another library. The struct has the memory layout of DLPack's
/// `DLManagedTensorVersioned`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_managed_tensor {
    /// `SHARDSPEC_DLPACK_MAJOR_VERSION`.
    pub major: u32,
    /// `SHARDSPEC_DLPACK_MINOR_VERSION`.
    pub minor: u32,
    /// A pointer that `deleter` uses.
    pub manager_ctx: *mut c_void,
    /// A function that releases the memory and frees this struct. The argument of the function is
    /// the struct.
    pub deleter: shardspec_destroy_fn,
    /// `SHARDSPEC_DLPACK_FLAG_...` constants, combined by bitwise OR.
    pub flags: u64,
    /// A view of the tensor. The `strides` of this view are never NULL.
    pub tensor: shardspec_tensor_view,
}

/// A managed tensor for another library. The struct has the memory layout of DLPack's
/// `DLManagedTensor`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_legacy_managed_tensor {
    /// A view of the tensor. The `strides` of this view are never NULL.
    pub tensor: shardspec_tensor_view,
    /// A pointer that `deleter` uses.
    pub manager_ctx: *mut c_void,
    /// A function that releases the memory and frees this struct. The argument of the function is
    /// the struct.
    pub deleter: shardspec_destroy_fn,
}

const _: () = assert!(size_of::<shardspec_managed_tensor>() == 80);
const _: () = assert!(size_of::<shardspec_legacy_managed_tensor>() == 64);

fn check_flags(flags: u64) -> Outcome {
    if flags & !(SHARDSPEC_DLPACK_FLAG_READ_ONLY | SHARDSPEC_DLPACK_FLAG_IS_COPIED) == 0 {
        return Ok(());
    }
    let problem = text!("they are {flags}; pass 0 or SHARDSPEC_DLPACK_... flags");
    Err(Error::invalid("flags", problem).into())
}

/// The owner of a managed tensor's memory, for both forms; `manager_ctx` is its address.
struct Lease<T> {
    tensor: T,
    /// The arrays that the tensor's view points to.
    _numbers: [Vec<i64>; 2],
    /// Released last, when this is dropped.
    _keeper: Keeper,
}

/// Makes a managed tensor of `host`; `form` gives it for a view and the address of its lease.
pub(crate) fn lend<T>(
    host: &HostView, device: shardspec_device, keeper: Keeper,
    form: impl FnOnce(shardspec_tensor_view, *mut c_void) -> T,
) -> Outcome<*mut T> {
    let mut shape = try_to_vec(host.shape())?;
    let mut strides = try_collect(host.element_strides())?;
    let view = c_view(host, device, shape.as_mut_ptr(), strides.as_mut_ptr());
    let lease = Box::into_raw(try_uninit::<Lease<T>>()?).cast::<Lease<T>>();
    let tensor = form(view, lease.cast());
    // SAFETY: `lease` was allocated above for a `Lease`. It is written whole, and then kept until
    // its deleter runs.
    unsafe {
        lease.write(Lease { tensor, _numbers: [shape, strides], _keeper: keeper });
        Ok(&raw mut (*lease).tensor)
    }
}

/// Ends a lease.
///
/// # Safety
///
/// `manager_ctx` is that of a managed tensor of this form which [`lend`] made, and this is the only
/// call for it: the header's contract of a deleter.
unsafe fn end<T>(manager_ctx: *mut c_void) {
    // SAFETY: `manager_ctx` is the address of a `Lease` of this form, which `lend` leaked from a
    // box, and the deleter is called once: the contract of `end`.
    drop(unsafe { Box::from_raw(manager_ctx.cast::<Lease<T>>()) });
}

unsafe extern "C-unwind" fn delete(tensor: *mut c_void) {
    let tensor = tensor.cast::<shardspec_managed_tensor>();
    // SAFETY: `tensor` is the one that has this deleter, which `lend` made in this form, and a deleter is
    // called once: the contract of `end`.
    passing(|| unsafe { end::<shardspec_managed_tensor>((*tensor).manager_ctx) });
}

unsafe extern "C-unwind" fn delete_legacy(tensor: *mut c_void) {
    let tensor = tensor.cast::<shardspec_legacy_managed_tensor>();
    // SAFETY: as in `delete`, `tensor` has this deleter and the older form: the contract of `end`.
    passing(|| unsafe { end::<shardspec_legacy_managed_tensor>((*tensor).manager_ctx) });
}

/// The form of DLPack 1, for [`lend`].
pub(crate) fn versioned(
    flags: u64,
) -> impl FnOnce(shardspec_tensor_view, *mut c_void) -> shardspec_managed_tensor {
    move |tensor, manager_ctx| shardspec_managed_tensor {
        major: SHARDSPEC_DLPACK_MAJOR_VERSION,
        minor: SHARDSPEC_DLPACK_MINOR_VERSION,
        manager_ctx,
        deleter: Some(delete),
        flags,
        tensor,
    }
}

/// The older form, for [`lend`].
pub(crate) fn legacy(
    tensor: shardspec_tensor_view, manager_ctx: *mut c_void,
) -> shardspec_legacy_managed_tensor {
    shardspec_legacy_managed_tensor { tensor, manager_ctx, deleter: Some(delete_legacy) }
}

/// [`lend`] for a view that a caller passed, and what ends the life of its memory.
unsafe fn lend_view<T>(
    view: *const shardspec_tensor_view, memory: Context,
    form: impl FnOnce(shardspec_tensor_view, *mut c_void) -> T,
) -> Outcome<*mut T> {
    let view = input("view", view)?;
    lend(&host_view("view", view)?, view.device, Keeper::of_lease(memory)?, form)
}

/// Creates a managed tensor for another library. The managed tensor uses the memory of `view`.
/// `flags` is 0, or a bitwise OR of `SHARDSPEC_DLPACK_FLAG_...` constants.
///
/// Ownership: the library copies `view`. The library calls `release(ctx)` exactly once. The memory
/// of the view must stay valid until the library calls `release`. The deleter of the managed tensor
/// calls `release`. If the call fails, the library calls `release` before the call returns.
/// `release` may be NULL. The caller passes `*out` to another library, or calls the deleter of
/// `*out`.
/// Calls back: `release`, if the call fails.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `flags` has a bit that no `SHARDSPEC_DLPACK_FLAG_...` constant has;
/// UNSUPPORTED_DEVICE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_managed_tensor_new(
    view: *const shardspec_tensor_view, flags: u64, ctx: *mut c_void,
    release: shardspec_destroy_fn, out: *mut *mut shardspec_managed_tensor,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning(ctx, release, |memory| {
            let place = self::out("out", out)?;
            check_flags(flags)?;
            place.set(lend_view(view, memory, versioned(flags))?);
            Ok(())
        }),
    )
}

/// Creates a managed tensor in the form before DLPack 1.0. The managed tensor uses the memory of
/// `view`. The form before DLPack 1.0 has no flags, so the receiving library may write the memory.
///
/// Ownership: the library copies `view`. The library calls `release(ctx)` exactly once. The memory
/// of the view must stay valid until the library calls `release`. The deleter of the managed tensor
/// calls `release`. If the call fails, the library calls `release` before the call returns.
/// `release` may be NULL. The caller passes `*out` to another library, or calls the deleter of
/// `*out`.
/// Calls back: `release`, if the call fails.
/// Blocks: no.
/// Errors: UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_legacy_managed_tensor_new(
    view: *const shardspec_tensor_view, ctx: *mut c_void, release: shardspec_destroy_fn,
    out: *mut *mut shardspec_legacy_managed_tensor, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning(ctx, release, |memory| {
            let place = self::out("out", out)?;
            place.set(lend_view(view, memory, legacy)?);
            Ok(())
        }),
    )
}
