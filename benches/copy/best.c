/* What a C program reaches that can do only one case: its sizes, its threads and its loops are constants. Each
 * has several tiles and prefetches; the best of them is what a library could reach for that case. */
#include "parallel.h"

#include <string.h>

/* Copies the rows `first` up to `end`, or what else a case is divided into. */
typedef void best_function(char *to, const char *from, size_t first, size_t end);

#if defined(__x86_64__)
#include <immintrin.h>

static int has_avx(void) { return __builtin_cpu_supports("avx") != 0; }
static int has_avx512(void) { return __builtin_cpu_supports("avx512f") != 0; }

#define INLINE(instructions) __attribute__((target(instructions), always_inline)) static inline
#define COPY(instructions) __attribute__((target(instructions))) static void
#define AVX "avx"
#define AVX512 "avx512f"

/* A line of two halves, and a whole line. */
INLINE(AVX) void halves_avx(char *to, const char *one, const char *other) {
  _mm256_stream_si256((__m256i *)to, _mm256_loadu_si256((const __m256i *)one));
  _mm256_stream_si256((__m256i *)(to + 32), _mm256_loadu_si256((const __m256i *)other));
}
INLINE(AVX) void line_avx(char *to, const char *from) { halves_avx(to, from, from + 32); }
INLINE(AVX512) void halves_avx512(char *to, const char *one, const char *other) {
  __m512i low = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)one));
  __m256i high = _mm256_loadu_si256((const __m256i *)other);
  _mm512_stream_si512((__m512i *)to, _mm512_inserti64x4(low, high, 1));
}
INLINE(AVX512) void line_avx512(char *to, const char *from) {
  _mm512_stream_si512((__m512i *)to, _mm512_loadu_si512(from));
}

/* Runs of 32 bytes: `ROW` bytes of a row are `ROW / 32` shards, which are `SHARD` bytes apart. A tile is
 * `HEIGHT` rows and `WIDTH` bytes; the tile that is `AHEAD` tiles below is prefetched, a line with each line. */
#define SCATTER_32(name, target, halves, ROW, SHARD, HEIGHT, WIDTH, AHEAD, HINT)                    \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t column = 0; column < (ROW); column += (WIDTH))                                     \
      for (size_t row = first; row < end; row += (HEIGHT)) {                                       \
        const char *later = from + column + (row + (AHEAD) * (HEIGHT)) * (ROW);                    \
        size_t line = 0;                                                                           \
        for (size_t at = column; at < column + (WIDTH); at += 32)                                  \
          for (size_t down = row; down < row + (HEIGHT); down += 2, line += 64) {                  \
            if (AHEAD) _mm_prefetch(later + line / (WIDTH) * (ROW) + line % (WIDTH), HINT);        \
            const char *run = from + down * (ROW) + at;                                            \
            halves(to + at / 32 * (SHARD) + down * 32, run, run + (ROW));                          \
          }                                                                                        \
      }                                                                                            \
    _mm_sfence();                                                                                  \
  }
#define GATHER_32(name, target, halves, ROW, SHARD, HEIGHT, WIDTH, AHEAD, HINT)                     \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t column = 0; column < (ROW); column += (WIDTH))                                     \
      for (size_t row = first; row < end; row += (HEIGHT))                                         \
        for (size_t down = row; down < row + (HEIGHT); down++)                                     \
          for (size_t at = column; at < column + (WIDTH); at += 64) {                              \
            const char *run = from + at / 32 * (SHARD) + down * 32;                                \
            if ((AHEAD) && down % 2 == 0) {                                                        \
              _mm_prefetch(run + (AHEAD) * (HEIGHT) * 32, HINT);                                   \
              _mm_prefetch(run + (SHARD) + (AHEAD) * (HEIGHT) * 32, HINT);                         \
            }                                                                                      \
            halves(to + down * (ROW) + at, run, run + (SHARD));                                    \
          }                                                                                        \
    _mm_sfence();                                                                                  \
  }
