/* Copies between a tensor and its shards, and tensors that are handed over. */
#include "scenarios.h"

enum { SIZE = 7 };
static float data[SIZE * 6], parts[4][SIZE * 6], again[SIZE * 6];
static int64_t full_shape[] = {SIZE, 6}, part_shapes[4][2];
static shardspec_tensor_view full, shards[4], gathered;

/* Views of a tensor and of its shards. */
static void make_views(const shardspec_metadata *metadata) {
  size_t count = 0;
  CHECK_OK(shardspec_metadata_shard_count(metadata, &count, &err));
  full = view_of(data, FLOAT32, full_shape, 2);
  gathered = view_of(again, FLOAT32, full_shape, 2);
  for (int i = 0; i < SIZE * 6; i++) data[i] = (float)i;
  for (size_t i = 0; i < count; i++) {
    CHECK_OK(shardspec_metadata_get_shard(metadata, i, NULL, part_shapes[i], 2, &err));
    shards[i] = view_of(parts[i], FLOAT32, part_shapes[i], 2);
  }
}

/* The same with addresses and without views. */
static void copies_by_flat_arrays(const shardspec_metadata *metadata, size_t count) {
  uint64_t addresses[4];
  int64_t flat[4][2];
  for (size_t i = 0; i < count; i++) {
    addresses[i] = (uint64_t)(uintptr_t)parts[i];
    memcpy(flat[i], part_shapes[i], sizeof flat[i]);
  }
  CALL(OK, shardspec_metadata_extract_shard_flat, metadata, 1, NULL, data, NULL, parts[1], flat[1], NULL, NULL);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_extract_shard_flat, metadata, 9, NULL, data, NULL, parts[1], NULL, NULL,
       NULL);
  CALL(OK, shardspec_metadata_view_shard_flat, metadata, 1, NULL, NULL, &out.i64, out.numbers, out.more_numbers, 2);
  CALL(BUFFER_TOO_SMALL, shardspec_metadata_view_shard_flat, metadata, 1, NULL, NULL, &out.i64, out.numbers,
       out.more_numbers, 1);
  CALL(OK, shardspec_metadata_scatter_flat, metadata, NULL, data, NULL, NULL, addresses, flat[0], NULL, count, NULL);
  written_next(again, sizeof again);
  CALL(OK, shardspec_metadata_gather_flat, metadata, NULL, NULL, addresses, flat[0], NULL, count, again, NULL, NULL);
  CHECK(memcmp(data, again, sizeof data) == 0);
  flat[1][0]++;
  written_next(again, sizeof again);
  CALL(SHAPE_MISMATCH, shardspec_metadata_gather_flat, metadata, NULL, NULL, addresses, flat[0], NULL, count, again,
       NULL, NULL);
}

void copies(void) {
  shardspec_copy_options options = {.struct_size = sizeof options};
  for (int by_rows = 0; by_rows < 2; by_rows++) {
    shardspec_metadata *metadata = by_rows ? rows(3, SIZE) : columns(4, SIZE);
    shardspec_spec *spec = chunk_spec(3);
    make_views(metadata);
    options.hints = by_rows ? SHARDSPEC_COPY_HINT_STREAM : SHARDSPEC_COPY_HINT_CACHED | SHARDSPEC_COPY_HINT_PORTABLE;
    CALL(OK, shardspec_metadata_extract_shard, metadata, 1, &full, &shards[1], NULL);
    if (by_rows) CALL(OK, shardspec_spec_fill_shard, spec, metadata, 1, &full, &shards[1], &options);
    CALL(OK, shardspec_metadata_view_shard, metadata, 1, &full, out.numbers, out.more_numbers, 2, &out.view);
    CALL(OK, shardspec_metadata_scatter, metadata, &full, shards, by_rows ? 3 : 4, &options);
    written_next(again, sizeof again);
    CALL(OK, shardspec_metadata_gather, metadata, shards, by_rows ? 3 : 4, &gathered, &options);
    CHECK(memcmp(data, again, sizeof data) == 0);
    copies_by_flat_arrays(metadata, by_rows ? 3 : 4);
    drop_metadata(metadata);
    drop_spec(spec);
  }
}

