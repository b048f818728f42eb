/* Ops: registering, finding and calling them, and what their arguments and results are. When they
 * end is in test_op_life.c. */
#include "op.h"
#include "lists.h"

static int calls;

_Static_assert(sizeof(shardspec_value) == 32, "");
_Static_assert(offsetof(shardspec_value, integer) == 8, "");
_Static_assert(offsetof(shardspec_value, real) == 16, "");
_Static_assert(offsetof(shardspec_value, pointer) == 24, "");
_Static_assert(sizeof(shardspec_op_arguments) == 56, "");
_Static_assert(sizeof(shardspec_op_options) == 16, "");

/* Answers with what it was given: the arguments, the other arguments, and its ctx. */
static shardspec_status echo(void *ctx, const shardspec_spec *given,
                             const shardspec_op_arguments *arguments, shardspec_value *results,
                             size_t result_count, shardspec_error *error) {
  size_t at = 0;
  CHECK(given == spec && error != NULL && error->status == SHARDSPEC_OK && error->message[0] == '\0');
  CHECK_EQUAL(arguments->struct_size, sizeof *arguments);
  CHECK(arguments->comm == NULL);
  for (size_t i = 0; i < result_count; i++) CHECK_EQUAL(results[i].kind, SHARDSPEC_VALUE_NONE);
  for (size_t i = 0; i < arguments->arg_count && at < result_count; i++) results[at++] = arguments->args[i];
  for (size_t i = 0; i < arguments->kwarg_count && at < result_count; i++) {
    CHECK_TEXT(arguments->kwarg_names[i], i == 0 ? "first" : "second");
    results[at++] = arguments->kwargs[i];
  }
  if (at < result_count) {
    results[at].kind = SHARDSPEC_VALUE_POINTER;
    results[at].pointer = ctx;
  }
  return SHARDSPEC_OK;
}

static void every_kind_of_value_passes_both_ways(void) {
  static int ctx;
  static const int64_t list[] = {3, 1, 2};
  float data[6];
  int64_t shape[] = {2, 3};
  shardspec_tensor_view view = view_of(data, FLOAT32, shape, 2);
  const char *names[] = {"first", "second"};
  shardspec_value args[] = {
      {SHARDSPEC_VALUE_NONE, 0, 0, 0, NULL},
      {SHARDSPEC_VALUE_BOOL, 0, 1, 0, NULL},
      {SHARDSPEC_VALUE_I64, 0, INT64_MIN, 0, NULL},
      {SHARDSPEC_VALUE_F64, 0, 0, 0.5, NULL},
      {SHARDSPEC_VALUE_TEXT, 0, 0, 0, (void *)(uintptr_t)"text"},
      {SHARDSPEC_VALUE_TENSOR_VIEW, 0, 0, 0, &view},
      {SHARDSPEC_VALUE_I64_LIST, 0, 3, 0, (void *)(uintptr_t)list},
      {SHARDSPEC_VALUE_I64_LIST, 0, 0, 0, NULL},
      {SHARDSPEC_VALUE_POINTER, 0, 0, 0, (void *)(uintptr_t)1},
  };
  /* The only sharded tensor is not a positional argument, which is enough. */
  shardspec_value kwargs[] = {sharded(tensor), {SHARDSPEC_VALUE_POINTER, 0, 0, 0, NULL}};
  shardspec_op_arguments arguments = {sizeof arguments, args, COUNT(args), names, kwargs, 2, NULL};
  shardspec_value results[COUNT(args) + 3];
  shardspec_op *op = register_op("chunk", "echo", echo, &ctx);
  for (int by_name = 0; by_name < 2; by_name++) {
    memset(results, 0x5a, sizeof results);
    if (by_name)
      CHECK_OK(shardspec_op_dispatch(spec, "echo", &arguments, results, COUNT(results), &err));
    else
      CHECK_OK(shardspec_op_call(op, spec, &arguments, results, COUNT(results), &err));
    CHECK(memcmp(results, args, sizeof args) == 0);
    CHECK(memcmp(results + COUNT(args), kwargs, sizeof kwargs) == 0);
    CHECK(results[COUNT(results) - 1].pointer == &ctx);
    /* Few results, and none. */
    CHECK_OK(shardspec_op_call(op, spec, &arguments, results, 2, &err));
    CHECK_EQUAL(results[1].kind, SHARDSPEC_VALUE_BOOL);
    CHECK_OK(shardspec_op_call(op, spec, &arguments, NULL, 0, &err));
  }
  CHECK_OK(shardspec_op_unregister(op, &err));
}

