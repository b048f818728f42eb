//! What a call has to report: its outcome as a status, and in the caller's `shardspec_error`.

use std::any::Any;
use std::fmt::{self, Display, Write};

use crate::comm::Reason;
use crate::ffi::border::guard::Refusal;
use crate::ffi::error::*;
use crate::memory::text;
use crate::model::Error;
use crate::model::error::Foreign;

/// Where a call's outcome goes: the caller's error, if there is one.
pub(crate) struct Report {
    place: *mut shardspec_error,
}

/// The numbers of an error; `NONE` where a field has nothing to say.
#[derive(Clone, Copy)]
struct Numbers {
    first: Option<usize>,
    second: Option<usize>,
    dim: Option<i64>,
    index: Option<usize>,
    got: i64,
    limit: i64,
}

impl Numbers {
    const NONE: Self = Self { first: None, second: None, dim: None, index: None, got: 0, limit: 0 };

    /// A dimension as an error has it.
    fn dim(&self) -> i32 {
        self.dim.and_then(|dim| i32::try_from(dim).ok()).unwrap_or(-1)
    }
}

/// A shard or a position as an error has it.
fn number(value: Option<usize>) -> i64 {
    value.and_then(|value| i64::try_from(value).ok()).unwrap_or(-1)
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
        self.write(SHARDSPEC_OK, Numbers::NONE, &"")
    }

    pub(crate) fn refusal(self, refusal: &Refusal) -> shardspec_status {
        let (status, numbers) = describe(refusal);
        self.write(status, numbers, refusal)
    }

    pub(crate) fn panic(self, payload: &(dyn Any + Send)) -> shardspec_status {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
        let message = format_args!("a bug in shardspec, please report it: {text}");
        self.write(SHARDSPEC_INTERNAL, Numbers::NONE, &message)
    }

    fn write(
        self, status: shardspec_status, numbers: Numbers, message: &dyn Display,
    ) -> shardspec_status {
        if self.place.is_null() {
            return status;
        }
        // SAFETY: `open` checked the place. Fields are written one by one, so that a long message
        // buffer costs nothing on success.
        unsafe {
            let err = self.place;
            (*err).status = status;
            (*err).dim = numbers.dim();
            (*err).first_shard = number(numbers.first);
            (*err).second_shard = number(numbers.second);
            (*err).got = numbers.got;
            (*err).limit = numbers.limit;
            (*err).index = number(numbers.index);
            let buffer = (&raw mut (*err).message).cast::<u8>();
            write_message(
                std::slice::from_raw_parts_mut(buffer, SHARDSPEC_MESSAGE_CAPACITY),
                message,
            );
        }
        status
    }
}

/// Writes as much of a message as fits and its NUL, without any other memory. A message that does not
/// fit ends on a whole character and in "...".
fn write_message(buffer: &mut [u8], message: &dyn Display) {
    let mut text = Cut { buffer, len: 0, is_cut: false };
    // Nothing here fails. What a value's own text leaves out is not worth a second error.
    let _ = write!(text, "{message}");
    text.end();
}

/// A text in a buffer that has room for a NUL behind it; what does not fit is left out.
struct Cut<'a> {
    buffer: &'a mut [u8],
    len: usize,
    is_cut: bool,
}

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.buffer.len().saturating_sub(1);
        let room = self.buffer.get_mut(self.len..end).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(text.bytes()) {
            *place = byte;
        }
        self.is_cut |= text.len() > room.len();
        self.len = self.len.saturating_add(text.len().min(room.len()));
        Ok(())
    }
}

impl Cut<'_> {
    fn end(self) {
        const ELLIPSIS: &[u8] = b"...";
        let mut end = self.len;
        let mut tail: &[u8] = &[];
        if self.is_cut {
            end = end.saturating_sub(ELLIPSIS.len());
            let inside = |end: usize| self.buffer.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
            while inside(end) {
                end = end.saturating_sub(1);
            }
            tail = ELLIPSIS;
        }
        let rest = self.buffer.get_mut(end..).unwrap_or_default();
        for (place, byte) in rest.iter_mut().zip(tail.iter().chain(&[0])) {
            *place = *byte;
        }
    }
}

