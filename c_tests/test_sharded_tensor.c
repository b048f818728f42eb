/* Sharded tensors: made from a full one, from local shards and from nothing; looked at, and put
 * together again. */
#include "check.h"
#include "lists.h"

enum { ROWS = 5, COLUMNS = 3, SHARDS = 4 };

static const char *const RANKS[SHARDS] = {"rank:0/cpu", "rank:1/cuda:0", "rank:1/cuda:1", "trainer0/cpu"};
static shardspec_error err = SHARDSPEC_ERROR_INIT;
static float full[ROWS * COLUMNS];
static int64_t full_shape[2] = {ROWS, COLUMNS};
static shardspec_tensor_view full_view;

/* 5x3 floats cut by rows: two, two, one, none. */
static shardspec_metadata *rows_with(shardspec_tensor_properties *properties) {
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, SHARDS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, full_shape, 2, properties, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static shardspec_tensor_properties torch_properties(void) {
  shardspec_tensor_properties properties;
  memset(&properties, 0, sizeof properties);
  properties.struct_size = sizeof properties;
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  return properties;
}

static shardspec_metadata *rows_of_floats(void) {
  shardspec_tensor_properties properties = torch_properties();
  return rows_with(&properties);
}

static size_t local_count(shardspec_sharded_tensor *tensor) {
  size_t count;
  CHECK_OK(shardspec_sharded_tensor_local_count(tensor, &count, &err));
  return count;
}

static size_t local_index(shardspec_sharded_tensor *tensor, size_t local) {
  size_t index;
  CHECK_OK(shardspec_sharded_tensor_local_index(tensor, local, &index, &err));
  return index;
}

/* The elements of a local shard, which is row-major. */
static float *local_data(shardspec_sharded_tensor *tensor, size_t local) {
  int64_t shape[2], strides[2];
  shardspec_tensor_view view;
  CHECK_OK(shardspec_sharded_tensor_local_view(tensor, local, shape, strides, 2, &view, &err));
  CHECK(view.shape == shape && view.strides == strides && view.ndim == 2 && view.byte_offset == 0);
  CHECK(view.dtype.code == SHARDSPEC_DTYPE_FLOAT && view.dtype.bits == 32);
  CHECK_EQUAL(view.device.device_type, SHARDSPEC_DLPACK_DEVICE_CPU);
  CHECK(shape[1] == COLUMNS && (shape[0] == 0) == (view.data == NULL));
  CHECK(shape[0] == 0 || (strides[0] == COLUMNS && strides[1] == 1));
  return (float *)view.data;
}

static void free_tensor(shardspec_sharded_tensor *tensor) {
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_STATUS(shardspec_sharded_tensor_free(tensor, &err), SHARDSPEC_INVALID_HANDLE);
}

static void a_full_tensor_is_sharded_for_each_owner_that_can_be_named(void) {
  static const struct {
    const char *owner;
    size_t count, shards[SHARDS];
  } owners[] = {
      {"rank:0", 1, {0}},           {"rank:1", 2, {1, 2}}, {"rank:1/cuda:1", 1, {2}},
      {"trainer0", 1, {3}},         {"rank:0/cuda:0", 0, {0}}, {"rank:7", 0, {0}},
      {NULL, SHARDS, {0, 1, 2, 3}},
  };
  static const int first_rows[SHARDS] = {0, 2, 4, 5}, row_counts[SHARDS] = {2, 2, 1, 0};
  shardspec_metadata *metadata = rows_of_floats();
  for (size_t i = 0; i < COUNT(owners); i++) {
    shardspec_sharded_tensor *by_owner, *by_index;
    CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, owners[i].owner, &full_view, NULL,
                                                    &by_owner, &err));
    CHECK_OK(shardspec_sharded_tensor_new_from_full_for_indices(
        metadata, owners[i].shards, owners[i].count, &full_view, NULL, &by_index, &err));
    CHECK_EQUAL(local_count(by_owner), owners[i].count);
    CHECK_EQUAL(local_count(by_index), owners[i].count);
    for (size_t local = 0; local < owners[i].count; local++) {
      size_t shard = owners[i].shards[local];
      size_t bytes = sizeof(float) * COLUMNS * (size_t)row_counts[shard];
      CHECK_EQUAL(local_index(by_owner, local), shard);
      CHECK_EQUAL(local_index(by_index, local), shard);
      float *some = local_data(by_owner, local), *same = local_data(by_index, local);
      CHECK((uintptr_t)some % 64 == 0 && (some != same || bytes == 0));
      if (bytes == 0) continue;
      CHECK(memcmp(some, full + COLUMNS * first_rows[shard], bytes) == 0);
      CHECK(memcmp(some, same, bytes) == 0);
    }
    free_tensor(by_owner);
    free_tensor(by_index);
  }
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

