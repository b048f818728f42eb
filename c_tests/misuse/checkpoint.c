/* Checkpoints. */
#include "misuse.h"
#include "../checkpoints.h"

#define PATH checkpoint_path()
static shardspec_checkpoint *checkpoint, *freed;

static void opening(void) {
  shardspec_checkpoint **place = (shardspec_checkpoint **)&out.pointer;
  MISUSE(NULL_ARGUMENT, "NULL path", shardspec_checkpoint_open, NULL, place);
  MISUSE(INVALID_ARGUMENT, "empty path", shardspec_checkpoint_open, "", place);
  MISUSE(INVALID_ARGUMENT, "path that is not UTF-8", shardspec_checkpoint_open, NOT_UTF8, place);
  MISUSE(FILE_FAILED, "no such file", shardspec_checkpoint_open, "no/such/file", place);
  WRONG_OUT(shardspec_checkpoint *, shardspec_checkpoint_open, PATH, P);
  WRONG_ERROR(shardspec_checkpoint_open, PATH, place);
  for (int h = 1; h < WRONG_HANDLES; h++) {
    prepare();
    judge("shardspec_checkpoint_free", handle_misuses[h],
          shardspec_checkpoint_free((shardspec_checkpoint *)wrong_handles[h], &err), SHARDSPEC_INVALID_HANDLE, &err);
  }
  MISUSE(OK, "NULL handle", shardspec_checkpoint_free, NULL);
  WRONG_ERROR(shardspec_checkpoint_free, NULL);
}

static void asking(void) {
  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_tensor_count, H, &out.size);
  WRONG_OUT(size_t, shardspec_checkpoint_tensor_count, checkpoint, P);
  WRONG_ERROR(shardspec_checkpoint_tensor_count, checkpoint, &out.size);

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_tensor_name, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "tensor 2 of 2", shardspec_checkpoint_tensor_name, checkpoint, 2, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_checkpoint_tensor_name, checkpoint, 0, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_checkpoint_tensor_name, checkpoint, 0, out.text, 64, &out.needed);

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_find_tensor, H, "w", &out.size);
  MISUSE(NULL_ARGUMENT, "NULL name", shardspec_checkpoint_find_tensor, checkpoint, NULL, &out.size);
  MISUSE(INVALID_ARGUMENT, "name that is not UTF-8", shardspec_checkpoint_find_tensor, checkpoint, NOT_UTF8, &out.size);
  MISUSE(NOT_FOUND, "no such tensor", shardspec_checkpoint_find_tensor, checkpoint, "ww", &out.size);
  WRONG_OUT(size_t, shardspec_checkpoint_find_tensor, checkpoint, "w", P);
  WRONG_ERROR(shardspec_checkpoint_find_tensor, checkpoint, "w", &out.size);

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_get_tensor, H, 1, &out.dtype, out.numbers, 16, &out.size);
  MISUSE(INDEX_OUT_OF_RANGE, "tensor SIZE_MAX", shardspec_checkpoint_get_tensor, checkpoint, SIZE_MAX, &out.dtype, out.numbers, 16, &out.size);
  MISUSE(BUFFER_TOO_SMALL, "room for 1 size of 2", shardspec_checkpoint_get_tensor, checkpoint, 1, &out.dtype, out.numbers, 1, &out.size);
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", shardspec_checkpoint_get_tensor, checkpoint, 1, &out.dtype, out.numbers, SIZE_MAX, &out.size);
  MISUSE(INVALID_ARGUMENT, "sizes not aligned", shardspec_checkpoint_get_tensor, checkpoint, 1, &out.dtype, (int64_t *)(void *)((char *)out.numbers + 1), 2, &out.size);
  WRONG_ERROR(shardspec_checkpoint_get_tensor, checkpoint, 1, &out.dtype, out.numbers, 16, &out.size);

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_tensor_chunks, H, 0, &out.shards);
  MISUSE(INDEX_OUT_OF_RANGE, "tensor 2 of 2", shardspec_checkpoint_tensor_chunks, checkpoint, 2, &out.shards);
  WRONG_OUT(shardspec_shards *, shardspec_checkpoint_tensor_chunks, checkpoint, 0, P);
  WRONG_ERROR(shardspec_checkpoint_tensor_chunks, checkpoint, 0, &out.shards);

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_tensor_metadata, H, 0, &out.metadata);
  MISUSE(INDEX_OUT_OF_RANGE, "tensor 2 of 2", shardspec_checkpoint_tensor_metadata, checkpoint, 2, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_checkpoint_tensor_metadata, checkpoint, 0, P);
  WRONG_ERROR(shardspec_checkpoint_tensor_metadata, checkpoint, 0, &out.metadata);
}

