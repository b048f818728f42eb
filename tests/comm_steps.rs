//! Transfers that take steps: no step waits for another rank, so one thread moves the tensors of all.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use shardspec::comm::{
    BatchTensor, Communicator, LocalCommunicator, Options, PreparedTransfer, TensorLayouts,
    TensorShards, TransferRun, local,
};
use shardspec::memory::{Shared, Text};
use shardspec::model::{
    ChunkShardingSpec, DataType, Placement, ShardedTensorMetadata, ShardingDim, ShardingSpec,
    TensorProperties, TensorShape,
};
use shardspec::transfer::HostView;

mod common;

use common::copies::own;
use common::ranks::on_each;

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
        let tensors = (0..TENSORS).map(|at| BatchTensor {
            tag: Shared::try_new(Text::copy(&format!("tensor {at}"))).unwrap(),
            layouts: TensorLayouts::Pair {
                source: source.clone(),
                destination: destination.clone(),
            },
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
