/* Some ranks of a communicator as a communicator of their own, and other names for ranks. */
#ifdef SHARDSPEC_TESTS_MPI
#include <shardspec_mpi.h>
#endif

#include "ranks.h"

/* Moves a tensor of rows to columns and back to one rank, by layouts that name the group's ranks as
 * `names` does. */
static void move_in(shardspec_comm *group, const int64_t *names, size_t count, shardspec_error *rank_err) {
  int64_t own = placement_rank_of(group), elements = 11 * 8;
  cut rows, columns;
  int32_t *back = malloc((size_t)elements * sizeof *back);
  CHECK(back != NULL);
  CHECK_EQUAL(names[rank_of(group)], own);
  for (size_t root = 0; root < count; root++) {
    shardspec_tensor_view back_view;
    cut_in_chunks(&rows, group, 11, 8, 0, names, count);
    cut_in_chunks(&columns, group, 11, 8, 1, names, count);
    back_view = rows.full_view;
    back_view.data = back;
    memset(back, 0x5a, (size_t)elements * sizeof *back);
    CHECK_OK(shardspec_comm_scatter(group, rows.metadata, names[root],
                                    own == names[root] ? &rows.full_view : NULL, rows.shards, rows.count,
                                    NULL, &err));
    check_shards(&rows);
    CHECK_OK(shardspec_comm_reshard(group, rows.metadata, rows.shards, rows.count, columns.metadata,
                                    columns.shards, columns.count, NULL, &err));
    check_shards(&columns);
    CHECK_OK(shardspec_comm_gather(group, columns.metadata, names[root], columns.shards, columns.count,
                                   own == names[root] ? &back_view : NULL, NULL, &err));
    if (own == names[root]) check_full(&rows, back);
    else check_untouched(back, elements);
    CHECK_OK(shardspec_comm_gather(group, columns.metadata, SHARDSPEC_ALL_RANKS, columns.shards,
                                   columns.count, &back_view, NULL, &err));
    check_full(&rows, back);
    free_cut(&rows);
    free_cut(&columns);
  }
  free(back);
}

/* Each rank is in one of two groups: the first ranks, in their order, and the last, in the other. */
static size_t members_of_half(const shardspec_comm *comm, int64_t *members) {
  int64_t size = size_of(comm), half = size / 2;
  size_t count = 0;
  if (rank_of(comm) < half)
    for (int64_t rank = 0; rank < half; rank++) members[count++] = rank;
  else
    for (int64_t rank = size - 1; rank >= half; rank--) members[count++] = rank;
  return count;
}

void a_group_uses_layouts_that_name_its_global_ranks(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t members[64], inner_members[64];
  size_t count = members_of_half(comm, members);
  shardspec_comm *group, *inner;
  CHECK_OK(shardspec_comm_new_group(comm, members, NULL, count, &group, &err));
  CHECK_EQUAL(size_of(group), count);
  CHECK_EQUAL(placement_rank_of(group), rank_of(comm));
  move_in(group, members, count, rank_err);
  /* The error of one rank reaches all ranks of the group, and no others. */
  cut c;
  cut_in_chunks(&c, group, 6, 3, 0, members, count);
  if (rank_of(group) == (int64_t)count - 1) {
    CHECK_OK(shardspec_comm_decline(group, 1234, "not today", &err));
  } else {
    CHECK_STATUS(shardspec_comm_scatter(group, c.metadata, members[0], &c.full_view, c.shards, c.count, NULL, &err),
                 SHARDSPEC_DISAGREEMENT);
    CHECK_EQUAL(err.got, members[count - 1]);
    char said[64];
    snprintf(said, sizeof said, "rank %d: not today", (int)members[count - 1]);
    CHECK_MESSAGE(said);
  }
  check_shards_untouched(&c);
  free_cut(&c);
  /* A group of the group: the same ranks, the last first. */
  for (size_t i = 0; i < count; i++) inner_members[i] = (int64_t)(count - 1 - i);
  CHECK_OK(shardspec_comm_new_group(group, inner_members, NULL, count, &inner, &err));
  /* It needs no other handle. */
  CHECK_OK(shardspec_comm_free(group, &err));
  for (size_t i = 0; i < count / 2; i++) {
    int64_t first = members[i];
    members[i] = members[count - 1 - i];
    members[count - 1 - i] = first;
  }
  move_in(inner, members, count, rank_err);
  exchanges_move_what_was_asked(inner, rank_err);
  CHECK_OK(shardspec_comm_free(inner, &err));
  wait_for_all(comm);
}

