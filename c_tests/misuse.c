/* Calls every function wrongly, in every way that a binding or a tired programmer would, and prints
 * what it answered: function | misuse | status. Ends with 0 when each answer was the right refusal
 * and no call that failed wrote anything but its error. */
#include "check.h"

/* A place for every result. Filled with a pattern before a call and compared after it. */
typedef struct outputs {
  char text[64];
  size_t needed, size, indices[8];
  int64_t i64, second_i64, numbers[16], more_numbers[16];
  int32_t i32;
  uint64_t u64;
  uint32_t u32s[8];
  shardspec_dtype dtype;
  shardspec_tensor_properties properties, sized_wrongly;
  shardspec_placement *placement;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_tensor_view view;
  float data[16];
} outputs;

static outputs out, before;
static shardspec_error err = SHARDSPEC_ERROR_INIT;
static size_t calls, failures;

static void prepare(void) {
  memset(&out, 0x5a, sizeof out);
  out.properties.struct_size = sizeof out.properties;
  memcpy(&before, &out, sizeof out);
}

static void judge(const char *function, const char *misuse, shardspec_status status,
                  shardspec_status wanted, const shardspec_error *error) {
  char name[40] = "?", wanted_name[40] = "?";
  int untouched = memcmp(&out, &before, sizeof out) == 0;
  int told = error == NULL || (error->status == status && (status == SHARDSPEC_OK) == !error->message[0]);
  shardspec_status_text(status, name, sizeof name, NULL, NULL);
  shardspec_status_text(wanted, wanted_name, sizeof wanted_name, NULL, NULL);
  printf("%-42s %-34s %s\n", function, misuse, name);
  calls++;
  if (status == wanted && (status == SHARDSPEC_OK || untouched) && told) return;
  failures++;
  printf("  WRONG: wanted %s%s%s\n  %s\n", wanted_name, untouched ? "" : ", an output was written",
         told ? "" : ", the error does not say so", error ? error->message : "");
}

