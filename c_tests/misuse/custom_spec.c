/* Specs of your own, and the builder inside of their callback. */
#include "misuse.h"

static int destroyed;
static void destroy(void *ctx) { (void)ctx, destroyed++; }

/* Misuses the builder, and then uses it rightly. */
static shardspec_status build(void *ctx, const int64_t *sizes, const char *const *dim_names,
                              size_t ndim, const shardspec_tensor_properties *properties,
                              shardspec_metadata_builder *builder, shardspec_error *error) {
  static const int64_t minus[] = {-1, 0}, zero[] = {0, 0};
  static const char *const with_null[] = {"rank:0", NULL};
  (void)ctx, (void)dim_names, (void)properties;
  wrong_handles_for(NULL, builder, placement, metadata);
  wrong_handles[1] = chunk;
  WRONG_HANDLE(shardspec_metadata_builder, NULL_ARGUMENT, shardspec_metadata_builder_add_shard, H, zero, sizes, 2, "rank:0");
  MISUSE(NULL_ARGUMENT, "NULL offsets", shardspec_metadata_builder_add_shard, builder, NULL, sizes, 2, "rank:0");
  MISUSE(NULL_ARGUMENT, "NULL sizes", shardspec_metadata_builder_add_shard, builder, zero, NULL, 2, "rank:0");
  MISUSE(NDIM_MISMATCH, "ndim 1 of 2", shardspec_metadata_builder_add_shard, builder, zero, sizes, 1, "rank:0");
  MISUSE(NDIM_MISMATCH, "ndim SIZE_MAX", shardspec_metadata_builder_add_shard, builder, zero, sizes, SIZE_MAX, "rank:0");
  MISUSE(NULL_ARGUMENT, "NULL placement", shardspec_metadata_builder_add_shard, builder, zero, sizes, 2, NULL);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_metadata_builder_add_shard, builder, zero, sizes, 2, NOT_UTF8);
  MISUSE(INVALID_PLACEMENT, "no placement", shardspec_metadata_builder_add_shard, builder, zero, sizes, 2, "rank:0/x");
  WRONG_ERROR(shardspec_metadata_builder_add_shard, builder, zero, sizes, 2, "rank:0");

  WRONG_HANDLE(shardspec_metadata_builder, NULL_ARGUMENT, shardspec_metadata_builder_add_shard_with_placement_handle, H, zero, sizes, 2, placement);
  MISUSE(NULL_ARGUMENT, "NULL offsets", shardspec_metadata_builder_add_shard_with_placement_handle, builder, NULL, sizes, 2, placement);
  MISUSE(NDIM_MISMATCH, "ndim 0 of 2", shardspec_metadata_builder_add_shard_with_placement_handle, builder, zero, sizes, 0, placement);
  MISUSE(NULL_ARGUMENT, "NULL placement", shardspec_metadata_builder_add_shard_with_placement_handle, builder, zero, sizes, 2, NULL);
  MISUSE(INVALID_HANDLE, "spec as placement", shardspec_metadata_builder_add_shard_with_placement_handle, builder, zero, sizes, 2, (shardspec_placement *)chunk);
  WRONG_ERROR(shardspec_metadata_builder_add_shard_with_placement_handle, builder, zero, sizes, 2, placement);


  static const int64_t line[] = {0, 2};
  shardspec_shards *list, *lines, *unplaced, *freed;
  CHECK_OK(shardspec_shards_new_from_arrays(OFFSETS, SIZES, NULL, 2, 2, RANKS, 2, &list, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(line, SIZES, NULL, 1, 2, RANKS, 2, &lines, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(OFFSETS, SIZES, NULL, 2, 2, with_null, 2, &unplaced, &err));
  CHECK_OK(shardspec_shards_new(NULL, 0, &freed, &err));
  CHECK_OK(shardspec_shards_free(freed, &err));
  WRONG_HANDLE(shardspec_metadata_builder, NULL_ARGUMENT, shardspec_metadata_builder_add_shards, H, list);
  wrong_handles_for(freed, list, placement, chunk);
  WRONG_HANDLE(shardspec_shards, NULL_ARGUMENT, shardspec_metadata_builder_add_shards, builder, H);
  MISUSE(NDIM_MISMATCH, "ndim 1 of 2", shardspec_metadata_builder_add_shards, builder, lines);
  MISUSE(NULL_ARGUMENT, "a shard without a placement", shardspec_metadata_builder_add_shards, builder, unplaced);
  WRONG_ERROR(shardspec_metadata_builder_add_shards, builder, list);
  CHECK_OK(shardspec_shards_free(list, &err));
  CHECK_OK(shardspec_shards_free(lines, &err));
  CHECK_OK(shardspec_shards_free(unplaced, &err));

  /* Nothing of all that was added. */
  CHECK_EQUAL(ndim, 2);
  return ctx ? shardspec_metadata_builder_add_shard(builder, minus, sizes, 2, "rank:0", error)
             : shardspec_metadata_builder_add_shard(builder, zero, sizes, 2, "rank:0", error);
}

static void misuse_spec_fill_shard(shardspec_spec *right) {
  shardspec_copy_options small = {4, 0, 0};
#define SHARD(view, index, options) metadata, index, view, &shards[0], options
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_fill_shard, H, SHARD(&full, 0, NULL));
  MISUSE(INVALID_HANDLE, "spec as metadata", shardspec_spec_fill_shard, right, (shardspec_metadata *)right, 0, &full, &shards[0], NULL);
  MISUSE(NULL_ARGUMENT, "NULL metadata", shardspec_spec_fill_shard, right, NULL, 0, &full, &shards[0], NULL);
  MISUSE(INDEX_OUT_OF_RANGE, "index SIZE_MAX", shardspec_spec_fill_shard, right, SHARD(&full, SIZE_MAX, NULL));
  MISUSE(NULL_ARGUMENT, "NULL full", shardspec_spec_fill_shard, right, SHARD(NULL, 0, NULL));
  MISUSE(NULL_ARGUMENT, "NULL shard", shardspec_spec_fill_shard, right, metadata, 0, &full, NULL, NULL);
  MISUSE(NDIM_MISMATCH, "no dimensions", shardspec_spec_fill_shard, right, metadata, 0, &full, (shards[1].ndim = 0, &shards[1]), NULL);
  shards[1].ndim = 2;
  MISUSE(INVALID_ARGUMENT, "options of 4 bytes", shardspec_spec_fill_shard, right, SHARD(&full, 0, &small));
  WRONG_ERROR(shardspec_spec_fill_shard, right, SHARD(&full, 0, NULL));
}

