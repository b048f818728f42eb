/* Transfers that are started, tested and waited for. */
#include "batches.h"

/* What a program does in between. */
static double compute(void) {
  double sum = 0;
  for (int i = 1; i < 2000; i++) sum += 1.0 / i;
  return sum;
}

/* Completes a request in one of several ways, and frees it; its result. */
static shardspec_status complete(shardspec_request *request, int way, shardspec_error *rank_err) {
  shardspec_status status = SHARDSPEC_OK;
  int32_t done = 0;
  double sum = 0;
  for (int i = 0; way == 1 && i < 5 && status == SHARDSPEC_OK && done == 0; i++) {
    sum += compute();
    status = shardspec_request_test(request, &done, &err);
  }
  CHECK(way != 1 || sum > 0);
  if (status == SHARDSPEC_OK) status = way == 0 ? test_until_ended(request, rank_err) : shardspec_request_wait(request, &err);
  CHECK(shardspec_request_free(request, NULL) == SHARDSPEC_OK);
  return status;
}

/* Moves a batch: started and completed in one of several ways, or by the call that waits. */
static shardspec_status move_batch(shardspec_comm *comm, batch *b, const shardspec_comm_options *options, int way,
                                   shardspec_error *rank_err) {
  shardspec_comm_tensor tensors[MOST];
  shardspec_request *request = NULL;
  memcpy(tensors, b->tensors, sizeof tensors);
  if (way == 3) return shardspec_comm_transfer(comm, tensors, b->count, options, &err);
  CHECK_OK(shardspec_comm_transfer_start(comm, tensors, b->count, options, &request, &err));
  /* The list is not needed any more. */
  memset(tensors, 0xff, sizeof tensors);
  return complete(request, way, rank_err);
}

/* Runs a transfer in one of these ways. */
static shardspec_status run_transfer(const shardspec_transfer *transfer, shardspec_comm *comm, const batch *other,
                                     int way, shardspec_error *rank_err) {
  const shardspec_comm_tensor *tensors = other == NULL ? NULL : other->tensors;
  size_t count = other == NULL ? 0 : other->count;
  shardspec_request *request = NULL;
  if (way == 3) return shardspec_transfer_run(transfer, comm, tensors, count, &err);
  CHECK_OK(shardspec_transfer_start(transfer, comm, tensors, count, &request, &err));
  return complete(request, way, rank_err);
}

/* Some ranks test, some wait, and some call the function that does not start. */
void transfers_go_on_while_ranks_do_something_else(shardspec_comm *comm, shardspec_error *rank_err) {
  shardspec_comm_options small = {sizeof small, 100, NULL};
  const shardspec_comm_options *options[] = {NULL, &small};
  int rank = (int)rank_of(comm);
  for (int round = 0; round < 8; round++) {
    const shardspec_comm_options *chosen = options[round % 2];
    shardspec_transfer *transfer;
    batch b, other;
    make_batch(&b, comm, (uint64_t)round + 1);
    make_batch(&other, comm, (uint64_t)round + 1);
    reset_batch(&b);
    CHECK_OK(move_batch(comm, &b, chosen, (rank + round) % 4, rank_err));
    check_batch(&b);
    CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, chosen, &transfer, &err));
    for (int run = 0; run < 4; run++) {
      batch *used = run % 2 == 0 ? &b : &other;
      reset_batch(used);
      CHECK_OK(run_transfer(transfer, comm, run == 0 ? NULL : used, (rank + round + run) % 4, rank_err));
      check_batch(used);
    }
    CHECK_OK(shardspec_transfer_free(transfer, &err));
    free_batch(&b);
    free_batch(&other);
  }
  wait_for_all(comm);
}

