/* Plans: what moves from one layout to another, and moving it. */
#include "check.h"

_Static_assert(sizeof(shardspec_run) == 64, "");
_Static_assert(offsetof(shardspec_run, source_offset) == 16, "");
_Static_assert(offsetof(shardspec_run, block_length) == 48, "");
_Static_assert(offsetof(shardspec_run, block_count) == 56, "");

enum { ROWS = 5, COLUMNS = 6 };
static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2", "rank:3"};

/* The tensor cut along `dim` over `count` ranks. */
static shardspec_metadata *layout(int64_t dim, size_t count, const shardspec_tensor_properties *properties) {
  static const int64_t tensor[] = {ROWS, COLUMNS};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(dim, RANKS, count, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, properties, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

/* Buffers for the shards of a layout. */
typedef struct buffers {
  float data[4][ROWS * COLUMNS];
  int64_t offsets[4][2], shapes[4][2];
  shardspec_tensor_view views[4];
  size_t count;
} buffers;

static void set_up(buffers *b, shardspec_metadata *metadata) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  memset(b, 0, sizeof *b);
  CHECK_OK(shardspec_metadata_shard_count(metadata, &b->count, &err));
  CHECK_OK(shardspec_metadata_get_shards(metadata, 0, b->count, b->offsets[0], b->shapes[0], NULL, &err));
  for (size_t i = 0; i < b->count; i++) b->views[i] = view_of(b->data[i], FLOAT32, b->shapes[i], 2);
}

/* Element (i, j) of the tensor is 10 * i + j + 1. */
static void fill(buffers *b) {
  for (size_t s = 0; s < b->count; s++)
    for (int64_t i = 0; i < b->shapes[s][0]; i++)
      for (int64_t j = 0; j < b->shapes[s][1]; j++)
        b->data[s][i * b->shapes[s][1] + j] =
            (float)(10 * (i + b->offsets[s][0]) + j + b->offsets[s][1] + 1);
}

static void a_plan_lists_what_moves(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *rows = layout(0, 2, NULL), *columns = layout(1, 3, NULL);
  shardspec_plan *plan;
  size_t count, ndim, first;
  size_t sources[6], destinations[6];
  int64_t from[12], to[12], sizes[12];
  int32_t answer = 77;
  CHECK_OK(shardspec_plan_new(rows, columns, &plan, &err));
  CHECK_OK(shardspec_metadata_free(rows, &err)); /* the plan needs neither */
  CHECK_OK(shardspec_metadata_free(columns, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &count, &err));
  CHECK_EQUAL(count, 6);
  CHECK_OK(shardspec_plan_ndim(plan, &ndim, &err));
  CHECK_EQUAL(ndim, 2);
  CHECK_OK(shardspec_plan_pieces(plan, 0, 6, sources, destinations, from, to, sizes, &err));
  for (size_t i = 0; i < 6; i++) {
    CHECK(destinations[i] == i / 2 && sources[i] == i % 2);
    CHECK(from[2 * i] == 0 && from[2 * i + 1] == (int64_t)(i / 2) * 2);
    CHECK(to[2 * i] == (int64_t)(i % 2) * 3 && to[2 * i + 1] == 0);
    CHECK(sizes[2 * i] == (i % 2 == 0 ? 3 : 2) && sizes[2 * i + 1] == 2);
  }
  CHECK_OK(shardspec_plan_pieces_of_destination(plan, 2, &first, &count, &err));
  CHECK(first == 4 && count == 2);
  CHECK_OK(shardspec_plan_is_local(plan, &answer, &err));
  CHECK_EQUAL(answer, 0);
  sources[0] = 77;
  CHECK_STATUS(shardspec_plan_pieces(plan, 3, 4, sources, NULL, NULL, NULL, NULL, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_EQUAL(sources[0], 77);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_STATUS(shardspec_plan_ndim(plan, &ndim, &err), SHARDSPEC_INVALID_HANDLE);
}

static void equal_layouts_need_local_copies_only(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *rows = layout(0, 4, NULL), *again = layout(-2, 4, NULL);
  shardspec_plan *plan;
  int32_t answer = 77;
  CHECK_OK(shardspec_plan_new(rows, again, &plan, &err));
  CHECK_OK(shardspec_plan_is_local(plan, &answer, &err));
  CHECK_EQUAL(answer, 1);
  CHECK_OK(shardspec_plan_is_identity(plan, &answer, &err));
  CHECK_EQUAL(answer, 1);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(rows, &err));
  CHECK_OK(shardspec_metadata_free(again, &err));
}

static void layouts_of_different_tensors_are_refused(void) {
  static const int64_t narrow[] = {ROWS, COLUMNS - 1};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties float32 = {sizeof float32, {0, 0, 0}, 0, 0, 0, 0, 0}, float64;
  CHECK_OK(shardspec_tensor_properties_init(&float32, &err));
  float64 = float32;
  float64.dtype.bits = 64;
  shardspec_metadata *a = layout(0, 2, &float32), *b = layout(1, 2, &float64), *c;
  shardspec_spec *spec;
  shardspec_plan *plan = NULL;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, narrow, 2, NULL, &c, &err));
  CHECK_STATUS(shardspec_plan_new(a, b, &plan, &err), SHARDSPEC_DTYPE_MISMATCH);
  CHECK_STATUS(shardspec_plan_new(a, c, &plan, &err), SHARDSPEC_SHAPE_MISMATCH);
  CHECK(err.dim == 1 && err.got == COLUMNS - 1 && err.limit == COLUMNS);
  CHECK(plan == NULL);
  CHECK_OK(shardspec_metadata_free(a, &err));
  CHECK_OK(shardspec_metadata_free(b, &err));
  CHECK_OK(shardspec_metadata_free(c, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void a_plan_moves_shards_to_where_they_belong(void) {
  static buffers from, to, wanted;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *rows = layout(0, 4, NULL), *columns = layout(1, 4, NULL);
  shardspec_plan *plan;
  set_up(&from, rows), fill(&from);
  set_up(&wanted, columns), fill(&wanted);
  set_up(&to, columns);
  CHECK_OK(shardspec_plan_new(rows, columns, &plan, &err));
  CHECK_STATUS(shardspec_plan_execute(plan, NULL, from.views, 2, NULL, to.views, 4, NULL, &err),
               SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("source 2");
  for (size_t i = 0; i < 4; i++) CHECK(to.data[i][0] == 0);
  CHECK_OK(shardspec_plan_execute(plan, NULL, from.views, 4, NULL, to.views, 4, NULL, &err));
  CHECK(memcmp(to.data, wanted.data, sizeof wanted.data) == 0);

  /* One destination, and its sources in another order; nothing else is written. */
  static const size_t order[] = {2, 0, 1, 3}, only[] = {1};
  shardspec_tensor_view shuffled[4];
  shardspec_plan *one;
  for (size_t i = 0; i < 4; i++) shuffled[i] = from.views[order[i]];
  memset(to.data, 0, sizeof to.data);
  CHECK_OK(shardspec_plan_new_for_destinations(rows, columns, only, 1, &one, &err));
  CHECK_OK(shardspec_plan_execute(one, order, shuffled, 4, only, &to.views[1], 1, NULL, &err));
  CHECK(memcmp(to.data[1], wanted.data[1], sizeof wanted.data[1]) == 0);
  CHECK(to.data[0][0] == 0 && to.data[2][0] == 0);
  CHECK_STATUS(shardspec_plan_execute(one, order, shuffled, 4, NULL, to.views, 4, NULL, &err),
               SHARDSPEC_NOT_FOUND);
  CHECK_OK(shardspec_plan_free(one, &err));
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(rows, &err));
  CHECK_OK(shardspec_metadata_free(columns, &err));
}

static void replicas_share_the_work_and_what_nobody_has_is_named(void) {
  static const int64_t offsets[] = {0, 0, 0, 0}, sizes[] = {4, 6, 4, 6}, past[] = {2, 0};
  static const char *const reader[] = {"rank:7"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *copies, *whole, *more;
  shardspec_plan *plan = NULL;
  size_t sources[2];
  int64_t parts[4];
  size_t count;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, 2, RANKS, 2, &copies, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, 1, reader, 1, &whole, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(past, sizes, NULL, 2, 1, reader, 1, &more, &err));
  CHECK_OK(shardspec_plan_new_from_shards(copies, whole, &plan, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &count, &err));
  CHECK_EQUAL(count, 2);
  CHECK_OK(shardspec_plan_pieces(plan, 0, 2, sources, NULL, NULL, NULL, parts, &err));
  CHECK(sources[0] == 0 && sources[1] == 1 && parts[0] == 2 && parts[2] == 2);
  CHECK_OK(shardspec_plan_free(plan, &err));
  plan = NULL;
  CHECK_STATUS(shardspec_plan_new_from_shards(copies, more, &plan, &err), SHARDSPEC_GAP);
  CHECK_EQUAL(err.first_shard, 0);
  CHECK_MESSAGE("[4:6, 0:6]");
  CHECK(plan == NULL);
  CHECK_OK(shardspec_shards_free(copies, &err));
  CHECK_OK(shardspec_shards_free(whole, &err));
  CHECK_OK(shardspec_shards_free(more, &err));
}

/* Ranks 0 and 1 have the tensor. Each of ranks 2 and 3 reads it on its own node. */
static void replicas_are_read_on_the_node_of_the_destination(void) {
  static const int64_t offsets[] = {0, 0, 0, 0}, sizes[] = {4, 6, 4, 6}, nodes[] = {5, 9, 9, 5};
  static const char *const readers[] = {"rank:2", "rank:3"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *copies, *whole;
  shardspec_plan *plan, *near;
  size_t sources[4], count;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, 2, RANKS, 2, &copies, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, 2, readers, 2, &whole, &err));
  CHECK_OK(shardspec_plan_new_from_shards(copies, whole, &plan, &err));
  CHECK_OK(shardspec_plan_new_on_nodes(plan, nodes, 4, &near, &err));
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_plan_piece_count(near, &count, &err));
  CHECK_EQUAL(count, 2);
  CHECK_OK(shardspec_plan_pieces(near, 0, 2, sources, NULL, NULL, NULL, NULL, &err));
  CHECK(sources[0] == 1 && sources[1] == 0);
  /* Of rank 3 nothing is known: it reads from both, or from one. */
  CHECK_OK(shardspec_plan_new_on_nodes(near, nodes, 3, &plan, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &count, &err));
  CHECK(count <= 4);
  CHECK_OK(shardspec_plan_pieces(plan, 0, count, sources, NULL, NULL, NULL, NULL, &err));
  CHECK_EQUAL(sources[0], 1);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_plan_free(near, &err));
  CHECK_OK(shardspec_shards_free(copies, &err));
  CHECK_OK(shardspec_shards_free(whole, &err));
}

int main(void) {
  a_plan_lists_what_moves();
  equal_layouts_need_local_copies_only();
  layouts_of_different_tensors_are_refused();
  a_plan_moves_shards_to_where_they_belong();
  replicas_share_the_work_and_what_nobody_has_is_named();
  replicas_are_read_on_the_node_of_the_destination();
  return 0;
}
