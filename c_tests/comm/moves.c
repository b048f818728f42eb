/* What moves arrives, byte for byte, on every rank. */
#include "ranks.h"

void exchanges_move_what_was_asked(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm), size = size_of(comm), sent[64][2], got[64][2];
  shardspec_message sends[128], receives[128];
  CHECK(size <= 64);
  for (int64_t peer = 0; peer < size; peer++) {
    sent[peer][0] = rank * size + peer;
    sent[peer][1] = -sent[peer][0];
    /* Two messages for each rank, oneself among them, and one without bytes. */
    for (int i = 0; i < 2; i++) {
      sends[2 * peer + i] = (shardspec_message){peer, &sent[peer][i], sizeof(int64_t)};
      receives[2 * peer + i] = (shardspec_message){peer, &got[peer][i], sizeof(int64_t)};
    }
  }
  memset(got, 0, sizeof got);
  CHECK_OK(shardspec_comm_exchange(comm, sends, (size_t)(2 * size), receives, (size_t)(2 * size), &err));
  for (int64_t peer = 0; peer < size; peer++) {
    CHECK_EQUAL(got[peer][0], peer * size + rank);
    CHECK_EQUAL(got[peer][1], -(peer * size + rank));
  }
  sends[0] = (shardspec_message){(rank + 1) % size, NULL, 0};
  CHECK_OK(shardspec_comm_exchange(comm, sends, 1, NULL, 0, &err));
  sends[0].peer = size;
  CHECK_STATUS(shardspec_comm_exchange(comm, sends, 1, NULL, 0, &err), SHARDSPEC_INDEX_OUT_OF_RANGE);
  sends[0] = (shardspec_message){rank, sent, sizeof sent[0]};
  CHECK_STATUS(shardspec_comm_exchange(comm, sends, 1, NULL, 0, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("sends itself more than the 0 messages that it receives");
  wait_for_all(comm);
}

/* Shards from every rank in turn, gathers to every rank in turn and to all, and looks at every
 * element on every rank. */
static void move_there_and_back(shardspec_comm *comm, cut *c, const shardspec_comm_options *options,
                                shardspec_error *rank_err) {
  int64_t rank = rank_of(comm), size = size_of(comm), count = c->sizes[0] * c->sizes[1];
  int32_t *back = malloc((size_t)count * sizeof *back + 1);
  shardspec_tensor_view back_view = c->full_view;
  CHECK(back != NULL);
  back_view.data = back;
  for (int64_t root = -1; root < size; root++) {
    int64_t source = root < 0 ? 0 : root;
    clear_shards(c);
    memset(back, 0x5a, (size_t)count * sizeof *back);
    CHECK_OK(shardspec_comm_scatter(comm, c->metadata, source, rank == source ? &c->full_view : NULL,
                                  c->shards, c->count, options, &err));
    check_shards(c);
    CHECK_OK(shardspec_comm_gather(comm, c->metadata, root, c->shards, c->count, &back_view, options,
                                   &err));
    check_shards(c);
    if (root == SHARDSPEC_ALL_RANKS || root == rank) check_full(c, back);
    else check_untouched(back, count);
  }
  free(back);
}

void ragged_and_empty_shards_arrive(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), owners[64];
  cut c;
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  for (int64_t dim = 0; dim < 2; dim++)
    for (int64_t length = 0; length <= 2 * size; length++) {
      /* 5 rows over 4 ranks: 2, 2, 1 and none. */
      if (dim == 0) cut_in_chunks(&c, comm, length, 3, dim, owners, (size_t)size);
      else cut_in_chunks(&c, comm, 3, length, dim, owners, (size_t)size);
      move_there_and_back(comm, &c, NULL, rank_err);
      free_cut(&c);
    }
  /* Of 7 ranks, 3 own nothing. */
  for (int64_t i = 0; 2 * i < size; i++) owners[i] = size - 1 - 2 * i;
  cut_in_chunks(&c, comm, 11, 4, 0, owners, (size_t)(size + 1) / 2);
  move_there_and_back(comm, &c, NULL, rank_err);
  free_cut(&c);
}

void several_shards_of_a_rank_arrive(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), boxes[64][5], owners[20];
  cut c;
  /* A grid of uneven boxes, dealt out to the ranks; the last column is empty. */
  size_t count = 0;
  for (int64_t row = 0; row < 4; row++)
    for (int64_t column = 0; column < 4; column++, count++) {
      int64_t box[] = {row * (row + 1) / 2, column == 3 ? 9 : 3 * column, row + 1,
                       column == 3 ? 0 : 3, (int64_t)(count * 3) % size};
      memcpy(boxes[count], box, sizeof box);
    }
  cut_in_boxes(&c, comm, 10, 9, (const int64_t(*)[5])boxes, count);
  move_there_and_back(comm, &c, NULL, rank_err);
  free_cut(&c);
  /* Several chunks for each rank, the last ones first. */
  for (int64_t i = 0; i < 20; i++) owners[i] = (19 - i) % size;
  cut_in_chunks(&c, comm, 5, 47, 1, owners, 20);
  move_there_and_back(comm, &c, NULL, rank_err);
  free_cut(&c);
}

