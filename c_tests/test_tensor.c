/* Tensors in host memory: extract, view, scatter, gather. */
#include "check.h"
#include "lists.h"

_Static_assert(sizeof(shardspec_device) == 8, "DLDevice");
_Static_assert(sizeof(shardspec_tensor_view) == 48, "DLTensor");
_Static_assert(offsetof(shardspec_tensor_view, device) == 8, "");
_Static_assert(offsetof(shardspec_tensor_view, ndim) == 16, "");
_Static_assert(offsetof(shardspec_tensor_view, dtype) == 20, "");
_Static_assert(offsetof(shardspec_tensor_view, shape) == 24, "");
_Static_assert(offsetof(shardspec_tensor_view, strides) == 32, "");
_Static_assert(offsetof(shardspec_tensor_view, byte_offset) == 40, "");
_Static_assert(sizeof(shardspec_copy_options) == 16, "");

enum { ROWS = 5, COLUMNS = 3, SHARDS = 4 };

/* A 5x3 tensor of floats cut by rows over four ranks; the last shard is empty. */
typedef struct fixture {
  shardspec_metadata *metadata;
  float full[ROWS * COLUMNS], back[ROWS * COLUMNS], shard_data[SHARDS][2 * COLUMNS];
  int64_t full_shape[2], shard_shapes[SHARDS][2];
  shardspec_tensor_view full_view, back_view, shards[SHARDS];
} fixture;

static void set_up(fixture *f, int64_t dim) {
  static const char *const placements[] = {"rank:0", "rank:1", "rank:2", "rank:3"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_spec *spec;
  memset(f, 0, sizeof *f);
  f->full_shape[0] = ROWS;
  f->full_shape[1] = COLUMNS;
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  CHECK_OK(shardspec_spec_new_chunk(dim, placements, SHARDS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, f->full_shape, 2, &properties, &f->metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  for (int i = 0; i < ROWS * COLUMNS; i++) f->full[i] = (float)(i + 1);
  f->full_view = view_of(f->full, FLOAT32, f->full_shape, 2);
  f->back_view = view_of(f->back, FLOAT32, f->full_shape, 2);
  for (size_t i = 0; i < SHARDS; i++) {
    int64_t offsets[2];
    CHECK_OK(shardspec_metadata_get_shard(f->metadata, i, offsets, f->shard_shapes[i], 2, &err));
    f->shards[i] = view_of(f->shard_data[i], FLOAT32, f->shard_shapes[i], 2);
  }
  f->shards[SHARDS - 1].data = dim == 0 ? NULL : f->shards[SHARDS - 1].data;
}

static void tear_down(fixture *f) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  CHECK_OK(shardspec_metadata_free(f->metadata, &err));
}

static void scatter_then_gather_gives_the_tensor_back(void) {
  fixture f;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  set_up(&f, 0);
  CHECK_OK(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err));
  CHECK(memcmp(f.shard_data[0], f.full, 6 * sizeof(float)) == 0);
  CHECK(memcmp(f.shard_data[1], f.full + 6, 6 * sizeof(float)) == 0);
  CHECK(memcmp(f.shard_data[2], f.full + 12, 3 * sizeof(float)) == 0);
  CHECK(f.shard_data[2][3] == 0); /* nothing past the shard's end */
  CHECK_OK(shardspec_metadata_gather(f.metadata, f.shards, SHARDS, &f.back_view, NULL, &err));
  CHECK(memcmp(f.back, f.full, sizeof f.full) == 0);
  tear_down(&f);
}

static void extract_and_view_give_what_scatter_gives(void) {
  fixture f;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  set_up(&f, -2);
  for (size_t i = 0; i < SHARDS; i++) {
    int64_t shape[2], strides[2];
    shardspec_tensor_view view;
    CHECK_OK(shardspec_metadata_extract_shard(f.metadata, i, &f.full_view, &f.shards[i], NULL,
                                              &err));
    CHECK_OK(shardspec_metadata_view_shard(f.metadata, i, &f.full_view, shape, strides, 2, &view,
                                           &err));
    CHECK(view.shape == shape && view.strides == strides && view.ndim == 2);
    CHECK(memcmp(shape, f.shard_shapes[i], sizeof shape) == 0);
    for (int64_t row = 0; row < shape[0]; row++)
      for (int64_t column = 0; column < shape[1]; column++) {
        const char *start = (const char *)view.data + view.byte_offset;
        const float *element = (const float *)(const void *)start + row * strides[0] + column * strides[1];
        CHECK(*element == f.shard_data[i][row * shape[1] + column]);
      }
    if (shape[0] == 0) CHECK(view.data == NULL);
  }
  tear_down(&f);
}

static void reversed_broadcast_and_unaligned_sources_are_read(void) {
  fixture f;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  set_up(&f, 0);
  int64_t reversed[] = {-COLUMNS, -1}, broadcast[] = {0, 1};
  f.full_view.strides = reversed;
  f.full_view.byte_offset = (ROWS * COLUMNS - 1) * sizeof(float);
  CHECK_OK(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err));
  CHECK(f.shard_data[0][0] == 15 && f.shard_data[0][1] == 14 && f.shard_data[2][2] == 1);
  f.full_view.strides = broadcast;
  f.full_view.byte_offset = 0;
  CHECK_OK(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err));
  CHECK(f.shard_data[0][3] == 1 && f.shard_data[2][2] == 3);
  char bytes[sizeof f.full + 1];
  memcpy(bytes + 1, f.full, sizeof f.full);
  f.full_view = view_of(bytes + 1, FLOAT32, f.full_shape, 2);
  CHECK_OK(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err));
  CHECK(memcmp(f.shard_data[1], f.full + 6, 6 * sizeof(float)) == 0);
  tear_down(&f);
}

