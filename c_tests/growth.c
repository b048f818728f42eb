/* Calls functions that take n shards, for n and for 4 n shards, so that check_growth.py compares their steps.
 *
 * A step is an instruction that callgrind counts. Without callgrind the calls are only made. The shards of one
 * layout are rows; those of the other are cut off a rectangle one after the other, by columns and rows in turn. */
#include "check.h"

#include <valgrind/callgrind.h>

enum { NDIM = 2, FEW = 500 };

static shardspec_error err = SHARDSPEC_ERROR_INIT;

/* Ends the count that `begins` began; `answer` is how many items the call returned. */
#define COUNTED(name, n, answer, call)                                            \
  do {                                                                            \
    char line[120];                                                               \
    CALLGRIND_ZERO_STATS;                                                         \
    CHECK_OK(call);                                                               \
    snprintf(line, sizeof line, "%s %zu %zu", name, (size_t)(n), (size_t)(answer)); \
    CALLGRIND_DUMP_STATS_AT(line);                                                \
  } while (0)

typedef struct layout {
  int64_t *offsets, *sizes, tensor[NDIM];
  uint32_t *numbers;
  char **placements;
  size_t count;
} layout;

static layout new_layout(size_t count) {
  layout all = {calloc(count * NDIM, sizeof(int64_t)), calloc(count * NDIM, sizeof(int64_t)), {0, 0},
                calloc(count, sizeof(uint32_t)), calloc(count, sizeof(char *)), count};
  for (size_t i = 0; i < count; i++) {
    all.numbers[i] = (uint32_t)i;
    all.placements[i] = calloc(1, 32);
    snprintf(all.placements[i], 32, "rank:%zu/cpu", i);
  }
  return all;
}

/* Rows of 3, the first of which has `first`. */
static layout rows(size_t count, int64_t first) {
  layout all = new_layout(count);
  const int64_t height = 3 * (int64_t)count;
  for (size_t i = 0; i < count; i++) {
    const int64_t begin = i == 0 ? 0 : first + 3 * ((int64_t)i - 1);
    const int64_t end = i + 1 == count ? height : first + 3 * (int64_t)i;
    all.offsets[NDIM * i] = begin;
    all.sizes[NDIM * i] = end - begin;
    all.sizes[NDIM * i + 1] = 4;
  }
  all.tensor[0] = height;
  all.tensor[1] = 4;
  return all;
}

/* A column, a row of what is left, a column of what is left, and so on. */
static layout peeled(size_t count) {
  layout all = new_layout(count);
  const int64_t side = (int64_t)count / 2 + 2;
  int64_t left[NDIM] = {side, side}, at[NDIM] = {0, 0};
  for (size_t i = 0; i < count; i++) {
    const size_t dim = i % NDIM;
    for (size_t d = 0; d < NDIM; d++) {
      all.offsets[NDIM * i + d] = at[d];
      all.sizes[NDIM * i + d] = d == dim && i + 1 < count ? 1 : left[d];
    }
    at[dim]++;
    left[dim]--;
  }
  all.tensor[0] = all.tensor[1] = side;
  return all;
}

static void free_layout(layout *all) {
  for (size_t i = 0; i < all->count; i++) free(all->placements[i]);
  free(all->offsets);
  free(all->sizes);
  free(all->numbers);
  free(all->placements);
}

static shardspec_shards *shards_of(const layout *all, const char *name) {
  shardspec_shards *shards = NULL;
  COUNTED(name, all->count, 0,
          shardspec_shards_new_from_arrays(all->offsets, all->sizes, all->numbers, NDIM, all->count,
                                           (const char *const *)all->placements, all->count, &shards, &err));
  return shards;
}

static shardspec_metadata *metadata_of(const layout *all, shardspec_shards *shards, const char *name) {
  shardspec_metadata *metadata = NULL;
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  COUNTED(name, all->count, 0,
          shardspec_metadata_new_from_shards(shards, all->tensor, NDIM, &properties, 0, &metadata, &err));
  return metadata;
}

