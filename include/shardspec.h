/*
 * shardspec.h describes how a tensor is cut across workers, says which worker owns which part, and moves
 * the bytes.
 *
 * A spec describes how to cut tensors. A spec and the sizes of a tensor give metadata. Metadata lists the
 * shards of one tensor and their owners. With metadata, the library cuts a buffer into shards, and joins
 * shards into a buffer. With a communicator, the shards can be in many processes. A sharded tensor is
 * metadata together with the shards that are in this process.
 *
 *   const char *placements[] = {"rank:0", "rank:1"};
 *   const int64_t sizes[] = {1000, 64};
 *   shardspec_error err = SHARDSPEC_ERROR_INIT;
 *   shardspec_spec *spec;
 *   shardspec_metadata *metadata;
 *   if (shardspec_spec_new_chunk(0, placements, 2, &spec, &err) != SHARDSPEC_OK ||
 *       shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err) != SHARDSPEC_OK ||
 *       shardspec_metadata_scatter(metadata, &full, shards, 2, NULL, &err) != SHARDSPEC_OK)
 *     fprintf(stderr, "%s\n", err.message);
 *
 * The sections of this header, each with its first function:
 *
 *   Level 1: place and copy
 *     Sharding specs                                    shardspec_spec_new_chunk
 *     Metadata                                          shardspec_spec_build_metadata
 *     Element types                                     shardspec_dtype_parse
 *     Views of tensors
 *     Tensors in host memory                            shardspec_tensor_copy
 *     Sharded tensors                                   shardspec_sharded_tensor_new
 *     Tensors as flat arrays                            shardspec_metadata_scatter_flat
 *     Placements                                        shardspec_placement_parse
 *     Lists of shards                                   shardspec_shards_new
 *     Tensor properties                                 shardspec_tensor_properties_init
 *     Status and errors                                 shardspec_status_text
 *     Sizes and defaults of structs                     shardspec_struct_size
 *     Version                                           shardspec_abi_version
 *   Level 2: layouts, plans, files and collectives
 *     Meshes                                            shardspec_mesh_new
 *     Specs over a mesh                                 shardspec_spec_new_mesh
 *     Layouts as other programs write them              shardspec_spec_parse
 *     Layouts as JSON and as bytes                      shardspec_spec_to_json
 *     The arithmetic of chunks                          shardspec_chunk_split_size
 *     Queries                                           shardspec_metadata_shards_in_box
 *     Shards that are not boxes                         shardspec_shards_new_with_dim_maps
 *     Digests                                           shardspec_metadata_digest
 *     Plans                                             shardspec_plan_new
 *     Traffic of a plan                                 shardspec_plan_shard_traffic
 *     Pictures of layouts and plans                     shardspec_metadata_draw
 *     Checkpoints                                       shardspec_checkpoint_open
 *     Writing checkpoints, and converting them          shardspec_checkpoint_write
 *     DLPack                                            shardspec_managed_tensor_new
 *     Local shards shared with other libraries          shardspec_sharded_tensor_export_local
 *     Communicators                                     shardspec_comm_new
 *     Collectives                                       shardspec_comm_scatter
 *     Transfers                                         shardspec_comm_transfer
 *     Requests                                          shardspec_request_test
 *   Level 3: types, ops and transports of your own
 *     Callbacks                                         shardspec_runtime_ctx_destroy
 *     Custom placements                                 shardspec_placement_new_custom
 *     Building metadata                                 shardspec_metadata_builder_add_shard
 *     Custom sharding specs                             shardspec_spec_new_custom
 *     Custom ops                                        shardspec_op_register
 *
 * These rules hold for every function:
 *
 * - A function that can fail returns a status: SHARDSPEC_OK or the reason of the failure. The last
 *   argument of a function with a status points to a shardspec_error, which receives the details. The
 *   pointer may be NULL.
 * - A function that fails writes only the error. There are two exceptions. If a transport fails while data
 *   moves between processes, the function may have written some data already. If a read of a file fails,
 *   the function may also have written some data.
 * - The caller keeps ownership of all arguments. During the call, the library copies all data that it
 *   needs later. There is one exception: the caller may pass memory or a context together with a function
 *   that releases it. The library uses this memory or context until the library calls that function.
 * - The library writes results to memory of the caller. The caller frees every handle that it receives,
 *   with the function that frees handles of that kind. There is one exception: the handle of an op is
 *   never freed.
 * - A handle is an opaque key stored in a pointer type. The library never dereferences a handle. The
 *   library refuses a freed handle, a forged handle and a handle of another kind with
 *   SHARDSPEC_INVALID_HANDLE. Objects behind handles are immutable. Any thread may use or free a handle,
 *   also while other threads use the handle. The line "Threads" of a function names exceptions, for
 *   example for communicators and requests.
 * - A handle is a number from 1 to 2^47 - 1, so a handle fits exactly into a double and into a pointer of
 *   47 bits. In one process, the library never creates the same handle twice. For every 131,072 handles of
 *   one kind that were created and freed, the library keeps at most 1 KiB of memory. Up to 67 million
 *   handles of a kind may exist at once. At most 8 * 10^12 handles of a kind can be created. Beyond these
 *   limits, a function fails with SHARDSPEC_OUT_OF_MEMORY.
 * - Any thread may call any function, also in a child process after fork. The library leaves no thread
 *   behind when a call returns.
 * - On Linux, dlclose does not unload the shared library. Handles stay valid after dlclose, and freed
 *   handles stay invalid.
 * - A function needs at most 64 KiB of stack. The callbacks of a function need additional stack.
 * - The library refuses NULL for a pointer that must not be NULL, and refuses a misaligned pointer. The
 *   caller makes sure that each array has the stated length.
 * - Structs that begin with struct_size may grow at the end. Set struct_size to the sizeof of the struct,
 *   and set unused fields to zero. With these values, programs and libraries of different versions work
 *   together. The library refuses a struct_size of 0 in every struct, because it can't know the size of
 *   the caller's memory. The macros that end in _INIT set struct_size. In languages without C macros, call
 *   shardspec_struct_init, which sets struct_size.
 * - Texts are UTF-8 and end in NUL. Sizes and offsets count elements and are signed 64-bit. Indices of
 *   shards and lengths of arrays are size_t. In shardspec_error, indices are int64_t, because -1 means "no
 *   index".
 * - The comment of each function ends with lines that begin with a keyword. "Calls back" names the
 *   callbacks that a call may run. Callbacks run on the calling thread. "Blocks" names the things that a
 *   call may wait for: other ranks, other threads or the disk. A call also takes the time of its
 *   callbacks. "Threads" names the threads that may call the function, and rules for threads during the
 *   call.
 * - "Errors" names the statuses that a function returns, each with its condition. A status without a
 *   condition has the meaning that the section "Status and errors" gives.
 *
 * shardspec.json has the contents of this header for programs that generate bindings. shardspec.cdef.h has
 * the declarations for programs without a preprocessor. The build generates shardspec.h, shardspec.json
 * and shardspec.cdef.h from src/ffi and abi/first_page.txt. To change the three files, edit src/ffi and
 * abi/first_page.txt.
 */
#ifndef SHARDSPEC_H
#define SHARDSPEC_H

#include <stddef.h>
#include <stdint.h>

/**
 * This macro stands before each function and makes its symbol visible outside of the library. A program
 * may define this macro.
 */
#ifndef SHARDSPEC_API
#if defined(_WIN32) && defined(SHARDSPEC_SHARED)
#define SHARDSPEC_API __declspec(dllimport)
#elif defined(__GNUC__)
#define SHARDSPEC_API __attribute__((visibility("default")))
#else
#define SHARDSPEC_API
#endif
#endif

/**
 * This macro stands before each function that returns a status. If a caller ignores the status, compilers
 * warn. Functions that free handles do not have this macro. A program may define the macro as empty to
 * turn these warnings off.
 */
#ifndef SHARDSPEC_NODISCARD
#if (defined(__cplusplus) && __cplusplus >= 201703L) || \
    (defined(__STDC_VERSION__) && __STDC_VERSION__ >= 202311L)
#define SHARDSPEC_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define SHARDSPEC_NODISCARD __attribute__((warn_unused_result))
#else
#define SHARDSPEC_NODISCARD
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The result of a call: 0 (`SHARDSPEC_OK`) or the reason of a failure. The constants are in the
 * section "Status and errors". A status is never negative. The meaning of a number never changes.
 * Later versions may add numbers.
 */
typedef int32_t shardspec_status;

/* ################################################################################################
 * Level 1: place and copy
 * ################################################################################################ */

/* ================================================================================================
 * Sharding specs: how a tensor is cut.
 *
 * A spec can cut any number of tensors. Three types of spec are built in. A "chunk" spec cuts one
 * dimension into equal chunks. An "enumerable" spec lists the shards. A "mesh" spec cuts
 * dimensions over the axes of a mesh (`shardspec_spec_new_mesh`). `shardspec_spec_new_custom`
 * creates specs of types that the program defines.
 *
 * Source: torch's `ChunkShardingSpec` and `EnumerableShardingSpec`.
 */

/**
 * A sharding spec, behind a handle. The object is immutable. Free the handle with
 * `shardspec_spec_free`.
 */
typedef struct shardspec_spec shardspec_spec;

typedef struct shardspec_error shardspec_error;

/**
 * Creates a spec that cuts dimension `dim` into `placement_count` chunks, as `torch.chunk` does.
 * Chunk i has the placement `placements[i]`. In a dimension of n elements, chunk i starts at
 * element ceil(n / placement_count) * i. The last chunks may be shorter or empty. An empty chunk
 * has no elements. The offset of an empty chunk may be past the end of the dimension. A negative
 * `dim` counts from the end: -1 is the last dimension. `shardspec_spec_build_metadata` checks that
 * the tensor has this dimension.
 *
 * Ownership: the library copies the texts. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `placement_count` is 0; INVALID_PLACEMENT, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_chunk(
    int64_t dim, const char *const *placements, size_t placement_count, shardspec_spec **out,
    shardspec_error *err);

/**
 * Creates a spec that cuts the dimension named `dim_name` into `placement_count` chunks, as
 * `torch.chunk` does. Chunk i has the placement `placements[i]`. In a dimension of n elements,
 * chunk i starts at element ceil(n / placement_count) * i. The last chunks may be shorter or
 * empty. `shardspec_spec_build_metadata_with_dim_names` builds metadata with this spec.
 *
 * Ownership: the library copies the texts. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `dim_name` is empty or `placement_count` is 0; INVALID_PLACEMENT,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_chunk_by_dim_name(
    const char *dim_name, const char *const *placements, size_t placement_count,
    shardspec_spec **out, shardspec_error *err);

/**
 * A placement, behind a handle. The object is immutable. Free the handle with
 * `shardspec_placement_free`.
 */
typedef struct shardspec_placement shardspec_placement;

/**
 * Creates a spec that cuts one dimension into `placement_count` chunks, as `torch.chunk` does.
 * `placements` holds `placement_count` handles of placements. With `dim_name` NULL, the spec cuts
 * dimension `dim`. If `dim_name` is not NULL, the spec cuts the dimension with this name. Chunk i
 * has the placement `placements[i]`. In a dimension of n elements, chunk i starts at element
 * ceil(n / placement_count) * i. The last chunks may be shorter or empty. A negative `dim` counts
 * from the end: -1 is the last dimension.
 *
 * Ownership: the library copies `dim_name`. The caller keeps the handles and frees `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `dim_name` is empty or `placement_count` is 0; INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_chunk_with_placement_handles(
    int64_t dim, const char *dim_name, const shardspec_placement *const *placements,
    size_t placement_count, shardspec_spec **out, shardspec_error *err);

/**
 * A list of shards, behind a handle. The object is immutable. Free the handle with
 * `shardspec_shards_free`.
 */
typedef struct shardspec_shards shardspec_shards;

/**
 * Creates a spec that lists its shards. All shards have the same number of dimensions. Shards must
 * not overlap. A shard is empty if one of its sizes is 0. An empty shard overlaps no shard.
 *
 * Time: at worst n * log(n)^(d-1) for n shards with d dimensions.
 * Ownership: the caller frees `*out`. The caller may free the list before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if there are no shards; OVERLAP if two shards overlap (the error names
 * both shards and the box that they share); NULL_ARGUMENT if a pointer is NULL or a shard has no
 * placement; INVALID_HANDLE, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_enumerable(
    const shardspec_shards *shards, shardspec_spec **out, shardspec_error *err);

/**
 * Frees a spec. NULL is allowed. Metadata that was built from the spec stays valid.
 *
 * Ownership: the caller gives up `spec`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_spec_free(shardspec_spec *spec, shardspec_error *err);

/**
 * Writes the name of the spec's type into `buffer`. The name is "chunk", "enumerable", "mesh", or
 * the type name of a custom spec.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_type_name(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `*out` the dimension that a chunk spec cuts. The result is the argument `dim` of the
 * call that created the spec, and may be negative.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is not a chunk spec, or if the spec gives its dimension by
 * name; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_chunk_dim(
    const shardspec_spec *spec, int64_t *out, shardspec_error *err);

/**
 * Writes to `buffer` the name of the dimension that a chunk spec cuts.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is not a chunk spec, or if the spec gives its dimension by
 * number; BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_chunk_dim_name(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `*out` the number of shards of the spec.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is custom: its shards depend on the tensor (call
 * `shardspec_metadata_shard_count` instead); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_shard_count(
    const shardspec_spec *spec, size_t *out, shardspec_error *err);

/**
 * Creates a handle for the placement of shard `index` of the spec.
 *
 * Ownership: the caller frees `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is custom: its shards depend on the tensor (call
 * `shardspec_metadata_shard_placement` instead); INDEX_OUT_OF_RANGE, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_placement(
    const shardspec_spec *spec, size_t index, shardspec_placement **out, shardspec_error *err);

/**
 * Writes 1 to `*out` if two specs have the same type and equal parameters, else 0. Equal specs cut
 * every tensor into equal shards. A spec that cuts dimension -1 is not equal to a spec that cuts
 * dimension 1. In a tensor with two dimensions, the two specs cut the same dimension. Mesh specs
 * are equal if their meshes are equal and their layouts are equal. To compare two custom specs of
 * the same type, the library calls the `equal` function of this type.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` of custom specs and placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_equal(
    const shardspec_spec *a, const shardspec_spec *b, int32_t *out, shardspec_error *err);

/**
 * Writes a hash of the spec to `*out`. Equal specs have equal hashes in all processes that use the
 * same version of the library. For a custom spec, the `hash` function of its type contributes to
 * the hash.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `hash` of a custom spec and of custom placements; `destroy`, if another thread frees
 * a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_hash(
    const shardspec_spec *spec, uint64_t *out, shardspec_error *err);

/**
 * Creates the spec that cuts a tensor into exactly the shards of a list. The result is a chunk
 * spec if the shards are the chunks of one dimension, in any order. If the shards form another
 * grid of boxes, with equally many replicas of each box, the result is a mesh spec. The mesh spec
 * cuts each dimension of the grid by the rule CHUNK, BALANCED or SIZES. For all other shards, the
 * result is an enumerable spec. For a single shard, the result is also an enumerable spec, because
 * no dimension is cut.
 *
 * If the list is in row-major order for some order of the mesh's axes, device i of the mesh has
 * the placement of shard i. For all other lists, the devices are in row-major order of the cut
 * dimensions. `shardspec_spec_infer_compat` creates the spec that torch would infer.
 *
 * Time: n * log(n) for n shards. If the result is an enumerable spec in d dimensions, the time is
 * at worst n * log(n)^(d-1).
 * Ownership: the caller frees `*out`. The caller may free the list before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if there are no shards; OVERLAP if two shards overlap and are not in a
 * grid of replicas (the error names both shards and the box that they share); NULL_ARGUMENT if a
 * pointer is NULL or a shard has no placement; INVALID_HANDLE, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_infer(
    const shardspec_shards *shards, shardspec_spec **out, shardspec_error *err);

/**
 * Creates the spec that torch infers from the shards of a list. The result is a chunk spec if the
 * shards are the chunks of one dimension, in any order. For all other shards, the result is an
 * enumerable spec. For a single shard, the result is also an enumerable spec, because no dimension
 * is cut.
 *
 * Ownership: the caller frees `*out`. The caller may free the list before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if there are no shards; OVERLAP if two shards overlap (the error names
 * both shards and the box that they share); NULL_ARGUMENT if a pointer is NULL or a shard has no
 * placement; INVALID_HANDLE, OUT_OF_MEMORY.
 * Threads: any.
 * Source: `_infer_sharding_spec_from_shards_metadata` of torch.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_infer_compat(
    const shardspec_shards *shards, shardspec_spec **out, shardspec_error *err);

/* ================================================================================================
 * Metadata: which shard owns which part of one tensor.
 *
 * `shardspec_spec_build_metadata` creates metadata from a spec and the sizes of a tensor. The
 * shards of a metadata object cover its tensor. Shards may overlap only if the metadata has
 * replicas. Shards are numbered from 0, in the order that the spec defines.
 *
 * Source: torch's `ShardedTensorMetadata`.
 */

/**
 * The shards of one tensor, behind a handle. The object is immutable. Free the handle with
 * `shardspec_metadata_free`.
 */
typedef struct shardspec_metadata shardspec_metadata;

typedef struct shardspec_tensor_properties shardspec_tensor_properties;

/**
 * Creates the metadata of a tensor that `spec` cuts. `sizes` holds the `ndim` sizes of the tensor.
 * The shards cover the tensor. Shards overlap only if a mesh spec replicates them. With
 * `properties` NULL, the metadata states no element type and accepts data of any type.
 *
 * Ownership: the caller frees `*out`. The caller may free the spec before `*out`.
 * Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
 * `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM if the tensor does not have the dimension that the spec cuts, or if the spec
 * gives this dimension by name (use `shardspec_spec_build_metadata_with_dim_names`); ILLEGAL_CUT
 * if a mesh spec can't cut a size; NDIM_MISMATCH, OUT_OF_BOUNDS or GAP if an enumerable or custom
 * spec does not fit the tensor (for GAP, the message names a box that no shard owns); OVERLAP if
 * shards of a custom spec overlap; INVALID_ARGUMENT if a size is negative or above the padded
 * length of a mesh spec, or if `ndim` is above 32; OVERFLOW if the number of elements does not fit
 * in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If `build_metadata` of a custom spec
 * fails, the function returns the status of `build_metadata`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_build_metadata(
    const shardspec_spec *spec, const int64_t *sizes, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata **out, shardspec_error *err);

/**
 * Creates the metadata of a tensor that `spec` cuts, with names for the dimensions of the tensor.
 * `sizes` holds `ndim` numbers, one for each dimension. `dim_names` holds `ndim` texts, one for
 * each dimension. A spec that was created with the name of a dimension cuts the dimension with
 * that name. `shardspec_metadata_dim_name` returns the names in `dim_names`. With `properties`
 * NULL, the metadata states no element type and accepts data of any type.
 *
 * Ownership: the library copies `dim_names`. The caller frees `*out`. The caller may free the spec
 * before `*out`.
 * Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
 * `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM if the tensor does not have the dimension that the spec cuts; ILLEGAL_CUT if
 * a mesh spec can't cut a size; NDIM_MISMATCH, OUT_OF_BOUNDS or GAP if an enumerable or custom
 * spec does not fit the tensor (for GAP, the message names a box that no shard owns); OVERLAP if
 * shards of a custom spec overlap; INVALID_ARGUMENT if a size is negative or above the padded
 * length of a mesh spec, or if `ndim` is above 32; OVERFLOW if the number of elements does not fit
 * in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If `build_metadata` of a custom spec
 * fails, the function returns the status of `build_metadata`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_build_metadata_with_dim_names(
    const shardspec_spec *spec, const int64_t *sizes, const char *const *dim_names, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata **out, shardspec_error *err);

/**
 * Creates the metadata of a linked tensor. Blocks divide the tensor of `metadata`, and a linked
 * tensor has one element for each block. Linked tensors store, for example, the scales or the zero
 * points of a quantised weight. Linked tensors may also store integers that each contain several
 * packed elements of the weight.
 *
 * `block_sizes` holds `ndim` numbers >= 1. Dimension d of the new tensor has ceil(size /
 * `block_sizes[d]`) elements. The last block of a dimension may have fewer elements than the other
 * blocks. Shard i of the result has one element for each block that shard i of `metadata` has, in
 * the same order. The result takes the placements, the mesh, the replicas, the partial axes and
 * the names of dimensions from `metadata`. Padding of `metadata` becomes padding of the result.
 * The result states no element type. If dimensions are flattened, the elements of each block must
 * be contiguous in the flattened dimension.
 *
 * Ownership: the caller frees `*out`. The caller may free `metadata` before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: ILLEGAL_CUT if a shard has only a part of a block, has a block in pieces or unaligned in
 * its buffer, or has padding that ends inside of a block; NDIM_MISMATCH if the tensor does not
 * have `ndim` dimensions; UNSUPPORTED if blocks are not contiguous in flattened dimensions;
 * INVALID_ARGUMENT if a block size is below 1; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If a
 * shard has only a part of a block, the message names the nearest legal cuts. With ILLEGAL_CUT,
 * the error's `first_shard` is the shard's index, `dim` is the dimension of the shard's buffer,
 * and `limit` is the length of the block. For a part of a block, `got` is the index of the cut.
 * For a block in pieces or unaligned, `got` is the start of the block. For padding, `got` is the
 * length of the padded buffer.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_blocks(
    const shardspec_metadata *metadata, const int64_t *block_sizes, size_t ndim,
    shardspec_metadata **out, shardspec_error *err);

/**
 * Creates a list of the shards of a metadata object. The function does not copy the shards.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_from_metadata(
    const shardspec_metadata *metadata, shardspec_shards **out, shardspec_error *err);

/**
 * Frees metadata. NULL is allowed. Objects made from the metadata stay valid.
 *
 * Ownership: the caller gives up `metadata`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_metadata_free(
    shardspec_metadata *metadata, shardspec_error *err);

/**
 * Writes to `*out` the number of shards, empty shards included.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shard_count(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);

/**
 * Writes the number of dimensions of the tensor to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_ndim(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);

/**
 * Writes to `*out` the number of dimensions of the shards' buffers. If no dimensions are
 * flattened, the number is equal to the number of dimensions of the tensor.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_buffer_ndim(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);

/**
 * Writes 1 to `*out` if the metadata was created with replicas, else 0. Shards may overlap only in
 * metadata with replicas.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_has_replicas(
    const shardspec_metadata *metadata, int32_t *out, shardspec_error *err);

/**
 * Writes the tensor's sizes into `sizes`, one number for each dimension.
 *
 * `sizes` has room for `capacity` numbers. `*needed` becomes the number of dimensions. `needed`
 * may be NULL. With capacity 0, only `*needed` is written, and `sizes` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_sizes(
    const shardspec_metadata *metadata, int64_t *sizes, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes the number of elements of the tensor to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_numel(
    const shardspec_metadata *metadata, int64_t *out, shardspec_error *err);

/**
 * Writes the tensor's properties to `*out`. The caller sets `out->struct_size` before the call:
 * `shardspec_tensor_properties p = { sizeof p };`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `struct_size` is wrong; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_properties(
    const shardspec_metadata *metadata, shardspec_tensor_properties *out, shardspec_error *err);

/**
 * Writes 1 to `*out` if two metadata objects are equal, else 0. Equal objects have the same sizes,
 * properties and partial axes, and the same shards in the same order. Either both objects have
 * replicas, or neither does. The function compares no specs, meshes or names of dimensions.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_equal(
    const shardspec_metadata *a, const shardspec_metadata *b, int32_t *out, shardspec_error *err);

/**
 * Writes to `*out` the fingerprint of the layout: a hash of 64 bits. The fingerprint depends on
 * the indices of each shard's elements, on the order of these elements in the shard's buffer, and
 * on the placements. The fingerprint does not depend on the sizes and properties of the tensor, on
 * replicas or on partial axes. The result of `shardspec_metadata_hash` also depends on the sizes,
 * the properties, the replicas and the partial axes. Equal layouts have equal fingerprints in all
 * processes that use the same version of the library.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_fingerprint(
    const shardspec_metadata *metadata, uint64_t *out, shardspec_error *err);

/**
 * Writes a hash of the metadata to `*out`. Equal metadata objects have equal hashes in all
 * processes that use the same version of the library.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `hash` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_hash(
    const shardspec_metadata *metadata, uint64_t *out, shardspec_error *err);

/**
 * Writes the offsets and the sizes of shard `index`. `offsets` and `sizes` have room for
 * `capacity` numbers each. `capacity` must be at least the number of dimensions of the shards'
 * buffers (`shardspec_metadata_buffer_ndim`). Each of the two arrays may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_get_shard(
    const shardspec_metadata *metadata, size_t index, int64_t *offsets, int64_t *sizes,
    size_t capacity, shardspec_error *err);

/**
 * Creates a handle for the placement of shard `index`.
 *
 * Ownership: the caller frees `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shard_placement(
    const shardspec_metadata *metadata, size_t index, shardspec_placement **out,
    shardspec_error *err);

/**
 * Writes the canonical text of the placement of shard `index` into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shard_placement_text(
    const shardspec_metadata *metadata, size_t index, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes shards `first_shard` to `first_shard + shard_count - 1` into flat arrays.
 *
 * `offsets` and `sizes` have room for `shard_count` rows, one for each shard. A row has one number
 * for each dimension of the shards' buffers (`shardspec_metadata_buffer_ndim`).
 * `placement_indices` has room for `shard_count` numbers, one for each shard. Each number is the
 * index of the shard's placement. `shardspec_metadata_placement_text` accepts this index. Each of
 * the three arrays may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_get_shards(
    const shardspec_metadata *metadata, size_t first_shard, size_t shard_count, int64_t *offsets,
    int64_t *sizes, uint32_t *placement_indices, shardspec_error *err);

/**
 * Writes to `*out` the number of different placements that the shards have.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_placement_count(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);

/**
 * Writes the canonical text of placement `placement_index` into `buffer`. Placements are numbered
 * from 0, in the order of their first appearance in the list of shards.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_placement_text(
    const shardspec_metadata *metadata, size_t placement_index, char *buffer, size_t capacity,
    size_t *needed, shardspec_error *err);

/**
 * Creates a handle for placement `placement_index`. Placements are numbered from 0, in the order
 * of their first appearance in the list of shards.
 *
 * Ownership: the caller frees `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_placement(
    const shardspec_metadata *metadata, size_t placement_index, shardspec_placement **out,
    shardspec_error *err);

/* ================================================================================================
 * Element types.
 *
 * An element type has the form of DLPack's `DLDataType`. The library moves elements unchanged and
 * never computes with their values. Types that this header does not list are also allowed. If the
 * size of an element is not a whole number of bytes, elements are packed. Each packed element
 * starts at the bit after the previous element. Bits are counted from the least significant bit of
 * a byte. For example, elements of float4 and of int4 are packed. Elements with three lanes of
 * int4 are also packed. An element with two lanes of int4 has exactly one byte, and is not packed.
 */

/** Signed integer. */
#define SHARDSPEC_DTYPE_INT 0
/** Unsigned integer. */
#define SHARDSPEC_DTYPE_UINT 1
/** IEEE 754 floating point. */
#define SHARDSPEC_DTYPE_FLOAT 2
/** Opaque handle. */
#define SHARDSPEC_DTYPE_OPAQUE_HANDLE 3
/** bfloat16. */
#define SHARDSPEC_DTYPE_BFLOAT 4
/** Complex number; `bits` counts both parts. */
#define SHARDSPEC_DTYPE_COMPLEX 5
/** Boolean, 8 bits. */
#define SHARDSPEC_DTYPE_BOOL 6
/** 8-bit floating point, 3 exponent and 4 mantissa bits. */
#define SHARDSPEC_DTYPE_FLOAT8_E3M4 7
/** 8-bit floating point, 4 exponent and 3 mantissa bits. */
#define SHARDSPEC_DTYPE_FLOAT8_E4M3 8
/** 8-bit floating point, 4 exponent and 3 mantissa bits, bias 11, finite, unsigned zero. */
#define SHARDSPEC_DTYPE_FLOAT8_E4M3B11FNUZ 9
/** 8-bit floating point, 4 exponent and 3 mantissa bits, finite. */
#define SHARDSPEC_DTYPE_FLOAT8_E4M3FN 10
/** 8-bit floating point, 4 exponent and 3 mantissa bits, finite, unsigned zero. */
#define SHARDSPEC_DTYPE_FLOAT8_E4M3FNUZ 11
/** 8-bit floating point, 5 exponent and 2 mantissa bits. */
#define SHARDSPEC_DTYPE_FLOAT8_E5M2 12
/** 8-bit floating point, 5 exponent and 2 mantissa bits, finite, unsigned zero. */
#define SHARDSPEC_DTYPE_FLOAT8_E5M2FNUZ 13
/** 8-bit floating point, 8 exponent bits, finite, unsigned. */
#define SHARDSPEC_DTYPE_FLOAT8_E8M0FNU 14
/** 6-bit floating point, 2 exponent and 3 mantissa bits, finite. */
#define SHARDSPEC_DTYPE_FLOAT6_E2M3FN 15
/** 6-bit floating point, 3 exponent and 2 mantissa bits, finite. */
#define SHARDSPEC_DTYPE_FLOAT6_E3M2FN 16
/** 4-bit floating point, 2 exponent bits and 1 mantissa bit, finite. */
#define SHARDSPEC_DTYPE_FLOAT4_E2M1FN 17

typedef struct shardspec_dtype shardspec_dtype;

/**
 * An element type: `lanes` values of `bits` bits each. The struct has the memory layout of
 * DLPack's `DLDataType`.
 */
struct shardspec_dtype {
  /**
   * A `SHARDSPEC_DTYPE_...` constant. The constants have the values of DLPack's
   * `DLDataTypeCode`.
   */
  uint8_t code;
  /** Number of bits of one lane. */
  uint8_t bits;
  /** Number of values in one element: 1, except for vector types. */
  uint16_t lanes;
};

/**
 * Reads the name of an element type, such as "float32", "bfloat16", "bool" or "float8_e4m3fn". The
 * name "float32x4" stands for a type with four lanes.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the text names no element type; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_dtype_parse(
    const char *text, shardspec_dtype *out, shardspec_error *err);

/**
 * Writes the name of an element type into `buffer`, in the form that `shardspec_dtype_parse`
 * reads. If the code of a type has no name, the text has the form "code200_16", here for code 200
 * and 16 bits.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the type has 0 bits or 0 lanes; BUFFER_TOO_SMALL if `capacity` is
 * too small (the error's `limit` is the capacity needed); NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_dtype_text(
    const shardspec_dtype *dtype, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `*out` the number of bytes of one element: bits * lanes / 8.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: UNSUPPORTED if an element is not a whole number of bytes (call `shardspec_dtype_bytes`
 * instead); INVALID_ARGUMENT if the type has 0 bits or 0 lanes; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_dtype_itemsize(
    const shardspec_dtype *dtype, size_t *out, shardspec_error *err);

/**
 * Writes to `*out` the number of bytes of `element_count` consecutive elements: bits * lanes *
 * element_count / 8, rounded up. The buffer of a contiguous tensor with `element_count` elements
 * needs this number of bytes.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `element_count` is negative, or if the type has 0 bits or 0 lanes;
 * OVERFLOW if the number of bytes exceeds the address space; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_dtype_bytes(
    const shardspec_dtype *dtype, int64_t element_count, size_t *out, shardspec_error *err);

/* ================================================================================================
 * Views of tensors.
 *
 * A view describes where a tensor is in memory and how it is laid out. A view owns nothing. The
 * struct has the memory layout of DLPack's `DLTensor`, so a program can cast a `DLTensor *` to a
 * `shardspec_tensor_view *`.
 */

/** The largest number of dimensions that a tensor may have. */
#define SHARDSPEC_MAX_NDIM 32
/** DLPack's device type for ordinary memory. */
#define SHARDSPEC_DLPACK_DEVICE_CPU 1
/** DLPack's device type for memory from `cudaMallocHost`. */
#define SHARDSPEC_DLPACK_DEVICE_CUDA_HOST 3
/** DLPack's device type for memory from `hipMallocHost`. */
#define SHARDSPEC_DLPACK_DEVICE_ROCM_HOST 11

typedef struct shardspec_device shardspec_device;

/**
 * The device that holds the memory of a tensor. The struct has the memory layout of DLPack's
 * `DLDevice`.
 */
struct shardspec_device {
  /**
   * A `SHARDSPEC_DLPACK_DEVICE_...` constant. The library can't read or write memory of other
   * device types.
   */
  int32_t device_type;
  /** The library ignores this field. */
  int32_t device_id;
};

typedef struct shardspec_tensor_view shardspec_tensor_view;

/**
 * A tensor in the caller's memory. The struct has the memory layout of DLPack's `DLTensor`.
 *
 * The position p of the element at index (i0, i1, ...) is the sum of i0 * strides[0], i1 *
 * strides[1] and so on. The element is at address data + byte_offset + p * itemsize. The number
 * itemsize is the size of an element in bytes. If the size of an element is not a whole number of
 * bytes, elements are packed. A packed element starts at bit number p * bits * lanes, counted from
 * the least significant bit of the byte at data + byte_offset. Strides may be negative. Strides
 * may be 0 in tensors that the library only reads. Any alignment is allowed. `data` may be NULL if
 * the tensor has no elements.
 *
 * Strides count elements, so the distance between neighbouring elements is a whole number of
 * elements. For example, no stride describes a field of 4 bytes in records of 5 bytes. For this
 * field, pass a view of the field's bytes. The view has elements of 8 bits, strides in bytes, and
 * an additional last dimension of size 4 with stride 1. The metadata must also have this last
 * dimension. A whole record of 5 bytes can be one element with 5 lanes of 8 bits. The library
 * copies bits unchanged. A view therefore has neither a byte order nor flags for conjugation or
 * negation.
 */
struct shardspec_tensor_view {
  /** The address of the tensor's memory. */
  void *data;
  /** The device that holds the memory. */
  shardspec_device device;
  /** Number of dimensions, 0 to 32. */
  int32_t ndim;
  /** The element type. */
  shardspec_dtype dtype;
  /** The `ndim` sizes of the tensor. */
  int64_t *shape;
  /** The `ndim` strides of the tensor, which count elements. NULL means row-major. */
  int64_t *strides;
  /** Number of bytes from `data` to the element at index 0. */
  uint64_t byte_offset;
};

/* ================================================================================================
 * Tensors in host memory.
 *
 * These functions move data between a tensor and its shards. The caller owns all buffers. All
 * checks come before the first write. A call that fails has written nothing. Elements are copied
 * bit for bit. A destination must not share memory with a source or with another destination. Two
 * elements of a destination must not share memory. Buffers may interleave if no byte belongs to
 * two buffers. Buffers of packed elements may interleave if no bit belongs to two buffers. If some
 * bits of a written byte belong to no element, these bits stay unchanged.
 */

/**
 * The default. The library chooses the number of threads, at most the number of processors that
 * this process may use.
 */
#define SHARDSPEC_COPY_THREADS_AUTO 0
/** Hint to use non-temporal stores, for data that is not used again soon. */
#define SHARDSPEC_COPY_HINT_STREAM 1
/** Hint to use cached stores, for data that is used next. */
#define SHARDSPEC_COPY_HINT_CACHED 2
/**
 * Restricts the library to instructions that every processor of the same architecture has. This
 * hint is for tests.
 */
#define SHARDSPEC_COPY_HINT_PORTABLE 4

typedef struct shardspec_copy_options shardspec_copy_options;

/**
 * Options of a copy. If a function gets NULL instead of options, the library chooses all options
 * by the size of the copy and by the machine. The library also chooses each option that is 0. No
 * option changes the result.
 *
 * Without hints, the library tries several vector sizes and prefetch distances in the first large
 * copies of a process. A trial copies at most about 1 MiB. Later copies use the fastest vector
 * size and prefetch distance. A hint turns these trials off for the copy that receives the hint.
 * The environment variable `SHARDSPEC_COPY_WAY` turns all trials off for the whole process. The
 * value `default` of this variable selects the vector size and the prefetch distance that the
 * library uses before the trials.
 */
