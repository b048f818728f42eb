/* Lists of shards, plans, and what plans move. */
#include "scenarios.h"

/* Three boxes of 4 x 6, of which two share (1, 1) and nobody has the last row. */
static const int64_t OFFSETS[] = {0, 0, 1, 1, 0, 2}, SIZES[] = {2, 2, 2, 5, 1, 4};

void lists_of_shards(void) {
  const shardspec_shard_metadata listed[] = {{2, OFFSETS, SIZES, "rank:0"},
                                             {2, OFFSETS + 2, SIZES + 2, "rank:1/cuda:0"}};
  const int64_t sizes[] = {4, 6}, negative[] = {-4, 6};
  shardspec_metadata *metadata = rows(2, 4);
  shardspec_shards *shards;
  CALL(OK, shardspec_shards_new, listed, 2, &out.shards);
  FREE(shardspec_shards_free, out.shards);
  CALL(INVALID_PLACEMENT, shardspec_shards_new_from_arrays, OFFSETS, SIZES, NULL, 2, 3, (const char *const[]){"rank:0", "rank:x", "rank:1"}, 3, &out.shards);
  CALL(OK, shardspec_shards_new_from_metadata, metadata, &out.shards);
  FREE(shardspec_shards_free, out.shards);
  CALL(OK, shardspec_shards_new_from_arrays, OFFSETS, SIZES, NULL, 2, 3, RANKS, 3, &out.shards);
  shards = out.shards;
  CALL(OK, shardspec_shards_count, shards, &out.size);
  CHECK_EQUAL(out.size, 3);
  CALL(OK, shardspec_shards_overlaps, shards, out.sizes, out.sizes + 8, out.numbers, out.more_numbers, 8,
       &out.size, &out.i32);
  CHECK_EQUAL(out.size, 1);
  CALL(OK, shardspec_shards_gaps, shards, sizes, 2, out.numbers, out.more_numbers, 8, &out.size, &out.i32);
  CHECK(out.size > 0 && out.i32 == 0);
  CALL(OK, shardspec_shards_gaps, shards, sizes, 2, out.numbers, out.more_numbers, 1, &out.size, &out.i32);
  CALL(INVALID_ARGUMENT, shardspec_shards_gaps, shards, negative, 2, out.numbers, out.more_numbers, 8,
       &out.size, &out.i32);
  FREE(shardspec_shards_free, shards);
  CALL(INVALID_HANDLE, shardspec_shards_count, shards, &out.size);
  drop_metadata(metadata);
}

void plans(void) {
  static const size_t wanted[] = {2, 0};
  shardspec_metadata *source = rows(3, 7), *destination = columns(4, 7);
  shardspec_plan *plan;
  CALL(OK, shardspec_plan_new_for_destinations, source, destination, wanted, 2, &out.plan);
  FREE(shardspec_plan_free, out.plan);
  CALL(OK, shardspec_plan_new, source, destination, &out.plan);
  plan = out.plan;
  CALL(OK, shardspec_plan_piece_count, plan, &out.size);
  CHECK_EQUAL(out.size, 9);
  CALL(OK, shardspec_plan_ndim, plan, &out.size);
  CALL(OK, shardspec_plan_pieces, plan, 1, 8, out.sizes, out.more_sizes, out.numbers, out.more_numbers, NULL);
  CALL(OK, shardspec_plan_pieces_of_destination, plan, 2, &out.size, out.sizes);
  CALL(INDEX_OUT_OF_RANGE, shardspec_plan_pieces_of_destination, plan, 4, &out.size, out.sizes);
  CALL(INDEX_OUT_OF_RANGE, shardspec_plan_pieces, plan, 1, 9, out.sizes, NULL, NULL, NULL, NULL);
  CALL(OK, shardspec_plan_is_local, plan, &out.i32);
  CALL(OK, shardspec_plan_is_identity, plan, &out.i32);
  FREE(shardspec_plan_free, plan);
  drop_metadata(source), drop_metadata(destination);
}

