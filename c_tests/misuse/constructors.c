/* Everything that makes a spec. */
#include "misuse.h"

void misuse_constructors(void) {
  static const int64_t minus[] = {0, -1, 0, 0}, most[] = {INT64_MAX, 0, 0, 0}, least[] = {INT64_MIN, 0, 0, 0};
  static const char *const with_null[] = {"rank:0", NULL}, *const bad[] = {"rank:0", "rank:0/x"};
  const char *const not_utf8[] = {"rank:0", NOT_UTF8};
  static const uint32_t past_end[] = {0, 2};
  shardspec_shard_metadata good[2] = {{2, OFFSETS, SIZES, "rank:0"}, {2, OFFSETS + 2, SIZES + 2, "rank:1"}};
  shardspec_shard_metadata wrong[2];
  const char *const *odd_texts = (const char *const *)(const void *)((const char *)RANKS + 1);

#define WRONG_TEXTS(function, dim)                                                                 \
  MISUSE(INVALID_ARGUMENT, "no placements", function, dim, RANKS, 0, &out.spec);                   \
  MISUSE(NULL_ARGUMENT, "NULL placements", function, dim, NULL, 2, &out.spec);                     \
  MISUSE(INVALID_ARGUMENT, "placements not aligned", function, dim, odd_texts, 2, &out.spec);      \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", function, dim, RANKS, SIZE_MAX, &out.spec);      \
  MISUSE(NULL_ARGUMENT, "a NULL placement", function, dim, with_null, 2, &out.spec);               \
  MISUSE(INVALID_PLACEMENT, "no placement", function, dim, bad, 2, &out.spec);                     \
  MISUSE(INVALID_ARGUMENT, "not UTF-8", function, dim, not_utf8, 2, &out.spec);                    \
  WRONG_OUT(shardspec_spec *, function, dim, RANKS, 2, P);                                         \
  WRONG_ERROR(function, dim, RANKS, 2, &out.spec)
  WRONG_TEXTS(shardspec_spec_new_chunk, 0);
  WRONG_TEXTS(shardspec_spec_new_chunk_by_dim_name, "x");
  MISUSE(NULL_ARGUMENT, "NULL name", shardspec_spec_new_chunk_by_dim_name, NULL, RANKS, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "empty name", shardspec_spec_new_chunk_by_dim_name, "", RANKS, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_new_chunk_by_dim_name, NOT_UTF8, RANKS, 2, &out.spec);

#define WITH(change) (memcpy(wrong, good, sizeof good), (change), wrong)
#define WRONG_SHARDS(function)                                                                     \
  MISUSE(INVALID_ARGUMENT, "no shards", function, good, 0, &out.spec);                             \
  MISUSE(NULL_ARGUMENT, "NULL shards", function, NULL, 2, &out.spec);                              \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", function, good, SIZE_MAX, &out.spec);                \
  MISUSE(NDIM_MISMATCH, "mixed ndim", function, WITH(wrong[1].ndim = 1), 2, &out.spec);            \
  MISUSE(INVALID_ARGUMENT, "ndim SIZE_MAX", function, WITH(wrong[0].ndim = SIZE_MAX), 2, &out.spec); \
  MISUSE(NULL_ARGUMENT, "NULL offsets", function, WITH(wrong[1].offsets = NULL), 2, &out.spec);    \
  MISUSE(NULL_ARGUMENT, "NULL sizes", function, WITH(wrong[1].sizes = NULL), 2, &out.spec);        \
  MISUSE(INVALID_ARGUMENT, "negative size", function, WITH(wrong[1].sizes = minus), 2, &out.spec); \
  MISUSE(INVALID_ARGUMENT, "INT64_MIN", function, WITH(wrong[1].offsets = least), 2, &out.spec);   \
  MISUSE(OVERFLOW, "INT64_MAX + 2", function, WITH(wrong[1].offsets = most), 2, &out.spec);        \
  MISUSE(NULL_ARGUMENT, "NULL placement", function, WITH(wrong[1].placement = NULL), 2, &out.spec); \
  MISUSE(INVALID_ARGUMENT, "not UTF-8", function, WITH(wrong[1].placement = NOT_UTF8), 2, &out.spec); \
  MISUSE(OVERLAP, "the same shard twice", function, WITH(wrong[1] = good[0]), 2, &out.spec);       \
  WRONG_OUT(shardspec_spec *, function, good, 2, P);                                               \
  WRONG_ERROR(function, good, 2, &out.spec)
  WRONG_SHARDS(shardspec_spec_new_enumerable);
  WRONG_SHARDS(shardspec_spec_infer);

#define WRONG_ARRAYS(f)                                                                            \
  MISUSE(INVALID_ARGUMENT, "no shards", f, 2, OFFSETS, SIZES, 0, RANKS, 2, NULL, &out.spec);       \
  MISUSE(NULL_ARGUMENT, "NULL offsets", f, 2, NULL, SIZES, 2, RANKS, 2, NULL, &out.spec);          \
  MISUSE(NULL_ARGUMENT, "NULL sizes", f, 2, OFFSETS, NULL, 2, RANKS, 2, NULL, &out.spec);          \
  MISUSE(NULL_ARGUMENT, "NULL placements", f, 2, OFFSETS, SIZES, 2, NULL, 2, NULL, &out.spec);     \
  MISUSE(INVALID_ARGUMENT, "33 dimensions", f, 33, OFFSETS, SIZES, 2, RANKS, 2, NULL, &out.spec);  \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", f, SIZE_MAX, OFFSETS, SIZES, 2, RANKS, 2, NULL,  \
         &out.spec);                                                                               \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX shards", f, 2, OFFSETS, SIZES, SIZE_MAX, RANKS, 2, past_end,  \
         &out.spec);                                                                               \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", f, 2, OFFSETS, SIZES, 2, RANKS, SIZE_MAX,        \
         past_end, &out.spec);                                                                     \
  MISUSE(INVALID_ARGUMENT, "fewer placements", f, 2, OFFSETS, SIZES, 2, RANKS, 1, NULL, &out.spec); \
  MISUSE(INDEX_OUT_OF_RANGE, "placement 2 of 2", f, 2, OFFSETS, SIZES, 2, RANKS, 2, past_end,      \
         &out.spec);                                                                               \
  MISUSE(INVALID_ARGUMENT, "negative size", f, 2, OFFSETS, minus, 2, RANKS, 2, NULL, &out.spec);   \
  MISUSE(OVERFLOW, "INT64_MAX + 2", f, 2, most, SIZES, 2, RANKS, 2, NULL, &out.spec);              \
  MISUSE(NULL_ARGUMENT, "a NULL placement", f, 2, OFFSETS, SIZES, 2, with_null, 2, NULL, &out.spec); \
  WRONG_OUT(shardspec_spec *, f, 2, OFFSETS, SIZES, 2, RANKS, 2, NULL, P);                         \
  WRONG_ERROR(f, 2, OFFSETS, SIZES, 2, RANKS, 2, NULL, &out.spec)
  WRONG_ARRAYS(shardspec_spec_new_enumerable_flat);
  WRONG_ARRAYS(shardspec_spec_infer_flat);
}
