/* Lists of shards that may be anything: all of their overlaps and gaps. */
#include "check.h"

static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2", "rank:3"};

/* Three boxes of a 6x6 tensor of which the first two overlap each other and the last nothing. */
static shardspec_shards *three(void) {
  static const int64_t offsets[] = {0, 0, 2, 1, 4, 4}, sizes[] = {3, 3, 2, 2, 2, 2};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *shards;
  CHECK_OK(shardspec_shards_new_flat(2, offsets, sizes, 3, RANKS, 3, NULL, &shards, &err));
  return shards;
}

static void all_overlaps_are_told_up_to_a_limit(void) {
  static const int64_t offset[] = {0, 0}, size[] = {2, 2};
  static const shardspec_shard_metadata same = {2, offset, size, "rank:0"};
  const shardspec_shard_metadata four[] = {same, same, same, same};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *shards = three();
  size_t first[6] = {77}, second[6] = {77}, count = 77;
  int64_t offsets[12] = {77}, sizes[12] = {77};
  int32_t more = 77;
  CHECK_OK(shardspec_shards_count(shards, &count, &err));
  CHECK_EQUAL(count, 3);
  CHECK_OK(shardspec_shards_overlaps(shards, first, second, offsets, sizes, 6, &count, &more, &err));
  CHECK(count == 1 && more == 0 && first[0] == 0 && second[0] == 1);
  CHECK(offsets[0] == 2 && offsets[1] == 1 && sizes[0] == 1 && sizes[1] == 2);
  CHECK_OK(shardspec_shards_free(shards, &err));

  CHECK_OK(shardspec_shards_new(four, 4, &shards, &err));
  CHECK_OK(shardspec_shards_overlaps(shards, first, second, NULL, NULL, 4, &count, &more, &err));
  CHECK(count == 4 && more == 1 && first[3] == 1 && second[3] == 2 && first[4] == 0);
  CHECK_OK(shardspec_shards_overlaps(shards, first, second, NULL, NULL, 6, &count, &more, &err));
  CHECK(count == 6 && more == 0 && first[5] == 2 && second[5] == 3);
  CHECK_OK(shardspec_shards_overlaps(shards, NULL, NULL, NULL, NULL, 0, &count, &more, &err));
  CHECK(count == 0 && more == 1);
  CHECK_OK(shardspec_shards_free(shards, &err));
}

static void all_gaps_are_told_up_to_a_limit(void) {
  static const int64_t tensor[] = {6, 6}, line[] = {6};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *shards = three();
  size_t count = 77, few = 77;
  int32_t more = 77;
  int64_t offsets[16], sizes[16], owned[6][6] = {{0}};
  CHECK_OK(shardspec_shards_gaps(shards, tensor, 2, offsets, sizes, 8, &count, &more, &err));
  CHECK(count >= 2 && count <= 8 && more == 0);
  for (size_t i = 0; i < count; i++)
    for (int64_t row = 0; row < sizes[2 * i]; row++)
      for (int64_t column = 0; column < sizes[2 * i + 1]; column++)
        owned[offsets[2 * i] + row][offsets[2 * i + 1] + column]++;
  for (int64_t row = 0; row < 6; row++)
    for (int64_t column = 0; column < 6; column++) {
      int first = row < 3 && column < 3, second = row >= 2 && row < 4 && column >= 1 && column < 3,
          third = row >= 4 && column >= 4;
      CHECK_EQUAL(owned[row][column], !first && !second && !third);
    }
  offsets[2] = 77;
  CHECK_OK(shardspec_shards_gaps(shards, tensor, 2, offsets, sizes, 1, &few, &more, &err));
  CHECK(few == 1 && more == 1 && offsets[2] == 77);
  CHECK_STATUS(shardspec_shards_gaps(shards, line, 1, offsets, sizes, 8, &few, &more, &err),
               SHARDSPEC_RANK_MISMATCH);
  CHECK(few == 1 && more == 1);
  CHECK_OK(shardspec_shards_free(shards, &err));
}

static void the_shards_of_metadata_have_neither(void) {
  static const int64_t tensor[] = {5, 3};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_shards *shards;
  size_t count = 77;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 4, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_shards_new_from_metadata(metadata, &shards, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err)); /* the list does not need it */
  CHECK_OK(shardspec_shards_count(shards, &count, &err));
  CHECK_EQUAL(count, 4);
  int32_t more = 77;
  CHECK_OK(shardspec_shards_overlaps(shards, NULL, NULL, NULL, NULL, 0, &count, &more, &err));
  CHECK(count == 0 && more == 0);
  CHECK_OK(shardspec_shards_gaps(shards, tensor, 2, NULL, NULL, 0, &count, NULL, &err));
  CHECK_EQUAL(count, 0);
  CHECK_OK(shardspec_shards_free(shards, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  all_overlaps_are_told_up_to_a_limit();
  all_gaps_are_told_up_to_a_limit();
  the_shards_of_metadata_have_neither();
  return 0;
}
