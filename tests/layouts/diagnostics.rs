//! All overlaps and all gaps, against looking at every pair and every element.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    reason = "tests fail by panicking"
)]

use crate::common::naive::{self, Marks};
use crate::common::{Boxes, Random, families};
use proptest::prelude::*;
use shardspec::geometry::Region;
use shardspec::model::ModelError;
use shardspec::model::error::More;
use shardspec::model::validate::{Overlap, gaps, overlaps};
use shardspec::model::{
    ChunkShardingSpec, EnumerableShardingSpec, Error, Placement, Placements, ShardMetadata,
    ShardedTensorMetadata, ShardingDim, ShardingSpec, Shards, TensorProperties, TensorShape,
    infer_sharding_spec, validate,
};
use shardspec::plan::ReshardPlan;

fn random_boxes(sizes: &[i64], count: usize, random: &mut Random) -> Boxes {
    let mut boxes = Boxes::new(sizes.len());
    for _ in 0..count {
        let offsets: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
        let lengths: Vec<i64> =
            sizes.iter().zip(&offsets).map(|(size, at)| random.range(0, size - at + 1)).collect();
        boxes.push(&offsets, &lengths);
    }
    boxes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn overlaps_are_those_of_comparing_each_pair(
        sizes in prop::collection::vec(1i64..9, 1..=4), count in 0usize..30, seed: u64, limit in 0usize..60,
    ) {
        let boxes = random_boxes(&sizes, count, &mut Random::new(seed));
        let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
        let all: Vec<Overlap> = pairs
            .filter_map(|(first, second)| {
                let region = naive::intersection(&boxes, first, second)?;
                Some(Overlap { first, second, region })
            })
            .collect();
        let shards = boxes.shards();
        prop_assert_eq!(&overlaps(&shards, usize::MAX).unwrap(), &all);
        let few = overlaps(&shards, limit).unwrap();
        prop_assert_eq!(&few[..], &all[..limit.min(all.len())]);
    }

    /// Gaps are owned by nobody, share nothing, and with the shards they are the whole tensor.
    #[test]
    fn gaps_are_all_that_is_left(
        sizes in prop::collection::vec(1i64..8, 1..=4), count in 0usize..12, apart: bool, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes = if apart {
            families::partition(&sizes, count + 1, &mut random).boxes
        } else {
            random_boxes(&sizes, count, &mut random)
        };
        for _ in 0..random.below(boxes.len() + 1) {
            boxes.remove(random.below(boxes.len()));
        }
        let found = gaps(&boxes.shards(), &sizes, usize::MAX).unwrap();
        prop_assert!(!found.more);
        let found = found.boxes;
        let mut holes = Boxes::new(sizes.len());
        let owned = Marks::new(&boxes, &sizes);
        for Region { offsets, sizes } in &found {
            prop_assert!(!sizes.contains(&0));
            prop_assert!(!owned.any_owned(offsets, sizes), "{:?}", found);
            holes.push(offsets, sizes);
        }
        prop_assert!(!naive::any_pair_meets(&holes), "{:?}", found);
        holes.extend(&boxes);
        prop_assert!(Marks::new(&holes, &sizes).all_owned(&vec![0; sizes.len()], &sizes), "{:?}", found);
    }

    /// The refusal names a box that can't be made longer in any dimension, and the first shard beside it.
    #[test]
    fn the_gap_of_a_refusal_is_as_long_as_it_can_be(
        sizes in prop::collection::vec(1i64..9, 1..=3), count in 2usize..14, seed: u64,
    ) {
        let mut random = Random::new(seed);
        let mut boxes = families::partition(&sizes, count, &mut random).boxes;
        for _ in 0..1 + random.below(boxes.len()) {
            boxes.remove(random.below(boxes.len()));
        }
        let refused = validate::check_tensor(&boxes.shards(), &sizes);
        let Err(Error::Model(ModelError::Gap { region, neighbour, .. })) = refused else {
            return Err(TestCaseError::fail(format!("{refused:?}")));
        };
        // The first box that shares something with the gap, if that is made longer in some dimension.
        let (low, lengths) = (&*region.offsets, &*region.sizes);
        let first_in = |dim: usize, before: i64, after: i64| {
            (0..boxes.len()).find(|&index| {
                let ranges = boxes.offsets(index).iter().zip(boxes.sizes(index)).zip(low.iter().zip(lengths));
                ranges.enumerate().all(|(own, ((&at, &size), (&low, &length)))| {
                    let [before, after] = if own == dim { [before, after] } else { [0, 0] };
                    at < low + length + after && low - before < at + size
                })
            })
        };
        prop_assert_eq!(first_in(0, 0, 0), None);
        let mut beside = Vec::new();
        for dim in 0..sizes.len() {
            let [before, after] = [first_in(dim, 1, 0), first_in(dim, 0, 1)];
            prop_assert!(low[dim] == 0 || before.is_some(), "{:?} is longer before", region);
            prop_assert!(low[dim] + lengths[dim] == sizes[dim] || after.is_some(), "{:?} is longer after", region);
            beside.extend(before.into_iter().chain(after));
        }
        prop_assert_eq!(neighbour.map(|(shard, _)| shard), beside.into_iter().min());
    }
}