struct shardspec_copy_options {
  /** `sizeof(shardspec_copy_options)`. */
  uint64_t struct_size;
  /** Maximum number of threads, including the calling thread. Small copies use one thread. */
  uint32_t max_threads;
  /**
   * 0, `SHARDSPEC_COPY_HINT_STREAM` or `SHARDSPEC_COPY_HINT_CACHED`. A bitwise OR can add
   * `SHARDSPEC_COPY_HINT_PORTABLE` to each of these values.
   */
  uint32_t hints;
};

/**
 * Initialises options with the defaults: `shardspec_copy_options options = SHARDSPEC_COPY_OPTIONS_INIT;`
 */
#define SHARDSPEC_COPY_OPTIONS_INIT { sizeof(shardspec_copy_options), 0, 0 }

/**
 * Copies all elements of a view into another view of the same shape and element type. Both views
 * may have any strides. `options` may be NULL.
 *
 * Ownership: the caller keeps both views and their memory.
 * Calls back: no.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if the views differ; ALIASED if
 * `destination` shares memory with `source` or has two elements at the same place; UNSUPPORTED if
 * so many source elements have equal addresses that the check for ALIASED would take longer than
 * the copy; UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY. After an
 * error, nothing was written.
 * Threads: any. No other thread may use `destination` or write `source` during the call.
 * Source: torch's `Tensor.copy_`, for one element type.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_tensor_copy(
    const shardspec_tensor_view *source, const shardspec_tensor_view *destination,
    const shardspec_copy_options *options, shardspec_error *err);

/**
 * Copies shard `index` out of a tensor. The tensor may be in a mapped file. `full` has the sizes
 * of the tensor and `shard` has the sizes of that shard. Both views have the metadata's element
 * type, if the metadata states an element type. The function fills holes of the shard's buffer
 * with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many source elements
 * have equal addresses that the check for ALIASED would take longer than the copy; SHAPE_MISMATCH,
 * NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED, INDEX_OUT_OF_RANGE, INVALID_HANDLE, UNSUPPORTED_DEVICE,
 * OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
 * Threads: any. During the call, no other thread may write `full` or use `shard`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_extract_shard(
    const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shard, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Calls the `fill_shard` function of the spec's type to fill shard `index` of a tensor. If the
 * type has no such function, the library copies the shard from `full`. `metadata` is the metadata
 * that `spec` built for the tensor. `full` has the sizes of the tensor and `shard` has the sizes
 * of that shard. Both views have the metadata's element type, if the metadata states an element
 * type. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `fill_shard` of a custom spec; `equal` and `hash` of custom placements; `destroy`,
 * if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if so many source elements have equal addresses that the check for ALIASED
 * would take longer than the copy; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED,
 * INDEX_OUT_OF_RANGE, INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT,
 * NULL_ARGUMENT, OUT_OF_MEMORY. After one of these errors, nothing was written. The library calls
 * `fill_shard` of the spec after all checks. If `fill_shard` fails, this function returns the
 * status of `fill_shard`.
 * Threads: any. During the call, no other thread may write `full` or use `shard`.
 * Source: torch's `ShardingSpec.shard`, for one destination.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_fill_shard(
    const shardspec_spec *spec, const shardspec_metadata *metadata, size_t index,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shard,
    const shardspec_copy_options *options, shardspec_error *err);

/**
 * Writes to `*out` a view of shard `index` inside of `full`, without a copy of the data. The
 * function writes the view's shape and strides into `shape` and `strides`. The two arrays have
 * room for `capacity` numbers each. `capacity` must be at least the number of dimensions of the
 * tensor. For an empty shard, `out->data` becomes NULL.
 *
 * Ownership: `out->shape` and `out->strides` point to the caller's two arrays. `out->data` points
 * into the memory of `full`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the shard is not a box, or if elements are packed and the shard starts
 * inside of a byte; PARTIAL if the elements are pending a reduction; SHAPE_MISMATCH,
 * NDIM_MISMATCH, DTYPE_MISMATCH, INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, UNSUPPORTED_DEVICE,
 * OVERFLOW, INVALID_ARGUMENT, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_view_shard(
    const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    int64_t *shape, int64_t *strides, size_t capacity, shardspec_tensor_view *out,
    shardspec_error *err);

/**
 * Copies every shard out of a tensor. `full` has the sizes of the tensor. `shards[i]` is the
 * destination of shard i. `shard_count` is the number of all shards, empty shards included. All
 * views have the metadata's element type, if the metadata states an element type. The function
 * fills holes of the shards' buffers with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or ALIASED if a view does not fit (the
 * error's `first_shard` and `index` are both the index of the shard); INVALID_ARGUMENT if
 * `shard_count` is wrong; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
 * source elements have equal addresses that the check for ALIASED would take longer than the copy;
 * INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * After an error, nothing was written.
 * Threads: any. During the call, no other thread may write `full` or use `shards`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_scatter(
    const shardspec_metadata *metadata, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Copies every shard into a tensor. The function is the inverse of `shardspec_metadata_scatter`.
 * `shards[i]` is shard i. `shard_count` is the number of all shards, empty shards included. `full`
 * has the sizes of the tensor. The function writes every element of `full`. All views have the
 * metadata's element type, if the metadata states an element type. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or ALIASED if a view does not fit (the
 * error's `first_shard` and `index` are both the index of the shard); INVALID_ARGUMENT if
 * `shard_count` is wrong; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
 * source elements have equal addresses that the check for ALIASED would take longer than the copy;
 * INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * After an error, nothing was written.
 * Threads: any. During the call, no other thread may write `shards` or use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_gather(
    const shardspec_metadata *metadata, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_tensor_view *full, const shardspec_copy_options *options, shardspec_error *err);

/* ================================================================================================
 * Sharded tensors: metadata together with the shards that are in this process.
 *
 * The local shards of a sharded tensor are its shards in this process. The library allocates their
 * memory, or the caller passes their memory and a function `release`. Memory from the library is
 * row-major and aligned to 64 bytes. The library uses memory of the caller until the library calls
 * `release`. Local shards are numbered from 0, in the order of the shards in the metadata.
 *
 * `owner` or a list of indices selects the local shards. An owner is a rank or a worker. If
 * `owner` has no device, such as "rank:1" or "trainer0", all shards of the owner are selected.
 * With a device, such as "rank:1/cuda:0", the owner's shards on that device are selected. NULL
 * selects all shards. If the owner has no shards, the list of local shards is empty.
 *
 * A sharded tensor is immutable, but the elements of its shards may change. The memory of local
 * shards is the only memory of the library that callers access by a pointer. The memory of local
 * shards stays valid until the sharded tensor and all managed tensors (DLPack) exported from it
 * are freed. While a thread writes elements, no other thread may use these elements.
 *
 * Source: torch's `ShardedTensor`. Like in torch, the tensor's properties must state a strided
 * layout and a contiguous memory format. Views of the caller's memory may have any strides.
 */

/**
 * A sharded tensor, behind a handle: metadata and local shards. Free the handle with
 * `shardspec_sharded_tensor_free`.
 */
typedef struct shardspec_sharded_tensor shardspec_sharded_tensor;

/** The memory of new shards is uninitialised (torch: `empty`). */
#define SHARDSPEC_FILL_UNINITIALIZED 0
/** The memory of new shards is zero (torch: `zeros`). */
#define SHARDSPEC_FILL_ZERO 1

/**
 * Creates a sharded tensor with new memory for the shards of `owner`. With `owner` NULL, the
 * sharded tensor has all shards. The metadata must state the element type. `fill` is a
 * `SHARDSPEC_FILL_...` constant.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_PLACEMENT if `owner` is not the text of an owner; INVALID_ARGUMENT if `fill` is
 * unknown or the metadata states no element type; UNSUPPORTED if the layout is not strided or the
 * memory format is not contiguous; OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Source: `torch.distributed._shard.sharded_tensor.empty` and `zeros`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new(
    const shardspec_metadata *metadata, const char *owner, int32_t fill,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor with new memory for some shards of the metadata. `indices` holds the
 * `index_count` different indices of these shards, in any order. The metadata must state the
 * element type. `fill` is a `SHARDSPEC_FILL_...` constant.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an index occurs twice, `fill` is unknown or the metadata states no
 * element type; UNSUPPORTED if the layout is not strided or the memory format is not contiguous;
 * INDEX_OUT_OF_RANGE, OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_for_indices(
    const shardspec_metadata *metadata, const size_t *indices, size_t index_count, int32_t fill,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor with the shards that `spec` cuts out of `full` for `owner`. With
 * `owner` NULL, the sharded tensor has all shards. The spec builds the metadata for the sizes of
 * `full`. `properties` may be NULL. If the properties state no element type, the metadata has the
 * element type of `full`. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`. The caller may free `spec` and `full` before `*out`.
 * Calls back: `build_metadata` and `fill_shard` of a custom spec; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM, NDIM_MISMATCH, OUT_OF_BOUNDS, GAP or OVERLAP if the spec does not fit the
 * sizes of `full`; INVALID_PLACEMENT if `owner` is not the text of an owner; DTYPE_MISMATCH if
 * `properties` state another element type than `full`; UNSUPPORTED if the layout is not strided or
 * the memory format is not contiguous; PARTIAL if the elements are pending a reduction;
 * UNSUPPORTED_DEVICE, INVALID_ARGUMENT, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If
 * a function of a custom spec fails, the call returns the status of that function.
 * Threads: any. No other thread may write `full` during the call.
 * Source: torch's `ShardingSpec.shard`, for a tensor that every worker has.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_spec(
    const shardspec_spec *spec, const shardspec_tensor_properties *properties, const char *owner,
    const shardspec_tensor_view *full, const shardspec_copy_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor, and copies the shards of `owner` from `full`. With `owner` NULL, the
 * sharded tensor has all shards. `full` has the sizes of the metadata. If the metadata states no
 * element type, the sharded tensor has the element type of `full`. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata and `full` before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_PLACEMENT if `owner` is not the text of an owner; SHAPE_MISMATCH, NDIM_MISMATCH,
 * DTYPE_MISMATCH or UNSUPPORTED_DEVICE if `full` does not fit; UNSUPPORTED if the layout is not
 * strided or the memory format is not contiguous; PARTIAL if the elements are pending a reduction;
 * INVALID_ARGUMENT, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. No other thread may write `full` during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_full(
    const shardspec_metadata *metadata, const char *owner, const shardspec_tensor_view *full,
    const shardspec_copy_options *options, shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor, and copies some shards from `full`. `indices` holds the `index_count`
 * different indices of these shards, in any order. `full` has the sizes of the metadata. If the
 * metadata states no element type, the sharded tensor has the element type of `full`. `options`
 * may be NULL.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata and `full` before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an index occurs twice or `options` are invalid; SHAPE_MISMATCH,
 * NDIM_MISMATCH, DTYPE_MISMATCH or UNSUPPORTED_DEVICE if `full` does not fit; UNSUPPORTED if the
 * layout is not strided or the memory format is not contiguous; PARTIAL if the elements are
 * pending a reduction; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. No other thread may write `full` during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_full_for_indices(
    const shardspec_metadata *metadata, const size_t *indices, size_t index_count,
    const shardspec_tensor_view *full, const shardspec_copy_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);

/** Frees a callback's `ctx`. */
typedef void (*shardspec_destroy_fn)(void *ctx);

/**
 * Creates a sharded tensor from shards in the caller's memory. `shards[i]` is shard `indices[i]`
 * of the metadata.
 *
 * Each view has the sizes of its shard, with any strides. All views have the metadata's element
 * type. If the metadata states no element type, all views have one common type. With an `owner`,
 * the shards must be exactly the shards of that owner. With `owner` NULL, any shards are allowed.
 *
 * Ownership: the library copies the views. The library uses the memory of the views until the
 * library calls `release(ctx)`. The library calls `release` exactly once. If the call fails, the
 * library calls `release` before the call returns. If the call succeeds, the library calls
 * `release` after the sharded tensor and all managed tensors exported from it were freed.
 * `release` may be NULL. The caller frees `*out`.
 * Calls back: `release`, if the call fails; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a view
 * does not fit its shard (the error's `first_shard` is the shard's index in the metadata, and
 * `index` is the position in `shards`); INVALID_ARGUMENT if a shard occurs twice or the shards are
 * not exactly the shards of `owner`; INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: torch's `_init_from_local_shards_and_global_metadata`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_local(
    const shardspec_metadata *metadata, const char *owner, const size_t *indices,
    const shardspec_tensor_view *shards, size_t shard_count, void *ctx,
    shardspec_destroy_fn release, shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor from shards in the caller's memory. The list `descriptions` describes
 * the shards: `shards[i]` is the memory of shard i of that list.
 *
 * Each description must have the offsets, sizes and placement of one shard of the metadata. All
 * views have the metadata's element type. If the metadata states no element type, all views have
 * one type. With an `owner`, the shards must be exactly the shards of that owner. With `owner`
 * NULL, any shards are allowed.
 *
 * Ownership: the library copies the views. The library uses the memory of the views until the
 * library calls `release(ctx)`. The library calls `release` exactly once. If the call fails, the
 * library calls `release` before the call returns. If the call succeeds, the library calls
 * `release` after the sharded tensor and all managed tensors exported from it were freed.
 * `release` may be NULL. The caller keeps `descriptions` and frees `*out`.
 * Calls back: `equal` and `hash` of custom placements; `release`, if the call fails; `destroy`, if
 * another thread frees a handle during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a view
 * does not fit its shard (the error's `first_shard` is the shard's index in the metadata, and
 * `index` is the position in `shards`); INVALID_ARGUMENT if a shard occurs twice, the shards are
 * not exactly the shards of `owner`, a description has another placement than its shard, or
 * `shard_count` is not the number of `descriptions`; NOT_FOUND if no shard of the metadata has the
 * offsets and sizes of a description; NULL_ARGUMENT if a pointer is NULL or a description has no
 * placement; INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW, INVALID_HANDLE, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_local_shards(
    const shardspec_metadata *metadata, const char *owner, const shardspec_shards *descriptions,
    const shardspec_tensor_view *shards, size_t shard_count, void *ctx,
    shardspec_destroy_fn release, shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Frees a sharded tensor. NULL is allowed. When the sharded tensor and all managed tensors
 * exported from it have been freed, the library frees the memory of the shards or calls `release`.
 *
 * Ownership: the caller gives up `tensor`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_sharded_tensor_free(
    shardspec_sharded_tensor *tensor, shardspec_error *err);

/**
 * Creates a handle for the metadata that the sharded tensor was created with. If that metadata
 * states no element type and there are local shards, the new handle's metadata has the element
 * type of the local shards.
 *
 * Ownership: the caller frees `*out`. The caller may free the sharded tensor before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_metadata(
    const shardspec_sharded_tensor *tensor, shardspec_metadata **out, shardspec_error *err);

/**
 * Writes the tensor's properties to `*out`. The caller sets `out->struct_size` before the call:
 * `shardspec_tensor_properties p = { sizeof p };`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `struct_size` is wrong; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_properties(
    const shardspec_sharded_tensor *tensor, shardspec_tensor_properties *out, shardspec_error *err);

/**
 * Writes to `*out` the number of local shards, empty shards included.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_local_count(
    const shardspec_sharded_tensor *tensor, size_t *out, shardspec_error *err);

/**
 * Writes to `*out` the index that local shard `local` has in the metadata.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_local_index(
    const shardspec_sharded_tensor *tensor, size_t local, size_t *out, shardspec_error *err);

/**
 * Writes to `*out` a view of local shard `local`. The function writes the view's shape and strides
 * into `shape` and `strides`. The two arrays have room for `capacity` numbers each. `capacity`
 * must be at least the number of dimensions of the view. For an empty shard, `out->data` becomes
 * NULL.
 *
 * Ownership: `out->shape` and `out->strides` point to the caller's two arrays. The memory at
 * `out->data` belongs to the sharded tensor. The caller may read and write this memory until the
 * caller frees the sharded tensor.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_local_view(
    const shardspec_sharded_tensor *tensor, size_t local, int64_t *shape, int64_t *strides,
    size_t capacity, shardspec_tensor_view *out, shardspec_error *err);

/**
 * Copies all shards into `full`, which has the sizes of the tensor. The function writes every
 * element of `full`. Every shard that is not empty must be local. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: NOT_LOCAL if a shard with elements is not local (the error's `first_shard` is the first
 * such shard); UNSUPPORTED if so many source elements have equal addresses that the check for
 * ALIASED would take longer than the copy; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED,
 * INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * After an error, nothing was written.
 * Threads: any. During the call, no other thread may write the shards or use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_gather(
    const shardspec_sharded_tensor *tensor, const shardspec_tensor_view *full,
    const shardspec_copy_options *options, shardspec_error *err);

/* ================================================================================================
 * Tensors as flat arrays.
 *
 * Each function with `_flat` in its name does the same work as the function without `_flat`. The
 * functions with `_flat` take flat arrays of numbers instead of `shardspec_tensor_view`, which is
 * a struct with pointers. Some languages pass such structs slowly, or can't pass them (Go with
 * cgo). The outputs hold no pointers to the caller's arrays. Tensors are in host memory. Arguments
 * with the same name have the same meaning in all these functions:
 *
 * - `dtype` is the element type of all buffers. With `dtype` NULL, the buffers have the element
 *   type of the metadata.
 * - `full` is the address of the tensor's element at index 0 of each dimension. `full_strides` has
 *   one number for each dimension of the tensor. The tensor has the metadata's sizes.
 * - Shard i begins `byte_offsets[i]` bytes after the address `shards`. If all shards are in one
 *   buffer, pass its address in `shards` and offsets in `byte_offsets`. If not, pass NULL in
 *   `shards` and addresses in `byte_offsets`. An empty shard may begin anywhere.
 * - `shapes` and `strides` have one row for each shard, with one number for each dimension of the
 *   shards' buffers (`shardspec_metadata_buffer_ndim`). The library compares `shapes` with the
 *   shapes of the metadata's shards. With `shapes` NULL, the caller makes sure that the buffers
 *   are large enough.
 * - Strides count elements. NULL instead of an array of strides means row-major.
 */

/**
 * Copies every shard out of a tensor. The function is `shardspec_metadata_scatter` for flat
 * arrays. Row i of the arrays describes the destination of shard i. `shard_count` is the number of
 * all shards, empty shards included. The function fills holes of the shards' buffers with zeros.
 * `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or ALIASED if a buffer does not fit (the error's `first_shard` and
 * `index` are both the index of the shard); INVALID_ARGUMENT if `shard_count` is wrong or no
 * element type is known; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
 * source elements have equal addresses that the check for ALIASED would take longer than the copy;
 * DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
 * was written.
 * Threads: any. During the call, no other thread may write `full` or use the shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_scatter_flat(
    const shardspec_metadata *metadata, const shardspec_dtype *dtype, const void *full,
    const int64_t *full_strides, void *shards, const uint64_t *byte_offsets, const int64_t *shapes,
    const int64_t *strides, size_t shard_count, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Copies every shard into a tensor. The function is `shardspec_metadata_gather` for flat arrays.
 * Row i of the arrays describes source shard i. `shard_count` is the number of all shards, empty
 * shards included. The function writes every element of `full`. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or ALIASED if a buffer does not fit (the error's `first_shard` and
 * `index` are both the index of the shard); INVALID_ARGUMENT if `shard_count` is wrong or no
 * element type is known; PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many
 * source elements have equal addresses that the check for ALIASED would take longer than the copy;
 * DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
 * was written.
 * Threads: any. During the call, no other thread may write the shards or use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_gather_flat(
    const shardspec_metadata *metadata, const shardspec_dtype *dtype, const void *shards,
    const uint64_t *byte_offsets, const int64_t *shapes, const int64_t *strides, size_t shard_count,
    void *full, const int64_t *full_strides, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Copies shard `index` out of a tensor. The function `shardspec_metadata_extract_shard` takes
 * views instead of addresses. `shard` is the address of the shard's buffer. `shape` and `strides`
 * have one number for each dimension of the buffer. `shape` and `strides` may be NULL. The
 * function fills holes of the buffer with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if no element type is known; PARTIAL if the elements are pending a
 * reduction; UNSUPPORTED if so many source elements have equal addresses that the check for
 * ALIASED would take longer than the copy; INDEX_OUT_OF_RANGE, SHAPE_MISMATCH, ALIASED,
 * DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
 * was written.
 * Threads: any. During the call, no other thread may write `full` or use `shard`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_extract_shard_flat(
    const shardspec_metadata *metadata, size_t index, const shardspec_dtype *dtype,
    const void *full, const int64_t *full_strides, void *shard, const int64_t *shape,
    const int64_t *strides, const shardspec_copy_options *options, shardspec_error *err);

/**
 * Writes the position of shard `index` inside of a tensor. The position consists of the distance
 * from the start of the tensor, and of the shape and the strides of the shard. This function
 * computes only numbers, so the tensor need not exist. The function
 * `shardspec_metadata_view_shard` writes a `shardspec_tensor_view` instead of numbers.
 *
 * `*byte_offset` becomes the distance in bytes from the tensor's element at index 0 to the shard's
 * element at index 0. For an empty shard, `*byte_offset` becomes 0. `shape` and `strides` receive
 * the shape and the strides of the shard. `shape` and `strides` have `capacity` elements each.
 * `capacity` must be at least the number of dimensions.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the shard is not a box, or if elements are packed and the shard starts
 * inside of a byte; INVALID_ARGUMENT if no element type is known; PARTIAL if the elements are
 * pending a reduction; INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, DTYPE_MISMATCH, OVERFLOW,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_view_shard_flat(
    const shardspec_metadata *metadata, size_t index, const shardspec_dtype *dtype,
    const int64_t *full_strides, int64_t *byte_offset, int64_t *shape, int64_t *strides,
    size_t capacity, shardspec_error *err);

/**
 * Writes the addresses, shapes and strides of all local shards of a sharded tensor, in the order
 * of their indices.
 *
 * `addresses` has `capacity` elements, one for each local shard. `addresses[i]` becomes the
 * address of the element at index 0 of local shard i, or 0 for an empty shard. `shapes` and
 * `strides` have `capacity` rows each, with one number for each dimension of the shards' buffers.
 * Each of the three arrays may be NULL. `*needed` becomes the number of local shards. `needed` may
 * be NULL. With `capacity` 0, the function writes only `*needed`.
 *
 * Ownership: the memory at the addresses belongs to the sharded tensor. The caller may read and
 * write this memory until the caller frees the sharded tensor.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_local_views_flat(
    const shardspec_sharded_tensor *tensor, uint64_t *addresses, int64_t *shapes, int64_t *strides,
    size_t capacity, size_t *needed, shardspec_error *err);

/* ================================================================================================
 * Placements: the owner and the device of a shard.
 *
 * The text of a placement has the form that torch uses: "rank:1/cuda:0", "trainer0/cpu", "cuda:1".
 * A text without a device means the device "cpu". Most functions take placements as texts.
 * Functions with names that end in `_with_placement_handles` take handles of placements. The
 * handle of a custom placement is also allowed. The functions of this section create placements
 * and return parts of placements.
 *
 * Source: `torch.distributed._remote_device` and `DevicePlacementSpec`.
 */

/** "cpu". Device types have the numbers of torch's `c10::DeviceType`. */
#define SHARDSPEC_DEVICE_CPU 0
/** "cuda". */
#define SHARDSPEC_DEVICE_CUDA 1
/** "mkldnn". */
#define SHARDSPEC_DEVICE_MKLDNN 2
/** "opengl". */
#define SHARDSPEC_DEVICE_OPENGL 3
/** "opencl". */
#define SHARDSPEC_DEVICE_OPENCL 4
/** "ideep". */
#define SHARDSPEC_DEVICE_IDEEP 5
/** "hip". */
#define SHARDSPEC_DEVICE_HIP 6
/** "fpga". */
#define SHARDSPEC_DEVICE_FPGA 7
/** "maia". */
#define SHARDSPEC_DEVICE_MAIA 8
/** "xla". */
#define SHARDSPEC_DEVICE_XLA 9
/** "vulkan". */
#define SHARDSPEC_DEVICE_VULKAN 10
/** "xpu". */
#define SHARDSPEC_DEVICE_XPU 12
/** "mps". */
#define SHARDSPEC_DEVICE_MPS 13
/** "meta". */
#define SHARDSPEC_DEVICE_META 14
/** "hpu". */
#define SHARDSPEC_DEVICE_HPU 15
/** "ve". */
#define SHARDSPEC_DEVICE_VE 16
/** "lazy". */
#define SHARDSPEC_DEVICE_LAZY 17
/** "ipu". */
#define SHARDSPEC_DEVICE_IPU 18
/** "mtia". */
#define SHARDSPEC_DEVICE_MTIA 19
/** "privateuseone". */
#define SHARDSPEC_DEVICE_PRIVATEUSEONE 20

/**
 * Creates a placement from a text. The text has one of these forms: "rank:<n>/<device>",
 * "rank:<n>", "<worker>/<device>", "<worker>" or "<device>".
 *
 * A device is "<type>" or "<type>:<index>" with an index from 0 to 127. The number n must fit in a
 * signed 64-bit integer. A text without '/' may be a device or "rank:<n>". Every other text
 * without '/' is the name of a worker. A worker's name must not contain ':' or control characters.
 *
 * Ownership: the caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a text is not UTF-8; INVALID_PLACEMENT, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_parse(
    const char *text, shardspec_placement **out, shardspec_error *err);

/**
 * Frees a placement. NULL is allowed. Specs and metadata that were made with the placement stay
 * valid.
 *
 * Ownership: the caller gives up `placement`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_placement_free(
    shardspec_placement *placement, shardspec_error *err);

/**
 * Writes the canonical text of a placement into `buffer`. The canonical text always has a device:
 * "rank:1" becomes "rank:1/cpu". A custom placement has the text that was passed to
 * `shardspec_placement_new_custom`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_text(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes the name of the placement's type into `buffer`. The name is "device", or the type name of
 * a custom placement.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_type_name(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `*out` the rank of the placement, or -1 if the placement has no rank.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_rank(
    const shardspec_placement *placement, int64_t *out, shardspec_error *err);

/**
 * Writes into `buffer` the name of the placement's worker.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the placement has no worker; BUFFER_TOO_SMALL if `capacity` is too small
 * (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_worker_name(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `*out` the type of the placement's device. The type is a `SHARDSPEC_DEVICE_...`
 * constant.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the placement is custom; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_device_type(
    const shardspec_placement *placement, int32_t *out, shardspec_error *err);

/**
 * Writes to `*out` the index of the placement's device, or -1 if the device has no index.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the placement is custom; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_device_index(
    const shardspec_placement *placement, int32_t *out, shardspec_error *err);

/**
 * Writes 1 to `*out` if two placements are equal, else 0. Built-in placements are equal if their
 * canonical texts are equal. To compare two custom placements with the same type and rank, the
 * library calls the type's `equal` function. Placements of different types or ranks are never
 * equal.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_equal(
    const shardspec_placement *a, const shardspec_placement *b, int32_t *out, shardspec_error *err);

/**
 * Writes a hash of the placement to `*out`. Equal placements have equal hashes in all processes
 * that use the same version of the library.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `hash` of a custom placement; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_hash(
    const shardspec_placement *placement, uint64_t *out, shardspec_error *err);

/* ================================================================================================
 * Lists of shards.
 *
 * A list holds any number of shards. Specs, metadata, plans and the builder of a custom spec
 * accept a list. The shards of a list may overlap and leave gaps. For example, replicas in a
 * checkpoint overlap, and the shards of one worker leave gaps. The shards of an enumerable spec
 * must not overlap. The shards of metadata must not leave gaps, and only replicas may overlap.
 * `shardspec_shards_overlaps` reports all overlaps, and `shardspec_shards_gaps` reports all gaps.
 */

typedef struct shardspec_shard_metadata shardspec_shard_metadata;

/**
 * One shard, equivalent to torch's `ShardMetadata`. The shard owns the box of `sizes` elements
 * that starts at `offsets`.
 */
struct shardspec_shard_metadata {
  /** Number of dimensions, 0 to 32. */
  size_t ndim;
  /** `ndim` numbers >= 0: the index of the shard's first element in each dimension. */
  const int64_t *offsets;
  /** `ndim` numbers >= 0: the length of the shard in each dimension. */
  const int64_t *sizes;
  /**
   * The text of the shard's placement, in the form that `shardspec_placement_parse` reads. In
   * lists of shards, NULL is allowed and means a shard without an owner.
   */
  const char *placement;
};

/**
 * Creates a list of `shard_count` shards. The shards may overlap, and the list may be empty.
 *
 * All shards must have the same number of dimensions. An empty list fits any number of dimensions.
 * A shard with `placement` NULL has no owner. In plans, all shards without an owner belong to one
 * unknown owner. The unknown owner is on no rank.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a number is negative or there are more than 32 dimensions; OVERFLOW
 * if the end of a shard does not fit in 64 bits; NDIM_MISMATCH, INVALID_PLACEMENT, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new(
    const shardspec_shard_metadata *shards, size_t shard_count, shardspec_shards **out,
    shardspec_error *err);

/**
 * Creates a list of shards from flat arrays and the texts of their placements.
 *
 * `offsets` and `sizes` hold `shard_count` rows of `ndim` numbers. `placements` holds
 * `placement_count` texts. Shard i has the placement `placements[placement_indices[i]]`. With
 * `placement_indices` NULL, shard i has the placement `placements[i]`, and `placement_count`
 * equals `shard_count`. If the text of a placement is NULL, shards with this placement have no
 * owner.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a number is negative, there are more than 32 dimensions or
 * `placement_count` is wrong; INDEX_OUT_OF_RANGE if a placement index is too large; OVERFLOW if
 * the end of a shard does not fit in 64 bits; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_from_arrays(
    const int64_t *offsets, const int64_t *sizes, const uint32_t *placement_indices, size_t ndim,
    size_t shard_count, const char *const *placements, size_t placement_count,
    shardspec_shards **out, shardspec_error *err);

/**
 * Creates a list of shards from flat arrays and the handles of their placements. Custom placements
 * are allowed.
 *
 * `offsets` and `sizes` hold `shard_count` rows of `ndim` numbers. `placements` holds
 * `placement_count` handles. Shard i has the placement `placements[placement_indices[i]]`. With
 * `placement_indices` NULL, shard i has the placement `placements[i]`, and `placement_count`
 * equals `shard_count`.
 *
 * Ownership: the library copies the arrays. The caller keeps the handles in `placements` and frees
 * `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a number is negative, there are more than 32 dimensions or
 * `placement_count` is wrong; INDEX_OUT_OF_RANGE if a placement index is too large; OVERFLOW if
 * the end of a shard does not fit in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_from_arrays_with_placement_handles(
    const int64_t *offsets, const int64_t *sizes, const uint32_t *placement_indices, size_t ndim,
    size_t shard_count, const shardspec_placement *const *placements, size_t placement_count,
    shardspec_shards **out, shardspec_error *err);

/**
 * Frees a list of shards. NULL is allowed. Objects made from the list stay valid.
 *
 * Ownership: the caller gives up `shards`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_shards_free(
    shardspec_shards *shards, shardspec_error *err);

/**
 * Writes the number of shards to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_count(
    const shardspec_shards *shards, size_t *out, shardspec_error *err);

/**
 * Writes the pairs of shards that share elements. Pairs are ordered by the index of the first
 * shard, then by the index of the second shard. For each pair, the function also writes a box that
 * the two shards share. Two shards that are not boxes may share several boxes. If there are
 * several boxes, the function writes one box.
 *
 * `first_shards` and `second_shards` receive the indices of the shards. `offsets` and `sizes`
 * receive the shared boxes. `first_shards` and `second_shards` have room for `capacity` numbers,
 * one for each pair. `offsets` and `sizes` have room for `capacity` rows, one for each pair. A row
 * has one number for each dimension of the tensor. Each of the four arrays may be NULL.
 * `*overlap_count` becomes the number of pairs written, at most `capacity`. `*more` becomes 1 if
 * there are further pairs, else 0. `more` may be NULL.
 *
 * Time: about n * log(n) for n shards, plus the number of pairs.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_overlaps(
    const shardspec_shards *shards, size_t *first_shards, size_t *second_shards, int64_t *offsets,
    int64_t *sizes, size_t capacity, size_t *overlap_count, int32_t *more, shardspec_error *err);

/**
 * Finds the gaps of a tensor: the elements that no shard owns. The function writes boxes that
 * cover exactly these elements. The boxes do not overlap, and are ordered by their offsets.
 *
 * `tensor_sizes` holds `ndim` numbers. Shards may reach past the end of the tensor. `offsets` and
 * `sizes` receive the boxes. Both arrays have room for `capacity` rows, one for each box. A row
 * has `ndim` numbers. Each of the two arrays may be NULL. `*gap_count` becomes the number of boxes
 * written, at most `capacity`. `*more` becomes 1 if there are further boxes, else 0. `more` may be
 * NULL.
 *
 * Time: about n * log(n) for n shards without overlaps, plus the number of boxes. With overlaps,
 * there is no such bound. The time grows with the number of boxes that the function writes.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the shards overlap in so many ways that the function can't find the
 * boxes; NDIM_MISMATCH if the shards do not have `ndim` dimensions; INVALID_ARGUMENT if a size is
 * negative or `ndim` is above 32; OVERFLOW if the number of elements does not fit in 64 bits;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_gaps(
    const shardspec_shards *shards, const int64_t *tensor_sizes, size_t ndim, int64_t *offsets,
    int64_t *sizes, size_t capacity, size_t *gap_count, int32_t *more, shardspec_error *err);

/* ================================================================================================
 * Tensor properties.
 *
 * Tensor properties have the fields of torch's `TensorProperties`. Metadata stores the properties
 * of its tensor. If the properties state an element type, copies accept only buffers of this type.
 * A sharded tensor requires the layout `torch.strided` and the memory format
 * `torch.contiguous_format`.
 */

/**
 * `torch.strided`. The `SHARDSPEC_LAYOUT_...` constants have the numbers of torch's `c10::Layout`.
 */
#define SHARDSPEC_LAYOUT_STRIDED 0
/** `torch.sparse_coo`. */
#define SHARDSPEC_LAYOUT_SPARSE_COO 1
/** `torch.sparse_csr`. */
#define SHARDSPEC_LAYOUT_SPARSE_CSR 2
/** `torch._mkldnn`. */
#define SHARDSPEC_LAYOUT_MKLDNN 3
/** `torch.sparse_csc`. */
#define SHARDSPEC_LAYOUT_SPARSE_CSC 4
/** `torch.sparse_bsr`. */
#define SHARDSPEC_LAYOUT_SPARSE_BSR 5
/** `torch.sparse_bsc`. */
#define SHARDSPEC_LAYOUT_SPARSE_BSC 6
/** `torch.jagged`. */
#define SHARDSPEC_LAYOUT_JAGGED 7
/** `torch.contiguous_format`. Memory formats have the numbers of torch's `c10::MemoryFormat`. */
#define SHARDSPEC_MEMORY_FORMAT_CONTIGUOUS 0
/** `torch.preserve_format`. */
#define SHARDSPEC_MEMORY_FORMAT_PRESERVE 1
/** `torch.channels_last`. */
#define SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST 2
/** `torch.channels_last_3d`. */
#define SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST_3D 3

/** Properties of a tensor. Start with `shardspec_tensor_properties_init`. */
struct shardspec_tensor_properties {
  /** `sizeof(shardspec_tensor_properties)`. */
  uint64_t struct_size;
  /**
   * The element type. With {0, 0, 0}, the properties state no element type, and the library
   * moves data of any type.
   */
  shardspec_dtype dtype;
  /** A `SHARDSPEC_LAYOUT_...` constant. */
  int32_t layout;
  /** A `SHARDSPEC_MEMORY_FORMAT_...` constant. */
  int32_t memory_format;
  /** torch's property `requires_grad`: 1 or 0. */
  int32_t requires_grad;
  /** torch's property `pin_memory`: 1 or 0. */
  int32_t pin_memory;
  /** This field must be 0. */
  int32_t reserved;
};

