//! A slot map: a table of objects that are addressed by keys, not pointers, and that never locks.
//!
//! A slot holds one object at a time. Its state is one word: a generation, and whether the object
//! exists. A thread that uses an object sets a hazard pointer in memory of its own, so using an
//! object writes nothing that threads share. The last user drops the object: the call that frees
//! it, or the last call that still uses it. The order of sequentially consistent accesses decides
//! which one that is: [`sync`](super) has the steps.
//!
//! A generation is used once. When a slot has used all of them, it is retired: never used again. So
//! a freed [`key`](super::key) stays invalid as long as the process runs, at the price of one slot's
//! memory for each 131,072 objects.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "shifts and masks of constants, and counters far from their ends"
)]

use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::atomic::Ordering;

use super::backoff::Backoff;
use super::hazard::{self, HazardPointer, HazardValue, SLOT_ALIGN, Use, Users};
use super::key::{
    MAX_SLOT, first_generation, generation_after, generation_of, key_of, mask_of, slot_of,
};
use crate::concurrency::{AtomicPtr, AtomicU32, AtomicU64, TrackedCell};
use crate::declared::{self, Wait};
use crate::memory::{TryVec, try_collect};

/// Slots in the first segment; each further segment doubles the table.
const FIRST_SEGMENT: u32 = if cfg!(loom) { 2 } else { 64 };
const SEGMENTS: usize = 20;
/// Most objects that can exist at once.
const MAX_SLOTS: u32 = FIRST_SEGMENT * ((1 << SEGMENTS) - 1) as u32;
const _: () = assert!(MAX_SLOTS <= MAX_SLOT);

/// State word: the generation in the upper half, and the content of the slot below it.
const EMPTY: u64 = 0;
/// An object with a valid key.
const LIVE: u64 = 1;
/// An object that was freed; its last user drops it.
const FREED: u64 = 2;
/// An object that was freed; the call that retires it waits for all users and drops it.
const RETIRING: u64 = 3;
/// An object that is being dropped.
const DROPPING: u64 = 4;

/// End of the list of free slots.
const NO_SLOT: u32 = u32::MAX;
const _: () = assert!(align_of::<Slot<()>>() == SLOT_ALIGN);

/// A slot for one object.
#[repr(align(64))]
struct Slot<T: 'static> {
    state: AtomicU64,
    /// A number that is known of the object without using it. Written before the object becomes
    /// live.
    label: AtomicU64,
    /// The next free slot, while this one is free.
    next_free: AtomicU32,
    number: u32,
    table: &'static SlotMap<T>,
    object: TrackedCell<MaybeUninit<T>>,
}

/// Most bytes of a slot: the header says how much memory retired slots take.
const MAX_SLOT_SIZE: usize = if cfg!(loom) { 1024 } else { 512 };

/// A table of up to 2^26 objects of one type.
pub(crate) struct SlotMap<T: 'static> {
    segments: [AtomicPtr<Slot<T>>; SEGMENTS],
    /// Slots used so far, free ones and retired ones included.
    used: AtomicU32,
    /// Changes the number of a slot to its number in keys, by exclusive or. Set before the first key
    /// is made.
    mask: AtomicU32,
    /// Head of the list of free slots: a counter against reuse in the upper half, a slot below.
    free: AtomicU64,
}

// SAFETY: a `SlotMap` gives shared references on any thread, by `Protected` (T: Sync), and an object may be
// dropped by another thread than the one that inserted it (T: Send).
unsafe impl<T: Send + Sync> Sync for SlotMap<T> {}

/// An object that a hazard pointer protects: it exists until this is dropped, also when its key is
/// freed meanwhile. It belongs to the thread that protects it.
pub(crate) struct Protected<T: 'static> {
    slot: &'static Slot<T>,
    /// Cleared when this is dropped.
    pointer: HazardPointer,
}

/// Why an object can't be protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtectError {
    /// The key has no object.
    Gone,
    /// There is no memory for a hazard pointer.
    OutOfMemory,
}

impl<T: Send + Sync> SlotMap<T> {
    /// An empty table.
    pub(crate) const fn new() -> Self {
        const { assert!(size_of::<Slot<T>>() <= MAX_SLOT_SIZE) };
        Self {
            segments: [const { AtomicPtr::new(std::ptr::null_mut()) }; SEGMENTS],
            used: AtomicU32::new(0),
            mask: AtomicU32::new(0),
            free: AtomicU64::new(NO_SLOT as u64),
        }
    }

    /// Stores an object and returns its key; `None` when the table is full. `label` can be read by
    /// the key as long as the object has not been freed.
    pub(crate) fn insert(&'static self, object: T, label: u64) -> Option<u64> {
        let number = self.take_free().or_else(|| self.take_new())?;
        let slot = self.slot(number)?;
        let generation = slot.state.load(Ordering::Relaxed) >> 32;
        // SAFETY: a taken `slot` belongs to this thread until it becomes live below.
        unsafe { (*slot.object.write()).write(object) };
        // Release: a thread that reads this label, not its predecessor, sees that the predecessor
        // is gone.
        slot.label.store(label, Ordering::Release);
        slot.state.store(generation << 32 | LIVE, Ordering::Release);
        Some(self.key_of(number, generation))
    }

