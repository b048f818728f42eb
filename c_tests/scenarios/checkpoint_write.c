/* Checkpoints that are written, put in their place, and converted. */
#include "scenarios.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

static float data[2][21];

/* Removes a directory of files. */
static void remove_directory(const char *path) {
  DIR *directory = opendir(path);
  if (directory == NULL) return;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    char name[512];
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    unlink(name);
  }
  closedir(directory);
  CHECK(rmdir(path) == 0);
}

void checkpoints_are_written(void) {
  /* In memory where that is possible: thousands of calls that each flush to a disk take minutes. */
  char folder[64], path[80], other[80], saving[96];
  const int64_t sizes[] = {6, 7};
  int64_t shape[] = {3, 7}, strides[] = {1, 3};
  static const size_t indices[] = {1, 0};
  shardspec_tensor_properties properties = {sizeof properties, FLOAT32, 0, 0, 0, 0, 0};
  shardspec_metadata *metadata;
  shardspec_spec *spec = chunk_spec(2), *columns;
  snprintf(folder, sizeof folder, "%s/shardspec-scenario-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  CHECK(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/checkpoint", folder);
  snprintf(other, sizeof other, "%s/other", folder);
  CHECK_OK(shardspec_spec_new_chunk(1, RANKS, 3, &columns, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err));
  shardspec_tensor_view shards[2];
  for (int i = 0; i < 2; i++) shards[i] = view_of(data[i], FLOAT32, shape, 2);
  /* One that is copied before it is written. */
  shards[1].strides = strides;
  const shardspec_checkpoint_tensor tensor = {sizeof tensor, "w", metadata, indices, shards, 2};
  for (uint32_t files = 0; files < 2; files++) {
    const shardspec_checkpoint_write_options options = {sizeof options, files, files, 64};
    const shardspec_checkpoint_rule rule = {sizeof rule, "w*", files ? spec : columns};
    CALL(NOT_FOUND, shardspec_checkpoint_commit, path, &tensor, 1, &options);
    CALL(OK, shardspec_checkpoint_write, path, &tensor, 1, &options);
    CALL(OK, shardspec_checkpoint_commit, path, &tensor, 1, &options);
    CALL(OK, shardspec_checkpoint_convert, path, other, &rule, 1, &options);
    if (!files) CALL(INVALID_ARGUMENT, shardspec_checkpoint_write, path, &tensor, 1, &options);
  }
  /* A checkpoint that was replaced stays where there is no memory to list it. */
  snprintf(saving, sizeof saving, "%s.saving", path), remove_directory(saving);
  snprintf(saving, sizeof saving, "%s.saving", other), remove_directory(saving);
  remove_directory(path);
  remove_directory(other);
  CHECK(rmdir(folder) == 0);
  drop_metadata(metadata);
  drop_spec(columns);
  drop_spec(spec);
}
