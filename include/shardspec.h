/*
 * shardspec.h describes how a tensor is cut across workers, says which worker owns which part, and moves
 * the bytes.
 *
 * A spec describes how to cut. A spec and the sizes of a tensor give metadata. Metadata lists the shards
 * of that tensor and their owners. With metadata, the library cuts buffers into shards and joins shards. It
 * does so in one process or, with a communicator, across many. A sharded tensor is metadata together with
 * the shards that are in this process.
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
 * Contents, each section with its first function:
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
 *     The arithmetic of chunks                          shardspec_chunk_split_size
 *     Queries                                           shardspec_metadata_shards_in_box
 *     Shards that are not boxes                         shardspec_shards_new_with_dim_maps
 *     Digests                                           shardspec_metadata_digest
 *     Plans                                             shardspec_plan_new
 *     Traffic of a plan                                 shardspec_plan_shard_traffic
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
 * - A function that can fail returns a status: SHARDSPEC_OK or the reason of the failure. Its last argument
 *   is a shardspec_error, which receives the details. That argument may be NULL.
 * - A function that fails writes nothing but that error. There is one exception: a transport that fails
 *   while data moves between processes.
 * - The caller keeps ownership of all arguments. The library copies what it needs before it returns. There
 *   is one exception: the caller may pass memory or a context together with a function that releases it.
 *   The library uses that memory or context until it calls that function.
 * - Results are written to memory of the caller. The caller frees every handle that it receives, with the
 *   function named for that handle.
 * - A handle is an opaque key stored in a pointer type. The library never dereferences it. The library
 *   refuses a freed, forged or wrong handle with SHARDSPEC_INVALID_HANDLE. Objects behind handles are
 *   immutable. Any thread may use a handle, and may free it while other threads use it.
 * - A handle is a number from 1 to 2^47 - 1, so a double and a pointer of 47 bits hold it exactly. A
 *   process never gets the same handle twice. To ensure this, the library keeps at most 1 KiB of memory
 *   for every 131,072 handles of one kind that were created and freed. Up to 67 million handles of a kind
 *   may exist at once. At most 8 * 10^12 handles of a kind can be created. Beyond these limits, a function
 *   fails with SHARDSPEC_OUT_OF_MEMORY.
 * - Any thread may call any function, also in a child process after fork. The library leaves no thread
 *   behind when a call returns.
 * - On Linux, dlclose does not unload the shared library. Handles stay valid after dlclose, and freed
 *   handles stay invalid.
 * - A function needs at most 64 KiB of stack, without the stack of callbacks.
 * - The library checks all other pointers for NULL and alignment. The caller makes sure that they point to
 *   as much memory as their lengths say.
 * - Structs that begin with struct_size may grow at the end. Set struct_size to the sizeof of the struct,
 *   and unused fields to zero. Programs and libraries of different versions then work together. The library
 *   refuses a struct_size of 0 in every struct, because it can't know how much memory the caller has. The
 *   macros that end in _INIT set struct_size. shardspec_struct_init does so for languages without macros.
 * - Texts are UTF-8 and end in NUL. Sizes and offsets count elements and are signed 64-bit. Indices of
 *   shards and lengths of arrays are size_t. In shardspec_error, indices are int64_t, because -1 means that
 *   there is none.
 * - The comment of each function ends with lines that begin with a keyword. "Calls back" names the
 *   functions of the caller that a call may run, on the calling thread. "Blocks" says what a call may wait
 *   for: other ranks, other threads or the disk. A call that calls back also takes as long as its callbacks
 *   take.
 * - "Errors" names the statuses that a function returns, each with its condition. A status without a
 *   condition has the meaning that the section "Status and errors" gives.
 *
 * shardspec.json describes the same for programs that make bindings. shardspec.cdef.h has the declarations
 * for programs without a preprocessor. The build generates all three files from src/ffi and
 * abi/first_page.txt. To change them, edit those sources.
 */
#ifndef SHARDSPEC_H
#define SHARDSPEC_H

#include <stddef.h>
#include <stdint.h>

/** Before each function: its symbol is visible outside of the library. A program may define it. */
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
 * Before each function whose status must not be ignored. Compilers warn if it is ignored. Functions that
 * free have none. A program that defines it as empty has no such warnings.
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
 * 0 (`SHARDSPEC_OK`) or the reason why a call was refused: one of the constants in the section
 * "Status and errors". Never negative. A number keeps its meaning for ever; later versions may add
 * numbers.
 */
typedef int32_t shardspec_status;

/* ################################################################################################
 * Level 1: place and copy
 * ################################################################################################ */

/* ================================================================================================
 * Sharding specs: how a tensor is cut.
 *
 * A spec is made once and used for any number of tensors. Three types are built in: "chunk" cuts one
 * dimension into equal chunks, "enumerable" lists shards, "mesh" cuts dimensions over the axes of a
 * mesh (`shardspec_spec_new_mesh`). `shardspec_spec_new_custom` makes specs of your own types.
 *
 * Source: torch's `ChunkShardingSpec` and `EnumerableShardingSpec`.
 */

/** A sharding spec, behind a handle. Immutable; free it with `shardspec_spec_free`. */
typedef struct shardspec_spec shardspec_spec;

typedef struct shardspec_error shardspec_error;

/**
 * Creates a spec that cuts dimension `dim` into `placement_count` chunks, as `torch.chunk` does.
 * Chunk i starts at ceil(n / placement_count) * i of n elements and has placement `placements[i]`.
 * The last chunks may be shorter or empty. An empty chunk owns nothing, and its offset may be past
 * the end. A negative `dim` counts from the last dimension. `shardspec_spec_build_metadata` checks
 * that the tensor has the dimension.
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
 * `torch.chunk` does. Chunk i starts at ceil(n / placement_count) * i of n elements and has
 * placement `placements[i]`. The last chunks may be shorter or empty.
 * `shardspec_spec_build_metadata_with_dim_names` builds metadata with this spec.
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

/** A placement, behind a handle. Immutable; free it with `shardspec_placement_free`. */
typedef struct shardspec_placement shardspec_placement;

/**
 * Creates a spec that cuts one dimension into `placement_count` chunks, as `torch.chunk` does,
 * with handles of placements. The dimension is `dim`; with a `dim_name` that is not NULL, it is
 * the dimension of that name. Chunk i starts at ceil(n / placement_count) * i of n elements and
 * has placement `placements[i]`. The last chunks may be shorter or empty. A negative `dim` counts
 * from the last dimension.
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

/** A list of shards, behind a handle. Immutable; free it with `shardspec_shards_free`. */
typedef struct shardspec_shards shardspec_shards;

/**
 * Creates a spec that lists its shards. All shards have the same number of dimensions, and they
 * must not overlap. A shard with a size of 0 owns nothing and overlaps nothing.
 *
 * Time: at worst n * log(n)^(d-1) for n shards with d dimensions.
 * Ownership: the caller frees `*out`; the list may be freed before it.
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
 * Frees a spec. NULL is allowed. Metadata made by the spec stays valid.
 *
 * Ownership: the caller gives up `spec`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A call of another thread that uses the handle completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_spec_free(shardspec_spec *spec, shardspec_error *err);

/**
 * Writes the name of the spec's type into `buffer`: "chunk", "enumerable", "mesh", or the type name
 * of a custom spec.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes the dimension that a chunk spec cuts to `*out`, as it was passed; it may be negative.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is not a chunk spec, or if it gives its dimension by name;
 * INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_chunk_dim(
    const shardspec_spec *spec, int64_t *out, shardspec_error *err);

/**
 * Writes to `buffer` the name of the dimension that a chunk spec cuts.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is not a chunk spec, or if it gives its dimension by number;
 * BUFFER_TOO_SMALL if `capacity` is too small (the error's `limit` is the capacity needed);
 * INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_chunk_dim_name(
    const shardspec_spec *spec, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes the number of shards of the spec to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is custom, because its shards depend on the tensor (call
 * `shardspec_metadata_shard_count` instead); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_shard_count(
    const shardspec_spec *spec, size_t *out, shardspec_error *err);

/**
 * Creates a handle of the placement of shard `index`.
 *
 * Ownership: the caller frees `*out`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the spec is custom, because its shards depend on the tensor (call
 * `shardspec_metadata_shard_placement` instead); INDEX_OUT_OF_RANGE, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_placement(
    const shardspec_spec *spec, size_t index, shardspec_placement **out, shardspec_error *err);

/**
 * Writes 1 to `*out` if two specs are of the same type and cut every tensor in the same way, else
 * 0. Dimensions are compared as they were passed: -1 and 1 differ. Mesh specs are compared by
 * their meshes and layouts as they were passed. Custom specs are compared by their type's `equal`.
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
 * Writes a hash of the spec to `*out`. Equal specs have equal hashes, in every process that runs
 * this version. The hash of a custom spec includes that of its type's `hash`.
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
 * Creates the spec that cuts a tensor into exactly these shards. Its type is the first of chunk,
 * mesh and enumerable that fits. It is a chunk spec if the shards are the chunks of one dimension,
 * in any order. It is a mesh spec if the shards are a grid of boxes: each dimension is cut by
 * chunk, balanced or sizes, and all cells of the grid have the same number of shards, which are
 * replicas. Otherwise it is an enumerable spec, also for a single shard, because the cut dimension
 * is then unknown.
 *
 * The mesh of an inferred mesh spec keeps the order of the shards if that is a row-major order
 * over its axes. Otherwise its devices are in row-major order of the dimensions that are cut.
 * `shardspec_spec_infer_compat` creates the spec that torch infers from the same shards.
 *
 * Time: n * log(n) for n shards, and for an enumerable spec at worst n * log(n)^(d-1) in d
 * dimensions.
 * Ownership: the caller frees `*out`; the list may be freed before it.
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
 * Creates the spec that torch infers from these shards. It is a chunk spec where chunks of one
 * dimension are exactly these boxes, in any order. Otherwise it is an enumerable spec. A single
 * shard makes an enumerable spec, because the cut dimension is then unknown.
 *
 * Ownership: the caller frees `*out`; the list may be freed before it.
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
 * `shardspec_spec_build_metadata` creates it from a spec and the sizes of a tensor. The shards of
 * a metadata object cover its tensor. They overlap only where they are declared to be replicas. They
 * are numbered from 0, in the order of the spec.
 *
 * Source: torch's `ShardedTensorMetadata`.
 */

/** The shards of one tensor, behind a handle. Immutable; free it with `shardspec_metadata_free`. */
typedef struct shardspec_metadata shardspec_metadata;

typedef struct shardspec_tensor_properties shardspec_tensor_properties;

/**
 * Creates the metadata of a tensor of `sizes` (`ndim` numbers) that is cut by `spec`. The shards
 * cover the tensor. They overlap only where a mesh spec replicates. With `properties` NULL, no
 * element type is stated, and data of any type may be moved.
 *
 * Ownership: the caller frees `*out`; the spec may be freed before it.
 * Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
 * `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM if the tensor does not have the spec's dimension, or if the spec gives its
 * dimension by name; ILLEGAL_CUT if a mesh spec can't cut a size; NDIM_MISMATCH, OUT_OF_BOUNDS or
 * GAP if an enumerable or custom spec does not fit the tensor (for GAP, the message names a box
 * without owner); OVERLAP if shards of a custom spec overlap; INVALID_ARGUMENT if a size is
 * negative or above its pad, or if `ndim` is above 32; OVERFLOW if the number of elements does not
 * fit in 64 bits; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If `build_metadata` of a custom
 * spec fails, the function returns that status.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_build_metadata(
    const shardspec_spec *spec, const int64_t *sizes, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata **out, shardspec_error *err);

/**
 * Creates the metadata of a tensor whose dimensions have names and that is cut by `spec`. `sizes`
 * holds `ndim` numbers and `dim_names` holds `ndim` texts. A spec that was created with the name
 * of a dimension finds its dimension among them. `shardspec_metadata_dim_name` returns the names.
 * With `properties` NULL, no element type is stated, and data of any type may be moved.
 *
 * Ownership: the library copies `dim_names`. The caller frees `*out`; the spec may be freed before
 * it.
 * Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
 * `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM if the tensor does not have the spec's dimension; ILLEGAL_CUT if a mesh spec
 * can't cut a size; NDIM_MISMATCH, OUT_OF_BOUNDS or GAP if an enumerable or custom spec does not
 * fit the tensor (for GAP, the message names a box without owner); OVERLAP if shards of a custom
 * spec overlap; INVALID_ARGUMENT if a size is negative or above its pad, or if `ndim` is above 32;
 * OVERFLOW if the number of elements does not fit in 64 bits; INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY. If `build_metadata` of a custom spec fails, the function returns that status.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_build_metadata_with_dim_names(
    const shardspec_spec *spec, const int64_t *sizes, const char *const *dim_names, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata **out, shardspec_error *err);

/**
 * Creates the metadata of a linked tensor: a tensor with one element for each block of elements of this
 * one, such as the scales and zero points of a quantised weight, or words that hold several packed
 * elements.
 *
 * `block_sizes` holds `ndim` numbers >= 1. Dimension d of the new tensor has ceil(size /
 * `block_sizes[d]`) elements; the last block of a dimension may be short. A shard has the elements
 * of the blocks that it has in `metadata`, in the same order. The result has the same placements,
 * mesh, replicas, partial axes, names of dimensions and padding. No element type is stated. Where
 * dimensions are flattened, the elements of a block must be neighbours in the flattened order.
 *
 * Ownership: the caller frees `*out`; `metadata` may be freed before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: ILLEGAL_CUT if a shard has only a part of a block, has a block that is not contiguous,
 * or has padding that ends inside of a block; NDIM_MISMATCH if the tensor does not have `ndim`
 * dimensions; UNSUPPORTED if blocks are not contiguous in flattened dimensions; INVALID_ARGUMENT
 * if a block size is below 1; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. With ILLEGAL_CUT, the
 * message names the nearest legal cuts. The error's `first_shard` is then the shard, `dim` the
 * dimension of its buffer, `got` the index of the cut, and `limit` the length of the block there.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_blocks(
    const shardspec_metadata *metadata, const int64_t *block_sizes, size_t ndim,
    shardspec_metadata **out, shardspec_error *err);

/**
 * Creates a list of a metadata object's shards, without copying them.
 *
 * Ownership: the caller frees `*out`; the metadata may be freed before it.
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
 * Threads: any. A call of another thread that uses the handle completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_metadata_free(
    shardspec_metadata *metadata, shardspec_error *err);

/**
 * Writes the number of shards to `*out`, empty ones included.
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
 * Writes the number of dimensions of the shards' buffers to `*out`. It is that of the tensor,
 * unless dimensions are flattened.
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
 * Writes 1 to `*out` if the metadata was created with replicas, so that its shards may overlap,
 * else 0.
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
 * `sizes` has room for `capacity` numbers. `*needed` becomes the number of dimensions; `needed`
 * may be NULL. With capacity 0, `sizes` may be NULL and only `*needed` is written.
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
 * Writes 1 to `*out` if two metadata objects have the same sizes, properties and shards in the
 * same order, else 0. The specs that made them are not compared.
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
 * Writes the fingerprint of the layout to `*out`: a hash of 64 bits. It covers the elements of
 * each shard, their order in the buffer, and the placements. The sizes and properties of the
 * tensor are not in it, nor whether shards are replicas or partial; `shardspec_metadata_hash`
 * covers all of it. Equal layouts have equal fingerprints, in every process that runs this
 * version.
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
 * Writes a hash of the metadata to `*out`. Equal metadata objects have equal hashes, in every
 * process that runs this version.
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
 * `capacity` numbers each, at least one for each dimension of the shards' buffers
 * (`shardspec_metadata_buffer_ndim`). Either may be NULL.
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
 * Creates a handle of the placement of shard `index`.
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
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * `offsets` and `sizes` have room for `shard_count` rows, with one number for each dimension of
 * the shards' buffers (`shardspec_metadata_buffer_ndim`). `placement_indices` has room for
 * `shard_count` numbers, which `shardspec_metadata_placement_text` accepts. Each of the three
 * arrays may be NULL.
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
 * Writes the number of different placements to `*out`.
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
 * from 0, in the order of their first shards.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Creates a handle of placement `placement_index`. Placements are numbered from 0, in the order of
 * their first shards.
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
 * DLPack's `DLDataType`. Elements are moved as they are and never computed with, so a type that is
 * not listed here works as well. Elements whose size is not a whole number of bytes are packed:
 * each element starts at the bit after the one before it, counted from the least significant bit
 * of a byte. float4, int4 and three lanes of int4 are packed. Two lanes of int4 are one byte.
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
 * An element type: `lanes` values of `bits` bits each. It has the memory layout of DLPack's
 * `DLDataType`.
 */
struct shardspec_dtype {
  /**
   * A `SHARDSPEC_DTYPE_...` constant. The constants have the values of DLPack's
   * `DLDataTypeCode`.
   */
  uint8_t code;
  /** Bits of one lane. */
  uint8_t bits;
  /** Values in one element: 1, but for vector types. */
  uint16_t lanes;
};

/**
 * Reads the name of an element type, such as "float32", "bfloat16", "bool" or "float8_e4m3fn".
 * "float32x4" is a type with four lanes.
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
 * reads. For a code without a name, the text is like "code200_16".
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes the number of bytes of one element to `*out`: bits * lanes / 8.
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
 * Writes the number of bytes of `element_count` consecutive elements to `*out`: bits * lanes *
 * count / 8, rounded up. A buffer of a contiguous tensor with that many elements needs this size.
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
 * A view describes where a tensor is and how it is laid out. It owns nothing. It has the layout
 * of DLPack's `DLTensor`, so a `DLTensor *` may be passed by a cast.
 */

/** Most dimensions that a tensor may have. */
#define SHARDSPEC_MAX_NDIM 32
/** DLPack's device type of ordinary memory. */
#define SHARDSPEC_DLPACK_DEVICE_CPU 1
/** DLPack's device type of memory from `cudaMallocHost`. */
#define SHARDSPEC_DLPACK_DEVICE_CUDA_HOST 3
/** DLPack's device type of memory from `hipMallocHost`. */
#define SHARDSPEC_DLPACK_DEVICE_ROCM_HOST 11

typedef struct shardspec_device shardspec_device;

/** Where a tensor's memory is. The struct has the memory layout of DLPack's `DLDevice`. */
struct shardspec_device {
  /** A `SHARDSPEC_DLPACK_DEVICE_...` constant. The library can't read or write other memory. */
  int32_t device_type;
  /** Ignored. */
  int32_t device_id;
};

typedef struct shardspec_tensor_view shardspec_tensor_view;

/**
 * A tensor in the caller's memory. The struct has the memory layout of DLPack's `DLTensor`.
 *
 * The element at index (i0, i1, ...) is at data + byte_offset + (i0 * strides[0] + ...) *
 * itemsize. Elements that are not whole bytes are packed. Such an element starts at bit number
 * (i0 * strides[0] + ...) * bits * lanes, counted from the least significant bit of the byte at
 * data + byte_offset. Strides may be negative. They may be 0 in tensors that are only read. Any
 * alignment is allowed. A tensor without elements may have NULL data.
 *
 * Strides count elements, so the distance of neighbours is a whole number of elements. A field of
 * packed records (4 bytes each, 5 bytes apart) has no such stride. Pass its bytes instead:
 * elements of 8 bits, strides in bytes, and a last dimension with the bytes of an element and
 * stride 1. The metadata then has that dimension too. Whole records can be elements with `lanes`
 * of 8 bits. A view has no byte order and no flags for conjugation or negation: the library copies
 * bits unchanged.
 */
struct shardspec_tensor_view {
  /** The memory. */
  void *data;
  /** Where it is. */
  shardspec_device device;
  /** Number of dimensions, 0 to 32. */
  int32_t ndim;
  /** The element type. */
  shardspec_dtype dtype;
  /** `ndim` sizes. */
  int64_t *shape;
  /** `ndim` strides, in elements, not bytes; NULL for row-major. */
  int64_t *strides;
  /** Bytes from `data` to the element at index 0. */
  uint64_t byte_offset;
};

/* ================================================================================================
 * Tensors in host memory.
 *
 * These functions move data between a tensor and its shards. All buffers are the caller's. All
 * checks come before the first write: a call that fails has written nothing. Elements are copied
 * bit for bit. A destination must not share memory with a source, with another destination or with
 * itself. Buffers that interleave without sharing a byte (for packed elements: a bit) are allowed.
 * Bits of such a byte that belong to no element stay unchanged.
 */

/** The default: the library chooses the number of threads, up to the processors of this process. */
#define SHARDSPEC_COPY_THREADS_AUTO 0
/** Hint: non-temporal stores, for data that is not used again soon. */
#define SHARDSPEC_COPY_HINT_STREAM 1
/** Hint: cached stores, for data that is used next. */
#define SHARDSPEC_COPY_HINT_CACHED 2
/** Restricts the library to instructions that every processor of this kind has. For tests. */
#define SHARDSPEC_COPY_HINT_PORTABLE 4

typedef struct shardspec_copy_options shardspec_copy_options;

/**
 * Options of a copy. Where the pointer to them is NULL, or a field is 0, the library chooses by
 * size and machine. No option changes the result.
 */
struct shardspec_copy_options {
  /** `sizeof(shardspec_copy_options)`. */
  uint64_t struct_size;
  /** Maximum number of threads, the caller's included. Small copies use one thread. */
  uint32_t max_threads;
  /**
   * `SHARDSPEC_COPY_HINT_STREAM` or `SHARDSPEC_COPY_HINT_CACHED`, or'ed with
   * `SHARDSPEC_COPY_HINT_PORTABLE` if required.
   */
  uint32_t hints;
};

/**
 * The library chooses how to copy: `shardspec_copy_options options = SHARDSPEC_COPY_OPTIONS_INIT;`
 */
#define SHARDSPEC_COPY_OPTIONS_INIT { sizeof(shardspec_copy_options), 0, 0 }

