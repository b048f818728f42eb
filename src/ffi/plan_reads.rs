//! Reads of a plan's bytes. In the header they are part of the section on traffic.

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{check_room, fill_with, optional_out, optional_out_slice};
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::plan::shardspec_plan;
use crate::ffi::traffic::{bits_argument, rank_argument, shardspec_run};
use crate::memory::text;
use crate::model::Error;
use crate::plan::{MergeOptions, PlanRead, PlanReads};

/// Rules that decide when one read gets several needed parts of a source. A field that is 0 has its
/// default value. `shardspec_checkpoint_read` has the same defaults. No option changes which bytes
/// are needed.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_merge_options {
    /// `sizeof(shardspec_merge_options)`.
    pub struct_size: u64,
    /// If the gap between two needed parts of a source has at most this many bytes, one read gets
    /// both parts and the gap. 0 means 4096. A negative number means that only `over_read` decides.
    pub max_gap: i64,
    /// A read also includes a gap above `max_gap` if the read, with the gap, has at most
    /// `over_read` times the number of its needed bytes. 0 means 2.0. With 1.0, only `max_gap`
    /// decides.
    pub over_read: f64,
    /// Maximum number of bytes of a read that gets several needed parts. 0 means 2 MiB.
    pub max_read: i64,
}

// SAFETY: `shardspec_merge_options` is `repr(C)` and begins with its `struct_size`. All other fields
// are numbers, so zeros are a value of it.
unsafe impl Grows for shardspec_merge_options {
    const NAME: &'static str = "shardspec_merge_options";
    const FIRST_SIZE: usize = 32;
}

/// A read: contiguous bytes of a source shard's buffer, and the runs that need these bytes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_read {
    /// The source shard's index.
    pub source: usize,
    /// Offset of the first byte in the source shard's buffer.
    pub offset: i64,
    /// Number of bytes, at least 1.
    pub length: i64,
    /// The index of the first run of this read in the array of runs.
    pub first_run: usize,
    /// Number of runs of this read, at least 1.
    pub run_count: usize,
}

const _: () = assert!(size_of::<shardspec_read>() == 40);

impl From<&PlanRead> for shardspec_read {
    fn from(read: &PlanRead) -> Self {
        Self {
            source: read.source,
            offset: read.offset,
            length: read.length,
            first_run: read.runs.start,
            run_count: read.runs.len(),
        }
    }
}

/// An options argument; NULL: the defaults.
unsafe fn options_argument(options: *const shardspec_merge_options) -> Outcome<MergeOptions> {
    let mut merge = MergeOptions::default();
    if options.is_null() {
        return Ok(merge);
    }
    let given = sized("options", options)?;
    if given.max_gap != 0 {
        merge.max_gap = given.max_gap.max(0) as u64;
    }
    merge.over_read = over_read_argument(given.over_read, merge.over_read)?;
    if given.max_read < 0 {
        let (argument, value) = ("options.max_read", given.max_read);
        return Err(Error::TooSmall { argument, value, least: 0 }.into());
    }
    if given.max_read != 0 {
        merge.max_read = given.max_read as u64;
    }
    Ok(merge)
}

/// The factor of an option, or the usual one.
pub(super) fn over_read_argument(given: f64, usual: f64) -> Outcome<f64> {
    if given == 0.0 {
        return Ok(usual);
    }
    if given >= 1.0 && given.is_finite() {
        return Ok(given);
    }
    let problem = text!("{given} is no factor; pass 1.0 or more, or 0");
    Err(Error::invalid("options.over_read", problem).into())
}

