//! A frame that is left in the middle of a collective. Threads are counted here, so this is the only
//! test of its process.

#![cfg(target_os = "linux")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::undocumented_unsafe_blocks,
    clippy::unwrap_used,
    reason = "tests: an overflow or a bad index is a failure, and buffers are made to fit"
)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use shardspec::comm::{Communicator, Gather, Incoming, Options, Outgoing, gather};
use shardspec::memory::Shared;
use shardspec::model::{
    ChunkShardingSpec, DataType, Error, Placement, Result, ShardingDim, ShardingSpec,
    TensorProperties, TensorShape,
};
use shardspec::transfer::{HostView, LocalShards};

/// Threads of this process that are not ending. One that was joined stays in this folder for a while:
/// the kernel wakes who waits for it first and takes it out later. It is marked as ending before both
/// (`PF_EXITING` in the ninth field of `stat`).
fn threads() -> usize {
    const ENDING: u32 = 4;
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let flags = tasks.filter_map(|task| {
        // Who has ended since then has no file.
        let stat = std::fs::read_to_string(task.ok()?.path().join("stat")).ok()?;
        // The second field is a name in parentheses, which may hold spaces.
        let after_name = stat.rsplit_once(')').unwrap().1;
        Some(after_name.split_whitespace().nth(6).unwrap().parse::<u32>().unwrap())
    });
    flags.filter(|flags| flags & ENDING == 0).count()
}

/// The second thread uses what is in the frame that is left.
#[test]
fn a_frame_that_is_left_by_unwinding_leaves_no_thread_behind() {
    const SIDE: usize = 1024;
    let owners = [0, 1, 0, 1].map(|rank| Placement::on_rank(rank).unwrap());
    let spec = ChunkShardingSpec::new(ShardingDim::Index(1), owners.into_iter()).unwrap();
    let shape = [SIDE as i64, SIDE as i64];
    let metadata =
        spec.build_metadata(TensorShape::new(&shape), TensorProperties::default()).unwrap();
    /// The agreement goes through, and the first exchange after it throws.
    struct Throws {
        agreed: AtomicUsize,
        threads: AtomicUsize,
    }
    impl Communicator for Throws {
        fn rank(&self) -> usize {
            0
        }
        fn size(&self) -> usize {
            2
        }
        unsafe fn exchange(&self, sends: &[Outgoing], receives: &[Incoming]) -> Result<()> {
            if self.agreed.fetch_add(1, Ordering::Relaxed) == 0 {
                let (sent, received) = (sends[0], receives[0]);
                unsafe { received.pointer.copy_from(sent.pointer, sent.bytes) };
                return Ok(());
            }
            self.threads.store(threads(), Ordering::Relaxed);
            resume_unwind(Box::new("thrown"))
        }
    }
    for _ in 0..20 {
        let comm = Throws { agreed: AtomicUsize::new(0), threads: AtomicUsize::new(0) };
        let before = threads();
        {
            let full = vec![0f32; SIDE * SIDE];
            let held = [vec![1f32; SIDE * SIDE / 4], vec![2f32; SIDE * SIDE / 4]];
            let view = |data: &[f32], columns: usize| {
                let first = data.as_ptr().cast_mut().cast();
                let sizes = [SIDE as i64, columns as i64];
                HostView::new("tensor", first, DataType::FLOAT32, &sizes, None).unwrap()
            };
            let views = [0, 1].map(|number: usize| view(&held[number], SIDE / 4));
            let own = metadata.shards_of_rank(0).zip(&views);
            let mine = Gather {
                metadata: &metadata,
                destination: None,
                shards: Shared::try_new(LocalShards::new(&metadata, own).unwrap()).unwrap(),
                full: Some(view(&full, SIDE)),
                options: Options { memory_limit: 1 << 16, ..Options::default() },
            };
            let thrown = catch_unwind(AssertUnwindSafe(|| unsafe { gather::<Error>(&comm, mine) }));
            assert!(thrown.is_err());
        }
        assert_eq!(comm.threads.into_inner(), before + 1, "there was no second thread");
        assert_eq!(threads(), before, "a thread is left");
    }
}
