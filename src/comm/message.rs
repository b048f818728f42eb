//! Exchanging any messages, to oneself too.

use super::{Communicator, Incoming, Message, Outgoing};
use crate::memory::{text, try_collect};
use crate::model::{Error, Result};

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
    let SortedMessages { own, sends, receives } = SortedMessages::new(comm, sends, receives)?;
    // SAFETY: the contract of `exchange` covers both messages of a `pair`, which have as many
    // bytes, by `SortedMessages::new`.
    own.into_iter().for_each(|pair| unsafe { copy(pair) });
    if sends.is_empty() && receives.is_empty() {
        return Ok(());
    }
    // SAFETY: the contract of `exchange` is that of `Communicator::exchange`, for some of the same
    // messages.
    unsafe { comm.exchange(&sends, &receives) }
}

/// Any messages, checked: those to oneself, and those that the transport sees.
pub(super) struct SortedMessages {
    pub(super) own: Vec<(Outgoing, Incoming)>,
    pub(super) sends: Vec<Outgoing>,
    pub(super) receives: Vec<Incoming>,
}

impl SortedMessages {
    pub(super) fn new(
        comm: &dyn Communicator, sends: &[Outgoing], receives: &[Incoming],
    ) -> Result<Self> {
        check_peers(comm, "sends", sends)?;
        check_peers(comm, "receives", receives)?;
        let rank = comm.rank();
        let own = |message_peer: usize, bytes: usize| message_peer == rank && bytes > 0;
        let own_sends = || sends.iter().filter(|sent| own(sent.peer, sent.bytes));
        let own_receives = || receives.iter().filter(|received| own(received.peer, received.bytes));
        let (sent, received) =
            (own_sends().map(|sent| sent.bytes), own_receives().map(|into| into.bytes));
        check_alike(rank, sent, received)?;
        let own = try_collect(own_sends().copied().zip(own_receives().copied()))?;
        Ok(Self { own, sends: others(rank, sends)?, receives: others(rank, receives)? })
    }
}

/// Copies a message to oneself.
///
/// # Safety
///
/// The one may be read, and the other written; both have as many bytes.
pub(super) unsafe fn copy((from, to): (Outgoing, Incoming)) {
    // SAFETY: the contract of `copy` is that `from` may be read and `to` written, for as many
    // bytes. They may overlap.
    unsafe { std::ptr::copy(from.pointer, to.pointer, from.bytes) };
}

/// Refuses messages to oneself that are not those from oneself.
fn check_alike(
    rank: usize, mut sends: impl Iterator<Item = usize>, mut receives: impl Iterator<Item = usize>,
) -> Result<()> {
    for number in 0usize.. {
        let problem = match (sends.next(), receives.next()) {
            (None, None) => return Ok(()),
            (Some(sent), Some(received)) if sent == received => continue,
            (Some(sent), Some(received)) => text!(
                "message {number} of rank {rank} to itself has {sent} bytes, but its receive has \
                 {received}; pass equal sizes"
            ),
            (Some(_), None) => text!(
                "rank {rank} sends itself more than the {number} messages that it receives from \
                 itself; pass as many sends as receives"
            ),
            (None, Some(_)) => text!(
                "rank {rank} sends itself {number} messages and receives more from itself; pass as \
                 many sends as receives"
            ),
        };
        return Err(Error::invalid("sends", problem));
    }
    Ok(())
}

fn check_peers<P>(
    comm: &dyn Communicator, argument: &'static str, messages: &[Message<P>],
) -> Result<()> {
    let count = comm.size();
    let Some(at) = messages.iter().position(|message| message.peer >= count) else {
        return Ok(());
    };
    let index = messages.get(at).map_or(0, |message| message.peer as u64);
    Err(Error::IndexOutOfRange { argument, index, count: count as u64 }.at(argument, at))
}

/// The messages that have bytes and are not to or from oneself.
fn others<P: Copy>(rank: usize, messages: &[Message<P>]) -> Result<Vec<Message<P>>> {
    let others = |message: &&Message<P>| message.peer != rank && message.bytes > 0;
    Ok(try_collect(messages.iter().filter(others).copied())?)
}