/* The same of runs that are lines. */
#define SCATTER_64(name, target, line, ROW, SHARD, HEIGHT, AHEAD, HINT)                             \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t row = first; row < end; row += (HEIGHT))                                           \
      for (size_t at = 0; at < (ROW); at += 64)                                                    \
        for (size_t down = 0; down < (HEIGHT); down++) {                                           \
          size_t number = at / 64 * (HEIGHT) + down;                                               \
          _mm_prefetch(from + (row + (AHEAD) * (HEIGHT)) * (ROW) + number * 64, HINT);             \
          line(to + at / 64 * (SHARD) + (row + down) * 64, from + (row + down) * (ROW) + at);      \
        }                                                                                          \
    _mm_sfence();                                                                                  \
  }
#define GATHER_64(name, target, line, ROW, SHARD, HEIGHT, AHEAD, HINT)                              \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t row = first; row < end; row += (HEIGHT))                                           \
      for (size_t down = row; down < row + (HEIGHT); down++)                                       \
        for (size_t at = 0; at < (ROW); at += 64) {                                                \
          const char *run = from + at / 64 * (SHARD) + down * 64;                                  \
          _mm_prefetch(run + (AHEAD) * (HEIGHT) * 64, HINT);                                       \
          line(to + down * (ROW) + at, run);                                                       \
        }                                                                                          \
    _mm_sfence();                                                                                  \
  }

