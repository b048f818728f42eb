/* Tensors of numbered elements, cut across ranks. */
#include "ranks.h"
#include "../lists.h"

static const int32_t UNTOUCHED = 0x5a5a5a5a;

static const shardspec_dtype INT32 = {SHARDSPEC_DTYPE_INT, 32, 1};

static int32_t *numbers(int64_t count) {
  int32_t *data = malloc((size_t)count * sizeof *data + 1);
  CHECK(data != NULL);
  for (int64_t i = 0; i < count; i++) data[i] = (int32_t)i;
  return data;
}

static int64_t elements(const shardspec_tensor_view *view) {
  int64_t count = 1;
  for (int32_t dim = 0; dim < view->ndim; dim++) count *= view->shape[dim];
  return count;
}

void cut_by(cut *c, const shardspec_comm *comm, shardspec_spec *spec, int64_t rows,
            int64_t columns) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  int64_t rank = placement_rank_of(comm);
  c->sizes[0] = rows;
  c->sizes[1] = columns;
  CHECK_OK(shardspec_spec_build_metadata(spec, c->sizes, 2, NULL, &c->metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  c->full = numbers(rows * columns);
  c->full_view = view_of(c->full, INT32, c->sizes, 2);
  CHECK_OK(shardspec_metadata_shards_of_rank(c->metadata, rank, NULL, 0, &c->count, &err));
  c->indices = malloc((c->count + 1) * sizeof *c->indices);
  c->shapes = malloc((c->count + 1) * 2 * sizeof *c->shapes);
  c->shards = malloc((c->count + 1) * sizeof *c->shards);
  CHECK(c->indices != NULL && c->shapes != NULL && c->shards != NULL);
  CHECK_OK(shardspec_metadata_shards_of_rank(c->metadata, rank, c->indices, c->count, NULL, &err));
  for (size_t i = 0; i < c->count; i++) {
    CHECK_OK(shardspec_metadata_get_shard(c->metadata, c->indices[i], NULL, c->shapes + 2 * i, 2, &err));
    c->shards[i] = view_of(NULL, INT32, c->shapes + 2 * i, 2);
    c->shards[i].data = numbers(elements(&c->shards[i]));
  }
  clear_shards(c);
}

/* Texts "rank:n/cpu" of the owners. */
typedef struct owner_texts {
  char texts[64][32];
  const char *pointers[64];
} owner_texts;

static void write_owners(owner_texts *t, const int64_t *owners, size_t stride, size_t count) {
  CHECK(count <= 64);
  for (size_t i = 0; i < count; i++) {
    snprintf(t->texts[i], sizeof t->texts[i], "rank:%d/cpu", (int)owners[i * stride]);
    t->pointers[i] = t->texts[i];
  }
}

void cut_in_chunks(cut *c, const shardspec_comm *comm, int64_t rows, int64_t columns, int64_t dim,
                   const int64_t *owners, size_t owner_count) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_spec *spec;
  owner_texts texts;
  write_owners(&texts, owners, 1, owner_count);
  CHECK_OK(shardspec_spec_new_chunk(dim, texts.pointers, owner_count, &spec, &err));
  cut_by(c, comm, spec, rows, columns);
}

void cut_in_boxes(cut *c, const shardspec_comm *comm, int64_t rows, int64_t columns,
                  const int64_t (*boxes)[5], size_t box_count) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_spec *spec;
  int64_t offsets[64][2], lengths[64][2];
  owner_texts texts;
  write_owners(&texts, &boxes[0][4], 5, box_count);
  for (size_t i = 0; i < box_count; i++) {
    memcpy(offsets[i], boxes[i], sizeof offsets[i]);
    memcpy(lengths[i], boxes[i] + 2, sizeof lengths[i]);
  }
  CHECK_OK(enumerable_of_arrays(offsets[0], lengths[0], NULL, 2, box_count, texts.pointers, box_count, &spec, &err));
  cut_by(c, comm, spec, rows, columns);
}

void clear_shards(cut *c) {
  for (size_t i = 0; i < c->count; i++)
    memset(c->shards[i].data, 0x5a, (size_t)elements(&c->shards[i]) * sizeof(int32_t));
}

/* The index of the tensor at each place of a shard's buffer in a dimension; -1 for a hole. */
static int64_t *indices_of(const cut *c, size_t shard, size_t dim) {
  int64_t length = c->shapes[2 * shard + dim], *indices = malloc((size_t)(length + 1) * sizeof *indices);
  shardspec_stretch own[64];
  size_t count;
  CHECK(indices != NULL);
  for (int64_t at = 0; at < length; at++) indices[at] = -1;
  CHECK(shardspec_metadata_get_stretches(c->metadata, c->indices[shard], dim, own, 64, &count, NULL) == 0);
  for (size_t i = 0; i < count; i++)
    for (int64_t block = 0; block < own[i].count; block++)
      for (int64_t at = 0; at < own[i].length; at++)
        indices[own[i].local_start + block * own[i].local_step + at] =
            own[i].global_start + block * own[i].global_step + at;
  return indices;
}

/* Calls `visit` with each place of this rank's shards and the number of its element; -1 for a hole. */
static void each_place(const cut *c, void (*visit)(int32_t *place, int64_t number)) {
  for (size_t i = 0; i < c->count; i++) {
    const int64_t *shape = c->shapes + 2 * i;
    int64_t *rows = indices_of(c, i, 0), *columns = indices_of(c, i, 1);
    int32_t *place = c->shards[i].data;
    for (int64_t row = 0; row < shape[0]; row++)
      for (int64_t column = 0; column < shape[1]; column++, place++)
        visit(place, rows[row] < 0 || columns[column] < 0 ? -1
                                                          : rows[row] * c->sizes[1] + columns[column]);
    free(rows);
    free(columns);
  }
}

/* What holes hold does not matter. */
static void write_number(int32_t *place, int64_t number) {
  *place = number < 0 ? UNTOUCHED : (int32_t)number;
}

void fill_shards(cut *c) { each_place(c, write_number); }

/* Holes of shards that are written are zeros. */
static void check_number(int32_t *place, int64_t number) {
  CHECK_EQUAL(*place, number < 0 ? 0 : number);
}

void check_shards(const cut *c) { each_place(c, check_number); }

void check_untouched(const int32_t *data, int64_t count) {
  for (int64_t i = 0; i < count; i++) CHECK_EQUAL(data[i], UNTOUCHED);
}

void check_shards_untouched(const cut *c) {
  for (size_t i = 0; i < c->count; i++) check_untouched(c->shards[i].data, elements(&c->shards[i]));
}

void check_full(const cut *c, const int32_t *full) {
  CHECK(memcmp(full, c->full, (size_t)(c->sizes[0] * c->sizes[1]) * sizeof *full) == 0);
}

void free_cut(cut *c) {
  CHECK(shardspec_metadata_free(c->metadata, NULL) == SHARDSPEC_OK);
  for (size_t i = 0; i < c->count; i++) free(c->shards[i].data);
  free(c->full);
  free(c->indices);
  free(c->shapes);
  free(c->shards);
}
