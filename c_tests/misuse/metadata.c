/* Building metadata, and asking it. */
#include "misuse.h"

static void misuse_build_metadata(void) {
  static const int64_t minus[] = {4, INT64_MIN}, most[] = {INT64_MAX, INT64_MAX}, five[] = {5, 3};
  static const char *const names[] = {"x", "y"}, *const with_null[] = {"x", NULL};
  const char *const not_utf8[] = {"x", NOT_UTF8};
  shardspec_tensor_properties wrong = {8, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_spec *freed;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &freed, &err));
  CHECK_OK(shardspec_spec_free(freed, &err));
  wrong_handles_for(freed, chunk, placement, metadata);

  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_build_metadata, H, TENSOR, 2, NULL, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_spec_build_metadata, chunk, NULL, 2, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "33 sizes", shardspec_spec_build_metadata, chunk, OFFSETS, 33, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX sizes", shardspec_spec_build_metadata, chunk, OFFSETS, SIZE_MAX, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "size INT64_MIN", shardspec_spec_build_metadata, chunk, minus, 2, NULL, &out.metadata);
  MISUSE(OVERFLOW, "INT64_MAX squared", shardspec_spec_build_metadata, chunk, most, 2, NULL, &out.metadata);
  MISUSE(INVALID_DIM, "no dimensions", shardspec_spec_build_metadata, chunk, NULL, 0, NULL, &out.metadata);
  MISUSE(INVALID_DIM, "no names", shardspec_spec_build_metadata, named, TENSOR, 2, NULL, &out.metadata);
  MISUSE(GAP, "larger tensor", shardspec_spec_build_metadata, boxes, five, 2, NULL, &out.metadata);
  MISUSE(NDIM_MISMATCH, "fewer dimensions", shardspec_spec_build_metadata, boxes, TENSOR, 1, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_spec_build_metadata, chunk, TENSOR, 2, &wrong, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_spec_build_metadata, chunk, TENSOR, 2, NULL, P);
  WRONG_ERROR(shardspec_spec_build_metadata, chunk, TENSOR, 2, NULL, &out.metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_build_metadata_with_dim_names, H, TENSOR, names, 2, NULL, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL names", shardspec_spec_build_metadata_with_dim_names, named, TENSOR, NULL, 2, NULL, &out.metadata);
  MISUSE(NULL_ARGUMENT, "a NULL name", shardspec_spec_build_metadata_with_dim_names, named, TENSOR, with_null, 2, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_build_metadata_with_dim_names, named, TENSOR, not_utf8, 2, NULL, &out.metadata);
  MISUSE(INVALID_DIM, "no such name", shardspec_spec_build_metadata_with_dim_names, named, TENSOR, RANKS, 2, NULL, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_spec_build_metadata_with_dim_names, named, TENSOR, names, 2, NULL, P);
  WRONG_ERROR(shardspec_spec_build_metadata_with_dim_names, named, TENSOR, names, 2, NULL, &out.metadata);
}

