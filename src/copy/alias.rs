//! Do destinations share memory with anything that they must not share it with?
//!
//! Exact, not by address ranges alone: columns of one buffer lie between each other's ends and
//! still share no byte. Packed elements may share bytes, if they share no bit. All views of a call
//! have one element type.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "extents of views fit an address space; sums of them are taken in 128 bits"
)]

use std::sync::Arc;

use super::view::{Extent, HostView};
use crate::core::shards::{Placements, Shards};
use crate::core::validate::check_non_overlapping;
use crate::core::{Error, Placement, Result};
use crate::memory::{Text, text};

/// How many steps all searches of one call for a shared byte may take before they give up and
/// refuse. Two views of nested strides, that is of any arrays that a runtime makes, need a few dozen.
const PATIENCE: u32 = 20_000_000;

/// The destinations of one call, gathered while they are checked one by one.
pub(super) struct Destinations {
    /// Shard index and place of each that is not empty.
    places: Vec<(usize, Extent)>,
    patience: u32,
}

/// Shards by their indices, and where each of them is.
#[derive(Clone, Copy)]
pub(super) struct Views<'a> {
    pub(super) indices: &'a [usize],
    pub(super) view: &'a dyn Fn(usize) -> HostView,
}

impl Destinations {
    pub(super) fn new() -> Self {
        Self { places: Vec::new(), patience: PATIENCE }
    }

    /// Adds shard `index`; refuses one that overlaps itself.
    pub(super) fn add(&mut self, index: usize, view: &HostView) -> Result<()> {
        let Some(extent) = view.extent() else {
            return Ok(());
        };
        self.places.push((index, extent));
        if overlaps_itself(view, &mut self.patience) {
            let what = text!("shard {index}: its strides put two elements at the same place");
            return Err(Error::Aliased { what, first: Some(index), second: None });
        }
        Ok(())
    }

    /// Adds the full tensor; refuses one that overlaps itself.
    pub(super) fn add_full(&mut self, view: &HostView) -> Result<()> {
        if !view.is_empty() && overlaps_itself(view, &mut self.patience) {
            let what = Text::from("full: its strides put two elements at the same place");
            return Err(Error::Aliased { what, first: None, second: None });
        }
        Ok(())
    }

    /// Refuses a destination that shares memory with the source it is copied from. `shard` is the
    /// shard's index; the other side is the full tensor.
    pub(super) fn check_source(
        &mut self, destination: &HostView, shard: usize, source: &HostView,
        source_shard: Option<usize>,
    ) -> Result<()> {
        if !views_share_memory(destination, source, &mut self.patience) {
            return Ok(());
        }
        let what = match source_shard {
            None => text!("shard {shard} shares memory with the full tensor it is copied from"),
            Some(_) => text!("full shares memory with shard {shard}, which is copied into it"),
        };
        Err(Error::Aliased { what, first: Some(shard), second: None })
    }

    /// Refuses a destination shard that shares memory with a source shard.
    pub(super) fn check_apart(
        &mut self, destinations: Views<'_>, sources: Views<'_>,
    ) -> Result<()> {
        let sides = [destinations, sources];
        let mut places = Vec::new();
        for (side, views) in sides.iter().enumerate() {
            let extents = (0..views.indices.len()).map(|number| (views.view)(number).extent());
            let extents =
                extents.enumerate().filter_map(|(number, extent)| Some((number, extent?)));
            places.extend(extents.map(|(number, extent)| (extent, side, number)));
        }
        places.sort_unstable_by_key(|(extent, ..)| extent.low);
        // Those of each side that may reach what comes next.
        let mut open: [Vec<(Extent, usize)>; 2] = [Vec::new(), Vec::new()];
        for (extent, side, number) in places {
            let others = &mut open[1 - side];
            others.retain(|(other, _)| other.meets(extent));
            let view = (!others.is_empty()).then(|| (sides[side].view)(number));
            for &(_, other) in others.iter() {
                let shares = view.is_some_and(|view| {
                    views_share_memory(&view, &(sides[1 - side].view)(other), &mut self.patience)
                });
                if shares {
                    let (to, from) = if side == 0 { (number, other) } else { (other, number) };
                    return Err(both_use(destinations.indices[to], sources.indices[from]));
                }
            }
            open[side].push((extent, number));
        }
        Ok(())
    }

