/* Collectives of several ranks: with n shards on 4 ranks, with n tensors on 4 ranks, and with n ranks.
 *
 * Every rank reads the layouts of all ranks. So the steps of one rank may grow with the shards of all ranks, with the
 * ranks, and with the pieces that this rank sends, receives and keeps. These pieces are the answer. */
#include "ranks.h"

enum { RANKS = 4 };

static moved on_ranks(size_t ranks, const side *from, const side *to, const shardspec_tensor_view *full) {
  moved what = {ranks, calloc(ranks, sizeof *what.comms), from, to, full, NULL, 0, NULL};
  CHECK_OK(shardspec_comm_new_local(ranks, what.comms, &err));
  return what;
}

static void free_moved(moved *what) {
  for (size_t rank = 0; rank < what->ranks; rank++) CHECK_OK(shardspec_comm_free(what->comms[rank], &err));
  free(what->comms);
}

/* Shards in turn to each of the ranks, from rank `first` on. */
static layout dealt(layout all, size_t ranks, size_t first) {
  for (size_t i = 0; i < all.count; i++) all.numbers[i] = (uint32_t)((i + first) % ranks);
  return all;
}

/* As many shards to each rank, which are neighbours in the list. */
static layout in_blocks(layout all, size_t ranks) {
  for (size_t i = 0; i < all.count; i++) all.numbers[i] = (uint32_t)(i * ranks / all.count);
  return all;
}

static size_t elements_of(const side *one) { return (size_t)(one->all.tensor[0] * one->all.tensor[1]); }

/* Gathers the destination shards, and compares them with the bytes that were scattered. */
static void check_arrived(const moved *what) {
  unsigned char *bytes = what->full->data;
  memset(bytes, 0, elements_of(what->to));
  run_ranks(what, gather_starts);
  for (size_t i = 0; i < elements_of(what->to); i++) CHECK_EQUAL(bytes[i], byte_at(i));
}

/* Rank 0 has the whole tensor, and moves all runs of all shards. */
static void count_whole(const moved *what, size_t n, size_t runs, const char *family) {
  unsigned char *bytes = what->full->data;
  for (size_t i = 0; i < elements_of(what->to); i++) bytes[i] = byte_at(i);
  memset(what->to->shards.bytes, 0, elements_of(what->to));
  const size_t last = what->ranks - 1, of_last = runs / what->ranks;
  count_rank(what, scatter_starts, "shardspec_comm_scatter_start", family, 0, n, runs);
  count_rank(what, scatter_starts, "shardspec_comm_scatter_start", family, last, n, of_last);
  check_arrived(what);
  count_rank(what, gather_starts, "shardspec_comm_gather_start", family, 0, n, runs);
  count_rank(what, gather_starts, "shardspec_comm_gather_start", family, last, n, of_last);
}

/* The destination shards get what the source shards have. */
static void count_moved(const moved *what, start *starts, const char *function, const char *family, size_t n,
                        size_t pieces) {
  memset(what->to->shards.bytes, 0, elements_of(what->to));
  count_rank(what, starts, function, family, what->ranks - 1, n, pieces);
  check_arrived(what);
}

/* By a plan, every rank reads the pieces of all ranks. */
static void count_planned(moved *what, size_t n, size_t pieces, const char *family) {
  shardspec_plan *plan = NULL;
  CHECK_OK(shardspec_plan_new(what->from->metadata, what->to->metadata, &plan, &err));
  what->count = 1, what->tensors = calloc(what->ranks, sizeof *what->tensors);
  for (size_t rank = 0; rank < what->ranks; rank++) {
    shardspec_comm_tensor *tensor = &what->tensors[rank];
    *tensor = (shardspec_comm_tensor)SHARDSPEC_COMM_TENSOR_INIT;
    tensor->plan = plan;
    tensor->source_shards = views_of_rank(what->from, rank, &tensor->source_shard_count);
    tensor->destination_shards = views_of_rank(what->to, rank, &tensor->destination_shard_count);
  }
  count_moved(what, transfer_starts, "shardspec_comm_transfer_start", family, n, pieces);
  CHECK_OK(shardspec_plan_free(plan, &err));
  free(what->tensors);
}

/* From the whole tensor to a layout with `runs` and back, and from there to another layout. Rank 0 moves all runs, and
 * each rank `pieces` from one layout to the other. */
static void count_layouts(layout source, layout destination, size_t ranks, size_t runs, size_t pieces,
                          const char *family) {
  const size_t n = source.count;
  int64_t shape[NDIM] = {source.tensor[0], source.tensor[1]};
  side from = side_of(source, ranks), to = side_of(destination, ranks);
  unsigned char *bytes = calloc(elements_of(&from), 1);
  const shardspec_tensor_view full = view_of(bytes, BYTE, shape, NDIM);
  moved first = on_ranks(ranks, NULL, &from, &full), what = on_ranks(ranks, &from, &to, &full);
  count_whole(&first, n, runs, family);
  count_moved(&what, reshard_starts, "shardspec_comm_reshard_start", family, n, pieces);
  if (ranks == RANKS) count_planned(&what, n, n, "n shards by a plan");
  free_moved(&first);
  free_moved(&what);
  free_side(&from);
  free_side(&to);
  free(bytes);
}

