//! Custom ops.
//!
//! An op is a function that a program registers for a type of spec. Callers of an op pass a spec of
//! this type. An op corresponds to torch's `custom_sharding_spec_op`. Two names identify an op. The
//! first name is the type of the spec: "chunk", "enumerable", "mesh", or a custom type. The second
//! name is the op's own name, such as "acme.embedding". A name is any text without control
//! characters. An op can be registered before a spec of the type exists.
//!
//!   shardspec_op_register -> shardspec_op_dispatch, or shardspec_op_look_up once and shardspec_op_call
//!                         -> shardspec_op_unregister
//!
//! A `shardspec_op *` identifies a registration. The caller does not free this handle. After the
//! registration has ended, the library refuses the handle with SHARDSPEC_INVALID_HANDLE.
//!
//! Ops are callbacks. All rules for callbacks apply, and also these rules:
//!
//! - An op may call any function of this header, and may call itself. An op may register,
//!   unregister and dispatch other ops. An op may free the handles that it received as arguments.
//! - When `shardspec_op_unregister` returns SHARDSPEC_OK, all calls of the op have ended, no
//!   further call can begin, and the op's `destroy` has returned. Outside of all ops,
//!   `shardspec_op_unregister` waits for calls of the op on other threads.
//! - Inside of an op, `shardspec_op_unregister` does not wait. If an op unregisters itself, the
//!   function fails with SHARDSPEC_BUSY and changes nothing. If an op unregisters another op, and
//!   calls of the other op are still running on other threads, the function also fails with
//!   SHARDSPEC_BUSY. Two ops that unregister each other on two threads therefore do not deadlock.
//!   After SHARDSPEC_BUSY, call `shardspec_op_unregister` again later, or outside of all ops.
//! - An op may itself wait for another thread, for example with a join. The library can't detect
//!   such a wait. The thread that the op waits for must not unregister the op. If that thread
//!   unregisters the op, both threads wait without end.
//! - While a program replaces an op, one of the two ops is always registered under the two names.
//!   New calls use the new op while the last calls of the old op finish.
//! - In a child process after fork, only the calls of the thread that called fork are still
//!   running.

use std::ffi::{c_char, c_void};
use std::fmt::{self, Display};
use std::mem::MaybeUninit;

use crate::ffi::border::callback::{Context, Success, call, owning};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{answer_text, optional_out, out, out_slice, text};
use crate::ffi::border::sized::{Grows, sized, sized_in};
use crate::ffi::border::slot_map::SlotMap;
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::op_value::{FEW, NONE, check_arguments, shardspec_op_arguments, shardspec_value};
use crate::ffi::spec::{shardspec_spec, wrong_type};
use crate::memory::{OutOfMemory, text, try_filled};
use crate::model::Error;
use crate::model::spec::built_in_number;
use crate::ops::{Op, Registry, Running};

/// A registered op, behind a handle. The handle is valid until the registration ends. There is
/// nothing to free.
pub struct shardspec_op {
    _opaque: [u8; 0],
}

impl Handle for shardspec_op {
    type Object = Op<Function>;
    const NAME: &'static str = "shardspec_op";
    const KIND: u64 = 6;

    fn table() -> &'static SlotMap<Self::Object> {
        OPS.ops()
    }
}

static OPS: Registry<Function> = Registry::new();

/// Runs the op. `spec` is the spec that the caller of the op passed. `arguments` is never NULL.
/// Before the call, the library checks that each value matches its kind and that sharded tensors
/// are valid. The op writes its results to `results`, which has room for `result_count` values. All
/// results have the kind `SHARDSPEC_VALUE_NONE` before the call. If the caller of the op asks for
/// no results, `result_count` is 0.
///
/// Arguments are valid during the call only. The caller of the op frees sharded tensors among the
/// results. The library does not manage the memory of other pointers among the results. The authors
/// of the op and of its callers decide who owns this memory. If an op fails, the caller of the op
/// receives no results. A failed op must free all objects that it has created.
pub type shardspec_op_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        spec: *const shardspec_spec,
        arguments: *const shardspec_op_arguments,
        results: *mut shardspec_value,
        result_count: usize,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// The user's function of an op, and its `ctx`.
#[derive(Debug)]
pub(crate) struct Function {
    function: unsafe extern "C-unwind" fn(
        *mut c_void,
        *const shardspec_spec,
        *const shardspec_op_arguments,
        *mut shardspec_value,
        usize,
        *mut shardspec_error,
    ) -> shardspec_status,
    success: Success,
    context: Context,
    /// The label of specs of the op's type, if the type is built in.
    spec_label: u64,
}

/// A flag: the registration replaces an op with the same names.
pub const SHARDSPEC_OP_FLAG_REPLACE: u32 = 1;