static void an_op_is_found_by_both_names_and_only_by_them(void) {
  shardspec_op *chunk = register_op("chunk", "acme.add", count_call, &calls);
  shardspec_op *boxes = register_op("enumerable", "acme.add", count_call, &calls), *found = NULL;
  int32_t has;
  size_t needed;
  char lines[200];
  CHECK_OK(shardspec_op_look_up("chunk", "acme.add", &found, &err));
  CHECK(found == chunk && chunk != boxes);
  CHECK_OK(shardspec_op_look_up("enumerable", "acme.add", &found, &err));
  CHECK(found == boxes);
  CHECK_OK(shardspec_op_is_registered("chunk", "acme.add", &has, &err));
  CHECK_EQUAL(has, 1);
  CHECK_OK(shardspec_op_is_registered("chunk", "acme.ad", &has, &err));
  CHECK_EQUAL(has, 0);
  CHECK_STATUS(shardspec_op_look_up("acme.grid", "acme.add", &found, &err), SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("'acme.grid'");
  CHECK_MESSAGE("'acme.add'");
  CHECK_STATUS(shardspec_op_dispatch(spec, "acme.sub", &one_tensor, NULL, 0, &err), SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("'chunk'");
  CHECK_MESSAGE("'acme.sub'");
  CHECK(found == boxes);
  shardspec_op *first = register_op("chunk", "\xc3\xa4hnlich", count_call, &calls);
  CHECK_OK(shardspec_op_list(NULL, 0, &needed, &err));
  CHECK_STATUS(shardspec_op_list(lines, needed - 1, NULL, &err), SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK_OK(shardspec_op_list(lines, needed, NULL, &err));
  CHECK_TEXT(lines, "chunk\tacme.add\nchunk\t\xc3\xa4hnlich\nenumerable\tacme.add\n");
  CHECK_OK(shardspec_op_unregister(first, &err));
  CHECK_OK(shardspec_op_unregister(chunk, &err));
  CHECK_OK(shardspec_op_unregister(boxes, &err));
  CHECK_OK(shardspec_op_list(lines, sizeof lines, NULL, &err));
  CHECK_TEXT(lines, "");
}

static void many_ops_are_all_found(void) {
  enum { MANY = 500 };
  static shardspec_op *ops[MANY];
  char name[32];
  for (int i = 0; i < MANY; i++) {
    snprintf(name, sizeof name, "op %d", i);
    ops[i] = register_op(i % 2 ? "chunk" : "acme.grid", name, count_call, &calls);
  }
  for (int i = MANY - 1; i >= 0; i--) {
    shardspec_op *found;
    snprintf(name, sizeof name, "op %d", i);
    CHECK_OK(shardspec_op_look_up(i % 2 ? "chunk" : "acme.grid", name, &found, &err));
    CHECK(found == ops[i]);
    CHECK_STATUS(shardspec_op_look_up(i % 2 ? "acme.grid" : "chunk", name, &found, &err),
                 SHARDSPEC_NOT_FOUND);
    if (i % 3) CHECK_OK(shardspec_op_unregister(ops[i], &err));
  }
  for (int i = 0; i < MANY; i++)
    if (i % 3 == 0) CHECK_OK(shardspec_op_unregister(ops[i], &err));
}

static void an_op_works_with_specs_of_its_type_only(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, NULL, no_metadata, NULL, NULL, NULL, 0, 0};
  shardspec_spec *grid, *boxes;
  shardspec_shard_metadata shard = {1, (int64_t[]){0}, (int64_t[]){4}, "rank:0"};
  CHECK_OK(shardspec_spec_new_custom("acme.grid", &vtable, NULL, &grid, &err));
  CHECK_OK(enumerable_of(&shard, 1, &boxes, &err));
  shardspec_op *op = register_op("acme.grid", "add", count_call, &calls);
  shardspec_op *of_chunk = register_op("chunk", "sub", count_call, &calls);
  calls = 0;
  CHECK_OK(shardspec_op_dispatch(grid, "add", &one_tensor, NULL, 0, &err));
  CHECK_OK(shardspec_op_call(op, grid, &one_tensor, NULL, 0, &err));
  CHECK_STATUS(shardspec_op_dispatch(spec, "add", &one_tensor, NULL, 0, &err), SHARDSPEC_NOT_FOUND);
  CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_MESSAGE("'acme.grid'");
  CHECK_STATUS(shardspec_op_call(of_chunk, grid, &one_tensor, NULL, 0, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_STATUS(shardspec_op_call(of_chunk, boxes, &one_tensor, NULL, 0, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK_EQUAL(calls, 2);
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_OK(shardspec_op_unregister(of_chunk, &err));
  CHECK_OK(shardspec_spec_free(grid, &err));
  CHECK_OK(shardspec_spec_free(boxes, &err));
}

/* Refused however it is called; the op is not reached, and no result is written. */
static void refused(const shardspec_op_arguments *arguments, shardspec_status wanted) {
  shardspec_value result, before;
  shardspec_op *op;
  memset(&result, 0x5a, sizeof result);
  before = result;
  calls = 0;
  CHECK_OK(shardspec_op_look_up("chunk", "checked", &op, &err));
  CHECK_STATUS(shardspec_op_call(op, spec, arguments, &result, 1, &err), wanted);
  CHECK_STATUS(shardspec_op_dispatch(spec, "checked", arguments, &result, 1, &err), wanted);
  CHECK(memcmp(&result, &before, sizeof result) == 0 && calls == 0);
}

static void calls_are_validated_as_torch_does_it(void) {
  shardspec_op *op = register_op("chunk", "checked", count_call, &calls);
  shardspec_value number = {SHARDSPEC_VALUE_I64, 0, 3, 0, NULL};
  const char *name = "input";
  shardspec_op_arguments nothing = {sizeof nothing, NULL, 0, NULL, NULL, 0, NULL};
  shardspec_op_arguments no_tensor = {sizeof no_tensor, &number, 1, &name, &number, 1, NULL};
  shardspec_op_arguments only_named = {sizeof only_named, NULL, 0, &name, one_tensor.args, 1, NULL};
  refused(&nothing, SHARDSPEC_NO_ARGUMENTS);
  CHECK_MESSAGE("'checked'");
  refused(&no_tensor, SHARDSPEC_NO_SHARDED_TENSOR);
  CHECK_MESSAGE("'checked'");
  CHECK_OK(shardspec_op_dispatch(spec, "checked", &only_named, NULL, 0, &err));
  CHECK_EQUAL(calls, 1);
  CHECK_OK(shardspec_op_unregister(op, &err));
}

static void values_that_are_not_what_their_kinds_say_are_refused(void) {
  shardspec_op *op = register_op("chunk", "checked", count_call, &calls);
  shardspec_sharded_tensor *freed;
  CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, 1, &freed, &err));
  CHECK_OK(shardspec_sharded_tensor_free(freed, &err));
  const struct {
    shardspec_value value;
    shardspec_status wanted;
  } wrong[] = {
      {{9, 0, 0, 0, NULL}, SHARDSPEC_INVALID_ARGUMENT},
      {{-1, 0, 0, 0, NULL}, SHARDSPEC_INVALID_ARGUMENT},
      {{SHARDSPEC_VALUE_I64, 1, 0, 0, NULL}, SHARDSPEC_INVALID_ARGUMENT},
      {{SHARDSPEC_VALUE_BOOL, 0, 2, 0, NULL}, SHARDSPEC_INVALID_ARGUMENT},
      {{SHARDSPEC_VALUE_TEXT, 0, 0, 0, NULL}, SHARDSPEC_NULL_ARGUMENT},
      {{SHARDSPEC_VALUE_TEXT, 0, 0, 0, (void *)(uintptr_t)"\xff"}, SHARDSPEC_INVALID_ARGUMENT},
      {{SHARDSPEC_VALUE_TENSOR_VIEW, 0, 0, 0, NULL}, SHARDSPEC_NULL_ARGUMENT},
      {{SHARDSPEC_VALUE_I64_LIST, 0, 1, 0, NULL}, SHARDSPEC_NULL_ARGUMENT},
      {{SHARDSPEC_VALUE_I64_LIST, 0, -1, 0, &freed}, SHARDSPEC_INVALID_ARGUMENT},
      {{SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, NULL}, SHARDSPEC_NULL_ARGUMENT},
      {{SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, freed}, SHARDSPEC_INVALID_HANDLE},
      {{SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, metadata}, SHARDSPEC_INVALID_HANDLE},
  };
  static const char *const names[] = {"a", "b"}, *const twice[] = {"a", "a"};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    shardspec_value values[] = {sharded(tensor), wrong[i].value};
    shardspec_op_arguments positional = {sizeof positional, values, 2, NULL, NULL, 0, NULL};
    shardspec_op_arguments named = {sizeof named, NULL, 0, names, values, 2, NULL};
    refused(&positional, wrong[i].wanted);
    refused(&named, wrong[i].wanted);
    CHECK_MESSAGE("kwargs");
  }
  shardspec_value values[] = {sharded(tensor), sharded(tensor)};
  shardspec_op_arguments same_names = {sizeof same_names, NULL, 0, twice, values, 2, NULL};
  refused(&same_names, SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("\"a\"");
  CHECK_OK(shardspec_op_unregister(op, &err));
}

/* Writes a result and an error, and returns the status that it is told to. */
static shardspec_status fail(void *ctx, const shardspec_spec *given,
                             const shardspec_op_arguments *arguments, shardspec_value *results,
                             size_t result_count, shardspec_error *error) {
  const shardspec_error *wanted = (const shardspec_error *)ctx;
  (void)given, (void)arguments;
  for (size_t i = 0; i < result_count; i++) results[i] = sharded(tensor);
  *error = *wanted;
  return wanted->status;
}

static void what_an_op_answers_reaches_its_caller_unchanged(void) {
  static const shardspec_status statuses[] = {SHARDSPEC_USER_STATUS, INT32_MAX, SHARDSPEC_GAP,
                                              SHARDSPEC_BUSY, SHARDSPEC_NOT_FOUND, 999, 998};
  shardspec_error wanted = SHARDSPEC_ERROR_INIT;
  shardspec_op *op = register_op("chunk", "fail", fail, &wanted);
  shardspec_value results[6], before[6];
  memset(results, 0x5a, sizeof results);
  memcpy(before, results, sizeof results);
  for (size_t i = 0; i < COUNT(statuses); i++) {
    wanted = (shardspec_error){sizeof wanted, statuses[i], 3, 5, 7, 11, INT64_MIN, 13, "m\xc3\xbcsli is out"};
    CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, results, 6, &err), statuses[i]);
    CHECK(err.dim == 3 && err.first_shard == 5 && err.second_shard == 7);
    CHECK(err.got == 11 && err.limit == INT64_MIN && err.index == 13);
    CHECK_TEXT(err.message, "m\xc3\xbcsli is out");
    CHECK(memcmp(results, before, sizeof results) == 0);
    CHECK(shardspec_op_dispatch(spec, "fail", &one_tensor, results, 2, NULL) == statuses[i]);
    CHECK(memcmp(results, before, sizeof results) == 0);
  }
  /* As long a message as there can be, one without its NUL, and none. */
  memset(wanted.message, 'x', sizeof wanted.message);
  CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err), 998);
  CHECK_EQUAL(strlen(err.message), SHARDSPEC_MESSAGE_CAPACITY - 1);
  wanted.message[0] = '\0';
  CHECK_STATUS(shardspec_op_call(op, spec, &one_tensor, NULL, 0, &err), 998);
  CHECK_MESSAGE("'fail'");
  CHECK_OK(shardspec_op_unregister(op, &err));
}

