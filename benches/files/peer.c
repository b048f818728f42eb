/* Plain pread and pwrite of runs of files, reads on a few threads: what the library is measured
 * against. Built and called by peer.py. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* `length` bytes at `offset` of a file, and their place in memory. */
struct run {
  int64_t file, offset, length;
  char *place;
};

struct job {
  const struct run *runs;
  size_t count;
  atomic_size_t next;
  atomic_int failed;
};

/* Threads take so many small runs at once, or one that is large. */
enum { BATCH = 64, LARGE = 1 << 16 };

static int read_run(const struct run *run) {
  for (int64_t done = 0; done < run->length;) {
    ssize_t got = pread((int)run->file, run->place + done, (size_t)(run->length - done), run->offset + done);
    if (got <= 0) return 1;
    done += got;
  }
  return 0;
}

static void *work(void *argument) {
  struct job *job = argument;
  size_t batch = job->count && job->runs[0].length < LARGE ? BATCH : 1;
  for (;;) {
    size_t first = atomic_fetch_add(&job->next, batch);
    if (first >= job->count) return NULL;
    for (size_t at = first; at < job->count && at < first + batch; at++)
      if (read_run(&job->runs[at])) atomic_store(&job->failed, 1);
  }
}

/* Reads all runs; whether one could not be read. */
int peer_read(const struct run *runs, size_t count, int threads) {
  struct job job = {runs, count, 0, 0};
  pthread_t others[64];
  int started = 0;
  while (started + 1 < threads && started < 64 && !pthread_create(&others[started], NULL, work, &job)) started++;
  work(&job);
  while (started) pthread_join(others[--started], NULL);
  return atomic_load(&job.failed);
}

/* Writes all runs, one after the other; whether one could not be written. */
int peer_write(const struct run *runs, size_t count) {
  for (const struct run *run = runs; run < runs + count; run++)
    for (int64_t done = 0; done < run->length;) {
      ssize_t put = pwrite((int)run->file, run->place + done, (size_t)(run->length - done), run->offset + done);
      if (put <= 0) return 1;
      done += put;
    }
  return 0;
}
