/* Loaded before a program: the library finds no thread that the system would start for it, and the
 * program finds all. Fails where the library never tried. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

static atomic_int refused;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument) {
  static create *next;
  Dl_info caller;
  if (dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fname != NULL &&
      strstr(caller.dli_fname, "libshardspec") != NULL) {
    refused++;
    return EAGAIN;
  }
  if (next == NULL) {
    void *found = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&next, &found, sizeof next);
  }
  return next(thread, attributes, run, argument);
}

__attribute__((destructor)) static void check(void) {
  if (refused == 0) {
    fprintf(stderr, "the library never asked for a thread\n");
    _exit(1);
  }
}
