/* When ops end: what may be done from inside of them, who waits for whom, and when `destroy` runs.
 * Each sentence of the header about it has a test here. */
#include "op_threads.h"

static int calls;

/* Two threads in step: each waits for the other. */
static pthread_barrier_t both;

static void meet(void) {
  int result = pthread_barrier_wait(&both);
  CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
}

static void destroy_runs_once_whatever_becomes_of_the_registration(void) {
  int first = 0, others = 0;
  shardspec_op *op, *untouched = NULL;
  CHECK_OK(shardspec_op_register("chunk", "once", count_call, &first, count, NULL, &op, &err));
  const shardspec_op_options unknown = {sizeof unknown, 2, 0}, success = {sizeof success, 0, 997};
#define FAILS(status, type, name, function, options)                                               \
  CHECK_STATUS(shardspec_op_register(type, name, function, &others, count, options, &untouched,    \
                                     &err),                                                        \
               SHARDSPEC_##status)
  FAILS(ALREADY_EXISTS, "chunk", "once", count_call, NULL);
  CHECK_MESSAGE("'once'");
  CHECK_MESSAGE("'chunk'");
  FAILS(INVALID_ARGUMENT, "", "once", count_call, NULL);
  FAILS(INVALID_ARGUMENT, "chunk", "a\tb", count_call, NULL);
  FAILS(INVALID_ARGUMENT, "chunk", "\xff", count_call, NULL);
  FAILS(INVALID_ARGUMENT, "chunk", "new", count_call, &unknown);
  FAILS(INVALID_ARGUMENT, "chunk", "new", count_call, &success);
  CHECK_MESSAGE("success_status");
  FAILS(NULL_ARGUMENT, NULL, "new", count_call, NULL);
  FAILS(NULL_ARGUMENT, "chunk", NULL, count_call, NULL);
  FAILS(NULL_ARGUMENT, "chunk", "new", NULL, NULL);
  CHECK_EQUAL(others, 9);
  shardspec_error small = SHARDSPEC_ERROR_INIT;
  small.struct_size = 8;
  CHECK(shardspec_op_register("chunk", "new", count_call, &others, count, NULL, NULL, &small) ==
        SHARDSPEC_INVALID_ARGUMENT);
  CHECK(shardspec_op_register("chunk", "new", count_call, &others, count, NULL,
                              (shardspec_op **)(void *)((char *)&untouched + 1), NULL) ==
        SHARDSPEC_INVALID_ARGUMENT);
  CHECK_EQUAL(others, 11);
  CHECK(untouched == NULL && first == 0 && dispatch("new") == SHARDSPEC_NOT_FOUND);
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_EQUAL(first, 1);
  CHECK_STATUS(shardspec_op_unregister(op, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_EQUAL(first, 1);
  /* And without a `destroy`, and without a place for the op. */
  CHECK_OK(shardspec_op_register("chunk", "once", count_call, &first, NULL, NULL, NULL, &err));
  CHECK_OK(shardspec_op_look_up("chunk", "once", &op, &err));
  CHECK_OK(shardspec_op_unregister(op, &err));
}

/* Threads that use a handle whose slot is used again have no say in when that ends, and where. */
static struct {
  shardspec_op *op;
  shardspec_spec *spec;
  int done;
} stale;
static pthread_t registering;

static void *use_stale_handles(void *unused) {
  size_t count;
  while (!load(&stale.done)) {
    CHECK(shardspec_op_call(stale.op, spec, &one_tensor, NULL, 0, NULL) == SHARDSPEC_INVALID_HANDLE);
    CHECK(shardspec_spec_shard_count(stale.spec, &count, NULL) == SHARDSPEC_INVALID_HANDLE);
  }
  return unused;
}

static void count_here(void *ctx) {
  CHECK(pthread_equal(pthread_self(), registering));
  ++*(int *)ctx;
}

static void destroy_is_over_before_a_failing_registration_returns(void) {
  enum { TURNS = 20000 };
  shardspec_spec_vtable vtable = {sizeof vtable, count_here, no_metadata, NULL, NULL, NULL, 0, 0};
  shardspec_op *there = register_op("chunk", "there", count_call, &calls);
  pthread_t threads[2];
  int ended = 0;
  registering = pthread_self();
  stale.op = register_op("chunk", "stale", count_call, &calls);
  CHECK_OK(shardspec_op_unregister(stale.op, &err));
  CHECK_OK(shardspec_spec_new_custom("test.stale", &vtable, &ended, &stale.spec, &err));
  CHECK_OK(shardspec_spec_free(stale.spec, &err));
  for (size_t i = 0; i < COUNT(threads); i++)
    CHECK(pthread_create(&threads[i], NULL, use_stale_handles, NULL) == 0);
  for (int turn = 1; turn <= TURNS; turn++) {
    shardspec_spec *own;
    CHECK(shardspec_op_register("chunk", "there", count_call, &ended, count_here, NULL, NULL, NULL) ==
          SHARDSPEC_ALREADY_EXISTS);
    CHECK_EQUAL(ended, 2 * turn);
    CHECK(shardspec_spec_new_custom("test.stale", &vtable, &ended, &own, NULL) == SHARDSPEC_OK);
    CHECK(shardspec_spec_free(own, NULL) == SHARDSPEC_OK);
    CHECK_EQUAL(ended, 2 * turn + 1);
  }
  count(&stale.done);
  for (size_t i = 0; i < COUNT(threads); i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK_OK(shardspec_op_unregister(there, &err));
}

static void an_op_that_ended_is_refused_for_ever(void) {
  shardspec_op *op = register_op("chunk", "again", count_call, &calls), *next;
  calls = 0;
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK(dispatch("again") == SHARDSPEC_NOT_FOUND);
  for (int i = 0; i < 100; i++) {
    next = register_op("chunk", "again", count_call, &calls);
    CHECK(next != op);
    CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err), SHARDSPEC_INVALID_HANDLE);
    CHECK_OK(shardspec_op_unregister(next, &err));
  }
  CHECK_EQUAL(calls, 0);
}

static void replacing_ends_the_old_op_and_leaves_no_gap(void) {
  int old_calls = 0, new_calls = 0;
  shardspec_op *old, *new;
  calls = 0;
  CHECK_OK(shardspec_op_register("chunk", "swap", count_call, &old_calls, count, &REPLACE,
                                 &old, &err));
  CHECK(dispatch("swap") == SHARDSPEC_OK && old_calls == 1);
  CHECK_OK(shardspec_op_register("chunk", "swap", count_call, &new_calls, count, &REPLACE,
                                 &new, &err));
  CHECK_EQUAL(old_calls, 2); /* one call, and its end */
  CHECK(dispatch("swap") == SHARDSPEC_OK && new_calls == 1 && old_calls == 2);
  CHECK_STATUS(shardspec_op_call(old, spec, &one_tensor, NULL, 0, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_STATUS(shardspec_op_unregister(old, &err), SHARDSPEC_INVALID_HANDLE);
  CHECK_OK(shardspec_op_unregister(new, &err));
  CHECK_EQUAL(new_calls, 2);
}

/* Does from inside whatever an op may do. */
static shardspec_status busy_inside(void *ctx, const shardspec_spec *given,
                                    const shardspec_op_arguments *arguments, shardspec_value *results,
                                    size_t result_count, shardspec_error *error) {
  int *depth = (int *)ctx, ended = 0;
  shardspec_op *self, *other;
  shardspec_spec *own_spec;
  size_t needed;
  (void)arguments, (void)results, (void)result_count;
  CHECK(shardspec_op_look_up("chunk", "inside", &self, error) == SHARDSPEC_OK);
  if (++*depth < 20) CHECK(shardspec_op_call(self, given, &one_tensor, NULL, 0, error) == SHARDSPEC_OK);
  --*depth;
  CHECK(shardspec_op_register("chunk", "from inside", count_call, &ended, count, NULL, &other, error) ==
        SHARDSPEC_OK);
  CHECK(shardspec_op_dispatch(given, "from inside", &one_tensor, NULL, 0, error) == SHARDSPEC_OK);
  CHECK(shardspec_op_register("chunk", "from inside", count_call, &ended, NULL, &REPLACE,
                              &other, error) == SHARDSPEC_OK);
  CHECK_EQUAL(ended, 2);
  CHECK(shardspec_op_list(NULL, 0, &needed, error) == SHARDSPEC_OK);
  CHECK(shardspec_op_unregister(other, error) == SHARDSPEC_OK);
  CHECK(shardspec_spec_new_chunk(0, (const char *const[]){"rank:0"}, 1, &own_spec, error) == SHARDSPEC_OK);
  CHECK(shardspec_spec_free(own_spec, error) == SHARDSPEC_OK);
  return SHARDSPEC_OK;
}

static void an_op_may_call_anything_itself_included(void) {
  int depth = 0;
  shardspec_op *op = register_op("chunk", "inside", busy_inside, &depth);
  CHECK_OK(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err));
  CHECK_EQUAL(depth, 0);
  CHECK_OK(shardspec_op_unregister(op, &err));
}

/* Frees what it was given. */
static shardspec_status free_arguments(void *ctx, const shardspec_spec *given,
                                       const shardspec_op_arguments *arguments, shardspec_value *results,
                                       size_t result_count, shardspec_error *error) {
  shardspec_sharded_tensor *own = (shardspec_sharded_tensor *)arguments->args[0].pointer;
  (void)ctx, (void)results, (void)result_count;
  CHECK(shardspec_sharded_tensor_free(own, error) == SHARDSPEC_OK);
  CHECK(shardspec_spec_free((shardspec_spec *)(uintptr_t)given, error) == SHARDSPEC_OK);
  return shardspec_sharded_tensor_free(own, error);
}

static void handles_may_be_freed_from_inside(void) {
  static const char *const ranks[] = {"rank:0"};
  shardspec_op *op = register_op("chunk", "free", free_arguments, NULL);
  shardspec_spec *own_spec;
  shardspec_sharded_tensor *own;
  for (int by_name = 0; by_name < 2; by_name++) {
    CHECK_OK(shardspec_spec_new_chunk(0, ranks, 1, &own_spec, &err));
    CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, 1, &own, &err));
    shardspec_value value = sharded(own);
    shardspec_op_arguments arguments = {sizeof arguments, &value, 1, NULL, NULL, 0, NULL};
    /* Its last answer is that of freeing twice. */
    if (by_name)
      CHECK_STATUS(shardspec_op_dispatch(own_spec, "free", &arguments, NULL, 0, &err),
                   SHARDSPEC_INVALID_HANDLE);
    else
      CHECK_STATUS(shardspec_op_call(op, own_spec, &arguments, NULL, 0, &err), SHARDSPEC_INVALID_HANDLE);
    CHECK_STATUS(shardspec_spec_free(own_spec, &err), SHARDSPEC_INVALID_HANDLE);
  }
  CHECK_OK(shardspec_op_unregister(op, &err));
}

static void an_op_can_not_end_itself_and_is_told_so(void) {
  int ended = 0;
  shardspec_op *op;
  CHECK_OK(shardspec_op_register("chunk", "self", end_self, &ended, count, NULL, &op, &err));
  CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err), SHARDSPEC_BUSY);
  CHECK_MESSAGE("'self'");
  CHECK_EQUAL(ended, 1); /* that of the op which did not replace it */
  CHECK(dispatch("self") == SHARDSPEC_BUSY && ended == 2);
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_EQUAL(ended, 3);
}

