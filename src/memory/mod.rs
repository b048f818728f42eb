//! Memory that may be refused: vectors, boxes, shared values and texts whose making can fail.
//!
//! The library is loaded into other people's processes, so no allocation of it may end one. The
//! standard library's collections abort where memory is missing, unless every growth is asked for
//! first; here it is, once, and the answer is an [`OutOfMemory`] that `?` turns into the caller's
//! error. The rest of the crate makes its vectors, boxes and texts by these functions only.

mod buffer;
mod huge_pages;
mod prefetch;
mod shared;
#[cfg(test)]
mod tests;
mod text;

use std::alloc::Layout;
use std::collections::TryReserveError;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

pub use buffer::Buffer;
pub use prefetch::PrefetchInto;
pub(crate) use prefetch::{prefetch, prefetch_slice};
pub use shared::{IntoShared, Shared};
pub use text::Text;
pub(crate) use text::{Shown, text};

/// Bytes of a vector from which on huge pages are asked for: there is a whole one in it, wherever it starts.
const MIN_HUGE: usize = 4 << 20;

/// The system has no memory left: an allocation of `bytes` bytes failed, or of 0 where that is not
/// known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory {
    /// How many bytes were asked for.
    pub bytes: usize,
}

/// The result of what needs memory and can fail in no other way.
pub type Memory<T> = std::result::Result<T, OutOfMemory>;

impl OutOfMemory {
    /// The refusal of `len` elements of type `T`.
    fn of<T>(len: usize) -> Self {
        Self { bytes: len.saturating_mul(size_of::<T>()) }
    }
}

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> Self {
        Self { bytes: 0 }
    }
}

/// Growing a vector, or a refusal that leaves it as it was.
pub(crate) trait TryVec<T> {
    /// Appends a value.
    fn try_push(&mut self, value: T) -> Memory<()>;

    /// Appends values. Where memory ends in the middle, the first of them stay appended.
    fn try_extend(&mut self, values: impl IntoIterator<Item = T>) -> Memory<()>;

    /// Appends copies of all elements of a slice.
    fn try_extend_from_slice(&mut self, values: &[T]) -> Memory<()>
    where
        T: Copy;

    /// Makes the vector `len` elements long; new ones are `value`.
    fn try_resize(&mut self, len: usize, value: T) -> Memory<()>
    where
        T: Copy;

    /// The vector as a boxed slice, in the memory that it has where that is no larger than needed.
    fn try_into_boxed(self) -> Memory<Box<[T]>>;
}

impl<T> TryVec<T> for Vec<T> {
    #[inline]
    fn try_push(&mut self, value: T) -> Memory<()> {
        if self.len() == self.capacity() {
            try_grow(self)?;
        }
        self.push(value);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, values: impl IntoIterator<Item = T>) -> Memory<()> {
        let values = values.into_iter();
        let (least, most) = values.size_hint();
        self.try_reserve(least).map_err(|_| OutOfMemory::of::<T>(least))?;
        if most == Some(least) {
            // There is room for all of them, which need not be asked for each. No more are taken.
            self.extend(values.take(least));
            return Ok(());
        }
        for value in values {
            self.try_push(value)?;
        }
        Ok(())
    }

    #[inline]
    fn try_extend_from_slice(&mut self, values: &[T]) -> Memory<()>
    where
        T: Copy,
    {
        self.try_reserve(values.len()).map_err(|_| OutOfMemory::of::<T>(values.len()))?;
        self.extend_from_slice(values);
        Ok(())
    }

    fn try_resize(&mut self, len: usize, value: T) -> Memory<()>
    where
        T: Copy,
    {
        let more = len.saturating_sub(self.len());
        self.try_reserve(more).map_err(|_| OutOfMemory::of::<T>(more))?;
        self.resize(len, value);
        Ok(())
    }

    fn try_into_boxed(self) -> Memory<Box<[T]>> {
        if self.len() == self.capacity() {
            return Ok(self.into_boxed_slice());
        }
        // Shrinking in place may fail as well, so the elements move to a place of their length.
        let mut exact = try_with_capacity(self.len())?;
        exact.extend(self);
        Ok(exact.into_boxed_slice())
    }
}

