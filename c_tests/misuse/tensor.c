/* Moving memory. */
#include "misuse.h"

void misuse_copies(void) {
  shardspec_copy_options small = {4, 0, 0}, unknown = {sizeof unknown, 0, 0x80};
  shardspec_tensor_view null_data = full, huge = full, odd = full;
  int64_t huge_shape[] = {INT64_MAX, INT64_MAX}, far_strides[] = {INT64_MAX / 2, 1};
  null_data.data = NULL;
  huge.shape = huge_shape;
  odd.strides = far_strides;
#define EXTRACT(view, index, options) metadata, index, view, &shards[0], options
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_extract_shard, H, 0, &full, &shards[0], NULL);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_extract_shard, EXTRACT(&full, SIZE_MAX, NULL));
  MISUSE(NULL_ARGUMENT, "NULL view", shardspec_metadata_extract_shard, EXTRACT(NULL, 0, NULL));
  MISUSE(NULL_ARGUMENT, "NULL data", shardspec_metadata_extract_shard, EXTRACT(&null_data, 0, NULL));
  MISUSE(OVERFLOW, "huge shape", shardspec_metadata_extract_shard, EXTRACT(&huge, 0, NULL));
  MISUSE(OVERFLOW, "strides past 64 bits", shardspec_metadata_extract_shard, EXTRACT(&odd, 0, NULL));
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_extract_shard, EXTRACT(&full, 0, &small));
  MISUSE(INVALID_ARGUMENT, "unknown hint", shardspec_metadata_extract_shard, EXTRACT(&full, 0, &unknown));
  MISUSE(ALIASED, "onto itself", shardspec_metadata_extract_shard, metadata, 0, &full, ((shards[1].data = full_data), &shards[1]), NULL);
  shards[1].data = shard_data[1];
  WRONG_ERROR(shardspec_metadata_extract_shard, EXTRACT(&full, 0, NULL));
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_view_shard, H, 0, &full, out.numbers, out.more_numbers, 16, &out.view);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_view_shard, metadata, SIZE_MAX, &full, out.numbers, out.more_numbers, 16, &out.view);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_view_shard, metadata, 0, &full, out.numbers, out.more_numbers, 1, &out.view);
  MISUSE(NULL_ARGUMENT, "NULL shape", shardspec_metadata_view_shard, metadata, 0, &full, NULL, out.more_numbers, 16, &out.view);
  MISUSE(NULL_ARGUMENT, "NULL view", shardspec_metadata_view_shard, metadata, 0, NULL, out.numbers, out.more_numbers, 16, &out.view);
  WRONG_OUT(shardspec_tensor_view, shardspec_metadata_view_shard, metadata, 0, &full, out.numbers, out.more_numbers, 16, P);
  WRONG_ERROR(shardspec_metadata_view_shard, metadata, 0, &full, out.numbers, out.more_numbers, 16, &out.view);
  MISUSE(NULL_ARGUMENT, "NULL source", shardspec_tensor_copy, NULL, &full, NULL);
  MISUSE(NULL_ARGUMENT, "NULL destination", shardspec_tensor_copy, &full, NULL, NULL);
  MISUSE(ALIASED, "one view twice", shardspec_tensor_copy, &full, &full, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_tensor_copy, &full, &full, &small);
  WRONG_ERROR(shardspec_tensor_copy, &full, shards, NULL);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_scatter, H, &full, shards, 2, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_scatter, metadata, NULL, shards, 2, NULL);
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_metadata_scatter, metadata, &full, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "one shard of two", shardspec_metadata_scatter, metadata, &full, shards, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_metadata_scatter, metadata, &full, shards, SIZE_MAX, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_scatter, metadata, &full, shards, 2, &small);
  WRONG_ERROR(shardspec_metadata_scatter, metadata, &full, shards, 2, NULL);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_gather, H, shards, 2, &full, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_gather, metadata, shards, 2, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_metadata_gather, metadata, NULL, 2, &full, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_metadata_gather, metadata, shards, SIZE_MAX, &full, NULL);
  MISUSE(INVALID_ARGUMENT, "unknown hint", shardspec_metadata_gather, metadata, shards, 2, &full, &unknown);
  WRONG_ERROR(shardspec_metadata_gather, metadata, shards, 2, &full, NULL);
}
