//! Scatter, gather and extract by every kernel, on the shapes that the kernels are there for: the
//! random partitions of `copy_properties` seldom have many columns of one width side by side.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and memory is made to fit"
)]

use proptest::prelude::*;
use shardspec::model::{DataType, ShardedTensorMetadata, TensorProperties};
use shardspec::transfer::{CopyOptions, HostView, Instructions, Stores};

use crate::common::Random;
use crate::common::copies::{PREFETCHES, extract, gather, scatter};
use crate::common::families::{Cut, grid_of, partition, pinwheels};
use crate::common::strided::{Form, Strided};
use crate::common::tensor::of_bytes;

/// Bytes of one shard's part of a row.
const RUNS: [usize; 18] =
    [1, 2, 3, 4, 5, 8, 12, 16, 24, 32, 48, 64, 100, 128, 256, 700, 1024, 1500];
const ITEMS: [usize; 7] = [1, 2, 3, 4, 8, 12, 16];
const LEVELS: [Instructions; 3] = [Instructions::Best, Instructions::Avx2, Instructions::Portable];

/// Every kernel with every kind of instructions, on 1 to 4 threads.
pub(super) fn every_way() -> Vec<CopyOptions> {
    let stores = [Stores::Stream, Stores::Cached, Stores::Auto];
    let ways = stores.into_iter().flat_map(|stores| LEVELS.map(|level| (stores, level)));
    let options = |(at, (stores, instructions))| CopyOptions {
        max_threads: 1 + at % 4,
        stores,
        instructions,
        prefetch: PREFETCHES[at % PREFETCHES.len()],
    };
    // By size is one of the others: once is enough.
    ways.enumerate().map(options).take(7).collect()
}

/// Scatters a tensor, gathers it again and extracts a shard, each way, and compares all bytes with
/// those that copying element by element leaves, guards included.
pub(super) fn round_trip(
    cut: &Cut, dtype: DataType, ways: &[CopyOptions],
    mut form: impl FnMut(&mut Random, bool) -> Form, random: &mut Random,
) -> Result<(), TestCaseError> {
    let properties = TensorProperties::default;
    // Boxes of a cut with replicas are refused without them.
    let metadata = ShardedTensorMetadata::new(cut.boxes.shards(), &cut.sizes, properties())
        .or_else(|_| {
            ShardedTensorMetadata::with_replicas(cut.boxes.shards(), &cut.sizes, properties())
        })
        .unwrap();
    let mut tensor = |sizes: &[i64], is_full: bool| {
        let form = form(random, is_full);
        (Strided::new(sizes, dtype, &form), form)
    };
    let (mut full, form) = tensor(&cut.sizes, true);
    let (mut back, form_back) = tensor(&cut.sizes, true);
    let mut shards: Vec<(Strided, Form)> =
        metadata.shards().iter().map(|shard| tensor(shard.sizes, false)).collect();
    random.fill(full.bytes_mut());

    let origin = vec![0; cut.sizes.len()];
    let scattered: Vec<Vec<u8>> = metadata
        .shards()
        .iter()
        .zip(&shards)
        .map(|(shard, (tensor, _))| tensor.with_elements_of(&full, shard.offsets))
        .collect();
    let gathered = back.with_elements_of(&full, &origin);
    let views: Vec<HostView> = shards.iter().map(|(tensor, _)| tensor.view()).collect();
    let (source, destination) = (full.view(), back.view());
    for options in ways {
        shards.iter_mut().for_each(|(tensor, _)| tensor.wipe());
        unsafe { scatter(&metadata, &source, |index: usize| views[index], options) }.unwrap();
        for (index, ((tensor, to), expected)) in shards.iter().zip(&scattered).enumerate() {
            let wrong = first_difference(tensor.bytes(), expected);
            prop_assert!(
                wrong.is_none(),
                "scattered {:?}: shard {}: {:?}; full {:?}, shard {:?}",
                options,
                index,
                wrong,
                form,
                to
            );
        }
        back.wipe();
        unsafe { gather(&metadata, |index: usize| views[index], &destination, options) }.unwrap();
        let wrong = first_difference(back.bytes(), &gathered);
        prop_assert!(wrong.is_none(), "gathered {:?}: {:?}; {:?}", options, wrong, form_back);

        let index = random.below(shards.len());
        let (tensor, to) = &mut shards[index];
        tensor.wipe();
        unsafe { extract(&metadata, index, &source, &views[index], options) }.unwrap();
        let wrong = first_difference(tensor.bytes(), &scattered[index]);
        prop_assert!(
            wrong.is_none(),
            "extracted {:?}: {}: {:?}; full {:?}, shard {:?}",
            options,
            index,
            wrong,
            form,
            to
        );
    }
    Ok(())
}

