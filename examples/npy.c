/* The .npy format: the magic text, a version, the length of a header, the header - a Python
 * dictionary - and the elements. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 */
#include "npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What follows `key` in the header, or NULL. */
static const char *value_of(const char *header, const char *key) {
  const char *at = strstr(header, key);
  if (at == NULL) return NULL;
  at += strlen(key);
  while (*at == ' ' || *at == ':') at++;
  return at;
}

/* The letter of this machine's byte order. */
static char native_order(void) {
  const uint16_t one = 1;
  return *(const unsigned char *)&one == 1 ? '<' : '>';
}

/* Reads "'<f4'" or the like: a byte order, a kind and a number of bytes. */
static const char *read_dtype(const char *text, shardspec_dtype *dtype, size_t *itemsize) {
  static const struct {
    char kind;
    uint8_t code;
    uint32_t sizes; /* bit n: n bytes */
  } kinds[] = {{'i', SHARDSPEC_DTYPE_INT, 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8},
               {'u', SHARDSPEC_DTYPE_UINT, 1 << 1 | 1 << 2 | 1 << 4 | 1 << 8},
               {'f', SHARDSPEC_DTYPE_FLOAT, 1 << 2 | 1 << 4 | 1 << 8 | 1 << 16},
               {'c', SHARDSPEC_DTYPE_COMPLEX, 1 << 8 | 1 << 16},
               {'b', SHARDSPEC_DTYPE_BOOL, 1 << 1},
               {'V', SHARDSPEC_DTYPE_OPAQUE_HANDLE, 0x1fffe}};
  if (text == NULL) return "its header names no type of elements";
  if (text[0] != '\'') return "its elements are records; only plain types are read";
  if (text[1] == '\0' || strchr("<>=|", text[1]) == NULL || text[2] == '\0' || text[3] < '0' || text[3] > '9')
    return "its header names no type of elements";
  char order = text[1], kind = text[2], *end;
  unsigned long bytes = strtoul(text + 3, &end, 10);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    if (kinds[i].kind != kind) continue;
    if (bytes > 16) return "its elements are larger than 16 bytes";
    if (*end != '\'' || (kinds[i].sizes >> bytes & 1) == 0) return "its header names no type of elements";
    /* They are handed on as they are, so they must be what this machine computes with. */
    if (bytes > 1 && order != '=' && order != '|' && order != native_order())
      return "its elements are in the byte order of other machines";
    dtype->code = kinds[i].code;
    dtype->bits = (uint8_t)(bytes * 8);
    dtype->lanes = 1;
    *itemsize = bytes;
    return NULL;
  }
  return "its elements are Python objects or texts; only numbers are read";
}

/* Reads "(150, 4)" and derives the strides. Sizes and strides are numbers from a file, which nobody has
 * checked: nothing is multiplied that might not fit. */
static const char *read_shape(const char *text, int fortran_order, npy_array *out, size_t *count) {
  if (text == NULL || *text++ != '(') return "its header has no shape";
  int empty = 0;
  *count = 1;
  out->ndim = 0;
  for (char *end; (void)(text += strspn(text, " ,")), *text != ')'; text = end) {
    errno = 0;
    long long size = strtoll(text, &end, 10);
    if (end == text || size < 0) return "its shape is no tuple of sizes";
    if (errno != 0) return "it is too large for memory";
    if (out->ndim == SHARDSPEC_MAX_NDIM) return "it has more than 32 dimensions";
    out->shape[out->ndim++] = size;
    /* Sizes beside one of 0 count as well: strides are made of them. Elements have 16 bytes at most. */
    if (size == 0)
      empty = 1;
    else if (*count > PTRDIFF_MAX / 16 / (unsigned long long)size)
      return "it is too large for memory";
    else
      *count *= (size_t)size;
  }
  int64_t stride = 1;
  for (int32_t i = 0; i < out->ndim; i++) {
    int32_t dim = fortran_order ? i : out->ndim - 1 - i;
    out->strides[dim] = stride;
    if (out->shape[dim] > 0) stride *= out->shape[dim];
  }
  if (empty) *count = 0;
  return NULL;
}

const char *npy_parse_start(const unsigned char start[NPY_START], size_t *text, size_t *length) {
  if (memcmp(start, "\x93NUMPY", 6) != 0) return "it is no .npy file";
  if (start[6] < 1 || start[6] > 3) return "its version is none of 1 to 3";
  *text = start[6] > 1 ? 12 : 10; /* from version 2 on, the length has 4 bytes */
  *length = start[8] | (size_t)start[9] << 8;
  if (start[6] > 1) *length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
  return *length > 1 << 20 ? "its header is longer than a megabyte" : NULL;
}

const char *npy_parse_header(const char *header, npy_array *out) {
  const char *order = value_of(header, "'fortran_order'");
  size_t count = 0, itemsize = 0;
  memset(out, 0, sizeof *out);
  const char *problem = read_dtype(value_of(header, "'descr'"), &out->dtype, &itemsize);
  if (problem == NULL)
    problem = read_shape(value_of(header, "'shape'"), order && *order == 'T', out, &count);
  if (problem == NULL) out->size = count * itemsize;
  return problem;
}

static const char *read_array(FILE *file, npy_array *out) {
  unsigned char start[NPY_START];
  size_t text, length;
  if (fread(start, 1, sizeof start, file) != sizeof start) return "it is no .npy file";
  const char *problem = npy_parse_start(start, &text, &length);
  if (problem != NULL) return problem;
  char *header = calloc(length + 1, 1);
  if (header == NULL) return "there is no memory left for it";
  problem = "it ends in its header";
  if (fseek(file, (long)text, SEEK_SET) == 0 && fread(header, 1, length, file) == length)
    problem = npy_parse_header(header, out);
  free(header);
  if (problem != NULL) return problem;
  out->bytes = malloc(out->size + 1);
  if (out->bytes == NULL) return "there is no memory left for it";
  out->data = out->bytes;
  return fread(out->bytes, 1, out->size, file) == out->size ? NULL : "it ends in its elements";
}

const char *npy_read(const char *path, npy_array *out) {
  memset(out, 0, sizeof *out);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return "it can't be opened";
  const char *problem = read_array(file, out);
  fclose(file);
  if (problem != NULL) {
    free(out->bytes);
    out->bytes = NULL;
  }
  return problem;
}
