//! Hazard pointers: each thread publishes the objects that it uses in hazard records of its own.
//! Other threads only read these, before they drop an object.
//!
//! Setting a hazard pointer costs one atomic exchange on memory that no other thread writes,
//! however many threads use the same object. A thread that ends releases its records. In the child
//! of a fork only one thread is left; the hazard pointers of the others are cleared there.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::hazard_records::{self, HazardRecord, ONCE};
use crate::concurrency::{AtomicUsize, thread_local};

/// What a thread does with an object, in the lowest bit of a hazard value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It reads the object.
    Reads = 0,
    /// It runs the user's code that the object is.
    Runs = 1,
}

/// Alignment of slots: slots of different threads' objects must not share a cache line.
pub(super) const SLOT_ALIGN: usize = 64;

/// The value of a hazard pointer: an object's slot and, as far as there is room, the slot's
/// generation. A thread that tries a key of an earlier generation does not count as a user of the
/// object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HazardValue(usize);

impl HazardValue {
    /// Slots are aligned, and addresses have 48 bits. With longer addresses, two slots could have
    /// the same value, which is safe: one object would then wait for users of the other.
    const SLOT_SHIFT: u32 = 16;
    /// The bits below those of the slot, except that of the use.
    const GENERATIONS: usize = (SLOT_ALIGN << Self::SLOT_SHIFT) - 1;

    /// The value for the object of this generation in the slot at this address.
    #[inline]
    pub(super) fn new(slot: usize, generation: u32) -> Self {
        Self(slot << Self::SLOT_SHIFT | (generation as usize) << 1 & Self::GENERATIONS)
    }
}

thread_local! {
    /// This thread's first record. The address of this variable identifies the thread, also while
    /// it ends.
    static FIRST: Cell<Option<&'static HazardRecord>> = const { Cell::new(None) };
    /// Whether the thread is ending and has released its records.
    static ENDS: Cell<bool> = const { Cell::new(false) };
}

/// The identity of this thread, until it has ended.
fn this_thread() -> usize {
    FIRST.with(|first| std::ptr::from_ref(first).addr())
}

/// A hazard pointer that this thread has set, and that only this thread may clear. It is one
/// pointer into a record, which fits a register; its provenance covers the whole record.
pub(super) struct HazardPointer {
    pointer: NonNull<AtomicUsize>,
}

impl HazardPointer {
    /// Sets a hazard pointer. `None`: no memory for one more record.
    ///
    /// The caller reads the slot's state after this. A thread that changes the state and scans the
    /// hazard pointers after that then can't miss this one.
    #[inline(always)]
    pub(super) fn new(name: HazardValue, how: Use) -> Option<Self> {
        let free = FIRST.get().and_then(free_pointer);
        let pointer = Self { pointer: free.or_else(find_free_pointer)? };
        pointer.place().swap(name.0 | how as usize, Ordering::SeqCst);
        Some(pointer)
    }

    fn place(&self) -> &'static AtomicUsize {
        // SAFETY: `pointer` is one of the atomic numbers of a `HazardRecord`, and records are never
        // freed.
        unsafe { self.pointer.as_ref() }
    }

    fn record(&self) -> &'static HazardRecord {
        let record = self.pointer.as_ptr().cast_const().map_addr(|addr| addr & RECORD_START);
        // SAFETY: `record` is the start of a record: records are aligned to their size, and the
        // pointer was derived from a reference to the whole record in `free_pointer`.
        unsafe { &*record.cast() }
    }
}

/// The bits of an address that are the start of its record.
const RECORD_START: usize = !(align_of::<HazardRecord>() - 1);
const _: () = assert!(size_of::<HazardRecord>() == align_of::<HazardRecord>());

impl HazardPointer {
    /// Clears the hazard pointer and returns its value.
    #[inline]
    pub(super) fn clear(&mut self) -> HazardValue {
        // The uses of the object happen before a thread that sees the pointer cleared drops it.
        let pointer = self.place().swap(0, Ordering::SeqCst);
        if self.record().owner.load(Ordering::Relaxed) & ONCE != 0 {
            self.record().release();
        }
        HazardValue(pointer & !(Use::Runs as usize))
    }
}

/// A free hazard pointer of a record. Only the record's owner sets it, so it stays free until then.
#[inline(always)]
fn free_pointer(record: &'static HazardRecord) -> Option<NonNull<AtomicUsize>> {
    let index = record.pointers.iter().position(|pointer| pointer.load(Ordering::Relaxed) == 0)?;
    let record = NonNull::from_ref(record).cast::<AtomicUsize>();
    // SAFETY: a `record` begins with its hazard pointers, and `index` is the position of one of
    // them.
    Some(unsafe { record.add(index) })
}

fn next_record(record: &HazardRecord) -> Option<&'static HazardRecord> {
    let next = record.next.load(Ordering::Relaxed);
    // SAFETY: `next` is null or a record that was acquired once. Records are never freed, and all
    // their fields are atomic.
    unsafe { next.as_ref() }
}

