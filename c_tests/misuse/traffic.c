/* What a plan moves. */
#include "misuse.h"

#include <math.h>

void misuse_traffic(void) {
  static const uint32_t same[] = {0, 1}, past_end[] = {0, 2};
  shardspec_plan *plan, *freed;
  CHECK_OK(shardspec_plan_new(metadata, metadata, &plan, &err));
  CHECK_OK(shardspec_plan_new(metadata, metadata, &freed, &err));
  CHECK_OK(shardspec_plan_free(freed, &err));
  wrong_handles_for(freed, plan, metadata, chunk);

#define TRAFFIC(function, first, second)                                                           \
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, function, H, 4, first, second, out.numbers, 4, &out.needed); \
  MISUSE(INVALID_ARGUMENT, "no type is stated", function, plan, 0, first, second, out.numbers, 4, &out.needed); \
  MISUSE(INVALID_ARGUMENT, "itemsize INT64_MIN", function, plan, INT64_MIN, first, second, out.numbers, 4, &out.needed); \
  MISUSE(OVERFLOW, "itemsize INT64_MAX", function, plan, INT64_MAX, first, second, out.numbers, 4, &out.needed); \
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", function, plan, 4, first, second, out.numbers, 1, &out.needed); \
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", function, plan, 4, first, second, out.numbers, SIZE_MAX, &out.needed); \
  MISUSE(INVALID_ARGUMENT, "output not aligned", function, plan, 4, first, second, (int64_t *)(void *)((char *)out.numbers + 1), 4, &out.needed); \
  WRONG_ERROR(function, plan, 4, first, second, out.numbers, 4, &out.needed)
  TRAFFIC(shardspec_plan_shard_traffic, out.indices, out.indices + 4);
  TRAFFIC(shardspec_plan_rank_traffic, out.more_numbers, out.more_numbers + 8);

#define RUNS(function)                                                                             \
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, function, H, 0, 0, 4, out.runs, 4, &out.needed);     \
  MISUSE(INVALID_ARGUMENT, "no type is stated", function, plan, 0, 0, 0, out.runs, 4, &out.needed); \
  MISUSE(INVALID_ARGUMENT, "itemsize -1", function, plan, 0, 0, -1, out.runs, 4, &out.needed);     \
  MISUSE(OVERFLOW, "itemsize INT64_MAX", function, plan, 0, 0, INT64_MAX, out.runs, 4, &out.needed); \
  MISUSE(NULL_ARGUMENT, "NULL runs", function, plan, 0, 0, 4, NULL, 4, &out.needed);               \
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", function, plan, 0, 0, 4, out.runs, SIZE_MAX, &out.needed); \
  WRONG_ERROR(function, plan, 0, 0, 4, out.runs, 4, &out.needed)
  RUNS(shardspec_plan_shard_runs);
  RUNS(shardspec_plan_rank_runs);
  MISUSE(INDEX_OUT_OF_RANGE, "source SIZE_MAX", shardspec_plan_shard_runs, plan, SIZE_MAX, 0, 4, out.runs, 4, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "destination 2 of 2", shardspec_plan_shard_runs, plan, 0, 2, 4, out.runs, 4, &out.needed);
  MISUSE(INVALID_ARGUMENT, "rank -2", shardspec_plan_rank_runs, plan, -2, 0, 4, out.runs, 4, &out.needed);
  MISUSE(INVALID_ARGUMENT, "rank INT64_MIN", shardspec_plan_rank_runs, plan, 0, INT64_MIN, 4, out.runs, 4, &out.needed);

#define READS(function)                                                                            \
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, function, H, 0, 0, 4, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size); \
  MISUSE(INVALID_ARGUMENT, "no type is stated", function, plan, 0, 0, 0, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size); \
  MISUSE(INVALID_ARGUMENT, "itemsize -1", function, plan, 0, 0, -1, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size); \
  MISUSE(OVERFLOW, "itemsize INT64_MAX", function, plan, 0, 0, INT64_MAX, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size); \
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)                                        \
    MISUSE(INVALID_ARGUMENT, "wrong options", function, plan, 0, 0, 4, &wrong[i], out.reads, 4, out.runs, 4, &out.needed, &out.size); \
  MISUSE(BUFFER_TOO_SMALL, "no room for reads", function, plan, 0, 0, 4, NULL, out.reads, 0, out.runs, 4, &out.needed, &out.size); \
  MISUSE(BUFFER_TOO_SMALL, "no room for runs", function, plan, 0, 0, 4, NULL, out.reads, 4, out.runs, 0, &out.needed, &out.size); \
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", function, plan, 0, 0, 4, NULL, out.reads, SIZE_MAX, out.runs, 4, &out.needed, &out.size); \
  MISUSE(INVALID_ARGUMENT, "reads not aligned", function, plan, 0, 0, 4, NULL, (shardspec_read *)(void *)((char *)out.reads + 1), 4, out.runs, 4, &out.needed, &out.size); \
  WRONG_ERROR(function, plan, 0, 0, 4, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size)
  static const shardspec_merge_options wrong[] = {
    {0}, {.struct_size = 8}, {sizeof *wrong, 0, 0.5, 0}, {sizeof *wrong, 0, -1, 0}, {sizeof *wrong, 0, HUGE_VAL, 0},
    {sizeof *wrong, 0, 0, -1}};
  READS(shardspec_plan_shard_reads);
  READS(shardspec_plan_rank_reads);
  MISUSE(INDEX_OUT_OF_RANGE, "source SIZE_MAX", shardspec_plan_shard_reads, plan, SIZE_MAX, 0, 4, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size);
  MISUSE(INVALID_ARGUMENT, "rank -2", shardspec_plan_rank_reads, plan, 0, -2, 4, NULL, out.reads, 4, out.runs, 4, &out.needed, &out.size);

  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_suggest_placements, H, out.u32s, 8, &out.needed, &out.i64, &out.second_i64);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_plan_suggest_placements, plan, out.u32s, 1, &out.needed, &out.i64, &out.second_i64);
  MISUSE(NULL_ARGUMENT, "NULL placements", shardspec_plan_suggest_placements, plan, NULL, 2, &out.needed, &out.i64, &out.second_i64);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_plan_suggest_placements, plan, out.u32s, 8, &out.needed, NULL, (int64_t *)(void *)((char *)out.numbers + 1));
  WRONG_ERROR(shardspec_plan_suggest_placements, plan, out.u32s, 8, &out.needed, &out.i64, &out.second_i64);
  CHECK_OK(shardspec_plan_free(plan, &err));

  shardspec_metadata *freed_metadata;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_relabel, H, same, 2, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "one placement of two", shardspec_metadata_relabel, metadata, same, 1, &out.metadata);
  MISUSE(INDEX_OUT_OF_RANGE, "placement 2 of 2", shardspec_metadata_relabel, metadata, past_end, 2, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL placements", shardspec_metadata_relabel, metadata, NULL, 2, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", shardspec_metadata_relabel, metadata, same, SIZE_MAX, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_relabel, metadata, same, 2, P);
  WRONG_ERROR(shardspec_metadata_relabel, metadata, same, 2, &out.metadata);
}