/* A spec of the user's that cuts like a chunk spec, and fills shards with their index. */
static shardspec_status build(void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
                              const shardspec_tensor_properties *properties,
                              shardspec_metadata_builder *builder, shardspec_error *error) {
  int64_t first[] = {0, 0, 2, 0}, lengths[] = {2, sizes[1], sizes[0] - 2, sizes[1]};
  (void)ctx, (void)dim_names, (void)properties;
  shardspec_shards *shards;
  shardspec_status status =
      shardspec_shards_new_from_arrays(first, lengths, NULL, ndim, 2, RANKS, 2, &shards, error);
  if (status) return status;
  status = shardspec_metadata_builder_add_shards(builder, shards, error);
  CHECK(shardspec_shards_free(shards, NULL) == SHARDSPEC_OK);
  return status;
}

static shardspec_status fill(void *ctx, const shardspec_metadata *metadata, size_t index,
                             const shardspec_tensor_view *whole, const shardspec_tensor_view *shard,
                             const shardspec_copy_options *options, shardspec_error *error) {
  (void)metadata, (void)whole, (void)options;
  if (index == *(size_t *)ctx) {
    strcpy(error->message, "not this one");
    return SHARDSPEC_USER_STATUS + 1;
  }
  for (int64_t i = 0; i < shard->shape[0] * shard->shape[1]; i++)
    ((float *)shard->data)[i] = 100 + (float)index;
  return SHARDSPEC_OK;
}

static void a_spec_cuts_a_tensor_in_its_own_way(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, build, fill, NULL, NULL, 0, 0};
  size_t refused_shard = 0;
  shardspec_spec *spec, *rows;
  shardspec_sharded_tensor *tensor, *untouched = NULL;
  CHECK_OK(shardspec_spec_new_custom("test.halves", &vtable, &refused_shard, &spec, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_spec(spec, NULL, "rank:1", &full_view, NULL, &tensor, &err));
  CHECK_EQUAL(local_index(tensor, 0), 1);
  CHECK(local_data(tensor, 0)[0] == 101 && local_data(tensor, 0)[8] == 101);
  free_tensor(tensor);
  CHECK_STATUS(shardspec_sharded_tensor_new_from_spec(spec, NULL, NULL, &full_view, NULL, &untouched, &err),
               SHARDSPEC_USER_STATUS + 1);
  CHECK_TEXT(err.message, "not this one");
  CHECK(untouched == NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, SHARDS, &rows, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_spec(rows, NULL, "rank:1", &full_view, NULL, &tensor, &err));
  CHECK(local_count(tensor) == 2 && local_data(tensor, 1)[0] == full[12]);
  free_tensor(tensor);
  CHECK_OK(shardspec_spec_free(rows, &err));
}