/* Neither the objects of the call nor the transfer are needed while a request goes on. */
void without_start_a_transfer_moves_when_it_is_waited_for(shardspec_comm *comm, shardspec_error *rank_err) {
  wire *w;
  shardspec_comm *plain = failing(comm, &w);
  shardspec_request *request;
  shardspec_transfer *transfer;
  int32_t done = -1;
  batch b, gone;
  make_batch(&b, comm, 5);
  make_batch(&gone, comm, 5);
  for (size_t i = 0; i < b.count; i++) {
    b.tensors[i].source = gone.from[i].metadata;
    b.tensors[i].destination = gone.to[i].metadata;
  }
  CHECK_OK(shardspec_transfer_prepare(plain, b.tensors, b.count, NULL, &transfer, &err));
  reset_batch(&b);
  int exchanges = w->exchanges;
  CHECK_OK(shardspec_transfer_start(transfer, plain, NULL, 0, &request, &err));
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  CHECK_OK(shardspec_comm_free(plain, &err));
  free_batch(&gone);
  for (int i = 0; i < 3; i++) {
    CHECK_OK(shardspec_request_test(request, &done, &err));
    CHECK_EQUAL(done, size_of(comm) == 1);
  }
  if (size_of(comm) > 1) CHECK_EQUAL(w->exchanges, exchanges);
  if (size_of(comm) > 1) check_batch_untouched(&b);
  CHECK_OK(shardspec_request_wait(request, &err));
  CHECK_OK(shardspec_request_test(request, &done, &err));
  CHECK_EQUAL(done, 1);
  CHECK_OK(shardspec_request_free(request, &err));
  check_batch(&b);
  free_batch(&b);
  wait_for_all(comm);
}

/* What rank `culprit` does to its own batch or call. */
typedef struct spoiled {
  batch b;
  shardspec_comm_options options;
  const shardspec_transfer *transfer;
} spoiled;
typedef void spoiling(spoiled *s);

static void another_tag(spoiled *s) { s->b.tensors[4].tag = "embedding"; }
static void no_source(spoiled *s) { s->b.tensors[5].source = NULL; }
static void wrong_size(spoiled *s) { s->b.tensors[2].struct_size = 8; }
static void wrong_options(spoiled *s) { s->options.struct_size = 8; }
static void no_tensors(spoiled *s) { memset(s->b.tensors, 0, sizeof s->b.tensors); }

/* All requests end with an error that has `said` in its message, and nothing was written. */
static void told_by_requests(shardspec_comm *comm, int64_t culprit, spoiling *spoil, shardspec_status status,
                             const char *said, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm);
  for (int way = 0; way < 4; way++) {
    shardspec_request *request = NULL;
    spoiled s = {.options = {sizeof s.options, 0, NULL}};
    make_batch(&s.b, comm, 3);
    reset_batch(&s.b);
    if (rank == culprit) spoil(&s);
    wait_for_all(comm);
    double start = seconds();
    /* Ranks that call the function without a request are told too. */
    int own_way = ((int)rank + way) % 4;
    shardspec_status wanted = rank == culprit ? status : SHARDSPEC_DISAGREEMENT;
    if (own_way == 3) {
      CHECK_STATUS(shardspec_comm_transfer(comm, s.b.tensors, s.b.count, &s.options, &err), wanted);
    } else {
      CHECK_OK(shardspec_comm_transfer_start(comm, s.b.tensors, s.b.count, &s.options, &request, &err));
      CHECK_STATUS(complete(request, own_way, rank_err), wanted);
    }
    CHECK(seconds() - start < 1);
    CHECK_MESSAGE(said);
    check_batch_untouched(&s.b);
    free_batch(&s.b);
  }
}

/* The communicator moves as before. */
static void moves_as_before(shardspec_comm *comm, shardspec_error *rank_err) {
  batch b;
  make_batch(&b, comm, 3);
  reset_batch(&b);
  CHECK_OK(move_batch(comm, &b, NULL, (int)rank_of(comm) % 4, rank_err));
  check_batch(&b);
  free_batch(&b);
}

