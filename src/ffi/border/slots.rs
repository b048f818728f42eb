//! A table of objects that is named into by keys, not pointers, and never locks.
//!
//! A slot holds one object at a time. Its state is one word: a generation, whether the object is
//! live, and how many calls have it pinned. Pinning and freeing are single compare-and-swaps on that
//! word, so there is no lock that a fork could leave held, and an object is dropped by whoever
//! leaves last: the call that frees it, or the last call that still used it.
//!
//! A generation is used once. When a slot has used them all, it is never used again, so a freed key
//! stays invalid for as long as the process lives.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "shifts and masks of constants, and counters far from their ends"
)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

/// Slots in the first segment; each further segment doubles the table.
const FIRST_SEGMENT: u32 = 64;
const SEGMENTS: usize = 22;
/// Bits of a key that name the slot.
const SLOT_BITS: u32 = 28;
/// The most objects that can be live at once.
const MAX_SLOTS: u32 = FIRST_SEGMENT * ((1 << SEGMENTS) - 1) as u32;
const _: () = assert!((MAX_SLOTS as u64) < 1 << SLOT_BITS);

/// State word: generation in the upper half, then the live bit, then the number of pins.
const LIVE: u64 = 1 << 31;
const PINS: u64 = LIVE - 1;
/// End of the list of free slots.
const NOBODY: u32 = u32::MAX;

/// One object's place. Slots of different threads' objects must not share a cache line.
#[repr(align(64))]
struct Slot<T> {
    state: AtomicU64,
    /// The next free slot, while this one is free.
    next_free: AtomicU32,
    object: UnsafeCell<MaybeUninit<T>>,
}

/// A table of up to 2^28 objects of one type.
pub(crate) struct Slots<T: 'static> {
    segments: [AtomicPtr<Slot<T>>; SEGMENTS],
    /// Slots handed out so far, free ones included.
    used: AtomicU32,
    /// Head of the list of free slots: a counter against reuse in the upper half, a slot below.
    free: AtomicU64,
}

// SAFETY: an object is only reached through a pin, which hands out shared references, and dropped
// once, by one thread; so sharing the table asks of T what sharing and sending a T asks.
unsafe impl<T: Send + Sync> Sync for Slots<T> {}

/// A pinned object: it stays until this is dropped, also when its key is freed meanwhile.
pub(crate) struct Pin<T: 'static> {
    table: &'static Slots<T>,
    slot: &'static Slot<T>,
    number: u32,
}

impl<T: Send + Sync> Slots<T> {
    /// An empty table.
    pub(crate) const fn new() -> Self {
        Self {
            segments: [const { AtomicPtr::new(std::ptr::null_mut()) }; SEGMENTS],
            used: AtomicU32::new(0),
            free: AtomicU64::new(NOBODY as u64),
        }
    }

    /// Stores an object. The key's lowest 60 bits name it; `None` when the table is full.
    pub(crate) fn insert(&'static self, object: T) -> Option<u64> {
        let number = self.take_free().or_else(|| self.take_new())?;
        let slot = self.slot(number)?;
        let generation = slot.state.load(Ordering::Relaxed) >> 32;
        // SAFETY: a slot that was taken is this thread's alone until it becomes live below.
        unsafe { (*slot.object.get()).write(object) };
        slot.state.store(generation << 32 | LIVE, Ordering::Release);
        Some(u64::from(number) << 32 | generation)
    }

