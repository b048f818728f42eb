/* Collectives of several ranks in one thread, for the counts of how they grow. */
#ifndef SHARDSPEC_TESTS_GROWTH_RANKS_H
#define SHARDSPEC_TESTS_GROWTH_RANKS_H

#include "growth.h"

/* A layout on some ranks, and the buffers of its shards. */
typedef struct side {
  layout all;
  shardspec_metadata *metadata;
  views shards;
  /* The views of the shards of rank 0, then those of rank 1, and so on; and where those of each rank begin. */
  shardspec_tensor_view *own;
  size_t *first;
} side;

/* Takes over the layout. */
side side_of(layout all, size_t ranks);
const shardspec_tensor_view *views_of_rank(const side *one, size_t rank, size_t *count);
void free_side(side *one);

/* A tensor that moves between layouts, or between a layout and rank 0, alone or in a batch. */
typedef struct moved {
  size_t ranks;
  shardspec_comm **comms;
  const side *from, *to;
  /* The whole tensor, on rank 0. */
  const shardspec_tensor_view *full;
  /* A batch: `count` tensors for rank 0, then as many for rank 1, and so on. */
  shardspec_comm_tensor *tensors;
  size_t count;
  shardspec_transfer **transfers;
} moved;

/* Starts the request of one rank. */
typedef void start(const moved *what, size_t rank, shardspec_request **out);
extern start scatter_starts, gather_starts, reshard_starts, transfer_starts, prepare_starts, run_starts;

/* Starts the requests of all ranks, and continues them in turns until all have ended. Counts the steps and the memory
 * of rank `counted` only, as those of `function`, which has `answer` items beside `n`. */
void count_rank(const moved *what, start *starts, const char *function, const char *family, size_t counted, size_t n,
                size_t answer);
/* The same, and nothing is counted. */
void run_ranks(const moved *what, start *starts);

#endif
