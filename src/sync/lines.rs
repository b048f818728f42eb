//! Lines of memory that threads borrow, each to itself.
//!
//! A line is never freed: who borrows it gives it back, and the next one has it. Whoever looks through
//! all lines that are borrowed must miss none, and must not look at all that ever were. So lines
//! stand at the leaves of a tree whose branches count how many are borrowed below. A count goes up
//! before the line is used and down after it, so what is counted as nothing holds nothing; and the
//! first free line is the next that is borrowed, so that lines in use stay together.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "counts of lines, which are bounded by the size of the tree"
)]

use std::alloc::Layout;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// Children of a branch.
const FAN_OUT: usize = 64;
const FAN_OUT_BITS: u32 = FAN_OUT.ilog2();
/// Lines of a leaf: few, as most programs have few threads, and all of a leaf are looked at.
const LINES: usize = 8;
const LINES_BITS: u32 = LINES.ilog2();
/// Branches on the way to a leaf. At most 2 million lines, then, are borrowed at once.
const LEVELS: u32 = 3;

/// Notes on a line.
pub(super) const NOTES: usize = 5;

/// Set in a line's owner when the line is given back with its first note.
pub(super) const ONCE: usize = 1;

/// A line of notes. It has a cache line, and the one next to it, which processors fetch along, to
/// itself. All zeros is a line that nobody has.
#[repr(C, align(128))]
pub(super) struct Line {
    /// What is used and how, or 0.
    pub(super) notes: [AtomicUsize; NOTES],
    /// The thread that the line is lent to, or 0.
    pub(super) owner: AtomicUsize,
    /// The same thread's next line. Only that thread looks at it.
    pub(super) more: AtomicPtr<Line>,
    /// Where its leaf is in the tree: which child of each branch, that of the root in the upper bits.
    path: AtomicU32,
}

#[repr(C)]
struct Leaf {
    lines: [Line; LINES],
}

/// All zeros is a branch without children.
struct Branch {
    /// How many lines below each child are borrowed.
    borrowed: [AtomicU32; FAN_OUT],
    /// Branches or, on the last level, leaves. Those that are there come first.
    children: [AtomicPtr<()>; FAN_OUT],
}

static ROOT: Branch = Branch {
    borrowed: [const { AtomicU32::new(0) }; FAN_OUT],
    children: [const { AtomicPtr::new(std::ptr::null_mut()) }; FAN_OUT],
};