/**
 * Copies all elements of a view into another view of the same shape and element type. Both may
 * have any strides. `options` may be NULL.
 *
 * Ownership: the caller keeps both views and their memory.
 * Calls back: no.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if the views differ; ALIASED if
 * `destination` shares memory with `source` or has two elements at one place; UNSUPPORTED if so
 * many elements of the source share addresses that the check for ALIASED would take longer than
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
 * Copies shard `index` out of a tensor, such as a mapped file. `full` has the metadata's sizes and
 * `shard` has the sizes of that shard. Both have the metadata's element type, if it states one.
 * Holes of the shard's buffer are filled with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many elements of the
 * source share addresses that the check for ALIASED would take longer than the copy;
 * SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED, INDEX_OUT_OF_RANGE, INVALID_HANDLE,
 * UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY. After an error,
 * nothing was written.
 * Threads: any. During the call, other threads may read `full` but not write it, and may not use
 * `shard`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_extract_shard(
    const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shard, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Fills shard `index` of a tensor by the `fill_shard` function of the spec's type, or copies it
 * where the type has none. `metadata` is the metadata that `spec` built for the tensor. `full` has
 * the metadata's sizes and `shard` has the sizes of that shard. Both have the metadata's element
 * type, if it states one. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `fill_shard` of a custom spec; `equal` and `hash` of custom placements; `destroy`,
 * if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the source has far more elements than memory, so that the search for
 * shared memory would take longer than the copy; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * ALIASED, INDEX_OUT_OF_RANGE, INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT,
 * NULL_ARGUMENT, OUT_OF_MEMORY. After one of these, nothing was written. The library calls
 * `fill_shard` of the spec after all checks. If `fill_shard` fails, the function returns that
 * status.
 * Threads: any. During the call, other threads may read `full` but not write it, and may not use
 * `shard`.
 * Source: torch's `ShardingSpec.shard`, for one destination.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_fill_shard(
    const shardspec_spec *spec, const shardspec_metadata *metadata, size_t index,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shard,
    const shardspec_copy_options *options, shardspec_error *err);

/**
 * Writes a view of shard `index` inside of `full` to `*out`, without copying data. The view's
 * shape and strides are written into `shape` and `strides`. Each has room for `capacity` numbers,
 * at least one for each dimension. The view of an empty shard has NULL data.
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
 * Copies every shard out of a tensor. `full` has the metadata's sizes. `shards[i]` is the
 * destination of shard i, and `shard_count` is the metadata's number of shards, empty ones
 * included. Element types are the metadata's, if it states one. Holes of the shards' buffers are
 * filled with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or ALIASED if a view does not fit (the
 * error's `first_shard` and `index` are the shard); INVALID_ARGUMENT if `shard_count` is wrong;
 * PARTIAL if the elements are pending a reduction; UNSUPPORTED if the source has far more elements
 * than memory, so that the search for shared memory would take longer than the copy;
 * INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * After an error, nothing was written.
 * Threads: any. During the call, other threads may read `full` but not write it, and may not use
 * `shards`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_scatter(
    const shardspec_metadata *metadata, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Copies every shard into a tensor. This is the inverse of `shardspec_metadata_scatter`.
 * `shards[i]` is shard i, and `shard_count` is the metadata's number of shards, empty ones
 * included. `full` has the metadata's sizes, and every element of it is written. Element types are
 * the metadata's, if it states one. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or ALIASED if a view does not fit (the
 * error's `first_shard` and `index` are the shard); INVALID_ARGUMENT if `shard_count` is wrong;
 * PARTIAL if the elements are pending a reduction; UNSUPPORTED if the source has far more elements
 * than memory, so that the search for shared memory would take longer than the copy;
 * INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * After an error, nothing was written.
 * Threads: any. During the call, other threads may read `shards` but not write them, and may not
 * use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_gather(
    const shardspec_metadata *metadata, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_tensor_view *full, const shardspec_copy_options *options, shardspec_error *err);

/* ================================================================================================
 * Sharded tensors: metadata together with the shards that are in this process.
 *
 * The memory of local shards either belongs to the library, which allocates it row-major and
 * aligned to 64 bytes, or to the caller until the library calls `release`. Local shards are
 * numbered from 0 in the order of the metadata, in whatever order they were passed.
 *
 * An owner or a list of indices selects the local shards. An `owner` is a text such as "rank:1" or
 * "trainer0" for the owner's shards on all devices, or "rank:1/cuda:0" for those on one device.
 * NULL selects all shards. An owner without shards has no local shards, which is not an error.
 *
 * A sharded tensor is immutable, but the elements of its shards are not. Their memory is the only
 * memory of the library that callers access by a pointer. It stays valid until the sharded tensor
 * and all managed tensors exported from it are freed. The caller makes sure that no thread writes
 * what another thread uses.
 *
 * Source: torch's `ShardedTensor`. Only strided, contiguous tensors can be sharded, as in torch.
 */

/** Metadata and local shards, behind a handle. Free it with `shardspec_sharded_tensor_free`. */
typedef struct shardspec_sharded_tensor shardspec_sharded_tensor;

/** Memory of new shards is uninitialised: torch's `empty`. */
#define SHARDSPEC_FILL_UNINITIALIZED 0
/** Memory of new shards is zero: torch's `zeros`. */
#define SHARDSPEC_FILL_ZERO 1

/**
 * Creates a sharded tensor with new memory for the shards of `owner`. `owner` NULL selects all
 * shards. The metadata must state the element type. `fill` is a `SHARDSPEC_FILL_...` constant.
 *
 * Ownership: the caller frees `*out`; the metadata may be freed before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_PLACEMENT if `owner` is not the text of an owner; INVALID_ARGUMENT if `fill` is
 * another number or the metadata states no element type; UNSUPPORTED if the layout is not strided
 * or the memory format is not contiguous; OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Source: `torch.distributed._shard.sharded_tensor.empty` and `zeros`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new(
    const shardspec_metadata *metadata, const char *owner, int32_t fill,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor with new memory for the shards `indices` of the metadata, in any order.
 * `indices` holds `index_count` different numbers. The metadata must state the element type.
 * `fill` is a `SHARDSPEC_FILL_...` constant.
 *
 * Ownership: the caller frees `*out`; the metadata may be freed before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an index occurs twice, `fill` is another number or the metadata
 * states no element type; UNSUPPORTED if the layout is not strided or the memory format is not
 * contiguous; INDEX_OUT_OF_RANGE, OUT_OF_MEMORY, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_for_indices(
    const shardspec_metadata *metadata, const size_t *indices, size_t index_count, int32_t fill,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor with the shards that `spec` cuts out of `full` for `owner`. `owner`
 * NULL selects all shards. The spec builds the metadata for the sizes of `full`. `properties` may
 * be NULL. Where they state no element type, the metadata has that of `full`. `options` may be
 * NULL.
 *
 * Ownership: the caller frees `*out`; `spec` and `full` may be freed before it.
 * Calls back: `build_metadata` and `fill_shard` of a custom spec; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM, NDIM_MISMATCH, OUT_OF_BOUNDS, GAP or OVERLAP if the spec does not fit the
 * sizes of `full`; INVALID_PLACEMENT if `owner` is not the text of an owner; DTYPE_MISMATCH if
 * `properties` state another element type than `full`; UNSUPPORTED if the layout is not strided or
 * the memory format is not contiguous; PARTIAL if the elements are pending a reduction;
 * UNSUPPORTED_DEVICE, INVALID_ARGUMENT, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. If
 * a function of a custom spec fails, the call returns that status.
 * Threads: any. No other thread may write `full` during the call.
 * Source: torch's `ShardingSpec.shard`, for a tensor that every worker has.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_spec(
    const shardspec_spec *spec, const shardspec_tensor_properties *properties, const char *owner,
    const shardspec_tensor_view *full, const shardspec_copy_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor with copies of the shards of `owner` in `full`. `owner` NULL selects
 * all shards. `full` has the metadata's sizes. Where the metadata states no element type, the
 * sharded tensor has that of `full`. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`; the metadata and `full` may be freed before it.
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
 * Creates a sharded tensor with copies of the shards `indices` in `full`, in any order. `indices`
 * holds `index_count` different numbers. `full` has the metadata's sizes. Where the metadata
 * states no element type, the sharded tensor has that of `full`. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`; the metadata and `full` may be freed before it.
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
 * Creates a sharded tensor of shards in the caller's memory: `shards[i]` is shard `indices[i]` of
 * the metadata.
 *
 * Each view has the sizes of its shard, with any strides. All have the metadata's element type, or
 * one common type where the metadata states none. With an `owner`, the shards must be exactly
 * those of that owner. With `owner` NULL, they may be any.
 *
 * Ownership: the library copies the views. It uses their memory until it calls `release(ctx)`,
 * exactly once: after the sharded tensor and all managed tensors exported from it were freed, or
 * before a failed call returns. `release` may be NULL. The caller frees `*out`.
 * Calls back: `release`, if the call fails; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a view
 * does not fit its shard (the error's `first_shard` is the shard, `index` is its position in
 * `shards`); INVALID_ARGUMENT if a shard occurs twice or the shards are not exactly those of
 * `owner`; INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: torch's `_init_from_local_shards_and_global_metadata`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_local(
    const shardspec_metadata *metadata, const char *owner, const size_t *indices,
    const shardspec_tensor_view *shards, size_t shard_count, void *ctx,
    shardspec_destroy_fn release, shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Creates a sharded tensor of shards in the caller's memory that are described by a list:
 * `shards[i]` is the memory of shard i of `descriptions`.
 *
 * The offsets, sizes and placement of each description must be those of one shard of the metadata.
 * All views have the metadata's element type, or one common type where the metadata states none.
 * With an `owner`, the shards must be exactly those of that owner. With `owner` NULL, they may be
 * any.
 *
 * Ownership: the library copies the views. It uses their memory until it calls `release(ctx)`,
 * exactly once: after the sharded tensor and all managed tensors exported from it were freed, or
 * before a failed call returns. `release` may be NULL. The caller keeps `descriptions` and frees
 * `*out`.
 * Calls back: `equal` and `hash` of custom placements; `release`, if the call fails; `destroy`, if
 * another thread frees a handle during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a view
 * does not fit its shard (the error's `first_shard` is the shard, `index` is its position in
 * `shards`); INVALID_ARGUMENT if a shard occurs twice, the shards are not exactly those of
 * `owner`, a shard has another placement in the metadata, or `shard_count` is not the number of
 * `descriptions`; NOT_FOUND if a box is not that of a shard of the metadata; NULL_ARGUMENT if a
 * pointer is NULL or a description has no placement; INVALID_PLACEMENT, UNSUPPORTED, OVERFLOW,
 * INVALID_HANDLE, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_local_shards(
    const shardspec_metadata *metadata, const char *owner, const shardspec_shards *descriptions,
    const shardspec_tensor_view *shards, size_t shard_count, void *ctx,
    shardspec_destroy_fn release, shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Frees a sharded tensor. NULL is allowed. The memory of its shards is freed, or released with
 * `release`, when no managed tensor exported from it is in use.
 *
 * Ownership: the caller gives up `tensor`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A call of another thread that uses the handle completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_sharded_tensor_free(
    shardspec_sharded_tensor *tensor, shardspec_error *err);

/**
 * Creates a handle of the sharded tensor's metadata. It is the metadata that the sharded tensor
 * was created with. If that states no element type and there are local shards, it has their
 * element type.
 *
 * Ownership: the caller frees `*out`; the sharded tensor may be freed before it.
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
 * Writes the number of local shards to `*out`, empty ones included.
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
 * Writes a view of local shard `local` to `*out`. The view's shape and strides are written into
 * `shape` and `strides`. Each has room for `capacity` numbers, at least one for each dimension.
 * The view of an empty shard has NULL data.
 *
 * Ownership: `out->shape` and `out->strides` point to the caller's two arrays. `out->data` is
 * memory of the sharded tensor, which the caller may read and write until it frees the sharded
 * tensor.
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
 * Copies all shards into `full`, which has the metadata's sizes. Every element of `full` is
 * written. Every shard that is not empty must be local. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: NOT_LOCAL if a shard is not local (the error's `first_shard` is the first such shard);
 * UNSUPPORTED if so many elements of the source share addresses that the check for ALIASED would
 * take longer than the copy; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, ALIASED,
 * INVALID_HANDLE, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_ARGUMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * After an error, nothing was written.
 * Threads: any. During the call, other threads may read the shards but not write them, and may not
 * use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_gather(
    const shardspec_sharded_tensor *tensor, const shardspec_tensor_view *full,
    const shardspec_copy_options *options, shardspec_error *err);

/* ================================================================================================
 * Tensors as flat arrays.
 *
 * These functions do what the functions without `_flat` in their names do, and take numbers in flat
 * arrays in place of `shardspec_tensor_view`. They are for languages in which structs with pointers
 * are slow to pass, or forbidden as in cgo. No address of the caller's is stored in an output.
 * Tensors are in host memory. These arguments are the same in all of them:
 *
 * - `dtype` is the element type of all buffers. With NULL, it is the one that the metadata states.
 * - `full` is the address of the tensor's element at index 0 of each dimension. `full_strides` has
 *   one number for each dimension of the tensor. The tensor has the metadata's sizes.
 * - Shard i begins `byte_offsets[i]` bytes after `shards`. With `shards` NULL, `byte_offsets[i]` is
 *   its address. Pass one buffer and offsets into it, or NULL and addresses. An empty shard may
 *   begin anywhere.
 * - `shapes` and `strides` have one row for each shard, with one number for each dimension of the
 *   shards' buffers (`shardspec_metadata_buffer_ndim`). `shapes` is compared with the shapes that the
 *   metadata has. With NULL, nothing is compared: the caller makes sure that the buffers are large
 *   enough.
 * - Strides count elements and may be NULL for row-major buffers.
 */

/**
 * Copies every shard out of a tensor: `shardspec_metadata_scatter` for flat arrays. Shard i is the
 * destination in row i of the arrays, and `shard_count` is the metadata's number of shards, empty
 * ones included. Holes of the shards' buffers are filled with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or ALIASED if a buffer does not fit (the error's `first_shard` and
 * `index` are the shard); INVALID_ARGUMENT if `shard_count` is wrong or no element type is known;
 * PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many elements of the source
 * share addresses that the check for ALIASED would take longer than the copy; DTYPE_MISMATCH,
 * INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
 * Threads: any. During the call, other threads may read `full` but not write it, and may not use
 * the shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_scatter_flat(
    const shardspec_metadata *metadata, const shardspec_dtype *dtype, const void *full,
    const int64_t *full_strides, void *shards, const uint64_t *byte_offsets, const int64_t *shapes,
    const int64_t *strides, size_t shard_count, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Copies every shard into a tensor: `shardspec_metadata_gather` for flat arrays. Shard i is the source in
 * row i of the arrays, and `shard_count` is the metadata's number of shards, empty ones included.
 * Every element of `full` is written. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or ALIASED if a buffer does not fit (the error's `first_shard` and
 * `index` are the shard); INVALID_ARGUMENT if `shard_count` is wrong or no element type is known;
 * PARTIAL if the elements are pending a reduction; UNSUPPORTED if so many elements of the source
 * share addresses that the check for ALIASED would take longer than the copy; DTYPE_MISMATCH,
 * INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing was written.
 * Threads: any. During the call, other threads may read the shards but not write them, and may not
 * use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_gather_flat(
    const shardspec_metadata *metadata, const shardspec_dtype *dtype, const void *shards,
    const uint64_t *byte_offsets, const int64_t *shapes, const int64_t *strides, size_t shard_count,
    void *full, const int64_t *full_strides, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Copies shard `index` out of a tensor: `shardspec_metadata_extract_shard` without views. `shard` is the
 * address of its buffer. `shape` and `strides` have one number for each dimension of the buffer;
 * each may be NULL. Holes of the buffer are filled with zeros. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if no element type is known; PARTIAL if the elements are pending a
 * reduction; UNSUPPORTED if so many elements of the source share addresses that the check for
 * ALIASED would take longer than the copy; INDEX_OUT_OF_RANGE, SHAPE_MISMATCH, ALIASED,
 * DTYPE_MISMATCH, INVALID_HANDLE, OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, nothing
 * was written.
 * Threads: any. During the call, other threads may read `full` but not write it, and may not use
 * `shard`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_extract_shard_flat(
    const shardspec_metadata *metadata, size_t index, const shardspec_dtype *dtype,
    const void *full, const int64_t *full_strides, void *shard, const int64_t *shape,
    const int64_t *strides, const shardspec_copy_options *options, shardspec_error *err);

/**
 * Writes where shard `index` is inside of a tensor: `shardspec_metadata_view_shard` without views.
 * No memory is read, so the tensor need not exist.
 *
 * `*byte_offset` becomes the distance from the tensor's element at index 0 to the shard's element at
 * index 0, and 0 for an empty shard. The shape and the strides of the shard are written into `shape`
 * and `strides`. Each has room for `capacity` numbers, at least one for each dimension.
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
 * Writes where all local shards of a sharded tensor are, in the order of their indices.
 *
 * `addresses` has room for `capacity` numbers. Each is the address of the element at index 0 of a
 * local shard, and 0 for an empty shard. `shapes` and `strides` have room for `capacity` rows, with
 * one number for each dimension of the shards' buffers. Each of the three arrays may be NULL.
 * `*needed` becomes the number of local shards; `needed` may be NULL. With capacity 0, only
 * `*needed` is written.
 *
 * Ownership: the addresses are memory of the sharded tensor, which the caller may read and write
 * until it frees the sharded tensor.
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
 * The text of a placement is that of torch: "rank:1/cuda:0", "trainer0/cpu", "cuda:1". A text
 * without a device means "cpu". Functions that take placements take such texts. Functions whose
 * names end in `_with_placement_handles` take handles instead, which may be custom placements. The
 * functions of this section create placements and return their parts.
 *
 * Source: `torch.distributed._remote_device` and `DevicePlacementSpec`.
 */

/** "cpu". The numbers of device types are those of torch's `c10::DeviceType`. */
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
 * Reads a placement: "rank:<n>/<device>", "rank:<n>", "<worker>/<device>", "<worker>" or
 * "<device>".
 *
 * A device is "<type>" or "<type>:<index>" with an index from 0 to 127. `n` fits a signed 64-bit
 * integer. A text without '/' that can be a device is a device, and any other is a worker. A
 * worker's name contains neither ':' nor control characters.
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
 * Frees a placement. NULL is allowed. Specs and metadata made with the placement stay valid.
 *
 * Ownership: the caller gives up `placement`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A call of another thread that uses the handle completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_placement_free(
    shardspec_placement *placement, shardspec_error *err);

/**
 * Writes the canonical text of a placement, with its device, into `buffer`: "rank:1/cpu" for
 * "rank:1". For a custom placement, this is the text it was created with.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes the name of the placement's type into `buffer`: "device", or the type name of a custom
 * placement.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes the rank that owns the placement to `*out`, or -1 where no rank does.
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
 * Writes the name of the worker that owns the placement into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the placement names no worker; BUFFER_TOO_SMALL if `capacity` is too small
 * (the error's `limit` is the capacity needed); INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_worker_name(
    const shardspec_placement *placement, char *buffer, size_t capacity, size_t *needed,
    shardspec_error *err);

/**
 * Writes the type of the placement's device to `*out`, a `SHARDSPEC_DEVICE_...` constant.
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
 * Writes the index of the placement's device to `*out`, or -1 where the placement has no index.
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
 * canonical texts are equal. Custom placements of one type and rank are compared by the type's
 * `equal`. Placements of different types or ranks are never equal.
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
 * Writes a hash of the placement to `*out`. Equal placements have equal hashes, in every process
 * that runs this version.
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
 * A list is the one way to pass many shards: specs, metadata, plans and the builder of a custom
 * spec accept a list. A list itself accepts any shards: they may overlap and leave gaps, as the
 * replicas of a checkpoint or the shards of one worker do. Specs refuse shards that overlap, and
 * metadata also refuses gaps. `shardspec_shards_overlaps` and `shardspec_shards_gaps` report all
 * of them.
 */

typedef struct shardspec_shard_metadata shardspec_shard_metadata;

/** One shard: torch's `ShardMetadata`. It owns the box of `sizes` elements at `offsets`. */
struct shardspec_shard_metadata {
  /** Number of dimensions, 0 to 32. */
  size_t ndim;
  /** `ndim` numbers >= 0: the index of the shard's first element in each dimension. */
  const int64_t *offsets;
  /** `ndim` numbers >= 0: the length of the shard in each dimension. */
  const int64_t *sizes;
  /**
   * The shard's placement, in the form that `shardspec_placement_parse` reads. It may be NULL in
   * lists of shards. The shard then has no owner.
   */
  const char *placement;
};

/**
 * Creates a list of `shard_count` shards. The shards may overlap, and the list may be empty.
 *
 * All shards have the same number of dimensions; an empty list fits any number. A shard whose
 * `placement` is NULL has no owner: plans count all such shards as one owner that is on no rank.
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
 * `placement_indices` NULL it has `placements[i]`, and `placement_count` equals `shard_count`. A
 * text may be NULL; its shards have no owner.
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
 * Creates a list of shards from flat arrays and the handles of their placements, which may be
 * custom placements.
 *
 * `offsets` and `sizes` hold `shard_count` rows of `ndim` numbers. `placements` holds
 * `placement_count` handles. Shard i has the placement `placements[placement_indices[i]]`. With
 * `placement_indices` NULL it has `placements[i]`, and `placement_count` equals `shard_count`.
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
 * Threads: any. A call of another thread that uses the handle completes normally.
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
 * Writes the pairs of shards that own the same elements, by their first index, then by their
 * second. The boxes that the two shards share are written as well.
 *
 * `first_shards` and `second_shards` receive the indices. `offsets` and `sizes` receive the shared
 * boxes, one number for each dimension of the tensor. All four have room for `capacity` pairs, and
 * each may be NULL. `*overlap_count` becomes the number of pairs written, at most `capacity`.
 * `*more` becomes 1 if there are further pairs, else 0; `more` may be NULL.
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
 * Writes the parts of a tensor that no shard owns, as boxes that do not overlap, in the order of
 * their offsets.
 *
 * `tensor_sizes` holds `ndim` numbers. Shards may reach past the tensor. `offsets` and `sizes`
 * receive `ndim` numbers for each box. Both have room for `capacity` boxes, and each may be NULL.
 * `*gap_count` becomes the number of boxes written, at most `capacity`. `*more` becomes 1 if there
 * are further boxes, else 0; `more` may be NULL.
 *
 * Time: about n * log(n) for n shards without overlaps, plus the number of boxes. With overlaps,
 * the time depends on the number of boxes in the result.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if the shards overlap in too many ways to find the boxes; NDIM_MISMATCH if
 * the shards do not have `ndim` dimensions; INVALID_ARGUMENT if a size is negative or `ndim` is
 * above 32; OVERFLOW if the number of elements does not fit in 64 bits; INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_gaps(
    const shardspec_shards *shards, const int64_t *tensor_sizes, size_t ndim, int64_t *offsets,
    int64_t *sizes, size_t capacity, size_t *gap_count, int32_t *more, shardspec_error *err);

/* ================================================================================================
 * Tensor properties.
 *
 * The properties of a tensor besides its sizes: torch's `TensorProperties`. Metadata carries them.
 * Only the element type has an effect in this library.
 */

/** `torch.strided`. The numbers of layouts are those of `c10::Layout`. */
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
/** `torch.contiguous_format`. The numbers of memory formats are those of `c10::MemoryFormat`. */
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
  /** The element type; {0, 0, 0} where it is not stated: then data of any type may be moved. */
  shardspec_dtype dtype;
  /** A `SHARDSPEC_LAYOUT_...` constant. */
  int32_t layout;
  /** A `SHARDSPEC_MEMORY_FORMAT_...` constant. */
  int32_t memory_format;
  /** 1 or 0. */
  int32_t requires_grad;
  /** 1 or 0. */
  int32_t pin_memory;
  /** 0. */
  int32_t reserved;
};

/**
 * torch's defaults: `shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;`
 */
#define SHARDSPEC_TENSOR_PROPERTIES_INIT { sizeof(shardspec_tensor_properties), { 2, 32, 1 }, 0, 0, 0, 0, 0 }

/**
 * Writes torch's defaults to `*out`: float32, strided, contiguous, no gradient, not pinned. The
 * caller sets `out->struct_size` before the call: `shardspec_tensor_properties p = { sizeof p };`.
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
 * last argument. The error is the caller's own, mostly on its stack, and may be NULL. There is no
 * hidden "last error", so calls may move between threads.
 */

