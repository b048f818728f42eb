/* Plans. */
#include "misuse.h"
#include "../lists.h"

static shardspec_metadata *other;
static shardspec_plan *plan;

static void misuse_new_plans(void) {
  static const size_t both[] = {0, 1}, past_end[] = {0, 2};
  static const int64_t narrow[] = {4, 2}, flat[] = {12}, half[] = {2, 3}, start[] = {0, 0};
  shardspec_tensor_properties float32 = {sizeof float32, {0, 0, 0}, 0, 0, 0, 0, 0}, int32;
  shardspec_metadata *freed, *narrower, *flatter, *floats, *ints;
  CHECK_OK(shardspec_tensor_properties_init(&float32, &err));
  int32 = float32;
  int32.dtype.code = SHARDSPEC_DTYPE_INT;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, narrow, 2, NULL, &narrower, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, flat, 1, NULL, &flatter, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, &float32, &floats, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, &int32, &ints, &err));
  wrong_handles_for(freed, metadata, placement, chunk);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_plan_new, H, other, &out.plan);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_plan_new, metadata, H, &out.plan);
  MISUSE(SHAPE_MISMATCH, "another tensor", shardspec_plan_new, metadata, narrower, &out.plan);
  MISUSE(NDIM_MISMATCH, "fewer dimensions", shardspec_plan_new, metadata, flatter, &out.plan);
  MISUSE(DTYPE_MISMATCH, "another type", shardspec_plan_new, floats, ints, &out.plan);
  WRONG_OUT(shardspec_plan *, shardspec_plan_new, metadata, other, P);
  WRONG_ERROR(shardspec_plan_new, metadata, other, &out.plan);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_plan_new_for_destinations, H, other, both, 2, &out.plan);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_plan_new_for_destinations, metadata, H, both, 2, &out.plan);
  MISUSE(SHAPE_MISMATCH, "another tensor", shardspec_plan_new_for_destinations, metadata, narrower, both, 2, &out.plan);
  MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", shardspec_plan_new_for_destinations, metadata, other, past_end, 2, &out.plan);
  MISUSE(NULL_ARGUMENT, "NULL wanted", shardspec_plan_new_for_destinations, metadata, other, NULL, 2, &out.plan);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX wanted", shardspec_plan_new_for_destinations, metadata, other, both, SIZE_MAX, &out.plan);
  WRONG_OUT(shardspec_plan *, shardspec_plan_new_for_destinations, metadata, other, both, 2, P);
  WRONG_ERROR(shardspec_plan_new_for_destinations, metadata, other, both, 2, &out.plan);

  shardspec_shards *all, *some, *line, *freed_shards;
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &all, &err));
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &freed_shards, &err));
  CHECK_OK(shardspec_shards_free(freed_shards, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(start, half, NULL, 2, 1, RANKS, 1, &some, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(start, half, NULL, 1, 1, RANKS, 1, &line, &err));
  wrong_handles_for(freed_shards, all, metadata, chunk);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_plan_new_from_shards, H, all, &out.plan);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_plan_new_from_shards, all, H, &out.plan);
  MISUSE(GAP, "wanted and nowhere", shardspec_plan_new_from_shards, some, all, &out.plan);
  MISUSE(NDIM_MISMATCH, "fewer dimensions", shardspec_plan_new_from_shards, all, line, &out.plan);
  WRONG_OUT(shardspec_plan *, shardspec_plan_new_from_shards, all, some, P);
  WRONG_ERROR(shardspec_plan_new_from_shards, all, some, &out.plan);
  CHECK_OK(shardspec_shards_free(all, &err));
  CHECK_OK(shardspec_shards_free(some, &err));
  CHECK_OK(shardspec_shards_free(line, &err));
  CHECK_OK(shardspec_metadata_free(narrower, &err));
  CHECK_OK(shardspec_metadata_free(flatter, &err));
  CHECK_OK(shardspec_metadata_free(floats, &err));
  CHECK_OK(shardspec_metadata_free(ints, &err));
}

