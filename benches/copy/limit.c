/* What copies are measured against: the same bytes copied once, in every way that is known to be the
 * fastest on some processor, on the same number of threads; and, for small ones, nothing but the
 * memcpy of each run. */
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "parallel.h"
#include "shardspec.h"

/* Copies `bytes`, and prefetches `ahead` bytes before they are read. `to` is aligned to 64 bytes. */
typedef void copy_function(char *to, const char *from, size_t bytes, size_t ahead);

static void with_memcpy(char *to, const char *from, size_t bytes, size_t ahead) {
  (void)ahead;
  memcpy(to, from, bytes);
}

#if defined(__x86_64__)
#include <immintrin.h>

static void with_rep_movsb(char *to, const char *from, size_t bytes, size_t ahead) {
  (void)ahead;
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

/* A copy of whole lines by vectors of one size, prefetched into the cache of `hint`. Without a distance,
 * there is no prefetch. */
#define BY_VECTORS(name, instructions, vector, load, store, hint)                                  \
  __attribute__((target(instructions))) static void name(char *to, const char *from, size_t bytes, \
                                                         size_t ahead) {                           \
    size_t at = 0, each = sizeof(vector);                                                          \
    for (; at + 64 <= bytes; at += 64) {                                                           \
      if (ahead) _mm_prefetch(from + at + ahead, hint);                                            \
      for (size_t part = at; part < at + 64; part += each)                                         \
        store((vector *)(to + part), load((const vector *)(from + part)));                         \
    }                                                                                              \
    _mm_sfence();                                                                                  \
    memcpy(to + at, from + at, bytes - at);                                                        \
  }

BY_VECTORS(plain_128, "sse2", __m128i, _mm_loadu_si128, _mm_store_si128, _MM_HINT_T0)
BY_VECTORS(plain_256, "avx", __m256i, _mm256_loadu_si256, _mm256_store_si256, _MM_HINT_T0)
BY_VECTORS(plain_512, "avx512f", __m512i, _mm512_loadu_si512, _mm512_store_si512, _MM_HINT_T0)
BY_VECTORS(around_128, "sse2", __m128i, _mm_loadu_si128, _mm_stream_si128, _MM_HINT_T0)
BY_VECTORS(around_256, "avx", __m256i, _mm256_loadu_si256, _mm256_stream_si256, _MM_HINT_T0)
BY_VECTORS(around_512, "avx512f", __m512i, _mm512_loadu_si512, _mm512_stream_si512, _MM_HINT_T0)
BY_VECTORS(far_256, "avx", __m256i, _mm256_loadu_si256, _mm256_stream_si256, _MM_HINT_T1)
BY_VECTORS(far_512, "avx512f", __m512i, _mm512_loadu_si512, _mm512_stream_si512, _MM_HINT_T1)

enum { PAGE = 4096, PAGES = 4 };

/* Line by line of some pages in turn, so that several banks of memory work at the same time. */
#define BY_PAGES(name, copy_line)                                                            \
  __attribute__((target("avx"))) static void name(char *to, const char *from, size_t bytes,  \
                                                  size_t ahead) {                            \
    size_t at = 0;                                                                           \
    for (; at + PAGES * PAGE <= bytes; at += PAGES * PAGE)                                   \
      for (size_t line = 0; line < PAGE; line += 64)                                         \
        for (size_t page = 0; page < PAGES * PAGE; page += PAGE) {                           \
          if (ahead) _mm_prefetch(from + at + PAGES * PAGE + page + line, _MM_HINT_T0);      \
          copy_line((__m256i *)(to + at + page + line),                                      \
                    _mm256_loadu_si256((const __m256i *)(from + at + page + line)));         \
          copy_line((__m256i *)(to + at + page + line + 32),                                 \
                    _mm256_loadu_si256((const __m256i *)(from + at + page + line + 32)));    \
        }                                                                                    \
    _mm_sfence();                                                                            \
    memcpy(to + at, from + at, bytes - at);                                                  \
  }

BY_PAGES(plain_pages, _mm256_store_si256)
BY_PAGES(around_pages, _mm256_stream_si256)

static int has_sse2(void) { return 1; }
static int has_avx(void) { return __builtin_cpu_supports("avx") != 0; }
static int has_avx512(void) { return __builtin_cpu_supports("avx512f") != 0; }
#endif

static int always(void) { return 1; }

typedef struct way {
  const char *name;
  copy_function *copy;
  size_t ahead;
  int (*is_known)(void);
} way;

static const way WAYS[] = {
    {"memcpy", with_memcpy, 0, always},
#if defined(__x86_64__)
    {"rep movsb", with_rep_movsb, 0, always},
#define AHEAD(name, copy, is_known)                                                      \
  {name, copy, 0, is_known}, {name ", 512 ahead", copy, 512, is_known},                  \
      {name ", 1024 ahead", copy, 1024, is_known}, {                                     \
    name ", 4096 ahead", copy, 4096, is_known                                            \
  }
    AHEAD("plain 128", plain_128, has_sse2),
    AHEAD("plain 256", plain_256, has_avx),
    AHEAD("plain 512", plain_512, has_avx512),
    AHEAD("non-temporal 128", around_128, has_sse2),
    AHEAD("non-temporal 256", around_256, has_avx),
    AHEAD("non-temporal 512", around_512, has_avx512),
    {"non-temporal 256, 4096 ahead, second level", far_256, 4096, has_avx},
    {"non-temporal 512, 4096 ahead, second level", far_512, 4096, has_avx512},
    {"plain 256, 4 pages", plain_pages, 0, has_avx},
    {"plain 256, 4 pages, prefetched", plain_pages, 1, has_avx},
    {"non-temporal 256, 4 pages", around_pages, 0, has_avx},
    {"non-temporal 256, 4 pages, prefetched", around_pages, 1, has_avx},
#endif
};

/* The name of way `at` of copying; "" for one that this processor can't do, NULL behind the last. */
const char *limit_way(size_t at) {
  if (at >= sizeof WAYS / sizeof *WAYS) return NULL;
  return WAYS[at].is_known() ? WAYS[at].name : "";
}

/* What one thread does. */
typedef struct part {
  const way *way;
  char *to;
  const char *from;
  size_t bytes;
  uint64_t sum;
} part;

static void copy_part(void *argument) {
  const part *p = argument;
  p->way->copy(p->to, p->from, p->bytes, p->way->ahead);
}

static void read_part(void *argument) {
  part *p = argument;
  uint64_t sums[8] = {0}, words[8];
  for (size_t at = 0; at + sizeof words <= p->bytes; at += sizeof words) {
    memcpy(words, p->from + at, sizeof words);
    for (int i = 0; i < 8; i++) sums[i] += words[i];
  }
  for (int i = 0; i < 8; i++) p->sum += sums[i];
}

/* Divides the bytes among at most 64 threads, the caller's included. Returns the sum of all parts. */
static uint64_t divided(work_function *work, const way *way, char *to, const char *from, size_t bytes,
                        int threads) {
  part parts[64];
  uint64_t sum = 0;
  size_t share = (bytes / (size_t)threads + 63) / 64 * 64;
  for (int t = 0; t < threads; t++) {
    size_t start = share * (size_t)t < bytes ? share * (size_t)t : bytes;
    size_t length = share < bytes - start ? share : bytes - start;
    parts[t] = (part){way, to ? to + start : NULL, from + start, length, 0};
  }
  parallel(work, parts, sizeof *parts, threads);
  for (int t = 0; t < threads; t++) sum += parts[t].sum;
  return sum;
}

/* Copies in way `at`. `to` is aligned to 64 bytes. */
void limit_copy(void *to, const void *from, size_t bytes, int threads, size_t at) {
  divided(copy_part, &WAYS[at], to, from, bytes, threads);
}

/* Reads all bytes, and does as little with them as can be done. */
uint64_t limit_read(const void *from, size_t bytes, int threads) {
  return divided(read_part, NULL, NULL, from, bytes, threads);
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
