/* Threads that end inside of a callback, by themselves or because another cancels them: the stack is
 * unwound through the library, which gives back everything that the calls on it owned. */
#define _DEFAULT_SOURCE
#include "op_threads.h"

static char ended[] = "ended";

/* How callbacks leave, and which of them does: others do what they should. */
enum { RETURNS, EXITS, IS_CANCELLED };
enum { IN_OP = 1, IN_BUILD, IN_SHARD, IN_EXCHANGE, IN_DESTROY, IN_EQUAL, IN_HASH, IN_ENTER, IN_ENTERED, PLACES };
static int how;
static int in;

static int callbacks_left, callers_left, destroyed, inside;

static void leave(int place) {
  if (place != in) return;
  count(&inside);
  pthread_cleanup_push(count, &callbacks_left);
  if (how == EXITS) pthread_exit(ended);
  while (how == IS_CANCELLED) usleep(1000);
  pthread_cleanup_pop(0);
}

static void destroy(void *ctx) {
  (void)ctx;
  count(&destroyed);
  leave(IN_DESTROY);
}

static shardspec_status run_op(void *ctx, const shardspec_spec *given, const shardspec_op_arguments *arguments,
                               shardspec_value *results, size_t result_count, shardspec_error *error) {
  (void)ctx, (void)given, (void)arguments, (void)results, (void)result_count, (void)error;
  leave(IN_OP);
  return SHARDSPEC_OK;
}

static shardspec_status build(void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
                              const shardspec_tensor_properties *properties, shardspec_metadata_builder *builder,
                              shardspec_error *error) {
  static const int64_t offsets[2];
  (void)ctx, (void)dim_names, (void)properties;
  CHECK(shardspec_metadata_builder_add_shard(builder, offsets, sizes, ndim, "rank:0", error) == SHARDSPEC_OK);
  leave(IN_BUILD);
  return SHARDSPEC_OK;
}

static shardspec_status fill(void *ctx, const shardspec_metadata *of, size_t index, const shardspec_tensor_view *full,
                             const shardspec_tensor_view *shard, const shardspec_copy_options *options,
                             shardspec_error *error) {
  (void)ctx, (void)of, (void)index, (void)full, (void)shard, (void)options, (void)error;
  leave(IN_SHARD);
  return SHARDSPEC_OK;
}

static shardspec_status exchange(void *ctx, const shardspec_message *sends, size_t send_count,
                                 const shardspec_message *receives, size_t receive_count, shardspec_error *error) {
  (void)ctx, (void)sends, (void)send_count, (void)receives, (void)receive_count, (void)error;
  leave(IN_EXCHANGE);
  return SHARDSPEC_OK;
}

static int32_t equal(void *ctx, void *other) {
  (void)ctx, (void)other;
  leave(IN_EQUAL);
  return 1;
}

static uint64_t hash(void *ctx) {
  (void)ctx;
  leave(IN_HASH);
  return 7;
}

static int32_t enter(void) {
  leave(IN_ENTER);
  return 1;
}

static void destroy_entered(void *ctx) {
  (void)ctx;
  leave(IN_ENTERED);
}

static int entered_and_left;
static void leave_runtime(int32_t state) {
  CHECK(state == 1);
  count(&entered_and_left);
}

static const shardspec_spec_vtable VTABLE = {sizeof(shardspec_spec_vtable), destroy, build, fill, equal, hash, 0, 0};

/* Calls everything that calls back, once. What it makes is freed by whoever finds it here. */
static shardspec_op *op;
static shardspec_spec *own[2];
static shardspec_metadata *built;
static shardspec_comm *comm;
static shardspec_error seen = SHARDSPEC_ERROR_INIT;

