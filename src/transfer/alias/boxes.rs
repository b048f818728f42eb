//! Views as boxes of one array, so that whether two share a unit is whether two boxes overlap: that
//! can be answered for a million of them.
//!
//! The strides of all views, longest first, are the digits in which a place is written: how many of
//! the longest, then how many of the next in what is left, and so on down to single units. A view
//! whose strides are among them is a box of such digits, or a few, where it goes on past the end of
//! a row. Other views are returned to the caller.

use super::cost::SearchCost;
use super::form::{Form, Forms, Step, reach_of};
use crate::error::try_with_capacity;
use crate::geometry::MAX_NDIM;
use crate::model::ModelError;
use crate::model::placements::Placements;
use crate::model::shards::Shards;
use crate::model::validate::check_non_overlapping;
use crate::model::{Error, Placement, Result};

#[cfg(test)]
mod tests;

/// Digits of a place: single units are the last one, and one dimension separates sources.
const MAX_DIGITS: usize = MAX_NDIM - 1;
/// Most boxes that one view may become.
const MAX_BOXES: usize = 64;
/// Steps of a stride that is no digit, each of which becomes a part of its own.
const MAX_LONE_STEPS: i128 = 16;

/// The result of a search among views.
#[derive(Debug)]
pub(super) enum BoxSearch {
    /// These two have a unit in common.
    Shared(usize, usize),
    /// These are none of a few boxes. All others have nothing in common with each other.
    Irregular(Vec<usize>),
}

/// Looks for a unit that two of the views have in common, of which one is a destination. These are
/// the first ones; none overlaps itself.
pub(super) fn find_shared(
    forms: &Forms, destinations: usize, cost: &mut SearchCost,
) -> Result<BoxSearch> {
    let origin = forms.iter().map(|form| form.low).min().unwrap_or(0);
    let digits = Digits::of(forms)?;
    let mut boxes = DigitBoxes::new(digits.strides.len() + 1, forms.len())?;
    let mut parts = BoxWriter::new(&digits.strides);
    let mut irregular = Vec::new();
    for (number, form) in forms.iter().enumerate() {
        if number == destinations {
            boxes.end_destinations();
        }
        if !parts.write(&form, origin, number, &mut boxes)? {
            irregular.try_reserve(1).map_err(|_| out_of_memory())?;
            irregular.push(number);
        }
    }
    if forms.len() == destinations {
        boxes.end_destinations();
    }
    cost.boxes += boxes.len();
    Ok(match boxes.find_overlap()? {
        Some((first, second)) => BoxSearch::Shared(first, second),
        None => BoxSearch::Irregular(irregular),
    })
}

fn out_of_memory() -> Error {
    Error::OutOfMemory { what: "boxes of views", bytes: size_of::<i64>() }
}

/// The strides in which places are written, longest first. Units, which are last, are not noted.
struct Digits {
    strides: Vec<i128>,
}

impl Digits {
    /// All strides; the most frequent ones, where there are too many.
    fn of(forms: &Forms) -> Result<Self> {
        let mut all = try_with_capacity("strides of views", forms.steps().len())?;
        all.extend(forms.steps().iter().map(|step| step.stride));
        all.sort_unstable();
        // How often there is each, and which.
        let mut counted: Vec<(usize, i128)> = try_with_capacity("strides of views", all.len())?;
        for stride in all {
            match counted.last_mut() {
                Some((count, last)) if *last == stride => *count += 1,
                _ => counted.push((1, stride)),
            }
        }
        counted.sort_unstable_by_key(|entry| std::cmp::Reverse(*entry));
        counted.truncate(MAX_DIGITS - 1);
        let mut strides = try_with_capacity("strides of views", counted.len())?;
        strides.extend(counted.iter().map(|(_, stride)| *stride));
        strides.sort_unstable_by_key(|stride| std::cmp::Reverse(*stride));
        Ok(Self { strides })
    }
}

/// Boxes of digits, and the view of each.
struct DigitBoxes {
    digits: usize,
    owners: Vec<usize>,
    offsets: Vec<i64>,
    sizes: Vec<i64>,
    /// How many of them are of destinations.
    destinations: usize,
}

impl DigitBoxes {
    fn new(digits: usize, views: usize) -> Result<Self> {
        let numbers = views.saturating_mul(digits);
        Ok(Self {
            digits,
            owners: try_with_capacity("boxes of views", views)?,
            offsets: try_with_capacity("boxes of views", numbers)?,
            sizes: try_with_capacity("boxes of views", numbers)?,
            destinations: 0,
        })
    }

    fn end_destinations(&mut self) {
        self.destinations = self.owners.len();
    }

    fn len(&self) -> usize {
        self.owners.len()
    }

    fn truncate(&mut self, len: usize) {
        self.owners.truncate(len);
        self.offsets.truncate(len * self.digits);
        self.sizes.truncate(len * self.digits);
    }

