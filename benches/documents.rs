//! How fast layouts are written and read as JSON and as bytes: a million boxes on 1,024 ranks.
//!
//! `cargo bench -p shardspec-benches --bench documents`; criterion prints medians, and bytes a second.
//! Reading metadata checks its shards for overlaps and gaps, which takes longer than to read them; "checks
//! only" is that part.

#![allow(clippy::unwrap_used, reason = "a benchmark stops at what should not happen")]
#![allow(missing_docs, reason = "criterion's macros make the functions")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use common::families;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use shardspec::interchange::{
    metadata_from_binary, metadata_from_json, metadata_to_binary, metadata_to_json,
};
use shardspec::model::{
    Placement, Placements, ShardedTensorMetadata, Shards, TensorProperties, validate,
};

fn metadata() -> ShardedTensorMetadata {
    let families::Cut { sizes, boxes } = families::grid(&[1024, 1024], &[64, 64]);
    let count = i64::try_from(boxes.offsets.len() / 2).unwrap();
    let ranks = (0..count).map(|shard| Placement::on_rank(shard / 1024).unwrap());
    let placements = Placements::new(ranks).unwrap();
    let shards = Shards::new(2, boxes.offsets, boxes.sizes, placements).unwrap();
    ShardedTensorMetadata::new(shards, &sizes, TensorProperties::default()).unwrap()
}

fn million_shards(criterion: &mut Criterion) {
    let metadata = metadata();
    let bytes = metadata_to_binary(&metadata).unwrap().to_vec().unwrap();
    let text = metadata_to_json(&metadata).unwrap();
    let mut group = criterion.benchmark_group("1048576 boxes");
    group.sample_size(10).warm_up_time(Duration::from_millis(500));
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("write bytes", |bencher| {
        bencher.iter(|| metadata_to_binary(black_box(&metadata)).unwrap().to_vec().unwrap());
    });
    group.bench_function("read bytes and check", |bencher| {
        bencher.iter(|| metadata_from_binary(black_box(&bytes)).unwrap());
    });
    group.bench_function("checks only", |bencher| {
        bencher.iter(|| {
            let shards = black_box(metadata.shards());
            validate::check_non_overlapping(shards).unwrap();
            validate::check_tensor(shards, metadata.sizes()).unwrap();
        });
    });
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("write JSON", |bencher| {
        bencher.iter(|| metadata_to_json(black_box(&metadata)).unwrap());
    });
    group.bench_function("read JSON and check", |bencher| {
        bencher.iter(|| metadata_from_json(black_box(text.as_bytes())).unwrap());
    });
    group.finish();
}

criterion_group!(benches, million_shards);
criterion_main!(benches);
