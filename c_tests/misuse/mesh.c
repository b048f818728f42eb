/* Meshes, cuts and specs over a mesh. */
#include "misuse.h"

static const char *const AXES[2] = {"dp", "tp"};
static const int64_t AXIS_SIZES[2] = {1, 2};
static shardspec_mesh *mesh, *freed;

static void make_meshes(void) {
  CHECK_OK(shardspec_mesh_new(AXES, AXIS_SIZES, 2, NULL, 0, &mesh, &err));
  CHECK_OK(shardspec_mesh_new(AXES, AXIS_SIZES, 2, NULL, 0, &freed, &err));
  CHECK_OK(shardspec_mesh_free(freed, &err));
  wrong_handles_for(freed, mesh, placement, metadata);
}

/* Both constructors, with right placements. */
#define WRONG_AXES(function, where)                                                                \
  MISUSE(NULL_ARGUMENT, "NULL names", function, NULL, AXIS_SIZES, 2, where, 2, &out.mesh);         \
  MISUSE(NULL_ARGUMENT, "NULL sizes", function, AXES, NULL, 2, where, 2, &out.mesh);               \
  MISUSE(NULL_ARGUMENT, "a NULL name", function, with_null, AXIS_SIZES, 2, where, 2, &out.mesh);   \
  MISUSE(INVALID_ARGUMENT, "an empty name", function, empty, AXIS_SIZES, 2, where, 2, &out.mesh);  \
  MISUSE(INVALID_ARGUMENT, "one name twice", function, twice, AXIS_SIZES, 2, where, 2, &out.mesh); \
  MISUSE(INVALID_ARGUMENT, "not UTF-8", function, not_utf8, AXIS_SIZES, 2, where, 2, &out.mesh);   \
  MISUSE(INVALID_ARGUMENT, "a size of 0", function, AXES, zero, 2, where, 2, &out.mesh);           \
  MISUSE(INVALID_ARGUMENT, "a negative size", function, AXES, minus, 2, where, 2, &out.mesh);      \
  MISUSE(OVERFLOW, "2^62 devices", function, AXES, many, 2, where, 2, &out.mesh);                  \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX axes", function, AXES, AXIS_SIZES, SIZE_MAX, where, 2, &out.mesh); \
  MISUSE(INVALID_ARGUMENT, "1 placement for 2", function, AXES, AXIS_SIZES, 2, where, 1, &out.mesh); \
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", function, AXES, AXIS_SIZES, 2, where, SIZE_MAX, &out.mesh); \
  MISUSE(NULL_ARGUMENT, "NULL placements", function, AXES, AXIS_SIZES, 2, NULL, 2, &out.mesh);     \
  WRONG_OUT(shardspec_mesh *, function, AXES, AXIS_SIZES, 2, where, 2, P);                         \
  WRONG_ERROR(function, AXES, AXIS_SIZES, 2, where, 2, &out.mesh)

static void misuse_mesh_constructors(void) {
  static const char *const with_null[] = {"dp", NULL}, *const empty[] = {"dp", ""}, *const twice[] = {"dp", "dp"};
  static const char *const bad[] = {"rank:0", "rank:0/x"};
  static const int64_t zero[] = {2, 0}, minus[] = {-1, 2}, many[] = {INT64_C(1) << 31, INT64_C(1) << 31};
  const char *const not_utf8[] = {NOT_UTF8, "tp"};
  const shardspec_placement *const handles[] = {placement, placement};
  WRONG_AXES(shardspec_mesh_new, RANKS);
  MISUSE(INVALID_PLACEMENT, "no placement", shardspec_mesh_new, AXES, AXIS_SIZES, 2, bad, 2, &out.mesh);
  WRONG_AXES(shardspec_mesh_new_with_placement_handles, handles);
  MISUSE(INVALID_ARGUMENT, "no placements", shardspec_mesh_new_with_placement_handles, AXES, AXIS_SIZES, 2, handles, 0, &out.mesh);
  shardspec_placement *freed_placement;
  CHECK_OK(shardspec_placement_parse("rank:1", &freed_placement, &err));
  CHECK_OK(shardspec_placement_free(freed_placement, &err));
  wrong_handles_for(freed_placement, placement, mesh, metadata);
  WRONG_HANDLE(shardspec_placement, NULL_ARGUMENT, shardspec_mesh_new_with_placement_handles, AXES, AXIS_SIZES, 2,
               ((const shardspec_placement *const[]){placement, H}), 2, &out.mesh);
  wrong_handles_for(freed, mesh, placement, metadata);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_new_submesh, H, "tp", 0, &out.mesh);
  MISUSE(NULL_ARGUMENT, "NULL axis", shardspec_mesh_new_submesh, mesh, NULL, 0, &out.mesh);
  MISUSE(INVALID_ARGUMENT, "unknown axis", shardspec_mesh_new_submesh, mesh, "pp", 0, &out.mesh);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_mesh_new_submesh, mesh, NOT_UTF8, 0, &out.mesh);
  MISUSE(INDEX_OUT_OF_RANGE, "coordinate 2 of 2", shardspec_mesh_new_submesh, mesh, "tp", 2, &out.mesh);
  MISUSE(INDEX_OUT_OF_RANGE, "coordinate SIZE_MAX", shardspec_mesh_new_submesh, mesh, "tp", SIZE_MAX, &out.mesh);
  WRONG_OUT(shardspec_mesh *, shardspec_mesh_new_submesh, mesh, "tp", 0, P);
  WRONG_ERROR(shardspec_mesh_new_submesh, mesh, "tp", 0, &out.mesh);
}