/**
 * Initialises properties with torch's defaults: `shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;`
 */
#define SHARDSPEC_TENSOR_PROPERTIES_INIT { sizeof(shardspec_tensor_properties), { 2, 32, 1 }, 0, 0, 0, 0, 0 }

/**
 * Writes torch's defaults to `*out`: float32, strided, contiguous, `requires_grad` 0 and
 * `pin_memory` 0. The caller sets `out->struct_size` before the call: `shardspec_tensor_properties
 * p = { sizeof p };`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `struct_size` is wrong; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_tensor_properties_init(
    shardspec_tensor_properties *out, shardspec_error *err);

/* ================================================================================================
 * Status and errors.
 *
 * Every function that can fail returns a `shardspec_status` and takes a `shardspec_error *` as its
 * last argument. The memory of the error belongs to the caller and is usually on the caller's
 * stack. The argument may be NULL. There is no hidden "last error" of a thread.
 */

/** The call succeeded. */
#define SHARDSPEC_OK 0
/** A pointer that must not be NULL was NULL. */
#define SHARDSPEC_NULL_ARGUMENT 1
/** An argument has a value that is not allowed. */
#define SHARDSPEC_INVALID_ARGUMENT 2
/** A handle was freed, was never created, or is of another kind. */
#define SHARDSPEC_INVALID_HANDLE 3
/** A text is not a placement. */
#define SHARDSPEC_INVALID_PLACEMENT 4
/** The tensor does not have the dimension that a spec cuts. */
#define SHARDSPEC_INVALID_DIM 5
/** An index is past the end. `limit` is the bound. */
#define SHARDSPEC_INDEX_OUT_OF_RANGE 6
/** Two numbers of dimensions differ but must be equal. */
#define SHARDSPEC_NDIM_MISMATCH 7
/** Two shards own the same elements. */
#define SHARDSPEC_OVERLAP 8
/** Some elements belong to no shard. */
#define SHARDSPEC_GAP 9
/** A shard reaches past the tensor. */
#define SHARDSPEC_OUT_OF_BOUNDS 10
/** A value does not fit into 64 bits. */
#define SHARDSPEC_OVERFLOW 11
/** The caller's buffer is too small; `limit` is the capacity that is needed. */
#define SHARDSPEC_BUFFER_TOO_SMALL 12
/** A view has another shape than its shard or tensor. */
#define SHARDSPEC_SHAPE_MISMATCH 13
/** A view has another element type than the tensor. */
#define SHARDSPEC_DTYPE_MISMATCH 14
/** A view is not in host memory. */
#define SHARDSPEC_UNSUPPORTED_DEVICE 15
/** A destination shares memory with a source, with another destination, or with itself. */
#define SHARDSPEC_ALIASED 16
/** The arguments are valid, but the library does not implement this case. */
#define SHARDSPEC_UNSUPPORTED 17
/** The system has no memory left for the result. */
#define SHARDSPEC_OUT_OF_MEMORY 18
/** The requested object does not exist. */
#define SHARDSPEC_NOT_FOUND 19
/** The function does not apply to this type of spec. */
#define SHARDSPEC_WRONG_SPEC_TYPE 20
/** The library itself has a bug. Please report the message. */
#define SHARDSPEC_INTERNAL 21
/** An op with these names is already registered. */
#define SHARDSPEC_ALREADY_EXISTS 22
/**
 * The op can't be unregistered or replaced now. The calling thread is inside of this op, or inside
 * of another op while other threads run this op.
 */
#define SHARDSPEC_BUSY 23
/** An op was called without arguments. */
#define SHARDSPEC_NO_ARGUMENTS 24
/** An op was called without a sharded tensor among its arguments. */
#define SHARDSPEC_NO_SHARDED_TENSOR 25
/** An op was called with sharded tensors of different communicators. */
#define SHARDSPEC_COMMUNICATOR_MISMATCH 26
/* The number 27 is reserved for a later status. */
/**
 * A rank of a collective passed an invalid argument, or its arguments differ from the arguments of
 * other ranks. `got` is that rank. `limit` is the status that this rank returned, or 0 if the rank
 * reported no error.
 */
#define SHARDSPEC_DISAGREEMENT 28
/** The transport between ranks failed. */
#define SHARDSPEC_TRANSPORT_FAILED 29
/** A shard that is needed is in another process. */
#define SHARDSPEC_NOT_LOCAL 30
/* The numbers 31 to 38 are reserved for later statuses. */
/** Memory that must be written is read-only. */
#define SHARDSPEC_READ_ONLY 39
/**
 * A callback returned a negative number, or returned 0 with a different status of success in
 * `success_status`. The callback probably threw an exception. `got` is the returned number.
 */
#define SHARDSPEC_CALLBACK_FAILED 40
/**
 * A cut is impossible for the length of a dimension. For example, the length can't be divided
 * equally, the sizes have a wrong sum, or a piece would start inside of a granule.
 */
#define SHARDSPEC_ILLEGAL_CUT 41
/** The elements of the tensor are pending a reduction and can't be moved. */
#define SHARDSPEC_PARTIAL 42
/* The numbers 43 to 49 are reserved for later statuses. */
/**
 * The system refused to open, list, read or write a file. `got` is the system's error number
 * (`errno`). `limit` is the position in the file in bytes, or 0.
 */
#define SHARDSPEC_FILE_FAILED 50
/**
 * The content of a file is invalid, the file ends too early, or the file has changed since it was
 * opened. `got` is the position in the file in bytes, or 0.
 */
#define SHARDSPEC_INVALID_FILE 51

/** Number of bytes of `shardspec_error.message` in a whole error, with the NUL. */
#define SHARDSPEC_MESSAGE_CAPACITY 968
/**
 * Number of bytes of a short error, which has all numbers and no message. The library refuses
 * smaller errors.
 */
#define SHARDSPEC_ERROR_SHORT_SIZE 56

/**
 * A struct in the caller's memory that receives details of a call's result. Initialise the error
 * with `SHARDSPEC_ERROR_INIT` or `shardspec_error_init`. Every call writes the error if `err` is
 * not NULL. On success, the error has the status `SHARDSPEC_OK` and an empty message. The layout
 * of the fields never changes.
 *
 * A whole error has 1024 bytes. A caller may pass a shorter error of at least
 * `SHARDSPEC_ERROR_SHORT_SIZE` (56) bytes. In a shorter error, the message occupies the bytes from
 * offset 56 up to `struct_size`. An error of 56 bytes has no message. Some bindings convert every
 * struct in each call. For these bindings, the conversion of a short error takes less time than
 * the conversion of a whole error. A message that does not fit is cut and ends in "...".
 */
struct shardspec_error {
  /**
   * The caller sets this field to the number of bytes of its error: `sizeof(shardspec_error)`
   * for a whole error. The library never writes beyond this number of bytes. With a value below
   * 56, the call does nothing and returns `SHARDSPEC_INVALID_ARGUMENT`.
   */
  uint64_t struct_size;
  /** The status that the call returned. */
  shardspec_status status;
  /**
   * The dimension that the error is about, or -1. With `SHARDSPEC_INVALID_DIM`, the number is
   * the refused dimension.
   */
  int32_t dim;
  /**
   * Index of the shard that the error is about, or -1. If the error is about two shards, the
   * number is the lower index.
   */
  int64_t first_shard;
  /** Index of the second shard that the error is about, or -1. */
  int64_t second_shard;
  /** The refused value, or 0 if the refused value is not a single number. */
  int64_t got;
  /** The bound for the refused value, or 0. */
  int64_t limit;
  /**
   * For an error in an array argument, the number is the position in the array, such as 3 for
   * `placements[3]`. For an error in a layout as text or as bytes, the number is the position of
   * the wrong byte, counted from 0. For all other errors, the number is -1.
   */
  int64_t index;
  /**
   * A text that names the argument, the value and the remedy. The text is UTF-8 and ends in NUL.
   */
  char message[SHARDSPEC_MESSAGE_CAPACITY];
};

/** Initialises an error: `shardspec_error err = SHARDSPEC_ERROR_INIT;` */
#define SHARDSPEC_ERROR_INIT { sizeof(shardspec_error), SHARDSPEC_OK, -1, -1, -1, 0, 0, -1, { 0 } }

/**
 * Writes the name of a status, such as "OVERLAP", into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: NOT_FOUND if the number is not a status; BUFFER_TOO_SMALL if `capacity` is too small
 * (the error's `limit` is the capacity needed); NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_status_text(
    shardspec_status status, char *buffer, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Initialises the `size` bytes at `err` as an error. This function is for languages that can't use
 * the C macro `SHARDSPEC_ERROR_INIT`. `size` is 1024 for a whole error, and 56 for a short error
 * without a message. All sizes from 56 on are allowed. The message occupies the bytes from offset
 * 56 on. If this function fails, only its status shows the reason.
 *
 * Ownership: the caller keeps `err`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `size` is below 56 or the address is not a multiple of 8;
 * NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_error_init(
    shardspec_error *err, size_t size);

/**
 * Writes a status and a message into an error. A callback can report a failure with this line:
 * `return shardspec_error_set(err, SHARDSPEC_USER_STATUS, "no such table");`. The function resets
 * all other fields of the error. With `text` NULL, the message becomes empty. If `text` does not
 * fit, the message is cut and ends in "...". The function replaces bytes that are not UTF-8 by
 * U+FFFD. With `err` NULL, the function writes nothing. The function returns `status`. If the
 * function itself fails, it returns the status of its own failure.
 *
 * Ownership: the caller keeps `err` and `text`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `status` is negative or `err` has a wrong `struct_size`. If the
 * function fails, it writes nothing.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_error_set(
    shardspec_error *err, shardspec_status status, const char *text);

/**
 * Returns the message of an error. The returned text is inside of `err`. The function returns ""
 * if `err` is NULL or too short to have a message. The function never returns NULL. This function
 * is for programs that do not know the offset of the message. `shardspec_status_text` returns the
 * name of the status.
 *
 * Ownership: the caller keeps `err`. The text is valid until `err` is written or freed.
 * Calls back: no.
 * Blocks: no.
 * Errors: none.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_API const char * shardspec_error_message(const shardspec_error *err);

/* ================================================================================================
 * Sizes and defaults of structs.
 *
 * These functions are for programs that can't use the macros of this header. A program without
 * macros declares the structs itself. The program compares the size of its struct with the result
 * of `shardspec_struct_size`. The program initialises the struct with `shardspec_struct_init`
 * before it sets fields. Each of the two functions takes the name that the struct has in this
 * header, such as "shardspec_cut".
 *
 * The caller must set `struct_size` in every struct that begins with this field. The library
 * refuses a `struct_size` of 0, because it can't know the size of the caller's memory. If a
 * program was compiled with an older header, its struct may be smaller than the library's struct.
 * The library treats the missing fields as zero. If a program was compiled with a newer header,
 * its struct may have more fields. In the additional fields, the library accepts only zeros.
 */

/**
 * Writes to `*out` the size in bytes that the struct called `name` has in the loaded library. If
 * the program's own struct is larger, the program was compiled with a newer header.
 *
 * Ownership: the caller keeps `name`.
 * Calls back: no.
 * Blocks: no.
 * Errors: NOT_FOUND if this version has no struct of that name; INVALID_ARGUMENT if a text is not
 * UTF-8; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_struct_size(
    const char *name, size_t *out, shardspec_error *err);

/**
 * Initialises the `size` bytes at `out` as the struct called `name`. `size` is the caller's
 * `sizeof` of the struct. All bytes become zero. If the struct has the field `struct_size`, the
 * field becomes `size`. Two structs get values that are not zero. A `shardspec_error` gets the
 * values of `SHARDSPEC_ERROR_INIT`. A `shardspec_tensor_properties` gets torch's defaults
 * (`shardspec_tensor_properties_init`).
 *
 * Ownership: the caller keeps `name` and `out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: NOT_FOUND if this version has no struct of that name; INVALID_ARGUMENT if no version of
 * the struct has `size` bytes, `out` is not aligned or `name` is not UTF-8; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_struct_init(
    const char *name, void *out, size_t size, shardspec_error *err);

/* ================================================================================================
 * Version.
 *
 * The constants of this section are the version of the header at compile time. The functions
 * return the version of the library at run time. A program works with the library of its header,
 * and with every newer library of the same ABI version.
 */

/** The version of this header. The library of the same release has the same version. */
#define SHARDSPEC_VERSION "0.1.0"

/** The first number of the version. */
#define SHARDSPEC_VERSION_MAJOR 0
/** The second number of the version. */
#define SHARDSPEC_VERSION_MINOR 1
/** The third number of the version. */
#define SHARDSPEC_VERSION_PATCH 0
/**
 * Version of the binary interface. The version changes if programs that were compiled with an
 * older header can't use the new library. The name of the shared library, `libshardspec.so.0`,
 * ends in this number.
 */
#define SHARDSPEC_ABI_VERSION 0

/**
 * Returns the library's ABI version. Compare this number with `SHARDSPEC_ABI_VERSION`.
 *
 * Ownership: there is nothing to free.
 * Calls back: no.
 * Blocks: no.
 * Errors: none.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_API uint32_t shardspec_abi_version(void);

/**
 * Writes the library's version, such as "0.1.0", into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_version_text(
    char *buffer, size_t capacity, size_t *needed, shardspec_error *err);

/* ################################################################################################
 * Level 2: layouts, plans, files and collectives
 * ################################################################################################ */

/* ================================================================================================
 * Meshes: placements in a grid with named axes.
 *
 * A mesh is a grid of devices. Each axis of the grid has a name and a size. Each device has one
 * placement. Devices are numbered in row-major order: the last axis varies fastest. In a mesh with
 * the axes "dp" of size 2 and "tp" of size 4, device 5 has coordinate 1 on both axes.
 * `shardspec_spec_new_mesh` creates a spec that cuts tensors over a mesh.
 *
 * Source: torch's `DeviceMesh` and `jax.sharding.Mesh`.
 */

/** A mesh, behind a handle. The object is immutable. Free the handle with `shardspec_mesh_free`. */
typedef struct shardspec_mesh shardspec_mesh;

/**
 * Creates a mesh of `ndim` axes. `axis_names` holds `ndim` different texts. `axis_sizes` holds
 * `ndim` sizes of at least 1. `placements` holds one text for each device, in row-major order of
 * the devices. Ranks may be in any order in `placements`, and several devices may have the same
 * placement. With `placement_count` 0, the placements are "rank:0", "rank:1" and so on, and
 * `placements` may be NULL. With `ndim` 0, the mesh has one device.
 *
 * Memory: the mesh keeps at most 28 bytes for each device, plus the names of workers.
 * Time: proportional to the number of devices.
 * Ownership: the library copies the texts. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a name is empty or occurs twice, a size is below 1, there are more
 * than 32 axes, or `placement_count` is neither 0 nor the number of devices; OVERFLOW if there are
 * more than 4294967295 devices; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_new(
    const char *const *axis_names, const int64_t *axis_sizes, size_t ndim,
    const char *const *placements, size_t placement_count, shardspec_mesh **out,
    shardspec_error *err);

/**
 * Creates a mesh of `ndim` axes from handles of placements. `axis_names` holds `ndim` different
 * texts. `axis_sizes` holds `ndim` sizes of at least 1. `placements` holds one handle for each
 * device, in row-major order of the devices. Custom placements are allowed.
 *
 * Ownership: the library copies the texts. The caller keeps the handles and frees `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a name is empty or occurs twice, a size is below 1, there are more
 * than 32 axes, or `placement_count` is not the number of devices; OVERFLOW if there are more than
 * 4294967295 devices; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_new_with_placement_handles(
    const char *const *axis_names, const int64_t *axis_sizes, size_t ndim,
    const shardspec_placement *const *placements, size_t placement_count, shardspec_mesh **out,
    shardspec_error *err);

/**
 * Creates a mesh of the devices that have the coordinate `coordinate` on the axis `axis`. The new
 * mesh has all axes of `mesh` except `axis`, in the same order.
 *
 * Ownership: the caller frees `*out`. The caller may free `mesh` before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if no axis has that name; INDEX_OUT_OF_RANGE if the coordinate is past
 * the end of the axis; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_new_submesh(
    const shardspec_mesh *mesh, const char *axis, size_t coordinate, shardspec_mesh **out,
    shardspec_error *err);

/**
 * Frees a mesh. NULL is allowed. Specs and metadata made with the mesh stay valid.
 *
 * Ownership: the caller gives up `mesh`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_mesh_free(shardspec_mesh *mesh, shardspec_error *err);

/**
 * Writes to `*out` the number of axes.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_ndim(
    const shardspec_mesh *mesh, size_t *out, shardspec_error *err);

/**
 * Writes to `*out` the number of devices, which is the product of the axes' sizes. A mesh without
 * axes has 1 device.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_device_count(
    const shardspec_mesh *mesh, size_t *out, shardspec_error *err);

/**
 * Writes the name of the axis with the index `axis` into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_axis_name(
    const shardspec_mesh *mesh, size_t axis, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes the sizes of the axes into `sizes`. `sizes` has room for `capacity` numbers. `*needed`
 * becomes the number of axes. `needed` may be NULL. With capacity 0, only `*needed` is written,
 * and `sizes` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_get_axis_sizes(
    const shardspec_mesh *mesh, int64_t *sizes, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Creates a handle for the placement of the device `device`.
 *
 * Ownership: the caller frees `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_placement(
    const shardspec_mesh *mesh, size_t device, shardspec_placement **out, shardspec_error *err);

/**
 * Writes the coordinates of the device `device` into `coordinates`. There is one number for each
 * axis. `coordinates` has room for `capacity` numbers. `*needed` becomes the number of axes.
 * `needed` may be NULL. With capacity 0, only `*needed` is written, and `coordinates` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_get_coordinates(
    const shardspec_mesh *mesh, size_t device, size_t *coordinates, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `buffer` a text with the names and sizes of the axes, such as "dp=2, tp=4". For a mesh
 * without axes, the text is "one device".
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_text(
    const shardspec_mesh *mesh, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes 1 to `*out` if two meshes are equal, else 0. Equal meshes have the same axes (names and
 * sizes) and the same placements, in the same order.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_equal(
    const shardspec_mesh *a, const shardspec_mesh *b, int32_t *out, shardspec_error *err);

/**
 * Writes a hash of the mesh to `*out`. Equal meshes have equal hashes in all processes that use
 * the same version of the library.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `hash` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_mesh_hash(
    const shardspec_mesh *mesh, uint64_t *out, shardspec_error *err);

/* ================================================================================================
 * Specs over a mesh.
 *
 * A cut divides the indices of one dimension among the coordinates of one axis of a mesh. The
 * indices of one coordinate form a piece. The indices of a dimension are also called positions. A
 * layout has a list of cuts, which the library applies in order. A second cut of a dimension cuts
 * the pieces of the first cut. Each axis has at most one cut. The tensor is replicated over an
 * axis that no cut uses: the devices along that axis have the same elements.
 *
 * The rule of a cut defines which positions each piece has. The list shows how each rule cuts n
 * positions into k pieces:
 *
 *   CHUNK     ceil(n / k) each, the last ones shorter or empty: torch.chunk, DTensor, JAX, MPI BLOCK
 *   BALANCED  n / k each, and one more for each of the first n % k pieces: numpy.array_split
 *   SIZES     as many as listed
 *   WEIGHTS   in proportion to weights, largest remainders first
 *   CYCLIC    blocks in turn: MPI CYCLIC, ScaLAPACK
 *
 * A granule is a group of neighbouring positions. A cut gives all positions of a granule to one
 * piece. For example, the rows of one attention head can be a granule. With repeat r, r
 * neighbouring coordinates have the same piece. Segments are parts of a dimension, such as the
 * three parts of a fused QKV weight. The library cuts each segment separately. Each coordinate has
 * one piece of each segment, in the order of the segments. A pad lengthens a dimension before the
 * library cuts the dimension. The added positions are holes: places of a buffer that hold no
 * element.
 *
 * This example cuts 32 query heads, 8 key heads and 8 value heads over 16 devices. A head has 128
 * rows. Each key head is on two devices, and each value head is on two devices:
 *
 *   const char *axes[] = {"tp"};
 *   const int64_t devices[] = {16}, shape[] = {6144, 4096};
 *   shardspec_segment qkv[] = {SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT};
 *   qkv[0].size = 4096;
 *   qkv[1].size = qkv[2].size = 1024;
 *   qkv[1].repeat = qkv[2].repeat = 2;
 *   shardspec_cut cut = SHARDSPEC_CUT_INIT;
 *   cut.axis = "tp";
 *   cut.granule = 128;
 *   cut.segments = qkv;
 *   cut.segment_count = 3;
 *   shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
 *   layout.cuts = &cut;
 *   layout.cut_count = 1;
 *   shardspec_mesh_new(axes, devices, 1, NULL, 0, &mesh, &err);
 *   shardspec_spec_new_mesh(mesh, &layout, &spec, &err);
 *   shardspec_spec_build_metadata(spec, shape, 2, NULL, &metadata, &err);
 *
 * Source: DTensor's placements, `jax.sharding.NamedSharding`, MPI's darray.
 */

/** Pieces of equal size (torch: `torch.chunk`). Only the last pieces may be shorter or empty. */
#define SHARDSPEC_RULE_CHUNK 1
/** Pieces with sizes that differ by at most one (NumPy: `numpy.array_split`). */
#define SHARDSPEC_RULE_BALANCED 2
/** Pieces with the sizes in `values`. */
#define SHARDSPEC_RULE_SIZES 3
/** Pieces in proportion to the weights in `values`. */
#define SHARDSPEC_RULE_WEIGHTS 4
/**
 * Blocks of `block` positions. Piece `first` receives the first block, the next piece receives the
 * second block, and so on. Piece 0 follows the last piece.
 */
#define SHARDSPEC_RULE_CYCLIC 5
/**
 * A value of the field `repeat`. When the library cuts a dimension, the library computes `repeat`
 * from the number of units. With the rule CYCLIC, a unit is a block. With all other rules, a unit
 * is a granule. If there are at least as many units as coordinates, the repeat is 1. If there are
 * fewer units than coordinates, the repeat is the number of coordinates divided by the number of
 * units. The division must have no remainder.
 */
#define SHARDSPEC_REPEAT_AS_NEEDED (-1)
/** The sum of the values. */
#define SHARDSPEC_REDUCTION_SUM 1
/** The mean of the values. */
#define SHARDSPEC_REDUCTION_AVG 2
/** The product of the values. */
#define SHARDSPEC_REDUCTION_PRODUCT 3
/** The smallest value. */
#define SHARDSPEC_REDUCTION_MIN 4
/** The largest value. */
#define SHARDSPEC_REDUCTION_MAX 5
/** The bitwise AND of the values. */
#define SHARDSPEC_REDUCTION_BAND 6
/** The bitwise OR of the values. */
#define SHARDSPEC_REDUCTION_BOR 7
/** The bitwise XOR of the values. */
#define SHARDSPEC_REDUCTION_BXOR 8

typedef struct shardspec_segment shardspec_segment;

/**
 * A segment of a cut. A field that is 0 takes its value from the field with the same name in the
 * cut. Initialise a segment with `SHARDSPEC_SEGMENT_INIT`, or set all fields to zero before you
 * set `struct_size`.
 */
struct shardspec_segment {
  /** `sizeof(shardspec_segment)`. In an array, all structs have the same `struct_size`. */
  uint64_t struct_size;
  /**
   * Number of positions of the segment. The sum of the sizes of all segments is the size of the
   * dimension.
   */
  int64_t size;
  /** A `SHARDSPEC_RULE_...` constant. 0 means the value of `rule` in the cut. */
  int32_t rule;
  /**
   * 1 means that the library refuses pieces of different sizes. -1 means that the library allows
   * pieces of different sizes. 0 means the value of `even` in the cut.
   */
  int32_t even;
  /**
   * Number of positions of a granule. All positions of a granule belong to the same piece. 0
   * means the value of `granule` in the cut.
   */
  int64_t granule;
  /**
   * Number of neighbouring coordinates that have the same piece, or
   * `SHARDSPEC_REPEAT_AS_NEEDED`. 0 means the value of `repeat` in the cut.
   */
  int64_t repeat;
  /** For CYCLIC: number of positions of a block. 0 means the value of `block` in the cut. */
  int64_t block;
  /**
   * For CYCLIC: the index of the piece that gets the first block. The library takes the index
   * modulo the number of pieces. 0 means the value of `first` in the cut. To select piece 0,
   * pass the number of pieces.
   */
  int64_t first;
  /**
   * For SIZES and WEIGHTS: a number for each piece. If `value_count` is 0, the segment has the
   * values of the cut.
   */
  const int64_t *values;
  /** Number of values. With 0, `values` may be NULL. */
  size_t value_count;
};

/**
 * Initialises a segment with the values of its cut: `shardspec_segment segment = SHARDSPEC_SEGMENT_INIT;`
 */
#define SHARDSPEC_SEGMENT_INIT { sizeof(shardspec_segment), 0, 0, 0, 0, 0, 0, 0, NULL, 0 }

typedef struct shardspec_cut shardspec_cut;

/**
 * A cut of one dimension over one axis of a mesh. Initialise a cut with `SHARDSPEC_CUT_INIT`, or
 * set all fields to zero before you set `struct_size`.
 */
struct shardspec_cut {
  /** `sizeof(shardspec_cut)`. In an array, all structs have the same `struct_size`. */
  uint64_t struct_size;
  /**
   * The dimension. A negative number counts from the end: -1 is the last dimension. If the
   * layout flattens dimensions, `dim` is a dimension of the flattened tensor.
   */
  int64_t dim;
  /** The name of the dimension, or NULL. If the name is not NULL, the library ignores `dim`. */
  const char *dim_name;
  /** The name of the axis. */
  const char *axis;
  /** A `SHARDSPEC_RULE_...` constant. 0 means CHUNK. */
  int32_t rule;
  /**
   * 1 means that the library refuses pieces of different sizes. 0 and -1 mean that the library
   * allows pieces of different sizes. CYCLIC ignores this field.
   */
  int32_t even;
  /**
   * Number of positions of a granule. All positions of a granule belong to the same piece. 0
   * means 1. The last granule of a dimension may be shorter. With SIZES, each piece must start
   * at a multiple of the granule. CYCLIC ignores this field.
   */
  int64_t granule;
  /**
   * Number of neighbouring coordinates that have the same piece. 0 means 1. The number must
   * divide the size of the axis. `SHARDSPEC_REPEAT_AS_NEEDED` is also allowed, except for SIZES
   * and WEIGHTS.
   */
  int64_t repeat;
  /** For CYCLIC: number of positions of a block. 0 means 1. */
  int64_t block;
  /**
   * For CYCLIC: the index of the piece that gets the first block. The library takes the index
   * modulo the number of pieces.
   */
  int64_t first;
  /**
   * For SIZES and WEIGHTS: a number for each piece. The number of pieces is the size of the axis
   * divided by `repeat`.
   */
  const int64_t *values;
  /** Number of values. With 0, `values` may be NULL. */
  size_t value_count;
  /**
   * Array of `segment_count` segments. NULL means that the library divides n positions into
   * segments of ceil(n / `segment_count`) positions. The last of these segments may be shorter
   * or empty.
   */
  const shardspec_segment *segments;
  /** Number of segments. 0 means that the library cuts the dimension as a whole. */
  size_t segment_count;
};

/** Initialises a cut of dimension 0 by the rule CHUNK: `shardspec_cut cut = SHARDSPEC_CUT_INIT;` */
#define SHARDSPEC_CUT_INIT { sizeof(shardspec_cut), 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0 }

typedef struct shardspec_pad shardspec_pad;

/**
 * A pad lengthens a dimension before the library cuts the dimension. Set exactly one of `size` and
 * `multiple`. Initialise a pad with `SHARDSPEC_PAD_INIT`, or set all fields to zero before you set
 * `struct_size`.
 */
struct shardspec_pad {
  /** `sizeof(shardspec_pad)`. In an array, all structs have the same `struct_size`. */
  uint64_t struct_size;
  /**
   * The dimension. A negative number counts from the end: -1 is the last dimension. If the
   * layout flattens dimensions, `dim` is a dimension of the flattened tensor.
   */
  int64_t dim;
  /** The name of the dimension, or NULL. If the name is not NULL, the library ignores `dim`. */
  const char *dim_name;
  /**
   * The length of the dimension after padding. The length must be at least the size of the
   * dimension. Set `size` to 0 if `multiple` is set.
   */
  int64_t size;
  /**
   * If this field is set, the library rounds the size of the dimension up to a multiple of
   * `multiple`. Set `multiple` to 0 if `size` is set.
   */
  int64_t multiple;
};

/** Initialises a pad without a length: `shardspec_pad pad = SHARDSPEC_PAD_INIT;` */
#define SHARDSPEC_PAD_INIT { sizeof(shardspec_pad), 0, NULL, 0, 0 }

typedef struct shardspec_partial shardspec_partial;

/**
 * A partial axis: an axis that is pending a reduction. The final value of an element is the
 * reduction of its values on all devices along the axis. The library stores, prints and compares
 * partial axes. The library never computes a reduction. Initialise the struct with
 * `SHARDSPEC_PARTIAL_INIT`, or set all fields to zero before you set `struct_size`.
 */
struct shardspec_partial {
  /** `sizeof(shardspec_partial)`. In an array, all structs have the same `struct_size`. */
  uint64_t struct_size;
  /** The name of the axis. No cut may use this axis. */
  const char *axis;
  /** A `SHARDSPEC_REDUCTION_...` constant. 0 means SUM. */
  int32_t reduction;
  /** This field must be 0. */
  int32_t reserved;
};

/**
 * Initialises a partial axis without a name, with the reduction SUM: `shardspec_partial partial = SHARDSPEC_PARTIAL_INIT;`
 */
#define SHARDSPEC_PARTIAL_INIT { sizeof(shardspec_partial), NULL, 0, 0 }

typedef struct shardspec_mesh_layout shardspec_mesh_layout;

/**
 * Describes how a tensor is laid out over a mesh. The library first flattens dimensions, then pads
 * dimensions, and then cuts dimensions. Initialise the struct with `SHARDSPEC_MESH_LAYOUT_INIT`,
 * or set all fields to zero before you set `struct_size`. If no other field is set, the layout
 * replicates the tensor on all devices.
 */
struct shardspec_mesh_layout {
  /** `sizeof(shardspec_mesh_layout)`. */
  uint64_t struct_size;
  /** The cuts. The library applies the cuts in the order of this array. */
  const shardspec_cut *cuts;
  /** Number of cuts. With 0, `cuts` may be NULL. */
  size_t cut_count;
  /** The pads. */
  const shardspec_pad *pads;
  /** Number of pads. With 0, `pads` may be NULL. */
  size_t pad_count;
  /** The axes that are pending a reduction. */
  const shardspec_partial *partials;
  /** Number of partial axes. With 0, `partials` may be NULL. */
  size_t partial_count;
  /**
   * The first of the dimensions that the library flattens into one dimension, in row-major
   * order.
   */
  int64_t flatten_first;
  /**
   * Number of dimensions that are flattened into one, at least 2. 0 means that no dimensions are
   * flattened.
   */
  size_t flatten_count;
};

/**
 * Initialises a layout that replicates the tensor: `shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;`
 */
#define SHARDSPEC_MESH_LAYOUT_INIT { sizeof(shardspec_mesh_layout), NULL, 0, NULL, 0, NULL, 0, 0, 0 }

/**
 * Creates a spec that cuts tensors over a mesh. Shard i belongs to device i. This function makes
 * all checks that do not need the sizes of a tensor. `shardspec_spec_build_metadata` makes the
 * checks that need the sizes.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`. The caller may free `mesh`
 * before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an axis is unknown or used twice, or if a number or a list of a cut
 * is not allowed for the size of its axis; ILLEGAL_CUT if `repeat` does not divide the size of the
 * axis; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_mesh(
    const shardspec_mesh *mesh, const shardspec_mesh_layout *layout, shardspec_spec **out,
    shardspec_error *err);

/**
 * Creates a spec that cuts one dimension over `placement_count` placements. The result is a mesh
 * spec with one axis and one cut. Shard i has the placement `placements[i]`. The name of the axis
 * is `cut->axis`, or "devices" if `cut->axis` is NULL.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `placement_count` is 0, or if a number or a list of the cut is not
 * allowed for this number of placements; ILLEGAL_CUT if `repeat` does not divide
 * `placement_count`; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_cut(
    const shardspec_cut *cut, const char *const *placements, size_t placement_count,
    shardspec_spec **out, shardspec_error *err);

/**
 * Checks whether `cut` is legal for a dimension of `length` positions and an axis of `count`
 * coordinates. The function returns SHARDSPEC_OK for a legal cut. For an illegal cut, the function
 * returns the status and the message that `shardspec_spec_build_metadata` returns for this cut.
 * The function ignores the dimension and the axis of the cut.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: ILLEGAL_CUT if `repeat` does not fit `count`, the sizes do not add up to `length`, a
 * piece starts inside of a granule, a cyclic rule cuts more than 65,536 equal segments, or if
 * `even` is 1 and the positions do not divide into equal pieces of whole granules;
 * INVALID_ARGUMENT if a number or a list is not allowed in a cut; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_cut_check(
    const shardspec_cut *cut, int64_t length, int64_t count, shardspec_error *err);

/**
 * Checks for each degree of parallelism from 1 to `max_degree` whether all cuts in `cuts` are
 * legal. `cuts[i]` cuts `lengths[i]` positions, such as heads, blocks of a quantised weight or
 * experts. For degree k, the function checks each cut over k coordinates. `forbidding[k - 1]`
 * becomes the index in `cuts` of the first cut that is illegal for degree k. If all `cut_count`
 * cuts are legal for degree k, `forbidding[k - 1]` becomes -1. `forbidding` has room for
 * `max_degree` numbers. `shardspec_cut_check` returns the reason for an illegal cut.
 *
 * A cut with a list of sizes or weights can be legal for only one degree: the number of listed
 * values times `repeat`. A cut with `repeat` = `SHARDSPEC_REPEAT_AS_NEEDED` may have fewer
 * positions than coordinates. For example, with 8 heads on 16 coordinates, two neighbouring
 * coordinates have the same head. An example of a call:
 *
 *   shardspec_cut cuts[] = {SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT};
 *   const int64_t lengths[] = {32, 8, 4096};     // heads, key and value heads, hidden size
 *   cuts[0].even = cuts[1].even = cuts[2].even = 1;
 *   cuts[1].repeat = SHARDSPEC_REPEAT_AS_NEEDED;
 *   cuts[2].granule = 128;                       // a block of the quantised weight
 *   shardspec_cuts_check_degrees(cuts, lengths, 3, 32, forbidding, &err);  // legal: 1, 2, 4, 8, 16, 32
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a cut has numbers that no degree allows (the error's `index` is the
 * position of the cut), a length is negative, or `max_degree` is below 1; NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_cuts_check_degrees(
    const shardspec_cut *cuts, const int64_t *lengths, size_t cut_count, int64_t max_degree,
    int64_t *forbidding, shardspec_error *err);

/**
 * Creates a handle for the mesh of a mesh spec.
 *
 * Ownership: the caller frees `*out`. The caller may free the spec before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is not a mesh spec; INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_mesh(
    const shardspec_spec *spec, shardspec_mesh **out, shardspec_error *err);

/**
 * Writes to `buffer` a readable description of a spec, such as "dp=2, tp=4: dimension 0 over tp by
 * chunk". The text of a custom spec is the name of its type. Later versions of the library may
 * write other texts.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_text(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Creates a handle for the mesh of the tensor's layout. Shard i belongs to device i of the mesh.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the tensor was not cut over a mesh; INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_mesh(
    const shardspec_metadata *metadata, shardspec_mesh **out, shardspec_error *err);

/**
 * Writes into `coordinates` the coordinates of shard `shard` on the mesh of the tensor's layout.
 * There is one number for each axis of the mesh. `coordinates` has room for `capacity` numbers.
 * `*needed` becomes the number of axes. `needed` may be NULL. With capacity 0, only `*needed` is
 * written, and `coordinates` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the tensor was not cut over a mesh; BUFFER_TOO_SMALL if `capacity` is too
 * small (the error's `limit` is the capacity needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_get_coordinates(
    const shardspec_metadata *metadata, size_t shard, size_t *coordinates, size_t capacity,
    size_t *needed, shardspec_error *err);

/**
 * Writes the name of dimension `dim` into `buffer`. The name comes from the `dim_names` that the
 * metadata was created with.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the dimensions have no names; BUFFER_TOO_SMALL if `capacity` is too small
 * (the error's `limit` is the capacity needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_dim_name(
    const shardspec_metadata *metadata, size_t dim, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes to `*out` the number of axes that are pending a reduction. If the number is not 0, calls
 * that move elements of the tensor fail with PARTIAL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_partial_count(
    const shardspec_metadata *metadata, size_t *out, shardspec_error *err);

/**
 * Writes to `buffer` the name of an axis that is pending a reduction. `*reduction` becomes a
 * `SHARDSPEC_REDUCTION_...` constant. `reduction` may be NULL. `index` is the number of the axis
 * among the partial axes, counted from 0 in the order of the layout.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_partial(
    const shardspec_metadata *metadata, size_t index, char *buffer, size_t capacity, size_t *needed,
    int32_t *reduction, shardspec_error *err);

/* ================================================================================================
 * Layouts as other programs write them.
 *
 * `shardspec_spec_parse` reads the text of a layout of DTensor, JAX, XLA or Shardy. The caller
 * also passes the mesh. `shardspec_spec_format` writes the text of a spec over a mesh.
 *
 *   DTENSOR   S(0)R   _S(0, 2)S(0)   (Shard(dim=0), Partial(sum))
 *   JAX       PartitionSpec(('x', 'y'), None)   P('x', unreduced={'y'})
 *   XLA       {devices=[2,2]<=[2,2]T(1,0) last_tile_dim_replicate}   {devices=[2]1,0}   {replicated}
 *   SHARDY    sharding<@mesh, [{"x"}, {}], replicated={"y"}>
 *
 * If `shardspec_spec_format` writes a spec as a text, `shardspec_spec_parse` can create a new spec
 * from this text. For each tensor that both specs accept, the old spec and the new spec give equal
 * layouts. One of the two specs may also refuse a tensor that the other spec accepts. The
 * reason is the field `even` of cuts, which texts do not contain. A cut with `even` 1 refuses
 * pieces of different sizes. A cut from a text of JAX has `even` 1, and a cut from a text of
 * DTensor has `even` 0. If a text of XLA or Shardy cuts a dimension several times, these cuts have
 * `even` 1. All other cuts from texts of XLA or Shardy have `even` 0.
 *
 *   shardspec_spec_parse(SHARDSPEC_NOTATION_DTENSOR, "RS(1)", mesh, &spec, &err);
 *   shardspec_spec_format(spec, SHARDSPEC_NOTATION_JAX, 2, text, sizeof text, NULL, &err);
 *   puts(text);    // P(None, 'tp') on a mesh of axes "dp" and "tp"
 *
 * Source: `torch.distributed.tensor.placement_types`, `jax.sharding.PartitionSpec`,
 * `xla::HloSharding`, the dialect `sdy` of Shardy.
 */

