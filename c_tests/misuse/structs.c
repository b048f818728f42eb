/* Sizes and defaults of structs, and functions on errors. */
#include "misuse.h"

/* These have no error of their own: the status is all that they answer. */
#define SAID(wanted, misuse, function, ...)                                                        \
  (prepare(), judge(#function, misuse, function(__VA_ARGS__), SHARDSPEC_##wanted, NULL))

void misuse_structs(void) {
  shardspec_copy_options options = {sizeof options, 0, 0};
  shardspec_error wrong = SHARDSPEC_ERROR_INIT;
  MISUSE(NULL_ARGUMENT, "NULL name", shardspec_struct_size, NULL, &out.size);
  MISUSE(NOT_FOUND, "no struct", shardspec_struct_size, "shardspec_", &out.size);
  MISUSE(NOT_FOUND, "a handle's type", shardspec_struct_size, "shardspec_spec", &out.size);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_struct_size, NOT_UTF8, &out.size);
  WRONG_OUT(size_t, shardspec_struct_size, "shardspec_cut", P);
  WRONG_ERROR(shardspec_struct_size, "shardspec_cut", &out.size);
  MISUSE(NULL_ARGUMENT, "NULL name", shardspec_struct_init, NULL, &options, sizeof options);
  MISUSE(NOT_FOUND, "no struct", shardspec_struct_init, "", &options, sizeof options);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_struct_init, NOT_UTF8, &options, sizeof options);
  MISUSE(INVALID_ARGUMENT, "size 0", shardspec_struct_init, "shardspec_copy_options", out.numbers, 0);
  MISUSE(INVALID_ARGUMENT, "size SIZE_MAX", shardspec_struct_init, "shardspec_copy_options", out.numbers, SIZE_MAX);
  MISUSE(INVALID_ARGUMENT, "size 47 of a view", shardspec_struct_init, "shardspec_tensor_view", &out.view, 47);
  MISUSE(INVALID_ARGUMENT, "an error of 55 bytes", shardspec_struct_init, "shardspec_error", out.numbers, 55);
  WRONG_OUT(void, shardspec_struct_init, "shardspec_copy_options", P, sizeof options);
  WRONG_ERROR(shardspec_struct_init, "shardspec_copy_options", &options, sizeof options);

  SAID(NULL_ARGUMENT, "NULL err", shardspec_error_init, NULL, sizeof wrong);
  SAID(INVALID_ARGUMENT, "55 bytes", shardspec_error_init, (shardspec_error *)(void *)out.numbers, 55);
  SAID(INVALID_ARGUMENT, "err not aligned", shardspec_error_init, (shardspec_error *)(void *)((char *)out.numbers + 4), 56);
  SAID(INVALID_ARGUMENT, "negative status", shardspec_error_set, &wrong, -1, "?");
  SAID(INVALID_ARGUMENT, "INT32_MIN", shardspec_error_set, NULL, INT32_MIN, NULL);
  wrong.struct_size = 16;
  SAID(INVALID_ARGUMENT, "err of 16 bytes", shardspec_error_set, &wrong, SHARDSPEC_GAP, "?");
  SAID(INVALID_ARGUMENT, "err not aligned", shardspec_error_set, (shardspec_error *)(void *)((char *)&wrong + 4), SHARDSPEC_GAP, "?");
  CHECK(wrong.status == SHARDSPEC_OK && wrong.message[0] == '\0');
  CHECK_TEXT(shardspec_error_message(&wrong), "");
  CHECK_TEXT(shardspec_error_message((shardspec_error *)(void *)((char *)&wrong + 4)), "");
}
