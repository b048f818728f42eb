/* What the tests of ops share: a spec, a sharded tensor to call ops with, and a small op. */
#ifndef SHARDSPEC_TESTS_OP_H
#define SHARDSPEC_TESTS_OP_H

#include "check.h"

static shardspec_error err = SHARDSPEC_ERROR_INIT;
static shardspec_spec *spec;
static shardspec_metadata *metadata;
static shardspec_sharded_tensor *tensor;
static shardspec_value one_value;
static shardspec_op_arguments one_tensor;

static inline shardspec_value sharded(shardspec_sharded_tensor *handle) {
  shardspec_value value = {SHARDSPEC_VALUE_SHARDED_TENSOR, 0, 0, 0, handle};
  return value;
}

static inline void set_up(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {4, 3};
  shardspec_tensor_properties properties = {sizeof properties, {0, 0, 0}, 0, 0, 0, 0, 0};
  CHECK_OK(shardspec_tensor_properties_init(&properties, &err));
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 2, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 2, &properties, &metadata, &err));
  CHECK_OK(shardspec_sharded_tensor_new(metadata, NULL, SHARDSPEC_FILL_ZERO, &tensor, &err));
  one_value = sharded(tensor);
  one_tensor = (shardspec_op_arguments){sizeof one_tensor, &one_value, 1, NULL, NULL, 0, NULL};
}

static inline void tear_down(void) {
  CHECK_OK(shardspec_sharded_tensor_free(tensor, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* Counts its calls in an int. */
static inline shardspec_status count_call(void *ctx, const shardspec_spec *given,
                                          const shardspec_op_arguments *arguments,
                                          shardspec_value *results, size_t result_count,
                                          shardspec_error *error) {
  (void)given, (void)arguments, (void)results, (void)result_count, (void)error;
  ++*(int *)ctx;
  return SHARDSPEC_OK;
}

/* An op without a destroy. */
static inline shardspec_op *register_op(const char *spec_type, const char *name, shardspec_op_fn function,
                                        void *ctx) {
  shardspec_op *op;
  CHECK_OK(shardspec_op_register(spec_type, name, function, ctx, NULL, NULL, &op, &err));
  return op;
}

/* For specs of a type of one's own that are never asked. */
static inline shardspec_status no_metadata(void *ctx, const int64_t *sizes, const char *const *dim_names,
                                           size_t ndim, const shardspec_tensor_properties *properties,
                                           shardspec_metadata_builder *builder, shardspec_error *error) {
  (void)ctx, (void)sizes, (void)dim_names, (void)ndim, (void)properties, (void)builder, (void)error;
  return SHARDSPEC_USER_STATUS;
}

#endif
