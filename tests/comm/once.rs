//! Each element is sent to a rank once, however many destination shards of that rank hold it.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use shardspec::comm::{
    BatchTensor, Communicator, Options, TensorLayouts, TensorMoves, TensorShards, local, transfer,
};
use shardspec::memory::{Shared, Text};
use shardspec::model::{
    DataType, Error, Mesh, MeshCut, MeshLayout, MeshShardingSpec, ModelError, PartialAxis,
    Placement, Placements, Reduction, RuleKind, ShardedTensorMetadata, ShardingSpec, Shards,
    TensorProperties, TensorShape,
};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::{HostView, LocalShards, ShardArguments};

use crate::common::cuts::{elements_of, indices_of};
use crate::common::layouts::{Kinds, Layout, shards};
use crate::common::plans::{metadata, on_ranks};
use crate::common::ranks::{Counting, on_each};
use crate::common::{Boxes, Random};

/// What the ranks must send: an element for each rank that has it in a destination and in no source.
fn least_elements(size: usize, [source, destination]: [&Shards; 2], sizes: &[i64]) -> usize {
    let held = |shards: &Shards, rank: usize| -> BTreeSet<i64> {
        let own = (0..shards.len()).filter(|&shard| rank_of(shards, shard) == rank);
        own.flat_map(|shard| elements(shards, shard, sizes)).filter(|&it| it >= 0).collect()
    };
    (0..size).map(|rank| held(destination, rank).difference(&held(source, rank)).count()).sum()
}

fn rank_of(shards: &Shards, shard: usize) -> usize {
    shards.placements().get(shard).unwrap().rank().unwrap() as usize
}

/// The elements of a shard in the order of its buffer; -1 for a hole.
fn elements(shards: &Shards, shard: usize, sizes: &[i64]) -> Vec<i64> {
    elements_of(&indices_of(shards, shard), sizes)
}

/// Memory for the shards of a rank.
fn memory(shards: &Shards, own: &[usize]) -> Vec<Vec<i32>> {
    let numel = |&shard: &usize| shards.get(shard).unwrap().sizes.iter().product::<i64>() as usize;
    own.iter().map(|shard| vec![-7; numel(shard)]).collect()
}

fn own_shards(shards: &Shared<Shards>, own: &[usize], memory: &[Vec<i32>]) -> Shared<LocalShards> {
    let int32 = DataType { code: 0, bits: 32, lanes: 1 };
    let arguments = ShardArguments::SHARDS;
    let mut all = LocalShards::builder(shards, arguments, Some(int32), own.len()).unwrap();
    for (&shard, data) in own.iter().zip(memory) {
        let (first, sizes) = (data.as_ptr().cast_mut().cast(), shards.get(shard).unwrap().sizes);
        all.push(shard, &HostView::new("shard", first, int32, sizes, None).unwrap()).unwrap();
    }
    Shared::try_new(all.finish().unwrap()).unwrap()
}

/// Moves a tensor by the plan between two lists. Returns the bytes that were sent.
fn moved(size: usize, lists: [&Shards; 2], sizes: &[i64]) -> usize {
    let [source, destination] = lists.map(|list| Shared::try_new(list.clone()).unwrap());
    let plan = ReshardPlan::from_shards(source, destination).unwrap();
    moved_between(size, &TensorLayouts::Plan(Shared::try_new(plan).unwrap()), sizes)
}

/// Moves a tensor between layouts. Every destination shard gets its elements, and holes get zeros. Returns
/// the bytes that were sent.
fn moved_between(size: usize, layouts: &TensorLayouts, sizes: &[i64]) -> usize {
    let (source, destination) = (layouts.source(), layouts.destination());
    let bytes = on_each(Counting::all(size), |comm| {
        let mine = |list: &Shards| -> Vec<usize> {
            (0..list.len()).filter(|&shard| rank_of(list, shard) == comm.rank()).collect()
        };
        let (have, want) = (mine(source), mine(destination));
        let (mut from, to) = (memory(source, &have), memory(destination, &want));
        for (&shard, data) in have.iter().zip(&mut from) {
            let all = elements(source, shard, sizes);
            data.iter_mut().zip(all).for_each(|(place, element)| *place = element as i32 + 1);
        }
        let moves = TensorMoves::new(&comm, layouts.clone());
        let tensor = BatchTensor {
            tag: Shared::try_new(Text::from("field")).unwrap(),
            moves: Shared::try_new(moves.unwrap()).unwrap(),
            dtype: Some(DataType { code: 0, bits: 32, lanes: 1 }),
            shards: TensorShards {
                source: own_shards(source, &have, &from),
                destination: own_shards(destination, &want, &to),
            },
        };
        unsafe { transfer::<Error>(&comm, &[tensor], Options::default()) }.unwrap();
        for (&shard, data) in want.iter().zip(&to) {
            let expected = elements(destination, shard, sizes);
            // Holes are zeros.
            let expected: Vec<i32> = expected.iter().map(|&element| element as i32 + 1).collect();
            assert_eq!(*data, expected, "shard {shard} of {destination:?}");
        }
        comm.traffic.bytes_sent.load(Ordering::Relaxed)
    });
    let agreement = size.next_power_of_two().trailing_zeros() as usize * 1024;
    bytes.iter().map(|bytes| bytes - agreement).sum()
}

fn check(size: usize, lists: [&Shards; 2], sizes: &[i64]) {
    let expected = 4 * least_elements(size, lists, sizes);
    assert_eq!(moved(size, lists, sizes), expected, "{lists:?}");
}

