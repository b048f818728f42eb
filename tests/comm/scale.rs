//! What collectives cost as ranks and shards grow: exchanges and messages, counted. The tables of
//! `docs/scale.md` are these figures; run with `--nocapture` to see them.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::sync::atomic::{AtomicUsize, Ordering};

use shardspec::comm::{
    BatchTensor, Communicator, Gather, Incoming, Options, Outgoing, PreparedTransfer, Reshard,
    Scatter, ShardRanks, TensorLayouts, TensorMoves, TensorShards, gather, reshard, scatter,
    transfer,
};
use shardspec::memory::{Shared, Text};
use shardspec::model::{
    ChunkShardingSpec, DataType, Error, Placement, Result, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::transfer::{HostView, LocalShards};

use crate::common::copies::own;
use crate::common::ranks::{Counting, on_each};

const DOCUMENT: &str = include_str!("../../docs/scale.md");

/// The document has exactly these rows, one after the other.
fn assert_are_documented(rows: &[String]) {
    let rows = rows.join("\n");
    println!("{rows}");
    assert!(DOCUMENT.contains(&format!("|\n{rows}\n\n")), "docs/scale.md lacks the rows\n{rows}");
}

/// Chunks of dimension `dim`, dealt out to the ranks.
fn chunks(sizes: &[i64], dim: i64, count: usize, ranks: usize) -> ShardedTensorMetadata {
    let owners = (0..count).map(|chunk| Placement::on_rank((chunk % ranks) as i64).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), owners).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
}

/// Memory for the shards of one rank, all of one size.
struct Held {
    data: Vec<f32>,
    sizes: Vec<i64>,
    count: usize,
}

impl Held {
    fn new(metadata: &ShardedTensorMetadata, ranks: usize, rank: usize) -> Self {
        let owned =
            ShardRanks::new(metadata.shared_shards(), ranks).unwrap().shards_of(rank).unwrap();
        let sizes = metadata.shards().get(owned[0]).unwrap().sizes.to_vec();
        let numel: i64 = sizes.iter().product();
        Self { data: vec![0.0; numel as usize * owned.len()], sizes, count: owned.len() }
    }

    fn shards(
        &self, comm: &dyn Communicator, metadata: &ShardedTensorMetadata,
    ) -> Shared<LocalShards> {
        let place = |number| &self.data[number * self.data.len() / self.count..];
        let views: Vec<HostView> =
            (0..self.count).map(|number| view(place(number), &self.sizes)).collect();
        own(comm, metadata, &views).unwrap()
    }
}

fn view(data: &[f32], sizes: &[i64]) -> HostView {
    let first = data.as_ptr().cast_mut().cast();
    HostView::new("tensor", first, DataType::FLOAT32, sizes, None).unwrap()
}

fn ceil_log2(size: usize) -> usize {
    size.next_power_of_two().trailing_zeros() as usize
}

/// Exchanges, messages sent and messages received since the last time it was asked.
fn traffic(comm: &Counting) -> [usize; 3] {
    let traffic = &comm.traffic;
    [&traffic.exchanges, &traffic.messages_sent, &traffic.messages_received]
        .map(|counter| counter.swap(0, Ordering::Relaxed))
}

/// What each collective took on one rank, without its agreement.
type Counts = [[usize; 3]; 4];

