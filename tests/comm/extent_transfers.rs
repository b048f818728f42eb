//! Shards that are no boxes, moved: scattered, extracted, gathered, resharded and sent between ranks, in
//! buffers of any strides and elements of any size, every bit compared.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use crate::common::Random;
use crate::common::copies::{self, own, with_full};
use crate::common::cuts::{elements_of, indices_of};
use crate::common::layouts::{Kinds, Layout};
use crate::common::meshes::random_spec;
use crate::common::ranks::on_all;
use crate::common::tensor::{Tensor, element_types, indices};
use shardspec::comm::{
    Communicator, Gather, Options, Reshard, Root, Scatter, ShardRanks, gather, reshard, scatter,
};
use shardspec::model::{
    DataType, Error, Result, ShardedTensorMetadata, ShardingSpec, Shards, TensorProperties,
    TensorShape,
};
use shardspec::plan::ReshardPlan;
use shardspec::transfer::{CopyOptions, HostView, view_shard};

/// How many ranks the collectives have, in turn.
const RANKS: [usize; 5] = [1, 2, 3, 4, 7];

/// A tensor in some layout.
struct Case {
    shards: Shards,
    /// For each shard, its elements as places in the row-major tensor, -1 for a hole.
    elements: Vec<Vec<i64>>,
    metadata: ShardedTensorMetadata,
}

impl Case {
    /// A random layout: shards listed with their dim maps, or cut over a mesh.
    fn new(random: &mut Random, sizes: &[i64], ranks: usize) -> Self {
        if random.below(2) == 0 {
            Self::listed(random, sizes, ranks)
        } else {
            Self::cut(random, sizes, ranks)
        }
    }

    fn cut(random: &mut Random, sizes: &[i64], ranks: usize) -> Self {
        let spec = random_spec(random, sizes, ranks as i64);
        let shape = TensorShape::new(sizes);
        let metadata = spec.build_metadata(shape, TensorProperties::default()).unwrap();
        let dims = metadata.shards().extents().flattening().map(|flat| flat.flat_sizes().unwrap());
        let dims = dims.unwrap_or(sizes.to_vec());
        let shard = |shard| elements_of(&indices_of(metadata.shards(), shard), &dims);
        let elements = (0..metadata.shards().len()).map(shard).collect();
        Self { shards: metadata.shards().clone(), elements, metadata }
    }

    fn listed(random: &mut Random, sizes: &[i64], ranks: usize) -> Self {
        let kinds = Kinds { replicas: true, flattened: true, ranks: ranks as i64 };
        let layout = Layout::random(random, sizes, kinds);
        let (shards, properties) = (layout.shards.clone(), TensorProperties::default());
        let metadata = if layout.replicated {
            ShardedTensorMetadata::with_replicas(shards, sizes, properties)
        } else {
            ShardedTensorMetadata::new(shards, sizes, properties)
        };
        Self { metadata: metadata.unwrap(), shards: layout.shards, elements: layout.elements }
    }

    fn buffer(&self, shard: usize, dtype: DataType, random: &mut Random) -> Tensor {
        let plain = random.below(3) == 0;
        Tensor::new(self.shards.get(shard).unwrap().sizes, dtype, plain, random)
    }

    fn buffers(&self, dtype: DataType, random: &mut Random) -> Vec<Tensor> {
        (0..self.elements.len()).map(|shard| self.buffer(shard, dtype, random)).collect()
    }

    /// A shard's buffer has the tensor's elements, and zeros in its holes.
    fn assert_is_shard(&self, shard: usize, buffer: &Tensor, full: &Tensor) {
        let all: Vec<_> = indices(&full.shape).collect();
        let elements = &self.elements[shard];
        for (index, &place) in indices(&buffer.shape).zip(elements) {
            let found = buffer.element(&index);
            match usize::try_from(place) {
                Ok(place) => assert_eq!(found, full.element(&all[place]), "{shard} {index:?}"),
                Err(_) => assert!(found.iter().all(|byte| *byte == 0), "{shard} {index:?}"),
            }
        }
        assert_eq!(buffer.disturbed(), 0);
    }
}

fn sizes(random: &mut Random) -> Vec<i64> {
    let ndim = 1 + random.below(3);
    let limit = [40, 12, 6][ndim - 1];
    (0..ndim).map(|_| random.range(1, limit)).collect()
}

fn full_tensor(sizes: &[i64], dtype: DataType, random: &mut Random) -> Tensor {
    let plain = random.below(3) == 0;
    let mut full = Tensor::new(sizes, dtype, plain, random);
    full.fill(random);
    full
}

fn assert_equal(got: &Tensor, expected: &Tensor) {
    for index in indices(&expected.shape) {
        assert_eq!(got.element(&index), expected.element(&index), "{index:?}");
    }
    assert_eq!(got.disturbed(), 0);
}

fn views(tensors: &mut [Tensor]) -> Vec<HostView> {
    tensors.iter_mut().map(Tensor::view).collect()
}

#[test]
fn shards_of_any_layout_are_scattered_extracted_and_gathered_bit_by_bit() {
    let mut random = Random::new(11);
    let options = CopyOptions::default();
    for dtype in element_types().into_iter().cycle().take(300) {
        let (sizes, ranks) = (sizes(&mut random), 4);
        let case = Case::new(&mut random, &sizes, ranks);
        let mut full = full_tensor(&sizes, dtype, &mut random);
        let full_view = full.view();
        let mut buffers = case.buffers(dtype, &mut random);
        let held = views(&mut buffers);
        unsafe { copies::scatter(&case.metadata, &full_view, |i| held[i], &options) }.unwrap();
        for (shard, buffer) in buffers.iter().enumerate() {
            case.assert_is_shard(shard, buffer, &full);
            let mut one = case.buffer(shard, dtype, &mut random);
            let place = one.view();
            unsafe { copies::extract(&case.metadata, shard, &full_view, &place, &options) }
                .unwrap();
            case.assert_is_shard(shard, &one, &full);
        }
        // What is in holes does not matter.
        let mut back = Tensor::new(&sizes, dtype, random.below(2) == 0, &mut random);
        let place = back.view();
        unsafe { copies::gather(&case.metadata, |i| held[i], &place, &options) }.unwrap();
        assert_equal(&back, &full);
    }
}

