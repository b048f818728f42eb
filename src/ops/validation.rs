//! What holds for the arguments of every op.

use crate::core::{Error, Result};
use crate::memory::Text;

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
            Self { count: 0, .. } => Err(Error::NoArguments { op: Text::copy(op) }),
            Self { communicator: None, .. } => Err(Error::NoShardedTensor { op: Text::copy(op) }),
            Self { differ: true, .. } => Err(Error::CommunicatorMismatch { op: Text::copy(op) }),
            _ => Ok(()),
        }
    }
}
