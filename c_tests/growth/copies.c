/* Views and copies of a tensor that stays as large while its shards become more. What a call copies are runs: rows
 * of shards, which are its answer. */
#include "growth.h"

enum { HEIGHT = 40, WIDTH = 800, ELEMENTS = HEIGHT * WIDTH };

static void count_moves(const layout *all, const views *shards, const shardspec_tensor_view *full, size_t runs,
                        const char *family) {
  const size_t n = all->count;
  shardspec_metadata *metadata = metadata_of(all);
  uint64_t *digests = calloc(n, sizeof *digests);
  COUNTED(family, n, runs, shardspec_metadata_scatter, metadata, full, shards->views, n, NULL);
  COUNTED(family, n, runs, shardspec_metadata_gather, metadata, shards->views, n, full, NULL);
  COUNTED_EACH(family, n, runs, shardspec_metadata_extract_shard, metadata, i, full, &shards->views[i], NULL);
  COUNTED(family, n, runs, shardspec_metadata_shard_digests, metadata, NULL, shards->views, n, NULL, digests);
  COUNTED(family, n, runs, shardspec_metadata_digest, metadata, NULL, shards->views, n, NULL, digests);
  free(digests);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void count_flat(const layout *all, const views *shards, unsigned char *full, size_t runs, const char *family) {
  const size_t n = all->count;
  shardspec_metadata *metadata = metadata_of(all);
  COUNTED(family, n, runs, shardspec_metadata_scatter_flat, metadata, &BYTE, full, NULL, shards->bytes, shards->offsets,
          shards->shapes, shards->strides, n, NULL);
  COUNTED(family, n, runs, shardspec_metadata_gather_flat, metadata, &BYTE, shards->bytes, shards->offsets,
          shards->shapes, shards->strides, n, full, NULL, NULL);
  COUNTED_EACH(family, n, runs, shardspec_metadata_extract_shard_flat, metadata, i, &BYTE, full, NULL,
               shards->bytes + shards->offsets[i], shards->shapes + NDIM * i, shards->strides + NDIM * i, NULL);
  int64_t offset = 0, shape[NDIM], strides[NDIM];
  COUNTED_EACH(family, n, runs, shardspec_metadata_view_shard_flat, metadata, i, &BYTE, NULL, &offset, shape, strides,
               NDIM);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void count_views(const layout *all, const views *shards, const shardspec_tensor_view *full, size_t runs,
                        const char *family) {
  const size_t n = all->count;
  shardspec_shards *list = shards_of(all);
  shardspec_metadata *metadata = metadata_of(all);
  shardspec_spec *spec = NULL;
  CHECK_OK(shardspec_spec_new_enumerable(list, &spec, &err));
  int64_t shape[NDIM], strides[NDIM];
  shardspec_tensor_view view;
  COUNTED_EACH(family, n, runs, shardspec_metadata_view_shard, metadata, i, full, shape, strides, NDIM, &view);
  COUNTED_EACH(family, n, runs, shardspec_spec_fill_shard, spec, metadata, i, full, &shards->views[i], NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_shards_free(list, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void count_layout(const layout *all, size_t runs, const char *family, const char *into_tensor) {
  int64_t shape[NDIM] = {all->tensor[0], all->tensor[1]};
  unsigned char *full = calloc(ELEMENTS, 1);
  const shardspec_tensor_view view = view_of(full, BYTE, shape, NDIM);
  views own = views_of(all), parts = views_into_tensor(all);
  count_moves(all, &own, &view, runs, family);
  count_moves(all, &parts, &view, runs, into_tensor);
  count_flat(all, &own, full, runs, family);
  count_views(all, &own, &view, runs, family);
  free_views(&own);
  free_views(&parts);
  free(full);
}

void count_copies(size_t n) {
  layout in_rows = grid(n, 1, ELEMENTS / 4, 4), in_columns = grid(1, n, 4, ELEMENTS / 4);
  layout in_cells = grid(20, n / 20, HEIGHT, WIDTH);
  count_layout(&in_rows, n, "rows", "rows of a tensor");
  count_layout(&in_columns, 4 * n, "columns", "columns of a tensor");
  count_layout(&in_cells, 2 * n, "grid", "grid of a tensor");
  free_layout(&in_rows);
  free_layout(&in_columns);
  free_layout(&in_cells);
}

static void count_execution(const layout *from, const layout *to, size_t pieces, const char *family) {
  shardspec_metadata *source = metadata_of(from), *destination = metadata_of(to);
  views sources = views_of(from), destinations = views_of(to);
  shardspec_plan *plan = NULL;
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  COUNTED(family, pieces, 2 * pieces, shardspec_plan_execute, plan, NULL, sources.views, from->count, NULL,
          destinations.views, to->count, NULL);
  CHECK_OK(shardspec_plan_free(plan, &err));
  free_views(&sources);
  free_views(&destinations);
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
}

void count_executed_plans(size_t n) {
  layout cells = grid(20, n / 20, HEIGHT, WIDTH), taller = grid(10, n / 20, HEIGHT, WIDTH);
  layout in_rows = grid(n, 1, ELEMENTS / 4, 4), few = grid(1, 2, ELEMENTS / 4, 4);
  count_execution(&cells, &taller, n, "to half as many cells");
  count_execution(&taller, &cells, n, "to twice as many cells");
  count_execution(&in_rows, &few, 2 * n, "rows to two columns");
  count_execution(&few, &in_rows, 2 * n, "two columns to rows");
  free_layout(&cells);
  free_layout(&taller);
  free_layout(&in_rows);
  free_layout(&few);
}
