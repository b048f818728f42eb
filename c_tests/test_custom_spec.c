/* Sharding specs of your own, and the builder. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "lists.h"

#include <pthread.h>

_Static_assert(sizeof(shardspec_spec_vtable) == 56, "");
_Static_assert(offsetof(shardspec_spec_vtable, destroy) == 8, "");
_Static_assert(offsetof(shardspec_spec_vtable, success_status) == 48, "");

/* Cuts the first two dimensions into a grid: box (r, c) lives on rank r * columns + c. */
typedef struct grid {
  int64_t rows, columns;
  int destroyed;
} grid;

static void destroy(void *ctx) { ((grid *)ctx)->destroyed++; }

static int64_t start(int64_t size, int64_t parts, int64_t index) { return size * index / parts; }

static shardspec_status build_grid(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                   size_t ndim, const shardspec_tensor_properties *properties,
                                   shardspec_metadata_builder *builder, shardspec_error *err) {
  const grid *g = ctx;
  (void)dim_names, (void)properties;
  CHECK_EQUAL(ndim, 2);
  for (int64_t r = 0; r < g->rows; r++)
    for (int64_t c = 0; c < g->columns; c++) {
      int64_t offsets[] = {start(sizes[0], g->rows, r), start(sizes[1], g->columns, c)};
      int64_t lengths[] = {start(sizes[0], g->rows, r + 1) - offsets[0],
                           start(sizes[1], g->columns, c + 1) - offsets[1]};
      char placement[32];
      snprintf(placement, sizeof placement, "rank:%d", (int)(r * g->columns + c));
      shardspec_status status =
          shardspec_metadata_builder_add_shard(builder, offsets, lengths, 2, placement, err);
      if (status) return status;
    }
  return SHARDSPEC_OK;
}

static int32_t equal_grids(void *ctx, void *other_ctx) {
  const grid *a = ctx, *b = other_ctx;
  return a->rows == b->rows && a->columns == b->columns;
}

static uint64_t hash_grid(void *ctx) {
  const grid *g = ctx;
  return (uint64_t)(g->rows * 31 + g->columns);
}

static const shardspec_spec_vtable GRID = {
    sizeof(shardspec_spec_vtable), destroy, build_grid, NULL, equal_grids, hash_grid, 0, 0};

static shardspec_error err = SHARDSPEC_ERROR_INIT;

static shardspec_spec *spec_of(const shardspec_spec_vtable *vtable, void *ctx) {
  shardspec_spec *spec = NULL;
  CHECK_OK(shardspec_spec_new_custom("acme.grid", vtable, ctx, &spec, &err));
  return spec;
}

