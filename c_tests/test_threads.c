/* Handles across threads and across fork. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "lists.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, ROUNDS = 20000 };

static const char *const RANKS[] = {"rank:0", "rank:1", "rank:2"};
static shardspec_spec *shared_spec;

static shardspec_spec *new_spec(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  CHECK_OK(shardspec_spec_new_chunk(0, RANKS, 3, &spec, &err));
  return spec;
}

/* Makes, uses and frees its own handles, and uses one that all threads share. */
static void *work(void *unused) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (int64_t i = 0; i < ROUNDS; i++) {
    shardspec_spec *own = new_spec();
    shardspec_metadata *metadata;
    int32_t equal;
    int64_t numel, size = i;
    CHECK_OK(shardspec_spec_equal(own, shared_spec, &equal, &err));
    CHECK_EQUAL(equal, 1);
    CHECK_OK(shardspec_spec_build_metadata(shared_spec, &size, 1, NULL, &metadata, &err));
    CHECK_OK(shardspec_metadata_numel(metadata, &numel, &err));
    CHECK_EQUAL(numel, i);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
    CHECK_OK(shardspec_spec_free(own, &err));
    CHECK_STATUS(shardspec_spec_equal(own, shared_spec, &equal, &err), SHARDSPEC_INVALID_HANDLE);
  }
  return unused;
}

static void run(void *(*function)(void *), void *argument) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, function, argument) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

/* Uses the shared handle until it is freed: every answer is right, or says that it is gone. */
static void *use_until_freed(void *freed_by_me) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  size_t count = 0;
  shardspec_status status = SHARDSPEC_OK;
  for (int i = 0; status == SHARDSPEC_OK; i++) {
    if (i == 100 && shardspec_spec_free(shared_spec, &err) == SHARDSPEC_OK)
      __atomic_add_fetch((int *)freed_by_me, 1, __ATOMIC_SEQ_CST);
    status = shardspec_spec_shard_count(shared_spec, &count, &err);
    if (status == SHARDSPEC_OK) CHECK_EQUAL(count, 3);
  }
  CHECK_EQUAL(status, SHARDSPEC_INVALID_HANDLE);
  return NULL;
}

static void handles_may_be_freed_while_others_use_them_and_only_once(void) {
  for (int round = 0; round < 200; round++) {
    int freed = 0;
    shared_spec = new_spec();
    run(use_until_freed, &freed);
    CHECK_EQUAL(freed, 1);
  }
}

/* A child process of a program with busy threads can do all that its parent can. */
static void a_child_after_fork_works(void) {
  pthread_t busy;
  CHECK(pthread_create(&busy, NULL, work, NULL) == 0);
  for (int i = 0; i < 50; i++) {
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      shardspec_error err = SHARDSPEC_ERROR_INIT;
      size_t count = 0;
      shardspec_spec *own = new_spec();
      CHECK_OK(shardspec_spec_shard_count(shared_spec, &count, &err));
      CHECK_EQUAL(count, 3);
      CHECK_OK(shardspec_spec_free(own, &err));
      CHECK_OK(shardspec_spec_free(shared_spec, &err));
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  CHECK(pthread_join(busy, NULL) == 0);
}

/* A tensor of a hundred thousand shards of three elements each. */
static shardspec_metadata *many_shards(void) {
  enum { SHARDS = 100000 };
  static int64_t offsets[SHARDS], sizes[SHARDS];
  static uint32_t placements[SHARDS];
  static const int64_t tensor = 3 * SHARDS;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  for (int64_t i = 0; i < SHARDS; i++) offsets[i] = 3 * i, sizes[i] = 3;
  CHECK_OK(enumerable_of_arrays(offsets, sizes, placements, 1, SHARDS, RANKS, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, &tensor, 1, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static void *ask(void *metadata) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  static const int64_t element = 200000;
  size_t owner;
  CHECK_OK(shardspec_metadata_shard_at(metadata, &element, 1, &owner, &err));
  CHECK_EQUAL(owner, 66666);
  return NULL;
}

/* The first questions, which make an index, come at once, and the process forks meanwhile. */
static void threads_and_children_may_ask_first(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  for (int round = 0; round < 20; round++) {
    shardspec_metadata *metadata = many_shards();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, ask, metadata) == 0);
    nanosleep(&(struct timespec){0, round * 500000}, NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
      ask(metadata);
      _exit(0);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
}

int main(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  alarm(120); /* a deadlock fails instead of hanging */
  shared_spec = new_spec();
  run(work, NULL);
  a_child_after_fork_works();
  CHECK_OK(shardspec_spec_free(shared_spec, &err));
  handles_may_be_freed_while_others_use_them_and_only_once();
  threads_and_children_may_ask_first();
  return 0;
}
