//! Checked pointers: what a caller passed, as slices and texts, and what is written back.
//!
//! Everything here checks for null, alignment and sizes no memory can have. What it can't check is
//! promised by the caller in the header: that a pointer that is not null points to that much memory
//! of that type.

use std::ffi::{CStr, c_char};
use std::fmt::{self, Display, Write};
use std::marker::PhantomData;

use crate::ffi::border::guard::{Outcome, Refusal};
use crate::memory::text;
use crate::model::Error;

/// Refuses a pointer that is null or not aligned for `T`.
#[inline]
fn check<T>(argument: &'static str, pointer: *const T) -> Outcome {
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(unusable(argument, pointer.is_null(), align_of::<T>()));
    }
    Ok(())
}

/// The refusal of a pointer that is null, or not aligned. Calls that are right do without its code.
#[cold]
#[inline(never)]
fn unusable(argument: &'static str, is_null: bool, align: usize) -> Refusal {
    if is_null {
        return Refusal::NullArgument(argument);
    }
    Error::invalid(argument, text!("the pointer is not aligned to {align} bytes")).into()
}

/// Refuses arrays of more bytes than memory can have.
#[inline]
fn check_len<T>(argument: &'static str, len: usize) -> Outcome {
    match len.checked_mul(size_of::<T>()) {
        Some(bytes) if isize::try_from(bytes).is_ok() => Ok(()),
        _ => Err(too_many(argument, len)),
    }
}

#[cold]
#[inline(never)]
fn too_many(argument: &'static str, len: usize) -> Refusal {
    Error::invalid(argument, text!("{len} elements are more than memory can hold")).into()
}

/// The target of a pointer.
///
/// # Safety
///
/// If it is not null, `pointer` points to a `T` that does not change during the call.
#[inline]
pub(crate) unsafe fn input<'a, T>(argument: &'static str, pointer: *const T) -> Outcome<&'a T> {
    check(argument, pointer)?;
    // SAFETY: `pointer` is not null and is aligned, as `check` found. The contract of `input` is
    // that a `T` is there, which does not change during the call.
    Ok(unsafe { &*pointer })
}

/// An array of `len` elements; it may be null when `len` is 0.
///
/// # Safety
///
/// If it is not null, `pointer` points to `len` elements that do not change during the call.
#[inline]
pub(crate) unsafe fn slice<'a, T>(
    argument: &'static str, pointer: *const T, len: usize,
) -> Outcome<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    check(argument, pointer)?;
    check_len::<T>(argument, len)?;
    // SAFETY: `pointer` is not null, is aligned, and `len` is possible, as `check` and `check_len`
    // found. The contract of `slice` is that so many elements are there, which do not change during
    // the call.
    Ok(unsafe { std::slice::from_raw_parts(pointer, len) })
}

/// A NUL-terminated text, which must be UTF-8.
///
/// # Safety
///
/// If it is not null, `pointer` points to a NUL-terminated text that does not change during the
/// call.
pub(crate) unsafe fn text<'a>(argument: &'static str, pointer: *const c_char) -> Outcome<&'a str> {
    if pointer.is_null() {
        return Err(Refusal::NullArgument(argument));
    }
    // SAFETY: `pointer` is not null, and so the contract of `text` is that a NUL-terminated text is
    // there, which does not change during the call.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Error::invalid(argument, "the text is not valid UTF-8").into())
}

/// The bytes of a text of `len` bytes, which need not be UTF-8; it may be null when `len` is 0.
///
/// # Safety
///
/// As [`slice`].
pub(crate) unsafe fn text_slice<'a>(
    argument: &'static str, pointer: *const c_char, len: usize,
) -> Outcome<&'a [u8]> {
    // SAFETY: the contract of `text_slice` is that of `slice`, with the same `pointer` and `len`: a `c_char`
    // and a byte differ in sign only, and every bit pattern is a value of both.
    unsafe { slice(argument, pointer.cast(), len) }
}

/// As [`text`], where null means that there is none.
///
/// # Safety
///
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(
    argument: &'static str, pointer: *const c_char,
) -> Outcome<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: `pointer` is not null, so that the contract of `optional_text` is that of `text`.
    unsafe { text(argument, pointer) }.map(Some)
}

/// The bytes of a NUL-terminated text, which need not be UTF-8; none for null.
///
/// # Safety
///
/// As [`text`].
pub(crate) unsafe fn optional_bytes<'a>(_: &'static str, pointer: *const c_char) -> &'a [u8] {
    if pointer.is_null() {
        return &[];
    }
    // SAFETY: `pointer` is not null, and so the contract of `optional_bytes` is that a
    // NUL-terminated text is there, which does not change during the call.
    unsafe { CStr::from_ptr(pointer) }.to_bytes()
}

