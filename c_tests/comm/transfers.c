/* Batches of tensors, and transfers that are prepared once and run again, on every rank. */
#include "batches.h"

void add_tensor(batch *b) {
  size_t i = b->count++;
  CHECK(i < MOST);
  snprintf(b->tags[i], sizeof b->tags[i], "layers.%d.weight", (int)i);
  memset(&b->tensors[i], 0, sizeof b->tensors[i]);
  b->tensors[i].struct_size = sizeof b->tensors[i];
  b->tensors[i].tag = b->tags[i];
  b->tensors[i].source = b->from[i].metadata;
  b->tensors[i].destination = b->to[i].metadata;
  b->tensors[i].source_shards = b->from[i].shards;
  b->tensors[i].source_shard_count = b->from[i].count;
  b->tensors[i].destination_shards = b->to[i].shards;
  b->tensors[i].destination_shard_count = b->to[i].count;
  b->tensors[i].dtype = (shardspec_dtype){SHARDSPEC_DTYPE_INT, 32, 1};
}

void reset_batch(batch *b) {
  for (size_t i = 0; i < b->count; i++) {
    fill_shards(&b->from[i]);
    clear_shards(&b->to[i]);
  }
}

void check_batch(const batch *b) {
  for (size_t i = 0; i < b->count; i++) check_shards(&b->to[i]);
}

void check_batch_untouched(const batch *b) {
  for (size_t i = 0; i < b->count; i++) check_shards_untouched(&b->to[i]);
}

void free_batch(batch *b) {
  for (size_t i = 0; i < b->count; i++) {
    free_cut(&b->from[i]);
    free_cut(&b->to[i]);
  }
}

static void owners_from(int64_t *owners, int64_t count, int64_t size, int64_t first) {
  for (int64_t i = 0; i < count; i++) owners[i] = (i + first) % size;
}

void make_batch(batch *b, const shardspec_comm *comm, uint64_t seed) {
  int64_t size = size_of(comm), owners[64], others[64], boxes[36][5];
  uint64_t state = seed;
  memset(b, 0, sizeof *b);
  owners_from(owners, 2 * size, size, 0);
  owners_from(others, 2 * size, size, 1);
  /* Rows become columns, uneven ones, also where ranks have none. */
  cut_in_chunks(&b->from[0], comm, 9, 2 * size + 1, 0, owners, (size_t)size);
  cut_in_chunks(&b->to[0], comm, 9, 2 * size + 1, 1, others, (size_t)size);
  add_tensor(b);
  /* Several shards of each rank. */
  for (int64_t i = 0; i < 36; i++) {
    int64_t box[] = {i / 6 * 2, i % 6 * 3, 2, 3, i * 5 % size};
    memcpy(boxes[i], box, sizeof box);
  }
  cut_in_boxes(&b->from[1], comm, 12, 18, (const int64_t(*)[5])boxes, 36);
  cut_in_chunks(&b->to[1], comm, 12, 18, 1, others, (size_t)(2 * size));
  add_tensor(b);
  /* A tensor without elements, and one that stays where it is. */
  cut_in_chunks(&b->from[2], comm, 0, 4, 0, owners, (size_t)size);
  cut_in_chunks(&b->to[2], comm, 0, 4, 1, owners, (size_t)size);
  add_tensor(b);
  cut_in_chunks(&b->from[3], comm, 2 * size, 3, 0, owners, (size_t)size);
  cut_in_chunks(&b->to[3], comm, 2 * size, 3, 0, owners, (size_t)size);
  add_tensor(b);
  /* Block-cyclic, in segments, padded, with replicas, several of them on a rank. */
  while (b->count < MOST) {
    size_t i = b->count;
    int64_t rows = 1 + random_below(&state, 14), columns = 1 + random_below(&state, 9);
    cut_over_mesh(&b->from[i], comm, &state, rows, columns);
    cut_over_mesh(&b->to[i], comm, &state, rows, columns);
    add_tensor(b);
  }
}

