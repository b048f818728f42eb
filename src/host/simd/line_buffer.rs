//! Write combining: a line buffer collects the bytes of one cache line, which are then streamed at
//! once.

use crate::host::cpu::LINE;

/// The bytes of a line, of which some may be set.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::host) struct LineBytes(pub(in crate::host) [u8; LINE]);

impl LineBytes {
    pub(in crate::host) const EMPTY: Self = Self([0; LINE]);
}

/// A line that is filled from front to back, and then streamed. It stays in registers while runs
/// are appended, as far as the instructions of a level allow it.
pub(in crate::host) trait LineBuffer {
    /// A buffer with the bytes that [`Self::save`] returned.
    ///
    /// # Safety
    ///
    /// The processor has the vector's instructions; so for all of these.
    unsafe fn load(bytes: &LineBytes) -> Self;

    /// Its bytes. Those that were not set have any value.
    ///
    /// # Safety
    ///
    /// As [`Self::load`].
    unsafe fn save(&self) -> LineBytes;

    /// Sets the bytes from `at` on to the first `len` bytes of a run of `run` bytes.
    ///
    /// # Safety
    ///
    /// The run may be read. It has `len` bytes, and the line has room for them.
    unsafe fn put_first(&mut self, at: usize, from: *const u8, len: usize, run: usize);

    /// Begins a new line with the last `len` bytes, less than a line, of a run of `run` bytes;
    /// these are at `from`.
    ///
    /// # Safety
    ///
    /// As [`Self::put_first`].
    unsafe fn put_last(&mut self, from: *const u8, len: usize, run: usize);

    /// Writes the line with non-temporal stores.
    ///
    /// # Safety
    ///
    /// A line may be written, and `to` is a multiple of one.
    unsafe fn stream(&self, to: *mut u8);
}
