//! Arrays of which only those values that are needed are ever written: initialising all of them
//! would take longer than copying a small shard.

use std::mem::MaybeUninit;

/// Values that were written, as such.
///
/// # Safety
///
/// All of them were.
pub(super) unsafe fn written<T>(values: &[MaybeUninit<T>]) -> &[T] {
    // SAFETY: the contract of `written` is that all of `values` were written, and a
    // `MaybeUninit<T>` has the layout of a `T`.
    unsafe { &*(std::ptr::from_ref(values) as *const [T]) }
}

/// Like [`written`], to change them.
///
/// # Safety
///
/// As [`written`].
pub(super) unsafe fn written_mut<T>(values: &mut [MaybeUninit<T>]) -> &mut [T] {
    // SAFETY: the contract of `written_mut` is that of `written`, and `values` are borrowed for
    // change.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [T]) }
}
