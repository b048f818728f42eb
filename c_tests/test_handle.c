/* Handles: numbers that every runtime can hold, and that no process gets twice. */
#include "check.h"

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static const char *const RANKS[] = {"rank:0", "rank:1"};

/* What a double holds exactly, and a pointer of 47 bits. */
static void check_number(const void *handle) {
  const uint64_t number = (uint64_t)(uintptr_t)handle;
  CHECK(number != 0 && number < UINT64_C(1) << 47);
  CHECK((uint64_t)(double)number == number);
  /* No address that malloc returns is a handle. */
  CHECK(number % 16 != 0);
}

static void handles_of_every_kind_fit_47_bits(void) {
  static const int64_t sizes[] = {4}, offset = 0;
  static const char *const axes[] = {"x"};
  static const int64_t axis_sizes[] = {2};
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_placement *placement;
  shardspec_mesh *mesh;
  shardspec_shards *shards;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_plan *plan;
  shardspec_sharded_tensor *tensor;
  shardspec_comm *comms[2];
  for (int i = 0; i < 100; i++) {
    CHECK_OK(shardspec_placement_parse("rank:0", &placement, &err));
    CHECK_OK(shardspec_mesh_new(axes, axis_sizes, 1, RANKS, 2, &mesh, &err));
    CHECK_OK(shardspec_shards_new_from_arrays(&offset, sizes, NULL, 1, 1, RANKS, 1, &shards, &err));
    CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &spec, &err));
    CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 1, &properties, &metadata, &err));
    CHECK_OK(shardspec_plan_new(metadata, metadata, &plan, &err));
    CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, SHARDSPEC_FILL_ZERO, &tensor, &err));
    CHECK_OK(shardspec_comm_new_local(2, comms, &err));
    const void *all[] = {placement, mesh, shards, spec, metadata, plan, tensor, comms[0], comms[1]};
    for (size_t kind = 0; kind < COUNT(all); kind++) check_number(all[kind]);
    CHECK_OK(shardspec_comm_free(comms[0], &err));
    CHECK_OK(shardspec_comm_free(comms[1], &err));
    CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
    CHECK_OK(shardspec_plan_free(plan, &err));
    CHECK_OK(shardspec_metadata_free(metadata, &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
    CHECK_OK(shardspec_shards_free(shards, &err));
    CHECK_OK(shardspec_mesh_free(mesh, &err));
    CHECK_OK(shardspec_placement_free(placement, &err));
  }
}

static int compare(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* More handles than a slot has: it is retired, and the next one goes on. */
static void no_handle_comes_twice_and_all_stay_refused(void) {
  enum { COUNT_OF_ALL = 150000 };
  static uint64_t seen[COUNT_OF_ALL];
  for (size_t i = 0; i < COUNT_OF_ALL; i++) {
    shardspec_placement *placement;
    CHECK_OK(shardspec_placement_parse("rank:0", &placement, &err));
    seen[i] = (uint64_t)(uintptr_t)placement;
    CHECK(seen[i] < UINT64_C(1) << 47);
    CHECK_OK(shardspec_placement_free(placement, &err));
  }
  for (size_t i = 0; i < COUNT_OF_ALL; i += 100) {
    int64_t rank;
    shardspec_placement *stale = (shardspec_placement *)(uintptr_t)seen[i];
    CHECK_STATUS(shardspec_placement_rank(stale, &rank, &err), SHARDSPEC_INVALID_HANDLE);
    CHECK_STATUS(shardspec_placement_free(stale, &err), SHARDSPEC_INVALID_HANDLE);
  }
  qsort(seen, COUNT_OF_ALL, sizeof seen[0], compare);
  for (size_t i = 1; i < COUNT_OF_ALL; i++) CHECK(seen[i - 1] != seen[i]);
}

/* Numbers near a handle, and the same number with bits that no handle has. */
static void numbers_near_a_handle_are_no_handles(void) {
  shardspec_placement *placement;
  CHECK_OK(shardspec_placement_parse("rank:0", &placement, &err));
  const uint64_t number = (uint64_t)(uintptr_t)placement;
  for (int bit = 0; bit < 64; bit++) {
    int64_t rank = 77;
    shardspec_placement *other = (shardspec_placement *)(uintptr_t)(number ^ UINT64_C(1) << bit);
    CHECK_STATUS(shardspec_placement_rank(other, &rank, &err), SHARDSPEC_INVALID_HANDLE);
    CHECK_EQUAL(rank, 77);
  }
  CHECK_OK(shardspec_placement_free(placement, &err));
}

int main(void) {
  handles_of_every_kind_fit_47_bits();
  no_handle_comes_twice_and_all_stay_refused();
  numbers_near_a_handle_are_no_handles();
  return 0;
}
