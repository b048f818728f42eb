/* Places: who owns an element, which shards meet a box. */
#include "check.h"
#include "lists.h"

enum { SIDE = 300, CELL = 3 };

/* A grid of SIDE x SIDE cells of CELL x CELL elements, cell (i, j) being shard i * SIDE + j. */
static shardspec_metadata *grid(void) {
  static int64_t offsets[2 * SIDE * SIDE], sizes[2 * SIDE * SIDE];
  static uint32_t indices[SIDE * SIDE];
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t tensor[] = {SIDE * CELL, SIDE * CELL};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  for (int64_t i = 0; i < SIDE * SIDE; i++) {
    offsets[2 * i] = i / SIDE * CELL;
    offsets[2 * i + 1] = i % SIDE * CELL;
    sizes[2 * i] = sizes[2 * i + 1] = CELL;
    indices[i] = (uint32_t)(i % 2);
  }
  CHECK_OK(enumerable_of_arrays(offsets, sizes, indices, 2, SIDE * SIDE, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static void a_box_finds_the_shards_that_it_meets(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata = grid();
  static const int64_t offsets[] = {2, 4}, sizes[] = {2, 5}, far[] = {5000, 0}, none[] = {2, 0},
                       beyond[] = {INT64_MAX, INT64_MAX}, last[] = {SIDE * CELL - 1, SIDE * CELL - 1};
  size_t indices[4] = {77, 77, 77, 77}, needed = 77;
  CHECK_OK(shardspec_metadata_shards_in_box(metadata, offsets, sizes, 2, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 4);
  CHECK_STATUS(shardspec_metadata_shards_in_box(metadata, offsets, sizes, 2, indices, 3, &needed, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(err.limit == 4 && indices[0] == 77);
  CHECK_OK(shardspec_metadata_shards_in_box(metadata, offsets, sizes, 2, indices, 4, &needed, &err));
  CHECK(indices[0] == 1 && indices[1] == 2 && indices[2] == SIDE + 1 && indices[3] == SIDE + 2);
  CHECK_OK(shardspec_metadata_shards_in_box(metadata, far, sizes, 2, indices, 4, &needed, &err));
  CHECK_EQUAL(needed, 0);
  CHECK_OK(shardspec_metadata_shards_in_box(metadata, offsets, none, 2, indices, 4, &needed, &err));
  CHECK_EQUAL(needed, 0);
  CHECK_OK(shardspec_metadata_shards_in_box(metadata, last, beyond, 2, indices, 4, &needed, &err));
  CHECK(needed == 1 && indices[0] == SIDE * SIDE - 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void elements_are_located_and_found_again(void) {
  enum { COUNT = 1000 };
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata = grid();
  static int64_t elements[2 * COUNT], local[2 * COUNT], back[2 * COUNT];
  static size_t shards[COUNT];
  for (int64_t i = 0; i < COUNT; i++) {
    elements[2 * i] = i * 7919 % (SIDE * CELL);
    elements[2 * i + 1] = i * 104729 % (SIDE * CELL);
  }
  CHECK_OK(shardspec_metadata_locate(metadata, elements, COUNT, shards, local, &err));
  for (int64_t i = 0; i < COUNT; i++) {
    int64_t row = elements[2 * i], column = elements[2 * i + 1];
    size_t owner;
    CHECK_EQUAL(shards[i], row / CELL * SIDE + column / CELL);
    CHECK(local[2 * i] == row % CELL && local[2 * i + 1] == column % CELL);
    CHECK_OK(shardspec_metadata_shard_at(metadata, &elements[2 * i], 2, &owner, &err));
    CHECK_EQUAL(owner, shards[i]);
  }
  CHECK_OK(shardspec_metadata_globalize(metadata, shards, local, COUNT, back, &err));
  CHECK(memcmp(elements, back, sizeof back) == 0);
  CHECK_OK(shardspec_metadata_locate(metadata, elements, COUNT, NULL, NULL, &err));
  CHECK_OK(shardspec_metadata_locate(metadata, NULL, 0, NULL, NULL, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void what_lies_outside_is_refused_and_nothing_written(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata = grid();
  static const int64_t elements[] = {5, 6, SIDE * CELL, 1}, local[] = {0, CELL};
  int64_t out[4] = {77, 77, 77, 77};
  size_t shards[2] = {77, 77}, first = 0;
  CHECK_STATUS(shardspec_metadata_locate(metadata, elements, 2, shards, out, &err), SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK(err.dim == 0 && err.got == SIDE * CELL && err.limit == SIDE * CELL);
  CHECK_EQUAL(err.index, 1);
  CHECK_MESSAGE("elements[1]");
  CHECK_STATUS(shardspec_metadata_globalize(metadata, &first, local, 1, out, &err), SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK(err.dim == 1 && err.got == CELL && err.limit == CELL && err.index == 0);
  CHECK_MESSAGE("local_indices[0]");
  CHECK(shards[0] == 77 && out[0] == 77);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

int main(void) {
  a_box_finds_the_shards_that_it_meets();
  elements_are_located_and_found_again();
  what_lies_outside_is_refused_and_nothing_written();
  return 0;
}