static void a_view_is_copied_into_another_whatever_their_strides(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  float full[6] = {1, 2, 3, 4, 5, 6}, back[7] = {0}, turned[6];
  int64_t shape[] = {2, 3}, by_columns[] = {1, 2}, other[] = {3, 2}, same_place[] = {0, 1};
  shardspec_tensor_view source = view_of(full, FLOAT32, shape, 2);
  shardspec_tensor_view destination = view_of(turned, FLOAT32, shape, 2);
  destination.strides = by_columns;
  CHECK_OK(shardspec_tensor_copy(&source, &destination, NULL, &err));
  CHECK(turned[0] == 1 && turned[1] == 4 && turned[2] == 2 && turned[5] == 6);
  shardspec_tensor_view again = view_of(back, FLOAT32, shape, 2);
  shardspec_copy_options options = {sizeof options, 1, SHARDSPEC_COPY_HINT_CACHED};
  CHECK_OK(shardspec_tensor_copy(&destination, &again, &options, &err));
  CHECK(memcmp(back, full, sizeof full) == 0 && back[6] == 0);

  /* What is refused writes nothing. */
  float before[6];
  memcpy(before, turned, sizeof turned);
  source.strides = by_columns;
  destination.shape = other;
  CHECK_STATUS(shardspec_tensor_copy(&source, &destination, NULL, &err),
               SHARDSPEC_SHAPE_MISMATCH);
  CHECK_MESSAGE("destination");
  CHECK(err.dim == 0 && err.got == 3 && err.limit == 2);
  destination.shape = shape;
  destination.ndim = 1;
  CHECK_STATUS(shardspec_tensor_copy(&source, &destination, NULL, &err), SHARDSPEC_NDIM_MISMATCH);
  destination.ndim = 2;
  destination.dtype.code = SHARDSPEC_DTYPE_INT;
  CHECK_STATUS(shardspec_tensor_copy(&source, &destination, NULL, &err), SHARDSPEC_DTYPE_MISMATCH);
  destination.dtype = FLOAT32;
  destination.strides = same_place;
  CHECK_STATUS(shardspec_tensor_copy(&source, &destination, NULL, &err), SHARDSPEC_ALIASED);
  CHECK_MESSAGE("destination: its strides put two elements at the same place");
  destination.strides = by_columns;
  CHECK_STATUS(shardspec_tensor_copy(&destination, &destination, NULL, &err), SHARDSPEC_ALIASED);
  CHECK_MESSAGE("destination shares memory with source");
  destination.device.device_type = 2;
  CHECK_STATUS(shardspec_tensor_copy(&source, &destination, NULL, &err),
               SHARDSPEC_UNSUPPORTED_DEVICE);
  CHECK(memcmp(before, turned, sizeof turned) == 0);
}

