/* What the tests of ops with threads share: ops that last, ops that end themselves, and waiting. */
#ifndef SHARDSPEC_TESTS_OP_THREADS_H
#define SHARDSPEC_TESTS_OP_THREADS_H

#define _POSIX_C_SOURCE 200809L
#include "op.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

static const shardspec_op_options REPLACE = {sizeof(shardspec_op_options), SHARDSPEC_OP_FLAG_REPLACE, 0};

static inline void sleep_ms(long ms) {
  struct timespec time = {0, ms * 1000000};
  nanosleep(&time, NULL);
}

static inline int load(int *number) { return __atomic_load_n(number, __ATOMIC_SEQ_CST); }
static inline void count(void *ctx) { __atomic_add_fetch((int *)ctx, 1, __ATOMIC_SEQ_CST); }

static inline shardspec_status dispatch(const char *name) {
  return shardspec_op_dispatch(spec, name, &one_tensor, NULL, 0, NULL);
}

/* Tries to end the op that it is, and to replace it. */
static inline shardspec_status end_self(void *ctx, const shardspec_spec *given,
                                 const shardspec_op_arguments *arguments, shardspec_value *results,
                                 size_t result_count, shardspec_error *error) {
  shardspec_op *self;
  int32_t has;
  (void)given, (void)arguments, (void)results, (void)result_count;
  CHECK(shardspec_op_look_up("chunk", "self", &self, error) == SHARDSPEC_OK);
  CHECK(shardspec_op_register("chunk", "self", count_call, ctx, count, &REPLACE, NULL,
                              error) == SHARDSPEC_BUSY);
  CHECK(shardspec_op_is_registered("chunk", "self", &has, error) == SHARDSPEC_OK && has == 1);
  return shardspec_op_unregister(self, error);
}

/* A call that lasts until it is told to end. */
typedef struct slow {
  int running, go_on, ended, destroyed;
} slow;

static inline shardspec_status slow_call(void *ctx, const shardspec_spec *given,
                                  const shardspec_op_arguments *arguments, shardspec_value *results,
                                  size_t result_count, shardspec_error *error) {
  slow *s = (slow *)ctx;
  (void)given, (void)arguments, (void)results, (void)result_count, (void)error;
  CHECK_EQUAL(load(&s->destroyed), 0);
  count(&s->running);
  while (!load(&s->go_on)) sleep_ms(1);
  CHECK_EQUAL(load(&s->destroyed), 0);
  count(&s->ended);
  return SHARDSPEC_OK;
}

static inline void slow_destroy(void *ctx) {
  slow *s = (slow *)ctx;
  CHECK_EQUAL(load(&s->ended), load(&s->running));
  count(&s->destroyed);
}

static inline void *call_slow(void *name) {
  CHECK_EQUAL(dispatch((const char *)name), SHARDSPEC_OK);
  return NULL;
}

#endif
