/* Work on several threads, as a program does it that starts threads for one copy. */
#define _GNU_SOURCE
#include "parallel.h"

#include <pthread.h>
#include <sched.h>

enum { MAX_THREADS = 64 };

typedef struct share {
  work_function *work;
  void *part;
} share;

static void *run(void *argument) {
  const share *own = argument;
  own->work(own->part);
  return NULL;
}

/* Puts a new thread on another processor than this one's, where Linux may leave it waiting for
 * milliseconds: then two threads would be no faster than one. */
static void elsewhere(pthread_t thread) {
  cpu_set_t all, others;
  if (sched_getaffinity(0, sizeof all, &all)) return;
  others = all;
  CPU_CLR(sched_getcpu(), &others);
  if (CPU_COUNT(&others) == 0) return;
  pthread_setaffinity_np(thread, sizeof others, &others);
  pthread_setaffinity_np(thread, sizeof all, &all);
}

void parallel(work_function *work, void *parts, size_t part_bytes, int threads) {
  pthread_t ids[MAX_THREADS];
  share shares[MAX_THREADS];
  for (int t = 1; t < threads; t++) {
    shares[t] = (share){work, (char *)parts + (size_t)t * part_bytes};
    pthread_create(&ids[t], NULL, run, &shares[t]);
    elsewhere(ids[t]);
  }
  work(parts);
  for (int t = 1; t < threads; t++) pthread_join(ids[t], NULL);
}