/// A place for one result, checked before the work and written after it.
pub(crate) struct Out<'a, T> {
    pointer: *mut T,
    place: PhantomData<&'a mut T>,
}

/// Checks a place for one result.
///
/// # Safety
///
/// If it is not null, the caller may write a `T` through `pointer` until the call ends.
pub(crate) unsafe fn out<'a, T>(argument: &'static str, pointer: *mut T) -> Outcome<Out<'a, T>> {
    check(argument, pointer)?;
    Ok(Out { pointer, place: PhantomData })
}

/// As [`out`], for an optional result: `None` for null.
///
/// # Safety
///
/// As [`out`].
pub(crate) unsafe fn optional_out<'a, T>(
    argument: &'static str, pointer: *mut T,
) -> Outcome<Option<Out<'a, T>>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: `pointer` is not null, so that the contract of `optional_out` is that of `out`.
    unsafe { out(argument, pointer) }.map(Some)
}

impl<T> Out<'_, T> {
    /// Writes the result.
    pub(crate) fn set(self, value: T) {
        // SAFETY: `out` found `pointer` not null and aligned, and its contract is that a `T` may be
        // written there. What was there may be uninitialised, so it is not dropped.
        unsafe { self.pointer.write(value) }
    }
}

/// A place for many results.
pub(crate) struct OutSlice<'a, T> {
    pointer: *mut T,
    capacity: usize,
    place: PhantomData<&'a mut [T]>,
}

/// Checks a place for `capacity` results; it may be null when `capacity` is 0.
///
/// # Safety
///
/// If it is not null, the caller may write `capacity` elements through `pointer` until the call
/// ends.
#[inline]
pub(crate) unsafe fn out_slice<'a, T>(
    argument: &'static str, pointer: *mut T, capacity: usize,
) -> Outcome<OutSlice<'a, T>> {
    if capacity > 0 {
        check(argument, pointer)?;
        check_len::<T>(argument, capacity)?;
    }
    Ok(OutSlice { pointer, capacity, place: PhantomData })
}

/// As [`out_slice`], for optional results: `None` for null.
///
/// # Safety
///
/// As [`out_slice`].
pub(crate) unsafe fn optional_out_slice<'a, T>(
    argument: &'static str, pointer: *mut T, capacity: usize,
) -> Outcome<Option<OutSlice<'a, T>>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: `pointer` is not null, so that the contract of `optional_out_slice` is that of
    // `out_slice`.
    unsafe { out_slice(argument, pointer, capacity) }.map(Some)
}

impl<T: Copy> OutSlice<'_, T> {
    /// Refuses a capacity below what is needed.
    pub(crate) fn check_capacity(&self, argument: &'static str, needed: usize) -> Outcome {
        if self.capacity < needed {
            return Err(Refusal::BufferTooSmall { argument, got: self.capacity, needed });
        }
        Ok(())
    }

    /// Writes the results to the front of the place. They must fit: ask `check_capacity` before.
    pub(crate) fn fill(self, values: &[T]) {
        let len = values.len().min(self.capacity);
        // A place without capacity may be null, or not aligned: it is not even named then.
        if len == 0 {
            return;
        }
        // SAFETY: `out_slice` checked `pointer` for `capacity` elements, and its contract is that
        // so many may be written; `len` is not more. The library owns `values`, so they can't
        // overlap what is lent for writing.
        unsafe { std::ptr::copy_nonoverlapping(values.as_ptr(), self.pointer, len) }
    }

    /// [`Self::fill`] with results that come in parts, one behind the other.
    pub(crate) fn fill_in_parts(self, parts: impl FnOnce(&mut dyn FnMut(&[T]))) {
        let mut at = 0usize;
        parts(&mut |part| {
            let len = self.capacity.saturating_sub(at).min(part.len());
            // SAFETY: `at + len` is at most the capacity, for which `out_slice` checked the place; its
            // caller promised the rest, and the part is ours.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), self.pointer.add(at), len) };
            at = at.saturating_add(len);
        });
    }

    /// [`Self::fill`] with results that are made on the way.
    pub(crate) fn fill_with(self, values: impl IntoIterator<Item = T>) {
        for (at, value) in (0..self.capacity).zip(values) {
            // SAFETY: `at` is below `capacity`, for which `out_slice` checked `pointer`, and its
            // contract is that so many elements may be written. What was there may be
            // uninitialised, so it is not dropped.
            unsafe { self.pointer.add(at).write(value) }
        }
    }
}

