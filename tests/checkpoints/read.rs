//! Reading parts of tensors out of files: equal to cutting the tensors in memory.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use crate::common::checkpoints::{
    Folder, Stored, dcp_info, part_of, values, write_index, write_safetensors,
};
use crate::common::cuts::spec_of;
use serde_json::Value;
use shardspec::error::status::*;
use shardspec::error::{Describe, Error};
use shardspec::files::{CheckpointRead, FileSet, ReadItem, ReadOptions, ReadReport, open};
use shardspec::memory::Shared;
use shardspec::model::{
    ChunkShardingSpec, DataType, Placement, ShardMetadata, ShardedTensorMetadata, ShardingDim,
    ShardingSpec, Shards, TensorProperties, TensorShape,
};
use shardspec::plan::{MergeOptions, ReshardPlan};
use shardspec::transfer::{CopyOptions, HostTransfer, HostView, LocalShards};

const F32: DataType = DataType::FLOAT32;

/// Few bytes at once, and none that are not needed.
const STRICT: ReadOptions = ReadOptions {
    max_threads: 3,
    merge: MergeOptions { max_gap: 0, over_read: 1.0, max_read: 64 },
};

/// A layout by chunks along a dimension.
fn chunks(sizes: &[i64], dim: i64, count: i64) -> ShardedTensorMetadata {
    let ranks = (0..count).map(|rank| Placement::on_rank(rank).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), ranks).unwrap();
    spec.build_metadata(TensorShape::new(sizes), TensorProperties::default()).unwrap()
}

/// A layout of listed boxes.
fn boxes(sizes: &[i64], listed: &[(&[i64], &[i64])]) -> ShardedTensorMetadata {
    let shard = |(rank, (offsets, sizes)): (i64, &(&[i64], &[i64]))| ShardMetadata {
        offsets: offsets.to_vec(),
        sizes: sizes.to_vec(),
        placement: Placement::on_rank(rank).unwrap(),
    };
    let shards = Shards::from_list(&(0..).zip(listed).map(shard).collect::<Vec<_>>()).unwrap();
    ShardedTensorMetadata::new(shards, sizes, TensorProperties::default()).unwrap()
}

fn sizes_of(layout: &ShardedTensorMetadata, index: usize) -> Vec<i64> {
    layout.shards().get(index).unwrap().sizes.to_vec()
}

fn room(sizes: &[i64], dtype: DataType) -> Vec<u8> {
    vec![0xa5; dtype.storage_bytes(sizes.iter().product::<i64>() as u64).unwrap()]
}

/// The shard of a full tensor, as copying in memory has it; padding is zero.
fn extracted(
    layout: &ShardedTensorMetadata, index: usize, full: &[u8], dtype: DataType,
) -> Vec<u8> {
    let sizes = sizes_of(layout, index);
    let (mut shard, mut source) = (room(&sizes, dtype), full.to_vec());
    shard.fill(0);
    let from = HostView::new("full", source.as_mut_ptr(), dtype, layout.sizes(), None).unwrap();
    let to = HostView::new("shard", shard.as_mut_ptr(), dtype, &sizes, None).unwrap();
    let transfer = HostTransfer::extract(layout, index, &from, &to, &CopyOptions::default());
    // SAFETY: both are buffers of this function.
    unsafe { transfer.unwrap().run() };
    shard
}

/// Shards of a layout in buffers of their own.
struct Buffers {
    bytes: Vec<Vec<u8>>,
    shards: Shared<LocalShards>,
}

impl Buffers {
    fn new(layout: &ShardedTensorMetadata, indices: &[usize], dtype: DataType) -> Self {
        let sizes: Vec<_> = indices.iter().map(|&index| sizes_of(layout, index)).collect();
        let mut bytes: Vec<_> = sizes.iter().map(|sizes| room(sizes, dtype)).collect();
        let views: Vec<_> = bytes
            .iter_mut()
            .zip(&sizes)
            .map(|(bytes, sizes)| {
                HostView::new("shard", bytes.as_mut_ptr(), dtype, sizes, None).unwrap()
            })
            .collect();
        let shards = LocalShards::new(layout, indices.iter().copied().zip(&views)).unwrap();
        Self { bytes, shards: Shared::try_new(shards).unwrap() }
    }
}

