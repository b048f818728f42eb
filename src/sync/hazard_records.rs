//! Hazard records: cache lines with hazard pointers, each owned by one thread at a time.
//!
//! A record is never freed: a thread acquires it and releases it for the next one. A scan of all
//! hazard pointers must miss none, and must not visit every record that was ever acquired. So the
//! records are the leaves of a tree whose branches count the acquired records below. A count goes
//! up before a record is used and down after it, so a part of the tree with count 0 has no hazard
//! pointer. A thread acquires the first free record, so that acquired records stay together.
//!
//! Source: M. M. Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", 2004.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "counts of records, which are bounded by the size of the tree"
)]

use std::alloc::Layout;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use crate::concurrency::{AtomicPtr, AtomicU32, AtomicUsize, spin_loop};

/// Children of a branch.
const FAN_OUT: usize = if cfg!(loom) { 2 } else { 64 };
const FAN_OUT_BITS: u32 = FAN_OUT.ilog2();
/// Records of a leaf: few, as most programs have few threads, and a scan visits all of a leaf.
const RECORDS: usize = if cfg!(loom) { 2 } else { 8 };
const RECORDS_BITS: u32 = RECORDS.ilog2();
/// Branches on the way to a leaf: at most 2 million records are acquired at once.
const LEVELS: u32 = if cfg!(loom) { 2 } else { 3 };

/// Hazard pointers of a record.
pub(super) const POINTERS: usize = if cfg!(loom) { 2 } else { 5 };

/// Set in a record's owner when the record is released together with its first hazard pointer.
pub(super) const ONCE: usize = 1;

/// A record of hazard pointers. It fills two cache lines, because processors prefetch pairs of
/// them. All zeros is a free record.
#[repr(C, align(128))]
pub(super) struct HazardRecord {
    /// Hazard values: the protected objects and their uses, or 0.
    pub(super) pointers: [AtomicUsize; POINTERS],
    /// The thread that owns the record, or 0.
    pub(super) owner: AtomicUsize,
    /// The next record of the same thread. Only that thread reads it.
    pub(super) next: AtomicPtr<HazardRecord>,
    /// The path to its leaf: the number of the child at each branch, that of the root in the upper
    /// bits.
    path: AtomicU32,
}

#[repr(C)]
struct Leaf {
    records: [HazardRecord; RECORDS],
}

/// All zeros is a branch without children.
struct Branch {
    /// Number of acquired records below each child.
    acquired: [AtomicU32; FAN_OUT],
    /// Branches or, on the last level, leaves. Existing children come first.
    children: [AtomicPtr<()>; FAN_OUT],
}

static ROOT: Branch = Branch {
    acquired: [const { AtomicU32::new(0) }; FAN_OUT],
    children: [const { AtomicPtr::new(std::ptr::null_mut()) }; FAN_OUT],
};

/// A child of a branch.
#[derive(Clone, Copy)]
enum Child {
    Branch(&'static Branch),
    Leaf(&'static Leaf),
}

/// Acquires a free record for this owner. `None`: no memory for one more.
pub(super) fn acquire(owner: usize) -> Option<&'static HazardRecord> {
    acquire_below(&ROOT, 0, 0, owner)
}

/// Most records below a child of a branch on this level.
fn capacity(level: u32) -> u32 {
    1 << ((LEVELS - 1 - level) * FAN_OUT_BITS + RECORDS_BITS)
}

fn acquire_below(
    branch: &'static Branch, level: u32, path: u32, owner: usize,
) -> Option<&'static HazardRecord> {
    for (number, acquired) in (0..).zip(&branch.acquired) {
        if acquired.load(Ordering::Relaxed) >= capacity(level) {
            continue;
        }
        let child = branch.child_or_new(number, level)?;
        // SeqCst: a scan must see the count before there can be a hazard pointer.
        if acquired.fetch_add(1, Ordering::SeqCst) >= capacity(level) {
            acquired.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let path = path << FAN_OUT_BITS | number;
        let record = match child {
            Child::Branch(child) => acquire_below(child, level + 1, path, owner),
            Child::Leaf(leaf) => Some(leaf.acquire(path, owner)),
        };
        if record.is_none() {
            acquired.fetch_sub(1, Ordering::SeqCst);
        }
        return record;
    }
    None
}

impl Branch {
    /// A child, if it exists.
    fn child(&self, number: u32, level: u32) -> Option<Child> {
        let pointer = self.children.get(number as usize)?.load(Ordering::SeqCst).cast_const();
        // SAFETY: `pointer` is null, or `child_or_new` allocated the child: a `Branch` above the
        // last level, a `Leaf` on it. Zeros are a value of both, all their fields are atomic, and
        // they are never freed.
        unsafe {
            if level + 1 < LEVELS {
                pointer.cast::<Branch>().as_ref().map(Child::Branch)
            } else {
                pointer.cast::<Leaf>().as_ref().map(Child::Leaf)
            }
        }
    }