/** The call did what it says. */
#define SHARDSPEC_OK 0
/** A pointer that must not be NULL was NULL. */
#define SHARDSPEC_NULL_ARGUMENT 1
/** A value that is not allowed for this argument. */
#define SHARDSPEC_INVALID_ARGUMENT 2
/** A handle that was freed, was never created, or is of another kind. */
#define SHARDSPEC_INVALID_HANDLE 3
/** A text that is not a placement. */
#define SHARDSPEC_INVALID_PLACEMENT 4
/** A sharding dimension that the tensor does not have. */
#define SHARDSPEC_INVALID_DIM 5
/** An index past the end. */
#define SHARDSPEC_INDEX_OUT_OF_RANGE 6
/** Numbers of dimensions that must be equal and are not. */
#define SHARDSPEC_NDIM_MISMATCH 7
/** Two shards own the same elements. */
#define SHARDSPEC_OVERLAP 8
/** No shard owns some of the elements. */
#define SHARDSPEC_GAP 9
/** A shard reaches past the tensor. */
#define SHARDSPEC_OUT_OF_BOUNDS 10
/** A value that does not fit into 64 bits. */
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
/** Known and valid, but not implemented. */
#define SHARDSPEC_UNSUPPORTED 17
/** The system has no memory left for the result. */
#define SHARDSPEC_OUT_OF_MEMORY 18
/** The requested object does not exist. */
#define SHARDSPEC_NOT_FOUND 19
/** The function does not apply to this type of spec. */
#define SHARDSPEC_WRONG_SPEC_TYPE 20
/** A bug in this library: please report the message. */
#define SHARDSPEC_INTERNAL 21
/** An op with these names is already registered. */
#define SHARDSPEC_ALREADY_EXISTS 22
/**
 * The op can't be unregistered or replaced now: the caller is inside of that op, or inside of
 * another op while calls of that op run.
 */
#define SHARDSPEC_BUSY 23
/** An op was called without arguments. */
#define SHARDSPEC_NO_ARGUMENTS 24
/** An op was called without a sharded tensor among its arguments. */
#define SHARDSPEC_NO_SHARDED_TENSOR 25
/** An op was called with sharded tensors of different communicators. */
#define SHARDSPEC_COMMUNICATOR_MISMATCH 26
/* 27 is reserved: no status has it yet. */
/**
 * A rank of a collective passed an invalid argument, or other arguments than the other ranks. `got`
 * is the rank. `limit` is the status that the rank returned, or 0 if it reported no error.
 */
#define SHARDSPEC_DISAGREEMENT 28
/** The transport between ranks failed. */
#define SHARDSPEC_TRANSPORT_FAILED 29
/** A shard that is needed is in another process. */
#define SHARDSPEC_NOT_LOCAL 30
/* 31 to 38 are reserved: no status has them yet. */
/** Memory that must be written is read-only. */
#define SHARDSPEC_READ_ONLY 39
/**
 * A callback returned a number that is not a status, or 0 where its status of success is another
 * one. It probably threw an exception. `got` is the number.
 */
#define SHARDSPEC_CALLBACK_FAILED 40
/**
 * A cut that is impossible for this number of positions: they do not divide, the sizes do not add
 * up, or a piece would start inside a unit.
 */
#define SHARDSPEC_ILLEGAL_CUT 41
/** The elements of the tensor still have to be reduced, so they can't be moved. */
#define SHARDSPEC_PARTIAL 42
/* 43 to 49 are reserved: no status has them yet. */
/**
 * The system refused to open, list, read or write a file. `got` is the system's error number (`errno`),
 * `limit` is the byte of the file, or 0.
 */
#define SHARDSPEC_FILE_FAILED 50
/**
 * A file does not follow its format, ends too early, or has changed since it was opened. `got` is
 * the byte of the file, or 0.
 */
#define SHARDSPEC_INVALID_FILE 51

/** Bytes of `shardspec_error.message` in a whole error, the NUL included. */
#define SHARDSPEC_MESSAGE_CAPACITY 968
/** Bytes of a short error: all numbers and no message. No error is smaller. */
#define SHARDSPEC_ERROR_SHORT_SIZE 56

/**
 * Details of a call's result, in the caller's memory. Initialise it with `SHARDSPEC_ERROR_INIT` or
 * `shardspec_error_init`. Every call with a non-NULL `err` writes it. On success, the status is
 * `SHARDSPEC_OK` and the message is empty. The layout of its fields never changes.
 *
 * A whole error has 1024 bytes. A caller may pass a shorter one, of any size from
 * `SHARDSPEC_ERROR_SHORT_SIZE` (56) on: the message then has the bytes from offset 56 up to
 * `struct_size`, and with 56 there is no message. Short errors are for bindings that convert each
 * struct that they pass. A message that does not fit ends in "...".
 */
struct shardspec_error {
  /**
   * Set by the caller to the bytes of its error: `sizeof(shardspec_error)` for a whole one. The
   * library never writes beyond. With a value below 56, 0 included, the call does nothing and
   * returns `SHARDSPEC_INVALID_ARGUMENT`.
   */
  uint64_t struct_size;
  /** The status that the call returned. */
  shardspec_status status;
  /**
   * The dimension that the error is about, or -1. With `SHARDSPEC_INVALID_DIM`, the one that was
   * refused.
   */
  int32_t dim;
  /** Index of the shard that the error is about, or -1. Of two shards, the lower index. */
  int64_t first_shard;
  /** Index of the second shard that the error is about, or -1. */
  int64_t second_shard;
  /** The value that was refused, or 0 where no single number was. */
  int64_t got;
  /** The bound that the value was compared with, or 0. */
  int64_t limit;
  /**
   * Position in the array argument that the message names: 3 for `placements[3]`. -1 where the
   * error is not about an element of an array.
   */
  int64_t index;
  /** Argument, value and remedy. UTF-8, NUL-terminated. */
  char message[SHARDSPEC_MESSAGE_CAPACITY];
};

/** An error before its first call: `shardspec_error err = SHARDSPEC_ERROR_INIT;` */
#define SHARDSPEC_ERROR_INIT { sizeof(shardspec_error), SHARDSPEC_OK, -1, -1, -1, 0, 0, -1, { 0 } }

/**
 * Writes the name of a status, such as "OVERLAP", into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Prepares the `size` bytes at `err` as an error before its first call. This is the function for
 * `SHARDSPEC_ERROR_INIT`, a macro of C. `size` is 1024 for a whole error, and 56 for a short one
 * without a message. Every size from 56 on is allowed; the message has the bytes from 56 on. Its
 * status is the only information about a failure.
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
 * Writes a status and a message into an error. A callback reports its failure this way: `return
 * shardspec_error_set(err, SHARDSPEC_USER_STATUS, "no such table");`. All other fields are set to
 * their values for no shard, no dimension and no value. `text` may be NULL for an empty message. A
 * text that does not fit is cut and ends in "...". Bytes that are not UTF-8 are replaced. With
 * NULL for `err`, nothing is written. Returns `status`, or the status of a failure.
 *
 * Ownership: the caller keeps `err` and `text`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `status` is negative or `err` has a wrong `struct_size`. Then
 * nothing was written.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_error_set(
    shardspec_error *err, shardspec_status status, const char *text);

/**
 * Returns the message of an error, which is a text in `err` itself. It is "" for NULL and for an
 * error that is too short to have a message. A program that does not know the offset of the
 * message reads it this way. `shardspec_status_text` returns the name of the status. The function
 * never returns NULL.
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
 * For programs that can't use the macros of this header. A program that declares a struct itself
 * compares its own size with `shardspec_struct_size`, and prepares the struct with
 * `shardspec_struct_init` before it sets fields. Both take the name that this header gives the
 * struct, such as "shardspec_cut".
 *
 * Every struct that begins with `struct_size` must say its size: 0 is refused, in an error as in
 * any other struct. The library can't know how much memory the caller has behind a pointer. If it
 * assumed the size of its own version, it could read or write beyond the struct of a program that
 * was compiled with an older header. To assume the oldest version's size would ignore fields that
 * a newer program has set.
 */

/**
 * Writes the size in bytes of the struct called `name` to `*out`: its `sizeof` in the library's
 * version. A program whose own struct is larger was compiled with a newer header.
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
 * Prepares the `size` bytes at `out` as the struct called `name`. `size` is the caller's `sizeof` of
 * the struct. All bytes become zero. Then `struct_size` becomes `size`, if the struct has that
 * field, and the fields of two structs get other values than zero. A `shardspec_error` becomes one
 * before its first call (`SHARDSPEC_ERROR_INIT`). A `shardspec_tensor_properties` gets torch's
 * defaults: float32, strided, contiguous, no gradient, not pinned.
 *
 * Ownership: the caller keeps `name` and `out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: NOT_FOUND if this version has no struct of that name; INVALID_ARGUMENT if the struct has
 * another size in every version, `out` is not aligned or `name` is not UTF-8; NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_struct_init(
    const char *name, void *out, size_t size, shardspec_error *err);

/* ================================================================================================
 * Version.
 *
 * The constants are the version of the header that a program was compiled with. The functions
 * return the version of the library that it runs with. A program works with every library of the
 * same ABI version.
 */

/** Version of this header: that of the library it came with. */
#define SHARDSPEC_VERSION "0.1.0"

/** The first number of the version. */
#define SHARDSPEC_VERSION_MAJOR 0
/** The second number of the version. */
#define SHARDSPEC_VERSION_MINOR 1
/** The third number of the version. */
#define SHARDSPEC_VERSION_PATCH 0
/**
 * Version of the binary interface. It changes when a program compiled with an older header would
 * no longer work. It is the number in the shared library's name, `libshardspec.so.0`.
 */
#define SHARDSPEC_ABI_VERSION 0

/**
 * Returns the library's ABI version, to compare with `SHARDSPEC_ABI_VERSION`.
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
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Meshes: placements arranged along named axes.
 *
 * A mesh has axes with names and sizes, and one placement for each of its devices. Devices are
 * numbered row-major: the last axis varies fastest. On a mesh of axes "dp" of 2 and "tp" of 4, device
 * 5 is at coordinate 1 of "dp" and 1 of "tp". `shardspec_spec_new_mesh` cuts tensors over a mesh.
 *
 * Source: torch's `DeviceMesh` and `jax.sharding.Mesh`.
 */

/** A mesh, behind a handle. Immutable; free it with `shardspec_mesh_free`. */
typedef struct shardspec_mesh shardspec_mesh;

/**
 * Creates a mesh of `ndim` axes. `axis_names` holds `ndim` different texts, `axis_sizes` holds
 * `ndim` sizes of at least 1. `placements` holds one text for each device, row-major, in any order
 * of ranks; the same placement may occur twice. With `placement_count` 0, `placements` may be NULL
 * and the devices are "rank:0", "rank:1" and so on. With `ndim` 0, there is one device.
 *
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
 * Creates a mesh of `ndim` axes on placements that are passed by their handles, custom placements
 * included. `axis_names` holds `ndim` different texts, `axis_sizes` holds `ndim` sizes of at least
 * 1. `placements` holds one handle for each device, row-major.
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
 * Creates a mesh of the devices at one coordinate of an axis. It does not have that axis. The
 * other axes keep their order.
 *
 * Ownership: the caller frees `*out`; `mesh` may be freed before it.
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
 * Frees a mesh. NULL is allowed. Specs and metadata made with it stay valid.
 *
 * Ownership: the caller gives up `mesh`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any, also while another thread uses the handle: a call under way finishes.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_mesh_free(shardspec_mesh *mesh, shardspec_error *err);

/**
 * Writes the number of axes.
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
 * Writes the number of devices: the product of the axes' sizes, 1 without axes.
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
 * Writes the name of an axis into `buffer`.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes the sizes of the axes into `sizes`, which has room for `capacity` numbers. `*needed`
 * becomes the number of axes; `needed` may be NULL. With capacity 0, `sizes` may be NULL and only
 * the number is written.
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
 * Writes a handle to the placement of a device.
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
 * Writes the coordinates of a device into `coordinates`, one number for each axis. `coordinates`
 * has room for `capacity` numbers. `*needed` becomes the number of axes; `needed` may be NULL.
 * With capacity 0, `coordinates` may be NULL and only the number is written.
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
 * Writes to `buffer` a text with the axes, such as "dp=2, tp=4". Without axes, the text is "one
 * device".
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes 1 if two meshes have the same axes, names included, and the same placements in the same
 * order, and else 0.
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
 * Writes a hash: equal meshes have equal hashes, in every process that runs this version.
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
 * A cut deals the indices of one dimension to the coordinates of one axis of a mesh. A layout is a
 * list of cuts, applied in order: a second cut of a dimension cuts the pieces of the first. Each
 * axis is used at most once. An axis that no cut uses replicates: its devices have the same
 * elements.
 *
 * The rule of a cut defines the positions of piece j, where n positions are cut into k pieces:
 *
 *   CHUNK     ceil(n / k) each, the last ones shorter or empty: torch.chunk, DTensor, JAX, MPI BLOCK
 *   BALANCED  n / k each, the first n % k one more: numpy.array_split
 *   SIZES     as many as listed
 *   WEIGHTS   in proportion to weights, largest remainders first
 *   CYCLIC    blocks in turn: MPI CYCLIC, ScaLAPACK
 *
 * A granule is a group of neighbouring positions that stay together, such as the rows of an
 * attention head. With repeat r, r neighbouring coordinates have the same piece. Segments are
 * parts of a dimension, each of which is cut separately, such as the three parts of a fused QKV
 * weight. A coordinate has its pieces of all segments, one after the other. A pad lengthens a
 * dimension before it is cut; the added places are holes without elements.
 *
 * 32 query heads and 8 key and value heads of 128 rows each over 16 devices, two of which have the
 * same key and value head:
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

/** Equal pieces, the last ones shorter or empty, as `torch.chunk` makes them. */
#define SHARDSPEC_RULE_CHUNK 1
/** Pieces whose sizes differ by one at most, as `numpy.array_split` makes them. */
#define SHARDSPEC_RULE_BALANCED 2
/** Pieces of the sizes in `values`. */
#define SHARDSPEC_RULE_SIZES 3
/** Pieces in proportion to the weights in `values`. */
#define SHARDSPEC_RULE_WEIGHTS 4
/**
 * Blocks of `block` positions. They are dealt to the pieces in turn, the first block to piece
 * `first`.
 */
#define SHARDSPEC_RULE_CYCLIC 5
/**
 * As `repeat`: chosen when a length is cut. It is 1 where there are at least as many units as
 * coordinates. Otherwise it is the number of coordinates for each unit. A unit is a granule, or a
 * block of CYCLIC. A larger number of coordinates must be a multiple of the number of units.
 */
#define SHARDSPEC_REPEAT_AS_NEEDED (-1)
/** Values are added up. */
#define SHARDSPEC_REDUCTION_SUM 1
/** The mean of the values. */
#define SHARDSPEC_REDUCTION_AVG 2
/** Values are multiplied. */
#define SHARDSPEC_REDUCTION_PRODUCT 3
/** The least value. */
#define SHARDSPEC_REDUCTION_MIN 4
/** The largest value. */
#define SHARDSPEC_REDUCTION_MAX 5
/** Bitwise and. */
#define SHARDSPEC_REDUCTION_BAND 6
/** Bitwise or. */
#define SHARDSPEC_REDUCTION_BOR 7
/** Bitwise exclusive or. */
#define SHARDSPEC_REDUCTION_BXOR 8

typedef struct shardspec_segment shardspec_segment;

/**
 * A segment of a cut. Fields that are 0 inherit the field of the cut. Initialise it with
 * `SHARDSPEC_SEGMENT_INIT`, or set all fields to zero and then set `struct_size`.
 */
struct shardspec_segment {
  /** `sizeof(shardspec_segment)`; the same in every element of an array. */
  uint64_t struct_size;
  /** Number of positions. The sizes of all segments add up to the dimension's. */
  int64_t size;
  /** A `SHARDSPEC_RULE_...` constant; 0: the cut's rule. */
  int32_t rule;
  /**
   * 1: pieces of different sizes are refused. -1: they are allowed. 0: the value of the cut
   * applies.
   */
  int32_t even;
  /** Positions that stay together; 0: the cut's granule. */
  int64_t granule;
  /**
   * Neighbouring coordinates that have the same piece, or `SHARDSPEC_REPEAT_AS_NEEDED`; 0: the cut's
   * repeat.
   */
  int64_t repeat;
  /** CYCLIC: positions of a block; 0: the cut's block. */
  int64_t block;
  /**
   * CYCLIC: the piece with the first block, modulo the number of pieces; 0: the cut's. To start at piece
   * 0 where the `first` of the cut is not 0, pass the number of pieces.
   */
  int64_t first;
  /** SIZES and WEIGHTS: a number for each piece; with `value_count` 0, the cut's values. */
  const int64_t *values;
  /** How many; with 0, `values` may be NULL. */
  size_t value_count;
};

/**
 * A segment that inherits all fields of its cut: `shardspec_segment segment = SHARDSPEC_SEGMENT_INIT;`
 */
#define SHARDSPEC_SEGMENT_INIT { sizeof(shardspec_segment), 0, 0, 0, 0, 0, 0, 0, NULL, 0 }

typedef struct shardspec_cut shardspec_cut;

/**
 * A cut of one dimension over one axis of a mesh. Initialise it with `SHARDSPEC_CUT_INIT`, or set
 * all fields to zero and then set `struct_size`.
 */
struct shardspec_cut {
  /** `sizeof(shardspec_cut)`; the same in every element of an array. */
  uint64_t struct_size;
  /**
   * The dimension; negative ones count from the last. After flattening, where the layout flattens.
   */
  int64_t dim;
  /** If it is not NULL, the dimension is the one of this name, and `dim` is ignored. */
  const char *dim_name;
  /** The name of the axis. */
  const char *axis;
  /** A `SHARDSPEC_RULE_...` constant; 0: CHUNK. */
  int32_t rule;
  /** 1: fail where pieces would differ in size; 0 or -1: allow it. CYCLIC ignores it. */
  int32_t even;
  /**
   * Positions that stay together; 0 means 1. The last unit of a dimension may be short. Pieces of SIZES
   * must start at a multiple. CYCLIC ignores it.
   */
  int64_t granule;
  /**
   * Number of neighbouring coordinates that have the same piece; 0 means 1. It must divide the
   * size of the axis. `SHARDSPEC_REPEAT_AS_NEEDED` is also allowed, except for SIZES and
   * WEIGHTS.
   */
  int64_t repeat;
  /** CYCLIC: number of positions of a block; 0 means 1. */
  int64_t block;
  /** CYCLIC: the piece that gets the first block, modulo the number of pieces. */
  int64_t first;
  /**
   * SIZES and WEIGHTS: a number for each piece. The number of pieces is the size of the axis, divided
   * by `repeat`.
   */
  const int64_t *values;
  /** How many; with 0, `values` may be NULL. */
  size_t value_count;
  /**
   * The segments, `segment_count` of them; NULL: that many of equal size, the last ones shorter.
   */
  const shardspec_segment *segments;
  /** How many segments; 0: the dimension is cut as a whole. */
  size_t segment_count;
};

/** A cut of dimension 0 by chunk: `shardspec_cut cut = SHARDSPEC_CUT_INIT;` */
#define SHARDSPEC_CUT_INIT { sizeof(shardspec_cut), 0, NULL, NULL, 0, 0, 0, 0, 0, 0, NULL, 0, NULL, 0 }

typedef struct shardspec_pad shardspec_pad;

/**
 * A dimension that is lengthened before it is cut. Exactly one of `size` and `multiple` is not 0.
 * Initialise it with `SHARDSPEC_PAD_INIT`, or set all fields to zero and then set `struct_size`.
 */
struct shardspec_pad {
  /** `sizeof(shardspec_pad)`; the same in every element of an array. */
  uint64_t struct_size;
  /**
   * The dimension; negative ones count from the last. After flattening, where the layout flattens.
   */
  int64_t dim;
  /** If it is not NULL, the dimension is the one of this name, and `dim` is ignored. */
  const char *dim_name;
  /** The new length, which is at least the size of the dimension; 0 where `multiple` is set. */
  int64_t size;
  /** The new length is the next multiple of this; or 0. */
  int64_t multiple;
};

/** A pad before its length is set: `shardspec_pad pad = SHARDSPEC_PAD_INIT;` */
#define SHARDSPEC_PAD_INIT { sizeof(shardspec_pad), 0, NULL, 0, 0 }

typedef struct shardspec_partial shardspec_partial;

/**
 * An axis whose devices have parts of the elements' values. The library carries, prints and
 * compares it, and never computes a reduction. Initialise it with `SHARDSPEC_PARTIAL_INIT`, or set
 * all fields to zero and then set `struct_size`.
 */
struct shardspec_partial {
  /** `sizeof(shardspec_partial)`; the same in every element of an array. */
  uint64_t struct_size;
  /** The name of the axis, which no cut uses. */
  const char *axis;
  /** A `SHARDSPEC_REDUCTION_...` constant; 0: SUM. */
  int32_t reduction;
  /** 0. */
  int32_t reserved;
};

/**
 * A sum over an axis that is still to be set: `shardspec_partial partial = SHARDSPEC_PARTIAL_INIT;`
 */
#define SHARDSPEC_PARTIAL_INIT { sizeof(shardspec_partial), NULL, 0, 0 }

typedef struct shardspec_mesh_layout shardspec_mesh_layout;

/**
 * How a tensor is laid out over a mesh. First dimensions are flattened, then padded, then cut.
 * Initialise it with `SHARDSPEC_MESH_LAYOUT_INIT`, or set all fields to zero and then set
 * `struct_size`. Such a layout replicates the tensor.
 */
struct shardspec_mesh_layout {
  /** `sizeof(shardspec_mesh_layout)`. */
  uint64_t struct_size;
  /** The cuts, in the order in which they are applied. */
  const shardspec_cut *cuts;
  /** How many; with 0, `cuts` may be NULL. */
  size_t cut_count;
  /** The dimensions that are lengthened. */
  const shardspec_pad *pads;
  /** How many; with 0, `pads` may be NULL. */
  size_t pad_count;
  /** The axes that are pending a reduction. */
  const shardspec_partial *partials;
  /** How many; with 0, `partials` may be NULL. */
  size_t partial_count;
  /** The first of the dimensions that become one, row-major. */
  int64_t flatten_first;
  /** How many dimensions become one, at least 2; 0: none do. */
  size_t flatten_count;
};

/** A layout that replicates: `shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;` */
#define SHARDSPEC_MESH_LAYOUT_INIT { sizeof(shardspec_mesh_layout), NULL, 0, NULL, 0, NULL, 0, 0, 0 }