/* Items that are wrong for a check and for a read alike. */
#define WRONG_ITEMS(function, ...)                                                                 \
  do {                                                                                             \
    shardspec_checkpoint_item ITEM = right;                                                        \
    MISUSE(NULL_ARGUMENT, "NULL items", function, checkpoint, NULL, 1, __VA_ARGS__);               \
    MISUSE(INVALID_ARGUMENT, "SIZE_MAX items", function, checkpoint, &ITEM, SIZE_MAX, __VA_ARGS__); \
    ITEM.struct_size = 8;                                                                          \
    MISUSE(INVALID_ARGUMENT, "item of 8 bytes", function, checkpoint, &ITEM, 1, __VA_ARGS__);      \
    ITEM = right, ITEM.name = NULL;                                                                \
    MISUSE(NULL_ARGUMENT, "NULL name", function, checkpoint, &ITEM, 1, __VA_ARGS__);               \
    ITEM = right, ITEM.name = NOT_UTF8;                                                            \
    MISUSE(INVALID_ARGUMENT, "name that is not UTF-8", function, checkpoint, &ITEM, 1, __VA_ARGS__); \
    ITEM = right, ITEM.metadata = (shardspec_metadata *)chunk;                                     \
    MISUSE(INVALID_HANDLE, "a spec as metadata", function, checkpoint, &ITEM, 1, __VA_ARGS__);     \
    ITEM = right, ITEM.tensor = tensor;                                                            \
    MISUSE(INVALID_ARGUMENT, "two destinations", function, checkpoint, &ITEM, 1, __VA_ARGS__);     \
    ITEM.metadata = NULL, ITEM.shard_count = 0, ITEM.tensor = (shardspec_sharded_tensor *)metadata; \
    MISUSE(INVALID_HANDLE, "metadata as a tensor", function, checkpoint, &ITEM, 1, __VA_ARGS__);   \
    ITEM = right, ITEM.indices = past_end;                                                         \
    MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", function, checkpoint, &ITEM, 1, __VA_ARGS__);       \
  } while (0)

static void checking_and_reading(void) {
  static const size_t past_end[] = {0, 2}, twice[] = {1, 1};
  shardspec_error problems[2] = {SHARDSPEC_ERROR_INIT, SHARDSPEC_ERROR_INIT};
  shardspec_checkpoint_item right = {sizeof right, "w", NULL, metadata, NULL, shards, 2}, item = right;
  shardspec_checkpoint_read_options options = {0};
  shardspec_checkpoint_read_report report = {0};
  shardspec_sharded_tensor *tensor;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &tensor, &err));
  report.struct_size = sizeof report;

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_check, H, &right, 1, problems, 2, &out.size);
  WRONG_ITEMS(shardspec_checkpoint_check, problems, 2, &out.size);
  MISUSE(NULL_ARGUMENT, "NULL problems", shardspec_checkpoint_check, checkpoint, &right, 1, NULL, 2, &out.size);
  MISUSE(INVALID_ARGUMENT, "room for SIZE_MAX problems", shardspec_checkpoint_check, checkpoint, &right, 1, problems, SIZE_MAX, &out.size);
  problems[1].struct_size = 7;
  MISUSE(INVALID_ARGUMENT, "a problem of 7 bytes", shardspec_checkpoint_check, checkpoint, &right, 1, problems, 2, &out.size);
  problems[1].struct_size = sizeof problems[1];
  WRONG_OUT(size_t, shardspec_checkpoint_check, checkpoint, &right, 1, problems, 2, P);
  WRONG_ERROR(shardspec_checkpoint_check, checkpoint, &right, 1, problems, 2, &out.size);

  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_read, H, &right, 1, NULL, &out.i32, &report);
  WRONG_ITEMS(shardspec_checkpoint_read, NULL, &out.i32, &report);
  item = right, item.indices = twice;
  MISUSE(INVALID_ARGUMENT, "a shard twice", shardspec_checkpoint_read, checkpoint, &item, 1, NULL, &out.i32, &report);
  item = right, item.shards = NULL;
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_checkpoint_read, checkpoint, &item, 1, NULL, &out.i32, &report);
  item = right, item.name = "v";
  MISUSE(NOT_FOUND, "no such tensor", shardspec_checkpoint_read, checkpoint, &item, 1, NULL, &out.i32, &report);
  item = right, item.name = "b";
  MISUSE(NDIM_MISMATCH, "a vector as a matrix", shardspec_checkpoint_read, checkpoint, &item, 1, NULL, &out.i32, &report);
  item = right, item.shards = &full, item.shard_count = 1;
  MISUSE(SHAPE_MISMATCH, "the tensor as a shard", shardspec_checkpoint_read, checkpoint, &item, 1, NULL, &out.i32, &report);
  options.struct_size = 4;
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_checkpoint_read, checkpoint, &right, 1, &options, &out.i32, &report);
  options.struct_size = sizeof options, options.over_read = 0.5;
  MISUSE(INVALID_ARGUMENT, "over_read 0.5", shardspec_checkpoint_read, checkpoint, &right, 1, &options, &out.i32, &report);
  options.over_read = 0, options.success_status = SHARDSPEC_GAP;
  MISUSE(INVALID_ARGUMENT, "a failure as success", shardspec_checkpoint_read, checkpoint, &right, 1, &options, &out.i32, &report);
  report.struct_size = 8;
  MISUSE(INVALID_ARGUMENT, "report of 8 bytes", shardspec_checkpoint_read, checkpoint, &right, 1, NULL, &out.i32, &report);
  report.struct_size = sizeof report;
  MISUSE(INVALID_ARGUMENT, "whole not aligned", shardspec_checkpoint_read, checkpoint, &right, 1, NULL, (int32_t *)(void *)((char *)out.numbers + 1), &report);
  WRONG_ERROR(shardspec_checkpoint_read, checkpoint, &right, 1, NULL, &out.i32, &report);
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}

