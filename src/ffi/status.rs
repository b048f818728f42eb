//! The names of statuses. In the header they are part of the section on errors.

use std::ffi::c_char;

use crate::error::Error;
use crate::error::status::name_of;
use crate::ffi::border::guard::guard;
use crate::ffi::border::pointer::answer_text;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::text;

/// Writes the name of a status, such as "OVERLAP", into `buffer`.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: NOT_FOUND if the number is not a status; BUFFER_TOO_SMALL if `capacity` is too small
/// (the error's `limit` is the capacity needed); NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_status_text(
    status: shardspec_status, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let what = || text!("status: {status} is not a status of this version");
        let name = name_of(status).ok_or_else(|| Error::NotFound { what: what() })?;
        answer_text(buffer, capacity, needed, name)
    })
}