/// Where the two differ first, and what they are there.
fn first_difference(bytes: &[u8], expected: &[u8]) -> Option<(usize, u8, u8)> {
    if bytes == expected {
        return None;
    }
    let mut pairs = bytes.iter().zip(expected).enumerate();
    pairs.find(|(_, (byte, expected))| byte != expected).map(|(at, pair)| (at, *pair.0, *pair.1))
}

/// Borders of `count` parts of `width`, of which the last one may be smaller.
pub(super) fn evenly(count: i64, width: i64, last: i64) -> Vec<i64> {
    (0..count).map(|part| part * width).chain([(count - 1) * width + last]).collect()
}

/// Borders of parts of these widths.
fn side_by_side(widths: impl IntoIterator<Item = i64>) -> Vec<i64> {
    let mut borders = vec![0];
    for width in widths {
        borders.push(borders[borders.len() - 1] + width);
    }
    borders
}

/// A full tensor's form: without a gap, with rows that end with lines or with more, or with any gap.
fn rows_of_some_kind(row_bytes: usize, item: usize, random: &mut Random) -> Form {
    let up_to = |unit: usize| {
        let whole = |gap: &usize| (row_bytes + gap * item).is_multiple_of(unit);
        (1..=unit).find(whole).unwrap_or(unit) as i64
    };
    match random.below(5) {
        0 | 1 => Form::dense(random),
        2 => Form::padded(up_to(64), 0, random),
        3 => Form::padded(up_to(1024), 0, random),
        _ => Form::padded(random.range(1, 70), random.range(0, 70), random),
    }
}

/// One of the element sizes that such runs are made of.
fn item_of(run: usize, random: &mut Random) -> usize {
    let items: Vec<usize> = ITEMS.into_iter().filter(|&item| run.is_multiple_of(item)).collect();
    items[random.below(items.len())]
}

/// As many rows as `wanted`, or as make a tensor of that many bytes.
fn rows_within(bytes: usize, row_bytes: usize, wanted: usize) -> i64 {
    wanted.min(bytes / row_bytes).max(1) as i64
}