/// A child of a branch.
#[derive(Clone, Copy)]
enum Child {
    Branch(&'static Branch),
    Leaf(&'static Leaf),
}

/// A line that nobody has, for this owner. `None`: no memory for one more.
pub(super) fn borrow(owner: usize) -> Option<&'static Line> {
    borrow_below(&ROOT, 0, 0, owner)
}

/// Lines that can be below a child of a branch on this level.
fn capacity(level: u32) -> u32 {
    1 << ((LEVELS - 1 - level) * FAN_OUT_BITS + LINES_BITS)
}

fn borrow_below(
    branch: &'static Branch, level: u32, path: u32, owner: usize,
) -> Option<&'static Line> {
    for (number, borrowed) in (0..).zip(&branch.borrowed) {
        if borrowed.load(Ordering::Relaxed) >= capacity(level) {
            continue;
        }
        let child = branch.child_or_new(number, level)?;
        // SeqCst, as who looks for notes must see that there is something here before a note is.
        if borrowed.fetch_add(1, Ordering::SeqCst) >= capacity(level) {
            borrowed.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let path = path << FAN_OUT_BITS | number;
        let line = match child {
            Child::Branch(child) => borrow_below(child, level + 1, path, owner),
            Child::Leaf(leaf) => Some(leaf.borrow(path, owner)),
        };
        if line.is_none() {
            borrowed.fetch_sub(1, Ordering::SeqCst);
        }
        return line;
    }
    None
}

impl Branch {
    /// A child, if it is there.
    fn child(&self, number: u32, level: u32) -> Option<Child> {
        let pointer = self.children.get(number as usize)?.load(Ordering::SeqCst).cast_const();
        // SAFETY: what is in the place was made by `child_or_new` for this level, and is never freed.
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
        // SAFETY: neither is of no size.
        let new = unsafe { std::alloc::alloc_zeroed(layout) };
        if new.is_null() {
            return None;
        }
        let null = std::ptr::null_mut();
        if place.compare_exchange(null, new.cast(), Ordering::SeqCst, Ordering::SeqCst).is_err() {
            // SAFETY: another thread was first; this was allocated above and never shared.
            unsafe { std::alloc::dealloc(new, layout) };
        }
        self.child(number, level)
    }
}

impl Leaf {
    /// A line for which there is room: that was counted before.
    fn borrow(&'static self, path: u32, owner: usize) -> &'static Line {
        loop {
            for line in &self.lines {
                // SeqCst, as lines without an owner are not looked at.
                let taken =
                    line.owner.compare_exchange(0, owner, Ordering::SeqCst, Ordering::Relaxed);
                if taken.is_ok() {
                    line.path.store(path, Ordering::Relaxed);
                    return line;
                }
            }
            // The free line moved while it was looked for.
            std::hint::spin_loop();
        }
    }
}

impl Line {
    /// Gives the line back. There is no note on it.
    #[cold]
    #[inline(never)]
    pub(super) fn give_back(&self) {
        let path = self.path.load(Ordering::Relaxed);
        self.more.store(std::ptr::null_mut(), Ordering::Relaxed);
        self.owner.store(0, Ordering::Release);
        count_down(&ROOT, 0, path);
    }
}

/// Takes a line out of the counts, from the leaf up: a branch has room whenever its parent has.
fn count_down(branch: &Branch, level: u32, path: u32) {
    let number = path >> ((LEVELS - 1 - level) * FAN_OUT_BITS) & (FAN_OUT as u32 - 1);
    if let Some(Child::Branch(child)) = branch.child(number, level) {
        count_down(child, level + 1, path);
    }
    if let Some(borrowed) = branch.borrowed.get(number as usize) {
        borrowed.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Shows all lines that are borrowed until `each` has seen enough.
pub(super) fn walk(mut each: impl FnMut(&'static Line) -> ControlFlow<()>) -> ControlFlow<()> {
    walk_below(&ROOT, 0, &mut each)
}

fn walk_below(
    branch: &'static Branch, level: u32, each: &mut impl FnMut(&'static Line) -> ControlFlow<()>,
) -> ControlFlow<()> {
    for (number, borrowed) in (0..).zip(&branch.borrowed) {
        // SeqCst: a line that is borrowed after this holds no note that had to be seen.
        let child = match branch.child(number, level) {
            None => break,
            Some(_) if borrowed.load(Ordering::SeqCst) == 0 => continue,
            Some(child) => child,
        };
        match child {
            Child::Branch(child) => walk_below(child, level + 1, each)?,
            Child::Leaf(leaf) => leaf.lines.iter().try_for_each(|line| {
                #[cfg(test)]
                LOOKED_AT.set(LOOKED_AT.get() + 1);
                let is_borrowed = line.owner.load(Ordering::SeqCst) != 0;
                if is_borrowed { each(line) } else { ControlFlow::Continue(()) }
            })?,
        }
    }
    ControlFlow::Continue(())
}

/// In the child of a fork, where this thread is alone: frees the lines of all others, also those that
/// they were just borrowing or giving back.
pub(super) fn keep_only(me: usize) {
    recount(&ROOT, 0, me);
}

fn recount(branch: &Branch, level: u32, me: usize) -> u32 {
    let mut all = 0;
    for (number, borrowed) in (0..).zip(&branch.borrowed) {
        let below = match branch.child(number, level) {
            None => 0,
            Some(Child::Branch(child)) => recount(child, level + 1, me),
            Some(Child::Leaf(leaf)) => {
                leaf.lines.iter().filter(|line| line.is_kept(me)).count() as u32
            }
        };
        borrowed.store(below, Ordering::SeqCst);
        all += below;
    }
    all
}

impl Line {
    /// Wipes the line if it is not this thread's.
    fn is_kept(&self, me: usize) -> bool {
        let kept = self.owner.load(Ordering::Relaxed) & !ONCE == me;
        if !kept {
            for note in &self.notes {
                note.store(0, Ordering::Relaxed);
            }
            self.more.store(std::ptr::null_mut(), Ordering::Relaxed);
            self.owner.store(0, Ordering::Release);
        }
        kept
    }
}

#[cfg(test)]
thread_local! {
    /// Lines that this thread has looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
