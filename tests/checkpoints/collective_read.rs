//! Checkpoints that several ranks read together: every byte is read once, and every rank has its shards.

#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::sync::Barrier;

use crate::common::checkpoints::{Folder, Stored, values, write_index, write_safetensors};
use crate::common::ranks::on_all;
use proptest::prelude::*;
use shardspec::collective_io::{self, CollectiveReadOptions};
use shardspec::comm::{self, Communicator};
use shardspec::error::status::*;
use shardspec::error::{Describe, Error};
use shardspec::files::{CheckpointRead, FileSet, ReadItem, ReadOptions, ReadReport, open};
use shardspec::memory::Shared;
use shardspec::model::{
    DataType, Placement, ShardMetadata, ShardedTensorMetadata, Shards, TensorProperties,
};
use shardspec::plan::MergeOptions;
use shardspec::transfer::{CopyOptions, HostTransfer, HostView, LocalShards};

const F32: DataType = DataType::FLOAT32;

/// No byte that is not needed, and an agreement after each tensor.
fn strict() -> CollectiveReadOptions {
    let merge = MergeOptions { max_gap: 0, over_read: 1.0, max_read: 64 };
    let read = ReadOptions { max_threads: 2, merge };
    CollectiveReadOptions { read, group_bytes: 1, ..CollectiveReadOptions::default() }
}

/// Rows cut in `rows` parts and columns in `columns` parts; `holders` are the ranks of each cell.
fn grid(
    sizes: [i64; 2], [rows, columns]: [i64; 2], holders: impl Fn(i64, i64) -> Vec<i64>,
) -> ShardedTensorMetadata {
    let bounds = |size: i64, parts: i64, at: i64| (size * at / parts, size * (at + 1) / parts);
    let mut shards = Vec::new();
    for row in 0..rows {
        for column in 0..columns {
            let (top, bottom) = bounds(sizes[0], rows, row);
            let (left, right) = bounds(sizes[1], columns, column);
            shards.extend(holders(row, column).into_iter().map(|rank| ShardMetadata {
                offsets: vec![top, left],
                sizes: vec![bottom - top, right - left],
                placement: Placement::on_rank(rank).unwrap(),
            }));
        }
    }
    let shards = Shards::from_list(&shards).unwrap();
    ShardedTensorMetadata::with_replicas(shards, &sizes, TensorProperties::default()).unwrap()
}

/// The shards of one rank, in buffers of this test.
struct Own {
    bytes: Vec<Vec<u8>>,
    shards: Shared<LocalShards>,
}

fn own(layout: &ShardedTensorMetadata, rank: usize, dtype: DataType) -> Own {
    let indices: Vec<usize> = layout.shards_of_rank(rank as i64).collect();
    let sizes = |index: usize| layout.shards().get(index).unwrap().sizes.to_vec();
    let mut bytes: Vec<Vec<u8>> = indices
        .iter()
        .map(|&index| {
            vec![0xa5; dtype.storage_bytes(sizes(index).iter().product::<i64>() as u64).unwrap()]
        })
        .collect();
    let views: Vec<HostView> = indices
        .iter()
        .zip(&mut bytes)
        .map(|(&index, own)| {
            HostView::new("shard", own.as_mut_ptr(), dtype, &sizes(index), None).unwrap()
        })
        .collect();
    let shards = LocalShards::new(layout, indices.iter().copied().zip(&views)).unwrap();
    Own { bytes, shards: Shared::try_new(shards).unwrap() }
}

/// The shards of one rank, cut in memory.
fn expected(
    layout: &ShardedTensorMetadata, rank: usize, full: &[u8], dtype: DataType,
) -> Vec<Vec<u8>> {
    let mut source = full.to_vec();
    let from = HostView::new("full", source.as_mut_ptr(), dtype, layout.sizes(), None).unwrap();
    let cut = |index: usize| {
        let sizes = layout.shards().get(index).unwrap().sizes.to_vec();
        let bytes = dtype.storage_bytes(sizes.iter().product::<i64>() as u64).unwrap();
        let mut shard = vec![0; bytes];
        let to = HostView::new("shard", shard.as_mut_ptr(), dtype, &sizes, None).unwrap();
        let copy = HostTransfer::extract(layout, index, &from, &to, &CopyOptions::default());
        // SAFETY: both are buffers of this function.
        unsafe { copy.unwrap().run() };
        shard
    };
    layout.shards_of_rank(rank as i64).map(cut).collect()
}

/// What a rank asks for: a name, and the layout of its shards.
type Wanted<'a> = (&'a str, &'a ShardedTensorMetadata);