void batches_of_any_layouts_arrive(shardspec_comm *comm, shardspec_error *rank_err) {
  shardspec_comm_options small = {sizeof small, 100, NULL};
  const shardspec_comm_options *options[] = {NULL, &small};
  for (uint64_t seed = 1; seed < 6; seed++)
    for (size_t i = 0; i < COUNT(options); i++) {
      batch b;
      make_batch(&b, comm, seed);
      reset_batch(&b);
      CHECK_OK(shardspec_comm_transfer(comm, b.tensors, b.count, options[i], &err));
      check_batch(&b);
      CHECK_OK(shardspec_comm_transfer(comm, NULL, 0, options[i], &err));
      free_batch(&b);
    }
}

void a_prepared_transfer_runs_again_on_the_same_and_on_other_buffers(shardspec_comm *comm,
                                                                     shardspec_error *rank_err) {
  shardspec_comm_options small = {sizeof small, 200, NULL};
  const shardspec_comm_options *options[] = {NULL, &small};
  for (size_t i = 0; i < COUNT(options); i++) {
    shardspec_transfer *transfer, *again;
    uint64_t fingerprint = 0, same = 1;
    batch b, other;
    make_batch(&b, comm, 7);
    make_batch(&other, comm, 7);
    reset_batch(&b);
    CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, options[i], &transfer, &err));
    check_batch_untouched(&b);
    for (int run = 0; run < 3; run++) {
      reset_batch(&b);
      CHECK_OK(shardspec_transfer_run(transfer, comm, NULL, 0, &err));
      check_batch(&b);
      reset_batch(&other);
      CHECK_OK(shardspec_transfer_run(transfer, comm, other.tensors, other.count, &err));
      check_batch(&other);
      /* Once more from there, on some ranks with the buffers passed again. */
      reset_batch(&other);
      if (rank_of(comm) % 2) CHECK_OK(shardspec_transfer_run(transfer, comm, NULL, 0, &err));
      else CHECK_OK(shardspec_transfer_run(transfer, comm, other.tensors, other.count, &err));
      check_batch(&other);
      CHECK_OK(shardspec_transfer_run(transfer, comm, b.tensors, b.count, &err));
      check_batch(&b);
    }
    CHECK_OK(shardspec_transfer_prepare(comm, other.tensors, other.count, NULL, &again, &err));
    CHECK_OK(shardspec_transfer_fingerprint(transfer, &fingerprint, &err));
    CHECK_OK(shardspec_transfer_fingerprint(again, &same, &err));
    CHECK(fingerprint == same);
    CHECK_OK(shardspec_transfer_free(again, &err));
    other.tensors[1].tag = "another";
    CHECK_OK(shardspec_transfer_prepare(comm, other.tensors, other.count, NULL, &again, &err));
    CHECK_OK(shardspec_transfer_fingerprint(again, &same, &err));
    CHECK(fingerprint != same);
    CHECK_OK(shardspec_transfer_free(again, &err));
    /* Metadata may be gone before the transfer, and layouts are not asked for again. */
    free_batch(&b);
    for (size_t t = 0; t < other.count; t++) {
      other.tensors[t].source = other.tensors[t].destination = NULL;
      other.tensors[t].tag = NULL;
    }
    reset_batch(&other);
    CHECK_OK(shardspec_transfer_run(transfer, comm, other.tensors, other.count, &err));
    check_batch(&other);
    free_batch(&other);
    CHECK_OK(shardspec_transfer_free(transfer, &err));
    CHECK_STATUS(shardspec_transfer_free(transfer, &err), SHARDSPEC_INVALID_HANDLE);
  }
}

/* What rank `culprit` does to its own batch before the call. */
typedef void spoiling(batch *b, shardspec_comm *comm);

