/* Tensors as flat arrays: the same answers as with views. */
#include "check.h"

enum { ROWS = 7, COLUMNS = 6, SHARDS = 3, ELEMENTS = ROWS * COLUMNS };

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2", "rank:3", "rank:4"};

static shardspec_metadata *chunks(int64_t dim, size_t count, int states_dtype) {
  const int64_t sizes[] = {ROWS, COLUMNS};
  shardspec_tensor_properties properties;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_struct_init("shardspec_tensor_properties", &properties, sizeof properties, &err));
  CHECK_OK(shardspec_spec_new_chunk(dim, RANKS, count, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, states_dtype ? &properties : NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

/* Buffers of all shards, in one piece of memory with gaps between them. */
typedef struct buffers {
  float memory[4 * ELEMENTS];
  uint64_t byte_offsets[5], addresses[5];
  int64_t shapes[5][2], strides[5][2];
  shardspec_tensor_view views[5];
} buffers;

/* Every second column of wider rows where `strided`. */
static void lay_out(buffers *all, const shardspec_metadata *metadata, size_t count, int strided) {
  uint64_t at = 0;
  memset(all, 0, sizeof *all);
  for (size_t i = 0; i < count; i++) {
    CHECK_OK(shardspec_metadata_get_shard(metadata, i, NULL, all->shapes[i], 2, &err));
    const int64_t step = strided ? 2 : 1;
    all->strides[i][0] = all->shapes[i][1] * step, all->strides[i][1] = step;
    all->byte_offsets[i] = at * sizeof(float);
    all->addresses[i] = (uint64_t)(uintptr_t)&all->memory[at];
    all->views[i] = view_of(&all->memory[at], FLOAT32, all->shapes[i], 2);
    all->views[i].strides = all->strides[i];
    at += (uint64_t)(all->shapes[i][0] * all->strides[i][0]) + 1;
  }
  CHECK(at <= COUNT(all->memory));
}

static void scatter_and_gather_are_those_of_views(void) {
  static buffers by_views, flat;
  float full[ELEMENTS], again[2][ELEMENTS];
  int64_t shape[] = {ROWS, COLUMNS}, transposed[] = {1, ROWS};
  for (int i = 0; i < ELEMENTS; i++) full[i] = (float)i + 1;
  for (int form = 0; form < 32; form++) {
    const int by_rows = form & 1, strided = form >> 1 & 1, columns_first = form >> 2 & 1;
    const int by_address = form >> 3 & 1, with_shapes = form >> 4 & 1;
    shardspec_metadata *metadata = chunks(by_rows ? 0 : 1, SHARDS, with_shapes);
    shardspec_tensor_view view = view_of(full, FLOAT32, shape, 2);
    lay_out(&by_views, metadata, SHARDS, strided), lay_out(&flat, metadata, SHARDS, strided);
    if (columns_first) view.strides = transposed;
    CHECK_OK(shardspec_metadata_scatter(metadata, &view, by_views.views, SHARDS, NULL, &err));
    CHECK_OK(shardspec_metadata_scatter_flat(
        metadata, &FLOAT32, full, view.strides, by_address ? NULL : flat.memory,
        by_address ? flat.addresses : flat.byte_offsets, with_shapes ? flat.shapes[0] : NULL,
        strided ? flat.strides[0] : NULL, SHARDS, NULL, &err));
    CHECK(memcmp(by_views.memory, flat.memory, sizeof flat.memory) == 0);
    memset(again, 0, sizeof again);
    view.data = again[0];
    CHECK_OK(shardspec_metadata_gather(metadata, by_views.views, SHARDS, &view, NULL, &err));
    /* The metadata states the element type where it was made with properties. */
    CHECK_OK(shardspec_metadata_gather_flat(
        metadata, with_shapes ? NULL : &FLOAT32, by_address ? NULL : flat.memory,
        by_address ? flat.addresses : flat.byte_offsets, with_shapes ? flat.shapes[0] : NULL,
        strided ? flat.strides[0] : NULL, SHARDS, again[1], view.strides, NULL, &err));
    CHECK(memcmp(again[0], full, sizeof full) == 0 && memcmp(again[1], full, sizeof full) == 0);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
}

static void extract_is_that_of_views(void) {
  float full[ELEMENTS], part[2][ELEMENTS];
  int64_t shape[] = {ROWS, COLUMNS}, part_shape[2];
  static const int64_t strides[] = {1, ROWS};
  for (int i = 0; i < ELEMENTS; i++) full[i] = (float)i + 1;
  for (int64_t dim = 0; dim < 2; dim++) {
    shardspec_metadata *metadata = chunks(dim, SHARDS, 0);
    for (size_t i = 0; i < SHARDS; i++) {
      memset(part, 0, sizeof part);
      CHECK_OK(shardspec_metadata_get_shard(metadata, i, NULL, part_shape, 2, &err));
      shardspec_tensor_view from = view_of(full, FLOAT32, shape, 2), to = view_of(part[0], FLOAT32, part_shape, 2);
      int64_t to_strides[] = {1, ROWS};
      to.strides = to_strides;
      CHECK_OK(shardspec_metadata_extract_shard(metadata, i, &from, &to, NULL, &err));
      CHECK_OK(shardspec_metadata_extract_shard_flat(metadata, i, &FLOAT32, full, NULL, part[1],
                                                     dim ? part_shape : NULL, strides, NULL, &err));
      CHECK(memcmp(part[0], part[1], sizeof part[0]) == 0);
    }
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
}

static void the_place_of_a_shard_is_known_without_memory(void) {
  float full[ELEMENTS];
  int64_t shape[] = {ROWS, COLUMNS}, backwards[] = {-COLUMNS, -1};
  int64_t shapes[2][2], strides[2][2], offset;
  for (int form = 0; form < 4; form++) {
    const int is_backwards = form & 1;
    /* Of five ranks the last one has no rows. */
    shardspec_metadata *metadata = chunks(form >> 1, form >> 1 ? SHARDS : 5, 0);
    shardspec_tensor_view from = view_of(is_backwards ? &full[ELEMENTS - 1] : full, FLOAT32, shape, 2), view;
    if (is_backwards) from.strides = backwards;
    size_t count;
    CHECK_OK(shardspec_metadata_shard_count(metadata, &count, &err));
    for (size_t i = 0; i < count; i++) {
      CHECK_OK(shardspec_metadata_view_shard(metadata, i, &from, shapes[0], strides[0], 2, &view, &err));
      CHECK_OK(shardspec_metadata_view_shard_flat(metadata, i, &FLOAT32, from.strides, &offset, shapes[1],
                                                  strides[1], 2, &err));
      CHECK(memcmp(shapes[0], shapes[1], sizeof shapes[0]) == 0);
      CHECK(memcmp(strides[0], strides[1], sizeof strides[0]) == 0);
      const int is_empty = shapes[0][0] == 0 || shapes[0][1] == 0;
      CHECK_EQUAL(offset, is_empty ? 0 : (char *)view.data - (char *)from.data);
    }
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
}

static void local_views_are_written_at_once_and_gathered_by_their_addresses(void) {
  static const size_t mine[] = {2, 0, 1, 3, 4};
  shardspec_metadata *metadata = chunks(0, 5, 1);
  shardspec_sharded_tensor *tensor;
  uint64_t addresses[5] = {77, 77, 77, 77, 77};
  int64_t shapes[5][2], strides[5][2];
  size_t needed = 0;
  float full[ELEMENTS];
  CHECK_OK(shardspec_sharded_tensor_new_for_indices(metadata, mine, 5, SHARDSPEC_FILL_ZERO, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_local_views_flat(tensor, NULL, NULL, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 5);
  CHECK_STATUS(shardspec_sharded_tensor_local_views_flat(tensor, addresses, shapes[0], strides[0], 4, &needed, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(addresses[0] == 77 && err.got == 4 && err.limit == 5);
  CHECK_OK(shardspec_sharded_tensor_local_views_flat(tensor, addresses, shapes[0], strides[0], 5, NULL, &err));
  for (size_t local = 0; local < 5; local++) {
    int64_t shape[2], stride[2];
    shardspec_tensor_view view;
    CHECK_OK(shardspec_sharded_tensor_local_view(tensor, local, shape, stride, 2, &view, &err));
    CHECK(addresses[local] == (uint64_t)(uintptr_t)view.data);
    CHECK(memcmp(shape, shapes[local], sizeof shape) == 0 && memcmp(stride, strides[local], sizeof stride) == 0);
    for (int64_t i = 0; i < shape[0] * shape[1]; i++) ((float *)view.data)[i] = (float)(local * 100) + (float)i;
  }
  CHECK_OK(shardspec_metadata_gather_flat(metadata, NULL, NULL, addresses, NULL, strides[0], 5, full, NULL, NULL, &err));
  for (int i = 0; i < ELEMENTS; i++)
    CHECK_EQUAL(full[i], i / (2 * COLUMNS) * 100 + i % (2 * COLUMNS));
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void refusals_name_the_array_and_the_shard_and_write_nothing(void) {
  static buffers flat;
  float full[ELEMENTS] = {0};
  static const shardspec_dtype int8 = {SHARDSPEC_DTYPE_INT, 8, 1};
  shardspec_metadata *metadata = chunks(0, SHARDS, 0), *stated = chunks(0, SHARDS, 1);
  lay_out(&flat, metadata, SHARDS, 0);
  memset(flat.memory, 0x5a, sizeof flat.memory);
#define SCATTER(of, dtype, offsets, shapes, count)                                                 \
  shardspec_metadata_scatter_flat(of, dtype, full, NULL, flat.memory, offsets, shapes, NULL, count, NULL, &err)
  CHECK_STATUS(SCATTER(metadata, NULL, flat.byte_offsets, NULL, SHARDS), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("dtype: is NULL, and no element type is stated");
  CHECK_STATUS(SCATTER(stated, &int8, flat.byte_offsets, NULL, SHARDS), SHARDSPEC_DTYPE_MISMATCH);
  CHECK_STATUS(SCATTER(stated, NULL, flat.byte_offsets, NULL, 2), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("shard_count: 2 shards of 3");
  CHECK_STATUS(SCATTER(stated, NULL, NULL, NULL, SHARDS), SHARDSPEC_NULL_ARGUMENT);
  CHECK_MESSAGE("byte_offsets");
  flat.shapes[1][0]++;
  CHECK_STATUS(SCATTER(stated, NULL, flat.byte_offsets, flat.shapes[0], SHARDS), SHARDSPEC_SHAPE_MISMATCH);
  CHECK(err.first_shard == 1 && err.index == 1 && err.dim == 0);
  CHECK_MESSAGE("shards[1]");
  flat.byte_offsets[2] = flat.byte_offsets[1] + 4;
  CHECK_STATUS(SCATTER(stated, NULL, flat.byte_offsets, NULL, SHARDS), SHARDSPEC_ALIASED);
  flat.byte_offsets[2] = UINT64_MAX - (uint64_t)(uintptr_t)flat.memory;
  CHECK_STATUS(SCATTER(stated, NULL, flat.byte_offsets, NULL, SHARDS), SHARDSPEC_OVERFLOW);
  CHECK_EQUAL(err.first_shard, 2);
  flat.addresses[0] = 0;
  CHECK_STATUS(shardspec_metadata_scatter_flat(stated, NULL, full, NULL, NULL, flat.addresses, NULL, NULL, SHARDS,
                                               NULL, &err),
               SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(err.first_shard, 0);
  CHECK_STATUS(shardspec_metadata_scatter_flat(stated, NULL, NULL, NULL, flat.memory, flat.byte_offsets, NULL, NULL,
                                               SHARDS, NULL, &err),
               SHARDSPEC_NULL_ARGUMENT);
  for (size_t i = 0; i < sizeof flat.memory; i++) CHECK_EQUAL(((unsigned char *)flat.memory)[i], 0x5a);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_metadata_free(stated, &err));
}

/* One shard that has all elements in one dimension of its buffer: its rows have other lengths than the
 * tensor's. */
static void flattened_shards_have_rows_of_their_own_length(void) {
  static const int64_t sizes[] = {2, 3}, offset = 0, size = 6;
  shardspec_shards *boxes, *flattened;
  shardspec_metadata *metadata;
  float full[6] = {1, 2, 3, 4, 5, 6}, part[12] = {0};
  static const uint64_t at = 0;
  static const int64_t stride = 2;
  CHECK_OK(shardspec_shards_new_from_arrays(&offset, &size, NULL, 1, 1, RANKS, 1, &boxes, &err));
  CHECK_OK(shardspec_shards_new_flattened(boxes, sizes, 2, 0, 2, &flattened, &err));
  CHECK_OK(shardspec_metadata_new_from_shards(flattened, sizes, 2, NULL, 0, &metadata, &err));
  CHECK_OK(shardspec_metadata_scatter_flat(metadata, &FLOAT32, full, NULL, part, &at, &size, &stride, 1, NULL, &err));
  for (int i = 0; i < 12; i++) CHECK_EQUAL(part[i], i % 2 ? 0 : i / 2 + 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_shards_free(flattened, &err));
  CHECK_OK(shardspec_shards_free(boxes, &err));
}

int main(void) {
  scatter_and_gather_are_those_of_views();
  extract_is_that_of_views();
  the_place_of_a_shard_is_known_without_memory();
  local_views_are_written_at_once_and_gathered_by_their_addresses();
  refusals_name_the_array_and_the_shard_and_write_nothing();
  flattened_shards_have_rows_of_their_own_length();
  return 0;
}