/* Of tensors that have no shards here: their layout is the first of the plan's two. */
static void misuse_execute_sharded_tensors(void) {
  shardspec_tensor_properties float32 = {sizeof float32, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_copy_options small = {4, 0, 0};
  shardspec_metadata *typed;
  shardspec_sharded_tensor *tensor;
  CHECK_OK(shardspec_tensor_properties_init(&float32, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, &float32, &typed, &err));
  CHECK_OK(shardspec_sharded_tensor_new(typed, "rank:77", 0, &tensor, &err));
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_execute_sharded_tensors, H, tensor, tensor, NULL);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_plan_execute_sharded_tensors, plan, H, tensor, NULL);
  WRONG_HANDLE(shardspec_sharded_tensor, NULL_ARGUMENT, shardspec_plan_execute_sharded_tensors, plan, tensor, H, NULL);
  MISUSE(INVALID_ARGUMENT, "another layout", shardspec_plan_execute_sharded_tensors, plan, tensor, tensor, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_plan_execute_sharded_tensors, plan, tensor, tensor, &small);
  WRONG_ERROR(shardspec_plan_execute_sharded_tensors, plan, tensor, tensor, NULL);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(typed, &err));
}

static void misuse_execute(void) {
  static const size_t both[] = {0, 1}, twice[] = {0, 0}, past_end[] = {0, 2};
  int64_t shape[] = {2, 3}, wrong_shape[] = {2, 2};
  static float memory[2][6];
  shardspec_copy_options small = {4, 0, 0};
  shardspec_tensor_view to[2], wrong[2];
  for (int i = 0; i < 2; i++) to[i] = view_of(memory[i], FLOAT32, shape, 2);
#define EXECUTE(status, misuse, ...) MISUSE(status, misuse, shardspec_plan_execute, plan, __VA_ARGS__)
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_execute, H, NULL, shards, 2, NULL, to, 2, NULL);
  EXECUTE(NULL_ARGUMENT, "NULL sources", NULL, NULL, 2, NULL, to, 2, NULL);
  EXECUTE(NULL_ARGUMENT, "NULL destinations", NULL, shards, 2, NULL, NULL, 2, NULL);
  EXECUTE(INVALID_ARGUMENT, "SIZE_MAX sources", NULL, shards, SIZE_MAX, NULL, to, 2, NULL);
  EXECUTE(INVALID_ARGUMENT, "a source twice", twice, shards, 2, both, to, 2, NULL);
  EXECUTE(INVALID_ARGUMENT, "a destination twice", both, shards, 2, twice, to, 2, NULL);
  EXECUTE(INDEX_OUT_OF_RANGE, "source 2 of 2", past_end, shards, 2, both, to, 2, NULL);
  EXECUTE(INDEX_OUT_OF_RANGE, "destination 2 of 2", both, shards, 2, past_end, to, 2, NULL);
  EXECUTE(NOT_FOUND, "a source is missing", NULL, shards, 1, NULL, to, 2, NULL);
  EXECUTE(INVALID_ARGUMENT, "options of 4 bytes", NULL, shards, 2, NULL, to, 2, &small);
  memcpy(wrong, to, sizeof to), wrong[1].shape = wrong_shape;
  EXECUTE(SHAPE_MISMATCH, "another shape", NULL, shards, 2, NULL, wrong, 2, NULL);
  memcpy(wrong, to, sizeof to), wrong[1].dtype.bits = 64;
  EXECUTE(DTYPE_MISMATCH, "another type", NULL, shards, 2, NULL, wrong, 2, NULL);
  memcpy(wrong, to, sizeof to), wrong[1].data = NULL;
  EXECUTE(NULL_ARGUMENT, "NULL data", NULL, shards, 2, NULL, wrong, 2, NULL);
  memcpy(wrong, to, sizeof to), wrong[1].device.device_type = 2;
  EXECUTE(UNSUPPORTED_DEVICE, "another device", NULL, shards, 2, NULL, wrong, 2, NULL);
  memcpy(wrong, to, sizeof to), wrong[1].data = memory[0] + 5;
  EXECUTE(ALIASED, "onto each other", NULL, shards, 2, NULL, wrong, 2, NULL);
  memcpy(wrong, to, sizeof to), wrong[1].data = shard_data[0];
  EXECUTE(ALIASED, "onto a source", NULL, shards, 2, NULL, wrong, 2, NULL);
  WRONG_ERROR(shardspec_plan_execute, plan, NULL, shards, 2, NULL, to, 2, NULL);
  for (size_t i = 0; i < 6; i++) CHECK(memory[0][i] == 0 && memory[1][i] == 0);
}