/** The placements of torch's DTensor, one for each axis of the mesh: "S(0)R". */
#define SHARDSPEC_NOTATION_DTENSOR 1
/** The axes of each dimension, as JAX writes them: "P('x', None)". */
#define SHARDSPEC_NOTATION_JAX 2
/**
 * The tiles of each dimension and the order of the devices, as XLA writes them:
 * "{devices=[2,1]<=[2]}". Device n of the text is device n of the mesh.
 */
#define SHARDSPEC_NOTATION_XLA 3
/** The axes of each dimension, as Shardy writes them: "sharding<@mesh, [{"x"}, {}]>". */
#define SHARDSPEC_NOTATION_SHARDY 4

/**
 * Creates the spec that `text` describes. `notation` is a `SHARDSPEC_NOTATION_...` constant. The
 * spec is a mesh spec over `mesh`. There is one exception: a text such as "{maximal device=3}" of
 * XLA makes a spec over one device, which is device 3 of `mesh`.
 *
 * If the text is wrong, the error's message names the wrong byte of `text` and all texts that are
 * allowed at this place. The error's `index` is the number of this byte, counted from 0.
 *
 * Time: proportional to the length of the text, and for XLA also to the number of devices.
 * Ownership: the library copies all arguments. The caller frees `*out`. The caller may free `mesh`
 * before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the notation is unknown, the text does not follow its notation, the
 * text names an axis twice or an axis that the mesh does not have, or the tiles of an XLA text do
 * not consist of whole axes of the mesh; UNSUPPORTED if the library does not interpret a part of
 * the text (the message names this part); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_parse(
    int32_t notation, const char *text, const shardspec_mesh *mesh, shardspec_spec **out,
    shardspec_error *err);

/**
 * Writes a mesh spec to `buffer` as a text. The notation of the text is `notation`, a
 * `SHARDSPEC_NOTATION_...` constant. `ndim` is the number of dimensions of the tensor. With `ndim`
 * 0, the text ends at the last dimension that is cut. A cut with a negative dimension counts from
 * the last dimension, and needs a positive `ndim`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the notation has no text for the layout (the message names the part of
 * the layout); WRONG_SPEC_TYPE if the spec is not a mesh spec; INVALID_DIM if the spec cuts a
 * dimension that a tensor of `ndim` dimensions does not have; INVALID_ARGUMENT if the notation is
 * unknown or `ndim` is above 32; BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit`
 * is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_format(
    const shardspec_spec *spec, int32_t notation, size_t ndim, char *buffer, size_t capacity,
    size_t *needed, shardspec_error *err);

/**
 * Number of entries of a descriptor of ScaLAPACK: DTYPE, CTXT, M, N, MB, NB, RSRC, CSRC and LLD.
 */
#define SHARDSPEC_SCALAPACK_ENTRY_COUNT 9

/**
 * Creates the spec of a matrix that a descriptor of ScaLAPACK describes. `descriptor` holds the
 * nine entries of the descriptor, and `entry_count` is 9. `mesh` is the grid of processes. The
 * coordinate on the first axis is the row of the grid, and the coordinate on the second axis is
 * the column. The descriptor belongs to the process on device `device` of `mesh`. The function
 * checks the LLD of this process. The function ignores the context CTXT.
 *
 * The spec is a mesh spec with a cyclic cut of each dimension. M and N are the sizes of the
 * tensor. Pass M and N to `shardspec_spec_build_metadata`. The local matrix is column-major with
 * leading dimension LLD, so its view has the strides 1 and LLD.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`. The caller may free `mesh`
 * before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an entry is wrong (the message has its name, its value and its
 * number from 1 to 9, and the error's `index` is its position from 0 to 8), if `entry_count` is
 * not 9, or if the mesh does not have 2 axes; INDEX_OUT_OF_RANGE if the mesh does not have the
 * device; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: `DESCINIT` of ScaLAPACK.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_scalapack(
    const int64_t *descriptor, size_t entry_count, const shardspec_mesh *mesh, size_t device,
    shardspec_spec **out, shardspec_error *err);

/**
 * Writes a descriptor of ScaLAPACK into `descriptor`. The descriptor describes a matrix with
 * `rows` rows and `columns` columns. The mesh of the spec must have 2 axes. The descriptor belongs
 * to the process on device `device` of this mesh. A cyclic cut of dimension 0 over the first axis
 * gives MB and RSRC. A cyclic cut of dimension 1 over the second axis gives NB and CSRC. A cut by
 * the rule CHUNK gives blocks of the size of a chunk. CTXT becomes `context`. LLD becomes the
 * number of rows of the process, or 1 if the process has no rows. If the starts of neighbouring
 * columns are more than LLD elements apart in memory, the program must increase LLD.
 *
 * `descriptor` has `capacity` elements. `*needed` becomes 9. `needed` may be NULL. With capacity
 * 0, only `*needed` is written, and `descriptor` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if no descriptor describes the layout (the message names the part of the
 * layout); WRONG_SPEC_TYPE if the spec is not a mesh spec; INVALID_ARGUMENT if the mesh does not
 * have 2 axes or a size is negative; INVALID_DIM if a third dimension is cut; INDEX_OUT_OF_RANGE
 * if the mesh does not have the device; BUFFER_TOO_SMALL if `capacity` is too small (the error's
 * `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: `DESCINIT` of ScaLAPACK.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_get_scalapack(
    const shardspec_spec *spec, int64_t rows, int64_t columns, int64_t context, size_t device,
    int64_t *descriptor, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes to `*out` the number of rows or columns of the process at coordinate `iproc`. There are
 * `n` rows or columns, in blocks of `nb`, and `nprocs` coordinates. Coordinate `isrcproc` receives
 * the first block, the next coordinate receives the second block, and so on.
 *
 * Ownership: the caller keeps `out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `n` or a coordinate is below 0, or if `nb` or `nprocs` is below 1;
 * INDEX_OUT_OF_RANGE if a coordinate is not below `nprocs`; NULL_ARGUMENT.
 * Threads: any.
 * Source: `NUMROC` of ScaLAPACK.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_numroc(
    int64_t n, int64_t nb, int64_t iproc, int64_t isrcproc, int64_t nprocs, int64_t *out,
    shardspec_error *err);

/* ================================================================================================
 * Layouts as JSON and as bytes.
 *
 * A program can store layouts in files, or send layouts to another program, as a JSON text or as
 * bytes. Each of the two forms contains the whole layout. If a program writes a spec or metadata
 * and reads it again, the result is equal to the original. Two equal layouts have equal texts and
 * equal bytes if their meshes and their names of dimensions are also equal. Another version of the
 * library may write a different text for the same layout.
 *
 *   char text[1024];
 *   size_t needed;    // With the NUL; unchanged if the call fails.
 *   if (shardspec_spec_to_json(spec, text, sizeof text, &needed, &err) != 0) return 1;
 *   puts(text);
 *   // {"kind":"shardspec.spec","version":1,"chunk":{"dim":0,"placements":["rank:0/cpu","rank:1/cpu"]}}
 *   if (shardspec_spec_new_from_json(text, needed - 1, &copy, &err) != 0) return 1;
 *
 * The file docs/layouts-as-text.md describes the fields. A JSON Schema of the texts is
 * docs/schema/layout.schema.json. The bytes consist of the text without its long arrays, these
 * arrays as numbers of 32 or 64 bits, and a checksum. The checksum detects accidental damage, but
 * does not detect deliberate changes. For a layout of very many shards, bytes are faster to write
 * and to read than text.
 *
 * The functions that read a layout check the whole text or all bytes. Input from an unknown source
 * is therefore safe to read. The functions also check the layout itself, as the functions that
 * create a layout from arrays do. The functions refuse a field that this version of the library
 * does not know. If one of these functions refuses a layout, the error's `index` is the position
 * of the wrong byte, counted from 0. The error's message names an unknown field.
 *
 * Custom specs and custom placements contain functions of the caller, and functions can't be
 * stored. The functions that write a layout therefore refuse custom specs and custom placements.
 * The error's message names the custom type.
 */

/**
 * Writes a spec to `buffer` as JSON. The text has neither spaces nor line breaks.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the spec is of a custom type or has custom placements (the message names
 * the type); BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_to_json(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Creates a spec from a JSON text. `byte_count` is the length of the text in bytes, without a NUL.
 * Spaces and line breaks between values are allowed, and fields may have any order.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the text is not a spec in JSON, or if a value is not allowed;
 * UNSUPPORTED if the text has a field, a rule or a version that this version of the library does
 * not know (the message names the unknown part); INVALID_PLACEMENT if the string of a placement is
 * wrong; OVERLAP if shards overlap; NULL_ARGUMENT, OVERFLOW, OUT_OF_MEMORY. The error's `index` is
 * the position of the first byte of the wrong value in `text`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_from_json(
    const char *text, size_t byte_count, shardspec_spec **out, shardspec_error *err);

/**
 * Writes a spec to `buffer` as bytes, with a checksum.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the number of bytes. `needed` may
 * be NULL. With capacity 0, only `*needed` is written, and `buffer` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the spec is of a custom type or has custom placements (the message names
 * the type); BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_to_bytes(
    const shardspec_spec *spec, uint8_t *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Creates a spec from `byte_count` bytes that `shardspec_spec_to_bytes` wrote.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if bytes are damaged or missing, or if the bytes are not a spec;
 * UNSUPPORTED if the bytes have a field, a rule or a version that this version of the library does
 * not know (the message names the unknown part); INVALID_PLACEMENT if the string of a placement is
 * wrong; OVERLAP if shards overlap; NULL_ARGUMENT, OVERFLOW, OUT_OF_MEMORY. The error's `index` is
 * the position of the first byte of the wrong value.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_from_bytes(
    const uint8_t *bytes, size_t byte_count, shardspec_spec **out, shardspec_error *err);

/**
 * Writes metadata to `buffer` as JSON. The text has neither spaces nor line breaks. In the text,
 * the offsets, the sizes and the owners of all shards are flat arrays.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if a placement is custom (the message names its type); BUFFER_TOO_SMALL if
 * `capacity` is too small (the error's `limit` is the capacity needed); INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_to_json(
    const shardspec_metadata *metadata, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Creates metadata from a JSON text. `byte_count` is the length of the text in bytes, without a
 * NUL. Spaces and line breaks between values are allowed, and fields may have any order. The
 * function checks the bounds, the overlaps and the gaps of the shards.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the text is not metadata in JSON, or if a value is not allowed;
 * UNSUPPORTED if the text has a field, a named value or a version that this version of the library
 * does not know (the message names the unknown part), or if a check of the shards would take too
 * long; INVALID_PLACEMENT if the string of a placement is wrong; OVERLAP, GAP, OUT_OF_BOUNDS or
 * NDIM_MISMATCH if the shards do not fit the tensor; NULL_ARGUMENT, OVERFLOW, OUT_OF_MEMORY. The
 * error's `index` is the position of the first byte of the wrong value in `text`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_from_json(
    const char *text, size_t byte_count, shardspec_metadata **out, shardspec_error *err);

/**
 * Writes metadata to `buffer` as bytes, with a checksum.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the number of bytes. `needed` may
 * be NULL. With capacity 0, only `*needed` is written, and `buffer` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if a placement is custom (the message names its type); BUFFER_TOO_SMALL if
 * `capacity` is too small (the error's `limit` is the capacity needed); INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_to_bytes(
    const shardspec_metadata *metadata, uint8_t *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Creates metadata from `byte_count` bytes that `shardspec_metadata_to_bytes` wrote. The function
 * checks the bounds, the overlaps and the gaps of the shards.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if bytes are damaged or missing, or if the bytes are not metadata;
 * UNSUPPORTED if the bytes have a field, a named value or a version that this version of the
 * library does not know (the message names the unknown part), or if a check of the shards would
 * take too long; INVALID_PLACEMENT if the string of a placement is wrong; OVERLAP, GAP,
 * OUT_OF_BOUNDS or NDIM_MISMATCH if the shards do not fit the tensor; NULL_ARGUMENT, OVERFLOW,
 * OUT_OF_MEMORY. The error's `index` is the position of the first byte of the wrong value.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_from_bytes(
    const uint8_t *bytes, size_t byte_count, shardspec_metadata **out, shardspec_error *err);

/** A plan, behind a handle. The object is immutable. Free the handle with `shardspec_plan_free`. */
typedef struct shardspec_plan shardspec_plan;

/**
 * Writes a summary of a plan to `buffer` as JSON. The summary has the numbers of pieces, messages
 * and elements of the plan. A message is all data that moves from one owner to another. The
 * summary also has the number of elements that move between each pair of owners. If the plan's
 * layouts state an element type, the summary also has the numbers of bytes. The summary is for
 * people, and for programs that show a plan. No function of the library reads a summary.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); OVERFLOW if a number of bytes does not fit in 64 bits; INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_to_json(
    const shardspec_plan *plan, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/* ================================================================================================
 * The arithmetic of chunks.
 *
 * Source: `get_split_size`, `get_chunked_dim_size` and `get_chunk_sharding_params` of
 * `torch.distributed._shard.sharding_spec._internals`.
 */

/**
 * Writes to `*out` the size of a full chunk of a dimension. The dimension has `dim_size` elements
 * and is cut into `chunk_count` chunks. The size of a full chunk is ceil(dim_size / chunk_count).
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `dim_size` is negative or `chunk_count` is below 1; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_chunk_split_size(
    int64_t dim_size, int64_t chunk_count, int64_t *out, shardspec_error *err);

/**
 * Writes to `*out` the size of chunk `index` of a dimension. The dimension has `dim_size` elements
 * and is cut into chunks of `split_size` elements. The last chunk may be shorter. Chunks past the
 * end of the dimension have size 0.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a number is negative; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_chunk_dim_size(
    int64_t dim_size, int64_t split_size, int64_t index, int64_t *out, shardspec_error *err);

/**
 * Writes the offset and the size of the chunk that a chunk spec gives to the rank `rank`. The
 * dimension of the spec has `dim_size` elements and is cut into `world_size` chunks. Chunk i
 * belongs to the spec's placement i. If several placements are on `rank`, the function uses the
 * first one. For an empty chunk, the function writes the offset `dim_size`. In metadata that the
 * spec builds, the offset of the same chunk may be larger than `dim_size`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if no placement is on `rank`; WRONG_SPEC_TYPE if the spec is not a chunk spec;
 * INVALID_ARGUMENT if `dim_size` is negative or `world_size` is below 1; INVALID_HANDLE,
 * NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_chunk_sharding_params(
    const shardspec_spec *spec, int64_t dim_size, int64_t world_size, int64_t rank, int64_t *offset,
    int64_t *size, shardspec_error *err);

/* ================================================================================================
 * Queries: which shards own an element, share an element with a box, or belong to an owner.
 *
 * An element has two descriptions. The first description is the index of the element in the
 * tensor, with one number for each dimension. The second description is a shard and an index in
 * that shard. The first query for an element or a box builds a search tree over the n shards of
 * the metadata, in about n * log(n) time. The metadata keeps this tree. Each later query for an
 * element or a box takes about log(n) time, plus time in proportion to the length of its answer. A
 * query for the shards of a rank or owner takes time in proportion to n.
 */

/**
 * Writes into `indices` the indices of the shards that share an element with a box, in ascending
 * order. For a box of one element, the result is the list of all shards that own the element. The
 * first of these shards is the primary owner of the element.
 *
 * `offsets` and `sizes` hold `ndim` numbers >= 0 each. The box may reach past the end of the
 * tensor. For an empty box, the list of shards is empty. `indices` has room for `capacity`
 * numbers. `*needed` becomes the number of shards. `needed` may be NULL. With capacity 0, only
 * `*needed` is written, and `indices` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_ARGUMENT if a
 * number is negative; BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shards_in_box(
    const shardspec_metadata *metadata, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    size_t *indices, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes to `*out` the index of the shard that owns an element. `element` holds the `ndim` numbers
 * of the element's index. For an element of several replicas, the result is the primary owner: the
 * shard with the lowest index. `shardspec_metadata_shards_in_box` returns all shards that own an
 * element.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if the element is outside of the tensor (the error has the dimension,
 * the index and the limit); NDIM_MISMATCH if the tensor does not have `ndim` dimensions;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shard_at(
    const shardspec_metadata *metadata, const int64_t *element, size_t ndim, size_t *out,
    shardspec_error *err);

/**
 * Writes the replica number of a shard to `*number`. Two shards count as equal if they have the
 * same elements at the same places of their buffers. The replica number is the number of equal
 * shards with a lower index. `*primary` becomes the lowest index among this shard and all shards
 * that are equal to it. A program that writes or reads each element once uses only shards with
 * replica number 0. For a shard without elements, the replica number is 0, and `*primary` becomes
 * the index of the shard itself. `number` and `primary` may be NULL.
 *
 * Time: n * log(n) for n shards in the first call, if the metadata has replicas. The metadata
 * keeps the result for later calls.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_replica(
    const shardspec_metadata *metadata, size_t shard, size_t *number, size_t *primary,
    shardspec_error *err);

/**
 * For each of `element_count` elements, writes the index of the shard that owns the element, and
 * the element's index in the buffer of that shard. For an element of several replicas, the shard
 * is the primary owner: the replica with the lowest index.
 *
 * `elements` holds one row for each element, with one number for each dimension of the tensor.
 * `shards` has room for `element_count` numbers. `local_indices` has room for `element_count`
 * rows, with one number for each dimension of the shards' buffers
 * (`shardspec_metadata_buffer_ndim`). `shards` and `local_indices` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if an element is outside of the tensor (the error has the dimension,
 * the index, the limit and the element's position in `elements`); INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_locate(
    const shardspec_metadata *metadata, const int64_t *elements, size_t element_count,
    size_t *shards, int64_t *local_indices, shardspec_error *err);

/**
 * For each of `element_count` elements, writes the element's index in the tensor. For each
 * element, the caller passes a shard and the element's index in the shard's buffer. The function
 * is the inverse of `shardspec_metadata_locate`.
 *
 * `shards` holds one number for each element. `local_indices` holds one row for each element, with
 * one number for each dimension of the shards' buffers. `elements` has room for `element_count`
 * rows, with one number for each dimension of the tensor.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a shard does not exist or an index is outside of the shard's
 * buffer (the error has the dimension, the index, the limit and the element's position in
 * `shards`); NOT_FOUND if an index is inside of a hole, because a hole has no elements;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_globalize(
    const shardspec_metadata *metadata, const size_t *shards, const int64_t *local_indices,
    size_t element_count, int64_t *elements, shardspec_error *err);

/**
 * Writes into `indices` the indices of the shards that `rank` owns, in ascending order. A rank may
 * own no shards.
 *
 * `indices` has room for `capacity` numbers. `*needed` becomes the number of shards. `needed` may
 * be NULL. With capacity 0, only `*needed` is written, and `indices` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shards_of_rank(
    const shardspec_metadata *metadata, int64_t rank, size_t *indices, size_t capacity,
    size_t *needed, shardspec_error *err);

/**
 * Writes into `indices` the indices of an owner's shards, in ascending order.
 *
 * An `owner` text without a device, such as "rank:1" or "trainer0", selects the owner's shards on
 * all devices. A text with a device, such as "rank:1/cuda:0", selects the owner's shards on that
 * device. A text with only a device, such as "cuda:0", selects the shards with exactly this
 * placement.
 *
 * `indices` has room for `capacity` numbers. `*needed` becomes the number of shards. `needed` may
 * be NULL. With capacity 0, only `*needed` is written, and `indices` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `owner` is not valid UTF-8; INVALID_PLACEMENT, BUFFER_TOO_SMALL,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shards_of_owner(
    const shardspec_metadata *metadata, const char *owner, size_t *indices, size_t capacity,
    size_t *needed, shardspec_error *err);

/* ================================================================================================
 * Shards that are not boxes.
 *
 * A dim map lists the indices that a shard has in one dimension. The indices are in the order of
 * the shard's buffer. A dim map is a list of stretches. A stretch is `count` blocks of `length`
 * neighbouring indices. The blocks are at equal distances in the tensor, and at equal distances in
 * the buffer. For a block-cyclic dimension of any size, a dim map needs one stretch, or two
 * stretches if the last block is shorter. Holes are places of the buffer that no stretch covers. A
 * hole holds no element. The elements of a shard are all combinations of the indices in its dim
 * maps. A box has one block without holes in every dimension.
 *
 * Neighbouring dimensions of a tensor may be flattened. Flattened shards have one dimension
 * instead of these dimensions, with the elements in row-major order. Shards may be replicas if the
 * argument `replicas` of `shardspec_metadata_new_from_shards` is not 0.
 */

/**
 * A value in the argument `map_numbers` of `shardspec_shards_new_with_dim_maps`. With this value,
 * the shard has an interval instead of a dim map in the dimension. An interval is one block of
 * indices without holes.
 */
#define SHARDSPEC_INTERVAL 4294967295u

typedef struct shardspec_stretch shardspec_stretch;

/**
 * A stretch: `count` blocks of `length` neighbouring indices of one dimension. Block `i` starts at
 * index `global_start + i * global_step` of the tensor and at place `local_start + i * local_step`
 * of the shard's buffer. Starts are >= 0, and `length` and `count` are >= 1. If `count` is above
 * 1, both steps are >= `length`. If `count` is 1, the library ignores the steps that the caller
 * passes, and returns steps that equal `length`. If both steps equal `length`, the blocks are one
 * block, and the library returns this block with `count` 1.
 */
struct shardspec_stretch {
  /** The first index in the tensor. */
  int64_t global_start;
  /** The first place in the buffer. */
  int64_t local_start;
  /** Number of neighbouring indices of a block. */
  int64_t length;
  /** Number of blocks. */
  int64_t count;
  /** Distance in the tensor from the start of one block to the start of the next block. */
  int64_t global_step;
  /** Distance in the buffer from the start of one block to the start of the next block. */
  int64_t local_step;
};

/**
 * Creates a copy of the list `shards`. In the copy, some dimensions of some shards have a dim map
 * instead of an interval.
 *
 * `map_numbers` has one number for each dimension of each shard, shard after shard. Each number is
 * the index of a dim map, counted from 0, or `SHARDSPEC_INTERVAL` to keep the interval. Dim map
 * `i` consists of the stretches `map_ends[i - 1]` (0 for the first dim map) to `map_ends[i] - 1`.
 * Two stretches of one dim map must not share an index or a place in the buffer. The sizes in
 * `shards` are the lengths of the buffers, holes included. All dimensions that use one dim map
 * must have the same size in `shards`. In a dimension with a dim map, only the dim map says which
 * indices the shard has. Any offset in `shards` is allowed in this dimension, and the copy has the
 * same offset.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`. The caller may free
 * `shards` before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if stretches overlap, reach past the end of the buffer or have
 * impossible numbers, or if `map_ends` are not in order; INDEX_OUT_OF_RANGE if a map number is too
 * large; SHAPE_MISMATCH if dimensions of different sizes use one dim map; INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. The error's `index` is the position of the stretch, map or number
 * in its array.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_with_dim_maps(
    const shardspec_shards *shards, const shardspec_stretch *stretches, size_t stretch_count,
    const size_t *map_ends, size_t map_count, const uint32_t *map_numbers, shardspec_shards **out,
    shardspec_error *err);

/**
 * Creates a copy of the list `shards` for a tensor with flattened dimensions. The `ndim` numbers
 * in `sizes` are the sizes of the tensor before flattening. The dimensions `first_dim` to
 * `first_dim + dim_count - 1` become one dimension, in row-major order. The shards in `shards`
 * must have `ndim - dim_count + 1` dimensions.
 *
 * Ownership: the caller frees `*out`. The caller may free `shards` before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM if the tensor does not have these dimensions; INVALID_ARGUMENT if
 * `dim_count` is below 2, a size is negative or the shards are flattened already; NDIM_MISMATCH if
 * the shards do not have `ndim - dim_count + 1` dimensions; OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_flattened(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim, size_t first_dim,
    size_t dim_count, shardspec_shards **out, shardspec_error *err);

/**
 * Creates the metadata of a tensor from a list of shards. `sizes` holds the `ndim` sizes of the
 * tensor. The shards must cover the tensor. Each shard needs a placement. `properties` may be
 * NULL.
 *
 * With `replicas` 0, shards must not overlap. With any other value, shards may overlap. The first
 * shard that holds an element is the primary owner of the element. A gather or a plan reads each
 * element once. A scatter writes every replica of an element.
 *
 * Ownership: the caller frees `*out`. The caller may free `shards` before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: OVERLAP if shards overlap and `replicas` is 0; GAP if the shards do not cover the tensor
 * (the message names a box); SHAPE_MISMATCH if the shards are flattened for a tensor of other
 * sizes; INVALID_ARGUMENT if a size is negative or `ndim` is above 32; NULL_ARGUMENT if a pointer
 * is NULL or a shard has no placement; UNSUPPORTED if replicas overlap in too many ways; OVERFLOW
 * if the number of elements does not fit in 64 bits; OUT_OF_BOUNDS, NDIM_MISMATCH, INVALID_HANDLE,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_from_shards(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim,
    const shardspec_tensor_properties *properties, int32_t replicas, shardspec_metadata **out,
    shardspec_error *err);

/**
 * Writes into `stretches` the stretches that shard `shard` has in dimension `dim`, in the order of
 * the shard's buffer. An interval of indices is one stretch with one block. If the shard is empty
 * in this dimension, there is no stretch.
 *
 * `stretches` has `capacity` elements, one for each stretch. `*needed` becomes the number of
 * stretches. `needed` may be NULL. With capacity 0, only `*needed` is written, and `stretches` may
 * be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_get_stretches(
    const shardspec_shards *shards, size_t shard, size_t dim, shardspec_stretch *stretches,
    size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes into `stretches` the stretches that shard `shard` of the metadata has in dimension `dim`,
 * in the order of the shard's buffer. An interval of indices is one stretch with one block. If the
 * shard is empty in this dimension, there is no stretch.
 *
 * `stretches` has `capacity` elements, one for each stretch. `*needed` becomes the number of
 * stretches. `needed` may be NULL. With capacity 0, only `*needed` is written, and `stretches` may
 * be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_get_stretches(
    const shardspec_metadata *metadata, size_t shard, size_t dim, shardspec_stretch *stretches,
    size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes all dim maps of a list of shards. If the indices of a shard in a dimension form one
 * interval, the shard has no dim map for this dimension. The outputs have the form that
 * `shardspec_shards_new_with_dim_maps` accepts.
 *
 * `stretches` receives the stretches of all dim maps. `map_ends[i]` becomes the position in
 * `stretches` after the last stretch of dim map i. `map_numbers` receives one number for each
 * dimension of each shard: the index of the dimension's dim map. For a dimension without a dim
 * map, the number is `SHARDSPEC_INTERVAL`. `*needed_stretches` becomes the number of stretches,
 * and `*needed_maps` becomes the number of dim maps. `needed_stretches` and `needed_maps` may be
 * NULL. `stretches`, `map_ends` and `map_numbers` may be NULL. The function ignores the capacity
 * of a NULL array.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_get_dim_maps(
    const shardspec_shards *shards, shardspec_stretch *stretches, size_t stretch_capacity,
    size_t *map_ends, size_t map_capacity, uint32_t *map_numbers, size_t number_capacity,
    size_t *needed_stretches, size_t *needed_maps, shardspec_error *err);

/**
 * Writes 1 to `*out` if every shard of a list is a box of the tensor, else 0. If dimensions are
 * flattened, the result is 0.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_are_boxes(
    const shardspec_shards *shards, int32_t *out, shardspec_error *err);

/**
 * Writes 1 to `*out` if shard `shard` of the metadata is a box of the tensor, else 0. If
 * dimensions are flattened, the result is 0.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_is_box(
    const shardspec_metadata *metadata, size_t shard, int32_t *out, shardspec_error *err);

/**
 * Writes which dimensions of the tensor are flattened into one dimension of the shards. The
 * flattened dimensions are the `*dim_count` dimensions from dimension `*first_dim` on. If no
 * dimensions are flattened, both numbers become 0. `first_dim` and `dim_count` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NULL_ARGUMENT if `metadata` is NULL; INVALID_HANDLE.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_get_flattening(
    const shardspec_metadata *metadata, size_t *first_dim, size_t *dim_count, shardspec_error *err);

/**
 * Creates a copy of `metadata` that also has a mesh. Shard i belongs to device i of the mesh. The
 * copy has the same shards as `metadata`. `partials` holds the axes of the mesh that are pending a
 * reduction. With `partial_count` 0, `partials` may be NULL.
 *
 * This function is for programs that rebuild metadata from data of another process.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`. The caller may free
 * `metadata` and `mesh` before `*out`.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the numbers of devices and shards differ, if the placements of a
 * device and its shard differ, if a name in `partials` is not the name of an axis or occurs twice,
 * or if two devices with different shards differ only in their coordinate on a partial axis;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_on_mesh(
    const shardspec_metadata *metadata, const shardspec_mesh *mesh,
    const shardspec_partial *partials, size_t partial_count, shardspec_metadata **out,
    shardspec_error *err);

/**
 * Creates a copy of `metadata` that has names for the dimensions. `dim_names` holds one text for
 * each of the `ndim` dimensions of the tensor.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`. The caller may free
 * `metadata` before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_ARGUMENT if a text
 * is not UTF-8; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_with_dim_names(
    const shardspec_metadata *metadata, const char *const *dim_names, size_t ndim,
    shardspec_metadata **out, shardspec_error *err);

/* ================================================================================================
 * Digests: numbers that show whether sharded tensors are equal.
 *
 * The digest of a tensor is the CRC-64/NVME of the bytes of its elements in row-major order. The
 * digest has 64 bits and does not depend on how the tensor is cut. A program can compare a model
 * on 4 ranks with the same model on 8 ranks. A program can also compare a copy with its source.
 *
 * Each process computes the contribution of its own shards to the digest. The bitwise XOR of all
 * contributions, in any order, is the digest of the tensor. An example with MPI:
 *
 *   uint64_t part, digest;
 *   shardspec_metadata_digest(metadata, indices, shards, shard_count, NULL, &part, &err);
 *   MPI_Allreduce(&part, &digest, 1, MPI_UINT64_T, MPI_BXOR, comm);
 *
 * A CRC detects damage: tensors with random differences have equal digests with a probability of
 * 2^-64. A CRC does not detect deliberate changes.
 */

/**
 * Computes the contribution of some shards to the digest of their tensor.
 *
 * `shards[i]` is shard `indices[i]` of the metadata. With `indices` NULL, `shards[i]` is shard i.
 * The views may have any strides. The bitwise XOR of the contributions of all shards is the
 * digest: the CRC-64/NVME of the tensor's bytes in row-major order. The contributions may come
 * from several calls and several processes, in any order. If you compute contributions in several
 * calls, pass each shard to exactly one call. Without shards, the contribution is 0. The digest of
 * a tensor without elements is 0.
 *
 * If several shards have the same element, the element counts in one shard only: in the shard that
 * `shardspec_metadata_gather` reads. The choice of this shard depends on the metadata alone.
 * Processes with equal metadata therefore make the same choice without a message. The digest does
 * not show whether the replicas of an element are equal. To compare replicas, compare the results
 * of `shardspec_metadata_shard_digests`. The function does not read the holes of shards.
 *
 * `options->max_threads` limits the number of threads. `options` may be NULL.
 *
 * Time: one pass over the elements that count. If shards are not boxes or share elements, the
 * function also makes a plan. The plan takes about n * log(n) for n shards of the metadata.
 * Ownership: the caller keeps the views and their memory.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
 * the tensor, a shard or a row of a view starts or ends inside of a byte; SHAPE_MISMATCH,
 * NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or NULL_ARGUMENT if a view does not fit its
 * shard (the error's `first_shard` is the shard's index, and `index` is the position in `shards`);
 * INVALID_ARGUMENT if a shard is passed twice; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. No other thread may write the shards during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_digest(
    const shardspec_metadata *metadata, const size_t *indices, const shardspec_tensor_view *shards,
    size_t shard_count, const shardspec_copy_options *options, uint64_t *out, shardspec_error *err);

/**
 * Computes one digest for each of `shard_count` shards. Replicas with the same elements have equal
 * digests if their values are equal.
 *
 * `shards[i]` is shard `indices[i]` of the metadata. With `indices` NULL, `shards[i]` is shard i.
 * `digests` has `shard_count` elements, one for each shard. `digests[i]` becomes the CRC-64/NVME
 * of the bytes of `shards[i]` in row-major order. The function does not read holes, and holes
 * count as zeros. Two shards with equal values at the same places have equal digests, also on
 * different ranks and with different strides. The digest of a shard without holes is equal to the
 * CRC-64/NVME of a file that holds the shard's bytes in row-major order.
 *
 * `options->max_threads` limits the number of threads. `options` may be NULL.
 *
 * Ownership: the caller keeps the views and their memory.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
 * a shard, or a row of a view, starts or ends inside of a byte; SHAPE_MISMATCH, NDIM_MISMATCH,
 * DTYPE_MISMATCH, UNSUPPORTED_DEVICE or NULL_ARGUMENT if a view does not fit its shard (the
 * error's `first_shard` is the shard's index, and `index` is the position in `shards`);
 * INVALID_ARGUMENT if a shard is passed twice; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. No other thread may write the shards during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shard_digests(
    const shardspec_metadata *metadata, const size_t *indices, const shardspec_tensor_view *shards,
    size_t shard_count, const shardspec_copy_options *options, uint64_t *digests,
    shardspec_error *err);

/**
 * Computes the contribution of all local shards of a sharded tensor to the digest of the tensor.
 *
 * Every shard of the metadata must be local in exactly one process. The bitwise XOR of the
 * contributions of all these processes is the digest: the CRC-64/NVME of the tensor's bytes in
 * row-major order. Without local shards, the contribution is 0. If several shards have the same
 * element, the element counts in one shard only. The choice of this shard depends on the metadata
 * alone. `options->max_threads` limits the number of threads. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
 * the tensor or a shard starts or ends inside of a byte; INVALID_ARGUMENT if `options` are
 * invalid; OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. No other thread may write the shards during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_digest(
    const shardspec_sharded_tensor *tensor, const shardspec_copy_options *options, uint64_t *out,
    shardspec_error *err);

/* ================================================================================================
 * Plans: the moves from one layout of a tensor to another.
 *
 * A plan describes how to move a tensor from one layout, the source, to another layout, the
 * destination. A plan is a list of pieces. A piece is a box of elements that moves from one source
 * shard to one destination shard. Pieces are ordered by destination shard, then by source shard,
 * then by their offsets, and numbered from 0. Every element of a destination shard is in exactly
 * one piece.
 *
 * The library can execute a plan on the shards of this process. The library can also write a plan
 * as runs of bytes (`shardspec_run`), which a custom transport can move. The creation of a plan
 * takes about n * log(n) time for n shards, plus time in proportion to the number of pieces.
 *
 * Source: the read items of torch's checkpoint planner, `create_read_items_for_chunk_list`.
 */