/**
 * Creates a spec that cuts tensors over a mesh. Shard i belongs to device i. This call checks all
 * that does not depend on a tensor's sizes; `shardspec_spec_build_metadata` checks the rest.
 *
 * Ownership: the library copies what it needs. The caller frees `*out`; `mesh` may be freed before
 * it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if an axis is unknown or used twice, or if numbers or lists are not
 * allowed for their axis; ILLEGAL_CUT if `repeat` does not divide the size of the axis;
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_mesh(
    const shardspec_mesh *mesh, const shardspec_mesh_layout *layout, shardspec_spec **out,
    shardspec_error *err);

/**
 * Creates a spec that cuts one dimension over `placement_count` placements: a mesh spec with one
 * axis and one cut. Shard i is at `placements[i]`. The axis is named `cut->axis`, or "devices" if
 * that is NULL.
 *
 * Ownership: the library copies what it needs. The caller frees `*out`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `placement_count` is 0, or if numbers or lists in the cut are not
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
 * coordinates. Returns OK, or the status and message with which a spec of that cut would fail. The
 * dimension and the axis of the cut are ignored.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: no.
 * Blocks: no.
 * Errors: ILLEGAL_CUT if positions do not divide, sizes do not add up, or a piece does not start
 * at a granule; INVALID_ARGUMENT if numbers or lists are not allowed in a cut; NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_cut_check(
    const shardspec_cut *cut, int64_t length, int64_t count, shardspec_error *err);

/**
 * Writes, for each degree of parallelism from 1 to `max_degree`, the first of several cuts that forbids
 * it: `forbidding[k - 1]` becomes the position of the first cut that is illegal over k coordinates, or -1
 * where all `cut_count` cuts are legal. `cuts[i]` cuts `lengths[i]` positions: heads, key and value heads,
 * blocks of a quantised weight, experts. `forbidding` has room for `max_degree` numbers.
 * `shardspec_cut_check` returns the reason.
 *
 * A list of sizes or weights is legal at one degree only. Set `repeat` to `SHARDSPEC_REPEAT_AS_NEEDED`
 * where heads may be fewer than coordinates. Neighbouring coordinates then have the same head:
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
 * cut), a length is negative, or `max_degree` is below 1; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_cuts_check_degrees(
    const shardspec_cut *cuts, const int64_t *lengths, size_t cut_count, int64_t max_degree,
    int64_t *forbidding, shardspec_error *err);

/**
 * Writes a handle to the mesh of a mesh spec.
 *
 * Ownership: the caller frees `*out`; the spec may be freed before it.
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
 * Writes to `buffer` a text for people that describes a spec, such as "dp=2, tp=4: dimension 0
 * over tp by chunk". The text of a custom spec is the name of its type. Later versions may write
 * another text.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes a handle to the mesh over which the tensor was cut. Shard i belongs to device i.
 *
 * Ownership: the caller frees `*out`; the metadata may be freed before it.
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
 * Writes the coordinates of a shard on the mesh over which the tensor was cut into `coordinates`,
 * one number for each axis. `coordinates` has room for `capacity` numbers. `*needed` becomes the
 * number of axes; `needed` may be NULL. With capacity 0, `coordinates` may be NULL and only the
 * number is written.
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
 * Writes the name of a dimension into `buffer`: one of the `dim_names` that the metadata was
 * created with.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * Writes the number of axes that are pending a reduction. A call that would move elements of such
 * a tensor fails with PARTIAL.
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
 * Writes to `buffer` the name of an axis that is pending a reduction, and to `*reduction` a
 * `SHARDSPEC_REDUCTION_...` constant. `reduction` may be NULL. They are numbered from 0, in the
 * order of the layout.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written.
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
 * The arithmetic of chunks.
 *
 * Source: `get_split_size`, `get_chunked_dim_size` and `get_chunk_sharding_params` of
 * `torch.distributed._shard.sharding_spec._internals`.
 */

/**
 * Writes the size of a full chunk to `*out`, where `dim_size` elements are cut into `chunk_count`
 * chunks: ceil(dim_size / chunk_count).
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
 * Writes the size of chunk `index` to `*out`, where `dim_size` elements are cut into chunks of
 * `split_size`. The last chunk may be shorter, and chunks past the end have size 0.
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
 * Writes the offset and the size of the chunk that a chunk spec gives to `rank`, where a dimension
 * of `dim_size` elements is cut for `world_size` workers. Chunks are in the order of the spec's
 * placements. The offset of an empty chunk is at most `dim_size`.
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
 * Queries: the shards that own an element, share an element with a box, or belong to an owner.
 *
 * An element is described by its index in the tensor, one number for each dimension, or by a shard
 * and an index in that shard. The first query of a metadata object builds a spatial index of its n
 * shards, in about n * log(n). The metadata keeps that index. Each query then takes about log(n),
 * plus the size of its answer.
 */

/**
 * Writes the indices of the shards that share an element with a box into `indices`, in ascending
 * order. For a box of one element, these are all its owners; the first one is the primary owner.
 *
 * `offsets` and `sizes` hold `ndim` numbers >= 0. The box may reach past the tensor. An empty box
 * meets no shard. `indices` has room for `capacity` numbers. `*needed` becomes the number of
 * shards; `needed` may be NULL. With capacity 0, `indices` may be NULL and only `*needed` is
 * written.
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
 * Writes the shard that owns an element to `*out`. `element` is the element's index, `ndim`
 * numbers. Of several owners, which are replicas, it is the primary one: the lowest.
 * `shardspec_metadata_shards_in_box` returns all owners of an element.
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
 * Writes the replica number of a shard to `*number`: how many lower shards have the same elements
 * at the same places of their buffers. `*primary` becomes the lowest of these shards. It is the
 * shard itself where the number is 0. A program that writes or reads each element once uses only
 * primary shards. A shard without elements has number 0. Either place may be NULL.
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
 * Writes the shards that own `element_count` elements, and the indices of the elements in the
 * buffers of those shards.
 *
 * `elements` holds one row for each element, with one number for each dimension of the tensor.
 * `shards` has room for `element_count` numbers. `local_indices` has room for `element_count`
 * rows, with one number for each dimension of the shards' buffers
 * (`shardspec_metadata_buffer_ndim`). `shards` and `local_indices` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if an element is outside of the tensor (the error has its dimension,
 * index, limit and position in `elements`); INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_locate(
    const shardspec_metadata *metadata, const int64_t *elements, size_t element_count,
    size_t *shards, int64_t *local_indices, shardspec_error *err);

/**
 * Writes the indices in the tensor of `element_count` elements that are described by a shard and
 * an index in the shard's buffer. This is the inverse of `shardspec_metadata_locate`.
 *
 * `shards` holds one number for each element. `local_indices` holds one row for each element, with
 * one number for each dimension of the shards' buffers. `elements` has room for `element_count`
 * rows, with one number for each dimension of the tensor.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a shard does not exist or an element is outside of its buffer (the
 * error has the dimension, the index, the limit and the position); NOT_FOUND if an index is that
 * of a hole, which has no element; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_globalize(
    const shardspec_metadata *metadata, const size_t *shards, const int64_t *local_indices,
    size_t element_count, int64_t *elements, shardspec_error *err);

/**
 * Writes the indices of the shards that `rank` owns into `indices`, in ascending order. A rank may
 * own no shards.
 *
 * `indices` has room for `capacity` numbers. `*needed` becomes the number of shards; `needed` may
 * be NULL. With capacity 0, `indices` may be NULL and only `*needed` is written.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shards_of_rank(
    const shardspec_metadata *metadata, int64_t rank, size_t *indices, size_t capacity,
    size_t *needed, shardspec_error *err);

/**
 * Writes the indices of an owner's shards into `indices`, in ascending order.
 *
 * `owner` is a text such as "rank:1" or "trainer0" for the owner's shards on all devices, or
 * "rank:1/cuda:0" for those on one device. A device alone, "cuda:0", selects shards on that device
 * whose placements name no owner.
 *
 * `indices` has room for `capacity` numbers. `*needed` becomes the number of shards; `needed` may
 * be NULL. With capacity 0, `indices` may be NULL and only `*needed` is written.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_PLACEMENT, BUFFER_TOO_SMALL, INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shards_of_owner(
    const shardspec_metadata *metadata, const char *owner, size_t *indices, size_t capacity,
    size_t *needed, shardspec_error *err);

/* ================================================================================================
 * Shards that are not boxes.
 *
 * The indices of one dimension that a shard has are its dim map: a list of stretches, in the order
 * of the shard's buffer. A stretch is `count` blocks of `length` neighbouring indices, at equal
 * steps in the tensor and in the buffer. So a block-cyclic dimension of any size is one stretch,
 * and often a shorter last block. Places of the buffer that no stretch covers are holes: they hold
 * no element. The elements of a shard are the product of its dim maps. A box has one block without
 * holes in every dimension.
 *
 * Neighbouring dimensions of a tensor may be flattened: shards then have one dimension in their
 * place, in row-major order. Shards may be replicas, if the metadata is created with replicas.
 */

/** The dim map number of a dimension of which a shard has one interval without holes. */
#define SHARDSPEC_INTERVAL 4294967295u

typedef struct shardspec_stretch shardspec_stretch;

/**
 * `count` blocks of `length` neighbouring indices of one dimension. Block `i` starts at index
 * `global_start + i * global_step` of the tensor and at place `local_start + i * local_step` of
 * the shard's buffer. Starts are >= 0, `length` and `count` are >= 1, and steps are >= `length`.
 * The steps of a single block equal its length.
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
  /** Distance from the start of one block to the start of the next in the tensor. */
  int64_t global_step;
  /** Distance from the start of one block to the start of the next in the buffer. */
  int64_t local_step;
};

/**
 * Creates a copy of the list `shards` in which some dimensions of some shards have a dim map
 * instead of an interval.
 *
 * `map_numbers` has one number for each dimension of each shard, shard after shard: the number of
 * its dim map, counted from 0, or `SHARDSPEC_INTERVAL` to keep the interval. Dim map `i` has the
 * stretches `map_ends[i - 1]` (0 for the first dim map) to `map_ends[i] - 1` of the
 * `stretch_count` stretches. No two stretches of one dim map may share an index or a place in the
 * buffer. The sizes in `shards` are the lengths of the buffers, holes included; they must be equal
 * wherever one dim map is used. The offsets in `shards` are kept; the caller chooses them.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`; `shards` may be freed
 * before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if stretches overlap, end behind the buffer or have impossible numbers,
 * or if `map_ends` are not in order; INDEX_OUT_OF_RANGE if a map number is too large;
 * SHAPE_MISMATCH if one map is used with different sizes; INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY. The error's `index` is the position of the stretch, map or number.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_with_dim_maps(
    const shardspec_shards *shards, const shardspec_stretch *stretches, size_t stretch_count,
    const size_t *map_ends, size_t map_count, const uint32_t *map_numbers, shardspec_shards **out,
    shardspec_error *err);

/**
 * Creates a copy of the list `shards` for a tensor with flattened dimensions. The tensor has
 * `sizes` (`ndim` numbers), and its dimensions `first_dim` to `first_dim + dim_count - 1` count as
 * one, in row-major order. The shards have `ndim - dim_count + 1` dimensions.
 *
 * Ownership: the caller frees `*out`; `shards` may be freed before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_DIM if the tensor does not have these dimensions; INVALID_ARGUMENT if
 * `dim_count` is below 2, a size is negative or the shards are flattened already; NDIM_MISMATCH if
 * the shards have another number of dimensions; OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_new_flattened(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim, size_t first_dim,
    size_t dim_count, shardspec_shards **out, shardspec_error *err);

/**
 * Creates metadata of a tensor of `sizes` (`ndim` numbers) from a list of shards. The shards must
 * cover the tensor. Each shard needs a placement. `properties` may be NULL.
 *
 * With `replicas` 0, the shards must not overlap. With any other value, they may. The first shard
 * that holds an element then owns it. Gathering and plans read each element once, and scattering
 * writes every copy.
 *
 * Ownership: the caller frees `*out`; `shards` may be freed before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: OVERLAP if shards overlap and `replicas` is 0; GAP if the shards do not cover the tensor
 * (the message names a box); SHAPE_MISMATCH if the shards are flattened from another tensor;
 * INVALID_ARGUMENT if a size is negative or `ndim` is above 32; NULL_ARGUMENT if a pointer is NULL
 * or a shard has no placement; UNSUPPORTED if replicas overlap in too many ways; OVERFLOW if the
 * number of elements does not fit in 64 bits; OUT_OF_BOUNDS, NDIM_MISMATCH, INVALID_HANDLE,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_from_shards(
    const shardspec_shards *shards, const int64_t *sizes, size_t ndim,
    const shardspec_tensor_properties *properties, int32_t replicas, shardspec_metadata **out,
    shardspec_error *err);

/**
 * Writes the stretches of dimension `dim` of shard `shard` into `stretches`, in the order of the
 * shard's buffer. An interval is one stretch of one block. An empty dimension has no stretch.
 *
 * `stretches` has room for `capacity` stretches. `*needed` becomes the number of stretches;
 * `needed` may be NULL. With capacity 0, `stretches` may be NULL and only `*needed` is written.
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
 * Writes the stretches of dimension `dim` of shard `shard` of metadata into `stretches`, in the
 * order of the shard's buffer. An interval is one stretch of one block. An empty dimension has no
 * stretch.
 *
 * `stretches` has room for `capacity` stretches. `*needed` becomes the number of stretches;
 * `needed` may be NULL. With capacity 0, `stretches` may be NULL and only `*needed` is written.
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
 * Writes all dim maps of a list that are not intervals, in the form that
 * `shardspec_shards_new_with_dim_maps` accepts.
 *
 * `stretches` receives the stretches of all maps, and `map_ends` receives the end of each map in
 * them. `map_numbers` receives the number of the dim map for each dimension of each shard, or
 * `SHARDSPEC_INTERVAL`. `*needed_stretches` becomes the number of stretches and `*needed_maps` the
 * number of maps; both may be NULL. `map_numbers` needs room for one number for each dimension of
 * each shard. Each of the three arrays may be NULL; its capacity is then ignored.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: BUFFER_TOO_SMALL, INVALID_HANDLE, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_shards_get_dim_maps(
    const shardspec_shards *shards, shardspec_stretch *stretches, size_t stretch_capacity,
    size_t *map_ends, size_t map_capacity, uint32_t *map_numbers, size_t number_capacity,
    size_t *needed_stretches, size_t *needed_maps, shardspec_error *err);

/**
 * Writes 1 to `*out` if every shard of a list is a box of the tensor, else 0. It writes 0 for
 * flattened dimensions.
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
 * Writes 1 to `*out` if shard `shard` of metadata is a box of the tensor, else 0. It writes 0 for
 * flattened dimensions.
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
 * Writes which dimensions of the tensor are one dimension of the shards: `*dim_count` of them,
 * from `*first_dim` on. Both become 0 where no dimensions are flattened. Either may be NULL.
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
 * Creates a copy of metadata for a tensor that is cut over a mesh: shard i belongs to device i. It
 * has the same shards. `partials` holds the axes that are pending a reduction; with
 * `partial_count` 0, it may be NULL.
 *
 * With this function, a program can restore metadata from parts that it received from another
 * process.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`; `metadata` and `mesh` may
 * be freed before it.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if the devices of the mesh are not as many as the shards or have other
 * placements, if a name in `partials` is that of no axis or occurs twice, or if shards differ
 * along a partial axis; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_new_on_mesh(
    const shardspec_metadata *metadata, const shardspec_mesh *mesh,
    const shardspec_partial *partials, size_t partial_count, shardspec_metadata **out,
    shardspec_error *err);

/**
 * Creates a copy of metadata whose dimensions have names: `dim_names` holds one text for each of
 * the `ndim` dimensions of the tensor.
 *
 * Ownership: the library copies all arguments. The caller frees `*out`; `metadata` may be freed
 * before it.
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
 * Digests: comparing sharded tensors without assembling them.
 *
 * The digest of a tensor is the CRC-64/NVME of its elements' bytes in row-major order: a number of 64
 * bits that does not depend on how the tensor is cut. A model that is cut over 4 ranks can be compared
 * with the same model over 8 ranks, or a copy with its source.
 *
 * Each process computes the part of its own shards. The exclusive or of the parts of all shards, in any
 * order, is the digest of the tensor. With MPI:
 *
 *   uint64_t part, digest;
 *   shardspec_metadata_digest(metadata, indices, shards, shard_count, NULL, &part, &err);
 *   MPI_Allreduce(&part, &digest, 1, MPI_UINT64_T, MPI_BXOR, comm);
 *
 * A CRC detects damage: tensors with random differences have equal digests with a probability of 2^-64.
 * It does not detect deliberate changes.
 */

/**
 * Computes the part of some shards in the digest of their tensor.
 *
 * `shards[i]` is shard `indices[i]` of the metadata; where `indices` is NULL it is shard i. The
 * views may have any strides. The exclusive or of the parts of all shards of the metadata is the
 * CRC-64/NVME of the tensor's bytes in row-major order. The parts may come from several calls and
 * several processes, in any order, and each shard must be passed to exactly one of the calls.
 * Without shards, the part is 0. The digest of a tensor without elements is 0.
 *
 * Where several shards have an element, it is counted once: with the shard from which
 * `shardspec_metadata_gather` reads it. That shard follows from the metadata alone, so that
 * processes with equal metadata agree without a message. The digest does not show whether the
 * others have the same element. Compare the results of `shardspec_metadata_shard_digests` for
 * that. Holes of shards are not read.
 *
 * `options->max_threads` limits the threads; `options` may be NULL.
 *
 * Time: one pass over the elements that are counted. Where shards are not boxes or share elements,
 * the function also makes a plan, which takes about n * log(n) for n shards of the metadata.
 * Ownership: the caller keeps the views and their memory.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
 * the tensor, a shard or a row of a view starts or ends inside of a byte; SHAPE_MISMATCH,
 * NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or NULL_ARGUMENT if a view does not fit its
 * shard (the error's `first_shard` is the shard, `index` is its position in `shards`);
 * INVALID_ARGUMENT if a shard is passed twice; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any; other threads must not write the shards during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_digest(
    const shardspec_metadata *metadata, const size_t *indices, const shardspec_tensor_view *shards,
    size_t shard_count, const shardspec_copy_options *options, uint64_t *out, shardspec_error *err);

/**
 * Computes the digest of each of some shards. Replicas that hold the same elements have equal
 * digests.
 *
 * `shards[i]` is shard `indices[i]` of the metadata; where `indices` is NULL it is shard i. `digests` has
 * room for `shard_count` numbers. `digests[i]` becomes the CRC-64/NVME of the bytes of `shards[i]` in
 * row-major order, where holes count as zeros and are not read. Two shards that hold the same elements at
 * the same places have equal digests, on any ranks and whatever the strides of the views. A row-major
 * shard without holes has the digest of a file with its bytes.
 *
 * `options->max_threads` limits the threads; `options` may be NULL.
 *
 * Ownership: the caller keeps the views and their memory.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
 * a shard, or a row of a view, starts or ends inside of a byte; SHAPE_MISMATCH, NDIM_MISMATCH,
 * DTYPE_MISMATCH, UNSUPPORTED_DEVICE or NULL_ARGUMENT if a view does not fit its shard (the
 * error's `first_shard` is the shard, `index` is its position in `shards`); INVALID_ARGUMENT if a
 * shard is passed twice; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any; other threads must not write the shards during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_shard_digests(
    const shardspec_metadata *metadata, const size_t *indices, const shardspec_tensor_view *shards,
    size_t shard_count, const shardspec_copy_options *options, uint64_t *digests,
    shardspec_error *err);

/**
 * Computes the part of all local shards in the digest of their tensor.
 *
 * The exclusive or of the parts of all processes is the CRC-64/NVME of the tensor's bytes in
 * row-major order, where every shard of the metadata is local in exactly one process. Without
 * local shards, the part is 0. Where several shards have an element, it is counted once, with a
 * shard that follows from the metadata alone. `options->max_threads` limits the threads; `options`
 * may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: PARTIAL if the elements are pending a reduction; UNSUPPORTED if elements are packed and
 * the tensor or a shard starts or ends inside of a byte; INVALID_ARGUMENT if `options` are
 * invalid; OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any; other threads must not write the shards during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_digest(
    const shardspec_sharded_tensor *tensor, const shardspec_copy_options *options, uint64_t *out,
    shardspec_error *err);

/* ================================================================================================
 * Plans: what moves from one layout of a tensor to another.
 *
 * A plan is made for any source layout and any destination layout. It is a list of pieces. A piece
 * is a box of elements that one destination shard takes from one source shard. Pieces are numbered
 * from 0, by destination shard, then by source shard, then by their offsets. Every element of a
 * destination shard is in exactly one piece.
 *
 * The library can execute a plan on the shards of this process. A custom transport can execute a
 * plan by its runs of bytes. Creating a plan takes about n * log(n) for n shards, plus the number
 * of pieces.
 *
 * Source: the read items of torch's checkpoint planner, `create_read_items_for_chunk_list`.
 */

/** A plan, behind a handle. Immutable; free it with `shardspec_plan_free`. */
typedef struct shardspec_plan shardspec_plan;

