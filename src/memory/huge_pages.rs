//! Huge pages for large allocations.

use std::ptr::NonNull;

/// The huge page of x86-64 and of most aarch64 systems. A buffer of one or more starts with one: a
/// page fault for each 4 KiB would take longer than the copy into them.
pub(super) const HUGE_PAGE: usize = 2 << 20;

/// Asks the system for huge pages inside of an allocation, where it has at least one. A million boxes take
/// 32 MiB, and a page fault for each 4 KiB of these takes longer than to check the boxes.
pub(super) fn advise_inside(start: NonNull<u8>, len: usize) {
    let before = start.align_offset(HUGE_PAGE);
    let inside = len.saturating_sub(before);
    let whole = inside.saturating_sub(inside % HUGE_PAGE);
    if whole > 0 {
        // SAFETY: the allocation that begins at `start` has `len` bytes, and `before` is less than that,
        // as `whole` would be 0 otherwise.
        advise(unsafe { start.add(before) }, whole);
    }
}

/// Asks the system for huge pages. It may not have any: the memory is as good without.
#[cfg(target_os = "linux")]
pub(super) fn advise(start: NonNull<u8>, len: usize) {
    // SAFETY: `start` begins an allocation of at least `len` bytes that is aligned to a huge page,
    // and `MADV_HUGEPAGE` changes no contents.
    unsafe { libc::madvise(start.as_ptr().cast(), len, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
pub(super) fn advise(_: NonNull<u8>, _: usize) {}
