//! Cutting boxes at each other's borders, until those that are neighbours in rows share all their rows.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "boxes lie inside of a tensor, and numbers of boxes and dimensions are its own"
)]

use std::ops::Range;

use super::view::HostView;
use crate::error::try_with_capacity;
use crate::geometry::MAX_NDIM;
use crate::model::Result;
use crate::model::shards::Shards;

#[cfg(test)]
mod tests;

/// Cuts inside of each other, at most.
const MAX_CUTS: usize = 128;

/// The dimensions of a tensor in which there are steps to take.
pub(super) struct Dims {
    /// Largest steps first; the last of these is the inner one.
    order: [usize; MAX_NDIM],
    count: usize,
}

impl Dims {
    /// None where elements are not neighbours in one dimension, or where it is the only one.
    pub(super) fn of(full: &HostView) -> Option<Self> {
        let (shape, strides) = (full.shape(), full.strides());
        let (mut order, mut count) = ([0; MAX_NDIM], 0);
        for dim in (0..shape.len()).filter(|&dim| shape[dim] > 1) {
            let larger = order[..count].iter().filter(|&&other| strides[other] >= strides[dim]);
            let place = larger.count();
            order.copy_within(place..count, place + 1);
            order[place] = dim;
            count += 1;
        }
        let dims = Self { order, count };
        let rows = count > 1 && full.units_of_a_byte() == 1;
        (rows && strides[dims.inner()] == full.width() as i64).then_some(dims)
    }

    /// Bytes of a row.
    pub(super) fn row_bytes(&self, full: &HostView) -> usize {
        full.shape()[self.inner()] as usize * full.width()
    }

    fn outer(&self) -> &[usize] {
        &self.order[..self.count - 1]
    }

    /// The dimension in which elements are neighbours.
    fn inner(&self) -> usize {
        self.order[self.count - 1]
    }
}

/// The bounds of a band.
pub(super) struct BandBounds {
    low: [i64; MAX_NDIM],
    high: [i64; MAX_NDIM],
}

impl BandBounds {
    /// Where `size` indices from `offset` on begin and end inside of them.
    pub(super) fn clip(&self, offset: i64, size: i64, dim: usize) -> (i64, i64) {
        (offset.max(self.low[dim]), (offset + size).min(self.high[dim]))
    }

    /// Where the box of a shard begins and ends inside of them.
    fn clip_shard(&self, shards: &Shards, index: usize, dim: usize) -> (i64, i64) {
        let at = index * shards.ndim() + dim;
        self.clip(shards.offsets()[at], shards.sizes()[at], dim)
    }
}

/// A cut of a band.
struct BandCut {
    dim: usize,
    /// Where the band begins, where it is cut, and where it ends.
    ends: [i64; 3],
    /// The lists of the band's boxes.
    all: Range<usize>,
    /// How many of its sides were gone to.
    done: usize,
}

/// The boxes of some shards while they are cut.
pub(super) struct BandCuts<'a> {
    shards: &'a Shards,
    dims: &'a Dims,
    bounds: BandBounds,
    /// Lists of the boxes that have a part of a band, of each band that is not done with, the present
    /// one last. Of each band there are as many lists as [`Self::lists`] says, of all its boxes.
    members: Vec<usize>,
    /// How often a box may still be visited.
    visits: usize,
}

impl<'a> BandCuts<'a> {
    /// The shards `indices`, none of them empty. At most `visits` visits of boxes are made, over
    /// all boxes.
    pub(super) fn new(
        shards: &'a Shards, indices: &[usize], dims: &'a Dims, visits: usize,
    ) -> Result<Self> {
        let bounds = BandBounds { low: [0; MAX_NDIM], high: [i64::MAX; MAX_NDIM] };
        let mut bands = Self { shards, dims, bounds, members: Vec::new(), visits };
        let lists = bands.lists();
        bands.members = try_with_capacity("bands", lists.saturating_mul(indices.len()))?;
        let mut order = try_with_capacity("bands", indices.len())?;
        for list in 0..lists {
            let (dim, of_ends) = bands.order_of(list);
            order.clear();
            order.extend(indices.iter().map(|&index| {
                let (low, high) = bands.bounds.clip_shard(shards, index, dim);
                (if of_ends { high } else { low } as usize, index)
            }));
            order.sort_unstable();
            bands.members.extend(order.iter().map(|(_, index)| index));
        }
        Ok(bands)
    }

