//! Exchanges that go on while the caller does something else.

use crate::model::Result;

/// An exchange that a transport started. It goes on inside of these calls, and perhaps without them.
///
/// It has ended when [`Self::test`] returned `true`, when [`Self::wait`] returned, or when either
/// failed. Then it is not asked again, and nothing uses the memory of its messages. One that is
/// dropped before is ended by that: its messages may have arrived or not, and dropping waits until
/// nothing uses their memory.
pub trait StartedExchange: Send {
    /// Does what can be done without waiting for another rank; whether all messages are complete.
    fn test(&mut self) -> Result<bool>;

    /// Waits until all messages are complete.
    fn wait(&mut self) -> Result<()>;
}
