/* Metadata: who owns what. */
#include "check.h"
#include "lists.h"

static const char *const RANKS[] = {"rank:0/cpu", "rank:1/cuda:1", "rank:2/cpu", "rank:1/cuda:1"};

static shardspec_metadata *rows_of(int64_t rows, int64_t columns) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  int64_t sizes[2] = {rows, columns};
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 4, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err)); /* the metadata does not need it */
  return metadata;
}

static void single_and_bulk_answers_agree(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata = rows_of(5, 3);
  int64_t sizes[2], numel, offsets[8], lengths[8], offset[2], length[2];
  uint32_t placements[4];
  size_t count, ndim, needed;
  char text[64], bulk_text[64];
  CHECK_OK(shardspec_metadata_shard_count(metadata, &count, &err));
  CHECK_EQUAL(count, 4);
  CHECK_OK(shardspec_metadata_ndim(metadata, &ndim, &err));
  CHECK_EQUAL(ndim, 2);
  CHECK_OK(shardspec_metadata_sizes(metadata, sizes, 2, &needed, &err));
  CHECK(needed == 2 && sizes[0] == 5 && sizes[1] == 3);
  CHECK_OK(shardspec_metadata_numel(metadata, &numel, &err));
  CHECK_EQUAL(numel, 15);
  CHECK_OK(shardspec_metadata_placement_count(metadata, &count, &err));
  CHECK_EQUAL(count, 3); /* equal ones are stored once */
  CHECK_OK(shardspec_metadata_get_shards(metadata, 0, 4, offsets, lengths, placements, &err));
  static const int64_t starts[] = {0, 2, 4, 6}, rows[] = {2, 2, 1, 0};
  for (size_t i = 0; i < 4; i++) {
    CHECK_OK(shardspec_metadata_get_shard(metadata, i, offset, length, 2, &err));
    CHECK(memcmp(offset, &offsets[2 * i], sizeof offset) == 0);
    CHECK(memcmp(length, &lengths[2 * i], sizeof length) == 0);
    CHECK_EQUAL(offset[0], starts[i]);
    CHECK_EQUAL(length[0], rows[i]);
    CHECK(offset[1] == 0 && length[1] == 3);
    CHECK_OK(shardspec_metadata_shard_placement_text(metadata, i, text, sizeof text, NULL, &err));
    CHECK_OK(shardspec_metadata_placement_text(metadata, placements[i], bulk_text,
                                               sizeof bulk_text, NULL, &err));
    CHECK_TEXT(text, RANKS[i]);
    CHECK_TEXT(bulk_text, RANKS[i]);
    shardspec_placement *placement;
    CHECK_OK(shardspec_metadata_shard_placement(metadata, i, &placement, &err));
    CHECK_OK(shardspec_placement_text(placement, text, sizeof text, NULL, &err));
    CHECK_TEXT(text, RANKS[i]);
    CHECK_OK(shardspec_placement_free(placement, &err));
  }
  size_t indices[2] = {77, 77};
  CHECK_OK(shardspec_metadata_shards_of_rank(metadata, 1, indices, 2, &needed, &err));
  CHECK(needed == 2 && indices[0] == 1 && indices[1] == 3);
  CHECK_OK(shardspec_metadata_shards_of_rank(metadata, 17, NULL, 0, &needed, &err));
  CHECK_EQUAL(needed, 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void what_lies_outside_is_refused_and_nothing_written(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_metadata *metadata = rows_of(5, 3);
  int64_t offsets[8] = {77}, sizes[8] = {77};
  size_t indices[1] = {77}, needed = 77;
  CHECK_STATUS(shardspec_metadata_get_shard(metadata, 4, offsets, sizes, 8, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_STATUS(shardspec_metadata_get_shard(metadata, 0, offsets, sizes, 1, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_EQUAL(err.limit, 2);
  CHECK_STATUS(shardspec_metadata_get_shards(metadata, 3, 2, offsets, sizes, NULL, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_STATUS(shardspec_metadata_get_shards(metadata, SIZE_MAX, 2, offsets, sizes, NULL, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_STATUS(shardspec_metadata_shards_of_rank(metadata, 1, indices, 1, &needed, &err),
               SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(offsets[0] == 77 && sizes[0] == 77 && indices[0] == 77 && needed == 77);
  CHECK_OK(shardspec_metadata_get_shards(metadata, 4, 0, NULL, NULL, NULL, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void metadata_with_the_same_shards_are_equal_whatever_made_them(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t offsets[] = {0, 0, 2, 0, 4, 0, 6, 0}, sizes[] = {2, 3, 2, 3, 1, 3, 0, 3};
  static const int64_t tensor[] = {5, 3};
  shardspec_metadata *a = rows_of(5, 3), *b, *c = rows_of(5, 4);
  shardspec_spec *spec;
  int32_t equal;
  uint64_t hash_a, hash_b;
  CHECK_OK(enumerable_of_arrays(offsets, sizes, NULL, 2, 4, RANKS, 4, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, NULL, &b, &err));
  CHECK_OK(shardspec_metadata_equal(a, b, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_metadata_hash(a, &hash_a, &err));
  CHECK_OK(shardspec_metadata_hash(b, &hash_b, &err));
  CHECK(hash_a == hash_b);
  CHECK_OK(shardspec_metadata_equal(a, c, &equal, &err));
  CHECK_EQUAL(equal, 0);
  CHECK_OK(shardspec_metadata_free(a, &err));
  CHECK_OK(shardspec_metadata_free(b, &err));
  CHECK_OK(shardspec_metadata_free(c, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void specs_that_do_not_fit_a_tensor_are_refused(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t offsets[] = {0, 0, 2, 0}, sizes[] = {2, 3, 2, 2};
  static const int64_t larger[] = {4, 3}, smaller[] = {3, 3}, flat[] = {4}, minus[] = {4, -3},
                       huge[] = {INT64_MAX, 3};
  shardspec_spec *boxes, *chunks, *named;
  shardspec_metadata *out = NULL;
  CHECK_OK(enumerable_of_arrays(offsets, sizes, NULL, 2, 2, RANKS, 2, &boxes, &err));
  CHECK_OK(shardspec_spec_new_chunk(-2, RANKS, 2, &chunks, &err));
  CHECK_OK(shardspec_spec_new_chunk_by_dim_name("x", RANKS, 2, &named, &err));
  CHECK_STATUS(shardspec_spec_build_metadata(boxes, larger, 2, NULL, &out, &err), SHARDSPEC_GAP);
  CHECK_MESSAGE("2"); /* the box that nobody owns starts in column 2 */
  CHECK_STATUS(shardspec_spec_build_metadata(boxes, smaller, 2, NULL, &out, &err),
               SHARDSPEC_OUT_OF_BOUNDS);
  CHECK_EQUAL(err.first_shard, 1);
  CHECK_EQUAL(err.dim, 0);
  CHECK_STATUS(shardspec_spec_build_metadata(boxes, flat, 1, NULL, &out, &err),
               SHARDSPEC_NDIM_MISMATCH);
  CHECK_STATUS(shardspec_spec_build_metadata(chunks, flat, 1, NULL, &out, &err),
               SHARDSPEC_INVALID_DIM);
  CHECK_STATUS(shardspec_spec_build_metadata(chunks, minus, 2, NULL, &out, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_spec_build_metadata(chunks, huge, 2, NULL, &out, &err),
               SHARDSPEC_OVERFLOW);
  CHECK_STATUS(shardspec_spec_build_metadata(named, larger, 2, NULL, &out, &err),
               SHARDSPEC_INVALID_DIM);
  CHECK(out == NULL);
  CHECK_OK(shardspec_spec_free(boxes, &err));
  CHECK_OK(shardspec_spec_free(chunks, &err));
  CHECK_OK(shardspec_spec_free(named, &err));
}

static void a_named_dimension_is_found(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t sizes[] = {4, 6};
  static const char *const names[] = {"batch", "feature"}, *const twice[] = {"feature", "feature"};
  shardspec_spec *spec;
  shardspec_metadata *metadata, *out = NULL;
  int64_t offset[2], length[2];
  CHECK_OK(shardspec_spec_new_chunk_by_dim_name("feature", RANKS, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata_with_dim_names(spec, sizes, names, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_get_shard(metadata, 1, offset, length, 2, &err));
  CHECK(offset[0] == 0 && offset[1] == 3 && length[0] == 4 && length[1] == 3);
  CHECK_STATUS(shardspec_spec_build_metadata_with_dim_names(spec, sizes, twice, 2, NULL, &out, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK(out == NULL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void a_million_shards_pass_in_flat_arrays(void) {
  enum { SHARDS = 1000000 };
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  int64_t *arrays = malloc(4 * SHARDS * sizeof *arrays);
  uint32_t *indices = malloc(2 * SHARDS * sizeof *indices);
  CHECK(arrays != NULL && indices != NULL);
  int64_t *offsets = arrays, *sizes = arrays + SHARDS, *offsets_back = arrays + 2 * SHARDS,
          *sizes_back = arrays + 3 * SHARDS, total = 0;
  for (int64_t i = 0; i < SHARDS; i++) {
    offsets[i] = total;
    sizes[i] = i % 7;
    total += sizes[i];
    indices[i] = (uint32_t)((i + 3) % 4);
  }
  static const char *const placements[] = {"rank:1", "rank:2", "rank:3", "rank:0"};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(enumerable_of_arrays(offsets, sizes, indices, 1, SHARDS, placements, 4, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, &total, 1, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_get_shards(metadata, 0, SHARDS, offsets_back, sizes_back,
                                     indices + SHARDS, &err));
  CHECK(memcmp(offsets, offsets_back, 2 * SHARDS * sizeof *arrays) == 0);
  for (int64_t i = 0; i < SHARDS; i++) CHECK(indices[SHARDS + i] == (uint32_t)(i % 4));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  free(arrays);
  free(indices);
}

int main(void) {
  single_and_bulk_answers_agree();
  what_lies_outside_is_refused_and_nothing_written();
  metadata_with_the_same_shards_are_equal_whatever_made_them();
  specs_that_do_not_fit_a_tensor_are_refused();
  a_named_dimension_is_found();
  a_million_shards_pass_in_flat_arrays();
  return 0;
}
