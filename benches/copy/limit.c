/* What copies are measured against: the same bytes streamed once, by libc's memcpy and by stores that
 * go around the caches, on the same number of threads; and, for small ones, nothing but the memcpy
 * of each run. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "shardspec.h"

typedef void copy_function(char *to, const char *from, size_t bytes);

static void through_caches(char *to, const char *from, size_t bytes) { memcpy(to, from, bytes); }

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx512f"))) static void stream_avx512(char *to, const char *from,
                                                             size_t bytes) {
  size_t at = 0;
  for (; at + 64 <= bytes; at += 64)
    _mm512_stream_si512((__m512i *)(to + at), _mm512_loadu_si512(from + at));
  _mm_sfence();
  memcpy(to + at, from + at, bytes - at);
}

__attribute__((target("avx"))) static void stream_avx(char *to, const char *from, size_t bytes) {
  size_t at = 0;
  for (; at + 64 <= bytes; at += 64) {
    __m256i a = _mm256_loadu_si256((const __m256i *)(from + at));
    __m256i b = _mm256_loadu_si256((const __m256i *)(from + at + 32));
    _mm256_stream_si256((__m256i *)(to + at), a);
    _mm256_stream_si256((__m256i *)(to + at + 32), b);
  }
  _mm_sfence();
  memcpy(to + at, from + at, bytes - at);
}

static copy_function *around_caches(void) {
  if (__builtin_cpu_supports("avx512f")) return stream_avx512;
  return __builtin_cpu_supports("avx") ? stream_avx : through_caches;
}
#else
static copy_function *around_caches(void) { return through_caches; }
#endif

typedef struct part {
  copy_function *copy;
  char *to;
  const char *from;
  size_t bytes;
} part;

static void *copy_part(void *argument) {
  const part *p = argument;
  p->copy(p->to, p->from, p->bytes);
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

/* `to` is aligned to 64 bytes; at most 64 threads, the caller's included. */
void limit_copy(void *to, const void *from, size_t bytes, int threads, int around) {
  pthread_t ids[64];
  part parts[64];
  copy_function *copy = around ? around_caches() : through_caches;
  size_t share = (bytes / (size_t)threads + 63) / 64 * 64;
  for (int t = 0; t < threads; t++) {
    size_t start = share * (size_t)t < bytes ? share * (size_t)t : bytes;
    size_t length = share < bytes - start ? share : bytes - start;
    parts[t] = (part){copy, (char *)to + start, (const char *)from + start, length};
    if (t == 0) continue;
    pthread_create(&ids[t], NULL, copy_part, &parts[t]);
    elsewhere(ids[t]);
  }
  copy_part(&parts[0]);
  for (int t = 1; t < threads; t++) pthread_join(ids[t], NULL);
}

typedef struct read_part {
  const char *from;
  size_t bytes;
  uint64_t sum;
} read_part;

static void *read_part_of(void *argument) {
  read_part *p = argument;
  uint64_t sums[8] = {0}, words[8];
  for (size_t at = 0; at + sizeof words <= p->bytes; at += sizeof words) {
    memcpy(words, p->from + at, sizeof words);
    for (int i = 0; i < 8; i++) sums[i] += words[i];
  }
  for (int i = 0; i < 8; i++) p->sum += sums[i];
  return NULL;
}

/* Reads all bytes, and does as little with them as can be done; at most 64 threads, the caller's
 * included. */
uint64_t limit_read(const void *from, size_t bytes, int threads) {
  pthread_t ids[64];
  read_part parts[64];
  uint64_t sum = 0;
  size_t share = (bytes / (size_t)threads + 63) / 64 * 64;
  for (int t = 0; t < threads; t++) {
    size_t start = share * (size_t)t < bytes ? share * (size_t)t : bytes;
    size_t length = share < bytes - start ? share : bytes - start;
    parts[t] = (read_part){(const char *)from + start, length, 0};
    if (t == 0) continue;
    pthread_create(&ids[t], NULL, read_part_of, &parts[t]);
    elsewhere(ids[t]);
  }
  read_part_of(&parts[0]);
  for (int t = 1; t < threads; t++) pthread_join(ids[t], NULL);
  for (int t = 0; t < threads; t++) sum += parts[t].sum;
  return sum;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef struct run {
  void *to;
  const void *from;
  size_t bytes;
} run;

/* Seconds that one memcpy for each run takes. */
double limit_time_runs(const run *runs, size_t count, size_t repeats) {
  double start = now();
  for (size_t repeat = 0; repeat < repeats; repeat++)
    for (size_t i = 0; i < count; i++) memcpy(runs[i].to, runs[i].from, runs[i].bytes);
  return (now() - start) / (double)repeats;
}

typedef shardspec_status scatter_function(const shardspec_metadata *, const shardspec_tensor_view *,
                                          const shardspec_tensor_view *, size_t,
                                          const shardspec_copy_options *, shardspec_error *);

/* Seconds that one call of `shardspec_metadata_scatter` takes; below 0 when it is refused. */
double limit_time_scatter(scatter_function *scatter, const shardspec_metadata *metadata,
                          const shardspec_tensor_view *full, const shardspec_tensor_view *shards,
                          size_t count, size_t repeats) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  double start = now();
  for (size_t repeat = 0; repeat < repeats; repeat++)
    if (scatter(metadata, full, shards, count, NULL, &err)) return -1;
  return (now() - start) / (double)repeats;
}

typedef shardspec_status gather_function(const shardspec_metadata *, const shardspec_tensor_view *,
                                         size_t, const shardspec_tensor_view *,
                                         const shardspec_copy_options *, shardspec_error *);

/* The same for `shardspec_metadata_gather`. */
double limit_time_gather(gather_function *gather, const shardspec_metadata *metadata,
                         const shardspec_tensor_view *shards, size_t count,
                         const shardspec_tensor_view *full, size_t repeats) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  double start = now();
  for (size_t repeat = 0; repeat < repeats; repeat++)
    if (gather(metadata, shards, count, full, NULL, &err)) return -1;
  return (now() - start) / (double)repeats;
}
