/* Checkpoints: opened, asked, checked and read. */
#include "scenarios.h"
#include "../checkpoints.h"

#define PATH checkpoint_path()

static shardspec_status ignore_progress(void *ctx, uint64_t done, uint64_t total, shardspec_error *told) {
  (void)ctx, (void)told;
  return done <= total ? SHARDSPEC_OK : SHARDSPEC_INTERNAL;
}

void checkpoints_are_opened(void) {
  shardspec_checkpoint *checkpoint;
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, sizeof CHECKPOINT_DATA);
  CALL(OK, shardspec_checkpoint_open, PATH, (shardspec_checkpoint **)&out.pointer);
  checkpoint = out.pointer;
  CALL(FILE_FAILED, shardspec_checkpoint_open, "no/such/file", (shardspec_checkpoint **)&out.pointer);
  CALL(OK, shardspec_checkpoint_tensor_count, checkpoint, &out.size);
  CHECK_EQUAL(out.size, 2);
  CALL(OK, shardspec_checkpoint_tensor_name, checkpoint, 0, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_checkpoint_find_tensor, checkpoint, "w", &out.size);
  CALL(NOT_FOUND, shardspec_checkpoint_find_tensor, checkpoint, "x", &out.size);
  CALL(OK, shardspec_checkpoint_get_tensor, checkpoint, 1, &out.dtype, out.numbers, 4, &out.size);
  CALL(OK, shardspec_checkpoint_tensor_chunks, checkpoint, 1, &out.shards);
  FREE(shardspec_shards_free, out.shards);
  CALL(OK, shardspec_checkpoint_tensor_metadata, checkpoint, 1, &out.metadata);
  drop_metadata(out.metadata);
  FREE(shardspec_checkpoint_free, checkpoint);
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, 60);
  CALL(INVALID_FILE, shardspec_checkpoint_open, PATH, (shardspec_checkpoint **)&out.pointer);
  remove(PATH);
}

void checkpoints_are_read(void) {
  shardspec_checkpoint *checkpoint;
  shardspec_metadata *columns;
  shardspec_spec *spec = chunk_spec(2);
  const int64_t sizes[] = {4, 3};
  shardspec_spec *by_columns;
  float column[4], vector[4];
  int64_t shape[] = {4, 1}, four[] = {4};
  shardspec_tensor_view views[2] = {view_of(column, FLOAT32, shape, 2), view_of(vector, FLOAT32, four, 1)};
  const size_t last[] = {1};
  shardspec_checkpoint_item items[2] = {{0}};
  shardspec_checkpoint_read_options options = {0};
  shardspec_error problems[2] = {SHARDSPEC_ERROR_INIT, SHARDSPEC_ERROR_INIT};
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, sizeof CHECKPOINT_DATA);
  CHECK_OK(shardspec_checkpoint_open(PATH, &checkpoint, &err));
  CHECK_OK(shardspec_spec_new_chunk(1, RANKS, 2, &by_columns, &err));
  CHECK_OK(shardspec_spec_build_metadata(by_columns, sizes, 2, NULL, &columns, &err));
  for (int i = 0; i < 2; i++) items[i].struct_size = sizeof items[i], items[i].shards = views + i, items[i].shard_count = 1;
  items[0].name = "w", items[0].metadata = columns, items[0].indices = last;
  items[1].name = "b";
  options.struct_size = sizeof options, options.progress = ignore_progress;
  CALL(OK, shardspec_checkpoint_check, checkpoint, items, 2, NULL, 0, &out.size);
  CHECK_EQUAL(out.size, 0);
  written_next(column, sizeof column);
  CALL(OK, shardspec_checkpoint_read, checkpoint, items, 2, &options, (int32_t *)out.u32s, NULL);
  CHECK(column[3] == 11 && vector[3] == 23);
  memset(vector, 0, sizeof vector);
  shardspec_comm *alone;
  CHECK_OK(shardspec_comm_new_local(1, &alone, &err));
  /* Memory may run out between reads, when destinations are written already. */
  CALL(OK, shardspec_checkpoint_read_collective, checkpoint, alone, items + 1, 1, &options, NULL, NULL, NULL);
  CHECK(vector[3] == 23);
  CALL(INVALID_PLACEMENT, shardspec_checkpoint_read_collective, checkpoint, alone, items, 2, NULL, NULL, NULL, NULL);
  CHECK_OK(shardspec_comm_free(alone, &err));
  items[0].name = "x";
  CALL(OK, shardspec_checkpoint_check, checkpoint, items, 2, problems, 2, &out.size);
  CHECK_EQUAL(out.size, 1);
  CALL(NOT_FOUND, shardspec_checkpoint_read, checkpoint, items, 2, NULL, (int32_t *)out.u32s, NULL);
  CALL(OK, shardspec_checkpoint_check, checkpoint, NULL, 0, NULL, 0, &out.size);
  CALL(OK, shardspec_checkpoint_choose_readers, (const shardspec_metadata *const[]){columns, columns}, 2, out.u32s, 16, &out.size);
  CHECK_EQUAL(out.size, 4);
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  CHECK_OK(shardspec_spec_free(by_columns, &err));
  drop_metadata(columns), drop_spec(spec);
  remove(PATH);
}