/* Options that no picture has. */
static void misuse_draw_options(void) {
  static const int64_t start[] = {0, 0}, beyond[] = {4, 4}, negative[] = {-1, 0};
  static const size_t axes[] = {0, 1, 1}, past_end[] = {0, 2}, twice[] = {1, 1};
#define DRAW(status, misuse, field, value)                                                         \
  do {                                                                                             \
    shardspec_draw_options wrong = SHARDSPEC_DRAW_OPTIONS_INIT;                                    \
    wrong.field = value;                                                                           \
    MISUSE(status, misuse, shardspec_metadata_draw, metadata, &wrong, NULL, 0, &out.needed);       \
    MISUSE(status, misuse, shardspec_metadata_draw_diff, metadata, other, &wrong, NULL, 0, &out.needed); \
  } while (0)
  DRAW(INVALID_ARGUMENT, "options of 4 bytes", struct_size, 4);
  DRAW(INVALID_ARGUMENT, "format 2", format, 2);
  DRAW(INVALID_ARGUMENT, "theme 3", theme, 3);
  DRAW(INVALID_ARGUMENT, "color 2", color, 2);
  DRAW(INVALID_ARGUMENT, "ascii -1", ascii, -1);
  DRAW(INVALID_ARGUMENT, "width 39", width, 39);
  DRAW(INVALID_ARGUMENT, "width 401", width, 401);
  DRAW(NULL_ARGUMENT, "NULL axes", axis_count, 1);
  DRAW(NULL_ARGUMENT, "NULL window", window_ndim, 2);
  DRAW(INVALID_ARGUMENT, "three axes", axes, axes; wrong.axis_count = 3);
  DRAW(INVALID_ARGUMENT, "an axis twice", axes, twice; wrong.axis_count = 2);
  DRAW(INDEX_OUT_OF_RANGE, "axis 2 of 2", axes, past_end; wrong.axis_count = 2);
  DRAW(INVALID_ARGUMENT, "a window of 1 dimension", window_offsets, start; wrong.window_sizes = beyond; wrong.window_ndim = 1);
  DRAW(INVALID_ARGUMENT, "a window beyond the tensor", window_offsets, start; wrong.window_sizes = beyond; wrong.window_ndim = 2);
  DRAW(INVALID_ARGUMENT, "a negative window", window_offsets, negative; wrong.window_sizes = TENSOR; wrong.window_ndim = 2);
  DRAW(INVALID_ARGUMENT, "an empty window", window_offsets, start; wrong.window_sizes = start; wrong.window_ndim = 2);
}

