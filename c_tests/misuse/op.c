/* Ops. */
#include "misuse.h"

static shardspec_status nothing(void *ctx, const shardspec_spec *spec, const shardspec_op_arguments *arguments,
                                shardspec_value *results, size_t result_count, shardspec_error *error) {
  (void)ctx, (void)spec, (void)arguments, (void)results, (void)result_count, (void)error;
  return SHARDSPEC_OK;
}

static void misuse_registration(shardspec_op *op) {
#define REGISTER(status, misuse, type, name, function, options)                                    \
  MISUSE(status, misuse, shardspec_op_register, type, name, function, NULL, NULL, options, &out.op)
  REGISTER(NULL_ARGUMENT, "NULL spec_type", NULL, "op", nothing, NULL);
  REGISTER(NULL_ARGUMENT, "NULL op_name", "chunk", NULL, nothing, NULL);
  REGISTER(NULL_ARGUMENT, "NULL function", "chunk", "op", NULL, NULL);
  REGISTER(INVALID_ARGUMENT, "empty spec_type", "", "op", nothing, NULL);
  REGISTER(INVALID_ARGUMENT, "empty op_name", "chunk", "", nothing, NULL);
  REGISTER(INVALID_ARGUMENT, "not UTF-8", "chunk", NOT_UTF8, nothing, NULL);
  REGISTER(INVALID_ARGUMENT, "a name of two lines", "chunk", "a\nb", nothing, NULL);
  shardspec_op_options right = {sizeof right, 0, SHARDSPEC_CALLBACK_OK}, small = right, flag = right,
                       failure = right, negative = right;
  const shardspec_op_options *odd = (const shardspec_op_options *)(const void *)((const char *)&right + 1);
  small.struct_size = 12, flag.flags = 0x80000001;
  failure.success_status = SHARDSPEC_NOT_FOUND, negative.success_status = -1;
  REGISTER(INVALID_ARGUMENT, "small options", "chunk", "op", nothing, &small);
  REGISTER(INVALID_ARGUMENT, "options not aligned", "chunk", "op", nothing, odd);
  REGISTER(INVALID_ARGUMENT, "unknown flag", "chunk", "op", nothing, &flag);
  REGISTER(INVALID_ARGUMENT, "success that is a failure", "chunk", "op", nothing, &failure);
  REGISTER(INVALID_ARGUMENT, "negative success", "chunk", "op", nothing, &negative);
  REGISTER(ALREADY_EXISTS, "registered already", "chunk", "misused", nothing, NULL);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_op_register, "chunk", "op", nothing, NULL, NULL, NULL,
         (shardspec_op **)(void *)((char *)out.numbers + 1));
  WRONG_ERROR(shardspec_op_register, "chunk", "op", nothing, NULL, NULL, NULL, &out.op);
  WRONG_HANDLE(shardspec_op, NULL_ARGUMENT, shardspec_op_unregister, H);
  WRONG_ERROR(shardspec_op_unregister, op);
  MISUSE(NULL_ARGUMENT, "NULL spec_type", shardspec_op_is_registered, NULL, "misused", &out.i32);
  MISUSE(NULL_ARGUMENT, "NULL op_name", shardspec_op_is_registered, "chunk", NULL, &out.i32);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_op_is_registered, NOT_UTF8, "misused", &out.i32);
  WRONG_OUT(int32_t, shardspec_op_is_registered, "chunk", "misused", P);
  WRONG_ERROR(shardspec_op_is_registered, "chunk", "misused", &out.i32);
  MISUSE(NULL_ARGUMENT, "NULL spec_type", shardspec_op_look_up, NULL, "misused", &out.op);
  MISUSE(NULL_ARGUMENT, "NULL op_name", shardspec_op_look_up, "chunk", NULL, &out.op);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_op_look_up, "chunk", NOT_UTF8, &out.op);
  MISUSE(NOT_FOUND, "no such op", shardspec_op_look_up, "chunk", "misuse", &out.op);
  WRONG_OUT(shardspec_op *, shardspec_op_look_up, "chunk", "misused", P);
  WRONG_ERROR(shardspec_op_look_up, "chunk", "misused", &out.op);
  WRONG_TEXT(shardspec_op_list, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_op_list, out.text, 64, &out.needed);
#undef REGISTER
}

static void misuse_calls(shardspec_op *op, const shardspec_op_arguments *right) {
  shardspec_op_arguments small = *right, many = *right, missing = *right;
  const shardspec_op_arguments *odd = (const shardspec_op_arguments *)(const void *)((const char *)right + 4);
  small.struct_size = 48;
  many.arg_count = SIZE_MAX;
  missing.kwarg_count = 1;
#define CALL(status, misuse, spec, arguments, results, count)                                      \
  MISUSE(status, misuse, shardspec_op_call, op, spec, arguments, results, count);                  \
  MISUSE(status, misuse, shardspec_op_dispatch, spec, "misused", arguments, results, count)
  WRONG_HANDLE(shardspec_op, NULL_ARGUMENT, shardspec_op_call, H, chunk, right, out.values, 2);
  MISUSE(WRONG_SPEC_TYPE, "enumerable spec", shardspec_op_call, op, boxes, right, out.values, 2);
  WRONG_ERROR(shardspec_op_call, op, chunk, right, out.values, 2);
  MISUSE(NULL_ARGUMENT, "NULL op_name", shardspec_op_dispatch, chunk, NULL, right, out.values, 2);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_op_dispatch, chunk, NOT_UTF8, right, out.values, 2);
  MISUSE(NOT_FOUND, "no such op", shardspec_op_dispatch, boxes, "misused", right, out.values, 2);
  WRONG_ERROR(shardspec_op_dispatch, chunk, "misused", right, out.values, 2);
  CALL(NULL_ARGUMENT, "NULL spec", NULL, right, out.values, 2);
  CALL(INVALID_HANDLE, "metadata as spec", (shardspec_spec *)metadata, right, out.values, 2);
  CALL(NULL_ARGUMENT, "NULL arguments", chunk, NULL, out.values, 2);
  CALL(INVALID_ARGUMENT, "arguments not aligned", chunk, odd, out.values, 2);
  CALL(INVALID_ARGUMENT, "arguments of 48 bytes", chunk, &small, out.values, 2);
  CALL(INVALID_ARGUMENT, "SIZE_MAX arguments", chunk, &many, out.values, 2);
  CALL(NULL_ARGUMENT, "NULL names", chunk, &missing, out.values, 2);
  CALL(NULL_ARGUMENT, "NULL results", chunk, right, NULL, 2);
  CALL(INVALID_ARGUMENT, "SIZE_MAX results", chunk, right, out.values, SIZE_MAX);
#undef CALL
}

void misuse_ops(void) {
  shardspec_sharded_tensor *tensor;
  shardspec_op *op, *ended;
  CHECK_OK(shardspec_sharded_tensor_new_from_full(metadata, NULL, &full, NULL, &tensor, &err));
  shardspec_value value = {SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, tensor};
  shardspec_op_arguments right = {sizeof right, &value, 1, NULL, NULL, 0, NULL};
  CHECK_OK(shardspec_op_register("chunk", "misused", nothing, NULL, NULL, NULL, &ended, &err));
  CHECK_OK(shardspec_op_unregister(ended, &err));
  CHECK_OK(shardspec_op_register("chunk", "misused", nothing, NULL, NULL, NULL, &op, &err));
  wrong_handles_for(ended, op, chunk, tensor);
  misuse_registration(op);
  misuse_calls(op, &right);
  CHECK_OK(shardspec_op_unregister(op, &err));
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
}