static void lists_and_specs(const layout *all, const char *family) {
  char name[100];
#define NAMED(function) (snprintf(name, sizeof name, "%s(%s)", function, family), name)
  shardspec_shards *shards = shards_of(all, NAMED("shardspec_shards_new_from_arrays"));
  size_t count = 0;
  int32_t more = 0;
  COUNTED(NAMED("shardspec_shards_overlaps"), all->count, 0,
          shardspec_shards_overlaps(shards, NULL, NULL, NULL, NULL, 0, &count, &more, &err));
  COUNTED(NAMED("shardspec_shards_gaps"), all->count, 0,
          shardspec_shards_gaps(shards, all->tensor, NDIM, NULL, NULL, 0, &count, &more, &err));
  shardspec_spec *spec = NULL, *other = NULL;
  COUNTED(NAMED("shardspec_spec_new_enumerable"), all->count, 0,
          shardspec_spec_new_enumerable(shards, &spec, &err));
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_metadata *built = NULL;
  COUNTED(NAMED("shardspec_spec_build_metadata"), all->count, 0,
          shardspec_spec_build_metadata(spec, all->tensor, NDIM, &properties, &built, &err));
  uint64_t hash = 0;
  COUNTED(NAMED("shardspec_spec_hash"), all->count, 0, shardspec_spec_hash(spec, &hash, &err));
  size_t bytes = 0;
  CHECK_OK(shardspec_spec_to_bytes(spec, NULL, 0, &bytes, &err));
  uint8_t *buffer = malloc(bytes);
  COUNTED(NAMED("shardspec_spec_to_bytes"), all->count, 0,
          shardspec_spec_to_bytes(spec, buffer, bytes, &bytes, &err));
  COUNTED(NAMED("shardspec_spec_new_from_bytes"), all->count, 0,
          shardspec_spec_new_from_bytes(buffer, bytes, &other, &err));
  int32_t equal = 0;
  COUNTED(NAMED("shardspec_spec_equal"), all->count, 0, shardspec_spec_equal(spec, other, &equal, &err));
  CHECK(equal);
  free(buffer);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_spec_free(other, &err));
  CHECK_OK(shardspec_metadata_free(built, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
}

static void metadata(const layout *all, const char *family) {
  char name[100];
  shardspec_shards *shards = shards_of(all, NAMED("shardspec_shards_new_from_arrays, again"));
  shardspec_metadata *one = metadata_of(all, shards, NAMED("shardspec_metadata_new_from_shards")), *other = NULL;
  const size_t n = all->count;
  uint64_t number = 0;
  COUNTED(NAMED("shardspec_metadata_fingerprint"), n, 0, shardspec_metadata_fingerprint(one, &number, &err));
  COUNTED(NAMED("shardspec_metadata_hash"), n, 0, shardspec_metadata_hash(one, &number, &err));
  int32_t answer = 0;
  COUNTED(NAMED("shardspec_metadata_has_replicas"), n, 0, shardspec_metadata_has_replicas(one, &answer, &err));
  size_t *found = calloc(n, sizeof *found), count = 0;
  COUNTED(NAMED("shardspec_metadata_shards_in_box"), n, n,
          shardspec_metadata_shards_in_box(one, (int64_t[]){0, 0}, all->tensor, NDIM, found, n, &count, &err));
  CHECK_EQUAL(count, n);
  COUNTED(NAMED("shardspec_metadata_shards_of_rank"), n, 0,
          shardspec_metadata_shards_of_rank(one, 7, found, n, &count, &err));
  CHECK_EQUAL(count, 1);
  int64_t *local = calloc(n * NDIM, sizeof *local), *back = calloc(n * NDIM, sizeof *back);
  COUNTED(NAMED("shardspec_metadata_locate"), n, 0,
          shardspec_metadata_locate(one, all->offsets, n, found, local, &err));
  COUNTED(NAMED("shardspec_metadata_globalize"), n, 0,
          shardspec_metadata_globalize(one, found, local, n, back, &err));
  CHECK(memcmp(back, all->offsets, n * NDIM * sizeof *back) == 0);
  COUNTED(NAMED("shardspec_metadata_get_shards"), n, 0,
          shardspec_metadata_get_shards(one, 0, n, local, back, all->numbers, &err));
  COUNTED(NAMED("shardspec_metadata_relabel"), n, 0,
          shardspec_metadata_relabel(one, all->numbers, n, &other, &err));
  COUNTED(NAMED("shardspec_metadata_equal"), n, 0, shardspec_metadata_equal(one, other, &answer, &err));
  CHECK_OK(shardspec_metadata_free(other, &err));
  size_t bytes = 0;
  CHECK_OK(shardspec_metadata_to_json(one, NULL, 0, &bytes, &err));
  char *text = malloc(bytes + 1);
  COUNTED(NAMED("shardspec_metadata_to_json"), n, 0,
          shardspec_metadata_to_json(one, text, bytes + 1, &bytes, &err));
  COUNTED(NAMED("shardspec_metadata_new_from_json"), n, 0,
          shardspec_metadata_new_from_json(text, strlen(text), &other, &err));
  free(text);
  CHECK_OK(shardspec_metadata_free(other, &err));
  /* A plan to the same layout has a piece for each shard. */
  shardspec_plan *plan = NULL;
  COUNTED(NAMED("shardspec_plan_new"), n, n, shardspec_plan_new(one, one, &plan, &err));
  CHECK_OK(shardspec_plan_free(plan, &err));
  free(found);
  free(local);
  free(back);
  CHECK_OK(shardspec_metadata_free(one, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
}

/* From rows to other rows, two pieces for each. */
static void plans(size_t n) {
  const char *family = "shifted rows";
  char name[100];
  layout from = rows(n, 3), to = rows(n, 1);
  shardspec_shards *sources = shards_of(&from, "sources"), *destinations = shards_of(&to, "destinations");
  shardspec_metadata *source = metadata_of(&from, sources, "source");
  shardspec_metadata *destination = metadata_of(&to, destinations, "destination");
  shardspec_plan *plan = NULL, *other = NULL;
  size_t pieces = 0, count = 0;
  COUNTED(NAMED("shardspec_plan_new"), n, 2 * n, shardspec_plan_new(source, destination, &plan, &err));
  CHECK_OK(shardspec_plan_piece_count(plan, &pieces, &err));
  CHECK_EQUAL(pieces, 2 * n - 1);
  COUNTED(NAMED("shardspec_plan_new_from_shards"), n, 2 * n,
          shardspec_plan_new_from_shards(sources, destinations, &other, &err));
  CHECK_OK(shardspec_plan_free(other, &err));
  int32_t answer = 0;
  COUNTED(NAMED("shardspec_plan_is_local"), n, 2 * n, shardspec_plan_is_local(plan, &answer, &err));
  COUNTED(NAMED("shardspec_plan_is_identity"), n, 2 * n, shardspec_plan_is_identity(plan, &answer, &err));
  int64_t *numbers = calloc(6 * n, sizeof *numbers), before = 0, after = 0;
  size_t *indices = calloc(4 * n, sizeof *indices);
  uint32_t *labels = calloc(n, sizeof *labels);
  COUNTED(NAMED("shardspec_plan_shard_traffic"), n, 2 * n,
          shardspec_plan_shard_traffic(plan, 4, indices, indices + 2 * n, numbers, 2 * n, &count, &err));
  COUNTED(NAMED("shardspec_plan_rank_traffic"), n, 2 * n,
          shardspec_plan_rank_traffic(plan, 4, numbers, numbers + 2 * n, numbers + 4 * n, 2 * n, &count, &err));
  COUNTED(NAMED("shardspec_plan_suggest_placements"), n, 2 * n,
          shardspec_plan_suggest_placements(plan, labels, n, &count, &before, &after, &err));
  for (size_t i = 0; i < n; i++) numbers[i] = (int64_t)i / 8;
  COUNTED(NAMED("shardspec_plan_new_on_nodes"), n, 2 * n,
          shardspec_plan_new_on_nodes(plan, numbers, n, &other, &err));
  CHECK_OK(shardspec_plan_free(other, &err));
  free(numbers);
  free(indices);
  free(labels);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
  CHECK_OK(shardspec_shards_free(sources, &err));
  CHECK_OK(shardspec_shards_free(destinations, &err));
  free_layout(&from);
  free_layout(&to);
}

int main(void) {
  for (size_t n = FEW; n <= 4 * FEW; n *= 4) {
    layout families[] = {rows(n, 3), peeled(n)};
    const char *names[] = {"rows", "peeled"};
    for (size_t i = 0; i < COUNT(families); i++) {
      lists_and_specs(&families[i], names[i]);
      metadata(&families[i], names[i]);
      free_layout(&families[i]);
    }
    plans(n);
  }
  return 0;
}