/* One wrong call, whose last argument is `&err`. */
#define MISUSE(wanted, misuse, function, ...)                                                      \
  (prepare(), judge(#function, misuse, function(__VA_ARGS__, &err), SHARDSPEC_##wanted, &err))

/* A right call but for an error of a struct that never was: nothing is done. */
#define WRONG_ERROR(function, ...)                                                                 \
  do {                                                                                             \
    shardspec_error wrong = SHARDSPEC_ERROR_INIT;                                                  \
    wrong.struct_size = 16;                                                                        \
    prepare();                                                                                     \
    judge(#function, "err of 16 bytes", function(__VA_ARGS__, &wrong),                             \
          SHARDSPEC_INVALID_ARGUMENT, NULL);                                                       \
    prepare();                                                                                     \
    judge(#function, "err not aligned",                                                            \
          function(__VA_ARGS__, (shardspec_error *)(void *)((char *)&wrong + 4)),                  \
          SHARDSPEC_INVALID_ARGUMENT, NULL);                                                       \
  } while (0)

/* Handles that name nothing, or something of another kind. */
enum { WRONG_HANDLES = 8 };
static void *wrong_handles[WRONG_HANDLES];
static const char *const handle_misuses[WRONG_HANDLES] = {
    "NULL handle", "freed handle", "address as handle", "handle 1", "handle -1", "handle + 1",
    "handle of another kind", "handle of a third kind"};

/* Each of them in the place of `H`. */
#define WRONG_HANDLE(type, null_status, function, ...)                                             \
  for (int h = 0; h < WRONG_HANDLES; h++) {                                                        \
    type *H = (type *)wrong_handles[h];                                                            \
    prepare();                                                                                     \
    judge(#function, handle_misuses[h], function(__VA_ARGS__, &err),                               \
          h == 0 ? SHARDSPEC_##null_status : SHARDSPEC_INVALID_HANDLE, &err);                      \
  }

/* Each out argument that is NULL where it may not be, or not aligned. `P` stands for it. */
#define WRONG_OUT(type, function, ...)                                                             \
  for (int i = 0; i < 2; i++) {                                                                    \
    type *P = i == 0 ? NULL : (type *)(void *)((char *)out.numbers + 1);                           \
    prepare();                                                                                     \
    judge(#function, i == 0 ? "NULL output" : "output not aligned", function(__VA_ARGS__, &err),   \
          i == 0 ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_INVALID_ARGUMENT, &err);                    \
  }

/* Text answers: their buffer missing, too small, and too large for memory. `BUFFER` and `CAPACITY`
 * stand for it. */
#define WRONG_TEXT(function, ...)                                                                  \
  for (int i = 0; i < 3; i++) {                                                                    \
    static const char *const misuses[] = {"NULL buffer", "capacity 1", "capacity SIZE_MAX"};       \
    char *BUFFER = i == 0 ? NULL : out.text;                                                       \
    size_t CAPACITY = i == 2 ? SIZE_MAX : 1;                                                       \
    prepare();                                                                                     \
    judge(#function, misuses[i], function(__VA_ARGS__, &err),                                      \
          i == 0   ? SHARDSPEC_NULL_ARGUMENT                                                       \
          : i == 1 ? SHARDSPEC_BUFFER_TOO_SMALL                                                    \
                   : SHARDSPEC_INVALID_ARGUMENT,                                                   \
          &err);                                                                                   \
  }

static const char *const RANKS[] = {"rank:0", "rank:1"};
static const char *const NOT_UTF8 = "rank:\xff\xfe/cpu";
static const int64_t TENSOR[] = {4, 3}, OFFSETS[] = {0, 0, 2, 0}, SIZES[] = {2, 3, 2, 3};
static shardspec_placement *placement;
static shardspec_spec *chunk, *named, *boxes;
static shardspec_metadata *metadata;
static int64_t full_shape[] = {4, 3}, shard_shape[] = {2, 3};
static float full_data[12], shard_data[2][6];
static shardspec_tensor_view full, shards[2];

static void make_right_ones(void) {
  CHECK_OK(shardspec_placement_parse("trainer0/cuda:1", &placement, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &chunk, &err));
  CHECK_OK(shardspec_spec_new_chunk_named("x", RANKS, 2, &named, &err));
  CHECK_OK(shardspec_spec_new_enumerable_flat(2, OFFSETS, SIZES, 2, RANKS, 2, NULL, &boxes, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &metadata, &err));
  full = view_of(full_data, FLOAT32, full_shape, 2);
  for (int i = 0; i < 2; i++) shards[i] = view_of(shard_data[i], FLOAT32, shard_shape, 2);
}

static void wrong_handles_for(void *freed, void *right, void *other, void *third) {
  static char something[64];
  void *handles[WRONG_HANDLES] = {NULL, freed, something, (void *)(uintptr_t)1,
                                  (void *)(uintptr_t)-1, (void *)((uintptr_t)right + 1), other,
                                  third};
  memcpy(wrong_handles, handles, sizeof handles);
}

static void misuse_errors_version_and_types(void) {
  static const shardspec_dtype no_bits = {SHARDSPEC_DTYPE_INT, 0, 1};
  MISUSE(NOT_FOUND, "no such status", shardspec_status_text, -7, out.text, 64, &out.needed);
  MISUSE(NOT_FOUND, "no such status", shardspec_status_text, INT32_MAX, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_status_text, 1, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_status_text, 1, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_version_text, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_version_text, out.text, 64, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL text", shardspec_dtype_parse, NULL, &out.dtype);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_dtype_parse, NOT_UTF8, &out.dtype);
  MISUSE(INVALID_ARGUMENT, "no type", shardspec_dtype_parse, "float", &out.dtype);
  WRONG_OUT(shardspec_dtype, shardspec_dtype_parse, "int8", P);
  WRONG_ERROR(shardspec_dtype_parse, "int8", &out.dtype);
  MISUSE(NULL_ARGUMENT, "NULL dtype", shardspec_dtype_text, NULL, out.text, 64, &out.needed);
  MISUSE(INVALID_ARGUMENT, "0 bits", shardspec_dtype_text, &no_bits, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_dtype_text, &FLOAT32, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_dtype_text, &FLOAT32, out.text, 64, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL dtype", shardspec_dtype_itemsize, NULL, &out.size);
  MISUSE(INVALID_ARGUMENT, "0 bits", shardspec_dtype_itemsize, &no_bits, &out.size);
  WRONG_OUT(size_t, shardspec_dtype_itemsize, &FLOAT32, P);
  WRONG_ERROR(shardspec_dtype_itemsize, &FLOAT32, &out.size);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_tensor_properties_init,
         &out.sized_wrongly);
  WRONG_OUT(shardspec_tensor_properties, shardspec_tensor_properties_init, P);
  WRONG_ERROR(shardspec_tensor_properties_init, &out.properties);
}

static void misuse_placements(void) {
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

static void misuse_constructors(void) {
  static const int64_t minus[] = {0, -1, 0, 0}, most[] = {INT64_MAX, 0, 0, 0}, least[] = {INT64_MIN, 0, 0, 0};
  static const char *const with_null[] = {"rank:0", NULL}, *const bad[] = {"rank:0", "rank:0/x"};
  const char *const not_utf8[] = {"rank:0", NOT_UTF8};
  static const uint32_t past_end[] = {0, 2};
  shardspec_shard_metadata good[2] = {{2, OFFSETS, SIZES, "rank:0"}, {2, OFFSETS + 2, SIZES + 2, "rank:1"}};
  shardspec_shard_metadata wrong[2];
  const char *const *odd_texts = (const char *const *)(const void *)((const char *)RANKS + 1);

#define WRONG_TEXTS(function, dim)                                                                 \
  MISUSE(INVALID_ARGUMENT, "no placements", function, dim, RANKS, 0, &out.spec);                   \
  MISUSE(NULL_ARGUMENT, "NULL placements", function, dim, NULL, 2, &out.spec);                     \
  MISUSE(INVALID_ARGUMENT, "placements not aligned", function, dim, odd_texts, 2, &out.spec);      \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", function, dim, RANKS, SIZE_MAX, &out.spec);      \
  MISUSE(NULL_ARGUMENT, "a NULL placement", function, dim, with_null, 2, &out.spec);               \
  MISUSE(INVALID_PLACEMENT, "no placement", function, dim, bad, 2, &out.spec);                     \
  MISUSE(INVALID_ARGUMENT, "not UTF-8", function, dim, not_utf8, 2, &out.spec);                    \
  WRONG_OUT(shardspec_spec *, function, dim, RANKS, 2, P);                                         \
  WRONG_ERROR(function, dim, RANKS, 2, &out.spec)
  WRONG_TEXTS(shardspec_spec_new_chunk, 0);
  WRONG_TEXTS(shardspec_spec_new_chunk_named, "x");
  MISUSE(NULL_ARGUMENT, "NULL name", shardspec_spec_new_chunk_named, NULL, RANKS, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "empty name", shardspec_spec_new_chunk_named, "", RANKS, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_new_chunk_named, NOT_UTF8, RANKS, 2, &out.spec);

#define WITH(change) (memcpy(wrong, good, sizeof good), (change), wrong)
#define WRONG_SHARDS(function)                                                                     \
  MISUSE(INVALID_ARGUMENT, "no shards", function, good, 0, &out.spec);                             \
  MISUSE(NULL_ARGUMENT, "NULL shards", function, NULL, 2, &out.spec);                              \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", function, good, SIZE_MAX, &out.spec);                \
  MISUSE(RANK_MISMATCH, "mixed ndim", function, WITH(wrong[1].ndim = 1), 2, &out.spec);            \
  MISUSE(INVALID_ARGUMENT, "ndim SIZE_MAX", function, WITH(wrong[0].ndim = SIZE_MAX), 2, &out.spec); \
  MISUSE(NULL_ARGUMENT, "NULL offsets", function, WITH(wrong[1].offsets = NULL), 2, &out.spec);    \
  MISUSE(NULL_ARGUMENT, "NULL sizes", function, WITH(wrong[1].sizes = NULL), 2, &out.spec);        \
  MISUSE(INVALID_ARGUMENT, "negative size", function, WITH(wrong[1].sizes = minus), 2, &out.spec); \
  MISUSE(INVALID_ARGUMENT, "INT64_MIN", function, WITH(wrong[1].offsets = least), 2, &out.spec);   \
  MISUSE(OVERFLOW, "INT64_MAX + 2", function, WITH(wrong[1].offsets = most), 2, &out.spec);        \
  MISUSE(NULL_ARGUMENT, "NULL placement", function, WITH(wrong[1].placement = NULL), 2, &out.spec); \
  MISUSE(INVALID_ARGUMENT, "not UTF-8", function, WITH(wrong[1].placement = NOT_UTF8), 2, &out.spec); \
  MISUSE(OVERLAP, "the same shard twice", function, WITH(wrong[1] = good[0]), 2, &out.spec);       \
  WRONG_OUT(shardspec_spec *, function, good, 2, P);                                               \
  WRONG_ERROR(function, good, 2, &out.spec)
  WRONG_SHARDS(shardspec_spec_new_enumerable);
  WRONG_SHARDS(shardspec_spec_infer);

#define WRONG_ARRAYS(f)                                                                            \
  MISUSE(INVALID_ARGUMENT, "no shards", f, 2, OFFSETS, SIZES, 0, RANKS, 2, NULL, &out.spec);       \
  MISUSE(NULL_ARGUMENT, "NULL offsets", f, 2, NULL, SIZES, 2, RANKS, 2, NULL, &out.spec);          \
  MISUSE(NULL_ARGUMENT, "NULL sizes", f, 2, OFFSETS, NULL, 2, RANKS, 2, NULL, &out.spec);          \
  MISUSE(NULL_ARGUMENT, "NULL placements", f, 2, OFFSETS, SIZES, 2, NULL, 2, NULL, &out.spec);     \
  MISUSE(INVALID_ARGUMENT, "33 dimensions", f, 33, OFFSETS, SIZES, 2, RANKS, 2, NULL, &out.spec);  \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", f, SIZE_MAX, OFFSETS, SIZES, 2, RANKS, 2, NULL,  \
         &out.spec);                                                                               \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", f, 2, OFFSETS, SIZES, SIZE_MAX, RANKS, 2, past_end,  \
         &out.spec);                                                                               \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", f, 2, OFFSETS, SIZES, 2, RANKS, SIZE_MAX,        \
         past_end, &out.spec);                                                                     \
  MISUSE(INVALID_ARGUMENT, "fewer placements", f, 2, OFFSETS, SIZES, 2, RANKS, 1, NULL, &out.spec); \
  MISUSE(INDEX_OUT_OF_RANGE, "placement 2 of 2", f, 2, OFFSETS, SIZES, 2, RANKS, 2, past_end,      \
         &out.spec);                                                                               \
  MISUSE(INVALID_ARGUMENT, "negative size", f, 2, OFFSETS, minus, 2, RANKS, 2, NULL, &out.spec);   \
  MISUSE(OVERFLOW, "INT64_MAX + 2", f, 2, most, SIZES, 2, RANKS, 2, NULL, &out.spec);              \
  MISUSE(NULL_ARGUMENT, "a NULL placement", f, 2, OFFSETS, SIZES, 2, with_null, 2, NULL, &out.spec); \
  WRONG_OUT(shardspec_spec *, f, 2, OFFSETS, SIZES, 2, RANKS, 2, NULL, P);                         \
  WRONG_ERROR(f, 2, OFFSETS, SIZES, 2, RANKS, 2, NULL, &out.spec)
  WRONG_ARRAYS(shardspec_spec_new_enumerable_flat);
  WRONG_ARRAYS(shardspec_spec_infer_flat);
}

static void misuse_specs(void) {
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

static void misuse_build_metadata(void) {
  static const int64_t minus[] = {4, INT64_MIN}, most[] = {INT64_MAX, INT64_MAX}, five[] = {5, 3};
  static const char *const names[] = {"x", "y"}, *const with_null[] = {"x", NULL};
  const char *const not_utf8[] = {"x", NOT_UTF8};
  shardspec_tensor_properties wrong = {8, {0, 0, 0}, 0, 0, 0, 0, 0};

  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_build_metadata, H, TENSOR, 2, NULL, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_spec_build_metadata, chunk, NULL, 2, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "33 sizes", shardspec_spec_build_metadata, chunk, OFFSETS, 33, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX sizes", shardspec_spec_build_metadata, chunk, OFFSETS, SIZE_MAX, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "size INT64_MIN", shardspec_spec_build_metadata, chunk, minus, 2, NULL, &out.metadata);
  MISUSE(OVERFLOW, "INT64_MAX squared", shardspec_spec_build_metadata, chunk, most, 2, NULL, &out.metadata);
  MISUSE(INVALID_DIM, "no dimensions", shardspec_spec_build_metadata, chunk, NULL, 0, NULL, &out.metadata);
  MISUSE(INVALID_DIM, "no names", shardspec_spec_build_metadata, named, TENSOR, 2, NULL, &out.metadata);
  MISUSE(GAP, "larger tensor", shardspec_spec_build_metadata, boxes, five, 2, NULL, &out.metadata);
  MISUSE(RANK_MISMATCH, "fewer dimensions", shardspec_spec_build_metadata, boxes, TENSOR, 1, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_spec_build_metadata, chunk, TENSOR, 2, &wrong, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_spec_build_metadata, chunk, TENSOR, 2, NULL, P);
  WRONG_ERROR(shardspec_spec_build_metadata, chunk, TENSOR, 2, NULL, &out.metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_build_metadata_named, H, TENSOR, names, 2, NULL, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL names", shardspec_spec_build_metadata_named, named, TENSOR, NULL, 2, NULL, &out.metadata);
  MISUSE(NULL_ARGUMENT, "a NULL name", shardspec_spec_build_metadata_named, named, TENSOR, with_null, 2, NULL, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_build_metadata_named, named, TENSOR, not_utf8, 2, NULL, &out.metadata);
  MISUSE(INVALID_DIM, "no such name", shardspec_spec_build_metadata_named, named, TENSOR, RANKS, 2, NULL, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_spec_build_metadata_named, named, TENSOR, names, 2, NULL, P);
  WRONG_ERROR(shardspec_spec_build_metadata_named, named, TENSOR, names, 2, NULL, &out.metadata);
}

static void misuse_metadata(void) {
  shardspec_metadata *freed;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, NULL, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  wrong_handles_for(freed, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, OK, shardspec_metadata_free, H);
  WRONG_ERROR(shardspec_metadata_free, metadata);
#define WRONG_QUESTION(function, type, place)                                                      \
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, function, H, place);                             \
  WRONG_OUT(type, function, metadata, P);                                                          \
  WRONG_ERROR(function, metadata, place)
  WRONG_QUESTION(shardspec_metadata_shard_count, size_t, &out.size);
  WRONG_QUESTION(shardspec_metadata_ndim, size_t, &out.size);
  WRONG_QUESTION(shardspec_metadata_numel, int64_t, &out.i64);
  WRONG_QUESTION(shardspec_metadata_properties, shardspec_tensor_properties, &out.properties);
  WRONG_QUESTION(shardspec_metadata_placement_count, size_t, &out.size);
  WRONG_QUESTION(shardspec_metadata_hash, uint64_t, &out.u64);
  MISUSE(INVALID_ARGUMENT, "wrong struct_size", shardspec_metadata_properties, metadata, &out.sized_wrongly);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_sizes, H, out.numbers, 16, &out.needed);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_sizes, metadata, out.numbers, 1, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_metadata_sizes, metadata, NULL, 2, &out.needed);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_metadata_sizes, metadata, out.numbers, SIZE_MAX, &out.needed);
  WRONG_ERROR(shardspec_metadata_sizes, metadata, out.numbers, 16, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shard, H, 0, out.numbers, out.more_numbers, 16);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_shard, metadata, SIZE_MAX, out.numbers, out.more_numbers, 16);
  MISUSE(BUFFER_TOO_SMALL, "capacity 0", shardspec_metadata_shard, metadata, 0, out.numbers, out.more_numbers, 0);
  WRONG_ERROR(shardspec_metadata_shard, metadata, 0, out.numbers, out.more_numbers, 16);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shard_placement, H, 0, &out.placement);
  MISUSE(INDEX_OUT_OF_RANGE, "index 2 of 2", shardspec_metadata_shard_placement, metadata, 2, &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_metadata_shard_placement, metadata, 0, P);
  WRONG_ERROR(shardspec_metadata_shard_placement, metadata, 0, &out.placement);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shard_placement_text, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "index 2 of 2", shardspec_metadata_shard_placement_text, metadata, 2, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_metadata_shard_placement_text, metadata, 0, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_metadata_shard_placement_text, metadata, 0, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shards, H, 0, 2, out.numbers, out.more_numbers, out.u32s);
  MISUSE(INDEX_OUT_OF_RANGE, "one too many", shardspec_metadata_shards, metadata, 1, 2, out.numbers, out.more_numbers, out.u32s);
  MISUSE(INDEX_OUT_OF_RANGE, "SIZE_MAX of them", shardspec_metadata_shards, metadata, 1, SIZE_MAX, out.numbers, out.more_numbers, out.u32s);
  WRONG_ERROR(shardspec_metadata_shards, metadata, 0, 2, out.numbers, out.more_numbers, out.u32s);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_placement_text, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_placement_text, metadata, SIZE_MAX, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_metadata_placement_text, metadata, 0, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_metadata_placement_text, metadata, 0, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_shards_of_rank, H, 0, out.indices, 8, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL indices", shardspec_metadata_shards_of_rank, metadata, 0, NULL, 8, &out.needed);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_metadata_shards_of_rank, metadata, 0, out.indices, SIZE_MAX, &out.needed);
  WRONG_ERROR(shardspec_metadata_shards_of_rank, metadata, 0, out.indices, 8, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_equal, H, metadata, &out.i32);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_equal, metadata, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_metadata_equal, metadata, metadata, P);
  WRONG_ERROR(shardspec_metadata_equal, metadata, metadata, &out.i32);
}