/// Any boxes in a tensor, some of them equal.
fn random_boxes(random: &mut Random, sizes: &[i64], count: usize, ranks: usize) -> Shards {
    let mut rows: Vec<(Vec<i64>, Vec<i64>)> = Vec::new();
    for _ in 0..count {
        if random.below(4) == 0 && !rows.is_empty() {
            rows.push(rows[random.below(rows.len())].clone());
            continue;
        }
        let start: Vec<i64> = sizes.iter().map(|&size| random.range(0, size)).collect();
        let length = start.iter().zip(sizes).map(|(&at, &size)| random.range(0, size - at + 1));
        let length = length.collect();
        rows.push((start, length));
    }
    let placements = rows.iter().map(|_| Placement::on_rank(random.below(ranks) as i64).unwrap());
    let placements = Placements::new(placements.collect::<Vec<_>>().into_iter()).unwrap();
    let (offsets, lengths): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
    Shards::new(sizes.len(), offsets.concat(), lengths.concat(), placements).unwrap()
}

#[test]
fn a_rank_receives_an_element_once_whatever_of_its_boxes_overlap() {
    let mut random = Random::new(18);
    for _ in 0..150 {
        let ndim = 1 + random.below(3);
        let sizes: Vec<i64> = (0..ndim).map(|_| random.range(1, 9)).collect();
        let ranks = 1 + random.below(4);
        // Sources hold everything, some of it twice.
        let kinds = Kinds { replicas: true, flattened: false, ranks: ranks as i64 };
        let source = Layout::random(&mut random, &sizes, kinds);
        let count = random.below(9);
        let destination = random_boxes(&mut random, &sizes, count, ranks);
        check(ranks, [&source.shards, &destination], &sizes);
    }
}

#[test]
fn a_rank_receives_an_element_once_where_shards_are_no_boxes() {
    let mut random = Random::new(81);
    for _ in 0..100 {
        let sizes: Vec<i64> = (0..1 + random.below(2)).map(|_| random.range(1, 13)).collect();
        let ranks = 1 + random.below(4) as i64;
        let mut layout = |replicas| {
            Layout::random(&mut random, &sizes, Kinds { replicas, flattened: false, ranks })
        };
        let (source, one, other) = (layout(false), layout(true), layout(false));
        // Two layouts of the tensor at once: each element is in several shards, in parts of them.
        let both: Vec<_> = one.maps.iter().chain(&other.maps).cloned().collect();
        let destination = shards(&mut random, sizes.len(), &both, None, ranks);
        check(ranks as usize, [&source.shards, &destination], &sizes);
    }
}

#[test]
fn a_halo_of_blocks_of_one_rank_is_sent_once() {
    // Four blocks of four rows on each of two ranks, each with five rows more at both ends.
    let sizes = [32, 5];
    let list = |halo: i64| {
        let rows = (0..8).map(|block| {
            let (start, end) = ((4 * block - halo).max(0), (4 * block + 4 + halo).min(32));
            ([start, 0], [end - start, 5])
        });
        let (offsets, lengths): (Vec<_>, Vec<_>) = rows.unzip();
        let owners = (0..8).map(|block| Placement::on_rank(block / 4).unwrap());
        let placements = Placements::new(owners).unwrap();
        Shards::new(2, offsets.concat(), lengths.concat(), placements).unwrap()
    };
    // Only the five rows on either side of the border between the ranks are sent, although two blocks
    // of each rank have a row of these.
    let (source, destination) = (list(0), list(5));
    assert_eq!(moved(2, [&source, &destination], &sizes), 2 * 5 * 5 * 4);
}

/// Eight rows over two copies of two pieces: ranks 0 and 1 have two devices each, with a device of either copy.
fn copied(size: i64, partial: Vec<PartialAxis>) -> ShardedTensorMetadata {
    let places = ["rank:0/cuda:0", "rank:1/cuda:0", "rank:0/cuda:1", "rank:1/cuda:1"];
    let places = places.map(|place| place.parse::<Placement>().unwrap());
    let placements = Placements::new(places.into_iter()).unwrap();
    let mesh = Mesh::with_placements(&[("dp", 2), ("tp", 2)], placements).unwrap();
    let cuts = vec![MeshCut::new(0, "tp", RuleKind::Chunk).unwrap()];
    let spec = MeshShardingSpec::new(mesh, MeshLayout { cuts, partial, ..MeshLayout::default() });
    spec.unwrap().build_metadata(TensorShape::new(&[size]), TensorProperties::default()).unwrap()
}

/// The rows in reverse order of ranks.
fn reversed(size: i64) -> ShardedTensorMetadata {
    let halves = Boxes::of(1, &[(&[0], &[size / 2]), (&[size / 2], &[size / 2])]);
    metadata(on_ranks(&halves, &[1, 0]), &[size])
}

#[test]
fn a_rank_with_several_devices_receives_what_they_hold_once() {
    let pair = TensorLayouts::Pair { source: reversed(8), destination: copied(8, Vec::new()) };
    assert_eq!(moved_between(2, &pair, &[8]), 8 * 4);
}

#[test]
fn layouts_that_do_not_fit_are_refused_where_a_rank_holds_copies() {
    let partial = || vec![PartialAxis { axis: "dp".into(), reduction: Reduction::Sum }];
    let refused = |source, destination| {
        let comm = &local(2).unwrap()[0];
        TensorMoves::new(comm, TensorLayouts::Pair { source, destination }).unwrap_err()
    };
    let shape = refused(reversed(10), copied(8, Vec::new()));
    assert!(matches!(shape, Error::Model(ModelError::ShapeMismatch { .. })), "{shape}");
    for (source, destination) in
        [(copied(8, partial()), copied(8, Vec::new())), (reversed(8), copied(8, partial()))]
    {
        let sums = refused(source, destination);
        assert!(matches!(sums, Error::Model(ModelError::Partial { .. })), "{sums}");
    }
}