/**
 * Creates the plan from one layout of a tensor to another.
 *
 * Ownership: the caller frees `*out`; both metadata objects may be freed before it.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: SHAPE_MISMATCH or NDIM_MISMATCH if the two tensors have different sizes; DTYPE_MISMATCH
 * if both state an element type and the two differ; PARTIAL if the elements are pending a
 * reduction; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_new(
    const shardspec_metadata *source, const shardspec_metadata *destination, shardspec_plan **out,
    shardspec_error *err);

/**
 * Creates the plan from one layout of a tensor to some destination shards of another, such as
 * those of one worker. `destination_indices` holds the indices of `destination_index_count`
 * shards, in any order.
 *
 * Ownership: the caller frees `*out`; both metadata objects may be freed before it.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a destination index is too large; SHAPE_MISMATCH or NDIM_MISMATCH
 * if the two tensors have different sizes; DTYPE_MISMATCH if both state an element type and the
 * two differ; PARTIAL if the elements are pending a reduction; INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_new_for_destinations(
    const shardspec_metadata *source, const shardspec_metadata *destination,
    const size_t *destination_indices, size_t destination_index_count, shardspec_plan **out,
    shardspec_error *err);

/**
 * Creates the plan from a list of source shards to a list of destination shards. Source shards may
 * overlap, as replicas do, and need not cover the tensor. Destination shards may overlap too.
 * Either list may be empty.
 *
 * An element that several sources hold is read from a source with the same owner as the
 * destination, if there is one. Other elements with several sources are distributed so that the
 * owners read about equally many elements. The largest parts are assigned first, each to the owner
 * with the fewest elements so far. A part larger than a fair share is divided. Where sources
 * overlap in very many ways, they are read in fewer and larger parts. Equal lists always make
 * equal plans.
 *
 * Ownership: the caller frees `*out`; both lists may be freed before it.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: GAP if no source holds some elements of a destination shard (the error's `first_shard`
 * is that shard, the message names a box); UNSUPPORTED if source shards overlap in too many ways;
 * OVERFLOW if the number of elements of a destination shard does not fit in 64 bits;
 * NDIM_MISMATCH, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
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
 * Threads: any. A call of another thread that uses the handle completes normally.
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
 * `sources` and `destinations` receive the indices of the shards and have room for `piece_count`
 * numbers. `source_offsets`, `destination_offsets` and `sizes` receive the start of each piece in
 * both shards and its sizes. They have room for `piece_count` rows. `shardspec_plan_ndims` returns
 * the lengths of their rows: the dimensions of source shards' buffers, of destination shards'
 * buffers and of pieces. These lengths differ only where shards are not boxes; a piece then covers
 * the buffers in steps (`shardspec_plan_piece_steps`). Each of the five arrays may be NULL.
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
 * buffers and of the plan's pieces. The three numbers are equal where all shards are boxes.
 * Otherwise a piece may have more dimensions than the buffers, and `shardspec_plan_piece_steps`
 * returns the buffer's dimension for each of them. `source`, `destination` and `piece` may be
 * NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_ndims(
    const shardspec_plan *plan, size_t *source, size_t *destination, size_t *piece,
    shardspec_error *err);

/**
 * Writes, for pieces `first_piece` to `first_piece + piece_count - 1`, the steps that they take in
 * the buffers.
 *
 * `source_dims` and `destination_dims` have room for one number for each dimension of the pieces:
 * the dimension of the buffer that it belongs to. These numbers are the same for all pieces.
 * `source_steps` and `destination_steps` have room for `piece_count` rows of as many numbers: the
 * length of one step, in indices of that dimension of the buffer.
 *
 * Element `(i[0], i[1], ...)` of a piece has, in dimension d of the source's buffer, this index:
 * the piece's source offset plus the sum of `i[k] * steps[k]` over all k with `source_dims[k] ==
 * d`. Where all shards are boxes, dimension k belongs to dimension k, and every step is 1. Each of
 * the four arrays may be NULL.
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
 * Writes the pieces of a destination shard: the first to `*first_piece` and their number to
 * `*piece_count`. They are consecutive.
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
 * Writes 1 to `*out` if every piece has the same owner on both sides, so that nothing moves
 * between processes, else 0. An owner is a rank or a worker; devices are ignored.
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
 * Writes 1 to `*out` if every destination shard of the plan equals the source shard of the same
 * index, with the same box and placement, else 0. Such a plan has nothing to move.
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
 * Copies elements from source shards to destination shards of this process, as the plan says,
 * without further memory for data.
 *
 * `sources[i]` is source shard `source_indices[i]`; with `source_indices` NULL, it is shard i. The
 * same holds for destinations. Every destination passed is written completely. All source shards
 * that it depends on must be passed; further source shards are ignored. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if a source that is needed is not passed, or if the plan does not include a
 * destination; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH or UNSUPPORTED_DEVICE if a view does
 * not fit its shard (the error's `first_shard` is the shard, `index` is its position in the
 * array); ALIASED if a destination shares memory with a source or with another destination;
 * UNSUPPORTED if the sources have far more elements than memory, so that the search for shared
 * memory would take longer than the copy; INVALID_ARGUMENT if a shard is passed twice or `options`
 * are invalid; INDEX_OUT_OF_RANGE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After
 * an error, nothing was written.
 * Threads: any. During the call, other threads may read the sources but not write them, and may
 * not use the destinations.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_execute(
    const shardspec_plan *plan, const size_t *source_indices, const shardspec_tensor_view *sources,
    size_t source_count, const size_t *destination_indices,
    const shardspec_tensor_view *destinations, size_t destination_count,
    const shardspec_copy_options *options, shardspec_error *err);

/**
 * Copies elements from the local shards of one sharded tensor to those of another, as the plan says.
 * The tensors must have the layouts that the plan was made for. Shapes do not show the layout: a fused
 * QKV weight in plain chunks has shards of the same shapes and other rows. This function compares the
 * layouts themselves. `options` may be NULL.
 *
 * Every local shard of `destination` is written completely. All source shards that it depends on must
 * be local.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` of custom placements; `destroy`, if another thread frees a handle during the
 * call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a tensor has another layout (the message has the fingerprints of
 * both layouts, see `shardspec_plan_fingerprints`); NOT_FOUND if a source that is needed is not
 * local, or if the plan does not include a destination; ALIASED if the tensors share memory;
 * UNSUPPORTED if the sources have far more elements than memory, so that the search for shared
 * memory would take longer than the copy; DTYPE_MISMATCH, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
 * OUT_OF_MEMORY. After an error, nothing was written.
 * Threads: any. During the call, other threads may read `source` but not write it, and may not use
 * `destination`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_execute_sharded_tensors(
    const shardspec_plan *plan, const shardspec_sharded_tensor *source,
    const shardspec_sharded_tensor *destination, const shardspec_copy_options *options,
    shardspec_error *err);

/**
 * Writes the fingerprints of the layouts that the plan was made for. A fingerprint is a hash of 64
 * bits. It covers the elements of each shard, their order in the buffer, and the placements. Equal
 * layouts have equal fingerprints, in every process that runs this version. Compare them with
 * `shardspec_metadata_fingerprint` before you execute a plan that was kept.
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
 * These functions assume that every shard's buffer is row-major and contiguous. The runs of a
 * source and a destination describe all bytes that move between them, in the same order on both
 * sides. A sender packs the blocks of its runs one after the other, and the receiver unpacks them
 * into the blocks of the same runs. Runs suit `preadv`, MPI's `MPI_Type_create_hvector` and RDMA.
 *
 * Ranks are those of placements. -1 stands for all placements without a rank.
 */

typedef struct shardspec_run shardspec_run;

/**
 * `block_count` blocks of `block_length` bytes that move from one buffer to another. Source blocks
 * start at `source_offset`, `source_offset + source_stride` and so on. Destination blocks start at
 * `destination_offset`, `destination_offset + destination_stride` and so on. All numbers are in
 * bytes. Strides are 0 where there is one block.
 */
struct shardspec_run {
  /** The source shard's index. */
  size_t source;
  /** The destination shard's index. */
  size_t destination;
  /** Offset of the first block in the source shard's buffer. */
  int64_t source_offset;
  /** Distance from the start of one block to the start of the next in the source shard's buffer. */
  int64_t source_stride;
  /** Offset of the first block in the destination shard's buffer. */
  int64_t destination_offset;
  /**
   * Distance from the start of one block to the start of the next in the destination shard's
   * buffer.
   */
  int64_t destination_stride;
  /** Bytes of a block, at least 1. */
  int64_t block_length;
  /** Number of blocks, at least 1. */
  int64_t block_count;
};

/**
 * Writes how many bytes move from which source shard to which destination shard. Pairs of shards
 * without traffic are left out. The others are ordered by destination, then by source.
 *
 * `sources`, `destinations` and `byte_counts` have room for `capacity` pairs, and each may be
 * NULL. `*needed` becomes the number of pairs; `needed` may be NULL. With capacity 0, only
 * `*needed` is written. `itemsize` is the number of bytes of an element, or 0 for that of the
 * element type of the plan's layouts. The bytes of packed elements are rounded up for each pair.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `itemsize` is negative, differs from the size of the stated element
 * type, or is 0 and no element type is stated; BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_shard_traffic(
    const shardspec_plan *plan, int64_t itemsize, size_t *sources, size_t *destinations,
    int64_t *byte_counts, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes how many bytes move from which source rank to which destination rank. Bytes that stay on
 * a rank are included. Pairs of ranks without traffic are left out. The others are ordered by
 * source, then by destination.
 *
 * `source_ranks`, `destination_ranks` and `byte_counts` have room for `capacity` pairs, and each
 * may be NULL. `*needed` becomes the number of pairs; `needed` may be NULL. With capacity 0, only
 * `*needed` is written. `itemsize` is the number of bytes of an element, or 0 for that of the
 * element type of the plan's layouts. The bytes of packed elements are rounded up for each pair.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `itemsize` is negative, differs from the size of the stated element
 * type, or is 0 and no element type is stated; BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_rank_traffic(
    const shardspec_plan *plan, int64_t itemsize, int64_t *source_ranks, int64_t *destination_ranks,
    int64_t *byte_counts, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes to `runs` the runs of all bytes that move from source shard `source` to destination
 * shard `destination`.
 *
 * `runs` has room for `capacity` of them. `*needed` becomes their number; `needed` may be NULL.
 * With capacity 0, `runs` may be NULL and only `*needed` is written. `itemsize` is the number of
 * bytes of an element, or 0 for that of the element type of the plan's layouts.
 *
 * Time: proportional to the number of pieces, with capacity 0; such a call allocates no memory.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INDEX_OUT_OF_RANGE if a shard does not exist; UNSUPPORTED if elements are packed and a
 * run would start or end inside of a byte; INVALID_ARGUMENT if `itemsize` is negative, differs
 * from the size of the stated element type, or is 0 and no element type is stated;
 * BUFFER_TOO_SMALL, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_shard_runs(
    const shardspec_plan *plan, size_t source, size_t destination, int64_t itemsize,
    shardspec_run *runs, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Writes to `runs` the runs of all bytes that move from `source_rank` to `destination_rank`, or
 * stay on one rank. Runs are in the order of the plan's pieces. Ranks that exchange nothing have
 * no runs.
 *
 * `runs` has room for `capacity` of them. `*needed` becomes their number; `needed` may be NULL.
 * With capacity 0, `runs` may be NULL and only `*needed` is written. `itemsize` is the number of
 * bytes of an element, or 0 for that of the element type of the plan's layouts.
 *
 * Time: proportional to the number of pieces, with capacity 0; such a call allocates no memory.
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if a rank is below -1; UNSUPPORTED if elements are packed and a run
 * would start or end inside of a byte; INVALID_ARGUMENT if `itemsize` is negative, differs from
 * the size of the stated element type, or is 0 and no element type is stated; BUFFER_TOO_SMALL,
 * OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_plan_rank_runs(
    const shardspec_plan *plan, int64_t source_rank, int64_t destination_rank, int64_t itemsize,
    shardspec_run *runs, size_t capacity, size_t *needed, shardspec_error *err);

/**
 * Suggests a permutation of the destination's placements with which the fewest elements move. Of
 * all such permutations, it is one that changes the fewest placements.
 *
 * `placement_indices` receives one number for each of the destination's different placements, in
 * the order of `shardspec_metadata_placement_text`: the index of the placement that its shards
 * should have. `shardspec_metadata_relabel` accepts this array. `*needed` becomes the number of
 * placements; `needed` may be NULL. With capacity 0, `placement_indices` may be NULL.
 * `*moved_before` and `*moved_after` become the numbers of elements that change owners without and
 * with the suggestion; both may be NULL.
 *
 * Time: for p placements and e pairs of a placement and an owner that share elements, at worst p *
 * (e + p) * log(p).
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
 * Creates a copy of metadata with other placements: shards with placement i get placement
 * `placement_indices[i]` of the same metadata. Placements are numbered from 0, in the order of
 * their first shards. `placement_count` is their number.
 *
 * Ownership: the caller frees `*out`; `metadata` may be freed before it.
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

/* ================================================================================================
 * Checkpoints: tensors in files.
 *
 * A checkpoint is a file or a directory. The library reads safetensors files, directories of them with
 * or without a `model.safetensors.index.json`, the safetensors files that torch's distributed
 * checkpoint writes, and `.npy` files. It finds the format by names and first bytes.
 *
 * A tensor is stored in chunks. The chunks are shards whose placements are files: custom placements of
 * the type "file", with the file's name in the checkpoint as their text. A tensor is read into any
 * layout: metadata, some of its shards, and memory for these. `shardspec_checkpoint_check` lists
 * everything that keeps some tensors from being read, before a byte is read.
 *
 * Opening reads what the files say about their tensors, and no element. A file that is shorter than it
 * says is refused then. Files are read by `pread` and are never mapped into memory. Names of files in an
 * index must lie below the index. Symbolic links are followed, and only regular files are read.
 *
 * Elements are moved as they are. The library does not convert element types.
 */

/**
 * An open checkpoint, behind a handle. It holds no file open. Immutable; free it with
 * `shardspec_checkpoint_free`.
 */
typedef struct shardspec_checkpoint shardspec_checkpoint;

/**
 * Opens the checkpoint at `path`: a file, or a directory. The library reads the names, types, sizes and
 * places of all tensors, and no element.
 *
 * A tensor whose file is missing does not keep the checkpoint from being opened.
 * `shardspec_checkpoint_check` reports it, and reading it fails.
 *
 * Ownership: the caller frees `*out`. No file stays open.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: on the disk.
 * Errors: FILE_FAILED if the system refuses to open, list or read a file; INVALID_FILE if a file
 * does not follow its format, is shorter than its header says, or has a header or index of more
 * than 100,000,000 bytes; UNSUPPORTED if an element type has no equivalent in this library;
 * INVALID_ARGUMENT if no known format is at the path; OVERFLOW, NULL_ARGUMENT, OUT_OF_MEMORY.
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
 * Threads: any. A call of another thread that uses the handle completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_checkpoint_free(
    shardspec_checkpoint *checkpoint, shardspec_error *err);

/**
 * Writes the number of tensors to `*out`. Tensors are numbered from 0, in the order of their names.
 * Tensors whose files are missing do not count.
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
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the name, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is written.
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
 * Writes the number of the tensor that has this name to `*out`.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if no file has the tensor (the message names the file in which an index
 * expects it); INVALID_ARGUMENT if the name is not UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_find_tensor(
    const shardspec_checkpoint *checkpoint, const char *name, size_t *out, shardspec_error *err);

/**
 * Writes the element type and the sizes of tensor `tensor`. `sizes` has room for `capacity` numbers,
 * and `*ndim` becomes how many there are. `dtype`, `sizes` and `ndim` may be NULL.
 *
 * torch's distributed checkpoint does not store the sizes of a tensor in its safetensors files. The
 * sizes of such a tensor are where its last chunks end. The layout that it is read into may be larger,
 * and reading then reports which elements are missing.
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
 * Creates the list of the stored chunks of tensor `tensor`: shards whose placements are files. The
 * chunks may overlap, and may leave gaps where files are missing.
 *
 * Ownership: the caller frees `*out`. The checkpoint may be freed before it.
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
 * Creates the metadata of tensor `tensor` as it is stored: its chunks are the shards, and files are
 * their placements. Chunks that several files hold are replicas. The metadata states the element type.
 *
 * Ownership: the caller frees `*out`. The checkpoint may be freed before it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: GAP if files are missing, so that the chunks do not cover the tensor;
 * INDEX_OUT_OF_RANGE, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_tensor_metadata(
    const shardspec_checkpoint *checkpoint, size_t tensor, shardspec_metadata **out,
    shardspec_error *err);

typedef struct shardspec_checkpoint_item shardspec_checkpoint_item;

/**
 * A tensor of a checkpoint, and where to read it: into the local shards of `tensor`, or into views
 * of some shards of `metadata`. With both NULL, the whole tensor is shard 0. Set unused fields to
 * zero.
 */
struct shardspec_checkpoint_item {
  /** `sizeof(shardspec_checkpoint_item)`; the same in every element of an array. */
  uint64_t struct_size;
  /** The tensor's name in the checkpoint. */
  const char *name;
  /**
   * A sharded tensor: all of its local shards are read. `metadata`, `indices`, `shards` and
   * `shard_count` must be 0 or NULL then.
   */
  const shardspec_sharded_tensor *tensor;
  /** The layout that the tensor is read into; NULL: one shard, which is the whole tensor. */
  const shardspec_metadata *metadata;
  /** The indices of the shards; NULL: shards 0 to `shard_count - 1`. */
  const size_t *indices;
  /** The memory for the shards, with any strides. `shardspec_checkpoint_check` ignores it. */
  const shardspec_tensor_view *shards;
  /** Number of shards. */
  size_t shard_count;
};

/** An item without a tensor: `shardspec_checkpoint_item item = SHARDSPEC_CHECKPOINT_ITEM_INIT;` */
#define SHARDSPEC_CHECKPOINT_ITEM_INIT { sizeof(shardspec_checkpoint_item), NULL, NULL, NULL, NULL, NULL, 0 }

/**
 * Says how many of all bytes that are needed have been read. It returns the status of success, or
 * another one to cancel the read, which then returns that status. It runs on the thread that
 * called `shardspec_checkpoint_read`, between the reads of that thread and once at the end.
 */
typedef shardspec_status (*shardspec_progress_fn)(
    void *ctx, uint64_t bytes_done, uint64_t bytes_total, shardspec_error *err);

typedef struct shardspec_checkpoint_read_options shardspec_checkpoint_read_options;

/** How to read. Zeros are the defaults. No option changes the result. */
struct shardspec_checkpoint_read_options {
  /** `sizeof(shardspec_checkpoint_read_options)`. */
  uint64_t struct_size;
  /** Maximum number of threads, the caller's included; 0: up to 4. */
  uint32_t max_threads;
  /** The status of success of `progress`: 0, `SHARDSPEC_CALLBACK_OK`, or `..._IN_ERR`. */
  shardspec_status success_status;
  /**
   * Bytes between two needed parts of a file that are always read as well, so that one read gets both
   * parts; 0: 4096.
   */
  uint64_t max_gap;
  /**
   * More bytes between needed parts are read as well, as long as the read has no more bytes than this
   * times the bytes that are needed of it; 0: 2.0. With 1.0, only `max_gap` counts.
   */
  double over_read;
  /**
   * Maximum number of bytes of a read whose parts go to several places; 0: 2 MiB. Each thread
   * allocates memory for one such read.
   */
  uint64_t max_read;
  /** Called with the progress; NULL for none. */
  shardspec_progress_fn progress;
  /** The first argument of `progress`. */
  void *progress_ctx;
};

/**
 * The library chooses how to read: `shardspec_checkpoint_read_options options = SHARDSPEC_CHECKPOINT_READ_OPTIONS_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_READ_OPTIONS_INIT { sizeof(shardspec_checkpoint_read_options), 0, 0, 0, 0, 0, NULL, NULL }

typedef struct shardspec_checkpoint_read_report shardspec_checkpoint_read_report;

/** What a read did. */
struct shardspec_checkpoint_read_report {
  /** Set by the caller to `sizeof(shardspec_checkpoint_read_report)`. */
  uint64_t struct_size;
  /** Number of reads. */
  uint64_t read_count;
  /** Bytes that were read from files. */
  uint64_t bytes_read;
  /** Bytes that the destinations need. Bytes that two destinations need count twice. */
  uint64_t bytes_needed;
};

/**
 * A report before the read: `shardspec_checkpoint_read_report report = SHARDSPEC_CHECKPOINT_READ_REPORT_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_READ_REPORT_INIT { sizeof(shardspec_checkpoint_read_report), 0, 0, 0 }

/** The most problems that `shardspec_checkpoint_check` counts, if there is no room for more. */
#define SHARDSPEC_CHECKPOINT_MAX_PROBLEMS 1024

/**
 * Finds everything that keeps `item_count` items from being read: tensors and files that are missing,
 * elements that no file holds, chunks that contradict each other, and layouts of other sizes or another
 * element type. With `item_count` 0, it checks the whole checkpoint. No element is read, and the items'
 * `shards` are ignored.
 *
 * `*problem_count` becomes the number of problems. Counting ends at
 * `SHARDSPEC_CHECKPOINT_MAX_PROBLEMS`, or at `capacity` if that is more. `problems` has room for
 * `capacity` structs and receives the first problems, in the order of the items: status, message, and
 * the position of the item in `index`. The caller sets each `struct_size` to `sizeof(shardspec_error)`.
 * With `capacity` 0, `problems` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: UNSUPPORTED if chunks overlap in too many ways; INVALID_ARGUMENT, INDEX_OUT_OF_RANGE,
 * OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. A problem of the checkpoint is a result
 * and not an error: the function then returns OK.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_check(
    const shardspec_checkpoint *checkpoint, const shardspec_checkpoint_item *items,
    size_t item_count, shardspec_error *problems, size_t capacity, size_t *problem_count,
    shardspec_error *err);

/**
 * Reads tensors of a checkpoint into the memory of local shards. All elements of the shards are
 * written, and their padding becomes zero. Bytes that lie near each other in a file are read at once, in
 * the order of the file, on a few threads. Contiguous parts are read straight into their places.
 *
 * All checks come before the first read. They are the checks of `shardspec_checkpoint_check` and
 * the checks of the views. `options` may be NULL. `whole` has room for `item_count` numbers and
 * may be NULL: `whole[i]` becomes 1 if item i was read completely, else 0. `report` may be NULL.
 * `whole` and `report` are written after a failure during the read as well. Of items that were not
 * read completely, the elements are undefined then.
 *
 * Elements that are no whole bytes are read wherever parts end on whole bytes. Bits behind the last
 * element of a shard may be written.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `progress`; `equal` and `hash` of custom placements; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: on the disk.
 * Errors: NOT_FOUND if a tensor does not exist; GAP if no file holds some elements (the message
 * names tensor, box and file); OVERLAP if chunks contradict each other; SHAPE_MISMATCH,
 * NDIM_MISMATCH or DTYPE_MISMATCH if a layout or a view does not fit; PARTIAL if the elements of a
 * layout are pending a reduction; ALIASED if destinations share memory; UNSUPPORTED if a part ends
 * inside of a byte; UNSUPPORTED_DEVICE, INVALID_ARGUMENT, INDEX_OUT_OF_RANGE, OVERFLOW,
 * INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After one of these, nothing was written. During
 * the read: FILE_FAILED or INVALID_FILE if a file can't be read or has changed since the
 * checkpoint was opened (the message names file, byte and reason). If `progress` cancels the read,
 * the function returns the status of `progress`.
 * Threads: any. No other thread may use the destinations during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_read(
    const shardspec_checkpoint *checkpoint, const shardspec_checkpoint_item *items,
    size_t item_count, const shardspec_checkpoint_read_options *options, int32_t *whole,
    shardspec_checkpoint_read_report *report, shardspec_error *err);

/**
 * Chooses one reader for each set of shards that have the same elements, so that all ranks together read
 * each of them once. `metadatas` holds the layouts of `metadata_count` tensors.
 *
 * `readers` receives one number for each shard of the first layout, then for each shard of the second one,
 * and so on: the index of the shard that is read from files. A shard whose number is its own index reads.
 * Another one receives its elements from that shard. Of shards with the same elements, the owner with the
 * fewest bytes so far reads, the largest sets first. Bytes are those of the stated element type; where none
 * is stated, an element counts as a byte. Equal layouts give equal readers in every process.
 *
 * `capacity` is the number of elements of `readers`. `*needed` becomes the number of shards of all layouts;
 * `needed` may be NULL. With capacity 0, only `*needed` is written.
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

/* ================================================================================================
 * Writing checkpoints, and converting them.
 *
 * A checkpoint is a directory of safetensors files. Each rank writes its own shards. One rank then
 * moves the complete checkpoint to its path, in one step:
 *
 *   shardspec_checkpoint_tensor tensor = {sizeof tensor, "w", metadata, &index, &shard, 1};
 *   shardspec_checkpoint_write("checkpoint", &tensor, 1, NULL, &err);
 *   MPI_Barrier(comm);
 *   if (rank == 0) shardspec_checkpoint_commit("checkpoint", &tensor, 1, NULL, &err);
 *
 * The layouts alone decide which file holds which shard. The header of each file has the layout as
 * a JSON text. It also has the entries with which torch's `HuggingFaceStorageReader` reads the
 * file.
 */

/** The shards of each owner in files of their own. */
#define SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS 0
/** All tensors, whole, in one file. */
#define SHARDSPEC_CHECKPOINT_FILES_ONE 1

typedef struct shardspec_checkpoint_tensor shardspec_checkpoint_tensor;

/** A tensor that is written, and its shards in this process. */
struct shardspec_checkpoint_tensor {
  /** `sizeof(shardspec_checkpoint_tensor)`. */
  uint64_t struct_size;
  /** Its name in the files. */
  const char *name;
  /** Its layout. The metadata must state an element type. */
  const shardspec_metadata *metadata;
  /** The indices of the shards in this process; NULL: the first `shard_count` of the metadata. */
  const size_t *indices;
  /** Views of these shards. Any strides are allowed. */
  const shardspec_tensor_view *shards;
  /** Number of shards. */
  size_t shard_count;
};

/**
 * A tensor without a name: `shardspec_checkpoint_tensor tensor = SHARDSPEC_CHECKPOINT_TENSOR_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_TENSOR_INIT { sizeof(shardspec_checkpoint_tensor), NULL, NULL, NULL, NULL, 0 }

typedef struct shardspec_checkpoint_write_options shardspec_checkpoint_write_options;

/**
 * Options of writing a checkpoint. Where the pointer to them is NULL, or a field is 0, the default
 * is used. All ranks pass the same values.
 */