/* Of a single rank: the two shards of the layout are on ranks 0 and 1. */
static void reading_together(void) {
  shardspec_comm *comm;
  static const size_t second[] = {1};
  shardspec_checkpoint_item right = {sizeof right, "w", NULL, NULL, NULL, &full, 1}, item = right;
  shardspec_checkpoint_read_options options = {0};
  shardspec_comm_options moves = {0};
  shardspec_checkpoint_read_report report = {0};
  report.struct_size = sizeof report;
  CHECK_OK(shardspec_comm_new_local(1, &comm, &err));
  WRONG_HANDLE(shardspec_checkpoint, NULL_ARGUMENT, shardspec_checkpoint_read_collective, H, comm, &right, 1, NULL, NULL, &out.i32, &report);
  MISUSE(NULL_ARGUMENT, "NULL comm", shardspec_checkpoint_read_collective, checkpoint, NULL, &right, 1, NULL, NULL, &out.i32, &report);
  MISUSE(INVALID_HANDLE, "a checkpoint as comm", shardspec_checkpoint_read_collective, checkpoint, (shardspec_comm *)checkpoint, &right, 1, NULL, NULL, &out.i32, &report);
  MISUSE(NULL_ARGUMENT, "NULL items", shardspec_checkpoint_read_collective, checkpoint, comm, NULL, 1, NULL, NULL, &out.i32, &report);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX items", shardspec_checkpoint_read_collective, checkpoint, comm, &right, SIZE_MAX, NULL, NULL, &out.i32, &report);
  item.struct_size = 8;
  MISUSE(INVALID_ARGUMENT, "item of 8 bytes", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.name = NULL;
  MISUSE(NULL_ARGUMENT, "NULL name", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.name = "v";
  MISUSE(NOT_FOUND, "no such tensor", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.metadata = metadata, item.shards = shards;
  MISUSE(INVALID_PLACEMENT, "a shard on rank 1 of 1", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.metadata = (shardspec_metadata *)chunk;
  MISUSE(INVALID_HANDLE, "a spec as metadata", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.indices = second;
  MISUSE(INDEX_OUT_OF_RANGE, "shard 1 of 1", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.shards = NULL;
  MISUSE(NULL_ARGUMENT, "NULL shards", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.shard_count = 0;
  MISUSE(INVALID_ARGUMENT, "no shard of one", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  item = right, item.shards = shards;
  MISUSE(SHAPE_MISMATCH, "a shard as the tensor", shardspec_checkpoint_read_collective, checkpoint, comm, &item, 1, NULL, NULL, &out.i32, &report);
  options.struct_size = 4;
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_checkpoint_read_collective, checkpoint, comm, &right, 1, &options, NULL, &out.i32, &report);
  moves.struct_size = 4;
  MISUSE(INVALID_ARGUMENT, "comm_options of 4 bytes", shardspec_checkpoint_read_collective, checkpoint, comm, &right, 1, NULL, &moves, &out.i32, &report);
  report.struct_size = 8;
  MISUSE(INVALID_ARGUMENT, "report of 8 bytes", shardspec_checkpoint_read_collective, checkpoint, comm, &right, 1, NULL, NULL, &out.i32, &report);
  report.struct_size = sizeof report;
  WRONG_ERROR(shardspec_checkpoint_read_collective, checkpoint, comm, &right, 1, NULL, NULL, &out.i32, &report);
  CHECK_OK(shardspec_comm_free(comm, &err));
}

static void choosing_readers(void) {
  const shardspec_metadata *layouts[] = {metadata, metadata}, *wrong[] = {metadata, (shardspec_metadata *)chunk};
  const shardspec_metadata *null[] = {NULL};
  MISUSE(NULL_ARGUMENT, "NULL metadatas", shardspec_checkpoint_choose_readers, NULL, 1, out.u32s, 8, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL metadata", shardspec_checkpoint_choose_readers, null, 1, out.u32s, 8, &out.needed);
  MISUSE(INVALID_HANDLE, "a spec as metadata", shardspec_checkpoint_choose_readers, wrong, 2, out.u32s, 8, &out.needed);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX layouts", shardspec_checkpoint_choose_readers, layouts, SIZE_MAX, out.u32s, 8, &out.needed);
  MISUSE(BUFFER_TOO_SMALL, "room for 3 of 4", shardspec_checkpoint_choose_readers, layouts, 2, out.u32s, 3, &out.needed);
  MISUSE(NULL_ARGUMENT, "NULL readers", shardspec_checkpoint_choose_readers, layouts, 2, NULL, 4, &out.needed);
  WRONG_ERROR(shardspec_checkpoint_choose_readers, layouts, 2, out.u32s, 8, &out.needed);
}

void misuse_checkpoints(void) {
  write_safetensors(PATH, CHECKPOINT_HEADER, CHECKPOINT_DATA, sizeof CHECKPOINT_DATA);
  CHECK_OK(shardspec_checkpoint_open(PATH, &checkpoint, &err));
  CHECK_OK(shardspec_checkpoint_open(PATH, &freed, &err));
  CHECK_OK(shardspec_checkpoint_free(freed, &err));
  wrong_handles_for(freed, checkpoint, metadata, chunk);
  opening();
  asking();
  checking_and_reading();
  reading_together();
  choosing_readers();
  CHECK_OK(shardspec_checkpoint_free(checkpoint, &err));
  remove(PATH);
}
