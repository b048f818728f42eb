//! Loop nests: a strided copy in its simplest form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "counts and steps lie within two buffers whose ends fit an i64; a nest has no more loops \
              than room"
)]

use crate::core::MAX_NDIM;

/// The most loops of a nest: a dimension has one over its blocks and one over their indices.
pub const MAX_LOOPS: usize = 2 * MAX_NDIM;

/// One level of a nest of loops: how often, and how far each side steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loop {
    /// How many turns; at least 2 where it is one of a nest.
    pub count: i64,
    /// From one turn to the next in the source.
    pub source_step: i64,
    /// From one turn to the next in the destination.
    pub destination_step: i64,
}

impl Loop {
    /// A single turn.
    pub const ONCE: Self = Self { count: 1, source_step: 0, destination_step: 0 };

    /// What `count` turns reach, on both sides.
    fn reach(&self) -> [i64; 2] {
        [self.count * self.source_step, self.count * self.destination_step]
    }
}

/// A strided copy: `run` neighbouring units for each turn of a nest of loops. Units are bytes, or bits
/// where elements are packed.
///
/// It is filled with a loop for each dimension, in any order, and then simplified: loops go forward in
/// the destination, the largest step is outermost, loops that continue each other are one, and a loop
/// that is contiguous on both sides is part of the run. A nest is large; one serves many copies.
#[derive(Debug, Clone)]
pub struct LoopNest {
    source_start: i64,
    destination_start: i64,
    run: i64,
    room: [Loop; MAX_LOOPS],
    depth: usize,
}

impl LoopNest {
    /// A copy of nothing; [`LoopNest::start`] begins one.
    pub const EMPTY: Self = Self {
        source_start: 0,
        destination_start: 0,
        run: 0,
        room: [Loop::ONCE; MAX_LOOPS],
        depth: 0,
    };

    /// Begins a copy of `run` neighbouring units, without loops.
    pub fn start(&mut self, source_start: i64, destination_start: i64, run: i64) {
        (self.source_start, self.destination_start, self.run) =
            (source_start, destination_start, run);
        self.depth = 0;
    }

    /// Repeats the copy: `count` turns of such steps. It belongs where its destination step is among
    /// those of the other loops.
    pub fn repeat(&mut self, count: i64, source_step: i64, destination_step: i64) {
        if count == 1 {
            return;
        }
        let mut level = Loop { count, source_step, destination_step };
        if destination_step < 0 {
            self.source_start += (count - 1) * source_step;
            self.destination_start += (count - 1) * destination_step;
            level = Loop { count, source_step: -source_step, destination_step: -destination_step };
        }
        // They are few, and many copies small: to sort them in the end would take longer.
        let mut place = self.depth;
        while place > 0 && self.room[place - 1].destination_step < level.destination_step {
            self.room[place] = self.room[place - 1];
            place -= 1;
        }
        self.room[place] = level;
        self.depth += 1;
    }

    /// Makes as few loops of them as the same copy needs.
    pub fn simplify(&mut self) {
        let Some(last) = self.depth.checked_sub(1) else {
            return;
        };
        // Makes one loop of two where the inner one's end is the outer one's next turn on both sides.
        let mut kept = 0;
        for at in 1..=last {
            let (outer, inner) = (self.room[kept], self.room[at]);
            if [outer.source_step, outer.destination_step] == inner.reach() {
                self.room[kept] = Loop { count: outer.count * inner.count, ..inner };
            } else {
                kept += 1;
                self.room[kept] = inner;
            }
        }
        let innermost = self.room[kept];
        let contiguous = [innermost.source_step, innermost.destination_step] == [self.run; 2];
        if contiguous {
            self.run *= innermost.count;
        }
        self.depth = if contiguous { kept } else { kept + 1 };
    }

    /// Counts in units that are `by` times as large, if start, run and steps allow it.
    pub fn coarsen(&mut self, by: i64) -> bool {
        let starts = [self.source_start, self.destination_start, self.run];
        let steps =
            self.loops().iter().flat_map(|level| [level.source_step, level.destination_step]);
        if !starts.into_iter().chain(steps).all(|number| number % by == 0) {
            return false;
        }
        self.source_start /= by;
        self.destination_start /= by;
        self.run /= by;
        for level in &mut self.room[..self.depth] {
            level.source_step /= by;
            level.destination_step /= by;
        }
        true
    }

    /// Where the copy starts in the source.
    pub fn source_start(&self) -> i64 {
        self.source_start
    }

