/* Ops: registered, found, listed, called and ended. */
#include "scenarios.h"
#include "../lists.h"

static shardspec_spec *spec;
static shardspec_metadata *metadata;
static shardspec_sharded_tensor *tensor;

static void make_tensor(void) {
  spec = chunk_spec(2);
  metadata = rows(2, 4);
  CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, SHARDSPEC_FILL_ZERO, &tensor, &err));
}

static void drop_tensor(void) {
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  drop_metadata(metadata);
  drop_spec(spec);
}

static shardspec_status first_argument(void *ctx, const shardspec_spec *given,
                                       const shardspec_op_arguments *arguments, shardspec_value *results,
                                       size_t result_count, shardspec_error *error) {
  (void)ctx, (void)given, (void)error;
  if (result_count > 0) results[0] = arguments->args[0];
  return SHARDSPEC_OK;
}

static shardspec_status fails(void *ctx, const shardspec_spec *given,
                              const shardspec_op_arguments *arguments, shardspec_value *results,
                              size_t result_count, shardspec_error *error) {
  (void)ctx, (void)given, (void)arguments, (void)results, (void)result_count;
  strcpy(error->message, "this op never works");
  return SHARDSPEC_NOT_FOUND;
}

void ops(void) {
  const shardspec_op_options options = {.struct_size = sizeof options, .flags = SHARDSPEC_OP_FLAG_REPLACE};
  shardspec_op *op, *other;
  make_tensor();
  shardspec_value args[] = {{SHARDSPEC_VALUE_I64, 0, 3, 0, NULL},
                            {SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, tensor},
                            {SHARDSPEC_VALUE_TEXT, 0, 0, 0, (void *)(uintptr_t)"text"}};
  const char *const names[] = {"first", "second", "third"};
  shardspec_op_arguments arguments = {.struct_size = sizeof arguments, .args = args, .arg_count = 3,
                                      .kwarg_names = names, .kwargs = args, .kwarg_count = 3};
  CALL(OK, shardspec_op_register, "chunk", "acme.first", first_argument, context(), end_context, NULL,
       &out.op);
  op = out.op;
  CALL(ALREADY_EXISTS, shardspec_op_register, "chunk", "acme.first", first_argument, context(),
       end_context, NULL, &out.op);
  CALL(OK, shardspec_op_register, "chunk", "acme.first", first_argument, context(), end_context, &options,
       &out.op);
  op = out.op;
  CALL(OK, shardspec_op_register, "chunk", "acme.fails", fails, context(), end_context, NULL,
       &out.op);
  other = out.op;
  CALL(OK, shardspec_op_is_registered, "chunk", "acme.first", &out.i32);
  CHECK_EQUAL(out.i32, 1);
  CALL(OK, shardspec_op_look_up, "chunk", "acme.first", &out.op);
  CHECK(out.op == op);
  CALL(OK, shardspec_op_list, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "chunk\tacme.fails\nchunk\tacme.first\n");
  CALL(OK, shardspec_op_dispatch, spec, "acme.first", &arguments, out.values, 2);
  CHECK_EQUAL(out.values[0].integer, 3);
  CALL(OK, shardspec_op_call, op, spec, &arguments, out.values, 1);
  CALL(NOT_FOUND, shardspec_op_dispatch, spec, "acme.fails", &arguments, out.values, 2);
  FREE(shardspec_op_unregister, op);
  FREE(shardspec_op_unregister, other);
  CALL(INVALID_HANDLE, shardspec_op_unregister, op);
  drop_tensor();
  contexts_are_ended();
}

void refused_ops(void) {
  shardspec_op *op;
  shardspec_spec *boxes;
  make_tensor();
  const int64_t offset = 0, length = 4;
  const char *const twice[] = {"same", "same"};
  shardspec_value args[] = {{SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, tensor},
                            {SHARDSPEC_VALUE_I64, 0, 3, 0, NULL}};
  shardspec_op_arguments arguments = {.struct_size = sizeof arguments, .args = args, .arg_count = 1,
                                      .kwarg_names = twice, .kwargs = args, .kwarg_count = 2};
  shardspec_op_arguments none = {.struct_size = sizeof none};
  shardspec_op_arguments numbers = {.struct_size = sizeof numbers, .args = args + 1, .arg_count = 1};
  CHECK_OK(enumerable_of_arrays(&offset, &length, NULL, 1, 1, RANKS, 1, &boxes, &err));
  CALL(INVALID_ARGUMENT, shardspec_op_register, "chunk", "a\nname", fails, context(), end_context, NULL,
       &out.op);
  CALL(OK, shardspec_op_register, "chunk", "acme.fails", fails, context(), end_context, NULL,
       &out.op);
  op = out.op;
  CALL(NOT_FOUND, shardspec_op_look_up, "chunk", "acme.first", &out.op);
  CALL(NOT_FOUND, shardspec_op_dispatch, spec, "acme.first", &arguments, out.values, 2);
  CALL(NO_ARGUMENTS, shardspec_op_call, op, spec, &none, out.values, 2);
  CALL(NO_SHARDED_TENSOR, shardspec_op_call, op, spec, &numbers, out.values, 2);
  CALL(INVALID_ARGUMENT, shardspec_op_call, op, spec, &arguments, out.values, 2);
  CALL(WRONG_SPEC_TYPE, shardspec_op_call, op, boxes, &arguments, out.values, 2);
  CALL(BUFFER_TOO_SMALL, shardspec_op_list, out.text, 3, &out.size);
  FREE(shardspec_op_unregister, op);
  drop_spec(boxes);
  drop_tensor();
  contexts_are_ended();
}
