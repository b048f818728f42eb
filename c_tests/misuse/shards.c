/* Lists of shards. */
#include "misuse.h"

void misuse_shards(void) {
  static const int64_t minus[] = {2, -3, 0, 0}, most[] = {INT64_MAX, INT64_MAX, 0, 0}, least[] = {INT64_MIN, 0, 0, 0};
  static const uint32_t past_end[] = {0, 2};
  shardspec_shard_metadata good[2] = {{2, OFFSETS, SIZES, "rank:0"}, {2, OFFSETS + 2, SIZES + 2, "rank:1"}};
  shardspec_shard_metadata wrong[2];
  shardspec_shards *list, *freed;

#define WITH(change) (memcpy(wrong, good, sizeof good), (change), wrong)
#define NEW(status, misuse, ...) MISUSE(status, misuse, shardspec_shards_new, __VA_ARGS__, &out.shards)
  NEW(NULL_ARGUMENT, "NULL shards", NULL, 2);
  NEW(INVALID_ARGUMENT, "SIZE_MAX shards", good, SIZE_MAX);
  NEW(NDIM_MISMATCH, "mixed ndim", WITH(wrong[1].ndim = 1), 2);
  NEW(INVALID_ARGUMENT, "33 dimensions", WITH(wrong[0].ndim = 33), 1);
  NEW(INVALID_ARGUMENT, "ndim SIZE_MAX", WITH(wrong[0].ndim = SIZE_MAX), 2);
  NEW(NULL_ARGUMENT, "NULL offsets", WITH(wrong[1].offsets = NULL), 2);
  NEW(NULL_ARGUMENT, "NULL sizes", WITH(wrong[1].sizes = NULL), 2);
  NEW(INVALID_ARGUMENT, "negative size", WITH(wrong[1].sizes = minus), 2);
  NEW(INVALID_ARGUMENT, "INT64_MIN", WITH(wrong[1].offsets = least), 2);
  NEW(OVERFLOW, "INT64_MAX + 2", WITH(wrong[1].offsets = most), 2);
  NEW(INVALID_PLACEMENT, "no placement", WITH(wrong[1].placement = "rank:x"), 2);
  NEW(INVALID_ARGUMENT, "not UTF-8", WITH(wrong[1].placement = NOT_UTF8), 2);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new, good, 2, P);
  WRONG_ERROR(shardspec_shards_new, good, 2, &out.shards);

#define ARRAYS(f, texts)                                                                           \
  MISUSE(NULL_ARGUMENT, "NULL offsets", f, NULL, SIZES, NULL, 2, 2, texts, 2, &out.shards);        \
  MISUSE(NULL_ARGUMENT, "NULL sizes", f, OFFSETS, NULL, NULL, 2, 2, texts, 2, &out.shards);        \
  MISUSE(NULL_ARGUMENT, "NULL placements", f, OFFSETS, SIZES, NULL, 2, 2, NULL, 2, &out.shards);   \
  MISUSE(INVALID_ARGUMENT, "33 dimensions", f, OFFSETS, SIZES, NULL, 33, 0, texts, 0, &out.shards); \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", f, OFFSETS, SIZES, NULL, SIZE_MAX, 2, texts, 2,  \
         &out.shards);                                                                             \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", f, OFFSETS, SIZES, past_end, 2, SIZE_MAX, texts, 2,  \
         &out.shards);                                                                             \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", f, OFFSETS, SIZES, past_end, 2, 2, texts,        \
         SIZE_MAX, &out.shards);                                                                   \
  MISUSE(INVALID_ARGUMENT, "too few placements", f, OFFSETS, SIZES, NULL, 2, 2, texts, 1, &out.shards); \
  MISUSE(INDEX_OUT_OF_RANGE, "placement 2 of 2", f, OFFSETS, SIZES, past_end, 2, 2, texts, 2,      \
         &out.shards);                                                                             \
  MISUSE(INVALID_ARGUMENT, "negative size", f, OFFSETS, minus, NULL, 2, 1, texts, 1, &out.shards); \
  MISUSE(OVERFLOW, "end past 64 bits", f, most, most, NULL, 2, 1, texts, 1, &out.shards);          \
  WRONG_OUT(shardspec_shards *, f, OFFSETS, SIZES, NULL, 2, 2, texts, 2, P);                       \
  WRONG_ERROR(f, OFFSETS, SIZES, NULL, 2, 2, texts, 2, &out.shards)
  const shardspec_placement *placements[] = {placement, placement};
  const shardspec_placement *with_null[] = {placement, NULL};
  const shardspec_placement *with_spec[] = {placement, (const shardspec_placement *)(const void *)chunk};
  static const char *const bad[] = {"rank:0", "rank:0/x"};
  ARRAYS(shardspec_shards_new_from_arrays, RANKS);
  ARRAYS(shardspec_shards_new_from_arrays_with_placement_handles, placements);
  MISUSE(INVALID_PLACEMENT, "no placement", shardspec_shards_new_from_arrays, OFFSETS, SIZES, NULL, 2, 2, bad, 2, &out.shards);
