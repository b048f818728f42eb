//! What was laid out once, kept for the next time.

use crate::memory::{Shared, TryVec};
use crate::model::Result;

/// Things that are made one after the other.
pub(super) enum KeptList<T> {
    /// They are dropped when they were used.
    Nothing,
    /// They are kept for the next time; not all are made yet.
    Some(Vec<Shared<T>>),
    /// All that there are.
    All(Vec<Shared<T>>),
}

impl<T> KeptList<T> {
    /// Number `number` of them, kept or made now; `None` after the last.
    pub(super) fn next(
        &mut self, number: usize, make: impl FnOnce() -> Result<Option<T>>,
    ) -> Result<Option<Shared<T>>> {
        if let Self::All(all) = self {
            return Ok(all.get(number).cloned());
        }
        let made = match make()? {
            Some(made) => Some(Shared::try_new(made)?),
            None => None,
        };
        if let Self::Some(some) = self {
            match &made {
                Some(made) => some.try_push(made.clone())?,
                None => *self = Self::All(std::mem::take(some)),
            }
        }
        Ok(made)
    }

    /// Begins with the first again.
    pub(super) fn restart(&mut self) {
        if let Self::Some(some) = self {
            some.clear();
        }
    }

    /// Makes all of them anew the next time.
    pub(super) fn forget(&mut self) {
        if let Self::Some(all) | Self::All(all) = self {
            all.clear();
            *self = Self::Some(std::mem::take(all));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is there from the first to the last, of which `made` counts those that are made now.
    fn all(kept: &mut KeptList<usize>, last: usize, made: &mut usize) -> Vec<usize> {
        kept.restart();
        let mut all = Vec::new();
        loop {
            let number = all.len();
            let next = kept.next(number, || {
                *made = made.saturating_add(usize::from(number < last));
                Ok((number < last).then_some(number))
            });
            match next.unwrap() {
                Some(number) => all.push(*number),
                None => return all,
            }
        }
    }

    #[test]
    fn what_is_kept_is_made_once() {
        for (mut kept, expected) in [(KeptList::Nothing, 6), (KeptList::Some(Vec::new()), 3)] {
            let mut made = 0;
            assert_eq!(all(&mut kept, 3, &mut made), [0, 1, 2]);
            assert_eq!(all(&mut kept, 3, &mut made), [0, 1, 2]);
            assert_eq!(made, expected);
        }
    }

    #[test]
    fn what_was_not_made_to_the_end_or_is_forgotten_is_made_anew() {
        let mut kept = KeptList::Some(Vec::new());
        kept.next(0, || Ok(Some(7))).unwrap();
        let mut made = 0;
        assert_eq!(all(&mut kept, 2, &mut made), [0, 1]);
        kept.forget();
        assert_eq!(all(&mut kept, 2, &mut made), [0, 1]);
        assert_eq!(made, 4);
    }
}
