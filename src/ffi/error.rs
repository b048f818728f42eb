//! Status and errors.
//!
//! Every function that can fail returns a `shardspec_status` and takes a `shardspec_error *` as its
//! last argument. The error is the caller's own, mostly on its stack, and may be NULL. There is no
//! hidden "last error", so calls may move between threads.

use std::any::Any;
use std::ffi::c_char;

use crate::core::Error;
use crate::ffi::border::guard::{Refusal, guard};
use crate::ffi::border::pointer::answer_text;

/// 0 (`SHARDSPEC_OK`) or the reason why a call was refused: one of the constants above. Never
/// negative. A number keeps its meaning for ever; later versions may add numbers.
pub type shardspec_status = i32;

/// The call did what it says.
pub const SHARDSPEC_OK: i32 = 0;
/// A pointer that must not be NULL was NULL.
pub const SHARDSPEC_NULL_ARGUMENT: i32 = 1;
/// A value that this argument may never have.
pub const SHARDSPEC_INVALID_ARGUMENT: i32 = 2;
/// A handle that was freed, was never made, or is of another kind.
pub const SHARDSPEC_INVALID_HANDLE: i32 = 3;
/// A text that is no placement.
pub const SHARDSPEC_INVALID_PLACEMENT: i32 = 4;
/// A sharding dimension that the tensor does not have.
pub const SHARDSPEC_INVALID_DIM: i32 = 5;
/// An index past the end.
pub const SHARDSPEC_INDEX_OUT_OF_RANGE: i32 = 6;
/// Numbers of dimensions that should agree and do not.
pub const SHARDSPEC_RANK_MISMATCH: i32 = 7;
/// Two shards own the same elements.
pub const SHARDSPEC_OVERLAP: i32 = 8;
/// No shard owns some of the elements.
pub const SHARDSPEC_GAP: i32 = 9;
/// A shard reaches past the tensor.
pub const SHARDSPEC_OUT_OF_BOUNDS: i32 = 10;
/// A value that does not fit into 64 bits.
pub const SHARDSPEC_OVERFLOW: i32 = 11;
/// The caller's buffer is too small; `limit` is the capacity that is needed.
pub const SHARDSPEC_BUFFER_TOO_SMALL: i32 = 12;
/// A view has another shape than its shard or tensor.
pub const SHARDSPEC_SHAPE_MISMATCH: i32 = 13;
/// A view has another element type than the tensor.
pub const SHARDSPEC_DTYPE_MISMATCH: i32 = 14;
/// A view is not in host memory.
pub const SHARDSPEC_UNSUPPORTED_DEVICE: i32 = 15;
/// A destination shares memory with a source, with another destination, or with itself.
pub const SHARDSPEC_ALIASED: i32 = 16;
/// Known and valid, but not implemented.
pub const SHARDSPEC_UNSUPPORTED: i32 = 17;
/// The system has no memory left for the result.
pub const SHARDSPEC_OUT_OF_MEMORY: i32 = 18;
/// What was asked for is not there.
pub const SHARDSPEC_NOT_FOUND: i32 = 19;
/// A question that only another type of spec can answer.
pub const SHARDSPEC_WRONG_SPEC_TYPE: i32 = 20;
/// A bug in this library: please report the message.
pub const SHARDSPEC_INTERNAL: i32 = 21;

