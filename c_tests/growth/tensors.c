/* Sharded tensors with many local shards, their exchange by DLPack, and collectives of one rank. */
#include "growth.h"

enum { HEIGHT = 32000, WIDTH = 4, ELEMENTS = HEIGHT * WIDTH };
static const char *const OWNER = "rank:0/cpu";

static void count_asked(shardspec_sharded_tensor *tensor, size_t n, const shardspec_tensor_view *full) {
  const char *family = "rows";
  size_t index = 0;
  int64_t shape[NDIM], strides[NDIM], *numbers = calloc(2 * NDIM * n, sizeof *numbers);
  shardspec_tensor_view view;
  COUNTED_EACH(family, n, 0, shardspec_sharded_tensor_local_index, tensor, i, &index);
  COUNTED_EACH(family, n, 0, shardspec_sharded_tensor_local_view, tensor, i, shape, strides, NDIM, &view);
  uint64_t *addresses = calloc(n, sizeof *addresses), digest = 0;
  COUNTED(family, n, 0, shardspec_sharded_tensor_local_views_flat, tensor, addresses, numbers, numbers + NDIM * n, n,
          &index);
  COUNTED(family, n, 0, shardspec_sharded_tensor_digest, tensor, NULL, &digest);
  COUNTED(family, n, 0, shardspec_sharded_tensor_gather, tensor, full, NULL);
  free(addresses);
  free(numbers);
}

static size_t *indices_of(size_t n) {
  size_t *indices = calloc(n, sizeof *indices);
  for (size_t i = 0; i < n; i++) indices[i] = i;
  return indices;
}

static void count_exchange(shardspec_metadata *metadata, shardspec_sharded_tensor *tensor, size_t n) {
  const char *family = "rows";
  shardspec_managed_tensor **managed = calloc(n, sizeof *managed);
  shardspec_sharded_tensor *taken = NULL;
  size_t *indices = indices_of(n);
  COUNTED_EACH(family, n, 0, shardspec_sharded_tensor_export_local, tensor, i, &managed[i]);
  COUNTED(family, n, 0, shardspec_sharded_tensor_new_from_managed, metadata, OWNER, indices, managed, n, &taken);
  COUNTED("taken from others", n, 0, shardspec_sharded_tensor_free, taken);
  free(managed);
  free(indices);
}

static void let_go(void *ctx) { ++*(int *)ctx; }

static void count_made(const layout *all, shardspec_metadata *metadata, const views *shards,
                       const shardspec_tensor_view *full) {
  const char *family = "rows";
  const size_t n = all->count;
  size_t *indices = indices_of(n);
  int released = 0;
  shardspec_shards *list = shards_of(all);
  shardspec_sharded_tensor *made = NULL;
  COUNTED(family, n, 0, shardspec_sharded_tensor_new_for_indices, metadata, indices, n, SHARDSPEC_FILL_ZERO, &made);
  CHECK_OK(shardspec_sharded_tensor_free(made, &err));
  COUNTED(family, n, 0, shardspec_sharded_tensor_new_from_full, metadata, OWNER, full, NULL, &made);
  CHECK_OK(shardspec_sharded_tensor_free(made, &err));
  COUNTED(family, n, 0, shardspec_sharded_tensor_new_from_local, metadata, OWNER, indices, shards->views, n, &released,
          let_go, &made);
  CHECK_OK(shardspec_sharded_tensor_free(made, &err));
  COUNTED(family, n, 0, shardspec_sharded_tensor_new_from_local_shards, metadata, OWNER, list, shards->views, n,
          &released, let_go, &made);
  CHECK_OK(shardspec_sharded_tensor_free(made, &err));
  CHECK_EQUAL(released, 2);
  CHECK_OK(shardspec_shards_free(list, &err));
  free(indices);
}

void count_sharded_tensors(size_t n) {
  layout all = grid(n, 1, HEIGHT, WIDTH);
  put_all_on_one_rank(&all);
  shardspec_metadata *metadata = metadata_of(&all);
  views shards = views_of(&all);
  int64_t shape[NDIM] = {HEIGHT, WIDTH};
  unsigned char *bytes = calloc(ELEMENTS, 1);
  const shardspec_tensor_view full = view_of(bytes, BYTE, shape, NDIM);
  shardspec_sharded_tensor *tensor = NULL, *other = NULL;
  COUNTED("rows", n, 0, shardspec_sharded_tensor_new, metadata, OWNER, SHARDSPEC_FILL_ZERO, &tensor);
  count_asked(tensor, n, &full);
  count_exchange(metadata, tensor, n);
  count_made(&all, metadata, &shards, &full);
  shardspec_plan *plan = NULL;
  CHECK_OK(shardspec_plan_new(metadata, metadata, &plan, &err));
  CHECK_OK(shardspec_sharded_tensor_new(metadata, OWNER, SHARDSPEC_FILL_ZERO, &other, &err));
  COUNTED("rows", n, n, shardspec_plan_execute_sharded_tensors, plan, tensor, other, NULL);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_sharded_tensor_free(other, &err));
  COUNTED("rows", n, 0, shardspec_sharded_tensor_free, tensor);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  free_views(&shards);
  free_layout(&all);
  free(bytes);
}

/* All shards are on one rank, so that no other thread takes steps. */
void count_collectives(size_t n) {
  const char *family = "rows, one rank";
  layout all = grid(n, 1, HEIGHT, WIDTH), more = grid(n / 2, 1, HEIGHT, WIDTH);
  put_all_on_one_rank(&all);
  put_all_on_one_rank(&more);
  shardspec_metadata *source = metadata_of(&all), *destination = metadata_of(&more);
  views sources = views_of(&all), destinations = views_of(&more);
  int64_t shape[NDIM] = {HEIGHT, WIDTH};
  unsigned char *bytes = calloc(ELEMENTS, 1);
  const shardspec_tensor_view full = view_of(bytes, BYTE, shape, NDIM);
  shardspec_comm *comm = NULL;
  CHECK_OK(shardspec_comm_new_local(1, &comm, &err));
  COUNTED(family, n, 0, shardspec_comm_scatter, comm, source, 0, &full, sources.views, n, NULL);
  COUNTED(family, n, 0, shardspec_comm_gather, comm, source, 0, sources.views, n, &full, NULL);
  COUNTED(family, n, n, shardspec_comm_reshard, comm, source, sources.views, n, destination, destinations.views,
          n / 2, NULL);
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
  free_views(&sources);
  free_views(&destinations);
  free_layout(&all);
  free_layout(&more);
  free(bytes);
}