/**
 * Creates the plan from one layout of a tensor to another layout.
 *
 * Ownership: the caller frees `*out`. The caller may free both metadata objects before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or NDIM_MISMATCH if the two layouts are for tensors of different sizes;
 * DTYPE_MISMATCH if both layouts state an element type and the two types differ; PARTIAL if the
 * elements are pending a reduction; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_new(
    const shardspec_metadata *source, const shardspec_metadata *destination, shardspec_plan **out,
    shardspec_error *err);

/**
 * Creates the plan from one layout of a tensor to some shards of another layout, such as the
 * shards of one worker. `destination_indices` holds the indices of `destination_index_count`
 * destination shards, in any order.
 *
 * Ownership: the caller frees `*out`. The caller may free both metadata objects before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a destination index is too large; SHAPE_MISMATCH or NDIM_MISMATCH
 * if the two layouts are for tensors of different sizes; DTYPE_MISMATCH if both layouts state an
 * element type and the two types differ; PARTIAL if the elements are pending a reduction;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_new_for_destinations(
    const shardspec_metadata *source, const shardspec_metadata *destination,
    const size_t *destination_indices, size_t destination_index_count, shardspec_plan **out,
    shardspec_error *err);

/**
 * Creates the plan from a list of source shards to a list of destination shards. Source shards may
 * overlap, for example replicas. Source shards need not cover the tensor. Destination shards may
 * also overlap. Each of the two lists may be empty.
 *
 * Several source shards may hold the same element. If one of these shards has the same owner as
 * the destination shard, the plan reads the element from this shard. For each other element with
 * several source shards, the plan chooses an owner. The plan chooses the owners so that all owners
 * supply about equally many elements. A group is a set of elements of one destination shard that
 * the same source shards hold. The plan first divides each group that has more elements than one
 * owner's equal share. After this division, the plan assigns the groups to owners, the largest
 * groups first. Among the owners that hold a group, the plan chooses the owner that supplies the
 * fewest elements so far. If source shards overlap in very many ways, the plan uses fewer and
 * larger groups. Equal lists always make equal plans. `shardspec_plan_new_on_nodes` makes a plan
 * that prefers sources on the same node.
 *
 * Ownership: the caller frees `*out`. The caller may free both lists before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: GAP if some elements of a destination shard are in no source shard (the error's
 * `first_shard` is the index of this shard, and the message names a box of missing elements);
 * UNSUPPORTED if source shards overlap in too many ways, even for larger groups; OVERFLOW if the
 * number of elements of a destination shard does not fit in 64 bits; NDIM_MISMATCH,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_new_from_shards(
    const shardspec_shards *source, const shardspec_shards *destination, shardspec_plan **out,
    shardspec_error *err);

/**
 * Frees a plan. NULL is allowed.
 *
 * Ownership: the caller gives up `plan`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_plan_free(shardspec_plan *plan, shardspec_error *err);

/**
 * Writes the number of pieces to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_piece_count(
    const shardspec_plan *plan, size_t *out, shardspec_error *err);

/**
 * Writes the number of dimensions of the tensor to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_ndim(
    const shardspec_plan *plan, size_t *out, shardspec_error *err);

/**
 * Writes pieces `first_piece` to `first_piece + piece_count - 1` into flat arrays.
 *
 * `sources` and `destinations` receive the indices of the shards. The two arrays have
 * `piece_count` elements each, one for each piece. `source_offsets` receives the start of each
 * piece in the source shard's buffer. `destination_offsets` receives the start of each piece in
 * the destination shard's buffer. `sizes` receives the sizes of each piece. `source_offsets`,
 * `destination_offsets` and `sizes` have `piece_count` rows each, one row for each piece.
 * `shardspec_plan_ndims` returns the lengths of these rows, in the order of the three arrays. The
 * three lengths may differ only if some shards are not boxes. If a shard is not a box, its pieces
 * have steps (`shardspec_plan_piece_steps`). Each of the five arrays may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_pieces(
    const shardspec_plan *plan, size_t first_piece, size_t piece_count, size_t *sources,
    size_t *destinations, int64_t *source_offsets, int64_t *destination_offsets, int64_t *sizes,
    shardspec_error *err);

/**
 * Writes the numbers of dimensions of the source shards' buffers, of the destination shards'
 * buffers and of the plan's pieces. The three numbers are equal if all shards are boxes. If a
 * shard is not a box, a piece may have more dimensions than the buffers.
 * `shardspec_plan_piece_steps` returns the buffer's dimension for each dimension of a piece.
 * `source`, `destination` and `piece` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_ndims(
    const shardspec_plan *plan, size_t *source, size_t *destination, size_t *piece,
    shardspec_error *err);

/**
 * Writes the steps of pieces `first_piece` to `first_piece + piece_count - 1`. A step says how far
 * two neighbouring elements of a piece are apart in a buffer. Steps count indices of one dimension
 * of the buffer.
 *
 * `source_dims` and `destination_dims` receive one number for each dimension of the pieces. Number
 * k is the buffer's dimension that matches dimension k of the pieces. All pieces have the same
 * matching dimensions. `source_steps` and `destination_steps` have `piece_count` rows each, with
 * one number for each dimension of the pieces. Number k of a row is the step for dimension k of
 * the piece. If an index in dimension k of the piece grows by 1, the index in the matching
 * dimension of the buffer grows by this step.
 *
 * Let `i[k]` be the index of an element in dimension k of a piece. In the source's buffer, the
 * element also has an index in each dimension d. The index in d is the source offset of the piece
 * in d, plus `i[k] * source_steps[k]` for each k with `source_dims[k] == d`. In this formula,
 * `source_steps` is the row of the piece. The formula for the destination's buffer has
 * `destination_steps` and `destination_dims`. If all shards are boxes, dimension k of a piece
 * matches dimension k of both buffers, and every step is 1. Each of the four arrays may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_piece_steps(
    const shardspec_plan *plan, size_t first_piece, size_t piece_count, size_t *source_dims,
    size_t *destination_dims, int64_t *source_steps, int64_t *destination_steps,
    shardspec_error *err);

/**
 * Finds the pieces of the destination shard `destination`. `*first_piece` becomes the index of
 * the shard's first piece. `*piece_count` becomes the number of the shard's pieces. The pieces of
 * a destination shard are consecutive.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_pieces_of_destination(
    const shardspec_plan *plan, size_t destination, size_t *first_piece, size_t *piece_count,
    shardspec_error *err);

/**
 * Writes 1 to `*out` if the source and the destination of every piece have the same owner, else 0.
 * If the result is 1, nothing moves between processes. An owner is a rank or a worker. The
 * function ignores devices.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_is_local(
    const shardspec_plan *plan, int32_t *out, shardspec_error *err);

/**
 * Compares each destination shard with the source shard of the same index. Writes 1 to `*out` if
 * all boxes and all placements are equal, else 0. If the result is 1, no element moves.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_is_identity(
    const shardspec_plan *plan, int32_t *out, shardspec_error *err);

/**
 * Creates a plan for the same shards as `plan`, for ranks on several nodes. Rank r is on node
 * `nodes[r]`. The function does not change `plan`.
 *
 * Several source shards may hold the same element. If one of these shards has the same owner as
 * the destination shard, the new plan reads the element from this source shard. If not, the
 * candidates are the source shards with this element on the node of the destination shard. If
 * there are no such shards, all source shards with this element are candidates. Among several
 * candidates, the new plan chooses the owner that supplies the fewest elements so far. If no
 * source shards overlap, the new plan has the same pieces as `plan`.
 *
 * `nodes` has `node_count` numbers. Ranks on the same node have equal numbers. A negative number
 * means that the node of the rank is unknown. Ranks from `node_count` on also have an unknown
 * node. An owner with an unknown node counts as the only owner on its node. The index r in
 * `nodes[r]` is the rank of a placement. `shardspec_comm_node` returns the nodes of a
 * communicator's ranks.
 *
 * If ranks move a tensor by a plan from this function (`shardspec_comm_tensor`), all ranks must
 * pass plans that read the same sources. If the plans differ, all ranks return DISAGREEMENT.
 *
 * Ownership: the caller frees `*out`. The caller may free `plan` and `nodes` before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if source shards overlap in so many ways that the plan would take too long;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_new_on_nodes(
    const shardspec_plan *plan, const int64_t *nodes, size_t node_count, shardspec_plan **out,
    shardspec_error *err);

/**
 * Copies elements from source shards to destination shards of this process. The plan defines which
 * elements the function copies. The function allocates no memory for data.
 *
 * `sources[i]` is source shard `source_indices[i]`. With `source_indices` NULL, `sources[i]` is
 * source shard i. `destinations[i]` is destination shard `destination_indices[i]`. With
 * `destination_indices` NULL, `destinations[i]` is destination shard i. The function writes all
 * elements of every destination that the caller passes. The caller must pass all source shards
 * that the destinations need. The function ignores all other source shards. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the caller does not pass a source that a destination needs, or if the plan
 * does not include a destination; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or
 * UNSUPPORTED_DEVICE if a view does not fit its shard (the error's `first_shard` is the index of
 * the shard, and `index` is its position in `sources` or `destinations`); ALIASED if a destination
 * shares memory with a source or with another destination; UNSUPPORTED if so many source elements
 * have equal addresses that the check for ALIASED would take longer than the copy;
 * INVALID_ARGUMENT if a shard is passed twice or `options` are invalid; INDEX_OUT_OF_RANGE,
 * OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
 * Threads: any. During the call, no other thread may write the sources or use the destinations.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_execute(
    const shardspec_plan *plan, const size_t *source_indices, const shardspec_tensor_view *sources,
    size_t source_count, const size_t *destination_indices,
    const shardspec_tensor_view *destinations, size_t destination_count,
    const shardspec_copy_options *options, shardspec_error *err);

/**
 * Copies elements from the local shards of `source` to the local shards of `destination`. The plan
 * defines which elements the function copies. `source` must have the source layout of the plan,
 * and `destination` must have the destination layout. The function compares whole layouts, because
 * shards with equal shapes may have different elements. For example, two shards of a fused QKV
 * weight may have equal shapes and different rows. `options` may be NULL.
 *
 * The function writes all elements of every local shard of `destination`. All source shards that
 * these destination shards need must be local shards of `source`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a tensor has another layout than the plan (the message has the
 * fingerprints of both layouts, see `shardspec_plan_fingerprints`); NOT_FOUND if a source that a
 * destination needs is not local, or if the plan does not include a destination; ALIASED if the
 * tensors share memory; UNSUPPORTED if so many source elements have equal addresses that the check
 * for ALIASED would take longer than the copy; DTYPE_MISMATCH, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
 * Threads: any. During the call, no other thread may write `source` or use `destination`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_execute_sharded_tensors(
    const shardspec_plan *plan, const shardspec_sharded_tensor *source,
    const shardspec_sharded_tensor *destination, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Writes the fingerprints of the two layouts of the plan. A fingerprint is a hash of 64 bits. A
 * fingerprint depends on the indices of each shard's elements, on the order of these elements in
 * the shard's buffer, and on the placements. Equal layouts have equal fingerprints in all
 * processes that use the same version of the library. Before the execution of a stored plan,
 * compare these fingerprints with the fingerprints of the two metadata objects
 * (`shardspec_metadata_fingerprint`).
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_fingerprints(
    const shardspec_plan *plan, uint64_t *source, uint64_t *destination, shardspec_error *err);

/* ================================================================================================
 * Traffic of a plan: amounts for cost reports, and runs of bytes for custom transports.
 *
 * These functions assume that the buffer of every shard is row-major and contiguous. A run is a
 * list of blocks of bytes. The blocks have equal lengths, and are at equal distances. The runs
 * from a source to a destination describe all bytes that move between the two. Block k of a run at
 * the source moves to block k of the run at the destination. A sender packs all blocks of the
 * first run, then all blocks of the second run, and so on. The receiver unpacks the blocks of the
 * same runs in the same order. Runs suit `preadv`, MPI's `MPI_Type_create_hvector` and RDMA. For
 * sources in files, a program can use reads (`shardspec_read`) instead of runs. A run has only
 * needed bytes. A read may also have gaps: if needed bytes are near each other, one read gets
 * these bytes and the gaps between them.
 *
 * Ranks in the functions of this section are ranks of placements. Rank -1 stands for all
 * placements without a rank.
 */

typedef struct shardspec_run shardspec_run;

/**
 * A run: `block_count` blocks of `block_length` bytes that move from one buffer to another. Source
 * blocks start at `source_offset`, `source_offset + source_stride` and so on. Destination blocks
 * start at `destination_offset`, `destination_offset + destination_stride` and so on. All offsets,
 * strides and lengths are in bytes. If a run has one block, both strides are 0.
 */
struct shardspec_run {
  /** The source shard's index. */
  size_t source;
  /** The destination shard's index. */
  size_t destination;
  /** Offset of the first block in the source shard's buffer. */
  int64_t source_offset;
  /**
   * Distance in the source shard's buffer from the start of one block to the start of the next
   * block.
   */
  int64_t source_stride;
  /** Offset of the first block in the destination shard's buffer. */
  int64_t destination_offset;
  /**
   * Distance in the destination shard's buffer from the start of one block to the start of the
   * next block.
   */
  int64_t destination_stride;
  /** Number of bytes of a block, at least 1. */
  int64_t block_length;
  /** Number of blocks, at least 1. */
  int64_t block_count;
};

/**
 * Writes how many bytes move between each pair of a source shard and a destination shard. The
 * function leaves out pairs without traffic. Pairs with traffic are ordered by destination, then
 * by source.
 *
 * `sources`, `destinations` and `byte_counts` have `capacity` elements each, one for each pair.
 * Each of the three arrays may be NULL. `*needed` becomes the number of pairs. `needed` may be
 * NULL. With `capacity` 0, the function writes only `*needed`. `itemsize` is the number of bytes
 * of an element. With `itemsize` 0, the element type of the plan's layouts determines the size. If
 * elements are packed, the function rounds the number of bits of each pair up to whole bytes.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `itemsize` is negative, is positive and differs from the size of the
 * stated element type, or is 0 and no element type is stated; BUFFER_TOO_SMALL, OVERFLOW,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_shard_traffic(
    const shardspec_plan *plan, int64_t itemsize, size_t *sources, size_t *destinations,
    int64_t *byte_counts, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes how many bytes move between each pair of a source rank and a destination rank. The result
 * includes bytes that stay on one rank. The function leaves out pairs without traffic. Pairs with
 * traffic are ordered by source, then by destination.
 *
 * `source_ranks`, `destination_ranks` and `byte_counts` have `capacity` elements each, one for
 * each pair. Each of the three arrays may be NULL. `*needed` becomes the number of pairs. `needed`
 * may be NULL. With `capacity` 0, the function writes only `*needed`. `itemsize` is the number of
 * bytes of an element. With `itemsize` 0, the element type of the plan's layouts determines the
 * size. If elements are packed, the function rounds the number of bits of each pair up to whole
 * bytes.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `itemsize` is negative, is positive and differs from the size of the
 * stated element type, or is 0 and no element type is stated; BUFFER_TOO_SMALL, OVERFLOW,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_rank_traffic(
    const shardspec_plan *plan, int64_t itemsize, int64_t *source_ranks, int64_t *destination_ranks,
    int64_t *byte_counts, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes to `runs` all runs that move bytes from source shard `source` to destination shard
 * `destination`.
 *
 * `runs` has room for `capacity` runs. `*needed` becomes the number of runs. `needed` may be NULL.
 * With capacity 0, only `*needed` is written, and `runs` may be NULL. `itemsize` is the number of
 * bytes of an element. With `itemsize` 0, the element type of the plan's layouts determines the
 * size.
 *
 * Time: with `capacity` 0, proportional to the number of pieces between the two shards. With
 * `capacity` 0, the function allocates no memory for runs.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a shard does not exist; UNSUPPORTED if elements are packed and a
 * run would start or end inside of a byte; INVALID_ARGUMENT if `itemsize` is negative, is positive
 * and differs from the size of the stated element type, or is 0 and no element type is stated;
 * BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_shard_runs(
    const shardspec_plan *plan, size_t source, size_t destination, int64_t itemsize,
    shardspec_run *runs, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes to `runs` all runs that move bytes from `source_rank` to `destination_rank`. The two
 * ranks may be equal. Runs are in the order of the plan's pieces. If the ranks exchange no bytes,
 * `*needed` becomes 0.
 *
 * `runs` has room for `capacity` runs. `*needed` becomes the number of runs. `needed` may be NULL.
 * With capacity 0, only `*needed` is written, and `runs` may be NULL. `itemsize` is the number of
 * bytes of an element. With `itemsize` 0, the element type of the plan's layouts determines the
 * size.
 *
 * Time: with `capacity` 0, proportional to the number of pieces between the two ranks. With
 * `capacity` 0, the function allocates no memory for runs. The first call for a plan also sorts
 * all pieces of the plan by their ranks. The plan keeps the sorted list for later calls.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a rank is below -1; UNSUPPORTED if elements are packed and a run
 * would start or end inside of a byte; INVALID_ARGUMENT if `itemsize` is negative, is positive and
 * differs from the size of the stated element type, or is 0 and no element type is stated;
 * BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_rank_runs(
    const shardspec_plan *plan, int64_t source_rank, int64_t destination_rank, int64_t itemsize,
    shardspec_run *runs, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Suggests a permutation of the destination's placements. With this permutation, as few elements
 * as possible change owners. If several permutations are equally good, the result changes the
 * fewest placements.
 *
 * `placement_indices` receives one number for each of the destination's different placements, in
 * the order of `shardspec_metadata_placement_text`. Number i is the index of the suggested new
 * placement for all shards with placement i. `shardspec_metadata_relabel` accepts this array. The
 * array has room for `capacity` numbers. `*needed` becomes the number of placements. `needed` may
 * be NULL. With capacity 0, `placement_indices` may be NULL. `*moved_before` becomes the number of
 * elements that change owners without the suggestion. `*moved_after` becomes the number of
 * elements that change owners with the suggestion. `moved_before` and `moved_after` may be NULL.
 *
 * Time: at worst p * (e + p) * log(p) for p placements. The number e counts the pairs of a
 * destination placement and a source owner that have elements in common.
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: Jonker and Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear
 * Assignment Problems", 1987.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_suggest_placements(
    const shardspec_plan *plan, uint32_t *placement_indices, size_t capacity, size_t *needed,
    int64_t *moved_before, int64_t *moved_after, shardspec_error *err);

/**
 * Creates a copy of `metadata` with other placements. In the copy, shards with placement i get
 * placement `placement_indices[i]` of `metadata`. Placements are numbered from 0, in the order of
 * their first appearance in the list of shards. `placement_count` is the number of placements.
 *
 * Ownership: the caller frees `*out`. The caller may free `metadata` before `*out`.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `placement_count` is wrong; INDEX_OUT_OF_RANGE, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_relabel(
    const shardspec_metadata *metadata, const uint32_t *placement_indices, size_t placement_count,
    shardspec_metadata **out, shardspec_error *err);

typedef struct shardspec_merge_options shardspec_merge_options;

/**
 * Rules that decide when one read gets several needed parts of a source. A field that is 0 has its
 * default value. `shardspec_checkpoint_read` has the same defaults. No option changes which bytes
 * are needed.
 */
struct shardspec_merge_options {
  /** `sizeof(shardspec_merge_options)`. */
  uint64_t struct_size;
  /**
   * If the gap between two needed parts of a source has at most this many bytes, one read gets
   * both parts and the gap. 0 means 4096. A negative number means that only `over_read` decides.
   */
  int64_t max_gap;
  /**
   * A read also includes a gap above `max_gap` if the read, with the gap, has at most
   * `over_read` times the number of its needed bytes. 0 means 2.0. With 1.0, only `max_gap`
   * decides.
   */
  double over_read;
  /** Maximum number of bytes of a read that gets several needed parts. 0 means 2 MiB. */
  int64_t max_read;
};

/**
 * Initialises options with the default rules for the merging of reads: `shardspec_merge_options options = SHARDSPEC_MERGE_OPTIONS_INIT;`
 */
#define SHARDSPEC_MERGE_OPTIONS_INIT { sizeof(shardspec_merge_options), 0, 0, 0 }

typedef struct shardspec_read shardspec_read;

/** A read: contiguous bytes of a source shard's buffer, and the runs that need these bytes. */
struct shardspec_read {
  /** The source shard's index. */
  size_t source;
  /** Offset of the first byte in the source shard's buffer. */
  int64_t offset;
  /** Number of bytes, at least 1. */
  int64_t length;
  /** The index of the first run of this read in the array of runs. */
  size_t first_run;
  /** Number of runs of this read, at least 1. */
  size_t run_count;
};

/**
 * Lists the reads that get all bytes that move from source shard `source` to destination shard
 * `destination`. A read (`shardspec_read`) is a range of contiguous bytes of the source shard.
 * `shardspec_plan_shard_runs` lists the same bytes as runs. One read can get several runs. Use
 * reads if the source shard is in a file or on another machine.
 *
 * `reads` receives the reads, ordered by their offsets. `runs` receives the runs of all reads, in
 * the order of the reads. The `source_offset` of a run counts from the first byte of the run's
 * read, and not from the start of the source shard's buffer. If the options do not allow one read
 * for a whole run, the function divides the run between several reads. With `options` NULL, the
 * function uses the defaults. `itemsize` is the number of bytes of an element. With `itemsize` 0,
 * the function uses the element type that the plan's layouts state.
 *
 * `*needed_reads` becomes the number of reads, and `*needed_runs` becomes the number of runs.
 * `needed_reads` and `needed_runs` may be NULL. `reads` and `runs` may be NULL. The function
 * ignores the capacity of a NULL array.
 *
 * Memory: the function allocates memory for all runs, also if `reads` and `runs` are NULL.
 * Time: n * log(n) for n runs.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a shard does not exist; UNSUPPORTED if elements are packed and a
 * run starts or ends inside of a byte; INVALID_ARGUMENT if an option is out of range, or if
 * `itemsize` is negative, differs from the size of the stated element type, or is 0 and no element
 * type is stated; BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_shard_reads(
    const shardspec_plan *plan, size_t source, size_t destination, int64_t itemsize,
    const shardspec_merge_options *options, shardspec_read *reads, size_t read_capacity,
    shardspec_run *runs, size_t run_capacity, size_t *needed_reads, size_t *needed_runs,
    shardspec_error *err);

/**
 * Lists the reads that get all bytes that move from `source_rank` to `destination_rank`. A read
 * (`shardspec_read`) is a range of contiguous bytes of a source shard. `shardspec_plan_rank_runs`
 * lists the same bytes as runs. One read can get several runs. Use reads if source shards are in
 * files or on other machines.
 *
 * `reads` receives the reads, ordered by source shard, then by their offsets. `runs` receives the
 * runs of all reads, in the order of the reads. The `source_offset` of a run counts from the first
 * byte of the run's read, and not from the start of the source shard's buffer. If the options do
 * not allow one read for a whole run, the function divides the run between several reads. With
 * `options` NULL, the function uses the defaults. `itemsize` is the number of bytes of an element.
 * With `itemsize` 0, the function uses the element type that the plan's layouts state.
 *
 * `*needed_reads` becomes the number of reads, and `*needed_runs` becomes the number of runs.
 * `needed_reads` and `needed_runs` may be NULL. `reads` and `runs` may be NULL. The function
 * ignores the capacity of a NULL array.
 *
 * Memory: the function allocates memory for all runs, also if `reads` and `runs` are NULL.
 * Time: n * log(n) for n runs.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a rank is below -1; UNSUPPORTED if elements are packed and a run
 * starts or ends inside of a byte; INVALID_ARGUMENT if an option is out of range, or if `itemsize`
 * is negative, differs from the size of the stated element type, or is 0 and no element type is
 * stated; BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_rank_reads(
    const shardspec_plan *plan, int64_t source_rank, int64_t destination_rank, int64_t itemsize,
    const shardspec_merge_options *options, shardspec_read *reads, size_t read_capacity,
    shardspec_run *runs, size_t run_capacity, size_t *needed_reads, size_t *needed_runs,
    shardspec_error *err);

/* ================================================================================================
 * Pictures of layouts and plans.
 *
 * A picture shows the owners of a tensor's elements, the elements that change their owner between
 * two layouts, or the traffic of a plan. A picture is either text for a terminal, or an SVG
 * document.
 *
 *   static char picture[SHARDSPEC_MAX_PICTURE_SIZE];    // 256 KiB: too much for some stacks
 *   if (shardspec_metadata_draw(metadata, NULL, picture, sizeof picture, NULL, &err) == 0)
 *     puts(picture);
 *
 * A picture as text has a frame around each area of elements with the same owners. The numbers at
 * the frame are indices of the tensor. After the frames, a list has each owner and the number of
 * its elements. An SVG shows the same areas, numbers and owners. In an SVG, each owner also has a
 * colour and a hatching. The hatching helps readers who can't distinguish colours.
 *
 * If the picture has no room to show each shard in its own cell, the picture has two parts. In the
 * first part, a cell stands for several shards. The second part shows the beginning of the tensor
 * with one shard in each cell. No picture has more than `SHARDSPEC_MAX_PICTURE_SIZE` bytes.
 *
 * The library reads no environment variables to draw a picture. The caller must check whether the
 * terminal has colours, for example with `isatty` and the variable `NO_COLOR`.
 */

/** Maximum number of bytes of a picture, with its NUL. */
#define SHARDSPEC_MAX_PICTURE_SIZE 262144
/** Lines of text, in UTF-8 or ASCII. */
#define SHARDSPEC_PICTURE_TEXT 0
/** An SVG document. */
#define SHARDSPEC_PICTURE_SVG 1
/**
 * The background of an SVG is dark if the program that shows the SVG prefers dark colours
 * (`prefers-color-scheme`), else light.
 */
#define SHARDSPEC_THEME_AUTO 0
/** An SVG on a light background. */
#define SHARDSPEC_THEME_LIGHT 1
/** An SVG on a dark background. */
#define SHARDSPEC_THEME_DARK 2

typedef struct shardspec_draw_options shardspec_draw_options;

/**
 * Options of a picture. A field that is 0 has its default value. The fields `color`, `ascii` and
 * `width` change only a picture as text. The field `theme` changes only an SVG.
 */
struct shardspec_draw_options {
  /** `sizeof(shardspec_draw_options)`. */
  uint64_t struct_size;
  /** A `SHARDSPEC_PICTURE_...` constant. 0 means text. */
  int32_t format;
  /**
   * The background of an SVG: a `SHARDSPEC_THEME_...` constant. 0 means AUTO. A picture as text
   * has no background.
   */
  int32_t theme;
  /**
   * With 1, a text has colours: ANSI escape sequences with 256 colours. With 0, a text has no
   * colours. The library refuses other values.
   */
  int32_t color;
  /**
   * With 1, a text consists of ASCII only, which every terminal can show. With 0, a text has the
   * line and block characters of Unicode, in UTF-8. The library refuses other values.
   */
  int32_t ascii;
  /** Maximum number of columns of a text: 40 to 400. 0 means 80. */
  size_t width;
  /**
   * The dimensions that the picture shows: first the dimension of the rows, then the dimension
   * of the columns. With one dimension, the picture has one row. Dimensions are counted from 0,
   * and the two dimensions must differ. Pictures of plans ignore this field.
   */
  const size_t *axes;
  /**
   * Number of dimensions in `axes`: 1 or 2. With 0, the library ignores `axes`, and the picture
   * shows the last two dimensions that are cut. If fewer than two dimensions are cut, the
   * picture also shows the last dimensions that are not cut.
   */
  size_t axis_count;
  /**
   * One number for each dimension: the first index of the part of the tensor that the picture
   * shows. Pictures of plans ignore this field.
   */
  const int64_t *window_offsets;
  /**
   * One number for each dimension: the size of the part of the tensor that the picture shows. In
   * dimensions that the picture shows, the size must be at least 1.
   */
  const int64_t *window_sizes;
  /**
   * Number of values in `window_offsets` and in `window_sizes`: the number of dimensions of the
   * tensor. With 0, the library ignores both fields, and the picture shows the whole tensor.
   */
  size_t window_ndim;
};

/**
 * Initialises options for text of 80 columns without colours: `shardspec_draw_options options = SHARDSPEC_DRAW_OPTIONS_INIT;`
 */
#define SHARDSPEC_DRAW_OPTIONS_INIT { sizeof(shardspec_draw_options), 0, 0, 0, 0, 0, NULL, 0, NULL, NULL, 0 }

/**
 * Draws the owners of a tensor's elements. The picture marks replicas, padding and empty shards.
 * The function writes the picture to `buffer`, NUL-terminated and in UTF-8. With `options` NULL,
 * the picture is a text of 80 columns without colours.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
 * including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
 * `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
 *
 * Time: about n * log(n) for n shards.
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an option is not allowed or the window is not a part of the tensor;
 * INDEX_OUT_OF_RANGE if `options->axes` has a dimension that the tensor does not have;
 * BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity needed);
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_draw(
    const shardspec_metadata *metadata, const shardspec_draw_options *options, char *buffer,
    size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Draws the owners of a tensor's elements, for any list of shards. `sizes` holds the `ndim` sizes
 * of the tensor. The shards need not cover the tensor, and may overlap. The picture marks gaps,
 * overlaps and elements outside of the tensor. If the library refuses to create metadata from the
 * list, the marks show the reason. The function writes the picture to `buffer`, NUL-terminated and
 * in UTF-8. With `options` NULL, the picture is a text of 80 columns without colours.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
 * including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
 * `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
 *
 * Time: about n * log(n) for n shards.
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an option is not allowed, a size is negative, `ndim` is above 32 or
 * the window is not a part of the tensor; NDIM_MISMATCH if the shards have another number of
 * dimensions than the tensor; SHAPE_MISMATCH if the shards are flattened for a tensor of other
 * sizes; OVERFLOW if the number of elements does not fit in 64 bits; INDEX_OUT_OF_RANGE if
 * `options->axes` has a dimension that the tensor does not have; BUFFER_TOO_SMALL if `capacity` is
 * too small (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_draw(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim,
    const shardspec_draw_options *options, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Draws which elements change their owner between two layouts of a tensor. An element stays if one
 * of its owners in `destination` is also an owner of the element in `source`. The function writes
 * the picture to `buffer`, NUL-terminated and in UTF-8. With `options` NULL, the picture is a text
 * of 80 columns without colours.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
 * including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
 * `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
 *
 * Time: about n * log(n) for n shards, plus a time in proportion to the number of pairs of shards.
 * A pair is a source shard and a destination shard with the same owner.
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or NDIM_MISMATCH if the two tensors have different sizes; DTYPE_MISMATCH
 * if both layouts state an element type and the two types differ; UNSUPPORTED if flattened
 * dimensions are cut into more than 4,194,304 blocks, or if one owner has too many shards in the
 * two layouts for a picture; INVALID_ARGUMENT if an option is not allowed or the window is not a
 * part of the tensor; INDEX_OUT_OF_RANGE if `options->axes` has a dimension that the tensor does
 * not have; BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_draw_diff(
    const shardspec_metadata *source, const shardspec_metadata *destination,
    const shardspec_draw_options *options, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Draws a matrix of the amounts that a plan moves between each pair of owners. A row is a source
 * owner, and a column is a destination owner. The function ignores the fields `axes` and
 * `window_...` of the options. Amounts are numbers of bytes if the layouts state an element type,
 * else numbers of elements. If there are many owners, neighbouring owners share a row or a column.
 * The function writes the picture to `buffer`, NUL-terminated and in UTF-8. With `options` NULL,
 * the picture is a text of 80 columns without colours.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the picture,
 * including its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and
 * `buffer` may be NULL. `SHARDSPEC_MAX_PICTURE_SIZE` bytes are always enough.
 *
 * Time: proportional to the number of pieces of the plan.
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an option is not allowed; BUFFER_TOO_SMALL if `capacity` is too
 * small (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_draw(
    const shardspec_plan *plan, const shardspec_draw_options *options, char *buffer,
    size_t capacity, size_t *needed, shardspec_error *err);

/* ================================================================================================
 * Checkpoints: tensors in files.
 *
 * A checkpoint is a file or a directory. The library reads `.npy` files and safetensors files. The
 * library also reads torch's distributed checkpoints, which consist of safetensors files or of
 * `.metadata` and `.distcp` files. A directory of safetensors files may have a
 * `model.safetensors.index.json`. The library recognises the format by the names and the first
 * bytes of files.
 *
 * A tensor is stored in chunks. A chunk is a shard with a file as its placement. The placement of
 * a chunk is a custom placement of the type "file". The text of the placement is the name of the
 * file in the checkpoint. The library can read a tensor into any layout. The caller passes
 * metadata, the indices of some shards of the metadata, and memory for these shards.
 * `shardspec_checkpoint_check` lists all reasons why tensors can't be read.
 * `shardspec_checkpoint_check` itself reads no element.
 *
 * When the library opens a checkpoint, it reads only headers of files, an index file or
 * `.metadata`. The library refuses a file that is shorter than its header states. The library
 * reads files by `pread` and never maps files into memory. All files that an index file names must
 * be in or below the directory of the index file. The library follows symbolic links, but reads
 * only regular files.
 *
 * The library moves elements unchanged, and does not convert element types.
 */

/**
 * An open checkpoint, behind a handle. The object keeps no file open. The object is immutable.
 * Free the handle with `shardspec_checkpoint_free`.
 */
typedef struct shardspec_checkpoint shardspec_checkpoint;