/* A question with a list of `type` for its answer, about the handle and the arguments before it. */
#define WRONG_ANSWER(place, type, function, ...)                                                   \
  MISUSE(BUFFER_TOO_SMALL, "capacity 1", function, __VA_ARGS__, place, 1, &out.needed);            \
  MISUSE(NULL_ARGUMENT, "NULL output", function, __VA_ARGS__, NULL, 2, &out.needed);               \
  MISUSE(INVALID_ARGUMENT, "capacity SIZE_MAX", function, __VA_ARGS__, place, SIZE_MAX, &out.needed); \
  MISUSE(INVALID_ARGUMENT, "output not aligned", function, __VA_ARGS__,                            \
         (type *)(void *)((char *)(place) + 1), 2, &out.needed);                                   \
  MISUSE(INVALID_ARGUMENT, "needed not aligned", function, __VA_ARGS__, place, 2,                  \
         (size_t *)(void *)((char *)&out.needed + 1));                                             \
  WRONG_ERROR(function, __VA_ARGS__, place, 2, &out.needed)

static void misuse_mesh_questions(void) {
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_ndim, H, &out.size);
  WRONG_OUT(size_t, shardspec_mesh_ndim, mesh, P);
  WRONG_ERROR(shardspec_mesh_ndim, mesh, &out.size);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_device_count, H, &out.size);
  WRONG_OUT(size_t, shardspec_mesh_device_count, mesh, P);
  WRONG_ERROR(shardspec_mesh_device_count, mesh, &out.size);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_axis_name, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "axis 2 of 2", shardspec_mesh_axis_name, mesh, 2, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_mesh_axis_name, mesh, 0, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_mesh_axis_name, mesh, 0, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_text, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_mesh_text, mesh, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_mesh_text, mesh, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_get_axis_sizes, H, out.numbers, 2, &out.needed);
  WRONG_ANSWER(out.numbers, int64_t, shardspec_mesh_get_axis_sizes, mesh);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_get_coordinates, H, 0, out.indices, 2, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "device 2 of 2", shardspec_mesh_get_coordinates, mesh, 2, out.indices, 2, &out.needed);
  WRONG_ANSWER(out.indices, size_t, shardspec_mesh_get_coordinates, mesh, 0);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_placement, H, 0, &out.placement);
  MISUSE(INDEX_OUT_OF_RANGE, "device 2 of 2", shardspec_mesh_placement, mesh, 2, &out.placement);
  MISUSE(INDEX_OUT_OF_RANGE, "device SIZE_MAX", shardspec_mesh_placement, mesh, SIZE_MAX, &out.placement);
  WRONG_OUT(shardspec_placement *, shardspec_mesh_placement, mesh, 0, P);
  WRONG_ERROR(shardspec_mesh_placement, mesh, 0, &out.placement);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_equal, H, mesh, &out.i32);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_equal, mesh, H, &out.i32);
  WRONG_OUT(int32_t, shardspec_mesh_equal, mesh, mesh, P);
  WRONG_ERROR(shardspec_mesh_equal, mesh, mesh, &out.i32);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_mesh_hash, H, &out.u64);
  WRONG_OUT(uint64_t, shardspec_mesh_hash, mesh, P);
  WRONG_ERROR(shardspec_mesh_hash, mesh, &out.u64);
  WRONG_HANDLE(shardspec_mesh, OK, shardspec_mesh_free, H);
  WRONG_ERROR(shardspec_mesh_free, mesh);
}

void misuse_meshes(void) {
  make_meshes();
  misuse_mesh_constructors();
  misuse_mesh_questions();
  CHECK_OK(shardspec_mesh_free(mesh, &err));
}

/* A right layout, of which each misuse changes something: a cut, or what the layout says besides. */
static shardspec_cut cuts[2];
static shardspec_segment segments[2];
static shardspec_pad pads[1];
static shardspec_partial partials[1];
static shardspec_mesh_layout layout;

