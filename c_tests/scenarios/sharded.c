/* Sharded tensors, and their shards to and from other libraries. */
#include "scenarios.h"

static float data[24], memory[2][12];
static int64_t shape[] = {4, 6}, halves[] = {2, 6};

static shardspec_tensor_view full_view(void) {
  for (int i = 0; i < 24; i++) data[i] = (float)i;
  return view_of(data, FLOAT32, shape, 2);
}

void sharded_tensors(void) {
  static const size_t one[] = {1}, both[] = {1, 0};
  const int64_t offsets[] = {2, 0, 0, 0};
  shardspec_metadata *metadata = rows(2, 4);
  shardspec_spec *spec = chunk_spec(2);
  shardspec_tensor_view full = full_view(), to, shards[2];
  shardspec_shard_metadata described[2];
  shardspec_sharded_tensor *tensor;
  float back[24];
  to = view_of(back, FLOAT32, shape, 2);
  for (int i = 0; i < 2; i++) {
    shards[i] = view_of(memory[i], FLOAT32, halves, 2);
    described[i] = (shardspec_shard_metadata){2, offsets + 2 * i, halves, i ? "rank:0" : "rank:1"};
  }
  CALL(OK, shardspec_sharded_tensor_new, metadata, "rank:1", SHARDSPEC_FILL_ZERO, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(OK, shardspec_sharded_tensor_new_for_indices, metadata, one, 1, SHARDSPEC_FILL_UNINITIALIZED, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(OK, shardspec_sharded_tensor_new_from_spec, spec, NULL, "rank:0", &full, NULL, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(OK, shardspec_sharded_tensor_new_from_full_for_indices, metadata, one, 1, &full, NULL, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(OK, shardspec_sharded_tensor_new_from_local, metadata, NULL, both, shards, 2, context(),
       end_context, &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(OK, shardspec_shards_new, described, 2, &out.shards);
  shardspec_shards *descriptions = out.shards;
  CALL(OK, shardspec_sharded_tensor_new_from_local_shards, metadata, NULL, descriptions, shards, 2,
       context(), end_context, &out.tensor);
  tensor = out.tensor;
  FREE(shardspec_shards_free, descriptions);
  FREE(shardspec_sharded_tensor_free, tensor);
  CALL(OK, shardspec_sharded_tensor_new_from_full, metadata, NULL, &full, NULL, &out.tensor);
  tensor = out.tensor;
  CALL(OK, shardspec_sharded_tensor_metadata, tensor, &out.metadata);
  FREE(shardspec_metadata_free, out.metadata);
  CALL(OK, shardspec_sharded_tensor_properties, tensor, &out.properties);
  CALL(OK, shardspec_sharded_tensor_local_count, tensor, &out.size);
  CHECK_EQUAL(out.size, 2);
  CALL(OK, shardspec_sharded_tensor_local_index, tensor, 1, &out.size);
  CALL(OK, shardspec_sharded_tensor_local_view, tensor, 1, out.numbers, out.more_numbers, 2, &out.view);
  uint64_t addresses[2];
  CALL(OK, shardspec_sharded_tensor_local_views_flat, tensor, addresses, out.numbers, out.more_numbers, 2, &out.size);
  CALL(BUFFER_TOO_SMALL, shardspec_sharded_tensor_local_views_flat, tensor, NULL, out.numbers, NULL, 1, &out.size);
  CALL(OK, shardspec_sharded_tensor_comm, tensor, &out.comm);
  CHECK(out.comm == NULL);
  written_next(back, sizeof back);
  CALL(OK, shardspec_sharded_tensor_gather, tensor, &to, NULL);
  CHECK(memcmp(back, data, sizeof data) == 0);
  FREE(shardspec_sharded_tensor_free, tensor);
  drop_metadata(metadata);
  drop_spec(spec);
  contexts_are_ended();
}

void refused_sharded_tensors(void) {
  static const size_t twice[] = {1, 1}, far[] = {9};
  const int64_t wrong_offsets[] = {1, 0};
  shardspec_metadata *metadata = rows(2, 4);
  shardspec_tensor_view full = full_view(), shards[2];
  const shardspec_shard_metadata described = {2, wrong_offsets, halves, "rank:0"};
  shardspec_sharded_tensor *tensor;
  float back[24];
  shardspec_tensor_view to = view_of(back, FLOAT32, shape, 2);
  for (int i = 0; i < 2; i++) shards[i] = view_of(memory[0], FLOAT32, halves, 2);
  CALL(INVALID_ARGUMENT, shardspec_sharded_tensor_new, metadata, NULL, 7, &out.tensor);
  CALL(INVALID_PLACEMENT, shardspec_sharded_tensor_new, metadata, "rank:x", 0, &out.tensor);
  CALL(INVALID_ARGUMENT, shardspec_sharded_tensor_new_for_indices, metadata, twice, 2, 0, &out.tensor);
  CALL(INDEX_OUT_OF_RANGE, shardspec_sharded_tensor_new_from_full_for_indices, metadata, far, 1, &full, NULL,
       &out.tensor);
  CALL(ALIASED, shardspec_sharded_tensor_new_from_local, metadata, NULL, (const size_t[]){0, 1}, shards, 2,
       context(), end_context, &out.tensor);
  CALL(INVALID_ARGUMENT, shardspec_sharded_tensor_new_from_local, metadata, "rank:1",
       (const size_t[]){0}, shards, 1, context(), end_context, &out.tensor);
  CALL(OK, shardspec_shards_new, &described, 1, &out.shards);
  shardspec_shards *descriptions = out.shards;
  CALL(NOT_FOUND, shardspec_sharded_tensor_new_from_local_shards, metadata, NULL, descriptions, shards, 1,
       context(), end_context, &out.tensor);
  FREE(shardspec_shards_free, descriptions);
  CALL(OK, shardspec_sharded_tensor_new, metadata, "rank:1", SHARDSPEC_FILL_ZERO, &out.tensor);
  tensor = out.tensor;
  written_next(back, sizeof back);
  CALL(NOT_LOCAL, shardspec_sharded_tensor_gather, tensor, &to, NULL);
  CALL(INDEX_OUT_OF_RANGE, shardspec_sharded_tensor_local_index, tensor, 1, &out.size);
  FREE(shardspec_sharded_tensor_free, tensor);
  CALL(INVALID_HANDLE, shardspec_sharded_tensor_local_count, tensor, &out.size);
  drop_metadata(metadata);
  contexts_are_ended();
}

static void delete_managed(void *managed) { end_context(((shardspec_managed_tensor *)managed)->manager_ctx); }

/* A managed tensor of another library's, in memory of the caller's. */
static shardspec_managed_tensor foreign[2];
static shardspec_managed_tensor *const *foreign_tensors(uint64_t flags) {
  static int64_t strides[] = {6, 1};
  static shardspec_managed_tensor *const pointers[] = {&foreign[0], &foreign[1]};
  for (int i = 0; i < 2; i++) {
    foreign[i] = (shardspec_managed_tensor){1, 0, context(), delete_managed, flags,
                                            view_of(memory[i], FLOAT32, halves, 2)};
    foreign[i].tensor.strides = strides;
  }
  return pointers;
}

void exported_and_imported_shards(void) {
  static const size_t both[] = {1, 0};
  shardspec_metadata *metadata = rows(2, 4);
  shardspec_tensor_view full = full_view();
  shardspec_sharded_tensor *tensor;
  shardspec_managed_tensor *managed;
  shardspec_legacy_managed_tensor *legacy;
  CALL(OK, shardspec_sharded_tensor_new_from_full, metadata, NULL, &full, NULL, &out.tensor);
  tensor = out.tensor;
  CALL(OK, shardspec_sharded_tensor_export_local, tensor, 1, &out.managed);
  managed = out.managed;
  CALL(OK, shardspec_sharded_tensor_export_local_legacy, tensor, 1, &out.legacy);
  legacy = out.legacy;
  CALL(INDEX_OUT_OF_RANGE, shardspec_sharded_tensor_export_local, tensor, 2, &out.managed);
  FREE(shardspec_sharded_tensor_free, tensor);
  RUN("a deleter", managed->deleter(managed));
  RUN("a deleter", legacy->deleter(legacy));
  CALL(OK, shardspec_sharded_tensor_new_from_managed, metadata, NULL, both, foreign_tensors(0), 2,
       &out.tensor);
  FREE(shardspec_sharded_tensor_free, out.tensor);
  CALL(READ_ONLY, shardspec_sharded_tensor_new_from_managed, metadata, NULL, both,
       foreign_tensors(SHARDSPEC_DLPACK_FLAG_READ_ONLY), 2, &out.tensor);
  drop_metadata(metadata);
  contexts_are_ended();
}
