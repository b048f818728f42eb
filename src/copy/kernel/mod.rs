//! Carrying out a plan, at the speed of the memory.
//!
//! A plan becomes [`task`]s, each of a kind that one kernel does well. Threads take parts of equal
//! bytes of them, whatever the shards' sizes are, and are gone when the copy is done.

mod bits;
mod cpu;
mod lines;
mod rows;
mod task;
mod threads;
mod tiles;
mod transpose;
mod vector;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::options::{CopyOptions, Stores};
use super::plan::Plan;
use cpu::{Level, Machine};
use lines::Store;
use task::Tasks;
use tiles::Work;

/// Bytes from which on a thread more is worth its start.
const BYTES_PER_THREAD: usize = 2 << 20;
/// Parts that each thread takes on average: enough that one that is held up does not hold up all.
const PARTS_PER_THREAD: usize = 8;

/// Copies everything.
///
/// # Safety
///
/// Every source byte of the plan may be read and every destination byte written, no destination
/// overlaps another or a source, and nobody else uses any of them meanwhile.
pub(crate) unsafe fn run(plan: &Plan, options: &CopyOptions) {
    let machine = Machine::get();
    let around = match options.stores {
        Stores::Auto => plan.bytes() >= machine.stream_from,
        Stores::Stream => true,
        Stores::Cached => false,
    };
    let store = Store { level: machine.level.min(Level::most(options.instructions)), around };
    let threads = thread_count(options.max_threads, &machine, plan.bytes());
    // In a small copy, to note what there is to do would take longer than to do it.
    let tasks = if threads == 1 && !around { None } else { Tasks::new(plan) };
    let Some(tasks) = tasks else {
        // SAFETY: the caller's promise is passed on.
        unsafe { Tasks::run_unnoted(plan, store, &mut Work::default()) };
        if around {
            lines::fence();
        }
        return;
    };
    let parts = if threads == 1 { 1 } else { threads.saturating_mul(PARTS_PER_THREAD) };
    let part_bytes = tasks.bytes().div_ceil(parts);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut work = Work::default();
        loop {
            let start = next.fetch_add(1, Ordering::Relaxed).saturating_mul(part_bytes);
            if start >= tasks.bytes() {
                break;
            }
            let end = start.saturating_add(part_bytes).min(tasks.bytes());
            // SAFETY: the caller's promise is passed on; parts do not overlap.
            unsafe { tasks.run(start..end, store, &mut work) };
        }
        if around {
            lines::fence();
        }
    };
    threads::share(threads, work);
}

fn thread_count(most: usize, machine: &Machine, bytes: usize) -> usize {
    let most = if most == 0 { machine.processors } else { most };
    most.min(bytes / BYTES_PER_THREAD).max(1)
}
