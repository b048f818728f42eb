//! Which degrees of parallelism the lengths of a model allow, and which length forbids the others.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a wrong index should fail the test"
)]

use crate::common::Random;
use crate::common::cuts::{dealt, indices_of, numbered_mesh};
use shardspec::model::{
    Cut, CutProblem, Error, LengthCut, MeshCut, MeshLayout, MeshShardingSpec, ModelError, Rule,
    RuleKind, Segment, Segments, ShardedTensorMetadata, ShardingSpec, TensorProperties,
    TensorShape, check_degrees, first_forbidding,
};

fn cut(rule: Rule) -> Cut {
    Cut { rule, segments: Segments::One }
}

fn even(granule: i64, repeat: i64) -> Cut {
    cut(Rule { granule, repeat, even: true, ..RuleKind::Chunk.into() })
}

fn build(length: i64, count: i64, cut: Cut) -> shardspec::model::Result<ShardedTensorMetadata> {
    let cuts = vec![MeshCut::new(0, "0", cut).unwrap()];
    let layout = MeshLayout { cuts, ..MeshLayout::default() };
    let spec = MeshShardingSpec::new(numbered_mesh(&[count]), layout)?;
    spec.build_metadata(TensorShape::new(&[length]), TensorProperties::default())
}

/// 32 heads of attention, 8 of keys and values, a hidden size of 4096 quantised in blocks of 128, and 60
/// experts.
#[test]
fn a_model_is_asked_which_degrees_it_allows_and_what_forbids_the_others() {
    let (heads, blocks) = (even(1, 1), even(128, 1));
    let kv_heads = even(1, Rule::REPEAT_AS_NEEDED);
    let lengths = |kv_heads| {
        [(32, &heads), (8, kv_heads), (4096, &blocks), (60, &heads)]
            .map(|(length, cut)| LengthCut { length, cut })
    };
    let all = check_degrees(&lengths(&kv_heads), 32).unwrap();
    let allowed = |all: &[Option<usize>]| -> Vec<usize> {
        (1..=all.len()).filter(|degree| all[degree - 1].is_none()).collect()
    };
    assert_eq!(allowed(&all), [1, 2, 4]);
    // The heads do not divide by 3; 60 experts do not by 8, 16 or 32.
    assert_eq!([all[2], all[7], all[15], all[31]], [Some(0), Some(3), Some(3), Some(3)]);

    let without_experts = |kv_heads| lengths(kv_heads)[..3].to_vec();
    let all = check_degrees(&without_experts(&kv_heads), 64).unwrap();
    assert_eq!(allowed(&all), [1, 2, 4, 8, 16, 32]);
    // Where no head is repeated, the heads of keys and values forbid more.
    let all = check_degrees(&without_experts(&heads), 64).unwrap();
    assert_eq!(allowed(&all), [1, 2, 4, 8]);
    assert_eq!([all[15], all[31], all[63]], [Some(1), Some(1), Some(0)]);

    let reason = |degree| first_forbidding(&lengths(&heads), degree).unwrap().unwrap();
    let (which, why) = reason(16);
    assert_eq!(which, 1);
    assert_eq!(why.to_string(), "8 does not divide into 16 equal pieces; pad to 16 or drop 'even'");
    assert_eq!(reason(3).0, 0);
    assert_eq!(first_forbidding(&lengths(&heads), 4).unwrap(), None);
}

#[test]
fn heads_fewer_than_coordinates_are_repeated_as_needed() {
    let kv_heads = || even(1, Rule::REPEAT_AS_NEEDED);
    for (count, repeat) in [(1, 1), (2, 1), (4, 1), (8, 2), (12, 3), (64, 16)] {
        let metadata = build(4, count, kv_heads()).unwrap();
        assert_eq!(metadata.has_replicas(), repeat > 1);
        let same = build(4, count, even(1, repeat)).unwrap();
        assert_eq!(metadata, same);
        if count == 8 {
            let heads: Vec<_> = (0..8).map(|rank| indices_of(metadata.shards(), rank)).collect();
            assert!(heads.iter().enumerate().all(|(rank, own)| own[0] == [rank as i64 / 2]));
        }
    }
    let refused = kv_heads().check_length(4, 6).unwrap_err();
    let problem = CutProblem::SharedUnits { units: 4, count: 6 };
    assert_eq!(refused, Error::Model(ModelError::IllegalCut { dim: None, problem }));
    assert_eq!(
        refused.to_string(),
        "6 coordinates can't share 4 units equally; pass a multiple of 4, or at most 4"
    );
    assert_eq!(
        build(4, 6, kv_heads()).unwrap_err().to_string(),
        "cuts[0]: dimension 0: 6 coordinates can't share 4 units equally; pass a multiple of 4, or at \
         most 4"
    );
    // What is listed has its number of pieces.
    let listed =
        Rule { repeat: Rule::REPEAT_AS_NEEDED, ..RuleKind::Sizes(vec![2, 2].into()).into() };
    assert_eq!(
        cut(listed).check_length(4, 2).unwrap_err().to_string(),
        "repeat: listed pieces can't be repeated as needed; pass a number"
    );
}

