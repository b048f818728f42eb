//! A table of objects that is named into by keys, not pointers, and never locks.
//!
//! A slot holds one object at a time. Its state is one word: a generation, and whether the object
//! is there. Who uses the object notes so in memory of its own, so using one writes nothing that
//! threads share. An object is dropped by whoever leaves last: the call that frees it, or the last
//! call that still used it. That is decided by the order of four accesses, all sequentially
//! consistent: a user notes and then reads the state, who frees changes the state and then reads the
//! notes, and whoever takes a note back reads the state again after that. So a user that the freeing
//! call does not see finds the object gone, and of two that leave together one sees both gone.
//!
//! A generation is used once. When a slot has used them all, it is never used again, so a freed key
//! stays invalid for as long as the process lives. A slot's first generation is random, so that keys
//! of another copy of the library in the same process name nothing here.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "shifts and masks of constants, and counters far from their ends"
)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::seed::random_of;
use super::users::{self, Name, Note, SLOT_ALIGN, Use, Users};
use crate::memory::{TryVec, try_collect};
use crate::unwind::uncancelled;

/// Slots in the first segment; each further segment doubles the table.
const FIRST_SEGMENT: u32 = 64;
const SEGMENTS: usize = 22;
/// Bits of a key that name the slot.
const SLOT_BITS: u32 = 28;
/// The most objects that can be live at once.
const MAX_SLOTS: u32 = FIRST_SEGMENT * ((1 << SEGMENTS) - 1) as u32;
const _: () = assert!((MAX_SLOTS as u64) < 1 << SLOT_BITS);

/// State word: generation in the upper half, and below it what the slot holds.
const EMPTY: u64 = 0;
/// An object that its key names.
const LIVE: u64 = 1;
/// An object that was freed; the last one to leave drops it.
const FREED: u64 = 2;
/// An object that was freed; who retires it waits for all others and drops it.
const RETIRING: u64 = 3;
/// An object that is being dropped.
const DROPPING: u64 = 4;

/// End of the list of free slots.
const NOBODY: u32 = u32::MAX;
const _: () = assert!(align_of::<Slot<()>>() == SLOT_ALIGN);

/// One object's place.
#[repr(align(64))]
struct Slot<T: 'static> {
    state: AtomicU64,
    /// What is known of the object without using it. Written before the object becomes live.
    label: AtomicU64,
    /// The next free slot, while this one is free.
    next_free: AtomicU32,
    number: u32,
    table: &'static Slots<T>,
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

/// A pinned object: it stays until this is dropped, also when its key is freed meanwhile. It belongs
/// to the thread that pinned it.
pub(crate) struct Pin<T: 'static> {
    slot: &'static Slot<T>,
    /// Taken back when the pin is dropped.
    note: Note,
}

