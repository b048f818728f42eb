//! Do two views, or two elements of one, share a unit?
//!
//! That is a bounded linear Diophantine problem: is there a number of steps for each level, so that
//! all together end in a range? With as many levels as one likes it is NP-hard, so the search is
//! given up after some steps. Strides that nest, that is those of any array that a runtime makes,
//! need a few dozen.

use super::form::{Form, Raw, Step, reach_of};
use crate::geometry::MAX_NDIM;

#[cfg(test)]
pub(super) mod tests;

/// Steps after which one search is given up.
const MAX_STEPS_OF_SEARCH: u64 = 1 << 14;

/// How many steps the searches of a call may still take.
#[derive(Debug)]
pub(super) struct Patience {
    all: u64,
    search: u64,
}

impl Patience {
    pub(super) fn new(steps: u64) -> Self {
        Self { all: steps, search: 0 }
    }

    /// How many steps are left.
    pub(super) fn left(&self) -> u64 {
        self.all
    }

    fn begin_search(&mut self) {
        self.search = MAX_STEPS_OF_SEARCH;
    }

    fn take(&mut self) -> Option<()> {
        self.all = self.all.checked_sub(1)?;
        self.search = self.search.checked_sub(1)?;
        Some(())
    }
}

/// Whether a view has a unit twice; `None` where that would take too long to find out.
pub(super) fn overlaps_itself(raw: &mut Raw, patience: &mut Patience) -> Option<bool> {
    let width = raw.width;
    let steps = raw.sorted();
    let mut reach = width;
    let nested = steps.iter().all(|step| {
        let clear = step.stride >= reach;
        reach += step.reach();
        clear
    });
    if nested {
        return Some(false);
    }
    let reach = width + reach_of(steps);
    let units = steps.iter().try_fold(width, |units, step| units.checked_mul(step.count + 1));
    if units.is_none_or(|units| units >= reach) || steps.iter().any(|step| step.stride == 0) {
        // More than there is room for, or no step at all. Only nested steps fill all of the room.
        return Some(true);
    }
    let mut unknown = false;
    // Two elements differ by z steps in each dimension. Take the first dimension in which they
    // differ; there z is at least 1 (else swap them), and in those after it anything.
    for (first, lead) in steps.iter().enumerate() {
        let mut sum = Sum::new(1 - width - lead.stride, width - 1 - lead.stride);
        sum.push(Step { count: lead.count - 1, ..*lead });
        for step in &steps[first + 1..] {
            sum.shift(step.reach());
            sum.push(Step { count: 2 * step.count, ..*step });
        }
        match sum.is_possible(patience) {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

/// Whether two views have a unit in common; `None` where that would take too long to find out.
pub(super) fn share_units(a: &Form<'_>, b: &Form<'_>, patience: &mut Patience) -> Option<bool> {
    if !a.meets(b) {
        return Some(false);
    }
    // Runs start at a.low + x and at b.low + y; with y' counted down from b's last, x + y' is a sum
    // of forward steps, and the two runs meet where it is near the distance to that last.
    let distance = b.end() - b.run - a.low;
    let mut sum = Sum::new(distance - (a.run - 1), distance + (b.run - 1));
    for step in a.steps.iter().chain(b.steps) {
        sum.push(*step);
    }
    sum.is_possible(patience)
}

/// The most levels of two views.
const MAX_STEPS: usize = 2 * MAX_NDIM;

/// The question whether some number of steps, up to `count` of each, adds up to something from `low`
/// to `high`.
struct Sum {
    low: i128,
    high: i128,
    steps: [Step; MAX_STEPS],
    len: usize,
}

impl Sum {
    fn new(low: i128, high: i128) -> Self {
        Self { low, high, steps: [Step { stride: 0, count: 0 }; MAX_STEPS], len: 0 }
    }

    fn shift(&mut self, by: i128) {
        (self.low, self.high) = (self.low + by, self.high + by);
    }

    fn push(&mut self, step: Step) {
        // Steps that lead nowhere, or that are none, add nothing.
        if step.reach() > 0 {
            self.steps[self.len] = step;
            self.len += 1;
        }
    }

    fn is_possible(&mut self, patience: &mut Patience) -> Option<bool> {
        patience.begin_search();
        let steps = &mut self.steps[..self.len];
        steps.sort_unstable_by_key(|step| std::cmp::Reverse(step.stride));
        let mut kept = 0;
        for at in 1..steps.len() {
            if steps[at].stride == steps[kept].stride {
                steps[kept].count += steps[at].count;
            } else {
                kept += 1;
                steps[kept] = steps[at];
            }
        }
        let steps = &steps[..(kept + 1).min(self.len)];
        let mut rest = [Rest { reach: 0, divisor: 0 }; MAX_STEPS + 1];
        for (at, step) in steps.iter().enumerate().rev() {
            let below = rest[at + 1];
            let (reach, divisor) = (below.reach + step.reach(), gcd(step.stride, below.divisor));
            rest[at] = Rest { reach, divisor };
        }
        search(steps, &rest, self.low, self.high, patience)
    }
}

/// The most that the steps from one on can add.
#[derive(Clone, Copy)]
struct Rest {
    reach: i128,
    /// It is a multiple of this.
    divisor: i128,
}

fn gcd(mut a: i128, mut b: i128) -> i128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn search(
    steps: &[Step], rest: &[Rest], low: i128, high: i128, patience: &mut Patience,
) -> Option<bool> {
    let Rest { reach, divisor } = rest[0];
    if high < 0 || low > reach {
        return Some(false);
    }
    // Everything from 0 on up to `reach` may not be possible, but 0 and `reach` are.
    if low <= 0 || high >= reach {
        return Some(true);
    }
    // Here 0 < low <= high < reach, so there is a step.
    if high - high % divisor < low {
        return Some(false);
    }
    let (step, below) = steps.split_first()?;
    let fewest = ((low - rest[1].reach).max(0) + step.stride - 1) / step.stride;
    let most = (high / step.stride).min(step.count);
    let mut turns = fewest;
    while turns <= most {
        patience.take()?;
        let taken = turns * step.stride;
        if search(below, &rest[1..], low - taken, high - taken, patience)? {
            return Some(true);
        }
        turns += 1;
    }
    Some(false)
}