#[test]
fn shards_of_any_layout_are_resharded_bit_by_bit() {
    let mut random = Random::new(12);
    let options = CopyOptions::default();
    for dtype in element_types().into_iter().cycle().take(300) {
        let (sizes, ranks) = (sizes(&mut random), 4);
        let (from, to) =
            (Case::new(&mut random, &sizes, ranks), Case::new(&mut random, &sizes, ranks));
        let mut full = full_tensor(&sizes, dtype, &mut random);
        let mut sources = from.buffers(dtype, &mut random);
        let have = views(&mut sources);
        unsafe { copies::scatter(&from.metadata, &full.view(), |i| have[i], &options) }.unwrap();
        let mut destinations = to.buffers(dtype, &mut random);
        let want: Vec<_> = views(&mut destinations).into_iter().enumerate().collect();
        let have: Vec<_> = have.into_iter().enumerate().collect();
        let plan = ReshardPlan::new(&from.metadata, &to.metadata).unwrap();
        unsafe { copies::reshard(&plan, &have, &want, &options) }.unwrap();
        for (shard, buffer) in destinations.iter().enumerate() {
            to.assert_is_shard(shard, buffer, &full);
        }
    }
}

#[test]
fn collectives_move_shards_of_any_layout() {
    let mut random = Random::new(13);
    for (round, dtype) in element_types().into_iter().cycle().take(180).enumerate() {
        let (sizes, ranks) = (sizes(&mut random), RANKS[round % RANKS.len()]);
        let (from, to) =
            (Case::new(&mut random, &sizes, ranks), Case::new(&mut random, &sizes, ranks));
        let mut full = full_tensor(&sizes, dtype, &mut random);
        let full_view = full.view();
        let limits = [1, 100, Options::DEFAULT_MEMORY_LIMIT];
        let options = Options { memory_limit: limits[round % 3], ..Options::default() };
        let root_rank = ranks / 2;
        on_all(ranks, |rank, comm| {
            let mut random = Random::new((round * ranks + rank) as u64);
            let held = |case: &Case, random: &mut Random| -> (Vec<usize>, Vec<Tensor>) {
                let owners = ShardRanks::new(case.metadata.shared_shards(), ranks).unwrap();
                let own = owners.shards_of(rank).unwrap();
                let buffers = own.iter().map(|&shard| case.buffer(shard, dtype, random)).collect();
                (own, buffers)
            };
            let (own_from, mut sources) = held(&from, &mut random);
            let have = views(&mut sources);
            let own_full = (rank == root_rank).then_some(full_view);
            let root = Root::One("source_rank", root_rank);
            let shards = with_full(comm, &from.metadata, &have, root, own_full).unwrap();
            let metadata = &from.metadata;
            let full_tensor = own_full;
            let arguments =
                Scatter { metadata, source: root_rank, full: full_tensor, shards, options };
            let done: Result<()> = unsafe { scatter(comm, arguments) };
            done.unwrap();
            for (&shard, buffer) in own_from.iter().zip(&sources) {
                from.assert_is_shard(shard, buffer, &full);
            }
            gathered(comm, &from, &have, &full, options);
            let (own_to, mut destinations) = held(&to, &mut random);
            let want = views(&mut destinations);
            let arguments = Reshard {
                source: &from.metadata,
                source_shards: own(comm, &from.metadata, &have).unwrap(),
                destination: &to.metadata,
                destination_shards: own(comm, &to.metadata, &want).unwrap(),
                options,
            };
            let done: Result<()> = unsafe { reshard(comm, arguments) };
            done.unwrap();
            for (&shard, buffer) in own_to.iter().zip(&destinations) {
                to.assert_is_shard(shard, buffer, &full);
            }
        });
    }
}

/// Gathers on all ranks.
fn gathered(
    comm: &dyn Communicator, case: &Case, have: &[HostView], expected: &Tensor, options: Options,
) {
    let mut back = Tensor::new(&expected.shape, expected.dtype, true, &mut Random::new(1));
    let full = Some(back.view());
    let shards = with_full(comm, &case.metadata, have, Root::All, full).unwrap();
    let metadata = &case.metadata;
    let arguments = Gather { metadata, destination: None, shards, full, options };
    let done: Result<()> = unsafe { gather(comm, arguments) };
    done.unwrap();
    assert_equal(&back, expected);
}

#[test]
fn a_shard_that_is_no_box_has_no_view_in_the_tensor() {
    let mut random = Random::new(14);
    let map = |at: i64| vec![crate::common::cuts::block_cyclic(12, 2, 2, at * 2).unwrap()];
    let shards = crate::common::layouts::shards(&mut random, 1, &[map(0), map(1)], None, 4);
    let metadata = ShardedTensorMetadata::new(shards, &[12], TensorProperties::default()).unwrap();
    let mut full = full_tensor(&[12], element_types()[0], &mut random);
    let refused = view_shard(&metadata, 0, &full.view()).unwrap_err();
    assert!(matches!(refused, Error::Unsupported { .. }), "{refused}");
}
