/* Meshes and specs over them: each layout against an answer that was worked out by hand. */
#include "check.h"

static shardspec_error err = SHARDSPEC_ERROR_INIT;

static shardspec_mesh *mesh_of_2_by_4(void) {
  static const char *const axes[] = {"dp", "tp"};
  static const int64_t sizes[] = {2, 4};
  shardspec_mesh *mesh;
  CHECK_OK(shardspec_mesh_new(axes, sizes, 2, NULL, 0, &mesh, &err));
  return mesh;
}

static shardspec_mesh *mesh_of_one_axis(const char *axis, int64_t size) {
  shardspec_mesh *mesh;
  CHECK_OK(shardspec_mesh_new(&axis, &size, 1, NULL, 0, &mesh, &err));
  return mesh;
}

static shardspec_spec *spec_of(shardspec_mesh *mesh, const shardspec_mesh_layout *layout) {
  shardspec_spec *spec;
  CHECK_OK(shardspec_spec_new_mesh(mesh, layout, &spec, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err)); /* the spec does not need it */
  return spec;
}

/* What a spec says of a tensor. The spec is freed. */
static shardspec_metadata *built(shardspec_spec *spec, const int64_t *sizes, size_t ndim) {
  shardspec_metadata *metadata;
  CHECK_OK(shardspec_spec_build_metadata(spec, sizes, ndim, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  return metadata;
}

static void check_box(const shardspec_metadata *metadata, size_t shard, const int64_t *offsets,
                      const int64_t *sizes, size_t ndim) {
  int64_t got_offsets[4], got_sizes[4];
  CHECK_OK(shardspec_metadata_get_shard(metadata, shard, got_offsets, got_sizes, 4, &err));
  for (size_t dim = 0; dim < ndim; dim++) {
    CHECK_EQUAL(got_offsets[dim], offsets[dim]);
    CHECK_EQUAL(got_sizes[dim], sizes[dim]);
  }
}

/* The indices of a dimension that a shard has, block by block: first index and length. */
static void check_blocks(const shardspec_metadata *metadata, size_t shard, size_t dim, const int64_t (*blocks)[2],
                         size_t count) {
  shardspec_stretch stretches[8];
  size_t needed, block = 0;
  CHECK_OK(shardspec_metadata_get_stretches(metadata, shard, dim, stretches, 8, &needed, &err));
  for (size_t at = 0; at < needed; at++)
    for (int64_t number = 0; number < stretches[at].count; number++, block++) {
      CHECK(block < count);
      CHECK_EQUAL(stretches[at].global_start + number * stretches[at].global_step, blocks[block][0]);
      CHECK_EQUAL(stretches[at].length, blocks[block][1]);
    }
  CHECK_EQUAL(block, count);
}

static void check_text(const shardspec_spec *spec, const char *wanted) {
  char text[256];
  size_t needed = 0;
  CHECK_OK(shardspec_spec_text(spec, text, sizeof text, &needed, &err));
  CHECK_TEXT(text, wanted);
  CHECK_EQUAL(needed, strlen(wanted) + 1);
}

static void a_mesh_tells_its_axes_and_devices(void) {
  shardspec_mesh *mesh = mesh_of_2_by_4();
  shardspec_placement *placement;
  size_t number = 77, coordinates[2] = {77, 77};
  int64_t sizes[2] = {77, 77}, rank = 77;
  char text[32];
  CHECK_OK(shardspec_mesh_ndim(mesh, &number, &err));
  CHECK_EQUAL(number, 2);
  CHECK_OK(shardspec_mesh_device_count(mesh, &number, &err));
  CHECK_EQUAL(number, 8);
  CHECK_OK(shardspec_mesh_axis_name(mesh, 1, text, sizeof text, &number, &err));
  CHECK_TEXT(text, "tp");
  CHECK_OK(shardspec_mesh_get_axis_sizes(mesh, NULL, 0, &number, &err));
  CHECK_EQUAL(number, 2);
  CHECK_OK(shardspec_mesh_get_axis_sizes(mesh, sizes, 2, NULL, &err));
  CHECK(sizes[0] == 2 && sizes[1] == 4);
  CHECK_OK(shardspec_mesh_get_coordinates(mesh, 5, coordinates, 2, &number, &err));
  CHECK(number == 2 && coordinates[0] == 1 && coordinates[1] == 1);
  CHECK_OK(shardspec_mesh_text(mesh, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "dp=2, tp=4");
  CHECK_OK(shardspec_mesh_placement(mesh, 5, &placement, &err));
  CHECK_OK(shardspec_placement_rank(placement, &rank, &err));
  CHECK_EQUAL(rank, 5);
  CHECK_OK(shardspec_placement_free(placement, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  CHECK_OK(shardspec_mesh_free(NULL, &err));
}

static void a_mesh_without_axes_is_one_device(void) {
  shardspec_mesh *mesh;
  size_t count = 77;
  char text[32];
  CHECK_OK(shardspec_mesh_new(NULL, NULL, 0, NULL, 0, &mesh, &err));
  CHECK_OK(shardspec_mesh_device_count(mesh, &count, &err));
  CHECK_EQUAL(count, 1);
  CHECK_OK(shardspec_mesh_text(mesh, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "one device");
  CHECK_OK(shardspec_mesh_free(mesh, &err));
}

static void devices_come_in_any_order_and_an_axis_can_be_fixed(void) {
  static const char *const axes[] = {"x", "y"};
  static const char *const order[] = {"rank:0", "rank:2", "rank:1", "rank:3"};
  static const int64_t sizes[] = {2, 2}, tensor[] = {4};
  shardspec_mesh *mesh, *same, *ranks, *column, *of_metadata;
  shardspec_placement *placement;
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  uint64_t hash = 1, other = 2;
  int32_t yes = 77;
  size_t count = 77;
  char text[32];
  CHECK_OK(shardspec_mesh_new(axes, sizes, 2, order, 4, &mesh, &err));
  CHECK_OK(shardspec_mesh_new(axes, sizes, 2, order, 4, &same, &err));
  CHECK_OK(shardspec_mesh_new(axes, sizes, 2, NULL, 0, &ranks, &err));
  CHECK_OK(shardspec_mesh_equal(mesh, ranks, &yes, &err));
  CHECK_EQUAL(yes, 0);
  CHECK_OK(shardspec_mesh_equal(mesh, same, &yes, &err));
  CHECK_EQUAL(yes, 1);
  CHECK_OK(shardspec_mesh_hash(mesh, &hash, &err));
  CHECK_OK(shardspec_mesh_hash(same, &other, &err));
  CHECK(hash == other);

  CHECK_OK(shardspec_mesh_new_submesh(mesh, "y", 1, &column, &err));
  CHECK_OK(shardspec_mesh_text(column, text, sizeof text, NULL, &err));
  CHECK_TEXT(text, "x=2");
  static const char *const wanted[] = {"rank:2/cpu", "rank:3/cpu"};
  for (size_t device = 0; device < 2; device++) {
    CHECK_OK(shardspec_mesh_placement(column, device, &placement, &err));
    CHECK_OK(shardspec_placement_text(placement, text, sizeof text, NULL, &err));
    CHECK_TEXT(text, wanted[device]);
    CHECK_OK(shardspec_placement_free(placement, &err));
  }
  CHECK_STATUS(shardspec_mesh_new_submesh(mesh, "z", 0, &of_metadata, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("x=2, y=2");

  /* Shards are those of the devices, in their order. */
  cut.axis = "y";
  layout.cuts = &cut, layout.cut_count = 1;
  shardspec_metadata *metadata = built(spec_of(same, &layout), tensor, 1);
  CHECK_OK(shardspec_metadata_shard_placement_text(metadata, 1, text, sizeof text, &count, &err));
  CHECK_TEXT(text, "rank:2/cpu");
  check_box(metadata, 1, (int64_t[]){2}, (int64_t[]){2}, 1);
  CHECK_OK(shardspec_metadata_mesh(metadata, &of_metadata, &err));
  CHECK_OK(shardspec_mesh_equal(mesh, of_metadata, &yes, &err));
  CHECK_EQUAL(yes, 1);
  CHECK_OK(shardspec_metadata_has_replicas(metadata, &yes, &err));
  CHECK_EQUAL(yes, 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  CHECK_OK(shardspec_mesh_free(of_metadata, &err));
  CHECK_OK(shardspec_mesh_free(mesh, &err));
  CHECK_OK(shardspec_mesh_free(ranks, &err));
  CHECK_OK(shardspec_mesh_free(column, &err));
}

/* 8 heads of queries, 2 of keys and 2 of values, of 4 rows each, over 4 devices: 2 heads of queries to each,
 * and the same head of keys and of values to two neighbours. */
static void a_fused_qkv_weight_is_cut_by_heads(void) {
  static const int64_t sizes[] = {48, 3};
  static const int64_t wanted[4][3][2] = {{{0, 8}, {32, 4}, {40, 4}}, {{8, 8}, {32, 4}, {40, 4}},
                                          {{16, 8}, {36, 4}, {44, 4}}, {{24, 8}, {36, 4}, {44, 4}}};
  shardspec_segment qkv[] = {SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  qkv[0].size = 32, qkv[1].size = qkv[2].size = 8;
  qkv[1].repeat = qkv[2].repeat = 2;
  cut.axis = "tp", cut.granule = 4, cut.even = 1;
  cut.segments = qkv, cut.segment_count = 3;
  layout.cuts = &cut, layout.cut_count = 1;
  shardspec_spec *spec = spec_of(mesh_of_one_axis("tp", 4), &layout);
  check_text(spec, "tp=4: dimension 0 over tp by segments [32 by chunk, granule 4, even, "
                   "8 by chunk, granule 4, repeat 2, even, 8 by chunk, granule 4, repeat 2, even]");
  shardspec_metadata *metadata = built(spec, sizes, 2);
  for (size_t shard = 0; shard < 4; shard++) {
    check_box(metadata, shard, (int64_t[]){wanted[shard][0][0], 0}, (int64_t[]){16, 3}, 2);
    check_blocks(metadata, shard, 0, wanted[shard], 3);
  }
  CHECK_OK(shardspec_metadata_free(metadata, &err));

  /* Fields of a segment that are set are its own. */
  qkv[1].even = -1, qkv[1].size = 7, qkv[1].granule = 1, qkv[0].rule = SHARDSPEC_RULE_CYCLIC;
  qkv[0].block = 2, qkv[0].first = 1;
  spec = spec_of(mesh_of_one_axis("tp", 4), &layout);
  check_text(spec, "tp=4: dimension 0 over tp by segments [32 by cyclic of 2 from 1, granule 4, even, "
                   "7 by chunk, repeat 2, 8 by chunk, granule 4, repeat 2, even]");
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void a_vocabulary_is_padded_before_it_is_cut(void) {
  static const int64_t sizes[] = {50257, 2}, wanted[4][2] = {{0, 12576}, {12576, 12576}, {25152, 12576}, {37728, 12529}};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_pad pad = SHARDSPEC_PAD_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  cut.axis = "tp", cut.even = 1;
  pad.multiple = 128;
  layout.cuts = &cut, layout.cut_count = 1;
  layout.pads = &pad, layout.pad_count = 1;
  shardspec_spec *spec = spec_of(mesh_of_one_axis("tp", 4), &layout);
  check_text(spec, "tp=4: pad dimension 0 to a multiple of 128; dimension 0 over tp by chunk, even");
  shardspec_metadata *metadata = built(spec, sizes, 2);
  for (size_t shard = 0; shard < 4; shard++) {
    /* The buffer of the last shard has holes for 47 rows. */
    check_box(metadata, shard, (int64_t[]){wanted[shard][0], 0}, (int64_t[]){12576, 2}, 2);
    check_blocks(metadata, shard, 0, &wanted[shard], 1);
  }
  CHECK_OK(shardspec_metadata_free(metadata, &err));

  pad.multiple = 0, pad.size = 50304;
  metadata = built(spec_of(mesh_of_one_axis("tp", 4), &layout), sizes, 2);
  check_blocks(metadata, 3, 0, &wanted[3], 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));

  shardspec_metadata *none = NULL;
  pad.size = 50256;
  spec = spec_of(mesh_of_one_axis("tp", 4), &layout);
  CHECK_STATUS(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &none, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("pads[0]: size: 50256 is too small; pass at least 50257");
  CHECK(none == NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* 7 x 5 in blocks of 2 x 1 on a 2 x 2 grid, as ScaLAPACK deals them; the first row block is that of row 1. */
static void two_cyclic_cuts_are_a_block_cyclic_matrix(void) {
  static const char *const axes[] = {"row", "column"};
  static const int64_t grid[] = {2, 2}, sizes[] = {7, 5};
  static const int64_t rows[2][2][2] = {{{2, 2}, {6, 1}}, {{0, 2}, {4, 2}}};
  static const int64_t columns[2][3][2] = {{{0, 1}, {2, 1}, {4, 1}}, {{1, 1}, {3, 1}, {0, 0}}};
  shardspec_cut cuts[] = {SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT};
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  shardspec_mesh *mesh;
  cuts[0].axis = "row", cuts[0].rule = SHARDSPEC_RULE_CYCLIC, cuts[0].block = 2, cuts[0].first = 1;
  cuts[1].axis = "column", cuts[1].rule = SHARDSPEC_RULE_CYCLIC, cuts[1].dim = -1;
  layout.cuts = cuts, layout.cut_count = 2;
  CHECK_OK(shardspec_mesh_new(axes, grid, 2, NULL, 0, &mesh, &err));
  shardspec_metadata *metadata = built(spec_of(mesh, &layout), sizes, 2);
  for (size_t shard = 0; shard < 4; shard++) {
    size_t at[2];
    CHECK_OK(shardspec_metadata_get_coordinates(metadata, shard, at, 2, NULL, &err));
    CHECK(at[0] == shard / 2 && at[1] == shard % 2);
    check_blocks(metadata, shard, 0, rows[at[0]], 2);
    check_blocks(metadata, shard, 1, columns[at[1]], 3 - at[1]);
  }
  int32_t yes = 77;
  CHECK_OK(shardspec_metadata_has_replicas(metadata, &yes, &err));
  CHECK_EQUAL(yes, 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

/* ZeRO cuts all 12 elements as one line. */
static void flattened_dimensions_are_cut_as_one(void) {
  static const int64_t sizes[] = {3, 4};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  size_t ndim = 77;
  cut.axis = "dp", cut.rule = SHARDSPEC_RULE_BALANCED;
  layout.cuts = &cut, layout.cut_count = 1;
  layout.flatten_count = 2;
  shardspec_spec *spec = spec_of(mesh_of_one_axis("dp", 5), &layout);
  check_text(spec, "dp=5: flatten dimensions 0 to 1; dimension 0 over dp by balanced");
  shardspec_metadata *metadata = built(spec, sizes, 2);
  CHECK_OK(shardspec_metadata_buffer_ndim(metadata, &ndim, &err));
  CHECK_EQUAL(ndim, 1);
  check_box(metadata, 1, (int64_t[]){3}, (int64_t[]){3}, 1);
  check_box(metadata, 4, (int64_t[]){10}, (int64_t[]){2}, 1);
  CHECK_OK(shardspec_metadata_free(metadata, &err));

  shardspec_metadata *none = NULL;
  layout.flatten_first = 1;
  spec = spec_of(mesh_of_one_axis("dp", 5), &layout);
  CHECK_STATUS(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &none, &err), SHARDSPEC_INVALID_DIM);
  CHECK(none == NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
}

/* A dimension is cut twice, first over dp; names of dimensions are looked up, and come back. */
static void dimensions_are_cut_by_name_and_more_than_once(void) {
  static const char *const names[] = {"batch", "features"}, *const other_names[] = {"batch", "hidden"};
  static const int64_t sizes[] = {3, 16};
  shardspec_cut cuts[] = {SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT};
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  shardspec_metadata *metadata, *none = NULL;
  size_t needed = 77;
  char text[32] = "untouched";
  cuts[0].dim_name = cuts[1].dim_name = "features";
  cuts[0].dim = cuts[1].dim = 77; /* ignored */
  cuts[0].axis = "dp", cuts[1].axis = "tp";
  layout.cuts = cuts, layout.cut_count = 2;
  shardspec_spec *spec = spec_of(mesh_of_2_by_4(), &layout);
  check_text(spec, "dp=2, tp=4: dimension \"features\" over dp by chunk; dimension \"features\" over tp by chunk");
  CHECK_STATUS(shardspec_spec_build_metadata(spec, sizes, 2, NULL, &none, &err), SHARDSPEC_INVALID_DIM);
  CHECK_STATUS(shardspec_spec_build_metadata_with_dim_names(spec, sizes, other_names, 2, NULL, &none, &err),
               SHARDSPEC_INVALID_DIM);
  CHECK(none == NULL);
  CHECK_OK(shardspec_spec_build_metadata_with_dim_names(spec, sizes, names, 2, NULL, &metadata, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
  for (size_t shard = 0; shard < 8; shard++)
    check_box(metadata, shard, (int64_t[]){0, 2 * (int64_t)shard}, (int64_t[]){3, 2}, 2);
  CHECK_STATUS(shardspec_metadata_dim_name(metadata, 1, text, 4, &needed, &err), SHARDSPEC_BUFFER_TOO_SMALL);
  CHECK(needed == 77 && strcmp(text, "untouched") == 0);
  CHECK_OK(shardspec_metadata_dim_name(metadata, 1, text, sizeof text, &needed, &err));
  CHECK_TEXT(text, "features");
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

static void a_pending_reduction_is_carried(void) {
  static const int64_t sizes[] = {8};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_partial partial = SHARDSPEC_PARTIAL_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  size_t count = 77, needed = 77;
  int32_t reduction = 77, yes = 77;
  char axis[8];
  cut.axis = "tp", partial.axis = "dp";
  layout.cuts = &cut, layout.cut_count = 1;
  layout.partials = &partial, layout.partial_count = 1;
  for (int32_t number = 0; number <= SHARDSPEC_REDUCTION_BXOR; number++) {
    partial.reduction = number;
    shardspec_metadata *metadata = built(spec_of(mesh_of_2_by_4(), &layout), sizes, 1);
    CHECK_OK(shardspec_metadata_partial_count(metadata, &count, &err));
    CHECK_EQUAL(count, 1);
    CHECK_OK(shardspec_metadata_partial(metadata, 0, axis, sizeof axis, &needed, &reduction, &err));
    CHECK_TEXT(axis, "dp");
    CHECK_EQUAL(reduction, number == 0 ? SHARDSPEC_REDUCTION_SUM : number);
    CHECK_STATUS(shardspec_metadata_partial(metadata, 0, axis, 2, &needed, &reduction, &err),
                 SHARDSPEC_BUFFER_TOO_SMALL);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
  shardspec_spec *spec = spec_of(mesh_of_2_by_4(), &layout), *reduced;
  check_text(spec, "dp=2, tp=4: dimension 0 over tp by chunk; partial dp (bxor)");
  layout.partial_count = 0;
  reduced = spec_of(mesh_of_2_by_4(), &layout);
  CHECK_OK(shardspec_spec_equal(spec, reduced, &yes, &err));
  CHECK_EQUAL(yes, 0);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_spec_free(reduced, &err));
}

/* Views of plain and of fused chunks have the same shapes and other rows. */
static void a_plan_is_not_executed_on_tensors_of_another_layout(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t sizes[] = {8};
  shardspec_tensor_properties float32 = {sizeof float32, {0, 0, 0}, 0, 0, 0, 0, 0};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_metadata *layouts[2];
  shardspec_sharded_tensor *tensors[2];
  shardspec_plan *plan;
  shardspec_spec *spec;
  uint64_t fingerprints[2], source = 0, destination = 0;
  float numbers[8], gathered[8], again[8];
  shardspec_tensor_view full = view_of(numbers, FLOAT32, (int64_t *)sizes, 1), back = full;
  for (int i = 0; i < 8; i++) numbers[i] = (float)i;
  CHECK_OK(shardspec_tensor_properties_init(&float32, &err));
  for (size_t i = 0; i < 2; i++) {
    cut.segment_count = 2 * i; /* plain, and two segments */
    CHECK_OK(shardspec_spec_new_cut(&cut, ranks, 2, &spec, &err));
    CHECK_OK(shardspec_spec_build_metadata(spec, sizes, 1, &float32, &layouts[i], &err));
    CHECK_OK(shardspec_spec_free(spec, &err));
    CHECK_OK(shardspec_metadata_fingerprint(layouts[i], &fingerprints[i], &err));
  }
  CHECK_OK(shardspec_plan_new(layouts[0], layouts[1], &plan, &err));
  CHECK_OK(shardspec_plan_fingerprints(plan, &source, &destination, &err));
  CHECK(source == fingerprints[0] && destination == fingerprints[1] && source != destination);
  CHECK_OK(shardspec_sharded_tensor_new_from_full(layouts[0], NULL, &full, NULL, &tensors[0], &err));
  CHECK_OK(shardspec_sharded_tensor_new(layouts[1], NULL, SHARDSPEC_FILL_ZERO, &tensors[1], &err));

  char text[32];
  CHECK_STATUS(shardspec_plan_execute_sharded_tensors(plan, tensors[1], tensors[1], NULL, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("source: its layout is ");
  for (size_t i = 0; i < 2; i++) {
    snprintf(text, sizeof text, "0x%016llx", (unsigned long long)fingerprints[i]);
    CHECK_MESSAGE(text);
  }
  CHECK_STATUS(shardspec_plan_execute_sharded_tensors(plan, tensors[0], tensors[0], NULL, &err),
               SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("destination: its layout is ");
  back.data = again;
  CHECK_OK(shardspec_sharded_tensor_gather(tensors[1], &back, NULL, &err));
  for (int i = 0; i < 8; i++) CHECK(again[i] == 0);

  CHECK_OK(shardspec_plan_execute_sharded_tensors(plan, tensors[0], tensors[1], NULL, &err));
  back.data = gathered;
  CHECK_OK(shardspec_sharded_tensor_gather(tensors[1], &back, NULL, &err));
  CHECK(memcmp(gathered, numbers, sizeof numbers) == 0);
  CHECK_OK(shardspec_plan_free(plan, &err));
  for (size_t i = 0; i < 2; i++) {
    CHECK_OK(shardspec_sharded_tensor_free(tensors[i], &err));
    CHECK_OK(shardspec_metadata_free(layouts[i], &err));
  }
}

static void one_cut_over_placements_is_a_spec(void) {
  static const char *const ranks[] = {"rank:0", "rank:1", "rank:2"};
  static const int64_t sizes[] = {10}, lengths[] = {2, 0, 8}, weights[] = {1, 2, 1};
  static const int64_t balanced[3][2] = {{0, 4}, {4, 3}, {7, 3}}, listed[3][2] = {{0, 2}, {10, 0}, {2, 8}};
  static const int64_t weighted[3][2] = {{0, 3}, {3, 5}, {8, 2}};
  struct {
    int32_t rule;
    const int64_t *values;
    const int64_t (*wanted)[2];
  } const cases[] = {{SHARDSPEC_RULE_BALANCED, NULL, balanced}, {SHARDSPEC_RULE_SIZES, lengths, listed},
                     {SHARDSPEC_RULE_WEIGHTS, weights, weighted}};
  shardspec_spec *spec;
  for (size_t at = 0; at < COUNT(cases); at++) {
    shardspec_cut cut = SHARDSPEC_CUT_INIT;
    cut.rule = cases[at].rule, cut.values = cases[at].values, cut.value_count = cut.values ? 3 : 0;
    CHECK_OK(shardspec_spec_new_cut(&cut, ranks, 3, &spec, &err));
    shardspec_metadata *metadata = built(spec, sizes, 1);
    for (size_t shard = 0; shard < 3; shard++)
      check_box(metadata, shard, &cases[at].wanted[shard][0], &cases[at].wanted[shard][1], 1);
    CHECK_OK(shardspec_metadata_free(metadata, &err));
  }
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.rule = SHARDSPEC_RULE_CYCLIC, cut.block = 3;
  CHECK_OK(shardspec_spec_new_cut(&cut, ranks, 3, &spec, &err));
  check_text(spec, "devices=3: dimension 0 over devices by cyclic of 3 from 0");
  CHECK_OK(shardspec_spec_free(spec, &err));
  cut.axis = "x", cut.segment_count = 2, cut.rule = 0, cut.block = 0;
  CHECK_OK(shardspec_spec_new_cut(&cut, ranks, 3, &spec, &err));
  check_text(spec, "x=3: dimension 0 over x by chunk in 2 equal segments");
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void every_spec_has_a_text(void) {
  static const char *const ranks[] = {"rank:0", "rank:1"};
  static const int64_t zero[] = {0}, one[] = {1};
  shardspec_spec *spec;
  shardspec_shards *shards;
  shardspec_mesh *none = NULL;
  CHECK_OK(shardspec_spec_new_chunk(-1, ranks, 2, &spec, &err));
  check_text(spec, "dimension -1 by chunk over 2 placements");
  CHECK_STATUS(shardspec_spec_mesh(spec, &none, &err), SHARDSPEC_WRONG_SPEC_TYPE);
  CHECK(none == NULL);
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_shards_new_from_arrays(zero, one, NULL, 1, 1, ranks, 1, &shards, &err));
  CHECK_OK(shardspec_spec_new_enumerable(shards, &spec, &err));
  check_text(spec, "a list of 1 shard");
  CHECK_OK(shardspec_spec_free(spec, &err));
  CHECK_OK(shardspec_shards_free(shards, &err));
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  spec = spec_of(mesh_of_2_by_4(), &layout);
  check_text(spec, "dp=2, tp=4: replicated");
  CHECK_OK(shardspec_spec_mesh(spec, &none, &err));
  CHECK_OK(shardspec_mesh_free(none, &err));
  CHECK_OK(shardspec_spec_free(spec, &err));
}

static void a_cut_is_checked_before_there_is_a_spec(void) {
  static const int64_t sizes[] = {96, 32};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  cut.even = 1;
  CHECK_OK(shardspec_cut_check(&cut, 50304, 4, &err));
  CHECK_STATUS(shardspec_cut_check(&cut, 50257, 4, &err), SHARDSPEC_ILLEGAL_CUT);
  CHECK_MESSAGE("pad to 50260");
  cut.granule = 128;
  CHECK_STATUS(shardspec_cut_check(&cut, 1024, 16, &err), SHARDSPEC_ILLEGAL_CUT);
  cut.repeat = 2;
  CHECK_OK(shardspec_cut_check(&cut, 1024, 16, &err));
  CHECK_STATUS(shardspec_cut_check(&cut, 1024, 15, &err), SHARDSPEC_ILLEGAL_CUT);
  CHECK_MESSAGE("repeat 2");
  cut = (shardspec_cut)SHARDSPEC_CUT_INIT;
  cut.rule = SHARDSPEC_RULE_SIZES, cut.values = sizes, cut.value_count = 2, cut.granule = 64;
  CHECK_STATUS(shardspec_cut_check(&cut, 128, 2, &err), SHARDSPEC_ILLEGAL_CUT);
  CHECK_MESSAGE("start it at 64 or 128");
}

/* A struct of an older or a newer program, in an array. */
typedef struct newer_pad {
  shardspec_pad pad;
  int64_t added;
} newer_pad;

static void arrays_of_newer_programs_are_understood(void) {
  static const int64_t sizes[] = {5, 5};
  newer_pad pads[2] = {{SHARDSPEC_PAD_INIT, 0}, {SHARDSPEC_PAD_INIT, 0}};
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  shardspec_mesh *mesh = mesh_of_2_by_4();
  shardspec_spec *spec, *none = NULL;
  for (int64_t dim = 0; dim < 2; dim++) {
    pads[dim].pad.struct_size = sizeof pads[dim];
    pads[dim].pad.dim = dim, pads[dim].pad.multiple = 3 + dim;
  }
  layout.pads = &pads[0].pad, layout.pad_count = 2;
  CHECK_OK(shardspec_spec_new_mesh(mesh, &layout, &spec, &err));
  shardspec_metadata *metadata = built(spec, sizes, 2);
  check_box(metadata, 7, (int64_t[]){0, 0}, (int64_t[]){6, 8}, 2);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
  pads[1].added = 1;
  CHECK_STATUS(shardspec_spec_new_mesh(mesh, &layout, &none, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("pads[1]: it sets fields that this version does not have");
  pads[1].added = 0, pads[1].pad.struct_size = sizeof(shardspec_pad);
  CHECK_STATUS(shardspec_spec_new_mesh(mesh, &layout, &none, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK_MESSAGE("pads[1]: its struct_size is 40, and 48 in the first element");
  CHECK(none == NULL);
  CHECK_OK(shardspec_mesh_free(mesh, &err));
}

static void elements_of_a_fused_weight_go_to_their_shards_and_back(void) {
  static int64_t sizes[] = {12}, length[] = {4};
  shardspec_segment halves[] = {SHARDSPEC_SEGMENT_INIT, SHARDSPEC_SEGMENT_INIT};
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  float full[12], back[12] = {0}, data[3][4];
  shardspec_tensor_view shards[3];
  halves[0].size = halves[1].size = 6;
  cut.axis = "tp", cut.segments = halves, cut.segment_count = 2;
  layout.cuts = &cut, layout.cut_count = 1;
  shardspec_metadata *metadata = built(spec_of(mesh_of_one_axis("tp", 3), &layout), sizes, 1);
  for (int i = 0; i < 12; i++) full[i] = (float)i;
  for (int i = 0; i < 3; i++) shards[i] = view_of(data[i], FLOAT32, length, 1);
  shardspec_tensor_view source = view_of(full, FLOAT32, sizes, 1), destination = view_of(back, FLOAT32, sizes, 1);
  CHECK_OK(shardspec_metadata_scatter(metadata, &source, shards, 3, NULL, &err));
  CHECK(data[1][0] == 2 && data[1][1] == 3 && data[1][2] == 8 && data[1][3] == 9);
  CHECK_OK(shardspec_metadata_gather(metadata, shards, 3, &destination, NULL, &err));
  CHECK(memcmp(full, back, sizeof full) == 0);
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

/* The degrees of tensor parallelism that a model allows, and what forbids the others. */
static void a_model_is_asked_for_its_legal_degrees(void) {
  shardspec_cut cuts[] = {SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT, SHARDSPEC_CUT_INIT};
  static const int64_t lengths[] = {32, 8, 4096, 60};
  int64_t forbidding[33];
  memset(forbidding, 77, sizeof forbidding);
  for (int i = 0; i < 4; i++) cuts[i].even = 1;
  cuts[1].repeat = SHARDSPEC_REPEAT_AS_NEEDED;
  cuts[2].granule = 128;
  CHECK_OK(shardspec_cuts_check_degrees(cuts, lengths, 4, 32, forbidding, &err));
  for (int64_t degree = 1; degree <= 32; degree++) {
    int64_t expected = 32 % degree != 0 ? 0 : 60 % degree != 0 ? 3 : -1;
    CHECK_EQUAL(forbidding[degree - 1], expected);
    if (expected >= 0)
      CHECK_STATUS(shardspec_cut_check(&cuts[expected], lengths[expected], degree, &err), SHARDSPEC_ILLEGAL_CUT);
  }
  /* No more than was asked for. */
  int64_t pattern;
  memset(&pattern, 77, sizeof pattern);
  CHECK_EQUAL(forbidding[32], pattern);
  CHECK_STATUS(shardspec_cut_check(&cuts[1], 8, 12, &err), SHARDSPEC_ILLEGAL_CUT);
  CHECK_TEXT(err.message, "12 coordinates can't share 8 units equally; pass a multiple of 8, or at most 8");
  cuts[3].granule = -1;
  int64_t before[33];
  memcpy(before, forbidding, sizeof before);
  CHECK_STATUS(shardspec_cuts_check_degrees(cuts, lengths, 4, 32, forbidding, &err), SHARDSPEC_INVALID_ARGUMENT);
  CHECK(err.index == 3 && memcmp(before, forbidding, sizeof before) == 0);
}

/* 4 heads of keys and values on 8 devices: device d has head d / 2. */
static void replicas_have_numbers_and_a_primary(void) {
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  static const int64_t heads[] = {4};
  cut.axis = "tp", cut.repeat = SHARDSPEC_REPEAT_AS_NEEDED;
  layout.cuts = &cut, layout.cut_count = 1;
  shardspec_metadata *metadata = built(spec_of(mesh_of_one_axis("tp", 8), &layout), heads, 1);
  for (size_t device = 0; device < 8; device++) {
    static const int64_t one[] = {1};
    int64_t head = (int64_t)device / 2;
    size_t number = 77, primary = 77, owners[2] = {77, 77}, needed;
    check_box(metadata, device, &head, one, 1);
    CHECK_OK(shardspec_metadata_replica(metadata, device, &number, &primary, &err));
    CHECK(number == device % 2 && primary == device - number);
    CHECK_OK(shardspec_metadata_shards_in_box(metadata, &head, one, 1, owners, 2, &needed, &err));
    CHECK(needed == 2 && owners[0] == primary && owners[1] == primary + 1);
    CHECK_OK(shardspec_metadata_shard_at(metadata, &head, 1, &owners[1], &err));
    CHECK_EQUAL(owners[1], primary);
  }
  CHECK_OK(shardspec_metadata_replica(metadata, 7, NULL, NULL, &err));
  CHECK_OK(shardspec_metadata_free(metadata, &err));
}

/* A weight of 512 x 640 with a scale for each 128 columns, over 2 devices by columns. */
static void scales_are_cut_where_their_weight_is(void) {
  shardspec_cut cut = SHARDSPEC_CUT_INIT;
  shardspec_mesh_layout layout = SHARDSPEC_MESH_LAYOUT_INIT;
  static const int64_t sizes[] = {512, 640}, blocks[] = {1, 128}, shape[] = {512, 5};
  static const int64_t offsets[] = {0, 0, 0, 3}, own[] = {512, 3, 512, 2};
  int64_t got[2];
  cut.dim = 1, cut.axis = "tp", cut.granule = 128;
  layout.cuts = &cut, layout.cut_count = 1;
  shardspec_metadata *weight = built(spec_of(mesh_of_one_axis("tp", 2), &layout), sizes, 2), *scales;
  CHECK_OK(shardspec_metadata_blocks(weight, blocks, 2, &scales, &err));
  CHECK_OK(shardspec_metadata_free(weight, &err));
  CHECK_OK(shardspec_metadata_sizes(scales, got, 2, NULL, &err));
  CHECK(memcmp(got, shape, sizeof got) == 0);
  check_box(scales, 0, offsets, own, 2);
  check_box(scales, 1, offsets + 2, own + 2, 2);
  CHECK_OK(shardspec_metadata_free(scales, &err));
  /* Cut in the middle, a block is cut. */
  cut.granule = 0;
  weight = built(spec_of(mesh_of_one_axis("tp", 2), &layout), sizes, 2);
  scales = NULL;
  CHECK_STATUS(shardspec_metadata_blocks(weight, blocks, 2, &scales, &err), SHARDSPEC_ILLEGAL_CUT);
  CHECK_TEXT(err.message, "shard 0: dimension 1 is cut at 320, inside of the block 256..384; cut at 256 or 384");
  CHECK(scales == NULL && err.first_shard == 0 && err.dim == 1 && err.got == 320 && err.limit == 128);
  CHECK_OK(shardspec_metadata_free(weight, &err));
}

int main(void) {
  a_mesh_tells_its_axes_and_devices();
  a_mesh_without_axes_is_one_device();
  devices_come_in_any_order_and_an_axis_can_be_fixed();
  a_fused_qkv_weight_is_cut_by_heads();
  a_vocabulary_is_padded_before_it_is_cut();
  two_cyclic_cuts_are_a_block_cyclic_matrix();
  flattened_dimensions_are_cut_as_one();
  dimensions_are_cut_by_name_and_more_than_once();
  a_pending_reduction_is_carried();
  a_plan_is_not_executed_on_tensors_of_another_layout();
  one_cut_over_placements_is_a_spec();
  every_spec_has_a_text();
  a_cut_is_checked_before_there_is_a_spec();
  arrays_of_newer_programs_are_understood();
  elements_of_a_fused_weight_go_to_their_shards_and_back();
  a_model_is_asked_for_its_legal_degrees();
  replicas_have_numbers_and_a_primary();
  scales_are_cut_where_their_weight_is();
  return 0;
}
