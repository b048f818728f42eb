//! What a call has to report: its outcome as a status, and in the caller's `shardspec_error`.

use std::any::Any;

use crate::comm::Reason;
use crate::core::Error;
use crate::core::error::{Foreign, shortened};
use crate::ffi::border::guard::Refusal;
use crate::ffi::error::*;

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
    let (kept, tail) = shortened(message, buffer.len().saturating_sub(1));
    let bytes = kept.bytes().chain(tail.bytes()).chain([0]);
    for (place, byte) in buffer.iter_mut().zip(bytes) {
        *place = byte;
    }
}

/// What other ranks are told is what the caller is told.
impl Reason for Refusal {
    fn told(&self) -> Foreign {
        let (status, numbers, message) = describe(self);
        let number = |value: Option<usize>| value.map_or(-1, |value| value as i64);
        Foreign {
            status,
            first_shard: number(numbers.first),
            second_shard: number(numbers.second),
            dim: numbers.dim.map_or(-1, |dim| dim as i32),
            got: numbers.got,
            limit: numbers.limit,
            message: message.into(),
        }
    }
}

impl Reason for Error {
    fn told(&self) -> Foreign {
        Refusal::Core(self.clone()).told()
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
        Error::OutsideTensor { dim, index, size, .. } => {
            let numbers = Numbers { dim: Some(dim), got: index, limit: size, ..none };
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
        Error::NoSource { destination, .. } => {
            (SHARDSPEC_GAP, Numbers { first: Some(destination), ..none })
        }
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
        Error::ReadOnly { .. } => (SHARDSPEC_READ_ONLY, none),
        Error::Aliased { first, second, .. } => {
            (SHARDSPEC_ALIASED, Numbers { first, second, ..none })
        }
        Error::AlreadyExists { .. } => (SHARDSPEC_ALREADY_EXISTS, none),
        Error::Busy { .. } => (SHARDSPEC_BUSY, none),
        Error::NoArguments { .. } => (SHARDSPEC_NO_ARGUMENTS, none),
        Error::NoShardedTensor { .. } => (SHARDSPEC_NO_SHARDED_TENSOR, none),
        Error::CommunicatorMismatch { .. } => (SHARDSPEC_COMMUNICATOR_MISMATCH, none),
        Error::NotLocal { shard, .. } => {
            (SHARDSPEC_NOT_LOCAL, Numbers { first: Some(shard), ..none })
        }
        Error::OutOfMemory { .. } => (SHARDSPEC_OUT_OF_MEMORY, none),
        Error::InSpec { ref error, .. } => describe_core(error),
        Error::NoRank { shard, .. } => {
            (SHARDSPEC_INVALID_PLACEMENT, Numbers { first: Some(shard), ..none })
        }
        Error::RankOutside { shard, rank, size, .. } => {
            let numbers = Numbers { first: Some(shard), got: rank, limit: size as i64, ..none };
            (SHARDSPEC_INVALID_PLACEMENT, numbers)
        }
        Error::Disagreement { rank, status, .. } => {
            let numbers = Numbers { got: rank as i64, limit: status.into(), ..none };
            (SHARDSPEC_DISAGREEMENT, numbers)
        }
        Error::TransportFailed { .. } => (SHARDSPEC_TRANSPORT_FAILED, none),
        Error::Foreign(ref said) => {
            let numbers = Numbers {
                first: usize::try_from(said.first_shard).ok(),
                second: usize::try_from(said.second_shard).ok(),
                dim: usize::try_from(said.dim).ok(),
                got: said.got,
                limit: said.limit,
            };
            (said.status, numbers)
        }
    }
}
