/* Shards that are no boxes. */
#include "misuse.h"

/* Of rows 0 to 3, dealt one by one to two shards, which have all columns. */
static const shardspec_stretch DEALT[] = {{0, 0, 1, 2, 2, 1}, {1, 0, 1, 2, 2, 1}};
static const size_t ENDS[] = {1, 2};
static const uint32_t NUMBERS[] = {0, SHARDSPEC_INTERVAL, 1, SHARDSPEC_INTERVAL};
static const int64_t MINUS[] = {4, -3}, MOST[] = {INT64_MAX, INT64_MAX};
static shardspec_shards *list, *freed, *dealt;

#define NOT_ALIGNED(type, place) ((type *)(void *)((char *)(place) + 1))

static void misuse_dim_maps(void) {
  static const size_t above[] = {1, 3}, below[] = {2, 1}, left[] = {0, 1}, none[] = {0, SIZE_MAX};
  static const uint32_t past_end[] = {0, SHARDSPEC_INTERVAL, 2, SHARDSPEC_INTERVAL};
  static const uint32_t other_size[] = {0, 0, 1, SHARDSPEC_INTERVAL};
  shardspec_stretch wrong[2];
#define MAP(status, misuse, ...)                                                                   \
  MISUSE(status, misuse, shardspec_shards_new_with_dim_maps, list, __VA_ARGS__, &out.shards)
#define WITH(change) (memcpy(wrong, DEALT, sizeof DEALT), (change), wrong)
#define STRETCH(status, misuse, change) MAP(status, misuse, WITH(change), 2, ENDS, 2, NUMBERS)
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_new_with_dim_maps, H, DEALT, 2, ENDS, 2, NUMBERS, &out.shards);
  MAP(NULL_ARGUMENT, "NULL stretches", NULL, 2, ENDS, 2, NUMBERS);
  MAP(NULL_ARGUMENT, "NULL map_ends", DEALT, 2, NULL, 2, NUMBERS);
  MAP(NULL_ARGUMENT, "NULL map_numbers", DEALT, 2, ENDS, 2, NULL);
  MAP(INVALID_ARGUMENT, "stretches not aligned", NOT_ALIGNED(const shardspec_stretch, DEALT), 1, ENDS, 1, NUMBERS);
  MAP(INVALID_ARGUMENT, "map_ends not aligned", DEALT, 2, NOT_ALIGNED(const size_t, ENDS), 1, NUMBERS);
  MAP(INVALID_ARGUMENT, "map_numbers not aligned", DEALT, 2, ENDS, 2, NOT_ALIGNED(const uint32_t, NUMBERS));
  MAP(INVALID_ARGUMENT, "SIZE_MAX stretches", DEALT, SIZE_MAX, ENDS, 2, NUMBERS);
  MAP(INVALID_ARGUMENT, "SIZE_MAX maps", DEALT, 2, ENDS, SIZE_MAX, NUMBERS);
  MAP(INVALID_ARGUMENT, "an end of 3 of 2", DEALT, 2, above, 2, NUMBERS);
  MAP(INVALID_ARGUMENT, "ends descend", DEALT, 2, below, 2, NUMBERS);
  MAP(INVALID_ARGUMENT, "a stretch of no map", DEALT, 2, left, 2, NUMBERS);
  MAP(INVALID_ARGUMENT, "an end of SIZE_MAX", DEALT, 2, none, 2, NUMBERS);
  MAP(INDEX_OUT_OF_RANGE, "map 2 of 2", DEALT, 2, ENDS, 2, past_end);
  MAP(INDEX_OUT_OF_RANGE, "no maps", NULL, 0, NULL, 0, NUMBERS);
  MAP(SHAPE_MISMATCH, "a map for two lengths", DEALT, 2, ENDS, 2, other_size);
  STRETCH(INVALID_ARGUMENT, "negative global_start", wrong[1].global_start = -1);
  STRETCH(INVALID_ARGUMENT, "negative local_start", wrong[1].local_start = -1);
  STRETCH(INVALID_ARGUMENT, "length 0", wrong[1].length = 0);
  STRETCH(INVALID_ARGUMENT, "length INT64_MIN", wrong[1].length = INT64_MIN);
  STRETCH(INVALID_ARGUMENT, "count 0", wrong[1].count = 0);
  STRETCH(INVALID_ARGUMENT, "count INT64_MAX", wrong[1].count = INT64_MAX);
  STRETCH(INVALID_ARGUMENT, "global_step 0", wrong[1].global_step = 0);
  STRETCH(INVALID_ARGUMENT, "global_step INT64_MAX", wrong[1].global_step = INT64_MAX);
  STRETCH(INVALID_ARGUMENT, "local_step 0", wrong[1].local_step = 0);
  STRETCH(INVALID_ARGUMENT, "past the buffer", wrong[1].local_start = 1);
  STRETCH(INVALID_ARGUMENT, "local_start INT64_MAX", wrong[1].local_start = INT64_MAX);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new_with_dim_maps, list, DEALT, 2, ENDS, 2, NUMBERS, P);
  WRONG_ERROR(shardspec_shards_new_with_dim_maps, list, DEALT, 2, ENDS, 2, NUMBERS, &out.shards);
}