    /// Refuses destinations of which two share memory.
    pub(super) fn check_each_other<E: From<Error>>(
        mut self, view: &impl Fn(usize) -> std::result::Result<HostView, E>,
    ) -> std::result::Result<(), E> {
        self.places.sort_unstable_by_key(|(_, extent)| extent.low);
        // Destinations between whose ends no other begins need no second look.
        let mut first = 0;
        let mut end = 0;
        for at in 0..=self.places.len() {
            let next = self.places.get(at).map(|(_, extent)| *extent);
            if next.is_none_or(|extent| extent.low >= end) {
                let tangled = &self.places[first..at];
                if tangled.len() > 1 {
                    let group: Vec<usize> = tangled.iter().map(|(index, _)| *index).collect();
                    let views = group.iter().map(|&index| view(index));
                    let views = views.collect::<std::result::Result<_, E>>()?;
                    check_group(&group, views, &mut self.patience)?;
                }
                first = at;
            }
            end = end.max(next.map_or(0, |extent| extent.high));
        }
        Ok(())
    }
}

fn both_use(destination: usize, source: usize) -> Error {
    let what = text!("destination shard {destination} shares memory with source shard {source}");
    Error::Aliased { what, first: Some(destination), second: Some(source) }
}

/// Refuses shards whose extents overlap when two of them share a byte.
fn check_group(group: &[usize], views: Vec<HostView>, patience: &mut u32) -> Result<()> {
    let aliased = |first: usize, second: usize| {
        let (first, second) = (first.min(second), first.max(second));
        let what = text!("shards {first} and {second} share memory");
        Err(Error::Aliased { what, first: Some(first), second: Some(second) })
    };
    if let Some(boxes) = boxes_of_one_array(&views)? {
        return match check_non_overlapping(&boxes) {
            Err(Error::Overlap { first, second, .. }) => aliased(group[first], group[second]),
            other => other,
        };
    }
    for (at, first) in views.iter().enumerate() {
        for (other, second) in views.iter().enumerate().skip(at + 1) {
            if views_share_memory(first, second, patience) {
                return aliased(group[at], group[other]);
            }
        }
    }
    Ok(())
}

/// The views as boxes of the one array that they are all parts of, if they are: then whether they
/// share memory is whether the boxes overlap, which is known how to answer for a million of them.
fn boxes_of_one_array(views: &[HostView]) -> Result<Option<Shards>> {
    let terms: Vec<Terms> = views.iter().map(Terms::of).collect();
    let Some(first) = terms.iter().map(|terms| terms.low).min() else {
        return Ok(None);
    };
    let width = views[0].width() as i128;
    let mut steps: Vec<Step> = terms.iter().flat_map(|terms| terms.steps.clone()).collect();
    steps.push(Step { stride: width, count: 0 });
    sort_steps(&mut steps);
    let mut strides: Vec<i128> = steps.iter().map(|step| step.stride).collect();
    strides.dedup();
    let ndim = strides.len();
    if ndim > crate::core::MAX_NDIM {
        return Ok(None);
    }
    let mut offsets = Vec::with_capacity(ndim * views.len());
    let mut sizes = Vec::with_capacity(ndim * views.len());
    let mut ends = vec![0i128; ndim];
    for terms in &terms {
        let mut rest = terms.low - first;
        for (dim, &stride) in strides.iter().enumerate() {
            let offset = rest / stride;
            rest %= stride;
            let step = terms.steps.iter().find(|step| step.stride == stride);
            let size = step.map_or(1, |step| step.count + 1);
            ends[dim] = ends[dim].max(offset + size);
            // Offsets and sizes in an address space fit 64 bits.
            offsets.push(offset as i64);
            sizes.push(size as i64);
        }
        if rest != 0 {
            return Ok(None);
        }
    }
    // Different indices must be different places: each stride reaches over all smaller ones.
    let mut reach = width;
    for (&stride, &end) in strides.iter().zip(&ends).rev() {
        if stride < reach {
            return Ok(None);
        }
        reach += stride * (end - 1);
    }
    let nowhere = Placement::on_rank(0)?;
    let placements = Placements::new(std::iter::repeat_n(nowhere, views.len()))?;
    Shards::new(ndim, offsets, sizes, Arc::new(placements)).map(Some)
}

/// Whether two elements of a view share a byte; packed ones, a bit. "Don't know" counts as yes.
fn overlaps_itself(view: &HostView, patience: &mut u32) -> bool {
    !view.is_row_major() && Terms::of(view).overlap_themselves(patience)
}

