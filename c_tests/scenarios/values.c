/* Texts, numbers, placements. */
#include "scenarios.h"

void texts_and_numbers(void) {
  shardspec_dtype dtype;
  uint32_t abi = 0;
  CALL(OK, shardspec_status_text, SHARDSPEC_OVERLAP, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "OVERLAP");
  CALL(BUFFER_TOO_SMALL, shardspec_status_text, SHARDSPEC_OVERLAP, out.text, 3, &out.size);
  CALL(NOT_FOUND, shardspec_status_text, 999, out.text, sizeof out.text, &out.size);
  RUN("shardspec_abi_version", abi = shardspec_abi_version());
  CHECK_EQUAL(abi, SHARDSPEC_ABI_VERSION);
  CALL(OK, shardspec_version_text, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, SHARDSPEC_VERSION);
  CALL(OK, shardspec_dtype_parse, "float32x4", &out.dtype);
  dtype = out.dtype;
  CALL(INVALID_ARGUMENT, shardspec_dtype_parse, "no such type, and a long text at that", &out.dtype);
  CALL(OK, shardspec_dtype_text, &dtype, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "float32x4");
  dtype.code = 200;
  CALL(OK, shardspec_dtype_text, &dtype, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_dtype_itemsize, &dtype, &out.size);
  CALL(OK, shardspec_dtype_bytes, &dtype, 10, &out.size);
  CHECK_EQUAL(out.size, 160);
  CALL(INVALID_ARGUMENT, shardspec_dtype_bytes, &dtype, -1, &out.size);
  dtype.lanes = 1, dtype.bits = 4;
  CALL(UNSUPPORTED, shardspec_dtype_itemsize, &dtype, &out.size);
  CALL(OK, shardspec_tensor_properties_init, &out.properties);
  CALL(OK, shardspec_struct_size, "shardspec_cut", &out.size);
  CALL(NOT_FOUND, shardspec_struct_size, "shardspec_no_such_struct", &out.size);
  CALL(OK, shardspec_struct_init, "shardspec_tensor_properties", &out.properties, sizeof out.properties);
  CHECK_EQUAL(out.properties.dtype.bits, 32);
  CALL(INVALID_ARGUMENT, shardspec_struct_init, "shardspec_tensor_properties", &out.properties, 8);
  shardspec_error own;
  RUN("shardspec_error_init", CHECK_EQUAL(shardspec_error_init(&own, sizeof own), SHARDSPEC_OK));
  RUN("shardspec_error_set", CHECK_EQUAL(shardspec_error_set(&own, SHARDSPEC_GAP, "caf\xe9!"), SHARDSPEC_GAP));
  RUN("shardspec_error_message", CHECK_TEXT(shardspec_error_message(&own), "caf\xef\xbf\xbd!"));
  CALL(OK, shardspec_chunk_split_size, 10, 4, &out.i64);
  CHECK_EQUAL(out.i64, 3);
  CALL(INVALID_ARGUMENT, shardspec_chunk_split_size, 10, 0, &out.i64);
  CALL(OK, shardspec_chunk_dim_size, 10, 3, 3, &out.i64);
  CHECK_EQUAL(out.i64, 1);
  CALL(INVALID_ARGUMENT, shardspec_chunk_dim_size, -10, 3, 3, &out.i64);
}

void placements_of_every_kind(void) {
  shardspec_placement *rank, *worker, *device;
  CALL(OK, shardspec_placement_parse, "rank:1/cuda:2", &out.placement);
  rank = out.placement;
  CALL(OK, shardspec_placement_parse, "a trainer with a long name/cpu", &out.placement);
  worker = out.placement;
  CALL(OK, shardspec_placement_parse, "cuda:1", &out.placement);
  device = out.placement;
  CALL(INVALID_PLACEMENT, shardspec_placement_parse, "rank:minus one/cuda:900", &out.placement);
  CALL(INVALID_ARGUMENT, shardspec_placement_parse, "rank:\xff\xfe/cpu", &out.placement);
  CALL(OK, shardspec_placement_text, rank, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "rank:1/cuda:2");
  CALL(OK, shardspec_placement_text, worker, out.text, sizeof out.text, &out.size);
  CALL(BUFFER_TOO_SMALL, shardspec_placement_text, worker, out.text, 5, &out.size);
  CALL(OK, shardspec_placement_type_name, device, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_placement_rank, rank, &out.i64);
  CHECK_EQUAL(out.i64, 1);
  CALL(OK, shardspec_placement_worker_name, worker, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "a trainer with a long name");
  CALL(NOT_FOUND, shardspec_placement_worker_name, rank, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_placement_device_type, rank, &out.i32);
  CALL(OK, shardspec_placement_device_index, rank, &out.i32);
  CHECK_EQUAL(out.i32, 2);
  CALL(OK, shardspec_placement_equal, rank, worker, &out.i32);
  CHECK_EQUAL(out.i32, 0);
  CALL(OK, shardspec_placement_hash, worker, &out.u64);
  FREE(shardspec_placement_free, rank);
  FREE(shardspec_placement_free, worker);
  FREE(shardspec_placement_free, device);
  CALL(INVALID_HANDLE, shardspec_placement_text, rank, out.text, sizeof out.text, &out.size);
  CALL(INVALID_HANDLE, shardspec_placement_free, rank);
}

static int32_t equal(void *ctx, void *other_ctx) { return ctx == other_ctx; }
static uint64_t hash(void *ctx) { return (uint64_t)(uintptr_t)ctx; }

void placements_of_my_own(void) {
  shardspec_placement_vtable vtable = {.struct_size = sizeof vtable, .destroy = end_context,
                                       .equal = equal, .hash = hash};
  shardspec_placement *rack, *other;
  shardspec_metadata *metadata;
  shardspec_spec *spec;
  const int64_t sizes[] = {4, 6};
  CALL(OK, shardspec_placement_new_custom, "acme.rack", "rack 1 of hall 2", 1, &vtable, context(),
       &out.placement);
  rack = out.placement;
  CALL(OK, shardspec_placement_new_custom, "acme.rack", "rack 2 of hall 2", 2, &vtable, context(),
       &out.placement);
  other = out.placement;
  CALL(INVALID_ARGUMENT, shardspec_placement_new_custom, "device", "rack 2", 2, &vtable, context(),
       &out.placement);
  CALL(OK, shardspec_placement_custom_ctx, rack, "acme.rack", &out.pointer);
  CALL(NOT_FOUND, shardspec_placement_custom_ctx, rack, "acme.shelf", &out.pointer);
  CALL(OK, shardspec_placement_text, rack, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_placement_type_name, rack, out.text, sizeof out.text, &out.size);
  CALL(NOT_FOUND, shardspec_placement_device_type, rack, &out.i32);
  CALL(OK, shardspec_placement_equal, rack, other, &out.i32);
  CALL(OK, shardspec_placement_hash, rack, &out.u64);
  const shardspec_placement *const placed[] = {rack, other, rack};
  CALL(OK, shardspec_spec_new_chunk_with_placement_handles, 0, NULL, placed, 3, &out.spec);
  spec = out.spec;
  CALL(OK, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  metadata = out.metadata;
  CALL(OK, shardspec_metadata_placement, metadata, 1, &out.placement);
  FREE(shardspec_placement_free, out.placement);
  FREE(shardspec_placement_free, rack);
  FREE(shardspec_placement_free, other);
  FREE(shardspec_metadata_free, metadata);
  FREE(shardspec_spec_free, spec);
  contexts_are_ended();
}