/// Every collective on `size` ranks: a square of `size` rows and columns of which each owns one.
fn run_all(size: usize) -> Vec<Counts> {
    let side = size as i64;
    let (rows, columns) =
        (chunks(&[side, side], 0, size, size), chunks(&[side, side], 1, size, size));
    let options = Options::default();
    on_each(Counting::all(size), |comm| {
        let rank = comm.rank();
        let agreement = ceil_log2(size);
        let counted = |name: &str| {
            let [exchanges, sent, received] = traffic(&comm);
            assert!(sent >= agreement && received >= agreement, "{name} on rank {rank} of {size}");
            [exchanges - agreement, sent - agreement, received - agreement]
        };
        let (row, column) = (Held::new(&rows, size, rank), Held::new(&columns, size, rank));
        let full: Vec<f32> = (0..size * size).map(|number| number as f32).collect();
        let back = vec![0.0f32; size * size];
        let metadata = &rows;
        let mine = Scatter {
            metadata,
            source: 0,
            full: Some(view(&full, &[side, side])),
            shards: row.shards(&comm, &rows),
            options,
        };
        unsafe { scatter::<Error>(&comm, mine) }.unwrap();
        assert!(row.data.iter().zip(&full[rank * size..]).all(|(got, wanted)| got == wanted));
        let sharded = counted("shard");
        let gathered = [Some(0), None].map(|destination| {
            let full = Some(view(&back, &[side, side]));
            let shards = row.shards(&comm, &rows);
            let mine = Gather { metadata, destination, shards, full, options };
            unsafe { gather::<Error>(&comm, mine) }.unwrap();
            assert!(back == full_of(size) || destination == Some(0) && rank > 0);
            counted("gather")
        });
        let mine = Reshard {
            source: &rows,
            source_shards: row.shards(&comm, &rows),
            destination: &columns,
            destination_shards: column.shards(&comm, &columns),
            options,
        };
        unsafe { reshard::<Error>(&comm, mine) }.unwrap();
        assert!((0..size).all(|at| column.data[at] == (at * size + rank) as f32));
        [sharded, gathered[0], gathered[1], counted("reshard")]
    })
}

fn full_of(size: usize) -> Vec<f32> {
    (0..size * size).map(|number| number as f32).collect()
}

#[test]
fn messages_grow_as_the_logarithm_for_the_agreement_and_as_the_pieces_for_the_data() {
    let mut rows = Vec::new();
    for size in [2, 3, 4, 7, 16, 64, 512] {
        let counts = run_all(size);
        // The one who has the tensor, and everybody else.
        let others = size - 1;
        for (rank, [sharded, to_one, to_all, resharded]) in counts.iter().enumerate() {
            let [sent, received] = if rank == 0 { [others, 0] } else { [0, 1] };
            assert_eq!(sharded[1..], [sent, received], "shard on rank {rank}");
            assert_eq!(to_one[1..], [received, sent], "gather on rank {rank}");
            assert_eq!(to_all[1..], [others, others], "gather to all on rank {rank}");
            assert_eq!(resharded[1..], [others, others], "reshard on rank {rank}");
        }
        let most = |collective: usize| counts.iter().map(|all| all[collective][0]).max().unwrap();
        let rounds: Vec<String> = (0..4).map(|all| most(all).to_string()).collect();
        let (agreement, rounds) = (ceil_log2(size), rounds.join(", "));
        let both = 2 * others;
        rows.push(format!(
            "| {size} | {agreement} | {others} | {others} | {both} | {both} | {rounds} |"
        ));
    }
    assert_are_documented(&rows);
}

/// The shards of a rank that has none.
fn none_of(comm: &dyn Communicator, metadata: &ShardedTensorMetadata) -> Shared<LocalShards> {
    own(comm, metadata, &[]).unwrap()
}

/// How many ranks have the columns of [`run_batch`].
const TAKERS: usize = 16;

