/* Work that is started, tested and waited for. */
#include "ranks.h"

shardspec_status test_until_ended(shardspec_request *request, shardspec_error *rank_err) {
  double start = seconds();
  for (;;) {
    int32_t done = -1;
    shardspec_status status = shardspec_request_test(request, &done, &err);
    if (status != SHARDSPEC_OK) {
      CHECK_EQUAL(done, -1);
      return status;
    }
    if (done == 1) return status;
    CHECK_EQUAL(done, 0);
    CHECK(seconds() - start < 30);
    let_others_run();
  }
}

/* Two messages for each rank, oneself among them, of different lengths, and one without bytes. */
typedef struct messages {
  unsigned char sent[64][2][600], got[64][2][600];
  shardspec_message sends[128], receives[128];
  size_t count;
} messages;

static size_t length_of(int64_t from, int64_t to, int i) {
  return from == to && i == 1 ? 0 : (size_t)(1 + (from * 7 + to * 3 + i * 255) % 600);
}

static messages *make_messages(const shardspec_comm *comm, int round) {
  int64_t rank = rank_of(comm), size = size_of(comm);
  messages *m = calloc(1, sizeof *m);
  CHECK(m != NULL);
  for (int64_t peer = 0; peer < size; peer++)
    for (int i = 0; i < 2; i++) {
      memset(m->sent[peer][i], (int)(rank * 16 + peer + i * 100 + round) & 0xff, 600);
      m->sends[m->count] = (shardspec_message){peer, m->sent[peer][i], length_of(rank, peer, i)};
      m->receives[m->count++] = (shardspec_message){peer, m->got[peer][i], length_of(peer, rank, i)};
    }
  return m;
}

static void check_messages(const messages *m, const shardspec_comm *comm, int round) {
  int64_t rank = rank_of(comm), size = size_of(comm);
  for (int64_t peer = 0; peer < size; peer++)
    for (int i = 0; i < 2; i++)
      for (size_t at = 0; at < 600; at++)
        CHECK_EQUAL(m->got[peer][i][at],
                    at < length_of(peer, rank, i) ? ((peer * 16 + rank + i * 100 + round) & 0xff) : 0);
}

/* Some ranks test, some wait, and some call the function that does not start. */
void exchanges_go_on_while_ranks_do_something_else(shardspec_comm *comm, shardspec_error *rank_err) {
  for (int round = 0; round < 12; round++) {
    messages *m = make_messages(comm, round);
    shardspec_request *request = NULL;
    int32_t done = 0;
    int way = (int)((rank_of(comm) + round) % 4);
    if (way == 3) {
      CHECK_OK(shardspec_comm_exchange(comm, m->sends, m->count, m->receives, m->count, &err));
    } else {
      CHECK_OK(shardspec_comm_exchange_start(comm, m->sends, m->count, m->receives, m->count, &request, &err));
      /* The lists are not needed any more. */
      memset(m->sends, 0xff, sizeof m->sends);
      memset(m->receives, 0xff, sizeof m->receives);
      if (way == 0) CHECK_OK(test_until_ended(request, rank_err));
      if (way == 1) CHECK_OK(shardspec_request_test(request, &done, &err));
      CHECK_OK(shardspec_request_wait(request, &err));
      /* Once it has ended, it says the same each time. */
      CHECK_OK(shardspec_request_wait(request, &err));
      CHECK_OK(shardspec_request_test(request, &done, &err));
      CHECK_EQUAL(done, 1);
      CHECK_OK(shardspec_request_free(request, &err));
    }
    check_messages(m, comm, round);
    free(m);
  }
  wait_for_all(comm);
}

/* Until a request has ended, its communicator does nothing else; nor does one that shares its
 * transport. Another communicator of the same ranks does. */
void a_communicator_has_one_request_at_a_time(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm), size = size_of(comm), owner = 0;
  shardspec_comm *second = second_communicator(comm), *group;
  shardspec_request *request = NULL, *untouched = (shardspec_request *)&owner;
  char got = 0, sent = 42;
  shardspec_message receive = {rank + 1, &got, 1}, send = {rank - 1, &sent, 1};
  CHECK_OK(shardspec_comm_new_group(comm, NULL, NULL, (size_t)size, &group, &err));
  if (rank % 2 == 0 && rank + 1 < size) {
    int32_t done = -1;
    cut c;
    CHECK_OK(shardspec_comm_exchange_start(comm, NULL, 0, &receive, 1, &request, &err));
    CHECK_OK(shardspec_request_test(request, &done, &err));
    CHECK_EQUAL(done, 0);
    shardspec_comm *both[] = {comm, group};
    for (int i = 0; i < 2; i++) {
      CHECK_STATUS(shardspec_comm_exchange_start(both[i], NULL, 0, &receive, 1, &untouched, &err),
                   SHARDSPEC_INVALID_ARGUMENT);
      CHECK_MESSAGE("comm: a request on it is not complete");
      CHECK(untouched == (shardspec_request *)&owner);
      CHECK_STATUS(shardspec_comm_exchange(both[i], NULL, 0, &receive, 1, &err), SHARDSPEC_INVALID_ARGUMENT);
      cut_in_chunks(&c, comm, 4, 3, 0, &owner, 1);
      CHECK_STATUS(shardspec_comm_gather(both[i], c.metadata, 0, c.shards, c.count, &c.full_view, NULL, &err),
                   SHARDSPEC_INVALID_ARGUMENT);
      CHECK_MESSAGE("comm: a request on it is not complete");
      free_cut(&c);
    }
  }
  /* The second communicator works meanwhile, by a request as well. */
  exchanges_go_on_while_ranks_do_something_else(second, rank_err);
  if (rank % 2 == 1) CHECK_OK(shardspec_comm_exchange(comm, &send, 1, NULL, 0, &err));
  if (request != NULL) {
    CHECK_OK(shardspec_request_wait(request, &err));
    CHECK_EQUAL(got, 42);
    CHECK_OK(shardspec_request_free(request, &err));
  }
  exchanges_move_what_was_asked(group, rank_err);
  CHECK_OK(shardspec_comm_free(group, &err));
  wait_for_all(comm);
  CHECK_OK(shardspec_comm_free(second, &err));
}

