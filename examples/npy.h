/* Reads arrays in NumPy's .npy format, versions 1 to 3: what the examples need of it. */
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
 * wrong with the file. Elements in the byte order of other machines are refused. */
const char *npy_read(const char *path, npy_array *out);

/* For those who read a file themselves. All of these return NULL, or what is wrong with the file. */
enum { NPY_START = 12 };

/* From the first bytes of a file: where the text of its header starts, and how long it is. The
 * elements follow that text. */
const char *npy_parse_start(const unsigned char start[NPY_START], size_t *text, size_t *length);

/* From that text, with a NUL behind it: everything of `*out` but its memory. */
const char *npy_parse_header(const char *header, npy_array *out);

#endif
