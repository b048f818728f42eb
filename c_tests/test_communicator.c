/* Communicators as objects: transports of the user's, and what becomes of them. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static shardspec_error err = SHARDSPEC_ERROR_INIT;

/* What a transport was asked for, and what it answers. */
typedef struct transport {
  int calls, destroyed;
  shardspec_status answer;
  const char *message;
  shardspec_message send, receive;
} transport;

static void destroy(void *ctx) { ((transport *)ctx)->destroyed++; }

static shardspec_status exchange(void *ctx, const shardspec_message *sends, size_t send_count,
                                 const shardspec_message *receives, size_t receive_count,
                                 shardspec_error *error) {
  transport *t = ctx;
  t->calls++;
  CHECK(error != NULL && send_count <= 1 && receive_count <= 1);
  if (send_count == 1) t->send = sends[0];
  if (receive_count == 1) t->receive = receives[0];
  if (t->message != NULL) strcpy(error->message, t->message);
  return t->answer;
}

/* Why a transport was ended. */
static char aborted[600];
static int aborts;

static void abort_all(void *ctx, const char *reason) {
  CHECK(ctx != NULL);
  snprintf(aborted, sizeof aborted, "%s", reason);
  aborts++;
}

static const shardspec_comm_vtable TRANSPORT = {
    .struct_size = sizeof(shardspec_comm_vtable), .destroy = destroy, .exchange = exchange};