    /// The object that `key` names, kept alive by the pin; `None` when it names none.
    pub(crate) fn pin(&'static self, key: u64) -> Option<Pin<T>> {
        let (number, slot) = self.find(key)?;
        let mut state = slot.state.load(Ordering::Relaxed);
        loop {
            if !Self::names(key, state) || state & PINS == PINS {
                return None;
            }
            // Acquire: the object's bytes were written before it became live.
            match slot.state.compare_exchange_weak(
                state,
                state + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Pin { table: self, slot, number }),
                Err(now) => state = now,
            }
        }
    }

    /// Makes `key` invalid for ever. The object is dropped now, or by the last call that uses it.
    /// `false` when the key named nothing.
    pub(crate) fn free(&'static self, key: u64) -> bool {
        let Some((number, slot)) = self.find(key) else {
            return false;
        };
        let mut state = slot.state.load(Ordering::Relaxed);
        while Self::names(key, state) {
            // The pin taken here makes "the last one out" a question that one word answers.
            match slot.state.compare_exchange_weak(
                state,
                (state & !LIVE) + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    drop(Pin { table: self, slot, number });
                    return true;
                }
                Err(now) => state = now,
            }
        }
        false
    }

    fn names(key: u64, state: u64) -> bool {
        state & LIVE != 0 && state >> 32 == key & u64::from(u32::MAX)
    }

    fn find(&'static self, key: u64) -> Option<(u32, &'static Slot<T>)> {
        let number = u32::try_from(key >> 32 & ((1 << SLOT_BITS) - 1)).ok()?;
        (number < self.used.load(Ordering::Acquire).min(MAX_SLOTS)).then_some(())?;
        Some((number, self.slot(number)?))
    }

    /// A slot by its number: segment `s` holds the numbers from `64 * (2^s - 1)` on.
    fn slot(&'static self, number: u32) -> Option<&'static Slot<T>> {
        let (segment, place) = segment_of(number);
        let start = self.segments.get(segment)?.load(Ordering::Acquire);
        if start.is_null() {
            return None;
        }
        // SAFETY: segments are allocated whole, zeroed into valid slots, and never freed; `place`
        // is below the segment's length by construction.
        Some(unsafe { &*start.add(place) })
    }

    fn take_new(&'static self) -> Option<u32> {
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

    fn allocate_segment(&self, segment: usize) -> Option<()> {
        let place = self.segments.get(segment)?;
        if !place.load(Ordering::Acquire).is_null() {
            return Some(());
        }
        let mut slots: Vec<Slot<T>> = Vec::new();
        slots.try_reserve_exact((FIRST_SEGMENT as usize) << segment).ok()?;
        slots.resize_with(slots.capacity(), || Slot {
            state: AtomicU64::new(1 << 32),
            next_free: AtomicU32::new(NOBODY),
            object: UnsafeCell::new(MaybeUninit::uninit()),
        });
        let start = Box::into_raw(slots.into_boxed_slice());
        let null = std::ptr::null_mut();
        if place.compare_exchange(null, start.cast(), Ordering::AcqRel, Ordering::Acquire).is_err()
        {
            // SAFETY: another thread was first; this allocation was never shared.
            drop(unsafe { Box::from_raw(start) });
        }
        Some(())
    }

    fn take_free(&'static self) -> Option<u32> {
        let mut head = self.free.load(Ordering::Acquire);
        loop {
            let number = head as u32;
            if number == NOBODY {
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

impl<T> Deref for Pin<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the object was written before it became live, and is dropped only when no pin is
        // left.
        unsafe { (*self.slot.object.get()).assume_init_ref() }
    }
}

impl<T: 'static> Drop for Pin<T> {
    fn drop(&mut self) {
        // AcqRel: all uses of the object happen before it is dropped.
        let before = self.slot.state.fetch_sub(1, Ordering::AcqRel);
        if before & (LIVE | PINS) != 1 {
            return;
        }
        // Freed, and nobody else has it: nobody can get it any more, so it is this thread's alone.
        // SAFETY: the object was written by `insert` and is dropped here, once per generation.
        unsafe { (*self.slot.object.get()).assume_init_drop() };
        let generation = before >> 32;
        if generation < u64::from(u32::MAX) {
            self.slot.state.store((generation + 1) << 32, Ordering::Release);
            self.table.recycle(self.number, self.slot);
        }
    }
}

impl<T> Slots<T> {
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

/// The counter of a list head, one further, with no slot.
fn counted(head: u64) -> u64 {
    (head >> 32).wrapping_add(1) << 32
}

/// Which segment a slot is in, and where.
fn segment_of(number: u32) -> (usize, usize) {
    let shifted = number + FIRST_SEGMENT;
    let segment = shifted.ilog2() - FIRST_SEGMENT.ilog2();
    (segment as usize, (shifted - (FIRST_SEGMENT << segment)) as usize)
}
