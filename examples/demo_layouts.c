/* Two layouts that are no boxes: a fused QKV weight, and a padded vocabulary with replicas. Shows who
 * owns which rows, moves them to another mesh and back, and compares. */
#include "demo.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 128, MAX_SHARDS = 8 };

/* Elements of this size: what they are does not matter here. */
typedef uint32_t element;

/* The shards of one layout, in buffers of this process. */
typedef struct shards {
  shardspec_metadata *metadata;
  size_t count;
  size_t indices[MAX_SHARDS];
  shardspec_tensor_view views[MAX_SHARDS];
  int64_t shapes[MAX_SHARDS][2];
} shards;

static shardspec_tensor_view view_of(void *data, int64_t *shape) {
  shardspec_tensor_view view = {data, {SHARDSPEC_DLPACK_DEVICE_CPU, 0}, 2, {1, 32, 1}, shape, NULL, 0};
  return view;
}

/* Makes the shards of a tensor whose rows are cut over the last axis of a mesh, padded to a multiple. */
static void make_shards(shards *all, const char *const *axes, const int64_t *axis_sizes, size_t ndim,
                        shardspec_cut cut, int64_t multiple, const int64_t shape[2]) {
  shardspec_mesh *mesh;
  shardspec_spec *spec;
  shardspec_pad pad = SHARDSPEC_PAD_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  cut.axis = axes[ndim - 1];
  pad.multiple = multiple;
  layout.cuts = &cut;
  layout.cut_count = 1;
  layout.pads = &pad;
  layout.pad_count = multiple > 0;
  must(shardspec_mesh_new(axes, axis_sizes, ndim, NULL, 0, &mesh, &err));
  must(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  must(shardspec_spec_build_metadata(spec, shape, 2, NULL, &all->metadata, &err));
  must(shardspec_spec_free(spec, &err));
  must(shardspec_mesh_free(mesh, &err));
  must(shardspec_metadata_shard_count(all->metadata, &all->count, &err));
  for (size_t i = 0; i < all->count; i++) {
    int64_t *own = all->shapes[i];
    must(shardspec_metadata_get_shard(all->metadata, i, NULL, own, 2, &err));
    size_t bytes = (size_t)(own[0] * own[1]) * sizeof(element);
    all->indices[i] = i;
    all->views[i] = view_of(allocate(bytes), own);
    memset(all->views[i].data, 0xff, bytes);
  }
}

static void free_shards(shards *all) {
  for (size_t i = 0; i < all->count; i++) free(all->views[i].data);
  must(shardspec_metadata_free(all->metadata, &err));
}

/* One line for each shard: its coordinates, and its rows, two to a character. `letters` says what the
 * rows of the tensor are; '.' is a row of others. */
static void draw(const shards *all, const char *letters) {
  size_t rows = strlen(letters);
  for (size_t i = 0; i < all->count; i++) {
    char line[MAX_ROWS + 1], owner[64];
    shardspec_stretch own[MAX_ROWS];
    size_t count;
    int64_t elements = 0;
    memset(line, '.', rows);
    line[rows] = '\0';
    must(shardspec_metadata_get_stretches(all->metadata, i, 0, own, MAX_ROWS, &count, &err));
    for (size_t s = 0; s < count; s++)
      for (int64_t at = 0; at < own[s].count * own[s].length; at++, elements++) {
        int64_t row = own[s].global_start + at / own[s].length * own[s].global_step + at % own[s].length;
        line[row] = letters[row];
      }
    must(shardspec_metadata_shard_placement_text(all->metadata, i, owner, sizeof owner, NULL, &err));
    printf("  %-10s ", owner);
    for (size_t row = 0; row < rows; row += 2) putchar(line[row]);
    printf(" %3" PRId64 " rows", elements);
    int64_t holes = all->shapes[i][0] - elements;
    if (holes > 0) printf(", %" PRId64 " padded", holes);
    putchar('\n');
  }
}

/* Scatters a tensor, moves its shards to another layout, gathers those, and compares. */
static void move(shards *from, shards *to, const int64_t shape[2]) {
  size_t count = (size_t)(shape[0] * shape[1]), size = count * sizeof(element);
  element *full = allocate(size), *again = allocate(size);
  for (size_t i = 0; i < count; i++) full[i] = (element)(i * 2654435761u);
  memset(again, 0xff, size);
  int64_t own_shape[] = {shape[0], shape[1]};
  shardspec_tensor_view source = view_of(full, own_shape), destination = view_of(again, own_shape);
  shardspec_plan *plan;
  must(shardspec_metadata_scatter(from->metadata, &source, from->views, from->count, NULL, &err));
  must(shardspec_plan_new(from->metadata, to->metadata, &plan, &err));
  must(shardspec_plan_execute(plan, from->indices, from->views, from->count, to->indices, to->views,
                              to->count, NULL, &err));
  must(shardspec_plan_free(plan, &err));
  must(shardspec_metadata_gather(to->metadata, to->views, to->count, &destination, NULL, &err));
  int equal = memcmp(full, again, size) == 0;
  printf("  scattered, moved to %zu ranks, gathered: %zu bytes, %s\n\n", to->count, size,
         equal ? "bit for bit the same" : "NOT THE SAME");
  free(full);
  free(again);
  if (!equal) exit(1);
}

/* 8 query heads and 2 key and value heads of 8 rows each. On more ranks than there are key heads,
 * `repeat` neighbours have the same one. */
static shardspec_cut cut_of_heads(shardspec_segment qkv[3], int64_t repeat) {
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  const int64_t sizes[] = {64, 16, 16};
  for (int i = 0; i < 3; i++) {
    shardspec_segment segment = SHARDSPEC_SEGMENT_INIT;
    segment.size = sizes[i];
    segment.repeat = i > 0 ? repeat : 1;
    qkv[i] = segment;
  }
  cut.granule = 8;
  cut.segments = qkv;
  cut.segment_count = 3;
  return cut;
}

void show_layouts(void) {
  const char *const axes[] = {"dp", "tp"};
  const int64_t mesh[] = {2, 2}, four[] = {4}, two[] = {2};
  char letters[MAX_ROWS + 1] = "";

  const int64_t qkv_shape[] = {96, 32};
  shardspec_segment qkv[3];
  shards from, to;
  make_shards(&from, axes + 1, four, 1, cut_of_heads(qkv, 2), 0, qkv_shape);
  make_shards(&to, axes + 1, two, 1, cut_of_heads(qkv, 1), 0, qkv_shape);
  printf("In the next two pictures, a letter stands for two rows that the rank owns, and a dot for two rows\n"
         "that it does not own.\n\n");
  printf("Fused Q, K and V rows of 8 query heads and 2 key and value heads, over 4 ranks\n");
  memset(letters, 'q', 64);
  memset(letters + 64, 'k', 16);
  memset(letters + 80, 'v', 16);
  draw(&from, letters);
  move(&from, &to, qkv_shape);
  free_shards(&from);
  free_shards(&to);

  const int64_t vocabulary[] = {90, 32};
  shardspec_cut rows = SHARDSPEC_CUT_INIT;
  make_shards(&from, axes, mesh, 2, rows, 8, vocabulary);
  make_shards(&to, axes + 1, four, 1, rows, 8, vocabulary);
  printf("A vocabulary of 90 rows, padded to 96, over a mesh of dp=2 copies and tp=2 pieces\n");
  memset(letters, 'x', 90);
  letters[90] = '\0';
  draw(&from, letters);
  move(&from, &to, vocabulary);
  free_shards(&from);
  free_shards(&to);
}
