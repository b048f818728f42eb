//! Room for some values, of which only those that are needed are ever written: to initialise all of it
//! would take longer than to copy a small shard.

use std::mem::MaybeUninit;

/// Values that were written.
///
/// # Safety
///
/// All of them were.
pub(super) unsafe fn written<T>(room: &[MaybeUninit<T>]) -> &[T] {
    // SAFETY: the caller's promise; the layout is the same.
    unsafe { &*(std::ptr::from_ref(room) as *const [T]) }
}

/// As [`written`], to change them.
///
/// # Safety
///
/// As [`written`].
pub(super) unsafe fn written_mut<T>(room: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: as above.
    unsafe { &mut *(std::ptr::from_mut(room) as *mut [T]) }
}
