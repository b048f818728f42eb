/* Ranks that disagree all learn of it, at once and before anything was written, and go on. */
#include "ranks.h"

/* A rank's own wrong call, in the place of sharding `c` from rank 0. */
typedef shardspec_status wrong_call(shardspec_comm *comm, cut *c, shardspec_error *rank_err);

static shardspec_status right_call(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  return shardspec_comm_scatter(comm, c->metadata, 0, &c->full_view, c->shards, c->count, NULL, &err);
}

static void cut_by_rows(cut *c, const shardspec_comm *comm, int64_t rows) {
  int64_t owners[64], size = size_of(comm);
  for (int64_t i = 0; i < size; i++) owners[i] = i;
  cut_in_chunks(c, comm, rows, 3, 0, owners, (size_t)size);
}

/* Rank `culprit` calls wrongly: it returns `status`, the others `others_status` with `said`. */
static void check_all_are_told(shardspec_comm *comm, int64_t culprit, wrong_call *wrong,
                               shardspec_status status, shardspec_status others_status,
                               const char *said, shardspec_error *rank_err) {
  int64_t rank = rank_of(comm);
  cut c;
  cut_by_rows(&c, comm, 2 * size_of(comm));
  wait_for_all(comm);
  double start = seconds();
  if (rank == culprit) {
    CHECK_STATUS(wrong(comm, &c, &err), status);
  } else {
    CHECK_STATUS(right_call(comm, &c, &err), others_status);
    CHECK_EQUAL(err.got, culprit);
    CHECK_EQUAL(err.limit, status == SHARDSPEC_DISAGREEMENT ? 0 : status);
  }
  CHECK(seconds() - start < 1);
  CHECK_MESSAGE(said);
  /* The rank itself is told its number too: its message may be read beside those of others. */
  if (status != SHARDSPEC_DISAGREEMENT) {
    char begin[32];
    snprintf(begin, sizeof begin, "rank %d: ", (int)culprit);
    CHECK(strncmp(err.message, begin, strlen(begin)) == 0);
  }
  check_shards_untouched(&c);
  /* Every rank is as good as before. */
  CHECK_OK(right_call(comm, &c, &err));
  check_shards(&c);
  free_cut(&c);
}

static shardspec_status with_a_wrong_shape(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  int64_t shape[] = {2, 4};
  c->shards[0].shape = shape;
  shardspec_status status = right_call(comm, c, rank_err);
  c->shards[0].shape = c->shapes;
  return status;
}

static shardspec_status with_a_wrong_type(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  static const shardspec_dtype float64 = {SHARDSPEC_DTYPE_FLOAT, 64, 1};
  double data[6] = {0};
  shardspec_tensor_view shard = view_of(data, float64, c->shapes, 2);
  return shardspec_comm_scatter(comm, c->metadata, 0, &c->full_view, &shard, 1, NULL, &err);
}

static shardspec_status without_metadata(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  return shardspec_comm_scatter(comm, NULL, 0, &c->full_view, c->shards, c->count, NULL, &err);
}

static shardspec_status without_shards(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  return shardspec_comm_scatter(comm, c->metadata, 0, &c->full_view, NULL, 0, NULL, &err);
}

static shardspec_status without_memory(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  shardspec_tensor_view shard = c->shards[0];
  shard.data = NULL;
  return shardspec_comm_scatter(comm, c->metadata, 0, &c->full_view, &shard, 1, NULL, &err);
}

static shardspec_status without_a_tensor(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  return shardspec_comm_scatter(comm, c->metadata, 0, NULL, c->shards, c->count, NULL, &err);
}

static shardspec_status with_unknown_options(shardspec_comm *comm, cut *c,
                                             shardspec_error *rank_err) {
  shardspec_comm_options options = {3, 0, NULL};
  return shardspec_comm_scatter(comm, c->metadata, 0, &c->full_view, c->shards, c->count, &options,
                              &err);
}

