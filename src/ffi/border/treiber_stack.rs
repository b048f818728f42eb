//! A Treiber stack that can be closed: threads push items until one takes all of them.
//!
//! It needs no lock, so neither a fork nor a stopped thread can block the others. Source: R. K.
//! Treiber, "Systems Programming: Coping with Parallelism", 1986. Nodes are only popped all at once, so
//! there is no ABA problem.

use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use crate::concurrency::AtomicPtr;
use crate::memory::{Memory, try_box};

struct StackNode<T> {
    item: T,
    next: *mut StackNode<T>,
}

/// A stack of items. A closed stack refuses further items.
pub(crate) struct TreiberStack<T> {
    /// The top node; null for an empty stack, and [`closed`] for a closed one.
    top: AtomicPtr<StackNode<T>>,
}

// SAFETY: items of a `TreiberStack` move from one thread to another, and it gives no references to
// them.
unsafe impl<T: Send> Send for TreiberStack<T> {}
// SAFETY: threads that share a `TreiberStack` only exchange its `top`, by atomic operations. Items
// move, as by `Send`.
unsafe impl<T: Send> Sync for TreiberStack<T> {}

/// The top of a closed stack: an address that no node has.
fn closed<T>() -> *mut StackNode<T> {
    std::ptr::without_provenance_mut(1)
}

impl<T> TreiberStack<T> {
    pub(crate) fn new() -> Self {
        Self { top: AtomicPtr::new(std::ptr::null_mut()) }
    }

    /// Pushes an item. Returns `false` for a closed stack.
    pub(crate) fn push(&self, item: T) -> Memory<bool> {
        let node = Box::into_raw(try_box(StackNode { item, next: std::ptr::null_mut() })?);
        let mut top = self.top.load(Ordering::Relaxed);
        while top != closed() {
            // SAFETY: no other thread reaches the `node` before it becomes the top.
            unsafe { (*node).next = top };
            // Release: the thread that takes the node sees its fields.
            match self.top.compare_exchange_weak(top, node, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return Ok(true),
                Err(now) => top = now,
            }
        }
        // SAFETY: `node` was leaked from a box above and never shared: no exchange has made it the
        // top.
        drop(unsafe { Box::from_raw(node) });
        Ok(false)
    }

    /// Closes the stack and takes all items, in the order in which they were pushed.
    pub(crate) fn close(&self) -> PushedItems<T> {
        let mut top = self.top.swap(closed(), Ordering::Acquire);
        let mut first = std::ptr::null_mut();
        while top != closed() && !top.is_null() {
            // SAFETY: `push` made the node at `top`, and no other thread reaches it after the swap.
            let node = unsafe { &mut *top };
            let below = std::mem::replace(&mut node.next, first);
            (first, top) = (top, below);
        }
        PushedItems { first, owns: PhantomData }
    }
}

/// The items of a closed stack, in the order in which they were pushed.
pub(crate) struct PushedItems<T> {
    /// The first node; `next` is the one pushed after it.
    first: *mut StackNode<T>,
    owns: PhantomData<StackNode<T>>,
}

impl<T> PushedItems<T> {
    /// The items, by reference.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        // SAFETY: a `node` of this list is owned by it until it is dropped, and the list is
        // borrowed.
        let node = |node: *mut StackNode<T>| unsafe { node.as_ref() };
        std::iter::successors(node(self.first), move |this| node(this.next)).map(|node| &node.item)
    }
}

impl<T> Drop for PushedItems<T> {
    fn drop(&mut self) {
        while !self.first.is_null() {
            // SAFETY: `first` is a node that `push` leaked from a box. This list owns it, and lets
            // go of it in the next line.
            let node = unsafe { Box::from_raw(self.first) };
            self.first = node.next;
        }
    }
}

impl<T> Drop for TreiberStack<T> {
    fn drop(&mut self) {
        drop(self.close());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_a_closed_stack_refuses_more() {
        let stack = TreiberStack::new();
        assert!((0..5).all(|item| stack.push(Box::new(item)).unwrap()));
        let taken: Vec<i32> = stack.close().iter().map(|item| **item).collect();
        assert_eq!(taken, [0, 1, 2, 3, 4]);
        assert!(!stack.push(Box::new(5)).unwrap());
        assert_eq!(stack.close().iter().count(), 0);
    }

    #[test]
    fn exactly_the_items_pushed_before_the_close_are_taken() {
        const EACH: usize = 1000;
        let stack = TreiberStack::new();
        let mut pushed = 0;
        let taken = std::thread::scope(|scope| {
            let push = || (0..EACH).filter(|&item| stack.push(Box::new(item)).unwrap()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(push)).collect();
            let taken = stack.close();
            pushed = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
            taken
        });
        assert_eq!(taken.iter().count(), pushed);
    }
}
