//! Digests of tensors in shards: whatever the layout and the strides, the parts of all shards are the CRC
//! of the tensor's bytes, which is computed here bit by bit.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use crate::common::Random;
use crate::common::copies::scatter;
use crate::common::layouts::{Kinds, Layout};
use crate::common::meshes::random_spec;
use crate::common::tensor::{Tensor, element_types, indices, of_bytes, packed};
use shardspec::model::{
    DataType, Error, Placement, Placements, ShardedTensorMetadata, ShardingSpec, Shards,
    TensorProperties, TensorShape,
};
use shardspec::transfer::{
    CopyOptions, HostView, Instructions, LocalShards, digest, shard_digests,
};

/// CRC-64/NVME, as the catalogue of CRCs defines it.
fn crc(bits: impl Iterator<Item = bool>) -> u64 {
    let step = |register: u64, bit: bool| {
        let odd = (register & 1 == 1) != bit;
        register >> 1 ^ if odd { 0x9a6c_9329_ac4b_c9b5 } else { 0 }
    };
    !bits.fold(u64::MAX, step)
}

/// The bits of a tensor's elements in row-major order.
fn bits_of(tensor: &Tensor) -> Vec<bool> {
    let places = indices(&tensor.shape).map(|index| tensor.place(&index));
    places.flatten().map(|at| tensor.bit(at)).collect()
}

fn some(metadata: &ShardedTensorMetadata, views: &[HostView], chosen: &[usize]) -> LocalShards {
    LocalShards::new(metadata, chosen.iter().map(|&index| (index, &views[index]))).unwrap()
}

/// The parts of all shards, which come in several groups.
fn by_groups(
    metadata: &ShardedTensorMetadata, views: &[HostView], random: &mut Random,
) -> Result<u64, Error> {
    let mut order: Vec<usize> = (0..views.len()).collect();
    random.shuffle(&mut order);
    let groups = 1 + random.below(3);
    let mut sum = 0;
    for group in order.chunks(order.len().div_ceil(groups).max(1)) {
        let instructions =
            if random.below(2) == 0 { Instructions::Best } else { Instructions::Portable };
        let options = CopyOptions { instructions, ..CopyOptions::default() };
        sum ^= unsafe { digest(metadata, &some(metadata, views, group), &options) }?;
    }
    Ok(sum)
}

fn two_on_a_rank() -> Placements {
    Placements::new((0..2).map(|_| Placement::parse("rank:0").unwrap())).unwrap()
}

fn random_metadata(random: &mut Random, sizes: &[i64]) -> ShardedTensorMetadata {
    let properties = TensorProperties::default();
    if random.below(2) == 0 {
        let spec = random_spec(random, sizes, 4);
        return spec.build_metadata(TensorShape::new(sizes), properties).unwrap();
    }
    let layout = Layout::random(random, sizes, Kinds { replicas: true, flattened: true, ranks: 4 });
    if layout.replicated {
        ShardedTensorMetadata::with_replicas(layout.shards, sizes, properties).unwrap()
    } else {
        ShardedTensorMetadata::new(layout.shards, sizes, properties).unwrap()
    }
}

/// Shards of a random tensor in a random layout, in buffers of any strides, whose holes and gaps hold
/// anything.
struct Sharded {
    metadata: ShardedTensorMetadata,
    full: Tensor,
    shards: Vec<Tensor>,
}

impl Sharded {
    fn new(random: &mut Random, dtype: DataType) -> Self {
        let ndim = 1 + random.below(3);
        let sizes: Vec<i64> = (0..ndim).map(|_| random.range(1, [40, 12, 6][ndim - 1])).collect();
        let metadata = random_metadata(random, &sizes);
        let mut full = Tensor::new(&sizes, dtype, random.below(2) == 0, random);
        full.fill(random);
        let mut shards: Vec<_> = metadata
            .shards()
            .iter()
            .map(|shard| Tensor::new(shard.sizes, dtype, random.below(2) == 0, random))
            .collect();
        let views: Vec<_> = shards.iter_mut().map(Tensor::view).collect();
        let options = CopyOptions::default();
        unsafe { scatter(&metadata, &full.view(), |at| views[at], &options) }.unwrap();
        Self { metadata, full, shards }
    }

    fn views(&mut self) -> Vec<HostView> {
        self.shards.iter_mut().map(Tensor::view).collect()
    }
}

#[test]
fn the_parts_of_all_shards_in_any_groups_are_the_crc_of_the_tensor() {
    let mut random = Random::new(21);
    let mut done = 0;
    for dtype in element_types().into_iter().cycle().take(600) {
        let mut case = Sharded::new(&mut random, dtype);
        let views = case.views();
        let found = by_groups(&case.metadata, &views, &mut random);
        if !case.metadata.partial().is_empty() {
            assert!(matches!(found, Err(Error::Model(_))), "{found:?}");
            continue;
        }
        match found {
            Ok(found) => {
                assert_eq!(found, crc(bits_of(&case.full).into_iter()), "{:?}", case.metadata);
                done += 1;
            }
            Err(error) => {
                assert!(dtype.is_packed(), "{error}");
                assert!(matches!(error, Error::Unsupported { .. }), "{error}");
            }
        }
    }
    assert!(done > 250, "only {done} had whole bytes");
}