/* 2^20 rows of 64 float32 into 8; 2^13 rows of 2^13 into 1024; 2^18 rows of 256 into 16. */
enum { NARROW_ROW = 256, NARROW_SHARD = 1 << 25, WIDE_ROW = 1 << 15, WIDE_SHARD = 1 << 18 };
enum { DEEP_ROW = 1 << 10, DEEP_SHARD = 1 << 24 };
/* Each loop with vectors of 32 and of 64 bytes, and with prefetches into the first-level cache. */
#define EACH(make, name, move, ...)                                        \
  make(name##_avx, AVX, move##_avx, __VA_ARGS__, _MM_HINT_T1)              \
  make(name##_avx512, AVX512, move##_avx512, __VA_ARGS__, _MM_HINT_T1)     \
  make(name##_near, AVX, move##_avx, __VA_ARGS__, _MM_HINT_T0)

EACH(SCATTER_32, narrow_out_8, halves, NARROW_ROW, NARROW_SHARD, 8, 256, 2)
EACH(SCATTER_32, narrow_out_32, halves, NARROW_ROW, NARROW_SHARD, 32, 256, 1)
EACH(GATHER_32, narrow_in_8, halves, NARROW_ROW, NARROW_SHARD, 8, 256, 1)
EACH(GATHER_32, narrow_in_32, halves, NARROW_ROW, NARROW_SHARD, 32, 256, 1)
EACH(SCATTER_32, wide_out_8, halves, WIDE_ROW, WIDE_SHARD, 8, 4096, 1)
EACH(SCATTER_32, wide_out_16, halves, WIDE_ROW, WIDE_SHARD, 16, 2048, 1)
EACH(GATHER_32, wide_in_8, halves, WIDE_ROW, WIDE_SHARD, 8, 512, 1)
EACH(GATHER_32, wide_in_16, halves, WIDE_ROW, WIDE_SHARD, 16, 256, 1)
EACH(SCATTER_64, deep_out_4, line, DEEP_ROW, DEEP_SHARD, 4, 1)
EACH(SCATTER_64, deep_out_8, line, DEEP_ROW, DEEP_SHARD, 8, 1)
EACH(GATHER_64, deep_in_4, line, DEEP_ROW, DEEP_SHARD, 4, 1)
EACH(GATHER_64, deep_in_8, line, DEEP_ROW, DEEP_SHARD, 8, 1)

/* Transposes 16 x 16 elements of 4 bytes: rows of `from` are `ROW` bytes apart, as are those of `to`. */
INLINE(AVX512) void block_avx512(char *to, const char *from, size_t ROW) {
  __m512i in[16], out[16];
  for (int k = 0; k < 16; k++) in[k] = _mm512_loadu_si512(from + (size_t)k * ROW);
  for (int k = 0; k < 16; k += 2) {
    out[k] = _mm512_unpacklo_epi32(in[k], in[k + 1]);
    out[k + 1] = _mm512_unpackhi_epi32(in[k], in[k + 1]);
  }
  for (int k = 0; k < 16; k += 4) {
    in[k] = _mm512_unpacklo_epi64(out[k], out[k + 2]);
    in[k + 1] = _mm512_unpackhi_epi64(out[k], out[k + 2]);
    in[k + 2] = _mm512_unpacklo_epi64(out[k + 1], out[k + 3]);
    in[k + 3] = _mm512_unpackhi_epi64(out[k + 1], out[k + 3]);
  }
  for (int c = 0; c < 4; c++) {
    __m512i even = _mm512_shuffle_i32x4(in[c], in[4 + c], 0x88);
    __m512i odd = _mm512_shuffle_i32x4(in[c], in[4 + c], 0xdd);
    __m512i later_even = _mm512_shuffle_i32x4(in[8 + c], in[12 + c], 0x88);
    __m512i later_odd = _mm512_shuffle_i32x4(in[8 + c], in[12 + c], 0xdd);
    out[c] = _mm512_shuffle_i32x4(even, later_even, 0x88);
    out[8 + c] = _mm512_shuffle_i32x4(even, later_even, 0xdd);
    out[4 + c] = _mm512_shuffle_i32x4(odd, later_odd, 0x88);
    out[12 + c] = _mm512_shuffle_i32x4(odd, later_odd, 0xdd);
  }
  for (int k = 0; k < 16; k++) _mm512_stream_si512((__m512i *)(to + (size_t)k * ROW), out[k]);
}
/* Two of 8 x 8, so that a whole line of each row is written. */
INLINE(AVX) void half_avx(__m256 *out, const char *from, size_t ROW) {
  __m256 in[8], pairs[8];
  for (int k = 0; k < 8; k++) in[k] = _mm256_loadu_ps((const float *)(from + (size_t)k * ROW));
  for (int k = 0; k < 8; k += 2) {
    pairs[k] = _mm256_unpacklo_ps(in[k], in[k + 1]);
    pairs[k + 1] = _mm256_unpackhi_ps(in[k], in[k + 1]);
  }
  for (int k = 0; k < 8; k += 4)
    for (int c = 0; c < 4; c++) {
      __m256 one = pairs[k + c / 2], other = pairs[k + 2 + c / 2];
      in[k + c] = c % 2 ? _mm256_shuffle_ps(one, other, 0xee) : _mm256_shuffle_ps(one, other, 0x44);
    }
  for (int c = 0; c < 4; c++) {
    out[c] = _mm256_permute2f128_ps(in[c], in[4 + c], 0x20);
    out[4 + c] = _mm256_permute2f128_ps(in[c], in[4 + c], 0x31);
  }
}
INLINE(AVX) void block_avx(char *to, const char *from, size_t ROW) {
  for (size_t half = 0; half < 2; half++) {
    __m256 left[8], right[8];
    half_avx(left, from + half * 32, ROW);
    half_avx(right, from + half * 32 + 8 * ROW, ROW);
    for (size_t k = 0; k < 8; k++) {
      _mm256_stream_ps((float *)(to + (half * 8 + k) * ROW), left[k]);
      _mm256_stream_ps((float *)(to + (half * 8 + k) * ROW + 32), right[k]);
    }
  }
}

/* 2^13 x 2^13 float32, column-major. Rows of `to` are columns of `from`; a tile is `HEIGHT` rows and `WIDTH` bytes
 * of `from`. */
enum { SIDE = 1 << 13, SIDE_ROW = 4 * SIDE };
#define TRANSPOSE(name, target, block, HEIGHT, WIDTH, HINT)                                         \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t column = first * 4; column < end * 4; column += (WIDTH))                           \
      for (size_t row = 0; row < SIDE; row += (HEIGHT)) {                                          \
        const char *later = from + column + (row + (HEIGHT)) * SIDE_ROW;                           \
        size_t line = 0;                                                                           \
        for (size_t at = column; at < column + (WIDTH); at += 64)                                  \
          for (size_t down = row; down < row + (HEIGHT); down += 16) {                             \
            for (int k = 0; k < 16; k++, line += 64)                                               \
              _mm_prefetch(later + line / (WIDTH) * SIDE_ROW + line % (WIDTH), HINT);              \
            block(to + at / 4 * SIDE_ROW + down * 4, from + down * SIDE_ROW + at, SIDE_ROW);       \
          }                                                                                        \
      }                                                                                            \
    _mm_sfence();                                                                                  \
  }
EACH(TRANSPOSE, transposed_16, block, 16, 1024)
EACH(TRANSPOSE, transposed_32, block, 32, 512)
EACH(TRANSPOSE, transposed_64, block, 64, 256)

/* One shard alone: runs of `RUN` bytes that are `ROW` bytes apart. A unit is `UNIT` bytes; the next one is
 * prefetched. */
enum { UNIT = 4096, PLANE = 1 << 22, PLANE_RUN = 1 << 19, SHARD = 1 << 25 };
#define EXTRACT(name, target, line, ROW, RUN, HINT)                                                 \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t unit = first; unit < end; unit++) {                                                \
      size_t here = unit * UNIT, later = here + UNIT;                                              \
      const char *run = from + here / (RUN) * (ROW) + here % (RUN);                                \
      const char *next = from + later / (RUN) * (ROW) + later % (RUN);                             \
      for (size_t at = 0; at < UNIT; at += 64) {                                                   \
        _mm_prefetch(next + at, HINT);                                                             \
        line(to + here + at, run + at);                                                            \
      }                                                                                            \
    }                                                                                              \
    _mm_sfence();                                                                                  \
  }