    /// How many lists there are of the boxes of a band: by where they begin in each dimension, and by
    /// where they end in the outer ones.
    fn lists(&self) -> usize {
        2 * self.dims.count - 1
    }

    /// The dimension that a list is in the order of, and whether of the boxes' ends.
    fn order_of(&self, list: usize) -> (usize, bool) {
        (self.dims.order[list / 2], list % 2 == 1)
    }

    /// Calls `band` for each band with the shards that have a part of it, in the order of their rows,
    /// and its bounds. None where that takes too long, or where `band` says so: then there may be bands
    /// that were left out.
    pub(super) fn each(
        mut self, band: &mut dyn FnMut(&[usize], &BandBounds) -> Option<()>,
    ) -> Option<()> {
        let mut count = self.members.len() / self.lists();
        // The cuts that the present band is inside of.
        let mut cuts: Vec<BandCut> = Vec::new();
        loop {
            // Three lists of a box count as one visit.
            self.visits = self.visits.checked_sub(count * self.lists().div_ceil(3))?;
            let all = self.members.len() - self.lists() * count..self.members.len();
            match self.best_border(&all, count) {
                None => band(&self.members[all.end - count..], &self.bounds)?,
                Some(_) if cuts.len() == MAX_CUTS => return None,
                Some((dim, border)) => {
                    let (low, high) = (self.bounds.low[dim], self.bounds.high[dim]);
                    cuts.try_reserve(1).ok()?;
                    cuts.push(BandCut { dim, ends: [low, border, high], all, done: 0 });
                }
            }
            match self.go_on(&mut cuts)? {
                Some(next) => count = next,
                None => return Some(()),
            }
        }
    }

    /// Goes to the next side of the innermost cut that has one left; the number of boxes that have a
    /// part of it.
    fn go_on(&mut self, cuts: &mut Vec<BandCut>) -> Option<Option<usize>> {
        while let Some(cut) = cuts.last_mut() {
            let BandCut { dim, ends, .. } = *cut;
            self.members.truncate(cut.all.end);
            (self.bounds.low[dim], self.bounds.high[dim]) = (ends[0], ends[2]);
            if cut.done == 2 {
                cuts.pop();
                continue;
            }
            let (from, to) = (ends[cut.done], ends[cut.done + 1]);
            cut.done += 1;
            let all = cut.all.clone();
            self.members.try_reserve(all.len()).ok()?;
            for at in all.clone() {
                let index = self.members[at];
                let (begin, end) = self.bounds.clip_shard(self.shards, index, dim);
                if begin < to && end > from {
                    self.members.push(index);
                }
            }
            (self.bounds.low[dim], self.bounds.high[dim]) = (from, to);
            return Some(Some((self.members.len() - all.end) / self.lists()));
        }
        Some(None)
    }

    /// The border of a box in an outer dimension that lies inside of the fewest others; of such, the
    /// one with the most equal parts on its sides.
    fn best_border(&self, all: &Range<usize>, count: usize) -> Option<(usize, i64)> {
        let mut best: Option<((usize, usize), usize, i64)> = None;
        for (&dim, lists) in
            self.dims.outer().iter().zip(self.members[all.clone()].chunks(2 * count))
        {
            let (by_low, by_high) = lists.split_at(count);
            let low = |at: usize| self.bounds.clip_shard(self.shards, by_low[at], dim).0;
            let high = |at: usize| self.bounds.clip_shard(self.shards, by_high[at], dim).1;
            let (mut begun, mut ended) = (0, 0);
            while ended < count {
                let border = if begun < count { low(begun).min(high(ended)) } else { high(ended) };
                while ended < count && high(ended) == border {
                    ended += 1;
                }
                let behind = count - ended;
                if begun > 0 && behind > 0 {
                    let rank = (begun - ended, begun.abs_diff(behind));
                    if best.is_none_or(|(least, ..)| rank < least) {
                        best = Some((rank, dim, border));
                    }
                }
                while begun < count && low(begun) == border {
                    begun += 1;
                }
            }
        }
        best.map(|(_, dim, border)| (dim, border))
    }
}