/// What other ranks are told is what the caller is told.
impl Reason for Refusal {
    fn told(&self) -> Foreign {
        let (status, numbers) = describe(self);
        told(status, numbers, self)
    }

    fn on_rank(self, rank: usize) -> Self {
        Self::on_rank(self, rank)
    }
}

impl Reason for Error {
    fn told(&self) -> Foreign {
        let (status, numbers) = describe_core(self);
        told(status, numbers, self)
    }
}

fn told(status: shardspec_status, numbers: Numbers, message: &dyn Display) -> Foreign {
    Foreign {
        status,
        first_shard: number(numbers.first),
        second_shard: number(numbers.second),
        dim: numbers.dim(),
        got: numbers.got,
        limit: numbers.limit,
        index: number(numbers.index),
        message: text!("{message}"),
    }
}

/// Status and numbers of a refusal.
fn describe(refusal: &Refusal) -> (shardspec_status, Numbers) {
    let none = Numbers::NONE;
    match *refusal {
        Refusal::Core(ref error) => describe_core(error),
        Refusal::NullArgument(_) | Refusal::NullField { .. } => (SHARDSPEC_NULL_ARGUMENT, none),
        Refusal::InvalidHandle { .. } => (SHARDSPEC_INVALID_HANDLE, none),
        Refusal::BufferTooSmall { got, needed, .. } => {
            let numbers = Numbers { got: got as i64, limit: needed as i64, ..none };
            (SHARDSPEC_BUFFER_TOO_SMALL, numbers)
        }
        Refusal::OnRank { ref refusal, .. } => describe(refusal),
        Refusal::At { index, shard, ref refusal, .. } => {
            let (status, numbers) = describe(refusal);
            (status, Numbers { index: Some(index), first: shard.or(numbers.first), ..numbers })
        }
    }
}

/// A dimension as [`Numbers`] have it.
fn dim_of(dim: usize) -> Option<i64> {
    i64::try_from(dim).ok()
}