/// Reads some shards of a layout.
fn read(
    set: &FileSet, name: &str, layout: &ShardedTensorMetadata, indices: &[usize], dtype: DataType,
    options: &ReadOptions,
) -> Result<(Vec<Vec<u8>>, ReadReport), Error> {
    let buffers = Buffers::new(layout, indices, dtype);
    let items = [ReadItem { name, layout, shards: buffers.shards.clone() }];
    let read = CheckpointRead::new(set, &items, options)?;
    // SAFETY: the buffers are this function's.
    let (report, result) = unsafe { read.run(&mut |_, _| Ok(())) };
    result.map(|()| (buffers.bytes, report))
}

/// Compares all shards of a layout, read at once and one by one, with those cut in memory.
fn check_layout(
    set: &FileSet, name: &str, layout: &ShardedTensorMetadata, full: &[u8], dtype: DataType,
    options: &ReadOptions,
) {
    let all: Vec<_> = (0..layout.shards().len()).collect();
    let expected: Vec<_> = all.iter().map(|&index| extracted(layout, index, full, dtype)).collect();
    let (buffers, report) = read(set, name, layout, &all, dtype, options).unwrap();
    assert_eq!(buffers, expected, "{name}: all shards of {layout:?}");
    assert_eq!(report.whole, [true]);
    for &index in &all {
        let (buffers, report) = read(set, name, layout, &[index], dtype, options).unwrap();
        assert_eq!(buffers[0], expected[index], "{name}: shard {index} of {layout:?}");
        if options.merge.max_gap == 0 && options.merge.over_read == 1.0 {
            assert_eq!(report.bytes_read, report.bytes_needed, "{layout:?} {index}");
        }
    }
}

#[test]
fn every_chunk_layout_reads_what_cutting_in_memory_gives() {
    let (folder, full) = (Folder::new("chunks"), values(24 * 10 * 4, 1));
    let path = folder.file("model.safetensors");
    write_safetensors(&path, &[Stored::new("w", "F32", &[24, 10], &full)], &[]);
    let set = open(&path).unwrap();
    for options in [ReadOptions::default(), STRICT] {
        for count in [1, 2, 3, 4, 6, 8, 16] {
            for dim in [0, 1] {
                check_layout(&set, "w", &chunks(&[24, 10], dim, count), &full, F32, &options);
            }
        }
    }
}

/// Segments, granules, replicas, cyclic cuts, padding and flattened dimensions.
#[test]
fn every_layout_of_the_algebra_reads_what_cutting_in_memory_gives() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/layouts.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let folder = Folder::new("algebra");
    let (mut count, mut padded) = (0, 0);
    for (number, case) in file["cases"].as_array().unwrap().iter().enumerate() {
        let sizes: Vec<i64> =
            case["sizes"].as_array().unwrap().iter().map(|size| size.as_i64().unwrap()).collect();
        let metadata = spec_of(case).and_then(|spec| {
            spec.build_metadata(TensorShape::new(&sizes), TensorProperties::default())
        });
        let Ok(layout) = metadata else { continue };
        let numel = sizes.iter().product::<i64>() as usize;
        if numel > 1 << 14 || !layout.partial().is_empty() {
            continue;
        }
        let full = values(numel * 4, number as u8);
        let path = folder.file("model.safetensors");
        write_safetensors(&path, &[Stored::new("w", "F32", &sizes, &full)], &[]);
        let set = open(&path).unwrap();
        for options in [ReadOptions::default(), STRICT] {
            check_layout(&set, "w", &layout, &full, F32, &options);
        }
        count += 1;
        let is_padded = |index| {
            let read = layout.shards().get(index).unwrap();
            read.sizes.iter().product::<i64>() > 0 && !read.is_box()
        };
        padded += usize::from((0..layout.shards().len()).any(is_padded));
    }
    assert!(count > 50 && padded > 10, "{count} cases, {padded} with shards that are no boxes");
}

