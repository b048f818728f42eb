/* Inputs that are right and at which a recursion, an array on the stack or a square would show. */
#include "scenarios.h"

static void *room(size_t count, size_t size) {
  void *memory = calloc(count, size);
  CHECK(memory != NULL);
  return memory;
}

/* What all may be asked of shards of a tensor of bytes, in flat arrays. */
static void ask_everything(size_t ndim, const int64_t *offsets, const int64_t *sizes, size_t count,
                           const int64_t *tensor) {
  enum { ELEMENTS = 500 };
  uint32_t *indices = room(count, sizeof *indices);
  int64_t *elements = room(ELEMENTS * ndim, sizeof *elements), *local = room(ELEMENTS * ndim, sizeof *local);
  int64_t *again = room(ELEMENTS * ndim, sizeof *again);
  size_t *shards_of = room(count > ELEMENTS ? count : ELEMENTS, sizeof *shards_of);
  shardspec_metadata *metadata;
  shardspec_shards *shards;
  shardspec_spec *spec;
  for (size_t i = 0; i < ELEMENTS * ndim; i++)
    elements[i] = (int64_t)(i * 2654435761u % (uint64_t)tensor[i % ndim]);
  OF_LIST(OK, shardspec_spec_infer, shardspec_shards_new_from_arrays, offsets, sizes, indices, ndim, count, RANKS, 1);
  FREE(shardspec_spec_free, out.spec);
  OF_LIST(OK, shardspec_spec_new_enumerable, shardspec_shards_new_from_arrays, offsets, sizes, indices, ndim, count, RANKS, 1);
  spec = out.spec;
  CALL(OK, shardspec_spec_build_metadata, spec, tensor, ndim, NULL, &out.metadata);
  metadata = out.metadata;
  FREE(shardspec_spec_free, spec);
  CALL(OK, shardspec_metadata_shard_at, metadata, elements, ndim, &out.size);
  CALL(OK, shardspec_metadata_locate, metadata, elements, ELEMENTS, shards_of, local);
  CALL(OK, shardspec_metadata_globalize, metadata, shards_of, local, ELEMENTS, again);
  CHECK(memcmp(elements, again, ELEMENTS * ndim * sizeof *again) == 0);
  CALL(OK, shardspec_metadata_shards_in_box, metadata, offsets, tensor, ndim, shards_of, count, &out.size);
  CALL(OK, shardspec_shards_new_from_arrays, offsets, sizes, indices, ndim, count, RANKS, 1, &out.shards);
  shards = out.shards;
  CALL(OK, shardspec_shards_overlaps, shards, NULL, NULL, NULL, NULL, 1, &out.size, &out.i32);
  CHECK_EQUAL(out.size, 0);
  CALL(OK, shardspec_shards_gaps, shards, tensor, ndim, NULL, NULL, 1, &out.size, &out.i32);
  CHECK_EQUAL(out.size, 0);
  CALL(OK, shardspec_plan_new_from_shards, shards, shards, &out.plan);
  FREE(shardspec_plan_free, out.plan);
  FREE(shardspec_shards_free, shards);
  CALL(OK, shardspec_plan_new, metadata, metadata, &out.plan);
  shardspec_plan *plan = out.plan;
  CALL(OK, shardspec_plan_is_identity, plan, &out.i32);
  CALL(OK, shardspec_plan_shard_traffic, plan, 1, NULL, NULL, NULL, count, &out.size);
  CALL(OK, shardspec_plan_rank_runs, plan, 0, 0, 1, NULL, 0, &out.size);
  FREE(shardspec_plan_free, plan);
  CALL(OK, shardspec_metadata_hash, metadata, &out.u64);
  FREE(shardspec_metadata_free, metadata);
  free(indices), free(elements), free(local), free(again), free(shards_of);
}

/* The first column of a square, then the first row of what is left, and so on; all columns come first. */
static void a_peeled_square(void) {
  enum { SIDE = 4000 };
  const int64_t tensor[] = {SIDE, SIDE};
  int64_t *offsets = room(4 * SIDE, sizeof *offsets), *sizes = room(4 * SIDE, sizeof *sizes);
  for (size_t i = 0; i < SIDE; i++) {
    int64_t at = (int64_t)i, *column = &offsets[2 * i], *row = &offsets[2 * (SIDE + i)];
    column[0] = at, column[1] = at, row[0] = at, row[1] = at + 1;
    column = &sizes[2 * i], row = &sizes[2 * (SIDE + i)];
    column[0] = SIDE - at, column[1] = 1, row[0] = 1, row[1] = SIDE - at - 1;
  }
  ask_everything(2, offsets, sizes, 2 * SIDE, tensor);
  free(offsets), free(sizes);
}