void wrong_arguments_of_one_rank_are_told_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
#define TOLD_OF(culprit, wrong, status, said)                                                      \
  check_all_are_told(comm, culprit, wrong, SHARDSPEC_##status, SHARDSPEC_DISAGREEMENT, said, rank_err)
#define TOLD(wrong, status, said) TOLD_OF(culprit, wrong, status, said)
  for (int64_t culprit = 0; culprit < size_of(comm); culprit++) {
    TOLD(with_a_wrong_shape, SHAPE_MISMATCH, "shards[0]: shard ");
    TOLD(with_a_wrong_shape, SHAPE_MISMATCH, "size 4 in dimension 1, expected 3");
    TOLD(without_metadata, NULL_ARGUMENT, "metadata: is NULL");
    TOLD(without_shards, INVALID_ARGUMENT, "0 views for the 1 shards of this rank");
    TOLD(without_memory, NULL_ARGUMENT, "shards[0]");
    TOLD(without_memory, NULL_ARGUMENT, "its data is NULL");
    TOLD(with_unknown_options, INVALID_ARGUMENT, "options: its struct_size is 3");
  }
  TOLD_OF(0, without_a_tensor, NULL_ARGUMENT, "full: is NULL on source_rank 0; pass the tensor there");
  /* The other ranks hold int32: on rank 0 the tensor already does. */
  if (size_of(comm) > 1)
    check_all_are_told(comm, 1, with_a_wrong_type, SHARDSPEC_DISAGREEMENT, SHARDSPEC_DISAGREEMENT,
                       "float64", rank_err);
}

static shardspec_status from_the_last_rank(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  return shardspec_comm_scatter(comm, c->metadata, size_of(comm) - 1, &c->full_view, c->shards, c->count,
                              NULL, &err);
}

static shardspec_status gather(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  int32_t *back = malloc((size_t)(c->sizes[0] * c->sizes[1]) * sizeof *back);
  shardspec_tensor_view view = c->full_view;
  view.data = back;
  shardspec_status status = shardspec_comm_gather(comm, c->metadata, SHARDSPEC_ALL_RANKS, c->shards,
                                                  c->count, &view, NULL, &err);
  free(back);
  return status;
}

static shardspec_status another_tensor(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  cut other;
  (void)c;
  cut_by_rows(&other, comm, 3 * size_of(comm));
  shardspec_status status = right_call(comm, &other, rank_err);
  check_shards_untouched(&other);
  free_cut(&other);
  return status;
}

static shardspec_status another_cut(shardspec_comm *comm, cut *c, shardspec_error *rank_err) {
  /* The same sizes, and the same shard on this rank, but all others trade places. */
  int64_t owners[64], size = size_of(comm), own = rank_of(comm);
  cut other;
  for (int64_t i = 0; i < size; i++) owners[i] = (2 * own + size - i) % size;
  cut_in_chunks(&other, comm, c->sizes[0], c->sizes[1], 0, owners, (size_t)size);
  shardspec_status status = right_call(comm, &other, rank_err);
  check_shards_untouched(&other);
  free_cut(&other);
  return status;
}

void other_calls_than_the_others_are_told_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t last = size_of(comm) - 1;
#define DISAGREES(culprit, wrong, said)                                                            \
  check_all_are_told(comm, culprit, wrong, SHARDSPEC_DISAGREEMENT, SHARDSPEC_DISAGREEMENT, said,   \
                     rank_err)
  if (last == 0) return;
  DISAGREES(last, from_the_last_rank, "source_rank 0");
  DISAGREES(1, gather, "it called gather(");
  DISAGREES(1, another_tensor, "3]");
  if (last > 1) DISAGREES(2, another_cut, "with other shards or properties");
}

/* A rank that can't call at all. What the others call makes no difference. */
void a_rank_that_declines_tells_all_others_why(shardspec_comm *comm, shardspec_error *rank_err) {
  static const struct {
    shardspec_status status, own;
    const char *message, *told;
  } reasons[] = {
      {SHARDSPEC_READ_ONLY, SHARDSPEC_OK, "shards[0]: this array is read-only",
       "shards[0]: this array is read-only; nothing was moved"},
      {1234, SHARDSPEC_OK, "", ": ; nothing was moved"},
      {0, SHARDSPEC_INVALID_ARGUMENT, "all is well", "status: 0 is too small; pass at least 1"},
      {-7, SHARDSPEC_INVALID_ARGUMENT, "", "status: -7 is too small; pass at least 1"},
      {1234, SHARDSPEC_INVALID_ARGUMENT, "\xff", "message: the text is not valid UTF-8"},
      {1234, SHARDSPEC_NULL_ARGUMENT, NULL, "message: is NULL"}};
  int64_t rank = rank_of(comm), size = size_of(comm);
  for (int64_t culprit = 0; culprit < size; culprit++)
    for (size_t i = 0; i < COUNT(reasons); i++) {
      cut c;
      char begin[32];
      cut_by_rows(&c, comm, 2 * size);
      wait_for_all(comm);
      double start = seconds();
      if (rank == culprit) {
        CHECK_STATUS(shardspec_comm_decline(comm, reasons[i].status, reasons[i].message, &err),
                     reasons[i].own);
        if (reasons[i].own != SHARDSPEC_OK) CHECK_MESSAGE(reasons[i].told);
      } else {
        CHECK_STATUS(rank % 2 == 0 ? right_call(comm, &c, &err) : gather(comm, &c, &err),
                     SHARDSPEC_DISAGREEMENT);
        CHECK_EQUAL(err.got, culprit);
        CHECK_EQUAL(err.limit, reasons[i].own != SHARDSPEC_OK ? reasons[i].own : reasons[i].status);
        CHECK_EQUAL(err.first_shard, -1);
        CHECK_EQUAL(err.index, -1);
        CHECK_MESSAGE(reasons[i].told);
        snprintf(begin, sizeof begin, "rank %d: ", (int)culprit);
        CHECK(strncmp(err.message, begin, strlen(begin)) == 0);
      }
      CHECK(seconds() - start < 1);
      check_shards_untouched(&c);
      CHECK_OK(right_call(comm, &c, &err));
      check_shards(&c);
      free_cut(&c);
    }
  /* All of them, with the message in the error that the call writes. */
  strcpy(err.message, "the disk is full");
  CHECK_OK(shardspec_comm_decline(comm, SHARDSPEC_OUT_OF_MEMORY, err.message, &err));
  CHECK_TEXT(err.message, "");
}

