/* Callbacks: what their answers become, whichever callback it is. */
#include "op.h"

/* What a callback does: it writes into its error, and returns. */
typedef struct answer {
  shardspec_status status;
  void (*write)(shardspec_error *error);
  int destroyed;
} answer;

static shardspec_status give(const answer *a, shardspec_error *error) {
  if (a->write != NULL) a->write(error);
  return a->status;
}

static void destroy(void *ctx) { ((answer *)ctx)->destroyed++; }

static shardspec_status run_op(void *ctx, const shardspec_spec *given, const shardspec_op_arguments *arguments,
                               shardspec_value *results, size_t result_count, shardspec_error *error) {
  (void)given, (void)arguments, (void)results, (void)result_count;
  return give(ctx, error);
}

static shardspec_status build(void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
                              const shardspec_tensor_properties *properties, shardspec_metadata_builder *builder,
                              shardspec_error *error) {
  static const int64_t offsets[2];
  (void)dim_names, (void)properties;
  CHECK(shardspec_metadata_builder_add_shard(builder, offsets, sizes, ndim, "rank:0", NULL) == SHARDSPEC_OK);
  return give(ctx, error);
}

static shardspec_status fill(void *ctx, const shardspec_metadata *of, size_t index, const shardspec_tensor_view *full,
                             const shardspec_tensor_view *shard, const shardspec_copy_options *options,
                             shardspec_error *error) {
  (void)of, (void)index, (void)full, (void)shard, (void)options;
  return give(ctx, error);
}

static shardspec_status exchange(void *ctx, const shardspec_message *sends, size_t send_count,
                                 const shardspec_message *receives, size_t receive_count, shardspec_error *error) {
  (void)sends, (void)send_count, (void)receives, (void)receive_count;
  return give(ctx, error);
}

/* The callbacks that return a status, each by a function that makes it run once. */
static shardspec_status by_op(answer *a, shardspec_status success) {
  shardspec_op_options options = {sizeof options, 0, success};
  shardspec_op *op;
  CHECK_OK(shardspec_op_register("chunk", "answers", run_op, a, destroy, &options, &op, &err));
  shardspec_status status = shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err);
  CHECK(shardspec_op_unregister(op, NULL) == SHARDSPEC_OK);
  return status;
}

static shardspec_status by_build(answer *a, shardspec_status success) {
  shardspec_spec_vtable vtable = {sizeof vtable, destroy, build, NULL, NULL, NULL, success, 0};
  static const int64_t sizes[] = {4, 3};
  shardspec_spec *own;
  shardspec_metadata *made;
  CHECK_OK(shardspec_spec_new_custom("test.answers", &vtable, a, &own, &err));
  shardspec_status status = shardspec_spec_build_metadata(own, sizes, 2, NULL, &made, &err);
  if (status == SHARDSPEC_OK) CHECK(shardspec_metadata_free(made, NULL) == SHARDSPEC_OK);
  CHECK(shardspec_spec_free(own, NULL) == SHARDSPEC_OK);
  return status;
}

static shardspec_status by_fill(answer *a, shardspec_status success) {
  shardspec_spec_vtable vtable = {sizeof vtable, destroy, build, fill, NULL, NULL, success, 0};
  float data[12], part[6];
  int64_t shape[] = {4, 3}, part_shape[] = {2, 3};
  shardspec_tensor_view full = view_of(data, FLOAT32, shape, 2), shard = view_of(part, FLOAT32, part_shape, 2);
  shardspec_spec *own;
  CHECK_OK(shardspec_spec_new_custom("test.answers", &vtable, a, &own, &err));
  shardspec_status status = shardspec_spec_fill_shard(own, metadata, 0, &full, &shard, NULL, &err);
  CHECK(shardspec_spec_free(own, NULL) == SHARDSPEC_OK);
  return status;
}

static shardspec_status by_exchange(answer *a, shardspec_status success) {
  shardspec_comm_vtable vtable = {.struct_size = sizeof vtable, .destroy = destroy,
                                  .exchange = exchange, .success_status = success};
  char byte = 0;
  shardspec_message message = {1, &byte, 1};
  shardspec_comm *comm;
  CHECK_OK(shardspec_comm_new(&vtable, a, 0, 2, &comm, &err));
  shardspec_status status = shardspec_comm_exchange(comm, &message, 1, NULL, 0, &err);
  CHECK(shardspec_comm_free(comm, NULL) == SHARDSPEC_OK);
  return status;
}

