/* Placements of your own, and the constructors that take placements by their handles. */
#include "check.h"

_Static_assert(sizeof(shardspec_placement_vtable) == 32, "");
_Static_assert(offsetof(shardspec_placement_vtable, destroy) == 8, "");
_Static_assert(offsetof(shardspec_placement_vtable, hash) == 24, "");

/* A shelf in a rack; where the shelf is does not matter to who asks whether two are the same. */
typedef struct rack {
  int number, shelf, destroyed, asked;
} rack;

static void destroy(void *ctx) { ((rack *)ctx)->destroyed++; }

static int32_t same_rack(void *ctx, void *other_ctx) {
  ((rack *)ctx)->asked++;
  return ((rack *)ctx)->number == ((rack *)other_ctx)->number;
}

static uint64_t hash_rack(void *ctx) { return (uint64_t)((rack *)ctx)->number; }

static const shardspec_placement_vtable RACK = {sizeof(shardspec_placement_vtable), destroy,
                                                same_rack, hash_rack};

static shardspec_error err = SHARDSPEC_ERROR_INIT;

static shardspec_placement *placed(rack *ctx, int64_t rank) {
  shardspec_placement *placement = NULL;
  char text[64];
  snprintf(text, sizeof text, "rack %d, shelf %d", ctx->number, ctx->shelf);
  CHECK_OK(shardspec_placement_new_custom("acme.rack", text, rank, &RACK, ctx, &placement, &err));
  return placement;
}

static void check_placement(shardspec_placement *placement, const char *text, int64_t rank,
                            const rack *ctx) {
  char seen[64];
  int64_t seen_rank;
  void *seen_ctx = NULL;
  CHECK_OK(shardspec_placement_text(placement, seen, sizeof seen, NULL, &err));
  CHECK_TEXT(seen, text);
  CHECK_OK(shardspec_placement_type_name(placement, seen, sizeof seen, NULL, &err));
  CHECK_TEXT(seen, "acme.rack");
  CHECK_OK(shardspec_placement_rank(placement, &seen_rank, &err));
  CHECK_EQUAL(seen_rank, rank);
  CHECK_OK(shardspec_placement_custom_ctx(placement, "acme.rack", &seen_ctx, &err));
  CHECK(seen_ctx == ctx);
  CHECK_OK(shardspec_placement_free(placement, &err));
}

/* Adds two shards by the placements' handles. */
static shardspec_status build(void *ctx, const int64_t *sizes, const char *const *dim_names,
                              size_t ndim, const shardspec_tensor_properties *properties,
                              shardspec_metadata_builder *builder, shardspec_error *error) {
  shardspec_placement *const *placements = ctx;
  (void)sizes, (void)dim_names, (void)properties;
  for (int64_t i = 0; i < 2; i++) {
    int64_t offset = i * 2, size = 2;
    shardspec_status status = shardspec_metadata_builder_add_shard_with_placement_handle(
        builder, &offset, &size, ndim, placements[i], error);
    if (status) return status;
  }
  return SHARDSPEC_OK;
}

