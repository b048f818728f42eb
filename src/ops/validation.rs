//! What holds for the arguments of every op.

use crate::memory::{Memory, Text, try_collect};
use crate::model::{Error, Result};
use crate::ops::OpError;

/// What matters of an op's arguments, which are met one by one: `_basic_validation` of torch.
#[derive(Debug, Default)]
pub struct BasicValidation {
    count: usize,
    /// That of the first sharded tensor.
    communicator: Option<u64>,
    differ: bool,
}

impl BasicValidation {
    /// An argument, positional or not: of a sharded tensor its communicator, 0 where it has none.
    pub fn meet(&mut self, sharded_tensor: Option<u64>) {
        self.count = self.count.saturating_add(1);
        if let Some(communicator) = sharded_tensor {
            self.differ |= *self.communicator.get_or_insert(communicator) != communicator;
        }
    }

    /// Refuses calls without any argument, without a sharded tensor among them, and with sharded
    /// tensors of different communicators.
    pub fn validate(&self, op: &str) -> Result<()> {
        match *self {
            Self { count: 0, .. } => Err(Error::Op(OpError::NoArguments { op: Text::copy(op) })),
            Self { communicator: None, .. } => {
                Err(Error::Op(OpError::NoShardedTensor { op: Text::copy(op) }))
            }
            Self { differ: true, .. } => {
                Err(Error::Op(OpError::CommunicatorMismatch { op: Text::copy(op) }))
            }
            _ => Ok(()),
        }
    }
}

/// The first name that was there before, if there is one.
pub fn second_of_equals(names: &[&str]) -> Memory<Option<usize>> {
    /// Names that are compared with each other sooner than they are sorted.
    const FEW: usize = 8;
    if names.len() <= FEW {
        let before = |&index: &usize| {
            let name = names.get(index);
            names.iter().take(index).any(|other| Some(other) == name)
        };
        return Ok((0..names.len()).find(before));
    }
    let mut sorted = try_collect(names.iter().copied().zip(0_usize..))?;
    sorted.sort_unstable();
    let neighbours = sorted.iter().zip(sorted.iter().skip(1));
    let seconds = neighbours.filter(|((one, _), (other, _))| one == other);
    Ok(seconds.map(|(_, (_, second))| *second).min())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_was_there_before_is_found_among_few_and_many() {
        let numbers: Vec<String> = (0..1000).map(|n| n.to_string()).collect();
        for len in [0, 1, 2, 8, 9, 10, 1000] {
            let names: Vec<&str> = numbers[..len].iter().map(String::as_str).collect();
            assert_eq!(second_of_equals(&names), Ok(None));
            for second in 1..len.min(12) {
                let mut twice = names.clone();
                twice[second] = twice[second / 2];
                twice[len - 1] = twice[0];
                let first = if twice[second] == names[second] { len - 1 } else { second };
                assert_eq!(second_of_equals(&twice), Ok(Some(first)), "{second} of {len}");
            }
        }
    }
}