#[test]
fn a_gap_that_is_a_box_is_told_as_one() {
    let mut random = Random::new(3);
    let families::Cut { sizes, mut boxes } =
        families::partition(&[1 << 20; 3], 20_000, &mut random);
    let mut removed = Vec::new();
    for index in [19_000, 7_000, 500, 20] {
        removed.push(Region::new(boxes.offsets(index), boxes.sizes(index)));
        boxes.remove(index);
    }
    removed.sort_by(|a, b| a.offsets.cmp(&b.offsets));
    assert_eq!(gaps(&boxes.shards(), &sizes, usize::MAX).unwrap().boxes, removed);
    assert_eq!(overlaps(&boxes.shards(), 10).unwrap(), []);
}

#[test]
fn shards_of_another_number_of_dimensions_are_refused() {
    let shards = Boxes::of(1, &[(&[0], &[1])]).shards();
    assert!(matches!(gaps(&shards, &[1, 1], 9), Err(Error::NdimMismatch { .. })));
    assert!(matches!(gaps(&shards, &[-1], 9), Err(Error::InvalidArgument { .. })));
    assert_eq!(gaps(&shards, &[0], 9).unwrap().boxes, []);
    assert_eq!(gaps(&shards, &[1], 9).unwrap().boxes, []);
}

fn shard(offsets: &[i64], sizes: &[i64], placement: &str) -> ShardMetadata {
    let placement = match placement {
        "" => Placement::NONE,
        text => text.parse().unwrap(),
    };
    ShardMetadata { offsets: offsets.to_vec(), sizes: sizes.to_vec(), placement }
}

fn list(shards: &[ShardMetadata]) -> Shards {
    Shards::from_list(shards).unwrap()
}

#[test]
fn a_list_of_no_shards_fits_any_tensor() {
    let nothing = list(&[]);
    let found = gaps(&nothing, &[8, 3], 5).unwrap();
    assert_eq!((found.boxes, found.more), (vec![Region::new(&[0, 0], &[8, 3])], false));
    assert_eq!(overlaps(&nothing, 5).unwrap(), []);

    let some = list(&[shard(&[0], &[4], "rank:0")]);
    let error = ReshardPlan::from_shards(nothing.clone(), some.clone()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no source shard holds [0:4], which destination shard 0 (rank:0/cpu) needs; pass sources \
         that hold all elements of the destinations"
    );
    let plan = ReshardPlan::from_shards(some, nothing.clone()).unwrap();
    assert_eq!((plan.len(), plan.destination().ndim()), (0, 1));
    assert_eq!(ReshardPlan::from_shards(nothing.clone(), nothing.clone()).unwrap().len(), 0);

    let metadata =
        |sizes: &[i64]| ShardedTensorMetadata::new(list(&[]), sizes, TensorProperties::default());
    assert_eq!(metadata(&[0, 5]).unwrap().shards().ndim(), 2);
    assert!(matches!(
        metadata(&[1, 5]),
        Err(Error::Model(ModelError::Gap { neighbour: None, .. }))
    ));
}

