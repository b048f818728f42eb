//! Scatter, gather and extract against plain indexing, on random partitions and layouts.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use proptest::prelude::*;
use shardspec::model::{
    DataType, Error, Placement, Placements, ShardedTensorMetadata, Shards, TensorProperties,
};
use shardspec::transfer::TransferError;
use shardspec::transfer::{self, CopyOptions, HostView, Instructions, Stores};

const OPTIONS: CopyOptions = CopyOptions {
    max_threads: 0,
    stores: Stores::Auto,
    instructions: Instructions::Best,
    prefetch: None,
};

use crate::common::copies::{PREFETCHES, extract, gather, scatter};
use crate::common::tensor::{Tensor, element_types, indices, of_bytes, partition};
use crate::common::{Boxes, Random};

fn shape() -> impl Strategy<Value = Vec<i64>> {
    prop::collection::vec(0i64..6, 0..=6)
}

/// Scatters a tensor of any layout into shards of any layouts, gathers it into a third layout and
/// extracts each shard, and looks at every byte.
fn round_trips(
    sizes: &[i64], cuts: usize, dtype: DataType, options: &CopyOptions, random: &mut Random,
) -> Result<(), TestCaseError> {
    let shards = partition(sizes, cuts, random);
    let metadata = ShardedTensorMetadata::new(shards, sizes, TensorProperties::default()).unwrap();
    // Half of all tensors are plain, and often all that take part.
    let all_plain = random.below(3) == 0;
    let tensor = |sizes: &[i64], random: &mut Random| {
        let plain = all_plain || random.below(4) == 0;
        Tensor::new(sizes, dtype, plain, random)
    };
    let mut full = tensor(sizes, random);
    full.fill(random);
    let mut shards: Vec<Tensor> =
        metadata.shards().iter().map(|shard| tensor(shard.sizes, random)).collect();

    let views: Vec<HostView> = shards.iter_mut().map(Tensor::view).collect();
    let source = full.view();
    unsafe { scatter(&metadata, &source, |index: usize| views[index], options) }.unwrap();
    for (shard, tensor) in metadata.shards().iter().zip(&shards) {
        for index in indices(shard.sizes) {
            let global: Vec<i64> = index.iter().zip(shard.offsets).map(|(i, o)| i + o).collect();
            prop_assert_eq!(tensor.element(&index), full.element(&global), "{:?}", index);
        }
        prop_assert_eq!(tensor.disturbed(), 0);
    }

    let mut back = tensor(sizes, random);
    let destination = back.view();
    unsafe { gather(&metadata, |index: usize| views[index], &destination, options) }.unwrap();
    for index in indices(sizes) {
        prop_assert_eq!(back.element(&index), full.element(&index));
    }
    prop_assert_eq!(back.disturbed(), 0);

    for (at, shard) in shards.iter().enumerate() {
        let mut single = tensor(&shard.shape, random);
        let view = single.view();
        unsafe { extract(&metadata, at, &source, &view, options) }.unwrap();
        for index in indices(&shard.shape) {
            prop_assert_eq!(single.element(&index), shard.element(&index));
        }
        prop_assert_eq!(single.disturbed(), 0);

        let shard = metadata.shards().get(at).unwrap();
        let starts_with_a_byte = full.place(shard.offsets).start.is_multiple_of(8);
        match transfer::view_shard(&metadata, at, &source) {
            Ok(part) => {
                prop_assert_eq!(part.shape(), shard.sizes);
                prop_assert!(starts_with_a_byte || part.is_empty());
            }
            Err(error) => {
                prop_assert!(matches!(error, Error::Unsupported { .. }), "{:?}", error);
                prop_assert!(!starts_with_a_byte);
            }
        }
    }
    Ok(())
}