/* Calls scatter and gather with a fixture that somebody broke; nothing may be written. */
static void refused(fixture *f, size_t count, shardspec_status wanted, int64_t shard) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  fixture before = *f;
  CHECK_STATUS(shardspec_metadata_scatter(f->metadata, &f->full_view, f->shards, count, NULL, &err),
               wanted);
  CHECK_EQUAL(err.first_shard, shard);
  CHECK(memcmp(&before, f, sizeof before) == 0);
  f->back_view = f->full_view;
  before.back_view = f->full_view;
  CHECK_STATUS(shardspec_metadata_gather(f->metadata, f->shards, count, &f->back_view, NULL, &err),
               wanted);
  CHECK(memcmp(&before, f, sizeof before) == 0);
}

static void what_does_not_fit_is_refused_before_the_first_byte(void) {
  shardspec_dtype float64 = {SHARDSPEC_DTYPE_FLOAT, 64, 1}, int4 = {SHARDSPEC_DTYPE_INT, 4, 1};
  fixture f, good;
  int64_t wrong_shape[2] = {2, 2};
  set_up(&good, 0);
  f = good, refused(&f, SHARDS - 1, SHARDSPEC_INVALID_ARGUMENT, -1);
  f = good, f.shards[1].shape = wrong_shape, refused(&f, SHARDS, SHARDSPEC_SHAPE_MISMATCH, 1);
  f = good, f.shards[1].ndim = 1, refused(&f, SHARDS, SHARDSPEC_NDIM_MISMATCH, 1);
  f = good, f.shards[1].ndim = 33, refused(&f, SHARDS, SHARDSPEC_INVALID_ARGUMENT, 1);
  f = good, f.shards[1].ndim = -1, refused(&f, SHARDS, SHARDSPEC_INVALID_ARGUMENT, 1);
  f = good, f.shards[2].data = NULL, refused(&f, SHARDS, SHARDSPEC_NULL_ARGUMENT, 2);
  f = good, f.shards[2].shape = NULL, refused(&f, SHARDS, SHARDSPEC_NULL_ARGUMENT, 2);
  f = good, f.shards[2].dtype = float64, refused(&f, SHARDS, SHARDSPEC_DTYPE_MISMATCH, 2);
  f = good, f.shards[2].device.device_type = 2, refused(&f, SHARDS, SHARDSPEC_UNSUPPORTED_DEVICE, 2);
  f = good, f.shards[2].byte_offset = UINT64_MAX, refused(&f, SHARDS, SHARDSPEC_OVERFLOW, 2);
  f = good, f.full_view.data = NULL, refused(&f, SHARDS, SHARDSPEC_NULL_ARGUMENT, -1);
  f = good, f.full_view.dtype = float64, refused(&f, SHARDS, SHARDSPEC_DTYPE_MISMATCH, -1);
  f = good, f.full_view.dtype = int4, refused(&f, SHARDS, SHARDSPEC_DTYPE_MISMATCH, -1);
  f = good, f.full_view.shape = wrong_shape, refused(&f, SHARDS, SHARDSPEC_SHAPE_MISMATCH, -1);
  f = good, f.full_view.device.device_type = 7, refused(&f, SHARDS, SHARDSPEC_UNSUPPORTED_DEVICE, -1);
  tear_down(&good);
}