/// A batch of `count` tensors of `size` rows, of which each rank owns one, and of 16 columns, which go to
/// the first 16 ranks. Exchanges, messages sent and received by each rank: of the batch at once, of its
/// preparation and of each of two runs.
fn run_batch(size: usize, count: usize) -> Vec<[[usize; 3]; 4]> {
    let takers = TAKERS.min(size);
    let sizes = [size as i64, takers as i64];
    let (rows, columns) = (chunks(&sizes, 0, size, size), chunks(&sizes, 1, takers, takers));
    on_each(Counting::all(size), |comm| {
        let rank = comm.rank();
        let all = |metadata: &ShardedTensorMetadata| -> Vec<Held> {
            (0..count).map(|_| Held::new(metadata, size, rank)).collect()
        };
        let (mut mine, mut parts) = (all(&rows), Vec::new());
        for (tensor, held) in mine.iter_mut().enumerate() {
            let first = (tensor * size * takers + rank * takers) as f32;
            (0..takers).for_each(|at| held.data[at] = first + at as f32);
        }
        if rank < takers {
            parts = all(&columns);
        }
        let moves = moves_between(&comm, &rows, &columns);
        let tensors: Vec<BatchTensor> = (0..count)
            .map(|tensor| {
                let destination = match parts.get(tensor) {
                    Some(held) => held.shards(&comm, &columns),
                    None => none_of(&comm, &columns),
                };
                BatchTensor {
                    tag: Shared::try_new(Text::copy(&format!("layers.{tensor}"))).unwrap(),
                    moves: moves.clone(),
                    dtype: None,
                    shards: TensorShards { source: mine[tensor].shards(&comm, &rows), destination },
                }
            })
            .collect();
        let check = |parts: &[Held]| {
            for (tensor, held) in parts.iter().enumerate() {
                let wanted = |row: usize| (tensor * size * takers + row * takers + rank) as f32;
                assert!((0..size).all(|row| held.data[row] == wanted(row)), "tensor {tensor}");
            }
        };
        unsafe { transfer::<Error>(&comm, &tensors, Options::default()) }.unwrap();
        check(&parts);
        let at_once = traffic(&comm);
        let prepared = PreparedTransfer::new(&comm, &tensors, Options::default()).unwrap();
        prepared.agree(&comm).unwrap();
        let (prepared, preparing) = (Shared::try_new(prepared).unwrap(), traffic(&comm));
        let runs = [0, 1].map(|_| {
            unsafe { PreparedTransfer::run::<Error>(&prepared, &comm, None) }.unwrap();
            check(&parts);
            traffic(&comm)
        });
        [at_once, preparing, runs[0], runs[1]]
    })
}

#[test]
fn a_batch_takes_as_many_messages_as_one_tensor() {
    let mut rows = Vec::new();
    for (size, count) in [(4, 1), (4, 100), (64, 100), (512, 1), (512, 100)] {
        let counts = run_batch(size, count);
        let (agreement, takers) = (ceil_log2(size), TAKERS.min(size));
        for (rank, [at_once, preparing, run, again]) in counts.iter().enumerate() {
            let others = |all: usize, is_one: bool| all - usize::from(is_one);
            let sent = others(takers, rank < takers);
            let received = if rank < takers { size - 1 } else { 0 };
            assert_eq!(at_once[1..], [agreement + sent, agreement + received], "rank {rank}");
            assert_eq!(*preparing, [agreement; 3], "rank {rank}");
            assert_eq!((run, again), (at_once, at_once), "rank {rank}");
        }
        let exchanges = counts.iter().map(|all| all[0][0] - agreement).max().unwrap();
        let (sent, received) = (takers.min(size - 1), size - 1);
        rows.push(format!(
            "| {size} | {count} | {agreement} | {agreement} | {sent} | {received} | {exchanges} |"
        ));
    }
    assert_are_documented(&rows);
}

#[test]
fn a_batch_on_ten_thousand_ranks_takes_what_the_model_says() {
    let (size, count) = (10_000, 100);
    let sizes = [size as i64, TAKERS as i64];
    let (rows, columns) = (chunks(&sizes, 0, size, size), chunks(&sizes, 1, TAKERS, TAKERS));
    let mut lines = Vec::new();
    for (name, rank) in [("one with a column", 0), ("another", TAKERS)] {
        let comm = Alone::new(rank, size);
        let all = |metadata: &ShardedTensorMetadata| -> Vec<Held> {
            (0..count).map(|_| Held::new(metadata, size, rank)).collect()
        };
        let (mine, parts) = (all(&rows), if rank < TAKERS { all(&columns) } else { Vec::new() });
        let moves = moves_between(&comm, &rows, &columns);
        let tensor = |tensor: usize| BatchTensor {
            tag: Shared::try_new(Text::copy(&format!("layers.{tensor}"))).unwrap(),
            moves: moves.clone(),
            dtype: None,
            shards: TensorShards {
                source: mine[tensor].shards(&comm, &rows),
                destination: match parts.get(tensor) {
                    Some(held) => held.shards(&comm, &columns),
                    None => none_of(&comm, &columns),
                },
            },
        };
        let tensors: Vec<_> = (0..count).map(tensor).collect();
        let prepared = PreparedTransfer::new(&comm, &tensors, Options::default()).unwrap();
        prepared.agree(&comm).unwrap();
        let agreement = ceil_log2(size);
        assert_eq!(comm.counts(), [agreement, 2 * agreement, 2 * agreement * 1024]);
        let prepared = Shared::try_new(prepared).unwrap();
        unsafe { PreparedTransfer::run::<Error>(&prepared, &comm, None) }.unwrap();
        let [exchanges, messages, bytes] = comm.counts();
        let (exchanges, messages) = (exchanges - agreement, messages - 2 * agreement);
        let bytes = bytes - 2 * agreement * 1024;
        // A message to each other rank with a column, and one from each other rank to one with a column.
        let others = if rank < TAKERS { TAKERS - 1 + size - 1 } else { TAKERS };
        assert_eq!((messages, bytes), (others, others * count * 4));
        lines.push(format!(
            "| {name} | {agreement} | {agreement} | {messages} | {exchanges} | {bytes} |"
        ));
    }
    assert_are_documented(&lines);
}