EACH(EXTRACT, rows, line, SHARD, SHARD)
EACH(EXTRACT, columns, line, SIDE_ROW, UNIT)
EACH(EXTRACT, planes, line, PLANE, PLANE_RUN)

/* Blocks of 64 x 64 elements, dealt to 2 x 2 shards, whose rows are half as long: `BURST` bytes of one shard,
 * then of the other one. */
enum { BLOCK = 256, QUARTER = SIDE_ROW / 2 * (SIDE / 2) };
#define BLOCKS(name, target, line, BURST, OUT, HINT)                                                \
  COPY(target) name(char *to, const char *from, size_t first, size_t end) {                        \
    for (size_t row = first; row < end; row++) {                                                   \
      size_t full = row * SIDE_ROW, own = row / 64 % 2 * 2 * QUARTER + (row / 128 * 64 + row % 64) * SIDE_ROW / 2; \
      for (size_t column = 0; column < SIDE_ROW; column += 2 * (BURST))                            \
        for (size_t shard = 0; shard < 2; shard++)                                                 \
          for (size_t at = 0; at < (BURST); at += 64) {                                            \
            size_t block = full + column + shard * BLOCK + at / BLOCK * 2 * BLOCK + at % BLOCK;    \
            size_t place = own + shard * QUARTER + column / 2 + at;                                \
            _mm_prefetch(from + ((OUT) ? full + column + shard * (BURST) + at : place) + 4096, HINT); \
            line(to + ((OUT) ? place : block), from + ((OUT) ? block : place));                    \
          }                                                                                        \
    }                                                                                              \
    _mm_sfence();                                                                                  \
  }
EACH(BLOCKS, blocks_out, line, BLOCK, 1)
EACH(BLOCKS, blocks_out_long, line, 4 * BLOCK, 1)
EACH(BLOCKS, blocks_in, line, BLOCK, 0)
#endif

/* A way to do one case: `calls` calls, one for each shard or one for all, and each call's `units` are divided among
 * threads. */
typedef struct best {
  const char *name, *direction;
  best_function *copy;
  int (*is_known)(void);
  size_t units, calls, to_step, from_step;
} best;

