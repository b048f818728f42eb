//! Transfers that take steps: no step waits for another rank, so one thread moves the tensors of all.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shardspec::comm::{
    BatchTensor, Communicator, Incoming, LocalCommunicator, Options, Outgoing, PreparedTransfer,
    Request, SharedCommunicator, TensorLayouts, TensorMoves, TensorShards, TransferRun, Work,
    local, run_work,
};
use shardspec::memory::{Shared, Text};
use shardspec::model::{
    ChunkShardingSpec, DataType, Placement, Result, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::transfer::HostView;

use crate::common::copies::own;
use crate::common::ranks::on_each;

const RANKS: usize = 3;
const TENSORS: usize = 4;
/// Rows and columns: every rank has [`WIDTH`] of them.
const SIDE: usize = RANKS * WIDTH;
const WIDTH: usize = 5;

fn chunks(dim: i64) -> ShardedTensorMetadata {
    let ranks = (0..RANKS as i64).map(|rank| Placement::on_rank(rank).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), ranks).unwrap();
    let shape = TensorShape::new(&[SIDE as i64; 2]);
    spec.build_metadata(shape, TensorProperties::default()).unwrap()
}

/// The element of a tensor in a row and a column.
fn element(tensor: usize, row: usize, column: usize) -> f32 {
    ((tensor * SIDE + row) * SIDE + column) as f32
}

/// One rank: its rows and its columns of all tensors, and the transfer from ones to others.
struct Rank {
    comm: LocalCommunicator,
    rows: Vec<Vec<f32>>,
    columns: Vec<Vec<f32>>,
    transfer: Shared<PreparedTransfer>,
}

impl Rank {
    fn prepare(comm: LocalCommunicator) -> Self {
        let (source, destination) = (chunks(0), chunks(1));
        let first = comm.rank() * WIDTH;
        let row = |tensor, row| (0..SIDE).map(move |column| element(tensor, first + row, column));
        let rows: Vec<Vec<f32>> =
            (0..TENSORS).map(|at| (0..WIDTH).flat_map(|own| row(at, own)).collect()).collect();
        let columns = vec![vec![0.0; SIDE * WIDTH]; TENSORS];
        let shards = |layout: &ShardedTensorMetadata, data: &[f32], sizes: [i64; 2]| {
            let first = data.as_ptr().cast_mut().cast();
            let view = HostView::new("tensor", first, DataType::FLOAT32, &sizes, None).unwrap();
            own(&comm, layout, &[view]).unwrap()
        };
        let (side, width) = (SIDE as i64, WIDTH as i64);
        let layouts =
            TensorLayouts::Pair { source: source.clone(), destination: destination.clone() };
        let moves = Shared::try_new(TensorMoves::new(&comm, layouts).unwrap()).unwrap();
        let tensors = (0..TENSORS).map(|at| BatchTensor {
            tag: Shared::try_new(Text::copy(&format!("tensor {at}"))).unwrap(),
            moves: moves.clone(),
            dtype: None,
            shards: TensorShards {
                source: shards(&source, &rows[at], [width, side]),
                destination: shards(&destination, &columns[at], [side, width]),
            },
        });
        let tensors: Vec<_> = tensors.collect();
        let transfer = PreparedTransfer::new(&comm, &tensors, Options::default()).unwrap();
        transfer.agree(&comm).unwrap();
        let transfer = Shared::try_new(transfer).unwrap();
        Self { comm, rows, columns, transfer }
    }

    fn has_its_columns(&self) -> bool {
        let first = self.comm.rank() * WIDTH;
        self.columns.iter().enumerate().all(|(tensor, data)| {
            data.chunks(WIDTH).enumerate().all(|(row, own)| {
                let wanted = (first..first + WIDTH).map(|column| element(tensor, row, column));
                own.iter().copied().eq(wanted)
            })
        })
    }
}

#[test]
fn ranks_that_take_steps_on_one_thread_move_a_batch() {
    let mut ranks = on_each(local(RANKS).unwrap(), Rank::prepare);
    // The second run keeps what the first one laid out.
    for _ in 0..2 {
        ranks.iter_mut().for_each(|rank| rank.columns.iter_mut().for_each(|data| data.fill(0.0)));
        assert!(ranks.iter().all(|rank| !rank.has_its_columns()));
        let run = |rank: &Rank| TransferRun::new(&rank.transfer, &rank.comm, None).unwrap();
        let mut runs: Vec<_> = ranks.iter().map(run).collect();
        let mut steps = 0;
        let mut done = [false; RANKS];
        while done.contains(&false) {
            for (at, rank) in ranks.iter().enumerate() {
                done[at] = done[at] || unsafe { runs[at].step(&rank.comm, false) }.unwrap();
            }
            steps += 1;
            assert!(steps < 1000, "no rank goes on");
        }
        assert!(ranks.iter().all(Rank::has_its_columns));
        assert!(
            ranks.iter().all(|rank| rank.rows[0][0] == element(0, rank.comm.rank() * WIDTH, 0))
        );
    }
}

