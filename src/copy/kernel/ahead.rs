//! Fetching what is copied next.
//!
//! Kernels read a few hundred bytes here and then there, which is no pattern that a processor
//! recognises, and between two reads they write. Left alone, each read waits for the memory, and the
//! memory for each write. So for each line that is written, one is fetched that will be read later,
//! in the order in which the lines lie in memory.

#![allow(clippy::arithmetic_side_effects, reason = "places are counted and fetched, never read")]

use super::lines::LINE;
use super::vector::prefetch;

/// What is read some time after the block that is being copied: strips of memory.
pub(super) struct Ahead {
    /// What is left of the present strip.
    next: *const u8,
    end: *const u8,
    /// Where each strip starts, and its bytes.
    strips: Vec<(*const u8, usize)>,
    /// The strip after the present one.
    strip: usize,
}

impl Ahead {
    pub(super) fn new() -> Self {
        let nowhere = std::ptr::null();
        Self { next: nowhere, end: nowhere, strips: Vec::new(), strip: 0 }
    }

    /// These strips, of so many bytes, are fetched next.
    #[inline(always)]
    pub(super) fn aim(&mut self, strips: impl Iterator<Item = (*const u8, usize)>) {
        self.strips.clear();
        self.strips.extend(strips);
        self.strip = 0;
        self.end = self.next;
    }

    /// Fetches the next line.
    #[inline(always)]
    pub(super) fn fetch(&mut self) {
        if self.next >= self.end {
            let Some(&(start, len)) = self.strips.get(self.strip) else {
                return;
            };
            self.strip += 1;
            // From the line on that it starts in.
            self.next = start.wrapping_sub(start.addr() % LINE);
            self.end = start.wrapping_add(len);
        }
        prefetch(self.next);
        self.next = self.next.wrapping_add(LINE);
    }
}
