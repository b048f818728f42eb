//! Transports that fail: every rank returns, and none of them says that all is there when it is not.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use shardspec::comm::CommError;
use shardspec::comm::{
    Communicator, Gather, Incoming, LocalCommunicator, Options, Outgoing, gather, local,
};
use shardspec::memory::Shared;
use shardspec::model::{
    ChunkShardingSpec, DataType, Error, Placement, Result, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::transfer::{CopyOptions, HostView, LocalShards};

use crate::common::ranks::{on_each, within_a_second};

/// What goes wrong in one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing.
    None,
    /// It fails, and nothing is sent.
    Fails,
    /// It fails when all has moved.
    FailsAfter,
    /// Its frame is left by a panic.
    Unwinds,
    /// The first message that it receives has a bit changed.
    Corrupts,
}

/// A communicator on one exchange of which something goes wrong.
struct Faulty {
    comm: LocalCommunicator,
    fault: Fault,
    /// Which exchange that is, counted from 0.
    at: usize,
    exchanges: AtomicUsize,
}

impl Communicator for Faulty {
    fn rank(&self) -> usize {
        self.comm.rank()
    }

    fn size(&self) -> usize {
        self.comm.size()
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        let number = self.exchanges.fetch_add(1, Ordering::Relaxed);
        let fault = if number == self.at { self.fault } else { Fault::None };
        let failed =
            || Err(Error::Comm(CommError::TransportFailed { what: "the cable is cut".into() }));
        match fault {
            Fault::None => unsafe { self.comm.exchange(sends, receives) },
            Fault::Fails => failed(),
            Fault::FailsAfter => {
                unsafe { self.comm.exchange(sends, receives) }?;
                failed()
            }
            Fault::Unwinds => resume_unwind(Box::new("thrown")),
            Fault::Corrupts => {
                unsafe { self.comm.exchange(sends, receives) }?;
                for received in receives.iter().take(1) {
                    unsafe { *received.pointer.add(received.bytes / 2) ^= 4 };
                }
                Ok(())
            }
        }
    }

    fn abort(&self, reason: &dyn Display) {
        self.comm.abort(reason);
    }
}

const COLUMNS: usize = 64;

fn columns(ranks: usize) -> ShardedTensorMetadata {
    let owners = (0..ranks).map(|rank| Placement::on_rank(rank as i64).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(1), owners).unwrap();
    let shape = [ROWS as i64, COLUMNS as i64];
    spec.build_metadata(TensorShape::new(&shape), TensorProperties::default()).unwrap()
}

const ROWS: usize = 64;

/// What became of a rank's call.
enum End {
    Returned(Result<()>),
    Unwound,
}