static void misuse_flattened(void) {
  static const int64_t cube[] = {2, 2, 3};
  shardspec_shards *flat;
#define FLATTEN(status, misuse, of, ...)                                                           \
  MISUSE(status, misuse, shardspec_shards_new_flattened, of, __VA_ARGS__, &out.shards)
  CHECK_OK(shardspec_shards_new_flattened(list, cube, 3, 0, 2, &flat, &err));
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_new_flattened, H, cube, 3, 0, 2, &out.shards);
  FLATTEN(NULL_ARGUMENT, "NULL sizes", list, NULL, 3, 0, 2);
  FLATTEN(INVALID_ARGUMENT, "sizes not aligned", list, NOT_ALIGNED(const int64_t, cube), 2, 0, 2);
  FLATTEN(INVALID_ARGUMENT, "SIZE_MAX sizes", list, cube, SIZE_MAX, 0, 2);
  FLATTEN(INVALID_ARGUMENT, "negative size", list, MINUS, 2, 0, 2);
  FLATTEN(OVERFLOW, "INT64_MAX squared", list, MOST, 2, 0, 2);
  FLATTEN(INVALID_ARGUMENT, "one dimension", list, cube, 3, 0, 1);
  FLATTEN(INVALID_DIM, "past the last", list, cube, 3, 2, 2);
  FLATTEN(INVALID_DIM, "from SIZE_MAX on", list, cube, 3, SIZE_MAX, 2);
  FLATTEN(INVALID_DIM, "SIZE_MAX dimensions", list, cube, 3, 1, SIZE_MAX);
  FLATTEN(NDIM_MISMATCH, "all three in one", list, cube, 3, 0, 3);
  FLATTEN(INVALID_ARGUMENT, "flattened twice", flat, cube, 3, 0, 2);
  WRONG_OUT(shardspec_shards *, shardspec_shards_new_flattened, list, cube, 3, 0, 2, P);
  WRONG_ERROR(shardspec_shards_new_flattened, list, cube, 3, 0, 2, &out.shards);
  MISUSE(SHAPE_MISMATCH, "flattened of another", shardspec_metadata_new_from_shards, flat, ((const int64_t[]){3, 2, 2}), 3, NULL, 0, &out.metadata);
  CHECK_OK(shardspec_shards_free(flat, &err));
}