static void *let_go(void *ctx) {
  sleep_ms(30);
  count(&((slow *)ctx)->go_on);
  return NULL;
}

static void ending_an_op_waits_for_the_calls_of_others(void) {
  enum { THREADS = 3 };
  for (int replace = 0; replace < 2; replace++) {
    slow s = {0, 0, 0, 0};
    pthread_t threads[THREADS], helper;
    shardspec_op *op;
    CHECK_OK(shardspec_op_register("chunk", "slow", slow_call, &s, slow_destroy, NULL, &op, &err));
    for (int i = 0; i < THREADS; i++)
      CHECK(pthread_create(&threads[i], NULL, call_slow, (void *)(uintptr_t)"slow") == 0);
    while (load(&s.running) < THREADS) sleep_ms(1);
    CHECK(pthread_create(&helper, NULL, let_go, &s) == 0);
    if (replace)
      CHECK_OK(shardspec_op_register("chunk", "slow", count_call, &calls, NULL, &REPLACE,
                                     &op, &err));
    else
      CHECK_OK(shardspec_op_unregister(op, &err));
    CHECK(load(&s.ended) == THREADS && load(&s.destroyed) == 1);
    CHECK_EQUAL(dispatch("slow"), replace ? SHARDSPEC_OK : SHARDSPEC_NOT_FOUND);
    if (replace) CHECK_OK(shardspec_op_unregister(op, &err));
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(pthread_join(helper, NULL) == 0);
    CHECK(load(&s.running) == THREADS && load(&s.destroyed) == 1);
  }
}

