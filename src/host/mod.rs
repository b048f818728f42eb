//! Carrying out a plan, at the speed of the memory.
//!
//! A plan becomes [`task`]s, each of a kind that one kernel does well; or one [`sweep`] over the full
//! tensor, where boxes lie side by side for a part of their rows only. Threads take parts of equal
//! bytes of them, whatever the shards' sizes are, and are gone when the copy is done.

mod bits;
pub(crate) mod copy_list;
mod cpu;
mod lines;
pub(crate) mod options;
mod processors;
mod room;
mod rows;
mod sweep;
mod task;
mod threads;
mod tiles;
mod transpose;
mod vector;
mod writer;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::host::copy_list::CopyList;
use crate::host::options::{CopyOptions, Stores};
use cpu::{Level, Machine};
use lines::Store;
use sweep::Walk;
pub(crate) use sweep::{Sweep, pays as pays_by_rows};
use task::Tasks;
use tiles::Work;

/// Bytes from which on a thread more is worth its start.
const BYTES_PER_THREAD: usize = 2 << 20;
/// Parts that each thread takes on average: enough that one that is held up does not hold up all.
const PARTS_PER_THREAD: usize = 8;

/// Whether a copy of so many bytes is stored around the caches.
pub(crate) fn goes_around(bytes: usize, options: &CopyOptions) -> bool {
    match options.stores {
        Stores::Auto => bytes >= Machine::get().stream_from,
        Stores::Stream => true,
        Stores::Cached => false,
    }
}

/// The instructions to use.
fn level(options: &CopyOptions) -> Level {
    Machine::get().level.min(Level::most(options.instructions))
}

/// Copies everything.
///
/// # Safety
///
/// Every source byte of the plan may be read and every destination byte written, no destination
/// overlaps another or a source, and nobody else uses any of them meanwhile.
pub(crate) unsafe fn run(plan: &CopyList, options: &CopyOptions) {
    let machine = Machine::get();
    let around = goes_around(plan.bytes(), options);
    let store = Store { level: level(options), around };
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
    let run = |range, work: &mut Work| {
        // SAFETY: the caller's promise is passed on; parts do not overlap.
        unsafe { tasks.run(range, store, work) };
    };
    share_out(tasks.bytes(), threads, store, run);
}

/// Copies everything, by the rows of the full tensor.
///
/// # Safety
///
/// As [`run`].
pub(crate) unsafe fn run_sweep(sweep: &Sweep, options: &CopyOptions) {
    let machine = Machine::get();
    let store = Store { level: level(options), around: true };
    let threads = thread_count(options.max_threads, &machine, sweep.bytes());
    let run = |range, walk: &mut Walk| {
        // SAFETY: the caller's promise is passed on; parts do not overlap.
        unsafe { sweep.run(range, store.level, walk) };
    };
    share_out(sweep.span(), threads, store, run);
}

/// Has parts of `all` done by as many threads at once, each with something of its own to work with.
fn share_out<W: Default>(
    all: usize, threads: usize, store: Store, run: impl Fn(Range<usize>, &mut W) + Sync,
) {
    let parts = if threads == 1 { 1 } else { threads.saturating_mul(PARTS_PER_THREAD) };
    let part = all.div_ceil(parts);
    let next = AtomicUsize::new(0);
    threads::share(threads, || {
        let mut own = W::default();
        loop {
            let start = next.fetch_add(1, Ordering::Relaxed).saturating_mul(part);
            if start >= all {
                break;
            }
            run(start..start.saturating_add(part).min(all), &mut own);
        }
        if store.around {
            lines::fence();
        }
    });
}

fn thread_count(most: usize, machine: &Machine, bytes: usize) -> usize {
    let most = if most == 0 { machine.processors } else { most };
    most.min(bytes / BYTES_PER_THREAD).max(1)
}