static const struct {
  shardspec_status (*run)(answer *a, shardspec_status success);
  const char *name;
} CALLBACKS[] = {
    {by_op, "of op 'answers'"},
    {by_build, "build_metadata of spec type 'test.answers'"},
    {by_fill, "fill_shard of spec type 'test.answers'"},
    {by_exchange, "exchange of the communicator"},
};

static void a_callback_that_returns_0_by_accident_has_failed(void) {
  static const shardspec_status successes[] = {SHARDSPEC_CALLBACK_OK, SHARDSPEC_USER_STATUS, INT32_MAX};
  for (size_t i = 0; i < COUNT(CALLBACKS); i++)
    for (size_t j = 0; j < COUNT(successes); j++) {
      answer right = {successes[j], NULL, 0}, thrown = {0, NULL, 0};
      CHECK_STATUS(CALLBACKS[i].run(&right, successes[j]), SHARDSPEC_OK);
      CHECK_STATUS(CALLBACKS[i].run(&thrown, successes[j]), SHARDSPEC_CALLBACK_FAILED);
      CHECK_MESSAGE(CALLBACKS[i].name);
      CHECK_MESSAGE("probably threw");
      CHECK(err.got == 0 && err.first_shard == -1 && err.second_shard == -1 && err.dim == -1);
      CHECK(right.destroyed == 1 && thrown.destroyed == 1);
    }
}

static void a_number_that_is_no_status_is_a_failure(void) {
  static const shardspec_status wrong[] = {-1, -1000, INT32_MIN}, asked[] = {SHARDSPEC_OK, SHARDSPEC_CALLBACK_OK};
  for (size_t i = 0; i < COUNT(CALLBACKS); i++)
    for (size_t j = 0; j < COUNT(wrong); j++)
      for (size_t k = 0; k < COUNT(asked); k++) {
        answer a = {wrong[j], NULL, 0};
        CHECK_STATUS(CALLBACKS[i].run(&a, asked[k]), SHARDSPEC_CALLBACK_FAILED);
        CHECK_MESSAGE(CALLBACKS[i].name);
        CHECK_MESSAGE("not a status");
        CHECK_EQUAL(err.got, wrong[j]);
      }
}

static void a_failure_passes_whatever_success_is(void) {
  static const shardspec_status failures[] = {SHARDSPEC_GAP, SHARDSPEC_USER_STATUS + 1};
  for (size_t i = 0; i < COUNT(CALLBACKS); i++)
    for (size_t j = 0; j < COUNT(failures); j++) {
      answer a = {failures[j], NULL, 0};
      CHECK_STATUS(CALLBACKS[i].run(&a, SHARDSPEC_OK), failures[j]);
      CHECK_STATUS(CALLBACKS[i].run(&a, SHARDSPEC_CALLBACK_OK), failures[j]);
      CHECK_MESSAGE(CALLBACKS[i].name);
    }
}

static void say_success(shardspec_error *error) { error->status = SHARDSPEC_CALLBACK_OK_IN_ERR; }

static void say_ok(shardspec_error *error) { error->status = SHARDSPEC_OK; }

static void say_gap(shardspec_error *error) {
  error->status = SHARDSPEC_GAP;
  error->first_shard = 3;
}

/* As of a closure of ctypes that throws: what is returned is what was returned before. */
static void what_is_returned_may_be_anything_where_the_error_says_success(void) {
  static const shardspec_status returned[] = {0, SHARDSPEC_CALLBACK_OK, SHARDSPEC_CALLBACK_OK_IN_ERR, -1, 8};
  for (size_t i = 0; i < COUNT(CALLBACKS); i++)
    for (size_t j = 0; j < COUNT(returned); j++) {
      answer right = {returned[j], say_success, 0}, thrown = {returned[j], NULL, 0};
      answer late = {returned[j], say_ok, 0}, wrong = {returned[j], say_gap, 0};
      CHECK_STATUS(CALLBACKS[i].run(&right, SHARDSPEC_CALLBACK_OK_IN_ERR), SHARDSPEC_OK);
      CHECK_STATUS(CALLBACKS[i].run(&thrown, SHARDSPEC_CALLBACK_OK_IN_ERR), SHARDSPEC_CALLBACK_FAILED);
      CHECK_MESSAGE(CALLBACKS[i].name);
      CHECK_MESSAGE("probably threw");
      CHECK_STATUS(CALLBACKS[i].run(&late, SHARDSPEC_CALLBACK_OK_IN_ERR), SHARDSPEC_CALLBACK_FAILED);
      CHECK_STATUS(CALLBACKS[i].run(&wrong, SHARDSPEC_CALLBACK_OK_IN_ERR), SHARDSPEC_GAP);
      CHECK_EQUAL(err.first_shard, 3);
    }
}

