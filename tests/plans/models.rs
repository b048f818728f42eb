//! Whole models: every parameter of published ones as tensor-parallel, expert-parallel and fully sharded
//! loaders cut it, at every usual degree. Either the layout is what a loader's own arithmetic says, or it
//! is refused for the reason that the arithmetic has.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::single_range_in_vec_init,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, buffers are made to fit, and lists of ranges \
              may have one"
)]

use std::collections::HashSet;

use crate::common::copies::reshard;
use crate::common::loaders::{
    Loading, ROWS, built, common, cut_of, div_ceil, length, normal, ranges_of,
};
use crate::common::models::{Family, Model, Parameter, models};
use crate::common::tensor::of_bytes;
use shardspec::model::{
    Cut, Error, Mesh, MeshCut, MeshLayout, ModelError, Pad, PadTo, Rule, RuleKind, Segments,
    ShardedTensorMetadata,
};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::{CopyOptions, HostView};

const DEGREES: [i64; 7] = [1, 2, 3, 4, 6, 8, 16];

/// The degrees at which every parameter of a model is cut evenly.
fn legal_degrees(model: &Model) -> &'static [i64] {
    match model.family {
        // 12 heads, and an MLP of 3072 features.
        Family::Gpt2 { .. } => &[1, 2, 3, 4, 6],
        // 16 to 128 query heads, none a multiple of 3. Heads of keys and values are fewer: 8 of them, or 4,
        // are shared by 16 ranks.
        _ => &[1, 2, 4, 8, 16],
    }
}

fn is_sparse(model: &Model) -> bool {
    matches!(model.family, Family::Experts { .. } | Family::Latent { .. })
}

/// All ways to load a model on small meshes.
fn loadings(model: &Model) -> Vec<Loading> {
    let mut loadings: Vec<Loading> = DEGREES.map(|k| Loading::new(2, 1, k)).into();
    if is_sparse(model) {
        loadings.extend(DEGREES.map(|k| Loading::new(2, k, 1)));
        loadings.extend(DEGREES.map(|k| Loading::new(2, 4, k)));
    }
    loadings.iter().flat_map(|&one| [one, Loading { fsdp: true, ..one }]).collect()
}

fn innermost(error: &Error) -> &Error {
    match error {
        Error::At { error, .. } => innermost(error),
        other => other,
    }
}

/// Elements of a plan's pieces.
fn planned(plan: &ReshardPlan) -> i64 {
    plan.pieces().map(|piece| piece.sizes.iter().product::<i64>()).sum()
}

/// Asserts that the shards cover the tensor, that each element has one primary owner, and that every
/// shard gets all that it has.
fn check_covers(metadata: &ShardedTensorMetadata) {
    let shards = metadata.shared_shards();
    let (sizes, properties) = (metadata.sizes(), *metadata.properties());
    ShardedTensorMetadata::with_replicas(shards, sizes, properties).unwrap();
    let strict = ShardedTensorMetadata::new(shards, sizes, properties);
    let all: i64 = shards.iter().map(|shard| shard.elements().unwrap()).sum();
    // Without replicas, shards have as many elements as the tensor, and none of them twice.
    assert_eq!(strict.is_ok(), all == metadata.numel());
    assert!(metadata.has_replicas() || strict.is_ok());
    assert_eq!(planned(&ReshardPlan::to_whole(metadata).unwrap()), metadata.numel());
    assert_eq!(planned(&ReshardPlan::from_whole(metadata, None).unwrap()), all);
}

/// Asserts that every shard is what a loader's arithmetic says.
fn check_shards(metadata: &ShardedTensorMetadata, loading: &Loading, parameter: &Parameter) {
    assert_eq!(metadata.shards().len() as i64, loading.device_count());
    for (device, shard) in metadata.shards().iter().enumerate() {
        let expected = loading.ranges(parameter, device as i64);
        for (dim, (expected, &size)) in expected.iter().zip(&parameter.sizes).enumerate() {
            let context = || format!("{} dimension {dim} of device {device}", parameter.name);
            assert_eq!(shard.sizes[dim], length(expected), "{} {loading:?}", context());
            let found = normal(&ranges_of(shard.dim(dim)), size);
            assert_eq!(found, normal(expected, size), "{} {loading:?}", context());
        }
    }
}

#[test]
fn the_shapes_are_those_of_the_published_models() {
    for model in models() {
        let all = model.parameters().iter().map(|one| one.numel() * one.count).sum::<i64>();
        assert_eq!(all, model.numel, "{}", model.name);
    }
}

