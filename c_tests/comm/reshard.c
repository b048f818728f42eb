/* From one layout to another, on every rank. */
#include "ranks.h"

void move_shards(shardspec_comm *comm, cut *from, cut *to, shardspec_error *rank_err) {
  shardspec_comm_options small = {sizeof small, 100, NULL};
  const shardspec_comm_options *options[] = {NULL, &small};
  for (size_t i = 0; i < COUNT(options); i++) {
    fill_shards(from);
    clear_shards(to);
    CHECK_OK(shardspec_comm_reshard(comm, from->metadata, from->shards, from->count, to->metadata,
                                    to->shards, to->count, options[i], &err));
    check_shards(to);
  }
  free_cut(from);
  free_cut(to);
}

static void owners_from(int64_t *owners, int64_t size, int64_t first) {
  for (int64_t i = 0; i < size; i++) owners[i] = (i + first) % size;
}

void any_layout_becomes_any_other(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), owners[64], others[64], boxes[64][5];
  cut from, to;
  owners_from(owners, size, 0);
  for (int64_t length = 0; length < 2 * size + 3; length++) {
    /* Rows become columns and columns rows; of 5 rows over 4 ranks the last is empty. */
    cut_in_chunks(&from, comm, length, 7, 0, owners, (size_t)size);
    cut_in_chunks(&to, comm, length, 7, 1, owners, (size_t)size);
    move_shards(comm, &from, &to, rank_err);
    cut_in_chunks(&from, comm, 7, length, 1, owners, (size_t)size);
    cut_in_chunks(&to, comm, 7, length, 0, owners, (size_t)size);
    move_shards(comm, &from, &to, rank_err);
  }
  /* Many small boxes on the ranks in turn, from a few ranks that have it all and back to one. */
  for (int64_t i = 0; i < 36; i++) {
    int64_t box[] = {i / 6 * 2, i % 6 * 3, 2, 3, i % size};
    memcpy(boxes[i], box, sizeof box);
  }
  for (int64_t i = 0; 2 * i < size; i++) others[i] = size - 1 - 2 * i;
  cut_in_chunks(&from, comm, 12, 18, 0, others, (size_t)(size + 1) / 2);
  cut_in_boxes(&to, comm, 12, 18, (const int64_t(*)[5])boxes, 36);
  move_shards(comm, &from, &to, rank_err);
  cut_in_boxes(&from, comm, 12, 18, (const int64_t(*)[5])boxes, 36);
  cut_in_chunks(&to, comm, 12, 18, 1, others, 1);
  move_shards(comm, &from, &to, rank_err);
}

/* The same shards on other ranks: with three of them, what torch 2.15 crashes on. */
void shards_that_only_change_places_arrive(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), owners[64], others[64];
  cut from, to;
  owners_from(owners, size, 0);
  for (int64_t by = 0; by < size; by++) {
    owners_from(others, size, by);
    cut_in_chunks(&from, comm, 3 * size + 1, 5, 0, owners, (size_t)size);
    cut_in_chunks(&to, comm, 3 * size + 1, 5, 0, others, (size_t)size);
    move_shards(comm, &from, &to, rank_err);
  }
}

void layouts_that_can_not_be_resharded_are_told_on_all(shardspec_comm *comm,
                                                       shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), last = size - 1, owners[64], others[64];
  cut from, to, wider;
  owners_from(owners, size, 0);
  owners_from(others, size, 1);
  cut_in_chunks(&from, comm, 2 * size, 6, 0, owners, (size_t)size);
  cut_in_chunks(&to, comm, 2 * size, 6, 0, others, (size_t)size);
  cut_in_chunks(&wider, comm, 2 * size, 7, 0, owners, (size_t)size);
#define RESHARD(a, b)                                                                              \
  shardspec_comm_reshard(comm, (a).metadata, (a).shards, (a).count, (b).metadata, (b).shards,      \
                         (b).count, NULL, &err)
  wait_for_all(comm);
  double start = seconds();
  CHECK_STATUS(RESHARD(from, wider), SHARDSPEC_SHAPE_MISMATCH);
  CHECK_EQUAL(err.dim, 1);
  /* The last rank asks for another layout, of which its own shard is the same. */
  if (size > 1) {
    cut *wanted = rank == last ? &from : &to;
    CHECK_STATUS(rank == last ? RESHARD(from, wider) : RESHARD(from, *wanted),
                 rank == last ? SHARDSPEC_SHAPE_MISMATCH : SHARDSPEC_DISAGREEMENT);
    if (rank < last) CHECK_EQUAL(err.got, last);
    if (size > 2) {
      owners_from(others, size, rank == last ? size - 1 : 1);
      cut other;
      cut_in_chunks(&other, comm, 2 * size, 6, 0, others, (size_t)size);
      CHECK_STATUS(RESHARD(from, other), SHARDSPEC_DISAGREEMENT);
      CHECK_MESSAGE("with other shards or properties");
      check_shards_untouched(&other);
      free_cut(&other);
    }
  }
  /* A shard can't be moved into itself. */
  CHECK_STATUS(RESHARD(from, from), SHARDSPEC_ALIASED);
  CHECK(seconds() - start < 1);
  check_shards_untouched(&to);
  free_cut(&from);
  free_cut(&to);
  free_cut(&wider);
}