/// Lists the reads that get all bytes that move from source shard `source` to destination shard
/// `destination`. A read (`shardspec_read`) is a range of contiguous bytes of the source shard.
/// `shardspec_plan_shard_runs` lists the same bytes as runs. One read can get several runs. Use
/// reads if the source shard is in a file or on another machine.
///
/// `reads` receives the reads, ordered by their offsets. `runs` receives the runs of all reads, in
/// the order of the reads. The `source_offset` of a run counts from the first byte of the run's
/// read, and not from the start of the source shard's buffer. If the options do not allow one read
/// for a whole run, the function divides the run between several reads. With `options` NULL, the
/// function uses the defaults. `itemsize` is the number of bytes of an element. With `itemsize` 0,
/// the function uses the element type that the plan's layouts state.
///
/// `*needed_reads` becomes the number of reads, and `*needed_runs` becomes the number of runs.
/// `needed_reads` and `needed_runs` may be NULL. `reads` and `runs` may be NULL. The function
/// ignores the capacity of a NULL array.
///
/// Memory: the function allocates memory for all runs, also if `reads` and `runs` are NULL.
/// Time: n * log(n) for n runs.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INDEX_OUT_OF_RANGE if a shard does not exist; UNSUPPORTED if elements are packed and a
/// run starts or ends inside of a byte; INVALID_ARGUMENT if an option is out of range, or if
/// `itemsize` is negative, differs from the size of the stated element type, or is 0 and no element
/// type is stated; BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_shard_reads(
    plan: *const shardspec_plan, source: usize, destination: usize, itemsize: i64,
    options: *const shardspec_merge_options, reads: *mut shardspec_read, read_capacity: usize,
    runs: *mut shardspec_run, run_capacity: usize, needed_reads: *mut usize,
    needed_runs: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        plan.source().at("source", source)?;
        plan.destination().at("destination", destination)?;
        let (bits, merge) = (bits_argument(&plan, itemsize)?, options_argument(options)?);
        let pieces = plan.pieces_between(source, destination);
        let found = plan.reads_of_bits(pieces, bits, &merge)?;
        answer_reads(&found, reads, read_capacity, runs, run_capacity, needed_reads, needed_runs)
    })
}

/// Lists the reads that get all bytes that move from `source_rank` to `destination_rank`. A read
/// (`shardspec_read`) is a range of contiguous bytes of a source shard. `shardspec_plan_rank_runs`
/// lists the same bytes as runs. One read can get several runs. Use reads if source shards are in
/// files or on other machines.
///
/// `reads` receives the reads, ordered by source shard, then by their offsets. `runs` receives the
/// runs of all reads, in the order of the reads. The `source_offset` of a run counts from the first
/// byte of the run's read, and not from the start of the source shard's buffer. If the options do
/// not allow one read for a whole run, the function divides the run between several reads. With
/// `options` NULL, the function uses the defaults. `itemsize` is the number of bytes of an element.
/// With `itemsize` 0, the function uses the element type that the plan's layouts state.
///
/// `*needed_reads` becomes the number of reads, and `*needed_runs` becomes the number of runs.
/// `needed_reads` and `needed_runs` may be NULL. `reads` and `runs` may be NULL. The function
/// ignores the capacity of a NULL array.
///
/// Memory: the function allocates memory for all runs, also if `reads` and `runs` are NULL.
/// Time: n * log(n) for n runs.
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if a rank is below -1; UNSUPPORTED if elements are packed and a run
/// starts or ends inside of a byte; INVALID_ARGUMENT if an option is out of range, or if `itemsize`
/// is negative, differs from the size of the stated element type, or is 0 and no element type is
/// stated; BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_rank_reads(
    plan: *const shardspec_plan, source_rank: i64, destination_rank: i64, itemsize: i64,
    options: *const shardspec_merge_options, reads: *mut shardspec_read, read_capacity: usize,
    runs: *mut shardspec_run, run_capacity: usize, needed_reads: *mut usize,
    needed_runs: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        let source = rank_argument("source_rank", source_rank)?;
        let destination = rank_argument("destination_rank", destination_rank)?;
        let (bits, merge) = (bits_argument(&plan, itemsize)?, options_argument(options)?);
        let routes = plan.routes()?;
        let route = routes.between(source, destination);
        let pieces = route.map_or(&[][..], |route| routes.pieces(route));
        let pieces = pieces.iter().map(|&piece| piece as usize);
        let found = plan.reads_of_bits(pieces, bits, &merge)?;
        answer_reads(&found, reads, read_capacity, runs, run_capacity, needed_reads, needed_runs)
    })
}

unsafe fn answer_reads(
    found: &PlanReads, reads: *mut shardspec_read, read_capacity: usize, runs: *mut shardspec_run,
    run_capacity: usize, needed_reads: *mut usize, needed_runs: *mut usize,
) -> Outcome {
    let reads = optional_out_slice("reads", reads, read_capacity)?;
    let runs = optional_out_slice("runs", runs, run_capacity)?;
    let needed_reads = optional_out("needed_reads", needed_reads)?;
    let needed_runs = optional_out("needed_runs", needed_runs)?;
    check_room(&reads, "reads", found.reads.len())?;
    check_room(&runs, "runs", found.runs.len())?;
    fill_with(reads, found.reads.iter().map(shardspec_read::from));
    fill_with(runs, found.runs.iter().map(shardspec_run::from));
    needed_reads.into_iter().for_each(|place| place.set(found.reads.len()));
    needed_runs.into_iter().for_each(|place| place.set(found.runs.len()));
    Ok(())
}
