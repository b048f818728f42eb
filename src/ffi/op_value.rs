//! The arguments and results of ops. In the header they are part of the section on ops.

use std::ffi::{c_char, c_void};

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{input, slice, text};
use crate::ffi::border::sized::Grows;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::sharded_tensor::shardspec_sharded_tensor;
use crate::ffi::view::shardspec_tensor_view;
use crate::memory::{text, try_filled};
use crate::model::Error;
use crate::ops::{BasicValidation, second_of_equals};

/// No value.
pub const SHARDSPEC_VALUE_NONE: i32 = 0;
/// A truth value. `integer` is 0 or 1.
pub const SHARDSPEC_VALUE_BOOL: i32 = 1;
/// A whole number. `integer` is the number.
pub const SHARDSPEC_VALUE_I64: i32 = 2;
/// A real number. `real` is the number.
pub const SHARDSPEC_VALUE_F64: i32 = 3;
/// A text. `pointer` is a `const char *`.
pub const SHARDSPEC_VALUE_TEXT: i32 = 4;
/// A tensor in the caller's memory: `pointer` is a `const shardspec_tensor_view *`.
pub const SHARDSPEC_VALUE_TENSOR_VIEW: i32 = 5;
/// A sharded tensor: `pointer` is its handle.
pub const SHARDSPEC_VALUE_SHARDED_TENSOR: i32 = 6;
/// A list of whole numbers. `pointer` is a `const int64_t *`, and `integer` is the number of
/// elements.
pub const SHARDSPEC_VALUE_I64_LIST: i32 = 7;
/// Any pointer. The library does not read the memory at `pointer`.
pub const SHARDSPEC_VALUE_POINTER: i32 = 8;

/// An argument or a result of an op. The library ignores fields that the kind of the value does not
/// use.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_value {
    /// A `SHARDSPEC_VALUE_...` constant.
    pub kind: i32,
    /// This field must be 0.
    pub reserved: i32,
    /// A truth value, a whole number, or the number of elements of the list at `pointer`.
    pub integer: i64,
    /// A real number.
    pub real: f64,
    /// A text, a tensor, a list or any other pointer.
    pub pointer: *mut c_void,
}

const _: () = assert!(size_of::<shardspec_value>() == 32);

pub(crate) const NONE: shardspec_value = shardspec_value {
    kind: SHARDSPEC_VALUE_NONE,
    reserved: 0,
    integer: 0,
    real: 0.0,
    pointer: std::ptr::null_mut(),
};

/// The arguments of a call of an op. At least one argument, positional or named, must be a sharded
/// tensor. All sharded tensors must have the same communicator, or all must have no communicator.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_op_arguments {
    /// `sizeof(shardspec_op_arguments)`.
    pub struct_size: u64,
    /// Positional arguments.
    pub args: *const shardspec_value,
    /// Number of positional arguments. With 0, `args` may be NULL.
    pub arg_count: usize,
    /// Names of the named arguments. All names are different.
    pub kwarg_names: *const *const c_char,
    /// Values of the named arguments, one for each name.
    pub kwargs: *const shardspec_value,
    /// Number of named arguments. With 0, `kwarg_names` and `kwargs` may be NULL.
    pub kwarg_count: usize,
    /// The communicator for the op's collectives, or NULL. The library passes this communicator to
    /// the op. Outside of the op, the library does not use the communicator.
    pub comm: *mut shardspec_comm,
}

// SAFETY: `shardspec_op_arguments` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_op_arguments {
    const NAME: &'static str = "shardspec_op_arguments";
    const FIRST_SIZE: usize = 56;
}

/// Values and names up to this number need no memory of their own.
pub(crate) const FEW: usize = 4;

/// Refuses values that are not what their kinds say, and what torch's `_basic_validation` refuses.
pub(crate) unsafe fn check_arguments(op: &str, arguments: &shardspec_op_arguments) -> Outcome {
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
#[inline(always)]
unsafe fn check_value(argument: &'static str, value: &shardspec_value) -> Outcome<Option<u64>> {
    match value.kind {
        SHARDSPEC_VALUE_SHARDED_TENSOR if value.reserved == 0 => {
            let tensor = value.pointer.cast_const().cast::<shardspec_sharded_tensor>();
            handle::label(argument, tensor).map(Some)
        }
        SHARDSPEC_VALUE_NONE
        | SHARDSPEC_VALUE_I64
        | SHARDSPEC_VALUE_F64
        | SHARDSPEC_VALUE_POINTER
            if value.reserved == 0 =>
        {
            Ok(None)
        }
        _ => check_other_value(argument, value).map(|()| None),
    }
}

/// The same for values that need further checks, or are refused.
#[inline(never)]
unsafe fn check_other_value(argument: &'static str, value: &shardspec_value) -> Outcome {
    let pointer = value.pointer.cast_const();
    match value.kind {
        _ if value.reserved != 0 => {}
        SHARDSPEC_VALUE_BOOL if matches!(value.integer, 0 | 1) => return Ok(()),
        SHARDSPEC_VALUE_TEXT => return text(argument, pointer.cast()).map(|_| ()),
        SHARDSPEC_VALUE_TENSOR_VIEW => {
            return input(argument, pointer.cast::<shardspec_tensor_view>()).map(|_| ());
        }
        SHARDSPEC_VALUE_I64_LIST => {
            if let Ok(len) = usize::try_from(value.integer) {
                return slice(argument, pointer.cast::<i64>(), len).map(|_| ());
            }
        }
        _ => {}
    }
    let shardspec_value { kind, reserved, integer, .. } = value;
    let problem = text!(
        "a value of kind {kind} with integer {integer} and reserved {reserved} is not valid; pass \
         a \
         SHARDSPEC_VALUE_... constant, 0 or 1 for BOOL, a length for I64_LIST, and reserved 0"
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
