//! Prefetching: the rows of several shards, and the rows of a part of a tensor, lie far apart. The
//! processor's own prefetcher recognises no sequence there. Without a software prefetcher each load
//! would wait for the memory, and the memory for each store.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "addresses are counted and prefetched, never read"
)]

use super::cpu::LINE;
use super::options::PrefetchInto;
pub(super) use crate::memory::prefetch;

/// A contiguous range of memory that is read later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strip {
    pub(super) start: *const u8,
    pub(super) bytes: usize,
}

impl Strip {
    pub(super) const NONE: Self = Self { start: std::ptr::null(), bytes: 0 };

    /// Prefetches the line that has `at` bytes of the strip before it, if the strip is longer.
    #[inline(always)]
    pub(super) fn prefetch_line(self, at: usize, into: PrefetchInto) {
        if at < self.bytes {
            prefetch(self.start.wrapping_add(at), into);
        }
    }
}

/// The strips that a copy loop reads, in its order.
pub(super) trait StripSource {
    /// The next strip, if there is one.
    fn next_strip(&mut self) -> Option<Strip>;
}

/// Software prefetcher: walks the same tiles as the copy loop, some distance ahead of it, and
/// prefetches every cache line once.
pub(super) struct Prefetcher<S> {
    strips: S,
    into: PrefetchInto,
    /// The rest of the current strip.
    next: *const u8,
    end: *const u8,
    /// Bytes of the copy loop's present tile that it has not reported yet.
    unreported: usize,
    /// Bytes to prefetch; below 0 where whole lines had more.
    balance: isize,
}

impl<S: StripSource> Prefetcher<S> {
    /// A prefetcher for a copy loop that starts at the first strip. Prefetches the first `distance`
    /// bytes.
    pub(super) fn with_distance(strips: S, distance: usize, into: PrefetchInto) -> Self {
        let mut prefetcher = Self::new(strips, distance, into);
        prefetcher.finish_tile();
        prefetcher
    }

    fn new(strips: S, unreported: usize, into: PrefetchInto) -> Self {
        let (next, end) = (std::ptr::null(), std::ptr::null());
        Self { strips, into, next, end, unreported, balance: 0 }
    }

    /// The copy loop has finished its tile: prefetches as many bytes as that had left.
    pub(super) fn finish_tile(&mut self) {
        self.advance(self.unreported);
    }

    /// The copy loop has finished a tile, and starts one of `bytes`.
    pub(super) fn begin_tile(&mut self, bytes: usize) {
        self.finish_tile();
        self.unreported = bytes;
    }

    /// The copy loop is about to copy `bytes` of its tile: prefetches as many bytes.
    #[inline(always)]
    pub(super) fn advance(&mut self, bytes: usize) {
        let reported = bytes.min(self.unreported);
        self.unreported -= reported;
        let mut balance = self.balance + reported as isize;
        while balance > 0 {
            // Counted before, the lines take three instructions each, half of what they took.
            let rest = self.end.addr().saturating_sub(self.next.addr());
            let lines = rest.min(balance as usize).div_ceil(LINE);
            let mut next = self.next;
            for _ in 0..lines {
                prefetch(next, self.into);
                next = next.wrapping_add(LINE);
            }
            balance -= (lines * LINE) as isize;
            self.next = next;
            if balance > 0 {
                match self.next_strip() {
                    Some(outside) => balance += outside,
                    None => break,
                }
            }
        }
        self.balance = balance;
    }

    /// Goes to the next strip, if there is one. Returns the bytes of lines that belong to no strip:
    /// those behind the end of the last one and before the start of this one.
    #[inline]
    fn next_strip(&mut self) -> Option<isize> {
        let behind = self.next.addr() - self.end.addr();
        let Strip { start, bytes } = self.strips.next_strip()?;
        let before = start.addr() % LINE;
        (self.next, self.end) = (start.wrapping_sub(before), start.wrapping_add(bytes));
        Some((before + behind) as isize)
    }
}