struct shardspec_checkpoint_write_options {
  /** `sizeof(shardspec_checkpoint_write_options)`. */
  uint64_t struct_size;
  /** How tensors are divided among files: `SHARDSPEC_CHECKPOINT_FILES_...`. */
  uint32_t files;
  /**
   * With a nonzero value, a checkpoint at the path is replaced. With 0, a path that exists is
   * refused.
   */
  uint32_t replace;
  /**
   * Maximum number of bytes of elements that a conversion holds in memory; 0: 64 MiB. Other
   * functions ignore it.
   */
  uint64_t max_bytes;
};

/**
 * A file for each owner: `shardspec_checkpoint_write_options options = SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT;`
 */
#define SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT { sizeof(shardspec_checkpoint_write_options), 0, 0, 0 }

typedef struct shardspec_checkpoint_rule shardspec_checkpoint_rule;

/** The layout that tensors of certain names get in a conversion. */
struct shardspec_checkpoint_rule {
  /** `sizeof(shardspec_checkpoint_rule)`. */
  uint64_t struct_size;
  /** A pattern for names of tensors. Each `*` matches any number of characters, also none. */
  const char *pattern;
  /** The spec that cuts tensors with these names. */
  const shardspec_spec *spec;
};

/** A rule without a layout: `shardspec_checkpoint_rule rule = SHARDSPEC_CHECKPOINT_RULE_INIT;` */
#define SHARDSPEC_CHECKPOINT_RULE_INIT { sizeof(shardspec_checkpoint_rule), NULL, NULL }

/**
 * Writes this process's shards of all tensors of a checkpoint. Call it on every rank, with the
 * same path, names, layouts and options, then `shardspec_checkpoint_commit` on one rank. A process
 * may pass shards of several owners. If it passes one shard of an owner, it must pass all of them.
 * A rank without shards need not call the function.
 *
 * The layouts alone decide which file holds which shard, so ranks exchange nothing. By default,
 * each file is a safetensors file with shards of one owner. With SHARDSPEC_CHECKPOINT_FILES_ONE,
 * all ranks write into one file with whole tensors, which has to be on a file system that they
 * share. Of replicas, one is written, and owners write about equally many bytes. A view that is
 * not row-major is copied first, one shard at a time.
 *
 * The files are written into a directory whose name is the path with `.saving` behind it, and flushed to
 * the disk. The path itself is not touched. Call the function again after a failure.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: on the disk.
 * Errors: INVALID_ARGUMENT if the path exists and `replace` is 0, if the path holds anything but a
 * checkpoint, if a name is empty or occurs twice, if metadata states no element type, or if some
 * shards of an owner are missing; FILE_FAILED if the system refuses to write a file, for example
 * because the disk is full; OVERLAP if two shards have only some elements in common; UNSUPPORTED
 * if the format does not have an element type, or if a shard is not a box and each owner has its
 * own files; PARTIAL, SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, INDEX_OUT_OF_RANGE,
 * UNSUPPORTED_DEVICE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY. After an error, the
 * path is unchanged.
 * Threads: any. Several ranks and threads may write their parts at the same time.
 * Source: torch's `torch.distributed.checkpoint.save`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_write(
    const char *path, const shardspec_checkpoint_tensor *tensors, size_t tensor_count,
    const shardspec_checkpoint_write_options *options, shardspec_error *err);

/**
 * Puts a checkpoint in its place, after all ranks have written their shards. Call it on one rank, after a
 * barrier. Names, layouts and options are those of `shardspec_checkpoint_write`; `indices`, `shards` and
 * `shard_count` are ignored.
 *
 * The function checks that all owners have written. It then renames the new directory to `path`,
 * in one step. If a checkpoint is there, the function exchanges the two directories in one step
 * and then removes the old one. If the program ends at any point, `path` has the old checkpoint or
 * the new one, and both are complete. If whole tensors are in several files, a
 * `model.safetensors.index.json` is written before.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: on the disk.
 * Errors: NOT_FOUND if an owner has not written its shards; INVALID_FILE if a file is too short;
 * UNSUPPORTED if a checkpoint is to be replaced and the file system can't exchange two
 * directories; INVALID_ARGUMENT if the path exists and `replace` is 0, or if the path holds
 * anything but a checkpoint; FILE_FAILED, OVERLAP, PARTIAL, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. After an error, the path has the old checkpoint. If only flushing
 * the directory above the path failed, the path has the new one. An old checkpoint that can't be
 * removed stays in the directory whose name ends in `.saving`.
 * Threads: any. No rank may write to the same path during the call.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_commit(
    const char *path, const shardspec_checkpoint_tensor *tensors, size_t tensor_count,
    const shardspec_checkpoint_write_options *options, shardspec_error *err);

/**
 * Writes all tensors of a checkpoint to another one, with other layouts. `source_path` is a safetensors or
 * `.npy` file, a directory of safetensors files, with or without an index, or a directory that torch's
 * distributed checkpoint wrote. The new checkpoint appears at `path` in one step, when all of it is
 * written.
 *
 * A tensor is cut by the spec of the first rule whose pattern matches its name. A tensor that no
 * rule matches is written whole, as a shard of rank 0. The conversion holds at most `max_bytes` of
 * elements in memory, and the buffers of its reads. It checks the source first, and writes nothing
 * if elements are missing.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `build_metadata` of a custom spec; `equal` and `hash` of custom placements;
 * `destroy`, if another thread frees a handle during the call.
 * Blocks: on the disk.
 * Errors: FILE_FAILED if the system refuses to read or write a file, for example because the disk
 * is full; INVALID_FILE if a source file does not follow its format or is shorter than its header
 * says; GAP if no file holds some elements; NOT_FOUND if the index of the source names a tensor
 * that no file has; INVALID_ARGUMENT if the source has no known format, if `path` exists and
 * `replace` is 0, or if `path` holds anything but a checkpoint; UNSUPPORTED if the format does not
 * have an element type, if a shard is not a box and each owner has its own files, or if the file
 * system can't exchange two directories; OVERLAP, PARTIAL, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. If the spec of a rule does not fit a tensor, the function returns
 * the error of `shardspec_spec_build_metadata`.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_checkpoint_convert(
    const char *source_path, const char *path, const shardspec_checkpoint_rule *rules,
    size_t rule_count, const shardspec_checkpoint_write_options *options, shardspec_error *err);

/* ================================================================================================
 * DLPack: tensors shared with other libraries, without a copy.
 *
 * A managed tensor is a view together with a function that releases its memory. A library that
 * receives one uses the memory as long as it needs it. It then calls `tensor->deleter(tensor)`
 * exactly once, on any thread.
 *
 * There are two forms. `shardspec_managed_tensor` has the layout of DLPack's
 * `DLManagedTensorVersioned`. `shardspec_legacy_managed_tensor` has the layout of
 * `DLManagedTensor`, for libraries that support only DLPack before 1.0. Pointers to them may be
 * cast.
 *
 * `shardspec_sharded_tensor_new_from_managed` takes managed tensors of other libraries. Other
 * functions take such a tensor with its `deleter` as `release` and the managed tensor itself as
 * `ctx`.
 *
 * Source: `dlpack.h` 1.0.
 */

/** The major version of DLPack in the library's managed tensors. */
#define SHARDSPEC_DLPACK_MAJOR_VERSION 1
/** The minor version of DLPack in the library's managed tensors. */
#define SHARDSPEC_DLPACK_MINOR_VERSION 0
/** Flag: the memory must not be written. */
#define SHARDSPEC_DLPACK_FLAG_READ_ONLY 1
/** Flag: the memory is a copy with no other user. */
#define SHARDSPEC_DLPACK_FLAG_IS_COPIED 2

typedef struct shardspec_managed_tensor shardspec_managed_tensor;

/**
 * A tensor for another library. The struct has the memory layout of DLPack's
 * `DLManagedTensorVersioned`.
 */
struct shardspec_managed_tensor {
  /** `SHARDSPEC_DLPACK_MAJOR_VERSION`. */
  uint32_t major;
  /** `SHARDSPEC_DLPACK_MINOR_VERSION`. */
  uint32_t minor;
  /** For `deleter`. */
  void *manager_ctx;
  /** Releases the memory and frees this struct, which is its argument. */
  shardspec_destroy_fn deleter;
  /** `SHARDSPEC_DLPACK_...` flags, or'ed. */
  uint64_t flags;
  /** The tensor. Its strides are never NULL, also for a row-major tensor. */
  shardspec_tensor_view tensor;
};

typedef struct shardspec_legacy_managed_tensor shardspec_legacy_managed_tensor;

/** A tensor for another library. The struct has the memory layout of DLPack's `DLManagedTensor`. */
struct shardspec_legacy_managed_tensor {
  /** The tensor. Its strides are never NULL, also for a row-major tensor. */
  shardspec_tensor_view tensor;
  /** For `deleter`. */
  void *manager_ctx;
  /** Releases the memory and frees this struct, which is its argument. */
  shardspec_destroy_fn deleter;
};

/**
 * Creates a managed tensor of the memory that `view` describes, for another library. `flags` are
 * `SHARDSPEC_DLPACK_FLAG_...` constants, or'ed, or 0.
 *
 * Ownership: `view` is copied. Its memory must stay valid until the library calls `release(ctx)`,
 * exactly once: from the managed tensor's deleter, or before a failed call returns. `release` may
 * be NULL. The caller passes `*out` on, or calls its deleter.
 * Calls back: `release`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `flags` has other bits; UNSUPPORTED_DEVICE, OVERFLOW, NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_managed_tensor_new(
    const shardspec_tensor_view *view, uint64_t flags, void *ctx, shardspec_destroy_fn release,
    shardspec_managed_tensor **out, shardspec_error *err);

/**
 * Creates a managed tensor in the form before DLPack 1.0, of the memory that `view` describes.
 * This form has no flags, so its receivers may write the memory.
 *
 * Ownership: `view` is copied. Its memory must stay valid until the library calls `release(ctx)`,
 * exactly once: from the managed tensor's deleter, or before a failed call returns. `release` may
 * be NULL. The caller passes `*out` on, or calls its deleter.
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
 * A local shard can be exported as a managed tensor of DLPack, and managed tensors of other
 * libraries can become local shards, both without a copy. All users of a shard share its memory,
 * which stays valid until the last of them releases it.
 */

/**
 * Creates a managed tensor of local shard `local`, for another library.
 *
 * Ownership: the caller passes `*out` on, or calls its deleter. The shard's memory stays valid
 * until the deleter was called, also when the sharded tensor is freed before.
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
 * Creates a managed tensor of local shard `local`, in the form before DLPack 1.0, for another
 * library.
 *
 * Ownership: the caller passes `*out` on, or calls its deleter. The shard's memory stays valid
 * until the deleter was called, also when the sharded tensor is freed before.
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
 * Creates a sharded tensor of managed tensors of other libraries: `shards[i]` is shard
 * `indices[i]` of the metadata. A `DLManagedTensorVersioned *` of DLPack may be cast.
 *
 * Each tensor has the sizes of its shard, with any strides. All have the metadata's element type,
 * or one common type where the metadata states none. With an `owner`, the shards must be exactly
 * those of that owner. With `owner` NULL, they may be any.
 *
 * Ownership: the library owns the managed tensors from the call on, also when the call fails; the
 * caller keeps the array `shards`. The library calls each deleter exactly once, on any thread:
 * after the sharded tensor and all managed tensors exported from that shard were freed, or before
 * a failed call returns. It skips NULL, and calls the deleter of a tensor that occurs twice once.
 * There is one exception: an array that is NULL, not aligned, larger than memory or that has an
 * element that is not aligned is refused, and no deleter is called. The caller frees `*out`.
 * Calls back: `deleter` of each shard, if the call fails; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: no.
 * Errors: READ_ONLY if a managed tensor has the read-only flag; UNSUPPORTED if a managed tensor
 * has another major version of DLPack than 1 or unknown flags; INVALID_ARGUMENT if a managed
 * tensor or a shard occurs twice, or if the shards are not exactly those of `owner`;
 * SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE or ALIASED if a tensor does
 * not fit its shard; INDEX_OUT_OF_RANGE, INVALID_PLACEMENT, OVERFLOW, INVALID_HANDLE,
 * NULL_ARGUMENT, OUT_OF_MEMORY. The error's `first_shard` is the shard, `index` is its position in
 * `shards`.
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
 * A communicator is a group of ranks that exchange messages. Its handle belongs to one of these
 * ranks. The library links no transport. It requires one function of a transport, exchange: start
 * a set of messages and return when all are complete. In MPI these are MPI_Irecv, MPI_Isend and
 * MPI_Waitall (`shardspec_mpi.h`), in NCCL ncclGroupStart, ncclSend, ncclRecv and ncclGroupEnd, in
 * torch batch_isend_irecv. A program without a transport can run its ranks as threads, with
 * `shardspec_comm_new_local`.
 *
 * A rank makes one call at a time. Two concurrent calls with one communicator are refused or mix
 * up their messages.
 */

typedef struct shardspec_message shardspec_message;

/** One message of an exchange. */
struct shardspec_message {
  /** The rank that receives or sends the message. */
  int64_t peer;
  /**
   * The first byte of the message. The transport does not write memory of messages that it
   * sends.
   */
  void *pointer;
  /** Number of bytes. */
  size_t byte_count;
};

/**
 * Starts all of these messages and returns when all are complete, or when the transport knows that
 * some can't complete.
 *
 * No message has the own rank as its peer, and none is empty. Sender and receiver give a message
 * the same number of bytes. Messages from one rank to another arrive in the order in which they
 * are sent, in one exchange and across exchanges. A rank without messages does not call the
 * function. The transport should start receives before sends. Neither may wait for the other.
 */
typedef shardspec_status (*shardspec_exchange_fn)(
    void *ctx, const shardspec_message *sends, size_t send_count, const shardspec_message *receives,
    size_t receive_count, shardspec_error *err);

/**
 * Starts all of these messages and returns without waiting for another rank.
 *
 * `*exchange` receives any value; `test` and `wait` receive it again. The rules of
 * `shardspec_exchange_fn` apply. The arrays of messages are valid during this call only. The memory
 * of the messages is valid until the exchange has ended: when `test` wrote 1 to `*done`, when `wait`
 * returned, or when either failed. After that, the transport does not use it, and the library does
 * not use `*exchange`. A rank has one exchange at a time. When this function fails, nothing was
 * started.
 */
typedef shardspec_status (*shardspec_exchange_start_fn)(
    void *ctx, const shardspec_message *sends, size_t send_count, const shardspec_message *receives,
    size_t receive_count, void **exchange, shardspec_error *err);

/**
 * Writes 1 to `*done` if all messages of a started exchange are complete, and 0 if not. It moves
 * them on as far as that is possible without waiting for another rank.
 */
typedef shardspec_status (*shardspec_exchange_test_fn)(
    void *ctx, void *exchange, int32_t *done, shardspec_error *err);

/**
 * Returns when all messages of a started exchange are complete, or when the transport knows that
 * some can't complete.
 */
typedef shardspec_status (*shardspec_exchange_wait_fn)(
    void *ctx, void *exchange, shardspec_error *err);

/**
 * Makes all later exchanges fail, on every rank that the transport can reach. Exchanges that are
 * waiting fail too. Examples are ncclCommAbort and closing the connections. `reason` is a text for
 * people; it is valid during the call.
 *
 * A collective that fails on this rank calls it if other ranks already rely on this rank. The
 * other ranks then return instead of waiting for its messages. The library also calls it when an
 * exception leaves `exchange`, before the exception continues. `shardspec_comm_abort` calls it on
 * any thread, also while `exchange` runs.
 */
typedef void (*shardspec_abort_fn)(void *ctx, const char *reason);

/**
 * Returns the number of the node that rank `rank` is on: any number from 0 on, equal for ranks that
 * share a node. A negative number means that the node is not known; that rank is then near no other.
 *
 * It answers at once, the same each time, and can't fail. All ranks of a communicator must divide
 * the ranks alike, but they may number the nodes differently. Ranks that divide them differently
 * return DISAGREEMENT from collectives with replicas.
 */
typedef int64_t (*shardspec_node_fn)(void *ctx, int64_t rank);

typedef struct shardspec_comm_vtable shardspec_comm_vtable;

/** The functions of a transport. */
struct shardspec_comm_vtable {
  /** `sizeof(shardspec_comm_vtable)`. */
  uint64_t struct_size;
  /** Frees `ctx`. NULL where there is nothing to free. */
  shardspec_destroy_fn destroy;
  /** Exchanges messages. Not NULL. */
  shardspec_exchange_fn exchange;
  /** The status of success of `exchange`: 0, `SHARDSPEC_CALLBACK_OK`, or `..._IN_ERR`. */
  shardspec_status success_status;
  /** 0. */
  int32_t reserved;
  /**
   * Makes exchanges fail on all ranks. With NULL, only the transport itself can report a failure
   * to other ranks.
   */
  shardspec_abort_fn abort;
  /**
   * Says which ranks share a node. Elements that several shards hold are then read from the same
   * rank where that is possible, else from the same node. With NULL, nothing is known of nodes.
   */
  shardspec_node_fn node;
  /**
   * Starts an exchange, for requests. `start`, `test` and `wait` are all there, or all NULL. With
   * NULL, a request exchanges by `exchange`, inside of `shardspec_request_wait` only.
   */
  shardspec_exchange_start_fn start;
  /** Asks for the end of a started exchange. */
  shardspec_exchange_test_fn test;
  /** Waits for the end of a started exchange. */
  shardspec_exchange_wait_fn wait;
};

/** A table without functions: `shardspec_comm_vtable vtable = SHARDSPEC_COMM_VTABLE_INIT;` */
#define SHARDSPEC_COMM_VTABLE_INIT { sizeof(shardspec_comm_vtable), NULL, NULL, 0, 0, NULL, NULL, NULL, NULL, NULL }

/** A communicator, behind a handle; free it with `shardspec_comm_free`. */
typedef struct shardspec_comm shardspec_comm;

/**
 * Creates a communicator over a custom transport, for rank `rank` of `size` ranks. The library
 * calls `exchange` on the thread that calls a collective.
 *
 * Ownership: the library copies the table. It owns `ctx` from the call on, also when the call
 * fails, and calls `destroy(ctx)` after the communicator was freed and no call uses it. The caller
 * frees `*out`.
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
 * Creates `size` communicators for threads of this process and writes their handles into the
 * array `comms`, which has room for `size` of them. `comms[r]` is for rank `r`. One thread at a
 * time uses each of them. The receiver of a message copies it, once.
 *
 * If a rank frees its communicator while others wait for it, or two ranks disagree about the
 * length of a message, all later exchanges of the group fail with TRANSPORT_FAILED and the reason.
 * No rank waits for a message that can't arrive. In a child process after fork, exchanges are
 * refused.
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
 * Creates communicators for threads of this process, as if the threads were on several nodes: rank
 * r is on node `nodes[r]`. Collectives with replicas then prefer sources on the same node, which
 * tests count. Messages travel no differently than with `shardspec_comm_new_local`.
 *
 * `nodes` has `size` numbers from 0 on, equal for ranks on the same node. `comms[r]` is for rank r.
 *
 * Ownership: the caller keeps `nodes`. It frees each of `comms[0]` to `comms[size - 1]`.
 * Calls back: no.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `size` is 0 or a node is negative; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_new_local_on_nodes(
    const int64_t *nodes, size_t size, shardspec_comm **comms, shardspec_error *err);

/**
 * Frees a communicator. NULL is allowed. With MPI, every rank frees its communicator before
 * MPI_Finalize.
 *
 * Ownership: the caller gives up `comm`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A call of another thread that uses the handle completes normally, and `destroy`
 * runs after it.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_comm_free(shardspec_comm *comm, shardspec_error *err);

/**
 * Writes this rank to `*out`: 0 to size - 1.
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
 * Exchanges messages between ranks. A transport that wraps another one can call it too.
 *
 * The library itself copies messages whose peer is the own rank: the i-th send to the i-th
 * receive. It skips empty messages. The transport receives neither. Ranks without messages need
 * not call the function.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange` of a custom transport; `destroy`, if another thread frees a handle during
 * the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if a peer is not a rank of the communicator; INVALID_ARGUMENT if the
 * calling rank sends itself other numbers of messages or bytes than it receives from itself;
 * NULL_ARGUMENT, INVALID_HANDLE. After one of these, nothing was written. TRANSPORT_FAILED, or the
 * status of a custom transport, if the transport fails. Some messages may then have arrived.
 * Threads: any, one at a time for each communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_exchange(
    const shardspec_comm *comm, const shardspec_message *sends, size_t send_count,
    const shardspec_message *receives, size_t receive_count, shardspec_error *err);

/**
 * Makes all later exchanges of a communicator fail, on every rank that its transport can reach.
 * Ranks that wait in an exchange return TRANSPORT_FAILED.
 *
 * Local communicators reach all ranks of their group, and the message of the error contains
 * `reason`, which may be NULL. For a custom transport, the function calls `abort` of its table;
 * with `abort` NULL, it does nothing. A collective that fails on one rank after the agreement
 * calls this function itself.
 *
 * Ownership: the library copies `reason`. Every rank still frees its communicator.
 * Calls back: `abort` of a custom transport; `destroy`, if another thread frees a handle during
 * the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `reason` is not UTF-8; INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any, also while another thread exchanges.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_abort(
    const shardspec_comm *comm, const char *reason, shardspec_error *err);

/**
 * Creates a communicator of some ranks of another one, and states the ranks by which placements
 * name them. A tensor-parallel group of the ranks 4 to 7 uses the layouts that name `rank:4` to
 * `rank:7` as they are.
 *
 * `members` are ranks of `comm`, each once, with the calling rank among them. Member i is rank i of
 * the new communicator. With `members` NULL, all ranks of `comm` are members, and `member_count` is
 * their number. `placement_ranks[i]` is the rank that placements name member i by. With
 * `placement_ranks` NULL, these are the placement ranks that the members have in `comm`.
 *
 * Collectives of the new communicator take `source_rank` and `destination_rank` as placement ranks,
 * and their errors name ranks so. `shardspec_comm_rank` and the peers of `shardspec_comm_exchange`
 * count from 0. Only the members call this function, and all of them with the same lists. It sends
 * nothing. Ranks with different placement ranks return DISAGREEMENT from their collectives.
 *
 * Messages of the new communicator are messages of `comm`. A call with one is therefore a call with
 * both: a rank makes one at a time, and all members make them in the same order. To abort one is to
 * abort both.
 *
 * Ownership: the caller keeps the lists. It frees `*out`. `comm` may be freed before: its transport
 * is freed with the last communicator that uses it.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `members` lacks the calling rank, a rank is listed twice or is
 * negative, or `members` is NULL and `member_count` is not the size of `comm`; INDEX_OUT_OF_RANGE
 * if `comm` does not have a listed rank; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: torch's `new_group`, MPI_Comm_create_group.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_new_group(
    const shardspec_comm *comm, const int64_t *members, const int64_t *placement_ranks,
    size_t member_count, shardspec_comm **out, shardspec_error *err);

/**
 * Writes the rank by which placements name rank `rank` of the communicator to `*out`. It is the
 * same number, unless the communicator was created with `shardspec_comm_new_group`.
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
 * Writes the number of the node that rank `rank` of the communicator is on to `*out`. Ranks with
 * equal numbers share a node. A negative number means that nothing is known of the rank's node.
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
 * Every rank of a communicator calls the same function with the same metadata and the same
 * `source_rank` or `destination_rank`, and with its own buffers. Placements define the ranks:
 * shard i belongs to rank n when its placement is `rank:n` or `rank:n/<device>`, or is a custom
 * placement of that rank. A rank passes its shards in the order of their indices, which is that of
 * `shardspec_metadata_shards_of_rank`. It may have several shards or none. Empty shards are passed
 * too.
 *
 * A collective begins with an agreement, in ceil(log2 size) rounds of one small message each. When
 * a rank passes an invalid argument, or the ranks call different functions, all ranks return an
 * error. No buffer is then written, and no rank waits. The rank with the invalid argument returns
 * its own error. All others return DISAGREEMENT, with that rank, its status and its message. This
 * holds for every argument but `comm` and `err`: a rank without a communicator can't send its
 * error. A program that can't call the collective at all calls `shardspec_comm_decline` instead,
 * with its own error.
 *
 * Contiguous data is sent from and received into the caller's buffers. Other data is packed and
 * unpacked in memory of the library, up to the rank's memory limit. Where there is enough to copy,
 * a second thread copies while the first exchanges. It ends before the call returns.
 *
 * A rank can still fail after the agreement, when the transport fails or memory runs out. It
 * returns that error, its destinations may be partly written, and every handle stays valid. The
 * library then calls `abort` of the transport, so that the other ranks return too. Local
 * communicators support that. With a transport without `abort`, ranks that need data of the failed
 * rank keep waiting; MPI programs call MPI_Abort. A rank that returns OK has received all of its
 * data.
 *
 * The agreement requires that a transport delivers messages unchanged, once and in order. Each
 * message of the agreement has a checksum. A rank that receives a damaged one returns DISAGREEMENT
 * and calls `abort`, because other ranks may have agreed already. Without `abort`, those ranks
 * wait. Messages with data have no checksum.
 */

