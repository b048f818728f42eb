//! A bounded channel between two threads, whose items need no memory of their own.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places are counted around an array of fixed length"
)]

use std::sync::PoisonError;

use crate::concurrency::{Condvar, Mutex, MutexGuard};

/// A channel for up to `N` items that were not received yet, in order.
pub(super) struct BoundedChannel<T, const N: usize> {
    inside: Mutex<ChannelState<T, N>>,
    changed: Condvar,
}

struct ChannelState<T, const N: usize> {
    items: [Option<T>; N],
    /// The place of the oldest item.
    first: usize,
    len: usize,
    closed: bool,
}

/// The result of [`BoundedChannel::try_receive`].
pub(super) enum Received<T> {
    /// The oldest item.
    Item(T),
    /// There is none now.
    Empty,
    /// There is none, and the channel is closed.
    Closed,
}

impl<T, const N: usize> BoundedChannel<T, N> {
    pub(super) fn new() -> Self {
        let items = [const { None }; N];
        let inside = ChannelState { items, first: 0, len: 0, closed: false };
        Self { inside: Mutex::new(inside), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, ChannelState<T, N>> {
        // No code that could panic runs under this lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an item. Returns it where the channel is full or closed.
    pub(super) fn send(&self, item: T) -> Result<(), T> {
        let mut inside = self.lock();
        if inside.closed || inside.len == N {
            return Err(item);
        }
        let place = (inside.first + inside.len) % N;
        inside.items[place] = Some(item);
        inside.len += 1;
        drop(inside);
        self.changed.notify_one();
        Ok(())
    }

    /// Receives an item, if there is one, without waiting.
    pub(super) fn try_receive(&self) -> Received<T> {
        self.lock().take()
    }

    /// Waits for the next item; `None` when none is left and the channel is closed.
    pub(super) fn receive(&self) -> Option<T> {
        let mut inside = self.lock();
        loop {
            match inside.take() {
                Received::Item(item) => return Some(item),
                Received::Closed => return None,
                Received::Empty => {
                    inside = self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }

    /// Closes the channel, from either side. Items sent before can still be received.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

impl<T, const N: usize> ChannelState<T, N> {
    fn take(&mut self) -> Received<T> {
        match self.items[self.first].take() {
            Some(item) => {
                self.first = (self.first + 1) % N;
                self.len -= 1;
                Received::Item(item)
            }
            None if self.closed => Received::Closed,
            None => Received::Empty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_in_order_and_no_more_than_fit() {
        let channel = BoundedChannel::<_, 2>::new();
        for number in 0..5 {
            assert_eq!(channel.send(2 * number), Ok(()));
            assert_eq!(channel.send(2 * number + 1), Ok(()));
            assert_eq!(channel.send(99), Err(99));
            assert_eq!(channel.receive(), Some(2 * number));
            assert!(
                matches!(channel.try_receive(), Received::Item(item) if item == 2 * number + 1)
            );
            assert!(matches!(channel.try_receive(), Received::Empty));
        }
    }

    #[test]
    fn items_sent_before_the_close_are_received_and_waiting_threads_are_woken() {
        let channel = BoundedChannel::<_, 2>::new();
        std::thread::scope(|scope| {
            let receiver =
                scope.spawn(|| [channel.receive(), channel.receive(), channel.receive()]);
            channel.send(1).unwrap();
            channel.send(2).unwrap_or_default();
            channel.close();
            assert_eq!(channel.send(3), Err(3));
            assert_eq!(receiver.join().unwrap(), [Some(1), Some(2), None]);
        });
    }
}