#[test]
fn shards_without_placements_are_taken_where_no_owner_is_needed() {
    let halves = list(&[shard(&[0], &[2], ""), shard(&[2], &[2], "")]);
    assert_eq!(overlaps(&halves, 9).unwrap(), []);
    assert_eq!(gaps(&halves, &[4], 9).unwrap().boxes, []);
    let placed = list(&[shard(&[0], &[4], "rank:0")]);
    let plan = ReshardPlan::from_shards(halves.clone(), placed.clone()).unwrap();
    assert_eq!((plan.len(), plan.is_local().unwrap()), (2, false));
    assert!(ReshardPlan::from_shards(halves.clone(), halves.clone()).unwrap().is_local().unwrap());
    assert_eq!(Placement::NONE.to_string(), "");
    assert_eq!((Placement::NONE.rank(), Placement::NONE.device()), (None, None));
    assert!(!Placement::NONE.same_owner(&"cpu".parse().unwrap()));
    assert!("".parse::<Placement>().is_err());

    // Where owners are asked for, the first shard that has none is named.
    let mixed = list(&[shard(&[0], &[2], "rank:0"), shard(&[2], &[2], "")]);
    let refused = |error: Error| {
        assert_eq!(error.to_string(), "shard 1 has no placement; pass one for each shard");
    };
    refused(EnumerableShardingSpec::new(mixed.clone()).unwrap_err());
    refused(infer_sharding_spec(mixed.clone()).map(|_| ()).unwrap_err());
    let properties = TensorProperties::default();
    refused(ShardedTensorMetadata::new(mixed.clone(), &[4], properties).unwrap_err());
    let placements = mixed.placements().iter().cloned();
    refused(ChunkShardingSpec::new(ShardingDim::Index(0), placements).unwrap_err());
}

#[test]
fn overlaps_and_gaps_are_refused_with_their_owners_and_with_how_many_more_there_are() {
    let refusal = |shards: &[ShardMetadata]| {
        validate::check_non_overlapping(&list(shards)).unwrap_err().to_string()
    };
    let two = [shard(&[0, 0], &[2, 4], "rank:1"), shard(&[1, 0], &[2, 4], "trainer0")];
    assert_eq!(
        refusal(&two),
        "shards 0 (rank:1/cpu) and 1 (trainer0/cpu) both own [1:2, 0:4]; shards must not overlap"
    );
    let [first, second] = two;
    let error = refusal(&[first.clone(), second.clone(), second.clone()]);
    assert!(error.contains(", and 2 other pairs overlap; "), "{error}");
    let many: Vec<_> = (0..40).map(|_| shard(&[0], &[1], "")).collect();
    let error = refusal(&many);
    assert!(
        error.ends_with(", and at least 100 other pairs overlap; shards must not overlap"),
        "{error}"
    );

    let tensor = |shards: &[ShardMetadata], sizes: &[i64]| {
        validate::check_tensor(&list(shards), sizes).unwrap_err()
    };
    assert_eq!(
        tensor(std::slice::from_ref(&first), &[4, 4]).to_string(),
        "no shard owns [2:4, 0:4], next to shard 0 (rank:1/cpu); the shards must cover the whole tensor"
    );
    let every_other: Vec<_> = (0..6).map(|at| shard(&[2 * at], &[1], "rank:0")).collect();
    assert!(matches!(
        tensor(&every_other, &[12]),
        Error::Model(ModelError::Gap { more: More { count: 5, all: true }, .. })
    ));
    let every_other: Vec<_> = (0..999).map(|at| shard(&[2 * at], &[1], "rank:0")).collect();
    let error = tensor(&every_other, &[1998]).to_string();
    assert!(error.contains(", and at least 100 other boxes have no owner; "), "{error}");
}

#[test]
fn a_tensor_without_dimensions_is_not_told_to_pass_another_dimension() {
    let placements = Placements::new(std::iter::once(Placement::on_rank(0).unwrap())).unwrap();
    let spec = ChunkShardingSpec::new(ShardingDim::Index(0), placements.iter().cloned()).unwrap();
    let error = spec.build_metadata(TensorShape::new(&[]), TensorProperties::default());
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("a tensor without dimensions can't be cut; list its one shard"),
        "{error}"
    );
}
