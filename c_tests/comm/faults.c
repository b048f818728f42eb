/* A transport that fails: every rank returns, and none returns success without all of its data. */
#include "ranks.h"

shardspec_comm *another_group(shardspec_comm *comm) {
#ifdef SHARDSPEC_TESTS_MPI
  return comm;
#else
  return second_communicator(comm);
#endif
}

void free_group(shardspec_comm *group, shardspec_comm *comm, shardspec_error *rank_err) {
  wait_for_all(comm);
  if (group != comm) CHECK_OK(shardspec_comm_free(group, &err));
}

static void cut_by_columns(cut *c, const shardspec_comm *comm) {
  int64_t owners[64], size = size_of(comm);
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  /* As many for each rank, so that all make the same number of exchanges. */
  cut_in_chunks(c, comm, 10, 84, 1, owners, (size_t)size);
}

/* Gathers to all ranks in many rounds. Success means that everything is there. */
static shardspec_status gather_to_all(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  shardspec_comm_options options = {sizeof options, 1000, NULL};
  int32_t *back = calloc((size_t)(c->sizes[0] * c->sizes[1]), sizeof *back);
  shardspec_tensor_view view = c->full_view;
  CHECK(back != NULL);
  view.data = back;
  shardspec_status status = shardspec_comm_gather(comm, c->metadata, SHARDSPEC_ALL_RANKS, c->shards,
                                                  c->count, &view, &options, &err);
  if (status == SHARDSPEC_OK) check_full(c, back);
  free(back);
  return status;
}

void a_failing_transport_is_a_status_and_no_more(shardspec_comm *comm, shardspec_error *rank_err) {
  int fails = 0;
  /* On all ranks at every exchange, those of the agreement first. With one rank there is none. */
  for (int exchanges = 1; fails < exchanges && size_of(comm) > 1; fails++) {
    shardspec_comm *group = another_group(comm);
    wire *w;
    shardspec_comm *cable = failing(group, &w);
    cut c;
    cut_by_columns(&c, comm);
    fill_shards(&c);
    w->countdown = fails;
    shardspec_status status = gather_to_all(cable, &c, &err);
    /* Another rank may have been first, and this one was told. */
    CHECK(status == 1234 || status == SHARDSPEC_TRANSPORT_FAILED);
    if (status == 1234) {
      CHECK_TEXT(err.message, "the cable is cut");
      CHECK_EQUAL(err.got, 77);
    } else {
      CHECK_MESSAGE("aborted: the cable is cut");
    }
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_group(group, comm, rank_err);
    /* Every other handle is as good as before. */
    cable = failing(comm, &w);
    CHECK_OK(gather_to_all(cable, &c, &err));
    exchanges = w->exchanges;
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_cut(&c);
  }
  CHECK(fails > 5 || size_of(comm) == 1);
}

/* As where a language with exceptions returns 0 for one that its callback threw, on all ranks. */
void an_exchange_that_throws_never_reads_as_success(shardspec_comm *comm, shardspec_error *rank_err) {
  for (int fails = 0, exchanges = 1; fails < exchanges && size_of(comm) > 1; fails++) {
    shardspec_comm *group = another_group(comm);
    wire *w;
    shardspec_comm *cable = failing(group, &w);
    cut c;
    cut_by_columns(&c, comm);
    fill_shards(&c);
    w->countdown = fails;
    w->failure = 0;
    shardspec_status status = gather_to_all(cable, &c, &err);
    CHECK(status == SHARDSPEC_CALLBACK_FAILED || status == SHARDSPEC_TRANSPORT_FAILED);
    CHECK_MESSAGE("exchange of the communicator returned 0");
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_group(group, comm, rank_err);
    cable = failing(comm, &w);
    CHECK_OK(gather_to_all(cable, &c, &err));
    exchanges = w->exchanges;
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_cut(&c);
  }
}

