/* Lists of shards. */
#include "misuse.h"

void misuse_shards(void) {
  static const shardspec_shard_metadata no_offsets = {2, NULL, SIZES, "rank:0"}, no_place = {2, OFFSETS, SIZES, "rank:x"},
                                        many = {33, OFFSETS, SIZES, "rank:0"};
  static const int64_t minus[] = {2, -3}, most[] = {INT64_MAX, INT64_MAX};
  static const uint32_t past_end[] = {0, 2};
  shardspec_shard_metadata fine = {2, OFFSETS, SIZES, "rank:0"};
  shardspec_shards *list, *freed;

  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_shards_new, NULL, 2, &out.shards);
  MISUSE(NULL_ARGUMENT, "NULL offsets", shardspec_shards_new, &no_offsets, 1, &out.shards);
  MISUSE(INVALID_PLACEMENT, "no placement", shardspec_shards_new, &no_place, 1, &out.shards);
  MISUSE(INVALID_ARGUMENT, "33 dimensions", shardspec_shards_new, &many, 1, &out.shards);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_shards_new, &fine, SIZE_MAX, &out.shards);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new, &fine, 1, P);
  WRONG_ERROR(shardspec_shards_new, &fine, 1, &out.shards);

#define FLAT(status, misuse, ...) MISUSE(status, misuse, shardspec_shards_new_flat, __VA_ARGS__, &out.shards)
  FLAT(NULL_ARGUMENT, "NULL offsets", 2, NULL, SIZES, 2, RANKS, 2, NULL);
  FLAT(INVALID_ARGUMENT, "negative size", 2, OFFSETS, minus, 1, RANKS, 1, NULL);
  FLAT(OVERFLOW, "end past 64 bits", 2, most, most, 1, RANKS, 1, NULL);
  FLAT(INVALID_ARGUMENT, "too few placements", 2, OFFSETS, SIZES, 2, RANKS, 1, NULL);
  FLAT(INDEX_OUT_OF_RANGE, "placement 2 of 2", 2, OFFSETS, SIZES, 2, RANKS, 2, past_end);
  FLAT(INVALID_ARGUMENT, "SIZE_MAX shards", 2, OFFSETS, SIZES, SIZE_MAX, RANKS, 2, NULL);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new_flat, 2, OFFSETS, SIZES, 2, RANKS, 2, NULL, P);
  WRONG_ERROR(shardspec_shards_new_flat, 2, OFFSETS, SIZES, 2, RANKS, 2, NULL, &out.shards);

  shardspec_metadata *freed_metadata;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_shards_new_from_metadata, H, &out.shards);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new_from_metadata, metadata, P);
  WRONG_ERROR(shardspec_shards_new_from_metadata, metadata, &out.shards);

  CHECK_OK(shardspec_shards_new(&fine, 1, &list, &err));
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
