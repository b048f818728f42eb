/* Checkpoints with n tensors in one file, with n files, and with a tensor of n chunks; in the library's format, in
 * that of torch, and from one into the other. */
#define _POSIX_C_SOURCE 200809L
#include "growth.h"

#include <unistd.h>

enum { NAME = 32, HEIGHT = 16000, WIDTH = 4 };
static char folder[64];

const char *path_of(const char *name) {
  static char paths[2][96];
  static size_t next;
  char *path = paths[next++ % COUNT(paths)];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
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
  for (size_t i = 0; i < 4 * n; i++) CHECK_EQUAL(bytes[i], byte_at(i % 4));
  free(bytes);
  free(names);
  free(to);
  free(items);
}

/* One read for each shard. What all reads need of the chunks is found once. */
static void count_read_by_shards(size_t n, shardspec_checkpoint *checkpoint, shardspec_metadata *metadata,
                                 const views *shards, const char *family) {
  char name[64];
  snprintf(name, sizeof name, "%s, n reads", family);
  shardspec_checkpoint_read_options options = {sizeof options, 1, 0, 0, 0, 0, NULL, NULL};
  shardspec_checkpoint_item *items = calloc(n, sizeof *items);
  size_t *indices = calloc(n, sizeof *indices);
  for (size_t i = 0; i < n; i++) {
    indices[i] = i;
    items[i] = (shardspec_checkpoint_item)SHARDSPEC_CHECKPOINT_ITEM_INIT;
    items[i].name = "t0", items[i].metadata = metadata, items[i].indices = &indices[i];
    items[i].shards = &shards->views[i], items[i].shard_count = 1;
  }
  COUNTED_EACH(name, n, 2 * n, shardspec_checkpoint_read, checkpoint, &items[i], 1, &options, NULL, NULL);
  free(items);
  free(indices);
}

/* The tensor of n chunks, which another layout reads. */
static void count_chunked(size_t n, const char *name, const char *family) {
  layout to = grid(n / 2, 1, HEIGHT, WIDTH);
  shardspec_metadata *other = metadata_of(&to), *chunked = NULL;
  views destinations = views_of(&to);
  memset(destinations.bytes, 0, HEIGHT * WIDTH);
  shardspec_checkpoint *checkpoint = NULL;
  COUNTED(family, n, 0, shardspec_checkpoint_open, path_of(name), &checkpoint);
  shardspec_shards *chunks = NULL;
  COUNTED(family, n, 0, shardspec_checkpoint_tensor_chunks, checkpoint, 0, &chunks);
  CHECK_OK(shardspec_shards_free(chunks, &err));
  COUNTED(family, n, 0, shardspec_checkpoint_tensor_metadata, checkpoint, 0, &chunked);
  CHECK_OK(shardspec_metadata_free(chunked, &err));
  size_t count = 0;
  shardspec_checkpoint_item item = SHARDSPEC_CHECKPOINT_ITEM_INIT;
  item.name = "t0", item.metadata = other, item.shards = destinations.views, item.shard_count = n / 2;
  COUNTED(family, n, 0, shardspec_checkpoint_check, checkpoint, &item, 1, NULL, 0, &count);
  CHECK_EQUAL(count, 0);
  shardspec_checkpoint_read_options options = {sizeof options, 1, 0, 0, 0, 0, NULL, NULL};
  COUNTED(family, n, n, shardspec_checkpoint_read, checkpoint, &item, 1, &options, NULL, NULL);
  memset(destinations.bytes, 0, HEIGHT * WIDTH);
  count_read_by_shards(n / 2, checkpoint, other, &destinations, family);
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  CHECK_OK(shardspec_metadata_free(other, &err));
  for (size_t i = 0; i < HEIGHT * WIDTH; i++) CHECK_EQUAL(destinations.bytes[i], byte_at(i));
  free_views(&destinations);
  free_layout(&to);
}

static void write_chunks(size_t n, const char *family) {
  layout all = grid(n, 1, HEIGHT, WIDTH);
  put_all_on_one_rank(&all);
  shardspec_metadata *metadata = metadata_of(&all);
  views shards = views_of(&all);
  const shardspec_checkpoint_tensor tensor = {sizeof tensor, "t0", metadata, NULL, shards.views, n};
  COUNTED(family, n, 0, shardspec_checkpoint_write, path_of("chunks"), &tensor, 1, NULL);
  COUNTED(family, n, 0, shardspec_checkpoint_commit, path_of("chunks"), &tensor, 1, NULL);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  free_views(&shards);
  free_layout(&all);
}

/* Tensors, or the chunks of one, in files that torch would write. */
static void count_torch(size_t n, size_t files) {
  write_torch("torch", n, 1, (int64_t[]){1, 4}, 2);
  count_opened(n, "torch", "torch, n tensors");
  count_read(n, "torch", "torch, n tensors");
  write_torch("torch-many", files, 1, (int64_t[]){1, 4}, files);
  count_opened(files, "torch-many", "torch, n files");
  count_read(files, "torch-many", "torch, n files");
  write_torch("torch-chunks", 1, n, (int64_t[]){HEIGHT, WIDTH}, 2);
  count_chunked(n, "torch-chunks", "torch, n chunks");
}

/* One checkpoint into another, whose tensors a spec cuts along `dim` for `owners` ranks. */
static void count_converted(size_t n, const char *from, const char *to, int64_t dim, size_t owners,
                            const char *family) {
  layout names = grid(owners, 1, (int64_t)owners, 1);
  shardspec_checkpoint_rule rule = SHARDSPEC_CHECKPOINT_RULE_INIT;
  shardspec_checkpoint_write_options options = SHARDSPEC_CHECKPOINT_WRITE_OPTIONS_INIT;
  shardspec_spec *spec = NULL;
  CHECK_OK(shardspec_spec_new_chunk(dim, (const char *const *)names.placements, owners, &spec, &err));
  rule.pattern = "t*", rule.spec = spec;
  options.files = owners == 1 ? SHARDSPEC_CHECKPOINT_FILES_ONE : SHARDSPEC_CHECKPOINT_FILES_OF_OWNERS;
  COUNTED(family, n, 0, shardspec_checkpoint_convert, path_of(from), path_of(to), &rule, 1, &options);
  CHECK_OK(shardspec_spec_free(spec, &err));
  free_layout(&names);
}

static void count_conversions(size_t n, size_t files) {
  count_converted(n, "one", "converted-one", 1, 1, "n tensors, one file");
  count_read(n, "converted-one", "converted, n tensors");
  count_converted(files, "many", "converted-many", 1, 1, "n files");
  count_converted(n, "chunks", "converted-chunks", 1, 1, "n chunks");
  count_converted(n, "converted-chunks", "converted-shards", 0, n, "to n shards in n files");
  count_converted(n, "torch", "converted-torch", 1, 1, "torch, n tensors");
  count_converted(n, "torch-chunks", "converted-torch-chunks", 0, n, "torch, n chunks to n shards");
  count_chunked(n, "converted-torch-chunks", "converted, n shards");
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
  write_chunks(n, "n chunks");
  count_chunked(n, "chunks", "n chunks");
  count_torch(n, files);
  count_conversions(n, files);
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
}