/// Status and numbers of a refusal of the core's.
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
            let numbers = Numbers { dim: Some(dim), got: dim, limit: ndim as i64, ..none };
            (SHARDSPEC_INVALID_DIM, numbers)
        }
        Error::UnknownDimName { .. } => (SHARDSPEC_INVALID_DIM, none),
        Error::IndexOutOfRange { index, count, .. } => {
            let numbers = Numbers { got: index as i64, limit: count as i64, ..none };
            (SHARDSPEC_INDEX_OUT_OF_RANGE, numbers)
        }
        Error::OutsideTensor { dim, index, size, .. } => {
            let numbers = Numbers { dim: dim_of(dim), got: index, limit: size, ..none };
            (SHARDSPEC_INDEX_OUT_OF_RANGE, numbers)
        }
        Error::RankMismatch { shard, got, expected, .. } => {
            let (got, limit) = (got as i64, expected as i64);
            (SHARDSPEC_RANK_MISMATCH, Numbers { first: shard, got, limit, ..none })
        }
        Error::Negative { shard, dim, value, .. } => {
            let numbers = Numbers { first: Some(shard), dim: dim_of(dim), got: value, ..none };
            (SHARDSPEC_INVALID_ARGUMENT, numbers)
        }
        Error::Overlap { first, second, .. } => {
            let numbers = Numbers { first: Some(first), second: Some(second), ..none };
            (SHARDSPEC_OVERLAP, numbers)
        }
        Error::Gap { .. } => (SHARDSPEC_GAP, none),
        Error::NoPlacement { shard } => {
            (SHARDSPEC_NULL_ARGUMENT, Numbers { first: Some(shard), ..none })
        }
        Error::NoSource { destination, .. } => {
            (SHARDSPEC_GAP, Numbers { first: Some(destination), ..none })
        }
        Error::OutOfBounds { shard, dim, offset, size, limit } => {
            let (first, dim, got) = (Some(shard), dim_of(dim), offset.saturating_add(size));
            (SHARDSPEC_OUT_OF_BOUNDS, Numbers { first, dim, got, limit, ..none })
        }
        Error::Overflow { .. } => (SHARDSPEC_OVERFLOW, none),
        Error::NotFound { .. } => (SHARDSPEC_NOT_FOUND, none),
        Error::WrongSpecType { .. } => (SHARDSPEC_WRONG_SPEC_TYPE, none),
        Error::Unsupported { .. } => (SHARDSPEC_UNSUPPORTED, none),
        Error::ShapeMismatch { shard, dim, got, expected, .. } => {
            let dim = dim_of(dim);
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
        Error::At { index, shard, ref error, .. } => {
            let (status, numbers) = describe_core(error);
            (status, Numbers { index: Some(index), first: shard.or(numbers.first), ..numbers })
        }
        Error::NoRank { shard, .. } => {
            (SHARDSPEC_INVALID_PLACEMENT, Numbers { first: Some(shard), ..none })
        }
        Error::RankOutside { shard, rank, size, .. } => {
            let numbers = Numbers { first: Some(shard), got: rank, limit: size as i64, ..none };
            (SHARDSPEC_INVALID_PLACEMENT, numbers)
        }
        Error::NoFull { rank, .. } => {
            (SHARDSPEC_NULL_ARGUMENT, Numbers { got: rank as i64, ..none })
        }
        Error::Disagreement { rank, status, shard, dim, index, .. } => {
            let (got, limit, dim) = (rank as i64, status.into(), dim.and_then(dim_of));
            let numbers = Numbers { first: shard, dim, index, got, limit, ..none };
            (SHARDSPEC_DISAGREEMENT, numbers)
        }
        Error::TransportFailed { .. } => (SHARDSPEC_TRANSPORT_FAILED, none),
        Error::Foreign(ref said) => {
            let numbers = Numbers {
                first: usize::try_from(said.first_shard).ok(),
                second: usize::try_from(said.second_shard).ok(),
                dim: Some(said.dim.into()),
                index: usize::try_from(said.index).ok(),
                got: said.got,
                limit: said.limit,
            };
            (said.status, numbers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a buffer of `capacity` bytes holds of a message.
    fn written(capacity: usize, message: &dyn Display) -> String {
        let mut buffer = vec![0xa5; capacity];
        write_message(&mut buffer, message);
        let end = buffer.iter().position(|&byte| byte == 0).unwrap();
        String::from_utf8(buffer[..end].to_vec()).unwrap()
    }

    #[test]
    fn messages_that_fit_are_whole() {
        for capacity in [11, 12, 100] {
            assert_eq!(written(capacity, &"0123456789"), "0123456789");
        }
        assert_eq!(written(11, &format_args!("{}{}", "01234", "56789")), "0123456789");
        assert_eq!(written(1, &""), "");
    }

    #[test]
    fn messages_that_do_not_fit_end_in_dots_behind_a_whole_character() {
        assert_eq!(written(10, &"0123456789"), "012345...");
        assert_eq!(written(10, &format_args!("{}{}", "01234", "56789")), "012345...");
        // Of two, three and four bytes, cut at each of them.
        for character in ["é", "€", "𝄞"] {
            for before in 0..4 {
                let message = format!("{}{}", "x".repeat(before), character.repeat(9));
                let shown = written(13, &message);
                let kept = shown.strip_suffix("...").unwrap();
                assert!(
                    shown.len() <= 12 && kept.len().saturating_add(character.len()) > 9,
                    "{shown}"
                );
                assert!(message.starts_with(kept));
            }
        }
    }
}
