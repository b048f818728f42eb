//! Where shards begin and end in a dimension, and the bins that a dimension is drawn in.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "starts and ends of shards fit an i64, as do differences of two of them, which are not \
              negative"
)]

use crate::draw::space::DrawnShards;
use crate::geometry::{DimExtent, Stretch};
use crate::memory::{Memory, TryVec, try_filled, try_to_vec};

/// How many different cuts of a dimension are kept. Of more, the first ones are.
const MAX_CUTS: usize = 1 << 15;

/// The places inside of a part of a dimension at which a shard begins or ends.
#[derive(Debug)]
pub(super) struct Cuts {
    /// The part that is drawn.
    pub(super) start: i64,
    pub(super) end: i64,
    /// The places, ascending: all of them, or the first ones.
    places: Vec<i64>,
    is_complete: bool,
}

impl Cuts {
    /// The cuts of shards in a dimension, from `start` to `end`.
    pub(super) fn new(
        lists: &[&DrawnShards<'_>], dim: usize, (start, end): (i64, i64),
    ) -> Memory<Self> {
        let mut cuts = Self { start, end, places: Vec::new(), is_complete: true };
        let mut bound = end;
        for list in lists {
            let mut seen = try_filled(false, list.maps().len())?;
            for product in 0..list.product_count() {
                let (extent, map) = list.dim(product, dim);
                let place = map.and_then(|number| seen.get_mut(number as usize));
                if !place.is_some_and(|seen| std::mem::replace(seen, true)) {
                    cuts.add(extent, &mut bound)?;
                }
            }
        }
        cuts.sort(&mut bound);
        Ok(cuts)
    }

    fn add(&mut self, extent: DimExtent<'_>, bound: &mut i64) -> Memory<()> {
        match extent {
            DimExtent::Interval(_, 0) => Ok(()),
            DimExtent::Interval(start, size) => {
                self.add_place(start, bound)?;
                self.add_place(start.saturating_add(size), bound)
            }
            DimExtent::Map(map) => {
                map.stretches().iter().try_for_each(|stretch| self.add_stretch(stretch, bound))
            }
        }
    }

    fn add_stretch(&mut self, stretch: &Stretch, bound: &mut i64) -> Memory<()> {
        let step = stretch.global_step();
        let before = (self.start - stretch.global_start()).max(0) / step;
        for block in before..stretch.count() {
            let start = stretch.global_start() + block * step;
            if start > *bound {
                self.is_complete &= start >= self.end;
                break;
            }
            self.add_place(start, bound)?;
            self.add_place(start + stretch.length(), bound)?;
        }
        Ok(())
    }

    fn add_place(&mut self, place: i64, bound: &mut i64) -> Memory<()> {
        if place <= self.start || place >= self.end || self.places.last() == Some(&place) {
            return Ok(());
        }
        if place > *bound {
            self.is_complete = false;
            return Ok(());
        }
        self.places.try_push(place)?;
        if self.places.len() >= 4 * MAX_CUTS {
            self.sort(bound);
        }
        Ok(())
    }

    /// Keeps each place once, and of too many the first ones: none after them is of interest.
    fn sort(&mut self, bound: &mut i64) {
        self.places.sort_unstable();
        self.places.dedup();
        if self.places.len() > MAX_CUTS {
            self.places.truncate(MAX_CUTS);
            self.is_complete = false;
            *bound = self.places.last().copied().unwrap_or(self.end);
        }
    }

    /// How many parts the cuts make; `None`: very many.
    pub(super) fn part_count(&self) -> Option<usize> {
        self.is_complete.then_some(self.places.len() + 1)
    }

    /// Whether a shard begins or ends inside.
    pub(super) fn is_cut(&self) -> bool {
        !self.places.is_empty()
    }

    /// The dimension in at most `most` bins. No cut is inside of a bin, if there are few enough.
    pub(super) fn bins(&self, most: usize) -> Memory<Bins> {
        let most = most.max(1);
        let parts = self.places.len() + 1;
        let mut bounds = Vec::new();
        bounds.try_push(self.start)?;
        if self.is_complete {
            // Of too many parts, neighbours are joined: equally many, if that is possible.
            let divides = |bins: &usize| parts.is_multiple_of(*bins);
            let even = (most / 2 + 1..=most).rev().find(divides).unwrap_or(most);
            let each = parts.div_ceil(even);
            bounds.try_extend(self.places.iter().copied().skip(each - 1).step_by(each))?;
        } else {
            // Bins of whole parts, where all are as long as the first one.
            let first = self.places.first().map_or(1, |place| place - self.start);
            let length = self.end - self.start;
            let fair = (length - 1) / most as i64 + 1;
            let step = fair.checked_add(first - 1).map_or(fair, |sum| sum / first * first);
            let inner = (1..most as i64).map_while(|bin| step.checked_mul(bin));
            bounds.try_extend(inner.take_while(|at| *at < length).map(|at| self.start + at))?;
        }
        bounds.try_push(self.end)?;
        Ok(Bins { bounds, is_exact: self.is_complete && parts <= most })
    }

    /// The first bins, in none of which is a cut: at most `most`.
    pub(super) fn first_bins(&self, most: usize) -> Memory<Bins> {
        let mut bounds = Vec::new();
        bounds.try_push(self.start)?;
        bounds.try_extend(self.places.iter().copied().take(most.max(1)))?;
        if bounds.len() <= most && self.is_complete {
            bounds.try_push(self.end)?;
        }
        Ok(Bins { bounds, is_exact: true })
    }
}

/// Neighbouring ranges of a dimension.
#[derive(Debug)]
pub(super) struct Bins {
    /// Where they start, and where the last one ends.
    pub(super) bounds: Vec<i64>,
    /// Whether no cut is inside of a bin.
    pub(super) is_exact: bool,
}

impl Bins {
    /// One bin.
    pub(super) fn one((start, end): (i64, i64), is_exact: bool) -> Memory<Self> {
        let mut bounds = Vec::new();
        bounds.try_extend([start, end])?;
        Ok(Self { bounds, is_exact })
    }

