/* MPI as a transport, between two processes: messages in parts, lengths that differ, and what MPI
 * refuses. A part has at most 1000 bytes here, so that long messages need no gigabytes. */
#define SHARDSPEC_MPI_MOST_BYTES ((size_t)1000)
#include <shardspec_mpi.h>

#include "../check.h"

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static shardspec_comm *comm;
static int64_t rank;

static void long_messages_arrive_in_parts(void) {
  static const size_t lengths[] = {1, 999, 1000, 1001, 5000, 123456};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    unsigned char *sent = malloc(lengths[i]), *got = calloc(lengths[i] + 1, 1);
    CHECK(sent != NULL && got != NULL);
    for (size_t at = 0; at < lengths[i]; at++) sent[at] = (unsigned char)(at * 7 + (size_t)rank);
    shardspec_message send = {1 - rank, sent, lengths[i]}, receive = {1 - rank, got, lengths[i]};
    CHECK_OK(shardspec_comm_exchange(comm, &send, 1, &receive, 1, &err));
    for (size_t at = 0; at < lengths[i]; at++)
      CHECK_EQUAL(got[at], (unsigned char)(at * 7 + 1 - (size_t)rank));
    CHECK_EQUAL(got[lengths[i]], 0);
    free(sent);
    free(got);
  }
}

static void messages_keep_their_order(void) {
  char sent[3][1500], got[3][1500];
  shardspec_message sends[3], receives[3];
  for (int i = 0; i < 3; i++) {
    memset(sent[i], 'a' + i, sizeof sent[i]);
    sends[i] = (shardspec_message){1, sent[i], (size_t)(1500 - i)};
    receives[i] = (shardspec_message){0, got[i], (size_t)(1500 - i)};
  }
  /* Two in one exchange, and one in the next. */
  if (rank == 0) {
    CHECK_OK(shardspec_comm_exchange(comm, sends, 2, NULL, 0, &err));
    CHECK_OK(shardspec_comm_exchange(comm, sends + 2, 1, NULL, 0, &err));
  } else {
    CHECK_OK(shardspec_comm_exchange(comm, NULL, 0, receives, 2, &err));
    CHECK_OK(shardspec_comm_exchange(comm, NULL, 0, receives + 2, 1, &err));
    for (int i = 0; i < 3; i++) CHECK(memcmp(got[i], sent[i], (size_t)(1500 - i)) == 0);
  }
}

static void lengths_that_differ_are_a_status(void) {
  char data[100] = "";
  shardspec_message message = {1 - rank, data, rank == 0 ? 80 : 40};
  /* Longer than the place for it: MPI says so. */
  if (rank == 0) {
    CHECK_OK(shardspec_comm_exchange(comm, &message, 1, NULL, 0, &err));
  } else {
    CHECK_STATUS(shardspec_comm_exchange(comm, NULL, 0, &message, 1, &err),
                 SHARDSPEC_TRANSPORT_FAILED);
    CHECK_MESSAGE("failed: ");
    CHECK(data[40] == 0);
  }
  /* Shorter. */
  message.byte_count = rank == 0 ? 30 : 40;
  if (rank == 0) {
    CHECK_OK(shardspec_comm_exchange(comm, &message, 1, NULL, 0, &err));
  } else {
    CHECK_STATUS(shardspec_comm_exchange(comm, NULL, 0, &message, 1, &err),
                 SHARDSPEC_TRANSPORT_FAILED);
    CHECK_MESSAGE("rank 0 sent 30 bytes where 40 were to be received");
    CHECK_EQUAL(err.got, 30);
    CHECK_EQUAL(err.limit, 40);
  }
  /* And it goes on. */
  long_messages_arrive_in_parts();
}

/* Rank 1 fails to receive while what it sends is under way: rank 0 takes it only later. Once the call
 * has returned, the memory is rank 1's again, and what is written there does not arrive. */
static void what_is_sent_in_an_exchange_that_fails_is_no_longer_read_when_it_returns(void) {
  enum { BYTES = 1 << 20 };
  unsigned char *data = malloc(BYTES), small_data[100] = "";
  CHECK(data != NULL);
  for (int before = 0; before < 2; before++) {
    shardspec_message large = {1 - rank, data, BYTES}, small = {1 - rank, small_data, 80};
    if (rank == 0) {
      struct timeval pause = {0, 200000};
      memset(data, 0, BYTES);
      CHECK_OK(shardspec_comm_exchange(comm, &small, 1, NULL, 0, &err));
      (void)select(0, NULL, NULL, NULL, &pause);
      CHECK_OK(shardspec_comm_exchange(comm, NULL, 0, &large, 1, &err));
      for (size_t at = 0; at < BYTES; at++) CHECK_EQUAL(data[at], 0xab);
    } else {
      /* Longer than its place, or shorter. */
      small.byte_count = before ? 40 : 100;
      memset(data, 0xab, BYTES);
      CHECK_STATUS(shardspec_comm_exchange(comm, &large, 1, &small, 1, &err),
                   SHARDSPEC_TRANSPORT_FAILED);
      memset(data, 0xee, BYTES);
    }
  }
  free(data);
}