#[test]
fn shards_of_a_distributed_checkpoint_become_any_layout() {
    let (folder, full) = (Folder::new("dcp"), values(7 * 6 * 4, 3));
    // Three ranks: two rows by all columns, three rows by four columns and by two, two rows.
    for (rank, rows, columns) in
        [(1, [0, 2], [0, 6]), (2, [2, 3], [0, 4]), (3, [2, 3], [4, 2]), (4, [5, 2], [0, 6])]
    {
        let part = part_of(&full, [7, 6], rows, columns);
        let offsets = [rows[0] as i64, columns[0] as i64];
        let info = dcp_info(&[("w", &offsets), ("b", &[0])]);
        let stored = Stored::new("w", "F32", &[rows[1] as i64, columns[1] as i64], &part);
        let bias = Stored::new("b", "F32", &[3], &full[..12]);
        let name = format!("shard-0000{rank}-model-00001-of-00001.safetensors");
        write_safetensors(folder.file(&name), &[stored, bias], &[("DCP_SHARDING_INFO", &info)]);
    }
    let set = open(&folder.path()).unwrap();
    let tensor = set.tensor("w").unwrap();
    assert_eq!((tensor.sizes(), tensor.chunks().len()), ([7, 6].as_slice(), 4));
    assert!(tensor.are_sizes_inferred() && tensor.metadata().is_ok());
    let placement = tensor.chunks().get(2).unwrap().placement;
    assert_eq!(placement.to_string(), "shard-00003-model-00001-of-00001.safetensors");
    assert_eq!(placement.type_name(), "file");
    let bias = set.tensor("b").unwrap();
    assert_eq!((bias.chunks().len(), bias.sizes()), (4, [3].as_slice()));
    check_layout(&set, "b", &chunks(&[3], 0, 2), &full[..12], F32, &STRICT);
    for options in [ReadOptions::default(), STRICT] {
        for count in 1..5 {
            check_layout(&set, "w", &chunks(&[7, 6], 0, count), &full, F32, &options);
            check_layout(&set, "w", &chunks(&[7, 6], 1, count), &full, F32, &options);
        }
    }
}

#[test]
fn column_major_arrays_are_read_into_row_major_shards() {
    let (folder, full) = (Folder::new("npy"), values(6 * 5 * 4, 5));
    let mut transposed = Vec::new();
    for column in 0..5 {
        transposed.extend(part_of(&full, [6, 5], [0, 6], [column, 1]));
    }
    for (order, bytes) in [("True", &transposed), ("False", &full)] {
        let text = format!("{{'descr': '<f4', 'fortran_order': {order}, 'shape': (6, 5), }}");
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((text.len() as u16).to_le_bytes());
        file.extend(text.bytes());
        file.extend(bytes);
        let path = folder.file("array.npy");
        std::fs::write(&path, file).unwrap();
        let set = open(&path).unwrap();
        for options in [ReadOptions::default(), STRICT] {
            for dim in [0, 1] {
                check_layout(&set, "array", &chunks(&[6, 5], dim, 3), &full, F32, &options);
            }
        }
    }
}

#[test]
fn packed_elements_are_read_where_parts_end_on_whole_bytes() {
    let (folder, full) = (Folder::new("packed"), values(12, 7));
    let path = folder.file("model.safetensors");
    let odd = Stored::new("odd", "F4", &[3, 3], &full[..5]);
    write_safetensors(&path, &[Stored::new("w", "F4", &[4, 6], &full), odd], &[]);
    let (set, f4) = (open(&path).unwrap(), DataType::parse("float4_e2m1fn").unwrap());
    for options in [ReadOptions::default(), STRICT] {
        check_layout(&set, "w", &chunks(&[4, 6], 0, 4), &full, f4, &options);
        let even = boxes(&[4, 6], &[(&[0, 0], &[4, 2]), (&[0, 2], &[4, 4])]);
        check_layout(&set, "w", &even, &full, f4, &options);
        let (buffers, _) = read(&set, "odd", &chunks(&[3, 3], 0, 1), &[0], f4, &options).unwrap();
        assert_eq!(buffers[0], full[..5]);
    }
    let refused = read(&set, "w", &chunks(&[4, 6], 1, 2), &[0], f4, &STRICT).unwrap_err();
    assert_eq!(refused.describe().0, SHARDSPEC_UNSUPPORTED, "{refused}");
    assert!(refused.to_string().contains("inside of a byte"), "{refused}");
}

