//! The deliberate differences from torch, one test each: what torch does is in the comment, what
//! this library does is in the assertions. The list with its reasons is `docs/torch-parity.md`.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::Boxes;
use shardspec::geometry::Region;
use shardspec::model::ModelError;
use shardspec::model::spec::chunk_sharding_params;
use shardspec::model::{
    ChunkShardingSpec, EnumerableShardingSpec, Error, Placement, Result, ShardMetadata,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, Shards, TensorProperties, TensorShape,
    infer_compat_spec, infer_sharding_spec,
};

fn chunk_spec(dim: ShardingDim, chunks: i64) -> ChunkShardingSpec {
    let placements: Vec<_> = (0..chunks).map(|rank| Placement::on_rank(rank).unwrap()).collect();
    ChunkShardingSpec::new(dim, placements.into_iter()).unwrap()
}

fn build(spec: &dyn ShardingSpec, sizes: &[i64]) -> Result<ShardedTensorMetadata> {
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::TORCH_DEFAULT)
}

fn enumerable(boxes: &[(&[i64], &[i64])]) -> Result<EnumerableShardingSpec> {
    EnumerableShardingSpec::new(Boxes::of(boxes[0].0.len(), boxes).shards())
}

/// Offset and size of every shard in the first dimension.
fn intervals(metadata: &ShardedTensorMetadata) -> Vec<(i64, i64)> {
    metadata.shards().iter().map(|shard| (shard.offsets[0], shard.sizes[0])).collect()
}

/// torch refuses the metadata that its own chunk spec makes for 5 elements over 4 workers: the
/// empty fourth shard starts at 6. It refuses an empty box inside of another one, too.
#[test]
fn d1_an_empty_shard_owns_nothing() {
    let chunks = build(&chunk_spec(ShardingDim::Index(0), 4), &[5]).unwrap();
    assert_eq!(intervals(&chunks), [(0, 2), (2, 2), (4, 1), (6, 0)]);
    let same = EnumerableShardingSpec::new(chunks.shards().clone()).unwrap();
    assert_eq!(build(&same, &[5]).unwrap(), chunks);

    let inside = enumerable(&[(&[0, 0], &[4, 4]), (&[1, 1], &[0, 2]), (&[1, 1], &[2, 0])]);
    assert!(build(&inside.unwrap(), &[4, 4]).is_ok());
    let outside = enumerable(&[(&[0, 0], &[4, 4]), (&[9, 9], &[0, 7])]);
    assert!(build(&outside.unwrap(), &[4, 4]).is_ok());
    let only_empty = enumerable(&[(&[3, 3], &[0, 2])]);
    assert!(matches!(
        build(&only_empty.unwrap(), &[4, 4]),
        Err(Error::Model(ModelError::Gap { .. }))
    ));
}

/// torch asks `if not dim` to see whether it knows the cut dimension, so dimension 0 is forgotten
/// as soon as a shard starts elsewhere in another one: it says "chunk, dim 1" here.
#[test]
fn d2_inference_treats_dimension_0_like_every_other() {
    let two_dims_cut: [(&[i64], &[i64]); 2] = [(&[2, 0], &[2, 3]), (&[0, 3], &[2, 3])];
    let shards = Boxes::of(2, &two_dims_cut).shards();
    assert_eq!(infer_compat_spec(shards).unwrap().type_name(), "enumerable");

    for dim in [0, 1] {
        let chunks = chunk_spec(ShardingDim::Index(dim), 3);
        let metadata = build(&chunks, &[6, 6]).unwrap();
        let inferred = infer_compat_spec(metadata.shards().clone()).unwrap();
        assert!(inferred.equals(&chunks), "{inferred:?}");
    }
}

/// torch accepts such a spec and divides by zero when it is asked to cut.
#[test]
fn d3_a_chunk_spec_without_placements_is_refused_when_it_is_made() {
    let none = ChunkShardingSpec::new(ShardingDim::Index(0), std::iter::empty());
    assert!(matches!(none, Err(Error::InvalidArgument { argument: "placements", .. })), "{none:?}");
}