/* Pictures of layouts, of what changes between two of them, and of a plan. */
void pictures(void) {
  static char picture[SHARDSPEC_MAX_PICTURE_SIZE];
  const int64_t sizes[] = {4, 6};
  shardspec_draw_options svg = SHARDSPEC_DRAW_OPTIONS_INIT;
  svg.format = SHARDSPEC_PICTURE_SVG, svg.theme = SHARDSPEC_THEME_DARK;
  shardspec_metadata *source = rows(2, 3), *destination = columns(2, 3);
  CALL(OK, shardspec_metadata_draw, source, NULL, picture, sizeof picture, &out.size);
  CHECK(strlen(picture) + 1 == out.size && strstr(picture, "rank 1"));
  CALL(OK, shardspec_metadata_draw, source, &svg, picture, sizeof picture, NULL);
  CHECK(strstr(picture, "<svg") == picture && strstr(picture, "</svg>"));
  CALL(OK, shardspec_metadata_draw_diff, source, destination, NULL, picture, sizeof picture, NULL);
  CALL(OK, shardspec_plan_new, source, destination, &out.plan);
  shardspec_plan *plan = out.plan;
  CALL(OK, shardspec_plan_draw, plan, NULL, picture, sizeof picture, NULL);
  CALL(OK, shardspec_plan_draw, plan, &svg, picture, sizeof picture, NULL);
  FREE(shardspec_plan_free, plan);
  CALL(OK, shardspec_shards_new_from_arrays, OFFSETS, SIZES, NULL, 2, 3, RANKS, 3, &out.shards);
  shardspec_shards *shards = out.shards;
  CALL(OK, shardspec_shards_draw, shards, sizes, 2, NULL, picture, sizeof picture, NULL);
  CHECK(strstr(picture, "Gap: ") && strstr(picture, "Overlap: "));
  FREE(shardspec_shards_free, shards);
  svg.width = 39;
  CALL(INVALID_ARGUMENT, shardspec_metadata_draw, source, &svg, picture, sizeof picture, NULL);
  CALL(BUFFER_TOO_SMALL, shardspec_metadata_draw, source, NULL, picture, 1, NULL);
  drop_metadata(source), drop_metadata(destination);
}

void refused_plans(void) {
  shardspec_metadata *source = rows(3, 7), *destination = columns(4, 8);
  shardspec_shards *few, *more;
  CHECK_OK(shardspec_shards_new_from_arrays(OFFSETS, SIZES, NULL, 2, 2, RANKS, 2, &few, &err));
  CHECK_OK(shardspec_shards_new_from_metadata(source, &more, &err));
  CALL(SHAPE_MISMATCH, shardspec_plan_new, source, destination, &out.plan);
  CALL(INDEX_OUT_OF_RANGE, shardspec_plan_new_for_destinations, source, source, (const size_t[]){3}, 1,
       &out.plan);
  CALL(GAP, shardspec_plan_new_from_shards, few, more, &out.plan);
  CHECK_OK(shardspec_shards_free(few, &err));
  CHECK_OK(shardspec_shards_free(more, &err));
  drop_metadata(source), drop_metadata(destination);
}

void plans_with_replicas(void) {
  const int64_t offsets[] = {0, 0, 0, 0, 2, 0, 1, 0}, sizes[] = {4, 6, 3, 6, 2, 6, 1, 4};
  shardspec_metadata *destination = columns(4, 4);
  shardspec_shards *source, *list;
  shardspec_plan *plan;
  CALL(OK, shardspec_shards_new_from_arrays, offsets, sizes, NULL, 2, 4, RANKS, 4, &out.shards);
  source = out.shards;
  CALL(OK, shardspec_shards_new_from_metadata, destination, &out.shards);
  list = out.shards;
  CALL(OK, shardspec_plan_new_from_shards, source, list, &out.plan);
  plan = out.plan;
  CALL(OK, shardspec_plan_piece_count, plan, &out.size);
  CALL(OK, shardspec_plan_rank_traffic, plan, 4, out.numbers, out.more_numbers, NULL, 16, &out.size);
  CALL(OK, shardspec_plan_new_on_nodes, plan, (const int64_t[]){0, 0, 1, 1}, 4, &out.plan);
  FREE(shardspec_plan_free, out.plan);
  FREE(shardspec_plan_free, plan);
  FREE(shardspec_shards_free, source);
  FREE(shardspec_shards_free, list);
  drop_metadata(destination);
}