#[test]
fn views_of_any_strides_are_filled_and_nothing_beside_them() {
    let (folder, full) = (Folder::new("strides"), values(6 * 4 * 4, 9));
    let path = folder.file("model.safetensors");
    write_safetensors(&path, &[Stored::new("w", "F32", &[6, 4], &full)], &[]);
    let (set, layout) = (open(&path).unwrap(), chunks(&[6, 4], 0, 1));
    // Backwards rows, column-major, and rows with room between them.
    let strided: [(&[i64], usize, usize); 3] =
        [(&[-4, 1], 20 * 4, 24), (&[1, 6], 0, 24), (&[7, 1], 0, 42)];
    for (strides, first, room) in strided {
        for options in [ReadOptions::default(), STRICT] {
            let mut bytes = vec![0xa5u8; room * 4];
            let start = bytes.as_mut_ptr().wrapping_add(first);
            let view = HostView::new("shard", start, F32, &[6, 4], Some(strides)).unwrap();
            let shards = LocalShards::new(&layout, [(0, &view)]).unwrap();
            let shards = Shared::try_new(shards).unwrap();
            let items = [ReadItem { name: "w", layout: &layout, shards }];
            let read = CheckpointRead::new(&set, &items, &options).unwrap();
            // SAFETY: the buffer is this function's.
            unsafe { read.run(&mut |_, _| Ok(())) }.1.unwrap();
            let mut expected = vec![0xa5u8; room * 4];
            for (row, column) in (0..6).flat_map(|row| (0..4).map(move |column| (row, column))) {
                let element = row * strides[0] + column * strides[1];
                let at = (first as i64 + element * 4) as usize;
                let from = (row * 4 + column) as usize * 4;
                expected[at..at + 4].copy_from_slice(&full[from..from + 4]);
            }
            assert_eq!(bytes, expected, "{strides:?}");
        }
    }
}

#[test]
fn many_tensors_of_many_files_are_read_in_one_call() {
    let (folder, all) = (Folder::new("many"), values(1 << 14, 11));
    let names: Vec<String> = (0..9).map(|number| format!("layer.{number}.weight")).collect();
    let parts: Vec<&[u8]> = all.chunks(1 << 10).take(9).collect();
    let mut map = Vec::new();
    for file in 0..3 {
        let name = format!("model-0000{}-of-00003.safetensors", file + 1);
        let stored: Vec<_> = (file * 3..file * 3 + 3)
            .map(|number| Stored::new(&names[number], "F32", &[16, 16], parts[number]))
            .collect();
        write_safetensors(folder.file(&name), &stored, &[("format", "pt")]);
        map.extend((file * 3..file * 3 + 3).map(|number| (names[number].as_str(), name.clone())));
    }
    let map: Vec<_> = map.iter().map(|(name, file)| (*name, file.as_str())).collect();
    write_index(&folder, &map);
    let set = open(&folder.path()).unwrap();
    assert_eq!((set.tensors().len(), set.files().len()), (9, 3));
    assert_eq!(set.files()[0].texts().collect::<Vec<_>>(), [("format", "pt")]);
    let layout = chunks(&[16, 16], 1, 4);
    for options in [ReadOptions::default(), STRICT] {
        let mut buffers: Vec<_> = names.iter().map(|_| Buffers::new(&layout, &[2], F32)).collect();
        let items: Vec<_> = names
            .iter()
            .zip(&buffers)
            .map(|(name, own)| ReadItem { name, layout: &layout, shards: own.shards.clone() })
            .collect();
        let read = CheckpointRead::new(&set, &items, &options).unwrap();
        let mut told = Vec::new();
        // SAFETY: the buffers are this function's.
        let (report, result) = unsafe {
            read.run(&mut |done, all| {
                told.push((done, all));
                Ok(())
            })
        };
        result.unwrap();
        assert_eq!(report.whole, [true; 9]);
        assert_eq!(report.bytes_needed, 9 * 256);
        assert!(report.bytes_read <= 9 * 1024 && report.reads > 0);
        assert!(told.is_sorted() && told.last() == Some(&(9 * 256, 9 * 256)), "{told:?}");
        for (buffer, part) in buffers.drain(..).zip(&parts) {
            assert_eq!(buffer.bytes[0], extracted(&layout, 2, part, F32));
        }
    }
}