static void misuse_pictures(shardspec_plan *freed_plan) {
  static const int64_t narrow[] = {4, 2}, negative[] = {-4, 3}, huge[] = {INT64_MAX, 3};
  shardspec_draw_options wrong = SHARDSPEC_DRAW_OPTIONS_INIT;
  shardspec_metadata *freed, *narrower;
  shardspec_shards *all, *freed_shards;
  wrong.width = 39;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, narrow, 2, NULL, &narrower, &err));
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &all, &err));
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &freed_shards, &err));
  CHECK_OK(shardspec_shards_free(freed_shards, &err));
  misuse_draw_options();

  wrong_handles_for(freed, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_draw, H, NULL, NULL, 0, &out.needed);
  WRONG_TEXT(shardspec_metadata_draw, metadata, NULL, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_metadata_draw, metadata, NULL, NULL, 0, &out.needed);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_draw_diff, H, other, NULL, NULL, 0, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_draw_diff, metadata, H, NULL, NULL, 0, &out.needed);
  MISUSE(SHAPE_MISMATCH, "another tensor", shardspec_metadata_draw_diff, metadata, narrower, NULL, NULL, 0, &out.needed);
  WRONG_TEXT(shardspec_metadata_draw_diff, metadata, other, NULL, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_metadata_draw_diff, metadata, other, NULL, NULL, 0, &out.needed);

  wrong_handles_for(freed_shards, all, metadata, chunk);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_draw, H, TENSOR, 2, NULL, NULL, 0, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_shards_draw, all, NULL, 2, NULL, NULL, 0, &out.needed);
  MISUSE(NDIM_MISMATCH, "one dimension", shardspec_shards_draw, all, TENSOR, 1, NULL, NULL, 0, &out.needed);
  MISUSE(INVALID_ARGUMENT, "a negative size", shardspec_shards_draw, all, negative, 2, NULL, NULL, 0, &out.needed);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", shardspec_shards_draw, all, TENSOR, SIZE_MAX, NULL, NULL, 0, &out.needed);
  MISUSE(OVERFLOW, "too many elements", shardspec_shards_draw, all, huge, 2, NULL, NULL, 0, &out.needed);
  MISUSE(INVALID_ARGUMENT, "width 39", shardspec_shards_draw, all, TENSOR, 2, &wrong, NULL, 0, &out.needed);
  WRONG_TEXT(shardspec_shards_draw, all, TENSOR, 2, NULL, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_shards_draw, all, TENSOR, 2, NULL, NULL, 0, &out.needed);

  wrong_handles_for(freed_plan, plan, metadata, chunk);
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_draw, H, NULL, NULL, 0, &out.needed);
  MISUSE(INVALID_ARGUMENT, "width 39", shardspec_plan_draw, plan, &wrong, NULL, 0, &out.needed);
  WRONG_TEXT(shardspec_plan_draw, plan, NULL, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_plan_draw, plan, NULL, NULL, 0, &out.needed);
  CHECK_OK(shardspec_shards_free(all, &err));
  CHECK_OK(shardspec_metadata_free(narrower, &err));
}

void misuse_plans(void) {
  static const int64_t nodes[] = {0, 1};
  shardspec_plan *freed;
  shardspec_spec *turned;
  CHECK_OK(inferred_of_arrays(OFFSETS, SIZES, NULL, 2, 2, (const char *const[]){"rank:1", "rank:0"}, 2, &turned, &err));
  CHECK_OK(shardspec_spec_build_metadata(turned, TENSOR, 2, NULL, &other, &err));
  CHECK_OK(shardspec_plan_new(metadata, other, &plan, &err));
  CHECK_OK(shardspec_plan_new(metadata, other, &freed, &err));
  CHECK_OK(shardspec_plan_free(freed, &err));
  misuse_new_plans();

  wrong_handles_for(freed, plan, metadata, chunk);
  WRONG_HANDLE(shardspec_plan, OK, shardspec_plan_free, H);
  WRONG_ERROR(shardspec_plan_free, plan);
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_new_on_nodes, H, nodes, 2, &out.plan);
  MISUSE(NULL_ARGUMENT, "NULL nodes", shardspec_plan_new_on_nodes, plan, NULL, 2, &out.plan);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX nodes", shardspec_plan_new_on_nodes, plan, nodes, SIZE_MAX, &out.plan);
  WRONG_OUT(shardspec_plan *, shardspec_plan_new_on_nodes, plan, nodes, 2, P);
  WRONG_ERROR(shardspec_plan_new_on_nodes, plan, nodes, 2, &out.plan);
