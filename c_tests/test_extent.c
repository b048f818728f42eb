/* Shards that are no boxes: dim maps, holes, flattened dimensions and replicas. */
#include "check.h"

static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2"};

/* Ten indices dealt in blocks of two to two ranks: 0 1 4 5 8 9 and 2 3 6 7. The second has two holes. */
static const shardspec_stretch DEALT[] = {{0, 0, 2, 3, 4, 2}, {2, 0, 2, 2, 4, 2}};
static const int64_t WHAT[2][6] = {{0, 1, 4, 5, 8, 9}, {2, 3, 6, 7, -1, -1}};

static shardspec_shards *dealt(void) {
  static const int64_t offsets[] = {0, 2}, lengths[] = {6, 6};
  static const size_t ends[] = {1, 2};
  static const uint32_t numbers[] = {0, 1};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *boxes, *shards;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, lengths, NULL, 1, 2, RANKS, 2, &boxes, &err));
  CHECK_OK(shardspec_shards_new_with_dim_maps(boxes, DEALT, 2, ends, 2, numbers, &shards, &err));
  CHECK_OK(shardspec_shards_free(boxes, &err)); /* the list does not need it */
  return shards;
}

static shardspec_metadata *metadata_of(shardspec_shards *shards, const int64_t *sizes, size_t ndim,
                                       int32_t replicas) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_metadata_new_from_shards(shards, sizes, ndim, NULL, replicas, &metadata, &err));
  CHECK_OK(shardspec_shards_free(shards, &err)); /* nor does metadata */
  return metadata;
}

