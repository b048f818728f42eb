/* Ranks as threads or as processes, a transport that fails, and a clock. */
#define _POSIX_C_SOURCE 200809L
#ifdef SHARDSPEC_TESTS_MPI
#include <shardspec_mpi.h>
#endif

#include "ranks.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

double seconds(void) {
  struct timespec now;
  CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int64_t rank_of(const shardspec_comm *comm) {
  int64_t rank = -1;
  CHECK(shardspec_comm_rank(comm, &rank, NULL) == SHARDSPEC_OK);
  return rank;
}

int64_t size_of(const shardspec_comm *comm) {
  int64_t size = -1;
  CHECK(shardspec_comm_size(comm, &size, NULL) == SHARDSPEC_OK);
  return size;
}

int64_t placement_rank_of(const shardspec_comm *comm) {
  int64_t placement_rank = -1;
  CHECK(shardspec_comm_placement_rank(comm, rank_of(comm), &placement_rank, NULL) == SHARDSPEC_OK);
  return placement_rank;
}

void wait_for_all(shardspec_comm *comm) {
  int64_t rank = rank_of(comm), size = size_of(comm);
  for (int64_t step = 1; step < size; step *= 2) {
    char sent = 1, got = 0;
    shardspec_message send = {(rank + step) % size, &sent, 1};
    shardspec_message receive = {(rank + size - step) % size, &got, 1};
    CHECK(shardspec_comm_exchange(comm, &send, 1, &receive, 1, NULL) == SHARDSPEC_OK);
    CHECK(got == 1);
  }
}

void let_others_run(void) {
  static const struct timespec pause = {0, 20000};
  (void)nanosleep(&pause, NULL);
}

shardspec_comm *second_communicator(shardspec_comm *comm) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_comm *own = NULL;
#ifdef SHARDSPEC_TESTS_MPI
  (void)comm;
  CHECK_OK(shardspec_mpi_comm_new(MPI_COMM_WORLD, &own, &err));
#else
  shardspec_comm *all[64];
  shardspec_message sends[64], receive = {0, &own, sizeof own};
  int64_t size = size_of(comm);
  if (rank_of(comm) > 0) {
    CHECK_OK(shardspec_comm_exchange(comm, NULL, 0, &receive, 1, &err));
    return own;
  }
  /* A handle is a number, good for all threads of the process. */
  CHECK_OK(shardspec_comm_new_local((size_t)size, all, &err));
  for (int64_t i = 0; i < size; i++) sends[i] = (shardspec_message){i, &all[i], sizeof own};
  CHECK_OK(shardspec_comm_exchange(comm, sends, (size_t)size, &receive, 1, &err));
#endif
  return own;
}

typedef struct one_rank {
  rank_test *test;
  shardspec_comm *comm;
} one_rank;

static void *run_one(void *argument) {
  const one_rank *one = argument;
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  one->test(one->comm, rank_err);
  CHECK_OK(shardspec_comm_free(one->comm, &err));
  return NULL;
}

#ifdef SHARDSPEC_TESTS_MPI
void run_on_ranks(const char *name, int64_t size, rank_test *test) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  one_rank one = {test, NULL};
  CHECK_OK(shardspec_mpi_comm_new(MPI_COMM_WORLD, &one.comm, &err));
  CHECK_EQUAL(size_of(one.comm), size);
  if (rank_of(one.comm) == 0) printf("%d processes: %s\n", (int)size, name), fflush(stdout);
  run_one(&one);
}
#else
void run_on_ranks(const char *name, int64_t size, rank_test *test) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_comm *comms[64];
  one_rank ones[64];
  pthread_t threads[64];
  pthread_attr_t attributes;
  CHECK(size <= 64);
  /* No call needs more stack than 64 KiB, and the tests have part of it. A library with debug assertions
   * may need more. */
  const char *kib = getenv("SHARDSPEC_TEST_STACK_KIB");
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstacksize(&attributes, (kib ? strtoul(kib, NULL, 10) : 64) << 10) == 0);
  printf("%d threads: %s\n", (int)size, name);
  CHECK_OK(shardspec_comm_new_local((size_t)size, comms, &err));
  for (int64_t rank = 0; rank < size; rank++) {
    ones[rank].test = test;
    ones[rank].comm = comms[rank];
    CHECK(pthread_create(&threads[rank], &attributes, run_one, &ones[rank]) == 0);
  }
  for (int64_t rank = 0; rank < size; rank++) CHECK(pthread_join(threads[rank], NULL) == 0);
  CHECK(pthread_attr_destroy(&attributes) == 0);
}
#endif

static int64_t node_of(void *ctx, int64_t rank) {
  const wire *w = ctx;
  int64_t size = size_of(w->inner);
  return (rank + w->shift) / ((size + w->nodes - 1) / w->nodes) % w->nodes;
}

static shardspec_status cut_cable(const wire *w, shardspec_error *rank_err) {
  err.got = 77;
  if (w->failure != 0) strcpy(err.message, "the cable is cut");
  return w->failure;
}