void tensors_that_differ_are_named_by_requests(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm);
  for (int64_t culprit = 0; culprit < size && size > 1; culprit++) {
    told_by_requests(comm, culprit, another_tag, SHARDSPEC_DISAGREEMENT, "tensors[4] 'embedding' (", rank_err);
    moves_as_before(comm, rank_err);
  }
}

void wrong_arguments_of_a_start_are_told_by_the_request(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm);
  shardspec_transfer *transfer;
  shardspec_request *request;
  batch b;
  make_batch(&b, comm, 3);
  CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, NULL, &transfer, &err));
  for (int64_t culprit = 0; culprit < size; culprit++) {
    told_by_requests(comm, culprit, no_source, SHARDSPEC_NULL_ARGUMENT, "tensors[5] 'layers.5.weight': source: is NULL", rank_err);
    told_by_requests(comm, culprit, wrong_size, SHARDSPEC_INVALID_ARGUMENT, "tensors[2]: its struct_size is 8", rank_err);
    told_by_requests(comm, culprit, wrong_options, SHARDSPEC_INVALID_ARGUMENT, "options: its struct_size is 8", rank_err);
    told_by_requests(comm, culprit, no_tensors, SHARDSPEC_INVALID_ARGUMENT, "tensors[0]: its struct_size is 0", rank_err);
    for (int kind = 0; kind < 4; kind++) {
      static const char *const said[] = {"transfer: is NULL", "11 tensors for a transfer of 12", "it is closed",
                                         "status: -1 is too small; pass at least 1"};
      int own_way = ((int)rank + kind) % 3;
      reset_batch(&b);
      wait_for_all(comm);
      double start = seconds();
      if (rank != culprit) {
        CHECK_OK(shardspec_transfer_start(transfer, comm, NULL, 0, &request, &err));
        CHECK_STATUS(complete(request, own_way, rank_err), SHARDSPEC_DISAGREEMENT);
        CHECK_MESSAGE(said[kind]);
      } else if (kind < 2) {
        CHECK_OK(shardspec_transfer_start(kind == 0 ? NULL : transfer, comm, kind == 0 ? NULL : b.tensors,
                                          kind == 0 ? 0 : b.count - 1, &request, &err));
        CHECK_STATUS(complete(request, own_way, rank_err),
                     kind == 0 ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_INVALID_ARGUMENT);
        CHECK_MESSAGE(said[kind]);
      } else {
        CHECK_OK(shardspec_comm_decline_start(comm, kind == 2 ? SHARDSPEC_NOT_FOUND : -1, "it is closed", &request, &err));
        CHECK_STATUS(complete(request, own_way, rank_err), kind == 2 ? SHARDSPEC_OK : SHARDSPEC_INVALID_ARGUMENT);
      }
      CHECK(seconds() - start < 1);
      check_batch_untouched(&b);
      CHECK_OK(run_transfer(transfer, comm, NULL, (int)(rank + 1) % 4, rank_err));
      check_batch(&b);
    }
    moves_as_before(comm, rank_err);
  }
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  free_batch(&b);
}