/* Halves of halves: in each of the 32 dimensions that are left, half of what is left is cut off. */
static void boxes_of_32_dimensions(void) {
  enum { DIMS = 32, COUNT_ = DIMS + 1 };
  int64_t tensor[DIMS], offsets[COUNT_ * DIMS] = {0}, sizes[COUNT_ * DIMS];
  for (int dim = 0; dim < DIMS; dim++) tensor[dim] = 2;
  for (int i = 0; i < COUNT_; i++)
    for (int dim = 0; dim < DIMS; dim++) {
      offsets[i * DIMS + dim] = dim < i;
      sizes[i * DIMS + dim] = dim > i ? 2 : 1;
    }
  ask_everything(DIMS, offsets, sizes, COUNT_, tensor);
}

/* Each in the one before it, and all overlap. */
static void nested_intervals(void) {
  enum { N = 10000 };
  int64_t *offsets = room(N, sizeof *offsets), *sizes = room(N, sizeof *sizes), tensor = 2 * N;
  uint32_t *indices = room(N, sizeof *indices);
  shardspec_shards *shards, *whole;
  const int64_t origin = 0;
  for (int64_t i = 0; i < N; i++) offsets[i] = i, sizes[i] = 2 * (N - i);
  CALL(OK, shardspec_shards_new_from_arrays, offsets, sizes, indices, 1, N, RANKS, 1, &out.shards);
  shards = out.shards;
  CALL(OVERLAP, shardspec_spec_new_enumerable, shards, &out.spec);
  CALL(OK, shardspec_shards_overlaps, shards, out.sizes, NULL, NULL, NULL, 8, &out.size, &out.i32);
  CHECK(out.size == 8 && out.i32 == 1);
  CALL(OK, shardspec_shards_gaps, shards, &tensor, 1, NULL, NULL, 8, &out.size, &out.i32);
  CALL(OK, shardspec_shards_new_from_arrays, &origin, &tensor, NULL, 1, 1, RANKS, 1, &out.shards);
  whole = out.shards;
  CALL(OK, shardspec_plan_new_from_shards, shards, whole, &out.plan);
  FREE(shardspec_plan_free, out.plan);
  FREE(shardspec_shards_free, whole);
  FREE(shardspec_shards_free, shards);
  free(offsets), free(sizes), free(indices);
}

/* Copies of one byte tensor to and from 10,000 views: `columns` of a row-major matrix, which interleave
 * in memory. */
