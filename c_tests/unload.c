/* The shared library, opened by a program: it stays when it is closed, and two copies of it in one
 * process don't take each other's handles for their own. */
#define _DEFAULT_SOURCE
#include "check.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

typedef struct library {
  void *handle;
  shardspec_status (*spec_new_chunk)(int64_t, const char *const *, size_t, shardspec_spec **, shardspec_error *);
  shardspec_status (*spec_free)(shardspec_spec *, shardspec_error *);
  shardspec_status (*spec_shard_count)(const shardspec_spec *, size_t *, shardspec_error *);
} library;

static library opened(const char *path) {
  library l;
  l.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (l.handle == NULL) FAIL("%s", dlerror());
#define FUNCTION(name)                                                                             \
  *(void **)&l.name = dlsym(l.handle, "shardspec_" #name);                                         \
  CHECK(l.name != NULL)
  FUNCTION(spec_new_chunk);
  FUNCTION(spec_free);
  FUNCTION(spec_shard_count);
  return l;
}

static shardspec_spec *spec_of(const library *l) {
  static const char *const ranks[] = {"rank:0", "rank:1", "rank:2"};
  shardspec_spec *spec;
  CHECK(l->spec_new_chunk(0, ranks, 3, &spec, NULL) == SHARDSPEC_OK);
  return spec;
}

static int lives(const library *l, const shardspec_spec *spec) {
  size_t count = 0;
  shardspec_status status = l->spec_shard_count(spec, &count, NULL);
  CHECK(status == SHARDSPEC_OK ? count == 3 : status == SHARDSPEC_INVALID_HANDLE);
  return status == SHARDSPEC_OK;
}

static void *use(void *l) {
  shardspec_spec *spec = spec_of(l);
  CHECK(lives(l, spec) && ((library *)l)->spec_free(spec, NULL) == SHARDSPEC_OK);
  return l;
}

static void closing_leaves_everything_as_it_is(const char *path) {
  shardspec_spec *kept, *freed = NULL;
  /* At first nothing but what makes a handle. */
  library first = opened(path);
  kept = spec_of(&first);
  CHECK(dlclose(first.handle) == 0);
  for (int turn = 0; turn < 5; turn++) {
    library l = opened(path);
    CHECK(lives(&l, kept));
    if (turn > 0) CHECK(!lives(&l, freed));
    CHECK(l.spec_free(kept, NULL) == SHARDSPEC_OK);
    freed = spec_of(&l);
    kept = spec_of(&l);
    CHECK(l.spec_free(freed, NULL) == SHARDSPEC_OK && !lives(&l, freed));
    /* A thread that has used the library ends after it was closed. */
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, use, &l) == 0);
    if (turn % 2) CHECK(pthread_join(thread, NULL) == 0);
    CHECK(dlclose(l.handle) == 0);
    CHECK(dlopen(path, RTLD_NOW | RTLD_NOLOAD) != NULL);
    CHECK(lives(&l, kept));
    if (!(turn % 2)) CHECK(pthread_join(thread, NULL) == 0);
  }
}

static void copy_file(const char *from, int to) {
  char buffer[1 << 16];
  size_t count;
  FILE *file = fopen(from, "rb");
  CHECK(file != NULL);
  while ((count = fread(buffer, 1, sizeof buffer, file)) > 0) CHECK(write(to, buffer, count) == (ssize_t)count);
  CHECK(fclose(file) == 0);
}

static void two_copies_know_their_own_handles_only(const char *path) {
  enum { HANDLES = 500 };
  char copy_path[] = "/tmp/shardspec-copy-XXXXXX";
  int copy = mkstemp(copy_path);
  CHECK(copy >= 0);
  copy_file(path, copy);
  CHECK(close(copy) == 0);
  library both[] = {opened(path), opened(copy_path)};
  CHECK(unlink(copy_path) == 0);
  CHECK(both[0].spec_free != both[1].spec_free);
  shardspec_spec *specs[2][HANDLES];
  for (int turn = 0; turn < 3; turn++) {
    for (int which = 0; which < 2; which++)
      for (int i = 0; i < HANDLES; i++) specs[which][i] = spec_of(&both[which]);
    for (int which = 0; which < 2; which++)
      for (int i = 0; i < HANDLES; i++) {
        CHECK(lives(&both[which], specs[which][i]) && !lives(&both[!which], specs[which][i]));
        CHECK(both[!which].spec_free(specs[which][i], NULL) == SHARDSPEC_INVALID_HANDLE);
      }
    for (int which = 0; which < 2; which++)
      for (int i = 0; i < HANDLES; i++) CHECK(both[which].spec_free(specs[which][i], NULL) == SHARDSPEC_OK);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  closing_leaves_everything_as_it_is(argv[1]);
  two_copies_know_their_own_handles_only(argv[1]);
  return 0;
}
