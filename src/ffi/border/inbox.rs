//! A place where any threads leave things until one takes them all. Without a lock, so that neither
//! a fork nor a thread that is stopped can close it for the others.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::memory::{Memory, try_box};

struct InboxNode<T> {
    thing: T,
    before: *mut InboxNode<T>,
}

/// Things in the order in which they came. Nothing comes in once they were taken.
pub(crate) struct Inbox<T> {
    /// The latest; null while there is none, and `CLOSED` at the end.
    latest: AtomicPtr<InboxNode<T>>,
}

// SAFETY: it hands things from one thread to another, and shares none.
unsafe impl<T: Send> Send for Inbox<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Inbox<T> {}

/// The address of no node.
fn closed<T>() -> *mut InboxNode<T> {
    std::ptr::without_provenance_mut(1)
}

impl<T> Inbox<T> {
    pub(crate) fn new() -> Self {
        Self { latest: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Leaves a thing; `false` when they were taken already.
    pub(crate) fn leave(&self, thing: T) -> Memory<bool> {
        let node = Box::into_raw(try_box(InboxNode { thing, before: std::ptr::null_mut() })?);
        let mut latest = self.latest.load(Ordering::Relaxed);
        while latest != closed() {
            // SAFETY: the node is this thread's alone until it becomes the latest.
            unsafe { (*node).before = latest };
            // Release: whoever takes the node sees what is in it.
            match self.latest.compare_exchange_weak(
                latest,
                node,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(true),
                Err(now) => latest = now,
            }
        }
        // SAFETY: it was made above and never shared.
        drop(unsafe { Box::from_raw(node) });
        Ok(false)
    }

    /// Takes everything, in the order in which it came. Whatever comes later is turned away.
    pub(crate) fn close(&self) -> TakenThings<T> {
        let mut latest = self.latest.swap(closed(), Ordering::Acquire);
        let mut first = std::ptr::null_mut();
        while latest != closed() && !latest.is_null() {
            // SAFETY: `leave` made the node, and nobody else reaches it after the swap.
            let node = unsafe { &mut *latest };
            let before = std::mem::replace(&mut node.before, first);
            (first, latest) = (latest, before);
        }
        TakenThings { first, owns: PhantomData }
    }
}

/// Things that were taken, in the order in which they came.
pub(crate) struct TakenThings<T> {
    /// The first; each that follows is in the place of the one before.
    first: *mut InboxNode<T>,
    owns: PhantomData<InboxNode<T>>,
}

impl<T> TakenThings<T> {
    /// Looks at the things.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        // SAFETY: the nodes are this list's, until it is dropped.
        let node = |node: *mut InboxNode<T>| unsafe { node.as_ref() };
        std::iter::successors(node(self.first), move |this| node(this.before))
            .map(|node| &node.thing)
    }
}

impl<T> Drop for TakenThings<T> {
    fn drop(&mut self) {
        while !self.first.is_null() {
            // SAFETY: as above.
            let node = unsafe { Box::from_raw(self.first) };
            self.first = node.before;
        }
    }
}

impl<T> Drop for Inbox<T> {
    fn drop(&mut self) {
        drop(self.close());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_in_order_and_nothing_comes_in_after() {
        let inbox = Inbox::new();
        assert!((0..5).all(|thing| inbox.leave(Box::new(thing)).unwrap()));
        let taken: Vec<i32> = inbox.close().iter().map(|thing| **thing).collect();
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        assert!(!inbox.leave(Box::new(5)).unwrap());
        assert_eq!(inbox.close().iter().count(), 0);
    }

    #[test]
    fn what_any_thread_left_before_the_end_is_there_and_nothing_else() {
        const EACH: usize = 1000;
        let inbox = Inbox::new();
        let mut left = 0;
        let taken = std::thread::scope(|scope| {
            let leave = || (0..EACH).filter(|&thing| inbox.leave(Box::new(thing)).unwrap()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(leave)).collect();
            let taken = inbox.close();
            left = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
            taken
        });
        assert_eq!(taken.iter().count(), left);
    }
}
