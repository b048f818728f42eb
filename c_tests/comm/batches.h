/* Batches of tensors, for the tests of transfers. */
#ifndef SHARDSPEC_TESTS_BATCHES_H
#define SHARDSPEC_TESTS_BATCHES_H

#include "ranks.h"

enum { MOST = 12 };

/* The tensors of a batch, as one rank sees them. */
typedef struct batch {
  size_t count;
  cut from[MOST], to[MOST];
  char tags[MOST][32];
  shardspec_comm_tensor tensors[MOST];
} batch;

/* Takes over the next two cuts as a tensor. */
void add_tensor(batch *b);
/* Tensors of every kind of layout: the same on all ranks. */
void make_batch(batch *b, const shardspec_comm *comm, uint64_t seed);
/* Fills the sources, and puts the pattern of untouched memory into the destinations. */
void reset_batch(batch *b);
void check_batch(const batch *b);
void check_batch_untouched(const batch *b);
void free_batch(batch *b);

#endif
