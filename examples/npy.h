/* Reads arrays in NumPy's .npy format, versions 1 to 3: what the demo needs of it. */
#ifndef SHARDSPEC_EXAMPLES_NPY_H
#define SHARDSPEC_EXAMPLES_NPY_H

#include "shardspec.h"

/* An array in memory. `bytes` is what to free; the rest describes it. */
typedef struct npy_array {
  unsigned char *bytes;
  size_t size; /* of the elements, in bytes */
  shardspec_dtype dtype;
  int32_t ndim;
  int64_t shape[SHARDSPEC_MAX_NDIM];
  int64_t strides[SHARDSPEC_MAX_NDIM]; /* in elements; column-major where the file is */
  void *data;
} npy_array;

/* Reads `path` into `*out`, which the caller frees with `free(out->bytes)`. Returns NULL, or what is
 * wrong with the file. Elements are kept as they are in the file, so big-endian ones too. */
const char *npy_read(const char *path, npy_array *out);

#endif