/// Why an object can't be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpinned {
    /// The key names nothing.
    Gone,
    /// There is no memory to note that it is used.
    OutOfMemory,
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

    /// Stores an object. The key's lowest 60 bits name it; `None` when the table is full. Whoever
    /// has the key can read `label` as long as it names the object.
    pub(crate) fn insert(&'static self, object: T, label: u64) -> Option<u64> {
        let number = self.take_free().or_else(|| self.take_new())?;
        let slot = self.slot(number)?;
        let generation = slot.state.load(Ordering::Relaxed) >> 32;
        // SAFETY: a slot that was taken is this thread's alone until it becomes live below.
        unsafe { (*slot.object.get()).write(object) };
        // Release: who reads this label, and not its predecessor, sees that the predecessor is gone.
        slot.label.store(label, Ordering::Release);
        slot.state.store(generation << 32 | LIVE, Ordering::Release);
        Some(u64::from(number) << 32 | generation)
    }

    /// The object that `key` names, kept alive by the pin.
    #[inline(always)]
    pub(crate) fn pin(&'static self, key: u64, how: Use) -> Result<Pin<T>, Unpinned> {
        let slot = self.find(key).ok_or(Unpinned::Gone)?;
        let note = Note::new(slot.name(key as u32), how).ok_or(Unpinned::OutOfMemory)?;
        // Also where the key turns out to name nothing: who frees the slot's object now may have seen
        // the note, and then leaves the rest to us.
        let pin = Pin { slot, note };
        // The object's bytes were written before it became live.
        if slot.state.load(Ordering::SeqCst) == holding(key, LIVE) {
            Ok(pin)
        } else {
            Err(Unpinned::Gone)
        }
    }

    /// The label of the object that `key` names. Nothing is written, and nothing is kept.
    #[inline(always)]
    pub(crate) fn label(&'static self, key: u64) -> Option<u64> {
        let slot = self.find(key)?;
        let is_live = || slot.state.load(Ordering::Acquire) == holding(key, LIVE);
        let label = is_live().then(|| slot.label.load(Ordering::Acquire))?;
        is_live().then_some(label)
    }

    /// Makes `key` invalid for ever. The object is dropped now, or by the last call that uses it.
    /// `false` when the key named nothing.
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

    /// Which threads run what `key` names; `None` when it names nothing, or nothing any more.
    pub(crate) fn running(&'static self, key: u64) -> Option<Users> {
        let slot = self.find(key)?;
        let users = users::running(slot.name(key as u32));
        let state = slot.state.load(Ordering::SeqCst);
        (state == holding(key, LIVE) || state == holding(key, RETIRING)).then_some(users)
    }

    /// Makes `key` invalid for ever, waits until no thread uses the object, and drops it. `false` when
    /// the key named nothing. This thread must not use the object itself.
    pub(crate) fn retire(&'static self, key: u64) -> bool {
        let Some(slot) = self.find(key) else {
            return false;
        };
        if !slot.become_from(holding(key, LIVE), RETIRING) {
            return false;
        }
        let mut wait = Wait::new();
        while users::any(slot.name(key as u32)) {
            wait.turn();
        }
        slot.drop_object();
        true
    }

    #[inline(always)]
    fn find(&'static self, key: u64) -> Option<&'static Slot<T>> {
        let number = u32::try_from(key >> 32 & ((1 << SLOT_BITS) - 1)).ok()?;
        (number < self.used.load(Ordering::Acquire).min(MAX_SLOTS)).then_some(())?;
        self.slot(number)
    }

    /// A slot by its number: segment `s` holds the numbers from `64 * (2^s - 1)` on.
    #[inline(always)]
    fn slot(&'static self, number: u32) -> Option<&'static Slot<T>> {
        let (segment, place) = segment_of(number);
        let start = self.segments.get(segment)?.load(Ordering::Acquire);
        // SAFETY: segments are allocated whole, zeroed into valid slots, and never freed; `place`
        // is below the segment's length by construction.
        (!start.is_null()).then(|| unsafe { &*start.add(place) })
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
            next_free: AtomicU32::new(NOBODY),
            number,
            table: self,
            object: UnsafeCell::new(MaybeUninit::uninit()),
        });
        let start = Box::into_raw(try_collect(slots).and_then(TryVec::try_into_boxed).ok()?);
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

impl<T> Pin<T> {
    /// The key that names the object, or did when it was pinned.
    pub(crate) fn key(&self) -> u64 {
        let generation = self.slot.state.load(Ordering::Relaxed) >> 32;
        u64::from(self.slot.number) << 32 | generation
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
    #[inline]
    fn drop(&mut self) {
        let name = self.note.take_back();
        let state = self.slot.state.load(Ordering::SeqCst);
        if state & u64::from(u32::MAX) == FREED {
            self.slot.drop_if_last(name, state);
        }
    }
}

impl<T> Slot<T> {
    /// Names the slot's object of a generation among all of all tables. Slots are never freed.
    #[inline]
    fn name(&self, generation: u32) -> Name {
        Name::new(std::ptr::from_ref(self).addr(), generation)
    }

    /// Changes what the slot holds, within a generation.
    fn become_from(&self, state: u64, holds: u64) -> bool {
        let next = state & !u64::from(u32::MAX) | holds;
        self.state.compare_exchange(state, next, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Drops the object that was freed, if it is the one that was used and not one that came after it.
    #[cold]
    fn drop_if_last(&self, used: Name, state: u64) {
        if used == self.name((state >> 32) as u32) {
            self.drop_if_unused(state);
        }
    }

    /// Drops an object that was freed, unless somebody uses it, who then does this after leaving.
    #[cold]
    fn drop_if_unused(&self, freed: u64) {
        let name = self.name((freed >> 32) as u32);
        if !users::any(name) && self.become_from(freed, DROPPING) {
            self.drop_object();
        }
    }

    /// Drops the object of a slot that has become this thread's alone.
    fn drop_object(&self) {
        let generation = self.state.load(Ordering::Relaxed) >> 32;
        // SAFETY: the object was written by `insert` and is dropped here, once per generation. That
        // nobody uses it any more was seen in the notes.
        unsafe { (*self.object.get()).assume_init_drop() };
        if generation < u64::from(u32::MAX) {
            self.state.store((generation + 1) << 32 | EMPTY, Ordering::Release);
            self.table.recycle(self.number, self);
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

/// The state of a slot whose live object `key` names.
fn holding(key: u64, holds: u64) -> u64 {
    key << 32 | holds
}

/// Waiting for other threads without a lock: for what takes moments, and more and more patiently.
struct Wait {
    turns: u32,
}

impl Wait {
    fn new() -> Self {
        Self { turns: 0 }
    }

    fn turn(&mut self) {
        const SPINS: u32 = 64;
        const YIELDS: u32 = 128;
        const LONGEST: Duration = Duration::from_millis(1);
        self.turns = self.turns.saturating_add(1);
        match self.turns {
            ..SPINS => std::hint::spin_loop(),
            SPINS..YIELDS => std::thread::yield_now(),
            turns => {
                let patience = Duration::from_micros(u64::from(turns - YIELDS + 1) * 10);
                uncancelled(|| std::thread::sleep(patience.min(LONGEST)));
            }
        }
    }
}

/// Where a slot's generations begin: not at 0, and in the lower half of what there is.
fn first_generation(table: u64, number: u32) -> u64 {
    random_of(table ^ u64::from(number)) >> 33 | 1
}

/// The counter of a list head, one further, with no slot.
fn counted(head: u64) -> u64 {
    (head >> 32).wrapping_add(1) << 32
}

/// Which segment a slot is in, and where.
#[inline(always)]
fn segment_of(number: u32) -> (usize, usize) {
    let shifted = number + FIRST_SEGMENT;
    let segment = shifted.ilog2() - FIRST_SEGMENT.ilog2();
    (segment as usize, (shifted - (FIRST_SEGMENT << segment)) as usize)
}
