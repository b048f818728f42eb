//! Refusals that are found before a collective is called.

use std::ffi::c_char;

use crate::comm;
use crate::error::Foreign;
use crate::ffi::border::collective::or_decline;
use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::text;
use crate::ffi::comm::shardspec_comm;
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::Text;
use crate::model::Error;

/// Takes part in the collective of the other ranks, and reports an error of this rank. If the
/// program can't pass valid arguments, call this function instead of the collective. For example, a
/// file may be missing, or a binding may refuse an object before the collective starts.
///
/// `status` is a status of the library, or a status that the program defines (at least
/// `SHARDSPEC_USER_STATUS`). `status` must be at least 1. `message` is the text of the error. The
/// other ranks receive the first 480 bytes of `message`. `message` may be the message of `*err`.
/// All other ranks return DISAGREEMENT from their collective, with the number of this rank,
/// `status` and `message`. No data moves. This function returns OK after the collective, also if
/// other ranks have other errors.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `exchange` and `abort` of a custom transport; `destroy`, if another thread frees a
/// handle during the call.
/// Blocks: on other ranks.
/// Errors: INVALID_ARGUMENT if `status` is below 1 or `message` is not UTF-8; NULL_ARGUMENT if
/// `message` is NULL. This function also sends these errors to the other ranks, which return
/// DISAGREEMENT. INVALID_HANDLE or NULL_ARGUMENT if `comm` is not a communicator; TRANSPORT_FAILED,
/// or the status of a custom transport, if the transport fails. After an error of `comm` or of the
/// transport, other ranks may wait without end.
/// Threads: any, but only one thread at a time may use the communicator.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_decline(
    comm: *const shardspec_comm, status: shardspec_status, message: *const c_char,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let reason = or_decline(&*comm, reason_argument(status, message))?;
        Ok(comm::report(&*comm, reason)?)
    })
}

/// The error of this rank, as the other ranks receive it.
pub(crate) unsafe fn reason_argument(
    status: shardspec_status, message: *const c_char,
) -> Outcome<Foreign> {
    let message = text("message", message)?;
    if status < 1 {
        let (argument, value) = ("status", status.into());
        return Err(Error::TooSmall { argument, value, least: 1 }.into());
    }
    Ok(Foreign {
        status,
        first_shard: -1,
        second_shard: -1,
        dim: -1,
        got: 0,
        limit: 0,
        index: -1,
        message: Text::copy(message),
    })
}
