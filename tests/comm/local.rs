//! Communicators between threads: what is promised of exchange, and that nobody waits for ever.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::sync::atomic::{AtomicBool, Ordering};

use shardspec::comm::CommError;
use shardspec::comm::{Communicator, Incoming, LocalCommunicator, Outgoing, exchange, local};
use shardspec::model::{Error, Result};

use crate::common::ranks::{on_all, on_each, within_a_second};

fn out(peer: usize, data: &[u64]) -> Outgoing {
    Outgoing { peer, pointer: data.as_ptr().cast(), bytes: size_of_val(data) }
}

fn into(peer: usize, data: &mut [u64]) -> Incoming {
    Incoming { peer, pointer: data.as_mut_ptr().cast(), bytes: size_of_val(data) }
}

fn assert_transport_failed(result: &Result<()>, said: &str) {
    match result {
        Err(Error::Comm(CommError::TransportFailed { what })) => {
            assert!(what.contains(said), "{what} lacks {said}")
        }
        other => panic!("{other:?} is no failure of the transport"),
    }
}

#[test]
fn every_rank_sends_to_every_other_and_gets_what_was_sent_to_it() {
    for size in [1, 2, 3, 8] {
        on_all(size, |rank, comm| {
            for round in 0..50u64 {
                let sent: Vec<[u64; 2]> =
                    (0..size).map(|peer| [(rank * size + peer) as u64, round]).collect();
                let mut got = vec![[u64::MAX; 2]; size];
                let sends: Vec<_> = (0..size).map(|peer| out(peer, &sent[peer])).collect();
                let receives: Vec<_> =
                    got.iter_mut().enumerate().map(|(peer, place)| into(peer, place)).collect();
                unsafe { exchange(comm, &sends, &receives) }.unwrap();
                for (peer, got) in got.iter().enumerate() {
                    assert_eq!(*got, [(peer * size + rank) as u64, round]);
                }
            }
        });
    }
}

#[test]
fn messages_of_one_pair_keep_their_order_in_one_exchange_and_across_several() {
    on_all(2, |rank, comm| {
        let numbers: Vec<u64> = (0..100).collect();
        if rank == 0 {
            for chunk in numbers.chunks(10) {
                let sends: Vec<_> = chunk.iter().map(|n| out(1, std::slice::from_ref(n))).collect();
                unsafe { comm.exchange(&sends, &[]) }.unwrap();
            }
            return;
        }
        let mut got = vec![0u64; 100];
        for chunk in got.chunks_mut(25) {
            let receives: Vec<_> =
                chunk.iter_mut().map(|place| into(0, std::slice::from_mut(place))).collect();
            unsafe { comm.exchange(&[], &receives) }.unwrap();
        }
        assert_eq!(got, numbers);
    });
}

#[test]
fn five_hundred_ranks_pass_a_number_around_a_ring() {
    let size = 512;
    let sums = on_all(size, |rank, comm| {
        let mut held = rank as u64;
        let mut sum = 0;
        for _ in 0..20 {
            let sent = held;
            let (next, previous) = ((rank + 1) % size, (rank + size - 1) % size);
            let receive = into(previous, std::slice::from_mut(&mut held));
            unsafe { comm.exchange(&[out(next, &[sent])], &[receive]) }.unwrap();
            sum += held;
        }
        sum
    });
    for (rank, sum) in sums.into_iter().enumerate() {
        let seen = (1..=20).map(|back| ((rank + size - back) % size) as u64);
        assert_eq!(sum, seen.sum::<u64>());
    }
}

#[test]
fn messages_to_oneself_are_copied_and_empty_ones_are_not_sent() {
    struct Untouched;
    impl Communicator for Untouched {
        fn rank(&self) -> usize {
            1
        }
        fn size(&self) -> usize {
            3
        }
        unsafe fn exchange(&self, _: &[Outgoing], _: &[Incoming]) -> Result<()> {
            panic!("there is nothing to exchange")
        }
    }
    let mut got = [0u64; 3];
    let (first, rest) = got.split_at_mut(1);
    let sends = [out(1, &[7]), out(0, &[]), out(1, &[8, 9])];
    let receives = [into(1, first), into(2, &mut []), into(1, rest)];
    unsafe { exchange(&Untouched, &sends, &receives) }.unwrap();
    assert_eq!(got, [7, 8, 9]);
    let refused = unsafe { exchange(&Untouched, &sends, &receives[..1]) }.unwrap_err();
    let said = "sends: rank 1 sends itself more than the 1 messages that it receives from itself";
    assert!(refused.to_string().starts_with(said), "{refused}");
    got = [0; 3];
    let (first, rest) = got.split_at_mut(1);
    let receives = [into(1, first), into(1, &mut rest[..1])];
    let refused = unsafe { exchange(&Untouched, &sends, &receives) }.unwrap_err();
    let said = "sends: message 1 of rank 1 to itself has 16 bytes, but its receive has 8";
    assert!(refused.to_string().starts_with(said), "{refused}");
    assert_eq!(got, [0; 3]);
    let refused = unsafe { exchange(&Untouched, &[out(3, &[1])], &[]) }.unwrap_err();
    assert_eq!(
        refused,
        Error::IndexOutOfRange { argument: "sends", index: 3, count: 3 }.at("sends", 0)
    );
}

