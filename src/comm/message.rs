//! Exchanging any messages, to oneself too.

use super::{Communicator, Incoming, Message, Outgoing};
use crate::core::{Error, Result};
use crate::memory::text;

/// [`Communicator::exchange`] for any messages: those to oneself are copied, and those without bytes
/// are left out, so that the transport sees neither.
///
/// Refused, before anything moves, are ranks outside the communicator, and messages to oneself that
/// differ in number or bytes from those that are to be received from oneself.
///
/// # Safety
///
/// As [`Communicator::exchange`].
pub unsafe fn exchange(
    comm: &dyn Communicator, sends: &[Outgoing], receives: &[Incoming],
) -> Result<()> {
    check_peers(comm, "sends", sends)?;
    check_peers(comm, "recvs", receives)?;
    let (own_sends, sends) = split(comm.rank(), sends);
    let (own_receives, receives) = split(comm.rank(), receives);
    let sent: Vec<usize> = own_sends.iter().map(|sent| sent.bytes).collect();
    let received: Vec<usize> = own_receives.iter().map(|received| received.bytes).collect();
    if sent != received {
        let problem = text!(
            "rank {} sends itself messages of {sent:?} bytes and receives {received:?}; pass both \
             alike",
            comm.rank()
        );
        return Err(Error::invalid("sends", problem));
    }
    for (from, to) in own_sends.iter().zip(&own_receives) {
        // SAFETY: the caller's promise, and both have as many bytes.
        unsafe { std::ptr::copy(from.pointer, to.pointer, from.bytes) };
    }
    if sends.is_empty() && receives.is_empty() {
        return Ok(());
    }
    // SAFETY: the caller's promise is passed on.
    unsafe { comm.exchange(&sends, &receives) }
}

fn check_peers<P>(
    comm: &dyn Communicator, argument: &'static str, messages: &[Message<P>],
) -> Result<()> {
    let count = comm.size();
    match messages.iter().find(|message| message.peer >= count) {
        None => Ok(()),
        Some(message) => Err(Error::IndexOutOfRange {
            argument,
            index: message.peer as u64,
            count: count as u64,
        }),
    }
}

/// The messages that have bytes: those to or from oneself, and those to or from others.
fn split<P: Copy>(rank: usize, messages: &[Message<P>]) -> (Vec<Message<P>>, Vec<Message<P>>) {
    let messages = messages.iter().filter(|message| message.bytes > 0).copied();
    messages.partition(|message| message.peer == rank)
}