    /// Where the copy starts in the destination.
    pub fn destination_start(&self) -> i64 {
        self.destination_start
    }

    /// How many units are contiguous on both sides.
    pub fn run(&self) -> i64 {
        self.run
    }

    /// The loops, outermost first.
    pub fn loops(&self) -> &[Loop] {
        &self.room[..self.depth]
    }

    /// How many runs there are.
    pub fn runs(&self) -> i64 {
        self.loops().iter().map(|level| level.count).product()
    }

    /// How far turn `turn` of some outer loops of a nest is from its start, in source and destination.
    /// Turns are counted from 0, the innermost loop first.
    pub fn offset_of(loops: &[Loop], mut turn: i64) -> [i64; 2] {
        let mut offsets = [0, 0];
        for level in loops.iter().rev() {
            let own = turn % level.count;
            turn /= level.count;
            offsets[0] += own * level.source_step;
            offsets[1] += own * level.destination_step;
        }
        offsets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The nest of a copy between two arrays of these steps.
    fn nest(sizes: &[i64], steps: [&[i64]; 2], unit: i64) -> LoopNest {
        let mut nest = LoopNest::EMPTY;
        nest.start(0, 0, unit);
        for (dim, &size) in sizes.iter().enumerate() {
            nest.repeat(size, steps[0][dim] * unit, steps[1][dim] * unit);
        }
        nest.simplify();
        nest
    }

    /// All pairs of units that a nest copies.
    fn pairs(nest: &LoopNest) -> Vec<[i64; 2]> {
        let mut pairs = Vec::new();
        for turn in 0..nest.runs() {
            let [source, destination] = LoopNest::offset_of(nest.loops(), turn);
            for at in 0..nest.run() {
                let source = nest.source_start() + source + at;
                pairs.push([source, nest.destination_start() + destination + at]);
            }
        }
        pairs
    }

    #[test]
    fn loops_that_continue_each_other_are_one_run() {
        let dense = [30, 6, 1];
        assert_eq!(nest(&[4, 5, 6], [&dense, &dense], 4).run(), 480);
        let columns = nest(&[4, 5, 6], [&[300, 60, 1], &dense], 4);
        assert_eq!(columns.run(), 24);
        let rows = Loop { count: 20, source_step: 240, destination_step: 24 };
        assert_eq!(columns.loops(), [rows]);
        let backwards = nest(&[4, 5], [&[-5, -1], &[-5, -1]], 1);
        assert_eq!((backwards.run(), backwards.source_start()), (20, -19));
    }

    #[test]
    fn a_simplified_nest_copies_the_same_units() {
        let mut state = 7u64;
        let mut below = |limit: i64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % limit as u64) as i64
        };
        for _ in 0..2000 {
            let ndim = below(4) as usize + 1;
            let sizes: Vec<i64> = (0..ndim).map(|_| below(4) + 1).collect();
            let mut steps = || -> Vec<i64> {
                // Dense in some order of the dimensions, some with room between, some backwards.
                let mut order: Vec<usize> = (0..ndim).collect();
                order.sort_by_key(|_| below(100));
                let (mut steps, mut step) = (vec![0; ndim], 1 + below(2));
                for dim in order {
                    steps[dim] = if below(4) == 0 { -step } else { step };
                    step = step * sizes[dim] + below(2) * below(3);
                }
                steps
            };
            let (source, destination) = (steps(), steps());
            let unit = below(3) + 1;
            let mut expected = Vec::new();
            let turns: i64 = sizes.iter().product();
            for mut turn in 0..turns {
                let mut places = [0, 0];
                for dim in (0..ndim).rev() {
                    places[0] += turn % sizes[dim] * source[dim] * unit;
                    places[1] += turn % sizes[dim] * destination[dim] * unit;
                    turn /= sizes[dim];
                }
                expected.extend((0..unit).map(|at| [places[0] + at, places[1] + at]));
            }
            let nest = nest(&sizes, [&source, &destination], unit);
            let mut found = pairs(&nest);
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn bits_are_counted_as_bytes_where_all_is_whole_bytes() {
        let mut whole = nest(&[6, 4], [&[8, 1], &[4, 1]], 4);
        assert!(whole.coarsen(8));
        assert_eq!(whole.run(), 2);
        assert_eq!(whole.loops(), [Loop { count: 6, source_step: 4, destination_step: 2 }]);
        let mut half = nest(&[6, 3], [&[8, 1], &[3, 1]], 4);
        assert!(!half.coarsen(8));
        assert_eq!(half.run(), 12);
    }
}
