//! Looking at all runs of some views, in the order of their places.
//!
//! It answers whatever the strides are, and takes as long as it takes to sort the runs, which is
//! about what it takes to copy them one by one. So it is for what nothing faster could answer.

use super::form::{Form, Forms, Step, reach_of};
use crate::model::{Error, Result};

#[cfg(test)]
mod tests;

/// Runs that are compared together.
const RUNS_AT_ONCE: usize = 1 << 20;
/// Steps that are always allowed.
const MIN_STEPS: u64 = 1 << 26;
/// Steps that are allowed for each run of a destination, in which they are as good as the copy.
const STEPS_OF_RUN: u64 = 256;

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No unit is shared.
    Nothing,
    /// These two views have a unit in common, or that one has a unit twice.
    Shared(usize, usize),
    /// It would take longer than the copy.
    TooMuch,
}

/// Looks for a unit that two of the views have in common, or one has twice, of which one is a
/// destination. These are the first ones.
pub(super) fn find_shared(forms: &Forms, destinations: usize) -> Result<Found> {
    let runs = (0..destinations).map(|number| forms.get(number).runs());
    let runs = runs.fold(0u64, u64::saturating_add);
    let steps = runs.saturating_mul(STEPS_OF_RUN).saturating_add(MIN_STEPS);
    find_in(forms, destinations, RUNS_AT_ONCE, steps)
}

/// As [`find_shared`], with so many runs at once, two or more, and so many steps at most.
pub(super) fn find_in(
    forms: &Forms, destinations: usize, at_once: usize, steps: u64,
) -> Result<Found> {
    let low = forms.iter().map(|form| form.low).min().unwrap_or(0);
    let end = forms.iter().map(|form| form.end()).max().unwrap_or(0);
    let mut scan = Scan { runs: Vec::new(), at_once, steps };
    let (mut from, mut width) = (low, end - low);
    while from < end {
        let collected = scan.collect(forms, from, from + width)?;
        match collected {
            Collected::All => {
                if let Some((first, second)) = scan.find_shared(destinations) {
                    return Ok(Found::Shared(first, second));
                }
                from += width;
                // As much as that may be in what is next; but where runs are rare, more.
                width = if scan.runs.len() < at_once / 2 { width * 2 } else { width };
            }
            // At a single unit those that were found will do: destinations come first.
            Collected::Many if width == 1 => {
                if let Some((first, second)) = scan.find_shared(destinations) {
                    return Ok(Found::Shared(first, second));
                }
                from += 1;
            }
            Collected::Many => width = (width / 2).max(1),
            Collected::TooMuch => return Ok(Found::TooMuch),
        }
    }
    Ok(Found::Nothing)
}

/// How collecting ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Collected {
    All,
    /// There are more runs than are compared together.
    Many,
    TooMuch,
}

/// A part of a view's run.
#[derive(Clone, Copy)]
struct UnitRun {
    start: i128,
    end: i128,
    view: usize,
}

struct Scan {
    runs: Vec<UnitRun>,
    at_once: usize,
    /// How many more are allowed.
    steps: u64,
}

impl Scan {
    /// Collects the runs between `from` and `to`.
    fn collect(&mut self, forms: &Forms, from: i128, to: i128) -> Result<Collected> {
        self.runs.clear();
        for (view, form) in forms.iter().enumerate() {
            let ended = self.walk(view, &form, form.low, form.steps, (from, to))?;
            if ended != Collected::All {
                return Ok(ended);
            }
        }
        Ok(Collected::All)
    }

    /// Collects those runs of a view that are reached from `low` with these steps.
    fn walk(
        &mut self, view: usize, form: &Form<'_>, low: i128, steps: &[Step],
        (from, to): (i128, i128),
    ) -> Result<Collected> {
        let Some(left) = self.steps.checked_sub(1) else {
            return Ok(Collected::TooMuch);
        };
        self.steps = left;
        let Some((own, inner)) = steps.split_first() else {
            let (start, end) = (low.max(from), (low + form.run).min(to));
            if start >= end {
                return Ok(Collected::All);
            }
            if self.runs.len() == self.at_once {
                return Ok(Collected::Many);
            }
            let bytes = size_of::<UnitRun>();
            let refused = |_| Error::OutOfMemory { what: "runs of views", bytes };
            self.runs.try_reserve(1).map_err(refused)?;
            self.runs.push(UnitRun { start, end, view });
            return Ok(Collected::All);
        };
        // Turns that end behind `from` and begin before `to`.
        let reach = reach_of(inner) + form.run;
        let first = (from - reach - low).div_euclid(own.stride) + 1;
        let last = (to - 1 - low).div_euclid(own.stride);
        for turn in first.max(0)..=last.min(own.count) {
            let ended = self.walk(view, form, low + turn * own.stride, inner, (from, to))?;
            if ended != Collected::All {
                return Ok(ended);
            }
        }
        Ok(Collected::All)
    }

    /// Two views, or twice the same, whose collected runs share a unit.
    fn find_shared(&mut self, destinations: usize) -> Option<(usize, usize)> {
        self.runs.sort_unstable_by_key(|run| run.start);
        first_shared(self.runs.iter().map(|run| (run.start, run.end, run.view < destinations)))
            .map(|(first, second)| (self.runs[first].view, self.runs[second].view))
    }
}

/// Where the run ends that ends last, and its number.
type Last = Option<(i128, usize)>;

/// Of runs in the order of their starts, each with its end and whether it is a destination's, two
/// that share a unit and of which one is a destination's.
pub(super) fn first_shared(
    runs: impl Iterator<Item = (i128, i128, bool)>,
) -> Option<(usize, usize)> {
    // Of all runs so far, and of destinations alone, the one that ends last.
    let (mut any, mut written): (Last, Last) = (None, None);
    for (number, (start, end, is_destination)) in runs.enumerate() {
        let before = if is_destination { any } else { written };
        if let Some((furthest, other)) = before
            && furthest > start
        {
            return Some((other, number));
        }
        let further = |before: Last| before.is_none_or(|(last, _)| last < end);
        if further(any) {
            any = Some((end, number));
        }
        if is_destination && further(written) {
            written = Some((end, number));
        }
    }
    None
}