#define PLAN_QUESTION(function, type, place)                                                       \
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, function, H, place);                                 \
  WRONG_OUT(type, function, plan, P);                                                              \
  WRONG_ERROR(function, plan, place)
  PLAN_QUESTION(shardspec_plan_piece_count, size_t, &out.size);
  PLAN_QUESTION(shardspec_plan_ndim, size_t, &out.size);
  PLAN_QUESTION(shardspec_plan_is_local, int32_t, &out.i32);
  PLAN_QUESTION(shardspec_plan_is_identity, int32_t, &out.i32);
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_fingerprints, H, &out.u64, (uint64_t *)out.numbers);
  WRONG_OUT(uint64_t, shardspec_plan_fingerprints, plan, P, (uint64_t *)out.numbers);
  WRONG_OUT(uint64_t, shardspec_plan_fingerprints, plan, &out.u64, P);
  WRONG_ERROR(shardspec_plan_fingerprints, plan, &out.u64, (uint64_t *)out.numbers);
#define NOT_ALIGNED(type, place) ((type *)(void *)((char *)(place) + 1))
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_ndims, H, &out.size, &out.needed, out.indices);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_plan_ndims, plan, &out.size, &out.needed, NOT_ALIGNED(size_t, out.indices));
  WRONG_ERROR(shardspec_plan_ndims, plan, &out.size, &out.needed, out.indices);
#define STEPS out.indices, out.indices + 4, out.numbers, out.more_numbers
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_piece_steps, H, 0, 2, STEPS);
  MISUSE(INDEX_OUT_OF_RANGE, "one too many", shardspec_plan_piece_steps, plan, 1, 2, STEPS);
  MISUSE(INDEX_OUT_OF_RANGE, "from SIZE_MAX on", shardspec_plan_piece_steps, plan, SIZE_MAX, 2, STEPS);
  MISUSE(INDEX_OUT_OF_RANGE, "SIZE_MAX pieces", shardspec_plan_piece_steps, plan, 1, SIZE_MAX, STEPS);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_plan_piece_steps, plan, 0, 2, out.indices, out.indices + 4, out.numbers, NOT_ALIGNED(int64_t, out.more_numbers));
  WRONG_ERROR(shardspec_plan_piece_steps, plan, 0, 2, STEPS);
#define PIECES out.indices, out.indices + 4, out.numbers, out.numbers + 8, out.more_numbers
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_pieces, H, 0, 2, PIECES);
  MISUSE(INDEX_OUT_OF_RANGE, "one too many", shardspec_plan_pieces, plan, 1, 2, PIECES);
  MISUSE(INDEX_OUT_OF_RANGE, "from SIZE_MAX on", shardspec_plan_pieces, plan, SIZE_MAX, 2, PIECES);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_plan_pieces, plan, 0, 2, NOT_ALIGNED(size_t, out.indices), NULL, NULL, NULL, NULL);
  WRONG_ERROR(shardspec_plan_pieces, plan, 0, 2, PIECES);
  WRONG_HANDLE(shardspec_plan, NULL_ARGUMENT, shardspec_plan_pieces_of_destination, H, 0, &out.size, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "destination 2 of 2", shardspec_plan_pieces_of_destination, plan, 2, &out.size, &out.needed);
  WRONG_OUT(size_t, shardspec_plan_pieces_of_destination, plan, 0, P, &out.needed);
  WRONG_OUT(size_t, shardspec_plan_pieces_of_destination, plan, 0, &out.size, P);
  WRONG_ERROR(shardspec_plan_pieces_of_destination, plan, 0, &out.size, &out.needed);
  misuse_execute();
  misuse_execute_sharded_tensors();
  misuse_pictures(freed);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(other, &err));
  CHECK_OK(shardspec_spec_free(turned, &err));
}
