//! Writing checkpoints, and converting them.
//!
//! A checkpoint is a directory of safetensors files. Each rank writes its own shards. At the end,
//! one rank moves the complete checkpoint to its path in one step:
//!
//!   shardspec_checkpoint_tensor tensor = {sizeof tensor, "w", metadata, &index, &shard, 1};
//!   shardspec_checkpoint_write("checkpoint", &tensor, 1, NULL, &err);
//!   MPI_Barrier(comm);
//!   if (rank == 0) shardspec_checkpoint_commit("checkpoint", &tensor, 1, NULL, &err);
//!
//! The layouts alone determine the file of each shard. The header of each file describes the layout
//! in a JSON text. For each shard in the file, this text has the sizes of the whole tensor and the
//! offsets of the shard. The header also has the entries that torch's `HuggingFaceStorageReader`
//! needs.

use std::ffi::c_char;

use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{slice, text};
use crate::ffi::border::sized::{Grows, sized, sized_slice};
use crate::ffi::border::views::{indices_or_first, some_shards};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::metadata::shardspec_metadata;
use crate::ffi::spec::shardspec_spec;
use crate::ffi::view::shardspec_tensor_view;
use crate::files::write::{self, ConvertOptions, Files, TensorToWrite, WriteOptions};
use crate::files::{self, StoredTensor};
use crate::memory::{text, try_collect, try_with_capacity};
use crate::model::spec::TensorShape;
use crate::model::{Error, Result, ShardedTensorMetadata, TensorProperties};
use crate::transfer::LocalShards;

/// Each owner has its own files for its shards.
pub const SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS: u32 = 0;
/// All tensors are in one file, as whole tensors.
pub const SHARDSPEC_CHECKPOINT_FILES_ONE: u32 = 1;

/// A tensor to write, and its shards in this process.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_checkpoint_tensor {
    /// `sizeof(shardspec_checkpoint_tensor)`.
    pub struct_size: u64,
    /// The name of the tensor in the files.
    pub name: *const c_char,
    /// The layout of the tensor. The metadata must state an element type.
    pub metadata: *const shardspec_metadata,
    /// The indices of the shards in this process. NULL means the first `shard_count` shards of the
    /// metadata.
    pub indices: *const usize,
    /// Views of the shards in this process. Any strides are allowed.
    pub shards: *const shardspec_tensor_view,
    /// Number of shards in this process.
    pub shard_count: usize,
}

// SAFETY: `shardspec_checkpoint_tensor` is `repr(C)` and begins with its `struct_size`. All other
// fields are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_checkpoint_tensor {
    const NAME: &'static str = "shardspec_checkpoint_tensor";
    const FIRST_SIZE: usize = 48;
}

/// Options for writing a checkpoint. A field that is 0 has its default value. If a function gets
/// NULL instead of options, all options have their default values. All ranks must pass the same
/// values.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_checkpoint_write_options {
    /// `sizeof(shardspec_checkpoint_write_options)`.
    pub struct_size: u64,
    /// A `SHARDSPEC_CHECKPOINT_FILES_...` constant. The constant defines which tensors and shards
    /// each file holds.
    pub files: u32,
    /// A nonzero value allows the library to replace a checkpoint that exists at the path. With 0,
    /// the library refuses a path that exists.
    pub replace: u32,
    /// Maximum number of bytes of elements that a conversion holds in memory. 0 means 64 MiB. Other
    /// functions ignore this field.
    pub max_bytes: u64,
}

// SAFETY: `shardspec_checkpoint_write_options` is `repr(C)` and begins with its `struct_size`. All
// other fields are numbers, so zeros are a value of it.
unsafe impl Grows for shardspec_checkpoint_write_options {
    const NAME: &'static str = "shardspec_checkpoint_write_options";
    const FIRST_SIZE: usize = 24;
}

/// A rule of a conversion. The rule defines the new layout of all tensors with matching names.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct shardspec_checkpoint_rule {
    /// `sizeof(shardspec_checkpoint_rule)`.
    pub struct_size: u64,
    /// A pattern for names of tensors. Each `*` matches zero or more characters.
    pub pattern: *const c_char,
    /// The spec that cuts tensors with matching names.
    pub spec: *const shardspec_spec,
}

// SAFETY: `shardspec_checkpoint_rule` is `repr(C)` and begins with its `struct_size`. All other
// fields are numbers, and pointers that may be NULL, so zeros are a value of it.
unsafe impl Grows for shardspec_checkpoint_rule {
    const NAME: &'static str = "shardspec_checkpoint_rule";
    const FIRST_SIZE: usize = 24;
}

