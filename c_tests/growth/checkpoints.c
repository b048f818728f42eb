/* Checkpoints with n tensors in one file, with n files, and with a tensor of n chunks. */
#define _POSIX_C_SOURCE 200809L
#include "growth.h"

#include <unistd.h>

enum { NAME = 32 };
static char folder[64];

static const char *path_of(const char *name) {
  static char path[96];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

/* One tensor for each, of four bytes, in a file of its own or in one file. */
static void write_tensors(size_t n, uint32_t files, const char *name, const char *family) {
  layout all = grid(1, 1, 1, 4);
  shardspec_metadata **metadata = calloc(n, sizeof *metadata);
  shardspec_checkpoint_tensor *tensors = calloc(n, sizeof *tensors);
  views shards = views_of(&all);
  char *names = calloc(n, NAME);
  for (size_t i = 0; i < n; i++) {
    snprintf(all.placements[0], 32, "rank:%zu/cpu", i);
    snprintf(names + NAME * i, NAME, "t%zu", i);
    metadata[i] = metadata_of(&all);
    tensors[i] = (shardspec_checkpoint_tensor){sizeof *tensors, names + NAME * i, metadata[i], NULL, shards.views, 1};
  }
  shardspec_checkpoint_write_options options = SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT;
  options.files = files;
  COUNTED(family, n, 0, shardspec_checkpoint_write, path_of(name), tensors, n, &options);
  COUNTED(family, n, 0, shardspec_checkpoint_commit, path_of(name), tensors, n, &options);
  for (size_t i = 0; i < n; i++) CHECK_OK(shardspec_metadata_free(metadata[i], &err));
  free(metadata);
  free(tensors);
  free(names);
  free_views(&shards);
  free_layout(&all);
}

static void count_opened(size_t n, const char *name, const char *family) {
  shardspec_checkpoint *checkpoint = NULL;
  COUNTED(family, n, 0, shardspec_checkpoint_open, path_of(name), &checkpoint);
  size_t count = 0;
  char text[32], *names = calloc(n, NAME);
  unsigned char bytes[4];
  int64_t shape[NDIM] = {1, 4}, sizes[NDIM];
  shardspec_dtype dtype;
  const shardspec_tensor_view view = view_of(bytes, BYTE, shape, NDIM);
  shardspec_checkpoint_item *items = calloc(n, sizeof *items);
  for (size_t i = 0; i < n; i++) {
    snprintf(names + NAME * i, NAME, "t%zu", i);
    items[i].struct_size = sizeof *items, items[i].name = names + NAME * i;
    items[i].shards = &view, items[i].shard_count = 1;
  }
  COUNTED_EACH(family, n, 0, shardspec_checkpoint_tensor_name, checkpoint, i, text, sizeof text, &count);
  COUNTED_EACH(family, n, 0, shardspec_checkpoint_find_tensor, checkpoint, items[i].name, &count);
  COUNTED_EACH(family, n, 0, shardspec_checkpoint_get_tensor, checkpoint, i, &dtype, sizes, NDIM, &count);
  COUNTED(family, n, 0, shardspec_checkpoint_check, checkpoint, items, n, NULL, 0, &count);
  CHECK_EQUAL(count, 0);
  free(names);
  free(items);
  COUNTED(family, n, 0, shardspec_checkpoint_free, checkpoint);
}

/* All tensors are read, each into bytes of its own. */
static void count_read(size_t n, const char *name, const char *family) {
  shardspec_checkpoint *checkpoint = NULL;
  CHECK_OK(shardspec_checkpoint_open(path_of(name), &checkpoint, &err));
  unsigned char *bytes = calloc(n, 4);
  char *names = calloc(n, NAME);
  int64_t shape[NDIM] = {1, 4};
  shardspec_tensor_view *to = calloc(n, sizeof *to);
  shardspec_checkpoint_item *items = calloc(n, sizeof *items);
  for (size_t i = 0; i < n; i++) {
    snprintf(names + NAME * i, NAME, "t%zu", i);
    to[i] = view_of(bytes + 4 * i, BYTE, shape, NDIM);
    items[i].struct_size = sizeof *items, items[i].name = names + NAME * i;
    items[i].shards = &to[i], items[i].shard_count = 1;
  }
  shardspec_checkpoint_read_options options = {sizeof options, 1, 0, 0, 0, 0, NULL, NULL};
  COUNTED(family, n, n, shardspec_checkpoint_read, checkpoint, items, n, &options, NULL, NULL);
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  free(bytes);
  free(names);
  free(to);
  free(items);
}

/* A tensor of n chunks, which another layout reads. */
static void count_chunks(size_t n) {
  const char *family = "n chunks";
  enum { HEIGHT = 16000, WIDTH = 4 };
  layout all = grid(n, 1, HEIGHT, WIDTH), to = grid(n / 2, 1, HEIGHT, WIDTH);
  put_all_on_one_rank(&all);
  shardspec_metadata *metadata = metadata_of(&all), *other = metadata_of(&to), *chunked = NULL;
  views shards = views_of(&all), destinations = views_of(&to);
  const shardspec_checkpoint_tensor tensor = {sizeof tensor, "w", metadata, NULL, shards.views, n};
  COUNTED(family, n, 0, shardspec_checkpoint_write, path_of("chunks"), &tensor, 1, NULL);
  COUNTED(family, n, 0, shardspec_checkpoint_commit, path_of("chunks"), &tensor, 1, NULL);
  shardspec_checkpoint *checkpoint = NULL;
  COUNTED(family, n, 0, shardspec_checkpoint_open, path_of("chunks"), &checkpoint);
  shardspec_shards *chunks = NULL;
  COUNTED(family, n, 0, shardspec_checkpoint_tensor_chunks, checkpoint, 0, &chunks);
  CHECK_OK(shardspec_shards_free(chunks, &err));
  COUNTED(family, n, 0, shardspec_checkpoint_tensor_metadata, checkpoint, 0, &chunked);
  CHECK_OK(shardspec_metadata_free(chunked, &err));
  size_t count = 0;
  shardspec_checkpoint_item item = SHARDSPEC_CHECKPOINT_ITEM_INIT;
  item.name = "w", item.metadata = other, item.shards = destinations.views, item.shard_count = n / 2;
  COUNTED(family, n, 0, shardspec_checkpoint_check, checkpoint, &item, 1, NULL, 0, &count);
  CHECK_EQUAL(count, 0);
  shardspec_checkpoint_read_options options = {sizeof options, 1, 0, 0, 0, 0, NULL, NULL};
  COUNTED(family, n, n, shardspec_checkpoint_read, checkpoint, &item, 1, &options, NULL, NULL);
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_metadata_free(other, &err));
  free_views(&shards);
  free_views(&destinations);
  free_layout(&all);
  free_layout(&to);
}

void count_checkpoints(size_t n) {
  char command[96];
  /* The library asks the disk to keep each file, which takes long; memory keeps nothing. */
  const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(folder, sizeof folder, "%s/shardspec-growth-XXXXXX", place);
  CHECK(mkdtemp(folder) != NULL);
  write_tensors(n, SHARDSPEC_CHECKPOINT_FILES_ONE, "one", "n tensors, one file");
  count_opened(n, "one", "n tensors, one file");
  count_read(n, "one", "n tensors, one file");
  /* Each takes long where the disk is asked to keep it. */
  const size_t files = n / 5;
  write_tensors(files, SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS, "many", "n files");
  count_opened(files, "many", "n files");
  count_read(files, "many", "n files");
  count_chunks(n);
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
}