/* One rank fails at each of its exchanges in turn, by a status or by throwing. */
void a_rank_that_fails_leaves_no_other_waiting_and_no_holes(shardspec_comm *comm,
                                                            shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm);
  for (int fails = 0, exchanges = 1; fails < exchanges && size > 1; fails++) {
    shardspec_comm *group = another_group(comm);
    wire *w;
    shardspec_comm *cable = failing(group, &w);
    int64_t culprit = fails % size;
    int throws = fails / size % 2 == 0;
    char said[80];
    cut c;
    cut_by_columns(&c, comm);
    fill_shards(&c);
    if (rank == culprit) {
      w->countdown = fails;
      if (throws) w->failure = 0;
    }
    shardspec_status status = gather_to_all(cable, &c, &err);
    if (rank == culprit) {
      CHECK_EQUAL(status, throws ? SHARDSPEC_CALLBACK_FAILED : 1234);
    } else if (status != SHARDSPEC_OK) {
      /* A rank that had everything before was successful, with everything in its place. */
      CHECK_EQUAL(status, SHARDSPEC_TRANSPORT_FAILED);
      snprintf(said, sizeof said, "rank %d aborted: ", (int)culprit);
      CHECK_MESSAGE(said);
      CHECK_MESSAGE(throws ? "returned 0" : "the cable is cut");
    }
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_group(group, comm, rank_err);
    cable = failing(comm, &w);
    CHECK_OK(gather_to_all(cable, &c, &err));
    exchanges = w->exchanges;
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_cut(&c);
  }
}

/* A prepared transfer runs over a transport that fails at each exchange in turn, and then again over
 * one that does not. */
void a_transfer_outlives_a_transport_that_fails(shardspec_comm *comm, shardspec_error *rank_err) {
  shardspec_comm_options options = {sizeof options, 1000, NULL};
  int64_t owners[64], size = size_of(comm);
  shardspec_transfer *transfer;
  shardspec_comm_tensor tensors[2];
  cut from, to[2];
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  cut_in_chunks(&from, comm, 84, 84, 0, owners, (size_t)size);
  fill_shards(&from);
  memset(tensors, 0, sizeof tensors);
  for (int i = 0; i < 2; i++) {
    cut_in_chunks(&to[i], comm, 84, 84, 1, owners, (size_t)size);
    tensors[i].struct_size = sizeof tensors[i];
    tensors[i].tag = i == 0 ? "weight" : "moment";
    tensors[i].source = from.metadata, tensors[i].destination = to[i].metadata;
    tensors[i].source_shards = from.shards, tensors[i].source_shard_count = from.count;
    tensors[i].destination_shards = to[i].shards, tensors[i].destination_shard_count = to[i].count;
  }
  CHECK_OK(shardspec_transfer_prepare(comm, tensors, 2, &options, &transfer, &err));
  int fails = 0;
  for (int exchanges = 1; fails < exchanges && size > 1; fails++) {
    shardspec_comm *group = another_group(comm);
    wire *w;
    shardspec_comm *cable = failing(group, &w);
    w->countdown = fails;
    shardspec_status status = shardspec_transfer_run(transfer, cable, NULL, 0, &err);
    CHECK(status == 1234 || status == SHARDSPEC_TRANSPORT_FAILED);
    CHECK_MESSAGE("the cable is cut");
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_group(group, comm, rank_err);
    cable = failing(comm, &w);
    for (int i = 0; i < 2; i++) clear_shards(&to[i]);
    CHECK_OK(shardspec_transfer_run(transfer, cable, NULL, 0, &err));
    for (int i = 0; i < 2; i++) check_shards(&to[i]);
    exchanges = w->exchanges;
    CHECK_OK(shardspec_comm_free(cable, &err));
  }
  CHECK(fails > 5 || size == 1);
  /* So does the preparation. */
  for (fails = 0; (1 << fails) < size; fails++) {
    shardspec_comm *group = another_group(comm);
    shardspec_transfer *none = NULL;
    wire *w;
    shardspec_comm *cable = failing(group, &w);
    w->countdown = fails;
    shardspec_status status = shardspec_transfer_prepare(cable, tensors, 2, NULL, &none, &err);
    CHECK(status == 1234 || status == SHARDSPEC_TRANSPORT_FAILED);
    CHECK(none == NULL);
    CHECK_OK(shardspec_comm_free(cable, &err));
    free_group(group, comm, rank_err);
  }
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  free_cut(&from);
  for (int i = 0; i < 2; i++) free_cut(&to[i]);
}