static void make_right_layout(void) {
  cuts[0] = cuts[1] = (shardspec_cut)SHARDSPEC_CUT_INIT;
  segments[0] = segments[1] = (shardspec_segment)SHARDSPEC_SEGMENT_INIT;
  pads[0] = (shardspec_pad)SHARDSPEC_PAD_INIT;
  partials[0] = (shardspec_partial)SHARDSPEC_PARTIAL_INIT;
  layout = (shardspec_mesh_layout)SHARDSPEC_MESH_LAYOUT_INIT;
  cuts[0].axis = "tp";
  cuts[1].dim = 1, cuts[1].axis = "dp";
  segments[0].size = segments[1].size = 2;
  pads[0].multiple = 2;
  partials[0].axis = "dp";
  layout.cuts = cuts, layout.cut_count = 1;
}

/* A layout that is right but for the change. */
#define LAYOUT(status, misuse, change)                                                             \
  do {                                                                                             \
    make_right_layout();                                                                           \
    change;                                                                                        \
    MISUSE(status, misuse, shardspec_spec_new_mesh, mesh, &layout, &out.spec);                     \
  } while (0)

static void misuse_layouts(void) {
  static const int64_t values[] = {1, -1}, zeros[] = {0, 0};
  LAYOUT(INVALID_ARGUMENT, "a layout of 8 bytes", layout.struct_size = 8);
  LAYOUT(NULL_ARGUMENT, "NULL cuts", layout.cuts = NULL);
  LAYOUT(INVALID_ARGUMENT, "SIZE_MAX cuts", layout.cut_count = SIZE_MAX);
  LAYOUT(INVALID_ARGUMENT, "cuts not aligned", layout.cuts = (void *)((char *)cuts + 4));
  LAYOUT(INVALID_ARGUMENT, "no struct_size", cuts[0].struct_size = 0);
  LAYOUT(INVALID_ARGUMENT, "no struct_size in a second cut", (layout.cut_count = 2, cuts[1].struct_size = 0));
  LAYOUT(NULL_ARGUMENT, "NULL axis", cuts[0].axis = NULL);
  LAYOUT(INVALID_ARGUMENT, "unknown axis", cuts[0].axis = "pp");
  LAYOUT(INVALID_ARGUMENT, "axis not UTF-8", cuts[0].axis = NOT_UTF8);
  LAYOUT(INVALID_ARGUMENT, "an axis twice", (layout.cut_count = 2, cuts[1].axis = "tp"));
  LAYOUT(INVALID_ARGUMENT, "empty dim_name", cuts[0].dim_name = "");
  LAYOUT(INVALID_ARGUMENT, "dim_name not UTF-8", cuts[0].dim_name = NOT_UTF8);
  LAYOUT(INVALID_ARGUMENT, "rule 6", cuts[0].rule = 6);
  LAYOUT(INVALID_ARGUMENT, "rule -1", cuts[0].rule = -1);
  LAYOUT(INVALID_ARGUMENT, "even 2", cuts[0].even = 2);
  LAYOUT(INVALID_ARGUMENT, "granule -1", cuts[0].granule = -1);
  LAYOUT(INVALID_ARGUMENT, "repeat -2", cuts[0].repeat = -2);
  LAYOUT(INVALID_ARGUMENT, "listed pieces repeated as needed",
         (cuts[0].rule = SHARDSPEC_RULE_SIZES, cuts[0].values = zeros, cuts[0].value_count = 2,
          cuts[0].repeat = SHARDSPEC_REPEAT_AS_NEEDED));
  LAYOUT(ILLEGAL_CUT, "repeat 3 of 2", cuts[0].repeat = 3);
  LAYOUT(INVALID_ARGUMENT, "block of a chunk", cuts[0].block = 1);
  LAYOUT(INVALID_ARGUMENT, "first of a chunk", cuts[0].first = 1);
  LAYOUT(INVALID_ARGUMENT, "values of a chunk", (cuts[0].values = zeros, cuts[0].value_count = 2));
  LAYOUT(INVALID_ARGUMENT, "block -1", (cuts[0].rule = SHARDSPEC_RULE_CYCLIC, cuts[0].block = -1));
  LAYOUT(INVALID_ARGUMENT, "first -1", (cuts[0].rule = SHARDSPEC_RULE_CYCLIC, cuts[0].first = -1));
  LAYOUT(INVALID_ARGUMENT, "no values", cuts[0].rule = SHARDSPEC_RULE_SIZES);
  LAYOUT(NULL_ARGUMENT, "NULL values", (cuts[0].rule = SHARDSPEC_RULE_SIZES, cuts[0].value_count = 2));
  LAYOUT(INVALID_ARGUMENT, "a negative value", (cuts[0].rule = SHARDSPEC_RULE_SIZES, cuts[0].values = values, cuts[0].value_count = 2));
  LAYOUT(INVALID_ARGUMENT, "weights of 0", (cuts[0].rule = SHARDSPEC_RULE_WEIGHTS, cuts[0].values = zeros, cuts[0].value_count = 2));
  LAYOUT(INVALID_ARGUMENT, "SIZE_MAX values", (cuts[0].values = zeros, cuts[0].value_count = SIZE_MAX));
#define SEGMENTS (cuts[0].segments = segments, cuts[0].segment_count = 2)
  LAYOUT(INVALID_ARGUMENT, "a segment of -1", (SEGMENTS, segments[1].size = -1));
  LAYOUT(INVALID_ARGUMENT, "no struct_size in a segment", (SEGMENTS, segments[1].struct_size = 0));
  LAYOUT(INVALID_ARGUMENT, "rule 6 of a segment", (SEGMENTS, segments[1].rule = 6));
  LAYOUT(INVALID_ARGUMENT, "even -2 of a segment", (SEGMENTS, segments[1].even = -2));
  LAYOUT(INVALID_ARGUMENT, "values of a segment by chunk", (SEGMENTS, segments[1].values = zeros, segments[1].value_count = 2));
  LAYOUT(NULL_ARGUMENT, "NULL values of a segment", (SEGMENTS, segments[1].value_count = 2));
  LAYOUT(ILLEGAL_CUT, "repeat 3 of 2 in a segment", (SEGMENTS, segments[1].repeat = 3));
  LAYOUT(INVALID_ARGUMENT, "SIZE_MAX segments", (SEGMENTS, cuts[0].segment_count = SIZE_MAX));
#define PADS (layout.pads = pads, layout.pad_count = 1)
  LAYOUT(NULL_ARGUMENT, "NULL pads", (PADS, layout.pads = NULL));
  LAYOUT(INVALID_ARGUMENT, "a pad to nothing", (PADS, pads[0].multiple = 0));
  LAYOUT(INVALID_ARGUMENT, "a pad to both", (PADS, pads[0].size = 4));
  LAYOUT(INVALID_ARGUMENT, "a pad to -1", (PADS, pads[0].multiple = 0, pads[0].size = -1));
  LAYOUT(INVALID_ARGUMENT, "a multiple of -1", (PADS, pads[0].multiple = -1));
  LAYOUT(INVALID_ARGUMENT, "empty name of a pad", (PADS, pads[0].dim_name = ""));
#define PARTIALS (layout.partials = partials, layout.partial_count = 1)
  LAYOUT(NULL_ARGUMENT, "NULL partials", (PARTIALS, layout.partials = NULL));
  LAYOUT(NULL_ARGUMENT, "NULL axis of a partial", (PARTIALS, partials[0].axis = NULL));
  LAYOUT(INVALID_ARGUMENT, "a partial axis that is cut", (PARTIALS, partials[0].axis = "tp"));
  LAYOUT(INVALID_ARGUMENT, "reduction 9", (PARTIALS, partials[0].reduction = 9));
  LAYOUT(INVALID_ARGUMENT, "reduction -1", (PARTIALS, partials[0].reduction = -1));
  LAYOUT(INVALID_ARGUMENT, "reserved 1", (PARTIALS, partials[0].reserved = 1));
  LAYOUT(INVALID_ARGUMENT, "one dimension flattened", layout.flatten_count = 1);
  LAYOUT(INVALID_ARGUMENT, "flattened from -1 on", (layout.flatten_first = -1, layout.flatten_count = 2));
  make_right_layout();
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_spec_new_mesh, H, &layout, &out.spec);
  MISUSE(NULL_ARGUMENT, "NULL layout", shardspec_spec_new_mesh, mesh, NULL, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_mesh, mesh, &layout, P);
  WRONG_ERROR(shardspec_spec_new_mesh, mesh, &layout, &out.spec);
}

