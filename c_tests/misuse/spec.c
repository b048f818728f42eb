/* Specs and the arithmetic of chunks. */
#include "misuse.h"

void misuse_specs(void) {
  shardspec_spec *freed;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &freed, &err));
  CHECK_OK(shardspec_spec_free(freed, &err));
  wrong_handles_for(freed, chunk, placement, metadata);
  WRONG_HANDLE(shardspec_spec, OK, shardspec_spec_free, H);
  WRONG_ERROR(shardspec_spec_free, chunk);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_type_name, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_spec_type_name, chunk, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_spec_type_name, chunk, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_chunk_dim, H, &out.i64);
  MISUSE(WRONG_SPEC_TYPE, "enumerable spec", shardspec_spec_chunk_dim, boxes, &out.i64);
  WRONG_OUT(int64_t, shardspec_spec_chunk_dim, chunk, P);
  WRONG_ERROR(shardspec_spec_chunk_dim, chunk, &out.i64);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_chunk_dim_name, H, out.text, 64, &out.needed);
  MISUSE(WRONG_SPEC_TYPE, "dimension by number", shardspec_spec_chunk_dim_name, chunk, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_spec_chunk_dim_name, named, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_spec_chunk_dim_name, named, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_shard_count, H, &out.size);
  WRONG_OUT(size_t, shardspec_spec_shard_count, chunk, P);
  WRONG_ERROR(shardspec_spec_shard_count, chunk, &out.size);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_placement, H, 0, &out.placement);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_spec_placement, chunk, SIZE_MAX, &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_spec_placement, chunk, 0, P);
  WRONG_ERROR(shardspec_spec_placement, chunk, 0, &out.placement);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_equal, H, chunk, &out.i32);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_equal, chunk, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_spec_equal, chunk, chunk, P);
  WRONG_ERROR(shardspec_spec_equal, chunk, chunk, &out.i32);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_hash, H, &out.u64);
  WRONG_OUT(uint64_t, shardspec_spec_hash, chunk, P);
  WRONG_ERROR(shardspec_spec_hash, chunk, &out.u64);

  MISUSE(INVALID_ARGUMENT, "0 chunks", shardspec_chunk_split_size, 5, 0, &out.i64);
  MISUSE(INVALID_ARGUMENT, "INT64_MIN elements", shardspec_chunk_split_size, INT64_MIN, 2, &out.i64);
  WRONG_OUT(int64_t, shardspec_chunk_split_size, 5, 2, P);
  WRONG_ERROR(shardspec_chunk_split_size, 5, 2, &out.i64);
  MISUSE(INVALID_ARGUMENT, "negative split", shardspec_chunk_dim_size, 5, -1, 0, &out.i64);
  MISUSE(INVALID_ARGUMENT, "index INT64_MIN", shardspec_chunk_dim_size, 5, 1, INT64_MIN, &out.i64);
  WRONG_OUT(int64_t, shardspec_chunk_dim_size, 5, 2, 0, P);
  WRONG_ERROR(shardspec_chunk_dim_size, 5, 2, 0, &out.i64);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_chunk_sharding_params, H, 5, 2, 0, &out.i64, &out.second_i64);
  MISUSE(WRONG_SPEC_TYPE, "enumerable spec", shardspec_chunk_sharding_params, boxes, 5, 2, 0, &out.i64, &out.second_i64);
  MISUSE(NOT_FOUND, "rank without placement", shardspec_chunk_sharding_params, chunk, 5, 2, 2, &out.i64, &out.second_i64);
  MISUSE(NOT_FOUND, "rank INT64_MIN", shardspec_chunk_sharding_params, chunk, 5, 2, INT64_MIN, &out.i64, &out.second_i64);
  MISUSE(INVALID_ARGUMENT, "world of 0", shardspec_chunk_sharding_params, chunk, 5, 0, 0, &out.i64, &out.second_i64);
  WRONG_OUT(int64_t, shardspec_chunk_sharding_params, chunk, 5, 2, 0, P, &out.second_i64);
  WRONG_OUT(int64_t, shardspec_chunk_sharding_params, chunk, 5, 2, 0, &out.i64, P);
  WRONG_ERROR(shardspec_chunk_sharding_params, chunk, 5, 2, 0, &out.i64, &out.second_i64);
}