/// Refuses a place that is too small, if there is one.
pub(crate) fn check_room<T: Copy>(
    place: &Option<OutSlice<'_, T>>, argument: &'static str, needed: usize,
) -> Outcome {
    place.as_ref().map_or(Ok(()), |place| place.check_capacity(argument, needed))
}

/// Fills a place, if there is one.
pub(crate) fn fill<T: Copy>(place: Option<OutSlice<'_, T>>, values: &[T]) {
    if let Some(place) = place {
        place.fill(values);
    }
}

/// Fills a place with the results of an iterator, if there is one.
pub(crate) fn fill_with<T: Copy>(
    place: Option<OutSlice<'_, T>>, values: impl IntoIterator<Item = T>,
) {
    if let Some(place) = place {
        place.fill_with(values);
    }
}

/// Writes a result that has a length, with `write`. With `capacity` 0, only the length is written.
/// Other capacities that are too small are refused.
///
/// # Safety
///
/// As [`out_slice`] for `buffer` and `capacity`, as [`optional_out`] for `needed`.
pub(crate) unsafe fn answer_by<T: Copy>(
    argument: &'static str, buffer: *mut T, capacity: usize, needed: *mut usize, len: usize,
    write: impl FnOnce(OutSlice<'_, T>),
) -> Outcome {
    // SAFETY: the contract of `answer_by` is that of `out_slice` for `buffer`, and that of
    // `optional_out` for `needed`.
    let (buffer, needed) =
        unsafe { (out_slice(argument, buffer, capacity)?, optional_out("needed", needed)?) };
    if capacity > 0 {
        buffer.check_capacity(argument, len)?;
        write(buffer);
    }
    if let Some(needed) = needed {
        needed.set(len);
    }
    Ok(())
}

/// [`answer_by`] for values that are there.
///
/// # Safety
///
/// As [`answer_by`].
pub(crate) unsafe fn answer<T: Copy>(
    argument: &'static str, buffer: *mut T, capacity: usize, needed: *mut usize, values: &[T],
) -> Outcome {
    // SAFETY: the contract of `answer` is that of `answer_by`, for the same `buffer` and `needed`.
    unsafe {
        answer_by(argument, buffer, capacity, needed, values.len(), |place| place.fill(values))
    }
}

/// [`answer_by`] for a text: it is NUL-terminated, and the NUL counts.
///
/// # Safety
///
/// As [`answer_by`].
pub(crate) unsafe fn answer_text(
    buffer: *mut c_char, capacity: usize, needed: *mut usize, text: impl Display,
) -> Outcome {
    let mut length = Length(0);
    // Counting does not fail, nor does writing; what else would is the text's own and is left out.
    let _ = write!(length, "{text}");
    let len = length.0.saturating_add(1);
    let write = |place: OutSlice<'_, u8>| {
        let mut writing = Writing { place, at: 0 };
        let _ = write!(writing, "{text}\0");
    };
    // SAFETY: the contract of `answer_text` is that of `answer_by`, for `buffer` and `needed`. A
    // `c_char` and a `u8` differ in sign only.
    unsafe { answer_by("buffer", buffer.cast::<u8>(), capacity, needed, len, write) }
}

/// Counts the bytes of a text.
struct Length(usize);

impl fmt::Write for Length {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(part.len());
        Ok(())
    }
}

/// Writes a text part by part.
struct Writing<'a> {
    place: OutSlice<'a, u8>,
    at: usize,
}

impl fmt::Write for Writing<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = self.place.capacity.saturating_sub(self.at).min(part.len());
        // SAFETY: `at` and `room` together are at most the capacity for which `out_slice` checked
        // the place, and its contract is that so many bytes may be written. The library owns the
        // `part`.
        unsafe {
            let end = self.place.pointer.add(self.at);
            std::ptr::copy_nonoverlapping(part.as_ptr(), end, room);
        }
        self.at = self.at.saturating_add(room);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copying no bytes to such a place is undefined too: the standard library ends a process with
    /// debug assertions for it.
    #[test]
    fn a_place_without_capacity_may_be_anywhere() {
        for address in [0, 1, 7] {
            let nowhere = std::ptr::without_provenance_mut::<i64>(address);
            // SAFETY: with capacity 0, nothing is read or written.
            let place = || unsafe { out_slice("place", nowhere, 0) }.unwrap_or_else(|_| panic!());
            place().fill(&[]);
            place().fill(&[1, 2]);
            place().fill_with([1, 2]);
            // SAFETY: as above, and NULL is no place for the length.
            let answered = unsafe { answer("place", nowhere, 0, std::ptr::null_mut(), &[1, 2]) };
            assert!(answered.is_ok());
        }
    }
}