/// What a rank moves from one layout to another.
fn moves_between(
    comm: &dyn Communicator, source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata,
) -> Shared<TensorMoves> {
    let layouts = TensorLayouts::Pair { source: source.clone(), destination: destination.clone() };
    Shared::try_new(TensorMoves::new(comm, layouts).unwrap()).unwrap()
}

/// One rank of many that are not there: what it sends is counted, and what it receives is what it
/// sent last.
struct Alone {
    rank: usize,
    size: usize,
    exchanges: AtomicUsize,
    messages: AtomicUsize,
    bytes: AtomicUsize,
}

impl Alone {
    fn new(rank: usize, size: usize) -> Self {
        let (exchanges, messages, bytes) = Default::default();
        Self { rank, size, exchanges, messages, bytes }
    }

    /// Exchanges, messages and bytes since the last time it was asked.
    fn counts(&self) -> [usize; 3] {
        [&self.exchanges, &self.messages, &self.bytes].map(|all| all.swap(0, Ordering::Relaxed))
    }
}

impl Communicator for Alone {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        self.messages.fetch_add(sends.len() + receives.len(), Ordering::Relaxed);
        let bytes = sends.iter().map(|sent| sent.bytes).chain(receives.iter().map(|all| all.bytes));
        self.bytes.fetch_add(bytes.sum(), Ordering::Relaxed);
        // In the agreement all others are of this rank's opinion.
        if let ([sent], [received]) = (sends, receives) {
            assert_eq!(sent.bytes, received.bytes);
            unsafe { std::ptr::copy_nonoverlapping(sent.pointer, received.pointer, sent.bytes) };
        }
        Ok(())
    }
}

#[test]
fn ten_thousand_ranks_and_a_million_shards_cost_what_the_model_says() {
    let (ranks, count) = (10_000, 1_000_000);
    let sizes = [count as i64, 4];
    let metadata = chunks(&sizes, 0, count, ranks);
    let full = vec![1.0f32; count * 4];
    let mut rows = Vec::new();
    for (name, rank) in [("source", 0), ("another", 1)] {
        let comm = Alone::new(rank, ranks);
        let held = Held::new(&metadata, ranks, rank);
        let mine = Scatter {
            metadata: &metadata,
            source: 0,
            full: (rank == 0).then(|| view(&full, &sizes)),
            shards: held.shards(&comm, &metadata),
            options: Options::default(),
        };
        unsafe { scatter::<Error>(&comm, mine) }.unwrap();
        let [exchanges, messages, bytes] = comm.counts();
        let agreement = ceil_log2(ranks);
        // The 100 rows of each rank go in one message.
        assert_eq!(messages - 2 * agreement, if rank == 0 { ranks - 1 } else { 1 });
        let data = bytes - 2 * agreement * 1024;
        assert_eq!(data, 1600 * if rank == 0 { ranks - 1 } else { 1 });
        let [messages, exchanges] = [messages - 2 * agreement, exchanges - agreement];
        rows.push(format!("| {name} | {agreement} | {messages} | {exchanges} | {data} |"));
    }
    assert_are_documented(&rows);
}