void refused_copies(void) {
  shardspec_metadata *metadata = columns(3, SIZE);
  int64_t wrong[] = {SIZE, 1}, strides[] = {3, 0}, *right;
  shardspec_dtype int8 = {SHARDSPEC_DTYPE_INT, 8, 1};
  make_views(metadata);
  written_next(parts[0], sizeof parts[0]);
  CALL(INVALID_ARGUMENT, shardspec_metadata_scatter, metadata, &full, shards, 2, NULL);
  right = shards[2].shape, shards[2].shape = wrong;
  CALL(SHAPE_MISMATCH, shardspec_metadata_scatter, metadata, &full, shards, 3, NULL);
  shards[2].shape = right, shards[2].dtype = int8;
  CALL(DTYPE_MISMATCH, shardspec_metadata_scatter, metadata, &full, shards, 3, NULL);
  shards[2].dtype = FLOAT32, shards[2].data = shards[1].data;
  written_next(parts[0], sizeof parts[0]);
  CALL(ALIASED, shardspec_metadata_scatter, metadata, &full, shards, 3, NULL);
  shards[2].data = parts[2], shards[2].strides = strides;
  CALL(ALIASED, shardspec_metadata_scatter, metadata, &full, shards, 3, NULL);
  shards[2].strides = NULL, shards[2].device.device_type = 2;
  CALL(UNSUPPORTED_DEVICE, shardspec_metadata_scatter, metadata, &full, shards, 3, NULL);
  CALL(INDEX_OUT_OF_RANGE, shardspec_metadata_extract_shard, metadata, 3, &full, &shards[0], NULL);
  gathered.ndim = 1;
  shards[2].device.device_type = SHARDSPEC_DLPACK_DEVICE_CPU;
  CALL(NDIM_MISMATCH, shardspec_metadata_gather, metadata, shards, 3, &gathered, NULL);
  CALL(BUFFER_TOO_SMALL, shardspec_metadata_view_shard, metadata, 1, &full, out.numbers,
       out.more_numbers, 1, &out.view);
  drop_metadata(metadata);
}

void copies_of_packed_elements(void) {
  static const shardspec_dtype int4 = {SHARDSPEC_DTYPE_INT, 4, 1};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  int64_t shape[] = {5, 7}, shapes[3][2], strides[] = {-7, 1};
  uint8_t whole[18], part[3][8], back[18];
  shardspec_tensor_view from, to, at[3];
  CHECK_OK(shardspec_spec_new_chunk(1, RANKS, 3, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, shape, 2, NULL, &metadata, &err));
  from = view_of(whole, int4, shape, 2), to = view_of(back, int4, shape, 2);
  for (int i = 0; i < 18; i++) whole[i] = (uint8_t)(37 * i);
  for (size_t i = 0; i < 3; i++) {
    CHECK_OK(shardspec_metadata_get_shard(metadata, i, NULL, shapes[i], 2, &err));
    at[i] = view_of(part[i], int4, shapes[i], 2);
  }
  CALL(OK, shardspec_metadata_scatter, metadata, &from, at, 3, NULL);
  CALL(OK, shardspec_metadata_gather, metadata, at, 3, &to, NULL);
  CHECK(memcmp(whole, back, 17) == 0);
  /* Backwards by rows: the first row lies last. */
  from.strides = strides, from.data = whole, from.byte_offset = 14;
  CALL(OK, shardspec_metadata_scatter, metadata, &from, at, 3, NULL);
  drop_metadata(metadata);
  drop_spec(spec);
}

/* Enough bytes for two threads, by columns so that there is more than one loop. */
void copies_with_threads(void) {
  enum { ROWS = 200000 };
  static float whole[ROWS * 6], part[2][ROWS * 3], back[ROWS * 6];
  int64_t shape[] = {ROWS, 6}, shapes[2][2] = {{ROWS, 3}, {ROWS, 3}};
  shardspec_copy_options options = {.struct_size = sizeof options, .max_threads = 2};
  shardspec_metadata *metadata = columns(2, ROWS);
  shardspec_tensor_view from = view_of(whole, FLOAT32, shape, 2), to = view_of(back, FLOAT32, shape, 2);
  shardspec_tensor_view at[2];
  for (int i = 0; i < 2; i++) at[i] = view_of(part[i], FLOAT32, shapes[i], 2);
  for (int i = 0; i < ROWS * 6; i += 1000) whole[i] = (float)i;
  for (uint32_t stream = 0; stream < 2; stream++) {
    options.hints = stream ? SHARDSPEC_COPY_HINT_STREAM : SHARDSPEC_COPY_HINT_CACHED;
    CALL(OK, shardspec_metadata_scatter, metadata, &from, at, 2, &options);
    CALL(OK, shardspec_metadata_gather, metadata, at, 2, &to, &options);
    CHECK(memcmp(whole, back, sizeof whole) == 0);
  }
  drop_metadata(metadata);
}

static int32_t enter(void) { return 7; }
static void leave(int32_t state) { CHECK_EQUAL(state, 7); }

void managed_tensors(void) {
  int64_t strides[] = {1, 7};
  float values[42];
  shardspec_managed_tensor *managed;
  shardspec_legacy_managed_tensor *legacy;
  shardspec_tensor_view view = view_of(values, FLOAT32, full_shape, 2);
  shardspec_runtime_ctx entered = {.struct_size = sizeof entered, .enter = enter, .destroy = end_context,
                               .ctx = context(), .leave = leave};
  CALL(OK, shardspec_managed_tensor_new, &view, SHARDSPEC_DLPACK_FLAG_READ_ONLY, context(), end_context,
       &out.managed);
  managed = out.managed;
  RUN("a deleter", managed->deleter(managed));
  view.strides = strides;
  CALL(OK, shardspec_legacy_managed_tensor_new, &view, context(), end_context, &out.legacy);
  legacy = out.legacy;
  RUN("a deleter", legacy->deleter(legacy));
  CALL(INVALID_ARGUMENT, shardspec_managed_tensor_new, &view, 64, context(), end_context, &out.managed);
  RUN("shardspec_runtime_ctx_destroy", shardspec_runtime_ctx_destroy(&entered));
  contexts_are_ended();
}
