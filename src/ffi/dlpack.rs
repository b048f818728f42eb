//! DLPack: tensors handed to other libraries, without a copy.
//!
//! A managed tensor is a view together with the function that gives its memory back. Whoever is
//! handed one uses the memory for as long as it likes and then calls `tensor->deleter(tensor)`,
//! once, on any thread.
//!
//! There are two forms, `shardspec_managed_tensor` and, for those who know only what was before
//! DLPack 1.0, `shardspec_legacy_managed_tensor`. They have the layouts of DLPack's
//! `DLManagedTensorVersioned` and `DLManagedTensor`, so they may be handed on by a cast.
//!
//! What other libraries hand over is lent to this one with its `deleter` as `release` and itself as
//! `ctx`; `shardspec_sharded_tensor_new_from_managed` does so with many.
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

/// The version of DLPack that managed tensors say they are of.
pub const SHARDSPEC_DLPACK_MAJOR_VERSION: u32 = 1;
/// The version of DLPack that managed tensors say they are of.
pub const SHARDSPEC_DLPACK_MINOR_VERSION: u32 = 0;
/// Flag: the memory must not be written.
pub const SHARDSPEC_DLPACK_FLAG_READ_ONLY: u64 = 1;
/// Flag: the memory is a copy, which nobody else uses.
pub const SHARDSPEC_DLPACK_FLAG_IS_COPIED: u64 = 2;

/// A tensor to hand over. The layout of DLPack's `DLManagedTensorVersioned`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_managed_tensor {
    /// `SHARDSPEC_DLPACK_MAJOR_VERSION`.
    pub major: u32,
    /// `SHARDSPEC_DLPACK_MINOR_VERSION`.
    pub minor: u32,
    /// For `deleter`.
    pub manager_ctx: *mut c_void,
    /// Gives the memory back and frees this struct, which is its argument.
    pub deleter: shardspec_destroy_fn,
    /// `SHARDSPEC_DLPACK_...` flags, or'ed.
    pub flags: u64,
    /// The tensor. Its strides are there, also where it is row-major.
    pub tensor: shardspec_tensor_view,
}

/// A tensor to hand over. The layout of DLPack's `DLManagedTensor`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_legacy_managed_tensor {
    /// The tensor. Its strides are there, also where it is row-major.
    pub tensor: shardspec_tensor_view,
    /// For `deleter`.
    pub manager_ctx: *mut c_void,
    /// Gives the memory back and frees this struct, which is its argument.
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

/// What a managed tensor of either form holds; its `manager_ctx` is the address of this.
struct Lease<T> {
    tensor: T,
    /// What the tensor's view points to.
    _numbers: [Vec<i64>; 2],
    /// Let go when this is dropped, last.
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
    // SAFETY: the lease was allocated above; it is written whole and then kept until its deleter.
    unsafe {
        lease.write(Lease { tensor, _numbers: [shape, strides], _keeper: keeper });
        Ok(&raw mut (*lease).tensor)
    }
}

/// Ends a lease.
unsafe fn end<T>(manager_ctx: *mut c_void) {
    // SAFETY: it is the address of a lease of this form, and the deleter is called once: both are
    // promised by whoever calls it.
    drop(unsafe { Box::from_raw(manager_ctx.cast::<Lease<T>>()) });
}

unsafe extern "C-unwind" fn delete(tensor: *mut c_void) {
    let tensor = tensor.cast::<shardspec_managed_tensor>();
    passing(|| end::<shardspec_managed_tensor>((*tensor).manager_ctx));
}

unsafe extern "C-unwind" fn delete_legacy(tensor: *mut c_void) {
    let tensor = tensor.cast::<shardspec_legacy_managed_tensor>();
    passing(|| end::<shardspec_legacy_managed_tensor>((*tensor).manager_ctx));
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

/// A managed tensor of the memory that `view` describes, to hand to another library. `flags` are
/// `SHARDSPEC_DLPACK_...` flags, or'ed, or 0.
///
/// Ownership: the memory is lent until `release(ctx)`, which may be NULL, is called, exactly once: by
/// the managed tensor's deleter, or before a call that fails returns. `view` itself is copied. The
/// caller hands `*out` on, or calls its deleter. Errors: INVALID_ARGUMENT for other flags,
/// UNSUPPORTED_DEVICE, OVERFLOW, NULL_ARGUMENT,
/// OUT_OF_MEMORY. Threads: any. Since: ABI 0.
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

/// As `shardspec_managed_tensor_new`, in the older form, which has no flags: whoever is handed it may
/// write the memory.
///
/// Ownership, errors, threads: as `shardspec_managed_tensor_new`. Since: ABI 0.
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
