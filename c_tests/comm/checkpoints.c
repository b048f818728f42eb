/* Checkpoints that all ranks read together, on every rank. */
#define _POSIX_C_SOURCE 200809L
#include "ranks.h"
#include "../checkpoints.h"

enum { TENSORS = 3 };

/* What the ranks share: a file with tensors, and layouts of these. */
typedef struct shared_file {
  char path[64];
  cut tensors[TENSORS];
  shardspec_checkpoint_item items[TENSORS];
  shardspec_checkpoint *checkpoint;
  uint64_t bytes;
} shared_file;

static const char *const NAMES[TENSORS] = {"a", "b", "c"};

/* Sends bytes of rank 0 to all others. */
static void broadcast(shardspec_comm *comm, void *bytes, size_t count) {
  int64_t size = size_of(comm);
  shardspec_message messages[64], receive = {0, bytes, count};
  if (rank_of(comm) != 0) {
    CHECK(shardspec_comm_exchange(comm, NULL, 0, &receive, 1, NULL) == SHARDSPEC_OK);
    return;
  }
  CHECK(size <= 64);
  for (int64_t peer = 1; peer < size; peer++) messages[peer - 1] = (shardspec_message){peer, bytes, count};
  CHECK(shardspec_comm_exchange(comm, messages, (size_t)size - 1, NULL, 0, NULL) == SHARDSPEC_OK);
}

/* The sum of a number of all ranks, on rank 0. */
static uint64_t sum_of_all(shardspec_comm *comm, uint64_t own) {
  int64_t size = size_of(comm);
  uint64_t numbers[64] = {0};
  shardspec_message send = {0, &own, sizeof own}, receives[64];
  if (rank_of(comm) != 0) {
    CHECK(shardspec_comm_exchange(comm, &send, 1, NULL, 0, NULL) == SHARDSPEC_OK);
    return 0;
  }
  for (int64_t peer = 1; peer < size; peer++)
    receives[peer - 1] = (shardspec_message){peer, &numbers[peer], sizeof own};
  CHECK(shardspec_comm_exchange(comm, NULL, 0, receives, (size_t)size - 1, NULL) == SHARDSPEC_OK);
  for (int64_t peer = 1; peer < size; peer++) own += numbers[peer];
  return own;
}

/* Rank 0 writes the file, and all ranks open it. */
static void open_shared_file(shared_file *file, shardspec_comm *comm, shardspec_error *rank_err) {
  if (rank_of(comm) == 0) {
    char header[512];
    size_t length = 0, start = 0;
    int32_t *bytes = NULL;
    for (int t = 0; t < TENSORS; t++) {
      const cut *c = &file->tensors[t];
      size_t numel = (size_t)(c->sizes[0] * c->sizes[1]), end = start + numel * sizeof *bytes;
      length += (size_t)snprintf(header + length, sizeof header - length,
                                 "%c\"%s\":{\"dtype\":\"I32\",\"shape\":[%lld,%lld],\"data_offsets\":[%zu,%zu]}",
                                 t == 0 ? '{' : ',', NAMES[t], (long long)c->sizes[0], (long long)c->sizes[1],
                                 start, end);
      bytes = realloc(bytes, end + 1);
      CHECK(bytes != NULL && length + 2 < sizeof header);
      memcpy((char *)bytes + start, c->full, numel * sizeof *bytes);
      start = end;
    }
    memcpy(header + length, "}", 2);
    /* Tests of other programs, and of other numbers of ranks, run at the same time. */
    snprintf(file->path, sizeof file->path, "collective-%ld.safetensors", (long)getpid());
    write_safetensors(file->path, header, bytes, start);
    file->bytes = start;
    free(bytes);
  }
  broadcast(comm, file->path, sizeof file->path);
  CHECK_OK(shardspec_checkpoint_open(file->path, &file->checkpoint, &err));
  for (int t = 0; t < TENSORS; t++) {
    clear_shards(&file->tensors[t]);
    file->items[t] = (shardspec_checkpoint_item){.struct_size = sizeof file->items[t],
                                                 .name = NAMES[t],
                                                 .metadata = file->tensors[t].metadata,
                                                 .shards = file->tensors[t].shards,
                                                 .shard_count = file->tensors[t].count};
  }
}