/// Python's integers don't overflow.
#[test]
fn d4_what_would_overflow_64_bits_is_refused() {
    let rank = Placement::parse("rank:9223372036854775808");
    assert!(matches!(rank, Err(Error::Model(ModelError::InvalidPlacement { .. }))), "{rank:?}");
    assert_eq!(Placement::parse("rank:9223372036854775807").unwrap().rank(), Some(i64::MAX));

    let shard = |offset, size| ShardMetadata {
        offsets: vec![offset],
        sizes: vec![size],
        placement: Placement::on_rank(0).unwrap(),
    };
    let end = Shards::from_list(&[shard(i64::MAX, 1)]);
    assert!(matches!(end, Err(Error::Overflow { .. })), "{end:?}");
    assert!(Shards::from_list(&[shard(i64::MAX - 1, 1)]).is_ok());

    let chunks = chunk_spec(ShardingDim::Index(0), 3);
    let numel = build(&chunks, &[i64::MAX, 2]);
    assert!(matches!(numel, Err(Error::Overflow { .. })), "{numel:?}");
    assert_eq!(build(&chunks, &[i64::MAX, 0]).unwrap().numel(), 0);
    let largest = build(&chunks, &[i64::MAX]).unwrap();
    let third = i64::MAX / 3 + 1;
    assert_eq!(intervals(&largest), [(0, third), (third, third), (2 * third, third - 2)]);
}

/// torch takes whatever `str.isdigit` and `int` take, such as Arabic-Indic digits.
#[test]
fn d5_placement_ranks_are_ascii_digits() {
    for text in ["rank:\u{661}/cpu", "rank:\u{ff11}", "rank:1\u{662}/cuda:0", "rank:\u{b2}/cpu"] {
        let refused = Placement::parse(text);
        assert!(
            matches!(refused, Err(Error::Model(ModelError::InvalidPlacement { .. }))),
            "{text}: {refused:?}"
        );
    }
    assert_eq!(Placement::parse("rank:12/cpu").unwrap().rank(), Some(12));
}

/// torch raises `NotImplementedError` for named dimensions, and its chunk specs make metadata that
/// it does not accept itself when the last chunks are empty.
#[test]
fn d6_named_dimensions_and_empty_last_chunks_work() {
    let named = chunk_spec(ShardingDim::Name("width".into()), 2);
    let shape = TensorShape { sizes: &[4, 6], dim_names: Some(&["height", "width"]) };
    let by_name = named.build_metadata(shape, TensorProperties::TORCH_DEFAULT).unwrap();
    assert_eq!(by_name, build(&chunk_spec(ShardingDim::Index(1), 2), &[4, 6]).unwrap());

    let unknown = build(&named, &[4, 6]);
    assert!(matches!(unknown, Err(Error::Model(ModelError::UnknownDimName { .. }))), "{unknown:?}");

    let more_workers_than_elements = build(&chunk_spec(ShardingDim::Index(0), 4), &[2]).unwrap();
    assert_eq!(intervals(&more_workers_than_elements), [(0, 1), (1, 1), (2, 0), (3, 0)]);
    let inferred = infer_compat_spec(more_workers_than_elements.shards().clone()).unwrap();
    assert!(inferred.equals(&chunk_spec(ShardingDim::Index(0), 4)), "{inferred:?}");
}

/// torch says that two shards overlap, or that volumes differ.
#[test]
fn d7_errors_name_the_shards_the_dimension_and_the_box() {
    let overlap = enumerable(&[(&[0, 0], &[4, 3]), (&[4, 0], &[4, 6]), (&[2, 2], &[2, 4])]);
    let region = Region::new(&[2, 2], &[2, 1]);
    let overlap = overlap.unwrap_err();
    assert!(
        matches!(&overlap, Error::Model(ModelError::Overlap { first: 0, second: 2, region: both, .. }) if *both == region),
        "{overlap}"
    );

    let spec = enumerable(&[(&[0, 0], &[4, 3]), (&[4, 0], &[4, 6])]).unwrap();
    let region = Region::new(&[0, 3], &[4, 3]);
    let gap = build(&spec, &[8, 6]).unwrap_err();
    assert!(
        matches!(&gap, Error::Model(ModelError::Gap { region: hole, .. }) if *hole == region),
        "{gap}"
    );
    assert!(gap.to_string().contains("[0:4, 3:6]"), "{gap}");

    let out = build(&spec, &[8, 5]).unwrap_err();
    assert_eq!(
        out,
        Error::Model(ModelError::OutOfBounds { shard: 1, dim: 1, offset: 0, size: 6, limit: 5 })
    );
    for value in ["shard 1", "dimension 1", "6", "5"] {
        assert!(out.to_string().contains(value), "{out}");
    }

    let rank = build(&spec, &[8]).unwrap_err();
    assert!(matches!(rank, Error::NdimMismatch { got: 2, expected: 1, .. }), "{rank:?}");
}

/// torch keeps an index in 8 bits: `cuda:128` becomes `cuda:-128`, which it can't read back.
#[test]
fn d8_device_indices_above_127_are_refused() {
    assert_eq!(Placement::parse("rank:0/cuda:127").unwrap().device().unwrap().index(), Some(127));
    for text in ["cuda:128", "rank:0/cuda:128", "cuda:256", "worker/cuda:99999999999999999999"] {
        let refused = Placement::parse(text);
        // Without a worker, what is no device would be a worker's name, were it not for the ':'.
        assert!(
            matches!(refused, Err(Error::Model(ModelError::InvalidPlacement { .. }))),
            "{text}: {refused:?}"
        );
    }
}

