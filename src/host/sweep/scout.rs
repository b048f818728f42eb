//! Fetching what is copied next.

#![allow(clippy::arithmetic_side_effects, reason = "places are counted and fetched, never read")]

use super::super::lines::{LINE, Soon};
use super::super::rows::{Lanes, MAX_LANES};
use super::super::vector::prefetch;
use super::{Path, Sweep, Tile};
use crate::host::copy_list::Side;

/// Goes the same way as who copies, some bytes ahead, and fetches what lies there.
///
/// What lies here and there is no pattern that a processor foresees: left alone, each read would wait
/// for the memory, and the memory for each write.
pub(in super::super) struct Scout<'a> {
    sweep: &'a Sweep,
    path: &'a mut Path,
    tile: Tile<'a>,
    strip: usize,
    strips: usize,
    /// What is left of the strip before that.
    next: *const u8,
    end: *const u8,
    /// Bytes of the present tile that it was not told of.
    untold: usize,
    /// Bytes to fetch; below 0 where more were.
    owed: isize,
}

impl<'a> Scout<'a> {
    /// Begins where `path` does, and goes ahead by `lead` bytes, with room for the lanes there.
    pub(super) fn new(
        sweep: &'a Sweep, path: &'a mut Path, lanes: &'a mut Lanes, lead: usize,
    ) -> Self {
        let (next, end) = (std::ptr::null(), std::ptr::null());
        let tile = Tile::new(lanes);
        let mut scout =
            Self { sweep, path, tile, strip: 0, strips: 0, next, end, untold: lead, owed: 0 };
        scout.follow(lead);
        scout
    }

    /// Is told that a tile of `bytes` is copied now, and what was before it is done.
    pub(super) fn begin(&mut self, bytes: usize) {
        self.follow(self.untold);
        self.untold = bytes;
    }

    /// Goes on by as many bytes of the tile as are copied now.
    #[inline(always)]
    pub(in super::super) fn follow(&mut self, bytes: usize) {
        let told = bytes.min(self.untold);
        self.untold -= told;
        let mut owed = self.owed + told as isize;
        while owed > 0 {
            let mut next = self.next;
            while owed > 0 && next < self.end {
                prefetch(next);
                next = next.wrapping_add(LINE);
                owed -= LINE as isize;
            }
            self.next = next;
            if owed > 0 {
                match self.next_strip() {
                    Some(more) => owed += more,
                    None => break,
                }
            }
        }
        self.owed = owed;
    }

    /// Goes to the next strip, if there is one; how many bytes of the lines between, the last of one and
    /// the first of the other, do not belong to either.
    #[inline(never)]
    fn next_strip(&mut self) -> Option<isize> {
        let side = self.sweep.plan.side();
        let behind = self.next.addr() - self.end.addr();
        if self.strip == self.strips {
            // Of rows that are taken apart, one lane tells where they begin.
            let lanes = if side == Side::Source { 1 } else { MAX_LANES };
            if !self.path.next(self.sweep, &mut self.tile, lanes) {
                return None;
            }
            (self.strip, self.strips) = (0, self.tile.strips(side));
        }
        let Soon { place, bytes } = self.tile.strip(side, self.strip);
        let before = place.addr() % LINE;
        (self.next, self.end) = (place.wrapping_sub(before), place.wrapping_add(bytes));
        self.strip += 1;
        Some((before + behind) as isize)
    }
}