/* All ranks return from the call, with `said` in the message, and nothing was written. */
static void told_on_all(shardspec_comm *comm, int64_t culprit, spoiling *spoil,
                        shardspec_status status, int64_t position, const char *const said[2],
                        shardspec_error *rank_err) {
  int64_t rank = rank_of(comm);
  shardspec_transfer *transfer = NULL;
  batch b;
  make_batch(&b, comm, 3);
  reset_batch(&b);
  if (rank == culprit) spoil(&b, comm);
  for (int prepared = 0; prepared < 2; prepared++) {
    wait_for_all(comm);
    double start = seconds();
    CHECK_STATUS(prepared ? shardspec_transfer_prepare(comm, b.tensors, b.count, NULL, &transfer, &err)
                          : shardspec_comm_transfer(comm, b.tensors, b.count, NULL, &err),
                 rank == culprit ? status : SHARDSPEC_DISAGREEMENT);
    CHECK(seconds() - start < 1);
    CHECK(transfer == NULL);
    CHECK_MESSAGE(said[0]);
    CHECK_MESSAGE(said[1]);
    if (status != SHARDSPEC_DISAGREEMENT) CHECK_EQUAL(err.index, position);
    check_batch_untouched(&b);
  }
  free_batch(&b);
  make_batch(&b, comm, 3);
  reset_batch(&b);
  CHECK_OK(shardspec_comm_transfer(comm, b.tensors, b.count, NULL, &err));
  check_batch(&b);
  free_batch(&b);
}

static void another_tag(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[4].tag = "embedding";
}

static void another_order(batch *b, shardspec_comm *comm) {
  shardspec_comm_tensor kept = b->tensors[3];
  (void)comm;
  b->tensors[3] = b->tensors[7];
  b->tensors[7] = kept;
}

static void one_less(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->count--;
  free_cut(&b->from[b->count]);
  free_cut(&b->to[b->count]);
}

static void another_dtype(batch *b, shardspec_comm *comm) {
  (void)comm;
  /* Of no element: no buffer tells. */
  b->tensors[2].source_shards = b->tensors[2].destination_shards = b->from[2].shards;
  for (size_t i = 0; i < b->from[2].count; i++) b->from[2].shards[i].dtype.code = SHARDSPEC_DTYPE_FLOAT;
  for (size_t i = 0; i < b->to[2].count; i++) b->to[2].shards[i].dtype.code = SHARDSPEC_DTYPE_FLOAT;
  b->tensors[2].destination_shards = b->to[2].shards;
  b->tensors[2].dtype.code = SHARDSPEC_DTYPE_FLOAT;
}

static void another_layout(batch *b, shardspec_comm *comm) {
  /* The same sizes, and the other way. */
  int64_t owners[64], size = size_of(comm);
  owners_from(owners, size, size, 1);
  free_cut(&b->to[3]);
  cut_in_chunks(&b->to[3], comm, 2 * size, 3, 0, owners, (size_t)size);
  b->tensors[3].destination = b->to[3].metadata;
  b->tensors[3].destination_shards = b->to[3].shards;
}

void tensors_that_differ_are_named_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm);
#define DIFFER(spoil, one, two)                                                                    \
  told_on_all(comm, culprit, spoil, SHARDSPEC_DISAGREEMENT, -1, (const char *const[]){one, two}, rank_err)
  for (int64_t culprit = 0; culprit < size && size > 1; culprit++) {
    DIFFER(another_tag, "tensors[4] 'embedding' (", "tensors[4] 'layers.4.weight' (");
    DIFFER(another_order, "tensors[3] 'layers.7.weight' (", "tensors[3] 'layers.3.weight' (");
    DIFFER(one_less, "passed only 11 tensors", "tensors[11] 'layers.11.weight' (");
    DIFFER(another_dtype, "(float32 of [0, 4]", "(int32 of [0, 4]");
    DIFFER(another_layout, "tensors[3] 'layers.3.weight' (int32 of [", "with other shards or properties");
  }
}

static void no_source(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[5].source = NULL;
}

static void freed_destination(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[0].destination = (const shardspec_metadata *)b->tensors[0].source_shards;
}

static void wrong_size(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[2].struct_size = 8;
}

static void wrong_reserved(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[2].reserved = 1;
}

static void no_views(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[3].source_shards = NULL;
}

static void too_few_views(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[1].source_shard_count--;
}

