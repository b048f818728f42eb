/* One rank of n ranks, of which the others do not exist. Its transport answers the messages of an agreement with what
 * the rank has sent itself, as all ranks would say the same, and receives nothing else. So there may be many ranks,
 * and what is counted are the steps of a rank without those of a transport. */
#include "ranks.h"

static shardspec_status answer_alone(void *ctx, const shardspec_message *sends, size_t send_count,
                                     const shardspec_message *receives, size_t receive_count, shardspec_error *error) {
  (void)ctx, (void)error;
  count_turns();
  if (send_count == 1 && receive_count == 1 && sends->byte_count == receives->byte_count)
    memcpy(receives->pointer, sends->pointer, sends->byte_count);
  count_turns();
  return SHARDSPEC_OK;
}

static shardspec_comm *rank_of_many(size_t rank, size_t ranks) {
  shardspec_comm_vtable vtable = SHARDSPEC_COMM_VTABLE_INIT;
  vtable.exchange = answer_alone;
  shardspec_comm *comm = NULL;
  CHECK_OK(shardspec_comm_new(&vtable, NULL, (int64_t)rank, (int64_t)ranks, &comm, &err));
  return comm;
}

/* Rank i has row i, and rank `first` the first column. */
static side rows_of(size_t n, int64_t size) { return side_of(grid(n, 1, size, size), n); }

static side columns_of(size_t n, int64_t size, size_t first) {
  layout all = grid(1, n, size, size);
  for (size_t i = 0; i < n; i++) all.numbers[i] = (uint32_t)((i + first) % n);
  return side_of(all, n);
}

static void count_whole(const side *rows, const shardspec_tensor_view *full, size_t rank, const char *family) {
  const size_t n = rows->all.count;
  shardspec_comm *comm = rank_of_many(rank, n);
  const shardspec_tensor_view *own = &rows->own[rank], *at_root = rank == 0 ? full : NULL;
  const size_t answer = rank == 0 ? n : 1;
  COUNTED(family, n, answer, shardspec_comm_scatter, comm, rows->metadata, 0, at_root, own, 1, NULL);
  COUNTED(family, n, answer, shardspec_comm_gather, comm, rows->metadata, 0, own, 1, at_root, NULL);
  CHECK_OK(shardspec_comm_free(comm, &err));
}

/* A piece for each other rank, and one from each. */
static void count_moved(const side *rows, const side *columns, size_t rank, const char *family) {
  const size_t n = rows->all.count;
  size_t count = 0;
  shardspec_comm *comm = rank_of_many(rank, n);
  const shardspec_tensor_view *source = views_of_rank(rows, rank, &count);
  const shardspec_tensor_view *destination = views_of_rank(columns, rank, &count);
  COUNTED(family, n, 2 * n, shardspec_comm_reshard, comm, rows->metadata, source, 1, columns->metadata, destination, 1,
          NULL);
  shardspec_comm_tensor tensor = SHARDSPEC_COMM_TENSOR_INIT;
  tensor.source = rows->metadata, tensor.destination = columns->metadata;
  tensor.source_shards = source, tensor.source_shard_count = 1;
  tensor.destination_shards = destination, tensor.destination_shard_count = 1;
  shardspec_transfer *transfer = NULL;
  COUNTED(family, n, 2 * n, shardspec_comm_transfer, comm, &tensor, 1, NULL);
  COUNTED(family, n, 2 * n, shardspec_transfer_prepare, comm, &tensor, 1, NULL, &transfer);
  COUNTED(family, n, 2 * n, shardspec_transfer_run, transfer, comm, NULL, 0);
  COUNTED("again, one rank of n", n, 2 * n, shardspec_transfer_run, transfer, comm, NULL, 0);
  COUNTED(family, n, 2 * n, shardspec_transfer_free, transfer);
  CHECK_OK(shardspec_comm_free(comm, &err));
}