void count_shards_of_ranks(size_t n) {
  enum { HEIGHT = 40, WIDTH = 800 };
  layout cells = dealt(grid(20, n / 20, HEIGHT, WIDTH), RANKS, 0);
  layout taller = in_blocks(grid(10, n / 20, HEIGHT, WIDTH), RANKS);
  count_layouts(cells, taller, RANKS, 2 * n, n, "n shards");
}

/* Each rank has a piece for each other one. */
void count_many_ranks(size_t n) {
  enum { SIZE = 800 };
  layout in_rows = dealt(grid(n, 1, SIZE, SIZE), n, 0), columns = dealt(grid(1, n, SIZE, SIZE), n, 0);
  count_layouts(in_rows, columns, n, n, 2 * n, "n ranks");
}

/* The tensors of a batch, each from rows to columns. */
typedef struct batch {
  moved what;
  side *from, *to;
} batch;

/* With layouts of their own, or with those of the first tensor. */
static batch batch_of(size_t n, int are_alike) {
  batch made = {on_ranks(RANKS, NULL, NULL, NULL), calloc(n, sizeof(side)), calloc(n, sizeof(side))};
  made.what.count = n, made.what.tensors = calloc(RANKS * n, sizeof *made.what.tensors);
  made.what.transfers = calloc(RANKS, sizeof *made.what.transfers);
  for (size_t i = 0; i < n; i++) {
    char tag[32];
    snprintf(tag, sizeof tag, "t%zu", i);
    /* With any number of tensors, all sizes differ, and are as large on average. */
    const size_t height = RANKS * (are_alike ? 1 : 1 + i % 20);
    const size_t width = RANKS * (are_alike ? 1 : 1 + i / 20 * 400 / n);
    made.from[i] = side_of(dealt(grid(RANKS, 1, (int64_t)height, (int64_t)width), RANKS, 0), RANKS);
    made.to[i] = side_of(dealt(grid(1, RANKS, (int64_t)height, (int64_t)width), RANKS, 0), RANKS);
    memset(made.to[i].shards.bytes, 0, height * width);
    for (size_t rank = 0; rank < RANKS; rank++) {
      shardspec_comm_tensor *tensor = &made.what.tensors[rank * n + i];
      *tensor = (shardspec_comm_tensor)SHARDSPEC_COMM_TENSOR_INIT;
      tensor->source = made.from[are_alike ? 0 : i].metadata;
      tensor->destination = made.to[are_alike ? 0 : i].metadata;
      tensor->source_shards = views_of_rank(&made.from[i], rank, &tensor->source_shard_count);
      tensor->destination_shards = views_of_rank(&made.to[i], rank, &tensor->destination_shard_count);
      tensor->tag = strcpy(malloc(sizeof tag), tag);
    }
  }
  return made;
}

/* Each element of a tensor is where it belongs in its column, and is taken away. */
static void check_batch(const batch *all) {
  for (size_t i = 0; i < all->what.count; i++) {
    const side *to = &all->to[i];
    const size_t width = (size_t)to->all.tensor[1], own = width / RANKS, column = elements_of(to) / RANKS;
    for (size_t at = 0; at < elements_of(to); at++) {
      const size_t rank = at / column, row = at % column / own, in_row = at % own;
      CHECK_EQUAL(to->shards.bytes[at], byte_at(row * width + rank * own + in_row));
    }
    memset(to->shards.bytes, 0, elements_of(to));
  }
}

static void free_batch(batch *all) {
  for (size_t rank = 0; rank < RANKS; rank++) CHECK_OK(shardspec_transfer_free(all->what.transfers[rank], &err));
  for (size_t i = 0; i < RANKS * all->what.count; i++) free((char *)all->what.tensors[i].tag);
  for (size_t i = 0; i < all->what.count; i++) {
    free_side(&all->from[i]);
    free_side(&all->to[i]);
  }
  free_moved(&all->what);
  free(all->what.tensors);
  free(all->what.transfers);
  free(all->from);
  free(all->to);
}

void count_batches(size_t n) {
  for (int are_alike = 0; are_alike < 2; are_alike++) {
    const char *family = are_alike ? "n tensors with equal layouts" : "n tensors";
    const char *again = are_alike ? "again, n tensors with equal layouts" : "again, n tensors";
    batch all = batch_of(n, are_alike);
    const size_t last = RANKS - 1, pieces = RANKS * n;
    count_rank(&all.what, transfer_starts, "shardspec_comm_transfer_start", family, last, n, pieces);
    check_batch(&all);
    count_rank(&all.what, prepare_starts, "shardspec_transfer_prepare_start", family, last, n, pieces);
    count_rank(&all.what, run_starts, "shardspec_transfer_start", family, last, n, pieces);
    check_batch(&all);
    count_rank(&all.what, run_starts, "shardspec_transfer_start", again, last, n, pieces);
    check_batch(&all);
    free_batch(&all);
  }
}