unsafe fn options_argument(
    options: *const shardspec_checkpoint_write_options,
) -> Outcome<(WriteOptions, usize)> {
    if options.is_null() {
        return Ok((WriteOptions::default(), 0));
    }
    let shardspec_checkpoint_write_options { files, replace, max_bytes, .. } =
        sized("options", options)?;
    let files = match files {
        SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS => Files::OfOwners,
        SHARDSPEC_CHECKPOINT_FILES_ONE => Files::One,
        other => {
            let problem =
                text!("its files are {other}; pass a SHARDSPEC_CHECKPOINT_FILES_... constant");
            return Err(Error::invalid("options", problem).into());
        }
    };
    let memory = usize::try_from(max_bytes).unwrap_or(usize::MAX);
    Ok((WriteOptions { files, replace: replace != 0 }, memory))
}

/// A tensor argument.
struct TensorArgument<'a> {
    name: &'a str,
    metadata: ShardedTensorMetadata,
    shards: LocalShards,
}

/// The tensors, with their shards where `with_shards` says so.
unsafe fn checkpoint_tensors_argument<'a>(
    tensors: *const shardspec_checkpoint_tensor, tensor_count: usize, with_shards: bool,
) -> Outcome<Vec<TensorArgument<'a>>> {
    let in_field = Refusal::in_field;
    sized_slice("tensors", tensors, tensor_count)?.convert(|tensor| {
        let name = text("tensors", tensor.name).map_err(in_field("name"))?;
        let metadata = (*handle::get("metadata", tensor.metadata)?).clone();
        let count = if with_shards { tensor.shard_count } else { 0 };
        let views = slice("tensors", tensor.shards, count).map_err(in_field("shards"))?;
        let indices = indices_or_first("tensors", tensor.indices, count);
        let shards = some_shards(&metadata, &indices.map_err(in_field("indices"))?, views)?;
        Ok(TensorArgument { name, metadata, shards })
    })
}

fn tensors_to_write<'a>(given: &'a [TensorArgument<'_>]) -> Result<Vec<TensorToWrite<'a>>> {
    let tensors = given.iter().map(|one| TensorToWrite { name: one.name, metadata: &one.metadata });
    Ok(try_collect(tensors)?)
}

/// Writes this process's shards of all tensors of a checkpoint. Call this function on every rank,
/// with the same path, names, layouts and options. After the calls of all ranks, call
/// `shardspec_checkpoint_commit` on one rank. A process may pass shards of several owners. A
/// process that passes one shard of an owner must pass all shards of that owner. Ranks without
/// shards may omit the call.
///
/// The layouts alone determine the file of each shard, so ranks exchange no messages. By default,
/// each file is a safetensors file with shards of one owner. With SHARDSPEC_CHECKPOINT_FILES_ONE,
/// all ranks write into one file with whole tensors. The file must be on a file system that all
/// ranks share. If several owners have replicas of a shard, only one owner writes its replica. All
/// owners write about equally many bytes. The bytes of a view that is not row-major are in several
/// separate ranges of memory. The function writes ranges of at least 1 KiB directly from
/// memory. The function first copies shorter ranges into a buffer of at most 8 MiB, and then writes
/// the buffer.
///
/// The function writes the files into a temporary directory. The name of this directory is the path
/// with the ending `.saving`. The function flushes the files to the disk. The path itself does not
/// change. After a failure, the program may call the function again.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: on the disk.
/// Errors: INVALID_ARGUMENT if the path exists and `replace` is 0, if something other than a
/// checkpoint is at the path, if a name is empty or occurs twice, if metadata states no element
/// type, or if some shards of an owner are missing; FILE_FAILED if the system refuses to write a
/// file, for example because the disk is full; OVERLAP if two shards share only a part of their
/// elements; UNSUPPORTED if the file format does not have the element type of a tensor, or if a
/// shard is not a box and each owner has its own files; PARTIAL, SHAPE_MISMATCH, NDIM_MISMATCH,
/// DTYPE_MISMATCH, INDEX_OUT_OF_RANGE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
/// OUT_OF_MEMORY. After an error, the path is unchanged.
/// Threads: any. Several ranks and threads may write their parts at the same time.
/// Source: torch's `torch.distributed.checkpoint.save`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_write(
    path: *const c_char, tensors: *const shardspec_checkpoint_tensor, tensor_count: usize,
    options: *const shardspec_checkpoint_write_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let path = text("path", path)?;
        let (options, _) = options_argument(options)?;
        let given = checkpoint_tensors_argument(tensors, tensor_count, true)?;
        let mut tensors = try_with_capacity(given.len())?;
        let mut shards = try_with_capacity(given.len())?;
        let mut layouts = try_with_capacity(given.len())?;
        for TensorArgument { name, metadata, shards: own } in given {
            layouts.push((name, metadata));
            shards.push(own);
        }
        tensors.extend(layouts.iter().map(|(name, metadata)| TensorToWrite { name, metadata }));
        Ok(write::write(path, &tensors, &shards, &options)?)
    })
}