/// A free hazard pointer where the first record has none.
#[cold]
fn find_free_pointer() -> Option<NonNull<AtomicUsize>> {
    let mut last = None;
    let mut next = FIRST.get();
    while let Some(record) = next {
        if let Some(pointer) = free_pointer(record) {
            return Some(pointer);
        }
        last = Some(record);
        next = next_record(record);
    }
    if !registers_fork_handler() {
        return None;
    }
    // A thread that has released its records, or can't release them, acquires a record for this
    // hazard pointer alone.
    let once = ENDS.get() || !at_end::registers_release();
    let record = hazard_records::acquire(this_thread() | if once { ONCE } else { 0 })?;
    match last {
        _ if once => {}
        Some(last) => last.next.store(std::ptr::from_ref(record).cast_mut(), Ordering::Relaxed),
        None => FIRST.set(Some(record)),
    }
    free_pointer(record)
}

/// Releases this thread's records, when it ends.
fn release_all() {
    ENDS.set(true);
    let mut next = FIRST.take();
    while let Some(record) = next {
        next = next_record(record);
        record.release();
    }
}

/// The threads that run an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Users {
    /// No thread.
    None,
    /// This thread, and maybe others.
    Me,
    /// Other threads.
    Others,
}

/// Whether a record has such a hazard pointer.
fn holds(record: &HazardRecord, is: impl Fn(usize) -> bool) -> bool {
    record.pointers.iter().any(|pointer| is(pointer.load(Ordering::SeqCst)))
}

/// Whether any thread has a hazard pointer to this object.
pub(super) fn is_protected(HazardValue(name): HazardValue) -> bool {
    let uses = |pointer: usize| pointer & !(Use::Runs as usize) == name;
    hazard_records::scan(|record| match holds(record, uses) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    })
    .is_break()
}

/// The threads that run this object.
pub(super) fn running(HazardValue(name): HazardValue) -> Users {
    let (runs, me) = (name | Use::Runs as usize, this_thread());
    let mut users = Users::None;
    let _ = hazard_records::scan(|record| {
        if holds(record, |pointer| pointer == runs) {
            if record.owner.load(Ordering::Relaxed) & !ONCE == me {
                users = Users::Me;
                return ControlFlow::Break(());
            }
            users = Users::Others;
        }
        ControlFlow::Continue(())
    });
    users
}

/// Whether this thread runs anything.
pub(crate) fn this_thread_runs_any() -> bool {
    let (runs, me) = (|pointer: usize| pointer & Use::Runs as usize != 0, this_thread());
    hazard_records::scan(|record| {
        let mine = record.owner.load(Ordering::Relaxed) & !ONCE == me;
        if mine && holds(record, runs) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .is_break()
}

/// Registers a handler for forks, which releases the records of threads that do not exist in the
/// child. Threads call it before they acquire their first record, so it may be registered several
/// times. `false`: no memory for that, and no record may be acquired.
#[cfg(all(unix, not(loom)))]
fn registers_fork_handler() -> bool {
    use std::sync::atomic::AtomicBool;

    extern "C" fn release_records_of_others() {
        hazard_records::release_others(this_thread());
    }

    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) {
        // SAFETY: `release_records_of_others` does what a function may do in the child of a program
        // with threads: it writes atomic numbers, and neither allocates nor locks.
        let failed = unsafe { libc::pthread_atfork(None, None, Some(release_records_of_others)) };
        DONE.store(failed == 0, Ordering::Relaxed);
    }
    DONE.load(Ordering::Relaxed)
}

#[cfg(not(all(unix, not(loom))))]
fn registers_fork_handler() -> bool {
    true
}

/// A destructor for threads. The standard library's own ends the process where there is no memory
/// for it.
#[cfg(all(unix, not(loom)))]
mod at_end {
    use std::ffi::c_void;
    use std::ptr::NonNull;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Registers the release of this thread's records at its end. `false` where that fails.
    pub(super) fn registers_release() -> bool {
        let Some(key) = key() else {
            return false;
        };
        // SAFETY: `key` is never deleted, and the value is never followed: any value but null has
        // `release_all` called.
        unsafe { libc::pthread_setspecific(key, NonNull::<c_void>::dangling().as_ptr()) == 0 }
    }

    fn key() -> Option<libc::pthread_key_t> {
        extern "C" fn release_all(_: *mut c_void) {
            super::release_all();
        }

        /// The key and one, or 0 while there is none.
        static KEY: AtomicU64 = AtomicU64::new(0);
        let known = |number: u64| libc::pthread_key_t::try_from(number.checked_sub(1)?).ok();
        if let Some(key) = known(KEY.load(Ordering::Acquire)) {
            return Some(key);
        }
        let mut key = 0;
        // SAFETY: `key` is a place for one number, and `release_all` ignores its argument.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(release_all)) } != 0 {
            return None;
        }
        let number = u64::from(key).checked_add(1)?;
        match KEY.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(key),
            Err(first) => {
                // SAFETY: `key` was created above and never shared, and so no thread has a value
                // for it.
                unsafe { libc::pthread_key_delete(key) };
                known(first)
            }
        }
    }
}

#[cfg(not(all(unix, not(loom))))]
mod at_end {
    use crate::concurrency::thread_local;

    struct ReleaseAtEnd;

    impl Drop for ReleaseAtEnd {
        fn drop(&mut self) {
            super::release_all();
        }
    }

    thread_local! {
        static RELEASE: ReleaseAtEnd = const { ReleaseAtEnd };
    }

    pub(super) fn registers_release() -> bool {
        RELEASE.try_with(|_| ()).is_ok()
    }
}
