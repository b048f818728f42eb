/* Plans, and what they say: pieces, traffic, runs, reads and relabelling. */
#include "growth.h"

static void count_traffic(shardspec_plan *plan, size_t n, const char *family) {
  int64_t *numbers = calloc(6 * n, sizeof *numbers), before = 0, after = 0;
  size_t *indices = calloc(4 * n, sizeof *indices), count = 0;
  uint32_t *labels = calloc(n, sizeof *labels);
  COUNTED(family, n, 2 * n, shardspec_plan_shard_traffic, plan, 1, indices, indices + 2 * n, numbers, 2 * n, &count);
  COUNTED(family, n, 2 * n, shardspec_plan_rank_traffic, plan, 1, numbers, numbers + 2 * n, numbers + 4 * n, 2 * n,
          &count);
  COUNTED(family, n, 2 * n, shardspec_plan_suggest_placements, plan, labels, n, &count, &before, &after);
  for (size_t i = 0; i < n; i++) numbers[i] = (int64_t)i / 8;
  shardspec_plan *other = NULL;
  COUNTED(family, n, 2 * n, shardspec_plan_new_on_nodes, plan, numbers, n, &other);
  CHECK_OK(shardspec_plan_free(other, &err));
  free(numbers);
  free(indices);
  free(labels);
}

static void count_pieces(shardspec_plan *plan, size_t n, size_t pieces, const char *family) {
  size_t *ends = calloc(2 * pieces, sizeof *ends), first = 0, count = 0, bytes = 0;
  int64_t *numbers = calloc(3 * NDIM * pieces, sizeof *numbers);
  COUNTED(family, n, pieces, shardspec_plan_pieces, plan, 0, pieces, ends, ends + pieces, numbers,
          numbers + NDIM * pieces, numbers + 2 * NDIM * pieces);
  COUNTED_EACH(family, n, pieces, shardspec_plan_pieces_of_destination, plan, i, &first, &count);
  shardspec_run runs[8];
  COUNTED_EACH(family, n, pieces, shardspec_plan_shard_runs, plan, ends[i], ends[pieces + i], 1, runs, COUNT(runs),
               &count);
  COUNTED_EACH(family, n, pieces, shardspec_plan_rank_runs, plan, (int64_t)ends[i], (int64_t)ends[pieces + i], 1,
               runs, COUNT(runs), &count);
  shardspec_read reads[8];
  COUNTED_EACH(family, n, pieces, shardspec_plan_shard_reads, plan, ends[i], ends[pieces + i], 1, NULL, reads,
               COUNT(reads), runs, COUNT(runs), &first, &count);
  CHECK_OK(shardspec_plan_to_json(plan, NULL, 0, &bytes, &err));
  char *text = malloc(bytes + 1);
  COUNTED(family, n, pieces, shardspec_plan_to_json, plan, text, bytes + 1, &bytes);
  free(text);
  free(ends);
  free(numbers);
}

/* From rows to other rows, two pieces for each. */
void count_plans(size_t n) {
  const char *family = "shifted rows";
  layout from = rows(n, 3), to = rows(n, 1);
  shardspec_shards *sources = shards_of(&from), *destinations = shards_of(&to);
  shardspec_metadata *source = metadata_of(&from), *destination = metadata_of(&to);
  shardspec_plan *plan = NULL, *other = NULL;
  size_t pieces = 0;
  COUNTED(family, n, 2 * n, shardspec_plan_new, source, destination, &plan);
  CHECK_OK(shardspec_plan_piece_count(plan, &pieces, &err));
  CHECK_EQUAL(pieces, 2 * n - 1);
  COUNTED(family, n, 2 * n, shardspec_plan_new_from_shards, sources, destinations, &other);
  CHECK_OK(shardspec_plan_free(other, &err));
  int32_t answer = 0;
  COUNTED(family, n, 2 * n, shardspec_plan_is_local, plan, &answer);
  COUNTED(family, n, 2 * n, shardspec_plan_is_identity, plan, &answer);
  count_traffic(plan, n, family);
  count_pieces(plan, n, pieces, family);
  COUNTED(family, n, 2 * n, shardspec_plan_free, plan);
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
  CHECK_OK(shardspec_shards_free(sources, &err));
  CHECK_OK(shardspec_shards_free(destinations, &err));
  free_layout(&from);
  free_layout(&to);
}