#[test]
fn every_parameter_is_cut_as_loaders_cut_it_or_refused_for_what_does_not_divide() {
    for model in models() {
        for loading in loadings(&model) {
            for parameter in model.parameters() {
                let context = format!("{}, {} {loading:?}", model.name, parameter.name);
                let expected = loading.refusal(&parameter);
                let may_be_cut = parameter.splits.iter().all(|split| {
                    let k = loading.size(split.axis);
                    let size = match parameter.is_vocabulary {
                        true => div_ceil(parameter.sizes[0], ROWS * k) * ROWS * k,
                        false => parameter.sizes[split.dim],
                    };
                    cut_of(&split.segments, k, false).check_length(size, k).is_ok()
                });
                assert_eq!(may_be_cut, expected.is_none(), "{context}");
                match (loading.build(&parameter), expected) {
                    (Ok(metadata), None) => {
                        check_shards(&metadata, &loading, &parameter);
                        check_covers(&metadata);
                    }
                    (Err(error), Some((at, why))) => match innermost(&error) {
                        Error::Model(ModelError::IllegalCut { dim, problem, .. }) => {
                            assert_eq!((*dim, *problem), (Some(at), why), "{context}");
                        }
                        _ => panic!("{context}: {error}"),
                    },
                    (Ok(_), Some(_)) => panic!("{context}: not refused"),
                    (Err(error), None) => panic!("{context}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_model_has_the_degrees_that_its_heads_have() {
    for model in models() {
        let is_legal = |&k: &i64| {
            let build = |one: &Parameter| Loading::new(2, 1, k).build(one).is_ok();
            model.parameters().iter().all(build)
        };
        let legal: Vec<i64> = DEGREES.into_iter().filter(is_legal).collect();
        assert_eq!(legal, legal_degrees(&model), "{}", model.name);
    }
}

#[test]
fn a_refused_degree_says_which_heads_do_not_divide() {
    let message = |name: &str, parameter: &str, k| {
        let model = models().into_iter().find(|model| model.name == name).unwrap();
        let parameters = model.parameters();
        let parameter = parameters.iter().find(|one| one.name == parameter).unwrap();
        Loading::new(2, 1, k).build(parameter).unwrap_err().to_string()
    };
    assert_eq!(
        message("Llama-3 8B", "o_proj", 3),
        "cuts[0]: dimension 1: 4096 does not divide into 3 equal pieces of whole units of 128; pad to \
         4224 or drop 'even'"
    );
}

/// Dealt as evenly as heads allow, every degree is one.
#[test]
fn heads_and_their_groups_stay_whole_at_every_degree() {
    for model in models() {
        for k in DEGREES {
            for fsdp in [false, true] {
                let loading = Loading { balanced: true, fsdp, ..Loading::new(2, 1, k) };
                for parameter in model.parameters() {
                    let metadata = loading.build(&parameter).unwrap();
                    check_shards(&metadata, &loading, &parameter);
                    check_covers(&metadata);
                    if parameter.name == "qkv_proj" && !fsdp {
                        check_groups(&model, &metadata);
                    }
                }
            }
        }
    }
}

/// Asserts that no head is cut, and that a device has the keys and values of its queries and no others.
fn check_groups(model: &Model, metadata: &ShardedTensorMetadata) {
    let head = model.head_dim;
    let (q, kv) = (model.heads, model.kv_heads);
    for shard in metadata.shards().iter() {
        let mut groups = [HashSet::new(), HashSet::new(), HashSet::new()];
        for range in normal(&ranges_of(shard.dim(0)), i64::MAX) {
            assert_eq!((range.start % head, range.end % head), (0, 0));
            for head in range.start / head..range.end / head {
                let (part, group) = match head - q {
                    ..0 => (0, head / (q / kv)),
                    rest => (1 + rest / kv, rest % kv),
                };
                groups[part as usize].insert(group);
            }
        }
        assert_eq!(groups[0], groups[1]);
        assert_eq!(groups[1], groups[2]);
    }
}

/// A parameter as one row of elements, padded so that every rank has as many, as ZeRO and the first FSDP
/// have it; over `tp` rows of outputs before.
fn flat(parameter: &Parameter, dp: i64, tp: i64) -> MeshLayout {
    let (numel, ndim) = (parameter.numel(), parameter.sizes.len());
    let mut cuts = Vec::new();
    if tp > 1 {
        let rule = Rule { granule: numel / parameter.sizes[0], ..RuleKind::Balanced.into() };
        let cut = Cut { rule, segments: Segments::One };
        cuts.push(MeshCut::new(0, "tp", cut).unwrap());
    }
    let even = Rule { even: tp == 1, ..RuleKind::Chunk.into() };
    let cut = Cut { rule: even, segments: Segments::One };
    cuts.push(MeshCut::new(0, "dp", cut).unwrap());
    let pads = vec![Pad { dim: 0.into(), to: PadTo::Multiple(dp) }];
    let flatten = (ndim > 1).then_some(0..ndim);
    MeshLayout {
        cuts,
        pads: if tp == 1 { pads } else { Vec::new() },
        flatten,
        ..MeshLayout::default()
    }
}

#[test]
fn flattened_and_padded_parameters_are_dealt_in_equal_parts() {
    let gpt2 = models().into_iter().find(|model| model.name == "GPT-2").unwrap();
    for dp in DEGREES {
        let mesh = Mesh::new(&[("dp", dp)]).unwrap();
        for parameter in gpt2.parameters() {
            let layout = flat(&parameter, dp, 1);
            let metadata = built(mesh.clone(), layout, &parameter.sizes).unwrap();
            check_covers(&metadata);
            let per = div_ceil(parameter.numel(), dp);
            for (rank, shard) in metadata.shards().iter().enumerate() {
                assert_eq!(shard.sizes, [per]);
                let (start, end) = (rank as i64 * per, (rank as i64 + 1) * per);
                let expected = normal(&[start..end], parameter.numel());
                assert_eq!(normal(&ranges_of(shard.dim(0)), i64::MAX), expected);
            }
        }
    }
}

#[test]
fn flattened_rows_of_outputs_are_cut_once_more() {
    let gemma = models().into_iter().find(|model| model.name == "Gemma 2 9B").unwrap();
    for (dp, tp) in [(2, 2), (3, 2), (4, 3), (2, 8)] {
        let mesh = Mesh::new(&[("dp", dp), ("tp", tp)]).unwrap();
        for parameter in gemma.parameters().iter().filter(|one| one.sizes.len() == 2) {
            let layout = flat(parameter, dp, tp);
            let metadata = built(mesh.clone(), layout, &parameter.sizes).unwrap();
            check_covers(&metadata);
            let (rows, row) = (parameter.sizes[0], parameter.sizes[1]);
            for (device, shard) in metadata.shards().iter().enumerate() {
                let (dp_at, tp_at) = (device as i64 / tp, device as i64 % tp);
                let first = |at: i64| (rows / tp * at + at.min(rows % tp)) * row;
                let own = first(tp_at + 1) - first(tp_at);
                let per = div_ceil(own, dp);
                let start = first(tp_at) + (dp_at * per).min(own);
                let end = first(tp_at) + ((dp_at + 1) * per).min(own);
                assert_eq!(ranges_of(shard.dim(0)), [start..end]);
            }
        }
    }
}

/// Elements that stay on their device, and those that go to another.
fn traffic(plan: &ReshardPlan) -> [i64; 2] {
    let mut traffic = [0; 2];
    for route in plan.routes().unwrap().all() {
        traffic[usize::from(route.source != route.destination)] += route.elements;
    }
    traffic
}

/// Pairs of ways to load a model on 16 devices, between which it is resharded.
fn reshards(model: &Model) -> Vec<[Loading; 2]> {
    let full = |dp, ep, tp| Loading { fsdp: true, ..Loading::new(dp, ep, tp) };
    let tensor = |k: i64| full(16 / k, 1, k);
    let is_legal =
        |pair: &[Loading; 2]| pair.iter().all(|loading| legal_degrees(model).contains(&loading.tp));
    let degrees = [(1, 8), (8, 1), (2, 4), (4, 2), (8, 4), (16, 8), (4, 16)];
    let mut pairs: Vec<_> = degrees.map(|(from, to)| [tensor(from), tensor(to)]).into();
    // Trained fully sharded, served without; and with as many ranks as divide heads, 12 of 16.
    pairs.push([tensor(4), Loading { fsdp: false, ..tensor(4) }]);
    pairs.push([tensor(2), Loading { fsdp: false, ..tensor(8) }]);
    pairs.push([full(4, 1, 3), full(2, 1, 6)]);
    if is_sparse(model) {
        pairs.push([full(4, 4, 1), full(2, 8, 1)]);
        pairs.push([full(2, 4, 2), full(4, 1, 4)]);
        pairs.push([full(1, 8, 2), Loading { fsdp: false, ..full(2, 2, 4) }]);
    }
    pairs.retain(is_legal);
    pairs
}

#[test]
fn a_whole_model_moves_what_devices_do_not_have_yet() {
    for model in models() {
        for [from, to] in reshards(&model) {
            for parameter in model.parameters() {
                let [source, destination] = [from, to].map(|one| one.build(&parameter).unwrap());
                let plan = ReshardPlan::new(&source, &destination).unwrap();
                let (mut all, mut stay) = (0, 0);
                for device in 0..to.device_count() {
                    let own = to.ranges(&parameter, device);
                    let had = from.ranges(&parameter, device);
                    let real = own.iter().zip(&parameter.sizes);
                    all += real.map(|(own, &size)| length(&normal(own, size))).product::<i64>();
                    let both = own.iter().zip(&had).zip(&parameter.sizes);
                    stay += both
                        .map(|((own, had), &size)| common(&normal(own, size), &normal(had, size)))
                        .product::<i64>();
                }
                let context = || format!("{} {}: {from:?} to {to:?}", model.name, parameter.name);
                assert_eq!(planned(&plan), all, "{}", context());
                assert_eq!(traffic(&plan), [stay, all - stay], "{}", context());
            }
        }
    }
}

/// Row-major places in the tensor of all elements of a shard's buffer; `None` for holes.
fn places(loading: &Loading, parameter: &Parameter, device: i64) -> Vec<Option<i64>> {
    let ranges = loading.ranges(parameter, device);
    ranges.into_iter().zip(&parameter.sizes).fold(vec![Some(0)], |places, (own, size)| {
        let own: Vec<i64> = own.into_iter().flatten().collect();
        let step = |place: &Option<i64>, index: i64| {
            let is_hole = index >= *size;
            place.filter(|_| !is_hole).map(|place| place * size + index)
        };
        places.iter().flat_map(|place| own.iter().map(move |&at| step(place, at))).collect()
    })
}

#[test]
fn a_small_model_is_resharded_element_by_element() {
    let int32 = of_bytes(4);
    for model in models().iter().map(Model::small) {
        for [from, to] in reshards(&model) {
            for parameter in model.parameters() {
                let [source, destination] = [from, to].map(|one| one.build(&parameter).unwrap());
                let plan = ReshardPlan::new(&source, &destination).unwrap();
                let listed = |one: Loading| -> Vec<Vec<Option<i64>>> {
                    (0..one.device_count()).map(|at| places(&one, &parameter, at)).collect()
                };
                let (had, wanted) = (listed(from), listed(to));
                let value = |place: &Option<i64>| place.map_or(0, |place| place as i32 + 1);
                let mut sent: Vec<Vec<i32>> =
                    had.iter().map(|own| own.iter().map(value).collect()).collect();
                let mut got: Vec<Vec<i32>> = wanted.iter().map(|own| vec![-1; own.len()]).collect();
                let views = |metadata: &ShardedTensorMetadata, buffers: &mut [Vec<i32>]| {
                    let view = |(at, buffer): (usize, &mut Vec<i32>)| {
                        let shape = metadata.shards().get(at).unwrap().sizes;
                        let first = buffer.as_mut_ptr().cast();
                        (at, HostView::new("shard", first, int32, shape, None).unwrap())
                    };
                    buffers.iter_mut().enumerate().map(view).collect::<Vec<_>>()
                };
                let sources = views(&source, &mut sent);
                let destinations = views(&destination, &mut got);
                unsafe { reshard(&plan, &sources, &destinations, &CopyOptions::default()) }
                    .unwrap();
                let mut expected = [0; 2];
                for ((own, got), had) in wanted.iter().zip(&got).zip(&had) {
                    let filled: Vec<i32> = own.iter().map(value).collect();
                    assert_eq!(*got, filled, "{} {}", model.name, parameter.name);
                    let had: HashSet<i64> = had.iter().flatten().copied().collect();
                    for place in own.iter().flatten() {
                        expected[usize::from(!had.contains(place))] += 1;
                    }
                }
                assert_eq!(traffic(&plan), expected, "{} {}", model.name, parameter.name);
            }
        }
    }
}