static void execute_on_tensors(const shardspec_plan *plan, const shardspec_metadata *source,
                               const shardspec_metadata *destination) {
  shardspec_sharded_tensor *from, *to;
  CALL(OK, shardspec_sharded_tensor_new, source, NULL, SHARDSPEC_FILL_ZERO, &out.tensor);
  from = out.tensor;
  CALL(OK, shardspec_sharded_tensor_new, destination, NULL, SHARDSPEC_FILL_ZERO, &out.tensor);
  to = out.tensor;
  CALL(OK, shardspec_plan_execute_sharded_tensors, plan, from, to, NULL);
  CALL(INVALID_ARGUMENT, shardspec_plan_execute_sharded_tensors, plan, to, from, NULL);
  FREE(shardspec_sharded_tensor_free, from);
  FREE(shardspec_sharded_tensor_free, to);
}

void plans_are_executed(void) {
  static float from[3][18], to[4][14];
  int64_t shapes[7][2];
  shardspec_metadata *source = rows(3, 7), *destination = columns(4, 7);
  shardspec_tensor_view sources[3], destinations[4];
  shardspec_copy_options options = {.struct_size = sizeof options, .max_threads = 2};
  shardspec_plan *plan;
  const size_t one[] = {2}, backwards[] = {2, 1, 0};
  for (size_t i = 0; i < 7; i++) {
    shardspec_tensor_view *view = i < 3 ? &sources[i] : &destinations[i - 3];
    CHECK_OK(shardspec_metadata_get_shard(i < 3 ? source : destination, i < 3 ? i : i - 3, NULL, shapes[i], 2,
                                      &err));
    *view = view_of(i < 3 ? from[i] : to[i - 3], FLOAT32, shapes[i], 2);
  }
  for (int i = 0; i < 42; i++) from[i / 18][i % 18] = (float)i;
  CALL(OK, shardspec_plan_new, source, destination, &out.plan);
  plan = out.plan;
  written_next(to, sizeof to);
  CALL(OK, shardspec_plan_execute, plan, NULL, sources, 3, NULL, destinations, 4, &options);
  CHECK_EQUAL(to[1][2], 8);
  shardspec_tensor_view turned[] = {sources[2], sources[1], sources[0]};
  written_next(to[2], sizeof to[2]);
  CALL(OK, shardspec_plan_execute, plan, backwards, turned, 3, one, &destinations[2], 1, NULL);
  CALL(NOT_FOUND, shardspec_plan_execute, plan, one, &sources[2], 1, one, &destinations[2], 1, NULL);
  CALL(INVALID_ARGUMENT, shardspec_plan_execute, plan, (const size_t[]){2, 2},
       (shardspec_tensor_view[]){sources[2], sources[2]}, 2, one,
       &destinations[2], 1, NULL);
  destinations[1].data = destinations[0].data;
  CALL(ALIASED, shardspec_plan_execute, plan, NULL, sources, 3, NULL, destinations, 4, &options);
  destinations[1].data = to[1], sources[2].data = NULL;
  CALL(NULL_ARGUMENT, shardspec_plan_execute, plan, NULL, sources, 3, NULL, destinations, 4, &options);
  CALL(OK, shardspec_plan_fingerprints, plan, &out.u64, &out.u64);
  CALL(OK, shardspec_metadata_fingerprint, source, &out.u64);
  execute_on_tensors(plan, source, destination);
  FREE(shardspec_plan_free, plan);
  drop_metadata(source), drop_metadata(destination);
}