static void owners_are_known_to_the_metadata(void) {
  shardspec_metadata *metadata = rows_of_floats();
  size_t shards[SHARDS] = {9, 9, 9, 9}, count;
  CHECK_OK(shardspec_metadata_shards_of_owner(metadata, "rank:1", shards, SHARDS, &count, &err));
  CHECK(count == 2 && shards[0] == 1 && shards[1] == 2 && shards[2] == 9);
  CHECK_OK(shardspec_metadata_shards_of_owner(metadata, "trainer1", shards, SHARDS, &count, &err));
  CHECK_EQUAL(count, 0);
  CHECK_STATUS(shardspec_metadata_shards_of_owner(metadata, "rank:x", NULL, 0, &count, &err),
               SHARDSPEC_INVALID_PLACEMENT);
  CHECK_STATUS(shardspec_metadata_shards_of_owner(metadata, "rank:1", shards, 1, &count, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void what_is_not_local_is_named_and_all_shards_give_the_tensor_back(void) {
  shardspec_metadata *metadata = rows_of_floats();
  shardspec_sharded_tensor *tensor;
  float back[ROWS * COLUMNS], before[ROWS * COLUMNS];
  shardspec_tensor_view back_view = view_of(back, FLOAT32, full_shape, 2);
  /* In any order; the fourth shard owns nothing, so nobody misses it. */
  static const size_t enough[] = {2, 0, 1}, too_few[] = {3, 2, 0};
  memset(back, 7, sizeof back);
  memcpy(before, back, sizeof back);
  CHECK_OK(shardspec_sharded_tensor_new_from_full_for_indices(metadata, too_few, 3, &full_view, NULL,
                                                         &tensor, &err));
  CHECK_STATUS(shardspec_sharded_tensor_gather(tensor, &back_view, NULL, &err), SHARDSPEC_NOT_LOCAL);
  CHECK_EQUAL(err.first_shard, 1);
  CHECK_MESSAGE("rank:1/cuda:0");
  CHECK(memcmp(back, before, sizeof back) == 0);
  free_tensor(tensor);
  CHECK_OK(shardspec_sharded_tensor_new_from_full_for_indices(metadata, enough, 3, &full_view, NULL,
                                                         &tensor, &err));
  for (size_t local = 0; local < 3; local++) CHECK_EQUAL(local_index(tensor, local), local);
  /* Shards are the caller's to write. */
  local_data(tensor, 1)[4] = -1;
  CHECK_OK(shardspec_sharded_tensor_gather(tensor, &back_view, NULL, &err));
  CHECK(back[10] == -1);
  back[10] = full[10];
  CHECK(memcmp(back, full, sizeof full) == 0);
  /* Not into its own memory, and not with one row less. */
  int64_t four_rows[] = {4, COLUMNS};
  back_view.shape = four_rows;
  CHECK_STATUS(shardspec_sharded_tensor_gather(tensor, &back_view, NULL, &err),
               SHARDSPEC_SHAPE_MISMATCH);
  back_view = view_of(local_data(tensor, 0), FLOAT32, full_shape, 2);
  CHECK_STATUS(shardspec_sharded_tensor_gather(tensor, &back_view, NULL, &err), SHARDSPEC_ALIASED);
  free_tensor(tensor);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void new_shards_are_zero_where_that_is_wanted(void) {
  shardspec_metadata *metadata = rows_of_floats(), *untyped = rows_with(NULL);
  shardspec_sharded_tensor *tensor, *untouched = NULL;
  static const size_t last_then_first[] = {2, 0};
  static const float zeros[2 * COLUMNS];
  CHECK_OK(shardspec_sharded_tensor_new(metadata, "rank:1", SHARDSPEC_FILL_ZERO, &tensor, &err));
  CHECK_EQUAL(local_count(tensor), 2);
  CHECK(memcmp(local_data(tensor, 0), zeros, sizeof zeros) == 0);
  CHECK(memcmp(local_data(tensor, 1), zeros, sizeof(float) * COLUMNS) == 0);
  free_tensor(tensor);
  CHECK_OK(shardspec_sharded_tensor_new_for_indices(metadata, last_then_first, 2,
                                               SHARDSPEC_FILL_UNINITIALIZED, &tensor, &err));
  CHECK(local_index(tensor, 0) == 0 && local_index(tensor, 1) == 2);
  memset(local_data(tensor, 0), 1, sizeof zeros);
  free_tensor(tensor);
  CHECK_STATUS(shardspec_sharded_tensor_new(metadata, NULL, 2, &untouched, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_sharded_tensor_new(untyped, NULL, SHARDSPEC_FILL_ZERO, &untouched, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("dtype");
  CHECK(untouched == NULL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_metadata_free(untyped, &err));
}

static void properties_are_carried_and_the_element_type_is_learnt(void) {
  shardspec_tensor_properties properties = torch_properties(), told = properties;
  shardspec_metadata *metadata, *again;
  shardspec_sharded_tensor *tensor;
  int32_t equal;
  properties.requires_grad = 1;
  properties.pin_memory = 1;
  metadata = rows_with(&properties);
  CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, SHARDSPEC_FILL_ZERO, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_properties(tensor, &told, &err));
  CHECK(memcmp(&told, &properties, sizeof told) == 0);
  CHECK_OK(shardspec_sharded_tensor_metadata(tensor, &again, &err));
  CHECK_OK(shardspec_metadata_equal(metadata, again, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  /* The sharded tensor needs neither of them. */
  CHECK_OK(shardspec_metadata_free(again, &err));
  CHECK_EQUAL(local_count(tensor), SHARDS);
  free_tensor(tensor);

  metadata = rows_with(NULL);
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, "rank:0", &full_view, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_properties(tensor, &told, &err));
  CHECK(told.dtype.code == SHARDSPEC_DTYPE_FLOAT && told.dtype.bits == 32 && told.requires_grad == 0);
  free_tensor(tensor);
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, "rank:9", &full_view, NULL, &tensor, &err));
  CHECK_EQUAL(local_count(tensor), 0);
  free_tensor(tensor);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void what_can_not_be_sharded_is_refused(void) {
  shardspec_tensor_properties properties = torch_properties();
  shardspec_sharded_tensor *untouched = NULL;
  shardspec_metadata *metadata;
  properties.layout = SHARDSPEC_LAYOUT_SPARSE_COO;
  metadata = rows_with(&properties);
  CHECK_STATUS(shardspec_sharded_tensor_new(metadata, NULL, 0, &untouched, &err), SHARDSPEC_UNSUPPORTED);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  properties = torch_properties();
  properties.memory_format = SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST;
  metadata = rows_with(&properties);
  CHECK_STATUS(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full_view, NULL, &untouched, &err),
               SHARDSPEC_UNSUPPORTED);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK(untouched == NULL);
}

/* Counts how often lent memory was given back. */
static void count_release(void *ctx) { ++*(int *)ctx; }

typedef struct lent {
  float data[2][2 * COLUMNS];
  int64_t shapes[2][2];
  shardspec_tensor_view views[2];
  shardspec_shard_metadata descriptions[2];
  size_t indices[2];
} lent;

/* The two shards of rank 1, the second one first. */
static void lend(lent *l) {
  static const int64_t offsets[2][2] = {{4, 0}, {2, 0}}, sizes[2][2] = {{1, COLUMNS}, {2, COLUMNS}};
  memset(l, 0, sizeof *l);
  for (size_t i = 0; i < 2; i++) {
    shardspec_shard_metadata description = {2, offsets[i], sizes[i], RANKS[2 - i]};
    memcpy(l->shapes[i], sizes[i], sizeof sizes[i]);
    memcpy(l->data[i], full + COLUMNS * offsets[i][0], sizeof(float) * COLUMNS * (size_t)sizes[i][0]);
    l->views[i] = view_of(l->data[i], FLOAT32, l->shapes[i], 2);
    l->descriptions[i] = description;
    l->indices[i] = 2 - i;
  }
}

static void local_shards_are_borrowed_and_given_back_once(void) {
  shardspec_metadata *metadata = rows_of_floats();
  for (int described = 0; described < 2; described++) {
    shardspec_sharded_tensor *tensor;
    int released = 0;
    lent l;
    lend(&l);
    if (described) {
      shardspec_shards *descriptions;
      CHECK_OK(shardspec_shards_new(l.descriptions, 2, &descriptions, &err));
      CHECK_OK(shardspec_sharded_tensor_new_from_local_shards(
          metadata, "rank:1", descriptions, l.views, 2, &released, count_release, &tensor, &err));
      CHECK_OK(shardspec_shards_free(descriptions, &err));
    } else
      CHECK_OK(shardspec_sharded_tensor_new_from_local(metadata, "rank:1", l.indices, l.views, 2,
                                                       &released, count_release, &tensor, &err));
    CHECK(local_count(tensor) == 2 && local_index(tensor, 0) == 1 && local_index(tensor, 1) == 2);
    CHECK(local_data(tensor, 0) == l.data[1] && local_data(tensor, 1) == l.data[0]);
    CHECK_EQUAL(released, 0);
    free_tensor(tensor);
    CHECK_EQUAL(released, 1);
  }
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void local_shards_of_any_strides_are_used_where_they_are(void) {
  shardspec_metadata *metadata = rows_with(NULL);
  shardspec_sharded_tensor *tensor;
  shardspec_tensor_view views[3], view, back_view;
  float buffer[COLUMNS][ROWS], back[ROWS * COLUMNS];
  int64_t shapes[3][2] = {{2, COLUMNS}, {2, COLUMNS}, {1, COLUMNS}}, strides[] = {1, ROWS};
  int64_t shape_place[2], strides_place[2];
  static const size_t indices[] = {0, 1, 2};
  /* A transposed tensor: the shards lie between each other's rows and share no byte. */
  for (int row = 0; row < ROWS; row++)
    for (int column = 0; column < COLUMNS; column++) buffer[column][row] = full[row * COLUMNS + column];
  for (size_t i = 0; i < 3; i++) {
    views[i] = view_of(buffer, FLOAT32, shapes[i], 2);
    views[i].strides = strides;
    views[i].byte_offset = 2 * i * sizeof(float);
  }
  CHECK_OK(shardspec_sharded_tensor_new_from_local(metadata, NULL, indices, views, 3, NULL, NULL,
                                                   &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_local_view(tensor, 1, shape_place, strides_place, 2, &view, &err));
  CHECK(view.data == &buffer[0][2] && strides_place[0] == 1 && strides_place[1] == ROWS);
  back_view = view_of(back, FLOAT32, full_shape, 2);
  CHECK_OK(shardspec_sharded_tensor_gather(tensor, &back_view, NULL, &err));
  CHECK(memcmp(back, full, sizeof full) == 0);
  free_tensor(tensor);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

/* Refused by both ways to say which shards these are, and given back both times. */
static void refused(const char *owner, const lent *l, shardspec_status wanted,
                    shardspec_status wanted_described, int64_t shard) {
  shardspec_metadata *metadata = rows_of_floats();
  shardspec_sharded_tensor *untouched = NULL;
  int released = 0;
  CHECK_STATUS(shardspec_sharded_tensor_new_from_local(metadata, owner, l->indices, l->views, 2,
                                                       &released, count_release, &untouched, &err),
               wanted);
  CHECK_EQUAL(err.first_shard, shard);
  CHECK_EQUAL(released, 1);
  shardspec_shards *descriptions;
  CHECK_OK(shardspec_shards_new(l->descriptions, 2, &descriptions, &err));
  CHECK_STATUS(shardspec_sharded_tensor_new_from_local_shards(metadata, owner, descriptions, l->views, 2,
                                                              &released, count_release, &untouched, &err),
               wanted_described);
  CHECK_EQUAL(released, 2);
  CHECK(shardspec_shards_free(descriptions, NULL) == SHARDSPEC_OK);
  CHECK(untouched == NULL);
  /* Leaves the error to look at. */
  CHECK(shardspec_metadata_free(metadata, NULL) == SHARDSPEC_OK);
}

static void local_shards_that_are_not_the_metadatas_are_refused_and_given_back(void) {
  static const int64_t elsewhere[] = {3, 0};
  static const shardspec_dtype float64 = {SHARDSPEC_DTYPE_FLOAT, 64, 1};
  lent l;
#define REFUSED(owner, change, status, described, shard)                                           \
  (lend(&l), (change), refused(owner, &l, SHARDSPEC_##status, SHARDSPEC_##described, shard))
  REFUSED("rank:1", l.shapes[1][0] = 3, SHAPE_MISMATCH, SHAPE_MISMATCH, 1);
  REFUSED("rank:1", l.views[1].ndim = 1, NDIM_MISMATCH, NDIM_MISMATCH, 1);
  REFUSED("rank:1", l.views[0].dtype = float64, DTYPE_MISMATCH, DTYPE_MISMATCH, 2);
  REFUSED("rank:1", l.views[1].data = l.data[0], ALIASED, ALIASED, 1);
  REFUSED("rank:1", l.views[0].data = NULL, NULL_ARGUMENT, NULL_ARGUMENT, 2);
  REFUSED("rank:1", l.views[0].device.device_type = 2, UNSUPPORTED_DEVICE, UNSUPPORTED_DEVICE, 2);
  REFUSED("rank:0", (void)0, INVALID_ARGUMENT, INVALID_ARGUMENT, -1);
  REFUSED("rank:x", (void)0, INVALID_PLACEMENT, INVALID_PLACEMENT, -1);
  /* One shard of two, with one of another owner; twice the same; past the end. */
  REFUSED("rank:1", (l.indices[0] = 0, l.descriptions[0].placement = "rank:0"), INVALID_ARGUMENT,
          INVALID_ARGUMENT, -1);
  REFUSED(NULL, (l.indices[0] = 1, l.descriptions[0] = l.descriptions[1]), INVALID_ARGUMENT,
          INVALID_ARGUMENT, -1);
  REFUSED(NULL, (l.indices[0] = SHARDS, l.descriptions[0].offsets = elsewhere), INDEX_OUT_OF_RANGE,
          NOT_FOUND, -1);
  CHECK_MESSAGE("shard 0, [3:4, 0:3]");
  lend(&l);
  shardspec_metadata *metadata = rows_of_floats();
  shardspec_sharded_tensor *untouched = NULL;
  int released = 0;
  /* One of the two shards of rank 1. */
  CHECK_STATUS(shardspec_sharded_tensor_new_from_local(metadata, "rank:1", l.indices, l.views, 1,
                                                       &released, count_release, &untouched, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("rank:1 owns 2");
  /* Whatever else is wrong, it is given back: also an error that can't be one. */
  shardspec_error wrong = SHARDSPEC_ERROR_INIT;
  wrong.struct_size = 8;
  CHECK(shardspec_sharded_tensor_new_from_local(metadata, NULL, l.indices, l.views, 2, &released,
                                                count_release, &untouched, &wrong) ==
        SHARDSPEC_INVALID_ARGUMENT);
  CHECK(shardspec_sharded_tensor_new_from_local(NULL, NULL, NULL, NULL, 0, &released, count_release,
                                                NULL, NULL) == SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(released, 3);
  CHECK(untouched == NULL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void a_tensor_without_dimensions_or_elements_is_sharded_too(void) {
  static const shardspec_shard_metadata shard = {0, NULL, NULL, "rank:0"};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_sharded_tensor *tensor;
  float from = 7, to = 0;
  shardspec_tensor_view one = view_of(&from, FLOAT32, NULL, 0), back = view_of(&to, FLOAT32, NULL, 0);
  CHECK_OK(enumerable_of(&shard, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, NULL, 0, NULL, &metadata, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, "rank:0", &one, NULL, &tensor, &err));
  CHECK_OK(shardspec_sharded_tensor_gather(tensor, &back, NULL, &err));
  CHECK(to == 7);
  free_tensor(tensor);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));

  int64_t none[] = {0, 3};
  shardspec_tensor_view nothing = view_of(NULL, FLOAT32, none, 2);
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, SHARDS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, none, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, "rank:1", &nothing, NULL, &tensor, &err));
  CHECK(local_data(tensor, 0) == NULL);
  CHECK_OK(shardspec_sharded_tensor_gather(tensor, &nothing, NULL, &err));
  free_tensor(tensor);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  for (int i = 0; i < ROWS * COLUMNS; i++) full[i] = (float)(i + 1);
  full_view = view_of(full, FLOAT32, full_shape, 2);
  a_full_tensor_is_sharded_for_each_owner_that_can_be_named();
  a_spec_cuts_a_tensor_in_its_own_way();
  owners_are_known_to_the_metadata();
  what_is_not_local_is_named_and_all_shards_give_the_tensor_back();
  new_shards_are_zero_where_that_is_wanted();
  properties_are_carried_and_the_element_type_is_learnt();
  what_can_not_be_sharded_is_refused();
  local_shards_are_borrowed_and_given_back_once();
  local_shards_of_any_strides_are_used_where_they_are();
  local_shards_that_are_not_the_metadatas_are_refused_and_given_back();
  a_tensor_without_dimensions_or_elements_is_sharded_too();
  return 0;
}