    /// The object of `key`, protected by a hazard pointer.
    #[inline(always)]
    pub(crate) fn protect(&'static self, key: u64, how: Use) -> Result<Protected<T>, ProtectError> {
        let slot = self.find(key).ok_or(ProtectError::Gone)?;
        let value = slot.value(generation_of(key) as u32);
        let pointer = HazardPointer::new(value, how).ok_or(ProtectError::OutOfMemory)?;
        // Also where the key turns out to have no object: a thread that frees the slot's object now
        // may have seen the hazard pointer, and then this thread drops the object.
        let object = Protected { slot, pointer };
        // The object's bytes were written before it became live.
        if slot.state.load(Ordering::SeqCst) == holding(key, LIVE) {
            Ok(object)
        } else {
            Err(ProtectError::Gone)
        }
    }

    /// The label of the object of `key`. Nothing is written, and nothing is protected.
    #[inline(always)]
    pub(crate) fn label(&'static self, key: u64) -> Option<u64> {
        let slot = self.find(key)?;
        let is_live = || slot.state.load(Ordering::Acquire) == holding(key, LIVE);
        let label = is_live().then(|| slot.label.load(Ordering::Acquire))?;
        is_live().then_some(label)
    }

    /// Makes `key` invalid for ever. The object is dropped now, or by the last call that uses it.
    /// `false` when the key has no object.
    pub(crate) fn free(&'static self, key: u64) -> bool {
        let Some(slot) = self.find(key) else {
            return false;
        };
        let freed = slot.become_from(holding(key, LIVE), FREED);
        if freed {
            slot.drop_if_unused(holding(key, FREED));
        }
        freed
    }

    /// The threads that run the object of `key`; `None` when the key has no object.
    pub(crate) fn running(&'static self, key: u64) -> Option<Users> {
        let slot = self.find(key)?;
        let users = hazard::running(slot.value(generation_of(key) as u32));
        let state = slot.state.load(Ordering::SeqCst);
        (state == holding(key, LIVE) || state == holding(key, RETIRING)).then_some(users)
    }

    /// Makes `key` invalid for ever, waits until no thread uses the object, and drops it. `false`
    /// when the key has no object. This thread must not use the object itself.
    pub(crate) fn retire(&'static self, key: u64) -> bool {
        declared::blocks(Wait::OtherThreads);
        let Some(slot) = self.find(key) else {
            return false;
        };
        if !slot.become_from(holding(key, LIVE), RETIRING) {
            return false;
        }
        let mut backoff = Backoff::new();
        while hazard::is_protected(slot.value(generation_of(key) as u32)) {
            backoff.wait();
        }
        slot.drop_object();
        true
    }

    #[inline(always)]
    fn find(&'static self, key: u64) -> Option<&'static Slot<T>> {
        // Relaxed: a thread that received a key has seen the mask that the key was made with.
        let number = slot_of(key, self.mask.load(Ordering::Relaxed));
        (number < self.used.load(Ordering::Acquire).min(MAX_SLOTS)).then_some(())?;
        self.slot(number)
    }

    /// A slot by its number: segment `s` holds the numbers from `64 * (2^s - 1)` on.
    #[inline(always)]
    fn slot(&'static self, number: u32) -> Option<&'static Slot<T>> {
        let (segment, place) = segment_of(number);
        let start = self.segments.get(segment)?.load(Ordering::Acquire);
        // SAFETY: `start` is a segment whose slots were all initialised, and is never freed; `place` is
        // below the segment's length, by `segment_of`.
        (!start.is_null()).then(|| unsafe { &*start.add(place) })
    }

    fn take_new(&'static self) -> Option<u32> {
        // Every thread that is here stores the same number.
        self.mask.store(mask_of(std::ptr::from_ref(self).addr() as u64), Ordering::Relaxed);
        let mut number = self.used.load(Ordering::Relaxed);
        loop {
            if number >= MAX_SLOTS {
                return None;
            }
            self.allocate_segment(segment_of(number).0)?;
            match self.used.compare_exchange_weak(
                number,
                number + 1,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(number),
                Err(now) => number = now,
            }
        }
    }

    fn allocate_segment(&'static self, segment: usize) -> Option<()> {
        let place = self.segments.get(segment)?;
        if !place.load(Ordering::Acquire).is_null() {
            return Some(());
        }
        let len = FIRST_SEGMENT << segment;
        let address = std::ptr::from_ref(self).addr() as u64;
        let slots = (len - FIRST_SEGMENT..).take(len as usize).map(|number| Slot {
            state: AtomicU64::new(first_generation(address, number) << 32 | EMPTY),
            label: AtomicU64::new(0),
            next_free: AtomicU32::new(NO_SLOT),
            number,
            table: self,
            object: TrackedCell::new(MaybeUninit::uninit()),
        });
        let start = Box::into_raw(try_collect(slots).and_then(TryVec::try_into_boxed).ok()?);
        let null = std::ptr::null_mut();
        if place.compare_exchange(null, start.cast(), Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            // SAFETY: another thread was first, so `start` was never shared. It is the box of above.
            drop(unsafe { Box::from_raw(start) });
        }
        Some(())
    }

    fn take_free(&'static self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let number = head as u32;
            if number == NO_SLOT {
                return None;
            }
            // A slot may be taken and even freed again between the two reads; then the counter in
            // the head has changed and the swap fails.
            let next = self.slot(number)?.next_free.load(Ordering::Relaxed);
            let new = counted(head) | u64::from(next);
            match self.free.compare_exchange_weak(head, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Some(number),
                Err(now) => head = now,
            }
        }
    }
}

impl<T> Protected<T> {
    /// The key of the object, which may have been freed meanwhile.
    pub(crate) fn key(&self) -> u64 {
        let generation = self.slot.state.load(Ordering::Relaxed) >> 32;
        self.slot.table.key_of(self.slot.number, generation)
    }
}

impl<T> Deref for Protected<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the `object` was written before it became live, and `protect` saw it live after it had
        // set this hazard pointer. No scan then finds it without a user.
        unsafe { (*self.slot.object.read()).assume_init_ref() }
    }
}