/// Options of the registration of an op. A field that is 0 has its default value.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_op_options {
    /// `sizeof(shardspec_op_options)`.
    pub struct_size: u64,
    /// With 0, the library refuses a second op with the same names. With
    /// `SHARDSPEC_OP_FLAG_REPLACE`, the library unregisters the first op.
    pub flags: u32,
    /// The status that the op's function returns on success: 0, `SHARDSPEC_CALLBACK_OK` or
    /// `SHARDSPEC_CALLBACK_OK_IN_ERR`.
    pub success_status: shardspec_status,
}

// SAFETY: `shardspec_op_options` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, so zeros are a value of it.
unsafe impl Grows for shardspec_op_options {
    const NAME: &'static str = "shardspec_op_options";
    const FIRST_SIZE: usize = 16;
}

/// Reads the options of an op. NULL means the defaults.
unsafe fn options_argument(options: *const shardspec_op_options) -> Outcome<(bool, Success)> {
    if options.is_null() {
        return Ok((false, Success::OK));
    }
    let options = sized("options", options)?;
    if options.flags & !SHARDSPEC_OP_FLAG_REPLACE != 0 {
        let problem = text!("{} is neither 0 nor SHARDSPEC_OP_FLAG_REPLACE", options.flags);
        return Err(Error::invalid("options.flags", problem).into());
    }
    Ok((options.flags & SHARDSPEC_OP_FLAG_REPLACE != 0, Success::of(options.success_status, 0)?))
}

/// Registers `function` as the op `op_name` for specs of type `spec_type`. With `options` NULL, the
/// library refuses a second op with the same names, and the status of success is 0. `*out` becomes
/// the op's handle. `out` may be NULL.
///
/// Ownership: the library copies the names. The library owns `ctx` from the call on, also if the
/// call fails. The library calls `destroy(ctx)` when the registration ends. If this function fails,
/// the library calls `destroy(ctx)` before the return.
/// Calls back: `destroy`, if the call fails; `destroy` of the op that is replaced.
/// Blocks: on other threads, until all their calls of the replaced op have returned.
/// Errors: BUSY if the op to replace can't be unregistered now; INVALID_ARGUMENT if a name is empty
/// or has control characters, a flag is unknown, or `success_status` is a number that means a
/// failure; ALREADY_EXISTS, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: `custom_sharding_spec_op` of torch.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_register(
    spec_type: *const c_char, op_name: *const c_char, function: shardspec_op_fn, ctx: *mut c_void,
    destroy: shardspec_destroy_fn, options: *const shardspec_op_options,
    out: *mut *mut shardspec_op, err: *mut shardspec_error,
) -> shardspec_status {
    guard(
        err,
        owning(ctx, destroy, |context| {
            let place = optional_out("out", out)?;
            let (spec_type, name) = (text("spec_type", spec_type)?, text("op_name", op_name)?);
            let function = function.ok_or(Refusal::NullArgument("function"))?;
            let (replace, success) = options_argument(options)?;
            let function =
                Function { function, success, context, spec_label: built_in_number(spec_type) };
            let key = OPS.register(spec_type, name, function, replace)?;
            if let Some(place) = place {
                place.set(handle::of_key(key));
            }
            Ok(())
        }),
    )
}

/// Unregisters an op. When the function returns OK, all calls of the op have ended, no further call
/// can begin, and `destroy` has returned.
///
/// Ownership: the handle `op` is invalid after the call.
/// Calls back: `destroy`.
/// Blocks: on other threads, until their calls of the op have returned.
/// Errors: BUSY if the call is made inside of the op, or inside of another op while calls of this
/// op run; OUT_OF_MEMORY if the calling thread uses the library for the first time and the system
/// has no memory left; INVALID_HANDLE if the registration has ended already; NULL_ARGUMENT. After
/// BUSY and OUT_OF_MEMORY, the op is still registered. After INVALID_HANDLE, calls of the op may
/// still run on other threads.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_unregister(
    op: *mut shardspec_op, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || OPS.unregister(handle::key("op", op)?).map_err(ended))
}

/// Writes 1 to `*out` if an op is registered under the names `spec_type` and `op_name`, else 0.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: `_has_custom_op` of torch.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_is_registered(
    spec_type: *const c_char, op_name: *const c_char, out: *mut i32, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let has = OPS.has(text("spec_type", spec_type)?, text("op_name", op_name)?)?;
        place.set(has.into());
        Ok(())
    })
}

/// Writes to `*out` the handle of the op that is registered under the names `spec_type` and
/// `op_name`. Calls by handle are faster than calls by name.
///
/// Ownership: there is nothing to free.
/// Calls back: no.
/// Blocks: no.
/// Errors: NOT_FOUND, NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_look_up(
    spec_type: *const c_char, op_name: *const c_char, out: *mut *mut shardspec_op,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let key = OPS.look_up(text("spec_type", spec_type)?, text("op_name", op_name)?)?;
        place.set(handle::of_key(key));
        Ok(())
    })
}

