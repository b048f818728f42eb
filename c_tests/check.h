/* What the C tests share: checks that say what they saw, and the buffers that most of them use. A
 * check that fails ends the program. */
#ifndef SHARDSPEC_TESTS_CHECK_H
#define SHARDSPEC_TESTS_CHECK_H

#include "shardspec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define FAIL(...)                                                                                  \
  (fprintf(stderr, "%s:%d: ", __FILE__, __LINE__), fprintf(stderr, __VA_ARGS__),                   \
   fprintf(stderr, "\n"), exit(1))

#define CHECK(condition)                                                                           \
  do {                                                                                             \
    if (!(condition)) FAIL("not true: %s", #condition);                                            \
  } while (0)

#define CHECK_EQUAL(got, wanted)                                                                   \
  do {                                                                                             \
    long long got_ = (long long)(got), wanted_ = (long long)(wanted);                              \
    if (got_ != wanted_) FAIL("%s is %lld, not %s = %lld", #got, got_, #wanted, wanted_);          \
  } while (0)

#define CHECK_TEXT(got, wanted)                                                                    \
  do {                                                                                             \
    if (strcmp((got), (wanted)) != 0) FAIL("%s is \"%s\", not \"%s\"", #got, (got), (wanted));     \
  } while (0)

/* For calls whose last argument is `&err`: the status is the one wanted, and the error repeats it. */
#define CHECK_STATUS(call, wanted)                                                                 \
  do {                                                                                             \
    shardspec_status got_ = (call);                                                                \
    if (got_ != (wanted))                                                                          \
      FAIL("%s returned %d, not %s: %s", #call, (int)got_, #wanted, err.message);                  \
    if (err.status != got_) FAIL("%s returned %d, its error says %d", #call, (int)got_,            \
                                 (int)err.status);                                                 \
    if ((got_ == SHARDSPEC_OK) != (err.message[0] == '\0'))                                        \
      FAIL("%s returned %d with the message \"%s\"", #call, (int)got_, err.message);               \
  } while (0)

#define CHECK_OK(call) CHECK_STATUS(call, SHARDSPEC_OK)

/* The message must hold a text: what the user needs to find the mistake. */
#define CHECK_MESSAGE(text)                                                                        \
  do {                                                                                             \
    if (strstr(err.message, (text)) == NULL) FAIL("\"%s\" lacks \"%s\"", err.message, (text));     \
  } while (0)

/* A row-major view of host memory; `shape` stays the caller's. */
static inline shardspec_tensor_view view_of(void *data, shardspec_dtype dtype, int64_t *shape,
                                            int32_t ndim) {
  shardspec_tensor_view view;
  memset(&view, 0, sizeof view);
  view.data = data;
  view.device.device_type = SHARDSPEC_DLPACK_DEVICE_CPU;
  view.ndim = ndim;
  view.dtype = dtype;
  view.shape = shape;
  return view;
}

static const shardspec_dtype FLOAT32 = {SHARDSPEC_DTYPE_FLOAT, 32, 1};

#endif
