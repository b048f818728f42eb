/* Specs of every type, and metadata made by them. */
#include "scenarios.h"

static const int64_t OFFSETS[] = {0, 0, 2, 0, 2, 3}, SIZES[] = {2, 6, 2, 3, 2, 3};

void chunk_specs(void) {
  shardspec_placement *placement;
  shardspec_spec *spec, *named, *placed;
  const char *const names[] = {"rows", "columns"};
  const int64_t sizes[] = {4, 6};
  CALL(OK, shardspec_placement_parse, "rank:1/cuda:2", &out.placement);
  placement = out.placement;
  const shardspec_placement *const placements[] = {placement, placement};
  CALL(OK, shardspec_spec_new_chunk, -1, RANKS, 4, &out.spec);
  spec = out.spec;
  CALL(OK, shardspec_spec_new_chunk_by_dim_name, "columns", RANKS, 4, &out.spec);
  named = out.spec;
  CALL(OK, shardspec_spec_new_chunk_with_placement_handles, 0, "rows", placements, 2, &out.spec);
  placed = out.spec;
  CALL(OK, shardspec_spec_type_name, spec, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "chunk");
  CALL(OK, shardspec_spec_chunk_dim, spec, &out.i64);
  CALL(WRONG_SPEC_TYPE, shardspec_spec_chunk_dim, named, &out.i64);
  CALL(OK, shardspec_spec_chunk_dim_name, named, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "columns");
  CALL(WRONG_SPEC_TYPE, shardspec_spec_chunk_dim_name, spec, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_spec_shard_count, spec, &out.size);
  CALL(OK, shardspec_spec_placement, spec, 1, &out.placement);
  FREE(shardspec_placement_free, out.placement);
  CALL(INDEX_OUT_OF_RANGE, shardspec_spec_placement, spec, 4, &out.placement);
  CALL(OK, shardspec_spec_equal, spec, named, &out.i32);
  CALL(OK, shardspec_spec_hash, spec, &out.u64);
  CALL(OK, shardspec_chunk_sharding_params, spec, 10, 4, 3, &out.i64, &out.other_i64);
  CHECK_EQUAL(out.i64, 9);
  CALL(NOT_FOUND, shardspec_chunk_sharding_params, spec, 10, 4, 7, &out.i64, &out.other_i64);
  CALL(OK, shardspec_spec_build_metadata_with_dim_names, named, sizes, names, 2, NULL, &out.metadata);
  FREE(shardspec_metadata_free, out.metadata);
  CALL(INVALID_DIM, shardspec_spec_build_metadata, named, sizes, 2, NULL, &out.metadata);
  CALL(INVALID_DIM, shardspec_spec_build_metadata_with_dim_names, placed, sizes, names + 1, 1, NULL,
       &out.metadata);
  FREE(shardspec_spec_free, spec);
  FREE(shardspec_spec_free, named);
  FREE(shardspec_spec_free, placed);
  FREE(shardspec_placement_free, placement);
}

