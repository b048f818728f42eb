/* Sharded tensors that come out of a collective. */
#include "ranks.h"

void a_sharded_tensor_is_made_from_one_rank(shardspec_comm *comm, shardspec_error *rank_err) {
  shardspec_tensor_properties properties = {sizeof properties, {SHARDSPEC_DTYPE_INT, 32, 1},
                                            0, 0, 0, 0, 0};
  int64_t size = size_of(comm), rank = rank_of(comm), sizes[] = {2 * size + 1, 3};
  int64_t shape[2], strides[2], offsets[2];
  char texts[64][32];
  const char *placements[64];
  shardspec_spec *spec;
  shardspec_metadata *metadata, *untyped;
  shardspec_sharded_tensor *tensor = NULL;
  shardspec_comm *carried = NULL;
  shardspec_tensor_view view, full;
  int32_t data[500];
  size_t count;
  for (int i = 0; i < size; i++) {
    snprintf(texts[i], sizeof texts[i], "rank:%d/cpu", i);
    placements[i] = texts[i];
  }
  for (int i = 0; i < 500; i++) data[i] = i;
  full = view_of(data, properties.dtype, sizes, 2);
  CHECK_OK(shardspec_spec_new_chunk(0, placements, (size_t)size, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &untyped, &err));
  CHECK_OK(shardspec_sharded_tensor_new_from_rank(comm, metadata, size - 1, &full, NULL, &tensor,
                                                  &err));
  CHECK_OK(shardspec_sharded_tensor_comm(tensor, &carried, &err));
  CHECK(carried == comm);
  CHECK_OK(shardspec_sharded_tensor_local_count(tensor, &count, &err));
  CHECK_EQUAL(count, 1);
  CHECK_OK(shardspec_sharded_tensor_local_view(tensor, 0, shape, strides, 2, &view, &err));
  CHECK_OK(shardspec_metadata_get_shard(metadata, (size_t)rank, offsets, NULL, 2, &err));
  for (int64_t i = 0; i < shape[0] * 3; i++)
    CHECK_EQUAL(((const int32_t *)view.data)[i], offsets[0] * 3 + i);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  /* Nobody knows how much memory to find where no element type is stated, and nobody waits. */
  tensor = NULL;
  CHECK_STATUS(shardspec_sharded_tensor_new_from_rank(comm, untyped, 0, &full, NULL, &tensor, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_sharded_tensor_new_from_rank(comm, rank == 0 ? untyped : metadata, 0, &full,
                                                      NULL, &tensor, &err),
               rank == 0 ? SHARDSPEC_INVALID_ARGUMENT : SHARDSPEC_DISAGREEMENT);
  CHECK(tensor == NULL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_metadata_free(untyped, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}
