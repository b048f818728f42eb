//! Ops of your own.
//!
//! An op is a function that is registered for a type of spec and called with specs of that type:
//! what torch's `custom_sharding_spec_op` hangs on a class of specs. Its key is two names, that of
//! the spec's type ("chunk", "enumerable", or one of your own) and that of the op, "acme.embedding"
//! for instance. Any text without control characters is a name; there need not be specs of the type.
//!
//!   shardspec_op_register -> shardspec_op_dispatch, or shardspec_op_look_up once and shardspec_op_call
//!                         -> shardspec_op_unregister
//!
//! A `shardspec_op *` stands for a registration. There is nothing to free: it ends with the
//! registration, and is refused with SHARDSPEC_INVALID_HANDLE ever after.
//!
//! What holds for callbacks holds for ops. In particular:
//!
//! - An op may call anything, itself included: register, unregister and dispatch other ops, free
//!   handles that it was given.
//! - When `shardspec_op_unregister` returns SHARDSPEC_OK, no call of the op runs, none will, and its
//!   `destroy` has returned. It waits for calls that run on other threads.
//! - It never waits for a thread that might wait for this one. From inside of the op itself it is
//!   refused with SHARDSPEC_BUSY, and nothing changes. So it is from inside of any other op while
//!   calls of this one run: two threads may end each other's op, and do not hang. Try again later, or
//!   outside. What an op waits for by means of its own, another thread say, must not end it.
//! - Replacing an op is unregistering it, but that its name has an op all the time: calls that begin
//!   now find the new one, while the last calls of the old one end.
//! - In the child of a fork, only the calls of the thread that forked are still running.

use std::ffi::{c_char, c_void};
use std::fmt::{self, Display};

use crate::ffi::border::callback::{Context, Success, call, owning};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle::{self, Handle};
use crate::ffi::border::pointer::{answer_text, input, optional_out, out, out_slice, slice, text};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::border::slots::Slots;
use crate::ffi::callback::shardspec_destroy_fn;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::spec::{shardspec_spec, wrong_type};
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{OutOfMemory, text, try_filled};
use crate::model::Error;
use crate::model::spec::built_in_number;
use crate::ops::{BasicValidation, Op, Registry, Running, second_of_equals};

/// A registered op. It ends with its registration; there is nothing to free.
pub struct shardspec_op {
    _opaque: [u8; 0],
}

impl Handle for shardspec_op {
    type Object = Op<Function>;
    const NAME: &'static str = "shardspec_op";
    const KIND: u64 = 6;

    fn table() -> &'static Slots<Self::Object> {
        OPS.ops()
    }
}

static OPS: Registry<Function> = Registry::new();

/// No value.
pub const SHARDSPEC_VALUE_NONE: i32 = 0;
/// A truth value: `integer` is 0 or 1.
pub const SHARDSPEC_VALUE_BOOL: i32 = 1;
/// A whole number: `integer`.
pub const SHARDSPEC_VALUE_I64: i32 = 2;
/// A number: `real`.
pub const SHARDSPEC_VALUE_F64: i32 = 3;
/// A text: `pointer` is a `const char *`.
pub const SHARDSPEC_VALUE_TEXT: i32 = 4;
/// A tensor in somebody's memory: `pointer` is a `const shardspec_tensor_view *`.
pub const SHARDSPEC_VALUE_TENSOR_VIEW: i32 = 5;
/// A sharded tensor: `pointer` is its handle.
pub const SHARDSPEC_VALUE_SHARDED_TENSOR: i32 = 6;
/// Whole numbers: `pointer` is a `const int64_t *` to `integer` of them.
pub const SHARDSPEC_VALUE_I64_LIST: i32 = 7;
/// Anything: `pointer`, which only the op and its callers understand.
pub const SHARDSPEC_VALUE_POINTER: i32 = 8;

/// An argument or a result of an op. Fields that the type does not name are not looked at.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_value {
    /// A `SHARDSPEC_VALUE_...` constant.
    pub kind: i32,
    /// 0.
    pub reserved: i32,
    /// A truth value, a whole number, or how many `pointer` points to.
    pub integer: i64,
    /// A number.
    pub real: f64,
    /// Whatever else it is.
    pub pointer: *mut c_void,
}

const _: () = assert!(size_of::<shardspec_value>() == 32);

const NONE: shardspec_value = shardspec_value {
    kind: SHARDSPEC_VALUE_NONE,
    reserved: 0,
    integer: 0,
    real: 0.0,
    pointer: std::ptr::null_mut(),
};

/// What an op is called with. At least one argument, positional or not, is a sharded tensor, and all
/// of them have the same communicator, or none.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_op_arguments {
    /// `sizeof(shardspec_op_arguments)`.
    pub struct_size: u64,
    /// Positional arguments.
    pub args: *const shardspec_value,
    /// How many; with 0, `args` may be NULL.
    pub arg_count: usize,
    /// Names of the other arguments, all different.
    pub kwarg_names: *const *const c_char,
    /// Their values, one for each name.
    pub kwargs: *const shardspec_value,
    /// How many; with 0, both may be NULL.
    pub kwarg_count: usize,
    /// What the op's collectives use; NULL where there are none. Not looked at.
    pub comm: *mut shardspec_comm,
}

