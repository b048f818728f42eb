/* Tensors as flat arrays. */
#include "misuse.h"

void misuse_flat(void) {
  static const uint64_t at[] = {0, 24};
  static const int64_t shapes[] = {2, 3, 2, 3}, far[] = {INT64_MAX / 2, 1, 3, 1}, other[] = {2, 3, 3, 2};
  static const shardspec_dtype no_bits = {SHARDSPEC_DTYPE_INT, 0, 1};
  shardspec_copy_options small = {4, 0, 0};
  const int64_t *odd = (const int64_t *)(const void *)((const char *)shapes + 1);
  float *parts = shard_data[0];
  shardspec_sharded_tensor *tensor, *freed;
  shardspec_metadata *freed_metadata;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, metadata, placement, chunk);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_scatter_flat, H, &FLOAT32, full_data, NULL, parts, at, shapes, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "no dtype known", shardspec_metadata_scatter_flat, metadata, NULL, full_data, NULL, parts, at, shapes, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "0 bits", shardspec_metadata_scatter_flat, metadata, &no_bits, full_data, NULL, parts, at, shapes, NULL, 2, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_scatter_flat, metadata, &FLOAT32, NULL, NULL, parts, at, shapes, NULL, 2, NULL);
  MISUSE(OVERFLOW, "full past 64 bits", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, far, parts, at, shapes, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "full_strides not aligned", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, odd, parts, at, shapes, NULL, 2, NULL);
  MISUSE(NULL_ARGUMENT, "shards at address 0", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, NULL, at, shapes, NULL, 2, NULL);
  MISUSE(NULL_ARGUMENT, "NULL byte_offsets", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, NULL, shapes, NULL, 2, NULL);
  MISUSE(SHAPE_MISMATCH, "a wrong shape", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, other, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "shapes not aligned", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, odd, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "strides not aligned", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, NULL, odd, 2, NULL);
  MISUSE(OVERFLOW, "strides past 64 bits", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, NULL, far, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "one shard of two", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, shapes, NULL, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, shapes, NULL, SIZE_MAX, NULL);
  MISUSE(ALIASED, "onto itself", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, full_data, at, shapes, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, shapes, NULL, 2, &small);
  WRONG_ERROR(shardspec_metadata_scatter_flat, metadata, &FLOAT32, full_data, NULL, parts, at, shapes, NULL, 2, NULL);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_gather_flat, H, &FLOAT32, parts, at, shapes, NULL, 2, full_data, NULL, NULL);
  MISUSE(INVALID_ARGUMENT, "no dtype known", shardspec_metadata_gather_flat, metadata, NULL, parts, at, shapes, NULL, 2, full_data, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_gather_flat, metadata, &FLOAT32, parts, at, shapes, NULL, 2, NULL, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "NULL byte_offsets", shardspec_metadata_gather_flat, metadata, &FLOAT32, parts, NULL, shapes, NULL, 2, full_data, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "shards at address 0", shardspec_metadata_gather_flat, metadata, &FLOAT32, NULL, at, shapes, NULL, 2, full_data, NULL, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_metadata_gather_flat, metadata, &FLOAT32, parts, at, shapes, NULL, SIZE_MAX, full_data, NULL, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_gather_flat, metadata, &FLOAT32, parts, at, shapes, NULL, 2, full_data, NULL, &small);
  WRONG_ERROR(shardspec_metadata_gather_flat, metadata, &FLOAT32, parts, at, shapes, NULL, 2, full_data, NULL, NULL);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_extract_shard_flat, H, 0, &FLOAT32, full_data, NULL, parts, shapes, NULL, NULL);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_extract_shard_flat, metadata, SIZE_MAX, &FLOAT32, full_data, NULL, parts, shapes, NULL, NULL);
  MISUSE(INVALID_ARGUMENT, "no dtype known", shardspec_metadata_extract_shard_flat, metadata, 0, NULL, full_data, NULL, parts, shapes, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_extract_shard_flat, metadata, 0, &FLOAT32, NULL, NULL, parts, shapes, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "NULL shard", shardspec_metadata_extract_shard_flat, metadata, 0, &FLOAT32, full_data, NULL, NULL, shapes, NULL, NULL);
  MISUSE(SHAPE_MISMATCH, "a wrong shape", shardspec_metadata_extract_shard_flat, metadata, 0, &FLOAT32, full_data, NULL, parts, other + 2, NULL, NULL);
  MISUSE(OVERFLOW, "strides past 64 bits", shardspec_metadata_extract_shard_flat, metadata, 0, &FLOAT32, full_data, NULL, parts, shapes, far, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_extract_shard_flat, metadata, 0, &FLOAT32, full_data, NULL, parts, shapes, NULL, &small);
  WRONG_ERROR(shardspec_metadata_extract_shard_flat, metadata, 0, &FLOAT32, full_data, NULL, parts, shapes, NULL, NULL);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_view_shard_flat, H, 0, &FLOAT32, NULL, &out.i64, out.numbers, out.more_numbers, 2);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_view_shard_flat, metadata, SIZE_MAX, &FLOAT32, NULL, &out.i64, out.numbers, out.more_numbers, 2);
  MISUSE(INVALID_ARGUMENT, "no dtype known", shardspec_metadata_view_shard_flat, metadata, 0, NULL, NULL, &out.i64, out.numbers, out.more_numbers, 2);
  MISUSE(OVERFLOW, "full past 64 bits", shardspec_metadata_view_shard_flat, metadata, 0, &FLOAT32, far, &out.i64, out.numbers, out.more_numbers, 2);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_view_shard_flat, metadata, 0, &FLOAT32, NULL, &out.i64, out.numbers, out.more_numbers, 1);
  MISUSE(NULL_ARGUMENT, "NULL shape", shardspec_metadata_view_shard_flat, metadata, 0, &FLOAT32, NULL, &out.i64, NULL, out.more_numbers, 2);
  MISUSE(NULL_ARGUMENT, "NULL strides", shardspec_metadata_view_shard_flat, metadata, 0, &FLOAT32, NULL, &out.i64, out.numbers, NULL, 2);
  WRONG_OUT(int64_t, shardspec_metadata_view_shard_flat, metadata, 0, &FLOAT32, NULL, P, out.numbers, out.more_numbers, 2);
  WRONG_ERROR(shardspec_metadata_view_shard_flat, metadata, 0, &FLOAT32, NULL, &out.i64, out.numbers, out.more_numbers, 2);

  shardspec_tensor_properties properties = {sizeof properties, FLOAT32, 0, 0, 0, 0, 0};
  shardspec_metadata *stated;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, &properties, &stated, &err));
  CHECK_OK(shardspec_sharded_tensor_new(stated, NULL, SHARDSPEC_FILL_ZERO, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_new(stated, NULL, SHARDSPEC_FILL_ZERO, &freed, &err));
  CHECK_OK(shardspec_sharded_tensor_free(freed, &err));
  wrong_handles_for(freed, tensor, placement, chunk);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_sharded_tensor_local_views_flat, H, &out.u64, out.numbers, out.more_numbers, 2, &out.needed);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_sharded_tensor_local_views_flat, tensor, &out.u64, out.numbers, out.more_numbers, 1, &out.needed);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_sharded_tensor_local_views_flat, tensor, &out.u64, out.numbers, out.more_numbers, SIZE_MAX, &out.needed);
  MISUSE(INVALID_ARGUMENT, "shapes not aligned", shardspec_sharded_tensor_local_views_flat, tensor, NULL, (int64_t *)(void *)((char *)out.numbers + 1), NULL, 2, &out.needed);
  MISUSE(INVALID_ARGUMENT, "needed not aligned", shardspec_sharded_tensor_local_views_flat, tensor, NULL, NULL, NULL, 0, (size_t *)(void *)((char *)&out.needed + 1));
  WRONG_ERROR(shardspec_sharded_tensor_local_views_flat, tensor, NULL, out.numbers, out.more_numbers, 2, &out.needed);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(stated, &err));
}