    fn child_or_new(&self, number: u32, level: u32) -> Option<Child> {
        if let Some(child) = self.child(number, level) {
            return Some(child);
        }
        let layout =
            if level + 1 < LEVELS { Layout::new::<Branch>() } else { Layout::new::<Leaf>() };
        let place = self.children.get(number as usize)?;
        // SAFETY: `alloc_zeroed` is undefined only for size 0, and neither a branch nor a leaf is
        // empty.
        let new = unsafe { std::alloc::alloc_zeroed(layout) };
        if new.is_null() {
            return None;
        }
        let null = std::ptr::null_mut();
        if place.compare_exchange(null, new.cast(), Ordering::SeqCst, Ordering::SeqCst).is_err() {
            // SAFETY: another thread was first, so `new` was never shared. It was allocated above
            // with this `layout`.
            unsafe { std::alloc::dealloc(new, layout) };
        }
        self.child(number, level)
    }
}

impl Leaf {
    /// Acquires a record. The caller has counted it before, so there is a free one.
    fn acquire(&'static self, path: u32, owner: usize) -> &'static HazardRecord {
        loop {
            for record in &self.records {
                // SeqCst: scans skip records without an owner.
                let acquired =
                    record.owner.compare_exchange(0, owner, Ordering::SeqCst, Ordering::Relaxed);
                if acquired.is_ok() {
                    record.path.store(path, Ordering::Relaxed);
                    return record;
                }
            }
            // Another thread took the free record, and released an earlier one.
            spin_loop();
        }
    }
}

impl HazardRecord {
    /// Releases the record, whose hazard pointers are all cleared.
    #[cold]
    #[inline(never)]
    pub(super) fn release(&self) {
        let path = self.path.load(Ordering::Relaxed);
        self.next.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.owner.store(0, Ordering::Release);
        count_down(&ROOT, 0, path);
    }
}

/// Takes a record out of the counts, from the leaf up: a branch has room whenever its parent has.
fn count_down(branch: &Branch, level: u32, path: u32) {
    let number = path >> ((LEVELS - 1 - level) * FAN_OUT_BITS) & (FAN_OUT as u32 - 1);
    if let Some(Child::Branch(child)) = branch.child(number, level) {
        count_down(child, level + 1, path);
    }
    if let Some(acquired) = branch.acquired.get(number as usize) {
        acquired.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Calls `each` with all acquired records, until it breaks.
pub(super) fn scan(
    mut each: impl FnMut(&'static HazardRecord) -> ControlFlow<()>,
) -> ControlFlow<()> {
    scan_below(&ROOT, 0, &mut each)
}

fn scan_below(
    branch: &'static Branch, level: u32,
    each: &mut impl FnMut(&'static HazardRecord) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for (number, acquired) in (0..).zip(&branch.acquired) {
        // SeqCst: a record that is acquired after this has no hazard pointer that this scan must
        // see.
        let child = match branch.child(number, level) {
            None => break,
            Some(_) if acquired.load(Ordering::SeqCst) == 0 => continue,
            Some(child) => child,
        };
        match child {
            Child::Branch(child) => scan_below(child, level + 1, each)?,
            Child::Leaf(leaf) => leaf.records.iter().try_for_each(|record| {
                #[cfg(test)]
                VISITED.set(VISITED.get() + 1);
                let is_acquired = record.owner.load(Ordering::SeqCst) != 0;
                if is_acquired { each(record) } else { ControlFlow::Continue(()) }
            })?,
        }
    }
    ControlFlow::Continue(())
}

/// Releases the records of all other threads, in the child of a fork, where this thread is alone.
/// That includes records that they were just acquiring or releasing.
pub(super) fn release_others(me: usize) {
    recount(&ROOT, 0, me);
}

fn recount(branch: &Branch, level: u32, me: usize) -> u32 {
    let mut all = 0;
    for (number, acquired) in (0..).zip(&branch.acquired) {
        let below = match branch.child(number, level) {
            None => 0,
            Some(Child::Branch(child)) => recount(child, level + 1, me),
            Some(Child::Leaf(leaf)) => {
                leaf.records.iter().filter(|record| record.is_kept(me)).count() as u32
            }
        };
        acquired.store(below, Ordering::SeqCst);
        all += below;
    }
    all
}

impl HazardRecord {
    /// Clears the record if it is not this thread's.
    fn is_kept(&self, me: usize) -> bool {
        let kept = self.owner.load(Ordering::Relaxed) & !ONCE == me;
        if !kept {
            for pointer in &self.pointers {
                pointer.store(0, Ordering::Relaxed);
            }
            self.next.store(std::ptr::null_mut(), Ordering::Relaxed);
            self.owner.store(0, Ordering::Release);
        }
        kept
    }
}

#[cfg(test)]
thread_local! {
    /// Number of records that this thread has visited.
    pub(super) static VISITED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