static void free_shared_file(shared_file *file, shardspec_comm *comm, shardspec_error *rank_err) {
  wait_for_all(comm);
  if (rank_of(comm) == 0) remove(file->path);
  for (int t = 0; t < TENSORS; t++) free_cut(&file->tensors[t]);
  CHECK_OK(shardspec_checkpoint_free(file->checkpoint, &err));
}

static void cut_all_over_meshes(shared_file *file, const shardspec_comm *comm, uint64_t *state) {
  memset(file, 0, sizeof *file);
  for (int t = 0; t < TENSORS; t++)
    cut_over_mesh(&file->tensors[t], comm, state, 1 + random_below(state, 40), 1 + random_below(state, 40));
}

/* Reads nothing besides what is needed, and with small messages. */
static const shardspec_checkpoint_read_options EXACT = {
    .struct_size = sizeof EXACT, .max_gap = 1, .over_read = 1.0};
static const shardspec_comm_options SMALL = {.struct_size = sizeof SMALL, .memory_limit = 100};

void a_checkpoint_is_read_once_by_all_ranks(shardspec_comm *comm, shardspec_error *rank_err) {
  uint64_t state = 7;
  for (int round = 0; round < 8; round++) {
    shared_file file;
    int32_t whole[TENSORS] = {0};
    shardspec_checkpoint_read_report report = {.struct_size = sizeof report};
    cut_all_over_meshes(&file, comm, &state);
    open_shared_file(&file, comm, &err);
    CHECK_OK(shardspec_checkpoint_read_collective(file.checkpoint, comm, file.items, TENSORS, &EXACT,
                                                  round % 2 == 0 ? NULL : &SMALL, whole, &report, &err));
    for (int t = 0; t < TENSORS; t++) {
      CHECK_EQUAL(whole[t], 1);
      check_shards(&file.tensors[t]);
    }
    uint64_t read = sum_of_all(comm, report.bytes_read);
    if (rank_of(comm) == 0) CHECK_EQUAL(read, file.bytes);
    free_shared_file(&file, comm, &err);
  }
}

void a_checkpoint_that_one_rank_can_not_read_is_told_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  uint64_t state = 11;
  int64_t culprit = size_of(comm) - 1;
  int is_culprit = rank_of(comm) == culprit;
  shared_file file;
  shardspec_checkpoint *right;
  cut_all_over_meshes(&file, comm, &state);
  open_shared_file(&file, comm, &err);
  right = file.checkpoint;
  /* A handle that is none, a name that is not there, another list. */
  CHECK_STATUS(shardspec_checkpoint_read_collective(is_culprit ? NULL : right, comm, file.items, TENSORS, NULL, NULL,
                                                    NULL, NULL, &err),
               is_culprit ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_DISAGREEMENT);
  CHECK_MESSAGE("checkpoint");
  if (is_culprit) file.items[1].name = "missing";
  CHECK_STATUS(shardspec_checkpoint_read_collective(right, comm, file.items, TENSORS, NULL, NULL, NULL, NULL, &err),
               is_culprit ? SHARDSPEC_NOT_FOUND : SHARDSPEC_DISAGREEMENT);
  CHECK_MESSAGE("missing");
  file.items[1].name = NAMES[1];
  if (size_of(comm) > 1) {
    CHECK_STATUS(shardspec_checkpoint_read_collective(right, comm, file.items, is_culprit ? TENSORS - 1 : TENSORS, NULL,
                                                      NULL, NULL, NULL, &err),
                 SHARDSPEC_DISAGREEMENT);
    CHECK_MESSAGE("'c'");
  }
  for (int t = 0; t < TENSORS; t++) check_shards_untouched(&file.tensors[t]);
  /* The file is gone: each rank fails by itself, or is told. */
  wait_for_all(comm);
  if (rank_of(comm) == 0) remove(file.path);
  wait_for_all(comm);
  shardspec_status status =
      shardspec_checkpoint_read_collective(right, comm, file.items, TENSORS, NULL, NULL, NULL, NULL, &err);
  CHECK(status == SHARDSPEC_FILE_FAILED || status == SHARDSPEC_DISAGREEMENT);
  CHECK_MESSAGE(file.path);
  free_shared_file(&file, comm, &err);
}
