/* Meshes, and specs over them. */
#include "scenarios.h"

static const char *const AXES[] = {"dp", "tp"};
static const int64_t AXIS_SIZES[] = {2, 2};

void meshes(void) {
  shardspec_placement *placement;
  shardspec_mesh *mesh, *same, *placed, *row;
  CALL(OK, shardspec_mesh_new, AXES, AXIS_SIZES, 2, NULL, 0, &out.mesh);
  mesh = out.mesh;
  CALL(OK, shardspec_mesh_new, AXES, AXIS_SIZES, 2, RANKS, 4, &out.mesh);
  same = out.mesh;
  CALL(OK, shardspec_mesh_equal, mesh, same, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  FREE(shardspec_mesh_free, same);
  CALL(INVALID_ARGUMENT, shardspec_mesh_new, AXES, AXIS_SIZES, 2, RANKS, 3, &out.mesh);
  CALL(OK, shardspec_placement_parse, "rank:1/cuda:2", &out.placement);
  placement = out.placement;
  const shardspec_placement *const placements[] = {placement, placement, placement, placement};
  CALL(OK, shardspec_mesh_new_with_placement_handles, AXES, AXIS_SIZES, 2, placements, 4, &out.mesh);
  placed = out.mesh;
  CALL(OK, shardspec_mesh_new_submesh, mesh, "dp", 1, &out.mesh);
  row = out.mesh;
  CALL(INVALID_ARGUMENT, shardspec_mesh_new_submesh, mesh, "an axis that this mesh lacks", 0, &out.mesh);
  CALL(OK, shardspec_mesh_ndim, row, &out.size);
  CHECK_EQUAL(out.size, 1);
  CALL(OK, shardspec_mesh_device_count, mesh, &out.size);
  CALL(OK, shardspec_mesh_axis_name, row, 0, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "tp");
  CALL(OK, shardspec_mesh_get_axis_sizes, mesh, out.numbers, 32, &out.size);
  CALL(OK, shardspec_mesh_get_coordinates, mesh, 2, out.sizes, 16, &out.size);
  CHECK(out.size == 2 && out.sizes[0] == 1 && out.sizes[1] == 0);
  CALL(OK, shardspec_mesh_text, placed, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_mesh_hash, placed, &out.u64);
  CALL(OK, shardspec_mesh_placement, row, 1, &out.placement);
  FREE(shardspec_placement_free, out.placement);
  FREE(shardspec_placement_free, placement);
  FREE(shardspec_mesh_free, mesh);
  FREE(shardspec_mesh_free, placed);
  FREE(shardspec_mesh_free, row);
}

/* Every rule, on a 2 x 2 mesh, and one axis that is partial. */
static shardspec_spec *spec_over(const shardspec_mesh *mesh) {
  static const int64_t sizes[] = {3, 5}, weights[] = {1, 2};
  shardspec_segment segments[] = {SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT};
  segments[0].size = 8, segments[0].rule = SHARDSPEC_RULE_SIZES;
  segments[0].values = sizes, segments[0].value_count = 2;
  segments[1].size = 4, segments[1].rule = SHARDSPEC_RULE_WEIGHTS;
  segments[1].values = weights, segments[1].value_count = 2;
  segments[2].size = 4;
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_pad pad = SHARDSPEC_PAD_INIT;
  shardspec_partial partial = SHARDSPEC_PARTIAL_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  cut.dim_name = "columns", cut.axis = "tp", cut.rule = SHARDSPEC_RULE_CYCLIC, cut.block = 3;
  cut.segments = segments, cut.segment_count = 3;
  pad.dim = -1, pad.multiple = 8;
  partial.axis = "dp", partial.reduction = SHARDSPEC_REDUCTION_MAX;
  layout.cuts = &cut, layout.cut_count = 1;
  layout.pads = &pad, layout.pad_count = 1;
  layout.partials = &partial, layout.partial_count = 1;
  CALL(OK, shardspec_spec_new_mesh, mesh, &layout, &out.spec);
  shardspec_spec *spec = out.spec;
  layout.flatten_count = 1;
  CALL(INVALID_ARGUMENT, shardspec_spec_new_mesh, mesh, &layout, &out.spec);
  return spec;
}

static void spec_is_asked(const shardspec_spec *spec) {
  CALL(OK, shardspec_spec_mesh, spec, &out.mesh);
  FREE(shardspec_mesh_free, out.mesh);
  CALL(OK, shardspec_spec_text, spec, out.text, sizeof out.text, &out.size);
  CALL(OK, shardspec_spec_type_name, spec, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "mesh");
}

static void parts_are_put_together(const shardspec_metadata *metadata, const char *const *names) {
  shardspec_partial partial = SHARDSPEC_PARTIAL_INIT;
  partial.axis = "dp", partial.reduction = SHARDSPEC_REDUCTION_MAX;
  CALL(OK, shardspec_metadata_get_flattening, metadata, NULL, &out.size);
  CHECK_EQUAL(out.size, 0);
  CALL(OK, shardspec_metadata_mesh, metadata, &out.mesh);
  shardspec_mesh *mesh = out.mesh;
  CALL(OK, shardspec_metadata_new_on_mesh, metadata, mesh, &partial, 1, &out.metadata);
  shardspec_metadata *arranged = out.metadata;
  FREE(shardspec_mesh_free, mesh);
  CALL(OK, shardspec_metadata_new_with_dim_names, arranged, names, 2, &out.metadata);
  shardspec_metadata *again = out.metadata;
  FREE(shardspec_metadata_free, arranged);
  CALL(OK, shardspec_metadata_equal, metadata, again, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  CALL(NDIM_MISMATCH, shardspec_metadata_new_with_dim_names, again, names, 1, &out.metadata);
  FREE(shardspec_metadata_free, again);
}

void specs_over_a_mesh(void) {
  static const char *const names[] = {"rows", "columns"};
  static const int64_t sizes[] = {4, 13};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  CALL(OK, shardspec_mesh_new, AXES, AXIS_SIZES, 2, NULL, 0, &out.mesh);
  shardspec_mesh *mesh = out.mesh;
  shardspec_spec *spec = spec_over(mesh);
  FREE(shardspec_mesh_free, mesh);
  spec_is_asked(spec);
  CALL(OK, shardspec_spec_build_metadata_with_dim_names, spec, sizes, names, 2, NULL, &out.metadata);
  shardspec_metadata *metadata = out.metadata;
  CALL(INVALID_DIM, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  FREE(shardspec_spec_free, spec);
  CALL(OK, shardspec_metadata_mesh, metadata, &out.mesh);
  FREE(shardspec_mesh_free, out.mesh);
  CALL(OK, shardspec_metadata_get_coordinates, metadata, 3, out.sizes, 16, &out.size);
  CALL(OK, shardspec_metadata_dim_name, metadata, 1, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "columns");
  CALL(OK, shardspec_metadata_partial_count, metadata, &out.size);
  CALL(OK, shardspec_metadata_partial, metadata, 0, out.text, sizeof out.text, &out.size, &out.i32);
  CHECK(strcmp(out.text, "dp") == 0 && out.i32 == SHARDSPEC_REDUCTION_MAX);
  parts_are_put_together(metadata, names);
  FREE(shardspec_metadata_free, metadata);

  cut.rule = SHARDSPEC_RULE_BALANCED, cut.even = 1;
  CALL(OK, shardspec_spec_new_cut, &cut, RANKS, 4, &out.spec);
  spec = out.spec;
  CALL(OK, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  FREE(shardspec_metadata_free, out.metadata);
  FREE(shardspec_spec_free, spec);
  CALL(OK, shardspec_cut_check, &cut, 12, 4);
  CALL(ILLEGAL_CUT, shardspec_cut_check, &cut, 13, 4);

  const int64_t lengths[] = {32, 8};
  const shardspec_cut cuts[] = {cut, SHARDSPEC_CUT_INIT};
  CALL(OK, shardspec_cuts_check_degrees, cuts, lengths, 2, 16, out.numbers);
  CHECK(out.numbers[2] == 0 && out.numbers[15] == -1);
}

/* Specs as texts of other programs, and back. */
void notations(void) {
  static const int32_t dtensor = SHARDSPEC_NOTATION_DTENSOR, jax = SHARDSPEC_NOTATION_JAX;
  static const int32_t xla = SHARDSPEC_NOTATION_XLA, shardy = SHARDSPEC_NOTATION_SHARDY;
  CALL(OK, shardspec_mesh_new, AXES, AXIS_SIZES, 2, NULL, 0, &out.mesh);
  shardspec_mesh *mesh = out.mesh;
  CALL(OK, shardspec_spec_parse, dtensor, "_S(0, 2)S(0)", mesh, &out.spec);
  shardspec_spec *spec = out.spec;
  CALL(OK, shardspec_spec_format, spec, jax, 2, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "P(('tp', 'dp'), None)");
  CALL(OK, shardspec_spec_format, spec, dtensor, 0, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "_S(0, 2)S(0)");
  FREE(shardspec_spec_free, spec);
  CALL(OK, shardspec_spec_parse, jax, "P('tp', unreduced={'dp'})", mesh, &out.spec);
  spec = out.spec;
  CALL(OK, shardspec_spec_format, spec, jax, 0, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "P('tp', unreduced={'dp'})");
  CALL(OK, shardspec_spec_format, spec, dtensor, 0, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "P(sum)S(0)");
  FREE(shardspec_spec_free, spec);
  CALL(OK, shardspec_spec_parse, xla, "{devices=[4,1]0,2,1,3}", mesh, &out.spec);
  spec = out.spec;
  CALL(OK, shardspec_spec_format, spec, xla, 2, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "{devices=[4,1]<=[2,2]T(1,0)}");
  CALL(OK, shardspec_spec_format, spec, shardy, 1, out.text, sizeof out.text, &out.size);
  CHECK_TEXT(out.text, "sharding<@mesh, [{\"tp\", \"dp\"}]>");
  FREE(shardspec_spec_free, spec);
  CALL(OK, shardspec_spec_parse, xla, "{maximal device=3}", mesh, &out.spec);
  FREE(shardspec_spec_free, out.spec);
  CALL(OK, shardspec_spec_parse, shardy, "#sdy.sharding<@mesh, [{\"dp\"}], unreduced={\"tp\"}>", mesh, &out.spec);
  FREE(shardspec_spec_free, out.spec);
  CALL(INVALID_ARGUMENT, shardspec_spec_parse, xla, "{devices=[2,2]<=[5]}", mesh, &out.spec);
  CALL(UNSUPPORTED, shardspec_spec_parse, shardy, "sharding<@mesh, [{?}]>", mesh, &out.spec);
  const int64_t descriptor[] = {1, 0, 10, 8, 2, 3, 0, 1, 6}, wrong[] = {1, 0, 10, 8, 0, 3, 0, 1, 6};
  CALL(OK, shardspec_spec_new_scalapack, descriptor, 9, mesh, 0, &out.spec);
  spec = out.spec;
  CALL(OK, shardspec_spec_get_scalapack, spec, 10, 8, 0, 0, out.numbers, 32, &out.size);
  CHECK(out.size == 9 && memcmp(out.numbers, descriptor, sizeof descriptor) == 0);
  FREE(shardspec_spec_free, spec);
  CALL(INVALID_ARGUMENT, shardspec_spec_new_scalapack, wrong, 9, mesh, 0, &out.spec);
  CALL(OK, shardspec_numroc, 10, 2, 0, 0, 2, &out.numbers[0]);
  CHECK_EQUAL(out.numbers[0], 6);
  CALL(INVALID_ARGUMENT, shardspec_spec_parse, dtensor, "RX", mesh, &out.spec);
  CALL(INVALID_ARGUMENT, shardspec_spec_parse, jax, "P('an axis that this mesh lacks')", mesh, &out.spec);
  CALL(UNSUPPORTED, shardspec_spec_parse, jax, "P(P.UNCONSTRAINED)", mesh, &out.spec);
  FREE(shardspec_mesh_free, mesh);
}

/* Replicas, and a linked tensor, of a mesh of which one axis replicates. */
void linked_tensors_and_replicas(void) {
  static const int64_t sizes[] = {6, 8}, blocks[] = {1, 2}, wide[] = {1, 3};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  cut.dim = 1, cut.axis = "tp", cut.rule = SHARDSPEC_RULE_CYCLIC, cut.block = 2;
  layout.cuts = &cut, layout.cut_count = 1;
  CALL(OK, shardspec_mesh_new, AXES, AXIS_SIZES, 2, NULL, 0, &out.mesh);
  shardspec_mesh *mesh = out.mesh;
  CALL(OK, shardspec_spec_new_mesh, mesh, &layout, &out.spec);
  shardspec_spec *spec = out.spec;
  FREE(shardspec_mesh_free, mesh);
  CALL(OK, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  shardspec_metadata *weight = out.metadata;
  FREE(shardspec_spec_free, spec);
  CALL(ILLEGAL_CUT, shardspec_metadata_blocks, weight, wide, 2, &out.metadata);
  CALL(OK, shardspec_metadata_blocks, weight, blocks, 2, &out.metadata);
  shardspec_metadata *scales = out.metadata;
  FREE(shardspec_metadata_free, weight);
  CALL(OK, shardspec_metadata_sizes, scales, out.numbers, 2, &out.size);
  CHECK(out.numbers[0] == 6 && out.numbers[1] == 4);
  CALL(OK, shardspec_metadata_replica, scales, 3, &out.size, &out.other_size);
  CHECK(out.size == 1 && out.other_size == 1);
  FREE(shardspec_metadata_free, scales);
}