/// All ranks gather a tensor by columns, with so little memory that it takes many exchanges; on rank
/// `culprit` something goes wrong. How many exchanges the culprit made, and the ends by rank, where a
/// call that returned no error has all of the tensor.
fn gather_with(
    ranks: usize, culprit: usize, fault: Fault, at: usize, memory_limit: u64, threads: usize,
) -> (usize, Vec<End>) {
    let metadata = columns(ranks);
    let made = AtomicUsize::new(0);
    let faulty = |comm: LocalCommunicator| {
        let fault = if comm.rank() == culprit { fault } else { Fault::None };
        Faulty { comm, fault, at, exchanges: AtomicUsize::new(0) }
    };
    let comms: Vec<Faulty> = local(ranks).unwrap().into_iter().map(faulty).collect();
    let ends = within_a_second(|| {
        on_each(comms, |comm| {
            let rank = comm.rank();
            let shard = metadata.shards().get(rank).unwrap();
            let (first, width) = (shard.offsets[1] as usize, shard.sizes[1] as usize);
            let number = |row: usize, column: usize| (row * COLUMNS + column) as f32;
            let own: Vec<f32> =
                (0..ROWS * width).map(|at| number(at / width, first + at % width)).collect();
            let full = vec![-1.0f32; ROWS * COLUMNS];
            let view = |data: &[f32], sizes: &[i64]| {
                let first = data.as_ptr().cast_mut().cast();
                HostView::new("tensor", first, DataType::FLOAT32, sizes, None).unwrap()
            };
            let options = Options {
                memory_limit,
                copy: CopyOptions { max_threads: threads, ..CopyOptions::default() },
            };
            let views = [(rank, &view(&own, shard.sizes))];
            let mine = Gather {
                metadata: &metadata,
                destination: None,
                shards: Shared::try_new(LocalShards::new(&metadata, views).unwrap()).unwrap(),
                full: Some(view(&full, metadata.sizes())),
                options,
            };
            let end = catch_unwind(AssertUnwindSafe(|| unsafe { gather::<Error>(&comm, mine) }));
            if rank == culprit {
                made.store(comm.exchanges.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            if let Ok(Ok(())) = end {
                let wanted = |at: usize| number(at / COLUMNS, at % COLUMNS);
                assert!((0..full.len()).all(|at| full[at] == wanted(at)), "rank {rank} has holes");
            }
            // Until all have returned, nobody is told by a communicator that was dropped.
            (end.map_or(End::Unwound, End::Returned), comm)
        })
    });
    (made.into_inner(), ends.into_iter().map(|(end, _)| end).collect())
}

/// Each exchange in turn goes wrong on each rank in turn.
fn at_every_exchange(fault: Fault, check: impl Fn(usize, &[End])) {
    for ranks in [2, 3, 5] {
        let (exchanges, _) = gather_with(ranks, 0, Fault::None, 0, 2048, 1);
        assert!(exchanges > 8, "{exchanges} exchanges");
        for at in 0..exchanges {
            let culprit = at % ranks;
            check(culprit, &gather_with(ranks, culprit, fault, at, 2048, 1).1);
        }
    }
}

/// The others may have had all that they needed before, and else are told by whom they would have
/// waited for.
fn assert_told(culprit: usize, ends: &[End]) {
    for (rank, end) in ends.iter().enumerate().filter(|(rank, _)| *rank != culprit) {
        match end {
            End::Returned(Ok(())) => {}
            End::Returned(Err(error)) => {
                let (said, from) = (error.to_string(), format!("rank {culprit}"));
                assert!(said.starts_with(&from), "rank {rank} was told: {said}");
            }
            End::Unwound => panic!("rank {rank} unwound"),
        }
    }
}

#[test]
fn an_exchange_that_fails_on_one_rank_leaves_no_other_waiting_and_no_holes() {
    for fault in [Fault::Fails, Fault::FailsAfter] {
        at_every_exchange(fault, |culprit, ends| {
            let End::Returned(Err(error)) = &ends[culprit] else {
                panic!("rank {culprit} did not fail");
            };
            assert_eq!(error.to_string(), "the cable is cut");
            assert_told(culprit, ends);
        });
    }
}

#[test]
fn an_exchange_that_unwinds_on_one_rank_leaves_no_other_waiting_and_no_holes() {
    at_every_exchange(Fault::Unwinds, |culprit, ends| {
        assert!(matches!(ends[culprit], End::Unwound));
        assert_told(culprit, ends);
    });
}

#[test]
fn a_message_of_the_agreement_that_is_changed_on_its_way_leaves_nobody_waiting() {
    for (ranks, rounds) in [(2, 1), (3, 2), (5, 3), (8, 3)] {
        for (culprit, at) in (0..ranks).flat_map(|rank| (0..rounds).map(move |at| (rank, at))) {
            let (_, ends) = gather_with(ranks, culprit, Fault::Corrupts, at, 1 << 20, 1);
            for (rank, end) in ends.iter().enumerate() {
                let End::Returned(Err(error)) = end else {
                    panic!("rank {rank} of {ranks} has all of it, and rank {culprit} nothing");
                };
                let said = error.to_string();
                assert!(said.contains("was damaged"), "rank {rank} was told: {said}");
            }
        }
    }
}

#[test]
fn a_rank_that_gives_up_wakes_those_that_wait_and_says_why() {
    let results = within_a_second(|| {
        on_each(local(5).unwrap(), |comm| {
            if comm.rank() == 2 {
                comm.abort(&"the disk is full");
                comm.abort(&"and more");
            }
            let mut place = 0u8;
            let peer = (comm.rank() + 1) % 5;
            let receive = Incoming { peer, pointer: &raw mut place, bytes: 1 };
            let result = unsafe { comm.exchange(&[], &[receive]) };
            (result, comm)
        })
    });
    for (result, _) in results {
        assert_eq!(result.unwrap_err().to_string(), "rank 2 aborted: the disk is full");
    }
}

/// Rank 0 is in an exchange with rank 1 when another thread calls by its communicator.
#[test]
fn a_call_that_is_turned_away_does_not_disturb_the_one_under_way() {
    let comms = local(2).unwrap();
    let metadata = columns(2);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let mut got = 0u8;
            let receive = Incoming { peer: 1, pointer: &raw mut got, bytes: 1 };
            loop {
                match unsafe { comms[0].exchange(&[], &[receive]) } {
                    // The other thread was just asking.
                    Err(Error::InvalidArgument { .. }) => std::thread::yield_now(),
                    result => return result.map(|()| got),
                }
            }
        });
        loop {
            let mine = Gather {
                metadata: &metadata,
                destination: None,
                shards: Shared::try_new(LocalShards::new(&metadata, []).unwrap()).unwrap(),
                full: None,
                options: Options::default(),
            };
            // Before the other thread has begun this would wait for rank 1.
            if !waits.is_finished() && is_waiting(&comms[0]) {
                let refused = unsafe { gather::<Error>(&comms[0], mine) }.unwrap_err();
                assert!(refused.to_string().contains("full"), "{refused}");
                break;
            }
            std::thread::yield_now();
        }
        let sent = 5u8;
        let send = Outgoing { peer: 0, pointer: &raw const sent, bytes: 1 };
        unsafe { comms[1].exchange(&[send], &[]) }.unwrap();
        assert_eq!(waits.join().unwrap(), Ok(5));
    });
}

/// Whether another thread exchanges by this communicator.
fn is_waiting(comm: &LocalCommunicator) -> bool {
    unsafe { comm.exchange(&[], &[]) }.is_err()
}
