/* A worked op: a linear layer y = x W + b whose weight is cut by columns.
 *
 * Each rank has some columns of W and of b, sees all of x, and gets the same columns of y: no sum is
 * needed. The answer is a sharded tensor again, cut as W is. Bias comes as an argument by its name, as it
 * may be left out. */
#include "ops.h"

#include <string.h>

enum { BATCH = 3, IN = 4, OUT = 7, RANKS = 3 };

static shardspec_status refuse(shardspec_error *err, const char *why) {
  snprintf(err->message, sizeof err->message, "linear: %s", why);
  return SHARDSPEC_USER_STATUS;
}

/* The columns of y that a shard of the weight gives. */
static void multiply(const float *x, const local_shard *weight, const float *bias, const local_shard *y) {
  for (int64_t row = 0; row < y->shape[0]; row++)
    for (int64_t column = 0; column < weight->shape[1]; column++) {
      float sum = bias ? bias[weight->offsets[1] + column] : 0;
      for (int64_t k = 0; k < weight->shape[0]; k++)
        sum += x[row * weight->shape[0] + k] * *element(&weight->view, k, column);
      *element(&y->view, row, column) = sum;
    }
}

/* linear(weight, x, bias=None) -> y: the weight is sharded, x and bias are row-major views, and y is a
 * new sharded tensor. */
static shardspec_status linear(void *ctx, const shardspec_spec *spec,
                               const shardspec_op_arguments *arguments, shardspec_value *results,
                               size_t result_count, shardspec_error *err) {
  (void)ctx;
  if (result_count != 1) return refuse(err, "it has one result");
  const float *elements = arguments->arg_count == 2 ? floats_of(&arguments->args[1], 2) : NULL;
  if (elements == NULL || arguments->args[0].kind != SHARDSPEC_VALUE_SHARDED_TENSOR)
    return refuse(err, "pass a sharded weight and a row-major view of x");
  const shardspec_sharded_tensor *weight = (const shardspec_sharded_tensor *)arguments->args[0].pointer;
  const shardspec_tensor_view *x = (const shardspec_tensor_view *)arguments->args[1].pointer;
  const shardspec_value *bias = NULL;
  for (size_t i = 0; i < arguments->kwarg_count; i++) {
    if (strcmp(arguments->kwarg_names[i], "bias") != 0) return refuse(err, "its only option is bias");
    bias = &arguments->kwargs[i];
    if (bias->kind == SHARDSPEC_VALUE_NONE) bias = NULL;
    if (bias != NULL && floats_of(bias, 1) == NULL) return refuse(err, "bias is a row-major view");
  }

  /* y is cut by the same spec, with as many rows as x, and the same shards are local. */
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_metadata *weights = NULL, *outputs = NULL;
  shardspec_sharded_tensor *y = NULL;
  int64_t sizes[2] = {0, 0};
  size_t locals, *indices = NULL;
  TRY(shardspec_sharded_tensor_local_count(weight, &locals, err));
  TRY(shardspec_sharded_tensor_metadata(weight, &weights, err));
  shardspec_status status = shardspec_metadata_sizes(weights, sizes, 2, NULL, err);
  if (status == SHARDSPEC_OK && x->shape[1] != sizes[0]) status = refuse(err, "x and the weight don't fit");
  if (status == SHARDSPEC_OK && bias != NULL &&
      ((const shardspec_tensor_view *)bias->pointer)->shape[0] != sizes[1])
    status = refuse(err, "bias and the weight don't fit");
  sizes[0] = x->shape[0];
  if (status == SHARDSPEC_OK) status = shardspec_metadata_properties(weights, &properties, err);
  if (status == SHARDSPEC_OK)
    status = shardspec_spec_build_metadata(spec, sizes, 2, &properties, &outputs, err);
  if (status == SHARDSPEC_OK && (indices = malloc(sizeof *indices * (locals + 1))) == NULL)
    status = refuse(err, "no memory");
  for (size_t local = 0; local < locals && status == SHARDSPEC_OK; local++)
    status = shardspec_sharded_tensor_local_index(weight, local, &indices[local], err);
  if (status == SHARDSPEC_OK)
    status = shardspec_sharded_tensor_new_for_indices(outputs, indices, locals, SHARDSPEC_FILL_UNINITIALIZED, &y, err);
  for (size_t local = 0; local < locals && status == SHARDSPEC_OK; local++) {
    local_shard from, to;
    status = get_local_shard(weight, weights, local, &from, err);
    if (status == SHARDSPEC_OK) status = get_local_shard(y, outputs, local, &to, err);
    if (status == SHARDSPEC_OK) multiply(elements, &from, bias ? floats_of(bias, 1) : NULL, &to);
  }
  free(indices);
  shardspec_metadata_free(weights, NULL);
  shardspec_metadata_free(outputs, NULL);
  if (status != SHARDSPEC_OK) {
    shardspec_sharded_tensor_free(y, NULL);
    return status;
  }
  results[0].kind = SHARDSPEC_VALUE_SHARDED_TENSOR;
  results[0].pointer = y;
  return SHARDSPEC_OK;
}

