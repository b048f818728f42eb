/* Lists of shards that may be anything: all of their overlaps and gaps. */
#include "check.h"
#include "lists.h"

static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2", "rank:3"};

/* Three boxes of a 6x6 tensor of which the first two overlap each other and the last nothing. */
static shardspec_shards *three(void) {
  static const int64_t offsets[] = {0, 0, 2, 1, 4, 4}, sizes[] = {3, 3, 2, 2, 2, 2};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *shards;
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 2, 3, RANKS, 3, &shards, &err));
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
               SHARDSPEC_NDIM_MISMATCH);
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

static const int64_t EIGHT_BY_THREE[] = {8, 3};

/* A list of no shards is one of any number of dimensions. */
static void no_shards_leave_the_whole_tensor_to_nobody(void) {
  static const int64_t offset[] = {0}, size[] = {4};
  static const shardspec_shard_metadata one = {1, offset, size, "rank:0"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *none, *some;
  shardspec_plan *plan = NULL;
  size_t count = 77;
  int32_t more = 77;
  int64_t offsets[2] = {77, 77}, sizes[2] = {77, 77};
  CHECK_OK(shardspec_shards_new(NULL, 0, &none, &err));
  CHECK_OK(shardspec_shards_gaps(none, EIGHT_BY_THREE, 2, offsets, sizes, 1, &count, &more, &err));
  CHECK(count == 1 && more == 0);
  CHECK(offsets[0] == 0 && offsets[1] == 0 && sizes[0] == 8 && sizes[1] == 3);
  CHECK_OK(shardspec_shards_overlaps(none, NULL, NULL, NULL, NULL, 0, &count, &more, &err));
  CHECK(count == 0 && more == 0);

  CHECK_OK(shardspec_shards_new(&one, 1, &some, &err));
  CHECK_STATUS(shardspec_plan_new_from_shards(none, some, &plan, &err), SHARDSPEC_GAP);
  CHECK_EQUAL(err.first_shard, 0);
  CHECK_MESSAGE("no source shard holds [0:4]");
  CHECK_MESSAGE("rank:0");
  CHECK(plan == NULL);
  CHECK_OK(shardspec_plan_new_from_shards(some, none, &plan, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &count, &err));
  CHECK_EQUAL(count, 0);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_shards_free(none, &err));
  CHECK_OK(shardspec_shards_free(some, &err));
}