/* While a transfer runs, another run is refused on all ranks, also by another communicator. */
void a_transfer_has_one_run_at_a_time(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm);
  shardspec_comm *second = second_communicator(comm);
  shardspec_transfer *transfer;
  shardspec_request *first = NULL, *other = NULL, *untouched = (shardspec_request *)&rank;
  batch b;
  make_batch(&b, comm, 4);
  CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, NULL, &transfer, &err));
  reset_batch(&b);
  if (size_of(comm) > 1) {
    wire *w;
    /* It moves in `wait` only, so that it has not ended. */
    shardspec_comm *plain = failing(comm, &w);
    CHECK_OK(shardspec_transfer_start(transfer, plain, NULL, 0, &first, &err));
    CHECK_STATUS(shardspec_transfer_start(transfer, plain, NULL, 0, &untouched, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK_MESSAGE("comm: a request on it is not complete");
    CHECK_STATUS(shardspec_comm_decline_start(plain, 1, "why", &untouched, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK_STATUS(shardspec_transfer_run(transfer, plain, NULL, 0, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK(untouched == (shardspec_request *)&rank);
    CHECK_OK(shardspec_transfer_start(transfer, second, NULL, 0, &other, &err));
    CHECK_STATUS(complete(other, (int)rank % 3, rank_err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK_MESSAGE("transfer: another run of it is under way");
    CHECK_OK(complete(first, 2, rank_err));
    CHECK_OK(shardspec_comm_free(plain, &err));
    check_batch(&b);
  }
  reset_batch(&b);
  CHECK_OK(run_transfer(transfer, second, NULL, (int)rank % 4, rank_err));
  check_batch(&b);
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  free_batch(&b);
  wait_for_all(comm);
  CHECK_OK(shardspec_comm_free(second, &err));
}

/* A request that is freed before its end aborts the communicator, or is completed where that can't be
 * done. Nothing uses its memory after that, and the transfer runs again. */
void a_transfer_that_is_freed_early_leaves_no_rank_waiting(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm), size = size_of(comm);
  shardspec_transfer *transfer;
  batch b;
  make_batch(&b, comm, 6);
  CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, NULL, &transfer, &err));
  for (int64_t culprit = 0; culprit < size && size > 1; culprit++)
    for (int prepared = 0; prepared < 2; prepared++) {
      shardspec_comm *second = second_communicator(comm);
      shardspec_request *request;
      reset_batch(&b);
#ifndef SHARDSPEC_TESTS_MPI
      /* The culprit has freed it before the others start, so that it has not ended. */
      if (rank != culprit) wait_for_all(comm);
#endif
      if (prepared) CHECK_OK(shardspec_transfer_start(transfer, second, NULL, 0, &request, &err));
      else CHECK_OK(shardspec_comm_transfer_start(second, b.tensors, b.count, NULL, &request, &err));
      double start = seconds();
      if (rank == culprit) {
        CHECK_OK(shardspec_request_free(request, &err));
#ifndef SHARDSPEC_TESTS_MPI
        wait_for_all(comm);
#endif
      } else {
        shardspec_status status = complete(request, (int)rank % 3, rank_err);
#ifdef SHARDSPEC_TESTS_MPI
        CHECK_OK(status);
#else
        CHECK_STATUS(status, SHARDSPEC_TRANSPORT_FAILED);
        CHECK_MESSAGE("aborted: a request was freed before it was complete");
#endif
      }
      CHECK(seconds() - start < 5);
#ifdef SHARDSPEC_TESTS_MPI
      check_batch(&b);
#endif
      reset_batch(&b);
      wait_for_all(comm);
      CHECK_OK(shardspec_comm_free(second, &err));
      check_batch_untouched(&b);
      CHECK_OK(run_transfer(transfer, comm, NULL, (int)rank % 4, rank_err));
      check_batch(&b);
    }
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  free_batch(&b);
}

/* It fails at every exchange in turn, on all ranks: as an exchange, when it starts, and when it is tested
 * or waited for. The request returns that, each time. Every handle is as good as before. */
void a_transport_that_fails_in_a_request_is_its_result(shardspec_comm *comm, shardspec_error *rank_err) {
  shardspec_comm_options small = {sizeof small, 4000, NULL};
  int64_t size = size_of(comm), rank = rank_of(comm), owners[64];
  shardspec_transfer *transfer;
  batch b;
  memset(&b, 0, sizeof b);
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  /* As many for each rank, so that all make the same number of exchanges. */
  cut_in_chunks(&b.from[0], comm, 84, 84, 0, owners, (size_t)size);
  cut_in_chunks(&b.to[0], comm, 84, 84, 1, owners, (size_t)size);
  add_tensor(&b);
  CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, 1, &small, &transfer, &err));
  for (int kind = 0; kind < 3; kind++)
    for (int fails = 0, exchanges = 1; fails < exchanges && size > 1; fails++) {
      shardspec_comm *group = another_group(comm);
      int way = kind == 0 ? 2 : (int)(rank + fails) % 2 * 2;
      shardspec_request *request;
      int32_t done = -1;
      wire *w;
      shardspec_comm *cable = kind == 0 ? failing(group, &w) : starting(group, &w);
      w->countdown = fails;
      w->fails_late = kind == 2;
      reset_batch(&b);
      if (fails % 2) CHECK_OK(shardspec_comm_transfer_start(cable, b.tensors, 1, &small, &request, &err));
      else CHECK_OK(shardspec_transfer_start(transfer, cable, NULL, 0, &request, &err));
      shardspec_status status = way == 0 ? test_until_ended(request, rank_err) : shardspec_request_wait(request, &err);
      for (int times = 0; times < 3; times++) {
        /* Another rank may have been first, and this one was told. */
        CHECK(status == 1234 || status == SHARDSPEC_TRANSPORT_FAILED);
        CHECK_MESSAGE("the cable is cut");
        status = times == 0 ? shardspec_request_test(request, &done, &err) : shardspec_request_wait(request, &err);
        CHECK_EQUAL(done, -1);
      }
      CHECK_OK(shardspec_request_free(request, &err));
      CHECK_OK(shardspec_comm_free(cable, &err));
      free_group(group, comm, rank_err);
      cable = kind == 0 ? failing(comm, &w) : starting(comm, &w);
      reset_batch(&b);
      CHECK_OK(run_transfer(transfer, cable, NULL, way, rank_err));
      check_batch(&b);
      exchanges = w->exchanges;
      CHECK(exchanges > 3);
      CHECK_OK(shardspec_comm_free(cable, &err));
    }
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  free_batch(&b);
}

/* Scatters, reshards and gathers a tensor. Some ranks start these, and some call the functions without a
 * request. */
void scatters_gathers_and_reshards_are_started(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), owners[64];
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  for (int64_t root = 0; root < size; root++) {
    shardspec_request *request = NULL;
    cut rows, columns;
    cut_in_chunks(&rows, comm, 2 * size + 1, 7, 0, owners, (size_t)size);
    cut_in_chunks(&columns, comm, 2 * size + 1, 7, 1, owners, (size_t)size);
    int64_t count = (2 * size + 1) * 7, target = root == 0 ? SHARDSPEC_ALL_RANKS : root;
    int32_t *back = malloc((size_t)count * sizeof *back);
    shardspec_tensor_view view = rows.full_view;
    CHECK(back != NULL);
    memset(back, 0x5a, (size_t)count * sizeof *back);
    view.data = back;
    int way = (int)(rank + root) % 4;
    const shardspec_tensor_view *full = rank == root ? &rows.full_view : NULL;
    clear_shards(&rows);
    if (way == 3) {
      CHECK_OK(shardspec_comm_scatter(comm, rows.metadata, root, full, rows.shards, rows.count, NULL, &err));
    } else {
      CHECK_OK(shardspec_comm_scatter_start(comm, rows.metadata, root, full, rows.shards, rows.count, NULL,
                                            &request, &err));
      CHECK_OK(complete(request, way, rank_err));
    }
    check_shards(&rows);
    clear_shards(&columns);
    if (way == 2) {
      CHECK_OK(shardspec_comm_reshard(comm, rows.metadata, rows.shards, rows.count, columns.metadata,
                                      columns.shards, columns.count, NULL, &err));
    } else {
      CHECK_OK(shardspec_comm_reshard_start(comm, rows.metadata, rows.shards, rows.count, columns.metadata,
                                            columns.shards, columns.count, NULL, &request, &err));
      CHECK_OK(complete(request, (way + 1) % 3, rank_err));
    }
    check_shards(&columns);
    if (way == 1) {
      CHECK_OK(shardspec_comm_gather(comm, columns.metadata, target, columns.shards, columns.count, &view, NULL, &err));
    } else {
      CHECK_OK(shardspec_comm_gather_start(comm, columns.metadata, target, columns.shards, columns.count, &view,
                                           NULL, &request, &err));
      CHECK_OK(complete(request, way % 3, rank_err));
    }
    if (target == SHARDSPEC_ALL_RANKS || target == rank) check_full(&rows, back);
    else check_untouched(back, count);
    free(back);
    free_cut(&rows);
    free_cut(&columns);
  }
  wait_for_all(comm);
}

/* Every start that has an invalid argument on one rank ends with that on all. */
void wrong_arguments_of_started_collectives_are_told(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), owners[64];
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  for (int64_t culprit = 0; culprit < size; culprit++) {
    cut rows, columns;
    cut_in_chunks(&rows, comm, 2 * size, 6, 0, owners, (size_t)size);
    cut_in_chunks(&columns, comm, 2 * size, 6, 1, owners, (size_t)size);
    for (int kind = 0; kind < 3; kind++) {
      shardspec_request *request = NULL;
      int is_culprit = rank == culprit;
      /* One view more than there are shards. */
      size_t count = rows.count + (size_t)is_culprit;
      shardspec_status wanted = is_culprit ? SHARDSPEC_INVALID_ARGUMENT : SHARDSPEC_DISAGREEMENT;
      fill_shards(&rows);
      clear_shards(&columns);
      if (kind == 0)
        CHECK_OK(shardspec_comm_scatter_start(comm, columns.metadata, 0, &columns.full_view, columns.shards,
                                              columns.count + (size_t)is_culprit, NULL, &request, &err));
      if (kind == 1)
        CHECK_OK(shardspec_comm_gather_start(comm, rows.metadata, 0, rows.shards, count, &rows.full_view, NULL,
                                             &request, &err));
      if (kind == 2)
        CHECK_OK(shardspec_comm_reshard_start(comm, rows.metadata, rows.shards, count, columns.metadata,
                                              columns.shards, columns.count, NULL, &request, &err));
      CHECK_STATUS(complete(request, (int)(rank + kind) % 3, rank_err), wanted);
      CHECK_MESSAGE("pass one for each, in the order of their indices");
      check_shards_untouched(&columns);
    }
    free_cut(&rows);
    free_cut(&columns);
  }
  moves_as_before(comm, rank_err);
}