static void a_transport_is_asked_for_what_is_not_to_oneself_and_has_bytes(void) {
  transport t = {0};
  shardspec_comm *comm = NULL;
  int64_t number = 0;
  char sent[3] = "ab", got[3] = "";
  CHECK_OK(shardspec_comm_new(&TRANSPORT, &t, 2, 5, &comm, &err));
  CHECK_OK(shardspec_comm_rank(comm, &number, &err));
  CHECK_EQUAL(number, 2);
  CHECK_OK(shardspec_comm_size(comm, &number, &err));
  CHECK_EQUAL(number, 5);
  shardspec_message sends[] = {{2, sent, 3}, {4, sent, 2}, {1, NULL, 0}};
  shardspec_message receives[] = {{0, got, 1}, {2, got, 3}, {3, got, 0}};
  CHECK_OK(shardspec_comm_exchange(comm, sends, 3, receives, 3, &err));
  CHECK_TEXT(got, "ab");
  CHECK_EQUAL(t.calls, 1);
  CHECK(t.send.peer == 4 && t.send.pointer == sent && t.send.byte_count == 2);
  CHECK(t.receive.peer == 0 && t.receive.pointer == got && t.receive.byte_count == 1);
  CHECK_OK(shardspec_comm_exchange(comm, sends, 1, receives + 1, 1, &err));
  CHECK_EQUAL(t.calls, 1);
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_EQUAL(t.destroyed, 1);
  CHECK_STATUS(shardspec_comm_free(comm, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_STATUS(shardspec_comm_exchange(comm, sends, 1, receives, 1, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_EQUAL(t.destroyed, 1);
}

static void what_a_transport_answers_reaches_the_caller_as_it_is(void) {
  transport t = {0, 0, SHARDSPEC_USER_STATUS + 5, "no route to rank 1", {0}, {0}};
  shardspec_comm *comm = NULL;
  char byte = 0;
  shardspec_message message = {1, &byte, 1};
  CHECK_OK(shardspec_comm_new(&TRANSPORT, &t, 0, 2, &comm, &err));
  CHECK_STATUS(shardspec_comm_exchange(comm, &message, 1, NULL, 0, &err), 1005);
  CHECK_TEXT(err.message, "no route to rank 1");
  t.message = NULL;
  t.answer = SHARDSPEC_TRANSPORT_FAILED;
  CHECK_STATUS(shardspec_comm_exchange(comm, NULL, 0, &message, 1, &err), SHARDSPEC_TRANSPORT_FAILED);
  CHECK_MESSAGE("returned status 29");
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_EQUAL(t.destroyed, 1);
}

/* Calls a collective of which the first exchange fails. */
static shardspec_status fail_a_collective(shardspec_comm *comm) {
  static const char *const owners[] = {"rank:0", "rank:1"};
  const int64_t sizes[] = {4, 3};
  int64_t shape[] = {2, 3};
  float data[12] = {0};
  shardspec_tensor_view shard = view_of(data, FLOAT32, shape, 2);
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_new_chunk(0, owners, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
  shardspec_status status = shardspec_comm_gather(comm, metadata, 1, &shard, 1, NULL, NULL, &err);
  CHECK(shardspec_metadata_free(metadata, NULL) == SHARDSPEC_OK);
  CHECK(shardspec_spec_free(spec, NULL) == SHARDSPEC_OK);
  return status;
}

static void a_transport_is_ended_with_the_reason_when_a_collective_fails_on_it(void) {
  transport t = {0, 0, 1234, "the cable is cut", {0}, {0}};
  shardspec_comm_vtable ends = TRANSPORT, earlier;
  shardspec_comm *comm = NULL;
  char byte = 0, longest[900];
  shardspec_message message = {1, &byte, 1};
  ends.abort = abort_all;
  CHECK_OK(shardspec_comm_new(&ends, &t, 0, 2, &comm, &err));
  CHECK_EQUAL(fail_a_collective(comm), 1234);
  CHECK_TEXT(err.message, "the cable is cut");
  CHECK_EQUAL(aborts, 1);
  CHECK_TEXT(aborted, "the cable is cut");
  /* A rank that declines and can't reach the others. */
  CHECK_EQUAL(shardspec_comm_decline(comm, SHARDSPEC_NOT_FOUND, "no such file", &err), 1234);
  CHECK_TEXT(err.message, "the cable is cut");
  CHECK_EQUAL(aborts, 2);
  /* Exchanges of the caller's own are the caller's affair. */
  CHECK_STATUS(shardspec_comm_exchange(comm, &message, 1, NULL, 0, &err), 1234);
  CHECK_EQUAL(aborts, 2);
  CHECK_OK(shardspec_comm_abort(comm, "so be it", &err));
  CHECK_TEXT(aborted, "so be it");
  CHECK_OK(shardspec_comm_abort(comm, NULL, &err));
  CHECK_TEXT(aborted, "no reason was given");
  CHECK_EQUAL(aborts, 4);
  /* What does not fit ends in dots. */
  memset(longest, 'x', sizeof longest - 1);
  longest[sizeof longest - 1] = 0;
  CHECK_OK(shardspec_comm_abort(comm, longest, &err));
  CHECK_EQUAL(strlen(aborted), 511);
  CHECK_TEXT(aborted + 508, "...");
  CHECK_OK(shardspec_comm_free(comm, &err));
  /* A table of a program that was made before there was an `abort`, and one without. */
  earlier = ends;
  earlier.struct_size = 24;
  CHECK_OK(shardspec_comm_new(&earlier, &t, 0, 2, &comm, &err));
  CHECK_EQUAL(fail_a_collective(comm), 1234);
  CHECK_OK(shardspec_comm_abort(comm, "unheard", &err));
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_OK(shardspec_comm_new(&TRANSPORT, &t, 0, 2, &comm, &err));
  CHECK_EQUAL(fail_a_collective(comm), 1234);
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_EQUAL(aborts, 5);
  CHECK_EQUAL(t.destroyed, 3);
}

static void ctx_is_destroyed_once_also_when_nothing_is_made(void) {
  transport t = {0};
  shardspec_comm *comm = (shardspec_comm *)&t;
  shardspec_comm_vtable small = TRANSPORT, silent = TRANSPORT;
  small.struct_size = 16;
  silent.exchange = NULL;
  CHECK_STATUS(shardspec_comm_new(&small, &t, 0, 1, &comm, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_comm_new(&silent, &t, 0, 1, &comm, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_comm_new(&TRANSPORT, &t, 0, 0, &comm, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_comm_new(&TRANSPORT, &t, -1, 1, &comm, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_comm_new(&TRANSPORT, &t, 1, 1, &comm, &err), SHARDSPEC_INDEX_OUT_OF_RANGE);
  CHECK_STATUS(shardspec_comm_new(&TRANSPORT, &t, 0, 1, NULL, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(t.destroyed, 6);
  CHECK(comm == (shardspec_comm *)&t);
  /* Without a table there is no `destroy` to call. */
  CHECK_STATUS(shardspec_comm_new(NULL, &t, 0, 1, &comm, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK_EQUAL(t.destroyed, 6);
}

static shardspec_comm *pair[2];

static void *wait_for_the_other(void *unused) {
  shardspec_error own = SHARDSPEC_ERROR_INIT;
  char byte;
  shardspec_message message = {1, &byte, 1};
  shardspec_status status = shardspec_comm_exchange(pair[0], NULL, 0, &message, 1, &own);
  CHECK_EQUAL(status, SHARDSPEC_TRANSPORT_FAILED);
  CHECK(strstr(own.message, "rank 1 is gone") != NULL);
  return unused;
}

static void a_thread_that_waits_for_a_rank_is_told_when_it_goes(void) {
  pthread_t waiting;
  CHECK_OK(shardspec_comm_new_local(2, pair, &err));
  CHECK(pthread_create(&waiting, NULL, wait_for_the_other, NULL) == 0);
  CHECK_OK(shardspec_comm_free(pair[1], &err));
  CHECK(pthread_join(waiting, NULL) == 0);
  CHECK_OK(shardspec_comm_free(pair[0], &err));
}

static void *wait_to_be_told(void *unused) {
  shardspec_error own = SHARDSPEC_ERROR_INIT;
  char byte;
  shardspec_message message = {1, &byte, 1};
  shardspec_status status = shardspec_comm_exchange(pair[0], NULL, 0, &message, 1, &own);
  CHECK_EQUAL(status, SHARDSPEC_TRANSPORT_FAILED);
  CHECK_TEXT(own.message, "rank 1 aborted: the disk is full");
  return unused;
}

static void a_thread_that_waits_for_a_rank_is_told_when_that_gives_up(void) {
  pthread_t waiting;
  CHECK_OK(shardspec_comm_new_local(2, pair, &err));
  CHECK(pthread_create(&waiting, NULL, wait_to_be_told, NULL) == 0);
  CHECK_OK(shardspec_comm_abort(pair[1], "the disk is full", &err));
  CHECK(pthread_join(waiting, NULL) == 0);
  /* The first reason is the one that is told, also to the rank itself. */
  CHECK_OK(shardspec_comm_abort(pair[0], "and more", &err));
  char byte = 0;
  shardspec_message message = {0, &byte, 1};
  CHECK_STATUS(shardspec_comm_exchange(pair[1], &message, 1, NULL, 0, &err), SHARDSPEC_TRANSPORT_FAILED);
  CHECK_TEXT(err.message, "rank 1 aborted: the disk is full");
  CHECK_OK(shardspec_comm_free(pair[0], &err));
  CHECK_OK(shardspec_comm_free(pair[1], &err));
}

static void a_child_after_fork_is_refused_and_does_not_wait(void) {
  CHECK_OK(shardspec_comm_new_local(2, pair, &err));
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    char byte = 0;
    shardspec_message message = {1, &byte, 1};
    shardspec_comm *own;
    CHECK_STATUS(shardspec_comm_exchange(pair[0], &message, 1, NULL, 0, &err),
                 SHARDSPEC_TRANSPORT_FAILED);
    CHECK_MESSAGE("before the fork");
    CHECK_OK(shardspec_comm_abort(pair[0], "not for the parent", &err));
    CHECK_OK(shardspec_comm_free(pair[0], &err));
    CHECK_OK(shardspec_comm_new_local(1, &own, &err));
    CHECK_OK(shardspec_comm_free(own, &err));
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  /* In the parent both are there. */
  CHECK_OK(shardspec_comm_free(pair[0], &err));
  CHECK_OK(shardspec_comm_free(pair[1], &err));
}

static void a_local_group_has_at_least_one_rank(void) {
  shardspec_comm *untouched = (shardspec_comm *)&err;
  CHECK_STATUS(shardspec_comm_new_local(0, &untouched, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_comm_new_local(1, NULL, &err), SHARDSPEC_NULL_ARGUMENT);
  CHECK(untouched == (shardspec_comm *)&err);
}

int main(void) {
  alarm(60); /* a thread that waits for ever fails instead of hanging */
  a_transport_is_asked_for_what_is_not_to_oneself_and_has_bytes();
  what_a_transport_answers_reaches_the_caller_as_it_is();
  a_transport_is_ended_with_the_reason_when_a_collective_fails_on_it();
  ctx_is_destroyed_once_also_when_nothing_is_made();
  a_thread_that_waits_for_a_rank_is_told_when_it_goes();
  a_thread_that_waits_for_a_rank_is_told_when_that_gives_up();
  a_child_after_fork_is_refused_and_does_not_wait();
  a_local_group_has_at_least_one_rank();
  return 0;
}