/* Tests a request until it has ended, or waits for it. */
static shardspec_status complete(shardspec_request *request, int wait) {
  int32_t done = 0;
  shardspec_status status = SHARDSPEC_OK;
  if (wait) return shardspec_request_wait(request, &err);
  while (done == 0 && status == SHARDSPEC_OK) status = shardspec_request_test(request, &done, &err);
  return status;
}

static void requests_move_long_messages_in_parts(void) {
  enum { LENGTH = 34567 };
  for (int wait = 0; wait < 2; wait++) {
    unsigned char *sent = malloc(LENGTH), *got = calloc(LENGTH, 1);
    shardspec_request *request;
    CHECK(sent != NULL && got != NULL);
    memset(sent, 17 + (int)rank, LENGTH);
    shardspec_message send[] = {{1 - rank, sent, LENGTH - 5}, {1 - rank, sent, 5}};
    shardspec_message receive[] = {{1 - rank, got, LENGTH - 5}, {1 - rank, got + LENGTH - 5, 5}};
    CHECK_OK(shardspec_comm_exchange_start(comm, send, 2, receive, 2, &request, &err));
    memset(receive, 0xff, sizeof receive);
    CHECK_OK(complete(request, wait));
    for (size_t at = 0; at < LENGTH; at++) CHECK_EQUAL(got[at], 18 - rank);
    CHECK_OK(shardspec_request_free(request, &err));
    free(sent);
    free(got);
  }
}

static void what_fails_in_a_request_is_its_result(void) {
  char data[100] = "";
  for (int wait = 0; wait < 2; wait++) {
    shardspec_message message = {1 - rank, data, rank == 0 ? 30 : 40};
    shardspec_request *request;
    if (rank == 0) {
      CHECK_OK(shardspec_comm_exchange_start(comm, &message, 1, NULL, 0, &request, &err));
      CHECK_OK(complete(request, wait));
    } else {
      CHECK_OK(shardspec_comm_exchange_start(comm, NULL, 0, &message, 1, &request, &err));
      for (int times = 0; times < 3; times++) {
        CHECK_STATUS(complete(request, wait), SHARDSPEC_TRANSPORT_FAILED);
        CHECK_MESSAGE("rank 0 sent 30 bytes where 40 were to be received");
        CHECK_EQUAL(err.got, 30);
      }
    }
    CHECK_OK(shardspec_request_free(request, &err));
    /* And it goes on. */
    requests_move_long_messages_in_parts();
  }
}

/* MPI can't take messages back: freeing a request waits for those that are under way. */
static void a_request_that_is_freed_early_is_waited_for(void) {
  struct timeval pause = {0, 100000};
  char data[10] = "";
  shardspec_message message = {1 - rank, data, sizeof data};
  shardspec_request *request;
  if (rank == 0) {
    CHECK_OK(shardspec_comm_exchange_start(comm, NULL, 0, &message, 1, &request, &err));
    CHECK_OK(shardspec_request_free(request, &err));
    CHECK_TEXT(data, "late");
  } else {
    (void)select(0, NULL, NULL, NULL, &pause);
    strcpy(data, "late");
    CHECK_OK(shardspec_comm_exchange(comm, &message, 1, NULL, 0, &err));
  }
  long_messages_arrive_in_parts();
}

static void what_is_no_communicator_is_refused(void) {
  shardspec_comm *untouched = (shardspec_comm *)&err;
  CHECK_STATUS(shardspec_mpi_comm_new(MPI_COMM_NULL, &untouched, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK(untouched == (shardspec_comm *)&err);
  CHECK_STATUS(shardspec_mpi_comm_new(MPI_COMM_WORLD, NULL, &err), SHARDSPEC_NULL_ARGUMENT);
}

int main(int argc, char **argv) {
  char byte = 0;
  MPI_Init(&argc, &argv);
  CHECK_OK(shardspec_mpi_comm_new(MPI_COMM_WORLD, &comm, &err));
  CHECK_OK(shardspec_comm_rank(comm, &rank, &err));
  long_messages_arrive_in_parts();
  messages_keep_their_order();
  lengths_that_differ_are_a_status();
  what_is_sent_in_an_exchange_that_fails_is_no_longer_read_when_it_returns();
  requests_move_long_messages_in_parts();
  what_fails_in_a_request_is_its_result();
  a_request_that_is_freed_early_is_waited_for();
  what_is_no_communicator_is_refused();
  /* The program's own messages on the same communicator are not taken for the library's. */
  if (rank == 0) MPI_Send(&byte, 1, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
  long_messages_arrive_in_parts();
  if (rank == 1) MPI_Recv(&byte, 1, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  CHECK_OK(shardspec_comm_free(comm, &err));
  MPI_Finalize();
  return 0;
}