/// Half of the columns of a matrix: many short parts, and one read.
#[test]
fn near_parts_are_read_at_once_and_far_ones_are_not() {
    let (folder, full) = (Folder::new("merge"), values(4096 * 128 * 4, 13));
    let path = folder.file("model.safetensors");
    write_safetensors(&path, &[Stored::new("w", "F32", &[4096, 128], &full)], &[]);
    let (set, layout) = (open(&path).unwrap(), chunks(&[4096, 128], 1, 2));
    let expected = extracted(&layout, 1, &full, F32);
    let plan = ReshardPlan::new(&chunks(&[4096, 128], 0, 1), &layout).unwrap();
    let one = |options: ReadOptions| {
        let (buffers, report) = read(&set, "w", &layout, &[1], F32, &options).unwrap();
        assert!(buffers[0] == expected);
        // The plan's own reads, of the same bytes.
        let planned = plan.reads_of_bits(plan.pieces_into(1), 32, &options.merge).unwrap().reads;
        assert_eq!(planned.len() as u64, report.reads);
        assert_eq!(planned.iter().map(|read| read.length as u64).sum::<u64>(), report.bytes_read);
        (report.reads, report.bytes_read, report.bytes_needed)
    };
    let needed = 1u64 << 20;
    assert_eq!(one(ReadOptions::default()), (1, (2 << 20) - 256, needed));
    let merged = |merge: MergeOptions| ReadOptions { max_threads: 0, merge };
    let few_gaps = MergeOptions { max_gap: 0, over_read: 1.9, ..MergeOptions::default() };
    let no_gaps = merged(few_gaps);
    let (reads, bytes_read, _) = one(no_gaps);
    assert!(reads > 1 && bytes_read as f64 <= 1.9 * needed as f64, "{reads} {bytes_read}");
    assert_eq!(one(merged(MergeOptions { over_read: 1.0, ..few_gaps })), (4096, needed, needed));
    let small = MergeOptions { max_read: 64 << 10, ..MergeOptions::default() };
    assert_eq!(one(merged(small)).0, 32);
    let both = read(&set, "w", &layout, &[0, 1], F32, &no_gaps).unwrap().1;
    assert_eq!((both.bytes_read, both.bytes_needed), (2 << 20, 2 << 20));
}

/// Asks the system to forget what it has of a file.
#[cfg(not(target_os = "linux"))]
fn drop_from_cache(_: &str) {}

/// Asks the system to forget what it has of a file.
#[cfg(target_os = "linux")]
fn drop_from_cache(path: &str) {
    use std::os::fd::AsRawFd;
    let file = std::fs::File::open(path).unwrap();
    file.sync_all().unwrap();
    // SAFETY: an open descriptor.
    unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
}

#[test]
fn many_small_reads_arrive_from_the_disk_and_the_cache_and_files_that_have_none() {
    let full = values(4096 * 128 * 4, 14);
    // Where there is such a folder, its files are in memory, and reads of them do not say whether they
    // would wait.
    let memory = std::path::Path::new("/dev/shm/shardspec-small-reads.safetensors");
    let folder = Folder::new("small-reads");
    let mut paths = vec![folder.file("model.safetensors")];
    paths.extend(
        memory.parent().filter(|folder| folder.is_dir()).map(|_| memory.to_str().unwrap().into()),
    );
    for path in &paths {
        write_safetensors(path, &[Stored::new("w", "F32", &[4096, 128], &full)], &[]);
        let (set, layout) = (open(path).unwrap(), chunks(&[4096, 128], 1, 4));
        let expected = extracted(&layout, 1, &full, F32);
        for (max_threads, max_gap) in [(1, 0), (3, 0), (4, 1 << 20)] {
            for is_dropped in [true, false] {
                if is_dropped {
                    drop_from_cache(path);
                }
                let merge = MergeOptions { max_gap, over_read: 1.0, ..MergeOptions::default() };
                let options = ReadOptions { max_threads, merge };
                let (buffers, report) = read(&set, "w", &layout, &[1], F32, &options).unwrap();
                assert!(buffers[0] == expected, "{path} {options:?}");
                let reads = if max_gap == 0 { 4096 } else { 1 };
                assert_eq!(
                    (report.reads, report.bytes_needed, report.whole),
                    (reads, 1 << 19, vec![true])
                );
            }
        }
    }
    let _ = std::fs::remove_file(memory);
}