static void misuse_cuts(void) {
  make_right_layout();
  MISUSE(NULL_ARGUMENT, "NULL cut", shardspec_spec_new_cut, NULL, RANKS, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "no placements", shardspec_spec_new_cut, cuts, RANKS, 0, &out.spec);
  MISUSE(NULL_ARGUMENT, "NULL placements", shardspec_spec_new_cut, cuts, NULL, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX placements", shardspec_spec_new_cut, cuts, RANKS, SIZE_MAX, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_cut, cuts, RANKS, 2, P);
  WRONG_ERROR(shardspec_spec_new_cut, cuts, RANKS, 2, &out.spec);
  MISUSE(NULL_ARGUMENT, "NULL cut", shardspec_cut_check, NULL, 4, 2);
  MISUSE(INVALID_ARGUMENT, "no coordinates", shardspec_cut_check, cuts, 4, 0);
  MISUSE(INVALID_ARGUMENT, "negative length", shardspec_cut_check, cuts, -1, 2);
  WRONG_ERROR(shardspec_cut_check, cuts, 4, 2);
  static const int64_t lengths[] = {4, 6}, negative[] = {4, -1};
  int64_t *forbidding = out.numbers;
  MISUSE(NULL_ARGUMENT, "NULL cuts", shardspec_cuts_check_degrees, NULL, lengths, 2, 4, forbidding);
  MISUSE(NULL_ARGUMENT, "NULL lengths", shardspec_cuts_check_degrees, cuts, NULL, 2, 4, forbidding);
  MISUSE(NULL_ARGUMENT, "NULL output", shardspec_cuts_check_degrees, cuts, lengths, 2, 4, NULL);
  MISUSE(INVALID_ARGUMENT, "a negative length", shardspec_cuts_check_degrees, cuts, negative, 2, 4, forbidding);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX cuts", shardspec_cuts_check_degrees, cuts, lengths, SIZE_MAX, 4, forbidding);
  MISUSE(INVALID_ARGUMENT, "lengths not aligned", shardspec_cuts_check_degrees, cuts, (void *)((char *)lengths + 1), 1, 4, forbidding);
  MISUSE(INVALID_ARGUMENT, "output not aligned", shardspec_cuts_check_degrees, cuts, lengths, 2, 4, (void *)((char *)forbidding + 1));
  MISUSE(INVALID_ARGUMENT, "degree 0", shardspec_cuts_check_degrees, cuts, lengths, 2, 0, forbidding);
  MISUSE(INVALID_ARGUMENT, "degree INT64_MIN", shardspec_cuts_check_degrees, cuts, lengths, 2, INT64_MIN, forbidding);
  MISUSE(INVALID_ARGUMENT, "degree INT64_MAX", shardspec_cuts_check_degrees, cuts, lengths, 2, INT64_MAX, forbidding);
  WRONG_ERROR(shardspec_cuts_check_degrees, cuts, lengths, 2, 4, forbidding);
  cuts[1].granule = -1;
  MISUSE(INVALID_ARGUMENT, "granule -1", shardspec_cuts_check_degrees, cuts, lengths, 2, 4, forbidding);
  make_right_layout();
  cuts[0].axis = "";
  MISUSE(INVALID_ARGUMENT, "empty axis", shardspec_spec_new_cut, cuts, RANKS, 2, &out.spec);
  cuts[0].axis = NULL, cuts[0].repeat = 3;
  MISUSE(ILLEGAL_CUT, "repeat 3 of 2", shardspec_spec_new_cut, cuts, RANKS, 2, &out.spec);
  MISUSE(ILLEGAL_CUT, "repeat 3 of 2", shardspec_cut_check, cuts, 4, 2);
  cuts[0].dim_name = "", cuts[0].repeat = 0;
  MISUSE(INVALID_ARGUMENT, "empty dim_name", shardspec_spec_new_cut, cuts, RANKS, 2, &out.spec);
  cuts[0].struct_size = 8;
  MISUSE(INVALID_ARGUMENT, "a cut of 8 bytes", shardspec_spec_new_cut, cuts, RANKS, 2, &out.spec);
  MISUSE(INVALID_ARGUMENT, "a cut of 8 bytes", shardspec_cut_check, cuts, 4, 2);
}

static void misuse_questions(shardspec_spec *spec, shardspec_metadata *whole) {
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_mesh, H, &out.mesh);
  MISUSE(WRONG_SPEC_TYPE, "a chunk spec", shardspec_spec_mesh, chunk, &out.mesh);
  WRONG_OUT(shardspec_mesh *, shardspec_spec_mesh, spec, P);
  WRONG_ERROR(shardspec_spec_mesh, spec, &out.mesh);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_text, H, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_spec_text, spec, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_spec_text, spec, out.text, 64, &out.needed);

  shardspec_metadata *freed_metadata;
  CHECK_OK(shardspec_spec_build_metadata(spec, TENSOR, 2, NULL, &freed_metadata, &err));
  CHECK_OK(shardspec_metadata_free(freed_metadata, &err));
  wrong_handles_for(freed_metadata, whole, placement, chunk);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_mesh, H, &out.mesh);
  MISUSE(NOT_FOUND, "not cut over a mesh", shardspec_metadata_mesh, metadata, &out.mesh);
  WRONG_OUT(shardspec_mesh *, shardspec_metadata_mesh, whole, P);
  WRONG_ERROR(shardspec_metadata_mesh, whole, &out.mesh);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_get_coordinates, H, 0, out.indices, 2, &out.needed);
  MISUSE(NOT_FOUND, "not cut over a mesh", shardspec_metadata_get_coordinates, metadata, 0, out.indices, 2, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "shard 2 of 2", shardspec_metadata_get_coordinates, whole, 2, out.indices, 2, &out.needed);
  WRONG_ANSWER(out.indices, size_t, shardspec_metadata_get_coordinates, whole, 0);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_dim_name, H, 0, out.text, 64, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "dimension 2 of 2", shardspec_metadata_dim_name, whole, 2, out.text, 64, &out.needed);
  MISUSE(NOT_FOUND, "no names", shardspec_metadata_dim_name, metadata, 0, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_metadata_dim_name, whole, 0, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_metadata_dim_name, whole, 0, out.text, 64, &out.needed);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_partial_count, H, &out.size);
  WRONG_OUT(size_t, shardspec_metadata_partial_count, whole, P);
  WRONG_ERROR(shardspec_metadata_partial_count, whole, &out.size);
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_partial, H, 0, out.text, 64, &out.needed, &out.i32);
  MISUSE(INDEX_OUT_OF_RANGE, "axis 1 of 1", shardspec_metadata_partial, whole, 1, out.text, 64, &out.needed, &out.i32);
  MISUSE(INDEX_OUT_OF_RANGE, "none is partial", shardspec_metadata_partial, metadata, 0, out.text, 64, &out.needed, &out.i32);
  MISUSE(INVALID_ARGUMENT, "reduction not aligned", shardspec_metadata_partial, whole, 0, out.text, 64, &out.needed,
         (int32_t *)(void *)((char *)&out.i32 + 1));
  WRONG_TEXT(shardspec_metadata_partial, whole, 0, BUFFER, CAPACITY, &out.needed, &out.i32);
  WRONG_ERROR(shardspec_metadata_partial, whole, 0, out.text, 64, &out.needed, &out.i32);
}