/* A request that is freed before its end gives the communicator up. Its memory is then its owner's. */
void a_request_that_is_freed_early_leaves_no_rank_waiting(shardspec_comm *comm, shardspec_error *rank_err) {
#ifndef SHARDSPEC_TESTS_MPI
  int64_t rank = rank_of(comm), size = size_of(comm);
  if (size == 1) return;
  for (int64_t culprit = 0; culprit < size; culprit++) {
    shardspec_comm *second = second_communicator(comm);
    messages *m = make_messages(comm, 3);
    shardspec_request *request;
    if (rank == culprit) {
      size_t count = 0;
      for (size_t i = 0; i < m->count; i++)
        if (m->sends[i].peer != rank) m->sends[count++] = m->sends[i];
      /* A message that does not come, so that it has not ended. */
      shardspec_message never = {(rank + 1) % size, m->got[0][0], 1};
      CHECK_OK(shardspec_comm_exchange_start(second, m->sends, count, &never, 1, &request, &err));
      CHECK_OK(shardspec_request_free(request, &err));
      CHECK_STATUS(shardspec_request_wait(request, &err), SHARDSPEC_INVALID_HANDLE);
      memset(m, 0xee, sizeof *m);
    } else {
      double start = seconds();
      shardspec_message receive[] = {{culprit, m->got[0][0], length_of(culprit, rank, 0)},
                                     {culprit, m->got[0][1], length_of(culprit, rank, 1)},
                                     {culprit, m->got[1][0], 1}};
      CHECK_OK(shardspec_comm_exchange_start(second, NULL, 0, receive, 3, &request, &err));
      CHECK_EQUAL(rank % 2 == 0 ? test_until_ended(request, rank_err) : shardspec_request_wait(request, &err),
                  SHARDSPEC_TRANSPORT_FAILED);
      char said[80];
      snprintf(said, sizeof said, "rank %d aborted: a request was freed before it was complete", (int)culprit);
      CHECK_MESSAGE(said);
      CHECK(seconds() - start < 20);
      /* The same each time. */
      int32_t done = -1;
      CHECK_STATUS(shardspec_request_test(request, &done, &err), SHARDSPEC_TRANSPORT_FAILED);
      CHECK_STATUS(shardspec_request_wait(request, &err), SHARDSPEC_TRANSPORT_FAILED);
      CHECK_MESSAGE(said);
      CHECK_EQUAL(done, -1);
      CHECK_OK(shardspec_request_free(request, &err));
    }
    free(m);
    wait_for_all(comm);
    CHECK_OK(shardspec_comm_free(second, &err));
  }
#else
  (void)comm, (void)rank_err;
#endif
}

/* A transport that can't start an exchange does all of it in `wait`. */
void without_start_a_request_exchanges_when_it_is_waited_for(shardspec_comm *comm, shardspec_error *rank_err) {
  wire *w;
  shardspec_comm *plain = failing(comm, &w);
  messages *m = make_messages(comm, 5);
  shardspec_request *request;
  int32_t done = -1;
  CHECK_OK(shardspec_comm_exchange_start(plain, m->sends, m->count, m->receives, m->count, &request, &err));
  for (int i = 0; i < 3; i++) {
    CHECK_OK(shardspec_request_test(request, &done, &err));
    CHECK_EQUAL(done, size_of(comm) == 1);
  }
  CHECK_EQUAL(w->exchanges, 0);
  CHECK_OK(shardspec_request_wait(request, &err));
  CHECK_EQUAL(w->exchanges, size_of(comm) > 1);
  check_messages(m, comm, 5);
  CHECK_OK(shardspec_request_free(request, &err));
  CHECK_OK(shardspec_comm_free(plain, &err));
  free(m);
  wait_for_all(comm);
}