static shardspec_status exchange(void *ctx, const shardspec_message *sends, size_t send_count,
                                 const shardspec_message *receives, size_t receive_count,
                                 shardspec_error *rank_err) {
  wire *w = ctx;
  w->exchanges++;
  for (size_t i = 0; i < send_count && w->nodes > 0; i++)
    if (sends[i].byte_count != 1024 && node_of(ctx, sends[i].peer) != node_of(ctx, rank_of(w->inner)))
      w->bytes_between_nodes += sends[i].byte_count;
  int fails = w->countdown >= 0 && w->countdown-- == 0;
  if (fails && !w->fails_late) return cut_cable(w, rank_err);
  shardspec_status status =
      shardspec_comm_exchange(w->inner, sends, send_count, receives, receive_count, rank_err);
  if (fails && status == SHARDSPEC_OK) return cut_cable(w, rank_err);
  return status == SHARDSPEC_OK ? SHARDSPEC_CALLBACK_OK : status;
}

/* An exchange that was started, and whether it is the one that fails. */
typedef struct started_wire {
  shardspec_request *request;
  int fails;
} started_wire;

static shardspec_status start_wire(void *ctx, const shardspec_message *sends, size_t send_count,
                              const shardspec_message *receives, size_t receive_count, void **started,
                              shardspec_error *rank_err) {
  wire *w = ctx;
  started_wire *made;
  int fails = w->countdown >= 0 && w->countdown-- == 0;
  w->exchanges++;
  if (fails && !w->fails_late) return cut_cable(w, rank_err);
  made = calloc(1, sizeof *made);
  CHECK(made != NULL);
  made->fails = fails;
  shardspec_status status = shardspec_comm_exchange_start(w->inner, sends, send_count, receives, receive_count,
                                                          &made->request, rank_err);
  if (status != SHARDSPEC_OK) {
    free(made);
    return status;
  }
  *started = made;
  return SHARDSPEC_CALLBACK_OK;
}

/* The end of an exchange. After this, nothing uses the memory of its messages. */
static shardspec_status end_exchange(const wire *w, started_wire *started, shardspec_status status,
                                     shardspec_error *rank_err) {
  int fails = started->fails;
  if (fails) CHECK(shardspec_comm_abort(w->inner, "the cable is cut", NULL) == SHARDSPEC_OK);
  CHECK(shardspec_request_free(started->request, NULL) == SHARDSPEC_OK);
  free(started);
  if (fails) return cut_cable(w, rank_err);
  return status == SHARDSPEC_OK ? SHARDSPEC_CALLBACK_OK : status;
}

static shardspec_status test_wire(void *ctx, void *exchange_started, int32_t *done, shardspec_error *rank_err) {
  started_wire *started = exchange_started;
  int32_t ended = 0;
  shardspec_status status = SHARDSPEC_OK;
  if (!started->fails) status = shardspec_request_test(started->request, &ended, rank_err);
  if (status == SHARDSPEC_OK && !ended && !started->fails) {
    *done = 0;
    return SHARDSPEC_CALLBACK_OK;
  }
  *done = 1;
  return end_exchange(ctx, started, status, rank_err);
}

static shardspec_status wait_wire(void *ctx, void *exchange_started, shardspec_error *rank_err) {
  started_wire *started = exchange_started;
  shardspec_status status = started->fails ? SHARDSPEC_OK : shardspec_request_wait(started->request, rank_err);
  return end_exchange(ctx, started, status, rank_err);
}

static void abort_all(void *ctx, const char *reason) {
  CHECK(shardspec_comm_abort(((wire *)ctx)->inner, reason, NULL) == SHARDSPEC_OK);
}

static shardspec_comm *over(shardspec_comm *inner, int64_t nodes, int starts, wire **w) {
  shardspec_error error = SHARDSPEC_ERROR_INIT, *rank_err = &error;
  shardspec_comm_vtable vtable = {.struct_size = sizeof vtable, .destroy = free, .exchange = exchange,
                                  .success_status = SHARDSPEC_CALLBACK_OK, .abort = abort_all,
                                  .node = nodes > 0 ? node_of : NULL};
  if (starts) vtable.start = start_wire, vtable.test = test_wire, vtable.wait = wait_wire;
  shardspec_comm *comm = NULL;
  wire *made = calloc(1, sizeof *made);
  CHECK(made != NULL);
  made->inner = inner;
  made->countdown = -1;
  made->failure = 1234;
  made->nodes = nodes;
  *w = made;
  CHECK_OK(shardspec_comm_new(&vtable, made, rank_of(inner), size_of(inner), &comm, &err));
  return comm;
}

shardspec_comm *failing(shardspec_comm *inner, wire **w) { return over(inner, 0, 0, w); }

shardspec_comm *on_nodes(shardspec_comm *inner, int64_t nodes, wire **w) { return over(inner, nodes, 0, w); }

shardspec_comm *starting(shardspec_comm *inner, wire **w) { return over(inner, 0, 1, w); }