/* Which shard, which dimension and which element of which array, on all ranks. */
void the_place_of_a_wrong_view_is_told_on_all(shardspec_comm *comm, shardspec_error *rank_err) {
  int64_t size = size_of(comm), rank = rank_of(comm), owners[64], wrong_shape[] = {2, 4};
  for (int64_t i = 0; i < 2 * size; i++) owners[i] = i % size;
  for (int64_t culprit = 0; culprit < size; culprit++)
    for (int side = 0; side < 2; side++) {
      cut from, to;
      cut_in_chunks(&from, comm, 4 * size, 3, 0, owners, (size_t)(2 * size));
      cut_in_chunks(&to, comm, 4 * size, 3, 0, owners, (size_t)(2 * size));
      if (rank == culprit) (side == 0 ? &from : &to)->shards[1].shape = wrong_shape;
      CHECK_STATUS(shardspec_comm_reshard(comm, from.metadata, from.shards, from.count, to.metadata,
                                          to.shards, to.count, NULL, &err),
                   rank == culprit ? SHARDSPEC_SHAPE_MISMATCH : SHARDSPEC_DISAGREEMENT);
      CHECK_EQUAL(err.first_shard, size + culprit);
      CHECK_EQUAL(err.dim, 1);
      CHECK_EQUAL(err.index, 1);
      CHECK_MESSAGE(side == 0 ? "source_shards[1]" : "destination_shards[1]");
      free_cut(&from);
      free_cut(&to);
    }
}

void placements_without_a_rank_are_refused_with_their_text(shardspec_comm *comm,
                                                           shardspec_error *rank_err) {
  static const char *const texts[] = {"trainer0/cuda:1", "cpu", "rank:64/cpu"};
  float data[12] = {0};
  int64_t sizes[] = {4, 3};
  shardspec_tensor_view full = view_of(data, FLOAT32, sizes, 2);
  for (size_t i = 0; i < COUNT(texts); i++) {
    const char *placements[] = {"rank:0", texts[i]};
    shardspec_spec *spec;
    shardspec_metadata *metadata;
    CHECK_OK(shardspec_spec_new_chunk(0, placements, 2, &spec, &err));
    CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &metadata, &err));
    for (int64_t root = 0; root < size_of(comm); root++) {
      CHECK_STATUS(shardspec_comm_scatter(comm, metadata, root, &full, NULL, 0, NULL, &err),
                   SHARDSPEC_INVALID_PLACEMENT);
      CHECK_MESSAGE(texts[i]);
      CHECK_EQUAL(err.first_shard, 1);
      CHECK_STATUS(shardspec_comm_gather(comm, metadata, root, NULL, 0, &full, NULL, &err),
                   SHARDSPEC_INVALID_PLACEMENT);
      CHECK_MESSAGE(texts[i]);
    }
    CHECK_STATUS(shardspec_comm_scatter(comm, metadata, size_of(comm), &full, NULL, 0, NULL, &err),
                 SHARDSPEC_INDEX_OUT_OF_RANGE);
    CHECK_STATUS(shardspec_comm_gather(comm, metadata, -2, NULL, 0, &full, NULL, &err),
                 SHARDSPEC_INVALID_ARGUMENT);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
  }
}
