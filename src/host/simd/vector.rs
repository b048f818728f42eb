//! Vectors for kernels: loads, stores and shuffles, whatever instructions the processor
//! has.

use super::line_buffer::LineBuffer;

/// Some bytes in a register: one or more parts of 16 bytes.
pub(in crate::host) trait Vector: Copy {
    /// What combines lines.
    type WriteBuffer: LineBuffer;

    /// Bytes of one.
    const BYTES: usize;

    /// # Safety
    ///
    /// [`Self::BYTES`] may be read.
    unsafe fn load(from: *const u8) -> Self;

    /// A part of 16 bytes from each of the places `from[0]`, `from[every]`, `from[2 * every]` and
    /// so on, `at` bytes behind it.
    ///
    /// # Safety
    ///
    /// There is such a place for each part, and 16 bytes may be read there.
    unsafe fn load_parts(from: *const *const u8, every: usize, at: usize) -> Self;

    /// The 32 bytes `at` bytes behind each of two places; of a vector of 64 bytes.
    ///
    /// # Safety
    ///
    /// They may be read.
    unsafe fn load_halves(from: *const *const u8, at: usize) -> Self;

    /// # Safety
    ///
    /// [`Self::BYTES`] may be written.
    unsafe fn store(self, to: *mut u8);

    /// Stores without the caches (non-temporal).
    ///
    /// # Safety
    ///
    /// [`Self::BYTES`] may be written, and `to` is a multiple of them.
    unsafe fn stream(self, to: *mut u8);

    /// The elements of two vectors in turn, each part of 16 bytes for itself: those of the parts'
    /// first halves, and those of their second halves. Elements have 1, 2, 4 or 8 bytes.
    ///
    /// # Safety
    ///
    /// The processor has the vector's instructions; so for all of these.
    unsafe fn interleave<const ITEM: usize>(self, other: Self) -> (Self, Self);
}