impl<T: 'static> Drop for Protected<T> {
    #[inline]
    fn drop(&mut self) {
        let value = self.pointer.clear();
        let state = self.slot.state.load(Ordering::SeqCst);
        if state & u64::from(u32::MAX) == FREED {
            self.slot.drop_if_last(value, state);
        }
    }
}

impl<T> Slot<T> {
    /// The hazard value of the slot's object of a generation, different for all objects of all
    /// tables. Slots are never freed.
    #[inline]
    fn value(&self, generation: u32) -> HazardValue {
        HazardValue::new(std::ptr::from_ref(self).addr(), generation)
    }

    /// Changes the content of the slot, within a generation.
    fn become_from(&self, state: u64, holds: u64) -> bool {
        let next = state & !u64::from(u32::MAX) | holds;
        self.state.compare_exchange(state, next, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Drops the freed object, if it is the one that was used and not a later one.
    #[cold]
    fn drop_if_last(&self, used: HazardValue, state: u64) {
        if used == self.value((state >> 32) as u32) {
            self.drop_if_unused(state);
        }
    }

    /// Drops a freed object, unless a thread uses it: that thread then does this when it has
    /// finished.
    #[cold]
    fn drop_if_unused(&self, freed: u64) {
        let value = self.value((freed >> 32) as u32);
        if !hazard::is_protected(value) && self.become_from(freed, DROPPING) {
            self.drop_object();
        }
    }

    /// Drops the object of a slot that belongs to this thread.
    fn drop_object(&self) {
        let generation = self.state.load(Ordering::Relaxed) >> 32;
        // SAFETY: `insert` wrote the `object`, and it is dropped here, once per generation: a scan of the
        // hazard pointers has found no user.
        unsafe { (*self.object.write()).assume_init_drop() };
        let table = std::ptr::from_ref(self.table).addr() as u64;
        let next = generation_after(generation, table, self.number);
        self.state.store(next.unwrap_or(generation) << 32 | EMPTY, Ordering::Release);
        // A slot that has used every generation stays empty, and is in no list.
        if next.is_some() {
            self.table.recycle(self.number, self);
        }
    }
}

impl<T> SlotMap<T> {
    /// The key of the object of a generation in a slot.
    fn key_of(&self, number: u32, generation: u64) -> u64 {
        key_of(number, self.mask.load(Ordering::Relaxed), generation)
    }

    /// Number of slots that were used so far.
    #[cfg(test)]
    pub(super) fn used(&self) -> u32 {
        self.used.load(Ordering::Relaxed)
    }

    fn recycle(&self, number: u32, slot: &Slot<T>) {
        let mut head = self.free.load(Ordering::Relaxed);
        loop {
            slot.next_free.store(head as u32, Ordering::Relaxed);
            let new = counted(head) | u64::from(number);
            match self.free.compare_exchange_weak(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

/// The state of the slot of `key` with this content.
#[inline(always)]
fn holding(key: u64, holds: u64) -> u64 {
    generation_of(key) << 32 | holds
}

/// The counter of a list head, incremented, without a slot.
fn counted(head: u64) -> u64 {
    (head >> 32).wrapping_add(1) << 32
}

/// The segment of a slot, and its place in the segment.
#[inline(always)]
fn segment_of(number: u32) -> (usize, usize) {
    let shifted = number + FIRST_SEGMENT;
    let segment = shifted.ilog2() - FIRST_SEGMENT.ilog2();
    (segment as usize, (shifted - (FIRST_SEGMENT << segment)) as usize)
}