/// Makes room for one more element. Apart from where elements are pushed, so that this stays small.
#[cold]
#[inline(never)]
fn try_grow<T>(vec: &mut Vec<T>) -> Memory<()> {
    vec.try_reserve(1).map_err(|_| OutOfMemory::of::<T>(vec.len().saturating_add(1)))
}

/// An empty vector with room for exactly `len` elements.
pub(crate) fn try_with_capacity<T>(len: usize) -> Memory<Vec<T>> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len).map_err(|_| OutOfMemory::of::<T>(len))?;
    let bytes = vec.capacity().saturating_mul(size_of::<T>());
    if bytes >= MIN_HUGE {
        let room = NonNull::from(vec.spare_capacity_mut()).cast();
        huge_pages::advise_inside(room, bytes);
    }
    Ok(vec)
}

/// All values of an iterator.
pub(crate) fn try_collect<T>(values: impl IntoIterator<Item = T>) -> Memory<Vec<T>> {
    let values = values.into_iter();
    let mut vec = try_with_capacity(values.size_hint().0)?;
    vec.try_extend(values)?;
    Ok(vec)
}

/// All values of an iterator, or the first error.
pub(crate) fn try_collect_results<T, E: From<OutOfMemory>>(
    results: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Vec<T>, E> {
    let results = results.into_iter();
    let most = results.size_hint().1.unwrap_or(0);
    let mut vec = try_with_capacity(most)?;
    for result in results {
        vec.try_push(result?)?;
    }
    Ok(vec)
}

/// `len` times `value`.
pub(crate) fn try_filled<T: Copy>(value: T, len: usize) -> Memory<Vec<T>> {
    let mut vec = try_with_capacity(len)?;
    vec.resize(len, value);
    Ok(vec)
}

/// A copy of a slice.
pub(crate) fn try_to_vec<T: Copy>(slice: &[T]) -> Memory<Vec<T>> {
    let mut vec = try_with_capacity(slice.len())?;
    vec.extend_from_slice(slice);
    Ok(vec)
}

/// A boxed copy of a slice.
pub(crate) fn try_boxed_slice<T: Copy>(slice: &[T]) -> Memory<Box<[T]>> {
    try_to_vec(slice)?.try_into_boxed()
}

/// A copy of a text.
pub(crate) fn try_string(text: &str) -> Memory<String> {
    let mut string = String::new();
    string.try_reserve_exact(text.len()).map_err(|_| OutOfMemory::of::<u8>(text.len()))?;
    string.push_str(text);
    Ok(string)
}

/// A boxed copy of a text.
pub(crate) fn try_boxed_str(text: &str) -> Memory<Box<str>> {
    let string = try_string(text)?;
    if string.len() == string.capacity() {
        return Ok(string.into_boxed_str());
    }
    // The allocation is larger than the text: the bytes move to one of their own size.
    let bytes = string.into_bytes().try_into_boxed()?;
    // SAFETY: `bytes` are a copy of those of `string`, a `String`, so they are valid UTF-8.
    Ok(unsafe { std::str::from_boxed_utf8_unchecked(bytes) })
}

/// A value in memory of its own.
pub(crate) fn try_box<T>(value: T) -> Memory<Box<T>> {
    Ok(Box::write(try_uninit()?, value))
}

/// Memory for a value: for those who keep the value where there is none.
pub(crate) fn try_uninit<T>() -> Memory<Box<MaybeUninit<T>>> {
    let layout = Layout::new::<T>();
    if layout.size() == 0 {
        // No memory is needed.
        return Ok(Box::new(MaybeUninit::uninit()));
    }
    // SAFETY: `alloc` is undefined only for a `layout` of size 0, which has returned above.
    let place = unsafe { std::alloc::alloc(layout) }.cast::<MaybeUninit<T>>();
    if place.is_null() {
        return Err(OutOfMemory { bytes: layout.size() });
    }
    // SAFETY: `place` is not null, and the global allocator gave it for the layout of a `T`, with
    // which a `Box` frees it. Any bytes are a `MaybeUninit`.
    Ok(unsafe { Box::from_raw(place) })
}
