//! How long specs and metadata take: building chunks, validating boxes, and how validation grows
//! with the number of shards for families that are easy and hard in different ways.
//!
//! `cargo bench -p shardspec-benches --bench geometry`; criterion prints medians, and elements a second
//! are shards a second.

#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a benchmark stops at what should not happen"
)]
#![allow(missing_docs, reason = "criterion's macros make the functions")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use common::families::{self, Cut};
use common::{Boxes, Random};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shardspec::memory::{IntoShared, Shared};
use shardspec::model::{
    ChunkShardingSpec, Placement, Placements, ShardedTensorMetadata, ShardingDim, ShardingSpec,
    Shards, TensorProperties, TensorShape, validate,
};

/// What is asked when an enumerable spec is made and fitted to a tensor.
fn validated(shards: &shardspec::model::Shards, sizes: &[i64]) {
    validate::check_non_overlapping(black_box(shards)).unwrap();
    validate::check_tensor(black_box(shards), sizes).unwrap();
}

fn build(criterion: &mut Criterion) {
    const CHUNKS: i64 = 262_144;
    let placements = (0..CHUNKS).map(|rank| Placement::on_rank(rank % 4096).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(0), placements).unwrap();
    let mut group = criterion.benchmark_group("build_metadata");
    group.throughput(Throughput::Elements(CHUNKS as u64));
    group.bench_function("262144 chunks", |bencher| {
        let sizes = [1 << 30, 64];
        bencher.iter(|| {
            let shape = TensorShape::new(black_box(&sizes));
            spec.build_metadata(shape, TensorProperties::default()).unwrap()
        });
    });
    group.finish();
}

/// The shapes on which pairwise checks and plain sweeps take from 0.3 s to 19 s.
fn validate_16384(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("validate 16384");
    let shapes: [&[i64]; 5] = [&[128, 128], &[2, 8192], &[8192, 2], &[4, 4096], &[25, 25, 26]];
    for counts in shapes {
        let Cut { sizes, boxes } = families::grid(counts, &vec![4; counts.len()]);
        let shards = boxes.shards();
        let name = counts.iter().map(i64::to_string).collect::<Vec<_>>().join("x");
        group.throughput(Throughput::Elements(shards.len() as u64));
        group.bench_function(name, |bencher| bencher.iter(|| validated(&shards, &sizes)));
    }
    group.finish();
}

/// Time against the number of boxes: a near n·log(n) family keeps its shards a second nearly level.
fn validate_growth(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("validate growth");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    let mut random = Random::new(7);
    for exponent in [12, 14, 16, 18, 20] {
        let count = 1_i64 << exponent;
        let side = 1 << (exponent / 2);
        let cube = (count as f64).cbrt().round() as i64;
        let cuts = [
            ("grid 2-D", families::grid(&[side, side], &[4, 4])),
            ("grid 3-D", families::grid(&[cube; 3], &[4; 3])),
            ("slabs", families::slabs(count / 2)),
            ("partition 2-D", families::partition(&[1 << 30; 2], count as usize, &mut random)),
            ("partition 4-D", families::partition(&[1 << 15; 4], count as usize, &mut random)),
        ];
        for (name, Cut { sizes, boxes }) in cuts {
            let shards = boxes.shuffled(&mut random).shards();
            group.throughput(Throughput::Elements(shards.len() as u64));
            group.bench_function(BenchmarkId::new(name, shards.len()), |bencher| {
                bencher.iter(|| validated(&shards, &sizes));
            });
        }
    }
    group.finish();
}

/// Metadata of a million boxes, from flat arrays that are copied first. Boxes in the order of a loop over
/// the tensor are the usual case; shuffled ones have no order that helps.
fn build_a_million(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("build 1048576");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    let mut random = Random::new(9);
    let cuts = [
        ("grid", families::grid(&[1024, 1024], &[64, 64])),
        ("grid 4-D", families::grid(&[32, 32, 32, 32], &[4; 4])),
        ("ragged", families::ragged(1024, 1024, &mut random)),
        ("partition", families::partition(&[1 << 30; 2], 1 << 20, &mut random)),
        ("slabs", families::slabs(1 << 19)),
    ];
    for (name, Cut { sizes, boxes }) in cuts {
        let count = boxes.len();
        let ranks = (0..count as i64).map(|shard| Placement::on_rank(shard / 1024).unwrap());
        let placements: Shared<_> = Placements::new(ranks).unwrap().into_shared().unwrap();
        group.throughput(Throughput::Elements(count as u64));
        for (order, Boxes { ndim, offsets, sizes: lengths }) in
            [("in order", boxes.clone()), ("shuffled", boxes.shuffled(&mut random))]
        {
            group.bench_function(BenchmarkId::new(name, order), |bencher| {
                bencher.iter(|| {
                    let (offsets, lengths) = (offsets.clone(), lengths.clone());
                    let shards = Shards::new(ndim, offsets, lengths, placements.clone()).unwrap();
                    ShardedTensorMetadata::new(shards, &sizes, TensorProperties::default()).unwrap()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, build, build_a_million, validate_16384, validate_growth);
criterion_main!(benches);
