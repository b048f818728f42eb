/* Asks who owns each of many elements, one call for each, and tells the seconds that took. */
#define _POSIX_C_SOURCE 200809L
#include "shardspec.h"

#include <time.h>

typedef shardspec_status (*owner_fn)(const shardspec_metadata *, const int64_t *, size_t, size_t *,
                                     shardspec_error *);

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* The owners go to `owners`; negative when a call was refused. */
double owner_seconds(owner_fn owner, const shardspec_metadata *metadata, const int64_t *elements,
                     size_t ndim, size_t count, size_t *owners) {
  double start = now();
  for (size_t i = 0; i < count; i++)
    if (owner(metadata, elements + i * ndim, ndim, owners + i, NULL)) return -1;
  return now() - start;
}
