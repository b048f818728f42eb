/* Reads one rank's shard of an array in a .npy file, and not a byte of the other ranks':
 *
 *     read_shard FILE.npy RANK RANKS DIM OUT
 *
 * The file is one shard that has all of the tensor; the ranks' shards are chunks of dimension DIM. The
 * plan from the one layout to the other tells in runs of bytes where the rank's elements are, and
 * pread fetches these. The shard goes to the file OUT, row-major. */
#define _POSIX_C_SOURCE 200809L
#include "npy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static size_t bytes_read, reads;

static void stop(const char *what, const char *problem) {
  fprintf(stderr, "%s: %s\n", what, problem);
  exit(2);
}

/* Every call of the library ends the program when it is refused, with the library's own words. */
static void check(shardspec_status status) {
  if (status != SHARDSPEC_OK) stop("shardspec", err.message);
}

static void *allocate(size_t bytes) {
  void *memory = calloc(bytes + 1, 1);
  if (memory == NULL) stop("memory", "there is none left");
  return memory;
}

static int64_t number(const char *name, const char *text, int64_t least, int64_t most) {
  char *end;
  errno = 0;
  intmax_t value = strtoimax(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || value < least || value > most) {
    fprintf(stderr, "%s is '%s'; pass a number from %" PRId64 " to %" PRId64 "\n", name, text, least, most);
    exit(2);
  }
  return value;
}

/* The only way in which the file is read. */
static void fetch(int file, void *to, size_t bytes, off_t from) {
  for (size_t done = 0; done < bytes;) {
    ssize_t got = pread(file, (char *)to + done, bytes - done, from + (off_t)done);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) stop("the file", got == 0 ? "it ends too early" : strerror(errno));
    done += (size_t)got;
    bytes_read += (size_t)got;
    reads++;
  }
}

/* What the header says; returns where the elements start. */
static off_t read_header(int file, npy_array *array) {
  unsigned char start[NPY_START];
  size_t text, length;
  fetch(file, start, sizeof start, 0);
  const char *problem = npy_parse_start(start, &text, &length);
  if (problem != NULL) stop("the file", problem);
  char *header = allocate(length);
  fetch(file, header, length, (off_t)text);
  problem = npy_parse_header(header, array);
  free(header);
  if (problem != NULL) stop("the file", problem);
  if (array->ndim > 1 && array->strides[0] < array->strides[array->ndim - 1])
    stop("the file", "it is column-major; only row-major arrays are read");
  return (off_t)(text + length);
}

/* One shard that has everything, as a file does. */
static shardspec_metadata *whole(const npy_array *array) {
  int64_t offsets[SHARDSPEC_MAX_NDIM] = {0};
  shardspec_shard_metadata all = {(size_t)array->ndim, offsets, array->shape, "rank:0"};
  shardspec_metadata *metadata;
  shardspec_shards *shards;
  shardspec_spec *spec;
  check(shardspec_shards_new(&all, 1, &shards, &err));
  check(shardspec_spec_new_enumerable(shards, &spec, &err));
  check(shardspec_shards_free(shards, &err));
  check(shardspec_spec_build_metadata(spec, array->shape, (size_t)array->ndim, NULL, &metadata, &err));
  check(shardspec_spec_free(spec, &err));
  return metadata;
}

static shardspec_metadata *chunks(const npy_array *array, int64_t dim, size_t ranks) {
  char(*names)[32] = allocate(ranks * sizeof *names);
  const char **placements = allocate(ranks * sizeof *placements);
  shardspec_metadata *metadata;
  shardspec_spec *spec;
  for (size_t i = 0; i < ranks; i++) {
    snprintf(names[i], sizeof names[i], "rank:%zu", i);
    placements[i] = names[i];
  }
  check(shardspec_spec_new_chunk(dim, placements, ranks, &spec, &err));
  check(shardspec_spec_build_metadata(spec, array->shape, (size_t)array->ndim, NULL, &metadata, &err));
  check(shardspec_spec_free(spec, &err));
  free(placements);
  free(names);
  return metadata;
}

int main(int argc, char **argv) {
  if (argc != 6) stop("usage", "read_shard FILE.npy RANK RANKS DIM OUT");
  int64_t ranks = number("RANKS", argv[3], 1, 1 << 20), rank = number("RANK", argv[2], 0, ranks - 1);
  int file = open(argv[1], O_RDONLY);
  if (file < 0) stop(argv[1], strerror(errno));
  npy_array array;
  memset(&array, 0, sizeof array);
  off_t elements = read_header(file, &array);
  if (array.ndim == 0) stop(argv[1], "it has no dimension to cut");
  int64_t dim = number("DIM", argv[4], -array.ndim, array.ndim - 1);

  shardspec_metadata *saved = whole(&array), *wanted = chunks(&array, dim, (size_t)ranks);
  shardspec_plan *plan;
  size_t own = (size_t)rank, count, itemsize;
  check(shardspec_dtype_itemsize(&array.dtype, &itemsize, &err));
  check(shardspec_plan_new_for_destinations(saved, wanted, &own, 1, &plan, &err));
  check(shardspec_plan_shard_runs(plan, 0, own, (int64_t)itemsize, NULL, 0, &count, &err));
  shardspec_run *runs = allocate(count * sizeof *runs);
  check(shardspec_plan_shard_runs(plan, 0, own, (int64_t)itemsize, runs, count, NULL, &err));

  int64_t offsets[SHARDSPEC_MAX_NDIM], sizes[SHARDSPEC_MAX_NDIM];
  check(shardspec_metadata_get_shard(wanted, own, offsets, sizes, SHARDSPEC_MAX_NDIM, &err));
  size_t bytes = itemsize;
  for (int32_t i = 0; i < array.ndim; i++) bytes *= (size_t)sizes[i];
  unsigned char *shard = allocate(bytes);
  bytes_read = reads = 0;
  for (size_t i = 0; i < count; i++)
    for (int64_t block = 0; block < runs[i].block_count; block++)
      fetch(file, shard + runs[i].destination_offset + block * runs[i].destination_stride,
            (size_t)runs[i].block_length, elements + runs[i].source_offset + block * runs[i].source_stride);

  FILE *out = fopen(argv[5], "wb");
  if (out == NULL || fwrite(shard, 1, bytes, out) != bytes || fclose(out) != 0)
    stop(argv[5], "it can't be written");
  printf("rank %" PRId64 " of %" PRId64 ": %zu of %zu bytes, in %zu runs and %zu reads\n", rank, ranks,
         bytes_read, array.size, count, reads);
  free(shard);
  free(runs);
  check(shardspec_plan_free(plan, &err));
  check(shardspec_metadata_free(saved, &err));
  check(shardspec_metadata_free(wanted, &err));
  close(file);
  return 0;
}
