//! Arrays of which only those values that are needed are ever written: initialising all of them
//! would take longer than copying a small shard.

use std::mem::MaybeUninit;

/// Values that were written, as such.
///
/// # Safety
///
/// All of them were.
pub(super) unsafe fn written<T>(values: &[MaybeUninit<T>]) -> &[T] {
    // SAFETY: the caller's promise; the layout is the same.
    unsafe { &*(std::ptr::from_ref(values) as *const [T]) }
}

/// Like [`written`], to change them.
///
/// # Safety
///
/// As [`written`].
pub(super) unsafe fn written_mut<T>(values: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: as above.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [T]) }
}
