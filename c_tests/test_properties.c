/* Tensor properties. */
#include "check.h"

_Static_assert(sizeof(shardspec_tensor_properties) == 32, "");
_Static_assert(offsetof(shardspec_tensor_properties, dtype) == 8, "");
_Static_assert(offsetof(shardspec_tensor_properties, layout) == 12, "");
_Static_assert(offsetof(shardspec_tensor_properties, memory_format) == 16, "");
_Static_assert(offsetof(shardspec_tensor_properties, requires_grad) == 20, "");
_Static_assert(offsetof(shardspec_tensor_properties, pin_memory) == 24, "");

static void defaults_are_those_of_torch(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  shardspec_tensor_properties p;
  memset(&p, 0x5a, sizeof p);
  p.struct_size = sizeof p;
  CHECK_OK(shardspec_tensor_properties_init(&p, &err));
  CHECK(memcmp(&p.dtype, &FLOAT32, sizeof FLOAT32) == 0);
  CHECK_EQUAL(p.layout, SHARDSPEC_LAYOUT_STRIDED);
  CHECK_EQUAL(p.memory_format, SHARDSPEC_MEMORY_FORMAT_CONTIGUOUS);
  CHECK_EQUAL(p.requires_grad, 0);
  CHECK_EQUAL(p.pin_memory, 0);
}

static void properties_are_carried_and_wrong_ones_refused(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  const char *placements[] = {"rank:0"};
  int64_t sizes[] = {4};
  shardspec_spec *spec;
  shardspec_metadata *metadata;
  shardspec_tensor_properties p = {sizeof p, {SHARDSPEC_DTYPE_BFLOAT, 16, 1},
                                   SHARDSPEC_LAYOUT_STRIDED, SHARDSPEC_MEMORY_FORMAT_CHANNELS_LAST,
                                   1, 1, 0};
  shardspec_tensor_properties back = {sizeof back, {0, 0, 0}, 9, 9, 9, 9, 9};
  CHECK_OK(shardspec_spec_new_chunk(0, placements, 1, &spec, &err));
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 1, &p, &metadata, &err));
  CHECK_OK(shardspec_metadata_properties(metadata, &back, &err));
  CHECK(memcmp(&p, &back, sizeof p) == 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));

  shardspec_tensor_properties wrong[5] = {p, p, p, p, p};
  wrong[0].layout = 99;
  wrong[1].memory_format = -1;
  wrong[2].requires_grad = 2;
  wrong[3].pin_memory = -1;
  wrong[4].struct_size = 8;
  for (size_t i = 0; i < COUNT(wrong); i++) {
    shardspec_metadata *out = NULL;
    CHECK_STATUS(shardspec_spec_build_metadata(spec, sizes, 1, &wrong[i], &out, &err),
                 SHARDSPEC_INVALID_ARGUMENT);
    CHECK(out == NULL);
  }
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  defaults_are_those_of_torch();
  properties_are_carried_and_wrong_ones_refused();
  return 0;
}