/// Mostly few, at times as many as `most`.
fn up_to(most: usize) -> impl Strategy<Value = usize> {
    prop_oneof![1usize..20, 1usize..130, Just(256), 1usize..=most]
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig::with_cases(count)
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn columns_of_one_width_round_trip_by_every_kernel(
        run in prop::sample::select(&RUNS[..]), lanes in up_to(600), rows in up_to(2000),
        seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let item = item_of(run, random);
        let (lanes, width) = (lanes.min((128 << 10) / run).max(1), (run / item) as i64);
        let last = if random.below(2) == 0 { width } else { random.range(1, width + 1) };
        let rows = rows_within(192 << 10, lanes * run, rows);
        let cut = grid_of(&[vec![0, rows], evenly(lanes as i64, width, last)]);
        let form = |random: &mut Random, is_full: bool| {
            if is_full { rows_of_some_kind(lanes * run, item, random) } else { Form::dense(random) }
        };
        round_trip(&cut, of_bytes(item), &every_way(), form, random)?;
    }

    #[test]
    fn columns_of_mixed_widths_round_trip_by_every_kernel(
        widest in prop::sample::select(vec![3usize, 16, 40, 64, 130, 511, 1023, 1500]),
        lanes in up_to(400), rows in up_to(600), seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let item = ITEMS[random.below(3)];
        let most = (widest / item).max(1) as i64;
        let mut widths: Vec<i64> = Vec::new();
        for _ in 0..lanes.min((128 << 10) / widest) {
            // Some neighbours are alike.
            let again = widths.last().copied().filter(|_| random.below(3) == 0);
            widths.push(again.unwrap_or_else(|| random.range(1, most + 1)));
        }
        let row = widths.iter().sum::<i64>() as usize * item;
        let cut = grid_of(&[vec![0, rows_within(192 << 10, row, rows)], side_by_side(widths)]);
        let form = |random: &mut Random, is_full: bool| {
            if is_full { rows_of_some_kind(row, item, random) } else { Form::dense(random) }
        };
        round_trip(&cut, of_bytes(item), &every_way(), form, random)?;
    }

    /// The second and the third dimension are cut, and no loop can be made of two.
    #[test]
    fn grids_of_three_dimensions_round_trip_by_every_kernel(
        planes in 1i64..6, run in prop::sample::select(&RUNS[..14]), lanes in up_to(80),
        cuts in 1i64..4, height in up_to(60), seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let (item, lanes) = (item_of(run, random), lanes.min((16 << 10) / run).max(1));
        let height = rows_within((192 << 10) / (planes * cuts) as usize, lanes * run, height);
        let last = random.range(1, height + 1);
        let columns = evenly(lanes as i64, (run / item) as i64, random.range(1, (run / item) as i64 + 1));
        let cut = grid_of(&[vec![0, planes], evenly(cuts, height, last), columns]);
        let packed = random.below(4) > 0;
        let form = |random: &mut Random, is_full: bool| {
            if is_full {
                rows_of_some_kind(lanes * run, item, random)
            } else if packed {
                Form::dense(random)
            } else {
                Form::padded(random.range(0, 20), random.range(0, 20), random)
            }
        };
        round_trip(&cut, of_bytes(item), &every_way(), form, random)?;
    }

    /// Borders that don't meet: some boxes lie side by side for a part of their rows only.
    #[test]
    fn boxes_of_any_cut_round_trip_by_every_kernel(
        planes in prop::collection::vec(1usize..5, 0..3), rows in up_to(90), row in 16usize..3000,
        count in 2usize..16, by_planes in any::<bool>(), seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let item = ITEMS[random.below(ITEMS.len())];
        let row = (row / item).max(2);
        let rows = rows_within((192 << 10) / planes.iter().product::<usize>(), row * item, rows);
        let planes = planes.iter().map(|&size| size as i64);
        let sizes: Vec<i64> = planes.chain([rows, row as i64]).collect();
        let cut = if by_planes { partition } else { pinwheels }(&sizes, count, random);
        let form = |random: &mut Random, is_full: bool| match (is_full, random.below(8)) {
            (true, 7) => Form::of_any_kind(sizes.len(), random),
            (true, _) => rows_of_some_kind(row * item, item, random),
            (false, 7) => Form::padded(random.range(0, 20), random.range(0, 20), random),
            (false, _) => Form::dense(random),
        };
        round_trip(&cut, of_bytes(item), &every_way(), form, random)?;
    }

    #[test]
    fn transposed_reversed_and_spread_tensors_round_trip_by_every_kernel(
        item in prop::sample::select(vec![1usize, 2, 3, 4, 8, 12, 16, 24, 32, 48]),
        sizes in prop_oneof![
            (up_to(300), up_to(300)).prop_map(|(rows, columns)| vec![rows, columns]),
            (1usize..40, up_to(60), up_to(60)).prop_map(|(a, b, c)| vec![a, b, c]),
        ],
        plain_shards in any::<bool>(), seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let mut room = (192 << 10) / item;
        let borders: Vec<Vec<i64>> = sizes.iter().map(|&size| {
            let size = size.min(room) as i64;
            room /= size as usize;
            let width = if random.below(2) == 0 { size } else { random.range(1, size + 1) };
            let count = size.div_euclid(width).min(24);
            evenly(count, width, random.range(1, width + 1))
        }).collect();
        let cut = grid_of(&borders);
        let form = |random: &mut Random, is_full: bool| {
            let any = is_full || !plain_shards;
            if any { Form::of_any_kind(borders.len(), random) } else { Form::dense(random) }
        };
        round_trip(&cut, of_bytes(item), &every_way(), form, random)?;
    }
}

