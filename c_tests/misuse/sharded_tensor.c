/* Sharded tensors. */
#include "misuse.h"

static shardspec_sharded_tensor *tensor;

/* The ways to make one that copy or allocate. */
static void misuse_new(shardspec_metadata *typed) {
  static const size_t past_end[] = {0, 2}, twice[] = {1, 1}, both[] = {0, 1};
  shardspec_copy_options small = {4, 0, 0};
  const char *not_utf8 = NOT_UTF8;
#define NEW(function, ...)                                                                         \
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, function, H, __VA_ARGS__, &out.sharded_tensor);  \
  WRONG_OUT(shardspec_sharded_tensor *, function, typed, __VA_ARGS__, P);                          \
  WRONG_ERROR(function, typed, __VA_ARGS__, &out.sharded_tensor)
#define BAD(status, misuse, function, ...)                                                         \
  MISUSE(status, misuse, function, typed, __VA_ARGS__, &out.sharded_tensor)
  NEW(shardspec_sharded_tensor_new, NULL, 0);
  BAD(INVALID_ARGUMENT, "fill 7", shardspec_sharded_tensor_new, NULL, 7);
  BAD(INVALID_PLACEMENT, "no owner", shardspec_sharded_tensor_new, "rank:0/x", 0);
  BAD(INVALID_ARGUMENT, "not UTF-8", shardspec_sharded_tensor_new, not_utf8, 0);
  MISUSE(INVALID_ARGUMENT, "no dtype", shardspec_sharded_tensor_new, metadata, NULL, 0, &out.sharded_tensor);
  NEW(shardspec_sharded_tensor_new_for_indices, both, 2, 1);
  BAD(INDEX_OUT_OF_RANGE, "shard 2 of 2", shardspec_sharded_tensor_new_for_indices, past_end, 2, 1);
  BAD(INVALID_ARGUMENT, "a shard twice", shardspec_sharded_tensor_new_for_indices, twice, 2, 1);
  BAD(NULL_ARGUMENT, "NULL indices", shardspec_sharded_tensor_new_for_indices, NULL, 2, 1);
  BAD(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_sharded_tensor_new_for_indices, both, SIZE_MAX, 1);
  BAD(INVALID_ARGUMENT, "fill -1", shardspec_sharded_tensor_new_for_indices, both, 2, -1);
  NEW(shardspec_sharded_tensor_new_from_full, NULL, &full, NULL);
  BAD(NULL_ARGUMENT, "NULL full", shardspec_sharded_tensor_new_from_full, NULL, NULL, NULL);
  BAD(SHAPE_MISMATCH, "a shard as full", shardspec_sharded_tensor_new_from_full, NULL, &shards[0], NULL);
  BAD(INVALID_PLACEMENT, "empty owner", shardspec_sharded_tensor_new_from_full, "", &full, NULL);
  BAD(INVALID_ARGUMENT, "options of 4 bytes", shardspec_sharded_tensor_new_from_full, NULL, &full, &small);
  NEW(shardspec_sharded_tensor_new_from_full_for_indices, both, 2, &full, NULL);
  BAD(INDEX_OUT_OF_RANGE, "shard 2 of 2", shardspec_sharded_tensor_new_from_full_for_indices, past_end, 2, &full, NULL);
  BAD(INVALID_ARGUMENT, "a shard twice", shardspec_sharded_tensor_new_from_full_for_indices, twice, 2, &full, NULL);
  BAD(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_sharded_tensor_new_from_full_for_indices, both, SIZE_MAX, &full, NULL);
#undef BAD
#undef NEW
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_sharded_tensor_new_from_spec, H, NULL, NULL, &full, NULL, &out.sharded_tensor);
#define FROM_SPEC(status, misuse, ...) MISUSE(status, misuse, shardspec_sharded_tensor_new_from_spec, __VA_ARGS__, &out.sharded_tensor)
  FROM_SPEC(NULL_ARGUMENT, "NULL full", chunk, NULL, NULL, NULL, NULL);
  FROM_SPEC(INVALID_DIM, "a named dimension", named, NULL, NULL, &full, NULL);
  FROM_SPEC(OUT_OF_BOUNDS, "boxes of another tensor", boxes, NULL, NULL, &shards[0], NULL);
  FROM_SPEC(INVALID_PLACEMENT, "empty owner", chunk, NULL, "", &full, NULL);
  FROM_SPEC(INVALID_ARGUMENT, "options of 4 bytes", chunk, NULL, NULL, &full, &small);
  FROM_SPEC(INVALID_ARGUMENT, "properties of 4 bytes", chunk, &(shardspec_tensor_properties){4, {0, 0, 0}, 0, 0, 0, 0, 0}, NULL, &full, NULL);
  WRONG_OUT(shardspec_sharded_tensor *, shardspec_sharded_tensor_new_from_spec, chunk, NULL, NULL, &full, NULL, P);
  WRONG_ERROR(shardspec_sharded_tensor_new_from_spec, chunk, NULL, NULL, &full, NULL, &out.sharded_tensor);