    /// Adds a box; false where a number of it does not fit.
    fn push(&mut self, owner: usize, spans: &[(i128, i128)]) -> Result<bool> {
        let refused = |_| out_of_memory();
        self.owners.try_reserve(1).map_err(refused)?;
        self.offsets.try_reserve(spans.len()).map_err(refused)?;
        self.sizes.try_reserve(spans.len()).map_err(refused)?;
        let fits = |(offset, size): &(i128, i128)| i64::try_from(offset + size).is_ok();
        if !spans.iter().all(fits) {
            return Ok(false);
        }
        self.owners.push(owner);
        self.offsets.extend(spans.iter().map(|(offset, _)| *offset as i64));
        self.sizes.extend(spans.iter().map(|(_, size)| *size as i64));
        Ok(true)
    }

    /// The views of two boxes that overlap, where one is of a destination.
    fn find_overlap(self) -> Result<Option<(usize, usize)>> {
        let (count, ndim) = (self.len(), self.digits);
        let (ndim, offsets, sizes) = if count == self.destinations {
            (ndim, self.offsets, self.sizes)
        } else {
            // Sources may overlap each other. In one dimension more, each is somewhere else, and
            // destinations are everywhere.
            let numbers = count.saturating_mul(ndim + 1);
            let mut offsets = try_with_capacity("boxes of views", numbers)?;
            let mut sizes = try_with_capacity("boxes of views", numbers)?;
            for at in 0..count {
                let row = at * ndim..(at + 1) * ndim;
                let is_source = at >= self.destinations;
                offsets.push(if is_source { at as i64 } else { 0 });
                sizes.push(if is_source { 1 } else { count as i64 });
                offsets.extend_from_slice(&self.offsets[row.clone()]);
                sizes.extend_from_slice(&self.sizes[row]);
            }
            (ndim + 1, offsets, sizes)
        };
        let nowhere = std::iter::repeat_n(Placement::on_rank(0)?, count);
        let shards = Shards::new(ndim, offsets, sizes, Placements::new(nowhere)?)?;
        match check_non_overlapping(&shards) {
            Ok(()) => Ok(None),
            Err(Error::Model(ModelError::Overlap { first, second, .. })) => {
                Ok(Some((self.owners[first], self.owners[second])))
            }
            Err(error) => Err(error),
        }
    }
}

/// Some of a view's units, of which the first digits are known.
#[derive(Clone, Copy)]
struct Part {
    /// How many digits are known.
    known: usize,
    /// The rest of the place, below the last of them.
    low: i128,
    run: i128,
    /// Longest first.
    steps: [Step; MAX_NDIM + 1],
    len: usize,
    /// Where each digit begins, and how many there are.
    spans: [(i128, i128); MAX_DIGITS],
}

impl Part {
    /// Those that are `offset` behind this, in steps of their own, of which each is longer than the
    /// next.
    fn with(&self, offset: i128, run: i128, outer: Option<Step>, inner: &[Step]) -> Option<Self> {
        let mut part = Self { low: self.low + offset, run, len: 0, ..*self };
        for step in outer.iter().chain(inner).filter(|step| step.count > 0) {
            *part.steps.get_mut(part.len)? = *step;
            part.len += 1;
        }
        Some(part)
    }

    fn steps(&self) -> &[Step] {
        &self.steps[..self.len]
    }
}

/// Writes views as boxes.
struct BoxWriter<'a> {
    strides: &'a [i128],
    open: Vec<Part>,
}

impl<'a> BoxWriter<'a> {
    fn new(strides: &'a [i128]) -> Self {
        Self { strides, open: Vec::new() }
    }

    /// Adds the boxes of a view; false where they would be too many, and none was added.
    fn write(
        &mut self, form: &Form<'_>, origin: i128, owner: usize, boxes: &mut DigitBoxes,
    ) -> Result<bool> {
        let mut spans = [(0, 0); MAX_DIGITS];
        if let Some(spans) = self.write_whole(form, origin, &mut spans) {
            return boxes.push(owner, spans);
        }
        let before = boxes.len();
        let none = Step { stride: 0, count: 0 };
        let empty = Part {
            known: 0,
            low: form.low - origin,
            run: 0,
            steps: [none; MAX_NDIM + 1],
            len: 0,
            spans: [(0, 0); MAX_DIGITS],
        };
        self.open.clear();
        let whole = empty.with(0, form.run, None, form.steps);
        let mut regular = self.add(whole)?;
        while let Some(part) = self.open.pop() {
            regular = regular
                && self.open.len() + boxes.len() - before < MAX_BOXES
                && self.divide(part, owner, boxes)?;
            if !regular {
                boxes.truncate(before);
                return Ok(false);
            }
        }
        Ok(regular)
    }

