/* Sizes and defaults of structs, for programs without macros. */
#include "check.h"

typedef struct known {
  const char *name;
  size_t size;
  int has_size; /* begins with struct_size */
} known;

#define FIXED(name) {#name, sizeof(name), 0}
#define GROWS(name) {#name, sizeof(name), 1}
static const known STRUCTS[] = {
    GROWS(shardspec_error),
    GROWS(shardspec_runtime_ctx),
    FIXED(shardspec_dtype),
    GROWS(shardspec_tensor_properties),
    FIXED(shardspec_shard_metadata),
    GROWS(shardspec_segment),
    GROWS(shardspec_cut),
    GROWS(shardspec_pad),
    GROWS(shardspec_partial),
    GROWS(shardspec_mesh_layout),
    FIXED(shardspec_device),
    FIXED(shardspec_tensor_view),
    GROWS(shardspec_copy_options),
    FIXED(shardspec_managed_tensor),
    FIXED(shardspec_legacy_managed_tensor),
    GROWS(shardspec_placement_vtable),
    GROWS(shardspec_spec_vtable),
    FIXED(shardspec_message),
    GROWS(shardspec_comm_vtable),
    GROWS(shardspec_comm_options),
    GROWS(shardspec_comm_tensor),
    FIXED(shardspec_value),
    GROWS(shardspec_op_arguments),
    GROWS(shardspec_op_options),
    FIXED(shardspec_stretch),
    FIXED(shardspec_run),
};

static shardspec_error err = SHARDSPEC_ERROR_INIT;

static void every_struct_has_a_size_and_defaults(void) {
  for (size_t i = 0; i < COUNT(STRUCTS); i++) {
    const known *one = &STRUCTS[i];
    union {
      uint64_t struct_size;
      unsigned char bytes[2048];
    } at;
    size_t size = 0;
    CHECK_OK(shardspec_struct_size(one->name, &size, &err));
    CHECK_EQUAL(size, one->size);
    memset(&at, 0x5a, sizeof at);
    CHECK_OK(shardspec_struct_init(one->name, &at, size, &err));
    if (one->has_size) CHECK_EQUAL(at.struct_size, size);
    const int has_others =
        strcmp(one->name, "shardspec_error") == 0 || strcmp(one->name, "shardspec_tensor_properties") == 0;
    for (size_t byte = one->has_size ? 8 : 0; byte < size && !has_others; byte++)
      if (at.bytes[byte] != 0) FAIL("%s: byte %zu is %d", one->name, byte, at.bytes[byte]);
    for (size_t byte = size; byte < sizeof at; byte++)
      if (at.bytes[byte] != 0x5a) FAIL("%s: byte %zu behind it was written", one->name, byte);
  }
}