static void shared_memory_is_refused_and_interleaved_memory_is_not(void) {
  fixture f;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  set_up(&f, 0);
  f.shards[1].data = f.shard_data[0] + 5; /* the last element of shard 0 */
  CHECK_STATUS(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err),
               SHARDSPEC_ALIASED);
  CHECK(err.first_shard == 0 && err.second_shard == 1);
  /* Gather reads them, and may read a byte twice. */
  CHECK_OK(shardspec_metadata_gather(f.metadata, f.shards, SHARDS, &f.back_view, NULL, &err));
  f.shards[1].data = f.full + 14;
  CHECK_STATUS(shardspec_metadata_gather(f.metadata, f.shards, SHARDS, &f.full_view, NULL, &err),
               SHARDSPEC_ALIASED);
  int64_t zero[] = {0, 1};
  f.shards[1].data = f.shard_data[1];
  f.shards[1].strides = zero;
  CHECK_STATUS(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err),
               SHARDSPEC_ALIASED);

  /* Shards 0 and 1 in the even and odd elements of one buffer. */
  float both[12];
  int64_t every_other[] = {2 * COLUMNS, 2};
  f.shards[0].data = both;
  f.shards[1].data = both + 1;
  f.shards[0].strides = f.shards[1].strides = every_other;
  CHECK_OK(shardspec_metadata_scatter(f.metadata, &f.full_view, f.shards, SHARDS, NULL, &err));
  CHECK(both[0] == 1 && both[1] == 7 && both[10] == 6 && both[11] == 12);
  tear_down(&f);
}

