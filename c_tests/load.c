/* Load: millions of handles, one after the other and at once.
 *
 *   load [CYCLES [ALIVE]]
 *
 * prints what they cost in memory. */
#define _DEFAULT_SOURCE
#include "check.h"

#include <unistd.h>

static shardspec_error err = SHARDSPEC_ERROR_INIT;

/* Bytes of memory of the process's own, without files that are mapped, or 0 where the system does not say. */
static size_t resident(void) {
  unsigned long all, pages, of_files;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL) return 0;
  const int count = fscanf(file, "%lu %lu %lu", &all, &pages, &of_files);
  fclose(file);
  return count == 3 ? (pages - of_files) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static shardspec_placement *placement_of(size_t rank) {
  char text[32];
  shardspec_placement *placement;
  snprintf(text, sizeof text, "rank:%zu", rank);
  CHECK_OK(shardspec_placement_parse(text, &placement, &err));
  return placement;
}

static void check_alive(const shardspec_placement *placement, size_t expected) {
  int64_t rank;
  CHECK_OK(shardspec_placement_rank(placement, &rank, &err));
  CHECK_EQUAL(rank, expected);
}

/* The header: at most 1 KiB for every 131,072 handles that were created and freed. */
static void handles_that_were_freed_cost_no_more_than_the_header_says(size_t cycles) {
  /* Whatever is allocated once is there after these, and one slot has used all of its generations. */
  for (size_t i = 0; i < 200000; i++) CHECK_OK(shardspec_placement_free(placement_of(i), &err));
  const size_t before = resident(), slack = 128 << 10;
  for (size_t i = 0; i < cycles; i++) {
    shardspec_placement *placement;
    CHECK_OK(shardspec_placement_parse("rank:7", &placement, &err));
    if (i % 65536 == 0) check_alive(placement, 7);
    CHECK_OK(shardspec_placement_free(placement, &err));
  }
  const size_t after = resident(), growth = after > before ? after - before : 0;
  printf("%zu handles created and freed: %zu KiB more memory\n", cycles, growth >> 10);
  CHECK(growth <= (cycles / 131072 + 1) * 1024 + slack);
}

static void handles_that_are_alive_at_once_are_all_right(size_t count) {
  shardspec_placement **all = malloc(count * sizeof *all);
  CHECK(all != NULL);
  const size_t before = resident();
  for (size_t i = 0; i < count; i++) all[i] = placement_of(i);
  const size_t after = resident();
  for (size_t i = 0; i < count; i++) check_alive(all[i], i);
  /* Every second one, and the others afterwards: both orders of freeing. */
  for (size_t i = 0; i < count; i += 2) CHECK_OK(shardspec_placement_free(all[i], &err));
  for (size_t i = 0; i < count; i += 1009) {
    int64_t rank = -5;
    if (i % 2) check_alive(all[i], i);
    else CHECK_STATUS(shardspec_placement_rank(all[i], &rank, &err), SHARDSPEC_INVALID_HANDLE);
  }
  for (size_t i = count - 1 - count % 2; i < count; i -= 2) CHECK_OK(shardspec_placement_free(all[i], &err));
  for (size_t i = 0; i < count; i += 1009)
    CHECK_STATUS(shardspec_placement_free(all[i], &err), SHARDSPEC_INVALID_HANDLE);
  free(all);
  printf("%zu handles at once: %zu bytes each\n", count, after > before ? (after - before) / count : 0);
}

int main(int argc, char **argv) {
  const size_t cycles = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000;
  const size_t alive = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
  CHECK(cycles > 0 && alive > 1);
  handles_that_were_freed_cost_no_more_than_the_header_says(cycles);
  handles_that_are_alive_at_once_are_all_right(alive);
}