/* Every rank has the whole tensor. */
static shardspec_metadata *replicas_of(size_t n, int64_t size) {
  layout all = grid(n, 1, size, size);
  for (size_t i = 0; i < n; i++) all.offsets[NDIM * i] = 0, all.sizes[NDIM * i] = size;
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  properties.dtype = BYTE;
  shardspec_shards *shards = shards_of(&all);
  shardspec_metadata *metadata = NULL;
  CHECK_OK(shardspec_metadata_new_from_shards(shards, all.tensor, NDIM, &properties, 1, &metadata, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
  free_layout(&all);
  return metadata;
}

/* To the whole tensor on every rank, and back. */
static void count_replicas(const side *rows, const shardspec_tensor_view *full, size_t rank) {
  const size_t n = rows->all.count;
  shardspec_metadata *replicas = replicas_of(n, rows->all.tensor[0]);
  shardspec_comm *comm = rank_of_many(rank, n);
  size_t count = 0;
  const shardspec_tensor_view *own = views_of_rank(rows, rank, &count);
  COUNTED("to replicas, one rank of n", n, 2 * n, shardspec_comm_reshard, comm, rows->metadata, own, 1, replicas, full,
          1, NULL);
  COUNTED("of replicas, one rank of n", n, 1, shardspec_comm_reshard, comm, replicas, full, 1, rows->metadata, own, 1,
          NULL);
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_OK(shardspec_metadata_free(replicas, &err));
}

/* From rows in turn, four for each rank, which are no boxes. */
static void count_cyclic(size_t n, size_t rank) {
  const int64_t sizes[NDIM] = {4 * (int64_t)n, (int64_t)n};
  layout names = grid(n, 1, (int64_t)n, 1), all = grid(1, n, sizes[0], sizes[1]);
  side columns = side_of(all, n);
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.dim = 0, cut.rule = SHARDSPEC_RULE_CYCLIC, cut.block = 1;
  shardspec_spec *spec = NULL;
  shardspec_metadata *cyclic = NULL;
  CHECK_OK(shardspec_spec_new_cut(&cut, (const char *const *)names.placements, n, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, NDIM, NULL, &cyclic, &err));
  unsigned char *bytes = calloc(4, n);
  int64_t shape[NDIM] = {4, (int64_t)n};
  const shardspec_tensor_view own = view_of(bytes, BYTE, shape, NDIM);
  shardspec_comm *comm = rank_of_many(rank, n);
  size_t count = 0;
  COUNTED("of cyclic rows, one rank of n", n, 2 * n, shardspec_comm_reshard, comm, cyclic, &own, 1, columns.metadata,
          views_of_rank(&columns, rank, &count), 1, NULL);
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_OK(shardspec_metadata_free(cyclic, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  free_side(&columns);
  free_layout(&names);
  free(bytes);
}

void count_one_rank(size_t n) {
  enum { SIZE = 1600 };
  side rows = rows_of(n, SIZE), columns = columns_of(n, SIZE, 1);
  int64_t shape[NDIM] = {SIZE, SIZE};
  unsigned char *bytes = calloc(SIZE, SIZE);
  const shardspec_tensor_view full = view_of(bytes, BYTE, shape, NDIM);
  count_whole(&rows, &full, 0, "n ranks, rank 0");
  count_whole(&rows, &full, n / 3, "n ranks, one of the others");
  shardspec_comm *comm = rank_of_many(n / 3, n);
  COUNTED("n ranks, to all", n, 2 * n, shardspec_comm_gather, comm, rows.metadata, SHARDSPEC_ALL_RANKS,
          &rows.own[n / 3], 1, &full, NULL);
  CHECK_OK(shardspec_comm_free(comm, &err));
  count_moved(&rows, &columns, n / 3, "one rank of n");
  count_replicas(&rows, &full, n / 3);
  count_cyclic(n / 2, n / 3);
  free_side(&rows);
  free_side(&columns);
  free(bytes);
}