/* Two ops that are both inside at the same time, and each ends the other. */
static shardspec_op *pair[2];
static shardspec_status answers[2];

static shardspec_status end_other(void *ctx, const shardspec_spec *given,
                                  const shardspec_op_arguments *arguments, shardspec_value *results,
                                  size_t result_count, shardspec_error *error) {
  int self = ctx == &pair[1];
  (void)given, (void)arguments, (void)results, (void)result_count;
  meet();
  answers[self] = shardspec_op_unregister(pair[!self], error);
  meet();
  return SHARDSPEC_OK;
}

static void *call_first(void *unused) {
  CHECK_EQUAL(shardspec_op_call(pair[0], spec, &one_tensor, NULL, 0, NULL), SHARDSPEC_OK);
  return unused;
}

static void two_threads_that_end_each_others_op_do_not_hang(void) {
  for (int round = 0; round < 100; round++) {
    pthread_t thread;
    pair[0] = register_op("chunk", "one", end_other, &pair[0]);
    pair[1] = register_op("chunk", "two", end_other, &pair[1]);
    CHECK(pthread_create(&thread, NULL, call_first, NULL) == 0);
    CHECK_OK(shardspec_op_call(pair[1], spec, &one_tensor, NULL, 0, &err));
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(answers[0] == SHARDSPEC_BUSY && answers[1] == SHARDSPEC_BUSY);
    for (int i = 0; i < 2; i++) CHECK_OK(shardspec_op_unregister(pair[i], &err));
  }
}

