/* Communicators and collectives. Ranks are threads. */
#include "scenarios.h"

static shardspec_status exchange(void *ctx, const shardspec_message *sends, size_t send_count,
                                 const shardspec_message *receives, size_t receive_count, shardspec_error *error) {
  (void)ctx, (void)sends, (void)receives;
  if (send_count + receive_count > 0) {
    strcpy(error->message, "there is nobody else");
    return SHARDSPEC_USER_STATUS;
  }
  return SHARDSPEC_OK;
}

void communicators(void) {
  shardspec_comm_vtable vtable = {.struct_size = sizeof vtable, .destroy = end_context,
                                  .exchange = exchange};
  char sent[] = "to oneself", got[sizeof sent];
  shardspec_message send = {0, sent, sizeof sent}, receive = {0, got, sizeof got};
  shardspec_message far = {5, sent, sizeof sent}, next = {1, sent, sizeof sent};
  shardspec_comm *comm;
  CALL(OK, shardspec_comm_new, &vtable, context(), 0, 2, &out.comm);
  comm = out.comm;
  CALL(INDEX_OUT_OF_RANGE, shardspec_comm_new, &vtable, context(), 2, 2, &out.comm);
  CALL(OK, shardspec_comm_rank, comm, &out.i64);
  CALL(OK, shardspec_comm_size, comm, &out.i64);
  CHECK_EQUAL(out.i64, 2);
  static const int64_t members[] = {1, 0}, names[] = {40, 50}, nodes[] = {7, 8, 7, 8};
  CALL(OK, shardspec_comm_new_group, comm, members, names, 2, &out.comm);
  shardspec_comm *group = out.comm;
  CALL(OK, shardspec_comm_placement_rank, group, 1, &out.i64);
  CHECK_EQUAL(out.i64, 50);
  CALL(OK, shardspec_comm_node, group, 1, &out.i64);
  CALL(INVALID_ARGUMENT, shardspec_comm_new_group, comm, members, names, 1, &out.comm);
  FREE(shardspec_comm_free, group);
  written_next(got, sizeof got);
  CALL(OK, shardspec_comm_exchange, comm, &send, 1, &receive, 1);
  CHECK_TEXT(got, "to oneself");
  written_next(got, sizeof got);
  CALL(OK, shardspec_comm_exchange_start, comm, &send, 1, &receive, 1, &out.request);
  shardspec_request *request = out.request;
  CALL(OK, shardspec_request_test, request, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  CALL(OK, shardspec_request_wait, request);
  CHECK_TEXT(got, "to oneself");
  FREE(shardspec_request_free, request);
  CALL(INDEX_OUT_OF_RANGE, shardspec_comm_exchange, comm, &far, 1, NULL, 0);
  do {
    call_begins("shardspec_comm_exchange", __FILE__, __LINE__);
  } while (call_ends(shardspec_comm_exchange(comm, &next, 1, NULL, 0, &err), SHARDSPEC_USER_STATUS));
  CALL(OK, shardspec_comm_abort, comm, "nobody listens");
  FREE(shardspec_comm_free, comm);
  CALL(INVALID_ARGUMENT, shardspec_comm_new_local, 0, out.comms);
  CALL(INVALID_ARGUMENT, shardspec_comm_new_local_on_nodes, nodes, 0, out.comms);
  CALL(OK, shardspec_comm_new_local_on_nodes, nodes, 4, out.comms);
  shardspec_comm *placed[4];
  memcpy(placed, out.comms, sizeof placed);
  CALL(OK, shardspec_comm_node, placed[3], 1, &out.i64);
  CHECK_EQUAL(out.i64, 8);
  for (int i = 0; i < 4; i++) FREE(shardspec_comm_free, placed[i]);
  CALL(OK, shardspec_comm_new_local, 4, out.comms);
  shardspec_comm *comms[4];
  memcpy(comms, out.comms, sizeof comms);
  CALL(OK, shardspec_comm_abort, comms[0], "we stop here");
  next.peer = 0;
  CALL(TRANSPORT_FAILED, shardspec_comm_exchange, comms[3], &next, 1, NULL, 0);
  for (int i = 0; i < 4; i++) FREE(shardspec_comm_free, comms[i]);
  CALL(INVALID_HANDLE, shardspec_comm_rank, comms[0], &out.i64);
  contexts_are_ended();
}

enum { RANK_COUNT = 2 };

/* What a rank's thread is started with. */
typedef struct rank {
  ranks *group;
  int64_t number, size;
  shardspec_metadata *by_rows, *by_columns;
  float *data;
  uint32_t max_threads;
} rank;

static void *zeros(int64_t count) {
  void *memory = calloc((size_t)count, sizeof(float));
  CHECK(memory != NULL);
  return memory;
}

/* A transfer that a request prepares: `out.transfer`. */
static shardspec_status prepared_by_request(const shardspec_comm *comm, const shardspec_comm_tensor *tensors, size_t count,
                                            const shardspec_comm_options *options) {
  /* A request that ends with an error has a transfer that is NULL or can't run. */
  shardspec_transfer *transfer = NULL;
  shardspec_status status = completed(
      shardspec_transfer_prepare_start(comm, tensors, count, options, &transfer, &started_request, &err));
  if (status == SHARDSPEC_OK)
    out.transfer = transfer;
  else
    CHECK(shardspec_transfer_free(transfer, NULL) == SHARDSPEC_OK);
  return status;
}

/* A weight as metadata, and the same as a plan, once and by a prepared transfer. */
static void move_batches(const rank *self, shardspec_tensor_view from, shardspec_tensor_view to, size_t bytes,
                         const shardspec_comm_options *options) {
  size_t own = (size_t)self->number;
  float *other = zeros(self->size * 6);
  shardspec_tensor_view second = to;
  second.data = other;
  CALL(OK, shardspec_plan_new, self->by_rows, self->by_columns, &out.plan);
  shardspec_plan *plan = out.plan;
  shardspec_comm_tensor tensors[] = {
      {sizeof tensors[0], "q", self->by_rows, self->by_columns, NULL, &from, 1, &to, 1, {0, 0, 0}, 0},
      {sizeof tensors[0], "k", NULL, NULL, plan, &from, 1, &second, 1, FLOAT32, 0}};
  written_next(other, bytes);
  COLLECTIVE(self->group, own, shardspec_comm_transfer, self->group->comms[own], tensors + 1, 1, options);
  CHECK(memcmp(other, to.data, bytes) == 0);
  COLLECTIVE(self->group, own, shardspec_transfer_prepare, self->group->comms[own], tensors, 2, options, &out.transfer);
  shardspec_transfer *transfer = out.transfer;
  CALL(OK, shardspec_transfer_fingerprint, transfer, &out.u64);
  for (int run = 0; run < 2; run++) {
    memset(other, 0, bytes);
    COLLECTIVE(self->group, own, shardspec_transfer_run, transfer, self->group->comms[own], run ? tensors : NULL,
               run ? 2 : 0);
    CHECK(memcmp(other, to.data, bytes) == 0);
  }
  memset(other, 0, bytes);
  STARTED(self->group, own, shardspec_transfer_start, transfer, self->group->comms[own], NULL, 0);
  CHECK(memcmp(other, to.data, bytes) == 0);
  written_next(other, bytes);
  STARTED(self->group, own, shardspec_comm_transfer_start, self->group->comms[own], tensors + 1, 1, options);
  CHECK(memcmp(other, to.data, bytes) == 0);
  do {
    call_begins("shardspec_transfer_prepare_start", __FILE__, __LINE__);
  } while (collective_ends(self->group, own, prepared_by_request(self->group->comms[own], tensors, 2, options)));
  FREE(shardspec_transfer_free, out.transfer);
  STARTED(self->group, own, shardspec_comm_decline_start, self->group->comms[own], SHARDSPEC_NOT_FOUND, "no such file");
  FREE(shardspec_transfer_free, transfer);
  FREE(shardspec_plan_free, plan);
  free(other);
}

/* Bytes of a view of floats of two dimensions. */
static size_t bytes_of(const shardspec_tensor_view *view) {
  return (size_t)(view->shape[0] * view->shape[1]) * sizeof(float);
}

/* A tensor goes from the first rank to all, from rows to columns, and back to all. */
static void move_one(const rank *self, const shardspec_tensor_view *full, const shardspec_tensor_view *rows_of_mine,
                     const shardspec_tensor_view *columns_of_mine, const shardspec_comm_options *options) {
  size_t own = (size_t)self->number, bytes = bytes_of(full);
  float *back = zeros(self->size * 6);
  shardspec_tensor_view to = view_of(back, FLOAT32, full->shape, 2);
  written_next(rows_of_mine->data, bytes_of(rows_of_mine));
  COLLECTIVE(self->group, own, shardspec_comm_scatter, self->group->comms[own], self->by_rows, 1, full, rows_of_mine, 1,
             options);
  written_next(columns_of_mine->data, bytes_of(columns_of_mine));
  COLLECTIVE(self->group, own, shardspec_comm_reshard, self->group->comms[own], self->by_rows, rows_of_mine, 1,
             self->by_columns, columns_of_mine, 1, options);
  written_next(back, bytes);
  COLLECTIVE(self->group, own, shardspec_comm_gather, self->group->comms[own], self->by_columns, SHARDSPEC_ALL_RANKS,
             columns_of_mine, 1, &to, options);
  CHECK(memcmp(back, self->data, bytes) == 0);
  free(back);
}

/* The same calls, by requests. */
static void start_collectives(const rank *self, const shardspec_tensor_view *full, const shardspec_tensor_view *row,
                              const shardspec_tensor_view *column, const shardspec_comm_options *options) {
  size_t own = (size_t)self->number;
  float *back = zeros(self->size * 6);
  shardspec_tensor_view to = view_of(back, FLOAT32, full->shape, 2);
  shardspec_comm *const *comm = &self->group->comms[own];
  STARTED(self->group, own, shardspec_comm_scatter_start, *comm, self->by_rows, 1, full, row, 1, options);
  STARTED(self->group, own, shardspec_comm_reshard_start, *comm, self->by_rows, row, 1, self->by_columns, column, 1,
          options);
  STARTED(self->group, own, shardspec_comm_gather_start, *comm, self->by_columns, SHARDSPEC_ALL_RANKS, column, 1, &to,
          options);
  CHECK(memcmp(back, self->data, bytes_of(full)) == 0);
  free(back);
}

static void *run_rank(void *argument) {
  const rank *self = argument;
  int64_t shape[] = {self->size, 6}, row_shape[2], column_shape[2];
  shardspec_copy_options copy = {.struct_size = sizeof copy, .max_threads = self->max_threads};
  shardspec_comm_options options = {.struct_size = sizeof options, .memory_limit = 1 << 22, .copy = &copy};
  size_t own = (size_t)self->number;
  CHECK_OK(shardspec_metadata_get_shard(self->by_rows, own, NULL, row_shape, 2, &err));
  CHECK_OK(shardspec_metadata_get_shard(self->by_columns, own, NULL, column_shape, 2, &err));
  float *row = zeros(self->size * 6), *column = zeros(self->size * 6);
  shardspec_tensor_view full = view_of(self->data, FLOAT32, shape, 2);
  shardspec_tensor_view rows_of_mine = view_of(row, FLOAT32, row_shape, 2);
  shardspec_tensor_view columns_of_mine = view_of(column, FLOAT32, column_shape, 2);
  move_one(self, &full, &rows_of_mine, &columns_of_mine, &options);
  /* Copies start the threads. Every collective copies in the same way, so the others run with one thread. */
  if (self->max_threads == 1) {
    start_collectives(self, &full, &rows_of_mine, &columns_of_mine, &options);
    COLLECTIVE(self->group, own, shardspec_comm_decline, self->group->comms[own], SHARDSPEC_NOT_FOUND, "no such file");
    COLLECTIVE(self->group, own, shardspec_sharded_tensor_new_from_rank, self->group->comms[own], self->by_columns, 0,
               &full, &options, &out.tensor);
    shardspec_sharded_tensor *tensor = out.tensor;
    CALL(OK, shardspec_sharded_tensor_comm, tensor, &out.comm);
    CHECK(out.comm == self->group->comms[own]);
    FREE(shardspec_sharded_tensor_free, tensor);
    move_batches(self, rows_of_mine, columns_of_mine, bytes_of(&columns_of_mine), &options);
  }
  free(row), free(column);
  return NULL;
}

static void run_ranks(int64_t size, uint32_t max_threads) {
  ranks group = {.count = RANK_COUNT};
  rank all[RANK_COUNT];
  pthread_t threads[RANK_COUNT];
  float *data = zeros(size * 6);
  shardspec_metadata *by_rows = rows(RANK_COUNT, size), *by_columns = columns(RANK_COUNT, size);
  for (int64_t i = 0; i < size * 6; i++) data[i] = (float)(i % 1000003);
  CHECK_OK(shardspec_comm_new_local(RANK_COUNT, group.comms, &err));
  CHECK(pthread_barrier_init(&group.all, NULL, RANK_COUNT) == 0);
  for (int i = 0; i < RANK_COUNT; i++) {
    all[i] = (rank){&group, i, size, by_rows, by_columns, data, max_threads};
    threads[i] = start_thread(run_rank, &all[i]);
  }
  for (int i = 0; i < RANK_COUNT; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  for (int i = 0; i < RANK_COUNT; i++) CHECK_OK(shardspec_comm_free(group.comms[i], &err));
  CHECK(pthread_barrier_destroy(&group.all) == 0);
  drop_metadata(by_rows), drop_metadata(by_columns);
  free(data);
}

void collectives_of_two(void) { run_ranks(7, 1); }

/* Enough bytes that a second thread copies. */
void collectives_with_threads(void) { run_ranks(60000, 2); }