static const best BEST[] = {
#if defined(__x86_64__)
#define WAYS(name, direction, copy, units, calls, to_step, from_step) \
  {name, direction, copy##_avx, has_avx, units, calls, to_step, from_step}, \
  {name, direction, copy##_avx512, has_avx512, units, calls, to_step, from_step}, \
  {name, direction, copy##_near, has_avx, units, calls, to_step, from_step}
#define ROWS(name, direction, copy, rows) WAYS(name, direction, copy, rows, 1, 0, 0)
    ROWS("narrow into 8", "scatter", narrow_out_8, 1 << 20),
    ROWS("narrow into 8", "scatter", narrow_out_32, 1 << 20),
    ROWS("narrow into 8", "gather", narrow_in_8, 1 << 20),
    ROWS("narrow into 8", "gather", narrow_in_32, 1 << 20),
    ROWS("columns into 1024", "scatter", wide_out_8, 1 << 13),
    ROWS("columns into 1024", "scatter", wide_out_16, 1 << 13),
    ROWS("columns into 1024", "gather", wide_in_8, 1 << 13),
    ROWS("columns into 1024", "gather", wide_in_16, 1 << 13),
    ROWS("3-D, dim 2 into 16", "scatter", deep_out_4, 1 << 18),
    ROWS("3-D, dim 2 into 16", "scatter", deep_out_8, 1 << 18),
    ROWS("3-D, dim 2 into 16", "gather", deep_in_4, 1 << 18),
    ROWS("3-D, dim 2 into 16", "gather", deep_in_8, 1 << 18),
#define SQUARE(copy, direction, units, calls, step) \
  WAYS("transposed into 8", direction, copy, units, calls, step * SIDE_ROW, step * 4)
#define TRANSPOSED(copy) \
  SQUARE(copy, "scatter", SIDE, 1, 0), SQUARE(copy, "gather", SIDE, 1, 0), \
  SQUARE(copy, "extract", SIDE / 8, 8, (size_t)SIDE / 8)
    TRANSPOSED(transposed_16), TRANSPOSED(transposed_32), TRANSPOSED(transposed_64),
#define ALONE(name, copy, step) WAYS(name, "extract", copy, SHARD / UNIT, 8, SHARD, step)
    ALONE("rows into 8", rows, SHARD), ALONE("columns into 8", columns, UNIT), ALONE("3-D, dim 1 into 8", planes, PLANE_RUN),
    ROWS("64 x 64 blocks, 2 x 2", "scatter", blocks_out, SIDE),
    ROWS("64 x 64 blocks, 2 x 2", "scatter", blocks_out_long, SIDE),
    ROWS("64 x 64 blocks, 2 x 2", "gather", blocks_in, SIDE),
#endif
    {NULL, NULL, NULL, NULL, 0, 0, 0, 0}};

/* Whether way `at` does this case on this processor; -1 behind the last. */
int best_does(size_t at, const char *name, const char *direction) {
  const best *b = &BEST[at];
  if (b->name == NULL) return -1;
  return !strcmp(b->name, name) && !strcmp(b->direction, direction) && b->is_known();
}

typedef struct part {
  const best *best;
  char *to;
  const char *from;
  size_t first, end;
} part;

static void copy_part(void *argument) {
  const part *p = argument;
  p->best->copy(p->to, p->from, p->first, p->end);
}

/* Does a case in way `at`. `to` is aligned to 64 bytes. */
void best_copy(void *to, const void *from, int threads, size_t at) {
  const best *b = &BEST[at];
  part parts[64];
  /* Any tile is a part of these. */
  size_t share = (b->units / (size_t)threads + 255) / 256 * 256;
  for (size_t call = 0; call < b->calls; call++) {
    for (int t = 0; t < threads; t++) {
      size_t first = share * (size_t)t < b->units ? share * (size_t)t : b->units;
      size_t end = share < b->units - first ? first + share : b->units;
      parts[t] = (part){b, (char *)to + call * b->to_step, (const char *)from + call * b->from_step, first, end};
    }
    parallel(copy_part, parts, sizeof *parts, threads);
  }
}