    /// The same bins in memory of their own.
    pub(super) fn try_clone(&self) -> Memory<Self> {
        Ok(Self { bounds: try_to_vec(&self.bounds)?, is_exact: self.is_exact })
    }

    pub(super) fn len(&self) -> usize {
        self.bounds.len().saturating_sub(1)
    }

    pub(super) fn start(&self) -> i64 {
        self.bounds.first().copied().unwrap_or(0)
    }

    pub(super) fn end(&self) -> i64 {
        self.bounds.last().copied().unwrap_or(0)
    }

    /// Where a bin starts and ends.
    pub(super) fn range(&self, bin: usize) -> (i64, i64) {
        let bound = |at: usize| self.bounds.get(at).copied().unwrap_or(0);
        (bound(bin), bound(bin + 1))
    }

    /// How long a bin is.
    pub(super) fn size(&self, bin: usize) -> i64 {
        let (start, end) = self.range(bin);
        end - start
    }

    /// Adds the number of indices that an extent has in each bin in which it has some.
    pub(super) fn cover(&self, extent: DimExtent<'_>, found: &mut Vec<(u32, i64)>) -> Memory<()> {
        found.clear();
        match extent {
            DimExtent::Interval(start, size) => {
                self.cover_interval(start, start.saturating_add(size), found)
            }
            DimExtent::Map(map) => self.cover_stretches(map.stretches(), found),
        }
    }

    /// Adds the number of indices that stretches have in each bin in which they have some.
    pub(super) fn cover_stretches(
        &self, stretches: &[Stretch], found: &mut Vec<(u32, i64)>,
    ) -> Memory<()> {
        stretches.iter().try_for_each(|stretch| self.cover_stretch(stretch, found))
    }

    fn first_bin(&self, index: i64) -> usize {
        self.bounds.partition_point(|bound| *bound <= index).saturating_sub(1)
    }