#[test]
fn every_small_length_is_repeated_as_lists_of_indices_are() {
    let kinds = [
        RuleKind::Chunk,
        RuleKind::Balanced,
        RuleKind::Cyclic { block: 1, first: 0 },
        RuleKind::Cyclic { block: 3, first: 1 },
    ];
    for length in 0..=12 {
        for count in 1..=12 {
            let whole: Vec<i64> = (0..length).collect();
            for (kind, granule) in kinds.iter().flat_map(|kind| (1..=3).map(move |g| (kind, g))) {
                if matches!(kind, RuleKind::Cyclic { .. }) && granule > 1 {
                    continue;
                }
                for segments in [Segments::One, Segments::Equal(2)] {
                    for even in [false, true] {
                        let repeat = Rule::REPEAT_AS_NEEDED;
                        let rule = Rule { kind: kind.clone(), granule, repeat, even };
                        let cut = Cut { rule, segments: segments.clone() };
                        let expected = dealt(&whole, count, &cut);
                        let built = build(length, count, cut.clone());
                        assert_eq!(cut.check_length(length, count).is_ok(), expected.is_some());
                        match (built, expected) {
                            (Ok(metadata), Some(expected)) => check(&metadata, &expected),
                            (Err(_), None) => {}
                            (built, _) => panic!("{length} over {count} by {cut}: {built:?}"),
                        }
                    }
                }
            }
        }
    }
}

fn check(metadata: &ShardedTensorMetadata, expected: &[Vec<i64>]) {
    for (shard, expected) in expected.iter().enumerate() {
        assert_eq!(indices_of(metadata.shards(), shard)[0], *expected);
    }
    let total: usize = expected.iter().map(Vec::len).sum();
    assert_eq!(metadata.has_replicas(), total as i64 > metadata.numel());
}

#[test]
fn many_lengths_at_once_are_each_asked_alone() {
    let mut random = Random::new(5);
    for _ in 0..200 {
        let random_cut = |random: &mut Random| {
            let kind = match random.below(4) {
                0 => RuleKind::Chunk,
                1 => RuleKind::Balanced,
                2 => RuleKind::Cyclic { block: random.range(1, 4), first: 0 },
                _ => RuleKind::Sizes((0..random.range(1, 5)).map(|_| 6).collect()),
            };
            let repeat = if random.below(2) == 0 { random.range(1, 4) } else { 1 };
            let rule =
                Rule { kind, granule: random.range(1, 4), repeat, even: random.below(2) == 0 };
            let segments = match random.below(3) {
                0 => Segments::Listed(
                    (0..2).map(|_| Segment { size: 12, rule: rule.clone() }).collect(),
                ),
                1 => Segments::Equal(2),
                _ => Segments::One,
            };
            Cut { rule, segments }
        };
        let cuts: Vec<Cut> = (0..random.range(0, 4)).map(|_| random_cut(&mut random)).collect();
        let lengths: Vec<_> = cuts.iter().map(|cut| LengthCut { length: 24, cut }).collect();
        let all = check_degrees(&lengths, 26).unwrap();
        for (degree, found) in (1..).zip(all) {
            let refused = |cut: &Cut| cut.check_length(24, degree).is_err();
            assert_eq!(found, cuts.iter().position(refused), "{degree}: {cuts:?}");
            let reason = first_forbidding(&lengths, degree).unwrap();
            let expected = found.map(|at| (at, cuts[at].check_length(24, degree).unwrap_err()));
            assert_eq!(reason, expected);
        }
    }
}

#[test]
fn numbers_that_no_degree_has_are_refused() {
    let (good, bad) = (even(1, 1), even(0, 1));
    let lengths = [(4, &good), (4, &bad)].map(|(length, cut)| LengthCut { length, cut });
    let refused = check_degrees(&lengths, 2).unwrap_err();
    assert_eq!(refused.to_string(), "cuts[1]: granule: 0 is too small; pass at least 1");
    let refused = check_degrees(&[LengthCut { length: -1, cut: &good }], 2).unwrap_err();
    assert_eq!(refused.to_string(), "cuts[0]: length: -1 is too small; pass at least 0");
    let refused = check_degrees(&[], 0).unwrap_err();
    assert_eq!(refused.to_string(), "max_degree: 0 is too small; pass at least 1");
    assert_eq!(check_degrees(&[], 3).unwrap(), [None, None, None]);
    assert!(check_degrees(&[], i64::MAX).is_err());
}