#[test]
fn a_run_that_was_finished_may_be_asked_again() {
    let ranks = on_each(local(RANKS).unwrap(), |comm| {
        let rank = Rank::prepare(comm);
        let mut run = TransferRun::new(&rank.transfer, &rank.comm, None).unwrap();
        unsafe { run.finish(&rank.comm) }.unwrap();
        assert!(unsafe { run.step(&rank.comm, false) }.unwrap());
        assert!(TransferRun::new(&rank.transfer, &rank.comm, None).is_err(), "it still runs");
        drop(run);
        rank
    });
    assert!(ranks.iter().all(Rank::has_its_columns));
}

#[test]
fn requests_of_all_ranks_go_on_in_turn_on_one_thread() {
    let mut ranks = on_each(local(RANKS).unwrap(), Rank::prepare);
    for _ in 0..2 {
        ranks.iter_mut().for_each(|rank| rank.columns.iter_mut().for_each(|data| data.fill(0.0)));
        let comms: Vec<_> = local(RANKS)
            .unwrap()
            .into_iter()
            .map(|comm| SharedCommunicator::new(comm).unwrap())
            .collect();
        let start = |(rank, comm): (&Rank, &SharedCommunicator)| {
            Request::new(comm, run_work(&rank.transfer, comm, None).unwrap()).unwrap()
        };
        let mut requests: Vec<_> = ranks.iter().zip(&comms).map(start).collect();
        let mut test_all = || {
            let done = requests.iter_mut().map(|request| unsafe { request.test() }.unwrap());
            done.filter(|done| *done).count() == RANKS
        };
        assert!(!test_all());
        assert!((0..1000).any(|_| test_all()), "no request goes on");
        assert!(ranks.iter().all(Rank::has_its_columns));
        // The communicators are free again.
        comms.iter().for_each(|comm| comm.check_unclaimed().unwrap());
    }
}

/// Work that does what is asked of it.
struct Odd {
    panics: bool,
    finished: Arc<AtomicUsize>,
}

impl Work for Odd {
    unsafe fn step(&mut self, _: &dyn Communicator, _: bool) -> Result<bool> {
        assert!(!self.panics, "thrown");
        Ok(false)
    }

    unsafe fn finish(&mut self, _: &dyn Communicator) -> Result<()> {
        self.finished.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn completed(&self) -> u64 {
        0
    }
}

#[test]
fn a_panic_in_a_call_is_the_result_of_the_request() {
    let comm = SharedCommunicator::new(local(1).unwrap().remove(0)).unwrap();
    let finished = Arc::new(AtomicUsize::new(0));
    let work = Box::new(Odd { panics: true, finished: finished.clone() });
    let mut request = Request::new(&comm, work).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| unsafe { request.test() })).is_err());
    for _ in 0..2 {
        let error = unsafe { request.wait() }.unwrap_err();
        assert_eq!(error.to_string(), "a panic ended a call of the request");
    }
    assert_eq!(finished.load(Ordering::Relaxed), 0);
    comm.check_unclaimed().unwrap();
}

/// A communicator that exchanges nothing and can't abort.
struct Deaf;

impl Communicator for Deaf {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        2
    }

    unsafe fn exchange(&self, _: &[Outgoing], _: &[Incoming]) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_request_that_is_dropped_early_is_completed_where_others_can_not_be_woken() {
    for (comm, wanted) in [
        (SharedCommunicator::new(Deaf).unwrap(), 1),
        (SharedCommunicator::new(local(2).unwrap().remove(0)).unwrap(), 0),
    ] {
        let finished = Arc::new(AtomicUsize::new(0));
        let work = Box::new(Odd { panics: false, finished: finished.clone() });
        let mut request = Request::new(&comm, work).unwrap();
        assert!(!unsafe { request.test() }.unwrap());
        assert!(comm.check_unclaimed().is_err());
        drop(request);
        assert_eq!(finished.load(Ordering::Relaxed), wanted);
        comm.check_unclaimed().unwrap();
    }
}