/* The same without meeting inside: whoever comes first ends the other, or both are busy, or one finds
 * the other gone. */
static shardspec_status race_other(void *ctx, const shardspec_spec *given,
                                   const shardspec_op_arguments *arguments, shardspec_value *results,
                                   size_t result_count, shardspec_error *error) {
  int self = ctx == &pair[1];
  (void)given, (void)arguments, (void)results, (void)result_count;
  shardspec_status status = shardspec_op_unregister(pair[!self], error);
  CHECK(status == SHARDSPEC_OK || status == SHARDSPEC_BUSY || status == SHARDSPEC_INVALID_HANDLE);
  if (status == SHARDSPEC_OK) count(&calls);
  return SHARDSPEC_OK;
}

static void *race_first(void *unused) {
  meet();
  shardspec_status status = shardspec_op_call(pair[0], spec, &one_tensor, NULL, 0, NULL);
  CHECK(status == SHARDSPEC_OK || status == SHARDSPEC_INVALID_HANDLE);
  return unused;
}

static void threads_that_race_to_end_each_others_op_do_not_hang(void) {
  for (int round = 0; round < 2000; round++) {
    pthread_t thread;
    int ended = 0;
    calls = 0;
    for (int i = 0; i < 2; i++)
      CHECK_OK(shardspec_op_register("chunk", i ? "two" : "one", race_other, &pair[i], NULL, NULL, &pair[i], &err));
    CHECK(pthread_create(&thread, NULL, race_first, NULL) == 0);
    meet();
    shardspec_status status = shardspec_op_call(pair[1], spec, &one_tensor, NULL, 0, NULL);
    CHECK(status == SHARDSPEC_OK || status == SHARDSPEC_INVALID_HANDLE);
    CHECK(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < 2; i++) ended += shardspec_op_unregister(pair[i], NULL) == SHARDSPEC_OK;
    CHECK_EQUAL(ended + calls, 2);
  }
}

