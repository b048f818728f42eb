/* A process forks in the middle of copies, which two threads make. The child has none of the threads that copy for the
 * parent, and starts its own. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A tensor, its shards, and the tensor that is gathered again: large enough for two threads. */
enum { SIDE = 2048, HALF = SIDE * SIDE / 2 };
typedef struct copies {
  shardspec_metadata *metadata;
  unsigned char *full, *halves, *back;
  int turns, ends;
} copies;

static void copy_there_and_back(const copies *c) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  const shardspec_dtype byte = {SHARDSPEC_DTYPE_UINT, 8, 1};
  const shardspec_copy_options two_threads = {sizeof two_threads, 2, 0};
  int64_t shape[] = {SIDE, SIDE}, half[] = {SIDE, SIDE / 2};
  const shardspec_tensor_view full = view_of(c->full, byte, shape, 2), back = view_of(c->back, byte, shape, 2);
  const shardspec_tensor_view shards[] = {view_of(c->halves, byte, half, 2), view_of(c->halves + HALF, byte, half, 2)};
  CHECK_OK(shardspec_metadata_scatter(c->metadata, &full, shards, 2, &two_threads, &err));
  CHECK_OK(shardspec_metadata_gather(c->metadata, shards, 2, &back, &two_threads, &err));
  CHECK(memcmp(c->full, c->back, SIDE * SIDE) == 0);
}

static void *copy_until_end(void *given) {
  copies *c = given;
  while (!__atomic_load_n(&c->ends, __ATOMIC_SEQ_CST)) {
    copy_there_and_back(c);
    __atomic_add_fetch(&c->turns, 1, __ATOMIC_SEQ_CST);
  }
  return NULL;
}

int main(void) {
  alarm(120); /* a deadlock fails instead of hanging */
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {SIDE, SIDE};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties properties = SHARDSPEC_TENSOR_PROPERTIES_INIT;
  shardspec_spec *spec;
  copies c = {NULL, malloc(SIDE * SIDE), malloc(SIDE * SIDE), malloc(SIDE * SIDE), 0, 0};
  pthread_t busy;
  properties.dtype = (shardspec_dtype){SHARDSPEC_DTYPE_UINT, 8, 1};
  for (size_t i = 0; i < SIDE * SIDE; i++) c.full[i] = (unsigned char)(i * 31 + (i >> 11));
  CHECK_OK(shardspec_spec_new_chunk(1, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &c.metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK(pthread_create(&busy, NULL, copy_until_end, &c) == 0);
  for (int round = 0; round < 20; round++) {
    nanosleep(&(struct timespec){0, 300000 * (round % 7)}, NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      copy_there_and_back(&c);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  __atomic_store_n(&c.ends, 1, __ATOMIC_SEQ_CST);
  CHECK(pthread_join(busy, NULL) == 0);
  CHECK(c.turns > 0);
  CHECK_OK(shardspec_metadata_free(c.metadata, &err));
  free(c.full), free(c.halves), free(c.back);
  return 0;
}