static void both_plan_and_layouts(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[6].plan = (const shardspec_plan *)b->tensors[6].source;
}

static void wrong_dtype(batch *b, shardspec_comm *comm) {
  (void)comm;
  b->tensors[0].dtype.bits = 64;
}

/* Shares the destination of another tensor. */
static void shared_memory(batch *b, shardspec_comm *comm) {
  static shardspec_tensor_view views[64];
  (void)comm;
  for (size_t i = 0; i < b->to[3].count; i++) {
    views[i] = b->to[3].shards[i];
    views[i].data = b->from[1].shards[0].data;
  }
  b->tensors[3].destination_shards = views;
}

void wrong_tensors_of_one_rank_are_named_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
#define TENSOR(spoil, status, position, one, two)                                                  \
  told_on_all(comm, culprit, spoil, SHARDSPEC_##status, position, (const char *const[]){one, two}, rank_err)
  for (int64_t culprit = 0; culprit < size_of(comm); culprit++) {
    TENSOR(no_source, NULL_ARGUMENT, 5, "tensors[5] 'layers.5.weight': source: is NULL", "");
    TENSOR(freed_destination, INVALID_HANDLE, 0, "tensors[0] 'layers.0.weight': destination: is no live", "");
    TENSOR(wrong_size, INVALID_ARGUMENT, 2, "tensors[2]: its struct_size is 8", "");
    TENSOR(wrong_reserved, INVALID_ARGUMENT, 2, "tensors[2] 'layers.2.weight': reserved: it is not 0", "");
    TENSOR(no_views, NULL_ARGUMENT, 3, "tensors[3] 'layers.3.weight': source_shards: is NULL", "");
    TENSOR(too_few_views, INVALID_ARGUMENT, 1, "tensors[1] 'layers.1.weight': source_shard_count: ", "views for the");
    TENSOR(both_plan_and_layouts, INVALID_ARGUMENT, 6, "tensors[6] 'layers.6.weight': plan: ", "pass a plan, or both layouts");
    TENSOR(wrong_dtype, DTYPE_MISMATCH, 0, "tensors[0] 'layers.0.weight': source_shards[0]", "int64");
    if (culprit == 0)
      TENSOR(shared_memory, ALIASED, 3, "tensors[3] 'layers.3.weight': destination shard 0 shares memory with shard", "of tensors[1]");
  }
}

void an_unknown_element_type_of_a_batch_is_told_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), owners[64];
  owners_from(owners, 64, 1, 0);
  for (int count = 1; count <= 2; count++) {
    batch b;
    memset(&b, 0, sizeof b);
    for (int i = 0; i < count; i++) {
      /* Rank 0 has all, and its types are not stated anywhere else. */
      cut_in_chunks(&b.from[i], comm, 4, 3, 0, owners, 1);
      cut_in_chunks(&b.to[i], comm, 4, 3, 1, owners, 1);
      add_tensor(&b);
      memset(&b.tensors[i].dtype, 0, sizeof b.tensors[i].dtype);
    }
    reset_batch(&b);
    shardspec_status status = shardspec_comm_transfer(comm, b.tensors, b.count, NULL, &err);
    if (size == 1 || count == 1) {
      CHECK_OK(status);
      check_batch(&b);
    } else {
      CHECK_STATUS(status, rank > 0 ? SHARDSPEC_INVALID_ARGUMENT : SHARDSPEC_DISAGREEMENT);
      CHECK_MESSAGE("tensors[0] 'layers.0.weight': dtype: no shard of it is on this rank");
      check_batch_untouched(&b);
    }
    free_batch(&b);
  }
}