#undef FROM_SPEC
}

/* Those that borrow. */
static void misuse_from_local(shardspec_metadata *typed) {
  static const size_t both[] = {0, 1}, past_end[] = {0, 2}, twice[] = {1, 1};
  shardspec_shard_metadata described[] = {{2, OFFSETS, SIZES, "rank:0"}, {2, OFFSETS + 2, SIZES + 2, "rank:1"}};
  shardspec_shard_metadata moved[] = {{2, OFFSETS, SIZES, "rank:1"}, {2, OFFSETS + 2, SIZES + 2, "rank:0"}};
  shardspec_shard_metadata no_text[] = {{2, OFFSETS, SIZES, NULL}, {2, OFFSETS + 2, SIZES + 2, "rank:0"}};
#define LOCAL(status, misuse, owner, indices, views, count)                                        \
  MISUSE(status, misuse, shardspec_sharded_tensor_new_from_local, typed, owner, indices, views, count, NULL, NULL, &out.sharded_tensor)
  shardspec_shards *listed[3], *freed;
  CHECK_OK(shardspec_shards_new(described, 2, &listed[0], &err));
  CHECK_OK(shardspec_shards_new(moved, 2, &listed[1], &err));
  CHECK_OK(shardspec_shards_new(no_text, 2, &listed[2], &err));
  CHECK_OK(shardspec_shards_new(NULL, 0, &freed, &err));
  CHECK_OK(shardspec_shards_free(freed, &err));
#define DESCRIBED(status, misuse, owner, descriptions, views, count)                               \
  MISUSE(status, misuse, shardspec_sharded_tensor_new_from_local_shards, typed, owner, descriptions, views, count, NULL, NULL, &out.sharded_tensor)
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_sharded_tensor_new_from_local, H, NULL, both, shards, 2, NULL, NULL, &out.sharded_tensor);
  LOCAL(NULL_ARGUMENT, "NULL indices", NULL, NULL, shards, 2);
  LOCAL(NULL_ARGUMENT, "NULL views", NULL, both, NULL, 2);
  LOCAL(INVALID_ARGUMENT, "SIZE_MAX shards", NULL, both, shards, SIZE_MAX);
  LOCAL(INDEX_OUT_OF_RANGE, "shard 2 of 2", NULL, past_end, shards, 2);
  LOCAL(INVALID_ARGUMENT, "a shard twice", NULL, twice, shards, 2);
  LOCAL(INVALID_ARGUMENT, "not the owner's", "rank:1", both, shards, 2);
  LOCAL(INVALID_PLACEMENT, "no owner", "rank:", both, shards, 2);
  WRONG_OUT(shardspec_sharded_tensor *, shardspec_sharded_tensor_new_from_local, typed, NULL, both, shards, 2, NULL, NULL, P);
  WRONG_ERROR(shardspec_sharded_tensor_new_from_local, typed, NULL, both, shards, 2, NULL, NULL, &out.sharded_tensor);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_sharded_tensor_new_from_local_shards, H, NULL, listed[0], shards, 2, NULL, NULL, &out.sharded_tensor);
  DESCRIBED(NULL_ARGUMENT, "NULL views", NULL, listed[0], NULL, 2);
  DESCRIBED(NULL_ARGUMENT, "a NULL placement", NULL, listed[2], shards, 2);
  DESCRIBED(INVALID_ARGUMENT, "SIZE_MAX shards", NULL, listed[0], shards, SIZE_MAX);
  DESCRIBED(INVALID_ARGUMENT, "fewer views", NULL, listed[0], shards, 1);
  DESCRIBED(INVALID_ARGUMENT, "placed elsewhere", NULL, listed[1], shards, 2);
  DESCRIBED(INVALID_ARGUMENT, "not the owner's", "rank:0", listed[0], shards, 2);
  WRONG_OUT(shardspec_sharded_tensor *, shardspec_sharded_tensor_new_from_local_shards, typed, NULL, listed[0], shards, 2, NULL, NULL, P);
  WRONG_ERROR(shardspec_sharded_tensor_new_from_local_shards, typed, NULL, listed[0], shards, 2, NULL, NULL, &out.sharded_tensor);
  wrong_handles_for(freed, listed[0], placement, chunk);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_sharded_tensor_new_from_local_shards, typed, NULL, H, shards, 2, NULL, NULL, &out.sharded_tensor);
  for (int i = 0; i < 3; i++) CHECK_OK(shardspec_shards_free(listed[i], &err));
