/* What the worked ops share: every status is looked at, and arrays become views. */
#ifndef SHARDSPEC_EXAMPLES_OPS_H
#define SHARDSPEC_EXAMPLES_OPS_H

#include <shardspec.h>

#include <stdio.h>
#include <stdlib.h>

/* For main: says what was refused and ends the program. */
static inline void must(shardspec_status status, const shardspec_error *err) {
  if (status == SHARDSPEC_OK) return;
  fprintf(stderr, "%s\n", err->message);
  exit(1);
}

/* For ops: what was refused is the op's answer. */
#define TRY(call)                                                                                  \
  do {                                                                                             \
    shardspec_status status_ = (call);                                                             \
    if (status_ != SHARDSPEC_OK) return status_;                                                   \
  } while (0)

/* A row-major tensor with elements of `bits` bits: whole numbers, or floating point. */
static inline shardspec_tensor_view view_of(void *data, uint8_t code, uint8_t bits,
                                            const int64_t *shape, int32_t ndim) {
  shardspec_tensor_view view = {data, {SHARDSPEC_DLPACK_DEVICE_CPU, 0}, ndim, {code, bits, 1},
                                (int64_t *)(uintptr_t)shape, NULL, 0};
  return view;
}

/* The elements of an argument that is a row-major tensor of 32-bit floats with `ndim` dimensions, for an op
 * that reads or writes nothing else; NULL for any other argument. */
static inline float *floats_of(const shardspec_value *argument, int32_t ndim) {
  if (argument->kind != SHARDSPEC_VALUE_TENSOR_VIEW) return NULL;
  const shardspec_tensor_view *view = (const shardspec_tensor_view *)argument->pointer;
  if (view->ndim != ndim || view->strides != NULL || view->device.device_type != SHARDSPEC_DLPACK_DEVICE_CPU ||
      view->dtype.code != SHARDSPEC_DTYPE_FLOAT || view->dtype.bits != 32 || view->dtype.lanes != 1)
    return NULL;
  return (float *)(void *)((char *)view->data + view->byte_offset);
}

/* A local shard of floats with two dimensions, and where it starts in the tensor. */
typedef struct local_shard {
  shardspec_tensor_view view;
  int64_t shape[2], strides[2], offsets[2];
} local_shard;

static inline shardspec_status get_local_shard(const shardspec_sharded_tensor *tensor,
                                               const shardspec_metadata *metadata, size_t local,
                                               local_shard *shard, shardspec_error *err) {
  size_t index;
  TRY(shardspec_sharded_tensor_local_view(tensor, local, shard->shape, shard->strides, 2, &shard->view, err));
  if (shard->view.ndim != 2 || shard->view.dtype.code != SHARDSPEC_DTYPE_FLOAT || shard->view.dtype.bits != 32) {
    snprintf(err->message, sizeof err->message, "this op is for float32 tensors of two dimensions");
    return SHARDSPEC_USER_STATUS;
  }
  TRY(shardspec_sharded_tensor_local_index(tensor, local, &index, err));
  return shardspec_metadata_get_shard(metadata, index, shard->offsets, NULL, 2, err);
}

/* The element of a view at (i, j), if its strides are there and count it. */
static inline float *element(const shardspec_tensor_view *view, int64_t i, int64_t j) {
  char *first = (char *)view->data + view->byte_offset;
  return (float *)(void *)first + i * view->strides[0] + j * view->strides[1];
}

#endif
