/* Tensors of DLPack: the structs of its own header go in and come out. */
#include "check.h"
#include "shardspec_dlpack.h"

static DLTensor dl_tensor(void *data, int64_t *shape, int64_t *strides) {
  DLTensor tensor = {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, strides, 0};
  return tensor;
}

static void dlpack_tensors_are_scattered_and_gathered(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  float full[4][3], back[4][3] = {{0}}, first[2][3], second[3][2];
  int64_t sizes[] = {4, 3}, shard_sizes[] = {2, 3}, by_rows[] = {3, 1}, by_columns[] = {1, 2};
  DLTensor whole = dl_tensor(full, sizes, by_rows), again = dl_tensor(back, sizes, NULL);
  DLTensor shards[] = {dl_tensor(first, shard_sizes, by_rows),
                       dl_tensor(second, shard_sizes, by_columns)};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  for (int i = 0; i < 12; i++) full[i / 3][i % 3] = (float)i;
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_scatter(metadata, shardspec_tensor_view_from_dlpack(&whole),
                                      shardspec_tensor_view_from_dlpack(shards), 2, NULL, &err));
  CHECK(first[1][2] == 5 && second[0][1] == 9 && second[2][0] == 8);
  CHECK_OK(shardspec_metadata_gather(metadata, shardspec_tensor_view_from_dlpack(shards), 2,
                                     shardspec_tensor_view_from_dlpack(&again), NULL, &err));
  CHECK(memcmp(full, back, sizeof full) == 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void views_of_shards_are_dlpack_tensors(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  float full[4][3] = {{0}};
  int64_t sizes[] = {4, 3}, shape[2], strides[2];
  DLTensor whole = dl_tensor(full, sizes, NULL), part;
  shardspec_tensor_view view;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(1, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_metadata_view_shard(metadata, 1, shardspec_tensor_view_from_dlpack(&whole),
                                         shape, strides, 2, &view, &err));
  memcpy(&part, shardspec_tensor_view_to_dlpack(&view), sizeof part);
  CHECK((char *)part.data + part.byte_offset == (char *)&full[0][2]);
  CHECK(part.device.device_type == kDLCPU && part.device.device_id == 0);
  CHECK(part.dtype.code == kDLFloat && part.dtype.bits == 32 && part.dtype.lanes == 1);
  CHECK(part.ndim == 2 && part.shape == shape && part.strides == strides);
  CHECK(shape[0] == 4 && shape[1] == 1 && strides[0] == 3 && strides[1] == 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void dlpack_tensors_on_a_device_are_refused(void) {
  static const char *const ranks[] = {"rank:0"};
  float data[4][3];
  int64_t sizes[] = {4, 3};
  DLTensor full = dl_tensor(data, sizes, NULL), shard = dl_tensor(data, sizes, NULL);
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  full.device.device_type = kDLCUDA;
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_STATUS(shardspec_metadata_extract_shard(metadata, 0, shardspec_tensor_view_from_dlpack(&full),
                                                shardspec_tensor_view_from_dlpack(&shard), NULL, &err),
               SHARDSPEC_UNSUPPORTED_DEVICE);
  CHECK_EQUAL(err.got, kDLCUDA);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static int given_back;
static void give_back(void *ctx) { given_back += *(int *)ctx; }

static void memory_lent_to_dlpack_comes_back_once(void) {
  float data[4][3];
  int64_t shape[] = {4, 3};
  int amount = 1;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_managed_tensor *managed;
  shardspec_legacy_managed_tensor *legacy;
  shardspec_tensor_view view = view_of(data, FLOAT32, shape, 2);
  CHECK_OK(shardspec_managed_tensor_new(&view, SHARDSPEC_DLPACK_FLAG_READ_ONLY, &amount, give_back,
                                        &managed, &err));
  shape[0] = 7; /* The view was copied. */
  DLManagedTensorVersioned *theirs = shardspec_managed_tensor_to_dlpack(managed);
  CHECK(theirs->version.major == 1 && theirs->version.minor == 0);
  CHECK(theirs->flags == DLPACK_FLAG_BITMASK_READ_ONLY);
  CHECK(theirs->dl_tensor.data == data && theirs->dl_tensor.ndim == 2);
  CHECK(theirs->dl_tensor.shape[0] == 4 && theirs->dl_tensor.shape[1] == 3);
  CHECK(theirs->dl_tensor.strides[0] == 3 && theirs->dl_tensor.strides[1] == 1);
  CHECK_EQUAL(given_back, 0);
  theirs->deleter(theirs);
  CHECK_EQUAL(given_back, 1);

  shape[0] = 4;
  CHECK_OK(shardspec_legacy_managed_tensor_new(&view, &amount, give_back, &legacy, &err));
  DLManagedTensor *older = shardspec_legacy_managed_tensor_to_dlpack(legacy);
  CHECK(older->dl_tensor.data == data && older->dl_tensor.strides[0] == 3);
  older->deleter(older);
  CHECK_EQUAL(given_back, 2);

  CHECK_OK(shardspec_managed_tensor_new(&view, 0, NULL, NULL, &managed, &err));
  managed->deleter(managed);
}

static void what_was_handed_over_can_be_handed_on(void) {
  float data[4][3];
  int64_t shape[] = {4, 3};
  int amount = 1;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_managed_tensor *first, *second;
  shardspec_tensor_view view = view_of(data, FLOAT32, shape, 2);
  given_back = 0;
  CHECK_OK(shardspec_managed_tensor_new(&view, 0, &amount, give_back, &first, &err));
  CHECK_OK(shardspec_managed_tensor_new(&first->tensor, 0, first, first->deleter, &second, &err));
  CHECK(second->tensor.data == data && given_back == 0);
  second->deleter(second);
  CHECK_EQUAL(given_back, 1);
}

static int state_left;
static char steps[8];
static int32_t enter(void) { return strcat(steps, "<"), 7; }
static void leave(int32_t state) { strcat(steps, ">"), state_left = state; }
static void let_go(void *ctx) {
  strcat(steps, "x");
  memset(ctx, 0xff, sizeof(shardspec_runtime_ctx)); /* It may be freed: nobody reads it any more. */
}

static void a_runtime_is_entered_and_left_around_what_is_let_go(void) {
  float data[4][3];
  int64_t shape[] = {4, 3};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_managed_tensor *managed;
  shardspec_tensor_view view = view_of(data, FLOAT32, shape, 2);
  shardspec_runtime_ctx entered = {sizeof entered, enter, let_go, &entered, leave};
  CHECK_OK(shardspec_managed_tensor_new(&view, 0, &entered, shardspec_runtime_ctx_destroy, &managed, &err));
  CHECK_TEXT(steps, "");
  managed->deleter(managed);
  CHECK_TEXT(steps, "<x>");
  CHECK_EQUAL(state_left, 7);
  memset(&entered, 0, sizeof entered);
  shardspec_runtime_ctx_destroy(&entered);
  shardspec_runtime_ctx_destroy(NULL);
}

/* The export that frees the tensor calls back `destroy` alone; what that calls is its own affair. */
static void a_sharded_tensor_s_memory_is_let_go_inside_of_a_runtime(void) {
  static const char *const ranks[] = {"rank:0"};
  float data[4][3];
  int64_t shape[] = {4, 3};
  size_t first = 0;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_sharded_tensor *tensor;
  shardspec_tensor_view view = view_of(data, FLOAT32, shape, 2);
  shardspec_runtime_ctx entered = {sizeof entered, enter, let_go, &entered, leave};
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, shape, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_local(metadata, NULL, &first, &view, 1, &entered,
                                                   shardspec_runtime_ctx_destroy, &tensor, &err));
  steps[0] = 0;
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_TEXT(steps, "<x>");
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  dlpack_tensors_are_scattered_and_gathered();
  views_of_shards_are_dlpack_tensors();
  dlpack_tensors_on_a_device_are_refused();
  memory_lent_to_dlpack_comes_back_once();
  what_was_handed_over_can_be_handed_on();
  a_runtime_is_entered_and_left_around_what_is_let_go();
  a_sharded_tensor_s_memory_is_let_go_inside_of_a_runtime();
  return 0;
}