/* From inside of an op, another one is ended if no call of it runs, and else not waited for. */
static shardspec_status end_named(void *ctx, const shardspec_spec *given,
                                  const shardspec_op_arguments *arguments, shardspec_value *results,
                                  size_t result_count, shardspec_error *error) {
  shardspec_op *other;
  (void)given, (void)arguments, (void)results, (void)result_count;
  CHECK(shardspec_op_look_up("chunk", (const char *)ctx, &other, error) == SHARDSPEC_OK);
  return shardspec_op_unregister(other, error);
}

static void a_thread_inside_of_an_op_waits_for_no_other(void) {
  slow s = {0, 0, 0, 0};
  pthread_t thread;
  shardspec_op *end = register_op("chunk", "end", end_named, (void *)(uintptr_t)"other");
  CHECK_OK(shardspec_op_register("chunk", "other", slow_call, &s, slow_destroy, NULL, NULL, &err));
  CHECK(pthread_create(&thread, NULL, call_slow, (void *)(uintptr_t)"other") == 0);
  while (!load(&s.running)) sleep_ms(1);
  CHECK_STATUS(shardspec_op_call(end, spec, &one_tensor, NULL, 0, &err), SHARDSPEC_BUSY);
  CHECK(load(&s.destroyed) == 0 && load(&s.ended) == 0);
  count(&s.go_on);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(shardspec_op_call(end, spec, &one_tensor, NULL, 0, &err));
  CHECK_EQUAL(load(&s.destroyed), 1);
  CHECK_OK(shardspec_op_unregister(end, &err));
}

/* A `destroy` that ends another op, and registers one more. */
static void destroy_uses_the_library(void *ctx) {
  shardspec_op *other;
  count(ctx);
  CHECK(shardspec_op_look_up("chunk", "last", &other, NULL) == SHARDSPEC_OK);
  CHECK(shardspec_op_unregister(other, NULL) == SHARDSPEC_OK);
  CHECK(shardspec_op_register("chunk", "first", count_call, &calls, NULL, NULL, NULL, NULL) == SHARDSPEC_OK);
}

static void destroy_may_call_the_library(void) {
  int first = 0, last = 0;
  shardspec_op *op;
  CHECK_OK(shardspec_op_register("chunk", "first", count_call, &first, destroy_uses_the_library, NULL, &op, &err));
  CHECK_OK(shardspec_op_register("chunk", "last", count_call, &last, count, NULL, NULL, &err));
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK(first == 1 && last == 1 && dispatch("last") == SHARDSPEC_NOT_FOUND);
  CHECK_OK(shardspec_op_look_up("chunk", "first", &op, &err));
  CHECK_OK(shardspec_op_unregister(op, &err));
}

int main(void) {
  alarm(120); /* a deadlock fails instead of hanging */
  CHECK(pthread_barrier_init(&both, NULL, 2) == 0);
  set_up();
  destroy_runs_once_whatever_becomes_of_the_registration();
  destroy_is_over_before_a_failing_registration_returns();
  an_op_that_ended_is_refused_for_ever();
  replacing_ends_the_old_op_and_leaves_no_gap();
  an_op_may_call_anything_itself_included();
  handles_may_be_freed_from_inside();
  an_op_can_not_end_itself_and_is_told_so();
  ending_an_op_waits_for_the_calls_of_others();
  two_threads_that_end_each_others_op_do_not_hang();
  threads_that_race_to_end_each_others_op_do_not_hang();
  a_thread_inside_of_an_op_waits_for_no_other();
  destroy_may_call_the_library();
  tear_down();
  CHECK(pthread_barrier_destroy(&both) == 0);
  return 0;
}