#[test]
fn a_file_that_shrinks_during_a_read_is_named_and_what_was_read_is_counted() {
    let (folder, full) = (Folder::new("shrinks"), values(4096 * 128 * 4, 16));
    let path = folder.file("model.safetensors");
    let stored = [
        Stored::new("a", "F32", &[1024, 128], &full[..1 << 19]),
        Stored::new("b", "F32", &[3072, 128], &full[1 << 19..]),
    ];
    write_safetensors(&path, &stored, &[]);
    let set = open(&path).unwrap();
    let layouts = [chunks(&[1024, 128], 1, 2), chunks(&[3072, 128], 1, 2)];
    let buffers = [0, 1].map(|at| Buffers::new(&layouts[at], &[1], F32));
    let items = [("a", 0), ("b", 1)].map(|(name, at)| ReadItem {
        name,
        layout: &layouts[at],
        shards: buffers[at].shards.clone(),
    });
    let merge = MergeOptions { max_gap: 0, over_read: 1.0, ..MergeOptions::default() };
    let options = ReadOptions { max_threads: 1, merge };
    let read = CheckpointRead::new(&set, &items, &options).unwrap();
    // The last read of the batch that ends behind the middle finds nothing more.
    let end = std::fs::metadata(&path).unwrap().len() / 2 + 100;
    // SAFETY: the buffers are this function's.
    let (report, result) = unsafe {
        read.run(&mut |_, _| {
            let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.set_len(end).unwrap();
            Ok(())
        })
    };
    let error = result.unwrap_err();
    assert_eq!(error.describe().0, SHARDSPEC_INVALID_FILE, "{error}");
    assert!(error.to_string().contains("model.safetensors"), "{error}");
    assert_eq!(report.whole, [true, false]);
    assert_eq!(report.bytes_read, report.reads * 256);
    assert!((2000..2100).contains(&report.reads), "{report:?}");
}

#[test]
fn a_refused_progress_cancels_the_read_and_says_what_is_whole() {
    let (folder, full) = (Folder::new("cancel"), values(4096, 15));
    let path = folder.file("model.safetensors");
    let stored = [
        Stored::new("a", "F32", &[512], &full[..2048]),
        Stored::new("b", "F32", &[512], &full[2048..]),
    ];
    write_safetensors(&path, &stored, &[]);
    let (set, layout) = (open(&path).unwrap(), chunks(&[512], 0, 1));
    let buffers = [Buffers::new(&layout, &[0], F32), Buffers::new(&layout, &[0], F32)];
    let item = |name, own: &Buffers| ReadItem { name, layout: &layout, shards: own.shards.clone() };
    let items = [item("a", &buffers[0]), item("b", &buffers[1])];
    let merge = MergeOptions { max_gap: 0, over_read: 1.0, max_read: 2048 };
    let options = ReadOptions { max_threads: 1, merge };
    let read = CheckpointRead::new(&set, &items, &options).unwrap();
    let mut calls = 0;
    // SAFETY: the buffers are this function's.
    let (report, result) = unsafe {
        read.run(&mut |done, _| {
            calls += 1;
            if done == 2048 { Err(Error::Overflow { what: "on purpose".into() }) } else { Ok(()) }
        })
    };
    assert_eq!(result, Err(Error::Overflow { what: "on purpose".into() }));
    assert_eq!((report.whole.as_slice(), report.reads, calls), ([true, false].as_slice(), 1, 1));
    assert_eq!(buffers[0].bytes[0], full[..2048]);
}

#[test]
fn destinations_that_share_memory_are_refused_before_anything_is_read() {
    let (folder, full) = (Folder::new("alias"), values(64, 17));
    let path = folder.file("model.safetensors");
    let stored =
        [Stored::new("a", "F32", &[8], &full[..32]), Stored::new("b", "F32", &[8], &full[32..])];
    write_safetensors(&path, &stored, &[]);
    let (set, layout) = (open(&path).unwrap(), chunks(&[8], 0, 1));
    let mut bytes = [0xa5u8; 128];
    // The same bytes; some of the same; every second element of the same bytes, which are apart.
    for (start, strides, is_refused) in [(0, 1, true), (28, 1, true), (32, 1, false), (4, 2, false)]
    {
        let local = |first: usize, stride| {
            let first = bytes.as_ptr().cast_mut().wrapping_add(first);
            let view = HostView::new("shard", first, F32, &[8], Some(&[stride])).unwrap();
            Shared::try_new(LocalShards::new(&layout, [(0, &view)]).unwrap()).unwrap()
        };
        let items = [
            ReadItem { name: "a", layout: &layout, shards: local(0, strides) },
            ReadItem { name: "b", layout: &layout, shards: local(start, strides) },
        ];
        match CheckpointRead::new(&set, &items, &ReadOptions::default()) {
            Ok(_) => assert!(!is_refused, "{start} {strides}"),
            Err(error) => {
                assert!(is_refused, "{start} {strides}: {error}");
                assert_eq!(error.describe().0, SHARDSPEC_ALIASED, "{error}");
            }
        }
    }
    bytes.iter_mut().for_each(|byte| assert_eq!(*byte, 0xa5));
}