static void misuse_from_shards(void) {
  static const int64_t longer[] = {5, 3}, shorter[] = {3, 3}, start[] = {0, 0, 0, 0};
  shardspec_tensor_properties small = {4, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_shard_metadata nowhere[2] = {{2, OFFSETS, SIZES, "rank:0"}, {2, OFFSETS + 2, SIZES + 2, NULL}};
  shardspec_shards *twice, *unplaced;
#define BUILD(status, misuse, ...)                                                                 \
  MISUSE(status, misuse, shardspec_metadata_new_from_shards, __VA_ARGS__, &out.metadata)
  CHECK_OK(shardspec_shards_new_from_arrays(start, SIZES, NULL, 2, 2, RANKS, 2, &twice, &err));
  CHECK_OK(shardspec_shards_new(nowhere, 2, &unplaced, &err));
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_metadata_new_from_shards, H, TENSOR, 2, NULL, 0, &out.metadata);
  BUILD(NULL_ARGUMENT, "NULL sizes", dealt, NULL, 2, NULL, 0);
  BUILD(INVALID_ARGUMENT, "SIZE_MAX sizes", dealt, TENSOR, SIZE_MAX, NULL, 0);
  BUILD(NDIM_MISMATCH, "one dimension", dealt, TENSOR, 1, NULL, 0);
  BUILD(INVALID_ARGUMENT, "negative size", dealt, MINUS, 2, NULL, 0);
  BUILD(OVERFLOW, "INT64_MAX squared", dealt, MOST, 2, NULL, 0);
  BUILD(INVALID_ARGUMENT, "properties of 4 bytes", dealt, TENSOR, 2, &small, 0);
  BUILD(GAP, "nobody's row", dealt, longer, 2, NULL, 0);
  BUILD(GAP, "nobody's row, replicas", dealt, longer, 2, NULL, 1);
  BUILD(OUT_OF_BOUNDS, "past the tensor", dealt, shorter, 2, NULL, 0);
  BUILD(OVERLAP, "replicas not declared", twice, SIZES, 2, NULL, 0);
  BUILD(NULL_ARGUMENT, "no placement", unplaced, TENSOR, 2, NULL, 0);
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_new_from_shards, dealt, TENSOR, 2, NULL, 0, P);
  WRONG_ERROR(shardspec_metadata_new_from_shards, dealt, TENSOR, 2, NULL, 0, &out.metadata);
  CHECK_OK(shardspec_shards_free(twice, &err));
  CHECK_OK(shardspec_shards_free(unplaced, &err));
}

/* Wrong questions about the stretches of a list or of metadata; the handle's own were asked before. */
#define WRONG_STRETCHES(function, right)                                                           \
  MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", function, right, 2, 0, out.stretches, 4, &out.needed); \
  MISUSE(INDEX_OUT_OF_RANGE, "shard SIZE_MAX", function, right, SIZE_MAX, 0, out.stretches, 4,     \
         &out.needed);                                                                             \
  MISUSE(INDEX_OUT_OF_RANGE, "dimension 2 of 2", function, right, 0, 2, out.stretches, 4,          \
         &out.needed);                                                                             \
  MISUSE(INDEX_OUT_OF_RANGE, "dimension SIZE_MAX", function, right, 0, SIZE_MAX, out.stretches, 4, \
         &out.needed);                                                                             \
  MISUSE(NULL_ARGUMENT, "NULL stretches", function, right, 0, 0, NULL, 4, &out.needed);            \
  MISUSE(INVALID_ARGUMENT, "output not aligned", function, right, 0, 0,                            \
         NOT_ALIGNED(shardspec_stretch, out.stretches), 4, &out.needed);                           \
  MISUSE(INVALID_ARGUMENT, "needed not aligned", function, right, 0, 0, out.stretches, 4,          \
         NOT_ALIGNED(size_t, &out.needed));                                                        \
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", function, right, 0, 0, out.stretches, SIZE_MAX,    \
         &out.needed);                                                                             \
  WRONG_ERROR(function, right, 0, 0, out.stretches, 4, &out.needed)

static void misuse_answers(void) {
  /* Rows 0, 1 and 3 are two stretches. */
  static const shardspec_stretch two[] = {{0, 0, 2, 1, 2, 2}, {3, 2, 1, 1, 1, 1}, {2, 0, 1, 1, 1, 1}};
  static const size_t ends[] = {2, 3};
  static const int64_t lengths[] = {3, 3, 1, 3};
  shardspec_shards *rows, *uneven;
  shardspec_metadata *whole, *freed_metadata;
  CHECK_OK(shardspec_shards_new_from_arrays(OFFSETS, lengths, NULL, 2, 2, RANKS, 2, &rows, &err));
  CHECK_OK(shardspec_shards_new_with_dim_maps(rows, two, 3, ends, 2, NUMBERS, &uneven, &err));
  CHECK_OK(shardspec_metadata_new_from_shards(uneven, TENSOR, 2, NULL, 0, &whole, &err));
  CHECK_OK(shardspec_metadata_new_from_shards(uneven, TENSOR, 2, NULL, 0, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));

  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_get_stretches, H, 0, 0, out.stretches, 4, &out.needed);
  WRONG_STRETCHES(shardspec_shards_get_stretches, uneven);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_shards_get_stretches, uneven, 0, 0, out.stretches, 1, &out.needed);

