/* Calls functions that take n shards, for n and for 4 n shards, so that check_growth.py compares their steps.
 *
 * A step is an instruction that callgrind counts. The memory of a call is what this program's allocator counts.
 * Without callgrind the calls are only made. */
#include "growth.h"

enum { FEW = 400 };

shardspec_error err = SHARDSPEC_ERROR_INIT;

void count_ends(const char *function, const char *family, size_t n, size_t answer) {
  char line[160];
  snprintf(line, sizeof line, "%s(%s) %zu %zu %zu", function, family, n, answer, memory_ends());
  CALLGRIND_DUMP_STATS_AT(line);
}

int main(void) {
  for (size_t n = FEW; n <= 4 * FEW; n *= 4) {
    layout families[] = {rows(n, 3), peeled(n)};
    const char *names[] = {"rows", "peeled"};
    for (size_t i = 0; i < COUNT(families); i++) {
      count_lists(&families[i], names[i]);
      count_metadata(&families[i], names[i]);
      free_layout(&families[i]);
    }
    count_plans(n);
    /* A picture takes many steps for few shards too. */
    count_pictures(n);
    /* What is counted with fewer shards takes half of the time. */
    count_copies(n / 2);
    count_executed_plans(n / 2);
    count_sharded_tensors(n / 2);
    count_collectives(n / 2);
    count_shards_of_ranks(n);
    count_batches(n / 4);
    count_many_ranks(n / 16);
    count_one_rank(n);
    count_meshes(n / 2);
    count_notations(n / 2);
    count_checkpoints(n / 4);
  }
  return 0;
}
