/* What metadata is asked, and where elements are. */
#include "scenarios.h"
#include "../lists.h"

void metadata_is_asked(void) {
  shardspec_metadata *metadata = rows(3, 7), *other = columns(3, 7);
  CALL(OK, shardspec_metadata_shard_count, metadata, &out.size);
  CALL(OK, shardspec_metadata_ndim, metadata, &out.size);
  CALL(OK, shardspec_metadata_sizes, metadata, out.numbers, 2, &out.size);
  CALL(OK, shardspec_metadata_numel, metadata, &out.i64);
  CHECK_EQUAL(out.i64, 42);
  CALL(OK, shardspec_metadata_properties, metadata, &out.properties);
  CALL(OK, shardspec_metadata_get_shard, metadata, 2, out.numbers, out.more_numbers, 2);
  CHECK_EQUAL(out.more_numbers[0], 1);
  CALL(OK, shardspec_metadata_shard_placement, metadata, 2, &out.placement);
  FREE(shardspec_placement_free, out.placement);
  CALL(OK, shardspec_metadata_shard_placement_text, metadata, 2, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_metadata_get_shards, metadata, 1, 2, out.numbers, out.more_numbers, out.u32s);
  CALL(OK, shardspec_metadata_placement_count, metadata, &out.size);
  CALL(OK, shardspec_metadata_placement_text, metadata, 1, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_metadata_placement, metadata, 1, &out.placement);
  FREE(shardspec_placement_free, out.placement);
  CALL(OK, shardspec_metadata_shards_of_rank, metadata, 1, out.sizes, 3, &out.size);
  CHECK_EQUAL(out.sizes[0], 1);
  CALL(OK, shardspec_metadata_shards_of_owner, metadata, "rank:1/cpu", out.sizes, 3, &out.size);
  CALL(OK, shardspec_metadata_equal, metadata, other, &out.i32);
  CALL(OK, shardspec_metadata_hash, metadata, &out.u64);
  FREE(shardspec_metadata_free, metadata);
  FREE(shardspec_metadata_free, other);
}

void metadata_is_refused(void) {
  shardspec_metadata *metadata = rows(3, 7);
  const int64_t elements[] = {0, 0, 7, 0}, negative[] = {-1, 0}, sizes[] = {1, 1};
  const size_t shards[] = {0, 3};
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_get_shard, metadata, 3, out.numbers, out.more_numbers, 2);
  CALL(BUFFER_TOO_SMALL, shardspec_metadata_get_shard, metadata, 2, out.numbers, out.more_numbers, 1);
  CALL(BUFFER_TOO_SMALL, shardspec_metadata_sizes, metadata, out.numbers, 1, &out.size);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_get_shards, metadata, 1, 5, out.numbers, out.more_numbers,
       out.u32s);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_placement, metadata, 9, &out.placement);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_shard_placement, metadata, 9, &out.placement);
  CALL(INVALID_PLACEMENT, shardspec_metadata_shards_of_owner, metadata, "rank:x/cpu", out.sizes, 3,
       &out.size);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_shard_at, metadata, elements + 2, 2, &out.size);
  CALL(NDIM_MISMATCH, shardspec_metadata_shard_at, metadata, elements, 1, &out.size);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_locate, metadata, elements, 2, out.sizes, out.numbers);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_globalize, metadata, shards, elements, 2, out.numbers);
  CALL(INVALID_ARGUMENT, shardspec_metadata_shards_in_box, metadata, negative, sizes, 2, out.sizes, 3,
       &out.size);
  CALL(NULL_ARGUMENT, shardspec_metadata_numel, metadata, NULL);
  FREE(shardspec_metadata_free, metadata);
  CALL(INVALID_HANDLE, shardspec_metadata_numel, metadata, &out.i64);
}

/* Boxes that no grid has, so that there is an index to make. */
static shardspec_metadata *pinwheel(void) {
  const int64_t offsets[] = {0, 0, 0, 2, 2, 1, 1, 0, 1, 1}, lengths[] = {1, 2, 2, 1, 1, 2, 2, 1, 1, 1},
                sizes[] = {3, 3};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(enumerable_of_arrays(offsets, lengths, (const uint32_t[]){0, 0, 0, 0, 0}, 2, 5, RANKS, 1, &spec,
                                &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

void places_are_asked(void) {
  const int64_t elements[] = {1, 1, 2, 2, 0, 0}, corner[] = {0, 0}, box[] = {2, 2};
  const size_t shards[] = {4, 2, 0}, in_box[] = {0, 3, 4};
  const int64_t local[] = {0, 0, 0, 1, 0, 0};
  for (int first = 0; first < 3; first++) {
    shardspec_metadata *metadata = first == 2 ? rows(3, 7) : pinwheel();
    if (first == 0) {
      CALL(OK, shardspec_metadata_shard_at, metadata, elements, 2, &out.size);
      CHECK_EQUAL(out.size, 4);
    }
    CALL(OK, shardspec_metadata_shards_in_box, metadata, corner, box, 2, out.sizes, 16, &out.size);
    if (first < 2) CHECK_EQUAL(out.size, 3);
    if (first < 2) CHECK(memcmp(out.sizes, in_box, sizeof in_box) == 0);
    CALL(OK, shardspec_metadata_locate, metadata, elements, 3, out.sizes, out.numbers);
    if (first < 2) CHECK(memcmp(out.sizes, shards, sizeof shards) == 0);
    if (first < 2) CHECK(memcmp(out.numbers, local, sizeof local) == 0);
    if (first < 2) {
      CALL(OK, shardspec_metadata_globalize, metadata, shards, local, 3, out.numbers);
      CHECK(memcmp(out.numbers, elements, sizeof elements) == 0);
    }
    FREE(shardspec_metadata_free, metadata);
  }
}