static void a_custom_spec_works_wherever_a_built_in_one_does(void) {
  static const int64_t sizes[] = {5, 7}, offsets[] = {0, 0, 0, 3, 2, 0, 2, 3},
                       lengths[] = {2, 3, 2, 4, 3, 3, 3, 4};
  static const char *const ranks[] = {"rank:0", "rank:1", "rank:2", "rank:3"};
  grid g = {2, 2, 0};
  shardspec_spec *spec = spec_of(&GRID, &g), *boxes;
  shardspec_metadata *metadata, *wanted;
  char text[64];
  int32_t equal = 0;
  uint64_t hash, wanted_hash;
  CHECK_OK(shardspec_spec_type_name(spec, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "acme.grid");
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(enumerable_of_arrays(offsets, lengths, NULL, 2, 4, ranks, 4, &boxes, &err));
  CHECK_OK(shardspec_spec_build_metadata(boxes, sizes, 2, NULL, &wanted, &err));
  CHECK_OK(shardspec_metadata_equal(metadata, wanted, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_metadata_hash(metadata, &hash, &err));
  CHECK_OK(shardspec_metadata_hash(wanted, &wanted_hash, &err));
  CHECK(hash == wanted_hash);

  float full[5][7], back[5][7] = {{0}}, buffers[4][12];
  int64_t full_shape[] = {5, 7}, shapes[4][2];
  for (int i = 0; i < 35; i++) full[i / 7][i % 7] = (float)i;
  shardspec_tensor_view whole = view_of(full, FLOAT32, full_shape, 2), shards[4],
                        again = view_of(back, FLOAT32, full_shape, 2);
  CHECK_OK(shardspec_metadata_get_shards(metadata, 0, 4, NULL, shapes[0], NULL, &err));
  for (int i = 0; i < 4; i++) {
    shards[i] = view_of(buffers[i], FLOAT32, shapes[i], 2);
    CHECK_OK(shardspec_spec_fill_shard(spec, metadata, (size_t)i, &whole, &shards[i], NULL, &err));
  }
  CHECK_EQUAL(buffers[3][0], full[2][3]);
  CHECK_OK(shardspec_metadata_gather(metadata, shards, 4, &again, NULL, &err));
  CHECK(memcmp(full, back, sizeof full) == 0);

  size_t count = 77;
  int64_t dim = 77;
  shardspec_placement *placement = NULL;
  CHECK_STATUS(shardspec_spec_shard_count(spec, &count, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_MESSAGE("acme.grid");
  CHECK_STATUS(shardspec_spec_placement(spec, 0, &placement, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_STATUS(shardspec_spec_chunk_dim(spec, &dim, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK(count == 77 && dim == 77 && placement == NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_EQUAL(g.destroyed, 1);
  CHECK_OK(shardspec_spec_free(boxes, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_metadata_free(wanted, &err));
}

/* What a language makes that has one function for each object: another address, the same answer. */
static int32_t equal_again(void *ctx, void *other_ctx) { return equal_grids(ctx, other_ctx); }

static void specs_are_equal_when_their_type_says_so(void) {
  grid ctx[4] = {{2, 3, 0}, {2, 3, 0}, {3, 2, 0}, {2, 3, 0}};
  shardspec_spec_vtable unequal = GRID, other = GRID;
  unequal.equal = NULL;
  unequal.hash = NULL;
  other.equal = equal_again;
  shardspec_spec *a = spec_of(&GRID, &ctx[0]), *b = spec_of(&GRID, &ctx[1]),
                 *c = spec_of(&GRID, &ctx[2]), *d = spec_of(&other, &ctx[3]), *e, *x, *y, *chunk;
  shardspec_spec *pairs[][2] = {{a, b}, {a, a}, {a, c}, {a, d}, {d, a}, {a, NULL}, {NULL, NULL},
                                {NULL, NULL}, {NULL, NULL}, {NULL, NULL}};
  static const int32_t equals[] = {1, 1, 0, 1, 1, 0, 0, 1, 0, 0};
  static const char *const ranks[] = {"rank:0"};
  CHECK_OK(shardspec_spec_new_custom("acme.other", &GRID, &ctx[1], &e, &err));
  x = spec_of(&unequal, &ctx[0]);
  y = spec_of(&unequal, &ctx[0]);
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 1, &chunk, &err));
  pairs[5][1] = e;
  pairs[6][0] = x, pairs[6][1] = y;
  pairs[7][0] = x, pairs[7][1] = x;
  pairs[8][0] = a, pairs[8][1] = chunk;
  pairs[9][0] = chunk, pairs[9][1] = a;
  for (size_t i = 0; i < COUNT(pairs); i++) {
    int32_t equal = 77;
    uint64_t first, second;
    CHECK_OK(shardspec_spec_equal(pairs[i][0], pairs[i][1], &equal, &err));
    if (equal != equals[i]) FAIL("pair %zu: equal is %d", i, (int)equal);
    CHECK_OK(shardspec_spec_hash(pairs[i][0], &first, &err));
    CHECK_OK(shardspec_spec_hash(pairs[i][1], &second, &err));
    CHECK(!equal || first == second);
  }
  shardspec_spec *all[] = {a, b, c, d, e, x, y, chunk};
  for (size_t i = 0; i < COUNT(all); i++) CHECK_OK(shardspec_spec_free(all[i], &err));
}

/* Adds what its `ctx` lists. */
typedef struct list {
  size_t count, ndim;
  int64_t offsets[4], sizes[4];
  const char *placement;
} list;

static shardspec_status build_list(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                   size_t ndim, const shardspec_tensor_properties *properties,
                                   shardspec_metadata_builder *builder, shardspec_error *error) {
  const list *l = ctx;
  const char *placements[] = {l->placement, l->placement, l->placement, l->placement};
  (void)sizes, (void)dim_names, (void)ndim, (void)properties;
  shardspec_shards *shards;
  shardspec_status status = shardspec_shards_new_from_arrays(
      l->offsets, l->sizes, NULL, l->ndim, l->count, placements, l->count, &shards, error);
  if (status) return status;
  status = shardspec_metadata_builder_add_shards(builder, shards, error);
  CHECK(shardspec_shards_free(shards, NULL) == SHARDSPEC_OK);
  return status;
}

static void what_a_callback_builds_is_checked_and_its_type_is_named(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, build_list, NULL, NULL, NULL, 0, 0};
  static const int64_t size = 10;
  static const struct {
    list list;
    shardspec_status status;
    int64_t first, second;
    const char *message;
  } cases[] = {
      {{2, 1, {0, 5}, {5, 5}, "rank:0"}, SHARDSPEC_OK, -1, -1, ""},
      {{2, 1, {0, 4}, {5, 6}, "rank:0"}, SHARDSPEC_OVERLAP, 0, 1, "[4:5]"},
      {{2, 1, {0, 6}, {5, 4}, "rank:0"}, SHARDSPEC_GAP, -1, -1, "[5:6]"},
      {{2, 1, {0, 5}, {5, 6}, "rank:0"}, SHARDSPEC_OUT_OF_BOUNDS, 1, -1, "exceed"},
      {{2, 1, {0, -5}, {5, 5}, "rank:0"}, SHARDSPEC_INVALID_ARGUMENT, 1, -1, "-5"},
      {{2, 1, {0, INT64_MAX}, {5, 5}, "rank:0"}, SHARDSPEC_OVERFLOW, -1, -1, "shard 1"},
      {{1, 2, {0, 0}, {5, 5}, "rank:0"}, SHARDSPEC_NDIM_MISMATCH, -1, -1, "2 dimensions where 1"},
      {{1, 1, {0}, {10}, "rank:x/cpu"}, SHARDSPEC_INVALID_PLACEMENT, -1, -1, "rank:x"},
      {{0, 1, {0}, {0}, "rank:0"}, SHARDSPEC_INVALID_ARGUMENT, -1, -1, "none"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    list ctx = cases[i].list;
    shardspec_spec *spec = spec_of(&vtable, &ctx);
    shardspec_metadata *metadata = NULL;
    CHECK_STATUS(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err),
                 cases[i].status);
    CHECK((metadata == NULL) == (cases[i].status != SHARDSPEC_OK));
    CHECK_EQUAL(err.first_shard, cases[i].first);
    CHECK_EQUAL(err.second_shard, cases[i].second);
    CHECK_MESSAGE(cases[i].message);
    /* What no list can hold is refused before the spec sees it. */
    const int is_of_spec = strstr(cases[i].message, "-5") == NULL &&
                           cases[i].status != SHARDSPEC_OVERFLOW &&
                           cases[i].status != SHARDSPEC_INVALID_PLACEMENT;
    if (cases[i].status && is_of_spec) CHECK_MESSAGE("acme.grid");
    CHECK_OK(shardspec_metadata_free(metadata, &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
  }
}

static shardspec_status refuse(void *ctx, const int64_t *sizes, const char *const *dim_names,
                               size_t ndim, const shardspec_tensor_properties *properties,
                               shardspec_metadata_builder *builder, shardspec_error *error) {
  const shardspec_error *said = ctx;
  (void)sizes, (void)dim_names, (void)ndim, (void)properties, (void)builder;
  CHECK(error != NULL);
  CHECK_EQUAL(error->struct_size, sizeof *error);
  *error = *said;
  return said->status;
}

static void what_a_callback_says_reaches_the_caller_unchanged(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, refuse, NULL, NULL, NULL, 0, 0};
  shardspec_error said = {sizeof said, SHARDSPEC_USER_STATUS + 5, 3, 17, 18, -19, INT64_MAX, 9, "no racks"};
  static const int64_t size = 10;
  shardspec_spec *spec = spec_of(&vtable, &said);
  shardspec_metadata *metadata = NULL;
  memset(&err.message, 0, sizeof err.message);
  CHECK_STATUS(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err),
               SHARDSPEC_USER_STATUS + 5);
  CHECK(memcmp(&err, &said, sizeof err) == 0);
  said.status = SHARDSPEC_GAP;
  CHECK_STATUS(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err), SHARDSPEC_GAP);
  CHECK_TEXT(err.message, "no racks");
  /* A status without a message says at least whose it is. */
  said.message[0] = '\0';
  CHECK_STATUS(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err), SHARDSPEC_GAP);
  CHECK_MESSAGE("build_metadata");
  CHECK_MESSAGE("acme.grid");
  CHECK(metadata == NULL);
  CHECK_EQUAL(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, NULL), SHARDSPEC_GAP);
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void destroy_runs_once_also_when_the_spec_is_refused(void) {
  /* One version later there will be a field more. */
  struct {
    shardspec_spec_vtable now;
    void *later;
  } table = {GRID, NULL};
  grid g = {1, 1, 0};
  shardspec_spec *spec = NULL;
  int refused = 0;
#define REFUSED(status, name, vtable)                                                              \
  CHECK_STATUS(shardspec_spec_new_custom(name, vtable, &g, &spec, &err), SHARDSPEC_##status);      \
  CHECK(spec == NULL);                                                                             \
  CHECK_EQUAL(g.destroyed, ++refused)
  REFUSED(INVALID_ARGUMENT, "chunk", &GRID);
  CHECK_MESSAGE("built-in");
  REFUSED(INVALID_ARGUMENT, "enumerable", &GRID);
  REFUSED(INVALID_ARGUMENT, "", &GRID);
  REFUSED(INVALID_ARGUMENT, "\xff", &GRID);
  REFUSED(NULL_ARGUMENT, NULL, &GRID);
  static const uint64_t never[] = {16, 47, 4097, UINT64_MAX};
  for (size_t i = 0; i < COUNT(never); i++) {
    table.now.struct_size = never[i];
    REFUSED(INVALID_ARGUMENT, "acme.grid", &table.now);
    CHECK_MESSAGE("struct_size");
  }
  table.now.struct_size = sizeof table;
  table.later = &g;
  REFUSED(INVALID_ARGUMENT, "acme.grid", &table.now);
  table.now = GRID;
  table.now.build_metadata = NULL;
  REFUSED(INVALID_ARGUMENT, "acme.grid", &table.now);
  CHECK_STATUS(shardspec_spec_new_custom("acme.grid", &GRID, &g, NULL, &err),
               SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(g.destroyed, ++refused);
  shardspec_error wrong = SHARDSPEC_ERROR_INIT;
  wrong.struct_size = 16;
  CHECK_EQUAL(shardspec_spec_new_custom("acme.grid", &GRID, &g, &spec, &wrong),
              SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(g.destroyed, ++refused);

  /* A field that this library does not know is fine as long as it asks for nothing. */
  table.now = GRID;
  table.now.struct_size = sizeof table;
  table.later = NULL;
  spec = spec_of(&table.now, &g);
  CHECK_EQUAL(g.destroyed, refused);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_EQUAL(g.destroyed, ++refused);
  CHECK_STATUS(shardspec_spec_free(spec, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_EQUAL(g.destroyed, refused);
}

/* Does in a callback what any thread may do at any time. */
typedef struct busy {
  shardspec_spec *own;
  shardspec_metadata_builder *builder;
  int destroyed, depth;
} busy;

static void destroy_busy(void *ctx) { ((busy *)ctx)->destroyed++; }

static shardspec_status build_busily(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                     size_t ndim, const shardspec_tensor_properties *properties,
                                     shardspec_metadata_builder *builder, shardspec_error *error) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  busy *b = ctx;
  shardspec_spec *chunk, *other;
  shardspec_metadata *metadata;
  int64_t offsets[2][1], lengths[2][1];
  grid g = {1, 1, 0};
  (void)dim_names, (void)error;
  /* Makes specs and metadata, its own among them. */
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 2, &chunk, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, sizes, ndim, properties, &metadata, &err));
  CHECK_OK(shardspec_metadata_get_shards(metadata, 0, 2, offsets[0], lengths[0], NULL, &err));
  other = spec_of(&GRID, &g);
  CHECK_OK(shardspec_spec_free(other, &err));
  CHECK_EQUAL(g.destroyed, 1);
  if (b->depth++ == 0) {
    shardspec_metadata *inner;
    CHECK_OK(shardspec_spec_build_metadata(b->own, sizes, ndim, NULL, &inner, &err));
    CHECK_OK(shardspec_metadata_free(inner, &err));
    /* The builder of the inner call is gone, the one of this call is not. */
    CHECK_STATUS(shardspec_metadata_builder_add_shard(b->builder, offsets[0], lengths[0], 1, "cpu",
                                                      &err), SHARDSPEC_INVALID_HANDLE);
    CHECK_OK(shardspec_spec_free(b->own, &err));
    CHECK_STATUS(shardspec_spec_free(b->own, &err), SHARDSPEC_INVALID_HANDLE);
    CHECK_EQUAL(b->destroyed, 0);
  }
  b->builder = builder;
  for (int i = 0; i < 2; i++)
    CHECK_OK(shardspec_metadata_builder_add_shard(builder, offsets[i], lengths[i], 1, ranks[i], &err));
  CHECK_OK(shardspec_spec_free(chunk, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  return SHARDSPEC_OK;
}

static void a_callback_may_use_the_library_and_free_its_own_spec(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, destroy_busy, build_busily, NULL, NULL, NULL, 0, 0};
  busy b = {NULL, NULL, 0, 0};
  static const int64_t size = 10, zero = 0;
  shardspec_metadata *metadata;
  int64_t numel;
  b.own = spec_of(&vtable, &b);
  CHECK_OK(shardspec_spec_build_metadata(b.own, &size, 1, NULL, &metadata, &err));
  CHECK_EQUAL(b.destroyed, 1);
  CHECK_EQUAL(b.depth, 2);
  CHECK_OK(shardspec_metadata_numel(metadata, &numel, &err));
  CHECK_EQUAL(numel, 10);
  CHECK_STATUS(shardspec_metadata_builder_add_shard(b.builder, &zero, &size, 1, "cpu", &err),
               SHARDSPEC_INVALID_HANDLE);
  shardspec_shards *shards;
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &shards, &err));
  CHECK_STATUS(shardspec_metadata_builder_add_shards(b.builder, shards, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_OK(shardspec_shards_free(shards, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

/* Waits inside of its callback until the main thread has freed the spec. */
typedef struct meeting {
  pthread_barrier_t inside, freed;
  int destroyed;
} meeting;

static void destroy_meeting(void *ctx) { __atomic_add_fetch(&((meeting *)ctx)->destroyed, 1, __ATOMIC_SEQ_CST); }

static shardspec_status build_and_wait(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                       size_t ndim, const shardspec_tensor_properties *properties,
                                       shardspec_metadata_builder *builder, shardspec_error *error) {
  static const int64_t zero = 0;
  meeting *m = ctx;
  (void)dim_names, (void)properties;
  pthread_barrier_wait(&m->inside);
  pthread_barrier_wait(&m->freed);
  CHECK_EQUAL(m->destroyed, 0);
  return shardspec_metadata_builder_add_shard(builder, &zero, sizes, ndim, "cpu", error);
}

static void *build_in_a_thread(void *spec) {
  static const int64_t size = 10;
  shardspec_error own = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata;
  if (shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &own)) FAIL("%s", own.message);
  CHECK(shardspec_metadata_free(metadata, NULL) == SHARDSPEC_OK);
  return NULL;
}

static void a_spec_freed_while_a_thread_is_inside_lives_until_it_is_out(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, destroy_meeting, build_and_wait, NULL, NULL, NULL, 0, 0};
  meeting m = {.destroyed = 0};
  pthread_t thread;
  CHECK(pthread_barrier_init(&m.inside, NULL, 2) == 0 && pthread_barrier_init(&m.freed, NULL, 2) == 0);
  shardspec_spec *spec = spec_of(&vtable, &m);
  CHECK(pthread_create(&thread, NULL, build_in_a_thread, spec) == 0);
  pthread_barrier_wait(&m.inside);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_EQUAL(m.destroyed, 0);
  pthread_barrier_wait(&m.freed);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_EQUAL(m.destroyed, 1);
}

/* Adds from threads that its callback starts, each a part of the rows. */
enum { ADDERS = 4, EACH = 50 };
typedef struct part {
  shardspec_metadata_builder *builder;
  int64_t first;
} part;

static void *add_part(void *argument) {
  const part *p = argument;
  shardspec_error own = SHARDSPEC_ERROR_INIT;
  for (int64_t i = p->first; i < p->first + EACH; i++) {
    static const int64_t one = 1;
    if (shardspec_metadata_builder_add_shard(p->builder, &i, &one, 1, "rank:0", &own))
      FAIL("%s", own.message);
  }
  return NULL;
}

static shardspec_status build_in_threads(void *ctx, const int64_t *sizes,
                                         const char *const *dim_names, size_t ndim,
                                         const shardspec_tensor_properties *properties,
                                         shardspec_metadata_builder *builder, shardspec_error *error) {
  pthread_t threads[ADDERS];
  part parts[ADDERS];
  (void)ctx, (void)sizes, (void)dim_names, (void)ndim, (void)properties, (void)error;
  for (int i = 0; i < ADDERS; i++) {
    parts[i] = (part){builder, (int64_t)i * EACH};
    CHECK(pthread_create(&threads[i], NULL, add_part, &parts[i]) == 0);
  }
  for (int i = 0; i < ADDERS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  return SHARDSPEC_OK;
}

static void threads_of_a_callback_may_add_to_its_builder(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, build_in_threads, NULL, NULL, NULL, 0, 0};
  static const int64_t size = ADDERS * EACH;
  shardspec_metadata *metadata;
  size_t count;
  shardspec_spec *spec = spec_of(&vtable, NULL);
  CHECK_OK(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_shard_count(metadata, &count, &err));
  CHECK_EQUAL(count, ADDERS * EACH);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* Cuts the dimension called "cut" and carries what it was told of the tensor. */
static shardspec_status build_named(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                    size_t ndim, const shardspec_tensor_properties *properties,
                                    shardspec_metadata_builder *builder, shardspec_error *error) {
  int64_t offsets[2] = {0, 0}, lengths[2];
  int cut = -1;
  CHECK_EQUAL(ndim, 2);
  CHECK_EQUAL(properties->struct_size, sizeof *properties);
  CHECK_EQUAL(properties->dtype.bits, 32);
  if (dim_names == NULL) return *(shardspec_status *)ctx;
  for (int dim = 0; dim < 2; dim++)
    if (strcmp(dim_names[dim], "cut") == 0) cut = dim;
  CHECK_EQUAL(cut, 1);
  for (offsets[cut] = 0; offsets[cut] < sizes[cut]; offsets[cut]++) {
    lengths[0] = sizes[0], lengths[1] = sizes[1], lengths[cut] = 1;
    if (shardspec_metadata_builder_add_shard(builder, offsets, lengths, 2, "cpu", error)) return 1;
  }
  return SHARDSPEC_OK;
}

static void a_callback_is_told_names_and_properties(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, build_named, NULL, NULL, NULL, 0, 0};
  static const char *const names[] = {"whole", "cut"};
  static const int64_t sizes[] = {4, 3};
  shardspec_tensor_properties properties = {.struct_size = sizeof properties}, told = properties;
  shardspec_status without_names = SHARDSPEC_USER_STATUS;
  shardspec_metadata *metadata;
  size_t count;
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  shardspec_spec *spec = spec_of(&vtable, &without_names);
  CHECK_STATUS(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err),
               SHARDSPEC_USER_STATUS);
  CHECK_OK(shardspec_spec_build_metadata_with_dim_names(spec, sizes, names, 2, &properties, &metadata, &err));
  CHECK_OK(shardspec_metadata_shard_count(metadata, &count, &err));
  CHECK_EQUAL(count, 3);
  CHECK_OK(shardspec_metadata_properties(metadata, &told, &err));
  CHECK(memcmp(&told, &properties, sizeof told) == 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* Fills a shard with the negative of its box, or refuses. */
typedef struct negative {
  grid grid;
  int calls;
  shardspec_status status;
  const shardspec_metadata *metadata;
} negative;

static shardspec_status fill_negative(void *ctx, const shardspec_metadata *metadata, size_t index,
                                      const shardspec_tensor_view *full,
                                      const shardspec_tensor_view *shard,
                                      const shardspec_copy_options *options, shardspec_error *error) {
  negative *n = ctx;
  n->calls++;
  n->metadata = metadata;
  if (n->status) return n->status;
  shardspec_status status =
      shardspec_metadata_extract_shard(metadata, index, full, shard, options, error);
  for (int64_t i = 0; status == SHARDSPEC_OK && i < shard->shape[0]; i++)
    for (int64_t j = 0; j < shard->shape[1]; j++)
      ((float *)shard->data)[i * shard->strides[0] + j * shard->strides[1]] *= -1;
  return status;
}

static void a_spec_may_fill_its_shards_itself(void) {
  shardspec_spec_vtable vtable = GRID;
  vtable.fill_shard = fill_negative;
  negative n = {{2, 2, 0}, 0, 0, NULL};
  static const int64_t sizes[] = {4, 6};
  shardspec_copy_options options = {sizeof options, 1, SHARDSPEC_COPY_HINT_CACHED | SHARDSPEC_COPY_HINT_PORTABLE};
  float full[4][6], box[2][8];
  int64_t full_shape[] = {4, 6}, shape[] = {2, 3}, strides[] = {8, 2}, wrong[] = {2, 2};
  size_t ndim;
  for (int i = 0; i < 24; i++) full[i / 6][i % 6] = (float)i;
  memset(box, 0, sizeof box);
  shardspec_spec *spec = spec_of(&vtable, &n);
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  shardspec_tensor_view whole = view_of(full, FLOAT32, full_shape, 2),
                        shard = view_of(box, FLOAT32, shape, 2);
  shard.strides = strides;
  CHECK_OK(shardspec_spec_fill_shard(spec, metadata, 3, &whole, &shard, &options, &err));
  CHECK_EQUAL(n.calls, 1);
  CHECK(box[0][0] == -15 && box[0][2] == -16 && box[0][1] == 0 && box[1][4] == -23);
  CHECK_STATUS(shardspec_metadata_ndim(n.metadata, &ndim, &err), SHARDSPEC_INVALID_HANDLE);
  /* What cuts by metadata does not ask the spec. */
  CHECK_OK(shardspec_metadata_extract_shard(metadata, 3, &whole, &shard, NULL, &err));
  CHECK_EQUAL(n.calls, 1);
  CHECK(box[0][0] == 15);

  /* All checks come before the call. */
  shard.shape = wrong;
  CHECK_STATUS(shardspec_spec_fill_shard(spec, metadata, 3, &whole, &shard, NULL, &err),
               SHARDSPEC_SHAPE_MISMATCH);
  shard.shape = shape;
  shard.data = full;
  CHECK_STATUS(shardspec_spec_fill_shard(spec, metadata, 3, &whole, &shard, NULL, &err),
               SHARDSPEC_ALIASED);
  CHECK_STATUS(shardspec_spec_fill_shard(spec, metadata, 4, &whole, &shard, NULL, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_EQUAL(n.calls, 1);
  shard.data = box;
  n.status = SHARDSPEC_USER_STATUS + 1;
  CHECK_STATUS(shardspec_spec_fill_shard(spec, metadata, 3, &whole, &shard, NULL, &err),
               SHARDSPEC_USER_STATUS + 1);
  CHECK_MESSAGE("fill_shard of spec type 'acme.grid'");
  CHECK_STATUS(shardspec_metadata_ndim(n.metadata, &ndim, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_EQUAL(n.grid.destroyed, 1);
}

static void a_spec_gives_its_ctx_to_those_who_know_its_type(void) {
  grid g = {1, 2, 0};
  void *ctx = NULL;
  shardspec_spec *spec = spec_of(&GRID, &g), *chunk;
  static const char *const ranks[] = {"rank:0"};
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 1, &chunk, &err));
  CHECK_OK(shardspec_spec_custom_ctx(spec, "acme.grid", &ctx, &err));
  CHECK(ctx == &g);
  ctx = NULL;
  CHECK_STATUS(shardspec_spec_custom_ctx(spec, "acme.other", &ctx, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_MESSAGE("acme.grid");
  CHECK_MESSAGE("acme.other");
  CHECK_STATUS(shardspec_spec_custom_ctx(chunk, "chunk", &ctx, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK(ctx == NULL);
  CHECK_OK(shardspec_spec_free(chunk, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  a_custom_spec_works_wherever_a_built_in_one_does();
  specs_are_equal_when_their_type_says_so();
  what_a_callback_builds_is_checked_and_its_type_is_named();
  what_a_callback_says_reaches_the_caller_unchanged();
  destroy_runs_once_also_when_the_spec_is_refused();
  a_callback_may_use_the_library_and_free_its_own_spec();
  a_spec_freed_while_a_thread_is_inside_lives_until_it_is_out();
  threads_of_a_callback_may_add_to_its_builder();
  a_callback_is_told_names_and_properties();
  a_spec_may_fill_its_shards_itself();
  a_spec_gives_its_ctx_to_those_who_know_its_type();
  return 0;
}
