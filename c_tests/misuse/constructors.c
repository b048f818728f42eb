/* Everything that makes a spec. */
#include "misuse.h"

void misuse_constructors(void) {
  static const char *const with_null[] = {"rank:0", NULL}, *const bad[] = {"rank:0", "rank:0/x"};
  const char *const not_utf8[] = {"rank:0", NOT_UTF8};
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

  shardspec_shards *none, *overlapping, *unplaced, *freed;
  static const int64_t near[4] = {0, 0, 1, 0};
  CHECK_OK(shardspec_shards_new(NULL, 0, &none, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(near, SIZES, NULL, 2, 2, RANKS, 2, &overlapping, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(OFFSETS, SIZES, NULL, 2, 2, with_null, 2, &unplaced, &err));
  CHECK_OK(shardspec_shards_new(NULL, 0, &freed, &err));
  CHECK_OK(shardspec_shards_free(freed, &err));
  wrong_handles_for(freed, overlapping, placement, metadata);
#define WRONG_LISTS(function)                                                                      \
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, function, H, &out.spec);                           \
  MISUSE(INVALID_ARGUMENT, "no shards", function, none, &out.spec);                                \
  MISUSE(OVERLAP, "shards that overlap", function, overlapping, &out.spec);                        \
  MISUSE(NULL_ARGUMENT, "no placement", function, unplaced, &out.spec);                            \
  WRONG_OUT(shardspec_spec *, function, overlapping, P);                                           \
  WRONG_ERROR(function, overlapping, &out.spec)
  WRONG_LISTS(shardspec_spec_new_enumerable);
  WRONG_LISTS(shardspec_spec_infer);
  WRONG_LISTS(shardspec_spec_infer_compat);
  CHECK_OK(shardspec_shards_free(none, &err));
  CHECK_OK(shardspec_shards_free(overlapping, &err));
  CHECK_OK(shardspec_shards_free(unplaced, &err));
}
