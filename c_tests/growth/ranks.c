/* One thread has all ranks of a communicator. It starts the request of each rank, and continues the requests in turns.
 * So no rank waits for another one, and each run takes the same steps, on any machine and however much else runs there.
 * What is counted are the calls of one rank: its start, its tests and the end of its request. */
#include "ranks.h"

side side_of(layout all, size_t ranks) {
  side made = {all, metadata_of(&all), views_of(&all), calloc(all.count, sizeof *made.own),
               calloc(ranks + 2, sizeof *made.first)};
  /* Counted two places later, and one place after the shards of earlier ranks: then each place moves to its own end. */
  for (size_t i = 0; i < all.count; i++) made.first[all.numbers[i] + 2]++;
  for (size_t rank = 1; rank < ranks; rank++) made.first[rank + 1] += made.first[rank];
  for (size_t i = 0; i < all.count; i++) made.own[made.first[all.numbers[i] + 1]++] = made.shards.views[i];
  return made;
}

const shardspec_tensor_view *views_of_rank(const side *one, size_t rank, size_t *count) {
  *count = one->first[rank + 1] - one->first[rank];
  return one->own + one->first[rank];
}

void free_side(side *one) {
  CHECK_OK(shardspec_metadata_free(one->metadata, &err));
  free_views(&one->shards);
  free_layout(&one->all);
  free(one->own);
  free(one->first);
}

/* The views of a rank, and how many they are. */
#define OWN(side, rank) (side)->own + (side)->first[rank], (side)->first[(rank) + 1] - (side)->first[rank]

void scatter_starts(const moved *what, size_t rank, shardspec_request **out) {
  CHECK_OK(shardspec_comm_scatter_start(what->comms[rank], what->to->metadata, 0, rank == 0 ? what->full : NULL,
                                        OWN(what->to, rank), NULL, out, &err));
}

void gather_starts(const moved *what, size_t rank, shardspec_request **out) {
  CHECK_OK(shardspec_comm_gather_start(what->comms[rank], what->to->metadata, 0, OWN(what->to, rank),
                                       rank == 0 ? what->full : NULL, NULL, out, &err));
}

void reshard_starts(const moved *what, size_t rank, shardspec_request **out) {
  CHECK_OK(shardspec_comm_reshard_start(what->comms[rank], what->from->metadata, OWN(what->from, rank),
                                        what->to->metadata, OWN(what->to, rank), NULL, out, &err));
}

void transfer_starts(const moved *what, size_t rank, shardspec_request **out) {
  CHECK_OK(shardspec_comm_transfer_start(what->comms[rank], what->tensors + rank * what->count, what->count, NULL, out,
                                         &err));
}

void prepare_starts(const moved *what, size_t rank, shardspec_request **out) {
  CHECK_OK(shardspec_transfer_prepare_start(what->comms[rank], what->tensors + rank * what->count, what->count, NULL,
                                            &what->transfers[rank], out, &err));
}

void run_starts(const moved *what, size_t rank, shardspec_request **out) {
  CHECK_OK(shardspec_transfer_start(what->transfers[rank], what->comms[rank], NULL, 0, out, &err));
}

static void run_in_turns(const moved *what, start *starts, size_t counted) {
  shardspec_request **requests = calloc(what->ranks, sizeof *requests);
  for (size_t rank = 0; rank < what->ranks; rank++) {
    if (rank == counted) count_turns();
    starts(what, rank, &requests[rank]);
    if (rank == counted) count_turns();
  }
  for (size_t left = what->ranks; left > 0;) {
    for (size_t rank = 0; rank < what->ranks; rank++) {
      if (requests[rank] == NULL) continue;
      int32_t done = 0;
      if (rank == counted) count_turns();
      CHECK_OK(shardspec_request_test(requests[rank], &done, &err));
      if (done) CHECK_OK(shardspec_request_free(requests[rank], &err));
      if (rank == counted) count_turns();
      if (done) requests[rank] = NULL, left--;
    }
  }
  free(requests);
}

void count_rank(const moved *what, start *starts, const char *function, const char *family, size_t counted, size_t n,
                size_t answer) {
  char name[96];
  snprintf(name, sizeof name, "%s, %s", family, counted == 0 ? "rank 0" : "the last rank");
  memory_begins();
  CALLGRIND_ZERO_STATS;
  count_turns();
  run_in_turns(what, starts, counted);
  count_ends(function, name, n, answer);
  count_turns();
}

void run_ranks(const moved *what, start *starts) { run_in_turns(what, starts, what->ranks); }
