//! Copies in host memory, at the speed of the memory.
//!
//! A plan becomes tasks, each of which one kernel copies well ([`dispatch`]); or one sweep through
//! the full tensor, where boxes lie side by side for a part of their rows only
//! ([`kernels::sweep`]). Threads copy parts of equal bytes, whatever the shards' sizes are, and end
//! with the copy.
//!
//! Files import in one direction, from the last of this list to the first: `cpu` and `tuning` (the
//! machine, and all numbers that only speed depends on), `simd`, `prefetch`, `stream` and
//! `line_writer` (what kernels are made of), [`kernels`], [`ways`] (which of several is the fastest
//! here), [`dispatch`], [`threads`], and the entry
//! points here. [`digest`] reads what copies would move, and moves nothing.

pub(crate) mod copy_list;
mod cpu;
pub(crate) mod digest;
mod dispatch;
mod fixed_way;
mod kernels;
mod line_writer;
pub(crate) mod options;
pub(crate) mod populate;
mod prefetch;
mod simd;
mod stream;
pub(crate) mod threads;
mod tuning;
mod uninit;
mod ways;
pub(crate) mod zeros;

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use copy_list::CopyList;
use cpu::Machine;
use dispatch::Tasks;
use kernels::sweep::SweepWalk;
pub(crate) use kernels::sweep::{Sweep, pays as pays_by_rows};
use kernels::tiles::TileMemory;
use options::{CopyOptions, Stores};
use tuning::{MIN_BYTES_PER_THREAD, PARTS_PER_THREAD, TRIAL_BYTES};
use ways::{SWEEP, TaskClass, WayChoice};

/// Whether a copy of so many bytes uses non-temporal stores.
pub(crate) fn is_streamed(bytes: usize, options: &CopyOptions) -> bool {
    match options.stores {
        Stores::Auto => bytes >= tuning::min_streamed(&Machine::get()),
        Stores::Stream => true,
        Stores::Cached => false,
    }
}

/// Copies everything.
///
/// # Safety
///
/// Every source byte of the plan may be read and every destination byte written, no destination
/// overlaps another or a source, and nothing else uses any of them meanwhile.
pub(crate) unsafe fn run(plan: &CopyList, options: &CopyOptions) {
    let threads = thread_count(options.max_threads, &Machine::get(), plan.touched_bytes());
    let choice = WayChoice::new(options, plan.bytes(), is_streamed(plan.bytes(), options), threads);
    let store = choice.first();
    // A list of the tasks of a small copy would take longer than the copy.
    let tasks = if threads == 1 && !store.streaming { None } else { Tasks::new(plan) };
    let Some(tasks) = tasks else {
        // SAFETY: the contract of `run` is that of `run_in_order`, for the same `plan`.
        unsafe { Tasks::run_in_order(plan, store, &mut TileMemory::default()) };
        if store.streaming {
            stream::fence();
        }
        return;
    };
    let run = |range, memory: &mut TileMemory| {
        // SAFETY: the contract of `run` covers all of `tasks`, and `share_out` gives ranges that do
        // not overlap.
        unsafe { tasks.run(range, &choice, memory) };
    };
    share_out(tasks.bytes(), threads, run);
}

/// Copies everything, in one pass through the rows of the full tensor.
///
/// # Safety
///
/// As [`run`].
pub(crate) unsafe fn run_sweep(sweep: &Sweep, options: &CopyOptions) {
    let threads = thread_count(options.max_threads, &Machine::get(), sweep.bytes());
    let choice = WayChoice::new(options, sweep.bytes(), true, threads);
    let class = TaskClass { kind: SWEEP, run: sweep.run_bytes(), side: sweep.side() };
    let run = |range, walk: &mut SweepWalk| {
        choice.run(class, range, [TRIAL_BYTES, 1], |some, way| {
            // SAFETY: the contract of `run_sweep` covers all of `sweep`. `share_out` gives ranges that
            // do not overlap, and `WayChoice::run` divides them, so that `some` are copied once.
            unsafe { sweep.run(some, way, walk) };
        });
    };
    share_out(sweep.span(), threads, run);
}

/// Divides `all` into parts, which `threads` threads run. Each thread has a `W` of its own.
fn share_out<W: Default>(all: usize, threads: usize, run: impl Fn(Range<usize>, &mut W) + Sync) {
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
        stream::fence();
    });
}

fn thread_count(max_threads: usize, machine: &Machine, bytes: usize) -> usize {
    let max = if max_threads == 0 { machine.processors } else { max_threads };
    max.min(bytes / MIN_BYTES_PER_THREAD).max(1)
}
