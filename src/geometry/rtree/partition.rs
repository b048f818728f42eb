//! Partitioning a set of shards in place.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "places and ranges are the tree's own"
)]

use std::cmp::Ordering;
use std::ops::Range;

use super::set::PlaneCut;
use super::tree::Index;
use crate::geometry::steps;

impl Index {
    /// Moves the shards of a set that are left of a plane to the front and those right of it to the
    /// back. Returns the start and the end of the shards that the plane crosses.
    pub(super) fn part(&mut self, set: &Range<usize>, cut: PlaneCut) -> (usize, usize) {
        let ndim = self.dims.len();
        self.part_in_three(set, |index, place| {
            let span = index.boxes[place * ndim + cut.dim];
            if span.high <= cut.at {
                Ordering::Less
            } else if span.low >= cut.at {
                Ordering::Greater
            } else {
                Ordering::Equal
            }
        })
    }

    /// Moves the shards of a set by a coordinate of their corners: `Less` to the front, `Greater` to
    /// the back. Returns the start and the end of the others.
    pub(super) fn part_by(
        &mut self, set: &Range<usize>, coordinate: usize, side: impl Fn(i64) -> Ordering,
    ) -> (usize, usize) {
        self.part_in_three(set, |index, place| side(index.coordinate(place, coordinate)))
    }

    #[inline]
    fn part_in_three(
        &mut self, set: &Range<usize>, side: impl Fn(&Self, usize) -> Ordering,
    ) -> (usize, usize) {
        steps::count(set.len());
        let Range { start: mut left, end: mut right } = *set;
        let mut at = left;
        while at < right {
            match side(self, at) {
                Ordering::Less => {
                    self.swap(at, left);
                    left += 1;
                    at += 1;
                }
                Ordering::Greater => {
                    right -= 1;
                    // Shards that are already on their side stay: boxes in order are not moved at all.
                    while right > at && side(self, right) == Ordering::Greater {
                        right -= 1;
                    }
                    self.swap(at, right);
                }
                Ordering::Equal => at += 1,
            }
        }
        (left, right)
    }

    #[inline(always)]
    fn swap(&mut self, a: usize, b: usize) {
        if a == b {
            return;
        }
        self.shards.swap(a, b);
        let ndim = self.dims.len();
        for dim in 0..ndim {
            self.boxes.swap(a * ndim + dim, b * ndim + dim);
        }
    }
}
