//! What is prefetched while a tile is copied: the strips of the next one.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "addresses are counted and prefetched, never read"
)]

use crate::host::cpu::LINE;
use crate::host::options::PrefetchInto;
use crate::host::prefetch::prefetch;

/// The strips that the next tile reads, line by line: those of the present tile, some bytes further
/// on. The lines are prefetched one by one between the stores of a tile. All at once, they would
/// keep other loads waiting: then copies were half as fast on one processor.
#[derive(Clone, Copy)]
pub(in crate::host::kernels) struct TileAhead<'a> {
    /// The strips of the present tile that are left.
    sources: &'a [*const u8],
    /// Bytes of each of them.
    bytes: usize,
    /// How far the next tile's strips are from those of the present one.
    distance: isize,
    into: PrefetchInto,
    /// The rest of a strip of the next tile.
    next: *const u8,
    end: *const u8,
    /// Bytes that were copied since the last line was prefetched.
    copied: usize,
}

impl<'a> TileAhead<'a> {
    /// The strips that are `distance` bytes behind `sources`; none without a distance.
    pub(super) fn new(
        sources: &'a [*const u8], bytes: usize, distance: Option<isize>, into: PrefetchInto,
    ) -> Self {
        let (next, end) = (std::ptr::null(), std::ptr::null());
        let sources = if distance.is_some() { sources } else { &[] };
        let distance = distance.unwrap_or(0);
        Self { sources, bytes, distance, into, next, end, copied: 0 }
    }

    /// A line is copied: prefetches one.
    #[inline(always)]
    pub(in crate::host::kernels) fn line(&mut self) {
        if self.next.addr() < self.end.addr() || self.go_to_next_strip() {
            prefetch(self.next, self.into);
            self.next = self.next.wrapping_add(LINE);
        }
    }

    /// Some bytes are copied: prefetches as many.
    #[inline(always)]
    pub(in crate::host::kernels) fn advance(&mut self, bytes: usize) {
        self.copied += bytes;
        while self.copied >= LINE {
            self.copied -= LINE;
            self.line();
        }
    }

    #[inline(always)]
    fn go_to_next_strip(&mut self) -> bool {
        let Some((&first, rest)) = self.sources.split_first() else {
            return false;
        };
        let start = first.wrapping_offset(self.distance);
        self.end = start.wrapping_add(self.bytes);
        self.next = start.wrapping_sub(start.addr() % LINE);
        self.sources = rest;
        true
    }

    /// The tile is copied: prefetches the lines that are left, such as those that begin before a
    /// strip.
    pub(super) fn finish(&mut self) {
        while !self.sources.is_empty() || self.next.addr() < self.end.addr() {
            self.line();
        }
    }
}