    fn cover_interval(&self, start: i64, end: i64, found: &mut Vec<(u32, i64)>) -> Memory<()> {
        for bin in self.first_bin(start)..self.len() {
            let (low, high) = self.range(bin);
            if low >= end {
                break;
            }
            let common = end.min(high) - start.max(low);
            if common > 0 {
                found.try_push((bin as u32, common))?;
            }
        }
        Ok(())
    }

    fn cover_stretch(&self, stretch: &Stretch, found: &mut Vec<(u32, i64)>) -> Memory<()> {
        let start = stretch.global_start();
        if stretch.count() == 1 {
            return self.cover_interval(start, start + stretch.length(), found);
        }
        let first = self.first_bin(start);
        let mut before = indices_before(stretch, self.range(first).0);
        for bin in first..self.len() {
            let after = indices_before(stretch, self.range(bin).1);
            if after > before {
                found.try_push((bin as u32, after - before))?;
            }
            if after == stretch.elements() {
                break;
            }
            before = after;
        }
        Ok(())
    }
}

/// How many indices of a stretch are below an index.
fn indices_before(stretch: &Stretch, index: i64) -> i64 {
    let distance = index - stretch.global_start();
    if distance <= 0 {
        return 0;
    }
    let (blocks, rest) = (distance / stretch.global_step(), distance % stretch.global_step());
    if blocks >= stretch.count() {
        return stretch.elements();
    }
    blocks * stretch.length() + rest.min(stretch.length())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::DimMap;

    /// The bins that have an index, counted one by one.
    fn counted(bins: &Bins, map: &DimMap) -> Vec<i64> {
        let mut counts = vec![0; bins.len()];
        for local in 0..map.length() {
            let Some(index) = map.global(local) else { continue };
            let bin = (0..bins.len()).find(|&bin| {
                let (start, end) = bins.range(bin);
                (start..end).contains(&index)
            });
            if let Some(bin) = bin {
                counts[bin] += 1;
            }
        }
        counts
    }

    #[test]
    fn bins_have_as_many_indices_as_are_counted_one_by_one() {
        let bounds = [vec![0, 40], vec![0, 7, 8, 9, 31, 40], vec![5, 6, 20], vec![11, 12, 13, 30]];
        for (start, length, count, step) in
            [(0, 3, 9, 4), (2, 1, 20, 2), (7, 5, 3, 11), (0, 40, 1, 40), (39, 1, 1, 1)]
        {
            let stretch = Stretch::new([start, 0], length, count, [step, length + 1]).unwrap();
            let map = DimMap::new(400, vec![stretch]).unwrap();
            for bounds in &bounds {
                let bins = Bins { bounds: bounds.clone(), is_exact: false };
                let mut found = Vec::new();
                bins.cover(DimExtent::Map(&map), &mut found).unwrap();
                let mut counts = vec![0; bins.len()];
                found.iter().for_each(|&(bin, count)| counts[bin as usize] += count);
                assert_eq!(counts, counted(&bins, &map), "{start} {length} {count} {step}");
            }
        }
    }

    #[test]
    fn bins_cover_the_dimension_and_are_no_more_than_asked_for() {
        for (places, is_complete) in [(vec![], true), (vec![3, 50], true), (vec![3, 6, 9], false)] {
            let cuts = Cuts { start: 0, end: 100, places, is_complete };
            for most in 1..40 {
                let bins = cuts.bins(most).unwrap();
                assert!((1..=most).contains(&bins.len()), "{most}");
                assert_eq!((bins.start(), bins.end()), (0, 100));
                assert!(bins.bounds.is_sorted() && (0..bins.len()).all(|bin| bins.size(bin) > 0));
                assert_eq!(bins.is_exact, is_complete && cuts.places.len() < most);
                let first = cuts.first_bins(most).unwrap();
                assert!(first.len() <= most && first.bounds.is_sorted());
            }
        }
    }
}