/// Moves a checkpoint to its path, after all ranks have written all shards. Call this function on
/// one rank, after a barrier. Pass the names, layouts and options that the ranks passed to
/// `shardspec_checkpoint_write`. The function ignores `indices`, `shards` and `shard_count`.
///
/// The function checks that all owners have written their shards. If there are several files and
/// each tensor is whole in one file, the function also writes a `model.safetensors.index.json`. As
/// the last step, the function renames the new directory to `path`. If `path` has an old
/// checkpoint, the function exchanges the old and the new directory in one step and then removes
/// the old directory. If the program ends at any point, `path` has either the complete old
/// checkpoint or the complete new checkpoint.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: on the disk.
/// Errors: NOT_FOUND if an owner has not written its shards; INVALID_FILE if a file is too short;
/// UNSUPPORTED if the function must replace a checkpoint and the file system can't exchange two
/// directories; INVALID_ARGUMENT if the path exists and `replace` is 0, or if something other than
/// a checkpoint is at the path; FILE_FAILED, OVERLAP, PARTIAL, OVERFLOW, INVALID_HANDLE,
/// NULL_ARGUMENT, OUT_OF_MEMORY. After an error, the path has the old checkpoint. There is one
/// exception: if only the flush of the directory above the path failed, the path has the new
/// checkpoint. If the function can't remove the old checkpoint, the function returns OK, and the
/// old checkpoint stays in the directory with the ending `.saving`.
/// Threads: any. No rank may write to the same path during the call.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_commit(
    path: *const c_char, tensors: *const shardspec_checkpoint_tensor, tensor_count: usize,
    options: *const shardspec_checkpoint_write_options, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let path = text("path", path)?;
        let (options, _) = options_argument(options)?;
        let given = checkpoint_tensors_argument(tensors, tensor_count, false)?;
        Ok(write::commit(path, &tensors_to_write(&given)?, &options)?)
    })
}

/// Writes all tensors of a checkpoint to another checkpoint, with other layouts. `source_path` is a
/// safetensors file, a `.npy` file, a directory of safetensors files or a directory of torch's
/// distributed checkpoint. After the function has written the whole new checkpoint, the checkpoint
/// appears at `path` in one step.
///
/// The first rule with a matching pattern determines the spec of a tensor. If no rule matches a
/// tensor, the function writes the whole tensor as one shard of rank 0. In memory, the conversion
/// holds at most `max_bytes` bytes of elements, plus the buffers of its reads. The conversion first
/// checks the source. If elements are missing, the conversion writes nothing.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
/// `destroy`, if another thread frees a handle during the call.
/// Blocks: on the disk.
/// Errors: FILE_FAILED if the system refuses to read or write a file, for example because the disk
/// is full; INVALID_FILE if a source file does not follow its format or is shorter than its header
/// states; GAP if some elements are in no file; NOT_FOUND if the index of the source names a tensor
/// that no file has; INVALID_ARGUMENT if the source has no known format, if `path` exists and
/// `replace` is 0, or if something other than a checkpoint is at `path`; UNSUPPORTED if the file
/// format does not have the element type of a tensor, if a shard is not a box and each owner has
/// its own files, or if the file system can't exchange two directories; OVERLAP, PARTIAL, OVERFLOW,
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If the spec of a rule does not fit a tensor, the
/// function returns the error of `shardspec_spec_build_metadata`.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_checkpoint_convert(
    source_path: *const c_char, path: *const c_char, rules: *const shardspec_checkpoint_rule,
    rule_count: usize, options: *const shardspec_checkpoint_write_options,
    err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let (source, path) = (text("source_path", source_path)?, text("path", path)?);
        let (write, memory) = options_argument(options)?;
        let rules = sized_slice("rules", rules, rule_count)?.convert(|rule| {
            let pattern = text("rules", rule.pattern).map_err(Refusal::in_field("pattern"))?;
            Ok((pattern, handle::get("spec", rule.spec)?))
        })?;
        let mut layout_of = |tensor: &StoredTensor| {
            let fits = |pattern: &str| write::name_matches(pattern, tensor.name());
            let Some((_, spec)) = rules.iter().find(|(pattern, _)| fits(pattern)) else {
                return write::whole_layout(tensor);
            };
            let properties =
                TensorProperties { dtype: Some(tensor.dtype()), ..TensorProperties::default() };
            spec.build_metadata(TensorShape::new(tensor.sizes()), properties)
        };
        let set = files::open(source)?;
        let options = ConvertOptions { write, memory, ..ConvertOptions::default() };
        Ok(write::convert(&set, path, &mut layout_of, &options)?)
    })
}