static void a_placement_of_ones_own_goes_everywhere_and_comes_back(void) {
  static const int64_t size = 4, offsets[] = {0, 2}, sizes[] = {2, 2};
  static const char *const dim_names[] = {"x"};
  static const uint32_t indices[] = {0, 1};
  rack ctx[] = {{7, 1, 0, 0}, {8, 2, 0, 0}};
  shardspec_placement *placements[] = {placed(&ctx[0], 5), placed(&ctx[1], -1)};
  const shardspec_placement *given[] = {placements[0], placements[1]};
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, build, NULL, NULL, NULL, 0, 0};
  shardspec_spec *specs[6];
  shardspec_metadata *metadata[6];
  CHECK_OK(shardspec_spec_new_chunk_with_placement_handles(0, NULL, given, 2, &specs[0], &err));
  CHECK_OK(shardspec_spec_new_chunk_with_placement_handles(77, "x", given, 2, &specs[1], &err));
  shardspec_shards *lists[2];
  CHECK_OK(shardspec_shards_new_from_arrays_with_placement_handles(offsets, sizes, NULL, 1, 2, given, 2,
                                                                   &lists[0], &err));
  CHECK_OK(shardspec_shards_new_from_arrays_with_placement_handles(offsets, sizes, indices, 1, 2, given, 2,
                                                                   &lists[1], &err));
  CHECK_OK(shardspec_spec_new_enumerable(lists[0], &specs[2], &err));
  CHECK_OK(shardspec_spec_new_enumerable(lists[1], &specs[3], &err));
  CHECK_OK(shardspec_spec_infer(lists[1], &specs[4], &err));
  for (int i = 0; i < 2; i++) CHECK_OK(shardspec_shards_free(lists[i], &err));
  CHECK_OK(shardspec_spec_new_custom("acme.halves", &vtable, placements, &specs[5], &err));

  shardspec_placement *placement;
  int32_t equal;
  size_t owned, needed;
  char text[64];
  CHECK_OK(shardspec_spec_equal(specs[0], specs[4], &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK_OK(shardspec_spec_placement(specs[0], 1, &placement, &err));
  check_placement(placement, "rack 8, shelf 2", -1, &ctx[1]);
  for (int i = 0; i < 6; i++) {
    CHECK_OK(shardspec_spec_build_metadata_with_dim_names(specs[i], &size, dim_names, 1, NULL, &metadata[i], &err));
    CHECK_OK(shardspec_spec_free(specs[i], &err));
  }
  for (int i = 0; i < 2; i++) CHECK_OK(shardspec_placement_free(placements[i], &err));
  CHECK(ctx[0].destroyed == 0 && ctx[1].destroyed == 0);
  for (int i = 0; i < 6; i++) {
    CHECK_OK(shardspec_metadata_equal(metadata[i], metadata[0], &equal, &err));
    CHECK_EQUAL(equal, 1);
    CHECK_OK(shardspec_metadata_shard_placement(metadata[i], 0, &placement, &err));
    check_placement(placement, "rack 7, shelf 1", 5, &ctx[0]);
    CHECK_OK(shardspec_metadata_placement(metadata[i], 1, &placement, &err));
    check_placement(placement, "rack 8, shelf 2", -1, &ctx[1]);
    CHECK_OK(shardspec_metadata_placement_text(metadata[i], 1, text, sizeof text, NULL, &err));
    CHECK_TEXT(text, "rack 8, shelf 2");
    CHECK_OK(shardspec_metadata_shards_of_rank(metadata[i], 5, &owned, 1, &needed, &err));
    CHECK(needed == 1 && owned == 0);
  }
  for (int i = 0; i < 6; i++) {
    CHECK(ctx[0].destroyed == 0 && ctx[1].destroyed == 0);
    CHECK_OK(shardspec_metadata_free(metadata[i], &err));
  }
  CHECK(ctx[0].destroyed == 1 && ctx[1].destroyed == 1);
}

/* What a language makes that has one function for each object: another address, the same answer. */
static int32_t same_rack_again(void *ctx, void *other_ctx) { return same_rack(ctx, other_ctx); }

static void placements_are_equal_when_their_type_says_so(void) {
  rack a = {7, 1, 0, 0}, b = {7, 2, 0, 0}, c = {8, 1, 0, 0};
  shardspec_placement_vtable other = RACK, unhashed = RACK;
  other.equal = same_rack_again;
  unhashed.hash = NULL;
  shardspec_placement *p[10];
  p[0] = placed(&a, -1);
  p[1] = placed(&b, -1);
  p[2] = placed(&c, -1);
  CHECK_OK(shardspec_placement_new_custom("acme.rack", "rack 7, shelf 1", -1, &other, &a, &p[3], &err));
  CHECK_OK(shardspec_placement_new_custom("acme.shelf", "rack 7, shelf 1", -1, &RACK, &a, &p[4], &err));
  CHECK_OK(shardspec_placement_new_custom("acme.rack", "rank:0/cpu", 0, NULL, &a, &p[5], &err));
  CHECK_OK(shardspec_placement_new_custom("acme.rack", "rank:0/cpu", 0, NULL, NULL, &p[6], &err));
  CHECK_OK(shardspec_placement_parse("rank:0", &p[7], &err));
  CHECK_OK(shardspec_placement_new_custom("acme.rack", "unhashed", -1, &unhashed, &a, &p[8], &err));
  CHECK_OK(shardspec_placement_new_custom("acme.rack", "rank:0/cpu", 1, NULL, NULL, &p[9], &err));
  for (int i = 0; i < 10; i++)
    for (int j = 0; j < 10; j++) {
      int racks = i <= 3 || i == 8, other_racks = j <= 3 || j == 8;
      int same = i == j || (racks && other_racks && (i == 2) == (j == 2)) || (i + j == 11 && i * j == 30);
      int32_t equal = 77;
      uint64_t hashes[2];
      CHECK_OK(shardspec_placement_equal(p[i], p[j], &equal, &err));
      if (equal != same) FAIL("placements %d and %d: equal is %d", i, j, (int)equal);
      CHECK_OK(shardspec_placement_hash(p[i], &hashes[0], &err));
      CHECK_OK(shardspec_placement_hash(p[j], &hashes[1], &err));
      /* Placements that are equal need the same `hash`: that is the user's part. */
      CHECK(!equal || i == j || i == 8 || j == 8 || hashes[0] == hashes[1]);
    }
  for (int i = 0; i < 10; i++) CHECK_OK(shardspec_placement_free(p[i], &err));
  CHECK_EQUAL(a.destroyed, 4);
}

static void equal_placements_are_stored_once(void) {
  enum { SHARDS = 60, RACKS = 3 };
  rack ctx[SHARDS];
  shardspec_placement *placements[SHARDS];
  const shardspec_placement *given[SHARDS];
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  static const int64_t size = SHARDS;
  size_t count;
  char text[64];
  for (int i = 0; i < SHARDS; i++) {
    ctx[i] = (rack){i % RACKS, i, 0, 0};
    given[i] = placements[i] = placed(&ctx[i], -1);
  }
  CHECK_OK(shardspec_spec_new_chunk_with_placement_handles(0, NULL, given, SHARDS, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_placement_count(metadata, &count, &err));
  CHECK_EQUAL(count, RACKS);
  CHECK_OK(shardspec_metadata_shard_placement_text(metadata, 58, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "rack 1, shelf 1");
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  for (int i = 0; i < SHARDS; i++) {
    CHECK_EQUAL(ctx[i].destroyed, 0);
    CHECK_OK(shardspec_placement_free(placements[i], &err));
    CHECK_EQUAL(ctx[i].destroyed, 1);
  }
}

static void a_collective_goes_by_the_rank_that_a_placement_tells(void) {
  rack left = {1, 1, 0, 0}, right = {2, 1, 0, 0}, nowhere = {3, 1, 0, 0};
  shardspec_placement *placements[] = {placed(&left, 0), placed(&right, 0), placed(&nowhere, -1)};
  const shardspec_placement *given[] = {placements[0], placements[1], placements[2]};
  static const int64_t size = 6;
  int64_t shape = 6, half = 3, third = 2;
  float full[6] = {1, 2, 3, 4, 5, 6}, parts[3][3] = {{0}};
  shardspec_tensor_view whole = view_of(full, FLOAT32, &shape, 1), shards[3];
  shardspec_comm *alone;
  CHECK_OK(shardspec_comm_new_local(1, &alone, &err));
  for (size_t count = 2; count <= 3; count++) {
    shardspec_spec *spec;
    shardspec_metadata *metadata;
    CHECK_OK(shardspec_spec_new_chunk_with_placement_handles(0, NULL, given, count, &spec, &err));
    CHECK_OK(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &err));
    for (size_t i = 0; i < count; i++)
      shards[i] = view_of(parts[i], FLOAT32, count == 2 ? &half : &third, 1);
    CHECK_STATUS(shardspec_comm_scatter(alone, metadata, 0, &whole, shards, count, NULL, &err),
                 count == 2 ? SHARDSPEC_OK : SHARDSPEC_INVALID_PLACEMENT);
    if (count == 3) CHECK_MESSAGE("rack 3, shelf 1");
    CHECK_OK(shardspec_metadata_free(metadata, &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
  }
  CHECK(memcmp(parts[0], full, sizeof parts[0]) == 0 && memcmp(parts[1], full + 3, sizeof parts[1]) == 0);
  for (int i = 0; i < 3; i++) CHECK_OK(shardspec_placement_free(placements[i], &err));
  CHECK_OK(shardspec_comm_free(alone, &err));
}

static void what_only_a_device_placement_has_is_not_found(void) {
  rack ctx = {1, 1, 0, 0};
  shardspec_placement *own = placed(&ctx, -1), *device;
  int32_t number = 77;
  void *seen = &ctx;
  char text[64];
  CHECK_STATUS(shardspec_placement_device_type(own, &number, &err), SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("acme.rack");
  CHECK_STATUS(shardspec_placement_device_index(own, &number, &err), SHARDSPEC_NOT_FOUND);
  CHECK_STATUS(shardspec_placement_worker_name(own, text, sizeof text, NULL, &err), SHARDSPEC_NOT_FOUND);
  CHECK_EQUAL(number, 77);
  CHECK_STATUS(shardspec_placement_custom_ctx(own, "acme.shelf", &seen, &err), SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("acme.shelf");
  CHECK_OK(shardspec_placement_parse("rank:1", &device, &err));
  CHECK_OK(shardspec_placement_type_name(device, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "device");
  CHECK_STATUS(shardspec_placement_custom_ctx(device, "device", &seen, &err), SHARDSPEC_NOT_FOUND);
  CHECK(seen == &ctx);
  CHECK_OK(shardspec_placement_free(device, &err));
  CHECK_OK(shardspec_placement_free(own, &err));
}

static void destroy_runs_once_also_when_the_placement_is_refused(void) {
  rack ctx = {1, 1, 0, 0};
  shardspec_placement_vtable short_table = RACK;
  shardspec_placement *placement = NULL;
  short_table.struct_size = 24;
  const struct {
    const char *type_name, *text;
    int64_t rank;
    const shardspec_placement_vtable *vtable;
    shardspec_status status;
  } cases[] = {
      {"device", "text", 0, &RACK, SHARDSPEC_INVALID_ARGUMENT},
      {"", "text", 0, &RACK, SHARDSPEC_INVALID_ARGUMENT},
      {NULL, "text", 0, &RACK, SHARDSPEC_NULL_ARGUMENT},
      {"acme.rack", "", 0, &RACK, SHARDSPEC_INVALID_ARGUMENT},
      {"acme.rack", NULL, 0, &RACK, SHARDSPEC_NULL_ARGUMENT},
      {"acme.rack", "\xff", 0, &RACK, SHARDSPEC_INVALID_ARGUMENT},
      {"acme.rack", "text", -2, &RACK, SHARDSPEC_INVALID_ARGUMENT},
      {"acme.rack", "text", INT64_MIN, &RACK, SHARDSPEC_INVALID_ARGUMENT},
      {"acme.rack", "text", 0, &short_table, SHARDSPEC_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    CHECK_STATUS(shardspec_placement_new_custom(cases[i].type_name, cases[i].text, cases[i].rank,
                                                cases[i].vtable, &ctx, &placement, &err),
                 cases[i].status);
    CHECK(placement == NULL);
    CHECK_EQUAL(ctx.destroyed, i + 1);
  }
  CHECK_STATUS(shardspec_placement_new_custom("acme.rack", "text", 0, &RACK, &ctx, NULL, &err),
               SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(ctx.destroyed, COUNT(cases) + 1);
}

/* Asks the library while the library asks it. */
static int32_t busy_equal(void *ctx, void *other_ctx) {
  shardspec_placement **own = ctx;
  shardspec_error inner = SHARDSPEC_ERROR_INIT;
  rack r = {3, 3, 0, 0};
  uint64_t hash;
  (void)other_ctx;
  CHECK_OK(shardspec_placement_free(placed(&r, -1), &err));
  CHECK_EQUAL(r.destroyed, 1);
  /* Its own placement may go while it is compared, and is whole until the call is over. */
  if (shardspec_placement_free(*own, &inner) == SHARDSPEC_OK)
    CHECK_EQUAL(shardspec_placement_hash(*own, &hash, &inner), SHARDSPEC_INVALID_HANDLE);
  return 1;
}

static void busy_destroy(void *ctx) { *(shardspec_placement **)ctx = NULL; }

static void a_callback_may_use_the_library_and_free_its_own_placement(void) {
  shardspec_placement_vtable vtable = {sizeof vtable, busy_destroy, busy_equal, NULL};
  shardspec_placement *a, *b, *freed;
  int32_t equal = 0;
  CHECK_OK(shardspec_placement_new_custom("acme.busy", "a", -1, &vtable, &a, &a, &err));
  CHECK_OK(shardspec_placement_new_custom("acme.busy", "b", -1, &vtable, &b, &b, &err));
  freed = a;
  CHECK_OK(shardspec_placement_equal(a, b, &equal, &err));
  CHECK_EQUAL(equal, 1);
  CHECK(a == NULL && b != NULL);
  CHECK_STATUS(shardspec_placement_free(freed, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_OK(shardspec_placement_free(b, &err));
  CHECK(b == NULL);
}

int main(void) {
  a_placement_of_ones_own_goes_everywhere_and_comes_back();
  placements_are_equal_when_their_type_says_so();
  equal_placements_are_stored_once();
  a_collective_goes_by_the_rank_that_a_placement_tells();
  what_only_a_device_placement_has_is_not_found();
  destroy_runs_once_also_when_the_placement_is_refused();
  a_callback_may_use_the_library_and_free_its_own_placement();
  return 0;
}
