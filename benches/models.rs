//! How long the layouts of whole models take: laying every parameter out, checking that its shards
//! cover it, planning from one loader's layout to another's, and adding up who sends how much to whom.
//!
//! `cargo bench -p shardspec-benches --bench models`; elements a second are parameters a second.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a benchmark stops at what should not happen"
)]
#![allow(missing_docs, reason = "criterion's macros make the functions")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use common::loaders::{Loading, built};
use common::models::{Family, Model, Parameter, models};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use shardspec::model::ShardedTensorMetadata;
use shardspec::plan::ReshardPlan;

/// Every parameter of every layer.
fn all_parameters(model: &Model) -> Vec<Parameter> {
    let copies = |one: Parameter| (0..one.count).map(move |_| one.clone());
    model.parameters().into_iter().flat_map(copies).collect()
}

fn laid_out(loading: &Loading, parameters: &[Parameter]) -> Vec<ShardedTensorMetadata> {
    let mesh = loading.mesh();
    let lay_out = |one: &Parameter| built(mesh.clone(), loading.layout(one), &one.sizes).unwrap();
    parameters.iter().map(lay_out).collect()
}

fn check(metadata: &ShardedTensorMetadata) -> ShardedTensorMetadata {
    let (sizes, properties) = (metadata.sizes(), *metadata.properties());
    ShardedTensorMetadata::with_replicas(metadata.shared_shards(), sizes, properties).unwrap()
}

/// A plan between layouts of which nobody has asked anything, and the elements that it sends.
fn sent(source: &ShardedTensorMetadata, destination: &ShardedTensorMetadata) -> i64 {
    let plan = ReshardPlan::new(source, destination).unwrap();
    let routes = plan.routes().unwrap();
    let sent = routes.all().iter().filter(|route| route.source != route.destination);
    sent.map(|route| route.elements).sum()
}

/// From fully sharded training to another degree, and to copies that serve; between such copies; and
/// from one division of experts to another.
fn pairs(model: &Model) -> Vec<(&'static str, [Loading; 2])> {
    let full = |dp, ep, tp| Loading { fsdp: true, ..Loading::new(dp, ep, tp) };
    let copies = Loading::new(16, 1, 8);
    let mut pairs = vec![
        ("fsdp 16 x tp 8 to fsdp 32 x tp 4", [full(16, 1, 8), full(32, 1, 4)]),
        ("fsdp 16 x tp 8 to 16 copies of tp 8", [full(16, 1, 8), copies]),
        ("16 copies of tp 8 to 32 of tp 4", [copies, Loading::new(32, 1, 4)]),
    ];
    if matches!(model.family, Family::Experts { .. } | Family::Latent { .. }) {
        let experts = [full(4, 8, 4), full(2, 4, 16)];
        pairs.push(("fsdp 4 x ep 8 x tp 4 to fsdp 2 x ep 4 x tp 16", experts));
    }
    pairs
}

fn measure(criterion: &mut Criterion, name: &str, model: &Model, parameters: &[Parameter]) {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(2));
    group.throughput(Throughput::Elements(parameters.len() as u64));
    for (name, [from, to]) in pairs(model) {
        group.bench_function(BenchmarkId::new("lay out", name), |bencher| {
            bencher.iter(|| laid_out(&from, black_box(parameters)));
        });
        group.bench_function(BenchmarkId::new("check", name), |bencher| {
            bencher.iter_batched_ref(
                || laid_out(&from, parameters),
                |all| all.iter().map(check).collect::<Vec<_>>(),
                BatchSize::PerIteration,
            );
        });
        group.bench_function(BenchmarkId::new("traffic", name), |bencher| {
            bencher.iter_batched_ref(
                || [from, to].map(|loading| laid_out(&loading, parameters)),
                |[from, to]| {
                    from.iter().zip(to.iter()).map(|(from, to)| sent(from, to)).sum::<i64>()
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// A dense model, one of few experts and one of many.
fn whole_models(criterion: &mut Criterion) {
    let measured = ["Llama-3 405B", "Mixtral 8x7B", "DeepSeek-V3"];
    for model in models().iter().filter(|model| measured.contains(&model.name)) {
        let name = |what: &str| format!("{}, {what}", model.name);
        measure(criterion, &name("one of each parameter"), model, &model.parameters());
        measure(criterion, &name("all parameters"), model, &all_parameters(model));
    }
}

criterion_group!(benches, whole_models);
criterion_main!(benches);