void ranks_are_named_as_a_group_names_them(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), names[64], number = 0;
  shardspec_comm *named, *other;
  cut c;
  for (int64_t i = 0; i < size; i++) names[i] = 100 + 3 * (size - i);
  CHECK_OK(shardspec_comm_new_group(comm, NULL, names, (size_t)size, &named, &err));
  CHECK_EQUAL(rank_of(named), rank);
  for (int64_t i = 0; i < size; i++) {
    CHECK_OK(shardspec_comm_placement_rank(named, i, &number, &err));
    CHECK_EQUAL(number, names[i]);
    CHECK_OK(shardspec_comm_placement_rank(comm, i, &number, &err));
    CHECK_EQUAL(number, i);
  }
  move_in(named, names, (size_t)size, rank_err);
  /* Errors name ranks so, and ranks that have no such name are refused. */
  cut_in_chunks(&c, named, 2 * size, 3, 0, names, (size_t)size);
  CHECK_STATUS(shardspec_comm_scatter(named, c.metadata, 0, &c.full_view, c.shards, c.count, NULL, &err),
               SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_MESSAGE("source_rank: rank 0 is not in the group");
  CHECK_EQUAL(err.got, 0);
  CHECK_EQUAL(err.limit, size);
  CHECK_STATUS(shardspec_comm_scatter(named, c.metadata, names[0], rank == 0 ? NULL : &c.full_view, c.shards,
                                      c.count, NULL, &err),
               rank == 0 ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_DISAGREEMENT);
  char said[80];
  snprintf(said, sizeof said, "rank %d: full: is NULL on source_rank %d", (int)names[0], (int)names[0]);
  CHECK_MESSAGE(said);
  CHECK_EQUAL(err.got, names[0]);
  free_cut(&c);
  int64_t owner = 1000;
  cut_in_chunks(&c, named, 2, 3, 0, &owner, 1);
  CHECK_STATUS(shardspec_comm_gather(named, c.metadata, names[0], NULL, 0, &c.full_view, NULL, &err),
               SHARDSPEC_INVALID_PLACEMENT);
  CHECK_MESSAGE("'rank:1000/cpu' is outside the group");
  free_cut(&c);
  /* Ranks that name each other differently do not call the same. */
  if (size > 1) {
    int64_t others[64];
    memcpy(others, names, sizeof others);
    if (rank == 1) others[0] = 7;
    CHECK_OK(shardspec_comm_new_group(comm, NULL, others, (size_t)size, &other, &err));
    cut_in_chunks(&c, other, 2, 3, 0, names + 1, 1);
    CHECK_STATUS(shardspec_comm_gather(other, c.metadata, names[1], c.shards, c.count, &c.full_view, NULL, &err),
                 SHARDSPEC_DISAGREEMENT);
    free_cut(&c);
    CHECK_OK(shardspec_comm_free(other, &err));
  }
  CHECK_OK(shardspec_comm_free(named, &err));
}

void groups_that_can_not_be_are_refused(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), number = -5, members[64], names[64];
  shardspec_comm *untouched = (shardspec_comm *)&number;
  for (int64_t i = 0; i < size; i++) members[i] = names[i] = i;
#define REFUSED(status, said, ...)                                                                  \
  do {                                                                                              \
    CHECK_STATUS(shardspec_comm_new_group(comm, __VA_ARGS__, &untouched, &err), SHARDSPEC_##status); \
    CHECK_MESSAGE(said);                                                                            \
    CHECK(untouched == (shardspec_comm *)&number);                                                  \
  } while (0)
  REFUSED(INVALID_ARGUMENT, "member_count: 65 where members is NULL", NULL, NULL, 65);
  members[0] = size;
  REFUSED(INDEX_OUT_OF_RANGE, "members[0]", members, NULL, (size_t)size);
  members[0] = -1;
  REFUSED(INVALID_ARGUMENT, "members[0]: ", members, NULL, (size_t)size);
  members[0] = 0;
  members[size] = 0;
  REFUSED(INVALID_ARGUMENT, "0 is listed twice", members, NULL, (size_t)size + 1);
  CHECK_EQUAL(err.index, size);
  if (size > 1) {
    members[0] = (rank + 1) % size;
    REFUSED(INVALID_ARGUMENT, "is not among them", members, NULL, 1);
    REFUSED(INVALID_ARGUMENT, "is not among them", members, NULL, 0);
    names[size - 1] = 0;
    REFUSED(INVALID_ARGUMENT, "placement_ranks", NULL, names, (size_t)size);
  }
  names[0] = -1;
  REFUSED(INVALID_ARGUMENT, "placement_ranks[0]: ", NULL, names, (size_t)size);
  CHECK_STATUS(shardspec_comm_placement_rank(comm, size, &number, &err), SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_STATUS(shardspec_comm_placement_rank(comm, -1, &number, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(number, -5);
}

#ifdef SHARDSPEC_TESTS_MPI
/* Groups of ranks with the same number modulo 2, the last first. */
void a_communicator_of_mpi_knows_its_ranks_in_another(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm), size = size_of(comm), names[64];
  size_t count = 0;
  shardspec_comm *group, *untouched = (shardspec_comm *)names;
  MPI_Comm half;
  CHECK(MPI_Comm_split(MPI_COMM_WORLD, (int)(rank % 2), -(int)rank, &half) == MPI_SUCCESS);
  for (int64_t i = size - 1; i >= 0; i--)
    if (i % 2 == rank % 2) names[count++] = i;
  CHECK_OK(shardspec_mpi_comm_new_in(half, MPI_COMM_WORLD, &group, &err));
  CHECK_EQUAL(size_of(group), count);
  move_in(group, names, count, rank_err);
  CHECK_OK(shardspec_comm_free(group, &err));
  CHECK_STATUS(shardspec_mpi_comm_new_in(MPI_COMM_NULL, MPI_COMM_WORLD, &untouched, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_mpi_comm_new_in(half, MPI_COMM_NULL, &untouched, &err), SHARDSPEC_INVALID_ARGUMENT);
  if (size > 1) {
    CHECK_STATUS(shardspec_mpi_comm_new_in(MPI_COMM_WORLD, half, &untouched, &err),
                 SHARDSPEC_INVALID_ARGUMENT);
    CHECK_MESSAGE("not in parent");
  }
  CHECK(untouched == (shardspec_comm *)names);
  CHECK(MPI_Comm_free(&half) == MPI_SUCCESS);
  /* All processes of the tests run on one machine. */
  for (int64_t i = 0; i < size; i++) {
    int64_t node = -1;
    CHECK_OK(shardspec_comm_node(comm, i, &node, &err));
    CHECK_EQUAL(node, 0);
  }
}
#endif