/** As a `destination_rank`: all ranks receive the tensor. */
#define SHARDSPEC_ALL_RANKS (-1)
/** The default limit of memory for packing and unpacking on one rank: 64 MiB. */
#define SHARDSPEC_DEFAULT_MEMORY_LIMIT 67108864

typedef struct shardspec_comm_options shardspec_comm_options;

/**
 * Options of a collective. Where the pointer to them is NULL, or a field is 0, the library
 * chooses. No option changes the result, and ranks may pass different options.
 */
struct shardspec_comm_options {
  /** `sizeof(shardspec_comm_options)`. */
  uint64_t struct_size;
  /**
   * Maximum number of bytes that this rank uses for packing and unpacking; 0 for
   * `SHARDSPEC_DEFAULT_MEMORY_LIMIT`. All ranks use the lowest limit of all, but at least four
   * elements.
   */
  uint64_t memory_limit;
  /**
   * How to copy, or NULL. `max_threads` includes the calling thread, and its default here is 2,
   * because ranks share processors. With 1 there is no second thread.
   */
  const shardspec_copy_options *copy;
};

/**
 * The library chooses how to move: `shardspec_comm_options options = SHARDSPEC_COMM_OPTIONS_INIT;`
 */
#define SHARDSPEC_COMM_OPTIONS_INIT { sizeof(shardspec_comm_options), 0, NULL }

/**
 * Cuts a tensor of rank `source_rank` into the shards of all ranks. `full` is the tensor on
 * `source_rank`; other ranks' `full` is ignored. `shards` are the destinations of this rank's
 * `shard_count` shards, with their shapes and the tensor's element type. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if the communicator has no `source_rank`; INVALID_PLACEMENT if a
 * shard is on no rank of the communicator; INVALID_ARGUMENT if the number of shards is wrong;
 * SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, ALIASED or OVERFLOW if a
 * buffer does not fit (the error's `first_shard` is the shard); PARTIAL if the elements are
 * pending a reduction; DISAGREEMENT if another rank has an error; INVALID_HANDLE, NULL_ARGUMENT.
 * After one of these, nothing was written on any rank. After TRANSPORT_FAILED, OUT_OF_MEMORY or a
 * status of a custom transport, destinations may be partly written.
 * Threads: any, one at a time for each communicator. During the call, other threads may read
 * `full` but not write it, and may not use `shards`.
 * Source: torch's `ShardingSpec.shard(tensor, source_rank, process_group)`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_scatter(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_tensor_view *shards, size_t shard_count,
    const shardspec_comm_options *options, shardspec_error *err);

/**
 * Copies the shards of all ranks into a tensor on rank `destination_rank`, or on every rank with
 * SHARDSPEC_ALL_RANKS. `shards` are this rank's `shard_count` shards. `full` is the destination;
 * every element of it is written. On ranks that do not receive the tensor, `full` is ignored.
 * `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if the communicator has no `destination_rank`; INVALID_PLACEMENT if a
 * shard is on no rank of the communicator; INVALID_ARGUMENT if the number of shards is wrong;
 * SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, ALIASED or OVERFLOW if a
 * buffer does not fit (the error's `first_shard` is the shard); PARTIAL if the elements are
 * pending a reduction; DISAGREEMENT if another rank has an error; INVALID_HANDLE, NULL_ARGUMENT.
 * After one of these, nothing was written on any rank. After TRANSPORT_FAILED, OUT_OF_MEMORY or a
 * status of a custom transport, destinations may be partly written.
 * Threads: any, one at a time for each communicator. During the call, other threads may read
 * `shards` but not write them, and may not use `full`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_gather(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t destination_rank,
    const shardspec_tensor_view *shards, size_t shard_count, const shardspec_tensor_view *full,
    const shardspec_comm_options *options, shardspec_error *err);

/**
 * Moves a tensor from the layout `source` to the layout `destination`. Any two layouts of tensors
 * with the same sizes are allowed.
 *
 * `source_shards` are this rank's `source_shard_count` shards of `source`. `destination_shards`
 * are the destinations of its `destination_shard_count` shards of `destination`. Every element
 * moves directly from the rank that owns it to the ranks that need it, so no rank holds more of
 * the tensor than its own shards. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: SHAPE_MISMATCH, NDIM_MISMATCH or DTYPE_MISMATCH if the layouts are of different tensors;
 * INVALID_PLACEMENT if a shard is on no rank of the communicator; INVALID_ARGUMENT if the number
 * of shards is wrong; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, ALIASED
 * or OVERFLOW if a buffer does not fit (the error's `first_shard` is the shard); PARTIAL if the
 * elements are pending a reduction; DISAGREEMENT if another rank has an error; INVALID_HANDLE,
 * NULL_ARGUMENT. After one of these, nothing was written on any rank. After TRANSPORT_FAILED,
 * OUT_OF_MEMORY or a status of a custom transport, destinations may be partly written.
 * Threads: any, one at a time for each communicator. During the call, other threads may read
 * `source_shards` but not write them, and may not use `destination_shards`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_reshard(
    const shardspec_comm *comm, const shardspec_metadata *source,
    const shardspec_tensor_view *source_shards, size_t source_shard_count,
    const shardspec_metadata *destination, const shardspec_tensor_view *destination_shards,
    size_t destination_shard_count, const shardspec_comm_options *options, shardspec_error *err);

/**
 * Creates a sharded tensor on each rank, with the shards that the metadata cuts out of a tensor of
 * rank `source_rank`. `full` is the tensor on `source_rank`; other ranks' `full` is ignored. The
 * metadata must state the element type. The sharded tensor carries its communicator, and ops
 * refuse sharded tensors with different communicators. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`; the metadata and `full` may be freed before it. The caller
 * keeps the communicator.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INDEX_OUT_OF_RANGE if the communicator has no `source_rank`; INVALID_ARGUMENT if the
 * metadata states no element type; UNSUPPORTED if the layout is not strided or the memory format
 * is not contiguous; INVALID_PLACEMENT if a shard is on no rank of the communicator; PARTIAL if
 * the elements are pending a reduction; DISAGREEMENT if another rank has an error; SHAPE_MISMATCH,
 * NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT,
 * TRANSPORT_FAILED, OUT_OF_MEMORY. If a custom transport fails, the function returns that status.
 * Threads: any, one at a time for each communicator. No other thread may write `full` during the
 * call.
 * Source: torch's `ShardingSpec.shard(tensor, source_rank, process_group)`.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_new_from_rank(
    const shardspec_comm *comm, const shardspec_metadata *metadata, int64_t source_rank,
    const shardspec_tensor_view *full, const shardspec_comm_options *options,
    shardspec_sharded_tensor **out, shardspec_error *err);

/**
 * Writes the communicator of a sharded tensor to `*out`, or NULL where it has none.
 *
 * Ownership: `*out` is the handle that the sharded tensor was created with, not a new one. The
 * caller does not free it a second time.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_HANDLE, NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_sharded_tensor_comm(
    const shardspec_sharded_tensor *tensor, shardspec_comm **out, shardspec_error *err);

/**
 * Takes part in the collective that the other ranks call, with an error of this rank. Call it in
 * place of the collective, when the program can't pass valid arguments: a file is missing, or a
 * binding refuses an object before the library sees it.
 *
 * `status` is the number of the error, from 1 on: a status of the library, or one of the program
 * from `SHARDSPEC_USER_STATUS` on. `message` is its text; the other ranks receive its first 480
 * bytes. `message` may be the one of `*err`. All other ranks return DISAGREEMENT, with this rank,
 * `status` and `message`, whatever collective they call, and nothing is moved. This function
 * returns OK then, also when other ranks have errors of their own.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange` and `abort` of a custom transport; `destroy`, if another thread frees a
 * handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_ARGUMENT if `status` is below 1 or `message` is not UTF-8; NULL_ARGUMENT if
 * `message` is NULL. After these, the other ranks return DISAGREEMENT too. INVALID_HANDLE or
 * NULL_ARGUMENT if `comm` is not a communicator; TRANSPORT_FAILED, or the status of a custom
 * transport, if the transport fails. After these, other ranks may wait.
 * Threads: any, one at a time for each communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_decline(
    const shardspec_comm *comm, shardspec_status status, const char *message, shardspec_error *err);

/* ================================================================================================
 * Transfers.
 *
 * A transfer moves a batch of tensors between the ranks of a communicator, each tensor from one
 * layout to another. The layouts are two metadata objects, or those of a plan. Source shards may be
 * replicas: each element is then read from one of them. Destination shards may be replicas or
 * overlap: each one is written completely. Equal destination shards of one rank are received once.
 *
 * All ranks pass the same tensors, with the same tags, in the same order. One agreement serves the
 * whole batch, and small pieces of different tensors travel in one message. When the tensors of two
 * ranks differ, all ranks return DISAGREEMENT. The message has the tags and the layouts of the first
 * tensor that differs. When a rank passes an invalid tensor, the message has its tag, and `index` is
 * its position.
 *
 * `shardspec_comm_transfer` moves a batch once. `shardspec_transfer_prepare` does the agreement, the
 * plan and the allocation of memory once, for any number of `shardspec_transfer_run`. A run agrees
 * with one small message per round, in ceil(log2 size) rounds, and plans nothing.
 */

typedef struct shardspec_comm_tensor shardspec_comm_tensor;

/**
 * One tensor of a batch, as one rank passes it. All fields but the shards are the same on all ranks.
 */
struct shardspec_comm_tensor {
  /** `sizeof(shardspec_comm_tensor)`. */
  uint64_t struct_size;
  /** A name for the tensor, such as that of a parameter, in UTF-8. NULL: no name. */
  const char *tag;
  /** The layout of the tensor, or NULL where `plan` is set. */
  const shardspec_metadata *source;
  /** The layout that it moves to, or NULL where `plan` is set. */
  const shardspec_metadata *destination;
  /**
   * A plan for all destination shards, instead of `source` and `destination`. Its lists of shards
   * have placements.
   */
  const shardspec_plan *plan;
  /** This rank's shards of the source layout, all of them, in the order of their indices. */
  const shardspec_tensor_view *source_shards;
  /** Number of source shards. */
  size_t source_shard_count;
  /** This rank's shards of the destination layout, all of them, in the order of their indices. */
  const shardspec_tensor_view *destination_shards;
  /** Number of destination shards. */
  size_t destination_shard_count;
  /**
   * The element type. All zeros: that of the layouts or of the shards. In a batch of several
   * tensors, a rank without any shard of a tensor must know its element type, from here or from the
   * layouts.
   */
  shardspec_dtype dtype;
  /** 0. */
  uint32_t reserved;
};

/** A tensor without a layout: `shardspec_comm_tensor tensor = SHARDSPEC_COMM_TENSOR_INIT;` */
#define SHARDSPEC_COMM_TENSOR_INIT { sizeof(shardspec_comm_tensor), NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, { 0, 0, 0 }, 0 }

/** A prepared transfer, behind a handle; free it with `shardspec_transfer_free`. */
typedef struct shardspec_transfer shardspec_transfer;

/**
 * Moves a batch of tensors between the ranks, once. Every rank passes the same `tensor_count`
 * tensors, with its own shards. `options` may be NULL.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_PLACEMENT if a shard is on no rank of the communicator; GAP if no source has an
 * element; INVALID_ARGUMENT if the number of shards is wrong, a plan covers only some destinations
 * or no element type is known; ALIASED if a destination shares memory with another buffer, also of
 * another tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, OVERFLOW,
 * PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these, the error's `index` is the position of the
 * tensor. DISAGREEMENT if another rank has an error, or if ranks pass other tensors, tags, layouts
 * or element types or another order. After one of these, nothing was written on any rank. After
 * TRANSPORT_FAILED, OUT_OF_MEMORY or a status of a custom transport, destinations may be partly
 * written.
 * Threads: any, one at a time for each communicator. During the call, other threads may read source
 * shards but not write them, and may not use destination shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_transfer(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_error *err);

/**
 * Prepares a transfer of a batch of tensors. All ranks call it together. It agrees on the batch,
 * plans the messages and allocates memory for packing; it moves nothing. `shardspec_transfer_run`
 * then moves the tensors, any number of times. `options` may be NULL.
 *
 * Ownership: the caller frees `*out`, on all ranks, in any order. The transfer keeps what it needs of
 * the metadata and the plans; these may be freed before it. It keeps the addresses of the shards:
 * memory that a run uses must exist during that run.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_PLACEMENT if a shard is on no rank of the communicator; GAP if no source has an
 * element; INVALID_ARGUMENT if the number of shards is wrong, a plan covers only some destinations
 * or no element type is known; ALIASED if a destination shares memory with another buffer, also of
 * another tensor; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH, UNSUPPORTED_DEVICE, OVERFLOW,
 * PARTIAL, INVALID_HANDLE, NULL_ARGUMENT. With these, the error's `index` is the position of the
 * tensor. DISAGREEMENT if another rank has an error, or if ranks pass other tensors, tags, layouts
 * or element types or another order. TRANSPORT_FAILED, or the status of a custom transport, if the
 * transport fails; OUT_OF_MEMORY.
 * Threads: any, one at a time for each communicator.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_prepare(
    const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t tensor_count,
    const shardspec_comm_options *options, shardspec_transfer **out, shardspec_error *err);

/**
 * Runs a prepared transfer: moves all its tensors. All ranks call it together, with the communicator
 * that the transfer was prepared with.
 *
 * With `tensors` NULL and `tensor_count` 0, the buffers are those of the run before, or of
 * `shardspec_transfer_prepare`. Otherwise `tensors` has all tensors in the same order, with shards of
 * the same shapes, strides and element types. Of these, only the shards are used. `tag` may be NULL,
 * or equals the tag of the preparation; the other fields are ignored. The first run with other buffers
 * takes a little longer than the next ones.
 *
 * Ownership: the caller keeps all arguments.
 * Calls back: `exchange`, `node` and `abort` of a custom transport; `equal` and `hash` of custom
 * placements; `destroy`, if another thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_ARGUMENT if the communicator, the number of tensors, a tag or strides are not
 * those of the preparation, or if another thread runs the transfer; DISAGREEMENT if another rank
 * has an error or runs another transfer; SHAPE_MISMATCH, NDIM_MISMATCH, DTYPE_MISMATCH,
 * UNSUPPORTED_DEVICE, ALIASED, OVERFLOW, INVALID_HANDLE, NULL_ARGUMENT. After one of these,
 * nothing was written on any rank, and the transfer can run again. After TRANSPORT_FAILED,
 * OUT_OF_MEMORY or a status of a custom transport, destinations may be partly written.
 * Threads: any, one at a time for each communicator. During the call, other threads may read source
 * shards but not write them, and may not use destination shards.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_transfer_run(
    const shardspec_transfer *transfer, const shardspec_comm *comm,
    const shardspec_comm_tensor *tensors, size_t tensor_count, shardspec_error *err);

/**
 * Writes the fingerprint of a transfer to `*out`: 64 bits of its number of ranks and of the order,
 * tags, layouts and element types of its tensors. It is the same on all ranks.
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
 * Frees a prepared transfer and its memory. NULL is allowed. Other ranks need not do the same.
 *
 * Ownership: the caller gives up `transfer`.
 * Calls back: `destroy`, if nothing else uses the object.
 * Blocks: no.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A run of another thread completes normally.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_transfer_free(
    shardspec_transfer *transfer, shardspec_error *err);

/* ================================================================================================
 * Requests.
 *
 * A request is an exchange that was started and goes on while the program does something else. The
 * functions whose names end in `_start` create one. `shardspec_request_test`
 * moves it on without waiting, and `shardspec_request_wait` completes it.
 *
 * The library has no thread of its own: work is done inside of these calls only. A rank that never
 * tests its request holds the other ranks up. Some ranks may start a request while others call the
 * function without `_start`; they do the same.
 *
 * - From the start until a request has ended, its buffers must exist. Source buffers must not be
 *   written, and destination buffers not be used. A request has ended when `test` wrote 1, when
 *   `test` or `wait` returned an error of the request, when `wait` returned OK, and when
 *   `shardspec_request_free` returned.
 * - A communicator has one request at a time. Until that has ended, other calls with the communicator
 *   return INVALID_ARGUMENT. This holds also for communicators that share its transport, which
 *   `shardspec_comm_new_group` creates. To have two requests, create two communicators.
 * - Once a request has ended, `test` and `wait` return the same result each time.
 * - Freeing a request that has not ended gives it up: the communicator is aborted, so that the other
 *   ranks do not wait. The function returns when nothing uses the buffers any more. With a transport
 *   that can't abort, such as MPI, it waits for the messages that are under way.
 * - With a transport without `start`, a request moves on inside of `wait` only, and `test` writes 0
 *   before. Local communicators and `shardspec_mpi.h` have it.
 */

/** A request, behind a handle; free it with `shardspec_request_free`. */
typedef struct shardspec_request shardspec_request;

/**
 * Moves a request on without waiting for other ranks, and writes 1 to `*done` if it has ended
 * successfully, and 0 if it has not ended. It copies data that is ready.
 *
 * Ownership: the caller keeps the request, and frees it when it has ended.
 * Calls back: `start`, `test` and `abort` of a custom transport; `destroy`, if another thread
 * frees a handle during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if another thread uses the request; INVALID_HANDLE, NULL_ARGUMENT. If
 * the request fails, the function returns the error of its exchange.
 * Threads: any, one at a time for each request.
 * Source: MPI_Test.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_request_test(
    const shardspec_request *request, int32_t *done, shardspec_error *err);

/**
 * Completes a request. It returns OK when all data of this rank has arrived and its buffers may be
 * used again.
 *
 * Ownership: the caller keeps the request, and frees it.
 * Calls back: `exchange`, `start`, `wait` and `abort` of a custom transport; `destroy`, if another
 * thread frees a handle during the call.
 * Blocks: on other ranks.
 * Errors: INVALID_ARGUMENT if another thread uses the request; INVALID_HANDLE, NULL_ARGUMENT. If
 * the request fails, the function returns the error of its exchange.
 * Threads: any, one at a time for each request.
 * Source: MPI_Wait.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_request_wait(
    const shardspec_request *request, shardspec_error *err);

/**
 * Frees a request. NULL is allowed. A request that has not ended is given up: the communicator is
 * aborted, so that other ranks do not wait, and all its later exchanges fail.
 *
 * Ownership: the buffers of the request are the caller's again when the function returns.
 * Calls back: `abort` and `wait` of a custom transport, where the request has not ended;
 * `destroy`, if nothing else uses the communicator.
 * Blocks: on other ranks, where the request has not ended: until nothing uses the buffers.
 * Errors: INVALID_HANDLE if the handle was freed before, was never created or is of another kind.
 * Threads: any. A call of another thread that uses the handle completes normally, and the request is
 * freed after it.
 * Since: ABI 0.
 */
SHARDSPEC_API shardspec_status shardspec_request_free(
    shardspec_request *request, shardspec_error *err);

/**
 * Starts an exchange of messages between ranks. The messages follow the rules of
 * `shardspec_comm_exchange`. Other ranks may call that function or this one.
 *
 * Ownership: the caller frees `*out`. The arrays are read during the call. The memory of the messages
 * belongs to the request until it has ended.
 * Calls back: `start` and `test` of a custom transport; `destroy`, if another thread frees a handle
 * during the call.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if another request on the communicator has not ended;
 * INDEX_OUT_OF_RANGE if a peer is not a rank of the communicator; INVALID_ARGUMENT if the calling
 * rank sends itself other numbers of messages or bytes than it receives from itself;
 * NULL_ARGUMENT, INVALID_HANDLE, OUT_OF_MEMORY. After one of these, nothing was sent. Errors of
 * the transport are results of the request.
 * Threads: any, one at a time for each communicator.
 * Source: MPI_Isend, MPI_Irecv.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_comm_exchange_start(
    const shardspec_comm *comm, const shardspec_message *sends, size_t send_count,
    const shardspec_message *receives, size_t receive_count, shardspec_request **out,
    shardspec_error *err);

/* ################################################################################################
 * Level 3: types, ops and transports of your own
 * ################################################################################################ */