static void ten_thousand_views(void) {
  enum { N = 10000, ROWS = 3 };
  static const shardspec_dtype int8 = {SHARDSPEC_DTYPE_INT, 8, 1};
  int64_t tensor[] = {ROWS, N}, shape[] = {ROWS, 1}, strides[] = {N, 1};
  shardspec_tensor_properties properties = {.struct_size = sizeof properties, .dtype = int8};
  uint8_t *data = room(ROWS * N, 1), *other = room(ROWS * N, 1), *back = room(ROWS * N, 1);
  shardspec_tensor_view *views = room(N, sizeof *views), full = view_of(data, int8, tensor, 2);
  shardspec_tensor_view to = view_of(back, int8, tensor, 2);
  shardspec_managed_tensor *managed = room(N, sizeof *managed), **pointers = room(N, sizeof *pointers);
  const char **placements = room(N, sizeof *placements);
  size_t *indices = room(N, sizeof *indices);
  shardspec_metadata *metadata;
  shardspec_sharded_tensor *tensors;
  shardspec_plan *plan;
  for (size_t i = 0; i < ROWS * N; i++) data[i] = (uint8_t)(i * 31);
  for (size_t i = 0; i < N; i++) {
    placements[i] = "rank:0", indices[i] = N - 1 - i, pointers[i] = &managed[i];
    views[i] = view_of(other, int8, shape, 2);
    views[i].strides = strides, views[i].byte_offset = i;
  }
  shardspec_spec *spec;
  CHECK_OK(shardspec_spec_new_chunk(1, placements, N, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, 2, &properties, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  CALL(OK, shardspec_metadata_scatter, metadata, &full, views, N, NULL);
  CHECK(memcmp(data, other, ROWS * N) == 0);
  CALL(OK, shardspec_metadata_gather, metadata, views, N, &to, NULL);
  CHECK(memcmp(data, back, ROWS * N) == 0);
  CALL(OK, shardspec_plan_new, metadata, metadata, &out.plan);
  plan = out.plan;
  for (size_t i = 0; i < N; i++) managed[i] = (shardspec_managed_tensor){.major = 1, .tensor = views[i]};
  for (size_t i = 0; i < N; i++) managed[i].tensor.data = back;
  shardspec_tensor_view *destinations = room(N, sizeof *destinations);
  for (size_t i = 0; i < N; i++) destinations[i] = managed[i].tensor;
  CALL(OK, shardspec_plan_execute, plan, NULL, views, N, NULL, destinations, N, NULL);
  FREE(shardspec_plan_free, plan);
  CALL(OK, shardspec_sharded_tensor_new_from_local, metadata, NULL, NULL, views, 0, NULL, NULL, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  for (size_t i = 0; i < N; i++) views[i].byte_offset = N - 1 - i;
  CALL(OK, shardspec_sharded_tensor_new_from_local, metadata, "rank:0", indices, views, N, NULL, NULL,
       &out.tensor);
  tensors = out.tensor;
  CALL(OK, shardspec_sharded_tensor_gather, tensors, &to, NULL);
  FREE(shardspec_sharded_tensor_free, tensors);
  CALL(OK, shardspec_sharded_tensor_new_from_managed, metadata, NULL, indices, pointers, N, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(OK, shardspec_sharded_tensor_new_from_full, metadata, "rank:0", &full, NULL, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  /* All at the same place. */
  for (size_t i = 0; i < N; i++) views[i].byte_offset = 0;
  CALL(ALIASED, shardspec_metadata_scatter, metadata, &full, views, N, NULL);
  CALL(OK, shardspec_comm_new_local, 1, out.comms);
  shardspec_comm *comm = out.comms[0];
  for (size_t i = 0; i < N; i++) views[i].byte_offset = i;
  CALL(OK, shardspec_comm_scatter, comm, metadata, 0, &full, views, N, NULL);
  CALL(OK, shardspec_comm_reshard, comm, metadata, views, N, metadata, destinations, N, NULL);
  CALL(OK, shardspec_comm_gather, comm, metadata, 0, destinations, N, &full, NULL);
  FREE(shardspec_comm_free, comm);
  FREE(shardspec_metadata_free, metadata);
  free(data), free(other), free(back), free(views), free(managed), free(pointers), free(placements);
  free(indices), free(destinations);
}

/* Views of 32 dimensions that no two of are one loop. */
static void views_of_32_dimensions(void) {
  enum { DIMS = 32, LONG = 12, SIZE = 1 << LONG };
  static const shardspec_dtype types[] = {{SHARDSPEC_DTYPE_INT, 8, 1}, {SHARDSPEC_DTYPE_INT, 4, 1}};
  static uint8_t data[2 * SIZE], halves[2][2 * SIZE], back[2 * SIZE];
  int64_t tensor[DIMS], half[DIMS], backwards[DIMS];
  shardspec_metadata *metadata;
  shardspec_spec *spec;
  for (int dim = 0; dim < DIMS; dim++) {
    tensor[dim] = half[dim] = dim < LONG ? 2 : 1;
    backwards[dim] = dim < LONG ? 1 << dim : 1;
  }
  half[0] = 1;
  for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 37);
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, tensor, DIMS, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  for (size_t type = 0; type < COUNT(types); type++) {
    shardspec_tensor_view full = view_of(data, types[type], tensor, DIMS), shards[2];
    shardspec_tensor_view to = view_of(back, types[type], tensor, DIMS);
    for (int i = 0; i < 2; i++) shards[i] = view_of(halves[i], types[type], half, DIMS);
    full.strides = to.strides = backwards;
    CALL(OK, shardspec_metadata_scatter, metadata, &full, shards, 2, NULL);
    CALL(OK, shardspec_metadata_gather, metadata, shards, 2, &to, NULL);
    CHECK(memcmp(data, back, SIZE * types[type].bits / 8) == 0);
  }
  FREE(shardspec_metadata_free, metadata);
}

static shardspec_status no_op(void *ctx, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
                              shardspec_value *results, size_t result_count, shardspec_error *error) {
  (void)ctx, (void)spec, (void)arguments, (void)results, (void)result_count, (void)error;
  return SHARDSPEC_OK;
}

/* Names and texts far beyond what a message holds, and many of them. */
static void long_names_and_many(void) {
  enum { LONG = 100000, MANY = 1000 };
  char *name = room(LONG + 1, 1), *text = room(2 * LONG, 1), names[MANY][16];
  shardspec_placement *placement;
  shardspec_op *ops[MANY];
  memset(name, 'x', LONG);
  CALL(OK, shardspec_placement_parse, name, &out.placement);
  placement = out.placement;
  CALL(OK, shardspec_placement_text, placement, text, 2 * LONG, &out.size);
  FREE(shardspec_placement_free, placement);
  memcpy(name, "rank:", 5);
  CALL(INVALID_PLACEMENT, shardspec_placement_parse, name, &out.placement);
  CALL(INVALID_ARGUMENT, shardspec_dtype_parse, name, &out.dtype);
  CALL(NOT_FOUND, shardspec_op_look_up, name, name, &out.op);
  for (int i = 0; i < MANY; i++) {
    snprintf(names[i], sizeof names[i], "op %d", i);
    CALL(OK, shardspec_op_register, "chunk", names[i], no_op, NULL, NULL, NULL, &out.op);
    ops[i] = out.op;
  }
  CALL(OK, shardspec_op_list, text, 2 * LONG, &out.size);
  for (int i = 0; i < MANY; i++) FREE(shardspec_op_unregister, ops[i]);
  free(name), free(text);
}

const scenario hostile_scenarios[] = {
    {"a_peeled_square", a_peeled_square},
    {"boxes_of_32_dimensions", boxes_of_32_dimensions},
    {"nested_intervals", nested_intervals},
    {"ten_thousand_views", ten_thousand_views},
    {"views_of_32_dimensions", views_of_32_dimensions},
    {"long_names_and_many", long_names_and_many},
};
const size_t hostile_scenario_count = COUNT(hostile_scenarios);
