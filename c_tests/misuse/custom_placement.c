/* Placements of your own, and what takes placements by their handles. */
#include "misuse.h"

static void misuse_placed_specs(void) {
  const shardspec_placement *placements[] = {placement, placement};
  const shardspec_placement *with_null[] = {placement, NULL};
  const shardspec_placement *with_spec[] = {placement, (const shardspec_placement *)(const void *)chunk};
  const shardspec_placement *const *odd = (const shardspec_placement *const *)(const void *)((const char *)placements + 1);

  MISUSE(INVALID_ARGUMENT, "no placements", shardspec_spec_new_chunk_with_placement_handles, 0, NULL, placements, 0, &out.spec);
  MISUSE(NULL_ARGUMENT, "NULL placements", shardspec_spec_new_chunk_with_placement_handles, 0, NULL, NULL, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "placements not aligned", shardspec_spec_new_chunk_with_placement_handles, 0, NULL, odd, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", shardspec_spec_new_chunk_with_placement_handles, 0, NULL, placements, SIZE_MAX, &out.spec);
  MISUSE(NULL_ARGUMENT, "a NULL placement", shardspec_spec_new_chunk_with_placement_handles, 0, NULL, with_null, 2, &out.spec);
  MISUSE(INVALID_HANDLE, "spec as placement", shardspec_spec_new_chunk_with_placement_handles, 0, NULL, with_spec, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "empty name", shardspec_spec_new_chunk_with_placement_handles, 0, "", placements, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_new_chunk_with_placement_handles, 0, NOT_UTF8, placements, 2, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_chunk_with_placement_handles, 0, NULL, placements, 2, P);
  WRONG_ERROR(shardspec_spec_new_chunk_with_placement_handles, 0, NULL, placements, 2, &out.spec);
}

void misuse_custom_placements(void) {
  shardspec_placement_vtable small = {31, NULL, NULL, NULL}, right = {sizeof right, NULL, NULL, NULL};
  const shardspec_placement_vtable *odd = (const shardspec_placement_vtable *)(const void *)((const char *)&right + 1);
  shardspec_placement *own, *freed;
  CHECK_OK(shardspec_placement_new_custom("test.place", "here", -1, &right, &own, &own, &err));
  CHECK_OK(shardspec_placement_new_custom("test.place", "there", -1, NULL, NULL, &freed, &err));
  CHECK_OK(shardspec_placement_free(freed, &err));
  MISUSE(NULL_ARGUMENT, "NULL type_name", shardspec_placement_new_custom, NULL, "here", 0, &right, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_placement_new_custom, NOT_UTF8, "here", 0, &right, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "the built-in type's name", shardspec_placement_new_custom, "device", "here", 0, &right, NULL, &out.placement);
  MISUSE(NULL_ARGUMENT, "NULL text", shardspec_placement_new_custom, "test.place", NULL, 0, &right, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "empty text", shardspec_placement_new_custom, "test.place", "", 0, &right, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "rank -2", shardspec_placement_new_custom, "test.place", "here", -2, &right, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "vtable of 31 bytes", shardspec_placement_new_custom, "test.place", "here", 0, &small, NULL, &out.placement);
  MISUSE(INVALID_ARGUMENT, "vtable not aligned", shardspec_placement_new_custom, "test.place", "here", 0, odd, NULL, &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_placement_new_custom, "test.place", "here", 0, &right, NULL, P);
  WRONG_ERROR(shardspec_placement_new_custom, "test.place", "here", 0, &right, NULL, &out.placement);

  wrong_handles_for(freed, own, chunk, metadata);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_custom_ctx, H, "test.place", &out.pointer);
  MISUSE(NOT_FOUND, "built-in placement", shardspec_placement_custom_ctx, placement, "device", &out.pointer);
  MISUSE(NOT_FOUND, "another type", shardspec_placement_custom_ctx, own, "test.other", &out.pointer);
  MISUSE(NULL_ARGUMENT, "NULL type_name", shardspec_placement_custom_ctx, own, NULL, &out.pointer);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_placement_custom_ctx, own, NOT_UTF8, &out.pointer);
  WRONG_OUT(void *, shardspec_placement_custom_ctx, own, "test.place", P);
  WRONG_ERROR(shardspec_placement_custom_ctx, own, "test.place", &out.pointer);
  MISUSE(NOT_FOUND, "type without device", shardspec_placement_device_type, own, &out.i32);
  MISUSE(NOT_FOUND, "type without device", shardspec_placement_device_index, own, &out.i32);
  MISUSE(NOT_FOUND, "type without worker", shardspec_placement_worker_name, own, out.text, 64, &out.needed);

  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_placement_type_name, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_placement_type_name, own, BUFFER, CAPACITY, NULL);
  WRONG_ERROR(shardspec_placement_type_name, own, out.text, 64, &out.needed);

  wrong_handles_for(freed, metadata, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_placement, H, 0, &out.placement);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_metadata_placement, metadata, SIZE_MAX, &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_metadata_placement, metadata, 0, P);
  WRONG_ERROR(shardspec_metadata_placement, metadata, 0, &out.placement);
  misuse_placed_specs();
  CHECK_OK(shardspec_placement_free(own, &err));
}