#[test]
fn a_shard_alone_has_the_crc_of_its_buffer_with_zeros_for_holes() {
    let mut random = Random::new(22);
    for dtype in element_types().into_iter().filter(|dtype| !dtype.is_packed()).cycle().take(300) {
        let mut case = Sharded::new(&mut random, dtype);
        // What scatter wrote: elements, and zeros.
        let expected: Vec<u64> =
            case.shards.iter().map(|shard| crc(bits_of(shard).into_iter())).collect();
        // Holes may then hold anything.
        for (index, shard) in case.shards.iter_mut().enumerate() {
            let own = case.metadata.shards().get(index).unwrap();
            for place in indices(own.sizes) {
                let is_hole = own.dims().zip(&*place).any(|(dim, &at)| match dim {
                    shardspec::geometry::DimExtent::Map(map) => map.global(at).is_none(),
                    _ => false,
                });
                if is_hole {
                    let at = shard.place(&place);
                    shard.bytes[at.start / 8..at.end / 8].fill(0x77);
                }
            }
        }
        let views = case.views();
        let mut order: Vec<usize> = (0..views.len()).collect();
        random.shuffle(&mut order);
        let shards = some(&case.metadata, &views, &order);
        let found = unsafe { shard_digests(&case.metadata, &shards, &CopyOptions::default()) };
        if !case.metadata.partial().is_empty() {
            assert!(matches!(found, Err(Error::Model(_))), "{found:?}");
            continue;
        }
        let expected: Vec<u64> = order.iter().map(|&index| expected[index]).collect();
        assert_eq!(found.unwrap(), expected, "{:?}", case.metadata);
    }
}

#[test]
fn every_bit_of_an_element_that_is_counted_changes_the_digest() {
    let mut random = Random::new(23);
    let mut sharded = Sharded::new(&mut random, of_bytes(4));
    while sharded.metadata.has_replicas() || !sharded.metadata.partial().is_empty() {
        sharded = Sharded::new(&mut random, of_bytes(4));
    }
    let views = sharded.views();
    let before = by_groups(&sharded.metadata, &views, &mut random).unwrap();
    for (index, view) in views.iter().enumerate() {
        if view.is_empty() || !sharded.metadata.shards().get(index).unwrap().is_box() {
            continue;
        }
        for bit in 0..8 {
            unsafe { *view.first() ^= 1 << bit };
            assert_ne!(by_groups(&sharded.metadata, &views, &mut random).unwrap(), before);
            unsafe { *view.first() ^= 1 << bit };
        }
    }
    assert_eq!(by_groups(&sharded.metadata, &views, &mut random).unwrap(), before);
}

#[test]
fn a_tensor_without_elements_and_no_shards_have_the_digest_0() {
    let properties = TensorProperties::default();
    let placements = two_on_a_rank();
    let shards = Shards::new(1, vec![0, 0], vec![0, 0], placements).unwrap();
    let metadata = ShardedTensorMetadata::new(shards, &[0], properties).unwrap();
    let mut empty = Tensor::new(&[0], of_bytes(4), true, &mut Random::new(1));
    let (view, options) = (empty.view(), CopyOptions::default());
    let shards = LocalShards::new(&metadata, [(0, &view), (1, &view)]).unwrap();
    assert_eq!(unsafe { digest(&metadata, &shards, &options) }.unwrap(), 0);
    assert_eq!(unsafe { shard_digests(&metadata, &shards, &options) }.unwrap(), [0, 0]);
    let none = LocalShards::new(&metadata, []).unwrap();
    assert_eq!(unsafe { digest(&metadata, &none, &options) }.unwrap(), 0);
}

#[test]
fn packed_elements_of_no_whole_bytes_are_refused_in_words() {
    let mut random = Random::new(24);
    let properties = TensorProperties::default();
    for (sizes, halves) in [([2, 3], [[1, 3], [1, 3]]), ([1, 3], [[1, 3], [0, 3]])] {
        let placements = two_on_a_rank();
        let (offsets, lengths) = (vec![0, 0, halves[0][0], 0], halves.concat());
        let shards = Shards::new(2, offsets, lengths, placements).unwrap();
        let metadata = ShardedTensorMetadata::new(shards, &sizes, properties).unwrap();
        let mut tensors: Vec<_> = halves
            .iter()
            .map(|shape| Tensor::new(shape, packed(4, 1), true, &mut random))
            .collect();
        let views: Vec<_> = tensors.iter_mut().map(Tensor::view).collect();
        let found = by_groups(&metadata, &views, &mut random).unwrap_err();
        assert!(found.to_string().contains("byte"), "{found}");
        assert!(matches!(found, Error::Unsupported { .. }));
    }
}
