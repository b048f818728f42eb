/* Pictures of layouts and plans. Their size is bounded, so the answer is not counted. */
#include "growth.h"

static char picture[SHARDSPEC_MAX_PICTURE_SIZE];

static void count_layout(const layout *all, const char *family, const char *as_svg) {
  const size_t n = all->count;
  shardspec_shards *shards = shards_of(all);
  shardspec_metadata *metadata = metadata_of(all);
  shardspec_draw_options svg = {sizeof svg, SHARDSPEC_PICTURE_SVG, 0, 0, 0, 0, NULL, 0, NULL, NULL, 0};
  COUNTED(family, n, 0, shardspec_metadata_draw, metadata, NULL, picture, sizeof picture, NULL);
  COUNTED(as_svg, n, 0, shardspec_metadata_draw, metadata, &svg, picture, sizeof picture, NULL);
  COUNTED(family, n, 0, shardspec_shards_draw, shards, all->tensor, NDIM, NULL, picture, sizeof picture, NULL);
  CHECK_OK(shardspec_shards_free(shards, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void count_pair(const layout *from, const layout *to, size_t pieces, const char *family, const char *as_svg) {
  shardspec_metadata *source = metadata_of(from), *destination = metadata_of(to);
  shardspec_plan *plan = NULL;
  shardspec_draw_options svg = {sizeof svg, SHARDSPEC_PICTURE_SVG, 0, 0, 0, 0, NULL, 0, NULL, NULL, 0};
  CHECK_OK(shardspec_plan_new(source, destination, &plan, &err));
  COUNTED(family, from->count, pieces, shardspec_metadata_draw_diff, source, destination, NULL, picture,
          sizeof picture, NULL);
  COUNTED(as_svg, from->count, pieces, shardspec_metadata_draw_diff, source, destination, &svg, picture,
          sizeof picture, NULL);
  COUNTED(family, from->count, pieces, shardspec_plan_draw, plan, NULL, picture, sizeof picture, NULL);
  COUNTED(as_svg, from->count, pieces, shardspec_plan_draw, plan, &svg, picture, sizeof picture, NULL);
  CHECK_OK(shardspec_plan_free(plan, &err));
  CHECK_OK(shardspec_metadata_free(source, &err));
  CHECK_OK(shardspec_metadata_free(destination, &err));
}

void count_pictures(size_t n) {
  layout in_rows = rows(n, 3), shifted = rows(n, 1), in_pieces = peeled(n), in_grid = grid(20, n / 20, 40, 800);
  count_layout(&in_rows, "rows", "rows, SVG");
  count_layout(&in_pieces, "peeled", "peeled, SVG");
  count_layout(&in_grid, "grid", "grid, SVG");
  count_pair(&in_rows, &shifted, 2 * n, "shifted rows", "shifted rows, SVG");
  free_layout(&in_rows);
  free_layout(&shifted);
  free_layout(&in_pieces);
  free_layout(&in_grid);
}
