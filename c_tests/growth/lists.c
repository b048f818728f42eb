/* Lists, specs and metadata, and texts and bytes of these. */
#include "growth.h"

static void count_spec(const layout *all, shardspec_shards *shards, const char *family) {
  const size_t n = all->count;
  shardspec_spec *spec = NULL, *other = NULL;
  COUNTED(family, n, 0, shardspec_spec_new_enumerable, shards, &spec);
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_metadata *built = NULL;
  COUNTED(family, n, 0, shardspec_spec_build_metadata, spec, all->tensor, NDIM, &properties, &built);
  uint64_t hash = 0;
  COUNTED(family, n, 0, shardspec_spec_hash, spec, &hash);
  size_t bytes = 0;
  CHECK_OK(shardspec_spec_to_bytes(spec, NULL, 0, &bytes, &err));
  uint8_t *buffer = malloc(bytes);
  COUNTED(family, n, 0, shardspec_spec_to_bytes, spec, buffer, bytes, &bytes);
  COUNTED(family, n, 0, shardspec_spec_new_from_bytes, buffer, bytes, &other);
  free(buffer);
  int32_t equal = 0;
  COUNTED(family, n, 0, shardspec_spec_equal, spec, other, &equal);
  CHECK(equal);
  CHECK_OK(shardspec_spec_free(other, &err));
  CHECK_OK(shardspec_spec_to_json(spec, NULL, 0, &bytes, &err));
  char *text = malloc(bytes + 1);
  COUNTED(family, n, 0, shardspec_spec_to_json, spec, text, bytes + 1, &bytes);
  COUNTED(family, n, 0, shardspec_spec_new_from_json, text, strlen(text), &other);
  free(text);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_spec_free(other, &err));
  CHECK_OK(shardspec_metadata_free(built, &err));
}

void count_lists(const layout *all, const char *family) {
  const size_t n = all->count;
  shardspec_shards *shards = NULL;
  COUNTED(family, n, 0, shardspec_shards_new_from_arrays, all->offsets, all->sizes, all->numbers, NDIM, n,
          (const char *const *)all->placements, n, &shards);
  size_t count = 0;
  int32_t more = 0;
  COUNTED(family, n, 0, shardspec_shards_overlaps, shards, NULL, NULL, NULL, NULL, 0, &count, &more);
  COUNTED(family, n, 0, shardspec_shards_gaps, shards, all->tensor, NDIM, NULL, NULL, 0, &count, &more);
  shardspec_spec *inferred = NULL;
  COUNTED(family, n, 0, shardspec_spec_infer, shards, &inferred);
  CHECK_OK(shardspec_spec_free(inferred, &err));
  count_spec(all, shards, family);
  CHECK_OK(shardspec_shards_free(shards, &err));
}

/* As text and as bytes, and read again. */
static void count_written(shardspec_metadata *one, size_t n, const char *family) {
  shardspec_metadata *other = NULL;
  size_t bytes = 0;
  CHECK_OK(shardspec_metadata_to_json(one, NULL, 0, &bytes, &err));
  char *text = malloc(bytes + 1);
  COUNTED(family, n, 0, shardspec_metadata_to_json, one, text, bytes + 1, &bytes);
  COUNTED(family, n, 0, shardspec_metadata_new_from_json, text, strlen(text), &other);
  free(text);
  CHECK_OK(shardspec_metadata_free(other, &err));
  CHECK_OK(shardspec_metadata_to_bytes(one, NULL, 0, &bytes, &err));
  uint8_t *buffer = malloc(bytes);
  COUNTED(family, n, 0, shardspec_metadata_to_bytes, one, buffer, bytes, &bytes);
  COUNTED(family, n, 0, shardspec_metadata_new_from_bytes, buffer, bytes, &other);
  free(buffer);
  CHECK_OK(shardspec_metadata_free(other, &err));
}

static void count_questions(shardspec_metadata *one, const layout *all, const char *family) {
  const size_t n = all->count;
  size_t *found = calloc(n, sizeof *found), count = 0;
  COUNTED(family, n, n, shardspec_metadata_shards_in_box, one, (int64_t[]){0, 0}, all->tensor, NDIM, found, n,
          &count);
  CHECK_EQUAL(count, n);
  COUNTED(family, n, 0, shardspec_metadata_shards_of_rank, one, 7, found, n, &count);
  CHECK_EQUAL(count, 1);
  COUNTED(family, n, 0, shardspec_metadata_shards_of_owner, one, all->placements[7], found, n, &count);
  COUNTED_EACH(family, n, 0, shardspec_metadata_shard_at, one, all->offsets + NDIM * i, NDIM, &count);
  int64_t *local = calloc(n * NDIM, sizeof *local), *back = calloc(n * NDIM, sizeof *back);
  COUNTED(family, n, 0, shardspec_metadata_locate, one, all->offsets, n, found, local);
  COUNTED(family, n, 0, shardspec_metadata_globalize, one, found, local, n, back);
  CHECK(memcmp(back, all->offsets, n * NDIM * sizeof *back) == 0);
  COUNTED(family, n, 0, shardspec_metadata_get_shards, one, 0, n, local, back, all->numbers);
  free(found);
  free(local);
  free(back);
}

void count_metadata(const layout *all, const char *family) {
  const size_t n = all->count;
  shardspec_shards *shards = shards_of(all);
  shardspec_metadata *one = NULL, *other = NULL;
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  COUNTED(family, n, 0, shardspec_metadata_new_from_shards, shards, all->tensor, NDIM, &properties, 0, &one);
  CHECK_OK(shardspec_shards_free(shards, &err));
  COUNTED(family, n, 0, shardspec_shards_new_from_metadata, one, &shards);
  uint64_t number = 0;
  COUNTED(family, n, 0, shardspec_metadata_fingerprint, one, &number);
  COUNTED(family, n, 0, shardspec_metadata_hash, one, &number);
  int32_t answer = 0;
  COUNTED(family, n, 0, shardspec_metadata_has_replicas, one, &answer);
  count_questions(one, all, family);
  COUNTED(family, n, 0, shardspec_metadata_relabel, one, all->numbers, n, &other);
  COUNTED(family, n, 0, shardspec_metadata_equal, one, other, &answer);
  CHECK_OK(shardspec_metadata_free(other, &err));
  count_written(one, n, family);
  /* A plan to the same layout has a piece for each shard. */
  shardspec_plan *plan = NULL;
  COUNTED(family, n, n, shardspec_plan_new, one, one, &plan);
  CHECK_OK(shardspec_plan_free(plan, &err));
  COUNTED(family, n, 0, shardspec_metadata_free, one);
  COUNTED(family, n, 0, shardspec_shards_free, shards);
}
