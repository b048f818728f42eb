//! How to read a checkpoint. In the header it is part of the section of checkpoints.

use std::ffi::c_void;

use crate::ffi::border::callback::{self, Success};
use crate::ffi::border::guard::Outcome;
use crate::ffi::border::sized::{Grows, sized};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::plan_reads::over_read_argument;
use crate::files::ReadOptions;
use crate::model::Error;

/// Receives the progress of a read. `bytes_done` is the number of needed bytes that have been read
/// so far. `bytes_total` is the number of all needed bytes. To continue, the callback returns its
/// status of success. To cancel the read, the callback returns another status. If the callback
/// cancels the read, the reading function returns the status of the callback. The library calls the
/// callback on the thread that called the reading function. The library calls the callback between
/// two reads from files by this thread, and once after the last read of all threads.
pub type shardspec_progress_fn = Option<
    unsafe extern "C-unwind" fn(
        ctx: *mut c_void,
        bytes_done: u64,
        bytes_total: u64,
        err: *mut shardspec_error,
    ) -> shardspec_status,
>;

/// Options of a read. A field that is 0 has its default value. No option changes the elements that
/// a successful read writes.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_checkpoint_read_options {
    /// `sizeof(shardspec_checkpoint_read_options)`.
    pub struct_size: u64,
    /// Maximum number of threads, including the calling thread. 0 means at most 4 threads.
    pub max_threads: u32,
    /// The status that `progress` returns on success: 0, `SHARDSPEC_CALLBACK_OK` or
    /// `SHARDSPEC_CALLBACK_OK_IN_ERR`.
    pub success_status: shardspec_status,
    /// If the gap between two needed parts of a file has at most this many bytes, one read gets
    /// both parts and the gap. 0 means 4096.
    pub max_gap: u64,
    /// A read also includes a larger gap if the whole read has at most `over_read` times the number
    /// of its needed bytes. 0 means 2.0. With 1.0, a read includes only gaps of at most `max_gap`
    /// bytes.
    pub over_read: f64,
    /// Maximum number of bytes of a read through a buffer. 0 means 2 MiB. A read needs a buffer if
    /// its bytes belong to several places in memory. Each thread allocates one buffer.
    pub max_read: u64,
    /// The callback that receives the progress, or NULL.
    pub progress: shardspec_progress_fn,
    /// A pointer that each call of `progress` receives as its first argument.
    pub progress_ctx: *mut c_void,
}

// SAFETY: `shardspec_checkpoint_read_options` is `repr(C)` and begins with its `struct_size`. All
// other fields are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_checkpoint_read_options {
    const NAME: &'static str = "shardspec_checkpoint_read_options";
    const FIRST_SIZE: usize = 56;
}

/// The caller's function that receives the progress.
pub(crate) struct ProgressCallback {
    function: shardspec_progress_fn,
    ctx: *mut c_void,
    success: Success,
}

impl ProgressCallback {
    pub(crate) fn tell(&mut self, done: u64, all: u64) -> Result<(), Error> {
        let Some(function) = self.function else { return Ok(()) };
        // SAFETY: `function` and `ctx` were passed for this call, which is not over, under the same
        // contract as those of a `Context`.
        callback::call("progress", "progress", self.success, |err| unsafe {
            function(self.ctx, done, all, err)
        })
    }
}

/// An options argument; NULL: the defaults.
pub(crate) unsafe fn options_argument(
    options: *const shardspec_checkpoint_read_options,
) -> Outcome<(ReadOptions, ProgressCallback)> {
    let mut read = ReadOptions::default();
    if options.is_null() {
        let ctx = std::ptr::null_mut();
        return Ok((read, ProgressCallback { function: None, ctx, success: Success::OK }));
    }
    let given = sized("options", options)?;
    read.max_threads = given.max_threads as usize;
    if given.max_gap != 0 {
        read.merge.max_gap = given.max_gap;
    }
    if given.max_read != 0 {
        read.merge.max_read = given.max_read;
    }
    read.merge.over_read = over_read_argument(given.over_read, read.merge.over_read)?;
    let success = Success::of(given.success_status, 0)?;
    let (function, ctx) = (given.progress, given.progress_ctx);
    Ok((read, ProgressCallback { function, ctx, success }))
}
