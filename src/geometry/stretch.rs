//! Stretches: blocks of neighbouring indices at equal steps, in the tensor and in the shard.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "both ends of a stretch fit an i64, as `Stretch::new` checks"
)]

use super::blocks::{BlockTrain, Common};

/// `count` blocks of `length` neighbouring indices. The first starts at `global_start` in the tensor
/// and at `local_start` in the shard; each next one `global_step` and `local_step` further.
///
/// An interval is a stretch of one block. A stretch has one form only: steps of a single block are
/// its length, and blocks without anything between them on either side are one block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stretch {
    global_start: i64,
    local_start: i64,
    length: i64,
    count: i64,
    global_step: i64,
    local_step: i64,
}

/// Where an index is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MapSide {
    /// In the tensor.
    Global,
    /// In the shard's buffer.
    Local,
}

impl MapSide {
    fn other(self) -> Self {
        match self {
            Self::Global => Self::Local,
            Self::Local => Self::Global,
        }
    }
}

impl Stretch {
    /// One block.
    pub fn interval(global_start: i64, local_start: i64, length: i64) -> Option<Self> {
        Self::new([global_start, local_start], length, 1, [length, length])
    }

    /// Blocks at equal steps; `starts` and `steps` are those in the tensor and those in the shard.
    /// `None` where a start is negative, there is no block, blocks meet on one side, or an end is
    /// past the largest index.
    pub fn new(starts: [i64; 2], length: i64, count: i64, steps: [i64; 2]) -> Option<Self> {
        let [global_start, local_start] = starts;
        if global_start < 0 || local_start < 0 || length < 1 || count < 1 {
            return None;
        }
        if count == 1 || steps == [length, length] {
            let length = length.checked_mul(count)?;
            global_start.checked_add(length)?;
            local_start.checked_add(length)?;
            let (global_step, local_step, count) = (length, length, 1);
            return Some(Self {
                global_start,
                local_start,
                length,
                count,
                global_step,
                local_step,
            });
        }
        for (start, step) in starts.into_iter().zip(steps) {
            if step < length {
                return None;
            }
            (count - 1).checked_mul(step)?.checked_add(length)?.checked_add(start)?;
        }
        let [global_step, local_step] = steps;
        Some(Self { global_start, local_start, length, count, global_step, local_step })
    }

    /// Where the first block starts in the tensor.
    pub fn global_start(&self) -> i64 {
        self.global_start
    }

    /// Where the first block starts in the shard.
    pub fn local_start(&self) -> i64 {
        self.local_start
    }

    /// How many neighbouring indices a block has.
    pub fn length(&self) -> i64 {
        self.length
    }

    /// How many blocks there are.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// From the start of a block to that of the next in the tensor.
    pub fn global_step(&self) -> i64 {
        self.global_step
    }

    /// From the start of a block to that of the next in the shard.
    pub fn local_step(&self) -> i64 {
        self.local_step
    }

    /// How many indices it has.
    pub fn elements(&self) -> i64 {
        self.length * self.count
    }

    pub(super) fn blocks(&self, side: MapSide) -> BlockTrain {
        let (start, step) = match side {
            MapSide::Global => (self.global_start, self.global_step),
            MapSide::Local => (self.local_start, self.local_step),
        };
        BlockTrain { start, length: self.length, count: self.count, step }
    }

    /// From one side to the other: where an index, counted on `side` and from the first block's start up to
    /// the last one's end, is on the other one. `None`: between two blocks.
    pub(super) fn across(&self, side: MapSide, index: i64) -> Option<i64> {
        let (block, place) = self.blocks(side).find(index)?;
        let other = self.blocks(side.other());
        Some(other.start + block * other.step + place)
    }