/* Texts in the notations of other programs. */
static void misuse_notations(shardspec_spec *spec, shardspec_spec *freed_spec) {
  static const int32_t dtensor = SHARDSPEC_NOTATION_DTENSOR, jax = SHARDSPEC_NOTATION_JAX;
  shardspec_mesh *over;
  CHECK_OK(shardspec_mesh_new(AXES, AXIS_SIZES, 2, NULL, 0, &over, &err));
  wrong_handles_for(freed, mesh, placement, metadata);
  MISUSE(INVALID_ARGUMENT, "notation 0", shardspec_spec_parse, 0, "RR", over, &out.spec);
  MISUSE(INVALID_ARGUMENT, "notation INT32_MIN", shardspec_spec_parse, INT32_MIN, "RR", over, &out.spec);
  MISUSE(NULL_ARGUMENT, "NULL text", shardspec_spec_parse, dtensor, NULL, over, &out.spec);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_spec_parse, dtensor, NOT_UTF8, over, &out.spec);
  MISUSE(INVALID_ARGUMENT, "an empty text", shardspec_spec_parse, dtensor, "", over, &out.spec);
  MISUSE(INVALID_ARGUMENT, "R and no more", shardspec_spec_parse, dtensor, "R", over, &out.spec);
  CHECK_EQUAL(err.index, 1);
  MISUSE(UNSUPPORTED, "a masked partial", shardspec_spec_parse, dtensor, "RMaskP(sum, None, 0)", over, &out.spec);
  CHECK_EQUAL(err.index, 1);
  MISUSE(INVALID_ARGUMENT, "an unknown axis", shardspec_spec_parse, jax, "P('pp')", over, &out.spec);
  CHECK_EQUAL(err.index, 2);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_spec_parse, dtensor, "RR", H, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_parse, dtensor, "RR", over, P);
  WRONG_ERROR(shardspec_spec_parse, dtensor, "RR", over, &out.spec);
  CHECK_OK(shardspec_mesh_free(over, &err));

  wrong_handles_for(freed_spec, spec, placement, metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_format, H, dtensor, 0, out.text, 64, &out.needed);
  MISUSE(INVALID_ARGUMENT, "notation 99", shardspec_spec_format, spec, 99, 0, out.text, 64, &out.needed);
  MISUSE(WRONG_SPEC_TYPE, "a chunk spec", shardspec_spec_format, chunk, dtensor, 0, out.text, 64, &out.needed);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX dimensions", shardspec_spec_format, spec, jax, SIZE_MAX, out.text, 64, &out.needed);
  WRONG_TEXT(shardspec_spec_format, spec, dtensor, 2, BUFFER, CAPACITY, &out.needed);
  WRONG_ERROR(shardspec_spec_format, spec, dtensor, 2, out.text, 64, &out.needed);
  shardspec_spec *cyclic;
  make_right_layout();
  cuts[0].dim = 1, cuts[0].rule = SHARDSPEC_RULE_CYCLIC;
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &cyclic, &err));
  MISUSE(UNSUPPORTED, "a cyclic cut", shardspec_spec_format, cyclic, jax, 2, out.text, 64, &out.needed);
  MISUSE(INVALID_DIM, "dimension 1 of 1", shardspec_spec_format, cyclic, jax, 1, out.text, 64, &out.needed);
  CHECK_OK(shardspec_spec_free(cyclic, &err));
}

