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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::DataType;
    use crate::model::placements::Placements;

    /// Offsets and sizes.
    type Box = (Vec<i64>, Vec<i64>);

    fn shards(boxes: &[Box]) -> Shards {
        let offsets = boxes.iter().flat_map(|one| one.0.clone()).collect();
        let sizes = boxes.iter().flat_map(|one| one.1.clone()).collect();
        let placement: crate::model::Placement = "rank:0/cpu".parse().unwrap();
        let placements = Placements::new(boxes.iter().map(|_| placement.clone())).unwrap();
        Shards::new(boxes[0].0.len(), offsets, sizes, placements).unwrap()
    }

    /// Cuts a tensor again and again: `(which box, dimension, place)`, each modulo what there is.
    fn boxes(sizes: &[i64], cuts: &[(usize, usize, i64)]) -> Vec<Box> {
        let mut boxes = vec![(vec![0; sizes.len()], sizes.to_vec())];
        for &(which, dim, place) in cuts {
            let (which, dim) = (which % boxes.len(), dim % sizes.len());
            let (offset, size) = boxes[which].clone();
            if size[dim] > 1 {
                let place = 1 + place % (size[dim] - 1);
                boxes[which].1[dim] = place;
                let (mut offset, mut size) = (offset, size);
                (offset[dim], size[dim]) = (offset[dim] + place, size[dim] - place);
                boxes.push((offset, size));
            }
        }
        boxes
    }

    fn dims(sizes: &[i64]) -> Dims {
        let first = std::ptr::without_provenance_mut(1 << 20);
        Dims::of(&HostView::new("full", first, DataType::FLOAT32, sizes, None).unwrap()).unwrap()
    }

    proptest! {
        #[test]
        fn bands_have_each_element_once_and_their_boxes_share_all_rows(
            sizes in prop::collection::vec(2i64..9, 2..5),
            cuts in prop::collection::vec((any::<usize>(), any::<usize>(), 0i64..9), 0..20),
        ) {
            let (shards, dims) = (shards(&boxes(&sizes, &cuts)), dims(&sizes));
            let indices: Vec<usize> = (0..shards.len()).collect();
            let bands = BandCuts::new(&shards, &indices, &dims, usize::MAX).unwrap();
            let mut elements = vec![0; shards.len()];
            let done = bands.each(&mut |members, bounds| {
                let clip = |index: usize, dim: usize| bounds.clip_shard(&shards, index, dim);
                for &index in members {
                    for &dim in dims.outer() {
                        assert_eq!(clip(index, dim), clip(members[0], dim), "rows of others");
                    }
                    let size = |dim| { let (low, high) = clip(index, dim); high - low };
                    elements[index] += (0..sizes.len()).map(size).product::<i64>();
                }
                for pair in members.windows(2) {
                    let (left, right) = (clip(pair[0], dims.inner()), clip(pair[1], dims.inner()));
                    assert!(left.1 <= right.0, "out of order");
                }
                Some(())
            });
            prop_assert!(done.is_some());
            for (shard, elements) in shards.iter().zip(elements) {
                prop_assert_eq!(elements, shard.sizes.iter().product::<i64>());
            }
        }
    }

    #[test]
    fn boxes_that_share_their_rows_are_cut_at_clean_borders_only() {
        // A grid of 3 by 2 by 2 boxes: a band for each place in the outer dimensions.
        let grid: Vec<_> = (0..12)
            .map(|at| (vec![at / 4 * 5, at / 2 % 2 * 7, at % 2 * 3], vec![5, 7, 3]))
            .collect();
        let (shards, dims) = (shards(&grid), dims(&[15, 14, 6]));
        let indices: Vec<usize> = (0..12).rev().collect();
        let bands = BandCuts::new(&shards, &indices, &dims, usize::MAX).unwrap();
        let mut seen = Vec::new();
        let done = bands.each(&mut |members, _| {
            seen.push(members.to_vec());
            Some(())
        });
        assert!(done.is_some());
        seen.sort_unstable();
        assert_eq!(seen, (0..6).map(|at| vec![2 * at, 2 * at + 1]).collect::<Vec<_>>());
    }

    #[test]
    fn too_many_bands_are_given_up() {
        let columns: Vec<_> = (0..100).map(|at| (vec![at, at], vec![1, 1])).collect();
        let (shards, dims) = (shards(&columns), dims(&[100, 100]));
        let indices: Vec<usize> = (0..100).collect();
        let cut = |visits| {
            let bands = BandCuts::new(&shards, &indices, &dims, visits).unwrap();
            bands.each(&mut |_, _| Some(()))
        };
        assert_eq!(cut(200), None);
        assert_eq!(cut(2000), Some(()));
    }

    #[test]
    fn rows_are_those_of_the_smallest_steps_whatever_the_order_of_the_dimensions() {
        let first = std::ptr::without_provenance_mut(1 << 20);
        let dims = |dtype, shape: &[i64], strides: Option<&[i64]>| {
            let view = HostView::new("full", first, dtype, shape, strides).unwrap();
            Dims::of(&view).map(|dims| (dims.outer().to_vec(), dims.inner()))
        };
        let float = DataType::FLOAT32;
        assert_eq!(dims(float, &[4, 1, 6], None), Some((vec![0], 2)));
        assert_eq!(dims(float, &[4, 5, 6], Some(&[1, 24, 4])), Some((vec![1, 2], 0)));
        assert_eq!(dims(float, &[4, 5], Some(&[10, 2])), None);
        assert_eq!(dims(float, &[4, 5], Some(&[5, -1])), None);
        assert_eq!(dims(float, &[1, 5], None), None);
        assert_eq!(dims(DataType { code: 0, bits: 4, lanes: 1 }, &[4, 6], None), None);
    }
}
