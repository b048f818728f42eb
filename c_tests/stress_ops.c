/* Threads that register, dispatch, look up, call, replace and unregister ops at random, also from inside
 * of ops, and make, share and free the handles that they call them with. Every `destroy` must run once
 * and after the last call, no call may find its `ctx` ended, and nobody may hang.
 *
 * stress_ops [SECONDS], 2 by default. */
#define _POSIX_C_SOURCE 200809L
#include "check.h"
#include "lists.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 16, NAMES = 12, CONTEXTS = 1 << 16, SHARED = 16, DEEPEST = 3 };

#define ADD(number, by) __atomic_add_fetch(&(number), by, __ATOMIC_SEQ_CST)
#define LOAD(number) __atomic_load_n(&(number), __ATOMIC_SEQ_CST)
#define STORE(number, value) __atomic_store_n(&(number), value, __ATOMIC_SEQ_CST)

/* What an op is given. Reused long after it ended, so a late call finds it ended. */
enum { ENDED, ALIVE };
typedef struct context {
  int state, running, ends;
} context;

static context contexts[CONTEXTS];
static size_t next_context;
static long made, ended, calls, refused, busy;
static int stop;

static const char *const TYPES[] = {"chunk", "enumerable", "acme.grid"};
static shardspec_metadata *metadata;
static shardspec_spec *specs[SHARED];
static shardspec_sharded_tensor *tensors[SHARED];

static __thread uint64_t seed;
static __thread int depth;

static uint64_t draw(uint64_t below) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (seed >> 11) % below;
}

static void some_turn(void);

static shardspec_status op(void *ctx, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
                           shardspec_value *results, size_t result_count, shardspec_error *error) {
  context *c = (context *)ctx;
  (void)spec, (void)arguments, (void)error;
  ADD(c->running, 1);
  CHECK_EQUAL(LOAD(c->state), ALIVE);
  ADD(calls, 1);
  if (depth < DEEPEST && draw(4) == 0) {
    depth++;
    some_turn();
    depth--;
  }
  for (size_t i = 0; i < result_count; i++) results[i].kind = SHARDSPEC_VALUE_BOOL;
  CHECK_EQUAL(LOAD(c->state), ALIVE);
  ADD(c->running, -1);
  return draw(8) ? SHARDSPEC_OK : SHARDSPEC_USER_STATUS;
}

static void end(void *ctx) {
  context *c = (context *)ctx;
  CHECK_EQUAL(LOAD(c->running), 0);
  CHECK_EQUAL(__atomic_exchange_n(&c->state, ENDED, __ATOMIC_SEQ_CST), ALIVE);
  ADD(c->ends, 1);
  ADD(ended, 1);
}

static context *begin(void) {
  for (;;) {
    context *c = &contexts[ADD(next_context, 1) % CONTEXTS];
    int expected = ENDED;
    if (__atomic_compare_exchange_n(&c->state, &expected, ALIVE, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
      ADD(made, 1);
      return c;
    }
  }
}

static const char *some_name(void) {
  static const char *const names[NAMES] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
  return names[draw(NAMES)];
}

static void count_answer(shardspec_status status) {
  switch (status) {
  case SHARDSPEC_OK:
  case SHARDSPEC_USER_STATUS: return;
  case SHARDSPEC_BUSY: ADD(busy, 1); return;
  case SHARDSPEC_ALREADY_EXISTS:
  case SHARDSPEC_NOT_FOUND:
  case SHARDSPEC_INVALID_HANDLE:
  case SHARDSPEC_NULL_ARGUMENT:
  case SHARDSPEC_WRONG_SPEC_TYPE: ADD(refused, 1); return;
  default: FAIL("unexpected status %d", (int)status);
  }
}

static void make_and_share(size_t at) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t offsets[] = {0}, sizes[] = {4};
  shardspec_shard_metadata shard = {1, offsets, sizes, "rank:0"};
  shardspec_sharded_tensor *tensor;
  shardspec_spec *spec;
  if (draw(2)) CHECK(shardspec_spec_new_chunk(0, ranks, 2, &spec, NULL) == SHARDSPEC_OK);
  else CHECK(enumerable_of(&shard, 1, &spec, NULL) == SHARDSPEC_OK);
  CHECK(shardspec_sharded_tensor_new(metadata, NULL, 1, &tensor, NULL) == SHARDSPEC_OK);
  spec = __atomic_exchange_n(&specs[at], spec, __ATOMIC_SEQ_CST);
  tensor = __atomic_exchange_n(&tensors[at], tensor, __ATOMIC_SEQ_CST);
  /* Whoever took them out of the array frees them, once, while others use them. */
  CHECK(shardspec_spec_free(spec, NULL) == SHARDSPEC_OK);
  CHECK(shardspec_sharded_tensor_free(tensor, NULL) == SHARDSPEC_OK);
}