/* ================================================================================================
 * Callbacks.
 *
 * Callbacks are functions of the caller that the library calls. They are registered as one
 * function or as a table of functions, with a `ctx` that each call receives and a `destroy` that
 * frees `ctx`. These rules apply to all of them:
 *
 * - A callback of the return type `shardspec_status` returns the status of success or the reason
 *   of a failure. The library returns a failure to its caller unchanged, with the message and the
 *   numbers in the callback's `err`. `err` is never NULL in a callback, and its `status` need not
 *   be set. The callback may pass `err` to the functions that it calls. A message ends at its
 *   first NUL, and bytes that are not UTF-8 are replaced. Numbers from `SHARDSPEC_USER_STATUS` on
 *   are free for the callback's own failures.
 * - The status of success is SHARDSPEC_OK, 0, unless `success_status` in the table, or in the
 *   options of an op, is another one. Set it to `SHARDSPEC_CALLBACK_OK` for callbacks in languages
 *   with exceptions. JNA, cffi, ctypes and koffi return 0 when a callback throws, which must not
 *   mean success. With `success_status` set, 0 fails with SHARDSPEC_CALLBACK_FAILED.
 * - When a callback throws, CPython's ctypes returns whatever the stack contained, often the
 *   success of an earlier call. Set `success_status` to `SHARDSPEC_CALLBACK_OK_IN_ERR` there. The
 *   callback then writes its status into `err->status`, that number for success, and the library
 *   ignores what it returns. Before the call, `err->status` is SHARDSPEC_CALLBACK_FAILED, and a
 *   callback that throws leaves it unchanged.
 * - A negative number is not a status. It fails with SHARDSPEC_CALLBACK_FAILED too, with the
 *   number in the error's `got`.
 * - `equal` and `hash` return their answer and can't fail. Where `equal` throws and the binding
 *   returns 0, the two objects are different.
 * - A type name identifies a type. Objects are compared by the `equal` of one of them if they have
 *   the same type name and both have an `equal`. The addresses of the two functions may differ: a
 *   binding that makes one function for each object works. So all objects of a type name must have
 *   a `ctx` that the `equal` of each of them accepts.
 * - A function pointer must stay callable until `destroy(ctx)` has returned. This includes
 *   `destroy` itself. With `destroy` NULL, the library may call the functions as long as any
 *   object uses them: keep them until the process ends. A binding keeps the closures of a table
 *   alive until its `destroy` runs, and frees them after that.
 * - The library holds no lock while a callback runs: a callback may call any function of this
 *   header.
 * - A callback may run on any thread that calls the library, and on several at once.
 * - A callback may unwind: by an exception of C++, by pthread_exit, or by cancellation of its
 *   thread. The library then frees what its calls own, and the unwinding continues in the caller
 *   of the library, which receives no status. Outputs are as after a failure. This applies to
 *   Linux, Android and FreeBSD on x86-64 and AArch64. On other systems, unwinding into the library
 *   ends the process.
 * - A callback must not leave by longjmp or any other jump that does not unwind. The library can't
 *   detect such a jump. Objects of the call would never be freed, and an op would stay BUSY.
 *   `shardspec_op_unregister` on another thread would never return, and threads that copy for the
 *   call would go on using the caller's memory. Asynchronous cancellation of a thread inside the
 *   library is undefined as well.
 * - `destroy(ctx)` runs exactly once, when no call of the callback is running or can begin, on the
 *   thread that releases it last. It also runs when the function that received `ctx` fails.
 *   `destroy` may be NULL. In a table, it is called where `struct_size` is at least 16.
 */

/** The first status that callbacks may define. Statuses of the library are lower. */
#define SHARDSPEC_USER_STATUS 1000
/** A status of success that no runtime returns by accident, for `success_status`. */
#define SHARDSPEC_CALLBACK_OK 999
/**
 * A status of success that the callback writes into `err->status` instead of returning it, for
 * `success_status`.
 */
#define SHARDSPEC_CALLBACK_OK_IN_ERR 998

/**
 * Returns a nonzero value if two objects of the same type name are equal, else 0. It must be an
 * equivalence relation, and the library calls it with any two objects of the type name, in any
 * order.
 */
typedef int32_t (*shardspec_equal_fn)(void *ctx, void *other_ctx);

/**
 * Returns a hash, equal for objects that are equal. Where hashes made of it are compared between
 * processes, it must be equal in every process.
 */
typedef uint64_t (*shardspec_hash_fn)(void *ctx);

/**
 * Enters a language runtime. A thread must do this before it runs code of that runtime. The
 * result is the argument of `leave`.
 */
typedef int32_t (*shardspec_enter_fn)(void);

/** Leaves a language runtime. The argument is the result of `enter`. */
typedef void (*shardspec_leave_fn)(int32_t state);

typedef struct shardspec_runtime_ctx shardspec_runtime_ctx;

/** A `ctx` that must be freed inside a language runtime, for `shardspec_runtime_ctx_destroy`. */
struct shardspec_runtime_ctx {
  /** `sizeof(shardspec_runtime_ctx)`. */
  uint64_t struct_size;
  /** Called first. */
  shardspec_enter_fn enter;
  /** Called next. */
  shardspec_destroy_fn destroy;
  /** The argument of `destroy`. */
  void *ctx;
  /** Called last, with what `enter` returned. */
  shardspec_leave_fn leave;
};

/** A `ctx` without functions: `shardspec_runtime_ctx ctx = SHARDSPEC_RUNTIME_CTX_INIT;` */
#define SHARDSPEC_RUNTIME_CTX_INIT { sizeof(shardspec_runtime_ctx), NULL, NULL, NULL, NULL }

/**
 * Frees a `ctx` inside of a runtime that a thread must enter before it touches objects of that
 * runtime. Pass this function as `destroy` or `release`, and the address of a
 * `shardspec_runtime_ctx` as `ctx`. The function reads that struct before it calls anything, so
 * the struct's `destroy` may free it. Functions in it may be NULL.
 *
 * Python passes `PyGILState_Ensure`, `Py_DecRef` and `PyGILState_Release`. An object is then
 * released at once, on any thread, without running Python code, which would not be possible during
 * an exception.
 *
 * Ownership: `destroy` of the struct frees what has to be freed, and may free the struct itself.
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
 * A custom placement describes a place that owner and device can't express: a rack, a storage
 * tier, a node of a scheduler. It consists of the name of its type, a text, the rank that owns it
 * (if one does) and a `ctx` of the caller. Functions that take the handle of a placement also
 * accept the handle of a custom placement. Metadata returns custom placements unchanged.
 *
 * Source: torch's abstract class `PlacementSpec`.
 */

typedef struct shardspec_placement_vtable shardspec_placement_vtable;

/** The functions of a type of placement. */
struct shardspec_placement_vtable {
  /** `sizeof(shardspec_placement_vtable)`. */
  uint64_t struct_size;
  /** Frees `ctx`. NULL where there is nothing to free. */
  shardspec_destroy_fn destroy;
  /**
   * Reports whether two placements with this type name and of the same rank are equal. With
   * NULL, two of them are equal if their texts are equal. Of equal placements, metadata keeps
   * the first.
   */
  shardspec_equal_fn equal;
  /**
   * Returns a hash that is equal for equal placements. It is used only together with `equal`.
   * With NULL, the library hashes the type's name and the rank, and creating a list of many
   * different placements takes long.
   */
  shardspec_hash_fn hash;
};

/**
 * A table without functions: `shardspec_placement_vtable vtable = SHARDSPEC_PLACEMENT_VTABLE_INIT;`
 */
#define SHARDSPEC_PLACEMENT_VTABLE_INIT { sizeof(shardspec_placement_vtable), NULL, NULL, NULL }

/**
 * Creates a placement of a custom type, called `type_name`.
 *
 * Later versions will not use names with a dot, such as "acme.rack", for built-in types. `text` is
 * the text that `shardspec_placement_text` returns. `rank` is the rank that owns the placement, or
 * -1 where no rank does. Collectives, plans and `shardspec_metadata_shards_of_rank` use it.
 * Placements of different type names or ranks are never equal. Two placements are of the same type
 * if their type names are equal. `equal` then receives the `ctx` of both. With `vtable` NULL, the library
 * never frees `ctx`, and placements of the same type and rank are equal when their texts are.
 *
 * Ownership: the library copies texts and table. It owns `ctx` from the call on, also when the
 * call fails, and calls `destroy(ctx)` after the handle was freed and no spec or metadata uses the
 * placement. The caller frees `*out`.
 * Calls back: `destroy`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `type_name` is "device", a name or text is empty, `rank` is below -1
 * or `struct_size` is wrong; NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any. The functions of `vtable` may run on several threads at once.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_new_custom(
    const char *type_name, const char *text, int64_t rank, const shardspec_placement_vtable *vtable,
    void *ctx, shardspec_placement **out, shardspec_error *err);

/**
 * Writes the `ctx` of a custom placement to `*out`. It is valid as long as the placement: keep the
 * handle while you use it.
 *
 * Ownership: the placement keeps owning `ctx`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NOT_FOUND if the type of the placement is not `type_name`; INVALID_HANDLE,
 * NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_placement_custom_ctx(
    const shardspec_placement *placement, const char *type_name, void **out, shardspec_error *err);

/* ================================================================================================
 * Building metadata.
 *
 * A callback that cuts a tensor receives a builder and adds the tensor's shards to it. Shards are
 * numbered in the order in which they are added. Threads that the callback starts may add shards
 * too, until the callback returns. After that, the builder is refused with
 * SHARDSPEC_INVALID_HANDLE.
 */

/** A builder of metadata, behind a handle. The library owns it: there is nothing to free. */
typedef struct shardspec_metadata_builder shardspec_metadata_builder;

/**
 * Adds a shard: the box of `sizes` elements at `offsets`, `ndim` numbers each, with a placement.
 * `placement` is a text in the form that `shardspec_placement_parse` reads. The library checks
 * after the callback that the shards cover the tensor and do not overlap. A shard that is refused
 * here is not added.
 *
 * Ownership: the library copies all arguments.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: NDIM_MISMATCH if the tensor does not have `ndim` dimensions; INVALID_HANDLE if the
 * callback has returned; INVALID_PLACEMENT, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_metadata_builder_add_shard(
    shardspec_metadata_builder *builder, const int64_t *offsets, const int64_t *sizes, size_t ndim,
    const char *placement, shardspec_error *err);

/**
 * Adds a shard: the box of `sizes` elements at `offsets`, `ndim` numbers each, with a placement's
 * handle. The placement may be custom. The library checks after the callback that the shards cover
 * the tensor and do not overlap. A shard that is refused here is not added.
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
 * Adds the shards of a list, each of which needs a placement. Shards that are not boxes must be
 * added in one list, together with all other shards. A call that fails adds no shard.
 *
 * Ownership: the caller keeps the list, and may free it at once.
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
 * A type of spec is a name and a table of functions. A spec of that type has both and a `ctx`,
 * which the functions receive and which holds the parameters of the spec. It works wherever a
 * built-in spec does.
 *
 * Source: torch's abstract class `ShardingSpec` with its methods `build_metadata` and `shard`.
 */

/**
 * Adds the shards of a tensor of `ndim` sizes to `builder`. `dim_names` holds `ndim` texts, or is
 * NULL where the dimensions have no names. `properties` is never NULL. The library owns all
 * arguments; they are valid during the call.
 */
typedef shardspec_status (*shardspec_build_metadata_fn)(
    void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
    const shardspec_tensor_properties *properties, shardspec_metadata_builder *builder,
    shardspec_error *err);

/**
 * Writes the elements of shard `index` from `full` to `shard`. Shapes and element types of the
 * views are those of `metadata`, and the views share no memory. No pointer is NULL. The library
 * owns all arguments; they are valid during the call. The memory of the views belongs to the
 * caller of the library.
 */
typedef shardspec_status (*shardspec_fill_shard_fn)(
    void *ctx, const shardspec_metadata *metadata, size_t index, const shardspec_tensor_view *full,
    const shardspec_tensor_view *shard, const shardspec_copy_options *options,
    shardspec_error *err);

typedef struct shardspec_spec_vtable shardspec_spec_vtable;

/** The functions of a type of spec. */
struct shardspec_spec_vtable {
  /** `sizeof(shardspec_spec_vtable)`. */
  uint64_t struct_size;
  /** Frees `ctx`. NULL where there is nothing to free. */
  shardspec_destroy_fn destroy;
  /** Adds the shards of a tensor to a builder. Not NULL. */
  shardspec_build_metadata_fn build_metadata;
  /**
   * Fills a shard. With NULL, a shard is a copy of its part of the tensor, as with the built-in
   * types.
   */
  shardspec_fill_shard_fn fill_shard;
  /**
   * Reports whether two specs with this type name cut every tensor in the same way. With NULL, a
   * spec equals only itself.
   */
  shardspec_equal_fn equal;
  /**
   * Returns a hash that is equal for equal specs. With NULL, the library hashes the type's name.
   */
  shardspec_hash_fn hash;
  /**
   * The status of success of `build_metadata` and `fill_shard`: 0, `SHARDSPEC_CALLBACK_OK`, or
   * `..._IN_ERR`.
   */
  shardspec_status success_status;
  /** 0. */
  int32_t reserved;
};

/** A table without functions: `shardspec_spec_vtable vtable = SHARDSPEC_SPEC_VTABLE_INIT;` */
#define SHARDSPEC_SPEC_VTABLE_INIT { sizeof(shardspec_spec_vtable), NULL, NULL, NULL, NULL, NULL, 0, 0 }

/**
 * Creates a spec of a custom type, called `type_name`. Later versions will not use names with a
 * dot, such as "acme.grid", for built-in types. Two specs are of the same type if their type names
 * are equal. `equal` then receives the `ctx` of both.
 *
 * Functions that build metadata check the shards of `build_metadata`. They refuse shards outside
 * of the tensor, overlaps, gaps and wrong numbers of dimensions, with the type's name in the
 * message. The shards depend on the tensor, so `shardspec_spec_shard_count` and
 * `shardspec_spec_placement` fail with WRONG_SPEC_TYPE. Metadata has both.
 *
 * Ownership: the library copies name and table. It owns `ctx` from the call on, also when the call
 * fails, and calls `destroy(ctx)` after the spec was freed and no call uses it. The caller frees
 * `*out`.
 * Calls back: `destroy`, if the call fails.
 * Blocks: no.
 * Errors: INVALID_ARGUMENT if `type_name` is empty or that of a built-in type, `build_metadata` is
 * NULL, `struct_size` is wrong, or `success_status` can be a failure; NULL_ARGUMENT,
 * OUT_OF_MEMORY.
 * Threads: any. The functions of `vtable` may run on several threads at once.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_new_custom(
    const char *type_name, const shardspec_spec_vtable *vtable, void *ctx, shardspec_spec **out,
    shardspec_error *err);

/**
 * Writes the `ctx` of a custom spec to `*out`, for custom ops. It is valid as long as the spec:
 * keep the handle while you use it.
 *
 * Ownership: the spec still owns `ctx`.
 * Calls back: `destroy`, if another thread frees a handle during the call.
 * Blocks: no.
 * Errors: WRONG_SPEC_TYPE if the type of the spec is not `type_name`; INVALID_HANDLE,
 * NULL_ARGUMENT.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_spec_custom_ctx(
    const shardspec_spec *spec, const char *type_name, void **out, shardspec_error *err);

/* ================================================================================================
 * Custom ops.
 *
 * An op is a function that is registered for a type of spec and called with specs of that type. It
 * corresponds to torch's `custom_sharding_spec_op`. Its key is a pair of names: the name of the
 * spec's type ("chunk", "enumerable", "mesh", or a custom type) and the name of the op, such as
 * "acme.embedding". A name is any text without control characters. Specs of the type need not
 * exist.
 *
 *   shardspec_op_register -> shardspec_op_dispatch, or shardspec_op_look_up once and shardspec_op_call
 *                         -> shardspec_op_unregister
 *
 * A `shardspec_op *` identifies a registration. There is nothing to free: when the registration
 * ends, the library refuses the handle with SHARDSPEC_INVALID_HANDLE.
 *
 * Ops are callbacks, and the rules for callbacks apply. In particular:
 *
 * - An op may call any function, also itself. It may register, unregister and dispatch other ops,
 *   and free its arguments' handles.
 * - When `shardspec_op_unregister` returns SHARDSPEC_OK, no call of the op runs or will run, and
 *   its `destroy` has returned. The function waits for calls on other threads.
 * - It never waits for a thread that may wait for the calling thread. From inside of the op
 *   itself, it fails with SHARDSPEC_BUSY and changes nothing. From inside of any other op, it
 *   fails in the same way while calls of the op run. So two threads that unregister each other's
 *   op do not deadlock. Try again later, or outside of ops.
 * - The library can't see a wait of an op's own, such as a join of another thread. A thread that
 *   an op waits for in such a way must not unregister that op.
 * - Replacing an op leaves no moment at which its name has no op: new calls use the new op while
 *   the last calls of the old one finish.
 * - In the child of a fork, only the calls of the thread that forked are still running.
 */

/** No value. */
#define SHARDSPEC_VALUE_NONE 0
/** A truth value: `integer` is 0 or 1. */
#define SHARDSPEC_VALUE_BOOL 1
/** A whole number: `integer`. */
#define SHARDSPEC_VALUE_I64 2
/** A real number: `real`. */
#define SHARDSPEC_VALUE_F64 3
/** A text: `pointer` is a `const char *`. */
#define SHARDSPEC_VALUE_TEXT 4
/** A tensor in the caller's memory: `pointer` is a `const shardspec_tensor_view *`. */
#define SHARDSPEC_VALUE_TENSOR_VIEW 5
/** A sharded tensor: `pointer` is its handle. */
#define SHARDSPEC_VALUE_SHARDED_TENSOR 6
/** Whole numbers: `pointer` is a `const int64_t *` to `integer` of them. */
#define SHARDSPEC_VALUE_I64_LIST 7
/** Any pointer: `pointer`. The library does not read it. */
#define SHARDSPEC_VALUE_POINTER 8

typedef struct shardspec_value shardspec_value;

/** An argument or a result of an op. Fields that its kind does not use are ignored. */
struct shardspec_value {
  /** A `SHARDSPEC_VALUE_...` constant. */
  int32_t kind;
  /** 0. */
  int32_t reserved;
  /** A truth value, a whole number, or the number of elements at `pointer`. */
  int64_t integer;
  /** A real number. */
  double real;
  /** A text, a tensor, a list or any other pointer. */
  void *pointer;
};

typedef struct shardspec_op_arguments shardspec_op_arguments;

/**
 * The arguments of a call of an op. At least one argument, positional or named, is a sharded
 * tensor. All sharded tensors have the same communicator, or all have none.
 */
struct shardspec_op_arguments {
  /** `sizeof(shardspec_op_arguments)`. */
  uint64_t struct_size;
  /** Positional arguments. */
  const shardspec_value *args;
  /** Number of positional arguments. With 0, `args` may be NULL. */
  size_t arg_count;
  /** Names of the named arguments, all different. */
  const char *const *kwarg_names;
  /** Values of the named arguments, one for each name. */
  const shardspec_value *kwargs;
  /** Number of named arguments. With 0, `kwarg_names` and `kwargs` may be NULL. */
  size_t kwarg_count;
  /** The communicator for the op's collectives, or NULL. The library ignores it. */
  shardspec_comm *comm;
};

/** No arguments: `shardspec_op_arguments arguments = SHARDSPEC_OP_ARGUMENTS_INIT;` */
#define SHARDSPEC_OP_ARGUMENTS_INIT { sizeof(shardspec_op_arguments), NULL, 0, NULL, NULL, 0, NULL }

/** A registered op. The handle is valid until the registration ends; there is nothing to free. */
typedef struct shardspec_op shardspec_op;

/**
 * Runs the op. `spec` is the spec of the call, and `arguments` is never NULL. The library has
 * checked that each value matches its kind, and that sharded tensors were valid when the call
 * began. The op writes its results to `results`, which holds `result_count` values of kind
 * `SHARDSPEC_VALUE_NONE`. `result_count` is 0 for a caller that ignores results.
 *
 * Arguments are valid during the call. A sharded tensor among the results is the caller's to free.
 * Ownership of other pointers is an agreement between the op and its callers. The caller of an op
 * that fails receives no results, so the op then frees what it has created.
 */
typedef shardspec_status (*shardspec_op_fn)(
    void *ctx, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
    shardspec_value *results, size_t result_count, shardspec_error *err);

/** Flag: the registration replaces an op with the same names. */
#define SHARDSPEC_OP_FLAG_REPLACE 1

typedef struct shardspec_op_options shardspec_op_options;

/** How to register an op. Zeros are the defaults. */
struct shardspec_op_options {
  /** `sizeof(shardspec_op_options)`. */
  uint64_t struct_size;
  /**
   * 0 to refuse a second op with the same names, or `SHARDSPEC_OP_FLAG_REPLACE` to unregister
   * the first.
   */
  uint32_t flags;
  /** The status of success of the function: 0, `SHARDSPEC_CALLBACK_OK`, or `..._IN_ERR`. */
  shardspec_status success_status;
};

/** No flags: `shardspec_op_options options = SHARDSPEC_OP_OPTIONS_INIT;` */
#define SHARDSPEC_OP_OPTIONS_INIT { sizeof(shardspec_op_options), 0, 0 }

/**
 * Registers `function` as the op `op_name` for specs of type `spec_type`. With `options` NULL, a
 * second op with the same names is refused, and 0 is success. `*out` becomes the op's handle;
 * `out` may be NULL.
 *
 * Ownership: the library copies the names. It owns `ctx` from the call on, also when the call
 * fails, and calls `destroy(ctx)` when the registration ends, or before a failed call returns.
 * Calls back: `destroy`, if the call fails, and `destroy` of an op that it replaces.
 * Blocks: on other threads, until their calls of an op that it replaces have returned.
 * Errors: BUSY if the op to replace can't be unregistered now; INVALID_ARGUMENT if a name is empty
 * or has control characters, a flag is unknown, or `success_status` can be a failure;
 * ALREADY_EXISTS, NULL_ARGUMENT, OUT_OF_MEMORY.
 * Threads: any.
 * Source: `custom_sharding_spec_op` of torch.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_register(
    const char *spec_type, const char *op_name, shardspec_op_fn function, void *ctx,
    shardspec_destroy_fn destroy, const shardspec_op_options *options, shardspec_op **out,
    shardspec_error *err);

/**
 * Unregisters an op. When the function returns OK, no call of the op runs or will run, and
 * `destroy` has returned.
 *
 * Ownership: the handle `op` is invalid after the call.
 * Calls back: `destroy`.
 * Blocks: on other threads, until their calls of the op have returned.
 * Errors: BUSY if the call is made inside of the op, or inside of another op while calls of this
 * op run; OUT_OF_MEMORY if a thread calls the library for the first time and the system has no
 * memory left; INVALID_HANDLE if the registration has ended already, although calls of the op may
 * still run on other threads; NULL_ARGUMENT. After BUSY and OUT_OF_MEMORY, the op is still
 * registered.
 * Threads: any.
 * Since: ABI 0.
 */
SHARDSPEC_NODISCARD SHARDSPEC_API shardspec_status shardspec_op_unregister(
    shardspec_op *op, shardspec_error *err);

/**
 * Writes 1 to `*out` if an op is registered under these names, else 0.
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
 * Writes the handle of the op that is registered under these names to `*out`. Calls by handle are
 * faster than calls by name.
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
 * Writes a list of all ops into `buffer`, one op on each line: the name of the spec's type, a tab,
 * the name of the op. Lines are in alphabetical order.
 *
 * `capacity` is the size of `buffer` in bytes. `*needed` becomes the length of the text, its NUL
 * included; `needed` may be NULL. With capacity 0, `buffer` may be NULL and only `*needed` is
 * written. Other threads may register ops between a call for the length and the next call.
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
 * Errors: NOT_FOUND if no op is registered under these names; INVALID_HANDLE if the spec or a
 * sharded tensor among the arguments is not a valid handle; INVALID_ARGUMENT if a value does not
 * match its kind or a name occurs twice; NO_ARGUMENTS, NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH,
 * NULL_ARGUMENT, OUT_OF_MEMORY. If the op fails, the function returns the op's status and message.
 * After an error, no result was written.
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
 * spec; INVALID_ARGUMENT if a value does not match its kind or a name occurs twice; NO_ARGUMENTS,
 * NO_SHARDED_TENSOR, COMMUNICATOR_MISMATCH, NULL_ARGUMENT, OUT_OF_MEMORY. If the op fails, the
 * function returns the op's status and message. After an error, no result was written.
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