/// Writes a list of all ops into `buffer`, one op on each line. A line has the name of the spec's
/// type, a tab and the name of the op. Lines are in alphabetical order.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL. The text may become longer between two calls, because other threads may register ops.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_list(
    buffer: *mut c_char, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let names = OPS.names()?;
        let mut lines = String::new();
        for (spec_type, name) in &names {
            for part in [spec_type, "\t", name, "\n"] {
                lines.try_reserve(part.len()).map_err(OutOfMemory::from)?;
                lines.push_str(part);
            }
        }
        answer_text(buffer, capacity, needed, &lines)
    })
}

/// Calls the op that is registered as `op_name` for the type of `spec`. With `result_count` 0,
/// `results` may be NULL.
///
/// Ownership: the caller keeps all arguments and frees sharded tensors among the results.
/// Calls back: the op's `function`; `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: NOT_FOUND if no op is registered as `op_name` for the type of `spec`; INVALID_HANDLE if
/// the spec or a sharded tensor among the arguments is not a valid handle; INVALID_ARGUMENT if a
/// value does not match its kind or two arguments have the same name; NO_ARGUMENTS,
/// NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH, NULL_ARGUMENT, OUT_OF_MEMORY. If the op fails, the
/// function returns the op's status and message. After an error, no result was written.
/// Threads: any.
/// Source: `_dispatch_custom_op` of torch.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_dispatch(
    spec: *const shardspec_spec, op_name: *const c_char, arguments: *const shardspec_op_arguments,
    results: *mut shardspec_value, result_count: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let name = text("op_name", op_name)?;
        let op = OPS.run_named(handle::get("spec", spec)?.type_name(), name)?;
        run(&op, spec, arguments, results, result_count)
    })
}

/// Calls an op by its handle. With `result_count` 0, `results` may be NULL.
///
/// Ownership: the caller keeps all arguments and frees sharded tensors among the results.
/// Calls back: the op's `function`; `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_HANDLE if the op's registration has ended, or if the spec or a sharded tensor
/// among the arguments is not a valid handle; WRONG_SPEC_TYPE if the op is for another type of
/// spec; INVALID_ARGUMENT if a value does not match its kind or two arguments have the same name;
/// NO_ARGUMENTS, NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH, NULL_ARGUMENT, OUT_OF_MEMORY. If the op
/// fails, the function returns the op's status and message. After an error, no result was written.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_call(
    op: *const shardspec_op, spec: *const shardspec_spec, arguments: *const shardspec_op_arguments,
    results: *mut shardspec_value, result_count: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let op = OPS
            .try_run(handle::key("op", op)?)
            .map_err(|why| handle::unprotected::<shardspec_op>("op", why))?;
        check_type(&op, spec)?;
        run(&op, spec, arguments, results, result_count)
    })
}

/// The error of a call after the op's registration has ended.
fn ended(error: Error) -> Refusal {
    match error {
        Error::NotFound { .. } => handle::invalid::<shardspec_op>("op"),
        other => other.into(),
    }
}

/// Refuses a spec if its type is not the type of the op.
#[inline(always)]
fn check_type(op: &Op<Function>, spec: *const shardspec_spec) -> Outcome {
    let label = handle::label("spec", spec)?;
    if label != 0 && label == op.function().spec_label {
        return Ok(());
    }
    check_type_name(op, spec)
}

/// Refuses a spec if the name of its type is not the name of the op's type.
#[inline(never)]
fn check_type_name(op: &Op<Function>, spec: *const shardspec_spec) -> Outcome {
    let spec = handle::get("spec", spec)?;
    if spec.type_name() == op.spec_type() {
        return Ok(());
    }
    Err(wrong_type(&**spec, &text!("a spec of type '{}'", op.spec_type())).into())
}

/// Checks the arguments, calls the op, and hands out its results.
unsafe fn run(
    op: &Running<Function>, spec: *const shardspec_spec, arguments: *const shardspec_op_arguments,
    results: *mut shardspec_value, result_count: usize,
) -> Outcome {
    let mut room = MaybeUninit::uninit();
    let arguments = sized_in("arguments", arguments, &mut room)?;
    check_arguments(op.name(), arguments)?;
    let place = out_slice("results", results, result_count)?;
    let mut few = [NONE; FEW];
    let mut many;
    let written = match few.get_mut(..result_count) {
        Some(few) => few,
        None => {
            many = try_filled(NONE, result_count)?;
            &mut many[..]
        }
    };
    let Function { function, success, context, .. } = op.function();
    let (ctx, function, results) = (context.ctx(), *function, written.as_mut_ptr());
    call("function", Called(op), *success, |err| {
        // SAFETY: the contract of `Context` is that `function` may be called with this `ctx`. The arguments
        // and the place for `result_count` results exist until it returns.
        unsafe { function(ctx, spec, arguments, results, result_count, err) }
    })?;
    place.fill(written);
    Ok(())
}

/// The name of an op in the error of a failed call.
struct Called<'a>(&'a Op<Function>);

impl Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of op '{}' for specs of type '{}'", self.0.name(), self.0.spec_type())
    }
}