// SAFETY: `struct_size` comes first, and zeros are numbers and NULL pointers.
unsafe impl Grows for shardspec_op_arguments {
    const NAME: &'static str = "shardspec_op_arguments";
    const FIRST_SIZE: usize = 56;
}

/// What an op does. `spec` is the one that it was dispatched for and `arguments`, never NULL, was
/// checked: values are what their types say, sharded tensors were live when the call began. Results
/// are written to `results`, `result_count` values that are none before; a caller that wants none
/// passes 0.
///
/// Arguments end with the call. Among the results, a sharded tensor is the caller's to free; what
/// else a pointer points to is between the op and its callers. Where the op fails its caller sees no
/// results, so it leaves nothing to free.
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

/// What an op does: the user's function and what it is given.
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
    /// The label of specs of its type, if that is built in.
    spec_label: u64,
}

/// Flag: an op that is registered by the same names is replaced.
pub const SHARDSPEC_OP_FLAG_REPLACE: u32 = 1;

/// How an op is registered. Zeros are the defaults.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_op_options {
    /// `sizeof(shardspec_op_options)`.
    pub struct_size: u64,
    /// 0, which refuses a second op by the same names, or `SHARDSPEC_OP_FLAG_REPLACE`, which ends
    /// the first as `shardspec_op_unregister` does.
    pub flags: u32,
    /// What the function returns for success: 0, `SHARDSPEC_CALLBACK_OK`, or `..._IN_ERR`.
    pub success_status: shardspec_status,
}

// SAFETY: numbers.
unsafe impl Grows for shardspec_op_options {
    const NAME: &'static str = "shardspec_op_options";
    const FIRST_SIZE: usize = 16;
}

/// The options of an op; NULL: the defaults.
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

/// Registers `function` as the op `op_name` for specs of type `spec_type`. `options` may be NULL:
/// then a second op by the same names is refused, and 0 is success. `*out` becomes the op; `out`
/// may be NULL.
///
/// Ownership: names are copied; `ctx` is the op's from here on, whatever this returns, until
/// `destroy` ends it: when the registration ends, or before a call that fails returns. Errors:
/// ALREADY_EXISTS, BUSY (the old op is as it was), INVALID_ARGUMENT for names that can't be one,
/// other flags and a `success_status` that may be a failure, NULL_ARGUMENT, OUT_OF_MEMORY. Threads:
/// any. Source: `custom_sharding_spec_op` of torch. Since: ABI 0.
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

/// Ends an op: when this returns OK, no call of it runs, none will, and `destroy` has returned.
///
/// Ownership: `op` is refused from here on. Errors: BUSY from inside of an op, as told above, and
/// OUT_OF_MEMORY where a thread that calls the library for the first time finds no memory; then the
/// op is registered as before. INVALID_HANDLE where the registration has ended already (a call of
/// it may still run, if that was just now and on another thread), NULL_ARGUMENT. Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_unregister(
    op: *mut shardspec_op, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || OPS.unregister(handle::key("op", op)?).map_err(ended))
}

/// Whether an op is registered by these names: 1 or 0.
///
/// Errors: NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY. Threads: any. Source: `_has_custom_op` of
/// torch. Since: ABI 0.
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

/// The op that is registered by these names, to be called many times: that is faster than by name.
///
/// Ownership: nothing moves. Errors: NOT_FOUND, NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any. Since: ABI 0.
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

/// Writes all ops into `buffer`, one on each line: the name of the spec's type, a tab, the name of
/// the op; in alphabetical order. A text answer as in `shardspec_status_text`. Other threads may
/// register ops between a call that asks for the length and the next.
///
/// Errors: BUFFER_TOO_SMALL, NULL_ARGUMENT, OUT_OF_MEMORY. Threads: any. Since: ABI 0.
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

/// Calls the op `op_name` of the spec's type. With `result_count` 0, `results` may be NULL.
///
/// Ownership: nothing moves; what results are is told at `shardspec_op_fn`. Errors: NOT_FOUND where
/// no op is registered by these names, NO_ARGUMENTS, NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH,
/// INVALID_HANDLE, also of a sharded tensor among the arguments, INVALID_ARGUMENT for values that are
/// not what their kind says and for names that are given twice, NULL_ARGUMENT, OUT_OF_MEMORY; and
/// whatever the op returns, with its message. In each case no result was written.
/// Threads: any. Source: `_dispatch_custom_op` of torch. Since: ABI 0.
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

/// As `shardspec_op_dispatch`, for an op that was looked up.
///
/// Ownership, errors, threads: as `shardspec_op_dispatch`; INVALID_HANDLE for an op whose
/// registration has ended, WRONG_SPEC_TYPE for a spec of another type than the op's. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_op_call(
    op: *const shardspec_op, spec: *const shardspec_spec, arguments: *const shardspec_op_arguments,
    results: *mut shardspec_value, result_count: usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let op = OPS.run(handle::key("op", op)?).map_err(ended)?;
        check_type(&op, spec)?;
        run(&op, spec, arguments, results, result_count)
    })
}

