/* Checkpoints: what is in them, and reading parts of it. */
#include "checkpoints.h"

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static const char *const RANKS[2] = {"rank:0", "rank:1"};
#define PATH checkpoint_path()

static shardspec_checkpoint *open_one(void) {
  shardspec_checkpoint *checkpoint = NULL;
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, sizeof CHECKPOINT_DATA);
  CHECK_OK(shardspec_checkpoint_open(PATH, &checkpoint, &err));
  return checkpoint;
}

static shardspec_metadata *halves(int64_t dim) {
  const int64_t sizes[] = {4, 3};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(dim, RANKS, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static void tensors_are_listed_by_name(void) {
  shardspec_checkpoint *checkpoint = open_one();
  size_t count = 0, index = 9, ndim = 9, needed = 0;
  int64_t sizes[4];
  shardspec_dtype dtype;
  char name[8];
  CHECK_OK(shardspec_checkpoint_tensor_count(checkpoint, &count, &err));
  CHECK_EQUAL(count, 2);
  CHECK_OK(shardspec_checkpoint_tensor_name(checkpoint, 1, name, sizeof name, &needed, &err));
  CHECK_TEXT(name, "w");
  CHECK_EQUAL(needed, 2);
  CHECK_OK(shardspec_checkpoint_find_tensor(checkpoint, "w", &index, &err));
  CHECK_EQUAL(index, 1);
  CHECK_OK(shardspec_checkpoint_get_tensor(checkpoint, 1, &dtype, sizes, 4, &ndim, &err));
  CHECK(dtype.code == SHARDSPEC_DTYPE_FLOAT && dtype.bits == 32 && ndim == 2);
  CHECK(sizes[0] == 4 && sizes[1] == 3);
  CHECK_OK(shardspec_checkpoint_get_tensor(checkpoint, 0, NULL, NULL, 0, &ndim, &err));
  CHECK_EQUAL(ndim, 1);
  CHECK_STATUS(shardspec_checkpoint_get_tensor(checkpoint, 1, NULL, sizes, 1, NULL, &err), SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_STATUS(shardspec_checkpoint_find_tensor(checkpoint, "x", &index, &err), SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("tensor \"x\": no file has it");
  CHECK_EQUAL(index, 1);
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
}

static void chunks_are_shards_whose_placements_are_files(void) {
  shardspec_checkpoint *checkpoint = open_one();
  shardspec_metadata *metadata;
  shardspec_shards *chunks;
  size_t count = 0;
  char text[64];
  CHECK_OK(shardspec_checkpoint_tensor_metadata(checkpoint, 1, &metadata, &err));
  CHECK_OK(shardspec_checkpoint_tensor_chunks(checkpoint, 1, &chunks, &err));
  /* Neither needs the checkpoint, or the file. */
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  remove(PATH);
  CHECK_OK(shardspec_metadata_shard_placement_text(metadata, 0, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, PATH);
  CHECK_OK(shardspec_shards_count(chunks, &count, &err));
  CHECK_EQUAL(count, 1);
  CHECK_OK(shardspec_shards_free(chunks, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

typedef struct progress {
  int calls;
  uint64_t done, total;
  shardspec_status answer;
} progress;

static shardspec_status note(void *ctx, uint64_t done, uint64_t total, shardspec_error *told) {
  progress *own = ctx;
  own->calls++;
  own->done = done;
  own->total = total;
  if (own->answer != SHARDSPEC_OK) strcpy(told->message, "the user said no");
  return own->answer;
}

static void parts_of_several_tensors_are_read_in_one_call(void) {
  shardspec_checkpoint *checkpoint = open_one();
  shardspec_metadata *columns = halves(1);
  shardspec_sharded_tensor *tensor;
  const size_t indices[] = {1};
  float first[2][4] = {{-1, -1, -1, -1}, {-1, -1, -1, -1}}, all[4];
  int64_t shape[] = {4, 1}, strides[] = {1, 4}, four[] = {4}, shape_of_local[2], strides_of_local[2];
  int32_t whole[3] = {7, 7, 7};
  shardspec_tensor_view views[2] = {view_of(first[1], FLOAT32, shape, 2), view_of(all, FLOAT32, four, 1)}, local;
  shardspec_checkpoint_item items[3] = {{0}};
  shardspec_checkpoint_read_options options = {0};
  shardspec_checkpoint_read_report report = {0};
  shardspec_metadata *typed;
  shardspec_tensor_properties floats;
  shardspec_spec *spec;
  const int64_t sizes[] = {4, 3};
  progress told = {0};
  floats.struct_size = sizeof floats;
  CHECK_OK(shardspec_tensor_properties_init(&floats, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &floats, &typed, &err));
  CHECK_OK(shardspec_sharded_tensor_new(typed, "rank:1", SHARDSPEC_FILL_UNINITIALIZED, &tensor, &err));
  /* The last column, in a row of memory; the second half of the rows; and all of a vector. */
  views[0].strides = strides;
  for (int i = 0; i < 3; i++) items[i].struct_size = sizeof items[i];
  items[0].name = "w", items[0].metadata = columns, items[0].indices = indices;
  items[0].shards = views, items[0].shard_count = 1;
  items[1].name = "w", items[1].tensor = tensor;
  items[2].name = "b", items[2].shards = views + 1, items[2].shard_count = 1;
  options.struct_size = sizeof options, options.progress = note, options.progress_ctx = &told;
  report.struct_size = sizeof report;
  CHECK_OK(shardspec_checkpoint_read(checkpoint, items, 3, &options, whole, &report, &err));
  CHECK(first[1][0] == 2 && first[1][1] == 5 && first[1][2] == 8 && first[1][3] == 11);
  for (int i = 0; i < 4; i++) CHECK(first[0][i] == -1 && all[i] == 20 + i);
  CHECK_OK(shardspec_sharded_tensor_local_view(tensor, 0, shape_of_local, strides_of_local, 2, &local, &err));
  for (int i = 0; i < 6; i++) CHECK(((float *)local.data)[i] == 6 + i);
  CHECK(whole[0] == 1 && whole[1] == 1 && whole[2] == 1);
  CHECK(report.bytes_needed == 16 + 24 + 16 && report.read_count == 1 && report.bytes_read <= 64);
  CHECK(told.calls >= 1 && told.done == 56 && told.total == 56);

  /* A callback that says no, and a file that is gone. */
  told.answer = SHARDSPEC_USER_STATUS + 3;
  CHECK_STATUS(shardspec_checkpoint_read(checkpoint, items, 3, &options, whole, NULL, &err), SHARDSPEC_USER_STATUS + 3);
  CHECK_MESSAGE("the user said no");
  remove(PATH);
  CHECK_STATUS(shardspec_checkpoint_read(checkpoint, items, 3, NULL, whole, &report, &err), SHARDSPEC_FILE_FAILED);
  CHECK_MESSAGE(PATH);
  CHECK(whole[0] == 0 && whole[1] == 0 && whole[2] == 0 && report.read_count == 0);
  CHECK(err.got != 0);

  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(typed, &err));
  CHECK_OK(shardspec_metadata_free(columns, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
}

static void everything_that_is_wrong_is_listed(void) {
  shardspec_checkpoint *checkpoint = open_one();
  shardspec_metadata *rows = halves(0);
  shardspec_error problems[2] = {SHARDSPEC_ERROR_INIT, SHARDSPEC_ERROR_INIT};
  shardspec_checkpoint_item items[4] = {{0}};
  const char *const names[] = {"w", "missing", "b", "v"};
  size_t count = 9;
  for (int i = 0; i < 4; i++)
    items[i].struct_size = sizeof items[i], items[i].name = names[i], items[i].metadata = rows, items[i].shard_count = 2;
  CHECK_OK(shardspec_checkpoint_check(checkpoint, items, 4, problems, 2, &count, &err));
  CHECK_EQUAL(count, 3);
  CHECK(problems[0].status == SHARDSPEC_NOT_FOUND && problems[0].index == 1);
  CHECK(problems[1].status == SHARDSPEC_NDIM_MISMATCH && problems[1].index == 2);
  CHECK(strstr(problems[1].message, "items[2]: tensor \"b\"") != NULL);
  CHECK_OK(shardspec_checkpoint_check(checkpoint, items, 1, NULL, 0, &count, &err));
  CHECK_EQUAL(count, 0);
  CHECK_OK(shardspec_checkpoint_check(checkpoint, NULL, 0, NULL, 0, &count, &err));
  CHECK_EQUAL(count, 0);
  CHECK_OK(shardspec_metadata_free(rows, &err));
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
}

static void a_refused_read_writes_nothing(void) {
  shardspec_checkpoint *checkpoint = open_one();
  float matrix[12], vector[4];
  int64_t shape[] = {4, 3}, four[] = {4};
  shardspec_tensor_view views[2] = {view_of(matrix, FLOAT32, shape, 2), view_of(vector, FLOAT32, four, 1)};
  shardspec_checkpoint_item items[2] = {{0}};
  memset(matrix, 0xa5, sizeof matrix);
  for (int i = 0; i < 2; i++) items[i].struct_size = sizeof items[i], items[i].shards = views + i, items[i].shard_count = 1;
  items[0].name = "w", items[1].name = "x";
  CHECK_STATUS(shardspec_checkpoint_read(checkpoint, items, 2, NULL, NULL, NULL, &err), SHARDSPEC_NOT_FOUND);
  CHECK_EQUAL(err.index, 1);
  items[1].name = "b", views[1].data = matrix + 8;
  CHECK_STATUS(shardspec_checkpoint_read(checkpoint, items, 2, NULL, NULL, NULL, &err), SHARDSPEC_ALIASED);
  for (size_t i = 0; i < sizeof matrix; i++) CHECK(((unsigned char *)matrix)[i] == 0xa5);
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
}

static void a_file_that_ends_early_is_refused_when_it_is_opened(void) {
  shardspec_checkpoint *checkpoint = (void *)1;
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, 63);
  CHECK_STATUS(shardspec_checkpoint_open(PATH, &checkpoint, &err), SHARDSPEC_INVALID_FILE);
  CHECK_MESSAGE("tensor \"b\" ends at byte");
  CHECK(checkpoint == (void *)1);
  CHECK(err.limit == err.got + 1);
}

int main(void) {
  tensors_are_listed_by_name();
  chunks_are_shards_whose_placements_are_files();
  parts_of_several_tensors_are_read_in_one_call();
  everything_that_is_wrong_is_listed();
  a_refused_read_writes_nothing();
  a_file_that_ends_early_is_refused_when_it_is_opened();
  remove(PATH);
  return 0;
}
