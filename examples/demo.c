/* Cuts an array over ranks in several ways, shows who owns what, puts it together again and compares.
 *
 *   demo FILE.npy RANKS [DIM]
 *
 * Without DIM: by rows and by columns. Then two layouts of large language models
 * (demo_layouts.c). */
#include "demo.h"
#include "npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 16 };

shardspec_error err = SHARDSPEC_ERROR_INIT;

void must(shardspec_status status) {
  if (status == SHARDSPEC_OK) return;
  fprintf(stderr, "demo: %s\n", err.message);
  exit(1);
}

void *allocate(size_t size) {
  void *memory = malloc(size + 1);
  if (memory != NULL) return memory;
  fprintf(stderr, "demo: no memory left for %zu bytes\n", size);
  exit(1);
}

static shardspec_tensor_view view_of(void *data, const npy_array *array, const int64_t *shape,
                                     const int64_t *strides) {
  shardspec_tensor_view view = {data, {SHARDSPEC_DLPACK_DEVICE_CPU, 0}, array->ndim, array->dtype,
                                (int64_t *)shape, (int64_t *)strides, 0};
  return view;
}

/* Writes "[a:b, c:d]", the way Python slices. */
static void print_box(const int64_t *offsets, const int64_t *sizes, int32_t ndim) {
  char text[1400] = "[";
  size_t length = 1;
  for (int32_t dim = 0; dim < ndim; dim++)
    length += (size_t)snprintf(text + length, sizeof text - length, "%s%" PRId64 ":%" PRId64,
                               dim ? ", " : "", offsets[dim], offsets[dim] + sizes[dim]);
  snprintf(text + length, sizeof text - length, "]");
  printf("  %-26s", text);
}

/* One row for each shard: number, owner, elements, box, and how much of the tensor it is. */
static void print_shards(const shardspec_metadata *metadata, const npy_array *array) {
  size_t count;
  int64_t numel, offsets[SHARDSPEC_MAX_NDIM], sizes[SHARDSPEC_MAX_NDIM];
  must(shardspec_metadata_shard_count(metadata, &count, &err));
  must(shardspec_metadata_numel(metadata, &numel, &err));
  printf("  shard  owner         elements  box (start:end)           share\n");
  for (size_t i = 0; i < count && i < MAX_ROWS; i++) {
    char owner[256];
    int64_t elements = 1;
    must(shardspec_metadata_get_shard(metadata, i, offsets, sizes, SHARDSPEC_MAX_NDIM, &err));
    must(shardspec_metadata_shard_placement_text(metadata, i, owner, sizeof owner, NULL, &err));
    for (int32_t dim = 0; dim < array->ndim; dim++) elements *= sizes[dim];
    printf("  %5zu  %-12s %9" PRId64, i, owner, elements);
    print_box(offsets, sizes, array->ndim);
    double share = numel ? (double)elements / (double)numel : 0;
    for (int bar = 0; bar < (int)(share * 20 + 0.5); bar++) putchar('#');
    printf(" %.1f%%\n", 100 * share);
  }
  if (count > MAX_ROWS) printf("  ... and %zu more\n", count - MAX_ROWS);
}

/* Scatters the array into one buffer for each shard, gathers them into a second array, compares. */
static void take_apart_and_put_together(const shardspec_metadata *metadata, npy_array *array) {
  size_t count, itemsize;
  must(shardspec_metadata_shard_count(metadata, &count, &err));
  must(shardspec_dtype_itemsize(&array->dtype, &itemsize, &err));
  shardspec_tensor_view *shards = allocate(count * sizeof *shards);
  int64_t *shapes = allocate(count * SHARDSPEC_MAX_NDIM * sizeof *shapes);
  for (size_t i = 0; i < count; i++) {
    int64_t *shape = shapes + i * SHARDSPEC_MAX_NDIM;
    size_t size = itemsize;
    must(shardspec_metadata_get_shard(metadata, i, NULL, shape, SHARDSPEC_MAX_NDIM, &err));
    for (int32_t dim = 0; dim < array->ndim; dim++) size *= (size_t)shape[dim];
    shards[i] = view_of(allocate(size), array, shape, NULL);
  }
  void *again = allocate(array->size);
  memset(again, 0xff, array->size);
  shardspec_tensor_view full = view_of(array->data, array, array->shape, array->strides);
  shardspec_tensor_view gathered = view_of(again, array, array->shape, array->strides);
  must(shardspec_metadata_scatter(metadata, &full, shards, count, NULL, &err));
  must(shardspec_metadata_gather(metadata, shards, count, &gathered, NULL, &err));
  int equal = memcmp(array->data, again, array->size) == 0;
  printf("  scattered into %zu buffers, gathered: %zu bytes, %s\n\n", count, array->size,
         equal ? "bit for bit the same" : "NOT THE SAME");
  for (size_t i = 0; i < count; i++) free(shards[i].data);
  free(shards);
  free(shapes);
  free(again);
  if (!equal) exit(1);
}

