//! Buffers and layouts that do not belong together are refused, whatever the call.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "tests: an overflow or a bad index is a failure"
)]

use super::*;
use crate::error::Describe;
use crate::error::status::*;
use crate::geometry::{BoxList, DimMap, ExtentList, Stretch};
use crate::model::{
    ChunkShardingSpec, DataType, Layout, MemoryFormat, Placement, Placements, Shards,
    TensorProperties,
};
use crate::plan::ReshardPlan;

const FLOAT: DataType = DataType::FLOAT32;
const INT32: DataType = DataType { code: 0, bits: 32, lanes: 1 };
const DEFAULT: CopyOptions = CopyOptions {
    max_threads: 1,
    stores: Stores::Auto,
    instructions: Instructions::Best,
    prefetch: None,
};

/// A row of elements that is cut in parts of these lengths, on rank 0 and rank 1 in turn.
fn parts(lengths: &[i64]) -> ShardedTensorMetadata {
    let ranks = (0..lengths.len() as i64).map(|at| Placement::on_rank(at % 2).unwrap());
    let offsets = lengths.iter().scan(0, |next, length| {
        *next += length;
        Some(*next - length)
    });
    let placements = Placements::new(ranks).unwrap();
    let shards = Shards::new(1, offsets.collect(), lengths.to_vec(), placements).unwrap();
    let properties = TensorProperties::default();
    ShardedTensorMetadata::new(shards, &[lengths.iter().sum()], properties).unwrap()
}

/// Elements at this address, where no memory is.
fn elements(dtype: DataType, address: usize, count: i64) -> HostView {
    let first = std::ptr::without_provenance_mut(address);
    HostView::new("view", first, dtype, &[count], None).unwrap()
}

/// Shards of these indices, 4 KiB apart. They have the elements that the layout says, of any type.
pub(super) fn local(
    metadata: &ShardedTensorMetadata, dtype: DataType, indices: &[usize],
) -> LocalShards {
    let (layout, arguments) = (metadata.shared_shards(), ShardArguments::SHARDS);
    let mut shards = LocalShards::builder(layout, arguments, None, indices.len()).unwrap();
    for &index in indices {
        let first = std::ptr::without_provenance_mut((index + 16) << 12);
        let sizes = metadata.shards().get(index).unwrap().sizes;
        shards.push(index, &HostView::new("view", first, dtype, sizes, None).unwrap()).unwrap();
    }
    shards.finish().unwrap()
}

/// The status; 0 where it is none.
pub(super) fn status<T>(said: Result<T>) -> i32 {
    said.err().map_or(0, |error| error.describe().0)
}

#[test]
fn a_copy_or_an_extraction_to_a_view_that_does_not_fit_is_refused() {
    let (full, metadata) = (elements(FLOAT, 4096, 5), parts(&[3, 2]));
    for (dtype, address, shift, expected) in [
        (FLOAT, 8192, 0, 0),
        (FLOAT, 8192, 1, SHARDSPEC_SHAPE_MISMATCH),
        (INT32, 8192, 0, SHARDSPEC_DTYPE_MISMATCH),
        (FLOAT, 4100, 0, SHARDSPEC_ALIASED),
    ] {
        let to = |count: i64| elements(dtype, address, count + shift);
        assert_eq!(status(HostTransfer::copy(&full, &to(5), &DEFAULT)), expected);
        for (index, count) in [(0, 3), (1, 2)] {
            let said = HostTransfer::extract(&metadata, index, &full, &to(count), &DEFAULT);
            assert_eq!(status(said), expected, "shard {index}");
        }
    }
    let shard = elements(FLOAT, 8192, 3);
    let extraction = Extraction::new(&metadata, 0, &full, &shard, &DEFAULT).unwrap();
    assert_eq!(extraction.index(), 0);
}

#[test]
fn shards_of_another_layout_or_of_other_elements_are_neither_scattered_nor_gathered() {
    let (metadata, other) = (parts(&[3, 2]), parts(&[2, 3]));
    for (of, dtype, indices, address, expected) in [
        (&metadata, FLOAT, &[0, 1][..], 4096, [0, 0]),
        (&other, FLOAT, &[0, 1], 4096, [SHARDSPEC_INVALID_ARGUMENT; 2]),
        (&metadata, INT32, &[0, 1], 4096, [SHARDSPEC_DTYPE_MISMATCH; 2]),
        (&metadata, FLOAT, &[1], 4096, [0, SHARDSPEC_NOT_LOCAL]),
        (&metadata, FLOAT, &[0, 1], 16 << 12, [SHARDSPEC_ALIASED; 2]),
    ] {
        let (shards, full) = (local(of, dtype, indices), elements(FLOAT, address, 5));
        let scatter = HostTransfer::scatter(&metadata, &full, &shards, &DEFAULT);
        let gather = HostTransfer::gather(&metadata, &shards, &full, &DEFAULT);
        assert_eq!([status(scatter), status(gather)], expected, "{dtype} {indices:?}");
    }
}

