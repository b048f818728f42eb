//! A program that is killed while it writes a checkpoint leaves the old one or the new one.

#![cfg(unix)]
#![allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use shardspec::files::open;
use shardspec::files::write::{Files, TensorToWrite, WriteOptions, commit, write};
use shardspec::model::spec::{ChunkShardingSpec, ShardingDim};
use shardspec::model::{
    DataType, Placement, ShardedTensorMetadata, ShardingSpec, TensorProperties, TensorShape,
};
use shardspec::transfer::{HostView, LocalShards};

const RANKS: i64 = 3;
const KILLS: u64 = 200;
const NAMES: [&str; 2] = ["rows", "columns"];
const UINT8: DataType = DataType { code: 1, bits: 8, lanes: 1 };

fn layout(dim: i64) -> ShardedTensorMetadata {
    let placements = (0..RANKS).map(|rank| Placement::parse(&format!("rank:{rank}/cpu")).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(dim), placements).unwrap();
    let properties = TensorProperties { dtype: Some(UINT8), ..Default::default() };
    spec.build_metadata(TensorShape::new(&[64, 1024]), properties).unwrap()
}

/// Writes a checkpoint of which all bytes are `value`.
fn save(path: &str, layouts: &[ShardedTensorMetadata; 2], value: u8, files: Files) {
    let options = WriteOptions { files, replace: true };
    let tensors = [0, 1].map(|at| TensorToWrite { name: NAMES[at], metadata: &layouts[at] });
    let bytes = vec![value; 64 * 1024];
    for rank in 0..RANKS {
        let local = [0, 1].map(|at| {
            let shards = layouts[at].shards_of_rank(rank).map(|index| {
                let sizes = layouts[at].shards().get(index).unwrap().sizes;
                (
                    index,
                    HostView::new("shard", bytes.as_ptr().cast_mut(), UINT8, sizes, None).unwrap(),
                )
            });
            let shards: Vec<_> = shards.collect();
            LocalShards::new(&layouts[at], shards.iter().map(|(index, view)| (*index, view)))
                .unwrap()
        });
        // SAFETY: the buffer is there until the end of the call.
        unsafe { write(path, &tensors, &local, &options) }.unwrap();
    }
    commit(path, &tensors, &options).unwrap();
}

/// The value of all bytes of a checkpoint that is complete and no mixture.
fn value_of(path: &str) -> u8 {
    let set = open(path).unwrap();
    let mut values = Vec::new();
    for name in NAMES {
        let tensor = set.tensor(name).unwrap();
        tensor.metadata().unwrap();
        for (number, chunk) in tensor.chunks().iter().enumerate() {
            let place = tensor.place(number).unwrap();
            let file = std::fs::read(Path::new(path).join(set.files()[place.file as usize].name()))
                .unwrap();
            let length = chunk.sizes.iter().product::<i64>() as usize;
            values.extend(&file[place.first_byte as usize..][..length]);
        }
    }
    assert_eq!(values.len(), 2 * 64 * 1024);
    assert!(values.iter().all(|value| *value == values[0]), "a mixture");
    values[0]
}

/// Numbers that look random and are the same in every run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_killed_writer_leaves_the_old_checkpoint_or_the_new_one() {
    let folder = std::env::temp_dir().join(format!("shardspec-kill-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("checkpoint").to_str().unwrap().to_owned();
    let layouts = [layout(0), layout(1)];
    save(&path, &layouts, 1, Files::OfOwners);
    let started = Instant::now();
    save(&path, &layouts, 1, Files::One);
    let length = started.elapsed().max(Duration::from_millis(2));
    let (mut state, mut old, mut replaced) = (0x5eed_u64, 1u8, 0);
    for kill in 0..KILLS {
        let new = old % 250 + 1;
        let files = if kill % 2 == 0 { Files::OfOwners } else { Files::One };
        // SAFETY: the child calls the library only, and is killed or ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let saved = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                save(&path, &layouts, new, files);
            }));
            // SAFETY: it ends the child.
            unsafe { libc::_exit(i32::from(saved.is_err())) };
        }
        std::thread::sleep(Duration::from_nanos(
            random(&mut state) % (length.as_nanos() as u64 * 5 / 4),
        ));
        let mut status = 0;
        // SAFETY: the child of above.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, &raw mut status, 0);
        }
        assert!(status == 0 || status == libc::SIGKILL, "kill {kill}: {status}");
        let value = value_of(&path);
        assert!(value == old || value == new, "kill {kill}: {value} after {old}");
        replaced += u64::from(value == new);
        old = value;
    }
    println!("{replaced} of {KILLS} writers were killed after the new checkpoint was in its place");
    // A writer that is not killed succeeds, whatever the others have left.
    save(&path, &layouts, 251, Files::OfOwners);
    assert_eq!(value_of(&path), 251);
    std::fs::remove_dir_all(&folder).unwrap();
}