/// Whether two views have a byte in common; packed ones, a bit. "Don't know" counts as yes.
fn views_share_memory(a: &HostView, b: &HostView, patience: &mut u32) -> bool {
    let (Some(extent_a), Some(extent_b)) = (a.extent(), b.extent()) else {
        return false;
    };
    if !extent_a.meets(extent_b) {
        return false;
    }
    let (a, b) = (Terms::of(a), Terms::of(b));
    // Elements start at a.low + x and at b.low + y; with y' counted down from b's last, x + y' is a
    // sum of forward steps, and the two elements meet where it is near the distance to that last.
    let distance =
        b.low + b.steps.iter().map(|step| step.stride * step.count).sum::<i128>() - a.low;
    let mut steps = a.steps;
    steps.extend(b.steps);
    sum_in_range(&mut steps, distance - (a.width - 1), distance + (b.width - 1), patience)
}

/// One dimension of a view: `count` steps forward of `stride` units.
#[derive(Clone, Copy)]
struct Step {
    stride: i128,
    count: i128,
}

/// Longest first.
fn sort_steps(steps: &mut [Step]) {
    steps.sort_unstable_by_key(|step| std::cmp::Reverse(step.stride));
}

/// A view as its lowest element and steps forward from there, in its units.
struct Terms {
    low: i128,
    width: i128,
    steps: Vec<Step>,
}

impl Terms {
    fn of(view: &HostView) -> Self {
        let mut low = view.place();
        let mut steps = Vec::with_capacity(view.shape().len());
        for (&size, &stride) in view.shape().iter().zip(view.strides()) {
            let (stride, count) = (i128::from(stride), i128::from(size) - 1);
            low += (stride * count).min(0);
            if count > 0 {
                steps.push(Step { stride: stride.abs(), count });
            }
        }
        Self { low, width: view.width() as i128, steps }
    }

    /// As [`overlaps_itself`].
    fn overlap_themselves(mut self, patience: &mut u32) -> bool {
        sort_steps(&mut self.steps);
        self.steps.reverse();
        let mut reach = self.width;
        let nested = self.steps.iter().all(|step| {
            let clear = step.stride >= reach;
            reach += step.stride * step.count;
            clear
        });
        if nested {
            return false;
        }
        // Two elements differ by z steps in each dimension. Take the first dimension in which they
        // differ; there z is at least 1 (else swap them), and in those after it anything.
        (0..self.steps.len()).any(|first| {
            let lead = self.steps[first];
            let mut target = -lead.stride;
            let mut steps = vec![Step { count: lead.count - 1, ..lead }];
            for step in &self.steps[first + 1..] {
                target += step.stride * step.count;
                steps.push(Step { count: 2 * step.count, ..*step });
            }
            sum_in_range(&mut steps, target - (self.width - 1), target + (self.width - 1), patience)
        })
    }
}

/// Whether some number of steps, up to `count` of each, adds up to something from `low` to `high`.
/// Also true when that could not be found out within [`PATIENCE`].
fn sum_in_range(steps: &mut Vec<Step>, low: i128, high: i128, patience: &mut u32) -> bool {
    sort_steps(steps);
    steps.dedup_by(|next, kept| {
        let same = next.stride == kept.stride;
        if same {
            kept.count += next.count;
        }
        same
    });
    // What is left to add from each step on.
    let mut reach = vec![0i128; steps.len() + 1];
    for (at, step) in steps.iter().enumerate().rev() {
        reach[at] = reach[at + 1] + step.stride * step.count;
    }
    search(steps, &reach, low, high, patience)
}

fn search(steps: &[Step], reach: &[i128], low: i128, high: i128, patience: &mut u32) -> bool {
    if high < 0 || low > reach[0] {
        return false;
    }
    // Everything from 0 on up to `reach` may not be possible, but 0 and `reach` are.
    if low <= 0 || high >= reach[0] {
        return true;
    }
    let Some((step, rest)) = steps.split_first() else {
        return false;
    };
    if step.stride == 0 {
        return search(rest, &reach[1..], low, high, patience);
    }
    let fewest = ((low - reach[1]).max(0) + step.stride - 1) / step.stride;
    let most = (high / step.stride).min(step.count);
    let mut turns = fewest;
    while turns <= most {
        *patience = patience.saturating_sub(1);
        let taken = turns * step.stride;
        if *patience == 0 || search(rest, &reach[1..], low - taken, high - taken, patience) {
            return true;
        }
        turns += 1;
    }
    false
}