static void misuse_scalapack(shardspec_spec *freed_spec) {
  const int64_t descriptor[] = {1, 0, 4, 4, 2, 2, 0, 0, 4};
  int64_t wrong[] = {1, 0, 4, 4, 0, 2, 0, 0, 4};
  shardspec_mesh *line;
  shardspec_spec *matrix;
  wrong_handles_for(freed, mesh, placement, metadata);
  MISUSE(NULL_ARGUMENT, "NULL descriptor", shardspec_spec_new_scalapack, NULL, 9, mesh, 0, &out.spec);
  MISUSE(INVALID_ARGUMENT, "not aligned", shardspec_spec_new_scalapack, (void *)((char *)descriptor + 1), 8, mesh, 0, &out.spec);
  MISUSE(INVALID_ARGUMENT, "8 entries", shardspec_spec_new_scalapack, descriptor, 8, mesh, 0, &out.spec);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX entries", shardspec_spec_new_scalapack, descriptor, SIZE_MAX, mesh, 0, &out.spec);
  MISUSE(INDEX_OUT_OF_RANGE, "device SIZE_MAX", shardspec_spec_new_scalapack, descriptor, 9, mesh, SIZE_MAX, &out.spec);
  MISUSE(INVALID_ARGUMENT, "MB 0", shardspec_spec_new_scalapack, wrong, 9, mesh, 0, &out.spec);
  CHECK_EQUAL(err.index, 4);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_spec_new_scalapack, descriptor, 9, H, 0, &out.spec);
  WRONG_OUT(shardspec_spec *, shardspec_spec_new_scalapack, descriptor, 9, mesh, 0, P);
  WRONG_ERROR(shardspec_spec_new_scalapack, descriptor, 9, mesh, 0, &out.spec);
  CHECK_OK(shardspec_mesh_new(AXES, AXIS_SIZES, 1, NULL, 0, &line, &err));
  MISUSE(INVALID_ARGUMENT, "one axis", shardspec_spec_new_scalapack, descriptor, 9, line, 0, &out.spec);
  CHECK_OK(shardspec_mesh_free(line, &err));

  CHECK_OK(shardspec_spec_new_scalapack(descriptor, 9, mesh, 0, &matrix, &err));
  wrong_handles_for(freed_spec, matrix, placement, metadata);
  WRONG_HANDLE(shardspec_spec, NULL_ARGUMENT, shardspec_spec_get_scalapack, H, 4, 4, 0, 0, out.numbers, 9, &out.needed);
  MISUSE(WRONG_SPEC_TYPE, "a chunk spec", shardspec_spec_get_scalapack, chunk, 4, 4, 0, 0, out.numbers, 9, &out.needed);
  MISUSE(INVALID_ARGUMENT, "-1 rows", shardspec_spec_get_scalapack, matrix, -1, 4, 0, 0, out.numbers, 9, &out.needed);
  MISUSE(INVALID_ARGUMENT, "-1 columns", shardspec_spec_get_scalapack, matrix, 4, -1, 0, 0, out.numbers, 9, &out.needed);
  MISUSE(INDEX_OUT_OF_RANGE, "device SIZE_MAX", shardspec_spec_get_scalapack, matrix, 4, 4, 0, SIZE_MAX, out.numbers, 9, &out.needed);
  WRONG_ANSWER(out.numbers, int64_t, shardspec_spec_get_scalapack, matrix, 4, 4, 0, 0);
  CHECK_OK(shardspec_spec_free(matrix, &err));

  MISUSE(INVALID_ARGUMENT, "n -1", shardspec_numroc, -1, 2, 0, 0, 2, &out.i64);
  MISUSE(INVALID_ARGUMENT, "nb 0", shardspec_numroc, 4, 0, 0, 0, 2, &out.i64);
  MISUSE(INDEX_OUT_OF_RANGE, "iproc 2 of 2", shardspec_numroc, 4, 2, 2, 0, 2, &out.i64);
  MISUSE(INVALID_ARGUMENT, "isrcproc -1", shardspec_numroc, 4, 2, 0, -1, 2, &out.i64);
  MISUSE(INVALID_ARGUMENT, "nprocs 0", shardspec_numroc, 4, 2, 0, 0, 0, &out.i64);
  WRONG_OUT(int64_t, shardspec_numroc, 4, 2, 0, 0, 2, P);
  WRONG_ERROR(shardspec_numroc, 4, 2, 0, 0, 2, &out.i64);
}