#[test]
fn a_tensor_is_gathered_where_all_shards_are_here_that_have_elements() {
    let (metadata, full) = (parts(&[3, 0, 2]), elements(FLOAT, 4096, 5));
    for (indices, missing) in
        [(&[0, 1, 2][..], None), (&[0, 2], None), (&[0, 1], Some(2)), (&[1, 2], Some(0))]
    {
        let shards = local(&metadata, FLOAT, indices);
        match HostTransfer::gather(&metadata, &shards, &full, &DEFAULT) {
            Ok(_) => assert_eq!(missing, None, "{indices:?}"),
            Err(Error::Transfer(TransferError::NotLocal { shard, .. })) => {
                assert_eq!(missing, Some(shard), "{indices:?}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_plan_takes_shards_of_its_layouts_and_elements_only() {
    let (from, to) = (parts(&[3, 2]), parts(&[2, 3]));
    let typed = |metadata: &ShardedTensorMetadata| metadata.with_dtype(FLOAT);
    let any = ReshardPlan::new(&from, &to).unwrap();
    let floats = ReshardPlan::new(&typed(&from), &typed(&to)).unwrap();
    let far = |metadata: &ShardedTensorMetadata, dtype| {
        let there = [1 << 20, 2 << 20].map(std::ptr::without_provenance_mut);
        local(metadata, dtype, &[0, 1]).elsewhere(&there).unwrap().unwrap()
    };
    for (plan, (source, destination), types, expected) in [
        (&any, (&from, &to), [FLOAT, FLOAT], 0),
        (&any, (&from, &to), [INT32, INT32], 0),
        (&any, (&to, &to), [FLOAT, FLOAT], SHARDSPEC_INVALID_ARGUMENT),
        (&any, (&from, &from), [FLOAT, FLOAT], SHARDSPEC_INVALID_ARGUMENT),
        (&any, (&from, &to), [FLOAT, INT32], SHARDSPEC_DTYPE_MISMATCH),
        (&floats, (&from, &to), [INT32, FLOAT], SHARDSPEC_DTYPE_MISMATCH),
        (&floats, (&from, &to), [FLOAT, INT32], SHARDSPEC_DTYPE_MISMATCH),
    ] {
        let (sources, destinations) =
            (local(source, types[0], &[0, 1]), far(destination, types[1]));
        let said = HostTransfer::reshard(plan, &sources, &destinations, &DEFAULT);
        assert_eq!(status(said), expected, "{types:?}");
    }
}

#[test]
fn tensors_are_resharded_by_a_plan_for_equal_layouts() {
    let tensor = |lengths: &[i64]| {
        ShardedTensor::new(&parts(lengths).with_dtype(FLOAT), &[0, 1], Fill::Zero).unwrap()
    };
    let plan = ReshardPlan::new(&parts(&[3, 2]), &parts(&[2, 3])).unwrap();
    let reshard = |source: &[i64], destination: &[i64]| {
        let (source, destination) = (tensor(source), tensor(destination));
        match ShardedTensor::reshard(&plan, &source, &destination, &DEFAULT) {
            Ok(_) => None,
            Err(Error::Transfer(TransferError::OtherLayout { argument, .. })) => Some(argument),
            Err(other) => panic!("{other:?}"),
        }
    };
    assert_eq!(reshard(&[3, 2], &[2, 3]), None);
    assert_eq!(reshard(&[2, 3], &[2, 3]), Some("source"));
    assert_eq!(reshard(&[3, 2], &[3, 2]), Some("destination"));
    let (source, destination) = (tensor(&[3, 2]), tensor(&[2, 3]));
    let layouts = [source.metadata(), destination.metadata()];
    let own = ReshardPlan::new(layouts[0], layouts[1]).unwrap();
    assert!(ShardedTensor::reshard(&own, &source, &destination, &DEFAULT).is_ok());
}

#[test]
fn indices_are_refused_with_their_position_before_there_is_memory_for_shards() {
    // Memory for the first shard would be refused.
    let metadata = parts(&[1 << 60, 2]).with_dtype(FLOAT);
    for (indices, position, expected) in [
        (&[0, 2][..], 1, SHARDSPEC_INDEX_OUT_OF_RANGE),
        (&[0, 1, 0], 2, SHARDSPEC_INVALID_ARGUMENT),
    ] {
        for said in [
            ShardedTensor::new(&metadata, indices, Fill::Zero).map(drop),
            check_indices(metadata.shards(), indices),
        ] {
            match said {
                Err(Error::At { argument: "indices", index, error, .. }) => {
                    assert_eq!((index, error.describe().0), (position, expected));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(check_indices(metadata.shards(), &[1, 0]), Ok(()));
}

#[test]
fn a_full_tensor_that_does_not_fit_is_refused_before_there_is_memory_for_shards() {
    let (metadata, full) = (parts(&[1 << 60]), elements(FLOAT, 4096, 5));
    let ranks = [Placement::on_rank(0).unwrap()];
    let spec = ChunkShardingSpec::new(0.into(), ranks.into_iter()).unwrap();
    // SAFETY: nothing is read: the calls are refused.
    let said = unsafe {
        [
            status(ShardedTensor::from_full(&metadata, &[0], &full, &DEFAULT)),
            status(ShardedTensor::from_spec(&spec, &metadata, &[0], &full, &DEFAULT)),
        ]
    };
    assert_eq!(said, [SHARDSPEC_SHAPE_MISMATCH; 2]);
    let typed = metadata.with_dtype(FLOAT);
    assert_eq!(status(ShardedTensor::new(&typed, &[0], Fill::Zero)), SHARDSPEC_OUT_OF_MEMORY);
}

#[test]
fn local_shards_become_a_tensor_where_properties_elements_and_memory_fit() {
    let properties = TensorProperties { dtype: Some(FLOAT), ..TensorProperties::default() };
    let metadata = |properties| {
        let shards = parts(&[3, 2]).shared_shards().clone();
        ShardedTensorMetadata::new(shards, &[5], properties).unwrap()
    };
    let sparse = TensorProperties { layout: Layout::SparseCoo, ..properties };
    let channels = TensorProperties { memory_format: MemoryFormat::ChannelsLast, ..properties };
    for (properties, dtype, addresses, expected) in [
        (properties, FLOAT, [4096, 8192], 0),
        (sparse, FLOAT, [4096, 8192], SHARDSPEC_UNSUPPORTED),
        (channels, FLOAT, [4096, 8192], SHARDSPEC_UNSUPPORTED),
        (properties, INT32, [4096, 8192], SHARDSPEC_DTYPE_MISMATCH),
        (properties, FLOAT, [4096, 4104], SHARDSPEC_ALIASED),
    ] {
        let metadata = metadata(properties);
        let there = addresses.map(std::ptr::without_provenance_mut);
        let shards = local(&metadata, dtype, &[0, 1]).elsewhere(&there).unwrap().unwrap();
        let keeper = Keeper::of_buffer(Buffer::new(8).unwrap()).unwrap();
        let said = ShardedTensor::from_local(&metadata, shards, Keepers::One(keeper));
        if let Ok(tensor) = &said {
            assert_eq!(tensor.index(1), Ok(1));
            for said in [tensor.index(2).map(drop), tensor.view(2).map(drop)] {
                assert_eq!(status(said), SHARDSPEC_INDEX_OUT_OF_RANGE);
            }
        }
        assert_eq!(status(said), expected, "{dtype} at {addresses:?}");
    }
}

#[test]
fn an_owner_has_all_its_shards_and_no_other() {
    let metadata = parts(&[3, 2, 1]);
    for (owner, indices, fits) in [
        ("rank:0", &[0, 2][..], true),
        ("rank:1", &[1], true),
        ("rank:0", &[0], false),
        ("rank:0", &[0, 1, 2], false),
        ("rank:1", &[2], false),
        ("rank:1", &[], false),
    ] {
        assert_eq!(check_owner(&metadata, owner, indices).is_ok(), fits, "{owner} {indices:?}");
    }
}

/// One shard of three rows and columns, of which the last comes first. Behind them are two holes.
pub(super) fn with_holes() -> ShardedTensorMetadata {
    let stretch = |starts, length| Stretch::new(starts, length, 1, [length, length]).unwrap();
    let map = DimMap::new(5, vec![stretch([2, 0], 1), stretch([0, 1], 2)]).unwrap();
    let boxes = BoxList::new_checked(2, 1, vec![2, 2], vec![5, 5]).unwrap();
    let extents = ExtentList::with_maps(boxes, vec![map], vec![0, 0]).unwrap();
    let placement = Placements::of_one(Placement::on_rank(0).unwrap()).unwrap();
    let shards = Shards::from_extents(extents, placement).unwrap();
    ShardedTensorMetadata::new(shards, &[3, 3], TensorProperties::default()).unwrap()
}

#[test]
fn only_holes_are_filled_with_zeros() {
    let shards = local(&with_holes(), FLOAT, &[0]);
    let holes = CopyList::of_holes(&shards).unwrap();
    // The last two of five rows, and the last two of five columns.
    assert_eq!((holes.len(), holes.bytes()), (2, 4 * (2 * 5 + 5 * 2)));
    let first = 16 << 12;
    let mut places: Vec<usize> = (0..2).map(|at| holes.full_place(at) - first).collect();
    places.sort_unstable();
    assert_eq!(places, [4 * 3, 4 * 3 * 5]);
}