/**
 * Opens the checkpoint at `path`: a file or a directory. The function reads the names, types,
 * sizes and places of all tensors. The function reads no elements.
 *
 * A checkpoint with missing files can be opened. `shardspec_checkpoint_check` reports the tensors
 * of missing files, and a read of these tensors fails.
 *
 * Ownership: the caller frees `*out`. After the call, no file stays open.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: on the disk.
 * Errors: FILE_FAILED if the system refuses to open, list or read a file; INVALID_FILE if a file
 * does not follow its format, is shorter than its header states, or has a header above the limit
 * of its format (100,000,000 bytes for safetensors and for an index, 65,536 for `.npy`, 2^30 for
 * `.metadata`); UNSUPPORTED if an element type has no equivalent in this library; INVALID_ARGUMENT
 * if the file or the directory has no known format; OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_open(
    const char *path, shardspec_checkpoint **out, shardspec_error *err);

/**
 * Frees a checkpoint. NULL is allowed. Objects made from the checkpoint stay valid.
 *
 * Ownership: the caller gives up `checkpoint`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_checkpoint_free(
    shardspec_checkpoint *checkpoint, shardspec_error *err);

/**
 * Writes to `*out` the number of tensors. Tensors are numbered from 0, in the order of their
 * names. `*out` counts only tensors with at least one existing file.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_tensor_count(
    const shardspec_checkpoint *checkpoint, size_t *out, shardspec_error *err);

/**
 * Writes the name of tensor `tensor` into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the name, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_tensor_name(
    const shardspec_checkpoint *checkpoint, size_t tensor, char *buffer, size_t capacity,
    size_t *needed, shardspec_error *err);

/**
 * Writes to `*out` the index of the tensor with the name `name`, counted from 0.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if no file has the tensor (if an index file lists the tensor, the message
 * names the file that should have the tensor); INVALID_ARGUMENT if the name is not UTF-8;
 * INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_find_tensor(
    const shardspec_checkpoint *checkpoint, const char *name, size_t *out, shardspec_error *err);

/**
 * Writes the element type and the sizes of tensor `tensor`. `sizes` has `capacity` elements, one
 * for each dimension. `*ndim` becomes the number of dimensions. The pointers `dtype`, `sizes` and
 * `ndim` may be NULL.
 *
 * torch's distributed checkpoint does not store the sizes of a tensor in its safetensors files.
 * For a tensor without stored sizes, the size in each dimension is the end of the last chunk in
 * this dimension. If the files of the last chunks are missing, these sizes are too small. The
 * layout that a program passes to a read may therefore have larger sizes. A read of elements that
 * are in no chunk fails with GAP.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INDEX_OUT_OF_RANGE, INVALID_HANDLE.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_get_tensor(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_dtype *dtype, int64_t *sizes,
    size_t capacity, size_t *ndim, shardspec_error *err);

/**
 * Creates the list of the stored chunks of tensor `tensor`. Each chunk is a shard with a file as
 * its placement. Chunks may overlap. If files are missing, there may be gaps between the chunks.
 *
 * Ownership: the caller frees `*out`. The caller may free the checkpoint before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_tensor_chunks(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_shards **out,
    shardspec_error *err);

/**
 * Creates metadata that describes how tensor `tensor` is stored. The shards are the chunks of the
 * tensor, and the placements are files. If several files hold the same chunk, the metadata has one
 * shard for each file, and these shards are replicas. The metadata states the element type.
 *
 * Ownership: the caller frees `*out`. The caller may free the checkpoint before `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: GAP if files are missing and the chunks therefore do not cover the tensor;
 * INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_tensor_metadata(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_metadata **out,
    shardspec_error *err);

/**
 * Receives the progress of a read. `bytes_done` is the number of needed bytes that have been read
 * so far. `bytes_total` is the number of all needed bytes. To continue, the callback returns its
 * status of success. To cancel the read, the callback returns another status. If the callback
 * cancels the read, the reading function returns the status of the callback. The library calls the
 * callback on the thread that called the reading function. The library calls the callback between
 * two reads from files by this thread, and once after the last read of all threads.
 */
typedef shardspec_status (*shardspec_progress_fn)(
    void *ctx, uint64_t bytes_done, uint64_t bytes_total, shardspec_error *err);

typedef struct shardspec_checkpoint_read_options shardspec_checkpoint_read_options;

/**
 * Options of a read. A field that is 0 has its default value. No option changes the elements that
 * a successful read writes.
 */
struct shardspec_checkpoint_read_options {
  /** `sizeof(shardspec_checkpoint_read_options)`. */
  uint64_t struct_size;
  /** Maximum number of threads, including the calling thread. 0 means at most 4 threads. */
  uint32_t max_threads;
  /**
   * The status that `progress` returns on success: 0, `SHARDSPEC_CALLBACK_OK` or
   * `SHARDSPEC_CALLBACK_OK_IN_ERR`.
   */
  shardspec_status success_status;
  /**
   * If the gap between two needed parts of a file has at most this many bytes, one read gets
   * both parts and the gap. 0 means 4096.
   */
  uint64_t max_gap;
  /**
   * A read also includes a larger gap if the whole read has at most `over_read` times the number
   * of its needed bytes. 0 means 2.0. With 1.0, a read includes only gaps of at most `max_gap`
   * bytes.
   */
  double over_read;
  /**
   * Maximum number of bytes of a read through a buffer. 0 means 2 MiB. A read needs a buffer if
   * its bytes belong to several places in memory. Each thread allocates one buffer.
   */
  uint64_t max_read;
  /** The callback that receives the progress, or NULL. */
  shardspec_progress_fn progress;
  /** A pointer that each call of `progress` receives as its first argument. */
  void *progress_ctx;
};

/**
 * Initialises options with the defaults: `shardspec_checkpoint_read_options options = SHARDSPEC_CHECKPOINT_READ_OPTIONS_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_READ_OPTIONS_INIT { sizeof(shardspec_checkpoint_read_options), 0, 0, 0, 0, 0, NULL, NULL }

typedef struct shardspec_checkpoint_item shardspec_checkpoint_item;

/**
 * A tensor of a checkpoint, and the memory that receives its elements. Either the local shards of
 * `tensor` or the views in `shards` receive the elements. `shards` holds views of some shards of
 * `metadata`. If `tensor` and `metadata` are NULL, the whole tensor is shard 0. Set unused fields
 * to zero.
 */
struct shardspec_checkpoint_item {
  /** `sizeof(shardspec_checkpoint_item)`. In an array, all structs have the same `struct_size`. */
  uint64_t struct_size;
  /** The tensor's name in the checkpoint. */
  const char *name;
  /**
   * A sharded tensor, or NULL. The read fills all local shards of this sharded tensor. If
   * `tensor` is set, `metadata`, `indices`, `shards` and `shard_count` must be 0 or NULL.
   */
  const shardspec_sharded_tensor *tensor;
  /**
   * The layout that the tensor gets in memory. NULL means a layout with one shard: the whole
   * tensor.
   */
  const shardspec_metadata *metadata;
  /**
   * The indices of the shards. NULL means shards 0 to `shard_count - 1`. In
   * `shardspec_checkpoint_read_collective`, NULL means all shards of the calling rank.
   */
  const size_t *indices;
  /**
   * Views of the memory for the shards, with any strides. `shardspec_checkpoint_check` ignores
   * this field.
   */
  const shardspec_tensor_view *shards;
  /** Number of shards. */
  size_t shard_count;
};

/**
 * Initialises an item without a tensor: `shardspec_checkpoint_item item = SHARDSPEC_CHECKPOINT_ITEM_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_ITEM_INIT { sizeof(shardspec_checkpoint_item), NULL, NULL, NULL, NULL, NULL, 0 }

typedef struct shardspec_checkpoint_read_report shardspec_checkpoint_read_report;

/** Numbers of reads and bytes that a reading function reports. */
struct shardspec_checkpoint_read_report {
  /** The caller sets this field to `sizeof(shardspec_checkpoint_read_report)`. */
  uint64_t struct_size;
  /** Number of reads from files. */
  uint64_t read_count;
  /** Number of bytes that were read from files. */
  uint64_t bytes_read;
  /** Number of bytes that the destinations need. A byte that two destinations need counts twice. */
  uint64_t bytes_needed;
};

/**
 * Initialises a report: `shardspec_checkpoint_read_report report = SHARDSPEC_CHECKPOINT_READ_REPORT_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_READ_REPORT_INIT { sizeof(shardspec_checkpoint_read_report), 0, 0, 0 }

/**
 * `shardspec_checkpoint_check` stops after this number of problems. If its argument `capacity` is
 * larger, the function stops after `capacity` problems.
 */
#define SHARDSPEC_CHECKPOINT_MAX_PROBLEMS 1024

/**
 * Finds all reasons why `item_count` items can't be read. Possible reasons are missing tensors and
 * files, missing elements, and two chunks that share only a part of their elements. Another
 * possible reason is a layout with other sizes or another element type than the stored tensor.
 * With `item_count` 0, the function checks the whole checkpoint. The function reads no element,
 * and ignores `shards` of the items.
 *
 * `*problem_count` becomes the number of problems. The function stops counting at
 * `SHARDSPEC_CHECKPOINT_MAX_PROBLEMS`, or at `capacity` if `capacity` is larger. `problems` has
 * `capacity` elements, one for each problem. `problems` receives the first problems, in the order
 * of the items. Each problem has a status and a message. If `item_count` is not 0, `index` of each
 * problem is the position of the item in `items`. The caller sets each `struct_size` to
 * `sizeof(shardspec_error)`. With `capacity` 0, `problems` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if chunks overlap in too many ways; INVALID_ARGUMENT, INDEX_OUT_OF_RANGE,
 * OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. A problem of the checkpoint is a result
 * and not an error. The function returns OK with such a result.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_check(
    const shardspec_checkpoint *checkpoint, const shardspec_checkpoint_item *items,
    size_t item_count, shardspec_error *problems, size_t capacity, size_t *problem_count,
    shardspec_error *err);

/**
 * Reads tensors of a checkpoint into the memory of shards in this process. The function writes all
 * elements of the shards, and writes zeros into holes. By default, at most 4 threads read the
 * bytes, in the order of the bytes in the file. If needed bytes are near each other, one read gets
 * these bytes. If the bytes of a read are also contiguous in a shard, the function reads the bytes
 * directly into the shard.
 *
 * Before the first read, the function makes all checks of `shardspec_checkpoint_check` and checks
 * the views. `options`, `whole` and `report` may be NULL. `whole` has `item_count` elements, one
 * for each item. `whole[i]` becomes 1 if item i was read completely, else 0. If the read itself
 * fails, the function still writes `whole` and `report`. After a failed read, the elements of
 * incomplete items are undefined.
 *
 * For packed elements, a part is a range of elements that is contiguous in the file and in the
 * shard's memory. Each part must start and end at a byte boundary, in the file and in memory.
 * There is one exception: the last part of a row-major shard may end inside of a byte if the part
 * also ends the chunk. With this exception, the function may write the unused bits
 * behind the last element of the shard.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `progress`; `equal` and `hash` of custom placements; `destroy`, if another thread
 * frees a handle during the call.
 * Blocks: on the disk.
 * Errors: NOT_FOUND if a tensor does not exist; GAP if some elements are in no file (the message
 * names tensor, box and file); OVERLAP if two chunks share only a part of their elements;
 * SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if a layout or a view does not fit; PARTIAL if
 * the elements of a layout are pending a reduction; ALIASED if destinations share memory;
 * UNSUPPORTED if a part of a shard starts or ends inside of a byte and the exception above does
 * not apply; UNSUPPORTED_DEVICE, INVALID_ARGUMENT, INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. After one of these errors, nothing was written. During the read:
 * FILE_FAILED or INVALID_FILE if a file can't be read or has changed since the checkpoint was
 * opened (the message names file, byte and reason). If `progress` cancels the read, the function
 * returns the status of `progress`.
 * Threads: any. No other thread may use the destinations during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_read(
    const shardspec_checkpoint *checkpoint, const shardspec_checkpoint_item *items,
    size_t item_count, const shardspec_checkpoint_read_options *options, int32_t *whole,
    shardspec_checkpoint_read_report *report, shardspec_error *err);

/**
 * Chooses one shard of each set of shards with the same elements: the reader of the set. The owner
 * of the reader reads these elements from files. With these readers, all ranks together read each
 * element once. `metadatas` holds the layouts of `metadata_count` tensors.
 *
 * `readers` receives one number for each shard of the first layout, then for each shard of the
 * second layout, and so on. The number is an index of a shard in the same layout. If the number is
 * the shard's own index, the shard's owner reads the shard from files. If the number is another
 * index, the shard receives its elements from the shard with that index. The function handles the
 * sets with the largest shards first. In each set, the function chooses the shard of the owner
 * that has the fewest bytes to read so far. If a layout states no element type, an element counts
 * as a byte. Equal layouts give equal readers in every process.
 *
 * `capacity` is the number of elements of `readers`. `*needed` becomes the number of shards of all
 * layouts. `needed` may be NULL. With `capacity` 0, the function writes only `*needed`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); INVALID_HANDLE, NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_choose_readers(
    const shardspec_metadata *const *metadatas, size_t metadata_count, uint32_t *readers,
    size_t capacity, size_t *needed, shardspec_error *err);

/** A communicator, behind a handle. Free the handle with `shardspec_comm_free`. */
typedef struct shardspec_comm shardspec_comm;

typedef struct shardspec_comm_options shardspec_comm_options;

/**
 * Reads tensors of a checkpoint on all ranks of a communicator together. The result is equal to
 * the result of `shardspec_checkpoint_read` on each rank. If several shards have the same
 * elements, one rank reads the elements and sends the elements to the ranks of the other shards.
 * The shard of this one rank is the reader of the elements. For the layouts of the items,
 * `shardspec_checkpoint_choose_readers` returns the readers that this function chooses. All ranks
 * read about equally many bytes.
 *
 * All ranks pass the same names and layouts in the same order. Each rank passes all of its own
 * shards. For this function, `indices` NULL in an item means all shards of this rank, in the order
 * of the shards' indices. If `metadata` and `tensor` of an item are NULL, every rank receives the
 * whole tensor. Each rank opens the checkpoint itself.
 *
 * The ranks agree on the tensors before the first read. In each step, the ranks read a group of
 * tensors. A group ends with the tensor that brings the size of the group to 1 GiB or more. After
 * the reads of a group, each rank sends the elements that other ranks need. Each rank reads shards
 * into their destinations, and sends messages directly from these destinations. `options` limits
 * the memory for reads, and `comm_options` limits the memory for messages. A read also includes
 * small gaps between needed parts, so several ranks may read the bytes of a gap.
 *
 * `options` and `comm_options` may be NULL, and may differ between ranks. The callback `progress`
 * of `options` receives the number of bytes that this rank has read or received. `whole` has
 * `item_count` elements, one for each item, and may be NULL. `whole[i]` becomes 1 if item i is
 * complete on this rank, else 0. `report` may be NULL. `report` counts the reads of this rank and
 * the bytes that the destinations of this rank need. After a failure during the read, the function
 * also writes `whole` and `report`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `progress`; `exchange`, `node` and `abort` of a custom transport; `equal` and `hash`
 * of custom placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on the disk and on other ranks.
 * Errors: INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT if
 * the shards of an item are not exactly the shards of this rank; NOT_FOUND if a tensor does not
 * exist; GAP if some elements are in no file; OVERLAP if two chunks share only a part of their
 * elements; SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if a layout or a view does not fit;
 * PARTIAL if the elements of a layout are pending a reduction; ALIASED if destinations share
 * memory; DISAGREEMENT if another rank returns an error, or if names, layouts or element types
 * differ between ranks (the message has both values); UNSUPPORTED, UNSUPPORTED_DEVICE,
 * INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After one of these
 * errors, nothing was written on any rank. During the read: FILE_FAILED or INVALID_FILE if this
 * rank can't read a file (the message names file, byte and reason); OUT_OF_MEMORY; the status of
 * `progress` if `progress` cancels the read. If a rank fails during the read, all other ranks
 * return DISAGREEMENT with the rank, its status and its message. If `progress` cancels the read on
 * a rank after all bytes of this rank have arrived, only this rank fails, with the status of
 * `progress`. TRANSPORT_FAILED, or the status of a custom transport, if the transport fails.
 * Threads: any, but only one thread at a time may use the communicator. During the call, no other
 * thread may use the destinations.
 * Source: MPI_File_read_all.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_read_collective(
    const shardspec_checkpoint *checkpoint, const shardspec_comm *comm,
    const shardspec_checkpoint_item *items, size_t item_count,
    const shardspec_checkpoint_read_options *options, const shardspec_comm_options *comm_options,
    int32_t *whole, shardspec_checkpoint_read_report *report, shardspec_error *err);

/* ================================================================================================
 * Writing checkpoints, and converting them.
 *
 * A checkpoint is a directory of safetensors files. Each rank writes its own shards. At the end,
 * one rank moves the complete checkpoint to its path in one step:
 *
 *   shardspec_checkpoint_tensor tensor = {sizeof tensor, "w", metadata, &index, &shard, 1};
 *   shardspec_checkpoint_write("checkpoint", &tensor, 1, NULL, &err);
 *   MPI_Barrier(comm);
 *   if (rank == 0) shardspec_checkpoint_commit("checkpoint", &tensor, 1, NULL, &err);
 *
 * The layouts alone determine the file of each shard. The header of each file describes the layout
 * in a JSON text. For each shard in the file, this text has the sizes of the whole tensor and the
 * offsets of the shard. The header also has the entries that torch's `HuggingFaceStorageReader`
 * needs.
 */

/** Each owner has its own files for its shards. */
#define SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS 0
/** All tensors are in one file, as whole tensors. */
#define SHARDSPEC_CHECKPOINT_FILES_ONE 1

typedef struct shardspec_checkpoint_tensor shardspec_checkpoint_tensor;

/** A tensor to write, and its shards in this process. */
struct shardspec_checkpoint_tensor {
  /** `sizeof(shardspec_checkpoint_tensor)`. */
  uint64_t struct_size;
  /** The name of the tensor in the files. */
  const char *name;
  /** The layout of the tensor. The metadata must state an element type. */
  const shardspec_metadata *metadata;
  /**
   * The indices of the shards in this process. NULL means the first `shard_count` shards of the
   * metadata.
   */
  const size_t *indices;
  /** Views of the shards in this process. Any strides are allowed. */
  const shardspec_tensor_view *shards;
  /** Number of shards in this process. */
  size_t shard_count;
};

/**
 * Initialises a tensor without a name: `shardspec_checkpoint_tensor tensor = SHARDSPEC_CHECKPOINT_TENSOR_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_TENSOR_INIT { sizeof(shardspec_checkpoint_tensor), NULL, NULL, NULL, NULL, 0 }

typedef struct shardspec_checkpoint_write_options shardspec_checkpoint_write_options;

/**
 * Options for writing a checkpoint. A field that is 0 has its default value. If a function gets
 * NULL instead of options, all options have their default values. All ranks must pass the same
 * values.
 */
struct shardspec_checkpoint_write_options {
  /** `sizeof(shardspec_checkpoint_write_options)`. */
  uint64_t struct_size;
  /**
   * A `SHARDSPEC_CHECKPOINT_FILES_...` constant. The constant defines which tensors and shards
   * each file holds.
   */
  uint32_t files;
  /**
   * A nonzero value allows the library to replace a checkpoint that exists at the path. With 0,
   * the library refuses a path that exists.
   */
  uint32_t replace;
  /**
   * Maximum number of bytes of elements that a conversion holds in memory. 0 means 64 MiB. Other
   * functions ignore this field.
   */
  uint64_t max_bytes;
};

/**
 * Initialises options for one file for each owner: `shardspec_checkpoint_write_options options = SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT { sizeof(shardspec_checkpoint_write_options), 0, 0, 0 }

typedef struct shardspec_checkpoint_rule shardspec_checkpoint_rule;

/** A rule of a conversion. The rule defines the new layout of all tensors with matching names. */
struct shardspec_checkpoint_rule {
  /** `sizeof(shardspec_checkpoint_rule)`. */
  uint64_t struct_size;
  /** A pattern for names of tensors. Each `*` matches zero or more characters. */
  const char *pattern;
  /** The spec that cuts tensors with matching names. */
  const shardspec_spec *spec;
};

/**
 * Initialises a rule without a layout: `shardspec_checkpoint_rule rule = SHARDSPEC_CHECKPOINT_RULE_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_RULE_INIT { sizeof(shardspec_checkpoint_rule), NULL, NULL }

/**
 * Writes this process's shards of all tensors of a checkpoint. Call this function on every rank,
 * with the same path, names, layouts and options. After the calls of all ranks, call
 * `shardspec_checkpoint_commit` on one rank. A process may pass shards of several owners. A
 * process that passes one shard of an owner must pass all shards of that owner. Ranks without
 * shards may omit the call.
 *
 * The layouts alone determine the file of each shard, so ranks exchange no messages. By default,
 * each file is a safetensors file with shards of one owner. With SHARDSPEC_CHECKPOINT_FILES_ONE,
 * all ranks write into one file with whole tensors. The file must be on a file system that all
 * ranks share. If several owners have replicas of a shard, only one owner writes its replica. All
 * owners write about equally many bytes. The bytes of a view that is not row-major are in several
 * separate ranges of memory. The function writes ranges of at least 1 KiB directly from
 * memory. The function first copies shorter ranges into a buffer of at most 8 MiB, and then writes
 * the buffer.
 *
 * The function writes the files into a temporary directory. The name of this directory is the path
 * with the ending `.saving`. The function flushes the files to the disk. The path itself does not
 * change. After a failure, the program may call the function again.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: on the disk.
 * Errors: INVALID_ARGUMENT if the path exists and `replace` is 0, if something other than a
 * checkpoint is at the path, if a name is empty or occurs twice, if metadata states no element
 * type, or if some shards of an owner are missing; FILE_FAILED if the system refuses to write a
 * file, for example because the disk is full; OVERLAP if two shards share only a part of their
 * elements; UNSUPPORTED if the file format does not have the element type of a tensor, or if a
 * shard is not a box and each owner has its own files; PARTIAL, SHAPE_MISMATCH, NDIM_MISMATCH,
 * DTYPE_MISMATCH, INDEX_OUT_OF_RANGE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY. After an error, the path is unchanged.
 * Threads: any. Several ranks and threads may write their parts at the same time.
 * Source: torch's `torch.distributed.checkpoint.save`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_write(
    const char *path, const shardspec_checkpoint_tensor *tensors, size_t tensor_count,
    const shardspec_checkpoint_write_options *options, shardspec_error *err);

/**
 * Moves a checkpoint to its path, after all ranks have written all shards. Call this function on
 * one rank, after a barrier. Pass the names, layouts and options that the ranks passed to
 * `shardspec_checkpoint_write`. The function ignores `indices`, `shards` and `shard_count`.
 *
 * The function checks that all owners have written their shards. If there are several files and
 * each tensor is whole in one file, the function also writes a `model.safetensors.index.json`. As
 * the last step, the function renames the new directory to `path`. If `path` has an old
 * checkpoint, the function exchanges the old and the new directory in one step and then removes
 * the old directory. If the program ends at any point, `path` has either the complete old
 * checkpoint or the complete new checkpoint.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: on the disk.
 * Errors: NOT_FOUND if an owner has not written its shards; INVALID_FILE if a file is too short;
 * UNSUPPORTED if the function must replace a checkpoint and the file system can't exchange two
 * directories; INVALID_ARGUMENT if the path exists and `replace` is 0, or if something other than
 * a checkpoint is at the path; FILE_FAILED, OVERLAP, PARTIAL, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. After an error, the path has the old checkpoint. There is one
 * exception: if only the flush of the directory above the path failed, the path has the new
 * checkpoint. If the function can't remove the old checkpoint, the function returns OK, and the
 * old checkpoint stays in the directory with the ending `.saving`.
 * Threads: any. No rank may write to the same path during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_commit(
    const char *path, const shardspec_checkpoint_tensor *tensors, size_t tensor_count,
    const shardspec_checkpoint_write_options *options, shardspec_error *err);

/**
 * Writes all tensors of a checkpoint to another checkpoint, with other layouts. `source_path` is a
 * safetensors file, a `.npy` file, a directory of safetensors files or a directory of torch's
 * distributed checkpoint. After the function has written the whole new checkpoint, the checkpoint
 * appears at `path` in one step.
 *
 * The first rule with a matching pattern determines the spec of a tensor. If no rule matches a
 * tensor, the function writes the whole tensor as one shard of rank 0. In memory, the conversion
 * holds at most `max_bytes` bytes of elements, plus the buffers of its reads. The conversion first
 * checks the source. If elements are missing, the conversion writes nothing.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
 * `destroy`, if another thread frees a handle during the call.
 * Blocks: on the disk.
 * Errors: FILE_FAILED if the system refuses to read or write a file, for example because the disk
 * is full; INVALID_FILE if a source file does not follow its format or is shorter than its header
 * states; GAP if some elements are in no file; NOT_FOUND if the index of the source names a tensor
 * that no file has; INVALID_ARGUMENT if the source has no known format, if `path` exists and
 * `replace` is 0, or if something other than a checkpoint is at `path`; UNSUPPORTED if the file
 * format does not have the element type of a tensor, if a shard is not a box and each owner has
 * its own files, or if the file system can't exchange two directories; OVERLAP, PARTIAL, OVERFLOW,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If the spec of a rule does not fit a tensor, the
 * function returns the error of `shardspec_spec_build_metadata`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_convert(
    const char *source_path, const char *path, const shardspec_checkpoint_rule *rules,
    size_t rule_count, const shardspec_checkpoint_write_options *options, shardspec_error *err);

/* ================================================================================================
 * DLPack: tensors shared with other libraries, without a copy.
 *
 * A managed tensor is a view together with a function that releases its memory. The library that
 * receives a managed tensor may use the memory of this tensor. After the last use, the receiving
 * library calls `tensor->deleter(tensor)` exactly once, on any thread.
 *
 * There are two forms of managed tensors. `shardspec_managed_tensor` has the memory layout of
 * DLPack's `DLManagedTensorVersioned`. `shardspec_legacy_managed_tensor` has the memory layout of
 * `DLManagedTensor`. The legacy form is for libraries that support only versions of DLPack before
 * 1.0. A program may cast pointers between these structs and the structs of DLPack, in both
 * directions.
 *
 * `shardspec_sharded_tensor_new_from_managed` takes managed tensors of other libraries. Some
 * functions take a view, `release` and `ctx`. To pass a managed tensor to these functions, pass
 * its view, its `deleter` as `release`, and the managed tensor itself as `ctx`.
 *
 * Source: `dlpack.h` 1.0.
 */

/** The major version of DLPack in the library's managed tensors. */
#define SHARDSPEC_DLPACK_MAJOR_VERSION 1
/** The minor version of DLPack in the library's managed tensors. */
#define SHARDSPEC_DLPACK_MINOR_VERSION 0
/** A flag: the receiving library must not write the memory. */
#define SHARDSPEC_DLPACK_FLAG_READ_ONLY 1
/** A flag: the memory is a copy, and only the receiving library uses it. */
#define SHARDSPEC_DLPACK_FLAG_IS_COPIED 2

typedef struct shardspec_managed_tensor shardspec_managed_tensor;

/**
 * A managed tensor for another library. The struct has the memory layout of DLPack's
 * `DLManagedTensorVersioned`.
 */
struct shardspec_managed_tensor {
  /** `SHARDSPEC_DLPACK_MAJOR_VERSION`. */
  uint32_t major;
  /** `SHARDSPEC_DLPACK_MINOR_VERSION`. */
  uint32_t minor;
  /** A pointer that `deleter` uses. */
  void *manager_ctx;
  /**
   * A function that releases the memory and frees this struct. The argument of the function is
   * the struct.
   */
  shardspec_destroy_fn deleter;
  /** `SHARDSPEC_DLPACK_FLAG_...` constants, combined by bitwise OR. */
  uint64_t flags;
  /** A view of the tensor. The `strides` of this view are never NULL. */
  shardspec_tensor_view tensor;
};

typedef struct shardspec_legacy_managed_tensor shardspec_legacy_managed_tensor;

/**
 * A managed tensor for another library. The struct has the memory layout of DLPack's
 * `DLManagedTensor`.
 */
struct shardspec_legacy_managed_tensor {
  /** A view of the tensor. The `strides` of this view are never NULL. */
  shardspec_tensor_view tensor;
  /** A pointer that `deleter` uses. */
  void *manager_ctx;
  /**
   * A function that releases the memory and frees this struct. The argument of the function is
   * the struct.
   */
  shardspec_destroy_fn deleter;
};

/**
 * Creates a managed tensor for another library. The managed tensor uses the memory of `view`.
 * `flags` is 0, or a bitwise OR of `SHARDSPEC_DLPACK_FLAG_...` constants.
 *
 * Ownership: the library copies `view`. The library calls `release(ctx)` exactly once. The memory
 * of the view must stay valid until the library calls `release`. The deleter of the managed tensor
 * calls `release`. If the call fails, the library calls `release` before the call returns.
 * `release` may be NULL. The caller passes `*out` to another library, or calls the deleter of
 * `*out`.
 * Calls back: `release`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `flags` has a bit that no `SHARDSPEC_DLPACK_FLAG_...` constant has;
 * UNSUPPORTED_DEVICE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_managed_tensor_new(
    const shardspec_tensor_view *view, uint64_t flags, void *ctx, shardspec_destroy_fn release,
    shardspec_managed_tensor **out, shardspec_error *err);

/**
 * Creates a managed tensor in the form before DLPack 1.0. The managed tensor uses the memory of
 * `view`. The form before DLPack 1.0 has no flags, so the receiving library may write the memory.
 *
 * Ownership: the library copies `view`. The library calls `release(ctx)` exactly once. The memory
 * of the view must stay valid until the library calls `release`. The deleter of the managed tensor
 * calls `release`. If the call fails, the library calls `release` before the call returns.
 * `release` may be NULL. The caller passes `*out` to another library, or calls the deleter of
 * `*out`.
 * Calls back: `release`, if the call fails.
 * Blocks: no.
 * Errors: UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_legacy_managed_tensor_new(
    const shardspec_tensor_view *view, void *ctx, shardspec_destroy_fn release,
    shardspec_legacy_managed_tensor **out, shardspec_error *err);

/* ================================================================================================
 * Local shards shared with other libraries.
 *
 * A local shard can be exported as a managed tensor of DLPack. Managed tensors of other libraries
 * can become local shards. Both directions work without a copy. All users of a shard share its
 * memory. The memory stays valid until the last user releases the shard.
 */

/**
 * Creates a managed tensor of local shard `local`, for another library.
 *
 * Ownership: the caller passes `*out` to another library, or calls the deleter of `*out`. The
 * memory of the shard stays valid until the other library or the caller calls the deleter. The
 * caller may free the sharded tensor earlier.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_export_local(
    const shardspec_sharded_tensor *tensor, size_t local, shardspec_managed_tensor **out,
    shardspec_error *err);

/**
 * Creates a managed tensor of local shard `local` for another library, in the form before DLPack
 * 1.0.
 *
 * Ownership: the caller passes `*out` to another library, or calls the deleter of `*out`. The
 * memory of the shard stays valid until the other library or the caller calls the deleter. The
 * caller may free the sharded tensor earlier.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_export_local_legacy(
    const shardspec_sharded_tensor *tensor, size_t local, shardspec_legacy_managed_tensor **out,
    shardspec_error *err);

/**
 * Creates a sharded tensor from managed tensors of other libraries. `shards[i]` is shard
 * `indices[i]` of the metadata. The caller may cast a `DLManagedTensorVersioned *` of DLPack to
 * `shardspec_managed_tensor *`.
 *
 * Each tensor has the sizes of its shard, with any strides. All tensors have the metadata's
 * element type. If the metadata states no element type, all tensors have one common type. With an
 * `owner`, the shards must be exactly the shards of that owner. With `owner` NULL, any shards are
 * allowed.
 *
 * Ownership: the library owns the managed tensors from the call on, also if the call fails. The
 * caller keeps the array `shards` and frees `*out`. The library calls the deleter of each managed
 * tensor exactly once, on any thread. If the call fails, the library calls the deleters before the
 * call returns. After a successful call, the library calls the deleter of a shard when the sharded
 * tensor and all exports of this shard have been freed. An export is a managed tensor made from
 * the shard. In three cases, the library calls fewer deleters. An element of `shards` that is NULL
 * has no deleter. If `shards` is NULL, misaligned or larger than memory, the library calls no
 * deleter. If one element of `shards` is misaligned, the library calls the deleter of no element.
 * Calls back: `deleter` of each shard, if the call fails; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: no.
 * Errors: READ_ONLY if a managed tensor has the read-only flag; UNSUPPORTED if a managed tensor
 * has a major version of DLPack other than 1, or has unknown flags; INVALID_ARGUMENT if a managed
 * tensor or a shard occurs twice, or if the shards are not exactly the shards of `owner`;
 * SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a tensor does
 * not fit its shard; INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. The error's `first_shard` is the index of the shard, and `index`
 * is its position in `shards`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_managed(
    const shardspec_metadata *metadata, const char *owner, const size_t *indices,
    shardspec_managed_tensor *const *shards, size_t shard_count, shardspec_sharded_tensor **out,
    shardspec_error *err);

/* ================================================================================================
 * Communicators.
 *
 * A communicator is a group of ranks that exchange messages. Each rank has its own handle of the
 * communicator. The library is not linked with a transport such as MPI. A transport must have one
 * function, exchange. This function starts a set of messages and returns when all messages are
 * complete. `shardspec_mpi.h` implements exchange for MPI with MPI_Irecv, MPI_Isend and
 * MPI_Waitall. With NCCL, exchange consists of ncclGroupStart, ncclSend, ncclRecv and
 * ncclGroupEnd. With torch, exchange is batch_isend_irecv. A program without a transport can run
 * its ranks as threads, with `shardspec_comm_new_local`.
 *
 * On each rank, only one thread at a time may exchange messages with a communicator. Collectives
 * also exchange messages. If two threads of a rank exchange messages at the same time, the library
 * may refuse one call or confuse the messages.
 */

typedef struct shardspec_message shardspec_message;

/** One message of an exchange. */
struct shardspec_message {
  /** The other rank of the message: the receiver of a send, or the sender of a receive. */
  int64_t peer;
  /**
   * The address of the message's first byte. The transport must not write to the memory of a
   * message that it sends.
   */
  void *pointer;
  /** Number of bytes. */
  size_t byte_count;
};

/**
 * Starts all messages of the arrays. Returns the status of success when all messages are complete.
 * Returns the status of a failure if a message can't complete.
 *
 * The peer of a message is never the calling rank. A message is never empty. Sender and receiver
 * pass the same number of bytes for a message. Messages from one rank to another must arrive in
 * the order of their sends, within one exchange and across exchanges. The library calls the
 * function only on ranks with messages. The transport should start receives before sends. All
 * messages of one call must be in progress at the same time. If a transport first completes all
 * sends of a call, or first completes all receives, two ranks can wait for each other for ever.
 */
typedef shardspec_status (*shardspec_exchange_fn)(
    void *ctx, const shardspec_message *sends, size_t send_count, const shardspec_message *receives,
    size_t receive_count, shardspec_error *err);

/**
 * Starts all messages of the arrays. Returns without waiting for another rank.
 *
 * The function may write any value to `*exchange`. `test` and `wait` receive the value of
 * `*exchange`. The rules of `shardspec_exchange_fn` apply. The arrays of messages are valid during
 * this call only. The memory of the messages is valid until the exchange has ended. An exchange
 * ends when `test` writes 1 to `*done` or fails, or when `wait` returns. After the end, the
 * transport must not use the memory. The library does not use `*exchange` after the end. The
 * library starts at most one exchange at a time on a rank. A call that fails must start no
 * message.
 */
typedef shardspec_status (*shardspec_exchange_start_fn)(
    void *ctx, const shardspec_message *sends, size_t send_count, const shardspec_message *receives,
    size_t receive_count, void **exchange, shardspec_error *err);

/**
 * Writes 1 to `*done` if all messages of a started exchange are complete, else 0. The function
 * makes all progress that is possible without waiting for another rank.
 */
typedef shardspec_status (*shardspec_exchange_test_fn)(
    void *ctx, void *exchange, int32_t *done, shardspec_error *err);

