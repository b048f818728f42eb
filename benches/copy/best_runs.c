/* As best.c, for cases that are lists of runs or allocate their shards. */
#define _GNU_SOURCE
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "parallel.h"

/* In units of 4 bytes, so that a list of all runs is a small part of what they move. */
typedef struct run {
  uint32_t to, from, size;
} run;

typedef void runs_function(char *to, const char *from, const run *runs, const run *end);

static void plainly(char *to, const char *from, const run *runs, const run *end) {
  for (; runs < end; runs++) memcpy(to + (size_t)runs->to * 4, from + (size_t)runs->from * 4, (size_t)runs->size * 4);
}

static int always(void) { return 1; }

#if defined(__x86_64__)
#include <immintrin.h>

static int has_avx512(void) { return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"); }

enum { RUNS_AHEAD = 12 };

__attribute__((target("avx512f,avx512bw"), always_inline)) static inline void part(char *to, const char *from,
                                                                                  size_t bytes) {
  __mmask64 mask = ~(__mmask64)0 >> (64 - bytes);
  _mm512_mask_storeu_epi8(to, mask, _mm512_maskz_loadu_epi8(mask, from));
}

/* Whole lines around the caches, and what a run has of two others into them. */
__attribute__((target("avx512f,avx512bw"))) static void around(char *to, const char *from, const run *runs,
                                                               const run *end) {
  for (; runs < end; runs++) {
    char *at = to + (size_t)runs->to * 4;
    const char *source = from + (size_t)runs->from * 4;
    size_t left = (size_t)runs->size * 4, head = (size_t)(-(uintptr_t)at % 64);
    if (runs + RUNS_AHEAD < end) {
      const char *later = from + (size_t)runs[RUNS_AHEAD].from * 4;
      for (size_t line = 0; line < left + 64; line += 64) _mm_prefetch(later + line, _MM_HINT_T1);
    }
    if (head > left) head = left;
    if (head) part(at, source, head);
    at += head, source += head, left -= head;
    for (; left >= 64; at += 64, source += 64, left -= 64)
      _mm512_stream_si512((__m512i *)at, _mm512_loadu_si512(source));
    if (left) part(at, source, left);
  }
  _mm_sfence();
}

/* The lines of a shard are combined where the first-level cache holds them: runs follow each other there. */
__attribute__((target("avx512f,avx512bw"))) static void combined(char *to, const char *from, const run *runs,
                                                                 const run *end) {
  enum { BUFFER = 4096 };
  char buffer[BUFFER + 64] __attribute__((aligned(64)));
  while (runs < end) {
    char *line = (char *)((uintptr_t)(to + (size_t)runs->to * 4) / 64 * 64);
    size_t skipped = (size_t)(to + (size_t)runs->to * 4 - line), fill = skipped;
    uint32_t next = runs->to;
    for (; runs < end && runs->to == next && fill + (size_t)runs->size * 4 <= BUFFER; runs++) {
      const char *source = from + (size_t)runs->from * 4;
      if (runs + RUNS_AHEAD < end) {
        const char *later = from + (size_t)runs[RUNS_AHEAD].from * 4;
        for (size_t at = 0; at < (size_t)runs->size * 4 + 64; at += 64) _mm_prefetch(later + at, _MM_HINT_T1);
      }
      for (size_t at = 0; at < (size_t)runs->size * 4; at += 64)
        _mm512_storeu_si512(buffer + fill + at, _mm512_loadu_si512(source + at));
      fill += (size_t)runs->size * 4;
      next = runs->to + runs->size;
    }
    size_t at = skipped ? 64 : 0;
    if (skipped) part(line + skipped, buffer + skipped, (fill < 64 ? fill : 64) - skipped);
    for (; at + 64 <= fill; at += 64)
      _mm512_stream_si512((__m512i *)(line + at), _mm512_load_si512((const __m512i *)(buffer + at)));
    if (at < fill) part(line + at, buffer + at, fill - at);
  }
  _mm_sfence();
}
#endif

static const struct {
  runs_function *copy;
  int (*is_known)(void);
} RUNS[] = {
    {plainly, always},
#if defined(__x86_64__)
    {around, has_avx512},
    {combined, has_avx512},
#endif
};

/* Whether this processor knows way `at` for lists of runs; -1 behind the last. */
int best_runs_known(size_t at) { return at < sizeof RUNS / sizeof *RUNS ? RUNS[at].is_known() : -1; }

typedef struct piece {
  runs_function *copy;
  char *to;
  const char *from;
  const run *runs, *end;
} piece;

static void copy_piece(void *argument) {
  const piece *p = argument;
  p->copy(p->to, p->from, p->runs, p->end);
}

/* Copies the runs between `starts[i]` and `starts[i + 1]` in call `i`, each call on all threads. */
void best_runs(void *to, const void *from, const run *runs, const size_t *starts, size_t calls, int threads,
               size_t at) {
  piece pieces[64];
  for (size_t call = 0; call < calls; call++) {
    size_t count = starts[call + 1] - starts[call];
    const run *first = runs + starts[call];
    for (int t = 0; t < threads; t++)
      pieces[t] = (piece){RUNS[at].copy, to, from, first + count * (size_t)t / (size_t)threads,
                          first + count * (size_t)(t + 1) / (size_t)threads};
    parallel(copy_piece, pieces, sizeof *pieces, threads);
  }
}

enum { HUGE_PAGE = 2 << 20 };

/* What the kernel calls MADV_POPULATE_WRITE, since Linux 5.14. */
enum { POPULATE = 23 };

typedef struct share {
  char *to;
  const char *from;
  size_t bytes, row, run;
} share;

static void populate(void *argument) {
  const share *own = argument;
  for (size_t at = 0; at < own->bytes; at += HUGE_PAGE) madvise(own->to + at, HUGE_PAGE, POPULATE);
}

static void fill(void *argument) {
  const share *own = argument;
  for (size_t at = 0, from = 0; at < own->bytes; at += own->run, from += own->row) {
#if defined(__x86_64__)
    for (size_t line = 0; line < own->run; line += 16) {
      if (line % 64 == 0) _mm_prefetch(own->from + from + (own->run < own->row ? own->row : 4096) + line, _MM_HINT_T1);
      _mm_stream_si128((__m128i *)(own->to + at + line), _mm_loadu_si128((const __m128i *)(own->from + from + line)));
    }
#else
    memcpy(own->to + at, own->from + from, own->run);
#endif
  }
}

/* Copies into new memory, which is given back: `run` bytes of each row of `row` bytes, for each of the row's
 * shards. */
void best_allocated(const char *from, size_t bytes, size_t row, size_t run, int threads) {
  share shares[64];
  void *memory = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  char *to = (char *)(((uintptr_t)memory + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
  madvise(to, bytes, MADV_HUGEPAGE);
  size_t part = bytes / (size_t)threads / HUGE_PAGE * HUGE_PAGE;
  for (int t = 0; t < threads; t++)
    shares[t] = (share){to + part * (size_t)t, NULL, t + 1 < threads ? part : bytes - part * (size_t)t, row, run};
  parallel(populate, shares, sizeof *shares, threads);
  size_t shards = row / run, of_shard = bytes / shards, rows = bytes / row;
  for (size_t shard = 0; shard < shards; shard++) {
    for (int t = 0; t < threads; t++) {
      size_t first = rows * (size_t)t / (size_t)threads, end = rows * (size_t)(t + 1) / (size_t)threads;
      shares[t] = (share){to + shard * of_shard + first * run, from + first * row + shard * run, (end - first) * run,
                          row, run};
    }
    parallel(fill, shares, sizeof *shares, threads);
  }
  munmap(memory, bytes + HUGE_PAGE);
}