void buffers_that_do_not_fit_a_transfer_are_told_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  static const char *const said[] = {
      "tensors[1] 'layers.1.weight': source_shards[0]: shard ", "tag: it is 'other'; pass the tensors in the order",
      "11 tensors for a transfer of 12", "has other strides than before", "transfer: is NULL", "its data is NULL"};
  int64_t size = size_of(comm), rank = rank_of(comm), wrong_shape[2], strides[64][2];
  shardspec_transfer *transfer;
  batch b, other;
  make_batch(&b, comm, 3);
  make_batch(&other, comm, 3);
  CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, NULL, &transfer, &err));
  for (int64_t culprit = 0; culprit < size; culprit++)
    for (size_t kind = 0; kind < COUNT(said); kind++) {
      shardspec_comm_tensor tensors[MOST];
      shardspec_tensor_view views[64];
      const shardspec_transfer *run = transfer;
      size_t count = b.count;
      memcpy(tensors, other.tensors, sizeof tensors);
      reset_batch(&other);
      if (rank == culprit) {
        memcpy(views, other.from[1].shards, other.from[1].count * sizeof *views);
        if (kind == 0) {
          wrong_shape[0] = views[0].shape[0], wrong_shape[1] = views[0].shape[1] + 1;
          views[0].shape = wrong_shape;
        }
        if (kind == 3) strides[0][0] = 1, strides[0][1] = views[0].shape[0], views[0].strides = strides[0];
        if (kind == 5) views[0].data = NULL;
        if (kind == 0 || kind == 3 || kind == 5) tensors[1].source_shards = views;
        if (kind == 1) tensors[1].tag = "other";
        if (kind == 2) count--;
        if (kind == 4) run = NULL;
      }
      wait_for_all(comm);
      double start = seconds();
      shardspec_status status = shardspec_transfer_run(run, comm, tensors, count, &err);
      CHECK(status != SHARDSPEC_OK && (rank == culprit) == (status != SHARDSPEC_DISAGREEMENT));
      CHECK(seconds() - start < 1);
      CHECK_MESSAGE(said[kind]);
      check_batch_untouched(&other);
      /* As good as before: the buffers are still those of the last run that succeeded. */
      batch *last = culprit == 0 && kind == 0 ? &b : &other;
      reset_batch(last);
      CHECK_OK(shardspec_transfer_run(transfer, comm, NULL, 0, &err));
      check_batch(last);
      if (last == &b) check_batch_untouched(&other);
      CHECK_OK(shardspec_transfer_run(transfer, comm, other.tensors, other.count, &err));
      check_batch(&other);
    }
  /* Another transfer than the others, and no run at all. */
  if (size > 1) {
    shardspec_transfer *another;
    b.tensors[0].tag = "embedding";
    CHECK_OK(shardspec_transfer_prepare(comm, b.tensors, b.count, NULL, &another, &err));
    reset_batch(&b);
    CHECK_STATUS(shardspec_transfer_run(rank == 0 ? another : transfer, comm, b.tensors + 0, rank == 0 ? b.count : 0, &err),
                 rank == 0 ? SHARDSPEC_DISAGREEMENT : SHARDSPEC_INVALID_ARGUMENT);
    CHECK_STATUS(shardspec_transfer_run(rank == 0 ? another : transfer, comm, NULL, 0, &err), SHARDSPEC_DISAGREEMENT);
    CHECK_MESSAGE("transfer_run(12 tensors, 0x");
    if (rank == 0) {
      CHECK_STATUS(shardspec_comm_transfer(comm, NULL, 0, NULL, &err), SHARDSPEC_DISAGREEMENT);
    } else {
      CHECK_STATUS(shardspec_transfer_run(transfer, comm, NULL, 0, &err), SHARDSPEC_DISAGREEMENT);
      CHECK_MESSAGE("transfer(0 tensors)");
    }
    check_batch_untouched(&b);
    CHECK_OK(shardspec_transfer_free(another, &err));
  }
  CHECK_OK(shardspec_transfer_free(transfer, &err));
  free_batch(&b);
  free_batch(&other);
}

/* Rows of a tensor, each with those next to it. */
typedef struct halo {
  int64_t first, rows, owner;
} halo;

enum { COLUMNS = 3 };