void misuse_custom_specs(void) {
  shardspec_spec_vtable vtable = {sizeof vtable, destroy, build, NULL, NULL, NULL, 0, 0};
  shardspec_spec *custom, *freed;
  int made = 0;
  const shardspec_spec_vtable *odd = (const shardspec_spec_vtable *)(const void *)((const char *)&vtable + 1);
  CHECK_OK(shardspec_spec_new_custom("test.spec", &vtable, NULL, &custom, &err));
  CHECK_OK(shardspec_spec_new_custom("test.spec", &vtable, &made, &freed, &err));
  MISUSE(INVALID_ARGUMENT, "builds a negative offset", shardspec_spec_build_metadata, freed, TENSOR, 2, NULL, &out.metadata);
  CHECK_OK(shardspec_spec_free(freed, &err));
  CHECK_EQUAL(destroyed, 1);

  destroyed = 0;
  MISUSE(NULL_ARGUMENT, "NULL type_name", shardspec_spec_new_custom, NULL, &vtable, NULL, &out.spec);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_new_custom, NOT_UTF8, &vtable, NULL, &out.spec);
  MISUSE(INVALID_ARGUMENT, "empty type_name", shardspec_spec_new_custom, "", &vtable, NULL, &out.spec);
  MISUSE(INVALID_ARGUMENT, "a built-in type's name", shardspec_spec_new_custom, "chunk", &vtable, NULL, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_custom, "test.spec", &vtable, NULL, P);
  WRONG_ERROR(shardspec_spec_new_custom, "test.spec", &vtable, NULL, &out.spec);
  vtable.struct_size = 8;
  MISUSE(INVALID_ARGUMENT, "vtable of 8 bytes", shardspec_spec_new_custom, "test.spec", &vtable, NULL, &out.spec);
  vtable.struct_size = SIZE_MAX;
  MISUSE(INVALID_ARGUMENT, "vtable of SIZE_MAX bytes", shardspec_spec_new_custom, "test.spec", &vtable, NULL, &out.spec);
  vtable.struct_size = sizeof vtable;
  vtable.build_metadata = NULL;
  MISUSE(INVALID_ARGUMENT, "no build_metadata", shardspec_spec_new_custom, "test.spec", &vtable, NULL, &out.spec);
  CHECK_EQUAL(destroyed, 10);
  vtable.destroy = NULL;
  MISUSE(NULL_ARGUMENT, "NULL vtable", shardspec_spec_new_custom, "test.spec", NULL, NULL, &out.spec);
  memset(&vtable, 0, sizeof vtable);
  MISUSE(INVALID_ARGUMENT, "vtable not aligned", shardspec_spec_new_custom, "test.spec", odd, NULL, &out.spec);

  wrong_handles_for(freed, custom, placement, metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_custom_ctx, H, "test.spec", &out.pointer);
  MISUSE(WRONG_SPEC_TYPE, "chunk spec", shardspec_spec_custom_ctx, chunk, "chunk", &out.pointer);
  MISUSE(WRONG_SPEC_TYPE, "another type", shardspec_spec_custom_ctx, custom, "test.other", &out.pointer);
  MISUSE(NULL_ARGUMENT, "NULL type_name", shardspec_spec_custom_ctx, custom, NULL, &out.pointer);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_custom_ctx, custom, NOT_UTF8, &out.pointer);
  WRONG_OUT(void *, shardspec_spec_custom_ctx, custom, "test.spec", P);
  WRONG_ERROR(shardspec_spec_custom_ctx, custom, "test.spec", &out.pointer);
  misuse_spec_fill_shard(custom);
  MISUSE(WRONG_SPEC_TYPE, "custom spec", shardspec_spec_shard_count, custom, &out.size);
  MISUSE(WRONG_SPEC_TYPE, "custom spec", shardspec_spec_placement, custom, 0, &out.placement);

  shardspec_metadata *built;
  CHECK_OK(shardspec_spec_build_metadata(custom, TENSOR, 2, NULL, &built, &err));
  CHECK_OK(shardspec_metadata_free(built, &err));
  CHECK_OK(shardspec_spec_free(custom, &err));
  CHECK_EQUAL(destroyed, 11);
}
