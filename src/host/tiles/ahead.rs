//! Fetching the strips of a tile.

#![allow(clippy::arithmetic_side_effects, reason = "places are counted and fetched, never read")]

use super::super::lines::{LINE, Soon};
use super::super::vector::prefetch;
use super::Tile;

/// The lines of the next tile that were not fetched yet.
pub(in super::super) struct Ahead<'a> {
    tile: Option<&'a Tile<'a>>,
    strip: usize,
    /// What is left of the strip before that.
    next: *const u8,
    end: *const u8,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(tile: Option<&'a Tile<'a>>) -> Self {
        Self { tile, strip: 0, next: std::ptr::null(), end: std::ptr::null() }
    }

    /// Fetches as many, or all that are left.
    #[inline]
    pub(in super::super) fn fetch(&mut self, lines: usize) {
        let Some(tile) = self.tile else {
            return;
        };
        for _ in 0..lines {
            if self.next >= self.end {
                if self.strip == tile.group.strips(tile) {
                    self.tile = None;
                    return;
                }
                let Soon { place, bytes } = tile.group.strip(tile, self.strip);
                self.next = place.wrapping_sub(place.addr() % LINE);
                self.end = place.wrapping_add(bytes);
                self.strip += 1;
            }
            prefetch(self.next);
            self.next = self.next.wrapping_add(LINE);
        }
    }
}
