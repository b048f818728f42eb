//! Version.
//!
//! The constants of this section are the version of the header at compile time. The functions
//! return the version of the library at run time. A program works with the library of its header,
//! and with every newer library of the same ABI version.

use std::ffi::c_char;

use crate::ffi::border::guard::guard;
use crate::ffi::border::pointer::answer_text;
use crate::ffi::error::{shardspec_error, shardspec_status};

/// Version of the binary interface. The version changes if programs that were compiled with an
/// older header can't use the new library. The name of the shared library, `libshardspec.so.0`,
/// ends in this number.
pub const SHARDSPEC_ABI_VERSION: u32 = 0;

/// Returns the library's ABI version. Compare this number with `SHARDSPEC_ABI_VERSION`.
///
/// Ownership: there is nothing to free.
/// Calls back: no.
/// Blocks: no.
/// Errors: none.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub extern "C-unwind" fn shardspec_abi_version() -> u32 {
    SHARDSPEC_ABI_VERSION
}

/// Writes the library's version, such as "0.1.0", into `buffer`.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: no.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_version_text(
    buffer: *mut c_char, capacity: usize, needed: *mut usize, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || answer_text(buffer, capacity, needed, env!("CARGO_PKG_VERSION")))
}
