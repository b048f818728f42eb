//! From one thread to another: a few things at a time, in order, without memory of their own.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places are counted around an array of fixed length"
)]

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Hands over up to `N` things that were not taken yet.
pub(super) struct Handover<T, const N: usize> {
    inside: Mutex<Things<T, N>>,
    changed: Condvar,
}

struct Things<T, const N: usize> {
    things: [Option<T>; N],
    /// The place of the oldest.
    first: usize,
    len: usize,
    closed: bool,
}

/// The result of taking an item.
pub(super) enum Popped<T> {
    /// The oldest thing.
    Item(T),
    /// Nothing yet.
    Empty,
    /// Nothing any more.
    Closed,
}

impl<T, const N: usize> Handover<T, N> {
    pub(super) fn new() -> Self {
        let things = [const { None }; N];
        let inside = Things { things, first: 0, len: 0, closed: false };
        Self { inside: Mutex::new(inside), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Things<T, N>> {
        // Nothing that could panic is done under this lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a thing, for which there must be room; gives it back when this was closed.
    pub(super) fn give(&self, thing: T) -> Result<(), T> {
        let mut inside = self.lock();
        if inside.closed || inside.len == N {
            return Err(thing);
        }
        let place = (inside.first + inside.len) % N;
        inside.things[place] = Some(thing);
        inside.len += 1;
        drop(inside);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes what there is, without waiting.
    pub(super) fn try_take(&self) -> Popped<T> {
        self.lock().take()
    }

    /// Waits for the next thing; `None` when none is left and this was closed.
    pub(super) fn take(&self) -> Option<T> {
        let mut inside = self.lock();
        loop {
            match inside.take() {
                Popped::Item(thing) => return Some(thing),
                Popped::Closed => return None,
                Popped::Empty => {
                    inside = self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Ends it, from either side: what was given before can still be taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl<T, const N: usize> Things<T, N> {
    fn take(&mut self) -> Popped<T> {
        match self.things[self.first].take() {
            Some(thing) => {
                self.first = (self.first + 1) % N;
                self.len -= 1;
                Popped::Item(thing)
            }
            None if self.closed => Popped::Closed,
            None => Popped::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_come_out_in_order_and_there_are_no_more_than_fit() {
        let handover = Handover::<_, 2>::new();
        for number in 0..5 {
            assert_eq!(handover.give(2 * number), Ok(()));
            assert_eq!(handover.give(2 * number + 1), Ok(()));
            assert_eq!(handover.give(99), Err(99));
            assert_eq!(handover.take(), Some(2 * number));
            assert!(matches!(handover.try_take(), Popped::Item(thing) if thing == 2 * number + 1));
            assert!(matches!(handover.try_take(), Popped::Empty));
        }
    }

    #[test]
    fn items_given_before_the_end_are_taken_and_waiting_threads_are_woken() {
        let handover = Handover::<_, 2>::new();
        std::thread::scope(|scope| {
            let takes = scope.spawn(|| [handover.take(), handover.take(), handover.take()]);
            handover.give(1).unwrap();
            handover.give(2).unwrap_or_default();
            handover.close();
            assert_eq!(handover.give(3), Err(3));
            assert_eq!(takes.join().unwrap(), [Some(1), Some(2), None]);
        });
    }
}