static void options_change_nothing_but_the_time(void) {
  enum { SIDE = 1024, PARTS = 8 };
  static uint16_t full[SIDE * SIDE], back[SIDE * SIDE], shard_data[PARTS][SIDE * SIDE / PARTS];
  static const char *const placements[] = {"rank:0", "rank:1", "rank:2", "rank:3",
                                           "rank:4", "rank:5", "rank:6", "rank:7"};
  static const uint32_t hints[] = {0, SHARDSPEC_COPY_HINT_STREAM, SHARDSPEC_COPY_HINT_CACHED,
                                   SHARDSPEC_COPY_HINT_PORTABLE,
                                   SHARDSPEC_COPY_HINT_PORTABLE | SHARDSPEC_COPY_HINT_STREAM};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_dtype bfloat16 = {SHARDSPEC_DTYPE_BFLOAT, 16, 1};
  int64_t sizes[] = {SIDE, SIDE}, shape[] = {SIDE, SIDE / PARTS};
  shardspec_tensor_view full_view = view_of(full, bfloat16, sizes, 2),
                        back_view = view_of(back, bfloat16, sizes, 2), shards[PARTS];
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(1, placements, PARTS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  for (size_t i = 0; i < SIDE * SIDE; i++) full[i] = (uint16_t)(i * 40503u >> 3);
  for (size_t i = 0; i < PARTS; i++) shards[i] = view_of(shard_data[i], bfloat16, shape, 2);
  for (uint32_t threads = 0; threads < 4; threads++)
    for (size_t i = 0; i < COUNT(hints); i++) {
      shardspec_copy_options options = {sizeof options, threads, hints[i]};
      memset(shard_data, 0, sizeof shard_data);
      memset(back, 0, sizeof back);
      CHECK_OK(shardspec_metadata_scatter(metadata, &full_view, shards, PARTS, &options, &err));
      CHECK(shard_data[3][SIDE / PARTS] == full[SIDE + 3 * SIDE / PARTS]);
      CHECK_OK(shardspec_metadata_gather(metadata, shards, PARTS, &back_view, &options, &err));
      CHECK(memcmp(full, back, sizeof full) == 0);
    }
  shardspec_copy_options unknown = {sizeof unknown, 0, 1u << 31}, small = {4, 0, 0};
  CHECK_STATUS(shardspec_metadata_gather(metadata, shards, PARTS, &back_view, &unknown, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_metadata_gather(metadata, shards, PARTS, &back_view, &small, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static unsigned nibble(const uint8_t *bytes, size_t at) {
  return bytes[at / 2] >> at % 2 * 4 & 15;
}

/* 3 rows of 5 elements of 4 bits, cut by columns: the second shard starts inside of a byte. */
static void packed_elements_are_moved_and_their_neighbours_stay(void) {
  static const char *const placements[] = {"rank:0", "rank:1"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_dtype int4 = {SHARDSPEC_DTYPE_INT, 4, 1};
  uint8_t full[8] = {0x10, 0x32, 0x54, 0x76, 0x98, 0xBA, 0xDC, 0xFE}, back[8] = {0};
  uint8_t data[2][5] = {{0}, {0, 0, 0, 0xA5, 0xA5}};
  int64_t sizes[] = {3, 5}, shapes[2][2] = {{3, 3}, {3, 2}}, shape[2], strides[2];
  shardspec_tensor_view whole = view_of(full, int4, sizes, 2), again = view_of(back, int4, sizes, 2);
  shardspec_tensor_view shards[2], view;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  for (int i = 0; i < 2; i++) shards[i] = view_of(data[i], int4, shapes[i], 2);
  data[0][4] = 0x70; /* the 9 elements of the shard leave these bits over */
  back[7] = 0xE0;    /* the 15 of the tensor leave these over */
  CHECK_OK(shardspec_spec_new_chunk(1, placements, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_scatter(metadata, &whole, shards, 2, NULL, &err));
  for (size_t row = 0; row < 3; row++)
    for (size_t column = 0; column < 5; column++)
      CHECK_EQUAL(column < 3 ? nibble(data[0], 3 * row + column) : nibble(data[1], 2 * row + column - 3),
                  nibble(full, 5 * row + column));
  CHECK_EQUAL(nibble(data[0], 9), 7);
  CHECK(data[1][3] == 0xA5 && data[1][4] == 0xA5);
  CHECK_OK(shardspec_metadata_gather(metadata, shards, 2, &again, NULL, &err));
  for (size_t at = 0; at < 15; at++) CHECK_EQUAL(nibble(back, at), nibble(full, at));
  CHECK_EQUAL(nibble(back, 15), 0xE);
  CHECK_OK(shardspec_metadata_view_shard(metadata, 0, &whole, shape, strides, 2, &view, &err));
  CHECK(view.data == full && strides[0] == 5 && strides[1] == 1);
  CHECK_STATUS(shardspec_metadata_view_shard(metadata, 1, &whole, shape, strides, 2, &view, &err),
               SHARDSPEC_UNSUPPORTED);
  CHECK_MESSAGE("bit 4");
  shards[1].data = data[0] + 4; /* with the last element of shard 0 */
  CHECK_STATUS(shardspec_metadata_scatter(metadata, &whole, shards, 2, NULL, &err), SHARDSPEC_ALIASED);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void a_tensor_without_dimensions_is_one_element(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const shardspec_shard_metadata shard = {0, NULL, NULL, "rank:0"};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  float from = 7, to = 0;
  shardspec_tensor_view full = view_of(&from, FLOAT32, NULL, 0), one = view_of(&to, FLOAT32, NULL, 0);
  CHECK_OK(enumerable_of(&shard, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, NULL, 0, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_scatter(metadata, &full, &one, 1, NULL, &err));
  CHECK(to == 7);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  scatter_then_gather_gives_the_tensor_back();
  extract_and_view_give_what_scatter_gives();
  reversed_broadcast_and_unaligned_sources_are_read();
  a_view_is_copied_into_another_whatever_their_strides();
  what_does_not_fit_is_refused_before_the_first_byte();
  shared_memory_is_refused_and_interleaved_memory_is_not();
  options_change_nothing_but_the_time();
  packed_elements_are_moved_and_their_neighbours_stay();
  a_tensor_without_dimensions_is_one_element();
  return 0;
}