/* Where nobody asks for owners, shards need none. */
static void shards_without_placements_are_taken_where_no_owner_is_needed(void) {
  static const int64_t offsets[] = {0, 4}, sizes[] = {4, 4}, tensor[] = {8};
  static const char *const half[] = {NULL, "rank:1"};
  shardspec_shard_metadata two[] = {{1, &offsets[0], &sizes[0], NULL}, {1, &offsets[1], &sizes[1], NULL}};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_shards *from, *to;
  shardspec_plan *plan;
  shardspec_spec *spec = NULL;
  size_t count = 77;
  int32_t local = 77;
  int64_t source = 77, destination = 77, bytes = 77;
  CHECK_OK(shardspec_shards_new(two, 2, &from, &err));
  CHECK_OK(shardspec_shards_gaps(from, tensor, 1, NULL, NULL, 0, &count, &local, &err));
  CHECK(count == 0 && local == 0);
  CHECK_OK(shardspec_plan_new_from_shards(from, from, &plan, &err));
  CHECK_OK(shardspec_plan_is_local(plan, &local, &err));
  CHECK_EQUAL(local, 1);
  CHECK_OK(shardspec_plan_rank_traffic(plan, 1, &source, &destination, &bytes, 1, &count, &err));
  CHECK(count == 1 && source == -1 && destination == -1 && bytes == 8);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(offsets, sizes, NULL, 1, 2, half, 2, &to, &err));
  CHECK_OK(shardspec_plan_new_from_shards(from, to, &plan, &err));
  CHECK_OK(shardspec_plan_is_local(plan, &local, &err));
  CHECK_EQUAL(local, 0);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_shards_free(from, &err));
  CHECK_OK(shardspec_shards_free(to, &err));

  /* A spec says who owns what. */
  two[0].placement = "rank:0";
  CHECK_STATUS(enumerable_of(two, 2, &spec, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(err.first_shard, 1);
  CHECK_MESSAGE("shard 1 has no placement");
  CHECK_STATUS(enumerable_of_arrays(offsets, sizes, NULL, 1, 2, half, 2, &spec, &err),
               SHARDSPEC_NULL_ARGUMENT);
  CHECK_MESSAGE("shard 0 has no placement");
  CHECK_STATUS(inferred_of(two, 2, &spec, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_STATUS(shardspec_spec_new_chunk(0, half, 2, &spec, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_MESSAGE("placements[0]: is NULL");
  CHECK(spec == NULL);
}

/* Among ranks, the placement is what one looks for. */
static void overlaps_and_gaps_name_owners(void) {
  static const int64_t offsets[] = {0, 2, 6}, sizes[] = {3, 2, 2}, apart[] = {0, 3, 6}, tensor[] = {9};
  static const char *const owners[] = {"rank:7/cuda:1", "trainer0", "rank:5"};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec = NULL;
  shardspec_metadata *metadata = NULL;
  CHECK_STATUS(enumerable_of_arrays(offsets, sizes, NULL, 1, 3, owners, 3, &spec, &err),
               SHARDSPEC_OVERLAP);
  CHECK(err.first_shard == 0 && err.second_shard == 1 && spec == NULL);
  CHECK_MESSAGE("shards 0 (rank:7/cuda:1) and 1 (trainer0/cpu) both own [2:3]");
  CHECK_OK(enumerable_of_arrays(apart, sizes, NULL, 1, 3, owners, 3, &spec, &err));
  CHECK_STATUS(shardspec_spec_build_metadata(spec, tensor, 1, NULL, &metadata, &err), SHARDSPEC_GAP);
  CHECK_MESSAGE("next to shard");
  CHECK_MESSAGE("and 1 other box has no owner");
  CHECK(metadata == NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* What is asked for bounds the work: slabs that cross leave a box for each corner of the tensor, 4,096 here. Rust's
 * tests have 32 dimensions, which would take minutes under valgrind. */
static void a_few_gaps_are_told_however_many_there_are(void) {
  enum { DIMS = 12 };
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  int64_t offsets[DIMS][DIMS] = {{0}}, sizes[DIMS][DIMS], tensor[DIMS], offset[DIMS], size[DIMS];
  const char *names[DIMS];
  shardspec_shards *slabs;
  size_t count = 77;
  int32_t more = 77;
  for (int slab = 0; slab < DIMS; slab++) {
    tensor[slab] = 3, names[slab] = "rank:0";
    for (int dim = 0; dim < DIMS; dim++) sizes[slab][dim] = dim == slab ? 1 : 3;
    offsets[slab][slab] = 1;
  }
  CHECK_OK(shardspec_shards_new_from_arrays(offsets[0], sizes[0], NULL, DIMS, DIMS, names, DIMS, &slabs, &err));
  CHECK_OK(shardspec_shards_gaps(slabs, tensor, DIMS, offset, size, 1, &count, &more, &err));
  CHECK(count == 1 && more == 1);
  for (int dim = 0; dim < DIMS; dim++) CHECK(offset[dim] != 1 && size[dim] == 1);
  CHECK_OK(shardspec_shards_free(slabs, &err));
}

int main(void) {
  all_overlaps_are_told_up_to_a_limit();
  all_gaps_are_told_up_to_a_limit();
  the_shards_of_metadata_have_neither();
  no_shards_leave_the_whole_tensor_to_nobody();
  shards_without_placements_are_taken_where_no_owner_is_needed();
  overlaps_and_gaps_name_owners();
  a_few_gaps_are_told_however_many_there_are();
  return 0;
}