static void show(const char *title, const shardspec_spec *spec, npy_array *array) {
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_metadata *metadata;
  must(shardspec_tensor_properties_init(&properties, &err));
  properties.dtype = array->dtype;
  must(shardspec_spec_build_metadata(spec, array->shape, (size_t)array->ndim, &properties,
                                     &metadata, &err));
  printf("%s\n", title);
  print_shards(metadata, array);
  take_apart_and_put_together(metadata, array);
  must(shardspec_metadata_free(metadata, &err));
}

/* Texts "rank:0/cpu" to "rank:<count - 1>/cpu". */
static const char **rank_placements(size_t count) {
  const char **placements = allocate(count * sizeof *placements);
  for (size_t i = 0; i < count; i++) {
    char *text = allocate(40);
    snprintf(text, 40, "rank:%zu/cpu", i);
    placements[i] = text;
  }
  return placements;
}

static void show_chunks(const char *title, int64_t dim, size_t ranks, npy_array *array) {
  const char **placements = rank_placements(ranks);
  shardspec_spec *spec;
  must(shardspec_spec_new_chunk(dim, placements, ranks, &spec, &err));
  show(title, spec, array);
  must(shardspec_spec_free(spec, &err));
  for (size_t i = 0; i < ranks; i++) free((void *)placements[i]);
  free(placements);
}

/* A whole number within bounds, or the end of the program. */
static int64_t number(const char *name, const char *text, int64_t least, int64_t most) {
  char *end;
  long long value = strtoll(text, &end, 10);
  if (*text != '\0' && *end == '\0' && value >= least && value <= most) return value;
  fprintf(stderr, "demo: %s is '%s'; pass a whole number from %" PRId64 " to %" PRId64 "\n", name,
          text, least, most);
  exit(2);
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 4) {
    fprintf(stderr, "usage: demo FILE.npy RANKS [DIM]\n");
    return 2;
  }
  npy_array array;
  const char *problem = npy_read(argv[1], &array);
  if (problem != NULL) {
    fprintf(stderr, "demo: %s: %s\n", argv[1], problem);
    return 2;
  }
  size_t ranks = (size_t)number("RANKS", argv[2], 1, 1000000);
  char version[32], dtype[64];
  must(shardspec_version_text(version, sizeof version, NULL, &err));
  must(shardspec_dtype_text(&array.dtype, dtype, sizeof dtype, NULL, &err));
  printf("shardspec %s: %s, %s, shape [", version, argv[1], dtype);
  for (int32_t dim = 0; dim < array.ndim; dim++)
    printf("%s%" PRId64, dim ? ", " : "", array.shape[dim]);
  printf("], over %zu ranks\n\n", ranks);
  if (argc == 4) {
    char title[64];
    int64_t dim = number("DIM", argv[3], -array.ndim, array.ndim - 1);
    snprintf(title, sizeof title, "In chunks of dimension %" PRId64, dim);
    show_chunks(title, dim, ranks, &array);
  } else {
    if (array.ndim == 0) printf("A single element: there is nothing to cut.\n");
    if (array.ndim > 0) show_chunks("By rows: chunks of dimension 0", 0, ranks, &array);
    if (array.ndim > 1) show_chunks("By columns: chunks of dimension 1", 1, ranks, &array);
    show_layouts();
  }
  free(array.bytes);
  return 0;
}