void traffic_and_runs(void) {
  static const shardspec_merge_options exact = {
    .struct_size = sizeof exact, .max_gap = -1, .over_read = 1.0};
  shardspec_metadata *source = rows(3, 7), *destination = columns(4, 7);
  shardspec_plan *plan;
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  CALL(OK, shardspec_plan_shard_traffic, plan, 0, out.sizes, out.more_sizes, out.numbers, 16, &out.size);
  CHECK_EQUAL(out.size, 9);
  CALL(BUFFER_TOO_SMALL, shardspec_plan_shard_traffic, plan, 0, out.sizes, out.more_sizes, out.numbers, 8,
       &out.size);
  CALL(INVALID_ARGUMENT, shardspec_plan_shard_traffic, plan, 3, out.sizes, out.more_sizes, out.numbers, 16,
       &out.size);
  CALL(OK, shardspec_plan_rank_traffic, plan, 4, out.numbers, NULL, out.more_numbers, 16, &out.size);
  CALL(OK, shardspec_plan_shard_runs, plan, 1, 2, 4, out.runs, 16, &out.size);
  CHECK_EQUAL(out.runs[0].block_count, 3);
  CALL(INDEX_OUT_OF_RANGE, shardspec_plan_shard_runs, plan, 1, 9, 4, out.runs, 16, &out.size);
  CALL(OK, shardspec_plan_rank_runs, plan, 1, 2, 4, out.runs, 16, &out.size);
  CALL(INVALID_ARGUMENT, shardspec_plan_rank_runs, plan, -7, 2, 4, out.runs, 16, &out.size);
  CALL(OK, shardspec_plan_shard_reads, plan, 1, 2, 4, &exact, out.reads, 16, out.runs, 16, &out.size, &out.other_size);
  CHECK(out.size == 3 && out.reads[2].first_run == 2);
  CALL(BUFFER_TOO_SMALL, shardspec_plan_shard_reads, plan, 1, 2, 4, &exact, out.reads, 2, out.runs, 16, &out.size,
       &out.other_size);
  CALL(OK, shardspec_plan_rank_reads, plan, 1, 2, 4, NULL, out.reads, 16, out.runs, 16, &out.size, &out.other_size);
  CHECK_EQUAL(out.size, 1);
  CALL(INVALID_ARGUMENT, shardspec_plan_rank_reads, plan, -7, 2, 4, NULL, out.reads, 16, out.runs, 16, &out.size,
       &out.other_size);
  FREE(shardspec_plan_free, plan);
  drop_metadata(source), drop_metadata(destination);
}

void relabelled_metadata(void) {
  static const uint32_t turned[] = {2, 0, 1};
  shardspec_metadata *source = rows(3, 7), *destination;
  shardspec_plan *plan;
  CALL(OK, shardspec_metadata_relabel, source, turned, 3, &out.metadata);
  destination = out.metadata;
  CALL(INVALID_ARGUMENT, shardspec_metadata_relabel, source, turned, 2, &out.metadata);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_relabel, source, (const uint32_t[]){0, 1, 3}, 3, &out.metadata);
  CALL(OK, shardspec_plan_new, source, destination, &out.plan);
  plan = out.plan;
  CALL(OK, shardspec_plan_suggest_placements, plan, out.u32s, 16, &out.size, &out.i64, &out.other_i64);
  CHECK_EQUAL(out.other_i64, 0);
  CALL(BUFFER_TOO_SMALL, shardspec_plan_suggest_placements, plan, out.u32s, 2, &out.size, NULL, NULL);
  FREE(shardspec_plan_free, plan);
  FREE(shardspec_metadata_free, destination);
  drop_metadata(source);
}
