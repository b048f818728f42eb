/* The arithmetic of chunks. */
#include "check.h"

static void chunks_are_those_of_torch(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  int64_t out;
  CHECK_OK(shardspec_chunk_split_size(5, 4, &out, &err));
  CHECK_EQUAL(out, 2);
  CHECK_OK(shardspec_chunk_split_size(0, 4, &out, &err));
  CHECK_EQUAL(out, 0);
  CHECK_OK(shardspec_chunk_split_size(INT64_MAX, 2, &out, &err));
  CHECK_EQUAL(out, INT64_MAX / 2 + 1);
  static const int64_t wanted[] = {2, 2, 1, 0};
  for (int64_t i = 0; i < 4; i++) {
    CHECK_OK(shardspec_chunk_dim_size(5, 2, i, &out, &err));
    CHECK_EQUAL(out, wanted[i]);
  }
  CHECK_OK(shardspec_chunk_dim_size(INT64_MAX, INT64_MAX, INT64_MAX, &out, &err));
  CHECK_EQUAL(out, 0);
}

static void a_rank_finds_its_chunk(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  const char *placements[] = {"rank:2", "rank:0", "rank:3", "rank:1"};
  static const int64_t starts[] = {2, 5, 0, 4}, sizes[] = {2, 0, 2, 1};
  shardspec_spec *spec;
  int64_t start = 77, size = 77;
  CHECK_OK(shardspec_spec_new_chunk(0, placements, 4, &spec, &err));
  for (int64_t rank = 0; rank < 4; rank++) {
    CHECK_OK(shardspec_chunk_sharding_params(spec, 5, 4, rank, &start, &size, &err));
    CHECK_EQUAL(start, starts[rank]);
    CHECK_EQUAL(size, sizes[rank]);
  }
  start = size = 77;
  CHECK_STATUS(shardspec_chunk_sharding_params(spec, 5, 4, 9, &start, &size, &err),
               SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("9");
  CHECK(start == 77 && size == 77);
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  chunks_are_those_of_torch();
  a_rank_finds_its_chunk();
  return 0;
}
