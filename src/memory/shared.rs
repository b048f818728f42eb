//! A value with several owners: `std::sync::Arc`, but that making one can fail.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::{Memory, try_box};
use crate::concurrency::AtomicUsize;

/// More owners than memory could hold; only a program that forgets them for ever gets there.
const MAX_OWNERS: usize = usize::MAX >> 1;

struct Counted<T> {
    owners: AtomicUsize,
    value: T,
}

/// A value with several owners, which is dropped with the last of them.
///
/// The standard `Arc` ends the process where memory is missing; [`Shared::try_new`] says so. There
/// are no weak references. For a trait object, share its box.
pub struct Shared<T> {
    counted: NonNull<Counted<T>>,
    /// Dropping an owner may drop the value.
    owns: PhantomData<Counted<T>>,
}

// SAFETY: a `Shared` gives references to its value on several threads (T: Sync), and its last owner
// drops the value, on whichever thread that is (T: Send).
unsafe impl<T: Send + Sync> Send for Shared<T> {}
// SAFETY: a reference to a `Shared` can be cloned, and the clone moved to another thread. So `Sync`
// requires of `T` what `Send` does.
unsafe impl<T: Send + Sync> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// A value with one owner.
    pub fn try_new(value: T) -> Memory<Self> {
        let counted = try_box(Counted { owners: AtomicUsize::new(1), value })?;
        Ok(Self { counted: NonNull::from(Box::leak(counted)), owns: PhantomData })
    }

    /// Whether two owners own the same value.
    pub fn ptr_eq(this: &Self, other: &Self) -> bool {
        this.counted == other.counted
    }

    /// The value, to be changed, where this is its only owner.
    pub fn get_mut(this: &mut Self) -> Option<&mut T> {
        // Acquire: what former owners did with the value happens before it is changed.
        if this.counted().owners.load(Ordering::Acquire) != 1 {
            return None;
        }
        // SAFETY: `counted` has one owner, which is borrowed as long as the reference exists, and
        // only an owner can make another one.
        Some(unsafe { &mut this.counted.as_mut().value })
    }

    fn counted(&self) -> &Counted<T> {
        // SAFETY: the memory of `counted` is freed by the last owner when it is dropped, and this
        // is an owner.
        unsafe { self.counted.as_ref() }
    }
}

impl<T> Clone for Shared<T> {
    #[inline]
    fn clone(&self) -> Self {
        // Relaxed: who clones owns the value, so it can't go away meanwhile.
        let before = self.counted().owners.fetch_add(1, Ordering::Relaxed);
        if before >= MAX_OWNERS {
            std::process::abort();
        }
        Self { counted: self.counted, owns: PhantomData }
    }
}

impl<T> Drop for Shared<T> {
    #[inline]
    fn drop(&mut self) {
        // Release: what this owner did happens before the value is dropped.
        if self.counted().owners.fetch_sub(1, Ordering::Release) != 1 {
            return;
        }
        // Acquire: and so what all others did. (A fence would do, but ThreadSanitizer knows of none.)
        self.counted().owners.load(Ordering::Acquire);
        // SAFETY: `try_new` leaked `counted` from a box. The number of owners went from 1 to 0, so
        // this was the last owner, and it does not use the value again.
        drop(unsafe { Box::from_raw(self.counted.as_ptr()) });
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.counted().value
    }
}

impl<T> AsRef<T> for Shared<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl<T: fmt::Display> fmt::Display for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Hash> Hash for Shared<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Values that can become a [`Shared`], and those that are one already.
pub trait IntoShared<T> {
    /// An owner of the value.
    fn into_shared(self) -> Memory<Shared<T>>;
}

impl<T> IntoShared<T> for T {
    fn into_shared(self) -> Memory<Shared<T>> {
        Shared::try_new(self)
    }
}

impl<T> IntoShared<T> for Shared<T> {
    fn into_shared(self) -> Memory<Shared<T>> {
        Ok(self)
    }
}

impl<T> IntoShared<T> for &Shared<T> {
    fn into_shared(self) -> Memory<Shared<T>> {
        Ok(self.clone())
    }
}
