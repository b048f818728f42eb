/* What both programs that measure collectives have in common: the ranks, and how time is taken. */
#ifndef BENCH_H
#define BENCH_H

#include <shardspec_mpi.h>

#include <stdlib.h>

enum { TURNS = 9, MAX_RANKS = 64 };

static int rank, size;
static shardspec_comm *comm;
static shardspec_error err = SHARDSPEC_ERROR_INIT;

static void must(shardspec_status status) {
  if (status == SHARDSPEC_OK) return;
  fprintf(stderr, "rank %d: %s\n", rank, err.message);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

static void *allocate(size_t bytes) {
  void *memory = malloc(bytes + 1);
  if (memory == NULL) fprintf(stderr, "no memory for %zu bytes\n", bytes), MPI_Abort(MPI_COMM_WORLD, 1);
  memset(memory, 1, bytes);
  return memory;
}

static const char **rank_names(void) {
  static char texts[MAX_RANKS][32];
  static const char *names[MAX_RANKS];
  for (int i = 0; i < size; i++) {
    snprintf(texts[i], sizeof texts[i], "rank:%d", i);
    names[i] = texts[i];
  }
  return names;
}

static shardspec_metadata *built(shardspec_spec *spec, const int64_t *sizes) {
  shardspec_metadata *metadata;
  must(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  must(shardspec_spec_free(spec, &err));
  return metadata;
}

static shardspec_metadata *chunks(int64_t dim, const int64_t *sizes) {
  shardspec_spec *spec;
  must(shardspec_spec_new_chunk(dim, rank_names(), (size_t)size, &spec, &err));
  return built(spec, sizes);
}

/* Seconds of the slowest rank. */
static double seconds(void (*run)(void)) {
  double start, own, slowest;
  MPI_Barrier(MPI_COMM_WORLD);
  start = MPI_Wtime();
  run();
  own = MPI_Wtime() - start;
  MPI_Allreduce(&own, &slowest, 1, MPI_DOUBLE, MPI_MAX, MPI_COMM_WORLD);
  return slowest;
}

static int ascending(const void *a, const void *b) {
  return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

#endif
