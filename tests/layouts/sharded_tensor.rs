//! Sharded tensors as a Rust program uses them: what each owner gets, and who keeps the memory.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use shardspec::model::{
    ChunkShardingSpec, CustomPlacement, DataType, Error, Layout, MemoryFormat, Placement,
    Placements, ShardedTensorMetadata, ShardingDim, ShardingSpec, Shards, TensorProperties,
    TensorShape,
};
use shardspec::transfer::{
    CopyOptions, Fill, HostTransfer, HostView, Keeper, Keepers, LocalShards, ShardedTensor,
    indices_of,
};

fn chunks(dim: i64, ranks: i64, sizes: &[i64]) -> ShardedTensorMetadata {
    let placements = (0..ranks).map(|rank| Placement::on_rank(rank).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), placements).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::TORCH_DEFAULT).unwrap()
}

fn view(values: &mut [f32], sizes: &[i64]) -> HostView {
    HostView::new("full", values.as_mut_ptr().cast(), DataType::FLOAT32, sizes, None).unwrap()
}

/// The elements of a local shard, which is row-major.
fn elements(tensor: &ShardedTensor, local: usize) -> Vec<f32> {
    let view = tensor.view(local).unwrap();
    let count = view.shape().iter().product::<i64>() as usize;
    if count == 0 {
        return Vec::new();
    }
    assert_eq!(view.first().addr() % 64, 0);
    unsafe { std::slice::from_raw_parts(view.first().cast_const().cast(), count) }.to_vec()
}

proptest! {
    #[test]
    fn every_rank_gets_its_chunk_and_all_of_them_are_the_tensor(
        sizes in prop::collection::vec(0i64..7, 1..4), dim in 0usize..4, ranks in 1i64..6,
    ) {
        let dim = dim % sizes.len();
        let metadata = chunks(dim as i64, ranks, &sizes);
        let count = sizes.iter().product::<i64>() as usize;
        let mut full: Vec<f32> = (0..count).map(|value| value as f32).collect();
        let full_view = view(&mut full, &sizes);
        for rank in 0..ranks {
            let indices: Vec<usize> =
                metadata.shards_of_owner(&format!("rank:{rank}")).unwrap().collect();
            let options = CopyOptions::default();
            let tensor =
                unsafe { ShardedTensor::from_full(&metadata, &indices, &full_view, &options) };
            let tensor = tensor.unwrap();
            prop_assert_eq!((tensor.local_count(), tensor.index(0)), (1, Ok(rank as usize)));
            let shard = metadata.shards().get(rank as usize).unwrap();
            let inner: i64 = sizes[dim + 1..].iter().product();
            let owned = (0..count as i64).filter(|place| {
                let at = place / inner % sizes[dim];
                at >= shard.offsets[dim] && at < shard.offsets[dim] + shard.sizes[dim]
            });
            let wanted: Vec<f32> = owned.map(|place| place as f32).collect();
            prop_assert_eq!(elements(&tensor, 0), wanted);
        }
        let all: Vec<usize> = (0..ranks as usize).rev().collect();
        let options = CopyOptions::default();
        let tensor = unsafe { ShardedTensor::from_full(&metadata, &all, &full_view, &options) };
        let mut back = vec![-1.0; count];
        unsafe { tensor.unwrap().gather(&view(&mut back, &sizes), &options) }.unwrap();
        prop_assert_eq!(back, full);
    }
}

#[test]
fn the_memory_of_a_shard_outlives_the_tensor_for_whoever_keeps_it() {
    let metadata = chunks(0, 2, &[4, 3]);
    let tensor = ShardedTensor::new(&metadata, &[1], Fill::Zero).unwrap();
    let (keeper, view) = (tensor.keeper(0).unwrap(), tensor.view(0).unwrap());
    drop(tensor);
    unsafe { view.first().write(7) };
    assert_eq!(unsafe { view.first().read() }, 7);
    drop(keeper);
}