proptest! {
    #![proptest_config(cases(12))]

    /// So large that parts of them are given to several threads, which begin and end anywhere.
    #[test]
    fn large_columns_round_trip_by_several_threads(
        run in prop::sample::select(&RUNS[..]), lanes in up_to(600), transposed in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let (item, lanes) = (item_of(run, random), lanes.max(2));
        let rows = rows_within(9 << 20, lanes * run, usize::MAX);
        let width = (run / item) as i64;
        let cut = grid_of(&[vec![0, rows], evenly(lanes as i64, width, random.range(1, width + 1))]);
        let form = |random: &mut Random, is_full: bool| match (is_full, transposed) {
            (true, false) => rows_of_some_kind(lanes * run, item, random),
            (true, true) => Form { order: Some(vec![0, 1]), ..Form::dense(random) },
            (false, _) => Form::dense(random),
        };
        let way = |stores, max_threads| CopyOptions {
            max_threads, stores, instructions: LEVELS[seed as usize % 3],
            prefetch: PREFETCHES[seed as usize % PREFETCHES.len()],
        };
        let ways = [way(Stores::Stream, 4), way(Stores::Cached, 2), way(Stores::Stream, 3)];
        round_trip(&cut, of_bytes(item), &ways, form, random)?;
    }
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn large_boxes_round_trip_by_several_threads(
        row in 20i64..400, height in 1i64..200, count in 2usize..60, by_planes in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let random = &mut Random::new(seed);
        let planes = rows_within(9 << 20, (4 * row * height) as usize, usize::MAX);
        let sizes = [planes, height, row];
        let cut = if by_planes { partition } else { pinwheels }(&sizes, count, random);
        let way = |stores, max_threads| CopyOptions {
            max_threads, stores, instructions: LEVELS[seed as usize % 3],
            prefetch: PREFETCHES[seed as usize % PREFETCHES.len()],
        };
        let ways = [way(Stores::Auto, 4), way(Stores::Stream, 3), way(Stores::Stream, 1)];
        round_trip(&cut, of_bytes(4), &ways, |random, _| Form::dense(random), random)?;
    }
}

/// At the limits of what is copied together: lanes, rows, and bytes of a row.
#[test]
fn extreme_columns_round_trip_by_every_kernel() {
    let random = &mut Random::new(1);
    for (lanes, run) in [
        (1, 1),
        (1, 63),
        (1, 64),
        (1, 1023),
        (2, 1023),
        (15, 1),
        (16, 1),
        (255, 1),
        (256, 1),
        (257, 1),
        (513, 1),
        (3, 700),
        (300, 2),
        (1024, 8),
        (257, 16),
        (33, 32),
        (9, 960),
        (5, 512),
    ] {
        for rows in [1, 2, 3, 15, 63, 64, 65, 511, 512, 513, 1025] {
            let cut = grid_of(&[vec![0, rows], evenly(lanes, run, run)]);
            let form = |random: &mut Random, is_full: bool| {
                if is_full {
                    rows_of_some_kind((lanes * run) as usize, 1, random)
                } else {
                    Form { place: 0, ..Form::dense(random) }
                }
            };
            let ways = every_way();
            let ways = &ways[random.below(3)..][..4];
            round_trip(&cut, of_bytes(1), ways, form, random).unwrap();
        }
    }
}

/// Runs that are combined to whole lines in bursts: shards that begin with a line, and others; rows with
/// and without gaps; turns of the loops around them that are whole lines, and others.
#[test]
fn short_runs_of_shards_that_begin_with_a_line_round_trip_by_every_kernel() {
    let random = &mut Random::new(2);
    for run in [16, 32, 64] {
        for lanes in [1, 2, 3, 4, 7, 8, 9, 16, 24, 33, 64, 130, 257] {
            for (outer, rows) in [(1, 64), (1, 65), (1, 131), (1, 4), (2, 64), (3, 66), (2, 33)] {
                let cuts = [vec![0, outer], vec![0, rows], evenly(lanes, run, run)];
                let form = |random: &mut Random, is_full: bool| {
                    let place = if random.below(8) == 0 { 16 } else { 0 };
                    let dense = Form { place, ..Form::dense(random) };
                    match random.below(3) {
                        0 if is_full => rows_of_some_kind((lanes * run) as usize, 1, random),
                        1 if is_full => Form { place, ..Form::padded(64, 64, random) },
                        _ => dense,
                    }
                };
                let ways = every_way();
                let ways = &ways[random.below(5)..][..2];
                round_trip(&grid_of(&cuts), of_bytes(1), ways, form, random).unwrap();
            }
        }
    }
}
