/* Placements. */
#include "misuse.h"

void misuse_placements(void) {
  shardspec_placement *freed;
  CHECK_OK(shardspec_placement_parse("rank:0", &freed, &err));
  CHECK_OK(shardspec_placement_free(freed, &err));
  wrong_handles_for(freed, placement, chunk, metadata);
  MISUSE(NULL_ARGUMENT, "NULL text", shardspec_placement_parse, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_placement_parse, NOT_UTF8, &out.placement);
  MISUSE(INVALID_PLACEMENT, "empty text", shardspec_placement_parse, "", &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_placement_parse, "rank:0", P);
  WRONG_ERROR(shardspec_placement_parse, "rank:0", &out.placement);
  WRONG_HANDLE(shardspec_placement, OK, shardspec_placement_free, H);
  WRONG_ERROR(shardspec_placement_free, placement);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_text, H, out.text, 64,
               &out.needed);
  WRONG_TEXT(shardspec_placement_text, placement, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_placement_text, placement, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_rank, H, &out.i64);
  WRONG_OUT(int64_t, shardspec_placement_rank, placement, P);
  WRONG_ERROR(shardspec_placement_rank, placement, &out.i64);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_worker_name, H, out.text,
               64, &out.needed);
  WRONG_TEXT(shardspec_placement_worker_name, placement, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_placement_worker_name, placement, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_device_type, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_placement_device_type, placement, P);
  WRONG_ERROR(shardspec_placement_device_type, placement, &out.i32);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_device_index, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_placement_device_index, placement, P);
  WRONG_ERROR(shardspec_placement_device_index, placement, &out.i32);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_equal, H, placement,
               &out.i32);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_equal, placement, H,
               &out.i32);
  WRONG_OUT(int32_t, shardspec_placement_equal, placement, placement, P);
  WRONG_ERROR(shardspec_placement_equal, placement, placement, &out.i32);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_hash, H, &out.u64);
  WRONG_OUT(uint64_t, shardspec_placement_hash, placement, P);
  WRONG_ERROR(shardspec_placement_hash, placement, &out.u64);
}