/// Every rank waits for the last, which leaves without a word.
#[test]
fn when_a_rank_goes_those_that_wait_for_it_are_told() {
    for size in [2, 5, 64] {
        let last = size - 1;
        let results = within_a_second(|| {
            on_each(local(size).unwrap(), |comm| {
                let rank = comm.rank();
                if rank == last {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                    return Ok(());
                }
                let mut place = [0];
                match rank % 2 {
                    0 => unsafe { comm.exchange(&[], &[into(last, &mut place)]) },
                    _ => unsafe { comm.exchange(&[out(last, &[1])], &[]) },
                }
            })
        });
        for result in &results[..last] {
            assert_transport_failed(result, &format!("rank {last} is gone"));
        }
    }
}

/// Ranks 0 and 1 wait for each other's neighbours, of which one failed.
#[test]
fn a_failed_exchange_wakes_those_that_do_not_exchange_with_the_rank_that_is_gone() {
    let results = within_a_second(|| {
        on_each(local(4).unwrap(), |comm| {
            let (rank, mut place) = (comm.rank(), [0]);
            if rank == 3 {
                drop(comm);
                return Ok(());
            }
            // 0 waits for 1, 1 for 2, and 2 for 3.
            unsafe { comm.exchange(&[], &[into(rank + 1, &mut place)]) }
        })
    });
    for result in &results[..3] {
        assert_transport_failed(result, "rank 3 is gone");
    }
}

#[test]
fn a_rank_that_needs_nothing_of_one_that_is_gone_goes_on() {
    let gone = AtomicBool::new(false);
    let results = on_each(local(3).unwrap(), |comm| {
        let rank = comm.rank();
        if rank == 2 {
            // Its last message was received, so nobody misses it.
            let sent = unsafe { comm.exchange(&[out(0, &[5])], &[]) };
            drop(comm);
            gone.store(true, Ordering::Release);
            return sent;
        }
        let mut place = [0];
        if rank == 0 {
            unsafe { comm.exchange(&[], &[into(2, &mut place)]) }?;
            assert_eq!(place, [5]);
        }
        while !gone.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let sent = [rank as u64];
        for _ in 0..100 {
            unsafe { comm.exchange(&[out(1 - rank, &sent)], &[into(1 - rank, &mut place)]) }?;
        }
        assert_eq!(place, [1 - rank as u64]);
        Ok(())
    });
    assert_eq!(results, [Ok(()), Ok(()), Ok(())]);
}

#[test]
fn lengths_that_differ_fail_on_both_sides_and_write_nothing() {
    let results = within_a_second(|| {
        on_all(2, |rank, comm| {
            let mut place = [77; 3];
            let result = match rank {
                0 => unsafe { comm.exchange(&[out(1, &[1, 2])], &[]) },
                _ => unsafe { comm.exchange(&[], &[into(0, &mut place)]) },
            };
            assert_eq!(place, [77; 3]);
            result
        })
    });
    for result in &results {
        assert_transport_failed(result, "rank 0 sent 16 bytes where rank 1 was to receive 24");
    }
}

#[test]
fn a_second_thread_of_one_rank_is_refused() {
    let comms = local(2).unwrap();
    let exchange = |comm: &LocalCommunicator, peer| {
        let mut place = [0];
        unsafe { comm.exchange(&[], &[into(peer, &mut place)]) }
    };
    std::thread::scope(|scope| {
        let waiting = [(); 2].map(|()| scope.spawn(|| exchange(&comms[0], 1)));
        // One of the two waits for a message; the other one was turned away.
        while !waiting.iter().any(|thread| thread.is_finished()) {
            std::thread::yield_now();
        }
        unsafe { comms[1].exchange(&[out(0, &[1])], &[]) }.unwrap();
        let results = waiting.map(|thread| thread.join().unwrap());
        let refused = results.iter().find(|result| result.is_err()).unwrap();
        let said = refused.as_ref().unwrap_err().to_string();
        assert!(said.starts_with("comm: ") && said.contains("one thread at a time"), "{said}");
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    });
}

#[test]
fn a_communicator_has_at_least_one_rank() {
    assert!(matches!(local(0), Err(Error::InvalidArgument { argument: "size", .. })));
    assert_eq!(local(1).unwrap().len(), 1);
}