static void register_one(uint32_t flags) {
  context *c = begin();
  int ends = LOAD(c->ends);
  shardspec_op *own;
  shardspec_op_options options = {sizeof options, flags, 0};
  shardspec_status status =
      shardspec_op_register(TYPES[draw(COUNT(TYPES))], some_name(), op, c, end, &options, &own, NULL);
  count_answer(status);
  if (status != SHARDSPEC_OK) return;
  if (draw(2) == 0) {
    status = shardspec_op_unregister(own, NULL);
    count_answer(status);
    if (status == SHARDSPEC_OK) CHECK(LOAD(c->ends) > ends);
    shardspec_error err = SHARDSPEC_ERROR_INIT;
    if (status != SHARDSPEC_BUSY)
      CHECK_STATUS(shardspec_op_unregister(own, &err), SHARDSPEC_INVALID_HANDLE);
  }
}

static void some_turn(void) {
  size_t at = draw(SHARED);
  shardspec_value value = {SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, LOAD(tensors[draw(SHARED)])};
  shardspec_op_arguments arguments = {sizeof arguments, &value, 1, NULL, NULL, 0, NULL};
  shardspec_value results[6];
  shardspec_spec *spec = LOAD(specs[at]);
  shardspec_op *found = NULL;
  char list[1024];
  switch (draw(12)) {
  case 0: make_and_share(at); break;
  case 1: register_one(0); break;
  case 2: register_one(SHARDSPEC_OP_FLAG_REPLACE); break;
  case 3:
    count_answer(shardspec_op_look_up(TYPES[draw(COUNT(TYPES))], some_name(), &found, NULL));
    count_answer(shardspec_op_unregister(found, NULL));
    break;
  case 4: CHECK(shardspec_op_list(list, sizeof list, NULL, NULL) == SHARDSPEC_OK); break;
  case 5:
  case 6:
  case 7:
    count_answer(shardspec_op_look_up(draw(2) ? "chunk" : "enumerable", some_name(), &found, NULL));
    for (int i = 0; i < 20; i++) count_answer(shardspec_op_call(found, spec, &arguments, results, 6, NULL));
    break;
  default: count_answer(shardspec_op_dispatch(spec, some_name(), &arguments, results, 1, NULL));
  }
}

static void *work(void *number) {
  seed = 88172645463325252u + (uintptr_t)number * 0x9e3779b97f4a7c15u;
  while (!LOAD(stop))
    for (int i = 0; i < 100; i++) some_turn();
  return NULL;
}

int main(int argc, char **argv) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {4};
  unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 2;
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  pthread_t threads[THREADS];
  struct timespec time = {seconds, 0};
  alarm(seconds * 10 + 60); /* a deadlock fails instead of hanging */
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  for (size_t i = 0; i < SHARED; i++) {
    CHECK_OK(shardspec_spec_new_chunk(0, ranks, 2, &specs[i], &err));
    if (i == 0) CHECK_OK(shardspec_spec_build_metadata(specs[0], sizes, 1, &properties, &metadata, &err));
    CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, 1, &tensors[i], &err));
  }
  for (uintptr_t i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(i + 1)) == 0);
  nanosleep(&time, NULL);
  STORE(stop, 1);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);

  /* Nothing runs any more: each op that is left ends now. */
  char list[1024];
  CHECK_OK(shardspec_op_list(list, sizeof list, NULL, &err));
  for (char *type = strtok(list, "\t"); type; type = strtok(NULL, "\t")) {
    shardspec_op *found;
    CHECK_OK(shardspec_op_look_up(type, strtok(NULL, "\n"), &found, &err));
    CHECK_OK(shardspec_op_unregister(found, &err));
  }
  for (size_t i = 0; i < SHARED; i++) {
    CHECK_OK(shardspec_spec_free(specs[i], &err));
    CHECK_OK(shardspec_sharded_tensor_free(tensors[i], &err));
  }
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  printf("%u s: %ld ops registered or refused, %ld ended; %ld calls; %ld refusals, %ld busy\n", seconds,
         made, ended, calls, refused, busy);
  CHECK_EQUAL(made, ended);
  CHECK(calls > 0 && refused > 0);
  return 0;
}