static void what_shards_have_is_told_as_stretches(void) {
  static const int64_t sizes[] = {10};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *shards = dealt();
  shardspec_stretch told[2];
  size_t ends[2] = {77, 77}, count = 77, maps = 77, ndim = 77;
  uint32_t numbers[2] = {77, 77};
  int32_t yes = 77;
  CHECK_OK(shardspec_shards_are_boxes(shards, &yes, &err));
  CHECK_EQUAL(yes, 0);
  CHECK_OK(shardspec_shards_get_stretches(shards, 1, 0, told, 2, &count, &err));
  CHECK(count == 1 && memcmp(told, DEALT + 1, sizeof *told) == 0);
  CHECK_OK(shardspec_shards_get_dim_maps(shards, told, 2, ends, 2, numbers, 2, &count, &maps, &err));
  CHECK(count == 2 && maps == 2 && ends[0] == 1 && ends[1] == 2 && numbers[1] == 1);
  CHECK(memcmp(told, DEALT, sizeof DEALT) == 0);
  CHECK_STATUS(shardspec_shards_get_dim_maps(shards, told, 1, ends, 2, numbers, 2, &count, &maps, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_STATUS(shardspec_shards_get_stretches(shards, 2, 0, told, 2, &count, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_STATUS(shardspec_shards_get_stretches(shards, 0, 1, told, 2, &count, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);

  shardspec_metadata *metadata = metadata_of(shards, sizes, 1, 0);
  CHECK_OK(shardspec_metadata_is_box(metadata, 0, &yes, &err));
  CHECK_EQUAL(yes, 0);
  CHECK_OK(shardspec_metadata_has_replicas(metadata, &yes, &err));
  CHECK_EQUAL(yes, 0);
  CHECK_OK(shardspec_metadata_buffer_ndim(metadata, &ndim, &err));
  CHECK_EQUAL(ndim, 1);
  CHECK_OK(shardspec_metadata_get_stretches(metadata, 0, 0, NULL, 0, &count, &err));
  CHECK_EQUAL(count, 1);
  for (size_t shard = 0; shard < 2; shard++)
    for (int64_t place = 0; place < 6; place++) {
      int64_t element = 77, local = 77;
      size_t owner = 77;
      if (WHAT[shard][place] < 0) {
        CHECK_STATUS(shardspec_metadata_globalize(metadata, &shard, &place, 1, &element, &err),
                     SHARDSPEC_NOT_FOUND);
        CHECK(element == 77);
        continue;
      }
      CHECK_OK(shardspec_metadata_globalize(metadata, &shard, &place, 1, &element, &err));
      CHECK_EQUAL(element, WHAT[shard][place]);
      CHECK_OK(shardspec_metadata_locate(metadata, &element, 1, &owner, &local, &err));
      CHECK(owner == shard && local == place);
    }
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void shards_are_scattered_with_zeros_in_holes_and_gathered_without(void) {
  static int64_t sizes[] = {10}, length[] = {6};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata = metadata_of(dealt(), sizes, 1, 0);
  float full[10], back[10] = {0}, data[2][6];
  for (int i = 0; i < 10; i++) full[i] = (float)(i + 1);
  for (int i = 0; i < 6; i++) data[0][i] = data[1][i] = 99;
  shardspec_tensor_view whole = view_of(full, FLOAT32, sizes, 1), again = view_of(back, FLOAT32, sizes, 1);
  shardspec_tensor_view shards[2] = {view_of(data[0], FLOAT32, length, 1),
                                     view_of(data[1], FLOAT32, length, 1)};
  CHECK_OK(shardspec_metadata_scatter(metadata, &whole, shards, 2, NULL, &err));
  for (int shard = 0; shard < 2; shard++)
    for (int i = 0; i < 6; i++) CHECK(data[shard][i] == (float)(WHAT[shard][i] + 1));
  data[1][4] = 99; /* holes are not read */
  CHECK_OK(shardspec_metadata_gather(metadata, shards, 2, &again, NULL, &err));
  CHECK(memcmp(full, back, sizeof full) == 0);
  shardspec_tensor_view part = {0};
  int64_t shape[1], strides[1];
  CHECK_STATUS(shardspec_metadata_view_shard(metadata, 0, &whole, shape, strides, 1, &part, &err),
               SHARDSPEC_UNSUPPORTED);
  CHECK(part.data == NULL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void pieces_of_plans_go_through_buffers_in_steps(void) {
  static const int64_t sizes[] = {10};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *chunks, *metadata = metadata_of(dealt(), sizes, 1, 0);
  shardspec_plan *plan;
  size_t count = 77, ndims[3] = {77, 77, 77}, from_dims[4], to_dims[4];
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 1, NULL, &chunks, &err));
  CHECK_OK(shardspec_plan_new(metadata, chunks, &plan, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &count, &err));
  CHECK_OK(shardspec_plan_ndims(plan, &ndims[0], &ndims[1], &ndims[2], &err));
  CHECK(ndims[0] == 1 && ndims[1] == 1 && ndims[2] == 2 && count >= 2 && count <= 8);
  size_t sources[8], destinations[8];
  int64_t from[8], to[8], lengths[16], from_steps[16], to_steps[16], seen[10];
  memset(seen, -1, sizeof seen);
  CHECK_OK(shardspec_plan_pieces(plan, 0, count, sources, destinations, from, to, lengths, &err));
  CHECK_OK(shardspec_plan_piece_steps(plan, 0, count, from_dims, to_dims, from_steps, to_steps, &err));
  CHECK(from_dims[0] == 0 && from_dims[1] == 0 && to_dims[0] == 0 && to_dims[1] == 0);
  for (size_t i = 0; i < count; i++)
    for (int64_t row = 0; row < lengths[2 * i]; row++)
      for (int64_t at = 0; at < lengths[2 * i + 1]; at++) {
        int64_t place = from[i] + row * from_steps[2 * i] + at * from_steps[2 * i + 1];
        seen[to[i] + row * to_steps[2 * i] + at * to_steps[2 * i + 1]] = WHAT[sources[i]][place];
      }
  for (int64_t i = 0; i < 10; i++) CHECK_EQUAL(seen[i], i);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(chunks, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void flattened_dimensions_are_one_in_shards(void) {
  static int64_t sizes[] = {3, 4}, lengths[] = {5, 7};
  static const int64_t offsets[] = {0, 5};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *lines, *flat;
  float full[12], back[12] = {0}, data[12];
  for (int i = 0; i < 12; i++) full[i] = (float)i;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, lengths, NULL, 1, 2, RANKS, 2, &lines, &err));
  flat = NULL;
  CHECK_STATUS(shardspec_shards_new_flattened(lines, sizes, 2, 1, 2, &flat, &err), SHARDSPEC_INVALID_DIM);
  CHECK_STATUS(shardspec_shards_new_flattened(lines, sizes, 2, 0, 1, &flat, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK(flat == NULL);
  CHECK_OK(shardspec_shards_new_flattened(lines, sizes, 2, 0, 2, &flat, &err));
  CHECK_OK(shardspec_shards_free(lines, &err));
  shardspec_metadata *metadata = metadata_of(flat, sizes, 2, 0);
  size_t ndim = 77, shard = 77;
  CHECK_OK(shardspec_metadata_buffer_ndim(metadata, &ndim, &err));
  CHECK_EQUAL(ndim, 1);
  static const int64_t element[] = {1, 2}; /* number 6 */
  int64_t local = 77;
  CHECK_OK(shardspec_metadata_locate(metadata, element, 1, &shard, &local, &err));
  CHECK(shard == 1 && local == 1);
  shardspec_tensor_view whole = view_of(full, FLOAT32, sizes, 2), again = view_of(back, FLOAT32, sizes, 2);
  shardspec_tensor_view shards[2] = {view_of(data, FLOAT32, &lengths[0], 1),
                                     view_of(data + 5, FLOAT32, &lengths[1], 1)};
  CHECK_OK(shardspec_metadata_scatter(metadata, &whole, shards, 2, NULL, &err));
  CHECK(memcmp(full, data, sizeof full) == 0);
  CHECK_OK(shardspec_metadata_gather(metadata, shards, 2, &again, NULL, &err));
  CHECK(memcmp(full, back, sizeof full) == 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void replicas_are_refused_unless_they_are_declared(void) {
  static int64_t sizes[] = {4}, lengths[] = {2, 2, 2};
  static const int64_t offsets[] = {0, 2, 2};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *list;
  shardspec_metadata *metadata = NULL;
  int32_t yes = 77;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, lengths, NULL, 1, 3, RANKS, 3, &list, &err));
  CHECK_STATUS(shardspec_metadata_new_from_shards(list, sizes, 1, NULL, 0, &metadata, &err),
               SHARDSPEC_OVERLAP);
  static const int64_t longer[] = {5};
  CHECK_STATUS(shardspec_metadata_new_from_shards(list, longer, 1, NULL, 1, &metadata, &err),
               SHARDSPEC_GAP);
  CHECK(metadata == NULL);
  metadata = metadata_of(list, sizes, 1, 1);
  CHECK_OK(shardspec_metadata_has_replicas(metadata, &yes, &err));
  CHECK_EQUAL(yes, 1);
  static const int64_t element[] = {3};
  size_t owner = 77;
  CHECK_OK(shardspec_metadata_shard_at(metadata, element, 1, &owner, &err));
  CHECK_EQUAL(owner, 1);
  float full[4] = {1, 2, 3, 4}, back[4] = {0}, data[3][2];
  shardspec_tensor_view whole = view_of(full, FLOAT32, sizes, 1), again = view_of(back, FLOAT32, sizes, 1);
  shardspec_tensor_view shards[3];
  for (int i = 0; i < 3; i++) shards[i] = view_of(data[i], FLOAT32, lengths, 1);
  CHECK_OK(shardspec_metadata_scatter(metadata, &whole, shards, 3, NULL, &err));
  CHECK(data[1][0] == 3 && data[1][1] == 4 && data[2][0] == 3 && data[2][1] == 4);
  CHECK_OK(shardspec_metadata_gather(metadata, shards, 3, &again, NULL, &err));
  CHECK(memcmp(full, back, sizeof full) == 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void stretches_that_are_none_are_refused_with_their_position(void) {
  static const int64_t offsets[] = {0, 0}, lengths[] = {6, 4};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *boxes, *out = NULL;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, lengths, NULL, 1, 2, RANKS, 2, &boxes, &err));
  static const struct {
    shardspec_stretch stretches[2];
    size_t ends[2];
    uint32_t numbers[2];
    shardspec_status status;
    int64_t index;
  } wrong[] = {
      {{{0, 0, 2, 3, 1, 2}, {0, 0, 4, 1, 4, 4}}, {1, 2}, {0, 1}, SHARDSPEC_INVALID_ARGUMENT, 0},
      {{{0, 0, 2, 3, 4, 2}, {-1, 0, 4, 1, 4, 4}}, {1, 2}, {0, 1}, SHARDSPEC_INVALID_ARGUMENT, 1},
      {{{0, 0, 2, 3, 4, 2}, {0, 1, 4, 1, 4, 4}}, {1, 2}, {0, 1}, SHARDSPEC_INVALID_ARGUMENT, 1},
      {{{0, 0, 2, 1, 2, 2}, {1, 2, 2, 1, 2, 2}}, {2, 2}, {0, 1}, SHARDSPEC_INVALID_ARGUMENT, 0},
      {{{0, 0, 2, 2, 4, 2}, {8, 4, 2, 1, 2, 2}}, {2, 1}, {0, 1}, SHARDSPEC_INVALID_ARGUMENT, 1},
      {{{0, 0, 2, 3, 4, 2}, {0, 0, 4, 1, 4, 4}}, {1, 2}, {0, 2}, SHARDSPEC_INDEX_OUT_OF_RANGE, 1},
      {{{0, 0, 2, 2, 4, 2}, {9, 0, 4, 1, 4, 4}}, {1, 2}, {0, 0}, SHARDSPEC_SHAPE_MISMATCH, 1},
  };
  for (size_t i = 0; i < COUNT(wrong); i++) {
    CHECK_STATUS(shardspec_shards_new_with_dim_maps(boxes, wrong[i].stretches, 2, wrong[i].ends, 2,
                                                    wrong[i].numbers, &out, &err),
                 wrong[i].status);
    CHECK_EQUAL(err.index, wrong[i].index);
    CHECK(out == NULL);
  }
  CHECK_OK(shardspec_shards_free(boxes, &err));
}

static void steps_of_one_block_are_ignored_and_adjacent_blocks_are_one(void) {
  static const int64_t offsets[] = {0, 0}, lengths[] = {6, 4};
  static const shardspec_stretch passed[] = {{3, 0, 6, 1, 0, INT64_MIN}, {1, 0, 2, 2, 2, 2}};
  static const shardspec_stretch returned[] = {{3, 0, 6, 1, 6, 6}, {1, 0, 4, 1, 4, 4}};
  static const size_t ends[] = {1, 2};
  static const uint32_t numbers[] = {0, 1};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *boxes, *shards;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, lengths, NULL, 1, 2, RANKS, 2, &boxes, &err));
  CHECK_OK(shardspec_shards_new_with_dim_maps(boxes, passed, 2, ends, 2, numbers, &shards, &err));
  for (size_t shard = 0; shard < 2; shard++) {
    shardspec_stretch stretch;
    size_t count = 77;
    CHECK_OK(shardspec_shards_get_stretches(shards, shard, 0, &stretch, 1, &count, &err));
    CHECK(count == 1 && memcmp(&stretch, returned + shard, sizeof stretch) == 0);
  }
  CHECK_OK(shardspec_shards_free(shards, &err));
  CHECK_OK(shardspec_shards_free(boxes, &err));
}

int main(void) {
  what_shards_have_is_told_as_stretches();
  shards_are_scattered_with_zeros_in_holes_and_gathered_without();
  pieces_of_plans_go_through_buffers_in_steps();
  flattened_dimensions_are_one_in_shards();
  replicas_are_refused_unless_they_are_declared();
  stretches_that_are_none_are_refused_with_their_position();
  steps_of_one_block_are_ignored_and_adjacent_blocks_are_one();
  return 0;
}
