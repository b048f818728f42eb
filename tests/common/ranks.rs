//! Ranks as threads, and communicators that count or fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use shardspec::comm::{Communicator, Incoming, LocalCommunicator, Outgoing, local};
use shardspec::model::Result;

/// Runs one thread for each of `size` ranks; the answers by rank.
pub fn on_all<T: Send>(size: usize, run: impl Fn(usize, &dyn Communicator) -> T + Sync) -> Vec<T> {
    on_each(local(size).unwrap(), |comm| run(comm.rank(), &comm))
}

/// As [`on_all`], where each thread owns its communicator.
pub fn on_each<C: Send, T: Send>(comms: Vec<C>, run: impl Fn(C) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> =
            comms.into_iter().map(|comm| scope.spawn(move || run(comm))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The answer, which must come within a second.
pub fn within_a_second<T>(run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = run();
    assert!(start.elapsed() < Duration::from_secs(1), "took {:?}", start.elapsed());
    answer
}

/// What went through a communicator.
#[derive(Debug, Default)]
pub struct Traffic {
    pub exchanges: AtomicUsize,
    pub messages_sent: AtomicUsize,
    pub bytes_sent: AtomicUsize,
    pub messages_received: AtomicUsize,
}

/// Counts what its communicator does, and refuses messages that no transport has to understand.
pub struct Counting {
    pub comm: LocalCommunicator,
    pub traffic: Arc<Traffic>,
}

impl Counting {
    pub fn all(size: usize) -> Vec<Self> {
        let counting = |comm| Self { comm, traffic: Arc::default() };
        local(size).unwrap().into_iter().map(counting).collect()
    }
}

impl Communicator for Counting {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.size()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        let own = |peer: usize, bytes: usize| peer != self.rank() && bytes > 0;
        assert!(!sends.is_empty() || !receives.is_empty());
        assert!(sends.iter().all(|message| own(message.peer, message.bytes)));
        assert!(receives.iter().all(|message| own(message.peer, message.bytes)));
        let Traffic { exchanges, messages_sent, bytes_sent, messages_received } = &*self.traffic;
        exchanges.fetch_add(1, Ordering::Relaxed);
        messages_sent.fetch_add(sends.len(), Ordering::Relaxed);
        bytes_sent.fetch_add(sends.iter().map(|sent| sent.bytes).sum(), Ordering::Relaxed);
        messages_received.fetch_add(receives.len(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { self.comm.exchange(sends, receives) }
    }
}