/// Every status and its name.
const NAMES: [(shardspec_status, &str); 22] = [
    (SHARDSPEC_OK, "OK"),
    (SHARDSPEC_NULL_ARGUMENT, "NULL_ARGUMENT"),
    (SHARDSPEC_INVALID_ARGUMENT, "INVALID_ARGUMENT"),
    (SHARDSPEC_INVALID_HANDLE, "INVALID_HANDLE"),
    (SHARDSPEC_INVALID_PLACEMENT, "INVALID_PLACEMENT"),
    (SHARDSPEC_INVALID_DIM, "INVALID_DIM"),
    (SHARDSPEC_INDEX_OUT_OF_RANGE, "INDEX_OUT_OF_RANGE"),
    (SHARDSPEC_RANK_MISMATCH, "RANK_MISMATCH"),
    (SHARDSPEC_OVERLAP, "OVERLAP"),
    (SHARDSPEC_GAP, "GAP"),
    (SHARDSPEC_OUT_OF_BOUNDS, "OUT_OF_BOUNDS"),
    (SHARDSPEC_OVERFLOW, "OVERFLOW"),
    (SHARDSPEC_BUFFER_TOO_SMALL, "BUFFER_TOO_SMALL"),
    (SHARDSPEC_SHAPE_MISMATCH, "SHAPE_MISMATCH"),
    (SHARDSPEC_DTYPE_MISMATCH, "DTYPE_MISMATCH"),
    (SHARDSPEC_UNSUPPORTED_DEVICE, "UNSUPPORTED_DEVICE"),
    (SHARDSPEC_ALIASED, "ALIASED"),
    (SHARDSPEC_UNSUPPORTED, "UNSUPPORTED"),
    (SHARDSPEC_OUT_OF_MEMORY, "OUT_OF_MEMORY"),
    (SHARDSPEC_NOT_FOUND, "NOT_FOUND"),
    (SHARDSPEC_WRONG_SPEC_TYPE, "WRONG_SPEC_TYPE"),
    (SHARDSPEC_INTERNAL, "INTERNAL"),
];

/// Bytes of `shardspec_error.message`, the NUL included.
pub const SHARDSPEC_MESSAGE_CAPACITY: usize = 976;

/// What a call has to say beyond its status. Start with `SHARDSPEC_ERROR_INIT`; every call that is
/// given one writes it, on success too (then the status is `SHARDSPEC_OK`, the message empty).
/// 1024 bytes, a layout that does not change. A message that is too long ends in "...".
#[repr(C)]
pub struct shardspec_error {
    /// Set by the caller to `sizeof(shardspec_error)`; 0 means the same. With another value below
    /// that, the call does nothing and returns `SHARDSPEC_INVALID_ARGUMENT`.
    pub struct_size: u64,
    /// The status that the call returned.
    pub status: shardspec_status,
    /// The dimension it is about, or -1.
    pub dim: i32,
    /// Index of the shard it is about, the lower one where there are two, or -1.
    pub first_shard: i64,
    /// Index of the second shard it is about, or -1.
    pub second_shard: i64,
    /// The value that was refused, or 0 where no single number was.
    pub got: i64,
    /// The value it was measured against, or 0.
    pub limit: i64,
    /// Which argument, which value and what to do; UTF-8, NUL-terminated.
    pub message: [c_char; SHARDSPEC_MESSAGE_CAPACITY],
}

const _: () = assert!(size_of::<shardspec_error>() == 1024);

/// Writes the name of a status, such as "OVERLAP", into `buffer`.
///
/// Text answers work alike everywhere: `capacity` is the size of `buffer` in bytes, and the text's
/// length, its NUL included, goes to `*needed` (may be NULL). With capacity 0, `buffer` may be NULL
/// and only the length is told. With a capacity that is too small, nothing is written, and the
/// error's `limit` is the capacity needed.
///
/// Errors: NOT_FOUND for a number that is no status, BUFFER_TOO_SMALL, NULL_ARGUMENT.
/// Threads: any. Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn shardspec_status_text(
    status: shardspec_status, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let name = NAMES.iter().find(|(known, _)| *known == status).map(|(_, name)| *name);
        let what = || format!("status: {status} is no status of this version");
        let name = name.ok_or_else(|| Error::NotFound { what: what() })?;
        answer_text(buffer, capacity, needed, name)
    })
}

/// Where a call's outcome goes: the caller's error, if there is one.
pub(crate) struct Report {
    place: *mut shardspec_error,
}

/// The numbers of an error; `NONE` where a field has nothing to say.
struct Numbers {
    first: Option<usize>,
    second: Option<usize>,
    dim: Option<usize>,
    got: i64,
    limit: i64,
}

