/* Files of checkpoints for the C tests. A test writes them into its working directory and removes them. */
#ifndef SHARDSPEC_TESTS_CHECKPOINTS_H
#define SHARDSPEC_TESTS_CHECKPOINTS_H

#include "check.h"

#include <unistd.h>

/* A path that no other process uses: tests run side by side. */
static inline const char *checkpoint_path(void) {
  static char path[64];
  snprintf(path, sizeof path, "checkpoint-%ld.safetensors", (long)getpid());
  return path;
}

/* Writes a safetensors file with this header and these bytes. */
static inline void write_safetensors(const char *path, const char *header, const void *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  const uint64_t length = strlen(header);
  if (file == NULL) FAIL("%s can't be written", path);
  for (int byte = 0; byte < 8; byte++) fputc((int)(length >> 8 * byte & 0xff), file);
  CHECK(fwrite(header, 1, length, file) == length && fwrite(bytes, 1, size, file) == size);
  CHECK_EQUAL(fclose(file), 0);
}

/* A matrix "w" of 4 x 3 floats and a vector "b" of 4. */
#define CHECKPOINT_HEADER                                                                          \
  "{\"w\":{\"dtype\":\"F32\",\"shape\":[4,3],\"data_offsets\":[0,48]},"                            \
  "\"b\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[48,64]}}"
static const float CHECKPOINT_DATA[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 20, 21, 22, 23};

#endif