/// torch compares the sorted sizes and the sorted offsets in the cut dimension, each by itself, and
/// looks at no other dimension: it says "chunk" to all of these, and cutting with that gives other
/// shards.
#[test]
fn d9_inference_says_chunk_only_when_cutting_so_gives_exactly_these_shards() {
    let other_dimension_differs: [(&[i64], &[i64]); 2] = [(&[0, 0], &[4, 2]), (&[0, 2], &[7, 2])];
    let sizes_at_other_offsets: [(&[i64], &[i64]); 3] =
        [(&[0, 0], &[4, 1]), (&[0, 2], &[4, 2]), (&[0, 4], &[4, 2])];
    for boxes in [&other_dimension_differs[..], &sizes_at_other_offsets[..]] {
        match infer_compat_spec(Boxes::of(2, boxes).shards()) {
            Ok(spec) => assert_eq!(spec.type_name(), "enumerable", "{boxes:?}"),
            Err(error) => panic!("{boxes:?}: {error}"),
        }
    }
}

/// torch answers position 0 and the last chunk's length.
#[test]
fn d10_chunk_sharding_params_refuses_a_rank_that_no_placement_names() {
    let spec = chunk_spec(ShardingDim::Index(0), 4);
    assert_eq!(chunk_sharding_params(&spec, 5, 4, 2), Ok((4, 1)));
    assert_eq!(chunk_sharding_params(&spec, 5, 4, 3), Ok((5, 0)));
    for rank in [4, -1, i64::MAX] {
        let refused = chunk_sharding_params(&spec, 5, 4, rank);
        assert!(matches!(refused, Err(Error::NotFound { .. })), "{rank}: {refused:?}");
    }
}

/// Cuts every tensor into the same two boxes.
#[derive(Debug)]
struct Careless;

impl ShardingSpec for Careless {
    fn type_name(&self) -> &str {
        "test.careless"
    }

    fn build_metadata(
        &self, shape: TensorShape<'_>, properties: TensorProperties,
    ) -> Result<ShardedTensorMetadata> {
        let shards = Boxes::of(1, &[(&[0], &[3]), (&[2], &[3])]).shards();
        ShardedTensorMetadata::new(shards, shape.sizes, properties)
    }

    fn equals(&self, other: &dyn ShardingSpec) -> bool {
        other.downcast_ref::<Self>().is_some()
    }

    fn hash_value(&self) -> u64 {
        0
    }
}

/// torch's `ShardedTensor` keeps whatever metadata a user's spec builds.
#[test]
fn d11_what_a_users_spec_builds_is_checked() {
    let refused = build(&Careless, &[5]).unwrap_err();
    assert!(
        matches!(refused, Error::Model(ModelError::Overlap { first: 0, second: 1, .. })),
        "{refused}"
    );
}

/// torch takes any name of a worker that holds no `:`.
#[test]
fn d12_control_characters_are_in_no_placement() {
    for text in ["worker\n", "a\u{1b}[2Jb/cpu", "\u{85}", "a\0b", "\u{7f}"] {
        let refused = Placement::parse(text).unwrap_err();
        assert!(matches!(refused, Error::Model(ModelError::InvalidPlacement { .. })), "{refused}");
        assert!(!refused.to_string().chars().any(char::is_control), "{refused}");
    }
    assert!(Placement::parse("müsli 1/cuda:0").is_ok());
}

/// torch knows no spec of a grid, and none of pieces that are no chunks.
#[test]
fn d14_inference_finds_grids_and_compat_gives_torchs_answer() {
    let grid: [(&[i64], &[i64]); 4] =
        [(&[0, 0], &[2, 3]), (&[0, 3], &[2, 3]), (&[2, 0], &[2, 3]), (&[2, 3], &[2, 3])];
    let pieces: [(&[i64], &[i64]); 2] = [(&[0], &[1]), (&[1], &[4])];
    for boxes in [&grid[..], &pieces[..]] {
        let shards = Boxes::of(boxes[0].0.len(), boxes).shards();
        assert_eq!(infer_compat_spec(shards.clone()).unwrap().type_name(), "enumerable");
        let spec = infer_sharding_spec(shards.clone()).unwrap();
        assert_eq!(spec.type_name(), "mesh");
        let sizes = if boxes.len() == 4 { &[4, 6][..] } else { &[5] };
        assert_eq!(*build(&*spec, sizes).unwrap().shards(), shards);
    }
}
