/* Layouts as JSON and as bytes: written, read, damaged. */
#include "scenarios.h"

static const char *const AXES[] = {"dp", "tp"};
static const int64_t AXIS_SIZES[] = {2, 2};

/* A spec over a mesh with a pad, a segment and a partial axis. */
static shardspec_spec *blocks_of_a_mesh(void) {
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_pad pad = SHARDSPEC_PAD_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  cut.dim = 1, cut.axis = "tp", cut.rule = SHARDSPEC_RULE_CYCLIC, cut.block = 2;
  pad.dim = 1, pad.multiple = 8;
  layout.cuts = &cut, layout.cut_count = 1, layout.pads = &pad, layout.pad_count = 1;
  CALL(OK, shardspec_mesh_new, AXES, AXIS_SIZES, 2, NULL, 0, &out.mesh);
  shardspec_mesh *mesh = out.mesh;
  CALL(OK, shardspec_spec_new_mesh, mesh, &layout, &out.spec);
  shardspec_spec *spec = out.spec;
  FREE(shardspec_mesh_free, mesh);
  return spec;
}

static void specs_come_back(shardspec_spec *spec) {
  char text[512];
  CALL(OK, shardspec_spec_to_json, spec, out.text, sizeof out.text, &out.size);
  size_t length = out.size;
  memcpy(text, out.text, length);
  CALL(OK, shardspec_spec_new_from_json, text, length - 1, &out.spec);
  shardspec_spec *again = out.spec;
  CALL(OK, shardspec_spec_equal, spec, again, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  FREE(shardspec_spec_free, again);
  CALL(INVALID_ARGUMENT, shardspec_spec_new_from_json, text, length - 2, &out.spec);
  CALL(OK, shardspec_spec_to_bytes, spec, (uint8_t *)out.text, sizeof out.text, &out.size);
  length = out.size;
  memcpy(text, out.text, length);
  CALL(OK, shardspec_spec_new_from_bytes, (uint8_t *)text, length, &out.spec);
  again = out.spec;
  CALL(OK, shardspec_spec_equal, spec, again, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  FREE(shardspec_spec_free, again);
  text[length - 1] ^= 1;
  CALL(INVALID_ARGUMENT, shardspec_spec_new_from_bytes, (uint8_t *)text, length, &out.spec);
}

void layouts_as_text_and_bytes(void) {
  static const char *const OWNERS[] = {"rank:0", "rank:1/cuda:1"};
  static const int64_t sizes[] = {2, 11};
  static const char unknown[] = "{\"kind\":\"a kind that nobody knows\"}";
  static const char wrong[] = "{\"kind\":\"shardspec.spec\",\"version\":1,\"chunk\":{\"dim\":0,\"placements\":[\"x:y\"]}}";
  char text[512];
  uint8_t bytes[1024];
  CALL(OK, shardspec_spec_new_chunk, -1, OWNERS, 2, &out.spec);
  shardspec_spec *spec = out.spec;
  specs_come_back(spec);
  FREE(shardspec_spec_free, spec);
  spec = blocks_of_a_mesh();
  specs_come_back(spec);
  CALL(OK, shardspec_spec_build_metadata, spec, sizes, 2, NULL, &out.metadata);
  shardspec_metadata *metadata = out.metadata;
  FREE(shardspec_spec_free, spec);

  CALL(OK, shardspec_metadata_to_json, metadata, out.text, sizeof out.text, &out.size);
  size_t length = out.size;
  memcpy(text, out.text, length);
  CALL(OK, shardspec_metadata_new_from_json, text, length - 1, &out.metadata);
  shardspec_metadata *again = out.metadata;
  CALL(OK, shardspec_metadata_equal, metadata, again, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  CALL(OK, shardspec_plan_new, metadata, again, &out.plan);
  shardspec_plan *plan = out.plan;
  CALL(OK, shardspec_plan_to_json, plan, out.text, sizeof out.text, &out.size);
  FREE(shardspec_plan_free, plan);
  FREE(shardspec_metadata_free, again);
  CALL(OK, shardspec_metadata_to_bytes, metadata, NULL, 0, &out.size);
  CHECK(out.size <= sizeof bytes);
  CALL(OK, shardspec_metadata_to_bytes, metadata, bytes, sizeof bytes, &out.size);
  length = out.size;
  CALL(OK, shardspec_metadata_new_from_bytes, bytes, length, &out.metadata);
  again = out.metadata;
  CALL(OK, shardspec_metadata_equal, metadata, again, &out.i32);
  CHECK_EQUAL(out.i32, 1);
  FREE(shardspec_metadata_free, again);
  bytes[40] ^= 1;
  CALL(INVALID_ARGUMENT, shardspec_metadata_new_from_bytes, bytes, length, &out.metadata);
  CALL(UNSUPPORTED, shardspec_metadata_new_from_json, unknown, sizeof unknown - 1, &out.metadata);
  CALL(INVALID_PLACEMENT, shardspec_spec_new_from_json, wrong, sizeof wrong - 1, &out.spec);
  FREE(shardspec_metadata_free, metadata);
}
