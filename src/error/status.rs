//! The numbers of refusals, as the C API has them, and their names.
//!
//! A new one is a constant and its name here, in the order of the numbers; the variant that has it,
//! with its description, in the error of a layer; and a test. `include/shardspec.h` and its reference
//! are made from this file, so the comments are for C.

/// The call succeeded.
pub const SHARDSPEC_OK: i32 = 0;
/// A pointer that must not be NULL was NULL.
pub const SHARDSPEC_NULL_ARGUMENT: i32 = 1;
/// An argument has a value that is not allowed.
pub const SHARDSPEC_INVALID_ARGUMENT: i32 = 2;
/// A handle was freed, was never created, or is of another kind.
pub const SHARDSPEC_INVALID_HANDLE: i32 = 3;
/// A text is not a placement.
pub const SHARDSPEC_INVALID_PLACEMENT: i32 = 4;
/// The tensor does not have the dimension that a spec cuts.
pub const SHARDSPEC_INVALID_DIM: i32 = 5;
/// An index is past the end. `limit` is the bound.
pub const SHARDSPEC_INDEX_OUT_OF_RANGE: i32 = 6;
/// Two numbers of dimensions differ but must be equal.
pub const SHARDSPEC_NDIM_MISMATCH: i32 = 7;
/// Two shards own the same elements.
pub const SHARDSPEC_OVERLAP: i32 = 8;
/// Some elements belong to no shard.
pub const SHARDSPEC_GAP: i32 = 9;
/// A shard reaches past the tensor.
pub const SHARDSPEC_OUT_OF_BOUNDS: i32 = 10;
/// A value does not fit into 64 bits.
pub const SHARDSPEC_OVERFLOW: i32 = 11;
/// The caller's buffer is too small; `limit` is the capacity that is needed.
pub const SHARDSPEC_BUFFER_TOO_SMALL: i32 = 12;
/// A view has another shape than its shard or tensor.
pub const SHARDSPEC_SHAPE_MISMATCH: i32 = 13;
/// A view has another element type than the tensor.
pub const SHARDSPEC_DTYPE_MISMATCH: i32 = 14;
/// A view is not in host memory.
pub const SHARDSPEC_UNSUPPORTED_DEVICE: i32 = 15;
/// A destination shares memory with a source, with another destination, or with itself.
pub const SHARDSPEC_ALIASED: i32 = 16;
/// The arguments are valid, but the library does not implement this case.
pub const SHARDSPEC_UNSUPPORTED: i32 = 17;
/// The system has no memory left for the result.
pub const SHARDSPEC_OUT_OF_MEMORY: i32 = 18;
/// The requested object does not exist.
pub const SHARDSPEC_NOT_FOUND: i32 = 19;
/// The function does not apply to this type of spec.
pub const SHARDSPEC_WRONG_SPEC_TYPE: i32 = 20;
/// The library itself has a bug. Please report the message.
pub const SHARDSPEC_INTERNAL: i32 = 21;
/// An op with these names is already registered.
pub const SHARDSPEC_ALREADY_EXISTS: i32 = 22;
/// The op can't be unregistered or replaced now. The calling thread is inside of this op, or inside
/// of another op while other threads run this op.
pub const SHARDSPEC_BUSY: i32 = 23;
/// An op was called without arguments.
pub const SHARDSPEC_NO_ARGUMENTS: i32 = 24;
/// An op was called without a sharded tensor among its arguments.
pub const SHARDSPEC_NO_SHARDED_TENSOR: i32 = 25;
/// An op was called with sharded tensors of different communicators.
pub const SHARDSPEC_COMMUNICATOR_MISMATCH: i32 = 26;
/// A rank of a collective passed an invalid argument, or its arguments differ from the arguments of
/// other ranks. `got` is that rank. `limit` is the status that this rank returned, or 0 if the rank
/// reported no error.
pub const SHARDSPEC_DISAGREEMENT: i32 = 28;
/// The transport between ranks failed.
pub const SHARDSPEC_TRANSPORT_FAILED: i32 = 29;
/// A shard that is needed is in another process.
pub const SHARDSPEC_NOT_LOCAL: i32 = 30;
/// Memory that must be written is read-only.
pub const SHARDSPEC_READ_ONLY: i32 = 39;
/// A callback returned a negative number, or returned 0 with a different status of success in
/// `success_status`. The callback probably threw an exception. `got` is the returned number.
pub const SHARDSPEC_CALLBACK_FAILED: i32 = 40;
/// A cut is impossible for the length of a dimension. For example, the length can't be divided
/// equally, the sizes have a wrong sum, or a piece would start inside of a granule.
pub const SHARDSPEC_ILLEGAL_CUT: i32 = 41;
/// The elements of the tensor are pending a reduction and can't be moved.
pub const SHARDSPEC_PARTIAL: i32 = 42;
/// The system refused to open, list, read or write a file. `got` is the system's error number
/// (`errno`). `limit` is the position in the file in bytes, or 0.
pub const SHARDSPEC_FILE_FAILED: i32 = 50;
/// The content of a file is invalid, the file ends too early, or the file has changed since it was
/// opened. `got` is the position in the file in bytes, or 0.
pub const SHARDSPEC_INVALID_FILE: i32 = 51;

