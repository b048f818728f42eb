/* Digests. */
#include "misuse.h"

void misuse_digests(void) {
  static const size_t past_end[] = {0, 2}, twice[] = {1, 1}, both[] = {0, 1};
  shardspec_copy_options small = {4, 0, 0}, unknown = {sizeof unknown, 0, 0x80};
  shardspec_sharded_tensor *tensor, *freed_tensor;
  shardspec_metadata *freed;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  wrong_handles_for(freed, metadata, placement, chunk);
#define DIGEST(function, place)                                                                    \
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, function, H, both, shards, 2, NULL, place);      \
  MISUSE(NULL_ARGUMENT, "NULL shards", function, metadata, both, NULL, 2, NULL, place);            \
  MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", function, metadata, past_end, shards, 2, NULL, place); \
  MISUSE(INVALID_ARGUMENT, "a shard twice", function, metadata, twice, shards, 2, NULL, place);    \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", function, metadata, both, shards, SIZE_MAX, NULL, place); \
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", function, metadata, both, shards, 2, &small, place); \
  MISUSE(INVALID_ARGUMENT, "unknown hint", function, metadata, both, shards, 2, &unknown, place);  \
  MISUSE(INVALID_ARGUMENT, "indices not aligned", function, metadata, (const size_t *)(const void *)((const char *)both + 1), shards, 1, NULL, place); \
  MISUSE(SHAPE_MISMATCH, "the tensor as a shard", function, metadata, both, &full, 1, NULL, place); \
  WRONG_OUT(uint64_t, function, metadata, both, shards, 2, NULL, P);                               \
  WRONG_ERROR(function, metadata, both, shards, 2, NULL, place)
  DIGEST(shardspec_metadata_digest, &out.u64);
  DIGEST(shardspec_metadata_shard_digests, (uint64_t *)out.numbers);

  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &freed_tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_free(freed_tensor, &err));
  wrong_handles_for(freed_tensor, tensor, metadata, chunk);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_digest, H, NULL, &out.u64);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_sharded_tensor_digest, tensor, &small, &out.u64);
  WRONG_OUT(uint64_t, shardspec_sharded_tensor_digest, tensor, NULL, P);
  WRONG_ERROR(shardspec_sharded_tensor_digest, tensor, NULL, &out.u64);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}