static void call_everything(void) {
  static const int64_t sizes[] = {4, 3};
  static const shardspec_comm_vtable transport = {
      .struct_size = sizeof transport, .destroy = destroy, .exchange = exchange};
  static shardspec_runtime_ctx entered = {sizeof entered, enter, destroy_entered, NULL, leave_runtime};
  float data[12] = {0}, part[6];
  int64_t shape[] = {4, 3}, part_shape[] = {2, 3};
  shardspec_tensor_view full = view_of(data, FLOAT32, shape, 2), shard = view_of(part, FLOAT32, part_shape, 2);
  char byte = 0;
  shardspec_message message = {1, &byte, 1};
  shardspec_placement *placement;
  int32_t equals;
  uint64_t hashed;
  CHECK(shardspec_op_register("chunk", "ends", run_op, NULL, destroy, NULL, &op, &seen) == SHARDSPEC_OK);
  for (int i = 0; i < 2; i++)
    CHECK(shardspec_spec_new_custom("test.ends", &VTABLE, NULL, &own[i], &seen) == SHARDSPEC_OK);
  CHECK(shardspec_comm_new(&transport, NULL, 0, 2, &comm, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_placement_new_custom("test.place", "here", 0, NULL, NULL, &placement, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_placement_free(placement, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_op_dispatch(spec, "ends", &one_tensor, NULL, 0, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_spec_build_metadata(own[0], sizes, 2, NULL, &built, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_spec_fill_shard(own[0], metadata, 0, &full, &shard, NULL, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_comm_exchange(comm, &message, 1, &message, 1, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_spec_equal(own[0], own[1], &equals, &seen) == SHARDSPEC_OK && equals == 1);
  CHECK(shardspec_spec_hash(own[0], &hashed, &seen) == SHARDSPEC_OK);
  shardspec_runtime_ctx_destroy(&entered);
  /* A failing registration ends its context before it returns. */
  CHECK(shardspec_op_register("chunk", "ends", run_op, NULL, destroy, NULL, NULL, &seen) == SHARDSPEC_ALREADY_EXISTS);
}

static void *call_in_thread(void *unused) {
  pthread_cleanup_push(count, &callers_left);
  call_everything();
  pthread_cleanup_pop(0);
  return unused;
}

/* Frees everything that was made. What was called when the thread ended is in use no more. */
static void free_everything(void) {
  int before = destroyed, made = (op != NULL) + (own[0] != NULL) + (own[1] != NULL) + (comm != NULL);
  if (op != NULL) CHECK_OK(shardspec_op_unregister(op, &err));
  for (int i = 0; i < 2; i++)
    if (own[i] != NULL) CHECK_OK(shardspec_spec_free(own[i], &err));
  if (built != NULL) CHECK_OK(shardspec_metadata_free(built, &err));
  if (comm != NULL) CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_EQUAL(destroyed - before, made);
  op = NULL, own[0] = own[1] = NULL, built = NULL, comm = NULL;
}

static void a_thread_may_end_in_any_callback(void) {
  for (how = EXITS; how <= IS_CANCELLED; how++)
    for (in = IN_OP; in < PLACES; in++)
      for (int turn = 0; turn < 3; turn++) {
        pthread_t thread;
        void *result;
        inside = callbacks_left = callers_left = destroyed = entered_and_left = 0;
        CHECK(pthread_create(&thread, NULL, call_in_thread, NULL) == 0);
        if (how == IS_CANCELLED) {
          while (!load(&inside)) sleep_ms(1);
          CHECK(pthread_cancel(thread) == 0);
        }
        CHECK(pthread_join(thread, &result) == 0);
        CHECK(result == (how == EXITS ? (void *)ended : PTHREAD_CANCELED));
        CHECK_EQUAL(inside, 1);
        CHECK_EQUAL(callbacks_left, 1);
        CHECK_EQUAL(callers_left, 1);
        CHECK_EQUAL(entered_and_left, in == IN_ENTERED || in == IN_DESTROY);
        int place = in;
        in = 0;
        free_everything();
        /* And the library is as it was. */
        destroyed = 0;
        how += 10;
        call_everything();
        free_everything();
        how -= 10;
        in = place;
      }
}

/* An op that calls an op that calls an op, the last of which ends the thread. */
static int depth;
static shardspec_status go_deeper(void *ctx, const shardspec_spec *given, const shardspec_op_arguments *arguments,
                                  shardspec_value *results, size_t result_count, shardspec_error *error) {
  shardspec_status status;
  (void)ctx, (void)results, (void)result_count;
  pthread_cleanup_push(count, &callbacks_left);
  if (++depth == 20) pthread_exit(ended);
  status = shardspec_op_dispatch(given, "deep", arguments, NULL, 0, error);
  pthread_cleanup_pop(0);
  return status;
}

static void *dispatch_deep(void *unused) {
  CHECK(dispatch("deep") == SHARDSPEC_OK);
  return unused;
}

static void calls_inside_of_calls_are_all_left(void) {
  shardspec_op *deep = register_op("chunk", "deep", go_deeper, NULL);
  pthread_t thread;
  void *result;
  callbacks_left = 0;
  CHECK(pthread_create(&thread, NULL, dispatch_deep, NULL) == 0);
  CHECK(pthread_join(thread, &result) == 0 && result == ended);
  CHECK_EQUAL(callbacks_left, 20);
  CHECK_OK(shardspec_op_unregister(deep, &err));
}

/* A gather between two ranks, one of which ends in its n-th exchange while a thread copies for it. */
enum { ROWS = 1024, COLUMNS = 1024 };
static shardspec_comm *inner[2];
static int countdown;
static shardspec_metadata *halves;

static shardspec_status count_down(void *ctx, const shardspec_message *sends, size_t send_count,
                                   const shardspec_message *receives, size_t receive_count, shardspec_error *error) {
  if (ctx == &inner[0] && countdown-- == 0) pthread_exit(ended);
  return shardspec_comm_exchange(*(shardspec_comm **)ctx, sends, send_count, receives, receive_count, error);
}

static void end_both(void *ctx, const char *reason) {
  CHECK(shardspec_comm_abort(*(shardspec_comm **)ctx, reason, NULL) == SHARDSPEC_OK);
}

static void *gather(void *rank) {
  static float data[2][ROWS * COLUMNS];
  int64_t r = *(int64_t *)rank, shape[] = {ROWS, COLUMNS / 2}, full_shape[] = {ROWS, COLUMNS};
  shardspec_comm_vtable transport = {
      .struct_size = sizeof transport, .exchange = count_down, .abort = end_both};
  shardspec_copy_options copy = {sizeof copy, 2, 0};
  shardspec_comm_options options = {sizeof options, 1 << 18, &copy};
  float *part = malloc(sizeof *part * ROWS * COLUMNS / 2);
  shardspec_comm *wrapped;
  shardspec_status status;
  CHECK(part != NULL && shardspec_comm_new(&transport, &inner[r], r, 2, &wrapped, NULL) == SHARDSPEC_OK);
  memset(part, 1, sizeof *part * ROWS * COLUMNS / 2);
  shardspec_tensor_view shard = view_of(part, FLOAT32, shape, 2), full = view_of(data[r], FLOAT32, full_shape, 2);
  static int gathered;
  pthread_cleanup_push(free, part);
  status = shardspec_comm_gather(wrapped, halves, SHARDSPEC_ALL_RANKS, &shard, 1, &full, &options, NULL);
  CHECK(r == 1 || status == SHARDSPEC_OK);
  pthread_cleanup_pop(1);
  CHECK(shardspec_comm_free(wrapped, NULL) == SHARDSPEC_OK);
  return status == SHARDSPEC_OK ? &gathered : NULL;
}

static void no_thread_copies_for_one_that_has_ended(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {ROWS, COLUMNS};
  static int64_t numbers[] = {0, 1};
  shardspec_spec *columns;
  void *results[2] = {NULL, NULL};
  CHECK_OK(shardspec_spec_new_chunk(1, ranks, 2, &columns, &err));
  CHECK_OK(shardspec_spec_build_metadata(columns, sizes, 2, NULL, &halves, &err));
  int n = 0;
  for (; results[0] == NULL || results[0] == ended; n++) {
    pthread_t threads[2];
    CHECK_OK(shardspec_comm_new_local(2, inner, &err));
    countdown = n;
    for (int r = 0; r < 2; r++) CHECK(pthread_create(&threads[r], NULL, gather, &numbers[r]) == 0);
    /* The other one does not wait for it either. */
    for (int r = 0; r < 2; r++) CHECK(pthread_join(threads[r], &results[r]) == 0);
    for (int r = 0; r < 2; r++) CHECK_OK(shardspec_comm_free(inner[r], &err));
    CHECK(results[1] != ended);
  }
  CHECK(results[0] != NULL && results[1] != NULL && n > 8);
  CHECK_OK(shardspec_metadata_free(halves, &err));
  CHECK_OK(shardspec_spec_free(columns, &err));
}

/* A thread that was cancelled calls the library all the same, and ends when it waits next. */
static int calls_done;

static void *call_cancelled(void *unused) {
  enum { SIDE = 4096 };
  int64_t shape[] = {SIDE, SIDE}, half[] = {SIDE, SIDE / 2};
  shardspec_copy_options four = {sizeof four, 4, 0};
  float *data = calloc(SIDE * SIDE, sizeof *data), *parts = calloc(SIDE * SIDE, sizeof *parts);
  CHECK(data != NULL && parts != NULL);
  shardspec_tensor_view full = view_of(data, FLOAT32, shape, 2), shards[2];
  for (int i = 0; i < 2; i++) shards[i] = view_of(parts + i * SIDE * SIDE / 2, FLOAT32, half, 2);
  CHECK(pthread_cancel(pthread_self()) == 0);
  call_everything();
  CHECK(shardspec_metadata_scatter(halves, &full, shards, 2, &four, &seen) == SHARDSPEC_OK);
  CHECK(shardspec_metadata_gather(halves, shards, 2, &full, &four, &seen) == SHARDSPEC_OK);
  free(data), free(parts);
  count(&calls_done);
  pthread_testcancel();
  return unused;
}

static void *end_op(void *unused) {
  CHECK(shardspec_op_unregister(op, NULL) == SHARDSPEC_OK);
  pthread_testcancel();
  return unused;
}

static void a_cancelled_thread_ends_outside_of_the_library(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {4096, 4096};
  shardspec_spec *columns;
  pthread_t thread;
  void *result;
  CHECK_OK(shardspec_spec_new_chunk(1, ranks, 2, &columns, &err));
  CHECK_OK(shardspec_spec_build_metadata(columns, sizes, 2, NULL, &halves, &err));
  in = 0;
  CHECK(pthread_create(&thread, NULL, call_cancelled, NULL) == 0);
  CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
  CHECK_EQUAL(calls_done, 1);
  free_everything();
  /* One that waits for a call to end, to end an op. */
  slow s = {0, 0, 0, 0};
  pthread_t calling, ending;
  CHECK_OK(shardspec_op_register("chunk", "slow", slow_call, &s, slow_destroy, NULL, &op, &err));
  CHECK(pthread_create(&calling, NULL, call_slow, (void *)(uintptr_t)"slow") == 0);
  while (!load(&s.running)) sleep_ms(1);
  CHECK(pthread_create(&ending, NULL, end_op, NULL) == 0);
  sleep_ms(20);
  CHECK(pthread_cancel(ending) == 0);
  sleep_ms(20);
  CHECK_EQUAL(load(&s.destroyed), 0);
  count(&s.go_on);
  CHECK(pthread_join(ending, &result) == 0 && result == PTHREAD_CANCELED);
  CHECK(load(&s.destroyed) == 1 && pthread_join(calling, NULL) == 0);
  op = NULL;
  CHECK_OK(shardspec_metadata_free(halves, &err));
  CHECK_OK(shardspec_spec_free(columns, &err));
}

int main(void) {
  set_up();
  a_thread_may_end_in_any_callback();
  calls_inside_of_calls_are_all_left();
  no_thread_copies_for_one_that_has_ended();
  a_cancelled_thread_ends_outside_of_the_library();
  tear_down();
  return 0;
}