void misuse_metadata(void) {
  shardspec_metadata *freed;
  misuse_build_metadata();
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  wrong_handles_for(freed, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, OK, shardspec_metadata_free, H);
  WRONG_ERROR(shardspec_metadata_free, metadata);
#define WRONG_QUESTION(function, type, place)                                                      \
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, function, H, place);                             \
  WRONG_OUT(type, function, metadata, P);                                                          \
  WRONG_ERROR(function, metadata, place)
  static const int64_t blocks[] = {2, 3}, no_block[] = {1, 0}, below[] = {INT64_MIN, 1}, cut[] = {3, 1};
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_blocks, H, blocks, 2, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL block_sizes", shardspec_metadata_blocks, metadata, NULL, 2, &out.metadata);
  MISUSE(NDIM_MISMATCH, "one dimension", shardspec_metadata_blocks, metadata, blocks, 1, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", shardspec_metadata_blocks, metadata, blocks, SIZE_MAX, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "a block of 0", shardspec_metadata_blocks, metadata, no_block, 2, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "a block of INT64_MIN", shardspec_metadata_blocks, metadata, below, 2, &out.metadata);
  MISUSE(ILLEGAL_CUT, "a block that is cut", shardspec_metadata_blocks, metadata, cut, 2, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_blocks, metadata, blocks, 2, P);
  WRONG_ERROR(shardspec_metadata_blocks, metadata, blocks, 2, &out.metadata);
  WRONG_QUESTION(shardspec_metadata_shard_count, size_t, &out.size);
  WRONG_QUESTION(shardspec_metadata_ndim, size_t, &out.size);
  WRONG_QUESTION(shardspec_metadata_numel, int64_t, &out.i64);
  WRONG_QUESTION(shardspec_metadata_properties, shardspec_tensor_properties, &out.properties);
  WRONG_QUESTION(shardspec_metadata_placement_count, size_t, &out.size);
  WRONG_QUESTION(shardspec_metadata_hash, uint64_t, &out.u64);
  WRONG_QUESTION(shardspec_metadata_fingerprint, uint64_t, &out.u64);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_metadata_properties, metadata, &out.sized_wrongly);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_sizes, H, out.numbers, 16, &out.needed);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_sizes, metadata, out.numbers, 1, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_metadata_sizes, metadata, NULL, 2, &out.needed);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_metadata_sizes, metadata, out.numbers, SIZE_MAX, &out.needed);
  WRONG_ERROR(shardspec_metadata_sizes, metadata, out.numbers, 16, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_get_shard, H, 0, out.numbers, out.more_numbers, 16);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_get_shard, metadata, SIZE_MAX, out.numbers, out.more_numbers, 16);
  MISUSE(BUFFER_TOO_SMALL, "capacity 0", shardspec_metadata_get_shard, metadata, 0, out.numbers, out.more_numbers, 0);
  WRONG_ERROR(shardspec_metadata_get_shard, metadata, 0, out.numbers, out.more_numbers, 16);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shard_placement, H, 0, &out.placement);
  MISUSE(INDEX_OUT_OF_RANGE, "index 2 of 2", shardspec_metadata_shard_placement, metadata, 2, &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_metadata_shard_placement, metadata, 0, P);
  WRONG_ERROR(shardspec_metadata_shard_placement, metadata, 0, &out.placement);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shard_placement_text, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "index 2 of 2", shardspec_metadata_shard_placement_text, metadata, 2, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_metadata_shard_placement_text, metadata, 0, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_metadata_shard_placement_text, metadata, 0, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_get_shards, H, 0, 2, out.numbers, out.more_numbers, out.u32s);
  MISUSE(INDEX_OUT_OF_RANGE, "one too many", shardspec_metadata_get_shards, metadata, 1, 2, out.numbers, out.more_numbers, out.u32s);
  MISUSE(INDEX_OUT_OF_RANGE, "SIZE_MAX of them", shardspec_metadata_get_shards, metadata, 1, SIZE_MAX, out.numbers, out.more_numbers, out.u32s);
  WRONG_ERROR(shardspec_metadata_get_shards, metadata, 0, 2, out.numbers, out.more_numbers, out.u32s);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_placement_text, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_placement_text, metadata, SIZE_MAX, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_metadata_placement_text, metadata, 0, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_metadata_placement_text, metadata, 0, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shards_of_rank, H, 0, out.indices, 8, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL indices", shardspec_metadata_shards_of_rank, metadata, 0, NULL, 8, &out.needed);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_metadata_shards_of_rank, metadata, 0, out.indices, SIZE_MAX, &out.needed);
  WRONG_ERROR(shardspec_metadata_shards_of_rank, metadata, 0, out.indices, 8, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shards_of_owner, H, "rank:0", out.indices, 8, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL owner", shardspec_metadata_shards_of_owner, metadata, NULL, out.indices, 8, &out.needed);
  MISUSE(INVALID_PLACEMENT, "empty owner", shardspec_metadata_shards_of_owner, metadata, "", out.indices, 8, &out.needed);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_metadata_shards_of_owner, metadata, NOT_UTF8, out.indices, 8, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL indices", shardspec_metadata_shards_of_owner, metadata, "rank:0", NULL, 8, &out.needed);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_metadata_shards_of_owner, metadata, "rank:0", out.indices, SIZE_MAX, &out.needed);
  WRONG_ERROR(shardspec_metadata_shards_of_owner, metadata, "rank:0", out.indices, 8, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_equal, H, metadata, &out.i32);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_equal, metadata, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_metadata_equal, metadata, metadata, P);
  WRONG_ERROR(shardspec_metadata_equal, metadata, metadata, &out.i32);
}