static shardspec_plan *halo_plan(const halo *own, const halo *with, size_t count, shardspec_error *rank_err) {
  shardspec_shards *lists[2];
  shardspec_plan *plan;
  int64_t offsets[64][2], sizes[64][2];
  char texts[64][32];
  const char *placements[64];
  for (int side = 0; side < 2; side++) {
    for (size_t i = 0; i < count; i++) {
      const halo *h = side == 0 ? &own[i] : &with[i];
      offsets[i][0] = h->first, offsets[i][1] = 0;
      sizes[i][0] = h->rows, sizes[i][1] = COLUMNS;
      snprintf(texts[i], sizeof texts[i], "rank:%d/cpu", (int)h->owner);
      placements[i] = texts[i];
    }
    CHECK_OK(shardspec_shards_new_from_arrays(offsets[0], sizes[0], NULL, 2, count, placements, count, &lists[side], &err));
  }
  CHECK_OK(shardspec_plan_new_from_shards(lists[0], lists[1], &plan, &err));
  for (int side = 0; side < 2; side++) CHECK_OK(shardspec_shards_free(lists[side], &err));
  return plan;
}

void a_halo_arrives_by_a_plan(shardspec_comm *comm, shardspec_error *rank_err) {
  static const shardspec_dtype int32 = {SHARDSPEC_DTYPE_INT, 32, 1};
  int64_t size = size_of(comm), rank = rank_of(comm);
  /* One block of rows for each rank, and two blocks for each, which touch each other. */
  for (int64_t blocks = 1; blocks <= 2; blocks++) {
    halo own[64], with[64];
    size_t count = (size_t)(blocks * size), mine = 0;
    int64_t total = 2 * (int64_t)count, shapes[2][2][2];
    int32_t data[2][2][4 * COLUMNS];
    shardspec_tensor_view views[2][2];
    shardspec_comm_tensor tensor = {sizeof tensor, "field", NULL, NULL, NULL, views[0], 0, views[1], 0, {0, 0, 0}, 0};
    for (int64_t i = 0; i < (int64_t)count; i++) {
      own[i] = (halo){2 * i, 2, i / blocks};
      int64_t first = i == 0 ? 0 : 2 * i - 1, end = 2 * i + 3 > total ? total : 2 * i + 3;
      with[i] = (halo){first, end - first, i / blocks};
    }
    shardspec_plan *plan = halo_plan(own, with, count, rank_err);
    tensor.plan = plan;
    for (size_t i = 0; i < count; i++) {
      if (own[i].owner != rank) continue;
      const halo *h[] = {&own[i], &with[i]};
      for (int side = 0; side < 2; side++) {
        shapes[side][mine][0] = h[side]->rows, shapes[side][mine][1] = COLUMNS;
        views[side][mine] = view_of(data[side][mine], int32, shapes[side][mine], 2);
        for (int64_t at = 0; at < h[side]->rows * COLUMNS; at++)
          data[side][mine][at] = side == 0 ? (int32_t)(h[side]->first * COLUMNS + at) : -1;
      }
      mine++;
    }
    tensor.source_shard_count = tensor.destination_shard_count = mine;
    CHECK_OK(shardspec_comm_transfer(comm, &tensor, 1, NULL, &err));
    mine = 0;
    for (size_t i = 0; i < count; i++) {
      if (own[i].owner != rank) continue;
      for (int64_t at = 0; at < with[i].rows * COLUMNS; at++)
        CHECK_EQUAL(data[1][mine][at], with[i].first * COLUMNS + at);
      mine++;
    }
    CHECK_OK(shardspec_plan_free(plan, &err));
  }
}