static void success_is_0_or_no_failure(void) {
  static const shardspec_status refused[] = {SHARDSPEC_NULL_ARGUMENT, SHARDSPEC_CALLBACK_OK_IN_ERR - 1, -1, INT32_MIN};
  shardspec_spec_vtable vtable = {sizeof vtable, destroy, build, NULL, NULL, NULL, 0, 0};
  shardspec_comm_vtable transport = {
      .struct_size = sizeof transport, .destroy = destroy, .exchange = exchange};
  answer a = {0, NULL, 0};
  shardspec_spec *own;
  shardspec_comm *comm;
  int destroyed = 0;
  for (size_t i = 0; i <= COUNT(refused); i++) {
    if (i < COUNT(refused))
      vtable.success_status = transport.success_status = refused[i];
    else
      vtable.success_status = transport.success_status = 0, vtable.reserved = transport.reserved = 1;
    CHECK_STATUS(shardspec_spec_new_custom("test.answers", &vtable, &a, &own, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK_MESSAGE(i < COUNT(refused) ? "success_status" : "reserved");
    CHECK_STATUS(shardspec_comm_new(&transport, &a, 0, 2, &comm, &err), SHARDSPEC_INVALID_ARGUMENT);
    CHECK_EQUAL(a.destroyed, destroyed += 2);
  }
}

/* What a program of an earlier version passes. */
static void a_table_that_ends_earlier_has_0_as_success(void) {
  shardspec_spec_vtable vtable = {48, destroy, build, NULL, NULL, NULL, -5, -5};
  shardspec_comm_vtable transport = {.struct_size = 24, .destroy = destroy, .exchange = exchange,
                                     .success_status = -5, .reserved = -5};
  answer a = {0, NULL, 0};
  shardspec_spec *own;
  shardspec_comm *comm;
  CHECK_OK(shardspec_spec_new_custom("test.answers", &vtable, &a, &own, &err));
  CHECK_OK(shardspec_spec_free(own, &err));
  CHECK_OK(shardspec_comm_new(&transport, &a, 0, 2, &comm, &err));
  CHECK_OK(shardspec_comm_free(comm, &err));
  CHECK_EQUAL(a.destroyed, 2);
}

/* A table that says that it is smaller has no `destroy`: nothing behind its end is read. */
static void a_table_is_read_as_far_as_it_says(void) {
  for (uint64_t size = 0; size <= 48; size++) {
    uint64_t *small = malloc(size < sizeof *small ? sizeof *small : size);
    shardspec_spec_vtable whole = {size, destroy, build, NULL, NULL, NULL, 0, 0};
    answer a = {0, NULL, 0};
    shardspec_spec *own = NULL;
    CHECK(small != NULL);
    memcpy(small, &whole, size < sizeof *small ? sizeof *small : size);
    shardspec_status status =
        shardspec_spec_new_custom("test.answers", (const shardspec_spec_vtable *)(const void *)small, &a, &own, &err);
    CHECK_EQUAL(status, size < 48 ? SHARDSPEC_INVALID_ARGUMENT : SHARDSPEC_OK);
    if (status == SHARDSPEC_OK) CHECK_OK(shardspec_spec_free(own, &err));
    CHECK_EQUAL(a.destroyed, size >= 16);
    free(small);
  }
}

/* Leaves something on the stack, and in the error that callbacks get. */
static void write_long(shardspec_error *error) { memset(error->message, 'x', sizeof error->message); }

static void write_without_end(shardspec_error *error) { memcpy(error->message, "short", 5); }

/* Calls functions that fail, with the callback's own error, and then one that does not. */
static void fail_and_go_on(shardspec_error *error) {
  char name[32];
  CHECK(shardspec_status_text(-7, name, sizeof name, NULL, error) == SHARDSPEC_NOT_FOUND);
  CHECK(error->message[0] != '\0');
  CHECK(shardspec_status_text(0, name, sizeof name, NULL, error) == SHARDSPEC_OK);
}

static void soil_the_stack(int depth) {
  volatile char soil[2000];
  memset((char *)soil, 's', sizeof soil);
  if (depth > 0) soil_the_stack(depth - 1);
}

static void a_message_without_an_end_holds_what_was_written_and_no_more(void) {
  for (size_t i = 0; i < COUNT(CALLBACKS); i++) {
    void (*const before[])(shardspec_error *) = {NULL, write_long, fail_and_go_on, write_without_end};
    for (size_t j = 0; j < COUNT(before); j++)
      for (int fails = 0; fails < 2; fails++) {
        answer first = {fails ? SHARDSPEC_GAP : SHARDSPEC_OK, before[j], 0},
               second = {SHARDSPEC_GAP, write_without_end, 0};
        CHECK_EQUAL(CALLBACKS[i].run(&first, SHARDSPEC_OK), first.status);
        soil_the_stack(8);
        CHECK_STATUS(CALLBACKS[i].run(&second, SHARDSPEC_OK), SHARDSPEC_GAP);
        CHECK_TEXT(err.message, "short");
      }
  }
}

/* The same inside of a callback, which has an error of its own. */
static void fail_inside(shardspec_error *error) {
  answer inner = {SHARDSPEC_GAP, write_without_end, 0};
  memcpy(error->message, "outer", 5);
  soil_the_stack(8);
  CHECK_EQUAL(by_exchange(&inner, SHARDSPEC_OK), SHARDSPEC_GAP);
  CHECK_TEXT(err.message, "short");
  CHECK_TEXT(error->message, "outer");
}

static void a_callback_inside_of_another_has_an_error_of_its_own(void) {
  answer outer = {SHARDSPEC_GAP, fail_inside, 0};
  CHECK_STATUS(by_op(&outer, SHARDSPEC_OK), SHARDSPEC_GAP);
  CHECK_TEXT(err.message, "outer");
}

static void write_latin_1(shardspec_error *error) { strcpy(error->message, "donn\xe9" "es"); }

static void write_and_cut_off(shardspec_error *error) {
  memset(error->message, 'x', sizeof error->message);
  memcpy(error->message + sizeof error->message - 2, "\xe2\x82", 2);
}

static void cut_off(shardspec_error *error) { strcpy(error->message, "price 5 \xe2\x82"); }

static void a_message_is_utf_8_whatever_was_written(void) {
  answer latin = {SHARDSPEC_GAP, write_latin_1, 0}, full = {SHARDSPEC_GAP, write_and_cut_off, 0},
         cut = {SHARDSPEC_GAP, cut_off, 0};
  CHECK_STATUS(by_op(&latin, SHARDSPEC_OK), SHARDSPEC_GAP);
  CHECK_TEXT(err.message, "donn\xef\xbf\xbd" "es");
  CHECK_STATUS(by_op(&cut, SHARDSPEC_OK), SHARDSPEC_GAP);
  CHECK_TEXT(err.message, "price 5 ");
  CHECK_STATUS(by_op(&full, SHARDSPEC_OK), SHARDSPEC_GAP);
  CHECK_EQUAL(strlen(err.message), sizeof err.message - 2);
  CHECK_EQUAL(strspn(err.message, "x"), sizeof err.message - 2);
}

int main(void) {
  set_up();
  a_callback_that_returns_0_by_accident_has_failed();
  a_number_that_is_no_status_is_a_failure();
  a_failure_passes_whatever_success_is();
  what_is_returned_may_be_anything_where_the_error_says_success();
  success_is_0_or_no_failure();
  a_table_that_ends_earlier_has_0_as_success();
  a_table_is_read_as_far_as_it_says();
  a_message_without_an_end_holds_what_was_written_and_no_more();
  a_callback_inside_of_another_has_an_error_of_its_own();
  a_message_is_utf_8_whatever_was_written();
  tear_down();
  return 0;
}
