//! The search for the first tensor by which the batches of ranks differ.
//!
//! An agreement says that batches differ, and not where. Then all ranks halve the part of the batch
//! in which the first difference is, with an agreement for each half: about `log2` of the number of
//! tensors, and only when the collective is refused.

use super::short::CallText;
use crate::memory::Shared;

/// The batch of a rank.
pub(super) trait Batch {
    /// A hash of its first tensors, of all where it has no more.
    fn digest_of_first(&self, count: usize) -> u64;

    /// The last of its first `count` tensors, for people.
    fn text_of_last(&self, count: usize) -> CallText;
}

/// A batch with several owners.
pub(super) type SharedBatch = Shared<Box<dyn Batch + Send + Sync>>;

/// What all ranks are asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchQuestion {
    /// Whether the first tensors, so many, are equal.
    pub(super) tensors: usize,
    /// Whether the last of these is the one that was looked for.
    pub(super) is_last: bool,
}

/// A search by halves.
#[derive(Debug)]
pub(super) struct BatchSearch {
    /// So many tensors are equal on all ranks.
    equal: usize,
    /// So many are not.
    differ: usize,
    asked: BatchQuestion,
}

impl BatchSearch {
    /// The search in batches of which the longest has so many tensors.
    pub(super) fn new(tensors: usize) -> Self {
        let asked = BatchQuestion { tensors, is_last: tensors <= 1 };
        Self { equal: 0, differ: tensors, asked }
    }

    /// What to ask now.
    pub(super) fn question(&self) -> BatchQuestion {
        self.asked
    }

    /// The next question after an answer; `None` when the search has ended.
    pub(super) fn answer(&mut self, differs: bool) -> Option<BatchQuestion> {
        if self.asked.is_last || (!differs && self.asked.tensors == self.differ) {
            return None;
        }
        if differs {
            self.differ = self.asked.tensors;
        } else {
            self.equal = self.asked.tensors;
        }
        let middle = self.equal.midpoint(self.differ);
        let is_last = middle == self.equal;
        self.asked = BatchQuestion { tensors: if is_last { self.differ } else { middle }, is_last };
        Some(self.asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_found_in_few_questions() {
        for tensors in 1..40 {
            for first in 0..tensors {
                let mut search = BatchSearch::new(tensors);
                let mut question = search.question();
                let mut asked = 1;
                while let Some(next) = search.answer(question.tensors > first) {
                    question = next;
                    asked += 1;
                }
                assert!(question.is_last && question.tensors == first + 1, "{first} of {tensors}");
                assert!(asked <= 2 + tensors.ilog2() + 1, "{asked} questions for {tensors}");
            }
        }
    }

    #[test]
    fn equal_batches_are_asked_for_once() {
        for tensors in [0, 1, 2, 7] {
            let mut search = BatchSearch::new(tensors);
            assert_eq!(search.question().tensors, tensors);
            assert_eq!(search.answer(false), None);
        }
    }
}