void a_plan_for_some_destinations_is_refused_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), owners[64];
  size_t first = 0;
  batch b;
  memset(&b, 0, sizeof b);
  owners_from(owners, size, size, 0);
  cut_in_chunks(&b.from[0], comm, 2 * size + 2, 3, 0, owners, (size_t)size);
  cut_in_chunks(&b.to[0], comm, 2 * size + 2, 3, 1, owners, (size_t)size);
  add_tensor(&b);
  shardspec_plan *all, *some;
  CHECK_OK(shardspec_plan_new(b.from[0].metadata, b.to[0].metadata, &all, &err));
  CHECK_OK(shardspec_plan_new_for_destinations(b.from[0].metadata, b.to[0].metadata, &first, 1, &some, &err));
  b.tensors[0].source = b.tensors[0].destination = NULL;
  b.tensors[0].plan = some;
  reset_batch(&b);
  if (size > 1) {
    CHECK_STATUS(shardspec_comm_transfer(comm, b.tensors, 1, NULL, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK_MESSAGE("tensors[0] 'layers.0.weight': plan: it is a plan for some destination shards, without shard 1");
    check_batch_untouched(&b);
  }
  b.tensors[0].plan = all;
  CHECK_OK(shardspec_comm_transfer(comm, b.tensors, 1, NULL, &err));
  check_batch(&b);
  CHECK_OK(shardspec_plan_free(all, &err));
  CHECK_OK(shardspec_plan_free(some, &err));
  free_batch(&b);
}

/* A batch whose tensors all have the same two metadata objects. */
static void make_alike(batch *b, const shardspec_comm *comm) {
  int64_t size = size_of(comm), owners[64];
  owners_from(owners, 2 * size, size, 0);
  memset(b, 0, sizeof *b);
  while (b->count < MOST) {
    size_t i = b->count;
    cut_in_chunks(&b->from[i], comm, 2 * size + 1, 5, 0, owners, (size_t)(2 * size));
    cut_in_chunks(&b->to[i], comm, 2 * size + 1, 5, 1, owners, (size_t)size);
    add_tensor(b);
    b->tensors[i].source = b->from[0].metadata;
    b->tensors[i].destination = b->to[0].metadata;
  }
}

/* What a tensor has in common with those before it is not read again, and what it has not is. */
void tensors_that_share_layouts_arrive(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), wrong_shape[] = {1, 4}, strides[64][2];
  batch b;
  make_alike(&b, comm);
  reset_batch(&b);
  /* Strides that say what is said without them, and an offset of the first byte. */
  cut *one = &b.from[4];
  for (size_t i = 0; i < one->count; i++) {
    strides[i][0] = one->shards[i].shape[1], strides[i][1] = 1;
    one->shards[i].strides = strides[i];
  }
  for (size_t i = 0; i < b.to[6].count; i++) {
    shardspec_tensor_view *view = &b.to[6].shards[i];
    if (view->data == NULL) continue;
    view->data = (char *)view->data - 16, view->byte_offset = 16;
  }
  CHECK_OK(shardspec_comm_transfer(comm, b.tensors, b.count, NULL, &err));
  for (size_t i = 0; i < b.to[6].count; i++) {
    shardspec_tensor_view *view = &b.to[6].shards[i];
    if (view->data == NULL) continue;
    view->data = (char *)view->data + 16, view->byte_offset = 0;
  }
  check_batch(&b);
  for (int kind = 0; kind < 5; kind++) {
    static const shardspec_status wanted[] = {SHARDSPEC_DTYPE_MISMATCH, SHARDSPEC_SHAPE_MISMATCH, SHARDSPEC_NULL_ARGUMENT,
                                              SHARDSPEC_UNSUPPORTED_DEVICE, SHARDSPEC_ALIASED};
    shardspec_tensor_view *view = &b.from[7].shards[0], kept = *view;
    reset_batch(&b);
    if (rank == 0) {
      if (kind == 0) view->dtype.bits = 64;
      if (kind == 1) view->shape = wrong_shape;
      if (kind == 2) view->data = NULL;
      if (kind == 3) view->device.device_type = SHARDSPEC_DLPACK_DEVICE_CUDA_HOST - 1;
      if (kind == 4) view->data = b.to[3].shards[0].data;
    }
    CHECK_STATUS(shardspec_comm_transfer(comm, b.tensors, b.count, NULL, &err),
                 rank == 0 ? wanted[kind] : SHARDSPEC_DISAGREEMENT);
    CHECK_MESSAGE(kind == 4 ? "tensors[" : "tensors[7] 'layers.7.weight'");
    *view = kept;
    check_batch_untouched(&b);
  }
  CHECK(size > 0);
  free_batch(&b);
}