/// Counts how often it is dropped.
struct Lent(Arc<AtomicUsize>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn lent_memory_is_given_back_when_nobody_has_it_any_more() {
    let metadata = chunks(0, 2, &[4, 3]);
    let mut data = [[0f32; 6]; 2];
    let views: Vec<HostView> = data.iter_mut().map(|shard| view(shard, &[2, 3])).collect();
    let returned = Arc::new(AtomicUsize::new(0));
    let keeper = Keeper::of_lease(Lent(Arc::clone(&returned))).unwrap();
    let shards = LocalShards::new(&metadata, [1, 0].into_iter().zip(&views)).unwrap();
    let keepers = Keepers::One(keeper.clone());
    let tensor = ShardedTensor::from_local(&metadata, shards, keepers).unwrap();
    drop(keeper);
    let exported = tensor.keeper(1).unwrap();
    assert_eq!(tensor.view(1).unwrap().first(), views[0].first());
    drop(tensor);
    assert_eq!(returned.load(Ordering::SeqCst), 0);
    drop(exported);
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}

/// A place whose comparisons are counted.
#[derive(Debug)]
struct Counted {
    text: String,
}

static COMPARISONS: AtomicUsize = AtomicUsize::new(0);

impl CustomPlacement for Counted {
    fn type_name(&self) -> &str {
        "test.counted"
    }

    fn text(&self) -> &str {
        &self.text
    }

    fn equals(&self, other: &dyn CustomPlacement) -> bool {
        COMPARISONS.fetch_add(1, Ordering::Relaxed);
        self.text == other.text()
    }
}

/// Empty shards all have the same box: only their placements tell them apart.
#[test]
fn described_empty_shards_are_found_in_steps_in_proportion_to_their_number() {
    let shards = |places: &mut dyn Iterator<Item = usize>, count: usize| {
        let placements =
            places.map(|at| Placement::custom(Counted { text: format!("place {at}") }));
        let placements = Placements::new(placements.map(Result::unwrap)).unwrap();
        let sizes = (0..count).map(|at| if at == 0 { 3 } else { 0 }).collect();
        Shards::new(1, vec![0; count], sizes, placements).unwrap()
    };
    let comparisons = [500, 2000].map(|count| {
        let all = shards(&mut (0..count), count);
        let metadata =
            ShardedTensorMetadata::new(all, &[3], TensorProperties::TORCH_DEFAULT).unwrap();
        let described = shards(&mut std::iter::once(0).chain((1..count).rev()), count);
        COMPARISONS.store(0, Ordering::Relaxed);
        let found = indices_of(&metadata, &described).unwrap();
        let expected: Vec<usize> = std::iter::once(0).chain((1..count).rev()).collect();
        assert_eq!(found, expected);
        COMPARISONS.load(Ordering::Relaxed)
    });
    assert!(comparisons[1] <= 8 * comparisons[0] && comparisons[1] < 2000 * 20, "{comparisons:?}");
}

#[test]
fn described_shards_are_each_another_one_of_the_metadatas() {
    let boxes = |ranks: &[i64], sizes: &[i64]| {
        let placements = ranks.iter().map(|&rank| Placement::on_rank(rank).unwrap());
        let placements = Placements::new(placements).unwrap();
        Shards::new(1, vec![0; sizes.len()], sizes.to_vec(), placements).unwrap()
    };
    // Shards 1 and 3 are alike.
    let all = boxes(&[0, 1, 2, 1], &[3, 0, 0, 0]);
    let metadata = ShardedTensorMetadata::new(all, &[3], TensorProperties::TORCH_DEFAULT).unwrap();
    let found = |ranks: &[i64], sizes: &[i64]| indices_of(&metadata, &boxes(ranks, sizes));
    assert_eq!(found(&[1, 0, 1, 2], &[0, 3, 0, 0]), Ok(vec![1, 0, 3, 2]));
    assert_eq!(found(&[], &[]), Ok(vec![]));
    let refused = |ranks: &[i64], sizes: &[i64]| found(ranks, sizes).unwrap_err();
    assert!(matches!(refused(&[0], &[2]), Error::NotFound { .. }));
    for (ranks, sizes) in [(&[1, 1, 1][..], &[0, 0, 0][..]), (&[3], &[0]), (&[1], &[3])] {
        let error = refused(ranks, sizes);
        assert!(
            matches!(error, Error::InvalidArgument { argument: "descriptions", .. }),
            "{error}"
        );
    }
}

#[test]
fn each_local_shard_needs_its_keeper_and_a_layout_its_own_shards() {
    let metadata = chunks(0, 2, &[4, 3]);
    let mut data = [[0f32; 6]; 2];
    let views: Vec<HostView> = data.iter_mut().map(|shard| view(shard, &[2, 3])).collect();
    let shards = || LocalShards::new(&metadata, views.iter().enumerate()).unwrap();
    let keepers = || Keepers::Each(vec![Keeper::of_lease(()).unwrap()]);
    let refused = ShardedTensor::from_local(&metadata, shards(), keepers());
    assert!(matches!(refused.err(), Some(Error::InvalidArgument { argument: "keepers", .. })));
    let other = chunks(1, 3, &[4, 3]);
    let refused = ShardedTensor::from_local(&other, shards(), keepers());
    assert!(matches!(refused.err(), Some(Error::InvalidArgument { argument: "shards", .. })));
}

/// As many shards as there may be of which each was passed in another place.
#[test]
fn each_shard_has_its_view_and_its_keeper_whatever_order_they_came_in() {
    let metadata = chunks(0, 5, &[5, 3]);
    let mut data = [[0f32; 3]; 5];
    let views: Vec<HostView> = data.iter_mut().map(|shard| view(shard, &[1, 3])).collect();
    let order = [3, 0, 4, 1];
    let returned: Vec<_> = order.iter().map(|_| Arc::new(AtomicUsize::new(0))).collect();
    let keepers =
        returned.iter().map(|count| Keeper::of_lease(Lent(Arc::clone(count))).unwrap()).collect();
    let shards = order.iter().map(|&index| (index, &views[index]));
    let shards = LocalShards::new(&metadata, shards).unwrap();
    let tensor = ShardedTensor::from_local(&metadata, shards, Keepers::Each(keepers)).unwrap();
    let indices: Vec<usize> = (0..4).map(|local| tensor.index(local).unwrap()).collect();
    assert_eq!(indices, [0, 1, 3, 4]);
    for (local, &index) in indices.iter().enumerate() {
        assert_eq!(tensor.view(local).unwrap().first(), views[index].first());
    }
    // Local shard 2 is shard 3, which came first.
    let kept = tensor.keeper(2).unwrap();
    drop(tensor);
    let counts = || returned.iter().map(|count| count.load(Ordering::SeqCst)).collect::<Vec<_>>();
    assert_eq!(counts(), [0, 1, 1, 1]);
    drop(kept);
    assert_eq!(counts(), [1; 4]);
}

#[test]
fn a_tensor_has_the_communicator_that_it_was_given() {
    let tensor = ShardedTensor::new(&chunks(0, 2, &[4, 3]), &[0], Fill::Zero).unwrap();
    assert_eq!(tensor.communicator(), None);
    assert_eq!(tensor.with_communicator(5).communicator(), Some(5));
}

/// Memory that others have used before is not passed on.
#[test]
fn a_new_tensor_is_zeros_where_they_are_asked_for() {
    let metadata = chunks(0, 2, &[500, 3]);
    for _ in 0..8 {
        let tensor = ShardedTensor::new(&metadata, &[0, 1], Fill::Zero).unwrap();
        for local in 0..2 {
            assert_eq!(elements(&tensor, local), [0.0; 750]);
            unsafe { tensor.view(local).unwrap().first().write_bytes(0xff, 3000) };
        }
    }
}

#[test]
fn only_strided_and_contiguous_tensors_are_made() {
    let usual = TensorProperties::TORCH_DEFAULT;
    for (properties, is_fine) in [
        (usual, true),
        (TensorProperties { layout: Layout::SparseCoo, ..usual }, false),
        (TensorProperties { memory_format: MemoryFormat::ChannelsLast, ..usual }, false),
    ] {
        let shards = chunks(0, 2, &[4]).shards().clone();
        let metadata = ShardedTensorMetadata::new(shards, &[4], properties).unwrap();
        let result = ShardedTensor::new(&metadata, &[0], Fill::Zero);
        match result {
            Ok(_) => assert!(is_fine),
            Err(error) => {
                assert!(!is_fine && matches!(error, Error::Unsupported { .. }), "{error}")
            }
        }
    }
}

#[test]
fn a_full_tensor_of_another_shape_is_neither_scattered_nor_gathered() {
    let metadata = chunks(0, 2, &[4, 3]);
    let tensor = ShardedTensor::new(&metadata, &[0, 1], Fill::Zero).unwrap();
    let views = [0, 1].map(|local| tensor.view(local).unwrap());
    let shards = LocalShards::new(&metadata, views.iter().enumerate()).unwrap();
    let mut full = vec![1.0; 20];
    let options = CopyOptions::default();
    for (sizes, is_fine) in [([4, 3], true), ([5, 3], false), ([4, 4], false), ([3, 4], false)] {
        let full = view(&mut full, &sizes);
        assert_eq!(HostTransfer::scatter(&metadata, &full, &shards, &options).is_ok(), is_fine);
        assert_eq!(HostTransfer::gather(&metadata, &shards, &full, &options).is_ok(), is_fine);
    }
}
