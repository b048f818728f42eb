//! Shard and gather between threads, against plain indexing; and that ranks which disagree all learn
//! of it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::sync::Mutex;

use proptest::prelude::*;
use shardspec::comm::CommError;
use shardspec::comm::{
    Communicator, Gather, Options, Root, Scatter, ShardRanks, decline, gather, scatter,
};
use shardspec::model::ModelError;
use shardspec::model::{
    ChunkShardingSpec, DataType, Error, Placement, Result, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::transfer::HostView;
use shardspec::transfer::TransferError;

use crate::common::copies::with_full;

use crate::common::Random;
use crate::common::ranks::{on_all, within_a_second};
use crate::common::tensor::{Tensor, element_types, indices, of_bytes, packed, partition_among};

/// Some tensor, cut at random over some of the ranks, as a test works with it.
struct Case {
    metadata: ShardedTensorMetadata,
    size: usize,
    dtype: DataType,
    seed: u64,
    /// Whether every tensor is row-major without a gap.
    plain: bool,
}

impl Case {
    fn new(sizes: &[i64], cuts: usize, size: usize, dtype: DataType, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let owners: Vec<i64> = (0..=cuts).map(|_| random.below(size) as i64).collect();
        let owner = |shard: usize| Placement::on_rank(owners[shard % owners.len()]).unwrap();
        let shards = partition_among(sizes, cuts, owner, &mut random);
        let metadata = ShardedTensorMetadata::new(shards, sizes, TensorProperties::default());
        Self { metadata: metadata.unwrap(), size, dtype, seed, plain: random.below(3) == 0 }
    }

    fn tensor(&self, sizes: &[i64], random: &mut Random) -> Tensor {
        let plain = self.plain || random.below(3) == 0;
        Tensor::new(sizes, self.dtype, plain, random)
    }

    /// Places for the shards of a rank.
    fn held(&self, rank: usize) -> (Vec<usize>, Vec<Tensor>) {
        let mut random = Random::new(self.seed ^ (rank as u64 + 1) << 32);
        let owned = ShardRanks::new(self.metadata.shared_shards(), self.size)
            .unwrap()
            .shards_of(rank)
            .unwrap();
        let sizes = |&index: &usize| self.metadata.shards().get(index).unwrap().sizes.to_vec();
        let tensors = owned.iter().map(|index| self.tensor(&sizes(index), &mut random)).collect();
        (owned, tensors)
    }

    /// The limit differs from rank to rank.
    fn options(&self, rank: usize) -> Options {
        let limits = [1, 100, 1000, 1 << 16, Options::DEFAULT_MEMORY_LIMIT];
        let memory_limit = limits[(self.seed as usize + rank) % limits.len()];
        Options { memory_limit, ..Options::default() }
    }

    /// Shard of all elements `held` is `full`'s.
    fn assert_is_shard(&self, index: usize, held: &Tensor, full: &Tensor) {
        let shard = self.metadata.shards().get(index).unwrap();
        for at in indices(shard.sizes) {
            let global: Vec<i64> = at.iter().zip(shard.offsets).map(|(i, o)| i + o).collect();
            assert_eq!(held.element(&at), full.element(&global), "shard {index} at {at:?}");
        }
        assert_eq!(held.disturbed(), 0);
    }
}

fn shard_it(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, source: usize,
    full: Option<HostView>, shards: &[HostView], options: Options,
) -> Result<()> {
    let root = Root::One("source_rank", source);
    let shards = with_full(comm, metadata, shards, root, full)?;
    unsafe { scatter(comm, Scatter { metadata, source, full, shards, options }) }
}

fn gather_it(
    comm: &dyn Communicator, metadata: &ShardedTensorMetadata, destination: Option<usize>,
    shards: &[HostView], full: Option<HostView>, options: Options,
) -> Result<()> {
    let root = destination.map_or(Root::All, |rank| Root::One("destination_rank", rank));
    let shards = with_full(comm, metadata, shards, root, full)?;
    unsafe { gather(comm, Gather { metadata, destination, shards, full, options }) }
}

fn views(tensors: &mut [Tensor]) -> Vec<HostView> {
    tensors.iter_mut().map(Tensor::view).collect()
}

/// Shards a tensor from `source`, gathers it on one rank and then on all, and looks at every byte.
fn round_trips(case: &Case, source: usize, destination: usize) {
    let mut random = Random::new(case.seed);
    let mut full = case.tensor(case.metadata.sizes(), &mut random);
    full.fill(&mut random);
    // One rank's thread reads it.
    let full_view = full.view();
    let compare = |got: &Tensor| {
        for at in indices(case.metadata.sizes()) {
            assert_eq!(got.element(&at), full.element(&at), "at {at:?}");
        }
        assert_eq!(got.disturbed(), 0);
    };
    on_all(case.size, |rank, comm| {
        let options = case.options(rank);
        let (owned, mut held) = case.held(rank);
        let held_views = views(&mut held);
        let own_full = (rank == source).then_some(full_view);
        shard_it(comm, &case.metadata, source, own_full, &held_views, options).unwrap();
        for (&index, held) in owned.iter().zip(&held) {
            case.assert_is_shard(index, held, &full);
        }
        let mut random = Random::new(case.seed + rank as u64);
        for to in [Some(destination), None] {
            let mut back = case.tensor(case.metadata.sizes(), &mut random);
            let view = Some(back.view());
            gather_it(comm, &case.metadata, to, &held_views, view, options).unwrap();
            if to.is_none_or(|to| to == rank) {
                compare(&back);
            } else {
                assert_eq!(untouched(&back), back.bytes.len(), "on rank {rank}");
            }
        }
    });
}

/// How many bytes are still what they were before anything was written.
fn untouched(tensor: &Tensor) -> usize {
    tensor.bytes.iter().filter(|&&byte| byte == crate::common::tensor::GUARD).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn shards_are_what_indexing_gives_and_gathering_gives_the_tensor_back(
        sizes in prop::collection::vec(0i64..6, 0..=5), cuts in 0usize..12, size in 1usize..8,
        dtype in prop::sample::select(element_types()), seed: u64,
    ) {
        let case = Case::new(&sizes, cuts, size, dtype, seed);
        round_trips(&case, seed as usize % size, seed as usize / 7 % size);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn larger_tensors_take_many_rounds_and_arrive_all_the_same(
        rows in 30i64..60, columns in 30i64..60, cuts in 0usize..40, size in 1usize..5,
        dtype in prop::sample::select(vec![of_bytes(8), packed(4, 1)]), seed: u64,
    ) {
        let case = Case::new(&[rows, columns], cuts, size, dtype, seed);
        round_trips(&case, seed as usize % size, seed as usize / 7 % size);
    }
}

fn chunks(sizes: &[i64], dim: i64, owners: &[i64]) -> ShardedTensorMetadata {
    let owners = owners.iter().map(|&rank| Placement::on_rank(rank).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), owners).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
}

#[test]
fn two_threads_share_the_work_and_the_answer_is_the_same() {
    // Enough for a thread that copies: 3 MiB, in pieces that are packed and in pieces that are not.
    for (dim, owners) in [(0, [2, 0, 1]), (1, [0, 1, 2]), (1, [1, 1, 0])] {
        let metadata = chunks(&[1024, 768], dim, &owners);
        let case = Case { metadata, size: 3, dtype: of_bytes(4), seed: 4, plain: true };
        let source: Vec<u32> = (0..1024 * 768).collect();
        let view_of = |data: &[u32]| {
            let first = data.as_ptr().cast_mut().cast();
            let dtype = shardspec::model::DataType { code: 1, bits: 32, lanes: 1 };
            HostView::new("full", first, dtype, &[1024, 768], None).unwrap()
        };
        for memory_limit in [1 << 14, 1 << 20, 64 << 20] {
            on_all(3, |rank, comm| {
                let options = Options { memory_limit, ..Options::default() };
                let (_, mut held) = case.held(rank);
                let held = held.iter_mut().map(|tensor| {
                    let dtype = view_of(&source).dtype();
                    let view = tensor.view();
                    HostView::new("shard", view.first(), dtype, view.shape(), None).unwrap()
                });
                let held: Vec<HostView> = held.collect();
                let full = (rank == 1).then(|| view_of(&source));
                shard_it(comm, &case.metadata, 1, full, &held, options).unwrap();
                let back = vec![0u32; source.len()];
                let view = Some(view_of(&back));
                gather_it(comm, &case.metadata, None, &held, view, options).unwrap();
                assert!(back == source, "limit {memory_limit}, dimension {dim}, rank {rank}");
            });
        }
    }
}

/// What each rank of three calls, in place of sharding by rows from rank 0.
fn disagreeing(
    wrong: usize, call: impl Fn(&dyn Communicator) -> Result<()> + Sync,
) -> Vec<Result<()>> {
    let metadata = chunks(&[6, 2], 0, &[0, 1, 2]);
    let untouched = Mutex::new(Vec::new());
    let results = within_a_second(|| {
        on_all(3, |rank, comm| {
            let mut random = Random::new(0);
            let mut full = Tensor::new(&[6, 2], of_bytes(4), true, &mut random);
            let mut held = [Tensor::new(&[2, 2], of_bytes(4), true, &mut random)];
            let (view, views) = (Some(full.view()), views(&mut held));
            let result = if rank == wrong {
                call(comm)
            } else {
                shard_it(comm, &metadata, 0, view, &views, Options::default())
            };
            untouched.lock().unwrap().push(self::untouched(&held[0]) == held[0].bytes.len());
            // The communicator is as good as before.
            if result.is_err() {
                shard_it(comm, &metadata, 0, view, &views, Options::default()).unwrap();
            }
            result
        })
    });
    assert_eq!(untouched.into_inner().unwrap(), [true; 3], "a destination was written");
    results
}

fn assert_disagreement(result: &Result<()>, culprit: usize, said: &[&str]) {
    match result {
        Err(Error::Comm(CommError::Disagreement { rank, message, .. })) => {
            assert_eq!(*rank, culprit as i64, "{message}");
            for said in said {
                assert!(message.contains(said), "{message:?} lacks {said:?}");
            }
        }
        other => panic!("{other:?} is no disagreement"),
    }
}

#[test]
fn a_wrong_buffer_on_one_rank_is_told_on_all() {
    let metadata = chunks(&[6, 2], 0, &[0, 1, 2]);
    for wrong in 0..3 {
        let results = disagreeing(wrong, |comm| {
            let mut random = Random::new(0);
            let mut full = Tensor::new(&[6, 2], of_bytes(4), true, &mut random);
            let mut held = Tensor::new(&[2, 3], of_bytes(4), true, &mut random);
            let (full, held) = (full.view(), held.view());
            shard_it(comm, &metadata, 0, Some(full), &[held], Options::default())
        });
        for (rank, result) in results.iter().enumerate() {
            if rank == wrong {
                // The culprit gets its own refusal.
                let Err(Error::At { argument: "shards", index: 0, error, .. }) = result else {
                    panic!("{result:?} does not say which argument");
                };
                let expected = matches!(&**error, Error::Model(ModelError::ShapeMismatch { shard, got: 3, .. })
                    if *shard == Some(wrong));
                assert!(expected, "{error:?}");
                continue;
            }
            assert_disagreement(result, wrong, &["size 3 in dimension 1, expected 2"]);
            assert_disagreement(result, wrong, &["shards[0]"]);
            let Err(Error::Comm(CommError::Disagreement { status, shard, dim, index, .. })) =
                result
            else {
                panic!("{result:?} is no disagreement");
            };
            assert_eq!((*status, *shard, *dim, *index), (13, Some(wrong), Some(1), Some(0)));
        }
    }
}

#[test]
fn the_lowest_of_several_culprits_is_told_and_each_gets_its_own_refusal() {
    let metadata = chunks(&[6, 2], 0, &[0, 1, 2]);
    let results = within_a_second(|| {
        on_all(3, |rank, comm| match rank {
            0 => shard_it(comm, &metadata, 0, None, &[], Options::default()),
            _ => Err(decline(
                comm,
                Error::Comm(CommError::TransportFailed { what: format!("of rank {rank}").into() }),
            )),
        })
    });
    assert_eq!(
        results[0],
        Err(Error::Comm(CommError::NoFull { role: Some("source_rank"), rank: 0 }))
    );
    let said = results[0].as_ref().unwrap_err().to_string();
    assert_eq!(said, "full: is NULL on source_rank 0; pass the tensor there");
    assert_eq!(
        results[2],
        Err(Error::Comm(CommError::TransportFailed { what: "of rank 2".into() }))
    );
}

#[test]
fn other_calls_and_other_arguments_are_told_on_all() {
    let rows = chunks(&[6, 2], 0, &[0, 1, 2]);
    let more_rows = chunks(&[7, 2], 0, &[0, 1, 2]);
    let reversed = chunks(&[6, 2], 0, &[2, 1, 0]);
    type Call<'a> =
        &'a (dyn Fn(&dyn Communicator, Option<HostView>, &[HostView]) -> Result<()> + Sync);
    let calls: [(Call<'_>, &[&str]); 4] = [
        (
            &|comm, full, held| gather_it(comm, &rows, Some(0), held, full, Options::default()),
            &[
                "gather(3 shards of [6, 2], destination_rank 0)",
                "scatter(3 shards of [6, 2], source_rank 0)",
            ],
        ),
        (
            &|comm, full, held| shard_it(comm, &rows, 1, full, held, Options::default()),
            &["source_rank 1", "source_rank 0"],
        ),
        (
            &|comm, full, held| shard_it(comm, &reversed, 0, full, held, Options::default()),
            &["with other shards or properties"],
        ),
        (
            &|comm, full, held| gather_it(comm, &rows, None, held, full, Options::default()),
            &["all ranks"],
        ),
    ];
    for (call, said) in calls {
        let results = disagreeing(1, |comm| {
            let mut random = Random::new(0);
            let mut full = Tensor::new(&[6, 2], of_bytes(4), true, &mut random);
            let mut held = Tensor::new(&[2, 2], of_bytes(4), true, &mut random);
            let (full, held) = (full.view(), held.view());
            call(comm, Some(full), &[held])
        });
        for result in &results {
            assert_disagreement(result, 1, said);
        }
    }
    let results = disagreeing(2, |comm| {
        let mut held = Tensor::new(&[1, 2], of_bytes(4), true, &mut Random::new(0));
        shard_it(comm, &more_rows, 0, None, &[held.view()], Options::default())
    });
    for result in &results {
        assert_disagreement(result, 2, &["[7, 2]", "[6, 2]"]);
    }
}

#[test]
fn element_types_that_differ_are_told_on_all() {
    let metadata = chunks(&[6, 2], 0, &[0, 1, 2]);
    let results = disagreeing(1, |comm| {
        let mut held = Tensor::new(&[2, 2], of_bytes(8), true, &mut Random::new(0));
        shard_it(comm, &metadata, 0, None, &[held.view()], Options::default())
    });
    for result in &results {
        assert_disagreement(result, 1, &["uint16x4", "uint16x2"]);
    }
}

#[test]
fn placements_that_are_no_rank_of_the_communicator_are_refused_with_their_text() {
    let spec = |owner: &str| {
        let owners = ["rank:0", owner].map(|text| Placement::parse(text).unwrap());
        let spec = ChunkShardingSpec::new(ShardingDim::Index(0), owners.into_iter()).unwrap();
        spec.build_metadata(TensorShape::new(&[6, 2]), TensorProperties::default()).unwrap()
    };
    for owner in ["trainer0/cpu", "cuda:1", "rank:2/cuda:0"] {
        let metadata = spec(owner);
        let results = on_all(2, |_, comm| {
            shard_it(comm, &metadata, 0, None, &[], Options::default()).unwrap_err().to_string()
        });
        for said in results {
            assert!(said.contains("shard 1") && said.contains(&format!("'{owner}'")), "{said}");
        }
    }
}

#[test]
fn a_rank_outside_the_communicator_is_refused() {
    let metadata = chunks(&[6, 2], 0, &[0, 1]);
    let results = on_all(2, |_, comm| {
        let error = shard_it(comm, &metadata, 2, None, &[], Options::default()).unwrap_err();
        assert_eq!(error, Error::IndexOutOfRange { argument: "source_rank", index: 2, count: 2 });
        gather_it(comm, &metadata, Some(9), &[], None, Options::default()).unwrap_err()
    });
    for error in results {
        assert_eq!(
            error,
            Error::IndexOutOfRange { argument: "destination_rank", index: 9, count: 2 }
        );
    }
}

#[test]
fn buffers_that_share_memory_are_refused_before_anything_moves() {
    let metadata = chunks(&[6, 2], 0, &[0, 1, 1]);
    let results = on_all(2, |rank, comm| {
        let mut random = Random::new(0);
        let mut full = Tensor::new(&[6, 2], of_bytes(4), true, &mut random);
        let mut held = Tensor::new(&[2, 2], of_bytes(4), true, &mut random);
        // Rank 1 passes one buffer for both of its shards.
        let held = vec![held.view(); rank + 1];
        shard_it(comm, &metadata, 0, Some(full.view()), &held, Options::default())
    });
    assert_disagreement(&results[0], 1, &["shards 1 and 2 share memory"]);
    assert!(
        matches!(results[1], Err(Error::Transfer(TransferError::Aliased { .. }))),
        "{:?}",
        results[1]
    );
}
