//! Carrying out a collective with a second thread.
//!
//! The thread that called exchanges. Where there is enough to copy, a second one copies meanwhile: it
//! unpacks the last round, packs the next one, and in between copies what stays on this rank. It is
//! gone when the call returns. Ranks share processors with each other, so there are no more threads
//! unless the options ask for them.

use super::Communicator;
use super::channel::{BoundedChannel, Received};
use super::mover::{Mover, Round};
use super::pending::PendingExchange;
use super::scoped_thread::ScopedTask;
use super::staging::ROUNDS;
use crate::memory::Shared;
use crate::model::Result;

/// Bytes of copies from which on a second thread is worth its start.
const WORTH_A_THREAD: usize = 1 << 20;

/// Moves everything that was not moved yet, and waits for other ranks. Nothing is under way.
///
/// # Safety
///
/// As [`Mover::step`].
pub(super) unsafe fn run(comm: &dyn Communicator, mover: &mut Mover) -> Result<()> {
    if mover.max_threads() == 1 || mover.bytes_to_copy() < WORTH_A_THREAD {
        // SAFETY: the contract of `run` is that of `take_turns`, for the same `mover`.
        return unsafe { take_turns(comm, mover) };
    }
    let ready = BoundedChannel::new();
    let exchanged = BoundedChannel::new();
    let mut copied = Ok(());
    let mut copying = || {
        let _end = Ends([&ready, &exchanged]);
        // SAFETY: the contract of `run` is that of `serve`, for the same `mover`, which only the
        // copier uses until it is joined.
        copied = unsafe { serve(mover, &ready, &exchanged) };
    };
    let task = ScopedTask::new(&mut copying);
    // SAFETY: `task` and all that it uses are declared before the scoped thread, which is dropped
    // when this frame is left, by whatever way: the contract of `ScopedTask::start`.
    let Some(copier) = (unsafe { task.start() }) else {
        // A thread that can't be started is done without: the other ranks are waiting.
        // SAFETY: the contract of `run` is that of `take_turns`. No thread was started, so that
        // nothing of `mover` was begun.
        return unsafe { take_turns(comm, mover) };
    };
    let end = Ends([&ready, &exchanged]);
    let mut moved = Ok(());
    while let Some(round) = ready.receive() {
        // SAFETY: the contract of `run` covers the memory of shards that `round` names. Its other
        // memory is staging memory, which the copier leaves alone until the round comes back by
        // `exchanged`.
        moved = unsafe { comm.exchange(&round.sends, &round.receives) };
        // The copier is gone only after a failure, which is returned below.
        if moved.is_err() || exchanged.send(round).is_err() {
            break;
        }
    }
    // Whichever side failed, the other one finds this closed and stops.
    drop(end);
    copier.join();
    moved.and(copied)
}

/// [`run`] on one thread.
///
/// # Safety
///
/// As [`run`].
unsafe fn take_turns(comm: &dyn Communicator, mover: &mut Mover) -> Result<()> {
    let mut exchange = PendingExchange::default();
    // SAFETY: the contract of `take_turns` is that of `run`, and so of `Mover::step`.
    while !unsafe { mover.step(comm, &mut exchange, true)? } {}
    Ok(())
}

/// Rounds on their way from one thread to the other.
type RoundChannel = BoundedChannel<Shared<Round>, ROUNDS>;

/// Ends both ways when its side stops, however it does.
struct Ends<'a>([&'a RoundChannel; 2]);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|way| way.close());
    }
}

/// Packs rounds ahead of the exchange and unpacks those that come back from it.
///
/// # Safety
///
/// As [`run`].
unsafe fn serve(mover: &mut Mover, ready: &RoundChannel, exchanged: &RoundChannel) -> Result<()> {
    let mut under_way = 0usize;
    loop {
        // SAFETY: the contract of `serve` is that of `Mover::step`. At most `ROUNDS` rounds are
        // under way, so the one before in the same buffers was unpacked, as `pack` requires.
        unsafe {
            while under_way < ROUNDS
                && let Some(round) = mover.pack()?
            {
                under_way = under_way.saturating_add(1);
                if ready.send(round).is_err() {
                    return Ok(());
                }
            }
            if under_way == 0 {
                return mover.finish();
            }
            let round = match exchanged.try_receive() {
                Received::Item(round) => round,
                Received::Closed => return Ok(()),
                Received::Empty if mover.copy_some()? => continue,
                Received::Empty => match exchanged.receive() {
                    Some(round) => round,
                    None => return Ok(()),
                },
            };
            mover.unpack(&round);
            under_way = under_way.saturating_sub(1);
        }
    }
}
