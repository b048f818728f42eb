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

int main(void) {
  dlpack_tensors_are_scattered_and_gathered();
  views_of_shards_are_dlpack_tensors();
  dlpack_tensors_on_a_device_are_refused();
  return 0;
}