/// One rank's part of a collective read: its report, its result and its shards.
fn read_on(
    comm: &dyn Communicator, set: &FileSet, wanted: &[Wanted<'_>], options: &CollectiveReadOptions,
    progress: &mut dyn FnMut(u64, u64) -> Result<(), Error>,
) -> (ReadReport, Result<(), Error>, Vec<Vec<Vec<u8>>>) {
    let owned: Vec<Own> = wanted
        .iter()
        .map(|(name, layout)| {
            let dtype = set.tensor(name).map_or(F32, |tensor| tensor.dtype());
            own(layout, comm.rank(), dtype)
        })
        .collect();
    let items: Vec<ReadItem<'_>> = wanted
        .iter()
        .zip(&owned)
        .map(|((name, layout), own)| ReadItem { name, layout, shards: own.shards.clone() })
        .collect();
    // SAFETY: all are buffers of this function.
    let (report, result) =
        unsafe { collective_io::read::<Error>(comm, set, &items, options, progress) };
    (report, result, owned.into_iter().map(|own| own.bytes).collect())
}

fn go_on(_: u64, _: u64) -> Result<(), Error> {
    Ok(())
}

fn status(result: &Result<(), Error>) -> i32 {
    result.as_ref().map_or_else(|error| error.describe().0, |()| 0)
}

fn message(result: &Result<(), Error>) -> String {
    result.as_ref().map_or_else(|error| error.to_string(), |()| String::new())
}

/// A directory with `a` and `b` in one file and `c` in another.
fn folder() -> (Folder, [Vec<u8>; 3]) {
    let folder = Folder::new("collective");
    let full = [values(12 * 8 * 4, 1), values(6 * 6, 2), values(8 * 8 * 4, 3)];
    let a = Stored::new("a", "F32", &[12, 8], &full[0]);
    let b = Stored::new("b", "I8", &[6, 6], &full[1]);
    let c = Stored::new("c", "F32", &[8, 8], &full[2]);
    write_safetensors(folder.file("one.safetensors"), &[a, b], &[]);
    write_safetensors(folder.file("two.safetensors"), &[c], &[]);
    write_index(
        &folder,
        &[("a", "one.safetensors"), ("b", "one.safetensors"), ("c", "two.safetensors")],
    );
    (folder, full)
}

/// Layouts for `ranks` ranks: replicated, rows by ranks, and tensor parallel within pairs of replicas.
fn layouts(ranks: i64) -> [ShardedTensorMetadata; 3] {
    let all = || (0..ranks).collect::<Vec<_>>();
    let tp = if ranks % 2 == 0 { 2 } else { 1 };
    [
        grid([12, 8], [1, tp], |_, column| (0..ranks).filter(|rank| rank % tp == column).collect()),
        grid([6, 6], [ranks, 1], |row, _| vec![row]),
        grid([8, 8], [1, 1], |_, _| all()),
    ]
}

#[test]
fn every_byte_is_read_once_in_total_and_all_ranks_have_their_shards() {
    let (folder, full) = folder();
    for ranks in 1..=4 {
        let layouts = layouts(ranks);
        let wanted = [("a", &layouts[0]), ("b", &layouts[1]), ("c", &layouts[2])];
        for group_bytes in [1, 400, u64::MAX] {
            let options = CollectiveReadOptions { group_bytes, ..strict() };
            let answers = on_all(ranks as usize, |rank, comm| {
                let set = open(&folder.path()).unwrap();
                let mut seen = Vec::new();
                let (report, result, got) =
                    read_on(comm, &set, &wanted, &options, &mut |done, all| {
                        seen.push((done, all));
                        Ok(())
                    });
                result.unwrap();
                for (number, layout) in layouts.iter().enumerate() {
                    let dtype = set.tensor(wanted[number].0).unwrap().dtype();
                    assert_eq!(got[number], expected(layout, rank, &full[number], dtype), "{rank}");
                }
                let mine: usize = got.iter().flatten().map(Vec::len).sum();
                assert_eq!(report.whole, [true; 3]);
                assert_eq!(report.bytes_needed, mine as u64);
                assert!(seen.is_sorted() && seen.iter().all(|&(_, all)| all == mine as u64));
                assert_eq!(seen.last(), Some(&(mine as u64, mine as u64)));
                report.bytes_read
            });
            let stored = full.iter().map(Vec::len).sum::<usize>() as u64;
            assert_eq!(answers.iter().sum::<u64>(), stored, "{ranks} ranks: {answers:?}");
            let most = answers.iter().max().unwrap();
            assert!(*most < stored || ranks == 1, "readers are balanced: {answers:?}");
        }
    }
}

#[test]
fn a_rank_that_can_not_read_is_reported_to_all_with_file_and_reason() {
    let (folder, full) = folder();
    let layouts = layouts(3);
    let wanted = [("a", &layouts[0]), ("b", &layouts[1]), ("c", &layouts[2])];
    let opened = Barrier::new(3);
    let answers = on_all(3, |rank, comm| {
        let set = open(&folder.path()).unwrap();
        if opened.wait().is_leader() {
            std::fs::remove_file(folder.file("two.safetensors")).unwrap();
        }
        opened.wait();
        let (report, result, got) = read_on(comm, &set, &wanted, &strict(), &mut go_on);
        // What was read before has arrived everywhere.
        assert_eq!(report.whole, [true, true, false]);
        assert_eq!(got[0], expected(&layouts[0], rank, &full[0], F32));
        (status(&result), message(&result))
    });
    let failed: Vec<usize> =
        (0..3).filter(|&rank| answers[rank].0 == SHARDSPEC_FILE_FAILED).collect();
    let [reader] = failed[..] else { panic!("{answers:?}") };
    for (rank, (status, message)) in answers.iter().enumerate() {
        assert!(message.contains("two.safetensors"), "{message}");
        if rank != reader {
            assert_eq!(*status, SHARDSPEC_DISAGREEMENT);
            assert!(message.starts_with(&format!("rank {reader}: ")), "{message}");
            assert!(!message.contains("nothing was moved"), "{message}");
        }
    }
}

#[test]
fn a_file_that_became_shorter_is_reported_to_all_ranks() {
    let (folder, _) = folder();
    let layout = grid([12, 8], [1, 1], |_, _| vec![0, 1]);
    let opened = Barrier::new(2);
    let answers = on_all(2, |_, comm| {
        let set = open(&folder.path()).unwrap();
        if opened.wait().is_leader() {
            let file = std::fs::File::options().write(true).open(folder.file("one.safetensors"));
            file.unwrap().set_len(300).unwrap();
        }
        opened.wait();
        let (_, result, _) = read_on(comm, &set, &[("a", &layout)], &strict(), &mut go_on);
        (status(&result), message(&result))
    });
    assert!(
        answers.iter().all(|(status, message)| *status != 0 && message.contains("one.safetensors"))
    );
    assert_eq!(answers.iter().filter(|answer| answer.0 == SHARDSPEC_DISAGREEMENT).count(), 1);
}

#[test]
fn progress_that_refuses_on_one_rank_cancels_all() {
    let (folder, _) = folder();
    let layouts = layouts(4);
    let wanted = [("a", &layouts[0]), ("b", &layouts[1]), ("c", &layouts[2])];
    let answers = on_all(4, |rank, comm| {
        let set = open(&folder.path()).unwrap();
        let mut progress = |_: u64, _: u64| match rank {
            2 => Err(Error::invalid("progress", "enough")),
            _ => Ok(()),
        };
        let (_, result, _) = read_on(comm, &set, &wanted, &strict(), &mut progress);
        (status(&result), message(&result))
    });
    for (rank, (status, message)) in answers.iter().enumerate() {
        let expected = if rank == 2 { SHARDSPEC_INVALID_ARGUMENT } else { SHARDSPEC_DISAGREEMENT };
        assert_eq!(*status, expected, "{rank}: {message}");
        assert!(message.contains("enough"), "{message}");
    }
}

/// The refusals of two ranks that read different things, and that nothing was written.
fn refusals(
    wanted: &(dyn Fn(usize) -> Vec<(&'static str, ShardedTensorMetadata)> + Sync),
) -> Vec<(i32, String)> {
    let (folder, _) = folder();
    on_all(2, |rank, comm| {
        let set = open(&folder.path()).unwrap();
        let wanted = wanted(rank);
        let wanted: Vec<_> = wanted.iter().map(|(name, layout)| (*name, layout)).collect();
        let (report, result, got) = read_on(comm, &set, &wanted, &strict(), &mut go_on);
        assert_eq!(report, ReadReport::default());
        assert!(got.iter().flatten().flatten().all(|&byte| byte == 0xa5), "nothing was written");
        (status(&result), message(&result))
    })
}

#[test]
fn lists_that_differ_are_refused_with_both_names() {
    let both = |sizes| grid(sizes, [1, 1], |_, _| vec![0, 1]);
    let answers = refusals(&|rank| {
        let second = if rank == 0 { ("c", both([8, 8])) } else { ("b", both([6, 6])) };
        vec![("a", both([12, 8])), second]
    });
    for (status, message) in answers {
        assert_eq!(status, SHARDSPEC_DISAGREEMENT);
        assert!(message.contains("'b'") && message.contains("'c'"), "{message}");
    }
    let answers =
        refusals(&|rank| vec![("a", both([12, 8])), ("b", both([6, 6]))][..2 - rank].to_vec());
    assert!(
        answers.iter().all(|(status, message)| {
            *status == SHARDSPEC_DISAGREEMENT && message.contains("only 1 tensors")
        }),
        "{answers:?}"
    );
}

#[test]
fn layouts_that_differ_are_refused_though_no_rank_would_receive_anything() {
    let answers = refusals(&|rank| {
        let [rows, columns] = if rank == 0 { [2, 1] } else { [1, 2] };
        vec![("a", grid([12, 8], [rows, columns], |row, column| vec![row + column]))]
    });
    assert!(answers.iter().all(|(status, _)| *status == SHARDSPEC_DISAGREEMENT), "{answers:?}");
}

#[test]
fn a_rank_whose_tensor_is_not_there_is_reported_and_nothing_is_read() {
    let answers = refusals(&|rank| {
        let name = if rank == 1 { "d" } else { "a" };
        vec![(name, grid([12, 8], [1, 1], |_, _| vec![0, 1]))]
    });
    assert_eq!([answers[0].0, answers[1].0], [SHARDSPEC_DISAGREEMENT, SHARDSPEC_NOT_FOUND]);
    assert!(answers.iter().all(|(_, message)| message.contains("\"d\"")), "{answers:?}");
}

#[test]
fn a_tensor_without_a_layout_is_whole_on_every_rank() {
    let (folder, full) = folder();
    let answers = on_all(3, |_, comm| {
        let set = open(&folder.path()).unwrap();
        let layout = collective_io::on_every_rank(comm, set.tensor("a").unwrap()).unwrap();
        assert_eq!(
            comm::own_shards(comm, layout.shared_shards(), ("shards", 1)).unwrap(),
            [comm.rank()]
        );
        let (report, result, got) = read_on(comm, &set, &[("a", &layout)], &strict(), &mut go_on);
        result.unwrap();
        assert_eq!(got[0][0], full[0]);
        report.bytes_read
    });
    assert_eq!(answers.iter().sum::<u64>(), full[0].len() as u64);
}

/// All tensors of a checkpoint of torch, with bfloat16, float8, uneven shards and replicas.
#[test]
fn a_checkpoint_of_torch_arrives_bit_for_bit_on_all_ranks() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/checkpoints/plain");
    on_all(3, |_, comm| {
        let set = open(path).unwrap();
        let layouts: Vec<_> = set
            .tensors()
            .iter()
            .map(|tensor| (tensor.name(), collective_io::on_every_rank(comm, tensor).unwrap()))
            .collect();
        let wanted: Vec<_> = layouts.iter().map(|(name, layout)| (*name, layout)).collect();
        let (_, result, got) = read_on(comm, &set, &wanted, &strict(), &mut go_on);
        result.unwrap();
        assert!(!wanted.is_empty());
        for (tensor, got) in set.tensors().iter().zip(got) {
            assert_eq!(got, [read_alone(&set, tensor.name())], "{}", tensor.name());
        }
    });
}

/// A whole tensor, read without other ranks.
fn read_alone(set: &FileSet, name: &str) -> Vec<u8> {
    let tensor = set.tensor(name).unwrap();
    let layout = tensor.whole().unwrap();
    let numel = tensor.sizes().iter().product::<i64>() as u64;
    let mut bytes = vec![0xa5; tensor.dtype().storage_bytes(numel).unwrap()];
    let view = HostView::new("whole", bytes.as_mut_ptr(), tensor.dtype(), tensor.sizes(), None);
    let shards = LocalShards::new(&layout, [(0, &view.unwrap())]).unwrap();
    let items = [ReadItem { name, layout: &layout, shards: Shared::try_new(shards).unwrap() }];
    let read = CheckpointRead::new(set, &items, &ReadOptions::default()).unwrap();
    // SAFETY: the buffer is this function's own.
    let (_, result) = unsafe { read.run(&mut go_on) };
    result.unwrap();
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Any cells on any ranks: each cell is read by one of its holders.
    #[test]
    fn any_replicas_are_read_once(
        ranks in 1usize..5,
        parts in [1i64..4, 1i64..4],
        holders in proptest::collection::vec(1u8..16, 16),
    ) {
        let (folder, full) = folder();
        let of_cell = |row: i64, column: i64| {
            let mask = holders[(row * 4 + column) as usize];
            let some: Vec<i64> = (0..ranks as i64).filter(|rank| mask >> rank & 1 == 1).collect();
            if some.is_empty() { vec![0] } else { some }
        };
        let layout = grid([12, 8], parts, of_cell);
        let read = on_all(ranks, |rank, comm| {
            let set = open(&folder.path()).unwrap();
            let (report, result, got) = read_on(comm, &set, &[("a", &layout)], &strict(), &mut go_on);
            result.unwrap();
            assert_eq!(got[0], expected(&layout, rank, &full[0], F32));
            report.bytes_read
        });
        prop_assert_eq!(read.iter().sum::<u64>(), full[0].len() as u64);
    }
}