static void the_defaults_are_those_of_the_macros(void) {
  shardspec_error error;
#define SAME(type, init)                                                                           \
  do {                                                                                             \
    static const type by_macro = init;                                                             \
    type by_function;                                                                              \
    CHECK_OK(shardspec_struct_init(#type, &by_function, sizeof by_function, &err));                \
    CHECK(memcmp(&by_macro, &by_function, sizeof by_macro) == 0);                                  \
  } while (0)
  SAME(shardspec_error, SHARDSPEC_ERROR_INIT);
  SAME(shardspec_runtime_ctx, SHARDSPEC_RUNTIME_CTX_INIT);
  SAME(shardspec_tensor_properties, SHARDSPEC_TENSOR_PROPERTIES_INIT);
  SAME(shardspec_segment, SHARDSPEC_SEGMENT_INIT);
  SAME(shardspec_cut, SHARDSPEC_CUT_INIT);
  SAME(shardspec_pad, SHARDSPEC_PAD_INIT);
  SAME(shardspec_partial, SHARDSPEC_PARTIAL_INIT);
  SAME(shardspec_mesh_layout, SHARDSPEC_MESH_LAYOUT_INIT);
  SAME(shardspec_copy_options, SHARDSPEC_COPY_OPTIONS_INIT);
  SAME(shardspec_placement_vtable, SHARDSPEC_PLACEMENT_VTABLE_INIT);
  SAME(shardspec_spec_vtable, SHARDSPEC_SPEC_VTABLE_INIT);
  SAME(shardspec_comm_vtable, SHARDSPEC_COMM_VTABLE_INIT);
  SAME(shardspec_comm_options, SHARDSPEC_COMM_OPTIONS_INIT);
  SAME(shardspec_comm_tensor, SHARDSPEC_COMM_TENSOR_INIT);
  SAME(shardspec_op_arguments, SHARDSPEC_OP_ARGUMENTS_INIT);
  SAME(shardspec_op_options, SHARDSPEC_OP_OPTIONS_INIT);
  CHECK_OK(shardspec_struct_init("shardspec_error", &error, SHARDSPEC_ERROR_SHORT_SIZE, &err));
  CHECK(error.struct_size == SHARDSPEC_ERROR_SHORT_SIZE && error.dim == -1);
}

/* A program that was compiled with a newer header, or with an older one. */
static void structs_of_other_versions_are_prepared_too(void) {
  uint64_t larger[64];
  shardspec_spec_vtable vtable;
  memset(larger, 0x5a, sizeof larger);
  CHECK_OK(shardspec_struct_init("shardspec_copy_options", larger, sizeof larger, &err));
  CHECK_EQUAL(larger[0], sizeof larger);
  for (size_t i = 1; i < COUNT(larger); i++) CHECK_EQUAL(larger[i], 0);
  memset(&vtable, 0x5a, sizeof vtable);
  CHECK_OK(shardspec_struct_init("shardspec_spec_vtable", &vtable, 48, &err));
  CHECK(vtable.struct_size == 48 && vtable.build_metadata == NULL && vtable.hash == NULL);
  CHECK(vtable.success_status == 0x5a5a5a5a && vtable.reserved == 0x5a5a5a5a);
}

static void what_is_no_struct_or_no_size_of_one_is_refused(void) {
  shardspec_copy_options options = {77, 77, 77};
  size_t size = 77;
  CHECK_STATUS(shardspec_struct_size("shardspec_spec", &size, &err), SHARDSPEC_NOT_FOUND);
  CHECK_MESSAGE("shardspec_spec");
  CHECK_EQUAL(size, 77);
  CHECK_STATUS(shardspec_struct_init("shardspec_copy_options", &options, 8, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("size: 8 is no size of it; pass sizeof(shardspec_copy_options), 16");
  CHECK_STATUS(shardspec_struct_init("shardspec_copy_options", &options, 4097, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_struct_init("shardspec_device", &options, 16, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK(options.struct_size == 77 && options.max_threads == 77 && options.hints == 77);
}

/* One rule for all structs: the size must be set. The library would have to guess otherwise. */
static void a_struct_of_zeros_is_refused_everywhere(void) {
  static const char *const ranks[] = {"rank:0"}, *const axes[] = {"x"};
  static const int64_t size = 1;
  shardspec_error zeros;
  shardspec_tensor_properties properties;
  shardspec_mesh_layout layout;
  shardspec_spec_vtable spec_vtable;
  shardspec_placement_vtable placement_vtable;
  shardspec_spec *spec, *made = NULL;
  shardspec_mesh *mesh;
  shardspec_metadata *metadata = NULL;
  shardspec_placement *placement = NULL;
  memset(&zeros, 0, sizeof zeros), memset(&properties, 0, sizeof properties), memset(&layout, 0, sizeof layout);
  memset(&spec_vtable, 0, sizeof spec_vtable), memset(&placement_vtable, 0, sizeof placement_vtable);
  CHECK_OK(shardspec_spec_new_chunk(0, ranks, 1, &spec, &err));
  CHECK_EQUAL(shardspec_spec_build_metadata(spec, &size, 1, NULL, &metadata, &zeros), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_spec_build_metadata(spec, &size, 1, &properties, &metadata, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("its struct_size is 0; set it to sizeof(shardspec_tensor_properties)");
  CHECK_OK(shardspec_mesh_new(axes, &size, 1, ranks, 1, &mesh, &err));
  CHECK_STATUS(shardspec_spec_new_mesh(mesh, &layout, &made, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_spec_new_custom("acme.none", &spec_vtable, NULL, &made, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_STATUS(shardspec_placement_new_custom("acme.none", "none", -1, &placement_vtable, NULL, &placement, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK(zeros.status == SHARDSPEC_OK && made == NULL && metadata == NULL && placement == NULL);
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

int main(void) {
  every_struct_has_a_size_and_defaults();
  the_defaults_are_those_of_the_macros();
  structs_of_other_versions_are_prepared_too();
  what_is_no_struct_or_no_size_of_one_is_refused();
  a_struct_of_zeros_is_refused_everywhere();
  return 0;
}