/**
 * Returns the status of success when all messages of a started exchange are complete. Returns the
 * status of a failure if a message can't complete.
 */
typedef shardspec_status (*shardspec_exchange_wait_fn)(
    void *ctx, void *exchange, shardspec_error *err);

/**
 * Makes all later exchanges fail, on every rank that the transport can reach. Exchanges that wait
 * at the time of the call also fail. For example, the function calls ncclCommAbort or closes the
 * connections. `reason` is a text for people. The text is valid during the call.
 *
 * The library calls `abort` if a collective fails on this rank and other ranks may wait for
 * messages of this rank. `abort` makes the other ranks return. If an exception leaves `exchange`,
 * the library calls `abort` before the exception continues. `shardspec_comm_abort` also calls
 * `abort`. A program may call `shardspec_comm_abort` on any thread, so `abort` may run while
 * `exchange` runs on another thread.
 */
typedef void (*shardspec_abort_fn)(void *ctx, const char *reason);

/**
 * Returns the number of the node of rank `rank`. Ranks on the same node have the same number.
 * Numbers of nodes are >= 0. A negative number means an unknown node. The library treats a rank
 * with an unknown node as alone on its node.
 *
 * The function must return without waiting. All calls for a rank must return the same number. The
 * function can't fail. All ranks of a communicator must group the ranks into the same nodes. The
 * numbers of the nodes may differ between ranks. If ranks disagree about the nodes, collectives
 * with replicas return DISAGREEMENT.
 */
typedef int64_t (*shardspec_node_fn)(void *ctx, int64_t rank);

typedef struct shardspec_comm_vtable shardspec_comm_vtable;

/** A table with the functions of a transport. */
struct shardspec_comm_vtable {
  /** `sizeof(shardspec_comm_vtable)`. */
  uint64_t struct_size;
  /** Frees `ctx`. NULL means that there is nothing to free. */
  shardspec_destroy_fn destroy;
  /** Exchanges messages. NULL is not allowed. */
  shardspec_exchange_fn exchange;
  /**
   * The status that `exchange`, `start`, `test` and `wait` return on success: 0,
   * `SHARDSPEC_CALLBACK_OK` or `SHARDSPEC_CALLBACK_OK_IN_ERR`.
   */
  shardspec_status success_status;
  /** This field must be 0. */
  int32_t reserved;
  /**
   * Makes exchanges fail on all ranks. With NULL, the library has no way to report a failure to
   * the other ranks.
   */
  shardspec_abort_fn abort;
  /**
   * Returns the node of a rank. If several source shards hold an element, the library prefers a
   * source shard on the rank of the destination. If no source shard is on this rank, the library
   * prefers a source shard on the node of the destination. With NULL, the library treats all
   * nodes as unknown.
   */
  shardspec_node_fn node;
  /**
   * Starts an exchange, for requests. `start`, `test` and `wait` are either all set or all NULL.
   * With NULL, a request calls `exchange` instead, inside of `shardspec_request_wait`.
   */
  shardspec_exchange_start_fn start;
  /** Tests whether a started exchange is complete. */
  shardspec_exchange_test_fn test;
  /** Waits until a started exchange is complete. */
  shardspec_exchange_wait_fn wait;
};

/**
 * Initialises a table without functions: `shardspec_comm_vtable vtable = SHARDSPEC_COMM_VTABLE_INIT;`
 */
#define SHARDSPEC_COMM_VTABLE_INIT { sizeof(shardspec_comm_vtable), NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL }

/**
 * Creates a communicator of `size` ranks over a custom transport. The new handle is for rank
 * `rank`. The library calls `exchange` on the thread that calls a collective.
 *
 * Ownership: the library copies the table. The library owns `ctx` from the call on, also if the
 * call fails. The library calls `destroy(ctx)` after the program has freed the communicator and
 * all calls with the communicator have returned. The caller frees `*out`.
 * Calls back: `destroy`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `exchange` is NULL, `struct_size` is wrong or `size` is below 1;
 * INDEX_OUT_OF_RANGE if `rank` is not below `size`; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_new(
    const shardspec_comm_vtable *vtable, void *ctx, int64_t rank, int64_t size,
    shardspec_comm **out, shardspec_error *err);

/**
 * Creates a communicator for `size` threads of this process, one for each rank. The array `comms`
 * has `size` elements, one for each rank. `comms[r]` becomes the handle of rank `r`. Only one
 * thread at a time may exchange messages with a handle. The receiver of a message copies the
 * message once.
 *
 * A rank that frees its communicator sends and receives no further messages. If another rank waits
 * for a message from this rank, all later exchanges of all ranks fail with TRANSPORT_FAILED. The
 * same happens if another rank waits until this rank has received a message. Exchanges also fail
 * if two ranks pass different lengths for a message. If a message can't arrive, the rank that
 * waits for the message returns with an error. In a child process after fork, the library refuses
 * exchanges.
 *
 * Ownership: the caller frees each of `comms[0]` to `comms[size - 1]`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `size` is 0; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_new_local(
    size_t size, shardspec_comm **comms, shardspec_error *err);

/**
 * Creates a communicator for `size` threads of this process. The communicator behaves like a
 * communicator over several nodes. Rank r is on node `nodes[r]`. Collectives of the communicator
 * prefer sources on the same node. This function is for tests: a test can check which sources the
 * collectives choose. Messages are copied in memory, like the messages of
 * `shardspec_comm_new_local`.
 *
 * `nodes` holds `size` numbers >= 0, one for each rank. Ranks on the same node have equal numbers.
 * `comms[r]` becomes the handle of rank r.
 *
 * Ownership: the caller keeps `nodes` and frees each of `comms[0]` to `comms[size - 1]`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `size` is 0 or a node is negative; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_new_local_on_nodes(
    const int64_t *nodes, size_t size, shardspec_comm **comms, shardspec_error *err);

/**
 * Frees a communicator. NULL is allowed. With MPI, every rank must free its communicator before
 * MPI_Finalize.
 *
 * Ownership: the caller gives up `comm`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally. `destroy` runs
 * after these calls.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_comm_free(shardspec_comm *comm, shardspec_error *err);

/**
 * Writes to `*out` the rank of the handle `comm`. Ranks are numbered from 0 to size - 1.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_rank(
    const shardspec_comm *comm, int64_t *out, shardspec_error *err);

/**
 * Writes the number of ranks to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_size(
    const shardspec_comm *comm, int64_t *out, shardspec_error *err);

/**
 * Exchanges messages between ranks. The functions of a custom transport may call this function,
 * but only with another communicator.
 *
 * A rank may send messages to itself. The library copies these messages without the transport. The
 * i-th send of a rank to itself goes to the rank's i-th receive from itself. The library ignores
 * empty messages. The transport receives only messages with data between two different ranks.
 * Ranks without messages may omit the call.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange` of a custom transport; `destroy`, if another thread frees a handle during
 * the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if a peer is not a rank of the communicator; INVALID_ARGUMENT if the
 * messages of the calling rank to itself differ in number or length between `sends` and
 * `receives`; NULL_ARGUMENT, INVALID_HANDLE. After one of these errors, nothing was written.
 * TRANSPORT_FAILED, or the status of a custom transport, if the transport fails. Some messages may
 * have arrived before the failure.
 * Threads: any, but only one thread at a time may use the communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_exchange(
    const shardspec_comm *comm, const shardspec_message *sends, size_t send_count,
    const shardspec_message *receives, size_t receive_count, shardspec_error *err);

/**
 * Makes all later exchanges of a communicator fail, on every rank that its transport can reach.
 * Ranks that wait in an exchange return TRANSPORT_FAILED.
 *
 * A local communicator reaches all ranks of its group. The error messages of these ranks contain
 * `reason`. `reason` may be NULL. For a custom transport, the function calls `abort` of the
 * transport's table. If `abort` is NULL, the function does nothing. If a collective fails on one
 * rank after all ranks have agreed on the arguments, the collective itself calls this function.
 *
 * Ownership: the library copies `reason`. Every rank must still free its communicator.
 * Calls back: `abort` of a custom transport; `destroy`, if another thread frees a handle during
 * the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `reason` is not UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any, also while another thread exchanges messages.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_abort(
    const shardspec_comm *comm, const char *reason, shardspec_error *err);

/**
 * Creates a communicator from a list of members. Each member is a rank of the communicator `comm`.
 * The caller also passes the placement rank of each member: the rank that placements use for this
 * member. For example, a tensor-parallel group of ranks 4 to 7 can use layouts with the placements
 * `rank:4` to `rank:7`.
 *
 * `members` holds ranks of `comm`. No rank may be listed twice. The calling rank must be a member.
 * Member i is rank i of the new communicator. With `members` NULL, all ranks of `comm` are
 * members, and `member_count` is the size of `comm`. `placement_ranks[i]` is the placement rank of
 * member i. With `placement_ranks` NULL, the members keep the placement ranks that they have in
 * `comm`.
 *
 * In collectives of the new communicator, `source_rank`, `destination_rank` and the ranks in
 * errors are placement ranks. The results of `shardspec_comm_rank` and the peers of
 * `shardspec_comm_exchange` are ranks from 0 to size - 1. Only the members call this function, and
 * all members pass the same lists. The function sends nothing. If members pass different placement
 * ranks, their collectives return DISAGREEMENT.
 *
 * The new communicator sends its messages through `comm`, so calls with the two communicators need
 * one common order. On each rank, a call with one of the two communicators must end before the
 * next call with either communicator begins. All members must make these calls in the same order.
 * An abort of one communicator also aborts the other communicator.
 *
 * Ownership: the caller keeps the lists and frees `*out`. The caller may free `comm` before
 * `*out`. The library frees the transport when the program has freed all communicators that use
 * the transport.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `members` lacks the calling rank, a rank is listed twice or is
 * negative, or `members` is NULL and `member_count` is not the size of `comm`; INDEX_OUT_OF_RANGE
 * if a listed rank is not a rank of `comm`; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: torch's `new_group`, MPI_Comm_create_group.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_new_group(
    const shardspec_comm *comm, const int64_t *members, const int64_t *placement_ranks,
    size_t member_count, shardspec_comm **out, shardspec_error *err);

/**
 * Writes to `*out` the placement rank of rank `rank`: the rank that placements use for `rank`. In
 * a communicator from `shardspec_comm_new_group`, the placement rank may differ from `rank`. In
 * other communicators, the placement rank is `rank` itself.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `rank` is negative; INDEX_OUT_OF_RANGE if `rank` is not below the
 * size; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Source: torch's `get_global_rank`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_placement_rank(
    const shardspec_comm *comm, int64_t rank, int64_t *out, shardspec_error *err);

/**
 * Writes to `*out` the number of the node that rank `rank` of the communicator is on. Ranks with
 * equal numbers share a node. A negative number means that the node of the rank is not known.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `node` of a custom transport; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `rank` is negative; INDEX_OUT_OF_RANGE if `rank` is not below the
 * size; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_node(
    const shardspec_comm *comm, int64_t rank, int64_t *out, shardspec_error *err);

/* ================================================================================================
 * Collectives.
 *
 * Every rank of a communicator calls the same function with its own buffers. All ranks pass equal
 * metadata and the same `source_rank` or `destination_rank`. The placement of a shard defines the
 * rank that owns the shard. Shard i belongs to rank n if its placement is `rank:n`,
 * `rank:n/<device>`, or a custom placement of that rank. A rank passes its shards in the order of
 * the shards' indices. `shardspec_metadata_shards_of_rank` returns the indices of a rank's shards
 * in this order. A rank may have several shards or none. A rank also passes its empty shards.
 *
 * A collective begins with an agreement: the ranks compare their arguments. The agreement of n
 * ranks takes ceil(log2 n) rounds. In each round, every rank sends one small message. If ranks
 * call different functions or pass different layouts, all ranks return DISAGREEMENT. If a rank
 * passes an invalid argument, this rank returns its own error, and all other ranks return
 * DISAGREEMENT. The error on all other ranks names the rank with the invalid argument, and
 * contains the status and the message of that rank. After a failed agreement, all buffers are
 * unchanged. The agreement reports errors in all arguments except `comm` and `err`. A rank that
 * can't call the collective must call `shardspec_comm_decline` instead, and pass its error to this
 * function.
 *
 * The library sends contiguous data directly from the caller's buffers and receives contiguous
 * data directly into these buffers. The library packs and unpacks all other data in its own
 * memory. `memory_limit` of `shardspec_comm_options` limits this memory. If a rank must copy about
 * 1 MiB or more, two threads work in the call. One thread exchanges messages, and the other thread
 * copies data. The second thread ends before the call returns.
 *
 * A rank can still fail after the agreement, if the transport fails or memory runs out. The failed
 * rank returns its error. The destinations of this rank may be partly written, but every handle
 * stays valid. The library calls `abort` of the transport, so that the other ranks also return.
 * Local communicators support `abort`, but `shardspec_mpi.h` has no `abort`. Without an `abort`,
 * ranks that need data from the failed rank keep waiting. An MPI program should therefore call
 * MPI_Abort after such a failure. A rank that returns OK has received all of its data.
 *
 * The agreement requires that a transport delivers each message unchanged, exactly once and in
 * order. Each message of the agreement has a checksum. If a message of the agreement is damaged,
 * the receiving rank returns DISAGREEMENT and calls `abort`. The rank calls `abort` because other
 * ranks may have agreed already and may wait for data. Without an `abort`, ranks that have agreed
 * keep waiting. Messages with data have no checksum.
 */

/** A value of `destination_rank`: all ranks receive the tensor. */
#define SHARDSPEC_ALL_RANKS (-1)
/** The default limit of the memory for packing and unpacking on one rank: 64 MiB. */
#define SHARDSPEC_DEFAULT_MEMORY_LIMIT 67108864

/**
 * Options of a collective. If a function gets NULL instead of options, the library chooses all
 * options. The library also chooses each option that is 0. No option changes the result. Ranks may
 * pass different options.
 */
struct shardspec_comm_options {
  /** `sizeof(shardspec_comm_options)`. */
  uint64_t struct_size;
  /**
   * Maximum number of bytes that this rank uses for packing and unpacking. 0 means
   * `SHARDSPEC_DEFAULT_MEMORY_LIMIT`. The lowest limit of all ranks applies to every rank. If
   * this limit is below the size of four elements, the size of four elements applies.
   */
  uint64_t memory_limit;
  /**
   * Options of the copies on this rank, or NULL. `max_threads` includes the calling thread. The
   * default of `max_threads` is 2 here, because ranks share processors. With 1, there is no
   * second thread.
   */
  const shardspec_copy_options *copy;
};

/**
 * Initialises options with the defaults: `shardspec_comm_options options = SHARDSPEC_COMM_OPTIONS_INIT;`
 */
#define SHARDSPEC_COMM_OPTIONS_INIT { sizeof(shardspec_comm_options), 0, NULL }

/**
 * Cuts a tensor on rank `source_rank` into the shards of all ranks. On `source_rank`, `full` is
 * this tensor. On other ranks, the function ignores `full`. `shards` holds the destinations of
 * this rank's `shard_count` shards. Each destination has the shape of its shard and the element
 * type of the tensor. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if the communicator does not have the rank `source_rank`;
 * INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT if the
 * number of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE,
 * ALIASED or OVERFLOW if a buffer does not fit (the error's `first_shard` is the shard's index);
 * PARTIAL if the elements are pending a reduction; DISAGREEMENT if another rank has an error;
 * INVALID_HANDLE, NULL_ARGUMENT. After one of these errors, nothing was written on any rank. After
 * TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport, destinations may be partly
 * written.
 * Threads: any, but only one thread at a time may use the communicator. During the call, no other
 * thread may write `full` or use `shards`.
 * Source: torch's `ShardingSpec.shard(tensor, source_rank, process_group)`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_scatter(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_comm_options *options, shardspec_error *err);

/**
 * Copies the shards of all ranks into a tensor on rank `destination_rank`. If `destination_rank`
 * is SHARDSPEC_ALL_RANKS, every rank receives the tensor. `shards` holds this rank's `shard_count`
 * shards. On a rank that receives the tensor, `full` is the destination, and the function writes
 * every element of `full`. On all other ranks, the function ignores `full`. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if the communicator does not have the rank `destination_rank`;
 * INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT if the
 * number of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE,
 * ALIASED or OVERFLOW if a buffer does not fit (the error's `first_shard` is the shard's index);
 * PARTIAL if the elements are pending a reduction; DISAGREEMENT if another rank has an error;
 * INVALID_HANDLE, NULL_ARGUMENT. After one of these errors, nothing was written on any rank. After
 * TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport, destinations may be partly
 * written.
 * Threads: any, but only one thread at a time may use the communicator. During the call, no other
 * thread may write `shards` or use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_gather(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t destination_rank,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_tensor_view *full,
    const shardspec_comm_options *options, shardspec_error *err);

/**
 * Moves a tensor from the layout `source` to the layout `destination`. The two layouts may differ
 * in any way, but their tensors must have the same sizes.
 *
 * `source_shards` holds this rank's `source_shard_count` shards of the layout `source`.
 * `destination_shards` holds the destinations of this rank's `destination_shard_count` shards of
 * the layout `destination`. Every element moves directly from its owner to the ranks that need
 * this element. Apart from its own shards, a rank holds elements only in the memory for packing.
 * `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if the layouts describe different
 * tensors; INVALID_PLACEMENT if a shard belongs to no rank of the communicator; INVALID_ARGUMENT
 * if the number of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * UNSUPPORTED_DEVICE, ALIASED or OVERFLOW if a buffer does not fit (the error's `first_shard` is
 * the shard's index); PARTIAL if the elements are pending a reduction; DISAGREEMENT if another
 * rank has an error; INVALID_HANDLE, NULL_ARGUMENT. After one of these errors, nothing was written
 * on any rank. After TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport,
 * destinations may be partly written.
 * Threads: any, but only one thread at a time may use the communicator. During the call, no other
 * thread may write `source_shards` or use `destination_shards`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_reshard(
    const shardspec_comm *comm, const shardspec_metadata *source,
    const shardspec_tensor_view *source_shards, size_t source_shard_count,
    const shardspec_metadata *destination, const shardspec_tensor_view *destination_shards,
    size_t destination_shard_count, const shardspec_comm_options *options, shardspec_error *err);

/**
 * Cuts a tensor on rank `source_rank` into shards. On each rank, the function creates a sharded
 * tensor with the shards of that rank. On `source_rank`, `full` is the tensor that the function
 * cuts. On other ranks, the function ignores `full`. The metadata must state the element type.
 * Each sharded tensor stores the communicator `comm`. An op (`shardspec_op_register`) refuses
 * sharded tensors with different communicators. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`. The caller may free the metadata and `full` before `*out`.
 * The caller keeps the communicator.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if the communicator does not have the rank `source_rank`;
 * INVALID_ARGUMENT if the metadata states no element type; UNSUPPORTED if the property `layout` is
 * not strided or the property `memory_format` is not contiguous; INVALID_PLACEMENT if a shard
 * belongs to no rank of the communicator; PARTIAL if the elements are pending a reduction;
 * DISAGREEMENT if another rank has an error; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * UNSUPPORTED_DEVICE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, TRANSPORT_FAILED, OUT_OF_MEMORY. If
 * a custom transport fails, the function returns the status of the transport.
 * Threads: any, but only one thread at a time may use the communicator. No other thread may write
 * `full` during the call.
 * Source: torch's `ShardingSpec.shard(tensor, source_rank, process_group)`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_rank(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_comm_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Writes the communicator of a sharded tensor to `*out`, or NULL if the sharded tensor has no
 * communicator.
 *
 * Ownership: `*out` becomes the handle that was passed to
 * `shardspec_sharded_tensor_new_from_rank`. The function creates no new handle. The caller frees
 * this handle only once.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_comm(
    const shardspec_sharded_tensor *tensor, shardspec_comm **out, shardspec_error *err);

/**
 * Takes part in the collective of the other ranks, and reports an error of this rank. If the
 * program can't pass valid arguments, call this function instead of the collective. For example, a
 * file may be missing, or a binding may refuse an object before the collective starts.
 *
 * `status` is a status of the library, or a status that the program defines (at least
 * `SHARDSPEC_USER_STATUS`). `status` must be at least 1. `message` is the text of the error. The
 * other ranks receive the first 480 bytes of `message`. `message` may be the message of `*err`.
 * All other ranks return DISAGREEMENT from their collective, with the number of this rank,
 * `status` and `message`. No data moves. This function returns OK after the collective, also if
 * other ranks have other errors.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange` and `abort` of a custom transport; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_ARGUMENT if `status` is below 1 or `message` is not UTF-8; NULL_ARGUMENT if
 * `message` is NULL. This function also sends these errors to the other ranks, which return
 * DISAGREEMENT. INVALID_HANDLE or NULL_ARGUMENT if `comm` is not a communicator; TRANSPORT_FAILED,
 * or the status of a custom transport, if the transport fails. After an error of `comm` or of the
 * transport, other ranks may wait without end.
 * Threads: any, but only one thread at a time may use the communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_decline(
    const shardspec_comm *comm, shardspec_status status, const char *message, shardspec_error *err);

/* ================================================================================================
 * Transfers.
 *
 * A transfer moves a batch of tensors between the ranks of a communicator. Each tensor moves from
 * one layout to another. Two metadata objects or a plan describe the two layouts. If source shards
 * are replicas, the library reads each element from only one replica. Destination shards may be
 * replicas, and may overlap. The library writes each destination shard completely. If destination
 * shards of one rank overlap, the rank receives each element once. The rank copies a shared
 * element to every shard that holds the element.
 *
 * All ranks pass the same tensors, with the same tags, in the same order. The ranks compare the
 * whole batch once, and not each tensor separately. Small pieces of different tensors travel in
 * one message. If the tensors of two ranks differ, all ranks return DISAGREEMENT. The error's
 * message has the tags and the layouts of the first tensor that differs. If a rank passes an
 * invalid tensor, the error's message has the tag of the tensor, and `index` is the tensor's
 * position.
 *
 * `shardspec_comm_transfer` moves a batch once. To move a batch many times, call
 * `shardspec_transfer_prepare` once and `shardspec_transfer_run` each time. In the preparation,
 * the ranks agree on the batch, plan the messages and allocate memory. When a transfer runs on n
 * ranks, all ranks first agree to run the same transfer. The agreement takes ceil(log2 n) rounds.
 * In each round, each rank sends one small message. After these rounds, the ranks move the data.
 *
 * `shardspec_comm_transfer_start`, `shardspec_transfer_prepare_start` and
 * `shardspec_transfer_start` do not wait for other ranks. These functions create requests. Between
 * two tests of a request, the program may do other work.
 */

typedef struct shardspec_comm_tensor shardspec_comm_tensor;

/**
 * One tensor of a batch, as an argument of one rank. All ranks pass equal fields, except the
 * shards.
 */
struct shardspec_comm_tensor {
  /** `sizeof(shardspec_comm_tensor)`. */
  uint64_t struct_size;
  /** A name for the tensor, such as the name of a parameter, in UTF-8. NULL means no name. */
  const char *tag;
  /** The layout of the source shards, or NULL if `plan` is set. */
  const shardspec_metadata *source;
  /** The layout of the destination shards, or NULL if `plan` is set. */
  const shardspec_metadata *destination;
  /**
   * A plan that replaces `source` and `destination`. The plan must cover all destination shards,
   * and all of its shards must have placements.
   */
  const shardspec_plan *plan;
  /** All of this rank's shards of the source layout, in the order of their indices. */
  const shardspec_tensor_view *source_shards;
  /** Number of elements of `source_shards`. */
  size_t source_shard_count;
  /** All of this rank's shards of the destination layout, in the order of their indices. */
  const shardspec_tensor_view *destination_shards;
  /** Number of elements of `destination_shards`. */
  size_t destination_shard_count;
  /**
   * The element type. If all its fields are 0, the element type comes from the layouts or from
   * the shards. In a batch of several tensors, a rank without a shard of this tensor must set
   * `dtype`, except if the layouts state the element type.
   */
  shardspec_dtype dtype;
  /** This field must be 0. */
  uint32_t reserved;
};

/**
 * Initialises a tensor without a layout: `shardspec_comm_tensor tensor = SHARDSPEC_COMM_TENSOR_INIT;`
 */
#define SHARDSPEC_COMM_TENSOR_INIT { sizeof(shardspec_comm_tensor), NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, { 0, 0, 0 }, 0 }

/** A prepared transfer, behind a handle. Free the handle with `shardspec_transfer_free`. */
typedef struct shardspec_transfer shardspec_transfer;

/**
 * Moves a batch of tensors between the ranks. Every rank passes the same `tensor_count` tensors,
 * with its own shards. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_PLACEMENT if a shard belongs to no rank of the communicator; GAP if an element
 * that a destination needs is in no source; INVALID_ARGUMENT if the number of shards is wrong, a
 * plan covers only some destinations or no element type is known; ALIASED if a destination shares
 * memory with another buffer of any tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * UNSUPPORTED_DEVICE, OVERFLOW, PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these errors, the
 * error's `index` is the position of the tensor. DISAGREEMENT if another rank has an error, or if
 * the tensors, their order, tags, layouts or element types differ between ranks. After one of
 * these errors, nothing was written on any rank. After TRANSPORT_FAILED, OUT_OF_MEMORY or a status
 * of a custom transport, destinations may be partly written.
 * Threads: any, but only one thread at a time may use the communicator. During the call, no other
 * thread may write source shards or use destination shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_transfer(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_error *err);

/**
 * Prepares a transfer of a batch of tensors. All ranks call this function together. In the call,
 * the ranks agree on the batch, plan the messages and allocate memory for packing. No data moves.
 * After the preparation, `shardspec_transfer_run` can move the tensors any number of times.
 * `options` may be NULL.
 *
 * Ownership: the caller frees `*out`, on all ranks, in any order. The caller may free the metadata
 * and the plans before `*out`. The transfer keeps the addresses of the shards. The memory of the
 * shards must exist during each run with these shards.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_PLACEMENT if a shard belongs to no rank of the communicator; GAP if an element
 * that a destination needs is in no source; INVALID_ARGUMENT if the number of shards is wrong, a
 * plan covers only some destinations or no element type is known; ALIASED if a destination shares
 * memory with another buffer of any tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * UNSUPPORTED_DEVICE, OVERFLOW, PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these errors, the
 * error's `index` is the position of the tensor. DISAGREEMENT if another rank has an error, or if
 * the tensors, their order, tags, layouts or element types differ between ranks. TRANSPORT_FAILED,
 * or the status of a custom transport, if the transport fails; OUT_OF_MEMORY.
 * Threads: any, but only one thread at a time may use the communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_prepare(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_transfer **out, shardspec_error *err);

/**
 * Runs a prepared transfer: moves all its tensors. All ranks call this function together, with the
 * communicator of the preparation.
 *
 * With `tensors` NULL and `tensor_count` 0, the run uses the buffers of the last run that returned
 * OK. If no run has returned OK yet, the run uses the buffers of the preparation. To use other
 * buffers, pass all tensors of the preparation again in `tensors`, in the same order. Each shard
 * must have the shape, strides and element type that the shard had in the preparation. The run
 * uses the shards of `tensors`, compares the tags, and ignores all other fields. Each `tag` must
 * be NULL or be equal to the tag of the preparation. The first run with new buffers takes a little
 * longer than the next runs with the same buffers.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange` and `abort` of a custom transport; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_ARGUMENT if the communicator, the number of tensors, a tag or strides differ
 * from the preparation, or if another thread runs the transfer; DISAGREEMENT if another rank has
 * an error or runs another transfer; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * UNSUPPORTED_DEVICE, ALIASED, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT. After one of these errors,
 * nothing was written on any rank, and the transfer can run again. After TRANSPORT_FAILED,
 * OUT_OF_MEMORY or a status of a custom transport, destinations may be partly written.
 * Threads: any, but only one thread at a time may use the communicator. During the call, no other
 * thread may write source shards or use destination shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_run(
    const shardspec_transfer *transfer, const shardspec_comm *comm,
    const shardspec_comm_tensor *tensors, size_t tensor_count, shardspec_error *err);

/**
 * Writes the fingerprint of a transfer to `*out`: a hash of 64 bits. The fingerprint depends on
 * the number of ranks, and on the order, tags, layouts and element types of the tensors. All ranks
 * have the same fingerprint.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_fingerprint(
    const shardspec_transfer *transfer, uint64_t *out, shardspec_error *err);

/**
 * Frees a prepared transfer and its memory. NULL is allowed. Different ranks may free the transfer
 * at different times.
 *
 * Ownership: the caller gives up `transfer`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A run of this transfer on another thread completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_transfer_free(
    shardspec_transfer *transfer, shardspec_error *err);

/* ================================================================================================
 * Requests.
 *
 * A request represents an exchange or a collective that a program has started. Until the request
 * has ended, the program may do other work. Functions with names that end in `_start` create
 * requests. `shardspec_request_test` makes progress with a request without waiting.
 * `shardspec_request_wait` completes a request.
 *
 * Between the program's calls, no thread of the library runs. A request therefore makes progress
 * only inside of `shardspec_request_test` and `shardspec_request_wait`. Other ranks wait for the
 * messages of this request, so a rank that never tests its request delays the other ranks. In one
 * collective, some ranks may call the function with `_start`, and the other ranks may call the
 * function without `_start`.
 *
 * - The buffers of a request must exist until the request has ended. Until the end of the request,
 *   the program may read source buffers but must not write them. Until the end of the request, the
 *   program must not use destination buffers. A request ends successfully when
 *   `shardspec_request_test` writes 1 or `shardspec_request_wait` returns OK. A request also ends
 *   when `shardspec_request_free` returns, or when a test or wait returns an error of the request.
 * - A communicator can have only one request at a time. Until the request has ended, other calls
 *   with the communicator return INVALID_ARGUMENT. If communicators share a transport
 *   (`shardspec_comm_new_group`), only one of these communicators can have a request at a time. To
 *   have two requests at the same time, create two communicators that do not share a transport.
 * - After a request has ended, `shardspec_request_test` and `shardspec_request_wait` return the
 *   same result each time.
 * - Functions with names that end in `_start` do not wait for other ranks. If this rank starts a
 *   collective with an invalid argument, the library still creates a request. The request sends
 *   the error to the other ranks. After this exchange of errors, `shardspec_request_test` or
 *   `shardspec_request_wait` returns the error. The requests of all other ranks return
 *   DISAGREEMENT.
 * - `shardspec_request_free` cancels a request that has not ended. The function aborts the
 *   communicator, so that the other ranks do not wait. After the function has returned, the
 *   program may use the buffers again. If the transport can't abort (MPI), the function completes
 *   the request instead.
 * - `shardspec_request_wait` may copy with a second thread, which ends before the function
 *   returns. `shardspec_request_test` copies the data that stays on this rank in parts of less
 *   than 8 MiB. Between two parts, the function checks the messages.
 * - If a transport has no `start`, a request makes progress only inside of
 *   `shardspec_request_wait`. Without `start`, `shardspec_request_test` writes 0 until the program
 *   calls `shardspec_request_wait`. Local communicators and `shardspec_mpi.h` have `start`.
 */

/** A request, behind a handle. Free the handle with `shardspec_request_free`. */
typedef struct shardspec_request shardspec_request;

