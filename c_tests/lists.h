/* What is made of shards in one call: a list of them, what takes the list, and the list freed at once,
 * for nothing needs it any longer. */
#ifndef SHARDSPEC_TESTS_LISTS_H
#define SHARDSPEC_TESTS_LISTS_H

#include "shardspec.h"

/* The spec that a function makes of a list that `status` says was made. */
static inline shardspec_status spec_of_list(shardspec_status status, shardspec_shards *list,
                                            shardspec_status (*make)(const shardspec_shards *,
                                                                     shardspec_spec **,
                                                                     shardspec_error *),
                                            shardspec_spec **out, shardspec_error *error) {
  if (status == SHARDSPEC_OK) {
    status = make(list, out, error);
    shardspec_shards_free(list, NULL);
  }
  return status;
}

static inline shardspec_status enumerable_of(const shardspec_shard_metadata *shards, size_t count,
                                             shardspec_spec **out, shardspec_error *error) {
  shardspec_shards *list = NULL;
  shardspec_status status = shardspec_shards_new(shards, count, &list, error);
  return spec_of_list(status, list, shardspec_spec_new_enumerable, out, error);
}

static inline shardspec_status inferred_of(const shardspec_shard_metadata *shards, size_t count,
                                           shardspec_spec **out, shardspec_error *error) {
  shardspec_shards *list = NULL;
  shardspec_status status = shardspec_shards_new(shards, count, &list, error);
  return spec_of_list(status, list, shardspec_spec_infer, out, error);
}

static inline shardspec_status enumerable_of_arrays(const int64_t *offsets, const int64_t *sizes,
                                                    const uint32_t *placement_indices, size_t ndim,
                                                    size_t count, const char *const *placements,
                                                    size_t placement_count, shardspec_spec **out,
                                                    shardspec_error *error) {
  shardspec_shards *list = NULL;
  shardspec_status status = shardspec_shards_new_from_arrays(
      offsets, sizes, placement_indices, ndim, count, placements, placement_count, &list, error);
  return spec_of_list(status, list, shardspec_spec_new_enumerable, out, error);
}

static inline shardspec_status inferred_of_arrays(const int64_t *offsets, const int64_t *sizes,
                                                  const uint32_t *placement_indices, size_t ndim,
                                                  size_t count, const char *const *placements,
                                                  size_t placement_count, shardspec_spec **out,
                                                  shardspec_error *error) {
  shardspec_shards *list = NULL;
  shardspec_status status = shardspec_shards_new_from_arrays(
      offsets, sizes, placement_indices, ndim, count, placements, placement_count, &list, error);
  return spec_of_list(status, list, shardspec_spec_infer, out, error);
}

#endif
