//! Functions on errors. In the header they are part of the section on errors.

use std::ffi::c_char;

use crate::ffi::border::callback::MessageLeft;
use crate::ffi::border::guard::{Refusal, guard};
use crate::ffi::border::pointer::{input, optional_bytes, optional_out, out};
use crate::ffi::border::report::Report;
use crate::ffi::error::{
    SHARDSPEC_ERROR_SHORT_SIZE, SHARDSPEC_OK, shardspec_error, shardspec_status,
};
use crate::memory::text;
use crate::model::Error;

/// Initialises the `size` bytes at `err` as an error. This function is for languages that can't use
/// the C macro `SHARDSPEC_ERROR_INIT`. `size` is 1024 for a whole error, and 56 for a short error
/// without a message. All sizes from 56 on are allowed. The message occupies the bytes from offset
/// 56 on. If this function fails, only its status shows the reason.
///
/// Ownership: the caller keeps `err`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `size` is below 56 or the address is not a multiple of 8;
/// NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_error_init(
    err: *mut shardspec_error, size: usize,
) -> shardspec_status {
    guard(std::ptr::null_mut(), || {
        out("err", err)?;
        if size < SHARDSPEC_ERROR_SHORT_SIZE {
            let problem = text!("{size} is below {SHARDSPEC_ERROR_SHORT_SIZE}, a short error's");
            return Err(Error::invalid("size", problem).into());
        }
        // SAFETY: `out` found `err` not null and aligned, and its contract is that an error may be written
        // there: of `size` bytes, which are enough for this field.
        unsafe { (&raw mut (*err).struct_size).write(size as u64) };
        report(err)?.clear();
        Ok(())
    })
}

/// Writes a status and a message into an error. A callback can report a failure with this line:
/// `return shardspec_error_set(err, SHARDSPEC_USER_STATUS, "no such table");`. The function resets
/// all other fields of the error. With `text` NULL, the message becomes empty. If `text` does not
/// fit, the message is cut and ends in "...". The function replaces bytes that are not UTF-8 by
/// U+FFFD. With `err` NULL, the function writes nothing. The function returns `status`. If the
/// function itself fails, it returns the status of its own failure.
///
/// Ownership: the caller keeps `err` and `text`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `status` is negative or `err` has a wrong `struct_size`. If the
/// function fails, it writes nothing.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_error_set(
    err: *mut shardspec_error, status: shardspec_status, text: *const c_char,
) -> shardspec_status {
    let set = guard(std::ptr::null_mut(), || {
        let report = report(err)?;
        if status < 0 {
            return Err(Error::invalid("status", text!("{status} is negative")).into());
        }
        report.set(status, &MessageLeft(optional_bytes("text", text)));
        Ok(())
    });
    if set == SHARDSPEC_OK { status } else { set }
}

/// Returns the message of an error. The returned text is inside of `err`. The function returns ""
/// if `err` is NULL or too short to have a message. The function never returns NULL. This function
/// is for programs that do not know the offset of the message. `shardspec_status_text` returns the
/// name of the status.
///
/// Ownership: the caller keeps `err`. The text is valid until `err` is written or freed.
/// Calls back: no.
/// Blocks: no.
/// Errors: none.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_error_message(
    err: *const shardspec_error,
) -> *const c_char {
    // Of an error that may be short, only the size is known to be there.
    if err.is_null() || input("err", err.cast::<u64>()).is_err() {
        return c"".as_ptr();
    }
    match Report::open(err.cast_mut()) {
        Ok(report) if report.capacity() > 0 => report.message().cast(),
        _ => c"".as_ptr(),
    }
}

/// Where the caller's error is.
unsafe fn report(err: *mut shardspec_error) -> Result<Report, Refusal> {
    optional_out("err", err)?;
    Report::open(err).map_err(|_| {
        let problem = text!(
            "its struct_size is below {SHARDSPEC_ERROR_SHORT_SIZE}; call shardspec_error_init"
        );
        Error::invalid("err", problem).into()
    })
}
