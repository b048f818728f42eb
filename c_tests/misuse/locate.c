/* Places. */
#include "misuse.h"

void misuse_locate(void) {
  static const int64_t past[] = {4, 0}, before[] = {0, INT64_MIN}, inside[] = {3, 2, 0, 0}, minus[] = {-1, 2};
  static const int64_t second_past[] = {0, 0, 0, INT64_MAX};
  static const size_t owners[] = {1, 0}, no_shard[] = {0, SIZE_MAX};
  shardspec_metadata *freed;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  wrong_handles_for(freed, metadata, placement, chunk);

#define IN_BOX(offsets, sizes, ndim) metadata, offsets, sizes, ndim, out.indices, 8, &out.needed
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shards_in_box, H, OFFSETS, SIZES, 2, out.indices, 8, &out.needed);
  MISUSE(NDIM_MISMATCH, "one dimension", shardspec_metadata_shards_in_box, IN_BOX(OFFSETS, SIZES, 1));
  MISUSE(NULL_ARGUMENT, "NULL offsets", shardspec_metadata_shards_in_box, IN_BOX(NULL, SIZES, 2));
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_metadata_shards_in_box, IN_BOX(OFFSETS, NULL, 2));
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", shardspec_metadata_shards_in_box, IN_BOX(OFFSETS, SIZES, SIZE_MAX));
  MISUSE(INVALID_ARGUMENT, "negative offset", shardspec_metadata_shards_in_box, IN_BOX(minus, SIZES, 2));
  MISUSE(INVALID_ARGUMENT, "negative size", shardspec_metadata_shards_in_box, IN_BOX(OFFSETS, minus, 2));
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_shards_in_box, metadata, OFFSETS, TENSOR, 2, out.indices, 1, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL indices", shardspec_metadata_shards_in_box, metadata, OFFSETS, TENSOR, 2, NULL, 2, &out.needed);
  WRONG_ERROR(shardspec_metadata_shards_in_box, IN_BOX(OFFSETS, SIZES, 2));

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shard_at, H, inside, 2, &out.size);
  MISUSE(INDEX_OUT_OF_RANGE, "past the end", shardspec_metadata_shard_at, metadata, past, 2, &out.size);
  MISUSE(INDEX_OUT_OF_RANGE, "index INT64_MIN", shardspec_metadata_shard_at, metadata, before, 2, &out.size);
  MISUSE(NDIM_MISMATCH, "no dimensions", shardspec_metadata_shard_at, metadata, NULL, 0, &out.size);
  MISUSE(NULL_ARGUMENT, "NULL element", shardspec_metadata_shard_at, metadata, NULL, 2, &out.size);
  WRONG_OUT(size_t, shardspec_metadata_shard_at, metadata, inside, 2, P);
  WRONG_ERROR(shardspec_metadata_shard_at, metadata, inside, 2, &out.size);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_replica, H, 0, &out.size, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", shardspec_metadata_replica, metadata, 2, &out.size, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "shard SIZE_MAX", shardspec_metadata_replica, metadata, SIZE_MAX, &out.size, &out.needed);
  MISUSE(INVALID_ARGUMENT, "number not aligned", shardspec_metadata_replica, metadata, 0,
         (size_t *)(void *)((char *)&out.size + 1), &out.needed);
  MISUSE(INVALID_ARGUMENT, "primary not aligned", shardspec_metadata_replica, metadata, 0, &out.size,
         (size_t *)(void *)((char *)&out.needed + 1));
  WRONG_ERROR(shardspec_metadata_replica, metadata, 0, &out.size, &out.needed);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_locate, H, inside, 2, out.indices, out.numbers);
  MISUSE(INDEX_OUT_OF_RANGE, "the second past the end", shardspec_metadata_locate, metadata, second_past, 2, out.indices, out.numbers);
  MISUSE(NULL_ARGUMENT, "NULL elements", shardspec_metadata_locate, metadata, NULL, 2, out.indices, out.numbers);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX elements", shardspec_metadata_locate, metadata, inside, SIZE_MAX, out.indices, out.numbers);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_metadata_locate, metadata, inside, 2, (size_t *)(void *)((char *)out.numbers + 1), NULL);
  WRONG_ERROR(shardspec_metadata_locate, metadata, inside, 2, out.indices, out.numbers);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_globalize, H, owners, inside + 2, 1, out.numbers);
  MISUSE(INDEX_OUT_OF_RANGE, "shard SIZE_MAX", shardspec_metadata_globalize, metadata, no_shard, second_past, 2, out.numbers);
  MISUSE(INDEX_OUT_OF_RANGE, "past the shard's end", shardspec_metadata_globalize, metadata, owners, inside, 2, out.numbers);
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_metadata_globalize, metadata, NULL, inside, 2, out.numbers);
  MISUSE(NULL_ARGUMENT, "NULL indices", shardspec_metadata_globalize, metadata, owners, NULL, 2, out.numbers);
  MISUSE(NULL_ARGUMENT, "NULL output", shardspec_metadata_globalize, metadata, owners, inside + 2, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX of them", shardspec_metadata_globalize, metadata, owners, inside, SIZE_MAX, out.numbers);
  WRONG_ERROR(shardspec_metadata_globalize, metadata, owners, inside + 2, 1, out.numbers);
}
