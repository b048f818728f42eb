//! Layouts as JSON and as bytes.
//!
//! A program can store layouts in files, or send layouts to another program, as a JSON text or as
//! bytes. Each of the two forms contains the whole layout. If a program writes a spec or metadata
//! and reads it again, the result is equal to the original. Two equal layouts have equal texts and
//! equal bytes if their meshes and their names of dimensions are also equal. Another version of the
//! library may write a different text for the same layout.
//!
//!   char text[1024];
//!   size_t needed;    // With the NUL; unchanged if the call fails.
//!   if (shardspec_spec_to_json(spec, text, sizeof text, &needed, &err) != 0) return 1;
//!   puts(text);
//!   // {"kind":"shardspec.spec","version":1,"chunk":{"dim":0,"placements":["rank:0/cpu","rank:1/cpu"]}}
//!   if (shardspec_spec_new_from_json(text, needed - 1, &copy, &err) != 0) return 1;
//!
//! The file docs/layouts-as-text.md describes the fields. A JSON Schema of the texts is
//! docs/schema/layout.schema.json. The bytes consist of the text without its long arrays, these
//! arrays as numbers of 32 or 64 bits, and a checksum. The checksum detects accidental damage, but
//! does not detect deliberate changes. For a layout of very many shards, bytes are faster to write
//! and to read than text.
//!
//! The functions that read a layout check the whole text or all bytes. Input from an unknown source
//! is therefore safe to read. The functions also check the layout itself, as the functions that
//! create a layout from arrays do. The functions refuse a field that this version of the library
//! does not know. If one of these functions refuses a layout, the error's `index` is the position
//! of the wrong byte, counted from 0. The error's message names an unknown field.
//!
//! Custom specs and custom placements contain functions of the caller, and functions can't be
//! stored. The functions that write a layout therefore refuse custom specs and custom placements.
//! The error's message names the custom type.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{answer_by, answer_text, out, slice, text_slice};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::plan::shardspec_plan;
use crate::ffi::spec::{give, shardspec_spec};
use crate::interchange::{
    BinaryForm, BuiltInSpec, metadata_from_binary, metadata_from_json, metadata_to_binary,
    metadata_to_json, plan_to_json, spec_from_binary, spec_from_json, spec_to_binary, spec_to_json,
};

/// Writes a spec to `buffer` as JSON. The text has neither spaces nor line breaks.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if the spec is of a custom type or has custom placements (the message names
/// the type); BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_to_json(
    spec: *const shardspec_spec, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        answer_text(buffer, capacity, needed, spec_to_json(&**spec)?)
    })
}

/// Creates a spec from a JSON text. `byte_count` is the length of the text in bytes, without a NUL.
/// Spaces and line breaks between values are allowed, and fields may have any order.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if the text is not a spec in JSON, or if a value is not allowed;
/// UNSUPPORTED if the text has a field, a rule or a version that this version of the library does
/// not know (the message names the unknown part); INVALID_PLACEMENT if the string of a placement is
/// wrong; OVERLAP if shards overlap; NULL_ARGUMENT, OVERFLOW, OUT_OF_MEMORY. The error's `index` is
/// the position of the first byte of the wrong value in `text`.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_from_json(
    text: *const c_char, byte_count: usize, out: *mut *mut shardspec_spec,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        match spec_from_json(text_slice("text", text, byte_count)?)? {
            BuiltInSpec::Chunk(spec) => give(place, spec),
            BuiltInSpec::Enumerable(spec) => give(place, spec),
            BuiltInSpec::Mesh(spec) => give(place, spec),
        }
    })
}

/// Writes a spec to `buffer` as bytes, with a checksum.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the number of bytes. `needed` may
/// be NULL. With capacity 0, only `*needed` is written, and `buffer` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if the spec is of a custom type or has custom placements (the message names
/// the type); BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_to_bytes(
    spec: *const shardspec_spec, buffer: *mut u8, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let spec = handle::get("spec", spec)?;
        answer_form(buffer, capacity, needed, &spec_to_binary(&**spec)?)
    })
}

/// Creates a spec from `byte_count` bytes that `shardspec_spec_to_bytes` wrote.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if bytes are damaged or missing, or if the bytes are not a spec;
/// UNSUPPORTED if the bytes have a field, a rule or a version that this version of the library does
/// not know (the message names the unknown part); INVALID_PLACEMENT if the string of a placement is
/// wrong; OVERLAP if shards overlap; NULL_ARGUMENT, OVERFLOW, OUT_OF_MEMORY. The error's `index` is
/// the position of the first byte of the wrong value.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_spec_new_from_bytes(
    bytes: *const u8, byte_count: usize, out: *mut *mut shardspec_spec, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        match spec_from_binary(slice("bytes", bytes, byte_count)?)? {
            BuiltInSpec::Chunk(spec) => give(place, spec),
            BuiltInSpec::Enumerable(spec) => give(place, spec),
            BuiltInSpec::Mesh(spec) => give(place, spec),
        }
    })
}

