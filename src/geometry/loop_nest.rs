//! Loop nests: a strided copy in its simplest form.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "counts and steps lie within two buffers whose ends fit an i64; loops are looked for among \
              those that there are"
)]

use crate::memory::{Memory, TryVec};

/// One level of a nest of loops: how often, and how far each side steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loop {
    /// How many turns.
    pub count: usize,
    /// From one turn to the next in the source.
    pub source_step: isize,
    /// From one turn to the next in the destination.
    pub destination_step: isize,
}

impl Loop {
    /// A single turn.
    pub const ONCE: Self = Self { count: 1, source_step: 0, destination_step: 0 };

    /// Whether the turns of this loop are those of `inner`, gone on with.
    fn continues(&self, inner: &Self) -> bool {
        let turns = inner.count as isize;
        self.source_step == inner.source_step * turns
            && self.destination_step == inner.destination_step * turns
    }
}

/// A strided copy: `run` neighbouring units for each turn of a nest of loops. Units are bytes, or bits
/// where elements are packed.
///
/// It is given a loop for each dimension, in any order, and then simplified: loops go forward in the
/// destination, the largest step is outermost, loops that continue each other are one, and a loop that
/// is contiguous on both sides is part of the run. The loops stand at the end of a list that may hold
/// those of other nests before them.
#[derive(Debug)]
pub struct LoopNest<'a> {
    starts: [isize; 2],
    run: usize,
    list: &'a mut Vec<Loop>,
    first: usize,
}

impl<'a> LoopNest<'a> {
    /// A copy of `run` neighbouring units, without loops. `starts` are those in source and destination;
    /// loops will stand behind those in `list`.
    pub fn new(list: &'a mut Vec<Loop>, starts: [isize; 2], run: usize) -> Self {
        let first = list.len();
        Self { starts, run, list, first }
    }

    /// Repeats the copy: `count` turns of such steps. It belongs where its destination step is among
    /// those of the other loops.
    #[inline]
    pub fn repeat(
        &mut self, count: usize, source_step: isize, destination_step: isize,
    ) -> Memory<()> {
        if count == 1 {
            return Ok(());
        }
        // Mostly the innermost dimension comes first, and then there may be no loop at all.
        if self.loops().is_empty() && [source_step, destination_step] == [self.run as isize; 2] {
            self.run *= count;
            return Ok(());
        }
        let mut level = Loop { count, source_step, destination_step };
        if destination_step < 0 {
            let last = count as isize - 1;
            self.starts[0] += last * source_step;
            self.starts[1] += last * destination_step;
            level = Loop { count, source_step: -source_step, destination_step: -destination_step };
        }
        self.list.try_push(level)?;
        // They are few, and many copies small: to sort them in the end would take longer.
        let loops = &mut self.list[self.first..];
        let mut place = loops.len() - 1;
        while place > 0 && loops[place - 1].destination_step < level.destination_step {
            loops[place] = loops[place - 1];
            place -= 1;
        }
        loops[place] = level;
        Ok(())
    }

    /// Moves the whole copy on by so much in source and destination.
    pub fn advance(&mut self, [source, destination]: [isize; 2]) {
        self.starts = [self.starts[0] + source, self.starts[1] + destination];
    }

    /// Makes as few loops of them as the same copy needs.
    pub fn simplify(&mut self) {
        let loops = &mut self.list[self.first..];
        if loops.is_empty() {
            return;
        }
        let mut kept = 0;
        for at in 1..loops.len() {
            let (outer, inner) = (loops[kept], loops[at]);
            if outer.continues(&inner) {
                loops[kept] = Loop { count: outer.count * inner.count, ..inner };
            } else {
                kept += 1;
                loops[kept] = inner;
            }
        }
        let innermost = loops[kept];
        let is_contiguous =
            [innermost.source_step, innermost.destination_step] == [self.run as isize; 2];
        if is_contiguous {
            self.run *= innermost.count;
        }
        self.list.truncate(self.first + kept + usize::from(!is_contiguous));
    }

    /// Counts in units that are `by` times as large, if starts, run and steps allow it.
    pub fn coarsen(&mut self, by: usize) -> bool {
        let unit = by as isize;
        let own = self.starts.into_iter().chain([self.run as isize]);
        let steps =
            self.loops().iter().flat_map(|level| [level.source_step, level.destination_step]);
        if !own.chain(steps).all(|number| number % unit == 0) {
            return false;
        }
        self.starts = self.starts.map(|start| start / unit);
        self.run /= by;
        for level in &mut self.list[self.first..] {
            level.source_step /= unit;
            level.destination_step /= unit;
        }
        true
    }

    /// Makes the run as long as the next multiple of `of`: the copy's caller knows that there is room on
    /// both sides.
    pub fn lengthen_run(&mut self, of: usize) {
        self.run = self.run.next_multiple_of(of);
    }

    /// Where the copy starts in the source and in the destination.
    pub fn starts(&self) -> [isize; 2] {
        self.starts
    }