static void misuse_copies(void) {
  shardspec_copy_options small = {4, 0, 0}, unknown = {sizeof unknown, 0, 0x80};
  shardspec_tensor_view null_data = full, huge = full, odd = full;
  int64_t huge_shape[] = {INT64_MAX, INT64_MAX}, far_strides[] = {INT64_MAX / 2, 1};
  null_data.data = NULL;
  huge.shape = huge_shape;
  odd.strides = far_strides;
#define EXTRACT(view, index, options) metadata, index, view, &shards[0], options
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_extract_shard, H, 0, &full, &shards[0], NULL);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_extract_shard, EXTRACT(&full, SIZE_MAX, NULL));
  MISUSE(NULL_ARGUMENT, "NULL view", shardspec_metadata_extract_shard, EXTRACT(NULL, 0, NULL));
  MISUSE(NULL_ARGUMENT, "NULL data", shardspec_metadata_extract_shard, EXTRACT(&null_data, 0, NULL));
  MISUSE(OVERFLOW, "huge shape", shardspec_metadata_extract_shard, EXTRACT(&huge, 0, NULL));
  MISUSE(OVERFLOW, "strides past 64 bits", shardspec_metadata_extract_shard, EXTRACT(&odd, 0, NULL));
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_extract_shard, EXTRACT(&full, 0, &small));
  MISUSE(INVALID_ARGUMENT, "unknown hint", shardspec_metadata_extract_shard, EXTRACT(&full, 0, &unknown));
  MISUSE(ALIASED, "onto itself", shardspec_metadata_extract_shard, metadata, 0, &full, ((shards[1].data = full_data), &shards[1]), NULL);
  shards[1].data = shard_data[1];
  WRONG_ERROR(shardspec_metadata_extract_shard, EXTRACT(&full, 0, NULL));
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_view_shard, H, 0, &full, out.numbers, out.more_numbers, 16, &out.view);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_view_shard, metadata, SIZE_MAX, &full, out.numbers, out.more_numbers, 16, &out.view);
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", shardspec_metadata_view_shard, metadata, 0, &full, out.numbers, out.more_numbers, 1, &out.view);
  MISUSE(NULL_ARGUMENT, "NULL shape", shardspec_metadata_view_shard, metadata, 0, &full, NULL, out.more_numbers, 16, &out.view);
  MISUSE(NULL_ARGUMENT, "NULL view", shardspec_metadata_view_shard, metadata, 0, NULL, out.numbers, out.more_numbers, 16, &out.view);
  WRONG_OUT(shardspec_tensor_view, shardspec_metadata_view_shard, metadata, 0, &full, out.numbers, out.more_numbers, 16, P);
  WRONG_ERROR(shardspec_metadata_view_shard, metadata, 0, &full, out.numbers, out.more_numbers, 16, &out.view);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_scatter, H, &full, shards, 2, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_scatter, metadata, NULL, shards, 2, NULL);
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_metadata_scatter, metadata, &full, NULL, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "one shard of two", shardspec_metadata_scatter, metadata, &full, shards, 1, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_metadata_scatter, metadata, &full, shards, SIZE_MAX, NULL);
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_metadata_scatter, metadata, &full, shards, 2, &small);
  WRONG_ERROR(shardspec_metadata_scatter, metadata, &full, shards, 2, NULL);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_gather, H, shards, 2, &full, NULL);
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_metadata_gather, metadata, shards, 2, NULL, NULL);
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_metadata_gather, metadata, NULL, 2, &full, NULL);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", shardspec_metadata_gather, metadata, shards, SIZE_MAX, &full, NULL);
  MISUSE(INVALID_ARGUMENT, "unknown hint", shardspec_metadata_gather, metadata, shards, 2, &full, &unknown);
  WRONG_ERROR(shardspec_metadata_gather, metadata, shards, 2, &full, NULL);
}

int main(void) {
  make_right_ones();
  misuse_errors_version_and_types();
  misuse_placements();
  misuse_constructors();
  misuse_specs();
  misuse_build_metadata();
  misuse_metadata();
  misuse_copies();
  /* What was used rightly survived all of it. */
  CHECK_OK(shardspec_placement_free(placement, &err));
  CHECK_OK(shardspec_spec_free(chunk, &err));
  CHECK_OK(shardspec_spec_free(named, &err));
  CHECK_OK(shardspec_spec_free(boxes, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  printf("%zu wrong calls, %zu answered wrongly\n", calls, failures);
  return failures == 0 ? 0 : 1;
}