/* Looks for the communicator that is its context. */
static shardspec_status expect_communicator(void *ctx, const shardspec_spec *given,
                                            const shardspec_op_arguments *arguments,
                                            shardspec_value *results, size_t result_count,
                                            shardspec_error *error) {
  int64_t size = 0;
  (void)given, (void)results, (void)result_count;
  CHECK(arguments->comm == ctx);
  CHECK_OK(shardspec_comm_size(arguments->comm, &size, error));
  CHECK_EQUAL(size, 1);
  return SHARDSPEC_OK;
}

static void an_op_gets_the_communicator_of_its_collectives(void) {
  shardspec_op_arguments arguments = one_tensor;
  shardspec_comm *comm;
  CHECK_OK(shardspec_comm_new_local(1, &comm, &err));
  shardspec_op *op = register_op("chunk", "acme.talks", expect_communicator, comm);
  arguments.comm = comm;
  CHECK_OK(shardspec_op_dispatch(spec, "acme.talks", &arguments, NULL, 0, &err));
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_OK(shardspec_comm_free(comm, &err));
}

/* Torch's rule: what one op works on goes by one communicator. */
static void sharded_tensors_of_different_communicators_are_refused(void) {
  static const char *const one_rank[] = {"rank:0"};
  static float data[4][3];
  int64_t sizes[] = {4, 3};
  shardspec_comm *comms[2];
  shardspec_sharded_tensor *tensors[2];
  shardspec_spec *whole;
  shardspec_metadata *of_one;
  shardspec_tensor_view full = view_of(data, FLOAT32, sizes, 2);
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_value values[3];
  int count = 0;
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, one_rank, 1, &whole, &err));
  CHECK_OK(shardspec_spec_build_metadata(whole, sizes, 2, &properties, &of_one, &err));
  for (int i = 0; i < 2; i++) {
    CHECK_OK(shardspec_comm_new_local(1, &comms[i], &err));
    CHECK_OK(shardspec_sharded_tensor_new_from_rank(comms[i], of_one, 0, &full, NULL, &tensors[i], &err));
    values[i] = sharded(tensors[i]);
  }
  values[2] = values[0];
  shardspec_op *op = register_op("chunk", "acme.two", count_call, &count);
  shardspec_op_arguments different = {sizeof different, values, 2, NULL, NULL, 0, NULL};
  shardspec_op_arguments alike = {sizeof alike, values + 2, 1, NULL, NULL, 0, NULL};
  CHECK_STATUS(shardspec_op_dispatch(spec, "acme.two", &different, NULL, 0, &err),
               SHARDSPEC_COMMUNICATOR_MISMATCH);
  CHECK_EQUAL(count, 0);
  /* One that has a communicator and one that has none differ too. */
  values[1] = sharded(tensor);
  CHECK_STATUS(shardspec_op_dispatch(spec, "acme.two", &different, NULL, 0, &err),
               SHARDSPEC_COMMUNICATOR_MISMATCH);
  CHECK_OK(shardspec_op_dispatch(spec, "acme.two", &alike, NULL, 0, &err));
  CHECK_EQUAL(count, 1);
  CHECK_OK(shardspec_op_unregister(op, &err));
  for (int i = 0; i < 2; i++) {
    CHECK_OK(shardspec_sharded_tensor_free(tensors[i], &err));
    CHECK_OK(shardspec_comm_free(comms[i], &err));
  }
  CHECK_OK(shardspec_metadata_free(of_one, &err));
  CHECK_OK(shardspec_spec_free(whole, &err));
}

int main(void) {
  set_up();
  every_kind_of_value_passes_both_ways();
  an_op_is_found_by_both_names_and_only_by_them();
  many_ops_are_all_found();
  an_op_works_with_specs_of_its_type_only();
  calls_are_validated_as_torch_does_it();
  values_that_are_not_what_their_kinds_say_are_refused();
  what_an_op_answers_reaches_its_caller_unchanged();
  an_op_gets_the_communicator_of_its_collectives();
  sharded_tensors_of_different_communicators_are_refused();
  tear_down();
  return 0;
}