    /// The blocks on the other side of blocks of this stretch that were found on `side`: the start
    /// of the first one, and the step. `which` says which of the two that met this stretch is.
    pub(super) fn across_common(&self, side: MapSide, which: usize, common: &Common) -> (i64, i64) {
        let (here, there) = (self.blocks(side), self.blocks(side.other()));
        let (first, advance) = if which == 0 {
            (common.first[0], common.advance[0])
        } else {
            (common.first[1], common.advance[1])
        };
        let place = common.blocks.start - (here.start + first * here.step);
        let start = there.start + first * there.step + place;
        // A single block has no next one, whatever the numbers say.
        if common.blocks.count == 1 {
            return (start, common.blocks.length);
        }
        (start, advance * there.step + (common.blocks.step - advance * here.step))
    }

    /// The same stretch, further on in its shard.
    pub(super) fn shifted(&self, by: i64) -> Option<Self> {
        let starts = [self.global_start, self.local_start.checked_add(by)?];
        Self::new(starts, self.length, self.count, [self.global_step, self.local_step])
    }

    /// This stretch and the next as one, where they are one.
    pub(super) fn join(&self, next: &Self) -> Option<Self> {
        let starts = [self.global_start, self.local_start];
        let apart = [next.global_start - self.global_start, next.local_start - self.local_start];
        let steps = [self.global_step, self.local_step];
        let next_steps = [next.global_step, next.local_step];
        // Each block of the next one follows on one of this.
        if apart == [self.length, self.length]
            && self.count == next.count
            && (self.count == 1 || steps == next_steps)
        {
            let length = self.length + next.length;
            let steps = if self.count == 1 { [length, length] } else { steps };
            return Self::new(starts, length, self.count, steps);
        }
        if self.length != next.length {
            return None;
        }
        // The next one's blocks are this one's further ones; a single block takes any step.
        let steps = match (self.count, next.count) {
            (1, 1) => apart,
            (1, _) => next_steps,
            _ => steps,
        };
        // Behind the last block may be no index of 64 bits.
        let ends = steps.map(|step| self.count.checked_mul(step));
        let goes_on = ends == apart.map(Some);
        let alike = next.count == 1 || steps == next_steps;
        if !goes_on || !alike {
            return None;
        }
        Self::new(starts, self.length, self.count + next.count, steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the elements are in the tensor and in the shard.
    fn elements(stretch: &Stretch) -> Vec<[i64; 2]> {
        let place = |block: i64, at: i64| {
            let global = stretch.global_start() + block * stretch.global_step() + at;
            [global, stretch.local_start() + block * stretch.local_step() + at]
        };
        let blocks = 0..stretch.count();
        blocks.flat_map(|block| (0..stretch.length()).map(move |at| place(block, at))).collect()
    }

    fn all() -> Vec<Stretch> {
        let mut all = Vec::new();
        for (start, local, length, count) in (0..2 * 2 * 2 * 3)
            .map(|number| (number % 2, number / 2 % 2, 1 + number / 4 % 2, 1 + number / 8))
        {
            for steps in (0..9).map(|number| [length + number % 3, length + number / 3]) {
                all.extend(Stretch::new([start, local], length, count, steps));
            }
        }
        all
    }

    #[test]
    fn what_is_no_stretch_is_refused_and_the_longest_ones_are_not() {
        let last = i64::MAX;
        let cases = [
            ([0, 0], 1, 1, [1, 1], true),
            ([-1, 0], 1, 1, [1, 1], false),
            ([0, -1], 1, 1, [1, 1], false),
            ([0, 0], 0, 1, [1, 1], false),
            ([0, 0], 1, 0, [1, 1], false),
            // One block has any steps.
            ([0, 0], 4, 1, [0, -7], true),
            ([0, 0], 4, 2, [4, 3], false),
            ([0, 0], 4, 2, [3, 4], false),
            ([0, 0], 4, 2, [5, 4], true),
            // Ends of one block, of many, and of blocks without anything between them.
            ([last - 4, 0], 4, 1, [4, 4], true),
            ([last - 3, 0], 4, 1, [4, 4], false),
            ([0, last - 3], 4, 1, [4, 4], false),
            ([last - 8, 0], 4, 2, [4, 4], true),
            ([0, last - 7], 4, 2, [4, 4], false),
            ([0, 0], last / 2, 3, [last / 2; 2], false),
            ([last - 14, 0], 4, 2, [10, 4], true),
            ([last - 13, 0], 4, 2, [10, 4], false),
            ([0, last - 14], 4, 2, [4, 10], true),
            ([0, last - 13], 4, 2, [4, 10], false),
            ([0, 0], 4, 3, [last / 2, 4], false),
            ([0, 0], 4, 4, [last / 2, 4], false),
        ];
        for (starts, length, count, steps, is_one) in cases {
            let found = Stretch::new(starts, length, count, steps);
            assert_eq!(found.is_some(), is_one, "{starts:?} {length} {count} {steps:?}");
        }
        let one = Stretch::new([1, 2], 3, 5, [3, 3]);
        assert_eq!(one, Stretch::interval(1, 2, 15));
        assert_eq!(
            one.map(|one| (one.count(), one.global_step(), one.local_step())),
            Some((1, 15, 15))
        );
    }

    #[test]
    fn elements_are_found_on_the_other_side() {
        for stretch in all() {
            let all = elements(&stretch);
            assert_eq!(all.len() as i64, stretch.elements());
            for (side, own) in [(MapSide::Global, 0), (MapSide::Local, 1)] {
                let ends = [all[0][own], all[all.len() - 1][own]];
                for index in ends[0]..=ends[1] {
                    let other = all.iter().find(|places| places[own] == index);
                    assert_eq!(stretch.across(side, index), other.map(|places| places[1 - own]));
                }
            }
            let further: Vec<_> = all.iter().map(|[global, local]| [*global, local + 7]).collect();
            assert_eq!(elements(&stretch.shifted(7).unwrap()), further);
        }
        assert_eq!(Stretch::interval(0, 0, 4).unwrap().shifted(i64::MAX), None);
        assert_eq!(
            Stretch::interval(0, 9, 4).unwrap().shifted(i64::MAX - 13).map(|one| one.local_start()),
            Some(i64::MAX - 4)
        );
    }

    #[test]
    fn stretches_that_join_have_the_elements_of_both() {
        let mut joined = 0;
        for one in all() {
            for other in all() {
                for by in 0..6 {
                    let starts = [other.global_start() + by, other.local_start() + by % 4];
                    let steps = [other.global_step(), other.local_step()];
                    let next = Stretch::new(starts, other.length(), other.count(), steps).unwrap();
                    let Some(both) = one.join(&next) else { continue };
                    let mut expected = [elements(&one), elements(&next)].concat();
                    expected.sort_unstable();
                    assert_eq!(elements(&both), expected);
                    joined += 1;
                }
            }
        }
        assert!(joined > 500, "{joined}");
    }

    /// Between two blocks, and inside of all.
    #[test]
    fn a_stretch_that_is_cut_in_two_joins_again() {
        for whole in all() {
            let starts = [whole.global_start(), whole.local_start()];
            let steps = [whole.global_step(), whole.local_step()];
            for first in 1..whole.count() {
                let behind = [0, 1].map(|side| starts[side] + first * steps[side]);
                let one = Stretch::new(starts, whole.length(), first, steps).unwrap();
                let next =
                    Stretch::new(behind, whole.length(), whole.count() - first, steps).unwrap();
                assert_eq!(one.join(&next), Some(whole));
                assert_eq!(next.join(&one), None);
            }
            for first in 1..whole.length() {
                let one = Stretch::new(starts, first, whole.count(), steps).unwrap();
                let rest = whole.length() - first;
                let next =
                    Stretch::new(starts.map(|start| start + first), rest, whole.count(), steps);
                assert_eq!(one.join(&next.unwrap()), Some(whole));
            }
        }
        // No index of 64 bits is behind the last block.
        let far = Stretch::new([0, 0], 1, 2, [i64::MAX - 1, 1]).unwrap();
        assert_eq!(far.join(&Stretch::interval(1, 2, 1).unwrap()), None);
    }
}