#define HANDLES shardspec_shards_new_from_arrays_with_placement_handles
  MISUSE(NULL_ARGUMENT, "a NULL placement", HANDLES, OFFSETS, SIZES, NULL, 2, 2, with_null, 2, &out.shards);
  MISUSE(INVALID_HANDLE, "spec as placement", HANDLES, OFFSETS, SIZES, NULL, 2, 2, with_spec, 2, &out.shards);

  shardspec_metadata *freed_metadata;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_shards_new_from_metadata, H, &out.shards);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new_from_metadata, metadata, P);
  WRONG_ERROR(shardspec_shards_new_from_metadata, metadata, &out.shards);

  CHECK_OK(shardspec_shards_new(good, 1, &list, &err));
  CHECK_OK(shardspec_shards_new(NULL, 0, &freed, &err));
  CHECK_OK(shardspec_shards_free(freed, &err));
  wrong_handles_for(freed, list, placement, metadata);
  WRONG_HANDLE(shardspec_shards, OK, shardspec_shards_free, H);
  WRONG_ERROR(shardspec_shards_free, list);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_count, H, &out.size);
  WRONG_OUT(size_t, shardspec_shards_count, list, P);
  WRONG_ERROR(shardspec_shards_count, list, &out.size);
#define OVERLAPS out.indices, out.indices + 4, out.numbers, out.more_numbers
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_overlaps, H, OVERLAPS, 4, &out.size, &out.i32);
  WRONG_OUT(size_t, shardspec_shards_overlaps, list, OVERLAPS, 4, P, &out.i32);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX pairs", shardspec_shards_overlaps, list, OVERLAPS, SIZE_MAX, &out.size, &out.i32);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_shards_overlaps, list, OVERLAPS, 4, &out.size, (int32_t *)(void *)((char *)&out.i32 + 1));
  WRONG_ERROR(shardspec_shards_overlaps, list, OVERLAPS, 4, &out.size, &out.i32);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_gaps, H, TENSOR, 2, out.numbers, out.more_numbers, 4, &out.size, &out.i32);
#define GAPS(status, misuse, ...) MISUSE(status, misuse, shardspec_shards_gaps, list, __VA_ARGS__, &out.size, &out.i32)
  GAPS(NDIM_MISMATCH, "one dimension", TENSOR, 1, out.numbers, out.more_numbers, 4);
  GAPS(NULL_ARGUMENT, "NULL sizes", NULL, 2, out.numbers, out.more_numbers, 4);
  GAPS(INVALID_ARGUMENT, "negative size", minus, 2, out.numbers, out.more_numbers, 4);
  GAPS(OVERFLOW, "INT64_MAX squared", most, 2, out.numbers, out.more_numbers, 4);
  GAPS(INVALID_ARGUMENT, "SIZE_MAX boxes", TENSOR, 2, out.numbers, out.more_numbers, SIZE_MAX);
  WRONG_OUT(size_t, shardspec_shards_gaps, list, TENSOR, 2, out.numbers, out.more_numbers, 4, P, &out.i32);
  WRONG_ERROR(shardspec_shards_gaps, list, TENSOR, 2, out.numbers, out.more_numbers, 4, &out.size, &out.i32);
  CHECK_OK(shardspec_shards_free(list, &err));
}
