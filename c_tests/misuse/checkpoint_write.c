/* Checkpoints that are written and converted. */
#define _POSIX_C_SOURCE 200809L
#include "misuse.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void misuse_checkpoint_writes(void) {
  static const size_t both[] = {0, 1};
  char folder[] = "/tmp/shardspec-misuse-XXXXXX", path[64], taken[64];
  shardspec_dtype float32 = {SHARDSPEC_DTYPE_FLOAT, 32, 1};
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_metadata *typed, *freed;
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  snprintf(taken, sizeof taken, "%s/taken", folder);
  CHECK(mkdir(taken, 0777) == 0);
  properties.dtype = float32;
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, &properties, &typed, &err));
  CHECK_OK(shardspec_spec_build_metadata(chunk, TENSOR, 2, &properties, &freed, &err));
  CHECK_OK(shardspec_metadata_free(freed, &err));
  const shardspec_checkpoint_tensor right = {sizeof right, "w", typed, both, shards, 2};
  const shardspec_checkpoint_write_options fine = {sizeof fine, 0, 0, 0};
  shardspec_checkpoint_tensor wrong = right, twice[2] = {right, right};
  shardspec_checkpoint_write_options odd = fine;

#define EITHER(status, misuse, ...)                                                                \
  MISUSE(status, misuse, shardspec_checkpoint_write, __VA_ARGS__);                                 \
  MISUSE(status, misuse, shardspec_checkpoint_commit, __VA_ARGS__)
#define WITH(change, status, misuse)                                                               \
  wrong = right, change;                                                                           \
  EITHER(status, misuse, path, &wrong, 1, &fine)
  EITHER(NULL_ARGUMENT, "NULL path", NULL, &right, 1, &fine);
  EITHER(INVALID_ARGUMENT, "empty path", "", &right, 1, &fine);
  EITHER(INVALID_ARGUMENT, "path not UTF-8", NOT_UTF8, &right, 1, &fine);
  EITHER(NULL_ARGUMENT, "NULL tensors", path, NULL, 1, &fine);
  EITHER(INVALID_ARGUMENT, "SIZE_MAX tensors", path, &right, SIZE_MAX, &fine);
  EITHER(INVALID_ARGUMENT, "a path that exists", taken, &right, 1, &fine);
  EITHER(INVALID_ARGUMENT, "one name twice", path, twice, 2, &fine);
  WITH(wrong.struct_size = 8, INVALID_ARGUMENT, "a tensor of 8 bytes");
  WITH(wrong.name = NULL, NULL_ARGUMENT, "NULL name");
  WITH(wrong.name = "", INVALID_ARGUMENT, "empty name");
  WITH(wrong.metadata = metadata, INVALID_ARGUMENT, "metadata without a type");
  odd.struct_size = 8;
  EITHER(INVALID_ARGUMENT, "options of 8 bytes", path, &right, 1, &odd);
  odd = fine, odd.files = 2;
  EITHER(INVALID_ARGUMENT, "unknown files", path, &right, 1, &odd);
  wrong_handles_for(freed, typed, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_checkpoint_write, path,
               (wrong = right, wrong.metadata = H, &wrong), 1, &fine);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_checkpoint_commit, path,
               (wrong = right, wrong.metadata = H, &wrong), 1, &fine);
  wrong = right, wrong.shards = NULL;
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_checkpoint_write, path, &wrong, 1, &fine);
  wrong = right, wrong.shards = &full, wrong.shard_count = 1;
  MISUSE(SHAPE_MISMATCH, "the tensor as a shard", shardspec_checkpoint_write, path, &wrong, 1, &fine);
  WRONG_ERROR(shardspec_checkpoint_write, path, &right, 1, &fine);
  MISUSE(NOT_FOUND, "nothing is written", shardspec_checkpoint_commit, path, &right, 1, &fine);
  WRONG_ERROR(shardspec_checkpoint_commit, path, &right, 1, &fine);

  shardspec_spec *freed_spec;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &freed_spec, &err));
  CHECK_OK(shardspec_spec_free(freed_spec, &err));
  const shardspec_checkpoint_rule rule = {sizeof rule, "*", chunk};
  shardspec_checkpoint_rule bad = rule;
  MISUSE(NULL_ARGUMENT, "NULL source", shardspec_checkpoint_convert, NULL, path, &rule, 1, &fine);
  MISUSE(NULL_ARGUMENT, "NULL path", shardspec_checkpoint_convert, taken, NULL, &rule, 1, &fine);
  MISUSE(NULL_ARGUMENT, "NULL rules", shardspec_checkpoint_convert, taken, path, NULL, 1, &fine);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX rules", shardspec_checkpoint_convert, taken, path, &rule, SIZE_MAX, &fine);
  MISUSE(INVALID_ARGUMENT, "no checkpoint", shardspec_checkpoint_convert, taken, path, &rule, 1, &fine);
  MISUSE(FILE_FAILED, "nothing at the source", shardspec_checkpoint_convert, path, path, &rule, 1, &fine);
  bad.pattern = NULL;
  MISUSE(NULL_ARGUMENT, "NULL pattern", shardspec_checkpoint_convert, taken, path, &bad, 1, &fine);
  bad = rule, bad.struct_size = 8;
  MISUSE(INVALID_ARGUMENT, "a rule of 8 bytes", shardspec_checkpoint_convert, taken, path, &bad, 1, &fine);
  MISUSE(INVALID_ARGUMENT, "unknown files", shardspec_checkpoint_convert, taken, path, &rule, 1, &odd);
  wrong_handles_for(freed_spec, chunk, placement, typed);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_checkpoint_convert, taken, path,
               (bad = rule, bad.spec = H, &bad), 1, &fine);
  WRONG_ERROR(shardspec_checkpoint_convert, taken, path, &rule, 1, &fine);

  /* Nothing was made. */
  CHECK(access(path, F_OK) != 0);
  CHECK(rmdir(taken) == 0 && rmdir(folder) == 0);
  CHECK_OK(shardspec_metadata_free(typed, &err));
}