/**
 * Makes progress with a request without waiting for other ranks. Writes 1 to `*done` if the
 * request has ended successfully, and 0 if the request has not ended. The function copies data
 * that has arrived.
 *
 * Ownership: the caller keeps the request, and frees the request after its end.
 * Calls back: `start`, `test` and `abort` of a custom transport; `destroy`, if another thread
 * frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if another thread uses the request; INVALID_HANDLE, NULL_ARGUMENT. If
 * the request fails, the function returns the error of the request's exchange or collective.
 * Threads: any, but only one thread at a time may use the request.
 * Source: MPI_Test.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_request_test(
    const shardspec_request *request, int32_t *done, shardspec_error *err);

/**
 * Completes a request. The function returns OK when all data of this rank has arrived and the
 * program may use the buffers again.
 *
 * Ownership: the caller keeps the request, and frees it later.
 * Calls back: `exchange`, `start`, `wait` and `abort` of a custom transport; `destroy`, if another
 * thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_ARGUMENT if another thread uses the request; INVALID_HANDLE, NULL_ARGUMENT. If
 * the request fails, the function returns the error of the request's exchange or collective.
 * Threads: any, but only one thread at a time may use the request.
 * Source: MPI_Wait.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_request_wait(
    const shardspec_request *request, shardspec_error *err);

/**
 * Frees a request. NULL is allowed. If the request has not ended, the function cancels the request
 * and aborts the communicator. After the abort, the other ranks stop waiting, and all later
 * exchanges of the communicator fail. If the transport has no `abort`, the function completes the
 * request instead and ignores its result.
 *
 * Ownership: after the function has returned, the caller may use the buffers of the request again.
 * Calls back: `abort`, `exchange` and `wait` of a custom transport, if the request has not ended;
 * `destroy`, if nothing else uses the communicator.
 * Blocks: on other ranks, if the request has not ended, until nothing uses the buffers.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. Calls that run on other threads with this handle complete normally. The library
 * frees the request after these calls.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_request_free(
    shardspec_request *request, shardspec_error *err);

/**
 * Starts an exchange of messages between ranks. The rules of `shardspec_comm_exchange` for
 * messages apply. Other ranks may call `shardspec_comm_exchange` instead of this function.
 *
 * Ownership: the caller frees `*out`. The library reads the arrays during the call only. The
 * memory of the messages belongs to the request until the request has ended.
 * Calls back: `start` and `test` of a custom transport; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended;
 * INDEX_OUT_OF_RANGE if a peer is not a rank of the communicator; INVALID_ARGUMENT if the messages
 * of the calling rank to itself differ in number or length between `sends` and `receives`;
 * NULL_ARGUMENT, INVALID_HANDLE, OUT_OF_MEMORY. After one of these errors, nothing was sent.
 * `shardspec_request_test` and `shardspec_request_wait` return errors of the transport.
 * Threads: any, but only one thread at a time may use the communicator.
 * Source: MPI_Isend, MPI_Irecv.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_exchange_start(
    const shardspec_comm *comm, const shardspec_message *sends, size_t send_count,
    const shardspec_message *receives, size_t receive_count, shardspec_request **out,
    shardspec_error *err);

/**
 * Starts a transfer of a batch of tensors. The rules of `shardspec_comm_transfer` apply. Other
 * ranks may call `shardspec_comm_transfer` instead of this function. `options` may be NULL.
 *
 * The function checks the arguments and plans the messages. After the start, the request compares
 * the calls of all ranks and moves the tensors. If an argument is invalid, the function returns OK
 * and the request fails. The line "Errors" has the exceptions. `shardspec_request_test` or
 * `shardspec_request_wait` returns the error after the other ranks have received the error.
 *
 * Ownership: the caller frees `*out`. The caller may free arrays, metadata, plans and tags when
 * the function returns. The memory of the shards belongs to the request until the request has
 * ended.
 * Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
 * `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
 * request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
 * request returns all other errors of `shardspec_comm_transfer`.
 * Threads: any, but only one thread at a time may use the communicator. Until the request has
 * ended, no thread may write source shards or use destination shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_transfer_start(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_request **out, shardspec_error *err);

/**
 * Starts a scatter: copies a tensor on rank `source_rank` into the shards of all ranks. The
 * arguments and rules of `shardspec_comm_scatter` apply. Other ranks may call
 * `shardspec_comm_scatter` instead of this function.
 *
 * The function checks the arguments. After the start, the request compares the calls of all ranks
 * and moves the data. If an argument is invalid, the function returns OK and the request fails.
 * The line "Errors" has the exceptions. `shardspec_request_test` or `shardspec_request_wait`
 * returns the error after the other ranks have received the error.
 *
 * Ownership: the caller frees `*out`. The caller may free arrays and metadata when the function
 * returns. The memory of `full` and of the shards belongs to the request until the request has
 * ended.
 * Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
 * `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
 * request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
 * request returns all other errors of `shardspec_comm_scatter`.
 * Threads: any, but only one thread at a time may use the communicator. Until the request has
 * ended, no thread may write `full` or use the shards.
 * Source: MPI_Iscatterv.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_scatter_start(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_comm_options *options, shardspec_request **out, shardspec_error *err);

/**
 * Starts a gather: copies the shards of all ranks into a tensor on rank `destination_rank`, or on
 * every rank. The arguments and rules of `shardspec_comm_gather` apply. Other ranks may call
 * `shardspec_comm_gather` instead of this function.
 *
 * The function checks the arguments. After the start, the request compares the calls of all ranks
 * and moves the data. If an argument is invalid, the function returns OK and the request fails.
 * The line "Errors" has the exceptions. `shardspec_request_test` or `shardspec_request_wait`
 * returns the error after the other ranks have received the error.
 *
 * Ownership: the caller frees `*out`. The caller may free arrays and metadata when the function
 * returns. The memory of `full` and of the shards belongs to the request until the request has
 * ended.
 * Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
 * `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
 * request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
 * request returns all other errors of `shardspec_comm_gather`.
 * Threads: any, but only one thread at a time may use the communicator. Until the request has
 * ended, no thread may write the shards or use `full`.
 * Source: MPI_Igatherv, MPI_Iallgatherv.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_gather_start(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t destination_rank,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_tensor_view *full,
    const shardspec_comm_options *options, shardspec_request **out, shardspec_error *err);

/**
 * Starts a reshard: moves a tensor from the layout `source` to the layout `destination`.
 * The arguments and rules of `shardspec_comm_reshard` apply. Other ranks may call
 * `shardspec_comm_reshard` instead of this function.
 *
 * The function checks the arguments and plans the messages. After the start, the request compares
 * the calls of all ranks and moves the data. If an argument is invalid, the function returns OK
 * and the request fails. The line "Errors" has the exceptions. `shardspec_request_test` or
 * `shardspec_request_wait` returns the error after the other ranks have received the error.
 *
 * Ownership: the caller frees `*out`. The caller may free arrays and metadata when the function
 * returns. The memory of the shards belongs to the request until the request has ended.
 * Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
 * `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
 * request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
 * request returns all other errors of `shardspec_comm_reshard`.
 * Threads: any, but only one thread at a time may use the communicator. Until the request has
 * ended, no thread may write `source_shards` or use `destination_shards`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_reshard_start(
    const shardspec_comm *comm, const shardspec_metadata *source,
    const shardspec_tensor_view *source_shards, size_t source_shard_count,
    const shardspec_metadata *destination, const shardspec_tensor_view *destination_shards,
    size_t destination_shard_count, const shardspec_comm_options *options, shardspec_request **out,
    shardspec_error *err);

/**
 * Starts the preparation of a transfer. The arguments and rules of `shardspec_transfer_prepare`
 * apply. Other ranks may call `shardspec_transfer_prepare` instead of this function.
 *
 * The function checks the arguments, plans the messages and allocates memory for packing. After
 * the start, the request compares the calls of all ranks. The transfer can run when the request
 * has ended with OK. Before the end of the request, and after an error of the request, a run of
 * this transfer returns INVALID_ARGUMENT.
 *
 * If an argument is invalid, the function returns OK with `*transfer` NULL, and the request fails.
 * The line "Errors" has the exceptions. `shardspec_request_test` or `shardspec_request_wait`
 * returns the error after the other ranks have received the error.
 *
 * Ownership: the caller frees `*out` and `*transfer`, in any order. The caller may free arrays,
 * metadata, plans and tags when the function returns. The transfer keeps the addresses of the
 * shards. The request does not use the memory of the shards.
 * Calls back: `exchange`, `start`, `test`, `node` and `abort` of a custom transport; `equal` and
 * `hash` of custom placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks, only if `transfer` or `out` is NULL or memory runs out. In these cases,
 * there is no request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm`, `transfer` or `out` is NULL;
 * OUT_OF_MEMORY. The request returns all other errors of `shardspec_transfer_prepare`.
 * Threads: any, but only one thread at a time may use the communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_prepare_start(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_transfer **transfer, shardspec_request **out,
    shardspec_error *err);

/**
 * Starts a run of a prepared transfer. The rules of `shardspec_transfer_run` apply. Other ranks
 * may call `shardspec_transfer_run` instead of this function.
 *
 * With `tensors` NULL and `tensor_count` 0, the run uses the buffers of the last run that returned
 * OK. If no run has returned OK yet, the run uses the buffers of the preparation. A transfer can
 * have only one run at a time. Each prepared transfer remembers the buffers of its own runs, also
 * if another transfer has the same tensors. To run two transfers at the same time, prepare each
 * transfer with its own communicator. If an argument is invalid, the function returns OK and the
 * request fails. The line "Errors" has the exceptions. `shardspec_request_test` or
 * `shardspec_request_wait` returns the error after the other ranks have received the error.
 *
 * Ownership: the caller frees `*out`. The caller may free the arrays and `transfer` when the
 * function returns. The memory of the shards belongs to the request until the request has ended.
 * Calls back: `exchange`, `start`, `test` and `abort` of a custom transport; `destroy`, if another
 * thread frees a handle during the call.
 * Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
 * request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
 * request returns all other errors of `shardspec_transfer_run`, including the errors about the
 * argument `transfer`. After the request has ended, the transfer can run again, also after an
 * error.
 * Threads: any, but only one thread at a time may use the communicator. Until the request has
 * ended, no thread may write source shards or use destination shards.
 * Source: MPI_Start.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_start(
    const shardspec_transfer *transfer, const shardspec_comm *comm,
    const shardspec_comm_tensor *tensors, size_t tensor_count, shardspec_request **out,
    shardspec_error *err);

/**
 * Starts a request that takes part in the collective of the other ranks and reports an error of
 * this rank. If the program can't pass valid arguments, call this function instead of the function
 * that starts the collective. `status` and `message` are the arguments of
 * `shardspec_comm_decline`.
 *
 * All other ranks return DISAGREEMENT from their collective, with the number of this rank,
 * `status` and `message`. No data moves. The request ends with OK when the other ranks have
 * received `status` and `message`.
 *
 * Ownership: the caller frees `*out`. The caller may free `message` when the function returns.
 * Calls back: `exchange`, `start`, `test` and `abort` of a custom transport; `destroy`, if another
 * thread frees a handle during the call.
 * Blocks: on other ranks, only if `out` is NULL or memory runs out. In these cases, there is no
 * request, and the function itself sends the error to the other ranks.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended; INVALID_HANDLE if
 * `comm` is not a valid handle; NULL_ARGUMENT if `comm` or `out` is NULL; OUT_OF_MEMORY. The
 * request returns INVALID_ARGUMENT if `status` is below 1 or `message` is not UTF-8; NULL_ARGUMENT
 * if `message` is NULL; TRANSPORT_FAILED, or the status of a custom transport, if the transport
 * fails.
 * Threads: any, but only one thread at a time may use the communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_decline_start(
    const shardspec_comm *comm, shardspec_status status, const char *message,
    shardspec_request **out, shardspec_error *err);

/* ################################################################################################
 * Level 3: types, ops and transports of your own
 * ################################################################################################ */

/* ================================================================================================
 * Callbacks.
 *
 * Callbacks are the caller's functions that the library calls. The caller registers one function
 * or a table of functions, with a pointer `ctx`. Each call of a callback receives `ctx`, and the
 * callback `destroy` frees `ctx`. These rules apply to all callbacks:
 *
 * - A callback with the return type `shardspec_status` returns a status: its status of success, or
 *   the status of a failure. The library function that called the callback returns the status of a
 *   failure unchanged. The same function also copies the message and the numbers from the
 *   callback's `err` into the `err` of its caller. `err` is never NULL in a callback. The callback
 *   need not set the `status` of `err`, except with `SHARDSPEC_CALLBACK_OK_IN_ERR`. The callback
 *   may pass `err` to the functions that it calls. A message ends at its first NUL. The library
 *   replaces bytes that are not UTF-8 by U+FFFD. A callback may use all statuses from
 *   `SHARDSPEC_USER_STATUS` on for its own failures.
 * - The status of success is SHARDSPEC_OK (0) by default. `success_status` in the table, or in the
 *   options of an op, may set another status of success. For callbacks in languages with
 *   exceptions, set `success_status` to `SHARDSPEC_CALLBACK_OK`. If a callback throws, JNA, cffi
 *   and koffi return 0, and by default 0 means success. With `SHARDSPEC_CALLBACK_OK`, a callback
 *   that returns 0 fails with SHARDSPEC_CALLBACK_FAILED.
 * - If a callback throws, CPython's ctypes returns an arbitrary number, often the status of
 *   success of an earlier call. For ctypes, set `success_status` to
 *   `SHARDSPEC_CALLBACK_OK_IN_ERR`. With this setting, the callback writes its status into
 *   `err->status`, and SHARDSPEC_CALLBACK_OK_IN_ERR means success. The library ignores the number
 *   that the callback returns. Before the call, the library sets `err->status` to
 *   SHARDSPEC_CALLBACK_FAILED. A callback that throws leaves this status unchanged.
 * - A negative number is not a status. A callback that returns a negative number fails with
 *   SHARDSPEC_CALLBACK_FAILED. The error's `got` is that number.
 * - `equal` and `hash` return their result and can't fail. If `equal` throws and the binding
 *   returns 0, the library treats the two objects as different.
 * - A type name identifies a type. To compare two objects with the same type name, the library
 *   calls the `equal` of one of the objects. Both objects must have an `equal`. The addresses of
 *   the two `equal` functions may differ, so a binding may create one function for each object.
 *   The `equal` of each object must accept the `ctx` of all objects with the same type name.
 * - A function pointer must stay callable until `destroy(ctx)` has returned. The pointer to
 *   `destroy` itself must also stay callable until `destroy` has returned. With `destroy` NULL,
 *   the functions must stay callable until the process ends. A binding must keep the closures of a
 *   table alive until `destroy` has run.
 * - The library holds no lock while a callback runs, so a callback may call any function of this
 *   header.
 * - A callback may run on any thread that calls the library, and on several threads at once.
 * - A callback may unwind: by an exception of C++, by pthread_exit, or by cancellation of its
 *   thread. If a callback unwinds, the library frees all objects that the interrupted calls
 *   created. The unwinding continues in the caller of the library, without a status. Outputs are
 *   in the same state as after a failed call. Unwinding is supported on Linux, Android and
 *   FreeBSD, on x86-64 and AArch64. On other systems, unwinding into the library ends the process.
 * - A callback must return or unwind. A jump without unwinding, such as longjmp, is forbidden. The
 *   library can't detect such a jump. After such a jump, the library would never free the objects
 *   that the call created. If the callback belongs to an op, this op would stay BUSY, and
 *   `shardspec_op_unregister` on another thread would never return. Threads that copy data for the
 *   call would continue to use the caller's memory. Asynchronous cancellation of a thread inside
 *   of the library is also forbidden, because its behaviour is undefined.
 * - `destroy(ctx)` runs exactly once. Before `destroy` runs, all calls of callbacks with this
 *   `ctx` have returned. After `destroy` has begun, no callback receives this `ctx` again.
 *   `destroy` runs on the thread that ends the last use of `ctx`. `destroy` also runs if the
 *   function that received `ctx` fails. `destroy` may be NULL. The library calls the `destroy` of
 *   a table only if the table's `struct_size` is at least 16. A smaller table does not contain the
 *   whole field `destroy`, which ends at byte 16.
 */

/** The first status that callbacks may define. Statuses of the library are lower. */
#define SHARDSPEC_USER_STATUS 1000
/** A value of `success_status`: a status of success that no runtime returns by accident. */
#define SHARDSPEC_CALLBACK_OK 999
/**
 * A value of `success_status`. To report success, the callback writes this status into
 * `err->status`. The library ignores the number that the callback returns.
 */
#define SHARDSPEC_CALLBACK_OK_IN_ERR 998

/**
 * Returns a nonzero value if two objects with the same type name are equal, else 0. The function
 * must be an equivalence relation. The library may pass any two objects with the same type name,
 * in any order.
 */
typedef int32_t (*shardspec_equal_fn)(void *ctx, void *other_ctx);

/**
 * Returns the hash of an object. Equal objects must have equal hashes. If a program compares
 * hashes of different processes, equal objects must have the same hash in every process.
 */
typedef uint64_t (*shardspec_hash_fn)(void *ctx);

/**
 * Enters a language runtime. A thread must enter a runtime before it runs code of that runtime.
 * The library passes the result to `leave`.
 */
typedef int32_t (*shardspec_enter_fn)(void);

/** Leaves a language runtime. The argument is the result of `enter`. */
typedef void (*shardspec_leave_fn)(int32_t state);

typedef struct shardspec_runtime_ctx shardspec_runtime_ctx;

/**
 * A `ctx` that must be freed inside of a language runtime. The function
 * `shardspec_runtime_ctx_destroy` frees such a `ctx`.
 */
struct shardspec_runtime_ctx {
  /** `sizeof(shardspec_runtime_ctx)`. */
  uint64_t struct_size;
  /** Enters the runtime. The library calls this function before `destroy`. */
  shardspec_enter_fn enter;
  /** Frees `ctx` inside of the runtime. */
  shardspec_destroy_fn destroy;
  /** The argument of `destroy`. */
  void *ctx;
  /**
   * Leaves the runtime. The library calls this function after `destroy`, with the result of
   * `enter`.
   */
  shardspec_leave_fn leave;
};

/**
 * Initialises a `ctx` without functions: `shardspec_runtime_ctx ctx = SHARDSPEC_RUNTIME_CTX_INIT;`
 */
#define SHARDSPEC_RUNTIME_CTX_INIT { sizeof(shardspec_runtime_ctx), NULL, NULL, NULL, NULL }

/**
 * Frees a `ctx` inside of a language runtime. In some runtimes, like Python, a thread must enter
 * the runtime before the thread uses an object of the runtime. Pass this function as `destroy` or
 * `release`, and the address of a `shardspec_runtime_ctx` as `ctx`. The function reads the struct
 * before it calls a callback, so the struct's `destroy` may free the struct. Functions in the
 * struct may be NULL.
 *
 * For example, a binding for Python passes `PyGILState_Ensure`, `Py_DecRef` and
 * `PyGILState_Release`. With these functions, the library releases a Python object at once, on any
 * thread. `Py_DecRef` can run the destructor of a Python class on this thread.
 *
 * Ownership: `destroy` of the struct frees the caller's objects, and may also free the struct
 * itself.
 * Calls back: `enter`, `destroy` and `leave` of the struct.
 * Blocks: no.
 * Errors: none.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_API void shardspec_runtime_ctx_destroy(void *ctx);

/* ================================================================================================
 * Custom placements.
 *
 * A custom placement describes a place by more than an owner and a device. Examples of such places
 * are a rack, a storage tier and a node of a scheduler. A custom placement consists of the name of
 * its type, a text, a rank or -1, and a `ctx` of the caller. Functions that take the handle of a
 * placement also accept the handle of a custom placement. Metadata returns custom placements
 * unchanged.
 *
 * Source: torch's abstract class `PlacementSpec`.
 */

typedef struct shardspec_placement_vtable shardspec_placement_vtable;

/** A table with the functions of a type of placement. */
struct shardspec_placement_vtable {
  /** `sizeof(shardspec_placement_vtable)`. */
  uint64_t struct_size;
  /** Frees `ctx`. NULL means that there is nothing to free. */
  shardspec_destroy_fn destroy;
  /**
   * Returns a nonzero value if two placements with this type name and equal ranks are equal,
   * else 0. With NULL, two placements with this type name and equal ranks are equal if their
   * texts are equal. If several shards of metadata have equal placements, the metadata keeps
   * only the first of these placements for all of these shards.
   */
  shardspec_equal_fn equal;
  /**
   * Returns a hash of a placement. Equal placements must have equal hashes. The library uses
   * `hash` only if `equal` is set. With `hash` NULL, the library hashes the name of the type and
   * the rank of the placement. Without `hash`, different placements with the same type name and
   * rank have equal hashes. A list with many such placements takes a long time to create,
   * because the library compares these placements in pairs.
   */
  shardspec_hash_fn hash;
};

/**
 * Initialises a table without functions: `shardspec_placement_vtable vtable = SHARDSPEC_PLACEMENT_VTABLE_INIT;`
 */
#define SHARDSPEC_PLACEMENT_VTABLE_INIT { sizeof(shardspec_placement_vtable), NULL, NULL, NULL }

/**
 * Creates a placement of a custom type, called `type_name`.
 *
 * Use a name with a dot, such as "acme.rack", because later versions will not use such names for
 * built-in types. `text` is the text that `shardspec_placement_text` returns. `rank` is the rank
 * of the placement, or -1 for a placement without a rank. Collectives, plans and
 * `shardspec_metadata_shards_of_rank` use this rank. Placements with different type names or ranks
 * are never equal. To compare two placements with the same type name and rank, the library calls
 * `equal` with the `ctx` of each placement. With `vtable` NULL, the library never frees `ctx`, and
 * compares placements with the same type name and rank by their texts.
 *
 * Ownership: the library copies the texts and the table. The library owns `ctx` from the beginning
 * of the call, also if the call fails. The library calls `destroy(ctx)` when the handle has been
 * freed and no other object uses the placement. The caller frees `*out`.
 * Calls back: `destroy`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `type_name` is "device", `type_name` or `text` is empty or has a
 * control character, `rank` is below -1 or `struct_size` is wrong; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. The functions of `vtable` may run on several threads at once.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_new_custom(
    const char *type_name, const char *text, int64_t rank, const shardspec_placement_vtable *vtable,
    void *ctx, shardspec_placement **out, shardspec_error *err);

/**
 * Writes the `ctx` of a custom placement to `*out`. The `ctx` is valid until the placement is
 * freed. Do not free the handle while you use the `ctx`.
 *
 * Ownership: the placement still owns `ctx`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the type of the placement is not `type_name`; INVALID_ARGUMENT if
 * `type_name` is not valid UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_custom_ctx(
    const shardspec_placement *placement, const char *type_name, void **out, shardspec_error *err);

/* ================================================================================================
 * Building metadata.
 *
 * A callback that cuts a tensor receives a builder, and adds the tensor's shards to the builder.
 * Shards are numbered in the order of the calls that add shards. Threads that the callback starts
 * may also add shards until the callback returns. After the callback has returned, functions
 * refuse the builder with SHARDSPEC_INVALID_HANDLE.
 */

/**
 * A builder of metadata, behind a handle. The library owns the builder, so there is nothing to
 * free.
 */
typedef struct shardspec_metadata_builder shardspec_metadata_builder;

/**
 * Adds a shard. The shard is the box that starts at `offsets` and has the sizes `sizes`. `offsets`
 * and `sizes` hold `ndim` numbers each. `placement` is a text in the form that
 * `shardspec_placement_parse` reads. After the callback, the library checks that the shards cover
 * the tensor and do not overlap. If the function fails, it adds no shard.
 *
 * Ownership: the library copies all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_HANDLE if the
 * callback has returned; INVALID_ARGUMENT if `placement` is not valid UTF-8; INVALID_PLACEMENT,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_builder_add_shard(
    shardspec_metadata_builder *builder, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    const char *placement, shardspec_error *err);

/**
 * Adds a shard. The shard is the box that starts at `offsets` and has the sizes `sizes`. `offsets`
 * and `sizes` hold `ndim` numbers each. `placement` is the handle of a built-in or custom
 * placement. After the callback, the library checks that the shards cover the tensor and do not
 * overlap. If the function fails, it adds no shard.
 *
 * Ownership: the library copies the arrays. The caller keeps the handle `placement`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_HANDLE if the
 * callback has returned or a handle is not valid; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_builder_add_shard_with_placement_handle(
    shardspec_metadata_builder *builder, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    const shardspec_placement *placement, shardspec_error *err);

/**
 * Adds the shards of a list. Each shard needs a placement. If some shards of the tensor are not
 * boxes, the callback must add all shards in one list. If the function fails, it adds no shard.
 *
 * Ownership: the caller keeps the list, and may free it right after the call.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NDIM_MISMATCH if the list has another number of dimensions than the tensor;
 * NULL_ARGUMENT if a pointer is NULL or a shard has no placement; INVALID_HANDLE if the callback
 * has returned or a handle is not valid; OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_builder_add_shards(
    shardspec_metadata_builder *builder, const shardspec_shards *shards, shardspec_error *err);

/* ================================================================================================
 * Custom sharding specs.
 *
 * A type of spec consists of a name and a table of functions. A custom spec has the name and the
 * table of its type, and a `ctx`. The `ctx` holds the parameters of the spec, and the functions
 * receive the `ctx`. Functions that accept built-in specs of all types usually also accept a
 * custom spec. The line "Errors" of a function says whether the function refuses custom specs.
 *
 * Source: torch's abstract class `ShardingSpec` with its methods `build_metadata` and `shard`.
 */

/**
 * Adds the shards of a tensor to `builder`. `sizes` holds the `ndim` sizes of the tensor.
 * `dim_names` holds `ndim` texts, or is NULL if the dimensions have no names. `properties` is
 * never NULL. The library owns all arguments, which are valid during the call only.
 */
typedef shardspec_status (*shardspec_build_metadata_fn)(
    void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata_builder *builder,
    shardspec_error *err);

/**
 * Writes the elements of shard `index` from `full` to `shard`. The views have the shapes and
 * element types of `metadata`. The views share no memory. No pointer is NULL. The library owns all
 * arguments, which are valid during the call only. The memory of the views belongs to the caller
 * of the library.
 */
typedef shardspec_status (*shardspec_fill_shard_fn)(
    void *ctx, const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shard, const shardspec_copy_options *options,
    shardspec_error *err);

typedef struct shardspec_spec_vtable shardspec_spec_vtable;

/** A table with the functions of a type of spec. */
struct shardspec_spec_vtable {
  /** `sizeof(shardspec_spec_vtable)`. */
  uint64_t struct_size;
  /** Frees `ctx`. NULL means that there is nothing to free. */
  shardspec_destroy_fn destroy;
  /** Adds the shards of a tensor to a builder. NULL is not allowed. */
  shardspec_build_metadata_fn build_metadata;
  /** Fills a shard. With NULL, the library copies the elements of the shard from the tensor. */
  shardspec_fill_shard_fn fill_shard;
  /**
   * Returns a nonzero value if two specs with this type name cut every tensor into equal shards,
   * else 0. With NULL, a spec equals only itself.
   */
  shardspec_equal_fn equal;
  /**
   * Returns a hash of a spec. Equal specs must have equal hashes. With NULL, the library hashes
   * the type's name.
   */
  shardspec_hash_fn hash;
  /**
   * The status that `build_metadata` and `fill_shard` return on success: 0,
   * `SHARDSPEC_CALLBACK_OK` or `SHARDSPEC_CALLBACK_OK_IN_ERR`.
   */
  shardspec_status success_status;
  /** This field must be 0. */
  int32_t reserved;
};

/**
 * Initialises a table without functions: `shardspec_spec_vtable vtable = SHARDSPEC_SPEC_VTABLE_INIT;`
 */
#define SHARDSPEC_SPEC_VTABLE_INIT { sizeof(shardspec_spec_vtable), NULL, NULL, NULL, NULL, NULL, 0, 0 }

/**
 * Creates a spec of the custom type with the name `type_name`. Choose a name with a dot, such as
 * "acme.grid". Later versions will not use names with a dot for built-in types. To compare two
 * specs with the same type name, the library calls `equal` with the `ctx` of each spec.
 *
 * The library checks the shards that `build_metadata` adds. The library refuses shards outside of
 * the tensor, overlaps, gaps and wrong numbers of dimensions. The message of each such error has
 * the name of the spec's type. The shards of a custom spec depend on the tensor.
 * `shardspec_spec_shard_count` and `shardspec_spec_placement` receive no tensor, and therefore
 * fail with WRONG_SPEC_TYPE for a custom spec. Use `shardspec_metadata_shard_count` and
 * `shardspec_metadata_shard_placement` instead.
 *
 * Ownership: the library copies the name and the table. The library owns `ctx` from the call on,
 * also if the call fails. The library calls `destroy(ctx)` when the spec has been freed and no
 * call uses the spec. The caller frees `*out`.
 * Calls back: `destroy`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `type_name` is empty or the name of a built-in type,
 * `build_metadata` is NULL, `struct_size` is wrong, or `success_status` is a number that means a
 * failure; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. The functions of `vtable` may run on several threads at once.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_custom(
    const char *type_name, const shardspec_spec_vtable *vtable, void *ctx, shardspec_spec **out,
    shardspec_error *err);

/**
 * Writes the `ctx` of a custom spec to `*out`, for use in custom ops. The `ctx` is valid until the
 * spec is freed. Do not free the handle of the spec while you use the `ctx`.
 *
 * Ownership: the spec still owns `ctx`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the type of the spec is not `type_name`; INVALID_ARGUMENT if
 * `type_name` is not valid UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_custom_ctx(
    const shardspec_spec *spec, const char *type_name, void **out, shardspec_error *err);

/* ================================================================================================
 * Custom ops.
 *
 * An op is a function that a program registers for a type of spec. Callers of an op pass a spec of
 * this type. An op corresponds to torch's `custom_sharding_spec_op`. Two names identify an op. The
 * first name is the type of the spec: "chunk", "enumerable", "mesh", or a custom type. The second
 * name is the op's own name, such as "acme.embedding". A name is any text without control
 * characters. An op can be registered before a spec of the type exists.
 *
 *   shardspec_op_register -> shardspec_op_dispatch, or shardspec_op_look_up once and shardspec_op_call
 *                         -> shardspec_op_unregister
 *
 * A `shardspec_op *` identifies a registration. The caller does not free this handle. After the
 * registration has ended, the library refuses the handle with SHARDSPEC_INVALID_HANDLE.
 *
 * Ops are callbacks. All rules for callbacks apply, and also these rules:
 *
 * - An op may call any function of this header, and may call itself. An op may register,
 *   unregister and dispatch other ops. An op may free the handles that it received as arguments.
 * - When `shardspec_op_unregister` returns SHARDSPEC_OK, all calls of the op have ended, no
 *   further call can begin, and the op's `destroy` has returned. Outside of all ops,
 *   `shardspec_op_unregister` waits for calls of the op on other threads.
 * - Inside of an op, `shardspec_op_unregister` does not wait. If an op unregisters itself, the
 *   function fails with SHARDSPEC_BUSY and changes nothing. If an op unregisters another op, and
 *   calls of the other op are still running on other threads, the function also fails with
 *   SHARDSPEC_BUSY. Two ops that unregister each other on two threads therefore do not deadlock.
 *   After SHARDSPEC_BUSY, call `shardspec_op_unregister` again later, or outside of all ops.
 * - An op may itself wait for another thread, for example with a join. The library can't detect
 *   such a wait. The thread that the op waits for must not unregister the op. If that thread
 *   unregisters the op, both threads wait without end.
 * - While a program replaces an op, one of the two ops is always registered under the two names.
 *   New calls use the new op while the last calls of the old op finish.
 * - In a child process after fork, only the calls of the thread that called fork are still
 *   running.
 */

/** No value. */
#define SHARDSPEC_VALUE_NONE 0
/** A truth value. `integer` is 0 or 1. */
#define SHARDSPEC_VALUE_BOOL 1
/** A whole number. `integer` is the number. */
#define SHARDSPEC_VALUE_I64 2
/** A real number. `real` is the number. */
#define SHARDSPEC_VALUE_F64 3
/** A text. `pointer` is a `const char *`. */
#define SHARDSPEC_VALUE_TEXT 4
/** A tensor in the caller's memory: `pointer` is a `const shardspec_tensor_view *`. */
#define SHARDSPEC_VALUE_TENSOR_VIEW 5
/** A sharded tensor: `pointer` is its handle. */
#define SHARDSPEC_VALUE_SHARDED_TENSOR 6
/**
 * A list of whole numbers. `pointer` is a `const int64_t *`, and `integer` is the number of
 * elements.
 */
#define SHARDSPEC_VALUE_I64_LIST 7
/** Any pointer. The library does not read the memory at `pointer`. */
#define SHARDSPEC_VALUE_POINTER 8

typedef struct shardspec_value shardspec_value;

/**
 * An argument or a result of an op. The library ignores fields that the kind of the value does not
 * use.
 */
struct shardspec_value {
  /** A `SHARDSPEC_VALUE_...` constant. */
  int32_t kind;
  /** This field must be 0. */
  int32_t reserved;
  /** A truth value, a whole number, or the number of elements of the list at `pointer`. */
  int64_t integer;
  /** A real number. */
  double real;
  /** A text, a tensor, a list or any other pointer. */
  void *pointer;
};

typedef struct shardspec_op_arguments shardspec_op_arguments;

/**
 * The arguments of a call of an op. At least one argument, positional or named, must be a sharded
 * tensor. All sharded tensors must have the same communicator, or all must have no communicator.
 */
struct shardspec_op_arguments {
  /** `sizeof(shardspec_op_arguments)`. */
  uint64_t struct_size;
  /** Positional arguments. */
  const shardspec_value *args;
  /** Number of positional arguments. With 0, `args` may be NULL. */
  size_t arg_count;
  /** Names of the named arguments. All names are different. */
  const char *const *kwarg_names;
  /** Values of the named arguments, one for each name. */
  const shardspec_value *kwargs;
  /** Number of named arguments. With 0, `kwarg_names` and `kwargs` may be NULL. */
  size_t kwarg_count;
  /**
   * The communicator for the op's collectives, or NULL. The library passes this communicator to
   * the op. Outside of the op, the library does not use the communicator.
   */
  shardspec_comm *comm;
};

/**
 * Initialises a list of no arguments: `shardspec_op_arguments arguments = SHARDSPEC_OP_ARGUMENTS_INIT;`
 */
#define SHARDSPEC_OP_ARGUMENTS_INIT { sizeof(shardspec_op_arguments), NULL, 0, NULL, NULL, 0, NULL }

/**
 * A registered op, behind a handle. The handle is valid until the registration ends. There is
 * nothing to free.
 */
typedef struct shardspec_op shardspec_op;

/**
 * Runs the op. `spec` is the spec that the caller of the op passed. `arguments` is never NULL.
 * Before the call, the library checks that each value matches its kind and that sharded tensors
 * are valid. The op writes its results to `results`, which has room for `result_count` values. All
 * results have the kind `SHARDSPEC_VALUE_NONE` before the call. If the caller of the op asks for
 * no results, `result_count` is 0.
 *
 * Arguments are valid during the call only. The caller of the op frees sharded tensors among the
 * results. The library does not manage the memory of other pointers among the results. The authors
 * of the op and of its callers decide who owns this memory. If an op fails, the caller of the op
 * receives no results. A failed op must free all objects that it has created.
 */
typedef shardspec_status (*shardspec_op_fn)(
    void *ctx, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);

/** A flag: the registration replaces an op with the same names. */
#define SHARDSPEC_OP_FLAG_REPLACE 1

typedef struct shardspec_op_options shardspec_op_options;

/** Options of the registration of an op. A field that is 0 has its default value. */
struct shardspec_op_options {
  /** `sizeof(shardspec_op_options)`. */
  uint64_t struct_size;
  /**
   * With 0, the library refuses a second op with the same names. With
   * `SHARDSPEC_OP_FLAG_REPLACE`, the library unregisters the first op.
   */
  uint32_t flags;
  /**
   * The status that the op's function returns on success: 0, `SHARDSPEC_CALLBACK_OK` or
   * `SHARDSPEC_CALLBACK_OK_IN_ERR`.
   */
  shardspec_status success_status;
};

/**
 * Initialises options without flags: `shardspec_op_options options = SHARDSPEC_OP_OPTIONS_INIT;`
 */
#define SHARDSPEC_OP_OPTIONS_INIT { sizeof(shardspec_op_options), 0, 0 }

/**
 * Registers `function` as the op `op_name` for specs of type `spec_type`. With `options` NULL, the
 * library refuses a second op with the same names, and the status of success is 0. `*out` becomes
 * the op's handle. `out` may be NULL.
 *
 * Ownership: the library copies the names. The library owns `ctx` from the call on, also if the
 * call fails. The library calls `destroy(ctx)` when the registration ends. If this function fails,
 * the library calls `destroy(ctx)` before the return.
 * Calls back: `destroy`, if the call fails; `destroy` of the op that is replaced.
 * Blocks: on other threads, until all their calls of the replaced op have returned.
 * Errors: BUSY if the op to replace can't be unregistered now; INVALID_ARGUMENT if a name is empty
 * or has control characters, a flag is unknown, or `success_status` is a number that means a
 * failure; ALREADY_EXISTS, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: `custom_sharding_spec_op` of torch.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_register(
    const char *spec_type, const char *op_name, shardspec_op_fn function, void *ctx,
    shardspec_destroy_fn destroy, const shardspec_op_options *options, shardspec_op **out,
    shardspec_error *err);

/**
 * Unregisters an op. When the function returns OK, all calls of the op have ended, no further call
 * can begin, and `destroy` has returned.
 *
 * Ownership: the handle `op` is invalid after the call.
 * Calls back: `destroy`.
 * Blocks: on other threads, until their calls of the op have returned.
 * Errors: BUSY if the call is made inside of the op, or inside of another op while calls of this
 * op run; OUT_OF_MEMORY if the calling thread uses the library for the first time and the system
 * has no memory left; INVALID_HANDLE if the registration has ended already; NULL_ARGUMENT. After
 * BUSY and OUT_OF_MEMORY, the op is still registered. After INVALID_HANDLE, calls of the op may
 * still run on other threads.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_unregister(
    shardspec_op *op, shardspec_error *err);

/**
 * Writes 1 to `*out` if an op is registered under the names `spec_type` and `op_name`, else 0.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: `_has_custom_op` of torch.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_is_registered(
    const char *spec_type, const char *op_name, int32_t *out, shardspec_error *err);

/**
 * Writes to `*out` the handle of the op that is registered under the names `spec_type` and
 * `op_name`. Calls by handle are faster than calls by name.
 *
 * Ownership: there is nothing to free.
 * Calls back: no.
 * Blocks: no.
 * Errors: NOT_FOUND, NULL_ARGUMENT, INVALID_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_look_up(
    const char *spec_type, const char *op_name, shardspec_op **out, shardspec_error *err);

/**
 * Writes a list of all ops into `buffer`, one op on each line. A line has the name of the spec's
 * type, a tab and the name of the op. Lines are in alphabetical order.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, including
 * its NUL. `needed` may be NULL. With capacity 0, only `*needed` is written, and `buffer` may be
 * NULL. The text may become longer between two calls, because other threads may register ops.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity
 * needed); NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_list(
    char *buffer, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Calls the op that is registered as `op_name` for the type of `spec`. With `result_count` 0,
 * `results` may be NULL.
 *
 * Ownership: the caller keeps all arguments and frees sharded tensors among the results.
 * Calls back: the op's `function`; `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if no op is registered as `op_name` for the type of `spec`; INVALID_HANDLE if
 * the spec or a sharded tensor among the arguments is not a valid handle; INVALID_ARGUMENT if a
 * value does not match its kind or two arguments have the same name; NO_ARGUMENTS,
 * NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH, NULL_ARGUMENT, OUT_OF_MEMORY. If the op fails, the
 * function returns the op's status and message. After an error, no result was written.
 * Threads: any.
 * Source: `_dispatch_custom_op` of torch.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_dispatch(
    const shardspec_spec *spec, const char *op_name, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);

/**
 * Calls an op by its handle. With `result_count` 0, `results` may be NULL.
 *
 * Ownership: the caller keeps all arguments and frees sharded tensors among the results.
 * Calls back: the op's `function`; `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the op's registration has ended, or if the spec or a sharded tensor
 * among the arguments is not a valid handle; WRONG_SPEC_TYPE if the op is for another type of
 * spec; INVALID_ARGUMENT if a value does not match its kind or two arguments have the same name;
 * NO_ARGUMENTS, NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH, NULL_ARGUMENT, OUT_OF_MEMORY. If the op
 * fails, the function returns the op's status and message. After an error, no result was written.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_call(
    const shardspec_op *op, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* SHARDSPEC_H */