void enumerable_specs(void) {
  const shardspec_shard_metadata listed[] = {
      {2, OFFSETS, SIZES, "rank:0"}, {2, OFFSETS + 2, SIZES + 2, "rank:1/cuda:1"},
      {2, OFFSETS + 4, SIZES + 4, "trainer1"}};
  const uint32_t indices[] = {1, 0, 1};
  const int64_t sizes[] = {4, 6};
  shardspec_placement *placement;
  shardspec_spec *spec, *flat;
  CALL(OK, shardspec_placement_parse, "rank:1/cuda:2", &out.placement);
  placement = out.placement;
  const shardspec_placement *const placements[] = {placement, placement, placement};
  OF_LIST(OK, shardspec_spec_new_enumerable, shardspec_shards_new, listed, 3);
  spec = out.spec;
  OF_LIST(OK, shardspec_spec_new_enumerable, shardspec_shards_new_from_arrays, OFFSETS, SIZES, indices, 2, 3, RANKS, 2);
  flat = out.spec;
  OF_LIST(OK, shardspec_spec_new_enumerable, shardspec_shards_new_from_arrays_with_placement_handles, OFFSETS, SIZES,
          NULL, 2, 3, placements, 3);
  FREE(shardspec_spec_free, out.spec);
  CALL(OK, shardspec_spec_type_name, spec, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_spec_equal, spec, flat, &out.i32);
  CALL(OK, shardspec_spec_hash, spec, &out.u64);
  CALL(OK, shardspec_spec_placement, flat, 2, &out.placement);
  FREE(shardspec_placement_free, out.placement);
  CALL(OK, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  FREE(shardspec_metadata_free, out.metadata);
  CALL(OK, shardspec_spec_build_metadata, flat, sizes, 2, NULL, &out.metadata);
  FREE(shardspec_metadata_free, out.metadata);
  FREE(shardspec_spec_free, spec);
  FREE(shardspec_spec_free, flat);
  FREE(shardspec_placement_free, placement);
}

void inferred_specs(void) {
  const int64_t offsets[] = {2, 0, 0, 0}, sizes[] = {2, 6, 2, 6};
  const shardspec_shard_metadata listed[] = {{2, offsets, sizes, "rank:0"},
                                             {2, offsets + 2, sizes + 2, "rank:1"}};
  shardspec_placement *placement;
  CALL(OK, shardspec_placement_parse, "trainer0", &out.placement);
  placement = out.placement;
  const shardspec_placement *const placements[] = {placement, placement, placement};
  OF_LIST(OK, shardspec_spec_infer, shardspec_shards_new, listed, 2);
  FREE(shardspec_spec_free, out.spec);
  OF_LIST(OK, shardspec_spec_infer, shardspec_shards_new_from_arrays, offsets, sizes, NULL, 2, 2, RANKS, 2);
  FREE(shardspec_spec_free, out.spec);
  OF_LIST(OK, shardspec_spec_infer, shardspec_shards_new_from_arrays_with_placement_handles, OFFSETS, SIZES, NULL, 2,
          3, placements, 3);
  FREE(shardspec_spec_free, out.spec);
  /* A grid, column after column, whose rows are not alike. */
  const int64_t corners[] = {0, 0, 1, 0, 0, 2, 1, 2}, boxes[] = {1, 2, 3, 2, 1, 4, 3, 4};
  OF_LIST(OK, shardspec_spec_infer, shardspec_shards_new_from_arrays, corners, boxes, NULL, 2, 4, RANKS, 4);
  FREE(shardspec_spec_free, out.spec);
  const int64_t turned[] = {1, 2, 1, 0, 0, 2, 0, 0}, turned_boxes[] = {3, 4, 3, 2, 1, 4, 1, 2};
  OF_LIST(OK, shardspec_spec_infer, shardspec_shards_new_from_arrays, turned, turned_boxes, NULL, 2, 4, RANKS, 4);
  FREE(shardspec_spec_free, out.spec);
  OF_LIST(OK, shardspec_spec_infer_compat, shardspec_shards_new_from_arrays, corners, boxes, NULL, 2, 4, RANKS, 4);
  FREE(shardspec_spec_free, out.spec);
  FREE(shardspec_placement_free, placement);
}

void refused_specs(void) {
  const int64_t overlapping[] = {0, 0, 1, 1, 1, 3}, past[] = {0, 0, 4, 0, 2, 3}, sizes[] = {4, 6},
                negative[] = {-3, 4}, gap[] = {0, 0, 2, 0};
  const uint32_t indices[] = {1, 0, 7};
  const char *const wrong[] = {"rank:0", "rank:1/a device that there is not"};
  const shardspec_shard_metadata listed[] = {{2, OFFSETS, SIZES, "rank:0"},
                                             {1, OFFSETS, SIZES, "rank:1"}};
  const shardspec_placement *const none[] = {NULL};
  CALL(INVALID_ARGUMENT, shardspec_spec_new_chunk, 0, RANKS, 0, &out.spec);
  CALL(INVALID_PLACEMENT, shardspec_spec_new_chunk, 0, wrong, 2, &out.spec);
  CALL(INVALID_ARGUMENT, shardspec_spec_new_chunk_by_dim_name, "", RANKS, 2, &out.spec);
  CALL(NULL_ARGUMENT, shardspec_spec_new_chunk_with_placement_handles, 0, NULL, none, 1, &out.spec);
  OF_LIST(OVERLAP, shardspec_spec_new_enumerable, shardspec_shards_new_from_arrays, overlapping, SIZES, NULL, 2, 3, RANKS, 3);
  CALL(NDIM_MISMATCH, shardspec_shards_new, listed, 2, &out.shards);
  CALL(INDEX_OUT_OF_RANGE, shardspec_shards_new_from_arrays, OFFSETS, SIZES, indices, 2, 3, RANKS, 2, &out.shards);
  CALL(INVALID_ARGUMENT, shardspec_shards_new_from_arrays, negative, SIZES, NULL, 1, 2, RANKS, 2, &out.shards);
  OF_LIST(OVERLAP, shardspec_spec_infer, shardspec_shards_new_from_arrays, overlapping, SIZES, NULL, 2, 3, RANKS, 3);
  OF_LIST(OK, shardspec_spec_new_enumerable, shardspec_shards_new_from_arrays, past, SIZES, NULL, 2, 3, RANKS, 3);
  shardspec_spec *spec = out.spec;
  CALL(OUT_OF_BOUNDS, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  CALL(NDIM_MISMATCH, shardspec_spec_build_metadata, spec, sizes, 1, NULL, &out.metadata);
  FREE(shardspec_spec_free, spec);
  OF_LIST(OK, shardspec_spec_new_enumerable, shardspec_shards_new_from_arrays, gap, SIZES, NULL, 2, 2, RANKS, 2);
  spec = out.spec;
  CALL(GAP, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  FREE(shardspec_spec_free, spec);
  CALL(INVALID_HANDLE, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
}

/* By rows, with each of the builder's functions, and an error of its own where there are 5 rows. */
static shardspec_status build(void *ctx, const int64_t *sizes, const char *const *dim_names, size_t ndim,
                              const shardspec_tensor_properties *properties,
                              shardspec_metadata_builder *builder, shardspec_error *error) {
  const int64_t offsets[] = {0, 0, 1, 0, 2, 0, 3, 0}, lengths[] = {1, 6, 1, 6, 1, 6, 1, 6};
  shardspec_placement *placement = NULL;
  (void)ctx, (void)dim_names, (void)properties, (void)ndim;
  if (sizes[0] == 5) {
    strcpy(error->message, "five rows are not for me");
    return SHARDSPEC_USER_STATUS + 5;
  }
  shardspec_status status =
      NESTED(shardspec_metadata_builder_add_shard, builder, offsets, lengths, 2, "rank:0", error);
  if (status != SHARDSPEC_OK) return status;
  status = NESTED(shardspec_placement_parse, "rank:1", &placement, error);
  if (status != SHARDSPEC_OK) return status;
  status = NESTED(shardspec_metadata_builder_add_shard_with_placement_handle, builder, offsets + 2, lengths + 2, 2,
                  placement, error);
  CHECK(NESTED(shardspec_placement_free, placement, NULL) == SHARDSPEC_OK);
  if (status != SHARDSPEC_OK) return status;
  shardspec_shards *rest;
  status = NESTED(shardspec_shards_new_from_arrays, offsets + 4, lengths + 4, NULL, 2, 2, RANKS + 2, 2, &rest,
                  error);
  if (status != SHARDSPEC_OK) return status;
  status = NESTED(shardspec_metadata_builder_add_shards, builder, rest, error);
  CHECK(NESTED(shardspec_shards_free, rest, NULL) == SHARDSPEC_OK);
  return status == SHARDSPEC_OK ? SHARDSPEC_CALLBACK_OK : status;
}

static shardspec_status fill(void *ctx, const shardspec_metadata *metadata, size_t index,
                             const shardspec_tensor_view *full, const shardspec_tensor_view *shard,
                             const shardspec_copy_options *options, shardspec_error *error) {
  (void)ctx;
  shardspec_status status =
      NESTED(shardspec_metadata_extract_shard, metadata, index, full, shard, options, error);
  return status == SHARDSPEC_OK ? SHARDSPEC_CALLBACK_OK : status;
}

static int32_t equal(void *ctx, void *other_ctx) { return ctx == other_ctx; }
static uint64_t hash(void *ctx) { return (uint64_t)(uintptr_t)ctx; }

void specs_of_my_own(void) {
  shardspec_spec_vtable vtable = {.struct_size = sizeof vtable, .destroy = end_context,
                                  .build_metadata = build, .fill_shard = fill, .equal = equal, .hash = hash,
                                  .success_status = SHARDSPEC_CALLBACK_OK};
  int64_t sizes[] = {4, 6}, five[] = {5, 6}, three[] = {3, 6}, shape[] = {1, 6};
  float data[24], row[6];
  shardspec_tensor_view full = view_of(data, FLOAT32, sizes, 2), shard = view_of(row, FLOAT32, shape, 2);
  const char *const names[] = {"rows", "columns"};
  shardspec_metadata *metadata;
  shardspec_spec *spec;
  for (int i = 0; i < 24; i++) data[i] = (float)i;
  CALL(OK, shardspec_spec_new_custom, "acme.rows", &vtable, context(), &out.spec);
  spec = out.spec;
  CALL(INVALID_ARGUMENT, shardspec_spec_new_custom, "chunk", &vtable, context(), &out.spec);
  CALL(OK, shardspec_spec_custom_ctx, spec, "acme.rows", &out.pointer);
  CALL(WRONG_SPEC_TYPE, shardspec_spec_custom_ctx, spec, "acme.columns", &out.pointer);
  CALL(OK, shardspec_spec_type_name, spec, out.text, sizeof out.text, &out.size);
  CALL(WRONG_SPEC_TYPE, shardspec_spec_shard_count, spec, &out.size);
  CALL(WRONG_SPEC_TYPE, shardspec_spec_placement, spec, 0, &out.placement);
  CALL(OK, shardspec_spec_equal, spec, spec, &out.i32);
  CALL(OK, shardspec_spec_hash, spec, &out.u64);
  CALL(OK, shardspec_spec_build_metadata_with_dim_names, spec, sizes, names, 2, NULL, &out.metadata);
  metadata = out.metadata;
  written_next(row, sizeof row);
  CALL(OK, shardspec_spec_fill_shard, spec, metadata, 2, &full, &shard, NULL);
  CHECK_EQUAL(row[1], 13);
  do {
    call_begins("shardspec_spec_build_metadata", __FILE__, __LINE__);
  } while (call_ends(shardspec_spec_build_metadata(spec, five, 2, NULL, &out.metadata, &err),
                     SHARDSPEC_USER_STATUS + 5));
  CALL(OUT_OF_BOUNDS, shardspec_spec_build_metadata, spec, three, 2, NULL, &out.metadata);
  FREE(shardspec_metadata_free, metadata);
  FREE(shardspec_spec_free, spec);
  contexts_are_ended();
}
