//! Reporting the outcome of a call: its status, and the caller's `shardspec_error`.

use std::any::Any;
use std::fmt::{self, Display, Write};

use crate::error::{Describe, Numbers};
use crate::ffi::border::refusal::Refusal;
use crate::ffi::error::*;

/// Where a call's outcome goes: the caller's error, if there is one.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    place: *mut shardspec_error,
    /// Bytes of its message. 0 where there is no error.
    capacity: usize,
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
    /// `err` is null or points to a `u64` and to as many bytes as that says, which may be written.
    #[inline]
    pub(crate) unsafe fn open(err: *mut shardspec_error) -> Result<Self, WrongSize> {
        if err.is_null() {
            return Ok(Self { place: err, capacity: 0 });
        }
        if !err.is_aligned() {
            return Err(WrongSize);
        }
        // SAFETY: `err` is not null and is aligned, and the contract of `Report::open` is that it
        // points to a `u64` at least. Only this field is read.
        let size = unsafe { (&raw const (*err).struct_size).read() };
        let whole = size_of::<shardspec_error>() as u64;
        let message = size.min(whole).checked_sub(SHARDSPEC_ERROR_SHORT_SIZE as u64);
        let capacity = message.ok_or(WrongSize)? as usize;
        Ok(Self { place: err, capacity })
    }

    #[inline]
    pub(crate) fn success(self) -> shardspec_status {
        if self.place.is_null() {
            return SHARDSPEC_OK;
        }
        self.write_numbers(SHARDSPEC_OK, Numbers::NONE);
        if self.capacity > 0 {
            // SAFETY: `message` is where `capacity` bytes may be written, by the contract of
            // `Report::open`, and here `capacity` is above 0. To have an empty message written
            // would take far longer.
            unsafe { self.message().write(0) };
        }
        SHARDSPEC_OK
    }

    /// The start of the message. There is a place.
    #[inline]
    pub(crate) fn message(self) -> *mut u8 {
        // SAFETY: `place` has at least `SHARDSPEC_ERROR_SHORT_SIZE` bytes, for `open` refuses
        // fewer: all numbers, and the message begins where they end.
        unsafe { self.place.cast::<u8>().add(SHARDSPEC_ERROR_SHORT_SIZE) }
    }

    /// Bytes of the message, the NUL included.
    pub(crate) fn capacity(self) -> usize {
        self.capacity
    }

    pub(crate) fn refusal(self, refusal: &Refusal) -> shardspec_status {
        let (status, numbers) = refusal.describe();
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
        self.write_numbers(status, numbers);
        self.write_message(message);
        status
    }

    /// Writes as much of a message as fits. There is a place.
    fn write_message(self, message: &dyn Display) {
        // SAFETY: `message` has room for `capacity` bytes, by the contract of `Report::open`, and
        // nothing else uses them during the call.
        write_message(
            unsafe { std::slice::from_raw_parts_mut(self.message(), self.capacity) },
            message,
        );
    }

    /// Writes a status and a message that no call has found.
    pub(crate) fn set(self, status: shardspec_status, message: &dyn Display) {
        self.write(status, Numbers::NONE, message);
    }

    /// Writes the error of no call. There is a place.
    pub(crate) fn clear(self) {
        self.write_numbers(SHARDSPEC_OK, Numbers::NONE);
        // SAFETY: `message` has room for `capacity` bytes, by the contract of `Report::open`.
        unsafe { self.message().write_bytes(0, self.capacity) };
    }

    /// Writes all but the message. There is a place.
    #[inline]
    fn write_numbers(self, status: shardspec_status, numbers: Numbers) {
        let err = self.place;
        // SAFETY: `err` has all of its numbers, for `Report::open` refuses fewer bytes, and its
        // contract is that they may be written. Fields are written one by one: a short error has no
        // message, and a long one costs nothing on success.
        unsafe {
            (*err).status = status;
            (*err).dim = numbers.dim.and_then(|dim| i32::try_from(dim).ok()).unwrap_or(-1);
            (*err).first_shard = number(numbers.first);
            (*err).second_shard = number(numbers.second);
            (*err).got = numbers.got;
            (*err).limit = numbers.limit;
            (*err).index = number(numbers.index);
        }
    }
}

/// Writes as much of a message as fits and its NUL, without any other memory. A message that does not
/// fit ends on a whole character and in "...".
fn write_message(buffer: &mut [u8], message: &dyn Display) {
    let mut text = Truncating { buffer, len: 0, is_cut: false };
    // Nothing here fails. What a value's own text leaves out is not worth a second error.
    let _ = write!(text, "{message}");
    text.end();
}

/// A text in a buffer that has room for a NUL behind it; what does not fit is left out.
struct Truncating<'a> {
    buffer: &'a mut [u8],
    len: usize,
    is_cut: bool,
}

impl fmt::Write for Truncating<'_> {
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

impl Truncating<'_> {
    fn end(self) {
        const ELLIPSIS: &[u8] = b"...";
        let mut end = self.len;
        let mut tail: &[u8] = &[];
        if self.is_cut {
            end = end.saturating_sub(ELLIPSIS.len());
            let inside = |end: usize| self.buffer.get(end).is_some_and(|byte| byte & 0xc0 == 0x80);
            while end > 0 && inside(end) {
                end = end.saturating_sub(1);
            }
            tail = ELLIPSIS;
        }
        let rest = self.buffer.get_mut(end..).unwrap_or_default();
        let room = rest.len().saturating_sub(1);
        for (place, byte) in rest.iter_mut().zip(tail.iter().take(room).chain(&[0])) {
            *place = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The part of a message that fits a buffer of `capacity` bytes.
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
    fn messages_end_in_a_nul_however_little_room_there_is() {
        for (capacity, kept) in [(1, ""), (2, "."), (3, ".."), (4, "..."), (5, "0...")] {
            assert_eq!(written(capacity, &"0123456789"), kept);
        }
        write_message(&mut [], &"0123456789");
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
