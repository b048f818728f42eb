//! Atomic numbers, cells, locks and variables of threads, as the lock-free parts use them.
//!
//! The library has those of the standard library. A build with `--cfg loom` has those of
//! `models/modelled.rs` instead: a model checker then decides the order of all accesses, and runs the code
//! in each order. So models run the code itself. `models/README.md` says more.

#[cfg(loom)]
#[path = "../models/modelled.rs"]
pub(crate) mod modelled;

#[cfg(loom)]
pub(crate) use modelled::{
    AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Condvar, Mutex, MutexGuard,
    TrackedCell, spin_loop, thread_local,
};
#[cfg(not(loom))]
pub(crate) use std::hint::spin_loop;
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
#[cfg(not(loom))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::thread_local;

/// A place that one thread may write, or several may read. Models check that these accesses are in an
/// order.
#[cfg(not(loom))]
pub(crate) struct TrackedCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> TrackedCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// The place, to be read now.
    #[inline(always)]
    pub(crate) fn read(&self) -> *const T {
        self.0.get()
    }

    /// The place, to be written now.
    #[inline(always)]
    pub(crate) fn write(&self) -> *mut T {
        self.0.get()
    }
}