impl Numbers {
    const NONE: Self = Self { first: None, second: None, dim: None, got: 0, limit: 0 };
}

/// The caller's error has a `struct_size` that no version had.
pub(crate) struct WrongSize;

impl Report {
    /// # Safety
    ///
    /// `err` is null or points to a `shardspec_error` that may be written.
    pub(crate) unsafe fn open(err: *mut shardspec_error) -> Result<Self, WrongSize> {
        if err.is_null() {
            return Ok(Self { place: err });
        }
        if !err.is_aligned() {
            return Err(WrongSize);
        }
        // SAFETY: not null, aligned, and the caller promises the rest. Only this field is read.
        let size = unsafe { (*err).struct_size };
        if size != 0 && size < size_of::<shardspec_error>() as u64 {
            return Err(WrongSize);
        }
        Ok(Self { place: err })
    }

    pub(crate) fn success(self) -> shardspec_status {
        self.write(SHARDSPEC_OK, &Numbers::NONE, "")
    }

    pub(crate) fn refusal(self, refusal: &Refusal) -> shardspec_status {
        let (status, numbers, message) = describe(refusal);
        self.write(status, &numbers, &message)
    }

    pub(crate) fn panic(self, payload: &(dyn Any + Send)) -> shardspec_status {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let message = format!("a bug in shardspec, please report it: {text}");
        self.write(SHARDSPEC_INTERNAL, &Numbers::NONE, &message)
    }

    fn write(self, status: shardspec_status, numbers: &Numbers, message: &str) -> shardspec_status {
        if self.place.is_null() {
            return status;
        }
        let number = |value: Option<usize>| value.map_or(-1, |value| value as i64);
        // SAFETY: `open` checked the place. Fields are written one by one, so that a long message
        // buffer costs nothing on success.
        unsafe {
            let err = self.place;
            (*err).status = status;
            (*err).dim = numbers.dim.map_or(-1, |dim| dim as i32);
            (*err).first_shard = number(numbers.first);
            (*err).second_shard = number(numbers.second);
            (*err).got = numbers.got;
            (*err).limit = numbers.limit;
            let buffer = (&raw mut (*err).message).cast::<u8>();
            write_message(
                std::slice::from_raw_parts_mut(buffer, SHARDSPEC_MESSAGE_CAPACITY),
                message,
            );
        }
        status
    }
}

/// Copies as much of a message as fits, ending on a whole character.
fn write_message(buffer: &mut [u8], message: &str) {
    const ELLIPSIS: &str = "...";
    let room = buffer.len().saturating_sub(1);
    let (kept, tail) = if message.len() <= room {
        (message, "")
    } else {
        (message.floor_char_boundary_at(room.saturating_sub(ELLIPSIS.len())), ELLIPSIS)
    };
    let bytes = kept.bytes().chain(tail.bytes()).chain([0]);
    for (place, byte) in buffer.iter_mut().zip(bytes) {
        *place = byte;
    }
}

/// `str::floor_char_boundary` gives an index; this gives the text.
trait FloorCharBoundary {
    fn floor_char_boundary_at(&self, end: usize) -> &str;
}

impl FloorCharBoundary for str {
    fn floor_char_boundary_at(&self, end: usize) -> &str {
        (0..=end).rev().find_map(|end| self.get(..end)).unwrap_or("")
    }
}

/// Status, numbers and text of a refusal.
fn describe(refusal: &Refusal) -> (shardspec_status, Numbers, String) {
    match refusal {
        Refusal::Core(error) => {
            let (status, numbers) = describe_core(error);
            (status, numbers, error.to_string())
        }
        Refusal::NullArgument(argument) => {
            let message = format!("{argument}: is NULL; pass a pointer");
            (SHARDSPEC_NULL_ARGUMENT, Numbers::NONE, message)
        }
        Refusal::InvalidHandle { argument, kind } => {
            let message = format!(
                "{argument}: is no live {kind}: it was freed, is of another kind, or was never made \
                 by this library"
            );
            (SHARDSPEC_INVALID_HANDLE, Numbers::NONE, message)
        }
        Refusal::BufferTooSmall { argument, got, needed } => {
            let message = format!("{argument}: capacity {got} is too small; {needed} are needed");
            let numbers = Numbers { got: *got as i64, limit: *needed as i64, ..Numbers::NONE };
            (SHARDSPEC_BUFFER_TOO_SMALL, numbers, message)
        }
        Refusal::InShard { index, refusal } => {
            let (status, numbers, message) = describe(refusal);
            (
                status,
                Numbers { first: Some(*index), ..numbers },
                format!("shard {index}: {message}"),
            )
        }
    }
}

