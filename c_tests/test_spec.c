/* Sharding specs. */
#include "check.h"
#include "lists.h"

_Static_assert(sizeof(shardspec_shard_metadata) == 32, "");
_Static_assert(offsetof(shardspec_shard_metadata, offsets) == 8, "");
_Static_assert(offsetof(shardspec_shard_metadata, sizes) == 16, "");
_Static_assert(offsetof(shardspec_shard_metadata, placement) == 24, "");

static const char *const RANKS[] = {"rank:0/cpu", "rank:1/cpu", "rank:2/cpu", "rank:3/cpu"};

static void a_chunk_spec_tells_what_it_was_made_of(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec, *named;
  char text[64];
  int64_t dim = 77;
  size_t count;
  CHECK_OK(shardspec_spec_new_chunk(-1, RANKS, 4, &spec, &err));
  CHECK_OK(shardspec_spec_new_chunk_by_dim_name("batch", RANKS, 3, &named, &err));
  CHECK_OK(shardspec_spec_type_name(spec, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "chunk");
  CHECK_OK(shardspec_spec_chunk_dim(spec, &dim, &err));
  CHECK_EQUAL(dim, -1);
  CHECK_STATUS(shardspec_spec_chunk_dim(named, &dim, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_EQUAL(dim, -1);
  CHECK_OK(shardspec_spec_chunk_dim_name(named, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "batch");
  CHECK_STATUS(shardspec_spec_chunk_dim_name(spec, text, sizeof text, NULL, &err),
               SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_OK(shardspec_spec_shard_count(spec, &count, &err));
  CHECK_EQUAL(count, 4);

  shardspec_placement *placement = NULL;
  CHECK_OK(shardspec_spec_placement(spec, 2, &placement, &err));
  CHECK_OK(shardspec_placement_text(placement, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "rank:2/cpu");
  CHECK_OK(shardspec_placement_free(placement, &err));
  placement = NULL;
  CHECK_STATUS(shardspec_spec_placement(spec, 4, &placement, &err), SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK(placement == NULL);
  CHECK_EQUAL(err.got, 4);
  CHECK_EQUAL(err.limit, 4);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_spec_free(named, &err));
}

static void boxes_as_structs_and_as_arrays_make_equal_specs(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t offsets[] = {0, 0, 0, 3}, sizes[] = {5, 3, 5, 1};
  static const shardspec_shard_metadata shards[] = {
      {2, &offsets[0], &sizes[0], "rank:0"}, {2, &offsets[2], &sizes[2], "rank:1"}};
  static const uint32_t indices[] = {0, 1};
  shardspec_spec *a, *b, *c;
  int32_t equal;
  uint64_t hash_a, hash_b;
  CHECK_OK(enumerable_of(shards, 2, &a, &err));
  CHECK_OK(enumerable_of_arrays(offsets, sizes, indices, 2, 2, RANKS, 4, &b, &err));
  CHECK_OK(enumerable_of_arrays(offsets, sizes, NULL, 2, 2, RANKS + 1, 2, &c, &err));
  CHECK_OK(shardspec_spec_equal(a, b, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_spec_equal(a, c, &equal, &err));
  CHECK_EQUAL(equal, 0);
  CHECK_OK(shardspec_spec_hash(a, &hash_a, &err));
  CHECK_OK(shardspec_spec_hash(b, &hash_b, &err));
  CHECK(hash_a == hash_b);
  CHECK_OK(shardspec_spec_free(a, &err));
  CHECK_OK(shardspec_spec_free(b, &err));
  CHECK_OK(shardspec_spec_free(c, &err));
}

static void overlapping_shards_are_named_with_the_box_they_share(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t offsets[] = {0, 0, 4, 0, 3, 2}, sizes[] = {4, 4, 4, 4, 2, 1};
  shardspec_spec *spec = NULL;
  CHECK_STATUS(enumerable_of_arrays(offsets, sizes, NULL, 2, 3, RANKS, 3, &spec, &err),
               SHARDSPEC_OVERLAP);
  CHECK(spec == NULL);
  CHECK(err.first_shard < 2);
  CHECK_EQUAL(err.second_shard, 2);
  CHECK_MESSAGE("2");
}

static void wrong_shards_are_refused_and_told_apart(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t zero[33] = {0}, one[33] = {1, 1, 1}, minus[] = {-1}, most[] = {INT64_MAX};
  shardspec_shard_metadata shards[2] = {{1, zero, one, "rank:0"}, {1, one, one, "rank:1"}};
  shardspec_spec *spec = NULL;
  CHECK_STATUS(enumerable_of(shards, 0, &spec, &err), SHARDSPEC_INVALID_ARGUMENT);
  shards[1].ndim = 2;
  CHECK_STATUS(enumerable_of(shards, 2, &spec, &err), SHARDSPEC_NDIM_MISMATCH);
  shards[1].ndim = 33;
  CHECK_STATUS(enumerable_of(&shards[1], 1, &spec, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  shards[1].ndim = 1;
  shards[1].offsets = minus;
  CHECK_STATUS(enumerable_of(shards, 2, &spec, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(err.first_shard, 1);
  CHECK_EQUAL(err.got, -1);
  shards[1].offsets = most;
  CHECK_STATUS(enumerable_of(shards, 2, &spec, &err), SHARDSPEC_OVERFLOW);
  shards[1].offsets = NULL;
  CHECK_STATUS(enumerable_of(shards, 2, &spec, &err), SHARDSPEC_NULL_ARGUMENT);
  shards[1].offsets = one;
  shards[1].placement = "rank:x/cpu";
  CHECK_STATUS(enumerable_of(shards, 2, &spec, &err),
               SHARDSPEC_INVALID_PLACEMENT);
  shards[1].placement = NULL;
  CHECK_STATUS(enumerable_of(shards, 2, &spec, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_STATUS(shardspec_spec_new_chunk(0, RANKS, 0, &spec, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK(spec == NULL);
}

static void shards_of_a_chunk_spec_are_recognised(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t offsets[] = {0, 0, 0, 2, 0, 4}, sizes[] = {3, 2, 3, 2, 3, 1};
  static const int64_t uneven[] = {3, 2, 3, 1, 3, 2};
  shardspec_spec *inferred, *wanted;
  char text[64];
  int32_t equal;
  CHECK_OK(inferred_of_arrays(offsets, sizes, NULL, 2, 3, RANKS, 3, &inferred, &err));
  CHECK_OK(shardspec_spec_new_chunk(1, RANKS, 3, &wanted, &err));
  CHECK_OK(shardspec_spec_equal(inferred, wanted, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_spec_free(inferred, &err));
  CHECK_OK(shardspec_spec_free(wanted, &err));
  /* A gap. */
  CHECK_OK(inferred_of_arrays(offsets, uneven, NULL, 2, 3, RANKS, 3, &inferred, &err));
  CHECK_OK(shardspec_spec_type_name(inferred, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "enumerable");
  CHECK_OK(shardspec_spec_free(inferred, &err));
}

static void shards_of_a_grid_are_recognised(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t offsets[] = {0, 0, 0, 4, 1, 0, 1, 4}, sizes[] = {1, 4, 1, 4, 3, 4, 3, 4}, tensor[] = {4, 8};
  int64_t own_offsets[2], own_sizes[2];
  shardspec_shards *list;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  char text[256];
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, 4, RANKS, 4, &list, &err));
  CHECK_OK(shardspec_spec_infer(list, &spec, &err));
  CHECK_OK(shardspec_spec_text(spec, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "dim0=2, dim1=2: dimension 0 over dim0 by sizes [1, 3]; dimension 1 over dim1 by chunk");
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, NULL, &metadata, &err));
  for (size_t shard = 0; shard < 4; shard++) {
    CHECK_OK(shardspec_metadata_get_shard(metadata, shard, own_offsets, own_sizes, 2, &err));
    CHECK(memcmp(own_offsets, offsets + 2 * shard, sizeof own_offsets) == 0);
    CHECK(memcmp(own_sizes, sizes + 2 * shard, sizeof own_sizes) == 0);
  }
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_infer_compat(list, &spec, &err));
  CHECK_OK(shardspec_spec_type_name(spec, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "enumerable");
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_shards_free(list, &err));
}

int main(void) {
  a_chunk_spec_tells_what_it_was_made_of();
  boxes_as_structs_and_as_arrays_make_equal_specs();
  overlapping_shards_are_named_with_the_box_they_share();
  shards_of_a_grid_are_recognised();
  wrong_shards_are_refused_and_told_apart();
  shards_of_a_chunk_spec_are_recognised();
  return 0;
}