/// Every status and its name.
const NAMES: &[(i32, &str)] = &[
    (SHARDSPEC_OK, "OK"),
    (SHARDSPEC_NULL_ARGUMENT, "NULL_ARGUMENT"),
    (SHARDSPEC_INVALID_ARGUMENT, "INVALID_ARGUMENT"),
    (SHARDSPEC_INVALID_HANDLE, "INVALID_HANDLE"),
    (SHARDSPEC_INVALID_PLACEMENT, "INVALID_PLACEMENT"),
    (SHARDSPEC_INVALID_DIM, "INVALID_DIM"),
    (SHARDSPEC_INDEX_OUT_OF_RANGE, "INDEX_OUT_OF_RANGE"),
    (SHARDSPEC_NDIM_MISMATCH, "NDIM_MISMATCH"),
    (SHARDSPEC_OVERLAP, "OVERLAP"),
    (SHARDSPEC_GAP, "GAP"),
    (SHARDSPEC_OUT_OF_BOUNDS, "OUT_OF_BOUNDS"),
    (SHARDSPEC_OVERFLOW, "OVERFLOW"),
    (SHARDSPEC_BUFFER_TOO_SMALL, "BUFFER_TOO_SMALL"),
    (SHARDSPEC_SHAPE_MISMATCH, "SHAPE_MISMATCH"),
    (SHARDSPEC_DTYPE_MISMATCH, "DTYPE_MISMATCH"),
    (SHARDSPEC_UNSUPPORTED_DEVICE, "UNSUPPORTED_DEVICE"),
    (SHARDSPEC_ALIASED, "ALIASED"),
    (SHARDSPEC_UNSUPPORTED, "UNSUPPORTED"),
    (SHARDSPEC_OUT_OF_MEMORY, "OUT_OF_MEMORY"),
    (SHARDSPEC_NOT_FOUND, "NOT_FOUND"),
    (SHARDSPEC_WRONG_SPEC_TYPE, "WRONG_SPEC_TYPE"),
    (SHARDSPEC_INTERNAL, "INTERNAL"),
    (SHARDSPEC_ALREADY_EXISTS, "ALREADY_EXISTS"),
    (SHARDSPEC_BUSY, "BUSY"),
    (SHARDSPEC_NO_ARGUMENTS, "NO_ARGUMENTS"),
    (SHARDSPEC_NO_SHARDED_TENSOR, "NO_SHARDED_TENSOR"),
    (SHARDSPEC_COMMUNICATOR_MISMATCH, "COMMUNICATOR_MISMATCH"),
    (SHARDSPEC_DISAGREEMENT, "DISAGREEMENT"),
    (SHARDSPEC_TRANSPORT_FAILED, "TRANSPORT_FAILED"),
    (SHARDSPEC_NOT_LOCAL, "NOT_LOCAL"),
    (SHARDSPEC_READ_ONLY, "READ_ONLY"),
    (SHARDSPEC_CALLBACK_FAILED, "CALLBACK_FAILED"),
    (SHARDSPEC_ILLEGAL_CUT, "ILLEGAL_CUT"),
    (SHARDSPEC_PARTIAL, "PARTIAL"),
    (SHARDSPEC_FILE_FAILED, "FILE_FAILED"),
    (SHARDSPEC_INVALID_FILE, "INVALID_FILE"),
];

/// The name of a status, such as "OVERLAP", if it is one of this version.
pub fn name_of(status: i32) -> Option<&'static str> {
    NAMES.iter().find(|(known, _)| *known == status).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_ascend_and_names_are_used_once() {
        assert!(NAMES.is_sorted_by_key(|(number, _)| *number));
        for (number, name) in NAMES {
            assert_eq!(name_of(*number), Some(*name), "the number {number} is there twice");
            assert_eq!(NAMES.iter().filter(|(_, other)| other == name).count(), 1, "{name}");
        }
        assert_eq!(name_of(-1), None);
    }
}