int main(void) {
  static const char *const placements[RANKS] = {"rank:0", "rank:1", "rank:2"}, *const names[] = {"bias"};
  static const int64_t w_sizes[] = {IN, OUT}, x_sizes[] = {BATCH, IN}, y_sizes[] = {BATCH, OUT}, b_sizes[] = {OUT};
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  float w[IN][OUT], x[BATCH][IN], b[OUT], wanted[BATCH][OUT], got[BATCH][OUT];
  shardspec_tensor_view w_view = view_of(w, SHARDSPEC_DTYPE_FLOAT, 32, w_sizes, 2);
  shardspec_tensor_view x_view = view_of(x, SHARDSPEC_DTYPE_FLOAT, 32, x_sizes, 2);
  shardspec_tensor_view b_view = view_of(b, SHARDSPEC_DTYPE_FLOAT, 32, b_sizes, 1);
  shardspec_tensor_view y_view = view_of(got, SHARDSPEC_DTYPE_FLOAT, 32, y_sizes, 2);
  shardspec_sharded_tensor *weight, *y;
  shardspec_spec *spec;
  shardspec_op *op;
  for (int i = 0; i < IN * OUT; i++) w[i / OUT][i % OUT] = (float)(i % 5) - 1.5f;
  for (int i = 0; i < BATCH * IN; i++) x[i / IN][i % IN] = (float)(i % 7) * 0.25f;
  for (int i = 0; i < OUT; i++) b[i] = (float)i;
  for (int row = 0; row < BATCH; row++)
    for (int column = 0; column < OUT; column++) {
      wanted[row][column] = b[column];
      for (int k = 0; k < IN; k++) wanted[row][column] += x[row][k] * w[k][column];
    }

  must(shardspec_op_register("chunk", "example.linear", linear, NULL, NULL, NULL, &op, &err), &err);
  must(shardspec_spec_new_chunk(1, placements, RANKS, &spec, &err), &err);
  /* All shards are in this process, so y can be gathered here. */
  must(shardspec_sharded_tensor_new_from_spec(spec, NULL, NULL, &w_view, NULL, &weight, &err), &err);
  shardspec_value args[] = {
      {SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, weight},
      {SHARDSPEC_VALUE_TENSOR_VIEW, 0, 0, 0, &x_view},
  };
  shardspec_value bias = {SHARDSPEC_VALUE_TENSOR_VIEW, 0, 0, 0, &b_view}, result;
  shardspec_op_arguments arguments = {sizeof arguments, args, 2, names, &bias, 1, NULL};
  must(shardspec_op_call(op, spec, &arguments, &result, 1, &err), &err);
  y = (shardspec_sharded_tensor *)result.pointer;
  must(shardspec_sharded_tensor_gather(y, &y_view, NULL, &err), &err);
  must(shardspec_sharded_tensor_free(y, &err), &err);
  must(shardspec_sharded_tensor_free(weight, &err), &err);
  must(shardspec_op_unregister(op, &err), &err);
  must(shardspec_spec_free(spec, &err), &err);
  int same = memcmp(got, wanted, sizeof got) == 0;
  printf("%d columns of y over %d ranks: %s\n", OUT, RANKS,
         same ? "what one layer gives" : "not what one layer gives");
  return same ? 0 : 1;
}