/// Writes metadata to `buffer` as JSON. The text has neither spaces nor line breaks. In the text,
/// the offsets, the sizes and the owners of all shards are flat arrays.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if a placement is custom (the message names its type); BUFFER_TOO_SMALL if
/// `capacity` is too small (the error's `limit` is the capacity needed); INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_to_json(
    metadata: *const shardspec_metadata, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        answer_text(buffer, capacity, needed, metadata_to_json(&metadata)?)
    })
}

/// Creates metadata from a JSON text. `byte_count` is the length of the text in bytes, without a
/// NUL. Spaces and line breaks between values are allowed, and fields may have any order. The
/// function checks the bounds, the overlaps and the gaps of the shards.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if the text is not metadata in JSON, or if a value is not allowed;
/// UNSUPPORTED if the text has a field, a named value or a version that this version of the library
/// does not know (the message names the unknown part), or if a check of the shards would take too
/// long; INVALID_PLACEMENT if the string of a placement is wrong; OVERLAP, GAP, OUT_OF_BOUNDS or
/// NDIM_MISMATCH if the shards do not fit the tensor; NULL_ARGUMENT, OVERFLOW, OUT_OF_MEMORY. The
/// error's `index` is the position of the first byte of the wrong value in `text`.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_new_from_json(
    text: *const c_char, byte_count: usize, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = metadata_from_json(text_slice("text", text, byte_count)?)?;
        place.set(handle::insert::<shardspec_metadata>(metadata)?);
        Ok(())
    })
}

/// Writes metadata to `buffer` as bytes, with a checksum.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the number of bytes. `needed` may
/// be NULL. With capacity 0, only `*needed` is written, and `buffer` may be NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if a placement is custom (the message names its type); BUFFER_TOO_SMALL if
/// `capacity` is too small (the error's `limit` is the capacity needed); INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_to_bytes(
    metadata: *const shardspec_metadata, buffer: *mut u8, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let metadata = handle::get("metadata", metadata)?;
        answer_form(buffer, capacity, needed, &metadata_to_binary(&metadata)?)
    })
}

/// Creates metadata from `byte_count` bytes that `shardspec_metadata_to_bytes` wrote. The function
/// checks the bounds, the overlaps and the gaps of the shards.
///
/// Ownership: the library copies all arguments. The caller frees `*out`.
/// Calls back: no.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if bytes are damaged or missing, or if the bytes are not metadata;
/// UNSUPPORTED if the bytes have a field, a named value or a version that this version of the
/// library does not know (the message names the unknown part), or if a check of the shards would
/// take too long; INVALID_PLACEMENT if the string of a placement is wrong; OVERLAP, GAP,
/// OUT_OF_BOUNDS or NDIM_MISMATCH if the shards do not fit the tensor; NULL_ARGUMENT, OVERFLOW,
/// OUT_OF_MEMORY. The error's `index` is the position of the first byte of the wrong value.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_metadata_new_from_bytes(
    bytes: *const u8, byte_count: usize, out: *mut *mut shardspec_metadata,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let metadata = metadata_from_binary(slice("bytes", bytes, byte_count)?)?;
        place.set(handle::insert::<shardspec_metadata>(metadata)?);
        Ok(())
    })
}

/// Writes a summary of a plan to `buffer` as JSON. The summary has the numbers of pieces, messages
/// and elements of the plan. A message is all data that moves from one owner to another. The
/// summary also has the number of elements that move between each pair of owners. If the plan's
/// layouts state an element type, the summary also has the numbers of bytes. The summary is for
/// people, and for programs that show a plan. No function of the library reads a summary.
///
/// `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
/// its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
/// NULL.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
/// needed); OVERFLOW if a number of bytes does not fit in 64 bits; INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_to_json(
    plan: *const shardspec_plan, buffer: *mut c_char, capacity: usize, needed: *mut usize,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let plan = handle::get("plan", plan)?;
        answer_text(buffer, capacity, needed, plan_to_json(&plan)?)
    })
}

/// Writes a document that is bytes.
unsafe fn answer_form(
    buffer: *mut u8, capacity: usize, needed: *mut usize, form: &BinaryForm<'_>,
) -> Outcome {
    answer_by("buffer", buffer, capacity, needed, form.len(), |place| {
        place.fill_in_parts(|sink| form.write(sink));
    })
}