fn describe_core(error: &Error) -> (shardspec_status, Numbers) {
    let none = Numbers::NONE;
    match *error {
        Error::InvalidArgument { .. } => (SHARDSPEC_INVALID_ARGUMENT, none),
        Error::TooSmall { value, least, .. } => {
            (SHARDSPEC_INVALID_ARGUMENT, Numbers { got: value, limit: least, ..none })
        }
        Error::NullData { .. } => (SHARDSPEC_NULL_ARGUMENT, none),
        Error::InvalidPlacement { .. } => (SHARDSPEC_INVALID_PLACEMENT, none),
        Error::InvalidDim { dim, ndim } => {
            (SHARDSPEC_INVALID_DIM, Numbers { got: dim, limit: ndim as i64, ..none })
        }
        Error::UnknownDimName { .. } => (SHARDSPEC_INVALID_DIM, none),
        Error::IndexOutOfRange { index, count, .. } => {
            let numbers = Numbers { got: index as i64, limit: count as i64, ..none };
            (SHARDSPEC_INDEX_OUT_OF_RANGE, numbers)
        }
        Error::RankMismatch { shard, got, expected, .. } => {
            let (got, limit) = (got as i64, expected as i64);
            (SHARDSPEC_RANK_MISMATCH, Numbers { first: shard, got, limit, ..none })
        }
        Error::Negative { shard, dim, value, .. } => {
            let numbers = Numbers { first: Some(shard), dim: Some(dim), got: value, ..none };
            (SHARDSPEC_INVALID_ARGUMENT, numbers)
        }
        Error::Overlap { first, second, .. } => {
            let numbers = Numbers { first: Some(first), second: Some(second), ..none };
            (SHARDSPEC_OVERLAP, numbers)
        }
        Error::Gap { .. } => (SHARDSPEC_GAP, none),
        Error::OutOfBounds { shard, dim, offset, size, limit } => {
            let (first, dim, got) = (Some(shard), Some(dim), offset.saturating_add(size));
            (SHARDSPEC_OUT_OF_BOUNDS, Numbers { first, dim, got, limit, ..none })
        }
        Error::Overflow { .. } => (SHARDSPEC_OVERFLOW, none),
        Error::NotFound { .. } => (SHARDSPEC_NOT_FOUND, none),
        Error::WrongSpecType { .. } => (SHARDSPEC_WRONG_SPEC_TYPE, none),
        Error::Unsupported { .. } => (SHARDSPEC_UNSUPPORTED, none),
        Error::ShapeMismatch { shard, dim, got, expected, .. } => {
            let dim = Some(dim);
            let numbers = Numbers { first: shard, dim, got, limit: expected, ..none };
            (SHARDSPEC_SHAPE_MISMATCH, numbers)
        }
        Error::DtypeMismatch { shard, .. } => {
            (SHARDSPEC_DTYPE_MISMATCH, Numbers { first: shard, ..none })
        }
        Error::UnsupportedDevice { device_type, .. } => {
            (SHARDSPEC_UNSUPPORTED_DEVICE, Numbers { got: device_type.into(), ..none })
        }
        Error::Aliased { first, second, .. } => {
            (SHARDSPEC_ALIASED, Numbers { first, second, ..none })
        }
        Error::OutOfMemory { .. } => (SHARDSPEC_OUT_OF_MEMORY, none),
    }
}
