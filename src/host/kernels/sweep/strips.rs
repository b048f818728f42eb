//! The strips that a sweep reads next, for the prefetcher.

use std::ops::Range;

use super::band::BandedPlan;
use super::path::{SweepPath, SweepTile};
use crate::host::copy_list::FullSide;
use crate::host::kernels::lanes::Lanes;
use crate::host::prefetch::{Strip, StripSource};
use crate::host::tuning::MAX_LANES;

/// The strips of all tiles of a path.
pub(super) struct SweepStrips<'a> {
    bands: &'a BandedPlan,
    path: &'a mut SweepPath,
    tile: SweepTile<'a>,
    /// The strips of that tile that are left.
    left: Range<usize>,
}

impl<'a> SweepStrips<'a> {
    /// The strips from where `path` begins, with memory for the lanes there.
    pub(super) fn new(
        bands: &'a BandedPlan, path: &'a mut SweepPath, lanes: &'a mut Lanes,
    ) -> Self {
        Self { bands, path, tile: SweepTile::new(lanes), left: 0..0 }
    }
}

impl StripSource for SweepStrips<'_> {
    #[inline(never)]
    fn next_strip(&mut self) -> Option<Strip> {
        let side = self.bands.plan.side();
        if self.left.is_empty() {
            // Where a full tensor is scattered, the first lane says where its rows begin.
            let max_lanes = if side == FullSide::Source { 1 } else { MAX_LANES };
            if !self.path.next(self.bands, &mut self.tile, max_lanes) {
                return None;
            }
            self.left = 0..self.tile.strip_count(side);
        }
        self.left.next().map(|at| self.tile.strip(side, at))
    }
}