    /// How many units are contiguous on both sides.
    pub fn run(&self) -> usize {
        self.run
    }

    /// The loops, outermost first.
    pub fn loops(&self) -> &[Loop] {
        &self.list[self.first..]
    }
}

/// How many turns nested loops have.
pub fn turns(loops: &[Loop]) -> usize {
    loops.iter().map(|level| level.count).product()
}

/// How far turn `turn` of nested loops is from their start, in source and destination. Turns are
/// counted from 0, those of the innermost loop first.
#[inline]
pub fn offsets_of_turn(loops: &[Loop], mut turn: usize) -> (isize, isize) {
    let (mut source, mut destination) = (0, 0);
    let mut go = |level: &Loop, at: usize| {
        source += at as isize * level.source_step;
        destination += at as isize * level.destination_step;
    };
    if let Some((outermost, inner)) = loops.split_first() {
        for level in inner.iter().rev() {
            go(level, turn % level.count);
            turn /= level.count;
        }
        go(outermost, turn);
    }
    (source, destination)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy: where it starts, what is contiguous, and its loops.
    type Simplified = ([isize; 2], usize, Vec<Loop>);

    /// The nest of a copy between two arrays of these steps.
    fn nest(sizes: &[usize], steps: [&[isize]; 2], unit: usize, by: usize) -> Option<Simplified> {
        // Another nest's, which stays as it is.
        let mut list = vec![Loop::ONCE];
        let mut nest = LoopNest::new(&mut list, [0, 0], unit);
        for (dim, &size) in sizes.iter().enumerate() {
            let [source, destination] = steps.map(|steps| steps[dim] * unit as isize);
            nest.repeat(size, source, destination).unwrap();
        }
        nest.simplify();
        let coarsened = nest.coarsen(by);
        let simplified = (nest.starts(), nest.run(), nest.loops().to_vec());
        assert_eq!(list[0], Loop::ONCE);
        coarsened.then_some(simplified)
    }

    /// All pairs of units that a nest copies.
    fn pairs((starts, run, loops): &Simplified) -> Vec<[isize; 2]> {
        let mut pairs = Vec::new();
        for turn in 0..turns(loops) {
            let (source, destination) = offsets_of_turn(loops, turn);
            let first = [starts[0] + source, starts[1] + destination];
            pairs.extend((0..*run as isize).map(|at| first.map(|first| first + at)));
        }
        pairs
    }

    #[test]
    fn loops_that_continue_each_other_are_one_run() {
        let dense = [30, 6, 1];
        assert_eq!(nest(&[4, 5, 6], [&dense, &dense], 4, 1).unwrap().1, 480);
        let rows = Loop { count: 20, source_step: 240, destination_step: 24 };
        let columns = nest(&[4, 5, 6], [&[300, 60, 1], &dense], 4, 1);
        assert_eq!(columns, Some(([0, 0], 24, vec![rows])));
        let backwards = nest(&[4, 5], [&[-5, -1], &[-5, -1]], 1, 1);
        assert_eq!(backwards, Some(([-19, -19], 20, vec![])));
    }

    #[test]
    fn a_simplified_nest_copies_the_same_units() {
        let mut state = 7u64;
        let mut below = |limit: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % limit) as isize
        };
        for _ in 0..2000 {
            let ndim = below(4) as usize + 1;
            let sizes: Vec<usize> = (0..ndim).map(|_| below(4) as usize + 1).collect();
            let mut steps = || -> Vec<isize> {
                // Dense in some order of the dimensions, some with room between, some backwards.
                let mut order: Vec<usize> = (0..ndim).collect();
                order.sort_by_cached_key(|_| below(100));
                let (mut steps, mut step) = (vec![0; ndim], 1 + below(2));
                for dim in order {
                    steps[dim] = if below(4) == 0 { -step } else { step };
                    step = step * sizes[dim] as isize + below(2) * below(3);
                }
                steps
            };
            let (source, destination) = (steps(), steps());
            let unit = below(3) as usize + 1;
            let mut expected = Vec::new();
            for mut turn in 0..sizes.iter().product() {
                let mut places = [0, 0];
                for dim in (0..ndim).rev() {
                    let own = (turn % sizes[dim] * unit) as isize;
                    places[0] += own * source[dim];
                    places[1] += own * destination[dim];
                    turn /= sizes[dim];
                }
                expected.extend((0..unit as isize).map(|at| places.map(|place| place + at)));
            }
            let mut found = pairs(&nest(&sizes, [&source, &destination], unit, 1).unwrap());
            expected.sort_unstable();
            found.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn bits_are_counted_as_bytes_where_all_is_whole_bytes() {
        let rows = Loop { count: 6, source_step: 4, destination_step: 2 };
        let whole = nest(&[6, 4], [&[8, 1], &[4, 1]], 4, 8);
        assert_eq!(whole, Some(([0, 0], 2, vec![rows])));
        assert_eq!(nest(&[6, 3], [&[8, 1], &[3, 1]], 4, 8), None);
    }
}