/// The refusal of an op whose registration has ended.
fn ended(error: Error) -> Refusal {
    match error {
        Error::NotFound { .. } => handle::invalid::<shardspec_op>("op"),
        other => other.into(),
    }
}

/// Refuses a spec of another type than the op's.
fn check_type(op: &Op<Function>, spec: *const shardspec_spec) -> Outcome {
    let label = handle::label("spec", spec)?;
    if label != 0 && label == op.function().spec_label {
        return Ok(());
    }
    let spec = handle::get("spec", spec)?;
    if spec.type_name() == op.spec_type() {
        return Ok(());
    }
    Err(wrong_type(&**spec, &text!("a spec of type '{}'", op.spec_type())).into())
}

/// Results that need no memory of their own.
const FEW: usize = 4;

/// Checks the arguments, calls the op, and hands out its results.
unsafe fn run(
    op: &Running<Function>, spec: *const shardspec_spec, arguments: *const shardspec_op_arguments,
    results: *mut shardspec_value, result_count: usize,
) -> Outcome {
    let arguments = sized("arguments", arguments)?;
    check_arguments(op.name(), &arguments)?;
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
    call(Called(op), *success, |err| {
        // SAFETY: the user passed the function to be called like this.
        unsafe { function(ctx, spec, &raw const arguments, results, result_count, err) }
    })?;
    place.fill(written);
    Ok(())
}

/// How an op is named where it failed.
struct Called<'a>(&'a Op<Function>);

impl Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of op '{}' for specs of type '{}'", self.0.name(), self.0.spec_type())
    }
}

/// Refuses values that are not what their kinds say, and what torch's `_basic_validation` refuses.
unsafe fn check_arguments(op: &str, arguments: &shardspec_op_arguments) -> Outcome {
    let args = slice("args", arguments.args, arguments.arg_count)?;
    let names = slice("kwarg_names", arguments.kwarg_names, arguments.kwarg_count)?;
    let kwargs = slice("kwargs", arguments.kwargs, arguments.kwarg_count)?;
    let mut validation = BasicValidation::default();
    for value in args {
        validation.meet(check_value("args", value)?);
    }
    check_names(names)?;
    for value in kwargs {
        validation.meet(check_value("kwargs", value)?);
    }
    Ok(validation.validate(op)?)
}

/// Refuses a value that is not what its kind says; of a sharded tensor, the communicator.
unsafe fn check_value(argument: &'static str, value: &shardspec_value) -> Outcome<Option<u64>> {
    let pointer = value.pointer.cast_const();
    match value.kind {
        _ if value.reserved != 0 => {}
        SHARDSPEC_VALUE_SHARDED_TENSOR => {
            let tensor = pointer.cast::<shardspec_sharded_tensor>();
            return Ok(Some(handle::label(argument, tensor)?));
        }
        SHARDSPEC_VALUE_NONE
        | SHARDSPEC_VALUE_I64
        | SHARDSPEC_VALUE_F64
        | SHARDSPEC_VALUE_POINTER => return Ok(None),
        SHARDSPEC_VALUE_BOOL if matches!(value.integer, 0 | 1) => return Ok(None),
        SHARDSPEC_VALUE_TEXT => {
            text(argument, pointer.cast())?;
            return Ok(None);
        }
        SHARDSPEC_VALUE_TENSOR_VIEW => {
            input(argument, pointer.cast::<shardspec_tensor_view>())?;
            return Ok(None);
        }
        SHARDSPEC_VALUE_I64_LIST => {
            if let Ok(len) = usize::try_from(value.integer) {
                slice(argument, pointer.cast::<i64>(), len)?;
                return Ok(None);
            }
        }
        _ => {}
    }
    let shardspec_value { kind, reserved, integer, .. } = value;
    let problem = text!(
        "a value of kind {kind} with integer {integer} and reserved {reserved} is none; pass a \
         SHARDSPEC_VALUE_... constant, 0 or 1 with BOOL, a length with I64_LIST, and reserved 0"
    );
    Err(Error::invalid(argument, problem).into())
}

/// Refuses names that are given twice.
#[inline]
unsafe fn check_names(names: &[*const c_char]) -> Outcome {
    if names.is_empty() { Ok(()) } else { check_some_names(names) }
}

/// The same where there are some.
#[inline(never)]
unsafe fn check_some_names(names: &[*const c_char]) -> Outcome {
    let mut few = [""; FEW];
    let mut many;
    let texts = match few.get_mut(..names.len()) {
        Some(few) => few,
        None => {
            many = try_filled("", names.len())?;
            &mut many[..]
        }
    };
    for (index, (place, &name)) in texts.iter_mut().zip(names).enumerate() {
        *place = text("kwarg_names", name).map_err(Refusal::at("kwarg_names", index))?;
    }
    let Some(index) = second_of_equals(texts)? else {
        return Ok(());
    };
    let name = texts.get(index).copied().unwrap_or_default();
    let problem = text!("{name:?} is given twice; pass each argument once");
    Err(Refusal::at("kwarg_names", index)(Error::invalid("kwarg_names", problem).into()))
}
