//! Element types.
//!
//! An element type has the form of DLPack's `DLDataType`. The library moves elements unchanged and
//! never computes with their values. Types that this header does not list are also allowed. If the
//! size of an element is not a whole number of bytes, elements are packed. Each packed element
//! starts at the bit after the previous element. Bits are counted from the least significant bit of
//! a byte. For example, elements of float4 and of int4 are packed. Elements with three lanes of
//! int4 are also packed. An element with two lanes of int4 has exactly one byte, and is not packed.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::pointer::{answer_text, input, out, text};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::text;
use crate::model::{DataType, Error};

/// Signed integer.
pub const SHARDSPEC_DTYPE_INT: u8 = 0;
/// Unsigned integer.
pub const SHARDSPEC_DTYPE_UINT: u8 = 1;
/// IEEE 754 floating point.
pub const SHARDSPEC_DTYPE_FLOAT: u8 = 2;
/// Opaque handle.
pub const SHARDSPEC_DTYPE_OPAQUE_HANDLE: u8 = 3;
/// bfloat16.
pub const SHARDSPEC_DTYPE_BFLOAT: u8 = 4;
/// Complex number; `bits` counts both parts.
pub const SHARDSPEC_DTYPE_COMPLEX: u8 = 5;
/// Boolean, 8 bits.
pub const SHARDSPEC_DTYPE_BOOL: u8 = 6;
/// 8-bit floating point, 3 exponent and 4 mantissa bits.
pub const SHARDSPEC_DTYPE_FLOAT8_E3M4: u8 = 7;
/// 8-bit floating point, 4 exponent and 3 mantissa bits.
pub const SHARDSPEC_DTYPE_FLOAT8_E4M3: u8 = 8;
/// 8-bit floating point, 4 exponent and 3 mantissa bits, bias 11, finite, unsigned zero.
pub const SHARDSPEC_DTYPE_FLOAT8_E4M3B11FNUZ: u8 = 9;
/// 8-bit floating point, 4 exponent and 3 mantissa bits, finite.
pub const SHARDSPEC_DTYPE_FLOAT8_E4M3FN: u8 = 10;
/// 8-bit floating point, 4 exponent and 3 mantissa bits, finite, unsigned zero.
pub const SHARDSPEC_DTYPE_FLOAT8_E4M3FNUZ: u8 = 11;
/// 8-bit floating point, 5 exponent and 2 mantissa bits.
pub const SHARDSPEC_DTYPE_FLOAT8_E5M2: u8 = 12;
/// 8-bit floating point, 5 exponent and 2 mantissa bits, finite, unsigned zero.
pub const SHARDSPEC_DTYPE_FLOAT8_E5M2FNUZ: u8 = 13;
/// 8-bit floating point, 8 exponent bits, finite, unsigned.
pub const SHARDSPEC_DTYPE_FLOAT8_E8M0FNU: u8 = 14;
/// 6-bit floating point, 2 exponent and 3 mantissa bits, finite.
pub const SHARDSPEC_DTYPE_FLOAT6_E2M3FN: u8 = 15;
/// 6-bit floating point, 3 exponent and 2 mantissa bits, finite.
pub const SHARDSPEC_DTYPE_FLOAT6_E3M2FN: u8 = 16;
/// 4-bit floating point, 2 exponent bits and 1 mantissa bit, finite.
pub const SHARDSPEC_DTYPE_FLOAT4_E2M1FN: u8 = 17;

/// An element type: `lanes` values of `bits` bits each. The struct has the memory layout of
/// DLPack's `DLDataType`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct shardspec_dtype {
    /// A `SHARDSPEC_DTYPE_...` constant. The constants have the values of DLPack's
    /// `DLDataTypeCode`.
    pub code: u8,
    /// Number of bits of one lane.
    pub bits: u8,
    /// Number of values in one element: 1, except for vector types.
    pub lanes: u16,
}

impl From<shardspec_dtype> for DataType {
    fn from(dtype: shardspec_dtype) -> Self {
        Self { code: dtype.code, bits: dtype.bits, lanes: dtype.lanes }
    }
}

impl From<DataType> for shardspec_dtype {
    fn from(dtype: DataType) -> Self {
        Self { code: dtype.code, bits: dtype.bits, lanes: dtype.lanes }
    }
}

/// A dtype argument: a pointer to a type that can exist.
unsafe fn dtype_argument(dtype: *const shardspec_dtype) -> Outcome<DataType> {
    let dtype = DataType::from(*input("dtype", dtype)?);
    Ok(dtype.validate("dtype")?)
}

/// Reads the name of an element type, such as "float32", "bfloat16", "bool" or "float8_e4m3fn". The
/// name "float32x4" stands for a type with four lanes.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if the text names no element type; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_dtype_parse(
    text: *const c_char, out: *mut shardspec_dtype, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(DataType::parse(self::text("text", text)?)?.into());
        Ok(())
    })
}

/// Writes the name of an element type into `buffer`, in the form that `shardspec_dtype_parse`
/// reads. If the code of a type has no name, the text has the form "code200_16", here for code 200
/// and 16 bits.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if the type has 0 bits or 0 lanes; BUFFER_TOO_SMALL if `capacity` is
/// too small (the error's `limit` is the capacity needed); NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_dtype_text(
    dtype: *const shardspec_dtype, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || answer_text(buffer, capacity, needed, dtype_argument(dtype)?))
}

/// Writes to `*out` the number of bytes of one element: bits * lanes / 8.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: UNSUPPORTED if an element is not a whole number of bytes (call `shardspec_dtype_bytes`
/// instead); INVALID_ARGUMENT if the type has 0 bits or 0 lanes; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_dtype_itemsize(
    dtype: *const shardspec_dtype, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        place.set(dtype_argument(dtype)?.itemsize()?);
        Ok(())
    })
}

/// Writes to `*out` the number of bytes of `element_count` consecutive elements: bits * lanes *
/// element_count / 8, rounded up. The buffer of a contiguous tensor with `element_count` elements
/// needs this number of bytes.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `element_count` is negative, or if the type has 0 bits or 0 lanes;
/// OVERFLOW if the number of bytes exceeds the address space; NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_dtype_bytes(
    dtype: *const shardspec_dtype, element_count: i64, out: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let dtype = dtype_argument(dtype)?;
        let elements = u64::try_from(element_count).map_err(|_| Error::TooSmall {
            argument: "element_count",
            value: element_count,
            least: 0,
        })?;
        let bytes = dtype.storage_bytes(elements);
        place.set(
            bytes.ok_or_else(|| Error::overflow(text!("the bytes of {element_count} {dtype}")))?,
        );
        Ok(())
    })
}