/* Parts of metadata, asked for and put together again. */
static void misuse_parts(shardspec_metadata *whole) {
  static const char *const names[] = {"rows", "columns"}, *const with_null[] = {"rows", NULL};
  const char *const not_utf8[] = {"rows", NOT_UTF8};
  shardspec_mesh *line;
  CHECK_OK(shardspec_mesh_new(AXES, AXIS_SIZES, 1, NULL, 0, &line, &err));
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_get_flattening, H, &out.size, &out.needed);
  MISUSE(INVALID_ARGUMENT, "first_dim not aligned", shardspec_metadata_get_flattening, whole,
         (size_t *)(void *)((char *)&out.size + 1), &out.needed);
  MISUSE(INVALID_ARGUMENT, "dim_count not aligned", shardspec_metadata_get_flattening, whole, &out.size,
         (size_t *)(void *)((char *)&out.needed + 1));
  WRONG_ERROR(shardspec_metadata_get_flattening, whole, &out.size, &out.needed);

  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_new_with_dim_names, H, names, 2, &out.metadata);
  MISUSE(NDIM_MISMATCH, "1 name", shardspec_metadata_new_with_dim_names, whole, names, 1, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "SIZE_MAX names", shardspec_metadata_new_with_dim_names, whole, names, SIZE_MAX, &out.metadata);
  MISUSE(NULL_ARGUMENT, "NULL names", shardspec_metadata_new_with_dim_names, whole, NULL, 2, &out.metadata);
  MISUSE(NULL_ARGUMENT, "a NULL name", shardspec_metadata_new_with_dim_names, whole, with_null, 2, &out.metadata);
  MISUSE(INVALID_ARGUMENT, "not UTF-8", shardspec_metadata_new_with_dim_names, whole, not_utf8, 2, &out.metadata);
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_new_with_dim_names, whole, names, 2, P);
  WRONG_ERROR(shardspec_metadata_new_with_dim_names, whole, names, 2, &out.metadata);