    /// The digits of a view that is one box, which most are.
    fn write_whole<'s>(
        &self, form: &Form<'_>, origin: i128, spans: &'s mut [(i128, i128); MAX_DIGITS],
    ) -> Option<&'s [(i128, i128)]> {
        let (mut low, mut steps) = (form.low - origin, form.steps);
        let mut reach = reach_of(steps) + form.run;
        for (&stride, span) in self.strides.iter().zip(spans.iter_mut()) {
            let mut count = 1;
            if let Some((own, rest)) = steps.split_first()
                && own.stride == stride
            {
                (count, reach, steps) = (own.count + 1, reach - own.reach(), rest);
            }
            *span = (low / stride, count);
            low %= stride;
            if low + reach > stride {
                return None;
            }
        }
        let units = self.strides.len();
        spans[units] = (low, form.run);
        steps.is_empty().then(|| &spans[..=units])
    }

    /// Adds a part to the open ones. False where there is none.
    fn add(&mut self, part: Option<Part>) -> Result<bool> {
        let Some(part) = part else {
            return Ok(false);
        };
        self.open.try_reserve(1).map_err(|_| out_of_memory())?;
        self.open.push(part);
        Ok(true)
    }

    /// Finds the next digits of a part, and adds it to the boxes, or what it has to be divided into to
    /// the open parts.
    fn divide(&mut self, mut part: Part, owner: usize, boxes: &mut DigitBoxes) -> Result<bool> {
        while let Some(&stride) = self.strides.get(part.known) {
            let (own, rest) = match part.steps().split_first() {
                Some((own, _)) if own.stride > stride => return self.divide_lone(&part),
                Some((own, rest)) if own.stride == stride => (own.count, rest),
                _ => (0, part.steps()),
            };
            let (digit, low) = (part.low / stride, part.low % stride);
            if low + reach_of(rest) + part.run > stride {
                return self.divide_row(&part, stride);
            }
            part.spans[part.known] = (digit, own + 1);
            part.known += 1;
            part.low = low;
            if own > 0 {
                part.steps.copy_within(1..part.len, 0);
                part.len -= 1;
            }
        }
        if part.len > 0 {
            return self.divide_lone(&part);
        }
        part.spans[part.known] = (part.low, part.run);
        boxes.push(owner, &part.spans[..=part.known])
    }

    /// Divides a part into one for each of its longest steps, whose stride is no digit.
    fn divide_lone(&mut self, part: &Part) -> Result<bool> {
        let Some((own, rest)) = part.steps().split_first() else {
            return Ok(false);
        };
        if own.count >= MAX_LONE_STEPS {
            return Ok(false);
        }
        for turn in 0..=own.count {
            if !self.add(part.with(turn * own.stride, part.run, None, rest))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Divides a part that goes on past the end of a row of `stride` units: what is in the row, what
    /// the end of the row cuts, whole rows, and what is left.
    fn divide_row(&mut self, part: &Part, stride: i128) -> Result<bool> {
        let (rows, rest) = match part.steps().split_first() {
            Some((own, rest)) if own.stride == stride => (Some(*own), rest),
            _ => (None, part.steps()),
        };
        let room = stride - part.low % stride;
        // One level is divided: its turns are `width` long and `step` apart.
        let (step, turns, inner, width) = match rest.split_first() {
            // A run is turns of one unit.
            None => (1, part.run, rest, 1),
            Some((own, inner)) => (own.stride, own.count + 1, inner, reach_of(inner) + part.run),
        };
        let is_run = rest.is_empty();
        // Some of the turns from one on, and whole rows of them.
        let some = |first: i128, count: i128, more_rows: i128| {
            let (run, own) = if is_run { (count, 0) } else { (part.run, count - 1) };
            let count = rows.map_or(0, |rows| rows.count) + more_rows;
            let outer = Step { stride, count };
            let mut levels = [Step { stride: step, count: own }; MAX_NDIM + 1];
            let end = inner.len() + 1;
            levels.get_mut(1..end)?.copy_from_slice(inner);
            part.with(first * step, run, Some(outer), levels.get(..end)?)
        };
        // Fewer than all: the last one goes on past the end.
        let mut first = ((room - width).div_euclid(step) + 1).max(0);
        if first > 0 && !self.add(some(0, first, 0))? {
            return Ok(false);
        }
        if first * step < room {
            if !self.add(some(first, 1, 0))? {
                return Ok(false);
            }
            first += 1;
        }
        let in_a_row = stride / step;
        let whole = if stride % step == 0 { (turns - first) / in_a_row } else { 0 };
        if whole > 0 {
            if !self.add(some(first, in_a_row, whole - 1))? {
                return Ok(false);
            }
            first += whole * in_a_row;
        }
        Ok(first == turns || self.add(some(first, turns - first, 0))?)
    }
}
