/* Shards that are no boxes, and digests of these and others. */
#include "scenarios.h"

void shards_that_are_no_boxes(void) {
  static const shardspec_stretch dealt[] = {{0, 0, 2, 3, 4, 2}, {2, 0, 2, 2, 4, 2}};
  static const int64_t offsets[] = {0, 2}, lengths[] = {6, 6}, line[] = {10};
  static const size_t ends[] = {1, 2};
  static const uint32_t numbers[] = {0, 1};
  shardspec_stretch told[2];
  size_t told_ends[2], dims[4];
  uint32_t told_numbers[2];
  int64_t steps[16];
  shardspec_shards *boxes, *shards;
  shardspec_metadata *metadata, *all;
  shardspec_plan *plan;
  CALL(OK, shardspec_shards_new_from_arrays, offsets, lengths, NULL, 1, 2, RANKS, 2, &out.shards);
  boxes = out.shards;
  CALL(OK, shardspec_shards_new_with_dim_maps, boxes, dealt, 2, ends, 2, numbers, &out.shards);
  shards = out.shards;
  FREE(shardspec_shards_free, boxes);
  CALL(OK, shardspec_shards_are_boxes, shards, &out.i32);
  CALL(OK, shardspec_shards_get_stretches, shards, 0, 0, told, 2, &out.size);
  CALL(OK, shardspec_shards_get_dim_maps, shards, told, 2, told_ends, 2, told_numbers, 2, NULL, &out.size);
  CALL(OK, shardspec_metadata_new_from_shards, shards, line, 1, NULL, 0, &out.metadata);
  metadata = out.metadata;
  CALL(OK, shardspec_metadata_new_from_shards, shards, line, 1, NULL, 1, &out.metadata);
  all = out.metadata;
  FREE(shardspec_shards_free, shards);
  CALL(OK, shardspec_metadata_get_stretches, metadata, 1, 0, told, 2, &out.size);
  CALL(OK, shardspec_metadata_is_box, metadata, 1, &out.i32);
  CALL(OK, shardspec_metadata_has_replicas, metadata, &out.i32);
  CALL(OK, shardspec_metadata_buffer_ndim, metadata, &out.size);
  CALL(OK, shardspec_plan_new, metadata, all, &out.plan);
  plan = out.plan;
  CALL(OK, shardspec_plan_ndims, plan, NULL, NULL, &out.size);
  CALL(OK, shardspec_plan_piece_steps, plan, 0, 1, dims, dims + 2, steps, steps + 8);
  FREE(shardspec_plan_free, plan);
  FREE(shardspec_metadata_free, metadata);
  FREE(shardspec_metadata_free, all);
}

void flattened_shards_and_copies_of_views(void) {
  static const int64_t offsets[] = {0, 5}, lengths[] = {5, 7}, sizes[] = {3, 4};
  static int64_t shape[] = {3, 4};
  float from[12] = {1}, to[12];
  shardspec_tensor_view source = view_of(from, FLOAT32, shape, 2), destination = view_of(to, FLOAT32, shape, 2);
  CALL(OK, shardspec_shards_new_from_arrays, offsets, lengths, NULL, 1, 2, RANKS, 2, &out.shards);
  shardspec_shards *lines = out.shards;
  CALL(OK, shardspec_shards_new_flattened, lines, sizes, 2, 0, 2, &out.shards);
  shardspec_shards *flat = out.shards;
  FREE(shardspec_shards_free, lines);
  FREE(shardspec_shards_free, flat);
  CALL(OK, shardspec_tensor_copy, &source, &destination, NULL);
}

void digests(void) {
  static const shardspec_stretch dealt[] = {{0, 0, 2, 3, 4, 2}, {2, 0, 2, 2, 4, 2}};
  static const int64_t offsets[] = {0, 2}, lengths[] = {6, 6}, line[] = {10};
  static const size_t ends[] = {1, 2}, second[] = {1};
  static const uint32_t numbers[] = {0, 1};
  int64_t shape[] = {6};
  float parts[2][6] = {{1, 2}, {3, 4}};
  shardspec_tensor_view views[] = {view_of(parts[0], FLOAT32, shape, 1), view_of(parts[1], FLOAT32, shape, 1)};
  CALL(OK, shardspec_shards_new_from_arrays, offsets, lengths, NULL, 1, 2, RANKS, 2, &out.shards);
  shardspec_shards *boxes = out.shards;
  CALL(OK, shardspec_shards_new_with_dim_maps, boxes, dealt, 2, ends, 2, numbers, &out.shards);
  shardspec_shards *shards = out.shards;
  FREE(shardspec_shards_free, boxes);
  CALL(OK, shardspec_metadata_new_from_shards, shards, line, 1, NULL, 0, &out.metadata);
  shardspec_metadata *metadata = out.metadata;
  FREE(shardspec_shards_free, shards);
  CALL(OK, shardspec_metadata_digest, metadata, NULL, views, 2, NULL, &out.u64);
  CALL(OK, shardspec_metadata_shard_digests, metadata, second, &views[1], 1, NULL, &out.u64);
  CALL(NULL_ARGUMENT, shardspec_metadata_digest, metadata, second, NULL, 1, NULL, &out.u64);
  CALL(OK, shardspec_sharded_tensor_new_from_local, metadata, NULL, second, &views[1], 1, NULL, NULL, &out.tensor);
  shardspec_sharded_tensor *tensor = out.tensor;
  CALL(OK, shardspec_sharded_tensor_digest, tensor, NULL, &out.u64);
  FREE(shardspec_sharded_tensor_free, tensor);
  FREE(shardspec_metadata_free, metadata);
}
