//! The places that a view's elements take, as a set: a run of units, repeated in steps.

use crate::error::try_with_capacity;
use crate::geometry::MAX_NDIM;
use crate::model::{Error, Result};
use crate::transfer::view_ref::ViewRef;

#[cfg(test)]
mod tests;

/// One level of repetition: `count` steps forward of `stride` units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) stride: i128,
    pub(super) count: i128,
}

impl Step {
    const NONE: Self = Self { stride: 0, count: 0 };

    /// How far all steps reach.
    pub(super) fn reach(&self) -> i128 {
        self.stride * self.count
    }
}

/// How far all steps reach from the first unit of what they repeat.
pub(super) fn reach_of(steps: &[Step]) -> i128 {
    steps.iter().map(Step::reach).sum()
}

/// The units `low + n * stride + m * other stride + ... + 0..run`.
///
/// The longest stride is first. Where units are said once, no two strides are alike, and all are
/// longer than the run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) low: i128,
    pub(super) run: i128,
    pub(super) steps: &'a [Step],
}

impl Form<'_> {
    /// Behind the last unit.
    pub(super) fn end(&self) -> i128 {
        self.low + reach_of(self.steps) + self.run
    }

    /// Whether there may be a unit of both.
    pub(super) fn meets(&self, other: &Form<'_>) -> bool {
        self.low < other.end() && other.low < self.end()
    }

    /// How many runs there are.
    pub(super) fn runs(&self) -> u64 {
        self.steps.iter().fold(1u64, |runs, step| {
            let turns = u64::try_from(step.count.saturating_add(1)).unwrap_or(u64::MAX);
            runs.saturating_mul(turns)
        })
    }
}

/// The dimensions of a view in which it takes steps, all forward from its lowest element.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub(super) low: i128,
    pub(super) width: i128,
    room: [Step; MAX_NDIM],
    len: usize,
}

impl Raw {
    pub(super) fn of(view: ViewRef<'_>) -> Self {
        let (mut low, mut room, mut len) = (view.place(), [Step::NONE; MAX_NDIM], 0);
        for (&size, &stride) in view.shape.iter().zip(view.strides) {
            let (stride, count) = (i128::from(stride), i128::from(size) - 1);
            low += (stride * count).min(0);
            if count > 0 {
                room[len] = Step { stride: stride.abs(), count };
                len += 1;
            }
        }
        Self { low, width: view.width as i128, room, len }
    }

    /// The same in smaller units, of which each of these has so many.
    pub(super) fn in_parts(mut self, parts: i128) -> Self {
        (self.low, self.width) = (self.low * parts, self.width * parts);
        self.room.iter_mut().for_each(|step| step.stride *= parts);
        self
    }

    /// Shortest first.
    pub(super) fn sorted(&mut self) -> &[Step] {
        let steps = &mut self.room[..self.len];
        steps.sort_unstable_by_key(|step| step.stride);
        steps
    }

    /// As few levels as the same units need: the run, and the steps, longest first.
    fn simplified(&mut self, keep: Keep) -> (i128, &[Step]) {
        self.sorted();
        let fits = |distance: i128, end: i128| match keep {
            Keep::Once => distance <= end,
            Keep::Twice => distance == end,
        };
        let (mut run, mut kept) = (self.width, 0usize);
        for at in 0..self.len {
            let step = self.room[at];
            let Some(below) = kept.checked_sub(1).map(|below| self.room[below]) else {
                // Each begins before the one before it ends, or there.
                if fits(step.stride, run) {
                    run += step.reach();
                } else {
                    self.room[kept] = step;
                    kept += 1;
                }
                continue;
            };
            if below.stride > 0
                && step.stride % below.stride == 0
                && fits(step.stride / below.stride, below.count + 1)
            {
                self.room[kept - 1].count += step.stride / below.stride * step.count;
                continue;
            }
            self.room[kept] = step;
            kept += 1;
        }
        self.room[..kept].reverse();
        (run, &self.room[..kept])
    }
}

/// How a form counts a unit that a view has more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// That it is there.
    Once,
    /// How often it is there.
    Twice,
}

/// The forms of several views.
#[derive(Debug)]
pub(super) struct Forms {
    /// Where each one's steps end.
    forms: Vec<(i128, i128, usize)>,
    steps: Vec<Step>,
}

impl Forms {
    pub(super) fn with_capacity(count: usize) -> Result<Self> {
        Ok(Self { forms: try_with_capacity("views", count)?, steps: Vec::new() })
    }

    /// Adds the form of a view.
    pub(super) fn push(&mut self, mut raw: Raw, keep: Keep) -> Result<()> {
        let low = raw.low;
        let (run, steps) = raw.simplified(keep);
        self.push_form(&Form { low, run, steps })
    }

    pub(super) fn push_form(&mut self, form: &Form<'_>) -> Result<()> {
        let bytes = size_of_val(form.steps);
        let refused = |_| Error::OutOfMemory { what: "views", bytes };
        self.steps.try_reserve(form.steps.len()).map_err(refused)?;
        self.forms.try_reserve(1).map_err(refused)?;
        self.steps.extend_from_slice(form.steps);
        self.forms.push((form.low, form.run, self.steps.len()));
        Ok(())
    }

    pub(super) fn len(&self) -> usize {
        self.forms.len()
    }

    pub(super) fn get(&self, number: usize) -> Form<'_> {
        let start = number.checked_sub(1).map_or(0, |before| self.forms[before].2);
        let (low, run, end) = self.forms[number];
        Form { low, run, steps: &self.steps[start..end] }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Form<'_>> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// The steps of all.
    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }
}