void a_started_preparation_is_a_transfer_when_it_has_ended(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm);
  for (int64_t culprit = -1; culprit < size; culprit++) {
    shardspec_transfer *transfer = NULL;
    shardspec_request *request = NULL, *too_early = NULL;
    batch b;
    make_batch(&b, comm, 3);
    if (rank == culprit) b.tensors[5].source = NULL;
    CHECK_OK(shardspec_transfer_prepare_start(comm, b.tensors, b.count, NULL, &transfer, &request, &err));
    CHECK((transfer == NULL) == (rank == culprit));
    if (culprit < 0) {
      CHECK_OK(complete(request, (int)rank % 3, rank_err));
    } else {
      CHECK_STATUS(complete(request, (int)rank % 3, rank_err),
                   rank == culprit ? SHARDSPEC_NULL_ARGUMENT : SHARDSPEC_DISAGREEMENT);
      CHECK_MESSAGE("tensors[5] 'layers.5.weight': source: is NULL");
    }
    reset_batch(&b);
    CHECK_OK(shardspec_transfer_start(transfer, comm, NULL, 0, &too_early, &err));
    shardspec_status ran = complete(too_early, (int)(rank + 1) % 3, rank_err);
    if (culprit < 0) {
      CHECK_OK(ran);
      check_batch(&b);
    } else {
      CHECK(ran != SHARDSPEC_OK);
      check_batch_untouched(&b);
    }
    CHECK_OK(shardspec_transfer_free(transfer, &err));
    free_batch(&b);
  }
  moves_as_before(comm, rank_err);
}