/// Every way to copy: nothing about them may change what is copied.
fn options() -> impl Strategy<Value = CopyOptions> {
    let stores = prop::sample::select(vec![Stores::Auto, Stores::Stream, Stores::Cached]);
    let levels = [Instructions::Best, Instructions::Avx2, Instructions::Portable];
    let prefetches = prop::sample::select(&PREFETCHES[..]);
    let options = (0usize..4, stores, prop::sample::select(levels.to_vec()), prefetches);
    options.prop_map(|(max_threads, stores, instructions, prefetch)| CopyOptions {
        max_threads,
        stores,
        instructions,
        prefetch,
    })
}

fn dtype() -> impl Strategy<Value = DataType> {
    prop::sample::select(element_types())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn scatter_then_gather_is_the_identity_and_touches_nothing_else(
        sizes in shape(), cuts in 0usize..9, dtype in dtype(), options in options(),
        seed in any::<u64>(),
    ) {
        round_trips(&sizes, cuts, dtype, &options, &mut Random::new(seed))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Large enough for whole blocks of every kernel, and for more than one thread.
    #[test]
    fn large_tensors_round_trip_by_every_kernel(
        sizes in prop::sample::select(vec![
            vec![130, 257], vec![300, 96], vec![9, 64, 65], vec![2000, 17], vec![40, 30, 3, 8],
        ]),
        cuts in 0usize..40, dtype in dtype(), options in options(), seed in any::<u64>(),
    ) {
        round_trips(&sizes, cuts, dtype, &options, &mut Random::new(seed))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The check against shared memory says yes exactly when a byte is shared: two views of random
    /// strides in one buffer are compared byte by byte.
    #[test]
    fn destinations_are_refused_exactly_when_they_share_a_byte(
        rows in prop::collection::vec(1i64..4, 2), columns in 1i64..4, item in 1usize..4,
        strides in prop::collection::vec((-9i64..9, -9i64..9), 2), starts in prop::collection::vec(60usize..90, 2),
    ) {
        let shapes = [(rows[0], columns), (rows[1], columns)];
        let mut bytes = vec![0u8; 320];
        let dtype = DataType { code: 1, bits: 8, lanes: item as u16 };
        let start = bytes.as_mut_ptr();
        let mut owners = vec![0u32; 320];
        let mut views = Vec::new();
        let mut twice = [false; 2];
        for at in 0..2 {
            let (shape, strides) = (shapes[at], strides[at]);
            let mut own = vec![false; 320];
            for index in indices(&[shape.0, shape.1]) {
                let steps = index[0] * strides.0 + index[1] * strides.1;
                let first = starts[at] as i64 * item as i64 / 2 + 40 + steps * item as i64;
                for byte in &mut own[first as usize..first as usize + item] {
                    twice[at] |= std::mem::replace(byte, true);
                }
            }
            owners.iter_mut().zip(&own).for_each(|(count, own)| *count += u32::from(*own));
            let first = starts[at] * item / 2 + 40;
            let first = unsafe { start.add(first) };
            views.push(HostView::new(
                "view", first, dtype, &[shape.0, shape.1], Some(&[strides.0, strides.1]),
            ).unwrap());
        }
        let shared = owners.iter().any(|&count| count > 1);
        // The two destinations hold the upper and the lower rows of a tensor.
        let offsets = vec![0, 0, shapes[0].0, 0];
        let sizes = vec![shapes[0].0, shapes[0].1, shapes[1].0, shapes[1].1];
        let placements = Placements::new((0..2).map(|rank| Placement::on_rank(rank).unwrap())).unwrap();
        let total = [shapes[0].0 + shapes[1].0, shapes[0].1];
        let metadata = ShardedTensorMetadata::new(
            Shards::new(2, offsets, sizes, placements).unwrap(), &total, TensorProperties::default(),
        ).unwrap();
        let mut source = vec![7u8; (total[0] * total[1]) as usize * item];
        let source = HostView::new("full", source.as_mut_ptr(), dtype, &total, None).unwrap();
        let result = unsafe { scatter(&metadata, &source, |index: usize| views[index], &OPTIONS) };
        let refused = matches!(result, Err(Error::Transfer(TransferError::Aliased { .. })));
        prop_assert_eq!(refused, shared || twice[0] || twice[1], "{:?}", result);
        if refused {
            prop_assert!(bytes.iter().all(|&byte| byte == 0), "a refusal wrote something");
        }
    }
}

#[test]
fn a_thousand_interleaved_columns_are_no_conflict() {
    let (rows, columns, width) = (64i64, 1024i64, 3i64);
    let mut wide = vec![0u16; (rows * columns * width) as usize];
    let dtype = DataType { code: 1, bits: 16, lanes: 1 };
    let start = wide.as_mut_ptr();
    let offsets = (0..columns).flat_map(|column| [0, column * width]).collect();
    let sizes = (0..columns).flat_map(|_| [rows, width]).collect();
    let placements = Placements::new((0..columns).map(|rank| Placement::on_rank(rank).unwrap()));
    let shards = Shards::new(2, offsets, sizes, placements.unwrap()).unwrap();
    let total = [rows, columns * width];
    let metadata = ShardedTensorMetadata::new(shards, &total, TensorProperties::default()).unwrap();
    let mut source: Vec<u16> = (0..wide.len()).map(|at| at as u16).collect();
    let full = HostView::new("full", source.as_mut_ptr().cast(), dtype, &total, None).unwrap();
    let strides = [columns * width, 1];
    let column = |index: usize| {
        let first = start.wrapping_add(index * width as usize).cast();
        HostView::new("shard", first, dtype, &[rows, width], Some(&strides)).unwrap()
    };
    unsafe { scatter(&metadata, &full, column, &OPTIONS) }.unwrap();
    assert_eq!(wide, source);

    let shifted = |index: usize| column(if index == 700 { 699 } else { index });
    let result = unsafe { scatter(&metadata, &full, shifted, &OPTIONS) };
    assert!(
        matches!(
            result,
            Err(Error::Transfer(TransferError::Aliased {
                first: Some(699),
                second: Some(700),
                ..
            }))
        ),
        "{result:?}"
    );
}

/// Fields of packed records, as a table has them: they are no multiple of their size apart.
#[test]
fn thousands_of_fields_of_records_are_filled_at_once() {
    let (fields, rows) = (7000usize, 9usize);
    let mut boxes = Boxes::new(3);
    (0..fields as i64).for_each(|field| boxes.push(&[0, 0, field], &[3, 3, 1]));
    let total = [3, 3, fields as i64];
    let metadata =
        ShardedTensorMetadata::new(boxes.shards(), &total, TensorProperties::default()).unwrap();
    let mut source: Vec<u8> = (0..rows * fields * 4).map(|at| (at % 251) as u8).collect();
    let full = HostView::new("full", source.as_mut_ptr(), of_bytes(4), &total, None).unwrap();
    // A tag of one byte before each field; records are a multiple of 4 bytes apart.
    let mut table = vec![255u8; rows * fields * 5];
    let start = table.as_mut_ptr();
    let record = 5 * fields as i64 / 4;
    let field = |index: usize| {
        let first = start.wrapping_add(5 * index + 1);
        let strides = [3 * record, record, 1];
        HostView::new("shard", first, of_bytes(4), &[3, 3, 1], Some(&strides)).unwrap()
    };
    unsafe { scatter(&metadata, &full, field, &OPTIONS) }.unwrap();
    for (record, values) in table.chunks(5).zip(source.chunks(4)) {
        assert_eq!((record[0], &record[1..]), (255, values));
    }
    let shifted = |index: usize| field(if index == 6000 { 4000 } else { index });
    let result = unsafe { scatter(&metadata, &full, shifted, &OPTIONS) };
    assert!(
        matches!(
            result,
            Err(Error::Transfer(TransferError::Aliased {
                first: Some(4000),
                second: Some(6000),
                ..
            }))
        ),
        "{result:?}"
    );
}

#[test]
fn an_ndarray_goes_in_as_it_is() {
    let mut full =
        ndarray::Array2::from_shape_fn((4, 6), |(row, column)| (row * 10 + column) as f32);
    let transposed = full.raw_view_mut().reversed_axes();
    let view = HostView::try_from(transposed.raw_view()).unwrap();
    assert_eq!((view.shape(), view.strides(), view.itemsize()), (&[6, 4][..], &[4, 24][..], Ok(4)));
}

/// A neighbour's runs may be longer than the memory that short runs are put together in.
#[test]
fn a_narrow_shard_beside_a_wide_one_is_copied_both_ways() {
    let (rows, widths) = (40usize, [100usize, 5900]);
    let total = [rows as i64, 6000];
    let offsets = vec![0, 0, 0, widths[0] as i64];
    let sizes = widths.iter().flat_map(|&width| [rows as i64, width as i64]).collect();
    let placements = Placements::new((0..2).map(|rank| Placement::on_rank(rank).unwrap()));
    let shards = Shards::new(2, offsets, sizes, placements.unwrap()).unwrap();
    let metadata = ShardedTensorMetadata::new(shards, &total, TensorProperties::default()).unwrap();
    for stores in [Stores::Stream, Stores::Cached] {
        let options = CopyOptions { max_threads: 1, stores, ..OPTIONS };
        let mut source: Vec<f32> = (0..rows * 6000).map(|at| at as f32).collect();
        let mut parts = widths.map(|width| vec![0f32; rows * width]);
        let mut back = vec![0f32; source.len()];
        let view = |data: &mut [f32], width: usize| {
            let shape = [rows as i64, width as i64];
            HostView::new("view", data.as_mut_ptr().cast(), DataType::FLOAT32, &shape, None)
                .unwrap()
        };
        let (full, again) = (view(&mut source, 6000), view(&mut back, 6000));
        let views = [view(&mut parts[0], widths[0]), view(&mut parts[1], widths[1])];
        let shard = |index: usize| views[index];
        unsafe { scatter(&metadata, &full, shard, &options) }.unwrap();
        unsafe { gather(&metadata, shard, &again, &options) }.unwrap();
        for (row, line) in source.chunks(6000).enumerate() {
            assert_eq!(parts[0][row * 100..][..100], line[..100]);
            assert_eq!(parts[1][row * 5900..][..5900], line[100..]);
        }
        assert_eq!(back, source);
    }
}

/// Nothing is copied to or from it, wherever that would be.
#[test]
fn an_empty_shard_may_begin_where_no_element_is() {
    let mut boxes = Boxes::new(2);
    boxes.push(&[0, 0], &[1, 4]);
    boxes.push(&[1, 4], &[0, 0]);
    let metadata =
        ShardedTensorMetadata::new(boxes.shards(), &[1, 4], TensorProperties::default()).unwrap();
    let (mut full, mut shard) = ([1u8, 2, 3, 4], [0u8; 4]);
    let view = |first: *mut u8, sizes: &[i64; 2], strides: &[i64; 2]| {
        HostView::new("view", first, of_bytes(1), sizes, Some(strides)).unwrap()
    };
    let whole = view(full.as_mut_ptr(), &[1, 4], &[i64::MAX, 1]);
    let views =
        [view(shard.as_mut_ptr(), &[1, 4], &[4, 1]), view(full.as_mut_ptr(), &[0, 0], &[1, 1])];
    let options = CopyOptions::default();
    unsafe { scatter(&metadata, &whole, |index: usize| views[index], &options) }.unwrap();
    assert_eq!(shard, full);
    shard = [5, 6, 7, 8];
    unsafe { gather(&metadata, |index: usize| views[index], &whole, &options) }.unwrap();
    assert_eq!(full, shard);
}