#define ON_MESH(status, misuse, ...) MISUSE(status, misuse, shardspec_metadata_new_on_mesh, whole, __VA_ARGS__, &out.metadata)
  make_right_layout();
  WRONG_HANDLE(shardspec_metadata, NULL_ARGUMENT, shardspec_metadata_new_on_mesh, H, mesh, partials, 1, &out.metadata);
  ON_MESH(INVALID_ARGUMENT, "a mesh of 1 device", line, NULL, 0);
  ON_MESH(NULL_ARGUMENT, "NULL partials", mesh, NULL, 1);
  ON_MESH(INVALID_ARGUMENT, "SIZE_MAX partials", mesh, partials, SIZE_MAX);
  partials[0].axis = "tp";
  ON_MESH(INVALID_ARGUMENT, "a partial axis that is cut", mesh, partials, 1);
  partials[0].axis = "pp";
  ON_MESH(INVALID_ARGUMENT, "an unknown axis", mesh, partials, 1);
  partials[0].axis = NULL;
  ON_MESH(NULL_ARGUMENT, "NULL axis", mesh, partials, 1);
  make_right_layout();
  partials[0].struct_size = 8;
  ON_MESH(INVALID_ARGUMENT, "a partial axis of 8 bytes", mesh, partials, 1);
  make_right_layout();
  WRONG_OUT(shardspec_metadata *, shardspec_metadata_new_on_mesh, whole, mesh, partials, 1, P);
  WRONG_ERROR(shardspec_metadata_new_on_mesh, whole, mesh, partials, 1, &out.metadata);
  wrong_handles_for(freed, mesh, placement, metadata);
  WRONG_HANDLE(shardspec_mesh, NULL_ARGUMENT, shardspec_metadata_new_on_mesh, whole, H, partials, 1, &out.metadata);
  CHECK_OK(shardspec_mesh_free(line, &err));
}

void misuse_mesh_specs(void) {
  static const char *const names[] = {"rows", "columns"};
  shardspec_spec *spec, *freed_spec;
  shardspec_metadata *whole;
  make_meshes();
  misuse_layouts();
  misuse_cuts();
  make_right_layout();
  layout.partials = partials, layout.partial_count = 1;
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &freed_spec, &err));
  CHECK_OK(shardspec_spec_free(freed_spec, &err));
  CHECK_OK(shardspec_spec_build_metadata_with_dim_names(spec, TENSOR, names, 2, NULL, &whole, &err));
  wrong_handles_for(freed_spec, spec, placement, metadata);
  misuse_questions(spec, whole);
  misuse_parts(whole);
  misuse_notations(spec, freed_spec);
  misuse_scalapack(freed_spec);
  CHECK_OK(shardspec_metadata_free(whole, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err));
}