#undef LOCAL
#undef DESCRIBED
}

static void misuse_questions(void) {
  shardspec_copy_options small = {4, 0, 0};
  WRONG_HANDLE(shardspec_sharded_tensor, OK, shardspec_sharded_tensor_free, H);
  WRONG_ERROR(shardspec_sharded_tensor_free, tensor);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_metadata, H, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_sharded_tensor_metadata, tensor, P);
  WRONG_ERROR(shardspec_sharded_tensor_metadata, tensor, &out.metadata);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_properties, H, &out.properties);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_sharded_tensor_properties, tensor, &out.sized_wrongly);
  WRONG_OUT(shardspec_tensor_properties, shardspec_sharded_tensor_properties, tensor, P);
  WRONG_ERROR(shardspec_sharded_tensor_properties, tensor, &out.properties);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_local_count, H, &out.size);
  WRONG_OUT(size_t, shardspec_sharded_tensor_local_count, tensor, P);
  WRONG_ERROR(shardspec_sharded_tensor_local_count, tensor, &out.size);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_local_index, H, 0, &out.size);
  MISUSE(INDEX_OUT_OF_RANGE, "local SIZE_MAX", shardspec_sharded_tensor_local_index, tensor, SIZE_MAX, &out.size);
  WRONG_OUT(size_t, shardspec_sharded_tensor_local_index, tensor, 0, P);
  WRONG_ERROR(shardspec_sharded_tensor_local_index, tensor, 0, &out.size);
#define VIEW(local, shape, strides, capacity) tensor, local, shape, strides, capacity
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_local_view, H, 0, out.numbers, out.more_numbers, 16, &out.view);
  MISUSE(INDEX_OUT_OF_RANGE, "local SIZE_MAX", shardspec_sharded_tensor_local_view, VIEW(SIZE_MAX, out.numbers, out.more_numbers, 16), &out.view);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_sharded_tensor_local_view, VIEW(0, out.numbers, out.more_numbers, 1), &out.view);
  MISUSE(NULL_ARGUMENT, "NULL shape", shardspec_sharded_tensor_local_view, VIEW(0, NULL, out.more_numbers, 16), &out.view);
  MISUSE(NULL_ARGUMENT, "NULL strides", shardspec_sharded_tensor_local_view, VIEW(0, out.numbers, NULL, 16), &out.view);
  WRONG_OUT(shardspec_tensor_view, shardspec_sharded_tensor_local_view, VIEW(0, out.more_numbers, out.more_numbers, 16), P);
  WRONG_ERROR(shardspec_sharded_tensor_local_view, VIEW(0, out.numbers, out.more_numbers, 16), &out.view);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_gather, H, &full, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_sharded_tensor_gather, tensor, NULL, NULL);
  MISUSE(SHAPE_MISMATCH, "a shard as full", shardspec_sharded_tensor_gather, tensor, &shards[0], NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_sharded_tensor_gather, tensor, &full, &small);
  WRONG_ERROR(shardspec_sharded_tensor_gather, tensor, &full, NULL);
}

void misuse_sharded_tensors(void) {
  shardspec_sharded_tensor *freed;
  shardspec_metadata *typed, *freed_metadata;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_metadata(tensor, &typed, &err));
  CHECK_OK(shardspec_sharded_tensor_metadata(tensor, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, typed, tensor, placement);
  misuse_new(typed);
  misuse_from_local(typed);
  CHECK_OK(shardspec_metadata_free(typed, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &freed, &err));
  CHECK_OK(shardspec_sharded_tensor_free(freed, &err));
  wrong_handles_for(freed, tensor, metadata, chunk);
  misuse_questions();
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}