#define ALL out.stretches, 4, out.indices, 8, out.u32s, 8
#define MAPS(status, misuse, ...) MISUSE(status, misuse, shardspec_shards_get_dim_maps, uneven, __VA_ARGS__)
#define COUNTS &out.needed, &out.size
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_get_dim_maps, H, ALL, COUNTS);
  MAPS(BUFFER_TOO_SMALL, "2 of 3 stretches", out.stretches, 2, out.indices, 8, out.u32s, 8, COUNTS);
  MAPS(BUFFER_TOO_SMALL, "1 of 2 maps", out.stretches, 4, out.indices, 1, out.u32s, 8, COUNTS);
  MAPS(BUFFER_TOO_SMALL, "3 of 4 numbers", out.stretches, 4, out.indices, 8, out.u32s, 3, COUNTS);
  MAPS(INVALID_ARGUMENT, "SIZE_MAX stretches", out.stretches, SIZE_MAX, out.indices, 8, out.u32s, 8, COUNTS);
  MAPS(INVALID_ARGUMENT, "SIZE_MAX maps", out.stretches, 4, out.indices, SIZE_MAX, out.u32s, 8, COUNTS);
  MAPS(INVALID_ARGUMENT, "SIZE_MAX numbers", out.stretches, 4, out.indices, 8, out.u32s, SIZE_MAX, COUNTS);
  MAPS(INVALID_ARGUMENT, "stretches not aligned", NOT_ALIGNED(shardspec_stretch, out.stretches), 3, out.indices, 8, out.u32s, 8, COUNTS);
  MAPS(INVALID_ARGUMENT, "map_ends not aligned", out.stretches, 4, NOT_ALIGNED(size_t, out.indices), 4, out.u32s, 8, COUNTS);
  MAPS(INVALID_ARGUMENT, "numbers not aligned", out.stretches, 4, out.indices, 8, NOT_ALIGNED(uint32_t, out.u32s), 4, COUNTS);
  MAPS(INVALID_ARGUMENT, "count not aligned", ALL, &out.needed, NOT_ALIGNED(size_t, &out.size));
  WRONG_ERROR(shardspec_shards_get_dim_maps, uneven, ALL, COUNTS);

  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_shards_are_boxes, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_shards_are_boxes, uneven, P);
  WRONG_ERROR(shardspec_shards_are_boxes, uneven, &out.i32);

  wrong_handles_for(freed_metadata, whole, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_get_stretches, H, 0, 0, out.stretches, 4, &out.needed);
  WRONG_STRETCHES(shardspec_metadata_get_stretches, whole);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_get_stretches, whole, 0, 0, out.stretches, 1, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_is_box, H, 0, &out.i32);
  MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", shardspec_metadata_is_box, whole, 2, &out.i32);
  MISUSE(INDEX_OUT_OF_RANGE, "shard SIZE_MAX", shardspec_metadata_is_box, whole, SIZE_MAX, &out.i32);
  WRONG_OUT(int32_t, shardspec_metadata_is_box, whole, 0, P);
  WRONG_ERROR(shardspec_metadata_is_box, whole, 0, &out.i32);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_has_replicas, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_metadata_has_replicas, whole, P);
  WRONG_ERROR(shardspec_metadata_has_replicas, whole, &out.i32);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_buffer_ndim, H, &out.size);
  WRONG_OUT(size_t, shardspec_metadata_buffer_ndim, whole, P);
  WRONG_ERROR(shardspec_metadata_buffer_ndim, whole, &out.size);
  CHECK_OK(shardspec_metadata_free(whole, &err));
  CHECK_OK(shardspec_shards_free(uneven, &err));
  CHECK_OK(shardspec_shards_free(rows, &err));
}

void misuse_extents(void) {
  CHECK_OK(shardspec_shards_new_from_arrays(OFFSETS, SIZES, NULL, 2, 2, RANKS, 2, &list, &err));
  CHECK_OK(shardspec_shards_new(NULL, 0, &freed, &err));
  CHECK_OK(shardspec_shards_free(freed, &err));
  CHECK_OK(shardspec_shards_new_with_dim_maps(list, DEALT, 2, ENDS, 2, NUMBERS, &dealt, &err));
  wrong_handles_for(freed, list, placement, metadata);
  misuse_dim_maps();
  misuse_flattened();
  misuse_from_shards();
  misuse_answers();
  CHECK_OK(shardspec_shards_free(list, &err));
  CHECK_OK(shardspec_shards_free(dealt, &err));
}