/* Row r lives on rank r % size. */
static shardspec_status deal_rows(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                  size_t ndim, const shardspec_tensor_properties *properties,
                                  shardspec_metadata_builder *builder, shardspec_error *rank_err) {
  (void)dim_names, (void)properties;
  for (int64_t row = 0; row < sizes[0]; row++) {
    int64_t offsets[] = {row, 0}, lengths[] = {1, sizes[1]};
    char placement[32];
    snprintf(placement, sizeof placement, "rank:%d", (int)(row % *(int64_t *)ctx));
    shardspec_status status = shardspec_metadata_builder_add_shard(builder, offsets, lengths, ndim,
                                                                   placement, rank_err);
    if (status) return status;
  }
  return SHARDSPEC_OK;
}

void custom_specs_are_cut_across_ranks(shardspec_comm *comm, shardspec_error *rank_err) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, deal_rows, NULL, NULL, NULL, 0, 0};
  shardspec_spec *spec;
  int64_t size = size_of(comm);
  cut c;
  CHECK_OK(shardspec_spec_new_custom("test.deal", &vtable, &size, &spec, &err));
  cut_by(&c, comm, spec, 3 * size + 1, 5);
  move_there_and_back(comm, &c, NULL, rank_err);
  free_cut(&c);
}

/* The tensor and the shards are column-major, so that nothing is contiguous on either side. */
void any_layout_is_sent_and_received(shardspec_comm *comm, shardspec_error *rank_err) {
  enum { ROWS = 60, COLUMNS = 70 };
  int64_t rank = rank_of(comm), size = size_of(comm), owners[64], strides[64][2];
  int64_t full_strides[] = {1, ROWS};
  static const shardspec_dtype int32 = {SHARDSPEC_DTYPE_INT, 32, 1};
  int32_t *full = malloc(ROWS * COLUMNS * sizeof *full);
  shardspec_tensor_view view;
  cut c;
  CHECK(full != NULL);
  for (int64_t i = 0; i < 2 * size; i++) owners[i] = i % size;
  cut_in_chunks(&c, comm, ROWS, COLUMNS, 1, owners, (size_t)(2 * size));
  for (int64_t i = 0; i < ROWS * COLUMNS; i++) full[i / COLUMNS + i % COLUMNS * ROWS] = (int32_t)i;
  view = view_of(full, int32, c.sizes, 2);
  view.strides = full_strides;
  for (size_t i = 0; i < c.count; i++) {
    strides[i][0] = 1;
    strides[i][1] = c.shards[i].shape[0];
    c.shards[i].strides = strides[i];
  }
  CHECK_OK(shardspec_comm_scatter(comm, c.metadata, 0, &view, c.shards, c.count, NULL, &err));
  for (size_t i = 0; i < c.count; i++) {
    int64_t offsets[2];
    CHECK_OK(shardspec_metadata_get_shard(c.metadata, c.indices[i], offsets, NULL, 2, &err));
    for (int64_t row = 0; row < ROWS; row++)
      for (int64_t column = 0; column < c.shards[i].shape[1]; column++)
        CHECK_EQUAL(((int32_t *)c.shards[i].data)[row + column * ROWS],
                    row * COLUMNS + offsets[1] + column);
  }
  memset(full, 0, ROWS * COLUMNS * sizeof *full);
  CHECK_OK(shardspec_comm_gather(comm, c.metadata, size - 1, c.shards, c.count, &view, NULL, &err));
  for (int64_t i = 0; rank == size - 1 && i < ROWS * COLUMNS; i++)
    CHECK_EQUAL(full[i / COLUMNS + i % COLUMNS * ROWS], i);
  free_cut(&c);
  free(full);
}

void a_small_memory_limit_changes_nothing_but_the_rounds(shardspec_comm *comm,
                                                         shardspec_error *rank_err) {
  static const uint64_t limits[] = {1, 100, 5000, 1 << 20, UINT64_MAX};
  int64_t rank = rank_of(comm), size = size_of(comm), owners[64];
  cut c;
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  cut_in_chunks(&c, comm, 40, 41, 1, owners, (size_t)size);
  for (size_t i = 0; i < COUNT(limits); i++) {
    /* Every rank has another: the least counts. */
    shardspec_comm_options options = {sizeof options, limits[(i + (size_t)rank) % COUNT(limits)], NULL};
    move_there_and_back(comm, &c, &options, rank_err);
  }
  free_cut(&c);
}

/* More than a rank copies on the thread that exchanges, if it can have another. */
void a_large_tensor_arrives_with_or_without_a_second_thread(shardspec_comm *comm,
                                                            shardspec_error *rank_err) {
  int64_t size = size_of(comm), owners[64];
  cut c;
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  cut_in_chunks(&c, comm, 1200, 700, 1, owners, (size_t)size);
  move_there_and_back(comm, &c, NULL, rank_err);
  free_cut(&c);
}
